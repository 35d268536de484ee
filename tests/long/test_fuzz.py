"""Whatever bytes are in the host's files: nothing but the documented exception leaves a decoder.

And nothing at all leaves the program: a collector's own fault would be said, and is not.
"""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.long.decoders import BERLIN, DECODERS, LINES, Decoder, zone
from tests.long.inputs import mutant, mutated
from tests.long.sizes import IS_LONG, size
from tests.long.world import World, happen, make_host, samples
from textfile_users.cli import main
from textfile_users.history.lastlog import read_lastlog2
from textfile_users.history.wtmpdb import (
    WtmpdbPosition,
    last_logins,
    newest_wtmpdb,
    open_logins,
    read_wtmpdb,
)
from textfile_users.reading.files import UnreadableDatabase

# How a collector says that it failed by an exception that nobody foresaw.
UNFORESEEN = re.compile(r"^(?:<\d>)?textfile-users: \w+: [A-Z]\w+: ", re.MULTILINE)
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_decoders_raise_what_they_say(decoder: Decoder) -> None:
    @settings(max_examples=size("examples"), suppress_health_check=QUIET, database=None)
    @given(mutated(list(decoder.samples)) | st.binary(max_size=1_000))
    def decode(data: bytes) -> None:
        try:
            decoder.call(data)
        except decoder.raises:
            return

    decode()


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_many_more_inputs(decoder: Decoder) -> None:
    """Without hypothesis, which takes a hundred times as long to choose one; new ones each time."""
    chance = random.Random(None if IS_LONG else decoder.name)
    for _ in range(size("mutants")):
        data = mutant(chance, list(decoder.samples))
        try:
            decoder.call(data)
        except decoder.raises:
            continue
        except Exception as error:
            raise AssertionError(data) from error


DATABASES = {
    "var/lib/wtmpdb/wtmp.db": (
        lambda path: read_wtmpdb(path, WtmpdbPosition()),
        newest_wtmpdb,
        open_logins,
        last_logins,
    ),
    "var/lib/lastlog/lastlog2.db": (read_lastlog2,),
}


@pytest.mark.parametrize("name", DATABASES)
def test_databases(name: str, tmp_path: Path) -> None:
    host = make_host(str(tmp_path / "host"))
    happen(host, -5)
    path = Path(host.path(name))
    content = path.read_bytes()

    @settings(max_examples=size("examples") // 4, suppress_health_check=QUIET, database=None)
    @given(mutated([content]))
    def read(data: bytes) -> None:
        path.write_bytes(data)
        for call in DATABASES[name]:
            try:
                call(str(path))
            except UnreadableDatabase as error:
                assert str(error).isprintable()

    read()


# Of one host: all that others than root may write, or that a crash may damage.
NAMES = (
    *("run/utmp", "run/systemd/sessions/1", "var/log/auth.log", "var/log/wtmp", "var/log/btmp"),
    *("var/log/lastlog", "var/lib/wtmpdb/wtmp.db", "var/lib/lastlog/lastlog2.db", "etc/passwd"),
    *("etc/group", "proc/stat", "proc/1000/stat", "proc/1001/status", "proc/1001/cmdline"),
    *("proc/1001/cgroup", "proc/1/cgroup", "proc/1/net/tcp", "etc/localtime"),
)
STATE = ("state/durable.json", "run/volatile.json")


def test_a_whole_look_at_damaged_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = World(tmp_path)
    Path(world.host.path("etc/localtime")).write_bytes(zone(BERLIN))
    whole = tmp_path / "whole"
    shutil.copytree(world.host.root, whole)
    commands = ["--metrics", "users,what,unix-user,ssh,user-sessions,ssh-sessions"]

    @settings(max_examples=size("examples") // 2, suppress_health_check=QUIET, database=None)
    @given(st.data(), st.sets(st.sampled_from((*NAMES, *STATE)), min_size=1, max_size=4))
    def look(data: st.DataObject, names: set[str]) -> None:
        world.restore()
        for name in sorted(names):
            of_host = name in NAMES
            source = (whole if of_host else world.kept) / name
            extra = [line + b"\n" for line in LINES] if name.endswith("auth.log") else []
            found = data.draw(mutated([source.read_bytes(), *extra]))
            (Path(world.host.root) if of_host else world.work).joinpath(name).write_bytes(found)
        capsys.readouterr()
        try:
            status = main([*world.arguments(0), *commands])
            said = capsys.readouterr().err
            assert status == 0, said
            assert not UNFORESEEN.search(said)
            samples(world.output.read_bytes())
        finally:
            for name in names & set(NAMES):
                shutil.copy(whole / name, world.host.path(name))

    look()
