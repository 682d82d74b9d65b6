"""What is measured, with what each ratio must be at least."""

import contextlib
import dataclasses
import os
import subprocess
import sys
import tempfile
import time

from engines import Skipped

PAUSE_SECONDS = 0.05  # Lets the threads of the engine that was measured last fall asleep.


def interleaved(rounds, measure_ours, measure_other):
    """Pairs of both. The first round warms caches up and is not among them."""
    pairs = []
    for number in range(rounds + 1):
        pair = {}
        order = (measure_ours, measure_other) if number % 2 == 0 else (measure_other, measure_ours)
        for measure in order:
            time.sleep(PAUSE_SECONDS)
            pair[measure] = measure()
        pairs.append((pair[measure_ours], pair[measure_other]))
    return pairs[1:]


@contextlib.contextmanager
def busy_process():
    """A process that never waits, as a program that an agent started may be."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


@dataclasses.dataclass
class Cell:
    name: str
    at_least: float
    rounds: int = 7
    slow: bool = False


@dataclasses.dataclass
class Speed(Cell):
    """Tokens per second beside llama.cpp, on the same file and threads."""

    model: str = ""
    threads: int = 2
    request: str = ""
    sequences: int = 1
    busy: bool = False

    def measure(self, engines, rounds):
        ours = engines.ours(self.model, self.threads)
        theirs = engines.theirs(self.model, self.threads, self.sequences)
        with busy_process() if self.busy else contextlib.nullcontext():
            return interleaved(
                rounds,
                lambda: ours.tokens_per_second(self.request),
                lambda: theirs.tokens_per_second(self.request),
            )

    def ratio(self, ours, theirs):
        return ours / theirs

    def text(self, ours, theirs):
        return f"ours {ours:.1f}, llama.cpp {theirs:.1f} tokens/s"


@dataclasses.dataclass
class Saving(Cell):
    """Seconds of one way of our own engine to do a thing beside a slower one."""

    model: str = ""
    request: str = ""
    fast: str = ""  # What the answer calls them.
    slow_way: str = ""

    def measure(self, engines, rounds):
        ours = engines.ours(self.model, 2)
        pairs = []
        for _ in range(rounds + 1):
            answer = ours.ask(self.request)
            if answer.get("differing", 0) != 0:
                raise SystemExit(f"{self.name}: {answer['differing']} tokens differ")
            pairs.append((answer[self.fast], answer[self.slow_way]))
        return pairs[1:]

    def ratio(self, fast, slow):
        return slow / fast

    def text(self, fast, slow):
        return f"{self.fast} {fast:.4f}, {self.slow_way} {slow:.4f} s"


@dataclasses.dataclass
class Limit(Cell):
    """A measured time beside a fixed limit; at_least is 1."""

    limit: float = 0
    unit: str = "s"

    def ratio(self, measured, limit):
        return limit / measured

    def text(self, measured, limit):
        return f"{measured:.4g} {self.unit}, at most {limit:g}"


@dataclasses.dataclass
class Load(Limit):
    """From the start of a fresh process to its first token; the file is in the page cache."""

    model: str = ""

    def measure(self, engines, rounds):
        program, path = engines.program("trialwright"), engines.model(self.model)
        command = [program, "generate", path, "--raw", "--prompt", "The capital of France", "-n", "1"]
        times = []
        for _ in range(rounds + 1):
            start = time.perf_counter()
            with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
                first = process.stdout.read(1)
                times.append(time.perf_counter() - start)
                process.stdout.read()
            if not first or process.returncode != 0:
                raise SystemExit(f"{self.name}: generate failed")
        return [(seconds, self.limit) for seconds in times[1:]]


@dataclasses.dataclass
class GrammarMask(Limit):
    """Microseconds to find the tokens that may come next, over all schemas of grammar_mask_bench."""

    column: int = 0
    rounds: int = 1

    def measure(self, engines, rounds):
        program = engines.program("tests/bench/grammar_mask_bench")
        measured = []
        for _ in range(rounds):
            vocabulary = engines.model("gemma3-270m")
            run = subprocess.run([program, vocabulary], stdout=subprocess.PIPE, text=True)
            if run.returncode != 0:
                raise SystemExit("grammar_mask_bench failed")
            # The row of all grammars, none of them met before: name, masks, p50, p99, max.
            row = next(line for line in run.stdout.splitlines() if line.startswith("all, first "))
            measured.append(float(row.split()[self.column]))
        return [(value, self.limit) for value in measured]


@dataclasses.dataclass
class Suite(Cell):
    """Wall time of the starter suite beside the first version of the engine."""

    model: str = ""
    rounds: int = 1
    slow: bool = True

    def measure(self, engines, rounds):
        now, first = engines.program("trialwright"), engines.options.first_version
        engines.model(self.model)
        if first is None:
            raise Skipped("give --first-version, a trialwright program of that version")
        engines.close()  # Two loaded engines would take memory.
        pairs = []
        for number in range(rounds):
            seconds = {}
            for program in (now, first) if number % 2 == 0 else (first, now):
                seconds[program] = self.seconds(program)
            pairs.append((seconds[now], seconds[first]))
        return pairs

    def seconds(self, program):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            run = subprocess.run(
                [os.path.abspath(program), "run", "starter", "--model", self.model, "-j", "8"],
                cwd=folder,
                stdout=subprocess.PIPE,
                text=True,
            )
            seconds = time.perf_counter() - start
        if run.returncode != 0:
            raise SystemExit(f"{program} ended with {run.returncode}")
        print(f"{self.name}: {program} {seconds:.1f} s\n{run.stdout}", flush=True)
        return seconds

    def ratio(self, now, first):
        return first / now

    def text(self, now, first):
        return f"now {now:.1f}, first version {first:.1f} s"


def speeds(model, threads, prompt, prefill, decode):
    """A model's prefill and decode cells. prefill, decode: what they must be at least."""
    common = {"model": model, "threads": threads}
    return [
        Speed(f"{model}.prefill.{threads}t", prefill, request=f"prefill {prompt}", **common),
        Speed(f"{model}.decode.{threads}t", decode, request="decode 64", **common),
    ]


