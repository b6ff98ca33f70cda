"""Inside the guest: osmo-stp, osmo-hlr, osmo-mgw and osmo-msc on one side, our BSC on the other.

Each check is a function; its outcome is one line of `checks.jsonl` in the folder given, what was said
meanwhile is in `exchange.jsonl`. A check that fails says why, and the others go on.
"""

# ruff: noqa: T201  # the guest's console is read when something fails

import json
import sys
import time
import traceback
from pathlib import Path

from bsc import Bsc, Link, Said, Surprise
from servers import Servers, subscribe
from stations import SPEECH, Station
from usim import Usim

from sim.bssap import dtap, mm, tpdu
from sim.bssap.cc_elements import Cause
from sim.bssap.elements import message
from sim.bssap.flat import jsonable
from sim.bssap.ss_components import decode_ussd
from sim.bssap.tpdu import TpAddress
from sim.bssap.user_data import text_user_data

#: TS 48.008 3.2.2.5.
RADIO_INTERFACE_FAILURE, O_AND_M_INTERVENTION = 0x01, 0x07
#: TS 24.008 table 10.5.123.
NORMAL_CLEARING, CALL_REJECTED = 16, 21
TEXT = "Grüße an Bernd: 10 € {Kairos}"

RINGING_S = 0.5
#: What our codec says of the STATUS of osmo-msc 1.9: octet 3 announces an octet 3a, so the cause is missing.
BROKEN_STATUS = "malformed STATUS: Cause: octet 2 is missing"

CARDS = {
    "001010000000001": Usim(bytes(range(16)), bytes(range(16, 32)), sqn=0x100000),
    "001010000000002": Usim(bytes(range(32, 48)), bytes(range(48, 64))),
    "001010000000003": Usim(bytes(range(64, 80)), bytes(range(80, 96))),
    "001010000000099": Usim(bytes(16), bytes(16)),
}
NUMBERS = {"001010000000001": "1001", "001010000000002": "1002", "001010000000003": "1003"}


class World:
    """The BSC and its stations; the HLR knows all but the stranger."""

    def __init__(self, bsc: Bsc) -> None:
        anna, bernd, clone, stranger = CARDS
        self.bsc = bsc
        # A USIM ahead of the HLR: the first authentication ends in a re-synchronisation.
        self.anna = Station(bsc, anna, "1001", CARDS[anna], release_99=True)
        self.bernd = Station(bsc, bernd, "1002", CARDS[bernd], release_99=False)
        self.clone = Station(bsc, clone, "1003", Usim(bytes(16), bytes(16)), release_99=False)
        self.stranger = Station(bsc, stranger, "1099", CARDS[stranger], release_99=False)


def _elements(said: Said) -> dict:
    return {name: jsonable(value) for name, value in said.message.elements}


def association_comes_up(world: World) -> dict:
    world.bsc.start()
    return {"events": [type(event).__name__ for event in world.bsc.events]}


def reset(world: World) -> dict:
    # TS 48.008 3.1.4.1.3: repeated when no answer comes; osmo-msc may still be on its way up.
    for _ in range(30):
        world.bsc.connectionless(message("RESET", {"Cause": O_AND_M_INTERVENTION}))
        try:
            return {"answer": world.bsc.await_unitdata("RESET ACKNOWLEDGE", 0.5).name}
        except Surprise:
            continue
    raise Surprise("no RESET ACKNOWLEDGE")


def _update(station: Station, kind: int) -> dict:
    link, said = station.update_location(kind=kind)
    cause = station.release(link)
    return {"heard": link.heard_names, "elements": _elements(said), "cleared": cause}


def location_update_with_usim(world: World) -> dict:
    return _update(world.anna, mm.UPDATING_NORMAL)


def location_update_with_sim(world: World) -> dict:
    return _update(world.bernd, mm.UPDATING_IMSI_ATTACH)


def location_update_of_a_stranger(world: World) -> dict:
    return _update(world.stranger, mm.UPDATING_NORMAL)


def location_update_with_the_wrong_key(world: World) -> dict:
    return _update(world.clone, mm.UPDATING_NORMAL)


def periodic_location_update(world: World) -> dict:
    before = world.anna.tmsi
    return _update(world.anna, mm.UPDATING_PERIODIC) | {"before": before}


