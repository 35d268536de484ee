"""group: the names of groups, from the file alone (group(5))."""

from __future__ import annotations

from textfile_users.sources.passwd import is_name
from textfile_users.sources.text import decode, is_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

PATH = "/etc/group"
MAX_BYTES = 16 << 20


def find_groups(data: bytes, gids: AbstractSet[int]) -> dict[int, str]:
    """Return the names of those of ``gids`` that are in ``data``, the bytes of a group file.

    Of several names of one gid the first one counts, as in getgrgid(3). Raises nothing.
    """
    names: dict[int, str] = {}
    for line in data.split(b"\n"):
        fields = line.split(b":", 3)  # the members may be thousands
        if len(fields) < 3 or not is_name(fields[0]):
            continue
        number = decode(fields[2])
        if is_number(number) and int(number) in gids:
            names.setdefault(int(number), decode(fields[0]))
    return names
