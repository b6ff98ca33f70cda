"""A real platform under load, killed with SIGKILL at random instants and started again, many times.

Signalling comes over the real transport, messages go out by SMPP to a message centre that outlives the
platform, and what handsets received is judged by `experiments.audit`. Then every trigger is asked for: see
`experiments.firewall.accounts`.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from experiments.arm import HOST, PASSWORD, SYSTEM_ID
from experiments.audit import Part, audit, read_parts, read_policy
from experiments.child import PlatformChild
from experiments.firewall.accounts import Blind, accounts
from experiments.firewall.grounds import EPOCH_US, LiveClock, Site, Tap, imsi_of, msisdn_of, number_of
from experiments.firewall.handsets import Behaviour, Handsets
from experiments.firewall.play import OWN, Played
from experiments.problems import RunInvalid
from sigtran.transport import Kind
from sim.backoffice.boss import Boss, BossDoor, Customer, Money
from sim.backoffice.smsc_door import SmscDoor

__all__ = ["CrashKeys", "Scene", "crash", "open_scene"]

BACK_WITHIN_S: Final = 5.0
"""The service must be back in this time after each kill."""
APART_S: Final = 0.5
"""Nobody begins a call while the messages of his last are still on their way."""


@dataclass(frozen=True, slots=True)
class CrashKeys:
    """How much of it."""

    kills: int = 200
    stimuli_per_s: float = 60.0
    subscribers: int = 3000
    up_s: float = 1.2
    """Longest time that a platform lives once it serves."""
    starting_share: float = 0.1
    """Killed while it starts."""
    at_reply_share: float = 0.25
    """Killed at the instant at which it confirms a reply: what it has confirmed it must not forget."""
    seed: int = 1
    factor: float = 20.0
    """World seconds a real second."""
    played: Played = OWN
    """Policy and campaigns."""


@dataclass(slots=True)
class Scene:
    """Everything around a platform: what is killed is only what `starts` starts."""

    site: Site
    clock: LiveClock
    door: SmscDoor
    handsets: Handsets
    boss: Boss
    tap: Tap
    log: Path
    smpp_port: int = 0
    boss_url: str = ""
    module: tuple[str, ...] = ("marketing",)
    blind: list[Blind] = field(default_factory=list)
    _acted: dict[int, float] = field(default_factory=dict)

    def configure(self, **more: Any) -> None:
        """Writes the platform's configuration."""
        self.site.write(more.pop("clock", self.clock.keys()), self.smpp_port, self.boss_url, **more)

    def start(self) -> PlatformChild:
        """A platform process, not yet ready; the association to the one before it is let go meanwhile."""
        child = PlatformChild(self.site.config, self.log, self.module)
        self.tap.drop()
        return child

    def serve(self, child: PlatformChild, timeout_s: float = 30.0) -> None:
        """Waits until it is ready, has its association and is bound. RunInvalid where it is not."""
        ready = child.wait_ready(timeout_s)
        self.tap.bring_up(ready)
        deadline = time.monotonic() + timeout_s
        while not self.door.wait_bound(0.05):
            child.check()
            if time.monotonic() > deadline:
                raise RunInvalid(f"the platform did not bind to the SMSC within {timeout_s:g} s")

    def load(self, seconds: float, per_s: float, chance: random.Random) -> None:
        """Acts of random people, now and then several at once."""
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            for _ in range(chance.choice((1, 1, 2, 6))):
                self.act(chance)
            time.sleep(min(left_s, chance.expovariate(per_s / 2.5)))

    def act(self, chance: random.Random) -> None:
        """One act. Half of them are of few people, wanted again and again, or of who wants no more of it."""
        most = self.site.subscribers if chance.random() < 0.5 else max(1, self.site.subscribers // 10)
        who, stopped = chance.randrange(most), self.handsets.stops[-20:]
        if stopped and chance.random() < 0.15:
            who = number_of(chance.choice(stopped)[0])
        now_s = time.monotonic()
        if now_s - self._acted.get(who, 0.0) < APART_S:
            return
        self._acted[who] = now_s
        self.tap.play(chance.choice(tuple(self.site.played.of_stimulus)), who)

    def kill(self, child: PlatformChild) -> int:
        """SIGKILL; when, monotonic nanoseconds."""
        killed_ns = time.monotonic_ns()
        child.process.send_signal(signal.SIGKILL)
        child.process.wait(10)
        return killed_ns

    def settle(self, timeout_s: float) -> None:
        """Waits until nothing is under way at the message centre."""
        deadline = time.monotonic() + timeout_s
        while self.handsets.waiting and time.monotonic() < deadline:
            time.sleep(0.05)

    def judged(self) -> dict[str, Any]:
        """What the audit says of what handsets received, beside the files it was judged by."""
        self.site.write_stops(self.handsets.stops)
        parts = [
            Part(r.t_us, r.msisdn, r.source, r.smsc_us, r.reference, r.part, r.parts)
            for r in self.handsets.received
        ]
        path = self.site.folder / "parts.parquet"
        write_parts(path, parts)
        return audit(read_parts(path), read_policy(self.site.policy_file)).as_json()


def write_parts(path: Path, parts: list[Part]) -> None:
    """Handset records as a run has them, as far as the audit reads them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [asdict(part) for part in sorted(parts, key=lambda p: (p.t_us, p.msisdn, p.part))]
    texts = ("msisdn", "source", "channel", "cell")
    schema = pa.schema(
        [(n, pa.string() if n in texts else pa.int64()) for n in Part.__dataclass_fields__ if n != "cell"]
    )
    pq.write_table(pa.Table.from_pylist([{n: r[n] for n in schema.names} for r in rows], schema), path)


@contextmanager
def open_scene(
    folder: Path,
    keys: CrashKeys,
    transport: Kind,
    *,
    behaviour: Behaviour | None = None,
    money: Money | None = None,
    **site: Any,
) -> Iterator[Scene]:
    """Message centre, handsets, BOSS and files; no platform yet."""
    clock = LiveClock(keys.played.start_s, keys.factor, time.monotonic_ns())
    made = Site(folder, keys.subscribers, keys.played, transport, **site)
    made.make()
    customers = [
        Customer(msisdn_of(i), imsi_of(i), "gotone", "zh", True, False, ()) for i in range(keys.subscribers)
    ]
    with ExitStack() as stack:
        door = stack.enter_context(
            SmscDoor(
                HOST,
                0,
                SYSTEM_ID,
                PASSWORD,
                time.monotonic_ns,
                epoch_unix_us=EPOCH_US,
                utc_offset_quarters=32,
            )
        )
        boss = Boss(customers, money)
        boss_door = stack.enter_context(BossDoor(boss, HOST))
        handsets = stack.enter_context(
            Handsets(door, clock.us, behaviour or Behaviour(), keys.seed, EPOCH_US, keys.played)
        )
        tap = Tap()
        stack.callback(tap.drop)
        scene = Scene(
            made, clock, door, handsets, boss, tap, folder / "platform.log", door.port, boss_door.url
        )
        scene.configure()
        yield scene


@dataclass(slots=True)
class _Killed:
    """A platform that is killed and started again, and what was measured of it."""

    scene: Scene
    keys: CrashKeys
    chance: random.Random
    progress: Callable[[int, int], None]
    kills: int = 0
    starting: int = 0
    """Kills before it was serving again."""
    at_reply: int = 0
    """Kills just after a confirmation had come."""
    back_s: list[float] = field(default_factory=list)
    """From each kill until it served again."""
    cpu_s: list[float] = field(default_factory=list)
    """Processor time that this took it."""
    _killed_ns: int = 0
    _served: bool = False
    """It has been serving before."""

    def over_and_over(self) -> int:
        """All the kills, then a last life to its orderly end; its exit code."""
        while self.kills < self.keys.kills:
            with self.scene.start() as child:
                if self._served and self.chance.random() < self.keys.starting_share:
                    self._kill_starting(child)
                else:
                    self._live(child)
                    self._kill_serving(child)
            self.kills += 1
            self.progress(self.kills, self.keys.kills)
        with self.scene.start() as child:
            self._live(child)
            self.scene.settle(40.0)
            time.sleep(0.5)
            return child.stop()

    def _kill_starting(self, child: PlatformChild) -> None:
        time.sleep(self.chance.uniform(0.0, max(self.back_s, default=1.0)))
        child.process.send_signal(signal.SIGKILL)
        child.process.wait(10)
        self.starting += 1
        self._killed_ns = time.monotonic_ns()

    def _live(self, child: PlatformChild) -> None:
        """Until it serves, and then some load."""
        scene = self.scene
        scene.serve(child)
        served_ns = time.monotonic_ns()
        if self._served:
            self.back_s.append((served_ns - self._killed_ns) / 1e9)
            self.cpu_s.append(_processor_s(child.process.pid))
            scene.blind[-1] = Blind(scene.blind[-1].from_ns, served_ns)
        self._served = True
        scene.load(self.chance.uniform(0.05, self.keys.up_s), self.keys.stimuli_per_s, self.chance)

    def _kill_serving(self, child: PlatformChild) -> None:
        for _ in range(self.chance.choice((0, 3, 10))):
            self.scene.act(self.chance)
        if self.chance.random() < self.keys.at_reply_share:
            self.scene.handsets.confirmed.clear()
            self.at_reply += self.scene.handsets.confirmed.wait(1.0)
        else:
            time.sleep(self.chance.uniform(0.0, 0.02))
        self._killed_ns = self.scene.kill(child)
        self.scene.blind.append(Blind(self._killed_ns, 0))


def crash(
    folder: Path,
    keys: CrashKeys,
    transport: Kind,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, Any]:
    """Kills it so many times; what was tried and what came of it."""
    with open_scene(folder, keys, transport) as scene:
        killed = _Killed(scene, keys, random.Random(keys.seed), progress)
        code = killed.over_and_over()
        found = scene.judged()
        told = accounts(scene.site, scene.tap.stimuli, scene.handsets, scene.blind, scene.boss)
        faults = list(scene.handsets.faults)
    if code:
        faults.append(f"the platform ended with exit code {code} when it was to stop")
    return {
        "kills": killed.kills,
        "while_starting": killed.starting,
        "at_reply": killed.at_reply,
        "stimuli": len(scene.tap.stimuli),
        "contacts": found["contacts"],
        "in_flight": found["in_flight"],
        "stops": len(scene.handsets.stops),
        "violations": {name: n for name, n in found["violations"].items() if n},
        "findings": found["findings"][:10],
        "accounts": told,
        "back_s": distribution(killed.back_s),
        "back_processor_s": distribution(killed.cpu_s),
        "back_each_s": [round(s, 3) for s in killed.back_s],
        "load_average": round(os.getloadavg()[0], 1),
        "not_back_in_time": sum(s >= BACK_WITHIN_S for s in killed.back_s),
        "faults": faults,
    }


def _processor_s(pid: int) -> float:
    """Processor time that a process has had; on a machine that others share it says more than the clock."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def distribution(values: list[float]) -> dict[str, float | int]:
    """Figures of a sample; of few values no far percentile."""
    ordered = sorted(values)
    if not ordered:
        return {"n": 0}

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)

    return {"n": len(ordered), "p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "max": round(ordered[-1], 3)}
