"""What must not be lost: counters, together with the positions up to which logs are read.

One file in the state directory, replaced as a whole and only when something in it changed.
"""

from __future__ import annotations

import _csv as csv  # the module csv around it imports re, which costs as much as all else here
import errno
import io
import os

from textfile_users.auth.attempts import AuthEvent, Key, Memory
from textfile_users.auth.finding import Finding
from textfile_users.logins import Login
from textfile_users.record import Record
from textfile_users.rows import end_of, from_row, pairs, require_end, to_row, within
from textfile_users.sources.files import read_regular, reason
from textfile_users.sources.follow import Position
from textfile_users.writer import write_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from textfile_users.sources.journals import JournalPosition
    from textfile_users.sources.wtmpdb import WtmpdbPosition

FILE_NAME = "durable.csv"
NAME = "textfile-users durable"
VERSION = "2"
OLD_VERSION = "1"
MAX_BYTES = 8 << 20
MAX_READ = 64 << 20  # older versions had no bound
# Of a file that would be larger each kind of row may have so many bytes.
SHARES = {
    "counter": 3200 << 10,  # of which counting.py has bounds of its own
    "failures": 1536 << 10,
    "process": 1536 << 10,
    "login": 1280 << 10,
    "held": 256 << 10,
    "last login": 256 << 10,
}
OLDEST = "counter"  # of this kind the first rows stay: what was counted goes on
NUL = "\udc00"  # stands for one; no decoded text has it
# When counting began that leaves nothing out; 0 is never.
BEGINNING = 1.0

# A family and its label values; a histogram's bucket has its bound behind them.
Series = tuple[str, ...]
# Among the counters, with a family for its label: how often a series had no place, '' for what
# this file has no place for.
DROPPED = "users_series_dropped"


class Durable(Record):
    """All that counting goes on with; times are seconds since the epoch.

    ``began`` is when counting began, 0 before the first look. ``counters`` are the samples of
    the counters, ``failures`` those of the last hour by address and minute, ``attempts`` all of
    that hour with the probes by minute, ``last_logins`` by user. ``source`` is the log believed
    last, ``time`` that of the newest line read of it, and ``quiet`` that of one behind which it may
    lack lines that another has, 0 for none.
    ``logs`` and ``records`` are positions by path, ``seen`` says by source what was there when
    it was read whole. ``remembered``, ``held`` and ``last`` are what lines have left undecided.
    """

    began: float
    boot_id: str
    boot: float
    counters: dict[Series, float]
    failures: dict[str, dict[int, int]]
    last_logins: dict[str, float]
    source: str
    time: float
    logs: dict[str, Position]
    journal: JournalPosition | None
    remembered: tuple[tuple[Key, Memory], ...]
    held: tuple[AuthEvent, ...]
    last: AuthEvent | None
    logins: tuple[Login, ...]
    forgotten: float
    records: dict[str, Position]
    wtmpdb: WtmpdbPosition | None
    seen: dict[str, str]
    quiet: float = 0.0
    attempts: dict[int, int] = {}  # noqa: RUF012 - immutable


NOTHING = Durable(0.0, "", 0.0, {}, {}, {}, "", 0.0, {}, None, (), (), None, (), 0.0, {}, None, {})


