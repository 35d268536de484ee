"""`nobody` where a real systemd asks it whether a unit may run, with real SSH sessions."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

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
SESSIONS = "loginctl list-sessions --no-legend | grep -vc manager"


class Host:
    """The booted host, installed, on which nobody is on."""

    def __init__(self, booted: Booted) -> None:
        self.sh = booted.sh
        self.argv = booted.argv

    def status(self, *words: str) -> int:
        script = f"{PROGRAM} nobody {' '.join(words)} >/run/said 2>&1; echo $?"
        return int(self.sh(script).split()[-1])

    def has_run(self, condition: str) -> bool:
        """Return whether systemd runs a unit with that ExecCondition=."""
        unit = f"[Service]\\nType=oneshot\\nExecCondition={condition}\\nExecStart=touch /run/ran\\n"
        script = f"""rm -f /run/ran
printf '{unit}' >/run/systemd/system/if-free.service
systemctl daemon-reload
systemctl start if-free.service 2>/dev/null || true
systemctl reset-failed
[ -e /run/ran ] && echo ran || echo skipped"""
        return self.sh(script).split()[-1] == "ran"

    @contextmanager
    def session(self, *words: str) -> Iterator[None]:
        session = subprocess.Popen(
            self.argv(*SSH, *words, "exec sleep 600"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._until(f"[ $({SESSIONS}) = 1 ]")
            yield
        finally:
            self.sh(
                "pkill -x ssh; pkill -x sleep; true"
            )  # without a terminal the command would go on
            session.wait()
            self._until(f"[ $({SESSIONS}) = 0 ]")

    def _until(self, script: str) -> None:
        self.sh(f"for i in $(seq 300); do {script} && exit; sleep 0.1; done; exit 1")


@pytest.fixture(scope="module")
def host(new_directory: Callable[[], Path], packages: Path) -> Iterator[Host]:
    with Booted(new_directory(), packages) as booted:
        booted.sh(SETUP)
        yield Host(booted)


def test_nobody_is_on(host: Host) -> None:
    assert host.status() == 0, host.sh("cat /run/said")
    assert host.has_run(f"{PROGRAM} nobody")


@pytest.mark.parametrize("words", [("-tt",), ("-T",)], ids=["terminal", "none"])
def test_somebody_is_on(host: Host, words: tuple[str, ...]) -> None:
    with host.session(*words):
        assert host.status() == 1
        assert "root " in host.sh("cat /run/said")
        assert not host.has_run(f"{PROGRAM} nobody")
        assert host.status("--session-type", "tty") == 0
        assert host.status("--exclude-user", "root") == 0
        assert host.status("--idle", "1h") == 1
    assert host.status() == 0


def test_a_terminal_without_input(host: Host) -> None:
    """Its last input is two hours old, by its time of access as `w` reads it."""
    with host.session("-tt"):
        host.sh("touch -h -a -d '2 hours ago' /dev/pts/0")
        assert host.status("--idle", "1h") == 0
        assert host.status("--idle", "3h") == 1
        assert host.has_run(f"{PROGRAM} nobody --idle 1h")


def test_another_user_may_not_know(host: Host) -> None:
    """Where /proc hides other users' processes."""
    host.sh("mount -o remount,hidepid=2 /proc")
    try:
        script = (
            f"setpriv --reuid=nobody --regid=nogroup --clear-groups {PROGRAM} nobody 2>&1; echo $?"
        )
        assert host.sh(script).split()[-1] == "2"
    finally:
        host.sh("mount -o remount,hidepid=0 /proc")
    assert host.status() == 0


@pytest.mark.parametrize(
    "condition",
    [
        "/opt/no-such/bin/textfile-users nobody",
        f"{PROGRAM} nobody --no-such-option",
        f'/bin/sh -c "{PROGRAM} nobody; kill -9 $$$$"',
        f"{PROGRAM} nobody --timeout 0.000001",
        f"{PROGRAM} nobody --root /nonexistent",
    ],
)
def test_no_reboot_where_nothing_is_known(host: Host, condition: str) -> None:
    assert not host.has_run(condition)
