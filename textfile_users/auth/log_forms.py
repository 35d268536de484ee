"""The forms that lines of auth logs have, each beside lines of it, and how any line is split.

Needed where lines do not begin as most do, see log_lines. What says `+` is one line in that form,
of sshd with pid 101 at 10:00:00 on 30 November 2026 (UTC), whose message is `m n`; what says `-`
is no line of sshd's. Only the tag tells the program, and each form has one place for it.
"""

from __future__ import annotations

from textfile_users.auth.programs import PROGRAMS
from textfile_users.auth.syslog import FACILITIES, MONTHS, REPEATED, SEVERITIES, WEEKDAYS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from re import Pattern

    # What is of a line: its stamp, program, pid (0 for none) and message.
    Parts = tuple[bytes, bytes, int, bytes]

MAX_SHOWN = 100
# Where a message begins, or a program is named, at most: structured data may have any length, and
# would cost memory for each of its parts.
MAX_HEAD = 1 << 12
# TAI64's label of 1970 in svlogd's @4000...: 2**62, and the ten seconds that runit takes for all.
TAI_1970 = (1 << 62) + 10
# Minutes east of UTC, of the names in tzdata that are one zone's alone. All others are the host's.
ZONES = {
    b"UTC": 0, b"GMT": 0, b"UT": 0, b"Z": 0, b"WET": 0, b"WEST": 60, b"CET": 60, b"CEST": 120,
    b"EET": 120, b"EEST": 180, b"MSK": 180, b"JST": 540, b"AEST": 600, b"AEDT": 660,
    b"NZST": 720, b"NZDT": 780, b"EST": -300, b"EDT": -240, b"MDT": -360, b"PDT": -420,
}  # fmt: skip

_FRACTION = rb"(?:[.,]\d{1,9})?"
_LEVEL = b"(?:%s)[.](?:%s)" % (b"|".join(sorted(FACILITIES)), b"|".join(sorted(SEVERITIES)))
_PRIORITY = rb"(?:<\d{1,3}>)?"

# Local time without a year, or with one, as programs write it by ctime(3) and date(1).
_TRADITIONAL = (
    rb"(?P<day>[A-Z][a-z][a-z],? )?[A-Z][a-z][a-z] {1,2}\d{1,2} (?:\d{4} )?[\d:]{8}"
    + _FRACTION
    + rb"(?:(?: [A-Z]{2,5})? \d{4}(?= ))?"
)
_ISO = rb"\d{4}-\d\d-\d\d[T ][\d:]{8}" + _FRACTION + rb"(?:Z| ?[+-]\d[\d:]{1,4})?"
_STAMP = (
    rb"(?P<stamp>"
    + _ISO
    + b"|"
    + _TRADITIONAL
    # journalctl -o short-full, with-unit: the weekday, and the zone's name or offset.
    + rb"|[A-Z][a-z][a-z] \d{4}-\d\d-\d\d [\d:]{8}"
    + _FRACTION
    + rb"(?: (?:[A-Z][A-Za-z]{1,5}|[+-]\d\d(?:\d\d)?))?"
    # -o short-unix
    rb"|\d{9,11}\.\d{3,9}"
    # -o short-monotonic, short-delta: since the boot
    rb"|(?P<boot>\[ {0,8}\d{1,12}\.\d{6}(?: <[ \d.]{1,24}[ *]>| {16})?\]))"
)
# svlogd's, in UTC (runit 2.1.2 svlogd.c, busybox 1.37 runit/svlogd.c): -t, -tt and -ttt.
_SVLOGD = rb"(?P<utc>\d{4}-\d\d-\d\d[T_][\d:]{8}\.\d{5,9}|@[0-9a-f]{24})"
# A host's name or address. What ends in a colon or bracket is another program's tag.
_HOST = rb"\S{1,255}(?<![:\]]) "
_NAME = rb"(?P<program>[\w.-]{1,64}@[^\s\[]{1,200}\.service(?=\[)|[^\s:\[\]()]{1,128}|\(\S{1,64}\))"
_TAG = (
    rb"\[?" + _NAME + rb"(?:\((?P<inside>[^)\n]{0,64})\))?"
    rb"\]?(?:\[(?P<pid>[^\]\s]{0,64})\])?\]?:?(?<=[\]:]) *(?:\[ID \d{1,10} [\w.]{1,32}\] )?"
)
_REPEATED = REPEATED + rb" (?P<times>\d{1,6}) times?(?=\r?$)"
_DATA = rb'(?:-|(?:\[[^\s\]"]{1,64}(?: {1,8}[^\s\]"=]{1,64}="[^"\\]*(?:\\.[^"\\]*)*")* ?\])+)'

