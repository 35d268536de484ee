"""The systemd journal, read by journalctl(1), for hosts without log files.

It prints each entry as a line of JSON; its fields are those of systemd.journal-fields(7).
"""

from __future__ import annotations

import errno
import os
import time

from textfile_users.auth.journal_files import (
    JournalPosition,
    holds_all_since,
    journals,
    last_written,
    read_id,
)
from textfile_users.paths import Paths
from textfile_users.processes.procfs import read_boot_time
from textfile_users.reading.files import closing
from textfile_users.reading.json_text import loads
from textfile_users.reading.text import decode
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    Clock = Callable[[], float]
    Countdown = Callable[[], float]

MAX_MESSAGE = 64 << 10
MAX_WHOLE = 20  # messages that are read again, each by a journalctl: a user may log many
MAX_LINE = 1 << 20  # of JSON, in which a byte takes four at most
MAX_CURSOR = 512  # real ones have about 170 characters
CURSOR_PARTS = {"s": 32, "i": 16, "b": 32, "m": 16, "t": 16, "x": 16}  # digits at most
MAX_SAID = 4 << 10
CHUNK = 64 << 10  # what a pipe holds
MINUTE = 60.0
SIGKILL = 9  # the module signal imports enum

JSON = "--output=json"
# Left out where it is refused: before systemd 236 all fields are printed.
FIELDS = (
    "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_UID,_GID,_AUDIT_LOGINUID,_EXE,"
    "_COMM,_TRANSPORT"
)

# In a string of JSON the quotes would be escaped, so that no message can hold one.
CURSOR_KEYS = (b'"__CURSOR":"', b'"__CURSOR" : "')  # the latter before systemd 240
# Stands before what is left of a line over MAX_LINE; no line of JSON begins so.
TOO_LONG = b"too long:"

# Where the programs of the system are. What is there is root's; of LOCAL that is looked at: a
# store may be its user's, where Nix or Guix were installed without root.
STORES = ("/nix/store/", "/gnu/store/")
LOCAL = ("/usr/local/", "/opt/", *STORES)
SYSTEM = (
    "/usr/bin/",
    "/usr/sbin/",
    "/usr/lib/",
    "/usr/lib64/",
    "/usr/libexec/",
    "/bin/",
    "/sbin/",
    "/lib/",
    "/lib64/",
    "/run/wrappers/",  # NixOS' setuid programs
    "/run/privileged/",  # Guix'
    "/run/setuid-programs/",  # Guix' before
    *LOCAL,
)
_SSHD = ("sshd", "sshd-session", "sshd-auth")
_SUDO = ("sudo", "sudo.ws", "sudo-rs")
_SU = ("su", "su-rs", "busybox")
_XRDP = ("xrdp-sesman", "xrdp-sesexec")
_GDM = ("gdm", "gdm3", "gdm-binary", "gdm-session-worker")
_SYSTEMD = ("systemd", "systemd-executor")
# They log what somebody tells them, whom sudo may allow to run just these.
_TELL_ANYTHING = ("logger", "systemd-cat", "busybox", "toybox")
# Behind a file's name, where several packages have the program (Yocto's alternatives).
_PROVIDERS = (".suid", ".shadow", ".util-linux")
# What programs call themselves, and the names of their files. Links are resolved in _EXE:
# /usr/bin/sudo may be one to sudo-rs' or to sudo.ws.
BINARIES = {
    "sshd": _SSHD,
    "sshd-session": _SSHD,
    "sshd-auth": _SSHD,
    "dropbear": ("dropbear", "dropbearmulti"),
    "login": ("login", "busybox"),
    "agetty": ("agetty",),
    "gdm": _GDM,
    "gdm3": _GDM,
    "gdm-password": _GDM,
    "gdm-autologin": _GDM,
    "gdm-fingerprint": _GDM,
    "gdm-smartcard": _GDM,
    "gdm-session-worker": _GDM,
    "lightdm": ("lightdm",),
    "sddm": ("sddm", "sddm-helper"),
    "sddm-helper": ("sddm-helper",),
    "gdm-switchable-auth": _GDM,
    "xrdp-sesman": _XRDP,
    "xrdp-sesexec": _XRDP,
    "cockpit-session": ("cockpit-session",),
    "cockpit-ws": ("cockpit-ws",),
    # Display managers whose refusals and sessions PAM tells, each by its own name.
    **{
        name: (name,)
        for name in (
            "cosmic-greeter",
            "emptty",
            "entrance",
            "greetd",
            "kdm",
            "lemurs",
            "lxdm-binary",
            "lxdm-session",
            "ly-dm",
            "mdm",
            "nodm",
            "plasmalogin-helper",
            "slim",
            "tdm",
            "wdm",
            "xdm",
        )
    },
    "lxdm": ("lxdm", "lxdm-binary", "lxdm-session"),
    "ly": ("ly", "ly-dm"),
    "plasmalogin": ("plasmalogin", "plasmalogin-helper"),
    "polkitd": ("polkitd",),
    "sudo": _SUDO,
    "sudo-rs": _SUDO,
    "sudoedit": (*_SUDO, "sudoedit"),
    "su": _SU,
    "su-l": _SU,
    "su-rs": _SU,
    "doas": ("doas",),
    "pkexec": ("pkexec",),
    "polkit-agent-helper-1": ("polkit-agent-helper-1",),
}
# Of these a user's process has the user's uid: setuid changes only the effective one.
SETUID_PROGRAMS = frozenset(
    (
        "sudo",
        "sudo-rs",
        "sudoedit",
        "su",
        "su-l",
        "su-rs",
        "doas",
        "pkexec",
        "polkit-agent-helper-1",
    )
)
# They log by syslog(3); of the others, which use GLib's log, journald's own protocol is believed.
NATIVE_PROGRAMS = ("polkitd", "gdm")
COMM = 15  # bytes of a name in _COMM
SYSTEM_UIDS = 1000  # users' own begin here, see login.defs(5)
ROOTS_GID = ("0", "")  # '' where it is not told
NOBODY = -1
UNSET_UID = (1 << 32) - 1
DELETED = " (deleted)"  # of a program upgraded while it ran


