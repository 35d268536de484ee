"""sockets: the host's TCP sockets and who holds them (proc_net_tcp, proc(5)).

The kernel makes a table of one line a socket. Of 100,000 connections most are another server's,
so a connection's line is decoded only where its local port is asked for.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from binascii import unhexlify

from textfile_users.collecting import ABSENT, BROKEN, DENIED, OK, SourceReport
from textfile_users.paths import Paths
from textfile_users.processes.procfs import read_file
from textfile_users.reading.addresses import ip_of_packed
from textfile_users.reading.files import open_regular, reason
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

TABLES = ("tcp", "tcp6")
MAX_BYTES = 64 << 20  # of one table: 400,000 sockets
BLOCK = 64 << 10

LISTEN = b"0A"
ESTABLISHED = b"01"
# Those of the kernel's include/net/tcp_states.h that are neither.
OTHER_STATES = frozenset(b"%02X" % state for state in range(2, 14)) - {LISTEN}

# A server has few descriptors, and its listening ones are the lowest; what anybody names like a
# server may have a million.
MAX_DESCRIPTORS = 1_000  # of one process
MAX_LINKS = 20_000  # of all

MAX_SNMP = 64 << 10
ACTIVITY = (b"ActiveOpens", b"PassiveOpens", b"CurrEstab")


class Socket(Record):
    """One TCP socket of the host that listens or has a peer (then ``ip`` and ``port``)."""

    local_ip: str
    local_port: int
    ip: str
    port: int
    listens: bool
    inode: int


class Tables(Record):
    """The sockets that listen, and the lines of those with a peer, for parse_connections()."""

    listening: tuple[Socket, ...]
    connected: tuple[bytes, ...]


class Owners(Record):
    """Which process holds which socket (``pids`` by inode), and who did not let us look."""

    pids: dict[int, int]
    denied: frozenset[int]


def parse_socket(line: bytes, order: str = sys.byteorder) -> Socket:
    """Return the socket of a line that listens or has a peer.

    Each 32-bit word of an address is written as a number of the machine, whose byte ``order``
    is little or big. IPv4-mapped IPv6 becomes IPv4. Raises ValueError for anything else.
    """
    fields = line.split(None, 10)
    if len(fields) < 10 or fields[3] not in (LISTEN, ESTABLISHED):
        raise ValueError("not a line of a socket that listens or has a peer")
    inode = fields[9]
    if not inode.isdigit() or len(inode) > 20:
        raise ValueError("not the number of an inode")
    local = _parse_place(fields[1], order)
    if fields[3] == LISTEN:
        return Socket(*local, "", 0, True, int(inode))
    return Socket(*local, *_parse_place(fields[2], order), False, int(inode))


def parse_table(lines: Iterable[bytes]) -> tuple[list[bytes], list[bytes], int]:
    """Return the lines of sockets that listen, those with a peer, and how many are damaged.

    A line's state stands between blanks, as no other of its fields does.
    """
    connected = []
    listening = []
    damaged = 0
    for line in lines:
        if b" 01 " in line:
            connected.append(line)
        elif b" 0A " in line:
            listening.append(line)
        elif b" 06 " not in line and not _is_of_no_interest(line):  # 06: TIME_WAIT
            damaged += 1
    return listening, connected, damaged


def parse_connections(
    lines: Iterable[bytes], ports: Collection[int], order: str = sys.byteorder
) -> tuple[tuple[Socket, ...], int]:
    """Return the sockets with a local port among ``ports``, and how many are damaged."""
    wanted = frozenset(b"%04X" % port for port in ports)
    # The first colon ends the line's number, the second the local address.
    places = ((line, line.find(b":", line.find(b":") + 1) + 1) for line in lines)
    return parse_sockets([line for line, at in places if line[at : at + 4] in wanted], order)


def parse_sockets(
    lines: Iterable[bytes], order: str = sys.byteorder
) -> tuple[tuple[Socket, ...], int]:
    """Return the sockets of the lines, and how many of these are damaged."""
    sockets = []
    damaged = 0
    for line in lines:
        try:
            sockets.append(parse_socket(line, order))
        except ValueError:
            damaged += 1
    return tuple(sockets), damaged


def read_sockets(
    paths: Paths, deadline: float = float("inf")
) -> tuple[Tables | None, SourceReport]:
    """Return the host's sockets, None where the tables are missing or cannot be read whole.

    Nor are they where time.monotonic() passes ``deadline`` meanwhile: half a table would look
    like fewer connections.
    """
    listening: list[bytes] = []
    connected: list[bytes] = []
    damaged = 0
    found = 0
    for table in TABLES:
        path = f"{_directory(paths)}/{table}"
        try:
            paths.require_inside(path)
            for lines in _read_lines(path, deadline):
                listen, connect, bad = parse_table(lines)
                listening += listen
                connected += connect
                damaged += bad
        except (FileNotFoundError, NotADirectoryError):  # a kernel without IPv6 has no tcp6
            continue
        except OSError as error:
            status = DENIED if isinstance(error, PermissionError) else BROKEN
            return None, SourceReport("sockets", status, (f"{path}: {reason(error)}",))
        found += 1
    if not found:
        return None, SourceReport("sockets", ABSENT)
    sockets, bad = parse_sockets(listening)
    return _report(Tables(sockets, tuple(connected)), damaged + bad)


def parse_activity(data: bytes) -> tuple[int, ...] | None:
    """Return TCP's ActiveOpens, PassiveOpens and CurrEstab from /proc/net/snmp, None without."""
    tcp = [line.split() for line in data.split(b"\n") if line.startswith(b"Tcp: ")]
    if len(tcp) != 2:
        return None
    counts = dict(zip(*tcp))
    try:
        return tuple(int(counts[name]) for name in ACTIVITY)
    except (KeyError, ValueError):
        return None


