"""The life: the user's world with his policy and campaigns, in lockstep, in a process of its own.

    python -m experiments.compliance.life RUN_DIR

It is the precise arm of an end-to-end study; its records are in `arms/precise` of the run's folder, so that
`kairos audit RUN_DIR` judges them again. Whoever exchanges how it is lived exchanges `live`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from experiments.arm import Job, lived
from experiments.folder import write_json
from experiments.study import Study, load_study
from experiments.study_offers import responses
from experiments.worker import Crew, Worker, work
from sigtran.transport import Kind

if TYPE_CHECKING:
    from experiments.compliance_study import Keys
    from experiments.study import LoadedStudy

__all__ = ["ARM", "live", "study_of"]

ARM: Final = "precise"
MODULE: Final = "experiments.compliance.life"


def live(
    loaded: LoadedStudy, run_dir: Path, transport: Kind, on_event: Callable[[str, Mapping[str, Any]], None]
) -> dict[str, Any]:
    """Lives through it; the arm's results, its records in `arms/precise`.

    Raises:
        RunInvalid: it did not come to its end; what was recorded until then is there.
    """
    job = {"study": str(loaded.path.resolve()), "overrides": list(loaded.overrides), "transport": transport}
    write_json(run_dir / "job.json", job)
    with Crew(on_event) as crew:
        worker = Worker("life", [MODULE, str(run_dir)], run_dir / "logs" / "life.log")
        (result,) = crew.finish(crew.start(worker))
    return result


def study_of(keys: Keys) -> Study:
    """As the arm of an end-to-end study has it."""
    return Study(
        study=keys.study,
        kind="end-to-end",
        world=keys.world,
        campaigns=keys.campaigns,
        policy=keys.policy,
        segments=keys.segments,
        seed=keys.seed,
        days=keys.days,
        tick_s=keys.tick_s,
        arms=[ARM],
        offers=[*responses(keys.offers, keys.campaigns)],
        lists=keys.lists,
        capture=None,
        live=None,
        limits=keys.limits,
    )


def main(arguments: list[str]) -> dict[str, Any]:
    """The worker's job."""
    from experiments.compliance_study import Keys

    run_dir = Path(arguments[0])
    job = json.loads((run_dir / "job.json").read_text(encoding="utf-8"))
    keys = load_study(Path(job["study"]), job["overrides"]).keys_of(Keys)
    return lived(Job(run_dir, study_of(keys), job["transport"], keys.world_settings), ARM)


if __name__ == "__main__":
    work(main)
