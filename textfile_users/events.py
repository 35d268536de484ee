"""`events`: what the parser makes of auth logs, as JSON lines: what would be counted."""

from __future__ import annotations

import json
import time
from typing import BinaryIO

from textfile_users.auth.attempts import AuthEvent
from textfile_users.auth.finding import (
    ESCALATION,
    ESCALATION_FAILURE,
    FAILURE,
    PROBE,
    SESSION_CLOSED,
    SESSION_OPENED,
    SUCCESS,
)
from textfile_users.auth.pairing import Pairing
from textfile_users.auth.reader import Reader
from textfile_users.messages import ERROR, say
from textfile_users.sources.authlog import Stamps, own_time
from textfile_users.sources.files import open_regular, reason
from textfile_users.sources.text import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

STDIN = "-"
BLOCK = 1 << 20
MAX_LINE = 64 << 10
# What an event says, though it be empty; all else is printed where there is something.
_ALWAYS = {
    SUCCESS: ("method", "user", "account", "ip", "host", "port", "count"),
    FAILURE: ("method", "user", "account", "ip", "host", "port", "count"),
    PROBE: ("kind", "ip", "host", "port", "count"),
    SESSION_OPENED: ("user",),
    SESSION_CLOSED: ("user",),
    ESCALATION: ("user", "target", "count"),
    ESCALATION_FAILURE: ("user", "target", "count"),
}


class UnreadableError(Exception):
    """A file cannot be read; an error of stdout is another thing."""


def events(files: list[str], unmatched: bool, now: float | None) -> int:
    """Print the events of each file, or the lines ``unmatched``; return 1 where one cannot be read.

    ``now`` is the time by which years are told, that of the clock where it is None.
    """
    status = 0
    for path in files:
        where = {"file": path} if len(files) > 1 else {}
        try:
            with _open(path) as file:
                for found in read_log(file, unmatched, time.time() if now is None else now):
                    print(json.dumps({**where, **found}))
        except UnreadableError as error:
            say(ERROR, f"{path}: {error}")
            status = 1
    return status


def _open(path: str) -> BinaryIO:
    try:
        return open(0, "rb", closefd=False) if path == STDIN else open(open_regular(path), "rb")
    except OSError as error:
        raise UnreadableError(reason(error)) from error


def read_log(file: BinaryIO, unmatched: bool, now: float) -> Iterator[dict[str, object]]:
    """Yield the events of a log in their order, or its lines that are ``unmatched``.

    Raises UnreadableError.
    """
    reader = Reader(Pairing(), Stamps(now, own_time))
    reader.numbered = True
    if unmatched:
        reader.unmatched = []
    for data in _blocks(file):
        found = map(as_dict, reader.read_block(data))
        if reader.unmatched is None:
            yield from found
            continue
        for _ in found:
            pass
        for number, line in reader.unmatched:
            yield {"line": number, "unmatched": decode(line)}
        reader.unmatched.clear()
    if not unmatched:
        yield from map(as_dict, reader.pairing.finish())


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Yield whole lines; a last one need not have a newline, and NUL bytes are left out."""
    rest = b""
    while True:
        try:
            data = file.read(BLOCK)
        except OSError as error:
            raise UnreadableError(reason(error)) from error
        if not data:
            break
        lines, newline, rest = (rest + data).replace(b"\0", b"").rpartition(b"\n")
        if newline:
            yield lines + newline
        elif len(rest) > MAX_LINE:  # no line can be so long
            rest = rest[:MAX_LINE]
    if rest:
        yield rest + b"\n"


def as_dict(event: AuthEvent) -> dict[str, object]:
    """Return an event as `events` prints it."""
    said = event.said._asdict()
    said["count"] = said.pop("times")
    always = _ALWAYS[event.said.event]
    result: dict[str, object] = {"line": event.line, "time": event.time}
    result.update((key, said[key]) for key in ("service", "event"))
    for key in _KEYS:
        if key in always or (said[key] and key not in ("pid", "count")):
            result[key] = said[key]
    return result


_KEYS = (
    "method",
    "kind",
    "user",
    "account",
    "target",
    "tty",
    "ip",
    "host",
    "port",
    "count",
)
