"""sshd of OpenSSH 3 to 10.6 (its auth.c, auth2.c, monitor.c, packet.c): what is logged most.

A client chooses the user name and may write a whole message into it. So patterns are
anchored at both ends and take the address from where sshd puts it: the last one where the
line ends behind it, the first one where free text follows (then the name is an account's).
What few hosts see stands in sshd_seldom.py, what says nothing in sshd_known.py.
"""

from __future__ import annotations

from textfile_users.auth.patterns import (
    INVALID,
    Pattern,
    address,
    forms,
    irrelevant,
    joined,
    number,
)
from textfile_users.auth.sshd_closing import CLOSING
from textfile_users.auth.sshd_parts import (
    METHODS,
    PREAUTH,
    tried,
    user_name,
)
from textfile_users.auth.sshd_plain import (
    plain_accepted,
    plain_connection,
    plain_disconnected,
    plain_failed,
    plain_invalid,
    plain_received,
)
from textfile_users.auth_event import FAILURE, NOTHING, SUCCESS, Finding
from textfile_users.record import quick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match


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


def _tried_with_certificate(match: Match[bytes]) -> Finding:
    """Return the attempt of a name that is no account's, with a key that has a text of its own.

    The client chooses both, and either may look like the peer's place: then an earlier line has it.
    """
    if b" port " not in match["user"]:
        return tried(match)
    return NOTHING._replace(event=INVALID, service="sshd", account="invalid")


def _seldom(message: bytes) -> Finding | None:
    """Return what a message says that has no pattern here; those are imported with the first."""
    from textfile_users.auth.sshd_seldom import find

    return find(message, FORMS)


# Old releases do not tell the port, nor those before 2.3 the protocol.
_FROM = rb" from (\S+)(?: port (\d{1,5}))?(?: ssh[12]?)?"

FORMS = joined(
    forms(
        (b"Accepted", plain_accepted),
        (b"Failed", plain_failed),
        (b"Invalid", plain_invalid),
        (b"Connection", plain_connection),
        (b"Disconnected", plain_disconnected),
        (b"Received", plain_received),
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
                rb" from (?P<address>\S+)(?: port (?P<port>\d{1,5}))?(?: ssh[12]?)?(?:: .*)?"
                + PREAUTH,
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
    ),
    CLOSING,
)
