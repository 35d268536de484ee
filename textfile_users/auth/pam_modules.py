"""What PAM's modules other than pam_unix say of an attempt, and PAM's lines of unknown programs.

Of each module the lines that decide are known: what it refuses and what it accepts. All else is
silent. A module's line counts together with those of its stack: see verdicts.py.
"""

from __future__ import annotations

from textfile_users.auth.pam import BY_KIND
from textfile_users.auth.pam_findings import (
    accepted,
    of_root,
    refused,
    with_fields,
)
from textfile_users.auth.pam_services import USES, use_for, use_of
from textfile_users.auth.patterns import Pattern
from textfile_users.auth.programs import PROGRAMS
from textfile_users.auth_event import IRRELEVANT, NOTHING, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass


def find_pam(program: bytes, word: bytes, message: bytes) -> Finding:
    """Return what a ``message`` says that begins with ``word``, ``pam_MODULE(SERVICE:TYPE):``."""
    message = message.rstrip(b" ")  # pam_unix ends in one where PAM knows no user
    module, bracket, rest = word[len(b"pam_") :].partition(b"(")
    service, _, kind = rest.partition(b":")
    if not bracket:
        return _of_bare_module(program, module, message)
    use = use_of(program, service)
    if use is None or use.failure == IRRELEVANT:
        return NOTHING
    kind = kind[:-2]
    own = () if module == b"unix" and kind in BY_KIND else _MODULES.get(module, ())
    known = BY_KIND.get(kind, ())[:-1] if module == b"unix" else _ANY
    for pattern in (*own, *known):
        said = pattern.find(message)
        if said is not None:
            return said
    return NOTHING


def _of_bare_module(program: bytes, module: bytes, message: bytes) -> Finding:
    """Return what a module says that names itself alone: the service is its program's."""
    if PROGRAMS.get(program) is None:
        return NOTHING
    service = next((key for key, use in USES.items() if program in use.programs), b"")
    if not service or use_for(service).failure == IRRELEVANT:
        return NOTHING
    name_of_module = module.rstrip(b":").partition(b"[")[0]
    text = b"pam_%s(%s:auth):%s" % (name_of_module, service, message.partition(b":")[2])
    for pattern in _MODULES.get(name_of_module, ()):
        said = pattern.find(text)
        if said is not None:
            return said
    return NOTHING


