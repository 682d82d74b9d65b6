#!/usr/bin/env python3
"""Writes tests/golden/inference/token: texts and the ids llama.cpp gives them.

usage: make_token_goldens.py VOCABULARIES MODELS

VOCABULARIES is the folder with ggml-vocab-*.gguf files, MODELS the one with the models pulled. Needs
llama-cpp-python 0.3.36. The texts are the same on every run.

texts.jsonl      one text a line: a JSON string, or {"hex": ...} where it is not well-formed UTF-8.
NAME.ids         one line a text: its ids with control tokens read as ordinary text; then, where it
                 differs, "|" and the ids with control tokens read from it. No BOS.
vocabularies.json  what llama.cpp says of each vocabulary; "pieces" is the SHA-256 of every token's
                 bytes, each followed by its length as four little-endian bytes.
unicode_classes.txt  the classes of all code points, found by asking which neighbours llama.cpp lets
                 merge: the first code point of each stretch and its letter (L, N, S, P or - ).
"""

import ctypes
import hashlib
import json
import pathlib
import random
import struct
import sys
import tempfile

import llama_cpp

OUT = pathlib.Path(__file__).resolve().parent.parent / "golden" / "inference" / "token"

SPECIALS = [
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|begin_of_text|>",
    "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|python_tag|>",
    "<|reserved_special_token_7|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>",
    "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>",
    "<|object_ref_start|>", "<|vision_pad|>", "<repo_name>", "<reponame>", "<file_sep>",
    "<filename>", "<gh_stars>", "<issue_start>", "<jupyter_code>", "<empty_output>", "<fim_prefix>",
    "<fim_middle>", "<fim_suffix>", "<fim_pad>", "</s>", "<s>", "<unk>", "<|EOT|>",
    "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜fim▁hole｜>", "<｜fim▁begin｜>",
    "<｜fim▁end｜>", "[PAD151646]", "[PAD151700]", "<|end|>", "<|user|>", "<commit_before>", "õ", "÷",
]

SNIPPETS = [
    "def fib(n: int) -> int:\n    if n < 2:\n        return n\n    return fib(n - 1) + fib(n - 2)\n",
    "for (size_t i = 0; i < v.size(); ++i) {\n\tsum += v[i] * 0x1F;\n}\n",
    "SELECT id, name FROM users WHERE age >= 21 AND city = 'Zürich' ORDER BY name;\n",
    "#!/usr/bin/env bash\nset -euo pipefail\nfind . -name '*.txt' | xargs wc -l > out.log 2>&1\n",
    "fn main() -> Result<(), Box<dyn Error>> {\n    println!(\"{:>8.3}\", 3.14159);\n    Ok(())\n}\n",
    "<div class=\"row\"><p>It's &amp; that</p></div>\r\n<!-- don't -->\r\n",
    "{\"name\": \"bash\", \"arguments\": {\"command\": \"ls -la /tmp\\n\"}}",
    "package main\n\nimport \"fmt\"\n\nfunc main() {\n\tfmt.Printf(\"%d\\t%s\\n\", 42, \"go\")\n}\n",
    "const f = async (x) => { await g(`${x?.y ?? 'z'}`); };  // ok\n",
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n* item\n  * nested\n\n```python\nprint('hi')\n```\n",
    "public static <T extends Comparable<T>> T max(List<? extends T> l) { return null; }\n",
    "a = b'\\x00\\xff' if c else [1, 2, 3][::-1]; d **= 2 // 3 % 4 @ e\n",
    "2024-01-31T23:59:59.999Z ERROR [main] 192.168.0.1:8080 - 100% of 1,234,567.89 failed (!!!)\n",
    "\\begin{equation} \\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2} \\end{equation}\n",
    "module Main where\nmain :: IO ()\nmain = mapM_ print $ takeWhile (<100) [x^2 | x <- [1..]]\n",
]

