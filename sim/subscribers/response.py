"""How people answer a contact, and what they take up without one.

For a contact c of subscriber s with offer o, all in logits:

    affinity(s, o) = spread z(s, o) + shift(segment of s) + shift(often off) + shift(often rejects)
    moment(c)      = weights of what holds (fading ones: weight (1 - age / within)) + weight of the hour
                     + weight of (near or far from the venue, days before the event)
    eta(c)         = logit + affinity + moment + weight(channel) - fatigue x recent contacts
    taken up       if eta + L(c) >= 0, L logistic: with probability 1 / (1 + exp(-eta))
    complains      if complaint_logit + annoyance + proneness(s) + L'(c) >= 0
    says stop      if stop_logit + annoyance + L"(c) >= 0, and not taken up
    annoyance      = complaint_fatigue x recent contacts + complaint_bad_moment where moment(c) <= 0
    organic time   = E(s, o) / rate, E exponential, rate = organic_per_day x exp(z / 2) / exp(1 / 8)

Friends who take up on somebody's word: `sim.subscribers.hearsay`.

z is standard normal, one draw per (subscriber, offer) for good. L, L', L", E and the delays are draws keyed
by (seed, replicate, subscriber, offer, ordinal of the contact among those with this offer), so a person in
two arms differs by nothing but what was sent; the run itself is replicate 0. Organic and contacted take-up
are one event, at the first of the two times. All arithmetic is on integers (1/65536), so decisions are the
same on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.draws import EXPONENTIAL, LOGISTIC, LOGNORMAL, LOGNORMAL_HALF, NORMAL, ONE_Q16, ONE_Q32, Draws
from sim.scenario import DAY_US
from sim.subscribers.habitat import Ground, Habitat
from sim.subscribers.hearsay import Told, told
from sim.subscribers.offers import CHANNELS, Offer, Venue
from sim.subscribers.segments import SEGMENTS

__all__ = ["Contacts", "Decision", "Moment", "Offer", "ResponseModel", "organic_wait_us", "replay"]

I64 = NDArray[np.int64]

UNKNOWN: Final = -1
"""For times since an event that never happened, and for no place."""

_NEVER: Final = np.iinfo(np.int64).max
_HALF_MEAN = 1.1331484530668263  # exp(1/8): mean of exp(z / 2)
_WORD_BOUNDS = (0, 2_800_000_000, 3_900_000_000)  # a first order word is used by two in three
_CHATTER = ("谢谢", "?", "什么意思")
_CHATTER_Q32 = 40_000_000  # about 1 % of the rest write back something that orders nothing
_MAX_ORDINAL = 1 << 12
_PRONE = 780  # a standard deviation of proneness to complain (42 steps) is half a logit


@dataclass(frozen=True, slots=True)
class Moment:
    """What a subscriber is in the middle of when a contact has been received whole."""

    since_power_on_us: int
    """Since the handset was last switched on; UNKNOWN if not since the start."""
    since_service_call_us: int
    """Since the end of the last call to a service line; UNKNOWN if there was none."""
    place: int
    """Index of the place, UNKNOWN outside all of them."""
    dwell_us: int
    """Since the place was entered (handset on or off)."""
    local_second: int
    """Second of the local day."""
    cell: int = UNKNOWN
    """Index of the cell where the handset is; UNKNOWN counts as far from everything."""
    day: int = 0
    """Local day of the world, from 0."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a subscriber does about a contact."""

    take_up: bool
    delay_us: int
    """From the receipt of the last part to the reply (or to the complaint)."""
    reply_text: str
    """Empty for no reply."""
    complain: bool
    opt_out: bool


