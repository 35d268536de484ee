"""A login counts once, whoever tells of it and in which order; so does its end."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textfile_users import logins as logins_module
from textfile_users.logins import EVENT, REMEMBERED_SECONDS, Login, Logins, logged_addresses
from textfile_users.sessions.session import Session

T = 1_765_000_000.0
IP = "192.0.2.7"


class Host:
    """Logins from look to look, and what was counted of them."""

    def __init__(self, began: float = T - 10_000) -> None:
        self.began = began
        self.state: tuple[Login, ...] = ()
        self.forgotten = 0.0
        self.logins: list[tuple[str, str]] = []
        self.ends: list[tuple[str, float]] = []
        self.living: set[int] = set()
        self.load()

    def load(self) -> None:
        """Begin a scan with what the last one left."""
        self.now = Logins(
            self.state,
            self.forgotten,
            lambda login: self.logins.append((login.user, login.type)),
            lambda login: self.ends.append((login.type, login.end - login.start)),
        )

    def look(self, at: float, *sessions: Session, patient: bool = True) -> None:
        """End a scan `at` seconds after T, which sees `sessions`."""
        self.now.look(sessions, T + at, lambda pids: pids & self.living)
        self.now.settle(T + at, patient, self.began)
        self.now.forget(T + at)
        self.state, self.forgotten = self.now.all(), self.now.forgotten
        self.load()


Step = Callable[[Host], None]


def login(source: str, at: float, user: str = "alice", pid: int = 0, tty: str = "",
          ip: str = IP, service: str = "", type_: str = "ssh", key: str = "") -> Login:  # fmt: skip
    return Login(source, user, type_, service, pid, tty, ip, 0, T + at, key=key)


def event(at: float, pid: int, user: str = "alice", service: str = "sshd", ip: str = IP,
          type_: str = "ssh") -> Step:  # fmt: skip
    """A line of the auth log that begins a login."""
    made = login(EVENT, at, user, pid, "", ip, service, type_)
    return lambda host: host.now.begin(made._replace(covered=True))


def wtmp(at: float, pid: int, tty: str = "pts/0", user: str = "alice", ip: str = IP,
         type_: str = "ssh") -> Step:  # fmt: skip
    """A record of wtmp."""
    made = login("wtmp", at, user, pid, tty, ip, "", type_)
    return lambda host: host.now.recorded(made)


def row(at: float, tty: str = "pts/0", user: str = "alice", key: str = "1:1") -> Step:
    """A row of wtmpdb, which has no pid."""
    made = login("wtmpdb", at, user, 0, tty, IP, "sshd", "ssh", key)
    return lambda host: host.now.recorded(made)


def session(start: float, leader: int, user: str = "alice", tty: str = "", ip: str = IP,
            type_: str = "ssh", service: str = "sshd") -> Session:  # fmt: skip
    """A session as a scan shows it."""
    return Session("1", user, tty, type_, service, "", ip, "", T + start, leader)


def seen(start: float, leader: int, tty: str = "") -> Step:
    """What logind's session alone tells of a login."""
    one = session(start, leader, tty=tty)
    return lambda host: host.now.look((one,), T + start, lambda pids: pids)


def closed(at: float, pid: int, service: str = "sshd") -> Step:
    """PAM's line of a session that ended."""
    return lambda host: host.now.end_by_event(service, pid, T + at)


def logout(at: float, tty: str = "pts/0", key: str = "") -> Step:
    """A logout of wtmp, or of wtmpdb's row `key`."""
    return lambda host: host.now.end_by_record(tty, key, T + at, lambda one: one.pid in host.living)


def boot(at: float) -> Step:
    return lambda host: host.now.boot(T + at)


def look(at: float, *sessions: Session, patient: bool = True) -> Step:
    return lambda host: host.look(at, *sessions, patient=patient)


def alive(*pids: int) -> Step:
    return lambda host: host.living.update(pids)


def dead(*pids: int) -> Step:
    return lambda host: host.living.difference_update(pids)


