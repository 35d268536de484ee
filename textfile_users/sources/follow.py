"""Following a file that is appended to, by position across rotations: nothing lost, nothing twice.

logrotate(8) renames (``create``, ``nocreate``) or copies and empties (``copytruncate``), numbers
or dates (``dateext``) what it rotates, and compresses at once or later (``delaycompress``). A
writer goes on in the renamed file until it is told. So a file is known by its content before
the position, never by its name, and by its inode only where nothing of it has been read.

Of a compressed file in which a run stops, the next run decompresses again what was read: up to
RESUMED, since a place behind that could take longer to come to than a run has. What is behind it
then is a gap. A run that reads on from before reads all of it.

A file that was read is not read again, whatever it is called and whichever copy of it lies there.
"""

from __future__ import annotations

import errno
import os

from textfile_users.record import Record
from textfile_users.sources.files import closing, open_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from io import BufferedIOBase, BufferedReader
    from typing import Union

    _Reader = Union["_Plain", "_Compressed"]

BLOCK = 1 << 17  # what is read at once, in bytes; more than MAX_LINE and any record
MAX_LINE = 1 << 16  # bytes of a line without its newline
MARK = 256  # bytes at either end of what has been read, by which a file is known again
MAX_ENTRIES = 100_000  # of the directory
ATTEMPTS = 10  # to find the files at rest; logrotate needs milliseconds

# Two texts have the same remainder only if this prime, the first from e * 2^94, divides their
# difference: no library to import, and no accident as with the 32 bits of a checksum.
_PRIME = 0xADF85458A2BB4A9AAFDC563D

# What since() looks at in each place, and how far it steps back for lines out of order.
_PROBE = 2 * MAX_LINE
_PROBE_LINES = 100

# What a quarter of a second suffices to decompress, in bytes of the content.
RESUMED = {"gz": 64 << 20, "xz": 24 << 20, "bz2": 8 << 20}
_COMPRESSIONS = (*RESUMED, "zst")
# The offset behind all of a compressed file that is longer.
_ITS_END = 1 << 62

# Files that were read are remembered, so many, by so much of their beginning: of a file of
# records two of them, since the first may look like another file's.
MAX_LEFT = 30
BEGINNING = 1024


class Position(Record):
    """Where reading goes on: in the file whose content before `offset` is known by its marks.

    ``inode`` is that of the file last read from; 0: none was, all that is there is new.
    ``offset`` counts bytes, of the decompressed content for a compressed file. ``head`` and
    ``tail`` are marks of the first and last min(offset, 256) bytes before it. ``skipping``:
    inside a line that is left out, up to its end. ``seen`` is empty, or what stat(2) said when
    all had been read: "INODE:SIZE:MTIME_NS" of the path (where that is missing, "0:0:" and its
    directory's time). Where that was empty, " ", the same, " " and what the name has behind
    the path's follows for each rotated file that may yet be written to. While all this holds,
    nothing is new. ``left`` has "LENGTH:MARK" of the beginning of each older file.
    """

    inode: int
    offset: int
    head: str
    tail: str
    skipping: bool
    seen: str
    left: str = ""


NOWHERE = Position(0, 0, "", "", False, "")


class Block(Record):
    """What was read at once: whole lines, each ending in a newline, or whole records.

    Reading goes on at ``position``. ``skipped`` counts what was left out, by reason: "damaged"
    (a block with NUL bytes), "partial" (the cut end of a file), "too-long" (a line), "gap" (a
    file that cannot be read, or is no longer there). ``data`` can be empty.
    """

    data: bytes
    position: Position
    skipped: tuple[tuple[str, int], ...]


class _File(Record):
    """The file at the path itself, or a rotated one, whose name goes on with ``suffix``."""

    path: str
    suffix: str
    compression: str
    inode: int


class _Part(Record):
    """A file that is to be read as far as ``status`` says; superseded: a newer one has content."""

    file: _File
    status: os.stat_result
    has_content: bool
    superseded: bool


