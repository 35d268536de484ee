"""The kinds of panels that the dashboard is made of, with Grafana's own library.

Queries of lines and bars are {expression: legend}, those of tables {ref id: expression}. `why`
is the panel's description; `width` and `height` are in cells of Grafana's grid, 24 wide, of which
what is over time takes half.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_uppercase
from typing import NamedTuple, Union

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    GraphDrawStyle,
    GraphTresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.units import Seconds, Short

Panel = Union[
    bargauge.Panel, heatmap.Panel, stat.Panel, statetimeline.Panel, table.Panel, timeseries.Panel
]
# From which value on which colour; below the first it is green.
Steps = tuple[tuple[float, str], ...]

GRAPH_WIDTH = 12
# Grafana makes $__rate_interval at least four of these: enough for a scrape every two minutes.
MIN_STEP = "1m"
DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
# What a click on the name of a host or user opens: this dashboard for it alone.
LINK = "/d/${__dashboard.uid}?${datasource:queryparam}&${job:queryparam}&${__url_time_range}"
LINKS = {
    "instance": ("This host", f"{LINK}&var-instance="),
    "user": ("This user", f"{LINK}&${{instance:queryparam}}&var-user="),
}


class Column(NamedTuple):
    """A column of a table: its title, and how its values look."""

    title: str
    unit: str = ""
    steps: Steps = ()
    width: int = 0
    link: str = ""


def stats(
    title: str,
    why: str,
    queries: Mapping[str, str],
    *,
    unit: str = Short,
    steps: Steps = (),
    width: int = 4,
    height: int = 4,
    none: str = "",
) -> Panel:
    """Return numbers as they are now; `none` stands where a query gives nothing."""
    panel = stat.Panel().unit(unit).thresholds(_thresholds(steps, "green" if steps else "blue"))
    panel.graph_mode(BigValueGraphMode.NONE).color_mode(BigValueColorMode.VALUE)
    panel.reduce_options(_last())
    if unit == Short:
        panel.decimals(0)
    if none:
        panel.no_value(none)
    for ref, (expr, legend) in zip(ascii_uppercase, queries.items()):
        panel.with_target(_query(ref, expr).legend_format(legend).instant())
    return _described(panel, title, why, width, height)


def lines(
    title: str,
    why: str,
    queries: Mapping[str, str],
    *,
    unit: str = Short,
    steps: Steps = (),
    stacked: bool = False,
    bars: str = "",
) -> Panel:
    """Return values over time; with `bars` (`1h`) a bar for each such time."""
    panel = timeseries.Panel().unit(unit).min(0).fill_opacity(10).show_points(VisibilityMode.AUTO)
    panel.legend(
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    panel.tooltip(
        common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(30)
    if bars:
        panel.draw_style(GraphDrawStyle.BARS).fill_opacity(80).interval(bars)
    if steps:
        panel.thresholds(_thresholds(steps))
        panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED)
        )
    for ref, (expr, legend) in zip(ascii_uppercase, queries.items()):
        panel.with_target(_over_time(_query(ref, expr)).legend_format(legend))
    return _described(panel, title, why, GRAPH_WIDTH)


def ranking(
    title: str,
    why: str,
    expr: str,
    legend: str,
    *,
    steps: Steps = (),
    width: int = 8,
    is_host: bool = False,
) -> Panel:
    """Return a bar each for the highest of now; of hosts the names are links."""
    panel = bargauge.Panel().unit(Short).decimals(0).min(0).thresholds(_thresholds(steps, "blue"))
    panel.orientation(VizOrientation.HORIZONTAL).display_mode(BarGaugeDisplayMode.BASIC)
    panel.reduce_options(_last()).no_value("none")
    if is_host:
        text, url = LINKS["instance"]
        url += "${__field.labels.instance}"
        link = dashboard.DashboardLink(text).type(DashboardLinkType.LINK).url(url)
        panel.data_links([link])
    panel.with_target(_query("A", expr).legend_format(legend).instant())
    return _described(panel, title, why, width)


def rows(
    title: str,
    why: str,
    queries: Mapping[str, str],
    columns: Mapping[str, Column],
    *,
    order: str,
    width: int = 8,
    height: int = 8,
) -> Panel:
    """Return a table of what is now: rows with the same labels in all queries are one.

    `columns` are by label, or by `Value` or, of several queries, `Value #A`; what is not
    among them is left out. `order` is the title of the column to sort by, the highest first.
    """
    panel = table.Panel().show_header(True).no_value("none")
    for ref, expr in queries.items():
        panel.with_target(_query(ref, expr).format(PromQueryFormat.TABLE).instant())
    if len(queries) > 1:
        panel.with_transformation(DataTransformerConfig(id_val="merge", options={}))
    kept = {"include": {"names": list(columns)}}
    panel.with_transformation(DataTransformerConfig(id_val="filterFieldsByName", options=kept))
    named = {
        "indexByName": {field: index for index, field in enumerate(columns)},
        "renameByName": {field: column.title for field, column in columns.items()},
    }
    panel.with_transformation(DataTransformerConfig(id_val="organize", options=named))
    for column in columns.values():
        if looks := _looks(column):
            panel.override_by_name(column.title, looks)
    panel.sort_by([common.TableSortByFieldState().display_name(order).desc(True)])
    return _described(panel, title, why, width, height)


def durations(title: str, why: str, expr: str) -> Panel:
    """Return the buckets of a histogram over time."""
    panel = heatmap.Panel().calculate(False).show_legend().show_tooltip()
    panel.color(
        heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(64)
    )
    panel.y_axis(heatmap.YAxisConfig().unit(Seconds))
    panel.hide_from(common.HideSeriesConfig().legend(False).tooltip(False).viz(False))
    query = _query("A", expr).legend_format("{{le}}").format(PromQueryFormat.HEATMAP)
    panel.with_target(_over_time(query))
    return _described(panel, title, why, GRAPH_WIDTH)


def states(title: str, why: str, expr: str, legend: str, texts: tuple[str, str]) -> Panel:
    """Return over time what is 0, in red with the first text, or 1, in green with the second."""
    panel = (
        statetimeline.Panel()
        .mappings([_texts(texts)])
        .thresholds(_thresholds(((1, "green"),), "red"))
    )
    panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    panel.show_value(VisibilityMode.NEVER).merge_values(True).row_height(0.8)
    panel.fill_opacity(70).line_width(0)
    panel.with_target(_over_time(_query("A", expr)).legend_format(legend))
    return _described(panel, title, why, GRAPH_WIDTH)


def presence(title: str, why: str, expr: str, legend: str) -> Panel:
    """Return over time, in a lane each, how many there are; the lane is bare where none is."""
    panel = statetimeline.Panel().unit(Short).decimals(0).thresholds(_thresholds((), "blue"))
    panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    panel.show_value(VisibilityMode.AUTO).merge_values(True).row_height(0.8)
    panel.fill_opacity(70).line_width(0).no_value("nobody")
    panel.with_target(_over_time(_query("A", expr)).legend_format(legend))
    return _described(panel, title, why, GRAPH_WIDTH)


def _query(ref: str, expr: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id(ref).expr(expr).datasource(DATASOURCE)


def _over_time(query: prometheus.Dataquery) -> prometheus.Dataquery:
    return query.range().interval(MIN_STEP)


def _described(panel: Panel, title: str, why: str, width: int, height: int = 8) -> Panel:
    panel.title(title).description(why).datasource(DATASOURCE)
    return panel.span(width).height(height)


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _thresholds(steps: Steps, lowest: str = "green") -> dashboard.ThresholdsConfig:
    all_steps = [Threshold(color=lowest), *(Threshold(value, color) for value, color in steps)]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(all_steps)


def _texts(texts: tuple[str, str]) -> ValueMapping:
    results = zip("01", texts, ("red", "green"))
    return ValueMap({value: ValueMappingResult(text, color) for value, text, color in results})


def _looks(column: Column) -> list[DynamicConfigValue]:
    """Return what a column's fields have beyond the table's own settings."""
    looks = []
    if column.unit:
        looks.append(DynamicConfigValue("unit", column.unit))
    if column.unit == Short:
        looks.append(DynamicConfigValue("decimals", 0))
    if column.width:
        looks.append(DynamicConfigValue("custom.width", column.width))
    if column.steps:
        looks.append(DynamicConfigValue("thresholds", _thresholds(column.steps).build()))
        looks.append(DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
    if column.link:
        text, url = LINKS[column.link]
        link = {"title": text, "url": url + "${__value.text}"}
        looks.append(DynamicConfigValue("links", [link]))
    return looks
