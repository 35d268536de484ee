"""`collect` as a whole, in process: what it writes, says and returns, whatever the host is."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hosts import BOOT, NOW, Host, Record, pack
from textfile_users import run as collect_module
from textfile_users import scan as scan_module
from textfile_users.cli import main
from textfile_users.metrics import family, users
from textfile_users.processes import process_table as processes_source
from textfile_users.processes import procfs
from textfile_users.run import HOUR, times_to_scan
from textfile_users.sessions import collect_sessions as sessions_collector
from textfile_users.sessions import merge
from textfile_users.snapshot import Snapshot


class Run:
    """Runs `collect` on a host with directories of its own."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.host = Host(str(directory / "host"))
        self.output = directory / "out" / "users.prom"
        self.output.parent.mkdir()
        self.state = directory / "state"
        self.capsys = capsys

    def __call__(self, *extra: str, now: float = NOW) -> tuple[int, str]:
        where = [] if "--output" in extra else ["--textfile-directory", str(self.output.parent)]
        return self.without_directory(*where, *extra, now=now)

    def without_directory(self, *extra: str, now: float = NOW) -> tuple[int, str]:
        argv = ["--root", self.host.root, "--now", str(now), "--timeout", "60"]
        argv += ["--state-directory", str(self.state), "--runtime-directory", str(self.state)]
        self.capsys.readouterr()
        status = main([*argv, *extra])
        return status, self.capsys.readouterr().err

    def samples(self) -> dict[str, float]:
        lines = self.output.read_text().split("\n")
        pairs = [line.rpartition(" ") for line in lines if line and not line.startswith("#")]
        return {name: float(value) for name, _, value in pairs}


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(tmp_path, capsys)


def both_sources(host: Host) -> None:
    host.ssh_connection(1000, "alice", "pts/0")
    host.utmp(Record(host="192.0.2.7", ip="192.0.2.7"))
    host.logind("5", REMOTE_HOST="192.0.2.7")
    host.logind("6", USER="bob", LEADER=1, REMOTE_HOST="192.0.2.8")


def test_nothing_is_said_on_success(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    both_sources(run.host)
    assert run() == (0, "")
    assert run.samples()["users_logged_in"] == 2
    assert sorted(os.listdir(run.output.parent)) == ["users.prom"]
    assert sorted(os.listdir(run.state)) == ["durable.json", "lock", "volatile.json"]


def test_identical_input_gives_identical_output(run: Run) -> None:
    both_sources(run.host)
    run()
    first = run.output.read_bytes()
    run()
    assert run.output.read_bytes() == first


def test_a_host_without_sources_leaves_the_session_families_out(run: Run) -> None:
    status, said = run()
    assert status == 0
    assert said == (
        f"textfile-users: no source of sessions: neither {run.host.path('run/utmp')} nor "
        f"{run.host.path('run/systemd/sessions')} can be read\n"
    )
    names = {name.partition("{")[0] for name in run.samples()}
    assert not names & {
        "users_logged_in",
        "users_sessions",
        "users_sessions_closing",
        "users_session_info",
        "users_session_start_timestamp_seconds",
    }
    assert run.samples()['users_collector_success{collector="sessions"}'] == 0


def test_an_ended_session_is_zero_for_an_hour(run: Run) -> None:
    both_sources(run.host)
    run()
    os.unlink(run.host.path("run/systemd/sessions/6"))
    run(now=NOW + 5)
    series = 'users_sessions{session_type="ssh",user="bob"}'
    assert run.samples()[series] == 0
    run(now=NOW + 5 + HOUR)
    assert series not in run.samples()


def _as_directory(host: Host) -> None:
    os.makedirs(host.path("run/utmp"))


def _random_bytes(host: Host) -> None:
    host.write("run/utmp", bytes(range(250)) * 3)


def _cut_short(host: Host) -> None:
    host.write("run/utmp", pack(Record())[:100])


def _one_damaged(host: Host) -> None:
    host.write("run/utmp", pack(Record(host="192.0.2.7", ip="192.0.2.7")) + b"\xff" * 384)


def _bad_session_file(host: Host) -> None:
    host.utmp(Record(host="192.0.2.7", ip="192.0.2.7"))
    host.write("run/systemd/sessions/7", b"USER=\xff\0\nX" * 200_000)


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (_as_directory, "run/utmp: is a directory, not a file"),
        (_random_bytes, "run/utmp: records skipped: 1 damaged, the first at byte 0; the last"),
        (_cut_short, "run/utmp: records skipped: the last one cut short"),
        (_one_damaged, "run/utmp: records skipped: 1 damaged, the first at byte 384"),
        (_bad_session_file, "run/systemd/sessions: 1 session files skipped; 7: longer than 65536"),
    ],
)
def test_a_bad_source_is_one_line_and_costs_only_itself(
    run: Run, damage: Callable[[Host], None], fault: str
) -> None:
    both_sources(run.host)
    os.unlink(run.host.path("run/utmp"))
    damage(run.host)
    status, said = run()
    assert status == 0
    assert said.count("\n") == 1
    assert f"textfile-users: {run.host.path(fault)}" in said
    samples = run.samples()
    assert samples["users_logged_in"] == 2
    assert samples['users_sessions{session_type="ssh",user="bob"}'] == 1
    assert run(now=NOW + 5) == (0, ""), "what has not changed is said once"
    assert run(now=NOW + HOUR)[1] == said, "and then once an hour"


