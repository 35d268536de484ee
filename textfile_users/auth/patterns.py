"""What one message of an auth log says, and the patterns that find it."""

from __future__ import annotations

from textfile_users.auth_event import NOTHING, Finding
from textfile_users.reading.addresses import parse_ip
from textfile_users.reading.text import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from re import Match

    # Finds what a message says, or None where it has another form.
    Finder = Callable[[bytes], "Finding | None"]
    # The finders of a program by the first word of their messages, those under b"" for any.
    Forms = dict[bytes, tuple[Finder, ...]]

# Findings that only together with others make an event, see attempts.py.
INVALID = "invalid user"
END = "end"
OVER = "over"  # the end of a connection of which it is not said whether somebody logged in
DENIED = "denied"
PEER = "peer"
# Of a program that tells at a connection's end how many attempts it refused, see numbered_refusals.py.
TRIED = "tried"  # one of them, in a line of its own
REJECTED = "rejected"  # one whose address may only come with the end
TOTAL = "total"  # the end; ``target`` is the number, '' where it is not told
# Of a program that numbers its refusals and may tell of the last one twice; ``target`` is the
# number, ``kind`` LAST where the line says that there were too many, AGAIN where it counts already.
NUMBERED = "numbered"
LAST = "last"
PAM_FAILURE = "PAM failure"
PAM_ESCALATION = "PAM escalation"
PAM_ESCALATION_FAILURE = "PAM escalation failure"
# What one module of a PAM stack says, see verdicts.py; kind is MODULE:SERVICE, '' for the stack.
PAM_REFUSED = "PAM refusal"
PAM_ACCEPTED = "PAM acceptance"
PAM_TOLD = "PAM told"  # a refusal that has counted, for lines that follow it
# Of an escalation whose line may not be its last, or does not say to whom, see sudo_targets.py.
PART = "part of an escalation"
REFUSED_PART = "part of a refused escalation"
CONTINUED = "continued"
OPENED = "opened"  # what PAM said of a session
LEFT = "left"  # what may be the end of an escalation, ``kind`` being how its line ends
TOLD = "told"  # an escalation that counts already, and may have such an end
WAITING = frozenset((PART, REFUSED_PART, OPENED))

# Under which name PAM refuses who asks polkit: its helper does not know for what.
ASKED_AS = {"pkexec": "polkit", "run0": "polkit"}

# The kind of an escalation whose line a directory's name makes one of several targets.
UNCLEAR = "unclear"
# That of one which another line of its process, just before it, may have told already.
AGAIN = "again"

MAX_NAME = 256
MAX_COUNT = 1_000_000
_MAX_ORIGINS = 4096


# A message of a known program that no pattern knows.
UNMATCHED = NOTHING._replace(event="unmatched")


class Pattern:
    """The form of a whole message, and what it says; compiled when first needed."""

    __slots__ = ("make", "match", "source")

    def __init__(self, source: bytes, make: Callable[[Match[bytes]], Finding | None]) -> None:
        """Take a regular expression for whole messages, and what makes a match a finding."""
        self.source = source
        self.make = make
        self.match: Callable[[bytes], Match[bytes] | None] = self._compile

    def find(self, message: bytes) -> Finding | None:
        """Return what ``message`` says, None where it has another form."""
        match = self.match(message)
        return self.make(match) if match else None

    def _compile(self, message: bytes) -> Match[bytes] | None:
        import re

        self.match = re.compile(self.source, re.DOTALL).fullmatch
        return self.match(message)


def irrelevant(_: Match[bytes] | bytes) -> Finding:
    """Return that a message, or a match of it, says nothing that counts."""
    return NOTHING


def forms(*finders: tuple[bytes, Pattern | Finder]) -> Forms:
    """Return the table of patterns and finders with the first words of their messages."""
    table: Forms = {}
    for words, one in finders:
        find = one.find if isinstance(one, Pattern) else one
        for word in words.split(b" "):
            table[word] = (*table.get(word, ()), find)
    return table


def joined(*tables: Forms) -> Forms:
    """Return the tables as one: where a message may have forms of two the first one's counts."""
    words = dict.fromkeys(word for table in tables for word in table)
    return {word: tuple([one for table in tables for one in table.get(word, ())]) for word in words}


def first_finding(finders: Iterable[Finder], message: bytes) -> Finding:
    """Return what the first that knows ``message`` makes of it, else UNMATCHED."""
    for find in finders:
        said = find(message)
        if said is not None:
            return said
    return UNMATCHED


def name(text: bytes | None) -> str:
    """Return a name from a log: of bounded length, empty where there is none."""
    return text[:MAX_NAME].decode("utf-8", "backslashreplace") if text else ""


def terminal(text: bytes | None) -> str:
    """Return the name of a terminal from a log, without /dev/; '' where there is none."""
    text = text or b""
    text = text[5:] if text.startswith(b"/dev/") else text
    return "" if text in (b"none", b"???", b"?", b"unknown", b"UNKNOWN") else name(text)


def number(text: bytes | None) -> int:
    """Return digits of a log as a number, 0 where there are none; at most a million."""
    return min(int(text[:9]), MAX_COUNT) if text else 0


def address(text: bytes | None, known: dict[bytes, tuple[str, str]] = {}) -> tuple[str, str]:  # noqa: B006
    """Return the IP address and the host name, one of them empty, that ``text`` is."""
    if not text:
        return "", ""
    found = known.get(text)
    if found is None:
        if len(known) >= _MAX_ORIGINS:
            known.clear()
        host = decode(text[:MAX_NAME])
        ip = parse_ip(host.strip("[]"))
        found = known[text] = (ip, "" if ip or host == "UNKNOWN" else host)
    return found
