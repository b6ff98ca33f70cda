"""`kairos bench smpp`, at a small size: what it checks and what it says."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from experiments.bench import smpp as bench_smpp
from experiments.bench.smpp import Measured, measure, node_environment
from experiments.cli import cli
from experiments.problems import BadInput

pytestmark = pytest.mark.npm


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("npm")
    try:
        node_environment(folder)
    except BadInput as reason:
        pytest.skip(str(reason))
    return folder


def test_messages_and_receipts_are_all_counted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "experiments.bench.smpp.measure", lambda seconds: measure(0, count=300, window=20, folder=folder)
    )
    out = tmp_path / "figures.json"
    done = CliRunner().invoke(cli, ["bench", "smpp", "--json", str(out)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "of npm's ESME" in done.output
    (found,) = json.loads(out.read_text())
    assert (found["stage"], found["n"], found["runs"]) == ("smpp", 300, bench_smpp.LEAST_TURNS)
    for name in ("per_s", "npm_alone_per_s", "server_per_s", "per_processor_s", "server_per_processor_s"):
        assert found[name] > 0
    for name in ("ratio_to_npm", "server_ratio_to_npm"):
        assert found[name] > 0


def test_either_bar_is_enough() -> None:
    def measured(client: float) -> Measured:
        return Measured((10_000.0, 1_000.0, 2_000.0), (client,) * 3, (1.0,) * 3, 1.0, 1.0, 10, 1)

    assert measured(1_600.0).ratio((1_600.0,) * 3) == 0.8
    assert measured(1_600.0).holds((1_600.0,) * 3)
    assert measured(5_000.0).holds((5_000.0, 1.0, 6_000.0))
    assert not measured(1_500.0).holds((1_500.0,) * 3)


def test_who_has_no_node_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = CliRunner().invoke(cli, ["bench", "smpp"])
    assert done.exit_code == 2
    assert "there is no node here" in done.output


def test_a_registry_out_of_reach_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path
) -> None:
    monkeypatch.setenv("NODE_PATH", "")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    with pytest.raises(BadInput, match=r"npm install smpp@0\.5\.1 failed"):
        node_environment(tmp_path)


def test_a_peer_that_says_something_else_is_a_wrong_result(tmp_path: Path, folder: Path) -> None:
    node = bench_smpp._Node(node_environment(folder), "nothing")
    with pytest.raises(bench_smpp.WrongResult, match="the npm peer said ''"):
        node.hear("port")
    assert node._process.returncode is not None
