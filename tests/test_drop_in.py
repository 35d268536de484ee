"""The drop-in sets say what the exporters said that were run beside them on one host.

Each test has what theirs said of such a host in its samples, or why ours differs
(docs/migration.md). Names, types and labels are in tests/fixtures/sets.
"""

from __future__ import annotations

import time

import pytest

from tests.hosts import BOOT, NOW, Record, Run

PASSWD = """root:x:0:0:root:/root:/bin/sh
deploy:x:500:500:Deploy:/:/bin/sh
alice:x:1000:100:Alice Adams,,,:/home/alice:/bin/sh
bob:x:1001:100::/home/bob:/bin/sh
extraordinarily-long-name:x:1002:100:Long "Q" N\\m:/home/long:/bin/sh
"""
GROUP = "root:x:0:\nusers:x:100:\n"
START = BOOT + 5_000


@pytest.fixture
def run(run: Run) -> Run:
    run.host.write("etc/passwd", PASSWD)
    run.host.write("etc/group", GROUP)
    return run


def log_in(run: Run, *records: Record) -> None:
    """Have a session for each record, whose process is its user's shell."""
    uids = {line.split(":")[0]: int(line.split(":")[2]) for line in PASSWD.splitlines()}
    for record in records:
        run.host.process(record.pid, "bash", uid=uids.get(record.user, 4000))
    run.host.utmp(*records)


def family(run: Run, name: str) -> dict[str, float]:
    """Return the samples of a family by their labels."""
    return {
        labels.rstrip("}"): value
        for sample, value in run.samples().items()
        for head, _, labels in (sample.partition("{"),)
        if head == name
    }


def refused(ago: int, pid: int, message: str) -> str:
    stamp = time.strftime("%b %e %H:%M:%S", time.gmtime(NOW - ago))
    return f"{stamp} host sshd[{pid}]: {message}\n"


ROOMS = (
    Record("alice", "pts/0", 1000, START, "192.0.2.7", "192.0.2.7"),
    Record("alice", "pts/1", 1001, START, "client.example.org", "192.0.2.8"),
    Record("bob", "tty2", 1002, START, ":0"),
    Record("bob", "pts/3", 1003, START, "fe80::1%eth0", "fe80::1"),
    Record("extraordinarily-long-name", "pts/4", 1004, START,
           "workstation-with-a-long-name.example.org"),
    Record("root", "pts/5", 1005, START, "203.0.113.9", "203.0.113.9"),
    Record("deploy", "pts/6", 1006, START, "192.0.2.9", "192.0.2.9"),
    Record("alice", "tty7", 1007, START),
)  # fmt: skip


def test_logged_in_total_is_the_number_of_sessions(run: Run) -> None:
    log_in(run, *ROOMS)
    run("--metrics", "unix-user")
    assert run.samples()["unix_users_logged_in_total"] == len(ROOMS)


def test_a_failed_login_is_whoever_did_not_get_in(run: Run) -> None:
    """Refused keys and names that do not exist too; each attempt once, for an hour."""
    log_in(run)
    run.host.write("var/log/auth.log", refused(4000, 1, "Server listening on :: port 22."))
    run("--metrics", "user-sessions", at=-100)
    lines = [
        refused(3700, 10, "Failed password for root from 192.0.2.7 port 1 ssh2"),
        refused(90, 11, "Failed password for alice from 192.0.2.7 port 2 ssh2"),
        refused(
            90, 11, "Connection closed by authenticating user alice 192.0.2.7 port 2 [preauth]"
        ),
        refused(80, 12, "Invalid user x from 192.0.2.7 port 3"),
        refused(79, 12, "Failed password for invalid user x from 192.0.2.7 port 3 ssh2"),
        refused(70, 13, "Failed publickey for alice from 192.0.2.7 port 4 ssh2: RSA SHA256:abc"),
        refused(
            69, 13, "Connection closed by authenticating user alice 192.0.2.7 port 4 [preauth]"
        ),
        refused(60, 14, "Invalid user y from 192.0.2.7 port 5"),
        refused(59, 14, "Connection closed by invalid user y 192.0.2.7 port 5 [preauth]"),
    ]
    with open(run.host.path("var/log/auth.log"), "a") as log:
        log.writelines(lines)
    run("--metrics", "user-sessions")
    assert run.samples()["user_sessions_failed_logins_1h"] == 4
    run("--metrics", "user-sessions", at=3600)
    assert run.samples()["user_sessions_failed_logins_1h"] == 0


