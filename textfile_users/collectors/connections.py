"""Who is connected to the host's ssh, VNC and RDP servers."""

from __future__ import annotations

from textfile_users.connections import (
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
from textfile_users.kept import NOTHING, Network
from textfile_users.model import (
    ABSENT,
    CONNECTIONS,
    DENIED,
    OK,
    Process,
    Snapshot,
    SourceReport,
    Wanted,
)
from textfile_users.paths import Paths
from textfile_users.sources.sockets import (
    Tables,
    parse_connections,
    read_activity,
    read_owners,
    read_sockets,
)
from textfile_users.sources.terminals import read_command_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# For so long what was found is believed while the kernel's counts of connections stay the same:
# one that begins while another ends, unseen, leaves them so.
BELIEVED_SECONDS = 60.0
MAX_SERVERS = 256  # anybody may name a thousand processes like one


def look_at_connections(
    paths: Paths, wanted: Wanted, before: Snapshot, deadline: float
) -> Iterator[Snapshot]:
    """Add the connections, each with the process that holds it where that is known.

    A table that is not read to its end at ``deadline`` is none. Raises nothing.
    """
    known = known_servers(before.processes or ())
    kept = before.kept or NOTHING
    signature = _signature(paths, known, wanted)
    last = kept.network
    if signature == last.signature != "" and 0 <= before.now - last.time < BELIEVED_SECONDS:
        report = SourceReport("sockets", OK, (), (("damaged", 0),))
        yield _with_report(before._replace(connections=last.connections), report)
        return
    tables, report = read_sockets(paths, deadline)
    if tables is None:
        yield _with_report(before, report)
        return
    found, damaged = _find(paths, wanted, before, known, tables)
    unusable = tuple((reason, count + damaged) for reason, count in report.unusable)
    network = Network(signature if report.status == OK else "", before.now, found)
    after = before._replace(connections=found, kept=kept._replace(network=network))
    yield _with_report(after, report._replace(unusable=unusable))


def _signature(paths: Paths, known: tuple[Process, ...], wanted: Wanted) -> str:
    """Return a text that is the same while no connection and no server begins or ends, or ''."""
    activity = read_activity(paths)
    if activity is None or len(known) > MAX_SERVERS:
        return ""
    servers = (f"{one.pid}:{one.uid}:{one.start}" for one in known)
    return " ".join((*map(str, activity), *servers, *map(str, wanted.ssh_ports)))


def _find(
    paths: Paths, wanted: Wanted, before: Snapshot, known: tuple[Process, ...], tables: Tables
) -> tuple[tuple[Connection, ...], int]:
    """Return the connections, and how many lines of tables are damaged."""
    processes = before.processes or ()
    statuses = {source.name: source.status for source in before.sources}
    titles = read_command_lines(paths, (one.pid for one in known))
    servers = servers_of(processes, known, titles)
    listening = tables.listening
    owners = read_owners(paths, (one.inode for one in listening), (one.pid for one in known))
    denied = owners.denied if before.processes and statuses.get("procfs") != DENIED else None
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


def _with_report(snapshot: Snapshot, report: SourceReport) -> Snapshot:
    success = report.status in (OK, ABSENT)
    return snapshot._replace(
        sources=(*snapshot.sources, report),
        faults=(*snapshot.faults, *report.faults),
        failed=snapshot.failed if success else (*snapshot.failed, CONNECTIONS),
    )
