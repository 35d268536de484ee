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
    AnnotationContainer,
    AnnotationQuery,
    Dashboard,
    DashboardCursorSync,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards import content
from dashboards.content import FLEET, HOST
from dashboards.panels import DATASOURCE, MIN_STEP

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
    )
    for variable in _variables():
        made.with_variable(variable)
    numbers = count(1)
    made.with_row(builders.Row("Who is on: $instance").id(next(numbers)))
    for panel in content.who_is_on():
        made.with_panel(panel.id(next(numbers)))
    for title, panels in (
        ("Fleet: $job", content.fleet()),
        ("Who came and went: $instance", content.logins()),
        ("Who tried and failed: $instance", content.attempts()),
        ("One user: $user", content.one_user()),
        ("What users do: $instance", content.usage()),
        ("Offenders: $instance", content.offenders()),
        ("Whether to trust these figures: $instance", content.health()),
    ):
        # Panels of its own make a row a collapsed one: it asks nothing until it is opened.
        row = builders.Row(title).id(next(numbers))
        for panel in panels:
            row.with_panel(panel.id(next(numbers)))
        made.with_row(row)
    built = made.build()
    built.annotations = AnnotationContainer(list(_events()))
    built.schema_version = SCHEMA
    return built


def text() -> str:
    """Return the dashboard as Grafana imports it."""
    return json.dumps(dashboard(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


class Event(AnnotationQuery):
    """Marks on every graph, with the words of Prometheus's own that the library does not know."""

    def __init__(self, name: str, color: str, expr: str, text: str, *, by_value: bool) -> None:
        """Mark where `expr` gives anything; `by_value` at the times, in ms, that it gives."""
        super().__init__(name=name, datasource=DATASOURCE, icon_color=color, expr=expr)
        self._words = {
            "step": MIN_STEP,
            "titleFormat": text,
            "tagKeys": "instance",
            "useValueForTime": by_value,
        }

    def to_json(self) -> dict[str, object]:
        """Return it as Grafana reads it."""
        return {**super().to_json(), **self._words}


def _events() -> Iterable[Event]:
    reboots = f"increase(users_reboots_total{{{HOST}}}[10m])"
    yield Event(
        "Reboots",
        "orange",
        f"sum by (instance, kind) ({reboots}) > 0",
        "{{instance}} was booted ({{kind}})",
        by_value=False,
    )
    root = f'{HOST}, user="root"'
    yield Event(
        "Logins of root",
        "red",
        f"1000 * max by (instance) (users_last_login_timestamp_seconds{{{root}}})",
        "root logged in to {{instance}}",
        by_value=True,
    )


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
