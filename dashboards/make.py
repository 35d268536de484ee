"""Makes the Grafana dashboard: `python -m dashboards.make` writes textfile-users.json beside it.

Needs grafana-foundation-sdk, the extra `dashboards`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import count
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards import content
from dashboards.content import FLEET, HOST
from dashboards.panels import DATASOURCE

OUTPUT = Path(__file__).with_name("textfile-users.json")
# Families of which the names of users to choose from are taken.
NAME_USERS = (
    "users_sessions",
    "users_processes",
    "users_last_login_timestamp_seconds",
    "users_auth_failures_total",
)
SCHEMA = 38  # Grafana 10.0's; later ones know how to read it


def dashboard() -> Dashboard:
    """Return the dashboard."""
    made = (
        builders.Dashboard("Users (textfile-users)")
        .uid("textfile-users")
        .description("Who is on each host, since when and from where; who tried and failed.")
        .tags(["textfile-users", "node_exporter", "security"])
        .time("now-6h", "now")
        .refresh("1m")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .annotations([])
    )
    for variable in _variables():
        made.with_variable(variable)
    numbers = count(1)
    made.with_row(builders.Row("Fleet: $job").id(next(numbers)))
    for panel in content.fleet():
        made.with_panel(panel.id(next(numbers)))
    for title, panels in (
        ("Who is on: $instance", content.who_is_on()),
        ("Who came and went: $instance", content.logins()),
        ("Who tried and failed: $instance", content.attempts()),
        ("What users do: $instance", content.usage()),
        ("Whether to trust these figures: $instance", content.health()),
    ):
        # Panels of its own make a row a collapsed one: it asks nothing until it is opened.
        row = builders.Row(title).id(next(numbers))
        for panel in panels:
            row.with_panel(panel.id(next(numbers)))
        made.with_row(row)
    built = made.build()
    built.schema_version = SCHEMA
    return built


def text() -> str:
    """Return the dashboard as Grafana imports it."""
    return json.dumps(dashboard(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _variables() -> Iterable[builders.DatasourceVariable | builders.QueryVariable]:
    yield builders.DatasourceVariable("datasource").label("Data source").type("prometheus")
    yield _variable("job", "Job", "label_values(users_run_timestamp_seconds, job)")
    yield _variable(
        "instance", "Host", f"label_values(users_run_timestamp_seconds{{{FLEET}}}, instance)"
    )
    users = f'{{__name__=~"{"|".join(NAME_USERS)}", {HOST}}}'
    yield _variable("user", "User", f"label_values({users}, user)")


def _variable(name: str, label: str, query: str) -> builders.QueryVariable:
    # Without all_value "All" would be an expression that names each of them.
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query({"query": query, "refId": f"variable-{name}"})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


if __name__ == "__main__":
    OUTPUT.write_text(text())
