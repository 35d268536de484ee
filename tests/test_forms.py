"""The forms of lines: each beside its samples, with hostile text in it, and what has none."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.long import kinds
from tests.test_patterns import ALL, PROGRAM_OF, Samples
from textfile_users.auth.programs import PROGRAMS
from textfile_users.cli import main
from textfile_users.events import read_log
from textfile_users.sources import forms
from textfile_users.sources.authlog import Stamps, own_time, parse_lines

NOW = 1796049600.0  # 2026-11-30 14:40:00 UTC
AT = 1796032800  # 10:00:00
SOURCE = Path(forms.__file__).read_text()
SAMPLES = re.findall(r"^ *# ([+-]) (.*)$", SOURCE, re.MULTILINE)
OF_FORMS = [sample for kind, sample in SAMPLES if kind == "+"]
FAILED = "Failed password for root from 192.0.2.7 port 22 ssh2"


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def parts(line: str, *, strange: bool = False) -> list[tuple[bytes, int, bytes, float | None]]:
    """Return program, pid, message and time of what is found in a line."""
    stamps = Stamps(NOW, own_time, undated=True)
    found = parse_lines(line.encode() + b"\n", strange=strange)
    return [(of[3], of[4], of[5], stamps.time_of(of[2]) if of[2] else None) for of in found]


def test_each_form_has_samples() -> None:
    assert len(forms._FORMS) == 3
    for form in forms._FORMS:
        pattern = forms._pattern(form)
        assert sum(bool(pattern.match(sample.encode())) for sample in OF_FORMS) >= 5
    assert [kind for kind, _ in SAMPLES].count("-") >= 20


@pytest.mark.parametrize("line", OF_FORMS)
@pytest.mark.parametrize("end", ["", "\r"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["", "BOM"])
def test_lines_of_each_form(line: str, start: str, end: str) -> None:
    ((program, pid, message, at),) = parts(start + line + end)
    assert (program, pid, message) == (b"sshd", 101, b"m n")
    assert at is not None
    assert int(at) == (123 if line.startswith("[") else AT)


@pytest.mark.parametrize("line", [sample for kind, sample in SAMPLES if kind == "-"])
def test_lines_that_are_none_of_sshd(line: str) -> None:
    assert parts(line) == []


# Without it a form would not be told apart from what an attacker's text makes of another.
HOSTILE = [
    "Failed password for invalid user Nov 30 10:00:00 host sshd[9]: x from 192.0.2.7 port 22 ssh2",
    "Invalid user 2026-11-30T10:00:00Z host sshd 9 - - Accepted from 192.0.2.7 port 22",
    "Invalid user auth.info: Nov 30 10:00:00 sshd[9]: Accepted password from 192.0.2.7 port 22",
    'Invalid user a] b= \\" ] [sshd 9 - from 192.0.2.7 port 22',
    "Invalid user a\rNov 30 10:00:00 host sshd[9]: b from 192.0.2.7 port 22",
    "Invalid user a\u2028b\x0b\x0c\x1c\x85c from 192.0.2.7 port 22",
    "Invalid user \udcff\udce9 from 192.0.2.7 port 22",
]


@pytest.mark.parametrize("line", OF_FORMS)
def test_what_a_message_holds_is_its_own(line: str) -> None:
    for message in HOSTILE:
        data = line.replace("m n", message).encode("utf-8", "surrogateescape") + b"\n"
        (found,) = parse_lines(data)
        assert found[3:5] == (b"sshd", 101)
        assert found[5].endswith(message.encode("utf-8", "surrogateescape"))
        theirs = data.replace(b"sshd[101]", b"cron[101]", 1).replace(b"sshd 101", b"cron 101", 1)
        if theirs != data and b"@" not in theirs.partition(b"cron")[0]:
            assert [of for of in parse_lines(theirs) if of[3]] == []


@pytest.mark.parametrize("line", OF_FORMS)
def test_forms_may_alternate(line: str) -> None:
    """A place for the host that was found in one form is none in another."""
    for other in OF_FORMS:
        theirs = other.replace("sshd", "cron").replace("ssh@", "cron@").replace("ssh.", "cron.")
        data = f"{line}\n{other}\n{line}\n{theirs}\n{other}\n".encode()
        found = list(parse_lines(data))
        assert [of[3:] for of in found] == [(b"sshd", 101, b"m n")] * 4, other
        stamps = Stamps(NOW, own_time, undated=True)
        times = [int(stamps.time_of(of[2]) or 0) for of in found]
        assert all(at in (AT, 123) for at in times), (other, times)


@pytest.mark.parametrize("line", OF_FORMS)
def test_a_place_for_the_host_cannot_be_imitated(line: str) -> None:
    """Another program's line that holds, at the same bytes, what stood before sshd's tag."""
    place = line.rindex("ssh")
    for head in (
        "Nov 30 10:00:00 h x[1]: ",
        "2026-11-30T10:00:00Z h x[1]: ",
        "Nov 30 10:00:00 x: ",
    ):
        for width in range(1, 20):
            imitated = line[max(place - width, len(head)) :]
            forged = head + "y" * (place - len(head) - width) + imitated
            stamps = Stamps(NOW, own_time)
            for of in parse_lines(f"{line}\n{forged}\n".encode()):
                assert of[0] == 0 or stamps.time_of(of[2]) is None, forged


@pytest.mark.parametrize(
    ("stamp", "at", "why"),
    [
        ("Nov 30 10:00:00.5", AT + 0.5, "a fraction"),
        ("Nov 30 10:00:00,123456789", AT + 0.123456789, "a comma"),
        ("Nov 30 2025 10:00:00", AT - 365 * 86_400, "a year before the time"),
        ("Nov 30 10:00:00 2025", AT - 365 * 86_400, "and behind it"),
        ("Sun Nov 30 10:00:00 2025", AT - 365 * 86_400, "ctime(3)"),
        ("Tue Nov  3 10:00:00 2026", AT - 27 * 86_400, "its day padded with a blank"),
        ("Mon Nov 30 10:00:00", AT, "a weekday and no year"),
        ("Mon, Nov 30 10:00:00 2026", AT, "a comma behind the weekday"),
        ("Mon Nov 30 10:00:00 CET 2026", AT - 3600, "date(1)"),
        ("Mon 2026-11-30 10:00:00 UTC", AT, "short-full --utc"),
        ("Mon 2026-11-30 10:00:00 CET", AT - 3600, "short-full"),
        ("Mon 2026-07-20 10:00:00 CEST", AT - 133 * 86_400 - 7200, "in summer"),
        ("Mon 2026-11-30 10:00:00 EST", AT + 5 * 3600, "west"),
        ("Mon 2026-11-30 10:00:00 IST", AT, "three zones have it: the host's own"),
        ("Mon 2026-11-30 10:00:00 +0530", AT - 19_800, "a zone without a name"),
        ("Mon 2026-11-30 10:00:00 -03", AT + 3 * 3600, "as tzdata names most"),
        ("Mon 2026-11-30 10:00:00", AT, "no zone"),
        ("2026-11-30 10:00:00 +0100", AT - 3600, "a blank before the offset"),
        ("1796032800.000001", AT + 0.000001, "short-unix"),
        ("Mon Nov 31 10:00:00 2026", None, "no day"),
        ("Mon Foo 30 10:00:00 2026", None, "no month"),
        ("Mon Nov 30 10:61:00 2026", None, "no minute"),
        ("Mon 2026-13-30 10:00:00 UTC", None, "no month"),
        ("Nov 30 10:00:00 x[1]: 2026", None, "not what stands in a line"),
    ],
)
def test_stamps(stamp: str, at: float | None, why: str) -> None:
    stamps = Stamps(NOW, own_time)
    found = stamps.time_of(stamp.encode())
    assert found == (None if at is None else pytest.approx(at)), why
    if found is not None:
        assert stamps.time_of_line(f"{stamp} host x: y".encode()) == found
        later = stamp.replace(":00:00", ":00:07", 1)
        if later != stamp:
            assert stamps.time_of(later.encode()) == pytest.approx(found + 7), "the same minute"


def test_a_time_since_the_boot_is_none_where_a_date_is_asked_for() -> None:
    line = b"[  123.456789] host sshd[1]: x"
    assert Stamps(NOW, own_time).time_of_line(line) is None
    assert Stamps(NOW, own_time, undated=True).time_of_line(line) == 123.456789


# What journalctl prints beside entries.
@pytest.mark.parametrize(
    "line",
    [
        "-- Boot 0123456789abcdef0123456789abcdef --",
        "-- Reboot --",
        "-- No entries --",
        "-- Journal begins at Mon 2026-11-30 09:00:00 UTC, ends at Mon 2026-11-30 10:00:00 UTC. --",
        "Hint: You are currently not seeing messages from other users and the system.",
        "      Users in groups 'adm', 'systemd-journal' can see all messages.",
        "                               sshd[1]: the second line of a message",
        "\tsshd[1]: the same",
        "host login: ",
    ],
)
def test_lines_that_name_nobody(line: str) -> None:
    assert parts(line, strange=True) == []


# Logs of no known form


@pytest.mark.parametrize(
    ("line", "begins", "why"),
    [
        (f"30.11.2026 10:00:00 host sshd[101]: {FAILED}", "30.11.2026 10:00:00 host sshd[101]", ""),
        (f"Nov 30 10:00:00 host weird|thing sshd[101]: {FAILED}",
         "Nov 30 10:00:00 host weird|thing sshd[101]", "a known stamp does not make a known form"),
        (f'{{"MESSAGE":"{FAILED}","SYSLOG_IDENTIFIER":"sshd","_PID":"101"}}', "{ ... sshd",
         "JSON, whose message stands before the program"),
        ("SYSLOG_IDENTIFIER=sshd", "SYSLOG_IDENTIFIER=sshd", "journalctl -o export"),
        (f"host sudo 101 - - {FAILED}", "host sudo 101 - -", "no stamp"),
        (f"[sshd] {FAILED}", "[sshd]", "nothing else"),
        (f"\x1b[31m30.11.2026\xff sshd[101]: {FAILED}",
         "\\x1b[31m30.11.2026\xff sshd[101]", "colours"),
        ("x" * 70_000 + f" sshd[101]: {FAILED}", "x" * 50 + " ... sshd[101]", "a long line"),
    ],
)  # fmt: skip
def test_a_log_of_no_known_form_is_reported(
    line: str, begins: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log"
    path.write_text(f"first\n{line}\n{line}\n")
    assert main(["events", str(path)]) == 1, why
    out, err = capsys.readouterr()
    said = f"line 2: no line has a known form, the first that names a program: {begins}"
    assert (out, err) == ("", f"textfile-users: {path}: {said}\n")
    main(["events", "--unmatched", str(path)])
    assert [json.loads(text)["line"] for text in capsys.readouterr().out.splitlines()] == [2, 3]


@pytest.mark.parametrize("known", [f"2026-11-30T10:00:00Z host sshd[1]: {FAILED}",
                                   "2026-11-30T10:00:00Z host CRON[1]: x",
                                   "Nov 30 10:00:00 host kernel: x"])  # fmt: skip
def test_lines_of_no_known_form_among_others_are_a_warning(
    known: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log"
    path.write_text(f"{known}\nweird|sshd[1]: {FAILED}\n")
    assert main(["events", str(path)]) == 0
    assert "line 2: lines of no known form, the first that names a program: weird|sshd[1]\n" in (
        capsys.readouterr().err
    )


def test_a_log_that_names_nobody_is_no_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log"
    path.write_text("30.11.2026 10:00:00 host cron[101]: x\nshe said login: and went\n")
    assert main(["events", str(path)]) == 0
    assert capsys.readouterr() == ("", "")


# What is known of the samples


def of(samples: Samples) -> bytes:
    """Return a program that writes the messages of a module's pattern."""
    stem = samples.place.split(".")[0]
    return PROGRAM_OF.get(stem, stem.encode())


@pytest.mark.parametrize(
    "head",
    [
        "2026-11-30T10:00:00Z host {}[101]: ",
        "<38>1 2026-11-30T10:00:00Z host {} 101 - - ",
        "Nov 30 10:00:00 host auth.info {}[101]: ",
    ],
)
def test_nothing_of_the_samples_is_unmatched(head: str) -> None:
    """All messages that stand beside patterns, as lines of a log."""
    log = b"".join(
        head.format(of(samples).decode()).encode() + message + b"\n"
        for samples in ALL
        if of(samples) in PROGRAMS
        for message, _ in samples.known
    )
    assert list(read_log([log], True, NOW)) == []
    assert len(list(read_log([log], False, NOW))) > 50


# Kinds of lines whose point it is that nobody knows them.
UNKNOWN = {"sshd: not known"}


@pytest.mark.parametrize("kind", sorted({*kinds.KINDS} - UNKNOWN))
def test_nothing_of_the_kinds_is_unmatched(kind: str) -> None:
    log = kinds.lines(kind, 2_000)
    assert list(read_log([log], True, NOW)) == []
