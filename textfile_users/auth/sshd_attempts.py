"""What sshd says of attempts that few hosts see: by PAM, accounts, limits."""

from __future__ import annotations

from textfile_users.auth.patterns import DENIED, PAM_FAILURE, Pattern, address, forms, irrelevant
from textfile_users.auth.sshd_parts import PLACE, PREAUTH, end, tried, user_name
from textfile_users.auth_event import Finding, finding
from textfile_users.record import quick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match


def _pam(match: Match[bytes]) -> Finding:
    invalid, user, where = match.groups()
    ip, host = address(where)
    account = "invalid" if invalid else "valid"
    said = PAM_FAILURE, "sshd", "pam", user_name(user), account, ip, host, 0, 1, "", "", "", 0
    return quick(Finding, said)


def _denied(match: Match[bytes]) -> Finding:
    return finding(DENIED, "sshd", method="pam", user=user_name(match[1]), account="valid")


def _root(match: Match[bytes]) -> Finding:
    return tried(match)._replace(user="root")


# What pam_strerror(3) says: of Linux-PAM 1.7, and of OpenPAM without capitals; the program's
# own `PAM: FUNCTION(): TEXT` have a colon.
_TEXT = (
    rb"(?:Have exhausted maximum number of retries for service"
    rb"|Cannot make/remove an entry for the specified session"
    rb"|Conversation is waiting for event|(?:(?! for )[^:])+)"
)

