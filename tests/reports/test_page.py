"""The page comes from a run folder alone, holds what it must, and nothing from elsewhere."""

import json
import re

import pytest

from reports.figures import _ticks
from reports.page import NotReportable, write_report


@pytest.mark.parametrize(("valid", "live"), [(True, True), (False, True), (True, False)])
def test_a_page_from_the_folder_alone(tmp_path, valid, live, made_up_run):
    page = write_report(made_up_run(tmp_path, valid=valid, live=live))
    text = page.read_text()
    assert text.count("<svg") == (6 if live else 4)
    assert "raised take-up by 2.58 percentage points" in text
    assert ("This run is not valid" in text) is not valid
    assert "Hang-up SMS &lt;after&gt; a call" in text  # escaped
    assert "BROKEN" not in text
    assert "at 09:30" in text
    assert "ten in the morning" not in text
    assert ("1\N{NO-BREAK SPACE}600 triggers sent" in text) is not live
    said = "about 2 397 a second in all, beside the 2 000 of the schedule"
    assert (said in text.replace("\N{NO-BREAK SPACE}", " ")) is live
    assert ("In the live phase (" in text) is live
    assert "over by 1.4 s" in text


def test_arms_of_unequal_reach_have_no_winner(tmp_path, made_up_run):
    run = made_up_run(tmp_path)
    details = json.loads((run / "details.json").read_text())
    details["arms"]["blanket"]["reached"] = 600
    (run / "details.json").write_text(json.dumps(details))
    text = write_report(run).read_text()
    assert "did not reach as many people: precise 800 contacts to 700 people" in text
    assert "−14 % people" in text
    assert "raised take-up" not in text


def test_what_was_not_checked_has_no_tick(tmp_path, made_up_run):
    run = made_up_run(tmp_path, valid=False, live=False)
    summary, details = (json.loads((run / f"{n}.json").read_text()) for n in ("summary", "details"))
    summary["signalling"] = dict.fromkeys(summary["signalling"], 0)
    summary |= {"arms": {}, "uplift": {}}
    summary["triggers"] = {"total": 0, "sent": 0, "held": 0, "failed": 0, "suppressed": {}}
    details |= {"arms": {}, "signalling": {}}
    details["planned"]["live"] = True
    for name, values in (("summary", summary), ("details", details)):
        (run / f"{name}.json").write_text(json.dumps(values))
    text = write_report(run).read_text()
    assert text.count(">not checked<") == 6
    assert ">holds<" not in text


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (3.1, 45.0, [2, 5, 10, 20, 50]),
        (5.0, 5.0, [5, 10]),
        (0.3, 9.0, [0.2, 0.5, 1, 2, 5, 10]),
        (0.2, 30_000.0, [0.1, 1, 10, 100, 1000, 10_000, 100_000]),
    ],
)
def test_ticks_of_a_logarithmic_axis(low, high, ticks):
    assert _ticks(low, high) == ticks


def test_the_page_is_self_contained(tmp_path, made_up_run):
    text = write_report(made_up_run(tmp_path)).read_text()
    assert not re.search(r"<(script|link|img|iframe)\b", text)
    # Names of XML vocabularies are no addresses that a browser fetches.
    fetched = [u for u in re.findall(r'(?:src|href)="([^"]+)"', text) if not u.startswith("#")]
    assert fetched == []
    assert "@import" not in text
    assert re.search(r"url\((?!#)", text) is None


def test_ids_of_figures_do_not_collide(tmp_path, made_up_run):
    text = write_report(made_up_run(tmp_path)).read_text()
    referred = set(re.findall(r'(?:url\(|href=")#([\w-]+)', text))
    for name in referred:
        assert text.count(f'id="{name}"') == 1, name


def test_the_same_folder_gives_the_same_page(tmp_path, made_up_run):
    run = made_up_run(tmp_path / "run")
    one = write_report(run, tmp_path / "one.html").read_bytes()
    two = write_report(run, tmp_path / "two.html").read_bytes()
    assert one == two


def test_a_broken_promise_is_shown(tmp_path, made_up_run):
    run = made_up_run(tmp_path)
    summary = json.loads((run / "summary.json").read_text())
    summary["contacts"]["violations"]["cap"] = 3
    summary["signalling"]["lost"] = 1
    (run / "summary.json").write_text(json.dumps(summary))
    text = write_report(run).read_text()
    assert text.count("BROKEN") == 2
    assert "cap 3" in text


def test_a_folder_without_a_summary_says_so(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(NotReportable, match="stopped too early"):
        write_report(tmp_path)
