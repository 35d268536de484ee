"""Entries of the journal, from the lines of JSON that journalctl prints (systemd.journal-fields(7))."""

from __future__ import annotations

from textfile_users.auth.journal_trust import (
    BINARIES,
    NOBODY,
    ROOTS_GID,
    SETUID_PROGRAMS,
    command_of,
    is_believed,
    number_of,
    text_of,
    uid_of,
)
from textfile_users.reading.json_text import loads
from textfile_users.reading.text import decode
from textfile_users.record import Record

MAX_MESSAGE = 64 << 10
MAX_CURSOR = 512  # real ones have about 170 characters
CURSOR_PARTS = {"s": 32, "i": 16, "b": 32, "m": 16, "t": 16, "x": 16}  # digits at most
# In a string of JSON the quotes would be escaped, so that no message can hold one.
CURSOR_KEYS = (b'"__CURSOR":"', b'"__CURSOR" : "')  # the latter before systemd 240
# Stands before what is left of a line over MAX_LINE; no line of JSON begins so.
TOO_LONG = b"too long:"
DELETED = " (deleted)"  # of a program upgraded while it ran


class JournalEntry(Record):
    """One entry: ``time`` is when journald received it, ``trusted`` what is_believed says.

    ``uid`` and ``login_uid`` are whose process wrote it and who had logged in, NOBODY where that
    is not known; ``exe`` is its file, '' where it had gone. An entry of a writer who is not root
    is to be believed only where it tells of one of these two accounts. ``is_setuid`` says that
    a user's process wrote it that had root's uid for a moment, but the user's group.
    """

    cursor: str
    time: float
    program: str
    pid: int
    message: bytes
    trusted: bool
    uid: int = NOBODY
    login_uid: int = NOBODY
    exe: str = ""
    is_setuid: bool = False

    @property
    def is_of_root(self) -> bool:
        """Whether root wrote it, and not a user's sudo with what the user chose."""
        return self.uid == 0 and not self.is_setuid

    @property
    def is_of_system(self) -> bool:
        """Whether root or a service wrote it, who may tell of anybody."""
        return self.is_of_root or self.program == "polkitd"

    @property
    def is_of_other(self) -> bool:
        """Whether no table knows the program, which calls itself as its file."""
        return self.program.rstrip("]") not in BINARIES


class JournalGap(Record):
    """Something that could not be read.

    ``reason`` is "too-long" or "damaged" for an entry skipped, "gap" where entries behind
    the position may be gone. ``cursor`` is the skipped entry's, '' where it is not known.
    """

    reason: str
    cursor: str
    time: float


LOST = JournalGap("gap", "", 0.0)
_Fields = dict[str, object]


def parse_entry(line: bytes) -> JournalEntry | JournalGap:
    """Return the entry in a line of JSON, or why it is none. Raises nothing."""
    if line.startswith(TOO_LONG):
        return _skipped("too-long", cursor_of(line))
    fields = fields_of(line)
    cursor = text_of(fields.get("__CURSOR"))
    micros = number_of(fields.get("__REALTIME_TIMESTAMP"))
    if not micros or not cursor:
        return _skipped("damaged", cursor_of(line))
    text = fields.get("MESSAGE", "")
    message = _message(text)
    if text is None or (message and len(message) > MAX_MESSAGE):
        return _skipped("too-long", cursor)
    if message is None:
        return _skipped("damaged", cursor)
    return JournalEntry(
        cursor=cursor,
        time=micros / 1e6,
        program=text_of(fields.get("SYSLOG_IDENTIFIER")),
        pid=number_of(fields.get("_PID")) or number_of(fields.get("SYSLOG_PID")),
        message=message,
        trusted=is_trusted(fields),
        uid=uid_of(fields.get("_UID")),
        login_uid=uid_of(fields.get("_AUDIT_LOGINUID")),
        exe=_exe(fields),
        is_setuid=_is_setuid(fields),
    )


def is_trusted(fields: _Fields) -> bool:
    """Return whether an entry is from the program that it names, as far as its fields tell."""
    program, transport, uid, comm, gid = (
        text_of(fields.get(k)) for k in ("SYSLOG_IDENTIFIER", "_TRANSPORT", "_UID", "_COMM", "_GID")
    )
    if not all(isinstance(fields.get(k, ""), str) for k in ("_TRANSPORT", "_EXE", "_COMM")):
        return False
    exe = _exe(fields)
    command = command_of(program, _message(fields.get("MESSAGE", "")) or b"")
    if command and command == (exe.rpartition("/")[2] or comm):
        exe = comm = ""  # the program itself is not to be seen any more
    return is_believed(program, uid, exe, transport, comm, gid)


def _is_setuid(fields: _Fields) -> bool:
    """Return whether a user's process wrote it with root's uid: the group has stayed the user's."""
    program, uid, gid = (text_of(fields.get(k)) for k in ("SYSLOG_IDENTIFIER", "_UID", "_GID"))
    return uid == "0" and gid not in ROOTS_GID and program in SETUID_PROGRAMS


def _exe(fields: _Fields) -> str:
    """Return the file of an entry's process; newer ones of journald take off what is behind it."""
    exe = text_of(fields.get("_EXE"))
    return exe[: -len(DELETED)] if exe.endswith(DELETED) else exe


def fields_of(line: bytes) -> _Fields:
    """Return the fields of an entry: text, the bytes of what is none, or a list of either.

    A field is None where it is longer than 4 KiB, and missing all where this is no entry.
    """
    try:
        found = loads(line.decode())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _message(value: object) -> bytes | None:
    """Return the bytes of a message, None for anything else."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    try:
        return bytes(value) if isinstance(value, list) else None
    except (TypeError, ValueError):
        return None


def _skipped(reason: str, cursor: str) -> JournalGap:
    return JournalGap(reason, cursor, int(cursor_parts(cursor).get("t", "0"), 16) / 1e6)


def cursor_of(line: bytes) -> str:
    """Return the cursor in a line of JSON, or in what is left of it, '' where there is none."""
    words = decode(from_cursor(line)).split('"')
    return words[3] if len(words) > 4 and cursor_parts(words[3]) else ""


def from_cursor(line: bytes) -> bytes:
    """Return what is left of a long line: from its cursor on, as far as a cursor may reach."""
    for key in CURSOR_KEYS:
        start = line.find(key)
        if start >= 0:
            return line[start : start + MAX_CURSOR]
    return b""


def cursor_parts(cursor: str) -> dict[str, str]:
    """Return the parts of a cursor in hexadecimal, none where it is malformed.

    They are: s and i, a file's sequence and the number in it; b, boot; m and t, monotonic
    time in that boot and real time, in microseconds; x, a hash of the content.
    """
    words = [word.partition("=") for word in cursor.split(";")]
    if sorted(name for name, _, _ in words) != sorted(CURSOR_PARTS):
        return {}
    if not all(0 < len(value) <= CURSOR_PARTS[name] for name, _, value in words):
        return {}
    if not all(not value.strip("0123456789abcdef") for _, _, value in words):
        return {}
    return {name: value for name, _, value in words}


def boot_of(cursor: str) -> str:
    """Return the boot that a cursor is of."""
    return cursor_parts(cursor).get("b", "")
