"""A Debian guest that `script/test-guests` tries the package on, and what is read of it."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections import Counter

from tests import adds

PROGRAM = "/opt/textfile-users/bin/textfile-users"
OUTPUT = "/var/lib/prometheus/node-exporter/users.prom"
PATIENCE = 60  # seconds until what was done must be counted
SETTLED = 25  # seconds in which nothing more may be counted
FAMILIES = (*adds.FAMILIES, "users_reboots_total", "users_records_skipped_total")


class Guest:
    """A running guest."""

    def __init__(self, directory: str, suite: str) -> None:
        """Remember the scripts' directory and the suite."""
        self.vm = os.path.join(directory, "vm.sh")
        self.suite = suite
        self.has_log_file = suite == "bookworm"  # and utmp; the others have the journal alone
        self.failures = 0
        self.expected: Counter[str] = Counter()

    def call(self, *argv: str) -> str:
        """Return what vm.sh prints for `argv`."""
        done = subprocess.run([self.vm, *argv], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{self.suite}: vm.sh {argv}: {done.stdout}{done.stderr}")
        return done.stdout

    def attempt(self, *argv: str, **environment: str) -> str:
        """Return what vm.sh prints for `argv`, which may fail."""
        return subprocess.run(
            [self.vm, *argv],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        ).stdout

    def sh(self, command: str) -> str:
        """Return what a command prints in the guest, as root without a session."""
        return self.call("exec", self.suite, command)

    def now(self) -> float:
        """Return the guest's time."""
        return float(self.sh("date +%s.%N"))

    def check(self, what: str, right: bool, found: object) -> None:
        """Print a check's result."""
        self.failures += not right
        print(f"{self.suite}: {'ok   ' if right else 'WRONG'} {what}: {found}", flush=True)

    def samples(self, page: str = f"cat {OUTPUT}") -> dict[str, float]:
        """Return the samples by name and labels of the page that a command prints."""
        text = self.sh(page)
        pairs = [line.rpartition(" ") for line in text.splitlines() if line[:1] not in ("#", "")]
        return {name: float(value) for name, _, value in pairs}

    def events(self) -> Counter[str]:
        """Return the samples that say something has happened."""
        samples = self.samples().items()
        return Counter({k: int(v) for k, v in samples if v and k.startswith(FAMILIES)})

    def check_adds(self, what: str, adds: Counter[str]) -> None:
        """The counters grow by `adds` and nothing else; with nothing to add, for some time."""
        self.expected += adds
        end = time.monotonic() + PATIENCE
        if not adds:
            time.sleep(SETTLED)
        while (events := self.events()) != self.expected and time.monotonic() < end:
            time.sleep(2)
        wrong = {
            name: f"{events[name]} instead of {self.expected[name]}"
            for name in sorted({*events, *self.expected})
            if events[name] != self.expected[name]
        }
        self.check(what, not wrong, wrong or ", ".join(map(_short, adds)) or "nothing more")
        self.expected = events  # so that each fault is told once


def _short(name: str) -> str:
    return re.sub(r"users_|_total|_seconds_count|[a-z]+=", "", name)
