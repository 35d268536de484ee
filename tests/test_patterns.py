"""Each pattern of textfile_users/auth against the messages that stand beside it there."""

from __future__ import annotations

import ast
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import textfile_users.auth
from textfile_users.auth import message as message_module
from textfile_users.auth.message import find
from textfile_users.auth.patterns import UNMATCHED, Pattern
from textfile_users.auth.programs import PROGRAMS
from textfile_users.auth_event import NOTHING, Finding

DIRECTORY = Path(textfile_users.auth.__file__).parent
FIELDS = NOTHING._asdict()


class Samples(NamedTuple):
    """What stands above a pattern: its place, messages with findings, and messages refused."""

    place: str
    pattern: Pattern
    known: list[tuple[bytes, Finding]]
    refused: list[bytes]


def parse_finding(text: str) -> Finding:
    """Return the finding that a line `= ...` tells."""
    words = shlex.split(text)
    if words == ["irrelevant"]:
        return NOTHING
    service, event, *pairs = words
    events = {"'invalid": "invalid user"}
    fields = dict(pair.split("=", 1) for pair in pairs)
    values = {key: type(FIELDS[key])(value) for key, value in fields.items()}
    return NOTHING._replace(service=service, event=events.get(event, event), **values)


def samples_above(lines: list[str], line: int) -> tuple[list[tuple[bytes, Finding]], list[bytes]]:
    """Return what the comments above the source's `line` (from 1) hold.

    A finding is that of all messages above it since the last one.
    """
    known: list[tuple[bytes, Finding]] = []
    refused = []
    messages = []
    first = line - 1
    while first > 0 and lines[first - 1].strip().startswith("#"):
        first -= 1
    for text in (text.strip()[2:] for text in lines[first : line - 1]):
        kind, _, rest = text.partition(" ")
        if kind == "+":
            messages.append(rest.encode())
        elif kind == "=":
            known += [(message, parse_finding(rest)) for message in messages]
            messages = []
        elif kind == "-":
            refused.append(rest.encode())
    assert not messages
    return known, refused


def patterns_in(path: Path) -> list[Samples]:
    """Return the patterns of a module with their samples, in the order of the source."""
    source = path.read_text()
    lines = source.splitlines()
    module = __import__(f"textfile_users.auth.{path.stem}", fromlist=["x"])
    result = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Tuple):
            continue
        calls = [child for child in node.elts if is_pattern(child)]
        for call in calls:
            # The samples stand above the pattern, or above its first words.
            line = call.lineno if samples_above(lines, call.lineno)[0] else node.lineno
            code = compile(ast.Expression(call), str(path), "eval")
            pattern = eval(code, vars(module))
            result.append(Samples(f"{path.name}:{line}", pattern, *samples_above(lines, line)))
    return result


def is_pattern(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Pattern"
    )


ALL = [samples for path in sorted(DIRECTORY.glob("*.py")) for samples in patterns_in(path)]


def test_all_patterns_are_found() -> None:
    written = sum(path.read_text().count(" Pattern(") for path in DIRECTORY.glob("*.py"))
    assert len(ALL) == written > 50
    assert {samples.place.split(".")[0] for samples in ALL} >= set(PROGRAMS.values()) - {""}


@pytest.mark.parametrize("samples", ALL, ids=lambda samples: samples.place)
def test_a_pattern_stands_beside_messages_it_knows_and_refuses(samples: Samples) -> None:
    assert samples.known
    assert samples.refused


def without_number(said: Finding | None) -> Finding | None:
    """Return a finding without the number that stands for the text of sudo's line."""
    return said._replace(pid=0) if said and said.service == "sudo" else said


@pytest.mark.parametrize("samples", ALL, ids=lambda samples: samples.place)
def test_messages_known(samples: Samples) -> None:
    for message, finding in samples.known:
        match = samples.pattern.match(message)
        assert match, message
        assert without_number(samples.pattern.make(match)) == finding