_FORMS = (
    # RFC 5424, by rsyslog, syslog-ng, sysklogd and BSDs, into files also without <PRI>VERSION.
    # Two blanks: rsyslog's RSYSLOG_SyslogProtocol23Format (rsyslog 8.2504 runtime/rsconf.c), since
    # the message begins with one. socklog takes it for a message (seen of 2.1.2).
    # + <38>1 2026-11-30T10:00:00.5Z host sshd 101 - - m n
    # + <38>1 2026-11-30T10:00:00+00:00 host sshd 101 - -  m n
    # + 1 2026-11-30T10:00:00+00:00 - sshd 101 ID47 - m n
    # + 2026-11-30T11:00:00.123456+01:00 host sshd 101 - - m n
    # + 2026-11-30T10:00:00Z sshd sshd 101 su - m n
    # + auth.info: 1 2026-11-30T10:00:00+00:00 host sshd 101 - - m n
    # + 2026-11-30_10:00:02.12345 192.0.2.1: auth.info: 1 2026-11-30T10:00:00Z host sshd 101 - - m n
    # - cron: 1 2026-11-30T10:00:00Z host sshd 101 - - m n
    # - cron.info: cron: 1 2026-11-30T10:00:00Z sshd sshd 101 su - m n
    # + 2026-11-30T10:00:00Z host sshd] 101 - - m n
    # + <38>1 2026-11-30T10:00:00Z host sshd 101 - [a@1 b="c"][d e="\"] \\ [x\]" f=""] m n
    # - <38>1 2026-11-30T10:00:00Z host (sshd) 101 - - m n
    # - <38>1 2026-11-30T10:00:00Z sshd su-x 101 sshd [sshd sshd="sshd 1 - - "] sshd[101]: m n
    # - <38>1 2026-11-30T10:00:00Z host cron 101 sshd - sshd[101]: m n
    # - 2026-11-30T10:00:00Z host cron 101 - [a b="\"] sshd 101 - -"] sshd 101 - - m n
    # - <38>1 2026-11-30T10:00:00Z host (sshd) 101 - - m n
    # - <38>1 2026-11-30T10:00:00Z host sshd[101]: m n
    # - 2026-11-30T10:00:00Z cron: sshd 101 - - m n
    rb"(?:<\d{1,3}>|(?:%s )?(?:[\w.:-]{1,64}: )?%s: (?=\d ))?(?P<version>\d )?(?P<stamp>"
    % (_SVLOGD.replace(b"?P<utc>", b"?:"), _LEVEL)
    + _ISO
    + rb") \S{1,255}(?(version)|(?<![:\]])) (?P<program>[^\s(\[\]:]{1,128}|\([^\s()]{1,64}\))"
    rb"(?:\((?P<inside>[^)\s]{0,64})\))?\]? (?P<pid>\S{1,128}) \S{1,128} "
    + _DATA
    + rb"(?: +(?:\xef\xbb\xbf)? *|$)(?P<message>.*)",
    # socklog's, with svlogd's stamp or none: FACILITY.SEVERITY and what came from the program; by
    # `socklog inet` behind the sender's address.
    # + 2026-11-30T10:00:00.12345 auth.info: Nov 30 11:00:00 sshd[101]: m n
    # + 2026-11-30_10:00:00.12345 auth.info: Nov 30 11:00:00 sshd[101]: m n
    # + 2026-11-30_10:00:00.123456000 auth.info: sshd[101]: m n
    # + @400000006b0d492a00000000 auth.info: Nov 30 11:00:00 sshd[101]: m n
    # + auth.info: Nov 30 10:00:00 sshd[101]: m n
    # + 192.0.2.1: auth.info: Nov 30 10:00:00 host sshd[101]: m n
    # - 2026-11-30T10:00:00.12345 auth.info: Nov 30 11:00:00 cron[1]: sshd[101]: m n
    # - 2026-11-30T10:00:00.12345 cron.info: cron: Nov 30 11:00:00 sshd[101]: m n
    # - auth.info: sshd[101]: m n
    # - auth.info: cron: Nov 30 10:00:00 sshd[101]: m n
    rb"(?:%s )?(?:[\w.:-]{1,64}: )?(?:%s|unknown\.unknown): (?P<stamp>%s )?(?(utc)|(?(stamp)|(?!)))"
    % (_SVLOGD, _LEVEL, _TRADITIONAL)
    + rb"(?:%s)?(?:%s|%s)(?P<message>.*)" % (_HOST, _TAG, _REPEATED),
    # Stamp, host and tag, which most syslogds and all of journalctl -o short* write. In between
    # stand: OpenWrt's seconds (ubox log/logread.c, logread -t), FreeBSD's <FACILITY.SEVERITY>
    # (syslogd -vv), and behind the host FACILITY.SEVERITY (busybox 1.37 sysklogd/syslogd.c) or
    # FACILITY:SEVERITY (AIX). OpenWrt's logd tells no host. Solaris has [ID n level] behind tags.
    # + Nov 30 10:00:00 host sshd[101]: m n
    # + Nov 30 10:00:00.123 host sshd[101]: m n
    # + Nov 30 2026 10:00:00 host sshd[101]: m n
    # + Mon Nov 30 10:00:00 2026 host sshd[101]: m n
    # + Mon Nov 30 10:00:00 UTC 2026 host sshd[101]: m n
    # + <38>Nov 30 10:00:00 host sshd[101]: m n
    # + Nov 30 10:00:00 sshd[101]: m n
    # + Nov 30 10:00:00 host [sshd[101]] m n
    # + 2026-11-30T10:00:00.123456+00:00 host sshd[101]: m n
    # + 2026-11-30 12:00:00,5 +0200 host sshd[101]: m n
    # + 2026-11-30T10:00:00Z host ssh.service[101]: m n
    # + Nov 30 10:00:00 host auth.info sshd[101]: m n
    # + Nov 30 10:00:00.123 host <86> sshd[101]: m n
    # + Nov 30 10:00:00 auth.info auth.info sshd[101]: m n
    # + Nov 30 10:00:00 auth.info sshd[101]: m n
    # + Mon Nov 30 10:00:00 2026 auth.info sshd[101]: m n
    # + Mon Nov 30 10:00:00 2026 [1796032800.123] authpriv.warn sshd[101]: m n
    # + <38>Nov 30 10:00:00 [1796032800.123] host sshd[101]: m n
    # + Nov 30 10:00:00 <auth.info> host sshd[101]: m n
    # + Nov 30 10:00:00 host auth|security:info sshd[101]: m n
    # + Nov 30 10:00:00 host Message forwarded from other: sshd[101]: m n
    # + Nov 30 10:00:00 host sshd[101]: [ID 800047 auth.info] m n
    # + Nov 30 10:00:00 host /usr/sbin/sshd[101]: m n
    # + Mon 2026-11-30 10:00:00 UTC host sshd[101]: m n
    # + Mon 2026-11-30 11:00:00 CET host sshd[101]: m n
    # + Mon 2026-11-30 13:00:00 +03 sshd[101]: m n
    # + Mon 2026-11-30 10:00:00 UTC host ssh@0-192.0.2.1:22-192.0.2.7:4242.service[101]: m n
    # + 1796032800.123456 host sshd[101]: m n
    # + [  123.456789] host sshd[101]: m n
    # + [  123.456789 <    0.000123 >] host sshd[101]: m n
    # + [  123.456789                ] host sshd[101]: m n
    # - Nov 30 10:00:00 host cron[1]: sshd[101]: m n
    # - Nov 30 10:00:00 cron: sshd[101]: m n
    # - Nov 30 10:00:00 host cron sshd[101]: m n
    # - Nov 30 10:00:00 host cron[1] sshd[101]: m n
    # - Nov 30 10:00:00 host cron: auth.info sshd[101]: m n
    # - Nov 30 10:00:00 host auth.infos sshd[101]: m n
    # - Nov 30 10:00:00 host cron: Message forwarded from other: sshd[101]: m n
    # - Nov 30 10:00:00 host sshd 101 - - m n
    # - Nov 30 10:00:00 host /tmp/sshd[101]: m n
    # - Nov 30 10:00:00 host sshd.sh[101]: m n
    # - Nov 30 10:00:00 host sshd[x101]: m n
    # - Nov 30 10:00:00 host (sshd)[101]: m n
    # - Mon Nov 30 10:00:00 2026 user.notice auth.info sshd[101]: m n
    # - Mon Nov 30 10:00:00 2026 auth.info cron[1]: auth.info sshd[101]: m n
    # - [  123.456789] sshd[101]: m n
    # -  Nov 30 10:00:00 host sshd[101]: m n
    _PRIORITY
    + _STAMP
    + rb" (?:\[\d{9,11}\.\d{1,9}\] )?(?:<[\w.]{1,24}> )?"
    + rb"(?(boot)(?=\S{1,255}(?<![:\]]) ))(?(day)(?!"
    + rb"%s %s ))(?:%s)?" % (_LEVEL, _LEVEL, _HOST)
    + rb"(?:%s |\w{3,8}(?:\|security)?:(?:%s) |<\d{1,3}> )?"
    % (_LEVEL, b"|".join(sorted(SEVERITIES)))
    + rb"(?:Message forwarded from \S{1,255}: )?(?:%s|%s)(?P<message>.*)" % (_TAG, _REPEATED),
)
# How a line begins that has a stamp, for those who ask for nothing else.
_BEGINNING = (
    rb"(?:\xef\xbb\xbf)?(?:%s(?:\d )?%s |(?:%s )?(?:[\w.:-]{1,64}: )?(?:%s): (?P<inner>%s )?)"
    % (_PRIORITY, _STAMP, _SVLOGD, _LEVEL, _TRADITIONAL.replace(b"<day>", b"<inner_day>"))
)
# Where a line names a program of ours as a tag does, in whatever form; `login:` is a prompt, too.
_OURS = b"|".join(sorted(PROGRAMS, reverse=True))
_NAMING = (
    rb"(?:(?<![\w.\-])(?:%s)(?:\[\d{1,10}\]|\]|(?<!login):(?=\s|$)| (?:\d{1,10}|-) \S{1,64} [-\[])"
    rb'|(?<=["=])(?:%s)(?="|$))' % (_OURS, _OURS)
)
# Where a line names one of ours as a word of its own; that counts only if no line is understood.
_WORD = (
    rb"(?:(?P<hard>(?:[=:,;|] ?|[\"'(\[{<>\t]|bin/))|^| )(?P<name>%s)"
    rb"(?=(?P<end>[,;|\"')\]}<>]|[(\[/#]\d| {1,8}\d|\s|$))" % _OURS
)
# Programs whose names are words that people write: blanks around them tell nothing.
_PROSE = frozenset((b"entrance", b"login", b"ly", b"slim", b"su"))
# What may be shown before a name: a key of its own, and how a line begins that has no letters yet.
_KEY_BEFORE = rb"(?<![\w.])[\w.]{1,32}[\"']? ?[=:] ?[\"']?$"
_NO_LETTERS = rb"[\x00-@\[-`{-\x7f]{0,32}"
# Directories that hold a system's programs: a tag may be a path in one of them.
_PLACES = rb"/(?:usr/)?(?:local/)?(?:s?bin|lib(?:64|exec)?)(?:/[\w.-]{1,64}){0,2}"
# Programs by the units of systemd that have another name.
_UNITS = {b"ssh": b"sshd", b"polkit": b"polkitd", b"getty": b"login", b"serial-getty": b"login"}

