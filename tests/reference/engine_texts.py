"""The prompts and texts that make_engine_goldens.py gives to a model."""


def chat(text, system="You are a helpful assistant."):
    return (
        f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{text}<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


PROMPTS = [
    "Once upon a time there was a",
    "The capital of France is",
    "def fibonacci(n):\n    ",
    "#include <stdio.h>\n\nint main(void) {\n",
    "1, 2, 3, 5, 8, 13,",
    '{"name": "Ada", "born": 1815, "fields": [',
    "Q: How many days are there in a leap year?\nA:",
    "La lune se lève au-dessus de la mer et",
    "SELECT name, COUNT(*) FROM users",
    "The three laws of thermodynamics say that",
    "$ ls -l\ntotal 12\n-rw-r--r-- 1 root root",
    "for f in *.txt; do\n",
    chat("Write one sentence about the sea."),
    chat("List three prime numbers."),
    chat("How do I count the lines of a file in a shell?"),
    chat("Translate to German: Good morning, my friend."),
    chat("What is 17 + 25? Answer with the number only."),
    chat("Fix the bug: for i in range(10) print(i)", "You are a careful programmer."),
    chat("Name the colours of the rainbow in order."),
    chat(
        "Here is a log:\n" + "".join(f"{h:02d}:00 worker {h % 3} finished job {h * 7}\n" for h in range(12))
        + "Which worker finished the last job?"
    ),
]

TEXTS = [
    "The harbour woke before the town did. Gulls argued over the nets while the first boats came in "
    "low and slow, and the old woman who sold coffee from a cart had already counted out the change "
    "for her first three customers, who were always the same. Nobody spoke much. There was the price "
    "of diesel, and the weather, and a rumour that the bridge would be closed again in March. When "
    "the sun finally cleared the warehouses, everything that had been grey turned briefly to copper, "
    "and a boy on a bicycle stopped to look at it. He had a letter in his bag that he did not want "
    "to deliver. It was addressed in green ink, in a hand he knew, to a house where the shutters had "
    "been closed since the autumn. He decided that he would ride past twice, and if the dog barked, "
    "he would leave the letter under the stone by the gate and say nothing about it to anyone.",
    "import collections\nimport re\n\n\ndef words(text):\n    \"\"\"Lower-case words of a text, in "
    "order.\"\"\"\n    return re.findall(r\"[a-z']+\", text.lower())\n\n\nclass Index:\n    def "
    "__init__(self):\n        self.postings = collections.defaultdict(set)\n        self.documents = "
    "{}\n\n    def add(self, key, text):\n        if key in self.documents:\n            raise "
    "KeyError(f\"document {key} is already indexed\")\n        self.documents[key] = text\n        "
    "for word in words(text):\n            self.postings[word].add(key)\n\n    def search(self, "
    "query):\n        terms = words(query)\n        if not terms:\n            return []\n        "
    "found = set.intersection(*(self.postings.get(t, set()) for t in terms))\n        return "
    "sorted(found, key=lambda key: (-self.score(key, terms), key))\n\n    def score(self, key, "
    "terms):\n        counts = collections.Counter(words(self.documents[key]))\n        return "
    "sum(counts[t] for t in terms) / (1 + sum(counts.values()))\n",
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nMy disk is full. "
    "How do I find the largest folders under /var on Debian?<|im_end|>\n<|im_start|>assistant\nUse "
    "`du` and sort the result by size:\n\n```sh\nsudo du -x -h --max-depth=2 /var | sort -h | tail "
    "-n 20\n```\n\n- `-x` stays on one file system.\n- `--max-depth=2` keeps the list short.\n- "
    "`sort -h` understands suffixes such as K, M and G.\n\nOften the largest are `/var/log`, "
    "`/var/cache/apt` and `/var/lib/docker`. You can clean the package cache with `sudo apt-get "
    "clean` and shrink the journal with `sudo journalctl --vacuum-size=200M`.<|im_end|>\n"
    "<|im_start|>user\nThanks. And which single files are larger than 1 GB?<|im_end|>\n"
    "<|im_start|>assistant\n```sh\nsudo find / -xdev -type f -size +1G -exec ls -lh {} +\n```\n\nIt "
    "prints each file with its size, and `-xdev` keeps it from leaving the root file system.",
    "{\"experiment\": \"germination\", \"unit\": \"days\", \"plots\": [{\"id\": 1, \"soil\": "
    "\"clay\", \"seeds\": 40, \"sprouted\": 31, \"mean\": 6.4}, {\"id\": 2, \"soil\": \"sand\", "
    "\"seeds\": 40, \"sprouted\": 22, \"mean\": 8.1}, {\"id\": 3, \"soil\": \"loam\", \"seeds\": 38, "
    "\"sprouted\": 36, \"mean\": 5.9}], \"notes\": \"Plot 2 was watered late on day 3.\"}\n\nThe "
    "table shows that loam did best: 36 of 38 seeds, or 95 %, came up after 5.9 days on average. "
    "Clay followed with 31 of 40 (78 %), and sand was last with 22 of 40 (55 %). Since plot 2 was "
    "watered late, the difference between clay and sand should not be taken for certain; the trial "
    "ought to be repeated with the same amount of water on every plot.",
    "Die Straßenbahn fuhr langsam durch den Regen, und niemand stieg aus. Am Fenster saß ein Mann, "
    "der eine Zeitung von gestern las, weil er die von heute nicht gefunden hatte. Neben ihm schlief "
    "ein Kind. 昨日は雨が降りましたが、今日は晴れています。 Le train de nuit part à vingt-deux heures "
    "et arrive le lendemain matin. El gato duerme en la silla de la cocina. Быстрая лиса прыгает "
    "через ленивую собаку. The end of the line was announced twice, once in each language, and then "
    "the lights went out for a moment, as they always did there.",
]
