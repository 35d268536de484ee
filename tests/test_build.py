"""The one file that script/build makes: it runs, says the same, and unpacks to what pip makes."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.hosts import busy_host
from textfile_users.setup.unpack import find_python, running_archive, unpack

PROJECT = Path(__file__).parents[1]
PACK = PROJECT / "script" / "pyz.py"
PYTHON = f"python3.{sys.version_info[1]}"
LARGE = 2e10  # printed by prometheus_client's own function


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("build") / "textfile-users.pyz"
    build(path)
    return path


def build(path: Path, **environment: str) -> None:
    argv = [sys.executable, "-I", str(PACK), str(path)]
    subprocess.run(argv, check=True, cwd=path.parent, env={**os.environ, **environment})


def collect(directory: Path, program: list[str]) -> str:
    """Return what the program makes of a host; what it says fails the test."""
    host = busy_host(str(directory / "host"), 3)
    state = str(directory / f"state-{len(os.listdir(directory))}")
    argv = [*program, "--root", host.root, "--now", str(LARGE), "--output", "-"]
    argv += ["--state-directory", state, "--runtime-directory", state, "--timeout", "60"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=directory)
    assert (done.returncode, done.stderr) == (0, "")
    assert 'users_sessions{session_type="ssh",user="user0"} 3.0' in done.stdout
    return done.stdout


def installed(directory: Path) -> str:
    return collect(directory, [sys.executable, "-m", "textfile_users"])


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-m` finds this tree, `-I` does not."""
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))


def test_it_says_what_the_installed_program_says(archive: Path, tmp_path: Path) -> None:
    assert collect(tmp_path, [sys.executable, "-I", str(archive)]) == installed(tmp_path)


def test_it_can_be_executed(archive: Path, tmp_path: Path) -> None:
    done = subprocess.run([str(archive), "--version"], capture_output=True, check=True, text=True)
    assert done.stdout.startswith("textfile-users ")


