"""NSS is asked in a child that may hang, crash or be slow; no child stays."""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textfile_users.accounts import nss, passwd
from textfile_users.accounts.account import (
    FOUND_SECONDS,
    GID,
    MAX_IDS,
    MISSING_SECONDS,
    NO_PAUSE,
    NOTHING,
    UID,
    USER,
    Answer,
    Known,
    Pause,
    accounts_of,
    nobody,
    questions,
)
from textfile_users.accounts.collect_accounts import HANGS, look_up
from textfile_users.accounts.nss import END, ask, parse_answers
from textfile_users.collecting import BROKEN, OK
from textfile_users.memory import record_of
from textfile_users.paths import Paths

NOW = 1_765_000_000.0
TIME = 20.0  # enough for any machine; nothing here waits for its end
HANGING_TIME = 1.0  # which is waited for; a busy machine needs a part of it to start the child
NOBODY = "no-such-user-of-a-test"
CAROL = Answer(USER, "carol", "carol", 70_001, 70_002, "Carol C", False, NOW)
STAFF = Answer(GID, "70002", "", -1, 70_002, "staff of a test", False, NOW)


def soon(seconds: float = TIME) -> float:
    return time.monotonic() + seconds


class Entry(NamedTuple):
    """What pwd's functions return."""

    pw_name: str = "carol"
    pw_uid: int = 70_001
    pw_gid: int = 70_002
    pw_gecos: str | None = "Carol C,R. 1"


class Group(NamedTuple):
    """What grp's functions return."""

    gr_name: str
    gr_gid: int


def hang(*_: object) -> Any:
    while True:
        time.sleep(60)


def crash(*_: object) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def children() -> list[str]:
    """Return the pids of this process's children, zombies too."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            if int(fields[1]) == os.getpid():
                found.append(pid)
    return found


@pytest.fixture(autouse=True)
def _no_child_stays() -> Iterator[None]:
    descriptors = os.listdir("/proc/self/fd")
    before = children()
    yield
    end = time.monotonic() + 10
    while children() != before and time.monotonic() < end:
        time.sleep(0.01)  # one that was killed is about to be waited for
    assert children() == before
    assert os.listdir("/proc/self/fd") == descriptors


class Source:
    """A source of accounts beside the files, which does not enumerate."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.accounts = {"carol": Entry()}
        self.before: Callable[[object], Any] = lambda _: None  # what comes before an answer
        self.before_group: Callable[[object], Any] = lambda _: None
        real = pwd.getpwnam, pwd.getpwuid, grp.getgrgid

        def getpwnam(name: str) -> Entry | pwd.struct_passwd:
            self.before(name)
            return self.accounts[name] if name in self.accounts else real[0](name)

        def getpwuid(uid: int) -> Entry | pwd.struct_passwd:
            self.before(uid)
            found = [one for one in self.accounts.values() if one.pw_uid == uid]
            return found[0] if found else real[1](uid)

        def getgrgid(gid: int) -> Group | grp.struct_group:
            self.before_group(gid)
            if gid == 70_002:
                return Group("staff of a test", gid)
            return real[2](gid)

        for module, function in ((pwd, getpwnam), (pwd, getpwuid), (grp, getgrgid)):
            monkeypatch.setattr(module, function.__name__, function)
        for module, name in ((pwd, "getpwall"), (grp, "getgrall")):
            monkeypatch.setattr(module, name, crash)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Source:
    return Source(monkeypatch)


# One child.


def test_accounts_of_this_host() -> None:
    """What libc says here, of accounts and their groups."""
    me = pwd.getpwuid(os.getuid())
    reply = ask([(USER, me.pw_name), (UID, str(me.pw_uid)), (USER, NOBODY)], set(), NOW, soon())
    rest = (me.pw_name, me.pw_uid, me.pw_gid, me.pw_gecos.partition(",")[0], False, NOW)
    group = grp.getgrgid(me.pw_gid)
    assert reply.hung_on is None
    assert reply.answers == (
        Answer(USER, me.pw_name, *rest),
        Answer(UID, str(me.pw_uid), *rest),
        nobody((USER, NOBODY), NOW),
        Answer(GID, str(me.pw_gid), "", -1, me.pw_gid, group.gr_name, False, NOW),
    )


