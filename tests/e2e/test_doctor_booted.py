"""doctor on a host with a real systemd, logind and sessions: for root, service and other users.

Before install, right after it, and when all is in place.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.booted import INSTALL, PROGRAM, WITHOUT, Booted

pytestmark = pytest.mark.e2e

GUEST = "textfile-users-guest"  # an ordinary user
SERVICE = "textfile-users"
UNITS = "textfile-users.timer textfile-users.path"
PUBLIC = "/run/textfile-users/public"
FILES = "/var/lib/textfile-users /run/textfile-users /var/lib/prometheus/node-exporter"
SETUP = f"""{WITHOUT}
! id {SERVICE} >/dev/null 2>&1 || userdel {SERVICE}
systemctl start dbus systemd-logind systemd-user-sessions ssh prometheus-node-exporter
useradd --create-home --shell /bin/sh {GUEST}
install -d -m 700 -o {GUEST} /home/{GUEST}/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/key
install -m 600 -o {GUEST} /root/key.pub /home/{GUEST}/.ssh/authorized_keys
python3 -m venv /opt/by-hand
/opt/by-hand/bin/pip install --quiet --no-index --find-links /mnt/packages/wheels textfile-users
"""
SSH = (
    "ssh", "-F", "/dev/null", "-i", "/root/key", "-o", "StrictHostKeyChecking=no",
    "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", f"{GUEST}@127.0.0.1",
)  # fmt: skip
Findings = dict[str, dict[str, str]]


class Host:
    """The booted host with two sessions on, and what doctor says there."""

    def __init__(self, booted: Booted) -> None:
        self.sh = booted.sh
        self.run = booted.run

    def doctor(self, *argv: str, user: str = "root", program: str = PROGRAM) -> Findings:
        """Return the findings by check, of several the gravest; the status is theirs."""
        as_user = [] if user == "root" else ["setpriv", f"--reuid={user}", f"--regid={user}"]
        groups = [] if user == "root" else ["--init-groups"]
        done = self.run(*as_user, *groups, program, "doctor", "--json", *argv, check=False)
        assert done.stdout, done.stderr
        findings: Findings = {}
        for one in json.loads(done.stdout):
            if one["check"] not in findings or one["status"] == "FAULT":
                findings[one["check"]] = one
        assert done.returncode == (1 if faults(findings) else 0)
        return findings

    def until(self, script: str) -> None:
        """Wait for a script to succeed."""
        self.sh(f"for i in $(seq 300); do {script} && exit; sleep 0.1; done; exit 1")


def faults(findings: Findings) -> Findings:
    return {check: one for check, one in findings.items() if one["status"] == "FAULT"}


@pytest.fixture(scope="module")
def host(new_directory: Callable[[], Path], packages: Path) -> Iterator[Host]:
    """A host on which somebody is logged in with a terminal, and once more without one."""
    with Booted(new_directory(), packages) as booted:
        host = Host(booted)
        host.sh(SETUP)
        sessions = [
            subprocess.Popen(
                booted.argv(*SSH, *words),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for words in (("-tt", "exec sleep 1800"), ("-T", "exec sleep 1800"))
        ]
        # Since systemd 256 a user's manager is in the list, too.
        host.until("[ $(loginctl list-sessions --no-legend | grep -vc manager) = 2 ]")
        yield host
        for session in sessions:
            session.kill()
            session.wait()


@pytest.fixture(scope="module")
def not_installed(host: Host) -> Host:
    return host


@pytest.mark.parametrize("user", ["root", GUEST])
def test_not_installed_is_one_line(not_installed: Host, user: str) -> None:
    findings = not_installed.doctor(user=user, program="/opt/by-hand/bin/textfile-users")
    assert list(findings) == ["install", "sources", "loginctl"]
    assert list(faults(findings)) == ["install"]
    assert findings["install"]["found"].startswith("not installed: run script/install")
    assert findings["sources"]["found"].startswith(f"{user} can read: ")
    assert findings["loginctl"]["found"] == "agrees: sessions 2"


@pytest.fixture(scope="module")
def installed(not_installed: Host) -> tuple[Host, Findings]:
    """The host, and what doctor says as soon as install has ended."""
    not_installed.sh(INSTALL)
    return not_installed, not_installed.doctor()


def test_right_after_install(installed: tuple[Host, Findings]) -> None:
    _, findings = installed
    assert faults(findings) == {}
    assert findings["loginctl"]["found"] == "agrees: sessions 2"


@pytest.fixture
def running(installed: tuple[Host, Findings]) -> Host:
    """The host some time after install."""
    host, _ = installed
    host.until("grep -q ^users_sessions /var/lib/prometheus/node-exporter/users.prom")
    return host


@pytest.mark.parametrize("user", ["root", SERVICE])
def test_clean_for_who_has_the_rights(running: Host, user: str) -> None:
    findings = running.doctor(user=user)
    assert faults(findings) == {}
    assert findings["loginctl"]["found"] == "agrees: sessions 2"
    assert findings["look"]["status"] == "ok"
    assert "the rest" not in findings


@pytest.mark.parametrize("argv", [(), ("--all-users",)])
def test_clean_for_an_ordinary_user(running: Host, argv: tuple[str, ...]) -> None:
    """What the unit's user may is judged, not what this one may; and no command is named."""
    findings = running.doctor(*argv, user=GUEST)
    assert faults(findings) == {}
    assert {one["mend"] for one in findings.values()} == {""}
    assert findings["the rest"]["found"].endswith("textfile-users doctor")
    assert {"state directory", "timer", "users.prom", "scrape"} < findings.keys()
    assert not {"auth log", "loginctl", "look"} & findings.keys()


