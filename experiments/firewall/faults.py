"""What a platform stands on, broken while it works: message centre, BOSS, clock, the ledger's disk, server.

Each case runs a real platform process under load in a scene of `experiments.firewall.crash`, breaks one thing
again and again, mends it, and asks the same three questions: what do handsets say, is every trigger accounted
for, and does the platform serve again.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from experiments.firewall.accounts import Blind, accounts
from experiments.firewall.crash import CrashKeys, Scene, open_scene
from experiments.firewall.grounds import number_of
from experiments.firewall.handsets import Behaviour
from experiments.firewall.postgres import Postgres, no_postgres
from experiments.firewall.proxy import BossMode, BossProxy, SmppProxy
from sigtran.transport import Kind

__all__ = ["FAULTS", "Fault"]

Fault = Callable[[Path, CrashKeys, Kind, float], dict[str, Any]]
"""Folder, keys, transport, and for how many seconds; what was tried and what came of it."""
TALKATIVE: Final = Behaviour(stop_share=0.15, order_share=0.3, absent_share=0.1, absent_s=2.0)
FAULTY: Final = "experiments.firewall.served"


@contextmanager
def _served(scene: Scene, module: Sequence[str] = ("marketing",)) -> Iterator[Any]:
    scene.module = tuple(module)
    with scene.start() as child:
        scene.serve(child)
        yield child


def _result(scene: Scene, tried: str, code: int, **more: Any) -> dict[str, Any]:
    found = scene.judged()
    told = accounts(scene.site, scene.tap.stimuli, scene.handsets, scene.blind, scene.boss)
    faults = list(scene.handsets.faults)
    if code:
        faults.append(f"the platform ended with exit code {code} when it was to stop")
    return {
        "tried": tried,
        "stimuli": len(scene.tap.stimuli),
        "contacts": found["contacts"],
        "in_flight": found["in_flight"],
        "violations": {rule: n for rule, n in found["violations"].items() if n},
        "findings": found["findings"][:10],
        "accounts": told,
        "faults": faults,
        **more,
    }


def smsc_vanishes(folder: Path, keys: CrashKeys, transport: Kind, seconds: float) -> dict[str, Any]:
    """The message centre takes a message and is gone before it answers."""
    chance = random.Random(keys.seed)
    with open_scene(folder, keys, transport) as scene, SmppProxy(scene.smpp_port) as proxy:
        scene.smpp_port = proxy.port
        scene.configure()
        with _served(scene) as child:
            end_s = time.monotonic() + seconds
            while time.monotonic() < end_s:
                proxy.arm(chance.randint(1, 12), chance.choice((0.0, 0.3, 1.0)))
                scene.load(chance.uniform(0.2, 0.8), keys.stimuli_per_s, chance)
            proxy.arm(0, 0.0)
            scene.load(1.5, keys.stimuli_per_s, chance)
            scene.settle(30.0)
            code = child.stop()
        return _result(scene, f"{proxy.cuts} lines cut between submit and response", code, tries=proxy.cuts)


MODES: Final[tuple[BossMode, ...]] = ("slow", "error", "garbage", "hang_up", "other_customer")


def _money(who: Sequence[str], _t_us: int) -> dict[str, tuple[int | None, int | None]]:
    """Every second customer is rich."""
    return {msisdn: (300 if number_of(msisdn) % 2 else 9000, None) for msisdn in who}


def boss_ill(folder: Path, keys: CrashKeys, transport: Kind, seconds: float) -> dict[str, Any]:
    """BOSS is slow, refuses, talks rubbish, hangs up, or answers for somebody else."""
    chance = random.Random(keys.seed)
    asks = {"boss": "boss.balance > 5.0", "boss_unknown": "drop"}
    names = keys.played.names()
    played = keys.played.with_keys(dict.fromkeys((names[0], names[-1]), asks))
    keys = replace(keys, played=played)
    with open_scene(folder, keys, transport, behaviour=TALKATIVE, money=_money) as scene:
        with BossProxy(scene.boss_url, slow_s=1.6) as proxy:
            scene.boss_url = proxy.url
            scene.configure()
            with _served(scene) as child:
                turn_s = max(0.5, seconds / (2 * len(MODES)))
                for mode in MODES:
                    for proxy.mode in (mode, "right"):
                        scene.load(turn_s, keys.stimuli_per_s, chance)
                scene.settle(30.0)
                _until(lambda: _open_orders(scene) == 0, 30.0)
                code = child.stop()
            asking = {played.campaigns[name]["originator"] for name in (names[0], names[-1])}
            poor = [r for r in scene.handsets.received if r.source in asking and number_of(r.msisdn) % 2]
            orders = scene.boss.orders()
            twice = len(orders) - len({(o.msisdn, o.offer) for o in orders})
            left = _open_orders(scene)
            tried = f"{proxy.ill} of {proxy.requests} requests to BOSS answered wrongly, late or not at all"
            result = _result(scene, tried, code, tries=proxy.ill, orders=len(orders))
        wrong = {"contacted against BOSS": len(poor), "ordered twice": twice, "orders left open": left}
        result["violations"] |= {what: n for what, n in wrong.items() if n}
        return result


def _open_orders(scene: Scene) -> int:
    """Orders that the ledger still has open."""
    import sqlite3

    with sqlite3.connect(f"file:{scene.site.folder / 'ledger.db'}?mode=ro", uri=True, timeout=10) as ledger:
        return int(ledger.execute("SELECT count(*) FROM service_order WHERE state = 'open'").fetchone()[0])


def _until(done: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not done() and time.monotonic() < deadline:
        time.sleep(0.1)


STEPS_S: Final = (0.0, -30.0, 0.0, 45.0, -300.0, 600.0, -3600.0, 3600.0, 0.0)


def clock_steps(folder: Path, keys: CrashKeys, transport: Kind, seconds: float) -> dict[str, Any]:
    """The machine's clock is set back and forward, by seconds and by an hour, and right again."""
    if keys.played.wide_s is None:
        said = "the policy has no moment with an hour of open hours on both sides"
        return {"tried": "nothing", "skipped": said, "tries": 0, "violations": {}, "faults": []}
    # A gap lets through one message a person, and no cap is reached; see `clock_leaps`.
    played = replace(keys.played.unpaced(), start_s=keys.played.wide_s)
    return _clock_set(folder, replace(keys, played=played), transport, seconds, STEPS_S, "up to two hours")


