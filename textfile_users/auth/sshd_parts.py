"""What sshd's messages consist of, and the findings they make."""

from __future__ import annotations

from textfile_users.auth.patterns import END, INVALID, address, name, number
from textfile_users.auth_event import Finding
from textfile_users.record import quick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from re import Match

# The label `method` of what sshd writes; others are `other`.
METHODS = {
    b"password": "password",
    b"publickey": "publickey",
    b"keyboard-interactive": "keyboard-interactive",
    b"keyboard-interactive/pam": "keyboard-interactive",
    b"keyboard-interactive/bsdauth": "keyboard-interactive",
    b"challenge-response": "keyboard-interactive",
    b"challenge-response/pam": "keyboard-interactive",
    b"gssapi-with-mic": "gssapi",
    b"gssapi-keyex": "gssapi",
    b"gssapi": "gssapi",
    b"hostbased": "hostbased",
    b"none": "none",
    b"rsa": "publickey",  # of protocol 1
    b"rhosts-rsa": "hostbased",
}
ACCOUNTS = {None: "", b"invalid": "invalid", b"illegal": "invalid", b"authenticating": "valid"}
PLACE = rb"(?P<address>\S+) port (?P<port>\d{1,5})"
USER = rb"(?:(?P<account>authenticating|invalid) user (?P<user>.*) )?"
PREAUTH = rb"(?: \[preauth\])?"


def user_name(text: bytes | None) -> str:
    """Return a name as sshd got it: it writes messages by vis(3), which doubles a backslash."""
    if text and b"\\" in text:  # a domain's user
        text = unvis(text)
    return name(text)


def unvis(text: bytes) -> bytes:
    """Return what vis(3) made ``text`` of: a backslash is doubled, other bytes are octal."""
    import re

    return re.sub(rb"\\(?:\\|([0-3][0-7]{2}))", _byte_of, text)


def _byte_of(match: Match[bytes]) -> bytes:
    return bytes((int(match[1], 8),)) if match[1] else b"\\"


def tried(match: Match[bytes]) -> Finding:
    """Return the attempt of a match's user that a line holds open."""
    said = match.groupdict()
    ip, host = address(said.get("address"))
    account = "invalid" if said.get("invalid") else "valid"
    user, port = user_name(said.get("user")), number(said.get("port"))
    return quick(Finding, (INVALID, "sshd", "", user, account, ip, host, port, 1, "", "", "", 0))


def end(kind: str, event: str = END) -> Callable[[Match[bytes]], Finding]:
    """Return what makes the end of a connection of a match that may name the peer and user."""

    def make(match: Match[bytes]) -> Finding:
        said = match.groupdict()
        ip, host = address(said.get("address"))
        account = ACCOUNTS[said.get("account")]
        user, port, pid = (
            user_name(said.get("user")),
            number(said.get("port")),
            number(said.get("pid")),
        )
        return Finding(event, "sshd", "", user, account, ip, host, port, 1, "", "", kind, pid)

    return make
