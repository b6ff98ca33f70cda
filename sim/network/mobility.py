"""Power, places and location updating: TS 24.008 4.4, as the network and its subscribers live through it."""

from __future__ import annotations

from typing import Final

from sim.network import acts
from sim.network.core import LOCATION, PERIODIC, POWER_OFF, Core
from sim.network.stations import GAP_US
from sim.network.switch import Words

T3211_US: Final = 15_000_000
"""TS 24.008 11.2 table 11.1: after a rejection by network failure the station tries again."""
NETWORK_FAILURE: Final = 17
# Out of 256: a normal update fails; the VLR, or the station, has lost the TMSI; an authentication at attach,
# and else; ciphering without one; the IMEI asked for at attach.
_FAILS, _LOST, _AUTH_ATTACH, _AUTH, _CIPHER, _ASK_IMEI = 3, 3, 128, 64, 160, 64
_ACTS: Final = {
    "lu_attach": acts.POWER_ON,
    "lu_normal": acts.LOCATION_UPDATE,
    "lu_periodic": acts.PERIODIC_UPDATE,
}
Options = tuple[tuple[str, str | int | bool], ...]


def power(core: Core, t_us: int, sub: int, on: bool, graceful: bool) -> None:
    """A handset is switched on or off, or its battery dies; never in the middle of a connection."""
    station = core.stations
    if on:
        station.closing[sub] = 0
        if not station.on[sub]:
            station.on[sub] = 1
            station.power_on_us[sub] = t_us
            camp(core, t_us + 1_200_000, sub)
    elif station.on[sub]:
        if station.busy_until_us[sub] > t_us:
            station.closing[sub] = 1
            core.agenda.push(station.busy_until_us[sub] + GAP_US, sub, POWER_OFF, graceful)
        else:
            switch_off(core, t_us, sub, graceful)


def postponed_off(core: Core, t_us: int, sub: int, graceful: bool) -> None:
    """The connection that was in the way has ended (or another has begun)."""
    station = core.stations
    if not (station.closing[sub] and station.on[sub]):
        return
    if station.busy_until_us[sub] > t_us:
        core.agenda.push(station.busy_until_us[sub] + GAP_US, sub, POWER_OFF, graceful)
    else:
        station.closing[sub] = 0
        switch_off(core, t_us, sub, graceful)


def switch_off(core: Core, t_us: int, sub: int, graceful: bool) -> None:
    """With an IMSI detach where there is time for it, TS 24.008 4.3.4."""
    core.stations.on[sub] = core.stations.camped[sub] = 0
    if not graceful:
        core.switch.act(t_us, sub, acts.POWER_LOST, b"battery")
        return
    if not core.vlr.registered[sub]:
        core.switch.act(t_us, sub, acts.POWER_OFF, b"not registered")
        return
    words = core.switch.chance(sub)
    leg = core.switch.leg("detach", (("identity", "tmsi"),), t_us, words)
    act = core.switch.act(t_us, sub, acts.POWER_OFF, b"detached")
    tmsi, known = core.vlr.tmsi[sub], bool(core.vlr.known[sub])
    cell = core.stations.cell[sub]
    end_us = core.switch.begin(leg, act, sub, cell, words, tmsi=tmsi, identified=known)
    core.vlr.registered[sub] = 0
    core.stations.busy_until_us[sub] = end_us


def move(core: Core, t_us: int, sub: int, cell: int) -> None:
    """A subscriber enters a cell: silent within a location area, and while a call lasts."""
    station, place = core.stations, core.switch.place
    core.switch.act(t_us, sub, acts.MOVE, b"")
    if place[cell] < 0 or place[cell] != place[station.cell[sub]]:
        station.place_since_us[sub] = t_us
    station.cell[sub] = cell
    if station.on[sub] and core.switch.lac[cell] != core.vlr.lac[sub]:
        camp(core, t_us, sub)


def camp(core: Core, t_us: int, sub: int) -> None:
    """The station reads the cell's location area; an update follows when it has no connection."""
    core.agenda.push(core.stations.free_us(sub, t_us), sub, LOCATION)


