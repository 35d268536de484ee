"""Rewrites a module for Python 3.6, by its syntax tree: text is cut out or exchanged in place.

Annotations go, `:=` becomes a line of its own, and what the standard library did not have yet is
taken from older_names.py. All else stays as it was written: comments, quotes and, but for `:=`, the
numbers of the lines, which a fault tells. A module in which something newer is left is refused.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

NAMES = "older_names"  # the module beside this one that the rewritten ones import
# What older Pythons lack, or do otherwise: its name, and that in older_names.py.
SUBSTITUTES = {
    "argparse.ArgumentParser": "argument_parser()",
    "compileall.compile_dir": "compile_dir",
    "os.fork": "fork",
    "os.posix_spawnp": "posix_spawnp",
    "os.POSIX_SPAWN_DUP2": "POSIX_SPAWN_DUP2",
    "os.POSIX_SPAWN_OPEN": "POSIX_SPAWN_OPEN",
    "os.register_at_fork": "register_at_fork",
    "os.waitstatus_to_exitcode": "waitstatus_to_exitcode",
    "py_compile.PycInvalidationMode": "PycInvalidationMode",
    "shlex.join": "shlex_join",
    "subprocess.run": "subprocess_run",
    "sys.argv": "argv()",
    "typing.Literal": "Literal",
    "typing.Protocol": "Protocol",
}
# What is imported by name from a module of its own.
MODULES = {"zoneinfo.ZoneInfo": "older_zone"}
# Of objects of any type: a call `x.isascii()` becomes one of the function, with x in front.
METHODS = ("isascii", "reconfigure", "removeprefix", "removesuffix")
BUILTINS = ("reversed",)
# Subscripts of these, and of what is imported from these modules, are types. As values they go.
GENERIC = {"dict", "frozenset", "list", "set", "tuple", "type"}
GENERIC_MODULES = ("collections", "collections.abc")
TYPE_CHECKING = ast.dump(ast.parse("TYPE_CHECKING", mode="eval").body)
FIRST_LINES = (ast.Import, ast.ImportFrom, ast.Assign, ast.Expr)

Edit = tuple[int, int, bytes]  # the bytes from, and to, and what they become


class TooNew(ValueError):
    """Something in a module for which there is no older form here."""


def rewrite(source: bytes, name: str) -> bytes:
    """Return a module's source, UTF-8, as Python 3.6 takes it. Raises TooNew with ``name``."""
    try:
        unfolded = _Source(source)
        while _unfold(unfolded):
            unfolded = _Source(unfolded.applied())
        made = _exchange(_Source(unfolded.data))
        ast.parse(made, name, feature_version=(3, 6))
    except SyntaxError as error:
        raise TooNew(f"{name}:{error.lineno}: {error.msg}") from None
    except TooNew as error:
        raise TooNew(f"{name}:{error}") from None
    return made


