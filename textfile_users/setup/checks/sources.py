"""The sources: which there are, which can be read, and what that means on this host."""

from __future__ import annotations

import os
import stat

from textfile_users.auth.pairing import Pairing
from textfile_users.auth.reader import Reader
from textfile_users.auth.stamps import Stamps
from textfile_users.collecting import ABSENT, DENIED
from textfile_users.processes.procfs import read_boot_time
from textfile_users.product import SETTINGS
from textfile_users.reading.localtime import local_time
from textfile_users.record import Record
from textfile_users.setup.checks.access import READ, closed_part, opening_command
from textfile_users.setup.checks.child import ChildFailed
from textfile_users.setup.checks.clock import SYSLOGDS as SYSLOG_SERVICES
from textfile_users.setup.checks.clock import TAIL, read_tail
from textfile_users.setup.checks.result import FAULT, NOTE, OK, CheckResult, Host, age
from textfile_users.setup.fixes import (
    PROGRAM,
    add_option,
    edit,
    join,
    package,
    quote,
    service,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from textfile_users.paths import Paths
    from textfile_users.setup.checks.result import Seen

DAY = 86_400.0
MISSING = "missing"  # of a scan that did not ask for it
SYSLOGDS = ("rsyslogd", "syslog-ng", "syslogd", "busybox-syslogd", "metalog", "socklog")
HIDING = "cannot be seen: hidepid= or ProtectProc="
EMPTY_UTMP = "install -m 664 -g utmp /dev/null /run/utmp"
FORGEABLE = "who has an account here can forge its lines"


class SourceFile(Record):
    """What stat says of a source's file: ``size`` -1 where it is not there; ``mend`` opens it.

    ``is_mounted`` is whether it lies on another file system than the root directory, ``strange``
    how lines of a log begin of which none is understood.
    """

    path: str
    size: int = -1
    modified: float = 0.0
    is_directory: bool = False
    mend: str = ""
    is_mounted: bool = False
    strange: str = ""


class SourceFacts(Record):
    """What sources are judged by."""

    seen: Seen
    files: Mapping[str, SourceFile]
    now: float
    booted: float
    user: str
    auth_source: str = "auto"
    is_systemd: bool = False
    has_syslogd: bool = True

    def status(self, name: str) -> str:
        """Return what a source says of itself."""
        return self.seen.sources.get(name, (MISSING, ()))[0]

    def why(self, name: str) -> str:
        """Return the first fault that a source tells."""
        faults = self.seen.sources.get(name, ("", ()))[1]
        told = [fault for fault in self.seen.faults if fault.startswith(self.files[name].path)]
        return next(iter((*faults, *(told if self.files[name].path else ()))), "cannot be read")


def check_sources(host: Host) -> Iterator[CheckResult]:
    """Yield a finding a source."""
    if host.seen is None:
        return iter(())
    paths = host.options.paths
    return judge_sources(
        SourceFacts(
            host.seen,
            {
                name: _read_file(host, path)._replace(
                    strange=_strange(host, path) if name == "authlog" else ""
                )
                for name, path in _files(paths).items()
            },
            host.now,
            float(read_boot_time(paths) or 0),
            host.identity.user,
            host.options.wanted.auth_source,
            host.is_systemd,
            any(name in host.running for name in SYSLOGDS) or not paths.is_own_host,
        )
    )


def _files(paths: Paths) -> dict[str, str]:
    logs = paths.auth_logs()
    return {
        "utmp": paths.utmp(),
        "logind": paths.logind_sessions(),
        "authlog": next((path for path in logs if os.path.lexists(path)), logs[0]),
        "journal": "",
        "wtmp": paths.wtmp(),
        "wtmpdb": paths.wtmpdb(),
        "btmp": paths.btmp(),
        "lastlog": paths.lastlog(),
        "lastlog2": paths.lastlog2(),
        "procfs": paths.proc(""),
        "sockets": paths.proc("net/tcp"),
        "accounts": paths.below("/etc/passwd"),
    }


def _read_file(host: Host, path: str) -> SourceFile:
    try:
        status = os.stat(path)
    except OSError:
        return SourceFile(path, mend=_opening(host, path))
    is_directory = stat.S_ISDIR(status.st_mode)
    is_mounted = status.st_dev != os.stat(host.options.paths.root).st_dev
    return SourceFile(
        path, status.st_size, status.st_mtime, is_directory, _opening(host, path), is_mounted
    )


def _strange(host: Host, path: str) -> str:
    """Return how lines of a log begin if its end names programs and no line there is understood."""
    try:
        data, status = read_tail(path)
    except OSError:  # what else is found tells
        return ""
    begin = data.find(b"\n") + 1 if status.st_size > TAIL else 0
    reader = Reader(Pairing(), Stamps(host.now, local_time(host.options.paths)))
    for _ in reader.read_block(data[begin : data.rfind(b"\n") + 1]):
        pass
    return reader.fault


def _opening(host: Host, path: str) -> str:
    try:
        part = path and closed_part(path, READ, host.identity)
    except (ChildFailed, OSError):
        return ""
    return opening_command(part, READ if part.path == path else 1, host.identity) if part else ""


def judge_sources(facts: SourceFacts) -> Iterator[CheckResult]:
    """Yield what is found of each source, in the order of the scan."""
    yield from _judge_sessions(facts)
    yield from _judge_logs(facts)
    yield from _judge_history(facts)
    yield from _judge_plain(facts)


def _judge_sessions(facts: SourceFacts) -> Iterator[CheckResult]:
    utmp, logind = facts.status("utmp"), facts.status("logind")
    if MISSING in (utmp, logind):
        return
    yield _judge_utmp(facts, utmp, logind)
    count = len(facts.seen.sessions or ())
    if logind == OK:
        yield CheckResult("logind", OK, f"read; sessions now: {count}")
    elif logind == ABSENT and facts.is_systemd:
        found = "systemd runs and has no /run/systemd/sessions"
        yield CheckResult("logind", FAULT, found, "systemctl restart systemd-logind")
    elif logind == ABSENT:
        status = OK if utmp == OK else FAULT
        found = "absent, as without systemd" + (": utmp does its work" if utmp == OK else "")
        yield CheckResult("logind", status, found, "" if utmp == OK else EMPTY_UTMP)
    else:
        yield _unreadable(facts, "logind", logind)


def _judge_utmp(facts: SourceFacts, utmp: str, logind: str) -> CheckResult:
    file = facts.files["utmp"]
    if utmp == ABSENT:
        if logind == OK:
            return CheckResult("utmp", OK, "absent, as on Debian 13: logind does its work")
        return CheckResult("utmp", FAULT, "absent, and no logind: nobody is seen", EMPTY_UTMP)
    if utmp != OK:
        return _unreadable(facts, "utmp", utmp)
    # What lies in memory is of this boot, whatever the clock said when it was written.
    if 0 < file.modified < facts.booted - 60 and file.size > 0 and not file.is_mounted:
        found = f"{file.path} is from before the boot: nothing writes it"
        if logind == OK:
            return CheckResult("utmp", NOTE, f"{found}; logind does its work", EMPTY_UTMP)
        return CheckResult("utmp", FAULT, found, EMPTY_UTMP)
    if file.size == 0:
        said = ": logind does its work" if logind == OK else ": nobody has logged in since boot"
        return CheckResult("utmp", OK if logind == OK else NOTE, f"empty{said}")
    told = facts.seen.sources["utmp"][1]
    return CheckResult("utmp", NOTE, told[0]) if told else CheckResult("utmp", OK, "read")


def _judge_logs(facts: SourceFacts) -> Iterator[CheckResult]:
    files, journal = facts.status("authlog"), facts.status("journal")
    if MISSING in (files, journal):
        return
    if facts.auth_source == "none":
        yield CheckResult("auth log", OK, "not read: --auth-source none")
        return
    if files == ABSENT == journal and facts.auth_source == "auto":
        has_btmp = facts.status("btmp") == OK
        found = "neither a log file nor a journal: " + (
            "failures are btmp's alone" if has_btmp else "no login or failure is counted"
        )
        yield CheckResult("auth log", NOTE, found, package("rsyslog"))
        return
    if facts.auth_source != "journal":
        yield _judge_file(facts, files, journal)
    if facts.auth_source != "files":
        yield _judge_journal(facts, files, journal)


def _judge_file(facts: SourceFacts, files: str, journal: str) -> CheckResult:
    has_journal = journal == OK
    file = facts.files["authlog"]
    if files == ABSENT and has_journal:
        return CheckResult("auth log", OK, "absent: the journal is read")
    if files == ABSENT and facts.auth_source == "files":
        found = f"{file.path} is absent, and --auth-source files asks for nothing else"
        return CheckResult("auth log", FAULT, found, edit(SETTINGS))
    if files == ABSENT:
        found = "absent, and the journal cannot be read"
        return CheckResult("auth log", FAULT, found, _journal_mend(facts))
    if files != OK and has_journal:
        return CheckResult(
            "auth log", NOTE, f"{facts.why('authlog')}; the journal is read", file.mend
        )
    if files != OK:
        return _unreadable(facts, "authlog", files)
    if file.strange:
        found = f"{file.path} names programs, and no line has a known form: {file.strange}"
        read = "; the journal is read" if facts.seen.auth_log == "journal" else ""
        show = f"{PROGRAM} events --unmatched {quote(file.path)} | head -n 3"
        return CheckResult("auth log", NOTE if read else FAULT, found + read, show)
    silence = facts.now - file.modified
    if silence <= DAY:
        empty = " is empty" if file.size == 0 else " is read"
        return CheckResult("auth log", OK, file.path + empty)
    found = f"{file.path} is silent for {age(silence)}"
    if has_journal:
        return CheckResult("auth log", NOTE, f"{found}; the journal is asked too")
    if facts.has_syslogd:
        return CheckResult("auth log", NOTE, found, f"tail -n 3 {quote(file.path)} | cat -v")
    mend = service("restart", SYSLOG_SERVICES, facts.is_systemd)
    return CheckResult("auth log", FAULT, f"{found}, and no syslogd runs", mend)


def _judge_journal(facts: SourceFacts, files: str, journal: str) -> CheckResult:
    if journal == OK:
        used = facts.seen.auth_log == "journal"
        return CheckResult(
            "journal", OK, "read" if used else "can be read; the log file is written"
        )
    if journal == ABSENT and facts.auth_source == "journal":
        return CheckResult("journal", FAULT, "absent, and --auth-source journal", edit(SETTINGS))
    if journal == ABSENT:
        return CheckResult("journal", OK, "absent" + (": the log file is read" * (files == OK)))
    status = NOTE if files == OK else FAULT
    found = facts.why("journal") if journal != DENIED else f"closed to {facts.user}"
    return CheckResult("journal", status, found, _journal_mend(facts))


def _journal_mend(facts: SourceFacts) -> str:
    if facts.status("journal") == DENIED:
        return join(facts.user, ["systemd-journal"])
    return "journalctl --verify"


def _judge_history(facts: SourceFacts) -> Iterator[CheckResult]:
    wtmp, wtmpdb = facts.status("wtmp"), facts.status("wtmpdb")
    if MISSING in (wtmp, wtmpdb):
        return
    has_log = bool(facts.seen.auth_log)
    for name, other in (("wtmp", "wtmpdb"), ("wtmpdb", "wtmp")):
        if facts.status(name) == ABSENT == facts.status(other):
            if name == "wtmp":
                mend = "" if has_log else "install -m 664 -g utmp /dev/null /var/log/wtmp"
                found = "neither is here: logins are the log's and the sessions' alone"
                yield CheckResult("wtmp, wtmpdb", NOTE, found, mend)
        elif facts.status(name) == ABSENT:
            yield CheckResult(name, OK, f"absent: {other} does its work")
        else:
            yield _judge_record(facts, name)
    yield _judge_btmp(facts, has_log)
    for name in ("lastlog", "lastlog2"):
        if facts.status(name) not in (ABSENT, MISSING):
            yield _judge_record(facts, name)


def _judge_btmp(facts: SourceFacts, has_log: bool) -> CheckResult:
    if facts.status("btmp") != ABSENT:
        return _judge_record(facts, "btmp")
    return CheckResult("btmp", OK, "absent" + (": the log tells of failures" if has_log else ""))


def _judge_record(facts: SourceFacts, name: str) -> CheckResult:
    status = facts.status(name)
    if status != OK:
        return _unreadable(facts, name, status)
    return CheckResult(name, OK, "empty" if facts.files[name].size == 0 else "read")


def _judge_plain(facts: SourceFacts) -> Iterator[CheckResult]:
    mends = {"procfs": "mount -t proc proc /proc", "accounts": "ls -l /etc/passwd /etc/group"}
    for name in ("procfs", "sockets", "accounts"):
        status = facts.status(name)
        if status == MISSING:
            continue
        if status == OK:
            yield CheckResult(name, OK, "read")
        elif status == ABSENT:
            graver = NOTE if name == "sockets" else FAULT
            yield CheckResult(
                name, graver, f"{facts.files[name].path} is absent", mends.get(name, "")
            )
        elif name == "procfs" and status == DENIED:
            yield CheckResult(name, FAULT, facts.why(name), "mount -o remount,hidepid=0 /proc")
        else:
            yield _unreadable(facts, name, status)


def _unreadable(facts: SourceFacts, name: str, status: str) -> CheckResult:
    file = facts.files[name]
    label = "auth log" if name == "authlog" else name
    if file.is_directory and name not in ("logind", "procfs"):
        found = f"{file.path} is a directory, as a missing bind mount leaves"
        return CheckResult(label, FAULT, found, f"rmdir {quote(file.path)}")
    if status == DENIED:
        found = f"{file.path} is closed to {facts.user}"
        return CheckResult(label, FAULT, found, file.mend or f"ls -ld {quote(file.path)}")
    return CheckResult(label, FAULT, facts.why(name), _repair(name, file.path))


def _repair(name: str, path: str) -> str:
    if name in ("wtmpdb", "lastlog2"):
        return f"sqlite3 {quote(path)} 'pragma integrity_check'"
    if name in ("utmp", "wtmp", "btmp"):
        return f"{PROGRAM} records {quote(path)} | tail -n 1"
    return f"ls -ld {quote(path)}"


def check_forgery(host: Host) -> Iterator[CheckResult]:
    """Yield whether local users can forge what is counted."""
    if host.seen is None or not host.seen.auth_log:
        return iter(())
    status = host.seen.sources.get("journal", (MISSING, ()))[0]
    return judge_forgery(host.seen.auth_log, status, host.values)


def judge_forgery(auth_log: str, journal: str, values: Mapping[str, str]) -> Iterator[CheckResult]:
    """Yield what a local user can forge: any line of a file, nothing of the journal's."""
    if auth_log == "journal":
        yield CheckResult("forgery", OK, "the journal tells who wrote a line")
    else:
        mend = add_option(values, "--auth-source journal") if journal == OK else ""
        yield CheckResult("forgery", NOTE, f"{FORGEABLE} (logger)", mend)
