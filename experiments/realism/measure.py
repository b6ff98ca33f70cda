"""From a world lived through to the figures of every measure, by name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import networkx as nx

from experiments.realism import events, mobility, network, usage
from experiments.realism.fits import F64, Estimate, mean_over_seeds
from experiments.realism.moves import Moved
from experiments.realism.tables import HOUR_US, Lived
from sim.draws import ONE_Q16
from sim.network import acts as act_table
from sim.subscribers import usage_offered

__all__ = ["WEEKS_OF_TIES", "at_events", "moving", "offered", "over_seeds", "radio", "using"]

WEEKS_OF_TIES: Final = 18
"""Weeks of calls from which ties are told, as in the records of Onnela et al."""


def moving(moved: Moved, waypoint_ranges_km: F64) -> dict[str, Estimate]:
    """How people move; the daily ranges of random waypoint people are what theirs are compared with."""
    ground, n, cells = mobility.Ground.of(moved.world.topology), moved.n, moved.world.topology.n
    rates, bounds = mobility.entropies(moved.hourly)
    return {
        "jump_exponent": mobility.jump_exponent(ground, moved.trips, n),
        "jump_shape": mobility.jump_shape(ground, moved.trips, n),
        "gyration_exponent": mobility.gyration_exponent(ground, moved.hourly),
        "gyration_share": mobility.gyration_share(ground, moved.hourly),
        "waiting_exponent": mobility.waiting_exponent(moved.hourly),
        "waiting_shape": mobility.waiting_shape(moved.hourly),
        "zipf_exponent": mobility.zipf_exponent(moved.stays, n, cells),
        "distinct_exponent": mobility.distinct_exponent(moved.stays, n, cells, moved.days),
        "entropy_bits": mobility.mean_of(rates),
        "predictability": mobility.mean_of(bounds),
        "regularity": mobility.regularity(moved.hourly),
        "return_peak": mobility.return_peak(moved.hourly),
        "range_distance": mobility.range_distance(ground.daily_range_km(moved.hourly), waypoint_ranges_km),
    }


def using(lived: Lived, ties: nx.DiGraph[int]) -> dict[str, Estimate]:
    """How people use their phones; `ties` are the calls answered in WEEKS_OF_TIES weeks."""
    told = usage.Configured.of(lived.world.scenario)
    calls, texts = usage.calls_made(lived), usage.texts_sent(lived)
    t_us, sub = usage.events_of_people(lived)
    graph, crossed = usage.call_graph(lived), network.crossings(lived)
    mutual = usage.degrees(ties, mutual=True)
    return {
        "calls_diurnal": usage.diurnal(lived, calls, told.calls_hours),
        "texts_diurnal": usage.diurnal(lived, texts, told.texts_hours),
        "calls_segments_diurnal": usage.diurnal_of_segments(lived, calls, told.segment_calls_hours),
        "texts_segments_diurnal": usage.diurnal_of_segments(lived, texts, told.segment_texts_hours),
        "calls_by_segment": usage.by_segment(lived, calls, told.segment_calls),
        "texts_by_segment": usage.by_segment(lived, texts, told.segment_texts),
        "calls_weekly": usage.weekly(lived, usage.calls_to_people(lived), told.free_calls),
        "calls_weekly_segments": usage.weekly_of_segments(
            lived, usage.calls_to_people(lived), told.segment_free_calls
        ),
        "texts_weekly": usage.weekly(lived, texts, told.free_texts),
        "texts_weekly_segments": usage.weekly_of_segments(lived, texts, told.segment_free_texts),
        "updates_diurnal": usage.updates_diurnal(lived, crossed),
        "updates_weekly": usage.updates_weekly(lived, crossed),
        "updates_morning": usage.commute_peaks(lived),
        "updates_by_night": usage.updates_by_night(lived),
        "talk_shape": usage.talk_distance(lived.talk_s, told.talk_mean_s),
        "burstiness": usage.burstiness_of(t_us / HOUR_US, sub, lived.n),
        "burstiness_deseasoned": usage.burstiness_of(
            usage.without_seasons(t_us, lived.days) / HOUR_US, sub, lived.n
        ),
        "degree_spread": usage.degree_spread(mutual),
        "degree_mean": usage.degree_mean(mutual),
        "degree_spread_run": usage.degree_spread(usage.degrees(graph, mutual=False)),
        "reciprocity": usage.reciprocity(graph),
    }


def radio(
    lived: Lived, limited: Lived, channels: network.I32, margins: Sequence[Lived] = ()
) -> dict[str, Estimate]:
    """What the network makes of it: unlimited, with planned channels, at rising margins of handover."""
    hour, traffic = network.busy_hour(lived)
    sizes = network.updates_by_size(lived, range(1, 5))
    legs = network.talk_legs(lived)
    received = len(lived.acts.of(act_table.CALL_RECEIVED, "answered").t_us)
    share = received / max(len(legs.t_us), 1)
    half = 1.96 * math.sqrt(share * (1 - share) / max(len(legs.t_us), 1))
    pages = sum(
        int((lived.acts.of(kind).t_us[lived.workday(lived.acts.of(kind).t_us)] // HOUR_US % 24 == hour).sum())
        for kind in (act_table.CALL_RECEIVED, act_table.TEXT_RECEIVED, act_table.PAGE)
    )
    workdays = sum(not lived.world.scenario.is_weekend(day) for day in range(lived.days))
    paged = 1 / max(lived.n * workdays, 1)
    spread = 1.96 * math.sqrt(max(pages, 1))
    found = {
        "blocking": network.blocking_ratio(limited, channels),
        "handover_ratio": network.handover_ratio(lived),
        "paging_success": network.paging_success(lived),
        "perimeter_law": network.perimeter_exponent(sizes),
        "area_law": network.area_size_exponent(sizes),
        "busy_traffic": Estimate.exact(float(traffic.sum()) / lived.n * 1000),
        "busy_pages": Estimate(pages * paged, (pages - spread) * paged, (pages + spread) * paged),
        "terminating_share": Estimate(share, share - half, share + half),
    }
    if margins:
        found["ping_pong_falls"] = network.ping_pong_fall([network.ping_pong_share(at) for at in margins])
    return found


def at_events(lived: Lived) -> dict[str, Estimate]:
    """Crowds at events, in a world that has some."""
    return {
        "events_crowding": events.crowding(lived),
        "events_traffic": events.traffic_a_head(lived),
    }


def offered(lived: Lived) -> dict[str, float]:
    """What one seed's world did, over what it was told to do."""
    scenario = lived.world.scenario
    told, use, meant = usage.Configured.of(scenario), scenario.usage, usage_offered.offered(scenario)
    scale = usage_offered.call_scale_q16(scenario) / ONE_Q16
    people_days = lived.n * lived.days
    calls, texts = usage.calls_made(lived), usage.texts_sent(lived)
    to_people = ~calls.to_line
    wanted = usage.per_day(scenario, "calls", use.calls_per_day * scale, lived.days) * people_days
    to_lines = usage.per_day(scenario, "services", use.service_calls_per_day, lived.days) * people_days
    wanted_texts = usage.per_day(scenario, "texts", use.texts_per_day, lived.days) * people_days
    workdays = sum(not scenario.is_weekend(day) for day in range(lived.days))
    busy = meant.busy_hour
    in_busy = int((lived.workday(calls.t_us) & (calls.t_us // HOUR_US % 24 == busy)).sum())
    answered = len(lived.talk_s) / max(int(to_people.sum()), 1)
    crossed = len(network.crossings(lived)[0])
    return {
        "offered_calls": len(calls.t_us) / (wanted + to_lines),
        "offered_bhca": in_busy / (max(lived.n * workdays, 1) * meant.bhca),
        "offered_texts": len(texts.t_us) / wanted_texts,
        "offered_talk": float(lived.talk_s.mean()) / told.talk_mean_s if len(lived.talk_s) else math.nan,
        "offered_erlang": float(lived.talk_s.sum()) / (wanted * answered * told.talk_mean_s),
        "offered_updates": len(lived.acts.of(act_table.LOCATION_UPDATE).t_us) / crossed
        if crossed
        else math.nan,
    }


def over_seeds(each: Sequence[Mapping[str, float]]) -> dict[str, Estimate]:
    """Means over seeds, with intervals that hold together: 95 % for all of them at once (Bonferroni)."""
    names = list(each[0])
    level = 1 - 0.05 / len(names)
    return {name: mean_over_seeds([found[name] for found in each], level) for name in names}
