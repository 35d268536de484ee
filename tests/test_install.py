"""install and uninstall as plans: facts about a host in, faults or steps out."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import SHIPPED
from textfile_users import cli
from textfile_users import product as places
from textfile_users.cli import _file_in, main
from textfile_users.parsers import parse_collect
from textfile_users.paths import Paths, leads_to_linked
from textfile_users.run import _wait_apart
from textfile_users.setup import facts as facts_module
from textfile_users.setup import first_scan as first
from textfile_users.setup import install as command
from textfile_users.setup.entry import DIRECTORY, FILE, LINK, OTHER, FoundEntry
from textfile_users.setup.facts import HostFacts, read_facts
from textfile_users.setup.faults import find_faults, find_notes
from textfile_users.setup.install_record import Before, format_record, parse_before, parse_words
from textfile_users.setup.node_exporter import NodeExporter, choose_directory
from textfile_users.setup.plan import find_leftovers, install_steps, scan_step, uninstall_steps
from textfile_users.setup.steps import Step, StepFailed, _end_processes, do, shell, write
from textfile_users.setup.unpack import share_files
from textfile_users.setup.wish import Wish, link_target, uses_link, uses_timer

TEXTFILE = "/var/lib/prometheus/node-exporter"
OUTPUT = f"{TEXTFILE}/users.prom"
PYTHON = "/opt/textfile-users/bin/python3"
LINKED, PAGE = places.LINKS  # what shells and man(1) find
LINKS = tuple(
    FoundEntry(path, LINK, target=f"/opt/textfile-users/{to}") for path, to in places.LINKS.items()
)
ABOVE = tuple(
    FoundEntry(path, DIRECTORY, mode=0o755)
    for path in ("/", "/var", "/var/lib", "/var/lib/prometheus")
)
# A Debian on which nothing of ours is.
FRESH = HostFacts(
    groups=frozenset({"adm", "systemd-journal", "utmp"}),
    cron="/etc/cron.d",
    directory=TEXTFILE,
    entry=FoundEntry(TEXTFILE, DIRECTORY, mode=0o755),
    above=ABOVE,
    output=FoundEntry(OUTPUT),
    state=FoundEntry("/var/lib/textfile-users"),
    python=FoundEntry(PYTHON, LINK, target="/usr/bin/python3"),
)
# The same after an install with the timer that wrote the file in place, as all did before.
IN_PLACE = FRESH._replace(
    uid=990,
    gid=990,
    entry=FoundEntry(TEXTFILE, DIRECTORY, gid=990, mode=0o1775),
    output=FoundEntry(OUTPUT, FILE, 990, 990, 0o644),
    before=Before(TEXTFILE, 0, 0o755),
    old_entry=FoundEntry(TEXTFILE, DIRECTORY, gid=990, mode=0o1775),
    old_output=FoundEntry(OUTPUT, FILE, 990, 990, 0o644),
    state=FoundEntry("/var/lib/textfile-users", DIRECTORY, 990, 990, 0o700),
    prefixes=(places.PREFIX,),
    links=LINKS,
    made=(os.path.dirname(PAGE),),
    present=frozenset({*places.UNITS, places.DROP_IN, places.DROP_INS, places.SETTINGS,
                       *places.OWN_TREES}),
)  # fmt: skip
# The same after an install with the timer.
TARGET = "../../../../run/textfile-users/public/users.prom"
INSTALLED = IN_PLACE._replace(
    entry=FRESH.entry,
    old_entry=FRESH.entry,
    output=FoundEntry(OUTPUT, LINK, target=TARGET),
    old_output=FoundEntry(OUTPUT, LINK, target=TARGET),
    run=FoundEntry(places.RUN, DIRECTORY, mode=0o755),
    present=IN_PLACE.present - {places.DROP_IN, places.DROP_INS} | {places.TMPFILES, places.PUBLIC},
)
BY_CRON = FRESH._replace(is_systemd=False)
BUSYBOX = BY_CRON._replace(cron="/etc/crontabs", tools=frozenset({"adduser"}))
SHARE = {
    **share_files(),
    "systemd-timer/textfile-users.timer": b"[Timer]\n",
    "systemd-timer/textfile-users.path": b"[Path]\n",
    "systemd-timer/textfile-users.service": b"ExecStart=/opt/textfile-users/bin/python3\n",
}


TIMER = Wish()


@pytest.fixture(autouse=True)
def _lock_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "LOCK", str(tmp_path / "install.lock"))


def steps(facts: HostFacts, wish: Wish = TIMER) -> list[str]:
    """Return what install does, files without their content."""
    return [_short(step, facts.root) for step in install_steps(facts, wish, SHARE)]


def removal(facts: HostFacts) -> list[str]:
    return [_short(step) for step in uninstall_steps(facts)]


def _short(step: Step, root: str = "/") -> str:
    return f"write {step.words[1]}" if step.words[0] == "write" else shell(step, root)


def written(facts: HostFacts, wish: Wish, path: str) -> str:
    (text,) = [
        step.text for step in install_steps(facts, wish, SHARE) if step.words[:2] == ("write", path)
    ]
    return text


def test_the_steps_on_a_fresh_host_with_systemd() -> None:
    assert find_faults(FRESH, Wish()) == ()
    units = "/etc/systemd/system/textfile-users"
    assert steps(FRESH) == [
        "systemd-sysusers --inline "
        "'u textfile-users - \"textfile-users\" /var/lib/textfile-users' "
        "'m textfile-users adm' 'm textfile-users systemd-journal'",
        "mkdir -p /var/lib/textfile-users /etc/textfile-users",
        "chown textfile-users:textfile-users /var/lib/textfile-users"
        " && chmod 0700 /var/lib/textfile-users",
        "write /etc/textfile-users/installed",
        f"mkdir -p /usr/local/bin && ln -sfn /opt/textfile-users/bin/textfile-users {LINKED}",
        "mkdir -p /usr/local/share/man/man1 && "
        f"ln -sfn /opt/textfile-users/share/man/man1/textfile-users.1 {PAGE}",
        "mkdir -p /etc/default",
        "write /etc/default/textfile-users",
        "mkdir -p /etc/systemd/system",
        f"write {units}.service",
        f"write {units}.timer",
        f"write {units}.path",
        "mkdir -p /etc/tmpfiles.d",
        "write /etc/tmpfiles.d/textfile-users.conf",
        "systemd-tmpfiles --create /etc/tmpfiles.d/textfile-users.conf",
        f"ln -sfn {TARGET} {OUTPUT}",
        "systemctl daemon-reload",
        "systemctl enable --now textfile-users.timer textfile-users.path",
    ]


def test_the_steps_of_an_update() -> None:
    """The scans pause; settings and what the directory was before are kept."""
    again = steps(INSTALLED)
    assert again[0] == (
        "systemctl stop textfile-users.timer textfile-users.path textfile-users.service"
    )
    kept = (
        "write /etc/default/textfile-users",
        "write /etc/textfile-users/installed",
        f"ln -sfn {TARGET} {OUTPUT}",
    )
    assert set(kept) <= set(steps(FRESH))
    assert not set(kept) & set(again)
    assert set(again) - set(steps(FRESH)) == {again[0]}


def test_the_steps_with_cron() -> None:
    found = steps(BY_CRON)
    assert found[-1] == "write /etc/cron.d/textfile-users"
    assert "mkdir -p /run/textfile-users/private" in found
    assert f"chgrp textfile-users {TEXTFILE} && chmod 1775 {TEXTFILE}" in found
    assert not [step for step in found if "systemctl" in step or "/etc/systemd" in step]
    assert steps(FRESH, Wish(cron=True)) == found


def test_the_steps_with_busybox() -> None:
    assert steps(BUSYBOX)[:5] == [
        "addgroup -S textfile-users",
        "adduser -S -D -H -h /var/lib/textfile-users -s /sbin/nologin -G textfile-users "
        "textfile-users",
        "addgroup textfile-users adm",
        "addgroup textfile-users systemd-journal",
        "mkdir -p /var/lib/textfile-users /etc/textfile-users",
    ]
    assert steps(BUSYBOX)[-1] == "write /etc/crontabs/textfile-users"
    assert not [step for step in steps(BUSYBOX) if "/run/" in step]


def test_the_user_by_useradd() -> None:
    facts = BY_CRON._replace(tools=frozenset({"useradd"}), groups=frozenset({"adm"}))
    assert steps(facts)[:2] == [
        "useradd --system --user-group --shell /usr/sbin/nologin "
        "--home-dir /var/lib/textfile-users --no-create-home textfile-users",
        "usermod -a -G adm textfile-users",
    ]
    assert steps(facts._replace(uid=990, gid=990))[0] == "usermod -a -G adm textfile-users"


def test_a_user_that_is_there_needs_no_program_that_makes_one() -> None:
    facts = BY_CRON._replace(tools=frozenset(), uid=990, gid=990)
    assert find_faults(facts, Wish()) == ()
    assert steps(facts)[0].startswith("mkdir ")


def test_an_old_systemd_would_draw_the_delay_anew_for_each_look() -> None:
    timer = {**SHARE, "systemd-timer/textfile-users.timer": share_files()[
        "systemd-timer/textfile-users.timer"]}  # fmt: skip
    for version, is_delayed in ((239, False), (246, False), (247, True), (252, True)):
        found = install_steps(FRESH._replace(systemd=version), Wish(), timer)
        (text,) = [step.text for step in found if step.words[1:2] == (places.UNITS[1],)]
        assert "OnCalendar=*:*:0/5\nAccuracySec=100ms\n" in text
        assert ("elay" in text) == is_delayed


def test_no_group_is_made_that_the_host_does_not_have() -> None:
    facts = FRESH._replace(groups=frozenset({"adm"}))
    assert "m textfile-users adm" in steps(facts)[0]
    assert "utmp" not in steps(facts)[0]


def test_cron_and_timer_replace_each_other() -> None:
    to_cron = steps(INSTALLED, Wish(cron=True))
    assert to_cron[0].startswith("systemctl stop ")
    assert "systemctl disable textfile-users.timer textfile-users.path" in to_cron
    # The drop-in that an administrator has put there stays.
    traced = INSTALLED._replace(present=INSTALLED.present | {places.PTRACE})
    assert not [step for step in steps(traced, Wish(cron=True)) if places.PTRACE in step]
    assert [step for step in removal(traced) if places.PTRACE in step]
    removed = [step for step in to_cron if step.startswith("rm -f /etc/systemd/system/")]
    assert [word for step in removed for word in step.split()[2:]] == [
        *places.UNITS,
        places.TMPFILES,
    ]
    entry = "/etc/cron.d/textfile-users"
    to_timer = steps(FRESH._replace(present=frozenset({entry})))
    assert f"rm -f {entry}" in to_timer
    assert to_timer[-1].startswith("systemctl enable --now")


@pytest.mark.parametrize(("version", "is_timer"), [(219, False), (234, False), (235, True)])
def test_an_old_systemd_leaves_the_scans_to_cron(version: int, is_timer: bool) -> None:
    """It has no directories of a service that outlive a run."""
    facts = FRESH._replace(systemd=version)
    found = steps(facts)
    assert any(step.startswith("systemctl enable --now") for step in found) == is_timer
    assert any(step.startswith("write /etc/cron.d/") for step in found) != is_timer
    note = f"systemd {version} is older than 235: cron runs the scans"
    assert (note in find_notes(facts, TIMER)) != is_timer
    assert note not in find_notes(facts, Wish(cron=True)), "it was asked for"
    without = facts._replace(cron="")
    assert any("there is no cron" in fault for fault in find_faults(without, TIMER)) != is_timer


def test_the_link_is_relative_to_where_the_directory_really_is() -> None:
    """`..` is that of the directory itself, whatever links lead to it."""
    for real, target in (
        ("/srv/prom", "../../run/textfile-users/public/users.prom"),
        ("/run/prom", "../../run/textfile-users/public/users.prom"),  # install knows it by /run
        ("/mnt/a/b/c/d", "../../../../../run/textfile-users/public/users.prom"),
    ):
        facts = FRESH._replace(real=real)
        assert f"ln -sfn {target} {OUTPUT}" in steps(facts)
        assert os.path.normpath(f"{real}/{target}") == places.LINKED_OUTPUT


@pytest.mark.parametrize(
    "real", ["/", "/srv", "/run/node_exporter", "/run/textfile-users/x", "/var/lib/prometheus/x.y"]
)
def test_install_knows_the_link_that_it_has_made(real: str) -> None:
    target = link_target(FRESH._replace(real=real))
    assert os.path.normpath(os.path.join(real, target)) == places.LINKED_OUTPUT
    assert leads_to_linked(target), "else a run would write another file, and install refuse it"
    output = FoundEntry(OUTPUT, LINK, target=target)
    again = INSTALLED._replace(real=real, output=output, old_output=output)
    assert find_faults(again, TIMER) == ()
    assert f"rm -f {OUTPUT}" in removal(again)


def test_what_is_made_at_boot() -> None:
    """Root's directory, in it the service's with an empty file: a dangling link is an error."""
    text = written(FRESH, TIMER, places.TMPFILES)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines == [
        "d /run/textfile-users 0755 root root -",
        "d /run/textfile-users/public 0755 textfile-users textfile-users -",
        "f /run/textfile-users/public/users.prom 0644 textfile-users textfile-users -",
    ]
    # A textfile directory on tmpfs has no link after a boot.
    text = written(FRESH._replace(is_in_memory=True, real="/run/prom"), TIMER, places.TMPFILES)
    link = "L /run/prom/users.prom - - - - ../../run/textfile-users/public/users.prom"
    assert text.splitlines()[-1] == link
    bare = FRESH._replace(tools=FRESH.tools - {"systemd-tmpfiles"})
    assert not [step for step in steps(bare) if step.startswith("systemd-tmpfiles")]


@pytest.mark.parametrize(
    ("kind", "is_cleared"), [("", False), (FILE, False), (LINK, True), (OTHER, True),
                             (DIRECTORY, True)],
)  # fmt: skip
def test_what_the_service_puts_in_its_place_does_not_hinder_an_update(
    kind: str, is_cleared: bool
) -> None:
    """systemd-tmpfiles fails at a FIFO, a link or a directory that has the name of its file."""
    found = steps(INSTALLED._replace(linked=FoundEntry(places.LINKED_OUTPUT, kind, 990, 990)))
    making = found.index(f"systemd-tmpfiles --create {places.TMPFILES}")
    assert (found[making - 1] == f"rm -rf {places.PUBLIC}") == is_cleared


def test_an_install_in_place_is_taken_over() -> None:
    """The directory gets its rights back before root puts its link where others could write."""
    found = steps(IN_PLACE)
    back = f"chgrp 0 {TEXTFILE} && chmod 0755 {TEXTFILE}"
    assert found.index(back) < found.index(f"ln -sfn {TARGET} {OUTPUT}")
    assert f"find {TEXTFILE} -maxdepth 1 -name '.users.prom.*.tmp' -delete" in found
    assert f"rm -f {places.DROP_IN}" in found
    assert f"rm -f {OUTPUT}" not in found, "a scrape would find no file"
    assert not [step for step in found if "/var/lib/textfile-users" in step and "rm" in step]
    # The directory's rights that an Ansible role has set back stay as they are.
    role = IN_PLACE._replace(entry=FoundEntry(TEXTFILE, DIRECTORY, 991, 991, 0o755))
    assert not [step for step in steps(role) if step.startswith(("chgrp", "chown 0"))]
    unknown = IN_PLACE._replace(before=None)
    assert back in steps(unknown), "as distributions have it"
    for lost in (None, Before("/srv/old", 50, 0o2775)):
        record = written(IN_PLACE._replace(before=lost), TIMER, places.RECORD)
        assert f"\n0 0755 {TEXTFILE}\n" in record, "our own group would get it back"
    other = IN_PLACE._replace(before=Before(TEXTFILE, 50, 0o2775))
    assert f"chgrp 50 {TEXTFILE} && chmod 2775 {TEXTFILE}" in steps(other)


@pytest.mark.parametrize(
    ("facts", "wish", "is_link"),
    [
        (FRESH, TIMER, True),
        (FRESH, Wish(in_place=True), False),
        (FRESH, Wish(cron=True), False),
        (BY_CRON, TIMER, False),
        (FRESH._replace(blind=(7,)), TIMER, False),
        (FRESH._replace(root="/image"), TIMER, True),
    ],
)
def test_where_the_file_is_written(facts: HostFacts, wish: Wish, is_link: bool) -> None:
    found = steps(facts, wish)
    above = "" if facts.root == "/" else facts.root
    given = [step for step in found if step.endswith(f" && chmod 1775 {above}{TEXTFILE}")]
    assert len(given) == (not is_link)
    assert (f"ln -sfn {TARGET} {above}{OUTPUT}" in found) == is_link
    assert (f"write {above}{places.TMPFILES}" in found) == is_link
    assert (f"write {above}{places.DROP_IN}" in found) == (not is_link and uses_timer(facts, wish))


def test_back_from_a_link_to_the_file_in_place() -> None:
    for wish in (Wish(in_place=True), Wish(cron=True)):
        found = steps(INSTALLED, wish)
        assert f"chgrp textfile-users {TEXTFILE} && chmod 1775 {TEXTFILE}" in found
        assert f"rm -f {OUTPUT}" in found
        assert f"rm -rf {places.PUBLIC}" in found
        assert [step for step in found if step.startswith("rm -f ") and places.TMPFILES in step]
    text = written(INSTALLED, Wish(in_place=True), places.DROP_IN)
    assert f"\nReadWritePaths=-{TEXTFILE}\n" in text


@pytest.mark.parametrize(
    ("output", "is_put", "why"),
    [
        (FoundEntry(OUTPUT, LINK, target=TARGET), False, "it is right"),
        (FoundEntry(OUTPUT), True, "somebody has removed it"),
        (FoundEntry(OUTPUT, FILE, 0, 0, 0o644), True, "somebody has put a file there"),
        (
            FoundEntry(OUTPUT, LINK, 990, 990, target=TARGET),
            True,
            "our user's, who could change it",
        ),
        (
            FoundEntry(OUTPUT, LINK, target="../run/textfile-users/public/users.prom"),
            True,
            "too short",
        ),
        (FoundEntry(OUTPUT, LINK, target=places.LINKED_OUTPUT), True, "absolute"),
        (FoundEntry(OUTPUT, LINK, target=places.OLD_OUTPUT), True, "of --runtime-file before"),
    ],
)
def test_the_link_is_put_in_the_place_of_what_is_there(
    output: FoundEntry, is_put: bool, why: str
) -> None:
    facts = INSTALLED._replace(output=output)
    assert find_faults(facts, TIMER) == (), why
    assert (f"ln -sfn {TARGET} {OUTPUT}" in steps(facts)) == is_put, why


def test_our_directory_in_run_becomes_roots() -> None:
    """What an install of before has made there is our user's: it is moved as a whole."""
    before = IN_PLACE._replace(run=FoundEntry(places.RUN, DIRECTORY, 990, 990, 0o700))
    new = "/run/textfile-users.new"
    move = (
        f"sh -c 'rm -rf {new} && mkdir -m 755 {new} && mv /run/textfile-users {new}/private && "
        f"mv {new} /run/textfile-users'"
    )
    for wish in (TIMER, Wish(in_place=True), Wish(cron=True)):
        found = steps(before, wish)
        assert move in found
        assert "rm -f /run/textfile-users/private/users.prom" in found
        assert not [step for step in steps(INSTALLED, wish) if new in step]
    roots = IN_PLACE._replace(run=FoundEntry(places.RUN, DIRECTORY, 0, 0, 0o700))
    assert "chown 0:0 /run/textfile-users && chmod 0755 /run/textfile-users" in steps(roots)
    assert not [step for step in steps(before._replace(root="/image")) if new in step]


