"""Rules and dashboard, where targets carry the labels that people give them, without honor_labels.

A target's label replaces one of the same name that the metrics have. A real Prometheus scrapes
pages that are written here, in which all happens that an alert tells of.
"""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.prometheus import Prometheus, serving
from tests.e2e.test_dashboard import ALL, interpolate
from tests.test_dashboard import EVENTS, SHOWN, legends, shown_fields
from textfile_users.metrics.slices import FAMILIES as SLICES
from textfile_users.metrics.users import FAMILIES

pytestmark = pytest.mark.e2e

RULES = Path(__file__).parents[2] / "prometheus"
METRICS = (Path(__file__).parents[2] / "docs/metrics.md.in").read_text()
# `instance` is set too: see Prometheus.
NAMES = ("service", "host", "env", "name", "role", "ip", "group", "type", "target", "network",
         "namespace", "pod")  # fmt: skip
LABELS = {name: f"target-{name}" for name in NAMES}
WINDOW = 20  # seconds, in place of the rules' ten minutes and half an hour
PATIENCE = 60  # seconds
BOOK = "https://wiki.example.org/alerts"
NINE_HOURS = 9 * 3600

# {n} is 0 at first, then 30: of refusals, and of all else that is counted. What stands after EVENT
# is there from then on.
EVENT = "then "
INFO = (
    'users_session_info{{{{session="{}",user="{}",tty="{}",session_type="ssh",program="sshd",'
    'remote_host="{}",remote_ip="{}",remote_network="{}",key=""}}}} 1'
)
SESSIONS = (
    INFO.format("1", "bob", "pts/1", "", "192.0.2.1", "office"),
    EVENT + INFO.format("2", "alice", "", "a.example.org", "203.0.113.7", ""),
    INFO.format("3", "alice", "pts/2", "", "192.0.2.3", "office"),
)
BUSY = (
    "\n".join(SESSIONS)
    + """
users_logged_in 3
users_sessions{{user="alice",session_type="ssh"}} 2
users_sessions{{user="bob",session_type="ssh"}} 1
users_sessions_closing 0
users_session_start_timestamp_seconds{{session="1",user="bob"}} {old}
then users_session_start_timestamp_seconds{{session="2",user="alice"}} {event}
users_session_last_activity_timestamp_seconds{{session="1",user="bob"}} {old}
users_session_cpu_seconds{{session="1",user="bob"}} 3
users_session_processes{{session="1",user="bob"}} 2
users_session_command_info{{session="1",user="bob",command="vi"}} 1
users_logins_total{{user="alice",session_type="ssh"}} {n}
users_session_duration_seconds_bucket{{session_type="ssh",le="60"}} {n}
users_session_duration_seconds_bucket{{session_type="ssh",le="+Inf"}} {n}
users_session_duration_seconds_sum{{session_type="ssh"}} {n}
users_session_duration_seconds_count{{session_type="ssh"}} {n}
users_reboots_total{{kind="clean"}} {n}
users_reboots_total{{kind="crash"}} 0
users_last_login_timestamp_seconds{{user="alice"}} {old}
then users_last_login_timestamp_seconds{{user="root"}} {event}
users_auth_successes_total{{program="sshd",method="password",user="alice"}} {n}
users_auth_failures_total{{program="sshd",method="password",user="alice"}} {n}
users_auth_failures_total{{program="sshd",method="password",user=""}} {n}
users_auth_probes_total{{program="sshd",kind="closed"}} {n}
users_auth_failures_last_hour{{remote_ip="203.0.113.7",remote_network=""}} {n}
users_auth_failures_last_hour{{remote_ip="192.0.2.9",remote_network="office"}} 3
users_escalations_total{{program="sudo",user="bob",target_user="root"}} {n}
users_escalation_failures_total{{program="su",user="bob",target_user="alice"}} {n}
users_auth_log_lines_total{{source="authlog",result="unmatched"}} {n}
users_auth_log_lines_total{{source="authlog",result="untrusted"}} {n}
users_remote_connections{{protocol="ssh"}} 3
users_cpu_seconds_total{{user="alice"}} {n}
users_memory_resident_bytes{{user="alice"}} 1024
users_processes{{user="alice"}} 4
users_account_info{{user="alice",uid="1000",primary_group="staff",real_name="Alice"}} 1
then users_slice_memory_bytes{{user="alice"}} 1024
users_slice_memory_limit_bytes{{user="alice",kind="high"}} 1030
users_slice_memory_limit_bytes{{user="alice",kind="max"}} 2048
users_slice_oom_kills_total{{user="alice"}} {n}
users_slice_cpu_limit_cores{{user="alice"}} 2
users_slice_throttled_seconds_total{{user="alice"}} {n}000
users_slice_tasks{{user="alice"}} 4
users_slice_tasks_limit{{user="alice"}} 100
users_slice_io_bytes_total{{user="alice",direction="read"}} {n}
users_slice_pressure_seconds_total{{user="alice",resource="cpu",kind="some"}} {n}
users_slice_pressure_seconds_total{{user="alice",resource="memory",kind="some"}} {n}
users_source_available{{source="utmp"}} 1
users_records_unusable{{source="utmp",reason="stale"}} 1
users_records_skipped_total{{source="authlog",reason="too-long"}} {n}
users_series_dropped{{family=""}} 0
users_networks 2
users_collector_success{{collector="auth"}} {ok}
users_collector_duration_seconds{{collector="auth"}} 0.1
users_run_timestamp_seconds {now}
users_build_info{{version="1.0.0",python="3.11"}} 1
node_textfile_scrape_error 0
node_textfile_mtime_seconds{{file="/t/users.prom"}} {now}
node_memory_MemTotal_bytes 1500
"""
)
# A host whose file goes away, and one whose file is old.
GONE = "then \nusers_run_timestamp_seconds {now}\nnode_textfile_scrape_error 0\n"
STALE = """
users_sessions{{user="alice",session_type="ssh"}} 1
users_run_timestamp_seconds {old}
users_build_info{{version="1.0.0",python="3.11"}} 1
"""