WORDS = (
    "the of and to in is that it was for on are as with they be at one have this from or had by hot "
    "word but what some we can out other were all there when up use your how said an each she which "
    "their time if will way about many then them write would like so these her long make thing see "
    "him two has look more day could go come did number sound no most people my over know water "
    "Straße naïve façade café coöperate résumé Ærøskøbing İstanbul ΑΒΓ αβγ Москва привет שלום "
    "مرحبا नमस्ते 你好 世界 こんにちは カタカナ 안녕하세요 ไทย ქართული հայերեն ελληνικά ដូច্যা"
).split()

CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'RE", "'Ve", "'vE", "'M",
                "'LL", "'lL", "'D", "'x", "'", "''s", "'r", "'l", "'ſ", "’s", "'s's", "'ll'd"]

SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\n\n", " \n", "\n ", "\t\t", "\u00a0", "\u2003",
          "\u3000", "\u2028", "\u0085", "\v", "\f", "\u200b", "\ufeff", "\u1680", "\u202f", " \u00a0"]

EMOJI = ["😀", "👩‍👩‍👧‍👦", "🇩🇪", "👍🏽", "❤️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "☃︎", "🧑‍💻", "1️⃣", "🫠", "🪿"]

MARKS = ["e\u0301", "n\u0303\u0323", "a\u0300\u0301\u0302", "\u0301", "ก\u0e33", "क\u094d\u0937", "\u20dd",
         "Z\u0351\u036b\u0343", "\u05e9\u05c1", "\u0639\u064e"]


def any_code_point(rng, low, high):
    while True:
        code_point = rng.randrange(low, high)
        if not 0xD800 <= code_point < 0xE000:
            return chr(code_point)


def make_texts():
    rng = random.Random(20240229)
    texts = ["", " ", "a", "A", "0", "\n", "\x00", "\x7f", "\U0010ffff", "\ufffd"]
    texts += SNIPPETS + WORDS + CONTRACTIONS + SPACES + EMOJI + MARKS + SPECIALS
    for plane in range(17):
        for _ in range(24):
            low = plane << 16
            size = rng.randrange(1, 12)
            texts.append("".join(any_code_point(rng, low, low + 0x10000) for _ in range(size)))
    for block in range(0, 0x3400, 0x40):  # Every script below the ideographs.
        texts.append("".join(chr(block + rng.randrange(0x40)) for _ in range(12)))
    for block in (0xA000, 0xA800, 0xAC00, 0xF900, 0xFB00, 0xFE00, 0xFF00, 0x10000, 0x10400, 0x11000,
                  0x12000, 0x16800, 0x1D400, 0x1E900, 0x1F300, 0x1F900, 0x20000, 0x2F800, 0x30000):
        for _ in range(4):
            texts.append("".join(chr(block + rng.randrange(0x400)) for _ in range(10)))
    for length in (1, 2, 3, 4, 5, 7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 100, 129, 256):
        for unit in (" ", "\t", "\n", "\r\n", "a", "=", "-", "0", "1", "ab", ".", "\u00a0", "é", "的", "!?"):
            texts.append(unit * length)
            if unit.isspace():
                texts += ["x" + unit * length + "y", unit * length + "7", "x" + unit * length]
    for _ in range(260):
        texts.append("".join(rng.choice("0123456789.,-+eE_ x٣४௧½²Ⅷ") for _ in range(rng.randrange(1, 24))))
    for _ in range(200):
        texts.append(rng.choice(WORDS) + rng.choice(CONTRACTIONS) + rng.choice(["", " ", "x"]) +
                     rng.choice(WORDS) + rng.choice(CONTRACTIONS))
    for _ in range(250):
        snippet = rng.choice(SNIPPETS)
        begin = rng.randrange(len(snippet))
        piece = snippet[begin:begin + rng.randrange(4, 80)]
        if rng.random() < 0.3:
            piece = piece.replace("\n", "\r\n")
        texts.append(rng.choice(SPACES) * rng.randrange(3) + piece)
    for _ in range(250):
        texts.append("".join(rng.choice(SPACES) if rng.random() < 0.5 else rng.choice(WORDS + list("aZ9!.'"))
                             for _ in range(rng.randrange(2, 20))))
    for _ in range(350):
        parts = []
        for _ in range(rng.randrange(1, 7)):
            special = rng.choice(SPECIALS)
            kind = rng.randrange(6)
            if kind == 0:
                special = special[:rng.randrange(1, len(special) + 1)]
            elif kind == 1:
                special = special[rng.randrange(len(special)):]
            elif kind == 2:
                special = special.replace("|", rng.choice(["||", " |", "｜", ""]))
            parts.append(special)
            parts.append(rng.choice(["", "", " ", "\n", "x", "user\n", rng.choice(WORDS), "<", "|>"]))
        texts.append("".join(parts))
    pool = [lambda: rng.choice(WORDS), lambda: rng.choice(SPACES), lambda: rng.choice(EMOJI),
            lambda: rng.choice(MARKS), lambda: str(rng.randrange(10 ** rng.randrange(1, 12))),
            lambda: rng.choice(CONTRACTIONS), lambda: any_code_point(rng, 0x20, 0x3000),
            lambda: any_code_point(rng, 0x20, 0x110000), lambda: rng.choice("()[]{}<>;:,.!?#$%^&*~`\\/|@\"'_=+-")]
    for _ in range(700):
        texts.append("".join(rng.choice(pool)() for _ in range(rng.randrange(2, 25))))
    seen, unique = set(), []
    for text in texts:
        if text not in seen:
            seen.add(text)
            unique.append(text.encode())
    # Stray continuation bytes, cut sequences and bytes that never occur: each is read as U+FFFD.
    # Forms on which decoders differ (overlong, surrogates, above U+10FFFF) are left out.
    for broken in (b"\x80", b"\xff", b"a\xe2\x82", b"\xe2\x82 b", b"\xf0\x9f\x98", b"x\xf0\x9fy\x80z",
                   b"\xc3", b"\xc3(", b"\xfe\xffabc", b" \xbf\xbf 1", b"<|im_\xffend|>", b"\xe4\xb8\n"):
        unique.append(broken)
    return unique


def load(path):
    parameters = llama_cpp.llama_model_default_params()
    parameters.vocab_only = True
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
    if not model:
        sys.exit(f"cannot load {path}")
    return model, llama_cpp.llama_model_get_vocab(model)


SILENCE = llama_cpp.llama_log_callback(lambda *_: None)
BUFFER = (llama_cpp.llama_token * 65536)()


def tokenize(vocab, text, special):
    count = llama_cpp.llama_tokenize(vocab, text, len(text), BUFFER, len(BUFFER), False, special)
    assert count >= 0
    return list(BUFFER[:count])


def describe(vocab):
    size = llama_cpp.llama_vocab_n_tokens(vocab)
    pieces = hashlib.sha256()
    buffer = ctypes.create_string_buffer(4096)
    for token in range(size):
        length = llama_cpp.llama_token_to_piece(vocab, token, buffer, len(buffer), 0, True)
        assert length >= 0
        pieces.update(buffer.raw[:length] + struct.pack("<I", length))
    return {
        "size": size,
        "bos": llama_cpp.llama_vocab_bos(vocab),
        "eos": llama_cpp.llama_vocab_eos(vocab),
        "adds_bos": bool(llama_cpp.llama_vocab_get_add_bos(vocab)),
        "control": [t for t in range(size) if llama_cpp.llama_vocab_is_control(vocab, t)],
        "ends_turn": [t for t in range(size) if llama_cpp.llama_vocab_is_eog(vocab, t)],
        "pieces": pieces.hexdigest(),
    }


def byte_alphabet():
    printable = list(range(0x21, 0x7F)) + list(range(0xA1, 0xAD)) + list(range(0xAE, 0x100))
    rest = [byte for byte in range(256) if byte not in printable]
    return {**{byte: chr(byte) for byte in printable}, **{byte: chr(0x100 + i) for i, byte in enumerate(rest)}}


def write_probe(path, pre):
    """A vocabulary of all bytes and of every byte after a letter, a digit and a mark."""
    alphabet = byte_alphabet()
    tokens = list(alphabet.values()) + [a + b for a in "a1!" for b in alphabet.values()]
    merges = [a + " " + b for a in "a1!" for b in alphabet.values()]

    def text(value):
        raw = value.encode()
        return struct.pack("<Q", len(raw)) + raw

    def texts(values):
        return struct.pack("<IIQ", 9, 8, len(values)) + b"".join(text(value) for value in values)

    def one(value):
        return struct.pack("<I", 8) + text(value)

    fields = {
        "general.architecture": one("llama"),
        "tokenizer.ggml.model": one("gpt2"),
        "tokenizer.ggml.pre": one(pre),
        "tokenizer.ggml.tokens": texts(tokens),
        "tokenizer.ggml.token_type": struct.pack("<IIQ", 9, 5, len(tokens)) + struct.pack("<i", 1) * len(tokens),
        "tokenizer.ggml.merges": texts(merges),
    }
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(fields)) +
                     b"".join(text(key) + value for key, value in fields.items()))


