"""The sets of other exporters: columns, settings, what ends, and registries."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tests.hosts import NOW, Record, Run, busy_host
from textfile_users import Collector
from textfile_users.metrics import SETS, families_of
from textfile_users.metrics.ssh_sessions import columns, interval, login_time
from textfile_users.sessions.activity import Activity
from textfile_users.sessions.session import Session
from textfile_users.snapshot import Snapshot

OTHERS = SETS[1:]
MERGED = (
    "what_each_session_currently_active",
    "unix_user_session_info",
    "user_sessions_session_active",
    "ssh_session_info",
)
ADDED = (
    "what_user_sessions_currently_active",
    "unix_user_session_count",
    "unix_user_session_by_ip",
    "ssh_num_sessions",
    "ssh_sessions_total",
)


def session(**changed: object) -> Session:
    plain = Session("1", "alice", "pts/0", "ssh", "sshd", "", "192.0.2.7", "", NOW - 60, 1000)
    return plain._replace(**changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "fractions", "text"),
    [
        (0, True, "0.00s"),
        (5.25, True, "5.25s"),
        (0.29, True, "0.29s"),
        (5.25, False, "5.00s"),
        (60, True, "60.00s"),
        (61, True, "1:01"),
        (3599, False, "59:59"),
        (3600, False, "1:00m"),
        (172_799, False, "47:59m"),
        (172_800, False, "2days"),
        (1e9, False, "11574days"),
    ],
)
def test_times_are_those_of_w(seconds: float, fractions: bool, text: str) -> None:
    assert interval(seconds, fractions) == text


@pytest.mark.parametrize(
    ("ago", "text", "why"),
    [
        (60, "09:32", "today"),
        (11 * 3600, "22:33", "less than twelve hours ago, though yesterday"),
        (13 * 3600, "Sat20", "yesterday"),
        (43_200, "21:33", "w's clock has whole seconds: not more than twelve hours"),
        (43_201, "Sat21", "more than twelve hours"),
        (6 * 86_400, "Mon09", "a week ago, nearly"),
        (7 * 86_400, "30Nov25", "a week ago"),
        (1e18, "?", "a damaged record's year"),
    ],
)
def test_login_times_are_those_of_w(ago: float, text: str, why: str) -> None:
    assert login_time(NOW - ago, NOW) == text, why


def test_columns_of_w() -> None:
    activity = Activity(9.0, 4, NOW - 75, 12, 1.5, "vi x", 3.25)
    expected = ("alice", "pts/0", "192.0.2.7", "09:32", "1:15", "3.25s", "1.50s", "vi x")
    assert columns(session(), activity, NOW) == expected
    named = session(host="host.example", tty="", start=0.0)
    assert columns(named, None, NOW) == ("alice", "", "host.example", "?", "?", "?", "?", "-")
    ahead = Activity(9.0, 4, NOW + 75, 0, 0.0, "", 0.0)
    assert columns(session(), ahead, NOW)[4] == "0.00s", "the clock was set back"


# What `w` and `w -i` of procps 4.0.2 print of such a record, but for their columns' width.
@pytest.mark.parametrize(
    ("recorded", "host", "ip", "plain", "numeric"),
    [
        ("host.example.org", "host.example.org", "192.0.2.7", "host.example.org", "192.0.2.7"),
        ("host.example.org", "host.example.org", "", "host.example.org", "host.example.org"),
        (":0", "", "", ":0", ":0"),
        (":0", "", "192.0.2.7", ":0", "192.0.2.7:0"),
        ("host.example.org:10.0", "host.example.org", "192.0.2.7", "host.example.org:10.0",
         "192.0.2.7:10.0"),
        ("fe80::1%eth0", "", "fe80::1", "fe80::1%eth0", "fe80::1%eth0"),
        ("2001:db8::10", "", "2001:db8::10", "2001:db8::10", "2001:db8::10"),
        ("192.0.2.7 via mosh [123]", "", "192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("", "", "192.0.2.9", "192.0.2.9", "192.0.2.9"),
        ("", "", "", "-", "-"),
    ],
)  # fmt: skip
def test_hosts_are_those_of_w(recorded: str, host: str, ip: str, plain: str, numeric: str) -> None:
    one = session(recorded=recorded, host=host, ip=ip)
    assert columns(one, None, NOW)[2] == plain
    assert (one.numeric or "-") == numeric


def test_command_lines_are_those_of_w() -> None:
    """A tab is a control byte to it, a newline a blank; letters beyond ASCII stay."""
    activity = Activity(9.0, 4, NOW - 75, 12, 1.5, "a\x01b\tc\nd\x7f\xe9 e", 3.25)
    assert columns(session(), activity, NOW)[-1] == "a?b?c d?\xe9 e"


@pytest.mark.parametrize("name", OTHERS)
def test_where_sessions_are_not_known_none_are_counted(name: str) -> None:
    found = {one.name: one for one in families_of(name, Snapshot(NOW, None))}
    assert set(found) <= {"what_up", "user_sessions_up", "user_sessions_scrape_duration_seconds"}
    for up in ("what_up", "user_sessions_up"):
        if up in found:
            assert [sample.value for sample in found[up].samples] == [0]


@pytest.mark.parametrize("name", OTHERS)
def test_sessions_with_the_same_labels_are_one_sample(name: str) -> None:
    twice = Snapshot(NOW, (session(), session(id="2", leader=1001)))
    for one in families_of(name, twice):
        labels = [tuple(sample.labels.items()) for sample in one.samples]
        assert len(labels) == len(set(labels))
    values = {
        one.name: [sample.value for sample in one.samples] for one in families_of(name, twice)
    }
    for family in MERGED:
        assert values.get(family, [1]) == [1]
    for family in ADDED:
        assert values.get(family, [2]) == [2]


def test_what_has_ended_is_zero_for_five_minutes(run: Run) -> None:
    run.host.process(1000, "sshd")
    run.host.utmp(Record(host="192.0.2.7", ip="192.0.2.7"))
    run("--metrics", "what,ssh")
    names = [
        'what_user_sessions_currently_active{user="alice"}',
        'what_each_session_currently_active{ip="192.0.2.7",tty="pts/0",user="alice"}',
        'ssh_num_sessions{remote_ip="192.0.2.7"}',
    ]
    assert [run.samples()[name] for name in names] == [1, 1, 1]
    run.host.utmp()
    for at, expected in ((5, [0, 0, 0]), (304, [0, 0, 0]), (306, [None] * 3)):
        run("--metrics", "what,ssh", at=at)
        assert [run.samples().get(name) for name in names] == expected
    assert run.samples()['what_up{version="0.1.0"}'] == 1


def test_a_session_that_comes_back_is_one_again(run: Run) -> None:
    run.host.process(1000, "sshd")
    name = 'what_each_session_currently_active{ip="192.0.2.7",tty="pts/0",user="alice"}'
    for at, there in ((0, True), (5, False), (10, True)):
        run.host.utmp(*([Record(host="192.0.2.7", ip="192.0.2.7")] if there else []))
        run("--metrics", "what", at=at)
        assert run.samples()[name] == there


def test_the_prefix(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("--metrics", "what", "--metrics-prefix", "my_w")
    assert {name.partition("{")[0] for name in run.samples()} == {"my_w_up"}
    run("--metrics", "what", "--metrics-prefix", "")
    assert {name.partition("{")[0] for name in run.samples()} == {"what_up"}, "version 2"
    for wrong in ("9x", "a-b", "users", "user_sessions", "a b"):
        assert run("--metrics-prefix", wrong)[0] == 2, wrong


def test_settings_of_user_sessions_by_environment(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.host.process(700, "worker", uid=1000)
    run.host.process(701, "worker", uid=1001)
    table = "   0: 0A0200C0:08AE 070200C0:9C40 01 0:0 00:0 0 0 0 12\n"
    run.host.write("proc/1/net/tcp", "  sl  local_address\n" + table)
    monkeypatch.setenv("EXCLUDE_USERS", "alice,carol")
    monkeypatch.setenv("SSH_PORTS", "22,2222")
    run("--metrics", "user-sessions")
    samples = run.samples()
    assert 'user_sessions_process_count{username="alice"}' not in samples
    assert samples['user_sessions_process_count{username="bob"}'] == 1
    assert samples["user_sessions_ssh_connections"] == 1
    run("--metrics", "users", at=5)
    assert run.samples()['users_processes{user="alice"}'] == 1, "they belong to that set"
    monkeypatch.setenv("LOG_LEVEL", "debug")
    run.host.process(1000, "sshd")
    run.host.utmp(Record(user="bob", host="192.0.2.7"))
    assert "session begun: pts/0 of bob" in run("--metrics", "user-sessions", at=10)[1]
    monkeypatch.setenv("SSH_PORTS", "22,x")
    status, said = run("--metrics", "user-sessions", at=15)
    assert (status, said) == (2, "textfile-users: $SSH_PORTS: 'x' is not a port from 1 to 65535\n")


def test_the_share_of_cpu_time_is_of_the_last_interval_and_all_processors(run: Run) -> None:
    """Not that of a process's life, and at most 1."""
    run.host.write("proc/stat", "cpu  1 2 3\ncpu0 1 2\ncpu1 1 2\nbtime 1765000000\n")
    run.host.process(700, "worker", uid=1000)
    run("--metrics", "user-sessions")
    name = 'user_sessions_cpu_ratio{username="alice"}'
    assert name not in run.samples(), "nothing to compare with"
    stat = Path(run.host.path("proc/700/stat"))
    text = stat.read_text()
    for at, used, share in ((10, 500, 0.25), (20, 500, 0.0), (30, 100_500, 1.0)):
        stat.write_text(text.replace(" 5 6 7 8 ", f" {5 + used} 6 7 8 "))
        run("--metrics", "user-sessions", at=at)
        assert round(run.samples()[name], 3) == share


def test_command_lines_come_with_the_set_that_shows_them(run: Run) -> None:
    run("--metrics", "ssh-sessions,users")
    assert run.samples()["ssh_sessions_total"] == 0


@pytest.mark.parametrize("name", OTHERS)
def test_sets_in_a_registry(tmp_path: Path, name: str) -> None:
    host = busy_host(str(tmp_path), 3)
    registry = CollectorRegistry(auto_describe=True)
    registry.register(Collector(root=host.root, sets=(name,)))
    described = {one.name for one in Collector(root=host.root, sets=(name,)).describe()}
    text = generate_latest(registry).decode()
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert families
    assert {family.replace("root_logins_total", "root_logins") for family in families} <= described
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(Collector(root=host.root, sets=(name,)))


def test_sets_that_are_not_known_are_refused() -> None:
    with pytest.raises(ValueError, match="no metric sets: nonsense"):
        Collector(sets=("users", "nonsense"))