class Hosts:
    """The pages of three hosts, before and after it all happens."""

    def __init__(self) -> None:
        """Begin with nothing done."""
        self.event = 0.0

    def page(self, path: str) -> str:
        """Return a host's page now."""
        if path == "/gone" and self.event:
            return "node_textfile_scrape_error 0\n"
        template = {"/busy": BUSY, "/gone": GONE, "/stale": STALE}[path]
        lines = [line for line in template.splitlines() if self.event or EVENT not in line]
        now = time.time()
        return "\n".join(lines).replace(EVENT, "").format(
            now=now,
            old=now - NINE_HOURS,
            event=self.event,
            n=30 if self.event else 0,
            ok=0 if self.event else 1,
        ) + "\n"  # fmt: skip


def targets(address: str) -> list[str]:
    """Return Prometheus' targets."""
    return [f"{address}/{name}" for name in ("busy", "gone", "stale")]


def rules(directory: Path) -> list[Path]:
    """Return the rules without their patience, of a place where nobody should ever log in."""
    text = re.sub(r"^ +for: .*\n", "", (RULES / "alerts.yml").read_text(), flags=re.MULTILINE)
    text = re.sub(r"(offset |\[)(10|30)m", rf"\g<1>{WINDOW}s", text)
    for setting, value in (("office_opens_hour", "24"), ("failures_before_success", "10")):
        text, found = re.subn(rf"(name: {setting}}}\n +expr: ).*", rf"\g<1>{value}", text)
        assert found == 1
    assert text.count("url: docs/alerts.md") == 1
    alerts = directory / "alerts.yml"
    alerts.write_text(text.replace("url: docs/alerts.md", f"url: {BOOK}"))
    return [alerts, RULES / "recording.yml"]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that knows how it was before, and has seen what happened."""
    directory = tmp_path_factory.mktemp("labels")
    hosts = Hosts()
    with serving(hosts.page) as address, Prometheus(
        directory / "prometheus", targets(address), rules(directory), labels=LABELS
    ) as running:  # fmt: skip
        running.wait(f"users_auth_probes_total offset {WINDOW}s", WINDOW + PATIENCE)
        names = {alert["labels"]["alertname"] for alert in running.alerts()}
        assert names <= {"UsersFileStale", "UsersIdleSession"}, "nothing has happened yet"
        hosts.event = time.time()
        yield running


def alert_names() -> list[str]:
    return re.findall(r"- alert: (\w+)", (RULES / "alerts.yml").read_text())


def test_every_alert_fires_and_names_what_is_ours(prometheus: Prometheus) -> None:
    end = time.monotonic() + WINDOW - 2
    while True:
        alerts: dict[str, dict[str, Any]] = {
            alert["labels"]["alertname"]: alert
            for alert in prometheus.alerts()
            if alert["state"] == "firing"
        }
        missing = set(alert_names()) - set(alerts)
        if not missing or time.monotonic() > end:
            break
        time.sleep(0.5)
    assert missing == set()
    told = {name: alert["annotations"] for name, alert in alerts.items()}
    assert "target-" not in json.dumps(told)
    assert "error expanding" not in json.dumps(told)
    for name, words in told.items():
        assert words["runbook_url"] == f"{BOOK}#{name.lower()}"
    assert "from 203.0.113.7, which" in told["UsersLoginFromUnexpectedNetwork"]["description"]
    assert told["UsersFailedLoginsFromAddress"]["summary"].startswith("203.0.113.7 was refused 30")
    assert "led to a session from 203.0.113.7." in told["UsersSuccessAfterFailures"]["description"]
    assert "Session 1 (ssh, pts/1) of bob" in told["UsersIdleSession"]["description"]
    assert "refused bob to become alice, 30 times" in told["UsersEscalationRefused"]["description"]
    # What a target has by itself stays with its alerts.
    assert LABELS.items() <= alerts["UsersEscalationRefused"]["labels"].items()


def test_no_label_is_replaced(prometheus: Prometheus) -> None:
    """Prometheus calls what it has replaced exported_NAME."""
    with urllib.request.urlopen(f"{prometheus.url}/api/v1/labels", timeout=30) as response:
        labels = json.load(response)["data"]
    assert set(NAMES) < set(labels)
    assert [name for name in labels if name.startswith("exported_")] == []


def test_every_sum_has_data(prometheus: Prometheus) -> None:
    for name in re.findall(r"record: (\S+)", (RULES / "recording.yml").read_text()):
        found = prometheus.wait(name, PATIENCE)
        assert "target-" not in json.dumps([one["metric"] for one in found]), name


def test_every_query_of_the_dashboard_returns_what_is_ours(prometheus: Prometheus) -> None:
    """And has the labels that columns and legends are made of: of one that nothing has Grafana
    shows nothing.
    """
    shown = [(panel, panel["targets"]) for panel in SHOWN]
    for panel, targets in (*shown, ({"type": "event", "targets": []}, EVENTS)):
        labels: set[str] = set()
        for target in targets:
            expr = interpolate(target, ALL)
            found = prometheus.query(expr)
            assert found, expr
            assert "target-" not in json.dumps([one["metric"] for one in found]), expr
            labels = labels.union(*(one["metric"] for one in found))
        asked = legends(panel)
        if panel["type"] == "table":
            asked |= {field for field in shown_fields(panel) if not field.startswith("Value")}
        assert asked <= labels, panel["title"]


def test_relabelling_leaves_personal_data_out(tmp_path: Path) -> None:
    """As docs/metrics.md has it; each session is still there."""
    entries = re.findall(r"^ +- \{source_labels: \[__name__\], (.*)\}$", METRICS, re.MULTILINE)
    relabelling = [
        {"source_labels": ["__name__"], **dict(word.split(": ") for word in entry.split(", "))}
        for entry in entries
    ]
    for entry in relabelling:
        entry.update({"replacement": ""} if "replacement" in entry else {})
    assert len(relabelling) == 3
    hosts = Hosts()
    hosts.event = time.time()
    with serving(hosts.page) as address, Prometheus(
        tmp_path, targets(address)[:1], [], relabelling=relabelling
    ) as prometheus:  # fmt: skip
        prometheus.wait("users_build_info", PATIENCE)
        found = [one["metric"] for one in prometheus.query('{__name__=~"users_.*"}')]
    assert sum(one["__name__"] == "users_session_info" for one in found) == len(SESSIONS)
    for value in ("203.0.113.7", "192.0.2.", "a.example.org", "Alice", "vi"):
        assert f'"{value}' not in json.dumps(found)


def test_the_pages_are_as_the_program_writes_them() -> None:
    """Names and labels."""
    written: dict[str, set[str]] = {}
    for line in BUSY.replace(EVENT, "").splitlines():
        name = re.sub(r"_(bucket|sum|count)$", "", line.partition("{")[0].split(" ")[0])
        if name.startswith("users_"):
            labels = set(re.findall(r'(\w+)="', line)) - {"le"}
            assert written.setdefault(name, labels) == labels
    families = {**FAMILIES, **SLICES}
    assert written == {name: set(labels) for name, (_, labels) in families.items()}
