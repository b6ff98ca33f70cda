"""From what an arm has left behind to its outcome: columns over the eligible subscribers.

Nothing here knows how the arm was fed.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.arm_results import contact_history
from experiments.uplift.chances import p_organic, p_take_up
from experiments.uplift.living import Lived, TriggerRow
from experiments.uplift.setting import Setting
from experiments.uplift.specs import (
    BEFORE,
    ArmOutcome,
    ArmSpec,
    ContactTable,
    DayTable,
    OrderTable,
    PlannedContact,
    TriggerTable,
)
from sim.scenario import DAY_US
from sim.subscribers.response import Contacts

__all__ = ["outcome_of", "replayed", "trigger_digest"]

NEVER: Final = -1
STATES: Final = ("sent", "held", "failed")


def outcome_of(spec: ArmSpec, setting: Setting, lived: Lived) -> ArmOutcome:
    """The outcome of an arm that has been lived."""
    world, members = setting.world, setting.eligible
    epoch_us, start_us, end_us = setting.scenario.epoch_unix_us, setting.start_us(spec), spec.days * DAY_US
    whose = _Members(members, world.n, setting.extract)
    offers = [offer.name for offer in spec.offers]
    costs = {c.campaign: c.cost for c in lived.campaigns}
    if spec.blanket is not None and spec.blanket.by == "budget":
        costs |= spec.blanket.price
    originators = {c.originator: c.campaign for c in lived.campaigns if c.originator}

    heard = [row for row in lived.contacts if row["offer"]]
    history = contact_history(heard, offers, epoch_us)
    contacts = _contact_table(spec, setting, history, [originators[row["source"]] for row in heard], whose)
    orders = _order_table(lived, whose, offers, epoch_us)
    during = orders.t_us >= start_us
    ordered_us = whose.first(orders.sub[during], orders.t_us[during])
    sent = [row for row in lived.triggers if row.state == "sent"]
    sent_to = np.array([whose.sub_of(row.msisdn) for row in sent], np.int64)
    cost = np.array([costs.get(row.campaign, 0.0) for row in sent], np.float64)
    value = np.array([spec.values.get(str(offer), 0.0) for offer in orders.offer[during]], np.float64)
    before = np.zeros((len(members), len(BEFORE)), np.float64)
    if lived.used is not None:
        earlier = whose.total(orders.sub[~during], np.ones(int((~during).sum())))
        spend = np.array(setting.extract["arpu"], np.float64)[members]
        before = np.column_stack([lived.used[members].astype(np.float64), earlier, spend])
    complained = [row for row in lived.responses if row["complain"]]
    complaints = np.array([int(row["sub"]) for row in complained], np.int64)
    stopped: dict[int, int] = {}
    for msisdn, t_us in lived.opt_outs:
        stopped.setdefault(whose.sub_of(msisdn), t_us)
    stops = np.array(list(stopped), np.int64)
    share, means = replayed(spec, setting, history, start_us, end_us)
    order = sorted(range(len(sent)), key=lambda i: (sent[i].decided_us, sent[i].campaign, sent[i].imsi))
    return ArmOutcome(
        arm=spec.arm,
        days=spec.days,
        sub=members,
        segment=np.asarray(world.population.segment[members], np.uint8),
        home_cell=np.asarray(world.population.home[members], np.int32),
        ordered=ordered_us != NEVER,
        ordered_us=ordered_us,
        contacts=whose.total(contacts.sub, np.ones(len(contacts.sub))).astype(np.int32),
        first_contact_us=whose.first(contacts.sub, contacts.t_us),
        complaints=whose.total(complaints, np.ones(len(complaints))).astype(np.int32),
        opted_out=whose.total(stops, np.ones(len(stops))) > 0,
        cost=whose.total(sent_to, cost),
        value=whose.total(orders.sub[during], value),
        before=before,
        replay_share=share,
        replay_means=means,
        contact_table=contacts,
        by_day=DayTable(
            complaints=whose.days(
                complaints.tolist(), [row["t_us"] - epoch_us for row in complained], spec.days
            ),
            # A barrier ends its tick: what it confirms at midnight belongs to the day before.
            opt_outs=whose.days(list(stopped), [t - epoch_us - 1 for t in stopped.values()], spec.days),
            cost=whose.days(sent_to.tolist(), [row.decided_us - epoch_us for row in sent], spec.days, cost),
            value=whose.days(orders.sub[during].tolist(), orders.t_us[during].tolist(), spec.days, value),
        ),
        history=history,
        orders=orders,
        trigger_table=_trigger_table(lived.triggers, whose, epoch_us),
        triggers=_counts(lived.triggers),
        violations=dict(sorted(lived.violations.items())),
        trigger_digest=trigger_digest(lived.triggers),
        pattern=tuple(
            PlannedContact(
                sent[i].campaign,
                int(sent_to[i]),
                (sent[i].decided_us - epoch_us) // DAY_US + 1,
                float(cost[i]),
            )
            for i in order
        ),
    )


def trigger_digest(triggers: Sequence[TriggerRow]) -> str:
    """SHA-256 over the sorted rows (campaign, IMSI, Unix us, state, reason)."""
    rows = sorted((row.campaign, row.imsi, row.t_us, row.state, row.reason) for row in triggers)
    made = hashlib.sha256()
    for row in rows:
        made.update("\t".join(map(str, row)).encode() + b"\n")
    return made.hexdigest()


class _Members:
    """Subscribers of the world, and places of the eligible among the columns of an outcome."""

    def __init__(self, members: NDArray[np.int64], n: int, extract: Mapping[str, Sequence[Any]]) -> None:
        self.n = len(members)
        self._place = np.full(n + 1, NEVER, np.int64)  # the last, which -1 finds, is nobody's
        self._place[members] = np.arange(len(members))
        self._sub = {msisdn: sub for sub, msisdn in enumerate(extract["msisdn"])}

    def sub_of(self, msisdn: str) -> int:
        """Whose number it is."""
        return self._sub.get(msisdn, NEVER)

    def counted(self, sub: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these are eligible."""
        mine: NDArray[np.bool_] = self._place[sub] != NEVER
        return mine

    def total(self, sub: NDArray[np.int64], amount: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums by eligible subscriber, in the order of the rows."""
        place = self._place[sub]
        mine = place != NEVER
        return np.bincount(place[mine], amount[mine], self.n).astype(np.float64)

    def days(
        self, sub: list[int], t_us: list[int], days: int, amount: NDArray[np.float64] | None = None
    ) -> Any:
        """What came of the eligible on each day, (days,): counts, or sums of an amount."""
        who, day = np.array(sub, np.int64), np.array(t_us, np.int64) // DAY_US
        mine = self.counted(who)
        weights = None if amount is None else amount[mine]
        return np.bincount(np.clip(day[mine], 0, days - 1), weights, days)

    def first(self, sub: NDArray[np.int64], t_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """The earliest time by eligible subscriber; -1: none."""
        place = self._place[sub]
        mine = place != NEVER
        far = np.iinfo(np.int64).max
        found = np.full(self.n, far, np.int64)
        np.minimum.at(found, place[mine], t_us[mine])
        return np.where(found == far, NEVER, found)


def _contact_table(
    spec: ArmSpec, setting: Setting, history: Contacts, campaigns: list[str], whose: _Members
) -> ContactTable:
    model = setting.model(spec)
    end_us = spec.days * DAY_US
    campaign = np.array(campaigns, np.str_) if campaigns else np.empty(0, "U1")
    names = np.array([offer.name for offer in spec.offers] or [""], np.str_)
    mine = np.flatnonzero(whose.counted(history.sub))
    order = mine[np.lexsort((campaign[mine], history.sub[mine], history.t_us[mine]))]
    return ContactTable(
        sub=history.sub[order],
        campaign=campaign[order],
        offer=names[history.offer[order]],
        t_us=history.t_us[order],
        ordinal=history.ordinal[order],
        recent_contacts=history.recent_contacts[order],
        cell=_cells(history)[order],
        place=history.place[order],
        p_take_up=p_take_up(model.eta_q16(history)[order]),
        p_organic=p_organic(model, history.sub[order], history.offer[order], end_us - history.t_us[order]),
    )


def _cells(history: Contacts) -> NDArray[np.int64]:
    unknown = np.full(len(history.sub), NEVER, np.int64)
    return unknown if history.cell is None else history.cell


def _order_table(lived: Lived, whose: _Members, offers: list[str], epoch_us: int) -> OrderTable:
    rows = sorted(
        (order.t_us - epoch_us, whose.sub_of(order.msisdn), order.offer, order.channel == "organic")
        for order in lived.orders
        if order.offer in offers
    )
    sub = np.array([row[1] for row in rows], np.int64)
    mine = np.flatnonzero(whose.counted(sub))
    return OrderTable(
        sub=sub[mine],
        offer=np.array([row[2] for row in rows] or [""], np.str_)[mine],
        t_us=np.array([row[0] for row in rows], np.int64)[mine],
        organic=np.array([row[3] for row in rows], np.bool_)[mine],
    )


def _trigger_table(triggers: Sequence[TriggerRow], whose: _Members, epoch_us: int) -> TriggerTable:
    rows = sorted((row.t_us, row.campaign, whose.sub_of(row.msisdn), row) for row in triggers)

    def texts(name: str) -> NDArray[np.str_]:
        found = [getattr(row, name) for *_, row in rows]
        return np.array(found, np.str_) if found else np.empty(0, "U1")

    return TriggerTable(
        campaign=texts("campaign"),
        sub=np.array([row[2] for row in rows], np.int64),
        t_us=np.array([row[0] - epoch_us for row in rows], np.int64),
        decided_us=np.array([row[3].decided_us - epoch_us for row in rows], np.int64),
        state=texts("state"),
        reason=texts("reason"),
    )


def _counts(triggers: Sequence[TriggerRow]) -> dict[str, Any]:
    states = Counter(row.state for row in triggers)
    reasons = Counter(row.reason for row in triggers if row.state == "suppressed")
    return {
        "total": len(triggers),
        **{state: states.get(state, 0) for state in STATES},
        "suppressed": dict(sorted(reasons.items())),
    }


def replayed(
    spec: ArmSpec, setting: Setting, history: Contacts, start_us: int, end_us: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """P(take up) of each eligible subscriber, and the share of them in each replay.

    As in the run itself, who has taken an offer up before the campaigns begin cannot take it up again.
    """
    members = setting.eligible
    if not spec.replays:
        return np.full(len(members), np.nan), np.empty(0, np.float64)
    model = setting.model(spec)
    numbers = np.arange(1, spec.replays + 1, dtype=np.int64)
    taken: NDArray[np.bool_] = model.first_in(numbers, history, end_us) >= start_us
    by_person: NDArray[np.bool_] = np.asarray(taken.any(axis=2), np.bool_)[:, members]
    return by_person.mean(axis=0), by_person.mean(axis=1)
