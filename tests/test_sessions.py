"""Rules 1 to 4: each session once, people only, hosts told apart, windows left out.

Each case is a small host; what the sources of the host say goes through the whole scan.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import BOOT, NOW, Host, Record
from textfile_users.collecting import Wanted
from textfile_users.paths import Paths
from textfile_users.reading.text import label
from textfile_users.scan import scan
from textfile_users.sessions import merge as merge_module
from textfile_users.sessions.logind import LogindSession
from textfile_users.sessions.merge import (
    CLASSES,
    leaders_without_terminal,
    newest,
    pids_of,
    servers_of_windows,
)
from textfile_users.sessions.session import Session, subject, with_unique_ids
from textfile_users.sessions.utmp import UtmpRecord
from textfile_users.snapshot import Snapshot

LOGIN = BOOT + 5_000


def look_at(host: Host) -> Snapshot:
    return scan(Paths(host.root), NOW, Wanted(), timeout=60.0)[0]


def rows(snapshot: Snapshot) -> list[tuple[str, ...]]:
    assert snapshot.sessions is not None
    return sorted((s.id, s.user, s.tty, s.type, s.host or s.ip) for s in snapshot.sessions)


def ssh_in_both(host: Host) -> None:
    """Debian 12: the terminal is in utmp alone; they meet by leader pid."""
    host.ssh_connection(1000, "alice", "pts/0")
    host.utmp(Record(host="192.0.2.7", ip="192.0.2.7"))
    host.logind("5", REMOTE_HOST="192.0.2.7")


def ssh_without_utmp(host: Host) -> None:
    """Debian 13: the terminal is in the process tree alone."""
    host.ssh_connection(1000, "alice", "pts/0", "sshd-session")
    host.logind("5", REMOTE_HOST="192.0.2.7")


def ssh_of_root(host: Host) -> None:
    """Root's session has class user-early since systemd 256."""
    host.process(1000, "sshd", title="sshd: root@pts/0", children=(1001,))
    host.logind("5", USER="root", UID=0, CLASS="user-early", REMOTE_HOST="2001:db8::7")


def ssh_of_root_in_both(host: Host) -> None:
    """sshd's monitor records other users' logins; root's is recorded by what becomes the shell."""
    host.ssh_connection(1000, "root", "pts/0")
    host.utmp(Record(user="root", pid=1002, host="192.0.2.7", ip="192.0.2.7"))
    host.logind("5", USER="root", UID=0, REMOTE_HOST="192.0.2.7")


def ssh_that_only_its_process_shows(host: Host) -> None:
    host.process(1000, "sshd")
    host.utmp(Record())


def multiplexed_ssh_of_root(host: Host) -> None:
    """Each terminal of root's connection has a child of the leader, and a shell's pid in utmp."""
    host.process(1000, "sshd", title="sshd: root [priv]", children=(1001, 1011))
    for child, line in ((1001, "pts/0"), (1011, "pts/1")):
        host.process(child, "sshd", 1000, title=f"sshd: root@{line}", children=(child + 1,))
        host.process(child + 1, "bash", child, title="-bash")
    host.utmp(
        Record(user="root", pid=1002, host="192.0.2.7"),
        Record(user="root", pid=1012, line="pts/1", host="192.0.2.7", time=LOGIN + 9),
    )
    host.logind("5", USER="root", UID=0, REMOTE_HOST="192.0.2.7")


def without_pty(host: Host) -> None:
    """sftp, scp, VS Code: no terminal, no utmp record."""
    host.ssh_connection(1000, "bob", "notty")
    host.logind("6", USER="bob", REMOTE_HOST="client.example.org")


def console(host: Host) -> None:
    host.process(1000, "login")
    host.utmp(Record(line="tty1", id="tty1"))
    host.logind("1", TTY="tty1", SERVICE="login", REMOTE=0)


def console_met_by_tty(host: Host) -> None:
    """agetty's pid is in utmp where login forked: only the terminal is the same."""
    host.process(1000, "login")
    host.process(999, "agetty")
    host.utmp(Record(line="tty1", pid=999))
    host.logind("1", TTY="tty1", SERVICE="login", REMOTE=0)


def gdm_wayland(host: Host) -> None:
    """gdm writes a record for the seat and one for the terminal."""
    host.process(1000, "gdm-session-wor")
    host.utmp(Record(line="seat0", host="login screen"), Record(line="tty2", host="tty2"))
    host.logind("2", TTY="tty2", TYPE="wayland", SERVICE="gdm-password", REMOTE=0)


def gdm_without_logind(host: Host) -> None:
    host.process(1000, "gdm-session-wor")
    host.utmp(Record(line="seat0", host="login screen"), Record(line="tty2", host="tty2"))


def x11_with_terminals(host: Host) -> None:
    """xterm and libutempter add records of the same login."""
    host.process(1000, "lightdm")
    host.process(1500, "xterm")
    host.utmp(
        Record(line="tty7", host=":0"),
        Record(line="pts/0", host=":0", pid=1500),
        Record(line="pts/1", host=":0.0", pid=1500),
    )
    host.logind("2", TTY="tty7", TYPE="x11", SERVICE="lightdm", REMOTE=0)


def x11_without_utmp(host: Host) -> None:
    host.logind("2", TTY="tty7", TYPE="x11", SERVICE="gdm-password", REMOTE=0)


def display_beside_its_terminal(host: Host) -> None:
    host.process(1000, "lightdm")
    host.utmp(Record(line=":0"), Record(line="tty7", time=LOGIN + 1))


def display_as_line(host: Host) -> None:
    """xdm and others write the display for a terminal."""
    host.utmp(Record(line=":0", pid=0), Record(user="", line=":1", pid=0))


def xrdp(host: Host) -> None:
    host.process(1000, "xrdp-sesexec")
    host.logind("9", TYPE="x11", SERVICE="xrdp-sesman", REMOTE=0)


