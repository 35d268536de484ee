"""Makes auth logs as hosts have them, from documentation addresses: `write_log(file, ...)`."""

from __future__ import annotations

import random
import time
from typing import BinaryIO

NAMES = ("root", "admin", "test", "ubuntu", "oracle", "postgres", "git", "guest", "ftp", "pi")
NETS = ("192.0.2", "198.51.100", "203.0.113")
# What happens, and how often: on a host that the whole internet may try, and on a busy one
# behind a firewall.
ATTACKED = {"invalid": 35, "refused": 25, "probe": 10, "login": 10, "cron": 15, "sudo": 5}
BUSY = {"invalid": 2, "refused": 3, "probe": 2, "login": 18, "cron": 60, "sudo": 15}


def happening(kind: str, pid: int) -> list[str]:
    """Return the lines, without stamp and host, of one thing that happens."""
    ip = f"{random.choice(NETS)}.{random.randrange(1, 255)}"
    port = random.randrange(1024, 65536)
    name = random.choice(NAMES)
    sshd = f"sshd[{pid}]: "
    pam = f"{sshd}pam_unix(sshd:auth): "
    refused = f"{pam}authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={ip} "
    if kind == "invalid":
        return [
            f"{sshd}Invalid user {name} from {ip} port {port}",
            f"{pam}check pass; user unknown",
            refused,
            f"{sshd}Failed password for invalid user {name} from {ip} port {port} ssh2",
            f"{sshd}Received disconnect from {ip} port {port}:11: Bye Bye [preauth]",
            f"{sshd}Disconnected from invalid user {name} {ip} port {port} [preauth]",
        ]
    if kind == "refused":
        return [
            f"{refused} user=root",
            f"{sshd}Failed password for root from {ip} port {port} ssh2",
            f"{sshd}Connection closed by authenticating user root {ip} port {port} [preauth]",
        ]
    if kind == "probe":
        return [f"{sshd}Connection closed by {ip} port {port} [preauth]"]
    if kind == "login":
        key = "ED25519 SHA256:dN0O3fXQ0rYvX1sYl8r0n5Qm3Xr4nK2m7Y1uH0cQkEo"
        return [
            f"{sshd}Accepted publickey for alice from {ip} port {port} ssh2: {key}",
            f"{sshd}pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)",
            f"systemd-logind[600]: New session {pid} of user alice.",
            f"sshd[{pid + 1}]: Received disconnect from {ip} port {port}:11: disconnected by user",
            f"sshd[{pid + 1}]: Disconnected from user alice {ip} port {port}",
            f"{sshd}pam_unix(sshd:session): session closed for user alice",
            f"systemd-logind[600]: Session {pid} logged out. Waiting for processes to exit.",
            f"systemd-logind[600]: Removed session {pid}.",
        ]
    if kind == "cron":
        return [
            f"CRON[{pid}]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)",
            f"CRON[{pid}]: pam_unix(cron:session): session closed for user root",
        ]
    return [
        "sudo:    alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/apt update",
        "sudo: pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)",
        "sudo: pam_unix(sudo:session): session closed for user root",
    ]


def stamp(when: float, iso: bool) -> str:
    """Return a time as rsyslog writes it: its own format, or the traditional one."""
    if iso:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when))
        return f"{seconds}.{int(when % 1 * 1e6):06d}+00:00"
    return time.strftime("%b %e %H:%M:%S", time.localtime(when))


def write_log(file: BinaryIO, size: int, mix: dict[str, int], iso: bool, end: float) -> None:
    """Write lines for `size` bytes that happened up to the time `end`."""
    random.seed(size)
    step = 0.05
    when = end - size / 400 * step
    pid = written = 0
    while written < size:
        pid = pid % 4_000_000 + 2
        when = min(when + step, end)
        (kind,) = random.choices(tuple(mix), tuple(mix.values()))
        lines = [f"{stamp(when, iso)} host {line}\n" for line in happening(kind, pid)]
        data = "".join(lines).encode()
        file.write(data)
        written += len(data)
