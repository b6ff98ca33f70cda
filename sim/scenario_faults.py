"""The part of a world file about faults: what is done to messages on their way, on purpose."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from sim.scenario_network import Strict

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class FaultScenario(Strict):
    """What is done to messages on their way, on purpose; each has its row in the truth. All zero: nothing."""

    loss_share: Share = Field(0.0, description="Share of messages that are lost.")
    duplication_share: Share = Field(0.0, description="Share of messages that come twice.")
    duplicate_within_ms: int = Field(
        50, description="The copy comes at most so much later, milliseconds.", ge=1, le=60_000
    )
    reordering_share: Share = Field(
        0.0, description="Share of messages that the next one of the same BSC overtakes."
    )
    reordered_within_ms: int = Field(
        200,
        description="A message waits at most so long to be overtaken, milliseconds; then it is only late.",
        ge=1,
        le=60_000,
    )
    delay_share: Share = Field(0.0, description="Share of messages that are late.")
    delay_mean_s: float = Field(
        2.0, description="By how much, seconds (exponential, at most twenty times this).", gt=0, le=600
    )
    truncation_share: Share = Field(0.0, description="Share of messages that end too early.")
    byte_flip_share: Share = Field(0.0, description="Share of messages with one octet changed.")
    no_beginning_share: Share = Field(
        0.0, description="Share of acts whose connections begin unseen: CR and CC are missing."
    )
    no_end_share: Share = Field(
        0.0, description="Share of acts whose connections end unseen: all from CLEAR COMMAND on is missing."
    )
    reference_reuse_share: Share = Field(
        0.0, description="Share of acts whose connections take the reference of the one before at that BSC."
    )
    association_losses_per_day: float = Field(
        0.0, description="Associations lost per BSC and day; what is sent meanwhile is lost.", ge=0, le=24
    )
    association_loss_s: float = Field(
        30.0, description="How long a lost association stays away, seconds.", gt=0, le=3600
    )
    takeovers_per_day: float = Field(
        0.0,
        description="Take-overs of an association per BSC and day; what is sent meanwhile comes at its end.",
        ge=0,
        le=24,
    )
    takeover_s: float = Field(2.0, description="How long a take-over lasts, seconds.", gt=0, le=3600)

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        alone = (
            "loss_share", "duplication_share", "reordering_share", "delay_share", "truncation_share",
            "byte_flip_share",
        )  # fmt: skip
        if sum(getattr(self, name) for name in alone) > 1:
            raise ValueError(f"{', '.join(alone)}: at most 1 together")
        if self.no_beginning_share + self.no_end_share > 1:
            raise ValueError("no_beginning_share, no_end_share: at most 1 together")
        return self

    @property
    def nothing(self) -> bool:
        """Whether every share and rate is zero."""
        return not any(
            getattr(self, name) for name in type(self).model_fields if name.endswith(("_share", "_per_day"))
        )
