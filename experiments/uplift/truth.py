"""What only a simulator can say: the true effect, who was worth contacting, what interference did.

True is what the response model gives on average over its luck, with the world as it was. Nothing here is
used by any estimate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.uplift.designs import CONTROL, TREATED
from experiments.uplift.specs import ArmOutcome, ContactTable, Potential

__all__ = [
    "Interference",
    "Oracle",
    "TrueEffect",
    "arrival_curve",
    "contact_gains",
    "interference",
    "oracle_of",
    "share_of_oracle",
    "true_difference",
]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TrueEffect:
    """A difference of take-up over replays of the response draws, which both sides share."""

    value: float
    se: float
    replays: int

    def as_json(self) -> dict[str, Any]:
        """Plain values for `summary.json`."""
        return {"value": self.value, "se": self.se, "replays": self.replays}


def true_difference(a: ArmOutcome, b: ArmOutcome) -> TrueEffect:
    """Two-world truth: everybody in one arm against everybody in the other.

    Raises:
        ValueError: fewer than two replays, or not the same number.
    """
    if a.replay_means.shape != b.replay_means.shape or a.replay_means.size < 2:
        raise ValueError(
            f"two or more replays of both arms, not {a.replay_means.size}, {b.replay_means.size}"
        )
    difference = a.replay_means - b.replay_means
    n = int(difference.size)
    return TrueEffect(float(np.mean(difference)), float(np.std(difference, ddof=1)) / sqrt(n), n)


@dataclass(frozen=True, slots=True)
class Interference:
    """How far an experiment within one world is off on average, since people and arms share things."""

    two_worlds: float
    """Everybody treated against nobody: what a decision is about."""
    naive: float
    """What treated against control in one world comes to on average."""
    bias: float
    """naive - two_worlds, of the same people: differences between the groups' people are not in it."""
    se: float
    treated: float
    """What the treated lose or gain since the others are not treated, share of people."""
    control: float
    """What the control gains or loses since the others are."""

    def as_json(self) -> dict[str, Any]:
        """Plain values for `summary.json`."""
        return asdict(self)


def interference(
    mixed: ArmOutcome, everybody: ArmOutcome, nobody: ArmOutcome, role: NDArray[np.uint8]
) -> Interference:
    """Two-world truth against what one world shows.

    Each person's chance is compared with their own in the other worlds, by the same replays: only what others
    did to them is left.

    Args:
        mixed: Some treated, some not.
        everybody: All treated.
        nobody: None.
        role: Of the eligible in the mixed world.
    """
    a, b = role == TREATED, role == CONTROL
    treated = mixed.replay_share[a] - everybody.replay_share[a]
    control = mixed.replay_share[b] - nobody.replay_share[b]
    gaps = float(treated.mean()), float(control.mean())
    variance = float(np.var(treated, ddof=1)) / len(treated) + float(np.var(control, ddof=1)) / len(control)
    two_worlds = true_difference(everybody, nobody).value
    bias = gaps[0] - gaps[1]
    return Interference(two_worlds, two_worlds + bias, bias, sqrt(variance), *gaps)


def contact_gains(contacts: ContactTable, sub: I64, unasked: F64) -> F64:
    """What each person's contacts added to the chance of an order, (people,).

    1 - product of (1 - p) over the contacts, of those who would not have ordered unasked. Of a contact that
    comes after an unasked order this counts nothing, and of one before it all: as the orders do.

    Args:
        contacts: Contacts with the model's chances.
        sub: People, ascending.
        unasked: Chance of an order of any offer without contact, (people,).
    """
    row = np.searchsorted(sub, contacts.sub)
    spared = np.zeros(len(sub))
    np.add.at(spared, row, np.log1p(-np.minimum(contacts.p_take_up, 1.0 - 1e-12)))
    gains: F64 = (1.0 - np.exp(spared)) * (1.0 - unasked)
    return gains


@dataclass(frozen=True, slots=True, eq=False)
class Oracle:
    """Who would have been worth a contact, to somebody who knows the response model and every moment."""

    gain: F64
    """(people,): best that one contact adds: at the best of the moments at which any arm contacted them, or
    at an ordinary one."""
    unasked: F64
    """(people,): chance of an order without contact."""

    def curve(self) -> F64:
        """Orders added by contacting the best k people, one contact each, a head: (people + 1,)."""
        return np.concatenate([[0.0], np.cumsum(np.sort(self.gain)[::-1])]) / max(len(self.gain), 1)


def oracle_of(potential: Potential, arms: Mapping[str, ArmOutcome]) -> Oracle:
    """The oracle of a study.

    Args:
        potential: Both sides of each person at an ordinary moment.
        arms: Arms whose contacts show further moments.
    """
    unasked = 1.0 - np.prod(1.0 - potential.organic, axis=1)
    best = potential.contacted.max(axis=1)
    for outcome in arms.values():
        row = np.searchsorted(potential.sub, outcome.contact_table.sub)
        np.maximum.at(best, row, outcome.contact_table.p_take_up)
    return Oracle(best * (1.0 - unasked), unasked)


def share_of_oracle(oracle: Oracle, arm: ArmOutcome) -> float | None:
    """What an arm's contacts added, over what the oracle adds with as many; None: nobody was contacted."""
    contacts = len(arm.contact_table.sub)
    if not contacts:
        return None
    reached = float(contact_gains(arm.contact_table, arm.sub, oracle.unasked).sum()) / len(arm.sub)
    best = float(oracle.curve()[min(contacts, len(oracle.gain))])
    return reached / best if best > 0.0 else None


def arrival_curve(oracle: Oracle, arm: ArmOutcome) -> tuple[I64, F64]:
    """Contacts made and orders added per eligible person, person after person in the order of first contact.

    Returns:
        Cumulated contacts and gains, (people contacted + 1,) each.
    """
    gain = contact_gains(arm.contact_table, arm.sub, oracle.unasked)
    who = np.flatnonzero(arm.contacts > 0)
    who = who[np.argsort(arm.first_contact_us[who], kind="stable")]
    contacts = np.concatenate([[0], np.cumsum(arm.contacts[who].astype(np.int64))])
    return contacts, np.concatenate([[0.0], np.cumsum(gain[who])]) / max(len(arm.sub), 1)
