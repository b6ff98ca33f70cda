/* The DATA of captured associations into messages: what has been before, what is missing, what was fragmented.
 * Memory is bounded by the constants, whatever a capture holds. */
#ifndef SIGTRAN_FLOWS_IN_H
#define SIGTRAN_FLOWS_IN_H

#include "frames_out.h"
#include "message_queue.h"

enum {
	SEEN_BITS = 4096,           /* TSNs below the highest that are remembered, of each direction */
	FLOW_BUCKETS = 1024,
	FLOWS_MAX = 16384,          /* directions remembered; past it one that was quiet is forgotten */
	FRAGMENTED_MAX = 1 << 18,   /* octets of a message in fragments */
	FRAGMENTS_MAX = 512,        /* fragments that wait, of each direction */
	FRAGMENTS_ALL = 1 << 26,    /* octets that wait, of all */
	KEY = 44,                   /* addresses, ports, verification tag */
	I_DATA_HEADER = 20,
	CHUNK_DATA = 0,
	CHUNK_I_DATA = 64,
};

/* A fragment that waits for others; in a list by TSN. */
typedef struct fragment {
	struct fragment *next;
	uint32_t tsn;
	uint16_t stream;
	uint8_t flags;
	size_t n;
	uint8_t octets[];
} fragment;

/* One direction of one association as captured. */
typedef struct flow {
	struct flow *next;
	uint8_t key[KEY];
	uint32_t lowest, highest; /* of the TSNs in `seen` */
	uint64_t seen[SEEN_BITS / 64];
	int any;
	fragment *fragments;
	uint32_t waiting;     /* how many they are */
} flow;

typedef struct {
	message_queue messages;
	int64_t *times;       /* Unix microseconds, one a message */
	size_t times_room;
	int64_t packets, not_sctp, unknown_link, cut_short, ip_fragments, damaged;
	int64_t other_payload, duplicates, missing, jumps, fragments_lost, i_data, forgotten;
	int64_t last_us;      /* time of the last frame that had one */
	flow *flows[FLOW_BUCKETS];
	size_t flow_count, fragment_octets;
	int udp_port;
} dissector;

static void fragment_drop(dissector *d, flow *w, fragment **at)
{
	fragment *one = *at;
	*at = one->next;
	w->waiting--;
	d->fragment_octets -= one->n;
	free(one);
}

/* Fragments that will not become a message. */
static void flow_give_up(dissector *d, flow *w)
{
	while (w->fragments) {
		d->fragments_lost++;
		fragment_drop(d, w, &w->fragments);
	}
}

/* At the end of the capture: what still waits is lost. */
static void dissector_finish(dissector *d)
{
	for (int i = 0; i < FLOW_BUCKETS; i++)
		for (flow *w = d->flows[i]; w; w = w->next)
			flow_give_up(d, w);
}

static void dissector_free(dissector *d)
{
	dissector_finish(d);
	for (int i = 0; i < FLOW_BUCKETS; i++) {
		flow *next;
		for (flow *w = d->flows[i]; w; w = next) {
			next = w->next;
			free(w);
		}
	}
	mq_free(&d->messages);
	free(d->times);
	memset(d, 0, sizeof *d);
}

/* The longest unused one of a bucket, or of the next that has any, is forgotten. */
static void flow_forget(dissector *d, uint32_t bucket)
{
	while (!d->flows[bucket])
		bucket = (bucket + 1) % FLOW_BUCKETS;
	flow **at = &d->flows[bucket];
	while ((*at)->next)
		at = &(*at)->next;
	flow_give_up(d, *at);
	free(*at);
	*at = NULL;
	d->flow_count--;
	d->forgotten++;
}

/* NULL when memory is out. Each bucket is in the order of use. */
static flow *flow_of(dissector *d, const uint8_t *key)
{
	uint32_t h = crc32c(key, KEY, 0) % FLOW_BUCKETS;
	flow **at = &d->flows[h], *w = *at;
	while (w && memcmp(w->key, key, KEY)) {
		at = &w->next;
		w = *at;
	}
	if (w) {
		*at = w->next;
	} else {
		if (d->flow_count >= FLOWS_MAX)
			flow_forget(d, h);
		if (!(w = (flow *)calloc(1, sizeof *w)))
			return NULL;
		memcpy(w->key, key, KEY);
		d->flow_count++;
	}
	w->next = d->flows[h];
	d->flows[h] = w;
	return w;
}

/* 1 when this TSN has been before: a retransmission that the tap saw twice. Counts those that are missing. */
static int seen_before(dissector *d, flow *w, uint32_t tsn)
{
	int32_t ahead = (int32_t)(tsn - w->highest), below = (int32_t)(w->lowest - tsn);
	if (!w->any || ahead >= SEEN_BITS || ahead <= -SEEN_BITS) {
		/* Far away: a long hole, or a damaged number. Nothing is known of what lies around it. */
		d->jumps += w->any;
		w->any = 1;
		w->lowest = w->highest = tsn;
		flow_give_up(d, w);
		memset(w->seen, 0, sizeof w->seen);
	} else if (ahead > 0) {
		for (uint32_t t = w->highest + 1; t != tsn + 1; t++)
			w->seen[t / 64 % (SEEN_BITS / 64)] &= ~(1ull << (t % 64));
		w->highest = tsn;
		if (tsn - w->lowest >= SEEN_BITS)
			w->lowest = tsn - (SEEN_BITS - 1);
		d->missing += ahead - 1;
	} else if (below > 0) {
		/* Before the first that was seen, which need not be the first that was sent. */
		w->lowest = tsn;
		d->missing += below - 1;
	} else {
		if (w->seen[tsn / 64 % (SEEN_BITS / 64)] >> (tsn % 64) & 1)
			return 1;
		d->missing--;
	}
	w->seen[tsn / 64 % (SEEN_BITS / 64)] |= 1ull << (tsn % 64);
	return 0;
}

