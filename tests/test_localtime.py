"""The local time of another root, whose etc/localtime its owner may have written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hosts import Host
from tests.long.decoders import BERLIN, zone
from textfile_users.deadline import within
from textfile_users.paths import Paths
from textfile_users.reading.localtime import local_time

SUMMER = (2026, 7, 1, 12, 0, 0, False)
NOON = 1_782_907_200.0  # in UTC
ENOUGH = 60.0  # seconds; what reads on without end is noticed by it


@pytest.fixture
def at(tmp_path: Path) -> Callable[[bytes], float]:
    """What SUMMER is on a host with these bytes in etc/localtime."""

    def seconds(data: bytes) -> float:
        host = Host(str(tmp_path))
        host.write("etc/localtime", data)
        return within(ENOUGH, lambda: local_time(Paths(host.root))(*SUMMER))

    return seconds


@pytest.mark.parametrize(
    ("data", "hours"),
    [
        (zone(BERLIN), 2),
        (zone(BERLIN)[:-1], 2),  # glibc takes it, too
        (zone("<+0330>-3:30"), 3.5),
        (b"", 0),
        (b"TZif", 0),
        (b"no zone", 0),
        (zone(BERLIN) + b"x" * (32 << 10), 0),  # longer than any zone is
    ],
)
def test_zones(at: Callable[[bytes], float], data: bytes, hours: float) -> None:
    assert at(data) == NOON - hours * 3600


def test_without_one_it_is_utc(tmp_path: Path) -> None:
    assert local_time(Paths(str(tmp_path)))(*SUMMER) == NOON


def test_a_zone_cut_anywhere_or_with_a_byte_gone_ends(at: Callable[[bytes], float]) -> None:
    """Behind the end of a file zoneinfo reads for ever."""
    whole = zone(BERLIN)
    for place in range(len(whole)):
        for damaged in (whole[:place], whole[:place] + whole[place + 1 :]):
            assert abs(at(damaged) - NOON) <= 86_400
