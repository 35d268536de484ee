"""The auth log through the whole program: what is counted, from where on, and what is said."""

from __future__ import annotations

import errno
import gzip
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hosts
from tests.following import replace
from tests.hosts import NOW, hurried
from tests.long.decoders import BERLIN, zone
from textfile_users import admission, counting, deadline, memory, state_files
from textfile_users import run as collect
from textfile_users.auth import log_reading, logs, reader
from textfile_users.auth_event import AuthEvent
from textfile_users.reading import files

PASSWD = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n"
MACHINE = "0123456789abcdef0123456789abcdef"
BOOT_ID = "b" * 32
FAILURES = 'users_auth_failures_total{method="password",program="sshd",user="root"}'
UNKNOWN = 'users_auth_failures_total{method="password",program="sshd",user=""}'
SUCCESSES = 'users_auth_successes_total{method="password",program="sshd",user="alice"}'
LOGINS = 'users_logins_total{session_type="ssh",user="alice"}'
LAST_LOGIN = 'users_last_login_timestamp_seconds{user="alice"}'


def line(at: float, message: str, program: str = "sshd[{}]", pid: int = 0) -> str:
    """Return a line of the log, `at` seconds from NOW; its pid is unique unless given."""
    line.pid = getattr(line, "pid", 1000) + 1  # type: ignore[attr-defined]
    pid = pid or line.pid  # type: ignore[attr-defined]
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(NOW + at))
    return f"{stamp} host {program.format(pid)}: {message.format(pid)}\n"


def failed(at: float, user: str = "root", ip: str = "192.0.2.7", pid: int = 0) -> str:
    return line(at, f"Failed password for {user} from {ip} port 1 ssh2", pid=pid)


def accepted(at: float, user: str = "alice", pid: int = 0) -> str:
    return line(at, f"Accepted password for {user} from 192.0.2.9 port 1 ssh2", pid=pid)


