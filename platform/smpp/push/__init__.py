"""WAP push: Service Indication and Service Loading in binary XML, in a push PDU of WSP, by short messages.

`push.indication` the documents, `push.wbxml` binary XML, `push.wsp` the PDU, `push.sms` ports and parts.
Bytes and values only; each writer has its reader, which is what a handset uses.
"""

from smpp.push.indication import Content, Item, ServiceIndication, ServiceLoading
from smpp.push.sms import PUSH_PORT, PUSH_PORTS, SOURCE_PORT, Received, push_of, read, split
from smpp.push.wsp import MMS_TYPE, MMS_UA, SI_TYPE, SL_TYPE, WML_UA, Header, Push, application_id

__all__ = [
    "MMS_TYPE",
    "MMS_UA",
    "PUSH_PORT",
    "PUSH_PORTS",
    "SI_TYPE",
    "SL_TYPE",
    "SOURCE_PORT",
    "WML_UA",
    "Content",
    "Header",
    "Item",
    "Push",
    "Received",
    "ServiceIndication",
    "ServiceLoading",
    "application_id",
    "push_of",
    "read",
    "split",
]
