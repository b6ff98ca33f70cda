# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True
"""The compiled part of capture files: messages into frames, frames into messages, CRC32c."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

cimport cython
import numpy as np

cdef extern from "capture_blocks.h" nogil:
    int HEADERS_MAX
    int MESSAGE_LONGEST
    uint32_t sum32 "crc32c"(const uint8_t *p, size_t n, int tables)
    ctypedef struct layout:
        int pcap, swapped, nanoseconds, ipv6, udp, sacks
        uint32_t link, mtu
        int64_t bundle_us, heartbeat_us
    ctypedef struct framer:
        layout form
        uint32_t headers
        size_t n
        uint32_t streams
        int64_t next_due
        uint8_t *out
        size_t used
    int framer_add(framer *f, uint32_t client, uint32_t server, const uint8_t *to_server, const uint8_t *to_client,
                   uint32_t tsn_to_server, uint32_t tsn_to_client, int64_t t_us)
    void framer_free(framer *f)
    int framer_close(framer *f)
    int framer_pass(framer *f, int64_t t_us)
    int framer_control(framer *f, size_t index, int direction, int64_t t_us, const uint8_t *chunks, size_t n,
                       int no_tag)
    int framer_data(framer *f, void *p, int direction, int64_t t_us, const uint8_t *message, size_t n,
                    uint32_t stream)
    void *framer_path(framer *f, uint32_t opc, uint32_t dpc, int *direction)
    int64_t framer_messages(framer *f, const int64_t *t_us, const uint8_t *data, const int64_t *offsets,
                            const uint16_t *streams, size_t first, size_t n, uint32_t *opc, uint32_t *dpc,
                            int64_t *left_out)
    ctypedef struct message_queue:
        uint8_t *data
        size_t used
        int64_t *ends
        uint16_t *streams
        size_t n
    void mq_clear(message_queue *q)
    ctypedef struct dissector:
        message_queue messages
        int64_t *times
        int64_t packets, not_sctp, unknown_link, cut_short, ip_fragments, damaged
        int64_t other_payload, duplicates, missing, jumps, fragments_lost, i_data, forgotten
        int udp_port
    void dissector_free(dissector *d)
    void dissector_finish(dissector *d)
    ctypedef struct capture_stream:
        const char *error
        int64_t blocks
    int64_t capture_feed(capture_stream *s, dissector *d, const uint8_t *p, size_t n)


class UnknownPointCodesError(KeyError):
    """A message goes between two point codes for which there is no association; `pair` is (OPC, DPC)."""

    def __init__(self, int done, uint32_t opc, uint32_t dpc):
        super().__init__(f"no association between point codes {opc} and {dpc}")
        self.done = done
        self.pair = (opc, dpc)


def crc32c(bytes octets not None, bint tables=False):
    """CRC32c of the octets (RFC 9260 appendix A); `tables` does without the processor's instruction."""
    return sum32(<const uint8_t *>PyBytes_AS_STRING(octets), len(octets), tables)


