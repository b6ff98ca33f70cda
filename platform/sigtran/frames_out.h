/* M3UA messages into pcapng packets: Ethernet, IPv4, SCTP with true TSN, SSN, verification tag and CRC32c. */
#ifndef SIGTRAN_FRAMES_OUT_H
#define SIGTRAN_FRAMES_OUT_H

#include <stdlib.h>

#include "crc32c.h"

enum {
	ETHERNET = 14,
	IPV4 = 20,
	SCTP_HEADER = 12,
	DATA_HEADER = 16,
	SACK_LENGTH = 16,
	HEADERS = ETHERNET + IPV4 + SCTP_HEADER,
	BLOCK_HEAD = 28,       /* of an Enhanced Packet Block */
	MESSAGE_LONGEST = 65000, /* what one IPv4 packet carries */
	WINDOW = 1 << 20,
};

/* One direction of one association. */
typedef struct {
	uint8_t headers[HEADERS]; /* checksums, lengths and identification are filled in per packet */
	uint32_t tsn;             /* of the next DATA */
	uint32_t unacknowledged;  /* DATA that the other side has not acknowledged */
	uint16_t ip_id;
	uint16_t *ssn;            /* next of each stream */
} way;

typedef struct {
	uint32_t point_codes[2];  /* client, server */
	way ways[2];              /* client to server, server to client */
} path;

typedef struct {
	path *paths;
	size_t n, room;
	uint32_t streams;
	int sacks;
	uint8_t *out;
	size_t used, out_room;
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

static inline void put32_host(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }

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

static int framer_add(framer *f, uint32_t client, uint32_t server, const uint8_t *to_server,
                      const uint8_t *to_client, uint32_t tsn_to_server, uint32_t tsn_to_client)
{
	const uint8_t *headers[2] = {to_server, to_client};
	uint32_t tsns[2] = {tsn_to_server, tsn_to_client};
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
		memcpy(p->ways[i].headers, headers[i], HEADERS);
		p->ways[i].tsn = tsns[i];
		if (!(p->ways[i].ssn = (uint16_t *)calloc(f->streams, sizeof(uint16_t)))) {
			free(p->ways[0].ssn);
			return -1;
		}
	}
	f->n++;
	return 0;
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

/* Close a packet whose chunks lie at out[used + BLOCK_HEAD + HEADERS ..]; room has been made. */
static void framer_packet(framer *f, way *w, int64_t t_us, size_t chunks, int no_tag)
{
	uint8_t *block = f->out + f->used, *frame = block + BLOCK_HEAD;
	uint8_t *ip = frame + ETHERNET, *sctp = ip + IPV4;
	size_t length = HEADERS + chunks, padded = (length + 3) & ~(size_t)3, total = BLOCK_HEAD + padded + 4;
	uint32_t sum = 0;
	memcpy(frame, w->headers, HEADERS);
	put16(ip + 2, (uint32_t)(length - ETHERNET));
	put16(ip + 4, w->ip_id++);
	for (int i = 0; i < IPV4; i += 2)
		sum += get16(ip + i);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, ~sum & 0xffff);
	if (no_tag)
		put32(sctp + 4, 0);
	uint32_t check = crc32c(sctp, SCTP_HEADER + chunks, 0);
	for (int i = 0; i < 4; i++)
		sctp[8 + i] = (uint8_t)(check >> (8 * i));
	/* pcapng: blocks are in the byte order of this machine, as the section header says. */
	put32_host(block, 6);
	put32_host(block + 4, (uint32_t)total);
	put32_host(block + 8, 0);
	put32_host(block + 12, (uint32_t)((uint64_t)t_us >> 32));
	put32_host(block + 16, (uint32_t)t_us);
	put32_host(block + 20, (uint32_t)length);
	put32_host(block + 24, (uint32_t)length);
	memset(frame + length, 0, padded - length);
	put32_host(block + total - 4, (uint32_t)total);
	f->used += total;
}

/* A packet of ready-made chunks; -1 when memory is out. */
static int framer_control(framer *f, size_t index, int direction, int64_t t_us, const uint8_t *chunks, size_t n,
                          int no_tag)
{
	if (framer_room(f, BLOCK_HEAD + HEADERS + n + 8))
		return -1;
	memcpy(f->out + f->used + BLOCK_HEAD + HEADERS, chunks, n);
	framer_packet(f, &f->paths[index].ways[direction], t_us, n, no_tag);
	return 0;
}

/* A SACK that acknowledges all DATA that came the other way (RFC 9260 3.3.4). */
static uint8_t *put_sack(uint8_t *chunk, way *other)
{
	chunk[0] = 3;
	chunk[1] = 0;
	put16(chunk + 2, SACK_LENGTH);
	put32(chunk + 4, other->tsn - 1);
	put32(chunk + 8, WINDOW);
	put32(chunk + 12, 0);
	other->unacknowledged = 0;
	return chunk + SACK_LENGTH;
}

/* One message as a DATA chunk, and the acknowledgements that an endpoint would send. -1 when memory is out. */
static int framer_data(framer *f, path *p, int direction, int64_t t_us, const uint8_t *message, size_t n,
                       uint32_t stream)
{
	way *w = &p->ways[direction], *other = &p->ways[!direction];
	if (framer_room(f, 2 * (BLOCK_HEAD + HEADERS + SACK_LENGTH + 8) + DATA_HEADER + n))
		return -1;
	uint8_t *start = f->out + f->used + BLOCK_HEAD + HEADERS, *chunk = start;
	if (f->sacks && other->unacknowledged)
		chunk = put_sack(chunk, other);
	chunk[0] = 0;
	chunk[1] = 3; /* B and E: not fragmented */
	put16(chunk + 2, (uint32_t)(DATA_HEADER + n));
	put32(chunk + 4, w->tsn++);
	put16(chunk + 8, stream);
	put16(chunk + 10, w->ssn[stream]++);
	put32(chunk + 12, 3); /* payload protocol id: M3UA */
	memcpy(chunk + DATA_HEADER, message, n);
	chunk += DATA_HEADER + n;
	for (size_t i = n; i & 3; i++)
		*chunk++ = 0;
	framer_packet(f, w, t_us, (size_t)(chunk - start), 0);
	/* RFC 9260 6.2: at least every second packet is acknowledged. */
	if (++w->unacknowledged >= 2 && f->sacks) {
		put_sack(f->out + f->used + BLOCK_HEAD + HEADERS, w);
		framer_packet(f, other, t_us, SACK_LENGTH, 0);
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
