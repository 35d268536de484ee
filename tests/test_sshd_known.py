"""Messages of sshd that say nothing that counts, from the sources of its releases."""

from __future__ import annotations

from pathlib import Path

import pytest

from textfile_users.auth.message import find
from textfile_users.auth.patterns import UNMATCHED
from textfile_users.auth.sshd_known import KNOWN
from textfile_users.auth_event import NOTHING

TABLE = Path(__file__).parent / "fixtures" / "sshd_known.txt"
MESSAGES = [
    line.partition(" | ")[2] for line in TABLE.read_text().splitlines() if not line.startswith("#")
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_known_and_says_nothing(message: str) -> None:
    assert find(b"sshd-session", message.encode()) is NOTHING


def test_each_beginning_has_a_message() -> None:
    """One that no message needs would hide what a later release writes."""
    inner = [message[7:] if message.startswith("error: ") else message for message in MESSAGES]
    beginnings = [line.decode() for lines in KNOWN.values() for line in lines]
    unused = [line for line in beginnings if not any(one.startswith(line) for one in inner)]
    assert unused == []
    assert len(beginnings) == len(set(beginnings)) > 150


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("something new", "no beginning of the sources"),
        ("error: something new", "nor behind a level"),
        ("", "nothing at all"),
        ("User alice is new", "no attempt, and no child"),
        ("7 new startups", "a number alone"),
        ("channel opened", "a channel has a number"),
        ("/etc/ssh/sshd_config says something new", "a file's name alone"),
        ("New: something", "functions have small letters"),
        ("x:", "and say something"),
        ("x [postauth] y", "the monitor's word stands at the end"),
    ],
)
def test_what_is_new_is_said(message: str, why: str) -> None:
    assert find(b"sshd", message.encode()) is UNMATCHED
