"""From lines of log files and entries of the journal to events."""

from __future__ import annotations

from textfile_users.accounts.passwd import NO_ACCOUNTS
from textfile_users.auth.log_lines import begins_plainly, parse_lines, program_of
from textfile_users.auth.message import ENDS, KEY, find
from textfile_users.auth.pairing import RUN0, Pairing
from textfile_users.auth.patterns import (
    CONTINUED,
    END,
    OVER,
    PAM_ESCALATION,
    PAM_ESCALATION_FAILURE,
    UNCLEAR,
    UNMATCHED,
)
from textfile_users.auth.programs import PROGRAMS
from textfile_users.auth.stamps import Stamps
from textfile_users.auth.syslog import REPEATED
from textfile_users.auth_event import IRRELEVANT, NOTHING, AuthEvent, Finding
from textfile_users.reading.localtime import local_time
from textfile_users.reading.text import decode
from textfile_users.record import quick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from textfile_users.accounts.passwd import Passwd
    from textfile_users.auth.journal_entry import JournalEntry
    from textfile_users.auth.logs import AuthFound
    from textfile_users.auth.overlap import Overlap
    from textfile_users.collecting import Scan

MATCHED = "matched"
IGNORED = "ignored"
UNMATCHED_LINES = "unmatched"
UNTRUSTED = "untrusted"
# Seconds in which a syslogd may have been off; stamps may be whole seconds.
SILENCE = 1.5
# A stamp so far ahead of the scan, or less, may be honest.
AHEAD_SECONDS = 5.0
MAX_EXPLAINED = 10_000
MAX_SHOWN = 200
# What may say of a user's process who acts without a name.
_NAMELESS = (PAM_ESCALATION, PAM_ESCALATION_FAILURE, CONTINUED)
RESULTS = (MATCHED, UNMATCHED_LINES, IGNORED, UNTRUSTED)


