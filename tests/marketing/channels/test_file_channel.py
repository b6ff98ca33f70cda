"""Interface files and their results: whole or not at all, each contact settled once; agents with capacity."""

import asyncio
import json
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing.channels import Answer, FileChannel, Receipt
from sim.backoffice.outbound import OutboundDesk

ZONE = ZoneInfo("Asia/Shanghai")
SECOND, HOUR = 1_000_000, 3_600_000_000


class Site:
    def __init__(self, folder, now_us, **keys):
        self.folder, self.now_us, self.inbound = folder, now_us, []
        self.channel = FileChannel(
            "outbound",
            folder,
            lambda: self.now_us,
            self.inbound.append,
            ZONE,
            keys.pop("gather_s", 0.0),
            **keys,
        )

    def results(self, text, name="r1.csv"):
        (self.folder / "in").mkdir(parents=True, exist_ok=True)
        (self.folder / "in" / name).write_text(text, encoding="utf-8")

    def report(self, name="r1"):
        return json.loads((self.folder / "done" / f"{name}.report.json").read_text())


@pytest.fixture
def play(tmp_path, desk):
    """`play(story)`: with a channel that has written contacts 1, 2 and 3."""

    def run(story, folder=tmp_path / "outbound", contacts=3, **keys):
        async def whole():
            site = Site(folder, desk.NOW_US, **keys)
            await site.channel.start()
            waiting = [site.channel.submit(desk.message("outbound", n), 10.0) for n in range(1, contacts + 1)]
            assert {(await one).state for one in waiting} <= {"submitted"}
            await story(site)
            await site.channel.close()

        asyncio.run(whole())

    return run


def ids(*numbers):
    return [f"{n:016x}" for n in numbers]


def test_lines_of_one_round_are_one_file_with_its_columns(play):
    async def story(site):
        (path,) = (site.folder / "out").iterdir()
        assert path.name == "outbound-20070605T080000Z-1.csv"
        header, first, *_ = path.read_text(encoding="utf-8").splitlines()
        assert header == "contact_id,msisdn,campaign,offer,originator,valid_until,text"
        assert first == (
            "0000000000000001,8613900000001,alert,alert-pack,1008601,2007-06-05T17:00:00+08:00,"
            "您好，回复1开通。Hello!"
        )

    play(story)


def test_results_settle_each_contact_once(play, desk):
    async def story(site):
        one, two, three = ids(1, 2, 3)
        site.results(
            f"contact_id,result,t\n{one},accepted,2007-06-05T15:30:00\n{two},not_reached,2007-06-05T07:40:00Z\n"
            f"{one},refused,2007-06-05T15:50:00\n{'f' * 16},accepted,2007-06-05T15:30:00\n"
            f"{three},danced,2007-06-05T15:30:00\n{three},thinking,soon\n"
        )
        site.channel.tend()
        at_us = desk.NOW_US - HOUR // 2
        assert site.inbound == [
            Receipt(at_us, f"outbound:{one}", "delivered"),
            Answer(at_us, one, "outbound", "accept"),
            Receipt(at_us + 600 * SECOND, f"outbound:{two}", "failed"),
        ]
        assert site.report() == {
            "lines": 6, "settled": 2, "duplicates": 1, "unknown": ["f" * 16],
            "bad": ["line 6: result 'danced' is not known", "line 7: t 'soon' is not known"],
        }  # fmt: skip
        site.results(f"contact_id,result,t\n{one},accepted,2007-06-05T15:30:00\n", "r2.csv")
        site.channel.tend()
        assert len(site.inbound) == 3
        assert not list((site.folder / "in").iterdir())

    play(story)


def test_who_thinks_about_it_may_still_say_yes(play):
    async def story(site):
        (one,) = ids(1)
        for said in ("thinking", "thinking", "accepted", "refused"):
            site.results(f"contact_id,result,t\n{one},{said},2007-06-05T15:30:00\n")
            site.channel.tend()
        assert [type(i).__name__ for i in site.inbound] == ["Receipt", "Answer", "Answer", "Answer"]
        assert [i.said for i in site.inbound[1:]] == ["think", "think", "accept"]

    play(story)


def test_a_desk_whose_clock_is_ahead_is_not_believed(play, desk):
    async def story(site):
        site.results(f"contact_id,result,t\n{ids(1)[0]},refused,2007-06-06T15:30:00\n")
        site.channel.tend()
        assert {i.t_us for i in site.inbound} == {desk.NOW_US}

    play(story)


BROKEN = ["", "x", "a,b\n1,2\n", "contact_id,result,t\n" + "x" * 2000, 'contact_id,result,t\n"open', "\x00"]


@pytest.mark.parametrize("text", BROKEN)
def test_files_that_are_none_are_put_away_and_said_so(play, text):
    async def story(site):
        site.results(text)
        site.channel.tend()
        assert not site.inbound
        assert site.report()["settled"] == 0
        assert text.count("\n") == 1 or site.report()["bad"]

    play(story)


@given(st.binary(max_size=300))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_lies_there_is_put_away(tmp_path, data):
    site = Site(tmp_path / "fuzz", 0)
    (site.folder / "in").mkdir(parents=True, exist_ok=True)
    (site.folder / "done").mkdir(parents=True, exist_ok=True)
    (site.folder / "in" / "x.csv").write_bytes(data)
    site.channel.tend()
    assert not list((site.folder / "in").iterdir())
    assert not site.inbound


