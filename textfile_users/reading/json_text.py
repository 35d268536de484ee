"""JSON by what the standard library's package json is made of: json itself imports re."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Scanner = Callable[[str, int], tuple[object, int]]
    Encoder = Callable[[object, int], Iterable[str]]


def loads(text: str) -> object:
    """Return what ``text`` says. Raises ValueError where it is not one value, or too deep."""
    try:
        value, end = _scanner()(text, 0)
    except (StopIteration, SystemError, RecursionError):
        # SystemError comes before Python 3.12 if json, which has the error, is not loaded.
        raise ValueError("no JSON") from None
    if text[end:].strip():
        raise ValueError("more than JSON")
    return value


def dumps(value: object) -> str:
    """Return ``value`` as a line: texts, numbers, truth values, None, lists, tuples as lists."""
    return "".join(_encoder()(value, 0))


class _Context:
    """How JSON is to be read, as json.JSONDecoder tells the scanner."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float
    memo: dict[str, str] = {}


def _scanner(made: list[Scanner] = []) -> Scanner:  # noqa: B006
    if not made:
        try:
            from _json import make_scanner
        except ImportError:  # another implementation of Python
            from json.scanner import make_scanner
        made.append(make_scanner(_Context))  # type: ignore[arg-type]
    return made[0]


def _encoder(made: list[Encoder] = []) -> Encoder:  # noqa: B006
    if not made:
        try:
            from _json import encode_basestring, make_encoder
        except ImportError:
            from json import JSONEncoder

            encoder = JSONEncoder(ensure_ascii=False, separators=(",", ":"))
            made.append(lambda value, _: encoder.iterencode(value))
        else:
            # Its parameters as json.encoder gives them; no loop is looked for, no key skipped.
            given: Any = (None, None, encode_basestring, None, ":", ",", False, False, True)
            made.append(make_encoder(*given))
    return made[0]
