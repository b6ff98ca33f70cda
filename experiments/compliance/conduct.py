"""Runs a study of kind compliance: the life, then races, kills and faults of the same policy."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from experiments.compliance.casting import Cast, cast, overshoots, ten_o_clock_us
from experiments.compliance.life import ARM, live
from experiments.compliance.measures import measured
from experiments.compliance_study import Keys
from experiments.firewall.cases import Case, crashes, faults, races, timed, told
from experiments.folder import now, write_json
from experiments.problems import RunInvalid, relative
from experiments.progress import Display
from experiments.running.begin import Begun, begin
from experiments.running.ending import early_end, summary_of
from experiments.running.executor import InProcess
from experiments.running.kept import Kept
from experiments.study import LoadedStudy

if TYPE_CHECKING:
    from experiments.firewall.crash import CrashKeys
    from sigtran.transport import Kind

__all__ = ["run_study"]

SUMMARY_SCHEMA: Final = "kairos.compliance/1"


def run_study(loaded: LoadedStudy, keys: Keys, out: Path, arguments: Sequence[str]) -> int:
    """Runs the study; the exit code. Progress goes to standard error, the results to standard output."""
    from marketing.campaigns import load

    files = {"world": keys.world, "policy": keys.policy}
    files |= {f"campaign {path.stem}": path for path in keys.campaigns}
    run = begin(loaded, out, arguments, files)
    folder = run.folder
    conduct = _Conduct(loaded, keys, run, [(path, load(path)) for path in keys.campaigns])
    with early_end(conduct.close), Display() as display:
        display.note(f"{keys.study}: {relative(folder.path)}, seed {keys.seed}")
        for name in keys.groups:
            conduct.take(name, display)
    reasons = conduct.close([])
    from reports.compliance import screen, write_report

    page = write_report(folder.path)
    sys.stdout.write(screen(folder.path) + f"\nReport: {relative(page)}\n")
    return 3 if reasons else 0


@dataclass(frozen=True, slots=True)
class _Group:
    """What decides a group that is one job."""

    group: str
    keys: Keys


class _Conduct:
    """A study under way: its cases, and what its life came to."""

    def __init__(
        self, loaded: LoadedStudy, keys: Keys, run: Begun, campaigns: Sequence[tuple[Path, Any]]
    ) -> None:
        from sim.scenario import load_world

        self.loaded, self.keys, self.run, self.campaigns = loaded, keys, run, campaigns
        self.folder = run.folder
        self.world = load_world(keys.world, keys.world_settings)
        self.began = time.monotonic()
        self.cases: list[Case] = []
        self.life: dict[str, Any] | None = None
        from_us = ten_o_clock_us(self.world.epoch_unix_us, self.world.timezone)
        self.cast: Cast = cast(keys.policy, campaigns, from_us)

    def take(self, group: str, display: Display) -> None:
        """The cases of one more group; written down at once. A run that is gone on with may have them."""

        def whole(job: _Group) -> dict[str, Any]:
            folder = self.folder.path / job.group
            shutil.rmtree(folder, ignore_errors=True)  # what was left when the run was broken off
            cases = _GROUPS[job.group](self, folder, display)
            told_of = [asdict(self._told(case, display)) for case in cases]
            return {"cases": told_of, "life": self.life if job.group == "life" else None}

        kept = Kept(self.run.kept.folder, InProcess())
        try:
            ((_, found),) = kept.map(whole, [_Group(group, self.keys)], key=lambda job: f"group/{job.group}")
        except RunInvalid as error:
            broken = Case(group, group, "nothing to its end", 0, said=[str(error)])
            found = {"cases": [asdict(self._told(broken, display))], "life": None}
        self.cases += [Case(**case) for case in found["cases"]]
        self.life = found["life"] or self.life
        self._write([])

    def _told(self, case: Case, display: Display) -> Case:
        if case.outcome != "skipped" and case.said:
            case.outcome = "failed"
        display.note(f"{case.outcome:8} {case.group}: {case.name}: {told(case)}")
        return case

    def close(self, reasons: Sequence[str], *, whole: bool = True) -> list[str]:
        """Closes the run; why it is not passed."""
        failed = [f"{c.group}: {c.name}: {'; '.join(c.said)}" for c in self.cases if c.outcome == "failed"]
        found = [*reasons, *failed]
        if not found and all(case.outcome == "skipped" for case in self.cases):
            found.append("nothing was tried: every case was skipped")
        self._write(found, ended=now())
        self.folder.finish(found, whole=whole)
        return found

    # ---- groups

    def _life(self, _folder: Path, display: Display) -> Iterator[Case]:
        import sigtran

        transport = sigtran.choose(self.keys.transport).kind

        def lived() -> Case:
            path = self.folder.path
            shutil.rmtree(path / "arms", ignore_errors=True)
            result = live(self.loaded, path, transport, display.event)
            found = measured(
                path,
                path / "arms" / ARM,
                [campaign for _, campaign in self.campaigns],
                self.world.epoch_unix_us,
                self.keys.days,
                self.keys.near_s,
            )
            self.life = {
                **{key: result[key] for key in ("signalling", "triggers", "world_subscribers", "timezone")},
                "transport": transport,
                **found,
            }
            return self._judged(result, found)

        yield timed(lived)
        display.close("life")

    def _judged(self, result: Mapping[str, Any], found: Mapping[str, Any]) -> Case:
        audit, total = found["audit"], result["triggers"]["total"]
        tried = f"{self.keys.days} days of {result['world_subscribers']} people, {total} triggers"
        violated = {rule: n for rule, n in audit["violations"].items() if n}
        said = [f"{f['rule']}: {f['msisdn']} from {f['source']}: {f['said']}" for f in audit["findings"][:5]]
        said += result["invalid"]
        lost = result["signalling"]["lost"]
        said += [f"{lost} of {result['signalling']['generated']} messages were lost"] if lost else []
        case = Case("life", "life", tried, total, audit["contacts"], violated, said=said)
        case.figures = {"days": self.keys.days, "people": result["world_subscribers"]}
        if not audit["contacts"] and not said:
            case.outcome, case.said = "skipped", ["nobody was contacted"]
            case.figures["why"] = "no_contact"
        return case

    def _races(self, folder: Path, _display: Display) -> Iterator[Case]:
        from experiments.firewall.race import RaceKeys

        course = self.cast.course
        if course is None or len(course.racers) < 2:
            why = "never_open" if self.cast.never_open else "one_campaign"
            yield _skipped("races", "one ledger, SQLite", why)
            return
        rule = overshoots(course, folder / "all-at-once")
        if not rule:
            yield _skipped("races", "one ledger, SQLite", "no_overshoot")
            return
        workers = min(self.keys.race.workers, len(course.racers))
        how = RaceKeys(workers, len(course.racers), self.keys.race.rounds)
        yield from races(folder, how, course, rule)

    def _crashes(self, folder: Path, display: Display) -> Iterator[Case]:
        found = self._kill_keys()
        if found is None:
            yield self._not_played("crashes", "SIGKILL")
            return
        how, transport = found
        for case in crashes(folder, how, transport, self.keys.kills.back_within_s, display.note):
            yield _with_contacts(case)

    def _faults(self, folder: Path, _display: Display) -> Iterator[Case]:
        found = self._kill_keys()
        if found is None:
            yield self._not_played("faults", "faults")
            return
        how, transport = found
        for case in faults(folder, how, transport, self.keys.kills.fault_s):
            yield _with_contacts(case)

    def _kill_keys(self) -> tuple[CrashKeys, Kind] | None:
        import sigtran
        from experiments.firewall.crash import CrashKeys

        if self.cast.played is None:
            return None
        asked, kills = self.keys.transport, self.keys.kills
        transport = sigtran.choose("auto" if asked == "memory" else asked).kind
        how = CrashKeys(
            kills=kills.kills,
            stimuli_per_s=kills.stimuli_per_s,
            subscribers=kills.subscribers,
            seed=self.keys.seed,
            played=self.cast.played,
        )
        return how, transport

    def _not_played(self, group: str, name: str) -> Case:
        return _skipped(group, name, "never_open" if self.cast.never_open else "no_campaign")

    # ---- the summary

    def _write(self, reasons: Sequence[str], ended: str | None = None) -> None:
        keys = self.keys
        contacts = 0 if self.life is None else self.life["audit"]["contacts"]
        outcomes = Counter(case.outcome for case in self.cases)
        totals = {
            "cases": len(self.cases),
            **{word: outcomes[word] for word in ("passed", "failed", "skipped")},
            "contacts": sum(c.contacts for c in self.cases),
        }
        summary = summary_of(
            self.folder, self.loaded, SUMMARY_SCHEMA, reasons,
            ended=ended, wall_s=time.monotonic() - self.began,
            policy=relative(keys.policy), days=keys.days, epoch=str(self.world.epoch), near_s=keys.near_s,
            groups=list(keys.groups), contacts={"received": contacts}, life=self.life,
            cases=[asdict(case) for case in self.cases],
            left_out=[asdict(one) for one in self.cast.left_out if self._asked(one.group)], totals=totals,
        )  # fmt: skip
        write_json(self.folder.path / "summary.json", summary)

    def _asked(self, group: str) -> bool:
        asked = self.keys.groups
        return "races" in asked if group == "races" else "crashes" in asked or "faults" in asked


_GROUPS: Final[Mapping[str, Callable[[_Conduct, Path, Display], Iterator[Case]]]] = {
    "life": _Conduct._life,
    "races": _Conduct._races,
    "crashes": _Conduct._crashes,
    "faults": _Conduct._faults,
}
"""Name of a group -> its cases."""
WHY: Final = {
    "no_contact": "nobody was contacted",
    "never_open": "the policy leaves no hours open long enough within a year",
    "one_campaign": "only one campaign could race",
    "no_overshoot": "all campaigns at once break no cap, gap or order of this policy: nothing to race for",
    "no_campaign": "no campaign has a scene that the acts of this place complete",
}
"""Why a case is skipped: a key of `why` in the page's catalogue, and in words for the terminal."""


def _skipped(group: str, name: str, why: str) -> Case:
    return Case(group, name, "nothing", 0, outcome="skipped", said=[WHY[why]], figures={"why": why})


def _with_contacts(case: Case) -> Case:
    """A case in which nobody was contacted proves nothing."""
    if case.outcome == "passed" and not case.contacts and not case.said:
        case.outcome, case.said = "skipped", [WHY["no_contact"]]
        case.figures["why"] = "no_contact"
    return case
