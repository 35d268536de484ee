"""Whose an id is, for how long that holds, and which accounts are shown."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import Host
from textfile_users.accounts import nss
from textfile_users.accounts.account import (
    FIRST_PAUSE,
    FOUND_SECONDS,
    GID,
    LONGEST_PAUSE,
    MAX_ANSWERS,
    MAX_IDS,
    MISSING_SECONDS,
    NO_PAUSE,
    NOTHING,
    UID,
    USER,
    Account,
    Answer,
    Known,
    Pause,
    accounts_of,
    due,
    forget,
    learn,
    name_of,
    nobody,
    pause_after,
    questions,
    shown_uids,
)
from textfile_users.accounts.collect_accounts import look_up
from textfile_users.collecting import ABSENT, BROKEN, OK
from textfile_users.memory import record_of
from textfile_users.paths import Paths
from textfile_users.reading.files import read_regular
from textfile_users.reading.json_text import dumps, loads

NOW = 1_765_000_000.0
PASSWD = """root:x:0:0:root:/root:/bin/sh
toor:x:0:0:Toor:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/sh
alice:x:1000:1000:Alice Doe,,,:/home/alice:/bin/sh
bob:x:1001:100:& Builder:/home/bob:/bin/sh
"""
GROUP = "root:x:0:\ndaemon:x:1:\nusers:x:100:alice\nalice:x:1000:\n"


def user(name: str, uid: int = 5000, gid: int = 5001, time: float = NOW) -> Answer:
    return Answer(USER, name, name, uid, gid, name.title(), False, time)


def uid(number: int, name: str = "carol", gid: int = 5001, time: float = NOW) -> Answer:
    return Answer(UID, str(number), name, number, gid, name.title(), False, time)


def group(gid: int, name: str, time: float = NOW) -> Answer:
    return Answer(GID, str(gid), "", -1, gid, name, False, time)


def known(*answers: Answer, pause: Pause = NO_PAUSE) -> Known:
    return Known({answer.question: answer for answer in answers}, "", pause)


# What is asked, and when.


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ([""], "no name"),
        (["a\0b"], "no name of C's holds a NUL"),
        (["n" * 257], "longer than any name"),
    ],
)
def test_what_cannot_be_a_user_is_not_asked(names: list[str], why: str) -> None:
    assert questions(names, []) == []


def test_what_cannot_be_a_uid_is_not_asked() -> None:
    assert questions([], [-1, (1 << 32) - 1]) == []


def test_a_look_asks_for_a_bounded_number() -> None:
    wanted = questions([f"u{n}" for n in range(5_000)], range(5_000))
    assert [sum(kind == k for kind, _ in wanted) for k in (USER, UID)] == [MAX_IDS, MAX_IDS]
    assert len(due(NOTHING, wanted, NOW)) == MAX_IDS


@pytest.mark.parametrize(
    ("answer", "age", "expected", "why"),
    [
        (uid(5000, gid=-1), FOUND_SECONDS - 1, False, "found within the hour"),
        (uid(5000, gid=-1), FOUND_SECONDS, True, "found an hour ago"),
        (nobody((UID, "5000"), NOW), MISSING_SECONDS - 1, False, "missing within ten minutes"),
        (nobody((UID, "5000"), NOW), MISSING_SECONDS, True, "missing ten minutes ago"),
        (nobody((UID, "5000"), 0.0), 0, True, "nobody was asked yet"),
        (uid(5000, gid=-1), -1, True, "the clock was set back"),
        (uid(5000, gid=-1)._replace(in_file=True), 10 * FOUND_SECONDS, False, "passwd has it"),
    ],
)
def test_an_answer_holds_for_some_time(
    answer: Answer, age: float, expected: bool, why: str
) -> None:
    asked = due(known(answer), [(UID, "5000")], NOW + age)
    assert asked == ([(UID, "5000")] if expected else [])


def test_new_ids_are_asked_first_and_what_hung_last() -> None:
    old = NOW - FOUND_SECONDS
    before = known(user("old", time=old), uid(5000, time=NOW), pause=Pause(USER, "bad", 60.0, old))
    wanted = questions(["bad", "new", "old"], [5000, 5002])
    assert due(before, wanted, NOW) == [
        (USER, "new"),
        (UID, "5002"),
        (GID, "5001"),  # of an account that is known
        (USER, "old"),
        (USER, "bad"),
    ]


@pytest.mark.parametrize(
    ("age", "is_asked"), [(0.0, False), (59.9, False), (60.0, True), (-1.0, True)]
)
def test_in_a_pause_nothing_is_asked(age: float, is_asked: bool) -> None:
    before = known(pause=Pause(UID, "7", FIRST_PAUSE, NOW))
    assert bool(due(before, [(UID, "5000")], NOW + age)) == is_asked


def test_the_pause_doubles_up_to_an_hour_and_ends_with_an_answer() -> None:
    pause = NO_PAUSE
    seconds = []
    for _ in range(8):
        pause = pause_after(pause, (UID, "7"), NOW)
        seconds.append(pause.seconds)
    assert seconds == [60, 120, 240, 480, 960, 1920, LONGEST_PAUSE, LONGEST_PAUSE]
    assert pause == Pause(UID, "7", LONGEST_PAUSE, NOW)
    assert pause_after(pause, None, NOW) == NO_PAUSE


# What is learned and forgotten.


def test_what_is_found_replaces_what_was() -> None:
    before = known(user("alice", uid=1), nobody((USER, "bob"), NOW))
    after = learn(before, [user("alice", uid=2), user("bob", uid=3)])
    assert [answer.uid for answer in after.answers.values()] == [2, 3]


def test_an_account_that_is_no_longer_found_stays_and_is_asked_for_again() -> None:
    """libc does not say whether it is gone or its server is down."""
    later = NOW + FOUND_SECONDS
    after = learn(known(user("alice", gid=-1)), [nobody((USER, "alice"), later)])
    assert after.answers[USER, "alice"].user == "alice"
    wanted = [(USER, "alice")]
    assert due(after, wanted, later + MISSING_SECONDS - 1) == []
    assert due(after, wanted, later + MISSING_SECONDS) == wanted


def test_forgotten_is_what_is_neither_wanted_nor_young() -> None:
    old = NOW - FOUND_SECONDS
    answers = (
        user("wanted", gid=7, time=old),
        group(7, "its group", time=old),
        user("young", gid=8),
        user("old", gid=9, time=old),
        group(9, "old", time=old),
        nobody((UID, "1"), NOW - MISSING_SECONDS),
    )
    after = forget(known(*answers), [(USER, "wanted")], NOW)
    assert list(after.answers.values()) == list(answers[:3])


def test_of_too_many_the_wanted_and_the_newest_are_kept() -> None:
    first = user("user0", gid=-1, time=NOW - 50)
    others = [user(f"user{n}", gid=-1, time=NOW - 40 + n / 1e6) for n in range(1, MAX_ANSWERS + 10)]
    after = forget(known(first, *others), [(USER, "user0")], NOW)
    assert len(after.answers) == MAX_ANSWERS
    assert {(USER, "user0"), others[-1].question} <= after.answers.keys()
    assert others[0].question not in after.answers


ANSWERS = st.lists(
    st.builds(
        Answer,
        st.sampled_from([USER, UID, GID]),
        st.sampled_from(["1", "2", "3"]),
        st.sampled_from(["", "alice"]),
        st.integers(-1, 3),
        st.integers(-1, 3),
        st.sampled_from(["", "x"]),
        st.just(False),
        st.floats(0, 2 * NOW),
    )
)


@given(ANSWERS, st.floats(0, 2 * NOW))
def test_no_memory_makes_a_look_ask_twice_or_forget_what_it_wants(
    answers: list[Answer], now: float
) -> None:
    before = known(*answers)
    wanted = questions(["1", "2"], [1, 2])
    asked = due(before, wanted, now)
    assert len(asked) == len(set(asked))
    after = forget(learn(before, [nobody(question, now) for question in asked]), wanted, now)
    assert set(wanted) <= after.answers.keys()
    for question, answer in before.answers.items():
        if answer.is_found and question in asked:
            assert after.answers[question].user == answer.user
    # But for groups of accounts all is answered now.
    assert [kind for kind, _ in due(after, wanted, now) if kind != GID] == []


@given(ANSWERS)
def test_answers_are_lists_and_back(answers: list[Answer]) -> None:
    lists: Any = loads(dumps(answers))
    assert [record_of(Answer, values) for values in lists] == answers


# What is shown.


@pytest.mark.parametrize(
    ("users", "uids", "expected", "why"),
    [
        (["alice"], [1000], [("alice", 1000, "alice", "Alice Doe")], "session and processes"),
        (["alice"], [], [("alice", 1000, "alice", "Alice Doe")], "a session alone"),
        ([], [1001], [("bob", 1001, "users", "& Builder")], "processes alone"),
        ([], [5000], [("5000", 5000, "", "")], "a uid without an account"),
        (["ghost"], [], [], "nothing is known of a name without an account"),
        ([], [0], [("root", 0, "root", "root")], "of two names the first"),
        (["toor"], [0], [("toor", 0, "root", "Toor")], "of two names the one with a session"),
        (
            ["root", "toor"],
            [0],
            [("root", 0, "root", "root"), ("toor", 0, "root", "Toor")],
            "both have a session",
        ),
        (
            ["bob"],
            [1, 0],
            [
                ("root", 0, "root", "root"),
                ("daemon", 1, "daemon", "daemon"),
                ("bob", 1001, "users", "& Builder"),
            ],
            "in order of uid",
        ),
    ],
)
def test_accounts(
    tmp_path: Path,
    users: list[str],
    uids: list[int],
    expected: list[tuple[str, int, str, str]],
    why: str,
) -> None:
    host = Host(str(tmp_path))
    host.write("etc/passwd", PASSWD)
    host.write("etc/group", GROUP)
    after, _ = look_up(Paths(host.root), questions(users, uids), NOTHING, NOW, 0.0)
    assert list(accounts_of(users, uids, after)) == [Account(*fields) for fields in expected]


def test_an_account_that_only_nss_has() -> None:
    answers = known(user("carol"), group(5001, "domain users"))
    assert accounts_of(["carol"], [5000], answers) == (
        Account("carol", 5000, "domain users", "Carol"),
    )
    assert accounts_of([], [5000], known(uid(5000))) == (Account("carol", 5000, "", "Carol"),)


def test_an_account_has_the_name_of_its_session() -> None:
    """A source that does not tell upper from lower case may write it otherwise."""
    answers = known(user("carol")._replace(key="CAROL"))
    assert accounts_of(["CAROL"], [], answers) == (Account("CAROL", 5000, "", "Carol"),)


def test_a_uid_without_an_account_is_its_number() -> None:
    answers = known(uid(5000), nobody((UID, "5001"), NOW))
    assert [name_of(number, answers) for number in (5000, 5001, 5002)] == ["carol", "5001", "5002"]


def test_shown_are_people_and_whoever_has_a_session() -> None:
    answers = known(user("root", uid=0), user("carol"))
    uids = {0, 1, 999, 1000, 5000}
    assert shown_uids(["carol"], uids, answers) == {1000, 5000}
    assert shown_uids(["root", "ghost"], uids, answers) == {0, 1000, 5000}
    assert shown_uids([], uids, answers, all_users=True) == uids


# Files, remembered as long as they do not change.


class Looks:
    """Looks at a host below a root; `reads` are the files that the last one read."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host = Host(str(root))
        self.host.write("etc/passwd", PASSWD)
        self.host.write("etc/group", GROUP)
        self.known = NOTHING
        self.reads: list[str] = []

        def read(path: str, limit: int) -> bytes:
            self.reads.append(os.path.basename(path))
            return read_regular(path, limit)

        monkeypatch.setattr("textfile_users.accounts.collect_accounts.read_regular", read)

    def look(self, users: list[str], uids: list[int], now: float = NOW) -> list[str]:
        """Scan once and return the users of the accounts."""
        self.reads.clear()
        paths = Paths(self.host.root)
        self.known, self.report = look_up(paths, questions(users, uids), self.known, now, 0.0)
        return [account.user for account in accounts_of(users, uids, self.known)]