@dataclass(frozen=True, slots=True, eq=False)
class Contacts:
    """Contacts received, as columns of equal length: the history of one arm."""

    t_us: I64
    """Receipt of the last part, microseconds since the epoch."""
    sub: I64
    offer: I64
    """Index into the offers of the study."""
    ordinal: I64
    """Number of the contact among those of this subscriber with this offer, from 0."""
    recent_contacts: I64
    """Marketing contacts received in the days before, whatever the offer."""
    channel: I64
    """Index into CHANNELS."""
    since_power_on_us: I64
    since_service_call_us: I64
    place: I64
    dwell_us: I64
    local_second: I64
    cell: I64 | None = None
    """None: of none is it known."""

    @staticmethod
    def of(
        sub: ArrayLike, offer: ArrayLike, ordinal: ArrayLike, moment: Moment, recent: int, channel: int = 0
    ) -> Contacts:
        """Contacts that share a moment; sub, offer and ordinal broadcast."""
        who, what, which = np.broadcast_arrays(
            *(np.asarray(a, dtype=np.int64) for a in (sub, offer, ordinal))
        )
        who, what, which = np.atleast_1d(who), np.atleast_1d(what), np.atleast_1d(which)

        def all_of(value: int) -> I64:
            return np.full(len(who), value, dtype=np.int64)

        return Contacts(
            t_us=all_of(moment.day * DAY_US),
            sub=who,
            offer=what,
            ordinal=which,
            recent_contacts=all_of(recent),
            channel=all_of(channel),
            since_power_on_us=all_of(moment.since_power_on_us),
            since_service_call_us=all_of(moment.since_service_call_us),
            place=all_of(moment.place),
            dwell_us=all_of(moment.dwell_us),
            local_second=all_of(moment.local_second),
            cell=all_of(moment.cell),
        )


def _q16(value: float) -> int:
    return round(value * ONE_Q16)