class Entry(Record):
    """One entry: ``time`` is when journald received it, ``trusted`` what is_believed says.

    ``uid`` and ``login_uid`` are whose process wrote it and who had logged in, NOBODY where that
    is not known; ``exe`` is its file, '' where it had gone. An entry of a writer who is not root
    is to be believed only where it tells of one of these two accounts. ``is_setuid`` says that
    a user's process wrote it that had root's uid for a moment, but the user's group.
    """

    cursor: str
    time: float
    program: str
    pid: int
    message: bytes
    trusted: bool
    uid: int = NOBODY
    login_uid: int = NOBODY
    exe: str = ""
    is_setuid: bool = False

    @property
    def is_of_root(self) -> bool:
        """Whether root wrote it, and not a user's sudo with what the user chose."""
        return self.uid == 0 and not self.is_setuid

    @property
    def is_of_system(self) -> bool:
        """Whether root or a service wrote it, who may tell of anybody."""
        return self.is_of_root or self.program == "polkitd"

    @property
    def is_of_other(self) -> bool:
        """Whether no table knows the program, which calls itself as its file."""
        return self.program.rstrip("]") not in BINARIES


class Gap(Record):
    """Something that could not be read.

    ``reason`` is "too-long" or "damaged" for an entry skipped, "gap" where entries behind
    the position may be gone. ``cursor`` is the skipped entry's, '' where it is not known.
    """

    reason: str
    cursor: str
    time: float


LOST = Gap("gap", "", 0.0)
MICROSECOND = 1e-6  # the journal's resolution

# What PAM logs in the name of any program (libpam/pam_syslog.c: authpriv), of root's processes.
OF_PAM = ("SYSLOG_FACILITY=10", "_UID=0")

_Fields = dict[str, object]


class Refused(OSError):
    """journalctl failed before it printed anything, as where it does not take an option."""