def unicode_classes():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "probe.gguf"
        write_probe(path, "gpt-2")
        words_model, words = load(path)
        # Runs of \p{P} are cut out by both of these; the first also cuts in the middle of some
        # scripts, the second also takes some symbols of ASCII.
        write_probe(path, "deepseek-coder")
        ascii_model, ascii_marks = load(path)
        write_probe(path, "default")
        marks_model, marks = load(path)
    lines, previous = [], None
    for code_point in range(0x110000):
        if 0xD800 <= code_point < 0xE000:
            continue
        raw = chr(code_point).encode()

        def joins(vocab, anchor):
            return len(tokenize(vocab, anchor + raw, False)) == len(raw)

        if joins(words, b"a"):
            letter = "L"
        elif joins(words, b"1"):
            letter = "N"
        elif not joins(words, b"!"):
            letter = "S"
        else:
            letter = "P" if joins(ascii_marks if code_point < 0x80 else marks, b"!") else "-"
        if letter != previous:
            lines.append(f"{code_point:X} {letter}\n")
            previous = letter
    return "".join(lines)


def main():
    vocabularies, models = map(pathlib.Path, sys.argv[1:])
    llama_cpp.llama_log_set(SILENCE, None)
    OUT.mkdir(parents=True, exist_ok=True)
    texts = make_texts()
    with open(OUT / "texts.jsonl", "w", encoding="utf-8", newline="\n") as file:
        for text in texts:
            try:
                value = text.decode()
            except UnicodeDecodeError:
                value = {"hex": text.hex()}
            file.write(json.dumps(value, ensure_ascii=False) + "\n")
    files = {"smollm2-135m": models / "smollm2-135m.gguf",
             "qwen2.5-coder-0.5b": models / "qwen2.5-coder-0.5b.gguf",
             "gemma3-270m": models / "gemma3-270m.gguf"}
    for name in ("gpt-2", "llama-bpe", "qwen2", "deepseek-coder", "starcoder", "llama-spm"):
        files[name] = vocabularies / f"ggml-vocab-{name}.gguf"
    described = {}
    for name, path in files.items():
        model, vocab = load(path)
        described[name] = describe(vocab)
        with open(OUT / f"{name}.ids", "w", encoding="ascii", newline="\n") as file:
            for text in texts:
                plain, special = tokenize(vocab, text, False), tokenize(vocab, text, True)
                line = " ".join(map(str, plain))
                if special != plain:
                    line += "|" + " ".join(map(str, special))
                file.write(line + "\n")
        llama_cpp.llama_model_free(model)
    (OUT / "vocabularies.json").write_text(json.dumps(described) + "\n")
    (OUT / "unicode_classes.txt").write_text(unicode_classes())
    print(f"{len(texts)} texts")


main()
