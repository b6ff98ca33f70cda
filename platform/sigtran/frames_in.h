/* Captured frames into SCTP: the link, IP, perhaps UDP, chunks. Every read is within bounds. */
#ifndef SIGTRAN_FRAMES_IN_H
#define SIGTRAN_FRAMES_IN_H

#include "flows_in.h"

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
		if (p[at] == CHUNK_DATA || p[at] == CHUNK_I_DATA) {
			/* RFC 9260 3.3.1: at least one octet of user data. */
			if (length <= (p[at] == CHUNK_DATA ? DATA_HEADER : I_DATA_HEADER)) {
				d->damaged++;
				return 0;
			}
			if (!w && !(w = flow_of(d, key)))
				return -1;
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

static int dissect_ipv4(dissector *d, int64_t t_us, const uint8_t *p, size_t n)
{
	uint8_t key[KEY];
	size_t header = (size_t)(p[0] & 15) * 4, length = get16(p + 2);
	if (header < 20 || (length && length < header) || header > n) {
		d->damaged++;
		return 0;
	}
	/* 0: the network card was to cut a large segment itself. Cut by the snapshot length: the chunks tell. */
	if (!length || length > n)
		length = n;
	if (get16(p + 6) & 0x3fff) {
		d->ip_fragments++; /* not joined: SCTP fragments by itself, below the path's MTU */
		return 0;
	}
	memset(key, 0, sizeof key);
	memcpy(key, p + 12, 4);
	memcpy(key + 16, p + 16, 4);
	return dissect_transport(d, t_us, p[9], p + header, length - header, key);
}

static int dissect_ipv6(dissector *d, int64_t t_us, const uint8_t *p, size_t n)
{
	uint8_t key[KEY];
	uint32_t protocol = p[6];
	size_t length = 40 + get16(p + 4), at = 40;
	if (length > n || length == 40)
		length = n;
	memset(key, 0, sizeof key);
	memcpy(key, p + 8, 32);
	/* RFC 8200 4: hop-by-hop and destination options, routing; fragment; RFC 4302 authentication. */
	while ((protocol == 0 || protocol == 43 || protocol == 44 || protocol == 51 || protocol == 60) &&
	       at + 8 <= length) {
		uint32_t next = p[at];
		size_t units = p[at + 1];
		if (protocol == 44 && get16(p + at + 2) & 0xfff9) {
			d->ip_fragments++; /* an atomic fragment (RFC 6946) is whole, and goes on */
			return 0;
		}
		at += 8 + (protocol == 44 ? 0 : protocol == 51 ? units * 4 : units * 8);
		protocol = next;
	}
	if (at > length) {
		d->damaged++;
		return 0;
	}
	return dissect_transport(d, t_us, protocol, p + at, length - at, key);
}

/* One captured frame of a link type (https://www.tcpdump.org/linktypes.html); -1 when memory is out. */
static int dissect_frame(dissector *d, uint32_t link, int64_t t_us, const uint8_t *p, size_t n)
{
	size_t at = 0;
	uint32_t type = 0;
	uint8_t key[KEY];
	d->packets++;
	switch (link) {
	case 1: /* Ethernet, with any number of VLAN tags */
		if (n < 14)
			break;
		type = get16(p + 12);
		at = 14;
		while ((type == 0x8100 || type == 0x88a8 || type == 0x9100) && at + 4 <= n) {
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
		type = 0x0800;
		break;
	case 12: /* raw IP, under its several numbers */
	case 14:
	case 101:
	case 228:
	case 229:
		type = 0x0800;
		break;
	case 248: /* SCTP */
		memset(key, 0, sizeof key);
		return dissect_sctp(d, t_us, p, n, key);
	default:
		d->unknown_link++;
		return 0;
	}
	if ((type == 0x0800 || type == 0x86dd) && at < n) {
		p += at;
		n -= at;
		if (n >= 20 && p[0] >> 4 == 4)
			return dissect_ipv4(d, t_us, p, n);
		if (n >= 40 && p[0] >> 4 == 6)
			return dissect_ipv6(d, t_us, p, n);
	}
	d->not_sctp++;
	return 0;
}

#endif
