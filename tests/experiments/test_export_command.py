"""`kairos export`: tables for BI with described columns; hashed numbers are the same in all of them."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from experiments.cli import cli
from experiments.export import Hasher
from marketing.behaviours import CODES
from reports.records import write

N = 30
T0 = 1_200_000_000_000_000
KEY = b"a secret of more than sixteen octets"
ACTS = [
    # second, subscriber (-1: not in the extract), kind, role, cell, peer, duration, detail
    (0, 0, "power_on", 0, (1, 2), "", 0, 0),
    (60, 0, "call_started", 1, (1, 2), "8613900000001", 0, 0),
    (61, 1, "call_started", 2, (1, 3), "8613900000000", 0, 0),
    (90, 0, "call_ended", 1, (1, 2), "8613900000001", 30_000_000, 0),
    (120, 0, "handset_seen", 0, (1, 2), "", 0, 350000031234567),
    (200, 2, "call_started", 1, (1, 3), "10086", 0, 0),
    (300, -1, "power_off", 0, (1, 3), "", 0, 0),
]


def imsi(i):
    return 1010000000000 + i if i >= 0 else 999990000000000


@pytest.fixture
def run_dir(tmp_path):
    arm = tmp_path / "run" / "arms" / "precise"
    arm.mkdir(parents=True)
    pq.write_table(
        pa.table(
            {
                "imsi": [f"{imsi(i):015d}" for i in range(N)],
                "msisdn": [str(8613900000000 + i) for i in range(N)],
                "age": pa.array([None if i == 3 else 20 + i for i in range(N)], pa.uint8()),
                "services": [["mms"] if i % 2 else [] for i in range(N)],
                "points": list(range(N)),
            }
        ),
        arm / "extract.parquet",
    )
    (arm / "cells.csv").write_text("lac,ci,place,kind\n1,2,mall,mall\n1,3,,macro\n")
    (arm / "policy.yaml").write_text(
        yaml.safe_dump({"timezone": "Asia/Shanghai", "marketing_originators": ["100860"]})
    )
    config = {
        "subscribers": "extract.parquet", "cells": "cells.csv", "policy": "policy.yaml",
        "records": {"dir": "platform"},
    }  # fmt: skip
    (arm / "platform.yaml").write_text(yaml.safe_dump(config))
    columns = {
        "t_us": [T0 + a[0] * 1_000_000 for a in ACTS], "imsi": np.array([imsi(a[1]) for a in ACTS]),
        "kind": [CODES[a[2]] for a in ACTS], "role": [a[3] for a in ACTS], "lac": [a[4][0] for a in ACTS],
        "ci": [a[4][1] for a in ACTS], "peer": [a[5] for a in ACTS], "cause": [0] * len(ACTS),
        "duration_us": [a[6] for a in ACTS], "detail": np.array([a[7] for a in ACTS], np.uint64),
        "corr": list(range(1, len(ACTS) + 1)),
    }  # fmt: skip
    write(arm / "behaviours.parquet", "behaviours", columns)
    return tmp_path / "run"


def kairos(*arguments, code=0):
    result = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_what_bi_gets(run_dir, tmp_path):
    out = tmp_path / "bi"
    said = kairos("export", run_dir, "--out", out)
    assert f"profiles.parquet: {N} rows" in said
    profiles = pq.read_table(out / "profiles.parquet").to_pydict()
    assert profiles["msisdn"][5] == "8613900000005"
    assert profiles["imsi"][5] == f"{imsi(5):015d}"
    assert profiles["age"][:5] == [20, 21, 22, None, 24]
    assert profiles["services"][:2] == [[], ["mms"]]
    assert profiles["points"] == list(range(N))
    acts = pq.read_table(out / "behaviours.parquet").to_pydict()
    assert acts["behaviour"] == [a[2] for a in ACTS]
    assert acts["role"] == [("", "caller", "callee")[a[3]] for a in ACTS]
    assert acts["place"] == ["mall" if a[4] == (1, 2) else None for a in ACTS]
    assert acts["msisdn"][0] == "8613900000000"
    assert acts["msisdn"][-1] is None
    assert acts["duration_s"][3] == 30.0
    assert acts["detail"][4] == 350000031234567
    features = pq.read_table(out / "features.parquet").to_pydict()
    assert features["now_place"][:3] == ["mall", None, None]
    assert features["now_on"][0] is True
    assert features["now_dwell_s"][0] == 300.0
    assert features["last_call_s"][0] is not None
    assert features["last_call_s"][4] is None
    assert {str(t) for t in features["as_of"]} == {str(acts["time"][-1])}
    for name in ("profiles", "features", "behaviours"):
        schema = pq.read_schema(out / f"{name}.parquet")
        assert schema.metadata[b"schema"] == b"kairos.export/1"
        page = (out / "README.md").read_text()
        for field in schema:
            assert field.metadata[b"doc"]
            assert f"| `{field.name}` |" in page


def test_hashed_numbers_are_the_same_everywhere_and_cannot_be_found_without_the_key(run_dir, tmp_path):
    key, other = tmp_path / "key", tmp_path / "other"
    key.write_bytes(KEY + b"\n")
    other.write_bytes(KEY + b"!")
    kairos("export", run_dir, "--out", tmp_path / "a", "--hash-msisdn", key)
    kairos("export", run_dir, "--out", tmp_path / "b", "--hash-msisdn", key)
    kairos("export", run_dir, "--out", tmp_path / "c", "--hash-msisdn", other)
    for name in ("profiles", "features", "behaviours"):
        files = [(tmp_path / d / f"{name}.parquet").read_bytes() for d in "abc"]
        assert files[0] == files[1] != files[2]
        text = b"".join(str(pq.read_table(tmp_path / "a" / f"{name}.parquet").to_pydict()).encode().split())
        for i in range(N):
            assert str(8613900000000 + i).encode() not in text
            assert f"{imsi(i):015d}".encode() not in text
        assert b"350000031234567" not in text  # nor the handset
    profiles, acts = (
        pq.read_table(tmp_path / "a" / f"{n}.parquet").to_pydict() for n in ("profiles", "behaviours")
    )
    assert len(set(profiles["msisdn"])) == N
    assert acts["msisdn"][0] == profiles["msisdn"][0]
    assert acts["peer"][1] == profiles["msisdn"][1]  # the other side, who is a subscriber too
    assert acts["peer"][5] == "10086"
    assert profiles["msisdn"][0] == hashlib.blake2b(
        b"8613900000000", key=KEY, person=b"msisdn".ljust(16, b"\0"), digest_size=16
    ).hexdigest()  # fmt: skip
    assert Hasher(KEY).text("imsi", "1") != Hasher(KEY).text("msisdn", "1")


@pytest.mark.parametrize(
    ("key", "said"), [(b"short", "at least 16 octets"), (b"", "at least 16 octets"), (None, "cannot be read")]
)
def test_keys_that_are_none(run_dir, tmp_path, key, said):
    path = tmp_path / "key"
    if key is not None:
        path.write_bytes(key)
    assert said in kairos("export", run_dir, "--out", tmp_path / "o", "--hash-msisdn", path, code=2)
    assert not (tmp_path / "o").exists()


def test_mistakes_are_explained(run_dir, tmp_path):
    assert "expected one of precise" in kairos(
        "export", run_dir, "--out", tmp_path / "o", "--arm", "x", code=2
    )
    assert "not the folder of a run" in kairos("export", tmp_path, "--out", tmp_path / "o", code=2)
    (tmp_path / "file").write_text("")
    assert "cannot be written" in kairos("export", run_dir, "--out", tmp_path / "file" / "o", code=2)
    path = run_dir / "arms" / "precise" / "behaviours.parquet"
    path.write_bytes(path.read_bytes()[:-30])
    assert "cannot be read as a table of behaviours" in kairos(
        "export", run_dir, "--out", tmp_path / "o", code=2
    )
    (run_dir / "arms" / "precise" / "cells.csv").unlink()
    assert "cells" in kairos("export", run_dir, "--out", tmp_path / "o", code=2)