_compiled: dict[bytes, Pattern[bytes]] = {}


def _pattern(text: bytes) -> Pattern[bytes]:
    """Return a pattern, compiled once."""
    found = _compiled.get(text)
    if not found:
        import re

        found = _compiled[text] = re.compile(text, re.DOTALL | re.MULTILINE)
    return found


def split(line: bytes) -> Parts | None:
    """Return the parts of a line, whoever wrote it, None where it has none of the forms.

    How often the last message is repeated is the pid of REPEATED; PAM's tag of old is turned
    into today's.
    """
    line = line[3:] if line.startswith(b"\xef\xbb\xbf") else line
    head, rest = line[:MAX_HEAD], line[MAX_HEAD:]
    for form in _FORMS:
        match = _pattern(form).match(head)
        if match:
            of = match.groupdict()
            if rest and not of["message"]:
                if head[-1:] != b" ":  # it may only end here since it was cut
                    return None
                rest = rest.lstrip(b" ")
            of["message"] += rest
            return _parts(of)
    return None


def _parts(of: dict[str, bytes]) -> Parts | None:
    stamp = _stamp_in(of)
    if of.get("times"):
        return stamp, REPEATED, int(of["times"]), b""
    program, pid, inside, message = of["program"], of["pid"] or b"", of["inside"], of["message"]
    name = program_of(program)
    is_number = pid.isdigit() and len(pid) <= 10
    if name not in PROGRAMS:
        return stamp, name, int(pid) if is_number else 0, message
    if not is_number and pid and "version" not in of:  # no tag of ours
        return None
    if inside and inside.startswith(b"pam_"):  # as Linux-PAM wrote it before 1.0
        kind = b"session" if message.startswith(b"session ") else b"auth"
        message = b"%s(%s:%s): %s" % (inside, name, kind, message)
    return stamp, name, int(pid) if is_number else 0, message