def entries(
    paths: Paths,
    position: JournalPosition,
    identifiers: Iterable[str],
    deadline: float,
    clock: Clock = time.monotonic,
    known: str = "",
) -> Generator[Entry | Gap, None, None]:
    """Yield what the programs named ``identifiers`` logged behind ``position``, and PAM, in order.

    All was read when ends() said ``known``: where the position's entry has gone, but nothing
    behind that, there is no gap. ``advance`` says where to go on after each. A journalctl runs
    until the generator is closed, at most to ``deadline`` on ``clock``. Raises TimeoutError there,
    and OSError where journalctl fails or complains; what was yielded before is good in both cases.
    What was logged since the machine was booted comes last.
    """
    is_lost = False
    with closing(_find(paths, position, identifiers, _countdown(deadline, clock))) as every:
        for found in every:
            if found == LOST:
                is_lost = True
                continue
            # Said once: with the first entry the position moves on.
            if is_lost and not holds_all_since(paths, known):
                yield LOST
            is_lost = False
            yield _seen(found) if paths.is_own_host and isinstance(found, Entry) else found


def advance(position: JournalPosition, found: Entry | Gap) -> JournalPosition:
    """Return the position behind ``found``, which was yielded when reading from ``position``."""
    if not found.cursor:
        return position
    return JournalPosition(found.cursor, found.time, max(found.time, position.newest))


def parse_entry(line: bytes) -> Entry | Gap:
    """Return the entry in a line of JSON, or why it is none. Raises nothing."""
    if line.startswith(TOO_LONG):
        return _skipped("too-long", _cursor_of(line))
    fields = _fields(line)
    cursor = _text(fields.get("__CURSOR"))
    micros = _number(fields.get("__REALTIME_TIMESTAMP"))
    if not micros or not cursor:
        return _skipped("damaged", _cursor_of(line))
    text = fields.get("MESSAGE", "")
    message = _message(text)
    if text is None or (message and len(message) > MAX_MESSAGE):
        return _skipped("too-long", cursor)
    if message is None:
        return _skipped("damaged", cursor)
    return Entry(
        cursor=cursor,
        time=micros / 1e6,
        program=_text(fields.get("SYSLOG_IDENTIFIER")),
        pid=_number(fields.get("_PID")) or _number(fields.get("SYSLOG_PID")),
        message=message,
        trusted=_is_trusted(fields),
        uid=_uid(fields.get("_UID")),
        login_uid=_uid(fields.get("_AUDIT_LOGINUID")),
        exe=_exe(fields),
        is_setuid=_is_setuid(fields),
    )


def is_believed(
    program: str, uid: str, exe: str, transport: str = "", comm: str = "", gid: str = ""
) -> bool:
    """Return whether an entry may be from the program it names.

    The others are its fields _UID, _EXE, _TRANSPORT, _COMM and _GID, '' where missing: journald
    sets them, while anybody can choose ``program``. _EXE and _COMM are missing where the process
    had ended: of root's uid that may have been a user's sudo, which complains with the user's
    group. A stream to stdout or stderr says nothing of who writes: a user chooses its name, and
    may have root's sudo complain into it.
    """
    program = program.rstrip("]")
    if program not in BINARIES:
        return _is_other_believed(program, uid, exe, transport, gid)
    names = BINARIES[program]
    is_native = transport == "journal" and program.startswith(NATIVE_PROGRAMS)
    if transport not in ("", "syslog") and not is_native:
        return False
    if exe and not _is_binary(exe, names):
        return False
    if uid == "0":  # and not by cat(1), say, which sudo may allow a user
        if not exe and gid not in ROOTS_GID and program not in SETUID_PROGRAMS:
            return False
        return bool(exe) or not comm or comm in [name[:COMM] for name in names]
    if program == "polkitd":  # not setuid: who starts it can make it say anything
        return bool(exe) and 0 < _number(uid) < SYSTEM_UIDS
    return program in SETUID_PROGRAMS and _uid(uid) != NOBODY


