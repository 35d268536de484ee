"""doctor on install's link in the textfile directory, and on what may have become of it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from textfile_users import paths
from textfile_users.cli import _options
from textfile_users.parsers import parse_collect
from textfile_users.paths import LINKED_OUTPUT, SERVICE_USER
from textfile_users.setup.checks import link, schedule, textfile
from textfile_users.setup.checks.access import Part
from textfile_users.setup.checks.child import Identity
from textfile_users.setup.checks.result import FAULT, NOTE, OK, CheckResult, Host
from textfile_users.setup.fixes import PROGRAM
from textfile_users.setup.node_exporter import NodeExporter

NOW = 1_790_000_000.0
USER = Identity(SERVICE_USER, 995, 995, (995,))
INSTALL = f"{PROGRAM} install"


@pytest.fixture
def linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Host]:
    """A host on which install has put a link, but for the link itself."""
    (tmp_path / "run").mkdir()
    (tmp_path / "textfile").mkdir()
    (tmp_path / "tmpfiles.conf").touch()
    monkeypatch.setattr(link, "TMPFILES", f"{tmp_path}/tmpfiles.conf")

    def make(**changed: Any) -> Host:
        output = f"{tmp_path}/textfile/users.prom"
        options = _options(parse_collect(["--output", output]))._replace(output=output)
        values = {"TEXTFILE_DIRECTORY": f"{tmp_path}/textfile"}
        return Host(options, USER, NOW, values=values, runs_by_timer=True)._replace(**changed)

    return make


def findings(host: Host) -> list[CheckResult]:
    return list(link.check_link(host))


LINK = link.Link("/srv/users.prom", "link", "../run/textfile-users/public/users.prom")


@pytest.mark.parametrize(
    ("changed", "status", "found", "mend"),
    [
        ({}, OK, f"/srv/users.prom leads to {LINKED_OUTPUT}", ""),
        ({"kind": ""}, FAULT, "install's link, is not there", "INSTALL"),
        ({"kind": "file", "target": ""}, FAULT, "is a file in the place of install's", "INSTALL"),
        ({"kind": "other", "target": ""}, FAULT, "is no link", "rm -r /srv/users.prom && INSTALL"),
        ({"target": "/srv/x", "leads": "/srv/x"}, FAULT, "leads to /srv/x, not to",
         "rm /srv/users.prom && INSTALL"),
        # With the right text from the wrong place, as of a directory that was moved.
        ({"leads": "/srv/run/textfile-users/public/users.prom"}, FAULT, "leads to /srv/run",
         "INSTALL"),
        ({"blind": (7, 8)}, FAULT, "process 7, 8 does not see /run/textfile-users", "INSTALL"),
        # Of a link of its own the service could change the text.
        ({"owner": 995}, FAULT, "a link of uid 995's", "INSTALL"),
        ({"owner": 65_534}, OK, "leads to", ""),  # root's on NFS
        ({"opening": "group"}, FAULT, "/srv is its group's: textfile-users can put", "INSTALL"),
        ({"opening": "owner"}, FAULT, "/srv is its own", "chown root /srv && INSTALL"),
        ({"opening": "others"}, FAULT, "/srv is everybody's", "chmod o-w /srv && INSTALL"),
        ({"opening": "member"}, FAULT, "by a group that it is", "chmod g-w /srv && INSTALL"),
        ({"opening": "list"}, FAULT, "by an access list", "setfacl -b /srv && INSTALL"),
        ({"is_hidden": True, "kind": ""}, NOTE, "cannot be seen", ""),
    ],
)  # fmt: skip
def test_what_a_link_means(changed: dict[str, Any], status: str, found: str, mend: str) -> None:
    finding = link.judge_link(LINK._replace(**changed), "INSTALL")
    assert (finding.status, finding.mend) == (status, mend)
    assert found in finding.found


def test_an_ordinary_users_process_that_does_not_see_where_the_link_leads(
    linked: Callable[..., Host], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note, for any user may run such; by a dead mount it does not take the check with it."""
    monkeypatch.setattr(link, "find_blind", lambda *_, ordinary: (7, 8) if ordinary else ())
    _, note = findings(linked(is_systemd=True))
    assert (note.status, note.mend) == (NOTE, f"{INSTALL} --in-place")
    assert note.found.startswith("process 7, 8 of an ordinary user, as in a container, does not")
    monkeypatch.setattr(link, "SECONDS", 0.2)
    monkeypatch.setattr(link, "find_blind", lambda *_, ordinary: time.sleep(60) if ordinary else ())
    assert len(findings(linked())) == 1