class _Source:
    """A module's bytes, its tree, and what is to be changed in it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.tree = ast.parse(data)
        self.edits: list[Edit] = []
        self._lines = [0]
        for line in data.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def start(self, node: ast.AST) -> int:
        return self._lines[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]

    def end(self, node: ast.AST) -> int:
        return self._lines[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]

    def text(self, node: ast.AST) -> bytes:
        return self.data[self.start(node) : self.end(node)]

    def change(self, start: int, end: int, text: str = "") -> None:
        """Exchange bytes for ``text``; the lines that they end go on, as one logical line."""
        lines = self.data.count(b"\n", start, end)
        self.edits.append((start, end, text.encode() + b"\\\n" * lines))

    def insert(self, place: int, text: str) -> None:
        self.edits.append((place, place, text.encode()))

    def applied(self) -> bytes:
        parts, done = [], 0
        for start, end, text in sorted(self.edits, key=lambda edit: edit[:2]):
            parts += [self.data[done:start], text]
            done = end
        return b"".join([*parts, self.data[done:]])


def _unfold(source: _Source) -> bool:
    """Take the first `:=` out of its test, to be applied; return whether there was one."""
    if not any(isinstance(node, ast.NamedExpr) for node in ast.walk(source.tree)):
        return False
    for node in ast.walk(source.tree):
        if not isinstance(node, (ast.If, ast.While)):
            continue
        first = _first_evaluated(node.test)
        if not isinstance(first, ast.NamedExpr):
            continue
        indent = b" " * node.col_offset
        target = source.text(first.target)
        assign = target + b" = " + source.text(first.value)
        start = source.start(node)
        if isinstance(node, ast.If) and source.data.startswith(b"if", start):
            source.edits.append((start, start, assign + b"\n" + indent))
            _put(source, first, target)
            return True
        if isinstance(node, ast.While) and not node.orelse:
            _unfold_loop(source, node, first, assign)
            return True
    for node in ast.walk(source.tree):
        if isinstance(node, ast.NamedExpr):
            raise TooNew(f"{node.lineno}: this `:=` has no older form here")
    return False


def _first_evaluated(test: ast.expr) -> ast.expr:
    while True:
        if isinstance(test, ast.BoolOp):
            test = test.values[0]
        elif isinstance(test, ast.Compare):
            test = test.left
        elif isinstance(test, ast.UnaryOp):
            test = test.operand
        else:
            return test


def _put(source: _Source, walrus: ast.NamedExpr, target: bytes) -> None:
    source.edits.append((source.start(walrus), source.end(walrus), target))


def _unfold_loop(source: _Source, loop: ast.While, walrus: ast.NamedExpr, assign: bytes) -> None:
    """Make `while test:` a `while True:` that begins with the assignment and a break."""
    start, end = source.start(loop.test), source.end(loop.test)
    while source.data[start - 1 : start] == b"(":  # which belong to the test
        start -= 1
    colon = source.data.index(b":", end)
    target = source.text(walrus.target)
    test = source.data[start : source.start(walrus)] + target
    test += source.data[source.end(walrus) : colon]
    first = loop.body[0]
    if first.lineno == loop.lineno:
        raise TooNew(f"{loop.lineno}: a loop with `:=` on one line has no older form here")
    indent = b"\n" + b" " * first.col_offset
    source.edits.append((start, colon, b"True"))
    place = source.start(first)
    source.edits.append((place, place, assign + indent + b"if not (" + test + b"): break" + indent))


def _exchange(source: _Source) -> bytes:
    """Return the source without annotations, and with the older names of what is newer."""
    skipped = set(_annotations(source))
    bound = _bound(source.tree)
    generic = _generic(source.tree) - bound
    is_needed = False
    for node in _walk(source.tree, skipped):
        if isinstance(node, ast.ImportFrom):
            _import_from(source, node)
        elif isinstance(node, ast.Attribute):
            is_needed |= _attribute(source, node)
        elif isinstance(node, ast.Call):
            is_needed |= _call(source, node, bound)
        elif isinstance(node, ast.Subscript):
            _subscript(source, node, generic, skipped)
        _unpack_in_order(source, node)
    for node in source.tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__getattr__":
            source.insert(len(source.data), f"\n{NAMES}.call_getattr(__name__)\n")
            is_needed = True
    if is_needed:
        _import_names(source)
    return source.applied()


def _walk(node: ast.AST, skipped: set[ast.AST]) -> Iterator[ast.AST]:
    yield node
    is_for_types = isinstance(node, ast.If) and ast.dump(node.test) == TYPE_CHECKING
    for child in node.orelse if is_for_types else ast.iter_child_nodes(node):
        if child not in skipped:
            yield from _walk(child, skipped)


def _annotations(source: _Source) -> Iterator[ast.AST]:
    """Cut the annotations out, and yield them.

    Those of variables become texts, as newer Pythons have them: a class's fields are read there.
    """
    for node in ast.walk(source.tree):
        if isinstance(node, ast.arg) and node.annotation:
            source.change(source.start(node) + len(node.arg.encode()), source.end(node))
            yield node.annotation
        elif isinstance(node, ast.AnnAssign):
            text = repr(ast.unparse(node.annotation))
            source.change(source.start(node.annotation), source.end(node.annotation), text)
            yield node.annotation
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.returns:
            start = source.data.rindex(b"->", 0, source.start(node.returns))
            end = source.data.index(b":", source.end(node.returns))
            source.change(start, end)
            yield node.returns


def _bound(tree: ast.AST) -> set[str]:
    """Return the names that a module gives a meaning of its own, but for attributes."""
    found = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    }
    return found | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def _generic(tree: ast.AST) -> set[str]:
    """Return the names whose subscripts are types."""
    return GENERIC | {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in GENERIC_MODULES
        for alias in node.names
    }


def _import_from(source: _Source, node: ast.ImportFrom) -> None:
    if node.module == "__future__":
        kept = [alias for alias in node.names if alias.name != "annotations"]
        older: list[str] = []
    else:
        kept, older = [], []
        for alias in node.names:
            name, bound = f"{node.module}.{alias.name}", alias.asname or alias.name
            if SUBSTITUTES.get(name, "").endswith(")"):
                raise TooNew(f"{node.lineno}: import {node.module} alone, for its {alias.name}")
            if name in SUBSTITUTES:
                older.append(f"from {NAMES} import {SUBSTITUTES[name]} as {bound}")
            elif name in MODULES:
                older.append(f"from {MODULES[name]} import {alias.name} as {bound}")
            else:
                kept.append(alias)
    if len(kept) == len(node.names):
        return
    parts = []
    if kept:
        names = [alias.name + (f" as {alias.asname}" if alias.asname else "") for alias in kept]
        parts.append(f"from {'.' * node.level}{node.module} import {', '.join(names)}")
    source.change(source.start(node), source.end(node), "; ".join([*parts, *older]) or "pass")


def _attribute(source: _Source, node: ast.Attribute) -> bool:
    if not isinstance(node.value, ast.Name):
        return False
    substitute = SUBSTITUTES.get(f"{node.value.id}.{node.attr}")
    if not substitute:
        return False
    if not isinstance(node.ctx, ast.Load):
        raise TooNew(f"{node.lineno}: {node.value.id}.{node.attr} is given a value")
    _require_place(source, node)
    source.change(source.start(node), source.end(node), f"{NAMES}.{substitute}")
    return True


def _call(source: _Source, node: ast.Call, bound: set[str]) -> bool:
    function = node.func
    if isinstance(function, ast.Name) and function.id in BUILTINS and function.id not in bound:
        source.change(source.start(function), source.end(function), f"{NAMES}.{function.id}_")
        return True
    if not isinstance(function, ast.Attribute) or function.attr not in METHODS:
        return False
    _require_place(source, function)
    source.insert(source.start(function), f"{NAMES}.{function.attr}(")
    end = source.end(function)
    dot = source.data.rindex(b".", 0, end - len(function.attr))
    open_ = source.data.index(b"(", end) + 1
    source.change(dot, open_, ", " if node.args or node.keywords else "")
    return True


def _require_place(source: _Source, node: ast.Attribute) -> None:
    """Raise TooNew in an f-string, where Python before 3.12 does not tell the right place."""
    if not source.text(node).endswith(node.attr.encode()):
        raise TooNew(f"{node.lineno}: .{node.attr} in an f-string has no older form here")


def _subscript(
    source: _Source, node: ast.Subscript, generic: set[str], skipped: set[ast.AST]
) -> None:
    is_type = isinstance(node.value, ast.Name) and node.value.id in generic
    if is_type and isinstance(node.ctx, ast.Load):
        source.change(source.end(node.value), source.end(node))
        skipped.add(node.slice)


def _unpack_in_order(source: _Source, node: ast.AST) -> None:
    """Have `[*a(), *b()]` unpack a() before it calls b(), as from Python 3.9 on."""
    parts = node.args if isinstance(node, ast.Call) else getattr(node, "elts", [])
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return
    for part, *_ in zip(parts, parts[1:]):
        if isinstance(part, ast.Starred):
            source.insert(source.start(part.value), "[*(")
            source.insert(source.end(part.value), ")]")


def _import_names(source: _Source) -> None:
    """Import older_names.py before the module's first statement, on its line if it can be."""
    body = source.tree.body
    has_docstring = (
        isinstance(body[0], ast.Expr)
        and isinstance(body[0].value, ast.Constant)
        and isinstance(body[0].value.value, str)
    )
    first = next(
        node
        for node in body[has_docstring:]
        if not isinstance(node, ast.ImportFrom) or node.module != "__future__"
    )
    divider = "; " if isinstance(first, FIRST_LINES) else "\n"
    place = source.start(first)
    source.edits.insert(0, (place, place, f"import {NAMES}{divider}".encode()))
