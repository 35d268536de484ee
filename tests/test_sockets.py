"""The kernel's TCP tables, and who holds a socket."""

from __future__ import annotations

import ipaddress
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import Host
from textfile_users.collecting import ABSENT, BROKEN, DENIED, OK
from textfile_users.connections import sockets
from textfile_users.connections.sockets import (
    Owners,
    Socket,
    Tables,
    parse_activity,
    parse_connections,
    parse_socket,
    parse_sockets,
    parse_table,
    read_activity,
    read_owners,
    read_peers,
    read_sockets,
)
from textfile_users.paths import Paths
from textfile_users.reading import files

HEAD = (
    b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    b"inode"
)
ORDERS = ("little", "big")


def hexed(ip: str, order: str) -> str:
    """Return an address as the kernel writes it on a machine of that byte order."""
    raw = ipaddress.ip_address(ip).packed
    words = [raw[place : place + 4] for place in range(0, len(raw), 4)]
    return "".join(f"{int.from_bytes(word, order):08X}" for word in words)  # type: ignore[arg-type]


def line(
    state: str = "01",
    local: tuple[str, int] = ("192.0.2.1", 22),
    remote: tuple[str, int] = ("198.51.100.7", 40000),
    inode: int = 5001,
    number: int = 0,
    order: str = sys.byteorder,
) -> bytes:
    """Return a line of a table as the kernel's net/ipv4/tcp_ipv4.c and tcp_ipv6.c print it."""
    places = " ".join(f"{hexed(ip, order)}:{port:04X}" for ip, port in (local, remote))
    return (
        f"{number:4d}: {places} {state} 00000000:00000000 00:00000000 00000000 "
        f"{1000:5d} {0:8d} {inode} 1 0000000000000000 20 4 30 10 -1"
    ).encode()


def listening(ip: str, port: int, inode: int = 7001) -> bytes:
    nowhere = "::" if ":" in ip else "0.0.0.0"
    return line("0A", (ip, port), (nowhere, 0), inode)


def write_tables(host: Host, tcp: list[bytes], tcp6: list[bytes] | None = None) -> None:
    for name, lines in (("tcp", tcp), ("tcp6", tcp6)):
        if lines is not None:
            host.write(f"proc/1/net/{name}", b"".join(one + b"\n" for one in (HEAD, *lines)))


@pytest.mark.parametrize(
    ("order", "text", "expected", "why"),
    [
        (
            "little",
            b"   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0"
            b"        0 1143 1 0000000079233bc5 100 0 0 10 0",
            Socket("127.0.0.1", 22, "", 0, True, 1143),
            "a listener, as x86-64 writes it",
        ),
        (
            "big",
            b"   0: 7F000001:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0"
            b"        0 1143 1 0000000079233bc5 100 0 0 10 0",
            Socket("127.0.0.1", 22, "", 0, True, 1143),
            "the same as s390x writes it",
        ),
        (
            "little",
            b"   1: 0000000000000000FFFF0000010200C0:0016 0000000000000000FFFF0000076433C6:9C40 01"
            b" 00000000:00000000 02:000AFE5D 00000000     0        0 50 2 0000000000000000 20 4 30"
            b" 10 -1",
            Socket("192.0.2.1", 22, "198.51.100.7", 40000, False, 50),
            "IPv4 at a socket of both families",
        ),
        (
            "little",
            b"12345: B80D0120000000000000000001000000:170D"
            b" B80D0120000000000000000002000000:FFFF 01 00000000:00000000 00:00000000 00000000"
            b"  1000        0 4294967295 1 0000000000000000 20 4 30 10 -1",
            Socket("2001:db8::1", 5901, "2001:db8::2", 65535, False, 4294967295),
            "IPv6, at a number of five digits",
        ),
    ],
)
def test_lines(order: str, text: bytes, expected: Socket, why: str) -> None:
    assert parse_socket(text, order) == expected, why


def plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


