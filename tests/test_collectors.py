"""What users do, through the whole program: processes, connections and accounts."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from tests.hosts import BOOT, NOW, PASSWD, TICKS, Host, Record, Run

CPU = 'users_cpu_seconds_total{user="%s"}'
SSH = 'users_remote_connections{protocol="ssh"}'
# As in /proc/net/tcp: the listener on port 22, and connections to ports 22 and 2222.
TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11
   1: 0A0200C0:0016 070200C0:9C40 01 00000000:00000000 00:00000000 00000000     0        0 12
   2: 0A0200C0:08AE 080200C0:9C41 01 00000000:00000000 00:00000000 00000000     0        0 13
"""
SNMP = """\
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab
Tcp: 1 200 120000 -1 1 %d 0 0 %d
"""


def burn(host: Host, pid: int, seconds: float) -> None:
    """Have a process use CPU time."""
    path = host.path(f"proc/{pid}/stat")
    with open(path) as file:
        head, _, tail = file.read().rpartition(") ")
    fields = tail.split(" ")
    fields[11] = str(int(fields[11]) + round(seconds * TICKS))
    host.write(f"proc/{pid}/stat", f"{head}) {' '.join(fields)}")


def listen(host: Host) -> None:
    """Have an sshd hold the listener of TABLE."""
    host.process(600, "sshd", title="/usr/sbin/sshd -D")
    host.write("proc/1/net/tcp", TABLE)
    os.makedirs(host.path("proc/600/fd"))
    os.symlink("socket:[11]", host.path("proc/600/fd/3"))


def test_cpu_time_counts_from_the_first_look_on(run: Run) -> None:
    run.host.process(700, "worker", uid=1000)
    assert CPU % "alice" not in run.counts(), "what was used before is not known to be hers"
    burn(run.host, 700, 2.5)
    assert run.counts(at=5)[CPU % "alice"] == 2.5
    run.host.process(701, "late", start=NOW + 6, uid=1000)  # 11 ticks
    burn(run.host, 700, 1)
    assert round(run.counts(at=10)[CPU % "alice"], 2) == 3.61
    for pid in (700, 701):
        shutil.rmtree(run.host.path(f"proc/{pid}"))
    found = run.counts(at=15)
    assert round(found[CPU % "alice"], 2) == 3.61, "what ended processes used is not taken back"
    assert 'users_processes{user="alice"}' not in found


def test_an_idle_process_that_was_busy_once_uses_nothing(run: Run) -> None:
    """A peer takes a process's lifetime average for its CPU use."""
    run.host.process(700, "worker", uid=1000)
    burn(run.host, 700, 3600)
    run.counts()
    for at in (5, 10, 15):
        assert CPU % "alice" not in run.counts(at=at)


def test_the_counter_begins_anew_where_what_was_remembered_is_gone(run: Run) -> None:
    run.host.process(700, "worker", uid=1000)
    run.counts()
    burn(run.host, 700, 5)
    assert run.counts(at=5)[CPU % "alice"] == 5
    (run.state / "volatile.json").unlink()
    assert CPU % "alice" not in run.counts(at=10)


def test_a_slice_counts_what_its_processes_use_together(run: Run) -> None:
    run.host.process(700, "worker", cgroup="/user.slice/user-1000.slice/session-5.scope", uid=1000)
    stat = "sys/fs/cgroup/user.slice/user-1000.slice/cpu.stat"
    run.host.write(stat, "usage_usec 7000000\nuser_usec 1\n")
    run.counts()
    run.host.write(stat, "usage_usec 8500000\nuser_usec 1\n")
    burn(run.host, 700, 1)  # part of the 1.5 s
    assert run.counts(at=5)[CPU % "alice"] == 1.5


def test_memory_and_processes_of_people(run: Run) -> None:
    run.host.process(700, "worker", uid=1000)
    run.host.process(701, "(odd) name) S 1", uid=1000)
    run.host.process(702, "daemon", uid=33)
    run.host.process(703, "nobody's", uid=4242)
    found = run.counts()
    page = os.sysconf("SC_PAGE_SIZE")
    assert found['users_processes{user="alice"}'] == 2
    assert found['users_memory_resident_bytes{user="alice"}'] == 2 * 200 * page
    assert found['users_processes{user="4242"}'] == 1, "a uid without an account"
    labels = 'primary_group="users",real_name="Alice Example",uid="1000",user="alice"'
    assert found[f"users_account_info{{{labels}}}"] == 1
    assert not [name for name in found if 'user="root"' in name or 'user="33"' in name]
    found = run.counts("--all-users", at=5)
    assert (found['users_processes{user="root"}'], found['users_processes{user="33"}']) == (1, 1)


