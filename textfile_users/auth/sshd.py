"""sshd of OpenSSH 3 to 10.6 (its auth.c, auth2.c, monitor.c, packet.c): what is logged most.

A client chooses the user name and may write a whole message into it. So patterns are
anchored at both ends and take the address from where sshd puts it: the last one where the
line ends behind it, the first one where free text follows (then the name is an account's).
What few hosts see stands in sshd_seldom.py, what says nothing in sshd_known.py.
"""

from __future__ import annotations

from textfile_users.auth.finding import (
    END,
    INVALID,
    PEER,
    Pattern,
    address,
    forms,
    irrelevant,
    name,
    number,
)
from textfile_users.auth_event import FAILURE, NOTHING, SUCCESS, Finding
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
_ACCOUNTS = {None: "", b"invalid": "invalid", b"illegal": "invalid", b"authenticating": "valid"}


def user_name(text: bytes | None) -> str:
    """Return a name as sshd got it: it writes messages by vis(3), which doubles a backslash."""
    if text and b"\\" in text:  # a domain's user
        from textfile_users.auth.sshd_seldom import unvis

        text = unvis(text)
    return name(text)


def _accepted(match: Match[bytes]) -> Finding:
    method, user, where, port = match.groups()
    ip, host = address(where)
    how = METHODS.get(method, "other")
    said = SUCCESS, "sshd", how, user_name(user), "valid", ip, host, number(port), 1, "", "", "", 0
    return quick(Finding, said)


def _failed(match: Match[bytes]) -> Finding:
    method, invalid, user, where, port = match.groups()
    ip, host = address(where)
    account = "invalid" if invalid else "valid"
    how = METHODS.get(method, "other")
    said = FAILURE, "sshd", how, user_name(user), account, ip, host, number(port), 1, "", "", "", 0
    return quick(Finding, said)


def _failed_with_text(match: Match[bytes]) -> Finding:
    """Return a failure behind which stands what the client says of itself.

    Of a name that is no account's both may look like the peer's place: then an earlier line has it.
    """
    method, invalid, user, where, port, text = match.groups()
    ip, host = address(where)
    how, account = METHODS.get(method, "other"), "invalid" if invalid else "valid"
    said = FAILURE, "sshd", how, user_name(user), account, ip, host, int(port), 1, "", "", "", 0
    if invalid and b" port " in text:
        said = FAILURE, "sshd", how, "", account, "", "", 0, 1, "", "", "", 0
    return quick(Finding, said)


def _invalid(match: Match[bytes]) -> Finding:
    user, where, port = match.groups()
    ip, host = address(where)
    fields = (
        INVALID,
        "sshd",
        "",
        user_name(user),
        "invalid",
        ip,
        host,
        number(port),
        1,
        "",
        "",
        "",
        0,
    )
    return quick(Finding, fields)


def tried(match: Match[bytes]) -> Finding:
    """Return the attempt of a match's user that a line holds open."""
    said = match.groupdict()
    ip, host = address(said.get("address"))
    account = "invalid" if said.get("invalid") else "valid"
    user, port = user_name(said.get("user")), number(said.get("port"))
    return quick(Finding, (INVALID, "sshd", "", user, account, ip, host, port, 1, "", "", "", 0))


def _tried_with_certificate(match: Match[bytes]) -> Finding:
    """Return the attempt of a name that is no account's, with a key that has a text of its own.

    The client chooses both, and either may look like the peer's place: then an earlier line has it.
    """
    if b" port " not in match["user"]:
        return tried(match)
    return NOTHING._replace(event=INVALID, service="sshd", account="invalid")


def end(kind: str, event: str = END) -> Callable[[Match[bytes]], Finding]:
    """Return what makes the end of a connection of a match that may name the peer and user."""

    def make(match: Match[bytes]) -> Finding:
        said = match.groupdict()
        ip, host = address(said.get("address"))
        account = _ACCOUNTS[said.get("account")]
        user, port, pid = (
            user_name(said.get("user")),
            number(said.get("port")),
            number(said.get("pid")),
        )
        return Finding(event, "sshd", "", user, account, ip, host, port, 1, "", "", kind, pid)

    return make


def _end_by_peer(match: Match[bytes]) -> Finding:
    word, account, user, where, port = match.groups()
    ip, host = address(where)
    kind = "reset" if word == b"reset" else "closed"
    of = _ACCOUNTS[account]
    fields = END, "sshd", "", user_name(user), of, ip, host, number(port), 1, "", "", kind, 0
    return quick(Finding, fields)


