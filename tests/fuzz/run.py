"""Builds the compiled decoder under sanitizers and lets libFuzzer at it: see README.md beside this file.

    python tests/fuzz/run.py [TARGET ...] [--seconds 3600] [--work DIR]
    python tests/fuzz/run.py TARGET --reproduce FILE

Exit codes: 0 nothing found; 1 stopped early; 2 clang or Cython is missing; 3 a finding, whose input is named.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
PLATFORM: Final = ROOT / "platform"
#: Undefined behaviour ends the run like a wrong read. Flags that define it (-fwrapv) are those of the wheel.
SANITIZERS: Final = "address,undefined"
FLAGS: Final = (
    "-g1", "-O1", "-fno-omit-frame-pointer", "-fno-strict-aliasing", "-fwrapv", "-DNDEBUG",
    "-fno-sanitize-recover=all", "-Wno-everything",
)  # fmt: skip


class Target(NamedTuple):
    """One fuzzer: its harness, what is compiled into it, how long an input may be."""

    source: str
    defines: tuple[str, ...]
    longest: int
    seeds: str


TARGETS: Final = {
    "decode": Target("signalling.c", (), 600, "messages"),
    "correlate": Target("signalling.c", ("-DCORRELATE",), 4096, "streams"),
    "capture": Target("capture.c", (), 4096, "captures"),
}
#: libFuzzer's exit code after SIGINT.
INTERRUPTED: Final = 72
#: Compiled modules under test, which the signalling targets load.
MODULES: Final = ("marketing/decode/columns", "marketing/correlate/table")


def say(line: str) -> None:
    sys.stderr.write(line + "\n")


def compiler() -> str:
    for name in (os.environ.get("CC", ""), "clang", *(f"clang-{n}" for n in range(21, 10, -1))):
        found = shutil.which(name) if "clang" in name else None
        if found:
            return found
    say("clang is missing (Debian: apt-get install clang libclang-rt-14-dev)")
    raise SystemExit(2)


def call(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], check=True)


def build_modules(work: Path, clang: str) -> Path:
    """A copy of the platform's Python with its compiled modules instrumented; gives its folder."""
    tree = work / "platform"
    shutil.rmtree(tree, ignore_errors=True)
    for name in ("marketing", "sigtran"):
        ignore = shutil.ignore_patterns("*.so", "*.c", "__pycache__")
        shutil.copytree(PLATFORM / name, tree / name, ignore=ignore)
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    include = sysconfig.get_path("include")
    for module in MODULES:
        c_file = work / f"{Path(module).name}.c"
        call(sys.executable, "-m", "cython", "-3", "-I", PLATFORM, PLATFORM / f"{module}.pyx", "-o", c_file)
        call(
            clang, "-shared", "-fPIC", *FLAGS, f"-fsanitize={SANITIZERS},fuzzer-no-link", "-I", include,
            "-I", (PLATFORM / module).parent, c_file, "-o", tree / f"{module}{suffix}",
        )  # fmt: skip
    return tree


def build(target: Target, program: Path, clang: str, *more: str) -> None:
    """Compile a harness; `more` are further options of the compiler."""
    variables = sysconfig.get_config_vars()
    python = []
    if target.source == "signalling.c":
        python = [
            f"-I{sysconfig.get_path('include')}", f"-L{variables['LIBDIR']}",
            f"-Wl,-rpath,{variables['LIBDIR']}",
            f"-lpython{variables['LDVERSION']}",
        ]  # fmt: skip
    call(
        clang, *FLAGS, *target.defines, *more, f"-fsanitize={SANITIZERS},fuzzer", f"-I{PLATFORM / 'sigtran'}",
        HERE / target.source, "-o", program, *python, "-lm",
    )  # fmt: skip


def write_seeds(folder: Path, inputs: Iterable[bytes]) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for octets in inputs:
        (folder / hashlib.sha1(octets, usedforsecurity=False).hexdigest()).write_bytes(octets)
        count += 1
    return count


def environment(tree: Path) -> dict[str, str]:
    """Python in the fuzzer: instrumented modules first; all memory from malloc, so that reads are watched."""
    paths = [str(tree), *(p for p in sys.path if p.endswith("site-packages"))]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONHOME": sys.base_prefix,
        "PYTHONMALLOC": "malloc",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; without: all")
    parser.add_argument("--seconds", type=int, default=3600, help="how long each target runs (3600)")
    parser.add_argument("--seed", type=int, default=1, help="libFuzzer's seed (1)")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "fuzz", help="folder for all it makes")
    parser.add_argument("--reproduce", type=Path, metavar="FILE", help="run one input instead")
    given = parser.parse_args()
    unknown = [name for name in given.targets if name not in TARGETS]
    if unknown:
        parser.error(f"{', '.join(unknown)}: a target is one of {', '.join(TARGETS)}")
    work: Path = given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    clang = compiler()
    tree = build_modules(work, clang)
    worst = 0
    for name in given.targets or TARGETS:
        program = work / f"fuzz_{name}"
        build(TARGETS[name], program, clang)
        if given.reproduce:
            return subprocess.run([program, given.reproduce], env=environment(tree), check=False).returncode
        worst = max(worst, fuzz(name, program, work, tree, given.seconds, given.seed))
    return worst


def fuzz(name: str, program: Path, work: Path, tree: Path, seconds: int, seed: int) -> int:
    """Run one target; 0, or 3 with a finding."""
    import seeds

    corpus, findings = work / "corpus" / name, work / "findings" / name
    findings.mkdir(parents=True, exist_ok=True)
    start = work / "seeds" / name
    say(f"{name}: {write_seeds(start, getattr(seeds, TARGETS[name].seeds)())} inputs to start from")
    corpus.mkdir(parents=True, exist_ok=True)
    log = work / f"{name}.log"
    began = time.monotonic()
    with log.open("w") as out:
        done = subprocess.run(
            [
                program, corpus, start, f"-max_total_time={seconds}", f"-seed={seed}", "-timeout=10",
                f"-max_len={TARGETS[name].longest}", "-print_final_stats=1", "-rss_limit_mb=2048",
                "-use_value_profile=1", f"-artifact_prefix={findings}/",
            ],
            stderr=out, env=environment(tree), check=False, cwd=work,
        )  # fmt: skip
    text = log.read_text(errors="replace")
    executed = re.findall(r"number_of_executed_units:\s*(\d+)", text)
    covered = re.findall(r"cov: (\d+) ft: (\d+)", text)
    say(
        f"{name}: {executed[-1] if executed else '?'} executions in {time.monotonic() - began:.0f} s, "
        f"coverage {' counters, '.join(covered[-1]) if covered else '?'} features, log {log}"
    )
    if done.returncode == INTERRUPTED:
        say(f"{name}: stopped before its time; nothing found so far")
        return 1
    if done.returncode:
        say(f"{name}: A FINDING, exit code {done.returncode}: see {findings} and the end of {log}")
        return 3
    say(f"{name}: nothing found")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    sys.exit(main())