def test_a_group_is_asked_for_once_and_not_if_it_is_known(source: Source) -> None:
    asked = [(USER, "carol"), (UID, "70001")]
    assert ask(asked, set(), NOW, soon()).answers[2:] == (STAFF,)
    assert ask([*asked, (GID, "70002")], set(), NOW, soon()).answers[2:] == (STAFF,)
    assert ask(asked, {"70002"}, NOW, soon()).answers[2:] == ()


@pytest.mark.parametrize(
    ("found", "expected", "why"),
    [
        (Entry(pw_gecos=None), CAROL._replace(name=""), "no comment"),
        (Entry(pw_gecos="\udcfcber,x"), CAROL._replace(name="\\xfcber"), "Latin-1"),
        (Entry(pw_gecos="ü" * 9_999), CAROL._replace(name="ü" * 256), "a long real name"),
        (Entry("ca\udcfcrol"), CAROL._replace(user="ca\\xfcrol"), "a name in Latin-1"),
        (Entry("n" * 257), nobody((USER, "carol"), NOW), "longer than any name"),
        (Entry(""), nobody((USER, "carol"), NOW), "no name"),
        (Entry(pw_uid=-1), nobody((USER, "carol"), NOW), "no uid"),
        (Entry(pw_gid=-1), CAROL._replace(gid=-1), "no group"),
        (Entry("a\nb"), CAROL._replace(user="a\nb"), "a newline"),
    ],
)
def test_what_a_source_says_is_taken_with_care(
    source: Source, found: Entry, expected: Answer, why: str
) -> None:
    source.accounts["carol"] = found
    reply = ask([(USER, "carol")], {"70002"}, NOW, soon())
    assert (reply.answers, reply.hung_on) == ((expected,), None)


@pytest.mark.parametrize("name", ["\udcff", "ü", "+", "x" * 5_000, "0", "root\n"])
def test_a_name_that_nobody_has_is_no_fault(name: str) -> None:
    reply = ask([(USER, name), (UID, "4294967294"), (GID, "4294967294")], set(), NOW, soon())
    assert reply.hung_on is None
    assert not [answer for answer in reply.answers if answer.is_found]


def test_a_look_asks_a_thousand_at_most(source: Source) -> None:
    source.accounts = {f"u{n}": Entry(f"u{n}", n, 80_000 + n) for n in range(MAX_IDS)}
    asked = [(USER, f"u{n}") for n in range(MAX_IDS - 5)]
    reply = ask(asked, set(), NOW, soon())
    assert len([one for one in reply.answers if one.kind == GID]) == 5
    assert len(reply.answers) == MAX_IDS


def test_what_came_before_a_hang_is_kept(source: Source) -> None:
    source.before = lambda key: hang() if key == 5 else None
    asked = [(USER, "carol"), (UID, "5"), (UID, "70001")]
    began = time.monotonic()
    reply = ask(asked, set(), NOW, began + HANGING_TIME)
    assert time.monotonic() - began >= HANGING_TIME
    assert (reply.answers, reply.hung_on) == ((CAROL,), (UID, "5"))


def test_a_group_that_hangs_costs_the_group_alone(source: Source) -> None:
    source.before_group = hang
    reply = ask([(USER, "carol")], set(), NOW, soon(HANGING_TIME))
    assert (reply.answers, reply.hung_on) == ((CAROL,), (GID, ""))


def test_a_crash_is_a_hang(source: Source) -> None:
    source.before = lambda key: crash() if key == 5 else None
    reply = ask([(USER, "carol"), (UID, "5"), (UID, "6")], set(), NOW, soon())
    assert (reply.answers, reply.hung_on) == ((CAROL,), (UID, "5"))


def test_a_slow_source_has_not_hung(source: Source) -> None:
    source.before = lambda _: time.sleep(HANGING_TIME / 10)
    reply = ask([(UID, str(n)) for n in range(70_001, 70_101)], set(), NOW, soon(HANGING_TIME))
    assert reply.hung_on is None
    assert 0 < len(reply.answers) < 100


