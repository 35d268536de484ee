"""The metric sets by their names on the command line; only those that are wanted are imported."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from textfile_users.metrics.family import Family
    from textfile_users.snapshot import Snapshot

USERS = "users"
WHAT = "what"
USER_SESSIONS = "user-sessions"
SSH_SESSIONS = "ssh-sessions"
SUMS = "sums"  # of users, for --aggregate-only
SETS = (USERS, WHAT, "unix-user", "ssh", USER_SESSIONS, SSH_SESSIONS)


def families_of(name: str, snapshot: Snapshot, prefix: str = WHAT) -> Iterator[Family]:
    """Return the families of a set; ``prefix`` begins the names of the set `what`."""
    module = __import__(f"textfile_users.metrics.{name.replace('-', '_')}", fromlist=["families"])
    arguments = (snapshot, prefix) if name == WHAT else (snapshot,)
    found: Iterator[Family] = module.families(*arguments)
    return found
