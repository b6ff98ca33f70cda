"""What usage costs, day by day, and what an account holds: the money side of the same draws.

Every figure is of what people meant: a call counts as answered if both ends meant it to be. Prices are inputs
of the simulation, in fen (1/100 yuan), of the kind that were usual; no tariff of an operator is copied.

An account is opened anew with the month: a prepaid one with a balance drawn for that month, recharged by a
voucher of its own each time it would fall below five yuan. Balances are not carried from month to month.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import LOGNORMAL, scale, threshold_q32
from sim.scenario import DAY_US, WorldScenario
from sim.subscribers import usage_calls, usage_numbers, usage_texts
from sim.subscribers import usage_profiles as profiles
from sim.subscribers.habitat import Habitat
from sim.subscribers.population import BRANDS, SERVICES
from sim.subscribers.social import FAMILY_SIZE
from sim.subscribers.terminals import TERMINALS
from sim.subscribers.usage_arrivals import Rows, Span, active, at_most_one, poisson
from sim.subscribers.usage_calls import (
    ANSWER,
    CALL_IN,
    CALL_INSIDE,
    CALL_OUT,
    CALL_SERVICE,
    CALL_VACANT,
    Calls,
    festive_calls,
    incoming_calls,
    own_calls,
    service_calls,
    tone_calls,
)
from sim.subscribers.usage_numbers import PREFIX, Numbers
from sim.subscribers.usage_offered import call_scale_q16
from sim.subscribers.usage_texts import (
    TEXT_IN,
    TEXT_INSIDE,
    chat_texts,
    festive_texts,
    incoming_texts,
    mms_chance,
    mms_notices,
    own_texts,
)

I64 = NDArray[np.int64]

# How a call is charged, and fen for a minute begun.
FREE, LOCAL, FAR, FAR_CHEAP = 0, 1, 2, 3
_MINUTE_FEN: Final = np.array([0, 25, 70, 40], dtype=np.int64)
_TEXT_FEN, _MMS_FEN, _KB_FEN, _TONE_FEN = 10, 30, 1, 200
_BRAND_FEN: Final = np.array([5_000, 0, 1_000], dtype=np.int64)
_SERVICE_FEN: Final = (1_000, 500, 500, 500, 300, 500, 0)
"""Monthly fees of brands and of services, in the orders of BRANDS and SERVICES."""
_VOUCHERS_FEN: Final = np.array([3_000, 5_000, 5_000, 10_000], dtype=np.int64)
_LOW_FEN: Final = 500
TONE_CHOSEN_US: Final = 45_000_000
"""So long a call to the ring-back tone line ends with a new tone; a shorter one was given up."""
_SHORT_DIGITS: Final = 8  # so many digits and fewer are a short code
_KB_MEDIAN: Final = 9
_SESSION_MOST_KB: Final = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class DayUsage:
    """Usage of rows (somebody on a day), a value a row; sums of rows are sums of usage."""

    calls_made: I64
    """Calls to people that were answered."""
    minutes_made: I64
    """Their minutes, each call rounded up."""
    minutes_far: I64
    """Those of them to other provinces, dialled plainly; the next: with 12593."""
    minutes_far_cheap: I64
    calls_received: I64
    """Answered calls from other networks; those from this network come in with the callers' rows."""
    minutes_received: I64
    calls_missed: I64
    """Calls from other networks not answered or rejected."""
    service_calls: I64
    """Calls to service lines."""
    complaints: I64
    """Calls to the first service line that were complaints."""
    texts_sent: I64
    texts_received: I64
    """Texts from other networks, multimedia notices not counted; likewise those from this network."""
    mms_sent: I64
    mms_received: I64
    gprs_sessions: I64
    gprs_kb: I64
    tone_changes: I64
    """Ring-back tones chosen by telephone."""
    charge_fen: I64
    """Charged for all this, without monthly fees."""


ADDITIVE: Final = tuple(field.name for field in fields(DayUsage))


@dataclass(frozen=True, slots=True, eq=False)
class Reached:
    """What rows brought others inside this world: answered calls and texts, one row each."""

    callee: I64
    minutes: I64
    addressee: I64