ALICE = ("alice", "ssh")
PTS0 = session(0, 100, tty="pts/0")
CASES: list[tuple[str, list[Step], list[tuple[str, str]], list[tuple[str, float]]]] = [
    ("an event counts at once", [event(0, 100), look(0)], [ALICE], []),
    (
        "a login and its end within one scan",
        [event(0, 100), closed(3, 100), look(4)],
        [ALICE],
        [("ssh", 3)],
    ),
    (
        "a login and its end that only wtmp saw, within one scan",
        [wtmp(0, 100), logout(3), look(4), look(20)],
        [ALICE],
        [("ssh", 3)],
    ),
    (
        "event, wtmp and logind's session with one pid",
        [event(0, 100), wtmp(0.5, 100), look(5, PTS0), closed(60, 100), logout(60), look(65)],
        [ALICE],
        [("ssh", 60)],
    ),
    (
        "a slow host's wtmpdb has the login 50 s late, and no pid",
        [event(0, 100), look(5, PTS0), row(50), look(55, PTS0), look(90, PTS0),
         closed(100, 100), logout(100, key="1:1"), look(105), look(120)],
        [ALICE],
        [("ssh", 100)],
    ),
    (
        "the next login on a terminal that nobody saw becoming free",
        [event(0, 100), look(5, PTS0), closed(6, 100), event(20, 200), row(50),
         look(55, session(20, 200, tty="pts/0")), closed(60, 200), look(65), look(80)],
        [ALICE, ALICE],
        [("ssh", 6), ("ssh", 40)],
    ),
    (
        "root's record has the shell's pid, as on Debian 12",
        [event(0, 100, "root"), wtmp(1, 102, user="root"), look(5, session(0, 100, "root")),
         look(30, session(0, 100, "root")), closed(60, 100), logout(60), look(65)],
        [("root", "ssh")],
        [("ssh", 60)],
    ),
    (
        "without logind root's session has the shell's pid too",
        [event(0, 100, "root"), wtmp(1, 102, user="root"),
         look(5, session(1, 102, "root", "pts/0")), look(30, session(1, 102, "root", "pts/0")),
         closed(60, 100), logout(60), look(65), look(700)],
        [("root", "ssh")],
        [("ssh", 60)],
    ),
    (
        "wtmpdb knows no pid, wtmp has the same login: Debian 13",
        [event(0, 100), wtmp(0.2, 100), row(0.3), look(5, session(0, 100)), closed(60, 100),
         logout(60), logout(60, key="1:1"), look(65)],
        [ALICE],
        [("ssh", 60)],
    ),
    (
        "two terminals of one SSH connection",
        [event(0, 100), wtmp(1, 100), look(5, PTS0), wtmp(30, 100, "pts/1"), look(60, PTS0),
         alive(100), logout(90), look(95, PTS0), dead(100), logout(99, "pts/1"),
         closed(99, 100), look(100)],
        [ALICE],
        [("ssh", 99)],
    ),
    (
        "two logins of one user within seconds",
        [event(0, 100), event(1, 200), wtmp(0, 100), wtmp(1, 200, "pts/1"), look(5, PTS0,
         session(1, 200)), closed(10, 100), closed(20, 200), look(25)],
        [ALICE, ALICE],
        [("ssh", 10), ("ssh", 19)],
    ),
    (
        "of two logins of one user within seconds the pid tells whose terminal it is",
        [event(0, 100), event(1, 200), wtmp(0.5, 100), wtmp(1.5, 200, "pts/1"), alive(200),
         logout(10), look(12)],
        [ALICE, ALICE],
        [("ssh", 10)],
    ),
    (
        "two logins of one user within seconds, of which wtmpdb has no pids",
        [event(0, 100), event(1, 200), row(0, key="1:1"), row(1, "pts/1", key="2:2"), look(30)],
        [ALICE, ALICE],
        [],
    ),
    (
        "one with a terminal and one without",
        [event(0, 100), event(1, 200), row(1, "pts/0"), look(30)],
        [ALICE, ALICE],
        [],
    ),
    (
        "two short logins on one terminal that no event covered",
        [wtmp(0, 100), logout(2), wtmp(4, 200), logout(5), look(30)],
        [ALICE, ALICE],
        [("ssh", 2), ("ssh", 1)],
    ),
    (
        "a login that no event covered waits ten seconds for one",
        [wtmp(0, 100), look(5)],
        [],
        [],
    ),
    ("and then counts", [wtmp(0, 100), look(5), look(10)], [ALICE], []),
    ("or at once, where there is no log", [wtmp(0, 100), look(1, patient=False)], [ALICE], []),
    (
        "an event that comes after it was counted is not another one",
        [wtmp(0, 100), look(10), event(0.5, 100), look(15)],
        [ALICE],
        [],
    ),
    (
        "a session that neither log nor wtmp has",
        [look(5, session(0, 100)), look(15, session(0, 100)), look(20), look(30)],
        [ALICE],
        [("ssh", 20)],
    ),
    (
        "a session that disappears ends when it was first missed, not at once",
        [event(0, 100), look(5, PTS0), look(10), look(15)],
        [ALICE],
        [],
    ),
    (
        "a session missed once is none that ended",
        [event(0, 100), look(5, PTS0), look(10), look(15, PTS0), look(900), look(905)],
        [ALICE],
        [],
    ),
    (
        "a leader that lives is none that ended",
        [event(0, 100), alive(100), look(5), look(500), look(5_000)],
        [ALICE],
        [],
    ),
    (
        "an event's end goes before the disappearance",
        [event(0, 100), look(5, PTS0), look(10), closed(9, 100), look(20), look(40)],
        [ALICE],
        [("ssh", 9)],
    ),
    (
        "a logout does not end a login that lives: its connection has another terminal",
        [event(0, 100), wtmp(0, 100), alive(100), look(5, PTS0), logout(30), look(35, PTS0)],
        [ALICE],
        [],
    ),
    (
        "a logout of another terminal",
        [event(0, 100), wtmp(0, 100), logout(30, "pts/9"), look(35, PTS0)],
        [ALICE],
        [],
    ),
    (
        "a logout ends the newest login of its terminal",
        [wtmp(0, 100, user="bob"), alive(100), look(20), wtmp(100, 200), logout(130), look(140)],
        [("bob", "ssh"), ALICE],
        [("ssh", 30)],
    ),
    (
        "a logout of the same moment as the login",
        [wtmp(0, 100), logout(0), look(20)],
        [ALICE],
        [("ssh", 0)],
    ),
    (
        "a row's end is its login's, though another has its terminal by now",
        [event(0, 100), row(0.2), event(50, 200), row(50.2, key="2:2"), logout(49, key="1:1"),
         look(60, session(50, 200, tty="pts/0"))],
        [ALICE, ALICE],
        [("ssh", 49)],
    ),
    (
        "a logout of a terminal that only a session showed",
        [look(5, PTS0), logout(8), look(20)],
        [ALICE],
        [("ssh", 8)],
    ),
    (
        "a session from elsewhere than a record of the same seconds",
        [look(5, session(0, 100)), wtmp(1, 200, ip="192.0.2.8"), look(30, session(0, 100))],
        [ALICE, ALICE],
        [],
    ),
    (
        "logind's clock was set after its session began: the leader tells whose it is",
        [event(0, 100), look(5, session(-30, 100)), look(20, session(-30, 100))],
        [ALICE],
        [],
    ),
    (
        "sessions of one scan, none of which is known",
        [look(5, session(0, 100), session(0, 200, "bob"), session(0, 300, "carol")),
         look(20, session(0, 100), session(0, 200, "bob"), session(0, 300, "carol"))],
        [ALICE, ("bob", "ssh"), ("carol", "ssh")],
        [],
    ),
    (
        "a terminal that only the session shows",
        [event(0, 100), look(5, PTS0), logout(8), look(9)],
        [ALICE],
        [("ssh", 8)],
    ),
    (
        "a session of several terminals keeps its first",
        [event(0, 100), wtmp(0.5, 100), look(5, session(0, 100, tty="pts/1")), logout(8), look(9)],
        [ALICE],
        [("ssh", 8)],
    ),
    (
        "two terminals, of one of which wtmpdb alone knows",
        [wtmp(0, 100), row(1, "pts/1"), look(20)],
        [ALICE, ALICE],
        [],
    ),
    (
        "wtmpdb has it late, and no event covered it: the terminal is the same",
        [wtmp(0, 100), alive(100), look(5, PTS0), row(50), look(70, PTS0)],
        [ALICE],
        [],
    ),
    (
        "an event without an address covers a record that has one",
        [event(0, 100, "root", ip=""), wtmp(1, 102, user="root"), look(20)],
        [("root", "ssh")],
        [],
    ),
    (
        "an end that is told twice",
        [event(0, 100), closed(3, 100), closed(4, 100), look(5)],
        [ALICE],
        [("ssh", 3)],
    ),
    (
        "an address that only a record had tells another login apart",
        [event(0, 100, ip=""), wtmp(0.5, 100), alive(100),
         look(5, session(1, 200, ip="192.0.2.8")), look(30, session(1, 200, ip="192.0.2.8"))],
        [ALICE, ALICE],
        [],
    ),
    (
        "a type that only the second source knows",
        [wtmp(0, 100, type_="other"), row(0.5), look(20)],
        [ALICE],
        [],
    ),
    (
        "or only the first",
        [row(0), wtmp(0.5, 100, type_="other"), look(20)],
        [ALICE],
        [],
    ),
    (
        "an event covers one record, and the next event none",
        [wtmp(0, 100), event(0, 100), event(1, 200), look(20)],
        [ALICE, ALICE],
        [],
    ),
    (
        "two events are two logins, also of a listener that tells of all with its own pid",
        [event(0, 100), event(3, 100), look(20)],
        [ALICE, ALICE],
        [],
    ),
    (
        "the event of a login that has ended by then",
        [wtmp(0, 100), logout(3), event(0, 100), look(5), look(30)],
        [ALICE],
        [("ssh", 3)],
    ),
    (
        "a service that only the second source knows",
        [wtmp(0, 100), row(0.2), look(15, PTS0), closed(60, 100), look(65)],
        [ALICE],
        [("ssh", 60)],
    ),
    (
        "a pid that only the second source knows",
        [row(0), wtmp(0.2, 100), look(15), look(60)],
        [ALICE],
        [("ssh", 15)],
    ),
    (
        "a boot ends what is open, and nothing that came later",
        [event(0, 100), event(50, 200, "bob"), boot(40), look(60)],
        [ALICE, ("bob", "ssh")],
        [("ssh", 40)],
    ),
    (
        "logins from before counting began are remembered for their end alone",
        [look(0, session(-20_000, 100)), closed(10, 100), look(15)],
        [],
        [("ssh", 20_010)],
    ),
    (
        "a record first, then the event: its end is found by the leader's pid",
        [wtmp(0, 100), look(5), event(0, 100), look(8), closed(20, 100), look(25)],
        [ALICE],
        [("ssh", 20)],
    ),
    (
        "root's record first",
        [wtmp(0, 102, user="root"), look(5), event(0, 100, "root"), look(8),
         closed(20, 100), look(25)],
        [("root", "ssh")],
        [("ssh", 20)],
    ),
    (
        "a record that comes when its login has ended",
        [event(0, 100), closed(5, 100), look(10), wtmp(0, 100), row(0), look(30), look(60)],
        [ALICE],
        [("ssh", 5)],
    ),
    (
        "an event that comes when its login has ended and was counted",
        [wtmp(0, 100), logout(5), look(10), look(20), event(0, 100), look(30)],
        [ALICE],
        [("ssh", 5)],
    ),
    (
        "two logins of a scan beside two that are known",
        [event(0, 100), event(1, 200, "bob"), look(5, PTS0, session(1, 200, "bob")),
         event(20, 300, "carol"), event(21, 400, "dave"), closed(30, 200), look(31, PTS0)],
        [ALICE, ("bob", "ssh"), ("carol", "ssh"), ("dave", "ssh")],
        [("ssh", 29)],
    ),
    (
        "a record that comes when its login is forgotten",
        [event(0, 100), closed(5, 100), look(10), look(10 + REMEMBERED_SECONDS), wtmp(0, 100),
         logout(5), look(1_000), look(2_000)],
        [ALICE],
        [("ssh", 5)],
    ),
    (
        "its stamp may be later than the event's, which has whole seconds",
        [event(0, 100), closed(5, 100), look(10), look(1_000), wtmp(0.9, 100), look(2_000)],
        [ALICE],
        [("ssh", 5)],
    ),
    (
        "a pid that is used again by the same user",
        [event(0, 100), closed(5, 100), look(10), event(300, 100), wtmp(300, 100),
         look(305, session(300, 100)), look(605, session(300, 100)), closed(700, 100),
         look(705)],
        [ALICE, ALICE],
        [("ssh", 5), ("ssh", 400)],
    ),
    (
        "a pid that is used again, seen as a session alone",
        [event(0, 100), closed(5, 100), look(10), look(300, session(295, 100)),
         look(310, session(295, 100))],
        [ALICE, ALICE],
        [("ssh", 5)],
    ),
    (
        "a pid that is used again though the first login's end was never seen",
        [event(0, 100), alive(100), look(10), event(300, 100), look(310)],
        [ALICE, ALICE],
        [],
    ),
    (
        "nor has the first one an event",
        [wtmp(0, 100), alive(100), look(20), event(300, 100), look(310)],
        [ALICE, ALICE],
        [],
    ),
    (
        "a record with another pid, the event and its end, all within one scan",
        [wtmp(0, 102, user="root"), event(0, 100, "root"), closed(5, 100), look(8)],
        [("root", "ssh")],
        [("ssh", 5)],
    ),
    (
        "a login on the console has an event without its terminal",
        [event(0, 600, "root", "login", "", "tty"), wtmp(0, 600, "tty1", "root", "", "tty"),
         look(5, session(0, 600, "root", "tty1", "", "tty", "login")), closed(50, 600, "login"),
         logout(50, "tty1"), look(55)],
        [("root", "tty")],
        [("tty", 50)],
    ),
    (
        "a close of another service",
        [event(0, 100), closed(5, 100, "login"), look(10)],
        [ALICE],
        [],
    ),
    (
        "windows of a multiplexer are no logins",
        [look(5, session(0, 100, type_="multiplexer")), look(50)],
        [],
        [],
    ),
    (
        "run0 is a change of user",
        [look(5, session(0, 100, "root", "pts/1", "", "other", "run0")), look(50)],
        [],
        [],
    ),
    (
        "users from one address are not one",
        [event(0, 100), event(0, 200, "bob"), wtmp(0, 102), look(30)],
        [ALICE, ("bob", "ssh")],
        [],
    ),
    (
        "an address that differs is another login",
        [event(0, 100), wtmp(1, 200, ip="192.0.2.8"), look(30)],
        [ALICE, ALICE],
        [],
    ),
    (
        "ten seconds apart is another login",
        [event(0, 100), wtmp(11, 200), look(30)],
        [ALICE, ALICE],
        [],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "logins", "ends"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_logins(
    steps: list[Step], logins: list[tuple[str, str]], ends: list[tuple[str, float]]
) -> None:
    host = Host()
    for step in steps:
        step(host)
    assert host.logins == logins
    assert host.ends == ends


SIGHTINGS = (event(0, 100), wtmp(0.5, 100), row(0.7), seen(0, 100))


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(SIGHTINGS)))))
def test_sources_in_any_order_and_with_any_delay(order: tuple[int, ...]) -> None:
    """Between any two of them looks may lie: none, one soon, or one when it has counted."""
    for delays in itertools.product((0.0, 3.0, 30.0, 300.0), repeat=len(order)):
        host = Host()
        at = 0.0
        for index, delay in zip(order, delays):
            SIGHTINGS[index](host)
            at += delay
            if delay:
                host.look(at, session(0, 100))
        closed(at + 1, 100)(host)
        logout(at + 1)(host)
        logout(at + 1, key="1:1")(host)
        host.look(at + 20)
        host.look(at + 1_000)
        assert (host.logins, host.ends) == ([ALICE], [("ssh", at + 1)])
        assert host.state == ()