@pytest.fixture
def looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(tmp_path, monkeypatch)


def test_files_are_read_once(looks: Looks) -> None:
    assert looks.look(["alice", "ghost"], [1000, 1001, 5000]) == ["alice", "bob", "5000"]
    assert looks.reads == ["passwd", "group"]
    before = looks.known
    for later in (5, 10 * FOUND_SECONDS):
        assert looks.look(["alice", "ghost"], [1000, 1001, 5000], NOW + later)
        assert looks.reads == []
        assert looks.known == before


def test_files_are_read_for_a_new_id(looks: Looks) -> None:
    looks.look(["alice"], [1000])
    assert looks.look(["alice"], [1000, 1001]) == ["alice", "bob"]
    assert looks.reads == ["passwd", "group"]


@pytest.mark.parametrize("name", ["passwd", "group"])
def test_files_are_read_when_one_changed(looks: Looks, name: str) -> None:
    path = looks.host.path(f"etc/{name}")
    looks.look(["alice"], [1000])
    status = os.stat(path)
    time.sleep(0.02)  # a tick of the file system's clock
    with open(path, "r+") as file:
        content = file.read()
        file.seek(0)
        file.write(content.replace("lice:x:1000:", "lica:x:1000:"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as rsync -t does
    users = looks.look([], [1000])
    assert looks.reads == ["passwd", "group"]
    (account,) = accounts_of([], [1000], looks.known)
    assert (users, account.group) == (
        (["alica"], "alice") if name == "passwd" else (["alice"], "alica")
    )


def test_a_user_that_is_removed_is_no_longer_known(looks: Looks) -> None:
    looks.look(["bob"], [1001])
    os.rename(looks.host.write("etc/new", "root:x:0:0::/:\n"), looks.host.path("etc/passwd"))
    assert looks.look(["bob"], [1001]) == ["1001"]


def test_a_file_that_cannot_be_read_costs_only_what_is_new(looks: Looks) -> None:
    looks.look(["alice"], [1000])
    os.remove(looks.host.path("etc/passwd"))
    os.mkdir(looks.host.path("etc/passwd"))
    assert looks.look(["alice"], [1000, 1001]) == ["alice", "1001"]
    path = looks.host.path("etc/passwd")
    fault = f"accounts: {path}: is a directory, not a file"
    assert (looks.report.status, looks.report.faults) == (BROKEN, (fault,))
    os.rmdir(path)
    looks.host.write("etc/passwd", PASSWD)
    assert looks.look(["alice"], [1000, 1001]) == ["alice", "bob"]
    assert (looks.report.status, looks.report.faults) == (OK, ())


@pytest.mark.parametrize(("name", "status"), [("passwd", ABSENT), ("group", OK)])
def test_a_file_that_is_missing_is_no_fault(looks: Looks, name: str, status: str) -> None:
    os.remove(looks.host.path(f"etc/{name}"))
    looks.look(["alice"], [1000])
    assert (looks.report.status, looks.report.faults) == (status, ())


def test_a_link_out_of_another_root_is_refused(tmp_path: Path) -> None:
    host = Host(str(tmp_path / "root"))
    host.write("etc/group", GROUP)
    (tmp_path / "passwd").write_text(PASSWD)
    (tmp_path / "root/etc/passwd").unlink(missing_ok=True)
    (tmp_path / "root/etc/passwd").symlink_to(tmp_path / "passwd")
    _, report = look_up(Paths(host.root), questions(["root"], []), NOTHING, NOW, 0.0)
    assert report.status == BROKEN
    assert report.faults[0].endswith("leads out of the root")


def test_below_another_root_nss_is_neither_asked_nor_remembered(
    looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nss, "ask", lambda *_: pytest.fail("asked"))
    looks.known = known(uid(5000))
    assert looks.look([], [5000, 5001]) == ["5000", "5001"]


def test_another_host_is_not_taken_for_the_last_one(looks: Looks, tmp_path: Path) -> None:
    looks.look(["alice"], [1000])
    looks.host = Host(str(tmp_path / "other"))
    looks.host.write("etc/passwd", "eve:x:1000:1000::/:\n")
    assert looks.look([], [1000]) == ["eve"]
