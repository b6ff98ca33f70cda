/* UDP sockets and the peers seen through them: the network below libusrsctp (RFC 6951).
 *
 * An AF_CONN address of libusrsctp is an opaque pointer. Here it is a number that is never used twice, and
 * stands for one (UDP socket, address of the peer); a packet for a number that is gone is dropped. Packets to
 * send are gathered and leave with sendmmsg. All of this is under the one lock of usrsctp_pump.h. */
#ifndef SIGTRAN_UDP_PEERS_H
#define SIGTRAN_UDP_PEERS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <usrsctp.h>

enum {
	PEER_BUCKETS = 1024,
	PEERS_MAX = 4096,        /* more unused ones than this are forgotten at once */
	PEER_IDLE_MS = 60000,    /* an unused one is forgotten after this */
	PACKET_MAX = 65535,
	IN_PACKETS = 32,
	OUT_PACKETS = 64,
	OUT_ARENA = 1 << 20,
	UDP_BUFFER = 4 << 20,
};

typedef struct udp_endpoint {
	struct udp_endpoint *next;
	int fd;
	int refs;       /* listeners and associations that use it */
	int port;       /* of the UDP socket */
	int buffer;     /* octets of its receive buffer, as the kernel counts */
} udp_endpoint;

typedef struct udp_peer {
	struct udp_peer *next_by_id, *next_by_address;
	udp_endpoint *endpoint;
	uint64_t id;
	int users;              /* associations */
	uint64_t heard_ms;      /* last packet from it */
	uint64_t refused_ms;    /* first ICMP port unreachable since then, 0 none */
	int gone;               /* refused for so long that nobody is there any more */
	socklen_t length;
	struct sockaddr_storage address;
} udp_peer;

static udp_peer *peers_by_id[PEER_BUCKETS], *peers_by_address[PEER_BUCKETS];
static uint64_t peers_last_id;
static int peers_count;

static unsigned peer_hash(const udp_endpoint *endpoint, const struct sockaddr_storage *address)
{
	uint32_t h = 2166136261u ^ (uint32_t)endpoint->fd;
	const uint8_t *octets;
	size_t n;
	if (address->ss_family == AF_INET6) {
		octets = (const uint8_t *)&((const struct sockaddr_in6 *)address)->sin6_addr;
		n = 16;
		h ^= ((const struct sockaddr_in6 *)address)->sin6_port;
	} else {
		octets = (const uint8_t *)&((const struct sockaddr_in *)address)->sin_addr;
		n = 4;
		h ^= ((const struct sockaddr_in *)address)->sin_port;
	}
	for (size_t i = 0; i < n; i++)
		h = (h ^ octets[i]) * 16777619u;
	return (h ^ (h >> 15)) % PEER_BUCKETS;
}

static int same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return 0;
	if (a->ss_family == AF_INET6) {
		const struct sockaddr_in6 *x = (const struct sockaddr_in6 *)a, *y = (const struct sockaddr_in6 *)b;
		return x->sin6_port == y->sin6_port && !memcmp(&x->sin6_addr, &y->sin6_addr, 16);
	}
	const struct sockaddr_in *x = (const struct sockaddr_in *)a, *y = (const struct sockaddr_in *)b;
	return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
}

static udp_peer *peer_by_id(uint64_t id)
{
	udp_peer *peer = peers_by_id[id % PEER_BUCKETS];
	while (peer && peer->id != id)
		peer = peer->next_by_id;
	return peer;
}

static udp_peer *peer_by_address(udp_endpoint *endpoint, const struct sockaddr_storage *address)
{
	udp_peer *peer = peers_by_address[peer_hash(endpoint, address)];
	while (peer && !(peer->endpoint == endpoint && same_address(&peer->address, address)))
		peer = peer->next_by_address;
	return peer;
}

static udp_peer *peer_make(udp_endpoint *endpoint, const struct sockaddr_storage *address, socklen_t length)
{
	udp_peer *peer = (udp_peer *)calloc(1, sizeof *peer);
	if (!peer)
		return NULL;
	peer->endpoint = endpoint;
	peer->id = ++peers_last_id;
	memcpy(&peer->address, address, sizeof *address);
	peer->length = length;
	unsigned by_address = peer_hash(endpoint, address), by_id = (unsigned)(peer->id % PEER_BUCKETS);
	peer->next_by_address = peers_by_address[by_address];
	peers_by_address[by_address] = peer;
	peer->next_by_id = peers_by_id[by_id];
	peers_by_id[by_id] = peer;
	peers_count++;
	usrsctp_register_address((void *)(uintptr_t)peer->id);
	return peer;
}

