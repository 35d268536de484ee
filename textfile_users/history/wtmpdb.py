"""wtmpdb: logins, logouts and boots in an SQLite database (wtmpdb(8), its lib/sqlite.c).

A login is a row, and its logout is put into that row later. Times are in microseconds.
"""

from __future__ import annotations

from textfile_users.history.wtmp import (
    BOOT,
    BOOT_TIME,
    LOGOUT,
    SHUTDOWN,
    HistoryEntry,
    begins_login,
    login_turn,
)
from textfile_users.reading.addresses import parse_ip
from textfile_users.reading.position import signature
from textfile_users.reading.sqlite import ask, integer, text
from textfile_users.record import Record
from textfile_users.sessions.utmp import EMPTY, RUN_LVL, USER_PROCESS, UtmpRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from sqlite3 import Connection

MAX_OPEN = 10_000
MAX_ROWS = 10_000
MAX_OLD_ROWS = 100_000  # that a first run looks at

# Column Type; its numbers are not utmp's.
_BOOT_TIME = 1
_USER_PROCESS = 3
_TYPES = {0: EMPTY, _BOOT_TIME: BOOT_TIME, 2: RUN_LVL, _USER_PROCESS: USER_PROCESS}

_MAX_MICROSECONDS = (1 << 32) * 1_000_000

# Where a row has the last number that there is, SQLite gives out random ones of the lower half.
_FIRST_ID, _LAST_ID, _LAST_RANDOM_ID = -(1 << 63), (1 << 63) - 1, 1 << 62

_TABLE = "wtmp"
_COLUMNS = ("ID", "Type", "User", "Login", "Logout", "TTY", "RemoteHost", "Service")
_ROW = ", ".join(
    ["ID"]
    + [integer(column) for column in ("Type", "Login", "Logout")]
    + [text(column) for column in ("User", "TTY", "RemoteHost", "Service")]
)
_IN_TIME = (
    f"ID <= {_LAST_RANDOM_ID} AND typeof(Login) = 'integer' AND Login > ?"
    f" AND Login < {_MAX_MICROSECONDS} ORDER BY Login"
)


class WtmpdbPosition(Record):
    """What has been read: the newest row, the rows without a logout, and of which file.

    The last boot is one of them, until its shutdown is known.
    ``last_login`` is that row's Login in microseconds, by which a re-made database is noticed.
    _LAST_ID among ``open_ids``: there is such a row, and it has been counted as damaged.
    """

    last_id: int = 0
    last_login: int = 0
    open_ids: tuple[int, ...] = ()
    seen: str = ""


class WtmpdbFound(Record):
    """What one reading found: the position after it, whether that is the end, rows skipped."""

    entries: tuple[HistoryEntry, ...]
    position: WtmpdbPosition
    complete: bool
    damaged: int


class _Row(Record):
    id: int
    type: int | None
    login: int | None
    logout: int | None
    user: str | None
    tty: str | None
    host: str | None
    service: str | None


class DatabaseRecord(Record):
    """A row as a utmp record, whose ``id`` is the row's; ``logout`` is 0 where there is none."""

    record: UtmpRecord
    service: str
    logout: float


def read_wtmpdb(path: str, position: WtmpdbPosition, limit: int = MAX_ROWS) -> WtmpdbFound:
    """Return what happened since ``position``, out of at most ``limit`` new rows.

    They are in the order of their times. The file is not opened where it has not changed. Raises
    OSError and UnreadableDatabase.
    """
    seen = signature(path)
    if seen and seen == position.seen:
        return WtmpdbFound((), position, True, 0)
    nothing = WtmpdbFound((), position._replace(open_ids=(), seen=seen), True, 0)

    def read(connection: Connection) -> WtmpdbFound:
        return _read(connection, position, limit, seen)

    return ask(path, _TABLE, _COLUMNS, read, nothing)


def newest_wtmpdb(path: str) -> WtmpdbPosition:
    """Return the position at the end; logins that are open now will still have their logout.

    Raises OSError and UnreadableDatabase.
    """
    seen = signature(path)

    def newest(connection: Connection) -> WtmpdbPosition:
        row = _newest(connection)
        if not row:
            return WtmpdbPosition(seen=seen)
        boot, still_open = _open_rows(connection)
        open_ids = tuple(found.id for found, _ in still_open)
        if boot is not None and boot.logout is None:
            open_ids = (*open_ids, boot.id)
        return WtmpdbPosition(row[0].id, _stamp(row[0].login), open_ids, seen)

    return ask(path, _TABLE, _COLUMNS, newest, WtmpdbPosition(seen=seen))


def open_logins(path: str) -> tuple[HistoryEntry, ...]:
    """Return the logins since the last boot that have no logout yet, oldest first.

    Raises OSError and UnreadableDatabase.
    """

    def logins(connection: Connection) -> tuple[HistoryEntry, ...]:
        return tuple(login for _, login in _open_rows(connection)[1])

    return ask(path, _TABLE, _COLUMNS, logins, ())


