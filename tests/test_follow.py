"""A file is followed across rotations of every kind: nothing is lost and nothing read twice."""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import lzma
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.following import original, replace, watched_reads
from textfile_users.reading import compressed, plain, rotation
from textfile_users.reading import lines as reading_lines
from textfile_users.reading import position as position_module
from textfile_users.reading.follow import Block, blocks, end
from textfile_users.reading.position import NOWHERE, Position
from textfile_users.reading.search import since

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}


class Reader:
    """Follows a path over many runs, as a program does that keeps only the last position."""

    def __init__(self, path: Path | str, unit: int = 0, position: Position = NOWHERE) -> None:
        self.path = str(path)
        self.unit = unit
        self.position = position
        self.skipped: Counter[str] = Counter()

    def take(self, block: Block) -> bytes:
        self.position = block.position
        self.skipped.update(dict(block.skipped))
        return block.data

    def run(self) -> bytes:
        """Read all that is new."""
        return b"".join(map(self.take, blocks(self.path, self.position, self.unit)))


class Log:
    """A log with its rotated files, and what writes and rotates it."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        self.path = self.directory / "auth.log"

    def file(self, suffix: str) -> Path:
        return self.directory / ("auth.log" + suffix)

    def append(self, data: bytes, suffix: str = "") -> None:
        with self.file(suffix).open("ab") as file:
            file.write(data)

    def shift(self) -> None:
        """Give each numbered file the next number."""
        numbered = sorted(
            (int(path.name.split(".")[2]), path) for path in self.directory.glob("auth.log.[0-9]*")
        )
        for number, path in reversed(numbered):
            suffix = path.name.split(".")[3:]
            path.rename(self.file("." + ".".join([str(number + 1), *suffix])))

    def rename(self, create: bool = True) -> None:
        self.shift()
        self.path.rename(self.file(".1"))
        if create:
            self.path.touch()

    def copytruncate(self) -> None:
        self.shift()
        shutil.copy(self.path, self.file(".1"))
        os.truncate(self.path, 0)

    def compress(self, suffix: str, kind: str = "gz") -> None:
        path = self.file(suffix)
        self.file(f"{suffix}.{kind}").write_bytes(COMPRESS[kind](path.read_bytes()))
        path.unlink()


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make blocks so small that a few lines need several."""
    replace(monkeypatch, "BLOCK", 100)
    replace(monkeypatch, "MAX_LINE", 64)
    replace(monkeypatch, "MARK", 16)


def lines(*numbers: int) -> bytes:
    return b"".join(b"line %d\n" % number for number in numbers)


# Appending


def test_what_is_appended_is_read_once(log: Log) -> None:
    reader = Reader(log.path)
    assert reader.run() == b""
    for number in range(5):
        log.append(lines(number))
        assert (reader.run(), reader.run()) == (lines(number), b"")
    assert not reader.skipped