# Addresses with runs of zeros, which are written in short.
words = st.lists(st.sampled_from([0, 0, 0, 1, 0xFFFF, 0xDB8]), min_size=8, max_size=8)
sparse = words.map(lambda groups: ipaddress.IPv6Address(":".join(f"{one:x}" for one in groups)))
addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6), sparse)
ports = st.integers(0, 65535)


@given(addresses, ports, addresses, ports, st.sampled_from(ORDERS))
def test_places_of_both_byte_orders(
    local: ipaddress.IPv4Address | ipaddress.IPv6Address,
    local_port: int,
    remote: ipaddress.IPv4Address | ipaddress.IPv6Address,
    port: int,
    order: str,
) -> None:
    """Addresses are written as the module ipaddress does, for sources are compared by them."""
    text = line("01", (str(local), local_port), (str(remote), port), 9, order=order)
    expected = Socket(plain(local), local_port, plain(remote), port, False, 9)
    assert parse_socket(text, order) == expected


GOOD = line()


@given(
    st.one_of(
        st.binary(max_size=200),
        st.integers(0, len(GOOD)).map(lambda end: GOOD[:end]),
        st.tuples(st.integers(0, len(GOOD) - 1), st.binary(max_size=3)).map(
            lambda pair: GOOD[: pair[0]] + pair[1] + GOOD[pair[0] + 1 :]
        ),
    ),
    st.sampled_from(ORDERS),
)
def test_any_line_is_a_socket_or_damaged_or_left_out(text: bytes, order: str) -> None:
    listening, connected, damaged = parse_table([text])
    assert len(listening) + len(connected) + damaged <= 1
    found, bad = parse_connections(connected, range(65536), order)
    listeners, worse = parse_sockets(listening, order)
    assert len(found) + bad <= len(connected)
    assert len(listeners) + worse == len(listening)
    for one in (*found, *listeners):
        ipaddress.ip_address(one.local_ip)
        assert 0 <= one.local_port < 65536
        assert one.inode >= 0


@pytest.mark.parametrize(
    ("text", "sockets_", "damaged", "why"),
    [
        (HEAD, 0, 0, "the head"),
        (b"", 0, 0, "what follows the last line"),
        (line("06"), 0, 0, "TIME_WAIT"),
        (line("03"), 0, 0, "SYN_RECV"),
        (line("0C"), 0, 0, "NEW_SYN_RECV"),
        (line("01"), 1, 0, "a connection at a port that is asked for"),
        (line("01", ("192.0.2.1", 443)), 0, 0, "one at another port"),
        (line("01", ("192.0.2.1", 40000), ("192.0.2.2", 22)), 0, 0, "one to another host's ssh"),
        (listening("0.0.0.0", 443), 1, 0, "what listens counts at any port"),
        (line("01", number=123456), 1, 0, "a long number moves the columns"),
        (line("0E"), 0, 1, "no state of the kernel's"),
        (line("01")[:60], 0, 1, "cut short"),
        (line("01")[:30], 0, 1, "cut before its state"),
        (b"x", 0, 1, "no line of a table"),
        (line("01").replace(b":0016", b":+016"), 0, 0, "no port that is asked for"),
        (line("0A").replace(b":0016", b":0_16"), 0, 1, "what int() would take"),
        (line("0A").replace(b":0016", b":000016"), 0, 1, "more than a port"),
        (line("0A").replace(b"0:", b"0: 00", 1), 0, 1, "a field too many"),
        (line("0A").replace(b" 5001 ", b" -5001 "), 0, 1, "no inode"),
        (line("0A").replace(b" 5001 ", b" %s " % (b"9" * 99)), 0, 1, "an endless inode"),
        (listening("0.0.0.0", 22).replace(b"00000000:0016", b"0000:0016"), 0, 1, "half an address"),
        (b" 01 ", 0, 0, "a state alone, of no port"),
        (line("01").replace(b" 5001 ", b" -5001 "), 0, 1, "a connection with no inode"),
        (b" 0A " * 12, 0, 1, "states alone"),
    ],
)
def test_tables(text: bytes, sockets_: int, damaged: int, why: str) -> None:
    listeners, connected, bad = parse_table([text])
    found, worse = parse_connections(connected, {22})
    listening_, worst = parse_sockets(listeners)
    assert (len(found) + len(listening_), bad + worse + worst) == (sockets_, damaged), why


