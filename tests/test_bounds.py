"""Whatever is thrown at it: series, state and file have bounds, and who is real stays."""

from __future__ import annotations

import ipaddress
import shutil
import subprocess
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hosts import BOOT, NOW, Record, Run
from textfile_users import counting
from textfile_users import run as collect
from textfile_users.accounts import account as accounts
from textfile_users.admission import MAX_SIZE
from textfile_users.auth.logs import AuthMemory
from textfile_users.auth.remembered import Remembered
from textfile_users.auth_event import (
    ESCALATION,
    ESCALATION_FAILURE,
    FAILURE,
    SUCCESS,
    AuthEvent,
    Finding,
    finding,
)
from textfile_users.collecting import MAX_SERIES, MAX_USERS
from textfile_users.connections.collect_connections import ConnectionsMemory
from textfile_users.connections.connection import MAX_TITLES, Connection, known_servers
from textfile_users.counting import (
    DROPPED,
    ESCALATION_FAILURES,
    ESCALATIONS,
    FAILURES,
    LAST_LOGIN,
    LOGINS,
    MAX_ADDRESSES,
    MAX_MINUTES,
    MINUTE,
    SUCCESSES,
    USERS,
    Counting,
    Counts,
    Series,
)
from textfile_users.memory import Durable, Volatile
from textfile_users.metrics.family import by_user, family, histogram, render, render_within
from textfile_users.older_memory import MAX_READ, _end_of, within
from textfile_users.processes.collect_processes import ProcessesMemory
from textfile_users.processes.procfs import Process
from textfile_users.reading import addresses as addresses_module
from textfile_users.run import MAX_FILE
from textfile_users.sessions.collect_sessions import SessionsMemory
from textfile_users.sessions.session import Session
from textfile_users.sessions.unrecorded import bounded, titles_wanted
from textfile_users.state_files import (
    DURABLE,
    MAX_BYTES,
    OLD_NAMES,
    SHARES,
    VOLATILE,
    format_durable,
    load_durable,
    load_volatile,
    parse_durable,
    save_durable,
    save_volatile,
)

ACCOUNTS = ("root", "alice", "bob", "www-data")
TYPES = 8 * 12  # more methods and services than there are


def sudo(user: str, target: str = "root", event: str = ESCALATION) -> Finding:
    return finding(event, "sudo", user=user, target=target)


def refused(user: str) -> Finding:
    return sudo(user, event=ESCALATION_FAILURE)


def accepted(user: str, service: str = "sshd", method: str = "password") -> Finding:
    return finding(SUCCESS, service, method=method, user=user, ip="192.0.2.9", port=1)


def failed(ip: str, user: str = "nobody at all") -> Finding:
    return finding(FAILURE, "sshd", method="password", user=user, ip=ip)


def count(
    said: Iterable[Finding],
    before: Counts = Counts(),  # noqa: B008 - immutable
    accounts: Collection[str] = ACCOUNTS,
    sessions: tuple[Session, ...] = (),
    now: float = NOW,
) -> Counts:
    """Return the counts after a scan that found what is ``said``, a moment ago each."""
    one = Counting(before, now, sessions, lambda: accounts)
    for number, found in enumerate(said):
        one.take(AuthEvent(now - 1, 1_000 + number, number, found))
    return one.result()


def session(user: str) -> Session:
    return Session("1", user, "pts/0", "ssh", "sshd", "", "192.0.2.7", "", NOW - 60, 1000)


def of(state: Counts, name: str) -> dict[tuple[str, ...], float]:
    return {series[1:]: value for series, value in state.counters.items() if series[0] == name}


def users_of(state: Counts, name: str) -> set[tuple[str, ...]]:
    """Return the users or pairs of a family; '' is none."""
    places = USERS[name]
    found = {tuple(labels[place - 1] for place in places) for labels in of(state, name)}
    return {who for who in found if any(who)}


def require_bounds(state: Counts) -> None:
    for name in USERS:
        assert len(users_of(state, name)) <= MAX_USERS, name
        assert len(of(state, name)) <= MAX_SERIES, name
    assert len(format_durable(Durable(state))) <= MAX_BYTES


# Series


