"""The platform in this process, without doors: its own engine, policy, ledger, channels and effects.

What is left out is what only moves octets: sockets, the event loop, journals, metrics. A tick is applied by
`marketing.ticks`, as the server does it in lockstep.
"""

from __future__ import annotations

from collections.abc import Sequence

from experiments.problems import RunInvalid
from experiments.uplift.doors import DirectBoss, DirectLedger, DirectLink, DirectMms, DirectQuery, Uncounted
from experiments.uplift.still import at_once
from marketing.behaviours import BehaviourBatch
from marketing.channels import Channel, Inbound, SmsChannel, Switchboard, WapChannel
from marketing.clock import Clock
from marketing.config import PlatformConfig
from marketing.contact.guard import Guard
from marketing.contact.memory import MemoryLedger
from marketing.effects import Accounts, Conversations
from marketing.effects.dispatch import Dispatcher
from marketing.effects.records import Triggers
from marketing.starting import enter_lists, load, make_clock, schedule_groups
from marketing.ticks import apply_tick
from marketing.workers import LocalHost
from sim.backoffice.boss import Boss
from sim.backoffice.mmsc_desk import MmscDesk
from sim.backoffice.smsc_desk import SmscDesk
from sim.network.messages import Deliver, MmsReport

__all__ = ["Inside"]


class Inside:
    """One platform from its configuration on. `centre` and `mmsc` are the desks that its messages go to."""

    def __init__(self, config: PlatformConfig, boss: Boss, centre: SmscDesk, mmsc: MmscDesk | None) -> None:
        """Everything that the configuration names is read.

        Raises:
            ConfigError: something of it cannot be used.
        """
        loaded = load(config)
        self.clock: Clock = make_clock(config.clock, loaded.zone)
        self.engine = LocalHost(loaded.settings.engine(loaded.told.profiles))
        enter_lists(self.engine, loaded.lists, loaded.told)
        schedule_groups(self.engine, self.engine.campaigns, self.clock, config.clock)
        self.triggers = Triggers()
        self._inbound: list[Inbound] = []
        self._faults: list[str] = []
        self._link = DirectLink(
            config.smpp, self.clock.now_us, self._inbound.append, lambda bound, why: None, desk=centre
        )
        channels: dict[str, Channel] = {"sms": SmsChannel(self._link)}
        if config.channels.wap:
            channels["wap"] = WapChannel(self._link)
        self._mms: DirectMms | None = None
        if config.channels.mms is not None and mmsc is not None:
            self._mms = DirectMms(config.channels.mms, self.clock.now_us, self._inbound.append, desk=mmsc)
            channels["mms"] = self._mms
        switchboard = Switchboard(channels)
        rules = self.engine.policy.file
        self._ledger = MemoryLedger(cap=rules.caps.per_calendar_month, guard=Guard.of(rules))
        query = DirectQuery(config.boss.url, config.boss.query, boss=boss)
        self._dispatcher = Dispatcher(
            self.engine,
            self.clock,
            DirectLedger(self._ledger),
            switchboard,
            DirectBoss(boss),
            self.triggers,
            Uncounted(),
            Conversations(),
            self._faults.append,
            Accounts(query),
        )
        self.engine.reaches(switchboard.up)

    def hear(self, messages: Sequence[Deliver], reports: Sequence[MmsReport] = ()) -> None:
        """Receipts and replies, before the tick in which they came is applied."""
        self._link.hear(messages)
        if reports and self._mms is not None:
            self._mms.hear(reports)

    def apply(self, rows: BehaviourBatch, until_us: int) -> None:
        """Decides on everything up to a barrier, Unix us."""
        inbound, self._inbound[:] = list(self._inbound), []
        later = apply_tick(
            self.engine, self._dispatcher, rows, inbound, self.clock.now_us(), until_us, self._forget
        )
        self._inbound[:0] = later
        self.clock.set_us(max(until_us, self.clock.now_us()))

    def follow(self) -> None:
        """Makes decisions true: reserves, submits, takes back, orders.

        Raises:
            RunInvalid: something failed that nothing here can have made fail but a mistake.
        """
        self._dispatcher.tend(self.clock.now_us())
        if not self._dispatcher.idle:
            at_once(self._dispatcher.flush(wait=True))
        if self._faults:
            raise RunInvalid(f"the platform: {self._faults[0]}")

    def _forget(self) -> None:
        """Derived behaviours: the engine has judged them, nobody writes them down."""
        self.engine.state.derived.clear()

    def close(self) -> None:
        """Ends it."""
        self._ledger.close()
        self.engine.close()
