"""What doctor suggests to root goes by root's files alone, and opens nothing but what is ours."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from textfile_users.cli import _options
from textfile_users.parsers import parse_collect
from textfile_users.paths import PRIVATE as RUNTIME
from textfile_users.paths import SERVICE_USER, STATE, Paths
from textfile_users.product import SETTINGS
from textfile_users.setup import fixes as mends
from textfile_users.setup import service
from textfile_users.setup.checks import access, rights, textfile
from textfile_users.setup.checks import directories as places
from textfile_users.setup.checks import exporters as exporters_check
from textfile_users.setup.checks.child import Identity
from textfile_users.setup.checks.result import FAULT, NOTE, OK, CheckResult, Host, Seen
from textfile_users.setup.checks.schedule import CronEntry, ScheduleFacts, judge_schedule
from textfile_users.setup.node_exporter import OWN_USER, find_node_exporters, is_systems
from textfile_users.setup.settings import read_settings

USER = Identity(SERVICE_USER, 64321, 64321, (64321,))
NOW = 1_765_100_000.0
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="files of root's and of others")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory of root's that all get into."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def host_of(*argv: str, **changed: Any) -> Host:
    return Host(_options(parse_collect(list(argv))), USER, NOW)._replace(**changed)


@pytest.mark.parametrize("path", ["/etc/crontabs/textfile-users", "/var/spool/cron/crontabs/x"])
@pytest.mark.parametrize(
    ("line", "state", "runtime", "why"),
    [
        ("STATE_DIRECTORY=/etc RUNTIME_DIRECTORY=/root", STATE, STATE, "what the recipe named"),
        ("STATE_DIRECTORY=/var/lib/textfile-users/../../../etc", STATE, STATE, "by a way around"),
        ("STATE_DIRECTORY=/", STATE, STATE, "everything"),
        (f"STATE_DIRECTORY={STATE} RUNTIME_DIRECTORY={RUNTIME}", STATE, RUNTIME, "what is ours"),
        (f"STATE_DIRECTORY={STATE}", STATE, STATE, "as busybox's entry has it"),
    ],
)
def test_a_crontab_of_the_services_user_names_no_directory(
    monkeypatch: pytest.MonkeyPatch, path: str, line: str, state: str, runtime: str, why: str
) -> None:
    """It is root's file, for crontab(1) is setuid, and has what its user has written."""
    text = f"* * * * * {line} ; exec /opt/textfile-users/bin/python3 -m textfile_users\n"
    monkeypatch.setattr(service, "CRONTABS", (path,))
    monkeypatch.setattr(service, "CRON_D", "/nonexistent")
    monkeypatch.setattr(service, "_read_roots", lambda name: text.encode() * (name == path))
    assert list(service._crontabs())[-1] == service.Service(os.path.basename(path), state, runtime)


@pytest.mark.parametrize(
    "changed",
    [
        {"uid": 0, "owner": "root"},
        {"uid": USER.uid, "mode": 0o755},
        {"uid": USER.uid, "mode": 0o700, "broken": "/etc/lock"},
        {"uid": 1000, "owner": "alice"},
        {"kind": "other"},
        {"kind": "link", "uid": 1000, "owner": "alice"},
    ],
)
@pytest.mark.parametrize("check", [places.STATE, places.RUNTIME])
@pytest.mark.parametrize("path", ["/etc", "/root", "/home/alice", "/", f"{STATE}/../../../etc"])
def test_no_directory_but_ours_is_changed(path: str, check: str, changed: dict[str, Any]) -> None:
    """Whoever named it: a setting, a flag, a crontab."""
    place = places.Place(path, "directory", 0, "root", 0o755, is_ours=places._is_ours(path))
    place = place._replace(**changed)
    (found,) = places.judge_place(check, place, USER, False, NOW, installing="INSTALL")
    assert (found.status, found.mend) == (FAULT, places.ANOTHER)


@pytest.mark.parametrize("uid", [0, 1000])
@pytest.mark.parametrize("path", [STATE, RUNTIME])
def test_what_is_in_anothers_directory_is_not_given_away(path: str, uid: int) -> None:
    place = places.Place(path, "directory", uid, "other", 0o755)
    (found,) = places.judge_place("state directory", place, USER, False, NOW, installing="INSTALL")
    assert found.status == FAULT
    assert "chown" not in found.mend
    is_roots = (path, uid) == (STATE, 0)
    assert found.mend == "INSTALL" if is_roots else found.mend.startswith(f"mv {path} {path}.old")


@needs_root
def test_settings_that_others_can_write_suggest_nothing(place: Path) -> None:
    path = place / SETTINGS[1:]
    path.parent.mkdir(parents=True)
    path.write_text('OPTIONS="--state-directory /etc --output /etc/passwd"\n')
    for uid, mode in ((0, 0o664), (0, 0o646), (1000, 0o644)):
        path.chmod(mode)
        os.chown(path, uid, 0)
        values, faults = read_settings(Paths(str(place)))
        assert (values, len(faults)) == ({}, 1)
    assert "/etc" not in mends.run(host_of("--output", "/x/users.prom", values=values))


