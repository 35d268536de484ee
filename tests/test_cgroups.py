"""What the kernel accounts to users' slices: versions 1 and 2, and both at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import Host
from textfile_users.paths import Paths
from textfile_users.processes.collect_processes import (
    parse_cpu_stat,
    parse_cpuacct_usage,
    read_slices,
)

V2 = "sys/fs/cgroup/user.slice"
UNIFIED = "sys/fs/cgroup/unified/user.slice"
V1 = "sys/fs/cgroup/cpu,cpuacct/user.slice"
V1_ALONE = "sys/fs/cgroup/cpuacct/user.slice"
CPU_STAT = b"usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n"


@pytest.mark.parametrize(
    ("content", "seconds", "why"),
    [
        (CPU_STAT, 2.5, "as it is"),
        (b"user_usec 1\nusage_usec 7\n", 7e-6, "in another order"),
        (b"usage_usec 7", 7e-6, "without a last newline"),
        (b"user_usec 1\n", None, "not told"),
        (b"usage_usec_of_others 7\n", None, "another"),
        (b"usage_usec -7\n", None, "negative"),
        (b"usage_usec " + b"9" * 400, None, "beyond any clock"),
        (b"", None, "nothing"),
    ],
)
def test_cpu_stat(content: bytes, seconds: float | None, why: str) -> None:
    assert parse_cpu_stat(content) == seconds, why


@pytest.mark.parametrize(
    ("content", "seconds", "why"),
    [
        (b"2500000000\n", 2.5, "nanoseconds"),
        (b"-1\n", None, "negative"),
        (b"9" * 400, None, "beyond any clock"),
        (b"1\n2\n", None, "two numbers"),
        (b"", None, "nothing"),
    ],
)
def test_cpuacct_usage(content: bytes, seconds: float | None, why: str) -> None:
    assert parse_cpuacct_usage(content) == seconds, why


@given(st.binary(max_size=100))
def test_accounts_of_any_bytes(data: bytes) -> None:
    parse_cpu_stat(data)
    parse_cpu_stat(b"usage_usec " + data)
    parse_cpuacct_usage(data)


@pytest.mark.parametrize(
    ("directory", "name", "content"),
    [
        (V2, "cpu.stat", CPU_STAT),
        (UNIFIED, "cpu.stat", CPU_STAT),
        (V1, "cpuacct.usage", b"2500000000\n"),
        (V1_ALONE, "cpuacct.usage", b"2500000000\n"),
    ],
    ids=["v2", "hybrid", "v1", "v1-alone"],
)
def test_slices(tmp_path: Path, directory: str, name: str, content: bytes) -> None:
    host = Host(str(tmp_path))
    others = ("user-.slice", "user-x.slice", "user-1000-a.slice", "user-99999999999.slice",
              "a.slice", "user-1001.slice.d", "user-1002.slic")  # fmt: skip
    for one in ("user-0.slice", "user-1000.slice", *others):
        host.write(f"{directory}/{one}/{name}", content)
    host.write(f"{directory}/{name}", b"9\n")
    os.mkdir(host.path(f"{directory}/user-1003.slice"))  # it goes while we look
    assert read_slices(Paths(host.root)) == {0: 2.5, 1000: 2.5}


def test_of_a_hybrid_host_the_accounts_that_need_no_setting_count(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    host.write(f"{UNIFIED}/user-1000.slice/cpu.stat", CPU_STAT)
    host.write(f"{V1}/user-1001.slice/cpuacct.usage", "1\n")
    assert read_slices(Paths(host.root)) == {1000: 2.5}


def test_an_old_hybrid_host_accounts_in_version_1_only(tmp_path: Path) -> None:
    """Before Linux 4.15 there was no cpu.stat in version 2."""
    host = Host(str(tmp_path))
    os.makedirs(host.path(f"{UNIFIED}/user-1000.slice"))
    host.write(f"{V1}/user-1000.slice/cpuacct.usage", "2500000000\n")
    assert read_slices(Paths(host.root)) == {1000: 2.5}


def test_no_accounts(tmp_path: Path) -> None:
    assert read_slices(Paths(str(tmp_path))) == {}


def test_links_lead_nowhere(tmp_path: Path) -> None:
    """Below another root anybody may have put them there."""
    outside = Host(str(tmp_path / "outside"))
    outside.write("user-1000.slice/cpu.stat", CPU_STAT)
    host = Host(str(tmp_path / "host"))
    os.makedirs(host.path("sys/fs/cgroup"))
    os.symlink(outside.root, host.path(V2))
    assert read_slices(Paths(host.root)) == {}
    os.unlink(host.path(V2))
    os.mkdir(host.path(V2))
    os.symlink(outside.path("user-1000.slice"), host.path(f"{V2}/user-1000.slice"))
    assert read_slices(Paths(host.root)) == {}
