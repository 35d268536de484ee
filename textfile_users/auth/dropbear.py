"""dropbear (svr-auth.c, svr-authpasswd.c, svr-authpubkey.c, svr-session.c).

It writes addresses as ``address:port``, IPv6 too without brackets.
"""

from __future__ import annotations

from textfile_users.auth.finding import (
    END,
    FAILURE,
    INVALID,
    SESSION_CLOSED,
    SUCCESS,
    Finding,
    Pattern,
    address,
    finding,
    forms,
    irrelevant,
    name,
    number,
)
from textfile_users.record import quick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match

METHODS = {
    b"Password": "password",
    b"password": "password",
    b"Pubkey": "publickey",
    b"PAM password": "pam",
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


def _where(match: Match[bytes]) -> dict[str, object]:
    ip, host = address(match["address"])
    return {"ip": ip, "host": host, "port": number(match["port"])}


def _accepted(match: Match[bytes]) -> Finding:
    how = METHODS.get(match["method"], "other")
    ip, host = address(match["address"])
    who = how, name(match["user"]), "valid", ip, host, number(match["port"])
    return quick(Finding, (SUCCESS, "dropbear", *who, 1, "", "", "", 0))


def _failed(match: Match[bytes]) -> Finding:
    how = METHODS.get(match["method"], "other")
    user = name(match["user"])
    return finding(FAILURE, "dropbear", method=how, user=user, account="valid", **_where(match))


def _invalid(match: Match[bytes]) -> Finding:
    return finding(INVALID, "dropbear", account="invalid", **_where(match))


def _end(match: Match[bytes]) -> Finding:
    said = name(match["why"])
    kind = next((kind for start, kind in KINDS if said.startswith(start)), "other")
    return finding(END, "dropbear", user=name(match["user"]), kind=kind, **_where(match))


def _closed(match: Match[bytes]) -> Finding:
    return finding(SESSION_CLOSED, "dropbear", user=name(match["user"]))


_PEER = rb"(?P<address>\S+):(?P<port>\d{1,5})"

FORMS = forms(
    # + Password auth succeeded for 'root' from 192.0.2.7:4242
    # = dropbear success method=password user=root account=valid ip=192.0.2.7 port=4242
    # + Pubkey auth succeeded for 'alice' with key sha1!! aa:bb from 2001:db8::7:4242
    # = dropbear success method=publickey user=alice account=valid ip=2001:db8::7 port=4242
    # + Pubkey auth succeeded for 'alice' with ssh-ed25519 key SHA256:abc from 192.0.2.7:4242
    # = dropbear success method=publickey user=alice account=valid ip=192.0.2.7 port=4242
    # + PAM password auth succeeded for 'alice' from 192.0.2.7:4242
    # = dropbear success method=pam user=alice account=valid ip=192.0.2.7 port=4242
    # - Password auth succeeded for 'root'
    # - Password auth succeeded for 'root' from 192.0.2.7
    # - Password auth succeeded for 'root' from 192.0.2.7:x
    # - Password auth succeeded for 'root' from 192.0.2.7 192.0.2.8:4242
    # - Password auth succeeded for 'root' with key, x from 192.0.2.7:4242
    # - Password auth succeeded for 'root' from 192.0.2.7:424242
    # - Password auth succeeded for 'root' from 192.0.2.7:4242, extra auth required
    (
        b"Password Pubkey PAM",
        Pattern(
            rb"(?P<method>Password|Pubkey|PAM password) auth succeeded for '(?P<user>.*)'"
            rb"(?: with [\w!. @:/+=-]+)? from " + _PEER,
            _accepted,
        ),
    ),
    # + Auth succeeded with blank password for 'alice' from 192.0.2.7:4242
    # = dropbear success method=none user=alice account=valid ip=192.0.2.7 port=4242
    # - Auth succeeded with blank password for 'alice'
    # - Auth succeeded with blank password for 'alice' from 192.0.2.7:424242
    (
        b"Auth",
        Pattern(
            rb"Auth succeeded with blank password for (?P<method>)'(?P<user>.*)' from " + _PEER,
            _accepted,
        ),
    ),
    # + Bad password attempt for 'root' from 192.0.2.7:4242
    # = dropbear failure method=password user=root account=valid ip=192.0.2.7 port=4242
    # + Bad PAM password attempt for 'x' from 192.0.2.9:1' from 192.0.2.7:4242
    # = dropbear failure method=pam user="x' from 192.0.2.9:1" account=valid ip=192.0.2.7 port=4242
    # + Too-long password attempt for 'alice' from 2001:db8::7:4242
    # = dropbear failure method=password user=alice account=valid ip=2001:db8::7 port=4242
    # - Bad password attempt
    # - Bad password attempt for 'root' from 192.0.2.7
    # - Bad password attempt for 'root' from 192.0.2.7:424242
    (
        b"Bad Too-long",
        Pattern(
            rb"(?:Bad|Too-long) (?P<method>PAM password|password) attempt for '(?P<user>.*)'"
            rb" from " + _PEER,
            _failed,
        ),
    ),
    # Newer ones leave the address to the end of the connection.
    # + Login attempt for nonexistent user
    # + Login attempt with wrong user alice
    # = dropbear 'invalid user' account=invalid
    # + Login attempt for nonexistent user from 192.0.2.7:4242
    # + Login attempt for nonexistent user 'x' from 192.0.2.7:4242
    # = dropbear 'invalid user' account=invalid ip=192.0.2.7 port=4242
    # - Login attempt for alice
    # - Login attempt with
    (
        b"Login",
        Pattern(
            rb"Login attempt (?:for nonexistent user|with wrong user)(?: .*?)??"
            rb"(?: from " + _PEER + rb")?",
            _invalid,
        ),
    ),
    # + Exit before auth from <192.0.2.7:4242>: Exited normally
    # = dropbear end ip=192.0.2.7 port=4242 kind=closed
    # + Exit before auth from <192.0.2.7:4242>: (user 'root', 2 fails): Timeout before auth
    # = dropbear end user=root ip=192.0.2.7 port=4242 kind=timeout
    # - Exit before auth
    # - Exit before auth from <192.0.2.7>: Exited normally
    # - Exit before auth from <192.0.2.7:424242>: Exited normally
    (
        b"Exit",
        Pattern(
            rb"Exit before auth from <" + _PEER + rb">: (?:\(user '(?P<user>.*)', \d+ fails\): )?"
            rb"(?P<why>.*)",
            _end,
        ),
    ),
    # Before 2020 without the address.
    # + Exit before auth: Exited normally
    # = dropbear end kind=closed
    # + Exit before auth (user 'root', 10 fails): Max auth tries reached - user 'root' from 192.0.2.7:4242
    # = dropbear end user=root kind=other
    # - Exit before auth from
    (
        b"Exit",
        Pattern(
            rb"Exit before auth(?: \(user '(?P<user>.*)', \d+ fails\))?: (?P<why>.*)"
            rb"(?P<address>)(?P<port>)",
            _end,
        ),
    ),
    # + Exit (root) from <192.0.2.7:4242>: Disconnect received
    # + Exit (root): Exited normally
    # = dropbear session-closed user=root
    # - Exit (root)
    # - Exit (root) from 192.0.2.7:4242: Disconnect received
    (b"Exit", Pattern(rb"Exit \((?P<user>.*)\)(?: from <\S+>)?: .*", _closed)),
    # + Child connection from 192.0.2.7:4242
    # + Not backgrounding
    # + Running in background
    # + Early exit: Terminated by signal
    # + Premature exit: Error listening: Address already in use
    # + Failed loading /etc/dropbear/dropbear_dss_host_key
    # + Failed listening on '22': Error listening: Address already in use
    # + Failed reading '-', disabling DSS
    # + User 'nobody' has invalid shell, rejected
    # + User account 'alice' is locked
    # + Password auth succeeded for 'alice' from 192.0.2.7:4242, extra auth required
    # + PAM password auth succeeded for 'alice' from 192.0.2.7:4242, extra auth required
    # + Pubkey auth succeeded for 'alice' with ssh-ed25519 key SHA256:abc from 192.0.2.7:4242, extra auth required
    # + Pubkey auth bad signature for 'alice' with key SHA256:abc from 192.0.2.7:4242
    # = irrelevant
    # - Child
    # - Child connection
    # - Not now
    # - Running
    # - Early
    # - Premature
    # - Failed
    # - User alice has
    # - Pubkey auth
    (
        b"Child Not Running Early Premature Failed User Password PAM Pubkey",
        Pattern(
            rb"(?:Child connection from|Not backgrounding|Running in background|Early exit:"
            rb"|Premature exit:|Failed (?:loading|listening|reading)|User '.*' has"
            rb"|User account '.*' is locked|Pubkey auth bad signature).*"
            rb"|(?:Password|PAM password|Pubkey) auth succeeded for .*, extra auth required",
            irrelevant,
        ),
    ),
)
