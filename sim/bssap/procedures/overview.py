"""A page on the procedures: which messages each has, which tests look at it.

python -m sim.bssap.procedures.overview tests/sim/bssap/*.py > sim/bssap/README.md
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from sim.bssap.procedures.params import Params
from sim.bssap.procedures.table import LADDERS, ladder

#: What a test that looks at every procedure takes them from.
_ALL = frozenset({"LADDERS", "variants"})
_HEAD = """\
# sim/bssap

The reference codec of the A interface, and its procedures as ladders of messages.

Made from the code by `python -m sim.bssap.procedures.overview tests/sim/bssap/*.py > sim/bssap/README.md`.
"""


def _names(node: ast.AST) -> Iterator[str]:
    """Identifiers that a piece of code uses, arguments of its functions among them."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.arg):
            yield part.arg


def _literals(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def _definitions(tree: ast.Module) -> dict[str, ast.AST]:
    """Functions and constants of a module by name."""
    found: dict[str, ast.AST] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign):
            found.update({target.id: node for target in node.targets if isinstance(target, ast.Name)})
    return found


def _reached(node: ast.AST, definitions: Mapping[str, ast.AST]) -> list[ast.AST]:
    """A piece of code and all definitions that it uses, and those use, in the same module."""
    used, seen = [node], set[str]()
    for part in used:
        for name in _names(part):
            if name in definitions and name not in seen:
                seen.add(name)
                used.append(definitions[name])
    return used


def tests_of(sources: Mapping[str, str]) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Tests of all procedures, and by procedure those that name it; `sources`: file name -> its text."""
    of_all: list[str] = []
    by_kind: dict[str, list[str]] = {kind: [] for kind in LADDERS}
    for file, text in sorted(sources.items()):
        definitions = _definitions(ast.parse(text))
        for name, node in definitions.items():
            if not name.startswith("test_"):
                continue
            used = _reached(node, definitions)
            if any(_ALL.intersection(_names(part)) for part in used):
                of_all.append(f"{file}::{name}")
                used = [node]
            elif isinstance(node, ast.FunctionDef):
                # Its own words and those of the tables it is parametrized with.
                used = [node, *(part for mark in node.decorator_list for part in _reached(mark, definitions))]
            literals = {literal for part in used for literal in _literals(part)}
            for kind in LADDERS:
                if kind in literals:
                    by_kind[kind].append(name)
    return tuple(of_all), {kind: tuple(names) for kind, names in by_kind.items()}


def _cell(words: list[str]) -> str:
    return ", ".join(words) or "-"


def markdown(sources: Mapping[str, str]) -> str:
    """Procedures x messages x tests, as Markdown."""
    of_all, by_kind = tests_of(sources)
    out = [_HEAD, "## Procedures", ""]
    out += [
        "↑ BSS to MSC, ↓ MSC to BSS, ' on the connection to the handover target; options at their defaults.",
        "",
    ]
    out += [
        "| procedure | what it is | messages | options | tests of its own |",
        "| --- | --- | --- | --- | --- |",
    ]
    where: dict[str, list[str]] = {}
    for kind, row in LADDERS.items():
        shown = []
        for step in ladder(kind, Params()):
            shown.append(f"{'↑' if step.uplink else '↓'}{chr(39) * step.leg}{step.name}")
            if kind not in where.setdefault(step.name, []):
                where[step.name].append(kind)
        tests = _cell([f"`{name}`" for name in by_kind[kind]])
        options = _cell(list(row.options))
        out.append(f"| `{kind}` | {row.description} | {' '.join(shown)} | {options} | {tests} |")
    out += ["", "## Messages", "", "| message | procedures | for instance |", "| --- | --- | --- |"]
    out += [f"| {name} | {len(kinds)} | `{kinds[0]}` |" for name, kinds in sorted(where.items())]
    out += ["", "## Tests of every procedure", "", *(f"- `{name}`" for name in of_all), ""]
    return "\n".join(out)


if __name__ == "__main__":
    sys.stdout.write(markdown({Path(name).name: Path(name).read_text() for name in sys.argv[1:]}))
