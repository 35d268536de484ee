"""One login is one, whichever way in and whatever records it: logs, utmp, wtmp, processes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.parts import SUDOERS, Box, samples

pytestmark = pytest.mark.e2e

STAMPS = "RSYSLOG_FileFormat"
PATIENCE = 30.0
# Runs a program on a terminal of its own, says so when it has asked for a command, and ends it
# with its input. login(1) drops what was typed before it asks, so it is typed again.
ON_TERMINAL = """
import os, pty, select, sys, threading
pid, terminal = pty.fork()
if not pid:
    os.execvp(sys.argv[1], sys.argv[1:])
said = b""
while b"is-42" not in said:
    os.write(terminal, b"echo is-$((40 + 2))\\n")
    while b"is-42" not in said and select.select([terminal], [], [], 2)[0]:
        said += os.read(terminal, 1000)
print("ready", flush=True)
def drain():
    try:
        while os.read(terminal, 1000): pass
    except OSError: pass
threading.Thread(target=drain, daemon=True).start()
sys.stdin.read()
os.write(terminal, b"exit\\n")
os.waitpid(pid, 0)
"""
NO_FILE = "/run/no-records"  # an empty file
SOURCES = {
    "all": (),
    "no log": ("--auth-source", "none"),
    "no wtmp": ("--wtmp", NO_FILE),
    "no utmp": ("--utmp", NO_FILE),
    "utmp alone": ("--auth-source", "none", "--wtmp", NO_FILE),
    "log alone": ("--wtmp", NO_FILE, "--utmp", NO_FILE),
    "wtmp alone": ("--auth-source", "none", "--utmp", NO_FILE),
}
# Who comes in, and as what; "" where it is no login.
WAYS = {
    "login of root": (("login", "-f", "root"), "root"),
    "login": (("login", "-f", "tu-alice"), "tu-alice"),
    "telnet's login": (("login", "-h", "192.0.2.7", "-f", "tu-alice"), "tu-alice"),
    "su -": (("su", "-", "tu-alice"), ""),
    "su": (("su", "tu-alice"), ""),
    "sudo -i": (("sudo", "-i", "-u", "tu-alice"), ""),
    "runuser -l": (("runuser", "-l", "tu-alice"), ""),
}


@pytest.fixture(autouse=True)
def _records(box: Box) -> Iterator[None]:
    """Records of nobody, before and after."""
    for is_over in (False, True):
        box.forget()
        box.run("sh", "-c", ": >/run/utmp; touch /var/log/wtmp")
        if not is_over:
            yield


@contextmanager
def on_terminal(box: Box, *command: str) -> Iterator[None]:
    """Have a program run on a terminal that nobody else has."""
    argv = box.argv("/usr/bin/python3", "-I", "-c", ON_TERMINAL, *command)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
        process.communicate()


def logins(box: Box, state: str, *flags: str, after: float = 0.0) -> dict[str, float]:
    """Scan, so many seconds later as it were, and return the logins that were counted."""
    output = f"{box.directory}/logins.prom"
    now = str(time.time() + after)
    done = box.run(
        "/opt/textfile-users/bin/textfile-users", "--output", output, "--now", now,
        "--state-directory", state, "--timeout", "60", *flags,
    )  # fmt: skip
    assert done.stderr == ""
    with open(output) as file:
        found = samples(file.read())
    return {name: value for name, value in found.items() if name.startswith("users_logins_total")}


@pytest.mark.parametrize("way", WAYS)
def test_a_login_is_one_whatever_records_it(box: Box, way: str) -> None:
    """By each set of sources, while it is open, later, and when it has ended."""
    command, user = WAYS[way]
    states = {name: f"{box.directory}/state-{name.replace(' ', '-')}" for name in SOURCES}

    def scan(after: float) -> dict[str, dict[str, float]]:
        return {name: logins(box, states[name], *SOURCES[name], after=after) for name in SOURCES}

    with box.rsyslogd(STAMPS, reduce=False):
        box.run("logger", "-t", "sshd", "-p", "auth.info", "Server listening on :: port 22.")
        box.run(
            "sh",
            "-c",
            f": >{NO_FILE}; rm -rf {' '.join(states.values())}; mkdir {' '.join(states.values())}",
        )
        before = scan(-20)
        with on_terminal(box, *command):
            scan(0)
            scan(20)
        found = scan(45)
    counted = {
        name: {one: n - before[name].get(one, 0) for one, n in found[name].items() if n}
        for name in SOURCES
    }
    wrong = {
        name: all_
        for name, all_ in counted.items()
        if sum(all_.values()) != expected(way, name) or not all(f'"{user}"' in one for one in all_)
    }
    assert wrong == {}, counted


def expected(way: str, sources: str) -> int:
    """Return how many logins there are: wtmp cannot tell one on a terminal from a window."""
    is_local = "-h" not in WAYS[way][0]
    return int(WAYS[way][1] != "" and not (is_local and sources == "wtmp alone"))


def test_the_terminal_of_a_command_of_sudos_is_no_session(box: Box) -> None:
    """Real sudo writes a record of it, with the host of who called it."""
    (box.root / "etc/sudoers").write_text(f"Defaults use_pty\n{SUDOERS}")
    client = box.ssh(box.sshd(), "-tt", "sudo sh -c 'echo ready; sleep 60'")
    try:
        assert client.stdout is not None
        assert client.stdout.readline().strip() == b"ready"
        records = box.run("/opt/textfile-users/bin/textfile-users", "records", "/run/utmp").stdout
        assert records.count('"user": "tu-alice"') == 2
        output = f"{box.directory}/sudo.prom"
        assert box.collect(output, "--auth-source", "none") == (0, "")
        with open(output) as file:
            found = samples(file.read())
        assert found['users_sessions{session_type="ssh",user="tu-alice"}'] == 1
    finally:
        client.kill()
        client.communicate()
