"""The forms of lines: each beside its samples, with hostile text in it, and what has none."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.long import kinds
from tests.test_patterns import ALL, PROGRAM_OF, Samples
from textfile_users.auth import log_forms as forms
from textfile_users.auth.log_lines import parse_lines
from textfile_users.auth.programs import PROGRAMS
from textfile_users.auth.stamps import Stamps
from textfile_users.cli import main
from textfile_users.events import read_log
from textfile_users.reading.localtime import own_time

NOW = 1796049600.0  # 2026-11-30 14:40:00 UTC
AT = 1796032800  # 10:00:00
SOURCE = Path(forms.__file__).read_text()
SAMPLES = re.findall(r"^ *# ([+-]) (.*)$", SOURCE, re.MULTILINE)
OF_FORMS = [sample for kind, sample in SAMPLES if kind == "+"]
FAILED = "Failed password for root from 192.0.2.7 port 22 ssh2"


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


@pytest.mark.parametrize(
    ("line", "end", "is_whole", "why"),
    [
        ("<38>1 2026-11-30T10:00:00Z host sshd 101 - - ", " m n", True, "a long message is whole"),
        ("Nov 30 10:00:00.1 host <86> sshd[101]: ", " m n", True, "so it is in another form"),
        ('<38>1 2026-11-30T10:00:00Z host sshd 101 - [a b="', '"] m n', False, "a head is bounded"),
        (
            '<38>1 2026-11-30T10:00:00Z host sshd 101 - [a b="',
            '"]m n',
            False,
            "none ends at the cut",
        ),
    ],
)
def test_what_stands_before_a_message_is_bounded(
    line: str, end: str, is_whole: bool, why: str
) -> None:
    texts = range(forms.MAX_HEAD - len(line) - 2, forms.MAX_HEAD - len(line) + 3)
    if is_whole:
        found = [parts(line + length * "x" + end)[0][2].decode() for length in texts]
        assert found == [length * "x" + end for length in texts], why
    else:
        assert [parts(line + length * "x" + end) for length in texts] == [[]] * 5, why


@pytest.mark.parametrize(
    "head", ["<38>1 2026-11-30T10:00:00Z host sshd 101 - -", "Nov 30 10:00:00 host sshd(x)[101]:"]
)
def test_blanks_before_a_message_are_none_of_it(head: str) -> None:
    for count in (1, 9, forms.MAX_HEAD - len(head), forms.MAX_HEAD):
        assert parts(head + count * " " + "m n")[0][2] == b"m n", count


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
        for of in found:
            at = stamps.time_of(of[2])
            if at is None:  # the reader takes the time of the line before
                assert stamps.is_of_boot(of[2]), other
            else:
                assert int(at) in (AT, 123), (other, at)


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


def test_a_name_far_behind_is_not_looked_for() -> None:
    """It would cost what the line's length allows, for each line of a log of no known form."""
    assert forms.naming(b"x" * 100 + b" sshd[1]: x")
    assert not forms.naming(b"x" * forms.MAX_HEAD + b" sshd[1]: x")


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


