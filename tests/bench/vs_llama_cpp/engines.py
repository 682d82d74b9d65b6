"""The programs that are measured. Two engines of one file stay loaded while cells need them."""

import json
import pathlib
import subprocess


class Skipped(Exception):
    """Something that a cell needs is not there."""


class Ours:
    """engine_bench with one model, answering one line at a time."""

    def __init__(self, program, model, threads):
        self.process = subprocess.Popen(
            [program, model, "--threads", str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("engine_bench ended early")
        return json.loads(line)

    def ask(self, request):
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        answer = self.read()
        if "unknown" in answer:
            raise Skipped(f"engine_bench does not know {answer['unknown']!r} yet")
        return answer

    def tokens_per_second(self, request):
        answer = self.ask(request)
        return answer["tokens"] / answer["seconds"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Engines:
    """Opens what cells ask for, and closes it when another model or number of threads is asked for."""

    def __init__(self, options):
        self.options = options
        self.key = None
        self.open = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for engine in self.open.values():
            engine.close()
        self.open = {}

    def get(self, name, key, make):
        if key != self.key:
            self.close()
            self.key = key
        if name not in self.open:
            self.open[name] = make()
        return self.open[name]

    def model(self, name):
        path = self.options.models / f"{name}.gguf"
        if not path.exists():
            raise Skipped(f"{path} is absent")
        return path

    def program(self, path):
        """A built program, by its path in the build folder."""
        path = pathlib.Path(self.options.build) / path
        if not path.exists():
            raise Skipped(f"{path} is absent")
        return path

    def ours(self, model, threads):
        program, path = self.program("tests/bench/engine_bench"), self.model(model)
        return self.get("ours", (model, threads), lambda: Ours(program, path, threads))

    def theirs(self, model, threads, sequences=1):
        path = self.model(model)
        try:
            from llama_cpp_engine import LlamaCpp
        except ImportError as error:
            raise Skipped(f"this Python has no llama-cpp-python: {error}") from error
        return self.get(
            f"theirs of {sequences}", (model, threads), lambda: LlamaCpp(path, threads, sequences)
        )
