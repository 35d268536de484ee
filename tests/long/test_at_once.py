"""Two hundred runs started at once: one works at a time, the others leave, nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.long.sizes import size
from tests.long.world import PROJECT, World, counted
from textfile_users.cli import main

# Forks the runs from a process that has loaded the program, so that they start together: each
# waits for the end of one pipe to be closed.
STARTER = """
import os, sys
from textfile_users.cli import main
import textfile_users.run
gate, start = os.pipe()
pids = []
for _ in range(int(sys.argv[1])):
    pid = os.fork()
    if not pid:
        os.close(start)
        os.read(gate, 1)
        status = 99
        try:
            status = main(sys.argv[2:])
            sys.stderr.flush()
        finally:
            os._exit(status)
    pids.append(pid)
os.close(start)
print(*(os.waitpid(pid, 0)[1] for pid in pids))
"""


@pytest.mark.parametrize("waits", [False, True], ids=["timer", "by-name"])
def test_many_at_once(tmp_path: Path, waits: bool) -> None:
    world = World(tmp_path)
    count = size("in turn" if waits else "at once")
    arguments = world.arguments(0)
    if not waits:  # an output that is asked for by name waits for the other run
        arguments[arguments.index("--output")] = "--textfile-directory"
        arguments[arguments.index(str(world.output))] = str(world.output.parent)
    arguments += ["-v"]
    done = subprocess.run(
        [sys.executable, "-c", STARTER, str(count), *arguments],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    statuses = done.stdout.split()
    assert statuses == ["0"] * count, done.stderr[-2_000:]
    said = done.stderr.splitlines()
    busy = said.count("textfile-users: another run holds the lock")
    # Of those that did not wait at least one worked; whoever came after its end did, too.
    assert busy < count
    assert (busy == 0) == waits
    assert [text for text in said if "session" not in text and "another run" not in text] == []
    assert not world.temporary()
    found = counted(world.output.read_bytes())
    world.restore()
    assert main(world.arguments(0)) == 0
    assert found == counted(world.output.read_bytes())