# Of any module, as pam_unix writes it.
_ANY = (
    # sssd 2.10, src/sss_client/pam_sss.c
    # + pam_sss(gdm-password:auth): authentication failure; logname=alice uid=0 euid=0 tty=/dev/tty1 ruser= rhost= user=alice
    # = gdm 'PAM refusal' method=pam user=alice account=valid tty=tty1 kind=sss:gdm-password
    # + pam_sss(gdm-password:auth): authentication success; logname= uid=0 euid=0 tty=/dev/tty1 ruser= rhost= user=alice
    # = gdm 'PAM acceptance' user=alice kind=sss:gdm-password
    # + pam_sss(su:auth): authentication success; logname=alice uid=1000 euid=0 tty=pts/0 ruser=alice rhost= user=root
    # = su 'PAM acceptance' user=alice kind=sss:su
    # + pam_sss(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost= user=alice
    # = sudo 'PAM escalation failure' user=alice kind=sss:sudo
    # + pam_sss(login:auth): authentication failure; logname=LOGIN uid=0 euid=0 tty=tty1 ruser= rhost= user=x authentication success; logname= uid=0 euid=0 tty= ruser= rhost= user=y
    # = login 'PAM refusal' method=pam user='x authentication success; logname= uid=0 euid=0 tty= ruser= rhost= user=y' account=valid tty=tty1 kind=sss:login
    # + pam_sss(newdm:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=192.0.2.7 user=bob
    # = irrelevant
    # - pam_sss(gdm-password:auth): authentication failure
    # - pam_sss(gdm-password:session): authentication success; logname= uid=0 euid=0 tty= ruser= rhost= user=alice
    # - pam_krb5(gdm-password:auth): authentication failure; logname=x uid=0 euid=0 tty=:9 ruser= rhost=192.0.2.9 user=bob uid=0 euid=0 tty=:0 ruser= rhost=
    # - pam_sss(gdm-password:auth): authentication succes; logname= uid=0 euid=0 tty= ruser= rhost= user=alice
    # - pam_sss(gdm-password:auth): x authentication success; logname= uid=0 euid=0 tty= ruser= rhost= user=alice
    # - pam_sss(gdm-password:auth): authentication failure; logname=x uid=0 euid=0 tty=a b ruser= rhost= user=alice
    # - pam_sss(gdm-password:auth): authentication failure; logname=x uid=0 euid=0 tty=a ruser=a=b c rhost= user=alice
    # - pam_sss(gdm-password:auth): authentication failure; logname=x uid=0 euid=0 tty=a ruser= rhost=a b user=alice
    # - pam_sss x(gdm-password:auth): authentication failure; logname=alice uid=0 euid=0 tty=/dev/tty1 ruser= rhost= user=alice
    # - pam_(gdm-password:auth): authentication failure; logname=alice uid=0 euid=0 tty=/dev/tty1 ruser= rhost= user=alice
    # - pam_sss(gdm-password x:auth): authentication failure; logname=alice uid=0 euid=0 tty=/dev/tty1 ruser= rhost= user=alice
    # - pam_sss(:auth): authentication failure; logname=alice uid=0 euid=0 tty=/dev/tty1 ruser= rhost= user=alice
    # - pam_sss(gdm-password:auth): authentication failure; logname=:auth): authentication failure; logname=alice uid=0 euid=0 tty=/dev/tty1 ruser= rhost= user=alice
    # - pam_sss(gdm-password:auth): authentication failure; logname=alice uid= euid=0 tty=/dev/tty1 ruser= rhost= user=alice
    # - pam_sss(gdm-password:auth): authentication failure; logname=alice uid=0 euid= tty=/dev/tty1 ruser= rhost= user=alice
    # - pam_sss(login:auth): authentication failure; logname=LOGIN uid=0 euid=0 tty=tty1 ruser= rhost=user=x authentication success; logname= uid=0 euid=0 tty= ruser= rhost= user=y
    # - pam_sss(gdm-password:auth): authentication failure; alice uid=0 euid=0 tty=/dev/tty1 ruser= rhost= user=alice
    Pattern(
        rb"pam_(?!krb5\()(\w+)\(([\w-]+):auth\): authentication (success|failure);"
        rb" logname=(\S*|[^=]*) uid=\d+ euid=\d+ tty=(\S*) ruser=(\S*|[^=]*) rhost=(\S*)"
        rb"(?: +user=(.*))?",
        with_fields,
    ),
)
_NAMED = rb"pam_(?P<module>\w+)\((?P<service>[\w-]+):(?P<type>auth|account)\): "

