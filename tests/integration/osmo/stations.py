"""Mobile stations behind the BSC: their layer 3, and the procedures they go through."""

from bsc import Bsc, Link, Said, Surprise
from usim import Usim

from sim.bssap import dtap, mm, sms, tpdu
from sim.bssap.cc_elements import UNKNOWN_NUMBER, BearerCapability, PartyNumber
from sim.bssap.cells import cgi
from sim.bssap.elements import message
from sim.bssap.identity import Lai, MobileIdentity, imsi, tmsi
from sim.bssap.sms import Rp
from sim.bssap.ss_components import INVOKE, Component, encode_ussd, ussd

CELL = cgi("001", "01", 23, 42)
#: What the station remembers from elsewhere, so that this update is a normal one.
OLD_AREA = Lai("001", "01", 22)
#: Classmarks of a phase 2 station and of one of release 99, both with A5/1: TS 24.008 10.5.1.5, 10.5.1.6.
CLASSMARK_1 = {False: 0x33, True: 0x53}
CLASSMARK_2 = {False: b"\x33\x18\x81", True: b"\x53\x18\x81"}
#: GSM FR, EFR, AMR FR and AMR HR over IP, with their sets of AMR modes: TS 48.008 3.2.2.103.
CODECS = bytes.fromhex("80 82 83ff57 843f07")
GSM_FR = b"\x80"
#: 127.0.0.1, port 6000, where nobody listens: TS 48.008 3.2.2.102.
OUR_ADDRESS = bytes((127, 0, 0, 1)) + (6000).to_bytes(2, "big")
#: Speech: full rate 3, 2, 1, and half rate 3: TS 24.008 10.5.4.5.
SPEECH = BearerCapability(bytes.fromhex("60 04 02 00 05 81"))
#: Any number will do: osmo-msc is its own service centre.
SMS_CENTRE = PartyNumber("447785016005", 1)
#: TS 24.008 10.5.3.6.
SYNCH_FAILURE = 21
#: processUnstructuredSS-Request, TS 24.080 4.5.
USSD_REQUEST = 59
#: TS 48.008 3.2.2.44: A5/1.
A5_1 = 2


