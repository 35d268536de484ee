"""What a message of a program says."""

from __future__ import annotations

from textfile_users.auth.patterns import UNMATCHED, first_finding, number
from textfile_users.auth.programs import PROGRAMS
from textfile_users.auth_event import NOTHING, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from textfile_users.auth.patterns import Forms

# How lines of sshd begin that say nothing new of a connection that has decided already; of a
# refused key neither where another line holds the attempt open.
KEY = b"Failed publickey "
ENDS = (
    b"Connection closed",
    b"Connection reset",
    b"Disconnect",
    b"Received disconnect ",
    b"PAM ",
    KEY,
)
_REPEATED = b"message repeated "
# What PAM says of their attempts they say themselves.
_SPEAK_THEMSELVES = (b"sshd", b"sshd-session", b"sshd-auth", b"dropbear")
_LEVELS = (b"error:", b"fatal:")
# The patterns of the programs that were met, by the first word of a message.
_tables: dict[bytes, Forms] = {}


def find(program: bytes, message: bytes) -> Finding:
    """Return what a ``message`` of ``program``, one of PROGRAMS or OTHER, says."""
    table = _tables.get(program) or _table(program)
    word = message.partition(b" ")[0]
    for finder in table.get(word, ()):
        said = finder(message)
        if said is not None:
            return said
    return _find_unusual(table, program, word, message)


def _find_unusual(table: Forms, program: bytes, word: bytes, message: bytes) -> Finding:
    if word.startswith(b"pam_"):
        if program in _SPEAK_THEMSELVES:
            return NOTHING
        from textfile_users.auth.pam_modules import find_pam

        return find_pam(program, word, message)
    if not PROGRAMS.get(program) and not message.startswith(_REPEATED):
        return NOTHING  # of a program of which PAM alone tells
    found = first_finding(table.get(b"", ()), message)
    if found is UNMATCHED and word in _LEVELS:
        inner = message[len(word) + 1 :]
        found = first_finding(table.get(inner.partition(b" ")[0], ()), inner)
        if found is UNMATCHED:
            found = first_finding(table.get(b"fatal", ()) if word == b"fatal:" else (), message)
    if found is UNMATCHED and message.startswith(_REPEATED):
        return _repeated(program, message)
    return found


def _repeated(program: bytes, message: bytes) -> Finding:
    """Return what ``message repeated N times: [ MESSAGE]``, as rsyslog writes it, says."""
    times, bracket, inner = message[len(_REPEATED) :].partition(b" times: [")
    if not (bracket and times.isdigit() and inner.endswith(b"]")):
        return UNMATCHED
    inner = inner[:-1].lstrip(b" ")
    if inner.startswith(_REPEATED):
        return UNMATCHED
    said = find(program, inner)
    return said if said in (UNMATCHED, NOTHING) else said._replace(times=number(times))


def _table(program: bytes) -> Forms:
    """Return a program's patterns; their modules are imported when a host has the program."""
    from textfile_users.auth.pam import pam_forms

    module = PROGRAMS.get(program)
    own: Forms = {}
    if module:
        own = __import__(f"textfile_users.auth.{module}", fromlist=["FORMS"]).FORMS
    pam = pam_forms(program)
    both = {word: (*own[word], *pam[word]) for word in pam if word in own}
    table = _tables[program] = {b"": (), **own, **pam, **both}
    return table