LEAPS_S: Final = (0.0, 45.0, -300.0, 600.0, -3600.0, 3600.0)
"""Before the clock is set forward past the longest gap or window, and right again."""
DAY_S: Final = 86_400


def clock_leaps(folder: Path, keys: CrashKeys, transport: Kind, seconds: float) -> dict[str, Any]:
    """The same with gaps and rolling windows, at last by days: no time has passed for who has a message."""
    played = keys.played.paced()
    if played is None or keys.played.wide_s is None:
        wide = "moment with an hour of open hours on both sides"
        said = f"the policy has no {'gap and no rolling window' if played is None else wide}"
        return {"tried": "nothing", "skipped": said, "tries": 0, "violations": {}, "faults": []}
    days = 1 + played.longest_s() // DAY_S
    steps_s = (*LEAPS_S, float(days * DAY_S), 0.0)
    keys = replace(keys, played=replace(played, start_s=keys.played.wide_s))
    return _clock_set(folder, keys, transport, seconds, steps_s, f"up to {days} d")


def _clock_set(
    folder: Path, keys: CrashKeys, transport: Kind, seconds: float, steps_s: Sequence[float], most: str
) -> dict[str, Any]:
    """The clock is wrong by each of these, one after another."""
    chance = random.Random(keys.seed)
    still = replace(keys, factor=1.0)
    with open_scene(folder, still, transport, behaviour=TALKATIVE) as scene:
        right_s = scene.clock.us(time.monotonic_ns()) / 1e6 - time.time()
        file = folder / "faults.json"

        def step(by_s: float) -> None:
            partial = file.with_suffix(".partial")
            partial.write_text(json.dumps({"clock_step_s": right_s + by_s}), encoding="utf-8")
            partial.replace(file)

        step(0.0)
        scene.configure(clock={"mode": "wall"})
        with _served(scene, (FAULTY, str(file))) as child:
            for by_s in steps_s:
                step(by_s)
                scene.load(seconds / len(steps_s), keys.stimuli_per_s, chance)
            scene.settle(30.0)
            code = child.stop()
        steps = len(steps_s) - 1
        return _result(scene, f"clock stepped {steps} times, by {most}", code, tries=steps)