class _Taken(Record):
    """What a block's bytes come to: the first ``length`` of them are done with."""

    data: bytes
    length: int
    skipping: bool
    skipped: tuple[tuple[str, int], ...]


class _Changed(Exception):
    """The files are not, or no longer, as they were taken to be."""


class _Gap(Exception):
    """A rotated file, or the rest of it, cannot be read, and a later run could not either."""


# Faults of the file itself; with others (EMFILE, ENOMEM) a later run finds what this one cannot.
_LASTING = (
    errno.EACCES, errno.EPERM, errno.ELOOP, errno.EINVAL, errno.EISDIR, errno.EIO,
)  # fmt: skip


def blocks(path: str, position: Position, unit: int = 0) -> Iterator[Block]:
    """Yield what was appended to ``path`` behind ``position``, in rotated files too, in order.

    ``unit`` is a record's size in bytes, 0 for text. What appears meanwhile may be left to
    the next call. Stopping after any block is fine: its position goes on exactly there. A
    path that is missing has nothing new. Raises OSError where there is a file that cannot
    be read, or where, after a rotation, the directory cannot be listed. Links are not taken
    for rotated files.

    Text: a run of NUL bytes, which a crash leaves, ends a line like a newline.
    """
    if is_at_rest(path, position):
        return
    for read in (_read_on, *(_read_across,) * ATTEMPTS):
        found = read(path, position, unit)
        try:
            for block in found:
                position = block.position
                yield block
        except _Changed:
            continue
        finally:
            found.close()
        return


def is_at_rest(path: str, position: Position) -> bool:
    """Return whether nothing was appended to ``path`` behind ``position``, by stat(2) alone."""
    return position.seen != "" and position.seen == _now(path, position.seen)


def end(path: str, unit: int = 0) -> Position:
    """Return the position behind what is there now; a line or record begun stays unread.

    ``unit`` is a record's size in bytes, 0 for text. Raises OSError where the file at
    ``path`` cannot be read.
    """
    return _at_rest(path, lambda: _end_of(_files(path), unit, superseded=False))


def since(path: str, time: float, time_of: Callable[[bytes], float | None]) -> Position:
    """Return a position in a text that all lines of ``time`` (seconds) or later lie behind.

    ``time_of`` returns a line's time, None where it has none. Earlier lines lie behind it
    too: more than the lines of a few seconds, which may be out of order. Found by binary
    search; of a compressed file only the beginning is looked at. Raises OSError where
    the file at ``path`` cannot be read.
    """
    return _at_rest(path, lambda: _leaving_older(path, _since(_files(path), time, time_of)))


# What is read and where


def _read_on(path: str, position: Position, unit: int) -> Generator[Block, None, None]:
    """Read on in the path's file. Raises _Changed where the position is not in it."""
    with closing(_Plain(_File(path, "", "", position.inode))) as reader:
        status = reader.status()
        seen = _stamp(status)
        position = yield from _read(reader, position, unit, status.st_size, False, seen)
    if position.seen != seen:
        yield Block(b"", position._replace(seen=seen), ())


def _read_across(path: str, position: Position, unit: int) -> Generator[Block, None, None]:
    """Read on wherever the position is, then all newer files. Raises _Changed."""
    seen = _now(path)  # before the files are listed: what comes later is seen by the next run
    files = _files(path)
    index, reader = _find(files, position)
    if index < 0:
        if _files(path) != files:
            raise _Changed
        yield Block(b"", _end_of_rotated(files, unit), (("gap", 1),))
        raise _Changed  # go on from there
    if reader:
        position = position._replace(inode=files[index].inode)
    try:
        parts = _parts(files[index:])
        seen += _seen_of_rotated(parts)
        position = yield from _read_parts(files, parts, position, unit, reader, seen)
    finally:
        if reader:
            reader.close()
    if position.seen != seen:
        yield Block(b"", position._replace(seen=seen), ())