def short_message_sent(world: World) -> dict:
    link, _ = world.anna.request_service(mm.SERVICE_SMS)
    sent = tpdu.Submit(TpAddress(world.bernd.msisdn, 0), text_user_data(TEXT), reference=7, validity=167)
    answer = world.anna.submit(link, sent)
    world.anna.release(link)
    return {
        "heard": link.heard_names,
        "answer": answer.message.name,
        "elements": jsonable(answer.message.elements),
    }


def short_message_received(world: World) -> dict:
    page = world.bsc.await_unitdata("PAGING")
    link = world.bernd.answer_page()
    delivered, _ = world.bernd.take_short_message(link)
    world.bernd.release(link)
    return {
        "page": {name: jsonable(value) for name, value in page.elements},
        "tmsi": world.bernd.tmsi,
        "heard": link.heard_names,
        "originator": str(delivered.originator),
        "text": delivered.user_data.text,
    }


def _hang_up(
    by: Station, link: Link, ti_flag: int, other: Station, other_link: Link, other_flag: int
) -> None:
    """DISCONNECT of one side, RELEASE of the network, and the same towards the other side."""
    cause = {"Cause": Cause(NORMAL_CLEARING)}
    by.say(link, dtap.PD_CC, "DISCONNECT", cause, ti_flag=ti_flag)
    by.until(link, "RELEASE")
    by.say(link, dtap.PD_CC, "RELEASE COMPLETE", ti_flag=ti_flag)
    by.release(link)
    said = other.until(other_link, "DISCONNECT", "RELEASE")
    if said.name == "DISCONNECT":
        other.say(other_link, dtap.PD_CC, "RELEASE", cause, ti_flag=other_flag)
        other.until(other_link, "RELEASE COMPLETE")
    else:
        other.say(other_link, dtap.PD_CC, "RELEASE COMPLETE", ti_flag=other_flag)
    other.release(other_link)


def call(world: World) -> dict:
    anna, bernd = world.anna, world.bernd
    link, _ = anna.request_service(mm.SERVICE_CALL)
    anna.set_up(link, bernd.msisdn)
    anna.until(link, "CALL PROCEEDING")
    asked = anna.until(link, "ASSIGNMENT REQUEST")
    anna.complete_assignment(link, asked)
    page = world.bsc.await_unitdata("PAGING")
    bernds = bernd.answer_page()
    set_up = bernd.until(bernds, "SETUP")
    bernd.say(bernds, dtap.PD_CC, "CALL CONFIRMED", ti_flag=1)
    asked_too = bernd.until(bernds, "ASSIGNMENT REQUEST")
    bernd.complete_assignment(bernds, asked_too)
    bernd.say(bernds, dtap.PD_CC, "ALERTING", ti_flag=1)
    anna.until(link, "ALERTING")
    # Nobody answers within milliseconds; osmo-msc has both streams joined by then, or refuses with cause 47.
    world.bsc.pause(RINGING_S)
    bernd.say(bernds, dtap.PD_CC, "CONNECT", ti_flag=1)
    bernd.until(bernds, "CONNECT ACKNOWLEDGE")
    anna.until(link, "CONNECT")
    anna.say(link, dtap.PD_CC, "CONNECT ACKNOWLEDGE")
    _hang_up(anna, link, 0, bernd, bernds, 1)
    return {
        "assignments": [_elements(asked), _elements(asked_too)],
        "page": {name: jsonable(value) for name, value in page.elements},
        "setup": _elements(set_up),
        "heard": [link.heard_names, bernds.heard_names],
    }


def emergency_call_refused_by_the_called(world: World) -> dict:
    """osmo-msc.cfg has emergency calls ring at Bernd's."""
    anna, bernd = world.anna, world.bernd
    link, _ = anna.request_service(mm.SERVICE_EMERGENCY_CALL)
    anna.say(link, dtap.PD_CC, "EMERGENCY SETUP", {"Bearer capability": SPEECH})
    anna.until(link, "CALL PROCEEDING")
    anna.say(link, dtap.PD_CC, "STATUS ENQUIRY")
    anna.until(link, "STATUS", BROKEN_STATUS)
    anna.say(link, dtap.PD_CC, "START DTMF", {"Keypad facility": ord("5")})
    anna.until(link, "START DTMF REJECT")
    world.bsc.await_unitdata("PAGING")
    bernds = bernd.answer_page()
    bernd.until(bernds, "SETUP")
    bernd.say(bernds, dtap.PD_CC, "RELEASE COMPLETE", {"Cause": Cause(CALL_REJECTED)}, ti_flag=1)
    bernd.release(bernds)
    said = anna.until(link, "RELEASE")
    anna.say(link, dtap.PD_CC, "RELEASE COMPLETE")
    anna.release(link)
    return {"heard": [link.heard_names, bernds.heard_names], "elements": _elements(said)}


