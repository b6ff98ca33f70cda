/* Captured frames into M3UA messages: the link, IP, perhaps UDP, SCTP chunks. Every read is within bounds. */
#ifndef SIGTRAN_FRAMES_IN_H
#define SIGTRAN_FRAMES_IN_H

#include "frames_out.h"
#include "message_queue.h"

enum {
	SEEN_BITS = 4096,     /* TSNs below the highest that are remembered, of each direction */
	FLOW_BUCKETS = 1024,
	FLOWS_MAX = 65536,
	FRAGMENTS_MAX = 1 << 18,
	UDP_ENCAPSULATION = 9899,
};

/* One direction of one association as captured. */
typedef struct flow {
	struct flow *next;
	uint8_t key[44];      /* addresses, ports, verification tag */
	uint32_t highest;
	uint64_t seen[SEEN_BITS / 64];
	int any;
	uint8_t *fragment;    /* the start of a fragmented message */
	size_t fragment_used, fragment_room;
	uint32_t fragment_next; /* TSN that must follow */
	int fragmenting;
} flow;

typedef struct {
	message_queue messages;
	int64_t *times;       /* Unix microseconds, one a message */
	size_t times_room;
	int64_t packets, not_sctp, other_payload, duplicates, fragments_lost, damaged;
	flow *flows[FLOW_BUCKETS];
	size_t flow_count;
	int udp_port;
} dissector;

static void flow_free(flow *w)
{
	free(w->fragment);
	free(w);
}

static void dissector_free(dissector *d)
{
	for (int i = 0; i < FLOW_BUCKETS; i++) {
		flow *next;
		for (flow *w = d->flows[i]; w; w = next) {
			next = w->next;
			flow_free(w);
		}
	}
	mq_free(&d->messages);
	free(d->times);
	memset(d, 0, sizeof *d);
}

static flow *flow_of(dissector *d, const uint8_t *key)
{
	uint32_t h = crc32c(key, sizeof ((flow *)0)->key, 0) % FLOW_BUCKETS;
	flow *w = d->flows[h];
	while (w && memcmp(w->key, key, sizeof w->key))
		w = w->next;
	if (!w) {
		if (d->flow_count >= FLOWS_MAX || !(w = (flow *)calloc(1, sizeof *w)))
			return NULL;
		memcpy(w->key, key, sizeof w->key);
		w->next = d->flows[h];
		d->flows[h] = w;
		d->flow_count++;
	}
	return w;
}

/* 1 when this TSN has been before: a retransmission that the tap saw twice. */
static int seen_before(flow *w, uint32_t tsn)
{
	if (!w->any) {
		w->any = 1;
		w->highest = tsn;
		w->seen[tsn / 64 % (SEEN_BITS / 64)] |= 1ull << (tsn % 64);
		return 0;
	}
	int32_t ahead = (int32_t)(tsn - w->highest);
	if (ahead > 0) {
		if (ahead >= SEEN_BITS) {
			memset(w->seen, 0, sizeof w->seen);
		} else {
			for (uint32_t t = w->highest + 1; t != tsn + 1; t++)
				w->seen[t / 64 % (SEEN_BITS / 64)] &= ~(1ull << (t % 64));
		}
		w->highest = tsn;
	} else if (ahead <= -SEEN_BITS) {
		return 1;
	}
	uint64_t *word = &w->seen[tsn / 64 % (SEEN_BITS / 64)], bit = 1ull << (tsn % 64);
	if (*word & bit)
		return 1;
	*word |= bit;
	return 0;
}

static int dissector_message(dissector *d, int64_t t_us, const uint8_t *p, size_t n, uint32_t stream)
{
	if (!n)
		return 0;
	if (mq_reserve(&d->messages, n, 1))
		return -1;
	if (d->messages.n >= d->times_room) {
		size_t room = d->messages.n_room;
		int64_t *times = (int64_t *)realloc(d->times, room * sizeof *times);
		if (!times)
			return -1;
		d->times = times;
		d->times_room = room;
	}
	d->times[d->messages.n] = t_us;
	memcpy(d->messages.data + d->messages.used, p, n);
	d->messages.used += n;
	d->messages.ends[d->messages.n] = (int64_t)d->messages.used;
	d->messages.streams[d->messages.n++] = (uint16_t)stream;
	return 0;
}

/* A DATA chunk (RFC 9260 3.3.1) of the flow. Fragments are joined when they come in the order of their TSN. */
static int dissect_data(dissector *d, flow *w, int64_t t_us, const uint8_t *chunk, size_t length)
{
	int begins = chunk[1] & 2, ends = chunk[1] & 1;
	uint32_t tsn = get32(chunk + 4), stream = get16(chunk + 8);
	const uint8_t *p = chunk + DATA_HEADER;
	size_t n = length - DATA_HEADER;
	if (get32(chunk + 12) != 3) {
		d->other_payload++;
		return 0;
	}
	if (w && seen_before(w, tsn)) {
		d->duplicates++;
		return 0;
	}
	if (begins && ends)
		return dissector_message(d, t_us, p, n, stream);
	if (!w)
		return 0;
	if (w->fragmenting && (begins || tsn != w->fragment_next)) {
		d->fragments_lost++;
		w->fragmenting = 0;
	}
	if (begins) {
		w->fragmenting = 1;
		w->fragment_used = 0;
	}
	if (!w->fragmenting) {
		d->fragments_lost++;
		return 0;
	}
	if (w->fragment_used + n > FRAGMENTS_MAX) {
		d->fragments_lost++;
		w->fragmenting = 0;
		return 0;
	}
	if (w->fragment_used + n > w->fragment_room) {
		uint8_t *fragment = (uint8_t *)realloc(w->fragment, w->fragment_used + n);
		if (!fragment)
			return -1;
		w->fragment = fragment;
		w->fragment_room = w->fragment_used + n;
	}
	memcpy(w->fragment + w->fragment_used, p, n);
	w->fragment_used += n;
	w->fragment_next = tsn + 1;
	if (!ends)
		return 0;
	w->fragmenting = 0;
	return dissector_message(d, t_us, w->fragment, w->fragment_used, stream);
}