def read_activity(paths: Paths) -> tuple[int, ...] | None:
    """Return counts that stay the same while no connection of the host begins or ends, or None.

    They cost a hundredth of read_sockets(), for which the kernel walks through the whole table
    of connections twice, which on a host with much memory takes a tenth of a run.
    """
    return parse_activity(read_file(f"{_directory(paths)}/snmp", MAX_SNMP))


def read_owners(paths: Paths, inodes: Iterable[int], pids: Iterable[int]) -> Owners:
    """Return which of ``pids`` holds which of ``inodes``: of several, the first.

    Without CAP_SYS_PTRACE only the descriptors of our own processes are shown.
    """
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    owners: dict[int, int] = {}
    denied = set()
    left = MAX_LINKS
    for pid in pids:
        if not wanted:
            break
        limit = min(left, MAX_DESCRIPTORS)
        try:
            links = _read_links(paths.proc(f"{pid}/fd"), limit)
        except PermissionError:
            denied.add(pid)
            continue
        except OSError:  # it ended
            continue
        left -= len(links)
        if len(links) >= limit:  # it may have more
            denied.add(pid)
        for inode in (wanted.pop(link, None) for link in links):
            if inode is not None:
                owners[inode] = pid
    return Owners(owners, frozenset(denied))


def read_peers(paths: Paths, pids: Iterable[int]) -> dict[int, str]:
    """Return from where the connection of each of ``pids`` is.

    It is '' for those without one, or with several that differ. Left out are those of which
    it cannot be known: without CAP_SYS_PTRACE all but our own.
    """
    held: dict[int, set[str]] = {}
    left = MAX_LINKS
    for pid in pids:
        if left <= 0:  # the rest is for another time
            break
        try:
            links = _read_links(paths.proc(f"{pid}/fd"), min(left, MAX_DESCRIPTORS))
        except OSError:  # it ended, or is another user's
            continue
        left -= len(links)
        held[pid] = {link[8:-1] for link in links if link.startswith("socket:[")}
    if not any(held.values()):  # a busy host's tables are long
        return dict.fromkeys(held, "")
    tables, _ = read_sockets(paths)
    if tables is None:
        return {}
    wanted = {inode.encode() for inodes in held.values() for inode in inodes}
    lines = [line for line in tables.connected if not wanted.isdisjoint(line.split(None, 10)[9:10])]
    sockets, _ = parse_sockets(lines)
    ports = {socket.local_port for socket in tables.listening}
    places = {str(one.inode): (one.ip, one.local_port in ports) for one in sockets}
    return {pid: _peer([places[i] for i in inodes if i in places]) for pid, inodes in held.items()}


