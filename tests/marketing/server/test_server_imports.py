"""A running platform takes in a new extract and lists: decisions change, what it remembers stays."""

import httpx

DAY = "2009-03-02"
CALL = {"kind": "call_ended", "role": 1, "peer": b"10086"}


def running(platform, **changes):
    one = platform(
        mode="live",
        clock={"mode": "live", "start_s": 36_000, "factor": 1.0},
        imports={"dir": "imports", "poll_s": 0.05},
        **changes,
    )
    url, headers = one.door
    door = httpx.Client(base_url=url, timeout=60, trust_env=False, headers=headers)
    return one, door


def people(town, subs):
    rows = (f"{town.imsi(i):015d},{town.msisdn(i)},gotone,true,false,,zh" for i in subs)
    return "\n".join(("imsi,msisdn,brand,often_off,often_rejects,services,language", *rows)) + "\n"


def call(town, sub, corr):
    return {"t": f"{DAY} 10:00:{corr:02d}", "sub": sub, "corr": corr, **CALL}


def test_a_new_extract_is_in_force_at_once_and_contacts_stay_counted(town, platform):
    one, door = running(platform)
    with door:
        one.push(call(town, 0, 1), call(town, 30, 2))  # nobody knows 30
        one.until(lambda: len(one.centre.submits) == 1)
        assert one.server.engine.state.unknown_imsi == 1
        # 30 comes before all others now: every row moves.
        answer = door.put("/imports/profiles", content=people(town, [30, *range(20)][::-1]).encode())
        assert (answer.status_code, answer.json()["in_force"]) == (200, 21)
        one.until(lambda: len(one.server.engine.state.profiles) == 21)
        one.push(call(town, 0, 3), call(town, 30, 4), call(town, 19, 5))
        one.until(lambda: len(one.centre.submits) == 3)
        reached = {submit.destination_addr for submit in one.centre.submits}
        assert reached == {town.msisdn(0), town.msisdn(30), town.msisdn(19)}
    assert one.stop() == 0
    by = [(t["msisdn"], t["state"], t["reason"]) for t in one.records().triggers]
    assert by.count((town.msisdn(0), "sent", "")) == 1
    assert (town.msisdn(0), "suppressed", "duplicate") in by


def test_whoever_comes_back_has_the_contacts_and_the_stop_code_of_before(town, platform):
    one, door = running(platform)
    with door:
        one.push(call(town, 0, 1), call(town, 1, 2))
        one.until(lambda: len(one.centre.submits) == 2)
        first = next(s for s in one.centre.submits if s.destination_addr == town.msisdn(1))
        one.centre.reply(town.msisdn(1), first.source_addr, "TD", town.at(f"{DAY} 10:00"))
        row = one.server.engine.state.profiles.row_of_msisdn(town.msisdn(1))
        one.until(lambda: one.server.engine.state.book.do_not_disturb_us[row] < 2**62)
        for subs in (range(5, 20), range(20)):
            assert door.put("/imports/profiles", content=people(town, subs).encode()).status_code == 200
            one.until(lambda n=len(subs): len(one.server.engine.state.profiles) == n)
        one.push(call(town, 0, 3), call(town, 1, 4), call(town, 7, 5))
        one.until(lambda: len(one.centre.submits) == 3)
    assert one.stop() == 0
    by = [(t["msisdn"], t["state"], t["reason"]) for t in one.records().triggers]
    assert (town.msisdn(0), "suppressed", "duplicate") in by
    assert (town.msisdn(1), "suppressed", "do_not_disturb") in by


def test_an_imported_do_not_disturb_list_holds_at_once_and_after_a_restart(town, platform):
    one, door = running(platform)
    with door:
        incoming = one.folder / "imports" / "incoming" / "do-not-disturb"
        (incoming / "x.part").write_text(f"msisdn\n{town.msisdn(3)}\n")
        (incoming / "x.part").rename(incoming / "x.csv")
        row = one.server.engine.state.profiles.row_of_msisdn(town.msisdn(3))
        one.until(lambda: one.server.engine.state.book.do_not_disturb_us[row] == 0)
        one.push(call(town, 3, 1), call(town, 4, 2))
        one.until(lambda: len(one.centre.submits) == 1)
        assert one.centre.submits[0].destination_addr == town.msisdn(4)
        bad = door.put("/imports/profiles", content=b"imsi,msisdn\nx,y\n")
        assert bad.status_code == 422
        assert len(one.server.engine.state.profiles) == 20
        assert door.get("/healthz").status_code == 200
    assert one.stop() == 0
    from marketing.starting import load_started

    started = load_started(one.config)
    assert started.told.manifest.generation == 1
    assert started.state.book.do_not_disturb_us[row] == 0
