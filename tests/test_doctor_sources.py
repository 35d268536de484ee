"""doctor's judgement of sources: each kind of healthy host is clean, each fault is told."""

from __future__ import annotations

from typing import Any

import pytest

from textfile_users.collecting import ABSENT, BROKEN, DENIED
from textfile_users.setup import fixes as mends
from textfile_users.setup.checks.collectors import judge_collectors
from textfile_users.setup.checks.result import FAULT, NOTE, OK, CheckResult, Seen
from textfile_users.setup.checks.sources import (
    SourceFacts,
    SourceFile,
    judge_forgery,
    judge_sources,
)
from textfile_users.setup.fixes import PROGRAM

NOW = 1_790_000_000.0
BOOTED = NOW - 100_000
PATHS = {
    "utmp": "/run/utmp",
    "logind": "/run/systemd/sessions",
    "authlog": "/var/log/auth.log",
    "journal": "",
    "wtmp": "/var/log/wtmp",
    "wtmpdb": "/var/lib/wtmpdb/wtmp.db",
    "btmp": "/var/log/btmp",
    "lastlog": "/var/log/lastlog",
    "lastlog2": "/var/lib/lastlog/lastlog2.db",
    "procfs": "/proc/",
    "sockets": "/proc/net/tcp",
    "accounts": "/etc/passwd",
}
READ = dict.fromkeys(PATHS, OK)
# What the hosts have, by their kind.
DEBIAN_12 = {**READ, "wtmpdb": ABSENT, "lastlog2": ABSENT}
DEBIAN_13 = {**READ, "utmp": ABSENT, "authlog": ABSENT, "wtmp": ABSENT, "lastlog": ABSENT}
ALPINE = {**DEBIAN_12, "logind": ABSENT, "journal": ABSENT}
CONTAINER = {**DEBIAN_12, "authlog": ABSENT, "btmp": ABSENT}


@pytest.fixture(autouse=True)
def _tools_of_debian(monkeypatch: pytest.MonkeyPatch) -> None:
    """What mends are made of does not depend on where the tests run."""
    monkeypatch.setattr(mends, "has", lambda tool: tool in ("usermod", "apt-get"))
    monkeypatch.setattr(mends, "installed_service", lambda names: names[0])


def facts(
    statuses: dict[str, str], files: dict[str, dict[str, Any]] | None = None, **changed: Any
) -> SourceFacts:
    """Return the facts of a host whose files are as they should be, but for what `files` says."""
    found = {}
    for name, path in PATHS.items():
        values: dict[str, Any] = {"size": 384, "modified": NOW - 10, **(files or {}).get(name, {})}
        found[name] = SourceFile(path, **values)
    told: dict[str, tuple[str, ...]] = changed.pop("told", {})
    sources = {name: (status, told.get(name, ())) for name, status in statuses.items()}
    auth_log = next((log for log in ("authlog", "journal") if statuses.get(log) == OK), "")
    faults = tuple(fault for faults in told.values() for fault in faults)
    seen = Seen(sources, (), faults, (), changed.pop("auth_log", auth_log))
    given = {"is_systemd": statuses.get("logind") == OK, **changed}
    return SourceFacts(seen, found, NOW, BOOTED, "textfile-users", **given)


def told(of: SourceFacts) -> dict[str, CheckResult]:
    """Return what is found that is not ok, by check."""
    findings = list(judge_sources(of))
    assert len({finding.check for finding in findings}) == len(findings), "one line a check"
    return {finding.check: finding for finding in findings if finding.status != OK}


@pytest.mark.parametrize(
    "statuses",
    [DEBIAN_12, DEBIAN_13, ALPINE, CONTAINER],
    ids=["Debian 12", "Debian 13", "Alpine", "container"],
)
def test_healthy_hosts_are_clean(statuses: dict[str, str]) -> None:
    assert told(facts(statuses)) == {}


