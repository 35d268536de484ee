"""Sessions that nothing records: each once, and nothing that only looks like one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import BOOT
from textfile_users.accounts.account import Account
from textfile_users.processes.procfs import Process
from textfile_users.sessions.session import Session, may_show
from textfile_users.sessions.unrecorded import titles_wanted, unrecorded, without_windows

START = BOOT + 5_000.0
TTY = 34816  # pts/0
LISTENER = "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups"
UIDS = {"root": 0, "sshd": 103, "alice": 1000, "bob": 1001, "a@corp.example": 1002}
ACCOUNTS = [Account(user, uid, "", "") for user, uid in UIDS.items()]

# pid, parent, comm, uid, title, and if need be further fields of the process
Row = tuple[int, int, str, int, str, Mapping[str, Any]]


def row(pid: int, parent: int, comm: str, uid: int, title: str = "", **more: Any) -> Row:
    return pid, parent, comm, uid, title, more


def process(row: Row) -> Process:
    pid, parent, comm, uid, _, more = row
    return Process(pid, comm, parent, START + pid, uid, "S")._replace(**more)


def known(ident: str = "5", *, tty: str = "", leader: int = 0, user: str = "alice",
          type_: str = "ssh", ip: str = "") -> Session:  # fmt: skip
    return Session(ident, user, tty, type_, "sshd", "", ip, "", START, leader)


def find(
    sessions: list[Session], rows: list[Row], by_logind: bool = False, **more: Any
) -> tuple[Session, ...]:
    """Return what is found on a host, with no other titles than those that are asked for."""
    processes = [process(one) for one in rows]
    wanted = titles_wanted(sessions, processes, by_logind=by_logind)
    titles = {pid: f"{title}\0\0".encode() for pid, _, _, _, title, _ in rows if pid in wanted}
    more = {"accounts": ACCOUNTS, **more}
    found = unrecorded(sessions, processes, titles, by_logind=by_logind, **more)
    assert may_show(processes, by_logind=by_logind) or more.get("remotes") or not found
    return found


def brief(sessions: tuple[Session, ...]) -> list[tuple[str, str, str]]:
    return [(one.id, one.user, one.tty) for one in sessions]


SSHD = row(50, 1, "sshd", 0, LISTENER)


def connection(user: str, terminal: str = "@notty", leader: int = 100, program: str = "sshd",
               uid: int = -2) -> list[Row]:  # fmt: skip
    """Return the processes of a connection of a user other than root."""
    return [
        row(leader, 50, program, 0, f"{program}: {user} [priv]"),
        row(leader + 1, leader, program, UIDS.get(user, 4000) if uid == -2 else uid,
            f"{program}: {user}{terminal}"),
    ]  # fmt: skip


ALICE = [("pid:100", "alice", "")]


@pytest.mark.parametrize(
    ("rows", "expected", "why"),
    [
        (connection("alice"), ALICE, "a command"),
        (connection("alice", program="sshd-session"), ALICE, "OpenSSH 9.8 and later"),
        ([row(100, 50, "sshd-session", 0, "sshd-session: alice [postauth]"),
          row(101, 100, "sshd-session", 1000, "sshd-session: alice@notty")], ALICE,
         "OpenSSH 10.6"),
        ([row(100, 50, "sshd-session", 0, "sshd-session: root [postauth]"),
          row(101, 100, "sshd-session", 0, "sshd-session: root@notty")], [("pid:100", "root", "")],
         "root's there"),
        ([row(100, 50, "sshd-session", 0, "sshd-session: alice [priv]"),
          row(101, 100, "sshd-auth", 103, "sshd-auth: alice [net]")], [], "not yet there"),
        (connection("alice", ""), ALICE, "forwards only"),
        (connection("alice", "@internal-sftp"), ALICE, "sftp"),
        ([*connection("alice"), row(102, 101, "sshd", 1000, "sshd: alice@internal-sftp")], ALICE,
         "sftp again, a process of its own below the session's"),
        (connection("alice", "@pts/3"), [("pts/3", "alice", "pts/3")], "utmp misses it"),
        (connection("alice", "@pts/3,pts/4"), [("pts/3", "alice", "pts/3")],
         "two terminals, one connection"),
        (connection("a@corp.example"), [("pid:100", "a@corp.example", "")], "a name with an @"),
        (connection("a@corp.example", ""), [("pid:100", "a@corp.example", "")], "its forwards"),
        (connection("ldapuser"), [("pid:100", "ldapuser", "")], "an account not known (yet)"),
        ([row(100, 50, "sshd", 0, "sshd: alice [priv]"),
          row(101, 100, "nice try", 1000, "sshd: root@pts/9")], ALICE,
         "a user can change the own title: root's decides who, and no other terminal is believed"),
        ([row(100, 50, "sshd", 0, "sshd: root@notty")], [("pid:100", "root", "")], "root's"),
        ([row(100, 50, "sshd", 0, "sshd: root")], [("pid:100", "root", "")], "root's forwards"),
        ([row(100, 50, "sshd", 0, "sshd: root@notty"),
          row(101, 100, "sshd", 0, "sshd: root@internal-sftp")], [("pid:100", "root", "")],
         "root's sftp"),
        (connection("root"), [("pid:100", "root", "")], "root's, with separation"),
        ([row(100, 50, "sshd", 0, "sshd: alice@notty"), row(101, 100, "sh", 1000)], ALICE,
         "no separation, as old sshd could"),
        ([row(100, 1, "sshd", 0, "sshd: alice [priv]"),
          row(101, 100, "sshd", 1000, "sshd: alice@notty")], ALICE, "socket activation"),
        ([*connection("alice"), *connection("alice", leader=200)],
         [*ALICE, ("pid:200", "alice", "")], "two connections"),
        # What is none.
        ([row(100, 50, "sshd", 0, "sshd: [accepted]"), row(101, 100, "sshd", 103, "sshd: [net]")],
         [], "nobody is named yet"),
        ([row(100, 50, "sshd", 0, "sshd: unknown [priv]"),
          row(101, 100, "sshd", 103, "sshd: unknown [net]")], [], "no such user"),
        ([row(100, 50, "sshd", 0, "sshd: alice [priv]"),
          row(101, 100, "sshd", 103, "sshd: alice [net]")], [], "not authenticated"),
        ([row(100, 50, "sshd", 0, "sshd: ldapuser [priv]"),
          row(101, 100, "sshd", 103, "sshd: ldapuser [net]")], [], "nor an account not known"),
        ([row(100, 50, "sshd-session", 0, "sshd-session: ldapuser [priv]"),
          row(101, 100, "sshd-auth", 103, "sshd-auth: ldapuser [net]")], [], "OpenSSH 10"),
        ([row(100, 50, "sshd", 0, "sshd: alice [priv]")], [], "its child is not there"),
        ([row(100, 50, "sshd", 0, "sshd: root [priv]"),
          row(101, 100, "sshd", 103, "sshd: root [net]"),
          row(102, 100, "sshd", 0, "sshd: root [pam]")], [], "PAM's child is root's too"),
        ([row(100, 50, "sshd", 0, "sshd: alice [preauth]")], [], "not authenticated"),
        ([row(100, 50, "sshd", 0, "sshd: alice")], [], "not for her forwards: they are hers"),
        (connection("alice", uid=1001), [], "bob's process is not alice's session"),
        (connection("alice", uid=-1), [], "its uid could not be read"),
        ([row(100, 50, "sshd", 1001, "sshd: alice [priv]"),
          row(101, 100, "sshd", 1000, "sshd: alice@notty")], [], "bob invents a leader"),
        ([row(60, 1, "bash", 1001), row(100, 60, "sshd", 0, "sshd: alice [priv]"),
          row(101, 100, "sshd", 1000, "sshd: alice@notty")], [],
         "bob's sudo by a link called sshd"),
        ([row(100, 50, "x", 0, "sshd: root@notty")], [], "another program of root's"),
        ([row(100, 50, "sshd", 0, "")], [], "no title"),
        ([row(100, 50, "sshd", 0, "other: root@notty")], [], "no title of sshd's"),
        ([row(100, 50, "sshd", 0, "sshd: root@notty", state="Z")], [], "a zombie"),
        ([row(100, 50, "sshd", 0, "sshd: alice [priv]"),
          row(101, 100, "sshd", 1000, "sshd: alice@notty", state="Z")], [], "just ended"),
        ([row(100, 50, "sshd", 0, "sshd: /usr/sbin/sshd -o Banner=/a@b")], [], "a listener"),
    ],
)  # fmt: skip
def test_ssh_connections(rows: list[Row], expected: list[tuple[str, str, str]], why: str) -> None:
    found = find([], [SSHD, *rows])
    assert brief(found) == expected, why
    assert {(one.type, one.service) for one in found} <= {("ssh", "sshd")}


LISTENER_CUT_SHORT = row(50, 1, "sshd", 0, "sshd: /usr/sbin/sshd -D -o Ba")


def test_a_listener_whose_title_is_cut_short_is_no_connection() -> None:
    assert brief(find([], [LISTENER_CUT_SHORT, *connection("alice")])) == ALICE


SHELL = row(102, 101, "sh", 1000, tty=TTY)
ROOTS = [row(100, 50, "sshd", 0, "sshd: root@pts/0"), row(101, 100, "bash", 0, tty=TTY)]


@pytest.mark.parametrize(
    ("session", "rows", "why"),
    [
        (known("pts/0", tty="pts/0", leader=100), [*connection("alice", "@pts/0"), SHELL],
         "utmp names the leader"),
        (known("pts/0", tty="pts/0", leader=102), [*connection("alice", "@pts/0"), SHELL],
         "or the shell"),
        (known("pts/0", tty="pts/0"), [*connection("alice", "@pts/0"), SHELL], "the terminal"),
        (known("pts/1", tty="pts/1"), connection("alice", "@pts/0,pts/1"), "one of two terminals"),
        (known("pts/0", tty="pts/0", leader=101, user="root"), ROOTS, "root's shell"),
        (known("pts/0", tty="pts/0", leader=101, user="root"),
         [*ROOTS, row(103, 100, "sshd", 0, "sshd: root@internal-sftp")],
         "an sftp over root's connection"),
        (known("pts/0", tty="pts/0", user="a" * 32),
         [row(100, 50, "sshd", 0, f"sshd: {'a' * 40} [priv]"),
          row(101, 100, "sshd", 4001, f"sshd: {'a' * 40}@pts/0")], "a name that utmp cut"),
        (known("5", leader=99), [row(99, 50, "sshd", 0, "sshd: alice [priv]"),
                                 row(100, 99, "sshd", 1000, "sshd: alice@notty")], "logind"),
        (known("5", leader=90), [row(100, 50, "sshd", 0, "sshd: alice [priv]", session="5"),
                                 row(101, 100, "sshd", 1000, "sshd: alice@notty")], "its cgroup"),
        (known("7", leader=90), [row(90, 1, "sh", 0), row(95, 90, "sshd", 0, LISTENER),
                                 row(100, 95, "sshd", 0, "sshd: alice [priv]"),
                                 row(101, 100, "sshd", 1000, "sshd: alice@notty")],
         "what a session that counts started"),
        (known("pts/0", tty="pts/0", leader=80, type_="mosh"),
         [row(80, 1, "mosh-server", 1000)], "mosh in utmp by its server"),
        (known("pts/0", tty="pts/0", type_="mosh"),
         [row(80, 1, "mosh-server", 1000), row(81, 80, "sh", 1000, tty=TTY)], "by its terminal"),
        (known("pts/0", tty="pts/0", leader=81, type_="mosh"),
         [row(80, 1, "mosh-server", 1000), row(81, 80, "sh", 1000)], "by its shell"),
        (known("5"), [row(80, 1, "mosh-server", 1000, session="5")],
         "the SSH session that started mosh is open"),
        (known("pts/0", leader=72), [row(70, 1, "dropbear", 0), row(71, 70, "dropbear", 0),
                                     row(72, 71, "sh", 1000, tty=TTY)], "dropbear's by its shell"),
        (known("pts/0", tty="pts/0"), [row(70, 1, "dropbear", 0), row(71, 70, "dropbear", 0),
                                       row(72, 71, "sh", 1000, tty=TTY)], "by its terminal"),
        (known(), [row(90, 1, "tmux: server", 1000)], "alice is here anyway"),
        (known(user="a" * 32), [row(90, 1, "tmux: server", 4001)], "a name that utmp cut"),
        (known(leader=60, user="bob"), [row(60, 50, "sh", 1001), row(90, 60, "tmux: server", 0)],
         "sudo tmux in bob's session"),
        (known(user="bob"), [row(90, 1, "tmux: server", 0, session="5")], "by its cgroup"),
    ],
)  # fmt: skip
def test_what_is_known_counts_once(session: Session, rows: list[Row], why: str) -> None:
    more = [Account("a" * 40, 4001, "", "")]
    assert find([session], [SSHD, *rows], accounts=[*ACCOUNTS, *more]) == (), why
    other = known("9", user="carol", leader=999)
    assert find([other], [SSHD, *rows], accounts=[*ACCOUNTS, *more]), "else it is one"


@pytest.mark.parametrize(
    ("by_logind", "expected", "why"),
    [
        (True, [], "logind has closed it, or it began after its files were read"),
        (False, ALICE, "logind could not be read"),
    ],
)
def test_a_session_that_logind_does_not_count(
    by_logind: bool, expected: list[tuple[str, str, str]], why: str
) -> None:
    leader = row(100, 50, "sshd", 0, "sshd: alice [priv]", session="6")
    rows = [SSHD, leader, row(101, 100, "sshd", 1000, "sshd: alice@notty", session="6")]
    assert brief(find([], rows, by_logind)) == expected, why


def test_sshd_without_pam_is_unknown_to_logind() -> None:
    assert brief(find([known("9", user="bob")], [SSHD, *connection("alice")], True)) == ALICE


@pytest.mark.parametrize(
    ("rows", "expected", "why"),
    [
        ([row(72, 71, "sh", 1000)], [("pid:71", "alice", "")], "a program of alice's"),
        ([row(72, 71, "sh", 1000, tty=TTY)], [("pts/0", "alice", "pts/0")], "utmp misses it"),
        ([row(72, 71, "sh", 0)], [("pid:71", "root", "")], "root's"),
        ([row(72, 71, "sh", 1000), row(73, 71, "sh", 1000)], [("pid:71", "alice", "")],
         "two channels of one connection"),
        ([], [], "forwards only, or not authenticated"),
        ([row(72, 71, "dropbear", 0)], [], "about to become a program"),
        ([row(72, 71, "dropbear", 1000)], [], "and a little later"),
        ([row(72, 71, "sh", 1000, state="Z")], [], "it has ended"),
    ],
)  # fmt: skip
def test_dropbear(rows: list[Row], expected: list[tuple[str, str, str]], why: str) -> None:
    server = [row(70, 1, "dropbear", 0), row(71, 70, "dropbear", 0)]
    found = find([], [*server, *rows])
    assert brief(found) == expected, why
    assert {one.service for one in found} <= {"dropbear"}


@pytest.mark.parametrize(
    ("rows", "expected", "why"),
    [
        ([row(70, 1, "dropbear", 0), row(71, 70, "dropbear", 1000)], ["alice"],
         "a release that becomes the user: forwards too"),
        ([row(70, 1, "dropbear", 0), row(71, 70, "dropbear", 1000, state="Z")], [], "it ended"),
        ([row(60, 1, "sh", 1001), row(70, 60, "dropbear", 0), row(71, 70, "dropbear", 0),
          row(72, 71, "sh", 1000)], [], "bob's sudo by a link called dropbear"),
        ([row(70, 1, "dropbear", 1001), row(71, 70, "dropbear", 1000), row(72, 71, "sh", 0)], [],
         "bob's own dropbear is not to be believed"),
        ([row(71, 1, "dropbear", 0), row(72, 71, "sh", 1000)], [],
         "from inetd: not told from a listener"),
    ],
)  # fmt: skip
def test_other_dropbears(rows: list[Row], expected: list[str], why: str) -> None:
    assert [one.user for one in find([], rows)] == expected, why


@pytest.mark.parametrize(
    ("rows", "expected", "why"),
    [
        ([row(80, 1, "mosh-server", 1000)], [("pid:80", "alice", "")], "no client yet"),
        ([row(80, 1, "mosh-server", 1000), row(81, 80, "sh", 1000, tty=TTY)],
         [("pts/0", "alice", "pts/0")], "its shell has the terminal"),
        ([row(80, 1, "mosh-server", 1000), row(81, 80, "mosh-server", 1000, tty=TTY)],
         [("pts/0", "alice", "pts/0")], "a shell that begins has its name"),
        ([row(80, 1, "mosh-server", 4321)], [("pid:80", "4321", "")], "no account: as ps has it"),
        ([row(80, 1, "mosh-server", -1)], [], "it went while we looked"),
        ([row(80, 1, "mosh-server", 1000, session="4")], [("pid:80", "alice", "")],
         "logind's session that started it is closing"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("by_logind", [False, True])
def test_mosh(
    rows: list[Row], expected: list[tuple[str, str, str]], why: str, by_logind: bool
) -> None:
    found = find([], rows, by_logind)
    assert brief(found) == expected, why
    assert {(one.type, one.service, one.ip, one.network) for one in found} <= {
        ("mosh", "other", "", "")
    }


@pytest.mark.parametrize(
    ("rows", "expected", "why"),
    [
        ([row(90, 1, "tmux: server", 1000)], [("pid:90", "alice", "")], "detached"),
        ([row(90, 1, "tmux: server", 1000, session="4")], [("pid:90", "alice", "")],
         "its session is closing"),
        ([row(90, 1, "screen", 1000, "SCREEN\0-dmS\0x")], [("pid:90", "alice", "")], "screen"),
        ([row(90, 1, "screen-4.9.1", 1000, "SCREEN -S x")], [("pid:90", "alice", "")],
         "by its version's name, in one string"),
        ([row(90, 1, "screen", 1000, "screen\0-r")], [], "a client"),
        ([row(90, 1, "tmux: client", 1000)], [], "a client"),
        ([row(90, 1, "vi", 1000, "SCREEN\0")], [], "another program"),
        ([row(90, 1, "tmux: server", 1000, state="Z")], [], "a zombie"),
        ([row(90, 1, "tmux: server", -1)], [], "it went while we looked"),
        ([row(90, 1, "tmux: server", 1000), row(91, 90, "tmux: server", 1000)],
         [("pid:90", "alice", "")], "a window that begins"),
        ([row(90, 1, "tmux: server", 1000), row(91, 1, "tmux: server", 1001)],
         [("pid:90", "alice", ""), ("pid:91", "bob", "")], "each user's"),
        ([SSHD, *connection("alice"), row(90, 1, "tmux: server", 1000)], ALICE,
         "alice is here by what nothing records"),
        ([row(80, 1, "mosh-server", 1000), row(90, 1, "tmux: server", 1000)],
         [("pid:80", "alice", "")], "and so by mosh"),
    ],
)  # fmt: skip
def test_detached_servers(rows: list[Row], expected: list[tuple[str, str, str]], why: str) -> None:
    assert brief(find([], rows)) == expected, why


VNC = ("vnc", "alice", "vnc:1", "192.0.2.7", START, 300)
RDP = ("rdp", "alice", "", "192.0.2.7", START, 300)


@pytest.mark.parametrize(
    ("sessions", "remotes", "expected", "why"),
    [
        ([], [VNC], ["vnc:1"], "nothing records it"),
        ([], [RDP], ["pid:300"], "no display"),
        ([], [VNC, VNC], ["vnc:1", "vnc:1:2"], "two who look at one display"),
        ([known(leader=300, type_="vnc")], [VNC], [], "its leader is known"),
        ([known(leader=300, type_="other")], [VNC], [], "whatever type it is"),
        ([known(leader=290, type_="vnc")], [VNC], [], "its server descends from the leader"),
        ([known(leader=290, type_="ssh")], [VNC], ["vnc:1"],
         "who started the server by SSH is another session"),
        ([known(leader=290, type_="x11")], [VNC], ["vnc:1"],
         "x11vnc: somebody else sees the desktop"),
        ([known(leader=1, type_="wayland", ip="192.0.2.7")], [RDP], [],
         "logind has it as a desktop from the same address"),
        ([known(leader=1, type_="rdp")], [RDP], [], "xrdp's own process is not in the session"),
        ([known(leader=1, type_="rdp")], [RDP, RDP], ["pid:300"], "one session is one"),
        ([known(leader=1, type_="rdp", user="bob")], [RDP], ["pid:300"], "bob's is not alice's"),
        ([known(leader=290, type_="vnc")], [VNC, ("vnc", "alice", "vnc:2", "", START, 310)],
         ["vnc:2"], "another display"),
        ([known(leader=1, type_="vnc")], [("vnc", "", "", "192.0.2.8", START, 0)], ["pid:0"],
         "whose it is could not be found out"),
    ],
)  # fmt: skip
def test_remote_desktops(
    sessions: list[Session],
    remotes: list[tuple[str, str, str, str, float, int]],
    expected: list[str],
    why: str,
) -> None:
    rows = [row(290, 1, "sh", 1000), row(300, 290, "Xvnc", 1000), row(310, 1, "Xvnc", 1000)]
    assert [one.id for one in find(sessions, rows, remotes=remotes)] == expected, why


@pytest.mark.parametrize(
    ("type_", "ip", "comm", "network"),
    [
        ("vnc", "192.0.2.7", "Xtigervnc", ""),
        ("vnc", "127.0.0.1", "x11vnc", "local"),
        ("rdp", "::1", "xrdp", "local"),
        ("rdp", "", "xrdp", ""),
    ],
)
def test_remote_desktops_say_from_where(type_: str, ip: str, comm: str, network: str) -> None:
    remote = (type_, "alice", "vnc:1", ip, START, 300)
    (found,) = find([], [row(300, 1, comm, 1000)], remotes=[remote])
    service = {"vnc": "other", "rdp": "xrdp"}[type_]
    assert found == Session("vnc:1", "alice", "vnc:1", type_, service, "", ip, network, START, 300)


@pytest.mark.parametrize("start", [0.0, START + 300])
def test_when_a_viewer_came_is_what_it_is_told(start: float) -> None:
    """Not the server's start: a desktop may have run for a month."""
    remote = ("vnc", "alice", "vnc:1", "192.0.2.7", start, 300)
    (found,) = find([], [row(300, 1, "Xvnc", 1000)], remotes=[remote])
    assert found.start == start


