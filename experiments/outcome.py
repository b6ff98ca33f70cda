"""From the results of a run's parts to `summary.json`, `details.json`, the report and one screen of text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.audit import RULES
from experiments.folder import RunFolder, write_json
from experiments.problems import relative
from experiments.study import Study
from experiments.summary import (
    add_signalling,
    add_triggers,
    no_latency,
    summary,
    uplift_entry,
)
from experiments.uplift import COMPARISONS, paired, truth_of

__all__ = ["Outcome"]

ARM_ORDER: Final = ("control", "blanket", "precise")


class Outcome:
    """Collects what the parts of a run report; `close` makes the files of it. Parts may be missing."""

    def __init__(self, study: Study, run_dir: Path, transport: Mapping[str, str], rerun: str) -> None:
        self.study = study
        self.run_dir = run_dir
        self.reasons: list[str] = []
        """Why the run is not valid."""
        self._transport = dict(transport)
        self._rerun = rerun
        self._arms: dict[str, dict[str, Any]] = {}
        self._live: dict[str, Any] | None = None

    def add(self, name: str, result: dict[str, Any]) -> None:
        """The result of one part: an arm, or `live`."""
        if name == "live":
            self._live = result
        else:
            self._arms[name] = result
        self.reasons += [f"{name}: {reason}" for reason in result["invalid"]]
        signalling = result["signalling"]
        if signalling["lost"]:
            self.reasons.append(
                f"{name}: {signalling['lost']} of {signalling['generated']} messages were lost"
            )
        triggers = result["triggers"]
        states = sum(triggers[s] for s in ("sent", "held", "failed")) + sum(triggers["suppressed"].values())
        if states != triggers["total"]:
            self.reasons.append(f"{name}: {triggers['total']} triggers in {states} states")

    def close(self, folder: RunFolder, budget: Callable[[], list[dict[str, Any]]]) -> str:
        """Writes everything; what the terminal shows at the end.

        Args:
            folder: The run's folder, whose manifest is closed.
            budget: Wall time by part up to now.
        """
        from reports.answer import screen
        from reports.page import NotReportable, write_report

        self.recover()
        details = self._details()
        write_json(self.run_dir / "details.json", details)
        folder.finish(self.reasons, whole=all(self.has(arm) for arm in self.study.arms))
        made = self._summary(folder.manifest, budget())
        write_json(self.run_dir / "summary.json", made)
        try:
            path = relative(write_report(self.run_dir))
        except NotReportable as error:
            path = f"none: {error}"
        # The page says when it was begun, so that it can be made again; the terminal says when it was ready.
        made["time"]["budget"] = budget()
        return screen(made, details, path)

    def has(self, name: str) -> bool:
        """Whether the result of a part is there."""
        return name in self._arms

    def recover(self) -> None:
        """Takes in the arms that came to their end before the run was broken off, from their own results."""
        ticks = self.study.days * 86_400 // self.study.tick_s
        for name in self.study.arms:
            path = self.run_dir / "arms" / name / "result.json"
            failed = any(reason.startswith(f"{name}:") for reason in self.reasons)
            if name in self._arms or failed or not path.exists():
                continue
            result = json.loads(path.read_text(encoding="utf-8"))
            if result["spent"]["ticks"] >= ticks:  # an arm that was stopped leaves a result too
                self.add(name, result)

    # ---- summary

    def _summary(self, manifest: Mapping[str, Any], budget: list[dict[str, Any]]) -> dict[str, Any]:
        parts = [*self._arms.values(), *([self._live] if self._live else [])]
        violations = {rule: sum(p["audit"]["violations"][rule] for p in parts) for rule in RULES}
        names = [arm for arm in ARM_ORDER if arm in self._arms]
        keys = ("subscribers", "contacts", "take_up", "complaints", "cost")
        return summary(
            study=self.study.study,
            kind=self.study.kind,
            seed=self.study.seed,
            invalid_reasons=self.reasons,
            signalling=add_signalling(p["signalling"] for p in parts),
            triggers=add_triggers(p["triggers"] for p in parts),
            violations=violations,
            contacts=sum(p["audit"]["contacts"] for p in parts),
            latency_ms=self._live["latency_ms"] if self._live else no_latency(self._why_no_latency()),
            arms={arm: {key: self._arms[arm][key] for key in keys} for arm in names},
            uplift=self._uplift(),
            transport=self._transport,
            time={
                "started": manifest["started"],
                "ended": manifest["ended"],
                "wall_s": round(sum(row["used_s"] for row in budget), 1),
                "budget": budget,
            },
        )

    def _why_no_latency(self) -> str:
        return (
            "the study has no live phase"
            if self.study.live is None
            else "the run ended before the live phase"
        )

    def _uplift(self) -> dict[str, dict[str, Any]]:
        found = {}
        for name, (a, b) in COMPARISONS.items():
            if a in self._arms and b in self._arms:
                estimate = paired(self._ordered(a), self._ordered(b))
                means = [np.array(self._arms[arm]["replay_means"]) for arm in (a, b)]
                found[name] = uplift_entry(estimate, truth_of(*means) if means[0].size > 1 else None)
        return found

    def _ordered(self, arm: str) -> NDArray[np.bool_]:
        # The table is in the order of subscribers, so the arms pair up row by row.
        return np.asarray(self._outcomes(arm, "ordered"), bool)

    def _reached(self, arm: str) -> int:
        """Eligible subscribers who received at least one contact."""
        return int(np.count_nonzero(self._outcomes(arm, "contacts")))

    def _outcomes(self, arm: str, column: str) -> NDArray[Any]:
        import pyarrow.parquet as pq

        table = pq.read_table(self.run_dir / "arms" / arm / "outcomes.parquet", columns=[column])
        return np.asarray(table[column].to_numpy())

    # ---- details

    def _details(self) -> dict[str, Any]:
        arms = {name: self._arms[name] for name in ARM_ORDER[::-1] if name in self._arms}
        any_arm = next(iter(arms.values()), {})
        keys = ("triggers", "audit", "behaviours", "spent", "wall_s", "cpu_s")
        signalling: dict[str, Any] = {name: arm["signalling"] for name, arm in arms.items()}
        if self._live:
            signalling["live"] = self._live["signalling"]
        return {
            "schema": "kairos.details/1",
            "title": self.study.title,
            "subscribers": any_arm.get("world_subscribers"),
            "days": self.study.days,
            "eligible": any_arm.get("subscribers"),
            "replays": self.study.replays,
            "timezone": any_arm.get("timezone", "UTC"),
            "campaigns": self._campaigns(),
            "currency": self.study.currency,
            "policy": self._policy(),
            "planned": {"arms": list(self.study.arms), "live": self.study.live is not None},
            "blanket_at": self.study.blanket_at if "blanket" in self.study.arms else None,
            "arms": {
                name: {**{key: arm[key] for key in keys}, "reached": self._reached(name)}
                for name, arm in arms.items()
            },
            "signalling": signalling,
            "held_split": arms.get("precise", {}).get("held_split", []),
            "capture": next((arm["capture"] for arm in arms.values() if arm["capture"]), None),
            "live": self._live
            and {k: v for k, v in self._live.items() if k not in ("signalling", "latency_ms")},
            "rerun": self._rerun,
        }

    def _campaigns(self) -> list[dict[str, Any]]:
        from marketing.campaigns import load

        loaded = [load(path) for path in self.study.campaigns]
        return [
            {"title": c.title, "offer": c.offer, "originator": c.originator, "cost": c.cost} for c in loaded
        ]

    def _policy(self) -> dict[str, Any]:
        from marketing.contact import load_policy

        policy = load_policy(self.study.policy)
        quiet = policy.quiet_hours
        return {
            "per_calendar_month": policy.caps.per_calendar_month,
            "quiet_hours": None if quiet is None else [f"{quiet.start:%H:%M}", f"{quiet.end:%H:%M}"],
        }
