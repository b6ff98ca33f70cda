# cython: language_level=3, boundscheck=False, wraparound=False
"""The parameters of one PDU class, checked, written and read by a loop in C.

What the parameters are is said in `smpp.wire`; its types of parameter are also the reference that a test holds
this against. Octets, C-octet strings and short_message are done here, all else is handed to its type.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE, PyByteArray_Resize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject, PyTypeObject
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memcpy

cdef extern from "Python.h":
    int PyUnicode_CheckExact(object)
    int PyUnicode_KIND(object)
    int PyUnicode_1BYTE_KIND
    void *PyUnicode_DATA(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    object PyUnicode_DecodeLatin1(const char *, Py_ssize_t, const char *)
    PyTypeObject *Py_TYPE(object)

cdef enum:
    OCTET
    STRING
    MESSAGE
    OTHER

cdef dict CODES = {"Octet": OCTET, "CString": STRING, "ShortMessage": MESSAGE}
cdef Py_ssize_t MOST = 254  # octets of short_message, SMPP 3.4 5.2.21


cdef class Layout:
    """All parameters of the class `cls`, whose slots they are: `parameters` is its table."""

    cdef tuple names, kinds, slots
    cdef Py_ssize_t n
    cdef int *what
    cdef Py_ssize_t *sizes

    def __cinit__(self, cls, tuple parameters):
        self.n = len(parameters)
        self.names = tuple([name for name, _ in parameters])
        self.kinds = tuple([kind for _, kind in parameters])
        # The slots' own descriptors write into a frozen instance.
        self.slots = tuple([getattr(cls, name) for name in self.names])
        self.what = <int *> calloc(self.n + 1, sizeof(int))
        self.sizes = <Py_ssize_t *> calloc(self.n + 1, sizeof(Py_ssize_t))
        if self.what == NULL or self.sizes == NULL:
            raise MemoryError()
        for i, kind in enumerate(self.kinds):
            self.what[i] = CODES.get(type(kind).__name__, OTHER)
            if self.what[i] == STRING:
                self.sizes[i] = kind.size

    def __dealloc__(self):
        free(self.what)
        free(self.sizes)

    def check(self, body):
        """Raise EncodeError for the first value that has no place on the wire."""
        cdef Py_ssize_t i
        for i in range(self.n):
            value = getattr(body, <str> self.names[i])
            if not self._plain(i, value):
                self.kinds[i].check(self.names[i], value)

    cdef bint _plain(self, Py_ssize_t i, value):
        """Whether the value is surely right; what is not is looked at by its type."""
        cdef int what = self.what[i]
        cdef Py_ssize_t length
        if what == OCTET:
            return type(value) is int and 0 <= value <= 255
        if what == STRING:
            if not PyUnicode_CheckExact(value) or PyUnicode_KIND(value) != PyUnicode_1BYTE_KIND:
                return False
            length = PyUnicode_GET_LENGTH(value)
            return length < self.sizes[i] and memchr(PyUnicode_DATA(value), 0, length) == NULL
        if what == MESSAGE:
            return PyBytes_CheckExact(value) and PyBytes_GET_SIZE(value) <= MOST
        return False

    def push(self, bytearray out, body):
        """Append all values, which have been checked."""
        cdef Py_ssize_t i, at, length
        cdef char *to
        cdef int what
        for i in range(self.n):
            value = getattr(body, <str> self.names[i])
            what = self.what[i]
            if what == OCTET:
                at = PyByteArray_GET_SIZE(out)
                PyByteArray_Resize(out, at + 1)
                PyByteArray_AS_STRING(out)[at] = <char> (<int> value)
            elif what == STRING and PyUnicode_CheckExact(value):
                at = PyByteArray_GET_SIZE(out)
                length = PyUnicode_GET_LENGTH(value)
                PyByteArray_Resize(out, at + length + 1)
                to = PyByteArray_AS_STRING(out) + at
                memcpy(to, PyUnicode_DATA(value), length)
                to[length] = 0
            elif what == MESSAGE and PyBytes_CheckExact(value):
                at = PyByteArray_GET_SIZE(out)
                length = PyBytes_GET_SIZE(value)
                PyByteArray_Resize(out, at + 1 + length)
                to = PyByteArray_AS_STRING(out) + at
                to[0] = <char> length
                memcpy(to + 1, PyBytes_AS_STRING(value), length)
            else:
                self.kinds[i].push(out, value)

    def pull(self, bytes data, Py_ssize_t at, body):
        """Put the values that begin at `at` into `body`, one after the other; where they end.

        Raises IndexError where `data` ends first, DecodeError for a wrong one: the first slot that is empty
        then tells which.
        """
        cdef Py_ssize_t i, end = PyBytes_GET_SIZE(data), length
        cdef const unsigned char *octets = <const unsigned char *> PyBytes_AS_STRING(data)
        cdef const unsigned char *stop
        cdef int what
        cdef object value
        for i in range(self.n):
            what = self.what[i]
            if what == OCTET:
                if at >= end:
                    raise IndexError
                value = octets[at]
                at += 1
            elif what == STRING and at < end:
                stop = <const unsigned char *> memchr(octets + at, 0, end - at)
                length = end - at if stop == NULL else stop - (octets + at)
                if stop == NULL or length >= self.sizes[i]:
                    value, at = self.kinds[i].pull(data, at)  # raises, or excuses a missing NUL
                else:
                    value = PyUnicode_DecodeLatin1(<const char *> octets + at, length, NULL)
                    at += length + 1
            elif what == MESSAGE and at < end and octets[at] <= MOST:
                length = octets[at]
                if at + 1 + length > end:
                    raise IndexError
                value = PyBytes_FromStringAndSize(<const char *> octets + at + 1, length)
                at += 1 + length
            else:
                value, at = self.kinds[i].pull(data, at)
            slot = self.slots[i]
            Py_TYPE(slot).tp_descr_set(slot, body, value)
        return at