def vnc(host: Host) -> None:
    host.logind("9", TYPE="x11", SERVICE="tigervnc", REMOTE=0)


def mosh_detached_from_ssh(host: Host) -> None:
    """The SSH session that began it is closing; mosh-server lives on in its scope."""
    host.process(1500, "mosh-server")
    host.utmp(Record(line="pts/1", pid=1500, host="192.0.2.9 via mosh [1500]"))
    host.logind("5", STATE="closing", LEADER=1400)


def multiplexed_ssh(host: Host) -> None:
    """Two terminals of one SSH connection have its pid: one session."""
    host.ssh_connection(1000, "alice", "pts/0,pts/1")
    host.utmp(Record(host="192.0.2.7"), Record(line="pts/1", host="192.0.2.7", time=LOGIN + 50))
    host.logind("5", REMOTE_HOST="192.0.2.7")


def multiplexed_ssh_without_logind(host: Host) -> None:
    host.ssh_connection(1000, "alice", "pts/0,pts/1")
    host.utmp(Record(line="pts/1", host="192.0.2.7", time=LOGIN + 50), Record(host="192.0.2.7"))


def newer_record_of_a_line(host: Host) -> None:
    host.process(1000, "sshd")
    host.process(1100, "sshd", start=LOGIN + 100)
    host.utmp(
        Record(user="bob", pid=1100, time=LOGIN + 100, host="192.0.2.8"),
        Record(user="alice", pid=1000, time=LOGIN, host="192.0.2.7"),
    )


def stale_records(host: Host) -> None:
    """One process is gone; one pid was given to another process later."""
    host.process(1000, "sshd")
    host.process(1200, "cron", start=LOGIN + 61)
    host.process(1300, "sshd", start=LOGIN + 59)
    host.utmp(
        Record(user="alice", line="pts/0", pid=1000, host="192.0.2.7"),
        Record(user="bob", line="pts/1", pid=1100, host="192.0.2.7"),
        Record(user="carol", line="pts/2", pid=1200, host="192.0.2.7"),
        Record(user="dave", line="pts/3", pid=1300, host="192.0.2.7"),
    )


def reused_pid_of_a_leader(host: Host) -> None:
    """A stale record must not lend its terminal to a session whose leader got its pid."""
    host.ssh_connection(1000, "alice", "notty")
    host.process(1000, "sshd", start=LOGIN + 900)
    host.utmp(Record(line="pts/7", pid=1000, time=LOGIN - 900))
    host.logind("5", REMOTE_HOST="192.0.2.7", REALTIME=int(LOGIN + 900) * 1_000_000)


def one_terminal_two_users(host: Host) -> None:
    """A record of another user is no proof of the same login."""
    host.process(1000, "login")
    host.process(1500, "sshd")
    host.utmp(Record(user="bob", line="pts/0", pid=1500, host="192.0.2.8"))
    host.logind("5", TTY="pts/0", SERVICE="login", REMOTE=0)


def long_user_name(host: Host) -> None:
    """utmp has room for 32 bytes; logind has the whole name."""
    host.process(1000, "sshd")
    host.utmp(Record(user="a" * 32, host="192.0.2.7"))
    host.logind("5", USER="a" * 40, REMOTE_HOST="192.0.2.7")


def tmux_in_a_session(host: Host) -> None:
    host.ssh_connection(1000, "alice", "pts/0")
    host.process(1500, "tmux: server", uid=1000)
    host.utmp(
        Record(host="192.0.2.7"),
        Record(line="pts/1", pid=1500, host="tmux(1500).%0"),
        Record(line="pts/2", pid=1500, host="tmux(1500).%1"),
    )


def tmux_of_root_in_alices_session(host: Host) -> None:
    """`sudo tmux`: its user has no session, but it descends from one."""
    host.ssh_connection(1000, "alice", "pts/0")
    host.process(1500, "tmux: server", cgroup="/user.slice/user-1000.slice/session-5.scope")
    host.utmp(
        Record(host="192.0.2.7"),
        Record(user="root", line="pts/1", pid=1500, host="tmux(1500).%0"),
    )
    host.logind("5", REMOTE_HOST="192.0.2.7")


def screen_of_root_without_logind(host: Host) -> None:
    host.ssh_connection(1000, "alice", "pts/0")
    host.process(1500, "screen", parent=1002)
    host.process(1501, "bash", parent=1500)
    host.utmp(
        Record(host="192.0.2.7"),
        Record(user="root", line="pts/1", pid=1501, host=":pts/0:S.0"),
    )


def detached_tmux(host: Host) -> None:
    """Two windows of a server that nothing else shows: one session."""
    host.process(
        1500, "tmux: server", cgroup="/user.slice/user-1000.slice/session-3.scope", uid=1000
    )
    host.utmp(
        Record(line="pts/1", pid=1500, host="tmux(1500).%0"),
        Record(line="pts/2", pid=1500, host="tmux(1500).%1", time=LOGIN + 60),
    )
    host.logind("3", STATE="closing", LEADER=1400)


def detached_screen(host: Host) -> None:
    host.process(1501, "bash")
    host.utmp(Record(line="pts/1", pid=1501, host=":pts/0:S.0"))


def leader_pid_of_a_closing_session(host: Host) -> None:
    """A pid that led a session now closing leads another one."""
    host.ssh_connection(1000, "alice", "pts/0")
    host.utmp(Record(host="192.0.2.7"))
    host.logind("10", REMOTE_HOST="192.0.2.7")
    host.logind("9", USER="bob", STATE="closing")


def name_cut_inside_a_character(host: Host) -> None:
    host.process(1000, "sshd")
    name = "a" + "é" * 17
    host.utmp(Record(user=name, host="192.0.2.7"))
    host.logind("5", USER=name, REMOTE_HOST="192.0.2.7")


