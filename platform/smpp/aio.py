"""asyncio drivers over `smpp.session`: EsmeClient, SmscServer, OutbindListener.

    client = EsmeClient(BindTransceiver("shop", "secret"), host="127.0.0.1", port=2775, on_deliver=handler)
    await client.start()
    response = await client.submit(SubmitSm(...))

Everything runs on the loop that calls; from another thread use `asyncio.run_coroutine_threadsafe`.
"""

from smpp.access import AccessList, Account
from smpp.esme_client import ClientCounters, DeliverHandler, EsmeClient, Reconnect
from smpp.link import BindRefused, NotConnected, NotSent, OutcomeUnknown, Refused, RequestError
from smpp.outbind import OutbindListener
from smpp.smsc_server import Answer, Peer, RequestHandler, SmscServer

__all__ = [
    "AccessList",
    "Account",
    "Answer",
    "BindRefused",
    "ClientCounters",
    "DeliverHandler",
    "EsmeClient",
    "NotConnected",
    "NotSent",
    "OutbindListener",
    "OutcomeUnknown",
    "Peer",
    "Reconnect",
    "Refused",
    "RequestError",
    "RequestHandler",
    "SmscServer",
]