def test_an_image() -> None:
    found = steps(FRESH._replace(root="/image"))
    assert found[0].startswith("systemd-sysusers --root=/image --inline ")
    assert found[-1] == "systemctl --root=/image enable textfile-users.timer textfile-users.path"
    assert f"ln -sfn {TARGET} /image{OUTPUT}" in found
    for step in found[1:]:
        words = step.split()
        assert not any(word.startswith(("/etc", "/var", "/run/textfile-users")) for word in words)
    assert not [step for step in found if "daemon-reload" in step or "stop" in step]
    assert not [step for step in found if step.startswith("systemd-tmpfiles")], "boot does it"


def test_an_image_whose_path_has_blanks(tmp_path: Path) -> None:
    root = tmp_path / "my image"
    (root / "etc/default").mkdir(parents=True)
    (root / "etc/group").write_text("adm:x:4:\n")
    (root / places.SETTINGS[1:]).touch()
    facts = INSTALLED._replace(root=str(root), directory="/srv/prom", is_default=False)
    by_sh = [step for step in (*install_steps(facts, TIMER, SHARE), *uninstall_steps(facts))
             if step.words[0] == "sh"]  # fmt: skip
    assert len(by_sh) == 2
    for step in by_sh:
        do(step, str(root))
        assert f"'{root}/etc/" in step.words[2]
    assert (root / places.SETTINGS[1:]).read_text() == "\nTEXTFILE_DIRECTORY=/srv/prom\n"
    assert os.listdir(tmp_path) == ["my image"]


