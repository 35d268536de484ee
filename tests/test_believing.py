"""Whom an entry of the journal may tell of: root of everybody, a user of that user alone."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from tests.hosts import Host
from tests.test_journal import fields
from textfile_users.accounts.account import UID, Answer, accounts
from textfile_users.accounts.passwd import NO_ACCOUNTS, Passwd, parse_subuid
from textfile_users.auth.journal_entry import JournalEntry, parse_entry
from textfile_users.auth.pairing import Pairing
from textfile_users.auth.reader import IGNORED, MATCHED, UNMATCHED_LINES, UNTRUSTED, Reader
from textfile_users.auth.stamps import Stamps
from textfile_users.auth_event import AuthEvent
from textfile_users.paths import Paths
from textfile_users.reading.localtime import utc_time

PASSWD = """root:x:0:0::/root:/bin/sh
toor:x:0:0::/root:/bin/sh
polkitd:x:998:998::/:/bin/false
www-data:x:33:33::/:/bin/false
alice:x:1000:1000::/home/alice:/bin/sh
al:x:1000:1000::/home/alice:/bin/sh
bob:x:1001:1001::/home/bob:/bin/sh
mallory:x:1002:1002::/home/mallory:/bin/sh
"""
SUBUID = "mallory:100000:65536\nmalformed\nx:y:z\n"
# A user of a domain that NSS has told of.
DAVE = Answer(UID, "70001", "EX\\dave", 70_001, 70_001, "", False, 0.0)


class Case(NamedTuple):
    """An entry, who wrote it, and what it makes: an escalation from whom to whom, or nothing."""

    why: str
    program: str
    message: str
    uid: int
    expected: str
    login: int = -1
    exe: str = "own"
    gid: int = 0


GRANTED = "{} : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh"
REFUSED = "{} : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh"
OPENED = "pam_unix({}:session): session opened for user root(uid=0) by {}(uid=1000)"
FAILED = (
    "pam_unix(su:auth): authentication failure; logname={0} uid=1000 euid=0 tty=pts/0"
    " ruser={0} rhost=  user=root"
)
VERDICT = (
    "Operator of unix-session:2 successfully authenticated as unix-user:root to gain TEMPORARY"
    " authorization for action org.example.do for unix-process:1:2 [x] (owned by unix-user:alice)"
)
NEWDM = (
    "pam_unix(newdm:auth): authentication failure; logname= uid=0 euid=0 tty=:0 ruser= rhost="
    "  user=alice"
)
ENDED = "Connection closed by 192.0.2.7 port 38926"
OWN = {
    "sudo": "/usr/bin/sudo",
    "su": "/usr/bin/su",
    "doas": "/usr/bin/doas",
    "pkexec": "/usr/bin/pkexec",
    "polkitd": "/usr/lib/polkit-1/polkitd",
    "sshd": "/usr/sbin/sshd",
}
GONE = "Connection closed by 192.0.2.7 port 38926"
CASES = [
    Case("OpenSSH 7: a login's own process", "sshd", "Write failed: Broken pipe", 1000, "ignored"),
    Case("sshd of a stranger", "sshd", GONE, 0, ""),
    Case("a user in its name", "sshd", GONE, 1000, "untrusted", exe="/usr/bin/logger"),
    Case("sudo's own", "sudo", GRANTED.format("alice"), 1000, "alice root"),
    Case("its prompt", "sudo", GRANTED.format("alice"), 1002, "untrusted"),
    Case("the other name of a uid", "sudo", GRANTED.format("al"), 1000, "al root"),
    Case("who has become bob", "su", "(to root) alice on pts/0", 1001, "alice root", login=1000),
    Case("bob himself", "su", "(to root) bob on pts/0", 1001, "bob root", login=1000),
    Case("neither", "su", "(to root) mallory on pts/0", 1001, "untrusted", login=1000),
    Case("su's complaint", "su", "(to root) alice on pts/0", 1002, "untrusted"),
    Case("shadow's su", "su", "Successful su for root by alice", 1002, "untrusted"),
    Case("root of anybody", "su", "(to root) alice on pts/0", 0, "alice root"),
    Case("root under the other name", "sudo", GRANTED.format("toor"), 0, "toor root"),
    Case("a refusal that accuses", "sudo", REFUSED.format("alice"), 1002, "untrusted"),
    Case("a refusal", "sudo", REFUSED.format("alice"), 1000, "refused alice root"),
    Case("a refusal, gone", "sudo", REFUSED.format("alice"), 1000, "refused alice root", exe=""),
    Case("another's, gone", "sudo", REFUSED.format("alice"), 1002, "untrusted", exe=""),
    Case("a grant, gone", "sudo", GRANTED.format("alice"), 1000, "alice root", exe=""),
    Case("another's grant, gone", "sudo", GRANTED.format("alice"), 1002, "untrusted", exe=""),
    Case("logger", "sudo", GRANTED.format("alice"), 1000, "untrusted", exe="/usr/bin/logger"),
    Case("a doas' refusal, gone", "doas", "command not permitted for bob: id", 1001,
         "refused bob", exe=""),
    Case("doas as root", "doas", "alice ran command id as root from /", 0, "alice root"),
    Case("doas, gone", "doas", "alice ran command id as root from /", 0, "alice root", exe=""),
    Case("doas, become the command", "doas", "alice ran command /bin/id -u as root from /", 0,
         "alice root", exe="/usr/bin/id"),
    Case("doas, become another", "doas", "alice ran command /bin/id -u as root from /", 0,
         "untrusted", exe="/usr/bin/cat"),
    Case("doas as bob, of alice's login", "doas", "alice ran command id as bob from /", 1001,
         "alice bob", login=1000),
    Case("doas as bob, of no login", "doas", "alice ran command id as bob from /", 1001,
         "untrusted"),
    Case("doas: a directory that forges root", "doas",
         "alice ran command id as bob from /y as root from /z", 1001, "alice bob", login=1000),
    Case("doas: a directory that hides root", "doas",
         "alice ran command id as root from /y as bob from /z", 0, "alice root"),
    Case("pkexec, become the command", "pkexec",
         "alice: Executing command [USER=root] [TTY=unknown] [CWD=/] [COMMAND=/usr/bin/id -u]", 0,
         "alice root", exe="/usr/bin/id"),
    Case("pkexec, refused", "pkexec", "alice: Error executing command as another user:"
         " Not authorized [USER=root] [TTY=unknown] [CWD=/] [COMMAND=/usr/bin/id]", 1000,
         "refused alice root"),
    Case("pkexec, of another", "pkexec", "alice: Error executing command as another user:"
         " Not authorized [USER=root] [TTY=unknown] [CWD=/] [COMMAND=/usr/bin/id]", 1002,
         "untrusted"),
    Case("PAM's session", "su", OPENED.format("su", "alice"), 1000, "alice root"),
    Case("PAM's session of another", "su", OPENED.format("su", "alice"), 1002, "untrusted"),
    Case("PAM names nobody, the kernel does", "sudo", OPENED.format("sudo", ""), 1000,
         "alice root"),
    Case("a display manager that no table knows", "newdm", NEWDM, 0, "refused alice",
         exe="/usr/sbin/newdm"),
    Case("one in a user's name", "newdm", NEWDM, 1000, "untrusted", exe="/usr/sbin/newdm"),
    Case("logger of a user's", "gdm-x", NEWDM.replace("newdm", "gdm-x"), 1000, "untrusted",
         exe="/usr/bin/logger"),
    Case("logger of a user's, gone", "newdm", NEWDM, 1000, "untrusted", exe=""),
    Case("logger of root's", "newdm", NEWDM, 0, "untrusted", exe="/usr/bin/logger"),
    Case("sudo cat, whose output is /dev/log", "cat", NEWDM, 0, "untrusted", login=1002,
         exe="/usr/bin/cat"),
    Case("sudo cat tells of who runs it", "cat", NEWDM, 0, "refused alice", login=1000,
         exe="/usr/bin/cat"),
    Case("sudo cat as run0", "cat", OPENED.format("systemd-run0", ""), 0, "untrusted",
         exe="/usr/bin/cat"),
    Case("root's with a user's group, as sudo complains", "newdm", NEWDM, 0, "untrusted",
         exe="/usr/sbin/newdm", gid=1000),
    Case("PAM's sum, of nothing told", "newdm", "PAM 2 more authentication failures; logname="
         " uid=0 euid=0 tty=:0 ruser= rhost=  user=alice", 0, "nothing", exe="/usr/sbin/newdm"),
    Case("of another's service", "newdm", OPENED.format("su", "alice"), 0, "ignored",
         exe="/usr/sbin/newdm"),
    Case("a job", "CRON", "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)",
         0, "ignored", exe="/usr/sbin/cron"),
    Case("what is no line of PAM's", "useradd", "new user: name=x, UID=1, GID=1, home=/, shell=/",
         0, "ignored", exe="/usr/sbin/useradd"),
    Case("run0's session", "(id)", OPENED.format("systemd-run0", ""), 0, "root",
         exe="/usr/lib/systemd/systemd-executor"),
    Case("run0's session, forged", "(id)", OPENED.format("systemd-run0", ""), 1000, "untrusted",
         exe="/usr/bin/logger"),
    Case("the end of a login, since OpenSSH 10.6", "sshd-session", ENDED, 1000, "ignored",
         exe="/usr/lib/openssh/sshd-session"),
    Case("the same, gone", "sshd-session", ENDED, 1000, "ignored", exe=""),
    Case("the same, forged", "sshd-session", ENDED, 1000, "untrusted", exe="/usr/bin/logger"),
    Case("what a login's sshd says in words not known", "sshd-session", "something new", 1000,
         "ignored", exe="/usr/lib/openssh/sshd-session"),
    Case("a user's own sshd", "sshd", "Failed password for bob from 192.0.2.7 port 22 ssh2", 1000,
         "untrusted", exe="/usr/sbin/sshd"),
    Case("PAM's refusal", "su", FAILED.format("alice"), 1000, "refused alice root"),
    Case("PAM's refusal of another", "su", FAILED.format("alice"), 1002, "untrusted"),
    Case("PAM's refusal names nobody", "su", FAILED.format("").replace("  user=root", ""), 1000,
         "refused alice"),
    Case("a domain's user nobody asked for", "sudo", GRANTED.format("EX\\carl"), 70_002,
         "EX\\carl root"),
    Case("who names one of passwd", "sudo", GRANTED.format("alice"), 70_002, "untrusted"),
    Case("who names one of the domain", "sudo", GRANTED.format("EX\\dave"), 70_002, "untrusted"),
    Case("a domain's user", "sudo", GRANTED.format("EX\\dave"), 70_001, "EX\\dave root"),
    Case("who names one unknown", "sudo", GRANTED.format("EX\\carl"), 70_001, "untrusted"),
    Case("a user who names one unknown", "sudo", GRANTED.format("carl"), 1002, "untrusted"),
    Case("the same in a namespace", "sudo", GRANTED.format("carl"), 100_004, "untrusted"),
    Case("the same, whose login is another's", "su", "(to root) carl on pts/0", 1001, "carl root",
         login=70_002),
    Case("polkit's service", "polkitd", VERDICT, 998, "alice"),
    Case("another service that runs it", "polkitd", VERDICT, 33, "untrusted"),
    # What sudo complains of, and sudoedit of a file's name, has root's uid and the user's group.
    Case("sudoedit's complaint", "sudo", GRANTED.format("bob") + ": editing files", 0, "untrusted",
         gid=1002),
    Case("the same of root", "sudo", GRANTED.format("root"), 0, "untrusted", gid=1002),
    Case("the same of who logged in", "sudo", GRANTED.format("mallory"), 0, "mallory root",
         gid=1002, login=1002),
    Case("the same, gone", "sudo", GRANTED.format("bob"), 0, "untrusted", gid=1002, exe=""),
    Case("the same in PAM's words", "sudo", OPENED.format("sudo", "bob"), 0, "ignored", gid=1002),
    Case("PAM of root's sudo to bob", "sudo", OPENED.format("sudo", ""), 0, "ignored", gid=1001),
    Case("as polkit's service, gone", "polkitd", VERDICT, 0, "untrusted", gid=1002, exe=""),
    Case("root, with another group", "su", "(to bob) root on pts/0", 0, "root bob", login=0,
         gid=4),
    Case("a line that no pattern knows", "sudo", "alice: something new", 1000, "unmatched"),
    Case("the same by who knows what", "sudo", "alice: something new", 1000, "untrusted", exe=""),
]  # fmt: skip


def entry_of(case: Case) -> JournalEntry:
    changed: dict[str, object] = {
        "SYSLOG_IDENTIFIER": case.program,
        "MESSAGE": case.message,
        "_UID": str(case.uid),
        "_GID": str(case.gid),
        "_AUDIT_LOGINUID": str(case.login % (1 << 32)),
        "_EXE": OWN[case.program] if case.exe == "own" else case.exe,
        "_TRANSPORT": "syslog",
    }
    known = {key: value for key, value in fields(1, **changed).items() if value}
    found = parse_entry(json.dumps(known).encode())
    assert isinstance(found, JournalEntry)
    return found


def brief(event: AuthEvent) -> str:
    words = ["refused" if "failure" in event.said.event else "", event.said.user, event.said.target]
    return " ".join(filter(None, words))


@pytest.fixture
def host(tmp_path_factory: pytest.TempPathFactory) -> Host:
    found = Host(str(tmp_path_factory.mktemp("host")))
    found.write("etc/passwd", PASSWD)
    found.write("etc/subuid", SUBUID)
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.why)
def test_whom_an_entry_tells_of(case: Case, host: Host) -> None:
    pairing = Pairing()
    reader = Reader(pairing, Stamps(0.0, utc_time), lambda: accounts(Paths(host.root), [DAVE]))
    events = [*reader.read_entry(entry_of(case)), *pairing.finish()]
    results = {"ignored": IGNORED, "untrusted": UNTRUSTED, "unmatched": UNMATCHED_LINES}
    assert reader.lines == {
        **dict.fromkeys(reader.lines, 0),
        results.get(case.expected, MATCHED): 1,
    }
    is_event = case.expected not in (*results, "nothing")
    assert [brief(event) for event in events] == [case.expected] * is_event


def test_where_no_account_is_known_all_are_believed() -> None:
    reader = Reader(Pairing(), Stamps(0.0, utc_time))
    case = Case("", "sudo", REFUSED.format("alice"), 1000, "")
    assert len(reader.read_entry(entry_of(case))) == 1


def test_accounts_are_read_once_and_only_for_a_user() -> None:
    asked = []

    def read() -> Passwd:
        asked.append(1)
        return NO_ACCOUNTS

    reader = Reader(Pairing(), Stamps(0.0, utc_time), read)
    for uid in (0, 1000, 1001):
        reader.read_entry(entry_of(Case("", "sudo", GRANTED.format("alice"), uid, "")))
        assert len(asked) == (uid > 0)


@pytest.mark.parametrize(
    ("data", "expected", "why"),
    [
        (b"a:100000:65536\nb:165536:65536\n", ((100_000, 165_536), (165_536, 231_072)), "usual"),
        (b"1000:100000:1", ((100_000, 100_001),), "by uid, without a newline"),
        (b"# a\n\na:1\na:b:c\na:-1:2\n:1:2:3\n", (), "none"),
        (b"a:\xff:1\n", (), "no text"),
    ],
)
def test_subuid(data: bytes, expected: tuple[tuple[int, int], ...], why: str) -> None:
    assert parse_subuid(data) == expected
