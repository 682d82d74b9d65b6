"""A soak of `trialwright serve`: random requests, cancels and hang-ups for some minutes.

    python3 tests/soak/serve_soak.py BINARY MODEL [--seconds 600] [--clients 12] [--seed 1]

Every request is drawn from a small set whose answers were asked for once, alone, at the beginning;
every answer that comes back whole must equal its reference byte for byte, whatever ran beside it.
In the end no answer is being computed any more, the server's memory has not grown since its caches
were full, and it stops on SIGTERM. Only the standard library is used, on the loopback.
"""

import argparse
import http.client
import json
import pathlib
import random
import socket
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "reference"))

from served_model import ServedModel

QUESTIONS = [
    "Name a colour.",
    "Count to five.",
    "What is the capital of France?",
    "Write one sentence about the sea.",
    "Say hello in three languages.",
    "Tell me a story about a fox and a very old clock that would not stop.",
]
TEXTS = ["Once upon a time", "The capital of France is", "One, two, three,", "def main():"]
REQUESTS_MAX = 200_000


def all_cases(model):
    """What may be asked, as (address, body)."""
    cases = []
    for number, question in enumerate(QUESTIONS):
        for temperature in (0, 0.8):
            for stream in (False, True):
                body = {
                    "model": model,
                    "messages": [{"role": "user", "content": question}],
                    "temperature": temperature,
                    "seed": number,
                    "max_tokens": 8 + 8 * number,
                    "stream": stream,
                }
                if number % 2 == 0:
                    body.update({"logprobs": True, "top_logprobs": 2})
                if number % 3 == 0:
                    body["n"] = 2
                cases.append(("/v1/chat/completions", body))
    for number, text in enumerate(TEXTS):
        cases.append(("/v1/completions", {"model": model, "prompt": text, "max_tokens": 0,
                                          "echo": True, "logprobs": 2}))
        cases.append(("/v1/completions", {"model": model, "prompt": TEXTS[: number + 1],
                                          "max_tokens": 12, "seed": number, "logprobs": 0}))
    cases.append(("/v1/completions", {"model": model, "prompt": "x", "n": 1000}))
    cases.append(("/v1/chat/completions", {"model": "other", "messages": []}))
    return cases


def merged(events):
    """A stream's events as the texts, endings and log-probabilities of its choices."""
    choices = {}
    for event in events:
        for choice in event["choices"]:
            entry = choices.setdefault(choice["index"], {"text": "", "end": None, "logprobs": None})
            entry["text"] += choice.get("delta", {}).get("content") or ""
            entry["end"] = choice["finish_reason"] or entry["end"]
            entry["logprobs"] = choice["logprobs"] or entry["logprobs"]
    return [choices[index] for index in sorted(choices)]


def essence(status, content_type, data):
    """What of an answer must repeat: not ids, times and what was cached."""
    if content_type == "text/event-stream":
        lines = [line[6:] for line in data.decode().split("\n\n") if line]
        if lines[-1] != "[DONE]":
            return ("error", lines[-1])
        return (status, merged([json.loads(line) for line in lines[:-1]]))
    body = json.loads(data)
    if "choices" in body:
        return (status, body["choices"], body["usage"]["completion_tokens"])
    return (status, body)


def ask(address, case):
    path, body = case
    connection = http.client.HTTPConnection(*address, timeout=300)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return essence(answer.status, answer.getheader("Content-Type"), answer.read())
    finally:
        connection.close()


def hang_up(address, case, draw):
    """Sends a request, or a part of one, reads a little or nothing, and leaves."""
    path, body = case
    data = json.dumps(body).encode()
    head = (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\n\r\n").encode()
    whole = head + data
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(whole if draw.random() < 0.8 else whole[: draw.randrange(len(whole))])
        time.sleep(draw.random() * 0.3)
        if draw.random() < 0.5:
            connection.settimeout(0.2)
            try:
                connection.recv(draw.choice([1, 100, 10_000]))
            except TimeoutError:
                pass


class Soak:
    def __init__(self, served, references, end, seed):
        self.served = served
        self.address = urllib.parse.urlsplit(served.url).hostname, urllib.parse.urlsplit(served.url).port
        self.references = references
        self.end = end
        self.seed = seed
        self.lock = threading.Lock()
        self.counts = {"whole": 0, "hung up": 0, "sent away": 0, "idle": 0}
        self.wrong = []

    def count(self, what):
        with self.lock:
            self.counts[what] += 1
            return sum(self.counts.values())

    def client(self, number):
        draw = random.Random(self.seed * 1000 + number)
        while time.monotonic() < self.end and not self.wrong:
            case, reference = draw.choice(self.references)
            kind = draw.random()
            try:
                if kind < 0.3:
                    hang_up(self.address, case, draw)
                    total = self.count("hung up")
                elif kind < 0.33:
                    with socket.create_connection(self.address, timeout=30):
                        time.sleep(draw.random())
                    total = self.count("idle")
                else:
                    answer = ask(self.address, case)
                    if answer[0] == 429:
                        total = self.count("sent away")
                        time.sleep(draw.random())
                    else:
                        total = self.count("whole")
                        if answer != reference:
                            self.wrong.append((case, reference, answer))
            except Exception as error:
                self.wrong.append((case, "no failure", repr(error)))
                return
            if total > REQUESTS_MAX:
                return


def answers(served):
    connection = http.client.HTTPConnection(*urllib.parse.urlsplit(served.url).netloc.split(":"))
    try:
        connection.request("GET", "/health")
        return json.load(connection.getresponse())["answers"]
    finally:
        connection.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("model")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    problems = []
    with ServedModel(options.binary, options.model, "--quiet", "--requests", "4", "--queue", "12") as served:
        address = urllib.parse.urlsplit(served.url)
        cases = all_cases(served.name)
        references = [(case, ask((address.hostname, address.port), case)) for case in cases]
        print(f"{len(references)} references", flush=True)
        begin = time.monotonic()
        soak = Soak(served, references, begin + options.seconds, options.seed)
        threads = [threading.Thread(target=soak.client, args=(number,)) for number in range(options.clients)]
        for thread in threads:
            thread.start()
        # The caches fill in the first third; from then on memory must stay.
        settled = None
        while any(thread.is_alive() for thread in threads):
            time.sleep(1)
            now = time.monotonic() - begin
            if settled is None and now > options.seconds / 3:
                settled = served.resident_bytes()
            if int(now) % 30 == 0:
                print(f"{now:5.0f} s  {soak.counts}  {served.resident_bytes() / 1e6:.0f} MB  "
                      f"{served.threads()} threads", flush=True)
        for thread in threads:
            thread.join()
        for _ in range(100):
            if answers(served) == 0:
                break
            time.sleep(0.1)
        if answers(served) != 0:
            problems.append(f"{answers(served)} answers are stuck")
        grown = served.resident_bytes() - (settled or served.resident_bytes())
        if grown > 64e6:
            problems.append(f"memory grew by {grown / 1e6:.0f} MB after the first third")
        for case, reference, answer in soak.wrong[:3]:
            problems.append(f"wrong answer to {json.dumps(case)}:\n  {reference}\n  {answer}")
        for case, reference in references:
            if ask((address.hostname, address.port), case) != reference:
                problems.append(f"another answer in the end to {json.dumps(case)}")
        code = served.stop()
        if code != 143:
            problems.append(f"exit code {code} after SIGTERM")
        print(f"{soak.counts}, memory {grown / 1e6:+.1f} MB since the first third")
    for problem in problems:
        print("PROBLEM " + problem)
    print("soak failed" if problems else "soak passed")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