def domain_user(host: Host) -> None:
    host.process(1000, "sshd")
    host.utmp(Record(user="DOMAIN\\alice", host="192.0.2.7"))
    host.logind("5", USER="DOMAIN\\alice", REMOTE_HOST="192.0.2.7")


def xterm_tmux_and_screen_alone(host: Host) -> None:
    host.process(1700, "xterm")
    host.process(1600, "tmux: server", uid=1000)
    host.process(1650, "bash")
    host.utmp(
        Record(line="pts/1", pid=1600, host="tmux(1600).%0"),
        Record(line="pts/2", pid=1650, host=":pts/0:S.0"),
        Record(line="pts/0", pid=1700, host=":1"),
    )


def two_xterms(host: Host) -> None:
    """Terminals of one desktop, each with a process of its own."""
    for pid in (1500, 1600):
        host.process(pid, "xterm")
    host.utmp(
        Record(line="pts/1", pid=1500, host=":1", time=LOGIN + 60),
        Record(line="pts/0", pid=1600, host=":1"),
    )


def two_logins_without_a_host(host: Host) -> None:
    for pid in (1500, 1600):
        host.process(pid, "sshd")
    host.utmp(Record(line="pts/0", pid=1500), Record(line="pts/1", pid=1600))


def address_without_a_host(host: Host) -> None:
    host.process(1000, "sshd")
    host.utmp(Record(ip="192.0.2.7"))


def detached_screen_and_two_servers_of_tmux(host: Host) -> None:
    for pid in (1400, 1500, 1600):
        host.process(pid, "bash")
    host.utmp(
        Record(line="pts/1", pid=1400, host=":pts/0:S.0"),
        Record(line="pts/2", pid=1500, host="tmux(1500).%0"),
        Record(line="pts/3", pid=1600, host="tmux(1600).%0"),
    )


def terminal_without_host_on_a_desktop(host: Host) -> None:
    """libutempter on Wayland: only the cgroup tells whose window it is."""
    host.process(1000, "gdm-session-wor")
    host.process(1500, "konsole", cgroup="/user.slice/user-1000.slice/session-2.scope")
    host.utmp(Record(line="pts/0", pid=1500))
    host.logind("2", TTY="tty2", TYPE="wayland", SERVICE="gdm-password", REMOTE=0)


def logout_in_another_slot(host: Host) -> None:
    """The line's logout has another id and pid, and the old process still lives."""
    host.process(1000, "sshd")
    host.utmp(Record(host="192.0.2.7"), Record(type=8, user="", id="/0", pid=7, time=LOGIN + 50))


def login_of_the_same_moment(host: Host) -> None:
    """The later record of the file is the newer."""
    host.utmp(Record(pid=0, host="192.0.2.7"), Record(user="bob", pid=0, host="192.0.2.7"))


def getty_of_the_same_second(host: Host) -> None:
    host.process(1000, "login")
    host.utmp(Record(line="tty1"), Record(type=6, user="LOGIN", line="tty1", id="1"))


def line_with_its_directory(host: Host) -> None:
    host.process(1000, "login")
    host.process(1500, "agetty")
    host.utmp(Record(line="/dev/tty1", pid=1500))
    host.logind("1", TTY="tty1", SERVICE="login", REMOTE=0)


def no_pid(host: Host) -> None:
    """xrdp and others write none: such a record cannot be stale, as for who(1)."""
    host.utmp(
        Record(pid=0, host="192.0.2.7"),
        Record(user="bob", line="pts/1", pid=0),
        Record(user="bob", line="pts/2", pid=0),
    )


def utmp_alone(host: Host) -> None:
    """What the process is tells an SSH login from a telnet login."""
    host.process(1000, "sshd")
    host.process(1100, "login")
    host.process(1200, "login")
    host.process(1300, "dropbear")
    host.utmp(
        Record(host="192.0.2.7"),
        Record(user="bob", line="pts/1", pid=1100, host="192.0.2.8"),
        Record(user="root", line="tty1", pid=1200),
        Record(user="eve", line="pts/2", pid=1300, host="192.0.2.9"),
    )


def telnet(host: Host) -> None:
    """login's own PAM service for it is `remote`."""
    host.process(1000, "login")
    host.logind("5", SERVICE="remote", TTY="pts/0", REMOTE_HOST="192.0.2.7")


def sshd_that_knows_no_peer(host: Host) -> None:
    """Its socket is no TCP connection: VSOCK, or a proxy. It is a login of somebody."""
    host.process(1000, "sshd")
    host.utmp(Record(host="UNKNOWN"), Record("bob", "pts/1", 1000, host="UNKNOWN"))
    host.logind("5", REMOTE_HOST="UNKNOWN")


def eternal_terminal(host: Host) -> None:
    """Its server outlives the SSH session that began it, as mosh's does."""
    host.process(7001, "etterminal")
    host.utmp(Record(pid=7001, host="et [7001]"))


def refused_by_sddm(host: Host) -> None:
    """A record without a process and a terminal; the greeter's display may stand in it."""
    host.utmp(
        Record("hunter2", "", 0), Record("hunter2", "", 0, host=":0"), Record("hunter2", "", -1)
    )


def waits_for_a_name(host: Host) -> None:
    host.process(1000, "agetty")
    host.utmp(
        Record("LOGIN", "tty1", 1000, type=6), Record("", "tty2", 1000), Record("", "tty3", 0)
    )


def run0_in_a_session(host: Host) -> None:
    """systemd 262: root's has class user-early-light."""
    host.process(1000, "sshd")
    host.logind("5", REMOTE_HOST="192.0.2.7")
    host.logind("6", USER="root", UID=0, CLASS="user-early-light", SERVICE="systemd-run0",
                TTY="pts/1", REMOTE=0, LEADER=1100)  # fmt: skip
    host.logind("7", USER="bob", UID=1001, CLASS="user-light", SERVICE="systemd-run0",
                REMOTE=0, LEADER=1200)  # fmt: skip


