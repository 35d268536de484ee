"""wtmp, wtmpdb, btmp, lastlog and lastlog2 through the whole program."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import hosts, test_lastlog, test_wtmpdb
from tests.following import replace
from tests.hosts import NOW, Record, hurried, pack_all
from textfile_users.collecting import SourceReport
from textfile_users.history import collect_history as history
from textfile_users.processes.procfs import Process
from textfile_users.reading import files

PASSWD = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\nbob:x:1001:1001::/:/bin/sh\n"
LOGINS = 'users_logins_total{session_type="ssh",user="alice"}'
ROOT_LOGINS = 'users_logins_total{session_type="ssh",user="root"}'
ENDS = 'users_session_duration_seconds_count{session_type="ssh"}'
SECONDS = 'users_session_duration_seconds_sum{session_type="ssh"}'
CLEAN = 'users_reboots_total{kind="clean"}'
CRASH = 'users_reboots_total{kind="crash"}'
LAST_LOGIN = 'users_last_login_timestamp_seconds{user="alice"}'
IP = "192.0.2.7"


def login(at: float, pid: int = 100, line: str = "pts/0", user: str = "alice") -> Record:
    return Record(user, line, pid, NOW + at, IP, IP)


def logout(at: float, line: str = "pts/0", pid: int = 100) -> Record:
    return Record("", line, pid, NOW + at, type=8)


def boot(at: float) -> Record:
    return Record("reboot", "~", 0, NOW + at, "6.1.0-44-amd64", type=2, id="~~")


def down(at: float) -> Record:
    return Record("shutdown", "~~", 0, NOW + at, "6.1.0-44-amd64", type=1, id="~~")


def runlevel(at: float, level: str) -> Record:
    return Record("runlevel", "~~", ord(level), NOW + at, "6.1.0-44-amd64", type=1, id="~~")


def refused(at: float, pid: int, user: str = "root", line: str = "ssh:notty") -> Record:
    return Record(user, line, pid, NOW + at, IP, IP, type=6, id="")


class Run(hosts.Run):
    """Runs the program on a host that has no sessions."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__(directory, capsys)
        self.host.write("etc/passwd", PASSWD)

    def append(self, name: str, *records: Record, size: int = 384) -> None:
        path = self.host.path("var/log/" + name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "ab") as file:
            file.write(pack_all(list(records), size))

    def log(self, at: float, pid: int, message: str) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(NOW + at))
        path = self.host.path("var/log/auth.log")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "a") as file:
            file.write(f"{stamp} host sshd[{pid}]: {message}\n" if message else "")

    def accepted(self, at: float, pid: int, user: str = "alice") -> None:
        self.log(at, pid, f"Accepted password for {user} from {IP} port 1 ssh2")

    def closed(self, at: float, pid: int, user: str = "alice") -> None:
        self.log(at, pid, f"pam_unix(sshd:session): session closed for user {user}")


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(tmp_path, capsys)


# wtmp


@pytest.mark.parametrize("size", [384, 400])
def test_a_first_run_counts_nothing_of_the_past(run: Run, size: int) -> None:
    run.append("wtmp", boot(-9_000), login(-500), logout(-400), size=size)
    found = run.counts()
    assert LOGINS not in found
    assert ENDS not in found
    assert not {CLEAN, CRASH} & set(found)
    assert int(found[LAST_LOGIN]) == int(NOW - 500)
    run.append("wtmp", login(1), logout(3), size=size)
    found = run.counts(at=5)
    assert (found[LOGINS], found[ENDS], round(found[SECONDS])) == (1, 1, 2)
    assert int(found[LAST_LOGIN]) == int(NOW + 1)


def test_where_no_log_can_be_read_a_login_counts_at_once(run: Run) -> None:
    run.append("wtmp", boot(-9_000))
    run.counts()
    run.append("wtmp", login(4))
    assert run.counts(at=5)[LOGINS] == 1
    assert run.counts(at=6)[LOGINS] == 1


def test_a_login_that_the_log_has_too(run: Run) -> None:
    run.append("wtmp", boot(-9_000))
    run.log(0, 1, "")
    run.counts()
    run.accepted(1, 100)
    run.append("wtmp", login(1))
    assert run.counts(at=2)[LOGINS] == 1
    run.closed(30, 100)
    run.append("wtmp", logout(30))
    for at in (31, 60, 700, 1_500):
        found = run.counts(at=at)
        assert (found[LOGINS], found[ENDS], round(found[SECONDS])) == (1, 1, 29)


