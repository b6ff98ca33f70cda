"""The table of confirmations: for each message type, who but us has confirmed its octets.

kairos judge --judge tshark --judge pycrate --count 20000 --json verdicts.json
python -m experiments.judge.page collect verdicts.json tests/judges/confirmed.json
python -m experiments.judge.page page tests/judges/confirmed.json > sim/bssap/MESSAGES.md
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from experiments.judge.contents import BSSMAP_CONTENTS, contents_of
from experiments.judge.excuses import EXCUSES
from experiments.judge.fields import NOT_OURS
from experiments.judge.kinds import KINDS, kinds_of
from experiments.judge.pycrate import EXCUSES as PYCRATE_EXCUSES
from experiments.judge.vectors import (
    DISPUTED,
    NOT_CANONICAL,
    REASONS,
    REFUSED,
    corpus,
    judge_vectors,
    read,
)
from sim.bssap import dtap
from sim.bssap.bssmap_elements import ELEMENTS
from sim.m3ua_view import view_m3ua

__all__ = ["PEER", "PEER_FILE", "collect", "markdown", "peer_list", "unconfirmed"]

Confirmed = Mapping[str, Any]

PEER: Final = "osmo-msc"
PEER_FILE: Final = Path("tests/integration/osmo/exchange.jsonl")
"""What passed between our network side and a real MSC: an object a line, with `direction` and `hex`."""
_DECODERS: Final = ("tshark", "pycrate")


def collect(verdicts: list[dict[str, Any]], root: Path) -> dict[str, Any]:
    """What `kairos judge --json` left and what the field vectors say, cut down to what the page shows."""
    found: dict[str, Any] = {
        verdict["judge"]: {
            "version": verdict["version"],
            "seed": verdict["seed"],
            "messages": verdict["messages"],
            "complaints": len(verdict["complaints"]),
            "confirmed": sorted(verdict["confirmed"]),
            "excused": sorted(verdict["excused"]),
            "elements": sorted({key.split(": ", 1)[1] for key in verdict["elements"]}),
        }
        for verdict in verdicts
    }
    path = corpus(root)
    if path is not None:
        vectors = judge_vectors(read(path))
        found["vectors"] = {
            "vectors": vectors.vectors,
            "compared": vectors.compared.total(),
            "left_out": vectors.left_out.total(),
            "confirmed": dict(sorted(vectors.confirmed.items())),
        }
    return found


def _by(confirmed: Confirmed, peer: tuple[str, ...], kind: str) -> tuple[int, list[str]]:
    """(number of vectors, others who confirmed it)."""
    vectors = len(confirmed["vectors"]["confirmed"].get(kind, ()))
    others = [judge for judge in _DECODERS if kind in confirmed[judge]["confirmed"]]
    return vectors, others + [PEER] * (kind in peer)


def unconfirmed(confirmed: Confirmed, peer: tuple[str, ...] = ()) -> list[str]:
    """Message types that nobody has confirmed."""
    kinds = [f"{protocol}: {name}" for protocol, names in KINDS.items() for name in names]
    return [kind for kind in kinds if not any(_by(confirmed, peer, kind))]


def _table(confirmed: Confirmed, peer: tuple[str, ...], protocol: str) -> Iterator[str]:
    yield f"### {protocol}\n"
    yield f"| message | vectors | {' | '.join((*_DECODERS, PEER))} |"
    yield "| --- | ---: |" + " :---: |" * (len(_DECODERS) + 1)
    for name in KINDS[protocol]:
        vectors, others = _by(confirmed, peer, f"{protocol}: {name}")
        marks = ["✓" if judge in others else "" for judge in (*_DECODERS, PEER)]
        yield f"| {name} | {vectors or ''} | {' | '.join(marks)} |"
    yield ""


def _elements(confirmed: Confirmed) -> Iterator[str]:
    """How many elements the first judge has seen, and which it has not."""
    seen = set(confirmed["tshark"]["elements"])
    bssmap = [element.name for element in ELEMENTS]
    layer_3 = {
        element.name
        for row in dtap.PROTOCOLS
        for kind in row.messages
        for element in (*kind.mandatory, *kind.optional)
    }  # fmt: skip
    carried = {element for name in BSSMAP_CONTENTS for element, _ in contents_of(name)}
    yield (
        f"tshark has met {len(seen & set(bssmap))} of {len(bssmap)} BSSMAP elements and "
        f"{len(seen & layer_3)} of {len(layer_3)} layer 3 elements in messages that it confirmed. Not met:"
    )
    yield ""
    for name in bssmap:
        if name not in seen:
            why = (
                "in a message that tshark breaks off or does not read"
                if name in carried
                else "in no message here"
            )
            yield f"- {name}: {why}"
    yield from (f"- {name}" for name in sorted(layer_3 - seen))
    yield ""


def _exceptions() -> Iterator[str]:
    yield "| Wireshark | why its word is not taken |\n| --- | --- |"
    yield from (f"| {excuse.name} | {excuse.why} |" for excuse in EXCUSES)
    yield "\n| pycrate |\n| --- |"
    yield from (f"| {why} |" for why in PYCRATE_EXCUSES)
    yield "\n| vector | held to be wrong, or not written back as it came |\n| --- | --- |"
    yield from (f"| {number} | refused: {why} |" for number, (_, why) in REFUSED.items())
    yield f"| disputed | refused: {DISPUTED[1]} |"
    yield from (f"| {number} | {field}: {why} |" for (number, field), why in REASONS.items())
    yield from (f"| {number} | {why} |" for number, why in sorted(NOT_CANONICAL.items()))
    yield "\n| expected field of a vector | why no key is compared with it |\n| --- | --- |"
    yield from (f"| {field} | {why} |" for field, why in NOT_OURS.items())
    yield ""


_HEAD: Final = """\
# Who confirms the octets