class Reader:
    """Reads a log, and counts its lines by result.

    ``time`` is that of the newest line that said something, ``quiet`` that of the first one
    behind which a file had nothing for SILENCE, 0 for none. A file's stamps that are still to come
    at ``now``, which some syslogds take from who writes, count as that. Lines that no pattern knows
    are kept in ``unmatched`` where that is a list. ``strange`` is how the first line begins that
    names a program in no known form, and ``strange_line`` its number.
    """

    def __init__(
        self,
        pairing: Pairing,
        stamps: Stamps,
        accounts: Callable[[], Passwd] = lambda: NO_ACCOUNTS,
    ) -> None:
        """Take what earlier lines left open, and the clock of the log's stamps.

        ``accounts`` gives those of the host, when an entry of a user's is first read.
        """
        self.pairing = pairing
        self.stamps = stamps
        self._read_accounts = accounts
        self._accounts: Passwd | None = None
        self.lines = dict.fromkeys(RESULTS, 0)
        self.time = 0.0
        self.now = float("inf")
        self.quiet = 0.0
        self.unmatched: list[tuple[int, bytes]] | None = None
        self.explained: list[str] | None = None
        self.strange = ""
        self.strange_line = 0
        self._is_understood = False
        self.numbered = False
        self._number = 1
        self._counted = 0
        self.overlap: Overlap | None = None

    def take_lines(self) -> dict[str, int]:
        """Return how many lines came to what since this was asked last."""
        lines, self.lines = self.lines, dict.fromkeys(RESULTS, 0)
        return lines

    def read_block(self, data: bytes) -> Iterator[AuthEvent]:  # noqa: C901 - calls cost, too
        """Yield the events of whole lines; an event's ``line`` is its number if ``numbered``."""
        matched = 0
        self._unmatched = self._strange = self._counted = 0
        behind = 0 if self.pairing.last else -1  # where a line repeats the newest one
        attempts, take = self.pairing.attempts, self.pairing.take
        time_of, latest = self.stamps.time_of, self.now + AHEAD_SECONDS
        for start, end, stamp, program, pid, message in parse_lines(data, strange=True):
            if not stamp:
                self._leave_strange(data, start, end, message)
                continue
            if message.startswith(ENDS) and pid:
                is_known = attempts.is_open if message.startswith(KEY) else attempts.has_decided
                if is_known(("sshd", pid), time_of(stamp), message):
                    matched += 1
                    continue
            said = find(program, message) if program != REPEATED else NOTHING
            if self.explained is not None:
                self._explain(program, pid, message, said)
            if said is NOTHING:
                if program == REPEATED and start == behind:
                    yield from self.pairing.repeat(pid, self._line_number(data, start))
                continue
            time = time_of(stamp)
            if time is None and self.time and self.stamps.is_of_boot(stamp):
                time = self.time  # among dates it tells nothing: that of the line before
            if time is None:
                self._leave_strange(data, start, end, data[start : end - 1])
                continue
            if said is UNMATCHED:
                self._unmatched += 1
                self._keep(data, start, end)
                continue
            time = time if time <= latest else self.now
            if self.overlap:
                said = self._what_is_new(time, program, pid, message, said)
                if said is NOTHING:
                    continue
            matched += 1
            if time - self.time > SILENCE and not self.quiet:
                self.quiet = self.time
            self.time = time
            behind = end
            number = self._line_number(data, start) if self.numbered else 0
            yield from take(quick(AuthEvent, (time, pid, number, said)))
        self.pairing.last = self.pairing.last if behind == len(data) else None
        self._end_block(data, matched)

    def _leave_strange(self, data: bytes, start: int, end: int, line: bytes) -> None:
        """Leave out a line of a form, or with a stamp, that is not known."""
        self._strange += 1
        self._keep(data, start, end)
        self._take_strange(data, start, line)

    def _what_is_new(
        self, time: float, program: bytes, pid: int, message: bytes, said: Finding
    ) -> Finding:
        """Return what a message says that was not read in another log, NOTHING for none."""
        if not self.overlap:
            return said
        new = self.overlap.new(time, program, pid, message, said.times)
        if new:
            return said._replace(times=new)
        self.time = max(self.time, time)
        return NOTHING

    def _end_block(self, data: bytes, matched: int) -> None:
        unmatched, strange = self._unmatched, self._strange
        if matched or unmatched:
            self._is_understood = True
        elif data and not self._is_understood:
            strange += self._judge(data, strange)
        unmatched += strange
        if self.numbered:
            self._line_number(data, len(data))
        self.lines[MATCHED] += matched
        self.lines[UNMATCHED_LINES] += unmatched
        self.lines[IGNORED] += data.count(b"\n") - matched - unmatched

    def _take_strange(self, data: bytes, start: int, line: bytes) -> None:
        if not self.strange:
            from textfile_users.auth.log_forms import MAX_SHOWN, naming

            self.strange = decode(naming(line) or line[:MAX_SHOWN])
            self.strange_line = self._line_number(data, start) if self.numbered else 0

    def begin_log(self, strange: str) -> None:
        """Begin with another log, of which earlier blocks have left ``strange``."""
        self.strange, self._is_understood = strange, False

    def _judge(self, data: bytes, strange: int) -> int:
        """Judge a block in which no line said anything; return how many more lines are strange."""
        if begins_plainly(data, self.stamps.time_of):
            self._is_understood = True
            return 0
        # UTF-16, whose NULs were made ends of lines.
        is_wide = data.count(b"\n") > len(data) * 0.4
        text = data.replace(b"\n", b"") if is_wide else data
        if not self.strange and not any(name in text for name in PROGRAMS):
            return 0
        from textfile_users.auth.log_forms import naming_word, understands

        self._is_understood = understands(data, self.stamps.time_of)
        if self._is_understood or strange:
            return 0
        if is_wide:
            word = naming_word(text)
            if word and not self.strange:
                self.strange, self.strange_line = (
                    decode(b"UTF-16 ... " + word.rpartition(b" ")[2]),
                    1,
                )
            return 0
        return self._take_words(data, naming_word)

    def _take_words(self, data: bytes, naming_word: Callable[[bytes], bytes]) -> int:
        """Take the lines that name a program as a word, where no line is understood."""
        start = count = 0
        for line in data.split(b"\n"):
            end = start + len(line) + 1
            shown = naming_word(line)
            if shown:
                count += 1
                self._keep(data, start, end)
                if not self.strange:
                    self.strange = decode(shown)
                    self.strange_line = self._line_number(data, start) if self.numbered else 0
            start = end
        return count

    @property
    def fault(self) -> str:
        """How lines begin of a log that names programs, and of which none is understood, else ''."""
        return "" if self._is_understood else self.strange

    def _explain(self, program: bytes, pid: int, message: bytes, said: Finding) -> None:
        if self.explained is not None and len(self.explained) < MAX_EXPLAINED:
            where = f"{decode(program)}[{pid}]" if pid else decode(program)
            text = decode(message[:MAX_SHOWN])
            self.explained.append(f"line of {where}: {text}: {said.event} {said.user}".rstrip())

    def _line_number(self, data: bytes, start: int) -> int:
        """Return the number of the line at ``start``, which comes behind the last one asked for."""
        self._number += data.count(b"\n", self._counted, start)
        self._counted = start
        return self._number

    def _keep(self, data: bytes, start: int, end: int) -> None:
        if self.unmatched is not None:
            line = data[start:end].rstrip(b"\n")
            self.unmatched.append((self._line_number(data, start), line))

    def read_entry(self, entry: JournalEntry) -> list[AuthEvent]:
        """Return the events of an entry of the journal."""
        tag = entry.program.rstrip("]").encode("utf-8", "replace")
        program = program_of(tag, entry.message)
        if program is None:
            self.lines[IGNORED] += 1
            return []
        said = find(program, entry.message)
        if self.explained is not None:
            self._explain(tag, entry.pid, entry.message, said)
        if said.event == IRRELEVANT or _is_of_login(entry, said):  # whoever wrote it
            self.lines[IGNORED] += 1
            return []
        if said is UNMATCHED:
            is_program = entry.trusted and (entry.is_of_system or entry.exe)
            self.lines[UNMATCHED_LINES if is_program else UNTRUSTED] += 1
            return []
        if not self.believes(entry, said):
            # Root's own sudo has the target's group when PAM speaks; sudo has told of it before.
            is_roots = entry.trusted and entry.is_setuid and said.event == PAM_ESCALATION
            self.lines[IGNORED if is_roots else UNTRUSTED] += 1
            return []
        said = self._what_is_new(entry.time, program, entry.pid, entry.message, said)
        if said is NOTHING:
            return []
        self.lines[MATCHED] += 1
        self.time = entry.time
        return self.pairing.take(AuthEvent(entry.time, entry.pid, 0, self._completed(entry, said)))

    def believes(self, entry: JournalEntry, said: Finding) -> bool:
        """Return whether an entry may say what it does: a user's may tell of that user alone.

        Users choose what their programs write, and some of what the system's do. Of an account
        whose name is not known, as a domain's may be, it may tell of whoever has no account. Of
        root's programs that are not known users may run some, as cat(1), by sudo.
        """
        if not entry.trusted:
            return False
        if entry.is_of_other and said.service == RUN0:
            return entry.program.startswith("(")  # then it is systemd
        if entry.is_of_other and entry.login_uid >= 0:
            return self._accounts_of_host().uids.get(said.user) == entry.login_uid
        if entry.is_of_root:
            return True
        if entry.is_of_system:  # polkit's service, and no other account of the system's
            uids = self._accounts_of_host().uids
            own = [uids[name] for name in ("polkitd", "polkituser") if name in uids]
            return not own or entry.uid in own
        if not said.user:  # PAM has the uid alone, and sudo-rs goes on without a name
            return said.event in _NAMELESS and not entry.is_setuid
        accounts = self._accounts_of_host()
        writers = -1 if entry.is_setuid else entry.uid, entry.login_uid
        if said.user in accounts.uids:
            return accounts.uids[said.user] in writers
        return any(
            uid >= 0 and uid not in accounts.by_uid and not accounts.lends(uid) for uid in writers
        )

    def _completed(self, entry: JournalEntry, said: Finding) -> Finding:
        """Return a finding with the names that the kernel tells: of who acts, or is acted as."""
        is_doas = said.service == "doas" and said.kind == UNCLEAR  # it writes as the target
        is_pam = not said.user and said.event != CONTINUED and not entry.is_of_system
        if not (is_doas or is_pam):
            return said
        name = self._accounts_of_host().by_uid.get(entry.uid, "" if entry.uid else "root")
        return said._replace(target=name, kind="") if is_doas else said._replace(user=name)

    def _accounts_of_host(self) -> Passwd:
        if self._accounts is None:
            self._accounts = self._read_accounts()
        return self._accounts


def _is_of_login(entry: JournalEntry, said: Finding) -> bool:
    """Return whether the process of sshd's wrote it that is a user's own.

    What it tells of is a login: its end too, of which OpenSSH 10.6 tells as of a stranger's.
    """
    name = entry.exe.rpartition("/")[2]
    if entry.is_of_root or not entry.program.startswith("sshd"):
        return False
    if said.event in (END, OVER):
        return not name or "sshd" in name  # it may have gone already
    return said is UNMATCHED and "sshd" in name


def reader_of(scan: Scan, found: AuthFound, names: Callable[[], Passwd]) -> Reader:
    """Return what reads lines, as far as it was when the last scan ended."""
    before, now = found.memory, scan.now
    pairing = Pairing(before.remembered, before.held, before.last)
    reader = Reader(pairing, Stamps(now, local_time(scan.paths)), names)
    reader.now = now
    # An older version, or a clock that was wrong, may have left a time still to come.
    reader.time = before.time if before.time <= now + AHEAD_SECONDS else now
    if before.quiet >= found.counts.began:  # what was before does not count
        reader.quiet = before.quiet
    if scan.wanted.explain:
        reader.explained = []
    return reader
