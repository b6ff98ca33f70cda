"""Executors: the same results from each, errors that name their job, deaths, nothing left behind."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.child import environment
from experiments.problems import BadInput, RunInvalid
from experiments.running.executor import InProcess, JobError, JobLost, cpus_available, executor_of
from experiments.running.processes import Processes

HERE = Path(__file__).parent


def of(jobs, values, **more):
    return [jobs.Job(f"job/{value:03}", value, **more) for value in values]


EXECUTORS = pytest.mark.parametrize("executor", [InProcess(), Processes(2), Processes(5)], ids=str)


@EXECUTORS
def test_every_executor_gives_the_same_results_under_their_keys(executor, jobs):
    found = dict(executor.map(jobs.square, of(jobs, range(7)), key=jobs.key_of))
    assert found == {f"job/{n:03}": {"square": n * n, "tuple": (1, 2.5)} for n in range(7)}
    assert list(executor.map(jobs.square, [], key=jobs.key_of)) == []


@EXECUTORS
def test_an_error_names_its_job(executor, jobs):
    with pytest.raises(JobError, match="job job/003: ZeroDivisionError: three is too much") as raised:
        list(executor.map(jobs.fails, of(jobs, range(8)), key=jobs.key_of))
    assert raised.value.key == "job/003"
    told = "".join(getattr(raised.value, "__notes__", [])) + repr(raised.value.__cause__)
    assert "ZeroDivisionError" in told
    with pytest.raises(RunInvalid, match="job job/001: nothing was received"):
        list(executor.map(jobs.invalid, of(jobs, [1]), key=jobs.key_of))
    with pytest.raises(BadInput) as wrong:
        list(executor.map(jobs.bad, of(jobs, [1]), key=jobs.key_of))
    assert wrong.value.lines == ("job job/001: one", "job job/001: two")


@EXECUTORS
def test_two_jobs_with_one_key_are_refused(executor, jobs):
    with pytest.raises(ValueError, match="two jobs with the key 'job/001'"):
        list(executor.map(jobs.square, of(jobs, [1, 1]), key=jobs.key_of))


def test_what_cannot_be_sent_is_an_error_of_its_job(jobs):
    executor = Processes(2)
    with pytest.raises(JobError, match=r"job a: it cannot be sent to another process"):
        list(executor.map(jobs.square, [lambda: 0], key=lambda job: "a"))
    with pytest.raises(JobError, match=r"job job/001: .*pickle"):
        list(executor.map(jobs.unpicklable, of(jobs, [1]), key=jobs.key_of))


def test_a_job_whose_process_dies_is_begun_again(jobs, tmp_path):
    made = [jobs.Job(f"j{n}", 2 if n == 1 else 0, tmp_path) for n in range(5)]
    found = dict(Processes(2).map(jobs.once_killed, made, key=jobs.key_of))
    assert found == {"j0": 0, "j1": 2, "j2": 0, "j3": 0, "j4": 0}
    assert [(tmp_path / f"j{n}").stat().st_size for n in range(5)] == [1, 3, 1, 1, 1]


def test_a_job_whose_process_always_dies_is_named(jobs, tmp_path):
    made = [jobs.Job(f"j{n}", 99 if n == 2 else 0, tmp_path) for n in range(4)]
    with pytest.raises(
        JobLost, match=r"job j2: its process was killed by signal 9 \(out of memory\?\), 3 times"
    ):
        list(Processes(2).map(jobs.once_killed, made, key=jobs.key_of))
    assert (tmp_path / "j2").stat().st_size == 3


def test_memory_does_not_grow_with_the_number_of_results(jobs):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = 4_000_000
    for _, result in Processes(2).map(jobs.fills, of(jobs, [size + n for n in range(40)]), key=jobs.key_of):
        assert len(result) >= size
        del result
    grown_octets = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown_octets < 10 * size, "of 40 results of 4 MB"


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"  # ended, and nobody has asked how
    return True


def wait_until(condition, timeout_s=30.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def begun(folder, names):
    wait_until(lambda: all((folder / name).exists() for name in names))
    return [int(pid) for name in names for pid in (folder / name).read_text().split()]


def test_whoever_stops_listening_leaves_no_process(jobs, tmp_path):
    made = [jobs.Job("quick", 0, tmp_path), *(jobs.Job(f"j{n}", 0, tmp_path) for n in range(3))]
    results = Processes(2).map(jobs.once_killed, made, key=jobs.key_of)
    next(results)
    results.close()
    assert not [p for p in Path("/proc").glob("[0-9]*") if child_of_ours(p)]


def child_of_ours(entry):
    with contextlib.suppress(OSError):
        line = (entry / "cmdline").read_bytes()
        parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        return b"job_process" in line and parent == os.getpid()
    return False


PROGRAM = """
import sys
sys.path.insert(0, {here!r})
from pathlib import Path
import executor_jobs as jobs
from experiments.running.processes import Processes
folder = Path({folder!r})
try:
    list(Processes(2).map(jobs.sleeps, [jobs.Job(f"j{{n}}", 0, folder) for n in range(4)], key=jobs.key_of))
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_ctrl_c_or_a_kill_of_the_parent_leaves_no_process(number, code, tmp_path):
    program = PROGRAM.format(here=str(HERE), folder=str(tmp_path))
    with (tmp_path / "said").open("w") as said:
        parent = subprocess.Popen([sys.executable, "-c", program], stderr=said, env=environment())
    try:
        pids = begun(tmp_path, ["j0", "j1"])
        assert len(pids) == 4
        parent.send_signal(number)
        parent.wait(60)
    finally:
        parent.kill()
        parent.wait()
    assert (parent.returncode, (tmp_path / "said").read_text()) == (code, "")
    # A job's own children end with it where it was told to stop; a kill of all leaves them to themselves.
    theirs = pids if number == signal.SIGINT else pids[::2]
    wait_until(lambda: all(gone(pid) for pid in theirs))
    for pid in set(pids) - set(theirs):
        os.kill(pid, signal.SIGKILL)


def test_jobs_have_one_thread_and_print_to_standard_error(jobs, capfd, monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert list(Processes(2).map(jobs.threads, of(jobs, [1]), key=jobs.key_of)) == [("job/001", "1")]
    assert capfd.readouterr() == ("", "this is no result\n")


def test_the_command_line_chooses():
    assert executor_of(1) == InProcess()
    assert executor_of(3) == Processes(3)
    expected = InProcess() if cpus_available() == 1 else Processes(cpus_available())
    assert executor_of() == expected
    with pytest.raises(BadInput, match="--processes 0: expected one or more"):
        executor_of(0)
    with pytest.raises(BadInput, match="expected one of them"):
        executor_of(2, "tcp://127.0.0.1:1")
