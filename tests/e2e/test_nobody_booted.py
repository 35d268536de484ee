"""`nobody` as ExecCondition= of a unit, on a host with a real systemd."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.booted import Booted

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).parents[2]
PROGRAM = "/usr/bin/textfile-users"
SOUND = "from textfile_users.__main__ import run; run()"
UNIT = f"""[Unit]
ConditionPathExists=/run/reboot-required

[Service]
Type=oneshot
TimeoutStartSec=20
ExecCondition={PROGRAM} nobody
ExecStart=touch /run/rebooted
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """A host with a unit that would reboot it, and needs a reboot."""
    directory = tmp_path_factory.mktemp("nobody")
    with Booted(directory, tmp_path_factory.mktemp("packages")) as host:
        host.sh("systemctl start dbus systemd-logind; touch /run/reboot-required")
        host.sh(f"cat >/etc/systemd/system/guarded.service <<'END'\n{UNIT}END")
        host.sh("systemctl daemon-reload")
        yield host


def put_program(host: Booted, code: str) -> None:
    lines = f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(PROJECT)!r})\n{code}\n"
    host.sh(f"rm -rf {PROGRAM}; cat >{PROGRAM} <<'END'\n{lines}END\nchmod 755 {PROGRAM}")


def started(host: Booted) -> tuple[bool, str]:
    """Start the unit; return whether its command ran, and its state: failed, or as before."""
    host.sh("rm -f /run/rebooted; systemctl reset-failed; systemctl start guarded", check=False)
    state = host.sh("systemctl show -p ActiveState --value guarded").strip()
    ran = host.run("test", "-e", "/run/rebooted", check=False).returncode == 0
    return ran, state


def test_it_runs_while_nobody_is_on(host: Booted) -> None:
    put_program(host, SOUND)
    assert started(host) == (True, "inactive")


def test_it_is_left_out_while_somebody_is_on(host: Booted) -> None:
    """logind holds the session, whose process it is that lives."""
    put_program(host, SOUND)
    session = "/run/systemd/sessions/77"
    host.sh(f"printf 'USER=alice\\nCLASS=user\\nTYPE=tty\\nLEADER=1\\n' >{session}")
    assert started(host) == (False, "inactive")
    host.sh(f"rm {session}; mv /run/utmp /run/aside; mkdir /run/utmp")  # it cannot be read
    assert started(host) == (False, "inactive")
    host.sh("rmdir /run/utmp; mv /run/aside /run/utmp")
    assert started(host) == (True, "inactive")


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("raise ValueError", "inactive"),
        ("import os; os.kill(os.getpid(), 9)", "failed"),
        ("import time; time.sleep(60)", "failed"),
        ("this is no Python", "inactive"),
    ],
)
def test_it_does_not_run_where_the_program_fails(host: Booted, code: str, state: str) -> None:
    put_program(host, code)
    assert started(host) == (False, state)


def test_it_does_not_run_without_the_program(host: Booted) -> None:
    host.sh(f"rm -f {PROGRAM}")
    assert started(host) == (False, "inactive")
