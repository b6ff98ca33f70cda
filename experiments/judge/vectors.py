"""Field vectors as a judge: what other projects' tests and captures contain, with Wireshark's word on it."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from experiments.judge.fields import BY_FIELD, NOT_OURS, Disagreement, compare
from experiments.judge.kinds import kinds_of
from sim.bssap import view
from sim.m3ua_view import view_m3ua

__all__ = [
    "DISPUTED",
    "NOT_CANONICAL",
    "REASONS",
    "REFUSED",
    "VectorVerdict",
    "corpus",
    "disagreements",
    "judge_vectors",
    "read",
]

#: Why an expected value is not compared, besides `NOT_OURS`.
WRAPPED: Final = "of a frame put around the vector for Wireshark, or of an inner element that no key shows"
UNDECODED: Final = "the vector is expected to be refused, and is"
#: Vectors whose expected value is held to be wrong: (id, field) -> why, with the clause.
REASONS: Final[dict[tuple[int, str], str]] = {
    (
        number,
        "gsm_sms.sms_text",
    ): "TS 23.040 9.2.3.24.1: the text of the last part; Wireshark shows all parts joined"
    for number in (393, 402)
}
#: Vectors that are expected to decode and are refused: id -> (what the refusal says, why, with the clause).
REFUSED: Final[dict[int, tuple[str, str]]] = {
    303: (
        "length 7 in a message of 8 octets",
        "RFC 4666 3.1.4: the length counts the common header of 8 octets",
    ),
    304: ("length 9 in a message of 8 octets", "RFC 4666 3.1.4: no message is shorter than its length"),
}
#: Disputed vectors: what the refusal says, and why.
DISPUTED: Final[tuple[str, str]] = (
    "HANDOVER (COMPLETE|FAILURE)",
    "TS 48.008 3.2.2.22: the RR cause is one octet without a length; what follows 15 01 is no element",
)
_L = "M3UA, RFC 4666 3.1.4, 3.2: the final padding is not counted in the length, or is not zero"
_T = "TMSI with the odd indicator set: TS 24.008 10.5.1.4 wants 0"
_P = "pointer to an empty optional part: Q.713 2.3 wants a null pointer"
#: Vectors that decode and are not written back as they came: id -> why ours is the canonical form.
NOT_CANONICAL: Final[dict[int, str]] = {
    105: _T, 112: _T, 128: _T,
    116: "TMSI with zeros in bits 8-5: TS 24.008 10.5.1.4 wants 1111",
    123: "IMSI of 15 digits with the indicator of an even number: TS 24.008 10.5.1.4",
    138: _P, 148: _P, 149: _P, 153: _P, 154: _P,
    300: _L, 301: _L, 349: _L, 350: _L, 351: _L, 352: _L,
}  # fmt: skip


@dataclass(slots=True)
class VectorVerdict:
    """What the vectors say of the codec."""

    vectors: int = 0
    compared: Counter[str] = field(default_factory=Counter)
    """Field -> expected values compared."""
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(field, why) -> expected values not compared."""
    complaints: list[tuple[int, str]] = field(default_factory=list)
    confirmed: dict[str, list[int]] = field(default_factory=dict)
    """`protocol: message type` -> vectors that confirm it."""


def corpus(root: Path) -> Path | None:
    """The corpus: KAIROS_VECTORS, or `../shared/vectors` from the project's root; None where it is not."""
    told = os.environ.get("KAIROS_VECTORS")
    path = Path(told) if told else root.parent / "shared" / "vectors"
    path = path / "corpus.jsonl" if path.is_dir() else path
    return path if path.is_file() else None


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _view(layer: str, octets: bytes) -> Mapping[str, Any]:
    return view_m3ua(octets) if layer == "m3ua" else view(layer, octets)


def _values(value: Any) -> Sequence[str]:
    return value if isinstance(value, list) else [value]


def judge_vectors(rows: Iterable[Mapping[str, Any]]) -> VectorVerdict:
    """Decodes every vector and compares every expected value that a key of ours carries."""
    verdict = VectorVerdict()
    for row in rows:
        verdict.vectors += 1
        expected = {name: _values(value) for name, value in row["expected"].items()}
        try:
            shown = _view(row["layer"], bytes.fromhex(row["hex"]))
        except ValueError as error:
            if row["expect"] == "decode" and REFUSED.get(row["id"], ("",))[0] != str(error):
                verdict.complaints.append((row["id"], f"refused: {error}"))
            verdict.left_out.update((name, UNDECODED) for name in expected)
            continue
        if row["expect"] == "malformed":
            verdict.complaints.append((row["id"], "accepted"))
            continue
        _judge(verdict, row["id"], expected, shown)
    return verdict


def disagreements(row: Mapping[str, Any], shown: Mapping[str, Any]) -> list[Disagreement]:
    """Where our keys of one vector are not what is expected, as far as they carry it and no reason speaks."""
    expected = {name: _values(value) for name, value in row["expected"].items()}
    speaks = [name for name in expected if name in BY_FIELD and BY_FIELD[name].ours(shown)]
    _, wrong = compare(expected, shown, speaks)
    return [found for found in wrong if (row["id"], found.field) not in REASONS]


def _judge(
    verdict: VectorVerdict, number: int, expected: Mapping[str, Sequence[str]], shown: Mapping[str, Any]
) -> None:
    speaks = []
    for name in expected:
        if name in NOT_OURS:
            verdict.left_out[name, NOT_OURS[name]] += 1
        elif name not in BY_FIELD:
            verdict.complaints.append((number, f"{name}: no row says which key of ours it is"))
        elif not BY_FIELD[name].ours(shown):
            verdict.left_out[name, WRAPPED] += 1
        else:
            speaks.append(name)
    compared, wrong = compare(expected, shown, speaks)
    verdict.compared.update(compared)
    wrong = [found for found in wrong if (number, found.field) not in REASONS]
    verdict.complaints += [(number, str(found)) for found in wrong]
    if not wrong:
        for protocol, name in kinds_of(shown):
            verdict.confirmed.setdefault(f"{protocol}: {name}", []).append(number)
