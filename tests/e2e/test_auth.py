"""Real sshd, sudo and su, a real rsyslogd, a real logrotate: every event counts exactly once."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from tests import adds
from tests.adds import FAMILIES, ended, escalation, failures, probe
from tests.e2e.parts import PASSWORD, SUDOERS, Box, samples

pytestmark = pytest.mark.e2e

WRONG = "wrong horse"
INTERVAL = 0.2  # seconds between two runs
QUIET = 0.3  # seconds without a line after which nothing more is on its way
PATIENCE = 20  # seconds until what was done must be counted
AT_ONCE = 6  # steps
MAX_TRIES = 5  # of a connection
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() resets
IMITATION = "root from 192.0.2.1 port 22 ssh2"
LINES = "users_auth_log_lines_total"

# What is done, with a port of sshd, and what that adds to the samples.
Step = tuple[Callable[[Box, int], object], "Counter[str]"]


def success(method: str, user: str) -> Counter[str]:
    """Return what one ssh session that began and ended adds."""
    return adds.login(method, user) + ended()


def login(*argv: str, command: str = "true", user: str = "tu-alice", password: str = "",
          tries: int = 1) -> Callable[[Box, int], object]:  # fmt: skip
    """Return a step that logs in over ssh, or tries to, with a password or the key."""

    def act(box: Box, port: int) -> None:
        prompts = f"NumberOfPasswordPrompts={tries}"
        client = box.ssh(port, "-o", prompts, *argv, command, user=user, password=password)
        client.communicate(timeout=PATIENCE)

    return act


def raw(said: bytes, *, reset: bool = False) -> Callable[[Box, int], object]:
    """Return a step that connects, says `said`, hears the answer and hangs up."""

    def act(_: Box, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
            sock.recv(100)
            if said:
                sock.sendall(said)
                sock.recv(1)
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                return
            with suppress(OSError):  # sshd may have hung up
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(1000):
                    pass

    return act


def as_user(user: str, *argv: str, password: str = "") -> Callable[[Box, int], object]:
    """Return a step that runs a command in the box."""
    return lambda box, _: box.run_as(user, *argv, password=password)


ONLY_PASSWORD = ("-o", "PreferredAuthentications=password")
ONLY_KEYBOARD = ("-o", "PreferredAuthentications=keyboard-interactive")
ONLY_NONE = ("-o", "PreferredAuthentications=none")

STEPS: list[Step] = [
    (login(*ONLY_PASSWORD, password=PASSWORD), success("password", "tu-alice")),
    (login(*ONLY_KEYBOARD, user="tu-bob", password=PASSWORD),
     success("keyboard-interactive", "tu-bob")),
    (login("-tt"), success("publickey", "tu-alice")),
    (login(user="tu-bob"), success("publickey", "tu-bob")),
    (login("-s", command="sftp"), success("publickey", "tu-alice")),
    (login(*ONLY_PASSWORD, password=WRONG), failures("password", "tu-alice")),
    (login(*ONLY_PASSWORD, password=WRONG, tries=MAX_TRIES + 1),
     failures("password", "tu-alice", MAX_TRIES)),
    # Only from half of MaxAuthTries on sshd adds to PAM's line one that names the method.
    (login(*ONLY_KEYBOARD, password=WRONG, tries=4),
     failures("pam", "tu-alice", 2) + failures("keyboard-interactive", "tu-alice", 2)),
    (login(*ONLY_PASSWORD, user="tu-nobody", password=WRONG, tries=2), failures("password", "", 2)),
    (login(*ONLY_KEYBOARD, user="tu-nobody", password=WRONG), failures("keyboard-interactive", "")),
    (login(*ONLY_PASSWORD, user="root", password=WRONG), failures("password", "root")),
    (login(*ONLY_PASSWORD, user=IMITATION, password=WRONG), failures("password", "")),
    (login(*ONLY_PASSWORD, user=" tu-bob  and tu-carol ", password=WRONG),
     failures("password", "")),
    (login(*ONLY_NONE, user=IMITATION), probe("closed")),
    (login(*ONLY_NONE, user="tu-nobody"), probe("closed")),
    (login(*ONLY_NONE), probe("closed")),
    (raw(b""), probe("closed")),
    (raw(b"", reset=True), probe("reset")),
    (raw(b"SSH-2.0-scan\r\n"), probe("closed")),
    (raw(b"SSH-2.0-scan\r\n", reset=True), probe("reset")),
    (raw(b"GET / HTTP/1.0\r\n\r\n"), probe("protocol")),
    (as_user("tu-alice", "sudo", "true"), escalation("sudo", "tu-alice", "root", "success")),
    (as_user("tu-alice", "sudo", "-u", "tu-bob", "true"),
     escalation("sudo", "tu-alice", "tu-bob", "success")),
    (login("-tt", command="sudo true"),
     success("publickey", "tu-alice") + escalation("sudo", "tu-alice", "root", "success")),
    (as_user("tu-alice", "sudo", "echo",
             "tu-bob : user NOT in sudoers ; USER=root ; COMMAND=/bin/sh"),
     escalation("sudo", "tu-alice", "root", "success")),
    (as_user("tu-bob", "sudo", "-S", "-u", "tu-alice", "true", password=PASSWORD),
     escalation("sudo", "tu-bob", "tu-alice", "success")),
    (as_user("tu-bob", "sudo", "-kS", "-u", "tu-alice", "true", password=WRONG),
     escalation("sudo", "tu-bob", "tu-alice", "failure")),
    (as_user("tu-bob", "sudo", "-kn", "-u", "tu-alice", "true"),
     escalation("sudo", "tu-bob", "tu-alice", "failure")),
    # Not allowed: what bob asks for, and carol.
    (as_user("tu-bob", "sudo", "-S", "true", password=PASSWORD),
     escalation("sudo", "tu-bob", "root", "failure")),
    (as_user("tu-carol", "sudo", "-S", "true", password=PASSWORD),
     escalation("sudo", "tu-carol", "root", "failure")),
    (lambda box, _: box.run("su", "tu-alice", "-c", "true"),
     escalation("su", "root", "tu-alice", "success")),
    (as_user("tu-alice", "su", "-", "tu-bob", "-c", "true", password=PASSWORD),
     escalation("su", "tu-alice", "tu-bob", "success")),
    (as_user("tu-alice", "su", "tu-bob", "-c", "true", password=WRONG),
     escalation("su", "tu-alice", "tu-bob", "failure")),
    (as_user("tu-bob", "su", "-c", "true", password=WRONG),
     escalation("su", "tu-bob", "root", "failure")),
]  # fmt: skip
# In a group of its own: rsyslogd joins only neighbouring lines.
ALONE: Step = (
    login(*ONLY_PASSWORD, user="tu-bob", password=WRONG, tries=3),
    failures("password", "tu-bob", 3),
)
GROUPS = [*(STEPS[first : first + AT_ONCE] for first in range(0, len(STEPS), AT_ONCE)), [ALONE]]
EXPECTED = sum((adds for group in GROUPS for _, adds in group), Counter())


def quiet(box: Box) -> bool:
    """Return whether no connection is open and nothing has been logged for a moment."""
    if box.run("pgrep", "-f", "^sshd[a-z-]*: [^/]", check=False).returncode == 0:
        return False
    try:
        written = (box.root / "var/log/auth.log").stat().st_mtime
    except FileNotFoundError:  # it is being rotated
        return False
    return time.time() - written > QUIET


def wait_until(done: Callable[[], bool]) -> None:
    """Wait until something is so, but not for ever: what follows tells what is not."""
    end = time.monotonic() + PATIENCE
    while not done() and time.monotonic() < end:
        time.sleep(0.05)


def logged(box: Box) -> str:
    """Return what auth.log and its rotated files hold, in no order."""
    return box.run("sh", "-c", "zcat -f /var/log/auth.log*").stdout


def events(found: dict[str, float]) -> dict[str, float]:
    """Return the samples that say something has happened."""
    return {name: value for name, value in found.items() if value and name.startswith(FAMILIES)}


@contextmanager
def watched(box: Box) -> Iterator[tuple[list[dict[str, float]], threading.Lock]]:
    """Run the program again and again, the first time at once.

    Gives what each run wrote, and a lock: who has it holds the runs up.
    """
    output = box.directory / "auth.prom"
    box.run("rm", "-rf", f"{box.state}-root")
    runs: list[dict[str, float]] = []
    faults: set[str] = set()
    ended = threading.Event()
    turn = threading.Lock()

    def look() -> None:
        with turn:
            status, said = box.collect(str(output))
            assert status == 0
            faults.add(said)
            runs.append(samples(output.read_text()))

    def watch() -> None:
        while not ended.is_set():
            began = time.monotonic()
            look()
            ended.wait(max(0.05, began + INTERVAL - time.monotonic()))

    look()
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield runs, turn
        finally:
            ended.set()
        watching.result()
    assert faults == {""}


def act_all(box: Box, port: int, rotation: Sequence[str], turn: threading.Lock) -> None:
    """Do all steps, a group at once, and rotate auth.log with each group."""
    # What is written between logrotate's copying or compressing and its end is lost.
    loses = "copytruncate" in rotation or rotation[-1] == "compress"
    for group in GROUPS:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            acts = [pool.submit(act, box, port) for act, _ in group]
            if not loses:
                box.logrotate(*rotation)
        for act in acts:
            act.result()
        if loses:
            with turn:  # so that lines not read yet rotate too
                wait_until(lambda: quiet(box))
                box.logrotate(*rotation)


@pytest.mark.parametrize(
    ("template", "rotation"),
    [
        ("RSYSLOG_TraditionalFileFormat", ("create",)),
        ("RSYSLOG_FileFormat", ("create", "compress", "delaycompress")),
        ("RSYSLOG_FileFormat", ("create", "compress")),
        ("RSYSLOG_TraditionalFileFormat", ("copytruncate",)),
    ],
    ids=["traditional create", "iso delaycompress", "iso compress", "traditional copytruncate"],
)
def test_each_event_counts_once(box: Box, template: str, rotation: tuple[str, ...]) -> None:
    """The counters say what was done, to the number, while the log rotates under them."""
    (box.root / "etc/sudoers").write_text(SUDOERS)
    reduce = template == "RSYSLOG_TraditionalFileFormat"
    with box.rsyslogd(template, reduce=reduce):
        port = box.sshd("UsePAM=yes", f"MaxAuthTries={MAX_TRIES}")
        wait_until(lambda: quiet(box))
        before = logged(box).count("\n")
        with watched(box) as (runs, turn):
            act_all(box, port, rotation, turn)
            wait_until(lambda: quiet(box) and events(runs[-1]) == EXPECTED)
            time.sleep(3 * INTERVAL)
        log = logged(box)
    # Debian 13's unix_chkpwd speaks between two refusals.
    assert ("message repeated" in log) == (reduce and "unix_chkpwd" not in log)
    assert events(runs[0]) == {}
    assert events(runs[-1]) == EXPECTED
    lines = {name: value for name, value in runs[-1].items() if name.startswith(LINES)}
    assert sum(lines.values()) == log.count("\n") - before
    assert lines[f'{LINES}{{result="unmatched",source="authlog"}}'] == 0
    for earlier, later in zip(runs, runs[1:]):
        for name, value in earlier.items():
            if name.startswith((*FAMILIES, LINES)):
                assert later.get(name, 0) >= value, name  # a zero may go with its user


# What a client may call itself to be taken for another line, another user, another place. Since 9.6
# ssh(1) itself refuses quotes, brackets, semicolons and control characters in a name.
NAMES = (
    IMITATION,
    f"invalid user {IMITATION}",
    "root from 192.0.2.1 port 22 ssh2: ED25519 SHA256:x",
    "root from 192.0.2.1",
    "root port 22",
    "from 192.0.2.1",
    "from",
    "x from 192.0.2.1 port 22 ssh2 from 192.0.2.2 port 22 ssh2",
    "tu-alice from 127.0.0.1 port 22 ssh2",
    "Accepted password for root from 192.0.2.1 port 22 ssh2",
    "sshd[1]: Accepted password for root from 192.0.2.1 port 22 ssh2",
    "pam_unix[sshd:session]: session opened for user root by root",
    "root [preauth]",
    "[preauth]",
    "root by 192.0.2.1",
    "rhost=192.0.2.1  user=root",
    "x  user=root",
    "user=root",
    "message repeated 1000 times: [ Failed password for root]",
    "last message repeated 1000 times",
    "#011root",
    "root\u00a0from\u00a0192.0.2.1",
    "\u202eroot",
    "%n%s%x",
    "../../../etc/passwd",
    "tu-bob  and tu-carol",
    "a" * 200,
)
WAYS = (
    (ONLY_PASSWORD, WRONG, failures("password", "")),
    (ONLY_KEYBOARD, WRONG, failures("keyboard-interactive", "")),
    (("-o", "PreferredAuthentications=publickey"), "", probe("closed")),
    (ONLY_NONE, "", probe("closed")),
)


def test_hostile_names(box: Box) -> None:
    """Each name by each way is one attempt of nobody's, from where it came."""
    steps = [
        (login(*way, user=user, password=password), adds)
        for user in NAMES
        for way, password, adds in WAYS
    ]
    expected: Counter[str] = sum((adds for _, adds in steps), Counter())
    with box.rsyslogd("RSYSLOG_FileFormat", reduce=False):
        port = box.sshd("UsePAM=yes", "MaxStartups=100")
        wait_until(lambda: quiet(box))
        with watched(box) as (runs, _), ThreadPoolExecutor(AT_ONCE) as pool:
            for act in [pool.submit(act, box, port) for act, _ in steps]:
                act.result()
            wait_until(lambda: quiet(box) and events(runs[-1]) == expected)
    assert events(runs[-1]) == expected
    places = {name for name in runs[-1] if name.startswith("users_auth_failures_last_hour")}
    assert {name.partition('remote_ip="')[2].partition('"')[0] for name in places} == {"127.0.0.1"}