def test_both_tables_of_a_root(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    write_tables(host, [listening("0.0.0.0", 22), line()], [listening("::", 22, 7002)])
    found, report = read_sockets(Paths(host.root))
    assert found is not None
    assert found.listening == (
        Socket("0.0.0.0", 22, "", 0, True, 7001),
        Socket("::", 22, "", 0, True, 7002),
    )
    connection = Socket("192.0.2.1", 22, "198.51.100.7", 40000, False, 5001)
    assert parse_connections(found.connected, {22}) == ((connection,), 0)
    assert (report.name, report.status, report.faults) == ("sockets", OK, ())
    assert report.unusable == (("damaged", 0),)


def test_whose_tables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service with PrivateNetwork= has empty ones; hidepid= hides those of the host."""
    assert sockets._directory(Paths()) == "/proc/1/net"
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    assert sockets._directory(Paths()) == "/proc/self/net"
    assert sockets._directory(Paths("/somewhere")) == "/somewhere/proc/1/net"


def test_a_kernel_without_ipv6(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    write_tables(host, [line()])
    found, report = read_sockets(Paths(host.root))
    assert (found, report.status) == (Tables((), (line(),)), OK)


def test_an_image_has_no_sockets(tmp_path: Path) -> None:
    found, report = read_sockets(Paths(Host(str(tmp_path)).root))
    assert (found, report.status, report.faults) == (None, ABSENT, ())


def test_damage_is_counted_and_told(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    write_tables(host, [listening("0.0.0.0", 22), b"rubbish", line()[:34]])
    found, report = read_sockets(Paths(host.root))
    assert found is not None
    assert (len(found.listening), report.status, report.unusable) == (1, OK, (("damaged", 2),))
    assert "2 damaged lines" in report.faults[0]


def test_nothing_but_damage_is_not_known(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    write_tables(host, [b"rubbish"])
    found, report = read_sockets(Paths(host.root))
    assert (found, report.status) == (None, BROKEN)


def but_for(end: str, error: OSError, real: Callable[[str], object]) -> Callable[[str], object]:
    """Return what does as `real` does, but raises the error for paths that end so."""

    def fail(path: str) -> object:
        if path.endswith(end):
            raise error
        return real(path)

    return fail


@pytest.mark.parametrize(
    ("error", "status"), [(PermissionError(13, "denied"), DENIED), (OSError(5, "I/O"), BROKEN)]
)
def test_a_table_that_cannot_be_read_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, status: str
) -> None:
    """What one table says is not all: not known is not zero."""
    host = Host(str(tmp_path))
    write_tables(host, [line()], [])

    monkeypatch.setattr(sockets, "open_regular", but_for("tcp6", error, files.open_regular))
    found, report = read_sockets(Paths(host.root))
    assert (found, report.status, len(report.faults)) == (None, status, 1)


def test_a_table_that_leads_out_of_the_root_is_not_read(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    os.symlink("/proc/self/net", host.path("proc/1/net"))
    found, report = read_sockets(Paths(host.root))
    assert (found, report.status) == (None, BROKEN)


def test_a_table_that_is_a_fifo_does_not_block(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    os.makedirs(host.path("proc/1/net"))
    os.mkfifo(host.path("proc/1/net/tcp"))
    assert read_sockets(Paths(host.root))[1].status == BROKEN


def test_lines_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "BLOCK", 1000)
    host = Host(str(tmp_path))
    write_tables(host, [line(inode=inode, number=inode) for inode in range(100)])
    found, report = read_sockets(Paths(host.root))
    assert found is not None
    connections, _ = parse_connections(found.connected, {22})
    assert [one.inode for one in connections] == list(range(100))
    assert report.unusable == (("damaged", 0),)


def test_a_table_without_end_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "BLOCK", 1000)
    monkeypatch.setattr(sockets, "MAX_BYTES", 5000)
    host = Host(str(tmp_path))
    write_tables(host, [line(inode=inode) for inode in range(100)])
    found, report = read_sockets(Paths(host.root))
    assert found is None, "half a table would look like fewer connections"
    assert report.status == BROKEN
    assert "longer than 5000 bytes" in report.faults[0]


def test_a_table_that_takes_too_long_is_not_known(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    write_tables(host, [line()])
    found, report = read_sockets(Paths(host.root), deadline=0.0)
    assert (found, report.status) == (None, BROKEN)
    assert report.faults[0].endswith("/tcp: took too long")


def test_a_line_without_end_takes_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "BLOCK", 1000)
    host = Host(str(tmp_path))
    host.write("proc/1/net/tcp", listening("0.0.0.0", 22) + b"\n" + b"x" * 10_000)
    blocks = sockets._read_lines(host.path("proc/1/net/tcp"), float("inf"))
    assert max(len(one) for lines in blocks for one in lines) <= 1000
    found, report = read_sockets(Paths(host.root))
    assert found is not None
    assert len(found.listening) == 1
    assert report.unusable[0][1] > 0


@pytest.fixture
def connected() -> Iterator[tuple[socket.socket, socket.socket, socket.socket]]:
    """A listener of ours, a client's end of a connection to it, and our end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
        with client, ours:
            yield server, client, ours


def test_real_sockets(connected: tuple[socket.socket, socket.socket, socket.socket]) -> None:
    server, client, ours = connected
    port = server.getsockname()[1]
    found, report = read_sockets(Paths())
    assert found is not None
    assert report.status == OK
    mine = [one for one in found.listening if one.local_port == port]
    mine += parse_connections(found.connected, {port})[0]
    inodes = [os.fstat(one.fileno()).st_ino for one in (server, ours)]
    client_port = client.getsockname()[1]
    assert mine == [
        Socket("127.0.0.1", port, "", 0, True, inodes[0]),
        Socket("127.0.0.1", port, "127.0.0.1", client_port, False, inodes[1]),
    ]


def test_who_holds_a_socket(
    connected: tuple[socket.socket, socket.socket, socket.socket],
) -> None:
    server, _, ours = connected
    inodes = [os.fstat(one.fileno()).st_ino for one in (server, ours)]
    program = "import sys; sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, pass_fds=[server.fileno()]
    ) as child:
        gone = 1 << 30
        held = read_owners(Paths(), [*inodes, 1], [gone, child.pid, os.getpid()])
        assert child.stdin is not None
        child.stdin.close()
    assert held == Owners({inodes[0]: child.pid, inodes[1]: os.getpid()}, frozenset())