def _is_other_believed(program: str, uid: str, exe: str, transport: str, gid: str) -> bool:
    """Return whether an entry in the name of a program that no table knows may be from it.

    That is one of the system's, run by root, which calls itself as its file: PAM's tag is mostly
    that. systemd has that of whatever it is going to run, in brackets.
    """
    name = _name_of(exe)
    if uid != "0" or gid not in ROOTS_GID or transport not in ("", "syslog"):
        return False
    if not name or name in _TELL_ANYTHING:
        return False
    if program.startswith("("):
        return name in _SYSTEMD
    if program.startswith("gdm-"):
        return name in _GDM
    return f"{name}-".startswith(f"{program}-") or program.startswith(f"{name}-")


def _is_binary(exe: str, names: tuple[str, ...]) -> bool:
    return _name_of(exe) in names


def _name_of(exe: str) -> str:
    """Return the name of a program of the system, '' of any other."""
    directory, _, name = exe.rpartition("/")
    if name.endswith("-wrapped"):  # /nix/store/HASH-sudo/bin/.sudo-wrapped
        name = name[: -len("-wrapped")].lstrip(".")
    name = next((name[: -len(one)] for one in _PROVIDERS if name.endswith(one)), name)
    is_path = exe.startswith("/") and not {"", ".", ".."}.intersection(directory.split("/")[1:])
    return name if is_path and exe.startswith(SYSTEM) else ""


def _seen(entry: Entry) -> Entry:
    """Return an entry of this host, not trusted where others may write its program's file."""
    exe = entry.exe
    if exe.startswith(STORES) and not os.path.lexists(exe):  # the garbage was collected since
        exe = "/".join(exe.split("/")[:3])
    is_writable = entry.exe.startswith(LOCAL) and not is_roots(exe)
    return entry._replace(trusted=False) if is_writable else entry


def is_roots(path: str, known: dict[str, bool] = {}) -> bool:  # noqa: B006 - a cache
    """Return whether root alone can write a file and the directories above it, by lstat(2).

    Nix' store is open to its builders' group, but sticky: they replace nothing of root's.
    """
    if path not in known:
        above = path.rpartition("/")[0]
        try:
            status = os.lstat(path or "/")
        except OSError:
            return False
        is_store = status.st_mode & 0o41002 == 0o41000  # a sticky directory, not all the world's
        is_own = status.st_uid == 0 and not status.st_mode & (0o002 if is_store else 0o022)
        known[path] = is_own and (not path or is_roots(above, known))
    return known[path]


def _is_trusted(fields: _Fields) -> bool:
    program, transport, uid, comm, gid = (
        _text(fields.get(k)) for k in ("SYSLOG_IDENTIFIER", "_TRANSPORT", "_UID", "_COMM", "_GID")
    )
    if not all(isinstance(fields.get(k, ""), str) for k in ("_TRANSPORT", "_EXE", "_COMM")):
        return False
    exe = _exe(fields)
    command = command_of(program, _message(fields.get("MESSAGE", "")) or b"")
    if command and command == (exe.rpartition("/")[2] or comm):
        exe = comm = ""  # the program itself is not to be seen any more
    return is_believed(program, uid, exe, transport, comm, gid)


def _is_setuid(fields: _Fields) -> bool:
    """Return whether a user's process wrote it with root's uid: the group has stayed the user's."""
    program, uid, gid = (_text(fields.get(k)) for k in ("SYSLOG_IDENTIFIER", "_UID", "_GID"))
    return uid == "0" and gid not in ROOTS_GID and program in SETUID_PROGRAMS


def command_of(program: str, message: bytes) -> str:
    """Return the name of the command that ``program`` became behind its ``message``, '' for none.

    doas and pkexec log as the last thing that they do: journald may see the command already.
    """
    if program == "doas":
        command = message.partition(b" ran command ")[2].partition(b" ")[0]
    elif program == "pkexec":
        command = message.rpartition(b" [COMMAND=")[2].partition(b"]")[0].partition(b" ")[0]
    else:
        return ""
    return decode(command.rpartition(b"/")[2])


def _exe(fields: _Fields) -> str:
    """Return the file of an entry's process; newer ones of journald take off what is behind it."""
    exe = _text(fields.get("_EXE"))
    return exe[: -len(DELETED)] if exe.endswith(DELETED) else exe