def location(core: Core, t_us: int, sub: int) -> None:
    """Updates the location if still due: attach in the old area, normal in a new one (4.4.1, 4.4.3)."""
    station = core.stations
    if not station.on[sub]:
        return
    if station.busy_until_us[sub] > t_us:
        camp(core, t_us, sub)
    elif core.switch.lac[station.cell[sub]] != core.vlr.lac[sub]:
        update(core, t_us, sub, "lu_normal")
    elif not station.camped[sub]:
        update(core, t_us, sub, "lu_attach")


def periodic(core: Core, t_us: int, sub: int) -> None:
    """T3212 runs out, TS 24.008 4.4.2; any connection since then has started it anew."""
    due_us = core.vlr.periodic_due_us(sub)
    if due_us > t_us:
        core.agenda.push(due_us, sub, PERIODIC)
    elif core.stations.busy_until_us[sub] > t_us:
        core.agenda.push(core.stations.busy_until_us[sub] + GAP_US, sub, PERIODIC)
    elif core.stations.on[sub] and core.vlr.registered[sub]:
        update(core, t_us, sub, "lu_periodic")
        core.agenda.push(core.vlr.periodic_due_us(sub), sub, PERIODIC)
    else:  # whoever comes back begins with an update, and T3212 with it
        core.agenda.push(t_us + core.vlr.t3212_us, sub, PERIODIC)


def update(core: Core, t_us: int, sub: int, kind: str) -> None:
    """One location updating, from request to acceptance or rejection."""
    words = core.switch.chance(sub)
    cell, lac = core.stations.cell[sub], core.switch.lac[core.stations.cell[sub]]
    old_tmsi, old_lac = core.vlr.tmsi[sub], core.vlr.lac[sub]
    rejected = kind == "lu_normal" and words[2] & 0xFF < _FAILS
    ladder = "lu_reject" if rejected else kind
    options = _options(kind, words, rejected)
    chosen = dict(options)
    leg = core.switch.leg(ladder, options, t_us, words)
    new_tmsi = 0
    if chosen.get("reallocate"):
        old_tmsi, new_tmsi = core.vlr.new_tmsi(sub, t_us)
    act = core.switch.act(t_us, sub, _ACTS[kind], b"rejected" if rejected else b"accepted")
    end_us = core.switch.begin(
        leg, act, sub, cell, words, tmsi=old_tmsi, new_tmsi=new_tmsi, old_lac=old_lac, identified=True,
        cause=NETWORK_FAILURE if rejected else 0, fresh_vectors=bool(chosen["auth"]),
    )  # fmt: skip
    core.stations.busy_until_us[sub] = end_us
    if chosen["identity"] == "tmsi":
        core.vlr.known[sub] = 1
    if rejected:
        core.vlr.registered[sub] = core.stations.camped[sub] = 0
        core.agenda.push(end_us + T3211_US, sub, LOCATION)
        return
    core.vlr.known[sub] = 1 if new_tmsi else core.vlr.known[sub]
    core.vlr.lac[sub] = lac
    core.vlr.registered[sub] = core.stations.camped[sub] = 1
    core.vlr.last_seen_us[sub] = end_us
    core.reachable(end_us, sub)


def _options(kind: str, words: Words, rejected: bool) -> Options:
    """Which optional parts the dialogue has; names in alphabetical order."""
    w = words[1]
    auth = w & 0xFF < (_AUTH_ATTACH if kind == "lu_attach" else _AUTH)
    by_imsi = kind == "lu_attach" and w >> 8 & 0xFF < _LOST
    forgotten = not by_imsi and w >> 16 & 0xFF < _LOST
    cipher = auth or w >> 24 & 0xFF < _CIPHER
    security: Options = (
        ("ask_identity", forgotten),
        ("auth", auth),
        ("cipher", cipher),
        ("identity", "imsi" if by_imsi else "tmsi"),
    )
    if rejected:
        return (*security[:2], ("cause", NETWORK_FAILURE), *security[2:])
    ask_imei = kind == "lu_attach" and words[2] >> 8 & 0xFF < _ASK_IMEI
    keeps = kind == "lu_periodic" and not forgotten
    return (("ask_identity", forgotten), ("ask_imei", ask_imei), *security[1:], ("reallocate", not keeps))
