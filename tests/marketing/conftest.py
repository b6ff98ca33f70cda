"""What the engine's tests share: a few subscribers, behaviours by hand, policy and campaigns."""

import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from marketing.behaviours import CODES, BehaviourBatch, empty
from marketing.campaigns import Campaign
from marketing.contact import Book, Policy, PolicyFile
from marketing.engine import EngineState, new_state
from marketing.profiles import Places, Profiles

SHANGHAI = ZoneInfo("Asia/Shanghai")
SCENARIOS = Path(__file__).parents[2] / "scenarios"
AIRPORT, HOME = (0x1111, 7), (0x2222, 9)


def at(text: str, zone: ZoneInfo = SHANGHAI) -> int:
    """Unix us of a local time such as `2009-03-02 20:59:59.5`."""
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1e6)


def imsi(sub: int) -> int:
    return 1010000000000 + sub


def msisdn(sub: int) -> str:
    return str(8613900000000 + sub)


def batch(*rows: dict[str, Any]) -> BehaviourBatch:
    """Rows of t (us or local time), sub, kind and whatever else."""
    made = empty(len(rows))
    for row, values in zip(made, rows, strict=True):
        t = values["t"]
        row["t_us"] = at(t) if isinstance(t, str) else t
        row["imsi"] = values.get("imsi", imsi(values.get("sub", 0)))
        row["kind"] = CODES[values["kind"]]
        row["lac"], row["ci"] = values.get("cell", HOME)
        for name in ("role", "peer", "cause", "duration_us", "corr", "received_ns", "decoded_ns"):
            row[name] = values.get(name, row[name])
    return made


def profiles(n: int = 10, **columns: Sequence[Any]) -> Profiles:
    base: dict[str, Sequence[Any]] = {
        "imsi": [f"{imsi(i):015d}" for i in range(n)],
        "msisdn": [msisdn(i) for i in range(n)],
        "brand": ["gotone"] * n,
        "language": ["zh"] * n,
        "often_off": [True] * n,
        "often_rejects": [False] * n,
        "services": [[]] * n,
    }
    return Profiles.of(base | columns)


def places() -> Places:
    return Places.from_rows([(*AIRPORT, "airport"), (*HOME, ""), (0x1111, 8, "airport"), (0x3333, 1, "mall")])


def policy_file(**changes: Any) -> PolicyFile:
    values: dict[str, Any] = {
        "timezone": "Asia/Shanghai",
        "caps": {"per_calendar_month": 2},
        "quiet_hours": {"from": "21:00", "to": "09:00", "then": "hold"},
        "marketing_originators": ["100860"],
    }
    return PolicyFile.model_validate(values | changes)


def campaign(name: str = "alert", **changes: Any) -> Campaign:
    values: dict[str, Any] = {
        "campaign": name,
        "title": name,
        "scene": {"begin": {"behaviour": "power_on"}},
        "offer": name,
        "content": {"zh": "你好", "en": "hello"},
        "originator": "1008601",
        "reply": {"order": ["1"], "stop": ["TD"]},
        "hold": "release",
    }
    return Campaign.model_validate(values | changes)


def dwell(name: str = "travel", at_least_s: float = 2700, **changes: Any) -> Campaign:
    scene = {"begin": {"dwell": {"place": "airport", "at_least_s": at_least_s}}}
    return campaign(name, scene=scene, originator="1008602", **changes)


def engine_state(*campaigns: Campaign, people: Profiles | None = None, **policy: Any) -> EngineState:
    people = people if people is not None else profiles()
    return new_state(people, places(), campaigns, Policy.of(policy_file(**policy)), Book.empty(len(people)))


@pytest.fixture
def town() -> SimpleNamespace:
    """The helpers above; test folders are no packages, so they come by fixture."""
    names: dict[str, Callable[..., Any]] = {
        f.__name__: f
        for f in (at, imsi, msisdn, batch, profiles, places, policy_file, campaign, dwell, engine_state)
    }
    return SimpleNamespace(**names, AIRPORT=AIRPORT, HOME=HOME, SCENARIOS=SCENARIOS, SHANGHAI=SHANGHAI, np=np)


def _beside(name: str) -> ModuleType:
    """A file beside this one as a module: what test folders share without being packages."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def wire() -> ModuleType:
    """`wire_helpers.py`."""
    return _beside("wire_helpers")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A running PostgreSQL server; skips where the server or its driver is absent."""
    helper = _beside("postgres_server")
    if reason := helper.lacking():
        pytest.skip(reason)
    server = helper.Postgres()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/l.db"
    return str(request.getfixturevalue("postgres").database())
