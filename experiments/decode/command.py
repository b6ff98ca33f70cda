"""`kairos decode`: a capture, or single messages in hexadecimal, as flat keys.

The keys are those of `sim.bssap.view` with M3UA's in front; a message that cannot be decoded has `error` and
whatever keys the layers below it gave. Everything streams: memory does not grow with the input.
"""

from __future__ import annotations

import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from experiments.decode.filters import Filters, parse_filters, passes
from experiments.decode.formats import WRITERS, View, json_line
from experiments.problems import BadInput
from sim.bssap import DecodeError, view
from sim.bssap.flat import LAYERS as INNER_LAYERS

if TYPE_CHECKING:
    from marketing.decode import RowBatch
    from sigtran import MessageBatch
    from sigtran.capture import CaptureBatch
    from sigtran.m3ua import DataMessage

__all__ = [
    "LAYERS",
    "decode_capture",
    "decode_hex",
    "hex_lines",
    "run_command",
]

LAYERS: Final = ("m3ua", *INNER_LAYERS)
"""What `--layer` takes: which layer the octets begin with."""
#: Segmented SCCP messages waited for at once; past it the oldest is given up.
_OPEN_REASSEMBLIES: Final = 4096
_MAX_REASSEMBLED: Final = 65536
_DT1: Final = b"\x06"
_ROUTING_COLUMNS: Final = (
    "opc", "dpc", "slr", "dlr", "m3ua_class", "m3ua_type", "si", "ni", "mp", "sls", "sccp",
)  # fmt: skip


def _read(layer: str, octets: bytes) -> View:
    if layer == "m3ua":
        from sim.m3ua_view import view_m3ua

        return view_m3ua(octets)
    return view(layer, octets)


# ------------------------------------------------------------------ one message a line


def decode_hex(layer: str, line: bytes | str) -> View:
    """The keys of one message in hexadecimal (blanks allowed), or `error` and why.

    Raises nothing, whatever the line holds: also a fault of the codec itself becomes an `error`.
    """
    try:
        text = line if isinstance(line, str) else line.decode("ascii")
        octets = bytes.fromhex(text.strip())
    except ValueError:
        return {"error": "not a string of hexadecimal digits"}
    if not octets:
        return {"error": "no octets"}
    try:
        return _read(layer, octets)
    except Exception as error:  # the stream goes on, whatever one message does
        return {"error": _why(error)}


def _why(error: Exception) -> str:
    """What a codec says of a message; anything but its own refusals with the kind of the fault."""
    own = isinstance(error, ValueError) and str(error)
    return str(error) if own else f"{type(error).__name__}: {error}"


def hex_lines(layer: str, lines: Iterable[bytes], out: BinaryIO) -> None:
    """One JSON object for each line, written as soon as it is known."""
    for line in lines:
        out.write(json_line(decode_hex(layer, line)))
        out.flush()


# ------------------------------------------------------------------ engines


class _Segments:
    """User data of DT1 with the more bit, joined by direction and reference (Q.713 3.7)."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[int, int, int], bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def push(self, key: tuple[int, int, int], data: bytes, more: bool) -> bytes | None:
        """All data where this segment ends several; None where it stands alone or more are to come."""
        before = self._open.pop(key, None)
        if more and len(before or b"") + len(data) <= _MAX_REASSEMBLED:
            self._open[key] = (before or b"") + data
            if len(self._open) > _OPEN_REASSEMBLIES:
                self._open.popitem(last=False)
        return None if more or before is None else before + data


class _Engine(Protocol):
    def rows(self, batch: CaptureBatch) -> Iterable[View]:
        """The keys of each message."""


class _Reference:
    """The readable codec: every element, message by message."""

    def __init__(self) -> None:
        self._segments = _Segments()

    def rows(self, batch: CaptureBatch) -> Iterator[View]:
        for t_unix_us, octets in zip(batch.t_unix_us.tolist(), batch.messages, strict=True):
            yield {"t_unix_us": t_unix_us} | self._message(octets)

    def _message(self, octets: bytes) -> View:
        from sigtran.m3ua import decode
        from sim.m3ua_view import label_of

        found: View = {}
        data = None
        try:
            found, data = label_of(decode(octets))
            whole = self._joined(data)
            if whole is None:
                return _read("m3ua", octets)
            return found | _routing(data) | view("bssap", whole)
        except Exception as error:  # as in decode_hex
            found.pop("ies", None)
            return found | _routing(data) | {"error": _why(error)}

    def _joined(self, data: DataMessage | None) -> bytes | None:
        from sim.bssap import sccp
        from sim.m3ua_view import SI_SCCP

        if data is None or data.si != SI_SCCP or data.payload[:1] != _DT1:
            return None
        segment = sccp.decode(data.payload)
        assert segment.destination is not None
        key = (data.opc, data.dpc, segment.destination)
        return self._segments.push(key, segment.data or b"", bool(segment.more))


def _routing(data: DataMessage | None) -> View:
    """The keys of SCCP alone, where SCCP is right."""
    from sim.bssap import sccp

    try:
        message = sccp.decode(data.payload if data is not None else b"")
    except DecodeError:
        return {}
    found: View = {"message": message.name, "sccp": message.type}
    references = {"slr": message.source, "dlr": message.destination}
    return found | {key: f"{value:06x}" for key, value in references.items() if value is not None}


class _Columnar:
    """The platform's decoder: the columns that behaviours and campaigns need, a batch at a time."""

    def __init__(self) -> None:
        self._segments = _Segments()

    def rows(self, batch: CaptureBatch) -> Iterable[View]:
        from experiments.decode.columns import named_rows
        from marketing.decode import decode_batch

        rows = decode_batch(batch.messages.data, batch.messages.offsets)
        dt1 = rows["sccp"] == _DT1[0]
        if self._segments or rows["more"][dt1].any():
            self._join(rows, dt1.nonzero()[0].tolist(), batch.messages)
        return named_rows(rows, batch.t_unix_us)

    def _join(self, rows: RowBatch, dt1: Iterable[int], messages: MessageBatch) -> None:
        """Puts what several DT1 carry together into the row of the last one, as the correlator does."""
        from marketing.decode import decode_bssap

        for at in dt1:
            row = rows[at]
            start = int(messages.offsets[at]) + int(row["user_offset"])
            part = messages.data[start : start + int(row["user_length"])]
            key = (int(row["opc"]), int(row["dpc"]), int(row["dlr"]))
            whole = self._segments.push(key, part, bool(row["more"]))
            if whole is not None:
                joined = decode_bssap(whole)[0]
                for name in _ROUTING_COLUMNS:
                    joined[name] = row[name]
                rows[at] = joined


