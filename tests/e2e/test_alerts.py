"""Alerts fire in a real Prometheus that scrapes a real node_exporter, after real events."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.parts import PASSWORD, SUDOERS, Box, NodeExporter
from tests.e2e.prometheus import Prometheus

pytestmark = pytest.mark.e2e

RULES = Path(__file__).parents[2] / "prometheus/alerts.yml"
WINDOW = 30  # seconds, in place of the rules' ten minutes
PATIENCE = 20  # seconds until what was done must be told
WRONG = "wrong horse"
TRIES = 6  # of a connection
CONNECTIONS = 4


@pytest.fixture
def prometheus(node_exporter: NodeExporter, tmp_path: Path) -> Iterator[Prometheus]:
    """A Prometheus with the alerts, but without their patience."""
    rules = tmp_path / "alerts.yml"
    text = re.sub(r"^ +for: .*\n", "", RULES.read_text(), flags=re.MULTILINE)
    rules.write_text(text.replace("10m]", f"{WINDOW}s]").replace("offset 10m", f"offset {WINDOW}s"))
    target = node_exporter.url.split("/")[2]
    with Prometheus(tmp_path / "prometheus", [target], [rules]) as running:
        yield running


def firing(prometheus: Prometheus) -> dict[str, dict[str, Any]]:
    """Return the alerts that fire, by name."""
    alerts = [alert for alert in prometheus.alerts() if alert["state"] == "firing"]
    return {alert["labels"]["alertname"]: alert for alert in alerts}


def wait_for(name: str, prometheus: Prometheus, look: Callable[[], object]) -> dict[str, Any]:
    """Look again and again until an alert fires, and return it."""
    end = time.monotonic() + PATIENCE
    while name not in firing(prometheus):
        assert time.monotonic() < end, f"{name} does not fire: {prometheus.alerts()}"
        look()
        time.sleep(0.2)
    return firing(prometheus)[name]


def test_a_burst_over_loopback(
    box: Box, node_exporter: NodeExporter, prometheus: Prometheus
) -> None:
    """Refused passwords, then the right one; and sudo refuses a user who was never seen."""
    output = str(node_exporter.directory / "users.prom")
    box.forget()
    (box.root / "etc/sudoers").write_text(SUDOERS)

    def look() -> None:
        assert box.collect(output) == (0, "")

    def log_in(password: str, tries: int) -> None:
        options = [
            "-o",
            "PreferredAuthentications=password",
            "-o",
            f"NumberOfPasswordPrompts={tries}",
        ]
        client = box.ssh(port, *options, "true", user="tu-alice", password=password)
        client.communicate(timeout=PATIENCE)

    with box.rsyslogd("RSYSLOG_FileFormat", reduce=False):
        port = box.sshd("UsePAM=yes", f"MaxAuthTries={TRIES}")
        box.run_as("tu-alice", "sudo", "true")  # so that there is a log
        look()
        prometheus.wait(f"users_auth_probes_total offset {WINDOW}s", WINDOW + PATIENCE)
        look()
        assert firing(prometheus) == {}
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            list(pool.map(lambda _: log_in(WRONG, TRIES), range(CONNECTIONS)))
        alert = wait_for("UsersFailedLoginsFromAddress", prometheus, look)
        assert alert["labels"]["remote_ip"] == "127.0.0.1"
        refused = f"{CONNECTIONS * TRIES} times"
        assert refused in alert["annotations"]["summary"]
        alert = wait_for("UsersFailedLoginsOfUser", prometheus, look)
        assert alert["labels"]["user"] == "tu-alice"
        assert "127.0.0.1" in alert["annotations"]["description"]
        assert "UsersSuccessAfterFailures" not in firing(prometheus)
        log_in(PASSWORD, 1)
        alert = wait_for("UsersSuccessAfterFailures", prometheus, look)
        assert alert["labels"]["severity"] == "critical"
        assert "UsersEscalationRefused" not in firing(prometheus)
        assert box.run_as("tu-carol", "sudo", "-S", "true", password=PASSWORD)
        alert = wait_for("UsersEscalationRefused", prometheus, look)
        assert alert["labels"]["user"] == "tu-carol"
    assert "UsersRootLogin" not in firing(prometheus)


def test_faults_of_the_program(
    box: Box, node_exporter: NodeExporter, prometheus: Prometheus
) -> None:
    """A file that is old, of a user without rights, broken, gone."""
    path = node_exporter.directory / "users.prom"
    box.forget()

    def nothing() -> None:
        """Wait for the next scrape."""

    def gone(name: str) -> None:
        prometheus.wait(f'vector(1) unless on () ALERTS{{alertname="{name}"}}', PATIENCE)

    assert box.collect(str(path)) == (0, "")
    prometheus.wait("users_build_info", PATIENCE)
    assert firing(prometheus) == {}
    assert box.collect(str(path), "--now", str(int(time.time()) - 600)) == (0, "")
    alert = wait_for("UsersFileStale", prometheus, nothing)
    assert "10m" in alert["annotations"]["description"]
    assert box.collect(str(path)) == (0, "")
    gone("UsersFileStale")

    path.unlink()
    alert = wait_for("UsersFileMissing", prometheus, nothing)
    assert "the file is gone" in alert["annotations"]["description"]
    assert box.collect(str(path)) == (0, "")
    gone("UsersFileMissing")
    broken = path.with_name("users.broken")  # at once: a scrape between would find it empty
    broken.write_text(path.read_text() + "half a line")
    broken.rename(path)
    alert = wait_for("UsersFileMissing", prometheus, nothing)
    assert "cannot read or parse" in alert["annotations"]["description"]

    of_bob = box.directory / "of-bob/users.prom"  # who may not reach node_exporter's here
    of_bob.parent.mkdir()
    of_bob.parent.chmod(0o777)
    with box.rsyslogd("RSYSLOG_FileFormat", reduce=False):
        box.run_as("tu-alice", "sudo", "true")
        status, said = box.collect(str(of_bob), user="tu-bob")
        assert status == 0
        assert "auth.log" in said
    shutil.copy(of_bob, path)
    failing = 'ALERTS{alertname="UsersCollectorFailing",collector="auth",alertstate="firing"}'
    prometheus.wait(failing, PATIENCE)
    gone("UsersFileMissing")