def test_what_stands_in_for_what_is_absent_is_said() -> None:
    said = {finding.check: finding.found for finding in judge_sources(facts(DEBIAN_13))}
    assert said["utmp"] == "absent, as on Debian 13: logind does its work"
    assert said["auth log"] == "absent: the journal is read"
    assert said["wtmp"] == "absent: wtmpdb does its work"
    said = {finding.check: finding.found for finding in judge_sources(facts(ALPINE))}
    assert said["logind"] == "absent, as without systemd: utmp does its work"
    assert said["journal"] == "absent: the log file is read"


ADM = {"authlog": {"mend": "usermod -aG adm textfile-users"}}
NOBODY = "install -m 664 -g utmp /dev/null /run/utmp"
EDIT = "${EDITOR:-vi} /etc/default/textfile-users"
FAULTS: list[tuple[str, SourceFacts, str, str, str]] = [
    # reason, facts, check, part of what is found, mend
    ("no source of sessions", facts({**ALPINE, "utmp": ABSENT}), "utmp", "nobody is seen", NOBODY),
    ("no source of sessions", facts({**ALPINE, "utmp": ABSENT}), "logind", "absent", NOBODY),
    (
        "logind does not run",
        facts({**DEBIAN_12, "logind": ABSENT}, is_systemd=True),
        "logind",
        "has no /run/systemd/sessions",
        "systemctl restart systemd-logind",
    ),
    (
        "a utmp that nothing writes, alone",
        facts(ALPINE, {"utmp": {"modified": BOOTED - 3600}}),
        "utmp",
        "from before the boot",
        NOBODY,
    ),
    (
        "closed",
        facts({**DEBIAN_12, "utmp": DENIED}, {"utmp": {"mend": "usermod -aG utmp textfile-users"}}),
        "utmp",
        "/run/utmp is closed to textfile-users",
        "usermod -aG utmp textfile-users",
    ),
    (
        "a log of no known form",
        facts(ALPINE, {"authlog": {"strange": "30.11.2026 host sshd[1]"}}),
        "auth log",
        "/var/log/auth.log names programs, and no line has a known form: 30.11.2026 host sshd[1]",
        f"{PROGRAM} events --unmatched /var/log/auth.log | head -n 3",
    ),
    (
        "a missing bind mount",
        facts({**DEBIAN_12, "utmp": BROKEN}, {"utmp": {"is_directory": True}}),
        "utmp",
        "is a directory, as a missing bind mount leaves",
        "rmdir /run/utmp",
    ),
    (
        "nothing in it is a record",
        facts({**DEBIAN_12, "utmp": BROKEN}, told={"utmp": ("/run/utmp: records skipped",)}),
        "utmp",
        "records skipped",
        f"{PROGRAM} records /run/utmp | tail -n 1",
    ),
    (
        "session files that are none",
        facts({**DEBIAN_12, "logind": BROKEN}, told={"logind": ("9 session files skipped",)}),
        "logind",
        "9 session files skipped",
        "ls -ld /run/systemd/sessions",
    ),
    (
        "neither log can be read",
        facts({**DEBIAN_12, "authlog": DENIED, "journal": DENIED}, ADM),
        "auth log",
        "/var/log/auth.log is closed to textfile-users",
        "usermod -aG adm textfile-users",
    ),
    (
        "neither log can be read",
        facts({**DEBIAN_12, "authlog": DENIED, "journal": DENIED}, ADM),
        "journal",
        "closed to textfile-users",
        "usermod -aG systemd-journal textfile-users",
    ),
    (
        "the only log cannot be read",
        facts({**ALPINE, "authlog": DENIED}, ADM),
        "auth log",
        "closed",
        "usermod -aG adm textfile-users",
    ),
    (
        "the only log cannot be read, and there is no journal: one fault",
        facts({**ALPINE, "authlog": DENIED}, ADM),
        "auth log",
        "closed",
        "usermod -aG adm textfile-users",
    ),
    (
        "files alone are asked for, and there is none: the journal is not asked",
        facts({**DEBIAN_13, "journal": ABSENT}, auth_source="files"),
        "auth log",
        "/var/log/auth.log is absent, and --auth-source files asks for nothing else",
        EDIT,
    ),
    (
        "the journal alone is asked for, and there is none",
        facts({**ALPINE, "authlog": ABSENT}, auth_source="journal"),
        "journal",
        "absent, and --auth-source journal",
        EDIT,
    ),
    (
        "the journal alone, and closed",
        facts({**DEBIAN_13, "journal": DENIED}),
        "journal",
        "closed to textfile-users",
        "usermod -aG systemd-journal textfile-users",
    ),
    (
        "nobody writes the log",
        facts(ALPINE, {"authlog": {"modified": NOW - 9 * 86_400}}, has_syslogd=False),
        "auth log",
        "silent for 9 d, and no syslogd runs",
        "service rsyslog restart",
    ),
    (
        "a directory in its place",
        facts({**ALPINE, "authlog": BROKEN}, {"authlog": {"is_directory": True}}),
        "auth log",
        "is a directory",
        "rmdir /var/log/auth.log",
    ),
    (
        "closed, though a log tells of failures",
        facts({**DEBIAN_12, "btmp": DENIED}, {"btmp": {"mend": "usermod -aG utmp textfile-users"}}),
        "btmp",
        "closed",
        "usermod -aG utmp textfile-users",
    ),
    (
        "a damaged database",
        facts({**DEBIAN_13, "wtmpdb": BROKEN}, told={"wtmpdb": ("/var/lib/wtmpdb/wtmp.db: bad",)}),
        "wtmpdb",
        "wtmp.db: bad",
        "sqlite3 /var/lib/wtmpdb/wtmp.db 'pragma integrity_check'",
    ),
    (
        "no /proc",
        facts({**DEBIAN_12, "procfs": ABSENT}),
        "procfs",
        "/proc/ is absent",
        "mount -t proc proc /proc",
    ),
    (
        "processes are hidden",
        facts({**DEBIAN_12, "procfs": DENIED}, told={"procfs": ("hidepid=",)}),
        "procfs",
        "hidepid=",
        "mount -o remount,hidepid=0 /proc",
    ),
    (
        "no accounts",
        facts({**DEBIAN_12, "accounts": BROKEN}, told={"accounts": ("/etc/passwd: gone",)}),
        "accounts",
        "/etc/passwd: gone",
        "ls -ld /etc/passwd",
    ),
]


