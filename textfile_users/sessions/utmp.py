"""utmp: PTY and console sessions (utmp(5); glibc bits/utmp.h). wtmp and btmp are alike.

Two record sizes are in use, each in both byte orders. 384 bytes: times are 32-bit, also
on most 64-bit machines. 400 bytes (aarch64 and others): ut_session and ut_tv are 64-bit.
A file does not say which it has; its content decides.
"""

from __future__ import annotations

from struct import Struct

from textfile_users.collecting import ABSENT, BROKEN, DENIED, OK, SourceReport
from textfile_users.paths import Paths
from textfile_users.reading.addresses import ip_of_record, parse_ip
from textfile_users.reading.files import read_regular, reason
from textfile_users.reading.text import field, is_number
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

EMPTY = 0
RUN_LVL = 1
INIT_PROCESS = 5
LOGIN_PROCESS = 6
USER_PROCESS = 7
DEAD_PROCESS = 8
LAST_TYPE = 9

# 43,690 records; a utmp has one a line that was ever in use at a time.
MAX_BYTES = 16 << 20
MAX_PID = 1 << 22  # PID_MAX_LIMIT of linux/threads.h
SAMPLE = 64
# Seconds: a login or logout before 1973 was no real one, but a host without a clock has them.
A_DATE = 100_000_000

# type, pid, line, id, user, host, [exit], session, seconds, microseconds, address, [unused]
_FIELDS_384 = "h2xi32s4s32s256s4xiIi16s20x"
_FIELDS_400 = "h2xi32s4s32s256s4xqqq16s20x4x"

_Fields = tuple[int, int, bytes, bytes, bytes, bytes, int, int, int, bytes]


# By name; of those that make equal sense of a file the first is taken.
LAYOUTS = {
    "384 bytes, little-endian": Struct("<" + _FIELDS_384),
    "400 bytes, little-endian": Struct("<" + _FIELDS_400),
    "384 bytes, big-endian": Struct(">" + _FIELDS_384),
    "400 bytes, big-endian": Struct(">" + _FIELDS_400),
}


class UtmpRecord(Record):
    """One sound record of a utmp, wtmp or btmp file, see utmp(5)."""

    type: int
    pid: int
    line: str
    id: str
    user: str
    host: str
    ip: str
    session: int
    time: float


class Utmp(Record):
    """What a file holds; ``first_damaged`` is that record's offset in bytes, or -1."""

    layout: str
    records: tuple[UtmpRecord, ...]
    damaged: int
    first_damaged: int
    partial: int


def parse_utmp(data: bytes, layout: str = "") -> Utmp:
    """Return the records of ``data``, the bytes of a utmp, wtmp or btmp file.

    Damaged records are left out and counted, and so are bytes too few for a last record
    (``partial``). Without ``layout`` it is found from ``data``. Raises nothing.
    """
    layout = layout or detect_layout(data)
    struct = LAYOUTS[layout]
    size = struct.size
    whole = len(data) - len(data) % size
    records = []
    damaged = 0
    first_damaged = -1
    for index, values in enumerate(struct.iter_unpack(memoryview(data)[:whole])):
        if _doubts(values) > 1:
            damaged += 1
            if first_damaged < 0:
                first_damaged = index * size
        else:
            records.append(_record(values))
    return Utmp(layout, tuple(records), damaged, first_damaged, int(whole < len(data)))


def detect_layout(data: bytes) -> str:
    """Return the name of the layout that makes most sense of ``data``.

    No single field decides: each record sampled gives points for what is right in it. Of
    equals that which leaves fewer bytes over is taken.
    """

    def rank(layout: str) -> tuple[int, int]:
        struct = LAYOUTS[layout]
        points = sum(_points(values) for values in _sample(data, struct))
        return points, -(len(data) % struct.size)

    return max(LAYOUTS, key=rank)


def holds_records(data: bytes) -> bool:
    """Return whether ``data``, the beginning of a file, is one of utmp, wtmp or btmp.

    Other files hold accidents: a quarter of the records that are not empty must name a
    terminal and a user or a date. NUL bytes alone are empty records.
    """
    if not any(data):
        return True
    struct = LAYOUTS[detect_layout(data)]
    whole = memoryview(data)[: len(data) - len(data) % struct.size]
    certain = damaged = 0
    for values in struct.iter_unpack(whole):
        if _doubts(values) > 1:
            damaged += 1
        elif _is_certain(values):
            certain += 1
    return certain > 0 and damaged <= 3 * certain


