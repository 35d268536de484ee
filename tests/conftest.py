"""Settings of all tests: what the caller's environment holds changes nothing, nor does slowness."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.hosts import Run

settings.register_profile(
    "machines-differ", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("machines-differ")

# All that tests and their children get of the caller's environment: where things are, the way to
# the registries, and what is asked of the tests. Not how Python, pip, a locale or a service is set.
KEPT = (
    r"HOME|PATH|PYTHONPATH|TERM|\w+_proxy|SSL_CERT_(DIR|FILE)|(CURL|REQUESTS)_CA_BUNDLE"
    r"|PIP_(CERT|CLIENT_CERT|CONFIG_FILE|CONSTRAINT|DEFAULT_TIMEOUT|(EXTRA_)?INDEX_URL|FIND_LINKS"
    r"|NO_INDEX|PROXY|RETRIES|TRUSTED_HOST)"
    r"|TEXTFILE_USERS_\w+|UPDATE_GOLDEN|(COV|FOLLOW|HYPOTHESIS|PYTEST)_\w+"
)
for name in set(os.environ):
    if not re.fullmatch(KEPT, name, re.IGNORECASE):
        del os.environ[name]
os.environ.update(LANG="C.UTF-8", TZ="UTC")
# An ordinary user's, and that of su, lacks these.
os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
time.tzset()
tempfile.tempdir = None  # the caller's may be closed to others
os.umask(0o022)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(tmp_path, capsys)


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that others can reach; pytest's own they cannot."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture
def needs_root() -> None:
    """Leave out where not root tries it what only root can: files of others, mounts."""
    if os.geteuid() != 0:
        pytest.skip("left out: needs root")


@pytest.fixture(autouse=True)
def _no_service_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the program is installed on the machine that runs the tests changes nothing."""
    monkeypatch.setattr("textfile_users.setup.service.UNIT_DIRECTORIES", ())
    monkeypatch.setattr("textfile_users.setup.service.CRON_D", "/nonexistent")
    monkeypatch.setattr("textfile_users.setup.service.CRONTABS", ())
