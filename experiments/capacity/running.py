"""Studies of kind capacity: knees one after another, runs below them, and what follows from all of it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import sigtran
from experiments.capacity.concluding import conclude, probe_row, write_probes
from experiments.capacity.keeping import Keeper, KeptProbe
from experiments.capacity.knee import Knee, Try, find
from experiments.capacity.levels import ProbeResult, least_triggers
from experiments.capacity.measured import Found, Measured
from experiments.capacity.probing import PlatformProbe
from experiments.capacity.town import Town, extra_campaigns
from experiments.capacity_study import Keys
from experiments.folder import RunFolder, machine, write_json
from experiments.latency.phase import Terms
from experiments.latency.usage import Cores, cores_of
from experiments.problems import RunInvalid, relative
from experiments.progress import Display
from experiments.rehearsal.world import expect
from experiments.running.begin import begin, rerun_line
from experiments.running.stopping import Stopping
from experiments.study import Limits, LoadedStudy
from sigtran.transport import Kind
from sim.scenario import load_world

__all__ = ["run_study"]

SUMMARY_SCHEMA: Final = "kairos.capacity/1"
DRAWN_SCHEMA: Final = "kairos.capacity-drawn/1"
SCRATCH: Final = "probes-"
"""Folders in that of a run that last as long as it is measured."""
Say = Callable[[str], None]


def run_study(loaded: LoadedStudy, keys: Keys, out: Path, arguments: Sequence[str]) -> int:
    """Runs the study; the exit code. Progress goes to standard error, the results to standard output."""
    started = time.monotonic()
    try:
        choice = sigtran.choose(keys.transport)
    except sigtran.TransportUnavailable as error:
        print(f"No transport for the signalling: {error}", file=sys.stderr)  # noqa: T201 - the command line
        return 1
    files = {"world": keys.world, "policy": keys.policy}
    files |= {"sizing world": keys.sizing.world}
    files |= {f"campaign {path.stem}": path for path in keys.campaigns}
    begun = begin(loaded, out, arguments, files)
    folder = begun.folder
    cores = cores_of() if keys.pin else None
    folder.update(cores=cores.as_json() if cores else {"apart": False, "why_not": "pin: false"})
    here = {**machine(), "cores": folder.manifest["cores"], "transport": choice.kind}
    keeper = Keeper.of(begun, here)
    measured, said, code = Measured(), [], 0
    with Stopping() as stopping:
        with Display() as display:
            display.note(
                f"{keys.study}: {relative(folder.path)}, seed {keys.seed}, signalling over {choice.kind}"
            )
            try:
                for left in folder.path.glob(f"{SCRATCH}*"):
                    shutil.rmtree(left)  # of a sitting that was killed
                with TemporaryDirectory(prefix=SCRATCH, dir=folder.path) as scratch:
                    site = _Site(keys, choice.kind, cores, Path(scratch), display.note, measured, keeper)
                    site.run()
                write_json(folder.path / "drawn.json", {"schema": DRAWN_SCHEMA, **site.drawn})
            except RunInvalid as error:
                said.append(str(error))
            except KeyboardInterrupt as interrupt:
                said.append(stopping.reason(interrupt))
                code = 130
            except BaseException as error:
                folder.finish([f"{type(error).__name__}: {error}"], whole=False)
                raise
        stopping.closing()
        transport = {"kind": choice.kind, "why": choice.why}
        closed = _close(folder, loaded, keys, measured, said, transport, keeper.sittings(folder), started)
    return code or closed


class _Site:
    """Where it is measured: towns by their number of people, each built once."""

    def __init__(
        self,
        keys: Keys,
        transport: Kind,
        cores: Cores | None,
        scratch: Path,
        say: Say,
        measured: Measured,
        keeper: Keeper,
    ) -> None:
        self._keys, self._transport, self._cores = keys, transport, cores
        self._scratch, self._say, self._measured, self._keeper = scratch, say, measured, keeper
        limits = Limits(start_s=keys.start_s, late_after_ms=keys.level.lagging_after_ms)
        self._terms = Terms(policy=keys.policy, lists=keys.lists, streams=keys.streams, limits=limits)
        self._towns: dict[int, Town] = {}
        self._said_of: dict[int, dict[str, Any]] = {}
        self._probes: dict[tuple[int, int, int, bool], PlatformProbe] = {}

    @property
    def drawn(self) -> dict[str, Any]:
        """What hangs on the seed alone, whatever the machine."""
        towns = {str(people): said["per_world_s"] for people, said in sorted(self._said_of.items())}
        return {
            "busy_hour_messages": self._measured.busy_hour_messages,
            "messages_per_world_s": towns,
        }

    def run(self) -> None:
        """Knees first, then what is measured at rates that hang on them."""
        keys, measured = self._keys, self._measured
        self._size()
        for workers, people in keys.configurations():
            measured.found.append(self._find(workers, people))
        base = measured.found[0].knee
        if keys.growth.repeats and base.rate_per_s:
            measured.growth_rate_per_s = base.rate_per_s * keys.growth.rate_share
            self._grow(measured.growth_rate_per_s)
        if len(keys.workers) > 1:
            self._scale()

    def _size(self) -> None:
        sizing = self._keys.sizing

        def lived() -> dict[str, Any]:
            self._say(f"sizing: {sizing.sample:,} people of {sizing.world.stem} live a day")
            scenario = load_world(sizing.world)
            day = expect(scenario, seed=self._keys.seed, sample=sizing.sample, memory_sample=0)
            return {"busy_hour_messages": day.busiest_messages_per_s * 3600 / scenario.subscribers}

        found = self._keeper.have("size", "", "size", lived)
        self._measured.busy_hour_messages = found["busy_hour_messages"]

    def _about(self, people: int) -> dict[str, Any]:
        """What the search must know of a town, which need not be built for it once that is known."""

        def asked() -> dict[str, Any]:
            town = self._town(people)
            most = town.most_per_s(self._keys.search.seconds)
            return {"per_world_s": town.per_world_s, "most_per_s": most}

        if people not in self._said_of:
            self._said_of[people] = self._keeper.have("town", str(people), f"town/{people}", asked)
        return self._said_of[people]

    def _town(self, people: int) -> Town:
        if people not in self._towns:
            self._say(f"{people:,} people: building the world")
            folder = self._scratch / f"town-{people}"
            self._towns[people] = Town(
                self._terms, self._keys.world, people, self._keys.seed, folder, self._transport
            )
        return self._towns[people]

    def _probe(self, workers: int, people: int, campaigns: int = 0, *, free: bool = False) -> PlatformProbe:
        """`campaigns` at least as many as are judged; `free`: nobody is bound to a processor."""
        key = (workers, people, campaigns, free)
        if key not in self._probes:
            self._probes[key] = self._made(workers, people, campaigns, free=free)
        return self._probes[key]

    def _made(self, workers: int, people: int, campaigns: int, *, free: bool) -> PlatformProbe:
        town = self._town(people)
        extra = max(0, campaigns - len(self._keys.campaigns))
        beside = extra_campaigns(extra, town.site, self._scratch / f"campaigns-{people}-{extra}")
        cores = None if free else self._cores
        folder = self._scratch / f"probes-{workers}-{people}-{campaigns}-{int(free)}"
        quiet = (self._keys.level.others_share, self._keys.search.quiet_wait_s)
        return PlatformProbe(town, self._keys.campaigns, beside, workers, cores, folder, quiet)

    def _find(self, workers: int, people: int) -> Found:
        keys, name = self._keys, f"{workers}x{people}"
        probe = KeptProbe(self._keeper, name, lambda: self._probe(workers, people))
        named = f"{workers} worker{'s' if workers > 1 else ''}, {people:,} people"
        most = min(keys.search.most_rate_per_s, self._about(people)["most_per_s"])
        self._say(f"{named}: closed probe")
        search = keys.search.model_copy(update={"most_rate_per_s": most})
        knee = find(probe, search, keys.level, keys.seed, lambda one: self._say(f"{named}: {told(one)}"))
        self._say(
            f"{named}: knee {knee.status}: "
            f"holds at {knee.rate_per_s:,.0f}/s, breaks at {knee.breaks_at_per_s:,.0f}/s"
        )
        runs = []
        for number, share in enumerate(keys.loads if knee.rate_per_s else ()):
            rate = share * knee.rate_per_s
            seconds = self._long_enough(rate, keys.load_seconds, knee)
            found = probe.phase("run", f"{name}/run-{number}", rate, seconds, keys.seed + 1000 + number)
            runs.append((share, found))
            self._say(f"{named}: {share:.0%} of the knee: {_figures(found, keys.level.percentile)}")
        return Found(workers, people, knee, tuple(runs))

    def _long_enough(self, rate: float, seconds: float, knee: Knee) -> float:
        """So long that the triggers of probes at the knee suffice for the percentile here too."""
        tries = [t.result for t in knee.tries if t.result.triggers and "broke_off" not in t.result.notes]
        if not tries:
            return seconds
        share = sum(t.triggers for t in tries) / sum(t.messages for t in tries)
        return max(
            seconds, min(1.3 * least_triggers(self._keys.level.percentile) / (share * rate), 20 * seconds)
        )

    def _grow(self, rate: float) -> None:
        """Cost at one rate over numbers of people and of campaigns, and over rates by the runs there are."""
        keys, growth = self._keys, self._measured.growth
        workers, people, campaigns = keys.workers[0], keys.subscribers[0], keys.active_campaigns[0]
        axes = {
            "subscribers": [(n, (n, campaigns)) for n in keys.subscribers],
            "campaigns": [(n, (people, n)) for n in keys.active_campaigns],
        }
        known: dict[tuple[int, int], list[ProbeResult]] = {}
        for repeat in range(keys.growth.repeats):
            for axis, values in axes.items():
                for value, (n_people, n_campaigns) in values if len(values) > 1 else ():
                    done = known.setdefault((n_people, n_campaigns), [])
                    if len(done) <= repeat:
                        probe = KeptProbe(
                            self._keeper, "", partial(self._probe, workers, n_people, n_campaigns)
                        )
                        key = f"growth/{n_people}-{n_campaigns}-{repeat}"
                        seed = keys.seed + 2000 + repeat
                        done.append(probe.phase("growth", key, rate, keys.search.seconds, seed))
                        cost = done[-1].cost_us
                        said = "not measured" if cost is None else f"{cost:.1f} us a message"
                        self._say(
                            f"growth: {n_people:,} people, {n_campaigns} campaigns at {rate:,.0f}/s: {said}"
                        )
                    growth.setdefault(axis, []).append((float(value), done[repeat]))
        base = self._measured.found[0]
        growth["load"] = [(result.rate_per_s, result) for _, result in base.runs]
        growth["load"] += [(rate, result) for result in known.get((people, campaigns), [])]

    def _scale(self) -> None:
        keys = self._keys
        for number in range(keys.scaling.rounds):
            # A round is kept whole: its probes are compared with one another, so they belong together.
            rated = self._keeper.have("round", "", f"scaling/{number}", partial(self._round, number))
            found = {workers: float(rated[str(workers)]) for workers in keys.workers}
            self._measured.rounds.append(found)
            rates = ", ".join(f"{workers}: {found[workers]:,.0f}/s" for workers in keys.workers)
            self._say(f"scaling, round {number + 1} of {keys.scaling.rounds}: {rates}")

    def _round(self, number: int) -> dict[str, Any]:
        keys, found = self._keys, {}
        for workers in keys.workers if number % 2 == 0 else keys.workers[::-1]:
            probe = self._probe(workers, keys.subscribers[0], free=True)
            seed = keys.seed + 3000 + number
            found[str(workers)] = probe.closed(keys.search.outstanding, keys.scaling.seconds, seed)
        return found


def told(one: Try) -> str:
    """A probe in one line."""
    verdict = one.verdict
    broke = f" by {', '.join(verdict.broke)}" if verdict.broke else ""
    others = f"; others had {one.result.others_share:.0%} of the machine" if verdict.disturbed else ""
    off = one.result.notes.get("broke_off")
    value = "" if verdict.value_ms is None else f", {verdict.value_ms:,.1f} ms"
    said = (
        f"{one.ask.rate_per_s:,.0f}/s for {one.result.seconds:.0f} s: {verdict.outcome}{broke}{value}{others}"
    )
    return f"{said} ({off})" if off else said


def _figures(found: ProbeResult, percentile: Any) -> str:
    value = found.quantile_ms(percentile)
    return f"{found.triggers:,} triggers, {percentile} " + (
        "refused" if value is None else f"{value:,.1f} ms"
    )


def _close(
    folder: RunFolder,
    loaded: LoadedStudy,
    keys: Keys,
    measured: Measured,
    said: list[str],
    transport: dict[str, str],
    sittings: list[dict[str, Any]],
    started: float,
) -> int:
    """Writes tables, summary and page, tells them; the exit code."""
    rows = [
        probe_row(found.workers, found.subscribers, one.ask.why, one.result, one.verdict)
        for found in measured.found
        for one in found.knee.tries
    ]
    rows += [
        probe_row(found.workers, found.subscribers, "run", result, keys.level.judge(result))
        for found in measured.found
        for _, result in found.runs
    ]
    write_probes(folder.path, rows)
    if not measured.found:
        said = said or ["no knee was looked for to the end"]
        folder.finish(said, whole=False)
        print("\n".join(["The run is not valid:", *(f"  {reason}" for reason in said)]))  # noqa: T201
        return 3
    results, why = conclude(keys, measured, processors=_processors(folder.manifest["cores"]))
    reasons = [*said, *why]
    folder.finish(reasons, whole=not said)
    summary = {
        "schema": SUMMARY_SCHEMA,
        "study": keys.study,
        "kind": keys.kind,
        "title": keys.title,
        "seed": keys.seed,
        "valid": not reasons,
        "invalid_reasons": reasons,
        "transport": transport,
        "world": keys.world.stem,
        "campaigns": [path.stem for path in keys.campaigns],
        "results": results,
        "sittings": sittings,
        "time": {
            "started": folder.manifest["started"],
            "ended": folder.manifest["ended"],
            "wall_s": round(time.monotonic() - started, 1),
        },
        "rerun": rerun_line(loaded),
    }
    write_json(folder.path / "summary.json", summary)
    from reports.capacity import screen, write_report

    page = write_report(folder.path)
    sys.stdout.write(screen(folder.path) + f"\nReport: {relative(page)}\n")
    return 3 if reasons else 0


def _processors(cores: dict[str, Any]) -> int:
    """Of the platform."""
    return len(cores["platform"]) if cores.get("apart") else (os.cpu_count() or 1)
