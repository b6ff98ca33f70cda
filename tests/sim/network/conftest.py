"""A small network with scripted people: every case says who does what, and reads what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.draws import Draws
from sim.network.build import Settings, build_network
from sim.network.intents import Identities, Journeys, Services
from sim.network.kernel import Network
from sim.network.templates import Shape
from sim.network.topology import build_topology
from sim.network.visible import VISIBLE
from sim.scenario import BscScenario, NetworkScenario, PlaceScenario, RadioScenario, WorldScenario

SECOND = 1_000_000
HOUR = 3600 * SECOND
SUBSCRIBERS = 6
TEXT_COLUMNS = ("t_us", "sub", "kind", "peer_sub", "peer_number", "text_id")
CALL_COLUMNS = (*TEXT_COLUMNS[:-1], "alert_us", "ring_us", "talk_us", "intent", "hangup")
EPOCH = 1_180_886_400_000_000

SCENARIO = WorldScenario(
    world="w",
    about="x",
    epoch=date(2007, 6, 4),
    network=NetworkScenario(
        cells=30,
        radio=RadioScenario(
            room_db=0
        ),  # whoever stays is served by one cell: what rests has a file of its own
        bscs=[BscScenario(point_code=257, lacs=[4097, 4098]), BscScenario(point_code=258, lacs=[4099, 4112])],
    ),
    places=[PlaceScenario(name="airport", kind="airport", cells=3, x_km=11.0, y_km=3.5, lac=4112)],
)


@dataclass
class Script:
    """Scripted people; times in world microseconds, rows as tuples."""

    cells: Sequence[int]
    on: Sequence[bool] = (True,) * SUBSCRIBERS
    moves: list[tuple[int, int, int]] = field(default_factory=list)
    power: list[tuple[int, int, bool, bool]] = field(default_factory=list)
    calls: list[tuple[int, int, int, int, str, int, int, int, int, int]] = field(default_factory=list)
    texts: list[tuple[int, int, int, int, str, int]] = field(default_factory=list)

    def people(self) -> SimpleNamespace:
        def between(rows, names, from_us, to_us):
            rows = sorted(row for row in rows if from_us <= row[0] < to_us)
            by_name = zip(*rows, strict=True) if rows else [()] * len(names)
            found = dict(zip(names, by_name, strict=True))
            kinds = {"peer_number": "S20", "on": bool, "graceful": bool}
            return SimpleNamespace(**{k: np.array(v, dtype=kinds.get(k, np.int64)) for k, v in found.items()})

        def trips(from_us, to_us):
            """Each move as a trip of its own to a neighbouring cell, which is entered halfway."""
            at, rows = list(self.cells), []
            for t_us, sub, cell in sorted(self.moves):
                rows.append((sub, t_us - SECOND, 2 * SECOND, at[sub], cell))
                at[sub] = cell
            rows = sorted(row for row in rows if from_us <= row[1] < to_us)
            names = ("sub", "leave_us", "ride_us", "from_cell", "to_cell")
            columns = np.array(rows, dtype=np.int64).reshape(-1, 5).T
            return SimpleNamespace(**dict(zip(names, columns, strict=True)))

        power = ("t_us", "sub", "on", "graceful")
        return SimpleNamespace(
            trips=trips,
            power=lambda *span: between(self.power, power, *span),
            calls=lambda *span: between(self.calls, CALL_COLUMNS, *span),
            texts=lambda *span: between(self.texts, TEXT_COLUMNS, *span),
            imei_at=lambda day: (
                np.arange(SUBSCRIBERS, dtype=np.uint64) + np.uint64(490154203237510 + 100 * day)
            ),
            services=lambda *span: Services.none(),
            journeys=lambda *span: Journeys.none(),
            next_on_us=lambda sub, after_us: min(
                (t for t, who, on, _ in self.power if who == sub and on and t > after_us), default=-1
            ),
            state_at=lambda t_us: (np.array(self.cells, dtype=np.int32), np.array(self.on, dtype=bool)),
            text=lambda text_id: ("OK", "到了吗？")[text_id],
        )


@dataclass
class Settled:
    """A settled script."""

    network: Network
    imsi: NDArray[np.uint64]
    started: list[tuple[int, Shape]]

    def __post_init__(self) -> None:
        self.ladder_acts = [act for act, _ in self.started]
        self.shapes = [shape for _, shape in self.started]
        self.acts = self.network.take_acts()
        self.batch, self.visible = self.network.window(1 << 60) or (None, np.zeros(0, VISIBLE))

    @property
    def kinds(self) -> list[str]:
        return [shape.kind for shape in self.shapes]

    def of(self, sub: int) -> NDArray[np.void]:
        """The visible rows of a subscriber."""
        return self.visible[self.visible["imsi"] == self.imsi[sub]]

    def shown(self, sub: int) -> list[tuple[int, int, int]]:
        """(kind, role, cause) of the visible rows of a subscriber."""
        rows = self.of(sub)
        return list(zip(rows["kind"].tolist(), rows["role"].tolist(), rows["cause"].tolist(), strict=True))

    def outcomes(self) -> list[tuple[int, int, str]]:
        """(sub, kind, outcome) of the acts."""
        names = [outcome.decode() for outcome in self.acts["outcome"].tolist()]
        return list(zip(self.acts["sub"].tolist(), self.acts["kind"].tolist(), names, strict=True))


@pytest.fixture(scope="session")
def topology():
    return build_topology(SCENARIO, Draws(5))


@pytest.fixture
def identities() -> Identities:
    n = np.arange(SUBSCRIBERS, dtype=np.uint64)
    return Identities(n + np.uint64(1010000000001), n + np.uint64(8613900000001))


@pytest.fixture
def script() -> type[Script]:
    """Scripted people: `script(cells, on, moves=..., power=..., calls=..., texts=...)`."""
    return Script


@pytest.fixture
def network(topology, library, identities) -> Callable[..., Network]:
    """A network with the people of a script in it, at time 0."""

    def build(
        script: Script,
        until_us: int = 3 * HOUR,
        seed: int = 5,
        t3212_us: int = 10_000 * HOUR,
        **chances: float,
    ) -> Network:
        never = {"ping_pong_share": 0.0, "handover_failure_share": 0.0}
        settings = Settings(t3212_us=t3212_us, epoch_unix_us=EPOCH, **(never | chances))
        return build_network(
            settings, topology, identities, script.people(), Draws(seed), library, 0, until_us
        )

    return build


@pytest.fixture
def settle(network, identities) -> Callable[..., Settled]:
    """Settles a script from 0 to `until_us`."""

    def run(
        script: Script, until_us: int = 3 * HOUR, seed: int = 5, admits=None, **chances: float
    ) -> Settled:
        net = network(script, until_us, seed, **chances)
        net.admits = admits
        net.keep_journal()
        net.settle(until_us)
        return Settled(net, identities.imsi, [(begun.act, begun.shape) for begun in net.journal])

    return run


@pytest.fixture
def cell_of(topology) -> Callable[[int], int]:
    """A cell in a location area."""
    return lambda lac: int(np.flatnonzero(topology.lac == lac)[0])


@pytest.fixture
def across(topology) -> Callable[[int, int], tuple[int, int]]:
    """Two neighbouring cells, each in a location area."""

    def pair(lac: int, other: int) -> tuple[int, int]:
        return next(
            (a, int(b))
            for a in range(topology.n)
            for b in topology.neighbours(a)
            if (topology.lac[a], topology.lac[b]) == (lac, other)
        )

    return pair
