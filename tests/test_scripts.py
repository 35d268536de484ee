"""The scripts say what they are, and what is wrong with their words, and touch nothing then."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without anything that a script has made."""
    for name in ("script", "textfile_users"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__py*"))
    return tmp_path


@pytest.mark.parametrize(
    ("argv", "status", "out", "err"),
    [
        ("run --help", 0, "Looks once at this host, writes ./users.prom", ""),
        ("run -h", 0, "Looks once at this host, writes ./users.prom", ""),
        ("run --root / --help", 0, "Looks once at this host, writes ./users.prom", ""),
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
