"""promtool takes the alerting and recording rules and their cases, and none is without a case."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.parts import run

pytestmark = pytest.mark.e2e

RULES = Path(__file__).parents[2] / "prometheus"
CASES = sorted((RULES / "tests").glob("*.yml"))


def test_rules_are_sound() -> None:
    rules = [str(path) for path in sorted(RULES.glob("*.yml"))]
    run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *rules)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_cases(path: Path) -> None:
    run("promtool", "test", "rules", str(path))


def test_each_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    alerts = set(re.findall(r"^ +- alert: (\w+)$", (RULES / "alerts.yml").read_text(), re.M))
    text = "".join(path.read_text() for path in CASES)
    cases = re.findall(r"alertname: (\w+)\n +exp_alerts:(.*)", text)
    assert len(cases) == text.count("alertname:")
    assert {name for name, expected in cases if expected != " []"} == alerts
    assert {name for name, expected in cases if expected == " []"} == alerts


def test_each_recording_rule_has_a_case() -> None:
    names = set(re.findall(r"^ +- record: (\S+)$", (RULES / "recording.yml").read_text(), re.M))
    cases = (RULES / "tests/recording.yml").read_text()
    assert set(re.findall(r"- expr: (\S+)\n", cases)) == names


def test_each_alert_is_explained() -> None:
    alerts = re.findall(r"^ +- alert: (\w+)$", (RULES / "alerts.yml").read_text(), re.M)
    explained = re.findall(r"^## `(\w+)`$", (RULES.parent / "docs/alerts.md").read_text(), re.M)
    assert explained == alerts
