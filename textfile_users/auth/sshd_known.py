"""sshd of OpenSSH 3 to 10.6: messages that are known and say nothing that counts."""

from __future__ import annotations

# How they begin, a line for each; beside patches of distributions those of the sources that
# sshd_seldom.py names, from LogLevel VERBOSE on.
_BEGINNINGS = """
'all' cannot be combined with other Match attributes
-r option is deprecated
accept from auth socket:
Accepted certificate ID
Accepted key
Address
Attempt to write login records by non-root user
authentication forwarding requested twice.
Authentication key
Authentication methods list
Authentication refused
Authentication tried for
Authorized principal
Authorized to
AuthorizedKeysCommand
AuthorizedKeysCommandUser
AuthorizedPrincipalsCommand
AuthorizedPrincipalsCommandUser
bad message from
Bad options in
Bad packet length
Badly formed OID received
beginning MaxStartups throttling
bind [
Bind to port
Can't get IP address for X11 DISPLAY.
Cannot initialize krb5 context
Certificate
cfsetispeed failed for
cfsetospeed failed for
Changed root directory to
chdir to
child
chmod
chown
client
Client version
close "
Close session:
closedir "
Closing connection to
Compression disabled
connect
connect_to
Connection:
Corrupted
Could not
Couldn't create pid file
DEAD_PROCESS:
Disabled method
DISPLAY not set.
dup2 std
empty authentication method list
Error checking authentication key
error reading
error writing
Excess permission or bad ownership on file
exited MaxStartups throttling
Exiting on signal
expand "
Failed to allocate internet-domain X11 display socket.
Failed to disconnect from controlling tty.
Failed to get routing domain for
Failed to set routing domain
Failed to write to
Finished discarding for
FIPS mode initialized
forced close "
forced closedir "
Forward host name too long.
fsync "
getnameinfo failed:
getsockname failed:
getsockopt SO_ERROR failed
GSSAPI MIC check failed
hardlink old "
home-directory "
hostbased key type
Ignoring RSA1 key
in MaxStartups throttling
incoming seqnr wraps around
Inconsistent authentication options:
Inconsistent mask length for network
Invalid environment variable
Invalid LocalPort
Invalid log
Invalid network entry
invalid public DH value
Invalid routing domain
Invalid ssh1 packet type:
Invalid X11 forwarding data
iqueue grew unexpectedly
It is required that your private key files are NOT accessible by others.
kex protocol error:
listen [
Local connecting path too long:
Local listening path too long:
Login name
Login restricted for
lstat name "
Malformed SSH_CONNECTION variable:
Maxstartups logging rate-limited:
Missing Match criteria for
mkdir name "
msg_len
multiplex uid mismatch:
Nasty PTR record
No AuthenticationMethods left
No forward host name.
No forward path name.
No matching private key for certificate:
no more sessions
No user for Authorized
no user for session
Non-public channel
One or more attributes required for Match
open "
open /dev/tty failed
opendir "
outgoing seqnr wraps around
padding error:
Partial
password change not supported
Permissions 0
PerSourcePenalties logging rate-limited:
posix-rename old "
Postponed
public key
Public key for
publickey key type
readlink "
realpath "
received client version
Received request
Received SIGHUP; restarting.
Received signal
Received window adjust for non-open channel
reexec socketpair:
refused local port forward:
refused streamlocal port forward:
Refusing
refusing
RekeyLimit exceeded before authentication completed
Remote version
remove name "
rename old "
RESTART FAILED:
reverse mapping checking
rexec
Rhosts authentication refused for
rmdir name "
Root login accepted for forced command.
Routing domains are not supported on this platform
sent status
Server listening on
session closed for local user
session opened for local user
set "
Set /proc/self/
setegid
seteuid
setgid
setlogin failed:
SETPGRP
setregid
setreuid
setsid failed:
setsockopt
Setting routing domain is not supported on this platform
Setting tty modes failed:
setuid
socket [
SSH2_MSG_EXT_INFO
SSH2_MSG_EXT_INFO:
SSH: Server;
Starting session:
stat name "
statvfs "
stdfd_devnull failed
subsystem request for
symlink old "
terminating inactive connection from
This platform does not support both privilege separation and compression
This private key will be ignored.
Timeout, client not responding
too many SSH2_MSG_EXT_INFO messages sent by peer
Transferred:
Tunnel interfaces are not supported on this platform
Unable to get agent socket:
Unable to load host key
unable to lock memory:
Unable to parse
Unable to shield host key
Unknown authentication method
Unknown extended request
Unknown message
Unsafe
Unsupported KEX algorithm
Unsupported Match attribute
User '
User child is on pid
USER_PROCESS:
userauth_hostbased mismatch:
users-groups-by-id:
WARNING:
Warning:
Writing login record failed for
wrong user name passed to monitor:
X11
"""
KNOWN: dict[bytes, tuple[bytes, ...]] = {}
for _line in _BEGINNINGS.strip().encode().splitlines():
    KNOWN[_line.split(b" ")[0]] = (*KNOWN.get(_line.split(b" ")[0], ()), _line)
# Of what names of functions, files and devices in the sources consist.
_LOWER = b"abcdefghijklmnopqrstuvwxyz0123456789_-():"


def is_known(message: bytes) -> bool:
    """Return whether a message, without its level, is one of those."""
    word, _, rest = message.partition(b" ")
    if message.startswith(KNOWN.get(word, ())):
        return True
    return _names_place(word, rest) or message.endswith(b" [postauth]")


def _names_place(word: bytes, rest: bytes) -> bool:
    """Return whether a message begins as the sources' own do: a function, file or channel."""
    if word.endswith(b":") and not word[:-1].strip(_LOWER):
        return len(word) > 3 and rest != b""
    if word[:1].islower() and b"(" in word:  # a call of the system's, with what it was given
        return True
    second = rest.partition(b" ")[0]
    if word.startswith(b"/"):  # a configuration's place, or a program that was run
        return second in (b"line", b"failed,") or word.endswith(b":")
    if word.isdigit():  # of what is there, on SIGINFO
        return second == b"active"
    return word == b"channel" and second.strip(b"0123456789") == b":"
