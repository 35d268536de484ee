"""Which connections belong to ssh, VNC and RDP servers."""

from __future__ import annotations

import pytest

from textfile_users.connections.connection import (
    Connection,
    Listener,
    Server,
    count_connections,
    find_connections,
    known_servers,
    listeners_of,
    ports_of,
    servers_of,
    with_owners,
)
from textfile_users.connections.sockets import Socket
from textfile_users.processes.procfs import Process

ALICE = 1001
BOB = 1002
PEER = "198.51.100.7"
INODE = 5000

INIT = Process(1, "systemd", 0, 0.0, 0)
SSHD = Process(100, "sshd", 1, 10.0, 0)
XVNC = Process(200, "Xtigervnc", 1, 20.0, ALICE)
LISTENER_TITLE = b"sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups\0"


def listens(port: int, ip: str = "0.0.0.0", inode: int = INODE) -> Socket:
    return Socket(ip, port, "", 0, True, inode)


def connected(
    port: int, ip: str = PEER, local: str = "192.0.2.1", peer_port: int = 40000
) -> Socket:
    return Socket(local, port, ip, peer_port, False, INODE + peer_port)


def servers(processes: list[Process], titles: dict[int, bytes] | None = None) -> tuple[Server, ...]:
    return servers_of(processes, known_servers(processes), titles or {})


def counted(
    sockets: list[Socket],
    processes: list[Process],
    titles: dict[int, bytes],
    owners: dict[int, int],
    denied: frozenset[int] | None = frozenset(),
    ssh_ports: tuple[int, ...] = (),
) -> dict[str, int]:
    """Return the connections that count, by service, without zeros."""
    known = servers(processes, titles)
    listeners = listeners_of(sockets, known, owners, denied, ssh_ports)
    ports = ports_of(listeners, ssh_ports)
    asked = [one for one in sockets if one.listens or one.local_port in ports]
    counts = count_connections(find_connections(asked, listeners, known, ssh_ports))
    return {service: count for service, count in counts.items() if count}


# By service, whose process listens where; the kernel cuts a name after 15 bytes.
LISTENERS = {
    "ssh": [("sshd", 2222), ("dropbear", 2222)],
    "vnc": [
        *(("Xvnc", 7001), ("Xtigervnc", 5901), ("Xtightvnc", 5901), ("Xkasmvnc", 8444)),
        *(("x11vnc", 5900), ("vncserver-x11-core", 5900), ("x0vncserver", 5900)),
        *(("x0tigervncserver", 5900), ("wayvnc", 5900), ("vino-server", 5900), ("krfb", 5900)),
        ("gnome-remote-desktop-daemon", 5900),
    ],
    "rdp": [("xrdp", 3390), ("krdpserver", 3389), ("gnome-remote-desktop-daemon", 3389)],
    "": [
        *(("nginx", 22), ("nginx", 5901), ("nginx", 3389)),
        *(("qemu-system-x86", 5900), ("Xorg", 5900), ("ssh", 5901)),
    ],
}


@pytest.mark.parametrize(
    ("comm", "port", "service"),
    [(comm[:15], port, service) for service, found in LISTENERS.items() for comm, port in found],
)
def test_the_process_that_listens_decides(comm: str, port: int, service: str) -> None:
    process = Process(300, comm, 1, 5.0, ALICE)
    sockets = [listens(port), connected(port)]
    expected = {service: 1} if service else {}
    assert counted(sockets, [INIT, process], {}, {INODE: 300}) == expected


NO_RIGHTS = frozenset({1, 100, 200})
TITLES = {100: LISTENER_TITLE, 200: b"Xtigervnc\0:1\0-desktop\0x\0"}


