"""Real SSH logins, a real utmp, a real node_exporter."""

from __future__ import annotations

import json
import time

import pytest

from tests.e2e.parts import Box, NodeExporter, run

pytestmark = pytest.mark.e2e


def test_real_logins_reach_node_exporter(box: Box, node_exporter: NodeExporter) -> None:
    """Two logins with a PTY come and go; their tty(1) and the exporter agree with us."""
    output = node_exporter.directory / "users.prom"
    port = box.sshd()
    began = time.time()
    logins = [box.ssh(port, "-tt", "tty; exec sleep 60") for _ in range(2)]
    try:
        lines = []
        for login in logins:
            assert login.stdout is not None
            lines.append(login.stdout.readline().decode().strip().replace("/dev/", ""))
        lines.sort()
        assert box.collect(str(output)) == (0, "")
        who = [line.split()[:2] for line in box.run("who").stdout.splitlines()]
        # Debian 13's who asks logind, of which the box has none.
        assert sorted(who) in ([["tu-alice", line] for line in lines], [])

        samples = node_exporter.scrape()
        assert samples["node_textfile_scrape_error"] == 0
        assert f'node_textfile_mtime_seconds{{file="{output}"}}' in samples
        assert samples["users_logged_in"] == 1
        assert samples['users_sessions{session_type="ssh",user="tu-alice"}'] == 2
        assert samples['users_source_available{source="utmp"}'] == 1
        for line in lines:
            info = (
                'users_session_info{key="",program="sshd",remote_host="",remote_ip="127.0.0.1",'
                f'remote_network="local",session="{line}",session_type="ssh",tty="{line}",'
                'user="tu-alice"}'
            )
            assert samples[info] == 1
            labels = f'session="{line}",user="tu-alice"'
            start = samples[f"users_session_start_timestamp_seconds{{{labels}}}"]
            assert began - 1 <= start <= time.time()
        checked = run("promtool", "check", "metrics", input=output.read_text())
        assert (checked.stdout, checked.stderr) == ("", "")
        shown = json.loads(
            box.run("/opt/textfile-users/bin/textfile-users", "show", "--json").stdout
        )
        assert sorted(session["tty"] for session in shown["sessions"]) == lines
    finally:
        for login in logins:
            login.kill()
            login.communicate()
    for _ in range(100):
        assert box.collect(str(output)) == (0, "")
        samples = node_exporter.scrape()
        if samples["users_logged_in"] == 0:
            break
        time.sleep(0.1)
    assert samples["users_logged_in"] == 0
    assert samples['users_sessions{session_type="ssh",user="tu-alice"}'] == 0
    assert not [name for name in samples if name.startswith("users_session_info")]


def test_records_of_the_real_utmp(box: Box) -> None:
    """What sshd really wrote is sound, in the layout of this machine."""
    done = box.run("/opt/textfile-users/bin/textfile-users", "records", "/run/utmp")
    assert done.stderr.endswith(" 0 damaged, 0 partial\n")
    kinds = {json.loads(line)["type"] for line in done.stdout.splitlines()}
    assert kinds <= {"user_process", "dead_process", "empty"}
