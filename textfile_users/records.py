"""`records`: what the parsers make of utmp, wtmp and btmp files and of wtmpdb, as JSON lines."""

from __future__ import annotations

import json
import os
import sys
from contextlib import closing
from itertools import chain

from utmp import UTmpRecordType

from textfile_users.console import ERROR, NOTICE, say
from textfile_users.history import lastlog
from textfile_users.history.wtmpdb import DatabaseRecord, each_record
from textfile_users.reading.files import UnreadableDatabase, open_regular, reason
from textfile_users.reading.given import STDIN, UnreadableError, blocks
from textfile_users.reading.sqlite import MAGIC
from textfile_users.sessions.utmp import UtmpRecord, holds_records, parse_utmp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# What is read at once: whole records of every layout. The first block tells the layout, and
# whether the file holds records at all.
BLOCK = 384 * 400


def records(files: list[str]) -> int:
    """Print the records of each file; return 1 where one holds none or cannot be read, else 0."""
    status = 0
    for path in files:
        try:
            found = _print_records(path)
        except UnreadableError as error:
            say(ERROR, f"{path}: {error}")
            status = 1
        else:
            if sys.stdout is not None:
                sys.stdout.flush()  # the summary comes last, and not where the records are lost
            say(NOTICE, f"{path}: layout {found}")
    return status


def _print_records(path: str) -> str:
    """Print a file's records; return its layout and how many there are. Raises UnreadableError."""
    with closing(blocks(path, BLOCK)) as data:
        first = next(data, b"")
        if not first.startswith(MAGIC):
            return _print_blocks(path, first, data)
    return _print_rows(path)  # SQLite opens it itself, once it is closed: see sqlite.ask()


def _print_blocks(path: str, first: bytes, others: Iterator[bytes]) -> str:
    is_hole = len(first) == BLOCK and not any(first)  # so begins a sparse lastlog, and no utmp
    if first and (is_hole or not holds_records(first)):
        raise UnreadableError(_another_thing(path, first))
    layout, sound, damaged, partial = "", 0, 0, 0
    for block in chain([first] if first else [], others):
        found = parse_utmp(block, layout)
        layout = found.layout
        sound += len(found.records)
        damaged += found.damaged
        partial += found.partial
        for record in found.records:
            print(format_record(record))
    return f"{layout or 'none, the file is empty'}; {_counts(sound, damaged, partial)}"


def _print_rows(path: str) -> str:
    """Print what wtmpdb's database holds, likewise."""
    sound = 0

    def take(row: DatabaseRecord) -> None:
        nonlocal sound
        sound += 1
        print(format_record(row.record, service=row.service, logout=row.logout))

    try:
        if not _is_database(path):
            raise UnreadableError("holds an SQLite database: unpack it into a file first")
        damaged = each_record(path, take)
    except OSError as error:
        raise UnreadableError(reason(error)) from error
    except UnreadableDatabase as error:
        raise UnreadableError(_another_database(path, error)) from error
    return f"wtmpdb (SQLite); {_counts(sound, damaged, 0)}"


def _is_database(path: str) -> bool:
    """Return whether the file itself is SQLite's, which can open no pipe and nothing compressed."""
    if path == STDIN:
        return False
    with open(open_regular(path), "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _counts(sound: int, damaged: int, partial: int) -> str:
    return f"{sound} sound, {damaged} damaged, {partial} partial"


def _another_thing(path: str, first: bytes) -> str:
    """Return what is wrong with a file that begins with ``first`` and is none of ours."""
    wanted = "holds no records of utmp, wtmp or btmp"
    if os.path.basename(path).startswith("lastlog"):
        return f"{wanted}; lastlog(8) prints a lastlog"
    if b"\0" not in first:
        return f"{wanted}; if it is a log, see textfile-users events"
    return wanted


def _another_database(path: str, error: UnreadableDatabase) -> str:
    """Return what is wrong with a database that is not wtmpdb's."""
    try:
        lastlog.read_lastlog2(path, 1)
    except (OSError, UnreadableDatabase):
        return f"is an SQLite database, but not one of wtmpdb: {error}"
    return "is the database of lastlog2, not of wtmpdb; lastlog2(8) prints it"


def format_record(record: UtmpRecord, **known: object) -> str:
    """Return the record as a JSON object, with what else is ``known`` of it.

    The type has python-utmp's name for it.
    """
    content = record._asdict()
    content["type"] = UTmpRecordType(record.type).name
    content.update((key, value) for key, value in known.items() if value)
    return json.dumps(content)
