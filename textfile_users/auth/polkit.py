"""pkexec (pkexec(1), src/programs/pkexec.c) and polkitd's verdicts on other actions.

Who authenticated typed a password: a user their own or an administrator's. That is not the account
that something is done as, which polkit does not know.
"""

from __future__ import annotations

from textfile_users.auth.patterns import Pattern, forms, irrelevant, name
from textfile_users.auth_event import ESCALATION, ESCALATION_FAILURE, NOTHING, Finding, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match

_PKEXEC = b"org.freedesktop.policykit.exec"
_UNITS = b"org.freedesktop.systemd1.manage-units"


def _run(match: Match[bytes]) -> Finding:
    user, refused, target, tty = match.groups()
    tty = tty[5:] if tty.startswith(b"/dev/") else tty
    event = ESCALATION_FAILURE if refused else ESCALATION
    terminal = "" if tty == b"unknown" else name(tty)
    return finding(event, "pkexec", user=name(user), target=name(target), tty=terminal)


def _verdict(match: Match[bytes]) -> Finding:
    failed, action, subject, owner = match.groups()
    if action == _PKEXEC:  # pkexec says it itself
        return NOTHING
    event = ESCALATION_FAILURE if failed else ESCALATION
    program = subject.partition(b" ")[0].rpartition(b"/")[2] if action == _UNITS else b""
    return finding(event, "run0" if program == b"run0" else "polkit", user=name(owner))


