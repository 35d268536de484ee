"""passwd: the names of the accounts, from the file alone (passwd(5))."""

from __future__ import annotations

from textfile_users.paths import Paths
from textfile_users.record import Record
from textfile_users.sources.files import read_regular
from textfile_users.sources.text import decode, is_number

MAX_BYTES = 16 << 20
MAX_UID = (1 << 32) - 2  # -1 means no user


class Passwd(Record):
    """The accounts: the name of each uid, and all names, since several may share a uid."""

    by_uid: dict[int, str]
    names: frozenset[str]


def parse_passwd(data: bytes) -> Passwd:
    """Return the accounts in ``data``, the bytes of a passwd file.

    Of several names of one uid the first one counts, as in getpwuid(3). Comments, lines for NIS
    (``+``, ``-``) and lines that are none of an account are left out. Raises nothing.
    """
    by_uid: dict[int, str] = {}
    names = set()
    for line in data.split(b"\n"):
        fields = line.split(b":", 4)
        if len(fields) < 4 or not _is_name(fields[0]):
            continue
        number = decode(fields[2])
        if is_number(number) and int(number) <= MAX_UID:
            name = decode(fields[0])
            names.add(name)
            by_uid.setdefault(int(number), name)
    return Passwd(by_uid, frozenset(names))


def read_passwd(paths: Paths) -> Passwd:
    """Return the accounts in the host's passwd. Raises OSError, EFBIG above 16 MiB."""
    path = paths.below("/etc/passwd")
    paths.require_inside(path)
    return parse_passwd(read_regular(path, MAX_BYTES))


def _is_name(name: bytes) -> bool:
    return bool(name) and name[:1] not in b"#+-" and b"\0" not in name


def account_names(paths: Paths) -> frozenset[str]:
    """Return the names of the host's accounts, none where passwd cannot be read."""
    try:
        return read_passwd(paths).names
    except OSError:
        return frozenset()