def disk_full(folder: Path, keys: CrashKeys, transport: Kind, seconds: float) -> dict[str, Any]:
    """SQLite's disk is full in mid-work; the platform is killed and started again, at last with room."""
    chance = random.Random(keys.seed)
    with open_scene(folder, keys, transport) as scene:
        file = folder / "faults.json"
        turns = 4
        for turn in range(turns):
            limited = turn in (1, 2)
            pages = _pages(folder / "ledger.db") if limited else 0
            file.write_text(json.dumps({"ledger_pages": pages}), encoding="utf-8")
            with _served(scene, (FAULTY, str(file))) as child:
                if scene.blind:
                    scene.blind[-1] = Blind(scene.blind[-1].from_ns, time.monotonic_ns())
                scene.load(seconds / turns, keys.stimuli_per_s, chance)
                if turn == turns - 1:
                    scene.settle(30.0)
                    code = child.stop()
                else:
                    scene.blind.append(Blind(scene.kill(child), 0))
        refused = scene.log.read_text(encoding="utf-8", errors="replace").count("disk is full")
        result = _result(scene, f"{refused} groups of the ledger met a full disk", code, tries=refused)
        if not refused:
            result["faults"].append("the disk was never full: nothing was tried")
        return result


def _pages(ledger: Path) -> int:
    """Pages that the ledger has."""
    import sqlite3

    with sqlite3.connect(ledger, timeout=10) as database:
        return int(database.execute("PRAGMA page_count").fetchone()[0])


def postgres_restarts(folder: Path, keys: CrashKeys, transport: Kind, seconds: float) -> dict[str, Any]:
    """The ledger's PostgreSQL is stopped without warning and started again."""
    if why := no_postgres():
        return {"tried": "nothing", "skipped": why, "tries": 0, "violations": {}, "faults": []}
    chance = random.Random(keys.seed)
    with (
        Postgres(folder / "postgres") as server,
        open_scene(folder, keys, transport, ledger_url=server.url) as scene,
    ):
        restarts = 0
        with _served(scene) as child:
            end_s = time.monotonic() + seconds
            while time.monotonic() < end_s:
                scene.load(chance.uniform(0.8, 2.0), keys.stimuli_per_s, chance)
                server.crash()
                scene.load(chance.uniform(0.0, 0.4), keys.stimuli_per_s, chance)
                server.start()
                restarts += 1
            before = scene.handsets.arrivals()
            scene.load(2.0, keys.stimuli_per_s, chance)
            again = scene.handsets.arrivals() - before
            scene.settle(30.0)
            code = child.stop()
        result = _result(
            scene, f"PostgreSQL crashed and was started again {restarts} times", code, tries=restarts
        )
        if not again:
            result["faults"].append("nothing was sent any more after the last restart")
        return result


FAULTS: Final[Mapping[str, Fault]] = {
    "smsc_vanishes": smsc_vanishes,
    "boss_ill": boss_ill,
    "clock_steps": clock_steps,
    "clock_leaps": clock_leaps,
    "disk_full": disk_full,
    "postgres_restarts": postgres_restarts,
}