@pytest.mark.parametrize("samples", ALL, ids=lambda samples: samples.place)
def test_messages_refused(samples: Samples) -> None:
    for message in samples.refused:
        assert not samples.pattern.match(message), message


PROGRAM_OF = {
    "polkit": b"pkexec",
    "xrdp": b"xrdp-sesman",
    "cockpit": b"cockpit-session",
}
OWN = [samples for samples in ALL if not samples.place.startswith("pam")]


@pytest.mark.parametrize("samples", OWN, ids=lambda samples: samples.place)
def test_messages_come_to_their_pattern(samples: Samples) -> None:
    """By the table of first words, past the patterns that are tried before."""
    stem = samples.place.split(".")[0]
    for message, finding in samples.known:
        program = stem.partition("_")[0]  # sshd has several modules
        said = find(PROGRAM_OF.get(stem, program.encode()), message)
        assert without_number(said) == finding, message


@pytest.mark.parametrize(
    ("program", "message", "expected"),
    [
        (b"sshd", b"pam_unix(sudo:session): session opened for user root by alice", "irrelevant"),
        (b"gdm-password", b"pam_unix(sshd:session): session closed for user alice", "irrelevant"),
        (b"su", b"pam_unix(su-l:session): session opened for user root by alice", "PAM escalation"),
        (
            b"sshd",
            b"pam_unix(sshd:account): account alice has expired (account expired)",
            "irrelevant",
        ),
        (b"sshd", b"pam_unix(sshd:auth): check pass; user unknown", "irrelevant"),
        (
            b"login",
            b"pam_unix(cron:session): session opened for user root by (uid=0)",
            "irrelevant",
        ),
        (b"gdm", b"pam_unix(gdm-launch-environment:session): session opened for x", "irrelevant"),
        (b"sshd", b"error: PAM: Authentication failure for alice from 192.0.2.7", "PAM failure"),
        (b"sshd", b"fatal: Timeout before authentication for 192.0.2.7 port 1", "end"),
        (b"sshd", b"fatal: something new [preauth]", "end"),
        (b"sshd", b"error: something new", "unmatched"),
        (b"sshd", b"something new", "unmatched"),
        (b"sshd", b"", "unmatched"),
        (b"sudo", b"alice : something new", "unmatched"),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else value,
)
def test_which_program_may_say_what(program: bytes, message: bytes, expected: str) -> None:
    assert find(program, message).event == expected


@pytest.mark.parametrize(
    ("message", "times"),
    [
        (b"message repeated 2 times: [ Failed password for root from 192.0.2.7 port 1 ssh2]", 2),
        (b"message repeated 3 times: [Failed password for root from 192.0.2.7 port 1 ssh2]", 3),
        (b"message repeated x times: [ Failed password for root from 192.0.2.7 port 1 ssh2]", 0),
        (b"message repeated 2 times: [ message repeated 2 times: [ x]]", 0),
        (b"message repeated 2 times: [ Failed password for root from 192.0.2.7 port 1 ssh2", 0),
    ],
)
def test_repeated_messages(message: bytes, times: int) -> None:
    """As rsyslog writes them; what is no such line is not counted."""
    said = find(b"sshd", message)
    assert (said.times if said.event == "failure" else 0) == times


@given(st.binary(max_size=300), st.sampled_from(sorted(PROGRAMS)))
def test_any_message_gives_a_finding(message: bytes, program: bytes) -> None:
    assert isinstance(find(program, message), Finding)


@pytest.mark.parametrize(
    "name", ["root from 192.0.2.1 port 22 ssh2", "x 192.0.2.1 port 22", "a\nb", " ", "", "é" * 100]
)
@pytest.mark.parametrize(
    "form",
    [
        "Failed password for invalid user {} from 198.51.100.9 port 5 ssh2",
        "Invalid user {} from 198.51.100.9 port 5",
        "Connection closed by invalid user {} 198.51.100.9 port 5 [preauth]",
        "Disconnected from invalid user {} 198.51.100.9 port 5 [preauth]",
        "error: PAM: Authentication failure for illegal user {} from 198.51.100.9",
    ],
)
def test_the_address_is_where_sshd_puts_it(form: str, name: str) -> None:
    said = find(b"sshd", form.format(name).encode())
    assert (said.ip, said.user, said.account) == ("198.51.100.9", name[:256], "invalid")


# What plain messages are made of, and what looks like it.
WORDS = """
Accepted Failed Invalid Connection Disconnected Received disconnect closed reset by for invalid
illegal user from port ssh2 ssh2: authenticating [preauth] opened session password publickey
keyboard-interactive/pam none alice root(uid=0) (uid=0) alice(uid=x) 192.0.2.7 2001:db8::7
host.example 22 65536x 123456 22:11: 22: : ; TTY=pts/0 TTY= PWD=/ PWD=/a;b USER=root USER=
COMMAND=/bin/id COMMAND pam_unix(sshd:session): pam_unix(sudo:session): RSA SHA256:abc Bye é
"""
STARTS = [
    "Accepted password for alice from 192.0.2.7 port 22 ssh2",
    "Accepted publickey for alice from 192.0.2.7 port 22 ssh2: RSA SHA256:abc",
    "Failed password for invalid user x from 192.0.2.7 port 22 ssh2",
    "Failed password for root from 192.0.2.7 port 22 ssh2",
    "Invalid user x from 192.0.2.7 port 22",
    "Failed publickey for root from 192.0.2.7 port 22 ssh2: RSA SHA256:abc",
    "Failed publickey for invalid user x from 192.0.2.7 port 22 ssh2: RSA SHA256:abc",
    "Failed publickey for invalid user x from 192.0.2.7 port 22 ssh2",
    "Connection closed by authenticating user root 192.0.2.7 port 22 [preauth]",
    "Connection reset by 192.0.2.7 port 22 [preauth]",
    "Disconnected from invalid user x 192.0.2.7 port 22 [preauth]",
    "Received disconnect from 192.0.2.7 port 22:11: Bye [preauth]",
    "pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)",
    "pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)",
    "pam_unix(sudo:session): session closed for user root",
    "alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id",
]
_patched = st.tuples(
    st.sampled_from(STARTS),
    st.lists(
        st.tuples(st.integers(0, 13), st.sampled_from([*WORDS.split(), "", "a\tb"]), st.booleans()),
        max_size=3,
    ),
)


def patched(start: str, patches: list[tuple[int, str, bool]]) -> bytes:
    """Return a message with words replaced, or put in."""
    words = start.split(" ")
    for place, word, replaces in patches:
        words[place : place + replaces] = [word]
    return " ".join(words).encode()


def is_plain(finder: object) -> bool:
    """Return whether it finds the most frequent messages without patterns."""
    return getattr(finder, "__qualname__", "").lstrip("_").startswith("plain")


def by_patterns(program: bytes, message: bytes) -> Finding:
    """Return what the patterns alone say of a message."""
    with pytest.MonkeyPatch.context() as patch:
        table = message_module._table(program)
        patterns = {
            word: tuple(one for one in finders if not is_plain(one))
            for word, finders in table.items()
        }
        patch.setitem(message_module._tables, program, patterns)
        return find(program, message)


@pytest.mark.parametrize("start", STARTS)
def test_plain_messages_are_found_without_patterns(start: str) -> None:
    program = b"sudo" if "sudo" in start or " : " in start else b"sshd"
    message = start.encode()
    finders = (
        message_module._table(program).get(message.split(b" ")[0])
        or message_module._table(program)[b""]
    )
    assert is_plain(finders[0])
    assert finders[0](message) == by_patterns(program, message) != UNMATCHED


@given(_patched, st.sampled_from([b"sshd", b"sudo", b"su", b"login"]))
def test_what_is_found_plainly_is_what_the_patterns_find(
    message: tuple[str, list[tuple[int, str, bool]]], program: bytes
) -> None:
    text = patched(*message)
    assert find(program, text) == by_patterns(program, text)