def _read_parts(
    files: list[_File],
    parts: list[_Part],
    position: Position,
    unit: int,
    reader: _Reader | None,
    seen: str,
) -> Generator[Block, None, Position]:
    """Read each part to its end, the first with ``reader`` from ``position`` if given.

    Returns the last position, at the end of all with ``seen``. It moves into a file only when
    something of it has been consumed, and a gap is told only then: until then the next run
    finds it again.
    """
    gaps = 0
    left = position.left
    for part in parts:
        if not reader and (not part.has_content or _is_left(part.file, left)):
            continue
        start = position if reader else _start(part.file, left)
        try:
            reader = reader or _open(part.file)
            at_end = "" if part.superseded else seen
            for block in _read(reader, start, unit, part.status.st_size, part.superseded, at_end):
                is_own_begun = not part.file.suffix and position.inode != part.file.inode
                if is_own_begun and _files(part.file.path) != files:
                    raise _Changed  # it may have been copied and emptied before it was read
                skipped = (("gap", gaps), *block.skipped) if gaps else block.skipped
                gaps = 0
                position = block.position
                yield block._replace(skipped=skipped)
        except _Gap:
            gaps += 1
        finally:
            if reader:
                reader.close()
            reader = None
        if part.superseded:
            left = _with_left(left, part.file)
    return position


def _read(
    reader: _Reader, position: Position, unit: int, size: int, final: bool, seen: str
) -> Generator[Block, None, Position]:
    """Yield a file's blocks from ``position`` to ``size``, return the position there.

    ``final``: no more will be appended. ``seen`` is for the position at the end.
    """
    at_end = False
    while not at_end:
        before, data, at_end = reader.read(position, size)
        if unit:
            taken = _take_records(data, unit, final and at_end)
        else:
            taken = _take_lines(data, position.skipping, final and at_end)
        if taken.length:
            done = data[: taken.length]
            position = Position(
                position.inode,
                position.offset + len(done),
                position.head if position.offset >= MARK else _mark((before + done[:MARK])[:MARK]),
                _mark((before + done[-MARK:])[-MARK:]),
                taken.skipping,
                seen if at_end else "",
                position.left,
            )
            yield Block(taken.data, position, taken.skipped)
    return position


def _find(files: list[_File], position: Position) -> tuple[int, _Reader | None]:
    """Return the index of the file that the position is in, and its reader, which has been there.

    That of the same inode first, then the newest first. -1: none. NOWHERE: before the first.
    """
    if not position.inode:
        return 0, None
    newest_first = reversed(range(len(files)))
    for index in sorted(newest_first, key=lambda index: files[index].inode != position.inode):
        file = files[index]
        if not position.offset and file.inode != position.inode:
            continue  # no content to know it by
        try:
            reader = _open(file)
        except _Gap:
            continue
        if reader.fits(position):
            return index, reader
        reader.close()
    return -1, None


def _parts(files: list[_File]) -> list[_Part]:
    """Return what is to be read of each file, oldest first. Raises _Changed.

    The newest is asked first: a writer that has begun a newer file has left the older one,
    so that what is found in that afterwards is all.
    """
    parts: list[_Part] = []
    superseded = False
    for file in reversed(files):
        status = _status(file.path)
        if not status or status.st_ino != file.inode:
            raise _Changed
        has_content = status.st_size > 0 and _has_content(file)
        parts.insert(0, _Part(file, status, has_content, superseded))
        superseded = superseded or has_content
    return parts


def _seen_of_rotated(parts: list[_Part]) -> str:
    """Return what Position.seen tells of rotated files: the newest with content, and newer ones."""
    seen = ""
    for part in reversed(parts):
        if part.file.suffix and not part.file.compression:
            seen += f" {_stamp(part.status)} {part.file.suffix}"
        if part.has_content:
            break
    return seen


