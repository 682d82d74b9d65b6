"""The engine's speed: beside llama.cpp, beside itself, and against fixed limits.

    python tests/bench/vs_llama_cpp [--only NAME] [--all] [--rounds N]
                                    [--first-version .../trialwright]

Run it with a Python that has llama-cpp-python, on a machine that does nothing else, after
`ninja -C build/release trialwright bench` and with the models pulled. A cell measures two things by
turns, the order turned round from round to round, so that whatever else the machine does touches
both alike. Each prints the medians of both, and a line

    RATIO smollm2-135m.prefill.2t 4.10 4.00

with the median of the rounds' ratios and what it must be at least; or `SKIPPED name: why`. The exit
status is 1 if a ratio is below. --only keeps the cells whose name contains a text. The whole
starter suite takes many minutes and runs if --only names it or with --all.
"""

import argparse
import pathlib
import statistics
import sys

sys.dont_write_bytecode = True

from cells import CELLS, Skipped  # noqa: E402
from engines import Engines  # noqa: E402


def report(cell, rounds):
    """Prints a cell's lines. rounds: pairs of what is measured and what it is compared with."""
    ratio = statistics.median(cell.ratio(ours, other) for ours, other in rounds)
    ours, other = (statistics.median(column) for column in zip(*rounds))
    print(f"{cell.name}: {cell.text(ours, other)} (medians of {len(rounds)})")
    print(f"RATIO {cell.name} {ratio:.2f} {cell.at_least:.2f}", flush=True)
    return ratio >= cell.at_least


def parse_options():
    root = pathlib.Path(__file__).resolve().parents[3]
    parser = argparse.ArgumentParser(
        prog="vs_llama_cpp", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="keep cells whose name contains this")
    parser.add_argument("--all", action="store_true", help="the slow cells, too")
    parser.add_argument("--rounds", type=int, help="instead of each cell's own number")
    parser.add_argument("--build", default=root / "build/release", type=pathlib.Path)
    parser.add_argument(
        "--models", default=pathlib.Path.home() / ".cache/trialwright/models", type=pathlib.Path
    )
    parser.add_argument(
        "--first-version",
        type=pathlib.Path,
        help="a trialwright program of the first version, which the suite is run with for comparison",
    )
    return parser.parse_args()


def main():
    options = parse_options()
    cells = [cell for cell in CELLS if options.only in cell.name]
    if not cells:
        sys.exit(f"no cell's name contains {options.only!r}")
    good = True
    with Engines(options) as engines:
        for cell in cells:
            if cell.slow and not (options.only or options.all):
                print(f"SKIPPED {cell.name}: takes long; name it with --only, or give --all")
                continue
            try:
                rounds = cell.measure(engines, options.rounds or cell.rounds)
            except Skipped as reason:
                print(f"SKIPPED {cell.name}: {reason}", flush=True)
                continue
            good = report(cell, rounds) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