def run0_alone(host: Host) -> None:
    """A job called it, and within it it was called again: one person."""
    for ident, user, start in (("6", "root", 10), ("7", "bob", 20)):
        host.logind(ident, USER=user, CLASS="user-early", SERVICE="systemd-run0",
                    TTY=f"pts/{ident}", REMOTE=0, LEADER=1,
                    REALTIME=(BOOT + start) * 1_000_000)  # fmt: skip


def su_of_a_job(host: Host) -> None:
    """su made a session, so its caller has none."""
    host.logind("5", USER="bob", SERVICE="su-l", TTY="pts/0", REMOTE=0)


def teleport(host: Host) -> None:
    """pam_systemd takes its sessions for jobs, as PAM_TTY is not set; utmp knows better."""
    for leader, line, service in ((1000, "pts/0", "teleport"), (1100, "pts/1", "sshd")):
        host.process(leader, "teleport")
        host.logind(
            line[-1], TYPE="unspecified", CLASS="background", SERVICE=service, LEADER=leader
        )
    host.process(1200, "cron")
    host.logind("9", TYPE="unspecified", CLASS="background", SERVICE="cron", LEADER=1200)
    host.utmp(
        Record(host="192.0.2.7"),
        Record(line="pts/1", pid=1100, host="192.0.2.8"),
        Record(line="pts/2", pid=1200),
    )


def not_people(host: Host) -> None:
    for index, (class_, state) in enumerate(
        [
            ("greeter", "active"),
            ("lock-screen", "active"),
            ("background", "active"),
            ("background-light", "active"),
            ("manager", "active"),
            ("manager-early", "active"),
            ("none", "active"),
            ("something-new", "active"),
            ("user", "closing"),
            ("user-light", "closing"),
            ("background", "closing"),
        ]
    ):
        host.logind(str(index), CLASS=class_, STATE=state, LEADER=2000 + index)
    host.utmp(
        Record(type=2, user="reboot", line="~", pid=0),
        Record(type=6, user="LOGIN", line="tty1", pid=1),
        Record(type=8, user="alice", line="pts/0", pid=1),
    )


def record_of_a_closing_session(host: Host) -> None:
    host.process(1000, "sshd")
    host.utmp(Record(host="192.0.2.7"))
    host.logind("5", STATE="closing")


def same_label_twice(host: Host) -> None:
    """A terminal may have the name of another session's id."""
    host.process(1000, "sshd")
    host.process(1100, "login")
    host.process(1200, "login")
    host.logind("5")
    host.utmp(Record(user="bob", line="5", pid=1100), Record(user="bob", line="", pid=1200))


