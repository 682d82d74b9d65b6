#!/usr/bin/env python3
"""Prefill and decode speed beside llama.cpp, on the same files and threads.

    python compare.py [--only NAME] [--threads 1,2] [--rounds N] [--bench .../engine_bench]

Run it with a Python that has llama-cpp-python. Both engines load the same file and stay in memory;
in each round one measures, then the other, with the order turned round from round to round, so
whatever else the machine does touches both alike. Each cell prints the median of both, and a line

    RATIO smollm2-135m.prefill.2t 4.10 1.00

with the median of the rounds' ratios and what it must be at least. The exit status is 1 if one is
below. --only keeps the cells whose name contains a text.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

import llama_cpp

MODELS = {"smollm2-135m": 512, "qwen2.5-coder-0.5b": 512, "qwen2.5-coder-1.5b": 256}
DECODE_TOKENS = 64
AT_LEAST = 1.0
PAUSE_SECONDS = 0.05


class Ours:
    def __init__(self, bench, model, threads):
        self.process = subprocess.Popen(
            [bench, model, "--threads", str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.loaded = self.read()["loaded"]

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit("engine_bench ended early")
        return json.loads(line)

    def seconds(self, kind, tokens):
        self.process.stdin.write(f"{kind} {tokens}\n")
        self.process.stdin.flush()
        return self.read()["seconds"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Theirs:
    def __init__(self, model, threads):
        self.model = llama_cpp.llama_model_load_from_file(
            str(model).encode(), llama_cpp.llama_model_default_params()
        )
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = 2048
        settings.n_batch = settings.n_ubatch = 512
        settings.n_threads = settings.n_threads_batch = threads
        self.context = llama_cpp.llama_init_from_model(self.model, settings)

    def feed(self, ids, first):
        batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i] = token
            batch.pos[i] = first + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = i + 1 == len(ids)
        start = time.perf_counter()
        if llama_cpp.llama_decode(self.context, batch) != 0:
            sys.exit("llama_decode failed")
        llama_cpp.llama_get_logits_ith(self.context, len(ids) - 1)
        seconds = time.perf_counter() - start
        llama_cpp.llama_batch_free(batch)
        return seconds

    def seconds(self, kind, tokens):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        ids = [(1009 * i + 17) % 40000 for i in range(max(tokens, 16))]
        if kind == "prefill":
            return self.feed(ids[:tokens], 0)
        self.feed(ids[:16], 0)
        return sum(self.feed([ids[i]], 16 + i) for i in range(tokens))

    def close(self):
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)


def compare(name, path, threads, options):
    cells = {
        f"{name}.{kind}.{threads}t": (kind, tokens)
        for kind, tokens in (("prefill", MODELS[name]), ("decode", DECODE_TOKENS))
        if options.only in f"{name}.{kind}.{threads}t"
    }
    if not cells:
        return True
    ours, theirs = Ours(options.bench, path, threads), Theirs(path, threads)
    good = True
    for cell, (kind, tokens) in cells.items():
        rounds = []
        for number in range(options.rounds + 1):
            pair = {}
            for engine in (ours, theirs) if number % 2 == 0 else (theirs, ours):
                time.sleep(PAUSE_SECONDS)
                pair[engine] = tokens / engine.seconds(kind, tokens)
            rounds.append((pair[ours], pair[theirs]))
        rounds = rounds[1:]  # The first round warms caches up.
        ratio = statistics.median(a / b for a, b in rounds)
        mine, other = (statistics.median(column) for column in zip(*rounds))
        print(f"{cell}: ours {mine:.1f}, llama.cpp {other:.1f} tokens/s")
        print(f"RATIO {cell} {ratio:.2f} {AT_LEAST:.2f}", flush=True)
        good = good and ratio >= AT_LEAST
    ours.close()
    theirs.close()
    return good


def main():
    here = pathlib.Path(__file__).resolve().parents[3]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="keep cells whose name contains this")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--threads",
        type=lambda text: [int(count) for count in text.split(",")],
        default=[1, 2],
        help="how many, one after the other: 1,2",
    )
    parser.add_argument("--bench", default=here / "build/release/tests/bench/engine_bench", type=pathlib.Path)
    parser.add_argument(
        "--models", default=pathlib.Path.home() / ".cache/trialwright/models", type=pathlib.Path
    )
    options = parser.parse_args()
    good = True
    for name in MODELS:
        path = options.models / f"{name}.gguf"
        if not path.exists():
            print(f"{name}: {path} is absent, left out")
            continue
        for threads in options.threads:
            good = compare(name, path, threads, options) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
