"""`nobody` where a real systemd asks it whether a unit may run, with real SSH sessions."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.booted import INSTALL, PROGRAM, WITHOUT, Booted

pytestmark = pytest.mark.e2e

SETUP = f"""{WITHOUT}
systemctl start dbus systemd-logind systemd-user-sessions ssh
mkdir -p /root/.ssh
chmod 700 /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/key
cp /root/key.pub /root/.ssh/authorized_keys
{INSTALL}"""
SSH = (
    "ssh", "-F", "/dev/null", "-i", "/root/key", "-o", "StrictHostKeyChecking=no",
    "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "root@127.0.0.1",
)  # fmt: skip
OTHER = "/usr/local/bin/other-program"  # in the place of ours


class Host:
    """The booted host, installed, on which nobody is on."""

    def __init__(self, booted: Booted) -> None:
        self.sh = booted.sh
        self.argv = booted.argv

    def nobody(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Return the status, and what it says as JSON."""
        said = self.sh(f"{PROGRAM} nobody --json {' '.join(words)} 2>&1; echo $?")
        text, _, status = said.rstrip("\n").rpartition("\n")
        return int(status), json.loads(text[text.index("{") : text.rindex("}") + 1])

    def status(self, *words: str) -> int:
        return self.nobody(*words)[0]

    def has_run(self, condition: str, seconds: int = 30) -> tuple[bool, str]:
        """Return whether systemd runs a unit with that ExecCondition=, and its state then."""
        unit = (
            f"[Service]\\nType=oneshot\\nTimeoutStartSec={seconds}\\n"
            f"ExecCondition={condition}\\nExecStart=touch /run/ran\\n"
        )
        script = f"""rm -f /run/ran
printf '{unit}' >/run/systemd/system/if-free.service
systemctl daemon-reload
systemctl start if-free.service 2>/dev/null || true
systemctl show -p ActiveState --value if-free.service
systemctl reset-failed
[ -e /run/ran ] && echo ran || echo skipped"""
        state, ran = self.sh(script).split()[-2:]
        return ran == "ran", state

    @contextmanager
    def session(self, *words: str) -> Iterator[str]:
        """Have root log in; yield its terminal."""
        session = subprocess.Popen(
            self.argv(*SSH, *words, "exec sleep 600"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield self._until(1, has_terminal="-tt" in words)
        finally:
            # Without a terminal the command would go on.
            self.sh("loginctl terminate-user root; pkill -x ssh; true")
            session.wait()
            self._until(0)

    def _until(self, count: int, *, has_terminal: bool = False) -> str:
        """Wait for so many sessions; sshd names the terminal of one a little later."""
        for _ in range(100):
            _, said = self.nobody()
            ttys = [one["tty"] for one in said["sessions"]]
            if len(ttys) == count and (all(ttys) or not has_terminal):
                return ttys[0] if ttys else ""
            self.sh("sleep 0.3")
        raise AssertionError(said)


@pytest.fixture(scope="module")
def host(new_directory: Callable[[], Path], packages: Path) -> Iterator[Host]:
    with Booted(new_directory(), packages) as booted:
        booted.sh(SETUP)
        yield Host(booted)


def test_nobody_is_on(host: Host) -> None:
    status, said = host.nobody()
    assert (status, said["nobody"], said["doubts"]) == (0, True, [])
    assert host.has_run(f"{PROGRAM} nobody") == (True, "inactive")


@pytest.mark.parametrize(
    ("words", "tty"), [(("-tt",), "pts/"), (("-T",), "")], ids=["terminal", "none"]
)
def test_somebody_is_on(host: Host, words: tuple[str, ...], tty: str) -> None:
    with host.session(*words) as terminal:
        assert terminal.startswith(tty)
        assert bool(terminal) == bool(tty)
        status, said = host.nobody()
        assert (status, [one["user"] for one in said["sessions"]]) == (1, ["root"])
        assert host.has_run(f"{PROGRAM} nobody") == (False, "inactive")
        assert host.status("--session-type", "tty") == 0
        assert host.status("--exclude-user", "root") == 0
        assert host.status("--idle", "1h") == 1
    assert host.status() == 0


def test_a_terminal_without_input(host: Host) -> None:
    """Its last input is two hours old, by its time of access as `w` reads it."""
    with host.session("-tt") as terminal:
        host.sh(f"touch -h -a -d '2 hours ago' /dev/{terminal}")
        assert host.status("--idle", "1h") == 0
        assert host.status("--idle", "3h") == 1
        assert host.has_run(f"{PROGRAM} nobody --idle 1h") == (True, "inactive")


def test_another_user_may_not_know(host: Host) -> None:
    """Where /proc hides other users' processes."""
    host.sh("mount -o remount,hidepid=2 /proc")
    try:
        user = "setpriv --reuid=nobody --regid=nogroup --clear-groups"
        assert host.sh(f"{user} {PROGRAM} nobody 2>&1; echo $?").split()[-1] == "2"
    finally:
        host.sh("mount -o remount,hidepid=0 /proc")
    assert host.status() == 0


def test_a_source_that_cannot_be_read(host: Host) -> None:
    host.sh("[ ! -e /run/utmp ] || mv /run/utmp /run/aside; mkdir /run/utmp")
    try:
        assert host.has_run(f"{PROGRAM} nobody") == (False, "inactive")
    finally:
        host.sh("rmdir /run/utmp; [ ! -e /run/aside ] || mv /run/aside /run/utmp")
    assert host.has_run(f"{PROGRAM} nobody") == (True, "inactive")


@pytest.mark.parametrize(
    "condition",
    [
        "/opt/no-such/bin/textfile-users nobody",
        f"{PROGRAM} nobody --no-such-option",
        f"{PROGRAM} nobody --timeout 0.000001",
        f"{PROGRAM} nobody --root /nonexistent",
    ],
)
def test_it_does_not_run_where_nothing_is_known(host: Host, condition: str) -> None:
    assert host.has_run(condition) == (False, "inactive")


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("raise ValueError", "inactive"),
        ("import os; os.kill(os.getpid(), 9)", "failed"),
        ("import time; time.sleep(60)", "failed"),
        ("this is no Python", "inactive"),
    ],
)
def test_it_does_not_run_where_the_program_fails(host: Host, code: str, state: str) -> None:
    lines = f"#!/opt/textfile-users/bin/python3\n{code}\n"
    host.sh(f"cat >{OTHER} <<'END'\n{lines}END\nchmod 755 {OTHER}")
    assert host.has_run(f"{OTHER} nobody", seconds=5) == (False, state)