def _has_content(file: _File) -> bool:
    """Return whether there is something in a file that is not empty: it may be compressed."""
    if not file.compression:
        return True
    try:
        with closing(_open(file)) as reader:
            return reader.has_content()
    except _Gap:
        return True


# Positions


def _start(file: _File, left: str = "") -> Position:
    """Return the position before all of the file, which nothing but its inode tells."""
    return Position(file.inode, 0, "", "", False, "", left)


def _mark(data: bytes) -> str:
    return f"{int.from_bytes(data, 'big') % _PRIME:x}" if data else ""


def _leaving_older(path: str, position: Position) -> Position:
    """Return the position, which remembers the files before its own: they are never read."""
    files = _files(path)
    index = next((n for n, file in enumerate(files) if file.inode == position.inode), 0)
    plain = [file for file in files[:index] if not file.compression]
    return position._replace(left=_with_left("", *plain[-MAX_LEFT:])) if plain else position


def _is_left(file: _File, left: str) -> bool:
    """Return whether a rotated file was read: a copy of one may have any name."""
    beginning = _beginning(file) if left and file.suffix else b""
    for word in left.split():
        length, _, mark = word.partition(":")
        if not length.isdecimal() or len(beginning) < int(length):
            continue
        if _mark(beginning[: int(length)]) == mark:
            return True
    return False


def _with_left(left: str, *files: _File) -> str:
    """Return Position.left with the beginnings of further files, which must not be read again."""
    known = left.split()
    for file in files:
        beginning = _beginning(file)
        word = f"{len(beginning)}:{_mark(beginning)}"
        if beginning and word not in known:
            known.append(word)
    return " ".join(known[-MAX_LEFT:])


def _beginning(file: _File) -> bytes:
    try:
        with closing(_open(file)) as reader:
            return reader.beginning(BEGINNING)
    except _Gap:
        return b""


def _at_rest(path: str, look: Callable[[], Position]) -> Position:
    for _ in range(ATTEMPTS):
        try:
            return look()
        except _Changed:
            continue
    raise OSError(errno.EAGAIN, "is being rotated again and again", path)


def _end_of(files: list[_File], unit: int, superseded: bool) -> Position:
    """Return the end of the newest file of which something could have been consumed."""
    for file in reversed(files):
        try:
            with closing(_open(file)) as reader:
                position = reader.end(unit, superseded)
                superseded = superseded or reader.has_content()
        except _Gap:
            superseded = True
        else:
            if position.offset:
                return position
    return NOWHERE


def _end_of_rotated(files: list[_File], unit: int) -> Position:
    own = [_status(file.path) for file in files if not file.suffix]
    superseded = any(status and status.st_size > 0 for status in own)
    return _end_of([file for file in files if file.suffix], unit, superseded)


def _since(files: list[_File], time: float, time_of: Callable[[bytes], float | None]) -> Position:
    newer = None  # the beginning of a newer file: all in it is of `time` or later
    for file in reversed(files):
        try:
            with closing(_open(file)) as reader:
                if isinstance(reader, _Compressed) and reader.status().st_mtime < time:
                    return newer or _end_of(files, 0, superseded=False)
                position = _search(reader, _start(file), time, time_of)
                if reader.has_content():
                    newer = _start(file)
        except _Gap:
            continue  # told by blocks()
        if position:
            return position
    return NOWHERE


def _search(
    reader: _Reader, start: Position, time: float, time_of: Callable[[bytes], float | None]
) -> Position | None:
    """Return a position in the file that is before its lines of ``time`` or later.

    None where its first line that has a time is one of these, or none has a time.
    """
    first = _first_time(reader.probe(0), False, time_of)
    if first is None or first >= time:
        return None
    if isinstance(reader, _Compressed):
        return start
    low, high = 0, reader.status().st_size
    while high - low > MAX_LINE:
        middle = (low + high) // 2
        found = _first_time(reader.probe(middle), True, time_of)
        # Where no line has a time the search goes on before: that is never too late.
        if found is not None and found < time:
            low = middle
        else:
            high = middle
    # The line there is too early, so it can be left out with what was read of it.
    return reader.position(low - _PROBE, skipping=True) if low > _PROBE else start


