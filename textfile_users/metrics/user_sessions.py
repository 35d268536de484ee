"""The `user-sessions` set: sessions, logins and what users use (docs/migration.md)."""

from __future__ import annotations

from textfile_users.collecting import AUTH, HISTORY, MAX_USERS
from textfile_users.connections.connection import count_connections
from textfile_users.metrics.family import Family, by_user, family, gauge, info, label, uid_label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from textfile_users.accounts.account import Account
    from textfile_users.sessions.session import Session
    from textfile_users.snapshot import Snapshot

TYPES = {"vnc": "vnc"}
TERMINAL = "terminal"
WITHOUT = "ssh-npty"


def families(snapshot: Snapshot) -> Iterator[Family]:
    """Yield the set's families; what is not known is left out, and so are the system's users."""
    system = snapshot.system_users | {snapshot.root}
    sessions = snapshot.sessions
    if sessions is not None:
        sessions = tuple(one for one in sessions if one.user not in system)
        users = float(len({session.user for session in sessions}))
        yield gauge("user_sessions_logged_in_users", "Users logged in.", (), [((), users)])
        rows = [
            (label(one.user), label(one.tty), label(one.written), session_type(one))
            for one in sessions
        ]
        labels = "username", "tty", "from_ip", "session_type"
        yield info("user_sessions_session_active", "A session; always 1.", labels, rows)
    yield from _logins(snapshot, system)
    yield from _connections(snapshot)
    yield from _usage(snapshot, system)
    yield from _infos(snapshot, system)
    yield gauge(
        "user_sessions_up", "Whether sessions are known.", (), [((), float(sessions is not None))]
    )
    seconds = sum(collector.seconds for collector in snapshot.collectors)
    yield gauge("user_sessions_scrape_duration_seconds", "What the look took.", (), [((), seconds)])


def session_type(session: Session) -> str:
    """Return the label `session_type`: terminal, ssh-npty or vnc."""
    if session.type == "vnc":
        return session.type
    return WITHOUT if session.type == "ssh" and not session.tty else TERMINAL


def _logins(snapshot: Snapshot, system: Collection[str]) -> Iterator[Family]:
    if not {AUTH, HISTORY} & {collector.name for collector in snapshot.collectors}:
        return
    if snapshot.is_log_known:
        yield gauge(
            "user_sessions_failed_logins_1h",
            "Attempts of the last hour that did not get in.",
            (),
            [((), float(snapshot.attempts))],
        )
    logins = float(snapshot.root_logins)
    yield family("user_sessions_root_logins_total", "Logins of root.", (), [((), logins)])
    yield gauge(
        "user_sessions_last_login_timestamp_seconds",
        "When the user last logged in.",
        ("username",),
        {
            (label(user),): when
            for user, when in snapshot.last_logins.items()
            if user not in system
        }.items(),
    )


def _connections(snapshot: Snapshot) -> Iterator[Family]:
    if snapshot.connections is None:
        return
    counts = count_connections(snapshot.connections)
    for name, help_text, count in (
        ("ssh", "Connections to ssh.", counts["ssh"]),
        ("vnc", "Connections to VNC servers.", counts["vnc"]),
        ("remote", "Connections to ssh, VNC and RDP.", sum(counts.values())),
    ):
        yield gauge(f"user_sessions_{name}_connections", help_text, (), [((), float(count))])


def _usage(snapshot: Snapshot, system: Collection[str]) -> Iterator[Family]:
    def of_users(name: str, help_text: str, values: Mapping[str, float]) -> Family:
        of_people = {user: value for user, value in values.items() if user not in system}
        return gauge(name, help_text, ("username",), by_user(of_people, snapshot.root)[0])

    if snapshot.cpu_ratios is not None:
        help_text = "The user's share of all CPU time since the last look, 0 to 1."
        yield of_users("user_sessions_cpu_ratio", help_text, snapshot.cpu_ratios)
    if snapshot.usages is not None:
        memory = {user: float(memory) for user, (memory, _) in snapshot.usages.items()}
        yield of_users("user_sessions_memory_bytes", "Resident memory.", memory)
        counts = {user: float(count) for user, (_, count) in snapshot.usages.items()}
        yield of_users("user_sessions_process_count", "Processes.", counts)


def _infos(snapshot: Snapshot, system: Collection[str]) -> Iterator[Family]:
    """Yield the accounts of users with a session; a real name that is empty is the user's."""
    if snapshot.accounts is None or snapshot.sessions is None:
        return
    users = {session.user for session in snapshot.sessions}.difference(system)
    accounts = [one for one in snapshot.accounts if one.user in users][:MAX_USERS]
    rows = [
        (label(one.user), label(_real_name(one)), uid_label(one.uid), label(one.group))
        for one in accounts
    ]
    labels = "username", "real_name", "uid", "primary_group"
    yield info("user_sessions_user_info", "An account; always 1.", labels, rows)


def _real_name(account: Account) -> str:
    is_redacted = account.uid < 0
    return account.name if account.name or is_redacted else account.user