def _uid(value: object) -> int:
    """Return a uid, NOBODY where it is none: 4294967295 is one that was not set."""
    text = _text(value)
    number = _number(text)
    return number if str(number) == text and number < UNSET_UID else NOBODY


def _fields(line: bytes) -> _Fields:
    """Return the fields of an entry: text, the bytes of what is none, or a list of either.

    A field is None where it is longer than 4 KiB, and missing all where this is no entry.
    """
    try:
        found = loads(line.decode())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str:
    """Return a field's text, '' for what is none, as a field given twice."""
    if not isinstance(value, str):
        return ""
    return value if value.isascii() else decode(value.encode("utf-8", "surrogatepass"))


def _number(value: object) -> int:
    text = _text(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def _message(value: object) -> bytes | None:
    """Return the bytes of a message, None for anything else."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    try:
        return bytes(value) if isinstance(value, list) else None
    except (TypeError, ValueError):
        return None


def _skipped(reason: str, cursor: str) -> Gap:
    return Gap(reason, cursor, int(_cursor_parts(cursor).get("t", "0"), 16) / 1e6)


def _cursor_of(line: bytes) -> str:
    """Return the cursor in a line of JSON, or in what is left of it, '' where there is none."""
    words = decode(_from_cursor(line)).split('"')
    return words[3] if len(words) > 4 and _cursor_parts(words[3]) else ""


def _from_cursor(line: bytes) -> bytes:
    for key in CURSOR_KEYS:
        start = line.find(key)
        if start >= 0:
            return line[start : start + MAX_CURSOR]
    return b""


def _cursor_parts(cursor: str) -> dict[str, str]:
    """Return the parts of a cursor in hexadecimal, none where it is malformed.

    They are: s and i, a file's sequence and the number in it; b, boot; m and t, monotonic
    time in that boot and real time, in microseconds; x, a hash of the content.
    """
    words = [word.partition("=") for word in cursor.split(";")]
    if sorted(name for name, _, _ in words) != sorted(CURSOR_PARTS):
        return {}
    if not all(0 < len(value) <= CURSOR_PARTS[name] for name, _, value in words):
        return {}
    if not all(not value.strip("0123456789abcdef") for _, _, value in words):
        return {}
    return {name: value for name, _, value in words}


def _boot_of(cursor: str) -> str:
    return _cursor_parts(cursor).get("b", "")


def _find(
    paths: Paths, position: JournalPosition, identifiers: Iterable[str], left: Countdown
) -> Generator[Entry | Gap, None, None]:
    """Yield what ``entries`` does, and LOST wherever the cursor's entry is missed."""
    if position.cursor and not _cursor_parts(position.cursor):
        yield LOST
        position = _by_time(position.time)
    names = tuple(identifiers)
    command = _command(paths) if names else []  # all that is logged is too much
    if not command:
        return
    boot = read_id(paths, paths.proc("sys/kernel/random/boot_id"))
    if not boot or _is_in_boot(position, boot, paths):
        yield from _read(command, names, position, {boot}, left)
    else:
        yield from _read_boots(command, names, position, boot, left)


def _is_in_boot(position: JournalPosition, boot: str, paths: Paths) -> bool:
    if position.cursor:
        return _boot_of(position.cursor) == boot
    began = read_boot_time(paths)
    return began is not None and began <= position.time


def _read(
    command: list[str],
    names: tuple[str, ...],
    position: JournalPosition,
    boots: set[str],
    left: Countdown,
) -> Generator[Entry | Gap, None, None]:
    """Yield what ``boots``, all where there is none, logged behind ``position``."""
    more = [*_start(position), *_matches(names, boots)]
    behind = position.time - MICROSECOND / 2  # half of one, since floats are not exact
    whole = MAX_WHOLE
    try:
        with closing(_run(command, more, left)) as lines:
            for line in _behind(lines, position.cursor):
                found = LOST if line is None else parse_entry(line)
                if whole and line and _is_long(found) and _is_trusted(_fields(line)):
                    whole -= 1
                    found = _parse_whole(command, found, left)
                if position.cursor or not 0 < found.time < behind:
                    yield found
    except Refused:
        if not position.cursor:
            raise
    else:
        return
    # A cursor that journalctl does not take is one whose entry has gone: time decides.
    yield LOST
    yield from _read(command, names, _by_time(position.time), boots, left)


def _matches(names: tuple[str, ...], boots: set[str]) -> list[str]:
    """Return what entries are asked for, in journalctl's words.

    Not --identifier, which would hold for both sides of the plus.
    """
    of_boots = [f"_BOOT_ID={boot}" for boot in sorted(boots) if boot]
    return [*(f"SYSLOG_IDENTIFIER={name}" for name in names), *of_boots, "+", *OF_PAM, *of_boots]


def _read_boots(
    command: list[str],
    names: tuple[str, ...],
    position: JournalPosition,
    boot: str,
    left: Countdown,
) -> Generator[Entry | Gap, None, None]:
    """Yield what earlier boots logged behind ``position``, then what ``boot``, the last, did.

    journalctl puts boots in order by real time alone: one whose clock was behind would lie
    before the position, and boots read long ago behind it. Where it refuses to list the boots
    all are read, and the entries of these two passed over.
    """
    reached = _boot_of(position.cursor)
    since, since_boot = position, position
    if reached:
        since = _by_time(max(position.newest, position.time))
        since_boot = JournalPosition("", 0.0)
    listed = _list_boots(command, left)
    if reached and (not listed or reached in listed):
        yield from _read(command, names, position, {reached}, left)
    elif reached:
        yield LOST
    others = listed - {reached, boot}
    if others or not listed:
        with closing(_read(command, names, since, others, left)) as every:
            for found in every:
                if not found.cursor or _boot_of(found.cursor) not in (reached, boot):
                    yield found
    yield from _read(command, names, since_boot, {boot}, left)


def _list_boots(command: list[str], left: Countdown) -> set[str]:
    """Return the boots that the journal has entries of, none where that is refused.

    --field= alone: beside it systemd ignores what would limit the entries, and 262 refuses it.
    """
    plain = command[: command.index(JSON)]
    try:
        with closing(_lines([*plain, "--field=_BOOT_ID"], left)) as lines:
            return set(map(decode, lines))
    except Refused:
        return set()


def _by_time(time: float) -> JournalPosition:
    return JournalPosition("", time + MICROSECOND)


def _start(position: JournalPosition) -> list[str]:
    # Not --after-cursor: systemd 252's skips one entry more where the cursor's has gone.
    if position.cursor:
        return [f"--cursor={position.cursor}"]
    # Whole seconds are what is documented.
    return [f"--since=@{int(position.time)}"] if position.time >= 1 else []


def _behind(lines: Iterator[bytes], cursor: str) -> Iterator[bytes | None]:
    """Yield the lines that follow the entry of ``cursor``, first None where that has gone.

    Where journald flushed its files to disk the entry has another sequence and number, and
    comes behind those of the same instant.
    """
    sought = _cursor_parts(cursor)
    line = next(lines, None)
    if sought and not _is_at(line, sought, "bm"):
        yield None
    while sought and _is_at(line, sought, "bm"):
        is_found = _is_at(line, sought, "bmtx")
        line = next(lines, None)
        if is_found:
            break
    if line is not None:
        yield line
        yield from lines


def _is_at(line: bytes | None, sought: dict[str, str], names: str) -> bool:
    parts = _cursor_parts(_cursor_of(line or b""))
    return all(parts.get(name) == sought[name] for name in names)


def _is_long(found: Entry | Gap) -> bool:
    return isinstance(found, Gap) and found.reason == "too-long"


def _parse_whole(command: list[str], found: Entry | Gap, left: Countdown) -> Entry | Gap:
    """Return the entry of a message over the 4 KiB that journalctl shows, else ``found``.

    It is read again, but only of trusted programs: others' messages may have hundreds of
    megabytes, and to make JSON of them journalctl needs many times that.
    """
    with closing(_run(command, ["--all", f"--cursor={found.cursor}"], left)) as lines:
        try:
            whole = parse_entry(next(lines, b""))
        except Refused:
            return found
    return whole if whole.cursor == found.cursor else found


def _command(paths: Paths) -> list[str]:
    """Return the command that prints entries, none where there is nothing to look in."""
    plain = ["journalctl", "--no-pager", "--quiet"]
    if not paths.is_own_host:
        found = journals(paths)
        if not found:
            return []
        # One is all that journalctl takes: after a change of Storage= the other is left over.
        directory = max(found, key=last_written)[0]
        plain.append(f"--directory={directory}")
    return [*plain, JSON, FIELDS]


def _run(command: list[str], more: list[str], left: Countdown) -> Generator[bytes, None, None]:
    """Yield what ``_lines`` does; where all is refused FIELDS is taken out of ``command``."""
    try:
        yield from _lines([*command, *more], left)
    except Refused:  # so nothing was yielded
        if FIELDS not in command:
            raise
    else:
        return
    command.remove(FIELDS)
    yield from _lines([*command, *more], left)


def _lines(argv: list[str], left: Countdown) -> Generator[bytes, None, None]:
    """Run ``argv`` and yield the lines it prints; a line over MAX_LINE is cut down."""
    rest = b""
    with closing(_output(argv, left)) as chunks:
        for chunk in chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            if len(rest) > MAX_LINE:
                rest = _cut_down(rest)


def _cut_down(line: bytes) -> bytes:
    """Return TOO_LONG and the cursor, or the end of a line in which it may still begin."""
    return TOO_LONG + (_from_cursor(line) or line[-MAX_CURSOR:])


def _output(argv: list[str], left: Countdown) -> Generator[bytes, None, None]:
    """Run ``argv`` and yield what it prints, in chunks; it does not outlive the generator.

    Raises TimeoutError at the deadline, OSError where it fails or has something to say, of
    these Refused where it fails without having printed anything.
    """
    import select

    pid, out, err = _spawn(argv)
    is_running = True
    has_printed = False
    said = b""
    try:
        poller = select.poll()
        ends = {out, err}
        for end in ends:
            poller.register(end, select.POLLIN)
        while ends:
            for end, _ in poller.poll(min(left(), MINUTE) * 1000):
                chunk = os.read(end, CHUNK)
                if not chunk:
                    poller.unregister(end)
                    ends.remove(end)
                elif end == out:
                    has_printed = True
                    yield chunk
                else:
                    said = (said + chunk)[:MAX_SAID]
        status = _wait(pid, left)
        is_running = False
    finally:
        os.close(out)
        os.close(err)
        if is_running:
            os.kill(pid, SIGKILL)
            os.waitpid(pid, 0)
    if status or said:
        text = decode(said).strip().partition("\n")[0]
        kind = OSError if has_printed or status <= 0 else Refused
        raise kind(errno.EIO, text or f"ended with status {status}", argv[0])


def _spawn(argv: list[str]) -> tuple[int, int, int]:
    """Start ``argv`` and return its pid and the ends of its stdout and stderr to read from."""
    out, out_end = os.pipe()
    err, err_end = os.pipe()
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, out_end, 1),
        (os.POSIX_SPAWN_DUP2, err_end, 2),
    ]
    try:
        pid = os.posix_spawnp(argv[0], argv, {**os.environ, "LC_ALL": "C"}, file_actions=actions)
    except OSError:
        os.close(out)
        os.close(err)
        raise
    finally:
        os.close(out_end)
        os.close(err_end)
    return pid, out, err


def _wait(pid: int, left: Countdown) -> int:
    """Return the exit status of a child that has closed its output, -N for signal N."""
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(min(0.001, left()))


def _countdown(deadline: float, clock: Clock) -> Countdown:
    """Return a function that returns the seconds left, and raises TimeoutError without any."""

    def left() -> float:
        seconds = deadline - clock()
        if seconds <= 0:
            raise TimeoutError(errno.ETIMEDOUT, "took too long", "journalctl")
        return seconds

    return left
