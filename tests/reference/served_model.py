"""A `trialwright serve` that runs beside a script."""

import os
import re
import signal
import subprocess
import threading


class ServedModel:
    """Starts the server on a free port of the loopback and stops it in the end."""

    def __init__(self, binary, model, *flags, env=None):
        self.process = subprocess.Popen(
            [binary, "serve", model, "--port", "0", *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )
        line = self.process.stdout.readline()
        found = re.match(r"serving (.*) at (http://.*)/v1$", line)
        if not found:
            raise RuntimeError(f"the server did not start: {line!r} {self.process.stderr.read()!r}")
        self.name, self.root = found.groups()
        self.url = self.root + "/v1"
        self.log = []
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    def _read_log(self):
        for line in self.process.stderr:
            self.log.append(line.rstrip("\n"))

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        return 0

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        self._reader.join(timeout=5)
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
