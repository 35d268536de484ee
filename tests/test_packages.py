"""What packages hold, and what `install --packaged` does where one is installed."""

from __future__ import annotations

import gzip
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pytest

from tests.test_install import FRESH, IN_PLACE, INSTALLED, OUTPUT, SHARE, TARGET, removal, steps
from textfile_users import __version__, cli
from textfile_users import product as places
from textfile_users.setup import install as command
from textfile_users.setup.entry import FoundEntry
from textfile_users.setup.facts import HostFacts
from textfile_users.setup.faults import find_faults, find_notes, find_removal_faults
from textfile_users.setup.plan import uninstall_steps
from textfile_users.setup.plan_user import user_steps
from textfile_users.setup.steps import shell
from textfile_users.setup.wish import Wish, as_before

PROJECT = Path(__file__).parents[1]
NFPM = shutil.which("nfpm") or str(PROJECT / ".test/package/bin/nfpm")
OWN = places.PACKAGE[1:]
COMPILE = f"{places.PACKAGE}/bin/compile"
ENABLE = "enable --now textfile-users.timer textfile-users.path"
# What a package's script finds on a Debian that has never had the program, and later.
NEW = FRESH._replace(
    prefix=places.PACKAGE, present=frozenset({places.PACKAGED, places.SETTINGS}), links=()
)
LATER = INSTALLED._replace(
    prefix=places.PACKAGE,
    links=(),
    present=frozenset({places.PACKAGED, places.SETTINGS, places.ENABLED, *places.OWN_TREES}),
)


def test_the_steps_of_a_new_package() -> None:
    """Units, settings and command are the package's; the scans begin without a scan by hand."""
    found = steps(NEW)
    assert found[0] == COMPILE
    assert found[-4:] == [
        f"ln -sfn {TARGET} {OUTPUT}",
        "systemctl daemon-reload",
        f"systemctl {ENABLE}",
        f"write {places.ENABLED}",
    ]
    assert "systemd-tmpfiles --create textfile-users.conf" in found
    words = " ".join(found)
    for place in (*places.UNITS, places.TMPFILES, places.SETTINGS, "/usr/local"):
        assert place not in words


def test_an_upgrade_stops_nothing_and_enables_nothing() -> None:
    """Killed at any step the scans go on; what an administrator has disabled stays disabled."""
    found = steps(LATER)
    assert found[-1] == "systemctl daemon-reload"
    assert not [step for step in found if "systemctl stop" in step or "enable" in step]


def test_the_package_takes_over() -> None:
    """Units and links of the installation before go, then the package's units are enabled."""
    before = INSTALLED._replace(
        prefix=places.PACKAGE, present=INSTALLED.present | {places.PACKAGED}
    )
    found = steps(before)
    gone = found.index("rm -f " + " ".join(places.UNITS))
    assert found.index("systemctl disable textfile-users.timer textfile-users.path") < gone
    assert gone < found.index(f"systemctl {ENABLE}")
    assert f"rm -f {places.TMPFILES}" in found, "the package's own would be hidden"
    assert "rm -f /usr/local/bin/textfile-users" in found
    assert not [step for step in found if places.STATE in step and step.startswith("rm")]
    assert any(f"rm -r {places.PREFIX}" in note for note in find_notes(before, Wish()))


@pytest.mark.parametrize(
    ("facts", "wish", "reason"),
    [
        (NEW, Wish(), "nothing was there"),
        (LATER, Wish(), "timer and link"),
        (LATER._replace(present=LATER.present | {places.DROP_IN}), Wish(in_place=True), "in place"),
        (
            LATER._replace(present=LATER.present - {places.ENABLED} | {places.CRON_ENTRIES[0]}),
            Wish(cron=True),
            "by cron, though systemd runs",
        ),
    ],
)
def test_an_upgrade_keeps_the_way(facts: HostFacts, wish: Wish, reason: str) -> None:
    assert as_before(facts) == wish, reason


def test_cron_in_place_of_the_packages_timer() -> None:
    found = steps(LATER, Wish(cron=True))
    stopped = found.index("systemctl disable textfile-users.timer textfile-users.path")
    assert stopped < found.index("write /etc/cron.d/textfile-users")
    assert f"rm -f {places.ENABLED}" in found, "else the way back would enable nothing"