@pytest.mark.parametrize(("ip", "network"), [("192.0.2.7", ""), ("127.0.0.1", "local"), ("", "")])
@pytest.mark.parametrize("holder", [100, 101])
def test_an_ssh_session_is_from_where_its_socket_is(ip: str, network: str, holder: int) -> None:
    """It began when the child did, for the leader waits for a password first."""
    (found,) = find([], [SSHD, *connection("alice")], peers={holder: ip})
    assert found == Session(
        "pid:100", "alice", "", "ssh", "sshd", "", ip, network, START + 101, 100
    )


def test_a_multiplexer_is_of_the_machine_itself() -> None:
    (found,) = find([], [row(90, 1, "tmux: server", 1000, start=None)])
    assert found == Session("pid:90", "alice", "", "multiplexer", "other", "", "", "local", 0.0, 90)


def test_a_terminal_of_somebody_else_hides_nobody() -> None:
    """Whoever can change the own title, or has a container's pts/0."""
    rows = [SSHD, *connection("alice", "@pts/0"), row(80, 1, "mosh-server", 1000),
            row(81, 80, "sh", 1000, tty=TTY)]  # fmt: skip
    found = find([known("pts/0", tty="pts/0", user="bob")], rows)
    assert sorted(one.type for one in found) == ["mosh", "ssh"]


