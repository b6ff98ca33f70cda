"""Studies of kind uplift: what difference does it make to contact people at the right moment?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from experiments.folder import open_run, read_json
from experiments.problems import BadInput, relative
from experiments.study import Clock, Eligible, Lists, LoadedStudy, StudyName
from marketing.config import ExistingFile, Strict
from sim.subscribers.offers import Offer

__all__ = [
    "AT_SCALE",
    "Blanket",
    "Design",
    "Guardrails",
    "Keys",
    "Planning",
    "Reported",
    "Sensitivity",
    "TruthKeys",
    "check",
    "foretell",
    "report",
    "results",
    "run",
]

AT_SCALE = True
LOOK_BACK_DAYS = 14
"""Days before the campaigns from which on a covariate of the look-back is used."""


class Design(Strict):
    """How people come to be contacted or not."""

    kind: Literal["parallel_worlds", "subscriber", "cluster", "switchback"] = "parallel_worlds"
    """parallel_worlds: everybody in every arm, each arm a world of its own with the same chance, so that
    people are their own pairs. In one world: subscriber: by salted hash of each; cluster: by salted hash of
    the cell where one lives; switchback: by day, one of every two neighbours."""
    control_share: float = Field(default=0.5, gt=0.01, lt=0.99)
    """Within one world by subscriber or cluster: share that is not contacted, of those not held out."""
    holdout_share: float = Field(default=0.05, ge=0, le=0.5)
    """Within one world: share kept out of the experiment, never contacted: it must do as the control does."""
    salt: str = Field(default="", max_length=60)
    """What the hash is salted with; empty: the study's name."""


class Blanket(Strict):
    """The arm that sends to people drawn at random, at a fixed hour."""

    by: list[Literal["reach", "budget"]] = Field(default=["reach", "budget"])
    """reach: as many people, as often, with the same offers on the same days as the precise arm. budget: as
    many contacts a day as the precise arm's money of that day buys at `price`."""
    at: Clock = "10:00"
    """Local time of the group-sending, outside the policy's quiet hours."""
    price: dict[str, Annotated[float, Field(ge=0)]] = Field(default={})
    """Campaign -> what a contact costs when it is sent to a list; absent: what its file says."""

    @field_validator("by")
    @classmethod
    def _once_each(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value):
            raise ValueError("expected each once")
        return value


class Guardrails(Strict):
    """What may not get worse by more than this, in the precise arm against no contact: share of people."""

    complaints: float = Field(default=0.01, gt=0, le=0.5)
    """Largest tolerable share of people who complain."""
    opt_outs: float = Field(default=0.02, gt=0, le=0.5)
    """Largest tolerable share of people who ask for no more messages."""


class Planning(Strict):
    """What was hoped for before anything was seen, for the power of the study."""

    power: float = Field(default=0.8, gt=0.1, lt=0.999)
    """Wanted chance of an interval without 0."""
    reach: float = Field(default=0.2, gt=0, le=1)
    """Share of people whom the precise arm is hoped to contact."""
    uplift: float | None = Field(default=None, gt=0, lt=1)
    """Difference of take-up worth finding, share of people; null: from the offers' own logits."""
    simulations: int = Field(default=2000, ge=200, le=100_000)
    """Simulated experiments for each power."""


class TruthKeys(Strict):
    """Small worlds with other people, in which the intervals are held against what is true."""

    replicates: int = Field(default=1000, ge=0, le=100_000)
    """How many; 0: none, and the page says so."""
    world_settings: dict[str, str | bool | int | float] = Field(default={"subscribers": 500})
    """Dotted keys of the world file laid over those of the study."""
    days: int = Field(default=7, ge=1, le=366)
    """Days lived; campaigns run in all of them."""
    replays: int = Field(default=20, ge=2, le=10_000)
    """Replays of the response draws in each, for the true effect."""
    min_take_ups: int = Field(default=10, ge=0)
    """Take-ups that an arm has on average where coverage is judged."""


