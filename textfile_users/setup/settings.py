"""The settings file: lines that systemd (EnvironmentFile=) and a shell (`.`) read the same way."""

from __future__ import annotations

import os
from shlex import quote

from textfile_users.paths import Paths
from textfile_users.product import SETTINGS
from textfile_users.reading.files import read_regular, reason
from textfile_users.record import Record
from textfile_users.setup.entry import others_can_write

OPTIONS = "OPTIONS"
TEXTFILE_DIRECTORY = "TEXTFILE_DIRECTORY"
KNOWN = (TEXTFILE_DIRECTORY, OPTIONS, "EXCLUDE_USERS", "SSH_PORTS", "LOG_LEVEL")
MAX_BYTES = 64 << 10
MAX_TEXT = 400  # characters of a fault, which may hold a whole line
# What systemd and a shell read in different ways, by the quote around it.
SPECIAL = {"": "$`\\\"';&|<>()~", '"': '$`\\"', "'": "\\'"}


class Fault(Record):
    """What is wrong, in the line of that number or, with 0, in the file; ``mend`` is a command."""

    line: int
    text: str
    mend: str = ""

    def __str__(self) -> str:
        """Return it as one line for people."""
        where = f"line {self.line}: " if self.line else ""
        return where + self.text + (f"; run: {self.mend}" if self.mend else "")


def parse_settings(text: str) -> tuple[dict[str, str], tuple[Fault, ...]]:
    """Return the values by name, and the faults."""
    values: dict[str, str] = {}
    faults = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.endswith("\r"):
            mend = f"sed -i 's/\\r$//' {SETTINGS}"
            faults.append(Fault(number, "ends in a carriage return", mend))
            continue
        try:
            found = _parse_line(line)
        except ValueError as error:
            faults.append(Fault(number, str(error)[:MAX_TEXT]))
        else:
            values.update(found)
    return values, tuple(faults)


def read_settings(paths: Paths) -> tuple[dict[str, str], tuple[Fault, ...]]:
    """Return the host's settings and their faults; a file that is not there has neither.

    One that others than root can write has no settings.
    """
    path = paths.below(SETTINGS)
    try:
        status = os.lstat(path)
        paths.require_inside(path)
        data = read_regular(path, MAX_BYTES)
    except FileNotFoundError:
        return {}, ()
    except OSError as error:
        return {}, (Fault(0, f"cannot be read: {reason(error)}"),)
    try:
        values, faults = parse_settings(data.decode())
    except UnicodeDecodeError:
        return {}, (Fault(0, "is not UTF-8; write it anew"),)
    if others_can_write(status, 0, os.geteuid()):
        mend = f"chown root {quote(path)}; chmod 644 {quote(path)}; ${{EDITOR:-vi}} {quote(path)}"
        values, faults = {}, (Fault(0, "others than root can write it", mend), *faults)
    return values, faults


def _parse_line(line: str) -> dict[str, str]:
    """Return the one setting of ``line``, none of a comment. Raises ValueError."""
    line = line.strip(" \t")
    if not line or line.startswith("#"):
        return {}
    name, equals, text = line.partition("=")
    if not equals:
        raise ValueError(f"{_shown(line)} is not NAME=value; begin comments with #")
    if name != name.strip() or text != text.strip():
        raise ValueError("blanks beside the =; leave them out")
    if name not in KNOWN:
        mend = "use one of " + ", ".join(KNOWN)
        raise ValueError(f"{_shown(name)} is not known; {mend}")
    value = _unquote(text)
    _check(name, value)
    return {name: value}


def _shown(text: str) -> str:
    from textfile_users.unknown import quoted  # for mistakes alone

    return quoted(text)


def _unquote(text: str) -> str:
    """Return the value that both readers make of ``text``. Raises ValueError where they differ."""
    if not text.replace("\t", "").isprintable():
        raise ValueError("a character that cannot be printed; leave it out")
    quote = text[:1] if text[:1] in SPECIAL else ""
    if quote and (len(text) < 2 or not text.endswith(quote)):
        raise ValueError(f"a {quote} without its pair; one stands at each end of the value")
    value = text[1:-1] if quote else text
    for char in value:
        if char in " \t" and not quote:
            raise ValueError(f'blanks in the value; put it in quotes: "{value}"')
        if char in SPECIAL[quote]:
            raise ValueError(f"{char} means one thing to systemd, another to sh; leave it out")
    return value


def _check(name: str, value: str) -> None:
    """Raise ValueError where the program would not take the setting."""
    if name == TEXTFILE_DIRECTORY and value and not value.startswith("/"):
        raise ValueError(f"{name} is {value!r}; give the whole path, from / on")
    if name == "SSH_PORTS":
        from textfile_users.options import port

        for word in value.replace(",", " ").split():
            port(word)
    if name == OPTIONS:
        _check_options(value)


def _check_options(value: str) -> None:
    """Raise ValueError where ``value`` is not flags of `collect`, divided by blanks."""
    import io
    from contextlib import redirect_stdout

    from textfile_users.options import WrongUsage, require_together
    from textfile_users.parsers import parse_collect

    if any(char in value for char in "'\""):
        raise ValueError("OPTIONS holds quotes; its words are divided at blanks, so leave them out")
    try:
        with redirect_stdout(io.StringIO()):
            require_together(parse_collect(value.split()))
    except WrongUsage as error:
        raise ValueError(f"OPTIONS: {error.said}") from None
    except SystemExit:  # --help, --version
        raise ValueError("OPTIONS: asks for words instead of a scan; give other flags") from None
