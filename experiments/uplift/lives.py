"""The three ways in which an arm is lived: by behaviours, by signalling, or, nobody contacted, not at all."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Final

from experiments.arm import (
    HOST,
    PASSWORD,
    SYSTEM_ID,
    Simulation,
    introduce,
    linked,
    memory_doors,
    mms_keys,
    smsc_door,
    utc_offset_quarters,
)
from experiments.arm_records import Recorder
from experiments.audit import RULES
from experiments.hosts import blamed, ended, host
from experiments.lockstep import Lockstep
from experiments.study import Limits
from experiments.uplift.feed import Feed
from experiments.uplift.inside import Inside
from experiments.uplift.living import Heard, Life, Lived, TriggerRow, Usage
from experiments.uplift.setting import Setting
from experiments.uplift.specs import ArmSpec
from marketing.config import load_config
from marketing.effects.records import Triggers
from reports.records import read
from sim.backoffice.mmsc import Mmsc
from sim.backoffice.mmsc_desk import MmscDesk
from sim.backoffice.smsc_desk import SmscDesk
from sim.run import organic_rows

__all__ = ["by_behaviours", "by_signalling", "not_at_all"]


class Spent:
    """Processor seconds by what they went into."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since_s = process_time()

    def on(self, what: str) -> None:
        """What has passed since the last call."""
        now_s = process_time()
        self.seconds[what] = self.seconds.get(what, 0.0) + now_s - self._since_s
        self._since_s = now_s


LONGEST_S: Final = 86_400.0
"""Real seconds that an arm may take."""


def by_behaviours(spec: ArmSpec, setting: Setting) -> Lived:
    """Visible acts straight into the platform's engine, what it submits straight into the network.

    Raises:
        ValueError: the world damages its signalling, which behaviours would not show.
        RunInvalid: the platform failed.
    """
    if not setting.scenario.faults.nothing:
        raise ValueError(f"{spec.world}: faults: behaviours know nothing of them, expected feed signalling")
    spent = Spent()
    with TemporaryDirectory(prefix="kairos-arm-") as folder:
        life = Life(spec, setting, Path(folder))
        epoch_us = setting.scenario.epoch_unix_us
        quarters = utc_offset_quarters(setting.scenario)
        centre = SmscDesk(epoch_unix_us=epoch_us, utc_offset_quarters=quarters)
        mmsc, channels = None, {}
        if life.wants_mms:
            mmsc = MmscDesk(vaspid=SYSTEM_ID, user=SYSTEM_ID, password=PASSWORD, epoch_unix_us=epoch_us)
            channels = {"mms": mms_keys("http://mmsc")}
        files = life.files(channels=channels)
        spent.on("files")
        platform = Inside(load_config(files.config), life.boss, centre, mmsc)
        spent.on("start")
        heard, feed, usage = Heard(), Feed(), Usage(setting)
        run = life.run(heard, messages=False)
        start_us, t_us = setting.start_us(spec), 0
        while t_us < life.end_us:
            t_us = run.step()
            visible = heard.take_visible()
            if spec.covariates and t_us <= start_us:
                usage.see(visible)
            outgoing, reports = run.outgoing(), run.outgoing_mms()
            spent.on("simulator")
            rows = feed.tick(visible, epoch_us + t_us)
            spent.on("feed")
            if outgoing or reports:
                platform.hear(outgoing, reports)
            platform.apply(rows, epoch_us + t_us)
            spent.on("engine")
            platform.follow()
            life.note_opt_outs(t_us, outgoing)
            submits = sorted(centre.take_submits(), key=lambda one: one.message_id)
            cancels = sorted(centre.take_cancels(), key=lambda one: one.message_id)
            if submits or cancels:
                run.inject(submits, cancels, t_us)
            if mmsc is not None:
                pictures, back = mmsc.take_submits(), mmsc.take_cancels()
                if pictures or back:
                    run.inject_mms(pictures, sorted(back, key=lambda one: one.message_id), t_us)
            spent.on("effects")
        platform.close()
        lived = Lived(
            triggers=_rows_of(platform.triggers),
            contacts=tuple(heard.contact_rows),
            responses=tuple(heard.response_rows),
            orders=life.first_orders(),
            opt_outs=tuple(life.opt_outs),
            violations=life.violations(heard.part_rows),
            used=usage.count if spec.covariates else None,
            campaigns=life.campaigns,
        )
    spent.on("audit")
    return replace(lived, cpu_s=spent.seconds)