def test_users_that_are_excluded_have_no_samples_but_go_on(run: Run) -> None:
    run.host.process(700, "worker", uid=1000)
    run.counts()
    burn(run.host, 700, 1)
    assert not [name for name in run.counts("--exclude-user", "al*", at=5) if "alice" in name]
    burn(run.host, 700, 1)
    assert round(run.counts(at=10)[CPU % "alice"], 2) == 2


def test_a_process_that_ends_while_we_look_is_left_out(run: Run) -> None:
    run.host.process(700, "worker", uid=1000)
    os.unlink(run.host.path("proc/700/status"))
    os.makedirs(run.host.path("proc/701"))
    assert 'users_processes{user="alice"}' not in run.counts()


def test_where_proc_hides_processes_it_is_said(run: Run) -> None:
    run.host.process(700, "worker", uid=1000)
    run.host.process(1, "gone")
    os.unlink(run.host.path("proc/1/stat"))
    status, said = run()
    assert status == 0
    assert "hidepid=" in said
    samples = run.samples()
    assert samples['users_collector_success{collector="processes"}'] == 0
    assert samples['users_collector_success{collector="sessions"}'] == 1
    assert samples['users_source_available{source="procfs"}'] == 1


def test_the_command_is_there_for_those_who_ask(run: Run) -> None:
    run.host.ssh_connection(1000, "alice", "pts/0")
    run.host.utmp(Record(host="192.0.2.7"))
    names = {name.partition("{")[0] for name in run.counts()}
    assert "users_session_cpu_seconds" in names
    assert "users_session_command_info" not in names
    # A regular file is no terminal, so that this host's session has no foreground.
    run.counts("--session-command", at=5)


def test_connections_count_by_who_listens(run: Run) -> None:
    listen(run.host)
    assert run.counts()[SSH] == 1
    assert run.counts("--ssh-port", "2222", at=5)[SSH] == 2
    assert run.samples()['users_remote_connections{protocol="vnc"}'] == 0


def test_the_tables_are_read_again_when_something_has_changed(run: Run) -> None:
    listen(run.host)
    run.host.write("proc/1/net/snmp", SNMP % (1, 1))
    assert run.counts()[SSH] == 1
    run.host.write("proc/1/net/tcp", TABLE[: TABLE.index("   1:")])
    assert run.counts(at=5)[SSH] == 1, "the kernel counts the same"
    run.host.write("proc/1/net/snmp", SNMP % (1, 0))
    assert SSH not in run.counts(at=10)
    run.host.write("proc/1/net/tcp", TABLE)
    assert run.counts(at=75)[SSH] == 1, "after a minute it is not believed any more"


def test_a_damaged_table_is_said(run: Run) -> None:
    run.host.write("proc/1/net/tcp", TABLE + "  what is this\n")
    status, said = run()
    assert status == 0
    assert "1 damaged lines skipped" in said
    assert run.samples()['users_records_unusable{reason="damaged",source="sockets"}'] == 1


BEGAN = int(NOW) - 60
ACCEPTED = (
    f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(BEGAN))}.000000+00:00 host sshd[1000]: "
    "Accepted publickey for alice from 192.0.2.7 port 40000 ssh2: ED25519 SHA256:abc\n"
)


def by_name(host: Host) -> None:
    """Have logind name the client of a session of alice, as with UseDNS; no socket is shown."""
    host.process(1000, "sshd", start=BEGAN, title="sshd: alice [priv]")
    host.logind("1", REMOTE_HOST="client.example", REALTIME=BEGAN * 1_000_000)


def place_of_session(run: Run, *extra: str, at: float = 0.0) -> tuple[str, str]:
    """Return the address and the network of the one session, after a run."""
    found = run.counts(*extra, at=at)
    (info,) = [name for name in found if name.startswith("users_session_info{")]
    assert 'host="client.example"' in info
    return info.partition('ip="')[2].split('"')[0], info.partition('network="')[2].split('"')[0]


