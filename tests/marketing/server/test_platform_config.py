"""The platform's configuration file: defaults, paths, mistakes."""

import pytest
import yaml

from marketing.config import ConfigError, PlatformConfig, load_config
from marketing.server import load_state, make_clock

FILES = {
    "people.csv": "imsi,msisdn\n001010000000001,8613900000001\n",
    "cells.csv": "lac,ci,place,kind\n1,2,airport,macro\n",
    "policy.yaml": "timezone: Asia/Shanghai\nmarketing_originators: ['1008']\n",
}
BASE = {"subscribers": "people.csv", "cells": "cells.csv", "policy": "policy.yaml", "records": {"dir": "out"}}


def write(tmp_path, **changes):
    for name, text in FILES.items():
        if not (tmp_path / name).exists():
            (tmp_path / name).write_text(text)
    path = tmp_path / "platform.yaml"
    path.write_text(yaml.safe_dump(BASE | changes))
    return path


def test_defaults_and_paths(tmp_path):
    config = load_config(write(tmp_path))
    assert (config.clock.mode, config.collector.port, config.collector.encap_port, config.workers) == (
        "wall",
        2905,
        9899,
        1,
    )
    assert config.subscribers == tmp_path / "people.csv"
    assert config.records.dir == tmp_path / "out"
    assert config.ledger.url == f"sqlite:///{tmp_path / 'ledger.db'}"
    assert load_config(write(tmp_path, http=None)).http is None


def test_every_key_is_described():
    def undescribed(schema, path=""):
        for name, inner in schema.get("properties", {}).items():
            if (
                "description" not in inner
                and "$ref" not in inner
                and name not in ("host", "port", "password")
            ):
                yield f"{path}.{name}"

    schema = PlatformConfig.model_json_schema()
    assert [k for part in (schema, *schema["$defs"].values()) for k in undescribed(part, part["title"])] == []


MISTAKES = [
    ({"clock": {"mode": "lockstep"}}, "clock", "needs the key epoch"),
    ({"collector": {"port": 70000}}, "collector.port", "at most 65535"),
    ({"polcy": "x"}, "polcy", "no such key"),
    ({"subscribers": "none.csv"}, "subscribers", "file that exists"),
    ({"smpp": {"password": "far too long"}}, "smpp.password", "at most 8"),
    ({"workers": 0}, "workers", "at least 1"),
    ({"ledger": {"url": "mysql://x"}}, "ledger.url", "begins with sqlite or postgresql"),
]


@pytest.mark.parametrize(("change", "key", "said"), MISTAKES)
def test_mistakes(tmp_path, change, key, said):
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, **change))
    (problem,) = caught.value.problems
    assert problem.key == key
    assert said in problem.expected
    assert problem.line >= 1


def test_mistakes_in_all_files_come_together(tmp_path):
    (tmp_path / "policy.yaml").write_text(
        "timezone: Asia/Shangai\nmarketing_originators: []\ncaps: {per_month: 2}\n"
    )
    (tmp_path / "cells.csv").write_text("lac\n")
    (tmp_path / "people.csv").write_text("imsi,msisdn\n1,2\n")
    (tmp_path / "c.yaml").write_text("campaign: X\n")
    with pytest.raises(ConfigError) as caught:
        load_state(load_config(write(tmp_path, campaigns=["c.yaml"])))
    files = {p.file.rsplit("/", 1)[-1] for p in caught.value.problems}
    assert files == {"policy.yaml", "cells.csv", "people.csv", "c.yaml"}
    assert {"timezone", "marketing_originators", "caps.per_month"} <= {p.key for p in caught.value.problems}


def test_lists_reach_the_book(tmp_path):
    (tmp_path / "dnd.csv").write_text(
        "msisdn,since\n8613900000001,2009-03-02T08:00:00\n8613900000001,2009-03-01T08:00:00\n5550000,\n"
    )
    (tmp_path / "policy.yaml").write_text(FILES["policy.yaml"] + "do_not_disturb: {file: dnd.csv}\n")
    state, zone = load_state(load_config(write(tmp_path)))
    assert state.book.do_not_disturb_us.tolist() == [1235865600 * 1_000_000]
    assert state.book.control_us[0] > 2**61
    assert str(zone) == "Asia/Shanghai"


@pytest.mark.parametrize(
    "epoch", ["2009-03-02T00:00:00", "2009-03-02T00:00:00+08:00", "2009-03-01T16:00:00Z"]
)
def test_the_epoch_is_local_unless_it_says_otherwise(tmp_path, epoch):
    config = load_config(
        write(tmp_path, clock={"mode": "live", "epoch": epoch, "start_s": 36000, "origin_ns": 0})
    )
    _, zone = load_state(config)
    clock = make_clock(config.clock, zone)
    assert clock.epoch_us == (1235923200 + 36000) * 1_000_000
