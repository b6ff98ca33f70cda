"""The measures of the realism study: each with its band, where the band comes from, and who must miss it.

A band is never fitted to what the world does. Where a source gives a figure without a tolerance, the
tolerance is ours and says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from experiments.realism.fits import Estimate

__all__ = ["COLUMNS", "MEASURES", "Measure", "verdict"]

OURS: Final = "ours"
WAYPOINT: Final = "waypoint"
UNIFORM: Final = "uniform"
COLUMNS: Final = {OURS: "our people", WAYPOINT: "random waypoint", UNIFORM: "uniform traffic"}
"""The populations that go through the study, and what they are called."""

WIDEST_AGREEMENT: Final = 0.05
"""A comparison with what was configured whose interval is wider on either side says nothing."""

_GONZALEZ = "González, Hidalgo, Barabási, Nature 453 (2008)"
_SONG = "Song, Koren, Wang, Barabási, Nature Physics 6 (2010)"
_LIMITS = "Song, Qu, Blumm, Barabási, Science 327 (2010)"
_WORLD = "the world file and the tables of sim.subscribers.usage"
_NETWORK_DEFAULTS = "busy-hour planning figures of Chinese networks of the time"
_ONNELA = "Onnela et al., PNAS 104 (2007)"
_CROSSINGS = "formula: borders of areas crossed along everybody's trips"


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of the report."""

    name: str
    group: str
    title: str
    """What is measured, as the report says it."""
    unit: str
    low: float
    high: float
    source: str
    required: bool = True
    """Whether our people must lie inside."""
    fails: tuple[str, ...] = ()
    """Populations that must lie outside."""
    agrees: bool = False
    """The band is of agreement: its interval must reach it, and not be too wide to tell."""
    remark: str = ""


def verdict(measure: Measure, estimate: Estimate) -> str:
    """inside, outside, or unmeasured."""
    if not math.isfinite(estimate.value):
        return "unmeasured"
    if measure.agrees:
        if not max(estimate.high - estimate.value, estimate.value - estimate.low) <= WIDEST_AGREEMENT:
            return "unmeasured"
        return "inside" if estimate.low <= measure.high and estimate.high >= measure.low else "outside"
    return "inside" if measure.low <= estimate.value <= measure.high else "outside"


_MOVE, _USE, _NET, _SAID = (
    "How people move",
    "How people use their phones",
    "What the network makes of it",
    ("Offered is configured"),
)

