"""`records`: what the parser makes of utmp, wtmp and btmp files, as JSON lines."""

from __future__ import annotations

import json
import os
import sys

from utmp import UTmpRecordType

from textfile_users.messages import ERROR, NOTICE, say
from textfile_users.model import UtmpRecord
from textfile_users.sources.files import open_regular, reason
from textfile_users.sources.utmp import Utmp, parse_utmp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# What is read at once: whole records of every layout. The first block tells the layout.
BLOCK = 384 * 400


class UnreadableError(Exception):
    """A file cannot be read; an error of stdout is another thing."""


def records(files: list[str]) -> int:
    """Print the records of each file; return 1 where one could not be read, else 0."""
    status = 0
    for path in files:
        try:
            layout, sound, damaged, partial = "none, the file is empty", 0, 0, 0
            for found in read_blocks(path):
                layout = found.layout
                sound += len(found.records)
                damaged += found.damaged
                partial += found.partial
                for record in found.records:
                    print(format_record(record))
        except UnreadableError as error:
            say(ERROR, f"{path}: {error}")
            status = 1
        else:
            sys.stdout.flush()  # the summary comes last, and not where the records are lost
            counts = f"{sound} sound, {damaged} damaged, {partial} partial"
            say(NOTICE, f"{path}: layout {layout}; {counts}")
    return status


def read_blocks(path: str) -> Iterator[Utmp]:
    """Yield what the blocks of a file hold; the first tells the layout of all.

    Raises UnreadableError with the reason.
    """
    layout = ""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            while data := file.read(BLOCK):
                found = parse_utmp(data, layout)
                layout = found.layout
                yield found
    except OSError as error:
        raise UnreadableError(reason(error)) from error


def format_record(record: UtmpRecord) -> str:
    """Return the record as a JSON object; the type has python-utmp's name for it."""
    content = record._asdict()
    content["type"] = UTmpRecordType(record.type).name
    return json.dumps(content)