@pytest.mark.parametrize("command", ["show", "nobody", "records", "doctor", "install", "uninstall"])
def test_each_command_is_in_it(archive: Path, command: str) -> None:
    argv = [sys.executable, "-I", str(archive), command, "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert f"usage: textfile-users {command}" in done.stdout


def test_two_builds_are_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    """Wherever, whenever and in whatever environment they are made."""
    other = tmp_path / "other.pyz"
    build(other, TZ="Asia/Tokyo", PYTHONHASHSEED="7", LC_ALL="C", HOME="/nonexistent")
    assert other.read_bytes() == archive.read_bytes()


@pytest.mark.parametrize(
    ("epoch", "date"),
    [("1700000000", (2023, 11, 14, 22, 13, 20)), ("0", (1980, 1, 1, 0, 0, 0))],
)
def test_stamps_are_those_asked_for(tmp_path: Path, epoch: str, date: tuple[int, ...]) -> None:
    path = tmp_path / "stamped.pyz"
    build(path, SOURCE_DATE_EPOCH=epoch)
    with zipfile.ZipFile(path) as file:
        assert {entry.date_time for entry in file.infolist()} == {date}


def rewritten(archive: Path, path: Path, ending: str, change: dict[bytes, bytes]) -> list[str]:
    """Write the archive with something else at the beginning of such files; return a command."""
    ((old, new),) = change.items()
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith(ending) and name != "__main__.py":
                assert data.startswith(old)
                data = new + data[len(old) :]
            target.writestr(name, data)
    return [sys.executable, "-I", str(path)]


def test_what_runs_are_the_compiled_modules(archive: Path, tmp_path: Path) -> None:
    """Sources that cannot be compiled change nothing."""
    broken = rewritten(archive, tmp_path / "broken.pyz", ".py", {b"": b"?"})
    assert collect(tmp_path, broken) == installed(tmp_path)


def test_another_python_runs_the_sources(archive: Path, tmp_path: Path) -> None:
    """It finds modules compiled by this one, as this one does those of another."""
    magic = {importlib.util.MAGIC_NUMBER: b"\x00\x00\r\n"}
    other = rewritten(archive, tmp_path / "other.pyz", ".pyc", magic)
    assert collect(tmp_path, other) == installed(tmp_path)


def test_it_holds_what_install_needs_and_licences(archive: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        names = set(file.namelist())
    for name in ("systemd-timer/textfile-users.service", "cron/textfile-users.crontab"):
        assert f"share/textfile-users/{name}" in names
    assert "share/man/man1/textfile-users.1" in names
    assert "LICENSE" in names
    for package in ("prometheus_client", "utmp"):
        assert [name for name in names if re.match(rf"{package}-.*/(licenses/)?LICENSE", name)]
    assert not [name for name in names if name.endswith(("RECORD", "direct_url.json"))]


# What __main__ may be made of: Python 2.7 knows all of it.
OLD_SYNTAX = (
    ast.Module, ast.Expr, ast.Constant, ast.Import, ast.ImportFrom, ast.alias, ast.If, ast.Compare,
    ast.Attribute, ast.Name, ast.Load, ast.Lt, ast.Tuple, ast.Call, ast.BinOp, ast.Mod,
    ast.Subscript, ast.Slice,
)  # fmt: skip


def test_a_python_that_is_too_old_is_told_so(archive: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        source = file.read("__main__.py")
    assert source.isascii()
    tree = ast.parse(source, feature_version=(3, 4))
    assert not [node for node in ast.walk(tree) if not isinstance(node, OLD_SYNTAX)]
    first = [node for node in tree.body if isinstance(node, (ast.If, ast.ImportFrom))]
    assert isinstance(first[0], ast.If), "nothing else is imported before the check"
    code = (
        f"import sys; sys.version_info = (3, 5, 3); import runpy; runpy.run_path({str(archive)!r})"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        "textfile-users: this is Python 3.5, and 3.6 or later is needed (see docs/deploy.md)\n"
    )


def test_unpacked_it_is_the_installed_program(archive: Path, tmp_path: Path) -> None:
    """The unit's command runs it; its modules are compiled, by the Python that runs them."""
    prefix = tmp_path / "opt"
    unpack(str(archive), "/", str(prefix))
    run = "from textfile_users.__main__ import run; run()"
    expected = installed(tmp_path)
    assert collect(tmp_path, [f"{prefix}/bin/python3", "-I", "-c", run]) == expected
    assert collect(tmp_path, [f"{prefix}/bin/textfile-users"]) == expected
    modules = prefix / "lib" / PYTHON / "site-packages"
    sources = set(modules.rglob("*.py"))
    assert {Path(importlib.util.cache_from_source(str(path))) for path in sources} == set(
        modules.rglob("*.pyc")
    )
    assert (prefix / "share/textfile-users/systemd-timer/textfile-users.timer").exists()
    code = "import sys, textfile_users; print(sys.prefix, textfile_users.__file__)"
    done = subprocess.run(
        [f"{prefix}/bin/python3", "-I", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(prefix), str(modules / "textfile_users/__init__.py")]


def test_unpacking_again_replaces_all(archive: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "opt"
    for _ in range(2):
        unpack(str(archive), "/", str(prefix))
        assert os.listdir(tmp_path) == ["opt"]
        leftover = prefix / "lib" / PYTHON / "site-packages" / "textfile_users" / "gone.py"
        assert not leftover.exists()
        leftover.touch()


@pytest.mark.parametrize("name", ["opt.old", "opt.new"])
def test_what_lies_beside_it_is_left_alone(archive: Path, tmp_path: Path, name: str) -> None:
    """As an administrator's copy of the old one."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "pyvenv.cfg").touch()
    for _ in range(2):
        unpack(str(archive), "/", str(tmp_path / "opt"))
    assert sorted(os.listdir(tmp_path)) == ["opt", name]
    assert os.listdir(tmp_path / name) == ["pyvenv.cfg"]


def test_what_is_no_environment_is_left_alone(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt" / "precious").touch()
    with pytest.raises(ValueError, match="no environment of Python's"):
        unpack(str(archive), "/", str(tmp_path / "opt"))
    assert os.listdir(tmp_path / "opt") == ["precious"]


def test_a_failure_leaves_the_old_one(archive: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "opt"
    unpack(str(archive), "/", str(prefix))
    cut = tmp_path / "cut.pyz"
    cut.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(zipfile.BadZipFile):
        unpack(str(cut), "/", str(prefix))
    assert (prefix / "bin/textfile-users").exists()
    assert sorted(os.listdir(tmp_path)) == ["cut.pyz", "opt"]


@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_everybody_may_read_and_nobody_else_write(
    archive: Path, tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        unpack(str(archive), "/", str(tmp_path / "opt"))
    finally:
        os.umask(before)
    for path in (tmp_path / "opt").rglob("*"):
        mode = path.lstat().st_mode & 0o777
        assert path.is_symlink() or mode == (0o755 if mode & 0o100 else 0o644), path


def image(directory: Path, target: str, where: str = "usr/bin") -> Path:
    (directory / where).mkdir(parents=True)
    os.symlink(target, directory / where / "python3")
    (directory / "opt").mkdir()
    return directory


@pytest.mark.parametrize(
    ("target", "python"),
    [
        ("python3.9", "/usr/bin/python3.9"),
        ("./python3.13", "/usr/bin/python3.13"),
        ("/usr/bin/python3.12", "/usr/bin/python3.12"),
        ("python3.14", "/usr/local/bin/python3.14"),
        ("python3.6", "/usr/bin/python3.6"),
    ],
)
def test_the_python_of_an_image(archive: Path, tmp_path: Path, target: str, python: str) -> None:
    """It need not run here: its version is in its name."""
    root = image(tmp_path, target, os.path.dirname(python)[1:])
    unpack(str(archive), str(root), "/opt/textfile-users")
    assert os.readlink(root / "opt/textfile-users/bin/python3") == python
    modules = root / "opt/textfile-users/lib" / os.path.basename(python) / "site-packages"
    assert (modules / "textfile_users/__main__.py").exists()
    assert (modules / "older_names.py").exists() == python.endswith(".6")
    is_ours = os.path.basename(python) == PYTHON
    assert bool(list(modules.rglob("*.pyc"))) == is_ours


def test_an_image_whose_links_lead_out(archive: Path, tmp_path: Path) -> None:
    root = image(tmp_path / "image", "python3.11")
    (root / "opt").rmdir()
    os.symlink(tmp_path, root / "opt")
    with pytest.raises(OSError, match="leads out of the root"):
        unpack(str(archive), str(root), "/opt/textfile-users")
    assert os.listdir(tmp_path) == ["image"]


def test_the_python_that_alternatives_choose(tmp_path: Path) -> None:
    """RHEL 8 has its python3 by two links, where it is installed."""
    root = image(tmp_path, "/etc/alternatives/python3")
    (root / "etc/alternatives").mkdir(parents=True)
    os.symlink("/usr/bin/python3.6", root / "etc/alternatives/python3")
    assert find_python(str(root)) == ("/usr/bin/python3.6", "3.6")


def test_the_python_of_the_platform(tmp_path: Path) -> None:
    """RHEL 8 has it also where python3 is not installed."""
    root = image(tmp_path, "platform-python3.6", "usr/libexec")
    os.rename(root / "usr/libexec/python3", root / "usr/libexec/platform-python")
    expected = "/usr/libexec/platform-python3.6"
    assert find_python(str(root)) == (expected, "3.6")


def test_links_in_a_circle_lead_to_no_python(tmp_path: Path) -> None:
    root = image(tmp_path, "/etc/python3")
    (root / "etc").mkdir()
    os.symlink("/usr/bin/python3", root / "etc/python3")
    with pytest.raises(ValueError, match="no python3"):
        find_python(str(root))


@pytest.mark.parametrize("target", ["python3.5", "python2.7", "pypy3"])
def test_an_image_without_a_python_for_it(tmp_path: Path, target: str) -> None:
    with pytest.raises(ValueError, match=r"no python3 of version 3\.6"):
        find_python(str(image(tmp_path, target)))


def test_which_file_runs(archive: Path) -> None:
    assert running_archive() == ""
    code = f"import sys; sys.path.insert(0, {str(archive)!r})\n"
    code += "from textfile_users.setup import unpack\n"
    code += "print(unpack.running_archive())"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{archive}\n"