def test_another_prefix_is_in_units_and_entries() -> None:
    for facts, path in ((FRESH, places.UNITS[0]), (BY_CRON, "/etc/cron.d/textfile-users")):
        text = written(facts._replace(prefix="/srv/tu"), Wish(), path)
        assert "/srv/tu/bin/python3" in text
        assert "/opt/" not in text


def test_a_directory_that_is_not_the_distributions() -> None:
    entry = FoundEntry("/srv/prom", DIRECTORY, mode=0o755)
    facts = FRESH._replace(directory="/srv/prom", entry=entry,
                           is_default=False)  # fmt: skip
    assert "\nTEXTFILE_DIRECTORY=/srv/prom\n" in written(facts, Wish(), places.SETTINGS)
    in_place = Wish(in_place=True)
    assert "\nReadWritePaths=-/srv/prom\n" in written(facts, in_place, places.DROP_IN)
    there = facts._replace(present=frozenset({places.SETTINGS}))
    assert any(
        "TEXTFILE_DIRECTORY=/srv/prom" in step and places.SETTINGS in step for step in steps(there)
    )
    told = there._replace(settings=(("TEXTFILE_DIRECTORY", "/srv/prom"),))
    assert not [step for step in steps(told) if places.SETTINGS in step]
    # The one of before gets its rights back, and serves no stale file.
    moved = IN_PLACE._replace(directory="/srv/prom", entry=facts.entry, is_default=False)
    found = steps(moved)
    assert f"rm -f {OUTPUT}" in found
    assert f"chgrp 0 {TEXTFILE} && chmod 0755 {TEXTFILE}" in found
    assert "write /etc/textfile-users/installed" in found
    # So it is with a link: node_exporter would count each series twice.
    moved = INSTALLED._replace(directory="/srv/prom", entry=facts.entry, is_default=False,
                               output=FoundEntry("/srv/prom/users.prom"))  # fmt: skip
    assert f"rm -f {OUTPUT}" in steps(moved)
    assert "ln -sfn ../../run/textfile-users/public/users.prom /srv/prom/users.prom" in steps(moved)


@pytest.mark.parametrize("uid", [0, 1000, 33])
def test_a_file_of_anothers_is_written_anew(uid: int) -> None:
    """It may be another name of any file of root's: it is removed, and never given away."""
    wish = Wish(in_place=True)
    for facts in (FRESH, IN_PLACE):
        found = steps(facts._replace(output=FoundEntry(OUTPUT, FILE, uid, 0, 0o644)), wish)
        assert f"rm -f {OUTPUT}" in found
        assert not [step for step in found if "chown" in step and "users.prom" in step]
    assert f"rm -f {OUTPUT}" not in steps(IN_PLACE, wish), "our user's stays until the first scan"


def test_selinux() -> None:
    facts = FRESH._replace(is_selinux=True)
    (label,) = [step for step in steps(facts) if step.startswith("restorecon -R ")]
    for path in ("/opt/textfile-users", "/etc/systemd/system", TEXTFILE):
        assert path in label.split()
    bare = facts._replace(tools=facts.tools - {"restorecon"})
    assert not [step for step in steps(bare) if "restorecon" in step]
    assert [note for note in find_notes(bare, TIMER) if "install policycoreutils" in note]


def test_uninstall_removes_what_is_there() -> None:
    assert removal(IN_PLACE) == [
        "systemctl stop textfile-users.timer textfile-users.path textfile-users.service",
        "systemctl disable textfile-users.timer textfile-users.path",
        f"rm -f {' '.join(places.UNITS)} {places.DROP_IN}",
        f"find {places.DROP_INS} -maxdepth 0 -empty -delete",
        "systemctl daemon-reload",
        "systemctl reset-failed 'textfile-users.*'",
        "for pid in $(pgrep -U textfile-users); do "
        "[ ! /proc/$pid/root/. -ef / ] || kill -KILL $pid; done",
        f"rm -f {OUTPUT}",
        f"find {TEXTFILE} -maxdepth 1 -name '.users.prom.*.tmp' -delete",
        f"chgrp 0 {TEXTFILE} && chmod 0755 {TEXTFILE}",
        f"rm -f {LINKED}",
        f"rm -f {PAGE}",
        "rmdir --ignore-fail-on-non-empty /usr/local/share/man/man1",
        "rm -f /etc/default/textfile-users",
        "rm -rf /var/lib/textfile-users",
        "rm -rf /run/textfile-users",
        "rm -rf /etc/textfile-users",
        "userdel textfile-users",
        "sh -c '! grep -q ^textfile-users: /etc/group || groupdel textfile-users'",
    ]
    found = removal(INSTALLED)
    assert f"rm -f {' '.join(places.UNITS)} {places.TMPFILES}" in found
    assert f"rm -f {OUTPUT}" in found
    assert "rm -rf /run/textfile-users" in found
    assert not [step for step in found if step.startswith(("chgrp", "chown"))], "never changed"


def test_uninstall_leaves_alone_what_is_not_ours() -> None:
    """Rights that somebody has set since, a file of another's, a host without us."""
    changed = FoundEntry(TEXTFILE, DIRECTORY, gid=50, mode=0o775)
    other = FoundEntry(OUTPUT, FILE, 1000, 1000, 0o644)
    facts = INSTALLED._replace(entry=changed, old_entry=changed, output=other, old_output=other)
    found = removal(facts)
    assert not [step for step in found if step.startswith(("chgrp", "chmod"))]
    assert f"rm -f {OUTPUT}" not in found
    assert [step for step in removal(FRESH) if not step.startswith("find ")] == []
    # Nobody has installed anything here: root's users.prom may be another program's.
    roots = FRESH._replace(output=FoundEntry(OUTPUT, FILE, 0, 0, 0o644))
    assert f"rm -f {OUTPUT}" not in removal(roots)
    assert f"rm -f {OUTPUT}" in removal(roots._replace(is_output_ours=True))
    recorded = INSTALLED._replace(old_output=FoundEntry(OUTPUT, FILE, 0, 0, 0o644))
    assert f"rm -f {OUTPUT}" in removal(recorded)
    gone = INSTALLED._replace(old_entry=FoundEntry(TEXTFILE), entry=FoundEntry(TEXTFILE))
    assert not [step for step in removal(gone) if TEXTFILE in step]


@pytest.mark.parametrize(
    ("uid", "output", "is_removed", "is_told", "why"),
    [
        (0, INSTALLED.output, True, False, "root's link to where the directory is now"),
        (
            0,
            FoundEntry(OUTPUT, LINK, target=places.OLD_OUTPUT),
            True,
            False,
            "of an install before",
        ),
        (990, INSTALLED.output, False, True, "through a link of another's nothing is removed"),
        (0, IN_PLACE.output, False, True, "a file, which may have another name elsewhere"),
        (0, FoundEntry(OUTPUT, LINK, target="/etc/passwd"), False, False, "it is not ours"),
        (0, FoundEntry(OUTPUT), False, False, "nothing is there"),
    ],
)
def test_uninstall_where_a_link_has_the_place_of_the_directory(
    uid: int, output: FoundEntry, is_removed: bool, is_told: bool, why: str
) -> None:
    """Left there, install's link would lead to nothing: an error with each scrape."""
    link = FoundEntry(TEXTFILE, LINK, uid, target="/srv/textfile")
    for before in (INSTALLED.before, None):
        facts = INSTALLED._replace(entry=link, old_entry=link, output=output, old_output=output,
                                   before=before)  # fmt: skip
        removing = [step for step in uninstall_steps(facts) if OUTPUT in step.words]
        wanted = [Step(("remove link", OUTPUT, output.target))] if is_removed else []
        assert removing == wanted, why
        assert list(find_leftovers(facts)) == [OUTPUT] * is_told, why
    real = FoundEntry("/srv/textfile", DIRECTORY, mode=0o755)
    moved = facts._replace(before=INSTALLED.before, directory="/srv/textfile", entry=real)
    assert not [one for one in install_steps(moved, TIMER, SHARE) if "remove link" in one.words]


@pytest.mark.parametrize(
    ("kind", "target", "is_made", "is_foreign", "is_removed", "why"),
    [
        ("", "", True, False, False, "nothing is there"),
        (LINK, "/opt/textfile-users/bin/textfile-users", False, False, True, "it is right"),
        (LINK, "../../../opt/textfile-users/bin/textfile-users", True, False, True,
         "it leads to us, spelled in another way"),
        (LINK, "/srv/old/bin/textfile-users", True, False, True, "--prefix was another one"),
        (LINK, "/opt/pipx/venvs/textfile-users/bin/textfile-users", False, True, False,
         "pipx has made it, and will want it"),
        (LINK, "/srv/none", False, True, False, "a dangling one that is not ours"),
        (LINK, "textfile-users", False, True, False, "a loop"),
        (FILE, "", False, True, False, "a file"),
        (DIRECTORY, "", False, True, False, "a directory"),
        (OTHER, "", False, True, False, "a FIFO"),
    ],
)  # fmt: skip
def test_what_has_the_place_of_the_link(
    kind: str, target: str, is_made: bool, is_foreign: bool, is_removed: bool, why: str
) -> None:
    links = (FoundEntry(LINKED, kind, target=target), LINKS[1])
    facts = INSTALLED._replace(links=links, prefixes=("/srv/old", places.PREFIX))
    made = [
        step.words[1:]
        for step in install_steps(facts, TIMER, SHARE)
        if step.words[0] == "make link"
    ]
    right = "/opt/textfile-users/bin/textfile-users"
    assert made == [(LINKED, right, target)] * is_made, why
    notes = [note for note in find_notes(facts, TIMER) if note.startswith(LINKED)]
    text = f"{LINKED}: is not ours and stays; use {right}, or remove it and install again"
    assert notes == [text] * is_foreign, why
    removed = [step.words[1:] for step in uninstall_steps(facts) if step.words[0] == "remove link"]
    assert removed == [(LINKED, target)] * is_removed + [(PAGE, LINKS[1].target)], why


def test_pip_has_linked_a_program_that_is_in_no_environment() -> None:
    facts = FRESH._replace(
        is_environment=False, links=(FoundEntry(LINKED, FILE), FoundEntry(PAGE, FILE))
    )
    assert not [step for step in steps(facts) if "/usr/local" in step]
    assert list(find_notes(facts, TIMER)) == []
    assert "prefix" not in written(facts, Wish(), places.RECORD)


