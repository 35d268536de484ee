"""Where the systemd journal lies, and whether it was written since: what each scan asks.

What it holds is read by journal.py, whose import only a journal with something new is worth.
"""

from __future__ import annotations

import os

from textfile_users.collecting import ABSENT, DENIED, OK
from textfile_users.paths import Paths
from textfile_users.reading.files import open_regular, read_regular
from textfile_users.reading.text import decode
from textfile_users.record import Record

DIRECTORIES = ("/var/log/journal", "/run/log/journal")

# Of a file's header, whose format systemd promises to keep: journal-file-format.
HEADER_BYTES = 208
MAGIC = b"LPKSHHRH"
_SEQUENCE = slice(72, 88)  # the id of the numbers that entries have
_TAIL, _HEAD = slice(160, 168), slice(168, 176)  # the last one's and the first one's
MAX_ASKED = 20  # files that were written last

_Files = list["os.DirEntry[str]"]


class JournalPosition(Record):
    """Where reading goes on: behind the entry of ``cursor``, with '' at ``time``.

    ``time`` is that entry's, for when it has gone; ``newest`` the latest time of any entry
    read, which a clock set back does not change. Seconds since the epoch.
    """

    cursor: str
    time: float
    newest: float = 0.0


def journal_state(paths: Paths) -> tuple[str, str]:
    """Return OK, ABSENT or DENIED, and a signature of the journal's files.

    While it stays equal nothing was written, and journalctl need not be run. Take it before
    reading: journald sets the modification time up to half a second after it has written.
    Raises OSError where the directories cannot be read, or links lead out of another root.
    """
    try:
        files = [file for _, found in journals(paths) for file in found]
    except PermissionError:
        return DENIED, ""
    if not files or not _has_journalctl():
        return ABSENT, ""
    # Users may read their own user-UID.journal, which does not make a log of it.
    if not any(_is_readable(file) for file in files if not file.name.startswith("user-")):
        return DENIED, ""
    return OK, _signature(files)


def journals(paths: Paths) -> list[tuple[str, _Files]]:
    """Return the directories with journal files of the host, for journalctl, and these files.

    Files of other machines (containers, remote hosts) lie beside the host's own, which
    carry its machine-id(5); where that is not known all are taken.
    """
    machine = read_id(paths, paths.below("/etc/machine-id"))
    found = []
    for directory in map(paths.below, DIRECTORIES):
        own = os.path.join(directory, machine)
        if machine and (paths.is_own_host or os.path.isdir(own)):
            chosen, parts = own, [own]
        else:
            chosen = directory
            parts = [part.path for part in _scan(paths, directory) if _is_id(part.name)]
        files = [file for part in parts for file in _scan(paths, part) if _is_journal(file)]
        if files:
            found.append((chosen, files))
    return found


def read_id(paths: Paths, path: str) -> str:
    """Return the 32 hexadecimal digits in a file of the host, '' where there is no such file."""
    try:
        paths.require_inside(path)
        text = decode(read_regular(path, 64)).strip().replace("-", "")
    except OSError:
        return ""
    return text if _is_id(text) else ""


def last_written(journal: tuple[str, _Files]) -> int:
    """Return when any file of a journal, as journals() has it, was written, in nanoseconds."""
    return max(_written(file)[0] for file in journal[1])


def ends(paths: Paths) -> str:
    """Return "SEQUENCE:NUMBER" of the journal's last entry, one for each of its sequences.

    Take it before reading to the end: it is what holds_all_since() asks for.
    """
    files = [file for _, found in journals(paths) for file in found]
    files.sort(key=_written, reverse=True)
    last: dict[str, int] = {}
    for file in files[:MAX_ASKED]:
        sequence, _, number = parse_header(_header(file))
        last[sequence] = max(number, last.get(sequence, 0))
    return " ".join(f"{sequence}:{number}" for sequence, number in last.items() if number)


def holds_all_since(paths: Paths, known: str) -> bool:
    """Return whether the journal still has all that was logged since ends() said ``known``.

    Files are removed whole, the oldest first; users' beside the system's.
    """
    first: dict[str, int] = {}
    for _, files in journals(paths):
        for file in files:
            if file.name.startswith("system"):
                sequence, number, _ = parse_header(_header(file))
                if number:
                    first[sequence] = min(number, first.get(sequence, number))
    for word in known.split():
        sequence, _, last = word.partition(":")
        if sequence not in first or not last.isdecimal() or first[sequence] > int(last) + 1:
            return False
    return bool(known)


def parse_header(data: bytes) -> tuple[str, int, int]:
    """Return the sequence of a journal file's entries, and the first and the last number.

    They are 0 where it has no entries, or is no journal file.
    """
    if len(data) < HEADER_BYTES or not data.startswith(MAGIC):
        return "", 0, 0
    head, tail = (int.from_bytes(data[place], "little") for place in (_HEAD, _TAIL))
    return data[_SEQUENCE].hex(), head, tail


def _header(file: os.DirEntry[str]) -> bytes:
    try:
        descriptor = open_regular(file.path)
    except OSError:  # of a user, or rotated while we looked
        return b""
    try:
        return os.read(descriptor, HEADER_BYTES)
    finally:
        os.close(descriptor)


def _scan(paths: Paths, directory: str) -> _Files:
    """Return what lies in ``directory``, nothing where there is none."""
    paths.require_inside(directory)
    try:
        with os.scandir(directory) as found:
            entries = list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []
    for entry in entries:
        if entry.is_symlink():
            paths.require_inside(entry.path)
    return entries


def _is_id(text: str) -> bool:
    return len(text) == 32 and not text.strip("0123456789abcdef")


def _is_journal(file: os.DirEntry[str]) -> bool:
    return file.name.endswith((".journal", ".journal~"))


def _is_readable(file: os.DirEntry[str]) -> bool:
    return os.access(file.path, os.R_OK)


def _has_journalctl() -> bool:
    return any(
        os.access(os.path.join(directory, "journalctl"), os.X_OK)
        for directory in os.get_exec_path()
    )


def _signature(files: _Files) -> str:
    from binascii import crc32  # there may be a file for each of a thousand users

    written = sorted(_written(file) for file in files)
    text = "\n".join(map(repr, written))
    return f"{len(written)} {written[-1][0]} {crc32(text.encode()):08x}"


def _written(file: os.DirEntry[str]) -> tuple[int, int, int, str]:
    """Return when a file was written, in nanoseconds, and what else shows that it was."""
    try:
        status = file.stat()
    except OSError:  # rotated while we looked
        return 0, 0, 0, file.name
    return status.st_mtime_ns, status.st_size, status.st_ino, file.name