Made by `python -m experiments.judge.page page tests/judges/confirmed.json > sim/bssap/MESSAGES.md`.
Ask the judges yourself, with other messages:

```sh
kairos judge --judge tshark --count 200000 --seed 7
```

A decoder confirms a message type when it names a message of ours as we do, finds nothing malformed and has no
complaint, and agrees on every field that both know; a vector, when it decodes and its expected values agree;
osmo-msc, when it sent such a message to us (`tests/integration/osmo`) and it decodes.
"""


def markdown(confirmed: Confirmed, peer: tuple[str, ...] = ()) -> str:
    """The page."""
    vectors = confirmed["vectors"]
    out = [_HEAD]
    out += [
        "| judge | version | messages | complaints | message types confirmed |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for judge in _DECODERS:
        row = confirmed[judge]
        out.append(
            f"| {judge} | {row['version']} | {row['messages']} | {row['complaints']} | "
            f"{len(row['confirmed'])} |"
        )
    out.append(f"| field vectors | | {vectors['vectors']} | 0 | {len(vectors['confirmed'])} |")
    out += [
        "",
        f"Of the vectors' expected values {vectors['compared']} are compared and {vectors['left_out']} are "
        "not (below, or because the vector is to be refused, or about the frame put around it).",
        "",
        "## Message types",
        "",
    ]
    for protocol in KINDS:
        out += _table(confirmed, peer, protocol)
    out += ["## Elements", "", *_elements(confirmed), "## Where a judge is not believed", "", *_exceptions()]
    return "\n".join(out)


def peer_list(root: Path) -> tuple[str, ...]:
    """The message types that the real MSC sent and that decode: its octets, not ours."""
    path = root / PEER_FILE
    if not path.is_file():
        return ()
    kinds: set[str] = set()
    for row in map(json.loads, path.read_text().splitlines()):
        # What does not decode confirms nothing; the test with the MSC says what it is.
        if row["direction"] == "received":
            with contextlib.suppress(ValueError):
                shown = view_m3ua(bytes.fromhex(row["hex"]))
                kinds.update(f"{protocol}: {name}" for protocol, name in kinds_of(shown))
    return tuple(sorted(kinds))


def main(arguments: list[str]) -> None:
    """`collect VERDICTS CONFIRMED`, or `page CONFIRMED` to standard output."""
    root = Path.cwd()
    if arguments[0] == "collect":
        found = collect(json.loads(Path(arguments[1]).read_text()), root)
        Path(arguments[2]).write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(markdown(json.loads(Path(arguments[1]).read_text()), peer_list(root)))


if __name__ == "__main__":
    main(sys.argv[1:])