# What an ordinary user sees too, and what mends it.
BROKEN = [
    ("cp -p {settings} /run/settings; echo nonsense >>{settings}", "settings",
     "'nonsense' is not NAME=value", "cp -p /run/settings {settings}"),
    ("gpasswd -d textfile-users adm", "user", "textfile-users is not in adm",
     "usermod -aG adm textfile-users"),
    ("chmod 555 /run/textfile-users/public", "textfile directory", "is closed to textfile-users",
     "systemd-tmpfiles --create textfile-users.conf"),
    ("rm {textfile}/users.prom", "link", "install's link, is not there",
     "{program} install"),
    ("systemctl stop textfile-users.timer", "timer", "is inactive",
     "systemctl start textfile-users.timer"),
]  # fmt: skip
PLACES = {
    "program": PROGRAM,
    "settings": "/etc/default/textfile-users",
    "state": "/var/lib/textfile-users",
    "textfile": "/var/lib/prometheus/node-exporter",
}


@pytest.mark.parametrize(("break_", "check", "found", "repair"), BROKEN)
def test_what_an_ordinary_user_can_tell(
    running: Host, break_: str, check: str, found: str, repair: str
) -> None:
    running.sh(break_.format(**PLACES))
    try:
        assert found in faults(running.doctor(user=GUEST))[check]["found"]
    finally:
        running.sh(repair.format(**PLACES))


def test_a_directory_that_an_ordinary_user_cannot_see(running: Host) -> None:
    """It is node_exporter's, and open to nobody else."""
    running.sh(f"chown prometheus:prometheus {PLACES['textfile']}; chmod 700 {PLACES['textfile']}")
    try:
        for user in (GUEST, "root", SERVICE):
            findings = running.doctor(user=user)
            assert faults(findings) == {}
            assert findings["link"]["status"] == ("ok" if user == "root" else "note")
    finally:
        running.sh(f"chown root:root {PLACES['textfile']}; chmod 755 {PLACES['textfile']}")


def test_processes_that_an_ordinary_user_cannot_see(running: Host) -> None:
    running.sh("mount -o remount,hidepid=2 /proc")
    try:
        findings = running.doctor(user=GUEST)
        assert faults(findings) == {}
        assert findings["node_exporter"]["found"].startswith("none is seen")
    finally:
        running.sh("mount -o remount,hidepid=0 /proc")


def test_the_trial_saves_and_locks_nothing(running: Host) -> None:
    listing = f"find {FILES} -printf '%p %u %m %i %s %T@ %C@\\n' | sort"
    running.sh(f"systemctl stop {UNITS} textfile-users.service")
    try:
        before = running.sh(listing)
        # A lock that somebody holds is nothing to it either.
        lock = "exec 9<>/var/lib/textfile-users/lock; flock 9"
        running.sh(f"{lock}; {PROGRAM} doctor --json >/run/said", check=False)
        assert running.sh(listing) == before
        findings = {one["check"]: one for one in json.loads(running.sh("cat /run/said"))}
        assert findings["look"]["status"] == "ok"
    finally:
        running.sh(f"systemctl start {UNITS}")


