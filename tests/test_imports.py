"""What a plain look imports: each module is paid for 17,280 times a day."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.hosts import busy_host
from tests.ordinary import ORDINARY, SESSIONS, Change

PROJECT = Path(__file__).parents[1]
BUDGET = Path(__file__).with_name("imports.txt")
FOR_LINES = Path(__file__).with_name("imports_for_lines.txt")  # and what new lines need beyond it
MOST_OF_OURS = 52
# Prints the modules beyond those of an interpreter without site, which differs between hosts.
LOOK = """import sys
sys.path.insert(0, {project!r})
import io  # Python has it from its start, but for 3.14
before = set(sys.modules)
import os
def tell(status):
    os.write(1, " ".join(sorted(set(sys.modules) - before)).encode())
    end(status)
end, os._exit = os._exit, tell
sys.argv = {argv!r}
from textfile_users.__main__ import run
run()
"""


LINES = """\
{0} host sshd[700]: Failed password for root from 192.0.2.7 port 22 ssh2
{0} host sshd[700]: Connection closed by authenticating user root 192.0.2.7 port 22 [preauth]
{0} host sshd[701]: Accepted publickey for alice from 192.0.2.7 port 23 ssh2: ED25519 SHA256:x
"""


def imports(directory: Path, change: Change, flags: tuple[str, ...], age: float = 0.0) -> set[str]:
    """Return the modules that the second scan of a host with ten sessions imports.

    Its log has new lines, or, if they are of an ``age`` in seconds, lines that were read before.
    """
    root = directory / "root"
    change(busy_host(str(root), SESSIONS, True, True))
    (root / "var/log").mkdir(parents=True, exist_ok=True)
    argv = ["x", "--root", str(root), "--output", str(directory / "users.prom"), "--timeout", "60"]
    as_service = {"STATE_DIRECTORY": str(directory), "RUNTIME_DIRECTORY": str(directory)}
    code = LOOK.format(project=str(PROJECT), argv=[*argv, *flags])
    at = time.gmtime(time.time() - age)
    for number in range(2):
        with open(root / "var/log/auth.log", "a") as log:
            if not (age and number):
                log.write(LINES.format(time.strftime("%Y-%m-%dT%H:%M:%S+00:00", at)))
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **as_service},
        )
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What a scan imports that finds new lines."""
    return imports(tmp_path_factory.mktemp("imports"), lambda host: None, ())


def test_a_scan_imports_nothing_new(imported: set[str], tmp_path: Path) -> None:
    """A module that is not in a list costs each run: add it on purpose or not at all.

    The lists are what is imported, so that they can be read as such.
    """
    of_idle, for_lines = (set(path.read_text().split()) for path in (BUDGET, FOR_LINES))
    idle = imports(tmp_path, lambda host: None, (), age=7_200)
    for found, expected in ((idle, of_idle), (imported, of_idle | for_lines)):
        assert found - expected == set()
        assert {name for name in expected if name.startswith("textfile_users")} - found == set()
    assert sum(name.startswith("textfile_users") for name in idle) <= MOST_OF_OURS


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_host_costs_what_others_do(
    name: str, imported: set[str], tmp_path: Path
) -> None:
    """A number over 1e10, quotes, globs, a zone and IPv6 once cost up to a fifth of a run."""
    assert imports(tmp_path, *ORDINARY[name]) - imported == set()
