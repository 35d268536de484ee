"""Finders for the most frequent messages of sshd: what the patterns say, without `re`.

A name in them is a plain word and the peer an address, at a third of the patterns' cost. What is
not plain is the patterns' business.
"""

from __future__ import annotations

from textfile_users.auth.patterns import END, INVALID, PEER, address, name
from textfile_users.auth.sshd_parts import ACCOUNTS, user_name
from textfile_users.auth_event import FAILURE, NOTHING, SUCCESS, Finding
from textfile_users.record import quick

_PREAUTH_END = b" [preauth]"
_PLAIN_METHODS = {b"password": "password", b"keyboard-interactive/pam": "keyboard-interactive"}


def _plain(
    event: str, how: str, user: bytes, account: str, where: bytes, port: bytes, kind: str = ""
) -> Finding | None:
    ip = address(where)[0]
    if not ip or not port.isdigit() or len(port) > 5:
        return None
    who = user_name(user) if b"\\" in user else name(user)
    said = event, "sshd", how, who, account, ip, "", int(port), 1, "", "", kind, 0
    return quick(Finding, said)


def plain_accepted(message: bytes) -> Finding | None:
    """Return a login, None for another form."""
    words = message.split(b" ", 9)
    if len(words) < 9:
        return None
    method, user, where, port = words[1], words[3], words[5], words[7]
    if words[2] != b"for" or words[4] != b"from" or words[6] != b"port":
        return None
    if method == b"publickey":
        return (
            _plain(SUCCESS, "publickey", user, "valid", where, port)
            if words[8] == b"ssh2:" and len(words) == 10
            else None
        )
    if method not in _PLAIN_METHODS or words[8:] != [b"ssh2"]:
        return None
    return _plain(SUCCESS, _PLAIN_METHODS[method], user, "valid", where, port)


def plain_failed(message: bytes) -> Finding | None:
    """Return a refused password or key, None for another form."""
    words = message.split(b" ")
    if words[1:2] == [b"publickey"]:
        return plain_key(message)
    account = "valid"
    if len(words) == 11 and words[3] == b"invalid" and words[4] == b"user":
        del words[3:5]
        account = "invalid"
    if len(words) != 9 or words[1] not in _PLAIN_METHODS or words[8] != b"ssh2":
        return None
    if words[2] != b"for" or words[4] != b"from" or words[6] != b"port":
        return None
    return _plain(FAILURE, _PLAIN_METHODS[words[1]], words[3], account, words[5], words[7])


def plain_key(message: bytes) -> Finding | None:
    """Return the attempt that a refused key is; behind `ssh2:` stands the key, a text of its own."""
    words = message.split(b" ", 11)
    account = "valid"
    if words[3:5] == [b"invalid", b"user"] and words[6:7] == [b"from"]:
        del words[3:5]
        account = "invalid"
    if len(words) < 9 or (words[8:] != [b"ssh2"] and words[8] != b"ssh2:"):
        return None
    if words[2] != b"for" or words[4] != b"from" or words[6] != b"port":
        return None
    if account == "invalid" and b" port " in message[message.find(b" ssh2") :]:
        return None
    return _plain(INVALID, "", words[3], account, words[5], words[7])


def plain_invalid(message: bytes) -> Finding | None:
    """Return a name that no account has, None for another form."""
    words = message.split(b" ")
    if len(words) != 7 or words[1] != b"user" or words[3] != b"from" or words[5] != b"port":
        return None
    return _plain(INVALID, "", words[2], "invalid", words[4], words[6])


def plain_connection(message: bytes) -> Finding | None:
    """Return where a connection is from, or that it has ended, None for another form."""
    if message.startswith(b"Connection from "):
        words = message.split(b" ", 6)
        if len(words) < 6 or words[3] != b"port" or words[5] != b"on":
            return None
        return _plain(PEER, "", b"", "", words[2], words[4])
    if not message.startswith((b"Connection closed by ", b"Connection reset by ")):
        return None
    return plain_end(message.split(b" ")[3:], "closed" if message[11:12] == b"c" else "reset")


def plain_disconnected(message: bytes) -> Finding | None:
    """Return that sshd has ended a connection, None for another form."""
    if not message.startswith(b"Disconnected from "):
        return None
    return (
        plain_end(message.split(b" ")[2:], "closed") if message.endswith(_PREAUTH_END) else NOTHING
    )


def plain_received(message: bytes) -> Finding | None:
    """Return that a client has ended its connection, None for another form."""
    if not message.startswith(b"Received disconnect from "):
        return None
    words = message.split(b" ", 6)
    if len(words) < 6 or words[4] != b"port":
        return None
    if not message.endswith(_PREAUTH_END):
        return NOTHING
    port, _, code = words[5].partition(b":")
    if not code[:-1].isdigit() or code[-1:] != b":":
        return None
    return _plain(END, "", b"", "", words[3], port, "closed")


def plain_end(words: list[bytes], kind: str) -> Finding | None:
    """Return the end that ``[authenticating|invalid user NAME] ADDRESS port N [preauth]`` is."""
    user, account = b"", ""
    if len(words) == 7 and words[0] in ACCOUNTS and words[1] == b"user":
        user, account = words[2], ACCOUNTS[words[0]]
        del words[:3]
    if len(words) != 4 or words[1] != b"port" or words[3] != b"[preauth]":
        return None
    return _plain(END, "", user, account, words[0], words[2], kind)
