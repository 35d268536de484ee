"""group is read as libc reads it; what is no group costs only its own line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textfile_users.accounts.passwd import find_groups

ROOT = b"root:x:0:\n"


def check(line: bytes, expected: dict[int, str], why: str) -> None:
    for data in (ROOT + line, ROOT + line + b"\n", ROOT + line + b"\n\nusers2:x:7:\n"):
        assert find_groups(data, {0, 100}) == {0: "root", **expected}, why


@pytest.mark.parametrize(
    ("line", "name", "why"),
    [
        (b"users:x:100:alice,bob", "users", "members"),
        (b"users:x:100:", "users", "no members"),
        (b"users:x:100", "users", "an old line without the rest"),
        (b"users:x:100:" + b"alice," * 10_000, "users", "a great many members"),
        (b"m\xfcll:x:100:", "m\\xfcll", "Latin-1"),
        (b"domain users:x:100:", "domain users", "a blank"),
    ],
)
def test_each_line_stands_alone(line: bytes, name: str, why: str) -> None:
    check(line, {100: name}, why)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"wheel:x:0:", "of two names of one gid the first counts"),
        (b"video:x:44:", "not asked for"),
        (b"users:x:4294967295:", "-1 is no gid"),
        (b"users:x:-1:", "a gid has no sign"),
        (b"users:x::", "no gid"),
        (b"users:100", "cut short"),
        (b":x:100:", "no name"),
        (b"+users:x:100:", "NIS"),
        (b"#users:x:100:", "a comment"),
        (b"us\0ers:x:100:", "bytes of a crash"),
        (b"n" * 257 + b":x:100:", "no name is as long"),
    ],
)
def test_what_is_no_group_that_is_asked_for(line: bytes, why: str) -> None:
    check(line, {}, why)


@given(st.binary(), st.sets(st.integers(0, 9)))
def test_any_bytes_are_no_fault(data: bytes, gids: set[int]) -> None:
    assert find_groups(data, gids).keys() <= gids