def _rows_of(triggers: Triggers) -> tuple[TriggerRow, ...]:
    return tuple(
        sorted(
            TriggerRow(one.campaign, one.imsi, one.t_us, one.state, one.reason, one.msisdn, one.decided_us)
            for one in triggers
        )
    )


@dataclass(frozen=True, slots=True)
class _LinkKeys:
    limits: Limits = field(default_factory=Limits)
    streams: int = 16


def by_signalling(spec: ArmSpec, setting: Setting) -> Lived:
    """The bytes: encoded, carried, decoded and correlated; both programs in this process, in lockstep.

    Raises:
        RunInvalid: association, session or platform lost; a barrier not met.
    """
    keys = _LinkKeys()
    with TemporaryDirectory(prefix="kairos-arm-") as folder, ExitStack() as stack:
        life = Life(spec, setting, Path(folder))
        recorder = Recorder()
        centre = stack.enter_context(smsc_door(setting.scenario, memory=True))
        mmsc, channels = None, {}
        if life.wants_mms:
            mmsc = stack.enter_context(
                Mmsc(
                    HOST,
                    vaspid=SYSTEM_ID,
                    user=SYSTEM_ID,
                    password=PASSWORD,
                    epoch_unix_us=setting.scenario.epoch_unix_us,
                )
            )
            channels = {"mms": mms_keys(mmsc.url)}
        collector = {"transport": "memory", "host": HOST, "port": 0, "streams": keys.streams}
        files = life.files(collector=collector, channels=channels)
        doors = memory_doors(centre, life.boss)
        platform = stack.enter_context(host(files.config, life.folder / "platform.log", doors))
        link = stack.enter_context(
            linked(platform, centre, keys, spec.tick_s * 1_000_000, partial(introduce, mmsc))
        )
        lockstep = Lockstep(
            Simulation(life.run(recorder, messages=True), recorder),
            link,
            centre,
            life.end_us,
            limit_s=LONGEST_S,
            on_tick=life.note_opt_outs,
            multimedia=mmsc,
            every_tick=True,
        )
        with blamed(platform):
            lockstep.run()
        ended(platform)
        visible, usage = recorder.block("visible"), Usage(setting)
        if visible is not None:
            before_us = setting.scenario.epoch_unix_us + setting.start_us(spec)
            usage.see([visible[visible["t_us"] < before_us]])
        return Lived(
            triggers=_written(files.records),
            contacts=tuple(recorder.rows["contacts"]),
            responses=tuple(recorder.rows["responses"]),
            orders=life.first_orders(),
            opt_outs=tuple(life.opt_outs),
            violations=life.violations(recorder.rows["parts"]),
            used=usage.count if spec.covariates else None,
            campaigns=life.campaigns,
        )


def _written(folder: Path) -> tuple[TriggerRow, ...]:
    """Triggers as the platform has written them down."""
    names = ("campaign", "imsi", "t_us", "state", "reason", "msisdn", "decided_us")
    table = read(folder / "triggers.parquet", list(names))
    return tuple(sorted(TriggerRow(*row) for row in zip(*(table[n].to_pylist() for n in names), strict=True)))


def not_at_all(spec: ArmSpec, setting: Setting) -> Lived:
    """An arm that contacts nobody: organic orders alone, and of life no more than the look-back.

    What people take up without being asked hangs on nothing that happens, so nothing needs to happen.
    """
    with TemporaryDirectory(prefix="kairos-arm-") as folder:
        life = Life(spec, setting, Path(folder))
        for t_us, sub, offer in organic_rows(setting.model(spec), 0, life.end_us, hearsay=True):
            life.organic(sub, offer, t_us)
        used = None
        if spec.covariates:
            heard, usage, t_us = Heard(), Usage(setting), 0
            end_us = setting.start_us(spec)
            run = life.run(heard, messages=False, end_us=end_us) if end_us else None
            while run is not None and t_us < end_us:
                t_us = run.step()
                usage.see(heard.take_visible())
            used = usage.count
        return Lived(
            orders=life.first_orders(),
            violations=dict.fromkeys(RULES, 0),
            used=used,
            campaigns=life.campaigns,
        )