@pytest.mark.parametrize("dislike", ["it is not root's", "others can write it"])
def test_an_entry_that_others_could_write_does_not_become_roots(dislike: str) -> None:
    """cron would run what they have written, as whom they have written."""
    entry = CronEntry("/etc/cron.d/textfile-users", True, dislike)
    facts = ScheduleFacts(False, {}, (entry,), True, NOW, 1.0, installing="INSTALL")
    (found,) = judge_schedule(facts)
    assert (found.status, found.mend) == (FAULT, f"rm {entry.path} && INSTALL")


# --- files of the service's user


def prom(place: Path) -> Path:
    return place / "users.prom"


def written(path: Path, uid: int = USER.uid, mode: int = 0o644) -> None:
    path.write_text("users_logged_in 0\n")
    path.chmod(mode)
    os.chown(path, uid, uid)


def a_link_of(uid: int, target: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.symlink_to(target)
        os.lchown(path, uid, uid)

    return make


def a_large_file(path: Path) -> None:
    written(path)
    os.truncate(path, textfile.MAX_WRITTEN + 1)


def a_fifo(path: Path) -> None:
    os.mkfifo(path)
    os.chown(path, USER.uid, USER.uid)


@needs_root
@pytest.mark.parametrize(
    ("make", "found"),
    [
        (a_fifo, "is a FIFO"),
        (lambda path: path.mkdir(), "is a directory"),
        (lambda path: os.mknod(path, 0o20644, os.makedev(1, 5)), "is a device"),
        (a_link_of(USER.uid, "/etc/shadow"), "is a link of uid 64321's to /etc/shadow"),
        (a_link_of(USER.uid, "/dev/zero"), "is a link of uid 64321's to /dev/zero"),
        (a_link_of(USER.uid, "/nonexistent"), "is a link of uid 64321's to /nonexistent"),
        (a_link_of(1000, "/etc/passwd"), "is a link of "),
        (a_link_of(0, "/dev/zero"), "is a device"),
        (a_link_of(0, "/nonexistent"), "is a link to nothing"),
        (a_large_file, "is 8 MiB, more than is ever written"),
    ],
)
def test_what_is_no_file_of_ours_is_found(
    place: Path, make: Callable[[Path], None], found: str
) -> None:
    make(prom(place))
    finding = next(iter(textfile.check_file(host_of("--output", str(prom(place))))))
    assert finding.status == FAULT
    assert found in finding.found
    assert finding.mend.startswith(("rm -r ", "rm "))
    assert finding.mend.split(";")[0].split()[-1] == str(prom(place))


@needs_root
@pytest.mark.parametrize("mode", [0o600, 0o666])
def test_no_suggestion_changes_the_rights_of_a_file_that_our_user_can_exchange(
    place: Path, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before root follows it, our user may have put another name of /etc/shadow there."""
    written(prom(place), mode=mode)
    monkeypatch.setattr(textfile, "_closed_to", lambda host, path: ("prometheus", path))
    finding = next(iter(textfile.check_file(host_of("--output", str(prom(place))))))
    assert finding.status == FAULT
    assert "chmod" not in finding.mend


@needs_root
def test_names_beside_the_file(place: Path) -> None:
    written(prom(place))
    for name, make in (
        ("a.prom", a_fifo), ("b.prom", lambda path: path.mkdir()), ("c", a_fifo),
        ("d.prom", a_link_of(0, "a.prom")), ("e.prom", written),
        ("f.prom", a_link_of(USER.uid, "e.prom")), ("g.prom", a_link_of(0, "/nonexistent")),
    ):  # fmt: skip
        make(place / name)
    host = host_of("--output", str(prom(place)))
    odd = textfile._read_odd(host, str(prom(place)))
    assert [(os.path.basename(one.path), one.what, one.owner) for one in odd] == [
        ("a.prom", "a FIFO", "uid 64321"), ("b.prom", "a directory", "root"),
        ("d.prom", "a FIFO", "root"),
    ]  # fmt: skip
    judged = list(textfile.judge_odd((odd[0]._replace(owner=SERVICE_USER), odd[1]), USER))
    assert [finding.mend for finding in judged] == [
        f"rm -r {place}/a.prom", f"ls -ld {place}/b.prom",
    ]  # fmt: skip
    assert "each scrape waits for ever" in judged[0].found


# --- what others' links lead to


@needs_root
@pytest.mark.parametrize(
    ("uid", "links", "opens"),
    [
        (0, {"log": "secret/log"}, True),
        (1000, {"log": "secret/log"}, False),
        (USER.uid, {"log": "secret/log"}, False),
        (1000, {"log": "way/log", "way": "secret"}, False),
        (1000, {"log": "log"}, False),
    ],
)
def test_what_anothers_link_leads_to_is_not_opened(
    place: Path, uid: int, links: dict[str, str], opens: bool
) -> None:
    """Whoever can write a log's directory could have root open any file for our user."""
    (place / "secret").mkdir(mode=0o700)
    (place / "secret/log").write_text("")
    for name, target in links.items():
        (place / name).symlink_to(target)
        os.lchown(place / name, uid, uid)
    part = access.closed_part(str(place / "log"), access.READ, USER)
    assert (part is not None) == opens


@pytest.mark.parametrize(
    ("path", "group", "command"),
    [
        ("/var/log/btmp", "utmp", f"usermod -aG utmp {SERVICE_USER}"),
        ("/var/log/wtmp", "utmp", "chmod o+r /var/log/wtmp"),
        ("/run/utmp", "utmp", "chmod o+r /run/utmp"),
        ("/var/log/auth.log", "adm", f"usermod -aG adm {SERVICE_USER}"),
    ],
)
def test_btmp_alone_is_opened_by_its_group(
    monkeypatch: pytest.MonkeyPatch, path: str, group: str, command: str
) -> None:
    monkeypatch.setattr(mends, "has", lambda tool: tool == "usermod")
    part = access.Part(path, 0, 43, 0o100660, group)
    assert access.opening_command(part, access.READ, USER) == command


@pytest.mark.parametrize(
    ("auth_log", "groups", "status", "mend"),
    [
        ("/var/log/auth.log", (4, 43), NOTE, f"gpasswd -d {SERVICE_USER} utmp"),
        ("journal", (4, 43), NOTE, f"gpasswd -d {SERVICE_USER} utmp"),
        ("journal", (4,), None, ""),
        ("", (4, 43), None, ""),
    ],
)
def test_a_membership_that_is_too_much(
    monkeypatch: pytest.MonkeyPatch, auth_log: str, groups: tuple[int, ...], status: str | None,
    mend: str,
) -> None:  # fmt: skip
    numbers = {"adm": 4, "utmp": 43}
    monkeypatch.setattr(mends, "has", lambda tool: tool == "gpasswd")
    monkeypatch.setattr(rights, "read_numbers", lambda paths, path: numbers)
    monkeypatch.setattr(rights, "find_identity", lambda *_: USER._replace(groups=groups))
    seen = Seen({}, (), (), (), auth_log)
    first, *rest = rights.check_user(host_of("--output", "-", seen=seen))
    assert first.status == OK, "utmp is not missing anywhere here"
    assert [(one.status, one.mend) for one in rest] == ([(status, mend)] if status else [])


# --- processes that call themselves node_exporter


def test_the_services_own_node_exporter_is_not_believed(tmp_path: Path) -> None:
    """With the real program, as a system user: all is right but who says it."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(f"{SERVICE_USER}:x:990:990::/:/bin/false\n")
    process = tmp_path / "proc/7"
    process.mkdir(parents=True)
    flag = b"--collector.textfile.directory=/etc"
    (process / "cmdline").write_bytes(b"/usr/bin/node_exporter\0" + flag + b"\0")
    (process / "status").write_text("Uid:\t990\t990\t990\t990\n")
    (found,) = find_node_exporters(Paths(str(tmp_path)))
    assert (found.trusted, found.directories, found.listen) == (False, (), "")
    assert found.why == OWN_USER
    assert exporters_check.usable(host_of("--output", "-", exporters=(found,))) == ()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/etc", True), ("/etc/cron.d", True), ("/", True), ("//etc/", True), ("/var/lib", True),
        ("/root", True), ("/usr/share/x", True), ("/srv/../etc", True), ("/proc/self/cwd/x", True),
        ("/var/lib/prometheus/node-exporter", False), ("/metrics", False), ("/srv", False),
        ("/var/lib/node_exporter", False), ("/usr/local/metrics", False), ("/opt/metrics", False),
        ("/etcetera", False),
    ],
)  # fmt: skip
def test_directories_of_the_system(path: str, expected: bool) -> None:
    assert is_systems(path) == expected


def test_a_link_to_a_directory_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "textfile").symlink_to("/etc")
    assert is_systems(str(tmp_path / "textfile"))


# --- the whole


@needs_root
@pytest.mark.parametrize("directory", ["/etc", "/root", "/usr/../etc", "/nonexistent/etc"])
def test_no_flag_has_doctor_suggest_a_change_of_the_system(directory: str) -> None:
    argv = ["doctor", "--state-directory", directory, "--runtime-directory", directory]
    done = subprocess.run(
        [sys.executable, "-m", "textfile_users", *argv, "--output", "/nonexistent/users.prom"],
        stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    suggested = [line for line in done.stdout.splitlines() if line.startswith("    mend: ")]
    changing = ("chown", "chmod", "chgrp", "mv ", "rm ")
    for line in suggested:
        # The program itself may lie below it: where root has cloned the project.
        named = re.search(rf"(?<![\w/]){re.escape(directory)}(?![\w/])", line)
        assert not (named and any(word in line for word in changing)), line


def test_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed for a shell is quoted, whatever somebody has put into a name."""
    odd = (textfile.Odd("/srv/$(id)\n.prom", "a FIFO", SERVICE_USER),)
    (found,) = textfile.judge_odd(odd, USER)
    assert isinstance(found, CheckResult)
    assert found.mend == "rm -r '/srv/$(id)\n.prom'"
