"""One arm of an end-to-end study, in a process of its own.

    python -m experiments.arm RUN_DIR ARM

Builds the world, starts the platform, drives both in lockstep to the end of the last day, and turns what is
left into the arm's records. Whatever happens, what was recorded until then is written.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import sigtran
from experiments.arm_records import CaptureWindow, Recorder
from experiments.arm_results import ArmFacts, results
from experiments.capture import tap_of
from experiments.folder import write_json
from experiments.hosts import Host, blamed, ended, host
from experiments.inputs import (
    ArmFiles,
    BlanketTarget,
    ListDraw,
    append_opt_outs,
    arm_files,
    blanket_targets,
    draw_lists,
    eligible_set,
    world_files,
)
from experiments.link import SignallingLink
from experiments.lockstep import Lockstep
from experiments.platform_records import take_over
from experiments.problems import RunInvalid
from experiments.study import Limits, Study, load_study
from experiments.worker import Stopped, say, wait_for_word, work
from marketing.campaigns import Campaign
from marketing.campaigns import load as load_campaign
from reports.records import read
from sigtran import Association
from sigtran.transport import Kind
from sim.backoffice.accounts import accounts_of
from sim.backoffice.boss import Boss, BossDoor, Customer, asgi_app
from sim.backoffice.mmsc import Mmsc
from sim.backoffice.smsc_door import SmscDoor
from sim.run import Run, build
from sim.scenario import DAY_US, WorldScenario, load_world
from sim.subscribers.response import ResponseModel
from sim.world import World
from smpp.text import decode_text

__all__ = [
    "HOST",
    "PASSWORD",
    "SYSTEM_ID",
    "Job",
    "Simulation",
    "boss_of",
    "connect",
    "introduce",
    "linked",
    "lived",
    "load_job",
    "memory_doors",
    "mms_keys",
    "of_day_us",
    "smsc_door",
    "stop_codes",
    "utc_offset_quarters",
]

HOST: Final = "127.0.0.1"
SYSTEM_ID: Final = "kairos"
PASSWORD: Final = "kairos"


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is told: the run's folder and the study with its settings."""

    run_dir: Path
    study: Study
    transport: Kind
    world_settings: Mapping[str, Any] = field(default_factory=dict)
    """Dotted keys laid over the world file."""


def load_job(run_dir: Path) -> Job:
    """Reads the job that the parent left in the run's folder."""
    job = json.loads((run_dir / "job.json").read_text(encoding="utf-8"))
    loaded = load_study(Path(job["study"]), job["overrides"])
    return Job(run_dir, loaded.keys, job["transport"])


def boss_of(extract: Mapping[str, Sequence[Any]], world: World | None = None) -> Boss:
    """BOSS with the customers of the extract, and what is on their accounts in the world."""
    names = ("msisdn", "imsi", "brand", "language", "often_off", "often_rejects")
    rows = zip(extract["customer"], extract["services"], *(extract[name] for name in names), strict=True)
    customers = (
        replace(Customer(*values), services=tuple(held)) for customer, held, *values in rows if customer
    )
    return Boss(customers, None if world is None else accounts_of(world))


def connect(ready: dict[str, Any], streams: int) -> Association:
    """The signalling association to a platform that has said where it listens.

    Raises:
        RunInvalid: nobody answers there.
    """
    at = ready["collector"]
    try:
        return sigtran.connect(
            at["transport"], at["host"], at["port"], encap_port=at["encap_port"], streams=streams
        )
    except sigtran.TransportError as error:
        raise RunInvalid(f"no association to the platform: {error}") from None


class LinkKeys(Protocol):
    """What of a study an association hangs on."""

    @property
    def limits(self) -> Limits: ...
    @property
    def streams(self) -> int: ...


