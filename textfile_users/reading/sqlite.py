"""SQLite databases that others write, and that may hold anything (wtmpdb, lastlog2).

They are opened for reading only and for a bounded effort; sqlite3 is imported only then.
"""

from __future__ import annotations

import os
import stat

from textfile_users.reading.files import UnreadableDatabase, open_regular, read_regular
from textfile_users.reading.position import real_path, signature
from textfile_users.reading.text import field, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from sqlite3 import Connection
    from typing import TypeVar

    Answer = TypeVar("Answer")

BUSY_SECONDS = 0.2
# Of SQLite's virtual machine; two million rows are counted in so many.
MAX_STEPS = 20_000_000
STEPS_AT_ONCE = 10_000
MAX_CELL_BYTES = 1 << 20
MAX_COPY_BYTES = 64 << 20  # two million logins
MAX_CHARACTERS = 256  # of a text that is asked for
MAX_MESSAGE = 200
SQLITE_LIMIT_LENGTH = 0  # sqlite3.h; Python's sqlite3 names it since 3.11

MAGIC = b"SQLite format 3\0"  # the header's first bytes
# The header's format versions for writing and reading (sqlite.org/fileformat.html), 2 for WAL.
_VERSIONS = slice(18, 20)
_WAL = 2

_BESIDE = ("-journal", "-wal", "-shm")


def ask(
    path: str,
    table: str,
    columns: tuple[str, ...],
    question: Callable[[Connection], Answer],
    nothing: Answer,
) -> Answer:
    """Return what ``question`` finds in the database ``path``, within one read transaction.

    It may rely on a plain table ``table`` with the ``columns``. ``nothing`` is the answer for
    a file without a byte, which log rotation leaves. Raises OSError, as open_regular does, and
    UnreadableDatabase.
    """
    header = _header(path)
    if not header:
        return nothing
    _require_regular_files(path)
    try:
        import sqlite3
    except ImportError:
        raise UnreadableDatabase("this Python has no sqlite3") from None
    try:
        is_wal = _WAL in header[_VERSIONS]
        if real_path(path) == os.path.realpath(path):
            connection = _connect(_uri(path, is_wal))
        else:
            connection = _connect_copy(path)
        try:
            _require_table(connection, table, columns)
            return question(connection)
        finally:
            connection.close()
    # Not only SQLite's own: a message of its that is not UTF-8 becomes a UnicodeDecodeError.
    except (sqlite3.Error, UnicodeError, OverflowError, MemoryError) as error:
        raise UnreadableDatabase(_reason(error)) from error


def _header(path: str) -> bytes:
    """Return what the file of a database begins with.

    SQLite opens by name, and would wait for a FIFO's writer. Closed at once: closing any
    descriptor of a file drops all locks that the process holds on it, SQLite's too.
    """
    descriptor = open_regular(path)
    try:
        return os.pread(descriptor, _VERSIONS.stop, 0)
    finally:
        os.close(descriptor)


def _require_regular_files(path: str) -> None:
    """Raise UnreadableDatabase where SQLite would open what is no file beside ``path``."""
    real = real_path(path)
    for suffix in _BESIDE:
        try:
            status = os.lstat(real + suffix)
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(status.st_mode):
            name = printable(os.path.basename(real) + suffix)
            raise UnreadableDatabase(f"{name} beside it is not a regular file: remove it")


def text(column: str) -> str:
    """Return the SQL for the first characters of a text, NULL for what is no text."""
    return f"CASE typeof({column}) WHEN 'text' THEN substr({column}, 1, {MAX_CHARACTERS}) END"


def integer(column: str) -> str:
    """Return the SQL for an integer or NULL; -1 stands for all else."""
    return f"CASE typeof({column}) WHEN 'integer' THEN {column} WHEN 'null' THEN NULL ELSE -1 END"


def _connect_copy(path: str) -> Connection:
    """Return a connection to a copy in memory: SQLite would open what the text of links names."""
    before = signature(path)
    for suffix in _BESIDE:
        if os.path.lexists(path + suffix):
            raise UnreadableDatabase("it is being written, and cannot be locked from here")
    data = bytearray(read_regular(path, MAX_COPY_BYTES))
    if signature(path) != before:
        raise UnreadableDatabase("it is being written, and cannot be locked from here")
    data[_VERSIONS] = b"\1\1"  # of what is in memory there is no WAL
    return _connect(":memory:", bytes(data))


def _connect(uri: str, content: bytes = b"") -> Connection:
    """Return a connection that changes nothing and gives up after MAX_STEPS.

    ``content`` is that of a database in memory.
    """
    import sqlite3

    if content and not hasattr(sqlite3.Connection, "deserialize"):
        raise UnreadableDatabase("Python 3.11 is needed to read it below /proc/PID/root")
    connection = sqlite3.connect(uri, timeout=BUSY_SECONDS, isolation_level=None, uri=True)
    try:
        if content:
            connection.deserialize(content)  # type: ignore[attr-defined,unused-ignore]
        connection.text_factory = field
        if hasattr(connection, "setlimit"):
            connection.setlimit(SQLITE_LIMIT_LENGTH, MAX_CELL_BYTES)
        steps = iter(bytes(MAX_STEPS // STEPS_AT_ONCE))
        connection.set_progress_handler(lambda: next(steps, 1), STEPS_AT_ONCE)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
    except BaseException:
        connection.close()
        raise
    return connection


def _uri(path: str, is_wal: bool) -> str:
    """Return the URI with which SQLite opens a file for reading and makes none beside it.

    In WAL mode it would make a journal where there is none, unless the file is immutable: then
    nobody is writing.
    """
    real = real_path(path)
    is_at_rest = is_wal and not os.path.lexists(real + "-wal")
    plain = [chr(byte) if _is_plain(byte) else f"%{byte:02X}" for byte in os.fsencode(real)]
    how = "immutable=1" if is_at_rest else "readonly_shm=1"
    return f"file://{''.join(plain)}?mode=ro&{how}"


def _is_plain(byte: int) -> bool:
    return byte < 128 and (chr(byte).isalnum() or byte in b"/-._")


def _require_table(connection: Connection, table: str, columns: tuple[str, ...]) -> None:
    """Raise UnreadableDatabase unless ``table`` is a plain one and stores the ``columns``.

    Views, virtual tables and generated columns would run what the schema says.
    """
    plain = "type = 'table' AND rootpage > 0 AND name = ? COLLATE NOCASE"
    if not connection.execute(f"SELECT 1 FROM sqlite_master WHERE {plain}", (table,)).fetchone():  # noqa: S608
        raise UnreadableDatabase(f"it has no table {table}")
    # Of each column the number, name, type, not null, default, primary key, and how it is hidden.
    found = connection.execute(f"PRAGMA table_xinfo({table})")
    stored = {name.lower() for _, name, _, _, _, _, hidden in found if not hidden}
    missing = [column for column in columns if column.lower() not in stored]
    if missing:
        raise UnreadableDatabase(f"its table {table} has no column {missing[0]}")


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "it needs too much memory"
    if isinstance(error, UnicodeError):
        return "its schema is damaged"
    if str(error) == "interrupted":
        return "it takes too long to read"
    # Python 3.6 has no message where SQLite's is not UTF-8.
    return printable(str(error))[:MAX_MESSAGE] or "its schema is damaged"
