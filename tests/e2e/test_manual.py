"""The manual page, as groff, mandoc and man see it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.parts import run

PAGE = str(Path(__file__).parents[2] / "docs" / "textfile-users.1")


@pytest.mark.parametrize(
    "argv",
    [
        ("mandoc", "-T", "lint", "-W", "style", PAGE),
        ("groff", "-man", "-ww", "-z", "-K", "utf8", PAGE),
    ],
)
def test_nothing_is_wrong_with_it(argv: tuple[str, ...]) -> None:
    done = run(*argv)
    assert (done.stdout, done.stderr) == ("", "")


def test_it_is_printed() -> None:
    done = run("mandoc", "-T", "utf8", PAGE, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert done.stdout.startswith("TEXTFILE-USERS(1)")
    assert "network; may be repeated" in done.stdout
