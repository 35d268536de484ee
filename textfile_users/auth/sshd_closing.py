"""How most connections of sshd begin and end (packet.c, sshd.c)."""

from __future__ import annotations

from textfile_users.auth.patterns import END, PEER, Pattern, address, forms, irrelevant, number
from textfile_users.auth.sshd_parts import ACCOUNTS, PLACE, PREAUTH, USER, end, user_name
from textfile_users.auth_event import NOTHING, Finding
from textfile_users.record import quick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match


def _end_by_peer(match: Match[bytes]) -> Finding:
    word, account, user, where, port = match.groups()
    ip, host = address(where)
    kind = "reset" if word == b"reset" else "closed"
    of = ACCOUNTS[account]
    fields = END, "sshd", "", user_name(user), of, ip, host, number(port), 1, "", "", kind, 0
    return quick(Finding, fields)


def _peer(match: Match[bytes]) -> Finding:
    ip, host = address(match["address"])
    fields = PEER, "sshd", "", "", "", ip, host, int(match["port"]), 1, "", "", "", 0
    return quick(Finding, fields) if ip else NOTHING


CLOSING = forms(
    # + Connection closed by authenticating user root 192.0.2.7 port 38926 [preauth]
    # = sshd end user=root account=valid ip=192.0.2.7 port=38926 kind=closed
    # + Connection closed by invalid user x 192.0.2.1 port 22 192.0.2.7 port 38926 [preauth]
    # = sshd end user='x 192.0.2.1 port 22' account=invalid ip=192.0.2.7 port=38926 kind=closed
    # + Connection reset by invalid user  192.0.2.7 port 38926 [preauth]
    # = sshd end account=invalid ip=192.0.2.7 port=38926 kind=reset
    # + Connection closed by 192.0.2.7 port 38926
    # = sshd end ip=192.0.2.7 port=38926 kind=closed
    # - Connection closed by user alice 192.0.2.7 port 38926
    # - Connection closed by  port 38926
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
