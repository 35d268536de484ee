"""passwd is read as libc reads it; what is no account costs only its own line."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import Host
from textfile_users.accounts.passwd import (
    MAX_BYTES,
    MAX_REAL_NAME,
    PasswdEntry,
    find_entries,
    parse_passwd,
    read_passwd,
    real_name,
)
from textfile_users.paths import Paths

ROOT = b"root:x:0:0:root:/root:/bin/bash\n"


def check(line: bytes, expected: dict[int, str], why: str) -> None:
    for data in (ROOT + line, ROOT + line + b"\n", ROOT + line + b"\n\n" + ROOT):
        assert parse_passwd(data).by_uid == {0: "root", **expected}, why


@pytest.mark.parametrize(
    ("line", "expected", "why"),
    [
        (b"alice:x:1000:1000:Alice,,,:/home/alice:/bin/sh", {1000: "alice"}, "an account"),
        (b"alice:x:1000:1000::/home/alice:", {1000: "alice"}, "empty fields"),
        (b"alice:x:1000:1000", {1000: "alice"}, "an old line without the rest"),
        (b"j\xfcrgen:x:1001:1::/:", {1001: "j\\xfcrgen"}, "Latin-1"),
        ("jürgen:x:1001:1::/:".encode(), {1001: "jürgen"}, "UTF-8"),
        (b"EXAMPLE\\bob:x:70000:1::/:", {70000: "EXAMPLE\\bob"}, "a domain's name"),
        (b"max:x:4294967294:1::/:", {4294967294: "max"}, "the greatest uid"),
    ],
)
def test_each_line_stands_alone(line: bytes, expected: dict[int, str], why: str) -> None:
    check(line, expected, why)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"toor:x:0:0::/:", "of two names of one uid the first counts"),
        (b"none:x:4294967295:1::/:", "-1 is no uid"),
        (b"huge:x:99999999999999999999:1::/:", "no uid has as many digits"),
        (b"neg:x:-5:1::/:", "a uid has no sign"),
        (b"arabic:x:\xd9\xa1:1::/:", "digits of another script"),
        (b"empty:x::1::/:", "no uid"),
        (b":x:5:5::/:", "no name"),
        (b"+::::::", "NIS"),
        (b"+bob:x:5:5::/:", "NIS, one user"),
        (b"-bob:x:5:5::/:", "NIS, but for one user"),
        (b"#bob:x:5:5::/:", "a comment"),
        (b"bob\0:x:5:5::/:", "bytes of a crash"),
        (b"bob:x:5", "cut short"),
        (b"n" * 257 + b":x:5:5::/:", "no name is as long"),
        (b"", "an empty line"),
    ],
)
def test_what_is_no_account(line: bytes, why: str) -> None:
    check(line, {}, why)


def test_all_names_of_a_uid_are_names() -> None:
    found = parse_passwd(ROOT + b"toor:x:0:0::/:\n+@admins::::::\n")
    assert found.names == {"root", "toor"}


LINE = st.tuples(
    st.sampled_from([b"alice", b"bob", b"+bob", b"", b"j\xfcrgen"]),
    st.sampled_from([b"x", b""]),
    st.sampled_from([b"0", b"1000", b"1001", b"4294967295", b"x"]),
    st.sampled_from([b"0", b"100", b"", b"-1"]),
    st.binary(max_size=8).map(lambda data: data.replace(b"\n", b"")),
).map(b":".join)
FILES = st.one_of(st.binary(), st.lists(LINE).map(b"\n".join))


@given(FILES)
def test_any_bytes_are_no_fault(data: bytes) -> None:
    found = parse_passwd(data)
    assert set(found.by_uid.values()) <= found.names


@given(FILES)
def test_entries_are_those_of_the_accounts(data: bytes) -> None:
    accounts = parse_passwd(data)
    by_user, by_uid = find_entries(data, accounts.names, accounts.by_uid.keys())
    assert by_user.keys() == accounts.names
    assert {uid: entry.user for uid, entry in by_uid.items()} == accounts.by_uid
    assert find_entries(data, set(), set()) == ({}, {})


@pytest.mark.parametrize(
    ("line", "gid", "name", "why"),
    [
        (b"alice:x:1000:100:Alice Doe,Room 1,555,,x:/:/bin/sh", 100, "Alice Doe", "all fields"),
        (b"alice:x:1000:100:Alice Doe:/:/bin/sh", 100, "Alice Doe", "the first field alone"),
        (b"alice:x:1000:100:,Room 1:/:", 100, "", "no first field"),
        (b"alice:x:1000:100::/:", 100, "", "no comment"),
        (b"alice:x:1000:100", 100, "", "an old line without the rest"),
        (b"alice:x:1000:100:& Doe:/:", 100, "& Doe", "finger's & is not ours"),
        (b"alice:x:1000:100:J\xfcrgen:/:", 100, "J\\xfcrgen", "Latin-1"),
        (b"alice:x:1000:100:A\0lice:/:", 100, "A", "to the NUL, as in C"),
        (b"alice:x:1000:::/:", -1, "", "no group"),
        (b"alice:x:1000:4294967295::/:", -1, "", "-1 is no gid"),
    ],
)
def test_an_entry_has_group_and_real_name(line: bytes, gid: int, name: str, why: str) -> None:
    entry = PasswdEntry("alice", 1000, gid, name)
    for data in (line, ROOT + line + b"\nalice:x:1000:5:other:/:\n"):
        assert find_entries(data, {"alice", "bob"}, {1000}) == ({"alice": entry}, {1000: entry})


def test_a_user_and_a_uid_may_have_different_entries() -> None:
    """Two names of one uid: getpwuid(3) has the first one, getpwnam(3) each."""
    toor = b"toor:x:0:7:Toor:/:\n"
    by_user, by_uid = find_entries(ROOT + toor, {"toor"}, {0})
    assert by_user == {"toor": PasswdEntry("toor", 0, 7, "Toor")}
    assert by_uid == {0: PasswdEntry("root", 0, 0, "root")}


def test_a_real_name_is_bounded() -> None:
    assert real_name("ü".encode() * 10_000) == "ü" * MAX_REAL_NAME


def test_it_is_read_below_the_root(tmp_path: Path) -> None:
    Host(str(tmp_path)).write("etc/passwd", ROOT)
    assert read_passwd(Paths(str(tmp_path))).by_uid == {0: "root"}


def test_a_link_out_of_another_root_is_refused(tmp_path: Path) -> None:
    host = Host(str(tmp_path / "root"))
    host.write("etc/hosts", "")
    (tmp_path / "passwd").write_bytes(ROOT)
    (tmp_path / "root/etc/passwd").unlink(missing_ok=True)
    (tmp_path / "root/etc/passwd").symlink_to(tmp_path / "passwd")
    with pytest.raises(OSError, match="leads out of the root"):
        read_passwd(Paths(host.root))


def test_one_that_is_too_long_is_refused(tmp_path: Path) -> None:
    Host(str(tmp_path)).write("etc/passwd", b"\n" * (MAX_BYTES + 1))
    with pytest.raises(OSError, match="longer than") as caught:
        read_passwd(Paths(str(tmp_path)))
    assert caught.value.errno == errno.EFBIG
