"""Which assumption about people decides the answer: one number moved at a time, everything else as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.uplift.jobs import Sending, WhatIf
from experiments.uplift.parameters import Changed, changed, parameters_of
from experiments.uplift.specs import ArmOutcome, ArmSpec
from sim.subscribers.offers import Offer

__all__ = ["tornado", "what_ifs"]


def what_ifs(
    spec: ArmSpec,
    arms: Mapping[str, ArmOutcome],
    pair: tuple[str, str],
    logits: float,
    factor: float,
    sending: Sending,
) -> list[WhatIf]:
    """The study as it is, and each number of its offers lower and higher.

    Args:
        spec: Of the precise arm, with the replays of the tornado.
        arms: Outcomes, with their contacts.
        pair: Arms that are compared.
        logits: How far weights are moved.
        factor: By what rates, spreads and times are divided and multiplied.
        sending: How the blanket arm sends, where an arm is lived again.
    """
    histories = {name: arms[name].history for name in pair}
    changes: list[Changed] = []
    for parameter in parameters_of(_used(spec)):
        ways = [changed(spec.offers, parameter, way, logits, factor) for way in ("low", "high")]
        changes += [one for one in ways if one is not None]
    return [WhatIf(one, spec, histories, sending) for one in (None, *changes)]


def _used(spec: ArmSpec) -> Sequence[Offer]:
    from marketing.campaigns import load

    wanted = {load(path).offer for path in spec.campaigns}
    return [offer for offer in spec.offers if offer.name in wanted]


def tornado(jobs: Sequence[WhatIf], found: Mapping[str, Mapping[str, Any]], shown: int) -> dict[str, Any]:
    """Parameters by how far they move the true difference, the widest first.

    Args:
        jobs: What was asked.
        found: Key of the job -> its result.
        shown: How many rows are kept; whatever flips the sign is kept anyway.
    """
    base = found[jobs[0].key]
    rows: dict[str, dict[str, Any]] = {}
    for job in jobs[1:]:
        assert job.changed is not None, "the first job alone changes nothing"
        parameter, result = job.changed.parameter, found[job.key]
        row = rows.setdefault(
            f"{parameter.offer}.{parameter.name}",
            {
                "offer": parameter.offer,
                "name": parameter.name,
                "value": parameter.value,
                "how": result["how"],
            },
        )
        row[job.changed.direction] = {"at": job.changed.value, **{k: result[k] for k in ("value", "se")}}
    for row in rows.values():
        ends = [row[way] for way in ("low", "high") if way in row]
        values = [base["value"], *(end["value"] for end in ends)]
        row["width"] = max(values) - min(values)
        # The other sign, by more than chance of the replays makes of it.
        row["flips"] = [
            way
            for way in ("low", "high")
            if way in row
            and row[way]["value"] * base["value"] < 0
            and abs(row[way]["value"]) > 2 * row[way]["se"]
        ]
    ordered = sorted(rows.values(), key=lambda row: (-row["width"], row["offer"], row["name"]))
    kept = ordered[:shown] + [row for row in ordered[shown:] if row["flips"]]
    return {
        "base": dict(base),
        "tried": len(ordered),
        "lived_again": sum(row["how"] == "lived again" for row in ordered),
        "rows": kept,
        "flipping": [f"{row['offer']}.{row['name']}" for row in ordered if row["flips"]],
    }