@cython.final
cdef class Framer:
    """Associations between pairs of point codes, and the pcapng packets of what they carry."""

    cdef framer f
    cdef readonly int64_t left_out

    def __cinit__(self, framing not None, int streams):
        """`framing` is a `sigtran.framing.Framing`."""
        memset(&self.f, 0, sizeof(self.f))
        if streams < 1:
            raise ValueError("an association has at least one stream")
        self.f.streams = streams
        self.f.next_due = INT64_MAX
        self.f.form.pcap = framing.form == "pcap"
        self.f.form.swapped = framing.swapped
        self.f.form.nanoseconds = framing.nanoseconds
        self.f.form.link = framing.link_octets
        self.f.form.ipv6 = framing.ip == 6
        self.f.form.udp = framing.udp_port is not None
        self.f.form.mtu = framing.mtu
        self.f.form.bundle_us = framing.bundle_us
        self.f.form.heartbeat_us = round(framing.heartbeat_s * 1e6)
        self.f.form.sacks = framing.sacks
        self.f.headers = self.f.form.link + (40 if self.f.form.ipv6 else 20) + (8 if self.f.form.udp else 0) + 12
        if self.f.headers > <uint32_t>HEADERS_MAX or not 576 <= framing.mtu <= 65535:
            raise ValueError("such headers or such an MTU have no place")

    def __dealloc__(self):
        framer_free(&self.f)

    def add(self, uint32_t client, uint32_t server, bytes to_server not None, bytes to_client not None,
            uint32_t tsn_to_server, uint32_t tsn_to_client, int64_t t_us):
        """A new association; the octets are all headers of a packet of either direction. Its index."""
        if len(to_server) != self.f.headers or len(to_client) != self.f.headers:
            raise ValueError(f"headers must be {self.f.headers} octets")
        if framer_add(&self.f, client, server, <const uint8_t *>PyBytes_AS_STRING(to_server),
                      <const uint8_t *>PyBytes_AS_STRING(to_client), tsn_to_server, tsn_to_client, t_us):
            raise MemoryError
        return self.f.n - 1

    def control(self, size_t index, bint to_client, int64_t t_us, bytes chunks not None, bint no_tag=False):
        """A packet of ready-made chunks; `no_tag`: with verification tag 0, as an INIT has."""
        if index >= self.f.n:
            raise IndexError(index)
        if framer_control(&self.f, index, to_client, t_us, <const uint8_t *>PyBytes_AS_STRING(chunks),
                          len(chunks), no_tag):
            raise MemoryError

    def message(self, uint32_t opc, uint32_t dpc, int64_t t_us, bytes message not None, uint32_t stream):
        """One message of any class from `opc` to `dpc`."""
        cdef int direction = 0
        cdef void *found = framer_path(&self.f, opc, dpc, &direction)
        if found is NULL:
            raise UnknownPointCodesError(0, opc, dpc)
        if len(message) > MESSAGE_LONGEST or stream >= self.f.streams:
            raise ValueError("too long a message, or no such stream")
        if framer_data(&self.f, found, direction, t_us, <const uint8_t *>PyBytes_AS_STRING(message),
                       len(message), stream):
            raise MemoryError

    def messages(self, const int64_t[::1] t_us, bytes data not None, const int64_t[::1] offsets,
                 const uint16_t[::1] streams, size_t first):
        """DATA messages from `first` on; raises `UnknownPointCodesError` where a new association is met."""
        cdef uint32_t opc = 0, dpc = 0
        cdef int64_t done, left_out = 0
        cdef size_t n = streams.shape[0]
        cdef const uint8_t *octets = <const uint8_t *>PyBytes_AS_STRING(data)
        if <size_t>t_us.shape[0] != n or <size_t>offsets.shape[0] != n + 1:
            raise ValueError(f"{n} messages, {t_us.shape[0]} times, {offsets.shape[0]} offsets")
        if n == 0 or first >= n:
            return
        with nogil:
            done = framer_messages(&self.f, &t_us[0], octets, &offsets[0], &streams[0], first, n, &opc, &dpc,
                                   &left_out)
        self.left_out += left_out
        if done < 0:
            raise MemoryError
        if <size_t>done < n:
            raise UnknownPointCodesError(done, opc, dpc)

    def pass_time(self, int64_t t_us):
        """What falls due before `t_us` though nobody says anything: acknowledgements, heartbeats."""
        if framer_pass(&self.f, t_us):
            raise MemoryError

    def finish(self):
        """Closes the packet that waits for more chunks."""
        if framer_close(&self.f):
            raise MemoryError

    def take(self):
        """The packets made since the last call, as blocks or records of the file."""
        octets = PyBytes_FromStringAndSize(<char *>self.f.out, <Py_ssize_t>self.f.used)
        self.f.used = 0
        return octets

    @property
    def waiting(self):
        """Octets that `take` would give."""
        return self.f.used


@cython.final
cdef class Dissector:
    """A capture file as a stream of octets in, M3UA messages out."""

    cdef dissector d
    cdef capture_stream s

    def __cinit__(self, int udp_port=9899):
        memset(&self.d, 0, sizeof(self.d))
        memset(&self.s, 0, sizeof(self.s))
        self.d.udp_port = udp_port

    def __dealloc__(self):
        dissector_free(&self.d)

    def feed(self, bytes octets not None):
        """Octets used; what is left must come again with more behind it. `error` may be set afterwards."""
        cdef const uint8_t *p = <const uint8_t *>PyBytes_AS_STRING(octets)
        cdef size_t n = len(octets)
        cdef int64_t used
        with nogil:
            used = capture_feed(&self.s, &self.d, p, n)
        if used < 0:
            raise MemoryError
        return used

    def finish(self):
        """The capture is over: fragments that still wait are lost."""
        dissector_finish(&self.d)

    @property
    def error(self):
        """What is wrong with the block behind the octets used; None where nothing is."""
        return (<bytes>self.s.error).decode() if self.s.error is not NULL else None

    @property
    def blocks(self):
        """Whole blocks used so far; of a pcap its header and its packets."""
        return self.s.blocks

    def take(self):
        """(Unix microseconds, data, offsets, streams) of the messages found since the last call, or None."""
        cdef message_queue *q = &self.d.messages
        cdef int64_t[::1] offsets, times
        cdef uint16_t[::1] streams
        if q.n == 0:
            return None
        data = PyBytes_FromStringAndSize(<char *>q.data, <Py_ssize_t>q.used)
        array_times = np.empty(q.n, dtype=np.int64)
        array_offsets = np.empty(q.n + 1, dtype=np.int64)
        array_streams = np.empty(q.n, dtype=np.uint16)
        times, offsets, streams = array_times, array_offsets, array_streams
        offsets[0] = 0
        memcpy(&times[0], self.d.times, q.n * sizeof(int64_t))
        memcpy(&offsets[1], q.ends, q.n * sizeof(int64_t))
        memcpy(&streams[0], q.streams, q.n * sizeof(uint16_t))
        mq_clear(q)
        return array_times, data, array_offsets, array_streams

    def counts(self):
        """What was met so far, by kind."""
        cdef dissector *d = &self.d
        return {
            "packets": d.packets, "not_sctp": d.not_sctp, "unknown_link": d.unknown_link,
            "cut_short": d.cut_short, "ip_fragments": d.ip_fragments, "damaged": d.damaged,
            "other_payload": d.other_payload, "duplicates": d.duplicates, "missing": d.missing,
            "jumps": d.jumps, "fragments_lost": d.fragments_lost, "i_data": d.i_data,
            "forgotten": d.forgotten,
        }