def test_mosh_beside_another_session_without_a_terminal() -> None:
    assert brief(find([known("9")], [row(80, 1, "mosh-server", 1000)])) == [("pid:80", "alice", "")]


def test_roots_forwards_where_no_account_is_known() -> None:
    rows = [SSHD, row(100, 50, "sshd", 0, "sshd: root")]
    assert brief(find([], rows, accounts=[])) == [("pid:100", "root", "")]


def test_the_oldest_comes_first_and_keeps_its_id() -> None:
    rows = [SSHD, *connection("alice"), row(80, 1, "mosh-server", 1000),
            row(60, 1, "tmux: server", 1001)]  # fmt: skip
    newer = ("vnc", "alice", "vnc:1", "192.0.2.8", START + 900, 300)
    found = find([], rows, remotes=[newer, VNC])
    assert [one.id for one in found] == ["vnc:1", "pid:60", "pid:80", "pid:100", "vnc:1:2"]


def test_ids_that_are_taken() -> None:
    taken = known("pid:100", user="bob")
    assert [one.id for one in find([taken], [SSHD, *connection("alice")])] == ["pid:100:2"]


def test_few_titles_are_read() -> None:
    """None of known sessions, of other programs, or of what only calls itself sshd."""
    rows = [
        SSHD,
        *connection("alice"),
        *connection("bob", "@pts/0", leader=200),
        row(300, 1, "sshd", 1000),
        row(301, 300, "sshd", 1000),
        row(302, 1, "bash", 1000),
        row(303, 1, "tmux: server", 1000),
        row(304, 1, "screen", 1000),
        row(305, 200, "screen", 1000),
        *[row(pid, 50, "sshd", 0, session="8") for pid in range(400, 404)],
    ]
    session = known("pts/0", tty="pts/0", leader=200, user="bob")
    processes = [process(one) for one in rows]
    wanted = titles_wanted([session], processes, by_logind=True)
    assert wanted == {50, 100, 101, 304}


