"""Records of every layout are told apart and read; damage is skipped and counted."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import utmp as python_utmp
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import BOOT, Host, Record, pack, pack_all
from textfile_users.collecting import ABSENT, BROKEN, DENIED, OK
from textfile_users.paths import Paths
from textfile_users.sessions import utmp
from textfile_users.sessions.utmp import LAYOUTS, MAX_BYTES, parse_utmp, read_utmp

ALL_LAYOUTS = {
    "384 bytes, little-endian": (384, "little"),
    "400 bytes, little-endian": (400, "little"),
    "384 bytes, big-endian": (384, "big"),
    "400 bytes, big-endian": (400, "big"),
}

HOST = [
    Record(type=2, user="reboot", line="~", pid=0, time=BOOT, host="6.1.0-18-amd64", id="~~"),
    Record(type=6, user="LOGIN", line="tty1", pid=600, time=BOOT + 9, id="tty1"),
    Record(user="alice", line="pts/0", pid=1000, time=BOOT + 5000.25, host="192.0.2.7",
           ip="192.0.2.7", session=77),
    Record(user="bob", line="pts/1", pid=1100, host="client.example.org", ip="2001:db8::7"),
    Record(type=8, user="", line="pts/2", pid=1200, id="ts/2"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "layout"), ALL_LAYOUTS.items())
@pytest.mark.parametrize("count", [1, 3, 5, 100])
def test_every_layout_is_found_from_content_alone(
    name: str, layout: tuple[int, str], count: int
) -> None:
    records = (HOST[2:] + HOST * 20)[:count]
    found = parse_utmp(pack_all(records, *layout))
    assert found.layout == name
    assert (found.damaged, found.first_damaged, found.partial) == (0, -1, 0)
    expected = [(r.type, r.pid, r.line, r.user, r.host, r.ip, r.session, r.time) for r in records]
    assert [
        (r.type, r.pid, r.line, r.user, r.host, r.ip, r.session, r.time) for r in found.records
    ] == expected


@pytest.mark.parametrize(("name", "layout"), ALL_LAYOUTS.items())
@pytest.mark.parametrize(
    ("time", "why"),
    [
        (0, "a clock that was never set"),
        (2**31 - 1, "the last second of signed 32-bit time"),
        (2**32 - 1, "32-bit times are unsigned, so 2038 is no end"),
    ],
)
def test_no_time_rejects_a_record(name: str, layout: tuple[int, str], time: int, why: str) -> None:
    found = parse_utmp(pack_all([Record(time=time), Record(line="pts/1", time=time)], *layout))
    assert (found.layout, [r.time for r in found.records]) == (name, [time, time])


@pytest.mark.parametrize("name", ALL_LAYOUTS)
def test_a_length_that_divides_by_both_sizes_decides_nothing(name: str) -> None:
    """9,600 bytes are 25 records of 384 and 24 of 400."""
    size, order = ALL_LAYOUTS[name]
    records = [Record(line=f"pts/{n}", pid=1000 + n) for n in range(9600 // size)]
    data = pack_all(records, size, order)
    assert len(data) == 9600
    found = parse_utmp(data)
    assert (found.layout, len(found.records), found.damaged) == (name, len(records), 0)


@pytest.mark.parametrize("layout", ALL_LAYOUTS.values())
@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (b"\xff" * 400, "flash that was erased"),
        (bytes(range(7, 256)) * 2, "another file's bytes"),
        (b"root:x:0:0:root:/root:/bin/bash\n" * 13, "text"),
    ],
)
def test_damage_in_the_middle_costs_only_its_own_record(
    layout: tuple[int, str], damage: bytes, why: str
) -> None:
    size, order = layout
    records = [Record(line=f"pts/{n}", pid=1000 + n) for n in range(5)]
    data = bytearray(pack_all(records, size, order))
    data[2 * size : 3 * size] = damage[:size]
    found = parse_utmp(bytes(data))
    assert [r.line for r in found.records] == ["pts/0", "pts/1", "pts/3", "pts/4"]
    assert (found.damaged, found.first_damaged, found.partial) == (1, 2 * size, 0)


@pytest.mark.parametrize("layout", ALL_LAYOUTS.values())
@pytest.mark.parametrize("extra", [1, 100, 383])
def test_bytes_too_few_for_a_record_are_counted_once(layout: tuple[int, str], extra: int) -> None:
    records = [Record(line=f"pts/{n}") for n in range(3)]
    data = pack_all(records, *layout) + pack(Record(line="pts/9"), *layout)[:extra]
    found = parse_utmp(data)
    assert ([r.line for r in found.records], found.damaged, found.partial) == (
        ["pts/0", "pts/1", "pts/2"],
        0,
        1,
    )


@pytest.mark.parametrize(
    ("kind", "damaged"), [(0, 0), (1, 0), (9, 0), (10, 1), (-1, 1), (0x0700, 1)]
)
def test_an_unknown_type_is_damage(kind: int, damaged: int) -> None:
    data = pack_all([Record(), Record(), Record(type=kind), Record()])
    assert parse_utmp(data).damaged == damaged


def test_text_ends_at_the_first_nul_and_where_the_field_is_full() -> None:
    data = bytearray(pack(Record(user="u" * 32, line="pts/0", host="h" * 256)))
    data[8:40] = b"pts/0\0left over of an earlier one"[:32]
    (record,) = parse_utmp(bytes(data)).records
    assert (record.line, record.user, record.host) == ("pts/0", "u" * 32, "h" * 256)


def test_text_that_is_not_utf8_is_escaped() -> None:
    (record,) = parse_utmp(pack(Record(user="J\udcfcrgen", host="caf\udce9"))).records
    assert (record.user, record.host) == ("J\\xfcrgen", "caf\\xe9")


@pytest.mark.parametrize(
    ("ip", "expected"),
    [("", ""), ("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::1"),
     ("::ffff:192.0.2.9", "192.0.2.9")],
)  # fmt: skip
def test_addresses_are_in_network_order_in_every_layout(ip: str, expected: str) -> None:
    for size, order in ALL_LAYOUTS.values():
        records = parse_utmp(pack_all([Record(ip=ip), Record(ip=ip)], size, order)).records
        assert [record.ip for record in records] == [expected, expected]


@given(st.binary(max_size=2000))
def test_any_bytes_are_accounted_for(data: bytes) -> None:
    found = parse_utmp(data)
    size = LAYOUTS[found.layout].size
    assert len(found.records) + found.damaged == len(data) // size
    assert found.partial == bool(len(data) % size)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(
    st.lists(
        st.builds(
            Record,
            user=NAMES,
            line=st.sampled_from(["pts/0", "tty1", ":0", "pts/4711"]),
            pid=st.integers(0, 1 << 22),
            time=st.integers(0, 2**32 - 1),
            host=NAMES,
            type=st.integers(1, 9),
            id=st.just("ts/0"),
            ip=st.just(""),
            session=st.integers(0, 2**31 - 1),
        ),
        min_size=4,
        max_size=9,
    ),
    st.sampled_from(list(ALL_LAYOUTS.values())),
)
def test_what_is_packed_is_read_again(records: list[Record], layout: tuple[int, str]) -> None:
    found = parse_utmp(pack_all(records, *layout))
    assert [(r.user, r.line, r.pid, r.time, r.host, r.type) for r in found.records] == [
        (r.user, r.line, r.pid, r.time, r.host, r.type) for r in records
    ]


@pytest.mark.skipif(sys.byteorder != "little", reason="python-utmp reads this machine's order")
def test_python_utmp_agrees_on_its_own_layout() -> None:
    """Its definition of the record, its type numbers and its fields are the ones used here."""
    data = pack_all(HOST)
    assert python_utmp.reader.STRUCT.size == LAYOUTS["384 bytes, little-endian"].size
    assert python_utmp.UTmpRecordType.user_process.value == utmp.USER_PROCESS
    assert python_utmp.UTmpRecordType.empty.value == utmp.EMPTY
    assert max(kind.value for kind in python_utmp.UTmpRecordType) == utmp.LAST_TYPE
    theirs = [
        (r[0], r.pid, r.line, r.id, r.user, r.host, r.session, r.sec)
        for r in python_utmp.read(data)
    ]
    assert theirs == [
        (r.type, r.pid, r.line, r.id, r.user, r.host, r.session, int(r.time))
        for r in parse_utmp(data).records
    ]


def test_a_missing_file_is_absent_unless_it_was_named(tmp_path: Path) -> None:
    report = read_utmp(Paths(str(tmp_path)))[1]
    assert (report.status, report.faults) == (ABSENT, ())
    named = f"{tmp_path}/utmp"
    report = read_utmp(Paths(str(tmp_path), named))[1]
    assert (report.status, report.faults) == (BROKEN, (f"{named}: no such file or directory",))


def _directory(path: Path) -> None:
    path.mkdir()


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _random(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 9)


def _short(path: Path) -> None:
    path.write_bytes(pack(Record())[:300])


def _huge(path: Path) -> None:
    path.touch()
    os.truncate(path, MAX_BYTES + 1)


def _link_among_others(path: Path) -> None:
    target = path.with_name("target")
    target.write_bytes(pack(Record()))
    path.symlink_to(target)
    path.parent.chmod(0o1777)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (_directory, "is a directory, not a file"),
        (_fifo, "is not a regular file"),
        (_random, "records skipped: 5 damaged, the first at byte 0"),
        (_short, "records skipped: the last one cut short"),
        (_huge, f"longer than {MAX_BYTES} bytes"),
        (_link_among_others, "is a link in a directory where others can write"),
    ],
)
def test_what_is_no_utmp_is_said_in_one_line(
    tmp_path: Path, make: Callable[[Path], None], fault: str
) -> None:
    path = tmp_path / "utmp"
    make(path)
    records, report = read_utmp(Paths("/", str(path)))
    assert (records, report.status, len(report.faults)) == ((), BROKEN, 1)
    assert report.faults[0].startswith(f"{path}: {fault}")
    assert "\n" not in report.faults[0]


def test_a_link_of_its_owner_alone_is_followed(tmp_path: Path) -> None:
    _link_among_others(tmp_path / "utmp")
    tmp_path.chmod(0o755)
    assert len(read_utmp(Paths("/", str(tmp_path / "utmp")))[0]) == 1


def test_no_permission_is_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    path = tmp_path / "utmp"
    path.write_bytes(pack(Record()))
    monkeypatch.setattr(os, "open", refuse)
    report = read_utmp(Paths("/", str(path)))[1]
    assert (report.status, report.faults) == (DENIED, (f"{path}: permission denied",))


def test_an_empty_file_says_that_nobody_is_there(tmp_path: Path) -> None:
    (tmp_path / "utmp").touch()
    records, report = read_utmp(Paths("/", str(tmp_path / "utmp")))
    assert (records, report.status, report.faults) == ((), OK, ())


def test_old_hosts_have_it_below_var(tmp_path: Path) -> None:
    Host(str(tmp_path)).write("var/run/utmp", pack(Record()))
    assert len(read_utmp(Paths(str(tmp_path)))[0]) == 1


@pytest.mark.parametrize("link", ["run/utmp", "run", "var/run"])
def test_links_do_not_lead_out_of_another_root(tmp_path: Path, link: str) -> None:
    """The owner of a container must not make us read another host's files."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "utmp").write_bytes(pack(Record()))
    path = tmp_path / "root" / link
    path.parent.mkdir(parents=True)
    path.symlink_to(outside / "utmp" if link == "run/utmp" else outside)
    records, report = read_utmp(Paths(str(tmp_path / "root")))
    assert records == ()
    if link != "var/run":
        assert report.faults == (f"{tmp_path}/root/run/utmp: leads out of the root",)


def test_a_file_that_is_replaced_by_a_fifo_while_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "utmp"
    path.write_bytes(pack(Record()))
    real = os.open

    def replace(name: str, flags: int) -> int:
        os.unlink(name)
        os.mkfifo(name)
        return real(name, flags)

    monkeypatch.setattr(os, "open", replace)
    report = read_utmp(Paths("/", str(path)))[1]
    assert report.faults == (f"{path}: is not a regular file",)
