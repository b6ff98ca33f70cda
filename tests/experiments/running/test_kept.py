"""What a run keeps: no job is done twice, and never is another job's result taken for it."""

import json
import resource
import signal
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from experiments.problems import BadInput
from experiments.running.describing import apart, described
from experiments.running.executor import InProcess, JobError
from experiments.running.kept import Kept
from experiments.running.processes import Processes
from marketing.config import Strict


class Offer(Strict):
    name: str = "ring"
    share: float = 0.5


@dataclass(frozen=True, slots=True)
class Job:
    number: int
    file: Path
    who: np.ndarray
    offer: Offer = field(default_factory=Offer)
    settings: tuple[tuple[str, float], ...] = (("a", 0.1),)


DONE = []


def double(job):
    DONE.append(job.number)
    if job.number == 7:
        raise KeyboardInterrupt
    return {"n": job.number * 2, "pair": (job.number, None), "share": job.number / 3}


def triple(job):
    return job.number * 3


def no_json(job):
    return {"who": job.who}


def key(job):
    return f"jobs/n{job.number}"


@pytest.fixture
def made(tmp_path):
    (tmp_path / "world.yaml").write_text("subscribers: 5")
    DONE.clear()
    return [Job(n, tmp_path / "world.yaml", np.arange(n)) for n in range(6)]


def test_a_broken_off_run_goes_on_with_what_lacks(made, tmp_path):
    whole = dict(Kept(tmp_path / "whole", InProcess()).map(double, made, key=key))
    DONE.clear()
    kept = Kept(tmp_path / "kept", InProcess())
    broken = [*made[:3], replace(made[0], number=7)]
    with pytest.raises(KeyboardInterrupt):
        list(kept.map(double, broken, key=key))
    assert DONE == [0, 1, 2, 7]
    assert dict(kept.map(double, made, key=key)) == whole
    assert DONE == [0, 1, 2, 7, 3, 4, 5]
    assert dict(kept.map(double, made, key=key)) == whole
    assert len(DONE) == 7
    assert whole["jobs/n4"] == {"n": 8, "pair": [4, None], "share": 4 / 3}


CHANGES = {
    "number": (lambda job: replace(job, number=1, who=job.who), r"job\.number was int 3 and is int 1"),
    "array": (lambda job: replace(job, who=np.array([0, 1, 3])), r"job\.who was <i8 \(3,\)"),
    "kind of array": (lambda job: replace(job, who=job.who.astype(np.int32)), r"and is <i4 \(3,\)"),
    "model": (lambda job: replace(job, offer=Offer(share=0.25)), r"job\.offer\.share was float 0\.5 and"),
    "mapping": (lambda job: replace(job, settings=()), r"job\.settings was 1 values and is 0 values"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_job_is_refused_with_what_differs(change, made, tmp_path):
    kept = Kept(tmp_path / "kept", InProcess())
    named = "one"
    list(kept.map(double, made[3:4], key=lambda job: named))
    changed, said = CHANGES[change]
    DONE.clear()
    with pytest.raises(BadInput, match=rf"kept/one.json: kept of another job: .*{said}"):
        list(kept.map(double, [changed(made[3])], key=lambda job: named))
    assert DONE == []


def test_a_changed_file_function_or_program_is_refused(made, tmp_path, monkeypatch):
    kept = Kept(tmp_path / "kept", InProcess())
    list(kept.map(double, made, key=key))
    with pytest.raises(BadInput, match=r"function was \S+\.double and is \S+\.triple"):
        list(kept.map(triple, made, key=key))
    made[0].file.write_text("subscribers: 6")
    with pytest.raises(
        BadInput, match=r"job\.file was file world\.yaml \S+ and is file world\.yaml"
    ) as wrong:
        list(kept.map(double, made, key=key))
    assert wrong.value.lines[-1] == "and 1 more kept results"
    made[0].file.write_text("subscribers: 5")
    list(kept.map(double, made, key=key))
    other = {"kairos": "9", "sources": "x", "numpy": "1"}
    monkeypatch.setattr("experiments.running.describing.identity", lambda: other)
    with pytest.raises(BadInput, match=r"program\.kairos was \S+ and is 9"):
        list(kept.map(double, made, key=key))


def test_a_moved_folder_is_the_same(made, tmp_path):
    kept = Kept(tmp_path / "kept", InProcess())
    list(kept.map(double, made, key=key))
    other = tmp_path / "elsewhere" / "world.yaml"
    other.parent.mkdir()
    made[0].file.rename(other)
    DONE.clear()
    list(kept.map(double, [replace(job, file=other) for job in made], key=key))
    assert DONE == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": "kairos.kept/1"}'])
def test_a_damaged_result_is_said(text, made, tmp_path):
    kept = Kept(tmp_path / "kept", InProcess())
    list(kept.map(double, made, key=key))
    (tmp_path / "kept" / "jobs" / "n2.json").write_text(text)
    with pytest.raises(BadInput, match=r"n2\.json.*; remove it to do this job again"):
        list(kept.map(double, made, key=key))


def test_a_result_whose_digest_was_tampered_with_is_refused(made, tmp_path):
    kept = Kept(tmp_path / "kept", InProcess())
    list(kept.map(double, made, key=key))
    file = tmp_path / "kept" / "jobs" / "n2.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"digest": "0"}))
    with pytest.raises(BadInput, match="its digest is not that of what it says"):
        list(kept.map(double, made, key=key))


@pytest.mark.parametrize("name", ["../x", "a//b", "/a", "", "a/.b", "a b", "é"])
def test_keys_are_file_names(name, made, tmp_path):
    with pytest.raises(ValueError, match="expected letters"):
        list(Kept(tmp_path, InProcess()).map(double, made[:1], key=lambda job: name))


def test_what_is_no_json_and_what_has_no_description_are_said(made, tmp_path):
    kept = Kept(tmp_path / "kept", InProcess())
    with pytest.raises(JobError, match="job jobs/n1: its result cannot be kept as JSON"):
        list(kept.map(no_json, made[1:2], key=key))
    with pytest.raises(TypeError, match=r"job\.settings: a object cannot be part of a job"):
        described(double, replace(made[0], settings=object()))


def test_numbers_that_are_none_come_back(tmp_path):
    kept = Kept(tmp_path / "kept", InProcess())
    for _ in range(2):
        ((_, found),) = kept.map(float, ["nan"], key=lambda job: "a")
        assert found != found


def test_descriptions_name_every_leaf():
    was, now = ({"a": "1", "b": "2"}, {"b": "2", "c": "x" * 90})
    assert apart(was, now) == ["a was 1 and is not there", f"c was not there and is {'x' * 57}..."]


def test_a_full_disk_damages_nothing(jobs, tmp_path):
    """The system itself refuses to let the file grow."""
    kept = Kept(tmp_path / "kept", Processes(2))
    made = [jobs.Job(f"j{n}", n) for n in range(6)]
    first = dict(kept.map(jobs.square, made[:3], key=jobs.key_of))
    before = {file: file.read_bytes() for file in (tmp_path / "kept").iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        with pytest.raises(OSError, match="File too large"):
            list(kept.map(jobs.square, made, key=jobs.key_of))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert {file: file.read_bytes() for file in (tmp_path / "kept").iterdir()} == before
    found = dict(kept.map(jobs.square, made, key=jobs.key_of))
    assert len(found) == 6
    assert {name: found[name] for name in first} == first
