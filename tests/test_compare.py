"""script/compare-exporters: an exporter is started, compared and ended."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[1]
# Serves a page at the port that it is given, in a child of its own.
EXPORTER = """#!/bin/sh
exec {python} -I -c '
import http.server, os, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(open("{page}", "rb").read())
    def log_message(self, *words): pass
open("{page}.pid", "w").write(str(os.getpid()))
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
' "$1"
"""


@pytest.fixture
def compare() -> dict[str, Any]:
    return runpy.run_path(str(PROJECT / "script/compare.py"))


@pytest.mark.parametrize(
    ("theirs", "ours", "expected", "why"),
    [
        ({"a": 1.0}, {"a": 1.0}, [], "the same"),
        ({"a": 100.0}, {"a": 104.0}, [], "it moves"),
        ({"a": 100.0}, {"a": 110.0}, [("a", "100", "110")], "it differs"),
        ({"a": 0.0}, {"a": 1.0}, [("a", "0", "1")], "none is not one"),
        ({"a": 1.0}, {}, [("a", "1", "-")], "ours lacks it"),
        ({}, {"a": 1.0}, [("a", "-", "1")], "theirs lacks it"),
    ],
)
def test_what_differs(
    compare: dict[str, Any],
    theirs: dict[str, float],
    ours: dict[str, float],
    expected: list[tuple[str, str, str]],
    why: str,
) -> None:
    assert compare["differing"](theirs, ours) == expected, why


def test_samples_of_a_page(compare: dict[str, Any]) -> None:
    """Labels in any order; what moves with each moment and the exporter's process are left out."""
    page = (
        'ssh_session_info{user="alice",idle="5.00s",what="vi"} 1\n'
        'what_up{version="2.0.0"} 1\nprocess_cpu_seconds_total 5\n'
    )
    expected = {'ssh_session_info{user="alice",what="vi"}': 1, 'what_up{version="2.0.0"}': 1}
    assert compare["samples"](page) == expected


def test_an_exporter_is_run_compared_and_ended(
    compare: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page"
    page.write_text("unix_users_logged_in_total 4711\n")
    exporter = tmp_path / "unix-user"
    exporter.write_text(EXPORTER.format(python=sys.executable, page=page))
    exporter.chmod(0o755)
    assert compare["main"](str(tmp_path)) == 0
    said = capsys.readouterr().out
    assert "## unix-user" in said
    assert "| unix_users_logged_in_total | 4711 | " in said
    pid = int((tmp_path / "page.pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_is_no_exporter_is_said(
    compare: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare["main"](str(tmp_path)) == 2
    assert "no executable of what" in capsys.readouterr().err
    broken = tmp_path / "ssh"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    assert compare["main"](str(tmp_path)) == 1
    assert "nothing is served there" in capsys.readouterr().err
