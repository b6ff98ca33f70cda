"""`kairos bench`: what it writes, the yardstick, a capture as workload, and that it notices wrong results."""

import json
import shutil
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from experiments.bench import more_stages as bench_extra
from experiments.bench import stages as bench_stages
from experiments.bench.stages import STAGES, WrongResult
from experiments.bench.stages_command import Yardstick
from experiments.bench.workload import Sources, Traffic
from experiments.cli import cli
from experiments.problems import BadInput, RunInvalid

TOWN = Path(__file__).parents[2] / "scenarios" / "worlds" / "town.yaml"
PROGRAM = """#!{python}
import json, struct, sys
assert sys.argv[1] == "2"
data, at, n = open(sys.argv[2], "rb").read(), 0, 0
while at < len(data):
    at += 4 + struct.unpack_from("<I", data, at)[0]
    n += 1
print(json.dumps({{"msgs": n + {more}, "mps": 1000.0}}))
"""


def bench(*arguments):
    return CliRunner().invoke(cli, ["bench", *map(str, arguments)])


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return Sources(world=TOWN, messages=60_000, folder=tmp_path_factory.mktemp("bench"))


def program(folder, more=0):
    path = folder / "yardstick"
    path.write_text(PROGRAM.format(python=sys.executable, more=more), encoding="utf-8")
    path.chmod(0o755)
    return path


def test_every_stage_with_its_figures_and_the_yardstick(tmp_path):
    out = tmp_path / "figures.json"
    done = bench("--world", TOWN, "--messages", 1, "--seconds", 0.01, "--json", out, "--yardstick",
                 program(tmp_path))  # fmt: skip
    assert done.exit_code == 0, done.output
    figures = json.loads(out.read_text())
    assert [figure["stage"] for figure in figures] == list(STAGES)
    for figure in figures:
        assert {"stage", "n", "per_s", "bytes_per_s", "threads", "workload", "machine"} <= set(figure)
        assert figure["n"] > 3000
        assert figure["bytes_per_s"] > figure["per_s"] > 0
        assert ("ratio" in figure) == (
            figure["stage"] in ("decode", "decode-brief", "reference", "correlate")
        )
        assert figure["stage"] in done.output
    assert figures[0]["ratio"] == pytest.approx(figures[0]["per_s"] / 1000, rel=0.01)


