"""Stages of `kairos bench` that run only when named: they start other programs, or measure by the wall clock.

`import` starts Python anew; `tshark` asks Wireshark's decoder for the columns of a brief row. `--threads` has
one buffer decoded by one thread and by several in turns.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

from experiments.bench.stages import DECODED, STAGES, Job, WrongResult
from experiments.bench.workload import CAPTURED_TIMES, Sources, Traffic
from experiments.problems import BadInput
from experiments.progress import Doing, Tell
from marketing.behaviours import BEHAVIOUR
from marketing.decode import RowBatch, decode_flat, new_rows, tally

__all__ = ["EXTRA", "Extra", "in_threads"]

IMPORTS: Final = 7
"""How often Python is started; the best run counts, the first one may have to read the disk."""

LEAST_TURNS: Final = 5
TURN_S: Final = 0.03

#: Run by a new interpreter, which gets one BSSAP message as its argument: seconds of import and first call.
_IMPORT: Final = """
import sys, time
octets = bytes.fromhex(sys.argv[1])
began = time.perf_counter()
import marketing.decode
right = not marketing.decode.decode_bssap(octets)["error"][0]
print(time.perf_counter() - began, right, "sim" in sys.modules)
"""
#: IDENTITY RESPONSE with an IMSI (TS 24.008 9.2.11).
_MESSAGE: Final = "01000b0559080910100000000010"

#: What a brief row holds, as tshark calls it.
FIELDS: Final = (
    "m3ua.protocol_data_opc", "m3ua.protocol_data_dpc", "sccp.message_type", "sccp.slr", "sccp.dlr",
    "gsm_a.bssmap.msgtype", "gsm_a.L3_protocol_discriminator", "gsm_a.dtap.msg_mm_type",
    "gsm_a.dtap.msg_cc_type", "gsm_a.dtap.msg_sms_type", "gsm_a.dtap.msg_ss_type", "gsm_a.dtap.msg_rr_type",
    "gsm_a.bssmap.cell_lac", "gsm_a.bssmap.cell_ci", "e212.imsi", "gsm_a.tmsi", "gsm_a.imei",
    "gsm_a.imeisv", "gsm_a.dtap.cld_party_bcd_num", "gsm_a.dtap.clg_party_bcd_num",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Extra:
    """What such a stage found."""

    n: int
    """Units a run."""
    octets: int
    seconds: float
    """Of the best run."""
    workload: str
    runs: int
    threads: int = 1
    more: Mapping[str, float] = field(default_factory=dict)
    """Further figures by their names in JSON."""
    said: str = ""
    """The same in words."""
    unit: str = "messages"
    """What is counted."""


def first_call(_: Sources, seconds: float) -> Extra:
    """Import of the decoder and its first call, in a new interpreter each time."""
    inside: list[float] = []
    whole: list[float] = []
    end = time.monotonic() + seconds
    while len(inside) < IMPORTS or time.monotonic() < end:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT, _MESSAGE],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        whole.append(time.perf_counter() - began)
        if done.returncode:
            raise WrongResult(f"the decoder cannot be imported: {done.stderr.strip().splitlines()[-1:]}")
        took, *right = done.stdout.split()
        if right != ["True", "False"]:
            raise WrongResult(f"decoded rightly, and without the readable codec: {right}")
        inside.append(float(took))
    return Extra(
        1, len(_MESSAGE) // 2, min(inside), "import marketing.decode, then one BSSAP message", len(inside),
        more={"seconds": round(min(inside), 4), "seconds_with_interpreter": round(min(whole), 4)},
        said=f"{min(inside):.3f} s for import and first call, {min(whole):.3f} s with Python's own start",
        unit="imports",
    )  # fmt: skip


def tshark(sources: Sources, seconds: float) -> Extra:
    """`tshark -T fields` with the columns of a brief row, and the brief decoder before and after it.

    Both by processor time; the time tshark takes for a single message, its start, is not counted.
    """
    program = shutil.which("tshark")
    if program is None:
        raise BadInput("tshark: there is no such program here (Debian: apt-get install tshark)")
    path = sources.capture_file
    job = STAGES["decode-brief"](sources)
    ours = [_processor_s(job, seconds / 2)]
    n, took_s = _fields(program, path)
    start_s = min(_fields(program, path, ("-c", "1"))[1] for _ in range(3))
    ours.append(_processor_s(job, seconds / 2))
    if sources.capture is None and n != CAPTURED_TIMES * sources.hour.n:
        raise WrongResult(f"tshark found {n} DATA messages of {CAPTURED_TIMES * sources.hour.n}")
    if not n or took_s <= start_s:
        raise WrongResult(f"tshark found {n} DATA messages in {path} in {took_s:.1f} s")
    rate, brief = n / (took_s - start_s), job.n / min(ours)
    times = brief / rate
    return Extra(
        n, path.stat().st_size, took_s - start_s, f"{path.name}, {n} messages, {len(FIELDS)} fields", 1,
        more={
            "start_s": round(start_s, 3),
            "decode_brief_per_s": round(brief),
            "decode_brief_times_tshark": round(times, 1),
        },
        said=f"decode-brief, {brief:,.0f} messages/s, is {times:,.0f} times as fast as tshark -T fields, "
        f"whose start of {start_s:.2f} s is not counted",
    )  # fmt: skip


def engine(sources: Sources, seconds: float) -> Extra:
    """The province's busy hour through the engine; broad audiences, and narrow ones beside them."""
    from experiments.bench.engine import EngineBench, Measured  # the platform, which no other stage needs

    def measured(audiences: str, tell: Tell) -> Measured:
        bench = EngineBench(sources.province, sources.subscribers, sources.campaigns, audiences, tell)
        return bench.measure(seconds / 2)

    with Doing() as tell:
        found, narrow = measured("broad", tell), measured("narrow", tell)
    octets = sum(found.bytes_each.values())
    return Extra(
        found.n, found.n * BEHAVIOUR.itemsize, found.seconds, found.workload, found.runs,
        more={
            "subscribers": found.subscribers,
            "campaigns": found.campaigns,
            "triggering": round(found.triggering, 4),
            "median_audience": round(found.median_audience, 4),
            "per_s_with_objects": round(found.n / found.objects_s),
            "bytes_each": round(octets, 1),
            **{f"bytes_{name}": size for name, size in found.bytes_each.items()},
            **{f"decided_{name}": n for name, n in found.decisions.items()},
            "narrow_per_s": round(narrow.n / narrow.seconds),
            "narrow_per_s_with_objects": round(narrow.n / narrow.objects_s),
            "narrow_triggering": round(narrow.triggering, 4),
            "narrow_median_audience": round(narrow.median_audience, 4),
            "narrow_bytes_each": round(sum(narrow.bytes_each.values()), 1),
        },
        said="\n".join(_engine_said(*one) for one in (("broad", found), ("narrow", narrow))),
        unit="behaviours",
    )  # fmt: skip