def usage_of_rows(world: Habitat, rows: Rows) -> tuple[DayUsage, Reached]:
    """Usage of people on days, in the order of the rows, and whom it reached; no row may come twice."""
    book, span, who = _Book(rows), _span_of(rows), np.unique(rows.sub)
    rows, scaled = active(world, rows), call_scale_q16(world.scenario)
    families = _families(world, book)
    made = [own_calls(world, families, span, scaled), *festive_calls(world, who, span, scaled)]
    answered: list[tuple[I64, I64, I64, I64]] = []
    for table in made:
        at, row = book.of(table.t_us, table.sub)
        keep = (table.intent[at] == ANSWER) & np.isin(table.kind[at], (CALL_INSIDE, CALL_OUT))
        at, row = at[keep], row[keep]
        answered.append(
            (row, minutes_begun(table)[at], charged_as(table)[at], table.peer_sub[at].astype(np.int64))
        )
    row, minutes, way, peer = (np.concatenate(column) for column in zip(*answered, strict=True))
    received = incoming_calls(world, rows, span, scaled)
    taken = received.intent == ANSWER
    _, in_row = book.of(received.t_us, received.sub)
    lines = service_calls(world, rows, span)
    _, line_row = book.of(lines.t_us, lines.sub)
    tones = tone_calls(world, rows, span)
    _, tone_row = book.of(tones.t_us, tones.sub)
    chosen = tones.talk_us >= TONE_CHOSEN_US
    sent_rows, received_rows, addressees = [], [], []
    for text in (
        own_texts(world, families, span),
        chat_texts(world, families, span),
        *festive_texts(world, who, span),
        incoming_texts(world, rows, span),
    ):
        at, text_row = book.of(text.t_us, text.sub)
        comes = text.kind[at] == TEXT_IN
        sent_rows.append(text_row[~comes])
        received_rows.append(text_row[comes])
        addressees.append(text.peer_sub[at][text.kind[at] == TEXT_INSIDE].astype(np.int64))
    sent, notices = book.count(np.concatenate(sent_rows)), mms_notices(world, rows, span)
    mms_sent, sessions, kb = _data(world, rows, span, book)
    tone_changes = book.count(tone_row[chosen])
    cost = minutes_fen(minutes, way)
    charge = book.total(row, cost) + sent * _TEXT_FEN + mms_sent * _MMS_FEN + kb * _KB_FEN
    usage = DayUsage(
        calls_made=book.count(row),
        minutes_made=book.total(row, minutes),
        minutes_far=book.total(row, minutes * (way == FAR)),
        minutes_far_cheap=book.total(row, minutes * (way == FAR_CHEAP)),
        calls_received=book.count(in_row[taken]),
        minutes_received=book.total(in_row[taken], minutes_begun(received)[taken]),
        calls_missed=book.count(in_row[~taken]),
        service_calls=book.count(line_row) + book.count(tone_row),
        complaints=book.count(line_row[is_complaint(world, lines)]),
        texts_sent=sent,
        texts_received=book.count(np.concatenate(received_rows)),
        mms_sent=mms_sent,
        mms_received=book.count(book.of(notices.t_us, notices.sub)[1]),
        gprs_sessions=sessions,
        gprs_kb=kb,
        tone_changes=tone_changes,
        charge_fen=charge + tone_changes * _TONE_FEN,
    )
    inside = peer >= 0
    return usage, Reached(peer[inside], minutes[inside], np.concatenate(addressees))


def charges_of_rows(world: Habitat, rows: Rows) -> I64:
    """`usage_of_rows(...).charge_fen`, for less work: no numbers, nobody else, nothing that is free."""
    book, span, who, charge = _Book(rows), _span_of(rows), np.unique(rows.sub), np.zeros(len(rows), np.int64)
    rows = active(world, rows)
    scaled, mean_s = call_scale_q16(world.scenario), world.scenario.usage.talk_mean_s
    families = _families(world, book)
    made = [usage_calls.own_made(world, families, span, scaled)]
    for found, _ in usage_calls.festive_arrivals(world, who, span, scaled):
        made.append(usage_calls.festive_made(world, found))
    for one in made:
        at, row = book.of(one.found.t_us, one.found.sub)
        decided = one.decided[at]
        far = np.where(decided.cheap, FAR_CHEAP, np.where(decided.reach == usage_numbers.FAR, FAR, LOCAL))
        pays = (decided.intent == ANSWER) & (decided.kind != CALL_VACANT)
        minutes = (usage_calls.talk_us(one.u[5, at], mean_s) + 59_999_999) // 60_000_000
        charge += book.total(row[pays], minutes_fen(minutes, far)[pays])
    tones = tone_calls(world, rows, span)
    _, row = book.of(tones.t_us, tones.sub)
    charge += book.count(row[tones.talk_us >= TONE_CHOSEN_US]) * _TONE_FEN
    texts = [said(world, families, span)[0].found for said in (usage_texts.own_said, usage_texts.chat_said)]
    texts += [found for found, _ in usage_texts.festive_arrivals(world, who, span)]
    for found in texts:
        charge += book.count(book.of(found.t_us, found.sub)[1]) * _TEXT_FEN
    mms, _, kb = _data(world, rows, span, book)
    return charge + mms * _MMS_FEN + kb * _KB_FEN