@given(
    st.lists(st.tuples(st.integers(0, 300), st.booleans(), st.booleans()), max_size=12),
    st.booleans(),
    st.lists(st.integers(0, 4_000), max_size=6),
)
def test_any_logins_count_once(
    logins: list[tuple[int, bool, bool]], is_crowd: bool, looks: list[int]
) -> None:
    """Each login has a pid of its own, and an event, a record or both; of a crowd each has both.

    Of two within ten seconds an event of the one and a record of the other may be the same.
    """
    host = Host()
    host.living.update(range(100, 112))
    steps: list[tuple[float, Step]] = []
    for number, (second, has_event, has_record) in enumerate(logins):
        start = second if is_crowd else 11 * (12 * second + number)
        pid, tty = 100 + number, f"pts/{number}"
        if is_crowd or has_event or not has_record:
            steps += [(start, event(start, pid)), (start + 40, closed(start + 40, pid))]
        if is_crowd or has_record:
            steps += [(start, wtmp(start, pid, tty))]
            steps += [(start + 40, dead(pid)), (start + 40, logout(start + 40, tty))]
    steps += [(at, look(at)) for at in looks]
    for _, step in sorted(steps, key=lambda item: item[0]):
        step(host)
    for at in (50_000, 50_020, 60_000):
        host.look(at)
    assert len(host.logins) == len(logins)
    assert host.ends == [("ssh", 40.0)] * len(logins)
    assert host.state == ()


