"""`--aggregate-only`: sums, and nothing by user, session, address or account."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import BOOT, NOW, Record, Run
from tests.test_redaction import SECRETS, full
from textfile_users import run as collect_module
from textfile_users.auth.pam_services import USES
from textfile_users.auth.patterns import ASKED_AS, PAM_ESCALATION
from textfile_users.counting import DURATION
from textfile_users.metrics import sums, users
from textfile_users.metrics.family import Family, render
from textfile_users.metrics.slices import FAMILIES as SLICES
from textfile_users.metrics.users import FAMILIES
from textfile_users.sessions.session import Session
from textfile_users.snapshot import Snapshot

# What becomes of each family: one that is added fails here until that is decided.
GO = {
    "users_session_info",
    "users_session_start_timestamp_seconds",
    "users_session_last_activity_timestamp_seconds",
    "users_session_cpu_seconds",
    "users_session_processes",
    "users_session_command_info",
    "users_last_login_timestamp_seconds",
    "users_auth_failures_last_hour",
    "users_account_info",
}
SUMMED = {
    "users_sessions",
    "users_logins_total",
    "users_auth_successes_total",
    "users_auth_failures_total",
    "users_escalations_total",
    "users_escalation_failures_total",
    "users_cpu_seconds_total",
    "users_memory_resident_bytes",
    "users_processes",
    *SLICES,
}
STAY = {
    "users_logged_in",
    "users_sessions_closing",
    "users_session_duration_seconds",
    "users_reboots_total",
    "users_auth_probes_total",
    "users_auth_log_lines_total",
    "users_records_skipped_total",
    "users_remote_connections",
    "users_source_available",
    "users_records_unusable",
    "users_series_dropped",
    "users_networks",
    "users_collector_success",
    "users_collector_duration_seconds",
    "users_run_timestamp_seconds",
    "users_build_info",
}


def exported(family: Family) -> str:
    return family.name + "_total" * (family.type == "counter")


def by_name(snapshot: Snapshot) -> dict[str, Family]:
    return {exported(one): one for one in sums.families(snapshot)}


def test_it_is_decided_what_becomes_of_each_family() -> None:
    assert {*FAMILIES, *SLICES} == GO | SUMMED | STAY
    assert sums.LEFT_OUT == GO
    found = by_name(full())
    assert set(found) == (SUMMED | STAY)
    for name in SUMMED:
        assert {sample.labels["user"] for sample in found[name].samples} == {""}, name
        assert {sample.labels.get("target_user", "") for sample in found[name].samples} == {""}, (
            name
        )
    before = {exported(one): one for one in users.families(full())}
    for name in STAY - {"users_series_dropped"}:
        assert found[name] == before[name], name
    dropped = {sample.labels["family"] for sample in found["users_series_dropped"].samples}
    assert dropped
    assert not dropped & GO


def test_nobody_is_named() -> None:
    text = render(sums.families(full()))
    for secret in (*SECRETS, "root"):
        assert secret not in text
    assert not re.search("(session|tty|remote_ip|remote_host|uid|real_name)=", text)


def test_sums_are_those_of_all_users() -> None:
    """Where `users` writes so many samples, all of them add up; bounds leave nobody out."""
    people = 1_500
    names = [f"u{number}" for number in range(people)]
    sessions = tuple(
        Session(str(n), name, "", "ssh", "sshd", "", "192.0.2.7", "", NOW, n + 2)
        for n, name in enumerate(names)
    )
    counters: dict[tuple[str, ...], float] = {
        ("users_logins_total", name, "ssh"): 2.0 for name in names
    }
    snapshot = full()._replace(
        sessions=sessions,
        counters=counters,
        cpu_seconds=dict.fromkeys(names, 0.5),
        usages=dict.fromkeys(names, (4096, 3)),
    )
    values = {
        (name, *sample.labels.values()): sample.value
        for name, one in by_name(snapshot).items()
        for sample in one.samples
    }
    assert values["users_logged_in",] == people
    assert values["users_sessions", "", "ssh"] == people
    assert values["users_sessions", "", "tty"] == 0, "somebody's, within the last hour"
    assert values["users_logins_total", "", "ssh"] == 2 * people
    assert values["users_cpu_seconds_total", ""] == people / 2
    assert values["users_memory_resident_bytes", ""] == people * 4096
    assert values["users_processes", ""] == people * 3
    assert {key: n for key, n in values.items() if key[0] == "users_series_dropped"} == {
        ("users_series_dropped", ""): 0
    }


@given(
    st.dictionaries(
        st.one_of(
            st.tuples(
                st.sampled_from(["users_auth_failures_total", "users_auth_successes_total"]),
                st.sampled_from(["sshd", "login"]),
                st.sampled_from(["password", "pam"]),
                st.text(max_size=5),
            ),
            st.tuples(
                st.just("users_escalations_total"),
                st.sampled_from(["sudo", "su"]),
                st.text(max_size=5),
                st.text(max_size=5),
                st.sampled_from(["success", "failure"]),
            ),
            st.tuples(st.just("users_logins_total"), st.text(max_size=5), st.just("ssh")),
            st.tuples(st.just("users_auth_probes_total"), st.just("sshd"), st.just("closed")),
        ),
        st.integers(0, 1 << 30).map(float),
    )
)
def test_no_event_is_lost_and_none_is_added(counters: dict[tuple[str, ...], float]) -> None:
    snapshot = full()._replace(counters=counters)
    assert all(not one.labels.get("user") for f in sums.families(snapshot) for one in f.samples)
    found = by_name(snapshot)
    for name in {series[0] for series in counters}:
        counted = sum(count for series, count in counters.items() if series[0] == name)
        assert sum(sample.value for sample in found[name].samples) == counted


def test_what_is_not_known_is_left_out() -> None:
    found = by_name(Snapshot(NOW, None))
    assert "users_logged_in" not in found
    assert "users_processes" not in found
    assert "users_auth_failures_total" not in found


# The whole program


def event(run: Run, message: str, at: float = 0.0) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(NOW + at))
    with open(run.host.path("var/log/auth.log"), "a") as file:
        file.write(f"{stamp} host {message}\n")


FLAG = "--aggregate-only"


def test_a_first_event_of_each_kind_is_an_increase(run: Run) -> None:
    """The series is there with 0 before it happens."""
    run.host.write("var/log/auth.log", "")
    assert run(FLAG) == (0, "")
    before = run.samples()
    for at, message in enumerate(
        (
            "sshd[1]: Failed password for alice from 192.0.2.78 port 1 ssh2",
            "sshd[2]: Failed password for invalid user zq from 192.0.2.78 port 1 ssh2",
            "sshd[3]: Accepted publickey for bob from 192.0.2.79 port 1 ssh2: ED25519 SHA256:x",
            "sudo: alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id",
            "sudo: bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id",
            "su[5]: FAILED SU (to root) alice on pts/1",
        )
    ):
        event(run, message, at)
    assert run(FLAG, at=10) == (0, "")
    grown = {
        name: value - before[name]
        for name, value in run.samples().items()
        if "user=" in name and value != before[name]
    }
    assert grown == {
        'users_auth_failures_total{method="password",program="sshd",user=""}': 2,
        'users_auth_successes_total{method="publickey",program="sshd",user=""}': 1,
        'users_logins_total{session_type="ssh",user=""}': 1,
        'users_escalations_total{program="sudo",target_user="",user=""}': 1,
        'users_escalation_failures_total{program="sudo",target_user="",user=""}': 1,
        'users_escalation_failures_total{program="su",target_user="",user=""}': 1,
    }
    new = {name.partition("_bucket")[0] for name in set(run.samples()) - set(before)}
    assert new == {DURATION, f'{DURATION}_count{{session_type="ssh"}}',
                   f'{DURATION}_sum{{session_type="ssh"}}'}, "none with who it is"  # fmt: skip
    assert not set(before) - set(run.samples())


def test_the_file_names_nobody(run: Run) -> None:
    run.host.write("var/log/auth.log", "")
    for pid, uid in ((1000, 1000), (1100, 1001)):
        run.host.process(pid, "sshd")
        run.host.process(pid + 1, "bash", pid, title="secret", uid=uid)
    run.host.utmp(
        Record(pid=1000, host="192.0.2.77", ip="192.0.2.77"),
        Record("bob", "pts/1", 1100, BOOT + 5_001, "client.example", "192.0.2.78"),
    )
    run(FLAG, "--session-command")
    event(run, "sshd[1]: Failed password for alice from 192.0.2.79 port 1 ssh2", 1)
    assert run(FLAG, "--session-command", at=5) == (0, "")
    text = run.output.read_text()
    bare = re.sub("(?m)^#.*", "", text)
    assert not re.search(r"alice|bob|root|192\.|example|pts|secret|users\"", bare)
    assert not re.search(
        r'user="[^"]|(session|tty|remote_ip|remote_host|uid|real_name|remote_network)=', bare
    )
    samples = run.samples()
    assert samples["users_logged_in"] == 2
    assert samples['users_sessions{session_type="ssh",user=""}'] == 2
    assert samples['users_processes{user=""}'] == 2
    for name in GO:
        assert f"# TYPE {name} " not in text
    for name in STAY | SUMMED:
        assert f"# TYPE {name} " in text or name in {*SLICES, "users_remote_connections"}


def test_the_sum_of_cpu_time_does_not_jump_when_root_logs_in(run: Run) -> None:
    """System accounts without a session are not shown: in a sum they would come and go."""
    stat = Path(run.host.path("proc/700/stat"))
    run.host.process(700, "daemon")
    run.host.process(701, "worker", uid=1000)
    run(FLAG)
    for number in (700, 701):  # 100 seconds for root, as much for alice
        path = stat.parents[1] / str(number) / "stat"
        path.write_text(path.read_text().replace(" 5 6 7 8 ", " 10005 6 7 8 "))
    name = 'users_cpu_seconds_total{user=""}'
    run(FLAG, at=5)
    assert run.samples()[name] == 100
    run.host.process(800, "login")
    run.host.utmp(Record("root", "tty1", 800))
    run(FLAG, at=10)
    assert run.samples()['users_sessions{session_type="tty",user=""}'] == 1
    assert run.samples()[name] == 100
    run("--all-users", FLAG, at=15)
    assert run.samples()[name] == 200, "of everybody, always"
    run(at=20)
    assert run.samples()['users_cpu_seconds_total{user="root"}'] == 100, "without the flag, too"


def test_users_that_are_excluded_are_in_no_sum(run: Run) -> None:
    run.host.process(1000, "sshd")
    run.host.process(1100, "sshd")
    run.host.utmp(Record(pid=1000), Record("bob", "pts/1", 1100))
    run(FLAG, "--exclude-user", "bob")
    assert run.samples()["users_logged_in"] == 1
    assert sum(v for name, v in run.samples().items() if name.startswith("users_sessions{")) == 1


def test_the_flag_may_come_and_go(run: Run) -> None:
    """What is counted is the same: no counter begins anew."""
    run.host.write("var/log/auth.log", "")
    run(FLAG)
    event(run, "sshd[1]: Failed password for alice from 192.0.2.79 port 1 ssh2", 1)
    run(at=5)
    assert run.samples()['users_auth_failures_total{method="password",program="sshd",user="alice"}']
    run(FLAG, at=10)
    name = 'users_auth_failures_total{method="password",program="sshd",user=""}'
    assert run.samples()[name] == 1


@pytest.mark.parametrize(
    "sets", ["what", "users,what", "ssh-sessions,users", "unix-user", "ssh", "user-sessions"]
)
def test_other_sets_are_wrong_usage(run: Run, sets: str) -> None:
    status, said = run(FLAG, "--metrics", sets)
    assert status == 2
    assert said == (
        "textfile-users: --aggregate-only allows no other set than users: see --metrics\n"
    )
    assert not run.output.exists()


@pytest.mark.parametrize(
    "argv", [("--aggregate-only=yes",), ("--aggregate",), ("--metrics", "sums")]
)
def test_other_spellings_are_wrong_usage(run: Run, argv: tuple[str, ...]) -> None:
    status, said = run(*argv)
    assert (status, said.count("\n")) == (2, 1)


def test_with_redact_a_key_is_needed_all_the_same(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """-v would tell names: what is asked for holds, or nothing is written."""
    monkeypatch.setattr(collect_module, "REDACT_KEY", str(tmp_path / "redact.key"))
    status, said = run(FLAG, "--redact", "user")
    assert status == 1
    assert "redact.key: no such file or directory; run: install -d" in said
    assert not run.output.exists()


def test_every_way_to_become_another_is_there_from_the_first_scan() -> None:
    """increase() misses the first event of a series that was not there."""
    ways = {use.service for use in USES.values() if use.opened == PAM_ESCALATION}
    assert {*ways, *ASKED_AS.values()} == set(sums._ESCALATING)
