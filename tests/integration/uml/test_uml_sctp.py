"""Kernel SCTP, in a guest that has it: the conformance suite, and the kernel against libusrsctp."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import pytest

import sigtran

HERE = Path(__file__).parent
SUITE = HERE.parents[1] / "sigtran" / "test_transport_conformance.py"
MISSING = [name for name in ("linux.uml", "busybox") if shutil.which(name) is None]

pytestmark = [
    pytest.mark.uml,
    pytest.mark.skipif(
        bool(MISSING), reason=f"no {' and '.join(MISSING)}: apt-get install user-mode-linux busybox-static"
    ),
]


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """One boot: the suite, then the two stacks against each other."""
    out = tmp_path_factory.mktemp("guest")
    paths = [str(Path(sigtran.__file__).parents[1]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    python = shlex.quote(sys.executable)
    command = "; ".join(
        (
            f"export PYTHONPATH={shlex.quote(os.pathsep.join(filter(None, paths)))} KAIROS_SCTP_KINDS=kernel",
            f"{python} -m pytest -q --color=no -p no:cacheprovider -p no:xdist -p no:hypothesispytest "
            f"--timeout=30 --junitxml=/run/out/suite.xml {shlex.quote(str(SUITE))}",
            f"{python} {shlex.quote(str(HERE / 'encapsulation.py'))}",
        )
    )
    done = subprocess.run(
        ["sh", str(HERE / "guest.sh"), str(out), command],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "LIMIT": "200"},
        check=False,
    )
    return SimpleNamespace(out=out, log=done.stdout, returncode=done.returncode)


def test_the_conformance_suite_over_kernel_sctp(guest: SimpleNamespace) -> None:
    report = guest.out / "suite.xml"
    assert report.exists(), guest.log
    suite = next(ET.parse(report).iter("testsuite"))
    assert (suite.attrib["failures"], suite.attrib["errors"]) == ("0", "0"), guest.log
    # What is about libusrsctp alone is skipped there.
    assert int(suite.attrib["skipped"]) == 2, guest.log
    assert int(suite.attrib["tests"]) >= 20


def test_kernel_sctp_and_libusrsctp_talk_to_each_other(guest: SimpleNamespace) -> None:
    assert guest.returncode == 0, guest.log
    lines = [json.loads(line) for line in guest.log.splitlines() if line.startswith("{")]
    assert [line["kinds"] for line in lines] == [["kernel", "usrsctp"], ["usrsctp", "kernel"]]
    for line in lines:
        assert line["streams"] == [16, 16]
        assert line["intact"] == [True, True]
        assert line["flushed"]
        assert line["states"] == ["closed", "closed"]
        assert line["reasons"] == ["closed here", "the peer closed the association"]