def test_the_systems_users_are_left_out(run: Run) -> None:
    """Those with a uid below 1000, root too; who has no account has a uid all the same."""
    log_in(run, *ROOMS)
    run.host.process(1100, "worker", uid=12_345)
    run.host.process(1101, "worker", uid=500)
    for at in (0, 5):
        run("--metrics", "user-sessions", at=at)
    people = {f'username="{user}"' for user in ("alice", "bob", "extraordinarily-long-name")}
    assert run.samples()["user_sessions_logged_in_users"] == 3
    for name in ("cpu_ratio", "memory_bytes", "process_count"):
        assert family(run, f"user_sessions_{name}").keys() == people | {'username="12345"'}, name
    infos = family(run, "user_sessions_user_info")
    assert infos.keys() == {
        'primary_group="users",real_name="Alice Adams",uid="1000",username="alice"',
        'primary_group="users",real_name="bob",uid="1001",username="bob"',
        'primary_group="users",real_name="Long \\"Q\\" N\\\\m",uid="1002",'
        'username="extraordinarily-long-name"',
    }
    active = family(run, "user_sessions_session_active")
    assert active == dict.fromkeys(
        (
            'from_ip="192.0.2.7",session_type="terminal",tty="pts/0",username="alice"',
            'from_ip="client.example.org",session_type="terminal",tty="pts/1",username="alice"',
            'from_ip="",session_type="terminal",tty="tty7",username="alice"',
            'from_ip=":0",session_type="terminal",tty="tty2",username="bob"',
            'from_ip="fe80::1%eth0",session_type="terminal",tty="pts/3",username="bob"',
            'from_ip="workstation-with-a-long-name.example.org",session_type="terminal",'
            'tty="pts/4",username="extraordinarily-long-name"',
        ),
        1.0,
    )


def test_those_who_were_here_before_are_judged_by_their_uid_too(run: Run) -> None:
    run.host.write("var/log/wtmp", b"")
    log_in(run)
    run("--metrics", "user-sessions")
    with open(run.host.path("var/log/auth.log"), "w") as log:
        for pid, user in enumerate(("root", "deploy", "alice", "gone")):
            message = f"Accepted password for {user} from 192.0.2.7 port {pid} ssh2"
            log.write(refused(-1, 100 + pid, message))
    for at in (5, 10):
        run("--metrics", "user-sessions", at=at)
        last = family(run, "user_sessions_last_login_timestamp_seconds")
        assert last.keys() == {'username="alice"', 'username="gone"'}, "gone's uid is not known"
    assert run.samples()["user_sessions_root_logins_total"] == 1