def _is_certain(values: _Fields) -> bool:
    kind, _, line, ident, user, host, _, seconds, *_ = values
    if kind == EMPTY or not field(line) or not all(map(_is_text, (line, ident, host))):
        return False
    return seconds >= A_DATE or (field(user) != "" and _is_text(user))


def read_utmp(paths: Paths) -> tuple[tuple[UtmpRecord, ...], SourceReport]:
    """Return the records of the host's utmp and the source's report."""
    path = paths.utmp()
    try:
        if not paths.utmp_given:
            paths.require_inside(path)
        data = read_regular(path, MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not paths.utmp_given:
            return (), SourceReport("utmp", ABSENT)
        return (), SourceReport("utmp", BROKEN, (f"{path}: {reason(error)}",))
    except OSError as error:
        status = DENIED if isinstance(error, PermissionError) else BROKEN
        return (), SourceReport("utmp", status, (f"{path}: {reason(error)}",))
    found = parse_utmp(data)
    unusable = (("damaged", found.damaged), ("partial", found.partial))
    faults = _faults(path, found)
    nothing_sound = bool(faults) and not found.records
    return found.records, SourceReport("utmp", BROKEN if nothing_sound else OK, faults, unusable)


def _faults(path: str, found: Utmp) -> tuple[str, ...]:
    parts = []
    if found.damaged:
        parts.append(f"{found.damaged} damaged, the first at byte {found.first_damaged}")
    if found.partial:
        parts.append("the last one cut short")
    if not parts:
        return ()
    return (f"{path}: records skipped: {'; '.join(parts)}",)


def _sample(data: bytes, struct: Struct) -> Iterator[_Fields]:
    count = len(data) // struct.size
    for index in range(0, count, max(1, count // SAMPLE)):
        yield struct.unpack_from(data, index * struct.size)


def _points(values: _Fields) -> int:
    if values[0] == EMPTY:
        return 0
    return (3, 1)[_doubts(values)] if _doubts(values) < 2 else -1


def _doubts(values: _Fields) -> int:
    """Return how many things about a record are not as a program would write them.

    One alone is legitimate somewhere, two are damage; an unknown type counts as two.
    """
    kind, pid, line, _, user, _, session, seconds, micros, _ = values
    if not EMPTY <= kind <= LAST_TYPE:
        return 2
    if kind == EMPTY:
        return 0
    doubts = 0
    if not 0 <= pid <= MAX_PID:
        doubts += 1
    if not 0 <= session < 1 << 31:
        doubts += 1
    if not 0 <= seconds < 1 << 32:
        doubts += 1
    if not 0 <= micros < 1_000_000:
        doubts += 1
    if not _is_text(line):
        doubts += 1
    if not _is_text(user):
        doubts += 1
    return doubts


def _is_text(data: bytes) -> bool:
    text = data.partition(b"\0")[0]
    if text.isalnum():  # ASCII only for bytes: the common case, fast
        return True
    return text.decode("utf-8", "replace").replace(" ", "").isprintable() and b"\xff" not in text


def _record(values: _Fields) -> UtmpRecord:
    kind, pid, line, ident, user, host, session, seconds, micros, address = values
    time = seconds + micros / 1e6 if 0 <= micros < 1_000_000 else float(seconds)
    return UtmpRecord(
        kind,
        pid,
        field(line),
        field(ident),
        field(user),
        field(host),
        ip_of_record(address),
        session,
        time,
    )


# Names of the machine itself, and words for a place at it; `unix:` stands before a local socket.
_OWN_NAMES = frozenset(
    (
        "",
        "localhost",
        "localhost.localdomain",
        "localhost4",
        "localhost4.localdomain4",
        "localhost6",
        "localhost6.localdomain6",
        "ip6-localhost",
        "ip6-loopback",
        "unix",
        "console",
        "tty",
        "xrdp",
    )
)
# Words for a peer that is not known: sshd's is UNKNOWN, where its socket is no TCP connection.
_UNKNOWN_NAMES = frozenset(("unknown", "(unknown)", "(null)", "?", "-", "0.0.0.0", "::"))  # noqa: S104
# None of these is in a host's name, nor is a blank.
_NO_NAME = frozenset("()[]{}<>|/\\\"'`,;=*?!")
_LEAST_PORT = 1024  # behind an address; a lower number is a display's

ET = "et"
UNKNOWN = "unknown"


class Origin(Record):
    """Where a session is from.

    ``kind`` is tmux, screen, mosh, et (Eternal Terminal), x11, wayland, unknown (somewhere else),
    or '' for a host or none; ``server`` is tmux's pid. Of ``host`` (a name) and ``ip``, what is
    not known is ''.
    """

    kind: str = ""
    host: str = ""
    ip: str = ""
    server: int = 0


MAX_KNOWN = 1 << 14
_known: dict[tuple[str, str], Origin] = {}


def parse_origin(text: str, ip: str = "") -> Origin:
    """Return what the host field ``text`` says; ``ip`` is the record's own address, or ''."""
    found = _known.get((text, ip))  # a record's is asked for three times
    if found is None:
        if len(_known) >= MAX_KNOWN:
            _known.clear()
        found = _known[text, ip] = _parse(text, ip)
    return found


def _parse(text: str, ip: str) -> Origin:
    if text.lower() in _UNKNOWN_NAMES:
        return Origin(UNKNOWN, ip=ip)
    address = parse_ip(text) or _bare(text)  # before displays: 2001:db8::1 ends like one
    if address:
        return Origin(ip=address)
    if text == "login screen":  # gdm's word for a display that is not X11
        return Origin("wayland")
    if text.endswith("]") or ":" in text or text.startswith("tmux("):
        return _parse_special(text, ip) or _from("", text, ip)
    return _from("", text, ip)


def _parse_special(text: str, ip: str) -> Origin | None:
    r"""Return what a host field says that is no host, None for one that looks like none.

    ``tmux(123).%0``, ``HOST via mosh [123]``, ``mosh [123]``, ``et [123]``, screen's ``HOST:S.0``,
    ``unix:SOCKET`` and X displays, ``HOST:10.0``.
    """
    if text.startswith("tmux("):
        server, _, window = text[5:].partition(").%")
        return Origin("tmux", server=int(server)) if is_number(server, window) else None
    for kind in ("mosh", ET):
        head, word, tail = text.rpartition(f"{kind} [")
        is_form = word and is_number(tail[:-1]) and tail.endswith("]")
        if is_form and (head in ("", "via ") or head.endswith(" via ")):
            return _from(kind, head[:-5], ip)
    head, _, window = text.rpartition(":S.")
    if is_number(window):
        return _from("screen", head, ip)
    head, colon, display = text.rpartition(":")
    if colon and ":" not in head and _is_name(head) and is_number(*display.split(".", 1)):
        return _from("x11", head, ip)
    if head == "unix":
        return Origin(ip=ip)
    return None


def _bare(text: str) -> str:
    """Return the address of ``[ADDRESS]``, ``[ADDRESS]:PORT`` or ``IPV4:PORT``, else ''."""
    head, colon, port = text.rpartition(":")
    is_bracketed = text.startswith("[")
    if is_bracketed and text.endswith("]"):
        return parse_ip(text[1:-1])
    if not (colon and is_number(port)):
        return ""
    if is_bracketed:
        return parse_ip(head[1:-1]) if head.endswith("]") else ""
    return parse_ip(head) if ":" not in head and int(port) >= _LEAST_PORT else ""


def _from(kind: str, host: str, ip: str) -> Origin:
    address = parse_ip(host)
    is_terminal = host.startswith((":", "pts/")) or (host.startswith("tty") and "." not in host)
    if address or is_terminal or host.lower() in _OWN_NAMES:
        return Origin(kind, "", address or ip)
    if host.lower() in _UNKNOWN_NAMES or not _is_name(host):
        return Origin(kind or UNKNOWN, "", ip)
    return Origin(kind, host, ip)


def _is_name(host: str) -> bool:
    """Return whether it may be a host's name, of whatever script."""
    return host.isprintable() and _NO_NAME.isdisjoint(host) and not host.count(" ")