def test_without_a_textfile_directory_all_but_the_link_is_done() -> None:
    """node_exporter is installed later: then the trigger puts the link."""
    facts = NEW._replace(directory="", why="no textfile directory", entry=FoundEntry(""))
    assert find_faults(facts, Wish()) == ()
    assert list(find_notes(facts, Wish())) == [
        f"no textfile directory; until then only {places.LINKED_OUTPUT} is written"
    ]
    found = steps(facts)
    assert "systemd-tmpfiles --create textfile-users.conf" in found
    assert f"systemctl {ENABLE}" in found
    assert not [step for step in found if "ln -s" in step or places.RECORD in step]
    assert find_faults(facts, Wish(cron=True)) == ("no textfile directory",)


def test_an_image_that_is_being_made() -> None:
    """systemd does not run: units are enabled offline, and nothing that runs is asked."""
    facts = NEW._replace(is_booted=False, reads_btmp=True)
    found = steps(facts)
    assert "systemctl --root=/ enable textfile-users.timer textfile-users.path" in found
    assert not [step for step in found if "daemon-reload" in step or "tmpfiles" in step]
    assert "m textfile-users utmp" not in shell(next(iter(user_steps(facts, SHARE))))
    assert list(find_notes(facts, Wish())) == [
        "systemd does not run here: the timer starts when it does"
    ]


def test_an_old_systemd_gets_no_delay() -> None:
    drop_in = f"write {places.TIMER_DROP_IN}"
    assert drop_in in steps(NEW._replace(systemd=239))
    assert drop_in not in steps(NEW)


def test_removal_leaves_state_settings_user_and_key() -> None:
    found = [shell(step) for step in uninstall_steps(LATER, packaged=True)]
    assert found[0] == "systemctl disable textfile-users.timer textfile-users.path"
    assert f"rm -f {OUTPUT}" in found
    assert found[-1] == f"rm -rf {places.RUN} {places.RECORD}"
    words = " ".join(found)
    for kept in (places.STATE, places.SETTINGS, places.REDACT_KEY, "userdel"):
        assert f"{kept} " not in f"{words} "
    assert any("userdel" in step for step in removal(INSTALLED)), "uninstall itself removes all"


@pytest.mark.parametrize(
    ("facts", "packaged", "faults", "reason"),
    [
        (NEW, True, 0, "the package manager"),
        (NEW, False, 1, "an administrator: the files are the package's"),
        (INSTALLED, False, 0, "there is no package"),
        (
            INSTALLED._replace(present=INSTALLED.present | {places.PACKAGED}),
            False,
            1,
            "another program would take user and state from the package",
        ),
    ],
)
def test_who_may_remove(facts: HostFacts, packaged: bool, faults: int, reason: str) -> None:
    assert len(tuple(find_removal_faults(facts, packaged=packaged))) == faults, reason


def test_no_second_program_beside_a_package() -> None:
    for facts in (FRESH, IN_PLACE):
        beside = facts._replace(present=facts.present | {places.PACKAGED})
        (fault,) = find_faults(beside, Wish())
        assert f"use {places.PACKAGE}/bin/textfile-users" in fault


