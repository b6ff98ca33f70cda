"""What several engines know, put together as if one engine had it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["merge_captures"]

Captured = Mapping[str, NDArray[Any]]


def merge_captures(parts: Sequence[Captured]) -> dict[str, NDArray[Any]]:
    """Captures of engines that share out the subscribers, each with the crowds of its own people.

    See `marketing.engine.snapshot`.
    """
    imsi = np.concatenate([part["imsi"] for part in parts])
    order = np.argsort(imsi, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    ends = np.cumsum([len(part["imsi"]) for part in parts])
    rows = np.split(place, ends[:-1])
    found: dict[str, NDArray[Any]] = {
        "plain": _plain([json.loads(part["plain"].tobytes()) for part in parts], rows),
        "imsi": imsi[order],
        "cells": parts[0]["cells"],
        "crowd": np.asarray(np.sum([part["crowd"] for part in parts], axis=0, dtype=np.int32)),
    }
    for name in ("habits", "line_s", "presence"):
        found[name] = np.concatenate([part[name] for part in parts])[order]
    corr = np.concatenate([part["stay_corr"] for part in parts])
    found["stay_corr"] = corr[order] if len(corr) == len(order) else corr[:0]
    return found | _rules(parts, rows)


def _rules(parts: Sequence[Captured], rows: Sequence[NDArray[np.int64]]) -> dict[str, NDArray[Any]]:
    """Live partial matches; all engines have the same patterns."""
    found = {name: parts[0][name] for name in parts[0] if name.startswith("rules.")}
    for name in ("state", "count", "since_us", "entered_us", "ring_us", "pattern"):
        found[f"rules.{name}"] = np.concatenate([part[f"rules.{name}"] for part in parts])
    live = [of[part["rules.row"]] for part, of in zip(parts, rows, strict=True)]
    found["rules.row"] = np.concatenate(live).astype(np.uint32)
    found["rules.horizon_us"] = np.array(max(int(part["rules.horizon_us"]) for part in parts))
    found["rules.refused"] = np.array(sum(int(part["rules.refused"]) for part in parts))
    return found


def _plain(parts: Sequence[dict[str, Any]], rows: Sequence[NDArray[np.int64]]) -> NDArray[np.uint8]:
    latest_us = max(part["lately"][0] for part in parts)
    ids = {one for part in parts if part["lately"][0] == latest_us for one in part["lately"][1]}
    held, timers, following = [], [], []
    for part, of in zip(parts, rows, strict=True):
        held += [one | {"row": int(of[one["row"]])} for one in part["held"]]
        timers += [one | {"row": int(of[one["row"]])} for one in part["timers"]]
        following += [[int(of[row]), waiting] for row, waiting in part["following"]]
    plain = parts[0] | {
        "reached_us": max(part["reached_us"] for part in parts),
        "published_us": max(part["published_us"] for part in parts),
        "unknown_imsi": sum(part["unknown_imsi"] for part in parts),
        "releases": max(part["releases"] for part in parts),
        "lately": [latest_us, sorted(ids)],
        "held": sorted(held, key=lambda one: (one["row"], one["campaign"])),
        "timers": sorted(timers, key=lambda one: tuple(one.values())),
        "following": sorted(following),
    }
    return np.frombuffer(json.dumps(plain).encode(), dtype=np.uint8)
