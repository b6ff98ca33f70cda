"""Who it was: COMMON ID, IMSI, IDENTITY RESPONSE, PAGING, and a TMSI known from before."""

from marketing.correlate import Correlator
from sim.bssap.procedures import Params

TMSI, NEW = Params().tmsi, Params().new_tmsi
LAC, OLD = Params().lac, Params().old_lac
IMSI = 1010000000001


def test_detach_by_tmsi_is_known_after_an_attach(wire):
    attach = wire.story("lu_attach", identity="imsi")
    detach = wire.story("detach", 90_000_000, tmsi=NEW)
    batch = wire.behaviours(attach + detach)
    assert wire.told(batch) == ["power_on", "power_off"]
    assert batch["imsi"].tolist() == [IMSI, IMSI]


def test_a_stranger_stays_unknown_and_is_counted(wire):
    for hold_us in (0, 200_000):
        correlator = Correlator(hold_us=hold_us)
        batch = wire.feed(correlator, wire.story("detach"))
        assert batch["imsi"].tolist() == [0]
        assert correlator.counters["unknown_identity"] == 1


def test_common_id_ties_the_old_and_the_new_tmsi(wire):
    correlator = Correlator(hold_us=0)
    wire.feed(correlator, wire.story("lu_normal"))
    assert correlator.imsi_of(OLD, TMSI) == IMSI
    assert correlator.imsi_of(LAC, NEW) == IMSI
    assert correlator.imsi_of(LAC, TMSI) == 0


def test_without_reallocation_the_tmsi_holds_in_the_new_area(wire):
    correlator = Correlator(hold_us=0)
    wire.feed(correlator, wire.story("lu_normal", reallocate=False))
    assert correlator.imsi_of(LAC, TMSI) == IMSI


def test_only_the_two_latest_of_a_subscriber_hold(wire):
    correlator = Correlator(hold_us=0)
    for i in range(5):
        wire.feed(correlator, wire.story("lu_attach", identity="imsi", new_tmsi=100 + i))
    assert [correlator.imsi_of(LAC, 100 + i) for i in range(5)] == [0, 0, 0, IMSI, IMSI]
    assert correlator.identities == 2


def test_a_tmsi_given_to_somebody_else_changes_its_meaning(wire):
    correlator = Correlator(hold_us=0)
    wire.feed(correlator, wire.story("lu_attach", identity="imsi", new_tmsi=5))
    wire.feed(correlator, wire.story("lu_attach", identity="imsi", imsi="001010000000009", new_tmsi=5))
    assert correlator.imsi_of(LAC, 5) == 1010000000009
    assert wire.feed(correlator, wire.story("detach", tmsi=5))["imsi"].tolist() == [1010000000009]


def test_paging_tells_in_every_area_it_names(wire):
    correlator = Correlator(hold_us=0)
    wire.feed(correlator, wire.story("paging_only", paging_lacs=(LAC, 0x2222, 0x3333)))
    assert [correlator.imsi_of(lac, TMSI) for lac in (LAC, 0x2222, 0x3333, 0x4444)] == [IMSI] * 3 + [0]


def test_a_response_that_overtook_its_page(wire):
    """Paging and connection are on different streams; COMMON ID lost, so the page is all there is."""
    messages = [m for m in wire.story("mt_sms") if m.name != "COMMON ID"]
    page, rest = messages[0], messages[1:]
    assert page.name == "PAGING"
    late = wire.Message(rest[-1].t_us, page.octets, page.stream)
    wanted = wire.plain(wire.behaviours(messages))
    assert wanted[0][1] == IMSI
    assert wire.plain(wire.behaviours([*rest, late], 200_000)) == wanted


def test_a_detach_that_overtook_the_reallocation(wire):
    attach = wire.story("lu_attach", identity="imsi")
    detach = wire.story("detach", 1_100_000, tmsi=NEW, bss_ref=1, msc_ref=2)
    accepted = next(m.t_us for m in attach if m.mark == "accepted")
    early = [wire.Message(accepted - 100_000, m.octets, m.stream) for m in detach]
    before = [m for m in attach if m.t_us < accepted - 100_000]
    batch = wire.behaviours([*before, *early, *attach[len(before) :]], 200_000)
    assert batch["imsi"].tolist() == [IMSI, IMSI]


def test_identity_response_names_the_subscriber(wire):
    messages = wire.story("lu_normal", ask_identity=True)
    messages = [m for m in messages if m.name != "COMMON ID"]
    assert wire.behaviours(messages)["imsi"].tolist() == [IMSI]


def test_an_area_of_another_network_is_no_area_of_ours(wire):
    """A TMSI given by another network in a location area with one of our numbers."""
    correlator = Correlator(hold_us=0)
    wire.feed(correlator, wire.story("lu_attach", identity="imsi", lac=OLD, new_tmsi=TMSI))
    visitor = wire.story("lu_reject", imsi="001010000000007")
    foreign = []
    for m in visitor:
        octets = m.octets
        if m.name == "LOCATION UPDATING REQUEST":
            area = bytes.fromhex("00f110") + OLD.to_bytes(2, "big")
            octets = octets.replace(area, bytes.fromhex("64f000") + OLD.to_bytes(2, "big"))
            assert octets != m.octets
        foreign.append(wire.Message(m.t_us, octets, m.stream, m.mark, m.name))
    batch = wire.feed(correlator, [m for m in foreign if m.name != "COMMON ID"])
    assert batch["imsi"].tolist() == [0]
