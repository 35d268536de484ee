"""A real sshd that logs names (UseDNS yes): sessions and refusals are from an address all the same.

OpenSSH writes the client's name into utmp, wtmp and btmp (with the address beside it), into
PAM_RHOST (and so into logind's REMOTE_HOST and wtmpdb's RemoteHost), and into `error: PAM:` lines.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.parts import Box, run, samples

pytestmark = pytest.mark.e2e

CLIENT, ADDRESS = "client.example", "127.0.0.7"
NETWORK = f"office={ADDRESS}/32"
TERMINAL, PLAIN = "tu-alice", "tu-bob"  # who logs in with a terminal, and without
WRONG = ["-o", "NumberOfPasswordPrompts=1", "-o"]
REFUSED = (
    (TERMINAL, "PreferredAuthentications=password"),
    (TERMINAL, "PreferredAuthentications=keyboard-interactive"),
    ("nobody-here", "PreferredAuthentications=password"),
)
PROGRAM = "/opt/textfile-users/bin/textfile-users"
SESSION_FILE = """USER={user}
ACTIVE=1
STATE=active
REMOTE=1
REMOTE_HOST={host}
SERVICE=sshd
TYPE=tty
CLASS=user
LEADER={leader}
REALTIME={start}000000
"""


@pytest.fixture(scope="module")
def box_with_names(box: Box) -> Iterator[Box]:
    """The box with refused logins in its log, and two sessions on; all can read the log."""
    hosts = box.root / "etc/hosts"
    before = hosts.read_text()
    hosts.write_text(f"{ADDRESS} {CLIENT}\n{before}")
    box.forget()
    with box.rsyslogd("RSYSLOG_FileFormat", reduce=False):
        port = box.sshd("UseDNS=yes", "UsePAM=yes", "KbdInteractiveAuthentication=yes")
        for user, how in REFUSED:
            box.ssh(port, "-b", ADDRESS, *WRONG, how, "true", user=user, password="wrong").wait()
        with on(box, port):
            box.run("chmod", "644", "/var/log/auth.log")
            yield box
    hosts.write_text(before)


@contextmanager
def on(box: Box, port: int) -> Iterator[None]:
    """Keep both sessions on, logged in."""
    logins = [
        box.ssh(port, "-b", ADDRESS, "-tt", "echo in; exec sleep 300", user=TERMINAL),
        box.ssh(port, "-b", ADDRESS, "echo in; exec sleep 300", user=PLAIN),
    ]
    try:
        for login in logins:
            assert login.stdout is not None
            assert login.stdout.readline().strip() == b"in"
        yield
    finally:
        for login in logins:
            login.kill()
            login.communicate()


@contextmanager
def logind_only(box: Box) -> Iterator[None]:
    """Have the files that systemd-logind writes for the sessions, and no utmp."""
    directory = box.root / "run/systemd/sessions"
    directory.mkdir(parents=True)
    box.run("mv", "/run/utmp", "/run/utmp.away")
    for number, user in enumerate((TERMINAL, PLAIN)):
        title = f"^sshd[a-z-]*: {user} \\[(priv|postauth)"
        leader = box.run("pgrep", "-o", "-f", title).stdout.split()[0]
        text = SESSION_FILE.format(user=user, host=CLIENT, leader=leader, start=int(time.time()))
        (directory / str(number)).write_text(text)
    try:
        yield
    finally:
        box.run("rm", "-r", "/run/systemd/sessions")
        box.run("mv", "/run/utmp.away", "/run/utmp")


def places(text: str) -> set[tuple[str, str, str]]:
    """Return user, address and network of each session in a file."""
    found = set()
    for name in samples(text):
        if name.startswith("users_session_info{"):
            labels = dict(pair.split("=") for pair in name[19:-1].replace('"', "").split(","))
            found.add((labels["user"], labels["remote_ip"], labels["remote_network"]))
    return found


@pytest.mark.parametrize("source", ["utmp", "logind"])
@pytest.mark.parametrize(
    ("user", "log"),
    [("root", "none"), ("root", "files"), ("nobody", "files")],
    ids=["by the socket", "root", "by the log"],
)
def test_sessions_are_from_an_address(
    box_with_names: Box, source: str, user: str, log: str
) -> None:
    """Root reads the sockets, the unit's user the log; again and again the labels are the same."""
    box = box_with_names
    box.run("sh", "-c", f"rm -rf {box.state}-*")
    output = f"{box.state}-{user}/users.prom"
    expected = {(one, ADDRESS, "office") for one in (TERMINAL, PLAIN)}
    found = []
    with logind_only(box) if source == "logind" else nothing():
        for network in (NETWORK, NETWORK, "elsewhere=192.0.2.0/24"):
            argv = ("--auth-source", log, "--network", network)
            assert box.collect(output, *argv, user=user) == (0, "")
            found.append(places(run("cat", output).stdout))
    local = {(one, ADDRESS, "local") for one in (TERMINAL, PLAIN)}
    assert found == [expected, expected, local]


@contextmanager
def nothing() -> Iterator[None]:
    yield


def test_without_the_right_and_a_log_it_is_not_known(box_with_names: Box) -> None:
    """Who may read neither has the name alone; the address that utmp has is known to all."""
    box = box_with_names
    box.run("sh", "-c", f"rm -rf {box.state}-*")
    output = f"{box.state}-nobody/users.prom"
    argv = ("--collectors", "processes,sessions,connections")
    with logind_only(box):
        assert box.collect(output, *argv, user="nobody") == (0, "")
    assert places(run("cat", output).stdout) == {(one, "", "") for one in (TERMINAL, PLAIN)}
    assert box.collect(output, *argv, user="nobody") == (0, "")
    assert (TERMINAL, ADDRESS, "local") in places(run("cat", output).stdout)


def test_refusals_are_from_an_address(box_with_names: Box) -> None:
    """A password, a dialogue and an unknown name are refused: three of the last hour."""
    box = box_with_names
    box.run("sh", "-c", f"rm -rf {box.state}-*")
    log = (box.root / "var/log/auth.log").read_text()
    assert f"error: PAM: Authentication failure for {TERMINAL} from {CLIENT}" in log
    events = [
        json.loads(line)
        for line in box.run(PROGRAM, "events", "/var/log/auth.log").stdout.splitlines()
    ]
    refused = [(one["user"], one["ip"], one["host"]) for one in events if one["event"] == "failure"]
    assert refused == [
        (TERMINAL, ADDRESS, ""),
        (TERMINAL, ADDRESS, CLIENT),
        ("nobody-here", ADDRESS, ""),
    ]
    output = f"{box.state}-nobody/users.prom"
    assert box.collect(output, "--network", NETWORK, user="nobody") == (0, "")
    hour = f'users_auth_failures_last_hour{{remote_ip="{ADDRESS}",remote_network="office"}}'
    assert samples(run("cat", output).stdout)[hour] == 3


def test_show_tells_it(box_with_names: Box) -> None:
    """The table has the name, JSON both."""
    with logind_only(box_with_names):
        shown = json.loads(box_with_names.run(PROGRAM, "show", "--json").stdout)
    assert {(one["host"], one["ip"]) for one in shown["sessions"]} == {(CLIENT, ADDRESS)}
    assert shown["failures"][0]["ip"] == ADDRESS
