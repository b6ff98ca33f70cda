"""command_status values and their words: SMPP 3.4 5.1.3."""

from enum import IntEnum


class CommandStatus(IntEnum):
    """SMPP 3.4 5.1.3, table 5-2. 0x400-0x4FF belong to the SMSC vendor and have no name here."""

    ESME_ROK = 0x00000000
    ESME_RINVMSGLEN = 0x00000001
    ESME_RINVCMDLEN = 0x00000002
    ESME_RINVCMDID = 0x00000003
    ESME_RINVBNDSTS = 0x00000004
    ESME_RALYBND = 0x00000005
    ESME_RINVPRTFLG = 0x00000006
    ESME_RINVREGDLVFLG = 0x00000007
    ESME_RSYSERR = 0x00000008
    ESME_RINVSRCADR = 0x0000000A
    ESME_RINVDSTADR = 0x0000000B
    ESME_RINVMSGID = 0x0000000C
    ESME_RBINDFAIL = 0x0000000D
    ESME_RINVPASWD = 0x0000000E
    ESME_RINVSYSID = 0x0000000F
    ESME_RCANCELFAIL = 0x00000011
    ESME_RREPLACEFAIL = 0x00000013
    ESME_RMSGQFUL = 0x00000014
    ESME_RINVSERTYP = 0x00000015
    ESME_RINVNUMDESTS = 0x00000033
    ESME_RINVDLNAME = 0x00000034
    ESME_RINVDESTFLAG = 0x00000040
    ESME_RINVSUBREP = 0x00000042
    ESME_RINVESMCLASS = 0x00000043
    ESME_RCNTSUBDL = 0x00000044
    ESME_RSUBMITFAIL = 0x00000045
    ESME_RINVSRCTON = 0x00000048
    ESME_RINVSRCNPI = 0x00000049
    ESME_RINVDSTTON = 0x00000050
    ESME_RINVDSTNPI = 0x00000051
    ESME_RINVSYSTYP = 0x00000053
    ESME_RINVREPFLAG = 0x00000054
    ESME_RINVNUMMSGS = 0x00000055
    ESME_RTHROTTLED = 0x00000058
    ESME_RINVSCHED = 0x00000061
    ESME_RINVEXPIRY = 0x00000062
    ESME_RINVDFTMSGID = 0x00000063
    ESME_RX_T_APPN = 0x00000064
    ESME_RX_P_APPN = 0x00000065
    ESME_RX_R_APPN = 0x00000066
    ESME_RQUERYFAIL = 0x00000067
    ESME_RINVOPTPARSTREAM = 0x000000C0
    ESME_ROPTPARNOTALLWD = 0x000000C1
    ESME_RINVPARLEN = 0x000000C2
    ESME_RMISSINGOPTPARAM = 0x000000C3
    ESME_RINVOPTPARAMVAL = 0x000000C4
    ESME_RDELIVERYFAILURE = 0x000000FE
    ESME_RUNKNOWNERR = 0x000000FF


