"""Ordinary hosts that once cost far more than the bench's: each beside what it must not import."""

from __future__ import annotations

from collections.abc import Callable

from tests.hosts import Host, Record
from tests.long.decoders import BERLIN, zone

PAGES = 10 * (1 << 30) // 4096  # 10 GiB
# What is done to a host with ten sessions, and the flags of its scan.
Change = Callable[[Host], object]
SESSIONS = 10


def _ten_gib(host: Host) -> None:
    host.process(9_000, "big", uid=1000, cgroup="/user.slice/user-1000.slice/session-1.scope")
    host.write("proc/9000/statm", f"{PAGES} {PAGES} 100 1 0 10 0\n")


def _quoted(host: Host) -> None:
    for number in range(1, SESSIONS + 1):
        leader = 1000 + 3 * (number - 1)
        host.logind(str(number), USER='"user0"', LEADER=leader, DESKTOP='"a \\"b\\" c"')


def _ipv6(host: Host) -> None:
    records = []
    for index in range(SESSIONS):
        ip = f"2001:db8:0:{index}::7"
        leader = 1000 + 3 * index
        records.append(Record("user0", f"pts/{index}", leader, host=ip, ip=ip))
        host.logind(str(index + 1), USER="user0", LEADER=leader, REMOTE_HOST=ip)
    host.utmp(*records)


ORDINARY: dict[str, tuple[Change, tuple[str, ...]]] = {
    "a user with 10 GiB resident": (_ten_gib, ()),
    "quoted values in session files": (_quoted, ()),
    "--exclude-user 'svc-*'": (lambda host: None, ("--exclude-user", "svc-*")),
    "etc/localtime below --root": (
        lambda host: host.write("etc/localtime", zone(BERLIN)), ()),
    "IPv6 sessions": (_ipv6, ()),
}  # fmt: skip