def test_what_is_in_the_place_of_the_link(
    linked: Callable[..., Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, path = tmp_path / "run/textfile-users/public/users.prom", tmp_path / "textfile"
    monkeypatch.setattr(link, "LINKED_OUTPUT", str(output))
    place = path / "users.prom"
    assert findings(linked())[0].found.endswith("install's link, is not there")
    place.write_text("users_build_info 1\n")
    assert "is a file in the place" in findings(linked())[0].found
    place.unlink()
    os.mkfifo(place)
    assert "is no link" in findings(linked())[0].found, "nothing waits for who writes"
    place.unlink()
    place.symlink_to("../run/textfile-users/public/users.prom")
    monkeypatch.setattr(link, "leads_to_linked", lambda target: target.startswith("../run/"))
    finding = findings(linked())[0]
    assert (finding.status, finding.found) == (OK, f"{place} leads to {output}")


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user")
@pytest.mark.parametrize(
    ("uid", "gid", "mode", "groups", "opening"),
    [
        (0, 0, 0o755, (995,), ""),
        (0, 995, 0o755, (995,), ""),
        (0, 995, 0o1775, (995,), "group"),  # as in place
        (995, 0, 0o755, (995,), "owner"),
        (0, 0, 0o757, (995,), "others"),
        (0, 4, 0o775, (995, 4), "member"),
    ],
)
def test_whether_the_link_keeps_the_service_from_anything(
    linked: Callable[..., Host],
    uid: int,
    gid: int,
    mode: int,
    groups: tuple[int, ...],
    opening: str,
) -> None:
    """With rights of its own in the directory it can write any series there."""
    with tempfile.TemporaryDirectory(prefix="tu-") as name:
        Path(name).chmod(0o755)
        directory = Path(name, "textfile")
        directory.mkdir()
        os.chown(directory, uid, gid)
        directory.chmod(mode)
        place = directory / "users.prom"
        place.symlink_to("../x")
        os.chown(place, 991, 991, follow_symlinks=False)
        host = linked(
            values={"TEXTFILE_DIRECTORY": str(directory)},
            identity=Identity(SERVICE_USER, 995, 995, groups),
        )
        found = link._read_link(host)
        assert (found.owner, found.opening) == (991, opening)
        assert link._read_link(host._replace(has_rights=False)).opening == "", "root alone knows"


def test_a_directory_whose_rights_were_set_back_is_no_fault_with_a_link(
    linked: Callable[..., Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an Ansible role does to it matters no more: the program writes nothing there."""
    public = tmp_path / "run/public"
    public.mkdir()
    (tmp_path / "textfile/users.prom").symlink_to(public / "users.prom")
    (tmp_path / "textfile").chmod(0o755)
    monkeypatch.setattr(textfile, "LINKED_OUTPUT", f"{public}/users.prom")
    monkeypatch.setattr(textfile, "closed_part", lambda path, *_: None if path == str(public)
                        else pytest.fail(f"{path} is not written"))  # fmt: skip
    reader = NodeExporter(9, "node-exp", 990, (f"{tmp_path}/textfile",), ":9100", True, "")
    (finding,) = textfile.check_directory(linked(exporters=(reader,)))
    assert (finding.status, finding.found) == (
        OK, f"{public} can be written, and node_exporter reads it",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"runs_by_timer": False}, "cron writes in place"),
        ({"identity": Identity("alice", 1000, 1000, (1000,))}, "somebody's own runs"),
        ({"values": {"TEXTFILE_DIRECTORY": "/srv/other"}}, "another output was asked for"),
    ],
)
def test_where_no_link_is_asked_for(
    linked: Callable[..., Host], changed: dict[str, Any], why: str
) -> None:
    assert findings(linked(**changed)) == [], why


@pytest.mark.parametrize(
    ("output", "words", "why"),
    [
        (LINKED_OUTPUT, "", "it is the link's"),
        ("/srv/a/users.prom", "", "it is what the link is to take the place of"),
        ("/srv/a/other.prom", " --in-place", "no link leads there: install would refuse"),
        ("/srv/b/users.prom", " --in-place", "OPTIONS has another --textfile-directory"),
    ],
)
def test_where_the_unit_may_not_write(
    monkeypatch: pytest.MonkeyPatch, output: str, words: str, why: str
) -> None:
    found: list[str] = []
    monkeypatch.setattr(schedule, "judge_schedule", lambda facts: found.extend([facts.admitting]))
    monkeypatch.setattr(schedule, "_read_units", lambda: ({}, ""))
    options = _options(parse_collect(["--output", output]))
    values = {"TEXTFILE_DIRECTORY": "/srv/a"}
    schedule.check_schedule(
        Host(options, USER, NOW, values=values, is_systemd=True, runs_by_timer=True)
    )
    assert found[0].endswith(f"{INSTALL}{words}"), why


def test_a_closed_directory_to_which_no_link_can_lead(
    linked: Callable[..., Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the settings name another file, install by link would refuse."""
    other = tmp_path / "other"
    other.mkdir()
    closed = Part(str(other), 0, 0, 0o755, "root")
    monkeypatch.setattr(textfile, "closed_part", lambda *_: closed)
    for directory, mend in ((other, f"chgrp {SERVICE_USER} {other} && chmod 1775 {other}"),
                            (tmp_path / "textfile", INSTALL)):  # fmt: skip
        closed = closed._replace(path=str(directory))
        host = linked()
        host = host._replace(options=host.options._replace(output=f"{directory}/users.prom"))
        monkeypatch.setattr(link, "TMPFILES", "/nonexistent")
        (finding,) = textfile.check_directory(host)
        assert finding.mend == mend


def test_a_second_directory_that_is_read_too(
    linked: Callable[..., Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """node_exporter takes --collector.textfile.directory twice since 1.9."""
    first, second = tmp_path / "textfile", tmp_path / "second"
    second.mkdir()
    reader = NodeExporter(9, "node-exp", 990, (str(first), str(second)), ":9100", True, "")
    host = linked(exporters=(reader,))
    assert list(textfile._check_others(host)) == []
    place = second / "users.prom"
    text = f"{place} too is read by node_exporter: each series comes twice"
    place.write_text("users_build_info 1\n")
    (finding,) = textfile._check_others(host)
    assert (finding.found, finding.mend) == (text, f"ls -l {place}"), "it may be another's"
    place.unlink()
    place.symlink_to("../.." + LINKED_OUTPUT)
    (finding,) = textfile._check_others(host)
    assert finding.mend == f"rm {place}", "a link of an install before"
    place.unlink()
    second.rmdir()
    second.symlink_to(first)
    (first / "users.prom").touch()
    assert list(textfile._check_others(host)) == [], "the same directory by two names"


def test_the_directory_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "default_textfile_directory", lambda: "/var/lib/distribution")
    options = _options(parse_collect(["--output", LINKED_OUTPUT]))
    host = Host(options, USER, NOW, values={"TEXTFILE_DIRECTORY": "/srv/a"})
    assert link.served_directory(host) == "/srv/a"
    assert link.served_directory(host._replace(values={})) == "/var/lib/distribution"
    other = Host(_options(parse_collect(["--output", "/x/users.prom"])), USER, NOW)
    assert link.served_directory(other) == "/x"
    assert paths.leads_to_linked("../../run/textfile-users/public/users.prom")