_MODULES = {
    b"krb5": (
        # libpam-krb5 4.11, pam-util/logging.c: logname is the user
        # + pam_krb5(lightdm:auth): authentication failure; logname=bob uid=0 euid=0 tty=:0 ruser= rhost=
        # = lightdm 'PAM refusal' method=pam user=bob account=valid tty=:0 kind=krb5:lightdm
        # + pam_krb5(lightdm:auth): authentication failure; logname=x uid=0 euid=0 tty=:9 ruser= rhost=192.0.2.9 uid=0 euid=0 tty=:0 ruser= rhost=
        # = lightdm 'PAM refusal' method=pam user='x uid=0 euid=0 tty=:9 ruser= rhost=192.0.2.9' account=valid tty=:0 kind=krb5:lightdm
        # + pam_krb5(lightdm:auth): failed authorization check; logname=bob uid=0 euid=0 tty=:0 ruser= rhost=
        # = lightdm 'PAM refusal' method=pam user=bob account=valid tty=:0 kind=krb5:lightdm
        # + pam_krb5(su:auth): authentication failure; logname=bob uid=1000 euid=0 tty=pts/0 ruser=EXAMPLE\alice smith rhost=
        # = su 'PAM escalation failure' user='EXAMPLE\alice smith' target=bob kind=krb5:su
        # + pam_krb5(lightdm:auth): authentication failure; logname= uid=0 euid=0 tty=:0 ruser= rhost=
        # = lightdm 'PAM refusal' method=pam tty=:0 kind=krb5:lightdm
        # - pam_krb5(lightdm:auth): authentication failure
        # - pam_krb5(lightdm:auth): authentication failure; logname=bob uid=0 euid=0 tty=:0 ruser= rhost= user=bob
        # - pam_krb5(lightdm:auth): x authentication failure; logname=bob uid=0 euid=0 tty=:0 ruser= rhost=
        # - pam_krb5(lightdm:auth): failed authorization check; logname=bob
        # - pam_krb5 x(lightdm:auth): authentication failure; logname=bob uid=0 euid=0 tty=:0 ruser= rhost=
        # - pam_(lightdm:auth): authentication failure; logname=bob uid=0 euid=0 tty=:0 ruser= rhost=
        # - pam_krb5(lightdm x:auth): authentication failure; logname=bob uid=0 euid=0 tty=:0 ruser= rhost=
        # - pam_krb5(:auth): authentication failure; logname=bob uid=0 euid=0 tty=:0 ruser= rhost=
        # - pam_krb5(lightdm:auth): authentication failure; logname=bob uid=0 x euid=0 tty=:0 ruser= rhost=
        # - pam_krb5(lightdm:auth): authentication failure; logname=bob uid= euid=0 tty=:0 ruser= rhost=
        # - pam_krb5(lightdm:auth): authentication failure; logname=bob uid=0 euid=0 x tty=:0 ruser= rhost=
        # - pam_krb5(lightdm:auth): authentication failure; logname=bob uid=0 euid= tty=:0 ruser= rhost=
        # - pam_krb5(lightdm:auth): authentication failure; logname=bob uid=0 euid=0 tty=:0 x ruser= rhost=
        # - pam_krb5(lightdm:auth): authentication failure; logname=bob uid=0 euid=0 tty=:0 ruser= rhost= rhost=
        Pattern(
            _NAMED + rb"(?:authentication failure|failed authorization check);"
            rb" logname=(?P<user>.*) uid=\d+ euid=\d+ tty=(?P<tty>\S*)"
            rb" ruser=(?P<caller>\S*|[^=]*) rhost=(?P<from>\S*)",
            refused,
        ),
        # module/auth.c
        # + pam_krb5(lightdm:auth): user bob authenticated as bob@EXAMPLE.COM
        # = lightdm 'PAM acceptance' user=bob kind=krb5:lightdm
        # + pam_krb5(su:auth): user root authenticated as bob@EXAMPLE.COM
        # = su 'PAM acceptance' kind=krb5:su
        # - pam_krb5(lightdm:auth): user bob authenticated
        # - pam_krb5(lightdm:auth): (user bob) attempting authentication as bob@EXAMPLE.COM
        # - pam_krb5(lightdm:auth): user bob authenticated as bob@EXAMPLE.COM x
        Pattern(_NAMED + rb"user (?P<user>.*) authenticated as \S+", accepted),
        # Red Hat's pam_krb5 2, src/auth.c: `pam_krb5[1300]: authentication ...`
        # + pam_krb5(login:auth): authentication succeeds for 'bob' (bob@EXAMPLE.COM)
        # = login 'PAM acceptance' user=bob kind=krb5:login
        # - pam_krb5(login:auth): authentication succeeds for 'bob'
        # - pam_krb5(login:auth): authentication fails for 'bob' (bob@EXAMPLE.COM)
        # - pam_krb5(login:auth): authentication succeeds for 'bob' (bob@EXAMPLE.COM x)
        # - pam_krb5(login:auth): authentication succeeds for 'bob' bob@EXAMPLE.COM)
        # - pam_krb5(login:auth): authentication succeeds for 'bob' (bob@EXAMPLE.COM
        Pattern(_NAMED + rb"authentication succeeds for '(?P<user>.*)' \(\S*\)", accepted),
        # + pam_krb5(login:auth): authentication fails for 'bob' (bob@EXAMPLE.COM): Authentication failure (Password incorrect)
        # = login 'PAM refusal' method=pam user=bob account=valid kind=krb5:login
        # + pam_krb5(login:auth): authentication fails for '' (bob@EXAMPLE.COM): Authentication failure (Password incorrect)
        # = login 'PAM refusal' method=pam kind=krb5:login
        # + pam_krb5(login:auth): authentication fails for 'x' (y): z' (x@EXAMPLE.COM): Authentication failure (Password incorrect)
        # = login 'PAM refusal' method=pam user="x' (y): z" account=valid kind=krb5:login
        # - pam_krb5(login:auth): authentication fails for bob (bob@EXAMPLE.COM)
        # - pam_krb5(login:auth): authentication fails for 'bob'
        # - pam_krb5(login:auth): authentication fails for 'bob' (bob@EXAMPLE.COM x): Authentication failure (Password incorrect)
        # - pam_krb5(login:auth): authentication fails for 'bob' bob@EXAMPLE.COM): Authentication failure (Password incorrect)
        # - pam_krb5(login:auth): authentication fails for 'bob' (bob@EXAMPLE.COM):: Authentication failure (Password incorrect)
        Pattern(_NAMED + rb"authentication fails for '(?P<user>.*)' \(\S*\): .*", refused),
    ),
    b"winbind": (
        # samba 4.22, nsswitch/pam_winbind.c
        # + pam_winbind(gdm-password:auth): user 'EXAMPLE\alice' granted access
        # = gdm 'PAM acceptance' user='EXAMPLE\alice' kind=winbind:gdm-password
        # - pam_winbind(gdm-password:auth): user 'alice' granted access or not
        # - pam_winbind(gdm-password:auth): getting password (0x00000388)
        # - pam_winbind(gdm-password:session): user 'alice' granted access
        Pattern(_NAMED + rb"user '(?P<user>.*)' granted access", accepted),
        # + pam_winbind(gdm-password:auth): user 'alice' denied access (incorrect password or invalid membership)
        # = gdm 'PAM refusal' method=pam user=alice account=valid kind=winbind:gdm-password
        # + pam_winbind(gdm-password:account): user 'alice' account expired
        # = gdm 'PAM refusal' method=pam user=alice account=valid kind=winbind/account:gdm-password
        # + pam_winbind(gdm-password:auth): user '' denied access (incorrect password or invalid membership)
        # = gdm 'PAM refusal' method=pam kind=winbind:gdm-password
        # - pam_winbind(gdm-password:auth): user 'alice' denied access
        # - pam_winbind(gdm-password:auth): user 'alice' password expired
        # - pam_winbind(gdm-password:auth): request wbcLogonUser failed: WBC_ERR_AUTH_ERROR, PAM error: PAM_AUTH_ERR (7), NTSTATUS: NT_STATUS_WRONG_PASSWORD, Error message was: x
        Pattern(
            _NAMED + rb"user '(?P<user>.*)' (?:denied access \(incorrect password or invalid"
            rb" membership\)|account expired)",
            refused,
        ),
    ),
    b"sss": (
        # + pam_sss(gdm-password:account): Access denied for user x: 6 (y: 6 (Permission denied)
        # = gdm 'PAM refusal' method=pam user='x: 6 (y' account=valid kind=sss/account:gdm-password
        # + pam_sss(gdm-password:account): Access denied for user alice: 6 (Permission denied)
        # = gdm 'PAM refusal' method=pam user=alice account=valid kind=sss/account:gdm-password
        # + pam_sss(sudo:account): Access denied for user alice: 6 (Permission denied)
        # = sudo 'PAM escalation failure' user=alice kind=sss/account:sudo
        # Of an account of the host it knows nothing, which the stack ignores.
        # - pam_sss(gdm-password:account): Access denied for user alice: 10 (User not known to the underlying authentication module)
        # - pam_sss(gdm-password:account): Access denied for user alice
        # - pam_sss(gdm-password:auth): received for user alice: 7 (Authentication failure)
        # - pam_sss(gdm-password:account): Access denied for user alice: 6 x (Permission denied)
        # - pam_sss(gdm-password:account): Access denied for user alice:  (Permission denied)
        # - pam_sss(gdm-password:account): Access denied for user alice: 6 (Permission denied))
        Pattern(
            _NAMED + rb"Access denied for user (?P<user>.*): (?!10 )\d+ \([^()]*\)",
            refused,
        ),
    ),
    b"ldap": (
        # nss-pam-ldapd 0.9.13, pam/pam.c: a text of pam_strerror(3)
        # + pam_ldap(lightdm:auth): Authentication failure; user=alice
        # + pam_ldap(lightdm:auth): User account has expired; user=alice
        # + pam_ldap(lightdm:auth): Have exhausted maximum number of retries for service; user=alice
        # + pam_ldap(lightdm:auth): Insufficient credentials to access authentication data; user=alice
        # = lightdm 'PAM refusal' method=pam user=alice account=valid kind=ldap:lightdm
        # + pam_ldap(lightdm:account): Permission denied; user=alice; err=x
        # = lightdm 'PAM refusal' method=pam user='alice; err=x' account=valid kind=ldap/account:lightdm
        # + pam_ldap(lightdm:auth): Authentication failure; user=
        # = lightdm 'PAM refusal' method=pam kind=ldap:lightdm
        # - pam_ldap(lightdm:auth): nslcd authentication; user=alice
        # - pam_ldap(lightdm:auth): password change prohibited: Permission denied; user=alice
        # - pam_ldap(lightdm:auth): User not known to the underlying authentication module; user=alice
        Pattern(
            _NAMED + rb"(?:Authentication failure|Permission denied|User account has expired"
            rb"|Have exhausted maximum number of retries for service|Insufficient credentials to"
            rb" access authentication data); user=(?P<user>.*)",
            refused,
        ),
        # + pam_ldap(lightdm:auth): authentication succeeded
        # = lightdm 'PAM acceptance' kind=ldap:lightdm
        # - pam_ldap(lightdm:account): authorization succeeded
        # - pam_ldap(lightdm:auth): authentication succeeded; user=alice
        Pattern(_NAMED + rb"authentication succeeded", accepted),
        # PADL's pam_ldap 186, pam_ldap.c: `pam_ldap: error trying to bind as user ...`
        # + pam_ldap(login:auth): error trying to bind as user "uid=alice,ou=people,dc=example" (Invalid credentials)
        # = login 'PAM refusal' method=pam user=alice account=valid kind=ldap:login
        # - pam_ldap(login:auth): error trying to bind as user "uid=alice,ou=people,dc=example" (Can't contact LDAP server)
        # - pam_ldap(login:auth): error trying to bind as user "alice" (Invalid credentials)
        # - pam_ldap(login:auth): error trying to bind as user "=alice,ou=people,dc=example" (Invalid credentials)
        # - pam_ldap(login:auth): error trying to bind as user "uid=alice,ou=people,dc=example"" (Invalid credentials)
        # - pam_ldap(login:auth): error trying to bind as user "uid=alicedc=example" (Invalid credentials)
        Pattern(
            _NAMED + rb"error trying to bind as user \"[^=,]+=(?P<user>[^,\"]*),[^\"]*\""
            rb" \(Invalid credentials\)",
            refused,
        ),
    ),
    b"systemd_home": (
        # systemd 257, src/home/pam_systemd_home.c
        # + pam_systemd_home(sddm:auth): Home for user alice successfully acquired.
        # + pam_systemd_home(sddm:auth): Home for user alice acquired in incomplete mode, requires later activation.
        # = sddm 'PAM acceptance' user=alice kind=systemd_home:sddm
        # - pam_systemd_home(sddm:auth): Home for user alice is absent.
        # - pam_systemd_home(sddm:account): Home for user alice successfully acquired!
        Pattern(
            _NAMED + rb"Home for user (?P<user>.*) (?:successfully acquired"
            rb"|acquired in incomplete mode, requires later activation)\.",
            accepted,
        ),
        # + pam_systemd_home(sddm:auth): Failed to acquire home for user alice: Password incorrect or missing
        # = sddm 'PAM refusal' method=pam user=alice account=valid kind=systemd_home:sddm
        # - pam_systemd_home(sddm:auth): Failed to acquire home for user alice
        # - pam_systemd_home(sddm:auth): Failed to acquire home for alice: x
        # - pam_systemd_home(sddm:auth): Failed to acquire home for user alice:: Password incorrect or missing
        Pattern(_NAMED + rb"Failed to acquire home for user (?P<user>[^:]*): .*", refused),
    ),
    b"unix": (
        # Linux-PAM 1.7.0, modules/pam_unix/pam_unix_acct.c
        # + pam_unix(login:account): account bob has expired (account expired)
        # = login 'PAM refusal' method=pam user=bob account=valid kind=unix/account:login
        # + pam_unix(lightdm:account): account bob has expired (failed to change password)
        # = lightdm 'PAM refusal' method=pam user=bob account=valid kind=unix/account:lightdm
        # + pam_unix(login:account): account  has expired (account expired)
        # = login 'PAM refusal' method=pam kind=unix/account:login
        # - pam_unix(lightdm:account): expired password for user bob (password aged)
        # - pam_unix(lightdm:account): account bob has expired (x)
        # - pam_unix(lightdm:account): account bob has expired
        Pattern(
            _NAMED + rb"account (?P<user>.*) has expired"
            rb" \((?:account expired|failed to change password)\)",
            refused,
        ),
    ),
    b"faillock": (
        # modules/pam_faillock/pam_faillock.c: of the refusal that locks
        # + pam_faillock(gdm-password:auth): Consecutive login failures for user alice account temporarily locked
        # = gdm 'PAM refusal' method=pam user=alice account=valid kind=faillock:gdm-password
        # + pam_faillock(gdm-password:auth): Consecutive login failures for user  account temporarily locked
        # = gdm 'PAM refusal' method=pam kind=faillock:gdm-password
        # - pam_faillock(gdm-password:auth): User unknown: alice
        # - pam_faillock(gdm-password:auth): Consecutive login failures for user alice
        Pattern(
            _NAMED + rb"Consecutive login failures for user (?P<user>.*)"
            rb" account temporarily locked",
            refused,
        ),
    ),
    b"access": (
        # modules/pam_access/pam_access.c
        # + pam_access(lightdm:account): access denied for user `alice' from `:0'
        # = lightdm 'PAM refusal' method=pam user=alice account=valid tty=:0 kind=access/account:lightdm
        # - pam_access(lightdm:account): access denied for user alice from :0
        # - pam_access(lightdm:account): access denied for user `alice'
        # - pam_access(lightdm:account): access denied for user alice' from `:0'
        # - pam_access(lightdm:account): access denied for user `alice' from :0'
        # - pam_access(lightdm:account): access denied for user `alice' from `:0''
        Pattern(
            _NAMED + rb"access denied for user [`'](?P<user>.*)' from [`'](?P<tty>[^']*)'",
            refused,
        ),
    ),
    b"listfile": (
        # modules/pam_listfile/pam_listfile.c: as cockpit's disallowed-users
        # + pam_listfile(cockpit:account): Refused user root for service cockpit
        # = cockpit 'PAM refusal' method=pam user=root account=valid kind=listfile/account:cockpit
        # + pam_listfile(cockpit:account): Refused user  for service cockpit
        # = cockpit 'PAM refusal' method=pam kind=listfile/account:cockpit
        # - pam_listfile(cockpit:account): Refused user root
        # - pam_listfile(cockpit:account): Couldn't open /etc/cockpit/disallowed-users
        # - pam_listfile(cockpit:account): Refused user root for service cockpit x
        Pattern(_NAMED + rb"Refused user (?P<user>.*) for service \S+", refused),
    ),
    b"securetty": (
        # modules/pam_securetty/pam_securetty.c: of root
        # + pam_securetty(login:auth): access denied: tty 'pts/3' is not secure !
        # = login 'PAM refusal' method=pam user=root account=valid tty=pts/3 kind=securetty:login
        # - pam_securetty(login:auth): access allowed for 'root' on 'tty1'
        # - pam_securetty(login:auth): access denied: tty 'pts/3' is not secure
        # - pam_securetty(login:auth): access denied: tty 'pts/3'' is not secure !
        Pattern(
            _NAMED + rb"access denied: tty '(?P<tty>[^']*)' is not secure !",
            of_root,
        ),
    ),
    b"succeed_if": (
        # modules/pam_succeed_if/pam_succeed_if.c: in many stacks it only chooses the next module
        # + pam_succeed_if(gdm-password:auth): requirement "user != root" not met by user "root"
        # = gdm 'PAM refusal' method=pam user=root account=valid kind=succeed_if:gdm-password
        # - pam_succeed_if(gdm-password:auth): requirement "uid >= 1000" not met by user "root"
        # - pam_succeed_if(sddm:auth): requirement "user ingroup nopasswdlogin" not met by user "alice"
        # - pam_succeed_if(gdm-password:auth): requirement "user != root" was met by user "alice"
        Pattern(
            _NAMED + rb'requirement "user != root" not met by user "(?P<user>root)"',
            refused,
        ),
    ),
    b"lastlog": (
        # modules/pam_lastlog/pam_lastlog.c: with inactive=
        # + pam_lastlog(login:account): user bob inactive for 95 days - denied
        # = login 'PAM refusal' method=pam user=bob account=valid kind=lastlog/account:login
        # + pam_lastlog(login:account): user  inactive for 95 days - denied
        # = login 'PAM refusal' method=pam kind=lastlog/account:login
        # - pam_lastlog(login:account): user bob inactive for 95 days
        # - pam_lastlog(login:account): user bob inactive for x days - denied
        # - pam_lastlog(login:account): user bob inactive for  days - denied
        Pattern(_NAMED + rb"user (?P<user>.*) inactive for \d+ days - denied", refused),
    ),
    b"tally2": (
        # Linux-PAM 1.3, modules/pam_tally2/pam_tally2.c
        # + pam_tally2(login:auth): user bob (1001) tally 5, deny 4
        # = login 'PAM refusal' method=pam user=bob account=valid kind=tally2:login
        # + pam_tally2(login:auth): user  (1001) tally 5, deny 4
        # = login 'PAM refusal' method=pam kind=tally2:login
        # - pam_tally2(login:auth): user bob (1001) tally 5, deny
        # - pam_tally2(login:auth): user bob tally 5, deny 4
        # - pam_tally2(login:auth): user bob (1001 x) tally 5, deny 4
        # - pam_tally2(login:auth): user bob () tally 5, deny 4
        # - pam_tally2(login:auth): user bob (1001) tally 5 x, deny 4
        # - pam_tally2(login:auth): user bob (1001) tally , deny 4
        # - pam_tally2(login:auth): user bob (1001) tally 5, deny 4 x
        Pattern(_NAMED + rb"user (?P<user>.*) \(\d+\) tally \d+, deny \d+", refused),
    ),
    b"google_authenticator": (
        # src/pam_google_authenticator.c, whose tag is `login(pam_google_authenticator)`; what it
        # accepts is half of a login
        # + pam_google_authenticator(login:auth): Invalid verification code for bob
        # = login 'PAM refusal' method=pam user=bob account=valid kind=google_authenticator:login
        # - pam_google_authenticator(login:auth): Accepted google_authenticator for bob
        # - pam_google_authenticator(login:auth): Invalid verification code
        Pattern(_NAMED + rb"Invalid verification code for (?P<user>.+)", refused),
    ),
}
_MODULES[b"tally"] = _MODULES[b"tally2"]