def _engine_said(audiences: str, found: Any) -> str:
    made = ", ".join(f"{n} {what}" for what, n in found.decisions.items())
    return (
        f"engine, {audiences} audiences: {found.n / found.seconds:,.0f} behaviours/s, "
        f"{found.n / found.objects_s:,.0f} with every decision made into an object; "
        f"{found.campaigns} campaigns, median audience {found.median_audience:.1%} of "
        f"{found.subscribers} people, {found.triggering:.1%} of behaviours trigger; "
        f"{sum(found.bytes_each.values()):.1f} bytes each; {made}"
    )


def change(sources: Sources, _: float) -> Extra:
    """Campaigns and an extract exchanged while the engine runs."""
    from experiments.bench.change import ChangeBench
    from experiments.bench.engine import EngineBench

    with Doing() as tell:
        tell("change: reading the hour")
        bench = EngineBench(sources.province, sources.subscribers, sources.campaigns, tell=tell)
        began = time.process_time()
        found = ChangeBench(bench).measure()
    took = time.process_time() - began
    told = "; ".join(
        f"{what}: in force after {found.effect_s[what]:.2f} s, the engine stood still for "
        f"{found.pause_s[what] * 1000:.0f} ms, {found.taken_in[what]} behaviours taken in meanwhile"
        for what in found.effect_s
    )
    return Extra(
        found.n, found.n * BEHAVIOUR.itemsize, took, "the busy hour in steps, changes between them", 1,
        more={
            "subscribers": found.subscribers,
            "campaigns": found.campaigns,
            **{f"{what}_effect_s": round(s, 3) for what, s in found.effect_s.items()},
            **{f"{what}_pause_s": round(s, 4) for what, s in found.pause_s.items()},
            "triggers_kept": found.triggers,
        },
        said=f"change: {found.campaigns} campaigns, {found.subscribers} people; {told}; "
        f"{found.triggers} triggers of the campaigns that stayed, as without any change",
        unit="behaviours",
    )  # fmt: skip


