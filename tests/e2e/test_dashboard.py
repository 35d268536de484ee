"""Each query of the dashboard, on a real Prometheus that scrapes real node_exporters.

What they serve the program wrote in the box, with a real sshd, rsyslogd, sudo and su.
"""

from __future__ import annotations

import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.parts import PASSWORD, SUDOERS, Box, NodeExporter, samples, serving
from tests.e2e.prometheus import JOB, Prometheus
from tests.e2e.test_auth import ONLY_NONE, ONLY_PASSWORD, WRONG, as_user, login, wait_until
from tests.test_dashboard import EVENTS, SHOWN, VARIABLES, legends, shown_fields

pytestmark = pytest.mark.e2e

PATIENCE = 20  # seconds
LAG = 600  # seconds that the second host's only look is old, and the third's ahead
COMMAND = "exec sleep 300"
# As Grafana has them for the last hour: four times a range query's least step, which the data
# source's 15 s would be without one; to outlast a slow machine.
RATE_STEPS = 4
RANGE = "3600s"
RULES = Path(__file__).parents[2] / "prometheus/recording.yml"
ELSEWHERE = re.compile("ALERTS|users_slice_")  # what test_target_labels asks for
ALL = {"job": ".*", "instance": ".*", "user": ".*"}
STEPS = (
    login(*ONLY_PASSWORD, password=PASSWORD),
    login(*ONLY_PASSWORD, password=WRONG, tries=3),
    login(*ONLY_PASSWORD, user="tu-nobody", password=WRONG),
    login(*ONLY_NONE),
    as_user("tu-alice", "sudo", "true"),
    as_user("tu-alice", "su", "tu-bob", "-c", "true", password=WRONG),
)
# The last of what the steps do is counted, and then counted again.
REFUSED = 'users_escalation_failures_total{program="su"}'
COUNTED = f"{REFUSED} >= 1"
GROWN = f"{REFUSED} >= 2"


class Fleet:
    """Three hosts, and what scrapes them: the second stopped long ago.

    The third's clock is fast, and nobody is on it.
    """

    def __init__(self, first: str, stale: str, quiet: str, prometheus: Prometheus) -> None:
        """`first`, `stale` and `quiet` are their addresses, which are the label `instance`."""
        self.first = first
        self.stale = stale
        self.quiet = quiet
        self.prometheus = prometheus

    def ask(
        self, title: str, ref: str = "A", chosen: dict[str, str] = ALL, row: str = ""
    ) -> list[tuple[dict[str, str], float]]:
        """Return what a panel's query gives: labels and value each."""
        (panel,) = [one for one in SHOWN if one["title"] == title and row in one["description"]]
        (target,) = [one for one in panel["targets"] if one["refId"] == ref]
        found = self.prometheus.query(interpolate(target, chosen))
        return [(one["metric"], float(one["value"][1])) for one in found]

    def only(self, title: str, row: str = "") -> float:
        """Return the one number that a panel gives."""
        ((_, value),) = self.ask(title, row=row)
        return value


def interpolate(target: dict[str, Any], chosen: dict[str, str]) -> str:
    """Return a query's expression with values for the variables, as Grafana puts them in."""
    step = target.get("interval", "15s")
    rate_interval = f"{RATE_STEPS * int(step[:-1])}{step[-1]}"
    values = {"__rate_interval": rate_interval, "__range": RANGE, **chosen}
    return re.sub(r"\$(\w+)", lambda match: values[match[1]], target["expr"])