def test_a_file_that_is_being_written_is_left_alone(play):
    async def story(site):
        site.results("contact_id,result,t\n", ".r1.csv")
        site.results("contact_id,result,t\n", "r1.csv.partial")
        site.channel.tend()
        assert len(list((site.folder / "in").iterdir())) == 2

    play(story)


def test_after_a_restart_results_of_earlier_files_are_understood_and_duplicates_too(play, tmp_path):
    one, two, _ = ids(1, 2, 3)

    async def before(site):
        site.results(f"contact_id,result,t\n{one},accepted,2007-06-05T15:30:00\n")
        site.channel.tend()
        (site.folder / "taken").mkdir()
        for path in list((site.folder / "out").iterdir()):
            path.rename(site.folder / "taken" / path.name)
        (site.folder / "out" / ".outbound-x.csv.partial").write_text("half")

    async def after(site):
        assert not list((site.folder / "out").iterdir())  # what was half written has never been there
        site.results(
            f"contact_id,result,t\n{one},accepted,2007-06-05T15:30:00\n{two},refused,2007-06-05T15:31:00\n"
        )
        site.channel.tend()
        assert [i.contact_id for i in site.inbound if isinstance(i, Answer)] == [two]
        assert site.report("r1-2")["duplicates"] == 1

    play(before)
    play(after, contacts=0)


def test_a_full_file_is_written_at_once_and_the_rest_at_the_end(play, desk):
    async def story(site):
        waiting = [
            asyncio.ensure_future(site.channel.submit(desk.message("outbound", n), 1e6)) for n in range(1, 8)
        ]
        await asyncio.sleep(0.05)
        assert [one.done() for one in waiting] == [True] * 6 + [False]
        await site.channel.close()
        assert (await waiting[6]).state == "submitted"
        assert len(list((site.folder / "out").iterdir())) == 3

    play(story, contacts=0, gather_s=3600.0, most=3)


def test_what_is_taken_back_stands_in_a_stop_file(play):
    async def story(site):
        (one,) = ids(1)
        assert not await site.channel.cancel(f"outbound:{one}", "1008601", "x")  # it may be too late
        assert not await site.channel.cancel("outbound:nobody", "1008601", "x")
        (stop,) = (site.folder / "out").glob("stop-*.csv")
        assert stop.read_text() == f"contact_id\n{one}\n"

    play(story)


def test_agents_call_whom_they_reach_within_their_capacity(play, desk):
    says = {"8613900000002": "refused", "8613900000004": "thinking"}

    async def story(site):
        centre = OutboundDesk(
            site.folder, agents=2, calls_per_hour=12,
            reachable=lambda msisdn, t_us: msisdn != "8613900000003",
            answer=lambda msisdn, offer, t_us: says.get(msisdn, "accepted"),
            again_us=600 * SECOND,
        )  # fmt: skip
        await site.channel.cancel(f"outbound:{ids(5)[0]}", "1008601", "8613900000005")
        found = dict(centre.work(desk.NOW_US, desk.NOW_US + HOUR // 2))
        assert found == dict(
            zip(
                ids(1, 2, 3, 4, 6, 7, 8),
                ["accepted", "refused", "not_reached", "thinking", *["accepted"] * 3],
                strict=True,
            )
        )
        by_agent = [[c for c in centre.calls if c.agent == agent] for agent in (0, 1)]
        for calls in by_agent:  # nobody speaks with two at a time
            gaps = [b.t_us - a.t_us for a, b in pairwise(calls) if a.reached]
            assert min(gaps) >= 300 * SECOND
        assert [c.reached for c in centre.calls if c.msisdn == "8613900000003"] == [False] * 3
        site.now_us += HOUR
        site.channel.tend()
        assert len([i for i in site.inbound if isinstance(i, Receipt)]) == 7
        assert not centre.waiting

    play(story, contacts=8)


def test_nobody_is_called_after_the_contact_has_ended_or_the_desk_has_closed(play, desk):
    async def story(site):
        centre = OutboundDesk(
            site.folder, agents=1, calls_per_hour=1, reachable=lambda *_: True, answer=lambda *_: "accepted"
        )
        late = centre.work(desk.NOW_US, desk.NOW_US + 24 * HOUR)  # valid for an hour, one call an hour
        assert [said for _, said in late] == ["accepted", "expired", "expired"]
        assert len(centre.calls) == 1
        night = OutboundDesk(
            site.folder, agents=1, calls_per_hour=60, reachable=lambda *_: True, answer=lambda *_: "accepted"
        )
        assert night._opens_us(desk.NOW_US + 6 * HOUR) == desk.NOW_US + 17 * HOUR  # 22:00 -> 09:00

    play(story)


def test_no_text_is_a_formula_where_the_file_is_opened(play, desk):
    async def story(site):
        text = '=HYPERLINK("http://x")\r\n+1'
        await site.channel.submit(desk.message("outbound", 1, text=text), 10.0)
        (path,) = (site.folder / "out").iterdir()
        assert path.read_text(encoding="utf-8").splitlines()[1].endswith('," =HYPERLINK(""http://x"") +1"')

    play(story, contacts=0)
