"""Who is connected to the host's ssh, VNC and RDP servers."""

from __future__ import annotations

from textfile_users.collecting import DENIED, OK, Reports, SourceReport, reports_of
from textfile_users.connections.connection import (
    SERVERS,
    SSH,
    Connection,
    find_connections,
    known_servers,
    listeners_of,
    ports_of,
    servers_of,
    with_owners,
)
from textfile_users.connections.sockets import (
    Tables,
    parse_connections,
    read_activity,
    read_owners,
    read_sockets,
)
from textfile_users.processes.procfs import read_command_lines
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from textfile_users.collecting import Scan, Wanted
    from textfile_users.paths import Paths
    from textfile_users.processes.procfs import Process

# For so long what was found is believed while the kernel's counts of connections stay the same:
# one that begins while another ends, unseen, leaves them so.
BELIEVED_SECONDS = 60.0
MAX_SERVERS = 256  # anybody may name a thousand processes like one


class ConnectionsMemory(Record):
    """The connections found at ``time``, and a text that changes when they do, or ''."""

    signature: str = ""
    time: float = 0.0
    connections: tuple[Connection, ...] = ()


class ConnectionsFound(Record):
    """The connections, each with the process that holds it where that is known; None unknown."""

    memory: ConnectionsMemory = ConnectionsMemory()
    reports: Reports = Reports()
    connections: tuple[Connection, ...] | None = None


def collect_connections(
    scan: Scan,
    before: ConnectionsMemory,
    processes: Sequence[Process],
    statuses: Mapping[str, str],
    deadline: float,
) -> Iterator[ConnectionsFound]:
    """Find the connections; ``processes`` are all that are known, ``statuses`` those of sources.

    A table that is not read to its end at ``deadline`` is none. Raises nothing.
    """
    known = known_servers(processes)
    signature = _signature(scan.paths, known, scan.wanted)
    if signature == before.signature != "" and 0 <= scan.now - before.time < BELIEVED_SECONDS:
        report = SourceReport("sockets", OK, (), (("damaged", 0),))
        yield ConnectionsFound(before, reports_of(report), before.connections)
        return
    tables, report = read_sockets(scan.paths, deadline)
    if tables is None:
        yield ConnectionsFound(before, reports_of(report))
        return
    found, damaged = _find(scan, processes, known, statuses, tables)
    unusable = tuple((reason, count + damaged) for reason, count in report.unusable)
    after = ConnectionsMemory(signature if report.status == OK else "", scan.now, found)
    yield ConnectionsFound(after, reports_of(report._replace(unusable=unusable)), found)


def _signature(paths: Paths, known: tuple[Process, ...], wanted: Wanted) -> str:
    """Return a text that is the same while no connection and no server begins or ends, or ''."""
    activity = read_activity(paths)
    if activity is None or len(known) > MAX_SERVERS:
        return ""
    servers = (f"{one.pid}:{one.uid}:{one.start}" for one in known)
    return " ".join((*map(str, activity), *servers, *map(str, wanted.ssh_ports)))


def _find(
    scan: Scan,
    processes: Sequence[Process],
    known: tuple[Process, ...],
    statuses: Mapping[str, str],
    tables: Tables,
) -> tuple[tuple[Connection, ...], int]:
    """Return the connections, and how many lines of tables are damaged."""
    paths, wanted = scan.paths, scan.wanted
    titles = read_command_lines(paths, (one.pid for one in known))
    servers = servers_of(processes, known, titles)
    listening = tables.listening
    owners = read_owners(paths, (one.inode for one in listening), (one.pid for one in known))
    denied = owners.denied if processes and statuses.get("procfs") != DENIED else None
    listeners = listeners_of(listening, servers, owners.pids, denied, wanted.ssh_ports)
    ports = ports_of(listeners, wanted.ssh_ports)
    sockets, damaged = parse_connections(tables.connected, ports)
    found = find_connections(sockets, listeners, servers, wanted.ssh_ports)
    # Where logind knows the sessions of ssh, nobody asks whose connection is whose.
    asked = [one for one in found if one.service != SSH or statuses.get("logind") != OK]
    comms = {comm for comm, service in SERVERS.items() if service in {one.service for one in asked}}
    holders = (process.pid for process in processes if process.comm in comms)
    pids = read_owners(paths, (one.inode for one in asked), holders).pids
    return with_owners(found, servers, pids), damaged
