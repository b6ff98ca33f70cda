"""MM7: how a value-added service provider and a multimedia message centre talk, TS 23.140 over SOAP 1.1.

Bytes and values only, for both sides; who opens sockets stands elsewhere.
"""

from mm7.errors import DecodeError, EncodeError, Mm7Error
from mm7.messages import (
    Address,
    CancelReq,
    CancelRsp,
    DeliverReq,
    DeliverRsp,
    DeliveryReportReq,
    DeliveryReportRsp,
    Message,
    Part,
    RSErrorRsp,
    Status,
    SubmitReq,
    SubmitRsp,
    VASPErrorRsp,
)
from mm7.soap import NAMESPACE, VERSION, decode, encode
from mm7.status import MM_STATUSES, StatusCode, text_of

__all__ = [
    "MM_STATUSES",
    "NAMESPACE",
    "VERSION",
    "Address",
    "CancelReq",
    "CancelRsp",
    "DecodeError",
    "DeliverReq",
    "DeliverRsp",
    "DeliveryReportReq",
    "DeliveryReportRsp",
    "EncodeError",
    "Message",
    "Mm7Error",
    "Part",
    "RSErrorRsp",
    "Status",
    "StatusCode",
    "SubmitReq",
    "SubmitRsp",
    "VASPErrorRsp",
    "decode",
    "encode",
    "text_of",
]
