"""What dropbear's messages consist of, and the findings they make."""

from __future__ import annotations

from textfile_users.auth.patterns import (
    PEER,
    REJECTED,
    TOTAL,
    TRIED,
    address,
    name,
    number,
)
from textfile_users.auth_event import SESSION_CLOSED, SUCCESS, Finding, finding
from textfile_users.record import quick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match


METHODS = {
    b"password": "password",
    b"pubkey": "publickey",
    b"pam password": "pam",
    b"": "none",
}
# How a connection ended, by the start of what dropbear says.
KINDS = (
    ("Exited normally", "closed"),
    ("Disconnect received", "closed"),
    ("Timeout before auth", "timeout"),
    ("Error reading: Connection reset", "reset"),
    ("Error writing", "reset"),
    ("Bad ", "protocol"),
    ("No matching algo", "protocol"),
    ("Failed to get remote version", "protocol"),
    ("Incompatible remote version", "protocol"),
    ("Integrity error", "protocol"),
    ("Remote closed the connection", "closed"),
)


def where(match: Match[bytes]) -> dict[str, object]:
    """Return the fields of where a message says its peer is."""
    ip, host = address(match["address"])
    return {"ip": ip, "host": host, "port": number(match["port"])}


def accepted(match: Match[bytes]) -> Finding:
    """Return the login that a message tells of."""
    how = METHODS.get(match["method"].lower(), "other")
    ip, host = address(match["address"])
    who = how, name(match["user"]), "valid", ip, host, number(match["port"])
    return quick(Finding, (SUCCESS, "dropbear", *who, 1, "", "", "", 0))


def tried(match: Match[bytes]) -> Finding:
    """Return the attempt that a message tells of."""
    how = METHODS.get(match["method"].lower(), "other")
    user = name(match["user"])
    who = {"user": user, "account": "valid"}
    if user == "<invalid username>":
        who = {"user": "", "account": "invalid"}
    return finding(TRIED, "dropbear", method=how, **who, **where(match))


def unknown(match: Match[bytes]) -> Finding:
    """Return the attempt for a name that no account has."""
    event = TRIED if match["address"] else REJECTED
    return finding(event, "dropbear", method="other", account="invalid", **where(match))


def rejected(match: Match[bytes]) -> Finding:
    """Return the refusal whose address may come with the end."""
    user = name(next(filter(None, match.group("wrong", "shell", "locked", "other")), None))
    who = {"user": user, "account": "valid"}
    return finding(REJECTED, "dropbear", method="password", **who, **where(match))


def over(match: Match[bytes]) -> Finding:
    """Return the end of a connection."""
    said = name(match["why"])
    kind = next((kind for start, kind in KINDS if said.startswith(start)), "other")
    fails = str(number(match["fails"])) if match["fails"] else ""
    user = name(match["user"])
    return finding(TOTAL, "dropbear", user=user, kind=kind, target=fails, **where(match))


def closed(match: Match[bytes]) -> Finding:
    """Return the end of a connection that was closed."""
    return finding(SESSION_CLOSED, "dropbear", user=name(match["user"]))


def peer(match: Match[bytes]) -> Finding:
    """Return where a connection is from."""
    return finding(PEER, "dropbear", **where(match))


PEER_PLACE = rb"(?P<address>\S+):(?P<port>\d{1,5})"