STATUS_TEXT: dict[int, str] = {
    CommandStatus.ESME_ROK: "no error",
    CommandStatus.ESME_RINVMSGLEN: "message length is invalid",
    CommandStatus.ESME_RINVCMDLEN: "command length is invalid",
    CommandStatus.ESME_RINVCMDID: "invalid command id",
    CommandStatus.ESME_RINVBNDSTS: "incorrect bind status for the given command",
    CommandStatus.ESME_RALYBND: "already in bound state",
    CommandStatus.ESME_RINVPRTFLG: "invalid priority flag",
    CommandStatus.ESME_RINVREGDLVFLG: "invalid registered delivery flag",
    CommandStatus.ESME_RSYSERR: "system error",
    CommandStatus.ESME_RINVSRCADR: "invalid source address",
    CommandStatus.ESME_RINVDSTADR: "invalid destination address",
    CommandStatus.ESME_RINVMSGID: "message id is invalid",
    CommandStatus.ESME_RBINDFAIL: "bind failed",
    CommandStatus.ESME_RINVPASWD: "invalid password",
    CommandStatus.ESME_RINVSYSID: "invalid system id",
    CommandStatus.ESME_RCANCELFAIL: "cancel_sm failed",
    CommandStatus.ESME_RREPLACEFAIL: "replace_sm failed",
    CommandStatus.ESME_RMSGQFUL: "message queue full",
    CommandStatus.ESME_RINVSERTYP: "invalid service type",
    CommandStatus.ESME_RINVNUMDESTS: "invalid number of destinations",
    CommandStatus.ESME_RINVDLNAME: "invalid distribution list name",
    CommandStatus.ESME_RINVDESTFLAG: "destination flag is invalid",
    CommandStatus.ESME_RINVSUBREP: "invalid submit with replace request",
    CommandStatus.ESME_RINVESMCLASS: "invalid esm_class field",
    CommandStatus.ESME_RCNTSUBDL: "cannot submit to distribution list",
    CommandStatus.ESME_RSUBMITFAIL: "submit_sm or submit_multi failed",
    CommandStatus.ESME_RINVSRCTON: "invalid source address type of number",
    CommandStatus.ESME_RINVSRCNPI: "invalid source address numbering plan",
    CommandStatus.ESME_RINVDSTTON: "invalid destination address type of number",
    CommandStatus.ESME_RINVDSTNPI: "invalid destination address numbering plan",
    CommandStatus.ESME_RINVSYSTYP: "invalid system type",
    CommandStatus.ESME_RINVREPFLAG: "invalid replace_if_present flag",
    CommandStatus.ESME_RINVNUMMSGS: "invalid number of messages",
    CommandStatus.ESME_RTHROTTLED: "throttled: the ESME exceeded its allowed message limits",
    CommandStatus.ESME_RINVSCHED: "invalid scheduled delivery time",
    CommandStatus.ESME_RINVEXPIRY: "invalid validity period",
    CommandStatus.ESME_RINVDFTMSGID: "predefined message is invalid or not found",
    CommandStatus.ESME_RX_T_APPN: "ESME receiver: temporary application error",
    CommandStatus.ESME_RX_P_APPN: "ESME receiver: permanent application error",
    CommandStatus.ESME_RX_R_APPN: "ESME receiver: message rejected",
    CommandStatus.ESME_RQUERYFAIL: "query_sm failed",
    CommandStatus.ESME_RINVOPTPARSTREAM: "error in the optional part of the PDU body",
    CommandStatus.ESME_ROPTPARNOTALLWD: "optional parameter not allowed",
    CommandStatus.ESME_RINVPARLEN: "invalid parameter length",
    CommandStatus.ESME_RMISSINGOPTPARAM: "expected optional parameter missing",
    CommandStatus.ESME_RINVOPTPARAMVAL: "invalid optional parameter value",
    CommandStatus.ESME_RDELIVERYFAILURE: "delivery failure (data_sm_resp)",
    CommandStatus.ESME_RUNKNOWNERR: "unknown error",
}
"""One line of English for each status."""

_NAMES = {int(status): status.name for status in CommandStatus}


def status_name(command_status: int) -> str:
    """`ESME_RTHROTTLED`, or `0x00000400` for a value that the specification does not name."""
    return _NAMES.get(command_status) or f"0x{command_status:08X}"


class MessageState(IntEnum):
    """SMPP 3.4 5.2.28: where a message stands, in query_sm_resp and delivery receipts."""

    ENROUTE = 1
    DELIVERED = 2
    EXPIRED = 3
    DELETED = 4
    UNDELIVERABLE = 5
    ACCEPTED = 6
    UNKNOWN = 7
    REJECTED = 8


FINAL_STATES = frozenset(MessageState) - {MessageState.ENROUTE, MessageState.ACCEPTED}
"""States that a message does not leave again."""

# esm_class bits, SMPP 3.4 5.2.12
ESM_RECEIPT = 0x04
"""deliver_sm: short_message holds an SMSC delivery receipt."""
ESM_TYPE_MASK = 0x3C
ESM_UDHI = 0x40
"""short_message begins with a user data header (TS 23.040 9.2.3.24)."""

# registered_delivery bits, SMPP 3.4 5.2.17
RECEIPT_ALWAYS = 0x01
"""Ask for a receipt whatever the outcome."""
RECEIPT_ON_FAILURE = 0x02

# addr_ton 5.2.5 and addr_npi 5.2.6
TON_UNKNOWN, TON_INTERNATIONAL, TON_NATIONAL, TON_NETWORK, TON_SUBSCRIBER = 0, 1, 2, 3, 4
TON_ALPHANUMERIC, TON_ABBREVIATED = 5, 6
NPI_UNKNOWN, NPI_ISDN = 0, 1