def test_of_too_many_logins_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins_module, "MAX_LOGINS", 3)
    host = Host()
    for pid in range(100, 110):
        event(pid, pid)(host)
        host.living.add(pid)
    host.look(200)
    assert [login.pid for login in host.state] == [107, 108, 109]
    assert len(host.logins) == 10
    wtmp(105, 105, "pts/5")(host)
    host.look(400)
    assert len(host.logins) == 10, "what was forgotten does not count again"


def test_a_session_is_kept_with_what_is_known_of_it() -> None:
    host = Host()
    host.look(5, PTS0)
    made = Login("session", "alice", "ssh", "sshd", 100, "pts/0", IP, 0, T)
    assert host.state == (made,)
    host.look(6)
    assert host.state == (made._replace(gone=T + 6),)
    host.look(7, PTS0)
    assert host.state == (made,)


def test_nothing_more_is_known_of_what_was_forgotten_within_a_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logins_module, "MAX_LOGINS", 3)
    host = Host()
    for pid in range(100, 110):
        event(pid, pid)(host)
        row(pid, f"pts/{pid}", key=f"1:{pid}")(host)
    host.now.bound(T + 200)
    assert [pid for pid in range(100, 110) if host.now.knows("alice", pid)] == [107, 108, 109]
    for pid in range(100, 107):
        closed(201, pid)(host)
        logout(201, f"pts/{pid}")(host)
        logout(201, "", f"1:{pid}")(host)
    assert (len(host.logins), host.ends) == (10, [])