@pytest.mark.parametrize(
    ("user", "label"),
    [
        ('a"b', 'a\\"b'),
        ("a\\b", "a\\\\b"),
        ("a\nb", "a\\nb"),
        ("🙂", "🙂"),
        ("a b", "a b"),
        ("\udcff", "\\\\xff"),
        ("x" * 32, "x" * 32),
    ],
)
def test_hostile_user_names_stay_in_their_label(run: Run, user: str, label: str) -> None:
    run.host.process(1000, "sshd")
    run.host.utmp(Record(user=user, host="192.0.2.7"))
    assert run()[0] == 0
    assert run.samples()[f'users_sessions{{session_type="ssh",user="{label}"}}'] == 1


def test_labels_are_bounded_and_never_stand_twice(run: Run) -> None:
    """Names that differ only behind the bound become one label set: counts add up."""
    for ident in ("1", "2"):
        run.host.logind(ident, USER="é" * 100 + ident, LEADER=1, REMOTE_HOST="h" * 255)
    run()
    name = "é" * 64
    assert run.samples()[f'users_sessions{{session_type="ssh",user="{name}"}}'] == 2
    assert len([line for line in run.samples() if f'remote_host="{"h" * 128}"' in line]) == 2


def test_too_many_sessions_keep_the_newest(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "MAX_SESSIONS", 3)
    monkeypatch.setattr(merge, "MAX_SESSIONS", 4)
    monkeypatch.setattr(family, "MAX_USERS", 2)
    for n in range(5):
        run.host.logind(
            str(n), USER=f"u{n}", LEADER=1, REALTIME=(BOOT + n) * 1_000_000, REMOTE_HOST="h"
        )
    run()
    samples = run.samples()
    assert samples["users_logged_in"] == 4
    assert [
        n for n in range(5) if f'users_sessions{{session_type="ssh",user="u{n}"}}' in samples
    ] == [3, 4]
    infos = [line for line in samples if line.startswith("users_session_info{")]
    assert [line[line.index("session=") :][9] for line in infos] == ["2", "3", "4"]
    dropped = {
        name: value for name, value in samples.items() if name.startswith("users_series_dropped")
    }
    assert dropped == {
        'users_series_dropped{family="users_sessions"}': 2,
        'users_series_dropped{family="users_session_info"}': 2,
        'users_series_dropped{family="users_session_start_timestamp_seconds"}': 2,
        'users_series_dropped{family=""}': 6,
    }


def test_excluded_users(run: Run) -> None:
    both_sources(run.host)
    run("--exclude-user", "al*", "--exclude-user", "nobody")
    assert run.samples()["users_logged_in"] == 1
    assert not [line for line in run.samples() if "alice" in line]


def test_an_output_directory_that_is_missing(run: Run) -> None:
    run.output.parent.rmdir()
    both_sources(run.host)
    status, said = run()
    assert status == 1
    assert said == (
        f"textfile-users: {run.output}: not written: no such file or directory; make its "
        "directory, or give --textfile-directory\n"
    )
    assert run(now=NOW + 5) == (1, "")


