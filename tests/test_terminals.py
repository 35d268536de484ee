"""Terminals by name, device numbers, and command lines: only what is one is taken for one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import Host
from textfile_users.paths import Paths
from textfile_users.processes.procfs import MAX_BYTES, read_command_lines
from textfile_users.sessions.activity import (
    Terminal,
    decode_device,
    stat_terminals,
    terminal_name,
)


@pytest.mark.parametrize(
    ("tty_nr", "device", "name", "why"),
    [
        (34816, (136, 0), "pts/0", "the first pseudo terminal"),
        (34819, (136, 3), "pts/3", "another"),
        (1083647, (136, 511), "pts/511", "bits 20 to 31 are the minor's upper ones"),
        (-2147448832, (136, 0x80000), "pts/524288", "the kernel prints a signed number"),
        (1025, (4, 1), "", "tty1 is no pseudo terminal"),
        (1088, (4, 64), "", "a serial line"),
        (0, (0, 0), "", "none"),
    ],
)
def test_device_numbers(tty_nr: int, device: tuple[int, int], name: str, why: str) -> None:
    assert (decode_device(tty_nr), terminal_name(tty_nr)) == (device, name), why


@given(st.integers(0, (1 << 12) - 1), st.integers(0, (1 << 20) - 1))
def test_device_numbers_are_those_of_stat(major: int, minor: int) -> None:
    """glibc's 32-bit encoding is the kernel's."""
    number = os.makedev(major, minor)
    signed = number - (1 << 32) if number >> 31 else number
    assert decode_device(number) == decode_device(signed) == (major, minor)


def test_a_real_terminal() -> None:
    master, slave = os.openpty()
    try:
        name = os.ttyname(slave).replace("/dev/", "", 1)
        os.utime(os.ttyname(slave), (1_765_000_000.5, 1_765_000_900))
        status = os.fstat(slave)
        device = os.major(status.st_rdev), os.minor(status.st_rdev)
        assert stat_terminals(Paths(), [name, "pts/ptmx/x"]) == {
            name: Terminal(device, 1_765_000_000.5)
        }
        assert f"pts/{device[1]}" == name
    finally:
        os.close(master)
        os.close(slave)
    assert stat_terminals(Paths(), [name]) == {}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "none"),
        ("pts", "a directory"),
        ("pts/", "a directory"),
        ("vnc:1", "a display"),
        ("../dev/null", "leads out of /dev"),
        ("./null", "not as anybody writes it"),
        ("/null", "an absolute path"),
        ("fd", "a link"),
        ("n\0ull", "no file can be called so"),
        ("\udc80", "nor so"),
        ("x" * 9999, "longer than a name can be"),
    ],
)
def test_what_is_no_terminal(name: str, why: str) -> None:
    assert stat_terminals(Paths(), [name, "null"]).keys() == {"null"}, why


def _regular(path: Path) -> None:
    path.write_bytes(b"")


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.symlink_to("/dev/null")


@pytest.mark.parametrize("make", [_regular, _fifo, _link, Path.mkdir])
def test_what_somebody_put_below_another_root_is_no_terminal(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    (tmp_path / "dev/pts").mkdir(parents=True)
    make(tmp_path / "dev/pts/0")
    assert stat_terminals(Paths(str(tmp_path)), ["pts/0"]) == {}


@pytest.mark.parametrize("name", ["dev", "dev/pts"])
def test_directories_do_not_lead_out_of_another_root(tmp_path: Path, name: str) -> None:
    path = tmp_path / "root" / name
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev")
    wanted = "null" if name == "dev" else "pts/null"
    assert stat_terminals(Paths(f"{tmp_path}/root"), [wanted]) == {}


def test_command_lines(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    host.process(1000, "cat", title="cat\0file")
    host.process(1001, "kthreadd")
    host.process(1002, "long", title="x" * (MAX_BYTES + 1))
    host.process(1003, "fifo")
    os.unlink(host.path("proc/1003/cmdline"))
    os.mkfifo(host.path("proc/1003/cmdline"))
    host.process(1004, "link")
    os.unlink(host.path("proc/1004/cmdline"))
    os.symlink(host.write("secret", b"secret"), host.path("proc/1004/cmdline"))
    host.write("proc/1005/cmdline/directory", b"")
    assert read_command_lines(Paths(host.root), range(1000, 1007)) == {
        1000: b"cat\0file\0\0\0",
        1001: b"",
        1002: b"x" * MAX_BYTES,
        1003: b"",
    }


def test_our_own_command_line() -> None:
    assert b"pytest" in read_command_lines(Paths(), [os.getpid()])[os.getpid()]


def test_a_proc_that_leads_out_of_the_root_has_none(tmp_path: Path) -> None:
    (tmp_path / "proc").symlink_to("/proc")
    assert read_command_lines(Paths(str(tmp_path)), [os.getpid()]) == {}