@pytest.mark.parametrize(
    ("of", "check", "found", "mend"),
    [case[1:] for case in FAULTS],
    ids=[f"{case[0]}: {case[2]}" for case in FAULTS],
)
def test_faults_are_told_with_their_mend(
    of: SourceFacts, check: str, found: str, mend: str
) -> None:
    finding = told(of)[check]
    if of.status("journal") == ABSENT and check in ("auth log", "journal"):
        assert len({"auth log", "journal"} & told(of).keys()) == 1, "one line a fault"
    assert finding.status == FAULT
    assert found in finding.found
    assert finding.mend == mend


NOTES: list[tuple[str, SourceFacts, str, str, str]] = [
    (
        "left from before the boot, and logind is there",
        facts(DEBIAN_12, {"utmp": {"modified": BOOTED - 3600}}),
        "utmp",
        "logind does its work",
        NOBODY,
    ),
    ("nobody yet", facts(ALPINE, {"utmp": {"size": 0}}), "utmp", "empty", ""),
    (
        "some records are damaged",
        facts(DEBIAN_12, told={"utmp": ("/run/utmp: records skipped: 1 damaged",)}),
        "utmp",
        "1 damaged",
        "",
    ),
    (
        "the journal does its work",
        facts({**DEBIAN_12, "authlog": DENIED}, ADM, told={"authlog": ("auth.log: denied",)}),
        "auth log",
        "auth.log: denied; the journal is read",
        "usermod -aG adm textfile-users",
    ),
    (
        "the log file does its work",
        facts({**DEBIAN_12, "journal": DENIED}),
        "journal",
        "closed to textfile-users",
        "usermod -aG systemd-journal textfile-users",
    ),
    (
        "a log of no known form beside a journal",
        facts(DEBIAN_12, {"authlog": {"strange": "host sshd[1]"}}, auth_log="journal"),
        "auth log",
        "no line has a known form: host sshd[1]; the journal is read",
        f"{PROGRAM} events --unmatched /var/log/auth.log | head -n 3",
    ),
    (
        "silent, and the journal is asked",
        facts(DEBIAN_12, {"authlog": {"modified": NOW - 9 * 86_400}}, has_syslogd=False),
        "auth log",
        "silent for 9 d; the journal is asked too",
        "",
    ),
    (
        "silent, and written by somebody",
        facts(ALPINE, {"authlog": {"modified": NOW - 9 * 86_400}}),
        "auth log",
        "silent for 9 d",
        "tail -n 3 /var/log/auth.log | cat -v",
    ),
    (
        "no log at all",
        facts({**ALPINE, "authlog": ABSENT}),
        "auth log",
        "failures are btmp's alone",
        "apt-get install rsyslog",
    ),
    (
        "no log and no btmp",
        facts({**ALPINE, "authlog": ABSENT, "btmp": ABSENT}),
        "auth log",
        "no login or failure is counted",
        "apt-get install rsyslog",
    ),
    (
        "neither wtmp nor wtmpdb",
        facts({**DEBIAN_12, "wtmp": ABSENT}),
        "wtmp, wtmpdb",
        "neither is here",
        "",
    ),
    ("no sockets", facts({**DEBIAN_12, "sockets": ABSENT}), "sockets", "absent", ""),
]