def test_what_is_left_when_another_is_forgotten_is_still_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its user, since a row of wtmpdb has no pid."""
    monkeypatch.setattr(logins_module, "MAX_LOGINS", 1)
    host = Host()
    for step in (event(0, 100), event(300, 200), closed(301, 200)):
        step(host)
    host.now.bound(T + 1_000)
    for step in (row(0.5), logout(1_001)):
        step(host)
    assert host.ends == [("ssh", 1), ("ssh", 1_001)]


@pytest.mark.parametrize(
    ("known", "expected", "why"),
    [
        ([login(EVENT, 0, pid=100)], IP, "the line of the session's leader"),
        ([login(EVENT, -5, "alice@EXAMPLE", 100)], IP, "the account has another name there"),
        ([login(EVENT, 0, pid=100)._replace(end=T + 1)], IP, "it has just ended"),
        ([login(EVENT, 0, pid=100), login(EVENT, 1, pid=100, ip="192.0.2.9")], IP, "the first"),
        ([login(EVENT, 0, pid=101)], "", "another process's"),
        ([login(EVENT, -3600, pid=100)], "", "an earlier process had the pid"),
        ([login(EVENT, 0, pid=100, ip="")], "", "it has no address"),
        ([login(EVENT, 0, pid=100, type_="tty")], "", "of another kind"),
        ([], "", "none is known"),
    ],
)
def test_the_log_has_the_address_of_a_session(known: list[Login], expected: str, why: str) -> None:
    session = Session("1", "alice", "", "ssh", "sshd", "client.example", "", "", T + 1, 100)
    assert logged_addresses(known, [session]).get(100, "") == expected, why


def test_many_logins_of_a_user_cost_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    """12,000 records of one user within a minute were each compared with all of them."""
    compared = 0
    is_same = logins_module._is_same

    def counted(one: Login, other: Login) -> bool:
        nonlocal compared
        compared += 1
        return is_same(one, other)

    monkeypatch.setattr(logins_module, "_is_same", counted)
    host = Host()
    for number in range(6_000):
        at, tty = number / 100, f"pts/{number % 50}"
        host.now.recorded(login("wtmp", at, pid=1_000 + number, tty=tty))
        host.now.end_by_record(tty, "", T + at + 0.1, lambda _: False)
    host.look(100.0)
    assert len(host.logins) == len(host.ends) == 6_000
    assert compared <= 6_000 * (logins_module.MAX_NEAR + 1)


def test_of_many_logins_the_nearest_is_the_same() -> None:
    """A record without a pid, as wtmpdb's, finds its login among a hundred of a second."""
    host = Host()
    for number in range(100):
        host.now.begin(login(EVENT, number / 100, pid=1_000 + number)._replace(covered=True))
    host.now.recorded(login("wtmpdb", 0.503, key="7"))
    host.look(100.0)
    assert len(host.logins) == 100
    assert [one.pid for one in host.state if one.key == "7"] == [1_050]