def _peer(match: Match[bytes]) -> Finding:
    ip, host = address(match["address"])
    fields = PEER, "sshd", "", "", "", ip, host, int(match["port"]), 1, "", "", "", 0
    return quick(Finding, fields) if ip else NOTHING


# Beside the patterns stand finders for the most frequent messages, in which a name is a plain
# word and the peer an address: they say what the patterns do, without `re`, at a third of
# the cost. What is not plain is the patterns' business.
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


def _plain_accepted(message: bytes) -> Finding | None:
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


def _plain_failed(message: bytes) -> Finding | None:
    words = message.split(b" ")
    if words[1:2] == [b"publickey"]:
        return _plain_key(message)
    account = "valid"
    if len(words) == 11 and words[3] == b"invalid" and words[4] == b"user":
        del words[3:5]
        account = "invalid"
    if len(words) != 9 or words[1] not in _PLAIN_METHODS or words[8] != b"ssh2":
        return None
    if words[2] != b"for" or words[4] != b"from" or words[6] != b"port":
        return None
    return _plain(FAILURE, _PLAIN_METHODS[words[1]], words[3], account, words[5], words[7])


def _plain_key(message: bytes) -> Finding | None:
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


def _plain_invalid(message: bytes) -> Finding | None:
    words = message.split(b" ")
    if len(words) != 7 or words[1] != b"user" or words[3] != b"from" or words[5] != b"port":
        return None
    return _plain(INVALID, "", words[2], "invalid", words[4], words[6])


def _plain_connection(message: bytes) -> Finding | None:
    if message.startswith(b"Connection from "):
        words = message.split(b" ", 6)
        if len(words) < 6 or words[3] != b"port" or words[5] != b"on":
            return None
        return _plain(PEER, "", b"", "", words[2], words[4])
    if not message.startswith((b"Connection closed by ", b"Connection reset by ")):
        return None
    return _plain_end(message.split(b" ")[3:], "closed" if message[11:12] == b"c" else "reset")


def _plain_disconnected(message: bytes) -> Finding | None:
    if not message.startswith(b"Disconnected from "):
        return None
    return (
        _plain_end(message.split(b" ")[2:], "closed") if message.endswith(_PREAUTH_END) else NOTHING
    )


def _plain_received(message: bytes) -> Finding | None:
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


def _seldom(message: bytes) -> Finding | None:
    """Return what a message says that has no pattern here; those are imported with the first."""
    from textfile_users.auth.sshd_seldom import find

    return find(message)


def _plain_end(words: list[bytes], kind: str) -> Finding | None:
    """Return the end that ``[authenticating|invalid user NAME] ADDRESS port N [preauth]`` is."""
    user, account = b"", ""
    if len(words) == 7 and words[0] in _ACCOUNTS and words[1] == b"user":
        user, account = words[2], _ACCOUNTS[words[0]]
        del words[:3]
    if len(words) != 4 or words[1] != b"port" or words[3] != b"[preauth]":
        return None
    return _plain(END, "", user, account, words[0], words[2], kind)


PLACE = rb"(?P<address>\S+) port (?P<port>\d{1,5})"
USER = rb"(?:(?P<account>authenticating|invalid) user (?P<user>.*) )?"
PREAUTH = rb"(?: \[preauth\])?"
# Old releases do not tell the port, nor those before 2.3 the protocol.
_FROM = rb" from (\S+)(?: port (\d{1,5}))?(?: ssh[12]?)?"