def test_what_boot_makes_is_missing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody has removed our directory in /run: the line names what makes it again."""
    monkeypatch.setattr(collect_module, "LINKED_OUTPUT", str(run.output))
    run.output.parent.rmdir()
    both_sources(run.host)
    assert run()[1].endswith("directory; run: systemd-tmpfiles --create textfile-users.conf\n")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENOSPC, "no space left on device"),
        # As the unit sees the textfile directory where somebody has replaced install's link.
        (
            errno.EROFS,
            "read-only file system; if this is the service's file, see `textfile-users doctor`",
        ),
        (errno.EACCES, "permission denied; its directory must be writable for this user"),
        (errno.EDQUOT, "disk quota exceeded"),
        (errno.EIO, "input/output error"),
    ],
)
def test_what_cannot_be_written_leaves_the_old_file(
    run: Run, monkeypatch: pytest.MonkeyPatch, code: int, said: str
) -> None:
    both_sources(run.host)
    run()
    before = run.output.read_bytes()
    real = os.open

    def fail(path: str, flags: int, mode: int = 0o777) -> int:
        if str(path).startswith(str(run.output.parent)):
            raise OSError(code, os.strerror(code))
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", fail)
    assert run(now=NOW + 5) == (1, f"textfile-users: {run.output}: not written: {said}\n")
    monkeypatch.undo()
    assert run.output.read_bytes() == before
    assert run(now=NOW + 10) == (0, "")


def test_a_directory_in_the_outputs_place(run: Run) -> None:
    run.output.mkdir()
    status, said = run()
    assert status == 1
    assert "not written: something that is no regular file has its name" in said
    assert os.listdir(run.output.parent) == ["users.prom"]


def test_no_textfile_directory(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said once, then once an hour: the timer would say it 17,280 times a day."""
    monkeypatch.delenv("TEXTFILE_DIRECTORY", raising=False)
    monkeypatch.setattr("textfile_users.paths.TEXTFILE_DIRECTORIES", ("/nowhere",))
    both_sources(run.host)
    status, said = run.without_directory()
    assert status == 1
    assert said.count("\n") == 1
    assert "give --textfile-directory or --output" in said
    assert run.without_directory(now=NOW + 5) == (1, "")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_not_replaced(run: Run, make: Callable[[str], None]) -> None:
    """A rename would turn /dev/null into a file."""
    make(str(run.output))
    before = run.output.stat().st_mode
    assert run()[0] == 1
    assert run.output.stat().st_mode == before


def test_on_a_terminal_faults_are_said_each_time(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.host.no_sessions()
    os.makedirs(run.host.path("run/utmp"))
    monkeypatch.setattr(collect_module, "_is_terminal", lambda stream: True)
    assert run()[1] == run(now=NOW + 5)[1] != ""


def test_a_path_that_is_not_utf8(run: Run, tmp_path: Path) -> None:
    host = Host(str(tmp_path) + "/h\udcff")
    host.no_sessions()
    os.makedirs(host.path("run/utmp"))
    status, said = run("--root", host.root)
    assert status == 0
    assert "h\\udcff/run/utmp: is a directory" in said
    assert run("--root", host.root, now=NOW + 5) == (0, "")


def test_users_excluded_later_leave_no_zero(run: Run) -> None:
    both_sources(run.host)
    run()
    run("--exclude-user", "alice", now=NOW + 5)
    assert not [line for line in run.samples() if "alice" in line]


def test_a_session_whose_beginning_nobody_recorded(run: Run) -> None:
    run.host.logind("5", REALTIME=None, LEADER=1)
    run()
    samples = run.samples()
    assert samples['users_sessions{session_type="ssh",user="alice"}'] == 1
    assert not [line for line in samples if line.startswith("users_session_start")]


def test_the_environment_names_directories(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    both_sources(run.host)
    monkeypatch.setenv("TEXTFILE_DIRECTORY", str(run.output.parent))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "s"))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "r"))
    assert main(["--root", run.host.root, "--now", str(NOW)]) == 0
    assert run.samples()["users_logged_in"] == 2
    assert sorted(os.listdir(tmp_path / "s")) == ["durable.json", "lock"]
    assert os.listdir(tmp_path / "r") == ["volatile.json"]


