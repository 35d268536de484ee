"""Whether the runs' user can read what it should, and whether each collector gets all."""

from __future__ import annotations

from textfile_users.collecting import ABSENT
from textfile_users.setup.checks.result import FAULT, NOTE, OK, CheckResult, Host
from textfile_users.setup.fixes import (
    explain,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from textfile_users.setup.checks.result import Seen


def check_readable(host: Host) -> Iterator[CheckResult]:
    """Yield in one line what this user can read here."""
    if host.seen is not None:
        yield judge_readable(host.seen, host.identity.user)


def judge_readable(seen: Seen, user: str) -> CheckResult:
    """Return which sources ``user`` can read, and which are there and cannot be read."""
    read = [name for name, (status, _) in seen.sources.items() if status == OK]
    others = [name for name, (status, _) in seen.sources.items() if status not in (OK, ABSENT)]
    found = f"{user} can read: {', '.join(read) or 'none'}"
    if others:
        found += f"; not: {', '.join(others)}"
    return CheckResult("sources", OK if read else NOTE, found)


def check_collectors(host: Host) -> Iterator[CheckResult]:
    """Yield how the scan went as a whole."""
    if host.seen is None:
        return iter(())
    return judge_collectors(host.seen, explain(host))


def judge_collectors(seen: Seen, look: str) -> Iterator[CheckResult]:
    """Yield the faults of the scan that no source told, or that all collectors succeeded.

    ``look`` is the command that explains one.
    """
    told = {fault for _, faults in seen.sources.values() for fault in faults}
    status = FAULT if seen.failed else NOTE
    others = [fault for fault in seen.faults if fault not in told]
    for fault in others:
        yield CheckResult("look", status, fault, look)
    if seen.failed and not others:
        yield CheckResult("look", NOTE, f"gets less than it should of: {', '.join(seen.failed)}")
    elif not others:
        count = seen.collectors
        yield CheckResult("look", OK, f"{count} collectors succeed, in {seen.seconds:.2f} s")