def refusal(path: Path, log: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what `events` says of a log for which it ends with 1 and prints nothing."""
    path.write_text(log)
    assert main(["events", str(path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    return err


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
        (f"{FAILED} app=sshd", "app=sshd", "a message that stands before the program"),
        (f"\x1b[31m30.11.2026\xff sshd[101]: {FAILED}",
         "\\x1b[31m30.11.2026\xff sshd[101]", "colours"),
        ("x" * 3_000 + f" sshd[101]: {FAILED}", "x" * 50 + " ... sshd[101]", "a long line"),
    ],
)  # fmt: skip
def test_a_log_of_no_known_form_is_reported(
    line: str, begins: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log"
    said = f"line 2: no line has a known form, the first that names a program: {begins}"
    found = refusal(path, f"first\n{line}\n{line}\n", capsys)
    assert found == f"textfile-users: {path}: {said}\n", why
    main(["events", "--unmatched", str(path)])
    assert [json.loads(text)["line"] for text in capsys.readouterr().out.splitlines()] == [2, 3]


# What names a program as a word of its own, in logs of which nothing is understood.
AT_1 = "2026-11-30 10:00:00"
WORDS = [
    (f"    SYSLOG_IDENTIFIER=sshd\n    MESSAGE={FAILED}", "SYSLOG_IDENTIFIER=sshd",
     "journalctl -o verbose"),
    (f'\t"MESSAGE" : "{FAILED}",\n\t"SYSLOG_IDENTIFIER" : "sshd",',
     '" ... SYSLOG_IDENTIFIER" : "sshd', "journalctl -o json-pretty"),
    (f'time=2026-11-30T10:00:00Z level=info app=sshd pid=1 msg="{FAILED}"', "app=sshd", "logfmt"),
    (f'msg="{FAILED}" app=su time={AT_1}', "app=su", "its message first"),
    (f'{AT_1},host,sshd,101,"{FAILED}"', f"{AT_1}, ... sshd", "CSV"),
    (f'"{AT_1}","host","login","101","{FAILED}"', '" ... login', "all of it quoted"),
    (f"{FAILED},host,sshd,101", "sshd", "CSV with the message first"),
    ("\u043f\u0430\u0440\u043e\u043b\u044c,sshd", "sshd", "letters of any alphabet are text"),
    (f"{AT_1}\thost\tsshd\t101\t{FAILED}", f"{AT_1} ... sshd", "TSV"),
    (f"Nov 30 10:00:00\thost\tsu\t101\t{FAILED}", "su", "a usual stamp and no usual line"),
    (f"|{AT_1}|host|sshd|101|{FAILED}|", f"|{AT_1}| ... sshd", "pipes"),
    (f"| {AT_1} | host | sshd | 101 | {FAILED} |", f"| {AT_1} | ... sshd", "with blanks"),
    (f"2026/11/30 10:00 host sshd 101: {FAILED}", "2026/11/30 10:00 ... sshd", "blanks"),
    (f"2026/11/30 10:00 host login 101: {FAILED}", "2026/11/30 10:00 ... login", "a usual word"),
    (f"2026/11/30 10:00 host sshd(101) {FAILED}", "2026/11/30 10:00 ... sshd", "brackets"),
    (f"{{'prog': 'sshd', 'msg': '{FAILED}'}}", "{' ... prog': 'sshd", "Python's"),
    (f"<event><app>sshd</app><text>{FAILED}</text></event>", "< ... sshd", "XML"),
    (f"- program: sshd\n  message: {FAILED}", "- ... program: sshd", "YAML"),
    (f'type=USER_LOGIN exe="/usr/sbin/sshd" text={FAILED}', "sshd", "auditd's"),
]  # fmt: skip
# A line of a known form that journalctl -o verbose has: its fields are no tag.
VERBOSE = "Mon 2026-11-30 10:00:00.123456 UTC [s=01;i=1f3;b=02;m=1;t=2;x=3]"


@pytest.mark.parametrize(("lines", "shown", "why"), WORDS)
def test_a_log_with_a_program_as_a_word_is_reported(
    lines: str, shown: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log"
    found = refusal(path, f"{VERBOSE}\n{lines}\n", capsys)
    said = f"no line has a known form, the first that names a program: {shown}\n"
    assert found.endswith(said), why
    main(["events", "--unmatched", str(path)])
    assert len(capsys.readouterr().out.splitlines()) == 1, "the line that names it, and no other"
    path.write_text(f"Nov 30 10:00:00 host kernel: x\n{VERBOSE}\n{lines}\n")
    assert main(["events", str(path)]) == 0, "a log that is understood"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("Nov 30 10:00:00 host kernel: task sshd 101 died", "the kernel's own words"),
        ("<86>1 2026-11-30T10:00:00Z host cron 1 - - sshd 101 x", "RFC 5424"),
        ("1796032800.123 host cron[1]: the sshd", "short-unix"),
        (f"{AT_1} status installed sudo:amd64 1.9", "dpkg's, where a package has the name"),
        ("30.11.2026 10:00 host cron: su and login are words", "words that people write"),
        ("    sshd is down\n\tand sshd 1 too", "what may go on with a line before it"),
        ("30.11.2026 10:00 host cron: /etc/pam.d/sshd my-sshd sshd-x sshdx sshd.conf", "others"),
        ("s\nu\n" * 50, "short lines"),
    ],
)
def test_a_word_in_a_line_is_no_fault(
    lines: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log"
    path.write_text(f"{lines}\n")
    assert main(["events", str(path)]) == 0, why
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("lines", [lines for lines, _, _ in WORDS])
def test_what_is_shown_has_no_message(lines: str) -> None:
    for line in lines.split("\n"):
        shown = forms.naming(line.encode()) or forms.naming_word(line.encode())
        assert b"Failed" not in shown
        assert b"192.0.2.7" not in shown
        assert len(shown) <= 100


def test_utf_16_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As PowerShell writes it; without a mark it is known by its short lines."""
    path = tmp_path / "log"
    text = f"Nov 30 10:00:00 host sshd[101]: {FAILED}\r\n" * 3
    for encoding in ("utf-16-le", "utf-16-be"):
        path.write_bytes(("\ufeff" + text).encode(encoding))
        assert main(["events", str(path)]) == 1
        assert f"{path}: is UTF-16: iconv" in capsys.readouterr().err
        path.write_bytes(text.encode(encoding))
        assert main(["events", str(path)]) == 1
        assert capsys.readouterr().err.endswith("names a program: UTF-16 ... sshd\n")


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
