"""A small place for platforms to be killed in: files to start with, a tap of ladders, a live clock."""

from __future__ import annotations

import csv
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import yaml

from experiments.arm import HOST, PASSWORD, SYSTEM_ID, connect
from experiments.firewall.play import Played
from experiments.link import SignallingLink
from sigtran import MessageBatch
from sigtran.m3ua import DataMessage, encode
from sigtran.transport import Kind
from sim.bssap.procedures import Params, ladder

__all__ = ["DAY", "LiveClock", "Site", "Stimulus", "Tap", "imsi_of", "msisdn_of", "number_of"]

DAY: Final = "2009-03-02"
ZONE: Final = "Asia/Shanghai"
LAC: Final = 257
CELLS: Final = 8
STREAMS: Final = 16
EPOCH_US: Final = round(datetime.fromisoformat(DAY).replace(tzinfo=ZoneInfo(ZONE)).timestamp() * 1e6)


def imsi_of(number: int) -> str:
    """Of a subscriber by number."""
    return f"46000{number:010d}"


def msisdn_of(number: int) -> str:
    """Of a subscriber by number."""
    return f"86139{number:08d}"


def number_of(msisdn: str) -> int:
    """The subscriber of a number."""
    return int(msisdn.removeprefix("86139"))


@dataclass(frozen=True, slots=True)
class LiveClock:
    """The clock of platform and handsets: world time as a multiple of the machine's monotonic time."""

    start_s: float
    factor: float
    origin_ns: int

    def us(self, monotonic_ns: int) -> int:
        """Unix microseconds of the world."""
        shown_us = EPOCH_US + round(self.start_s * 1e6)
        return shown_us + int((monotonic_ns - self.origin_ns) * self.factor) // 1000

    def keys(self) -> dict[str, Any]:
        """The platform's configuration of it."""
        return {
            "mode": "live",
            "epoch": f"{DAY}T00:00:00",
            "start_s": self.start_s,
            "factor": self.factor,
            "origin_ns": self.origin_ns,
        }


@dataclass(slots=True)
class Site:
    """The files of one platform; `write` again changes its configuration for the next start."""

    folder: Path
    subscribers: int
    played: Played
    transport: Kind
    ledger_url: str = "sqlite:///ledger.db"

    @property
    def config(self) -> Path:
        return self.folder / "platform.yaml"

    @property
    def records(self) -> Path:
        return self.folder / "platform"

    @property
    def policy_file(self) -> Path:
        return self.folder / "policy.yaml"

    @property
    def stops_file(self) -> Path:
        """The do-not-disturb list that the audit reads; the platform learns of stops by itself."""
        return self.folder / "do_not_disturb.csv"

    def make(self) -> None:
        """Everything but the configuration."""
        self.folder.mkdir(parents=True, exist_ok=True)
        people = ["imsi,msisdn,brand,often_off,often_rejects,services,language"]
        people += [f"{imsi_of(i)},{msisdn_of(i)},gotone,true,false,,zh" for i in range(self.subscribers)]
        (self.folder / "people.csv").write_text("\n".join(people) + "\n", encoding="utf-8")
        cells = ["lac,ci,place,kind", *(f"{LAC},{ci},,macro" for ci in range(1, CELLS + 1))]
        (self.folder / "cells.csv").write_text("\n".join(cells) + "\n", encoding="utf-8")
        self.write_stops([])
        policy = dict(self.played.policy)
        for name, content in self.played.files.items():
            (self.folder / name).write_bytes(content)
        told = {**policy, "do_not_disturb": {"file": None}}
        (self.folder / "told.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")
        judged = {**policy, "do_not_disturb": {"file": self.stops_file.name}}
        self.policy_file.write_text(yaml.safe_dump(judged), encoding="utf-8")
        for name, values in self.played.campaigns.items():
            path = self.folder / f"{name}.yaml"
            path.write_text(yaml.safe_dump(dict(values), allow_unicode=True), encoding="utf-8")

    def write(self, clock: Mapping[str, Any], smpp_port: int, boss_url: str, **more: Any) -> None:
        """The configuration."""
        values = {
            "clock": dict(clock),
            "collector": {
                "transport": self.transport, "host": HOST, "port": 0, "encap_port": 0, "streams": STREAMS,
            },
            "smpp": {"host": HOST, "port": smpp_port, "system_id": SYSTEM_ID, "password": PASSWORD},
            "boss": {"url": boss_url, "timeout_s": 1.0},
            "http": None,
            "subscribers": "people.csv",
            "cells": "cells.csv",
            "campaigns": [f"{name}.yaml" for name in self.played.campaigns],
            "policy": "told.yaml",
            "ledger": {"url": self.ledger_url},
            "records": {"dir": self.records.name, "flush_s": 0.05},
            "state": {"dir": "state", "every_s": 30.0},
            **more,
        }  # fmt: skip
        self.config.write_text(yaml.safe_dump(values), encoding="utf-8")

    def write_stops(self, stops: Sequence[tuple[str, int]]) -> None:
        """Stop codes, each from when the platform had confirmed it."""
        zone = ZoneInfo(self.played.policy["timezone"])
        with self.stops_file.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("msisdn", "since"))
            for msisdn, t_us in stops:
                local = datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC")) + timedelta(microseconds=t_us)
                writer.writerow((msisdn, local.astimezone(zone).replace(tzinfo=None).isoformat()))


@dataclass(frozen=True, slots=True)
class Stimulus:
    """One act that completes the scenes of some campaigns."""

    kind: str
    """power_on, or the number that is called."""
    subscriber: int
    corr: tuple[int, int]
    """Correlation ids of its first and last message: one of them completes the scene."""
    sent_ns: int
    """Monotonic."""


class Tap:
    """The signalling of one place. It outlives platforms: references and correlation ids go on."""

    def __init__(self) -> None:
        self.stimuli: list[Stimulus] = []
        self._sent = 0
        self._references = 1
        self._link: SignallingLink | None = None

    def bring_up(self, ready: Mapping[str, Any]) -> None:
        """An association to a platform that has said where it listens. RunInvalid where there is none."""
        self._link = SignallingLink(connect(dict(ready), STREAMS))
        self._link.bring_up()

    def drop(self) -> None:
        """Closes the association, whoever is at its other end."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def play(self, kind: str, subscriber: int) -> None:
        """All messages of an act at once."""
        assert self._link is not None  # bring_up comes first
        self._references = self._references % 60_000 + 1
        params = Params(
            imsi=imsi_of(subscriber),
            tmsi=None,
            new_tmsi=subscriber + 1,
            identity="imsi",
            called="10086" if kind == "power_on" else kind,
            lac=LAC,
            ci=1 + subscriber % CELLS,
            bss_ref=self._references,
            msc_ref=self._references + 100_000,
        )
        steps = ladder("lu_attach" if kind == "power_on" else "mo_call_answered", params)
        out = []
        first = self._sent + 1
        for step in steps:
            self._sent += 1
            opc, dpc = (257, 1) if step.uplink else (1, 257)
            sls = self._references % 16
            out.append(encode(DataMessage(opc, dpc, 3, 2, sls, step.payload, correlation_id=self._sent)))
        stream = 1 + self._references % 16 % (self._link.association.streams - 1)
        self._link.association.send(MessageBatch.from_messages(out, stream))
        self.stimuli.append(Stimulus(kind, subscriber, (first, self._sent), time.monotonic_ns()))