def test_records_before_their_lines(run: Run) -> None:
    run.append("wtmp", boot(-9_000))
    run.log(0, 1, "")
    run.counts()
    run.append("wtmp", login(1))
    assert LOGINS not in run.counts(at=2)
    run.accepted(1, 100)
    for at in (3, 15, 30):
        assert run.counts(at=at)[LOGINS] == 1


def test_a_login_that_the_log_lacks_between_others(run: Run) -> None:
    """After a pause of an hour: what has ended is remembered until wtmp has been read."""
    run.append("wtmp", boot(-9_000))
    run.log(0, 1, "")
    run.counts()
    for at, pid in ((100, 100), (200, 200), (300, 300)):
        if pid != 200:
            run.accepted(at, pid)
            run.closed(at + 5, pid)
        run.append("wtmp", login(at, pid), logout(at + 5))
    for at in (3_600, 3_605, 5_000):
        found = run.counts(at=at)
        assert (found[LOGINS], found[ENDS], round(found[SECONDS])) == (3, 3, 15)


def test_without_this_collector_logins_are_forgotten_too(run: Run) -> None:
    run.log(0, 1, "")
    flags = ("--collectors", "sessions,auth")
    run.counts(*flags)
    run.accepted(1, 100)
    run.closed(5, 100)
    assert run.counts(*flags, at=6)[LOGINS] == 1
    assert '"logins"' in (run.state / "durable.json").read_text()
    run.counts(*flags, at=700)
    assert '"logins"' not in (run.state / "durable.json").read_text()


def test_a_second_terminal_of_roots_connection(run: Run) -> None:
    """Debian 12 records the shell's pid, which descends from the connection's."""
    run.append("wtmp", boot(-9_000))
    run.log(0, 1, "")
    run.counts()
    run.accepted(1, 100, "root")
    run.host.process(100, "sshd", start=NOW + 1)
    run.host.process(101, "bash", parent=100, start=NOW + 1)
    run.append("wtmp", login(1, 101, user="root"))
    assert run.counts(at=2)[ROOT_LOGINS] == 1
    run.host.process(102, "bash", parent=100, start=NOW + 60)
    run.append("wtmp", login(60, 102, "pts/1", "root"))
    for at in (61, 75, 90):
        assert run.counts(at=at)[ROOT_LOGINS] == 1


def test_backfill_counts_what_is_there(run: Run) -> None:
    old = pack_all([login(-90_000), logout(-89_000), login(-80_000, 200), logout(-79_000)])
    run.host.write("var/log/wtmp.2.gz", gzip.compress(old))
    run.append("wtmp.1", boot(-70_000), login(-60_000), logout(-50_000))
    run.append("wtmp", login(-40_000), logout(-39_990))
    for at in (0, 5, 10):
        found = run.counts("--backfill", at=at)
        assert (found[LOGINS], found[ENDS], found[CRASH]) == (4, 4, 1)


def test_backfill_over_several_runs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    replace(monkeypatch, "BLOCK", 384 * 200)
    records = []
    for number in range(1_000):
        at = -90_000 + 60 * number
        records += [login(at, 100 + number), logout(at + 30)]
    run.append("wtmp", *records)
    with hurried():
        seen = [run.counts("--backfill", at=number)[LOGINS] for number in range(12)]
    assert seen == sorted(seen)
    assert 0 < seen[0] < seen[1] < seen[-1] == 1_000
    assert run.samples()[ENDS] == 1_000