def test_another_prefix_is_written_down_before_the_links_change() -> None:
    facts = INSTALLED._replace(prefix="/srv/new", missing=("/usr/local/bin",))
    record = written(facts, Wish(), places.RECORD)
    assert parse_before(record, 990) == INSTALLED.before
    assert parse_words(record, "prefix") == ("/opt/textfile-users", "/srv/new")
    assert parse_words(record, "made") == (os.path.dirname(PAGE), "/usr/local/bin")
    found = steps(facts)
    links = [at for at, step in enumerate(found) if " && ln -sfn /srv/new/" in step]
    assert len(links) == 2
    assert found.index(f"write {places.RECORD}") < links[0]


def test_an_image_without_usr_local(tmp_path: Path) -> None:
    """The links lead to where the program is inside the image; uninstall leaves nothing."""
    facts = read_facts(str(tmp_path), "")
    assert facts.missing == ("/usr", "/usr/local", "/usr/local/bin", "/usr/local/share",
                             "/usr/local/share/man", "/usr/local/share/man/man1")  # fmt: skip
    facts = facts._replace(prefix=places.PREFIX, is_environment=True, directory=TEXTFILE)
    for step in install_steps(facts, TIMER, SHARE):
        if step.words[0] == "make link" or step.words[:2] == (
            "write",
            f"{tmp_path}{places.RECORD}",
        ):
            (tmp_path / "etc/textfile-users").mkdir(parents=True, exist_ok=True)
            do(step, str(tmp_path))
    for path, name in places.LINKS.items():
        assert os.readlink(f"{tmp_path}{path}") == f"{places.PREFIX}/{name}"
    (tmp_path / "usr/local/bin/other").touch()
    again = read_facts(str(tmp_path), "")._replace(prefix=places.PREFIX)
    for step in uninstall_steps(again):
        if step.words[0] in ("remove link", "remove empty"):
            do(step, str(tmp_path))
    assert [str(path) for path in sorted(tmp_path.glob("usr/local/**/*"))] == [
        f"{tmp_path}/usr/local/bin", f"{tmp_path}/usr/local/bin/other",
    ]  # fmt: skip


LINK_STEP = Step(("make link", LINKED, "/opt/textfile-users/bin/textfile-users", ""))


NOT_ROOTS = "a link on the way is not root's"
ANOTHERS_LINK = "ln -s /etc usr/local/bin; chown -h 995 usr/local/bin"
# What an image has, and where below it the link is made, or why it is not.
MADE = {
    "mkdir -p usr/local/bin": "usr/local/bin",
    "mkdir -p usr var/usrlocal; ln -s ../var/usrlocal usr/local": "var/usrlocal/bin",
    "mkdir -p usr var/usrlocal; ln -s /var/usrlocal usr/local": "var/usrlocal/bin",
    "mkdir -p usr/local; ln -s ../../../../../../srv usr/local/bin": "srv",
}
NOT_MADE = {
    f"mkdir -p usr/local etc; {ANOTHERS_LINK}": NOT_ROOTS,
    f"mkdir -p usr/local etc; chown 995 usr/local; {ANOTHERS_LINK}": NOT_ROOTS,
    "mkdir -p usr/local; ln -s bin usr/local/bin": "Too many levels of symbolic links",
    "mkdir -p usr/local; touch usr/local/bin": "Not a directory",
    "mkdir -p usr/local/bin; touch usr/local/bin/textfile-users": "File exists",
    "mkdir -p usr/local/bin/textfile-users": "File exists",
    "mkdir -p usr/local/bin etc; ln -s /etc usr/local/bin/textfile-users": "File exists",
}


@pytest.mark.usefixtures("needs_root")
@pytest.mark.parametrize(
    ("prepare", "made", "said"),
    [
        *((prepare, made, "") for prepare, made in MADE.items()),
        *((prepare, "", said) for prepare, said in NOT_MADE.items()),
    ],
)
def test_a_link_is_made_where_it_is_meant_or_not_at_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], prepare: str, made: str, said: str
) -> None:
    """Others may write below /usr/local, and the owner of an image anywhere in it."""
    subprocess.run(["sh", "-ec", f"mkdir image; cd image; {prepare}"], cwd=tmp_path, check=True)
    do(LINK_STEP, f"{tmp_path}/image")
    err = capsys.readouterr().err
    found = {str(path.relative_to(tmp_path / "image").parent)
             for path in (tmp_path / "image").rglob("*textfile-users")
             if path.is_symlink() and os.readlink(path) == LINK_STEP.words[2]}  # fmt: skip
    assert found == ({made} if made else set())
    assert os.listdir(tmp_path) == ["image"]
    text = (
        f"textfile-users: {LINKED}: no link is made: {said}; {LINK_STEP.words[2]} works without\n"
    )
    assert err.lower() == (text.lower() if said else "")


def test_only_the_link_that_was_seen_is_removed(tmp_path: Path) -> None:
    (tmp_path / "usr/local/bin").mkdir(parents=True)
    link = tmp_path / LINKED[1:]
    for target in ("/srv/other", LINK_STEP.words[2]):
        link.symlink_to(target)
        do(Step(("remove link", LINKED, LINK_STEP.words[2])), str(tmp_path))
        assert link.is_symlink() == (target == "/srv/other")
        link.unlink(missing_ok=True)


@pytest.mark.parametrize("uid", [-1, 0])
def test_only_our_users_processes_are_ended(uid: int) -> None:
    assert not [step for step in removal(INSTALLED._replace(uid=uid)) if "kill" in step]


def entry(**changes: Any) -> HostFacts:
    return FRESH._replace(entry=FRESH.entry._replace(**changes))


def parent(**changes: Any) -> HostFacts:
    return FRESH._replace(above=(*ABOVE[:3], ABOVE[3]._replace(**changes)))


def python(path: str, **changes: Any) -> HostFacts:
    ways = (
        FoundEntry("/opt/textfile-users"),  # not made yet
        *(FoundEntry(name, DIRECTORY, mode=0o755) for name in ("/", "/srv")),
        FoundEntry("/srv/python3", FILE, mode=0o755),
    )
    return FRESH._replace(
        to_python=tuple(one._replace(**changes) if one.path == path else one for one in ways)
    )


@pytest.mark.parametrize(
    ("facts", "fault"),
    [
        (FRESH._replace(is_root=False), "needs root's rights"),
        (FRESH._replace(is_systemd=False, cron=""), "neither systemd nor cron runs here"),
        (FRESH._replace(tools=frozenset({"useradd"})), "systemctl is missing"),
        (FRESH._replace(tools=frozenset({"systemctl"})), "no program makes users"),
        (FRESH._replace(prefix="/opt/a b"), "cannot stand in a unit"),
        (FRESH._replace(prefix="/home/alice/tu"), "use a --prefix below /opt"),
        (python("/srv", mode=0o750), "/srv: keeps textfile-users from this Python"),
        (python("/srv/python3", mode=0o700), "/srv/python3: keeps textfile-users from"),
        (python("/srv", uid=1000), "/srv: is an ordinary user's (uid 1000), and so what runs"),
        (python("/srv/python3", uid=1000), "/srv/python3: is an ordinary user's"),
        (python("/srv", mode=0o777), "/srv: others can write it, and so what runs"),
        (python("/srv", mode=0o775, gid=50), "/srv: others can write it"),
        (python("/srv/python3", mode=0o777), "/srv/python3: others can write it"),
        (
            FRESH._replace(to_python=(FoundEntry("/home/a/python3", FILE, mode=0o755),)),
            "/home/a/python3: the unit does not see this Python",
        ),
        (FRESH._replace(python=FoundEntry(PYTHON)), f"{PYTHON}: is missing"),
        (FRESH._replace(setting_faults=("line 1: x",)), "/etc/default/textfile-users: line 1: x"),
        (FRESH._replace(directory="", why="no textfile directory"), "no textfile directory"),
        (FRESH._replace(directory="/srv/a%b"), "without odd characters"),
        (FRESH._replace(directory="srv"), "whole path"),
        (FRESH._replace(directory="/tmp/prom"), "the unit does not see it"),
        (entry(kind=LINK, target="/srv"), "is a link; give --textfile-directory /srv"),
        (entry(kind=FILE), "is no directory"),
        (entry(kind=""), "is not there"),
        (entry(uid=1000), f"(uid 1000); run: chown root {TEXTFILE}"),
        (entry(mode=0o777), f"run: chmod o-w {TEXTFILE}"),
        (entry(mode=0o1777), f"run: chmod o-w {TEXTFILE}"),
        (entry(mode=0o775, gid=50)._replace(blind=(7,)), f"run: chmod g-w {TEXTFILE}"),
        (parent(uid=1000), "run: chown root /var/lib/prometheus"),
        (parent(mode=0o777), "run: chmod go-w /var/lib/prometheus"),
        (parent(mode=0o775, gid=50), "run: chmod go-w /var/lib/prometheus"),
        (
            FRESH._replace(output=FoundEntry(OUTPUT, LINK, target="/etc/passwd")),
            "is a link to /etc/pas",
        ),
        (FRESH._replace(output=FoundEntry(OUTPUT, DIRECTORY)), f"run: rm -r {OUTPUT}"),
        (FRESH._replace(output=FoundEntry(OUTPUT, OTHER)), "is no file"),
        (FRESH._replace(state=FoundEntry(places.STATE, LINK, target="/srv")), "is a link to /srv"),
        (FRESH._replace(state=FoundEntry(places.STATE, FILE)), "is no directory"),
        (FRESH._replace(run=FoundEntry(places.RUN, LINK, target="/srv")), f"run: rm {places.RUN}"),
        (
            FRESH._replace(state=FoundEntry(places.STATE, DIRECTORY, 1000)),
            "another user's (uid 1000)",
        ),
    ],
)
def test_each_fault_is_one_line(facts: HostFacts, fault: str) -> None:
    (said,) = find_faults(facts, Wish())
    assert fault in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (FRESH._replace(uid=990, tools=frozenset({"systemctl"})), "the user is there"),
        (python("/srv"), "a Python of root's"),
        (python("/srv", mode=0o1777), "sticky: nobody puts another in its place"),
        (python("/srv", mode=0o775), "root's group"),
        (entry(mode=0o775), "root's group"),
        (entry(uid=990), "node_exporter's own"),
        (entry(mode=0o1775, gid=990)._replace(gid=990), "ours already"),
        (parent(uid=990), "a system user's, as Debian's /var/lib/prometheus"),
        (parent(mode=0o1777), "sticky, as /tmp"),
        (FRESH._replace(output=FoundEntry(OUTPUT, LINK, target=TARGET)), "our link"),
        (
            FRESH._replace(output=FoundEntry(OUTPUT, LINK, 65534, target=TARGET)),
            "as NFS makes it ours",
        ),
        (FRESH._replace(state=FoundEntry(places.STATE, DIRECTORY, 0)), "root's own scans made it"),
        (INSTALLED, "twice"),
        (FRESH._replace(python=FoundEntry(PYTHON), archive="/x.pyz"), "made by the first step"),
    ],
)
def test_what_is_no_fault(facts: HostFacts, reason: str) -> None:
    assert find_faults(facts, Wish()) == (), reason