@pytest.mark.parametrize(
    ("of", "check", "found", "mend"),
    [case[1:] for case in NOTES],
    ids=[case[0] for case in NOTES],
)
def test_notes_are_no_faults(of: SourceFacts, check: str, found: str, mend: str) -> None:
    findings = told(of)
    assert list(findings) == [check]
    assert findings[check].status == NOTE
    assert found in findings[check].found
    assert findings[check].mend == mend


def test_only_what_is_asked_for_is_judged() -> None:
    assert list(judge_sources(facts({}))) == []
    of = facts(DEBIAN_13, auth_source="none")
    assert [f.found for f in judge_sources(of) if f.check == "auth log"] == [
        "not read: --auth-source none"
    ]
    # A source that is not asked is reported as absent.
    of = facts({**DEBIAN_12, "authlog": ABSENT}, auth_source="journal")
    assert told(of) == {}
    of = facts({**DEBIAN_12, "journal": ABSENT}, auth_source="files")
    assert told(of) == {}


def test_what_lies_in_memory_is_of_this_boot() -> None:
    """Whatever the clock said when it was written: it may have been set since."""
    of = facts(ALPINE, {"utmp": {"modified": BOOTED - 3600, "is_mounted": True}})
    assert told(of) == {}


def test_a_look_that_fails_is_told_once() -> None:
    denied = {"utmp": (DENIED, ("/run/utmp: denied",))}
    seen = Seen(denied, ("sessions",), ("/run/utmp: denied",), None, "", 6, 0.1)
    assert [(f.status, f.found) for f in judge_collectors(seen, "LOOK")] == [
        (NOTE, "gets less than it should of: sessions")
    ]
    seen = seen._replace(faults=("/run/utmp: denied", "accounts: no answer within 1 s"))
    assert [(f.status, f.found, f.mend) for f in judge_collectors(seen, "LOOK")] == [
        (FAULT, "accounts: no answer within 1 s", "LOOK")
    ]
    seen = Seen({}, (), (), (), "", 6, 0.1)
    assert [f.status for f in judge_collectors(seen, "LOOK")] == [OK]


def test_what_local_users_can_forge() -> None:
    def judge(log: str, journal: str) -> tuple[str, bool]:
        (finding,) = judge_forgery(log, journal, {})
        return finding.status, "--auth-source journal" in finding.mend

    assert judge("journal", OK) == (OK, False)
    assert judge("authlog", OK) == (NOTE, True)
    # To read a journal that is closed or not there would be to count nothing.
    for journal in (ABSENT, DENIED, BROKEN):
        assert judge("authlog", journal) == (NOTE, False)
