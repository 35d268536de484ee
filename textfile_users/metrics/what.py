"""The `what` set: who is on the host, as `w -i` shows it (docs/migration.md)."""

from __future__ import annotations

from textfile_users import __version__
from textfile_users.metrics.family import Family, count_by, gauge, label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from textfile_users.model import Snapshot


def families(snapshot: Snapshot, prefix: str) -> Iterator[Family]:
    """Yield the set's families; ``prefix`` begins their names.

    What has ended stays at 0 for five minutes, so that a scrape sees it.
    """
    sessions = snapshot.sessions
    up = float(sessions is not None)
    yield gauge(f"{prefix}_up", "Whether sessions are known.", ("version",), [((__version__,), up)])
    if sessions is None:
        return
    users: dict[tuple[str, ...], float] = {(label(user),): 0.0 for user, _, _ in snapshot.gone}
    users.update(count_by((session.user,) for session in sessions))
    yield gauge(
        f"{prefix}_user_sessions_currently_active", "Sessions of a user.", ("user",), users.items()
    )
    each = dict.fromkeys(snapshot.gone, 0.0)
    each.update({(one.user, one.origin, one.tty): 1.0 for one in sessions})
    samples = {
        (label(user), label(origin or "-"), label(tty)): value
        for (user, origin, tty), value in each.items()
    }
    yield gauge(
        f"{prefix}_each_session_currently_active",
        "A session: 1 while it is open.",
        ("user", "ip", "tty"),
        samples.items(),
    )
