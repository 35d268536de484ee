"""node_exporter and promtool take what we write, always whole."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path

import pytest

from tests.e2e.parts import NodeExporter, run
from tests.hosts import NOW, busy_host
from textfile_users.cli import main

pytestmark = pytest.mark.e2e

GOLDEN = sorted((Path(__file__).parents[1] / "fixtures").rglob("*.prom"))
# Names that other exporters chose.
ADVICE = (
    'ssh_sessions_total non-counter metrics should not have "_total" suffix',
    'unix_users_logged_in_total non-counter metrics should not have "_total" suffix',
    'unix_user_session_count non-histogram and non-summary metrics should not have "_count" suffix',
    'user_sessions_process_count non-histogram and non-summary metrics should not have "_count"'
    " suffix",
)
WRITES = 2_000
SESSIONS = 200


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_golden_files_are_served_and_linted(
    each_node_exporter: NodeExporter, path: Path, promtool: str
) -> None:
    shutil.copy(path, each_node_exporter.directory / "users.prom")
    samples = each_node_exporter.scrape()
    assert samples["node_textfile_scrape_error"] == 0
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    for line in lines:
        name, _, value = line.rpartition(" ")
        # node_exporter prints a histogram's bound last, and as Go does.
        name = re.sub(r'{le="(.*?)(?:\.0)?",(.*)}', r'{\2,le="\1"}', name)
        assert samples[name] == float(value)
    checked = run(promtool, "check", "metrics", input=path.read_text(), check=False)
    assert checked.stdout == ""
    assert [line for line in checked.stderr.splitlines() if line not in ADVICE] == []


def test_no_scrape_ever_sees_a_part(node_exporter: NodeExporter, tmp_path: Path) -> None:
    """2,000 writes while node_exporter is scraped in a tight loop."""
    host = busy_host(str(tmp_path / "host"), SESSIONS)
    output = str(node_exporter.directory / "users.prom")
    state = str(tmp_path / "state")
    argv = ["--root", host.root, "--output", output, "--timeout", "60", "--collectors", "sessions",
            "--state-directory", state, "--runtime-directory", state]  # fmt: skip
    assert main([*argv, "--now", str(NOW)]) == 0
    scrapes: list[tuple[float, float, int, float]] = []
    done = threading.Event()

    def scrape() -> None:
        while not done.is_set():
            samples = node_exporter.scrape()
            infos = sum(name.startswith("users_session_info{") for name in samples)
            scrapes.append(
                (
                    samples["node_textfile_scrape_error"],
                    samples["users_logged_in"],
                    infos,
                    samples["users_run_timestamp_seconds"],
                )
            )

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        for number in range(WRITES):
            assert main([*argv, "--now", str(NOW + number)]) == 0
    finally:
        done.set()
        thread.join()
    assert {found[:3] for found in scrapes} == {(0, SESSIONS / 10, SESSIONS)}
    assert len({found[3] for found in scrapes}) > 20, "the file changed between scrapes"
    assert [path.name for path in node_exporter.directory.iterdir()] == ["users.prom"]