@contextmanager
def linked(
    platform: Host,
    centre: SmscDoor,
    study: LinkKeys,
    tick_us: int = 0,
    on_ready: Callable[[dict[str, Any]], None] = lambda ready: None,
) -> Iterator[SignallingLink]:
    """The association to a platform that has been started, with traffic allowed and the SMSC bound to.

    `on_ready` is told where the platform's doors are.

    Raises:
        RunInvalid: it was not ready in time; a `PlatformEnded` where it has ended.
    """
    limit_s = study.limits.start_s
    with ExitStack() as stack:
        with blamed(platform):
            ready = platform.wait_ready(limit_s)
            on_ready(ready)
            link = SignallingLink(connect(ready, study.streams), tick_us=tick_us, on_wait=platform.check)
            stack.callback(link.close)
            link.bring_up()
            deadline = time.monotonic() + limit_s
            while not centre.wait_bound(0.2):
                platform.check()
                if time.monotonic() > deadline:
                    raise RunInvalid(f"the platform did not bind to the SMSC within {limit_s:g} s")
        yield link


class Simulation:
    """`sim.run.Run` as the lockstep driver wants it, its sink the recorder."""

    def __init__(self, run: Run, recorder: Recorder) -> None:
        self._run = run
        self._recorder = recorder

    def step(self) -> int:
        return self._run.step()

    def drain(self) -> Sequence[Any]:
        return self._recorder.drain()

    def outgoing(self) -> Sequence[Any]:
        return self._run.outgoing()

    def inject(self, submits: Sequence[Any], cancels: Sequence[Any], t_us: int) -> None:
        self._run.inject(submits, cancels, t_us)

    def outgoing_mms(self) -> Sequence[Any]:
        return self._run.outgoing_mms()

    def inject_mms(self, submits: Sequence[Any], cancels: Sequence[Any], t_us: int) -> None:
        self._run.inject_mms(submits, cancels, t_us)


def run_arm(arguments: list[str]) -> dict[str, Any]:
    """The worker's job: RUN_DIR ARM."""
    return lived(load_job(Path(arguments[0])), arguments[1])


def lived(job: Job, arm: str) -> dict[str, Any]:
    """Lives through an arm in this process, which must be a worker; its results."""
    return _Arm(job, arm).run()


