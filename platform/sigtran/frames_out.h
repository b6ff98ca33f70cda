/* M3UA messages into captured packets: link, IP, perhaps UDP, SCTP with true TSN, SSN, verification tag, CRC32c.
 * Bundled while they come closely one after the other, fragmented where they are longer than a packet;
 * acknowledged, and with heartbeats while nothing is said, as endpoints do. */
#ifndef SIGTRAN_FRAMES_OUT_H
#define SIGTRAN_FRAMES_OUT_H

#include <stdlib.h>

#include "crc32c.h"

enum {
	IPV4 = 20,
	IPV6 = 40,
	UDP = 8,
	SCTP_HEADER = 12,
	DATA_HEADER = 16,
	SACK_LENGTH = 16,
	HEARTBEAT_LENGTH = 20, /* with its one parameter, of 12 octets of information */
	HEADERS_MAX = 96,
	PACKET_MAX = 65535,    /* from IP on */
	BLOCK_OVERHEAD = 40,   /* head, padding and tail of an Enhanced Packet Block; a pcap record has less */
	MESSAGE_LONGEST = 65000,
	WINDOW = 1 << 20,
	SACK_DELAY_US = 200000, /* RFC 9260 6.2: an acknowledgement waits at most 200 ms */
	RTO_US = 1000000,       /* RTO.Min (RFC 9260 16), where every quiet association comes to rest */
};

#define NEVER INT64_MAX

/* How packets are laid out; the same for all of a file. */
typedef struct {
	int pcap;           /* a record of pcap in place of a block of pcapng */
	int swapped;        /* the other byte order than this machine's */
	int nanoseconds;
	uint32_t link;      /* octets of the link header */
	int ipv6, udp;
	uint32_t mtu;       /* of the IP packet */
	int64_t bundle_us;  /* chunks at most so much apart share a packet */
	int64_t heartbeat_us; /* HB.interval; 0: no heartbeats */
	int sacks;
} layout;

/* One direction of one association. */
typedef struct {
	uint8_t headers[HEADERS_MAX]; /* checksums, lengths and identification are filled in per packet */
	uint32_t tsn;            /* of the next DATA */
	uint32_t unacknowledged; /* packets with DATA that the other side has not acknowledged */
	uint16_t ip_id;
	uint16_t *ssn;           /* next of each stream */
	int64_t data_us;         /* when DATA was sent last */
	int64_t sack_due, heartbeat_due; /* the former is the other side's duty */
} way;

typedef struct {
	uint32_t point_codes[2]; /* client, server */
	way ways[2];             /* client to server, server to client */
} path;

typedef struct {
	layout form;
	uint32_t headers;        /* octets of all headers */
	path *paths;
	size_t n, room;
	uint32_t streams;
	uint8_t *out;
	size_t used, out_room;
	int64_t next_due;        /* nothing is due before */
	/* The packet being put together. */
	path *open;
	int open_direction, open_has_data;
	int64_t open_since, open_us;
	size_t open_n;
	uint8_t chunks[PACKET_MAX + 1];
} framer;

static inline void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static inline uint32_t get16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }
static inline uint32_t get32(const uint8_t *p) { return get16(p) << 16 | get16(p + 2); }

/* A number of the file's own format, in the file's byte order. */
static inline void put_file(const framer *f, uint8_t *p, uint32_t v)
{
	if (f->form.swapped)
		v = __builtin_bswap32(v);
	memcpy(p, &v, 4);
}

static int framer_room(framer *f, size_t octets)
{
	if (f->used + octets > f->out_room) {
		size_t room = f->out_room ? f->out_room : 1 << 16;
		while (room < f->used + octets)
			room *= 2;
		uint8_t *out = (uint8_t *)realloc(f->out, room);
		if (!out)
			return -1;
		f->out = out;
		f->out_room = room;
	}
	return 0;
}

static path *framer_path(framer *f, uint32_t opc, uint32_t dpc, int *direction)
{
	for (size_t i = 0; i < f->n; i++) {
		path *p = &f->paths[i];
		if (p->point_codes[0] == opc && p->point_codes[1] == dpc) {
			*direction = 0;
			return p;
		}
		if (p->point_codes[1] == opc && p->point_codes[0] == dpc) {
			*direction = 1;
			return p;
		}
	}
	return NULL;
}

static void framer_free(framer *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->paths[i].ways[0].ssn);
		free(f->paths[i].ways[1].ssn);
	}
	free(f->paths);
	free(f->out);
	memset(f, 0, sizeof *f);
}

