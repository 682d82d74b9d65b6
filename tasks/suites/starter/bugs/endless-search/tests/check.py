"""Every hit and miss in short lists, and few looks in a long one."""

import os
import subprocess
import sys
import tempfile


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


def run(*argv, cwd="/app"):
    """Exit status and output of a command that gets 5 seconds and a bare environment."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as out:
        done = subprocess.run(
            ["timeout", "-s", "KILL", "5", *argv],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.DEVNULL,
            cwd=cwd,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        )
        out.seek(0)
        return done.returncode, out.read(1 << 20)


read("/app/search.py")
PROBE = """
import sys
sys.path.insert(0, "/app")
from search import find

class Watched(list):
    looks = 0
    seen = set()
    def look(self, indices):
        Watched.looks += len(indices)
        Watched.seen.update(indices)
        if Watched.looks > 3000:
            sys.exit("no end")
    def all(self):
        return range(len(self))
    def __getitem__(self, index):
        self.look(self.all()[index] if isinstance(index, slice) else [self.all()[index]])
        return list.__getitem__(self, index)
    def __iter__(self):
        self.look(self.all())
        return list.__iter__(self)
    def index(self, *rest):
        self.look(self.all())
        return list.index(self, *rest)
    def __contains__(self, wanted):
        self.look(self.all())
        return list.__contains__(self, wanted)

def search(values, wanted):
    Watched.looks = 0
    Watched.seen = set()
    return find(values, wanted)

for size in range(9):
    values = Watched(3 * n + 1 for n in range(size))
    print(size, [search(values, wanted) for wanted in range(-1, 3 * size + 3)])
most = 0
values = Watched(range(0, 2000, 2))
for wanted in range(-1, 2001):
    print(search(values, wanted))
    most = max(most, len(Watched.seen))
# An element that is compared several times is still one element.
print("few looks" if most <= 12 else f"{most} elements")
"""
wanted = []
for size in range(9):
    values = [3 * n + 1 for n in range(size)]
    wanted.append(
        f"{size} {[values.index(w) if w in values else -1 for w in range(-1, 3 * size + 3)]}"
    )
wanted += [str(w // 2 if 0 <= w < 2000 and w % 2 == 0 else -1) for w in range(-1, 2001)]
wanted.append("few looks")
found = run("python3", "-c", PROBE)[1].rstrip("\n").split("\n")
for index, line in enumerate(wanted):
    expect(f"probe {index}", found[index] if index < len(found) else "nothing", line)