def test_a_host_on_which_nothing_can_run_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a container without systemd and cron the package is installed, and nothing is made."""
    facts = NEW._replace(is_systemd=False, is_booted=False, cron="")
    done: list[str] = []
    monkeypatch.setattr(command, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(command, "read_facts", lambda *_: facts)
    monkeypatch.setattr(command, "do", lambda step, _: done.append(shell(step)))
    assert cli.main(["install", "--packaged"]) == 0
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("textfile-users: not set up: neither systemd nor cron runs here")
    assert done == [COMPILE]


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("package", PROJECT / "script/package.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("build") / "textfile-users.pyz"
    subprocess.run([sys.executable, "-I", PROJECT / "script/pyz.py", path], check=True)
    return path


def test_the_tree_runs_on_this_python(maker: ModuleType, pyz: Path, tmp_path: Path) -> None:
    """Whatever Python the host gets, lib/python3.N leads to the modules for it."""
    maker.lay_out(str(tmp_path), str(pyz), 0.0)
    own = tmp_path / "tree" / OWN
    for minor, modules in ((6, "older"), (8, "older"), (9, "modules"), (14, "modules")):
        found = os.path.realpath(own / f"lib/python3.{minor}/site-packages")
        assert found == str(own / __version__ / modules / "site-packages")
    (own / "bin/python3").unlink()
    (own / "bin/python3").symlink_to(os.path.realpath(sys.executable))
    home = os.path.dirname(os.path.realpath(sys.executable))
    (own / "pyvenv.cfg").write_text(f"home = {home}\n")
    code = "import sys, textfile_users, utmp; print(sys.prefix, textfile_users.__file__)"
    argv = [str(own / "bin/python3"), "-I", "-c", code]
    said = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    assert said[0] == str(own)
    assert said[1].startswith(f"{own}/lib/python3.")
    unit = (tmp_path / "tree/usr/lib/systemd/system" / places.SERVICE).read_text()
    assert places.PREFIX not in unit
    assert f"ExecStart={places.PACKAGE}/bin/python3 -I" in unit


@pytest.fixture(scope="module")
def packages(pyz: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not os.path.exists(NFPM):
        pytest.skip("left out: nfpm, which script/package installs")
    directory = tmp_path_factory.mktemp("dist")
    script = str(PROJECT / "script/package.py")
    argv = [sys.executable, "-I", script, NFPM, str(pyz), str(directory)]
    subprocess.run([*argv, "deb", "rpm", "apk"], check=True)
    return directory


def _names(data: bytes) -> dict[str, str]:
    """Return files and links of a tar archive, or of several in a row: where links lead to."""
    with tarfile.open(fileobj=BytesIO(data), ignore_zeros=True) as archive:
        members = [member for member in archive if not member.isdir()]
    return {member.name.lstrip("./"): member.linkname for member in members}


def _deb(path: Path) -> dict[str, bytes]:
    """Return the members of a deb, which is an ar archive, see ar(5)."""
    data, at = path.read_bytes(), 8
    found: dict[str, bytes] = {}
    while at < len(data):
        name, size = data[at : at + 16].decode().strip(" /"), int(data[at + 48 : at + 58])
        found[name] = data[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
    return found


def _cpio(data: bytes) -> dict[str, str]:
    """Return files and links of a cpio archive in the form newc, as rpm has it."""
    at = 0
    found: dict[str, str] = {}
    while True:
        fields = [int(data[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        mode, size, length = fields[1], fields[6], fields[11]
        name = data[at + 110 : at + 109 + length].decode()
        begin = (at + 110 + length + 3) & ~3
        if name == "TRAILER!!!":
            return found
        is_link = mode & 0o170000 == 0o120000
        if mode & 0o170000 != 0o040000:
            text = data[begin : begin + size].decode() if is_link else ""
            found[name.lstrip("./")] = text
        at = (begin + size + 3) & ~3


def test_all_formats_hold_the_same(maker: ModuleType, packages: Path, pyz: Path) -> None:
    (deb,), (rpm,), (apk,) = (list(packages.glob(f"*.{kind}")) for kind in ("deb", "rpm", "apk"))
    files = maker.tree(str(pyz), 0.0)
    wanted = {name: "" for name in files if not name.startswith("deb/")} | maker.links()
    debians = {name[4:]: "" for name in files if name.startswith("deb/")}
    assert _names(_deb(deb)["data.tar.gz"]) == wanted | debians
    data = rpm.read_bytes()
    assert _cpio(gzip.decompress(data[data.rindex(b"\x1f\x8b\x08") :])) == wanted
    scripts = {".PKGINFO", ".post-install", ".post-upgrade", ".pre-deinstall", ".post-deinstall"}
    found = _names(gzip.decompress(apk.read_bytes()))
    assert set(found) == {name.lstrip(".") for name in scripts} | set(wanted)


def test_what_the_deb_says(packages: Path) -> None:
    (deb,) = packages.glob("*.deb")
    data = _deb(deb)["control.tar.gz"]
    with tarfile.open(fileobj=BytesIO(data)) as archive:
        found = {
            member.name.lstrip("./"): (archive.extractfile(member) or BytesIO()).read().decode()
            for member in archive
        }
    assert found["conffiles"] == "/etc/default/textfile-users\n"
    assert "Depends: python3 (>= 3.6)\n" in found["control"]
    assert "Recommends: prometheus-node-exporter\n" in found["control"]
    assert found["triggers"] == "interest-noawait /usr/bin/prometheus-node-exporter\n"
    assert f"/usr/lib/textfile-users/{__version__} " in found["prerm"]