def test_a_file_that_has_not_changed_is_not_opened(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(lines(1))
    reader = Reader(log.path)
    reader.run()
    monkeypatch.setattr(os, "open", None)
    assert list(blocks(reader.path, reader.position)) == []


def test_a_line_begun_is_left_for_later(log: Log) -> None:
    reader = Reader(log.path)
    log.append(lines(1) + b"line")
    assert reader.run() == lines(1)
    log.append(b" 2")
    assert reader.run() == b""
    log.append(b"\nline 3")
    assert reader.run() == lines(2)
    assert reader.position.offset == len(lines(1, 2))


def test_a_line_begun_in_the_first_file_there_ever_was(log: Log) -> None:
    reader = Reader(log.path)
    log.append(b"line")
    assert reader.run() == b""
    log.append(b" 1\n")
    log.rename()
    log.compress(".1")
    log.append(lines(2))
    assert reader.run() == lines(1, 2)


def test_blocks_hold_about_a_mebibyte_of_whole_lines(log: Log) -> None:
    content = lines(*range(300_000))
    log.append(content)
    found = list(blocks(str(log.path), NOWHERE))
    assert b"".join(block.data for block in found) == content
    assert len(found) == len(content) // reading_lines.BLOCK + 1
    assert all(block.data.endswith(b"\n") for block in found)
    assert [bool(block.position.seen) for block in found] == [False] * (len(found) - 1) + [True]


@pytest.mark.parametrize("kind", ["", *COMPRESS])
@pytest.mark.parametrize("mark", [16, 150])
def test_a_stop_after_any_block_goes_on_exactly_there(
    log: Log, small: None, monkeypatch: pytest.MonkeyPatch, kind: str, mark: int
) -> None:
    replace(monkeypatch, "MARK", mark)
    log.append(lines(*range(40)))
    log.rename()
    if kind:
        log.compress(".1", kind)
    log.append(lines(*range(40, 80)))
    whole = list(blocks(str(log.path), NOWHERE))
    assert len(whole) > 6
    for index, block in enumerate(whole):
        rest = b"".join(later.data for later in whole[index + 1 :])
        reader = Reader(log.path, position=block.position)
        assert reader.run() == rest
        assert not reader.skipped


def test_no_file_stays_open_when_the_caller_stops(log: Log, small: None) -> None:
    log.append(lines(*range(40)))
    log.rename()
    log.compress(".1")
    log.append(lines(*range(40, 80)))
    before = os.listdir("/proc/self/fd")
    for count in range(1, 8):
        found = blocks(str(log.path), NOWHERE)
        for _ in range(count):
            next(found)
        assert len(os.listdir("/proc/self/fd")) > len(before)
        found.close()  # type: ignore[attr-defined]
        assert os.listdir("/proc/self/fd") == before


def test_the_work_does_not_depend_on_the_size(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three GiB, most of it a hole: only what is new and the marks are read."""
    log.append(lines(1))
    os.truncate(log.path, 3 << 30)
    log.append(b"\n" + lines(2))
    reader = Reader(log.path, position=end(str(log.path)))
    log.append(lines(3))
    read = watched_reads(monkeypatch)
    assert reader.run() == lines(3)
    assert sum(read) == 2 * plain.MARK + len(lines(3))


# Rotation


@pytest.mark.parametrize("rotate", [Log.rename, Log.copytruncate])
@pytest.mark.parametrize("kind", ["", *COMPRESS])
@pytest.mark.parametrize("is_behind", [False, True])
def test_rotated_once_between_two_runs(
    log: Log, rotate: Callable[[Log], None], kind: str, is_behind: bool
) -> None:
    reader = Reader(log.path)
    log.append(lines(1))
    assert reader.run() == lines(1)
    if is_behind:
        log.append(lines(2))
    rotate(log)
    if kind:
        log.compress(".1", kind)
    log.append(lines(3))
    assert reader.run() == (lines(2, 3) if is_behind else lines(3))
    assert reader.run() == b""
    assert not reader.skipped


@pytest.mark.parametrize("kind", ["", *COMPRESS])
def test_the_position_names_the_file_that_it_is_in(log: Log, kind: str) -> None:
    reader = Reader(log.path)
    log.append(lines(1))
    reader.run()
    log.copytruncate()
    if kind:
        log.compress(".1", kind)
    assert reader.run() == b""
    assert reader.position.inode == log.file(f".1.{kind}" if kind else ".1").stat().st_ino
    assert reader.position.offset == len(lines(1))


@pytest.mark.parametrize("rotate", [Log.rename, Log.copytruncate])
@pytest.mark.parametrize("kind", ["", *COMPRESS])
def test_rotated_several_times_between_two_runs(
    log: Log, rotate: Callable[[Log], None], kind: str
) -> None:
    reader = Reader(log.path)
    log.append(lines(0))
    assert reader.run() == lines(0)
    for number in range(1, 13):  # .10 is older than .9
        log.append(lines(number))
        rotate(log)
        if kind and log.file(".2").exists():
            log.compress(".2", kind)
    log.append(lines(13))
    assert reader.run() == lines(*range(1, 14))
    assert not reader.skipped


def test_a_longer_file_in_place_of_the_copied_one_is_noticed(log: Log) -> None:
    """Its inode is the same and its size is more than what was read."""
    reader = Reader(log.path)
    log.append(lines(1))
    reader.run()
    log.append(lines(2))
    log.copytruncate()
    log.append(lines(*range(3, 100)))
    assert reader.run() == lines(*range(2, 100))


def test_an_inode_that_is_used_again_proves_nothing(log: Log) -> None:
    log.append(lines(1, 2))
    log.rename()
    log.append(lines(3, 4, 5))
    (first, *_) = blocks(str(log.file(".1")), NOWHERE)
    taken_over = first.position._replace(inode=log.path.stat().st_ino)
    reader = Reader(log.path, position=taken_over._replace(seen=""))
    assert reader.run() == lines(3, 4, 5)
    assert not reader.skipped


def test_a_file_of_the_same_inode_goes_before_a_newer_one_with_the_same_content(log: Log) -> None:
    reader = Reader(log.path)
    log.append(lines(1))
    assert reader.run() == lines(1)
    log.append(lines(2))
    log.rename()
    log.append(lines(1, 3))
    assert reader.run() == lines(2, 1, 3)


@pytest.mark.parametrize("rotate", [Log.rename, Log.copytruncate])
def test_a_file_emptied_filled_and_rotated_again_is_not_missed(
    log: Log, rotate: Callable[[Log], None]
) -> None:
    reader = Reader(log.path)
    log.append(lines(1))
    reader.run()
    rotate(log)
    assert reader.run() == b""
    log.append(lines(2))
    rotate(log)
    log.append(lines(3))
    rotate(log)
    assert reader.run() == lines(2, 3)
    assert not reader.skipped


def test_a_file_that_appears_later_is_new_from_its_beginning(log: Log) -> None:
    reader = Reader(log.path, position=end(str(log.path)))
    assert reader.run() == b""
    log.append(lines(1))
    log.rename(create=False)
    assert reader.run() == lines(1)
    assert reader.run() == b""
    log.append(lines(2))
    assert reader.run() == lines(2)


@pytest.mark.parametrize("create", [False, True])
def test_a_writer_goes_on_in_the_renamed_file_until_it_is_told(log: Log, create: bool) -> None:
    reader = Reader(log.path)
    log.append(lines(1) + b"line")
    assert reader.run() == lines(1)
    log.rename(create)
    assert reader.run() == b""
    log.append(b" 2\nline", ".1")
    assert reader.run() == lines(2)
    log.append(b" 3\n", ".1")
    log.append(lines(4))
    assert reader.run() == lines(3, 4)
    assert not reader.skipped


def test_nothing_new_is_known_from_the_rotated_file_too(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(lines(1))
    log.rename()
    reader = Reader(log.path)
    assert reader.run() == lines(1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", None)
        patch.setattr(os, "open", None)
        assert list(blocks(reader.path, reader.position)) == []
    log.append(lines(2), ".1")
    assert reader.run() == lines(2)


def test_a_writer_goes_on_in_a_file_that_was_renamed_while_it_was_empty(log: Log) -> None:
    log.append(lines(1))
    log.rename()
    log.rename()
    reader = Reader(log.path)
    assert (reader.run(), reader.run()) == (lines(1), b"")
    log.append(lines(2), ".1")
    assert reader.run() == lines(2)


def test_half_a_line_in_a_superseded_file_is_its_last(log: Log) -> None:
    reader = Reader(log.path)
    log.append(lines(1) + b"line 2")
    assert reader.run() == lines(1)
    log.copytruncate()
    assert reader.run() == b""
    assert not reader.skipped
    log.append(b" goes on\n")
    assert reader.run() == b"line 2\n goes on\n"
    assert reader.skipped == {"partial": 1}


def test_a_copy_is_not_read_while_copytruncate_makes_it(log: Log) -> None:
    log.append(lines(1))
    log.rename()
    reader = Reader(log.path)
    assert reader.run() == lines(1)
    log.append(lines(*range(2, 200)))
    log.shift()
    log.file(".1").write_bytes(log.path.read_bytes()[:1000])  # so far
    assert reader.run() == lines(*range(2, 200))
    shutil.copy(log.path, log.file(".1"))
    os.truncate(log.path, 0)
    log.append(lines(200))
    assert reader.run() == lines(200)
    assert not reader.skipped


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_file_is_not_read_twice_while_it_is_compressed(log: Log, kind: str) -> None:
    log.append(lines(1))
    log.rename()
    log.append(lines(2))
    whole = COMPRESS[kind](lines(1))
    log.file(f".1.{kind}").write_bytes(whole[: len(whole) // 2])
    reader = Reader(log.path)
    assert reader.run() == lines(1, 2)
    log.file(f".1.{kind}").write_bytes(whole)
    assert Reader(log.path).run() == lines(1, 2)
    log.file(".1").unlink()
    assert Reader(log.path).run() == lines(1, 2)
    assert not reader.skipped


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_stop_inside_a_compressed_file(log: Log, small: None, kind: str) -> None:
    log.append(lines(*range(50)))
    log.rename()
    log.compress(".1", kind)
    log.append(lines(50))
    found = []
    reader = Reader(log.path)
    while block := next(iter(blocks(reader.path, reader.position)), None):
        found.append(reader.take(block))
    assert b"".join(found) == lines(*range(51))
    assert len(found) > 4


def test_a_file_compressed_while_only_a_part_of_it_was_read(log: Log, small: None) -> None:
    log.append(lines(*range(50)))
    reader = Reader(log.path)
    first = reader.take(next(blocks(reader.path, NOWHERE)))
    log.rename()
    log.compress(".1", "xz")
    log.append(lines(50))
    assert first + reader.run() == lines(*range(51))


def test_what_none_fits_is_a_gap_and_only_the_path_is_read(log: Log) -> None:
    log.append(lines(1))
    reader = Reader(log.path)
    reader.run()
    log.path.unlink()
    log.append(lines(2), ".2")
    log.append(lines(3) + b"half", ".1")
    log.append(lines(4))
    assert reader.run() == lines(4)
    assert reader.skipped == {"gap": 1}
    assert reader.run() == b""


def test_without_content_only_the_inode_tells_the_file(log: Log) -> None:
    log.append(lines(1), ".1")
    log.append(lines(2))
    reader = Reader(log.path, position=Position(_inode(log.file(".1")), 0, "", "", False, ""))
    assert reader.run() == lines(1, 2)
    reader = Reader(log.path, position=Position(1, 0, "", "", False, ""))
    assert reader.run() == lines(2)
    assert reader.skipped == {"gap": 1}


def test_without_content_and_still_empty(log: Log) -> None:
    log.file(".1").touch()
    log.append(lines(1))
    position = Position(_inode(log.file(".1")), 0, "", "", False, "")
    assert Reader(log.path, position=position).run() == lines(1)


def _inode(path: Path) -> int:
    return path.stat().st_ino


@pytest.mark.parametrize("kind", ["", *COMPRESS])
@pytest.mark.parametrize("differing", ["head", "tail"])
def test_a_file_is_known_by_the_beginning_and_the_end_of_what_was_read(
    log: Log, kind: str, differing: str
) -> None:
    same = lines(*range(100, 200))
    first, second = (b"1st\n", b"2nd\n")
    if differing == "head":
        log.append(first + same + lines(1), ".2")
        log.append(second + same + lines(2), ".1")
    else:
        log.append(same + first + lines(1), ".2")
        log.append(same + second + lines(2), ".1")
    read = log.file(".2").read_bytes()[: len(same + first)]
    log.append(read)
    position = end(str(log.path))._replace(inode=1)  # it proves nothing
    os.truncate(log.path, 0)
    if kind:
        log.compress(".2", kind)
        log.compress(".1", kind)
    reader = Reader(log.path, position=position)
    assert reader.run().startswith(lines(1) + (second if differing == "head" else same))
    assert not reader.skipped


@pytest.mark.parametrize("kind", ["", *COMPRESS])
@pytest.mark.parametrize("first", [NOWHERE, None])
def test_a_file_that_was_read_is_not_read_again_beside_a_copy(
    log: Log, kind: str, first: Position | None
) -> None:
    """The copy has the position, and its name makes what was read before it a newer file."""
    log.append(stamped(*range(100)))
    position = first or since(str(log.path), 50, _times)
    reader = Reader(log.path, position=position)
    reader.run()
    log.rename()
    log.append(stamped(100))
    assert reader.run() == stamped(100)
    if kind:
        log.compress(".1", kind)
    log.append(stamped(101))
    shutil.copy(log.path, log.file(".2"))
    os.truncate(log.path, 0)
    log.append(stamped(102))
    assert reader.run() == stamped(101, 102)
    assert not reader.skipped


def test_what_was_there_before_the_first_run_is_not_read_beside_a_copy(log: Log) -> None:
    log.append(stamped(*range(9)), ".1")
    log.append(stamped(50, 60))
    reader = Reader(log.path, position=since(str(log.path), 55, _times))
    assert reader.run().endswith(stamped(60))
    log.append(stamped(70))
    shutil.copy(log.path, log.file(".2"))
    os.truncate(log.path, 0)
    log.append(stamped(80))
    assert reader.run() == stamped(70, 80)


@pytest.mark.parametrize("suffix", [".1", ".2", ".3", "-20991231", "-20000101", ".0"])
@pytest.mark.parametrize("source", ["", ".1", ".2"])
@pytest.mark.parametrize("keeps_time", [False, True])
def test_a_copy_is_not_read_whatever_its_name(
    log: Log, source: str, suffix: str, keeps_time: bool
) -> None:
    for number in range(3):
        log.append(stamped(*range(number * 10, number * 10 + 9)))
        log.rename()
    log.append(stamped(40))
    reader = Reader(log.path)
    reader.run()
    log.append(stamped(41))
    if not log.file(suffix).exists():
        (shutil.copy2 if keeps_time else shutil.copy)(log.file(source), log.file(suffix))
    log.rename()
    log.append(stamped(42))
    assert reader.run() == stamped(41, 42)
    assert reader.run() == b""


def test_a_backlog_is_read_once_beside_copies(log: Log) -> None:
    log.append(stamped(1, 2), ".1")
    for suffix in (".2", ".5", "-20260101"):
        shutil.copy(log.file(".1"), log.file(suffix))
    log.append(stamped(3))
    assert Reader(log.path).run() == stamped(1, 2, 3)


def test_records_that_begin_alike_are_of_different_files(log: Log) -> None:
    """Their times stand behind the names: two boots look the same up to there."""
    reader = Reader(log.path, 384)
    for number in range(4):
        record = b"~".ljust(340, b"\0") + bytes([number]) * 44
        log.append(record)
        if number % 2:
            assert reader.run()
        log.rename()
    log.append(b"x" * 384)
    reader.run()
    assert reader.position.offset == 384
    assert not reader.skipped


# Compressed files that are too long for a run


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let places behind 2 KiB be far in a compressed file."""
    replace(monkeypatch, "RESUMED", dict.fromkeys(COMPRESS, 2000))
    replace(monkeypatch, "BLOCK", 1000)
    replace(monkeypatch, "MAX_LINE", 100)


def decompressed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return what grows by each piece that is decompressed."""
    pieces: list[int] = []
    more = compressed.Compressed._more

    def count(self: compressed.Compressed, size: int) -> bytes:
        data = more(self, size)
        pieces.append(len(data))
        return data

    monkeypatch.setattr(compressed.Compressed, "_more", count)
    return pieces


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_place_far_in_a_compressed_file_is_not_come_to_again(
    log: Log, short: None, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Each run ends after a block: what is read of the file is bounded, and the rest is told."""
    content = stamped(*range(200))
    log.append(content, ".1")
    log.compress(".1", kind)
    log.append(stamped(200))
    pieces = decompressed(monkeypatch)
    reader = Reader(log.path)
    data = b""
    for _ in range(9):
        pieces.clear()
        for block in blocks(reader.path, reader.position):
            data += reader.take(block)
            break
        assert sum(pieces) < 6000
    assert data.endswith(stamped(200)), "it goes on behind"
    assert content.startswith(data[: -len(stamped(200))])
    assert len(data) > 2000
    assert reader.skipped == {"gap": 1}
    assert Reader(log.path).run() == content + stamped(200), "at once all of it is read"


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("unread", [0, 1])
def test_a_long_file_that_was_read_before_it_was_compressed(
    log: Log, short: None, kind: str, unread: int
) -> None:
    log.append(stamped(*range(200)))
    reader = Reader(log.path)
    reader.run()
    log.append(stamped(200) * unread)
    log.rename()
    log.compress(".1", kind)
    assert reader.run() == b""
    log.append(stamped(201))
    assert reader.run() == stamped(201)
    assert reader.run() == b""
    is_known = kind == "gz" and not unread
    assert reader.skipped == ({} if is_known else {"gap": 1}), "gzip tells how long it was"


@pytest.mark.parametrize("kind", COMPRESS)
def test_the_end_of_a_long_compressed_file(
    log: Log, short: None, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    log.append(stamped(*range(9_000)), ".1")
    log.compress(".1", kind)
    log.append(b"")
    pieces = decompressed(monkeypatch)
    reader = Reader(log.path, position=end(str(log.path)))
    assert reader.run() == b""
    log.append(stamped(9_000))
    assert reader.run() == stamped(9_000)
    assert not reader.skipped
    assert sum(pieces) < 20_000


def test_logrotate_died_between_copying_and_emptying(log: Log) -> None:
    reader = Reader(log.path)
    log.append(lines(1, 2))
    assert reader.run() == lines(1, 2)
    shutil.copy(log.path, log.file(".1"))
    log.append(lines(3))
    log.copytruncate()
    log.append(lines(4))
    assert reader.run() == lines(3, 4)
    assert not reader.skipped


def test_an_empty_file_compressed_supersedes_nothing(log: Log) -> None:
    log.append(lines(1) + b"line")
    log.rename()
    log.rename()
    log.compress(".1")
    reader = Reader(log.path)
    assert reader.run() == lines(1)
    log.append(b" 2\n", ".2")
    assert reader.run() == lines(2)
    assert not reader.skipped


# Rotation while the files are read


class Hook:
    """Lets something happen once, right before a function of the module is called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.change: Callable[[], None] | None = None
        function = original(name)

        def call(*arguments: object) -> object:
            change, self.change = self.change, None
            if change:
                change()
            return function(*arguments)

        replace(monkeypatch, name, call)


def test_a_list_that_lacks_a_file_is_made_again(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file renamed while the directory is read can be passed over under both names."""
    log.append(lines(1))
    reader = Reader(log.path)
    reader.run()
    for number in (2, 3, 4):
        log.append(lines(number))
        log.rename()
    whole = rotation._suffixes
    lacking = iter([".1", ".2"])

    def suffixes(directory: str, name: str) -> list[tuple[str, os.stat_result]]:
        passed_over = next(lacking, None)
        return [item for item in whole(directory, name) if item[0] != passed_over]

    replace(monkeypatch, "_suffixes", suffixes)
    assert reader.run() == lines(2, 3, 4)
    assert not reader.skipped


@pytest.mark.parametrize("times", [1, 2, 3, 4, 5])
def test_a_name_that_vanishes_while_the_list_is_made_is_no_empty_list(
    log: Log, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    log.append(lines(1))
    reader = Reader(log.path)
    reader.run()
    log.append(lines(2))
    log.rename()
    log.append(lines(3))
    calls = iter(range(100))
    away = log.file(".9")

    def vanish(directory: str) -> contextlib.nullcontext[Iterator[os.DirEntry[str]]]:
        with scandir(directory) as entries:
            found = list(entries)
        if next(calls) < times:
            log.file(".1").rename(away)
        return contextlib.nullcontext(iter(found))

    def come_back(path: str) -> object:
        if away.exists():
            away.rename(log.file(".1"))
        return rotated(path)

    scandir, rotated = os.scandir, rotation._rotated
    monkeypatch.setattr(os, "scandir", vanish)
    replace(monkeypatch, "_rotated", come_back)
    assert reader.run() == lines(2, 3)
    assert not reader.skipped


def test_emptied_and_filled_after_its_size_was_taken(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(lines(1))
    log.rename()
    reader = Reader(log.path)
    reader.run()
    log.append(lines(*range(2, 50)))

    def rotate() -> None:
        log.copytruncate()
        log.append(lines(50))

    hook = Hook(monkeypatch, "_read_parts")
    hook.change = rotate
    assert reader.run() == lines(*range(2, 51))
    assert not reader.skipped


def test_emptied_while_the_file_of_the_position_is_looked_for(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(lines(1))
    reader = Reader(log.path)
    reader.run()
    reader.position = reader.position._replace(inode=1, seen="")  # as if it was restored
    log.append(lines(2))

    def rotate() -> None:
        log.copytruncate()
        log.append(lines(3))

    hook = Hook(monkeypatch, "_find")
    hook.change = rotate
    assert reader.run() == lines(2, 3)
    assert not reader.skipped


def test_renamed_after_the_file_of_the_position_was_found(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(lines(1))
    reader = Reader(log.path)
    reader.run()
    log.append(lines(*range(2, 50)))
    log.rename()
    log.append(lines(50) + b"x")

    def rotate() -> None:
        log.append(b"y\n")
        log.rename()
        log.append(lines(51))

    hook = Hook(monkeypatch, "_parts")
    hook.change = rotate
    assert reader.run() == lines(*range(2, 51)) + b"xy\n" + lines(51)
    assert not reader.skipped


def test_the_newest_size_is_taken_first(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a writer still puts into the renamed file comes before all in the new one."""
    log.append(lines(1))
    log.rename()
    status = position_module.status_of
    late = iter([True])

    def write_afterwards(path: str) -> os.stat_result | None:
        found = status(path)
        if path.endswith(".1") and next(late, False):
            log.append(lines(2), ".1")
            log.append(lines(3))
        return found

    replace(monkeypatch, "status_of", write_afterwards)
    reader = Reader(log.path)
    assert reader.run() + reader.run() == lines(1, 2, 3)
    assert not any(late)


def test_emptied_and_filled_before_its_first_block_was_read(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(b"line")
    reader = Reader(log.path)

    def rotate() -> None:
        log.append(b" 1\n")
        log.copytruncate()
        log.append(lines(2))

    hook = Hook(monkeypatch, "_parts")
    hook.change = rotate
    assert reader.run() == lines(1, 2)
    assert not reader.skipped


def test_less_than_was_asked_for_is_not_the_end(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append(lines(*range(50)))
    log.rename()
    log.append(lines(50))
    pread = os.pread
    less = iter([True])

    def read(descriptor: int, count: int, offset: int) -> bytes:
        is_block = count > plain.MARK
        return pread(descriptor, 100 if is_block and next(less, False) else count, offset)

    monkeypatch.setattr(os, "pread", read)
    reader = Reader(log.path)
    assert reader.run() == lines(*range(51))
    assert not reader.skipped
    assert not any(less)


def test_a_path_that_becomes_unreadable_raises(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append(lines(1))
    reader = Reader(log.path)
    reader.run()
    log.path.unlink()
    log.append(lines(2))
    hook = Hook(monkeypatch, "_find")
    hook.change = lambda: _refuse(monkeypatch, str(log.path))
    with pytest.raises(PermissionError):
        reader.run()
    assert not reader.skipped


def test_emptied_without_a_copy_is_a_gap_told_once(log: Log) -> None:
    log.append(lines(1))
    log.rename()
    log.append(lines(2))
    reader = Reader(log.path)
    reader.run()
    os.truncate(log.path, 0)
    assert (reader.run(), reader.run()) == (b"", b"")
    log.append(lines(3))
    log.rename()
    log.append(lines(4))
    assert reader.run() == lines(3, 4)
    assert reader.skipped == {"gap": 1}


# Names


@pytest.mark.parametrize(
    ("suffixes", "why"),
    [
        ([".10.gz", ".9", ".2.xz", ".1"], "numbers, not text"),
        ([".2", ".1", ".0"], "newsyslog and savelog begin with 0"),
        (["-20251231.gz", "-20260101", "-20260110.bz2"], "logrotate's dateext"),
        (["-20260111", "-20260111-1700.gz", "-20260111-1800", "-20260112"], "by the hour"),
        (["-2025-12-31", "-2026-01-01"], "dateformat -%Y-%m-%d"),
        ([".20251231", ".20260101.gz"], "dateformat .%Y%m%d"),
        (["-202512", "-202601.gz"], "dateformat -%Y%m"),
    ],
)
def test_rotated_files_are_read_in_the_order_of_their_age(
    log: Log, suffixes: list[str], why: str
) -> None:
    for number, suffix in enumerate(suffixes):
        kind = suffix.rpartition(".")[2]
        log.append(COMPRESS[kind](lines(number)) if kind in COMPRESS else lines(number), suffix)
        os.utime(log.file(suffix), (0, 1000 - number))  # not by this
    log.append(lines(len(suffixes)))
    assert Reader(log.path).run() == lines(*range(len(suffixes) + 1))


def test_numbers_and_dates_mixed_are_ordered_by_their_time(log: Log) -> None:
    for number, suffix in enumerate([".2.gz", "-20260101", ".1", "-20260102.gz"]):
        data = lines(number)
        log.append(gzip.compress(data) if suffix.endswith("gz") else data, suffix)
        os.utime(log.file(suffix), (0, 1000 + number))
    assert Reader(log.path).run() == lines(0, 1, 2, 3)


@pytest.mark.parametrize(
    "suffix",
    [".bak", ".1.tmp", ".old", "~", ".1~", ".swp", "-old", "-1", ".1.1", ".", "-", ".gz", ".1-2",
     ".\u0661", ".-1", "2", "\n.1", ".1 ", "-20260111.tmp", ".1.gz.tmp"],
)  # fmt: skip
def test_other_names_are_left_alone(log: Log, suffix: str) -> None:
    log.append(lines(1), suffix)
    log.append(lines(2))
    assert Reader(log.path).run() == lines(2)


def test_only_regular_files_are_rotated_ones(log: Log) -> None:
    os.mkfifo(log.file(".1"))
    log.file(".2").mkdir()
    log.append(lines(1), "-other")
    log.file(".3").symlink_to(log.file("-other"))
    log.append(lines(2))
    reader = Reader(log.path)
    assert reader.run() == lines(2)
    assert not reader.skipped


def test_a_directory_that_cannot_be_listed_loses_nothing(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(log.path)
    log.append(lines(1))
    reader.run()
    log.append(lines(2))
    log.rename()
    log.append(lines(3))
    with monkeypatch.context() as patch:
        replace(patch, "MAX_ENTRIES", 1)
        with pytest.raises(OSError, match="more than 1 names") as caught:
            reader.run()
        assert caught.value.filename == str(log.directory)
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", _too_many_open_files)
        with pytest.raises(OSError, match="Too many open files"):
            reader.run()
    assert reader.run() == lines(2, 3)
    assert not reader.skipped


def _too_many_open_files(path: str) -> object:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)


# What cannot be read


@pytest.mark.parametrize(
    ("name", "data", "read"),
    [
        (".1.gz", gzip.compress(lines(2) + b"half", mtime=0)[:-1], lines(2)),
        (".1.gz", gzip.compress(lines(2), mtime=0)[:-8] + bytes(8), lines(2)),
        (".1.bz2", bz2.compress(lines(2))[:-9], lines(2)),
        (".1.xz", lzma.compress(lines(2))[:20], b""),
        (".1.gz", gzip.compress(b"", mtime=0)[:10] + b"\xff" * 30, b""),
        (".1.gz", lines(2), b""),
        (".1.bz2", lines(2), b""),
        (".1.xz", lines(2), b""),
        (".1.zst", b"\x28\xb5\x2f\xfd", b""),
    ],
)
def test_a_rotated_file_that_cannot_be_decompressed_is_a_gap_told_once(
    log: Log, name: str, data: bytes, read: bytes
) -> None:
    log.append(lines(1), ".2")
    log.append(data, name)
    reader = Reader(log.path)
    assert reader.run() == lines(1) + read
    assert not reader.skipped  # it may still be mended
    log.append(lines(3))
    assert reader.run() == lines(3)
    log.rename()
    log.append(lines(4))
    assert reader.run() == lines(4)
    assert reader.skipped == {"gap": 1}


def test_what_precedes_damage_is_read_once(log: Log, small: None) -> None:
    content = lines(*range(100_000))
    whole = gzip.compress(content)
    log.append(whole[: len(whole) // 2], ".1.gz")
    log.append(lines(-1))
    reader = Reader(log.path)
    found = []
    while block := next(iter(blocks(reader.path, reader.position)), None):
        found.append(reader.take(block))
        if len(found) == 30:  # each run decompresses again what is before it
            break
    found.append(reader.run())
    read = b"".join(found)
    assert read.endswith(b"\n" + lines(-1))
    assert content.startswith(read[: -len(lines(-1))])
    assert len(content) // 3 < len(read) < len(content)
    assert reader.skipped == {"gap": 1}


def test_a_rotated_file_without_permission_is_a_gap(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(lines(1), ".3")
    log.append(lines(2), ".2")
    log.append(lines(3), ".1")
    log.append(lines(4))
    _refuse(monkeypatch, str(log.file(".2")))
    reader = Reader(log.path)
    assert reader.run() == lines(1, 3, 4)
    assert reader.skipped == {"gap": 1}


@pytest.mark.parametrize("name", ["open", "pread"])
@pytest.mark.parametrize("number", range(1, 9))
def test_a_fault_of_the_moment_is_no_gap(
    log: Log, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    """Too many open files, no memory: what cannot be read now is not given up."""
    log.append(lines(1))
    reader = Reader(log.path)
    reader.run()
    log.append(lines(2))
    log.copytruncate()
    log.append(lines(3))
    real = getattr(os, name)
    calls = iter(range(1, 100))

    def fail_once(*arguments: object) -> object:
        if next(calls) == number:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        return real(*arguments)

    monkeypatch.setattr(os, name, fail_once)
    found: list[bytes] = []
    for _ in range(2):
        with contextlib.suppress(OSError):
            found.extend(map(reader.take, blocks(reader.path, reader.position)))
    assert b"".join(found) == lines(2, 3)
    assert not reader.skipped


def test_a_rotated_file_without_permission_but_empty_is_no_gap(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.file(".1").touch()
    log.append(lines(1))
    _refuse(monkeypatch, str(log.file(".1")))
    reader = Reader(log.path)
    assert reader.run() == lines(1)
    assert not reader.skipped


def _refuse(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    real = os.open

    def refuse(name: str, flags: int) -> int:
        if name == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)
        return real(name, flags)

    monkeypatch.setattr(os, "open", refuse)


def _file_without_permission(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(lines(1))
    _refuse(monkeypatch, str(path))


def _directory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.mkdir()


def _fifo(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(path)


def _link_among_others(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.with_name("target").write_bytes(lines(1))
    path.symlink_to(path.with_name("target"))
    path.parent.chmod(0o1777)


def _cycle(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.symlink_to(path)


def _times(line: bytes) -> float | None:
    try:
        return float(line.split()[1])
    except (IndexError, ValueError):
        return None


@pytest.mark.parametrize(
    "make", [_file_without_permission, _directory, _fifo, _link_among_others, _cycle]
)
@pytest.mark.parametrize(
    "look",
    [
        lambda path: list(blocks(path, NOWHERE)),
        lambda path: list(blocks(path, Position(7, 7, "7", "7", False, "7:7:7"))),
        end,
        lambda path: since(path, 0, _times),
    ],
)
def test_a_path_that_cannot_be_read_raises_and_names_it(
    log: Log,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path, pytest.MonkeyPatch], None],
    look: Callable[[str], object],
) -> None:
    log.append(lines(0), ".1")
    make(log.path, monkeypatch)
    with pytest.raises(OSError) as caught:
        look(str(log.path))
    assert caught.value.filename == str(log.path)


@pytest.mark.parametrize("path", ["auth.log", "missing/auth.log", "file/auth.log", "dangling"])
def test_a_path_that_is_missing_is_no_error(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nothing")
    name = str(tmp_path / path)
    reader = Reader(name)
    assert (reader.run(), end(name), since(name, 0, _times)) == (b"", NOWHERE, NOWHERE)
    assert list(blocks(name, reader.position)) == []


def test_a_link_of_its_owner_alone_is_followed(log: Log) -> None:
    log.append(lines(1), "-target")
    log.path.symlink_to(log.file("-target"))
    reader = Reader(log.path)
    assert reader.run() == lines(1)
    log.append(lines(2), "-target")
    assert reader.run() == lines(2)


def test_a_path_relative_to_the_working_directory(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(log.directory)
    reader = Reader("auth.log")
    log.append(lines(1))
    log.rename()
    log.append(lines(2))
    assert reader.run() == lines(1, 2)


def test_a_read_error_names_the_file(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    log.append(lines(1))
    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(OSError, match="Input/output") as caught:
        Reader(log.path).run()
    assert caught.value.filename == str(log.path)


# Lines that are no lines


@pytest.mark.parametrize(
    ("length", "is_read"), [(65535, True), (65536, True), (65537, False), (5_000_000, False)]
)
@pytest.mark.parametrize("begin", [0, (1 << 20) - 30_000, (1 << 20) - 7])
def test_lines_over_64_kib_are_left_out_wherever_blocks_end(
    log: Log, length: int, is_read: bool, begin: int
) -> None:
    before = b"x" * 99 + b"\n"
    before = before * (begin // 100) + b"y" * (begin % 100)
    before = before[:-1] + b"\n" if before else before
    long = b"z" * length + b"\n"
    log.append(before + long + lines(1))
    reader = Reader(log.path)
    assert reader.run() == before + (long if is_read else b"") + lines(1)
    assert reader.skipped == ({} if is_read else {"too-long": 1})


def test_a_long_line_is_left_out_over_blocks_and_runs(log: Log) -> None:
    reader = Reader(log.path)
    log.append(lines(1) + b"x" * 65536)
    assert reader.run() == lines(1)
    assert not reader.skipped
    for _ in range(3):
        log.append(b"x" * 1_500_000)
        assert reader.run() == b""
        assert reader.position.skipping
        assert reader.position.offset == log.path.stat().st_size
    log.append(b"x\n" + lines(2))
    assert reader.run() == lines(2)
    assert reader.skipped == {"too-long": 1}


@pytest.mark.parametrize("is_read_before", [False, True])
def test_a_long_line_ends_with_its_file(log: Log, is_read_before: bool) -> None:
    reader = Reader(log.path)
    log.append(b"x" * 70_000)
    if is_read_before:
        assert reader.run() == b""
    log.rename()
    log.append(lines(1))
    assert reader.run() == lines(1)
    assert reader.skipped == {"too-long": 1}


@pytest.mark.parametrize("count", [1, 70_000, 3_000_000])
@pytest.mark.parametrize(
    ("before", "behind", "expected"),
    [
        (lines(1), lines(2), lines(1, 2)),
        (lines(1) + b"line", lines(2), lines(1) + b"line\n" + lines(2)),
        (lines(1) + b"line", b"\n" + lines(2), lines(1) + b"line\n" + lines(2)),
        (b"", lines(2), lines(2)),
        (b"", b"line\n\0\0line\0", b"line\nline\n"),
    ],
)
def test_the_line_behind_nuls_survives(
    log: Log, before: bytes, behind: bytes, expected: bytes, count: int
) -> None:
    """A crash leaves them in place of the last lines; the next line comes right behind."""
    log.append(before + b"\0" * count + behind)
    reader = Reader(log.path)
    assert reader.run() == expected
    assert reader.skipped == {"damaged": count // reading_lines.BLOCK + 1}


def test_the_line_behind_nuls_survives_when_they_are_read_before_it(log: Log) -> None:
    reader = Reader(log.path)
    log.append(lines(1) + b"half" + b"\0" * 100_000)
    assert reader.run() == lines(1) + b"half\n"
    log.append(lines(2))
    assert reader.run() == lines(2)
    assert reader.skipped == {"damaged": 1}


def test_nuls_end_a_long_line_too(log: Log) -> None:
    reader = Reader(log.path)
    log.append(b"x" * 70_000)
    reader.run()
    log.append(b"xxx\0\0" + lines(1))
    assert reader.run() == lines(1)
    assert reader.skipped == {"too-long": 1, "damaged": 1}


def test_only_newlines_end_lines(log: Log) -> None:
    data = "a\rb\vc\fd\x1ce\x85f\u2028g\r\n".encode()
    log.append(data)
    assert Reader(log.path).run() == data


# Records


@pytest.mark.parametrize("unit", [384, 400])
def test_records_are_read_whole(log: Log, unit: int) -> None:
    records = [bytes([number]) * unit for number in range(5)]
    reader = Reader(log.path, unit)
    log.append(records[0] + records[1][:7])
    assert reader.run() == records[0]  # NULs, all of it
    log.append(records[1][7:] + b"\n" * unit)
    assert reader.run() == records[1] + b"\n" * unit
    log.append(records[2] + records[3][:7])
    log.rename()
    assert reader.run() == records[2]
    log.append(records[4])
    assert reader.run() == records[4]
    assert reader.skipped == {"partial": 1}


def test_blocks_hold_whole_records(log: Log) -> None:
    content = os.urandom(400 * 8000)
    log.append(content)
    log.rename()
    log.append(content[:4000])
    found = list(blocks(str(log.path), NOWHERE, 400))
    assert b"".join(block.data for block in found) == content + content[:4000]
    assert len(found) > 4
    assert not any(len(block.data) % 400 or block.skipped for block in found)


# Where reading begins


@pytest.mark.parametrize(
    ("begun", "is_read"),
    [
        (b"", True),
        (b"line", True),
        (b"half\0\0", False),
        (b"x" * 65535, True),
        (b"x" * 65536, True),
        (b"x" * 65537, False),
        (b"x" * 9_000_000, False),
    ],
)
def test_the_end_is_behind_the_last_whole_line(log: Log, begun: bytes, is_read: bool) -> None:
    log.append(lines(1) + begun)
    position = end(str(log.path))
    assert position.offset == len(lines(1)) + (0 if is_read else len(begun))
    reader = Reader(log.path, position=position)
    assert reader.run() == b""
    log.append(b"\n" + lines(2))
    ended = b"\n" if b"\0" in begun else b""
    assert reader.run() == (begun + b"\n" if is_read else ended) + lines(2)
    assert not reader.skipped


def test_the_end_of_records_is_behind_the_last_whole_one(log: Log) -> None:
    log.append(b"x" * 1000)
    assert end(str(log.path), 400).offset == 800
    assert end(str(log.path), 384).offset == 768


@pytest.mark.parametrize("kind", ["", *COMPRESS])
@pytest.mark.parametrize("begun", [b"", b"line"])
@pytest.mark.parametrize("unit", [0, 7])
def test_the_end_is_in_the_rotated_file_while_nothing_whole_is_in_the_path(
    log: Log, kind: str, begun: bytes, unit: int
) -> None:
    log.append(lines(1) + b"ha")
    log.rename()
    if kind:
        log.compress(".1", kind)
    log.append(begun)
    reader = Reader(log.path, unit, end(str(log.path), unit))
    assert reader.position.offset > 0
    assert reader.run() == b""
    log.append(lines(2)[len(begun) :])
    log.rename()
    log.append(lines(3))
    found = reader.run()
    assert found.endswith(lines(2, 3))
    if kind or begun:
        assert (found, reader.skipped) == (lines(2, 3), {})
    else:
        assert reader.skipped == {"partial": 1}


def test_the_end_passes_over_a_rotated_file_that_cannot_be_read(log: Log) -> None:
    log.append(lines(1) + b"half", ".2")
    log.append(b"nothing reads this here", ".1.zst")
    assert end(str(log.path)).offset == len(lines(1) + b"half")


def test_the_end_of_nothing_is_nowhere(log: Log) -> None:
    assert end(str(log.path)) == NOWHERE
    log.append(b"line")
    assert end(str(log.path)) == NOWHERE


STAMPED = b"at %d something that fills the line as real ones do, more or less, until here\n"


def stamped(*times: int) -> bytes:
    return b"".join(STAMPED % time for time in times)


@pytest.mark.parametrize("time", [0, 1, 2, 3000, 49_999, 70_000, 99_998, 99_999, 100_000, 200_000])
def test_since_is_not_far_before_the_time(log: Log, time: int) -> None:
    log.append(stamped(*range(1, 50_000)), ".1")
    log.append(stamped(*range(50_000, 100_000)))
    found = Reader(log.path, position=since(str(log.path), time, _times)).run()
    times = [int(line.split()[1]) for line in found.splitlines()]
    assert times == list(range(times[0], 100_000))
    assert times[0] <= max(time, 1)
    assert len(found) < len(stamped(*range(time, 100_000))) + 300_000


@pytest.mark.parametrize("kind", ["", *COMPRESS])
@pytest.mark.parametrize("shift", [-1, 0, 1])
@pytest.mark.parametrize("time", [10, 20, 30, 40])
def test_since_goes_back_to_older_files_as_far_as_needed(
    log: Log, kind: str, shift: int, time: int
) -> None:
    """Compressed ones are left out by their time alone, which is that of their last line."""
    for number, begin in ((3, 10), (2, 20), (1, 30)):
        log.append(stamped(*range(begin, begin + 10)), f".{number}")
        if kind:
            log.compress(f".{number}", kind)
        name = log.file(f".{number}" + (f".{kind}" if kind else ""))
        os.utime(name, (0, begin + 9))
    log.append(stamped(*range(40, 45)))
    found = Reader(log.path, position=since(str(log.path), time + shift, _times)).run()
    times = [int(line.split()[1]) for line in found.splitlines()]
    assert times == list(range(times[0], 45))
    assert times[0] <= max(time + shift, 10)
    assert times[0] >= time + shift - 10


def test_since_where_the_path_is_empty_and_all_is_older(log: Log) -> None:
    log.append(gzip.compress(stamped(1, 2)), ".1.gz")
    os.utime(log.file(".1.gz"), (0, 2))
    log.path.touch()
    reader = Reader(log.path, position=since(str(log.path), 3, _times))
    assert reader.position.inode == _inode(log.file(".1.gz"))
    assert reader.run() == b""
    log.append(stamped(4))
    assert reader.run() == stamped(4)


def test_since_allows_for_lines_out_of_order(log: Log) -> None:
    times = [10 * n + 3005 * (n % 7 == 0) for n in range(9000)]
    log.append(b"".join(map(stamped, times)))
    for time in range(30_000, 90_000, 5_000):
        found = Reader(log.path, position=since(str(log.path), time, _times)).run()
        assert {stamped(later) for later in times if later >= time} <= set(found.splitlines(True))


def test_since_finds_the_same_second_in_the_older_file_too(log: Log) -> None:
    log.append(stamped(1, 2, 3), ".1")
    log.append(stamped(3, 4))
    found = Reader(log.path, position=since(str(log.path), 3, _times)).run()
    assert found.endswith(stamped(3, 3, 4))


def test_since_is_before_what_has_no_time(log: Log) -> None:
    log.append(stamped(*range(3000)) + b"no time at all\n" * 90_000 + stamped(3000))
    found = Reader(log.path, position=since(str(log.path), 2900, _times)).run()
    assert stamped(*range(2900, 3000)) in found


def test_since_passes_lines_without_a_time(log: Log) -> None:
    noise = b"no time at all\n" * 90
    log.append(b"".join(noise + stamped(time) for time in range(5000)))
    reader = Reader(log.path, position=since(str(log.path), 4000, _times))
    found = reader.run()
    assert stamped(4000) in found
    assert len(found) < len(noise) * 1300


@pytest.mark.parametrize(("time", "is_at_the_end"), [(3, True), (20, True), (2, False)])
def test_since_does_little_in_a_file_of_gigabytes(
    log: Log, monkeypatch: pytest.MonkeyPatch, time: int, is_at_the_end: bool
) -> None:
    log.append(stamped(1))
    os.truncate(log.path, 3 << 30)
    log.append(b"\n" + stamped(2) * 9000 + stamped(3, 4) + stamped(*range(5, 20)))
    read = watched_reads(monkeypatch)
    position = since(str(log.path), time, _times)
    assert len(read) < 40
    assert sum(read) < 6 << 20
    assert (position.offset > (3 << 30) - (1 << 20)) is is_at_the_end


# Everything at once


class World(Log):
    """A log whose history is known: each logical file with all that was ever written into it."""

    def __init__(self, directory: str, unit: int, dated: bool) -> None:
        super().__init__(directory)
        self.unit = unit
        self.dated = dated
        self.contents: list[bytearray] = [bytearray()]
        self.writer: Path | None = None  # what it has open; None: it opens the path
        self.begun = b""  # the rest of a line that was begun
        self.is_copied = False
        self.leftover: Path | None = None  # compressed already, but not removed yet
        self.count = 0
        self.clock = 10**18

    def touched(self, *paths: Path) -> None:
        """Let each change be seen in the times, however quickly they follow each other."""
        self.clock += 1
        for path in (self.directory, *paths):
            os.utime(path, ns=(self.clock, self.clock))

    def next_line(self, length: int) -> bytes:
        self.count += 1
        if self.unit:
            return b"%-*d" % (self.unit, self.count)
        return b"%06d" % self.count + b"." * length + b"%06d\n" % self.count

    def write(self, data: bytes) -> None:
        if self.is_copied or not data:
            return  # what comes between copying and emptying is lost by copytruncate itself
        target = self.writer or self.path
        with target.open("ab") as file:
            file.write(data)
        self.contents[-1] += data
        self.touched(target)

    def append_lines(self, *lengths: int) -> None:
        if not self.is_copied:
            self.write(self.begun + b"".join(map(self.next_line, lengths)))
            self.begun = b""

    def append_half(self, length: int) -> None:
        if not self.is_copied:
            line = self.begun + self.next_line(length)
            half = max(len(line) // 2, 7)
            self.write(line[:half])
            self.begun = line[half:]

    def rotate_by_rename(self, create: bool) -> None:
        if self.is_copied or self.writer or not self.path.exists():
            return
        target = self.make_room()
        self.path.rename(target)
        self.writer = target
        self.touched()
        if create:
            self.path.touch()
            self.touched(self.path)

    def make_room(self) -> Path:
        self.remove_leftover()
        if self.dated:
            return self.file(f"-{20260000 + len(self.contents)}")
        if self.file(".1").exists() or list(self.directory.glob("auth.log.1.*")):
            self.shift()
        return self.file(".1")

    def tell_writer(self) -> None:
        """As logrotate's postrotate does."""
        if self.writer:
            self.writer = None
            self.begun = b""
            self.contents.append(bytearray())
            self.path.touch()
            self.touched(self.path)

    def copy(self) -> None:
        if not self.writer and not self.is_copied and self.path.exists():
            self.shift_and_copy()
            self.is_copied = True

    def shift_and_copy(self) -> None:
        target = self.make_room()
        shutil.copy(self.path, target)
        self.touched(target)

    def truncate(self) -> None:
        if self.is_copied:
            os.truncate(self.path, 0)
            self.touched(self.path)
            self.contents.append(bytearray())
            self.is_copied = False

    def compress_one(self, kind: str, remove: bool) -> None:
        if self.is_copied:
            return  # logrotate has done with copying before
        self.remove_leftover()
        plain = sorted(
            path
            for path in self.directory.iterdir()
            if path not in (self.path, self.writer) and path.suffix[1:] not in COMPRESS
        )
        if plain:
            path = plain[self.count % len(plain)]
            target = path.with_name(f"{path.name}.{kind}")
            target.write_bytes(COMPRESS[kind](path.read_bytes()))
            self.leftover = path
            self.touched(target)
            if remove:
                self.remove_leftover()

    def remove_leftover(self) -> None:
        if self.leftover:
            self.leftover.unlink()
            self.leftover = None
            self.touched()

    def expected(self) -> tuple[list[bytes], dict[str, int]]:
        """Return all lines that can be consumed by now, and what is skipped."""
        contents = list(self.contents)
        while len(contents) > 1 and not contents[-1]:
            contents.pop()
        found = []
        skipped: Counter[str] = Counter()
        for index, content in enumerate(contents):
            whole, rest = self.split(bytes(content))
            if rest and index < len(contents) - 1:
                if self.unit:
                    skipped["partial"] += 1
                else:
                    whole.append(rest)
                    skipped["partial"] += len(rest) <= reading_lines.MAX_LINE
            elif len(rest) > reading_lines.MAX_LINE:
                skipped["too-long"] += 1
            found += [line for line in whole if self.unit or len(line) <= reading_lines.MAX_LINE]
            if not self.unit:
                skipped["too-long"] += sum(len(line) > reading_lines.MAX_LINE for line in whole)
        return found, {reason: count for reason, count in skipped.items() if count}

    def split(self, content: bytes) -> tuple[list[bytes], bytes]:
        if not self.unit:
            *whole, rest = content.split(b"\n")
            return whole, rest
        units = [content[i : i + self.unit] for i in range(0, len(content), self.unit)]
        rest = units.pop() if units and len(units[-1]) < self.unit else b""
        return units, rest


Step = tuple[str, tuple[object, ...]]


class Follower:
    """Reads the world's log; what a run that is killed has not stored does not count."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.reader = Reader(world.path, world.unit)
        self.data = b""

    def read(self, count: int = -1) -> Iterator[None]:
        found = blocks(self.reader.path, self.reader.position, self.reader.unit)
        while count:
            block = next(found, None)
            if block is None:
                return
            assert (block.data, block.skipped, block.position) != (b"", (), self.reader.position)
            self.data += self.reader.take(block)
            count -= 1
            yield

    def run_all(self) -> None:
        for _ in self.read():
            pass
        self.compare()

    def run_and_stop(self, count: int) -> None:
        for _ in self.read(count):
            pass

    def run_and_be_killed(self, count: int) -> None:
        before = self.reader.position, self.data, Counter(self.reader.skipped)
        self.run_and_stop(count)
        self.reader.position, self.data, self.reader.skipped = before

    def run_meanwhile(self, count: int, changes: list[Step]) -> None:
        """Let something happen after some blocks of a run that goes on."""
        for number, _ in enumerate(self.read()):
            if number == count:
                for change in changes:
                    apply(self.world, change)

    def run_against(self, count: int, changes: list[Step]) -> None:
        """Let something happen while a run lists, opens or reads files."""
        calls = iter(range(1_000_000))

        def hooked(function: Callable[..., object]) -> Callable[..., object]:
            def call(*arguments: object) -> object:
                if next(calls) == count:
                    for change in changes:
                        apply(self.world, change)
                return function(*arguments)

            return call

        with pytest.MonkeyPatch.context() as patch:
            for name in ("descriptor_of", "_suffixes", "status_of", "stamp_of", "mark"):
                replace(patch, name, hooked(original(name)))
            for _ in self.read():
                pass

    def compare(self) -> None:
        found, skipped = self.world.expected()
        assert self.world.split(self.data) == (found, b"")
        assert {name: n for name, n in self.reader.skipped.items() if n} == skipped


# Lines and halves of lines are longer than MAX_LINE or not.
LENGTHS = st.one_of(st.integers(0, 80), st.integers(0, 300))
CHANGES = st.one_of(
    st.tuples(st.just("append_lines"), st.lists(LENGTHS, min_size=1, max_size=9).map(tuple)),
    st.tuples(st.just("append_half"), st.tuples(LENGTHS)),
    st.tuples(st.just("rotate_by_rename"), st.tuples(st.booleans())),
    st.tuples(st.just("tell_writer"), st.just(())),
    st.tuples(st.just("copy"), st.just(())),
    st.tuples(st.just("truncate"), st.just(())),
    st.tuples(st.just("compress_one"), st.tuples(st.sampled_from(list(COMPRESS)), st.booleans())),
    st.tuples(st.just("remove_leftover"), st.just(())),
)
RUNS = st.one_of(
    st.tuples(st.just("run_all"), st.just(())),
    st.tuples(st.just("run_and_stop"), st.tuples(st.integers(1, 9))),
    st.tuples(st.just("run_and_be_killed"), st.tuples(st.integers(1, 9))),
    st.tuples(
        st.just("run_meanwhile"), st.tuples(st.integers(0, 9), st.lists(CHANGES, max_size=9))
    ),
    st.tuples(st.just("run_against"), st.tuples(st.integers(0, 40), st.lists(CHANGES, max_size=9))),
)


def apply(target: object, step: Step) -> None:
    name, arguments = step
    getattr(target, name)(*arguments)


@settings(max_examples=int(os.environ.get("FOLLOW_EXAMPLES", "150")))
@given(
    unit=st.sampled_from([0, 0, 12]),
    dated=st.booleans(),
    steps=st.lists(st.one_of(CHANGES, CHANGES, RUNS), max_size=60),
    mark=st.sampled_from([16, 150]),
)
def test_every_line_comes_out_exactly_once_and_in_order(
    unit: int, dated: bool, steps: list[Step], mark: int
) -> None:
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        for name, value in (("BLOCK", 100), ("MAX_LINE", 64), ("MARK", mark)):
            replace(patch, name, value)
        world = World(directory, unit, dated)
        follower = Follower(world)
        for step in steps:
            apply(follower if step[0].startswith("run_") else world, step)
        world.truncate()
        world.tell_writer()
        world.append_lines(1)
        follower.run_all()
        assert list(blocks(str(world.path), follower.reader.position, unit)) == []
