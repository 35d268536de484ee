"""Bytes from hostile files, as text."""

from __future__ import annotations

MAX_LABEL_BYTES = 128


def decode(data: bytes) -> str:
    r"""Return ``data`` as text; bytes that are not UTF-8 become ``\xNN``."""
    return data.decode("utf-8", "backslashreplace")


def field(data: bytes) -> str:
    """Return a text field of a C structure: it ends at the first NUL, or where it is full."""
    return decode(data.partition(b"\0")[0])


def label(text: str, suffix: str = "") -> str:
    """Return ``text`` with an ASCII ``suffix`` as a label value.

    It has at most 128 bytes of UTF-8, whole characters; the suffix stays whole.
    """
    most = MAX_LABEL_BYTES - len(suffix)
    if len(text) * 4 <= most:
        return text + suffix
    data = text.encode()
    if len(data) <= most:
        return text + suffix
    return data[:most].decode("utf-8", "ignore") + suffix


def printable(text: str) -> str:
    """Return ``text`` safe for a terminal or log: what is not printable is escaped."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def printable_lines(text: str) -> str:
    """Return lines of ``text`` safe for a terminal: what is not printable in them is escaped."""
    return "\n".join(map(printable, text.split("\n")))


def is_number(*words: str) -> bool:
    """Return whether each of ``words`` is a number of one to ten ASCII digits."""
    return all(word.isascii() and word.isdigit() and len(word) <= 10 for word in words)
