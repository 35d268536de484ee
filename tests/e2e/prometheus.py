"""A real Prometheus for the tests here, and for bench/fleet.py."""

from __future__ import annotations

import json
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.e2e.parts import free_port

JOB = "node"
STARTS_WITHIN = 30  # seconds
PAUSE = 0.1  # seconds between two looks at something that is waited for


@contextmanager
def serving(page: Callable[[str], str]) -> Iterator[str]:
    """Serve for each path, "/" and what follows, the page made for it; give `HOST:PORT`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = page(self.path).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def handle(self) -> None:
            with suppress(ConnectionError):  # Prometheus has ended
                super().handle()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class Prometheus:
    """Debian's Prometheus on a port of the loopback address, its files in `directory`."""

    def __init__(
        self,
        directory: Path,
        targets: Sequence[str],
        rules: Sequence[Path],
        interval: str = "1s",
        relabelling: Sequence[dict[str, Any]] = (),
        labels: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Scrape `targets` and evaluate `rules` every `interval`.

        A target is `HOST:PORT`, or `HOST:PORT/PATH`, and then all of it is its instance.
        `relabelling` are the entries of `metric_relabel_configs`, `labels` those of each target.
        """
        self.directory = directory
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._config = {
            "global": {
                "scrape_interval": interval,
                "scrape_timeout": interval,
                "evaluation_interval": interval,
            },
            "rule_files": [str(path.resolve()) for path in rules],
            "scrape_configs": [
                {
                    "job_name": JOB,
                    "static_configs": [_target(target, labels) for target in targets],
                    "metric_relabel_configs": list(relabelling),
                },
            ],
        }

    def __enter__(self) -> Prometheus:
        """Start it and wait until it answers; it ends with this process at the latest."""
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "prometheus.yml"
        config.write_text(json.dumps(self._config))  # JSON is YAML too
        log = self.directory / "prometheus.log"
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "prometheus", f"--config.file={config}",
                 f"--storage.tsdb.path={self.directory / 'data'}", "--log.level=warn",
                 f"--web.listen-address=127.0.0.1:{self.port}"],
                stdout=subprocess.DEVNULL, stderr=stderr,
            )  # fmt: skip
        try:
            assert _until(self._is_ready, STARTS_WITHIN)
        except AssertionError:
            self.__exit__()
            raise AssertionError(f"Prometheus did not start: {log.read_text()}") from None
        return self

    def __exit__(self, *error: object) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return what an expression gives now: `{"metric": {...}, "value": [time, "text"]}` each.

        An expression that Prometheus does not take is an AssertionError that says why.
        """
        data = self._get("/api/v1/query?" + urllib.parse.urlencode({"query": expr}))
        found: list[dict[str, Any]] = data["result"]
        return found

    def value(self, expr: str) -> float:
        """Return the value of the one sample that an expression gives now."""
        (found,) = self.query(expr)
        return float(found["value"][1])

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts now: `labels`, `annotations`, `state` (pending or firing) each."""
        found: list[dict[str, Any]] = self._get("/api/v1/alerts")["alerts"]
        return found

    def wait(self, expr: str, seconds: float) -> list[dict[str, Any]]:
        """Return what an expression gives, as soon as it gives anything."""
        found = _until(lambda: self.query(expr), seconds)
        assert found, f"{expr} gave nothing in {seconds} s"
        return found

    def _is_ready(self) -> list[dict[str, Any]]:
        assert self.process.poll() is None
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5):
                return self.query("vector(1)")
        except OSError:
            return []

    def _get(self, path: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.read().decode()}") from None
        data: dict[str, Any] = answer["data"]
        return data


def _target(target: str, labels: Mapping[str, str]) -> dict[str, Any]:
    address, _, path = target.partition("/")
    own = {"__metrics_path__": f"/{path}", "instance": target} if path else {}
    return {"targets": [address], "labels": {**labels, **own}}


def _until(look: Callable[[], list[dict[str, Any]]], seconds: float) -> list[dict[str, Any]]:
    """Return what `look` gives as soon as it is not empty, else what it gave at the end."""
    end = time.monotonic() + seconds
    found = look()
    while not found and time.monotonic() < end:
        time.sleep(PAUSE)
        found = look()
    return found