def test_a_login_that_the_log_lacks_in_a_long_backlog(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What events covered is not forgotten before all records were read."""
    run.append("wtmp", boot(-90_000))
    run.log(0, 1, "")
    run.counts()
    for number in range(60):
        at, pid = 100.0 + 60 * number, 1_000 + number
        if number != 40:
            run.accepted(at, pid)
            run.closed(at + 5, pid)
        run.append("wtmp", login(at, pid), logout(at + 5))
    replace(monkeypatch, "BLOCK", 384 * 30)
    replace(monkeypatch, "MAX_LINE", 5_000)
    with hurried():
        for at in range(20_000, 20_100, 10):
            found = run.counts(at=at)
    assert (found[LOGINS], found[ENDS], round(found[SECONDS])) == (60, 60, 300)


def test_rotation(run: Run) -> None:
    run.append("wtmp", boot(-9_000))
    run.counts()
    run.append("wtmp", login(1))
    os.rename(run.host.path("var/log/wtmp"), run.host.path("var/log/wtmp.1"))
    run.append("wtmp", logout(3), login(4, 200))
    found = run.counts(at=5)
    assert (found[LOGINS], found[ENDS]) == (2, 1)


def test_a_boot_ends_what_is_open(run: Run) -> None:
    run.append("wtmp", boot(-9_000))
    run.counts()
    run.append("wtmp", login(1))
    run.counts(at=2)
    run.append("wtmp", boot(101), login(150, 200))
    found = run.counts(at=200)
    assert found[CRASH] == 1
    assert (found[LOGINS], found[ENDS], round(found[SECONDS])) == (2, 1, 100)


def test_boots_in_quick_succession_are_all_counted(run: Run) -> None:
    run.append("wtmp", boot(-9_000))
    run.counts()
    run.append("wtmp", boot(20), boot(60))
    run.counts(at=61)
    run.append("wtmp", boot(90))
    assert run.counts(at=91)[CRASH] == 3


@pytest.mark.parametrize(
    ("before", "then", "kinds", "why"),
    [
        ([boot(-99)], [down(50), boot(60)], (1, 0), "systemd's shutdown record"),
        ([boot(-99)], [runlevel(50, "6"), boot(60)], (1, 0), "init's run level 6"),
        ([boot(-99)], [boot(60)], (0, 1), "no shutdown since the boot before"),
        ([boot(-99), down(-1)], [boot(60)], (1, 0), "the shutdown was read on the first run"),
        ([boot(-99)], [down(50), boot(60), boot(70)], (1, 1), "a shutdown is for one boot"),
        ([boot(-99)], [down(50), boot(60), login(70), down(80), boot(90)], (2, 0), "two of them"),
        ([boot(-99)], [runlevel(50, "5"), boot(60)], (0, 1), "a run level that goes on"),
        ([boot(-99)], [down(50), boot(-200), boot(-100)], (1, 1), "no clock at boot: file order"),
        ([], [boot(60)], (0, 1), "an empty wtmp was seen on a host that ran"),
    ],
)
@pytest.mark.parametrize("in_runs", [1, 9], ids=["at once", "one by one"])
def test_boots_are_clean_or_crashes(
    run: Run, before: list[Record], then: list[Record], kinds: object, why: str, in_runs: int
) -> None:
    run.append("wtmp", *before)
    run.counts()
    assert [run.samples()[name] for name in (CLEAN, CRASH)] == [0, 0], "so that both increase"
    for number in range(in_runs):
        run.append("wtmp", *(then if in_runs == 1 else then[number : number + 1]))
        run.counts(at=100 + number)
    assert tuple(run.samples()[name] for name in (CLEAN, CRASH)) == kinds, why


@pytest.mark.parametrize(
    ("records", "kinds", "why"),
    [
        ([boot(-900)], (1, 0), "a log begins with a boot: nothing was seen to crash"),
        ([boot(-900), boot(-800)], (1, 1), "of two the second follows something"),
        ([login(-950), boot(-900)], (0, 1), "somebody was on before, and no shutdown came"),
        ([down(-950), boot(-900)], (1, 0), "a log that was rotated before the shutdown"),
    ],
)
def test_the_first_boot_of_a_log(run: Run, records: list[Record], kinds: object, why: str) -> None:
    run.append("wtmp", *records)
    run.counts("--backfill")
    assert tuple(run.samples()[name] for name in (CLEAN, CRASH)) == kinds, why


def test_damage_is_counted(run: Run) -> None:
    run.append("wtmp", boot(-9_000), login(-500))
    run.counts()
    with open(run.host.path("var/log/wtmp"), "ab") as file:
        file.write(b"\xff" * 384)
    run.append("wtmp", login(1))
    found = run.counts(at=5)
    assert found['users_records_skipped_total{reason="damaged",source="wtmp"}'] == 1
    assert found[LOGINS] == 1


def test_a_record_half_written(run: Run) -> None:
    run.append("wtmp", boot(-9_000))
    run.counts()
    data = pack_all([login(1)])
    path = run.host.path("var/log/wtmp")
    with open(path, "ab") as file:
        file.write(data[:100])
    assert LOGINS not in run.counts(at=2)
    with open(path, "ab") as file:
        file.write(data[100:])
    assert run.counts(at=3)[LOGINS] == 1


def test_a_host_without_records(run: Run) -> None:
    run.counts()
    samples = run.samples()
    for source in ("wtmp", "wtmpdb", "btmp", "lastlog", "lastlog2"):
        assert samples[f'users_source_available{{source="{source}"}}'] == 0
    assert samples['users_collector_success{collector="history"}'] == 1


def test_a_given_wtmp_that_is_missing(run: Run) -> None:
    missing = run.host.path("nowhere")
    said = f"textfile-users: {missing}: no such file or directory\n"
    assert run("--wtmp", missing) == (0, said)
    assert run.samples()['users_collector_success{collector="history"}'] == 0


def test_a_given_wtmp_is_below_no_root(run: Run, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_bytes(pack_all([login(-500)]))
    assert int(run.counts("--wtmp", str(given))[LAST_LOGIN]) == int(NOW - 500)


def test_a_wtmp_that_may_not_be_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.append("wtmp", boot(-9_000))
    run.counts()
    run.append("wtmp", login(1))
    real = files.open_regular

    def deny(path: str) -> int:
        if path.endswith("wtmp"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(history, "open_regular", deny)
    replace(monkeypatch, "open_regular", deny)
    path = run.host.path("var/log/wtmp")
    assert run(at=2) == (0, f"textfile-users: {path}: permission denied\n")
    assert run.samples()['users_collector_success{collector="history"}'] == 0
    monkeypatch.undo()
    assert run.counts(at=3)[LOGINS] == 1


def test_a_link_out_of_the_root(run: Run, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(pack_all([login(-500)]))
    os.makedirs(run.host.path("var/log"))
    os.symlink(outside, run.host.path("var/log/wtmp"))
    status, said = run()
    assert (status, "leads out of the root" in said) == (0, True)
    assert LAST_LOGIN not in run.samples()


# wtmpdb, beside wtmp or alone


@pytest.fixture
def database(run: Run) -> test_wtmpdb.Wtmpdb:
    if sqlite3.sqlite_version_info < (3, 37):
        pytest.skip("this SQLite knows no STRICT tables")
    path = Path(run.host.path("var/lib/wtmpdb/wtmp.db"))
    path.parent.mkdir(parents=True)
    return test_wtmpdb.Wtmpdb(path)


def put(database: test_wtmpdb.Wtmpdb, at: float, tty: str = "pts/0", user: str = "alice") -> int:
    insert = "INSERT INTO wtmp (Type,User,Login,TTY,RemoteHost,Service) VALUES(3,?,?,?,?,?)"
    return database.run(insert, user, int((NOW + at) * 1e6), tty, IP, "sshd")


def end(database: test_wtmpdb.Wtmpdb, row: int, at: float) -> None:
    database.run("UPDATE wtmp SET Logout = ? WHERE ID = ?", int((NOW + at) * 1e6), row)


def test_wtmpdb_alone(run: Run, database: test_wtmpdb.Wtmpdb) -> None:
    end(database, put(database, -500), -400)
    found = run.counts()
    assert LOGINS not in found
    assert found[LAST_LOGIN] == NOW - 500
    row = put(database, 1)
    assert run.counts(at=2)[LOGINS] == 1
    end(database, row, 31)
    found = run.counts(at=40)
    assert (found[LOGINS], found[ENDS], round(found[SECONDS])) == (1, 1, 30)


def test_a_login_open_at_the_first_run_ends_later(run: Run, database: test_wtmpdb.Wtmpdb) -> None:
    row = put(database, -500)
    run.counts()
    end(database, row, 31)
    assert LOGINS not in run.counts(at=40)


def test_the_same_login_in_log_wtmp_and_wtmpdb(run: Run, database: test_wtmpdb.Wtmpdb) -> None:
    """As on Debian 13."""
    run.append("wtmp", boot(-9_000))
    run.log(0, 1, "")
    run.counts()
    run.accepted(1, 100)
    run.append("wtmp", login(1.2))
    row = put(database, 1.4)
    assert run.counts(at=2)[LOGINS] == 1
    run.closed(30, 100)
    run.append("wtmp", logout(30))
    end(database, row, 30)
    for at in (31, 60, 700, 1_500):
        found = run.counts(at=at)
        assert (found[LOGINS], found[ENDS], round(found[SECONDS])) == (1, 1, 29)


def test_one_boot_in_both_is_one(run: Run, database: test_wtmpdb.Wtmpdb) -> None:
    run.append("wtmp", boot(-9_000))
    run.counts()
    for at in (100, 160):
        run.append("wtmp", boot(at))
        insert = "INSERT INTO wtmp (Type,User,Login,TTY,RemoteHost) VALUES(1,'reboot',?,'~','6.12')"
        database.run(insert, int((NOW + at + 7) * 1e6))
    assert run.counts(at=200)[CRASH] == 2


def put_boot(database: test_wtmpdb.Wtmpdb, at: float) -> int:
    insert = "INSERT INTO wtmp (Type,User,Login,TTY,RemoteHost) VALUES(1,'reboot',?,'~','6.12')"
    return database.run(insert, int((NOW + at) * 1e6))


def test_wtmpdb_tells_a_crash_by_the_row_of_the_boot_before(
    run: Run, database: test_wtmpdb.Wtmpdb
) -> None:
    row = put_boot(database, -900)
    run.counts()
    end(database, row, 10)
    run.counts(at=11)
    row = put_boot(database, 20)
    run.counts(at=25)
    assert (run.samples()[CLEAN], run.samples()[CRASH]) == (1, 0), "shut down, read before the boot"
    put_boot(database, 30)
    run.counts(at=35)
    assert (run.samples()[CLEAN], run.samples()[CRASH]) == (1, 1), "its row has no end"
    database.run("DELETE FROM wtmp WHERE Login < ?", int((NOW + 36) * 1e6))
    put(database, 37)
    run.counts(at=38)
    put_boot(database, 40)
    run.counts(at=45)
    assert (run.samples()[CLEAN], run.samples()[CRASH]) == (1, 2), "the row was rotated away"


def test_wtmpdb_tells_a_crash_where_the_clock_was_set_back(
    run: Run, database: test_wtmpdb.Wtmpdb
) -> None:
    """A host without a clock boots before it was shut down, by its stamps."""
    row = put_boot(database, 0)
    run.counts()
    end(database, row, 100)
    put_boot(database, 50)
    run.counts(at=110)
    assert (run.samples()[CLEAN], run.samples()[CRASH]) == (1, 0)
    put_boot(database, 60)
    run.counts(at=120)
    assert (run.samples()[CLEAN], run.samples()[CRASH]) == (1, 1)


def test_a_clean_boot_that_both_have_is_no_crash(run: Run, database: test_wtmpdb.Wtmpdb) -> None:
    """Also where one source has the boot some seconds after the other one has its shutdown."""
    run.append("wtmp", boot(-900))
    row = put_boot(database, -893)
    run.counts()
    run.append("wtmp", down(50), boot(60))
    end(database, row, 51)
    row = put_boot(database, 67)
    run.counts(at=70)
    assert (run.samples()[CLEAN], run.samples()[CRASH]) == (1, 0)
    run.append("wtmp", boot(160))
    put_boot(database, 153)
    run.counts(at=170)
    assert (run.samples()[CLEAN], run.samples()[CRASH]) == (1, 1)


def test_a_broken_database(run: Run) -> None:
    path = run.host.write("var/lib/wtmpdb/wtmp.db", b"garbage" * 1_000)
    status, said = run()
    assert (status, said.count("\n")) == (0, 1)
    assert said.startswith(f"textfile-users: {path}: ")
    assert run.samples()['users_collector_success{collector="history"}'] == 0


# btmp

KNOWN = 'users_auth_failures_total{method="other",program="sshd",user="root"}'
NOBODY = 'users_auth_failures_total{method="other",program="sshd",user=""}'


def test_btmp_where_there_is_no_log(run: Run) -> None:
    """Of an unknown user sshd writes a record when it connects, and one an attempt."""
    run.append("btmp", refused(-100, 50))
    run.counts()
    assert run.samples()['users_auth_probes_total{kind="timeout",program="sshd"}'] == 0  # at once
    run.append("btmp", refused(1, 100), refused(2, 100))
    run.append("btmp", refused(1, 200, "oracle"), refused(2, 200, "oracle"))
    run.append("btmp", refused(3, 200, "oracle"), refused(4, 300, "admin"))
    found = run.counts(at=5)
    assert (found[KNOWN], found[NOBODY]) == (2, 2)
    assert found['users_auth_failures_last_hour{remote_ip="192.0.2.7",remote_network=""}'] == 4
    run.append("btmp", refused(6, 300, "admin"))
    assert run.counts(at=7)[NOBODY] == 3


def test_a_pid_in_btmp_that_is_used_again(run: Run) -> None:
    run.append("btmp", refused(-100, 50))
    run.counts()
    run.append("btmp", refused(1, 100, "oracle"), refused(2, 100, "oracle"))
    assert run.counts(at=3)[NOBODY] == 1
    run.append("btmp", refused(900, 100, "admin"), refused(901, 100, "admin"))
    assert run.counts(at=905)[NOBODY] == 2


def test_btmp_of_the_console(run: Run) -> None:
    run.append("btmp", refused(-100, 50))
    run.counts()
    run.append("btmp", refused(1, 600, "alice", "tty1"), refused(2, 600, "oracle", "tty1"))
    found = run.counts(at=5)
    assert found['users_auth_failures_total{method="other",program="login",user="alice"}'] == 1
    assert found['users_auth_failures_total{method="other",program="login",user=""}'] == 1


@pytest.mark.parametrize("together", [True, False], ids=["in one scan", "in two"])
def test_the_same_record_twice_in_btmp_is_one_failure(run: Run, together: bool) -> None:
    """Of several connections of one second each has a pid of its own."""
    run.append("btmp", refused(-100, 50))
    run.counts()
    run.append("btmp", refused(1, 100), refused(1, 200))
    if not together:
        assert run.counts(at=2)[KNOWN] == 2
    run.append("btmp", refused(1, 100), refused(1, 200))
    run.append("btmp", refused(1, 300, "oracle"), refused(1.25, 300, "oracle"))
    run.append("btmp", refused(1, 300, "oracle"))
    found = run.counts(at=3)
    assert (found[KNOWN], found[NOBODY]) == (2, 1)
    run.append("btmp", refused(4, 100), refused(4, 200))
    assert run.counts(at=5)[KNOWN] == 4


@pytest.mark.parametrize(
    ("record", "expected", "why"),
    [
        (Record("root", "pts/0", 9, type=6),
         'users_escalation_failures_total{program="su",target_user="root",user=""}',
         "su: it names whom it was asked for, and no host"),
        (Record("(unknown)", "pts/0", 9, type=6),
         'users_escalation_failures_total{program="su",target_user="",user=""}',
         "su, of an account that is not there"),
        (Record("root", "", 9, type=6),
         'users_escalation_failures_total{program="su",target_user="root",user=""}',
         "su without a terminal"),
        (Record("alice", "pts/0", 9, type=6, host="192.0.2.7"),
         'users_auth_failures_total{method="other",program="login",user="alice"}', "telnet"),
        (Record("alice", "tty1", 9, type=6),
         'users_auth_failures_total{method="other",program="login",user="alice"}', "a console"),
        (Record("(unknown)", "tty1", 9, type=6),
         'users_auth_failures_total{method="other",program="login",user=""}', "a console"),
        (Record("alice", "", 0, host=":0"),
         'users_auth_failures_total{method="other",program="sddm",user="alice"}', "sddm"),
        (Record("hunter2", "", 0),
         'users_auth_failures_total{method="other",program="sddm",user=""}', "sddm, a password"),
        (Record("alice", "", 9, host=":0", id=":0"),
         'users_auth_failures_total{method="other",program="other",user="alice"}', "lightdm"),
        (Record("alice", ":0", 9, host=":0"),
         'users_auth_failures_total{method="other",program="other",user="alice"}', "gdm"),
    ],
)  # fmt: skip
def test_who_wrote_a_record_of_btmp(run: Run, record: Record, expected: str, why: str) -> None:
    run.append("btmp", refused(-100, 50))
    run.counts()
    run.append("btmp", record._replace(time=NOW + 1))
    found = {name for name in run.counts(at=2) if "fail" in name}
    assert {name for name in found if "_total{" in name} == {expected}, why
    assert "hunter2" not in (run.state / "durable.json").read_text()


def test_btmp_says_nothing_where_a_log_is_read(run: Run) -> None:
    run.append("btmp", refused(-100, 50))
    run.log(0, 1, "")
    run.counts()
    run.append("btmp", refused(1, 100))
    assert KNOWN not in run.counts(at=2)
    os.unlink(run.host.path("var/log/auth.log"))
    assert KNOWN not in run.counts(at=3), "it was told by the log"
    run.append("btmp", refused(4, 100))
    assert run.counts(at=5)[KNOWN] == 1


# lastlog


def test_last_logins_of_lastlog(run: Run) -> None:
    records = {1000: test_lastlog.pack(292, "little", int(NOW) - 50)}
    os.makedirs(run.host.path("var/log"))
    test_lastlog.write(Path(run.host.path("var/log/lastlog")), 292, records, NOW - 50)
    assert run.counts()[LAST_LOGIN] == int(NOW) - 50


def test_lastlog_is_read_again_only_when_it_has_changed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(run.host.path("var/log/lastlog"))
    path.parent.mkdir(parents=True)
    records = {1000: test_lastlog.pack(292, "little", int(NOW) - 50)}
    test_lastlog.write(path, 292, records, NOW - 50)
    run.counts()
    reads: list[str] = []
    from textfile_users.history import lastlog

    real = lastlog.read_lastlog

    def read(path: str, uids: Mapping[int, str]) -> dict[str, float]:
        reads.append(path)
        return real(path, uids)

    monkeypatch.setattr(lastlog, "read_lastlog", read)
    assert run.counts(at=5)[LAST_LOGIN] == int(NOW) - 50
    assert reads == []
    records = {1000: test_lastlog.pack(292, "little", int(NOW) + 7)}
    test_lastlog.write(path, 292, records, NOW + 7)
    assert run.counts(at=10)[LAST_LOGIN] == int(NOW) + 7
    assert reads == [str(path)]


def test_last_logins_of_lastlog2(run: Run) -> None:
    path = Path(run.host.path("var/lib/lastlog/lastlog2.db"))
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(test_lastlog.SCHEMA)
        row = ("alice", int(NOW) - 60, "ssh", IP, "sshd")
        connection.execute("INSERT INTO Lastlog2 VALUES(?,?,?,?,?)", row)
    connection.close()
    assert run.counts()[LAST_LOGIN] == int(NOW) - 60
    assert run.counts(at=5)[LAST_LOGIN] == int(NOW) - 60


# Who is known to live.


def test_a_logout_ends_no_login_whose_process_lives(run: Run) -> None:
    """Another terminal of its connection may be open; without /proc nobody knows, and it ends."""
    run.host.process(100, "sshd", start=NOW)
    run.append("wtmp", boot(-9_000), login(1), logout(3))
    assert ENDS not in run.counts("--backfill", at=5)


@pytest.mark.parametrize(
    ("start", "comm", "why"),
    [
        (None, "", "/proc is not there"),
        (200, "sshd", "the process with its pid began long after the login: it is another one"),
    ],
)
def test_a_logout_ends_what_is_not_known_to_live(
    run: Run, start: float | None, comm: str, why: str
) -> None:
    if start is None:
        shutil.rmtree(run.host.path("proc"))
    else:
        run.host.process(100, comm, start=NOW + start)
    run.append("wtmp", boot(-9_000), login(1), logout(3))
    found = run.counts("--backfill", at=500)
    assert (found[LOGINS], found[ENDS], round(found[SECONDS])) == (1, 1, 2), why


def test_a_logout_ends_what_proc_hides(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With hidepid=2 there is a process with that pid, and no more is known of it."""
    hidden = {100: Process(100, "", 0, None)}
    report = SourceReport("procfs", "ok")
    monkeypatch.setattr(history, "read_processes", lambda *_: (hidden, report))
    run.append("wtmp", boot(-9_000), login(1), logout(3))
    assert run.counts("--backfill", at=5)[ENDS] == 1


def test_what_sddm_records_of_a_refused_name_is_no_login(run: Run) -> None:
    """It may be a password: no session, no login, no last login, and in no drop-in set."""
    typed = Record("hunter2", "", 0, NOW - 5, type=7, id="")
    run.host.utmp(typed, Record("alice", "tty2", 0, NOW - 9, ":0"))
    run.append("wtmp", boot(-9_000), typed, login(-4))
    run.append("btmp", typed)
    for extra in ((), ("--backfill",), ("--metrics", "users,what,unix-user,ssh,user-sessions")):
        run.counts(*extra)
        assert "hunter2" not in run.output.read_text()
        assert 'user="alice"' in run.output.read_text()
    _, said = run("-vv", at=10)
    assert "hunter2" not in said
    assert "neither a process nor a terminal" in said


# Records and databases below another root.


@pytest.mark.parametrize("link", ["/mnt/log", "../mnt/log"])
def test_records_behind_a_link_inside_the_root_are_read(run: Run, link: str) -> None:
    """As a process in the tree reads them; what is not there is rightly lacking."""
    run.host.write("mnt/log/wtmp", pack_all([login(-500)]))
    os.makedirs(run.host.path("var"), exist_ok=True)
    os.symlink(link, run.host.path("var/log"))
    assert run("--backfill", "--auth-source", "none") == (0, "")
    assert LAST_LOGIN in run.samples()
    assert run.samples()['users_source_available{source="wtmp"}'] == 1


@pytest.mark.parametrize("link", ["mnt/var", "/mnt/var"])
def test_databases_that_lack_behind_a_link_are_no_fault(run: Run, link: str) -> None:
    os.makedirs(run.host.path("mnt/var/lib"))
    os.symlink(link, run.host.path("var"))
    assert run("--backfill", "--auth-source", "none") == (0, "")
    samples = run.samples()
    assert samples['users_source_available{source="wtmpdb"}'] == 0
    assert samples['users_collector_success{collector="history"}'] == 1


def test_wtmpdbs_own_link_may_come_before_its_database(run: Run) -> None:
    os.makedirs(run.host.path("var/lib/wtmpdb"))
    os.symlink("../../log/wtmp.db", run.host.path("var/lib/wtmpdb/wtmp.db"))
    assert run("--backfill") == (0, "")
    assert run.samples()['users_source_available{source="wtmpdb"}'] == 0


@pytest.mark.parametrize(
    ("target", "is_read", "why"),
    [
        ("../../log/wtmp.db", True, "wtmpdb 0.75 has its database in /var/log"),
        ("/var/log/wtmp.db", True, "what is absolute begins at the root"),
        ("/../../var/log/./wtmp.db", False, "above the root is nothing"),
        ("../../../../../../outside/wtmp.db", False, "out of the root, and of the test's tree"),
        ("{outside}/wtmp.db", False, "the host's own database"),
        ("/var/lib/wtmpdb/wtmp.db", False, "itself"),
    ],
)
def test_a_link_to_a_database_is_followed_below_the_root(
    run: Run, database: test_wtmpdb.Wtmpdb, tmp_path: Path, target: str, is_read: bool, why: str
) -> None:
    put(database, 1)
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.copy(database.path, outside / "wtmp.db")
    os.makedirs(run.host.path("var/log"), exist_ok=True)
    os.rename(database.path, run.host.path("var/log/wtmp.db"))
    os.symlink(target.format(outside=outside), database.path)
    status, said = run("--backfill", at=5)
    assert status == 0
    assert (LOGINS in run.samples()) is is_read, why
    assert ("the root" in said) is not is_read


def test_the_whole_directory_may_be_a_link(run: Run, database: test_wtmpdb.Wtmpdb) -> None:
    put(database, 1)
    os.rename(run.host.path("var/lib/wtmpdb"), run.host.path("var/db"))
    os.symlink("/var/db", run.host.path("var/lib/wtmpdb"))
    assert run.counts("--backfill", at=5)[LOGINS] == 1


@pytest.mark.skipif(sys.version_info < (3, 11), reason="sqlite3 reads no copy in memory")
def test_a_database_that_only_the_root_of_a_process_shows(
    run: Run, database: test_wtmpdb.Wtmpdb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text of /proc/PID/root is `/`: the names lead to the host's own files."""
    put(database, 1)
    real = os.path.realpath
    root = run.host.root
    monkeypatch.setattr(
        os.path, "realpath", lambda path: real(str(path).replace(root, "/nonexistent"))
    )
    assert run.counts("--backfill", at=5)[LOGINS] == 1
    put(database, 2, "pts/1")
    Path(database.path + "-journal").write_bytes(b"")
    status, said = run("--backfill", at=6)
    assert (status, "it is being written" in said) == (0, True)
    os.unlink(database.path + "-journal")
    assert run.counts("--backfill", at=70)[LOGINS] == 2


@pytest.mark.skipif(os.geteuid() != 0 or sys.version_info < (3, 11), reason="left out: needs root")
def test_a_container_by_the_root_of_its_process(
    run: Run, database: test_wtmpdb.Wtmpdb, tmp_path: Path
) -> None:
    """A mount namespace in which another tree lies over a directory of the host's."""
    place = tmp_path / "place"
    place.mkdir()
    put(database, 1)
    mount = f"mount --bind {run.host.root} {place} && echo && exec sleep 600"
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", mount], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        if not process.stdout or not process.stdout.readline():
            pytest.skip("left out: no mount namespace can be made here")
        run.host.root = f"/proc/{process.pid}/root{place}"
        status, said = run("--backfill", at=5)
        assert (status, said) == (0, "")
        assert run.samples()[LOGINS] == 1
        os.makedirs(run.host.path("var/log"), exist_ok=True)
        os.symlink("../" * 20 + "etc/passwd", run.host.path("var/log/wtmp"))
        assert "/var/log/wtmp: leads out of the root" in run("--backfill", at=90)[1]
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("late", "shows_parents"),
    [(0, True), (15, True), (0, False)],
    ids=["at once", "by its parent on a slow host", "by its time"],
)
def test_login_in_a_pseudo_terminal_is_one_login(
    run: Run, late: float, shows_parents: bool
) -> None:
    """PAM's line has login's pid and no terminal, utmp's record the shell's pid and no host."""
    run.append("wtmp", boot(-9_000))
    run.log(0, 1, "")
    run.counts()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(NOW + 1))
    with open(run.host.path("var/log/auth.log"), "a") as file:
        file.write(f"{stamp} host login[700]: pam_unix(login:session): session opened for user"
                   " root(uid=0) by (uid=0)\n")  # fmt: skip
    record = Record("root", "pts/5", 701, NOW + 1 + late)
    run.host.process(700, "login", start=NOW + 1)
    run.host.process(701, "bash", parent=700 if shows_parents else 1, start=NOW + 1)
    run.host.utmp(record)
    run.append("wtmp", record)
    for at in (2, 20, 40):
        found = run.counts(at=at)
        assert [value for name, value in found.items() if "logins_total" in name] == [1]