def _families(world: Habitat, book: _Book) -> Rows:
    """The families of rows, on their days and the days before: sessions and trains may have begun then."""
    family = (book.key >> 32 << 32) + (book.key & 0xFFFFFFFF) // FAMILY_SIZE
    some = np.unique(np.concatenate((family, family - (1 << 32))))
    sub = (some & 0xFFFFFFFF)[:, np.newaxis] * FAMILY_SIZE + np.arange(FAMILY_SIZE)
    rows = Rows(sub.reshape(-1), np.repeat(some >> 32, FAMILY_SIZE))
    return active(world, rows[np.flatnonzero(rows.sub < world.population.n)])


def _span_of(rows: Rows) -> Span:
    """From the first day of rows to their last."""
    return (int(rows.day.min()) * DAY_US, (int(rows.day.max()) + 1) * DAY_US) if len(rows) else (0, 0)


def minutes_begun(calls: Calls) -> I64:
    """Minutes as they are charged."""
    return (calls.talk_us + 59_999_999) // 60_000_000


def charged_as(calls: Calls) -> I64:
    """FREE, LOCAL, FAR or FAR_CHEAP; received calls and those to vacant numbers are free."""
    made = (calls.kind != CALL_IN) & (calls.kind != CALL_VACANT)
    return np.where(made, class_of(calls.peer_number), FREE)


def class_of(dialled: Numbers) -> I64:
    """How a call made is charged, by its digits (S20): short codes are free."""
    digits = np.ascontiguousarray(dialled).view(np.uint8).reshape(-1, 20)
    cheap = (digits[:, : len(PREFIX)] == np.frombuffer(PREFIX.encode(), np.uint8)).all(axis=1)
    far = np.where(digits[:, 0] == ord("0"), FAR, np.where(cheap, FAR_CHEAP, LOCAL))
    return np.where(digits[:, _SHORT_DIGITS] == 0, FREE, far)


def minutes_fen(minutes: I64, charged: I64) -> I64:
    """What a call made costs."""
    return minutes * _MINUTE_FEN[charged]


def call_fen(calls: Calls) -> I64:
    """What the caller pays for each call, if it was answered."""
    cost = minutes_fen(minutes_begun(calls), charged_as(calls))
    return np.where(calls.intent == ANSWER, cost, 0)