@pytest.mark.parametrize(
    ("port", "processes", "titles", "denied", "ssh_ports", "service", "why"),
    [
        (22, [INIT, SSHD], TITLES, NO_RIGHTS, (), "ssh", "sshd's default port"),
        (2222, [INIT, SSHD], TITLES, NO_RIGHTS, (), "", "a port that nothing says is ssh's"),
        (2222, [INIT, SSHD], TITLES, NO_RIGHTS, (2222,), "ssh", "a port that is configured"),
        (2222, [INIT], {}, frozenset(), (2222,), "ssh", "configured, whoever listens (sslh)"),
        (
            2222,
            [INIT, SSHD],
            {100: LISTENER_TITLE.replace(b" -D", b" -D -p 2222")},
            NO_RIGHTS,
            (),
            "ssh",
            "sshd's command line names it",
        ),
        (2222, [INIT, SSHD], {100: b"/usr/sbin/sshd\0-p2222\0"}, NO_RIGHTS, (), "ssh", "old sshd"),
        (
            22,
            [INIT, SSHD],
            {100: LISTENER_TITLE.replace(b" -D", b" -D -p 2222")},
            NO_RIGHTS,
            (),
            "",
            "sshd listens elsewhere",
        ),
        (22, [INIT, SSHD], TITLES, frozenset(), (), "", "all may be read and none has it"),
        (22, [INIT], {}, NO_RIGHTS, (), "", "no sshd runs"),
        (22, [], {}, None, (), "ssh", "hidepid= hides all: the default port"),
        (5999, [], {}, None, (), "vnc", "the same, a display"),
        (6000, [], {}, None, (), "", "none of VNC's default ports"),
        (3389, [], {}, None, (), "rdp", "the same, RDP"),
        (5901, [INIT, XVNC], TITLES, NO_RIGHTS, (), "vnc", "display :1 listens there"),
        (5902, [INIT, XVNC], TITLES, NO_RIGHTS, (), "", "no VNC server says it does"),
        (
            7777,
            [INIT, XVNC],
            {200: b"Xvnc\0:1\0-rfbport\x007777\0"},
            NO_RIGHTS,
            (),
            "vnc",
            "rfbport decides",
        ),
        (
            7777,
            [INIT, XVNC],
            {200: b"Xvnc\0:1\0RfbPort=7777\0"},
            NO_RIGHTS,
            (),
            "vnc",
            "TigerVNC's other way to write it",
        ),
        (
            5901,
            [INIT, XVNC],
            {200: b"Xvnc\0:1\0-rfbport\x007777\0"},
            NO_RIGHTS,
            (),
            "",
            "rfbport instead of the display's port",
        ),
        (
            5901,
            [INIT, XVNC._replace(comm="x11vnc")],
            {200: b"x11vnc\0-display\0:0\0"},
            NO_RIGHTS,
            (),
            "vnc",
            "x11vnc takes the next port that is free",
        ),
        (5901, [INIT, XVNC], {}, NO_RIGHTS, (), "vnc", "a server that says nothing"),
        (8080, [INIT, XVNC], {}, NO_RIGHTS, (), "", "not on other ports"),
        (5901, [INIT, XVNC], TITLES, frozenset({200}), (), "vnc", "one that is denied to root too"),
        (5901, [INIT, XVNC], TITLES, frozenset({100}), (), "", "another one is denied"),
        (
            7777,
            [INIT, SSHD],
            {100: b"sshd: -p 7777 [priv]\0"},
            NO_RIGHTS,
            (),
            "",
            "a user of that name, whose sshd does not listen",
        ),
    ],
)
def test_where_the_holder_is_not_known(
    port: int,
    processes: list[Process],
    titles: dict[int, bytes],
    denied: frozenset[int] | None,
    ssh_ports: tuple[int, ...],
    service: str,
    why: str,
) -> None:
    sockets = [listens(port), connected(port)]
    expected = {service: 1} if service else {}
    assert counted(sockets, processes, titles, {}, denied, ssh_ports) == expected, why


@pytest.mark.parametrize(
    ("starter", "port", "expected", "why"),
    [
        (INIT, 22, {"ssh": 1}, "ssh.socket"),
        (INIT, 2222, {}, "some other socket unit"),
        (INIT, 5901, {"vnc": 1}, "Xvnc -inetd in a socket unit"),
        (Process(300, "xinetd", 1, 5.0, 0), 5900, {"vnc": 1}, "Xvnc -inetd"),
        (Process(1, "tini", 0, 5.0, 0), 22, {"ssh": 1}, "the first process, whatever its name"),
        (Process(1, "sshd", 0, 5.0, 0), 2222, {"ssh": 1}, "sshd as a container's first process"),
    ],
)
def test_what_starts_servers_listens_for_them(
    starter: Process, port: int, expected: dict[str, int], why: str
) -> None:
    sockets = [listens(port), connected(port)]
    processes = [Process(1, "systemd", 0, 0.0, 0)] if starter.pid != 1 else []
    assert counted(sockets, [*processes, starter], {}, {INODE: starter.pid}) == expected, why


