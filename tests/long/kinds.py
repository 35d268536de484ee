"""Lines of a log of one kind each, as somebody may write a megabyte of them."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.hosts import NOW
from textfile_users.auth.pairing import Pairing
from textfile_users.auth.reader import Reader
from textfile_users.auth.stamps import Stamps
from textfile_users.counting import Counting, Counts
from textfile_users.reading.lines import BLOCK
from textfile_users.reading.localtime import own_time

JUMPING = "sudo: stamps that jump"
# A message, its program and its pid, by the line's number; in place of {n} stands that.
KINDS: dict[str, tuple[str, str, str]] = {
    "sshd: a failure": ("Failed password for root from 192.0.2.{b} port {p} ssh2", "sshd", "{n}"),
    "sshd: a failure of each network": (
        "Failed password for root from 2001:db8:{x}:1::1 port 22 ssh2", "sshd", "{n}"),
    "sshd: a failure of a name": (
        "Failed password for u{n} from 192.0.2.1 port {p} ssh2", "sshd", "{n}"),
    "sshd: a login": ("Accepted password for alice from 192.0.2.1 port {p} ssh2", "sshd", "{n}"),
    "sshd: a login of a name": (
        "Accepted password for u{n} from 192.0.2.1 port {p} ssh2", "sshd", "{n}"),
    "sshd: a login from a host's name": (
        "Accepted password for alice from h{n}.example port 22 ssh2", "sshd", "{n}"),
    "sshd: an invalid user": ("Invalid user u{n} from 192.0.2.1 port {p}", "sshd", "{n}"),
    "sshd: one process for ever": ("Invalid user u{n} from 192.0.2.1 port {p}", "sshd", "7"),
    "sshd: PAM, from a host's name": (
        "error: PAM: Authentication failure for root from h.example", "sshd", "7"),
    "sshd: repeated": (
        "message repeated 5 times: [ Failed password for root from 192.0.2.1 port 22 ssh2]",
        "sshd", "7"),
    "sshd: not known": ("error: some other thing {n}", "sshd", "{n}"),
    "su: its own line": ("(to u1) mallory on pts/0", "su", "{n}"),
    "su: to a name": ("(to u{n}) mallory on pts/0", "su", "{n}"),
    "su: PAM's line": (
        "pam_unix(su:session): session opened for user u{n}(uid=0) by mallory(uid=1000)", "su",
        "{n}"),
    "su: PAM's refusal": (
        "pam_unix(su:auth): authentication failure; logname=m uid=1000 euid=0 tty=pts/0 ruser=m "
        "rhost=  user=u{n}", "su", "{n}"),
    "sudo: its own line": (
        "   alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh", "sudo", "{n}"),
    "sudo: names": (
        "   a{s} : TTY=pts/0 ; PWD=/ ; USER=u{t} ; COMMAND=/bin/sh", "sudo", "{n}"),
    JUMPING: ("   alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh", "sudo", "{n}"),
    "sudo: PAM's line": (
        "pam_unix(sudo:session): session opened for user root(uid=0) by a(uid=1000)", "sudo",
        "{n}"),
    "sudo: PAM's refusal": (
        "pam_unix(sudo:auth): authentication failure; logname=a{n} uid=1000 euid=0 tty=/dev/pts/0 "
        "ruser=a{n} rhost=  user=a{n}", "sudo", "{n}"),
    "sudo: refused": (
        "   a{n} : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh", "sudo",
        "{n}"),
    "sudo: goes on": ("alice : (command continued) /bin/x{n}", "sudo", "{n}"),
    "doas": ("mallory ran command /bin/sh as root from /home", "doas", "{n}"),
    "polkit": (
        "Operator of unix-session:2 successfully authenticated as unix-user:root to gain TEMPORARY "
        "authorization for action org.freedesktop.x for system-bus-name::1.2 [x] "
        "(owned by unix-user:m{n})", "polkitd", "100"),
    "login: refused": (
        "FAILED LOGIN (1) on '/dev/tty1' FOR 'u{n}', Authentication failure", "login", "{n}"),
    "login: PAM's line": (
        "pam_unix(login:session): session opened for user alice(uid=1000) by (uid=0)", "login",
        "{n}"),
    "dropbear": ("Password auth succeeded for 'u{n}' from 192.0.2.1:{p}", "dropbear", "{n}"),
    "gdm": (
        "pam_unix(gdm-password:session): session opened for user u{n}(uid=1000) by (uid=0)",
        "gdm-password]", "{n}"),
    "useradd": (
        "new user: name=u{n}, UID=1001, GID=1001, home=/home/u, shell=/bin/sh, from=pts/0",
        "useradd", "{n}"),
    "another program": ("hello world", "cron", "{n}"),
    "a program of each name": ("hello", "p{n}", "{n}"),
}  # fmt: skip
# Those that are none of syslog's.
PLAIN = {
    "empty": "\n",
    "two bytes": "x\n",
    "twenty bytes": "x" * 19 + "\n",
    "long": "x" * 999 + "\n",
}


def lines(kind: str, size: int) -> bytes:
    """Return lines of a kind, ``size`` bytes or a line more, 100 to a second, up to now."""
    if kind in PLAIN:
        return (PLAIN[kind] * (size // len(PLAIN[kind]) + 1)).encode()
    message, program, pid = KINDS[kind]
    made = _lines(lambda n: (message, program, pid), size)
    return made if kind != JUMPING else b"".join(map(_jumping, range(size), made.splitlines(True)))


def _jumping(number: int, line: bytes) -> bytes:
    """Return a line with a traditional stamp, somewhere in the last year."""
    at = NOW - number * 7919 % 86_400 * 300
    stamp = time.strftime("%b %e %H:%M:%S", time.gmtime(at)).encode()
    return stamp + line[line.index(b" ") :]


def usual(size: int) -> bytes:
    """Return usual lines of sshd: of each connection four, from one address and port."""
    four = (
        ("Failed password for root from 192.0.2.{c} port {r} ssh2", "sshd", "{q}"),
        ("Accepted publickey for alice from 192.0.2.{c} port {r} ssh2: ED25519 SHA256:{n:043}",
         "sshd", "{q}"),
        ("Connection closed by 192.0.2.{c} port {r} [preauth]", "sshd", "{q}"),
        ("pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)", "sshd",
         "{q}"),
    )  # fmt: skip
    return _lines(lambda n: four[n % 4], size)


def _lines(of: Callable[[int], tuple[str, str, str]], size: int) -> bytes:
    made: list[str] = []
    left, n = size, 0
    while left > 0:
        message, program, pid = of(n)
        at = NOW - 3000 + n / 100
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
        text = f"{stamp}.{n % 100 * 10000:06d}+00:00 host {program}[{pid}]: {message}\n"
        values = {"n": 100 + n, "b": n % 250, "p": 1024 + n % 60000, "s": n % 500, "t": n // 500,
                  "x": f"{n:x}", "q": 100 + n // 4, "c": n // 4 % 250,
                  "r": 1024 + n // 4 % 60000}  # fmt: skip
        made.append(text.format(**values))
        left -= len(made[-1])
        n += 1
    return "".join(made).encode()


def count(data: bytes) -> None:
    """Count what a log says, as a scan does, block by block."""
    counting = Counting(Counts(), NOW, (), lambda: ("root", "alice"))
    reader = Reader(Pairing(), Stamps(NOW, own_time))
    start = 0
    while start < len(data):
        end = data.rfind(b"\n", start, start + BLOCK) + 1
        for event in reader.read_block(data[start:end]):
            counting.take(event)
        start = end
    counting.result()
