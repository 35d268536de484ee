"""Who runs the service and where its state is, as root's files name it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from textfile_users.paths import SERVICE_UNIT
from textfile_users.setup import service
from textfile_users.setup.service import Service, find_service, parse_crontab, parse_unit

PROJECT = Path(__file__).parents[1]
OWN = Service("textfile-users", "/var/lib/textfile-users", "/run/textfile-users/private")
BUSYBOX = OWN._replace(runtime="/var/lib/textfile-users")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[Service]\nUser=textfile-users\n", OWN),
        # No User= is root's, as systemd has it; so is one set back by a drop-in.
        ("[Service]\nExecStart=/bin/true\n", OWN._replace(user="root")),
        ("[Service]\nUser=one\n[Service]\nUser=\n", OWN._replace(user="root")),
        ("[Service]\nUser=one\n[Service]\nUser = two \n", OWN._replace(user="two")),
        ("[Service]\nUser=one\n#User=two\n;User=three\n", OWN._replace(user="one")),
        ("[Unit]\nUser=one\n[Service]\n", OWN._replace(user="root")),
        ("[Service]\nUser=1234\n", OWN._replace(user="1234")),
        (
            "[Service]\nUser=one\nStateDirectory=own/state:other\nRuntimeDirectory=a b\n",
            Service("one", "/var/lib/own/state", "/run/a"),
        ),
        # Not worked out: the service's usual place is safer than a guess.
        ("[Service]\nUser=one\nStateDirectory=%N\n", OWN._replace(user="one")),
        ("[Service]\nUser=one\nStateDirectory=../../etc\n", OWN._replace(user="one")),
        ("", OWN._replace(user="root")),
    ],
)
def test_what_a_unit_says(text: str, found: Service) -> None:
    assert parse_unit(text.split("\n")) == found


def test_our_own_unit() -> None:
    text = (PROJECT / "systemd-timer/textfile-users.service").read_text()
    assert parse_unit(text.split("\n")) == OWN


@pytest.mark.parametrize(
    ("name", "user", "found"),
    [("textfile-users", "", OWN), ("textfile-users.crontab", "textfile-users", BUSYBOX)],
)
def test_our_own_crontabs(name: str, user: str, found: Service) -> None:
    assert parse_crontab((PROJECT / "cron" / name).read_bytes(), user) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", None),
        ("# * * * * * one textfile_users\n", None),
        ("* * * * * one true\n", None),
        ("@reboot root install -d /run/textfile-users\n", None),
        ("* * * * * textfile-users true\n", None),
        ("* * * * * one textfile-users\n", BUSYBOX._replace(user="one")),
        ("*/5 * * * * one textfile-users -v\n", BUSYBOX._replace(user="one")),
        ("0 * * * * root /usr/bin/textfile-users -v\n", BUSYBOX._replace(user="root")),
        (
            "STATE_DIRECTORY=/srv/state\n* * * * * one /opt/x -c textfile_users\n",
            Service("one", "/srv/state", "/srv/state"),
        ),
    ],
)
def test_what_a_crontab_says(text: str, found: Service | None) -> None:
    assert parse_crontab(text.encode()) == found


class Places:
    """Directories in place of the host's."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.units = [directory / name for name in ("etc", "run", "lib")]
        self.cron = directory / "cron.d"
        for path in (*self.units, self.cron):
            path.mkdir(mode=0o755)
        monkeypatch.setattr(service, "UNIT_DIRECTORIES", tuple(map(str, self.units)))
        monkeypatch.setattr(service, "CRON_D", str(self.cron / "textfile-users"))
        monkeypatch.setattr(service, "CRONTABS", (str(self.cron / "theirs"),))
        real = os.path.isdir
        self.is_booted = True
        monkeypatch.setattr(
            os.path,
            "isdir",
            lambda path: self.is_booted if path == "/run/systemd/system" else real(path),
        )

    def unit(self, place: int, user: str) -> Path:
        path = self.units[place] / SERVICE_UNIT
        path.write_text(f"[Service]\nUser={user}\n")
        return path

    def drop_in(self, place: int, name: str, user: str) -> Path:
        above = self.units[place] / (SERVICE_UNIT + ".d")
        above.mkdir(exist_ok=True)
        (above / name).write_text(f"[Service]\nUser={user}\n")
        return above / name

    def crontab(self, user: str) -> Path:
        path = self.cron / "textfile-users"
        path.write_text(f"* * * * * {user} textfile-users --repeat 12\n")
        return path


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    if os.geteuid() != 0:
        pytest.skip("left out: files of root's need root")
    return Places(tmp_path, monkeypatch)


def user_found() -> str:
    found = find_service()
    return found.user if found else ""


def test_no_service(places: Places) -> None:
    assert find_service() is None


def test_systemd_s_order(places: Places) -> None:
    """/etc before /run before /usr/lib; of drop-ins the last name counts, the first place."""
    places.unit(2, "lib")
    assert user_found() == "lib"
    places.unit(0, "etc")
    assert user_found() == "etc"
    places.drop_in(2, "50.conf", "lib-drop-in")
    assert user_found() == "lib-drop-in"
    places.drop_in(0, "50.conf", "etc-drop-in")
    assert user_found() == "etc-drop-in"
    places.drop_in(1, "60.conf", "last")
    assert user_found() == "last"


def test_unit_or_crontab(places: Places) -> None:
    places.crontab("by-cron")
    assert user_found() == "by-cron"
    places.unit(0, "by-unit")
    assert user_found() == "by-unit"
    places.is_booted = False
    assert user_found() == "by-cron"


def test_only_root_s_files_name_a_user(places: Places) -> None:
    """Whoever else could write them would choose whom root becomes, or keep it root."""
    unit = places.unit(0, "one")
    assert user_found() == "one"
    for mode in (0o664, 0o646):
        unit.chmod(mode)
        assert find_service() is None
    unit.chmod(0o644)
    os.chown(unit, 1234, 0)
    assert find_service() is None
    os.chown(unit, 0, 0)
    os.chown(places.units[0], 1234, 0)  # its owner can replace it
    assert find_service() is None
    os.chown(places.units[0], 0, 0)
    unit.unlink()
    unit.symlink_to("/dev/null")  # masked
    assert find_service() is None
    crontab = places.crontab("one")
    crontab.chmod(0o666)
    assert find_service() is None
    drop_in = places.drop_in(0, "a.conf", "evil")
    drop_in.chmod(0o666)
    unit.unlink()
    places.unit(0, "one")
    assert user_found() == "one"