FORGED = [f"u{number}" for number in range(1_500)]
FLOODS = [
    (ESCALATIONS, [sudo(f"u{a}", f"t{b}") for a in range(150) for b in range(150)], "pairs"),
    (ESCALATIONS, [sudo("alice", f"#{number}") for number in range(3_000)], "targets of a user's"),
    (ESCALATIONS, [sudo(user) for user in FORGED], "users"),
    (ESCALATION_FAILURES, [*map(accepted, FORGED), *map(refused, FORGED)], "users that logged in"),
    (SUCCESSES, [accepted(user) for user in FORGED], "users"),
    (
        SUCCESSES,
        [
            accepted(f"u{number}", f"s{kind}", f"m{kind}")
            for number in range(900)
            for kind in range(30)
        ],
        "few users, many services and methods",
    ),
    (LOGINS, [accepted(user) for user in FORGED], "users"),
    (FAILURES, [one for u in FORGED for one in (accepted(u), failed("192.0.2.7", u))], "users"),
]
REAL = {
    ESCALATIONS: [sudo("alice"), sudo("root", "www-data"), sudo("alice", "bob")],
    ESCALATION_FAILURES: [refused("alice"), refused("root"), refused("bob")],
    SUCCESSES: [accepted("alice"), accepted("root")],
    LOGINS: [accepted("alice"), accepted("root")],
    FAILURES: [failed("192.0.2.7", "alice"), failed("192.0.2.7", "root")],
}


@pytest.mark.parametrize(("name", "flood", "why"), FLOODS)
def test_forged_names_leave_room_for_who_is_real(name: str, flood: list[Finding], why: str) -> None:
    flooded = count(flood)
    require_bounds(flooded)
    assert of(flooded, DROPPED)[(name,)] > 0, why
    real = REAL[name]
    state = count(real, flooded)
    require_bounds(state)
    known = {tuple(filter(None, (one.user, one.target))) for one in real}
    assert known <= users_of(state, name), "the first of each was counted after the flood"
    assert of(state, DROPPED)[(name,)] == of(flooded, DROPPED)[(name,)]
    again = count([*flood, *real], state)
    require_bounds(again)
    assert of(again, name).keys() == of(state, name).keys(), "what is counted goes on"
    assert sum(of(again, name).values()) == 2 * sum(of(state, name).values()), "and all of it"


def test_of_a_pair_without_a_place_the_user_stays() -> None:
    flooded = count(sudo("alice", f"#{number}") for number in range(3_000))
    found = of(count([sudo("bob", "nobody here")], flooded), ESCALATIONS)
    assert found["sudo", "bob", ""] == 1
    assert found["sudo", "alice", ""] > 0


def test_real_accounts_forged_in_pairs_do_not_push_out_who_became_root() -> None:
    accounts = ["root", *(f"account{number}" for number in range(60))]
    flood = [sudo(one, other) for one in accounts[1:] for other in accounts[1:]]
    state = count(flood, accounts=accounts)
    require_bounds(state)
    state = count([sudo(one) for one in accounts], state, accounts)
    require_bounds(state)
    assert {(one, "root") for one in accounts} <= users_of(state, ESCALATIONS)


def test_a_domain_users_session_makes_the_name_a_real_one() -> None:
    flooded = count(accepted(user) for user in FORGED)
    assert ("eve@corp.example",) not in users_of(
        count([accepted("eve@corp.example")], flooded), SUCCESSES
    )
    state = count([accepted("eve@corp.example")], flooded, sessions=(session("eve@corp.example"),))
    assert ("eve@corp.example",) in users_of(state, SUCCESSES)


@pytest.mark.parametrize("name", [SUCCESSES, LOGINS, FAILURES])
def test_more_accounts_than_places_leave_one_to_root(name: str) -> None:
    accounts = ["root", *(f"account{number}" for number in range(1_200))]
    flood = [one for user in accounts[1:] for one in (accepted(user), failed("192.0.2.7", user))]
    state = count(flood, accounts=accounts)
    assert len(users_of(state, name)) == MAX_USERS - 1
    state = count(REAL[name], state, accounts)
    assert ("root",) in users_of(state, name)
    require_bounds(state)


def test_refused_names_of_nobody_are_no_series_however_many() -> None:
    state = count(sudo(f"u{n}", f"t{n}", ESCALATION_FAILURE) for n in range(3_000))
    assert of(state, ESCALATION_FAILURES) == {("sudo", "", ""): 3_000.0}
    assert not of(state, ESCALATIONS)