class _Arm:
    """One arm from its world to its records."""

    def __init__(self, job: Job, arm: str) -> None:
        self.began = time.monotonic()
        self.job, self.study, self.arm = job, job.study, arm
        self.folder = job.run_dir / "arms" / arm
        self.scenario = load_world(self.study.world, job.world_settings)
        self.world = build(self.scenario, self.study.seed)
        self.extract = world_files(self.world, self.folder / "inputs")
        self.drawn: ListDraw = draw_lists(self.study.lists, self.world.draws, self.world.n)
        self.eligible = eligible_set(self.study.eligible, self.extract, self.drawn)
        self.end_us = self.study.days * DAY_US
        self.boss = boss_of(self.extract, self.world)
        self.campaigns = [load_campaign(path) for path in self.study.campaigns]
        self.opt_outs: list[tuple[str, int]] = []

    def run(self) -> dict[str, Any]:
        if self.arm == "blanket":
            wait_for_word()  # that the precise arm's pattern of contacts is there
        study, memory = self.study, self.job.transport == "memory"
        failure: RunInvalid | Stopped | None = None
        with ExitStack() as stack:
            recorder = Recorder(self._capture(stack))
            centre = stack.enter_context(smsc_door(self.scenario, memory))
            url = "http://boss" if memory else stack.enter_context(BossDoor(self.boss, HOST)).url
            mmsc = self._mmsc(stack)
            files = self._files(centre, url, mmsc)
            doors = memory_doors(centre, self.boss) if memory else None
            platform = stack.enter_context(host(files.config, self.folder / "platform.log", doors))
            link = stack.enter_context(
                linked(platform, centre, study, study.tick_s * 1_000_000, partial(introduce, mmsc))
            )
            lockstep = Lockstep(
                Simulation(self._simulation(recorder), recorder),
                link,
                centre,
                self.end_us,
                barrier_s=study.limits.barrier_s,
                limit_s=study.limits.arm_s,
                on_progress=self._progress,
                on_tick=self._note_opt_outs,
                multimedia=mmsc,
            )
            try:
                with blamed(platform):
                    lockstep.run()
            except (RunInvalid, Stopped) as error:
                failure = error
            # The platform first: the end of the association would be a loss to it.
            try:
                ended(platform)
            except RunInvalid as error:
                failure = failure or error
        platform_records = take_over(files.records, self.folder)
        say("stage", name="triggers")
        append_opt_outs(files.do_not_disturb, self.opt_outs, ZoneInfo(self.scenario.timezone))
        facts = ArmFacts(
            study=study,
            world=self.world,
            folder=self.folder,
            platform=platform_records,
            policy=files.policy,
            extract=self.extract,
            eligible=self.eligible,
            boss=self.boss,
            end_us=self.end_us,
            costs={c.campaign: c.cost for c in self.campaigns},
            offers={c.campaign: c.offer for c in self.campaigns},
        )
        found = results(facts, recorder, lockstep.spent)
        found["wall_s"] = round(time.monotonic() - self.began, 2)
        found["cpu_s"] = cpu_s()
        write_json(self.folder / "result.json", found)
        if failure is not None:
            raise failure
        return found

    def _simulation(self, recorder: Recorder) -> Run:
        return Run(
            self.world,
            sink=recorder,
            tick_us=self.study.tick_s * 1_000_000,
            end_us=self.end_us,
            responses=ResponseModel(self.world, self.study.offers),
            originators={c.originator: c.offer for c in self.campaigns if c.originator},
            boss=self._organic,
        )

    def _organic(self, sub: int, offer: str, t_us: int) -> None:
        """Somebody orders at a hall or a desk, without having been asked."""
        if self.extract["customer"][sub]:  # nobody else can order anything here
            self.boss.organic(self.extract["msisdn"][sub], offer, self.scenario.epoch_unix_us + t_us)

    def _mmsc(self, stack: ExitStack) -> Mmsc | None:
        """The multimedia message centre, where a campaign asks for it: MM7 goes over real HTTP always."""
        if self.arm == "control" or not any("mms" in c.channels for c in self.campaigns):
            return None
        return stack.enter_context(
            Mmsc(
                HOST,
                vaspid=SYSTEM_ID,
                user=SYSTEM_ID,
                password=PASSWORD,
                epoch_unix_us=self.scenario.epoch_unix_us,
            )
        )

    def _files(self, centre: SmscDoor, boss_url: str, mmsc: Mmsc | None) -> ArmFiles:
        study = self.study
        campaigns, group = study.campaigns, None
        if self.arm == "control":
            campaigns = []
        elif self.arm == "blanket":
            group = self._blanket()
        return arm_files(
            self.folder,
            self.folder / "inputs",
            study,
            self.scenario,
            self.drawn,
            self.extract,
            campaigns,
            clock={"mode": "lockstep", "tick_s": study.tick_s},
            collector={
                "transport": self.job.transport,
                "host": HOST,
                "port": 0,
                "encap_port": 0,
                "streams": study.streams,
            },
            smpp={"host": HOST, "port": centre.port, "system_id": SYSTEM_ID, "password": PASSWORD},
            boss_url=boss_url,
            group=group,
            channels={} if mmsc is None else {"mms": mms_keys(mmsc.url)},
        )

    def _blanket(self) -> list[BlanketTarget]:
        """The precise arm's pattern, on others."""
        path = self.job.run_dir / "arms" / "precise" / "triggers.parquet"
        table = read(path, ["campaign", "msisdn", "decided_us", "state"])
        sent = [
            (row["campaign"], row["msisdn"], (row["decided_us"] - self.scenario.epoch_unix_us) // DAY_US + 1)
            for row in table.to_pylist()
            if row["state"] == "sent"
        ]
        return blanket_targets(sent, self.eligible, self.extract, self.world.draws)

    def _capture(self, stack: ExitStack) -> CaptureWindow | None:
        keys = self.study.capture
        if keys is None or self.arm != captured_arm(self.study):
            return None
        path = self.job.run_dir / "capture.pcapng"
        tap = stack.enter_context(tap_of(path, self.world, streams=self.study.streams))
        day_us = (keys.day - 1) * DAY_US
        return CaptureWindow(tap.write, day_us + of_day_us(keys.from_), day_us + of_day_us(keys.to))

    def _progress(self, t_us: int, messages: int) -> None:
        say("progress", t_us=t_us, start_us=0, end_us=self.end_us, messages=messages)

    def _note_opt_outs(self, t_us: int, delivered: Sequence[Any]) -> None:
        """Stop codes count from the moment at which the platform has confirmed them."""
        for msisdn in stop_codes(self.campaigns, delivered):
            self.opt_outs.append((msisdn, self.scenario.epoch_unix_us + t_us))


def stop_codes(campaigns: Sequence[Campaign], delivered: Sequence[Any]) -> Iterator[str]:
    """Who answers a campaign with a stop code of its, among messages to the platform; MSISDNs."""
    for message in delivered:
        if message.kind == "reply":
            text = decode_text(message.data, message.data_coding).strip().upper()
            words = {
                w.upper() for c in campaigns if c.originator == message.destination for w in c.reply.stop
            }
            if text in words:
                yield message.source


def mms_keys(url: str) -> dict[str, Any]:
    """The platform's keys for a centre."""
    return {
        "url": url,
        "vaspid": SYSTEM_ID,
        "user": SYSTEM_ID,
        "password": PASSWORD,
        "host": HOST,
        "port": 0,
    }


def introduce(mmsc: Mmsc | None, ready: dict[str, Any]) -> None:
    """Tells the centre where the platform takes its reports."""
    if mmsc is not None:
        mmsc.reports_to(f"http://{HOST}:{ready['channels']['mms']}/")


def cpu_s() -> dict[str, float]:
    """Processor time of this process and of its children that have ended, seconds."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "simulator": round(own.ru_utime + own.ru_stime, 2),
        "platform": round(children.ru_utime + children.ru_stime, 2),
    }


def captured_arm(study: Study) -> str:
    """The arm whose signalling is captured: the one with the marketing messages in it, where there is one."""
    return "precise" if "precise" in study.arms else study.arms[0]


def of_day_us(text: str) -> int:
    """Microseconds of the day at a local time."""
    hours, minutes = text.split(":")
    return (int(hours) * 60 + int(minutes)) * 60_000_000


def smsc_door(scenario: WorldScenario, memory: bool) -> SmscDoor:
    """The SMSC's door; with `memory` it listens nowhere."""
    return SmscDoor(
        None if memory else HOST,
        0,
        SYSTEM_ID,
        PASSWORD,
        time.monotonic_ns,
        epoch_unix_us=scenario.epoch_unix_us,
        utc_offset_quarters=utc_offset_quarters(scenario),
    )


def utc_offset_quarters(scenario: WorldScenario) -> int:
    """The world's zone, in quarters of an hour."""
    offset = datetime(
        scenario.epoch.year, scenario.epoch.month, 1, tzinfo=ZoneInfo(scenario.timezone)
    ).utcoffset()
    return 0 if offset is None else offset // timedelta(minutes=15)


def memory_doors(centre: SmscDoor, boss: Boss) -> Any:
    """Ends of both doors to hand to a platform in this process."""
    import httpx

    from marketing.server import Doors

    return Doors(smpp_socket=centre.socket(), boss_transport=httpx.ASGITransport(asgi_app(boss)))


if __name__ == "__main__":
    work(run_arm)