class Sensitivity(Strict):
    """Which assumption about people decides the answer?"""

    shown: int = Field(default=10, ge=1, le=40)
    """Parameters of the responses that the tornado shows, those that matter most."""
    logits: float = Field(default=1.0, gt=0, le=5)
    """How far weights in logits are moved, down and up."""
    factor: float = Field(default=2.0, gt=1, le=10)
    """By what rates, spreads and times are divided and multiplied."""
    replays: int = Field(default=100, ge=2, le=10_000)
    """Replays of the response draws for each."""


class Reported(Strict):
    """A figure that the source documents claim for something like it; shown, and used for nothing."""

    what: str = Field(min_length=1, max_length=200)
    """What was claimed, in words."""
    figure: str = Field(min_length=1, max_length=60)
    """The figure, as written there."""
    source: str = Field(min_length=1, max_length=80)
    """Where."""


class Keys(Strict):
    """A study of what contacting at the right moment is worth: precise, blanket and control arm."""

    study: StudyName
    """Name; results go to `experiments/runs/<name>/`."""
    kind: Literal["uplift"]
    """uplift: difference of take-up, complaints, opt-outs and money between arms, and how far to trust it."""
    title: str = ""
    """What is asked, in one line, for the report."""
    world: ExistingFile
    """World file."""
    world_settings: dict[str, str | bool | int | float] = Field(default={})
    """Dotted keys of the world file laid over it, such as `subscribers: 3000`."""
    campaigns: list[ExistingFile] = Field(min_length=1)
    """Campaign files."""
    policy: ExistingFile
    """Contact policy file."""
    segments: ExistingFile | None = None
    """Table of segments for the platform (audiences/); null: none."""
    currency: str = Field(default="yuan", min_length=1, max_length=12)
    """What costs and values are counted in."""
    seed: int = Field(default=1, ge=0, lt=2**62)
    """Seed of everything drawn."""
    days: int = Field(default=7, ge=1, le=366)
    """Simulated days, look-back included."""
    campaigns_from_day: int = Field(default=1, ge=1, le=366)
    """First day of the campaigns; with 14 days before it, habits of before sharpen the estimate (CUPED)."""
    feed: Literal["behaviours", "signalling"] = "behaviours"
    """behaviours: the platform is handed visible acts, no bytes. signalling: the bytes, in lockstep."""
    tick_s: int = Field(default=60, ge=1, le=3600)
    """Simulated seconds between two meetings of simulator and platform; divides a day."""
    design: Design = Design()
    blanket: Blanket = Blanket()
    offers: list[Offer] = Field(default_factory=list)
    """How people respond to offers of the campaigns; to one left out as `sim.subscribers.offers` says."""
    values: dict[str, float] = Field(default={})
    """Offer -> money that one take-up is worth; absent: 0."""
    lists: Lists = Lists()
    eligible: Eligible = Eligible()
    guardrails: Guardrails = Guardrails()
    replays: int = Field(default=200, ge=2, le=100_000)
    """Replays of the response draws for the true effect of this very run."""
    planning: Planning = Planning()
    a_a: int = Field(default=1000, ge=0, le=100_000)
    """Comparisons of two arms of which neither is contacted; 0: none, and the page says so."""
    truth: TruthKeys = TruthKeys()
    sensitivity: Sensitivity | None = Sensitivity()
    """null: no tornado."""
    same_feed_days: int = Field(default=2, ge=0, le=366)
    """Days for which a fiftieth of the people is lived through with both feeds, whose triggers must be the
    same, at most `days`; 0: not tried. With feed signalling nothing is compared."""
    reported: list[Reported] = Field(default_factory=list)
    """Figures of the source documents, shown beside."""

    @field_validator("tick_s")
    @classmethod
    def _divides_a_day(cls, value: int) -> int:
        if 86_400 % value:
            raise ValueError("expected a divisor of 86 400, such as 30, 60, 300, 600 or 900")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Keys:
        if self.campaigns_from_day > self.days:
            raise ValueError(f"campaigns_from_day: expected at most days, {self.days}")
        if self.same_feed_days > self.days and "same_feed_days" in self.model_fields_set:
            raise ValueError(f"same_feed_days: expected at most days, {self.days}")
        if self.feed == "signalling" and 60 % self.tick_s:
            raise ValueError("tick_s: with feed signalling expected a divisor of 60")
        if self.design.kind == "switchback" and (self.days - self.campaigns_from_day + 1) < 4:
            raise ValueError("design.kind: expected at least four days of campaigns with a switchback")
        if self.design.kind == "switchback" and self.truth.replicates and self.truth.days < 4:
            raise ValueError("truth.days: expected at least four with a switchback")
        return self

    @property
    def both_feeds_days(self) -> int:
        """For how long both feeds are compared: a study shorter than the default is as long as it is."""
        return min(self.same_feed_days, self.days)

    @property
    def look_back(self) -> bool:
        """Whether enough days precede the campaigns for a covariate."""
        return self.campaigns_from_day > LOOK_BACK_DAYS


