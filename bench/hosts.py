"""The hosts that are looked at: file systems below a folder, with sessions, processes and logs."""

from __future__ import annotations

import os
import time
from io import BytesIO

from bench.logs import BUSY, write_log
from tests.hosts import NOW, Host, Record, busy_host, pack_all

MB = 1_000_000
PROCESSES = 150  # of an idle host
PASSWD = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000:Alice:/home/alice:/bin/sh\n"


def logged_host(root: str, megabytes: int, sessions: int = 10, processes: int = PROCESSES) -> str:
    """Make a host with sessions, processes, a wtmp and an auth log; return its root."""
    host = busy_host(root, sessions)
    fill(host, sessions, processes)
    host.write("var/log/wtmp", pack_all([Record(time=NOW - 9000)] * 1000))
    part = BytesIO()
    write_log(part, MB, BUSY, True, time.time() - 90_000)
    with open(os.path.join(root, "var/log/auth.log"), "wb") as file:
        for _ in range(megabytes):
            file.write(part.getvalue())
    return root


def fill(host: Host, sessions: int = 10, processes: int = PROCESSES) -> None:
    """Add what an idle host has: accounts, and processes to as many as ``processes``."""
    host.write("proc/1/net/tcp", "  sl  local_address rem_address   st\n")
    host.write("etc/passwd", PASSWD)
    first = 1_000 + 3 * sessions  # three processes of each session, and process 1
    for pid in range(first, first + processes - 3 * sessions - 1):
        host.process(pid, "idle", cgroup="/system.slice/idle.service")
