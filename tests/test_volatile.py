"""What one look tells the next: exact, bounded, and never more than a convenience."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textfile_users.accounts import Answer, Known, Pause
from textfile_users.connections import Connection
from textfile_users.kept import NO_NETWORK, Kept, Network
from textfile_users.model import Session
from textfile_users.usage import Usage
from textfile_users.volatile import (
    FILE_NAME,
    HOUR,
    MAX_RECENT,
    NOTHING,
    Volatile,
    format_volatile,
    load,
    parse_volatile,
    remember_faults,
    remember_sessions,
    save,
)

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)
TIME = st.floats(allow_nan=False, allow_infinity=False)
NUMBER = st.integers(-1, 2**40)
SECONDS = st.dictionaries(NUMBER, TIME, max_size=3)
ANSWERS = st.lists(
    st.builds(Answer, TEXT, TEXT, TEXT, NUMBER, NUMBER, TEXT, st.booleans(), TIME), max_size=3
).map(lambda answers: {answer.question: answer for answer in answers})
KEPT = st.builds(
    Kept,
    st.tuples(TEXT, TIME),
    SECONDS.map(Usage)
    | st.builds(
        Usage,
        SECONDS,
        SECONDS,
        st.dictionaries(st.tuples(NUMBER, NUMBER), TIME, max_size=3),
        NUMBER,
    ),
    st.dictionaries(st.tuples(NUMBER, NUMBER), st.tuples(TEXT, NUMBER, NUMBER, NUMBER), max_size=3),
    st.builds(Known, ANSWERS, TEXT, st.builds(Pause, TEXT, TEXT, TIME, TIME)),
    st.builds(
        Network,
        st.just("1 2 3"),
        TIME,
        st.lists(
            st.builds(Connection, TEXT, TEXT, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER), max_size=3
        ).map(tuple),
    )
    | st.just(NO_NETWORK),
    TIME,
    st.dictionaries(st.tuples(TEXT, NUMBER, TIME), TEXT, max_size=3),
)
VOLATILES = st.builds(
    Volatile,
    st.none() | st.dictionaries(st.tuples(*[TEXT] * 6), TIME, max_size=4),
    st.dictionaries(st.tuples(TEXT, TEXT), TIME, max_size=4),
    st.dictionaries(st.tuples(*[TEXT] * 4), TIME, max_size=4),
    st.dictionaries(TEXT, TIME, max_size=4),
    KEPT,
)


def session(ident: str, user: str = "alice", type_: str = "ssh", start: float = 5.0) -> Session:
    return Session(ident, user, f"pts/{ident}", type_, "sshd", "", "", "", start, 1)


@given(VOLATILES)
def test_what_is_written_is_read_again(volatile: Volatile) -> None:
    assert parse_volatile(format_volatile(volatile, "boot"), "boot") == volatile


@given(VOLATILES)
def test_of_another_boot_nothing_is_believed(volatile: Volatile) -> None:
    assert parse_volatile(format_volatile(volatile, "boot"), "next") == NOTHING


@given(VOLATILES, st.data())
def test_a_file_cut_short_is_refused(volatile: Volatile, data: st.DataObject) -> None:
    whole = format_volatile(volatile, "boot")
    length = data.draw(st.integers(0, len(whole) - 2))
    with pytest.raises(ValueError):
        parse_volatile(whole[:length], "boot")


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_without_harm(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_volatile(data, "boot")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 500,
        b"textfile-users volatile,2,boot\nend\n",
        b"textfile-users volatile,1,boot\nsession,1,2\nend\n",
        b"textfile-users volatile,1,boot\nended,a,ssh,x\nend\n",
        b"textfile-users volatile,1,boot\nsaid\nend\n",
        b"textfile-users volatile,1,boot\n\nend\n",
    ],
)
def test_other_versions_and_nonsense_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        parse_volatile(content, "boot")


def test_files(tmp_path: Path) -> None:
    assert load(str(tmp_path), "boot") == NOTHING
    volatile = remember_sessions(NOTHING, (session("1"),), 100.0)
    before = os.umask(0)
    try:
        save(str(tmp_path), volatile, "boot")
    finally:
        os.umask(before)
    assert load(str(tmp_path), "boot") == volatile
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_a_further_look_takes_what_is_saved_unless_somebody_wrote_since(tmp_path: Path) -> None:
    first, second = (remember_sessions(NOTHING, (session(id_),), 100.0) for id_ in "12")
    save(str(tmp_path), first, "boot")
    assert load(str(tmp_path), "boot") is first, "no need to parse"
    assert load(str(tmp_path), "other boot") == NOTHING
    (tmp_path / FILE_NAME).write_bytes(format_volatile(second, "boot"))
    assert load(str(tmp_path), "boot") == second
    (tmp_path / FILE_NAME).unlink()
    assert load(str(tmp_path), "boot") == NOTHING


def test_ended_sessions_are_remembered_for_an_hour() -> None:
    both = remember_sessions(NOTHING, (session("1"), session("2", "bob", "tty")), 100.0)
    one = remember_sessions(both, (session("1"),), 105.0)
    assert one.ended == {("bob", "tty"): 105.0}
    assert remember_sessions(one, (session("1"),), 105.0 + HOUR - 1).ended == one.ended
    assert remember_sessions(one, (session("1"),), 105.0 + HOUR).ended == {}
    again = remember_sessions(one, (session("1"), session("3", "bob", "tty")), 110.0)
    assert again.ended == {}


def test_a_clock_set_back_keeps_no_zero_for_ever() -> None:
    one = remember_sessions(remember_sessions(NOTHING, (session("1"),), 1e9), (), 1e9)
    assert one.ended == {("alice", "ssh"): 1e9}
    assert remember_sessions(one, (), 1e9 - 1).ended == {}


def test_what_is_not_known_ends_nothing() -> None:
    one = remember_sessions(NOTHING, (session("1"),), 100.0)
    assert remember_sessions(one, None, 105.0) == one


def test_the_newest_of_too_many_are_kept() -> None:
    many = tuple(session(str(n), f"user{n}") for n in range(MAX_RECENT + 5))
    remembered = remember_sessions(remember_sessions(NOTHING, many[5:], 1.0), many[:5], 2.0)
    remembered = remember_sessions(remembered, (), 3.0)
    assert len(remembered.ended) == MAX_RECENT
    assert ("user0", "ssh") in remembered.ended


def test_a_fault_is_said_once_and_then_once_an_hour() -> None:
    state, due = remember_faults(NOTHING, ("a", "b", "a"), 0.0)
    assert due == ("a", "b")
    state, due = remember_faults(state, ("a", "c"), 5.0)
    assert due == ("c",)
    state, due = remember_faults(state, ("a", "b"), 10.0)
    assert due == ("b",), "it had gone in between"
    state, due = remember_faults(state, ("a",), HOUR)
    assert due == ("a",)
    state, due = remember_faults(state, ("a",), HOUR - 10)
    assert due == ("a",), "a clock set back"
