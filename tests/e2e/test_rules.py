"""promtool takes the alerting and recording rules and their cases, and none is without a case."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.e2e.parts import run

pytestmark = pytest.mark.e2e

RULES = Path(__file__).parents[2] / "prometheus"
CASES = sorted((RULES / "tests").glob("*.yml"))


def test_rules_are_sound(promtool: str) -> None:
    rules = [str(path) for path in sorted(RULES.glob("*.yml"))]
    run(promtool, "check", "rules", "--lint=all", "--lint-fatal", *rules)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_cases(path: Path, promtool: str) -> None:
    run(promtool, "test", "rules", str(path))


def test_each_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    rules = "".join(path.read_text() for path in RULES.glob("*.yml"))
    alerts = set(re.findall(r"^ +- alert: (\w+)$", rules, re.M))
    text = "".join(path.read_text() for path in CASES)
    cases = re.findall(r"alertname: (\w+)\n +exp_alerts:(.*)", text)
    assert len(cases) == text.count("alertname:")
    assert {name for name, expected in cases if expected != " []"} == alerts
    assert {name for name, expected in cases if expected == " []"} == alerts


def test_each_recording_rule_has_a_case() -> None:
    names = set(re.findall(r"^ +- record: (\S+)$", (RULES / "recording.yml").read_text(), re.M))
    cases = (RULES / "tests/recording.yml").read_text()
    assert set(re.findall(r"- expr: (\S+)\n", cases)) == names


@pytest.mark.parametrize(
    ("rule", "suffix", "label", "values"),
    [
        ("job_remote_ip:users_auth_failures_last_hour:topk20_sum", "", "remote_ip", "{}x20"),
        ("job_user:users_memory_resident_bytes:topk20_sum", "", "user", "{}x20"),
        ("job_user:users_cpu_seconds:topk20_rate5m", "_total", "user", "0+{}x20"),
    ],
)
def test_the_twenty_with_most_are_kept(
    rule: str, suffix: str, label: str, values: str, tmp_path: Path, promtool: str
) -> None:
    """Of 21 on the two hosts of each job, the nth has 60 * n, or as many a minute, on each."""
    family = rule.split(":")[1] + suffix
    factor = 1 if "+" in values else 60  # a sample a minute
    case = {
        "interval": "1m",
        "input_series": [
            {
                "series": f'{family}{{job="{job}",instance="{instance}",{label}="n{number}"}}',
                "values": values.format(60 * number),
            }
            for job in ("node", "other")
            for instance in ("h", "i")
            for number in range(1, 22)
        ],
        "promql_expr_test": [
            {
                "expr": f"round({rule})",
                "eval_time": "15m",
                "exp_samples": [
                    {
                        "labels": f'{{job="{job}",{label}="n{number}"}}',
                        "value": 2 * number * factor,
                    }
                    for job in ("node", "other")
                    for number in range(2, 22)
                ],
            }
        ],
    }
    path = tmp_path / "case.yml"  # JSON is YAML too
    path.write_text(json.dumps({"rule_files": [str(RULES / "recording.yml")], "tests": [case]}))
    run(promtool, "test", "rules", str(path))


def test_each_alert_is_explained() -> None:
    alerts = re.findall(r"^ +- alert: (\w+)$", (RULES / "alerts.yml").read_text(), re.M)
    explained = re.findall(r"^## `(\w+)`$", (RULES.parent / "docs/alerts.md").read_text(), re.M)
    assert explained == alerts


def test_each_alert_leads_to_its_part_of_the_page() -> None:
    """As headings of docs/alerts.md are linked: in lower case."""
    text = (RULES / "alerts.yml").read_text()
    led = re.findall(
        r"- alert: (\w+)\n(?:(?! +- alert).*\n)*? +annotations:\n +runbook_url: '(.*)'\n", text
    )
    assert [name for name, _ in led] == re.findall(r"- alert: (\w+)\n", text)
    for name, url in led:
        base, _, part = url.partition("#")
        assert part == name.lower()
        assert base == '{{ query `users:setting{name="runbooks"}` | first | label "url" }}'
