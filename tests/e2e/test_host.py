"""Rights, disks and units as the kernel and systemd have them."""

from __future__ import annotations

import pytest

from tests.e2e.parts import Box
from tests.hosts import SHIPPED

pytestmark = pytest.mark.e2e

UNITS = "/opt/textfile-users/share/textfile-users/systemd-timer"


def test_units_verify_where_the_program_is_installed(box: Box) -> None:
    done = box.run(
        "systemd-analyze", "verify", "--man=no",
        *(f"{UNITS}/textfile-users.{kind}" for kind in ("service", "timer", "path")),
    )  # fmt: skip
    assert "textfile-users" not in done.stderr + done.stdout


def test_what_we_ship_is_below_share(box: Box) -> None:
    found = box.run("find", "/opt/textfile-users/share/textfile-users", "-type", "f").stdout
    names = sorted(path.rpartition("/share/textfile-users/")[2] for path in found.split())
    assert names == list(SHIPPED)


def test_a_full_disk_leaves_the_old_file(box: Box) -> None:
    box.run("mkdir", "-p", "/home/full")
    box.run("mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", "/home/full")
    try:
        assert box.collect("/home/full/users.prom") == (0, "")
        before = box.run("cat", "/home/full/users.prom").stdout
        box.run("sh", "-c", "dd if=/dev/zero of=/home/full/ballast bs=4k count=99 2>&1 || true")
        status, said = box.collect("/home/full/users.prom")
        assert (status, said) == (
            1,
            "textfile-users: /home/full/users.prom: not written: no space left on device\n",
        )
        assert box.run("cat", "/home/full/users.prom").stdout == before
        assert box.run("ls", "-A", "/home/full").stdout.split() == ["ballast", "users.prom"]
    finally:
        box.run("umount", "/home/full")


def test_a_read_only_directory(box: Box) -> None:
    box.run("mkdir", "-p", "/home/ro")
    box.run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", "/home/ro")
    assert box.collect("/home/ro/users.prom") == (
        1,
        "textfile-users: /home/ro/users.prom: not written: read-only file system;"
        " if this is the service's file, see `textfile-users doctor`\n",
    )


def test_without_rights_each_fault_is_said_and_the_rest_works(box: Box) -> None:
    """An unprivileged user, a utmp for root alone, a logind that holds a session."""
    box.run("sh", "-c", "mkdir -p /run/systemd/sessions; printf "
            "'USER=tu-alice\\nCLASS=user\\nSERVICE=sshd\\nREMOTE_HOST=192.0.2.7\\n'"
            " >/run/systemd/sessions/5; chmod 600 /run/utmp; mkdir -m 777 /home/out")  # fmt: skip
    try:
        status, said = box.collect("/home/out/users.prom", user="nobody")
        denied = ["/run/utmp: permission denied", "/var/log/btmp: permission denied"]
        if (box.root / "var/log/auth.log").exists():
            denied.insert(1, "/var/log/auth.log: permission denied; see group adm")
        lines = [f"textfile-users: {line}\n" for line in denied]
        assert (status, said) == (0, "".join(lines))
        text = box.run("cat", "/home/out/users.prom").stdout
        assert 'users_sessions{session_type="ssh",user="tu-alice"} 1.0\n' in text
        assert 'users_collector_success{collector="sessions"} 0.0\n' in text
        status, said = box.collect("/opt/users.prom", user="nobody")
        assert status == 1
        assert "not written: permission denied; its directory must be writable" in said
    finally:
        box.run("sh", "-c", "rm -r /run/systemd/sessions; chmod 664 /run/utmp")
