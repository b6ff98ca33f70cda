"""The experiment of a campaign: who belongs to which arm, for ever, by a keyed hash of the subscriber."""

from __future__ import annotations

import hashlib
from datetime import date
from itertools import accumulate
from typing import Annotated, Final

from pydantic import Field, PrivateAttr, model_validator

from marketing.campaigns.switchback import Days, read_days
from marketing.config import ExistingFile, Strict
from marketing.config_values import Form

__all__ = ["CONTROL", "HOLD_OUT", "Experiment"]

CONTROL: Final = "control"
"""The arm that is not contacted."""
HOLD_OUT: Final = "hold_out"
"""Not an arm: kept out before the arms are dealt, and not contacted."""

Name = Annotated[
    str,
    Form(r"^[a-z][a-z0-9_]{0,29}$", "up to 30 small letters, digits and underscores, a letter first"),
]
Share = Annotated[float, Field(gt=0, le=1)]
_WHOLE: Final = 1 << 64


class Experiment(Strict):
    """Which subscribers are contacted and which are kept for comparison.

    Whoever triggers belongs to one arm by a hash of salt and IMSI: the same arm at every trigger, whatever
    the machine, order or number of workers. Campaigns with one salt deal alike; other salts independently.
    """

    arms: dict[Name, Share] = Field(min_length=1, max_length=20)
    """Arm -> share; they sum to 1. The arm named control is not contacted, every other one is."""
    salt: str = Field(min_length=1, max_length=64)
    """Key of the hash. A new salt deals anew."""
    hold_out: float = Field(default=0.0, ge=0, lt=1)
    """Share of subscribers kept out beforehand: the same people in every campaign with this salt."""
    days: ExistingFile | None = None
    """CSV with the header from,until or from,until,msisdn: local days, both included, on which contacts are
    made, to everybody or to single subscribers; on all others they belong to control. null: on all days."""
    _days: Days | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _whole(self) -> Experiment:
        total = sum(self.arms.values())
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the shares of the arms sum to {total:g}, expected 1")
        if HOLD_OUT in self.arms:
            raise ValueError("hold_out is a key of its own, not an arm")
        if set(self.arms) == {CONTROL}:
            raise ValueError("with control alone nobody would ever be contacted")
        return self

    @model_validator(mode="after")
    def _read(self) -> Experiment:
        if self.days is not None:
            self._days = read_days(self.days)
        return self

    def rests(self, day: date, msisdn: str) -> bool:
        """Whether a subscriber is not contacted on a local day, whatever the arm."""
        return self._days is not None and not self._days.hold(day, msisdn)

    def arm(self, imsi: str) -> str:
        """The arm of a subscriber, or hold_out."""
        if _part(self.salt, HOLD_OUT, imsi) < round(self.hold_out * _WHOLE):
            return HOLD_OUT
        drawn = _part(self.salt, "arms", imsi)
        for name, bound in zip(self.arms, accumulate(self.arms.values()), strict=True):
            if drawn < round(bound * _WHOLE):
                return name
        return name  # the last, where the shares sum to a hair less than 1


def _part(salt: str, purpose: str, imsi: str) -> int:
    """Uniform in [0, 2^64); BLAKE2b keyed with the salt (RFC 7693)."""
    made = hashlib.blake2b(
        f"{purpose}|{imsi}".encode("ascii"), digest_size=8, key=hashlib.sha256(salt.encode()).digest()
    )
    return int.from_bytes(made.digest(), "big")