/* A message at the end of the queue, of so many octets; NULL when memory is out. */
static uint8_t *dissector_message(dissector *d, int64_t t_us, size_t n, uint32_t stream)
{
	if (mq_reserve(&d->messages, n, 1))
		return NULL;
	if (d->messages.n >= d->times_room) {
		size_t room = d->messages.n_room;
		int64_t *times = (int64_t *)realloc(d->times, room * sizeof *times);
		if (!times)
			return NULL;
		d->times = times;
		d->times_room = room;
	}
	uint8_t *octets = d->messages.data + d->messages.used;
	d->times[d->messages.n] = t_us;
	d->messages.used += n;
	d->messages.ends[d->messages.n] = (int64_t)d->messages.used;
	d->messages.streams[d->messages.n++] = (uint16_t)stream;
	return octets;
}

/* The fragments around this TSN as a message, where the first, the last and all between are there. */
static int fragments_join(dissector *d, flow *w, int64_t t_us, uint32_t tsn)
{
	fragment **first = NULL;
	size_t n = 0, count = 0;
	uint32_t next = 0;
	for (fragment **at = &w->fragments; *at; at = &(*at)->next) {
		fragment *one = *at;
		if (one->flags & 2) {
			first = at;
			n = count = 0;
		} else if (!first || one->tsn != next || one->stream != (*first)->stream) {
			first = NULL;
			continue;
		}
		n += one->n;
		count++;
		next = one->tsn + 1;
		if (!(one->flags & 1))
			continue;
		if ((int32_t)(tsn - (*first)->tsn) < 0 || (int32_t)(one->tsn - tsn) < 0 || n > FRAGMENTED_MAX) {
			first = NULL;
			continue;
		}
		uint8_t *octets = dissector_message(d, t_us, n, one->stream);
		if (!octets)
			return -1;
		while (count--) {
			memcpy(octets, (*first)->octets, (*first)->n);
			octets += (*first)->n;
			fragment_drop(d, w, first);
		}
		return 0;
	}
	return 0;
}

/* A fragment, in whatever order they come: a retransmission fills a hole. */
static int fragment_arrived(dissector *d, flow *w, int64_t t_us, uint32_t tsn, uint32_t stream, int flags,
                            const uint8_t *p, size_t n)
{
	/* Those that nothing has completed for so long, or that are too many, are given up. */
	while (w->fragments && (w->waiting >= FRAGMENTS_MAX ||
	                        (int32_t)(w->highest - w->fragments->tsn) >= SEEN_BITS)) {
		d->fragments_lost++;
		fragment_drop(d, w, &w->fragments);
	}
	if (d->fragment_octets + n > FRAGMENTS_ALL) {
		d->fragments_lost++;
		return 0;
	}
	fragment **at = &w->fragments, *one = (fragment *)malloc(sizeof *one + n);
	if (!one)
		return -1;
	while (*at && (int32_t)((*at)->tsn - tsn) < 0)
		at = &(*at)->next;
	one->next = *at;
	one->tsn = tsn;
	one->stream = (uint16_t)stream;
	one->flags = (uint8_t)flags;
	one->n = n;
	memcpy(one->octets, p, n);
	*at = one;
	w->waiting++;
	d->fragment_octets += n;
	return fragments_join(d, w, t_us, tsn);
}

/* A DATA chunk (RFC 9260 3.3.1) or an I-DATA chunk (RFC 8260 2.1) of the flow; its length has been checked. */
static int dissect_data(dissector *d, flow *w, int64_t t_us, const uint8_t *chunk, size_t length)
{
	int interleaved = chunk[0] == CHUNK_I_DATA, flags = chunk[1] & 3;
	size_t header = interleaved ? I_DATA_HEADER : DATA_HEADER, n = length - header;
	uint32_t tsn = get32(chunk + 4), stream = get16(chunk + 8);
	d->i_data += interleaved;
	if (seen_before(d, w, tsn)) {
		d->duplicates++;
		return 0;
	}
	if (interleaved && flags != 3) {
		d->fragments_lost++; /* fragments of several messages may lie in between: not joined */
		return 0;
	}
	if (get32(chunk + header - 4) != 3) {
		d->other_payload++;
		return 0;
	}
	if (flags != 3)
		return fragment_arrived(d, w, t_us, tsn, stream, flags, chunk + header, n);
	uint8_t *octets = dissector_message(d, t_us, n, stream);
	if (!octets)
		return -1;
	memcpy(octets, chunk + header, n);
	return 0;
}

#endif