def test_faults_of_what_is_asked() -> None:
    assert "there is no cron" in find_faults(FRESH._replace(cron=""), Wish(cron=True))[0]
    shared = entry(mode=0o2775, gid=50)
    assert find_faults(shared, TIMER) == (), "its group stays"
    assert "run: chmod g-w" in find_faults(shared, Wish(in_place=True))[0]
    # cron sees what the unit does not.
    assert find_faults(FRESH._replace(prefix="/home/tu"), Wish(cron=True)) == ()


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ("--exclude-user x", ""),
        ("--output /srv/users.prom", "--output /srv/users.prom, to which no link leads"),
        ("--output=-", "--output -, to which"),
        (f"--output {OUTPUT}", ""),
        (f"--output {places.LINKED_OUTPUT}", ""),
        (f"--output {TEXTFILE}/other.prom", "--output"),
        ("--textfile-directory /srv", "--textfile-directory /srv, to which no link leads"),
        (f"--textfile-directory {TEXTFILE}/", ""),
        ("--textfile-directory /mnt/real", ""),  # the same without the links that lead to it
    ],
)
def test_flags_of_the_settings_that_would_write_beside_the_link(options: str, fault: str) -> None:
    """Else each install would say that all is well, and doctor after it: install again."""
    facts = FRESH._replace(settings=(("OPTIONS", options),), real="/mnt/real")
    assert find_faults(facts, Wish(in_place=True)) == ()
    said = find_faults(facts, TIMER)
    assert len(said) == bool(fault)
    for one in said:
        assert one.startswith(f"{places.SETTINGS}: OPTIONS has ")
        assert one.endswith("; remove it there, or give --in-place")
        assert fault in one


def exporter(*directories: str, trusted: bool = True) -> NodeExporter:
    return NodeExporter(7, "prometheus", 990, directories, ":9100", trusted, "" if trusted else "x")


@pytest.mark.parametrize(
    ("given", "setting", "exporters", "default", "directory", "why"),
    [
        ("/a", "", (exporter("/b"),), "/d", "/a", ""),
        ("/a/", "/a/", (), "/d", "/a", ""),
        ("", "/s", (exporter("/b"),), "/d", "/s", ""),
        ("/a", "/s", (), "/d", "", "run: sed -i 's|^TEXTFILE_DIRECTORY=.*|TEXTFILE_DIRECTORY=/a|'"),
        ("", "", (exporter("/b"),), "/d", "/b", ""),
        ("", "", (exporter(),), "/d", "/d", ""),
        ("", "", (exporter("/b"), exporter("/b/")), "/d", "/b", ""),
        ("", "", (exporter("/b"), exporter("/c")), "/d", "", "several directories (/b, /c)"),
        ("", "", (exporter("/b"), exporter()), "/d", "", "several directories (/b, /d)"),
        ("", "", (exporter("/evil", trusted=False),), "/d", "/d", ""),
        ("", "", (), "/d", "/d", ""),
        ("", "", (), "", "", "no textfile directory: none of /var/lib/prometheus/"),
    ],
)
def test_the_textfile_directory(
    given: str,
    setting: str,
    exporters: tuple[NodeExporter, ...],
    default: str,
    directory: str,
    why: str,
) -> None:
    found, reason = choose_directory(given, setting, exporters, default)
    assert found == directory
    assert why in reason
    assert bool(reason) == (not directory)


def test_notes() -> None:
    facts = FRESH._replace(exporters=(exporter("/b"), exporter("/c", trusted=False)))
    assert list(find_notes(facts, TIMER)) == [
        "process 7 calls itself node_exporter: not believed, x",
        f"no running node_exporter reads {TEXTFILE}",
    ]
    assert list(find_notes(FRESH._replace(exporters=(exporter(),)), TIMER)) == []


def test_who_does_not_answer_in_time_is_not_taken_to_see_the_link() -> None:
    facts = FRESH._replace(is_unsure=True)
    (note,) = find_notes(facts, TIMER)
    assert note.startswith(f"not every process could be asked in time whether it serves {TEXTFILE}")
    assert list(find_notes(facts, Wish(in_place=True))) == []


def test_an_ordinary_users_process_that_would_not_see_the_link_decides_nothing() -> None:
    """It may be a rootless container's node_exporter, or anything that somebody calls so."""
    facts = FRESH._replace(doubtful=(7, 8))
    assert uses_link(facts, TIMER)
    (note,) = find_notes(facts, TIMER)
    assert note.startswith(
        f"process 7, 8 of an ordinary user, as in a container, serves {TEXTFILE}"
    )
    assert note.endswith("if it is yours, give --in-place")
    for other in (Wish(in_place=True), Wish(cron=True)):
        assert list(find_notes(facts, other)) == []


def test_the_record_of_what_was() -> None:
    before = Before("/srv/with blank", 50, 0o2775)
    assert parse_before(format_record(before), 990) == before
    record = format_record(before, ("/opt/a", "/opt/b"), ("/usr/local/bin",))
    assert parse_before(record, 990) == before
    assert parse_words(record, "prefix") == ("/opt/a", "/opt/b")
    assert parse_words(record, "made") == ("/usr/local/bin",)
    assert parse_words("prefix ../x\nprefixes /y\n/made /z\n", "prefix") == ()


@pytest.mark.parametrize(
    "text",
    ["", "# 0 0755 /a", "0 0755 a", "0 755 /a", "0 0955 /a", "x 0755 /a", "-1 0755 /a",
     "99999999999 0755 /a", "0 0755"],
)  # fmt: skip
def test_a_record_that_is_none(text: str) -> None:
    assert parse_before(text, 990) is None


def test_a_record_with_our_own_group_does_not_give_it_the_directory_again() -> None:
    text = f"990 1775 {TEXTFILE}\n"
    assert parse_before(text, 990) == Before(TEXTFILE, 0, 0o755)
    assert parse_before(text, 991) == Before(TEXTFILE, 990, 0o1775)


@pytest.mark.usefixtures("needs_root")
def test_a_record_is_roots_alone(tmp_path: Path) -> None:
    """Root acts on what it says, by uninstall: nobody else may have put it there."""
    record = tmp_path / places.RECORD[1:]
    record.parent.mkdir(parents=True, mode=0o755)
    record.write_text("0 0755 /srv/x\n")

    def is_believed() -> bool:
        return read_facts(str(tmp_path), "").before is not None

    assert is_believed()
    for path in (record.parent, record):
        os.chown(path, 995, 995)
        assert not is_believed()
        os.chown(path, 0, 995)
        path.chmod(0o775)
        assert not is_believed()
        path.chmod(0o750)
        assert is_believed()
    (tmp_path / "etc/group").write_text("textfile-users:x:990:\n")
    record.write_text("990 1775 /srv/x\n")
    assert read_facts(str(tmp_path), "").before == Before("/srv/x", 0, 0o755)
    record.rename(record.with_name("other"))
    record.symlink_to("other")
    assert not is_believed()


def test_what_is_printed_for_a_file_is_what_is_written(tmp_path: Path) -> None:
    text = "one\n$HOME `id` 'quoted' \\n\n\nlast\n"
    for name, run in (("by-us", do), ("by-sh", _in_a_shell)):
        path = tmp_path / name
        run(write(str(path), text, "640"), "/")
        assert path.read_text() == text
        assert path.stat().st_mode & 0o777 == 0o640


def _in_a_shell(step: Step, _: str) -> None:
    subprocess.run(["sh", "-ec", shell(step)], check=True)


def test_a_step_that_fails_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made = Step(("mkdir", str(tmp_path / "one")))
    failing = Step(("ls", str(tmp_path / "none")))
    assert not command.carry_out([made, failing, Step(("mkdir", "/never"))], "/", "install", False)
    err = capsys.readouterr().err
    assert err.startswith(f"textfile-users: failed: ls {tmp_path}/none: ls: cannot access")
    assert err.endswith("; mend that and install again, which goes on from there\n")
    assert err.count("\n") == 1
    with pytest.raises(StepFailed, match=r"[Nn]o such file"):
        do(Step(("no-such-program-anywhere",)), "/")


def test_names_in_an_image_are_its_own(tmp_path: Path) -> None:
    """What is done, and what a dry run prints, has the image's numbers."""
    root = tmp_path / "my image"
    (root / "etc").mkdir(parents=True)
    (root / "etc/passwd").write_text("other:x:7:8::/:/bin/sh\ntextfile-users:x:4001:4002::/:\n")
    (root / "etc/group").write_text("other:x:8:textfile-users\ntextfile-users:x:4002:\n")
    (root / "here").mkdir()
    for owner, printed in (
        ("textfile-users", f"chown 4001:4002 '{root}/here' && chmod 0750 '{root}/here'"),
        ("", f"chgrp 4002 '{root}/here' && chmod 0750 '{root}/here'"),
    ):
        step = Step(("give", "/here", owner, "textfile-users", "0750"))
        filled = re.sub(r'"\$\((.*?)\)"', lambda it: _said_by_sh(it[1]), shell(step, str(root)))
        assert filled == printed
        if os.geteuid() == 0:
            do(step, str(root))
            status = (root / "here").stat()
            assert (status.st_uid or 4001, status.st_gid) == (4001, 4002)
            os.chown(root / "here", 0, 0)