def _stamp_in(of: dict[str, bytes]) -> bytes:
    """Return the stamp of what one of the patterns found; svlogd's own is UTC."""
    utc = of.get("utc")
    if utc:
        return utc if utc.startswith(b"@") else utc + b"Z"
    return (of["stamp"] or of.get("inner") or b"").rstrip(b" ")


def stamp_of(line: bytes) -> bytes:
    """Return the stamp that a line begins with, whatever follows, b"" for none."""
    match = _pattern(_BEGINNING).match(line)
    return _stamp_in(match.groupdict()) if match else b""


def has_stamps(data: bytes) -> bool:
    """Return whether any line of ``data`` begins with a stamp of a form known here."""
    found = _pattern(b"^" + _BEGINNING).finditer(data)
    return any(_stamp_in(match.groupdict()) for match in found)


def program_of(tag: bytes) -> bytes:
    """Return the program that a tag names: by a path, or by its unit as journalctl does."""
    if tag in PROGRAMS:
        return tag
    if tag.startswith(b"/"):
        place, _, name = tag.rpartition(b"/")
        return name if name in PROGRAMS and _pattern(_PLACES).fullmatch(place) else tag
    if tag.endswith(b".service"):
        unit = tag[:-8].partition(b"@")[0]
        unit = _UNITS.get(unit, unit)
        return unit if unit in PROGRAMS else tag
    return tag


