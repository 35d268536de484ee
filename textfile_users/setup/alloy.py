"""Grafana Alloy, which has node_exporter's collectors built in: where it reads textfiles.

That is in its configuration, not in its flags: `prometheus.exporter.unix` with a block `textfile`.
"""

from __future__ import annotations

import os
import re

NAME = "alloy"
EXPORTER = "prometheus.exporter.unix"
MAX_BYTES = 1 << 20
MAX_FILES = 100
# A comment, a string of either kind, a name, or one character. What has no end goes on to the last.
_WORD = re.compile(
    r'//[^\n]*|/\*(?:.*?\*/|.*)|"(?:\\.|[^"\\\n])*"?|`[^`]*`?|[A-Za-z_][A-Za-z0-9_.]*|\S',
    re.DOTALL,
)
_COMMENTS = ("//", "/*")


def config_of(words: tuple[str, ...]) -> str:
    """Return the configuration that the words of `alloy run` name, '' where none is whole."""
    if "run" not in words:
        return ""
    paths = [word for word in words[words.index("run") + 1 :] if word.startswith("/")]
    return paths[-1] if paths else ""


def config_files(path: str) -> list[str]:
    """Return the files of a configuration: itself, or those of a directory. Raises OSError."""
    if not os.path.isdir(path):
        return [path]
    names = sorted(name for name in os.listdir(path) if name.endswith(".alloy"))
    return [os.path.join(path, name) for name in names[:MAX_FILES]]


def parse_directories(text: str) -> tuple[str, ...]:
    """Return the textfile directories that a configuration names as plain strings."""
    words = [one for one in _WORD.findall(text) if not one.startswith(_COMMENTS)]
    blocks: list[str] = []
    found = []
    for index, word in enumerate(words):
        if word == "{":
            blocks.append(_block_name(words, index))
        elif word == "}":
            del blocks[-1:]
        elif word == "directory" and blocks[-2:] == [EXPORTER, "textfile"]:
            value = words[index + 2 : index + 3] if words[index + 1 : index + 2] == ["="] else []
            found += [_unquote(one) for one in value if _is_string(one)]
    return tuple(found)


def _block_name(words: list[str], index: int) -> str:
    """Return the name before the brace ``index``; a label, which is a string, stands between."""
    names = [one for one in words[max(0, index - 2) : index] if one[0] not in '"`']
    return names[-1] if names else ""


def _is_string(word: str) -> bool:
    return word[0] in '"`' and word[0] == word[-1] and len(word) > 2


def _unquote(word: str) -> str:
    return word[1:-1] if word[0] == "`" else re.sub(r"\\(.)", r"\1", word[1:-1])
