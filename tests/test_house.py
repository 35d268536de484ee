"""The house: who may import whom, no circle, no name twice, nothing longer than a screen."""

from __future__ import annotations

import ast
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "textfile_users"
PATHS = {
    str(path.relative_to(PACKAGE))[:-3].replace("/", ".").removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
    if path != PACKAGE / "__init__.py"
}
# From the ground: a module imports those of its own layer and of the layers before it.
LAYERS = (
    ("record", "paths", "product", "auth_event"),
    ("reading", "console", "terminal", "unknown", "networks", "collecting", "deadline", "writer"),
    ("accounts",),
    ("processes",),
    ("slices",),
    ("connections",),
    ("sessions",),
    ("logins", "counting", "admission"),
    ("history",),
    ("auth",),
    ("snapshot", "memory", "older_memory", "state_files"),
    ("metrics", "scan"),
    ("run", "collector", "options", "parsers"),
    ("setup", "by_hand", "nobody", "show", "show_table", "events", "records"),
    ("cli", "__main__"),
)
# Who shares what lies below, and knows nothing of each other.
APART = (("auth", "history"), ("history", "auth"), ("metrics", "scan"))
# Upwards all the same, when it is called, and why. One that is no longer there has no place here.
UPWARDS = {
    ("run", "setup.service"): "who the service's user is, asked where a key cannot be read",
}
LONG_MODULES = {
    "history.collect_history": "one reading of records; cut, an idle scan would import one more",
    "logins": "logins and what makes two of them one; cut, an idle scan would import one more",
}
LONG_FUNCTIONS = {"read_block": "each call it made would cost a backlog of lines some percent"}


def imports_of(name: str) -> set[str]:
    """Return the modules of the package that a module imports: at once, when called, for types."""
    found = set()
    for node in ast.walk(ast.parse(PATHS[name].read_text())):
        if isinstance(node, ast.Import):
            assert "textfile_users" not in {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name}: an import says the whole name, as others do"
            package, _, module = (node.module or "").partition(".")
            for alias in node.names if package == "textfile_users" else ():
                inner = f"{module}.{alias.name}".lstrip(".")
                found.add(inner if inner in PATHS else module)
    return found - {"", name}  # the package itself holds the version


def top_of(name: str) -> str:
    return name.partition(".")[0]


def leads_down(name: str, imported: str) -> bool:
    layers = {top: number for number, layer in enumerate(LAYERS) for top in layer}
    pair = top_of(name), top_of(imported)
    return layers[pair[1]] <= layers[pair[0]] and pair not in APART


def test_each_module_has_a_layer() -> None:
    assert sorted(top for layer in LAYERS for top in layer) == sorted(set(map(top_of, PATHS)))


def test_imports_lead_down() -> None:
    pairs = {(name, imported) for name in PATHS for imported in imports_of(name)}
    assert {pair for pair in pairs if not leads_down(*pair)} == set(UPWARDS)


def test_no_circle() -> None:
    list(TopologicalSorter({name: imports_of(name) for name in PATHS}).static_order())


def test_no_name_twice() -> None:
    files = Counter(path.name for path in PATHS.values() if path.name != "__init__.py")
    classes = Counter(
        node.name
        for path in PATHS.values()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in (files + classes).items() if count > 1] == []


def test_nothing_is_longer_than_its_reason_says() -> None:
    modules = {name for name, path in PATHS.items() if path.read_text().count("\n") > 400}
    functions = {
        node.name
        for path in PATHS.values()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno
        if node.end_lineno - node.lineno >= 40
    }
    assert modules == set(LONG_MODULES)
    assert functions == set(LONG_FUNCTIONS)
