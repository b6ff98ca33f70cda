"""A page on the procedures: which messages each has, which tests look at it.

python -m sim.bssap.procedures.overview tests/sim/bssap/*.py > sim/bssap/README.md
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from sim.bssap.procedures.params import Params, Step
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


#: Runs of messages that most procedures have, longest first; the tables show their names.
RUNS: dict[str, str] = {
    "secure": "↓AUTHENTICATION REQUEST ↑AUTHENTICATION RESPONSE ↓COMMON ID ↓CIPHER MODE COMMAND "
              "↑CIPHER MODE COMPLETE",
    "challenge": "↓AUTHENTICATION REQUEST ↑AUTHENTICATION RESPONSE",
    "cipher": "↓COMMON ID ↓CIPHER MODE COMMAND ↑CIPHER MODE COMPLETE",
    "page": "↓PAGING ↑PAGING RESPONSE ↓CC",
    "propose": "↑SETUP ↓CALL PROCEEDING",
    "offer": "↓SETUP ↑CALL CONFIRMED",
    "assign": "↓ASSIGNMENT REQUEST ↑ASSIGNMENT COMPLETE",
    "answer (out)": "↓ALERTING ↓CONNECT ↑CONNECT ACKNOWLEDGE",
    "answer (in)": "↑ALERTING ↑CONNECT ↓CONNECT ACKNOWLEDGE",
    "hang up (station)": "↑DISCONNECT ↓RELEASE ↑RELEASE COMPLETE",
    "hang up (network)": "↓DISCONNECT ↑RELEASE ↓RELEASE COMPLETE",
    "clear": "↓CLEAR COMMAND ↑CLEAR COMPLETE ↓RLSD ↑RLC",
    "clear target": "↓'CLEAR COMMAND ↑'CLEAR COMPLETE ↓'RLSD ↑'RLC",
    "reach target": "↓'HANDOVER REQUEST ↑'CC ↓'COMMON ID ↑'HANDOVER REQUEST ACKNOWLEDGE ↓HANDOVER COMMAND",
    "arrive": "↑'HANDOVER DETECT ↑'HANDOVER COMPLETE",
}  # fmt: skip
#: The same of options.
OPTION_SETS = {"security": ("identity", "ask_identity", "auth", "cipher")}


def _shown(steps: Iterable[Step]) -> str:
    """Messages in order, with arrows; runs by their names in brackets."""
    text = " ".join(f"{'↑' if step.uplink else '↓'}{chr(39) * step.leg}{step.name}" for step in steps) + " "
    for name, run in RUNS.items():
        text = text.replace(run + " ", f"[{name}] ")
    return text.strip()


def _options(options: tuple[str, ...]) -> str:
    words = list(options)
    for name, members in OPTION_SETS.items():
        if set(members) <= set(words):
            words = [f"[{name}]", *(word for word in words if word not in members)]
    return _cell(words)


def _cell(words: list[str]) -> str:
    return ", ".join(words) or "-"


def markdown(sources: Mapping[str, str]) -> str:
    """Procedures x messages x tests, as Markdown."""
    of_all, by_kind = tests_of(sources)
    out = [_HEAD, "## Procedures", ""]
    out += [
        "↑ BSS to MSC, ↓ MSC to BSS, ' on the connection to the handover target; options at their defaults.",
        "What stands in brackets is a run of messages, or a set of options:",
        "",
    ]
    out += [f"- [{name}]: {run}" for name, run in RUNS.items()]
    out += [f"- [{name}]: {', '.join(members)}" for name, members in OPTION_SETS.items()]
    out += ["", "| procedure | what it is | messages | options |", "| --- | --- | --- | --- |"]
    where: dict[str, list[str]] = {}
    for kind, row in LADDERS.items():
        steps = ladder(kind, Params())
        for step in steps:
            if kind not in where.setdefault(step.name, []):
                where[step.name].append(kind)
        out.append(f"| `{kind}` | {row.description} | {_shown(steps)} | {_options(row.options)} |")
    out += ["", "## Messages", "", "| message | procedures | for instance |", "| --- | --- | --- |"]
    out += [f"| {name} | {len(kinds)} | `{kinds[0]}` |" for name, kinds in sorted(where.items())]
    own: dict[str, list[str]] = {}
    for kind, names in by_kind.items():
        for name in names:
            own.setdefault(name, []).append(f"`{kind}`")
    out += ["", "## Tests of single procedures", "", "| test | procedures |", "| --- | --- |"]
    out += [f"| `{name}` | {_cell(kinds)} |" for name, kinds in sorted(own.items())]
    out += ["", "## Tests of every procedure", "", *(f"- `{name}`" for name in of_all), ""]
    return "\n".join(out)


if __name__ == "__main__":
    sys.stdout.write(markdown({Path(name).name: Path(name).read_text() for name in sys.argv[1:]}))
