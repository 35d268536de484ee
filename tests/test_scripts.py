"""The scripts say what they are, and what is wrong; nothing in the caller's directory runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without anything that a script has made."""
    checkout = tmp_path / "checkout"
    for name in ("script", "textfile_users"):
        shutil.copytree(PROJECT / name, checkout / name, ignore=shutil.ignore_patterns("__py*"))
    for name in ("setup.cfg", "pyproject.toml"):
        shutil.copy(PROJECT / name, checkout)
    return checkout


@pytest.mark.parametrize(
    ("argv", "status", "out", "err"),
    [
        ("run --help", 0, "Scans once at this host, writes ./users.prom", ""),
        ("run -h", 0, "Scans once at this host, writes ./users.prom", ""),
        ("run --root / --help", 0, "Scans once at this host, writes ./users.prom", ""),
        ("run --version", 0, "textfile-users ", ""),
        (
            "run --ouptut x",
            2,
            "",
            "textfile-users: '--ouptut' is no option; did you mean",
        ),
        ("run --output", 2, "", "textfile-users: argument --output: expected one argument"),
        ("run show", 2, "", "run: takes options alone, no command: then run .venv/bin/textfile"),
        ("build --help", 0, "Makes dist/textfile-users.pyz, or the file that is given", ""),
        ("build --nope", 2, "", "build: --nope is no option; see "),
        ("build one two", 2, "", "build: one FILE at most; see "),
        ("package --help", 0, "Makes dist/*.deb, *.rpm and *.apk of one description", ""),
        ("package zip", 2, "", "package: zip is no format; see "),
    ],
)
def test_words(checkout: Path, argv: str, status: int, out: str, err: str) -> None:
    name, *words = argv.split()
    before = sorted(checkout.rglob("*"))
    done = subprocess.run(
        [checkout / "script" / name, *words],
        cwd=checkout,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert done.stdout.startswith(out)
    assert err in done.stderr
    assert bool(done.stdout) == bool(out)
    assert bool(done.stderr) == bool(err)
    assert sorted(checkout.rglob("*")) == before


# What Python, pip and a shell would take from a directory or the environment.
MODULES = ("venv", "ensurepip", "site", "shlex", "textfile_users", "usercustomize", "pip", "runpy")
PROGRAMS = ("dirname", "env", "sed", "python3", "id", "mktemp", "rm", "grep", "cat")


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A directory in which everybody has put modules and programs that leave a mark."""
    shared = tmp_path / "shared"
    mark = f"open({str(tmp_path / 'ran')!r}, 'a').write(__name__)\n"
    for name in MODULES:
        (shared / name).mkdir(parents=True)
        (shared / name / "__init__.py").write_text(mark)
        (shared / name / "__main__.py").write_text(mark)
    for name in PROGRAMS:
        (shared / name).write_text(f"#!/bin/sh\necho $0 >>{tmp_path}/ran\n")
        (shared / name).chmod(0o755)
    (shared / "pip.conf").write_text("[global]\nno-such = 1\n")
    (shared / "setup.cfg").write_text(f"[install]\nprefix = {tmp_path}/ran\n")
    return shared


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        ("run", "makes an environment and looks"),
        ("build out.pyz", "makes another one"),
        ("install --dry-run --textfile-directory /nonexistent", "finds a fault, as root would"),
        ("install --help", "asks Python for its options"),
    ],
)
def test_nothing_in_the_callers_directory_runs(
    checkout: Path, shared: Path, argv: str, why: str
) -> None:
    name, *words = argv.split()
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    done = subprocess.run(
        ["/bin/sh", f"../checkout/script/{name}", *words],
        cwd=shared,
        env={
            "PATH": f".::{os.environ['PATH']}:",
            "PYTHON": python,
            "PYTHONPATH": str(shared),
            "CDPATH": str(shared),
            "PIP_NO_INDEX": "1",  # it gets as far as pip, which finds nothing
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert not (checkout.parent / "ran").exists(), why
    assert "Traceback" not in done.stderr
    assert name == "install" or "setuptools" in done.stderr, "pip was asked"


@pytest.mark.parametrize("name", ["common", "install", "run", "build", "package", "test"])
def test_each_python_is_isolated(name: str) -> None:
    """What is called with -c or -m, but for pytest, which is to find the tests in the project."""
    text = (PROJECT / "script" / name).read_text().replace("-m pytest", "")
    calls = re.findall(r"python3?\"? (?:-I )?(?:-B )?-[cm] .*", text)
    assert calls or name in ("build", "package")
    assert [call for call in calls if " -I " not in call] == []


def test_paths_are_the_callers(checkout: Path, tmp_path: Path) -> None:
    """PYTHON, pip's files and the file to write are found from the directory of the call."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to(sys.executable)
    script = f"caller=x; . {checkout}/script/common; whole out.pyz; echo; env; echo $python"
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "PYTHON": "bin/python",
            "PIP_FIND_LINKS": "wheels https://example.org/wheels /srv/wheels",
            "PIP_CONSTRAINT": "pins.txt",
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert lines[0] == f"{tmp_path}/out.pyz"
    assert lines[-1] == f"{tmp_path}/bin/python"
    assert f"PIP_FIND_LINKS={tmp_path}/wheels https://example.org/wheels /srv/wheels" in lines
    assert f"PIP_CONSTRAINT={tmp_path}/pins.txt" in lines
