"""Studies of kind firewall: cases, each with what was tried and what was violated, and one answer.

A case is passed where handset records hold no violation, or, for a broken policy, where the audit finds it
under the rule that names it. What a machine lacks is said, and neither passed nor failed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from experiments.firewall.cases import SAY_EVERY_S, Case, Say, crashes, faults, races, timed, told
from experiments.firewall_study import Keys
from experiments.folder import RunFolder, now, write_json
from experiments.problems import relative
from experiments.progress import Display
from experiments.running.begin import Begun, begin
from experiments.running.ending import early_end, summary_of
from experiments.running.executor import Executor, InProcess, executor_of
from experiments.running.kept import Kept
from experiments.study import LoadedStudy

if TYPE_CHECKING:
    from experiments.audit import Audit
    from experiments.audit.parts import Parts
    from experiments.firewall.crash import CrashKeys
    from experiments.firewall.traffic import Traffic
    from sigtran.transport import Kind

__all__ = ["run_study"]

SUMMARY_SCHEMA: Final = "kairos.firewall/1"
JUDGED_SCHEMA: Final = "kairos.firewall-judged/1"
DRAWN: Final = ("boundaries", "mutants", "right")
"""Groups whose outcome is drawn from the seed; the others kill and break things at instants of the clock."""
CHUNK: Final = 5000
"""People of one part of the right policy's trial: nobody's contacts depend on anybody else's."""


def run_study(loaded: LoadedStudy, keys: Keys, out: Path, arguments: Sequence[str]) -> int:
    """Runs the study; the exit code. Progress goes to standard error, the results to standard output."""
    started = time.monotonic()
    run = begin(loaded, out, arguments, {})
    folder = run.folder
    cases: list[Case] = []
    with early_end(folder.finish), Display() as display:
        display.note(f"{keys.study}: {relative(folder.path)}, seed {keys.seed}")
        for case in _cases(keys, run, loaded.running.processes, display.note):
            cases.append(case)
            display.note(f"{case.outcome:8} {case.group}: {case.name}: {told(case)}")
            _write(folder, loaded, cases, [], time.monotonic() - started)
    reasons = [f"{c.group}: {c.name}: {'; '.join(c.said)}" for c in cases if c.outcome == "failed"]
    _write(folder, loaded, cases, reasons, time.monotonic() - started, ended=now())
    write_json(folder.path / "judged.json", {"schema": JUDGED_SCHEMA, "cases": judged_by_draws(cases)})
    folder.finish(reasons)
    from reports.firewall import screen, write_report

    page = write_report(folder.path)
    sys.stdout.write(screen(folder.path) + f"\nReport: {relative(page)}\n")
    return 3 if reasons else 0


def _write(
    folder: RunFolder,
    loaded: LoadedStudy,
    cases: list[Case],
    reasons: list[str],
    wall_s: float,
    ended: str | None = None,
) -> None:
    totals = {
        "cases": len(cases),
        **{word: sum(c.outcome == word for c in cases) for word in ("passed", "failed", "skipped")},
        "contacts": sum(c.contacts for c in cases),
    }
    summary = summary_of(
        folder, loaded, SUMMARY_SCHEMA, reasons, ended=ended, wall_s=wall_s,
        cases=[asdict(case) for case in cases], totals=totals,
    )  # fmt: skip
    write_json(folder.path / "summary.json", summary)


# --------------------------------------------------------------------------- the cases


@dataclass(frozen=True, slots=True)
class _Group:
    """What decides a group that is one job."""

    group: str
    keys: Keys


def _cases(keys: Keys, run: Begun, processes: int | None, say: Say) -> Iterator[Case]:
    """All cases in order; a run that is gone on with has those of groups that came to their end."""
    for group in keys.groups:
        folder = run.folder.path / group

        def whole(job: _Group, folder: Path = folder) -> list[dict[str, Any]]:
            shutil.rmtree(folder, ignore_errors=True)  # what was left when the run was broken off
            here = executor_of(processes)  # its parts leave files, which a cluster would not find
            return [asdict(case) for case in _GROUPS[job.group](job.keys, folder, here, say)]

        if group == "mutants":
            found = _mutants(keys, run.kept)
        else:
            kept = Kept(run.kept.folder, InProcess())
            ((_, cases),) = kept.map(whole, [_Group(group, keys)], key=lambda job: f"group/{job.group}")
            found = (Case(**case) for case in cases)
        for case in found:
            if case.outcome != "skipped" and case.said:
                case.outcome = "failed"
            yield case