@pytest.mark.parametrize(
    ("data", "expected", "why"),
    [
        (
            b"Ip: Forwarding\nIp: 1\nTcp: RtoMin ActiveOpens PassiveOpens CurrEstab InSegs\n"
            b"Tcp: 200 5 6 7 8\nUdp: InDatagrams\nUdp: 3\n",
            (5, 6, 7),
            "the kernel's two lines",
        ),
        (b"Tcp: ActiveOpens PassiveOpens CurrEstab\nTcp: 5 6\n", None, "cut"),
        (b"Tcp: ActiveOpens PassiveOpens CurrEstab\nTcp: 5 6 x\n", None, "no number"),
        (b"Tcp: ActiveOpens PassiveOpens CurrEstab\n", None, "names alone"),
        (b"", None, "no such file"),
    ],
)
def test_activity(data: bytes, expected: tuple[int, ...] | None, why: str) -> None:
    assert parse_activity(data) == expected, why


def test_a_connection_is_activity() -> None:
    before = read_activity(Paths())
    assert before is not None
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
        opened = read_activity(Paths())
        client.close()
        ours.close()
    assert opened is not None
    assert opened[0] > before[0]
    assert opened[1] > before[1]


def holder(host: Host, pid: int, *inodes: int) -> None:
    """Give a process of the host descriptors of sockets."""
    os.makedirs(host.path(f"proc/{pid}/fd"))
    os.symlink("/dev/null", host.path(f"proc/{pid}/fd/0"))
    for place, inode in enumerate(inodes, 3):
        os.symlink(f"socket:[{inode}]", host.path(f"proc/{pid}/fd/{place}"))


