/* pcap and pcapng files as a stream: as many whole blocks as are there, frame by frame into the dissector. */
#ifndef SIGTRAN_CAPTURE_BLOCKS_H
#define SIGTRAN_CAPTURE_BLOCKS_H

#include "frames_in.h"

enum { INTERFACES_MAX = 1024, BLOCK_MAX = 1 << 26 };
enum { UNKNOWN_FILE, PCAPNG, PCAP };

typedef struct {
	int kind, swapped;
	uint32_t link[INTERFACES_MAX];
	uint8_t resolution[INTERFACES_MAX]; /* if_tsresol: units of 10^-n s, or of 2^-n s with the upper bit */
	uint64_t offset_s[INTERFACES_MAX];  /* if_tsoffset, two's complement */
	uint32_t interfaces, snapshot;      /* the latter of the first interface */
	int64_t blocks;                     /* whole ones so far; of pcap its header and its packets */
	const char *error;                  /* what is wrong with the block behind them */
} capture_stream;

static inline uint32_t read32(const capture_stream *s, const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return s->swapped ? __builtin_bswap32(v) : v;
}

static inline uint32_t read16(const capture_stream *s, const uint8_t *p)
{
	uint16_t v;
	memcpy(&v, p, 2);
	return s->swapped ? __builtin_bswap16(v) : v;
}

/* Unix microseconds. Nonsense in a file wraps around, and overflows nothing. */
static int64_t to_microseconds(uint64_t units, uint8_t resolution, uint64_t offset_s)
{
	unsigned __int128 us = units;
	if (resolution & 0x80) {
		us = us * 1000000u >> (resolution & 0x7f);
	} else {
		for (int i = resolution; i < 6; i++)
			us *= 10;
		for (int i = 6; i < resolution; i++)
			us /= 10;
	}
	return (int64_t)((uint64_t)us + offset_s * 1000000u);
}

static void interface_block(capture_stream *s, const uint8_t *block, size_t length)
{
	if (s->interfaces >= INTERFACES_MAX) {
		s->error = "more than 1024 interfaces";
		return;
	}
	uint32_t i = s->interfaces++;
	s->link[i] = read16(s, block + 8);
	s->resolution[i] = 6;
	s->offset_s[i] = 0;
	if (i == 0)
		s->snapshot = read32(s, block + 12);
	for (size_t at = 16; at + 4 <= length - 4;) {
		uint32_t code = read16(s, block + at), n = read16(s, block + at + 2);
		if (code == 0 || at + 4 + n > length - 4)
			break;
		if (code == 9 && n == 1)
			s->resolution[i] = block[at + 4];
		if (code == 14 && n == 8) {
			uint64_t one = read32(s, block + at + 4), two = read32(s, block + at + 8);
			int little = (*(const uint8_t *)&(uint16_t){1}) != s->swapped;
			s->offset_s[i] = little ? two << 32 | one : one << 32 | two;
		}
		at += 4 + ((n + 3) & ~3u);
	}
}

/* One block of pcapng; 0, or -1 when memory is out. */
static int pcapng_block(capture_stream *s, dissector *d, const uint8_t *block, size_t length)
{
	uint32_t type = read32(s, block);
	if (type == 1) {
		if (length >= 20)
			interface_block(s, block, length);
		else
			s->error = "an interface description that is too short";
		return 0;
	}
	if (type == 6 || type == 2) { /* Enhanced Packet Block; Packet Block, its forerunner */
		if (length < 32) {
			d->damaged++;
			return 0;
		}
		uint32_t interface = type == 6 ? read32(s, block + 8) : read16(s, block + 8);
		uint64_t units = (uint64_t)read32(s, block + 12) << 32 | read32(s, block + 16);
		size_t captured = read32(s, block + 20);
		if (captured > length - 32 || interface >= s->interfaces) {
			d->damaged++;
			return 0;
		}
		d->cut_short += captured < read32(s, block + 24);
		d->last_us = to_microseconds(units, s->resolution[interface], s->offset_s[interface]);
		return dissect_frame(d, s->link[interface], d->last_us, block + 28, captured);
	}
	if (type == 3) { /* Simple Packet Block, of the first interface: has no time, so takes that of the last */
		if (length < 16 || !s->interfaces) {
			d->damaged++;
			return 0;
		}
		size_t captured = read32(s, block + 8);
		if (s->snapshot && captured > s->snapshot) {
			captured = s->snapshot;
			d->cut_short++;
		}
		if (captured > length - 16) {
			d->damaged++;
			return 0;
		}
		return dissect_frame(d, s->link[0], d->last_us, block + 12, captured);
	}
	return 0;
}

