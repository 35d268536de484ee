"""group: the names of groups, from the file alone (group(5))."""

from __future__ import annotations

from textfile_users.sources.passwd import is_name
from textfile_users.sources.text import decode, is_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

PATH = "/etc/group"
MAX_BYTES = 16 << 20


def find_groups(data: bytes, gids: AbstractSet[int]) -> dict[int, str]:
    """Return the names of those of ``gids`` that are in ``data``, the bytes of a group file.

    Of several names of one gid the first one counts, as in getgrgid(3). Raises nothing.
    """
    names: dict[int, str] = {}
    for name, gid, _ in _lines(data):
        if gid in gids:
            names.setdefault(gid, decode(name))
    return names


def find_memberships(data: bytes, user: str) -> frozenset[int]:
    """Return the gids of the groups that list ``user`` in ``data``. Raises nothing."""
    name = user.encode("utf-8", "surrogateescape")
    return frozenset(gid for _, gid, members in _lines(data) if name in members.split(b","))


def _lines(data: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield name, gid and members (one part: they may be thousands) of each group's line."""
    for line in data.split(b"\n"):
        fields = line.split(b":", 3)
        if len(fields) < 3 or not is_name(fields[0]):
            continue
        number = decode(fields[2])
        if is_number(number):
            yield fields[0], int(number), fields[3] if len(fields) > 3 else b""