def test_without_time_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("forked"))
    assert ask([(UID, "5")], set(), NOW, soon(0.0)) == nss.Reply((), None)


def test_no_child_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    with pytest.raises(BlockingIOError):
        ask([(UID, "5")], set(), NOW, soon())


def test_a_child_of_a_thread(source: Source) -> None:
    """As collectors run, while another thread hangs with what it holds."""
    release = threading.Event()
    lock = threading.Lock()

    def hold() -> None:
        with lock:
            release.wait()

    replies = []
    threads = [
        threading.Thread(target=hold),
        threading.Thread(target=lambda: replies.append(ask([(USER, "carol")], set(), NOW, soon()))),
    ]
    for thread in threads:
        thread.start()
    threads[1].join()
    release.set()
    threads[0].join()
    assert [reply.answers for reply in replies] == [(CAROL, STAFF)]


def test_the_child_holds_nothing_of_its_parent(source: Source, tmp_path: Path) -> None:
    """A lock whose holder ends is free, even if the child could not be killed."""
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)

    def look(_: object) -> None:
        paths = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
        links = sorted(os.readlink(path) for path in paths if os.path.lexists(path))
        (tmp_path / "open").write_text(" ".join(link.partition(":")[0] for link in links))

    source.before = look
    ask([(USER, "carol")], set(), NOW, soon())
    assert (tmp_path / "open").read_text() == "/dev/null /dev/null /dev/null pipe"
    os.close(lock)


def test_what_a_source_writes_to_standard_streams_is_not_said(
    source: Source, capfd: pytest.CaptureFixture[str]
) -> None:
    def speak(_: object) -> None:
        for stream in (1, 2):
            with suppress(OSError):
                os.write(stream, b"noise")

    source.before = speak
    assert ask([(USER, "carol")], {"70002"}, NOW, soon()).answers == (CAROL,)
    assert capfd.readouterr() == ("", "")


def test_where_children_are_not_waited_for(source: Source) -> None:
    """Who started us may ignore SIGCHLD: then the kernel reaps them."""
    others = children()
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert ask([(USER, "carol")], set(), NOW, soon()).answers == (CAROL, STAFF)
        source.before = hang
        assert ask([(USER, "carol")], set(), NOW, soon(HANGING_TIME)).answers == ()
        while children() != others:
            time.sleep(0.01)
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_child_that_cannot_be_killed_is_not_waited_for(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read from a dead mount outlives SIGKILL; who lets go of it is reaped then."""
    others = children()
    killed: list[int] = []
    kill = os.kill
    monkeypatch.setattr(os, "kill", lambda pid, _: killed.append(pid))
    monkeypatch.setattr(nss, "SPARE_SECONDS", 600.0)
    source.before = hang
    ask([(USER, "carol")], set(), NOW, soon(HANGING_TIME))
    assert set(children()) == {*others, str(killed[0])}
    kill(killed[0], signal.SIGKILL)
    while children() != others:
        time.sleep(0.01)


ORPHAN = """
import os, pwd, sys, time, _thread
def hang(uid):
    os.write(int(sys.argv[1]), b"%d\\n" % os.getpid())
    time.sleep(600)
pwd.getpwuid = hang
from textfile_users.accounts import nss
from textfile_users.accounts import passwd
nss._close_all_but = lambda _: None
_thread.start_new_thread(nss.ask, ([("uid", "5")], set(), 0.0, time.monotonic() + 1.0))
os.read(0, 1)
os._exit(0)
"""


def test_a_child_whose_parent_is_gone_ends() -> None:
    out, end = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN, str(end)], stdin=subprocess.PIPE, pass_fds=[end]
    ) as parent:
        os.close(end)
        pid = int(os.read(out, 100))
        assert parent.stdin is not None
        parent.stdin.write(b"x")
    poller = select.poll()
    poller.register(out)  # its end comes when the last who can write has ended
    ends = poller.poll(60_000)
    os.close(out)
    if not ends:
        os.kill(pid, signal.SIGKILL)
    assert ends


# What the child writes.


@given(st.lists(st.lists(st.binary(max_size=9).map(lambda b: b.replace(b"\0", b"")), max_size=6)))
def test_any_bytes_are_no_fault(frames: list[list[bytes]]) -> None:
    for answer in parse_answers(b"".join(b"\0".join(frame) for frame in frames), NOW):
        assert len(answer.name) <= 256


TEXT = st.text(st.characters(min_codepoint=1, max_codepoint=0xD7FF), max_size=9)
NUMBER = st.integers(-1, (1 << 32) - 2)
REAL_NAME = TEXT.map(lambda text: text.replace(",", ""))
KIND = st.sampled_from([USER, UID, GID])
WRITTEN = st.lists(
    st.builds(Answer, KIND, TEXT, TEXT, NUMBER, NUMBER, REAL_NAME, st.just(False), st.just(NOW))
)


@given(WRITTEN, st.integers(0, 300))
def test_of_what_was_cut_off_the_whole_answers_are_taken(answers: list[Answer], cut: int) -> None:
    frames = [b"".join(str(field).encode() + b"\0" for field in one[:6]) for one in answers]
    whole = b"".join(frames)
    assert parse_answers(whole + END, NOW) == tuple(answers)
    ends = [sum(map(len, frames[: index + 1])) for index in range(len(frames))]
    expected = tuple(one for one, end in zip(answers, ends) if end <= cut)
    assert parse_answers(whole[:cut], NOW) == expected


# Look after look.


class Looks:
    """Looks at this host; `asked` are the questions of the last scan."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.known = NOTHING
        self.asked: list[tuple[str, str]] = []

        def recording(asked: list[tuple[str, str]], *rest: Any) -> nss.Reply:
            self.asked = asked
            return ask(asked, *rest)

        monkeypatch.setattr(nss, "ask", recording)

    def look(self, after: float, users: list[str], uids: list[int], seconds: float = TIME) -> Known:
        """Look `after` the first time, with what the last scan left in lists."""
        self.asked = []
        answers = [record_of(Answer, list(one)) for one in self.known.answers.values()]
        pause = record_of(Pause, list(self.known.pause))
        before = Known({one.question: one for one in answers}, self.known.signature, pause)
        assert before == self.known
        wanted = questions(users, uids)
        self.known, self.report = look_up(Paths(), wanted, before, NOW + after, soon(seconds))
        return self.known


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch, source: Source) -> Looks:
    return Looks(monkeypatch)


