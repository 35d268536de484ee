"""What a power cut leaves of the program's files: the next scan works, and says what was lost.

Nothing is synced, so that a file renamed into place may be empty, short or full of zeros.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.long.sizes import size, spread
from tests.long.world import World, counted, happen
from textfile_users.cli import main
from textfile_users.state_files import _end_of

DURABLE, VOLATILE, LOCK, OUTPUT = (
    "state/durable.json",
    "run/volatile.json",
    "state/lock",
    "out/users.prom",
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("power"))


@pytest.fixture(scope="module")
def truth(world: World) -> list[dict[str, float]]:
    """What two scans count where nothing was lost."""
    world.restore()
    return looks(world)


def looks(world: World) -> list[dict[str, float]]:
    found = []
    for at in (0, 5):
        assert main(world.arguments(at)) == 0
        found.append(counted(world.output.read_bytes()))
    return found


def as_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def as_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nonexistent/x")


def as_link_to_another(path: Path) -> None:
    path.rename(path.with_suffix(".other"))
    path.symlink_to(path.with_suffix(".other"))


def as_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def of_another_version(path: Path) -> None:
    first, newline, rest = path.read_bytes().partition(b"\n")
    if not rest:  # the lock, which has no content
        return
    kind, comma, version = first.partition(b",")
    data = kind + comma + b"9" + version + newline + rest[: rest.rindex(b"\n", 0, -1) + 1]
    path.write_bytes(data + _end_of(data))


def changed(path: Path) -> None:
    """Change one digit, as a failing card does: all is there, and it is another number."""
    data = path.read_bytes()
    at = data.index(b"[2.0,") + 1 if b"[2.0," in data else len(data) // 2
    path.write_bytes(data[:at] + b"7" + data[at + 1 :])


def holding(content: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.write_bytes(content(path.read_bytes()))

    return damage


DAMAGES = (
    holding(lambda data: bytes(len(data))),
    holding(lambda data: bytes(4096)),
    holding(lambda data: b"\xff" * 5_000),
    holding(lambda data: os.urandom(5_000)),
    holding(lambda data: data * 2),
    of_another_version,
    changed,
    as_directory,
    as_link,
    as_fifo,
)
IDS = (
    "zeros",
    "block",
    "ones",
    "garbage",
    "twice",
    "version",
    "digit",
    "directory",
    "link",
    "fifo",
)


def check(
    world: World, name: str, truth: list[dict[str, float]], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    if name != DURABLE:
        assert looks(world) == truth
        return
    assert main(world.arguments(0)) == 0
    said = capsys.readouterr().err
    assert "counting starts anew" in said
    assert said.count("\n") == 1
    # From here on every event counts, once: the ones below, and no other.
    happen(world.host, 1)
    assert main(world.arguments(30)) == 0
    assert capsys.readouterr().err == ""
    found = counted(world.output.read_bytes())
    failures = {name: value for name, value in found.items() if "failures_total" in name}
    assert sorted(failures.values()) == [1, 2]


@pytest.mark.parametrize("name", [VOLATILE, LOCK, DURABLE])
@pytest.mark.parametrize("damage", DAMAGES, ids=IDS)
def test_damage(
    tmp_path: Path,
    name: str,
    damage: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = World(tmp_path)
    whole = looks(world)
    world.restore()
    damage(world.work / name)
    check(world, name, whole, capsys)


@pytest.mark.parametrize("name", [VOLATILE, DURABLE])
def test_cut_at_any_length(
    world: World, truth: list[dict[str, float]], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (world.kept / name).read_bytes()
    for length in spread(len(whole), size("cut")):
        world.restore()
        (world.work / name).write_bytes(whole[:length])
        capsys.readouterr()
        found = looks(world)
        said = capsys.readouterr().err
        assert said.count("\n") == 1, (length, said)
        if name == VOLATILE:
            assert found == truth
        else:  # nothing of the past counts
            assert "counting starts anew" in said
            assert not any("failures_total" in series for series in found[1])


@pytest.mark.parametrize("damage", [DAMAGES[0], DAMAGES[3], as_link, as_link_to_another])
def test_the_output_is_written_anew(
    world: World, truth: list[dict[str, float]], damage: Callable[[Path], None]
) -> None:
    world.restore()
    damage(world.work / OUTPUT)
    assert looks(world) == truth
    assert not world.output.is_symlink()


def test_a_temporary_file_is_removed_later(world: World, truth: list[dict[str, float]]) -> None:
    world.restore()
    for name in (DURABLE, VOLATILE, OUTPUT):
        path = world.work / name
        left = path.with_name(f".{path.name}.0123456789abcdef.tmp")
        left.write_bytes(b"half")
        os.utime(left, (0, 0))
    assert looks(world) == truth
    assert not world.temporary()
