"""docs/migration.md: panels made for other exporters, on a real Prometheus."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.parts import serving
from tests.e2e.prometheus import Prometheus
from tests.hosts import BOOT, Record, Run

pytestmark = pytest.mark.e2e

PAGE = (Path(__file__).parents[2] / "docs/migration.md").read_text()
SETS = "unix-user,ssh,user-sessions,ssh-sessions"
PATIENCE = 30  # seconds
# What their dashboards ask for.
PANELS = {
    'sum(ssh_num_sessions{remote_ip!="-", job="ssh"})': 2,
    'ssh_num_sessions{remote_ip="192.0.2.7", job="ssh"}': 1,
    'unix_users_logged_in_total{job="unix-users"}': 2,
    'unix_user_session_count{job="unix-users", username="alice"}': 2,
    'count(ssh_session_info{job="raspi-ssh-sessions"})': 2,
    'ssh_sessions_total{job="raspi-ssh-sessions"}': 2,
}


def relabelling() -> list[dict[str, Any]]:
    """Return the entries that the page gives."""
    entries = re.findall(r"^ +- \{source_labels: \[__name__\], (.*)\}$", PAGE, re.M)
    return [
        {"source_labels": ["__name__"], **dict(word.split(": ") for word in entry.split(", "))}
        for entry in entries
    ]


def test_panels_of_other_exporters_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(tmp_path, capsys)
    run.host.process(1000, "bash", uid=1000)
    run.host.process(1001, "bash", uid=1000)
    run.host.utmp(
        Record("alice", "pts/0", 1000, BOOT + 5_000, "192.0.2.7", "192.0.2.7"),
        Record("alice", "tty1", 1001, BOOT + 5_000),
    )
    for at in (0, 5):
        assert run("--metrics", SETS, at=at) == (0, "")
    cpus = "".join(f'node_cpu_seconds_total{{cpu="{n}",mode="idle"}} 1\n' for n in range(4))
    page = run.output.read_text() + "# TYPE node_cpu_seconds_total counter\n" + cpus
    entries = relabelling()
    assert len(entries) == 3
    with ExitStack() as stack:
        exporter = stack.enter_context(serving(tmp_path / "textfile"))
        (exporter.directory / "users.prom").write_text(page)
        target = exporter.url.removeprefix("http://").removesuffix("/metrics")
        prometheus = stack.enter_context(
            Prometheus(tmp_path / "prometheus", [target], [], relabelling=entries)
        )
        prometheus.wait("ssh_sessions_total", PATIENCE)
        for panel, expected in PANELS.items():
            assert prometheus.value(panel) == expected, panel
        (cores,) = re.findall(r"`(user_sessions_cpu_ratio \*[^`]*)`", PAGE.replace("\n  ", " "))
        (found,) = prometheus.query(cores)
        assert found["metric"]["username"] == "alice"
