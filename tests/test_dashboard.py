"""The dashboard is what its code makes, and what it asks for exists."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from textfile_users.counting import DURATION
from textfile_users.metrics import slices, users

PROJECT = Path(__file__).parents[1]
TEXT = (PROJECT / "dashboards" / "textfile-users.json").read_text()
DASHBOARD: dict[str, Any] = json.loads(TEXT)
PLACED: list[dict[str, Any]] = DASHBOARD["panels"]
PANELS = [one for panel in PLACED for one in (panel, *panel.get("panels", ()))]
SHOWN = [panel for panel in PANELS if panel["type"] != "row"]
EVENTS: list[dict[str, Any]] = DASHBOARD["annotations"]["list"]
VARIABLES = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24  # of Grafana's grid

# What node_exporter itself says of its text files.
NODE = {"node_textfile_scrape_error", "node_textfile_mtime_seconds"}
# What the recording rules make.
RECORDED = set(re.findall(r"record: (\S+)", (PROJECT / "prometheus/recording.yml").read_text()))
# What Prometheus itself says of alerts.
ALERTS = {"ALERTS", "ALERTS_FOR_STATE"}
HISTOGRAM = {f"{DURATION}{suffix}" for suffix in ("_bucket", "_sum", "_count")}
# Families that no panel shows, with the reason.
LEFT_OUT: dict[str, str] = {
    "users_networks": "a setting, which turns an alert on",
}
# Counters whose value itself is shown: the first escalation of a kind has no increase.
PLAIN_COUNTERS = {
    "sudo, su, doas and pkexec": {"users_escalations_total", "users_escalation_failures_total"}
}
# What Grafana's library does not know of a mark on the graphs.
OF_PROMETHEUS = {"step", "tagKeys", "titleFormat", "useValueForTime"}

FAMILIES = {**users.FAMILIES, **slices.FAMILIES}
NAME = re.compile(r"\b(?:\w+:)?(?:users|node)_\w+(?::\w+)?|\bALERTS\w*")
needs_library = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="grafana-foundation-sdk needs Python 3.11"
)


def titled(panel: dict[str, Any]) -> str:
    return f"{panel['id']} {panel['title']}"


def queries(panel: dict[str, Any]) -> list[str]:
    return [target["expr"] for target in panel["targets"]]


def other_queries() -> list[str]:
    """Return the queries of variables and of marks on the graphs."""
    found = [one["query"]["query"] for one in VARIABLES.values() if one["type"] == "query"]
    return found + [event["expr"] for event in EVENTS]


@needs_library
def test_the_committed_dashboard_is_what_the_code_makes() -> None:
    from dashboards.make import text

    assert text() == TEXT, "run: python -m dashboards.make"


@needs_library
def test_grafanas_own_types_read_it_without_loss() -> None:
    """What the library does not know of would be gone; of marks it does not know all."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    again = json.dumps(Dashboard.from_json(json.loads(TEXT)), cls=JSONEncoder)
    read = json.loads(again)
    for event, known in zip(EVENTS, read["annotations"]["list"]):
        assert {word: event[word] for word in event.keys() - OF_PROMETHEUS} == known
    read["annotations"]["list"] = EVENTS
    assert read == DASHBOARD


def test_it_is_of_grafana_10s_schema_and_of_no_one_installation() -> None:
    """No id of a database, no name of a data source."""
    assert "id" not in DASHBOARD
    assert DASHBOARD["uid"] == "textfile-users"
    assert DASHBOARD["schemaVersion"] == 38
    assert {one["type"] for one in VARIABLES.values()} == {"datasource", "query"}
    assert [event["datasource"] for event in EVENTS] == [DATASOURCE] * 2
    for panel in SHOWN:
        assert panel["datasource"] == DATASOURCE
        for target in panel["targets"]:
            assert target["datasource"] == DATASOURCE


def test_ids_are_unique() -> None:
    assert [panel["id"] for panel in PANELS] == list(range(1, len(PANELS) + 1))
    for panel in SHOWN:
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs) > 0


def test_panels_do_not_overlap_and_leave_no_holes() -> None:
    cells: Counter[tuple[int, int]] = Counter()
    for panel in PANELS:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                cells[x, y] += 1
    assert set(cells.values()) == {1}
    assert max(x for x, _ in cells) == WIDTH - 1
    assert len(cells) == WIDTH * (max(y for _, y in cells) + 1)


def test_each_row_has_panels_of_different_titles() -> None:
    rows: list[list[str]] = []
    for panel in PANELS:
        if panel["type"] == "row":
            rows.append([])
        else:
            rows[-1].append(panel["title"])
    for titles in rows:
        assert len(set(titles)) == len(titles) > 0


def test_rows_but_the_first_are_collapsed() -> None:
    """Grafana asks for what is in an open row only; panels of a collapsed one are its own."""
    first, *others = [panel for panel in PLACED if panel["type"] == "row"]
    assert not first["collapsed"]
    assert not first["panels"]
    assert all(row["collapsed"] and row["panels"] for row in others)
    assert PLACED[-len(others) :] == others


