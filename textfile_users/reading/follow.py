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

from textfile_users.reading.compressed import open_file
from textfile_users.reading.files import closing
from textfile_users.reading.lines import take_lines, take_records
from textfile_users.reading.plain import MARK, Changed, FollowedFile, Plain, Unreadable, mark
from textfile_users.reading.position import (
    NOWHERE,
    Position,
    is_at_rest,
    seen_now,
    stamp_of,
    status_of,
)
from textfile_users.reading.rotation import ATTEMPTS, files_of
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Iterator

    from textfile_users.reading.compressed import Reader

# Files that were read are remembered, so many, by so much of their beginning: of a file of
# records two of them, since the first may look like another file's.
MAX_LEFT = 30
BEGINNING = 1024


class Block(Record):
    """What was read at once: whole lines, each ending in a newline, or whole records.

    Reading goes on at ``position``. ``skipped`` counts what was left out, by reason: "damaged"
    (a block with NUL bytes), "partial" (the cut end of a file), "too-long" (a line), "gap" (a
    file that cannot be read, or is no longer there). ``data`` can be empty.
    """

    data: bytes
    position: Position
    skipped: tuple[tuple[str, int], ...]


class _Part(Record):
    """A file that is to be read as far as ``status`` says; superseded: a newer one has content."""

    file: FollowedFile
    status: os.stat_result
    has_content: bool
    superseded: bool


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
        except Changed:
            continue
        finally:
            found.close()
        return


def end(path: str, unit: int = 0) -> Position:
    """Return the position behind what is there now; a line or record begun stays unread.

    ``unit`` is a record's size in bytes, 0 for text. Raises OSError where the file at
    ``path`` cannot be read.
    """
    return at_rest(path, lambda: end_of(files_of(path), unit, superseded=False))


def _read_on(path: str, position: Position, unit: int) -> Generator[Block, None, None]:
    """Read on in the path's file. Raises Changed where the position is not in it."""
    with closing(Plain(FollowedFile(path, "", "", position.inode))) as reader:
        status = reader.status()
        seen = stamp_of(status)
        position = yield from _read(reader, position, unit, status.st_size, False, seen)
    if position.seen != seen:
        yield Block(b"", position._replace(seen=seen), ())


def _read_across(path: str, position: Position, unit: int) -> Generator[Block, None, None]:
    """Read on wherever the position is, then all newer files. Raises Changed."""
    seen = seen_now(path)  # before the files are listed: what comes later is seen by the next run
    files = files_of(path)
    index, reader = _find(files, position)
    if index < 0:
        if files_of(path) != files:
            raise Changed
        yield Block(b"", _end_of_rotated(files, unit), (("gap", 1),))
        raise Changed  # go on from there
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
    files: list[FollowedFile],
    parts: list[_Part],
    position: Position,
    unit: int,
    reader: Reader | None,
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
        start = position if reader else beginning_of(part.file, left)
        try:
            reader = reader or open_file(part.file)
            at_end = "" if part.superseded else seen
            for block in _read(reader, start, unit, part.status.st_size, part.superseded, at_end):
                is_own_begun = not part.file.suffix and position.inode != part.file.inode
                if is_own_begun and files_of(part.file.path) != files:
                    raise Changed  # it may have been copied and emptied before it was read
                skipped = (("gap", gaps), *block.skipped) if gaps else block.skipped
                gaps = 0
                position = block.position
                yield block._replace(skipped=skipped)
        except Unreadable:
            gaps += 1
        finally:
            if reader:
                reader.close()
            reader = None
        if part.superseded:
            left = _with_left(left, part.file)
    return position


def _read(
    reader: Reader, position: Position, unit: int, size: int, final: bool, seen: str
) -> Generator[Block, None, Position]:
    """Yield a file's blocks from ``position`` to ``size``, return the position there.

    ``final``: no more will be appended. ``seen`` is for the position at the end.
    """
    at_end = False
    while not at_end:
        before, data, at_end = reader.read(position, size)
        if unit:
            taken = take_records(data, unit, final and at_end)
        else:
            taken = take_lines(data, position.skipping, final and at_end)
        if taken.length:
            done = data[: taken.length]
            position = Position(
                position.inode,
                position.offset + len(done),
                position.head if position.offset >= MARK else mark((before + done[:MARK])[:MARK]),
                mark((before + done[-MARK:])[-MARK:]),
                taken.skipping,
                seen if at_end else "",
                position.left,
            )
            yield Block(taken.data, position, taken.skipped)
    return position


