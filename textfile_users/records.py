"""`records`: what the parser makes of utmp, wtmp and btmp files, as JSON lines."""

from __future__ import annotations

import json
import os

from utmp import UTmpRecordType

from textfile_users.messages import ERROR, NOTICE, say
from textfile_users.model import UtmpRecord
from textfile_users.sources.files import open_regular, reason
from textfile_users.sources.utmp import detect_layout, parse_utmp

# What is read at once: whole records of every layout. The first block tells the layout.
BLOCK = 384 * 400


def records(files: list[str]) -> int:
    """Print the records of each file; return 1 where one could not be read, else 0."""
    status = 0
    for path in files:
        try:
            say(NOTICE, f"{path}: {_print_records(path)}")
        except BrokenPipeError:
            raise
        except OSError as error:
            say(ERROR, f"{path}: {reason(error)}")
            status = 1
    return status


def format_record(record: UtmpRecord) -> str:
    """Return the record as a JSON object; the type has python-utmp's name for it."""
    content = record._asdict()
    content["type"] = UTmpRecordType(record.type).name
    return json.dumps(content)


def _print_records(path: str) -> str:
    """Print the file's records; return its layout and the numbers of records in a line."""
    layout = ""
    sound = damaged = partial = 0
    with os.fdopen(open_regular(path), "rb") as file:
        while data := file.read(BLOCK):
            layout = layout or detect_layout(data)
            found = parse_utmp(data, layout)
            for record in found.records:
                print(format_record(record))
            sound += len(found.records)
            damaged += found.damaged
            partial += found.partial
    name = layout or "none, the file is empty"
    return f"layout {name}; {sound} sound, {damaged} damaged, {partial} partial"
