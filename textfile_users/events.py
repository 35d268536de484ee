"""`events`: what the parser makes of auth logs, as JSON lines: what would be counted."""

from __future__ import annotations

import json
import os
import time

from textfile_users.auth.log_forms import has_stamps
from textfile_users.auth.pairing import Pairing
from textfile_users.auth.reader import Reader
from textfile_users.auth.stamps import Stamps
from textfile_users.auth_event import (
    ESCALATION,
    ESCALATION_FAILURE,
    FAILURE,
    PROBE,
    SESSION_CLOSED,
    SESSION_OPENED,
    SUCCESS,
    AuthEvent,
)
from textfile_users.console import ERROR, PROGRAM, WARNING, say
from textfile_users.logins import EVENT, MAX_LOGINS, Login, Logins
from textfile_users.options import WrongUsage
from textfile_users.reading.given import STDIN, UnreadableError, blocks
from textfile_users.reading.lines import behind_last_end, without_nuls
from textfile_users.reading.localtime import own_time
from textfile_users.reading.sqlite import MAGIC as DATABASE
from textfile_users.reading.text import decode
from textfile_users.sessions.utmp import holds_records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BLOCK = 1 << 20
MAX_LINE = 64 << 10
MAX_WAITING = 10_000  # events that are put in order
RECORDS = 384 * 400  # of a block: whole records of every layout
JOURNAL = b"LPKSHHRH"  # systemd's journal-def.h
# What text consists of, in any encoding: no control characters but blanks and those of colours,
# and NULs, which a crash leaves.
_TEXT = b"\0\t\n\v\f\r\x1b" + bytes(range(32, 256))
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


def events(files: list[str], unmatched: bool, now: float | None) -> int:
    """Print the events of each file, or the lines ``unmatched``; return 1 where one cannot be read.

    Without ``files`` standard input is read; raises WrongUsage where that is a terminal. ``now``
    is the time by which years are told, that of the clock where it is None.
    """
    if not files and os.isatty(0):
        wanted = "events reads a log: give a FILE, or - for standard input"
        raise WrongUsage(f"{wanted} (see {PROGRAM} events --help)")
    status = 0
    for path in files or [STDIN]:
        where = {"file": path} if len(files) > 1 else {}
        in_order = _in_order if path != STDIN else iter  # who pipes a log waits for its events
        # People give /dev/null for nothing.
        data = () if path == os.devnull else _of_a_log(blocks(path, BLOCK))
        reader = _reader(time.time() if now is None else now)
        try:
            for found in in_order(_read(reader, data, unmatched)):
                print(json.dumps({**where, **found}))
        except UnreadableError as error:
            say(ERROR, f"{path}: {error}")
            status = 1
        if reader.strange:
            what = "no line has a known form" if reader.fault else "lines of no known form"
            said = f"{what}, the first that names a program: {reader.strange}"
            say(ERROR if reader.fault else WARNING, f"{path}: line {reader.strange_line}: {said}")
            status = 1 if reader.fault else status
    return status


def _in_order(events: Iterable[dict[str, object]]) -> Iterator[dict[str, object]]:
    """Yield events in the order of their lines: some are certain only seconds later."""
    waiting: list[dict[str, object]] = []
    try:
        for event in events:
            waiting.append(event)
            if len(waiting) >= 2 * MAX_WAITING:
                waiting.sort(key=_line_of)
                yield from waiting[:MAX_WAITING]
                del waiting[:MAX_WAITING]
    except UnreadableError:
        yield from sorted(waiting, key=_line_of)
        raise
    yield from sorted(waiting, key=_line_of)


def _line_of(event: dict[str, object]) -> int:
    return int(str(event["line"]))


def _of_a_log(data: Iterable[bytes]) -> Iterator[bytes]:
    """Yield ``data``. Raises UnreadableError where it begins as no log does.

    The first block with more than NUL bytes decides: a crash leaves blocks of them.
    """
    is_decided = False
    for block in data:
        if not is_decided and block.strip(b"\0"):
            is_decided = True
            fault = _fault(block)
            if fault:
                raise UnreadableError(fault)
        yield block


def _fault(data: bytes) -> str:
    """Return what ``data`` is if it is no log, else ''.

    Text is a log, and so is what has lines with a stamp, whatever else is in it.
    """
    if data.startswith(JOURNAL):
        return "is the journal's: journalctl -o short-iso --file FILE | textfile-users events -"
    if data.startswith(DATABASE):
        return "is an SQLite database, not a log"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "is UTF-16: iconv -f UTF-16 -t UTF-8 FILE | textfile-users events -"
    if not data.translate(None, _TEXT) or has_stamps(without_nuls(data)):
        return ""
    if holds_records(data[:RECORDS]):
        return "holds records, not lines of a log: see textfile-users records"
    return "is not a log: it is not text, and none of its lines has a stamp"


def read_log(data: Iterable[bytes], unmatched: bool, now: float) -> Iterator[dict[str, object]]:
    """Yield the events of a log in their order, or its lines that are ``unmatched``."""
    return _read(_reader(now), data, unmatched)


def _reader(now: float) -> Reader:
    """Return what reads a log; ``now`` tells its years. Without a clock a boot is the time 0."""
    reader = Reader(Pairing(), Stamps(now, own_time, undated=True))
    reader.numbered = True
    return reader


def _read(reader: Reader, data: Iterable[bytes], unmatched: bool) -> Iterator[dict[str, object]]:
    if unmatched:
        reader.unmatched = []
    logins = _Logins()
    for lines in _whole_lines(data):
        found = map(as_dict, filter(logins.counts, reader.read_block(lines)))
        if reader.unmatched is None:
            yield from found
            continue
        for _ in found:
            pass
        for number, line in reader.unmatched:
            yield {"line": number, "unmatched": decode(line)}
        reader.unmatched.clear()
    if not unmatched:
        yield from map(as_dict, filter(logins.counts, reader.pairing.finish()))


class _Logins:
    """The logins of a log, whose ends are no probes, as Counting has it."""

    def __init__(self) -> None:
        self._logins = Logins((), 0.0, _ignore, _ignore)
        self._begun = 0

    def counts(self, event: AuthEvent) -> bool:
        """Return whether an event counts, and take it."""
        said = event.said
        if said.event == PROBE:
            return not self._logins.is_over(said.ip, said.port, event.time)
        if said.event == SESSION_CLOSED:
            self._logins.end_by_event(said.service, event.pid, event.time)
        elif said.event == SUCCESS and said.port:
            place = event.pid, "", said.ip, said.port
            self._logins.begin(Login(EVENT, said.user, "", said.service, *place, event.time))
            self._begun += 1
            if self._begun % MAX_LOGINS == 0:
                self._logins.bound(event.time)
        return True


def _ignore(_: Login) -> None:
    """Count no login."""


def _whole_lines(data: Iterable[bytes]) -> Iterator[bytes]:
    """Yield whole lines; a run of NUL bytes ends one too, and the last one needs no newline."""
    rest = b""
    for block in data:
        rest += block
        cut = behind_last_end(rest)
        lines, rest = rest[:cut], rest[cut:]
        if b"\0" in lines:
            lines = without_nuls(lines)
        if lines:
            yield lines
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
    result.update({"program": said["service"], "event": said["event"]})
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