def test_socket_activation_that_cannot_be_seen() -> None:
    """That sshd is at work shows in its process of a connection, whose parent is systemd."""
    session = Process(400, "sshd-session", 1, 5.0, 0)
    sockets = [listens(22, "::"), connected(22)]
    titles = {400: b"sshd-session: alice [priv]\0"}
    assert counted(sockets, [INIT, session], titles, {}, NO_RIGHTS) == {"ssh": 1}


def test_a_user_named_like_an_option_hides_no_sshd() -> None:
    session = Process(101, "sshd", 1, 5.0, 0)
    titles = {100: LISTENER_TITLE.replace(b" -D", b" -D -p 7777"), 101: b"sshd: -p 7777 [priv]\0"}
    sockets = [listens(7777), connected(7777)]
    found = counted(sockets, [INIT, SSHD, session], titles, {}, frozenset({1, 100, 101}))
    assert found == {"ssh": 1}


FORWARDS = [listens(22, inode=1), connected(22), listens(5901, "127.0.0.1", 2)]
FORWARDS += [connected(5901, "127.0.0.1", "127.0.0.1", 40001)]


@pytest.mark.parametrize(
    ("child", "title", "why"),
    [
        (Process(101, "sshd", 100, 5.0, 0), b"sshd: alice [priv]\0", "before 9.8"),
        (Process(101, "sshd-session", 100, 5.0, 0), b"sshd-session: alice@notty\0", "since 9.8"),
        (Process(101, "sshd", 1, 5.0, 0), b"sshd: root@pts/0\0", "root's, started by systemd"),
        (Process(101, "sshd-session", 1, 5.0, 0), b"sshd-session: root@pts/0\0", "the same"),
    ],
)
@pytest.mark.parametrize("denied", [frozenset(), frozenset({1, 100, 101})])
def test_what_a_client_forwards_is_not_ssh(
    child: Process, title: bytes, why: str, denied: frozenset[int]
) -> None:
    """An sshd of one connection listens for `ssh -R` and for X11."""
    processes = [INIT, SSHD, child]
    titles = {100: LISTENER_TITLE, 101: title}
    owners = {} if denied else {1: 100, 2: 101}
    assert counted(FORWARDS, processes, titles, owners, denied) == {"ssh": 1}, why


@pytest.mark.parametrize(
    ("port", "title", "expected", "why"),
    [
        (6001, b"Xvnc\0:1\0", {}, "X11 at display :1"),
        (5801, b"Xvnc\0:1\0", {}, "the viewer for browsers at display :1"),
        (6002, b"Xvnc\0:1\0", {"vnc": 1}, "another display's number: VNC, as far as we know"),
        (6001, b"Xvnc\0:1\0-rfbport\x006001\0", {"vnc": 1}, "told to speak VNC there"),
        (6005, b"", {}, "no display's number is known"),
    ],
)
def test_other_ports_of_a_vnc_server(
    port: int, title: bytes, expected: dict[str, int], why: str
) -> None:
    sockets = [listens(port), connected(port)]
    assert counted(sockets, [INIT, XVNC], {200: title}, {INODE: 200}) == expected, why


@pytest.mark.parametrize(
    ("listeners", "local", "peer", "count", "why"),
    [
        (["0.0.0.0"], "192.0.2.1", PEER, 1, "any address"),
        (["::"], "192.0.2.1", PEER, 1, "IPv4 at a listener of both families"),
        (["::"], "2001:db8::1", "2001:db8::2", 1, "IPv6"),
        (["0.0.0.0"], "2001:db8::1", "2001:db8::2", 0, "no listener of that family"),
        (["192.0.2.1"], "192.0.2.1", PEER, 1, "its address"),
        (["192.0.2.1"], "192.0.2.2", PEER, 0, "another address"),
        (["0.0.0.0", "::"], "192.0.2.1", PEER, 1, "two listeners are no two connections"),
        (["127.0.0.1"], "127.0.0.1", "127.0.0.1", 1, "through an ssh tunnel"),
    ],
)
def test_a_connection_belongs_to_the_listener_of_its_address(
    listeners: list[str], local: str, peer: str, count: int, why: str
) -> None:
    sockets = [listens(5901, ip) for ip in listeners]
    sockets.append(connected(5901, peer, local))
    found = counted(sockets, [INIT, XVNC], {}, {INODE: 200})
    assert found.get("vnc", 0) == count, why