def test_a_session_by_name_is_from_where_its_socket_is(run: Run) -> None:
    by_name(run.host)
    listen(run.host)
    os.makedirs(run.host.path("proc/1000/fd"))
    os.symlink("socket:[12]", run.host.path("proc/1000/fd/4"))
    networks = ("--network", "office=192.0.2.0/24")
    assert place_of_session(run, *networks) == ("192.0.2.7", "office")
    run.host.write("proc/1/net/tcp", TABLE[: TABLE.index("   1:")])
    assert place_of_session(run, *networks, at=5) == ("192.0.2.7", "office"), "while it ends, too"


def test_a_session_by_name_is_from_where_the_log_says(run: Run) -> None:
    by_name(run.host)
    run.host.write("var/log/auth.log", "")
    assert place_of_session(run) == ("", ""), "logind was faster than the log"
    path = run.host.write("var/log/auth.log", ACCEPTED)
    assert place_of_session(run, at=5) == ("192.0.2.7", "")
    os.unlink(path)
    os.unlink(run.state / "durable.json")
    assert place_of_session(run, at=10) == ("192.0.2.7", ""), "it is remembered"
    run.host.logind("1", REMOTE_HOST="client.example", REALTIME=(BEGAN - 600) * 1_000_000)
    assert place_of_session(run, at=15) == ("", ""), "another session, with the same id and leader"


def test_a_session_by_the_name_of_the_machine_is_local(run: Run) -> None:
    """Its socket is at hand; logind's word alone tells of no place at all."""
    by_name(run.host)
    run.host.logind("1", REMOTE_HOST="localhost", REALTIME=BEGAN * 1_000_000)
    run.host.write("var/log/auth.log", ACCEPTED.replace("192.0.2.7", "127.0.0.1"))
    found = run.counts()
    (info,) = [name for name in found if name.startswith("users_session_info{")]
    assert 'remote_host="",remote_ip="127.0.0.1",remote_network="local"' in info


def test_sessions_that_only_processes_show(run: Run) -> None:
    """A host without logind: SSH without a terminal is in no utmp."""
    shutil.rmtree(run.host.path("run/systemd"))
    run.host.process(600, "sshd", title="sshd: /usr/sbin/sshd -D [listener]")
    run.host.ssh_connection(1000, "alice", "notty")
    run.host.process(1000, "sshd", 600, title="sshd: alice [priv]", children=(1001,))
    run.host.utmp(Record(type=2, user="reboot", line="~", pid=0, time=BOOT))
    run.host.process(1500, "tmux: server", uid=1001)
    found = run.counts()
    assert found['users_sessions{session_type="ssh",user="alice"}'] == 1
    assert found['users_sessions{session_type="multiplexer",user="bob"}'] == 1
    assert found["users_logged_in"] == 2
    said = run("-vv", at=1)[1]
    assert "ssh session pid:1000 of alice: counts: processes and sockets show it" in said
    without = run.counts("--collectors", "sessions", at=5)
    assert "users_logged_in" not in without, "these need the collector processes"


def test_an_account_by_two_names_counts_its_processes_once(run: Run) -> None:
    run.host.write("etc/passwd", PASSWD + "alicia:x:1000:100:Alicia:/:/bin/sh\n")
    run.host.process(1000, "sshd")
    run.host.process(1001, "bash", 1000, uid=1000)
    run.host.utmp(Record(user="alicia", host="192.0.2.7"))
    found = run.counts()
    assert found['users_processes{user="alice"}'] == 1
    infos = [name for name in found if name.startswith("users_account_info{")]
    assert len(infos) == 1
    assert 'user="alicia"' in infos[0]


@pytest.mark.parametrize("collector", ["processes", "connections", "accounts"])
def test_a_collector_alone(run: Run, collector: str) -> None:
    run.host.process(700, "worker", uid=1000)
    run.host.write("proc/1/net/tcp", TABLE)
    run.counts("--collectors", collector)
    names = {name for name in run.samples() if name.startswith("users_collector_success")}
    assert names == {f'users_collector_success{{collector="{collector}"}}'}


def test_sessions_of_root_that_only_processes_show(run: Run) -> None:
    shutil.rmtree(run.host.path("run/systemd"))
    run.host.utmp(Record(type=2, user="reboot", line="~", pid=0, time=BOOT))
    run.host.process(1500, "tmux: server")
    found = run.counts()
    assert found['users_sessions{session_type="multiplexer",user="root"}'] == 1
    info = 'users_account_info{primary_group="root",real_name="root",uid="0",user="root"}'
    assert found[info] == 1, "who has such a session has an account"
    assert found['users_processes{user="root"}'] >= 1
    assert "users_logged_in" not in run.counts("--exclude-user", "root", at=5)