CASES: list[tuple[Callable[[Host], None], list[tuple[str, str, str, str, str]]]] = [
    (ssh_in_both, [("5", "alice", "pts/0", "ssh", "192.0.2.7")]),
    (ssh_without_utmp, [("5", "alice", "pts/0", "ssh", "192.0.2.7")]),
    (ssh_of_root, [("5", "root", "pts/0", "ssh", "2001:db8::7")]),
    (ssh_of_root_in_both, [("5", "root", "pts/0", "ssh", "192.0.2.7")]),
    (ssh_that_only_its_process_shows, [("pts/0", "alice", "pts/0", "ssh", "")]),
    (multiplexed_ssh_of_root, [("5", "root", "pts/0", "ssh", "192.0.2.7")]),
    (without_pty, [("6", "bob", "", "ssh", "client.example.org")]),
    (console, [("1", "alice", "tty1", "tty", "")]),
    (console_met_by_tty, [("1", "alice", "tty1", "tty", "")]),
    (gdm_wayland, [("2", "alice", "tty2", "wayland", "")]),
    (gdm_without_logind, [("tty2", "alice", "tty2", "tty", "")]),
    (x11_with_terminals, [("2", "alice", "tty7", "x11", "")]),
    (x11_without_utmp, [("2", "alice", "tty7", "x11", "")]),
    (display_beside_its_terminal, [("tty7", "alice", "tty7", "tty", "")]),
    (display_as_line, [(":0", "alice", ":0", "x11", "")]),
    (xrdp, [("9", "alice", "", "rdp", "")]),
    (vnc, [("9", "alice", "", "vnc", "")]),
    (mosh_detached_from_ssh, [("pts/1", "alice", "pts/1", "mosh", "192.0.2.9")]),
    (multiplexed_ssh, [("5", "alice", "pts/0", "ssh", "192.0.2.7")]),
    (multiplexed_ssh_without_logind, [("pts/0", "alice", "pts/0", "ssh", "192.0.2.7")]),
    (newer_record_of_a_line, [("pts/0", "bob", "pts/0", "ssh", "192.0.2.8")]),
    (
        stale_records,
        [
            ("pts/0", "alice", "pts/0", "ssh", "192.0.2.7"),
            ("pts/3", "dave", "pts/3", "ssh", "192.0.2.7"),
        ],
    ),
    (reused_pid_of_a_leader, [("5", "alice", "", "ssh", "192.0.2.7")]),
    (
        one_terminal_two_users,
        [
            ("5", "alice", "pts/0", "tty", ""),
            ("pts/0", "bob", "pts/0", "ssh", "192.0.2.8"),
        ],
    ),
    (long_user_name, [("5", "a" * 40, "pts/0", "ssh", "192.0.2.7")]),
    (tmux_in_a_session, [("pts/0", "alice", "pts/0", "ssh", "192.0.2.7")]),
    (tmux_of_root_in_alices_session, [("5", "alice", "pts/0", "ssh", "192.0.2.7")]),
    (screen_of_root_without_logind, [("pts/0", "alice", "pts/0", "ssh", "192.0.2.7")]),
    (detached_tmux, [("pts/1", "alice", "pts/1", "multiplexer", "")]),
    (detached_screen, [("pts/1", "alice", "pts/1", "multiplexer", "")]),
    (leader_pid_of_a_closing_session, [("10", "alice", "pts/0", "ssh", "192.0.2.7")]),
    (name_cut_inside_a_character, [("5", "a" + "é" * 17, "pts/0", "ssh", "192.0.2.7")]),
    (domain_user, [("5", "DOMAIN\\alice", "pts/0", "ssh", "192.0.2.7")]),
    (xterm_tmux_and_screen_alone, [("pts/0", "alice", "pts/0", "x11", "")]),
    (two_xterms, [("pts/0", "alice", "pts/0", "x11", "")]),
    (
        two_logins_without_a_host,
        [
            ("pts/0", "alice", "pts/0", "ssh", ""),
            ("pts/1", "alice", "pts/1", "ssh", ""),
        ],
    ),
    (address_without_a_host, [("pts/0", "alice", "pts/0", "ssh", "192.0.2.7")]),
    (
        detached_screen_and_two_servers_of_tmux,
        [
            ("pts/1", "alice", "pts/1", "multiplexer", ""),
            ("pts/2", "alice", "pts/2", "multiplexer", ""),
            ("pts/3", "alice", "pts/3", "multiplexer", ""),
        ],
    ),
    (terminal_without_host_on_a_desktop, [("2", "alice", "tty2", "wayland", "")]),
    (logout_in_another_slot, []),
    (login_of_the_same_moment, [("pts/0", "bob", "pts/0", "ssh", "192.0.2.7")]),
    (getty_of_the_same_second, [("tty1", "alice", "tty1", "tty", "")]),
    (line_with_its_directory, [("1", "alice", "tty1", "tty", "")]),
    (
        no_pid,
        [
            ("pts/0", "alice", "pts/0", "ssh", "192.0.2.7"),
            ("pts/1", "bob", "pts/1", "other", ""),
            ("pts/2", "bob", "pts/2", "other", ""),
        ],
    ),
    (
        utmp_alone,
        [
            ("pts/0", "alice", "pts/0", "ssh", "192.0.2.7"),
            ("pts/1", "bob", "pts/1", "tty", "192.0.2.8"),
            ("pts/2", "eve", "pts/2", "ssh", "192.0.2.9"),
            ("tty1", "root", "tty1", "tty", ""),
        ],
    ),
    (telnet, [("5", "alice", "pts/0", "tty", "192.0.2.7")]),
    (
        sshd_that_knows_no_peer,
        [("5", "alice", "pts/0", "ssh", ""), ("pts/1", "bob", "pts/1", "ssh", "")],
    ),
    (eternal_terminal, [("pts/0", "alice", "pts/0", "other", "")]),
    (refused_by_sddm, []),
    (waits_for_a_name, []),
    (run0_in_a_session, [("5", "alice", "", "ssh", "192.0.2.7")]),
    (run0_alone, [("6", "root", "pts/6", "tty", "")]),
    (su_of_a_job, [("5", "bob", "pts/0", "tty", "")]),
    (
        teleport,
        [("0", "alice", "pts/0", "ssh", "192.0.2.7"), ("1", "alice", "pts/1", "ssh", "192.0.2.8")],
    ),
    (not_people, []),
    (record_of_a_closing_session, []),
    (
        same_label_twice,
        [
            ("5", "alice", "", "ssh", ""),
            ("5:2", "bob", "5", "other", ""),
            ("pid:1200", "bob", "", "other", ""),
        ],
    ),
]


@pytest.mark.parametrize(("build", "expected"), CASES, ids=[build.__name__ for build, _ in CASES])
def test_each_session_once(
    tmp_path: Path,
    build: Callable[[Host], None],
    expected: list[tuple[str, str, str, str, str]],
) -> None:
    host = Host(str(tmp_path))
    build(host)
    assert rows(look_at(host)) == expected