def check(loaded: LoadedStudy) -> None:
    """Reads world, policy, campaigns and segments, alone and together, and names that keys are said for."""
    from experiments.study_checks import campaign_problems, quiet_problems, world_problems
    from experiments.study_offers import offer_problems
    from experiments.validate import KINDS, problems_of
    from marketing.campaigns import load
    from marketing.contact import load_policy

    keys = loaded.keys_of(Keys)
    problems = world_problems(loaded, keys.world, keys.world_settings)
    if not problems:
        settings = {**keys.world_settings, **keys.truth.world_settings}
        problems = world_problems(loaded, keys.world, settings, ("truth", "world_settings"))
    problems += problems_of(lambda: load_policy(keys.policy))
    if keys.segments is not None:
        segments = keys.segments
        problems += problems_of(lambda: KINDS["audience"][1](segments))
    for campaign in keys.campaigns:
        problems += problems_of(partial(load, campaign))
    if not problems:
        problems = campaign_problems(keys.campaigns, keys.policy, keys.world, keys.world_settings)
    if not problems:
        policy = load_policy(keys.policy)
        problems = offer_problems(loaded, keys.offers, keys.campaigns) + _names(loaded, keys)
        problems += quiet_problems(loaded, ("blanket", "at"), keys.blanket.at, policy, keys.policy)
    if problems:
        raise BadInput(list(dict.fromkeys(problems)))


def _names(loaded: LoadedStudy, keys: Keys) -> list[str]:
    """Offers, campaigns and columns that keys are said for, and that there are not."""
    from experiments.study_checks import column_problems, name_problems
    from marketing.campaigns import load

    campaigns = [load(path) for path in keys.campaigns]
    offers = ((("values", name), name) for name in keys.values)
    prices = ((("blanket", "price", name), name) for name in keys.blanket.price)
    problems = name_problems(loaded, offers, (one.offer for one in campaigns), "an offer")
    problems += name_problems(loaded, prices, (one.campaign for one in campaigns), "one")
    return problems + column_problems(loaded, keys.eligible)


def run(loaded: LoadedStudy, out: Path, arguments: Sequence[str]) -> int:
    """Runs it; 3 where the comparison is not to be trusted."""
    from experiments.uplift.study import run_study

    return run_study(loaded, loaded.keys_of(Keys), out, arguments)


def results(run_dir: Path) -> list[Path]:
    """Files that the clock has no part in."""
    from experiments.uplift.tables import results_of

    return results_of(run_dir)


def foretell(loaded: LoadedStudy) -> dict[str, int | float]:
    """What it will come to. Its worlds make no messages, so no trial run tells how long it takes."""
    keys = loaded.keys_of(Keys)
    arms = 3 + len({*keys.blanket.by, *(["reach"] if keys.design.kind == "parallel_worlds" else [])})
    arms += keys.design.kind == "switchback"
    lives = 2 * keys.truth.replicates
    return {
        "arms, of which the control is lived through only where a look-back is wanted": arms,
        "days of each": keys.days,
        "lives of small worlds for the truth": lives,
        "days of each small world": keys.truth.days,
        "comparisons of two untreated arms": keys.a_a,
    }


def report(run_dir: Path, out: Path | None, language: str = "en") -> Path:
    """Writes the page again."""
    from reports.uplift import NotReportable, write_report

    open_run(run_dir)
    read_json(run_dir / "summary.json")
    try:
        written: Path = write_report(run_dir, out, language)
        return written
    except NotReportable as error:
        raise BadInput(f"{relative(run_dir)}: {error}") from None
