"""What a capacity study has measured, kept piece by piece, and in which sitting each piece was measured.

A piece is what cannot be had in parts: one probe, one closed probe, one round of closed probes, one run. The
search for a knee asks by what it was told, so that it asks the same again of a run that is gone on with, and
is answered from `RUN_DIR/kept` as far as that goes. What a clock has measured belongs to the machine that it
was measured on: pieces of another are refused.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.capacity.levels import Probe, ProbeResult
from experiments.capacity.utilisation import Resource
from experiments.folder import RunFolder, now
from experiments.running.begin import Begun
from experiments.running.executor import InProcess
from experiments.running.kept import Kept

__all__ = ["Keeper", "KeptProbe", "Piece", "of_plain", "plain"]

_ARRAYS: Final = ("latency_ms", "at_s")


@dataclass(frozen=True, slots=True)
class Piece:
    """What decides one piece, beside the study's files and the program, which `--resume` compares."""

    what: str
    """size, town, closed, probe, run, growth or round."""
    of: str
    """Configuration or number that it is of."""
    values: Mapping[str, Any]
    """Rates, lengths, seeds."""
    machine: Mapping[str, Any]


@dataclass(slots=True)
class Keeper:
    """Measures a piece, or has it from an earlier sitting."""

    kept: Kept
    machine: Mapping[str, Any]
    """Processors, who is bound to which, and how signalling travels."""
    sitting: int = 0
    """The first is 0; each `--resume` begins another."""
    pieces: list[dict[str, Any]] = field(default_factory=list)
    """Of every piece asked for: what, of, sitting, when, and others' share of the processors, if known."""

    @classmethod
    def of(cls, run: Begun, machine: Mapping[str, Any]) -> Keeper:
        """Of a run under way. What it measures is measured here, one piece after another."""
        sitting = len(run.folder.manifest.get("resumed", []))
        return cls(Kept(run.kept.folder, InProcess()), machine, sitting)

    def have(
        self,
        what: str,
        of: str,
        key: str,
        measure: Callable[[], dict[str, Any]],
        **values: Any,
    ) -> dict[str, Any]:
        """What `measure` gives, which must be JSON, with numbers that are none allowed.

        Args:
            what: Kind of the piece.
            of: What it is of.
            key: File name below `kept`.
            measure: Called where it lacks.
            values: What else decides it.

        Raises:
            BadInput: it was kept of something else, or on another machine.
        """

        def measured(piece: Piece) -> dict[str, Any]:
            return {"sitting": self.sitting, "at": now(), "result": measure()}

        piece = Piece(what, of, values, self.machine)
        ((_, found),) = self.kept.map(measured, [piece], key=lambda _: key)
        result: dict[str, Any] = found["result"]
        self.pieces.append(
            {"what": what, "of": of, "sitting": found["sitting"], "at": found["at"]}
            | {"others_share": result.get("others_share")}
        )
        return result

    def sittings(self, folder: RunFolder) -> list[dict[str, Any]]:
        """Each sitting with when it began, and what of the study was measured in it."""
        manifest = folder.manifest
        began = [manifest["started"], *(went["at"] for went in manifest.get("resumed", []))]
        found = []
        for number, at in enumerate(began):
            counts: dict[tuple[str, str], int] = {}
            mine = [piece for piece in self.pieces if piece["sitting"] == number]
            for piece in mine:
                of = (piece["what"], piece["of"])
                counts[of] = counts.get(of, 0) + 1
            shares = [piece["others_share"] for piece in mine if piece["others_share"] is not None]
            found.append(
                {
                    "began": at,
                    "last": max((piece["at"] for piece in mine), default=None),
                    "measured": [{"what": what, "of": of, "n": n} for (what, of), n in counts.items()],
                    "others_median": round(float(np.median(shares)), 4) if shares else None,
                }
            )
        return found


@dataclass(slots=True)
class KeptProbe:
    """A probe that never makes the same one twice in one run."""

    keeper: Keeper
    name: str
    """Of the configuration."""
    made: Callable[[], Probe]
    """The probe itself, made when first something lacks: its world takes a while."""
    probes: int = 0

    def closed(self, outstanding: int, seconds: float, seed: int) -> float:
        """See `experiments.capacity.levels.Probe`."""
        found = self.keeper.have(
            "closed",
            self.name,
            f"{self.name}/closed",
            lambda: {"rate_per_s": self.made().closed(outstanding, seconds, seed)},
            outstanding=outstanding,
            seconds=seconds,
            seed=seed,
        )
        return float(found["rate_per_s"])

    def probe(self, rate_per_s: float, seconds: float, seed: int) -> ProbeResult:
        """See `experiments.capacity.levels.Probe`."""
        self.probes += 1
        return self.phase("probe", f"{self.name}/probe-{self.probes:03d}", rate_per_s, seconds, seed)

    def phase(self, what: str, key: str, rate_per_s: float, seconds: float, seed: int) -> ProbeResult:
        """A phase that is no probe of the search."""
        found = self.keeper.have(
            what,
            self.name,
            key,
            lambda: plain(self.made().probe(rate_per_s, seconds, seed)),
            rate_per_s=rate_per_s,
            seconds=seconds,
            seed=seed,
        )
        return of_plain(found)


def plain(found: ProbeResult) -> dict[str, Any]:
    """A result as JSON; arrays as the octets of their numbers, which say them exactly."""
    values = {name: getattr(found, name) for name in ProbeResult.__dataclass_fields__}
    values |= {name: _octets(values[name]) for name in _ARRAYS}
    return values | {
        "resources": [asdict(resource) for resource in found.resources],
        "notes": dict(found.notes),
    }


def of_plain(values: Mapping[str, Any]) -> ProbeResult:
    """The result again."""
    arrays = {name: _numbers(values[name]) for name in _ARRAYS}
    resources = tuple(Resource(**resource) for resource in values["resources"])
    return ProbeResult(**{**values, **arrays, "resources": resources})


def _octets(array: NDArray[np.float64]) -> str:
    return base64.b64encode(np.asarray(array, "<f8").tobytes()).decode("ascii")


def _numbers(text: str) -> NDArray[np.float64]:
    return np.frombuffer(base64.b64decode(text), "<f8").astype(np.float64)