class Station:
    """One mobile station."""

    def __init__(self, bsc: Bsc, digits: str, msisdn: str, usim: Usim, *, release_99: bool) -> None:
        self.bsc = bsc
        self.imsi = digits
        self.msisdn = msisdn
        self.usim = usim
        self.release_99 = release_99
        self.tmsi: int | None = None
        self._sequence = 0
        """N(SD) of the next message."""

    @property
    def identity(self) -> MobileIdentity:
        return imsi(self.imsi) if self.tmsi is None else tmsi(self.tmsi)

    # layer 3, up and down

    def _open(self, pd: int, name: str, elements) -> Link:
        # TS 24.007 11.2.3.2.3: MM, CC and SS count together from 0 on, modulo 2 before release 99; a PAGING
        # RESPONSE does not count.
        self._sequence = int(dtap.BY_PD[pd].sequenced)
        return self.bsc.open(CELL, dtap.Dtap(pd, message(name, elements)), CODECS)

    def say(self, link: Link, pd: int, name: str, elements=(), *, ti=0, ti_flag=0, sapi=0) -> None:
        sequence = 0
        if dtap.BY_PD[pd].sequenced:
            sequence = self._sequence
            self._sequence = (sequence + 1) % (4 if self.release_99 else 2)
        self.bsc.send_dtap(link, dtap.Dtap(pd, message(name, elements), ti, ti_flag, sequence), sapi)

    def until(self, link: Link, *names: str) -> Said:
        """The next message of one of these names; security and the like before it are gone through."""
        while True:
            said = self.bsc.hear(link)
            if said.name in names:
                return said
            answer = _ANSWERS.get(said.name)
            if answer is None:
                raise Surprise(f"{said.name} {said.message.elements} in place of {' or '.join(names)}")
            answer(self, link, said)

    def release(self, link: Link) -> int:
        """CLEAR COMMAND, CLEAR COMPLETE and the end of the connection; gives the cause."""
        cause = self.until(link, "CLEAR COMMAND").message["Cause"]
        self.bsc.send_bssmap(link, "CLEAR COMPLETE")
        self.bsc.await_release(link)
        return cause

    def _authenticate(self, link: Link, said: Said) -> None:
        rand = said.message["Authentication parameter RAND"]
        autn = said.message.get("Authentication parameter AUTN")
        res = self.usim.sres(rand) if autn is None else self.usim.answer(rand, autn)
        if res is None:
            failed = {
                "Reject cause": SYNCH_FAILURE,
                "Authentication failure parameter": self.usim.auts(rand),
            }
            self.say(link, dtap.PD_MM, "AUTHENTICATION FAILURE", failed)
            return
        response = {"Authentication response parameter": res[:4]}
        if res[4:]:
            response["Authentication response parameter (extension)"] = res[4:]
        self.say(link, dtap.PD_MM, "AUTHENTICATION RESPONSE", response)

    def _cipher(self, link: Link, said: Said) -> None:
        self.bsc.send_bssmap(link, "CIPHER MODE COMPLETE", {"Chosen Encryption Algorithm": A5_1})

    def _identify(self, link: Link, said: Said) -> None:
        self.say(link, dtap.PD_MM, "IDENTITY RESPONSE", {"Mobile identity": imsi(self.imsi)})

    def _pass_over(self, link: Link, said: Said) -> None:
        pass

    # procedures

    def update_location(self, *, kind: int = mm.UPDATING_NORMAL) -> tuple[Link, Said]:
        """LOCATION UPDATING REQUEST up to its answer."""
        link = self._open(
            dtap.PD_MM,
            "LOCATION UPDATING REQUEST",
            {
                "Location updating type": kind,
                "Ciphering key sequence number": 7,
                "Location area identification": OLD_AREA,
                "Mobile station classmark 1": CLASSMARK_1[self.release_99],
                "Mobile identity": self.identity,
            },
        )
        said = self.until(
            link, "LOCATION UPDATING ACCEPT", "LOCATION UPDATING REJECT", "AUTHENTICATION REJECT"
        )
        new = said.message.get("Mobile identity")
        if new is not None and new.kind == "TMSI":
            self.tmsi = new.tmsi
            self.say(link, dtap.PD_MM, "TMSI REALLOCATION COMPLETE")
        return link, said

    def detach(self) -> Link:
        return self._open(
            dtap.PD_MM,
            "IMSI DETACH INDICATION",
            {
                "Mobile station classmark 1": CLASSMARK_1[self.release_99],
                "Mobile identity": self.identity,
            },
        )

    def request_service(self, service: int) -> tuple[Link, Said]:
        """CM SERVICE REQUEST up to its acceptance, by ciphering or by CM SERVICE ACCEPT, or refusal."""
        link = self._open(
            dtap.PD_MM,
            "CM SERVICE REQUEST",
            {
                "CM service type": service,
                "Ciphering key sequence number": 7,
                "Mobile station classmark 2": CLASSMARK_2[self.release_99],
                "Mobile identity": self.identity,
            },
        )
        said = self.until(link, "CM SERVICE ACCEPT", "CM SERVICE REJECT", "CIPHER MODE COMMAND")
        if said.name == "CIPHER MODE COMMAND":
            # TS 24.008 4.5.1.1: it accepts the service as well.
            self._cipher(link, said)
        return link, said

    def answer_page(self) -> Link:
        return self._open(
            dtap.PD_RR,
            "PAGING RESPONSE",
            {
                "Ciphering key sequence number": 7,
                "Spare half octet": 0,
                "Mobile station classmark 2": CLASSMARK_2[self.release_99],
                "Mobile identity": self.identity,
            },
        )

    def relay(self, link: Link, value: Rp, *, ti: int, ti_flag: int = 0) -> None:
        """CP-DATA with an RP message, on SAPI 3."""
        self.say(
            link,
            dtap.PD_SMS,
            "CP-DATA",
            {"CP-User data": sms.encode_rp(value)},
            ti=ti,
            ti_flag=ti_flag,
            sapi=3,
        )

    def submit(self, link: Link, value: tpdu.Submit, *, ti: int = 0) -> Rp:
        """A short message to the centre; gives RP-ACK or RP-ERROR."""
        data = message(
            "RP-DATA",
            {
                "RP-Originator Address": None,
                "RP-Destination Address": SMS_CENTRE,
                "RP-User data": tpdu.encode(value),
            },
        )
        self.relay(link, Rp(data, 42, from_network=False), ti=ti)
        self.until(link, "CP-ACK")
        answer = self.until(link, "CP-DATA")
        self.say(link, dtap.PD_SMS, "CP-ACK", ti=ti, sapi=3)
        return sms.decode_rp(answer.message["CP-User data"])

    def take_short_message(self, link: Link) -> tuple[tpdu.Deliver, Rp]:
        """The SMS-DELIVER that the network brings, acknowledged."""
        brought = self.until(link, "CP-DATA")
        rp = sms.decode_rp(brought.message["CP-User data"])
        assert brought.layer3 is not None
        ti = brought.layer3.ti
        self.say(link, dtap.PD_SMS, "CP-ACK", ti=ti, ti_flag=1, sapi=3)
        report = tpdu.encode(tpdu.Report(of_submit=False))
        acknowledged = Rp(message("RP-ACK", {"RP-User data": report}), rp.reference, from_network=False)
        self.relay(link, acknowledged, ti=ti, ti_flag=1)
        self.until(link, "CP-ACK")
        delivered = tpdu.decode(rp.message["RP-User data"], from_network=True)
        assert isinstance(delivered, tpdu.Deliver)
        return delivered, rp

    def set_up(self, link: Link, digits: str, *, ti: int = 0) -> None:
        self.say(
            link,
            dtap.PD_CC,
            "SETUP",
            {
                "Bearer capability": SPEECH,
                "Called party BCD number": PartyNumber(digits, UNKNOWN_NUMBER),
            },
            ti=ti,
        )

    def complete_assignment(self, link: Link, said: Said) -> None:
        """An address of ours for speech, and full rate version 1 as the codec."""
        self.bsc.send_bssmap(
            link,
            "ASSIGNMENT COMPLETE",
            {
                "RR Cause": 0,
                "Chosen Channel": 0x98,
                "Chosen Encryption Algorithm": A5_1,
                "Speech Version": 0x01,
                "AoIP Transport Layer Address": OUR_ADDRESS,
                "Speech Codec": GSM_FR,
            },
        )

    def ask(self, link: Link, code: str) -> Said:
        """A USSD code; gives the RELEASE COMPLETE."""
        component = Component(INVOKE, 1, USSD_REQUEST, encode_ussd(ussd(code)))
        self.say(link, dtap.PD_SS, "REGISTER", {"Facility": (component,), "SS version": b"\0"})
        return self.until(link, "RELEASE COMPLETE")


#: What a station and its controller do by themselves when the network says this.
_ANSWERS = {
    "AUTHENTICATION REQUEST": Station._authenticate,
    "CIPHER MODE COMMAND": Station._cipher,
    "IDENTITY REQUEST": Station._identify,
    "ASSIGNMENT REQUEST": Station.complete_assignment,
    "COMMON ID": Station._pass_over,
    "MM INFORMATION": Station._pass_over,
}
