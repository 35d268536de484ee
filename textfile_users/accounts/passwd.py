"""passwd and group: accounts and groups, from the files alone (passwd(5), group(5))."""

from __future__ import annotations

from textfile_users.paths import Paths
from textfile_users.reading.files import read_regular
from textfile_users.reading.text import decode, field, is_number
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

PATH = "/etc/passwd"
SUBUID = "/etc/subuid"
MAX_BYTES = 16 << 20
MAX_NAME = 256  # LOGIN_NAME_MAX
MAX_REAL_NAME = 256
MAX_UID = (1 << 32) - 2  # -1 means no user


class Passwd(Record):
    """The accounts: the name of each uid, and the uid of each name: several may share one.

    ``lent`` are the uids, from and up to, that belong to users beside their own, subuid(5).
    """

    by_uid: dict[int, str]
    uids: dict[str, int]
    lent: tuple[tuple[int, int], ...] = ()

    @property
    def names(self) -> AbstractSet[str]:
        """All names."""
        return self.uids.keys()

    def lends(self, uid: int) -> bool:
        """Return whether a user has ``uid`` beside the own one, for namespaces."""
        return any(first <= uid < last for first, last in self.lent)


NO_ACCOUNTS = Passwd({}, {})


class PasswdEntry(Record):
    """An account: its name, uid, primary gid (-1 where the line has none) and real name."""

    user: str
    uid: int
    gid: int
    name: str


def parse_passwd(data: bytes) -> Passwd:
    """Return the accounts in ``data``, the bytes of a passwd file.

    Of several names of one uid the first one counts, as in getpwuid(3). Comments, lines for NIS
    (``+``, ``-``) and lines that are none of an account are left out. Raises nothing.
    """
    by_uid: dict[int, str] = {}
    uids: dict[str, int] = {}
    for name, uid, _ in _lines(data):
        uids.setdefault(name, uid)
        by_uid.setdefault(uid, name)
    return Passwd(by_uid, uids)


def find_entries(
    data: bytes, users: AbstractSet[str], uids: AbstractSet[int]
) -> tuple[dict[str, PasswdEntry], dict[int, PasswdEntry]]:
    """Return the entries of ``users`` and of ``uids`` in ``data``, the bytes of a passwd file.

    The first line counts, as in getpwnam(3) and getpwuid(3). Raises nothing.
    """
    by_user: dict[str, PasswdEntry] = {}
    by_uid: dict[int, PasswdEntry] = {}
    for name, uid, fields in _lines(data):
        if name in users or uid in uids:
            gid = decode(fields[3])
            group = int(gid) if is_number(gid) and int(gid) <= MAX_UID else -1
            entry = PasswdEntry(name, uid, group, real_name(fields[4] if len(fields) > 4 else b""))
            if name in users:
                by_user.setdefault(name, entry)
            if uid in uids:
                by_uid.setdefault(uid, entry)
    return by_user, by_uid


def real_name(gecos: bytes) -> str:
    """Return the real name, the first of the fields of passwd's comment; ``&`` stays."""
    return field(gecos.partition(b",")[0])[:MAX_REAL_NAME]


def is_name(name: bytes) -> bool:
    """Return whether ``name`` is an account's or a group's, not a comment or a line for NIS."""
    return 0 < len(name) <= MAX_NAME and name[:1] not in b"#+-" and b"\0" not in name


def _lines(data: bytes) -> Iterator[tuple[str, int, list[bytes]]]:
    """Yield name, uid and all fields of each line that is an account's."""
    for line in data.split(b"\n"):
        fields = line.split(b":", 5)
        if len(fields) < 4 or not is_name(fields[0]):
            continue
        number = decode(fields[2])
        if is_number(number) and int(number) <= MAX_UID:
            yield decode(fields[0]), int(number), fields


def read_passwd(paths: Paths) -> Passwd:
    """Return the accounts in the host's passwd. Raises OSError, EFBIG above 16 MiB."""
    path = paths.below(PATH)
    paths.require_inside(path)
    return parse_passwd(read_regular(path, MAX_BYTES))


def lent_uids(paths: Paths) -> tuple[tuple[int, int], ...]:
    """Return the ranges of uids in the host's subuid, none where it cannot be read."""
    try:
        paths.require_inside(paths.below(SUBUID))
        return parse_subuid(read_regular(paths.below(SUBUID), MAX_BYTES))
    except OSError:
        return ()


def parse_subuid(data: bytes) -> tuple[tuple[int, int], ...]:
    """Return the ranges of uids in ``data``, the bytes of a subuid file. Raises nothing."""
    lines = [decode(line).strip().split(":") for line in data.split(b"\n")]
    numbers = [
        fields[1:] for fields in lines if len(fields) == 3 and all(map(is_number, fields[1:]))
    ]
    return tuple((int(first), int(first) + int(count)) for first, count in numbers)


GROUP = "/etc/group"


def find_groups(data: bytes, gids: AbstractSet[int]) -> dict[int, str]:
    """Return the names of those of ``gids`` that are in ``data``, the bytes of a group file.

    Of several names of one gid the first one counts, as in getgrgid(3). Raises nothing.
    """
    names: dict[int, str] = {}
    for name, gid, _ in _group_lines(data):
        if gid in gids:
            names.setdefault(gid, decode(name))
    return names


def find_memberships(data: bytes, user: str) -> frozenset[int]:
    """Return the gids of the groups that list ``user`` in ``data``. Raises nothing."""
    name = user.encode("utf-8", "surrogateescape")
    return frozenset(gid for _, gid, members in _group_lines(data) if name in members.split(b","))


def _group_lines(data: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield name, gid and members (one part: they may be thousands) of each group's line."""
    for line in data.split(b"\n"):
        fields = line.split(b":", 3)
        if len(fields) < 3 or not is_name(fields[0]):
            continue
        number = decode(fields[2])
        if is_number(number):
            yield fields[0], int(number), fields[3] if len(fields) > 3 else b""


def read_numbers(paths: Paths, path: str) -> dict[str, int]:
    """Return the number of each name in a file of passwd(5)'s or group(5)'s form."""
    try:
        paths.require_inside(paths.below(path))
        data = read_regular(paths.below(path), MAX_BYTES)
    except OSError:
        return {}
    lines = [line.split(b":", 3) for line in data.split(b"\n")]
    return {
        decode(fields[0]): int(fields[2])
        for fields in lines
        if len(fields) > 2 and is_number(decode(fields[2]))
    }