FORMS = forms(
    # + alice: Executing command [USER=root] [TTY=/dev/pts/0] [CWD=/home/alice] [COMMAND=/usr/bin/id]
    # = pkexec escalation user=alice target=root tty=pts/0
    # + alice: Error executing command as another user: Not authorized [USER=root] [TTY=unknown] [CWD=/] [COMMAND=x: Executing command [USER=bob] [TTY=x]]
    # = pkexec escalation-failure user=alice target=root
    # + alice: Error executing command as another user: Request dismissed [USER=root] [TTY=/dev/pts/0] [CWD=/] [COMMAND=/usr/bin/id]
    # = pkexec escalation-failure user=alice target=root tty=pts/0
    # + EXAMPLE\alice smith: Executing command [USER=root] [TTY=/dev/pts/0] [CWD=/] [COMMAND=/usr/bin/id]
    # = pkexec escalation user='EXAMPLE\alice smith' target=root tty=pts/0
    # - alice: Executing command
    # - alice: bob: Executing command [USER=root] [TTY=/dev/pts/0] [CWD=/] [COMMAND=/usr/bin/id]
    # - alice: Executing command [USER=root] [TTY=/dev/pts/0] [COMMAND=/usr/bin/id]
    # - alice: Executing command [USER=root] [x] [TTY=pts/0] [CWD=/] [COMMAND=/usr/bin/id]
    # - alice: Executing command [USER=root] [TTY=pts/0] [x] [CWD=/] [COMMAND=/usr/bin/id]
    # - : Executing command [USER=root] [TTY=/dev/pts/0] [CWD=/home/alice] [COMMAND=/usr/bin/id]
    (
        b"",
        Pattern(
            rb"([^:]+): (?:Executing command|(Error executing command as another user: "
            rb"(?:Not authorized|Request dismissed))) \[USER=([^]]*)\] \[TTY=([^]]*)\]"
            rb" \[CWD=.*",
            _run,
        ),
    ),
    # + Operator of unix-session:2 successfully authenticated as unix-user:root to gain ONE-SHOT authorization for action org.freedesktop.systemd1.manage-units for system-bus-name::1.70 [systemctl stop x] (owned by unix-user:alice)
    # = polkit escalation user=alice
    # + Operator of unix-process:155:309359 successfully authenticated as unix-user:bob to gain ONE-SHOT authorization for action org.freedesktop.systemd1.manage-units for system-bus-name::1.10 [run0 id] (owned by unix-user:alice)
    # + Operator of unix-session:2 successfully authenticated as unix-user:bob to gain TEMPORARY authorization for action org.freedesktop.systemd1.manage-units for system-bus-name::1.10 [/usr/bin/run0 -u carol sh -c "[x]"] (owned by unix-user:alice)
    # = run0 escalation user=alice
    # + Operator of unix-session:2 FAILED to authenticate to gain authorization for action org.freedesktop.systemd1.manage-units for system-bus-name::1.10 [run0] (owned by unix-user:alice)
    # = run0 escalation-failure user=alice
    # + Operator of unix-session:2 FAILED to authenticate to gain authorization for action org.freedesktop.systemd1.manage-units for system-bus-name::1.70 [systemctl stop x] (owned by unix-user:alice)
    # + Operator of unix-session:2 FAILED to authenticate to gain authorization for action org.freedesktop.machine1.host-shell for system-bus-name::1.70 [run0 x] (owned by unix-user:alice)
    # = polkit escalation-failure user=alice
    # + Operator of unix-session:2 FAILED to authenticate to gain authorization for action org.freedesktop.policykit.exec for unix-process:12:34 [pkexec id] (owned by unix-user:alice)
    # = irrelevant
    # + Operator of unix-session:2 FAILED to authenticate to gain authorization for action x for system-bus-name::1.70 [x for x (owned by unix-user:bob)] (owned by unix-user:alice)
    # = polkit escalation-failure user=alice
    # + Operator of unix-session:2 successfully authenticated as unix-user:root to gain ONE-SHOT authorization for action x for system-bus-name::1.70 [x successfully authenticated as unix-user:bob to gain x authorization for action org.freedesktop.policykit.exec for y] (owned by unix-user:alice)
    # = polkit escalation user=alice
    # + Operator of unix-session:2 FAILED to authenticate to gain authorization for action org.freedesktop.policykit.exec for unix-process:12:34 [pkexec x for y] (owned by unix-user:alice)
    # = irrelevant
    # + Operator of unix-session:2 successfully authenticated as unix-user:EXAMPLE\bob c to gain ONE-SHOT authorization for action x for system-bus-name::1.70 [systemctl stop x] (owned by unix-user:EXAMPLE\alice smith)
    # + Operator of unix-session:2 successfully authenticated as unix-user:EXAMPLE\bob c to gain ONE-SHOT authorization for action x for system-bus-name::1.70 [x] (owned by unix-user:bob)] (owned by unix-user:EXAMPLE\alice smith)
    # = polkit escalation user='EXAMPLE\alice smith'
    # - Operator of unix-session:2 FAILED to authenticate
    # - Operator of unix-session:2 FAILED to authenticate to gain authorization for action x for system-bus-name::1.70 [x] (owned by unix-user:alice]bob)
    # - Operator of unix-session:2 FAILED to authenticate to gain authorization for action x for system-bus-name::1.70 (owned by unix-user:alice)
    # - Operator of   successfully authenticated as unix-user:bob to gain ONE-SHOT authorization for action org.freedesktop.systemd1.manage-units for system-bus-name::1.10 [run0 id] (owned by unix-user:alice)
    # - Operator of  successfully authenticated as unix-user:bob to gain ONE-SHOT authorization for action org.freedesktop.systemd1.manage-units for system-bus-name::1.10 [run0 id] (owned by unix-user:alice)
    # - Operator of unix-session:2 successfully authenticated as unix-user:root to gain ONE-SHOT authorization for action   for system-bus-name::1.70 [systemctl stop x] (owned by unix-user:alice)
    # - Operator of unix-session:2 successfully authenticated as unix-user:root to gain ONE-SHOT authorization for action  for system-bus-name::1.70 [systemctl stop x] (owned by unix-user:alice)
    # - Operator of unix-session:2 FAILED to authenticate to gain authorization for action org.freedesktop.systemd1.manage-units for system-bus-name::1.10 x [run0] (owned by unix-user:alice)
    # - Operator of unix-session:2 FAILED to authenticate to gain authorization for action org.freedesktop.systemd1.manage-units for  [run0] (owned by unix-user:alice)
    # - Operator of unix-session:2 FAILED to authenticate to gain authorization for action org.freedesktop.systemd1.manage-units for system-bus-name::1.10 [run0] (owned by unix-user:)
    # - Operator of unix-session:2 successfully authenticated as EXAMPLE\bob c to gain ONE-SHOT authorization for action x for system-bus-name::1.70 [systemctl stop x] (owned by unix-user:EXAMPLE\alice smith)
    (
        b"Operator",
        Pattern(
            rb"Operator of \S+ (?:(FAILED) to authenticate|successfully authenticated as"
            rb" unix-user:[^[]*?) to gain (?:\S+ )?authorization for action (\S+) for \S+"
            rb" \[(.*)\] \(owned by unix-user:([^]]+)\)",
            _verdict,
        ),
    ),
    # + Registered Authentication Agent for unix-session:2 (system bus name :1.5)
    # + Unregistered Authentication Agent for unix-session:2 (system bus name :1.5)
    # + Loading rules from directory /etc/polkit-1/rules.d
    # + Finished loading, compiling and executing 3 rules
    # + Acquired the name org.freedesktop.PolicyKit1 on the system bus
    # + Started polkitd version 122
    # + Reloading rules
    # + Error evaluating administrator rules
    # + Collecting garbage unconditionally...
    # = irrelevant
    # - Reloaded
    # - Unregistered
    (
        b"Registered Unregistered Loading Finished Acquired Started Reloading Error Collecting",
        Pattern(
            rb"(?:Registered|Unregistered|Loading|Finished|Acquired|Started|Reloading|Error"
            rb"|Collecting) .*",
            irrelevant,
        ),
    ),
)
