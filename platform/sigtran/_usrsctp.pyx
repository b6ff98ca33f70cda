# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True
"""The compiled part of transport `usrsctp`: handles on what usrsctp_pump.h does."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint16_t
from libc.string cimport memcpy, memset

cimport cython
import numpy as np

cdef extern from "sys/socket.h" nogil:
    struct sockaddr:
        pass

cdef extern from "usrsctp_pump.h" nogil:
    int REASON, MESSAGE_MAX, CLOSING, ABORTING
    ctypedef struct message_queue:
        uint8_t *data
        size_t used
        int64_t *ends
        uint16_t *streams
        size_t n
    ctypedef struct association:
        int efd
        const char *encap
    ctypedef struct listener:
        int efd
        int port
    void mq_free(message_queue *q)
    listener *sigtran_listen(const sockaddr *address, int length, int port, int streams, int *failure, int *where)
    int listener_udp_port(const listener *l)
    association *listener_accept(listener *l)
    void listener_close(listener *l)
    association *sigtran_connect(const sockaddr *local, const sockaddr *remote, int length, int port,
                                 int streams, int *failure, int *where)
    int association_wait_up(association *a, double timeout_s)
    int association_send(association *a, const uint8_t *data, const int64_t *offsets, const uint16_t *streams,
                         size_t n, double timeout_s)
    void association_take(association *a, message_queue *taken)
    int association_flush(association *a, double timeout_s)
    int association_finish(association *a, int how, double timeout_s)
    void association_release(association *a)
    int association_state(association *a, char *reason)
    int association_streams(association *a)
    void sigtran_stop()

MAX_MESSAGE = MESSAGE_MAX
STATES = ("connecting", "up", "lost", "closed")


class StackError(OSError):
    """A step failed; `step` is 1 for the UDP port, 2 for the SCTP port, 0 for anything else."""

    def __init__(self, int failure, int step):
        super().__init__(failure, "")
        self.step = step


@cython.final
cdef class AssociationHandle:
    """One association; made by `connect` and by `ListenerHandle.accept` only."""

    cdef association *a

    def __dealloc__(self):
        if self.a is not NULL:
            with nogil:
                association_release(self.a)

    def fileno(self):
        return self.a.efd

    def state(self):
        """(state, reason)."""
        cdef char reason[160]
        cdef int state = association_state(self.a, reason)
        return STATES[state], (<bytes>reason).decode("utf-8", "replace")

    def streams(self):
        return association_streams(self.a)

    def peer(self):
        """`UDP ADDRESS:PORT` of the far end."""
        return (<bytes>self.a.encap).decode("ascii")

    def wait_up(self, double timeout_s):
        cdef int state
        with nogil:
            state = association_wait_up(self.a, timeout_s)
        return STATES[state]

    def send(self, bytes data not None, const int64_t[::1] offsets, const uint16_t[::1] streams,
             double timeout_s):
        """0 queued; 1 no room in time; 2 the association is over; 3 out of memory."""
        cdef const uint8_t *octets = <const uint8_t *>PyBytes_AS_STRING(data)
        cdef size_t n = streams.shape[0]
        cdef int result
        if n == 0:
            return 0
        with nogil:
            result = association_send(self.a, octets, &offsets[0], &streams[0], n, timeout_s)
        return result

    def receive(self):
        """(data, offsets, streams), or None."""
        cdef message_queue taken
        cdef size_t i
        cdef int64_t[::1] offsets
        cdef uint16_t[::1] streams
        memset(&taken, 0, sizeof(taken))
        with nogil:
            association_take(self.a, &taken)
        if taken.n == 0:
            mq_free(&taken)
            return None
        try:
            data = PyBytes_FromStringAndSize(<char *>taken.data, <Py_ssize_t>taken.used)
            array_offsets = np.empty(taken.n + 1, dtype=np.int64)
            array_streams = np.empty(taken.n, dtype=np.uint16)
            offsets, streams = array_offsets, array_streams
            offsets[0] = 0
            memcpy(&offsets[1], taken.ends, taken.n * sizeof(int64_t))
            memcpy(&streams[0], taken.streams, taken.n * sizeof(uint16_t))
        finally:
            mq_free(&taken)
        return data, array_offsets, array_streams

    def flush(self, double timeout_s):
        cdef int done
        with nogil:
            done = association_flush(self.a, timeout_s)
        return bool(done)

    def finish(self, bint abort, double timeout_s):
        """Close or abort; True when it is over."""
        cdef int how = ABORTING if abort else CLOSING
        cdef int still_open
        with nogil:
            still_open = association_finish(self.a, how, timeout_s)
        return not still_open


cdef class ListenerHandle:
    """One listener; made by `listen` only."""

    cdef listener *l
    cdef readonly int port
    cdef readonly int udp_port

    def __dealloc__(self):
        self.close()

    def fileno(self):
        return self.l.efd if self.l is not NULL else -1

    def accept(self):
        """An association, or None."""
        cdef association *a
        cdef AssociationHandle handle
        if self.l is NULL:
            return None
        a = listener_accept(self.l)
        if a is NULL:
            return None
        handle = AssociationHandle.__new__(AssociationHandle)
        handle.a = a
        return handle

    cpdef close(self):
        cdef listener *l = self.l
        self.l = NULL
        if l is not NULL:
            with nogil:
                listener_close(l)


def listen(bytes address not None, int port, int streams):
    """Listen on a UDP socket bound to `address`, a struct sockaddr, and on an SCTP port. `StackError`."""
    cdef const sockaddr *where_to = <const sockaddr *>PyBytes_AS_STRING(address)
    cdef int length = len(address), failure = 0, where = 0
    cdef listener *l
    cdef ListenerHandle handle = ListenerHandle.__new__(ListenerHandle)
    with nogil:
        l = sigtran_listen(where_to, length, port, streams, &failure, &where)
    if l is NULL:
        raise StackError(failure, where)
    handle.l = l
    handle.port = l.port
    handle.udp_port = listener_udp_port(l)
    return handle


def connect(bytes local not None, bytes remote not None, int port, int streams):
    """Begin an association from one struct sockaddr to the other. `StackError`."""
    cdef const sockaddr *here = <const sockaddr *>PyBytes_AS_STRING(local)
    cdef const sockaddr *there = <const sockaddr *>PyBytes_AS_STRING(remote)
    cdef int length = len(remote), failure = 0, where = 0
    cdef association *a
    cdef AssociationHandle handle = AssociationHandle.__new__(AssociationHandle)
    if len(local) != len(remote):
        raise ValueError("addresses of two families")
    with nogil:
        a = sigtran_connect(here, there, length, port, streams, &failure, &where)
    if a is NULL:
        raise StackError(failure, where)
    handle.a = a
    return handle


def stop():
    """Abort everything and end the thread; for the end of the program."""
    with nogil:
        sigtran_stop()
