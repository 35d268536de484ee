"""The public collector in other programs' registries; prometheus_client stays what it is."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tests.e2e.parts import free_port
from tests.hosts import Host, busy_host
from textfile_users import Collector
from textfile_users.metrics.users import FAMILIES


def test_families_in_a_registry(tmp_path: Path) -> None:
    host = busy_host(str(tmp_path), 3)
    host.write("var/log/auth.log", "")
    host.write("proc/1/net/tcp", "  sl  local_address rem_address   st\n")
    registry = CollectorRegistry()
    registry.register(Collector(root=host.root))
    assert registry.get_sample_value("users_logged_in") == 1
    assert (
        registry.get_sample_value("users_sessions", {"user": "user0", "session_type": "ssh"}) == 3
    )
    text = generate_latest(registry).decode()
    types = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert sorted([*types, "users_session_command_info"]) == sorted(FAMILIES)


def test_events_are_counted_from_look_to_look(tmp_path: Path) -> None:
    host = busy_host(str(tmp_path), 3)
    log = host.write("var/log/auth.log", "")
    registry = CollectorRegistry()
    registry.register(Collector(root=host.root))
    name = "users_auth_failures_total"
    labels = {"program": "sshd", "method": "password", "user": ""}
    assert registry.get_sample_value(name, labels) == 0
    for count in (1, 2, 3):
        with open(log, "a") as file:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
            message = "Failed password for invalid user a from 192.0.2.7 port 1 ssh2"
            file.write(f"{stamp} host sshd[{count}]: {message}\n")
        assert registry.get_sample_value(name, labels) == count


def test_a_registry_knows_the_names_without_a_look() -> None:
    registry = CollectorRegistry(auto_describe=True)
    registry.register(Collector(root="/nowhere"))
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(Collector(root="/nowhere"))


def test_ended_sessions_are_zero_in_a_registry_too(tmp_path: Path) -> None:
    host = busy_host(str(tmp_path), 3)
    registry = CollectorRegistry()
    registry.register(Collector(root=host.root))
    generate_latest(registry)
    host.utmp()
    for ident in "123":
        (tmp_path / "run/systemd/sessions" / ident).unlink()
    for directory in (tmp_path / "proc").glob("[0-9]?*"):
        shutil.rmtree(directory)
    assert (
        registry.get_sample_value("users_sessions", {"user": "user0", "session_type": "ssh"}) == 0
    )


HTTP = """
import sys, urllib.request
import textfile_users
{extra}
from prometheus_client import CollectorRegistry, start_http_server, Counter
registry = CollectorRegistry()
registry.register(textfile_users.Collector(root=sys.argv[1]))
Counter("other", "Another program's own metric", registry=registry).inc()
start_http_server(int(sys.argv[2]), addr="127.0.0.1", registry=registry)
text = urllib.request.urlopen("http://127.0.0.1:%s/metrics" % sys.argv[2]).read().decode()
assert 'users_sessions{{session_type="ssh",user="user0"}} 3.0' in text, text
assert "other_total 1.0" in text, text
import prometheus_client, prometheus_client.metrics_core as core
assert prometheus_client.Metric is core.Metric
assert prometheus_client.__file__
"""


@pytest.mark.parametrize(
    "extra",
    [
        "",
        "import textfile_users.cli, textfile_users.run, textfile_users.metrics.users",
    ],
    ids=["imported first", "command line imported first"],
)
def test_prometheus_clients_http_server(tmp_path: Path, extra: str) -> None:
    host = busy_host(str(tmp_path), 3)
    subprocess.run(
        [sys.executable, "-c", HTTP.format(extra=extra), host.root, str(free_port())],
        check=True,
        timeout=60,
    )


def test_the_command_line_does_not_load_the_http_server() -> None:
    code = (
        "import sys; before = set(sys.modules)\n"
        "import textfile_users.__main__, textfile_users.run, textfile_users.cli\n"
        "bad = {'prometheus_client', 'typing', 're', 'csv', 'sqlite3', 'gzip', 'ssl', 'http',\n"
        "       'socket', 'argparse', 'json', 'subprocess', 'threading', 'logging',\n"
        "       'dataclasses', 'utmp', 'ipaddress'}\n"
        "print(sorted(bad & set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_systems_users_are_left_out_as_by_the_command(tmp_path: Path) -> None:
    """user-sessions leaves them out, whoever asks for it."""
    host = Host(str(tmp_path))
    host.write("etc/passwd", "daemon:x:1:1::/:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n")
    for number, user in enumerate(("daemon", "alice"), 1):
        host.logind(str(number), USER=user, LEADER=1)
    registry = CollectorRegistry()
    registry.register(Collector(root=host.root, sets=("user-sessions",)))
    assert registry.get_sample_value("user_sessions_logged_in_users") == 1
