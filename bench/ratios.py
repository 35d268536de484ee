"""Prints the tables: `bench/run [--runs N] [--table NAME]`."""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.auth import measure_auth
from bench.growth import measure_growth
from bench.kinds import measure_kinds
from bench.processes import measure_processes
from bench.pythons import measure_pythons
from bench.slices import measure_slices
from bench.whole import PEER_SESSIONS, measure_whole
from bench.worst import measure_worst
from tests.hosts import Record, pack_all

TABLES = {
    "whole": measure_whole,
    "logs": measure_auth,
    "processes": measure_processes,
    "slices": measure_slices,
    "growth": measure_growth,
    "kinds": measure_kinds,
    "worst": measure_worst,
    "pythons": measure_pythons,
}


@contextmanager
def logged_in_for_peers() -> Iterator[None]:
    """Write /run/utmp with living sessions, for programs that read only that."""
    with subprocess.Popen(["sleep", "3600"]) as sleeper:
        now = time.time()
        records = [
            Record(f"user{n}", f"pts/{n}", sleeper.pid, now, "192.0.2.7", "192.0.2.7")
            for n in range(PEER_SESSIONS)
        ]
        with open("/run/utmp", "wb") as file:
            file.write(pack_all(records))
        try:
            yield
        finally:
            sleeper.kill()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--table", choices=TABLES, action="append")
    parser.add_argument("--write-utmp", action="store_true", help="write /run/utmp for the peers")
    options = parser.parse_args()
    for name in options.table or TABLES:
        with tempfile.TemporaryDirectory(prefix="textfile-users-bench.") as directory:
            if options.write_utmp:
                with logged_in_for_peers():
                    text = TABLES[name](directory, options.runs)
            else:
                text = TABLES[name](directory, options.runs)
        print(text, end="\n\n", flush=True)


if __name__ == "__main__":
    main()