_ENGINES: Final[dict[str, Callable[[], _Engine]]] = {"columnar": _Columnar, "reference": _Reference}


# ------------------------------------------------------------------ the command


def decode_capture(
    source: str, out: BinaryIO, *, form: str = "jsonl", engine: str = "reference", filters: Filters = ()
) -> str:
    """Decode a pcapng or pcap, `-` for standard input, and return what was met in one line.

    Raises BadInput where the capture is none or is damaged; what came before is written all the same.
    """
    from sigtran.capture import CaptureError, CaptureReader

    reader = CaptureReader(sys.stdin.buffer if source == "-" else source)
    rows_of, writer = _ENGINES[engine]().rows, WRITERS[form](out)
    messages = shown = errors = 0
    try:
        for batch in reader:
            messages += len(batch.messages)
            rows = []
            for found in rows_of(batch):
                errors += "error" in found
                if passes(found, filters):
                    rows.append(found)
            shown += len(rows)
            writer.write(rows)
    except (CaptureError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise BadInput(str(error)) from None
    finally:
        writer.close()
    counts = ", ".join(f"{name} {number}" for name, number in reader.counts().items() if number)
    return f"{messages} messages, {errors} not decodable, {shown} written; {counts or 'no packets'}"


def run_command(
    source: str | None,
    *,
    layer: str | None = None,
    hexadecimal: bool = False,
    form: str = "jsonl",
    engine: str | None = None,
    filters: Iterable[str] = (),
    out: Path | None = None,
) -> None:
    """What `kairos decode` does with its options. Raises BadInput for a combination that means nothing."""
    wanted = parse_filters(filters)
    if hexadecimal != (layer is not None):
        raise BadInput("--layer and --hex go together: --layer dtap --hex reads one message a line")
    if layer is not None:
        if source not in (None, "-") or form != "jsonl" or engine == "columnar" or wanted:
            raise BadInput(
                "--hex reads standard input with the reference codec and writes JSON lines: no FILE, "
                "--format, --engine columnar or --filter goes with it"
            )
    elif source is None:
        raise BadInput("FILE is missing: a pcapng or pcap, - for standard input; or --layer LAYER --hex")
    if out is None and form == "parquet" and sys.stdout.isatty():
        raise BadInput("Parquet is not for a terminal: --out FILE, or redirect standard output")
    if layer is None and source is not None and source != "-":
        # A named pipe is as good as a file: `kairos decode <(tcpdump -w -)`.
        if not Path(source).exists():
            raise BadInput(f"{source}: no such file")
        if Path(source).is_dir():
            raise BadInput(f"{source}: is a folder; name a capture in it")
    try:
        with nullcontext(sys.stdout.buffer) if out is None else out.open("wb") as file:
            if layer is not None:
                hex_lines(layer, sys.stdin.buffer, file)
                return
            said = decode_capture(
                source or "-", file, form=form, engine=engine or "reference", filters=wanted
            )
    except BrokenPipeError:
        # The reader has seen enough; nothing is left to be flushed at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    except OSError as error:
        raise BadInput(f"{out or 'standard output'}: {error.strerror}") from None
    print(said, file=sys.stderr)  # noqa: T201 - the command's own summary, apart from its output