@dataclass(frozen=True, slots=True, eq=False)
class _Terms:
    """An offer's numbers as integers (logits in units of 1/65536)."""

    key: int
    """Sixteen bits of the name: adding an offer to a study leaves the draws of the others as they were."""
    logit: int
    spread: int
    segments: I64
    often_off: int
    often_rejects: int
    channels: I64
    fatigue: int
    power_on: tuple[int, int]
    """Window in seconds and weight; likewise the next."""
    service_call: tuple[int, int]
    there: tuple[int, ...]
    """Weight at each place; the last, which index -1 finds, is for being at none."""
    dwell_us: int
    near: NDArray[np.bool_]
    """Whether each cell is near the venue; the last, which index -1 finds, is for an unknown one."""
    venue_day: int
    """Day of the event, from 0."""
    ahead: I64
    """Weight by (far or near, days before the event), shape (2, days); the last column: it is over."""
    hours: tuple[int, ...]
    """Weight in each of the 24 hours."""
    complaint: int
    complaint_fatigue: int
    complaint_bad_moment: int
    stop: int

    @staticmethod
    def of(offer: Offer, ground: Ground) -> _Terms:
        """The terms of an offer on this ground."""
        kinds = [spot.kind for spot in ground.places]
        at, on, call = offer.moments.at_place, offer.moments.since_power_on, offer.moments.since_service_call
        segments = {str(name): shift for name, shift in offer.segments.items()}
        channels = {str(name): weight for name, weight in offer.channels.items()}
        hours = [
            sum(_q16(part.weight) for part in offer.moments.hours if part.from_h <= hour < part.to_h)
            for hour in range(24)
        ]
        return _Terms(
            key=crc32(offer.name.encode()) & 0xFFFF,
            logit=_q16(offer.logit),
            spread=_q16(offer.spread),
            segments=np.array([_q16(segments.get(s.name, 0.0)) for s in SEGMENTS], dtype=np.int64),
            often_off=_q16(offer.often_off),
            often_rejects=_q16(offer.often_rejects),
            channels=np.array([_q16(channels.get(name, 0.0)) for name in CHANNELS], dtype=np.int64),
            fatigue=_q16(offer.fatigue),
            power_on=(round(on.within_min * 60.0), _q16(on.weight)) if on else (1, 0),
            service_call=(round(call.within_min * 60.0), _q16(call.weight)) if call else (1, 0),
            there=tuple(_q16(at.weight) if at and kind == at.kind else 0 for kind in [*kinds, ""]),
            dwell_us=round(at.dwell_min * 60.0) * 1_000_000 if at else 0,
            near=_near(offer.moments.venue, ground),
            venue_day=offer.moments.venue.day - 1 if offer.moments.venue else 0,
            ahead=_ahead(offer.moments.venue),
            hours=tuple(hours),
            complaint=_q16(offer.complaint_logit),
            complaint_fatigue=_q16(offer.complaint_fatigue),
            complaint_bad_moment=_q16(offer.complaint_bad_moment),
            stop=_q16(offer.stop_logit),
        )

    def moment(self, m: Moment) -> int:
        """The moment's part of the logit; `moments` says the same of columns."""
        total = self.hours[m.local_second // 3600]
        for (within, weight), age in (
            (self.power_on, m.since_power_on_us),
            (self.service_call, m.since_service_call_us),
        ):
            if age >= 0:
                total += weight * (within - min(age // 1_000_000, within)) // within
        total += int(self.ahead[int(self.near[m.cell]), self._column(m.day)])
        return total + (self.there[m.place] if m.dwell_us >= self.dwell_us else 0)

    def _column(self, day: int) -> int:
        """Where `ahead` has the weight of a day; `moments` says the same of columns."""
        last = int(self.ahead.shape[1]) - 1
        return last if day > self.venue_day else min(self.venue_day - day, last - 1)

    def moments(self, contacts: Contacts, rows: I64) -> I64:
        """The moment's part of the logit of some rows."""
        total = np.array(self.hours, dtype=np.int64)[contacts.local_second[rows] // 3600]
        ages = (
            (self.power_on, contacts.since_power_on_us),
            (self.service_call, contacts.since_service_call_us),
        )
        for (within, weight), column in ages:
            age = np.minimum(column[rows] // 1_000_000, within)
            total += np.where(column[rows] >= 0, weight * (within - age) // within, 0)
        lead = self.venue_day - contacts.t_us[rows] // DAY_US
        last = self.ahead.shape[1] - 1
        cell = np.full(len(rows), UNKNOWN) if contacts.cell is None else contacts.cell[rows]
        column = np.where(lead < 0, last, np.minimum(lead, last - 1))
        total += self.ahead[self.near[cell].astype(np.int64), column]
        there = np.array(self.there, dtype=np.int64)[contacts.place[rows]]
        return total + np.where(contacts.dwell_us[rows] >= self.dwell_us, there, 0)


def _near(venue: Venue | None, ground: Ground) -> NDArray[np.bool_]:
    """Which cells have one of the venue's within its bound; one more, False, for an unknown cell."""
    near = np.zeros(ground.n + 1, dtype=np.bool_)
    if venue is not None:
        x, y = ground.spot_x_m.astype(np.int64), ground.spot_y_m.astype(np.int64)
        for cell in {cell for spot in ground.places if spot.kind == venue.kind for cell in spot.cells}:
            near[:-1] |= (x - x[cell]) ** 2 + (y - y[cell]) ** 2 <= venue.near_m**2
    return near


def _ahead(venue: Venue | None) -> I64:
    if venue is None:
        return np.zeros((2, 2), dtype=np.int64)
    days = max(len(venue.near), len(venue.far))
    rows = [
        [*weights, *[weights[-1]] * (days - len(weights)), venue.after] for weights in (venue.far, venue.near)
    ]
    return np.array([[_q16(weight) for weight in row] for row in rows], dtype=np.int64)


class ResponseModel:
    """The people's side of a study's offers.

    `replicate` 0 is the run itself; other numbers are replays of the same people with other luck.
    """

    def __init__(
        self, world: Habitat, offers: Sequence[Offer], seed: int | None = None, replicate: int = 0
    ) -> None:
        self.world = world
        self.offers = tuple(offers)
        self.draws = world.draws if seed is None else Draws(seed)
        self.replicate = replicate
        self._terms = [_Terms.of(offer, world.topology) for offer in offers]
        if len({terms.key for terms in self._terms}) != len(self._terms):
            raise ValueError("two offers of the same name (or, by chance, of the same key: rename one)")

    def affinity_q16(self, offer: int, sub: ArrayLike) -> I64:
        """Personal liking of an offer (logit, units of 1/65536)."""
        terms, population, who = self._terms[offer], self.world.population, np.asarray(sub, dtype=np.int64)
        liking: I64 = NORMAL.quantile(self.draws.u32("affinity", who, 0, terms.key)) * terms.spread >> 16
        liking = liking + terms.segments[population.segment[who]]
        liking = liking + population.often_off[who] * terms.often_off
        return liking + population.often_rejects[who] * terms.often_rejects

    def eta_q16(self, contacts: Contacts) -> I64:
        """Logit of taking up of each contact (units of 1/65536)."""
        eta = np.zeros(len(contacts.sub), dtype=np.int64)
        for index in np.unique(contacts.offer).tolist():
            terms, rows = self._terms[index], np.flatnonzero(contacts.offer == index)
            eta[rows] = (
                terms.logit
                + self.affinity_q16(index, contacts.sub[rows])
                + terms.moments(contacts, rows)
                + terms.channels[contacts.channel[rows]]
                - terms.fatigue * contacts.recent_contacts[rows]
            )
        return eta

    def decide(
        self, sub: int, offer: int, ordinal: int, moment: Moment, recent_contacts: int, channel: str = "sms"
    ) -> Decision:
        """What one subscriber does about one contact; the columns of `replay` say the same."""
        what, terms, population = self.offers[offer], self._terms[offer], self.world.population
        right = terms.moment(moment)
        eta = (
            terms.logit
            + (NORMAL.at(self.draws.one("affinity", sub, 0, terms.key)) * terms.spread >> 16)
            + int(terms.segments[population.segment[sub]])
            + bool(population.often_off[sub]) * terms.often_off
            + bool(population.often_rejects[sub]) * terms.often_rejects
            + right
            + int(terms.channels[CHANNELS.index(channel)])
            - terms.fatigue * recent_contacts
        )
        first = _key(terms.key, ordinal) * 4
        words = [self.draws.one("take_up", sub, self.replicate, first + k) for k in range(4)]
        take_up = eta + LOGISTIC.at(words[0]) >= 0
        annoyed = terms.complaint_fatigue * recent_contacts + (
            terms.complaint_bad_moment if right <= 0 else 0
        )
        prone = (int(population.complaint[sub]) - 128) * _PRONE
        complain = terms.complaint + annoyed + prone + LOGISTIC.at(words[2]) >= 0
        stop = not take_up and terms.stop + annoyed + LOGISTIC.at(words[3]) >= 0
        pick = self.draws.one("reply", sub, self.replicate, _key(terms.key, ordinal))
        reply = ""
        if take_up:
            rank = sum(pick >= bound for bound in _WORD_BOUNDS) - 1
            reply = what.order_words[min(rank, len(what.order_words) - 1)]
        elif stop:
            reply = what.stop_word
        elif pick < _CHATTER_Q32:
            reply = _CHATTER[pick % len(_CHATTER)]
        return Decision(take_up, int(_delay_us(words[1], what.reply_median_s)), reply, complain, stop)

    def organic(self, end_us: int, start_us: int = 0) -> I64:
        """Times of taking up unasked, shape (subscribers, offers); -1: not before `end_us`.

        First-hand ones alone: what friends do on somebody's word depends on who else takes up.
        """
        times: I64 = self.organic_in(np.array([self.replicate]), end_us, start_us)[0]
        return times

    def uncontacted_in(self, replicates: I64, end_us: int, start_us: int = 0) -> I64:
        """Times of taking up in a world without contacts, hearsay included, shaped as `organic_in`."""
        times = self.organic_in(replicates, end_us, start_us)
        return self.with_hearsay(replicates, times, end_us)

    def first_in(self, replicates: I64, contacts: Contacts, end_us: int, start_us: int = 0) -> I64:
        """When everybody first takes up what, shape (replicates, subscribers, offers); -1: not by `end_us`.

        Unasked (from `start_us` on), after a contact, or on somebody's word, at the first of the times.
        """
        wished = self.organic_in(replicates, end_us, start_us)
        if len(contacts.sub):
            ordered = self.ordered_in(replicates, contacts, end_us)
            which, row = np.nonzero(ordered >= 0)
            wished[wished < 0] = _NEVER
            np.minimum.at(wished, (which, contacts.sub[row], contacts.offer[row]), ordered[which, row])
            wished[wished == _NEVER] = -1
        return self.with_hearsay(replicates, wished, end_us)

    def with_hearsay(self, replicates: I64, wished: I64, end_us: int) -> I64:
        """First-hand times, and those of friends who follow, at the first of the two.

        Args:
            replicates: Numbers of the replicates.
            wished: When each came to it first-hand, shape (replicates, subscribers, offers); -1: never.
            end_us: Later ones do not count.
        """
        chance = np.array([offer.word_of_mouth for offer in self.offers])
        if not chance.any():
            return wished
        which, sub, offer = np.nonzero((wished >= 0) & (chance > 0))
        heard = self._told(sub, replicates[which], offer)
        row, friend = heard.row, heard.friend
        t = wished[which, sub, offer][row] + heard.delay_us
        late: I64 = np.where(wished < 0, _NEVER, wished)
        np.minimum.at(late, (which[row], friend, offer[row]), t)
        return np.where(late < end_us, late, -1)

    def tells(self, sub: int, offer: int) -> list[tuple[int, int]]:
        """Friends who take up on this person's word, and after how many microseconds."""
        if not self.offers[offer].word_of_mouth:
            return []
        heard = self._told(np.array([sub]), np.array([self.replicate]), np.array([offer]))
        return list(zip(heard.friend.tolist(), heard.delay_us.tolist(), strict=True))

    def _told(self, sub: I64, replicate: I64, offer: I64) -> Told:
        keys = np.array([terms.key for terms in self._terms], dtype=np.int64)
        chance = np.array([one.word_of_mouth for one in self.offers])
        median_s = np.array([round(one.hearsay_median_h * 3600.0) for one in self.offers], dtype=np.int64)
        people = self.world.population
        return told(self.draws, people, sub, replicate, keys[offer], chance[offer], median_s[offer])

    def organic_in(self, replicates: I64, end_us: int, start_us: int = 0) -> I64:
        """`organic` in several replicates at once, shape (replicates, subscribers, offers)."""
        n = self.world.population.n
        times = np.full((len(replicates), n, len(self.offers)), -1, dtype=np.int64)
        sub = np.arange(n, dtype=np.int64)
        for index, terms in enumerate(self._terms):
            rate = self.organic_rate(index, sub)
            waits = EXPONENTIAL.quantile(self.draws.u32("organic", sub, replicates[:, np.newaxis], terms.key))
            t = start_us + organic_wait_us(waits, rate)
            times[:, :, index] = np.where((t < end_us) & (rate > 0), t, -1)
        return times

    def organic_rate(self, offer: int, sub: ArrayLike) -> I64:
        """How often subscribers take an offer up without contact, per day, out of 2**32; 0: never."""
        mean_rate = round(self.offers[offer].organic_per_day / _HALF_MEAN * ONE_Q32)
        liking = LOGNORMAL_HALF.quantile(self.draws.u32("affinity", sub, 0, self._terms[offer].key))
        rate: I64 = np.maximum(mean_rate * liking >> 16, 1) if mean_rate > 0 else liking * 0
        return rate

    def ordered_in(self, replicates: I64, contacts: Contacts, end_us: int) -> I64:
        """When contacts are taken up, shape (replicates, contacts); -1: not before `end_us`."""
        keys = np.array([terms.key for terms in self._terms], dtype=np.int64)[contacts.offer]
        blocks = np.array(
            [
                _key(key, ordinal)
                for key, ordinal in zip(keys.tolist(), contacts.ordinal.tolist(), strict=True)
            ]
        )
        words = self.draws.block("take_up", contacts.sub, replicates[:, np.newaxis], blocks)
        medians = np.array([offer.reply_median_s for offer in self.offers], dtype=np.int64)[contacts.offer]
        yes: NDArray[np.bool_] = self.eta_q16(contacts) + LOGISTIC.quantile(words[0]) >= 0
        times = contacts.t_us + _delay_us(words[1], medians)
        return np.where(yes & (times < end_us), times, -1)


def _key(offer_key: int, ordinal: int) -> int:
    """The block of draws of one contact of somebody."""
    if not 0 <= ordinal < _MAX_ORDINAL:
        raise ValueError(
            f"contact {ordinal} of one subscriber with one offer: at most {_MAX_ORDINAL} are foreseen"
        )
    return offer_key << 12 | ordinal


def organic_wait_us(waits: ArrayLike, rate: ArrayLike) -> I64:
    """Time until an organic take-up.

    Args:
        waits: Exponential, in 65536ths of a mean wait.
        rate: Per day, out of 2**32; the quotient counts steps of 2**16 microseconds.
    """
    steps = np.asarray(waits) * DAY_US // np.maximum(rate, 1)
    waited: I64 = np.minimum(steps, 1 << 44) << 16
    return waited


def _delay_us(u: ArrayLike, median_s: ArrayLike) -> I64:
    """From receipt to reply: log-normal, at least five seconds and at most a day."""
    seconds = np.clip(LOGNORMAL.quantile(u) * np.asarray(median_s, dtype=np.int64) >> 16, 5, 86_400)
    delay: I64 = seconds * 1_000_000 + (np.asarray(u).astype(np.int64) & 0xFFFFF) % 1_000_000
    return delay


def replay(
    contacts: Contacts,
    world: Habitat,
    offers: Sequence[Offer],
    seed: int,
    replicates: int,
    *,
    end_us: int,
    start_us: int = 0,
    first_replicate: int = 1,
) -> NDArray[np.bool_]:
    """Who has taken up what by `end_us`, over replays of the response draws on a recorded contact history.

    Shape (replicates, subscribers, offers). Affinities stay, all other draws are new in every replicate;
    replicate 0 is the run itself, so truth starts from 1.
    """
    model = ResponseModel(world, offers, seed)
    numbers = np.arange(first_replicate, first_replicate + replicates, dtype=np.int64)
    taken: NDArray[np.bool_] = model.first_in(numbers, contacts, end_us, start_us) >= 0
    return taken