def test_the_hour_is_closed_and_its_flat_form_is_the_same_messages(sources):
    hour, traffic = sources.hour, sources.traffic
    assert traffic.times == -(-60_000 // hour.n) > 1
    assert traffic.n == len(traffic.offsets) - 1 == len(traffic.t_us)
    assert np.all(np.diff(traffic.t_us) >= 0)
    at = 0
    for i in (*range(100), *range(hour.n, hour.n + 100)):
        if i == hour.n:
            at = len(traffic.flat) // traffic.times
        length = struct.unpack_from("<I", traffic.flat, at)[0]
        octets = traffic.flat[at + 4 : at + 4 + length]
        assert octets == traffic.data[traffic.offsets[i] : traffic.offsets[i + 1]]
        at += 4 + length


def test_a_capture_as_workload(sources, tmp_path):
    out = tmp_path / "figures.json"
    stages = ("decode", "reference", "correlate", "capture")
    options = ("--world", "none.yaml", "--messages", 4 * sources.hour.n, "--seconds", 0.01)
    done = bench(*stages, *options, "--capture", sources.capture_file, "--json", out)
    assert done.exit_code == 0, done.output
    figures = {figure["stage"]: figure for figure in json.loads(out.read_text())}
    assert figures["decode"]["n"] == figures["capture"]["n"] == 4 * sources.hour.n
    assert "bench.pcapng" in figures["decode"]["workload"]
    assert "bench.pcapng" in figures["capture"]["workload"]


def test_a_lost_message_is_noticed(sources):
    job = STAGES["correlate"](sources)
    correlator, found = job.run(job.ready())
    job.check((correlator, found))
    with pytest.raises(WrongResult, match="behaviours by kind"):
        job.check((correlator, found[:-1]))
    job = STAGES["decode"](sources)
    n, size = job.run(job.ready())
    with pytest.raises(WrongResult, match="messages and octets"):
        job.check((n - 1, size))


def test_a_wrong_result_ends_with_3(monkeypatch):
    monkeypatch.setattr(bench_stages, "decode_flat", lambda flat, rows: (1, 2))
    done = bench("decode", "--world", TOWN, "--messages", 1, "--seconds", 0.01)
    assert done.exit_code == 3
    assert "The run is invalid: decode: messages and octets decoded" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("speed",),
            "speed: no such stage; there are decode, decode-brief, reference, correlate, encode, "
            "capture, import, tshark",
        ),
        (("--capture", "none.pcapng"), "none.pcapng: no such file"),
        (("--yardstick", "none"), "--yardstick none: no such file"),
        (("--world", "none.yaml"), "none.yaml: no such file. Start kairos in its repository"),
        (("decode", "--capture", __file__), "test_bench_command.py: "),
    ],
)
def test_bad_input_ends_with_2(arguments, said):
    done = bench(*arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_a_yardstick_must_have_read_the_same_and_say_so(sources, tmp_path):
    yardstick = Yardstick(program(tmp_path, more=1))
    with pytest.raises(RunInvalid, match="messages of"):
        yardstick.per_s(sources.flat_file, sources.traffic.n)
    with pytest.raises(BadInput, match="JSON with msgs and mps was expected"):
        Yardstick(Path("/bin/true")).per_s(sources.flat_file, 1)


def test_threads_give_an_entry_of_their_own(tmp_path):
    out = tmp_path / "figures.json"
    options = ("--threads", 2, "--world", TOWN, "--messages", 1, "--seconds", 0.01, "--json", out)
    done = bench("decode", "decode-brief", *options)
    assert done.exit_code == 0, done.output
    figures = json.loads(out.read_text())
    assert [(f["stage"], f["threads"]) for f in figures] == [
        (stage, threads) for stage in ("decode", "decode-brief") for threads in (1, 2)
    ]
    for figure in figures[1::2]:
        assert figure["n"] == figures[0]["n"]
        assert figure["speedup"] == pytest.approx(figure["per_s"] / figure["single_per_s"], rel=0.01)
        assert figure["speedup_by_processor_time"] > 0
    assert "2 threads are" in done.output


def test_the_parts_of_threads_are_disjoint_and_whole(sources):
    traffic = sources.traffic
    rows = np.arange(traffic.n)
    parts = bench_extra._parts(traffic, rows, 3)
    assert np.array_equal(np.concatenate([part for part, _, _ in parts]), rows)
    assert [start for _, start, _ in parts] == [0, *(stop for _, _, stop in parts[:-1])]
    assert parts[-1][2] == len(traffic.flat)
    with pytest.raises(WrongResult, match="a thread decoded"):
        bench_extra._over_and_over(traffic.flat, bench_stages.new_rows(9), 0, len(traffic.flat), 0)


def test_import_is_timed_in_a_new_interpreter(tmp_path):
    out = tmp_path / "figures.json"
    done = bench("import", "--seconds", 0.01, "--json", out)
    assert done.exit_code == 0, done.output
    (figure,) = json.loads(out.read_text())
    assert 0 < figure["seconds"] < figure["seconds_with_interpreter"]
    assert figure["runs"] == bench_extra.IMPORTS
    assert "s for import and first call" in done.output


def test_a_decoder_that_needs_the_readable_codec_is_noticed(sources, monkeypatch):
    monkeypatch.setattr(bench_extra, "_IMPORT", "import sim\n" + bench_extra._IMPORT)
    with pytest.raises(WrongResult, match="without the readable codec"):
        bench_extra.first_call(sources, 0.01)
    monkeypatch.setattr(bench_extra, "_IMPORT", "import no_such_module")
    with pytest.raises(WrongResult, match="cannot be imported"):
        bench_extra.first_call(sources, 0.01)


def test_without_tshark_its_stage_says_so(monkeypatch):
    monkeypatch.setattr(bench_extra.shutil, "which", lambda _: None)
    done = bench("tshark", "--world", TOWN)
    assert done.exit_code == 2
    assert "tshark: there is no such program here" in done.output


@pytest.mark.tshark
@pytest.mark.skipif(shutil.which("tshark") is None, reason="no tshark")
def test_tshark_reads_the_same_messages(sources):
    found = bench_extra.tshark(sources, 0.01)
    assert found.n == 4 * sources.hour.n
    assert found.more["decode_brief_times_tshark"] > 1
    with pytest.raises(BadInput, match="tshark ended with"):
        bench_extra._fields("tshark", Path(__file__))


def test_traffic_names_its_source(sources):
    assert Traffic(sources.hour, 3).name.endswith(f"{sources.hour.n} messages, x3")