def picked(*values: str) -> str:
    """Return what Grafana makes of values that were picked from a variable's list."""
    escaped = [re.sub(r"[$^*{}\[\]'+?.()|]", r"\\\\\g<0>", value) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def address(exporter: NodeExporter) -> str:
    return urllib.parse.urlsplit(exporter.url).netloc


def look(box: Box, exporter: NodeExporter, *argv: str) -> dict[str, float]:
    """Have the program scan once, and return what it wrote."""
    output = exporter.directory / "users.prom"
    assert box.collect(str(output), "--session-command", *argv) == (0, "")
    return samples(output.read_text())


@pytest.fixture(scope="module")
def fleet(box: Box, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Do one of each, with a session left open, between scans that are scraped every second."""
    directory = tmp_path_factory.mktemp("dashboard")
    (box.root / "etc/sudoers").write_text(SUDOERS)
    box.run("rm", "-rf", f"{box.state}-root")
    with ExitStack() as running:
        hosts = [running.enter_context(serving(directory / f"host{one}")) for one in range(4)]
        first, stale, quiet, broken = hosts
        (broken.directory / "users.prom").write_text("users_logged_in{ 1\n")
        running.enter_context(box.rsyslogd("RSYSLOG_FileFormat", reduce=False))
        port = box.sshd("UsePAM=yes")
        look(box, first)
        prometheus = running.enter_context(
            Prometheus(directory / "prometheus", [address(one) for one in hosts], [RULES])
        )
        prometheus.wait("users_auth_failures_total", PATIENCE)
        act_all(box, port)
        client = box.ssh(port, "-tt", COMMAND)
        running.callback(client.communicate)
        running.callback(client.kill)
        wait_until(lambda: any("sleep 300" in name for name in look(box, first)))
        now = int(time.time())
        look(box, stale, "--now", str(now - LAG), *state_in(directory / "stale"))
        fast = ("--now", str(now + LAG), *state_in(directory / "quiet"))
        look(box, quiet, "--exclude-user", "*", *fast)
        prometheus.wait(f"users_session_command_info{{instance='{address(stale)}'}}", PATIENCE)
        wait_until(lambda: bool(look(box, first) and prometheus.query(COUNTED)))
        act_all(box, port)  # once more: what is new has no increase
        wait_until(lambda: bool(look(box, first) and prometheus.query(GROWN)))
        yield Fleet(address(first), address(stale), address(quiet), prometheus)


def state_in(directory: Path) -> tuple[str, ...]:
    return ("--state-directory", str(directory), "--runtime-directory", str(directory))


def act_all(box: Box, port: int) -> None:
    for act in STEPS:
        act(box, port)


def choices(fleet: Fleet) -> dict[str, dict[str, str]]:
    """Return what may be chosen: all, one host's one user, and several."""
    return {
        "all": ALL,
        "one": {
            "job": picked(JOB),
            "instance": picked(fleet.first),
            "user": picked("tu-alice"),
        },
        "several": {
            "job": picked(JOB, "other"),
            "instance": picked(fleet.first, fleet.stale),
            "user": picked("tu-alice", "root"),
        },
    }


@pytest.mark.parametrize("choice", ["all", "one", "several"])
def test_every_query_returns_data(fleet: Fleet, choice: str) -> None:
    """But for alerts and slices, of which there are none here: test_target_labels has them all."""
    chosen = choices(fleet)[choice]
    empty = [
        f"{panel['title']} {target['refId']}: {expr}"
        for panel in SHOWN
        for target in panel["targets"]
        for expr in [interpolate(target, chosen)]
        if not fleet.prometheus.query(expr) and not ELSEWHERE.search(expr)
    ]
    assert empty == []
    for event in EVENTS:
        fleet.prometheus.query(interpolate(event, chosen))  # no host was booted


@pytest.mark.parametrize("user", [".*", "mallory"])
def test_nobody_is_zero(fleet: Fleet, user: str) -> None:
    """A host with nobody on, and a user of whom it has nothing: no number reads "no log"."""
    chosen = {"job": picked(JOB), "instance": picked(fleet.quiet), "user": user}
    missing = {
        panel["title"]
        for panel in SHOWN
        if panel["type"] == "stat"
        for target in panel["targets"]
        if not fleet.prometheus.query(interpolate(target, chosen))
    }
    assert missing == {"Longest idle", "Session length"}


def test_legends_and_columns_are_labels_of_what_is_returned(fleet: Fleet) -> None:
    """Of a label that nothing has Grafana shows nothing."""
    # Nobody named the network, the host that alice came from, or alice.
    unknown = {"remote_network", "remote_host", "real_name"}
    for panel in SHOWN:
        if ELSEWHERE.search(panel["targets"][0]["expr"]):
            continue  # test_target_labels has them
        labels: set[str] = set()
        for target in panel["targets"]:
            for one in fleet.prometheus.query(interpolate(target, ALL)):
                labels |= set(one["metric"])
        asked = legends(panel)
        if panel["type"] == "table":
            asked |= {field for field in shown_fields(panel) if not field.startswith("Value")}
        assert asked - labels - unknown == set(), panel["title"]


def test_variables_offer_what_is_there(fleet: Fleet) -> None:
    """As Grafana asks for label_values()."""
    offered = {}
    for name, variable in VARIABLES.items():
        if variable["type"] == "datasource":
            continue
        found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
        assert found
        query = urllib.parse.urlencode({"match[]": interpolate({"expr": found[1]}, ALL)})
        url = f"{fleet.prometheus.url}/api/v1/label/{found[2]}/values?{query}"
        with urllib.request.urlopen(url, timeout=10) as response:
            offered[name] = set(json.load(response)["data"])
    assert offered["job"] == {JOB}
    assert offered["instance"] == {fleet.first, fleet.stale, fleet.quiet}
    assert {"tu-alice", "root"} <= offered["user"]
    assert "tu-nobody" not in offered["user"]


def test_who_is_on(fleet: Fleet) -> None:
    """The table's rows of one session have the same labels, so Grafana makes them one."""
    here = {**ALL, "instance": picked(fleet.first)}
    ((info, _),) = fleet.ask("Who is on", "A", here)
    assert (info["user"], info["session_type"], info["remote_ip"]) == (
        "tu-alice",
        "ssh",
        "127.0.0.1",
    )
    assert info["tty"].startswith("pts/")
    who = {name: info[name] for name in ("instance", "session", "user")}
    values = {}
    for ref in "BCDE":
        ((labels, values[ref]),) = fleet.ask("Who is on", ref, here)
        assert labels == who
    assert abs(values["B"] / 1000 - time.time()) < LAG, "in milliseconds"
    assert 0 <= values["C"] < LAG
    assert values["E"] >= 2  # sshd's and the command's
    ((labels, _),) = fleet.ask("Who is on", "F", here)
    assert labels == {**who, "command": "sleep 300"}
    ((_, idle),) = fleet.ask("Longest idle", "A", {**ALL, "instance": picked(fleet.stale)})
    assert idle < 0, "by the host's clock, when it looked"


def test_who_tried_and_failed(fleet: Fleet) -> None:
    here = {**ALL, "instance": picked(fleet.first)}
    ((where, count),) = fleet.ask("Addresses refused most", "A", here)
    assert where == {"instance": fleet.first, "remote_ip": "127.0.0.1"}
    assert count == 8  # su's has no address
    by_user = {labels["user"]: value for labels, value in fleet.ask("Refused attempts by user")}
    assert by_user["tu-alice"] > by_user["(no account)"] > 0
    assert by_user["root"] == 0
    assert fleet.only("Probes") > 0
    changes = {
        ref: [
            (labels["program"], labels["user"], labels["target_user"], value)
            for labels, value in fleet.ask("sudo, su, doas and pkexec", ref, here)
        ]
        for ref in "AC"
    }
    assert changes == {
        "A": [("sudo", "tu-alice", "root", 2)],
        "C": [("su", "tu-alice", "tu-bob", 2)],
    }


def test_the_fleet(fleet: Fleet) -> None:
    """One host reports; one has stopped, one's clock is fast, one's file cannot be read."""
    assert fleet.only("Hosts reporting") == 1
    assert fleet.only("Stale hosts") == 2
    assert fleet.only("Hosts without the file") == 1
    assert fleet.only("Hosts with a text file in error") == 1
    assert fleet.only("Users on", row="counts once") == 1
    assert fleet.only("Sessions", row="all hosts") == 2
    ages = fleet.ask("Hosts with the oldest scans")
    *off, (here, age) = ages
    assert {labels["instance"] for labels, _ in off} == {fleet.stale, fleet.quiet}
    assert all(value > LAG / 2 for _, value in off)
    assert here == {"instance": fleet.first}
    assert age < 120
    assert fleet.ask("Users on more than one host") == [({"user": "tu-alice"}, 2)]


def test_what_is_counted_once_has_grown(fleet: Fleet) -> None:
    """Each of these was done once at least in the time range."""
    for title in ("Logins per hour", "How long sessions lasted", "Credentials accepted per minute",
                  "Refused attempts", "For names without account", "Log lines per minute",
                  "Logins by user", "Session length"):  # fmt: skip
        assert max(value for _, value in fleet.ask(title)) > 0, title
    assert fleet.only("Lines of no known form") == 0
    assert fleet.only("Failing collectors") == 0