static void peer_forget(udp_peer *peer)
{
	udp_peer **at = &peers_by_id[peer->id % PEER_BUCKETS];
	while (*at != peer)
		at = &(*at)->next_by_id;
	*at = peer->next_by_id;
	at = &peers_by_address[peer_hash(peer->endpoint, &peer->address)];
	while (*at != peer)
		at = &(*at)->next_by_address;
	*at = peer->next_by_address;
	peers_count--;
	usrsctp_deregister_address((void *)(uintptr_t)peer->id);
	free(peer);
}

/* Forget peers without association: all of one endpoint that goes, or those long silent. */
static void peers_sweep(const udp_endpoint *endpoint, uint64_t now_ms)
{
	uint64_t idle = peers_count > PEERS_MAX ? 0 : PEER_IDLE_MS;
	for (int i = 0; i < PEER_BUCKETS; i++) {
		udp_peer *next;
		for (udp_peer *peer = peers_by_id[i]; peer; peer = next) {
			next = peer->next_by_id;
			if (endpoint ? peer->endpoint == endpoint : !peer->users && now_ms - peer->heard_ms >= idle)
				peer_forget(peer);
		}
	}
}

/* A UDP socket; on failure NULL and errno. */
static udp_endpoint *endpoint_open(const struct sockaddr *address, socklen_t length)
{
	udp_endpoint *endpoint = (udp_endpoint *)calloc(1, sizeof *endpoint);
	struct sockaddr_storage bound;
	socklen_t bound_length = sizeof bound, option_length = sizeof(int);
	int size = UDP_BUFFER, on = 1, failure;
	if (!endpoint)
		return NULL;
	endpoint->fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (endpoint->fd < 0)
		goto failed;
	if (setsockopt(endpoint->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
		setsockopt(endpoint->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (setsockopt(endpoint->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size))
		setsockopt(endpoint->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	/* ICMP errors come with the address they are about: a dead peer is noticed sooner than by timers. */
	if (address->sa_family == AF_INET6)
		setsockopt(endpoint->fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
	else
		setsockopt(endpoint->fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
	if (bind(endpoint->fd, address, length))
		goto failed;
	if (getsockname(endpoint->fd, (struct sockaddr *)&bound, &bound_length))
		goto failed;
	if (getsockopt(endpoint->fd, SOL_SOCKET, SO_RCVBUF, &endpoint->buffer, &option_length))
		goto failed;
	endpoint->port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
	                                                   : ((struct sockaddr_in *)&bound)->sin_port);
	return endpoint;
failed:
	failure = errno;
	if (endpoint->fd >= 0)
		close(endpoint->fd);
	free(endpoint);
	errno = failure;
	return NULL;
}

/* Largest SCTP packet on the way to an address: what the route carries, less IP and UDP headers. */
static int path_packet(const struct sockaddr *address, socklen_t length, int bound)
{
	int mtu = 1500, headers = address->sa_family == AF_INET6 ? 48 : 28;
	socklen_t option_length = sizeof mtu;
	int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		if (!connect(fd, address, length)) {
			int level = address->sa_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
			int option = address->sa_family == AF_INET6 ? IPV6_MTU : IP_MTU;
			if (getsockopt(fd, level, option, &mtu, &option_length))
				mtu = 1500;
		}
		close(fd);
	}
	mtu -= headers;
	if (mtu > bound)
		mtu = bound;
	return mtu & ~3;
}

/* --- packets out */

static struct {
	struct {
		udp_endpoint *endpoint;
		struct sockaddr_storage address;
		socklen_t length;
		struct iovec packet;
	} entries[OUT_PACKETS];
	int n;
	size_t used;
	uint8_t *arena;
} out;

static void packets_flush(void)
{
	struct mmsghdr headers[OUT_PACKETS];
	int done = 0;
	while (done < out.n) {
		udp_endpoint *endpoint = out.entries[done].endpoint;
		int n = 0, sent;
		memset(headers, 0, sizeof headers);
		while (done + n < out.n && out.entries[done + n].endpoint == endpoint) {
			struct msghdr *header = &headers[n].msg_hdr;
			header->msg_name = &out.entries[done + n].address;
			header->msg_namelen = out.entries[done + n].length;
			header->msg_iov = &out.entries[done + n].packet;
			header->msg_iovlen = 1;
			n++;
		}
		for (int first = 0, tries = 0; first < n; first += sent) {
			sent = sendmmsg(endpoint->fd, headers + first, (unsigned)(n - first), 0);
			if (sent >= 0)
				continue;
			sent = 0;
			if (errno == EINTR)
				continue;
			if ((errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) && tries++ < 5) {
				struct pollfd ready = {endpoint->fd, POLLOUT, 0};
				poll(&ready, 1, 2);
				continue;
			}
			/* An ICMP error of an earlier packet is told here once, and the packet was not sent: SCTP
			 * sends again what it does not see acknowledged. */
			if (tries++ < 5)
				continue;
			sent = 1;
		}
		done += n;
	}
	out.n = 0;
	out.used = 0;
}

/* What libusrsctp calls to send a packet. */
static int packet_out(void *address, void *buffer, size_t length, uint8_t tos, uint8_t set_df)
{
	(void)tos;
	(void)set_df;
	udp_peer *peer = peer_by_id((uint64_t)(uintptr_t)address);
	if (!peer || length > PACKET_MAX)
		return 0;
	if (out.n == OUT_PACKETS || out.used + length > OUT_ARENA)
		packets_flush();
	out.entries[out.n].endpoint = peer->endpoint;
	out.entries[out.n].address = peer->address;
	out.entries[out.n].length = peer->length;
	out.entries[out.n].packet.iov_base = memcpy(out.arena + out.used, buffer, length);
	out.entries[out.n].packet.iov_len = length;
	out.used += length;
	out.n++;
	return 0;
}

/* --- packets in */

static uint8_t *in_arena; /* IN_PACKETS of PACKET_MAX + 1 octets */

static udp_peer *peer_heard(udp_endpoint *endpoint, struct sockaddr_storage *address, socklen_t length,
                            uint64_t now_ms)
{
	udp_peer *peer = peer_by_address(endpoint, address);
	if (!peer) {
		if (peers_count > PEERS_MAX)
			peers_sweep(NULL, now_ms);
		peer = peer_make(endpoint, address, length);
	}
	if (peer) {
		peer->heard_ms = now_ms;
		peer->refused_ms = 0;
	}
	return peer;
}

/* Read up to `rounds` times IN_PACKETS packets; 1 when there may be more. */
static int packets_in(udp_endpoint *endpoint, int rounds, uint64_t now_ms)
{
	struct mmsghdr headers[IN_PACKETS];
	struct iovec packets[IN_PACKETS];
	struct sockaddr_storage addresses[IN_PACKETS];
	while (rounds-- > 0) {
		memset(headers, 0, sizeof headers);
		for (int i = 0; i < IN_PACKETS; i++) {
			packets[i].iov_base = in_arena + (size_t)i * (PACKET_MAX + 1);
			packets[i].iov_len = PACKET_MAX;
			headers[i].msg_hdr.msg_iov = &packets[i];
			headers[i].msg_hdr.msg_iovlen = 1;
			headers[i].msg_hdr.msg_name = &addresses[i];
			headers[i].msg_hdr.msg_namelen = sizeof addresses[i];
		}
		int n = recvmmsg(endpoint->fd, headers, IN_PACKETS, MSG_DONTWAIT, NULL);
		if (n < 0)
			return errno == EINTR;
		for (int i = 0; i < n; i++) {
			/* A packet shorter than the common header and one chunk header is none. */
			if (headers[i].msg_len < 16 || headers[i].msg_hdr.msg_flags & MSG_TRUNC)
				continue;
			udp_peer *peer = peer_heard(endpoint, &addresses[i], headers[i].msg_hdr.msg_namelen, now_ms);
			if (peer)
				usrsctp_conninput((void *)(uintptr_t)peer->id, packets[i].iov_base, headers[i].msg_len, 0);
		}
		if (n < IN_PACKETS)
			return 0;
	}
	return 1;
}

/* ICMP errors. A port that stays closed for 300 ms without any packet from it has lost its program. */
static void errors_in(udp_endpoint *endpoint, uint64_t now_ms)
{
	for (int i = 0; i < 64; i++) {
		char octet, control[512];
		struct sockaddr_storage address;
		struct iovec io = {&octet, 1};
		struct msghdr header = {0};
		memset(&address, 0, sizeof address);
		header.msg_name = &address;
		header.msg_namelen = sizeof address;
		header.msg_iov = &io;
		header.msg_iovlen = 1;
		header.msg_control = control;
		header.msg_controllen = sizeof control;
		if (recvmsg(endpoint->fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
			if (!(c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) &&
			    !(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
				continue;
			struct sock_extended_err error;
			memcpy(&error, CMSG_DATA(c), sizeof error);
			udp_peer *peer = peer_by_address(endpoint, &address);
			if (error.ee_errno != ECONNREFUSED || !peer)
				continue;
			if (!peer->refused_ms)
				peer->refused_ms = now_ms;
			else if (now_ms - peer->refused_ms >= 300)
				peer->gone = 1;
		}
	}
}

#endif