def test_two_servers_at_one_port() -> None:
    """The one at the very address has the connection."""
    sockets = [listens(5901, inode=1), listens(5901, "127.0.0.1", 2)]
    sockets += [connected(5901, "127.0.0.1", "127.0.0.1"), connected(5901, PEER, peer_port=9)]
    assert counted(sockets, [INIT, XVNC], {}, {1: 200}) == {"vnc": 1}


def test_two_listeners_share_a_place() -> None:
    """With SO_REUSEPORT, or on two devices: the server of a service has it."""
    sockets = [listens(5901, inode=1), listens(5901, inode=2), connected(5901)]
    for owners in ({1: 200}, {2: 200}):
        assert counted(sockets, [INIT, XVNC], {}, owners) == {"vnc": 1}


def test_connections_outlive_a_listening_sshd() -> None:
    sockets = [connected(22), connected(2222), connected(5901), connected(3389)]
    assert counted(sockets, [INIT], {}, {}) == {"ssh": 1}
    assert counted(sockets, [INIT], {}, {}, ssh_ports=(2222,)) == {"ssh": 2}


XRDP = [
    INIT,
    Process(500, "xrdp", 1, 5.0, 0),
    Process(501, "xrdp", 500, 5.0, 0),
    Process(510, "xrdp-sesman", 1, 5.0, 0),
    Process(511, "xrdp-sesman", 510, 5.0, 0),
]
INNER_TITLE = {520: b"Xvnc\0:10\0-auth\0.Xauthority\0"}


@pytest.mark.parametrize("starter", ["xrdp-sesman", "xrdp-sesexec"])
def test_xrdp_speaks_to_its_own_vnc_server(starter: str) -> None:
    """One person at work is one connection, RDP's; who comes from elsewhere to it is another."""
    processes = [*XRDP[:-1], Process(511, starter, 510, 5.0, 0)]
    processes.append(Process(520, "Xvnc", 511, 5.0, ALICE))
    sockets = [listens(3389, inode=1), listens(5910, "127.0.0.1", 2), connected(3389)]
    sockets.append(connected(5910, "127.0.0.1", "127.0.0.1"))
    assert counted(sockets, processes, INNER_TITLE, {1: 500, 2: 520}) == {"rdp": 1}
    unknown = counted(sockets, processes, INNER_TITLE, {}, frozenset({1, 500, 501, 520}))
    assert unknown == {"rdp": 1}
    sockets = [listens(5910, inode=2), connected(5910)]
    assert counted(sockets, processes, INNER_TITLE, {2: 520}) == {"vnc": 1}


def test_desktops_of_rdp_sessions() -> None:
    """xrdp's process is not the person's; the X server that it started is."""
    processes = [*XRDP, Process(520, "Xorg", 511, 5.0, ALICE), Process(530, "Xorg", 1, 5.0, BOB)]
    found = servers(processes, {520: b"/usr/lib/xorg/Xorg\0:10\0-config\0xrdp/xorg.conf\0"})
    assert [one for one in found if one.inner] == [
        Server(520, "rdp", ALICE, 10, listens=False, inner=True)
    ]
    assert [one.uid for one in found if one.pid == 500] == [-1]
    assert 530 not in [one.pid for one in found]


@pytest.mark.parametrize(
    ("title", "port", "display", "why"),
    [
        (b"Xtigervnc\0:7\0-desktop\0x :9\0", 7001, 7, "the command line"),
        (b"Xtigervnc\0-displayfd\x005\0", 5903, 3, "the port"),
        (b"Xtigervnc\0-displayfd\x005\0", 7001, -1, "neither"),
        (b"x11vnc\0-display\0:0.0\0", 5907, 0, "the display that is shown, not the port"),
        (b"x11vnc\0-display\0:x\0", 7001, -1, "no number"),
        (b"x11vnc\0-display\0:\xd9\xa3\0", 7001, -1, "no ASCII number"),
        (b"\0\0\0", 7001, -1, "an overwritten title"),
    ],
)
def test_whose_desktop_it_is(title: bytes, port: int, display: int, why: str) -> None:
    known = servers([INIT, XVNC], {200: title})
    sockets = [listens(port), connected(port)]
    listeners = listeners_of(sockets, known, {INODE: 200}, ())
    assert find_connections(sockets, listeners, known) == (
        Connection("vnc", PEER, 40000, INODE + 40000, 200, ALICE, display),
    ), why


