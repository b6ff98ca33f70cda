"""An arm's life, whatever feeds its platform: files, desks, world, and what is left of it at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from experiments.arm import PASSWORD, SYSTEM_ID, boss_of, stop_codes
from experiments.audit import audit, read_policy
from experiments.audit.parts import Part
from experiments.inputs import ArmFiles, ListDraw, append_opt_outs, arm_files
from experiments.uplift.blanket import blanket_rows
from experiments.uplift.setting import Setting
from experiments.uplift.specs import ArmSpec
from marketing.campaigns import Campaign
from marketing.campaigns import load as load_campaign
from sim.backoffice.boss import Boss, Order
from sim.run import Run
from sim.scenario import DAY_US
from sim.sinks import Nothing

__all__ = ["USED", "Heard", "Life", "Lived", "TriggerRow", "Usage"]

Row = Mapping[str, Any]

POWER_ON: Final = 1
CALL_ENDED: Final = 12
SMS_SENT: Final = 20
SMS_RECEIVED: Final = 21
CALLER: Final = 1
USED: Final = ("calls", "texts", "service_calls", "switched_on")
"""What is counted of the look-back: the first columns of `specs.BEFORE`."""


@dataclass(frozen=True, slots=True, order=True)
class TriggerRow:
    """One trigger with its end."""

    campaign: str
    imsi: str
    t_us: int
    """Unix us; so is the next."""
    state: str
    reason: str
    msisdn: str
    decided_us: int


@dataclass(frozen=True, slots=True)
class Lived:
    """What an arm has left behind, from which its outcome is worked out."""

    triggers: tuple[TriggerRow, ...] = ()
    contacts: tuple[Row, ...] = ()
    """Rows of the records' tables; so are the next."""
    responses: tuple[Row, ...] = ()
    orders: tuple[Order, ...] = ()
    """First orders by (time, id)."""
    opt_outs: tuple[tuple[str, int], ...] = ()
    """MSISDN and Unix us at which a stop code had been confirmed."""
    violations: Mapping[str, int] = field(default_factory=dict)
    used: NDArray[np.int64] | None = None
    """(subscribers, USED): counts of the look-back; None: not wanted."""
    campaigns: tuple[Campaign, ...] = ()
    cpu_s: Mapping[str, float] = field(default_factory=dict)
    """Processor seconds by part of the work."""


class Heard(Nothing):
    """The simulator's sink: what handsets had, and visible acts for as long as somebody wants them."""

    def __init__(self) -> None:
        self.part_rows: list[Row] = []
        self.contact_rows: list[Row] = []
        self.response_rows: list[Row] = []
        self._visible: list[NDArray[np.void]] = []

    def acts(self, rows: NDArray[np.void]) -> None:
        """Nobody asks for them."""

    faults = acts

    def visible(self, rows: NDArray[np.void]) -> None:
        if len(rows):
            self._visible.append(rows)

    def take_visible(self) -> list[NDArray[np.void]]:
        """Since the last call."""
        taken, self._visible = self._visible, []
        return taken

    def parts(self, rows: Sequence[Row]) -> None:
        self.part_rows += rows

    def contacts(self, rows: Sequence[Row]) -> None:
        self.contact_rows += rows

    def responses(self, rows: Sequence[Row]) -> None:
        self.response_rows += rows


@dataclass(frozen=True, slots=True)
class _Keys:
    policy: Path
    segments: Path | None
    blanket_at: str


