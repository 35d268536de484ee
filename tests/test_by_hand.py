"""Runs by hand: the settings that the service has, and no harm to it.

What root's run does to an installed service is shown in tests/e2e/test_by_hand.py.
"""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path

import pytest

from tests.hosts import Host, Record
from textfile_users import by_hand, paths
from textfile_users.cli import main
from textfile_users.product import SETTINGS
from textfile_users.setup.service import Service

NOW = "1765100000"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "EXCLUDE_USERS", "SSH_PORTS", "LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    host = Host(str(tmp_path / "host"))
    host.utmp(
        Record(host="192.0.2.7", ip="192.0.2.7"), Record("bob", "pts/1", 1001, host="198.51.100.9")
    )
    host.ssh_connection(1000, "alice", "pts/0")
    host.ssh_connection(1001, "bob", "pts/1")
    return host


def settings(host: Host, text: str) -> Path:
    path = Path(host.root + SETTINGS)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)
    return path


def collected(host: Host, capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[str, str]:
    capsys.readouterr()
    state = str(Path(host.root).parent / "state")
    assert main(["--root", host.root, "--now", NOW, "--state-directory", state, *argv]) == 0
    return Path(argv[-1]).read_text(), capsys.readouterr().err


def shown(host: Host, capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, str]:
    """Return the network of each user that `show` has."""
    capsys.readouterr()
    assert main(["show", "--root", host.root, "--now", NOW, "--json", *argv]) == 0
    sessions = json.loads(capsys.readouterr().out)["sessions"]
    return {one["user"]: one["network"] for one in sessions}


def test_collect_and_show_take_the_settings(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = str(tmp_path / "users.prom")
    assert shown(host, capsys) == {"alice": "", "bob": ""}
    settings(host, 'OPTIONS="--network office=192.0.2.0/24 --exclude-user b*"\n')
    assert shown(host, capsys) == {"alice": "office"}
    text, said = collected(host, capsys, "--output", output)
    assert 'network="office"' in text
    assert "bob" not in text
    assert said == ""


def test_the_command_line_comes_first_and_adds(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(host, 'OPTIONS="--network office=192.0.2.0/24"\n')
    more = ("--network", "here=198.51.100.0/24", "--network", "late=192.0.2.7/32")
    assert shown(host, capsys, *more) == {"alice": "office", "bob": "here"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "OPTIONS=--netwrok\n",
            "line 1: OPTIONS: '--netwrok' is no option; did you mean --network?",
        ),
        ("OPTIONS=--network\n", "line 1: OPTIONS: argument --network: expected one argument"),
        ("NETWORKS=a\n", "line 1: 'NETWORKS' is not known"),
    ],
)
def test_a_mistake_in_the_settings_is_said_and_ends_nothing(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, why: str
) -> None:
    path = settings(host, text)
    _, said = collected(host, capsys, "--output", str(tmp_path / "users.prom"))
    assert said.startswith(f"textfile-users: {path}: {why}")
    assert said.count("\n") == 1


def test_settings_that_others_can_write_do_not_count(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    path = settings(host, 'OPTIONS="--exclude-user *"\n')
    assert shown(host, capsys) == {}
    path.chmod(0o666)
    assert shown(host, capsys) == {"alice": "", "bob": ""}


def test_another_root_s_settings_choose_no_place_here(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The root may be a container's: its owner would have root write and read what he names."""
    inside, secret = tmp_path / "theirs", tmp_path / "secret"
    secret.write_text(
        "Jan  5 13:54:43 host sshd[1]: Accepted password for x from 192.0.2.1 port 2 ssh2"
    )
    settings(
        host,
        f'TEXTFILE_DIRECTORY={inside}\nOPTIONS="--state-directory {inside} --output {inside}/a '
        f'--runtime-directory {inside} --auth-log {secret} --utmp {secret} --backfill"\n',
    )  # fmt: skip
    text, said = collected(host, capsys, "--output", str(tmp_path / "users.prom"))
    assert said == ""
    assert 'users_sessions{session_type="ssh",user="alice"} 1.0' in text
    assert not inside.exists()
    assert main(["--root", host.root, "--now", NOW, "--timeout", "9", "--state-directory",
                 str(tmp_path / "state"), "--textfile-directory", str(tmp_path)]) == 0  # fmt: skip
    assert not inside.exists()


def test_the_unit_s_run_reads_no_settings(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has them as arguments already: read twice each network would count twice."""
    settings(host, "OPTIONS=--nonsense\n")
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    assert main(["--root", host.root, "--now", NOW, "--output", str(tmp_path / "users.prom")]) == 0
    assert capsys.readouterr().err == ""


def test_a_state_directory_that_is_given_serves_for_both(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trials with a state of their own would share the CPU counters of all others' otherwise."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "xdg"))
    argv = ["--root", host.root, "--now", NOW, "--output", str(tmp_path / "users.prom")]
    assert main([*argv, "--state-directory", str(tmp_path / "one")]) == 0
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "two"))
    assert main(argv) == 0
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    assert main(argv) == 0
    found = {name: sorted(os.listdir(tmp_path / name)) for name in ("one", "two", "run")}
    both = ["durable.json", "lock", "volatile.json"]
    assert found == {"one": both, "two": both, "run": ["volatile.json"]}
    assert not (tmp_path / "xdg").exists()


def test_a_mistake_in_options_is_said_once_an_hour(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The timer would say it 17,280 times a day."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    assert main(["--netwrok", "a=192.0.2.0/24"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("textfile-users: '--netwrok' is no option; did you mean --network?")
    assert SETTINGS in said
    assert said.count("\n") == 1
    for _ in range(2):
        assert main(["--netwrok", "a=192.0.2.0/24"]) == 2
        assert capsys.readouterr().err == ""
    assert main(["--network", "a=192.0.2.300/24"]) == 2  # another mistake
    assert "192.0.2.300" in capsys.readouterr().err
    assert main(["--aggregate-only", "--metrics", "what"]) == 2
    assert "--aggregate-only" in capsys.readouterr().err
    hour = (tmp_path / "run" / "volatile.json").read_text()
    monkeypatch.setattr("textfile_users.run.time.time", lambda: 2e9)
    assert hour
    assert main(["--aggregate-only", "--metrics", "what"]) == 2
    assert "--aggregate-only" in capsys.readouterr().err


@pytest.fixture
def service(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service of this test's user, whose file is in the directory returned."""
    user = pwd.getpwuid(os.geteuid()).pw_name
    found = Service(user, str(tmp_path / "state"), str(tmp_path / "state"))
    monkeypatch.setattr(by_hand, "find_service", lambda: found)
    textfile = tmp_path / "textfile"
    textfile.mkdir()
    monkeypatch.delenv("TEXTFILE_DIRECTORY", raising=False)
    monkeypatch.setattr(paths, "TEXTFILE_DIRECTORIES", (str(textfile),))
    return textfile


@pytest.mark.parametrize(
    "text",
    [
        'OPTIONS="--redact user --netwrok a=192.0.2.0/24"',
        "OPTIONS=--redact user",  # systemd takes it, a shell does not
        'OPTIONS="--aggregate-only --metrics what"',
    ],
)
def test_the_service_s_file_is_not_written_without_its_settings(
    host: Host,
    service: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
) -> None:
    """It would tell what the service is to hide."""
    path = settings(host, f"{text}\n")
    argv = ["--root", host.root, "--now", NOW]
    for more in ([], ["--state-directory", str(tmp_path / "own")]):
        assert main([*argv, *more]) == 2
        first, second = capsys.readouterr().err.splitlines()
        assert first.startswith(f"textfile-users: {path}: line 1: ")
        assert second.startswith(f"textfile-users: {service}/users.prom: not written: ")
    assert not list(service.iterdir())
    assert main([*argv, "--output", str(tmp_path / "mine.prom")]) == 0
    settings(host, "")
    assert main(argv) == 0
    assert [one.name for one in service.iterdir()] == ["users.prom"]


@pytest.mark.parametrize("is_variable", [False, True])
def test_a_textfile_directory_that_is_given_is_not_the_service_s(
    host: Host,
    service: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_variable: bool,
) -> None:
    """A mistake in the settings, say, is then none for the file; nor is it the service's user's."""
    settings(host, "OPTIONS=--netwrok\n")
    mine = tmp_path / "mine"
    mine.mkdir()
    argv = ["--root", host.root, "--now", NOW, "--state-directory", str(tmp_path / "own")]
    if is_variable:
        monkeypatch.setenv("TEXTFILE_DIRECTORY", str(mine))
    else:
        argv += ["--textfile-directory", str(mine)]
    assert main(argv) == 0
    assert [one.name for one in mine.iterdir()] == ["users.prom"]
    assert not list(service.iterdir())


def test_by_hand_all_is_said_that_the_service_has_said(
    host: Host, service: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through ssh, without a terminal, the run would fail and say nothing."""
    (service / "users.prom").mkdir()
    argv = ["--now", NOW, "--collectors", "accounts", "--timeout", "60"]
    for _ in range(2):
        assert main(argv) == 1
        assert f"{service}/users.prom: not written: " in capsys.readouterr().err


def test_a_textfile_directory_of_the_command_line_comes_before_the_settings_file(
    host: Host, service: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, mine = tmp_path / "theirs.prom", tmp_path / "mine"
    mine.mkdir()
    monkeypatch.setattr(
        by_hand,
        "read_settings",
        lambda _: ({"OPTIONS": f"--output {theirs} --timeout 60"}, ()),
    )
    argv = ["--now", NOW, "--collectors", "sessions", "--textfile-directory", str(mine)]
    assert main([*argv, "--state-directory", str(tmp_path / "own")]) == 0
    assert [one.name for one in mine.iterdir()] == ["users.prom"]
    assert not theirs.exists()


def test_a_current_directory_that_is_gone(
    host: Host,
    service: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Root's run leaves it anyway; it is not standard output that is not there."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    argv = ["--root", host.root, "--now", NOW, "--state-directory", str(tmp_path / "own")]
    assert main([*argv, "--output", "-"]) == 0
    assert main(argv) == 0
    assert os.listdir(service) == ["users.prom"]
    capsys.readouterr()
    assert main([*argv, "--output", "users.prom"]) == 2
    said = capsys.readouterr().err
    assert said == (
        "textfile-users: users.prom: the current directory is gone; give the whole path\n"
    )