def naming(line: bytes) -> bytes:
    """Return what a line without a known form has up to a program of ours, b"" for none such.

    What is indented goes on with the line before it. Of JSON only the program is returned, since
    the message may stand before it.
    """
    match = None if line[:1] in b" \t" else _pattern(_NAMING).search(line[:MAX_HEAD])
    if not match:
        return b""
    begin, end = match.span()
    if line[begin - 1 : begin] == b"=":  # the message may stand before it
        return _shown(line, begin, line[begin:end])
    if line[:1] in b'{"' or b'"' in line[:begin]:
        return line[:1] + b" ... " + line[begin:end]
    return line[:end] if end <= MAX_SHOWN else line[: MAX_SHOWN // 2] + b" ... " + line[begin:end]


def naming_word(line: bytes) -> bytes:
    """Return what names a program of ours in any line, with nothing of a message; b"" for none."""
    is_indented = line[:1] in (b" ", b"\t")  # such a line may go on with the one before
    for match in _pattern(_WORD).finditer(line):
        hard, name, end = match["hard"] or b"", match["name"], match["end"]
        has_number = end[-1:].isdigit()
        if name in _PROSE and not has_number and (not hard or hard[-1:] == b" "):
            continue
        if hard or not is_indented:
            return _shown(line, match.start("name"), name)
    return b""


def _shown(line: bytes, begin: int, name: bytes) -> bytes:
    key = _pattern(_KEY_BEFORE).search(line[max(0, begin - MAX_SHOWN // 2) : begin])
    word = (key[0] if key else b"") + name
    head = _pattern(_NO_LETTERS).match(line[: begin + len(name) - len(word)])
    text = head[0].strip() if head else b""
    return text + b" ... " + word if text else word


def understands(data: bytes, time_of: Callable[[bytes], float | None]) -> bool:
    """Return whether any line is of a known form, whichever program wrote it."""
    for parts in map(split, data.split(b"\n")):
        # The fields of a stamp's line by `journalctl -o verbose` are no tag.
        if parts is not None and b"=" not in parts[1] and time_of(parts[0]) is not None:
            return True
    return False


def number_of(stamp: bytes) -> float | None:
    """Return the time that a stamp is which counts seconds, None for another.

    These are those since 1970 (with TAI64N's, in hexadecimal), or in brackets since the boot.
    """
    try:
        if stamp.startswith(b"@"):
            return int(stamp[1:17], 16) - TAI_1970 + int(stamp[17:], 16) / 1e9
        text = stamp.strip(b"[] ").partition(b" ")[0]
        is_number = text.replace(b".", b"", 1).isdigit()
        return float(text) if is_number and len(text) < MAX_SHOWN else None
    except ValueError:
        return None


def minute_of(before: bytes, behind: bytes) -> bytes:
    """Return the minute of a stamp as one of the plain forms: `Nov 30 10:00:` or ISO 8601's.

    ``before`` and ``behind`` are the stamp without its seconds. What is none is returned as b"".
    """
    clock, words = before[-6:], before[:-6].replace(b",", b"").split()
    zone = behind.split()
    if not all(word.isalnum() or word[:1] in b"+-" for word in zone):
        return b""
    if words and MONTHS.find(words[0]) % 3 and WEEKDAYS.find(words[0]) % 3 == 0:
        del words[0]
    if len(words) == 1 and len(words[0]) in (10, 11):  # T or _ stands behind it
        day = words[0][:10]
        return b"%sT%s%s" % (day, clock, _offset(b"".join(zone))) if len(zone) < 2 else b""
    year = words.pop() if len(words) == 3 else zone.pop() if zone and zone[-1].isdigit() else b""
    month = MONTHS.find(words[0]) if len(words) == 2 and len(words[0]) == 3 else -1
    if month % 3 or len(zone) > bool(year) or not words[1].isdigit():
        return b""
    if not year:
        return b"%s %s %s" % (*words, clock)
    return b"%s-%02d-%02dT%s%s" % (
        year, month // 3 + 1, int(words[1]), clock, _offset(b"".join(zone)))  # fmt: skip


def _offset(zone: bytes) -> bytes:
    """Return a zone as an offset like +01:00, or Z; b"" is the host's own zone."""
    if zone[:1] in b"+-Z":
        return zone
    minutes = ZONES.get(zone)
    if minutes is None:
        return b""
    return b"%s%02d:%02d" % (b"-" if minutes < 0 else b"+", *divmod(abs(minutes), 60))
