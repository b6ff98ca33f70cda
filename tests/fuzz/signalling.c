/* libFuzzer targets for the compiled decoder and correlator, each under the sanitizers of the compiler.
 *
 * Without CORRELATE: one message, straight into the C entries of marketing.decode.columns.
 * With CORRELATE: a few messages with times, through Python into marketing.correlate.table.
 *
 * Every buffer handed in is allocated for exactly its octets, so that AddressSanitizer sees a read of one too
 * many. An input says at which layer it begins, and the layers below are built here: a change of length then
 * reaches the short message instead of dying at M3UA.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_MAX = 512, WIRE_MAX = 4096, MESSAGES_MAX = 24 };
enum { OF_M3UA, OF_SCCP, OF_USER, OF_BSSMAP, OF_DTAP, OF_LAYER_3, OF_RP, OF_TPDU, LAYERS };

typedef void decode_message_t(const uint8_t *, int64_t, void *, int);
typedef int decode_user_t(const uint8_t *, int, void *);

static decode_message_t *decode_message;
static decode_user_t *decode_user;
static PyObject *correlate;
/* Where columns are in a row, from schema.ROW. */
static size_t row_size, at_error, at_user_offset, at_user_length, at_more, at_sccp, at_payload;
static int errors;

#define CHECK(condition)                                                             \
	do {                                                                         \
		if (!(condition)) {                                                  \
			fprintf(stderr, "broken promise, line %d: %s\n", __LINE__, #condition); \
			abort();                                                     \
		}                                                                    \
	} while (0)

/* ---------------------------------------------------------------- the layers below */

typedef struct {
	uint8_t octets[WIRE_MAX];
	size_t n;
} wire;

static void put(wire *w, const void *octets, size_t n)
{
	if (n > sizeof w->octets - w->n)
		n = sizeof w->octets - w->n;
	memcpy(w->octets + w->n, octets, n);
	w->n += n;
}

static void put8(wire *w, unsigned value)
{
	uint8_t octet = (uint8_t)value;
	put(w, &octet, 1);
}

/* `head` with the length of what follows as its last octet, and what follows. */
static void wrap(wire *w, const uint8_t *head, size_t n_head)
{
	wire inner = *w;
	w->n = 0;
	put(w, head, n_head);
	put8(w, (unsigned)inner.n);
	put(w, inner.octets, inner.n);
}

/* RFC 4666 3.3.1: Protocol Data with its label and padding. */
static void wrap_m3ua(wire *w, int uplink)
{
	wire inner = *w;
	size_t parameter = 16 + inner.n, whole = 8 + ((parameter + 3) & ~(size_t)3);
	const uint8_t head[] = {
		1, 0, 1, 1, 0, 0, (uint8_t)(whole >> 8), (uint8_t)whole,
		2, 0x10, (uint8_t)(parameter >> 8), (uint8_t)parameter,
		0, 0, uplink ? 1 : 0, 1, 0, 0, uplink ? 0 : 1, 1, 3, 2, 0, 0,
	};
	w->n = 0;
	put(w, head, sizeof head);
	put(w, inner.octets, inner.n);
	while (w->n < whole)
		put8(w, 0);
}

static void build(wire *w, int layer, int uplink, const uint8_t *octets, size_t n)
{
	static const uint8_t dt1[] = {6, 4, 5, 6, 0, 1}, bssmap[] = {0}, dtap[] = {1, 0};
	static const uint8_t complete_layer_3[] = {0x57, 0x05, 0x08, 0, 0, 0xf1, 0x10, 0x10, 0x01, 0, 0x65, 0x17};
	static const uint8_t cp_data[] = {9, 1};
	uint8_t rp_data[] = {(uint8_t)!uplink, 0x2a, 0, 0};
	w->n = 0;
	put(w, octets, n > 1024 ? 1024 : n);
	switch (layer) {
	case OF_TPDU:
		wrap(w, rp_data, sizeof rp_data);
		/* fall through */
	case OF_RP:
		wrap(w, cp_data, sizeof cp_data);
		/* fall through */
	case OF_DTAP:
		wrap(w, dtap, sizeof dtap);
		break;
	case OF_LAYER_3:
		wrap(w, complete_layer_3, sizeof complete_layer_3);
		/* fall through */
	case OF_BSSMAP:
		wrap(w, bssmap, sizeof bssmap);
		break;
	default:
		break;
	}
	if (layer > OF_SCCP)
		wrap(w, dt1, sizeof dt1);
	if (layer > OF_M3UA)
		wrap_m3ua(w, uplink);
}

static uint8_t *exact(const uint8_t *octets, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);
	CHECK(copy);
	memcpy(copy, octets, n);
	return copy;
}