def test_of_two_holders_the_first_counts(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    holder(host, 50, 7001, 7002)
    holder(host, 60, 7001, 7003)
    held = read_owners(Paths(host.root), [7001, 7003, 7004], [60, 50])
    assert held == Owners({7001: 60, 7003: 60}, frozenset())


def test_descriptors_of_others_are_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(str(tmp_path))
    holder(host, 50, 7001)
    holder(host, 60, 7002)

    monkeypatch.setattr(os, "scandir", but_for("/50/fd", PermissionError(), os.scandir))
    held = read_owners(Paths(host.root), [7001, 7002], [50, 60])
    assert held == Owners({7002: 60}, frozenset({50}))


LISTENS = "   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7000\n"
# From 192.0.2.7 and .8 to port 22, to a port that nobody listens on, and one that is closed.
LINES = {
    7001: "0A0200C0:0016 070200C0:9C40 01",
    7002: "0A0200C0:0016 080200C0:9C41 01",
    7003: "0A0200C0:C350 090200C0:01BB 01",
    7004: "0A0200C0:0016 070200C0:9C42 06",
    7005: "0A0200C0:0016 070200C0:9C43 01",
}


@pytest.mark.parametrize(
    ("inodes", "expected", "why"),
    [
        ((7001,), "192.0.2.7", "its one connection"),
        ((7001, 7003), "192.0.2.7", "root's sshd forwards to elsewhere, too"),
        ((7003,), "192.0.2.9", "sshd is restarted: nobody listens"),
        ((7001, 7005), "192.0.2.7", "two from one address"),
        ((7001, 7002), "", "two from different ones: not known"),
        ((7004,), "", "it is closed"),
        ((9999,), "", "a socket of another kind"),
        ((), "", "none"),
    ],
)
def test_from_where_a_connection_is(
    tmp_path: Path, inodes: tuple[int, ...], expected: str, why: str
) -> None:
    host = Host(str(tmp_path))
    rest = "00000000:00000000 00:00000000 00000000 0 0"
    lines = [
        f"   {n}: {place} {rest} {inode}\n" for n, (inode, place) in enumerate(LINES.items(), 1)
    ]
    host.write("proc/1/net/tcp", HEAD.decode() + "\n" + LISTENS + "".join(lines))
    holder(host, 50, *inodes)
    assert read_peers(Paths(host.root), [50, 60]) == {50: expected}, why


def test_where_no_connection_is_can_be_seen(tmp_path: Path) -> None:
    """No table is not no connection: it is asked for again."""
    host = Host(str(tmp_path))
    holder(host, 50, 7001)
    assert read_peers(Paths(host.root), [50]) == {}


def test_peers_of_too_many_are_for_another_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(str(tmp_path))
    for pid in (50, 60):
        holder(host, pid)
    monkeypatch.setattr(sockets, "MAX_LINKS", 1)
    assert read_peers(Paths(host.root), [50, 60]) == {50: ""}


def test_nobody_is_asked_when_all_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(str(tmp_path))
    holder(host, 50, 7001)
    assert read_owners(Paths(host.root), [7001], [50, 60]).pids == {7001: 50}
    monkeypatch.delattr(os, "scandir")
    assert read_owners(Paths(host.root), [], [50, 60]) == Owners({}, frozenset())


def test_a_million_descriptors_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody can name a program like a server: what is left unread is as if it were denied."""
    host = Host(str(tmp_path))
    for pid in (50, 60, 70):
        holder(host, pid, *range(pid * 100, pid * 100 + 20))
    read: list[str] = []
    real = os.readlink

    def readlink(path: str) -> str:
        read.append(path)
        return real(path)

    monkeypatch.setattr(os, "readlink", readlink)
    monkeypatch.setattr(sockets, "MAX_DESCRIPTORS", 10)
    monkeypatch.setattr(sockets, "MAX_LINKS", 15)
    held = read_owners(Paths(host.root), [1], [50, 60, 70])
    assert held == Owners({}, frozenset({50, 60, 70}))
    assert len(read) == 15
