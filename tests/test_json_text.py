"""JSON without the package json: the same values, and ValueError for whatever is none."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textfile_users.reading.json_text import dumps, loads

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
NONE_OF_IT = {
    "nothing": "",
    "cut in a text": '{"MESSAGE":"abc',
    "cut after a key": '{"MESSAGE"',
    "cut in a list": "[1,2",
    "cut in an escape": '"\\u00',
    "two values": "1 2",
    "deeper than the stack": "[" * 100_000,
    "a control byte in a text": '"\x01"',
    "a number longer than Python reads": "9" * 5_000,
}
WITHOUT_JSON = """
import sys
from textfile_users.reading.json_text import loads
loads("1")
assert "json" not in sys.modules
for text in sys.stdin.read().split("\\0"):
    try:
        loads(text)
    except ValueError:
        print("none")
"""


@given(VALUES)
def test_what_is_written_is_read(value: object) -> None:
    assert loads(dumps(value)) == value == json.loads(dumps(value))


@given(VALUES.map(json.dumps), st.integers(0, 99), st.sampled_from(["", "x", "}", " ", "\0"]))
def test_it_is_read_as_the_library_reads_it(text: str, place: int, more: str) -> None:
    text = text[:place] + more + text[place:]
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            loads(text)
    else:
        assert loads(text.lstrip()) == expected


@pytest.mark.parametrize("text", NONE_OF_IT.values(), ids=NONE_OF_IT)
def test_what_is_none(text: str) -> None:
    if text.isdigit() and sys.version_info < (3, 11):
        pytest.skip("this Python reads numbers of any length")
    with pytest.raises(ValueError, match=r"."):
        loads(text)


def test_what_is_none_where_json_is_not_loaded() -> None:
    """Its scanner then lacks the error that it would raise; from Python 3.12 on it imports json."""
    texts = [text for text in NONE_OF_IT.values() if not text.isdigit()]
    made = subprocess.run(
        [sys.executable, "-c", WITHOUT_JSON],
        input="\0".join(texts),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert made.stdout.split() == ["none"] * len(texts)