/* ---------------------------------------------------------------- one message */

static void decode_one(const wire *w)
{
	uint8_t *octets = exact(w->octets, w->n), *row = malloc(row_size), *again = malloc(row_size), *alone;
	uint16_t user_offset, user_length;
	int error;
	CHECK(row && again);
	memset(row, 0xAA, row_size);
	memset(again, 0x55, row_size);
	decode_message(octets, (int64_t)w->n, row, -1);
	decode_message(octets, (int64_t)w->n, again, -1);
	CHECK(!memcmp(row, again, row_size));
	CHECK(row[at_error] < errors);
	memcpy(&user_offset, row + at_user_offset, 2);
	memcpy(&user_length, row + at_user_length, 2);
	CHECK((size_t)user_offset + user_length <= w->n);
	if (row[at_error])
		for (size_t i = at_payload; i < row_size; i++)
			CHECK(row[i] == 0);
#ifdef PLANTED
	/* What the fuzzer must find: a read of the octet behind the message. */
	CHECK(octets[w->n] != 0x5A);
#endif
	if (user_length && !row[at_more] && row[at_sccp] != 0x0B) {
		/* The user data by themselves, as the correlator reads joined segments. */
		alone = exact(octets + user_offset, user_length);
		memset(again, 0, row_size);
		error = decode_user(alone, user_length, again);
		CHECK(error == row[at_error]);
		CHECK(error || !memcmp(row + at_payload, again + at_payload, row_size - at_payload));
		free(alone);
	}
	free(again);
	free(row);
	free(octets);
}

/* ---------------------------------------------------------------- a stream of them */

static const char SCRIPT[] =
	"import numpy as np\n"
	"from marketing.behaviours import CODES\n"
	"from marketing.correlate import Correlator\n"
	"from marketing.decode import decode_batch\n"
	"CODES = set(CODES.values())\n"
	"def check(behaviours):\n"
	"    for behaviour in behaviours:\n"
	"        assert int(behaviour['kind']) in CODES, behaviour\n"
	"def run(options, messages, times):\n"
	"    most = 2 if options & 2 else 1 << 20\n"
	"    c = Correlator(hold_us=200_000 if options & 1 else 0, max_connections=most, "
	"max_identities=4 if options & 4 else 1 << 23, idle_s=1.0 if options & 8 else 21_600.0)\n"
	"    for octets, t in zip(messages, times):\n"
	"        offsets = np.array([0, len(octets)])\n"
	"        rows = decode_batch(octets, offsets)\n"
	"        check(c.feed(octets, offsets, rows, np.array([t])))\n"
	"        assert c.connections <= most\n"
	"        if options & 16:\n"
	"            check(c.expire(t))\n"
	"    check(c.flush())\n"
	"    assert c.holding == 0, c.holding\n"
	"    assert min(c.counters.values()) >= 0\n";