def _said_by_sh(script: str) -> str:
    return subprocess.run(
        ["sh", "-c", script], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()


@pytest.mark.usefixtures("needs_root")
def test_processes_in_containers_are_not_ours_to_end(tmp_path: Path) -> None:
    """There the number of our user may be another's: they have another root directory."""
    (tmp_path / "bin").mkdir()
    shutil.copy(shutil.which("busybox") or pytest.skip("needs busybox"), tmp_path / "bin")
    tmp_path.chmod(0o755)
    inside = subprocess.Popen(
        ["chroot", "--userspec=64321:64321", str(tmp_path), "/bin/busybox", "sleep", "60"]
    )
    outside = subprocess.Popen(["setpriv", "--reuid=64321", "--clear-groups", "sleep", "60"])
    try:
        for child, name in ((inside, "busybox\n"), (outside, "sleep\n")):
            process = Path(f"/proc/{child.pid}")
            # Its owner changes with the program, a moment after its name.
            while (process / "comm").read_text() != name or process.stat().st_uid != 64_321:
                assert child.poll() is None
        _end_processes(64_321)
        assert outside.wait(5) == -signal.SIGKILL
        assert inside.poll() is None
    finally:
        inside.kill()
        inside.wait()
        outside.kill()
        outside.wait()


def test_an_update_that_fails_leaves_the_looks_running(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[str] = []

    def one(step: Step, _: str) -> None:
        done.append(_short(step))
        if "systemd-sysusers" in done[-1]:
            raise StepFailed("no room")

    facts = INSTALLED._replace(active=("textfile-users.timer",), archive="/x.pyz")
    monkeypatch.setattr(command, "read_facts", lambda *_: facts)
    monkeypatch.setattr(command, "do", one)
    assert command.install("/", "", False, False, False) == 1
    assert [step.split()[:2] for step in done] == [
        ["#", "unpack"],
        ["systemctl", "stop"],
        ["systemd-sysusers", "--inline"],
        ["systemctl", "daemon-reload"],
        ["systemctl", "start"],
    ]
    assert done[-1] == "systemctl start textfile-users.timer"
    assert capsys.readouterr().err.count("\n") == 1


def test_a_damaged_file_is_said(tmp_path: Path) -> None:
    archive = tmp_path / "cut.pyz"
    archive.write_bytes(b"PK")
    with pytest.raises(StepFailed, match="not a zip file"):
        do(Step(("unpack", str(archive), "/", str(tmp_path / "opt"))), "/")


def test_uninstall_says_what_is_gone_and_what_stays(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "do", lambda *_: None)
    for extra, lines in (({places.REDACT_KEY}, 1), (set(), 0)):
        facts = INSTALLED._replace(present=frozenset(extra))
        monkeypatch.setattr(command, "read_facts", lambda *_, facts=facts: facts)
        assert command.uninstall("/", "", False) == 0
        assert capsys.readouterr().err.count("redact.key was removed too") == lines
    facts = INSTALLED._replace(old_entry=FoundEntry(TEXTFILE, LINK, 990, target="/srv/x"))
    monkeypatch.setattr(command, "read_facts", lambda *_: facts)
    assert command.uninstall("/", "", False) == 0
    assert f"{OUTPUT}: stays, for {TEXTFILE} is a link now" in capsys.readouterr().err


def test_a_dry_run_that_is_not_roots_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for is_root in (True, False):
        monkeypatch.setattr(command, "read_facts", lambda *_, is_root=is_root: FRESH._replace(
            is_root=is_root))  # fmt: skip
        assert command.install("/", "", False, False, True) == 0
        assert ("not as root" in capsys.readouterr().err) != is_root


@pytest.mark.usefixtures("needs_root")
def test_another_install_is_at_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither reads facts that the other one is changing; what has ended is no hindrance."""
    monkeypatch.setattr(command, "read_facts", lambda *_: INSTALLED._replace(root="/image"))
    monkeypatch.setattr(command, "do", lambda *_: None)
    with command._alone(dry_run=False) as is_alone:
        assert is_alone
        assert command.install("/image", "", False, False, False) == 1
        assert command.uninstall("/image", "", False) == 1
        assert command.install("/image", "", False, False, True) == 0, "a dry run"
    said = "textfile-users: another install or uninstall is at work: nothing was changed\n"
    assert capsys.readouterr().err == said * 2
    Path(command.LOCK).touch()  # one that was killed has left it
    assert command.install("/image", "", False, False, False) == 0
    assert not os.path.exists(command.LOCK)


def test_the_link_takes_the_place_of_what_is_there(tmp_path: Path) -> None:
    """In one step, and through no link of another's on the way."""
    served = tmp_path / "var/textfile"
    served.mkdir(parents=True)
    step = Step(("put link", "/var/textfile/users.prom", "../../run/x"))
    place = served / "users.prom"
    for kind in ("", "file", "link", "fifo"):
        if kind == "file":
            place.touch()
        elif kind == "link":
            place.symlink_to("/etc/passwd")
        elif kind:
            os.mkfifo(place)
        do(step, str(tmp_path))
        assert os.listdir(served) == ["users.prom"]
        assert os.readlink(place) == "../../run/x"
        place.unlink()
    place.mkdir()
    with pytest.raises(StepFailed):
        do(step, str(tmp_path))
    assert os.listdir(served) == ["users.prom"], "nothing is left beside it"
    with pytest.raises(StepFailed):
        do(Step(("put link", "/nowhere/users.prom", "x")), str(tmp_path))
    if os.geteuid() == 0:
        (tmp_path / "way").symlink_to("var")
        os.chown(tmp_path / "way", 64_321, -1, follow_symlinks=False)
        with pytest.raises(StepFailed, match="a link on the way is not root's"):
            do(Step(("put link", "/way/textfile/x.prom", "x")), str(tmp_path))


@pytest.mark.parametrize(
    ("can_link", "wish", "output", "is_refused"),
    [
        (True, TIMER, FRESH.output, False),
        (False, TIMER, FRESH.output, True),
        (False, TIMER, INSTALLED.output, False),  # it is there already
        (False, TIMER, FoundEntry(OUTPUT, LINK, 0, target="../x"), True),
        (False, Wish(in_place=True), FRESH.output, False),
        (False, Wish(cron=True), FRESH.output, False),
    ],
)
def test_where_no_link_can_be_made_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    can_link: bool, wish: Wish, output: FoundEntry, is_refused: bool,
) -> None:  # fmt: skip
    """Later the units would be new, the scans stopped, and the file at its old place."""
    done: list[Step] = []
    served = tmp_path / TEXTFILE[1:]
    served.mkdir(parents=True)
    monkeypatch.setattr(command, "find_faults", lambda *_: ())

    def carry_out(steps: tuple[Step, ...], *_: object) -> bool:
        done.extend(steps)
        return True

    monkeypatch.setattr(command, "carry_out", carry_out)
    monkeypatch.setattr(command, "_finish", lambda *_: 0)
    facts = FRESH._replace(root=str(tmp_path), output=output)
    monkeypatch.setattr(command, "read_facts", lambda *_: facts)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not can_link:
        monkeypatch.setattr(os, "symlink", refuse)
    status = command._install("/", "", wish, dry_run=False)
    assert (status, done == []) == (is_refused, is_refused)
    assert list(served.iterdir()) == [], "the trial leaves nothing"
    said = f"{TEXTFILE}: no link can be made there: operation not permitted; give --in-place"
    assert (said in capsys.readouterr().err) == is_refused


def test_what_the_link_leads_to_is_looked_at_without_following(tmp_path: Path) -> None:
    linked = tmp_path / places.LINKED_OUTPUT[1:]
    linked.parent.mkdir(parents=True)
    linked.symlink_to("other")
    (linked.parent / "other").touch()
    assert read_facts(str(tmp_path), "").linked.kind == LINK


def test_where_a_directory_really_is(tmp_path: Path) -> None:
    """/var on another disk, as links have it; `..` of a link there begins there."""
    (tmp_path / "data/var/prom").mkdir(parents=True)
    (tmp_path / "var").symlink_to("data/var")
    facts = read_facts(str(tmp_path), "/var/prom")
    assert facts.real == "/data/var/prom"
    assert link_target(facts) == "../../../run/textfile-users/public/users.prom"
    assert not facts.is_in_memory
    assert read_facts(str(tmp_path), "/run/prom").is_in_memory, "after its first boot"


def test_a_process_that_names_a_dead_mount_does_not_hold_install_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(facts_module, "TOOL_SECONDS", 0.2)
    monkeypatch.setattr(facts_module, "find_blind", lambda *_, ordinary: time.sleep(60))
    assert facts_module._blind(Paths(), "/srv", ordinary=False) is None
    found = read_facts("/", "/srv")
    assert (found.blind, found.doubtful, found.is_unsure) == ((), (), True)
    monkeypatch.setattr(facts_module, "find_blind", lambda *_, ordinary: (7, 8))
    assert facts_module._blind(Paths(), "/srv", ordinary=False) == (7, 8)


def test_a_directory_in_memory(tmp_path: Path) -> None:
    assert facts_module._is_in_memory(Paths(), "/dev/shm")
    assert not facts_module._is_in_memory(Paths(), "/proc")
    assert not facts_module._is_in_memory(Paths(), f"{tmp_path}/none")


def test_facts_of_an_image(tmp_path: Path) -> None:
    for name in (TEXTFILE, "/usr/lib/systemd/systemd", "/etc/cron.d", "/usr/sbin/cron",
                 "/etc/default", "/var/lib/textfile-users"):  # fmt: skip
        (tmp_path / name[1:]).mkdir(parents=True)
    (tmp_path / "etc/group").write_text("adm:x:4:\nnone:x:5:\n")
    (tmp_path / "etc/default/textfile-users").write_text("LOG_LEVEL=debug\nx\n")
    (tmp_path / OUTPUT[1:]).symlink_to("/etc/passwd")
    facts = read_facts(str(tmp_path), "")
    assert not facts.is_output_ours
    for text, is_ours in (("other 1\n", False), ('a 1\nusers_build_info{version="1"} 1.0\n', True)):
        (tmp_path / OUTPUT[1:]).unlink()
        (tmp_path / OUTPUT[1:]).write_text(text)
        assert read_facts(str(tmp_path), "").is_output_ours == is_ours
    (tmp_path / OUTPUT[1:]).unlink()
    (tmp_path / OUTPUT[1:]).symlink_to("/etc/passwd")
    assert (facts.active, facts.to_python) == ((), ())
    assert (facts.is_systemd, facts.cron, set(facts.groups)) == (True, "/etc/cron.d", {"adm"})
    assert (facts.directory, facts.is_default, facts.uid) == (TEXTFILE, True, -1)
    assert (facts.output.kind, facts.output.target) == (LINK, "/etc/passwd")
    assert [one.path for one in facts.above] == [one.path for one in ABOVE]
    assert facts.present == {places.SETTINGS, places.STATE}
    assert dict(facts.settings) == {"LOG_LEVEL": "debug"}
    assert len(facts.setting_faults) == 1


def test_busybox_in_an_image(tmp_path: Path) -> None:
    for name in ("usr/sbin", "etc/crontabs", "bin"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "bin/busybox").touch()
    (tmp_path / "usr/sbin/crond").symlink_to("../../bin/busybox")
    assert read_facts(str(tmp_path), "").cron == "/etc/crontabs"


def test_no_step_leads_out_of_an_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "image").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "image/etc").symlink_to(tmp_path / "outside")
    root = str(tmp_path / "image")
    assert not command.carry_out([write(f"{root}/etc/file", "x")], root, "install", False)
    assert "leads out of the root" in capsys.readouterr().err
    assert os.listdir(tmp_path / "outside") == []


