"""The server: one event loop around the engine. It owns the doors; every decision is made elsewhere.

wall and live: behaviours are taken as they come, timers fire by the clock, losses are reported and survived.
lockstep: one tick at a time, applied in the order (simulated time, door, stable id) and finished before it is
acknowledged; a loss ends the run with exit code 3.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from marketing.api import HealthView, HttpDoor, make_app
from marketing.api.campaigns import Reload
from marketing.api.opening import open_door
from marketing.behaviours import BehaviourBatch
from marketing.channels import Inbound, Reply, open_channels
from marketing.config import PlatformConfig
from marketing.contact.guard import Guard
from marketing.contact.ledger import Ledger, LedgerError
from marketing.contact.schema import contact
from marketing.contact.writer import LedgerWriter
from marketing.desk import Desk, asked_by, open_desk
from marketing.doors import Doors, SignallingSource, StartError, TickLike, open_collector
from marketing.effects import Accounts, Boss, Conversations, Records, Unanswered
from marketing.effects.dispatch import Dispatcher
from marketing.effects.two_way import open_two_way
from marketing.engine import Change, StateFolder
from marketing.gauges import health_of, show_boss, show_engine, show_loop
from marketing.hiding import safe
from marketing.metrics import Metrics
from marketing.occupation import Occupation, watched_loop
from marketing.outputs import Outputs
from marketing.profiles.store import Told
from marketing.profiles.telling import Imports, open_imports
from marketing.reloading import CampaignFolder
from marketing.selecting import Selector
from marketing.starting import (
    Loaded,
    Remembered,
    enter_lists,
    load,
    load_state,
    make_clock,
    open_engine,
    open_query,
    remembered,
    restore,
    resume,
    schedule_groups,
)
from marketing.stepping import follow_clock
from marketing.ticks import apply_tick
from marketing.workers import WorkerLost

__all__ = ["Doors", "Server", "SignallingSource", "StartError", "TickLike", "load_state", "restore"]

log = logging.getLogger("marketing")

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_INVALID: Final = 3
SELECTION_PATIENCE_S: Final = 600.0
"""How long an operator's file may take to reserve: a million lines take about a minute."""
TURNS_OF_A_SEND: Final = 8
"""Turns of the loop from a decision to its submission: no batch is read between them, or the contact would
wait for all the messages of each."""
DRAUGHTS: Final = 8
"""How often what has come in is looked for before timers and messages have their turn."""
LONGEST_SLEEP_S: Final = 1.0
"""wall: a stepped clock is noticed within this time."""


