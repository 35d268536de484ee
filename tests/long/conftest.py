"""All tests here are marked ``long``."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _as_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the program as unit and cron do: by hand it reads the settings first."""
    monkeypatch.setenv("STATE_DIRECTORY", "/nonexistent")  # the world's own has precedence


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("long")
