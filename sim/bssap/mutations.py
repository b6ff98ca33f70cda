"""Dialogues with one thing wrong, and what share of them the legality acceptor refuses.

python -m sim.bssap.mutations        prints the share by kind of mutation, over all procedures.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from sim.bssap.legality import is_legal
from sim.bssap.procedures import LADDERS, Params, Step, ladder

Steps = tuple[Step, ...]
#: What was changed: the names of the steps concerned; and the dialogue.
Mutant = tuple[str, Steps]


def dropped(steps: Steps) -> Iterator[Mutant]:
    for index, step in enumerate(steps):
        yield step.name, steps[:index] + steps[index + 1 :]


def repeated(steps: Steps) -> Iterator[Mutant]:
    for index, step in enumerate(steps):
        yield step.name, steps[: index + 1] + steps[index:]


def swapped(steps: Steps) -> Iterator[Mutant]:
    for index in range(1, len(steps)):
        one, two = steps[index - 1], steps[index]
        yield f"{one.name} / {two.name}", (*steps[: index - 1], two, one, *steps[index + 1 :])


def turned(steps: Steps) -> Iterator[Mutant]:
    for index, step in enumerate(steps):
        yield step.name, (*steps[:index], replace(step, uplink=not step.uplink), *steps[index + 1 :])


def moved(steps: Steps) -> Iterator[Mutant]:
    for index, step in enumerate(steps):
        yield step.name, (*steps[:index], replace(step, leg=1 - step.leg), *steps[index + 1 :])


def cut(steps: Steps) -> Iterator[Mutant]:
    for index in range(1, len(steps)):
        yield f"before {steps[index].name}", steps[:index]


def damaged(steps: Steps) -> Iterator[Mutant]:
    for index, step in enumerate(steps):
        yield step.name, (*steps[:index], replace(step, payload=step.payload[:-1]), *steps[index + 1 :])


MUTATIONS: dict[str, Callable[[Steps], Iterator[Mutant]]] = {
    "a step left out": dropped,
    "a step repeated": repeated,
    "neighbours in the wrong order": swapped,
    "a step in the other direction": turned,
    "a step on the other connection": moved,
    "an early end": cut,
    "a step without its last octet": damaged,
}


#: Why a dialogue may happen all the same: kind of mutation -> what was changed -> reason. `*` is any word.
_LOST = "the message behind it may come at any time and ends the call"
_OTHER_LEG = "one of them is on the other connection: the two do not wait for each other"
REASONS: dict[str, dict[str, str]] = {
    "a step left out": {
        "COMMON ID": "the MSC sends it when it wants to: TS 48.008 3.1.30",
        "ALERTING": "CONNECT or DISCONNECT may come without it: TS 24.008 5.2",
        "PROGRESS": "DISCONNECT may come without it: TS 24.008 5.4",
        "HANDOVER PERFORMED": "the BSS moves a station when it wants to: TS 48.008 3.2.1.25",
        "CM SERVICE ABORT": "the network may clear a connection on which nothing was begun: TS 24.008 4.5.3",
        "AUTHENTICATION REJECT": "after PAGING RESPONSE, the same",
        "PAGING": "one page of two is left, or none at all: no dialogue",
        "CALL PROCEEDING": _LOST, "CIPHER MODE COMPLETE": _LOST, "CONNECT ACKNOWLEDGE": _LOST,
    },
    "a step repeated": {
        "PAGING": "the MSC pages again when nobody answers: TS 48.008 3.1.10",
        "HANDOVER PERFORMED": "the BSS moves a station as often as it wants to",
    },
    "neighbours in the wrong order": {
        "* / COMMON ID": "nothing waits for COMMON ID: TS 48.008 3.1.30",
        "COMMON ID / *": "nothing waits for COMMON ID: TS 48.008 3.1.30",
        "PAGING / PAGING": "they differ in how they name the station, and either may be first",
        "RLC / *": _OTHER_LEG,
    },
    "an early end": {
        "before PAGING": "nobody answers a page: TS 48.008 3.1.10",
        "before PAGING RESPONSE": "nobody answers a page: TS 48.008 3.1.10",
    },
}  # fmt: skip


def reason(kind: str, what: str) -> str | None:
    """Why a mutant may happen; None where nobody has found a reason."""
    for pattern, why in REASONS.get(kind, {}).items():
        if fnmatchcase(what, pattern):
            return why
    return None


@dataclass(frozen=True, slots=True)
class Share:
    """How many mutants of a kind there were and which of them may happen all the same."""

    mutants: int
    legal: Counter[str]
    """By what was changed."""

    @property
    def refused(self) -> float:
        """0 to 1."""
        return 1 - self.legal.total() / self.mutants if self.mutants else 1.0


def shares(dialogues: Iterable[Steps]) -> dict[str, Share]:
    """By kind of mutation; a mutant that equals its dialogue counts for nothing."""
    mutants: Counter[str] = Counter()
    legal: dict[str, Counter[str]] = {kind: Counter() for kind in MUTATIONS}
    for steps in dialogues:
        for kind, mutate in MUTATIONS.items():
            for what, mutant in mutate(steps):
                if mutant == steps:
                    continue
                mutants[kind] += 1
                if is_legal(mutant):
                    legal[kind][what] += 1
    return {kind: Share(mutants[kind], legal[kind]) for kind in MUTATIONS}


def table(found: dict[str, Share]) -> str:
    """Rows of text: kind, mutants, share refused, what is still legal and how often."""
    rows = []
    for kind, share in found.items():
        rows.append(f"{kind:32} {share.mutants:7d} {100 * share.refused:8.3f} %")
        rows += [
            f"    still legal: {what} ({count}): {reason(kind, what) or 'NO REASON KNOWN'}"
            for what, count in sorted(share.legal.items())
        ]
    mutants = sum(share.mutants for share in found.values())
    legal = sum(share.legal.total() for share in found.values())
    rows.append(f"{'all':32} {mutants:7d} {100 * (1 - legal / mutants):8.3f} %")
    return "\n".join(rows)


def dialogues() -> Iterator[Steps]:
    """Every procedure with its options at their defaults, and answered calls with a handover."""
    for kind, row in LADDERS.items():
        yield ladder(kind, Params())
        if "handover" in row.options:
            yield ladder(kind, Params(handover=True))


if __name__ == "__main__":
    sys.stdout.write(table(shares(dialogues())) + "\n")
