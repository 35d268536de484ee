"""The prose that administrators read has short sentences: 20 words on average, or fewer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "docs"
MOST_WORDS = 20
_ITEM = re.compile(r"\s*(?:[-*]|\d+\.) +")
_END = re.compile(r"(?:(?<=[.?!])|(?<=[.?!]\*\*))\s+(?=[A-Z`*\[])")
_WORD = re.compile(r"\w[\w'/.-]*")


def sentences(text: str) -> list[str]:
    """Return the sentences of Markdown's paragraphs and list items; code and tables are none."""
    paragraphs = [""]
    for line in text.splitlines():
        item = _ITEM.match(line)
        if not line.strip() or line.startswith(("    ", "#", "|", "<", "!")):
            paragraphs.append("")
        elif item:
            paragraphs.append(line[item.end() :])
        else:
            paragraphs[-1] += " " + line.strip()
    return [one for paragraph in paragraphs for one in _END.split(paragraph) if _WORD.search(one)]


def words(sentence: str) -> int:
    """Return how many words a sentence has; code is one, and of a link its text counts."""
    shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", re.sub(r"`[^`]*`", "code", sentence))
    return len(_WORD.findall(shown))


def test_how_it_counts() -> None:
    text = (
        "# A heading\n\nOne two `a b c` four. Five\nsix [seven](x.md)!\n\n    code\n\n- an item\n"
        "- **It begins.** And ends.\n"
    )
    assert [words(one) for one in sentences(text)] == [4, 3, 2, 2, 2]


PAGES = ["README.md", "CHANGELOG.md", *sorted(f"docs/{one.name}" for one in DOCS.glob("*.md"))]


@pytest.mark.parametrize("name", PAGES)
def test_sentences_are_short(name: str) -> None:
    counts = [words(one) for one in sentences((PROJECT / name).read_text())]
    assert counts
    assert sum(counts) / len(counts) <= MOST_WORDS


@pytest.mark.parametrize("name", ["README", "docs/doctor", "docs/reliability", "docs/architecture"])
def test_pages_have_prose_to_count(name: str) -> None:
    assert len(sentences((PROJECT / f"{name}.md").read_text())) > 10
