"""The `what` set: who is on the host, as `w -i` shows it (docs/migration.md)."""

from __future__ import annotations

from textfile_users import __version__
from textfile_users.metrics.family import Family, count_by, gauge, label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from textfile_users.snapshot import Snapshot


def families(snapshot: Snapshot, prefix: str) -> Iterator[Family]:
    """Yield the set's families; ``prefix`` begins their names, but for `what_up` where it is ''.

    What has ended stays at 0 for five minutes, so that a scrape sees it.
    """
    sessions = snapshot.sessions
    up = float(sessions is not None)
    name = f"{prefix}_up" if prefix else "what_up"
    yield gauge(name, "Whether sessions are known.", ("version",), [((__version__,), up)])
    if sessions is None:
        return
    begin = prefix and f"{prefix}_"
    users: dict[tuple[str, ...], float] = {(label(user),): 0.0 for user, *_ in snapshot.gone}
    users.update(count_by((session.user,) for session in sessions))
    yield gauge(
        f"{begin}user_sessions_currently_active", "Sessions of a user.", ("user",), users.items()
    )
    each = {(user, numeric, tty): 0.0 for user, _, numeric, tty in snapshot.gone}
    each.update({(one.user, one.numeric, one.tty): 1.0 for one in sessions})
    samples = {
        (label(user), label(numeric or "-"), label(tty)): value
        for (user, numeric, tty), value in each.items()
    }
    yield gauge(
        f"{begin}each_session_currently_active",
        "A session: 1 while it is open.",
        ("user", "ip", "tty"),
        samples.items(),
    )