/* An SCTP packet; the first 32 octets of the key are the IP addresses. */
static int dissect_sctp(dissector *d, int64_t t_us, const uint8_t *p, size_t n, uint8_t *key)
{
	if (n < SCTP_HEADER) {
		d->damaged++;
		return 0;
	}
	memcpy(key + 32, p, 8);
	memset(key + 40, 0, 4);
	flow *w = NULL;
	for (size_t at = SCTP_HEADER; at + 4 <= n;) {
		size_t length = get16(p + at + 2);
		if (length < 4 || at + length > n) {
			d->damaged++;
			return 0;
		}
		if (p[at] == 0) {
			if (length <= DATA_HEADER) {
				d->damaged++;
				return 0;
			}
			if (!w)
				w = flow_of(d, key);
			if (dissect_data(d, w, t_us, p + at, length))
				return -1;
		}
		at += (length + 3) & ~(size_t)3;
	}
	return 0;
}

static int dissect_transport(dissector *d, int64_t t_us, uint32_t protocol, const uint8_t *p, size_t n,
                             uint8_t *key)
{
	if (protocol == 132)
		return dissect_sctp(d, t_us, p, n, key);
	if (protocol == 17 && n > 8 &&
	    ((int)get16(p) == d->udp_port || (int)get16(p + 2) == d->udp_port)) {
		size_t length = get16(p + 4);
		if (length >= 8 && length < n)
			n = length;
		return dissect_sctp(d, t_us, p + 8, n - 8, key);
	}
	d->not_sctp++;
	return 0;
}

static int dissect_ip(dissector *d, int64_t t_us, const uint8_t *p, size_t n)
{
	uint8_t key[44];
	memset(key, 0, sizeof key);
	if (n >= 20 && p[0] >> 4 == 4) {
		size_t header = (size_t)(p[0] & 15) * 4, length = get16(p + 2);
		if (header < 20 || length < header || header > n) {
			d->damaged++;
			return 0;
		}
		if (length > n)
			length = n; /* cut by the snapshot length: the chunks say whether it matters */
		if (get16(p + 6) & 0x3fff) {
			d->fragments_lost++; /* fragments of IP are not joined: SCTP does not send any */
			return 0;
		}
		memcpy(key, p + 12, 4);
		memcpy(key + 16, p + 16, 4);
		return dissect_transport(d, t_us, p[9], p + header, length - header, key);
	}
	if (n >= 40 && p[0] >> 4 == 6) {
		uint32_t protocol = p[6];
		size_t length = 40 + get16(p + 4), at = 40;
		if (length > n)
			length = n;
		memcpy(key, p + 8, 32);
		while ((protocol == 0 || protocol == 43 || protocol == 60) && at + 8 <= length) {
			protocol = p[at];
			at += 8 + (size_t)p[at + 1] * 8;
		}
		if (at > length) {
			d->damaged++;
			return 0;
		}
		return dissect_transport(d, t_us, protocol, p + at, length - at, key);
	}
	d->not_sctp++;
	return 0;
}

/* One captured frame of a link type (https://www.tcpdump.org/linktypes.html); -1 when memory is out. */
static int dissect_frame(dissector *d, uint32_t link, int64_t t_us, const uint8_t *p, size_t n)
{
	size_t at = 0;
	uint32_t type = 0x0800;
	uint8_t key[44];
	d->packets++;
	switch (link) {
	case 1: /* Ethernet */
		if (n < 14)
			break;
		type = get16(p + 12);
		at = 14;
		while ((type == 0x8100 || type == 0x88a8) && at + 4 <= n) {
			type = get16(p + at + 2);
			at += 4;
		}
		break;
	case 113: /* Linux cooked */
		if (n < 16)
			break;
		type = get16(p + 14);
		at = 16;
		break;
	case 276: /* Linux cooked, version 2 */
		if (n < 20)
			break;
		type = get16(p);
		at = 20;
		break;
	case 0: /* BSD loopback, and 108: the family, whose numbers differ; the IP version tells */
	case 108:
		at = 4;
		break;
	case 12: /* raw IP, under its several numbers */
	case 14:
	case 101:
	case 228:
	case 229:
		break;
	case 248: /* SCTP */
		memset(key, 0, sizeof key);
		return dissect_sctp(d, t_us, p, n, key);
	default:
		d->not_sctp++;
		return 0;
	}
	if ((type != 0x0800 && type != 0x86dd) || at >= n) {
		d->not_sctp++;
		return 0;
	}
	return dissect_ip(d, t_us, p + at, n - at);
}

#endif