def _failing_call(world: World, digits: str) -> dict:
    """A call that the network ends; the speech channel may still be asked for meanwhile."""
    anna = world.anna
    link, _ = anna.request_service(mm.SERVICE_CALL)
    anna.set_up(link, digits)
    anna.until(link, "CALL PROCEEDING")
    said = anna.until(link, "RELEASE", "DISCONNECT")
    if said.name == "DISCONNECT":
        anna.say(link, dtap.PD_CC, "RELEASE", {"Cause": Cause(NORMAL_CLEARING)})
        anna.until(link, "RELEASE COMPLETE")
    else:
        anna.say(link, dtap.PD_CC, "RELEASE COMPLETE")
    anna.release(link)
    return {"heard": link.heard_names, "said": said.name, "elements": _elements(said)}


def call_to_nobody(world: World) -> dict:
    return _failing_call(world, "1077")


def call_to_the_absent(world: World) -> dict:
    return _failing_call(world, world.bernd.msisdn)


def _ask(world: World, code: str) -> dict:
    link, _ = world.anna.request_service(mm.SERVICE_SS)
    said = world.anna.ask(link, code)
    world.anna.release(link)
    component = said.message["Facility"][0]
    text = decode_ussd(component.parameter).text if component.kind == "returnResult" else None
    return {"heard": link.heard_names, "component": component.kind, "code": component.code, "text": text}


def own_number(world: World) -> dict:
    return _ask(world, "*#100#")


def unknown_code(world: World) -> dict:
    return _ask(world, "*#555#")


def radio_lost(world: World) -> dict:
    link, _ = world.anna.request_service(mm.SERVICE_CALL)
    world.bsc.pause(0.1)  # until COMMON ID is here too
    world.bsc.send_bssmap(link, "CLEAR REQUEST", {"Cause": RADIO_INTERFACE_FAILURE})
    cause = world.anna.release(link)
    return {"heard": link.heard_names, "cleared": cause}


def detach(world: World) -> dict:
    link = world.bernd.detach()
    cause = world.bernd.release(link)
    return {"heard": link.heard_names, "cleared": cause}


def association_goes_down(world: World) -> dict:
    world.bsc.stop()
    return {"events": [type(event).__name__ for event in world.bsc.events]}


CHECKS = (
    association_comes_up,
    reset,
    location_update_with_usim,
    location_update_with_sim,
    location_update_of_a_stranger,
    location_update_with_the_wrong_key,
    periodic_location_update,
    short_message_sent,
    short_message_received,
    call,
    emergency_call_refused_by_the_called,
    call_to_nobody,
    own_number,
    unknown_code,
    radio_lost,
    detach,
    call_to_the_absent,
    association_goes_down,
)


def run(world: World, out: Path) -> None:
    """All checks, one after the other."""
    taken = 0
    with (out / "checks.jsonl").open("w") as outcomes, (out / "exchange.jsonl").open("w") as exchange:
        for check in CHECKS:
            outcome: dict = {"check": check.__name__}
            began = time.monotonic()
            try:
                outcome["found"] = check(world)
            except Exception as error:
                outcome["error"] = f"{type(error).__name__}: {error}"
                traceback.print_exc()
                world.bsc.abandon()
            outcome["ms"] = round(1000 * (time.monotonic() - began))
            outcomes.write(json.dumps(outcome) + "\n")
            print(json.dumps(outcome), flush=True)
            for at, direction, octets in world.bsc.exchange[taken:]:
                line = {"check": check.__name__, "t_unix_us": round(at * 1e6), "direction": direction}
                exchange.write(json.dumps(line | {"hex": octets.hex()}) + "\n")
            taken = len(world.bsc.exchange)


def main(out: Path) -> None:
    servers = Servers(out)
    try:
        servers.start()
        said = [
            line
            for imsi, msisdn in NUMBERS.items()
            for line in subscribe(imsi, msisdn, CARDS[imsi].key, CARDS[imsi].opc)
        ]
        (out / "subscribers.log").write_text("\n".join(said))
        run(World(Bsc("127.0.0.1", 2905)), out)
    finally:
        servers.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
