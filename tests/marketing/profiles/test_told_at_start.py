"""What a configuration tells at the start: lists, segments, what was imported before."""

from pathlib import Path

import pytest

from marketing.config import ConfigError, PlatformConfig
from marketing.profiles.store import Store
from marketing.profiles.telling import told_by

SEGMENTS = Path(__file__).parents[3] / "scenarios" / "audiences" / "segments.yaml"
PEOPLE = (
    "imsi,msisdn,segment\n001010000000001,8613900000001,students\n001010000000002,8613900000002,nobodies\n"
)


def config(folder: Path, **keys) -> PlatformConfig:
    (folder / "people.csv").write_text(PEOPLE)
    for name in ("cells.csv", "policy.yaml"):
        (folder / name).write_text("")
    values = {
        "subscribers": "people.csv",
        "cells": "cells.csv",
        "policy": "policy.yaml",
        "records": {"dir": "r"},
    }
    return PlatformConfig.model_validate(values | keys, context={"folder": folder})


def test_lists_segments_and_what_was_imported_before(tmp_path, caplog):
    (tmp_path / "vip.csv").write_text("msisdn\n8613900000002\n")
    one = config(
        tmp_path, lists={"vip": "vip.csv"}, segments=str(SEGMENTS), imports={"dir": "store"}
    )  # fmt: skip
    told = told_by(one, "UTC")
    assert told.profiles.on_list("vip").tolist() == [False, True]
    assert told.profiles.column("packages").has("campus-fun").tolist() == [True, False]
    assert "a segment of the extract" in caplog.text  # said, no obstacle: nobody here is a farmer
    (tmp_path / "new.csv").write_text(PEOPLE.replace("nobodies", "farmers"))
    Store(tmp_path / "store", "UTC").take("profiles", tmp_path / "new.csv")
    told = told_by(one, "UTC")
    assert told.manifest.generation == 1
    assert told.profiles.column("packages").has("farm-post").tolist() == [False, True]
    assert told.profiles.on_list("vip").tolist() == [False, True]
    (tmp_path / "store" / "current.json").write_text("{")
    with pytest.raises(ConfigError, match=r"imports\.dir"):
        told_by(one, "UTC")
