"""Sessions that nothing records, from processes and their titles; each counts once.

SSH without a PTY on hosts without logind, mosh, detached tmux and screen, and what the caller
found by sockets (VNC, RDP). Names of programs and titles of processes are free to choose; only
root's are believed, and a user can invent no more than sessions of the user's own.
"""

from __future__ import annotations

from textfile_users.accounts.account import Account
from textfile_users.connections.connection import MAX_TITLES, of_each_user
from textfile_users.processes.procfs import Process, parse_title
from textfile_users.reading.addresses import is_loopback
from textfile_users.reading.text import decode
from textfile_users.record import Record
from textfile_users.sessions.activity import ENDED, owners, terminal_name
from textfile_users.sessions.session import (
    DROPBEAR,
    MOSH,
    REMOTE_TYPES,
    SCREEN,
    SSHD,
    TMUX,
    Session,
    service_of,
    with_unique_ids,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    # type, user, display (vnc:1), ip, start, pid
    Remote = tuple[str, str, str, str, float, int]

MULTIPLEXER = "multiplexer"
DESKTOPS = ("x11", "wayland")
MAX_OF_USER = 50  # sessions that nothing records

_PRIVILEGED = (" [priv]", " [postauth]")  # before OpenSSH 10.6, and since
_NO_TERMINAL = ("notty", "internal-sftp")


class _Known(Record):
    """What is recorded, for finding out whether a process belongs to it.

    ``claimed`` are the leaders and all they descend from: utmp may name the shell of a
    connection. ``owner`` is what owners() says.
    """

    sessions: tuple[Session, ...]
    by_pid: Mapping[int, Process]
    claimed: frozenset[int]
    owner: Mapping[int, str]
    terminals: frozenset[tuple[str, str]]  # user and tty
    by_logind: bool


def titles_wanted(
    sessions: Iterable[Session], processes: Collection[Process], *, by_logind: bool
) -> set[int]:
    """Return the pids of which unrecorded() wants the title.

    They are those of sshd whose session is not known, of its parents and children, and those of
    screen, of which anybody may have many. Arguments are as there.
    """
    known = _know(sessions, processes, by_logind)
    leaders = {process.pid for process in processes if _may_lead(process, known)}
    parents = {known.by_pid[pid].ppid for pid in leaders}
    screens = [one for one in processes if one.comm.startswith(SCREEN) and not known.owner[one.pid]]
    return {one.pid for one in of_each_user(screens, MAX_TITLES)} | {
        process.pid
        for process in processes
        if process.pid in leaders
        or process.ppid in leaders
        or (process.pid in parents and process.comm in SSHD)
    }


def unrecorded(
    sessions: Iterable[Session],
    processes: Collection[Process],
    titles: Mapping[int, bytes],
    accounts: Collection[Account],
    remotes: Iterable[Remote] = (),
    peers: Mapping[int, str] = {},
    *,
    by_logind: bool,
) -> tuple[Session, ...]:
    """Return the sessions beside the known ``sessions``, the oldest first.

    ``titles`` are the command lines of titles_wanted(), ``accounts`` those of the processes'
    uids as far as they are known, ``remotes`` sessions that sockets show (a start of 0 is
    one that nobody knows), ``peers`` the addresses of SSH connections by the pid of a process
    that holds the socket. ``by_logind`` says that logind could be read: a process in a session
    of its that does not count is no other session's.
    """
    known = _know(sessions, processes, by_logind)
    names = {account.uid: account.user for account in accounts}
    uids = {account.user: account.uid for account in accounts}
    found = [
        *_ssh(known, titles, uids, peers),
        *_dropbear(known, names, peers),
        *_mosh(known, names),
        *_remote(known, remotes),
    ]
    count = len(known.sessions)
    everything = with_unique_ids([*known.sessions, *sorted(found, key=_age)])
    servers = [process for process in processes if _is_multiplexer(process, titles)]
    if servers:
        owner = owners(everything, processes)
        users = {session.user for session in everything}
        alone = _multiplexers([one for one in servers if not owner[one.pid]], users, names)
        everything = with_unique_ids([*everything, *alone])
    return tuple(sorted(everything[count:], key=_age))


def bounded(found: Iterable[Session], places: int) -> list[Session]:
    """Return of what unrecorded() ``found`` at most 50 a user, and ``places`` in all.

    Uids without a name are one user's, who may have 65,536, see subuid(5). Of a user sshd's come
    first, for nobody else can make them, then processes by their age, last what a socket alone
    shows, for strangers can make that; of all the newest stay.
    """
    kept: dict[str, list[Session]] = {}
    for session in sorted(found, key=lambda one: (one.type != "ssh", not one.start, _age(one))):
        of_user = kept.setdefault("" if session.user.isdigit() else session.user, [])
        if len(of_user) < MAX_OF_USER:
            of_user.append(session)
    everything = sorted((one for of_user in kept.values() for one in of_user), key=_age)
    return everything[max(0, len(everything) - places) :]


def without_windows(sessions: Iterable[Session]) -> tuple[Session, ...]:
    """Return the sessions without multiplexers of users who have another session, in their order.

    A server that utmp records is found to be alone before unrecorded sessions are known.
    """
    sessions = tuple(sessions)
    users = {session.user for session in sessions if session.type != MULTIPLEXER}
    return tuple(
        session for session in sessions if session.type != MULTIPLEXER or session.user not in users
    )


def _know(sessions: Iterable[Session], processes: Collection[Process], by_logind: bool) -> _Known:
    sessions = tuple(sessions)
    by_pid = {process.pid: process for process in processes}
    claimed: set[int] = set()
    for session in sessions:
        ancestor = by_pid.get(session.leader) if session.leader > 1 else None
        while ancestor and ancestor.pid not in claimed:
            claimed.add(ancestor.pid)
            ancestor = by_pid.get(ancestor.ppid)
    return _Known(
        sessions,
        by_pid,
        frozenset(claimed),
        owners(sessions, processes),
        frozenset((session.user, session.tty) for session in sessions),
        by_logind,
    )


def _is_recorded(process: Process, known: _Known) -> bool:
    """Return whether a connection's process belongs to a session that is known, or to logind."""
    return (
        process.pid in known.claimed
        or known.owner[process.pid] != ""
        or (known.by_logind and process.session != "")
    )


def _is_on(user: str, tty: str, known: _Known) -> bool:
    """Return whether a session of the user is on that terminal; a container has a pts/0 too."""
    return tty != "" and any((name, tty) in known.terminals for name in _spellings(user))


def _may_lead(process: Process, known: _Known) -> bool:
    """Return whether it may be root's sshd of a connection: nobody but root is its parent."""
    if process.comm not in SSHD or process.uid != 0 or _is_recorded(process, known):
        return False
    parent = known.by_pid.get(process.ppid)
    return process.state not in ENDED and (parent is None or parent.uid == 0)


def _ssh(
    known: _Known,
    titles: Mapping[int, bytes],
    uids: Mapping[str, int],
    peers: Mapping[int, str],
) -> Iterator[Session]:
    """Yield a session for each connection with a user: what is not authenticated yet has none.

    The leader is root's and says for whom, ``alice [priv]``; its child is that user's. For root
    (and without privilege separation) one process is both, ``root@notty``.
    """
    children = _children(known, titles)
    for pid in titles:
        leader = known.by_pid.get(pid)
        if leader is None or not _may_lead(leader, known):
            continue
        said, above = _said(titles, pid), _said(titles, leader.ppid)
        if above.endswith(_PRIVILEGED) or _user_of(above, uids):
            continue  # a process of a connection: internal-sftp, or root's own
        if said.endswith(_PRIVILEGED):
            user = said.rpartition(" ")[0]
            worker = _worker(children.get(pid, ()), titles, user, uids)
        else:
            user, worker = _user_of(said, uids), leader
        if not user or worker is None:
            continue
        # A title that names somebody else is the user's invention.
        ttys = (
            parse_title(titles[worker.pid])
            if _said(titles, worker.pid).startswith(user + "@")
            else ()
        )
        if not any(_is_on(user, tty, known) for tty in ttys):
            ip = peers.get(pid) or peers.get(worker.pid, "")
            yield _session(worker, leader, "ssh", user, ttys[0] if ttys else "", ip)


def _said(titles: Mapping[int, bytes], pid: int) -> str:
    """Return what an sshd's title says, '' for other programs.

    The listener says its command line, a connection ``[accepted]`` before it knows more.
    """
    program, _, said = decode(titles.get(pid, b"").partition(b"\0")[0]).partition(": ")
    return said if program in SSHD else ""


def _user_of(said: str, uids: Mapping[str, int]) -> str:
    """Return for whom a root's sshd that is no ``[priv]`` works, '' where that is not known yet.

    The name alone, without ``@``, is a connection for forwards only; who is not root has
    a process of their own for that.
    """
    user, at, terminals = said.rpartition("@")
    if at and (terminals in _NO_TERMINAL or parse_title(b"sshd: " + said.encode())):
        return user
    return said if uids.get(said, 0 if said == "root" else -1) == 0 else ""


def _worker(
    children: Iterable[Process], titles: Mapping[int, bytes], user: str, uids: Mapping[str, int]
) -> Process | None:
    """Return the sshd that works as ``user``, None before the user is authenticated.

    Until then there are children of the system account sshd, ``[net]``, and of root, ``[pam]``.
    A user can change a title of the user's own process, so that the uid alone decides.
    """
    uid = uids.get(user)
    for child in children:
        said = _said(titles, child.pid)
        named = said == user or said.startswith(user + "@")
        if named if uid is None else child.uid == uid and (named or uid != 0):
            return child
    return None


def _children(known: _Known, parents: Collection[int]) -> dict[int, list[Process]]:
    """Return the live children of each of ``parents``."""
    children: dict[int, list[Process]] = {}
    for process in known.by_pid.values():
        if process.ppid in parents and process.state not in ENDED:
            children.setdefault(process.ppid, []).append(process)
    return children


def _dropbear(
    known: _Known, names: Mapping[int, str], peers: Mapping[int, str]
) -> Iterator[Session]:
    """Yield dropbear's connections that run a program, or have become the user's.

    Its titles say nothing. While a connection's process is root's, as in older releases and for
    root, one that only forwards is like one not authenticated yet: both are left out. So are
    those that inetd started.
    """
    connections = {
        process.pid
        for process in known.by_pid.values()
        if process.comm == DROPBEAR and _is_listener(known.by_pid.get(process.ppid), known)
    }
    children = _children(known, connections) if connections else {}
    for pid in connections:
        leader = known.by_pid[pid]
        programs = [child for child in children.get(pid, ()) if child.comm != DROPBEAR]
        worker = programs[0] if programs else leader
        uid = worker.uid
        tty = terminal_name(worker.tty)
        user = names.get(uid, str(uid))
        counted = _is_recorded(leader, known) or _is_on(user, tty, known)
        if not counted and leader.state not in ENDED and (uid > 0 or (programs and uid == 0)):
            yield _session(worker, leader, "ssh", user, tty, peers.get(pid, ""))


def _is_listener(process: Process | None, known: _Known) -> bool:
    """Return whether it is root's dropbear that waits for connections."""
    if process is None or process.comm != DROPBEAR or process.uid != 0:
        return False
    parent = known.by_pid.get(process.ppid)
    return parent is None or (parent.comm != DROPBEAR and parent.uid == 0)


def _mosh(known: _Known, names: Mapping[int, str]) -> Iterator[Session]:
    """Yield mosh's servers: from where their clients are only utmp tells, if anything."""
    servers = {
        process.pid
        for process in known.by_pid.values()
        if process.comm == MOSH and process.uid >= 0 and process.state not in ENDED
    }
    children = _children(known, servers) if servers else {}
    for pid in servers:
        server = known.by_pid[pid]
        tty = next((terminal_name(child.tty) for child in children.get(pid, ()) if child.tty), "")
        user = names.get(server.uid, str(server.uid))
        counted = pid in known.claimed or known.owner[pid] or _is_on(user, tty, known)
        if not counted and server.ppid not in servers:
            yield _session(server, server, "mosh", user, tty, "")


def _remote(known: _Known, remotes: Iterable[Remote]) -> Iterator[Session]:
    """Yield the sessions that sockets show, without those recorded.

    A recorded one has the connection's process, or is a session of the same user and type, or
    is the same user's desktop from the same address; x11vnc on a desktop that somebody sits at
    is a session of its own.
    """
    by_id = {session.id: session for session in known.sessions}
    leaders = {session.leader for session in known.sessions}
    desktops = {(one.user, one.ip) for one in known.sessions if one.type in DESKTOPS and one.ip}
    spare: dict[tuple[str, str], set[str]] = {}
    for session in known.sessions:
        spare.setdefault((session.user, session.type), set()).add(session.id)
    rest = []
    for remote in remotes:
        type_, user, _, ip, _, pid = remote
        own = by_id.get(known.owner.get(pid, ""))
        if own and own.type == type_:
            spare[own.user, type_].discard(own.id)
        elif pid not in leaders and (user, ip) not in desktops:
            rest.append(remote)
    for type_, user, display, ip, start, pid in rest:
        same = spare.get((user, type_))
        if same:
            same.pop()
            continue
        process = known.by_pid.get(pid)
        service = service_of(process.comm)[0] if process else "other"
        network = _network(type_, ip)
        yield Session("", user, display, type_, service, "", ip, network, start, pid, "")


def _is_multiplexer(process: Process, titles: Mapping[int, bytes]) -> bool:
    """Return whether it is a server of tmux or screen; screen's clients have its name too."""
    if process.uid < 0 or process.state in ENDED:
        return False
    is_screen = process.comm.startswith(SCREEN)
    return process.comm == TMUX or (
        is_screen and titles.get(process.pid, b"").replace(b" ", b"\0").startswith(b"SCREEN\0")
    )


def _multiplexers(
    servers: Collection[Process], users: set[str], names: Mapping[int, str]
) -> Iterator[Session]:
    """Yield each server of a user without a session; windows are not sessions."""
    pids = {server.pid for server in servers}
    for server in servers:
        user = names.get(server.uid, str(server.uid))
        if users.isdisjoint(_spellings(user)) and server.ppid not in pids:
            yield _session(server, server, MULTIPLEXER, user, "", "")


def _spellings(user: str) -> tuple[str, str]:
    """Return a user's name, and as utmp has it, where there is room for 32 bytes."""
    return user, decode(user.encode()[:32])


def _session(
    process: Process, leader: Process, type_: str, user: str, tty: str, ip: str
) -> Session:
    """Return a session without id that ``process`` began."""
    start = process.start or leader.start or 0.0
    service = service_of(leader.comm)[0]
    where = "", ip, _network(type_, ip)
    return Session("", user, tty, type_, service, *where, start, leader.pid, "")


def _age(session: Session) -> tuple[float, int]:
    return session.start, session.leader


def _network(type_: str, ip: str) -> str:
    local = is_loopback(ip) if ip else type_ not in REMOTE_TYPES
    return "local" if local else ""