/* The head of the file: octets of it, 0 where more must come or s->error says what is wrong. */
static size_t file_head(capture_stream *s, const uint8_t *p, size_t n)
{
	uint32_t magic;
	if (n < 24)
		return 0;
	memcpy(&magic, p, 4);
	if (magic == 0x0A0D0D0A) {
		s->kind = PCAPNG;
		return 0;
	}
	s->swapped = magic == 0xD4C3B2A1 || magic == 0x4D3CB2A1;
	if (s->swapped)
		magic = __builtin_bswap32(magic);
	if (magic != 0xA1B2C3D4 && magic != 0xA1B23C4D) {
		s->error = "neither pcapng nor pcap";
		return 0;
	}
	s->kind = PCAP;
	s->link[0] = read32(s, p + 20) & 0xffff;
	s->resolution[0] = magic == 0xA1B23C4D ? 9 : 6;
	s->blocks = 1;
	return 24;
}

/* How many octets were used; the rest must come again with more behind it. -1 when memory is out, and
 * s->error is set where the file is no capture or is damaged right behind what was used. */
static int64_t capture_feed(capture_stream *s, dissector *d, const uint8_t *p, size_t n)
{
	size_t at = s->kind == UNKNOWN_FILE ? file_head(s, p, n) : 0;
	while (s->kind == PCAP && n - at >= 16) {
		size_t captured = read32(s, p + at + 8);
		if (captured > BLOCK_MAX) {
			s->error = "a packet of more than 64 MiB";
			break;
		}
		if (n - at < 16 + captured)
			break;
		uint64_t units = (uint64_t)read32(s, p + at) * (s->resolution[0] == 9 ? 1000000000u : 1000000u);
		d->last_us = to_microseconds(units + read32(s, p + at + 4), s->resolution[0], 0);
		d->cut_short += captured < read32(s, p + at + 12);
		if (dissect_frame(d, s->link[0], d->last_us, p + at + 16, captured))
			return -1;
		at += 16 + captured;
		s->blocks++;
	}
	while (s->kind == PCAPNG && n - at >= 12) {
		uint32_t type;
		memcpy(&type, p + at, 4);
		if (type == 0x0A0D0D0A) { /* a section begins: its byte order, and no interfaces yet */
			uint32_t magic;
			memcpy(&magic, p + at + 8, 4);
			if (magic != 0x1A2B3C4D && magic != 0x4D3C2B1A) {
				s->error = "a section header without byte-order magic";
				break;
			}
			s->swapped = magic == 0x4D3C2B1A;
			s->interfaces = 0;
		}
		size_t length = read32(s, p + at + 4);
		if (length < 12 || length % 4 || length > BLOCK_MAX) {
			s->error = "a block of impossible length";
			break;
		}
		if (n - at < length)
			break;
		if (read32(s, p + at + length - 4) != length) {
			s->error = "a block whose length at its end differs from that at its beginning";
			break;
		}
		if (pcapng_block(s, d, p + at, length))
			return -1;
		if (s->error)
			break;
		at += length;
		s->blocks++;
	}
	return (int64_t)at;
}

#endif
