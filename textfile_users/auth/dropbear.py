"""dropbear (svr-auth.c, svr-authpasswd.c, svr-authpam.c, svr-authpubkey.c, svr-session.c).

It writes addresses as ``address:port``, IPv6 also in brackets, and of users only names that
passwd has. Old releases begin their lines in small letters. What it refuses it counts, and tells the
number of fails with the connection's end: passwords that have a line of their own, and those that
have none, as of accounts that may not log in; keys only since 2026.90.
"""

from __future__ import annotations

from textfile_users.auth.dropbear_parts import (
    PEER_PLACE,
    accepted,
    closed,
    over,
    peer,
    rejected,
    tried,
    unknown,
)
from textfile_users.auth.patterns import (
    Pattern,
    first_finding,
    forms,
    irrelevant,
)
from textfile_users.auth_event import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass


def stamped(message: bytes) -> Finding | None:
    """Return what a line says that dropbear stamps itself, for it writes to stderr (-E).

    ``[825] Nov 30 10:00:00 Bad password attempt ...``: the process is the connection's, the one
    that the log names may be what keeps dropbear running.
    """
    import re

    match = re.match(
        rb"\[(\d{1,10})\] (?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{1,20}) (?!\[)", message
    )
    if not match:
        return None
    inner = message[match.end() :]
    finders = (*FORMS.get(inner.partition(b" ")[0], ()), *FORMS[b""])
    said = first_finding(finders, inner)
    return said if said.service == "" else said._replace(pid=int(match[1]))