static void correlate_all(int options, const wire *wires, const int64_t *times, int n)
{
	uint8_t *octets[MESSAGES_MAX];
	PyObject *messages = PyList_New(n), *stamps = PyList_New(n), *done;
	CHECK(messages && stamps);
	for (int i = 0; i < n; i++) {
		octets[i] = exact(wires[i].octets, wires[i].n);
		PyList_SET_ITEM(messages, i,
		                PyMemoryView_FromMemory((char *)octets[i], (Py_ssize_t)wires[i].n, PyBUF_READ));
		PyList_SET_ITEM(stamps, i, PyLong_FromLongLong(times[i]));
	}
	done = PyObject_CallFunction(correlate, "iOO", options, messages, stamps);
	if (!done) {
		PyErr_Print();
		abort();
	}
	Py_DECREF(done);
	Py_DECREF(messages);
	Py_DECREF(stamps);
	for (int i = 0; i < n; i++)
		free(octets[i]);
}

/* ---------------------------------------------------------------- libFuzzer */

static void *capsule(PyObject *module, const char *name, const char *signature)
{
	PyObject *table = PyObject_GetAttrString(module, "__pyx_capi__");
	PyObject *found = table ? PyDict_GetItemString(table, name) : NULL;
	if (!found || strncmp(PyCapsule_GetName(found), signature, strlen(signature))) {
		fprintf(stderr, "marketing.decode.columns has no C entry %s that begins: %s\n", name, signature);
		exit(2);
	}
	return PyCapsule_GetPointer(found, PyCapsule_GetName(found));
}

static size_t place(PyObject *fields, const char *name)
{
	PyObject *field = PyMapping_GetItemString(fields, name);
	if (!field) {
		PyErr_Print();
		exit(2);
	}
	return PyLong_AsSize_t(PyTuple_GetItem(field, 1));
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	PyObject *module, *schema, *row, *fields, *script;
	(void)argc;
	(void)argv;
	Py_InitializeEx(0);
	module = PyImport_ImportModule("marketing.decode.columns");
	schema = PyImport_ImportModule("marketing.decode.schema");
	script = PyImport_AddModule("__main__");
	if (!module || !schema || PyRun_SimpleString(SCRIPT)) {
		PyErr_Print();
		exit(2);
	}
	decode_message = (decode_message_t *)capsule(module, "decode_message", "void (uint8_t const *, int64_t, struct");
	decode_user = (decode_user_t *)capsule(module, "decode_user", "int (uint8_t const *, int, struct");
	row = PyObject_GetAttrString(schema, "ROW");
	fields = PyObject_GetAttrString(row, "fields");
	row_size = PyLong_AsSize_t(PyObject_GetAttrString(row, "itemsize"));
	errors = (int)PyObject_Size(PyObject_GetAttrString(schema, "ERROR_NAMES"));
	at_error = place(fields, "error");
	at_user_offset = place(fields, "user_offset");
	at_user_length = place(fields, "user_length");
	at_more = place(fields, "more");
	at_sccp = place(fields, "sccp");
	at_payload = place(fields, "dlci");
	CHECK(row_size <= ROW_MAX && at_payload < row_size);
	correlate = PyObject_GetAttrString(script, "run");
	CHECK(correlate);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
#ifdef CORRELATE
	/* Options, then for each message: layer (bits 1-3) and direction (bit 8); logarithm to base 2 of the
	 * microseconds since the last one; length; octets. */
	static wire wires[MESSAGES_MAX];
	int64_t times[MESSAGES_MAX], now = 1000000;
	int n = 0;
	if (size < 1)
		return 0;
	int options = data[0];
	for (size_t at = 1; at + 3 <= size && n < MESSAGES_MAX; n++) {
		size_t length = data[at + 2];
		if (at + 3 + length > size)
			length = size - at - 3;
		now += (int64_t)1 << (data[at + 1] & 31);
		times[n] = now;
		build(&wires[n], data[at] % LAYERS, data[at] >> 7, data + at + 3, length);
		at += 3 + length;
	}
	correlate_all(options, wires, times, n);
#else
	static wire w;
	if (size < 1)
		return 0;
	build(&w, data[0] % LAYERS, data[0] >> 7, data + 1, size - 1);
	decode_one(&w);
#endif
	return 0;
}