def _find(files: list[FollowedFile], position: Position) -> tuple[int, Reader | None]:
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
            reader = open_file(file)
        except Unreadable:
            continue
        if reader.fits(position):
            return index, reader
        reader.close()
    return -1, None


def _parts(files: list[FollowedFile]) -> list[_Part]:
    """Return what is to be read of each file, oldest first. Raises Changed.

    The newest is asked first: a writer that has begun a newer file has left the older one,
    so that what is found in that afterwards is all.
    """
    parts: list[_Part] = []
    superseded = False
    for file in reversed(files):
        status = status_of(file.path)
        if not status or status.st_ino != file.inode:
            raise Changed
        has_content = status.st_size > 0 and _has_content(file)
        parts.insert(0, _Part(file, status, has_content, superseded))
        superseded = superseded or has_content
    return parts


def _seen_of_rotated(parts: list[_Part]) -> str:
    """Return what Position.seen tells of rotated files: the newest with content, and newer ones."""
    seen = ""
    for part in reversed(parts):
        if part.file.suffix and not part.file.compression:
            seen += f" {stamp_of(part.status)} {part.file.suffix}"
        if part.has_content:
            break
    return seen


def _has_content(file: FollowedFile) -> bool:
    """Return whether there is something in a file that is not empty: it may be compressed."""
    if not file.compression:
        return True
    try:
        with closing(open_file(file)) as reader:
            return reader.has_content()
    except Unreadable:
        return True


def beginning_of(file: FollowedFile, left: str = "") -> Position:
    """Return the position before all of the file, which nothing but its inode tells."""
    return Position(file.inode, 0, "", "", False, "", left)


def leaving_older(path: str, position: Position) -> Position:
    """Return the position, which remembers the files before its own: they are never read."""
    files = files_of(path)
    index = next((n for n, file in enumerate(files) if file.inode == position.inode), 0)
    plain = [file for file in files[:index] if not file.compression]
    return position._replace(left=_with_left("", *plain[-MAX_LEFT:])) if plain else position


def _is_left(file: FollowedFile, left: str) -> bool:
    """Return whether a rotated file was read: a copy of one may have any name."""
    beginning = _beginning(file) if left and file.suffix else b""
    for word in left.split():
        length, _, marked = word.partition(":")
        if not length.isdecimal() or len(beginning) < int(length):
            continue
        if mark(beginning[: int(length)]) == marked:
            return True
    return False


def _with_left(left: str, *files: FollowedFile) -> str:
    """Return Position.left with the beginnings of further files, which must not be read again."""
    known = left.split()
    for file in files:
        beginning = _beginning(file)
        word = f"{len(beginning)}:{mark(beginning)}"
        if beginning and word not in known:
            known.append(word)
    return " ".join(known[-MAX_LEFT:])


def _beginning(file: FollowedFile) -> bytes:
    try:
        with closing(open_file(file)) as reader:
            return reader.beginning(BEGINNING)
    except Unreadable:
        return b""


def at_rest(path: str, find: Callable[[], Position]) -> Position:
    """Return what ``find`` does once no rotation comes in between. Raises OSError."""
    for _ in range(ATTEMPTS):
        try:
            return find()
        except Changed:
            continue
    raise OSError(errno.EAGAIN, "is being rotated again and again", path)


def end_of(files: list[FollowedFile], unit: int, superseded: bool) -> Position:
    """Return the end of the newest file of which something could have been consumed."""
    for file in reversed(files):
        try:
            with closing(open_file(file)) as reader:
                position = reader.end(unit, superseded)
                superseded = superseded or reader.has_content()
        except Unreadable:
            superseded = True
        else:
            if position.offset:
                return position
    return NOWHERE


def _end_of_rotated(files: list[FollowedFile], unit: int) -> Position:
    own = [status_of(file.path) for file in files if not file.suffix]
    superseded = any(status and status.st_size > 0 for status in own)
    return end_of([file for file in files if file.suffix], unit, superseded)