def last_logins(path: str, limit: int = MAX_OLD_ROWS) -> dict[str, float]:
    """Return when each user last logged in, by the newest ``limit`` logins.

    Raises OSError and UnreadableDatabase.
    """

    def logins(connection: Connection) -> dict[str, float]:
        last: dict[str, float] = {}
        columns = f"{text('User')}, {text('Service')}, {integer('Login')}"
        newest = "WHERE Type = ? ORDER BY ID DESC LIMIT ?"
        query = f"SELECT {columns} FROM {_TABLE} {newest}"  # noqa: S608
        for user, service, login in connection.execute(query, (_USER_PROCESS, limit)):
            if user and _is_time(login) and begins_login(service or ""):
                last[user] = max(login / 1e6, last.get(user, 0.0))
        return last

    return ask(path, _TABLE, _COLUMNS, logins, {})


def each_record(path: str, take: Callable[[DatabaseRecord], None]) -> int:
    """Call ``take`` with each sound row, of any type; return how many rows are damaged.

    Raises OSError and UnreadableDatabase, also after some rows.
    """

    def tell(connection: Connection) -> int:
        damaged = 0
        for values in connection.execute(f"SELECT {_ROW} FROM {_TABLE}"):  # noqa: S608
            row = _Row(*values)
            if _is_damaged(row) or row.type not in _TYPES:
                damaged += 1
            else:
                take(_as_record(row))
        return damaged

    return ask(path, _TABLE, _COLUMNS, tell, 0)


def _as_record(row: _Row) -> DatabaseRecord:
    host = row.host or ""
    times = _stamp(row.login) / 1e6, _stamp(row.logout) / 1e6
    who = row.tty or "", str(row.id), row.user or "", host, parse_ip(host)
    record = UtmpRecord(_TYPES[row.type or 0], 0, *who, 0, times[0])
    return DatabaseRecord(record, row.service or "", times[1])


def _read(connection: Connection, position: WtmpdbPosition, limit: int, seen: str) -> WtmpdbFound:
    is_full = _is_full(connection)
    if is_full:
        known = [ident for ident in position.open_ids if ident != _LAST_ID]
        new = _fetch(connection, f"{_IN_TIME} LIMIT ?", position.last_login, limit)
    else:
        first = _first_new(connection, position)
        # Of a re-made database, new rows may only have an old one's number.
        known = [ident for ident in position.open_ids if ident < first]
        new = _fetch(connection, "ID >= ? ORDER BY ID LIMIT ?", first, limit)
    old = [row for ident in known for row in _fetch(connection, "ID = ?", ident)]
    sound_old, sound_new = ([row for row in rows if not _is_damaged(row)] for rows in (old, new))
    complete = len(new) < limit
    ends = [entry for row in sound_old for entry in _entries(row) if entry.event == LOGOUT]
    boots = [row for row in sound_old if row.type == _BOOT_TIME]
    entries, last_boot = _history(boots[-1] if boots else None, sound_new, complete)
    entries = sorted([*ends, *entries], key=_order)
    # What a boot found open ended in a crash, and will never have a logout.
    boot = max((_stamp(row.login) for row in new if row.type == _BOOT_TIME), default=0)
    sound = sound_old + sound_new
    open_ids = [row.id for row in sound if _is_open(row) and _stamp(row.login) >= boot]
    open_ids += [last_boot.id] if last_boot else []
    damaged = len(old) + len(new) - len(sound)
    if is_full:
        damaged += _LAST_ID not in position.open_ids
        open_ids.append(_LAST_ID)
        last = new[-1:]
    else:
        last = new[-1:] or _fetch(connection, "ID < ? ORDER BY ID DESC LIMIT 1", first)
    after = WtmpdbPosition(
        last[0].id if last else position.last_id,
        _stamp(last[0].login) if last else position.last_login,
        tuple(open_ids[-MAX_OPEN:]),
        seen if complete else "",
    )
    return WtmpdbFound(tuple(entries), after, complete, damaged)


def _is_full(connection: Connection) -> bool:
    """Return whether numbers no longer tell which rows are new, so that time has to."""
    return bool(_fetch(connection, "ID = ?", _LAST_ID))


def _first_new(connection: Connection, position: WtmpdbPosition) -> int:
    """Return the id from which on rows are new.

    Where the last row read is not there any more, ids may have begun anew: time decides.
    """
    last = _fetch(connection, "ID = ?", position.last_id)
    if not last or _stamp(last[0].login) != position.last_login:
        later = "typeof(Login) = 'integer' AND Login > ? ORDER BY ID LIMIT 1"
        first = _fetch(connection, later, position.last_login)
        if first:
            return first[0].id
        last = _newest(connection)
    return last[0].id + 1 if last else 0


def _newest(connection: Connection) -> list[_Row]:
    if _is_full(connection):
        return _fetch(connection, f"{_IN_TIME} DESC LIMIT 1", -1)
    return _fetch(connection, "1 ORDER BY ID DESC LIMIT 1")


