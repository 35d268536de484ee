"""Real sshd, real TigerVNC and other servers: who is connected, as ss(8) has it."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.e2e.parts import Box, free_port

pytestmark = pytest.mark.e2e

PATIENCE = 20  # seconds until what was started must be there
ALICE = 20001

# What the program does with what it finds; argv[1:] are ports of --ssh-port.
LOOK = """
import json, os, sys
from textfile_users.connections import connection as c
from textfile_users.processes.procfs import Process
from textfile_users.paths import Paths
from textfile_users.connections import sockets as s
from textfile_users.processes.procfs import read_command_lines
paths, ssh_ports = Paths(), tuple(map(int, sys.argv[1:]))
processes = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        head, _, tail = open(f"/proc/{pid}/stat").read().rpartition(")")
        uid = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        continue
    processes.append(Process(int(pid), head.partition("(")[2], int(tail.split()[1]), 0.0, uid))
known = c.known_servers(processes)
pids = [one.pid for one in known]
servers = c.servers_of(processes, known, read_command_lines(paths, pids))
tables, report = s.read_sockets(paths)
owners, denied = s.read_owners(paths, (one.inode for one in tables.listening), pids)
hidden = 1 not in pids
listeners = c.listeners_of(
    tables.listening, servers, owners, None if hidden else denied, ssh_ports)
sockets, damaged = s.parse_connections(tables.connected, c.ports_of(listeners, ssh_ports))
found = c.find_connections(sockets, listeners, servers, ssh_ports)
owners, _ = s.read_owners(paths, (one.inode for one in found), pids)
found = c.with_owners(found, servers, owners)
print(json.dumps({
    "counts": c.count_connections(found),
    "connections": [one._asdict() for one in found],
    "listening": [(one.local_ip, one.local_port) for one in tables.listening],
    "report": report, "damaged": damaged, "denied": len(denied), "hidden": hidden,
}))
"""
OTHER = """
import socket, sys, time
servers = [socket.create_server(("127.0.0.1", int(port))) for port in sys.argv[1:]]
print("ready", flush=True)
time.sleep(600)
"""


def look(box: Box, *ssh_ports: int, user: str = "root", hide: bool = False) -> dict[str, object]:
    """Return what a scan in the box finds; with `hide` /proc shows a user only their own."""
    argv = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
    argv += ["/opt/textfile-users/bin/python", "-I", "-c", LOOK, *map(str, ssh_ports)]
    if hide:
        script = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"'
        argv = ["unshare", "--mount", "sh", "-c", script, "sh", *argv]
    found: dict[str, object] = json.loads(box.run(*argv).stdout)
    return found


def counts(found: dict[str, object], before: dict[str, object]) -> dict[str, int]:
    """Return the numbers of connections beside those that the host had before."""
    now, then = found["counts"], before["counts"]
    assert isinstance(now, dict)
    assert isinstance(then, dict)
    return {service: now[service] - then[service] for service in now}


def established(box: Box, port: int) -> list[str]:
    """Return the peers of the host's connections at a local port, as ss tells them."""
    lines = box.run("ss", "-Htn", "state", "established", "sport", "=", f":{port}").stdout
    return [line.split()[-1] for line in lines.splitlines()]