def is_complaint(world: Habitat, calls: Calls) -> NDArray[np.bool_]:
    """Which calls to service lines are complaints; those who are prone to complain call for it more often."""
    usage = world.scenario.usage
    first = calls.peer_number == usage.service_lines[0].number.encode()
    u = world.draws.block("complaint", calls.sub, calls.t_us // DAY_US, calls.ordinal)
    # By proneness: twice the share at the top of its scale, hardly any at the bottom, as given in between.
    prone = world.population.complaint[calls.sub].astype(np.uint64)
    told: NDArray[np.bool_] = (u[0] < threshold_q32(usage.complaint_share) * prone // np.uint64(128)) & first
    told &= calls.kind == CALL_SERVICE
    return told


def is_prepaid(world: Habitat, sub: I64) -> NDArray[np.bool_]:
    """Who pays before calling: all brands but one."""
    prepaid: NDArray[np.bool_] = world.population.brand[sub] != BRANDS.index("gotone")
    return prepaid


def monthly_fee_fen(world: Habitat, sub: I64) -> I64:
    """Fee of the brand and of the services held."""
    held = world.population.services[sub].astype(np.int64)
    fee = _BRAND_FEN[world.population.brand[sub]]
    for bit, fen in enumerate(_SERVICE_FEN):
        fee = fee + (held >> bit & 1) * fen
    return fee


def month_of(scenario: WorldScenario, day: int) -> int:
    """Calendar month of a day: 0 for that of the epoch."""
    there = date.fromordinal(scenario.epoch.toordinal() + day)
    return (there.year - scenario.epoch.year) * 12 + there.month - scenario.epoch.month


def days_of_month(scenario: WorldScenario, month: int) -> range:
    """The days of a month; the epoch's begins with the epoch."""
    at = scenario.epoch.year * 12 + scenario.epoch.month - 1 + month
    first = date(at // 12, at % 12 + 1, 1)
    after = date((at + 1) // 12, (at + 1) % 12 + 1, 1)
    epoch = scenario.epoch
    return range(max((first - epoch).days, 0), max((after - epoch).days, 0))


def account_fen(world: Habitat, sub: I64, day: I64) -> I64:
    """At the midnight that begins a day: balance of prepaid accounts, charges of the month of the others."""
    if not len(sub):
        return np.zeros(0, dtype=np.int64)
    months = {int(one): month_of(world.scenario, int(one)) for one in np.unique(day)}
    month = np.array([months[int(one)] for one in day], dtype=np.int64)
    starts = {m: days_of_month(world.scenario, m).start for m in set(months.values())}
    start = np.array([starts[int(m)] for m in month], dtype=np.int64)
    # All earlier days of the month of each (subscriber, day), once each.
    length = np.maximum(day - start, 0)
    ask = np.repeat(np.arange(len(sub)), length)
    nth = np.arange(len(ask)) - np.repeat(np.cumsum(length) - length, length)
    key = (start[ask] + nth << 32) + sub[ask]
    once, back = np.unique(key, return_inverse=True)
    fen = charges_of_rows(world, Rows(once & 0xFFFFFFFF, once >> 32))
    charged = monthly_fee_fen(world, sub)
    np.add.at(charged, ask, fen[back])
    balance, _ = balance_fen(world, sub, month, charged)
    return np.where(is_prepaid(world, sub), balance, charged)


def balance_fen(world: Habitat, sub: I64, month: I64, charged_fen: I64) -> tuple[I64, I64]:
    """Of a prepaid account, after such charges since the month began: its balance, and what was recharged."""
    u = world.draws.block("account", sub, month, 0)
    voucher = _VOUCHERS_FEN[scale(world.draws.block("account", sub, 0, 1)[0], len(_VOUCHERS_FEN))]
    above = scale(u[0], voucher) - charged_fen
    recharged = -(above // voucher) * voucher
    return _LOW_FEN + above + recharged, recharged


def opening_fen(world: Habitat, sub: I64, month: I64) -> I64:
    """Balance with which a prepaid account begins a month."""
    return balance_fen(world, sub, month, np.zeros(len(sub), dtype=np.int64))[0]


def _data(world: Habitat, rows: Rows, span: tuple[int, int], book: _Book) -> tuple[I64, I64, I64]:
    """Multimedia messages sent, GPRS sessions and their kilobytes: these show in records only."""
    like = profiles.kind_of_day(world.scenario, rows.day)
    segment = world.population.segment[rows.sub].astype(np.int64)
    curve = profiles.TEXTS
    spread = profiles.rows_of(segment, like, curve)
    mms = at_most_one(world.draws, "mms_sent", rows, mms_chance(world, rows), curve, spread, span)
    factors = np.array(profiles.by_segment(world.scenario, lambda leaning: leaning.data, calls=False))
    able = np.array([terminal.gprs for terminal in TERMINALS])[world.population.terminal[rows.sub]]
    holds = (world.population.services[rows.sub] >> SERVICES.index("wap") & 1).astype(np.bool_) & able
    mean = np.floor(factors * world.scenario.usage.gprs_sessions_per_day * 65536.0).astype(np.int64)
    rate = np.where(holds, mean[segment], 0)
    sessions = poisson(world.draws, "gprs", rows, rate, curve, spread, span)
    u = sessions.details(world.draws, "gprs", 1, first=1 << 20, stride=1)
    kb = np.minimum(1 + (LOGNORMAL.quantile(u[0]) * _KB_MEDIAN >> 16), _SESSION_MOST_KB)
    _, row = book.of(sessions.t_us, sessions.sub)
    return book.count(book.of(mms.t_us, mms.sub)[1]), book.count(row), book.total(row, kb)


class _Book:
    """Rows found again by subscriber and day."""

    def __init__(self, rows: Rows) -> None:
        key = (rows.day << 32) + rows.sub
        self._order = np.argsort(key, kind="stable")
        self.key = key[self._order]
        """Days and subscribers, in order."""

    def of(self, t_us: I64, sub: I64) -> tuple[I64, I64]:
        """Which events are of one of the rows, and of which."""
        key = (t_us // DAY_US << 32) + sub
        at = np.minimum(np.searchsorted(self.key, key), max(len(self.key) - 1, 0))
        if not len(self.key):
            nothing = np.zeros(0, dtype=np.int64)
            return nothing, nothing
        mine = np.flatnonzero(self.key[at] == key)
        return mine, self._order[at[mine]]

    def count(self, row: I64) -> I64:
        """Events a row."""
        return np.bincount(row, minlength=len(self.key)).astype(np.int64)

    def total(self, row: I64, value: I64) -> I64:
        """Sums a row; integers, so in any order."""
        out = np.zeros(len(self.key), dtype=np.int64)
        np.add.at(out, row, value)
        return out