def names(known: Known, uids: list[int]) -> list[tuple[str, str]]:
    return [(account.user, account.group) for account in accounts_of([], uids, known)]


def test_nss_is_asked_for_what_files_lack_and_then_left_alone(looks: Looks) -> None:
    known = looks.look(0, ["root", "carol", NOBODY], [0, 70_001, 70_005])
    assert looks.asked == [(USER, "carol"), (USER, NOBODY), (UID, "70001"), (UID, "70005")]
    assert looks.report.status == OK
    assert names(known, [0, 70_001, 70_005])[1:] == [
        ("carol", "staff of a test"),
        ("70005", ""),
    ]
    for after in (5, MISSING_SECONDS - 1):
        assert looks.look(after, ["root", "carol", NOBODY], [0, 70_001, 70_005]) == known
        assert looks.asked == []
    looks.look(MISSING_SECONDS, ["root", "carol", NOBODY], [0, 70_001, 70_005])
    assert looks.asked == [(USER, NOBODY), (UID, "70005")]
    looks.look(FOUND_SECONDS - 1, ["carol"], [70_001])
    assert looks.asked == []
    looks.look(FOUND_SECONDS, ["carol"], [70_001])
    assert looks.asked == [(USER, "carol"), (UID, "70001"), (GID, "70002")]


def test_a_hang_costs_its_time_once(looks: Looks, source: Source) -> None:
    source.before = hang
    hung_at = 0
    for pause in (60, 120, 240):
        looks.look(hung_at, [], [70_001], HANGING_TIME)
        assert looks.asked == [(UID, "70001")]
        assert looks.known.pause == Pause(UID, "70001", pause, NOW + hung_at)
        for after in range(hung_at + 5, hung_at + pause, 5):
            known = looks.look(after, [], [70_001, 70_001 + after])  # new ones too
            assert looks.asked == []
            assert looks.report.status == BROKEN
            assert looks.report.faults == (f"accounts: {HANGS}",)
            assert names(known, [70_001]) == [("70001", "")]
        hung_at += pause
    source.before = lambda _: None
    known = looks.look(hung_at, [], [70_001])
    assert names(known, [70_001]) == [("carol", "staff of a test")]
    assert (looks.report.status, looks.report.faults, known.pause) == (OK, (), NO_PAUSE)