def restart(sources: Sources, _: float) -> Extra:
    """The engine's state written, read, and the minute after it caught up with, as after a kill."""
    from experiments.bench.engine import EngineBench
    from experiments.bench.restart import RestartBench

    with Doing() as tell:
        tell("restart: reading the hour")
        bench = EngineBench(sources.province, sources.subscribers, sources.campaigns, tell=tell)
        found = RestartBench(bench).measure()
    return Extra(
        found.journaled, found.journaled * BEHAVIOUR.itemsize, found.resume_s,
        "half of the busy hour, a snapshot, a minute of journal; wall clock", 1,
        more={
            "subscribers": found.subscribers,
            "campaigns": found.campaigns,
            "lived": found.lived,
            "snapshot_pause_s": round(found.pause_s, 4),
            "snapshot_write_s": round(found.write_s, 3),
            "snapshot_octets": found.octets,
            "resume_s": round(found.resume_s, 3),
        },
        said=f"restart: {found.subscribers} people, {found.campaigns} campaigns; going on takes "
        f"{found.resume_s:.2f} s with {found.journaled} behaviours of a minute; a snapshot of "
        f"{found.octets / 1e6:.0f} Mbyte stops the engine for {found.pause_s * 1000:.0f} ms and is on the "
        f"disk after {found.write_s:.2f} s",
        unit="behaviours",
    )  # fmt: skip


def collector(sources: Sources, seconds: float) -> Extra:
    """Messages over libusrsctp into the collector; in turns with receiving alone."""
    from experiments.bench.collector import CollectorBench  # the platform, which no other stage needs

    found = CollectorBench(sources).measure(seconds)
    rate, raw = found.best.per_s, found.raw.per_s
    alone = found.best.n / found.best.processor_s
    where = "its own processor" if found.pinned else "the same processor: there is only one"
    return Extra(
        found.n, found.octets, found.n / rate, f"{sources.traffic.name}, wall clock, one association",
        found.runs,
        more={
            "raw_per_s": round(raw),
            "ratio_to_raw": round(rate / raw, 3),
            "per_processor_s": round(alone),
            "behaviours": found.behaviours,
            "main_share": round(found.best.main_s / found.best.seconds, 3),
            "processor_share": round(found.best.processor_s / found.best.seconds, 3),
            "sender_share": round(found.best.sender_s / found.best.seconds, 3),
        },
        said=f"collector: {rate:,.0f} messages/s into behaviours, {rate / raw:.2f} of receiving alone "
        f"({raw:,.0f}/s); {alone:,.0f} per second of this process's processor time; the sender on {where}; "
        f"{found.limit}",
    )  # fmt: skip


def policy(_: Sources, seconds: float) -> Extra:
    """Triggers judged by rules of every kind."""
    from experiments.bench.policy import PolicyBench  # the platform, which no other stage needs

    found = PolicyBench().measure(seconds)
    rate, plain = found.n / found.seconds, found.n / found.plain_s
    ends = ", ".join(f"{n} {what}" for what, n in found.reasons.items())
    return Extra(
        found.n, 0, found.seconds, "a million subscribers, ten days, rules of every kind", found.runs,
        unit="decisions",
        more={
            "plain_per_s": round(plain),
            "one_by_one_per_s": round(found.one_by_one_per_s),
            "log_bytes_each": round(found.log_bytes, 2),
            "log_contacts": found.contacts,
            **{f"decided_{what}": n for what, n in found.reasons.items()},
        },
        said=f"policy: {rate:,.0f} decisions/s with rules of every kind, {plain:,.0f} with a month's cap, "
        f"quiet hours and duplicates alone, {found.one_by_one_per_s:,.0f} one by one; {found.contacts} "
        f"contacts remembered in {found.log_bytes:.1f} bytes a subscriber; {ends}",
    )  # fmt: skip


