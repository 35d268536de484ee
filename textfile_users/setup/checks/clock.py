"""The clock and the time zone, which decide when everything was."""

from __future__ import annotations

import os
import time

from textfile_users.auth.log_lines import parse_lines
from textfile_users.auth.stamps import Stamps
from textfile_users.reading.files import open_regular, read_regular, reason
from textfile_users.reading.localtime import local_time
from textfile_users.record import Record
from textfile_users.setup.checks.access import READ, closed_part
from textfile_users.setup.checks.child import ChildFailed, in_child
from textfile_users.setup.checks.result import FAULT, NOTE, OK, CheckResult, Host, age
from textfile_users.setup.fixes import quote, service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_YEAR = 1_704_067_200  # 2024, before which no release of this program was made
ZONE = "/etc/localtime"
MAX_ZONE = 1 << 20
TAIL = 64 << 10
STEP = 900  # zones differ by quarters of an hour
SYSLOGDS = ("rsyslog", "syslog-ng", "syslog")
NEAR = 5.0  # seconds from a line's stamp to its being written


class ClockFacts(Record):
    """``zone_error`` is why /etc/localtime cannot be read, '' where it can or is not there.

    ``stamped`` is when the last line of ``log`` with a traditional stamp says that it was written,
    ``written`` when it was; None where there is no such line.
    """

    now: float
    is_systemd: bool
    zone: str = ""
    zone_error: str = ""
    variable: str | None = None
    is_variable_known: bool = True
    log: str = ""
    stamped: float | None = None
    written: float = 0.0


def check_clock(host: Host) -> Iterator[CheckResult]:
    """Yield what is found of clock and zone, which the unit's user reads too."""
    paths = host.options.paths
    zone = paths.below(ZONE)
    log = next((path for path in paths.auth_logs() if os.path.exists(path)), "")
    variable = os.environ.get("TZ") if paths.is_own_host else None
    facts = ClockFacts(
        host.now,
        host.is_systemd,
        zone,
        _zone_error(host, zone),
        variable,
        not variable or _is_zone(variable),
        log,
    )
    try:
        stamped, written = _last_stamp(host, log) if log else (None, 0.0)
    except OSError:  # the sources' check tells
        return judge_clock(facts)
    return judge_clock(facts._replace(stamped=stamped, written=written))


def judge_clock(facts: ClockFacts) -> Iterator[CheckResult]:
    """Yield what is found of clock and time zone."""
    if facts.now < FIRST_YEAR:
        found = f"it is {time.gmtime(facts.now).tm_year}: the clock is not set"
        mend = "timedatectl set-ntp true" if facts.is_systemd else "ntpd -gq || date -s 'TIME'"
        yield CheckResult("clock", FAULT, found, mend)
    else:
        found = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(facts.now))
        yield CheckResult("clock", OK, found)
    if facts.zone_error:
        found = f"{facts.zone}: {facts.zone_error}"
        mend = f"chmod 644 $(readlink -f {quote(facts.zone)})"
        yield CheckResult("time zone", FAULT, found, mend)
    elif not facts.is_variable_known:
        found = f"TZ={facts.variable} is no zone: UTC holds"
        yield CheckResult("time zone", FAULT, found, "unset TZ")
    elif facts.stamped is not None:
        yield _judge_stamp(facts, facts.stamped)
    else:
        told = f"TZ={facts.variable}" if facts.variable else "the host's"
        yield CheckResult("time zone", OK, told)


def _judge_stamp(facts: ClockFacts, stamped: float) -> CheckResult:
    off = stamped - facts.written
    steps = round(off / STEP)
    if not steps or abs(off - steps * STEP) > NEAR:
        return CheckResult("time zone", OK, f"{os.path.basename(facts.log)} is stamped in it")
    side = "future" if off > 0 else "past"
    found = f"{facts.log} is stamped {age(abs(steps * STEP))} in the {side}: another zone"
    mend = "unset TZ" if facts.variable else service("restart", SYSLOGDS, facts.is_systemd)
    # An old line may have the same distance by accident; a line of tomorrow has not.
    return CheckResult("time zone", FAULT if off > 0 else NOTE, found, mend)


def _zone_error(host: Host, path: str) -> str:
    def read() -> str:
        try:
            read_regular(os.path.realpath(path), MAX_ZONE)
        except FileNotFoundError:
            return "a link to nothing" if os.path.lexists(path) else ""
        except OSError as error:
            return reason(error)
        return ""

    if not host.options.paths.is_own_host:
        return ""
    try:
        if not host.has_rights:
            part = closed_part(path, READ, host.identity)
            return f"closed to {host.identity.user}" if part else ""
        return str(in_child(read, 2.0, host.identity))
    except ChildFailed as error:
        return str(error)


def _is_zone(text: str) -> bool:
    """Return whether $TZ is a zone's file or a rule, see tzset(3); the C library says nothing."""
    name = text.lstrip(":")
    if name.startswith("/"):
        return os.path.exists(name)
    if os.path.exists(os.path.join("/usr/share/zoneinfo", name)):
        return True
    is_named = name[:3].isalpha() and (name[3:4] in ("+", "-") or name[3:4].isdigit())
    return is_named or name.startswith("<")


def _last_stamp(host: Host, path: str) -> tuple[float | None, float]:
    """Return what the last line of a log says when it was, None in other forms, and when it was.

    Only the traditional form has no zone of its own. Raises OSError.
    """
    data, status = read_tail(path)
    last = data.rstrip(b"\n").rpartition(b"\n")[2]
    stamps = Stamps(host.now, local_time(host.options.paths))
    if not last[:1].isalpha() or not _is_line(last):
        return None, 0.0
    return stamps.time_of_line(last), status.st_mtime


def read_tail(path: str) -> tuple[bytes, os.stat_result]:
    """Return the last TAIL bytes of a log, and its status. Raises OSError."""
    descriptor = open_regular(path)
    try:
        status = os.fstat(descriptor)
        return os.pread(descriptor, TAIL, max(0, status.st_size - TAIL)), status
    finally:
        os.close(descriptor)


def _is_line(line: bytes) -> bool:
    """Return whether it is a known program's or looks so: stamp, host, tag."""
    return bool(list(parse_lines(line + b"\n"))) or line[9:10] == b":" == line[12:13]
