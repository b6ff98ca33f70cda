"""What goes into a ladder and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sim.bssap.errors import EncodeError

#: Slots of `Step.wait`.
WAITS = ("", "alert", "ring", "talk", "talk2", "page")
#: Values of `Step.mark`.
MARKS = (
    "", "started", "alerting", "connected", "ended", "accepted", "rejected", "detached",
    "sms_ok", "sms_failed", "handover", "ss_ok", "ss_failed", "refused", "aborted", "lost", "cleared",
    "reset", "handset",
)  # fmt: skip
IDENTITIES = ("tmsi", "imsi")
RELEASED_BY = ("caller", "callee", "network")
_SWITCH = (False, True)
#: The fields of Params that decide the steps of a ladder, with every value that each may have.
OPTION_VALUES: Final[dict[str, tuple[str | bool | None, ...]]] = {
    "identity": IDENTITIES,
    "ask_identity": _SWITCH,
    "auth": _SWITCH,
    "cipher": (None, *_SWITCH),
    "reallocate": _SWITCH,
    "ask_imei": _SWITCH,
    "released_by": RELEASED_BY,
    "handover": _SWITCH,
    "page_by_tmsi": _SWITCH,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One message of a ladder."""

    leg: int
    """0: first SCCP connection, or connectionless; 1: the connection to the handover target."""
    uplink: bool
    """True: BSS to MSC (OPC is the BSC); False: MSC to BSS."""
    after_us: int
    """Base delay since the previous step, microseconds; scaled by the pace of the instance."""
    wait: str
    """Duration slot added before this step: one of WAITS."""
    name: str
    """Specification name of the innermost message; for a bare SCCP message its short name (CC, CREF ...)."""
    payload: bytes
    """The whole SCCP message."""
    mark: str = ""
    """What this step means: one of MARKS."""


@dataclass(frozen=True, slots=True)
class Params:
    """Values and options of one instance of a procedure.

    Options decide the steps: they are the keys of OPTION_VALUES. All else are values, which never do.
    """

    imsi: str = "001010000000001"
    """15 digits."""
    tmsi: int | None = 0x1A2B3C4D
    """TMSI that the station holds."""
    new_tmsi: int | None = 0x5E6F7081
    """TMSI given out when `reallocate`."""
    imei: str = "490154203237518"
    """15 digits."""
    mcc: str = "001"
    mnc: str = "01"
    lac: int = 0x1001
    """Location area of the serving cell."""
    ci: int = 0x0065
    old_mcc: str = ""
    """Network of the old location area; "" is `mcc` and `mnc`."""
    old_mnc: str = ""
    old_lac: int = 0x1002
    """Location area in the old LAI of a location updating request."""
    lac2: int = 0x1003
    """Location area of the handover target."""
    ci2: int = 0x00C9
    paging_lacs: tuple[int, ...] = ()
    """Location areas paged; () is `lac` alone."""
    bss_ref: int = 0x010203
    """SCCP local reference of the BSS on leg 0, 24 bits as on the wire."""
    msc_ref: int = 0x040506
    """SCCP local reference of the MSC on leg 0."""
    bss_ref2: int = 0x0708A9
    """SCCP local reference of the BSS on leg 1."""
    msc_ref2: int = 0x0A0B0C
    """SCCP local reference of the MSC on leg 1."""
    ti: int = 0
    """Transaction identifier value of calls and short messages, 0-6."""
    ti2: int = 6
    """The same of a second short message on one connection; another one than `ti`."""
    ss_ti: int = 0
    """Transaction identifier value of supplementary services, 0-6."""
    called: str = "8613900012345"
    """Called number, 0-9 * # a b c; 12 digits and more are international unless a 0 or 1 leads."""
    calling: str = "8613900054321"
    """Calling number; "" leaves the element out."""
    cic: int = 0x0021
    """Circuit of leg 0: 11 bits multiplex, 5 bits time slot."""
    cic2: int = 0x0041
    """Circuit of leg 1."""
    cause: int | None = None
    """Cause of rejection, release or RP error; None: the one usual for the kind."""
    rand: bytes = bytes(range(0x10, 0x20))
    rand2: bytes = bytes(range(0x90, 0xA0))
    """Challenge of the second authentication, where a ladder has two."""
    sres: bytes = b"\xa1\xb2\xc3\xd4"
    res_extension: bytes = b"\xe5\xf6\x07\x18"
    """What a USIM's RES has beyond `sres`, 1-12 octets."""
    autn: bytes = bytes(range(0x20, 0x30))
    """Authentication token for a USIM, 16 octets."""
    auts: bytes = bytes(range(0x30, 0x3E))
    """Re-synchronisation token of a USIM, 14 octets."""
    kc: bytes = b"\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7"
    cksn: int = 0
    """Ciphering key sequence number, 0-6; 7: the station has no key."""
    tpdu: bytes = b""
    """SMS TPDU carried; b"" is a short default made of `called` or `calling`."""
    smsc: str = "8613800100500"
    """Service centre address, sent as an international number."""
    rp_ref: int = 0x2A
    """RP message reference."""
    rp_ref2: int = 0x2B
    """That of a second short message."""
    ussd: str = "*100#"
    """What the station's user dials for a USSD query."""
    ussd_text: str = "Balance: 10.50"
    """What the network answers, or tells by itself."""
    ussd_reply: str = "1"
    """What the user replies to a question of the network."""
    handover_reference: int = 0x5C
    """RR handover reference, one octet; with `handover_cell` it makes the HANDOVER COMMAND one of a kind."""
    handover_cell: bytes = b"\x2d\x4b"
    """RR cell description of the target: BSIC and ARFCN, 2 octets."""
    identity: str = "tmsi"
    """How the station names itself: "tmsi" or "imsi"."""
    ask_identity: bool = False
    """The network does not know the TMSI and asks for the IMSI."""
    auth: bool = True
    """AUTHENTICATION REQUEST and RESPONSE."""
    cipher: bool | None = None
    """CIPHER MODE COMMAND and COMPLETE; None: as `auth`."""
    reallocate: bool = True
    """A location updating gives a new TMSI."""
    ask_imei: bool = False
    """The network asks for the IMEI (location updating)."""
    released_by: str = "caller"
    """Who ends the call: "caller", "callee" or "network"."""
    handover: bool = False
    """An answered call is handed over to another BSS while it lasts."""
    page_by_tmsi: bool = True
    """PAGING carries the TMSI beside the IMSI."""

    def __post_init__(self) -> None:
        if self.identity not in IDENTITIES:
            raise EncodeError(f"identity {self.identity!r}: one of {', '.join(IDENTITIES)}")
        if self.released_by not in RELEASED_BY:
            raise EncodeError(f"released_by {self.released_by!r}: one of {', '.join(RELEASED_BY)}")
        if self.identity == "tmsi" and self.tmsi is None:
            raise EncodeError("identity 'tmsi' without a TMSI")
        for value in (self.ti, self.ti2, self.ss_ti):
            if not 0 <= value <= 6:
                raise EncodeError(f"transaction identifier {value}: 0 to 6")

    @property
    def ciphered(self) -> bool:
        return self.auth if self.cipher is None else self.cipher
