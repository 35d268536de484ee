"""The `user-sessions` set: sessions, logins and what users use (docs/migration.md)."""

from __future__ import annotations

from textfile_users.connections import count_connections
from textfile_users.counting import LOGINS
from textfile_users.metrics.family import (
    MAX_USERS,
    Family,
    by_user,
    family,
    gauge,
    label,
    uid_label,
)
from textfile_users.model import AUTH, HISTORY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from textfile_users.model import Session, Snapshot

TYPES = {"vnc": "vnc"}
TERMINAL = "terminal"
WITHOUT = "ssh-npty"


def families(snapshot: Snapshot) -> Iterator[Family]:
    """Yield the set's families; what is not known is left out."""
    sessions = snapshot.sessions
    if sessions is not None:
        users = float(len({session.user for session in sessions}))
        yield gauge("user_sessions_logged_in_users", "Users logged in.", (), [((), users)])
        active = {
            (label(one.user), label(one.tty), one.ip, session_type(one)): 1.0 for one in sessions
        }
        yield gauge(
            "user_sessions_session_active",
            "A session; always 1.",
            ("username", "tty", "from_ip", "session_type"),
            active.items(),
        )
    yield from _logins(snapshot)
    yield from _connections(snapshot)
    yield from _usage(snapshot)
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


def _logins(snapshot: Snapshot) -> Iterator[Family]:
    if not {AUTH, HISTORY} & {collector.name for collector in snapshot.collectors}:
        return
    if snapshot.is_log_known:
        failed = sum(sum(minutes.values()) for minutes in snapshot.failures.values())
        yield gauge(
            "user_sessions_failed_logins_1h",
            "Refused attempts of the last hour.",
            (),
            [((), float(failed))],
        )
    logins = sum(
        count
        for series, count in snapshot.counters.items()
        if series[:2] == (LOGINS, snapshot.root)
    )
    yield family("user_sessions_root_logins_total", "Logins of root.", (), [((), float(logins))])
    yield gauge(
        "user_sessions_last_login_timestamp_seconds",
        "When the user last logged in.",
        ("username",),
        {(label(user),): when for user, when in snapshot.last_logins.items()}.items(),
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


def _usage(snapshot: Snapshot) -> Iterator[Family]:
    if snapshot.cpu_ratios is not None:
        help_text = "The user's share of all CPU time since the last look, 0 to 1."
        yield _of_users("user_sessions_cpu_ratio", help_text, snapshot.cpu_ratios, snapshot.root)
    if snapshot.usages is not None:
        memory = {user: float(memory) for user, (memory, _) in snapshot.usages.items()}
        yield _of_users("user_sessions_memory_bytes", "Resident memory.", memory, snapshot.root)
        counts = {user: float(count) for user, (_, count) in snapshot.usages.items()}
        yield _of_users("user_sessions_process_count", "Processes.", counts, snapshot.root)
    if snapshot.accounts is not None:
        infos = {
            (label(one.user), label(one.name), uid_label(one.uid), label(one.group)): 1.0
            for one in snapshot.accounts[:MAX_USERS]
        }
        yield gauge(
            "user_sessions_user_info",
            "An account; always 1.",
            ("username", "real_name", "uid", "primary_group"),
            infos.items(),
        )


def _of_users(name: str, help_text: str, values: Mapping[str, float], root: str) -> Family:
    return gauge(name, help_text, ("username",), by_user(values, root)[0])