def test_before_the_first_scan(running: Host) -> None:
    """As after a boot, or with a timer that has not been due yet."""
    running.sh(f"systemctl disable --now {UNITS}; systemctl stop textfile-users.service")
    running.sh(f"rm -rf /run/textfile-users {PLACES['state']}")
    running.sh("systemd-tmpfiles --create textfile-users.conf")  # as boot does
    slow = "/run/systemd/system/textfile-users.timer.d"
    running.sh(
        f"mkdir {slow}; printf '[Timer]\\nOnCalendar=\\nOnCalendar=2099-1-1\\n' >{slow}/a.conf"
    )
    running.sh(f"systemctl daemon-reload; systemctl enable --now {UNITS}")
    try:
        for user in ("root", GUEST):
            findings = running.doctor(user=user)
            assert faults(findings).keys() == set()
            for check in ("state directory", "runtime directory", "users.prom"):
                assert findings[check]["found"].startswith("no scan yet")
            assert findings["scrape"]["status"] == "ok"
    finally:
        running.sh(f"rm -r {slow}; systemctl daemon-reload; systemctl start {UNITS}")
        running.sh("systemctl restart textfile-users.timer")


def test_a_slow_timers_scan_that_is_running(running: Host) -> None:
    """Meanwhile systemd does not tell when the next one is due, and the file is an old one."""
    slow = "/run/systemd/system/textfile-users.timer.d"
    late = "/run/systemd/system/textfile-users.service.d"
    running.sh(
        f"systemctl stop {UNITS} textfile-users.service; mkdir {slow} {late}\n"
        "printf '[Timer]\\nRandomizedDelaySec=0\\nOnCalendar=\\nOnCalendar=2099-1-1\\n"
        f"OnCalendar=%s\\n' \"$(date -ud '3 seconds' '+%F %T UTC')\" >{slow}/a.conf\n"
        f"printf '[Service]\\nExecStartPre=/bin/sleep 1.5\\n' >{late}/a.conf\n"
        "systemctl daemon-reload\n"
        "sed -i 's/^\\(users_run_timestamp_seconds\\) .*/\\1 1.7e9/' "
        f"{PUBLIC}/users.prom && chown {SERVICE} {PUBLIC}/users.prom\n"
        f"systemctl start {UNITS}"
    )
    try:
        running.until("systemctl is-active textfile-users.service | grep -q activating")
        assert faults(running.doctor()) == {}
    finally:
        running.sh(f"rm -r {slow} {late}; systemctl daemon-reload; systemctl start {UNITS}")
        running.sh("systemctl restart textfile-users.timer")


def test_a_session_that_is_not_counted(running: Host) -> None:
    """logind has it, and we do not see it: its file is away."""
    ident = running.sh(
        "cd /run/systemd/sessions; for i in $(loginctl list-sessions --no-legend | "
        "grep -v manager | awk '{print $1}'); do "
        '[ -n "$(loginctl show-session -p TTY --value $i)" ] || echo $i; done | head -n 1'
    ).strip()
    running.sh(f"mv /run/systemd/sessions/{ident} /run/away")
    try:
        fault = running.doctor()["loginctl"]
        assert fault["status"] == "FAULT"
        assert fault["found"] == f"logind has sessions that are not counted: {ident}"
    finally:
        running.sh(f"mv /run/away /run/systemd/sessions/{ident}")
    assert running.doctor()["loginctl"]["found"] == "agrees: sessions 2"


def test_a_loginctl_that_shows_nothing(running: Host) -> None:
    """As it did when it was given a list of properties."""
    running.sh(
        "cp /usr/bin/loginctl /run/loginctl; chmod 755 /run/loginctl\n"
        "printf '#!/bin/sh\\ncase $1 in show-session) echo;; "
        '*) exec /run/loginctl "$@";; esac\\n\' >/run/mute; chmod 755 /run/mute\n'
        "mount --bind /run/mute /usr/bin/loginctl"
    )
    try:
        fault = running.doctor()["loginctl"]
        assert fault["status"] == "FAULT"
        assert "loginctl lists sessions and shows nothing of them: " in fault["found"]
        assert fault["mend"].startswith("loginctl list-sessions; loginctl show-session ")
    finally:
        running.sh("umount /usr/bin/loginctl")


LIST = "loginctl list-sessions --no-legend | awk '{print $1}'"


def test_the_command_that_shows_sessions(running: Host) -> None:
    """With the real loginctl: each property for itself, for it takes no list."""
    shown = running.sh(
        f"loginctl show-session --property=Id --property=Class --property=State $({LIST})"
    )
    # Since systemd 256 a user's manager is in the list, too.
    assert shown.count("Class=user\nState=active\n") == 2


def test_no_session_at_all(running: Host) -> None:
    running.sh(f"loginctl terminate-user {GUEST}")
    running.until(f'[ -z "$({LIST})" ]')
    assert running.doctor()["loginctl"]["found"] == "agrees: sessions 0"