def agents(model, at_least):
    """Eight agents that decode at the same time, aggregate speed."""
    return Speed(
        f"{model}.agents8.2t", at_least, model=model, request="together 8 32", sequences=8
    )


SMOL, HALF, ONE_AND_A_HALF = "smollm2-135m", "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"
GEMMA = "gemma3-270m"

# Cells of one model and number of threads stand together, so that it is loaded once.
CELLS = [
    *speeds(SMOL, 1, 512, 4.0, 1.8),
    *speeds(SMOL, 2, 512, 4.0, 1.6),
    agents(SMOL, 4.0),
    Speed(f"{SMOL}.decode.2t.busy", 2.5, model=SMOL, request="decode 64", busy=True),
    Saving(f"{SMOL}.first_token", 20, model=SMOL, request="first_token 1000 16", fast="warm",
           slow_way="cold"),
    *speeds(HALF, 2, 512, 3.0, 1.5),
    agents(HALF, 3.0),
    *speeds(ONE_AND_A_HALF, 2, 256, 1.8, 1.2),
    Saving(f"{ONE_AND_A_HALF}.replay", 2.5, model=ONE_AND_A_HALF, request="replay 6 80",
           fast="drafted", slow_way="plain", rounds=3),
    *speeds(GEMMA, 2, 512, 2.2, 1.25),
    agents(GEMMA, 2.2),
    Load(f"{GEMMA}.load", 1.0, model=GEMMA, limit=0.6),
    GrammarMask("grammar_mask.p50", 1.0, limit=60, unit="us", column=3),
    GrammarMask("grammar_mask.p99", 1.0, limit=1000, unit="us", column=4),
    Suite(f"{ONE_AND_A_HALF}.suite", 2.5, model=ONE_AND_A_HALF),
]