def test_windows_of_users_who_have_an_unrecorded_session() -> None:
    """utmp's windows are judged before it is known."""
    tmux = known("pts/0", type_="multiplexer")
    bobs = known("pts/1", type_="multiplexer", user="bob")
    second = known("pts/2", type_="multiplexer", user="bob")
    ssh = known("pid:100")
    assert without_windows([tmux, bobs, second, ssh]) == (bobs, second, ssh)
    assert without_windows([tmux, bobs]) == (tmux, bobs)


ROWS = st.lists(
    st.builds(
        row,
        st.integers(2, 14),
        st.integers(1, 14),
        st.sampled_from(["sshd", "sshd-session", "dropbear", "mosh-server", "tmux: server",
                         "screen", "sh"]),
        st.sampled_from([0, 103, 1000, 1001, -1]),
        st.sampled_from(["sshd: alice [priv]", "sshd: alice@notty", "sshd: alice@pts/1",
                         "sshd: root@notty", "sshd: alice", "sshd: root", "SCREEN", LISTENER, ""]),
        session=st.sampled_from(["", "", "5", "6"]),
        tty=st.sampled_from([0, TTY, TTY + 1]),
        state=st.sampled_from("SSZ"),
    ),
    max_size=13,
    unique_by=lambda one: one[0],
)  # fmt: skip
SESSIONS = st.lists(
    st.builds(
        known,
        st.sampled_from(["5", "pts/0", "pts/1", "pid:9"]),
        tty=st.sampled_from(["", "pts/0", "pts/1"]),
        leader=st.integers(0, 14),
        user=st.sampled_from(["alice", "bob"]),
    ),
    max_size=3,
    unique_by=lambda one: one.id,
)


