"""Which connections of the host belong to its ssh, VNC and RDP servers.

A connection belongs to a service because of the process that listens, not because of its port.
Where that process cannot be known, its command line names the port, else the service's own
default ports are taken, if such a server runs at all.
"""

from __future__ import annotations

from textfile_users.connections.sockets import Socket
from textfile_users.processes.procfs import Process
from textfile_users.reading.addresses import is_loopback
from textfile_users.reading.text import decode, is_number
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

SSH = "ssh"
VNC = "vnc"
RDP = "rdp"
SERVICES = (SSH, VNC, RDP)

# By comm, of which the kernel keeps 15 bytes.
SERVERS = {
    "sshd": SSH,
    "sshd-session": SSH,  # since OpenSSH 9.8; it listens for what a client forwards only
    "dropbear": SSH,
    "Xvnc": VNC,
    "Xtigervnc": VNC,
    "Xtightvnc": VNC,
    "Xvnc4": VNC,
    "Xkasmvnc": VNC,
    "Xvnc-core": VNC,  # RealVNC's
    "vncserver-x11-c": VNC,
    "vncserver-x11-s": VNC,
    "x11vnc": VNC,
    "x0vncserver": VNC,
    "x0tigervncserve": VNC,
    "wayvnc": VNC,
    "vino-server": VNC,
    "krfb": VNC,
    "xrdp": RDP,
    "krdpserver": RDP,
    "gnome-remote-de": RDP,  # gnome-remote-desktop-daemon, which speaks VNC on VNC's ports
}
# They listen in the name of servers that they start.
STARTERS = ("systemd", "xinetd", "inetd")
# Of so many processes that users name like a server the command lines are read.
MAX_TITLES = 2_000
# What starts the desktop of an RDP session, an Xvnc or Xorg that xrdp speaks to.
XRDP_STARTERS = ("xrdp-sesman", "xrdp-sesexec")

SSH_PORT = 22
RDP_PORT = 3389
VNC_PORTS = range(5900, 6000)  # display :N listens on 5900+N
# Where a VNC server listens for X11 and for browsers, with the display's number added.
X11_PORTS = range(6000, 6100)
HTTP_PORTS = range(5800, 5900)

ANY = {4: ("0.0.0.0", "::"), 6: ("::",)}  # noqa: S104 - nothing is bound to it


class Server(Record):
    """A process that may listen for a service, or '' for one that does so for others.

    ``uid`` is the desktop's owner, -1 where the process does not tell (xrdp's), ``display`` its
    number or -1, ``ports`` are those that the command line names. A server does not listen
    (``listens``) if it serves a single connection. ``inner`` is the desktop of an RDP session:
    connections from the host itself are xrdp's own there.
    """

    pid: int
    service: str
    uid: int
    display: int = -1
    ports: tuple[int, ...] = ()
    listens: bool = True
    inner: bool = False


class Listener(Record):
    """Where the host listens, for a ``service`` or '' for another; ``pid`` is 0 if not known."""

    service: str
    ip: str
    port: int
    pid: int


class Connection(Record):
    """One connection of a client at ``ip`` and ``port`` to an ssh, vnc or rdp server.

    ``pid`` is the process that holds it, else the one that listens, 0 where neither is known.
    ``uid`` is who owns the desktop and ``display`` the number of it, for a session ``vnc:N``;
    each is -1 where it is not known. ``inode`` is the socket's.
    """

    service: str
    ip: str
    port: int
    inode: int
    pid: int = 0
    uid: int = -1
    display: int = -1


def known_servers(processes: Iterable[Process]) -> tuple[Process, ...]:
    """Return the processes that servers_of() wants to have with their command lines.

    Left out are ssh servers that another one started, for one connection each: their sockets
    listen for what a client forwards. Root's come first, and last those that listen for others.
    """
    known = [one for one in processes if one.comm in _KNOWN or one.pid == 1]
    ssh = {one.pid for one in known if SERVERS.get(one.comm) == SSH}
    sesmen = {one.pid for one in known if one.comm in XRDP_STARTERS}
    found = [
        one
        for one in known
        if not (one.pid in ssh and one.ppid in ssh)
        and one.pid not in sesmen
        and (one.comm != "Xorg" or one.ppid in sesmen)
    ]
    found = of_each_user(found, MAX_TITLES)
    return tuple(sorted(found, key=lambda one: (one.comm not in SERVERS, one.uid != 0, one.pid)))


