"""Auth log files: lines of syslog in the forms that syslogds have written them.

Lines that begin as most do are split here: stamps are traditional (RFC 3164: local time, no
year), ISO 8601, or OpenWrt's, and behind the host busybox's FACILITY.SEVERITY may stand. All
other forms are in the table of log_forms.py.
"""

from __future__ import annotations

from textfile_users.auth.programs import OTHER, PROGRAMS
from textfile_users.auth.syslog import FACILITIES, REPEATED, SEVERITIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


# A line of a known program: where it begins in its block and where the next one does, its
# stamp, program, pid (0 for none) and message. One that names a known program in no known form has
# no stamp and no program, and is its own message.
LogLine = tuple[int, int, bytes, bytes, int, bytes]


def parse_lines(data: bytes, strange: bool = False) -> Iterable[LogLine]:
    """Return the lines of known programs in ``data``, whole lines each with its newline.

    With ``strange`` also those that name one in no known form. What PAM says of sshd's attempts is
    left out, since sshd says it itself; what it wrote for a program that is not known has the
    program OTHER. ``last message repeated 2 times``, as BSD's syslogd writes it, has the program
    REPEATED and 2 for a pid. A carriage return at a line's end is none of it.
    """
    lines = _lines(data, strange)
    # The first of the two questions is the quick one.
    has_returns = b"\r" in data and b"\r\n" in data
    return map(_without_return, lines) if has_returns else lines


def _without_return(line: LogLine) -> LogLine:
    return (*line[:5], line[5][:-1]) if line[5].endswith(b"\r") else line


def _lines(data: bytes, strange: bool) -> Iterator[LogLine]:
    end = after = at = 0
    host = first = b""
    for line in data.split(b"\n"):
        start = end
        length = len(line)
        end += length + 1
        if length < MIN_LINE:
            continue
        # Lines of a host have it at the same place, if their stamps have the same form.
        if line[after:at] != host or not host or line[:4] != first:
            after, at = _place_of_host(line)
            host, first = line[after:at], line[:4]
            if not host:
                split = _with_priority if line[:1] == b"<" else _unusual
                yield from split(line, start, strange)
                continue
        program, _, rest = line[at:].partition(b"[")
        if program in PROGRAMS:
            pid, _, message = rest.partition(b"]: ")
            if message[:1] == b" ":  # as sudo writes it
                message = message.lstrip(b" ")
            if not pid.isdigit() or len(pid) > 10 or message[:1] in b"[":
                yield from _unusual(line, start, strange)
            elif not message.startswith(_SKIPPED):
                yield start, end, line[:after], program, int(pid), message
        else:
            may_say = _others.get(program)
            if may_say is None or (may_say and (b"pam_" in rest or b": PAM " in rest)):
                yield from _without_pid(line, start, after, at, strange)


def _without_pid(line: bytes, start: int, after: int, at: int, strange: bool) -> Iterator[LogLine]:
    """Yield what a line with a host is where no known program and pid follow it."""
    words = line[at:].split(b" ", 4)
    if len(words) == 5 and words[3] == b"-" and line[4:5] == b"-":
        if line.count(b" ", after + 1, at) == 1:
            yield from _modern(line, start, line[:after], words, strange)
        else:  # what was taken for a level is the program
            yield from _unusual(line, start, strange)
        return
    program, colon, message = line[at:].partition(b": ")
    message = message.lstrip(b" ")
    name = program.partition(b"[")[0]
    if name in PROGRAMS and (name != program or not colon or message.startswith(b"[")):
        yield from _unusual(line, start, strange)
    elif name in PROGRAMS:
        if not message.startswith(_SKIPPED):
            yield start, start + len(line) + 1, line[:after], program, 0, message
    elif message.startswith(_PAMS) and name and b" " not in name and _base(name) not in PROGRAMS:
        # Whatever the program: PAM names the service.
        if _says_pam(name, message) and not message.startswith(_SKIPPED):
            yield start, start + len(line) + 1, line[:after], OTHER, _pid_of(program), message
    elif not _is_other(name):
        yield from _unusual(line, start, strange)


def _with_priority(line: bytes, start: int, strange: bool) -> Iterator[LogLine]:
    """Yield what a line is that begins with <PRIORITY>."""
    head, _, rest = line.partition(b" ")
    stamp, _, rest = rest.partition(b" ")
    words = rest.split(b" ", 5)  # the host is the first
    is_plain = len(head) < 7 and head[1:-2].isdigit() and head[-2:-1] == b">" and stamp[4:5] == b"-"
    if len(words) == 6 and words[4] == b"-" and is_plain and head[-1:].isdigit():
        yield from _modern(line, start, stamp, words[1:], strange)
    else:
        yield from _unusual(line, start, strange)


def _modern(
    line: bytes, start: int, stamp: bytes, words: list[bytes], strange: bool
) -> Iterator[LogLine]:
    """Yield what a line of RFC 5424 is: ``words`` are program, pid, message's id, "-", message."""
    program, pid, name, _, message = words
    number = 0 if pid == b"-" else int(pid) if pid.isdigit() and len(pid) <= 10 else -1
    is_plain = number >= 0 and (name == b"-" or name.isalnum())
    message = message.lstrip(b" ")
    if not is_plain or not stamp[:4].isdigit() or message[:1] == b"\xef":
        yield from _unusual(line, start, strange)
    elif program not in PROGRAMS:
        if program not in _others and not _is_other(program):
            yield from _unusual(line, start, strange)
        elif _says_pam(program, message) and not message.startswith(_SKIPPED):
            yield start, start + len(line) + 1, stamp, OTHER, number, message
    elif not message.startswith(_SKIPPED):
        yield start, start + len(line) + 1, stamp, program, number, message