def _first_time(
    data: bytes, is_inside: bool, time_of: Callable[[bytes], float | None]
) -> float | None:
    """Return the time of the first line in ``data`` that has one."""
    lines = _take_lines(data, is_inside, False).data.split(b"\n", _PROBE_LINES)
    for line in lines[:-1]:
        time = time_of(line)
        if time is not None:
            return time
    return None


# Files


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def _now(path: str, seen: str = "") -> str:
    """Return what Position.seen would be now if it told of the same files as ``seen``."""
    status = _status(path)
    directory = None if status else _status(os.path.dirname(path) or ".")
    now = _stamp(status) if status else f"0:0:{directory.st_mtime_ns if directory else 0}"
    for suffix in seen.split(" ")[2::2]:
        rotated = _status(path + suffix)
        now += f" {_stamp(rotated) if rotated else ''} {suffix}"
    return now


def _files(path: str) -> list[_File]:
    """Return the rotated files, oldest first, and the path's own file last if it is there.

    A list made while files are renamed can lack one: two in a row that are equal do not.
    Raises _Changed where there are none, OSError where the directory cannot be listed or the
    path's file not be reached: to take what is not known for gone would lose or double it.
    """
    before = None
    for _ in range(ATTEMPTS):
        files = _rotated(path)
        status = _status(path)
        if status:
            files.append(_File(path, "", "", status.st_ino))
        if files == before:
            if len(files) > 1 and _is_copy(files[-2], files[-1]):
                del files[-2]
            return files
        before = files
    raise _Changed


def _is_copy(rotated: _File, own: _File) -> bool:
    """Return whether copytruncate is copying the path's file and has not emptied it yet."""
    if own.suffix or rotated.compression:
        return False
    try:
        with closing(_Plain(rotated)) as copy, closing(_Plain(own)) as original:
            size = copy.status().st_size
            return size > 0 and copy.ends(size) == original.ends(size)
    except _Gap:
        return False


def _rotated(path: str) -> list[_File]:
    """Return the rotated files, oldest first; none where there is no directory."""
    directory, name = os.path.split(path)
    found = {}
    times = {}
    for suffix, status in _suffixes(directory or ".", name):
        stem, compression = _split_suffix(suffix)
        # Both are there while one is compressed; the plain one comes first and is whole.
        if stem and stem not in found:
            found[stem] = _File(path + suffix, suffix, compression, status.st_ino)
            times[stem] = status.st_mtime_ns
    if len({_is_number(stem) for stem in found}) > 1:
        return [found[stem] for stem in sorted(found, key=times.__getitem__)]
    return [found[stem] for stem in sorted(found, key=_age)]


def _suffixes(directory: str, name: str) -> list[tuple[str, os.stat_result]]:
    """Return what the names of regular files have behind ``name``, sorted, and their status.

    Raises _Changed where one is renamed meanwhile.
    """
    found = []
    try:
        with os.scandir(directory) as entries:
            for count, entry in enumerate(entries):
                if count >= MAX_ENTRIES:
                    raise OSError(errno.E2BIG, f"has more than {MAX_ENTRIES} names", directory)
                if entry.name.startswith(name) and entry.is_file(follow_symlinks=False):
                    found.append((entry.name[len(name) :], _status_of(entry)))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(found)