class Server:
    """One platform. `run` blocks; `stop` may be called from any thread."""

    def __init__(self, config: PlatformConfig, doors: Doors | None = None) -> None:
        self.config = config
        self.doors = doors or Doors()
        self.ready = threading.Event()
        """Set once all doors are open, or the start has failed."""
        self.addresses: dict[str, Any] = {}
        """What the ready line says."""
        self.reason = ""
        """Why it ended, where that was not asked for."""
        self.metrics = Metrics()
        self.occupation = Occupation()
        self.on_ready: Callable[[dict[str, Any]], None] = lambda addresses: None
        self._exit = EXIT_OK
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._readable = asyncio.Event()
        self._inbound: list[Inbound] = []
        self._unanswered = Unanswered()
        self.desk: Desk | None = None

    def run(self) -> int:
        """Serves until stopped; the exit code.

        Raises:
            ConfigError, StartError: it could not start.
        """
        try:
            with asyncio.Runner(loop_factory=watched_loop(self.occupation)) as runner:
                return runner.run(self._main())
        finally:
            self.ready.set()

    def stop(self, reason: str = "") -> None:
        """Ends the run cleanly; with a reason, as invalid."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._stop, reason)

    # ----------------------------------------------------------------- life

    async def _main(self) -> int:
        self._loop = asyncio.get_running_loop()
        async with contextlib.AsyncExitStack() as closing:
            await self._open(closing)
            self._watch_signals()
            asyncio.get_running_loop().add_reader(self.signalling.fileno(), self._readable.set)
            self._watch_workers()
            self._announce()
            if self.imports is not None:
                self.imports.watch.start()
            try:
                await (self._lockstep() if self.clock.mode == "lockstep" else self._live())
            except WorkerLost as error:
                self._stop(str(error))
            finally:
                await self._close_down()
        return self._exit

    async def _open(self, closing: contextlib.AsyncExitStack) -> None:
        config = self.config
        loaded = load(config)
        self.clock = make_clock(config.clock, loaded.zone)
        try:
            self.engine = open_engine(config, loaded)
        except (WorkerLost, OSError) as error:
            raise StartError(f"workers: {error}") from None
        closing.callback(self.engine.close)
        schedule_groups(self.engine, self.engine.campaigns, self.clock, config.clock)
        self.records = Records(config.records.dir)
        closing.callback(self.records.close)
        try:
            rules = self.engine.policy.file
            ledger = Ledger(config.ledger.url, cap=rules.caps.per_calendar_month, guard=Guard.of(rules))
        except (LedgerError, ImportError, SQLAlchemyError) as error:
            raise StartError(f"ledger.url: {error}") from None
        self.ledger = LedgerWriter(ledger, self.occupation)
        closing.callback(self.ledger.close)
        self.http = self._open_http()
        self.imports = self._open_imports(loaded)
        if self.imports is not None:
            closing.callback(self.imports.watch.stop)
        if self.http is not None:
            reload = Reload(self._reload, lambda *what: self._await(self.selector.select(*what)))
            self.http.start(
                lambda: make_app(
                    *(self.keeper, self._health, self._metrics_text, self._uploads()),
                    *(reload, self._answers(), self._desks()),
                )
            )
            closing.callback(self.http.stop)
        self.signalling = self.doors.signalling or open_collector(config, self.clock)
        closing.callback(self.signalling.close)
        self.boss = Boss(config.boss, self.doors.boss_transport)
        closing.push_async_callback(self.boss.close)
        self.account_query = open_query(config.boss, self.clock, self.doors.boss_transport, self._on_fault)
        closing.push_async_callback(self.account_query.close)
        self.channels = open_channels(
            config, self.clock, self.doors.smpp_socket, self._on_inbound, self._on_bound, str(loaded.zone)
        )
        closing.push_async_callback(self.channels.close)
        self.outputs = Outputs(self.engine, config.records.dir, loaded.zone, loaded.origins)
        self.dispatcher = Dispatcher(
            self.engine,
            self.clock,
            self.ledger,
            self.channels,
            self.boss,
            self.records,
            self.metrics,
            Conversations(),
            self._on_fault,
            Accounts(self.account_query),
            on_output=self.outputs.decided,
        )
        self.selector = Selector(self.engine, self.clock, self.dispatcher, config.records.dir)
        try:
            await self.channels.start()
        except Exception as error:
            raise StartError(f"no session with the message centre: {error}") from error
        self.engine.reaches(self.channels.up)
        open_orders = restore(ledger, self.engine, self.dispatcher.conversations)
        open_two_way(config.channels.codes, self.dispatcher, ledger)
        self.desk = open_desk(config.channels.desks, self.engine, self.clock, self.dispatcher, ledger)
        self._resume(closing)
        self._watch_campaigns(closing)
        if open_orders:
            self.dispatcher.reopen(open_orders)
        if self.http is not None and self.clock.mode != "lockstep":
            self.http.wait_loaded(10.0)

    def _open_imports(self, loaded: Loaded) -> Imports | None:
        """Imports while it runs; not in lockstep, where all that matters comes by the simulated clock."""
        if self.config.imports is None or self.clock.mode == "lockstep":
            return None
        self._known, self._lists = loaded.told.profiles, loaded.lists
        return open_imports(self.config.imports, str(loaded.zone), loaded.told, self._on_told)

    def _uploads(self) -> Any:
        if self.imports is None:
            return None
        from marketing.api.uploads import Uploads  # on the HTTP thread: it loads FastAPI

        one = self.imports
        return Uploads(one.store, one.largest, one.watch.wake)

    def _open_http(self) -> HttpDoor | None:
        if self.config.http is None:
            return None
        try:
            self.keeper, door = open_door(self.config, self._on_refused)
        except OSError as error:
            where = f"HTTP door {self.config.http.host}:{self.config.http.port}: {error.strerror}"
            raise StartError(f"{where}; set http.port, 0 for a free one") from None
        return door

    def _on_refused(self, status: int) -> None:
        self.metrics.count("http_refused", status=str(status))

    def _announce(self) -> None:
        http = None
        if self.http is not None:
            http = {"host": self.http.host, "port": self.http.port}
            if self.keeper.tokens.made is not None:
                http["token_file"] = str(self.keeper.tokens.made)
        at, peers = self.signalling.address(), self.channels.ports
        self.addresses = {"ready": True, "collector": at, "http": http, "channels": peers}
        self.on_ready(self.addresses)
        self.ready.set()

    async def _close_down(self) -> None:
        self._unanswered.take()(False)  # they come again
        loop = asyncio.get_running_loop()
        for fileno in (self.signalling.fileno(), *self.engine.filenos()):
            loop.remove_reader(fileno)
        self._take(self.signalling.flush())
        self._take_decisions()
        self.outputs.tend(self.clock.now_us(), whole=True)
        await self.dispatcher.flush(wait=False)
        await self.dispatcher.finish(timeout_s=3.0)
        rows = list(self.ledger.ledger.rows(contact))
        told = self.occupation.table() if self.clock.mode != "lockstep" else None  # there it means nothing
        self.records.finish(rows, self.signalling.report(), told)
        log.info("ended: %s", self.reason or "asked to")

    def _resume(self, closing: contextlib.AsyncExitStack) -> None:
        """Goes on with what the last run has learned, and says what nobody has seen since."""
        self.journal: StateFolder | None = None
        keys = self.config.state
        if keys is None:
            return
        try:
            self.journal, self.resumed = resume(keys, self.engine, self.outputs, self.clock.now_us())
        except OSError as error:
            raise StartError(f"state folder {keys.dir}: {error.strerror}") from None
        self.dispatcher.take_ended()
        self.journal.begin(self.engine)
        self.dispatcher.note = self.journal.note
        closing.callback(self._close_journal, self.journal)

    def _close_journal(self, journal: StateFolder) -> None:
        """With a last snapshot, unless there is nobody to take it of: then the tail tells the rest."""
        journal.close(None if self.engine.lost else self.engine)

    def _watch_campaigns(self, closing: contextlib.AsyncExitStack) -> None:
        """In lockstep the files are looked at only when asked: a run hangs on its inputs alone."""
        originators = self.engine.policy.file.marketing_originators
        self.campaign_folder = CampaignFolder(
            self.engine, self.config.campaigns, self.config.campaigns_dir, self._exchange_soon, originators
        )
        if self.config.campaigns_dir is not None and self.clock.mode != "lockstep":
            self.campaign_folder.start()
            closing.callback(self.campaign_folder.stop)

    def _exchange_soon(self, prepared: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._exchange, prepared)

    def _exchange(self, prepared: Any) -> Change:
        """Between two steps of the engine: other campaigns from now on."""
        change: Change = self.engine.change(prepared)
        if change:
            log.info(
                "campaigns: added %s; changed %s; removed %s",
                *(", ".join(names) or "none" for names in (change.added, change.changed, change.removed)),
            )
            fresh = {*change.added, *change.changed}
            named = [c for c in self.engine.campaigns if c.campaign in fresh]
            schedule_groups(self.engine, named, self.clock, self.config.clock)
            self.dispatcher.take_ended()
        return change

    def _reload(self) -> tuple[dict[str, Any], list[str]]:
        """Asked from the HTTP thread: looks at the files now, and waits until they run."""
        prepared = self.campaign_folder.look(anyway=True)
        if prepared is None:
            return {}, list(self.campaign_folder.problems)
        change: Change = self._ask(lambda: self._exchange(prepared))
        names = ("added", "changed", "removed")
        return {name: list(getattr(change, name)) for name in names}, []

    def _answers(self) -> Any:
        from marketing.api.outputs import Answers  # on the HTTP thread: it loads FastAPI

        return Answers(
            lambda name: self._ask(lambda: self.outputs.statistics(name)),
            lambda name: self._ask(lambda: self.outputs.outbound(name, self.clock.now_us())),
        )

    def _desks(self) -> Any:
        from marketing.api.desk import Desks

        return Desks(*asked_by(lambda: self.desk, self._await)) if self.config.channels.desks else None

    def _await(self, work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
        """Work on the loop for the HTTP thread; what it has set going goes on at once."""
        loop, under_way = self._loop, self.dispatcher.tracked(work)
        assert loop is not None
        answer = asyncio.run_coroutine_threadsafe(under_way, loop).result(SELECTION_PATIENCE_S)
        loop.call_soon_threadsafe(self._readable.set)
        return answer

    def _watch_signals(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, self._stop, "")

    def _watch_workers(self) -> None:
        """A worker that ends while nothing is asked of it is noticed at once."""
        loop = asyncio.get_running_loop()

        def said(fileno: int) -> None:
            loop.remove_reader(fileno)
            if (why := self.engine.look()) and not self._stopping.is_set():
                self._stop(why)

        for fileno in self.engine.filenos():
            loop.add_reader(fileno, said, fileno)

    def _stop(self, reason: str) -> None:
        if reason and not self.reason and not self._stopping.is_set():
            self.reason, self._exit = safe(reason), EXIT_INVALID
            log.error("run invalid: %s", self.reason)
        self._stopping.set()
        self._readable.set()

    def _on_fault(self, what: str) -> None:
        if self.clock.mode == "lockstep":
            self._stop(what)
        else:
            log.error("%s", safe(what))

    # ----------------------------------------------------------------- doors

    def _on_bound(self, channel: str, bound: bool, reason: str) -> None:
        """A channel has come up or gone down; what may go otherwise goes otherwise."""
        self.engine.reaches(self.channels.up)
        if channel == "sms":
            self.metrics.show("smpp_bound", int(bound))
        log.info("channel %s: %s", channel, reason)
        if not bound and not self._stopping.is_set() and self.clock.mode == "lockstep":
            self._stop(f"the peer of the channel {channel} is lost: {reason}")

    def _on_inbound(self, inbound: Inbound) -> Awaitable[bool] | None:
        self._inbound.append(inbound)
        if self.clock.mode == "lockstep":
            return None
        self._readable.set()
        return self._unanswered.add() if isinstance(inbound, Reply) else None

    async def _wait(self, timeout_s: float | None) -> None:
        handle = None
        if timeout_s is not None:
            handle = asyncio.get_running_loop().call_later(timeout_s, self._readable.set)
        await self._readable.wait()
        if handle is not None:
            handle.cancel()
        self._readable.clear()

    def _take(self, batch: BehaviourBatch) -> None:
        """Writes behaviours down; live, they are judged at once."""
        if not len(batch):
            return
        self.occupation.to("records")
        self.records.behaviours(batch)
        self.metrics.count("behaviours", len(batch))
        self.outputs.behaviours(batch)
        if self.journal is not None:
            self.journal.journal(batch)
        if self.clock.mode != "lockstep" and not self.engine.lost:
            self.occupation.to("engine")
            self.engine.begin(batch, self.clock.now_us(), self.clock.stamp_ns)

    def _take_decisions(self, under_way: int = 0) -> None:
        """On all behaviours taken so far, but for so many batches that workers may still have at hand."""
        if not self.engine.lost:
            self.occupation.to("engine")
            decisions = self.engine.end(under_way)
            self.occupation.to("decide")
            self.dispatcher.take(decisions)
            self._take_derived()

    def _take_derived(self) -> None:
        """Writes down what followed from behaviours; the engine has judged it already."""
        derived = self.engine.take_derived()
        if len(derived):
            self.records.behaviours(derived)
            self.metrics.count("behaviours", len(derived))

    # ----------------------------------------------------------------- imports

    def _on_told(self, told: Told) -> None:
        """A new generation, on the watch's thread: what takes long is done here, the switch on the loop."""
        known, self._known = self._known, told.profiles
        again = remembered(self.ledger.ledger, self.engine.policy, told.profiles, known)
        loop = self._loop
        if loop is not None and not loop.is_closed():
            prepared = self.engine.prepare_switch(told.profiles) if told.profiles is not known else None
            loop.call_soon_threadsafe(self._tell, told, again, prepared)

    def _tell(self, told: Told, again: Remembered, prepared: Any) -> None:
        """Goes over to a new generation between two steps; nothing is decided on half of it."""
        if told.profiles is not self.engine.profiles:
            self.engine.switch_profiles(prepared or told.profiles)
            self.dispatcher.take_ended()
        enter_lists(self.engine, self._lists, told)
        self.engine.remember(again.stops, again.contacts)
        log.info("import %d is in force: %d subscribers", told.manifest.generation, len(told.profiles))

    # ----------------------------------------------------------------- lockstep

    async def _lockstep(self) -> None:
        """Barrier by barrier. A tick in which nothing is sent costs no switch of task."""
        while not self._stopping.is_set():
            await self._wait(None)
            while ticks := self.signalling.poll():
                tick, started = ticks[0], time.perf_counter()
                self.channels.tend()
                self._apply(tick)
                self.dispatcher.tend(self.clock.now_us())
                if not self.dispatcher.idle:
                    await self.dispatcher.flush(wait=True)
                if self._stopping.is_set():
                    return
                self.outputs.tend(self.clock.now_us())
                self.records.flush()
                self.signalling.acknowledge(tick)
                self.metrics.time("tick_seconds", time.perf_counter() - started)
            if self._at_end():
                return
            if self.signalling.state() == "lost":
                self._stop("the signalling association is lost")

    def _apply(self, tick: TickLike) -> None:
        """In the order (simulated time, door, stable id); at one instant: signalling, messages, timers."""
        until_us = tick.t_unix_us
        self._take(tick.behaviours)
        self._inbound = apply_tick(
            *(self.engine, self.dispatcher, tick.behaviours, self._inbound),
            *(self.clock.now_us(), until_us, self._take_derived),
        )
        self.clock.set_us(max(until_us, self.clock.now_us()))

    # ----------------------------------------------------------------- wall and live

    async def _live(self) -> None:
        flush_at_s = time.monotonic() + self.config.records.flush_s
        was_up = False
        while not self._stopping.is_set():
            await self._wait(self._sleep_s())
            follow_clock(self.clock, self.engine, self.ledger, self.metrics)
            self._take_signalling()
            self.occupation.to("messages")
            inbound, self._inbound = self._inbound, []
            for one in inbound:
                self.dispatcher.take_inbound(one)
            if inbound:
                self.dispatcher.when_kept(self._unanswered.take())
            now_us = self.clock.now_us()
            self.occupation.to("engine")
            decisions = self.engine.on_timers(now_us, now_us, self.clock.stamp_ns)
            self.occupation.to("decide")
            self.dispatcher.take(decisions)
            self._take_derived()
            self.outputs.tend(now_us)
            self.dispatcher.tend(now_us)
            if self.journal is not None:
                self.journal.tend(self.engine)
            if not self.dispatcher.idle:
                self.dispatcher.start_flush()
                for _ in range(TURNS_OF_A_SEND):
                    await asyncio.sleep(0)
            self.occupation.to("records")
            if time.monotonic() >= flush_at_s:
                self.records.flush()
                flush_at_s = time.monotonic() + self.config.records.flush_s
            if self._at_end():
                return
            up = self.signalling.state() == "up"
            if was_up and not up:
                log.error("no signalling comes in any more; waiting for an association")
            was_up = up

    def _take_signalling(self) -> None:
        """What has come in. While workers judge one batch, the next is read, decoded and correlated here."""
        for _ in range(DRAUGHTS if self.config.workers > 1 else 1):
            self.occupation.to("decode")
            if not (batches := self.signalling.poll()):
                break
            for batch in batches:
                self._take(batch)
                self._take_decisions(under_way=1)
        self._take_decisions()

    def _at_end(self) -> bool:
        """Whether this was all, and that is what was asked for."""
        if not (self.config.collector.exit_at_end and self.signalling.over):
            return False
        if self.signalling.damaged:
            self._exit = EXIT_FAILED
        self.reason = "all taps are at their end"
        return True

    def _sleep_s(self) -> float:
        due_us = self.engine.next_due()
        wishes_s = [LONGEST_SLEEP_S, self.signalling.due_s]
        if due_us is not None:
            wishes_s.append(self.clock.real_s_until(due_us))
        return min(s for s in wishes_s if s is not None)

    # ----------------------------------------------------------------- asked from the HTTP thread

    def _ask(self, read: Callable[[], Any]) -> Any:
        """Reads on the loop, between its steps; nothing is read while it changes."""
        answer: Future[Any] = Future()

        def now() -> None:
            try:
                answer.set_result(read())
            except Exception as error:
                answer.set_exception(error)

        assert self._loop is not None
        self._loop.call_soon_threadsafe(now)
        return answer.result(5.0)

    def _health(self) -> HealthView:
        view: HealthView = self._ask(self._health_now)
        return view

    def _health_now(self) -> HealthView:
        stopping, problems = self._stopping.is_set(), self.campaign_folder.problems
        seen = (self.config, self.clock, self.signalling, self.channels, self.engine, self.records)
        return health_of(*seen, stopping=stopping, problems=[safe(problem) for problem in problems])

    def _metrics_text(self) -> bytes:
        self._ask(self._show_gauges)
        return self.metrics.text()

    def _show_gauges(self) -> None:
        self.metrics.show("association_up", int(self.signalling.state() == "up"))
        self.metrics.signalling(self.signalling.report())
        show_engine(self.metrics, self.engine.figures())
        show_boss(self.metrics, self.account_query)
        show_loop(self.metrics, self.occupation)
