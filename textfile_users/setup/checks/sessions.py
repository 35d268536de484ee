"""Our sessions against logind's own, which `loginctl` tells."""

from __future__ import annotations

from textfile_users.collecting import OK as SOURCE_OK
from textfile_users.sessions.merge import CLASSES, CLOSING
from textfile_users.setup.checks.child import ChildFailed, run_tool
from textfile_users.setup.checks.result import FAULT, NOTE, OK, CheckResult, Host
from textfile_users.setup.fixes import explain, quote
from textfile_users.setup.system import parse_units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SECONDS = 2.0
MAX_SESSIONS = 200  # of which loginctl is asked
MAX_ID = 64
# loginctl takes no list of properties; it would print blank lines.
SHOW = ("loginctl", "show-session", "--property=Id", "--property=Class", "--property=State")


def check_sessions(
    host: Host, again: Callable[[], tuple[tuple[str, str], ...]]
) -> list[CheckResult]:
    """Return how our sessions compare; ``again`` scans once more, for logins meanwhile."""
    if host.seen is None or host.seen.sources.get("logind", ("",))[0] != SOURCE_OK:
        return []
    if not (host.is_systemd and host.options.paths.is_own_host):
        return []
    try:
        told = read_sessions()
        findings = list(judge_sessions(host.seen.sessions or (), told, explain(host)))
        if findings[0].status != OK:  # who came or went meanwhile
            before, ours, after = read_sessions(), again(), read_sessions()
            stayed = {ident: one for ident, one in before.items() if after.get(ident) == one}
            findings = list(judge_sessions(ours, stayed, explain(host)))
    except ChildFailed as error:
        return [CheckResult("loginctl", NOTE, str(error))]
    except NoAnswer as error:
        return [
            CheckResult("loginctl", FAULT, f"the check itself failed: {error}", show(error.idents))
        ]
    return findings


class NoAnswer(Exception):
    """loginctl lists sessions, ``idents``, and shows nothing of them."""

    def __init__(self, idents: list[str]) -> None:
        """Say which."""
        names = " ".join(idents[:9])
        super().__init__(f"loginctl lists sessions and shows nothing of them: {names}")
        self.idents = idents


def show(idents: list[str]) -> str:
    """Return the command that shows what the check goes by."""
    return " ".join(("loginctl", "list-sessions;", *SHOW, *map(quote, idents[:9])))


def judge_sessions(
    ours: tuple[tuple[str, str], ...], told: Mapping[str, tuple[str, str]], look: str
) -> Iterator[CheckResult]:
    """Yield the sessions of logind that should count and do not, or count and should not.

    ``ours`` are pairs of id and user, ``told`` is class and state by id, ``look`` the
    command that explains a scan.
    """
    counted = {
        ident for ident, (class_, state) in told.items() if class_ in CLASSES and state != CLOSING
    }
    known = {ident for ident, _ in ours}
    missing = sorted(counted - known)
    extra = sorted(known & set(told) - counted)
    mend = f"loginctl list-sessions; {look}"
    if missing:
        found = f"logind has sessions that are not counted: {' '.join(missing[:9])}"
        yield CheckResult("loginctl", FAULT, found, mend)
    if extra:
        found = f"counted, though logind does not take them for people: {' '.join(extra[:9])}"
        yield CheckResult("loginctl", FAULT, found, mend)
    if not (missing or extra):
        yield CheckResult("loginctl", OK, f"agrees: sessions {len(counted)}")


def read_sessions() -> dict[str, tuple[str, str]]:
    """Return class and state of logind's sessions by id. Raises ChildFailed and NoAnswer.

    The first column is the id in every version; JSON came later, and lacks the class at first.
    """
    try:
        return _read_sessions()
    except ChildFailed as error:
        if "No session" not in str(error):
            raise
    except NoAnswer:
        pass
    return _read_sessions()  # one ended between the two answers


def _read_sessions() -> dict[str, tuple[str, str]]:
    listed = run_tool(["loginctl", "list-sessions", "--no-legend", "--no-pager"], SECONDS)
    idents = parse_list(listed)[:MAX_SESSIONS]
    if not idents:
        return {}
    shown = parse_shown(run_tool([*SHOW, *idents], SECONDS))
    silent = [ident for ident in idents if ident not in shown]
    if silent:
        raise NoAnswer(silent)
    return shown


def parse_list(text: str) -> list[str]:
    """Return the ids in loginctl's table."""
    words = [line.split()[:1] for line in text.split("\n")]
    return [word[0] for word in words if word and word[0].isalnum() and len(word[0]) <= MAX_ID]


def parse_shown(text: str) -> dict[str, tuple[str, str]]:
    """Return class and state by id from what `loginctl show-session` printed."""
    shown = parse_units(text).items()
    return {ident: (one["Class"], one.get("State", "")) for ident, one in shown if one.get("Class")}