def of_each_user(processes: list[Process], count: int) -> list[Process]:
    """Return the processes, or ``count`` of them: root's, then of each uid the oldest first."""
    if len(processes) <= count:
        return processes
    numbers: dict[int, int] = {}
    ranked = []
    for one in sorted(processes, key=lambda one: (one.start or 0.0, one.pid)):
        numbers[one.uid] = numbers.get(one.uid, 0) + 1
        ranked.append((numbers[one.uid] if one.uid else 0, one.uid, one.pid, one))
    return [process for *_, process in sorted(ranked, key=lambda one: one[:3])[:count]]


def servers_of(
    processes: Iterable[Process], known: Iterable[Process], titles: Mapping[int, bytes]
) -> tuple[Server, ...]:
    """Return the servers among ``known`` processes, in their order.

    ``titles`` are their command lines (/proc/PID/cmdline).
    """
    sesmen = {one.pid for one in processes if one.comm in XRDP_STARTERS}
    return tuple(_server(one, titles.get(one.pid, b""), inner=one.ppid in sesmen) for one in known)


def listeners_of(
    sockets: Iterable[Socket],
    servers: Iterable[Server],
    owners: Mapping[int, int],
    denied: Collection[int] | None,
    ssh_ports: Collection[int] = (),
) -> tuple[Listener, ...]:
    """Return what listens, and for which service.

    ``owners`` are pids by inode; ``denied`` are the servers that may hold more than these, None
    where /proc hides processes. ``ssh_ports`` are ssh's whoever listens there.
    """
    by_pid = {server.pid: server for server in servers}
    claims = _claims(by_pid.values(), denied)
    return tuple(
        _listener(socket, by_pid.get(owners.get(socket.inode, 0)), claims, ssh_ports)
        for socket in sockets
        if socket.listens
    )


def ports_of(listeners: Iterable[Listener], ssh_ports: Collection[int] = ()) -> frozenset[int]:
    """Return the local ports of which find_connections() wants the connections."""
    ports = {listener.port for listener in listeners if listener.service}
    return frozenset((SSH_PORT, *ssh_ports, *ports))


def find_connections(
    sockets: Iterable[Socket],
    listeners: Iterable[Listener],
    servers: Iterable[Server],
    ssh_ports: Collection[int] = (),
) -> tuple[Connection, ...]:
    """Return the connections to ssh, vnc and rdp servers, each once, but for xrdp's own.

    ssh's outlive its listener, which is not there while sshd is restarted.
    """
    by_place: dict[tuple[str, int], Listener] = {}
    for listener in sorted(listeners, key=lambda listener: not listener.service):
        by_place.setdefault((listener.ip, listener.port), listener)
    by_pid = {server.pid: server for server in servers}
    connections = []
    for socket in sockets:
        if socket.listens:
            continue
        found = _listener_for(socket, by_place)
        if found is None and socket.local_port in (SSH_PORT, *ssh_ports):
            found = Listener(SSH, socket.local_ip, socket.local_port, 0)
        server = by_pid.get(found.pid) if found else None
        if found and found.service and not _is_xrdps_own(socket, server):
            connections.append(_connection(socket, found, server))
    return tuple(connections)


def with_owners(
    connections: Iterable[Connection], servers: Iterable[Server], owners: Mapping[int, int]
) -> tuple[Connection, ...]:
    """Return the connections with the processes that hold them, pids by inode.

    They differ from those that listen for xrdp, gnome-remote-desktop and what systemd starts.
    """
    by_pid = {server.pid: server for server in servers}
    result = []
    for connection in connections:
        pid = owners.get(connection.inode, connection.pid)
        server = by_pid.get(pid)
        if pid != connection.pid:
            connection = connection._replace(pid=pid)  # noqa: PLW2901
            if server:
                display = connection.display if server.display < 0 else server.display
                connection = connection._replace(uid=server.uid, display=display)  # noqa: PLW2901
        result.append(connection)
    return tuple(result)


def count_connections(connections: Iterable[Connection]) -> dict[str, int]:
    """Return the number of connections of each service, 0 too."""
    counts = dict.fromkeys(SERVICES, 0)
    for connection in connections:
        counts[connection.service] += 1
    return counts


_KNOWN = frozenset((*SERVERS, *STARTERS, *XRDP_STARTERS, "Xorg"))


class _Claims(Record):
    """What is said of sockets whose holder is not known.

    ``stated`` are the servers by the port that their command lines name; on its default ports
    also a service of ``unstated`` listens.
    """

    stated: Mapping[int, Server]
    unstated: frozenset[str]


