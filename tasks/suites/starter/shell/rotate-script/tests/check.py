"""A script that rotates logs, run on folders it has not seen."""

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


read("/app/rotate.sh")
CASES = (
    ({"app.log": "new"}, {"app.log": "", "app.log.1": "new"}),
    (
        {"app.log": "d", "app.log.1": "c", "app.log.2": "b", "app.log.3": "a"},
        {"app.log": "", "app.log.1": "d", "app.log.2": "c", "app.log.3": "b"},
    ),
    (
        {"app.log": "d", "app.log.2": "b", "other": "o"},
        {"app.log": "", "app.log.1": "d", "app.log.3": "b", "other": "o"},
    ),
    ({"app.log": "", "app.log.1": "c"}, {"app.log": "", "app.log.1": "c"}),
    ({"app.log.1": "c", "app.log.3": "a"}, {"app.log.1": "c", "app.log.3": "a"}),
    ({"my log": "d", "my log.1": "c"}, {"my log": "", "my log.1": "d", "my log.2": "c"}),
)
for before, after in CASES:
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        for name, text in before.items():
            with open(f"{top}/{name}", "w") as file:
                file.write(text)
        log = "my log" if "my log" in before else "app.log"
        # Standard error is what is looked at, so it takes the place of standard output.
        errors_only = 'exec bash /app/rotate.sh "$1" 2>&1 >/dev/null'
        expect(
            f"status and errors of rotate.sh on {before}",
            run("bash", "-c", errors_only, "check", f"{top}/{log}"),
            (0, ""),
        )
        found = {name: open(f"{top}/{name}").read() for name in os.listdir(top)}
        expect(f"rotate.sh on {before}", sorted(found.items()), sorted(after.items()))