def _open_rows(connection: Connection) -> tuple[_Row | None, list[tuple[_Row, HistoryEntry]]]:
    """Return the last boot, and the logins since then that have no logout, oldest first.

    They are looked for among the newest rows, since each of these must be read.
    """
    order = "Login" if _is_full(connection) else "ID"
    newest = [] if _is_full(connection) else _newest(connection)
    first = max(newest[0].id - MAX_OLD_ROWS, _FIRST_ID) if newest else _FIRST_ID
    places = "ID >= ? AND ID < ? AND Type = ?"
    last_boot = f"{places} ORDER BY {order} DESC LIMIT 1"
    boots = _fetch(connection, last_boot, first, _LAST_ID, _BOOT_TIME)
    boot = _stamp(boots[0].login) if boots else 0
    still_open = f"{places} AND Logout IS NULL AND Login >= ? ORDER BY {order} DESC LIMIT ?"
    values = first, _LAST_ID, _USER_PROCESS, boot, MAX_OPEN
    rows = _fetch(connection, still_open, *values)
    logins = [(row, None if _is_damaged(row) else _login(row)) for row in reversed(rows)]
    return boots[0] if boots else None, [(row, login) for row, login in logins if login]


def _fetch(connection: Connection, condition: str, *values: int) -> list[_Row]:
    """Return the rows that a condition of this module's selects; their ids are integers."""
    query = f"SELECT {_ROW} FROM {_TABLE} WHERE typeof(ID) = 'integer' AND {condition}"  # noqa: S608
    return [_Row(*row) for row in connection.execute(query, values)]


def _is_damaged(row: _Row) -> bool:
    """Return whether a row is not as wtmpdb writes it, in what matters here."""
    if row.type not in (_BOOT_TIME, _USER_PROCESS):
        return row.type is None or row.type < 0
    if not _is_time(row.login):
        return True
    logout_is_wrong = row.logout is not None and not _is_time(row.logout)
    return row.type == _USER_PROCESS and (row.user is None or logout_is_wrong)


def _history(
    boot: _Row | None, rows: Iterable[_Row], complete: bool
) -> tuple[list[HistoryEntry], _Row | None]:
    """Return what sound new ``rows`` tell of, and the boot of which the shutdown is still to come.

    The shutdown is in the row of its ``boot`` (wtmpdb.c, main_shutdown), and comes behind the
    logins, where these are ``complete``.
    """
    entries: list[HistoryEntry] = []
    for row in rows:
        if row.type == _BOOT_TIME:
            entries += _shutdown(boot)
            entries.append(_boot(row, boot))
            boot = row
        entries += _entries(row)
    down = _shutdown(boot) if complete else []
    return [*entries, *down], None if down else boot


def _order(entry: HistoryEntry) -> float:
    """Return what orders entries: a logout follows its login, also where the clock was set back."""
    login = entry.key.rpartition(":")[2]
    return max(entry.time, int(login) / 1e6) if login else entry.time


def _shutdown(boot: _Row | None) -> list[HistoryEntry]:
    """Return when a boot's host went down again, nothing where that is not known."""
    if boot is None or boot.logout is None or not _is_time(boot.logout):
        return []
    return [HistoryEntry(SHUTDOWN, boot.logout / 1e6)]


def _boot(row: _Row, before: _Row | None) -> HistoryEntry:
    """Return the boot of a row, of a soft reboot too, which also ends all sessions.

    It follows a crash where the boot ``before`` has no shutdown.
    """
    kind = "" if before is None else "clean" if _shutdown(before) else "crash"
    return HistoryEntry(BOOT, _stamp(row.login) / 1e6, type=kind)


def _entries(row: _Row) -> list[HistoryEntry]:
    """Return what a sound row tells of; run levels and sessions that are no logins: nothing."""
    login = _login(row) if row.type == _USER_PROCESS else None
    if not login:
        return []
    if row.logout is None:
        return [login]
    return [login, HistoryEntry(LOGOUT, row.logout / 1e6, *login[2:])]


def _is_open(row: _Row) -> bool:
    return row.type == _USER_PROCESS and row.logout is None and _login(row) is not None


def _login(row: _Row) -> HistoryEntry | None:
    """Return the login of a sound row of type USER_PROCESS, None where it is none."""
    service = row.service or ""
    if not begins_login(service):
        return None
    # PAM sessions of sshd name no terminal but `ssh`.
    line = "" if row.tty in (None, "ssh") else row.tty
    time = _stamp(row.login) / 1e6
    record = UtmpRecord(USER_PROCESS, 0, line, "", row.user or "", row.host or "", "", 0, time)
    # A re-made database gives out the same ids again.
    return login_turn(record, service, f"{row.id}:{row.login}")


def _is_time(value: int | None) -> bool:
    return value is not None and 0 <= value < _MAX_MICROSECONDS


def _stamp(value: int | None) -> int:
    """Return a time in microseconds, 0 for none."""
    return value if value is not None and _is_time(value) else 0