def judged_by_draws(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Cases without what the clock has a part in."""
    names = ("group", "name", "tried", "tries", "contacts", "violated", "expected", "outcome", "said")
    return [{name: getattr(case, name) for name in names} for case in cases if case.group in DRAWN]


def _boundaries(_keys: Keys, folder: Path, _executor: Executor, _say: Say) -> Iterator[Case]:
    def judged() -> Case:
        from experiments.firewall.boundaries import wrong_cases

        tried, wrong = wrong_cases(folder)
        violated = {"judged wrongly": len(wrong)} if wrong else {}
        return Case(
            "boundaries",
            "the audit itself",
            f"{tried} cases at the edges of its rules",
            tried,
            0,
            violated,
            said=wrong,
        )

    yield timed(judged)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A policy, broken or right, and the traffic that it goes through."""

    name: str
    subscribers: int
    seed: int


def _mutants(keys: Keys, executor: Executor) -> Iterator[Case]:
    """In the order of the table, each as soon as those before it are there."""
    from experiments.firewall.mutants import MUTANTS
    from experiments.firewall.trial import Decision

    kinds: tuple[type[Decision], ...] = (Decision, *MUTANTS)
    jobs = [Mutant(kind.name, keys.mutant_subscribers, keys.seed) for kind in kinds]
    due = [_mutant_key(job) for job in jobs]
    found: dict[str, Case] = {}
    for name, case in executor.map(try_mutant, jobs, key=_mutant_key):
        found[name] = Case(**case)
        while due and due[0] in found:
            yield found.pop(due.pop(0))


def _mutant_key(job: Mutant) -> str:
    return f"mutants/{job.name.replace(' ', '-')}"


@cache
def _mutant_traffic(subscribers: int, seed: int) -> tuple[Traffic, tempfile.TemporaryDirectory[str], Path]:
    """Traffic and a policy's files, which the jobs of one process share; gone with the process."""
    from experiments.firewall.traffic import make_traffic, write_policy

    traffic = make_traffic(subscribers, seed)
    folder = tempfile.TemporaryDirectory(prefix="kairos-mutants-")
    return traffic, folder, write_policy(Path(folder.name), traffic)


def try_mutant(job: Mutant) -> dict[str, Any]:
    """The case of one policy."""
    from experiments.audit import audit, read_policy
    from experiments.firewall.mutants import MUTANTS
    from experiments.firewall.trial import Decision, try_decision

    traffic, _, file = _mutant_traffic(job.subscribers, job.seed)
    kinds: tuple[type[Decision], ...] = (Decision, *MUTANTS)
    (kind,) = (kind for kind in kinds if kind.name == job.name)

    def tried() -> Case:
        done = try_decision(kind(file, traffic), traffic, job.seed)
        assert done.parts is not None  # it has run
        found = audit(done.parts, read_policy(file))
        case = _judged("mutants", kind.name, f"{kind.why}; {done.triggers} triggers", done.triggers, found)
        case.expected = kind.rule
        if kind.rule:
            case.said = [] if case.violated.get(kind.rule) else [f"not caught under {kind.rule}"]
        return case

    return asdict(timed(tried))


def _judged(group: str, name: str, tried: str, tries: int, found: Audit) -> Case:
    violated = {rule: n for rule, n in found.by_rule.items() if n}
    said = [f"{f.rule}: {f.msisdn} from {f.source}: {f.said}" for f in found.findings[:5]]
    return Case(group, name, tried, tries, found.contacts, violated, said=said)


def _right(keys: Keys, folder: Path, executor: Executor, say: Say) -> Iterator[Case]:
    def tried() -> Case:
        from experiments.audit import audit
        from experiments.audit.policy import read_policy
        from experiments.firewall.parts import joined

        sizes = [CHUNK] * (keys.right_subscribers // CHUNK)
        sizes += [keys.right_subscribers % CHUNK] if keys.right_subscribers % CHUNK else []
        found: dict[int, Parts] = {}
        triggers, told_s = 0, time.monotonic()
        jobs = [
            Chunk(at, size, folder / f"{at}", at * CHUNK, keys.seed + at) for at, size in enumerate(sizes)
        ]
        for name, (parts, some) in executor.map(right_chunk, jobs, key=lambda job: f"right/{job.at}"):
            found[int(name.removeprefix("right/"))] = parts
            triggers += some
            if time.monotonic() - told_s > SAY_EVERY_S:
                told_s = time.monotonic()
                say(f"right: {len(found)} of {len(sizes)} parts of the trial")
        began = time.process_time()
        # Each part has lists of its own people; together they are the lists of all.
        policy = joined(folder, len(sizes))
        judged = audit(_together([found[at] for at in range(len(sizes))]), read_policy(policy))
        case = _judged("right", "the platform's own policy", f"{triggers} triggers", triggers, judged)
        case.figures = {"audit_processor_s": round(time.process_time() - began, 1)}
        return case

    yield timed(tried)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some of the people of the right policy's trial."""

    at: int
    subscribers: int
    folder: Path
    """Where its policy and lists are left."""
    first: int
    """Number of its first subscriber."""
    seed: int


def right_chunk(job: Chunk) -> tuple[Parts, int]:
    """A part of the right policy's trial: what its people received, and triggers."""
    from experiments.firewall.traffic import make_traffic, write_policy
    from experiments.firewall.trial import Decision, try_decision

    traffic = make_traffic(job.subscribers, job.seed, first=job.first)
    done = try_decision(Decision(write_policy(job.folder, traffic), traffic), traffic, job.seed)
    assert done.parts is not None  # it has run
    return done.parts, done.triggers


def _together(parts: list[Parts]) -> Parts:
    from experiments.firewall.parts import concatenated

    return concatenated(parts)


def _races(keys: Keys, folder: Path, _executor: Executor, _say: Say) -> Iterator[Case]:
    from experiments.firewall.race import RaceKeys

    return races(folder, RaceKeys(keys.race.workers, keys.race.campaigns, keys.race.rounds))


def _crash_keys(keys: Keys) -> tuple[CrashKeys, Kind]:
    import sigtran
    from experiments.firewall.crash import CrashKeys

    transport = sigtran.choose(keys.transport).kind
    return CrashKeys(kills=keys.kills, stimuli_per_s=keys.stimuli_per_s, seed=keys.seed), transport


def _crashes(keys: Keys, folder: Path, _executor: Executor, say: Say) -> Iterator[Case]:
    return crashes(folder, *_crash_keys(keys), keys.back_within_s, say)


def _faults(keys: Keys, folder: Path, _executor: Executor, _say: Say) -> Iterator[Case]:
    return faults(folder, *_crash_keys(keys), keys.fault_s)


_GROUPS: Final[Mapping[str, Callable[[Keys, Path, Executor, Say], Iterator[Case]]]] = {
    "boundaries": _boundaries,
    "right": _right,
    "races": _races,
    "crashes": _crashes,
    "faults": _faults,
}
"""Name of a group -> its cases; the broken policies are jobs of their own."""