def test_names_to_be_excluded_are_literal_and_hide_no_login_of_root(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(run, *ROOMS)
    run.host.write("var/log/auth.log", refused(100, 1, "Server listening on :: port 22."))
    monkeypatch.setenv("EXCLUDE_USERS", "root,a*,b?b,[be]ob,bob")
    run("--metrics", "user-sessions")
    with open(run.host.path("var/log/auth.log"), "a") as log:
        log.write(refused(-1, 9, "Accepted publickey for root from 192.0.2.7 port 1 ssh2: x"))
    run("--metrics", "user-sessions", at=5)
    samples = run.samples()
    assert samples["user_sessions_root_logins_total"] == 1
    users = {name.rpartition('"')[0].rpartition('"')[2] for name in samples if "_active{" in name}
    assert users == {"alice", "extraordinarily-long-name"}
    run("--metrics", "user-sessions", "--exclude-user", "al*", at=10)
    assert family(run, "user_sessions_process_count") == {
        'username="extraordinarily-long-name"': 1.0
    }, "a glob where it is given as one"


def test_hosts_as_theirs_have_them(run: Run) -> None:
    """`w -i` has addresses; the others show what stands in utmp."""
    log_in(run, *ROOMS)
    run("--metrics", "what,unix-user,ssh")
    by_line = {
        name.partition('tty="')[2].partition('"')[0]: name.partition('ip="')[2].partition('"')[0]
        for name in run.samples()
        if name.startswith("what_each")
    }
    long_name = "workstation-with-a-long-name.example.org"
    assert by_line == {
        "pts/0": "192.0.2.7", "pts/1": "192.0.2.8", "tty2": ":0", "pts/3": "fe80::1%eth0",
        "pts/4": long_name, "pts/5": "203.0.113.9", "pts/6": "192.0.2.9", "tty7": "-",
    }  # fmt: skip
    hosts = {record.host for record in ROOMS if record.host}
    assert family(run, "unix_user_session_by_ip") == {f'ip="{host}"': 1.0 for host in hosts}
    assert family(run, "ssh_num_sessions") == {
        f'remote_ip="{host}"': 1.0 for host in hosts | {"localhost"}
    }
    froms = {
        name.partition('from="')[2].partition('"')[0] for name in run.samples() if "from=" in name
    }
    assert froms == hosts | {"-"}


def test_the_second_version_of_what_has_no_prefix(run: Run) -> None:
    log_in(run, *ROOMS[:2])
    run("--metrics", "what", "--metrics-prefix", "")
    assert {name.partition("{")[0] for name in run.samples()} == {
        "user_sessions_currently_active", "each_session_currently_active", "what_up",
    }  # fmt: skip


def test_memory_is_what_the_kernel_counts_as_resident(run: Run) -> None:
    """/proc/PID/stat lacks what a processor has not added up yet; VmRSS and statm have it."""
    log_in(run, *ROOMS[:2])
    run.host.write("proc/1000/statm", "5000 300 100 1 0 10 0\n")
    run.host.write("proc/1001/statm", "")  # it ended
    run("--metrics", "user-sessions,users")
    memory = family(run, "user_sessions_memory_bytes")
    assert memory == {'username="alice"': (300 + 200) * 4096.0}
    assert run.samples()['users_memory_resident_bytes{user="alice"}'] == 500 * 4096


def test_hostile_names_and_sessions_that_look_the_same(run: Run) -> None:
    """Escaped, whole, and one sample for equal labels."""
    evil = 'a"\\\n\tb'
    log_in(
        run,
        Record(evil, "pts/0", 1000, START, 'h"\\\n\t', ""),
        Record("alice", "pts/1", 1001, START, "192.0.2.7", "192.0.2.7"),
        Record("alice", "pts/1", 1002, START + 1, "192.0.2.7", "192.0.2.7"),
        Record("u" * 32, "pts/2", 1003, START, "h" * 256),
    )
    sets = "what,unix-user,ssh,user-sessions,ssh-sessions"
    assert run("--metrics", sets) == (0, "")
    text = run.output.read_text()
    assert text.count('user="a\\"\\\\\\n\tb"') == text.count('user="a\\"') > 0
    assert f'user="{"u" * 32}"' in text
    assert f'remote_ip="{"h" * 128}"' in text
    samples = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(samples) == len(set(samples))


def test_a_host_without_utmp(run: Run) -> None:
    """Theirs are silent there; logind's sessions are shown with its address."""
    run.host.process(1000, "bash", uid=1000)
    run.host.logind("5", REMOTE_HOST="192.0.2.7", TTY="pts/0")
    run("--metrics", "what,unix-user,ssh,user-sessions,ssh-sessions")
    samples = run.samples()
    for name in (
        'what_each_session_currently_active{ip="192.0.2.7",tty="pts/0",user="alice"}',
        'unix_user_session_by_ip{ip="192.0.2.7"}',
        'ssh_num_sessions{remote_ip="192.0.2.7"}',
        'user_sessions_session_active{from_ip="192.0.2.7",session_type="terminal",tty="pts/0",'
        'username="alice"}',
    ):
        assert samples[name] == 1
