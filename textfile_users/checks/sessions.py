"""Our sessions against logind's own, which `loginctl` tells."""

from __future__ import annotations

from textfile_users.checks.child import Failed, run_tool
from textfile_users.checks.finding import FAULT, NOTE, OK, Finding, Host
from textfile_users.checks.mends import explain
from textfile_users.model import OK as SOURCE_OK
from textfile_users.sessions import CLASSES, CLOSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SECONDS = 2.0
MAX_SESSIONS = 200  # of which loginctl is asked
MAX_ID = 64


def check_sessions(host: Host, again: Callable[[], tuple[tuple[str, str], ...]]) -> list[Finding]:
    """Return how our sessions compare; ``again`` looks once more, for logins meanwhile."""
    if host.seen is None or host.seen.sources.get("logind", ("",))[0] != SOURCE_OK:
        return []
    if not (host.is_systemd and host.options.paths.is_own_host):
        return []
    try:
        told = read_sessions()
        findings = list(judge_sessions(host.seen.sessions or (), told, explain(host)))
        if findings[0].status != OK:  # who came or went between the two looks
            findings = list(judge_sessions(again(), read_sessions(), explain(host)))
    except Failed as error:
        return [Finding("loginctl", NOTE, str(error))]
    return findings


def judge_sessions(
    ours: tuple[tuple[str, str], ...], told: Mapping[str, tuple[str, str]], look: str
) -> Iterator[Finding]:
    """Yield the sessions of logind that should count and do not, or count and should not.

    ``ours`` are pairs of id and user, ``told`` is class and state by id, ``look`` the
    command that explains a look.
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
        yield Finding("loginctl", FAULT, found, mend)
    if extra:
        found = f"counted, though logind does not take them for people: {' '.join(extra[:9])}"
        yield Finding("loginctl", FAULT, found, mend)
    if not (missing or extra):
        yield Finding("loginctl", OK, f"agrees: sessions {len(counted)}")


def read_sessions() -> dict[str, tuple[str, str]]:
    """Return class and state of logind's sessions by id. Raises Failed.

    The first column is the id in every version; JSON came later, and lacks the class at first.
    """
    try:
        return _read_sessions()
    except Failed as error:
        if "No session" not in str(error):
            raise
        return _read_sessions()  # one ended between the two answers


def _read_sessions() -> dict[str, tuple[str, str]]:
    listed = run_tool(["loginctl", "list-sessions", "--no-legend", "--no-pager"], SECONDS)
    idents = parse_list(listed)[:MAX_SESSIONS]
    if not idents:
        return {}
    argv = ["loginctl", "show-session", "--property=Id,Class,State", *idents]
    return parse_shown(run_tool(argv, SECONDS))


def parse_list(text: str) -> list[str]:
    """Return the ids in loginctl's table."""
    words = [line.split()[:1] for line in text.split("\n")]
    return [word[0] for word in words if word and word[0].isalnum() and len(word[0]) <= MAX_ID]


def parse_shown(text: str) -> dict[str, tuple[str, str]]:
    """Return class and state by id from what `loginctl show-session` printed."""
    shown = {}
    for block in text.split("\n\n"):
        pairs = (line.partition("=") for line in block.strip().split("\n"))
        values = {name: value for name, _, value in pairs}
        if values.get("Id"):
            shown[values["Id"]] = values.get("Class") or "user", values.get("State", "")
    return shown