def _status_of(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        raise _Changed from None


def _split_suffix(suffix: str) -> tuple[str, str]:
    """Return a rotated file's number or date with what parts it, and its compression or ''.

    That is .1, -20260111, -2026-01-11, -20260111-1700 and the like; ('', '') for any other.
    """
    stem, _, compression = suffix.rpartition(".")
    if compression not in _COMPRESSIONS:
        stem, compression = suffix, ""
    digits = _digits(stem)
    if not (stem[:1] in (".", "-") and digits.isascii() and digits.isdigit()):
        return "", ""
    is_age = _is_number(stem) or len(digits) >= len("YYYYMM")
    return (stem, compression) if is_age else ("", "")


def _digits(stem: str) -> str:
    return stem[1:].replace("-", "")


def _is_number(stem: str) -> bool:
    return stem[0] == "." and stem[1:].isdigit() and len(stem) < len(".YYYYMM")


def _age(stem: str) -> tuple[int, str]:
    """Return what sorts numbers, or dates: the older one first."""
    return (-int(stem[1:]), "") if _is_number(stem) else (0, _digits(stem))


def _open(file: _File) -> _Reader:
    """Return the file's reader. Raises OSError, _Gap, _Changed where it is another by now."""
    return _Compressed(file) if file.compression else _Plain(file)


def _fault(file: _File, error: OSError) -> Exception:
    """Return what a fault of reading means: a rotated file can be done without."""
    if file.suffix and error.errno in _LASTING:
        return _Gap()
    return OSError(error.errno, error.strerror, file.path)


def _descriptor(file: _File) -> int:
    try:
        descriptor = open_regular(file.path)
    except (FileNotFoundError, NotADirectoryError):
        raise _Changed from None
    except OSError as error:
        raise _fault(file, error) from error
    if os.fstat(descriptor).st_ino != file.inode:
        os.close(descriptor)
        raise _Changed
    return descriptor


class _Plain:
    """Reads a file as it is; it may be emptied or replaced at any time.

    Its methods raise OSError, _Gap, and _Changed where that has happened.
    """

    def __init__(self, file: _File) -> None:
        self.file = file
        self.stream = os.fdopen(_descriptor(file), "rb", 0)
        self.close = self.stream.close  # does nothing the second time

    def status(self) -> os.stat_result:
        return os.fstat(self.stream.fileno())

    def has_content(self) -> bool:
        return self.status().st_size > 0

    def read(self, position: Position, size: int) -> tuple[bytes, bytes, bool]:
        """Return up to MARK bytes before the position, a block behind it, and if that ends at size.

        The content before is compared with the position's marks each time, read together
        with the block, so that no rotation comes in between.
        """
        marked = min(position.offset, MARK)
        count = min(BLOCK, size - position.offset)
        data = self._bytes_at(position.offset - marked, marked + count) if count >= 0 else b""
        before = data[:marked]
        head = self._bytes_at(0, MARK) if position.offset > MARK else before
        fits = (_mark(head), _mark(before)) == (position.head, position.tail)
        if not fits or len(data) < marked + count:
            raise _Changed
        return before, data[marked:], position.offset + count == size

    def fits(self, position: Position) -> bool:
        """Return whether the content before the position is what its marks say."""
        try:
            self.read(position, position.offset)
        except (_Gap, _Changed):
            return False
        return True

    def beginning(self, count: int) -> bytes:
        """Return so many bytes of the content, less where there are not so many."""
        return self._bytes_at(0, count)

    def ends(self, offset: int) -> tuple[bytes, bytes]:
        """Return the first and the last min(offset, MARK) bytes before the offset."""
        count = min(offset, MARK)
        return self._bytes_at(0, count), self._bytes_at(offset - count, count)

    def position(self, offset: int, skipping: bool = False) -> Position:
        """Return the position at an offset."""
        head, tail = self.ends(offset)
        if len(tail) < min(offset, MARK):
            raise _Changed
        return Position(self.file.inode, offset, _mark(head), _mark(tail), skipping, "")

    def end(self, unit: int, superseded: bool) -> Position:
        """Return the position behind all that can be consumed now."""
        size = self.status().st_size
        if superseded:
            return self.position(size)
        if unit:
            return self.position(size - size % unit)
        start = max(0, size - MAX_LINE - 1)
        cut = behind_last_end(self._bytes_at(start, size - start))
        if cut or not start:
            return self.position(start + cut)
        return self.position(size, skipping=True)

    def probe(self, offset: int) -> bytes:
        """Return some bytes at the offset, or behind the hole that is there (lseek(2))."""
        try:
            offset = os.lseek(self.stream.fileno(), offset, os.SEEK_DATA)
        except OSError:
            return b""  # nothing but a hole up to the end
        return self._bytes_at(offset, _PROBE)

    def _bytes_at(self, offset: int, count: int) -> bytes:
        try:
            return os.pread(self.stream.fileno(), count, offset)
        except OSError as error:
            raise _fault(self.file, error) from error


class _Compressed:
    """Reads a compressed file as what it was, once from its beginning, in bounded memory.

    Raises _Gap where it cannot be decompressed here, OSError, _Changed where it is another by now.
    """

    def __init__(self, file: _File) -> None:
        self.file = file
        self.packed = os.fdopen(_descriptor(file), "rb")
        self.close = self.packed.close  # does nothing the second time
        self.offset = 0  # of `data` in the content
        self.before = b""
        self.data = b""
        self.is_damaged = False
        self.is_far = False
        try:
            self.stream, self.faults = decompress(self.packed, file.compression)
        except ImportError:
            self.close()
            raise _Gap from None

    def status(self) -> os.stat_result:
        return os.fstat(self.packed.fileno())

    def has_content(self) -> bool:
        """Return whether there is anything, if only damage."""
        return bool(self.offset or self.data or self._more(1) or self.is_damaged)

    def read(self, position: Position, size: int) -> tuple[bytes, bytes, bool]:  # noqa: ARG002
        """Return what _Plain.read does; the position is in what the last call returned.

        It ends where the file does. Raises _Gap where the rest is damaged, or too far.
        """
        if self.is_far:
            if position.offset in (_ITS_END, self._length()):
                return b"", b"", True
            raise _Gap
        done = position.offset - self.offset
        self.before = (self.before + self.data[:done])[-MARK:]
        self.data = self.data[done:]
        self.offset = position.offset
        more = self._more(BLOCK - len(self.data))
        if self.is_damaged and not more:
            raise _Gap
        self.data += more
        return self.before, self.data, len(self.data) < BLOCK and not self.is_damaged

    def fits(self, position: Position) -> bool:
        """Return whether the content before the position is what its marks say; go there."""
        head = tail = self._more(min(position.offset, MARK))
        if _mark(head) != position.head:
            return False
        self.is_far = position.offset > RESUMED[self.file.compression]
        if self.is_far:  # the beginning has to do
            return True
        self.offset = len(head)
        while self.offset < position.offset:
            data = self._more(min(BLOCK, position.offset - self.offset))
            if not data:
                return False
            self.offset += len(data)
            tail = (tail + data[-MARK:])[-MARK:]
        self.before = tail
        return _mark(tail) == position.tail

    def end(self, unit: int, superseded: bool) -> Position:  # noqa: ARG002
        """Return the position behind all of it: what has begun in it will not be continued."""
        head = tail = self._more(MARK)
        self.offset = len(head)
        while data := self._more(BLOCK):
            self.offset += len(data)
            tail = (tail + data[-MARK:])[-MARK:]
            if self.offset > RESUMED[self.file.compression]:
                return Position(self.file.inode, _ITS_END, _mark(head), "", False, "")
        return Position(self.file.inode, self.offset, _mark(head), _mark(tail), False, "")

    def probe(self, offset: int) -> bytes:  # noqa: ARG002
        """Return some bytes from the beginning; to be asked before anything is read."""
        self.data += self._more(_PROBE - len(self.data))
        return self.data

    def beginning(self, count: int) -> bytes:
        """Return what _Plain.beginning does; to be asked before anything is read."""
        return self._more(count)

    def _length(self) -> int:
        """Return the length of the content where the file's end tells it, else -1.

        gzip's does, modulo 4 GiB, for what was compressed at once.
        """
        if self.file.compression != "gz":
            return -1
        return int.from_bytes(
            os.pread(self.packed.fileno(), 4, self.status().st_size - 4), "little"
        )

    def _more(self, count: int) -> bytes:
        """Return the next bytes, less at the end or before damage, which is remembered."""
        parts = []
        try:
            while count > 0 and not self.is_damaged:
                part = self.stream.read1(count)
                if not part:
                    break
                parts.append(part)
                count -= len(part)
        except self.faults:
            self.is_damaged = True
        return b"".join(parts)


def decompress(
    file: BufferedReader, compression: str
) -> tuple[BufferedIOBase, tuple[type[Exception], ...]]:
    """Return the stream of what was compressed, and how it fails. Raises ImportError."""
    faults = (OSError, EOFError, MemoryError)
    if compression == "gz":
        import gzip
        import zlib

        return gzip.GzipFile(fileobj=file), (*faults, zlib.error)
    if compression == "bz2":
        import bz2

        return bz2.BZ2File(file), faults
    if compression == "xz":
        import lzma

        return lzma.LZMAFile(file), (*faults, lzma.LZMAError)
    raise ImportError(f"no library for {compression}")


# What the bytes come to


def _take_lines(data: bytes, skipping: bool, final: bool) -> _Taken:
    """Return the whole lines of ``data``, which begins with a line, or inside one if skipping.

    ``final``: nothing will come behind, so that a line without its end is one too.
    """
    cut = behind_last_end(data)
    if skipping and not cut:
        return _Taken(b"", len(data), True, ())
    start = _behind_first_end(data) if skipping else 0
    lines, rest = data[start:cut], data[cut:]
    is_damaged = b"\0" in data[:cut]
    if is_damaged:
        lines = without_nuls(lines)
    lines, too_long = _without_long(lines)
    skipping = len(rest) > MAX_LINE
    is_partial = final and 0 < len(rest) <= MAX_LINE
    if is_partial:
        lines += rest + b"\n"
    skipped = _counts(
        ("damaged", int(is_damaged)),
        ("partial", int(is_partial)),
        ("too-long", too_long + skipping),
    )
    return _Taken(lines, len(data) if skipping or is_partial else cut, skipping, skipped)


def _take_records(data: bytes, unit: int, final: bool) -> _Taken:
    """Return the whole records of ``data``; ``final``: what is left over will never be one."""
    whole = len(data) - len(data) % unit
    is_partial = final and whole < len(data)
    length = len(data) if is_partial else whole
    return _Taken(data[:whole], length, False, _counts(("partial", int(is_partial))))


def _counts(*counts: tuple[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(item for item in counts if item[1])


def behind_last_end(data: bytes) -> int:
    """Return where the last line that has an end is over, 0 where none has."""
    return max(data.rfind(b"\n"), data.rfind(b"\0")) + 1


def _behind_first_end(data: bytes) -> int:
    return min(end for end in (data.find(b"\n"), data.find(b"\0")) if end >= 0) + 1


def without_nuls(lines: bytes) -> bytes:
    """Return the lines with each run of NULs made the end of a line, if none is there yet."""
    import re  # damage is rare

    parts = re.split(rb"\n?\0+\n?", lines)
    return b"".join(part if part.endswith(b"\n") else part + b"\n" for part in parts if part)


def _without_long(lines: bytes) -> tuple[bytes, int]:
    """Return the lines of at most MAX_LINE bytes, and how many others there were."""
    kept = []
    start = too_long = 0
    while start < len(lines):
        end = lines.rfind(b"\n", start, start + MAX_LINE + 1) + 1
        if end:
            kept.append((start, end))
        else:
            too_long += 1
            end = lines.index(b"\n", start) + 1
        start = end
    return (b"".join(lines[s:e] for s, e in kept) if too_long else lines), too_long