MEASURES: Final[tuple[Measure, ...]] = (
    # ------------------------------------------------------------------ people's movements
    Measure("jump_exponent", _MOVE, "Jump lengths: exponent b of (r + 1.5 km)^-b", "", 1.5, 1.9,
            f"{_GONZALEZ}: 1.75 ± 0.15; {_SONG}: 1.55 ± 0.05"),
    Measure("jump_shape", _MOVE, "Jump lengths: distance from such a law (Kolmogorov)", "", 0.0, 0.1,
            "the same law, truncated at the map's edge; tolerance ours", fails=(WAYPOINT,)),
    Measure("gyration_exponent", _MOVE, "Radius of gyration: exponent b of (r + 5.8 km)^-b", "", 1.5, 1.8,
            f"{_GONZALEZ}: 1.65 ± 0.15", required=False,
            remark="A law of a country with a cut at 350 km; a town of some kilometres can hardly show it."),
    Measure("gyration_share", _MOVE, "Radius of gyration over that of liking all cells alike", "", 0.0, 0.8,
            "formula: 1 for whoever likes all cells alike; bound ours", fails=(WAYPOINT,)),
    Measure("waiting_exponent", _MOVE, "Waiting times: exponent a of k^-a exp(-k / 17 h)", "", 1.7, 1.9,
            f"{_SONG}: 1.8 ± 0.1, cut at 17 h; seen hour by hour that is ten changes of cell a day, also of "
            "phones at rest between masts"),
    Measure("waiting_shape", _MOVE, "Waiting times: distance from such a law (Kolmogorov)", "", 0.0, 0.1,
            "the same law; tolerance ours", fails=(WAYPOINT,)),
    Measure("zipf_exponent", _MOVE, "Visits by rank of place: exponent of Zipf's law", "", 1.0, 1.3,
            f"{_GONZALEZ}: 1; {_SONG}: 1.2 ± 0.1", fails=(WAYPOINT,)),
    Measure("distinct_exponent", _MOVE, "Distinct places over time: exponent m of t^m", "", 0.58, 0.62,
            f"{_SONG}: 0.6 ± 0.02", fails=(WAYPOINT,)),
    Measure("entropy_bits", _MOVE, "Entropy of hourly whereabouts", "bit/h", 0.4, 1.2,
            f"{_LIMITS}: most people about 0.8; tolerance ours", required=False,
            remark="The estimator reads high on short series; ours has no hours unseen."),
    Measure("predictability", _MOVE, "Predictability at most", "", 0.88, 0.98,
            f"{_LIMITS}: 0.93; tolerance ours", fails=(WAYPOINT,)),
    Measure("regularity", _MOVE, "Regularity: hours where one mostly is at that hour of a week", "", 0.6, 0.8,
            f"{_LIMITS}: 0.7 on average; tolerance ours", fails=(WAYPOINT,)),
    Measure("return_peak", _MOVE, "Return after 24 h over return after 12 and 36 h", "", 1.1, math.inf,
            f"{_GONZALEZ}: peaks at 24, 48 and 72 h; bound ours", fails=(WAYPOINT,)),
    Measure("range_distance", _MOVE, "Daily range: distance from random waypoint's on this map", "km",
            1.609, math.inf,
            "Isaacman et al. (WHERE), MobiSys 2012: a model of people comes within a mile of them, weighted "
            "random waypoint 14 times farther", fails=(WAYPOINT,)),
    # ------------------------------------------------------------------ people's usage
    Measure("calls_diurnal", _USE, "Calls by hour of working days: correlation with profile", "", 0.95, 1.0,
            _WORLD, fails=(UNIFORM,)),
    Measure("texts_diurnal", _USE, "SMS by hour of working days: correlation with profile", "", 0.95, 1.0,
            _WORLD, fails=(UNIFORM,)),
    Measure("calls_segments_diurnal", _USE, "The same of calls, worst segment", "", 0.8, 1.0,
            f"{_WORLD}; bound lower, since a segment's curve has few events", fails=(UNIFORM,)),
    Measure("texts_segments_diurnal", _USE, "The same of SMS, worst segment", "", 0.8, 1.0,
            f"{_WORLD}; bound lower, since a segment's curve has few events", fails=(UNIFORM,)),
    Measure("calls_by_segment", _USE, "Calls a head by segment: slope on the factors", "", 0.8, 1.2,
            "sim.subscribers.segments: 1; 0 if all were alike; tolerance ours", fails=(UNIFORM,)),
    Measure("texts_by_segment", _USE, "SMS a head by segment: slope on the factors", "", 0.8, 1.2,
            "sim.subscribers.segments: 1; 0 if all were alike; tolerance ours", fails=(UNIFORM,)),
    Measure("calls_weekly", _USE, "Calls of a free day over a working day, over configured", "", 0.96, 1.04,
            f"{_WORLD}: 1; tolerance ours", fails=(UNIFORM,)),
    Measure("calls_weekly_segments", _USE, "The same by segment: slope on configured", "", 0.8, 1.2,
            f"{_WORLD}: 1; 0 if all were alike; tolerance ours", fails=(UNIFORM,)),
    Measure("texts_weekly", _USE, "SMS of a free day over a working day, over configured", "", 0.94, 1.06,
            f"{_WORLD}: 1; tolerance ours, wider than of calls, since SMS come in trains"),
    Measure("texts_weekly_segments", _USE, "The same by segment: slope on configured", "", 0.5, 1.5,
            f"{_WORLD}: 1; 0 if all were alike; tolerance ours", required=False, fails=(UNIFORM,),
            remark="SMS come in trains, and whoever answers does so at the writer's time."),
    Measure("updates_diurnal", _USE, "Location updates by hour, worst segment: correlation", "", 0.95, 1.0,
            f"{_CROSSINGS}, by hour of working days; bound ours"),
    Measure("updates_weekly", _USE, "Location updates of a free day over a working day, over expected", "",
            0.96, 1.04, f"{_CROSSINGS}: 1; tolerance ours"),
    Measure("updates_morning", _USE, "Segments whose location updates peak as they leave home", "", 1.0, 1.0,
            "sim.subscribers.segments: within an hour of the usual time"),
    Measure("updates_by_night", _USE, "Location updates from 1 to 5 h, share of the day", "", 0.0, 0.083,
            "formula: 0.167 if nobody slept; bound half of it, ours", fails=(WAYPOINT,)),
    Measure("talk_shape", _USE, "Length of calls: distance from the configured log-normal law", "", 0.0, 0.02,
            f"{_WORLD}; tolerance that of the tables", fails=(UNIFORM,)),
    Measure("burstiness", _USE, "Burstiness of one's calls and SMS", "", 0.1, 0.9,
            "Goh, Barabási, EPL 81 (2008), corrected for short series as by Kim, Jo, Phys. Rev. E 94 (2016): "
            "0 for Poisson, people are bursty; bound ours", fails=(UNIFORM,)),
    Measure("burstiness_deseasoned", _USE, "The same, daily and weekly rhythm removed", "", 0.05, 0.9,
            "Jo, Karsai, Kertész, Kaski, New J. Phys. 14 (2012): it remains; bound ours", required=False,
            fails=(UNIFORM,)),
    Measure("degree_spread", _USE, "People one has calls with both ways in 18 weeks: variation", "", 0.7, 1.1,
            f"{_ONNELA}: calls both ways in 18 weeks, P(k) ~ (k + 10.9)^-8.4 (figures from memory), hence "
            "a coefficient of variation of 0.88; tolerance ours", fails=(UNIFORM,)),
    Measure("degree_mean", _USE, "The same: how many", "", 3.41, 5.41,
            "Kovanen et al. (arXiv 1002.0763), as told in Technology Review, 7 February 2010: 3.41 contacts "
            "of those who pay before, 5.41 of those who pay after, in 18 weeks", required=False,
            fails=(UNIFORM,)),
    Measure("degree_spread_run", _USE, "People one has calls with in this run: variation", "", 0.7, 1.1,
            f"{_ONNELA}, as above", required=False, fails=(UNIFORM,),
            remark="Of any calls in the days of the run, which is not how the source counts."),
    Measure("reciprocity", _USE, "Calls returned, beyond chance", "", 0.19, 1.0,
            "Garlaschelli, Loffredo, PRL 93 (2004), the measure; 0.19 to 0.23 for e-mail, the loosest of "
            "such ties (figures from memory)", fails=(UNIFORM,)),
    # ------------------------------------------------------------------ the network
    Measure("blocking", _NET, "Calls blocked over what theory blocks, cells planned for 2 %", "", 0.8, 1.25,
            "Erlang B (ITU-T E.501), for calls with both sides in one cell its extension to two channels "
            "(Kaufman, Roberts); tolerance ours"),
    Measure("handover_ratio", _NET, "Handovers in calls over borders crossed while talking", "", 0.9, 1.1,
            "formula: crossings of that person in that hour × the call's part of the hour; tolerance ours"),
    Measure("ping_pong_falls", _NET, "Ping-pong as hysteresis rises: worst ratio of a step", "", 0.0, 0.8,
            "what the margin of TS 45.008 annex A is for: fewer handovers back at every step; bound ours"),
    Measure("paging_success", _NET, "Pages answered", "", 0.9, 0.9999,
            "ours: some handsets are silently off, most are not", required=False),
    Measure("perimeter_law", _NET, "Location updates against length of border: exponent", "", 0.8, 1.2,
            "fluid flow: crossings ∝ length of border; tolerance ours", required=False,
            remark="A law of people spread evenly; here the first border goes through the busy middle."),
    Measure("area_law", _NET, "Location updates against cells an area: exponent", "", -0.8, -0.4,
            "square-root law: -1/2; steeper on a small map, whose edge nobody crosses"),
    Measure("events_crowding", _NET, "Crowd at a concert beyond a week later, over visitors planned", "",
            0.85, 1.15, "formula: 1, everybody coming with the chance visitors / people; tolerance ours, of "
            "people who are away or no customers, and of the trips of others", fails=(WAYPOINT,)),
    Measure("events_traffic", _NET, "Calls a head at a concert over calls a head everywhere", "", 0.75, 1.25,
            "formula: 1, calls are drawn without regard to the place; tolerance ours, as other segments call "
            "more or less"),
    Measure("busy_traffic", _NET, "Busy-hour traffic a subscriber", "mErl", 10.0, 30.0,
            f"{_NETWORK_DEFAULTS}: 20; tolerance ours", required=False,
            remark="Follows from the rates of the world file."),
    Measure("busy_pages", _NET, "Busy-hour pages a subscriber", "1/h", 0.25, 0.75,
            f"{_NETWORK_DEFAULTS}: 0.5; tolerance ours", required=False,
            remark="Follows from the rates of the world file."),
    Measure("terminating_share", _NET, "Sides of calls that end at our people", "", 0.25, 0.42,
            f"{_NETWORK_DEFAULTS}: a third; tolerance ours", required=False,
            remark="Follows from the share of calls inside the world."),
    # ------------------------------------------------------------------ offered against configured
    Measure("offered_calls", _SAID, "Calls made a day over configured", "", 0.98, 1.02, _WORLD, agrees=True),
    Measure("offered_bhca", _SAID, "Busy-hour call attempts over configured", "", 0.98, 1.02, _WORLD,
            agrees=True),
    Measure("offered_texts", _SAID, "SMS sent a day over configured", "", 0.98, 1.02, _WORLD, agrees=True),
    Measure("offered_talk", _SAID, "Mean length of calls over configured", "", 0.98, 1.02, _WORLD,
            agrees=True),
    Measure("offered_erlang", _SAID, "Traffic of calls between people over configured", "", 0.98, 1.02,
            f"{_WORLD}: configured calls × share answered × configured mean", agrees=True),
    Measure("offered_updates", _SAID, "Location updates an hour over borders crossed", "", 0.98, 1.02,
            "formula: changes of area along everybody's trips", agrees=True),
)  # fmt: skip
"""All measures, in the order of the report."""