ATTEMPTS = forms(
    # + PAM: Authentication failure for root from 192.0.2.7
    # = sshd 'PAM failure' method=pam user=root account=valid ip=192.0.2.7
    # + PAM: User not known to the underlying authentication module for illegal user x from host.example
    # = sshd 'PAM failure' method=pam user=x account=invalid host=host.example
    # + PAM: Authentication failure for illegal user root from 192.0.2.1 from 192.0.2.7
    # = sshd 'PAM failure' method=pam user='root from 192.0.2.1' account=invalid ip=192.0.2.7
    # + PAM: Authentication failure for illegal user x for service for root from 192.0.2.1 from 192.0.2.7
    # = sshd 'PAM failure' method=pam user='x for service for root from 192.0.2.1' account=invalid ip=192.0.2.7
    # + PAM: Authentication error for illegal user  from 192.0.2.7 [preauth]
    # = sshd 'PAM failure' method=pam account=invalid ip=192.0.2.7
    # + PAM: Have exhausted maximum number of retries for service for alice from 192.0.2.7
    # + PAM: Cannot make/remove an entry for the specified session for alice from 192.0.2.7
    # + PAM: Conversation is waiting for event for alice from 192.0.2.7
    # + PAM: Authentication service cannot retrieve authentication info for alice from 192.0.2.7
    # + PAM: Permission denied for alice from 192.0.2.7
    # + PAM: User account has expired for alice from 192.0.2.7
    # + PAM: maximum number of tries exceeded for alice from 192.0.2.7
    # + PAM: authentication error for alice from 192.0.2.7 via 198.51.100.1
    # = sshd 'PAM failure' method=pam user=alice account=valid ip=192.0.2.7
    # + PAM: Authentication failure for invalid user x from 192.0.2.7
    # + PAM: Authentication failure for illegal user x from 192.0.2.7 via 198.51.100.1
    # = sshd 'PAM failure' method=pam user=x account=invalid ip=192.0.2.7
    # + PAM: unknown user for illegal user x from 192.0.2.9 via from 192.0.2.7 via 198.51.100.1
    # = sshd 'PAM failure' method=pam user='x from 192.0.2.9 via' account=invalid ip=192.0.2.7
    # - PAM: Authentication failure for root
    # - PAM: pam_open_session(): Permission denied for root from 192.0.2.7
    # - PAM: Authentication failure for root from 192.0.2.7 192.0.2.8
    # - PAM: Authentication failure for root from 192.0.2.7 via 192.0.2.8 192.0.2.9
    # - PAM:  for root from 192.0.2.7
    # - PAM: Authentication error for illegal user  from  [preauth]
    (
        b"PAM:",
        Pattern(
            rb"PAM: "
            + _TEXT
            + rb" for ((?:illegal|invalid) user )?(.*) from (\S+)(?: via \S+)?"
            + PREAUTH,
            _pam,
        ),
    ),
    # Its account part refuses who has shown a right key or password. Up to 5.8 without [preauth].
    # + Access denied for user alice by PAM account configuration [preauth]
    # + Access denied for user alice by PAM account configuration
    # = sshd denied method=pam user=alice account=valid
    # + Access denied for user EXAMPLE\\alice smith by PAM account configuration
    # = sshd denied method=pam user='EXAMPLE\alice smith' account=valid
    # - Access denied for user alice
    # - Access denied for user alice by PAM account configuration x
    (
        b"Access",
        Pattern(rb"Access denied for user (.*) by PAM account configuration" + PREAUTH, _denied),
    ),
    # Behind a login (session.c), or beside other lines of an attempt (auth-shadow.c, auth.c).
    # + User alice not allowed because /etc/nologin exists
    # + User alice password has expired (password aged)
    # + User alice authorized keys /home/alice/.ssh/authorized_keys is not a regular file
    # = irrelevant
    # - User alice not allowed because shell /bin/none does not exist
    # - User alice is not a regular file and more
    # - User alice password has expired
    # - User alice not allowed because /etc/nologin x exists
    # - User alice not allowed because  exists
    # - User alice password has expired password aged)
    # - User alice password has expired (password aged
    (
        b"User",
        Pattern(
            rb"User .* (?:not allowed because \S+ exists|password has expired \(.*\)"
            rb"|is not a regular file)",
            irrelevant,
        ),
    ),
    # Of hostbased, at LogLevel VERBOSE.
    # + Accepted RSA public key SHA256:abc from alice for root from 192.0.2.9 port 1 ssh2@client.example
    # = irrelevant
    # - Accepted public key SHA256:abc from alice@client.example
    # - Accepted RSA key SHA256:abc from alice@client.example
    # - Accepted RSA x public key SHA256:abc from alice for root from 192.0.2.9 port 1 ssh2@client.example
    # - Accepted  public key SHA256:abc from alice for root from 192.0.2.9 port 1 ssh2@client.example
    # - Accepted RSA public key  from alice for root from 192.0.2.9 port 1 ssh2@client.example
    (b"Accepted", Pattern(rb"Accepted [\w-]+ public key \S+ from .*", irrelevant)),
    # + User root from 192.0.2.7 not allowed because not listed in AllowUsers
    # + User root from ::ffff:192.0.2.7 not allowed because listed in DenyUsers
    # + User root from 192.0.2.7 not allowed because a group is listed in DenyGroups
    # + User root from 192.0.2.7 not allowed because none of user's groups are listed in AllowGroups
    # + User root from 192.0.2.7 not allowed because not in any group
    # = sshd 'invalid user' user=root account=valid ip=192.0.2.7
    # + User root from 192.0.2.7 port 22 not allowed because account is locked
    # = sshd 'invalid user' user=root account=valid ip=192.0.2.7 port=22
    # + User EXAMPLE\\alice smith from host.example not allowed because not listed in AllowUsers
    # = sshd 'invalid user' user='EXAMPLE\alice smith' account=valid host=host.example
    # - User root not allowed because account is locked
    # - User root from 192.0.2.7 port 221221 not allowed because account is locked
    # - User root from 192.0.2.7 port x not allowed because account is locked
    # - User root from 192.0.2.7 192.0.2.8 not allowed because account is locked
    # - User root from 192.0.2.7 not allowed
    # - User root from  not allowed because not listed in AllowUsers
    (
        b"User",
        Pattern(
            rb"User (?P<user>.*?) from (?P<address>\S+)(?: port (?P<port>\d{1,5}))?"
            rb" not allowed because .*",
            tried,
        ),
    ),
    # Of an account the address comes with another line; auth.c and auth-shadow.c.
    # + User alice not allowed because account is locked
    # + User alice not allowed because shell /bin/none does not exist
    # + User alice not allowed because shell /etc/motd is not executable
    # + User alice not allowed because expired
    # = sshd 'invalid user' user=alice account=valid
    # - User alice not allowed
    # - User is not allowed
    (b"User", Pattern(rb"User (?P<user>.*?) not allowed because .*", tried)),
    # + Account alice has expired
    # = sshd 'invalid user' user=alice account=valid
    # + Account  has expired
    # = sshd 'invalid user' account=valid
    # - Account alice has expired soon
    # - Account alice
    (b"Account", Pattern(rb"Account (?P<user>.*) has expired", tried)),
    # + ROOT LOGIN REFUSED FROM 192.0.2.7 port 38926
    # + ROOT LOGIN REFUSED FROM 192.0.2.7 port 38926 [preauth]
    # = sshd 'invalid user' user=root account=valid ip=192.0.2.7 port=38926
    # + ROOT LOGIN REFUSED FROM 192.0.2.7
    # + ROOT LOGIN REFUSED FROM 192.0.2.7 [preauth]
    # = sshd 'invalid user' user=root account=valid ip=192.0.2.7
    # - ROOT LOGIN REFUSED FROM 192.0.2.7 port 389261
    # - ROOT LOGIN REFUSED FROM 192.0.2.7 port x
    # - ROOT LOGIN
    # - ROOT LOGIN REFUSED FROM  port 38926
    (
        b"ROOT",
        Pattern(
            rb"ROOT LOGIN REFUSED FROM (?P<address>\S+)(?: port (?P<port>\d{1,5}))?" + PREAUTH,
            _root,
        ),
    ),
    # Since 7.0, and of 6.7 and 6.8, where the line ends the connection.
    # + maximum authentication attempts exceeded for root from 192.0.2.7 port 38926 ssh2 [preauth]
    # + maximum authentication attempts exceeded for root from 192.0.2.7 port 38926 ssh1
    # + Disconnecting: Too many authentication failures for root from 192.0.2.7 port 38926 ssh2 [preauth]
    # = sshd 'invalid user' user=root account=valid ip=192.0.2.7 port=38926
    # + maximum authentication attempts exceeded for invalid user x from 192.0.2.9 port 1 ssh2 from 192.0.2.7 port 38926 ssh2 [preauth]
    # + Disconnecting: Too many authentication failures for invalid user x from 192.0.2.9 port 1 ssh2 from 192.0.2.7 port 38926 ssh2
    # = sshd 'invalid user' user='x from 192.0.2.9 port 1 ssh2' account=invalid ip=192.0.2.7 port=38926
    # + maximum authentication attempts exceeded for invalid user  from 192.0.2.7
    # = sshd 'invalid user' account=invalid ip=192.0.2.7
    # - maximum authentication attempts exceeded for root
    # - maximum authentication attempts exceeded for root from 192.0.2.7 port 389261 ssh2
    # - maximum authentication attempts exceeded for root from 192.0.2.7 port x ssh2
    # - maximum authentication attempts exceeded for root from 192.0.2.7 192.0.2.8 port 22 ssh2
    # - maximum
    # - maximum authentication attempts exceeded for root from  port 38926 ssh2 [preauth]
    # - maximum authentication attempts exceeded for root from 192.0.2.7 port 38926 sshx [preauth]
    (
        b"maximum Disconnecting:",
        Pattern(
            rb"(?:maximum authentication attempts exceeded|Disconnecting: Too many authentication"
            rb" failures) for (?P<invalid>invalid user )?(?P<user>.*)"
            rb" from (?P<address>\S+)(?: port (?P<port>\d{1,5}))?(?: ssh[12])?" + PREAUTH,
            tried,
        ),
    ),
    # OpenSSH 6.6 and before tell only whom, and a name there may look like anything.
    # + Disconnecting: Too many authentication failures for root [preauth]
    # + Disconnecting: Too many authentication failures for root
    # = sshd end user=root kind=other
    # - Disconnecting: Too many authentication failures for x y
    # - Disconnecting: Too many authentication failures
    # - Disconnecting: Too many authentication failures for  [preauth]
    (
        b"Disconnecting:",
        Pattern(
            rb"Disconnecting: Too many authentication failures for (?P<user>\S+)" + PREAUTH,
            end("other"),
        ),
    ),
    # + Disconnecting: Too many authentication failures
    # + Disconnecting: Too many authentication failures for a b
    # = sshd end kind=other
    # - Disconnecting: Too many
    (
        b"Disconnecting:",
        Pattern(rb"Disconnecting: Too many authentication failures(?: for .*)?", end("other")),
    ),
    # RefuseConnection of 10.0 and later (monitor.c).
    # + administratively prohibited connection for alice from 192.0.2.7 port 38926
    # = sshd end user=alice ip=192.0.2.7 port=38926 kind=other
    # + administratively prohibited connection for invalid user x from 192.0.2.9 port 1 from 192.0.2.7 port 38926 [preauth]
    # = sshd end user='x from 192.0.2.9 port 1' account=invalid ip=192.0.2.7 port=38926 kind=other
    # + administratively prohibited connection for  from 192.0.2.7 port 38926
    # = sshd end ip=192.0.2.7 port=38926 kind=other
    # - administratively prohibited connection for alice
    # - administratively prohibited connection for alice from 192.0.2.7 port 389261
    # - administratively prohibited connection for alice from 192.0.2.7 port x
    # - administratively prohibited connection for alice from 192.0.2.7 192.0.2.8 port 22
    # - administratively prohibited connection for alice from  port 38926
    (
        b"administratively",
        Pattern(
            rb"administratively prohibited connection for (?:(?P<account>invalid) user )?"
            rb"(?P<user>.*) from " + PLACE + PREAUTH,
            end("other"),
        ),
    ),
    # + PAM: pam_open_session(): Authentication failure
    # + PAM 4 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root
    # + PAM service(sshd) ignoring max retries; 6 > 3
    # = irrelevant
    # - pam 4 more authentication failures
    # - PAMauthentication
    (b"PAM: PAM", Pattern(rb"PAM[: ].*", irrelevant)),
)
