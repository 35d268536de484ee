"""node_exporter and promtool take what we write, always whole."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.e2e.debian import program
from tests.e2e.parts import NodeExporter, free_port, run
from tests.hosts import NOW, busy_host
from textfile_users.cli import main
from textfile_users.paths import Paths
from textfile_users.setup.node_exporter import find_blind

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


def test_a_link_is_followed_and_its_time_too(
    each_node_exporter: NodeExporter, tmp_path: Path
) -> None:
    """As install puts it into the textfile directory, which is node_exporter's or others'."""
    served = each_node_exporter.directory
    (tmp_path / "public").mkdir()
    output = tmp_path / "public/users.prom"
    (served / "users.prom").symlink_to("../public/users.prom")
    assert each_node_exporter.scrape()["node_textfile_scrape_error"] == 1, "it leads nowhere"
    time_of = f'node_textfile_mtime_seconds{{file="{served}/users.prom"}}'
    output.touch()  # as boot does
    samples = each_node_exporter.scrape()
    assert samples["node_textfile_scrape_error"] == 0
    assert samples[time_of] > 0
    assert not [name for name in samples if name.startswith("users_")]
    assert output.stat().st_size == 0
    state = str(tmp_path / "state")
    argv = ["--root", busy_host(str(tmp_path / "host"), 1).root, "--output", str(output),
            "--state-directory", state, "--runtime-directory", state]  # fmt: skip
    assert main([*argv, "--now", str(NOW)]) == 0
    os.utime(output, (NOW, NOW))
    samples = each_node_exporter.scrape()
    assert samples["users_run_timestamp_seconds"] == NOW
    assert samples[time_of] == int(NOW)
    assert samples["node_textfile_scrape_error"] == 0


# As its manual has it: the host below /host, and all of it told by that name.
CONTAINER = """mount --make-rprivate /
cd {root}; mkdir host usr; mount --rbind / host; mount --bind /usr usr
for name in bin lib lib64; do [ ! -e /$name ] || cp -d /$name .; done
[ -e .{program} ] || {{ mkdir -p .{parts}; mount --bind {parts} .{parts}; }}
exec chroot . {program} --path.rootfs=/host --collector.disable-defaults \\
    --collector.textfile --collector.textfile.directory=/host{served} \\
    --web.listen-address=127.0.0.1:{port}
"""


@pytest.mark.parametrize("suite", ["own", "sid"])
def test_a_relative_link_leads_on_in_a_container(tmp_path: Path, suite: str) -> None:
    for name in ("textfile", "public", "root"):
        (tmp_path / name).mkdir()
    served, port = tmp_path / "textfile", free_port()
    (tmp_path / "public/users.prom").write_text("users_logged_in 3\n")
    (served / "users.prom").symlink_to("../public/users.prom")
    (served / "absolute.prom").symlink_to(tmp_path / "public/users.prom")
    name = os.path.realpath(shutil.which(program("prometheus-node-exporter", suite)) or "")
    script = CONTAINER.format(root=tmp_path / "root", program=name, served=served, port=port,
                              parts=os.path.dirname(os.path.dirname(name)))  # fmt: skip
    argv = ["unshare", "--mount", "sh", "-ec", script]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        exporter = NodeExporter(served, f"http://127.0.0.1:{port}/metrics")
        try:
            samples = until_scraped(exporter)
            assert samples["users_logged_in"] == 3
            assert samples["node_textfile_scrape_error"] == 1, "for the absolute link"
            (served / "absolute.prom").unlink()
            assert exporter.scrape()["node_textfile_scrape_error"] == 0
            assert process.pid not in find_blind(Paths(), str(served))
        finally:
            process.kill()


def until_scraped(exporter: NodeExporter) -> dict[str, float]:
    for _ in range(100):
        try:
            return exporter.scrape()
        except OSError:
            time.sleep(0.1)
    raise AssertionError("node_exporter does not start")


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
