"""Is every trigger accounted for? Of each act of the tap, what became of the campaigns that it triggers.

A trigger is accounted for where the platform's records or its ledger know how it ended. What the platform
never saw, it cannot know: acts of the moments before a kill that died in its sockets. Those are told apart
by their time, and one at any other time is a trigger lost without a reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from experiments.firewall.grounds import Site, Stimulus, imsi_of
from experiments.firewall.handsets import Handsets
from experiments.firewall.play import Played
from sim.backoffice.boss import Boss

__all__ = ["Blind", "accounts"]

DIED_WITH_IT_S: Final = 5.0
"""So long before a kill an act may have been in a socket or an unflushed journal, on a starved machine."""
OVERTAKEN_S: Final = 0.5
"""Later acts may be known so much sooner: streams overtake each other."""
FINAL: Final = ("sent", "held", "suppressed", "failed")


@dataclass(frozen=True, slots=True)
class Blind:
    """A time without a platform, from its kill until the next one serves; monotonic nanoseconds."""

    from_ns: int
    until_ns: int


def accounts(
    site: Site, stimuli: Sequence[Stimulus], handsets: Handsets, blind: Sequence[Blind], boss: Boss
) -> dict[str, Any]:
    """Counts, and `lost`: everything that should be known and is not."""
    played = site.played
    triggers, final = _triggers(site.records)
    ledger = _ledger(site)
    lost: list[str] = []
    ended: Counter[str] = Counter()
    for one in triggers.values():
        if one["state"] not in FINAL or (one["state"] in ("suppressed", "failed") and not one["reason"]):
            lost.append(f"trigger {one['trigger_id']}: {one['state']} without a reason")
        ended[one["state"]] += 1
    known = {(one["campaign"], one["corr"]) for one in triggers.values() if one["corr"]}
    in_ledger = Counter((row["campaign"], f"{row['imsi']:015d}") for row in ledger.values())
    in_records = Counter(
        (one["campaign"], one["imsi"]) for one in triggers.values() if one["contact_id"] in ledger
    )
    spare = in_ledger - in_records
    by_ledger = 0
    missing: list[tuple[Stimulus, str]] = []
    seen: dict[int, int] = {}
    for act in stimuli:
        for campaign in played.of_stimulus[act.kind]:
            who = campaign, imsi_of(act.subscriber)
            found = any((campaign, corr) in known for corr in range(act.corr[0], act.corr[1] + 1))
            if not found and spare[who]:
                spare[who] -= 1
                by_ledger += 1
                found = True
            if found:
                life = _next_kill(act.sent_ns, blind)
                seen[life] = max(seen.get(life, 0), act.sent_ns)
            else:
                missing.append((act, campaign))
    unseen, oldest_s = 0, 0.0
    for act, campaign in missing:
        said = _not_excused(act, blind, seen)
        if said:
            lost.append(
                f"{campaign} for {imsi_of(act.subscriber)}: no trigger of message {act.corr[1]}: {said}"
            )
        else:
            unseen += 1
            oldest_s = max(oldest_s, (_next_kill(act.sent_ns, blind) - act.sent_ns) / 1e9)
    lost += _unknown_contacts(handsets, ledger)
    lost += _lost_orders(handsets, boss, played)
    states = Counter(f"{row['state']}" for row in ledger.values())
    return {
        "wanted": sum(len(played.of_stimulus[act.kind]) for act in stimuli),
        "ended": dict(ended),
        "reasons": dict(Counter(f"{t['state']} {t['reason']}".strip() for t in triggers.values())),
        "by_ledger_alone": by_ledger,
        "died_unseen": unseen,
        "died_unseen_oldest_s": round(oldest_s, 3),
        "ledger": dict(states),
        "orders_confirmed": len(handsets.orders),
        "final_records": final,
        "lost": len(lost),
        "lost_listed": lost[:10],
    }


def _next_kill(sent_ns: int, blind: Sequence[Blind]) -> int:
    """When the platform that an act was sent to was killed; 0: never."""
    return min((one.from_ns for one in blind if one.from_ns >= sent_ns), default=0)


def _not_excused(act: Stimulus, blind: Sequence[Blind], seen: Mapping[int, int]) -> str:
    """Why an act should be known; empty: it may have died with the platform.

    What dies is a tail: nothing that was sent well before something known, and nothing old.
    """
    killed_ns = _next_kill(act.sent_ns, blind)
    if not killed_ns:
        return "no kill came after it"
    before_s = (killed_ns - act.sent_ns) / 1e9
    if act.sent_ns + OVERTAKEN_S * 1e9 < seen.get(killed_ns, 0):
        return f"{before_s:.3f} s before a kill, and what was sent after it is known"
    return f"{before_s:.3f} s before a kill" if before_s > DIED_WITH_IT_S else ""


def _triggers(records: Path) -> tuple[dict[str, dict[str, Any]], int]:
    """Every trigger by its id, the latest word counting; and how many the last run told of."""
    import pyarrow.parquet as pq

    found: dict[str, dict[str, Any]] = {}
    names = ["trigger_id", "contact_id", "campaign", "imsi", "corr", "state", "reason"]
    aside = sorted(records.glob("killed-*/triggers.parquet"), key=lambda p: int(p.parent.name.split("-")[1]))
    last = 0
    for path in [*aside, records / "triggers.parquet"]:
        rows = pq.read_table(path, columns=names).to_pylist() if path.exists() else []
        found |= {row["trigger_id"]: row for row in rows}
        last = len(rows)
    return found, last


def _ledger(site: Site) -> dict[str, dict[str, Any]]:
    """The contacts of the ledger by their id, read from its database."""
    import sqlalchemy as sa

    url = site.ledger_url
    if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        url = f"sqlite:///{(site.folder / url.removeprefix('sqlite:///')).resolve()}"
    engine = sa.create_engine(url)
    wanted = sa.text("SELECT contact_id, campaign, imsi, state, counted FROM contact")
    try:
        with engine.connect() as connection:
            return {row.contact_id: dict(row._mapping) for row in connection.execute(wanted)}
    finally:
        engine.dispose()


def _lost_orders(handsets: Handsets, boss: Boss, played: Played) -> list[str]:
    """Orders that the platform took and BOSS never heard of."""
    opened = {(order.msisdn, order.offer) for order in boss.orders()}
    offers = {keys["originator"]: keys["offer"] for keys in played.campaigns.values()}
    return [
        f"order of {msisdn} for {offers[source]}: confirmed by the platform, not at BOSS"
        for msisdn, source in handsets.orders
        if (msisdn, offers[source]) not in opened
    ]


def _unknown_contacts(handsets: Handsets, ledger: dict[str, dict[str, Any]]) -> list[str]:
    """What handsets received and the ledger does not count; and what was submitted twice."""
    lost = []
    for contact_id in {row.contact_id for row in handsets.received}:
        row = ledger.get(contact_id)
        if row is None or not row["counted"]:
            lost.append(
                f"contact {contact_id}: received, and {'not counted' if row else 'unknown'} in the ledger"
            )
    parts: dict[str, int] = {}
    for received in handsets.received:
        parts[received.contact_id] = max(parts.get(received.contact_id, 1), received.parts)
    for contact_id, times in handsets.submits.items():
        if times > parts.get(contact_id, 255):
            lost.append(f"contact {contact_id}: submitted {times} times in {parts[contact_id]} parts")
    return lost