def viewers(host: Host, count: int) -> None:
    """Have a desktop of bob's that so many look at."""
    host.process(2000, "Xtigervnc", title="Xtigervnc\0:1", uid=1001)
    os.makedirs(host.path("proc/2000/fd"), exist_ok=True)
    rows = ["   0: 00000000:170D 00000000:0000 0A 0:0 00:0 0 0 0 21"]
    rows += [
        f"{n:4}: 0A0200C0:170D 070200C0:{n:04X} 01 0:0 00:0 0 0 0 {n + 30}"
        for n in range(1, count + 1)
    ]
    host.write("proc/1/net/tcp", "\n".join(["  sl  local_address", *rows, ""]))
    links = [21, *range(31, 31 + count)]
    for number, inode in enumerate(links):
        path = host.path(f"proc/2000/fd/{number}")
        if not os.path.lexists(path):
            os.symlink(f"socket:[{inode}]", path)


def test_viewers_of_a_desktop_are_sessions_and_no_logins(run: Run) -> None:
    viewers(run.host, 2)
    found = run.counts()
    assert found['users_sessions{session_type="vnc",user="bob"}'] == 2
    ids = sorted(name for name in found if name.startswith("users_session_info"))
    assert ['session="vnc:1"' in ids[0], 'session="vnc:1:2"' in ids[1]] == [True, True]
    assert not [name for name in found if name.startswith("users_session_start")]
    viewers(run.host, 0)
    found = run.counts(at=5)
    viewers(run.host, 1)
    found = run.counts(at=10)
    assert not [name for name in found if name.startswith(("users_logins", "users_last_login"))]


def test_thousands_of_viewers_are_fifty_sessions(run: Run) -> None:
    """Who can reach a desktop's port needs no password for a connection."""
    viewers(run.host, 3_000)
    found = run.counts()
    assert found['users_sessions{session_type="vnc",user="bob"}'] == 50
    assert found['users_series_dropped{family="users_session_info"}'] == 2_950
    assert found['users_remote_connections{protocol="vnc"}'] == 3_000


def test_where_sockets_cannot_be_read_for_a_while_no_session_has_ended(run: Run) -> None:
    viewers(run.host, 1)
    run.counts()
    name = 'users_sessions{session_type="vnc",user="bob"}'
    table = run.host.path("proc/1/net/tcp")
    os.rename(table, table + "-away")
    os.mkdir(table)
    assert "is a directory" in run(at=5)[1]
    assert name not in run.samples(), "not known is not zero"
    assert run.samples()['users_collector_success{collector="connections"}'] == 0
    os.rmdir(table)
    os.rename(table + "-away", table)
    assert run.counts(at=10)[name] == 1
    viewers(run.host, 0)
    run.counts(at=15)
    assert run.samples()[name] == 0


def test_thousands_of_servers_are_not_remembered_by_name(run: Run) -> None:
    """The state of a host where somebody names every process Xvnc can be read again."""
    run.host.write("proc/1/net/tcp", TABLE)
    run.host.write("proc/1/net/snmp", SNMP % (1, 1))
    for pid in range(3000, 3300):
        run.host.process(pid, "Xvnc", title="Xvnc\0:1", uid=1001)
    run.counts()
    burn(run.host, 3000, 2)
    assert round(run.counts(at=5)[CPU % "bob"], 2) == 2


def test_links_below_another_root_are_no_processes(run: Run, tmp_path: Path) -> None:
    run.host.process(700, "worker", uid=1000)
    shutil.move(run.host.path("proc/700"), tmp_path / "700")
    os.symlink(tmp_path / "700", run.host.path("proc/700"))
    assert 'users_processes{user="alice"}' not in run.counts()


def test_a_cgroup_may_have_any_name(run: Run) -> None:
    """A NUL, which CSV could not hold before Python 3.11, is in no session's id."""
    for number, name in enumerate(("a\0b", 'x"y', "é", "")):
        cgroup = f"/user.slice/user-1000.slice/session-{name}.scope"
        run.host.process(700 + number, "worker", cgroup=cgroup, uid=1000)
    run.counts()
    assert run.counts(at=5)['users_processes{user="alice"}'] == 4
