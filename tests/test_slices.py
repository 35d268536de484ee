"""Users' slices: the kernel's files of versions 1 and 2 as figures, through the whole program."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import PASSWD, Host, Run
from tests.slice_files import FILES, PRESSURE, V2
from textfile_users.accounts.account import NOTHING
from textfile_users.collecting import ABSENT, BROKEN, DENIED, OK, Scan, SlicesFound, Wanted
from textfile_users.options import COLLECT_OPTIONS, parse_plain
from textfile_users.paths import Paths
from textfile_users.slices.collect_slices import collect_slices, parse_names
from textfile_users.slices.figures import (
    CPU_LIMIT,
    MEMORY,
    OOM_KILLS,
    READ,
    TASKS,
    THROTTLED,
    VERSION_1,
    VERSION_2,
    WRITTEN,
    parse_cpu_max,
    parse_io_service_bytes,
    parse_io_stat,
    parse_limit,
    parse_memory_limit,
    parse_number,
    parse_oom_kills,
    parse_pressure,
    parse_throttled,
)

Parse = Callable[[bytes], object]
UNLIMITED = {
    **FILES,
    "memory.high": "max\n",
    "memory.max": "max\n",
    "cpu.max": "max 100000\n",
    "pids.max": "max\n",
}
WITH_LIMITS = {
    'users_slice_memory_bytes{user="alice"}': 268435456,
    'users_slice_memory_limit_bytes{kind="high",user="alice"}': 1073741824,
    'users_slice_memory_limit_bytes{kind="max",user="alice"}': 2147483648,
    'users_slice_oom_kills_total{user="alice"}': 2,
    'users_slice_cpu_limit_cores{user="alice"}': 1.5,
    'users_slice_throttled_seconds_total{user="alice"}': 1.5,
    'users_slice_tasks{user="alice"}': 42,
    'users_slice_tasks_limit{user="alice"}': 5120,
    'users_slice_io_bytes_total{direction="read",user="alice"}': 4196,
    'users_slice_io_bytes_total{direction="write",user="alice"}': 8392,
    'users_slice_pressure_seconds_total{kind="some",resource="cpu",user="alice"}': 3,
    'users_slice_pressure_seconds_total{kind="full",resource="cpu",user="alice"}': 1,
    'users_slice_pressure_seconds_total{kind="some",resource="memory",user="alice"}': 0.5,
    'users_slice_pressure_seconds_total{kind="full",resource="memory",user="alice"}': 0.25,
    'users_slice_pressure_seconds_total{kind="some",resource="io",user="alice"}': 0,
    'users_slice_pressure_seconds_total{kind="full",resource="io",user="alice"}': 0,
}


def put(host: Host, directory: str, files: dict[str, str]) -> None:
    for name, content in files.items():
        host.write(f"{directory}/{name}", content)


def samples_of(run: Run, *flags: str) -> dict[str, float]:
    """Return all samples of a host with processes of root, alice and bob."""
    run.host.write("etc/passwd", PASSWD)
    for uid in (0, 1000, 1001):
        run.host.process(5000 + uid, "bash", uid=uid)
    assert run("--collectors", "+slices", *flags)[0] == 0
    return run.samples()


def shown(run: Run, *flags: str) -> dict[str, float]:
    samples = samples_of(run, *flags)
    return {name: value for name, value in samples.items() if name.startswith("users_slice_")}


def found(host: Host, seconds: float = 60) -> SlicesFound:
    scan = Scan(Paths(host.root), 0.0)
    (result,) = collect_slices(scan, NOTHING, time.monotonic() + seconds)
    return result


# Decoding


def values_of(parse: Parse, data: bytes) -> object:
    """Return what a parser makes of data, None where it is damaged."""
    try:
        return parse(data)
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("parse", "data", "expected", "why"),
    [
        (parse_number, b"0\n", 0, "nothing used"),
        (parse_number, b"18446744073709551615\n", 2**64, "the most of 64 bits"),
        (parse_number, b"-4096\n", None, "negative"),
        (parse_number, b"1_0\n", None, "a number of Python's only"),
        (parse_number, b"9" * 400, None, "beyond 64 bits"),
        (parse_number, b"max\n", None, "what is used has no maximum"),
        (parse_number, b"", None, "nothing"),
        (parse_limit, b"4915\n", 4915, "a limit"),
        (parse_limit, b"0\n", 0, "nothing is allowed"),
        (parse_limit, b"maximum\n", None, "not the word"),
        (parse_memory_limit, b"8589934592\n", 8589934592, "8 GiB"),
        (parse_cpu_max, b"50000 100000\n", ((CPU_LIMIT, 0.5),), "half a core"),
        (parse_cpu_max, b"400000 100000\n", ((CPU_LIMIT, 4.0),), "four cores"),
        (parse_cpu_max, b"max 100000\n", (), "no limit in version 2"),
        (parse_cpu_max, b"-1\n 100000\n", (), "no limit in version 1"),
        (parse_cpu_max, b"50000 0\n", None, "a period of 0"),
        (parse_cpu_max, b"50000\n", None, "no period"),
        (parse_cpu_max, b"50000 100000 1\n", None, "one number too many"),
        (parse_oom_kills, b"low 0\noom 3\noom_kill 2\n", ((OOM_KILLS, 2.0),), "Linux 4.13"),
        (parse_oom_kills, b"oom_kill 1\noom_group_kill 9\n", ((OOM_KILLS, 1.0),), "Linux 5.17"),
        (parse_oom_kills, b"low 0\nhigh 0\nmax 0\noom 3\n", (), "Linux before 4.13"),
        (parse_oom_kills, b"oom_kill x\n", None, "no number"),
        (parse_throttled, b"usage_usec 7\nthrottled_usec 7\n", ((THROTTLED, 7e-6),), "version 2"),
        (parse_throttled, b"nr_periods 0\nthrottled_time 7\n", ((THROTTLED, 7e-9),), "version 1"),
        (parse_throttled, b"usage_usec 7\nuser_usec 7\n", (), "the controller is off"),
        (parse_io_stat, b"", ((READ, 0.0), (WRITTEN, 0.0)), "no device used yet"),
        (parse_io_stat, b"8:0 \n", ((READ, 0.0), (WRITTEN, 0.0)), "a device without figures"),
        (
            parse_io_stat,
            b"8:0 rbytes=1 wbytes=2 rios=1 wios=1 dbytes=9 dios=1 cost.usage=5\n",
            ((READ, 1.0), (WRITTEN, 2.0)),
            "with what iocost adds",
        ),
        (parse_io_stat, b"8:0 rbytes=-1\n", None, "negative"),
        (
            parse_io_service_bytes,
            b"8:0 Read 1\n8:0 Write 2\n8:0 Sync 3\n8:0 Total 3\n8:16 Read 4\nTotal 7\n",
            ((READ, 5.0), (WRITTEN, 2.0)),
            "two devices",
        ),
        (parse_io_service_bytes, b"Total 0\n", ((READ, 0.0), (WRITTEN, 0.0)), "none used"),
    ],
)  # fmt: skip
def test_files(parse: Parse, data: bytes, expected: object, why: str) -> None:
    assert values_of(parse, data) == expected, why


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"max\n", "version 2"),
        (b"9223372036854771712\n", "version 1, pages of 4 KiB"),
        (b"9223372036854710272\n", "version 1, pages of 64 KiB"),
        (b"9223372036854775807\n", "version 1, Linux before 3.19"),
        (b"8796093018112\n", "version 1, 32 bits"),
    ],
)
def test_no_limit_of_memory(data: bytes, why: str) -> None:
    assert parse_memory_limit(data) is None, why
    assert parse_memory_limit(b"8796093022208\n") == 8796093022208, "8 TiB are a limit"


def test_pressure() -> None:
    name = "users_slice_pressure_seconds_total"
    some, full = (name, "io", "some"), (name, "io", "full")
    data = (PRESSURE % (1_500_000, 7)).encode()
    assert dict(parse_pressure(data, "io")) == {some: 1.5, full: 7e-6}
    only_some = data.splitlines(keepends=True)[0]
    assert dict(parse_pressure(only_some, "io")) == {some: 1.5}, "cpu before Linux 5.13"
    for bad in (b"\n", b"most avg10=0.00 total=1\n", b"some avg10=0.00\n", b"some total=-1\n"):
        assert values_of(lambda data: parse_pressure(data, "io"), bad) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_figures_or_damaged(data: bytes) -> None:
    for hierarchy in (VERSION_2, *VERSION_1):
        for file in hierarchy.files:
            for content in (data, b"some total=" + data, b"8:0 rbytes=" + data):
                try:
                    values = file.parse(content)
                except ValueError:
                    continue
                assert all(value >= 0 for _, value in values)


def test_only_names_that_systemd_writes_are_slices() -> None:
    names = ["user-0.slice", "user-1000.slice", "user-4294967294.slice"]
    others = [
        "user-.slice", "user-01000.slice", "user-x.slice", "user-1000-a.slice", "user--1.slice",
        "user-4294967295.slice", "user-99999999999.slice", "user-1000.slice.d", "cgroup.procs",
        "user-1000.slice\n", "user-\u0661.slice", 'user-1",x="2.slice', "user-\udcff.slice", "",
    ]  # fmt: skip
    assert parse_names([*others, *names]) == [0, 1000, 4294967294]


# Hosts


def test_all_of_version_2(run: Run) -> None:
    put(run.host, f"{V2}/user-1000.slice", FILES)
    assert shown(run) == WITH_LIMITS


def test_no_limit_is_no_sample(run: Run) -> None:
    put(run.host, f"{V2}/user-1000.slice", UNLIMITED)
    limits = {name for name in WITH_LIMITS if "limit" in name}
    assert set(shown(run)) == set(WITH_LIMITS) - limits


def test_a_controller_that_is_off_has_no_file(run: Run) -> None:
    """As on Debian 13, where systemd turns io on only for who asks for it."""
    files = {name: content for name, content in FILES.items() if not name.startswith("io.")}
    put(run.host, f"{V2}/user-1000.slice", files)
    assert set(shown(run)) == {name for name in WITH_LIMITS if "io_" not in name} - {
        name for name in WITH_LIMITS if 'resource="io"' in name
    }
    assert run.samples()['users_collector_success{collector="slices"}'] == 1


@pytest.mark.parametrize("cpu", ["cpu", "cpu,cpuacct"])
def test_version_1(run: Run, cpu: str) -> None:
    """Each controller has a tree of its own; version 2 beside them has the pressure."""
    top, below = "sys/fs/cgroup", "user.slice/user-1000.slice"
    memory = {"memory.usage_in_bytes": "4096\n", "memory.limit_in_bytes": "9223372036854771712\n"}
    put(run.host, f"{top}/memory/{below}", memory)
    limited = {**memory, "memory.limit_in_bytes": "8192\n"}
    put(run.host, f"{top}/memory/user.slice/user-1001.slice", limited)
    files = {
        "cpu.cfs_quota_us": "50000\n",
        "cpu.cfs_period_us": "100000\n",
        "cpu.stat": "nr_periods 9\nnr_throttled 3\nthrottled_time 2500000000\n",
    }
    put(run.host, f"{top}/{cpu}/{below}", files)
    if cpu != "cpu":
        os.symlink(cpu, run.host.path(f"{top}/cpu"))
    put(run.host, f"{top}/pids/{below}", {"pids.current": "3\n", "pids.max": "max\n"})
    blkio = {"blkio.throttle.io_service_bytes_recursive": "8:0 Read 512\n8:0 Write 0\nTotal 512\n"}
    put(run.host, f"{top}/blkio/{below}", blkio)
    put(run.host, f"{top}/unified/{below}", {"cpu.pressure": PRESSURE % (10**6, 0)})
    pressure = 'users_slice_pressure_seconds_total{kind="%s",resource="cpu",user="alice"}'
    assert shown(run) == {
        'users_slice_memory_bytes{user="alice"}': 4096,
        'users_slice_memory_bytes{user="bob"}': 4096,
        'users_slice_memory_limit_bytes{kind="max",user="bob"}': 8192,
        'users_slice_cpu_limit_cores{user="alice"}': 0.5,
        'users_slice_throttled_seconds_total{user="alice"}': 2.5,
        'users_slice_tasks{user="alice"}': 3,
        'users_slice_io_bytes_total{direction="read",user="alice"}': 512,
        'users_slice_io_bytes_total{direction="write",user="alice"}': 0,
        pressure % "some": 1,
        pressure % "full": 0,
    }


def test_a_host_without_slices(run: Run) -> None:
    samples = samples_of(run)
    assert samples['users_source_available{source="slices"}'] == 0
    assert samples['users_collector_success{collector="slices"}'] == 1
    assert found(run.host).by_user is None
    assert "users_slice_" not in run.output.read_text(), "not known is not none"


def test_who_does_not_ask_gets_none(run: Run) -> None:
    put(run.host, f"{V2}/user-1000.slice", FILES)
    run()
    assert not [name for name in run.samples() if "slice" in name]


# Faults


def test_what_is_not_understood_is_counted(run: Run) -> None:
    bad = {"memory.current": "lots\n", "cpu.max": "1\n", "io.stat": "8:0 rbytes=x\n"}
    put(run.host, f"{V2}/user-1000.slice", {**FILES, **bad})
    samples = samples_of(run)
    assert samples['users_records_unusable{reason="damaged",source="slices"}'] == 3
    assert samples['users_slice_tasks{user="alice"}'] == 42


def test_files_that_vanish_or_are_none(tmp_path: Path) -> None:
    """A slice ends while it is read; below another root anything may have such a name."""
    host = Host(str(tmp_path))
    put(host, f"{V2}/user-1000.slice", {"pids.current": "1\n"})
    os.mkdir(host.path(f"{V2}/user-1001.slice"))  # all of its files are gone
    host.write(f"{V2}/user-1002.slice", "a file\n")
    os.mkfifo(host.path(f"{V2}/user-1000.slice/memory.current"))  # not waited for
    os.mkdir(host.path(f"{V2}/user-1000.slice/memory.max"))
    result = found(host)
    assert result.by_user == {"1000": {TASKS: 1.0}}
    (report,) = result.reports.sources
    assert report.status == BROKEN
    assert report.unusable == (("damaged", 1),)
    assert sorted(report.faults) == [
        "slices: memory.max: is a directory",
        "slices: user-UID.slice: not a directory",
    ]


def test_links_lead_nowhere(tmp_path: Path) -> None:
    outside = Host(str(tmp_path / "outside"))
    put(outside, "user-1000.slice", FILES)
    host = Host(str(tmp_path / "host"))
    os.makedirs(host.path("sys/fs/cgroup"))
    os.symlink(outside.root, host.path(V2))
    assert found(host).by_user is None
    os.unlink(host.path(V2))
    os.makedirs(host.path(f"{V2}/user-1001.slice"))
    os.symlink(outside.path("user-1000.slice"), host.path(f"{V2}/user-1000.slice"))
    os.symlink(
        outside.path("user-1000.slice/pids.current"),
        host.path(f"{V2}/user-1001.slice/pids.current"),
    )
    result = found(host)
    assert result.by_user == {}
    assert result.reports.sources[0].status == BROKEN


def test_denied_without_a_word_on_whom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(str(tmp_path))
    put(host, f"{V2}/user-1000.slice", FILES)
    really = os.open

    def denied(path: str, flags: int, dir_fd: int | None = None) -> int:
        if path == "memory.current":
            raise PermissionError(13, "Permission denied")
        return really(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", denied)
    result = found(host)
    (report,) = result.reports.sources
    assert (report.status, report.faults) == (
        DENIED,
        ("slices: memory.current: permission denied",),
    )
    assert not result.reports.success
    assert result.by_user is not None
    assert MEMORY not in result.by_user["1000"]
    assert result.by_user["1000"][TASKS] == 42, "what can be read is known"


def test_no_pressure_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """psi=0 on the kernel's command line: the files are there and cannot be read."""
    host = Host(str(tmp_path))
    put(host, f"{V2}/user-1000.slice", FILES)
    really = os.open

    def refused(path: str, flags: int, dir_fd: int | None = None) -> int:
        if path.endswith(".pressure"):
            raise OSError(95, "Operation not supported")
        return really(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refused)
    result = found(host)
    assert result.reports.sources[0].status == OK
    assert result.by_user is not None
    assert len(result.by_user["1000"]) == 10


