"""Every load shape over real ports, once: what goes out is the schedule, and the schedule is the shape."""

from bisect import bisect_right
from pathlib import Path

import numpy as np
import pytest

from experiments.capture import tap_of
from experiments.latency.hosted import Hosting
from experiments.latency.phase import run_phase
from experiments.latency.shapes import SHAPES, Load
from experiments.latency.sites import Site, Terms
from experiments.latency.sources import drawn
from sigtran import TransportUnavailable, choose

SCENARIOS = Path(__file__).parents[3] / "scenarios"
START_US = 36_000_000_000
SETTINGS = {"subscribers": 1500, "usage.service_calls_per_day": 40, "usage.service_talk_mean_s": 5}
FACTOR = 60
SECONDS = 2.4


def shape(name, **keys):
    return {"shape": name, "seconds": SECONDS, **keys}


FLASH = {"at_s": 0.8, "rise_s": 0.4, "fall_s": 0.4}
SHAPED = [
    # keys, and how many messages have gone out by when: by hand, areas under the rates
    (shape("fixed", rate_per_s=400), {2.4: 960}),
    (shape("step", rate_per_s=200, to_per_s=600, at_s=1.2), {1.2: 240, 2.4: 960}),
    (shape("ramp", rate_per_s=100, to_per_s=700), {0.6: 105, 1.2: 300, 1.8: 585, 2.4: 960}),
    (
        shape("saw-tooth", rate_per_s=100, to_per_s=700, period_s=1.2),
        {0.6: 150, 1.2: 480, 1.8: 630, 2.4: 960},
    ),
    # 200 all the time; a triangle of 600 x 0.4 s / 2; 600 x 0.4 s x (1 - e^-3) of the fall
    (shape("flash-crowd", rate_per_s=200, to_per_s=800, **FLASH), {0.8: 160, 1.2: 360, 2.4: 828}),
    (shape("day", factor=FACTOR), None),
    (shape("capture", factor=FACTOR), None),
]


def transport():
    try:
        return choose("auto").kind, ""
    except TransportUnavailable as error:
        return "", str(error)


KIND, WHY_NOT = transport()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    terms = Terms(SCENARIOS / "policies" / "default.yaml")
    world = SCENARIOS / "worlds" / "town-live.yaml"
    return Site(terms, world, 7, tmp_path_factory.mktemp("site"), settings=SETTINGS, transport=KIND)


@pytest.fixture(scope="module")
def lived(site):
    """The world's own messages of that time, and a capture of them with a quiet minute before and after."""
    return site.live(START_US, START_US + round(SECONDS * FACTOR * 1e6)).batch


@pytest.fixture(scope="module")
def tapped(site, lived, tmp_path_factory):
    path = tmp_path_factory.mktemp("tap") / "tap.pcapng"
    with tap_of(path, site.world) as tap:
        tap.set_up(START_US - 60_000_000)
        tap.write(lived)
    return path


def test_every_shape_is_sent():
    assert {keys["shape"] for keys, _ in SHAPED} == set(SHAPES)


@pytest.mark.skipif(not KIND, reason=f"no SCTP here: {WHY_NOT}")
@pytest.mark.parametrize(("keys", "by"), SHAPED, ids=lambda value: value.get("shape") if value else "")
def test_what_is_sent_follows_the_schedule_and_the_schedule_the_shape(
    keys, by, site, lived, tapped, tmp_path
):
    load = Load(**keys, **({"file": tapped} if keys["shape"] == "capture" else {}))
    source = drawn(site, load, START_US, 400)
    # The schedule has the shape.
    intended = source.plan.intended_ns
    if by is None:  # a day: the moments of the world; a capture begins with its first message
        first_us = int(lived.t_us[0]) if load.file else START_US
        moments = ((lived.t_us - first_us) / FACTOR / 1e6).tolist()
        by = {at: bisect_right(moments, at) for at in (0.6, 1.2, 1.8, SECONDS)}
        assert by[SECONDS] == len(moments) > 500
    for at_s, n in by.items():
        # One more or less: a knot is where a message is, to the nanosecond.
        assert np.count_nonzero(intended <= at_s * 1e9 + 1) == pytest.approx(n, abs=1), at_s
    # Each message went out when it was due, and not before; the platform read them all.
    hosting = Hosting([SCENARIOS / "campaigns" / "hang-up-sms.yaml"], settle_s=0.3)
    phase = run_phase(site, source.network, source.plan, tmp_path, hosting)
    late_ns = phase.sent_ns - intended
    assert len(late_ns) == by[SECONDS]
    assert late_ns.min() >= 0
    assert np.all(np.diff(phase.sent_ns) >= 0)
    assert np.median(late_ns) < 0.25e9  # of a machine that is busy with much else, too
    wire = phase.signalling()
    assert wire["received"] == wire["decoded"] == wire["generated"] == by[SECONDS] + len(phase.woven)
    assert (wire["lost"], wire["errors"], phase.untold) == (0, 0, "")
    # And it was signalling that means something: people hung up, and their texts came after that.
    joined = phase.joined()
    assert len(joined.latency_ns) > 5
    assert joined.latency_ns.min() > 0
