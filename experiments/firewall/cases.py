"""Cases of studies that try whether the platform oversteps: one thing tried, what was violated, how it ended.

Races, kills and faults are the same for studies of kind firewall, which play a policy of their own, and of
kind compliance, which play their users'.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from experiments.firewall.crash import CrashKeys
    from experiments.firewall.race import Course, RaceKeys
    from sigtran.transport import Kind

__all__ = ["SAY_EVERY_S", "Case", "Say", "case_of", "crashes", "faults", "races", "timed", "told"]

SAY_EVERY_S: Final = 10.0
Say = Callable[[str], None]


@dataclass(slots=True)
class Case:
    """One thing tried."""

    group: str
    name: str
    tried: str
    """In words."""
    tries: int
    """How often: kills, cuts, rounds, cases, or triggers."""
    contacts: int = 0
    """Received by handsets and judged."""
    violated: dict[str, int] = field(default_factory=dict)
    """Rule, or what else must not be -> how often."""
    expected: str = ""
    """The rule that must be found violated; empty: none may."""
    outcome: Literal["passed", "failed", "skipped"] = "passed"
    said: list[str] = field(default_factory=list)
    """Why it is not passed; or what the machine lacks."""
    seconds: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)
    """Whatever else was measured."""


def timed(case: Callable[[], Case]) -> Case:
    """Runs a case and notes how long it took."""
    began = time.monotonic()
    done = case()
    done.seconds = round(time.monotonic() - began, 2)
    return done


def told(case: Case) -> str:
    """In one line for the terminal."""
    if case.outcome == "skipped":
        return "; ".join(case.said)
    found = ", ".join(f"{rule} {n}" for rule, n in case.violated.items()) or "nothing violated"
    return f"{case.tried}; {case.contacts} contacts; {found}; {case.seconds:.0f} s"


def races(folder: Path, how: RaceKeys, course: Course | None = None, expected: str = "cap") -> Iterator[Case]:
    """One ledger of either database, and a check-then-send that must overshoot the rule `expected`."""
    from experiments.firewall.postgres import Postgres, no_postgres
    from experiments.firewall.race import race

    def raced(name: str, url: str = "", mutant: bool = False) -> Case:
        found = race(folder / name.replace(" ", "-"), how, url, mutant=mutant, course=course)
        case = case_of("races", name, found)
        if mutant:
            case.expected = expected
            case.said = (
                [] if case.violated.get(expected) else ["the same race finds nothing in a check-then-send"]
            )
        return case

    yield timed(lambda: raced("one ledger, SQLite"))
    yield timed(lambda: raced("check-then-send, SQLite", mutant=True))
    if why := no_postgres():
        yield Case("races", "one ledger, PostgreSQL", "nothing", 0, outcome="skipped", said=[why])
        return
    with Postgres(folder / "postgres") as server:
        yield timed(lambda: raced("one ledger, PostgreSQL", server.url))


def crashes(folder: Path, how: CrashKeys, transport: Kind, back_within_s: float, say: Say) -> Iterator[Case]:
    """SIGKILLs of a platform under load."""

    def killed() -> Case:
        from experiments.firewall.crash import crash

        told_s = time.monotonic()

        def progress(done: int, of: int) -> None:
            nonlocal told_s
            if time.monotonic() - told_s > SAY_EVERY_S:
                told_s = time.monotonic()
                say(f"crashes: {done} of {of} kills")

        found = crash(folder, how, transport, progress)
        tried = (
            f"{found['kills']} SIGKILLs under load, {found['while_starting']} of them while it started, "
            f"{found['at_reply']} at the instant at which it confirmed a reply"
        )
        case = case_of("crashes", "SIGKILL", {"tried": tried, "tries": found["kills"], **found})
        late = [s for s in found["back_each_s"] if s >= back_within_s]
        if late:
            case.violated["not back in time"] = len(late)
            case.said.append(
                f"{len(late)} of {len(found['back_each_s'])} times the service was not back within "
                f"{back_within_s:g} s: {max(late):.1f} s at worst"
            )
        return case

    yield timed(killed)


def faults(folder: Path, how: CrashKeys, transport: Kind, fault_s: float) -> Iterator[Case]:
    """Everything that a platform stands on, broken, one thing after another."""
    from experiments.firewall.faults import FAULTS

    for name, fault in FAULTS.items():

        def broken(name: str = name, fault: Any = fault) -> Case:
            return case_of("faults", name.replace("_", " "), fault(folder / name, how, transport, fault_s))

        yield timed(broken)


_FIGURES: Final = (
    "accounts", "back_s", "back_each_s", "back_processor_s", "load_average", "stimuli", "in_flight", "stops",
    "orders", "asked", "asked_within_ms", "campaigns", "workers", "kills", "while_starting", "at_reply",
)  # fmt: skip


def case_of(group: str, name: str, found: Mapping[str, Any]) -> Case:
    """From what a harness says of itself."""
    if "skipped" in found:
        return Case(group, name, found["tried"], 0, outcome="skipped", said=[found["skipped"]])
    violated = dict(found["violations"])
    said = [
        f"{f['rule']}: {f['msisdn']} from {f['source']}: {f['said']}" for f in found.get("findings", [])[:5]
    ]
    told = found.get("accounts")
    if told is not None and told["lost"]:
        violated["trigger not accounted for"] = told["lost"]
        said += told["lost_listed"][:5]
    said += found.get("faults", [])
    if violated and not said:
        said = [f"{what}: {n}" for what, n in violated.items()]
    if not found["tries"]:
        said.append("nothing was tried")
    figures = {key: found[key] for key in _FIGURES if key in found}
    return Case(
        group,
        name,
        found["tried"],
        found["tries"],
        found.get("contacts", 0),
        violated,
        said=said,
        figures=figures,
    )
