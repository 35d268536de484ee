"""What bytes that were read come to: whole lines, or whole records, and what is left out."""

from __future__ import annotations

from textfile_users.record import Record

BLOCK = 1 << 17  # what is read at once, in bytes; more than MAX_LINE and any record
MAX_LINE = 1 << 16  # bytes of a line without its newline


class Taken(Record):
    """What a block's bytes come to: the first ``length`` of them are done with."""

    data: bytes
    length: int
    skipping: bool
    skipped: tuple[tuple[str, int], ...]


def take_lines(data: bytes, skipping: bool, final: bool) -> Taken:
    """Return the whole lines of ``data``, which begins with a line, or inside one if skipping.

    ``final``: nothing will come behind, so that a line without its end is one too.
    """
    cut = behind_last_end(data)
    if skipping and not cut:
        return Taken(b"", len(data), True, ())
    start = _behind_first_end(data) if skipping else 0
    lines, rest = data[start:cut], data[cut:]
    is_damaged = b"\0" in data[:cut]
    if is_damaged:
        lines = without_nuls(lines)
    lines, too_long = _without_long(lines)
    skipping = len(rest) > MAX_LINE
    is_partial = final and 0 < len(rest) <= MAX_LINE
    if is_partial:
        lines += rest + b"\n"
    skipped = _counts(
        ("damaged", int(is_damaged)),
        ("partial", int(is_partial)),
        ("too-long", too_long + skipping),
    )
    return Taken(lines, len(data) if skipping or is_partial else cut, skipping, skipped)


def take_records(data: bytes, unit: int, final: bool) -> Taken:
    """Return the whole records of ``data``; ``final``: what is left over will never be one."""
    whole = len(data) - len(data) % unit
    is_partial = final and whole < len(data)
    length = len(data) if is_partial else whole
    return Taken(data[:whole], length, False, _counts(("partial", int(is_partial))))


def _counts(*counts: tuple[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(item for item in counts if item[1])


def behind_last_end(data: bytes) -> int:
    """Return where the last line that has an end is over, 0 where none has."""
    return max(data.rfind(b"\n"), data.rfind(b"\0")) + 1


def _behind_first_end(data: bytes) -> int:
    return min(end for end in (data.find(b"\n"), data.find(b"\0")) if end >= 0) + 1


def without_nuls(lines: bytes) -> bytes:
    """Return the lines with each run of NULs made the end of a line, if none is there yet."""
    import re  # damage is rare

    parts = re.split(rb"\n?\0+\n?", lines)
    return b"".join(part if part.endswith(b"\n") else part + b"\n" for part in parts if part)


def _without_long(lines: bytes) -> tuple[bytes, int]:
    """Return the lines of at most MAX_LINE bytes, and how many others there were."""
    kept = []
    start = too_long = 0
    while start < len(lines):
        end = lines.rfind(b"\n", start, start + MAX_LINE + 1) + 1
        if end:
            kept.append((start, end))
        else:
            too_long += 1
            end = lines.index(b"\n", start) + 1
        start = end
    return (b"".join(lines[s:e] for s, e in kept) if too_long else lines), too_long
