"""What the caller's environment holds reaches neither the tests nor the programs they start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
SHOW = "import json, os, sys, tests.conftest; json.dump(dict(os.environ), sys.stdout)"
GONE = [
    "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED",  # how Python runs
    "PIP_REQUIRE_VIRTUALENV", "PIP_TARGET", "PIP_NO_BINARY",  # what pip makes
    "LC_ALL", "LANGUAGE", "COLUMNS", "NO_COLOR",  # how things are shown
    "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "TMPDIR",  # an ordinary user's login
    "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "TEXTFILE_DIRECTORY", "JOURNAL_STREAM",  # a unit
]  # fmt: skip
STAY = ["PIP_INDEX_URL", "PIP_CERT", "https_proxy", "SSL_CERT_FILE"]  # the way to a registry


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """What a caller's environment becomes."""
    given = {
        **dict.fromkeys((*GONE, *STAY), "0"),
        "LANG": "C",
        "TZ": "Asia/Tokyo",
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(
        [sys.executable, "-c", SHOW], env={**os.environ, **given}, cwd=PROJECT,
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", GONE)
def test_what_is_set_for_the_caller_is_not_for_the_tests(
    environment: dict[str, str], name: str
) -> None:
    assert name not in environment


@pytest.mark.parametrize("name", STAY)
def test_the_way_to_a_registry_stays(environment: dict[str, str], name: str) -> None:
    assert environment[name] == "0"


def test_the_rest_is_the_same_everywhere(environment: dict[str, str]) -> None:
    assert (environment["LANG"], environment["TZ"]) == ("C.UTF-8", "UTC")
    assert "/usr/sbin" in environment["PATH"].split(":"), "an ordinary user's has none"


@pytest.mark.parametrize(("name", "then"), [(".ci/run", "script/test"), ("script/common", "")])
def test_what_is_set_for_python_reaches_nothing(tmp_path: Path, name: str, then: str) -> None:
    """Neither pytest nor lint nor pip; PYTHON=FILE, which is ours, stays, and so does pip's way."""
    text, stub = (PROJECT / name).read_text(), "env\nexit\n"
    files = {name: text, then: f"#!/bin/sh\n{stub}"} if then else {name: f"#!/bin/sh\n{text}{stub}"}
    for path, text in files.items():
        copy = tmp_path / path
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(text)
        copy.chmod(0o755)
    given = dict.fromkeys(("PYTHONUNBUFFERED", "PYTHONPATH", "PYTHON", "PIP_INDEX_URL"), "x")
    done = subprocess.run(
        [str(tmp_path / name)], env={**os.environ, **given}, stdout=subprocess.PIPE, text=True,
        check=True,
    )  # fmt: skip
    left = {line for line in done.stdout.splitlines() if line.startswith(("PYTHON", "PIP_INDEX"))}
    assert left == {"PYTHON=x", "PIP_INDEX_URL=x"}