def format_durable(durable: Durable) -> bytes:
    """Return the file's content, from which parse_durable makes ``durable`` again."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    rows.writerow((NAME, VERSION))
    # csv before Python 3.11 takes no NUL.
    rows.writerows([str(cell).replace("\0", NUL) for cell in row] for row in _rows(durable))
    data = text.getvalue().encode("utf-8", "surrogatepass")
    return data + end_of(data)


def _rows(durable: Durable) -> Iterator[tuple[object, ...]]:
    yield "began", durable.began
    yield "boot", durable.boot_id, durable.boot
    yield ("source", durable.source, durable.time, *([durable.quiet] if durable.quiet else []))
    yield "forgotten", durable.forgotten
    for series, value in durable.counters.items():
        yield ("counter", value, *series)
    for address, minutes in durable.failures.items():
        yield "failures", address, " ".join([f"{minute} {n}" for minute, n in minutes.items()])
    if durable.attempts:
        yield "attempts", " ".join([f"{minute} {n}" for minute, n in durable.attempts.items()])
    for user, time in durable.last_logins.items():
        yield "last login", user, time
    yield from _positions(durable)
    for login in durable.logins:
        yield ("login", *to_row(login))
    for (service, who), memory in durable.remembered:
        held = [text for event in memory.held for text in _event_row(event)]
        kind = "pid" if isinstance(who, int) else "peer"  # whose name may be a number, too
        held += [memory.peer, str(memory.port)] if memory.peer or memory.port else ()
        yield ("process", service, kind, who, memory.time, memory.said, *held)
    for event in durable.held:
        yield ("held", *_event_row(event))
    if durable.last is not None:
        yield ("last", *_event_row(durable.last))


def _positions(durable: Durable) -> Iterator[tuple[object, ...]]:
    for path, position in durable.logs.items():
        yield ("log", path, *to_row(position))
    for path, position in durable.records.items():
        yield ("records", path, *to_row(position))
    for source, signature in durable.seen.items():
        yield "seen", source, signature
    if durable.journal is not None:
        yield ("journal", *to_row(durable.journal))
    if durable.wtmpdb is not None:
        last_id, last_login, open_ids, signature = durable.wtmpdb
        yield ("wtmpdb", last_id, last_login, signature, *open_ids)


def parse_durable(data: bytes) -> Durable:
    """Return what the file's bytes say.

    Raises ValueError where they are no such file, of a version not known, cut short or damaged.
    """
    if not data.endswith(b"\n"):
        raise ValueError("cut short")
    text = data.decode("utf-8", "surrogatepass")
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise ValueError(str(error)) from error
    if NUL in text:
        rows = [[cell.replace(NUL, "\0") for cell in row] for row in rows]
    if not rows or rows[0][:1] != [NAME]:
        raise ValueError("no state of this program")
    if rows[0][1:] not in ([VERSION], [OLD_VERSION]):
        raise ValueError(f"of version {rows[0][1:]}, not {VERSION}")
    require_end(data)
    found: dict[str, list[list[str]]] = {}
    for kind, *texts in rows[1:-1]:
        found.setdefault(kind, []).append(texts)
    try:
        if rows[0][1] == OLD_VERSION:
            found["counter"] = [_counter(*row) for row in found.get("counter", ())]
        return _of_rows(found)
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"not understood: {error!r}") from error


def _of_rows(found: dict[str, list[list[str]]]) -> Durable:
    ((began,),) = found["began"]
    ((boot_id, boot),) = found["boot"]
    ((source, time, *quiet),) = found["source"]
    ((forgotten,),) = found["forgotten"]
    failures: dict[str, dict[int, int]] = {}
    for address, minutes, *count in found.get("failures", ()):
        # An older version had a row for each minute.
        numbers = pairs(" ".join((minutes, *count)))
        failures.setdefault(address, {}).update(numbers)
    return Durable(
        began=float(began),
        boot_id=boot_id,
        boot=float(boot),
        counters={tuple(series): float(value) for value, *series in found.get("counter", ())},
        failures=failures,
        last_logins={user: float(time) for user, time in found.get("last login", ())},
        source=source,
        time=float(time),
        logs={path: _position(texts) for path, *texts in found.get("log", ())},
        journal=_journal(found.get("journal")),
        remembered=tuple(_process(texts) for texts in found.get("process", ())),
        held=tuple(map(_event, found.get("held", ()))),
        last=_event(found["last"][0]) if "last" in found else None,
        logins=tuple(from_row(Login, texts) for texts in found.get("login", ())),
        forgotten=float(forgotten),
        records={path: _position(texts) for path, *texts in found.get("records", ())},
        wtmpdb=_wtmpdb(found.get("wtmpdb")),
        seen=dict(found.get("seen", ())),
        quiet=float(quiet[0]) if quiet else 0.0,
        attempts=dict(pairs(" ".join(text for (text,) in found.get("attempts", ())))),
    )


def _counter(value: str, family: str = "", *labels: str) -> list[str]:
    """Return the row of a counter as this version has it."""
    if family == "users_reboots_total":
        return [value, family, "clean"]  # as most are; a count of crashes is for an alert
    if family == "users_escalations_total":
        *who, result = labels
        is_failure = result == "failure"
        return [value, "users_escalation_failures_total" if is_failure else family, *who]
    return [value, family, *labels]


def _position(texts: list[str]) -> Position:
    is_old = len(texts) == len(Position._fields) - 1  # 0.1.0 did not know ``left``
    return from_row(Position, [*texts, ""] if is_old else texts)


def _journal(rows: list[list[str]] | None) -> JournalPosition | None:
    if not rows:
        return None
    from textfile_users.sources.journals import JournalPosition

    return from_row(JournalPosition, rows[0])


def _wtmpdb(rows: list[list[str]] | None) -> WtmpdbPosition | None:
    if not rows:
        return None
    from textfile_users.sources.wtmpdb import WtmpdbPosition

    last_id, last_login, signature, *open_ids = rows[0]
    return WtmpdbPosition(int(last_id), int(last_login), tuple(map(int, open_ids)), signature)


def _process(texts: list[str]) -> tuple[Key, Memory]:
    service, kind, who, time, said, *rest = texts
    port = int(rest.pop()) if len(rest) % _EVENT == 2 else 0
    peer = rest.pop() if len(rest) % _EVENT == 1 else ""  # alone in an older version
    held = tuple(_event(rest[at : at + _EVENT]) for at in range(0, len(rest), _EVENT))
    key = service, int(who) if kind == "pid" else who
    return key, Memory(float(time), said, held, peer, port)


_PLACE = ("time", "pid", "line")  # the fields of AuthEvent before the finding
_EVENT = len(_PLACE) + len(Finding._fields)


def _event_row(event: AuthEvent) -> list[str]:
    return [*map(str, event[: len(_PLACE)]), *to_row(event.said)]


def _event(texts: list[str]) -> AuthEvent:
    time, pid, line = texts[: len(_PLACE)]
    return AuthEvent(float(time), int(pid), int(line), from_row(Finding, texts[len(_PLACE) :]))


def load(directory: str) -> Durable:
    """Return the state in ``directory``, NOTHING where there is no file.

    Raises OSError where it cannot be read, ValueError where it is no state and never will be.
    """
    try:
        data = read_regular(os.path.join(directory, FILE_NAME), MAX_READ)
    except FileNotFoundError:
        if os.path.islink(os.path.join(directory, FILE_NAME)):
            raise ValueError("is a link that leads nowhere") from None
        return NOTHING
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.EINVAL, errno.ELOOP, errno.EFBIG):
            raise ValueError(reason(error)) from error
        raise
    for known, durable in last:
        if known == data:
            return durable
    if len(data) > MAX_BYTES:
        require_end(data)
        data, dropped = within(data, SHARES, OLDEST)
        return _telling(parse_durable(data), dropped)
    found = parse_durable(data)
    last[:] = [(data, found)]
    return found


def _telling(found: Durable, dropped: int) -> Durable:
    """Return a state that tells how many rows more had no place in its file."""
    series = DROPPED, ""
    before = found.counters.get(series, 0.0)
    return found._replace(counters={**found.counters, series: before + dropped})


def is_kept(durable: Durable) -> bool:
    """Return whether the file read or saved last says just this."""
    return any(known is durable for _, known in last)


def put_aside(directory: str) -> str:
    """Give a state file that cannot be read another name, and return that. Raises OSError."""
    path = os.path.join(directory, FILE_NAME)
    os.rename(path, path + ".unreadable")
    return path + ".unreadable"


def save(directory: str, durable: Durable) -> None:
    """Replace the file in ``directory``; what has no place there is dropped. Raises OSError."""
    data = format_durable(durable)
    if len(data) > MAX_BYTES:
        data, dropped = within(data, SHARES, OLDEST)
        durable = _telling(parse_durable(data), dropped)
        data = format_durable(durable)
    write_whole(os.path.join(directory, FILE_NAME), data, 0o600, for_owner=True)
    last[:] = [(data, durable)]


# The bytes read or saved last, and what they say: a further look of a run need not parse them.
last: list[tuple[bytes, Durable]] = []