def ledger(_: Sources, seconds: float) -> Extra:
    """Reservations in groups of several sizes."""
    from experiments.bench.ledger import GROUPS, LedgerBench

    bench = LedgerBench()
    try:
        found = [bench.measure(group, seconds / len(GROUPS)) for group in GROUPS]
    finally:
        bench.close()
    best = max(found, key=lambda one: one.per_s)
    lines = [
        f"ledger, groups of {one.group}: {one.per_s:,.0f} reservations/s by the wall clock, "
        f"{one.n / one.processor_s:,.0f} by processor time; a group p50 {one.p50_ms:.2f} ms, p99 "
        f"{one.p99_ms:.2f} ms; fsync beside it p50 {one.fsync_p50_ms:.2f} ms, p99 {one.fsync_p99_ms:.2f} ms; "
        f"refused {', '.join(f'{n} {reason}' for reason, n in one.refused.items()) or 'none'}"
        for one in found
    ]
    more: dict[str, float] = {"group": best.group}
    for one in found:
        more |= {
            f"per_s_{one.group}": round(one.per_s),
            f"per_processor_s_{one.group}": round(one.n / one.processor_s),
            f"p50_ms_{one.group}": one.p50_ms,
            f"p99_ms_{one.group}": one.p99_ms,
            f"fsync_p50_ms_{one.group}": one.fsync_p50_ms,
            f"fsync_p99_ms_{one.group}": one.fsync_p99_ms,
        }
    return Extra(
        best.n,
        0,
        best.seconds,
        "SQLite, WAL, synchronous=FULL, wall clock",
        1,
        unit="reservations",
        more=more,
        said="\n".join(lines),
    )


def smpp(_: Sources, seconds: float) -> Extra:
    """Messages with receipts through one bind, against npm `smpp` and in turns with it against itself."""
    from experiments.bench.smpp import BAR_PER_S, BAR_RATIO, measure  # the peer's environment, no other needs

    found = measure(seconds)
    client, server, alone = max(found.client), max(found.server), max(found.npm_alone)
    return Extra(
        found.count, found.octets, found.count / client,
        f"{found.count} submit_sm of 120 octets with receipts, window {found.window}, wall clock",
        len(found.client),
        more={
            "median_per_s": round(median(found.client)),
            "npm_alone_per_s": round(alone),
            "ratio_to_npm": round(found.ratio(found.client), 3),
            "per_processor_s": round(found.client_processor),
            "server_per_s": round(server),
            "server_median_per_s": round(median(found.server)),
            "server_ratio_to_npm": round(found.ratio(found.server), 3),
            "server_per_processor_s": round(found.server_processor),
            "holds": found.holds(found.client),
            "server_holds": found.holds(found.server),
        },
        said=f"smpp: our ESME {client:,.0f} submits/s with receipts against npm's SMSC in the best turn, "
        f"{median(found.client):,.0f} in the median one, {found.ratio(found.client):.2f} of npm's ESME "
        f"against it ({alone:,.0f}/s; median of the turns), "
        f"{found.client_processor:,.0f} per second of its own processor time; our SMSC {server:,.0f}/s from "
        f"npm's ESME, median {median(found.server):,.0f}, {found.ratio(found.server):.2f} of npm's SMSC and "
        f"{found.server_processor:,.0f} of its own processor time; the median at least "
        f"{BAR_PER_S:,} or {BAR_RATIO} of npm alone: "
        + ", ".join(
            f"{whose} {'holds' if found.holds(rates) else 'FALLS SHORT'}"
            for whose, rates in (("ESME", found.client), ("SMSC", found.server))
        ),
    )  # fmt: skip