def test_long_names_have_the_same_bytes_in_all() -> None:
    """Names of 128 bytes of which each is escaped: no family has more than its share."""
    flood = [
        accepted(f"{number:04}{chr(34) * 200}{kind:02}", f"s{kind}", f"m{kind}")
        for kind in range(20)
        for number in range(900)
    ]
    accounts = {f"{number:04}{chr(34) * 124}" for number in range(900)}
    state = count(flood, accounts=accounts)
    require_bounds(state)
    rows = format_durable(Durable(state._replace(logins=(), last_logins={})))
    assert len(rows) <= MAX_SIZE * 1.1 + 200_000
    assert sum(of(state, SUCCESSES).values()) == len(flood)
    text = render([family(SUCCESSES, "", ("a", "b", "user"), of(state, SUCCESSES).items())])
    assert len(text) <= MAX_SIZE * 1.1


def test_all_families_at_their_bounds_fit_into_the_counters_share() -> None:
    """Else a state would drop counters, of families that nobody flooded too."""
    of_others = 100 << 10  # some hundred series without a user
    assert len(USERS) * MAX_SIZE + of_others <= SHARES["counters"]


def test_last_logins_of_names_that_somebody_has_stay() -> None:
    flooded = count(accepted(user) for user in FORGED)
    assert len(flooded.last_logins) == MAX_USERS
    assert of(flooded, DROPPED)[(LAST_LOGIN,)] == len(FORGED) - MAX_USERS
    state = count([accepted("alice"), accepted("carol"), accepted("root")], flooded)
    assert len(state.last_logins) == MAX_USERS
    assert {"alice", "root"} <= set(state.last_logins)
    assert "carol" not in state.last_logins, "nobody's; the names before stay"


def _older(pairs: int) -> Counts:
    """Return the state of a version without bounds: forged pairs, and real ones among them."""
    counters: dict[Series, float] = {
        (ESCALATIONS, "sudo", f"u{n}", f"t{n}"): 2.0 for n in range(pairs)
    }
    counters[ESCALATIONS, "sudo", "alice", "root"] = 7.0
    counters[FAILURES, "sshd", "password", ""] = 5.0
    counters[SUCCESSES, "sshd", "password", "alice"] = 3.0
    return Counts()._replace(began=1.0, counters=counters)


@pytest.mark.parametrize("pairs", [1_500, 30_000])
def test_what_an_older_version_counted_is_brought_within_bounds(pairs: int) -> None:
    state = count([sudo("alice")], _older(pairs))
    require_bounds(state)
    assert of(state, ESCALATIONS)["sudo", "alice", "root"] == 8
    assert of(state, FAILURES) == {("sshd", "password", ""): 5}
    assert of(state, SUCCESSES) == {("sshd", "password", "alice"): 3}
    assert of(state, DROPPED)[(ESCALATIONS,)] > 0
    assert ("sudo", "", "") not in of(state, ESCALATIONS), "no burst of what is old"
    assert count([], state) == state


# Addresses of the last hour


def _numbers(state: Counts) -> dict[str, int]:
    return {address: sum(minutes.values()) for address, minutes in state.failures.items()}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 60), max_size=60), max_size=6), st.integers(2, 10))
def test_an_address_is_exact_while_few_others_are_refused(
    looks: list[list[int]], half: int
) -> None:
    """It is never more than it was, and exact where less than half as many others came between."""
    before = counting.MAX_ADDRESSES
    counting.MAX_ADDRESSES = 2 * half
    try:
        state = Counts()
        for number, addresses in enumerate(looks):
            said = (failed(f"192.0.2.{address}") for address in addresses)
            state = count(said, state, now=NOW + 5 * number)
    finally:
        counting.MAX_ADDRESSES = before
    events = [address for addresses in looks for address in addresses]
    found = _numbers(state)
    assert len(found) == min(2 * half, len(set(events))), "as many as there is room for"
    for address in set(events):
        places = [place for place, one in enumerate(events) if one == address]
        between = [
            len(set(events[start + 1 : end]))
            for start, end in zip(places, [*places[1:], len(events)])
        ]
        number = found.get(f"192.0.2.{address}", 0)
        assert number <= len(places)
        if max(between) < half:
            assert number == len(places), (address, between)


