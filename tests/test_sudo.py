"""What sudo's objects (log_format=json) and ends of commands say, also where they are hostile."""

from __future__ import annotations

import json
from binascii import crc32
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textfile_users.auth.message import find
from textfile_users.auth.patterns import MAX_NAME, UNMATCHED
from textfile_users.auth_event import NOTHING, Finding


def said_by(message: str) -> tuple[str, str, str, str]:
    said = find(b"sudo", message.encode("utf-8", "surrogatepass"))
    return said.event, said.user, said.target, said.tty


def whole(kind: str, **fields: object) -> str:
    """Return an event as sudo 1.9.17 writes it (lib/eventlog/eventlog.c)."""
    text = json.dumps({"sudo": {kind: fields}}, separators=(",", ":"))
    return f"@cee:{text}"


GRANTED = {"submituser": "alice", "runuser": "root", "ttyname": "/dev/pts/0", "command": "/bin/id"}
INJECTED = '","submituser":"root","runuser":"bob'


class Case(NamedTuple):
    why: str
    message: str
    expected: tuple[str, str, str, str]


AS_ROOT = ("escalation", "alice", "root", "pts/0")
REFUSED = ("escalation-failure", "alice", "root", "pts/0")
SAYS_NOTHING = (NOTHING.event, "", "", "")
UNKNOWN = (UNMATCHED.event, "", "", "")
CASES = [
    Case("a grant", whole("accept", **GRANTED), AS_ROOT),
    Case(
        "blanks, as another writer of JSON has them",
        "@cee: " + json.dumps({"sudo": {"accept": GRANTED}}),
        AS_ROOT,
    ),
    Case(
        "a name of a domain",
        whole("accept", **{**GRANTED, "submituser": "EXAMPLE\\alice smith"}),
        ("escalation", "EXAMPLE\\alice smith", "root", "pts/0"),
    ),
    Case(
        "a command that holds the fields of another",
        whole("accept", runargv=["x", INJECTED], **GRANTED),
        AS_ROOT,
    ),
    Case(
        "a directory that ends in a comma before a field",
        whole("accept", submitcwd="/,", **GRANTED),
        AS_ROOT,
    ),
    Case(
        "an object that the log has cut names whom it can",
        whole("accept", **GRANTED)[:60],
        ("escalation", "alice", "", ""),
    ),
    Case(
        "one that is cut before it names anybody",
        '@cee:{"sudo":{"accept":{',
        ("escalation", "", "", ""),
    ),
    Case(
        "a refusal, whatever its reason (authfail_message)",
        whole("reject", reason="go away", **GRANTED),
        REFUSED,
    ),
    Case(
        "an alert that refuses",
        whole("alert", reason="user not allowed to change directory to /x", **GRANTED),
        REFUSED,
    ),
    Case(
        "an alert that notes",
        whole("alert", reason="unable to resolve host x: user NOT in sudoers", **GRANTED),
        SAYS_NOTHING,
    ),
    Case(
        "an end, which repeats all fields where it has no number",
        whole("exit", exit_value=0, **GRANTED),
        SAYS_NOTHING,
    ),
    Case(
        "half a character",
        r'@cee:{"sudo":{"accept":{"submituser":"a\ud800b","runuser":"root"}}}',
        ("escalation", "a\\ud800b", "root", ""),
    ),
    Case(
        "an escape that JSON does not know",
        r'@cee:{"sudo":{"accept":{"submituser":"a\qb","runuser":"root"}}}',
        ("escalation", r"a\qb", "root", ""),
    ),
    Case("another program's object", '@cee:{"other":{"accept":{}}}', UNKNOWN),
    Case("an event of a later release", whole("approve", **GRANTED), UNKNOWN),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.why)
def test_objects(case: Case) -> None:
    assert said_by(case.message) == case.expected


@given(st.text(max_size=40), st.lists(st.text(max_size=60), max_size=4))
def test_nobody_says_who_somebody_is(user: str, words: list[str]) -> None:
    """Whatever a user's command, directory and variables hold."""
    fields = {"runenv": words, "submitcwd": "".join(words), "submituser": user, "runargv": words}
    said = find(b"sudo", whole("accept", **fields, runuser="root").encode())
    encoded = user.encode("utf-8", "backslashreplace")[:MAX_NAME]
    assert said.user == encoded.decode("utf-8", "backslashreplace")
    assert said.target == "root"


@pytest.mark.parametrize("more", ["", "[" * 60_000, ',"submituser":"' * 4_000, "\\" * 60_000])
def test_a_long_object_is_read_once(more: str) -> None:
    """Neither deep nesting nor many keys is an error."""
    message = '@cee:{"sudo":{"accept":{"submituser":"alice","runuser":"root","runargv":' + more
    assert said_by(message) == ("escalation", "alice", "root", "")


# What may be a command's end, and of that what belongs to the command it may be the end of.
ENDS = {
    " ; EXIT=0": "",
    " ; EXIT=255": "",
    " ; SIGNAL=SEGV ; EXIT=139": "",
    " ; SIGNAL=RTMIN+1": "",
    " ; EXIT=0 ; EXIT=0": " ; EXIT=0",
    " ; EXIT=0 ; SIGNAL=KILL": " ; EXIT=0",
}
NO_ENDS = (" ; EXIT=1000", " ; EXIT=", " ; EXIT=0\n", "; EXIT=0", " ; SIGNAL=kill")


@pytest.mark.parametrize(
    ("end", "is_end", "of"),
    [*((end, True, of) for end, of in ENDS.items()), *((end, False, "") for end in NO_ENDS)],
)
def test_what_may_be_the_end_of_a_command(end: str, is_end: bool, of: str) -> None:
    """Its number is that of the line it may be the end ``of``, which may have ended so itself."""
    line = b"alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id"
    said = find(b"sudo", line + end.encode())
    assert (said.event, said.user, said.target) == (
        "left" if is_end else "escalation",
        "alice",
        "root",
    )
    assert (said.pid == crc32(line + of.encode())) is is_end


def test_a_line_with_and_without_blanks_before_it_is_the_same() -> None:
    line = b"alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id"
    assert find(b"sudo", b"   " + line) == find(b"sudo", line) != Finding(*NOTHING)