def test_it_opens_with_who_is_on() -> None:
    first, second, *_ = [panel for panel in PLACED if panel["type"] == "row"]
    assert first["title"].startswith("Who is on")
    assert second["gridPos"]["y"] > first["gridPos"]["y"]
    assert PLACED[0] == first


def test_rates_have_samples_at_a_scrape_every_two_minutes() -> None:
    """Grafana makes $__rate_interval at least four of the least step, else of 15 s."""
    for panel in SHOWN:
        for target in panel["targets"]:
            assert target.get("range", False) == (target.get("interval") == "1m"), panel["title"]
            assert target.get("range") or "$__rate_interval" not in target["expr"]


@needs_library
def test_no_query_of_a_panel_is_lost() -> None:
    from dashboards.panels import lines, stats

    asked = {f"users_{number}": "" for number in range(5)}
    for made in (lines, stats):
        targets = made("title", "why", asked).build().targets
        assert targets is not None
        assert [vars(target)["expr"] for target in targets] == list(asked)


@pytest.mark.parametrize("panel", SHOWN, ids=titled)
def test_each_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    """A title, a description, and a unit for each number."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    if panel["type"] == "table":
        numbers = {field for field in shown_fields(panel) if field.startswith("Value")}
        assert numbers, "a table without a number is sorted by nothing"
        assert {shown_fields(panel)[field] for field in numbers} <= {
            override["matcher"]["options"]
            for override in panel["fieldConfig"]["overrides"]
            if any(one["id"] == "unit" for one in override["properties"])
        }
        (order,) = panel["options"]["sortBy"]
        assert order["displayName"] in shown_fields(panel).values()
    elif panel["type"] == "heatmap":
        assert panel["options"]["yAxis"]["unit"]
    elif panel["type"] == "state-timeline":
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults.get("mappings") or defaults["unit"]
    else:
        assert panel["fieldConfig"]["defaults"]["unit"]


def legends(panel: dict[str, Any]) -> set[str]:
    """Return the labels that a panel names its lines or bars by."""
    texts = [target.get("legendFormat", "") for target in panel["targets"]]
    return set(re.findall(r"{{(\w+)}}", " ".join(texts)))


def shown_fields(panel: dict[str, Any]) -> dict[str, str]:
    """Return a table's columns: the field and its title."""
    (organize,) = [one for one in panel["transformations"] if one["id"] == "organize"]
    titles: dict[str, str] = organize["options"]["renameByName"]
    return titles


@pytest.mark.parametrize("panel", SHOWN, ids=titled)
def test_thresholds_rise(panel: dict[str, Any]) -> None:
    """From nothing: the lowest has no value."""
    defaults = panel["fieldConfig"]["defaults"]
    found = [defaults["thresholds"]] if "thresholds" in defaults else []
    for override in panel["fieldConfig"]["overrides"]:
        found += [one["value"] for one in override["properties"] if one["id"] == "thresholds"]
    for thresholds in found:
        lowest, *values = [step["value"] for step in thresholds["steps"]]
        assert lowest is None
        assert values == sorted(set(values))


def test_every_metric_exists() -> None:
    known = (set(FAMILIES) - {DURATION}) | HISTOGRAM | NODE | RECORDED | ALERTS
    asked = {name for panel in SHOWN for expr in queries(panel) for name in NAME.findall(expr)}
    asked |= {name for query in other_queries() for name in NAME.findall(query)}
    assert asked <= known


def test_every_family_is_shown_or_left_out_for_a_reason() -> None:
    asked = {name for panel in SHOWN for expr in queries(panel) for name in NAME.findall(expr)}
    shown = {DURATION if name in HISTOGRAM else name for name in asked}
    assert shown - NODE - RECORDED - ALERTS == set(FAMILIES) - set(LEFT_OUT)


def test_counters_are_shown_by_their_growth() -> None:
    """A counter's value says how long ago counting began; times 0 that it is there."""
    for panel in SHOWN:
        for expr in queries(panel):
            plain = re.sub(r"(?:rate|increase|0 \* sum)\((\w+)", "", expr)
            counters = {
                name for name in NAME.findall(plain) if name.endswith(("_total", "_bucket"))
            }
            assert counters <= PLAIN_COUNTERS.get(panel["title"], set())


def test_variables_are_known_and_used() -> None:
    """The hosts to choose from are those of the job, the users those of the hosts."""
    assert list(VARIABLES) == ["datasource", "job", "instance", "user"]
    asked = re.findall(r"\$\{?(\w+)", TEXT)
    used = {name for name in asked if not name.startswith("__")}  # Grafana's own
    assert used == set(VARIABLES)
    for panel in SHOWN:
        for expr in queries(panel):
            assert expr.count("{job=~") == len(NAME.findall(expr)), "a metric without its job"
    for event in EVENTS:
        assert '{job=~"$job", instance=~"$instance"' in event["expr"]


def test_the_page_on_the_dashboard_tells_of_each_row() -> None:
    page = (PROJECT / "docs" / "dashboard.md").read_text()
    for panel in PANELS:
        if panel["type"] == "row":
            assert f"**{panel['title'].partition(':')[0]}**" in page