FORMS = forms(
    (b"Accepted", _plain_accepted),
    (b"Failed", _plain_failed),
    (b"Invalid", _plain_invalid),
    (b"Connection", _plain_connection),
    (b"Disconnected", _plain_disconnected),
    (b"Received", _plain_received),
    (b"", _seldom),
    # + Accepted password for alice from 192.0.2.7 port 38926 ssh2
    # = sshd success method=password user=alice account=valid ip=192.0.2.7 port=38926
    # + Accepted keyboard-interactive/pam for alice from 2001:db8::7 port 38926 ssh2
    # = sshd success method=keyboard-interactive user=alice account=valid ip=2001:db8::7 port=38926
    # + Accepted password for rootkit from 192.0.2.7 port 38926 ssh2
    # = sshd success method=password user=rootkit account=valid ip=192.0.2.7 port=38926
    # + Accepted keyboard-interactive for alice from 192.0.2.7 port 38926 ssh2
    # + Accepted challenge-response for alice from 192.0.2.7 port 38926 ssh
    # + Accepted challenge-response/pam for alice from 192.0.2.7 port 38926
    # = sshd success method=keyboard-interactive user=alice account=valid ip=192.0.2.7 port=38926
    # + Accepted none for x from 192.0.2.9 port 1 from 192.0.2.7 port 38926 ssh2
    # = sshd success method=none user='x from 192.0.2.9 port 1' account=valid ip=192.0.2.7 port=38926
    # + Accepted password for alice from 192.0.2.7 ssh2
    # + Accepted password for alice from 192.0.2.7
    # = sshd success method=password user=alice account=valid ip=192.0.2.7
    # - Accepted password for alice from 192.0.2.7 port 38926 ssh2 192.0.2.8
    # - Accepted password for alice from 192.0.2.7 port 389261 ssh2
    # - Accepted password for alice from 192.0.2.7 port x ssh2
    # - Accepted password for alice from 192.0.2.7 192.0.2.8 port 38926 ssh2
    # - Accepted password for alice
    # - Accepted publickey for alice from 192.0.2.7 port 1 ssh2: x from 192.0.2.9 port 1 ssh2
    # - Accepted keyboard-interactive/pam x for alice from 2001:db8::7 port 38926 ssh2
    # - Accepted keyboard-interactive/ for alice from 2001:db8::7 port 38926 ssh2
    # - Accepted challenge-response/pam x for alice from 192.0.2.7 port 38926
    # - Accepted challenge-response/ for alice from 192.0.2.7 port 38926
    # - Accepted password for alice from  port 38926 ssh2
    # - Accepted password for alice from 192.0.2.7 port 38926 sshx
    (
        b"Accepted",
        Pattern(
            rb"Accepted (password|none|keyboard-interactive(?:/\w+)?|challenge-response(?:/\w+)?)"
            rb" for (.*)" + _FROM,
            _accepted,
        ),
    ),
    # Behind `ssh2:` stands free text, of which a certificate's holder chooses some.
    # + Accepted publickey for alice from 192.0.2.7 port 22 ssh2: ED25519 SHA256:abc
    # + Accepted publickey for alice from 192.0.2.7 port 22 ssh2: RSA-CERT ID x from 192.0.2.9 port 1 ssh2 (serial 0) CA RSA SHA256:abc
    # = sshd success method=publickey user=alice account=valid ip=192.0.2.7 port=22
    # + Accepted gssapi-with-mic for alice from 192.0.2.7 port 22 ssh2: alice@EXAMPLE.ORG
    # = sshd success method=gssapi user=alice account=valid ip=192.0.2.7 port=22
    # + Accepted hostbased for alice from 192.0.2.7 port 22 ssh2: RSA SHA256:abc, client user "a", client host "b"
    # = sshd success method=hostbased user=alice account=valid ip=192.0.2.7 port=22
    # + Accepted publickey for alice from 192.0.2.7 port 22 ssh2
    # + Accepted publickey for alice from 192.0.2.7 port 22 ssh: x from 192.0.2.9 port 1 ssh2: y
    # = sshd success method=publickey user=alice account=valid ip=192.0.2.7 port=22
    # OpenSSH 3's auth1.c, and that of 6.
    # + Accepted rhosts-rsa for alice from 192.0.2.7 port 1023 ruser x from 192.0.2.9 port 1
    # + Accepted rhosts-rsa for alice from 192.0.2.7 port 1023 ssh1: ruser alice
    # = sshd success method=hostbased user=alice account=valid ip=192.0.2.7 port=1023
    # + Accepted rsa for alice from 192.0.2.7 port 22 ssh
    # = sshd success method=publickey user=alice account=valid ip=192.0.2.7 port=22
    # - Accepted publickey for alice from 192.0.2.7 port 22
    # - Accepted publickey for alice from 192.0.2.7 port 221221 ssh2
    # - Accepted publickey for alice from 192.0.2.7 port x ssh2
    # - Accepted publickey x for alice from 192.0.2.7 port 22 ssh2
    # - Accepted publickey for alice from 192.0.2.7 192.0.2.8 port 22 ssh2
    # - accepted publickey for alice from 192.0.2.7 port 22 ssh2
    # - Accepted  for alice from 192.0.2.7 port 22 ssh2: ED25519 SHA256:abc
    # - Accepted publickey for alice from  port 22 ssh2: ED25519 SHA256:abc
    # - Accepted publickey for alice from 192.0.2.7 port 22 sshx: ED25519 SHA256:abc
    (
        b"Accepted",
        Pattern(
            rb"Accepted ([\w/-]+) for (.*?) from (\S+) port (\d{1,5})"
            rb"(?: ssh[12]?(?:: .*)?| ruser .*)",
            _accepted,
        ),
    ),
    # Protocol 1: `ruser` is the client's word (auth1.c of OpenSSH 3; behind `ssh1:` that of 6).
    # + Failed password for alice from 192.0.2.7 port 22 ssh1: ruser x from 192.0.2.9 port 1 ssh2
    # = sshd failure method=password user=alice account=valid ip=192.0.2.7 port=22
    # + Failed rhosts-rsa for alice from 192.0.2.7 port 1023 ruser bob
    # = sshd failure method=hostbased user=alice account=valid ip=192.0.2.7 port=1023
    # + Failed password for invalid user x from 192.0.2.7 port 22 ssh1: ruser bob
    # + Failed password for illegal user x from 192.0.2.7 port 22 ruser bob
    # = sshd failure method=password user=x account=invalid ip=192.0.2.7 port=22
    # - Failed password for invalid user x from 192.0.2.9 port 1 ssh1: ruser y from 192.0.2.7 port 22 ssh2
    # - Failed password for alice from 192.0.2.7 port 221221 ruser bob
    # - Failed password for alice from 192.0.2.7 port x ruser bob
    # - Failed password for alice from 192.0.2.7 192.0.2.8 port 22 ruser bob
    # - Failed password for alice from 192.0.2.7 port 22 ssh2
    # - Failed publickey for alice from 192.0.2.7 port 22 ruser bob
    # - Failed none for alice from 192.0.2.7 port 22 ruser bob
    # - Failed password for illegal user x from 192.0.2.9 port 1 ssh1: ruser y from 192.0.2.7 port 22 ssh2
    # - Failed password x for alice from 192.0.2.7 port 22 ssh1: ruser x from 192.0.2.9 port 1 ssh2
    # - Failed  for alice from 192.0.2.7 port 22 ssh1: ruser x from 192.0.2.9 port 1 ssh2
    # - Failed password for invalid user x x from 192.0.2.7 port 22 ssh1: ruser bob
    # - Failed password for invalid user x from 192.0.2.7 port 22 ssh1: ruser bob port 22 ssh1: ruser bob
    # - Failed password for alice from  port 22 ssh1: ruser x from 192.0.2.9 port 1 ssh2
    # - Failed rsa for alice from 192.0.2.7 port 1023 ruser bob
    (
        b"Failed",
        Pattern(
            rb"Failed (?!publickey |rsa |none )([\w/-]+) for (?:((?:invalid|illegal) user )(?=\S* from"
            rb" \S+ port \d{1,5}(?: ssh1:)? ruser \S*\Z)|(?!(?:invalid|illegal) user ))"
            rb"(.*?) from (\S+) port (\d{1,5})(?: ssh1:)? ruser .*",
            _failed,
        ),
    ),
    # + Failed password for root from 192.0.2.7 port 38926 ssh2
    # = sshd failure method=password user=root account=valid ip=192.0.2.7 port=38926
    # + Failed password for rootbeer from 192.0.2.7 port 38926 ssh2
    # = sshd failure method=password user=rootbeer account=valid ip=192.0.2.7 port=38926
    # + Failed password for invalid user  from 192.0.2.7 port 38926 ssh2
    # = sshd failure method=password account=invalid ip=192.0.2.7 port=38926
    # + Failed password for illegal user guest from ::ffff:192.0.2.7 port 38926
    # = sshd failure method=password user=guest account=invalid ip=192.0.2.7 port=38926
    # + Failed password for invalid user root from 192.0.2.1 port 22 ssh2 from 192.0.2.7 port 1 ssh2
    # = sshd failure method=password user='root from 192.0.2.1 port 22 ssh2' account=invalid ip=192.0.2.7 port=1
    # + Failed keyboard-interactive/pam for alice from host.example port 2 ssh2
    # = sshd failure method=keyboard-interactive user=alice account=valid host=host.example port=2
    # + Failed gssapi-with-mic for alice from 192.0.2.7 port 2 ssh2
    # = sshd failure method=gssapi user=alice account=valid ip=192.0.2.7 port=2
    # + Failed hostbased for invalid user x from 192.0.2.9 port 1 ssh2: y from 192.0.2.7 port 2 ssh
    # = sshd failure method=hostbased user='x from 192.0.2.9 port 1 ssh2: y' account=invalid ip=192.0.2.7 port=2
    # + Failed password for invalid user x from 192.0.2.7 port 2 ssh2 [preauth]
    # = sshd failure method=password user=x account=invalid ip=192.0.2.7 port=2
    # + Failed password for root from 192.0.2.7 ssh2
    # + Failed password for root from 192.0.2.7
    # = sshd failure method=password user=root account=valid ip=192.0.2.7
    # - Failed password for root from 192.0.2.7 port 38926 ssh2: and more
    # - Failed password for root from 192.0.2.7 port x ssh2
    # - Failed password for root from 192.0.2.7 192.0.2.8 port 38926 ssh2
    # - Failed password x for root from 192.0.2.7 port 38926 ssh2
    # - Failed password for root from 192.0.2.7 port 389261 ssh2
    # - Failed password for root
    # - Failed publickey for root from 192.0.2.7 port 22 ssh2
    # - Failed rsa for root from 192.0.2.7 port 22 ssh1
    # - Failed none for root from 192.0.2.7 port 22 ssh2
    # - Failed  for root from 192.0.2.7 port 38926 ssh2
    (
        b"Failed",
        Pattern(
            rb"Failed (?!publickey |rsa |none )([\w/-]+) for ((?:invalid|illegal) user )?(.*)"
            + _FROM
            + PREAUTH,
            _failed,
        ),
    ),
    # Behind a name that is no account's stands a key and its fingerprint, SHA256 or MD5, or nothing.
    # + Failed publickey for invalid user x from 192.0.2.7 port 22 ssh2: ED25519 SHA256:a+b/c
    # + Failed publickey for illegal user x from 192.0.2.7 port 22 ssh2: RSA 8c:e3:00
    # + Failed rsa for invalid user x from 192.0.2.7 port 22 ssh1
    # + Failed publickey for illegal user x from 192.0.2.7 port 22 ssh: RSA 8c:e3:00
    # + Failed publickey for invalid user x from 192.0.2.7 port 22 ssh2 [preauth]
    # = sshd 'invalid user' user=x account=invalid ip=192.0.2.7 port=22
    # + Failed publickey for invalid user x from 192.0.2.9 port 1 ssh2 from 192.0.2.7 port 22 ssh2
    # = sshd 'invalid user' user='x from 192.0.2.9 port 1 ssh2' account=invalid ip=192.0.2.7 port=22
    # + Failed publickey for invalid user x from 192.0.2.9 port 1 ssh2: RSA SHA256:a from 192.0.2.7 port 22 ssh2: RSA SHA256:b
    # = sshd 'invalid user' user='x from 192.0.2.9 port 1 ssh2: RSA SHA256:a' account=invalid ip=192.0.2.7 port=22
    # + Failed publickey for invalid user  from 192.0.2.7
    # = sshd 'invalid user' account=invalid ip=192.0.2.7
    # - Failed publickey for invalid user x from 192.0.2.7 port 22 ssh2: RSA-CERT SHA256:a ID x from 192.0.2.9 port 1 ssh2 (serial 0) CA RSA SHA256:b
    # - Failed publickey for alice from 192.0.2.7 port 22 ssh2
    # - Failed publickey for invalid user x from 192.0.2.7 port 221221 ssh2
    # - Failed publickey for invalid user x from 192.0.2.7 port x ssh2
    # - Failed publickey for invalid user x from 192.0.2.7 192.0.2.8 port 22 ssh2
    # - Failed password for invalid user x from 192.0.2.7 port 22 ssh2
    # - Failed publickey for invalid user x from  port 22 ssh2: ED25519 SHA256:a+b/c
    # - Failed publickey for invalid user x from 192.0.2.7 port 22 sshx: ED25519 SHA256:a+b/c
    # - Failed publickey for invalid user x from 192.0.2.7 port 22 ssh2:  SHA256:a+b/c
    # - Failed publickey for invalid user x from 192.0.2.7 port 22 ssh2: ED25519 SHA256:
    (
        b"Failed",
        Pattern(
            rb"Failed (?:publickey|rsa) for (?P<invalid>invalid|illegal) user (?P<user>.*)"
            rb" from (?P<address>\S+)(?: port (?P<port>\d{1,5}))?(?: ssh[12]?)?"
            rb"(?:: [\w-]+ (?:SHA256:[\w+/=]+|[\da-f:]+))?" + PREAUTH,
            tried,
        ),
    ),
    # Or a certificate (since 5.4), whose text is the client's.
    # + Failed publickey for invalid user x from 192.0.2.7 port 22 ssh2: RSA-CERT SHA256:a ID y (serial 0) CA RSA SHA256:b
    # = sshd 'invalid user' user=x account=invalid ip=192.0.2.7 port=22
    # + Failed publickey for invalid user x from 192.0.2.7 port 22 ssh2: RSA-CERT SHA256:a ID y from 192.0.2.9 port 1 ssh2: z (serial 0) CA RSA SHA256:b
    # + Failed publickey for invalid user x from 192.0.2.9 port 1 ssh2: y from 192.0.2.7 port 22 ssh2: RSA-CERT SHA256:a ID y (serial 0) CA RSA SHA256:b
    # = sshd 'invalid user' account=invalid
    # + Failed publickey for invalid user  from 192.0.2.7 port 22 ssh2: RSA-CERT SHA256:a ID y (serial 0) CA RSA SHA256:b
    # = sshd 'invalid user' account=invalid ip=192.0.2.7 port=22
    # - Failed publickey for alice from 192.0.2.7 port 22 ssh2: x
    # - Failed publickey for invalid user x from 192.0.2.7
    # - Failed publickey for invalid user x from 192.0.2.7 port 221221 ssh2: x
    # - Failed publickey for invalid user x from 192.0.2.7 port x ssh2: x
    # - Failed publickey for invalid user x from 192.0.2.7 192.0.2.8 port 22 ssh2: x
    # - Failed publickey for invalid user x from  port 22 ssh2: RSA-CERT SHA256:a ID y (serial 0) CA RSA SHA256:b
    # - Failed publickey for invalid user x from 192.0.2.7 port 22 sshx: RSA-CERT SHA256:a ID y (serial 0) CA RSA SHA256:b
    (
        b"Failed",
        Pattern(
            rb"Failed publickey for (?P<invalid>invalid) user (?P<user>.*)"
            rb" from (?P<address>\S+) port (?P<port>\d{1,5}) ssh2: .*",
            _tried_with_certificate,
        ),
    ),
    # An account's name is not the client's to choose.
    # + Failed publickey for root from 192.0.2.7 port 22 ssh2: RSA SHA256:abc
    # + Failed publickey for root from 192.0.2.7 port 22 ssh2
    # + Failed publickey for root from 192.0.2.7 port 22 ssh2: RSA-CERT SHA256:a ID x from 192.0.2.9 port 1 ssh2: y (serial 0) CA RSA SHA256:b
    # + Failed rsa for root from 192.0.2.7 port 22 ssh
    # = sshd 'invalid user' user=root account=valid ip=192.0.2.7 port=22
    # + Failed publickey for EXAMPLE\\alice smith from host.example
    # = sshd 'invalid user' user='EXAMPLE\alice smith' account=valid host=host.example
    # - Failed publickey for invalid user x from 192.0.2.7 port 22 ssh2
    # - Failed publickey for root from 192.0.2.7 port 221221 ssh2
    # - Failed publickey for root from 192.0.2.7 port x ssh2
    # - Failed publickey for root from 192.0.2.7 192.0.2.8 port 22 ssh2
    # - Failed publickey for root
    # - Failed publickey for illegal user x from 192.0.2.7 port 22 ssh2
    # - Failed publickey for root from  port 22 ssh2: RSA SHA256:abc
    # - Failed publickey for root from 192.0.2.7 port 22 sshx: RSA SHA256:abc
    (
        b"Failed",
        Pattern(
            rb"Failed (?:publickey|rsa) for (?!(?:invalid|illegal) user )(?P<user>.*?)"
            rb" from (?P<address>\S+)(?: port (?P<port>\d{1,5}))?(?: ssh[12]?)?(?:: .*)?" + PREAUTH,
            tried,
        ),
    ),
    # How a client asks which methods there are.
    # + Failed none for invalid user  from 192.0.2.7 port 22 ssh2
    # = irrelevant
    # - Failed nonesuch for root from 192.0.2.7 port 22 ssh2
    (b"Failed", Pattern(rb"Failed none for .*", irrelevant)),
    # + Failed hostbased for alice from 192.0.2.7 port 2 ssh2: RSA SHA256:abc, client user "a", client host "b"
    # = sshd failure method=hostbased user=alice account=valid ip=192.0.2.7 port=2
    # + Failed gssapi-with-mic for alice from 192.0.2.7 port 2 ssh: x for y from 192.0.2.9 port 1 ssh2: z
    # = sshd failure method=gssapi user=alice account=valid ip=192.0.2.7 port=2
    # + Failed hostbased for invalid user x from 192.0.2.9 port 1 ssh2: y from 192.0.2.7 port 2 ssh2: RSA SHA256:abc, client user "a", client host "b"
    # = sshd failure method=hostbased account=invalid
    # + Failed hostbased for illegal user x from 192.0.2.7 port 2 ssh: y
    # = sshd failure method=hostbased user=x account=invalid ip=192.0.2.7 port=2
    # - Failed hostbased for alice
    # - Failed hostbased for alice from 192.0.2.7 port 221221 ssh2: x
    # - Failed hostbased for alice from 192.0.2.7 port x ssh2: x
    # - Failed hostbased for alice from 192.0.2.7 192.0.2.8 port 2 ssh2: x
    # - Failed hostbased for alice from  port 2 ssh2: RSA SHA256:abc, client user "a", client host "b"
    # - Failed hostbased for alice from 192.0.2.7 port 2 sshx: RSA SHA256:abc, client user "a", client host "b"
    # - Failed -with-mic for alice from 192.0.2.7 port 2 ssh: x for y from 192.0.2.9 port 1 ssh2: z
    (
        b"Failed",
        Pattern(
            rb"Failed (hostbased|gssapi[\w-]*) for ((?:invalid|illegal) user )?(.*?)"
            rb" from (\S+) port (\d{1,5}) ssh[12]?: (.*)",
            _failed_with_text,
        ),
    ),
    # + Invalid user admin from 192.0.2.7 port 38926
    # = sshd 'invalid user' user=admin account=invalid ip=192.0.2.7 port=38926
    # + Invalid user  from 192.0.2.7
    # = sshd 'invalid user' account=invalid ip=192.0.2.7
    # + Illegal user x from 192.0.2.1 port 22 from 192.0.2.7 port 5
    # + Invalid user x from 192.0.2.1 port 22 from 192.0.2.7 port 5 [preauth]
    # = sshd 'invalid user' user='x from 192.0.2.1 port 22' account=invalid ip=192.0.2.7 port=5
    # - Invalid user admin
    # - Invalid user admin from 192.0.2.7 port 389261
    # - Invalid user admin from 192.0.2.7 port x
    # - Invalid user admin from 192.0.2.7 port 38926 ssh2
    # - Invalid user admin from  port 38926
    (
        b"Invalid Illegal",
        Pattern(
            rb"(?:Invalid|Illegal) user (.*) from (\S+)(?: port (\d{1,5}))?" + PREAUTH, _invalid
        ),
    ),
    # + Connection closed by authenticating user root 192.0.2.7 port 38926 [preauth]
    # = sshd end user=root account=valid ip=192.0.2.7 port=38926 kind=closed
    # + Connection closed by invalid user x 192.0.2.1 port 22 192.0.2.7 port 38926 [preauth]
    # = sshd end user='x 192.0.2.1 port 22' account=invalid ip=192.0.2.7 port=38926 kind=closed
    # + Connection reset by invalid user  192.0.2.7 port 38926 [preauth]
    # = sshd end account=invalid ip=192.0.2.7 port=38926 kind=reset
    # + Connection closed by 192.0.2.7 port 38926
    # = sshd end ip=192.0.2.7 port=38926 kind=closed
    # - Connection closed by user alice 192.0.2.7 port 38926
    # - Connection closed by 192.0.2.7 port 38926 and others
    # - Connection closed by 192.0.2.7 port 389261
    # - Connection closed by 192.0.2.7 port x
    (
        b"Connection",
        Pattern(rb"Connection (closed|reset) by " + USER + PLACE + PREAUTH, _end_by_peer),
    ),
    # The first line of a connection's process, at LogLevel VERBOSE.
    # + Connection from 192.0.2.7 port 38926 on 198.51.100.1 port 22 rdomain ""
    # + Connection from 192.0.2.7 port 38926 on 198.51.100.1 port 22
    # + Connection from 192.0.2.7 port 38926
    # = sshd peer ip=192.0.2.7 port=38926
    # - Connection from 192.0.2.7
    # - Connection from 192.0.2.7 port x
    # - Connection from 192.0.2.7 port 389261 on 198.51.100.1 port 22
    # - Connection from 192.0.2.7 192.0.2.8 port 38926
    # - Connection from 192.0.2.7 port 38926 and others
    (b"Connection", Pattern(rb"Connection from " + PLACE + rb"(?: on .*)?", _peer)),
    # + Disconnected from authenticating user root 192.0.2.7 port 38926 [preauth]
    # = sshd end user=root account=valid ip=192.0.2.7 port=38926 kind=closed
    # + Disconnected from invalid user user bob 192.0.2.7 port 38926 [preauth]
    # = sshd end user='user bob' account=invalid ip=192.0.2.7 port=38926 kind=closed
    # + Disconnected from 192.0.2.7 port 38926 [preauth]
    # = sshd end ip=192.0.2.7 port=38926 kind=closed
    # + Disconnected from invalid user  192.0.2.7 port 38926 [preauth]
    # = sshd end account=invalid ip=192.0.2.7 port=38926 kind=closed
    # - Disconnected from 192.0.2.7 port 38926
    # - Disconnected from 192.0.2.7 port 389261 [preauth]
    # - Disconnected from 192.0.2.7 port x [preauth]
    # - Disconnected from 192.0.2.7 192.0.2.8 port 38926 [preauth]
    (
        b"Disconnected",
        Pattern(rb"Disconnected from " + USER + PLACE + rb" \[preauth\]", end("closed")),
    ),
    # Behind a login, by the user's own process.
    # + Disconnected from user alice 192.0.2.7 port 38926
    # + Disconnected from 192.0.2.7 port 38926
    # = irrelevant
    # - Disconnected
    (b"Disconnected", Pattern(rb"Disconnected from .*", irrelevant)),
    # The text is the client's.
    # + Received disconnect from 192.0.2.7 port 38926:11: Bye Bye [preauth]
    # + Received disconnect from 192.0.2.7 port 38926:11: from 192.0.2.9 port 1:11: x [preauth]
    # + Received disconnect from 192.0.2.7 port 38926:11:  [preauth]
    # = sshd end ip=192.0.2.7 port=38926 kind=closed
    # + Received disconnect from 2001:db8::1: 11: Bye Bye [preauth]
    # = sshd end ip=2001:db8::1 kind=closed
    # - Received disconnect from 192.0.2.7 port 38926:11: disconnected by user
    # - Received disconnect from 192.0.2.7 [preauth]
    # - Received disconnect from 192.0.2.7 port 389261:11: Bye [preauth]
    # - Received disconnect from 192.0.2.7 port x:11: Bye [preauth]
    # - Received disconnect from 192.0.2.7 port 38926:x: Bye [preauth]
    # - Received disconnect from 192.0.2.7 192.0.2.8 port 38926:11: Bye [preauth]
    # - Received disconnect from  port 38926:11: Bye Bye [preauth]
    # - Received disconnect from 192.0.2.7 port 38926:: Bye Bye [preauth]
    # - Received disconnect from 192.0.2.7 port 38926:11 Bye Bye [preauth]
    (
        b"Received",
        Pattern(
            rb"Received disconnect from (?P<address>\S+?)(?: port (?P<port>\d{1,5}):|: )\d+:"
            rb".* \[preauth\]",
            end("closed"),
        ),
    ),
    # Behind a login.
    # + Received disconnect from 192.0.2.7 port 38926:11: disconnected by user
    # + Received disconnect from UNKNOWN port 65535:11: x
    # = irrelevant
    # - Received disconnect from 192.0.2.7: 11: Bye Bye
    # - Received
    (b"Received", Pattern(rb"Received disconnect from (?!\S+: \d).*", irrelevant)),
)
