"""How long an import takes and what it needs, in the demo's columns, each measure in a process of its own.

    python -m experiments.bench.imports 1000000 5000000 [--json FILE]

For each number of rows and kind of file: seconds of processor time to read and check, to put in force and to
load as a platform does, the highest memory on top of the libraries, octets of columns a subscriber.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from experiments.folder import machine
from marketing.profiles import Profiles, load_segments
from marketing.profiles.loading import Loaded, read_extract, reading
from marketing.profiles.store import Store, told_at_start
from sim.subscribers.segments import BRANDS, SEGMENTS
from sim.subscribers.terminals import TERMINALS
from sim.subscribers.traits import ARPU_BANDS, CONTENTS, SERVICES, TARIFFS

__all__ = ["main", "people"]

SEGMENT_TABLE: Final = Path("scenarios/audiences/segments.yaml")
_FAR: Final = 198_491_317
"""Odd, and no factor of 10**9: IMSIs are spread over a range and in no order, all different."""


def people(n: int) -> pa.Table:
    """So many subscribers with the demo's columns; lists joined by ; as in CSV."""
    rng = np.random.default_rng(1)

    def words(some: list[str]) -> pa.Array:
        return pa.array(some).take(pa.array(rng.integers(0, len(some), n)))

    index = np.arange(n, dtype=np.int64)
    likes = [";".join(rng.choice(CONTENTS, 4, replace=False)) for _ in range(3000)]
    held = [";".join(s for bit, s in enumerate(SERVICES) if mask >> bit & 1) for mask in range(128)]
    imsi = pa.array(1_010_000_000_000 + index * _FAR % 10**9).cast(pa.string())
    return pa.table(
        {
            "imsi": pc.utf8_lpad(imsi, 15, "0"),
            "msisdn": pa.array(8_613_900_000_000 + index * 7_919 % 10**9).cast(pa.string()),
            "brand": words(list(BRANDS)),
            "often_off": pa.array(rng.random(n) < 0.1),
            "often_rejects": pa.array(rng.random(n) < 0.08),
            "services": words(held),
            "language": words(["zh", "en"]),
            "tariff": words([t.name for t in TARIFFS]),
            "arpu_band": words([name for _, name in ARPU_BANDS]),
            "arpu": pa.array(rng.integers(20, 900, n)),
            "bundle_minutes": pa.array(rng.integers(0, 1000, n)),
            "age": pa.array(rng.integers(15, 80, n)),
            "city": words([f"city-{i}" for i in range(5)]),
            "segment": words([s.name for s in SEGMENTS]),
            "interests": words(likes),
            "terminal": words([t.name for t in TERMINALS]),
        }
    )


def _write(n: int, folder: Path) -> dict[str, Path]:
    table = people(n)
    paths = {"csv": folder / f"{n}.csv", "parquet": folder / f"{n}.parquet"}
    pacsv.write_csv(table, paths["csv"], pacsv.WriteOptions(quoting_style="none"))
    for name in ("services", "interests"):
        split = pc.split_pattern(table[name].combine_chunks(), ";")
        table = table.set_column(table.column_names.index(name), name, split)
    pq.write_table(table, paths["parquet"], compression="zstd")
    return paths


def _peak_mb() -> int:
    """Highest resident memory of this process since it began; `getrusage` counts that of its parent too."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM"))


def _measure(path: Path) -> dict[str, Any]:
    """In a fresh process: reading alone, then an import into a store and its loading."""
    found: dict[str, Any] = {}
    base_mb = _peak_mb()

    def timed(name: str, work: Any) -> Any:
        begun = time.process_time()
        done = work()
        found[f"{name}_s"] = round(time.process_time() - begun, 2)
        return done

    profiles = timed("read", lambda: reading(path, lambda file: read_extract(file, Loaded())))
    found["peak_mb"] = _peak_mb() - base_mb
    found["octets_each"] = round(profiles.nbytes / len(profiles), 1)
    rng = np.random.default_rng(2)
    wanted = profiles.imsi[rng.integers(0, len(profiles), 1_000_000)]
    timed("find_million", partial(profiles.rows, wanted))
    rows = profiles.rows_by_msisdn(profiles.msisdn[:100_000])
    assert np.array_equal(rows, np.arange(len(rows))), "every number has its row"
    del profiles
    empty = Profiles.made(np.zeros(0, np.uint64), np.zeros(0, np.uint64), {})
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        store = Store(Path(folder), "Asia/Shanghai")
        timed("import", lambda: store.take("profiles", path))
        table = load_segments(SEGMENT_TABLE)[0]
        told = timed("load", lambda: store.load(told_at_start(empty, {}, table)))
        found["octets_with_segments"] = round(told.profiles.nbytes / len(told.profiles), 1)
        moved = told.profiles.mapping(told.profiles)
        timed("permute_250_octets", lambda: moved.permute(np.zeros((len(told.profiles), 250), np.uint8), 0))
    return found


def main(arguments: list[str]) -> None:
    """The command."""
    if arguments[:1] == ["--one"]:
        print(json.dumps(_measure(Path(arguments[1]))))  # noqa: T201 - read by the process that started this one
        return
    out = Path(arguments[arguments.index("--json") + 1]) if "--json" in arguments else None
    counts = [int(word) for word in arguments if word.isdigit()]
    results = []
    with tempfile.TemporaryDirectory(prefix="kairos-imports-") as name:
        for n in counts:
            for kind, path in _write(n, Path(name)).items():
                command = [sys.executable, "-m", "experiments.bench.imports", "--one", str(path)]
                said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                results.append(
                    {"rows": n, "kind": kind, "file_mb": path.stat().st_size >> 20} | json.loads(said)
                )
                print(" ".join(f"{key}={value}" for key, value in results[-1].items()), flush=True)  # noqa: T201 - the command's answer
    if out is not None:
        out.write_text(
            json.dumps({"machine": machine(), "results": results}, indent=2) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
