"""The box that the tests here run in: nothing of the host's accounts is in their way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.parts import run

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).parents[2]
# A host of its own, with a few accounts more, on which a box is started.
HOST = """set -e
cp /etc/passwd "$1/passwd"; cp /etc/group "$1/group"; cat >>"$1/passwd"
echo textfile-users:x:999: >>"$1/group"; echo people:x:20001: >>"$1/group"
for name in passwd group; do mount --bind "$1/$name" /etc/$name; done
shift; exec "$@"
"""
START = """
import sys
from pathlib import Path
from tests.e2e.parts import Box
with Box(Path(sys.argv[1])) as box:
    print(box.run("getent", "passwd").stdout + box.run("getent", "group").stdout)
"""
PEOPLE = """\
alice:x:1000:1000::/home/alice:/bin/sh
taken:x:20001:20001::/home/taken:/bin/sh
nobodys:x:1001:65534::/:/bin/sh
textfile-users:x:999:999::/:/usr/sbin/nologin
"""


def start(directory: Path, passwd: str) -> subprocess.CompletedProcess[str]:
    """Start a box on a host that has these accounts too; return what accounts it has."""
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", HOST, "sh"]
    python = [sys.executable, "-c", START, str(directory)]
    return run(*argv, str(directory), *python, check=False, input=passwd, cwd=PROJECT)


def test_people_of_the_host_are_in_nobodys_way(new_directory: Callable[[], Path]) -> None:
    done = start(new_directory(), PEOPLE)
    assert done.returncode == 0, done.stderr
    accounts = {line.partition(":")[0] for line in done.stdout.splitlines()}
    assert accounts > {"root", "nobody", "nogroup", "tu-alice", "tu-bob", "tu-carol"}
    assert not accounts & {"alice", "taken", "people", "nobodys", "textfile-users"}


def test_what_cannot_be_made_is_said(new_directory: Callable[[], Path]) -> None:
    done = start(new_directory(), "tu-bob:x:990:990::/:/bin/sh\n")
    assert "useradd: user 'tu-bob' already exists" in done.stderr