def listeners(box: Box) -> set[tuple[str, int]]:
    """Return the addresses and ports where the host listens, as ss tells them."""
    lines = box.run("ss", "-Htln").stdout.splitlines()
    pairs = [line.split()[3].rpartition(":") for line in lines]
    names = {"*": "::"}
    return {(names.get(ip, ip.strip("[]").partition("%")[0]), int(port)) for ip, _, port in pairs}


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def started(box: Box, user: str, *argv: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program in the box as `user`, with a /tmp of its own; it ends with the block."""
    script = 'mount -t tmpfs -o mode=1777 tmpfs /tmp && mkdir -m 1777 /tmp/.X11-unix && exec "$@"'
    as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
    process = subprocess.Popen(
        box.argv("unshare", "--mount", "sh", "-c", script, "sh", *as_user,
                 "--pdeathsig=KILL", *argv),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def login(box: Box, port: int, *argv: str) -> Iterator[subprocess.Popen[bytes]]:
    client = box.ssh(port, *argv)
    try:
        yield client
    finally:
        client.kill()
        client.communicate()


def is_free(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_displays(count: int) -> list[int]:
    """Return numbers of displays at whose ports nobody listens."""
    return [number for number in range(40, 99) if is_free(5900 + number)][:count]


def receive(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        assert more, "the server hung up"
        data += more
    return data


@contextmanager
def viewer(port: int) -> Iterator[int]:
    """Look at the desktop behind a port (RFC 6143, without a password); give the own port."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
        assert receive(sock, 12) == b"RFB 003.008\n"
        sock.sendall(b"RFB 003.008\n")
        kinds = receive(sock, receive(sock, 1)[0])
        assert 1 in kinds
        sock.sendall(b"\x01")
        assert receive(sock, 4) == b"\0\0\0\0"
        sock.sendall(b"\x01")  # others may look too
        receive(sock, 24)
        yield sock.getsockname()[1]


class Servers:
    """What listens while a test runs: ports of each, and the desktop's display."""

    def __init__(self, box: Box, running: ExitStack) -> None:
        """Start an sshd, a desktop of alice's, and bob's servers of something else."""
        self.display, fake, forwarded = free_displays(3)
        self.ssh = box.sshd()
        self.vnc = 5900 + self.display
        self.others = [5900 + fake, free_port()]
        self.forwarded = 5900 + forwarded
        self.tunnel = free_port()
        desktop = started(
            box, "tu-alice", "Xtigervnc", f":{self.display}", "-SecurityTypes", "None",
            "-localhost", "-geometry", "320x200", "-nolisten", "local", "-AlwaysShared",
        )  # fmt: skip
        running.enter_context(desktop)
        other = started(box, "tu-bob", "/usr/bin/python3", "-c", OTHER, *map(str, self.others))
        stdout = running.enter_context(other).stdout
        assert stdout is not None
        assert stdout.readline() == "ready\n"
        wait_for(lambda: ("127.0.0.1", self.vnc) in listeners(box))


@pytest.fixture(scope="module")
def servers(box: Box) -> Iterator[Servers]:
    with ExitStack() as running:
        yield Servers(box, running)


@contextmanager
def clients(box: Box, servers: Servers) -> Iterator[list[int]]:
    """Connect three times to sshd, twice to the desktop, and to what is neither.

    Gives the viewers' ports as the desktop sees them, the tunnel's last.
    """
    with ExitStack() as running:
        session = running.enter_context(login(box, servers.ssh, "-T", "echo ready; exec sleep 60"))
        assert session.stdout is not None
        assert session.stdout.readline() == b"ready\n"
        running.enter_context(login(box, servers.ssh, "-s", "sftp"))
        forwards = [
            "-L", f"{servers.tunnel}:127.0.0.1:{servers.vnc}",
            "-R", f"{servers.forwarded}:127.0.0.1:{servers.others[0]}",
        ]  # fmt: skip
        running.enter_context(login(box, servers.ssh, "-N", *forwards, "unused"))
        wait_for(lambda: len(established(box, servers.ssh)) == 3)
        wait_for(lambda: {("127.0.0.1", servers.tunnel), ("127.0.0.1", servers.forwarded)}
                 <= listeners(box))  # fmt: skip
        direct = running.enter_context(viewer(servers.vnc))
        running.enter_context(viewer(servers.tunnel))
        for port in (*servers.others, servers.forwarded):
            running.enter_context(socket.create_connection(("127.0.0.1", port)))
        # The forward's end, in its turn.
        wait_for(lambda: len(established(box, servers.others[0])) == 2)
        peers = [int(peer.rpartition(":")[2]) for peer in established(box, servers.vnc)]
        assert len(peers) == 2
        yield sorted(peers, key=lambda port: port != direct)


@pytest.mark.parametrize("user", ["root", "tu-carol"])
def test_connections_are_those_of_ss(box: Box, servers: Servers, user: str) -> None:
    """An unprivileged user sees as much: what servers' command lines say is open to all."""
    before = look(box, user=user)  # who is logged in over ssh has a connection of the host's
    with clients(box, servers) as viewers:
        found = look(box, user=user)
        assert counts(found, before) == {"ssh": 3, "vnc": 2, "rdp": 0}
        assert (found["report"], found["damaged"]) == (["sockets", "ok", [], [["damaged", 0]]], 0)
        assert bool(found["denied"]) == (user != "root")
        known, connections = before["connections"], found["connections"]
        assert isinstance(known, list)
        assert isinstance(connections, list)
        connections = [one for one in connections if one not in known]
        ssh = {f"{one['ip']}:{one['port']}" for one in connections if one["service"] == "ssh"}
        assert ssh == set(established(box, servers.ssh))
        desktops = [one for one in connections if one["service"] == "vnc"]
        assert sorted(one["port"] for one in desktops) == sorted(viewers)
        for one in desktops:
            assert (one["ip"], one["uid"], one["display"]) == ("127.0.0.1", ALICE, servers.display)
            assert box.run("cat", f"/proc/{one['pid']}/comm").stdout == "Xtigervnc\n"
        ours = {servers.ssh, servers.vnc, servers.forwarded, servers.tunnel, *servers.others}
        listening = found["listening"]
        assert isinstance(listening, list)
        mine = {(ip, port) for ip, port in listening if port in ours}
        assert mine == {(ip, port) for ip, port in listeners(box) if port in ours}
        assert {port for _, port in mine} == ours


def test_who_sees_no_process_counts_default_ports(box: Box, servers: Servers) -> None:
    """With hidepid=2 what is no VNC looks like it at displays' ports, and sshd's must be named."""
    before = look(box, servers.ssh, user="tu-carol", hide=True)
    with clients(box, servers):
        found = look(box, servers.ssh, user="tu-carol", hide=True)
        assert found["hidden"] is True
        assert counts(found, before) == {"ssh": 3, "vnc": 5, "rdp": 0}
        unnamed = look(box, user="tu-carol", hide=True)
        assert counts(unnamed, before) == {"ssh": 0, "vnc": 5, "rdp": 0}


@pytest.mark.parametrize("user", ["root", "tu-carol"])
def test_what_has_ended_does_not_count(box: Box, servers: Servers, user: str) -> None:
    none = {"ssh": 0, "vnc": 0, "rdp": 0}
    before = look(box, user=user)
    with clients(box, servers):
        assert counts(look(box, user=user), before) != none
    wait_for(lambda: counts(look(box, user=user), before) == none)


def test_a_private_network_does_not_hide_the_hosts(box: Box, servers: Servers) -> None:
    """The unit has PrivateNetwork=, so its own tables are empty."""
    program = ["/opt/textfile-users/bin/python", "-I", "-c", LOOK]
    as_carol = ["setpriv", "--reuid=tu-carol", "--regid=tu-carol", "--init-groups"]
    argv = ["unshare", "--net", *as_carol, *program]
    before = json.loads(box.run(*argv).stdout)
    with clients(box, servers):
        found = json.loads(box.run(*argv).stdout)
    assert counts(found, before) == {"ssh": 3, "vnc": 2, "rdp": 0}
