"""Revenue summed per item."""

import os
import re
import sys


def read(path):
    """The text of a plain file; a link, a pipe or a huge file counts as missing."""
    if (
        os.path.realpath(path) != path
        or not os.path.isfile(path)
        or os.path.getsize(path) > 1 << 20
    ):
        sys.exit(f"{path} is missing or not a plain file")
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: found {str(found)[:300]!r}, expected {str(wanted)[:300]!r}")


# 33.0 is 33: programs differ in how they print a whole number.
lines = read("/app/revenue.csv").rstrip("\n").split("\n")
expect(
    "revenue.csv",
    [re.sub(r"(,[0-9]+)[.]0+$", r"\1", line) for line in lines],
    ["item,revenue", "cup,33", "pot,86", "tea,33"],
)
