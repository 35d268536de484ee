"""What is said of a word or option that the command line does not know: the nearest one."""

from __future__ import annotations

import os
from difflib import get_close_matches

from textfile_users.reading.text import decode, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_SHOWN = 64  # characters of a word
MAX_NEAREST = 3
MIN_BEGINNING = 3  # letters that tell what is meant
# As difflib measures it: one wrong letter of four, or two that changed places.
LIKENESS = 0.7


def tell_unknown(word: str, command: str, flags: Mapping[str, Iterable[str]]) -> str:
    """Return what is wrong with ``word``, given to ``command`` or, with 'collect', to none.

    ``flags`` has each command's options.
    """
    if word in flags:
        return f"{quoted(word)} is a command, not an option; a command is the first word"
    flag = word.partition("=")[0]
    if word.startswith("-") and word != "-":
        return _tell_unknown_flag(flag, command, flags)
    near = _nearest_of(word, command, flags)
    if command != "collect":
        if command == "events":
            return f"{quoted(word)} stands apart: give the files one after the other"
        return f"{quoted(word)} is no word for {command}{near}"
    return f"{quoted(word)} is no command{near or '; choose from ' + ', '.join(flags)}"


def _tell_unknown_flag(flag: str, command: str, flags: Mapping[str, Iterable[str]]) -> str:
    shown = quoted(flag)
    others = [name for name, theirs in flags.items() if flag in theirs]
    if others:
        return f"{shown} is an option of {' and '.join(others)}, not of {command}"
    of_what = "" if command == "collect" else f" of {command}"
    return f"{shown} is no option{of_what}{_nearest_of(flag, command, flags)}"


def _nearest_of(word: str, command: str, flags: Mapping[str, Iterable[str]]) -> str:
    commands = flags if command == "collect" else ()
    near = nearest(word.lstrip("-"), [*commands, *flags[command]])
    return f"; did you mean {near}?" if near else ""


def tell_unknown_value(value: str, known: Iterable[str]) -> str:
    """Return what is wrong with a value that is none of those ``known``."""
    near = nearest(value, known)
    others = f"did you mean {near}?" if near else f"choose from {', '.join(known)}"
    return f"{quoted(value)} is not known; {others}"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return what of ``known`` is like ``word`` or begins with it, '' for nothing.

    Dashes before a flag, and capitals, make no difference.
    """
    plain = {name.lstrip("-"): name for name in known}
    asked = word.lower().replace("_", "-")
    longer = [name for name in plain if len(name) > 1]
    found = get_close_matches(asked, longer, 1, LIKENESS)
    if not found and len(asked) >= MIN_BEGINNING:
        found = [name for name in longer if name.startswith(asked)][:MAX_NEAREST]
    return " or ".join(plain[name] for name in found)


def quoted(word: str) -> str:
    r"""Return a word in quotes: its beginning, in which bytes that are not UTF-8 are ``\xNN``."""
    text = printable(decode(os.fsencode(word[:MAX_SHOWN])))
    return f"'{text}...'" if len(word) > MAX_SHOWN else f"'{text}'"