@given(SESSIONS, ROWS, st.booleans())
def test_each_session_counts_once(
    sessions: list[Session], rows: list[Row], by_logind: bool
) -> None:
    found = find(sessions, rows, by_logind)
    both = [*sessions, *found]
    assert len({one.id for one in both}) == len(both)
    leaders = [one.leader for one in found]
    assert len(set(leaders)) == len(leaders)
    assert not {one.leader for one in sessions} & set(leaders)
    assert not {(one.user, one.tty) for one in sessions if one.tty} & {
        (one.user, one.tty) for one in found
    }
    users = {one.user for one in both if one.type != "multiplexer"}
    assert not users & {one.user for one in found if one.type == "multiplexer"}
    assert find(both, rows, by_logind) == (), "who is found is not found again"


@given(st.dictionaries(st.integers(2, 9), st.binary(max_size=40)))
def test_titles_of_any_bytes(titles: dict[int, bytes]) -> None:
    processes = [process(row(pid, pid - 1, "sshd", 0)) for pid in range(2, 10)]
    unrecorded([], processes, titles, ACCOUNTS, by_logind=False)


@pytest.mark.parametrize(
    ("processes", "by_logind", "expected", "why"),
    [
        ([], True, False, "nobody"),
        ([row(50, 1, "sshd", 0)], True, False, "the listener"),
        ([row(50, 1, "sshd", 0)], False, True, "may be a connection whose listener has ended"),
        ([row(60, 50, "sshd", 0, session="5")], True, False, "recorded"),
        ([row(60, 50, "sshd-session", 0)], True, True, "a connection without a session"),
        ([row(70, 1, "tmux: server", 1000)], True, True, "tmux"),
        ([row(70, 1, "screen", 1000)], True, True, "screen"),
        ([row(70, 1, "mosh-server", 1000)], True, True, "mosh"),
        ([row(70, 1, "dropbear", 0)], True, True, "dropbear"),
    ],
)
def test_whether_a_process_may_be_of_such_a_session(
    processes: list[Row], by_logind: bool, expected: bool, why: str
) -> None:
    assert may_show(map(process, processes), by_logind=by_logind) == expected, why
