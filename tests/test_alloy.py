"""Where Grafana Alloy reads textfiles, by its configuration."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from textfile_users.setup.alloy import MAX_BYTES, config_files, config_of, parse_directories

UNIX = 'prometheus.exporter.unix "host" {'


@pytest.mark.parametrize(
    ("text", "directories", "why"),
    [
        (UNIX + ' textfile { directory = "/srv/a" } }', ("/srv/a",), "as its manual has it"),
        (UNIX + "\n  textfile {\n    directory = `/srv/a`\n  }\n}\n", ("/srv/a",), "a raw string"),
        (UNIX + ' disk { } textfile { directory = "/a" } } logging { }', ("/a",), "other blocks"),
        (UNIX + ' textfile { directory = "/a" } } ' + UNIX + ' textfile { directory = "/b" } }',
         ("/a", "/b"), "two exporters"),
        ('declare "x" { ' + UNIX + ' textfile { directory = "/a" } } }', ("/a",), "a component"),
        (UNIX + ' // textfile { directory = "/a" }\n }', (), "a comment"),
        (UNIX + ' /* textfile { directory = "/a" } */ }', (), "a comment of the other kind"),
        (UNIX + ' x = "textfile { directory = " textfile { directory = "/a" } }', ("/a",),
         "a brace in a string is none"),
        ('loki.source.file "x" { textfile { directory = "/a" } }', (), "another component's"),
        ('textfile { directory = "/a" }', (), "nobody's"),
        (UNIX + ' directory = "/a" }', (), "not in the block"),
        (UNIX + ' textfile { directory = sys.env("D") } }', (), "what only Alloy knows"),
        (UNIX + ' textfile { directory = "" } }', (), "none"),
        (UNIX + " textfile { directory", (), "not a whole one"),
        (UNIX + ' textfile { directory = "/a\\"b" } }', ('/a"b',), "an escape"),
        ("", (), "empty"),
    ],
)  # fmt: skip
def test_directories(text: str, directories: tuple[str, ...], why: str) -> None:
    assert parse_directories(text) == directories, why


def test_a_hostile_configuration_takes_no_long_time() -> None:
    """An end that does not come must not be looked for again and again."""
    for text in ("{", '"', "/* ", '"\\', "}", "`", "a", "directory = "):
        began = time.process_time()
        assert parse_directories(text * (MAX_BYTES // len(text))) == ()
        assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (("alloy", "run", "--storage.path=/var/lib/alloy", "/etc/alloy/config.alloy"),
         "/etc/alloy/config.alloy"),
        (("alloy", "run", "/etc/alloy/config.alloy", "--server.http.listen-addr=:1"),
         "/etc/alloy/config.alloy"),
        (("alloy", "run", "config.alloy"), ""),
        (("alloy", "fmt", "/etc/alloy/config.alloy"), ""),
        (("alloy", "run"), ""),
    ],
)  # fmt: skip
def test_the_configuration_of_a_command_line(words: tuple[str, ...], path: str) -> None:
    assert config_of(words) == path


def test_a_directory_is_a_configuration_too(tmp_path: Path) -> None:
    for name in ("b.alloy", "a.alloy", "c.txt"):
        (tmp_path / name).touch()
    assert config_files(str(tmp_path)) == [f"{tmp_path}/a.alloy", f"{tmp_path}/b.alloy"]
    assert config_files(f"{tmp_path}/c.txt") == [f"{tmp_path}/c.txt"]