def _server(process: Process, title: bytes, inner: bool) -> Server:
    service = SERVERS.get(process.comm, "")
    if process.comm == "Xorg":
        service = RDP  # xrdp's, or it would not be known
    words = _words(service, title)
    display = -1 if service in ("", SSH) else _display(words)
    uid = -1 if process.comm == "xrdp" or service in ("", SSH) else process.uid
    by_display = process.comm.startswith("X") and process.comm != "Xorg" and display >= 0
    ports = _stated_ports(service, words)
    if by_display and not ports:
        ports = (VNC_PORTS.start + display,)
    listens = process.comm not in ("sshd-session", "Xorg") and not _is_ssh_session(title)
    return Server(process.pid, service, uid, display, ports, listens, inner)


def _words(service: str, title: bytes) -> list[str]:
    text = decode(title)
    # sshd's title is one string: `sshd: /usr/sbin/sshd -D -p 22 [listener] 0 of 10-100 startups`.
    return text.replace("\0", " ").split(" ") if service == SSH else text.split("\0")


def _is_ssh_session(title: bytes) -> bool:
    """Return whether it is an sshd of one connection: `sshd: alice [priv]`, `sshd: root@pts/0`."""
    return title.startswith(b"sshd: ") and b" [listener]" not in title


def _display(words: list[str]) -> int:
    """Return the number in the first word like ``:1`` or ``:0.0``, -1 without."""
    for word in words:
        number = word[1:].partition(".")[0]
        if word.startswith(":") and is_number(number):
            return int(number)
    return -1


def _stated_ports(service: str, words: list[str]) -> tuple[int, ...]:
    """Return the ports in `-p 22`, `-p22`, `-p 127.0.0.1:22`, `-rfbport 5901`, `rfbport=5901`."""
    ports = []
    for word, following in zip(words, (*words[1:], "")):
        name, _, value = word.partition("=")
        if service == SSH and word.startswith("-p"):
            value = word[2:] or following
        elif service == SSH or name.lstrip("-").lower() != "rfbport":
            continue
        value = (value or following).rpartition(":")[2]
        if is_number(value) and 0 < int(value) < 1 << 16:
            ports.append(int(value))
    return tuple(ports)


def _claims(servers: Iterable[Server], denied: Collection[int] | None) -> _Claims:
    if denied is None:  # any server may run
        return _Claims({}, frozenset(SERVICES))
    # Where a starter's descriptors are hidden, any server may have come from it.
    hidden = [one for one in servers if one.service and (one.pid in denied or 1 in denied)]
    stated = {port: server for server in hidden if server.listens for port in server.ports}
    return _Claims(stated, frozenset(one.service for one in hidden if not one.ports))


def _listener(
    socket: Socket, holder: Server | None, claims: _Claims, ssh_ports: Collection[int]
) -> Listener:
    service, port = "", socket.local_port
    if holder is None:
        holder = claims.stated.get(port)
        by_default = _default_service(port)
        service = by_default if by_default in claims.unstated else ""
    elif not holder.service:
        service = _default_service(port)
    if holder and holder.service and holder.listens and not _is_side_door(port, holder):
        service = _spoken(holder, port)
    if port in ssh_ports:
        service = SSH
    return Listener(service, socket.local_ip, port, holder.pid if holder else 0)


def _default_service(port: int) -> str:
    if port in VNC_PORTS:
        return VNC
    return {SSH_PORT: SSH, RDP_PORT: RDP}.get(port, "")


def _spoken(server: Server, port: int) -> str:
    """Return what a server speaks on a port: gnome-remote-desktop does VNC too."""
    return VNC if server.service == RDP and port in VNC_PORTS else server.service


def _is_side_door(port: int, server: Server) -> bool:
    """Return whether a VNC server has that port for X11 or for browsers."""
    for ports in (X11_PORTS, HTTP_PORTS):
        if server.service == VNC and port in ports and port not in server.ports:
            return server.display in (-1, port - ports.start)
    return False


def _listener_for(socket: Socket, by_place: Mapping[tuple[str, int], Listener]) -> Listener | None:
    version = 6 if ":" in socket.local_ip else 4
    for ip in (socket.local_ip, *ANY[version]):
        found = by_place.get((ip, socket.local_port))
        if found:
            return found
    return None


def _is_xrdps_own(socket: Socket, server: Server | None) -> bool:
    return server is not None and server.inner and is_loopback(socket.ip)


def _connection(socket: Socket, listener: Listener, server: Server | None) -> Connection:
    place = socket.ip, socket.port, socket.inode, listener.pid
    if listener.service == SSH or server is None:
        uid = display = -1
    else:
        uid, display = server.uid, server.display
    if listener.service == VNC and display < 0 and listener.port in VNC_PORTS:
        display = listener.port - VNC_PORTS.start
    return Connection(listener.service, *place, uid, display)