@pytest.mark.parametrize(
    ("place", "target", "why"),
    [
        ("etc", "../outside", "passwd and shadow are written there"),
        ("etc", "OUTSIDE", "an absolute one"),
        ("etc/passwd", "../../outside/passwd", "the file alone"),
        ("etc/shadow", "../../outside/none", "a dangling one: it would be made"),
        ("etc/group", "/etc/group", "this host's own"),
        ("etc/systemd/system", "OUTSIDE", "where units go"),
        ("etc/systemd/system/timers.target.wants", "OUTSIDE", "where systemctl enables"),
        ("etc/systemd/system/textfile-users.service.d", "OUTSIDE", "where drop-ins go"),
        ("etc/default", "OUTSIDE", "where settings go"),
        ("etc/textfile-users", "OUTSIDE", "where the record goes"),
        ("usr", "..", "above the image"),
        ("var/lib", "OUTSIDE", "where the state goes"),
        ("var", "../../..", "above the image, by another way"),
        ("opt", "/opt", "where the program goes"),
        ("run", "/run", "where the file in memory is"),
        ("srv/prom", "OUTSIDE", "the textfile directory"),
    ],
)
@pytest.mark.parametrize("spelled", ["--root={}", "--root {}", "--root {}/.", "--root {}/../link"])
def test_an_image_with_links_out_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    place: str, target: str, why: str, spelled: str,
) -> None:  # fmt: skip
    image, outside = tmp_path / "image", tmp_path / "outside"
    outside.mkdir()
    (outside / "passwd").write_text("textfile-users:x:4001:4002::/:/bin/sh\n")
    (tmp_path / "link").symlink_to(image)
    (image / place).parent.mkdir(parents=True)
    (image / place).symlink_to(target.replace("OUTSIDE", str(outside)))
    if place != "srv/prom":
        (image / "srv/prom").mkdir(parents=True, exist_ok=True)
    before = sorted((path, path.lstat().st_mtime_ns) for path in tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    root = spelled.format("image").split()
    for argv in (
        ["install", *root, "--textfile-directory", "/srv/prom"],
        ["install", "--textfile-directory", "/srv/prom", *root, "--cron"],
        ["uninstall", *root, "--textfile-directory", "/srv/prom"],
    ):
        assert main(argv) == 1, why
        err = capsys.readouterr().err
        assert "a link leads out of the image" in err, (why, err)
        assert "Traceback" not in err
    assert sorted((path, path.lstat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


def test_a_link_that_is_put_into_an_image_meanwhile_ends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "image"
    image.mkdir()
    (image / "etc").symlink_to(tmp_path)
    marked = tmp_path / "marked"
    step = Step(("touch", str(marked)))
    assert not command.carry_out((step,), str(image), "install", dry_run=False)
    assert "leads out of the root" in capsys.readouterr().err
    assert not marked.exists()


@pytest.mark.parametrize("directory", ["/metrics", "/srv/prom", "/metrics/", "//metrics"])
def test_any_directory_of_an_image_can_be_the_textfile_directory(
    tmp_path: Path, directory: str
) -> None:
    """Also one at top level, and where the image's links stay in it."""
    image = tmp_path / "image"
    for name in ("metrics", "srv/prom", "usr/lib/systemd", "usr/etc", "etc"):
        (image / name).mkdir(parents=True)
    (image / "lib").symlink_to("usr/lib")
    (image / "etc/crontabs").mkdir()
    (image / "var/spool/cron").mkdir(parents=True)
    (image / "var/spool/cron/crontabs").symlink_to("/etc/crontabs")  # as Alpine has it
    facts = read_facts(str(image), directory)
    assert facts.leaving == ()
    assert not [fault for fault in find_faults(facts, Wish()) if "metrics" in fault]
    for step in (*install_steps(facts, Wish(), SHARE), *uninstall_steps(facts)):
        command._require_inside(Paths(facts.root), step)


@pytest.mark.parametrize("argv", [["--root", "IMG", "install"], ["--root=IMG", "uninstall"]])
def test_the_root_goes_behind_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    """Before it nothing is taken for another root, nor for this host."""
    assert main([word.replace("IMG", str(tmp_path)) for word in argv]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


IN_UTMP = INSTALLED._replace(is_in_utmp=True)


@pytest.mark.parametrize(
    ("facts", "found", "missing", "why"),
    [
        (FRESH, [], ["utmp"], "a log is read: btmp is not"),
        (FRESH._replace(reads_btmp=True), ["'m textfile-users utmp'"], [], "btmp is what is read"),
        (FRESH._replace(reads_btmp=True, groups=frozenset({"adm"})), [], ["utmp"], "no such group"),
        (BUSYBOX._replace(reads_btmp=True), ["addgroup textfile-users utmp"], [], "by busybox"),
        (IN_UTMP, ["gpasswd --delete textfile-users utmp"], ["m textfile-users utmp"], "an update"),
        (IN_UTMP._replace(reads_btmp=True), ["'m textfile-users utmp'"], ["gpasswd"], "it stays"),
        (IN_UTMP._replace(tools=frozenset({"adduser"})), ["delgroup textfile-users utmp"], [],
         "an update on busybox"),
        (IN_UTMP._replace(root="/image"), ["gpasswd --root /image --delete textfile-users utmp"],
         [], "an update in an image"),
        (IN_UTMP._replace(joining=places.SYSUSERS_FILES, present=frozenset(places.SYSUSERS_FILES)),
         [f"rm -f {' '.join(places.SYSUSERS_FILES)}"], [], "each boot would put it back"),
        (FRESH._replace(tools=frozenset({"useradd"}), reads_btmp=True),
         ["adm,systemd-journal,utmp"], [], "by useradd"),
    ],
)  # fmt: skip
def test_the_group_that_writes_btmp_is_taken_where_btmp_is_read(
    facts: HostFacts, found: list[str], missing: list[str], why: str
) -> None:
    text = "\n".join(steps(facts))
    assert all(words in text for words in found), (why, text)
    assert not any(words in text for words in missing), (why, text)


@pytest.mark.usefixtures("needs_root")
@pytest.mark.parametrize(
    ("log", "mode", "gid", "source", "has_btmp", "journal", "expected", "why"),
    [
        ("auth.log", 0o640, 4, "", True, "absent", False, "adm opens the log"),
        ("auth.log", 0o644, 0, "", True, "absent", False, "the log is open to all"),
        ("secure", 0o600, 0, "", True, "absent", True, "the log is root's alone"),
        ("secure", 0o600, 0, "", True, "ok", False, "the journal is read"),
        ("", 0, 0, "", True, "denied", False, "the journal's group opens it"),
        ("", 0, 0, "", True, "absent", True, "neither log nor journal"),
        ("", 0, 0, "", False, "absent", False, "nor btmp"),
        ("auth.log", 0o640, 43, "", True, "absent", True, "utmp is not what opens a log"),
        ("auth.log", 0o640, 4, "none", True, "ok", True, "no log is asked for"),
        ("auth.log", 0o640, 4, "journal", True, "absent", True, "the log is not asked for"),
        ("auth.log", 0o600, 0, "files", True, "ok", True, "the journal is not asked for"),
    ],
)
def test_whether_btmp_is_what_is_read(
    open_directory: Path, monkeypatch: pytest.MonkeyPatch, log: str, mode: int, gid: int,
    source: str,
    has_btmp: bool, journal: str, expected: bool, why: str,
) -> None:  # fmt: skip
    if log:
        (open_directory / log).touch()
        (open_directory / log).chmod(mode)
        os.chown(open_directory / log, 0, gid)
    if has_btmp:
        (open_directory / "btmp").touch()
    logs = tuple(str(open_directory / name) for name in ("auth.log", "secure"))
    monkeypatch.setattr("textfile_users.paths.AUTH_LOGS", logs)
    monkeypatch.setattr(facts_module, "journal_state", lambda paths: (journal, ""))
    values = {"OPTIONS": f"--auth-source {source}"} if source else {}
    numbers = {"adm": 4, "systemd-journal": 999, "utmp": 43, "textfile-users": 990}
    paths = Paths(btmp_given=str(open_directory / "btmp"))
    assert facts_module._reads_btmp(paths, values, 990, numbers) == expected, why


def test_files_that_put_our_user_into_utmp(tmp_path: Path) -> None:
    image = tmp_path / "image"
    for path, text in zip(
        places.SYSUSERS_FILES,
        ("m textfile-users adm\n", "u textfile-users -\nm  textfile-users\tutmp\n"),
    ):
        (image / path[1:]).parent.mkdir(parents=True)
        (image / path[1:]).write_text(text)
    (image / "etc/group").write_text("utmp:x:43:alice,textfile-users\n")
    facts = read_facts(str(image), "")
    assert facts.joining == places.SYSUSERS_FILES[1:]
    assert facts.is_in_utmp
    assert not facts.reads_btmp, "an image reads nothing yet"


def test_faults_leave_everything_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "etc").mkdir()
    assert main(["install", "--root", str(tmp_path), "--dry-run"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "no textfile directory" in err
    assert err.endswith("textfile-users: nothing was changed\n")
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "etc"]


def test_what_install_needs_is_shipped() -> None:
    assert set(share_files()) == set(SHIPPED)


@pytest.mark.parametrize(
    ("name", "target", "output", "why"),
    [
        ("users.prom", TARGET, places.LINKED_OUTPUT, "root's run would replace the link"),
        ("users.prom", "/etc/passwd", "", "a link that install has not made is replaced"),
        ("users.prom", "", "", "a file is written where it is asked for"),
        ("-", "", "-", "stdout"),
    ],
)
def test_a_link_into_memory_that_is_given_as_the_output(
    tmp_path: Path, name: str, target: str, output: str, why: str
) -> None:
    path = tmp_path / name if name != "-" else "-"
    if target:
        (tmp_path / name).symlink_to(target)
    options = cli._options(parse_collect(["--output", str(path)]))
    assert options.output == (output or str(path)), why


def test_an_output_that_is_given_and_cannot_be_seen_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> str:
        raise PermissionError(path)

    monkeypatch.setattr(os, "readlink", refuse)
    monkeypatch.setattr(cli, "PUBLIC", str(tmp_path))
    assert cli._options(parse_collect(["--output", "/srv/x.prom"])).output == "/srv/x.prom"


def test_a_link_into_memory_is_followed_by_the_default(tmp_path: Path) -> None:
    path = tmp_path / "users.prom"
    assert _file_in(str(tmp_path)) == str(path)
    path.symlink_to("/etc/passwd")
    assert _file_in(str(tmp_path)) == str(path), "a link that install has not made is replaced"
    path.unlink()
    path.symlink_to(TARGET)
    assert _file_in(str(tmp_path)) == places.LINKED_OUTPUT
    path.unlink()
    path.symlink_to("../x/run/textfile-users/public/users.prom")
    assert _file_in(str(tmp_path)) == str(path), "one that leads elsewhere"


@pytest.mark.parametrize("is_linked", [True, False])
def test_a_directory_that_is_closed_to_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_linked: bool
) -> None:
    """It is others', who need not let the service see the link."""

    def refuse(path: str) -> str:
        raise PermissionError(path)

    monkeypatch.setattr(os, "readlink", refuse)
    monkeypatch.setattr(cli, "PUBLIC", str(tmp_path) if is_linked else f"{tmp_path}/none")
    expected = places.LINKED_OUTPUT if is_linked else "/srv/prom/users.prom"
    assert _file_in("/srv/prom") == expected


@pytest.mark.parametrize(
    ("age", "waited"), [(0.0, [1.0]), (0.25, [0.75]), (1.0, []), (5.0, []), (-9.0, [])]
)
def test_looks_of_the_unit_are_a_second_apart(
    tmp_path: Path, age: float, waited: list[float]
) -> None:
    """A file of the future, after the clock was set back, holds nothing up."""
    path = tmp_path / "users.prom"
    path.touch()
    os.utime(path, (1000.0, 1000.0))
    slept: list[float] = []
    _wait_apart(str(path), 1, lambda: 1000.0 + age, slept.append)
    assert slept == waited
    _wait_apart(str(tmp_path / "none"), 1, lambda: 1000.0, slept.append)
    assert slept == waited


def test_the_first_scan_is_as_the_timer_or_cron_starts_it() -> None:
    assert shell(scan_step(FRESH, Wish(), SHARE)) == "systemctl start textfile-users.service"
    for facts, path, variables in (
        (BY_CRON, "/etc/cron.d/textfile-users", ["MAILTO=root", f"STATE_DIRECTORY={places.STATE}"]),
        (BUSYBOX, "/etc/crontabs/textfile-users", []),
    ):
        there = facts._replace(prefix="/srv/tu")
        kind, *words = scan_step(there, Wish(), SHARE).words
        assert (kind, words[:2], words[-3:-1]) == ("as our user", ["env", "-i"], ["/bin/sh", "-c"])
        assert set(variables) <= set(words)
        assert "/srv/tu/bin/python3" in words[-1]
        # A whole minute of scans is nothing to wait for; the rest is the entry, word for word.
        assert "--repeat" not in words[-1]
        minute = words[-1].replace(" $OPTIONS", " --repeat 12 --interval 5 $OPTIONS")
        (line,) = [line for line in written(there, Wish(), path).splitlines() if line[0:2] == "* "]
        assert line.removeprefix("* * * * * ").removeprefix("textfile-users ") == minute


def as_user(script: str) -> Step:
    return Step(("as our user", "sh", "-c", script))


@pytest.mark.usefixtures("needs_root")
@pytest.mark.parametrize(
    ("script", "is_done", "said"),
    [
        ("id -u; id -g", True, ""),
        ("echo textfile-users: a log is closed >&2", True, "the first scan: a log is closed\n"),
        ("echo textfile-users: users.prom: not written >&2; exit 1", False,
         "the first scan: users.prom: not written\n"
         "textfile-users: the first scan failed with status 1; all else is in place\n"),
        ("exec /none/python3 2>&1 >&2", False, "failed with status 127"),
        ("[ $(id -u) = 64321 ] && [ $(id -g) = 64322 ] && [ $PWD = / ]", True, ""),
    ],
)  # fmt: skip
def test_what_the_first_scan_by_cron_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    script: str, is_done: bool, said: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(first, "read_ids", lambda _: (64321, 64322))
    assert first.scan_first(as_user(script)) == is_done
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert bool(err) == bool(said)


# What journalctl of systemd 252 prints for the unit, and for the program within an hour.
EXITED = (
    "textfile-users.service: Main process exited, code=exited, status={}\n"
    "textfile-users.service: StepFailed with result 'exit-code'.\n"
)
SYSTEMCTL = """#!/bin/sh
[ "$*" = "start textfile-users.service" ] && [ $(cat {}/status) = 0 ] && exit
echo Job for textfile-users.service failed. >&2
exit 1
"""
JOURNALCTL = """#!/bin/sh
case "$*" in
*--sync*) ;;
*"-u textfile-users.service --since=@"*) cat {0}/unit ;;
*"-t textfile-users --since=-1h"*) cat {0}/hour ;;
*) exit 1 ;;
esac
"""


@pytest.mark.parametrize(
    ("unit", "hour", "said"),
    [
        ("textfile-users: users.prom: full\n" + EXITED.format("1/FAILURE"), "", "users.prom: full"),
        (EXITED.format("1/FAILURE"), "textfile-users: told first\ntextfile-users: told before\n",
         "told before"),
        (EXITED.format("226/NAMESPACE"), "textfile-users: another fault\n",
         "textfile-users.service: Main process exited, code=exited, status=226/NAMESPACE"),
        ("", "", "Job for textfile-users.service failed."),
    ],
)  # fmt: skip
def test_what_the_first_scan_by_systemd_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    unit: str, hour: str, said: str,
) -> None:  # fmt: skip
    for name, text in (("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)):
        (tmp_path / name).write_text(text.format(tmp_path))
        (tmp_path / name).chmod(0o755)
    (tmp_path / "unit").write_text(unit)
    (tmp_path / "hour").write_text(hour)
    monkeypatch.setattr(first, "TOOLS", f"{tmp_path}:{os.environ['PATH']}")
    step = scan_step(FRESH, Wish(), SHARE)
    for status in (1, 0):
        (tmp_path / "status").write_text(str(status))
        assert first.scan_first(step) == (not status)
        err = capsys.readouterr().err.splitlines()
        assert err[:-1] == [f"textfile-users: the first scan: {said}"] * bool(status)
        assert err[-1:] == [
            "textfile-users: the first scan failed with status 1; all else is in place"
        ] * bool(status)


def test_a_failure_is_said_without_a_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(first, "TOOLS", str(tmp_path))
    assert not first.scan_first(scan_step(FRESH, Wish(), SHARE))
    assert "the first scan: systemctl: no such file or directory\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("facts", "wish", "has_crond", "said"),
    [
        (FRESH, Wish(), False, f"Installed: the timer scans every 5 seconds and writes {OUTPUT}, "
         "a link to /run/textfile-users/public/users.prom."),
        (FRESH, Wish(in_place=True), False, f"every 5 seconds and writes {OUTPUT}."),
        (BY_CRON, Wish(), True, "Installed: /etc/cron.d/textfile-users scans every 5 seconds"),
        (BY_CRON, Wish(), False, "but no cron daemon runs: start it with: "),
        (FRESH, Wish(cron=True), False, "start it with: systemctl enable --now"),
        (BUSYBOX, Wish(), False, "/etc/crontabs/textfile-users, but no cron daemon runs"),
        (BY_CRON._replace(root="/image"), Wish(), False, "scans every 5 seconds"),
    ],
)  # fmt: skip
def test_what_is_said_of_what_runs_it(
    monkeypatch: pytest.MonkeyPatch, facts: HostFacts, wish: Wish, has_crond: bool, said: str
) -> None:
    monkeypatch.setattr(first, "has_crond", lambda: has_crond)
    assert said in first.describe(
        facts, is_timer=uses_timer(facts, wish), is_link=uses_link(facts, wish)
    )


@pytest.mark.usefixtures("needs_root")
def test_a_cron_daemon_is_found_but_not_that_of_a_container(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    shutil.copy(shutil.which("busybox") or pytest.skip("needs busybox"), tmp_path / "crond")
    command_of_it = f"{tmp_path}/crond"
    known = first.has_crond()  # the machine's own
    (tmp_path / "none").mkdir()  # crontabs
    for argv in (["chroot", str(tmp_path), "/crond", "-c", "/none"],
                 [command_of_it, "-c", f"{tmp_path}/none"]):  # fmt: skip
        child = subprocess.Popen([*argv, "-f"])  # else it leaves a daemon behind
        try:
            while Path(f"/proc/{child.pid}/comm").read_text() != "crond\n":
                assert child.poll() is None
            assert first.has_crond() == (known or argv[0] == command_of_it)
        finally:
            child.kill()
            child.communicate()


@pytest.mark.parametrize(("is_scanned", "status"), [(True, 0), (False, 1)])
def test_the_status_is_that_of_the_first_scan_not_doctors(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path,
    is_scanned: bool, status: int,
) -> None:  # fmt: skip
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").write_text('#!/bin/sh\necho "$*: FAULT"\nexit 1\n')
    (tmp_path / "bin/python3").chmod(0o755)
    facts = INSTALLED._replace(prefix=str(tmp_path), prefixes=(str(tmp_path),))
    monkeypatch.setattr(command, "read_facts", lambda *_: facts)
    monkeypatch.setattr(command, "find_faults", lambda *_: ())
    monkeypatch.setattr(command, "do", lambda *_: None)
    monkeypatch.setattr(first, "scan_first", lambda _: is_scanned)
    assert command.install("/", "", False, False, False) == status
    out = capfd.readouterr().out.splitlines()
    assert out[0].startswith("Installed: the timer scans every 5 seconds")
    assert out[-1] == "-I -m textfile_users doctor: FAULT"


def test_nothing_is_scanned_in_an_image(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "read_facts", lambda *_: INSTALLED._replace(root="/image"))
    monkeypatch.setattr(command, "do", lambda *_: None)
    monkeypatch.setattr(first, "scan_first", lambda _: pytest.fail("a scan"))
    for dry_run in (True, False):
        assert command.install("/image", "", False, False, dry_run) == 0
        assert "start textfile-users.service" not in capsys.readouterr().out


def test_a_journal_that_hangs_does_not_hold_up_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = tmp_path / "journalctl"
    hanging.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(first, "TOOLS", str(tmp_path))
    monkeypatch.setattr(first, "JOURNAL_SECONDS", 0.2)
    assert first._journal("--sync") == []
