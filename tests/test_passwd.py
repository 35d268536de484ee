"""passwd is read as libc reads it; what is no account costs only its own line."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import Host
from textfile_users.paths import Paths
from textfile_users.sources.passwd import MAX_BYTES, parse_passwd, read_passwd

ROOT = b"root:x:0:0:root:/root:/bin/bash\n"


@pytest.mark.parametrize(
    ("line", "expected", "why"),
    [
        (b"alice:x:1000:1000:Alice,,,:/home/alice:/bin/sh", {1000: "alice"}, "an account"),
        (b"alice:x:1000:1000::/home/alice:", {1000: "alice"}, "empty fields"),
        (b"alice:x:1000:1000", {1000: "alice"}, "an old line without the rest"),
        (b"j\xfcrgen:x:1001:1::/:", {1001: "j\\xfcrgen"}, "Latin-1"),
        ("jürgen:x:1001:1::/:".encode(), {1001: "jürgen"}, "UTF-8"),
        (b"EXAMPLE\\bob:x:70000:1::/:", {70000: "EXAMPLE\\bob"}, "a domain's name"),
        (b"toor:x:0:0::/:", {}, "of two names of one uid the first counts"),
        (b"max:x:4294967294:1::/:", {4294967294: "max"}, "the greatest uid"),
        (b"none:x:4294967295:1::/:", {}, "-1 is no uid"),
        (b"huge:x:99999999999999999999:1::/:", {}, "no uid has as many digits"),
        (b"neg:x:-5:1::/:", {}, "a uid has no sign"),
        (b"arabic:x:\xd9\xa1:1::/:", {}, "digits of another script"),
        (b"empty:x::1::/:", {}, "no uid"),
        (b":x:5:5::/:", {}, "no name"),
        (b"+::::::", {}, "NIS"),
        (b"+bob:x:5:5::/:", {}, "NIS, one user"),
        (b"-bob:x:5:5::/:", {}, "NIS, but for one user"),
        (b"#bob:x:5:5::/:", {}, "a comment"),
        (b"bob\0:x:5:5::/:", {}, "bytes of a crash"),
        (b"bob:x:5", {}, "cut short"),
        (b"", {}, "an empty line"),
    ],
)
def test_each_line_stands_alone(line: bytes, expected: dict[int, str], why: str) -> None:
    for data in (ROOT + line, ROOT + line + b"\n", ROOT + line + b"\n\n" + ROOT):
        assert parse_passwd(data).by_uid == {0: "root", **expected}


def test_all_names_of_a_uid_are_names() -> None:
    found = parse_passwd(ROOT + b"toor:x:0:0::/:\n+@admins::::::\n")
    assert found.names == {"root", "toor"}


@given(st.binary())
def test_any_bytes_are_no_fault(data: bytes) -> None:
    found = parse_passwd(data)
    assert set(found.by_uid.values()) <= found.names


def test_it_is_read_below_the_root(tmp_path: Path) -> None:
    Host(str(tmp_path)).write("etc/passwd", ROOT)
    assert read_passwd(Paths(str(tmp_path))).by_uid == {0: "root"}


def test_a_link_out_of_another_root_is_refused(tmp_path: Path) -> None:
    host = Host(str(tmp_path / "root"))
    host.write("etc/hosts", "")
    (tmp_path / "passwd").write_bytes(ROOT)
    (tmp_path / "root/etc/passwd").symlink_to(tmp_path / "passwd")
    with pytest.raises(OSError, match="leads out of the root"):
        read_passwd(Paths(host.root))


def test_one_that_is_too_long_is_refused(tmp_path: Path) -> None:
    Host(str(tmp_path)).write("etc/passwd", b"\n" * (MAX_BYTES + 1))
    with pytest.raises(OSError, match="longer than") as caught:
        read_passwd(Paths(str(tmp_path)))
    assert caught.value.errno == errno.EFBIG