def test_standard_output(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    host = Host(str(tmp_path / "host"))
    host.logind("5", USER="🙂", LEADER=1)
    state = str(tmp_path / "state")
    argv = ["--state-directory", state, "--runtime-directory", state, "--output", "-"]
    assert main(["--root", host.root, *argv]) == 0
    assert 'user="🙂"'.encode() in capfdbinary.readouterr().out


@pytest.fixture
def busy(run: Run) -> int:
    """Another run that has the lock."""
    run.state.mkdir()
    descriptor = os.open(run.state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def test_while_another_run_is_at_it_we_leave(run: Run, busy: int) -> None:
    both_sources(run.host)
    assert run() == (0, "")
    assert run("-v") == (0, "textfile-users: another run holds the lock\n")
    assert not run.output.exists()
    os.close(busy)
    assert run() == (0, "")
    assert run.output.exists()


def test_an_output_asked_for_by_name_waits_for_the_other_run(run: Run, busy: int) -> None:
    both_sources(run.host)
    status, said = run("--output", str(run.output), "--timeout", "0.2")
    assert status == 1
    assert said == (
        f"textfile-users: {run.output}: not written: another run has held the lock for 0.15 s\n"
    )
    os.close(busy)
    assert run("--output", str(run.output)) == (0, "")


def test_a_lock_that_cannot_be_closed_costs_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then everything is written, and close(2) has let it go."""
    both_sources(run.host)
    flock, close = fcntl.flock, os.close
    locks = []

    def take(descriptor: int, how: int) -> None:
        locks.append(descriptor)
        flock(descriptor, how)

    def fail(descriptor: int) -> None:
        close(descriptor)
        if descriptor in locks:
            locks.remove(descriptor)
            raise OSError(5, "input/output error")

    monkeypatch.setattr(fcntl, "flock", take)
    monkeypatch.setattr(os, "close", fail)
    assert run() == (0, "")
    assert not locks
    assert run.samples()["users_logged_in"]


@pytest.mark.parametrize("name", ["lock", "volatile.json"])
def test_state_that_cannot_be_used_does_not_stop_the_run(run: Run, name: str) -> None:
    both_sources(run.host)
    (run.state / name).mkdir(parents=True)
    status, said = run()
    assert status == 0
    assert all(line.startswith(f"textfile-users: {run.state}: ") for line in said.splitlines())
    assert run.samples()["users_logged_in"] == 2


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"garbage", b"\xff\xfe"])
def test_unreadable_memory_is_said_and_begun_anew(run: Run, content: bytes) -> None:
    both_sources(run.host)
    run.state.mkdir()
    (run.state / "volatile.json").write_bytes(content)
    status, said = run()
    assert status == 0
    assert said.count("cannot read the saved state") == said.count("\n") == 1
    assert run(now=NOW + 5) == (0, "")


def test_verbose_tells_who_came_and_went(run: Run) -> None:
    both_sources(run.host)
    assert run("-v") == (0, ""), "there is no last scan to compare with"
    os.unlink(run.host.path("run/systemd/sessions/6"))
    run.host.logind("9", USER="eve\x1b[31m", LEADER=1, TTY="pts/9")
    assert run("-v", now=NOW + 5)[1].splitlines() == [
        "textfile-users: session ended: 6 of bob, ssh",
        "textfile-users: session begun: 9 of eve\\x1b[31m, ssh pts/9",
    ]


def test_very_verbose_tells_why(run: Run) -> None:
    both_sources(run.host)
    said = run("-vv")[1].splitlines()
    assert "textfile-users: logind session 6 of bob: counts" in said


def test_under_the_journal_lines_have_levels(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    status = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    os.makedirs(run.host.path("run/utmp"))
    run.host.no_sessions()
    assert run()[1].startswith("<4>textfile-users: ")
    run.output.parent.rename(run.output.parent.with_name("away"))
    assert run(now=NOW + 5)[1].startswith("<3>textfile-users: ")
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    run.host.logind("1", USER="")
    assert run(now=NOW + 10)[1].startswith("textfile-users: "), "stderr is another file"


def test_a_collector_that_hangs_costs_its_own_metrics(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_sources(run.host)

    def hang(*_: object) -> Snapshot:
        time.sleep(2)
        raise AssertionError("nobody waits for this")

    first = scan_module._sessions
    steps = [(name, hang if step is first else step) for name, step in scan_module.STEPS]
    monkeypatch.setattr(scan_module, "STEPS", steps)
    status, said = run("--timeout", "1")
    assert (status, said) == (0, "textfile-users: sessions: no answer within 0.25 s\n")
    samples = run.samples()
    assert samples['users_collector_success{collector="sessions"}'] == 0
    others = {"processes", "accounts", "connections", "auth", "history"}
    assert {samples[f'users_collector_success{{collector="{name}"}}'] for name in others} == {1}


def test_a_collector_that_comes_back_late_adds_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even in the moment between giving it up and going on."""
    both_sources(run.host)
    run()
    assert run.samples()["users_logged_in"] == 2

    def given_up(_: object, values: Iterator[object]) -> tuple[list[object], bool]:
        list(values)
        return [], False

    monkeypatch.setattr(scan_module, "newest_until", given_up)
    monkeypatch.setattr(scan_module, "STEPS", [("sessions", scan_module._sessions)])
    monkeypatch.setattr(collect_module, "within", lambda _, function: function())
    assert run(now=NOW + 5)[1] == "textfile-users: sessions: no answer within 15 s\n"
    assert "users_logged_in" not in run.samples()


def test_a_process_is_read_once_a_look(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of leaders, too, that another collector has read."""
    both_sources(run.host)
    read = []
    path_of = procfs.read_owned

    def read_owned(path: str, limit: int = 0) -> tuple[bytes, int]:
        read.append(path)
        return path_of(path, limit or procfs.MAX_BYTES)

    for module in (procfs, processes_source):
        monkeypatch.setattr(module, "read_owned", read_owned)
    run()
    stats = [path for path in read if path.endswith("/stat") and path.split("/")[-2].isdigit()]
    assert stats
    assert len(stats) == len(set(stats))


def test_a_run_that_hangs_is_given_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    both_sources(run.host)
    run()
    before = run.output.read_bytes()

    def hang(*_: object) -> str:
        time.sleep(2)
        return ""

    monkeypatch.setattr(collect_module, "_write", hang)
    status, said = run("--timeout", "0.3", now=NOW + 5)
    assert (status, said) == (
        1,
        f"textfile-users: {run.output}: not written: timed out after 0.3 s\n",
    )
    assert run.output.read_bytes() == before


def test_a_fault_of_our_own_in_a_collector_costs_its_own_metrics(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_sources(run.host)
    monkeypatch.setattr(sessions_collector, "merge", lambda *_: 1 // 0)
    status, said = run()
    assert status == 0
    assert said.startswith("textfile-users: sessions: ZeroDivisionError")
    assert "users_logged_in" not in run.samples()


@pytest.mark.parametrize(
    ("start", "took", "repeat", "interval", "expected"),
    [
        (60.4, 0.0, 12, 5, [60.4, 65, 70, 75, 80, 85, 90, 95, 100, 105, 110, 115]),
        (63.0, 0.0, 12, 5, [63, 65, 70, 75, 80, 85, 90, 95, 100, 105, 110, 115]),
        (118.0, 0.0, 12, 5, [118]),
        (60.0, 0.0, 1, 5, [60]),
        (60.0, 0.0, 3, 5, [60, 65, 70]),
        (60.0, 7.0, 12, 5, [60, 70, 80, 90, 100, 110]),
        (60.0, 0.0, 99, 25, [60, 75, 100]),
    ],
)
def test_looks_are_at_multiples_of_the_interval_within_the_minute(
    start: float, took: float, repeat: int, interval: float, expected: list[float]
) -> None:
    now = start
    times = []

    def sleep(seconds: float) -> None:
        nonlocal now
        assert seconds >= 0
        now += seconds

    for _ in times_to_scan(repeat, interval, lambda: now, sleep):  # noqa: B023
        times.append(now)
        now += took
    assert times == expected


def test_a_clock_set_back_ends_the_looks() -> None:
    times = iter([100.0, 100.0, 100.0, -3500.0, -3500.0, -3500.0])
    slept: list[float] = []
    assert len(list(times_to_scan(12, 5, lambda: next(times), slept.append))) == 2
    assert slept == [5.0]


def test_repeat_writes_again_and_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    both_sources(run.host)
    written: list[str] = []
    real = os.rename

    def rename(source: str, target: str) -> None:
        written.append(os.path.basename(target))
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    monkeypatch.setattr(time, "time", lambda: 60.0 + time.monotonic() % 30)
    assert run("--repeat", "3", "--interval", "0.05") == (0, "")
    assert written.count("users.prom") == 3