class Run(hosts.Run):
    """Runs the program on a host with an auth log."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__(directory, capsys)
        self.host.write("etc/passwd", PASSWD)
        self.log = self.host.path("var/log/auth.log")

    def append(self, *lines: str, name: str = "var/log/auth.log") -> None:
        path = self.host.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "ab") as file:
            file.write("".join(lines).encode("utf-8", "surrogateescape"))


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(tmp_path, capsys)


# From where on is counted


def test_a_first_run_counts_nothing_of_the_past(run: Run) -> None:
    run.append(failed(-7200), failed(-600), failed(-60), accepted(-30))
    found = run.counts()
    assert [name for name in found if name.startswith(("users_auth_failures_total", LOGINS))] == []
    assert found['users_auth_failures_last_hour{remote_ip="192.0.2.7",remote_network=""}'] == 2
    assert found[LAST_LOGIN] == int(NOW - 30)
    assert SUCCESSES not in found
    assert 'users_auth_log_lines_total{result="matched",source="authlog"}' not in found


def test_what_comes_later_counts(run: Run) -> None:
    run.append(failed(-600))
    run.counts()
    run.append(failed(1), failed(2), accepted(3), failed(4, "oracle"))
    found = run.counts(at=5)
    assert (found[FAILURES], found[UNKNOWN], found[SUCCESSES], found[LOGINS]) == (2, 1, 1, 1)
    assert found['users_auth_failures_last_hour{remote_ip="192.0.2.7",remote_network=""}'] == 4
    assert found['users_auth_log_lines_total{result="matched",source="authlog"}'] == 4


@pytest.mark.parametrize("ahead", [7200, 1e9, 2.3e11])
def test_a_login_still_to_come_is_not_the_last_for_ever(run: Run, ahead: float) -> None:
    run.append(failed(-600))
    run.counts()
    run.append(accepted(ahead), accepted(3, pid=7))
    assert NOW <= run.counts(at=5)[LAST_LOGIN] <= NOW + 5
    run.append(accepted(20, pid=8))
    found = run.counts(at=25)
    assert (found[LAST_LOGIN], found[LOGINS]) == (int(NOW + 20), 3)


def test_zeros_are_there_before_the_first_event(run: Run) -> None:
    run.append("")
    run.counts()
    samples = run.samples()
    assert samples[FAILURES] == samples[UNKNOWN] == 0
    assert samples['users_auth_probes_total{kind="closed",program="sshd"}'] == 0


def test_a_log_that_appears_later_is_counted_from_its_beginning(run: Run) -> None:
    assert run()[0] == 0
    run.append(failed(3))
    assert run.counts(at=5)[FAILURES] == 1


def test_a_first_run_that_has_not_the_time_for_the_last_hour_counts_nothing_of_it(
    run: Run,
) -> None:
    run.append(*(failed(-3000 + at / 10) for at in range(20_000)))
    with hurried():
        run.counts()
    run.append(failed(1))
    assert run.counts(at=5)[FAILURES] == 1


def test_an_attempt_that_began_before_the_first_run_and_failed_before_it(run: Run) -> None:
    """What a process has said before is known, so its end is no probe."""
    run.append(failed(-5, pid=77))
    run.counts()
    end = "Connection closed by authenticating user root 192.0.2.7 port 1 [preauth]"
    run.append(line(1, end, pid=77))
    assert 'users_auth_probes_total{kind="closed",program="sshd"}' not in run.counts(at=5)


@pytest.mark.parametrize(
    ("at", "origin", "probes", "why"),
    [
        (5, "192.0.2.9 port 1", 0, "the login's own process, as OpenSSH 10.6 has it"),
        (5, "192.0.2.9 port 2", 1, "another connection"),
        (5, "192.0.2.8 port 1", 1, "another connection"),
        (25, "192.0.2.9 port 1", 1, "the login is over, so the port is used again"),
    ],
)
def test_the_end_of_a_logins_connection_is_no_probe(
    run: Run, at: float, origin: str, probes: int, why: str
) -> None:
    """Its line has another pid than the login."""
    run.append("")
    run.counts()
    closed = "pam_unix(sshd:session): session closed for user alice"
    run.append(accepted(1, pid=77))
    run.counts(at=3)
    run.append(*([line(6, closed, pid=77)] if at > 6 else []))
    run.append(line(at, f"Connection closed by {origin}"))
    found = run.counts(at=30)
    assert found.get('users_auth_probes_total{kind="closed",program="sshd"}', 0) == probes


def test_backfill_counts_what_is_there(run: Run) -> None:
    packed = gzip.compress((failed(-90_000) + failed(-89_000)).encode())
    run.host.write("var/log/auth.log.2.gz", packed)
    run.append(failed(-50_000), accepted(-49_000), name="var/log/auth.log.1")
    run.append(failed(-7_000), failed(-60))
    found = run.counts("--backfill")
    assert (found[FAILURES], found[SUCCESSES], found[LOGINS]) == (5, 1, 1)
    assert found['users_auth_failures_last_hour{remote_ip="192.0.2.7",remote_network=""}'] == 1
    assert run.counts("--backfill", at=5)[FAILURES] == 5


def test_backfill_catches_up_over_several_runs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    replace(monkeypatch, "BLOCK", 1 << 17)
    lines = [failed(-80_000 + at) for at in range(12_000)]
    packed = gzip.compress("".join(lines[:4_000]).encode())
    run.host.write("var/log/auth.log.2.gz", packed)
    run.append(*lines[4_000:8_000], name="var/log/auth.log.1")
    run.append(*lines[8_000:])
    with hurried():
        seen = [run.counts("--backfill", at=number)[FAILURES] for number in range(12)]
    assert seen == sorted(seen)
    assert 0 < seen[0] < seen[1] < seen[-1] == 12_000


def test_what_was_finished_when_time_runs_out_is_kept(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that hangs costs itself alone, and what was read before it counts once."""
    replace(monkeypatch, "BLOCK", 1_000)
    replace(monkeypatch, "MAX_LINE", 400)
    monkeypatch.setattr(deadline, "KEPT_SECONDS", 0.0)
    run.append("")
    run.counts()
    run.append(*(failed(at / 100) for at in range(100)))
    hang, left = threading.Event(), [4]
    read_block = reader.Reader.read_block

    def read(self: reader.Reader, data: bytes) -> Iterator[AuthEvent]:
        yield from read_block(self, data)
        left[0] -= 1
        if not left[0]:
            hang.wait(30)

    monkeypatch.setattr(reader.Reader, "read_block", read)
    status, said = run("--timeout", "2", at=5)
    assert (status, said) == (0, "textfile-users: auth: no answer within 1.5 s\n")
    samples = run.samples()
    assert samples['users_collector_success{collector="auth"}'] == 0
    assert samples['users_collector_success{collector="history"}'] == 1
    reached = samples[FAILURES]
    assert 0 < reached < 100
    hang.set()
    assert run.counts(at=10)[FAILURES] == 100