def test_what_did_not_become_a_session_is_counted(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    stale_records(host)
    (utmp,) = [source for source in look_at(host).sources if source.name == "utmp"]
    assert dict(utmp.unusable) == {"damaged": 0, "partial": 0, "stale": 2}


def test_closing_counts_people_only(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    not_people(host)
    assert look_at(host).closing == 2


@pytest.mark.parametrize("class_", sorted(CLASSES))
def test_classes_of_people(tmp_path: Path, class_: str) -> None:
    host = Host(str(tmp_path))
    host.logind("5", CLASS=class_)
    assert len(look_at(host).sessions or ()) == 1


def test_login_time_and_local_network(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    host.logind("1", TTY="tty1", SERVICE="login", LEADER=1, REALTIME=(BOOT + 7) * 1_000_000)
    host.logind("2", USER="bob", REMOTE_HOST="192.0.2.7", LEADER=1)
    host.logind("3", USER="eve", REMOTE_HOST="127.0.0.1", LEADER=1)
    sessions = look_at(host).sessions
    assert sessions is not None
    found = {s.id: (s.start, s.network, s.service) for s in sessions}
    assert found == {
        "1": (BOOT + 7, "local", "login"),
        "2": (LOGIN, "", "sshd"),
        "3": (LOGIN, "local", "sshd"),
    }


def test_without_a_host_remote_types_are_not_local(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    host.logind("1", SERVICE="xrdp-sesman", TYPE="x11", LEADER=1)
    host.logind("2", SERVICE="sshd", LEADER=1)
    host.logind("3", SERVICE="gdm-password", TYPE="x11", LEADER=1)
    networks = {s.id: s.network for s in look_at(host).sessions or ()}
    assert networks == {"1": "", "2": "", "3": "local"}


def test_roots_service_is_its_shells_parent(tmp_path: Path) -> None:
    """Without logind: utmp has the pid of root's shell."""
    host = Host(str(tmp_path))
    host.ssh_connection(1000, "root", "pts/0")
    host.utmp(Record(user="root", pid=1002, host="192.0.2.7"))
    (session,) = look_at(host).sessions or ()
    assert (session.type, session.service) == ("ssh", "sshd")


def test_a_beginning_that_logind_lacks_is_utmps(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    host.process(1000, "sshd")
    host.utmp(Record(host="192.0.2.7"))
    host.logind("5", REALTIME=None)
    (session,) = look_at(host).sessions or ()
    assert session.start == LOGIN


def test_a_beginning_that_nobody_knows(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    host.logind("5", REALTIME=None)
    (session,) = look_at(host).sessions or ()
    assert session.start == 0.0


@pytest.mark.parametrize(
    ("type_", "count"),
    [(1, 1), (2, 1), (5, 0), (6, 0), (8, 0), (9, 1)],
)
def test_which_records_end_the_login_of_their_line(tmp_path: Path, type_: int, count: int) -> None:
    """Those of init, getty and a dead process do; a runlevel, a boot and accounting do not."""
    host = Host(str(tmp_path))
    host.process(1000, "sshd")
    host.utmp(Record(host="192.0.2.7"), Record(type=type_, user="", pid=7, time=LOGIN + 50))
    assert len(look_at(host).sessions or ()) == count


def test_the_oldest_session_comes_first(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    host.logind("1", REALTIME=(BOOT + 7_000) * 1_000_000)
    host.logind("2", LEADER=1100, REALTIME=(BOOT + 6_000) * 1_000_000)
    assert [session.id for session in look_at(host).sessions or ()] == ["2", "1"]


def test_utmps_name_and_address_go_before_loginds(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    host.process(1000, "sshd")
    host.utmp(Record(host="client.example.org", ip="192.0.2.1"))
    host.logind("5", REMOTE_HOST="192.0.2.2")
    (session,) = look_at(host).sessions or ()
    assert (session.host, session.ip) == ("client.example.org", "192.0.2.1")


def test_name_and_address_are_taken_from_whoever_has_them(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    host.process(1000, "sshd")
    host.utmp(Record(host="client.example.org", ip="2001:db8::5"))
    host.logind("5", REMOTE_HOST="2001:db8::5")
    assert look_at(host).sessions == (
        Session(
            "5", "alice", "pts/0", "ssh", "sshd", "client.example.org", "2001:db8::5", "",
            LOGIN, 1000, "client.example.org",
        ),
    )  # fmt: skip


def test_another_hosts_proc_skips_the_check_of_liveness(tmp_path: Path) -> None:
    """A container sees the host's utmp, but not the host's processes."""
    host = Host(str(tmp_path))
    host.utmp(Record(host="192.0.2.7"), Record(user="bob", line="pts/1", pid=1100))
    snapshot = look_at(host)
    assert len(snapshot.sessions or ()) == 2
    (fault,) = snapshot.faults
    assert fault.startswith("/proc is not that of the host whose utmp this is")


def test_a_living_leader_shows_that_proc_is_ours(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    host.utmp(Record(host="192.0.2.7"), Record(user="bob", line="pts/1", pid=1100))
    host.ssh_connection(1300, "carol", "notty")
    host.logind("7", USER="carol", LEADER=1300)
    snapshot = look_at(host)
    assert rows(snapshot) == [("7", "carol", "", "ssh", "")]
    assert snapshot.faults == ()


@pytest.mark.parametrize("lines", [("pts/0",), ("pts/0", "pts/1")])
def test_a_single_dead_process_is_just_stale(tmp_path: Path, lines: tuple[str, ...]) -> None:
    """Two terminals of one dead SSH connection are no proof of another host's /proc."""
    host = Host(str(tmp_path))
    host.utmp(*[Record(line=line, host="192.0.2.7") for line in lines])
    assert rows(look_at(host)) == []


def test_an_image_without_proc_has_its_records_believed(tmp_path: Path) -> None:
    host = Host(str(tmp_path / "image"))
    host.utmp(Record(host="192.0.2.7"))
    shutil.rmtree(host.path("proc"))
    assert rows(look_at(host)) == [("pts/0", "alice", "pts/0", "ssh", "192.0.2.7")]


def test_a_window_of_an_image_without_proc(tmp_path: Path) -> None:
    host = Host(str(tmp_path / "image"))
    host.utmp(Record(host="tmux(1500).%0"))
    shutil.rmtree(host.path("proc"))
    assert rows(look_at(host)) == [("pts/0", "alice", "pts/0", "multiplexer", "")]


def test_every_record_has_a_verdict(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    stale_records(host)
    host.logind("5", CLASS="manager", LEADER=2000)
    said = [f"{subject(seen)}: {why}" for seen, why in look_at(host).verdicts]
    assert said == [
        "utmp record pts/1 of bob, pid 1100: stale: its process is gone",
        "utmp record pts/2 of carol, pid 1200: stale: its process began after the login",
        "utmp record pts/0 of alice, pid 1000: counts",
        "utmp record pts/3 of dave, pid 1300: counts",
        "logind session 5 of alice: does not count: class manager",
    ]


VERDICTS: list[tuple[Callable[[Host], None], list[str]]] = [
    (address_without_a_host, ["utmp record pts/0 of alice, pid 1000: counts"]),
    (
        record_of_a_closing_session,
        [
            "utmp record pts/0 of alice, pid 1000: does not count: it is closing",
            "logind session 5 of alice: does not count: it is closing",
        ],
    ),
    (
        tmux_of_root_in_alices_session,
        [
            "utmp record pts/0 of alice, pid 1000: counts as logind's session 5",
            "logind session 5 of alice: counts",
            "utmp record pts/1 of root, pid 1500: "
            "does not count: a window of a session that counts",
        ],
    ),
    (
        xterm_tmux_and_screen_alone,
        [
            "utmp record pts/0 of alice, pid 1700: counts: no other session of its user shows it",
            "utmp record pts/1 of alice, pid 1600: "
            "does not count: a window, its user has a session",
            "utmp record pts/2 of alice, pid 1650: "
            "does not count: a window, its user has a session",
        ],
    ),
    (
        newer_record_of_a_line,
        [
            "utmp record pts/0 of alice, pid 1000: does not count: its line has a newer record",
            "utmp record pts/0 of bob, pid 1100: counts",
        ],
    ),
    (
        logout_in_another_slot,
        [
            "utmp record pts/0 of alice, pid 1000: does not count: its line has a newer record",
            "utmp record pts/0 of , pid 7: does not count: no USER_PROCESS",
        ],
    ),
    (
        display_as_line,
        [
            "utmp record :1 of , pid 0: does not count: it names no user",
            "utmp record :0 of alice, pid 0: counts",
        ],
    ),
]


@pytest.mark.parametrize(
    ("build", "expected"), VERDICTS, ids=[build.__name__ for build, _ in VERDICTS]
)
def test_what_verdicts_say(
    tmp_path: Path, build: Callable[[Host], None], expected: list[str]
) -> None:
    host = Host(str(tmp_path))
    build(host)
    assert [f"{subject(seen)}: {why}" for seen, why in look_at(host).verdicts] == expected


def test_a_reboot_is_told_as_no_login(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    host.utmp(Record(type=2, user="reboot", line="~", pid=0), Record(pid=0, host="192.0.2.7"))
    verdicts = [why for _, why in look_at(host).verdicts]
    assert verdicts == ["does not count: no USER_PROCESS", "counts"]


@pytest.mark.parametrize(
    ("type_", "remote", "said", "expected"),
    [
        ("tty", None, None, "tty"),
        ("tty", "192.0.2.8", None, "tty"),  # telnet
        ("tty", "UNKNOWN", None, "tty"),
        ("unspecified", None, None, "other"),
        ("unspecified", "192.0.2.8", None, "other"),
        ("x11", "192.0.2.8", None, "x11"),
        ("tty", None, "192.0.2.9 via mosh [1000]", "mosh"),
        ("unspecified", None, ":0", "x11"),
        ("unspecified", None, "login screen", "wayland"),
        ("unspecified", None, "tmux(1000).%0", "other"),
        ("unspecified", None, "192.0.2.9", "other"),
    ],
)
def test_a_type_that_the_service_does_not_decide(
    tmp_path: Path, type_: str, remote: str | None, said: str | None, expected: str
) -> None:
    """`said` is the host of utmp's record."""
    host = Host(str(tmp_path))
    host.process(1000, "login")
    host.logind("5", SERVICE="login", TYPE=type_, REMOTE_HOST=remote)
    if said:
        host.utmp(Record(host=said))
    (session,) = look_at(host).sessions or ()
    assert session.type == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("pts/0", "ssh"),
        ("ttyp0", "ssh"),  # BSD's names of pseudo terminals
        ("ttyef", "ssh"),
        ("ttyp10", "other"),
        ("ttyS0", "other"),
        ("tty10", "other"),
        ("hvc10", "other"),
    ],
)
def test_of_terminals_only_the_pseudo_ones_are_of_ssh(
    tmp_path: Path, line: str, expected: str
) -> None:
    host = Host(str(tmp_path))
    host.utmp(Record(line=line, host="192.0.2.7", pid=0))
    (session,) = look_at(host).sessions or ()
    assert session.type == expected


def utmp_record(pid: int, host: str = "", ip: str = "", line: str = "pts/0") -> UtmpRecord:
    return UtmpRecord(7, pid, line, "ts/0", "alice", host, ip, 0, LOGIN)


def test_processes_are_read_for_logins_alone() -> None:
    logout = utmp_record(1100)._replace(type=8)
    assert pids_of([utmp_record(1000), logout, utmp_record(0), utmp_record(-1)]) == {1000}


def test_an_id_is_never_given_twice() -> None:
    """Also where a terminal is called what another session was given."""
    made = Session("", "alice", ":1", "vnc", "other", "", "", "", LOGIN, 1000)
    found = with_unique_ids([made, made, made._replace(tty=":1:2")])
    assert [session.id for session in found] == [":1", ":1:2", ":1:2:2"]


@pytest.mark.parametrize(
    ("tty", "why"),
    [
        ("pts/0", "the same terminal"),
        ("", "the same process"),
        ("\\x80" * 32, "utmp's 32 bytes, none of them UTF-8: 128 as a label"),
        ("é" * 70, "cut where a character ends"),
        ("x" * 300, "cut"),
    ],
)
def test_sessions_of_one_name_have_other_labels(tty: str, why: str) -> None:
    """Without a terminal among their labels nothing else tells them apart."""
    made = Session("", "alice", tty, "ssh", "sshd", "", "", "", LOGIN, 1000)
    found = with_unique_ids([made] * 12)
    labels = {label(session.id) for session in found}
    assert len(labels) == 12, why
    assert all(len(one.encode()) <= 128 for one in labels)
    assert found[11].id.endswith(":12")


def test_of_too_many_logins_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge_module, "MAX_SESSIONS", 2)
    third, first, second = (utmp_record(pid)._replace(time=-pid) for pid in (1001, 1003, 1002))
    logout = utmp_record(1000)._replace(type=8)
    made = LogindSession("5", "alice", "active", "user", "tty", "sshd", "", "", 1000, 0.0)
    b, a, c = (made._replace(id=f"{-start}", start=start) for start in (-2.0, -3.0, -1.0))
    assert newest(
        (third, logout, first),
        (b, a),
    ) == ((third, logout, first), (b, a), 0)
    assert newest((third, logout, first, second), (b, a)) == ((logout, second, third), (a, b), 1)
    assert newest((third,), (b, a, c)) == ((third,), (b, c), 1)


@pytest.mark.parametrize(
    ("changed", "asked"),
    [
        ({}, [1000]),
        ({"leader": 1100}, []),  # utmp has its terminal
        ({"leader": 1}, []),  # init is none
        ({"tty": "pts/0"}, []),
        ({"service": "xrdp-sesman"}, []),
        ({"state": "closing"}, []),
        ({"class_": "manager"}, []),
    ],
)
def test_process_trees_are_read_for_few_leaders(changed: dict[str, Any], asked: list[int]) -> None:
    """Each costs as much as all the rest of its session."""
    session = LogindSession("5", "alice", "active", "user", "tty", "sshd", "", "", 1000, LOGIN)
    found = leaders_without_terminal([utmp_record(1100)], [session._replace(**changed)])
    assert found == asked


@pytest.mark.parametrize(
    ("record", "asked"),
    [
        (utmp_record(1000, host="192.0.2.7"), set()),
        (utmp_record(1000, ip="192.0.2.7"), set()),
        (utmp_record(1000, host="tmux(1500).%0"), {1500}),
        (utmp_record(1000, host=":pts/0:S.0"), {1000}),
        (utmp_record(1000, host=":0"), {1000}),
        (utmp_record(1000), {1000}),
        (utmp_record(0), set()),
        (utmp_record(1000, line="tty1"), set()),
    ],
)
def test_descents_are_read_for_windows_alone(record: UtmpRecord, asked: set[int]) -> None:
    assert servers_of_windows([record]) == asked


def test_what_no_process_names_is_another_service(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    host.process(1000, "something", parent=999)
    host.process(1100, "sshd")
    host.utmp(
        Record(line="pts/0", host="192.0.2.7"),
        Record(line="pts/1", host="192.0.2.7", pid=0),
        Record(line="pts/2", host="192.0.2.7", pid=1100),
    )
    services = {s.tty: s.service for s in look_at(host).sessions or ()}
    assert services == {"pts/0": "other", "pts/1": "other", "pts/2": "sshd"}


@pytest.mark.parametrize(
    ("utmp", "logind", "known"),
    [
        (None, False, False),
        (b"", False, True),
        (b"\xff" * 384, False, False),
        (b"\xff" * 384, True, True),
        (None, True, True),
    ],
)
def test_not_known_is_not_zero(
    tmp_path: Path, utmp: bytes | None, logind: bool, known: bool
) -> None:
    host = Host(str(tmp_path))
    if utmp is not None:
        host.write("run/utmp", utmp)
    if logind:
        host.no_sessions()
    snapshot = look_at(host)
    assert (snapshot.sessions is not None) == known
    success = {collector.name: collector.success for collector in snapshot.collectors}
    assert success["sessions"] == (known and not utmp)
    if not known:
        assert snapshot.faults[-1].startswith("no source of sessions: neither ")


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("sshd", True),
        ("remote", True),
        ("cockpit", True),
        ("systemd-run0", False),
        ("su-l", False),
        ("su", False),
        ("runuser-l", False),
        ("sudo-i", False),
        ("polkit-1", False),
        ("doas", False),
    ],
)
def test_who_becomes_another_user_does_not_come(
    tmp_path: Path, service: str, expected: bool
) -> None:
    host = Host(str(tmp_path))
    host.logind("5", SERVICE=service, REMOTE=0)
    (session,) = look_at(host).sessions or ()
    assert session.is_login is expected


def test_who_is_somewhere_else_is_not_local(tmp_path: Path) -> None:
    """Of nobody knows where, and through Eternal Terminal."""
    host = Host(str(tmp_path))
    host.process(1000, "login")
    host.process(7001, "etterminal")
    host.logind("5", SERVICE="login", TTY="pts/0", REMOTE_HOST="UNKNOWN")
    host.utmp(Record(line="pts/1", pid=7001, host="et [7001]"))
    assert [one.network for one in look_at(host).sessions or ()] == ["", ""]


@pytest.mark.parametrize("logind", [False, True])
@pytest.mark.parametrize("user", ["alice", "bob"])
def test_the_terminal_of_a_command_of_sudos_is_no_session(
    tmp_path: Path, logind: bool, user: str
) -> None:
    """use_pty is on in most distributions; the record has the caller's host, bob's after su."""
    host = Host(str(tmp_path))
    scope = "/user.slice/user-1000.slice/session-5.scope" if logind else ""
    host.ssh_connection(1000, "alice", "pts/0", cgroup=scope)
    host.process(1010, "sudo", 1002, cgroup=scope)
    host.process(1011, "sudo", 1010, cgroup=scope)
    host.utmp(
        Record("alice", "pts/0", 1000, host="192.0.2.7", ip="192.0.2.7"),
        Record(user, "pts/1", 1011, host="192.0.2.7", ip="192.0.2.7"),
    )
    if logind:
        host.logind("5")
    sessions = look_at(host).sessions or ()
    assert [(one.user, one.tty) for one in sessions] == [("alice", "pts/0")]


def test_a_command_of_sudos_without_a_session_is_one(tmp_path: Path) -> None:
    """Somebody is at work there, though the session has been forgotten."""
    host = Host(str(tmp_path))
    host.process(1011, "sudo", 1)
    host.utmp(Record("alice", "pts/1", 1011, host="192.0.2.7", ip="192.0.2.7"))
    sessions = look_at(host).sessions or ()
    assert [(one.user, one.tty) for one in sessions] == [("alice", "pts/1")]