def trigger(_: Sources, seconds: float) -> Extra:
    """From the socket to submit_sm; turns count whose generator kept its schedule, and the best heads."""
    from experiments.bench.trigger import LEAST_S, TURNS, TriggerBench  # the platform and the network

    with tempfile.TemporaryDirectory(prefix="kairos-trigger-") as folder:
        bench = TriggerBench(Path(folder), max(seconds, LEAST_S))
        turns = bench.turns_of(TURNS)
    best, middle = turns[0], turns[len(turns) // 2]
    figures = {
        f"{name}_{percentile}_ms": value
        for name in ("intended", "sent", "socket", "fsync")
        for percentile, value in getattr(best, name).items()
    }
    return Extra(
        best.messages, bench.octets, best.seconds,
        f"{bench.site.world.n} people, {bench.factor:.0f} simulated seconds a second, wall clock, "
        f"{bench.kind}",
        bench.turns,
        more={
            "triggers": best.triggers,
            **figures,
            "met": best.met,
            "turns_that_count": len(turns),
            "turns_that_met": sum(turn.met for turn in turns),
            "median_turn_p50_ms": middle.intended["p50"],
            "median_turn_p99_ms": middle.intended["p99"],
            "load": round(best.load, 2),
        },
        said=f"trigger, the best of {len(turns)} turns that count ({bench.turns} were run): {best.said()}",
    )  # fmt: skip


def _processor_s(job: Job[Any, Any], seconds: float) -> float:
    """Processor time of the best run."""
    best, end = float("inf"), time.monotonic() + seconds
    while best == float("inf") or time.monotonic() < end:
        state = job.ready()
        began = time.process_time()
        result = job.run(state)
        best = min(best, time.process_time() - began)
        job.check(result)
    return best


def _fields(program: str, path: Path, options: tuple[str, ...] = ()) -> tuple[int, float]:
    """DATA messages of which tshark printed the columns, and the processor time it took."""
    command = [program, "-n", "-r", str(path), *options, "-T", "fields"]
    for name in FIELDS:
        command += ["-e", name]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        # One packet may carry several messages; their values stand side by side, with commas between.
        n = sum(label.count(",") + 1 for line in process.stdout if (label := line.partition("\t")[0].strip()))
        said = process.stderr.read() if process.stderr is not None else ""
    if process.returncode:
        raise BadInput(f"tshark ended with {process.returncode}: {said.strip()[-200:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return n, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def in_threads(stage: str, sources: Sources, seconds: float, threads: int) -> Extra:
    """One buffer decoded by one thread and by several in turns, by the wall clock; the best turn of each.

    In a turn each thread decodes its part of the buffer over and over for TURN_S. Where other programs run
    too, several threads seldom have that many processors; for there is the second figure: the threads' rates
    by their own processor time, summed, to that of the single one. It tells what they take from each other
    (memory, caches), and nothing of waiting.
    """
    traffic = sources.traffic
    rows = new_rows(traffic.n, DECODED[stage])
    rows.view(np.uint8)[:] = 0  # so that no turn pays for the first touch of memory
    wall: dict[int, float] = {1: 0.0, threads: 0.0}
    own = dict(wall)
    turns, end = 0, time.monotonic() + seconds
    with ThreadPoolExecutor(threads) as pool:
        while turns < LEAST_TURNS or time.monotonic() < end:
            for parts in wall:
                rows["error"] = 0xFF  # the turn has to write them all
                began = time.perf_counter()
                work = [
                    pool.submit(_over_and_over, traffic.flat, *part, began + TURN_S)
                    for part in _parts(traffic, rows, parts)
                ]
                done = [part.result() for part in work]
                took = time.perf_counter() - began
                wall[parts] = max(wall[parts], sum(n for n, _ in done) / took)
                own[parts] = max(own[parts], sum(n / processor_s for n, processor_s in done))
                if traffic.hour.correlations is not None and tally(rows) != (traffic.n, traffic.n):
                    raise WrongResult(f"{parts} threads: DATA messages, right ones {tally(rows)}")
            turns += 1
    speedup, by_processor = wall[threads] / wall[1], own[threads] / own[1]
    return Extra(
        traffic.n, len(traffic.data), traffic.n / wall[threads], f"{traffic.name}, wall clock", turns,
        threads,
        more={
            "single_per_s": round(wall[1]),
            "speedup": round(speedup, 3),
            "speedup_by_processor_time": round(by_processor, 3),
        },
        said=f"{stage}: {threads} threads are {speedup:.2f} times as fast as one by the wall clock; "
        f"by processor time, as if no other program ran, {by_processor:.2f} times",
    )  # fmt: skip


def _over_and_over(flat: bytes, rows: RowBatch, start: int, stop: int, until: float) -> tuple[int, float]:
    """Decodes one part of the flat form again and again; messages, and the thread's processor time."""
    decoded, began = 0, time.thread_time()
    while decoded == 0 or time.perf_counter() < until:
        n, end = decode_flat(flat, rows, start)
        if (n, end) != (len(rows), stop):
            raise WrongResult(f"a thread decoded {n} messages to {end}, expected {len(rows)} to {stop}")
        decoded += n
    return decoded, time.thread_time() - began


def _parts(traffic: Traffic, rows: RowBatch, threads: int) -> list[tuple[RowBatch, int, int]]:
    """For each thread its rows, and from where to where in the flat form their messages lie."""
    cuts = [traffic.n * i // threads for i in range(threads + 1)]
    ends = [int(traffic.offsets[cut]) + 4 * cut for cut in cuts]
    return [(rows[cuts[i] : cuts[i + 1]], ends[i], ends[i + 1]) for i in range(threads)]


EXTRA: Final[dict[str, Callable[[Sources, float], Extra]]] = {
    "import": first_call,
    "tshark": tshark,
    "engine": engine,
    "change": change,
    "restart": restart,
    "collector": collector,
    "smpp": smpp,
    "trigger": trigger,
    "policy": policy,
    "ledger": ledger,
}
"""In the order in which they run."""
