# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True
"""The compiled part of transport `kernel`: sendmmsg and recvmmsg on an SCTP descriptor, without the GIL."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memset

cimport cython
import numpy as np

cdef extern from "kernel_mmsg.h" nogil:
    ctypedef struct message_queue:
        uint8_t *data
        size_t used
        int64_t *ends
        uint16_t *streams
        size_t n
    ctypedef struct arrival:
        message_queue messages
        int ended, failure, aborted
    void mq_free(message_queue *q)
    void mq_clear(message_queue *q)
    size_t mq_end(const message_queue *q)
    void mq_drop_whole(message_queue *q)
    int kernel_receive(int fd, arrival *into, size_t bound)
    int kernel_send(int fd, const uint8_t *data, const int64_t *offsets, const uint16_t *streams, size_t first,
                    size_t n, int timeout_ms, int *failure)
    int kernel_unacknowledged(int fd)
    int kernel_streams(int fd)


@cython.final
cdef class Receiver:
    """What arrives on one descriptor: messages, and how the association ended."""

    cdef arrival into
    cdef int fd

    def __cinit__(self, int fd):
        memset(&self.into, 0, sizeof(self.into))
        self.fd = fd

    def __dealloc__(self):
        mq_free(&self.into.messages)

    def receive(self, size_t bound):
        """(data, offsets, streams) of about `bound` octets at most, or None."""
        cdef size_t i, whole
        cdef int64_t[::1] offsets
        cdef uint16_t[::1] streams
        cdef message_queue *q = &self.into.messages
        cdef int result
        with nogil:
            result = kernel_receive(self.fd, &self.into, bound)
        if result:
            raise MemoryError
        if q.n == 0:
            return None
        whole = mq_end(q)
        data = PyBytes_FromStringAndSize(<char *>q.data, <Py_ssize_t>whole)
        array_offsets = np.empty(q.n + 1, dtype=np.int64)
        array_streams = np.empty(q.n, dtype=np.uint16)
        offsets, streams = array_offsets, array_streams
        offsets[0] = 0
        memcpy(&offsets[1], q.ends, q.n * sizeof(int64_t))
        memcpy(&streams[0], q.streams, q.n * sizeof(uint16_t))
        mq_drop_whole(q)
        return data, array_offsets, array_streams

    @property
    def ended(self):
        """Whether the descriptor gives nothing more."""
        return bool(self.into.ended)

    @property
    def failure(self):
        """The errno it ended with, 0 for an orderly end."""
        return self.into.failure

    @property
    def aborted(self):
        """Whether the peer sent ABORT, as far as the notification told."""
        return bool(self.into.aborted)


def send(int fd, bytes data not None, const int64_t[::1] offsets, const uint16_t[::1] streams, size_t first,
         int timeout_ms):
    """Send messages from `first` on; (number sent, errno): errno 0 when all are sent or the time is over."""
    cdef const uint8_t *octets = <const uint8_t *>PyBytes_AS_STRING(data)
    cdef size_t n = streams.shape[0]
    cdef int failure = 0, sent
    if n == 0:
        return 0, 0
    with nogil:
        sent = kernel_send(fd, octets, &offsets[0], &streams[0], first, n, timeout_ms, &failure)
    return sent, failure


def unacknowledged(int fd):
    """Messages sent and not acknowledged or not even sent yet; -1 when there is no association."""
    return kernel_unacknowledged(fd)


def outbound_streams(int fd):
    """Streams agreed upon; 0 when there is no association."""
    return kernel_streams(fd)