def begins_plainly(data: bytes, time_of: Callable[[bytes], float | None]) -> bool:
    """Return whether one of the first lines is of a usual form, whichever program wrote it."""
    for line in data[:MAX_BEGINNING].split(b"\n"):
        after, at = _place_of_host(line)
        program, colon, _ = line[at:].partition(b": ")
        if at and colon and b" " not in program and time_of(line[:after]) is not None:
            return True
    return False


def _base(name: bytes) -> bytes:
    """Return a program's name in ``gdm-password]`` and ``login(pam_unix)``."""
    return name.partition(b"(")[0].rstrip(b"]")


def _pid_of(tag: bytes) -> int:
    pid = tag.rpartition(b"[")[2].rstrip(b"]") if b"[" in tag else b""
    return int(pid) if pid.isdigit() and len(pid) <= 10 else 0


MAX_BEGINNING = 4096  # bytes of a block
MIN_LINE = 18  # a stamp, a name and a colon
CTIME = 24  # bytes of `Mon Nov 30 10:00:00 2026`
_SKIPPED = b"pam_unix(sshd:auth"
_PAMS = (b"pam_", b"PAM ")  # modules of PAM, and PAM
# Their sessions are no logins, and frequent.
_SILENT = frozenset((b"CRON", b"cron", b"crond", b"atd", b"systemd", b"dovecot", b"auth", b"smbd"))
# Programs met that are none of ours, and whether PAM may have written lines of theirs.
_others: dict[bytes, bool] = dict.fromkeys(_SILENT, False)
MAX_OTHERS = 1_000


def _place_of_host(line: bytes) -> tuple[int, int]:
    """Return where a stamp ends and a program begins: between are host, level and their blanks.

    Both are 0 for a line that does not begin so, as most do.
    """
    after = _end_of_stamp(line)
    at = line.find(b" ", after + 1) + 1
    word = line[after + 1 : at - 1]
    # A name that ends in a colon or bracket is no host's, but another program's tag; a number is a
    # year, and what has a sign is a zone.
    if after < 15 or line[after : after + 1] != b" " or word[-1:] in b":]":
        return 0, 0
    if not at or word.isdigit() or word[:1] in b"+-<[":
        return 0, 0
    if not (after == CTIME and _is_level(word)):  # OpenWrt tells no host
        end = line.find(b" ", at)
        if end > 0 and b"." in line[at:end] and _is_level(line[at:end]):
            at = end + 1
    return after, at


def _end_of_stamp(line: bytes) -> int:
    """Return where a stamp of the usual forms ends, 0 for none."""
    if line[4:5] == b"-" and line[:4].isdigit():
        return line.find(b" ", 11)  # a blank may stand for the T
    if line[3:4] != b" ":
        return 0
    if line[9:10] == b":" == line[12:13]:
        end = 15 if line[15:16] == b" " else line.find(b" ", 15)
        return end if end == 15 or (line[15:16] in b".," and line[16:end].isdigit()) else 0
    if line[7:8] == b" " and line[13:14] == b":" == line[16:17] and line[20:CTIME].isdigit():
        return CTIME
    if line[8:9] == b"-" == line[11:12] and line[17:18] == b":" == line[20:21]:
        end = line.find(b" ", CTIME)  # behind the zone
        return end if line[CTIME:end].isalpha() and line[CTIME:end].isupper() else 0
    return 0


def _is_level(word: bytes) -> bool:
    """Return whether a word is FACILITY.SEVERITY."""
    facility, dot, severity = word.partition(b".")
    return bool(dot) and facility in FACILITIES and severity in SEVERITIES


def _is_other(program: bytes) -> bool:
    """Return whether it is the plain name of a program, and remember it."""
    if not program.replace(b"-", b"").replace(b"_", b"").replace(b".", b"").isalnum():
        return False
    if program.endswith(b".service"):  # journalctl -o with-unit
        return False
    if len(_others) < MAX_OTHERS:
        _others[program] = True
    return True


def _unusual(line: bytes, start: int, strange: bool = False) -> Iterator[LogLine]:
    """Yield what a line is that does not begin as most do, if it is of a known program."""
    from textfile_users.auth.log_forms import naming, split

    end = start + len(line) + 1
    parts = split(line)
    if parts is None:
        if strange and naming(line):
            yield start, end, b"", b"", 0, line
        return
    stamp, program, pid, message = parts
    if message.lstrip(b": ").startswith(_SKIPPED):
        return
    if program in PROGRAMS or program == REPEATED:
        yield start, end, stamp, program, pid, message
    elif _says_pam(program, message):
        yield start, end, stamp, OTHER, pid, message


def program_of(tag: bytes, message: bytes) -> bytes | None:
    """Return whose a message of the journal is: a known program's, OTHER, or None for nobody's."""
    if tag in PROGRAMS:
        return tag
    return OTHER if _says_pam(tag, message) else None


def _says_pam(program: bytes, message: bytes) -> bool:
    """Return whether PAM wrote it, whose words tell the service, for a program that may count."""
    return message.startswith(_PAMS) and program not in _SILENT