FORMS = forms(
    # + Password auth succeeded for 'root' from 192.0.2.7:4242
    # + password auth succeeded for 'root' from 192.0.2.7:4242
    # = dropbear success method=password user=root account=valid ip=192.0.2.7 port=4242
    # + Pubkey auth succeeded for 'alice' with key sha1!! aa:bb from 2001:db8::7:4242
    # + pubkey auth succeeded for 'alice' with key md5 aa:bb from 2001:db8::7:4242
    # = dropbear success method=publickey user=alice account=valid ip=2001:db8::7 port=4242
    # + Pubkey auth succeeded for 'alice' with ssh-ed25519 key SHA256:abc from 192.0.2.7:4242
    # = dropbear success method=publickey user=alice account=valid ip=192.0.2.7 port=4242
    # + Pubkey auth succeeded for 'alice' with sk-ssh-ed25519@openssh.com key SHA256:a+/b= from [2001:db8::7]:4242
    # = dropbear success method=publickey user=alice account=valid ip=2001:db8::7 port=4242
    # + PAM password auth succeeded for 'alice' from 192.0.2.7:4242
    # = dropbear success method=pam user=alice account=valid ip=192.0.2.7 port=4242
    # - Password auth succeeded for 'root'
    # - Password auth succeeded for 'root' from 192.0.2.7
    # - Password auth succeeded for 'root' from 192.0.2.7:x
    # - Password auth succeeded for 'root' from 192.0.2.7 192.0.2.8:4242
    # - Password auth succeeded for 'root' with key, x from 192.0.2.7:4242
    # - Password auth succeeded for 'root' from 192.0.2.7:424242
    # - Password auth succeeded for 'root' from 192.0.2.7:4242, extra auth required
    # - Pubkey auth succeeded for 'alice' with  from 2001:db8::7:4242
    # - Password auth succeeded for 'root' from :4242
    (
        b"Password Pubkey PAM password pubkey",
        Pattern(
            rb"(?P<method>[Pp]assword|[Pp]ubkey|PAM password) auth succeeded for '(?P<user>.*)'"
            rb"(?: with [\w!. @:/+=-]+)? from " + PEER_PLACE,
            accepted,
        ),
    ),
    # + Auth succeeded with blank password for 'alice' from 192.0.2.7:4242
    # = dropbear success method=none user=alice account=valid ip=192.0.2.7 port=4242
    # - Auth succeeded with blank password for 'alice'
    # - Auth succeeded with blank password for 'alice' from 192.0.2.7:424242
    (
        b"Auth auth",
        Pattern(
            rb"[Aa]uth succeeded with blank password for (?P<method>)'(?P<user>.*)' from "
            + PEER_PLACE,
            accepted,
        ),
    ),
    # + Bad password attempt for 'root' from 192.0.2.7:4242
    # + bad password attempt for 'root' from 192.0.2.7:4242
    # = dropbear tried method=password user=root account=valid ip=192.0.2.7 port=4242
    # + Bad PAM password attempt for 'x' from 192.0.2.9:1' from 192.0.2.7:4242
    # = dropbear tried method=pam user="x' from 192.0.2.9:1" account=valid ip=192.0.2.7 port=4242
    # + Bad PAM password attempt for '<invalid username>' from 192.0.2.7:4242
    # = dropbear tried method=pam account=invalid ip=192.0.2.7 port=4242
    # + Too-long password attempt for 'alice' from 2001:db8::7:4242
    # = dropbear tried method=password user=alice account=valid ip=2001:db8::7 port=4242
    # + Bad password attempt for '' from 192.0.2.7:4242
    # = dropbear tried method=password account=valid ip=192.0.2.7 port=4242
    # - Bad password attempt
    # - Bad password attempt for 'root' from 192.0.2.7
    # - Bad password attempt for 'root' from 192.0.2.7:424242
    (
        b"Bad Too-long bad",
        Pattern(
            rb"(?:[Bb]ad|Too-long) (?P<method>PAM password|password) attempt for '(?P<user>.*)'"
            rb" from " + PEER_PLACE,
            tried,
        ),
    ),
    # From 2020.79 to 2024.85 the address is left to the end of the connection.
    # + Login attempt for nonexistent user
    # = dropbear rejected method=other account=invalid
    # + Login attempt for nonexistent user from 192.0.2.7:4242
    # + login attempt for nonexistent user from 192.0.2.7:4242
    # + Login attempt for nonexistent user 'x' from 192.0.2.7:4242
    # + Login attempt for nonexistent user '' from 192.0.2.7:4242
    # = dropbear tried method=other account=invalid ip=192.0.2.7 port=4242
    # - Login attempt for alice
    # - Login attempt for nonexistent user from 192.0.2.7:4242 and more
    # - Login attempt for nonexistent user x' from 192.0.2.7:4242
    (
        b"Login login",
        Pattern(
            rb"[Ll]ogin attempt for nonexistent user(?: '.*')?(?: from " + PEER_PLACE + rb")?",
            unknown,
        ),
    ),
    # Of an account that may not log in all attempts together have one line.
    # + Login attempt with wrong user alice
    # + User 'alice' has invalid shell, rejected
    # + user 'alice' has invalid shell, rejected
    # + User 'alice' has blank password, rejected
    # + User account 'alice' is locked
    # + Logins are restricted to the group adm but user 'alice' is not a member
    # = dropbear rejected method=password user=alice account=valid
    # + Login attempt with wrong user alice from 192.0.2.7:4242
    # = dropbear rejected method=password user=alice account=valid ip=192.0.2.7 port=4242
    # + root login rejected
    # + User '' has invalid shell, rejected
    # + User account '' is locked
    # + Logins are restricted to the group adm but user '' is not a member
    # = dropbear rejected method=password account=valid
    # - Login attempt with
    # - User alice has
    # - User 'alice' has invalid shell, rejected and more
    # - User account 'alice' is locked out
    # - Logins are restricted
    # - root login
    # - Login attempt with wrong user  from 192.0.2.7:4242
    (
        b"Login login User user root Logins",
        Pattern(
            rb"(?:[Ll]ogin attempt with wrong user (?P<wrong>\S+)(?: from " + PEER_PLACE + rb")?"
            rb"|[Uu]ser '(?P<shell>.*)' has (?:invalid shell|blank password), rejected"
            rb"|User account '(?P<locked>.*)' is locked|root login rejected"
            rb"|Logins are restricted to the group .* but user '(?P<other>.*)' is not a member)",
            rejected,
        ),
    ),
    # + Exit before auth from <192.0.2.7:4242>: Exited normally
    # = dropbear total ip=192.0.2.7 port=4242 kind=closed
    # + Exit before auth from <[2001:db8::7]:4242>: Exited normally
    # = dropbear total ip=2001:db8::7 port=4242 kind=closed
    # + Exit before auth from <192.0.2.7:4242>: (user 'root', 2 fails): Timeout before auth
    # = dropbear total user=root ip=192.0.2.7 port=4242 kind=timeout target=2
    # The account's name ends first: what stands behind may be the client's.
    # + Exit before auth from <192.0.2.7:4242>: (user 'root', 2 fails): Timeout before auth', 9 fails): x
    # = dropbear total user=root ip=192.0.2.7 port=4242 kind=timeout target=2
    # + Exit before auth from <192.0.2.7:4242>: (user 'root', 1234567890 fails): Timeout before auth
    # + Exit before auth from <192.0.2.7:4242>: (user 'root', x fails): Timeout before auth
    # = dropbear total ip=192.0.2.7 port=4242 kind=other
    # What a client calls itself is its own text.
    # + Exit before auth from <192.0.2.7:4242>: Incompatible remote version '(user 'bob', 9 fails): x'
    # = dropbear total ip=192.0.2.7 port=4242 kind=protocol
    # - Exit before auth
    # - Exit before auth from <192.0.2.7>: Exited normally
    # - Exit before auth from <192.0.2.7:424242>: Exited normally
    (
        b"Exit",
        Pattern(
            rb"Exit before auth from <" + PEER_PLACE + rb">: "
            rb"(?:\(user '(?P<user>.*?)', (?P<fails>\d{1,9}) fails\): )?(?P<why>.*)",
            over,
        ),
    ),
    # Before 2020 only the last refusal has the address.
    # + Exit before auth (user 'root', 10 fails): Max auth tries reached - user 'root' from 192.0.2.7:4242
    # + exit before auth (user 'root', 10 fails): Max auth tries reached - user 'root' from 192.0.2.7:4242
    # = dropbear total user=root ip=192.0.2.7 port=4242 kind=other target=10
    # + Exit before auth (user 'root', 10 fails): Max auth tries reached - user 'x', 9 fails): Max auth tries reached - user 'y' from 192.0.2.7:4242
    # = dropbear total user=root ip=192.0.2.7 port=4242 kind=other target=10
    # + Exit before auth: Max auth tries reached - user 'is invalid' from 192.0.2.7:4242
    # + Exit before auth: Max auth tries reached - user '' from 192.0.2.7:4242
    # = dropbear total ip=192.0.2.7 port=4242 kind=other
    # - Exit before auth (user 'root', 10 fails): Max auth tries reached - user 'root'
    # - Exit before auth: Incompatible remote version 'Max auth tries reached - user 'x' from 192.0.2.9:1
    # - Exit before auth (user 'root', 10 x fails): Max auth tries reached - user 'root' from 192.0.2.7:4242
    # - Exit before auth (user 'root', 1234567890 fails): Max auth tries reached - user 'root' from 192.0.2.7:4242
    # - Exit before auth: Max auth tries reached - user is invalid' from 192.0.2.7:4242
    # - Exit before auth (user 'root', 10 fails): Max auth tries reached - user 'root from 192.0.2.7:4242
    (
        b"Exit exit",
        Pattern(
            rb"[Ee]xit before auth(?: \(user '(?P<user>.*?)', (?P<fails>\d{1,9}) fails\))?: "
            rb"(?P<why>Max auth tries reached - user '.*') from " + PEER_PLACE,
            over,
        ),
    ),
    # + Exit before auth: Exited normally
    # + exit before auth: Exited normally
    # = dropbear total kind=closed
    # + Exit before auth (user 'root', 3 fails): Disconnect received
    # + Exit before auth (user 'root', 3 fails): Disconnect received', 9 fails): x
    # = dropbear total user=root kind=closed target=3
    # - Exit before auth from
    # - Exit before auth (user 'root', 3 x fails): Disconnect received
    # - Exit before auth (user 'root', 1234567890 fails): Disconnect received
    (
        b"Exit exit",
        Pattern(
            rb"[Ee]xit before auth(?: \(user '(?P<user>.*?)', (?P<fails>\d{1,9}) fails\))?: "
            rb"(?P<why>.*)(?P<address>)(?P<port>)",
            over,
        ),
    ),
    # + Exit (root) from <192.0.2.7:4242>: Disconnect received
    # + Exit (root) from <[2001:db8::7]:4242>: Exited normally
    # + Exit (root): Exited normally
    # + exit after auth (root): Exited normally
    # + Exit (root) from <192.0.2.7:4242>: Exited normally) from <192.0.2.9:1>: x
    # = dropbear session-closed user=root
    # - Exit (root)
    # - Exit (root) from 192.0.2.7:4242: Disconnect received
    # - Exit before auth (user 'root', 3 fails): Exited normally
    # - Exit (root) from <192.0.2.7:4242 x>: Disconnect received
    # - Exit (root) from <>: Disconnect received
    (
        b"Exit exit",
        Pattern(rb"(?:Exit|exit after auth) \((?P<user>.*?)\)(?: from <\S+>)?: .*", closed),
    ),
    # + Child connection from 192.0.2.7:4242
    # + Child connection from [::ffff:192.0.2.7]:4242
    # = dropbear peer ip=192.0.2.7 port=4242
    # + Child connection from 2001:db8::7:4242
    # = dropbear peer ip=2001:db8::7 port=4242
    # - Child connection from
    # - Child connection from 192.0.2.7:4242 and more
    (b"Child", Pattern(rb"Child connection from " + PEER_PLACE, peer)),
    # + Not backgrounding
    # + Not forking
    # + Running in background
    # + Early exit: Terminated by signal
    # + Early exit from <192.0.2.7:4242>: Terminated by signal
    # + Premature exit: Error listening: Address already in use
    # + Failed loading /etc/dropbear/dropbear_dss_host_key
    # + Failed listening on '22': Error listening: Address already in use
    # + Failed reading '-', disabling DSS
    # + Generated hostkey /etc/dropbear/dropbear_rsa_host_key, fingerprint is SHA256:abc
    # + Forced command set to 'x'
    # + Command forced to 'x'
    # + User root executing login shell
    # + User root executing 'id'
    # + Error forking: Resource temporarily unavailable
    # + Port forwarding disabled.
    # + Agent forwarding disabled.
    # + X11 forwarding disabled.
    # + Pty allocation disabled.
    # + Restrict option set
    # + Binding to interface 'eth0'
    # + Error opening /etc/motd
    # + Error reading: Connection timed out
    # + Badly formatted command= authorized_keys option
    # + Too many groups
    # + PAM unknown prompt 'x'
    # + failed setegid
    # + pamConvFunc(): unexpected prompt
    # + Bad public key options at /root/.ssh/authorized_keys:3
    # + /root/.ssh must be owned by user or root, and not writable by group or others
    # + Rejecting, user-presence not set
    # + Rejecting, user-verification not set
    # + Password auth succeeded for 'alice' from 192.0.2.7:4242, extra auth required
    # + PAM password auth succeeded for 'alice' from 192.0.2.7:4242, extra auth required
    # + Pubkey auth succeeded for 'alice' with ssh-ed25519 key SHA256:abc from 192.0.2.7:4242, extra auth required
    # = irrelevant
    # - Child
    # - Not now
    # - Running
    # - Early
    # - Premature
    # - Failed
    # - User alice has
    # - Bad public key
    # - Pubkey auth
    # - Pubkey auth bad signature for 'alice' with key SHA256:abc from 192.0.2.7:4242
    # - User root x executing login shell
    # - User  executing login shell
    # - /root/.ssh x must be owned by user or root, and not writable by group or others
    # - / must be owned by user or root, and not writable by group or others
    # - Running in circles
    # - Early : Terminated by signal
    # - Premature Error listening: Address already in use
    # - Generated /etc/dropbear/dropbear_rsa_host_key, fingerprint is SHA256:abc
    # - Forced set to 'x'
    # - Command to 'x'
    # - Binding to 'eth0'
    # - Restrict option x
    # - Port forwarding .
    # - Pty allocation .
    # - Badly command= authorized_keys option
    # - Bad public key at /root/.ssh/authorized_keys:3
    # - Too many x
    # - PAM unknown 'x'
    # - failed x
    # - /root/.ssh must be by user or root, and not writable by group or others
    # - Rejecting, presence not set
    # - Password auth succeeded for 'alice' from 192.0.2.7:4242 extra auth required
    (
        b"",
        Pattern(
            rb"(?:Not (?:backgrounding|forking)|Running in background|Early exit|Premature exit:"
            rb"|Failed (?:loading|listening|reading)|Generated hostkey|Forced command|Command forced"
            rb"|Binding to interface|User \S+ executing|Error (?:forking|opening|reading)"
            rb"|Restrict option set|(?:Port|Agent|X11) forwarding disabled|Pty allocation disabled"
            rb"|Badly formatted|Bad public key options|Too many groups|PAM unknown prompt|failed setegid"
            rb"|pamConvFunc|/\S+ must be owned|Rejecting, user-).*"
            rb"|(?:[Pp]assword|PAM password|[Pp]ubkey) auth succeeded for .*, extra auth required",
            irrelevant,
        ),
    ),
    # A key that is known, but not the client's: refused, as a key that is not known.
    # + Pubkey auth bad signature for 'alice' with key SHA256:abc from 192.0.2.7:4242
    # = dropbear tried method=publickey user=alice account=valid ip=192.0.2.7 port=4242
    # + Pubkey auth bad signature for '' with key SHA256:abc from 192.0.2.7:4242
    # = dropbear tried method=publickey account=valid ip=192.0.2.7 port=4242
    # - Pubkey auth bad signature for 'alice'
    # - Pubkey auth bad signature for 'alice' with key SHA256:abc' from 192.0.2.7:4242
    # - Pubkey auth bad signature for 'alice' with key  from 192.0.2.7:4242
    (
        b"Pubkey pubkey",
        Pattern(
            rb"(?P<method>[Pp]ubkey) auth bad signature for '(?P<user>.*)' with key [\w!. @:/+=-]+"
            rb" from " + PEER_PLACE,
            tried,
        ),
    ),
    (b"", stamped),
)