def test_not_all_in_time_is_none(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    put(host, f"{V2}/user-1000.slice", FILES)
    result = found(host, seconds=-1)
    assert result.by_user is None
    assert not result.reports.success


def test_many_devices(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    line = "8:%d rbytes=1 wbytes=2 rios=1 wios=2 dbytes=0 dios=0\n"
    put(host, f"{V2}/user-1000.slice", {"io.stat": "".join(line % n for n in range(500))})
    assert found(host).by_user == {"1000": {READ: 500.0, WRITTEN: 1000.0}}


# Bounds


def test_ten_thousand_slices(tmp_path: Path) -> None:
    """Read are root's and those with most memory; how many are not is told."""
    host = Host(str(tmp_path))
    put(host, f"{V2}/user-0.slice", {"memory.current": "1\n", "pids.current": "1\n"})
    for uid in range(1000, 11_000):
        host.write(f"{V2}/user-{uid}.slice/memory.current", f"{uid}\n")
    result = found(host)
    assert result.by_user is not None
    assert len(result.by_user) == 1_000
    assert result.by_user["0"] == {MEMORY: 1.0, TASKS: 1.0}
    assert min(int(user) for user in result.by_user if user != "0") == 10_000
    assert result.dropped == 9_001


def test_what_is_left_out_is_told(run: Run) -> None:
    for uid in range(1000, 2001):
        run.host.write(f"{V2}/user-{uid}.slice/pids.current", f"{uid}\n")
    samples = samples_of(run)
    assert samples['users_series_dropped{family="users_slice_memory_bytes"}'] == 1
    assert sum(name.startswith("users_slice_tasks{") for name in samples) == 1_000


def test_of_two_uids_with_one_name_the_lower_counts(run: Run) -> None:
    for uid in (1000, 1007):
        put(run.host, f"{V2}/user-{uid}.slice", {"pids.current": f"{uid}\n"})
        run.host.process(uid, "bash", uid=uid)
    run.host.write("etc/passwd", PASSWD + "alice:x:1007:100::/:/bin/sh\n")
    assert run("--collectors", "+slices")[0] == 0
    assert run.samples()['users_slice_tasks{user="alice"}'] == 1000


# Privacy


def test_sums_are_those_of_the_slice_of_all_users(run: Run) -> None:
    """A sum of slices that come and go would be no counter: the kernel adds up as they end."""
    put(run.host, f"{V2}/user-1000.slice", FILES)
    put(run.host, V2, {**UNLIMITED, "pids.current": "77\n"})
    samples = shown(run, "--aggregate-only")
    assert samples['users_slice_tasks{user=""}'] == 77
    assert {name.rpartition("user=")[2] for name in samples} == {'""}'}


def test_an_excluded_user_is_not_shown(run: Run) -> None:
    for uid in (1000, 1001):
        put(run.host, f"{V2}/user-{uid}.slice", {"pids.current": "1\n"})
    assert set(shown(run, "--exclude-user", "b*")) == {'users_slice_tasks{user="alice"}'}


# --collectors


@pytest.mark.parametrize(
    ("text", "expected", "why"),
    [
        ("slices", ("slices",), "alone"),
        ("sessions,slices", ("sessions", "slices"), "with others"),
        ("+slices", (*Wanted().collectors, "slices"), "added to the default"),
        ("+slices,+slices", (*Wanted().collectors, "slices"), "twice"),
        ("+sessions", Wanted().collectors, "one that the default has"),
        ("+slices,auth", None, "with and without +"),
        ("auth,+slices", None, "with and without +"),
        ("+", None, "no name"),
        ("+slice", None, "no such collector"),
        ("", None, "nothing"),
        ("++slices", None, "one + too many"),
    ],
)
def test_collectors(text: str, expected: tuple[str, ...] | None, why: str) -> None:
    values = parse_plain(["--collectors", text], COLLECT_OPTIONS)
    assert (values and values.collectors) == expected, why


def test_a_root_without_the_directory_is_absent(tmp_path: Path) -> None:
    (report,) = found(Host(str(tmp_path))).reports.sources
    assert (report.status, report.faults) == (ABSENT, ())
