"""The network as compiled code: `Network` settles what people mean to do and puts it into messages."""

from sim.network.kernel.network import (
    RESERVED_REFERENCES,
    Delivery,
    FreeList,
    Network,
    circuits,
    deliver_octets,
    local_references,
    pack_numbers,
    reserved_references,
    submit_octets,
)

__all__ = [
    "RESERVED_REFERENCES",
    "Delivery",
    "FreeList",
    "Network",
    "circuits",
    "deliver_octets",
    "local_references",
    "pack_numbers",
    "reserved_references",
    "submit_octets",
]