def test_an_account_outlives_a_refresh_that_fails(looks: Looks, source: Source) -> None:
    looks.look(0, [], [70_001])
    source.before = hang
    known = looks.look(FOUND_SECONDS, [], [70_001], HANGING_TIME)
    assert looks.known.pause.seconds == 60
    assert names(known, [70_001]) == [("carol", "staff of a test")]
    source.before = lambda _: None
    source.accounts.clear()  # its server is down
    known = looks.look(FOUND_SECONDS + 60, [], [70_001])
    assert looks.asked == [(GID, "70002"), (UID, "70001")]  # it hung on the latter
    assert names(known, [70_001]) == [("carol", "staff of a test")]


def test_one_that_hangs_is_asked_last(looks: Looks, source: Source) -> None:
    source.before = lambda key: hang() if key == 70_000 else None
    looks.look(0, [], [70_000, 70_001], HANGING_TIME)
    known = looks.look(60, [], [70_000, 70_001], HANGING_TIME)
    assert looks.asked == [(UID, "70001"), (UID, "70000")]
    assert names(known, [70_001])[0][0] == "carol"


def test_slow_answers_come_over_some_looks(looks: Looks, source: Source) -> None:
    patience = 3.0  # so that a loaded machine still gives one answer a scan
    source.before = lambda _: time.sleep(patience / 6)
    uids = list(range(70_001, 70_009))
    for after in range(0, 60, 5):
        looks.look(after, [], uids, patience)
        assert looks.known.pause == NO_PAUSE
        if not looks.asked:
            break
    assert looks.asked == []


def test_a_user_that_is_removed_is_no_longer_known(
    looks: Looks, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """passwd changes: what it said is void, what NSS said is not."""
    file = tmp_path / "passwd"
    monkeypatch.setattr(passwd, "PATH", str(file))
    file.write_text("erin:x:70010:70011::/:\n")
    assert names(looks.look(0, [], [70_001, 70_010]), [70_010]) == [("erin", "")]
    file.write_text("")
    known = looks.look(5, [], [70_001, 70_010])
    assert looks.asked == [(UID, "70010")]
    assert names(known, [70_001, 70_010]) == [("carol", "staff of a test"), ("70010", "")]
    file.write_text("other:x:70001:0::/:\n")
    assert names(looks.look(10, [], [70_001]), [70_001])[0][0] == "other"
    assert looks.asked == []


def test_the_same_files_below_another_root_are_another_host(looks: Looks) -> None:
    known = looks.look(0, [], [70_001])
    paths = Paths("/proc/self/root")
    known, _ = look_up(paths, questions([], [70_001]), known, NOW + 5, soon())
    assert names(known, [70_001]) == [("70001", "")]


def test_without_a_child_what_is_known_goes_on(
    looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    known = looks.look(0, ["root"], [70_001])
    fault = "accounts: no process to ask NSS: resource temporarily unavailable"
    assert (looks.report.status, looks.report.faults) == (BROKEN, (fault,))
    assert [account.user for account in accounts_of(["root"], [70_001], known)] == [
        "root",
        "70001",
    ]


FILES_ALONE = """
import os, sys
os.fork = None
from textfile_users.accounts.account import NOTHING, accounts_of, questions
from textfile_users.paths import Paths
from textfile_users.accounts.collect_accounts import look_up
known, _ = look_up(Paths(), questions(["root"], [0]), NOTHING, 1e9, 0.0)
print(accounts_of(["root"], [0], known)[0].user)
print({"grp", "select", "textfile_users.accounts.nss"} & set(sys.modules))
"""


def test_where_files_have_all_nothing_more_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILES_ALONE], capture_output=True, text=True, check=True
    )
    assert done.stdout == "root\nset()\n"
