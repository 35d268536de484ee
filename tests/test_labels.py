"""The `users` set's labels and series, whatever the host's text, its types and its past."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.hosts import NOW, Host, Run
from textfile_users import counting
from textfile_users.accounts.account import Account
from textfile_users.collecting import AUTH, HISTORY
from textfile_users.counting import FAILURES, SUCCESSES, USERS
from textfile_users.metrics import sums, users
from textfile_users.metrics.family import render
from textfile_users.metrics.redaction import hider, redact
from textfile_users.metrics.slices import FAMILIES as SLICES
from textfile_users.metrics.users import FAMILIES
from textfile_users.older_memory import _end_of
from textfile_users.sessions.activity import Activity
from textfile_users.sessions.session import Session
from textfile_users.snapshot import CollectorReport, Snapshot
from textfile_users.state_files import DURABLE, OLD_NAMES

OLD_STATE = Path(__file__).with_name("fixtures") / "durable-1.csv"
SSH = 'session_type="ssh"'
HISTOGRAM = "users_session_duration_seconds"
# Labels that Prometheus, service discovery and people give to targets.
TARGET_LABELS = {
    "service", "host", "instance", "job", "env", "name", "role", "ip", "group", "type", "target",
    "network", "namespace", "pod",
}  # fmt: skip


def test_no_label_is_one_that_targets_have() -> None:
    for name, (_, labels) in {**FAMILIES, **SLICES}.items():
        assert not TARGET_LABELS & set(labels), name


def test_families_of_a_session_join_on_the_same_labels() -> None:
    for name, (_, labels) in FAMILIES.items():
        if "session" in labels:
            assert labels[:2] == ("session", "user"), name
            assert "tty" not in labels or name == "users_session_info", name


# Text


HOSTILE = [
    ('a"b', "ends a value"),
    ("a\\", "escapes the quote behind it"),
    ("a\nusers_logged_in 9", "ends a line"),
    ('x",user="root', "begins another label"),
    ("a\r\x00\x1b[2J", "steers a terminal"),
    ("\\xff\\xfe", "bytes that are not UTF-8, as they are decoded"),
    ("🙂" * 200, "is longer than a label, and ends in the middle of a character"),
    ("", "is not there"),
]


def hostile(text: str) -> Snapshot:
    """Return a scan that has the text in each label that the host's text gets into."""
    session = Session(
        text or "1", text, text, "ssh", "sshd", text, "192.0.2.7", "", NOW, 1000, text
    )
    return Snapshot(
        NOW,
        (session, session._replace(id="2")),
        collectors=(CollectorReport(AUTH, True, 0.0), CollectorReport(HISTORY, True, 0.0)),
        auth_log="authlog",
        counters={
            (name, *(text if place in places else "sudo" for place in range(1, 4))): 1.0
            for name, places in USERS.items()
            if name not in (SUCCESSES, FAILURES)
        },
        last_logins={text: NOW},
        accounts=(Account(text, 1000, text, text),),
        activities={text or "1": Activity(1.5, 2, NOW - 5, 1000, 1.0, text, 1.0)},
        cpu_seconds={text: 1.5},
        usages={text: (4096, 2)},
        failures={"192.0.2.7": {int(NOW // 60): 3}},
    )


@pytest.mark.parametrize(("text", "why"), HOSTILE, ids=[why for _, why in HOSTILE])
def test_hostile_text_is_a_value_and_nothing_else(text: str, why: str) -> None:
    snapshot = hostile(text)
    hidden = redact(snapshot, ("user", "host", "ip"), b"k" * 32)
    for shown in (snapshot, hidden):
        families = list(users.families(shown))
        read = {one.name: one for one in text_string_to_metric_families(render(families))}
        assert set(read) == {one.name for one in families}, why
        for one in families:
            labels = FAMILIES[one.name + "_total" * (one.type == "counter")][1]
            found = [tuple(sorted(sample.labels.items())) for sample in read[one.name].samples]
            assert len(found) == len(one.samples)
            names = [sample.name for sample in read[one.name].samples]
            assert len({*zip(names, found)}) == len(found), f"{one.name}: no label set twice"
            for pairs in found:
                assert {name for name, _ in pairs} - {"le"} == set(labels), one.name
                assert all(len(value.encode()) <= 128 for _, value in pairs)
    if len(text) > 2:
        hide = hider(("user",), b"k" * 32)
        assert hide("user", text) in render(users.families(hidden))


# Series


def host_with_sessions(run: Run, **sessions: str) -> None:
    """Let the host have just these sessions, a type each, by their ids."""
    directory = Path(run.host.path("run/systemd/sessions"))
    for path in directory.iterdir():
        path.unlink()
    for number, (ident, type_) in enumerate(sorted(sessions.items())):
        kind = {"TTY": "tty1", "SERVICE": "login", "REMOTE": 0} if type_ == "tty" else {}
        run.host.logind(ident, LEADER=1000 + number, REALTIME=int(NOW - 60) * 1_000_000, **kind)


def histogram(run: Run) -> dict[str, float]:
    """Return the numbers of ended sessions by type."""
    start = HISTOGRAM + "_count{"
    found = {name: value for name, value in run.samples().items() if name.startswith(start)}
    return {name[len(start) : -1]: value for name, value in found.items()}


@pytest.fixture
def run(run: Run) -> Run:
    run.host.write("etc/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n")
    run.host.write("var/log/auth.log", "")
    return run


def line(host: Host, at: float, text: str) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(NOW + at))
    with open(host.path("var/log/auth.log"), "a") as file:
        file.write(f"{stamp} host {text}\n")


def test_a_histogram_begins_with_the_first_session_of_its_type(run: Run) -> None:
    """At zero, so that increase() sees the first end. It stays with the state."""
    seen = []
    for number in range(10):
        if number == 3:
            line(run.host, 14, "sshd[1000]: Accepted password for alice from 192.0.2.7 port 1 ssh2")
            host_with_sessions(run, c1="ssh")
        if number == 6:
            line(run.host, 29, "sshd[1000]: pam_unix(sshd:session): session closed for user alice")
            host_with_sessions(run)
        if number == 8:
            host_with_sessions(run, c2="tty")
        assert run(at=5.0 * number) == (0, "")
        seen.append(histogram(run))
    both = {SSH: 1.0, 'session_type="tty"': 0.0}
    assert seen == [*[{}] * 3, *[{SSH: 0.0}] * 3, *[{SSH: 1.0}] * 2, both, both]


def test_a_histogram_begins_with_a_login_that_only_the_log_has(run: Run) -> None:
    run()
    line(run.host, 4, "sshd[1000]: Accepted password for alice from 192.0.2.7 port 1 ssh2")
    run(at=5)
    assert histogram(run) == {SSH: 0}
    line(run.host, 9, "sshd[1000]: pam_unix(sshd:session): session closed for user alice")
    run(at=10)
    assert histogram(run) == {SSH: 1}


@pytest.mark.parametrize(
    ("session", "begins", "why"),
    [
        ({}, True, "a login"),
        ({"type": "multiplexer"}, False, "a window is no login: none of its ends counts"),
        ({"service": "sudo"}, False, "nor is a change of user"),
        ({"type": "vnc", "start": 0.0}, False, "nobody recorded when it began"),
    ],
)
def test_only_types_whose_ends_count_begin(
    session: dict[str, object], begins: bool, why: str
) -> None:
    made = Session("1", "alice", "pts/0", "ssh", "sshd", "", "", "", NOW, 1000)
    made = made._replace(**session)  # type: ignore[arg-type]
    found = counting.Counting(counting.Counts(), NOW, (made,), lambda: ()).result().counters
    assert ((counting.DURATION_SUM, made.type) in found) == begins, why


def test_what_was_dropped_is_told_by_family_and_as_a_sum() -> None:
    counters: dict[tuple[str, ...], float] = {
        (counting.DROPPED, "users_logins_total"): 3.0,
        (counting.DROPPED, "users_auth_failures_last_hour"): 4.0,
        (counting.DROPPED, ""): 5.0,
    }
    session = Session("1", "alice", "", "ssh", "sshd", "", "", "", NOW, 1000)
    snapshot = Snapshot(NOW, (session,), counters=counters, dropped=2)

    def told(families: object) -> dict[str, float]:
        (one,) = [one for one in families if one.name == counting.DROPPED]  # type: ignore[attr-defined]
        return {sample.labels["family"]: sample.value for sample in one.samples}

    assert told(users.families(snapshot)) == {
        "users_logins_total": 3, "users_auth_failures_last_hour": 4, "users_session_info": 2,
        "users_session_start_timestamp_seconds": 2, "": 16,
    }  # fmt: skip
    assert told(sums.families(snapshot)) == {"users_logins_total": 3, "": 8}, "of what is shown"
    assert told(users.families(Snapshot(NOW, (session,)))) == {"": 0}, "nothing was"


@pytest.mark.parametrize(
    ("flags", "count"),
    [((), 0), (("--network", "a=192.0.2.0/24", "--network", "b=2001:db8::/32"), 2)],
)
def test_networks_are_counted(run: Run, flags: tuple[str, ...], count: int) -> None:
    for more in ((), ("--aggregate-only",)):
        run(*flags, *more)
        assert run.samples()["users_networks"] == count


# The state of the version before


def test_a_state_of_the_version_before_goes_on(run: Run) -> None:
    text = OLD_STATE.read_text().replace("@ROOT@", run.host.root)
    run.state.mkdir()
    path = run.state / OLD_NAMES[DURABLE]
    path.write_bytes(text.encode() + _end_of(text.encode()))
    who = 'program="{}",target_user="root",user="{}"'
    old = {
        f"users_escalations_total{{{who.format('sudo', 'alice')}}}": 2,
        f"users_escalation_failures_total{{{who.format('sudo', 'bob')}}}": 1,
        f"users_escalation_failures_total{{{who.format('su', 'alice')}}}": 1,
        'users_reboots_total{kind="clean"}': 2,
        'users_reboots_total{kind="crash"}': 0,
        f"{HISTOGRAM}_count{{{SSH}}}": 1,
        f"{HISTOGRAM}_sum{{{SSH}}}": 40,
        'users_auth_failures_total{method="password",program="sshd",user="root"}': 1,
        'users_logins_total{session_type="ssh",user="alice"}': 1,
    }

    def counted() -> dict[str, float]:
        begin = ("users_escalation", "users_reboots", HISTOGRAM + "_count", HISTOGRAM + "_sum")
        return {
            name: value
            for name, value in run.samples().items()
            if name in old or name.startswith(begin)
        }

    assert run(at=5)[0] == 0
    assert counted() == old
    line(run.host, 6, "sudo[9]: alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/true")
    line(run.host, 6, "su[8]: FAILED SU (to root) alice on pts/1")
    run(at=10)
    run(at=15)
    old[f"users_escalations_total{{{who.format('sudo', 'alice')}}}"] += 1
    old[f"users_escalation_failures_total{{{who.format('su', 'alice')}}}"] += 1
    assert counted() == old
    assert not path.exists()
    assert (run.state / DURABLE).read_text().startswith('["textfile-users durable",3]\n')
    run(at=20)
    assert counted() == old, "what was taken over is not taken over again"