def test_owners_of_connections() -> None:
    """Who holds a connection may be another than who listens, and tells whose desktop it is."""
    handed = Process(700, "gnome-remote-desktop-daemon"[:15], 650, 9.0, BOB)
    daemon = Process(600, "gnome-remote-desktop-daemon"[:15], 1, 5.0, 990)
    session = Process(101, "sshd-session", 100, 9.0, 0)
    known = servers([INIT, SSHD, session, daemon, handed])
    sockets = [listens(3389, inode=1), listens(22, inode=2), connected(3389)]
    sockets += [connected(3389, peer_port=40001), connected(22, peer_port=40002)]
    listeners = listeners_of(sockets, known, {1: 600, 2: 100}, ())
    found = find_connections(sockets, listeners, known)
    assert [(one.pid, one.uid) for one in found] == [(600, 990), (600, 990), (100, -1)]
    owners = {INODE + 40001: 700, INODE + 40002: 101}
    known_owners = [(one.pid, one.uid) for one in with_owners(found, known, owners)]
    assert known_owners == [(600, 990), (700, BOB), (101, -1)]


def test_a_desktop_that_systemd_started() -> None:
    """Its display is that of the port where systemd listens; the server does not name it."""
    known = servers([INIT, XVNC], {200: b"Xvnc\0-inetd\0"})
    sockets = [listens(5901), connected(5901)]
    found = find_connections(sockets, listeners_of(sockets, known, {INODE: 1}, ()), known)
    assert [(one.pid, one.uid, one.display) for one in found] == [(1, -1, 1)]
    found = with_owners(found, known, {INODE + 40000: 200})
    assert [(one.pid, one.uid, one.display) for one in found] == [(200, ALICE, 1)]


def test_which_processes_may_hold_listeners() -> None:
    """Root's first, that nobody's descriptors use up the bound; last who listens for others."""
    processes = [
        Process(1, "systemd", 0, 0.0, 0),
        Process(50, "bash", 1, 5.0, ALICE),
        Process(90, "Xvnc", 1, 5.0, ALICE),
        Process(100, "sshd", 1, 5.0, 0),
        Process(101, "sshd", 100, 5.0, 0),
        Process(102, "sshd", 101, 5.0, ALICE),
        Process(110, "dropbear", 1, 5.0, 0),
        Process(111, "dropbear", 110, 5.0, 0),
        Process(120, "x11vnc", 1, 5.0, BOB),
        Process(121, "x11vnc", 120, 5.0, BOB),
        Process(130, "sshd", 50, 5.0, ALICE),
        Process(140, "systemd", 1, 5.0, ALICE),
    ]
    assert [one.pid for one in known_servers(processes)] == [100, 110, 90, 120, 121, 130, 1, 140]


def test_without_any_connection_each_service_is_zero() -> None:
    assert count_connections(()) == {"ssh": 0, "vnc": 0, "rdp": 0}


def test_only_ports_of_servers_are_asked_for() -> None:
    listeners = (Listener("", "::", 443, 0), Listener("vnc", "::", 5901, 200))
    assert ports_of(listeners) == {22, 5901}
    assert ports_of(listeners, (2222,)) == {22, 2222, 5901}


@pytest.mark.parametrize(
    ("title", "ports", "why"),
    [
        (
            b"/usr/sbin/dropbear\0-p\x002222\0-p\x00127.0.0.1:2223\0",
            (2222, 2223),
            "with an address",
        ),
        (b"sshd\0-p\0", (), "cut"),
        (b"sshd\0-p\x000\0-p\x0099999\0-p\x00x\0-p\x00" + b"9" * 5000 + b"\0", (), "no ports"),
        (b"sshd\0-o\0Port=1\0", (), "a way that is not known"),
        (b"\xff\xfe\0", (), "not UTF-8"),
    ],
)
def test_ports_in_titles(title: bytes, ports: tuple[int, ...], why: str) -> None:
    assert servers([SSHD], {100: title})[0].ports == ports, why
