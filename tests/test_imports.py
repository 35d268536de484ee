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


def imports(directory: Path, change: Change, flags: tuple[str, ...]) -> set[str]:
    """Return the modules that the second scan of a host with ten sessions and new lines imports."""
    root = directory / "root"
    change(busy_host(str(root), SESSIONS, True, True))
    (root / "var/log").mkdir(parents=True, exist_ok=True)
    argv = ["x", "--root", str(root), "--output", str(directory / "users.prom"), "--timeout", "60"]
    as_service = {"STATE_DIRECTORY": str(directory), "RUNTIME_DIRECTORY": str(directory)}
    code = LOOK.format(project=str(PROJECT), argv=[*argv, *flags])
    for _ in range(2):
        with open(root / "var/log/auth.log", "a") as log:
            log.write(LINES.format(time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())))
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
    """What a plain scan imports."""
    return imports(tmp_path_factory.mktemp("imports"), lambda host: None, ())


def test_a_look_imports_nothing_new(imported: set[str]) -> None:
    """A module that is not in the list costs each run: add it on purpose or not at all."""
    assert imported - set(BUDGET.read_text().split()) == set()


def test_the_list_names_nothing_of_ours_that_is_gone(imported: set[str]) -> None:
    """The list is what is imported, so that it can be read as such."""
    ours = {name for name in BUDGET.read_text().split() if name.startswith("textfile_users")}
    assert ours - imported == set()


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_host_costs_what_others_do(
    name: str, imported: set[str], tmp_path: Path
) -> None:
    """A number over 1e10, quotes, globs, a zone and IPv6 once cost up to a fifth of a run."""
    assert imports(tmp_path, *ORDINARY[name]) - imported == set()