def _peer(places: Iterable[tuple[str, bool]]) -> str:
    """Return the one address of a process's connections; those that were accepted come first."""
    accepted = {ip for ip, is_accepted in places if is_accepted}
    found = accepted or {ip for ip, _ in places}
    return found.pop() if len(found) == 1 else ""


def _parse_place(field: bytes, order: str) -> tuple[str, int]:
    address, _, port = field.partition(b":")
    raw = unhexlify(address)
    if len(port) != 4 or len(raw) not in (4, 16):
        raise ValueError("not an address and a port")
    if order == "little":
        words = (raw[12:], raw[8:12], raw[4:8], raw[:4]) if len(raw) == 16 else (raw,)
        raw = b"".join(words)[::-1]  # the last word's last byte comes first
    return ip_of_packed(raw), int.from_bytes(unhexlify(port), "big")


def _is_of_no_interest(line: bytes) -> bool:
    """Return whether it is a table's line of another state, or its head."""
    fields = line.split(None, 4)
    return not fields or fields[0] == b"sl" or (len(fields) == 5 and fields[3] in OTHER_STATES)


def _directory(paths: Paths) -> str:
    """Return the directory of the host's tables.

    Those of /proc/net are our own network namespace's: of a service with PrivateNetwork= an
    empty one. pid 1's are open to all, unless hidepid= hides it.
    """
    host = paths.proc("1/net")
    return paths.proc("self/net") if paths.is_own_host and not os.path.exists(host) else host


def _read_lines(path: str, deadline: float) -> Iterator[list[bytes]]:
    """Yield a table's lines by block. Raises OSError, also where it is too long or takes so."""
    descriptor = open_regular(path)
    try:
        rest = b""
        size = 0
        while size <= MAX_BYTES:
            block = os.read(descriptor, BLOCK)
            if not block:
                yield [rest]
                return
            if time.monotonic() > deadline:
                raise OSError(errno.ETIMEDOUT, "took too long", path)
            size += len(block)
            *lines, rest = (rest + block).split(b"\n")
            if len(rest) > BLOCK:  # no line of a table
                lines.append(rest[:BLOCK])
                rest = b""
            yield lines
    finally:
        os.close(descriptor)
    raise OSError(errno.EFBIG, f"longer than {MAX_BYTES} bytes", path)


def _report(tables: Tables, damaged: int) -> tuple[Tables | None, SourceReport]:
    if not damaged:
        return tables, SourceReport("sockets", OK, (), (("damaged", 0),))
    is_nothing = tables == Tables((), ())  # not known is not none
    report = SourceReport(
        "sockets",
        BROKEN if is_nothing else OK,
        (f"sockets: {damaged} damaged lines skipped",),
        (("damaged", damaged),),
    )
    return None if is_nothing else tables, report


def _read_links(directory: str, limit: int) -> list[str]:
    """Return what the first ``limit`` descriptors in /proc/PID/fd are. Raises OSError."""
    links = []
    with os.scandir(directory) as entries:
        for _, entry in zip(range(limit), entries):
            try:
                links.append(os.readlink(entry.path))
            except OSError:  # closed meanwhile
                links.append("")
    return links
