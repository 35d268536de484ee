"""The saved state of older versions is taken over, once, and counters go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from textfile_users.accounts.account import Answer, Known, Pause
from textfile_users.auth.journal_files import JournalPosition
from textfile_users.auth.logs import AuthMemory, AuthNotes
from textfile_users.auth.remembered import Remembered
from textfile_users.auth_event import AuthEvent, Finding
from textfile_users.connections.collect_connections import ConnectionsMemory
from textfile_users.connections.connection import Connection
from textfile_users.counting import Counts
from textfile_users.history.collect_history import HistoryMemory
from textfile_users.history.wtmpdb import WtmpdbPosition
from textfile_users.logins import Login
from textfile_users.memory import Durable, Volatile
from textfile_users.older_memory import _end_of, parse_durable, parse_volatile
from textfile_users.processes.collect_processes import ProcessesMemory, Usage
from textfile_users.reading.position import Position
from textfile_users.sessions.collect_sessions import SessionsMemory
from textfile_users.state_files import (
    DURABLE,
    OLD_NAMES,
    VOLATILE,
    load_durable,
    load_volatile,
    put_aside,
    save_durable,
    save_volatile,
)

FINDING = '"failure","sshd","password","bob","valid","192.0.2.7","","1","1","","","","0"'
EVENT = f'"6.0","100","0",{FINDING}'
# As version 2 wrote it, without its last line; a row of each kind.
OLD_DURABLE = f"""\
"textfile-users durable","2"
"began","1.0"
"boot","boot","2.0"
"source","authlog","3.0","4.0"
"forgotten","5.0"
"counter","6.0","users_logins_total","al""ice
","ssh"
"failures","192.0.2.7","29000000 2 29000001 1"
"attempts","29000000 3"
"last login","alice","7.0"
"log","/var/log/auth.log","1","2","a","b","False","1:2:3",""
"records","/var/log/wtmp","3","4","c","d","True","",""
"seen","btmp","x"
"journal","s=1","8.0","9.0"
"wtmpdb","1","2","signature","3","4"
"login","event","alice","ssh","sshd","100","pts/0","192.0.2.7","22","10.0","0.0","0.0","","True","True"
"process","sshd","pid","100","5.0","f",{EVENT},"192.0.2.7","22"
"process","dropbear","peer","7","5.0",""
"held",{EVENT}
"last",{EVENT}
""".encode()
AN_EVENT = AuthEvent(
    6.0,
    100,
    0,
    Finding("failure", "sshd", "password", "bob", "valid", "192.0.2.7", "", 1, 1, "", "", "", 0),
)
AS_DURABLE = Durable(
    Counts(
        1.0,
        2.0,
        {("users_logins_total", 'al"ice\n', "ssh"): 6.0},
        {"192.0.2.7": {29_000_000: 2, 29_000_001: 1}},
        {29_000_000: 3},
        {"alice": 7.0},
        (
            Login(
                "event", "alice", "ssh", "sshd", 100, "pts/0", "192.0.2.7", 22, 10.0,
                covered=True, counted=True,
            ),
        ),
        5.0,
    ),
    AuthMemory(
        "authlog",
        3.0,
        4.0,
        {"/var/log/auth.log": Position(1, 2, "a", "b", False, "1:2:3")},
        JournalPosition("s=1", 8.0, 9.0),
        (
            (("sshd", 100), Remembered(5.0, "f", (AN_EVENT,), "192.0.2.7", 22)),
            (("dropbear", "7"), Remembered(5.0, "", (), "", 0)),
        ),
        (AN_EVENT,),
        AN_EVENT,
    ),
    HistoryMemory(
        "boot",
        {"/var/log/wtmp": Position(3, 4, "c", "d", True, "")},
        WtmpdbPosition(1, 2, (3, 4), "signature"),
        {"btmp": "x"},
    ),
)  # fmt: skip
OLD_VOLATILE = b"""\
"textfile-users volatile","1","b"
"session","1","alice","pts/0","ssh","a","b","5.0"
"ended","alice","ssh","6.0"
"gone","alice","a","b","pts/0","7.0"
"said","fault","8.0"
"asked","x","1.0"
"looked","5.0"
"cpu","0","1.0"
"slices"
"slice","1000","2.0"
"processes","4"
"process","1 2","3.0"
"place","1","1000","1000","1000","1 2"
"accounts","signature","uid","5","60.0","9.0"
"answer","uid","5","","-1","-1","","False","9.0"
"network","1 2 3","9.0"
"connection","ssh","192.0.2.7","22","3","4","1000","-1"
"address","1","2","3.0","192.0.2.7"
"strange","/var/log/auth.log","what is this"
"""
AS_VOLATILE = Volatile(
    SessionsMemory(
        {("1", "alice", "pts/0", "ssh", "a", "b"): 5.0},
        {("alice", "ssh"): 6.0},
        {("alice", "a", "b", "pts/0"): 7.0},
        {("1", 2, 3.0): "192.0.2.7"},
    ),
    Known(
        {("uid", "5"): Answer("uid", "5", "", -1, -1, "", False, 9.0)},
        "signature",
        Pause("uid", "5", 60.0, 9.0),
    ),
    ProcessesMemory(
        Usage({0: 1.0}, {1000: 2.0}, {(1, 2): 3.0}, 4), {(1, 2): ("1", 1000, 1000, 1000)}, 5.0
    ),
    ConnectionsMemory("1 2 3", 9.0, (Connection("ssh", "192.0.2.7", 22, 3, 4, 1000, -1),)),
    AuthNotes(("x", 1.0), {"/var/log/auth.log": "what is this"}),
    {"fault": 8.0},
)


def test_all_that_an_older_version_knew_is_known() -> None:
    assert parse_durable(OLD_DURABLE + _end_of(OLD_DURABLE)) == AS_DURABLE
    old = OLD_VOLATILE + _end_of(OLD_VOLATILE)
    assert parse_volatile(old, "b") == AS_VOLATILE
    assert parse_volatile(old, "of another boot") == Volatile()


def test_it_is_taken_over_once(tmp_path: Path) -> None:
    old = {DURABLE: OLD_DURABLE, VOLATILE: OLD_VOLATILE}
    for name, data in old.items():
        (tmp_path / OLD_NAMES[name]).write_bytes(data + _end_of(data))
    durable, volatile = load_durable(str(tmp_path)), load_volatile(str(tmp_path), "b")
    assert (durable.value, volatile.value) == (AS_DURABLE, AS_VOLATILE)
    saved = save_durable(str(tmp_path), durable.value)
    assert save_volatile(str(tmp_path), volatile.value, "b").value == AS_VOLATILE
    assert {path.name for path in tmp_path.iterdir()} == {DURABLE, VOLATILE}
    assert load_durable(str(tmp_path), saved) is saved
    assert load_volatile(str(tmp_path), "b").value == AS_VOLATILE


def test_what_is_newer_counts(tmp_path: Path) -> None:
    """A run that was killed between writing one file and removing the other."""
    save_durable(str(tmp_path), AS_DURABLE)
    (tmp_path / OLD_NAMES[DURABLE]).write_bytes(b"damaged")
    assert load_durable(str(tmp_path)).value == AS_DURABLE


@pytest.mark.parametrize("data", [b"", b"damaged\n", OLD_DURABLE, OLD_DURABLE + _end_of(b"")])
def test_a_damaged_one_is_put_aside_under_its_name(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / OLD_NAMES[DURABLE]
    path.write_bytes(data)
    with pytest.raises(ValueError):
        load_durable(str(tmp_path))
    assert put_aside(str(tmp_path)) == f"{path}.unreadable"
    assert load_durable(str(tmp_path)).value == Durable()


def test_an_older_state_knows_no_peers() -> None:
    row = b'"process","sshd","pid","100","5.0","f"\n'
    data = b'"textfile-users durable","1"\n"began","1.0"\n"boot","","0.0"\n"source","","0.0"\n'
    data += b'"forgotten","0.0"\n' + row
    assert parse_durable(data + _end_of(data)).auth.remembered == (
        (("sshd", 100), Remembered(5.0, "f", (), "")),
    )


def test_an_older_state_knows_no_ports() -> None:
    row = b'"process","sshd","pid","100","5.0","f","192.0.2.7"\n'
    data = b'"textfile-users durable","1"\n"began","1.0"\n"boot","","0.0"\n"source","","0.0"\n'
    data += b'"forgotten","0.0"\n' + row
    assert parse_durable(data + _end_of(data)).auth.remembered == (
        (("sshd", 100), Remembered(5.0, "f", (), "192.0.2.7", 0)),
    )


def test_an_older_state_knows_neither_files_left_nor_silence() -> None:
    data = b'"textfile-users durable","1"\n"began","1.0"\n"boot","","0.0"\n"source","x","5.0"\n'
    data += b'"forgotten","0.0"\n"log","/log","1","2","a","b","False","1:2:3"\n'
    found = parse_durable(data + _end_of(data)).auth
    assert found.logs == {"/log": Position(1, 2, "a", "b", False, "1:2:3", "")}
    assert (found.source, found.time, found.quiet) == ("x", 5.0, 0.0)