def test_a_backfill_that_was_overdue_is_gone_on_with(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything was reached: the past is counted by the runs that follow, asked or not."""
    run.append(*(failed(at) for at in range(-9_000, -8_900)))
    with monkeypatch.context() as patch:
        hang = threading.Event()
        patch.setattr(log_reading, "since", lambda *_: hang.wait(30))
        patch.setattr(log_reading, "blocks", lambda *_: iter([hang.wait(30)]))
        assert run("--backfill", "--timeout", "1")[0] == 0
        hang.set()
    assert run.counts(at=5)[FAILURES] == 100
    assert run.counts("--backfill", at=10)[FAILURES] == 100


def test_what_is_undecided_waits_while_there_is_more_to_read(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a pause the end of a block is not the end of the log: no ten minutes go by there."""
    replace(monkeypatch, "BLOCK", 1000)
    replace(monkeypatch, "MAX_LINE", 400)
    run.append("")
    run.counts()
    first = line(2, "Invalid user oracle from 192.0.2.7 port 1", pid=77)
    filling = "".join("x" * 99 + "\n" for _ in range(8)) + "x" * (159 - len(first)) + "\n"
    run.append(filling + first, failed(3, "invalid user oracle", pid=77), failed(3))
    with hurried():
        for at in range(5_000, 5_004):
            found = run.counts(at=at)
    assert found[UNKNOWN] == 1
    assert 'users_auth_probes_total{kind="other",program="sshd"}' not in found


def test_an_invalid_user_is_a_probe_after_ten_minutes(run: Run) -> None:
    probes = 'users_auth_probes_total{kind="other",program="sshd"}'
    run.append("")
    run.counts()
    run.append(line(1, "Invalid user oracle from 192.0.2.7 port 1"))
    assert probes not in run.counts(at=5)
    assert probes not in run.counts(at=600)
    assert run.counts(at=602)[probes] == 1
    assert run.counts(at=2_000)[probes] == 1


# Which log


@pytest.mark.parametrize("name", ["var/log/auth.log", "var/log/secure", "var/log/messages"])
def test_the_log_of_each_distribution(run: Run, name: str) -> None:
    run.append("", name=name)
    run.counts()
    run.append(failed(1), name=name)
    assert run.counts(at=5)[FAILURES] == 1


def test_logs_that_are_given_are_all_read(run: Run) -> None:
    paths = [run.host.path("a.log"), run.host.path("b.log")]
    flags = [word for path in paths for word in ("--auth-log", path)]
    run.append(name="a.log")
    run.counts(*flags)
    run.append(failed(1), name="a.log")
    run.append(failed(1), name="b.log")
    assert run.counts(*flags, at=5)[FAILURES] == 2, "one may come later"


def test_a_given_log_is_read_below_no_root(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "elsewhere.log"
    log.write_text("")
    run.append(failed(-1))
    run.counts("--auth-log", str(log))
    log.write_text(failed(1) + failed(2))
    assert run.counts("--auth-log", str(log), at=5)[FAILURES] == 2


def test_no_log_at_all_is_no_fault(run: Run) -> None:
    assert run() == (0, "")
    assert run.samples()['users_collector_success{collector="auth"}'] == 1
    assert run.samples()['users_source_available{source="authlog"}'] == 0
    assert FAILURES not in run.samples(), "not known is not zero"


def test_none_is_asked_for(run: Run) -> None:
    run.append(failed(-1))
    run.counts("--auth-source", "none")
    run.append(failed(1))
    assert FAILURES not in run.counts("--auth-source", "none", at=5)
    assert not [name for name in run.samples() if name.startswith("users_auth_")]


def test_a_log_that_may_not_be_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.append("")
    run.counts()
    run.append(failed(1))
    run.counts(at=1)
    run.append(failed(1))

    def deny(path: str) -> int:
        if path == run.log:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return files.open_regular(path)

    monkeypatch.setattr(logs, "open_regular", deny)
    said = f"textfile-users: {run.log}: permission denied; see group adm\n"
    assert run(at=2) == (0, said)
    samples = run.samples()
    assert samples['users_collector_success{collector="auth"}'] == 0
    assert samples['users_source_available{source="authlog"}'] == 1
    assert samples[FAILURES] == 1, "what was counted is still shown"
    assert run(at=4) == (0, ""), "said once"
    monkeypatch.undo()
    assert run.counts(at=6)[FAILURES] == 2, "nothing is lost"


def test_a_directory_for_a_log(run: Run) -> None:
    os.makedirs(run.log)
    assert run() == (0, f"textfile-users: {run.log}: is a directory, not a file\n")
    assert run.samples()['users_collector_success{collector="auth"}'] == 0


def test_stamps_of_an_unknown_form_are_reported(run: Run) -> None:
    run.append("")
    run.counts()
    run.append("10:00:00 17.01.2026 host sshd[1]: Failed password for root\n" * 3)
    status, said = run(at=5)
    assert status == 0
    begins = "names programs, and no line has a known form: 10:00:00 17.01.2026 host sshd[1]"
    assert said == f"textfile-users: {run.log}: {begins}\n"
    samples = run.samples()
    assert samples['users_auth_log_lines_total{result="unmatched",source="authlog"}'] == 3
    assert samples['users_collector_success{collector="auth"}'] == 0
    run(at=10)
    samples = run.samples()
    assert samples['users_collector_success{collector="auth"}'] == 0, (
        "nothing new makes it no better"
    )
    assert samples['users_auth_log_lines_total{result="unmatched",source="authlog"}'] == 3
    run.append("17.01.2026 more\n")
    run(at=15)
    assert run.samples()['users_collector_success{collector="auth"}'] == 0, "a line of nobody's"
    run.append(line(15, "(root) CMD (true)", "CRON[{}]"))
    run(at=20)
    assert run.samples()['users_collector_success{collector="auth"}'] == 1, "it is mended"


def test_a_log_whose_stamps_have_no_date_is_reported(run: Run) -> None:
    """As `journalctl -o short-monotonic` writes them: nothing tells when it was."""
    run.append("")
    run.counts()
    run.append("[   12.345678] host sshd[1]: Failed password for root from 192.0.2.7 port 1 ssh2\n")
    _, said = run(at=5)
    assert said.endswith("no line has a known form: [   12.345678] host sshd[1]\n")
    run(at=10)
    assert run.samples()[FAILURES] == 0


@pytest.mark.parametrize(
    ("log", "begins"),
    [
        (b'2026-01-17 10:00:00,host,sshd,1,"Failed"\n', "2026-01-17 10:00:00, ... sshd"),
        ("\ufeffJan 17 10:00:00 host sshd[1]: x\r\n".encode("utf-16-le"), "UTF-16 ... sshd"),
    ],
    ids=["CSV", "UTF-16"],
)
def test_a_log_with_a_program_as_a_word_is_reported(run: Run, log: bytes, begins: str) -> None:
    run.append("")
    run.counts()
    with open(run.log, "ab") as file:
        file.write(log)
    _, said = run(at=5)
    assert f"{run.log}: names programs, and no line has a known form: {begins}\n" in said
    assert run.samples()['users_collector_success{collector="auth"}'] == 0
    run.append(line(10, "(root) CMD (true)", "CRON[{}]"))
    run(at=10)
    run.append("    of sshd, which goes on\n")
    run(at=15)
    assert run.samples()['users_collector_success{collector="auth"}'] == 1, "it is mended"


def test_one_log_of_several_that_is_not_understood_is_reported(run: Run) -> None:
    other = run.host.path("var/log/other.log")
    run.append("", name="var/log/other.log")
    run.append("")
    given = ("--auth-log", run.log, "--auth-log", other)
    run(*given)
    run.append(failed(3))
    run.append(f"weird|sshd[1]: {failed(3)}", name="var/log/other.log")
    _, said = run(*given, at=5)
    begins = "names programs, and no line has a known form: weird|sshd[1]"
    assert said == f"textfile-users: {other}: {begins}\n"


def test_a_log_that_changes_its_form_goes_on(run: Run) -> None:
    """A host gets another syslogd, or its template is changed; forms may alternate as well."""
    message = "Failed password for root from 192.0.2.7 port 22 ssh2"
    run.append(failed(-600))
    run.counts()
    at = time.gmtime(NOW + 3)
    local, ctime = time.strftime("%b %d %H:%M:%S", at), time.strftime("%a %b %d %H:%M:%S %Y", at)
    iso = time.strftime("%Y-%m-%dT%H:%M:%SZ", at)
    heads = (
        f"{iso} host sshd[2]: ",
        f"{local} host auth.info sshd[3]: ",
        f"{ctime} auth.info sshd[4]: ",
        f"<38>1 {iso} host sshd 5 - -  ",
        f"{iso} host sshd[6]: ",
        f"{iso} host sshd 7 - - ",
    )
    run.append("".join(f"{head}{message}\n" for head in heads))
    assert run.counts(at=5)[FAILURES] == 6


def test_traditional_stamps_are_in_the_hosts_time(run: Run) -> None:
    run.append("")
    run.counts()
    stamp = time.strftime("%b %e %H:%M:%S", time.gmtime(NOW + 1))
    run.append(f"{stamp} host sshd[7]: Accepted password for alice from 192.0.2.7 port 1 ssh2\n")
    assert run.counts(at=5)[LAST_LOGIN] == int(NOW + 1)


# Hostile names, and too many of anything


def test_names_of_nobody_are_no_labels(run: Run) -> None:
    run.append("")
    run.counts()
    names = ["oracle", 'a"b', "root from 192.0.2.1 port 22 ssh2", "x" * 300, "\udcff", ""]
    run.append(*(failed(1, "invalid user " + name) for name in names))
    run.append(failed(2, "bob"), accepted(3, "bob"), failed(4, "bob"))
    found = run.counts(at=5)
    assert found[UNKNOWN] == len(names) + 1
    who = 'users_auth_failures_total{method="password",program="sshd",user="bob"}'
    assert found[who] == 1, "who has logged in is somebody"


def test_too_many_users_are_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (admission, counting):
        monkeypatch.setattr(module, "MAX_USERS", 50)
    run.append("")
    run.counts()
    run.append(*(accepted(1 + number / 100, f"u{number}") for number in range(200)))
    for at in (5, 10):
        found = run.counts(at=at)
        series = [name for name in found if name.startswith("users_auth_successes_total{")]
        assert len(series) <= 51
        assert sum(found[name] for name in series) == 200
        assert sum(v for name, v in found.items() if name.startswith("users_logins_total{")) == 200
    last = [name for name in found if name.startswith("users_last_login_timestamp_seconds{")]
    assert len(last) == 50


def test_too_many_addresses_keep_those_with_most_failures(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MAX_ADDRESSES", 100)
    run.append("")
    run.counts()
    run.append(*(failed(1, ip="192.0.2.7") for _ in range(5)))
    run.append(*(failed(2, ip=f"2001:db8:{number:x}::1") for number in range(1_000)))
    run.append(*(failed(3, ip="192.0.2.7") for _ in range(5)))
    found = run.counts(at=5)
    assert found[FAILURES] == 1_010
    last_hour = [name for name in found if name.startswith("users_auth_failures_last_hour")]
    assert len(last_hour) == 20
    assert found['users_auth_failures_last_hour{remote_ip="192.0.2.7",remote_network=""}'] == 10
    state = state_files.load_durable(str(run.state)).value
    assert len(state.counts.failures) == 100


def test_addresses_of_one_ipv6_network_are_one(run: Run) -> None:
    run.append("")
    run.counts()
    run.append(*(failed(1, ip=f"2001:db8:0:7::{number:x}") for number in range(1, 50)))
    found = run.counts(at=5)
    assert (
        found['users_auth_failures_last_hour{remote_ip="2001:db8:0:7::/64",remote_network=""}']
        == 49
    )


def test_the_last_hour_is_the_last_hour(run: Run) -> None:
    name = 'users_auth_failures_last_hour{remote_ip="192.0.2.7",remote_network=""}'
    run.append("")
    run.counts()
    run.append(failed(1))
    assert run.counts(at=5)[name] == 1
    assert run.counts(at=3_500)[name] == 1
    assert name not in run.counts(at=3_720)


@pytest.mark.parametrize("hour", [-1, 0, 1, 2])
def test_the_last_hour_where_the_clock_shows_an_hour_twice(run: Run, hour: int) -> None:
    """Summer time ends in Berlin at 1:00 UTC: the hours from 0:00 and 1:00 UTC both are 2:00."""
    name = 'users_auth_failures_last_hour{remote_ip="192.0.2.7",remote_network=""}'
    run.host.write("etc/localtime", zone(BERLIN))
    began = _epoch(time.strptime("2026-10-25", "%Y-%m-%d")) + 3600.0 * hour
    run.append("")
    run.counts(at=began - NOW)
    for minute in (1, 20, 50):
        at = began + 60 * minute
        stamp = time.strftime("%b %e %H:%M:%S", time.gmtime(at + (7200 if hour < 1 else 3600)))
        failure = "Failed password for root from 192.0.2.7 port 1 ssh2"
        run.append(f"{stamp} host sshd[{minute}]: {failure}\n")
        run.counts(at=at + 5 - NOW)
    assert run.samples()[name] == 3
    assert run.counts(at=began + 60 * 82 - NOW)[name] == 1
    assert name not in run.counts(at=began + 60 * 112 - NOW)


# State


def test_state_that_cannot_be_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.append("")
    run.counts()
    run.append(failed(1))

    def full(directory: str, state: memory.Durable) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(collect, "save_durable", full)
    status, said = run(at=2)
    assert status == 0
    assert f"{run.state}: cannot be written: no space left on device" in said
    assert run.samples()[FAILURES] == 1
    run.append(failed(3))
    assert run(at=4)[0] == 0
    assert run.samples()[FAILURES] == 2
    monkeypatch.undo()
    assert run.counts(at=6)[FAILURES] == 2


def test_killed_between_the_state_and_the_file(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.append("")
    run.counts()
    run.append(failed(1))
    before = run.output.read_bytes()
    child = os.fork()
    if not child:
        real = os.rename

        def stop(old: str, new: str) -> None:
            if new == str(run.output):
                os._exit(7)
            real(old, new)

        os.rename = stop  # type: ignore[assignment]
        run(at=2)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert run.output.read_bytes() == before
    assert run.counts(at=4)[FAILURES] == 1


def test_a_quiet_log_is_not_counted_again(run: Run) -> None:
    run.append(failed(-5))
    run.counts()
    run.append(failed(1))
    for at in range(2, 40, 5):
        assert run.counts(at=at)[FAILURES] == 1


def test_excluded_users_are_counted_but_not_shown(run: Run) -> None:
    run.append("")
    run.counts()
    run.append(accepted(1), failed(1))
    found = run.counts("--exclude-user", "alice", at=5)
    assert not [name for name in found if "alice" in name]
    assert found[FAILURES] == 1
    assert run.counts(at=6)[SUCCESSES] == 1


# The journal, printed by a journalctl that prints what is in a file.


class Journal:
    """A host's journal; journalctl understands what this program asks of it."""

    SCRIPT = """#!/usr/bin/env python3
import json, sys
since, cursor = 0.0, ""
for word in sys.argv[1:]:
    if word.startswith("--since=@"): since = float(word[9:])
    if word.startswith("--cursor="): cursor = word[9:]
is_found = not cursor
for text in open({path!r}):
    entry = json.loads(text)
    is_found = is_found or entry["__CURSOR"] == cursor
    if is_found and int(entry["__REALTIME_TIMESTAMP"]) / 1e6 >= since:
        print(json.dumps(entry, separators=(",", ":")))
"""

    def __init__(self, run: Run, directory: Path) -> None:
        self.run = run
        self.entries = directory / "entries"
        self.entries.write_text("")
        run.host.write("etc/machine-id", MACHINE + "\n")
        self.file = run.host.write(f"var/log/journal/{MACHINE}/system.journal", "")
        program = directory / "bin" / "journalctl"
        program.parent.mkdir()
        program.write_text(self.SCRIPT.format(path=str(self.entries)))
        program.chmod(0o755)
        self.number = 0

    def append(self, *lines: str) -> None:
        """Write lines of the log as journald would have."""
        with self.entries.open("a") as file:
            for text in lines:
                file.write(json.dumps(self.entry(text)) + "\n")
        with open(self.file, "a") as journal:  # its size changes
            journal.write("x")

    def entry(self, text: str) -> dict[str, str]:
        stamp, _, program, message = text.rstrip("\n").split(" ", 3)
        name, _, pid = program.rstrip(":").rstrip("]").partition("[")
        moment = time.strptime(stamp, "%Y-%m-%dT%H:%M:%S+00:00")
        self.number += 1
        micros = (_epoch(moment)) * 10**6 + self.number
        cursor = (
            f"s={'f' * 32};i={self.number:x};b={BOOT_ID};m={self.number:x};"
            f"t={micros:x};x={self.number:x}"
        )
        return {
            "__CURSOR": cursor,
            "__REALTIME_TIMESTAMP": str(micros),
            "SYSLOG_IDENTIFIER": name,
            "_PID": pid,
            "_UID": "0",
            "MESSAGE": message,
        }


def _epoch(moment: time.struct_time) -> int:
    from calendar import timegm

    return timegm(moment)


@pytest.fixture
def journal(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    found = Journal(run, tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    return found


@pytest.mark.parametrize("source", ["auto", "journal"])
def test_a_host_with_a_journal_alone(run: Run, journal: Journal, source: str) -> None:
    flags = ("--auth-source", source)
    journal.append(failed(-7_000), failed(-60), accepted(-50))
    found = run.counts(*flags)
    assert FAILURES not in found
    assert int(found[LAST_LOGIN]) == int(NOW - 50)
    assert found['users_auth_failures_last_hour{remote_ip="192.0.2.7",remote_network=""}'] == 1
    journal.append(failed(1), failed(2), accepted(3))
    for at in (5, 10, 15):
        found = run.counts(*flags, at=at)
        assert (found[FAILURES], found[SUCCESSES], found[LOGINS]) == (2, 1, 1)
    assert found['users_auth_log_lines_total{result="matched",source="journal"}'] == 3


def test_backfill_of_a_journal(run: Run, journal: Journal) -> None:
    journal.append(failed(-70_000), failed(-60))
    assert run.counts("--backfill")[FAILURES] == 2


def test_the_journal_is_not_asked_where_files_are_wanted(run: Run, journal: Journal) -> None:
    journal.append(failed(-1))
    run.append("")
    run.counts("--auth-source", "files")
    journal.append(failed(1))
    assert FAILURES not in run.counts("--auth-source", "files", at=5)


def test_files_are_not_read_where_the_journal_is_wanted(run: Run, journal: Journal) -> None:
    run.append(failed(-1))
    journal.append(failed(-1))
    run.counts("--auth-source", "journal")
    run.append(failed(1))
    assert FAILURES not in run.counts("--auth-source", "journal", at=5)


def test_both_have_the_same_lines_and_each_counts_once(run: Run, journal: Journal) -> None:
    for at in (-20, -10):
        text = failed(at)
        run.append(text)
        journal.append(text)
    run.counts()
    for number in range(1, 40):
        text = failed(number * 30.0)
        journal.append(text)
        run.append(text)
        assert run.counts(at=number * 30.0 + 3)[FAILURES] == number


def test_to_the_journal_when_the_file_is_no_longer_written_and_back(
    run: Run, journal: Journal
) -> None:
    """rsyslog is removed, and later installed again: nothing is lost and nothing twice."""

    def both(*lines: str) -> None:
        run.append(*lines)
        journal.append(*lines)

    both(failed(-20), failed(-10))
    run.counts()
    both(failed(1), failed(2), failed(2))
    assert run.counts(at=3)[FAILURES] == 3
    journal.append(failed(60), failed(61))  # rsyslog has gone
    total = 5.0
    for at in (70, 100, 130, 160, 190, 220):
        found = run.counts(at=at)
    assert found[FAILURES] == total
    journal.append(failed(300))
    assert run.counts(at=305)[FAILURES] == total + 1
    both(failed(400), failed(401), failed(401))  # and is back
    assert run.counts(at=405)[FAILURES] == total + 4
    both(failed(410))
    for at in (415, 420, 500, 600):
        assert run.counts(at=at)[FAILURES] == total + 5


def test_to_the_journal_when_the_file_has_gone(run: Run, journal: Journal) -> None:
    for text in (failed(-20), failed(-10)):
        run.append(text)
        journal.append(text)
    run.counts()
    text = failed(1)
    run.append(text)
    journal.append(text)
    assert run.counts(at=2)[FAILURES] == 1
    os.unlink(run.log)
    journal.append(failed(4), failed(5))
    assert run.counts(at=6)[FAILURES] == 3
    assert run.counts(at=60)[FAILURES] == 3


def test_to_a_journal_that_was_asked_before(run: Run, journal: Journal) -> None:
    """What was too young then to tell that the file lacks it is read later."""
    text = failed(-1)
    run.append(text)
    journal.append(text)
    run.counts()
    journal.append(failed(65))
    assert FAILURES not in run.counts(at=70)
    os.unlink(run.log)
    assert run.counts(at=75)[FAILURES] == 1


def test_a_forged_entry_is_not_believed(run: Run, journal: Journal) -> None:
    journal.append(failed(-1))
    run.counts()
    entry = {**journal.entry(failed(1)), "_UID": "1000", "_EXE": "/usr/bin/logger"}
    with journal.entries.open("a") as file:
        file.write(json.dumps(entry) + "\n")
    journal.append()
    found = run.counts(at=5)
    assert FAILURES not in found
    assert found['users_auth_log_lines_total{result="untrusted",source="journal"}'] == 1


def test_of_a_user_the_journal_counts_what_tells_of_that_user(run: Run, journal: Journal) -> None:
    """By the names in the host's passwd; a refusal's process has often gone."""
    journal.append(failed(-1))
    run.counts()
    granted = "{} : PWD=/ ; USER=root ; COMMAND=/bin/id"
    refused = "{} : user NOT in sudoers ; PWD=/ ; USER=root ; COMMAND=/bin/id"
    entries = [
        {**journal.entry(line(number, message, "sudo[{}]")), "_UID": uid}
        for number, (uid, message) in enumerate(
            (uid, form.format(user))
            for form in (granted, refused)
            for uid, user in (("1000", "alice"), ("1000", "root"), ("1001", "alice"), ("0", "root"))
        )
    ]
    with journal.entries.open("a") as file:
        file.write("".join(json.dumps(entry) + "\n" for entry in entries))
    journal.append()
    found = run.counts(at=20)
    name = 'users_{}_total{{program="sudo",target_user="root",user="{}"}}'
    results = [
        (family, user)
        for family in ("escalations", "escalation_failures")
        for user in ("alice", "root")
    ]
    assert [found.get(name.format(*one)) for one in results] == [1.0] * 4
    assert found['users_auth_log_lines_total{result="untrusted",source="journal"}'] == 4


def test_a_line_of_sudos_that_may_go_on_counts_in_the_next_run(run: Run) -> None:
    run.append("")
    run.counts()
    name = 'users_escalations_total{{program="sudo",target_user="{}",user="alice"}}'
    forged = "alice : TTY=pts/0 ; PWD=/x ; USER=root ; COMMAND=/bin/sh"
    more = "alice : (command continued) " + "d" * 900 + " ; USER=bob ; COMMAND=/bin/id"
    opened = "pam_unix(sudo:session): session opened for user bob(uid=1001) by (uid=1000)"
    run.append(line(5, forged, "sudo[{}]", 77))
    assert not any("escalations" in sample for sample in run.counts(at=5))
    run.append(line(5, more, "sudo[{}]", 77), line(5, opened, "sudo[{}]", 77))
    found = run.counts(at=10)
    assert (found.get(name.format("bob")), found.get(name.format("root"))) == (1.0, None)
    run.append(line(10, forged, "sudo[{}]", 78))
    assert run.counts(at=11)[name.format("root")] == 1.0, "nothing follows within a second"


def test_a_journalctl_that_fails(run: Run, journal: Journal, tmp_path: Path) -> None:
    journal.append(failed(-1))
    run.counts()
    program = tmp_path / "bin" / "journalctl"
    whole = program.read_text()
    program.write_text("#!/bin/sh\necho no such thing >&2\nexit 1\n")
    journal.append(failed(1))
    status, said = run(at=2)
    assert (status, said) == (0, "textfile-users: journalctl: no such thing\n")
    assert run.samples()['users_collector_success{collector="auth"}'] == 0
    program.write_text(whole)
    assert run.counts(at=4)[FAILURES] == 1