static inline void due(framer *f, int64_t *when, int64_t t_us)
{
	*when = t_us;
	if (t_us < f->next_due)
		f->next_due = t_us;
}

/* RFC 9260 8.3: HB.Interval plus the RTO, give or take half of it; here by the association's own numbers. */
static int64_t heartbeat_after(const framer *f, const way *w, int64_t t_us)
{
	uint32_t odd = crc32c(w->headers, f->headers, 0) ^ (uint32_t)t_us * 2654435761u;
	return t_us + f->form.heartbeat_us + RTO_US / 2 + (int64_t)((odd >> 8) % RTO_US);
}

static uint32_t add_words(uint32_t sum, const uint8_t *p, size_t n)
{
	for (; n > 1; p += 2, n -= 2)
		sum += get16(p);
	return n ? sum + ((uint32_t)*p << 8) : sum;
}

static uint32_t folded(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* One packet of `way` with these chunks; -1 when memory is out. */
static int framer_packet(framer *f, way *w, int64_t t_us, const uint8_t *chunks, size_t n, int no_tag)
{
	size_t length = f->headers + n, padded = (length + 3) & ~(size_t)3;
	if (framer_room(f, BLOCK_OVERHEAD + length))
		return -1;
	uint8_t *block = f->out + f->used, *frame = block + (f->form.pcap ? 16 : 28);
	uint8_t *ip = frame + f->form.link, *udp = ip + (f->form.ipv6 ? IPV6 : IPV4);
	uint8_t *sctp = f->form.udp ? udp + UDP : udp;
	memcpy(frame, w->headers, f->headers);
	memcpy(frame + f->headers, chunks, n);
	if (no_tag)
		put32(sctp + 4, 0);
	uint32_t check = crc32c(sctp, SCTP_HEADER + n, 0);
	for (int i = 0; i < 4; i++)
		sctp[8 + i] = (uint8_t)(check >> (8 * i));
	if (f->form.ipv6) {
		put16(ip + 4, (uint32_t)(length - f->form.link - IPV6));
	} else {
		put16(ip + 2, (uint32_t)(length - f->form.link));
		put16(ip + 4, w->ip_id++);
		put16(ip + 10, folded(add_words(0, ip, IPV4)));
	}
	if (f->form.udp) {
		/* RFC 6951 5.3: with IPv6 there must be a checksum, and over IPv4 there should. */
		size_t segment = UDP + SCTP_HEADER + n;
		put16(udp + 4, (uint32_t)segment);
		uint32_t sum = add_words(17 + (uint32_t)segment, f->form.ipv6 ? ip + 8 : ip + 12, f->form.ipv6 ? 32 : 8);
		sum = folded(add_words(sum, udp, segment));
		put16(udp + 6, sum ? sum : 0xffff);
	}
	if (f->form.pcap) {
		put_file(f, block, (uint32_t)(t_us / 1000000));
		put_file(f, block + 4, (uint32_t)(t_us % 1000000) * (f->form.nanoseconds ? 1000 : 1));
		put_file(f, block + 8, (uint32_t)length);
		put_file(f, block + 12, (uint32_t)length);
		f->used += 16 + length;
		return 0;
	}
	uint32_t total = (uint32_t)(28 + padded + 4);
	uint64_t units = f->form.nanoseconds ? (uint64_t)t_us * 1000 : (uint64_t)t_us;
	put_file(f, block, 6);
	put_file(f, block + 4, total);
	put_file(f, block + 8, 0);
	put_file(f, block + 12, (uint32_t)(units >> 32));
	put_file(f, block + 16, (uint32_t)units);
	put_file(f, block + 20, (uint32_t)length);
	put_file(f, block + 24, (uint32_t)length);
	memset(frame + length, 0, padded - length);
	put_file(f, block + total - 4, total);
	f->used += total;
	return 0;
}

/* A SACK that acknowledges all DATA that came the other way (RFC 9260 3.3.4). */
static void put_sack(uint8_t *chunk, way *other)
{
	chunk[0] = 3;
	chunk[1] = 0;
	put16(chunk + 2, SACK_LENGTH);
	put32(chunk + 4, other->tsn - 1);
	put32(chunk + 8, WINDOW);
	put32(chunk + 12, 0);
	other->unacknowledged = 0;
	other->sack_due = NEVER;
}

/* Write the packet being put together, and the acknowledgement that it calls for. */
static int framer_close(framer *f)
{
	path *p = f->open;
	if (!p)
		return 0;
	way *w = &p->ways[f->open_direction], *other = &p->ways[!f->open_direction];
	int64_t t_us = f->open_us;
	uint8_t sack[SACK_LENGTH];
	f->open = NULL;
	if (framer_packet(f, w, t_us, f->chunks, f->open_n, 0))
		return -1;
	if (!f->open_has_data)
		return 0;
	w->data_us = t_us;
	if (!f->form.sacks)
		return 0;
	/* RFC 9260 6.2: at least every second packet is acknowledged at once. */
	if (++w->unacknowledged < 2) {
		due(f, &w->sack_due, t_us + SACK_DELAY_US);
		return 0;
	}
	put_sack(sack, w);
	return framer_packet(f, other, t_us, sack, sizeof sack, 0);
}

/* A HEARTBEAT and its acknowledgement with the same information (RFC 9260 3.3.5, 3.3.6). */
static int framer_heartbeat(framer *f, way *w, way *other, int64_t t_us)
{
	uint8_t chunk[HEARTBEAT_LENGTH];
	chunk[0] = 4;
	chunk[1] = 0;
	put16(chunk + 2, HEARTBEAT_LENGTH);
	put16(chunk + 4, 1);
	put16(chunk + 6, HEARTBEAT_LENGTH - 4);
	put32(chunk + 8, (uint32_t)((uint64_t)t_us >> 32));
	put32(chunk + 12, (uint32_t)t_us);
	put32(chunk + 16, crc32c(chunk + 8, 8, 0));
	if (framer_packet(f, w, t_us, chunk, sizeof chunk, 0))
		return -1;
	chunk[0] = 5;
	return framer_packet(f, other, t_us, chunk, sizeof chunk, 0);
}

/* Time passes up to before `t_us`: acknowledgements that waited, heartbeats where nothing was said. */
static int framer_pass(framer *f, int64_t t_us)
{
	if (f->open && t_us - f->open_since > f->form.bundle_us && framer_close(f))
		return -1;
	while (f->next_due < t_us) {
		path *p = NULL;
		int direction = 0, beats = 0;
		int64_t first = NEVER;
		if (framer_close(f))
			return -1;
		for (size_t i = 0; i < f->n; i++) {
			for (int d = 0; d < 2; d++) {
				way *w = &f->paths[i].ways[d];
				if (w->sack_due < first || w->heartbeat_due < first) {
					p = &f->paths[i];
					direction = d;
					beats = w->heartbeat_due < w->sack_due;
					first = beats ? w->heartbeat_due : w->sack_due;
				}
			}
		}
		f->next_due = first;
		if (first >= t_us)
			break;
		way *w = &p->ways[direction], *other = &p->ways[!direction];
		if (!beats) {
			uint8_t sack[SACK_LENGTH];
			put_sack(sack, w);
			if (framer_packet(f, other, first, sack, sizeof sack, 0))
				return -1;
		} else if (w->data_us > first - f->form.heartbeat_us) {
			w->heartbeat_due = heartbeat_after(f, w, w->data_us);
		} else {
			w->heartbeat_due = heartbeat_after(f, w, first);
			if (framer_heartbeat(f, w, other, first))
				return -1;
		}
	}
	return 0;
}

/* A new association, whose headers are given for either direction, begins at `t_us`. */
static int framer_add(framer *f, uint32_t client, uint32_t server, const uint8_t *to_server,
                      const uint8_t *to_client, uint32_t tsn_to_server, uint32_t tsn_to_client, int64_t t_us)
{
	const uint8_t *headers[2] = {to_server, to_client};
	uint32_t tsns[2] = {tsn_to_server, tsn_to_client};
	if (framer_close(f)) /* the packet being put together points into the table */
		return -1;
	if (f->n == f->room) {
		size_t room = f->room ? 2 * f->room : 8;
		path *paths = (path *)realloc(f->paths, room * sizeof *paths);
		if (!paths)
			return -1;
		f->paths = paths;
		f->room = room;
	}
	path *p = &f->paths[f->n];
	memset(p, 0, sizeof *p);
	p->point_codes[0] = client;
	p->point_codes[1] = server;
	for (int i = 0; i < 2; i++) {
		way *w = &p->ways[i];
		memcpy(w->headers, headers[i], f->headers);
		w->tsn = tsns[i];
		w->data_us = INT64_MIN / 2;
		w->sack_due = w->heartbeat_due = NEVER;
		if (f->form.heartbeat_us)
			due(f, &w->heartbeat_due, heartbeat_after(f, w, t_us));
		if (!(w->ssn = (uint16_t *)calloc(f->streams, sizeof(uint16_t)))) {
			free(p->ways[0].ssn);
			return -1;
		}
	}
	f->n++;
	return 0;
}

/* A packet of ready-made chunks; -1 when memory is out. */
static int framer_control(framer *f, size_t index, int direction, int64_t t_us, const uint8_t *chunks, size_t n,
                          int no_tag)
{
	if (framer_pass(f, t_us) || framer_close(f))
		return -1;
	return framer_packet(f, &f->paths[index].ways[direction], t_us, chunks, n, no_tag);
}

/* One message as DATA chunks: one, or the first with B, the last with E (RFC 9260 3.3.1). */
static int framer_data(framer *f, path *p, int direction, int64_t t_us, const uint8_t *message, size_t n,
                       uint32_t stream)
{
	size_t most = (f->form.mtu - (f->headers - f->form.link)) & ~(size_t)3; /* octets of all chunks of a packet */
	uint32_t ssn = p->ways[direction].ssn[stream]++;
	if (framer_pass(f, t_us))
		return -1;
	for (size_t at = 0; at < n;) {
		way *w = &p->ways[direction], *other = &p->ways[!direction];
		size_t left = n - at;
		/* A whole message shares the packet if it fits, and so does the last fragment; no other does. */
		if (f->open && (f->open != p || f->open_direction != direction || !f->form.bundle_us ||
		                f->open_n + DATA_HEADER + left > most) && framer_close(f))
			return -1;
		if (!f->open) {
			f->open = p;
			f->open_direction = direction;
			f->open_has_data = 1;
			f->open_since = t_us;
			f->open_n = 0;
			if (f->form.sacks && other->unacknowledged) {
				put_sack(f->chunks, other);
				f->open_n = SACK_LENGTH;
			}
		}
		size_t fits = most - f->open_n - DATA_HEADER, part = left < fits ? left : fits;
		uint8_t *chunk = f->chunks + f->open_n;
		chunk[0] = 0;
		chunk[1] = (uint8_t)((at == 0 ? 2 : 0) | (part == left ? 1 : 0));
		put16(chunk + 2, (uint32_t)(DATA_HEADER + part));
		put32(chunk + 4, w->tsn++);
		put16(chunk + 8, stream);
		put16(chunk + 10, ssn);
		put32(chunk + 12, 3); /* payload protocol id: M3UA */
		memcpy(chunk + DATA_HEADER, message + at, part);
		f->open_n += DATA_HEADER + part;
		while (f->open_n & 3)
			f->chunks[f->open_n++] = 0;
		f->open_us = t_us;
		at += part;
		if ((!f->form.bundle_us || at < n) && framer_close(f))
			return -1;
	}
	return 0;
}

/* Point codes of a DATA message (RFC 4666 3.3.1); 0, or -1 where the octets are none. */
static int m3ua_point_codes(const uint8_t *m, size_t n, uint32_t *opc, uint32_t *dpc)
{
	if (n < 8 || m[0] != 1 || m[2] != 1 || m[3] != 1)
		return -1;
	for (size_t at = 8; at + 4 <= n;) {
		size_t length = get16(m + at + 2);
		if (length < 4 || at + length > n)
			return -1;
		if (get16(m + at) == 0x0210) {
			if (length < 16)
				return -1;
			*opc = get32(m + at + 4);
			*dpc = get32(m + at + 8);
			return 0;
		}
		at += (length + 3) & ~(size_t)3;
	}
	return -1;
}

/* Messages first..n-1 into packets. How many were taken: stops early at a pair of point codes that is not known
 * (*opc, *dpc), or with -1 when memory is out. Messages that are not DATA are left out and counted. */
static int64_t framer_messages(framer *f, const int64_t *t_us, const uint8_t *data, const int64_t *offsets,
                               const uint16_t *streams, size_t first, size_t n, uint32_t *opc, uint32_t *dpc,
                               int64_t *left_out)
{
	for (size_t i = first; i < n; i++) {
		const uint8_t *m = data + offsets[i];
		size_t length = (size_t)(offsets[i + 1] - offsets[i]);
		int direction;
		if (length > MESSAGE_LONGEST || m3ua_point_codes(m, length, opc, dpc)) {
			++*left_out;
			continue;
		}
		path *p = framer_path(f, *opc, *dpc, &direction);
		if (!p)
			return (int64_t)i;
		if (framer_data(f, p, direction, t_us[i], m, length, streams[i] % f->streams))
			return -1;
	}
	return (int64_t)n;
}

#endif