def test_who_is_often_refused_cannot_be_hidden_by_many_who_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One attempt a scan among new addresses with two: by numbers alone it began anew each time."""
    monkeypatch.setattr(counting, "MAX_ADDRESSES", 100)
    state = Counts()
    for look in range(60):
        noise = [failed(f"2001:db8:{look:x}:{n:x}::1") for n in range(20) for _ in range(2)]
        state = count([failed("192.0.2.7"), *noise], state, now=NOW + 5 * look)
    assert len(state.failures) == 100
    assert _numbers(state)["192.0.2.7"] == 60


def _hour(addresses: int, now: float) -> dict[str, dict[int, int]]:
    """Return a failure a minute of each of many networks."""
    minutes = range(int(now // MINUTE) - 59, int(now // MINUTE) + 1)
    return {
        f"2001:db8:{number:x}::/64": dict.fromkeys(minutes, 1 + number % 7)
        for number in range(addresses)
    }


def test_an_hour_of_many_addresses_has_bounds_and_keeps_the_highest_exact() -> None:
    state = Counts()._replace(began=1.0, failures=_hour(MAX_ADDRESSES, NOW))
    busiest = [failed("192.0.2.7") for _ in range(500)]
    after = count(busiest, state)
    assert sum(map(len, after.failures.values())) <= MAX_MINUTES
    assert len(format_durable(Durable(after))) <= SHARES["failures"]
    assert parse_durable(format_durable(Durable(after))) == Durable(after)
    found = _numbers(after)
    assert found["192.0.2.7"] == 500
    assert len(found) == MAX_ADDRESSES
    highest = sorted(found, key=lambda one: -found[one])[:20]
    assert all(after.failures[one] == state.failures[one] for one in highest[1:])


@pytest.mark.parametrize("later", [0, 600, 1_234, 3_000, 3_599, 4_200])
def test_by_ten_minutes_a_failure_counts_nine_minutes_too_long_at_most(later: int) -> None:
    state = count([], Counts()._replace(failures=_hour(MAX_ADDRESSES, NOW)))
    now = NOW + later
    found = _numbers(count([], state, now=now))
    for address, minutes in _hour(MAX_ADDRESSES, NOW).items():
        inside = [
            sum(n for minute, n in minutes.items() if minute > now // MINUTE - length)
            for length in (60, 69)
        ]
        assert inside[0] <= found.get(address, 0) <= inside[1]


def test_what_is_old_goes_when_it_is_read_also_where_the_clock_was_wrong() -> None:
    minute = int(NOW // MINUTE)
    failures = {"192.0.2.7": {minute - 60: 1, minute: 2, minute + 100_000: 3}, "::/64": {1: 9}}
    assert count([], Counts()._replace(failures=failures)).failures == {"192.0.2.7": {minute: 2}}


# State


def _state(*rows: str) -> bytes:
    data = '"textfile-users durable","1"\n"began","1.0"\n"boot","","0.0"\n"source","","0.0"\n'
    data += '"forgotten","0.0"\n' + "".join(rows)
    return data.encode() + _end_of(data.encode())


def _rows_of_an_hour(now: float) -> list[str]:
    """Return what an older version kept of 10,000 addresses and 60 minutes."""
    last = int(now // MINUTE)
    return [
        f'"failures","2001:db8:{number:x}::/64","{minute}","1"\n'
        for number in range(10_000)
        for minute in range(last - 60, last)
    ]


ROOTS = '"counter","4.0","users_auth_failures_total","sshd","password","root"\n'
BIG = [
    (lambda: [ROOTS, *_rows_of_an_hour(NOW)], "30 MB of addresses and minutes"),
    (
        lambda: [
            ROOTS,
            *(
                f'"counter","1.0","users_escalations_total","sudo","u{n}","t{n}","success"\n'
                for n in range(250_000)
            ),
        ],
        "18 MB of pairs",
    ),
    (
        lambda: [
            ROOTS,
            *(
                f'"login","event","{n:0500}","ssh","sshd","{n}","","192.0.2.7","1","{NOW}"'
                f',"{NOW}","0.0","","True","True"\n'
                for n in range(20_000)
            ),
        ],
        "long names",
    ),
]


@pytest.mark.parametrize(("rows", "why"), BIG)
def test_a_state_that_is_too_large_heals_within_a_scan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: object, why: str
) -> None:
    run = Run(tmp_path, capsys)
    run.state.mkdir()
    old, path = run.state / OLD_NAMES[DURABLE], run.state / DURABLE
    old.write_bytes(_state(*rows()))  # type: ignore[operator]
    assert old.stat().st_size > MAX_BYTES
    run.host.write("var/log/auth.log", "")
    found = run.counts()
    assert path.stat().st_size <= MAX_BYTES
    assert not old.exists()
    assert found['users_auth_failures_total{method="password",program="sshd",user="root"}'] == 4
    assert found['users_series_dropped{family=""}'] > 0, why
    assert run.output.stat().st_size < 1 << 20
    size = path.stat().st_size
    assert (
        run.counts(at=5)['users_series_dropped{family=""}']
        == found['users_series_dropped{family=""}']
    )
    assert path.stat().st_size <= size


def test_a_state_larger_than_any_was_is_put_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(tmp_path, capsys)
    run.state.mkdir()
    for path, most in (
        (run.state / OLD_NAMES[DURABLE], MAX_READ),
        (run.state / DURABLE, MAX_BYTES),
    ):
        path.touch()
        path.open("r+b").truncate(most + 1)
        assert "counting starts anew" in run()[1]
    assert (run.state / DURABLE).stat().st_size < 10_000


def test_a_large_state_that_is_damaged_is_none(tmp_path: Path) -> None:
    data = _state(ROOTS, *_rows_of_an_hour(NOW))
    (tmp_path / OLD_NAMES[DURABLE]).write_bytes(data.replace(b'"4.0"', b'"5.0"', 1))
    with pytest.raises(ValueError, match="damaged"):
        load_durable(str(tmp_path))


def test_what_waits_has_its_share_of_the_state_and_the_newest_stays(tmp_path: Path) -> None:
    """Pids that have said long names, 10,000 of them, and counters, which all stay."""
    name = '"' * 500
    said = AuthEvent(NOW, 1, 0, failed("192.0.2.7", name))
    counters: dict[Series, float] = {(LOGINS, f"u{n}", "ssh"): 1.0 for n in range(1_000)}
    auth = AuthMemory(
        remembered=tuple(
            (("sshd", pid), Remembered(NOW, "", (said,), "")) for pid in range(10_000)
        ),
        held=(said,) * 3_000,
    )
    state = Durable(Counts(1.0, counters=counters), auth)
    saved = save_durable(str(tmp_path), state)
    assert (tmp_path / DURABLE).stat().st_size <= MAX_BYTES
    found = load_durable(str(tmp_path)).value
    assert found == saved.value
    dropped = found.counts.counters[DROPPED, ""]
    counters[DROPPED, ""] = dropped
    assert found.counts.counters == counters
    assert len(found.auth.remembered) + len(found.auth.held) + dropped == 13_000
    assert found.auth.remembered == auth.remembered[-len(found.auth.remembered) :]
    assert 0 < len(found.auth.held) < 3_000


ROW = st.tuples(st.sampled_from(["a", "b", "c"]), st.text(st.sampled_from('\n",ab"\r'), max_size=8))


@given(st.lists(ROW, max_size=12), st.integers(0, 60), st.integers(0, 60))
def test_rows_are_cut_whole(rows: list[tuple[str, str]], first: int, second: int) -> None:
    """Whatever is in their fields: newlines and quotes that look like the beginning of a row."""
    rows.sort(key=lambda row: row[0])
    texts = [(kind, '"{}","{}"\n'.format(kind, text.replace('"', '""'))) for kind, text in rows]
    body = ('"head"\n' + "".join(text for _, text in texts)).encode()
    cut, dropped = within(body + _end_of(body), {"a": first, "b": second}, oldest="a")
    expected = [
        *_fitting([text for kind, text in texts if kind == "a"], first),
        *reversed(_fitting([text for kind, text in reversed(texts) if kind == "b"], second)),
        *(text for kind, text in texts if kind == "c"),
    ]
    kept = ('"head"\n' + "".join(expected)).encode()
    assert cut == kept + _end_of(kept)
    assert dropped == len(texts) - len(expected)


def _fitting(texts: list[str], share: int) -> list[str]:
    """Return as many of the first as there is room for."""
    if sum(map(len, texts)) <= share:
        return texts
    kept: list[str] = []
    for text in texts:
        if sum(map(len, kept)) + len(text) > share:
            break
        kept.append(text)
    return kept


def test_the_volatile_state_has_a_bound_and_what_is_cut_is_read_again(tmp_path: Path) -> None:
    """Half of the connections would be taken for all: none are kept then."""
    connections = tuple(
        Connection("ssh", f"2001:db8::{number:x}", 1, number) for number in range(12_000)
    )
    places = {(pid, 10 * pid): (f"{pid}", -1, 1000, 1000) for pid in range(200_000)}
    sessions = {
        (f"{n}", "u" * 32, "t" * 32, "ssh", "h" * 256, "192.0.2.7"): NOW for n in range(20_000)
    }
    state = Volatile(
        SessionsMemory(sessions),
        accounts.NOTHING,
        ProcessesMemory(places=places),
        ConnectionsMemory("1", NOW, connections),
    )
    saved = save_volatile(str(tmp_path), state, "boot")
    assert (tmp_path / VOLATILE).stat().st_size <= MAX_BYTES
    found = load_volatile(str(tmp_path), "boot").value
    assert found == saved.value
    assert found.connections == ConnectionsMemory()
    assert found.processes.places.items() < places.items()
    assert found.sessions.known is not None
    assert found.sessions.known.items() < sessions.items()


def test_a_volatile_state_of_an_older_version_that_is_too_large_is_forgotten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(tmp_path, capsys)
    run.state.mkdir()
    path = run.state / OLD_NAMES[VOLATILE]
    path.write_bytes(b"x" * (MAX_BYTES + 1))
    status, said = run()
    assert (status, said.count("\n")) == (0, 1)
    assert run(at=5) == (0, "")
    assert (run.state / VOLATILE).stat().st_size < 10_000


# Sessions that nothing records


def _session(user: str, type_: str, start: float, leader: int) -> Session:
    return Session(f"pid:{leader}", user, "", type_, "other", "", "", "", start, leader)


MOSH = [_session("alice", "mosh", 100 + n, n) for n in range(80)]
VIEWERS = [_session("alice", "vnc", 0.0, 7) for _ in range(80)]
SUBUIDS = [_session(f"{100_000 + n}", "mosh", 100 + n, n) for n in range(80)]
BOB = _session("bob", "mosh", 50, 900)
SSH = _session("alice", "ssh", 5_000, 901)


@pytest.mark.parametrize(
    ("found", "places", "kept", "why"),
    [
        (MOSH, 10_000, MOSH[:50], "the first stay"),
        ([*MOSH, BOB], 10_000, [BOB, *MOSH[:50]], "each user's"),
        ([*MOSH, SSH], 10_000, [*MOSH[:49], SSH], "root's sshd says so"),
        ([*VIEWERS, *MOSH[:2]], 10_000, [*VIEWERS[:48], *MOSH[:2]], "viewers come last"),
        ([*SUBUIDS, BOB], 10_000, [BOB, *SUBUIDS[:50]], "uids of nobody are somebody's"),
        ([*MOSH, BOB], 10, MOSH[40:50], "beside those that are recorded the newest"),
        ([*MOSH, BOB], 0, [], "no place beside those that are recorded"),
    ],
)
def test_sessions_that_nothing_records_are_bounded(
    found: list[Session], places: int, kept: list[Session], why: str
) -> None:
    assert bounded(found, places) == kept, why


@pytest.mark.parametrize("comm", ["mosh-server", "tmux: server"])
def test_a_users_processes_are_fifty_sessions_at_most(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], comm: str
) -> None:
    """All of them are processes, and sessions by the user whose they are."""
    run = Run(tmp_path, capsys)
    run.host.process(1000, "sshd")
    run.host.utmp(Record(user="root"))
    for pid in range(2_000, 2_400):
        run.host.process(pid, comm, start=BOOT + pid, uid=1000)
    assert run() == (0, "")
    found = run.samples()
    sessions = [name for name in found if name.startswith("users_session_info")]
    assert len(sessions) == 51
    assert any('user="root"' in name for name in sessions)
    assert len([name for name in found if name.startswith("users_session_")]) < 400
    assert found['users_series_dropped{family="users_session_info"}'] == 350
    run.host.process(2_500, comm, start=BOOT + 2_500, uid=1000)
    run(at=5)
    again = [name for name in run.samples() if name.startswith("users_session_info")]
    assert again == sessions, "those that were there stay"


def test_uids_without_a_name_push_out_nobody_who_has_one() -> None:
    used = {f"{100_000 + n}": 100.0 for n in range(2_000)}
    samples, dropped = by_user({**used, "alice": 1.0, "root": 0.5}, "root")
    assert {("alice",), ("root",)} <= {labels for labels, _ in samples}
    assert (len(samples), dropped) == (MAX_USERS, 1_002)


# The file


def _families(*numbers: int) -> list[object]:
    return [
        family(
            f"users_{index}_total",
            "What.",
            ("user",),
            [((f"u{n:0{9 + n % 200}}",), 1.0) for n in range(number)],
        )
        for index, number in enumerate(numbers)
    ]


TELLING = family(DROPPED, "Series.", ("family",), [(("users_0_total",), 1.0), (("b",), 0.0)])
DURATION = histogram("users_time", "", ("t",), [(("a",), [("1", 1.0), ("+Inf", 2.0)], 3.0)])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2_000), min_size=1, max_size=5), st.integers(20_000, 300_000))
def test_the_file_is_within_its_limit_and_whole(numbers: list[int], limit: int) -> None:
    families = [*_families(*numbers), DURATION, TELLING]
    whole = render(families)  # type: ignore[arg-type]
    text = render_within(families, limit, DROPPED).decode()  # type: ignore[arg-type]
    if len(whole) <= limit:
        assert text == whole
        return
    assert len(text) <= limit
    lines, before = text.split("\n"), whole.split("\n")
    assert lines[-1] == ""
    told = {line.split('"')[1]: float(line.split()[-1]) for line in lines if DROPPED + "{" in line}
    assert told.pop("b") == 0
    told["users_0_total"] -= 1
    assert told.pop("") == sum(told.values()), "the sum of all that is told"
    missing = set(before) - set(lines) - {f'{DROPPED}{{family="users_0_total"}} 1.0'}
    assert sum(told.values()) == len(missing)
    assert not any(line.startswith("#") for line in missing)
    smallest = [line for line in before if line.startswith("users_time")]
    assert set(smallest) <= set(lines), "a small family is whole"
    for index in range(len(numbers)):
        name = f"users_{index}_total{{"
        left_out = [len(line) for line in missing if line.startswith(name)]
        kept_ones = [len(line) for line in lines if line.startswith(name)]
        assert max(kept_ones, default=0) <= min(left_out, default=1 << 30), "long ones go first"


def test_a_share_that_is_left_goes_to_others() -> None:
    families = _families(5, 2_000)
    whole = [len(render([one])) for one in families]  # type: ignore[list-item]
    limit = sum(whole) - 1_000
    text = render_within(families, limit)  # type: ignore[arg-type]
    assert limit - 20_000 <= len(text) <= limit


def test_lines_end_in_newlines_alone() -> None:
    """A carriage return in a label is no end of a line."""
    names = [((f"u\r{number:0200}",), 1.0) for number in range(1_000)]
    text = render_within([family("a", "", ("user",), names)], 100_000)
    assert all(line.startswith(b'a{user="u\r') for line in text.split(b"\n")[2:-1])


def full_host(run: Run) -> None:
    """Make a host with much of everything that the file tells of."""
    for number in range(2_000):
        run.host.logind(
            f"c{number}",
            USER=f"user{number % 1_000}" + "x" * 20,
            LEADER=1,
            REMOTE_HOST=f"{number}" + "h" * 200,
            TTY=f"pts/{number}",
            REALTIME=(BOOT + number) * 1_000_000,
        )
    run.state.mkdir()
    accounts = [f"user{number}" + "x" * 20 for number in range(1_000)]
    counters = {
        (
            name,
            f"service{kind}",
            *(["method"] * (name != ESCALATIONS)),
            *([user] * len(USERS[name])),
        ): 1e9
        for name in (SUCCESSES, FAILURES, ESCALATIONS)
        for kind in range(8)
        for user in accounts[:200]
    }
    run.host.write("etc/passwd", "".join(f"{user}:x:1:1::/:/bin/sh\n" for user in accounts))
    counts = Counts(1.0, counters=counters)
    save_durable(str(run.state), Durable(counts, AuthMemory(source="authlog")))
    run.host.write("var/log/auth.log", "")


def test_the_file_of_a_host_with_too_much_is_written_and_promtool_takes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "MAX_FILE", MAX_FILE // 8)
    run = Run(tmp_path, capsys)
    full_host(run)
    sets = "users,what,unix-user,ssh,user-sessions,ssh-sessions"
    assert run("--metrics", sets) == (0, "")
    data = run.output.read_bytes()
    assert MAX_FILE * 0.9 < 8 * len(data) <= MAX_FILE
    assert (run.state / DURABLE).stat().st_size <= MAX_BYTES
    assert (run.state / VOLATILE).stat().st_size <= MAX_BYTES
    names = [line.split(b" ")[2] for line in data.split(b"\n") if line.startswith(b"# TYPE")]
    assert len(names) == len(set(names))
    assert any(value for name, value in run.samples().items() if name.startswith(DROPPED))
    if shutil.which("promtool"):
        done = subprocess.run(
            ["promtool", "check", "metrics"], input=data, capture_output=True, check=False
        )
        assert not done.stderr.startswith(b"error"), done.stderr[:500]
        assert b"parsing" not in done.stderr


@given(
    st.lists(st.sampled_from((0, 0, 1, 0xABC, 0xFFFF)), min_size=8, max_size=8),
    st.sampled_from((str, lambda ip: ip.exploded, lambda ip: ip.exploded.upper())),
)
def test_an_ipv6_address_counts_as_its_network(groups: list[int], write: Any) -> None:
    """Written as ipaddress writes it, however the log has written the address."""
    ip = ipaddress.IPv6Address(sum(group << 16 * (7 - at) for at, group in enumerate(groups)))
    expected = str(ipaddress.IPv6Network((int(ip), 64), strict=False))
    assert addresses_module.network_of(write(ip), {}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("64:ff9b::192.0.2.1", "64:ff9b::/64"),  # the last two groups as IPv4
        ("1:2:3:4:5:6:192.0.2.1", "1:2:3:4::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_addresses_in_other_forms(text: str, expected: str) -> None:
    assert addresses_module.network_of(text, {}) == expected


@pytest.mark.parametrize("comm", ["screen", "Xvnc", "sshd"])
@pytest.mark.parametrize("uids", [1, 9_000], ids=["one user", "lent uids"])
def test_processes_named_like_programs_have_few_command_lines_read(comm: str, uids: int) -> None:
    """Thirty thousand command lines are more than fit in a collector's time."""
    real = [
        Process(pid, comm, 1, BOOT + 90_000.0, uid=uid)
        for pid, uid in ((90_001, 0), (90_002, 0), (90_003, 1001))
    ]
    systemd = Process(1, "systemd", 0, BOOT + 1.0, uid=0)
    flood = [Process(100 + n, comm, 1, BOOT + 5.0, uid=100_000 + n % uids) for n in range(9_000)]
    processes = [systemd, *flood, *real]
    wanted = titles_wanted((), processes, by_logind=True)
    servers = {one.pid for one in known_servers(processes)}
    found = wanted if comm == "screen" else servers
    assert len(found) <= MAX_TITLES + 10
    assert {one.pid for one in real} <= found
    assert comm == "screen" or 1 in servers, "it may listen for them"


@pytest.mark.parametrize(
    ("read_until", "at", "expected", "why"),
    [
        (0.0, NOW + 10, NOW + 10, "now, by a clock that is a little ahead"),
        (0.0, NOW + 7200, None, "still to come"),
        (NOW + 9000, NOW + 7200, NOW + 7200, "the clock is not set yet: the log has been there"),
    ],
)
def test_a_last_login_is_not_to_come(
    read_until: float, at: float, expected: float | None, why: str
) -> None:
    counting_ = Counting(Counts(), NOW, (), lambda: ("alice",), read_until)
    counting_.last_login("alice", at)
    assert counting_.result().last_logins.get("alice") == expected, why