class Life:
    """Between the world of a setting and one platform."""

    def __init__(self, spec: ArmSpec, setting: Setting, folder: Path) -> None:
        """`folder` is empty and takes the platform's files."""
        self.spec, self.setting, self.folder = spec, setting, folder
        self.scenario = setting.scenario
        self.end_us = spec.days * DAY_US
        self.boss: Boss = boss_of(setting.extract, setting.world)
        self.campaigns = tuple(load_campaign(path) for path in spec.campaigns)
        self.opt_outs: list[tuple[str, int]] = []
        self._files: ArmFiles | None = None

    @property
    def wants_mms(self) -> bool:
        """Whether a multimedia message centre is needed."""
        return self.spec.arm != "control" and any("mms" in c.channels for c in self.campaigns)

    def files(
        self,
        *,
        collector: Mapping[str, Any] | None = None,
        smpp_port: int = 1,
        boss_url: str = "http://boss",
        channels: Mapping[str, Any] | None = None,
    ) -> ArmFiles:
        """Writes what the platform is told. Doors that nobody opens need no address."""
        from experiments.inputs import world_files

        spec, setting = self.spec, self.setting
        world_files(setting.world, self.folder / "inputs")
        group = None
        campaigns = () if spec.arm == "control" else spec.campaigns
        if spec.blanket is not None:
            group = blanket_rows(spec, setting, self.campaigns)
        drawn = setting.drawn
        if spec.treated is not None:
            drawn = ListDraw(drawn.do_not_disturb, drawn.control_group | ~spec.treated)
        self._files = arm_files(
            self.folder / "arm",
            self.folder / "inputs",
            _Keys(spec.policy, spec.segments, spec.blanket.at if spec.blanket else "10:00"),
            self.scenario,
            drawn,
            setting.extract,
            campaigns,
            clock={"mode": "lockstep", "tick_s": spec.tick_s},
            collector=collector or {},
            smpp={"host": "127.0.0.1", "port": smpp_port, "system_id": SYSTEM_ID, "password": PASSWORD},
            boss_url=boss_url,
            group=group,
            channels=channels,
            valid_from=setting.valid_from(spec),
            open_days=None if spec.treated_by_day is None else setting.open_days(spec.treated_by_day),
        )
        return self._files

    def run(self, sink: Any, *, messages: bool, end_us: int | None = None) -> Run:
        """The world, about to live."""
        return Run(
            self.setting.world,
            sink=sink,
            tick_us=self.spec.tick_s * 1_000_000,
            end_us=self.end_us if end_us is None else end_us,
            responses=self.setting.model(self.spec),
            originators={c.originator: c.offer for c in self.campaigns if c.originator},
            boss=self.organic,
            library=self.setting.library,
            messages=messages,
        )

    def organic(self, sub: int, offer: str, t_us: int) -> None:
        """Somebody orders at a hall or a desk, without having been asked."""
        if self.setting.extract["customer"][sub]:  # nobody else can order anything here
            self.boss.organic(self.setting.extract["msisdn"][sub], offer, self.scenario.epoch_unix_us + t_us)

    def note_opt_outs(self, t_us: int, delivered: Sequence[Any]) -> None:
        """Stop codes count from the barrier at which the platform has confirmed them."""
        for msisdn in stop_codes(self.campaigns, delivered):
            self.opt_outs.append((msisdn, self.scenario.epoch_unix_us + t_us))

    def violations(self, parts: Sequence[Row]) -> dict[str, int]:
        """What the audit finds in what handsets received."""
        assert self._files is not None, "the platform has been told of its policy"
        append_opt_outs(self._files.do_not_disturb, self.opt_outs, ZoneInfo(self.scenario.timezone))
        received = (Part(**{name: row[name] for name in Part.__slots__}) for row in parts)
        return dict(audit(received, read_policy(self._files.policy)).by_rule)

    def first_orders(self) -> tuple[Order, ...]:
        """Take-ups at BOSS."""
        return tuple(order for order in self.boss.orders() if order.first)


class Usage:
    """What each subscriber of the world does, counted as it is shown: (subscribers, USED)."""

    def __init__(self, setting: Setting) -> None:
        self._imsi = np.array(setting.extract["imsi"], np.uint64)
        self._order = np.argsort(self._imsi)
        lines = setting.scenario.usage.service_lines
        self._lines = np.array([line.number for line in lines], dtype="S20")
        self.count = np.zeros((len(self._imsi), len(USED)), np.int64)

    def see(self, visible: Sequence[NDArray[np.void]]) -> None:
        """Visible acts; those of whom the tap could not know say nothing."""
        for rows in visible:
            ended = rows["kind"] == CALL_ENDED
            asked = ended & (rows["role"] == CALLER) & np.isin(rows["peer"], self._lines)
            texts = np.isin(rows["kind"], (SMS_SENT, SMS_RECEIVED))
            for column, shown in enumerate((ended, texts, asked, rows["kind"] == POWER_ON)):
                theirs = rows["imsi"][shown & (rows["imsi"] != 0)]
                place = np.searchsorted(self._imsi, theirs, sorter=self._order)
                sub = self._order[np.minimum(place, len(self._order) - 1)]
                np.add.at(self.count, (sub[self._imsi[sub] == theirs], column), 1)
