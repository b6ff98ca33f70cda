/* Associations and listeners of libusrsctp with queues of messages, served by the pump of usrsctp_pump.h.
 *
 * One lock, `big`, is held around every call into libusrsctp. The pump thread holds it while it works and lets
 * it go while it waits; Python threads take it for the rare calls (listen, connect) and otherwise touch only
 * the queues of their association, under the association's own lock (order: big, then that one). The pump
 * never runs Python: a pause of the interpreter stops neither acknowledgements nor timers.
 *
 * Flow control: the pump reads from the stack only while less than RECEIVE_BOUND octets wait for Python. Above
 * that messages stay in the stack's buffer, its window closes, and the peer's stack waits. */
#ifndef SIGTRAN_USRSCTP_ASSOCIATION_H
#define SIGTRAN_USRSCTP_ASSOCIATION_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "message_queue.h"
#include "udp_peers.h"

enum {
	SEND_BOUND = 4 << 20,    /* octets that may wait for the stack */
	RECEIVE_BOUND = 4 << 20, /* octets that may wait for Python */
	STACK_BUFFER = 1 << 20,  /* send and receive buffer of the stack */
	MESSAGE_MAX = 1 << 18,   /* octets of one message */
	TURN_MESSAGES = 4096,    /* messages read for one association before the others get their turn */
	DIRECT_MESSAGES = 32,    /* a batch of so many goes into the stack without waiting for the pump */
	TICK_MS = 10,
	RTO_INITIAL_MS = 200,
	RTO_MIN_MS = 100,
	RTO_MAX_MS = 1000,
	HEARTBEAT_MS = 1000,
	RETRANSMISSIONS = 4,
	SACK_DELAY_MS = 20,
	LOCAL_PACKET = 16384,    /* largest packet even where the route carries more */
	REASON = 160,
};

enum { CONNECTING, UP, LOST, CLOSED };
enum { OPEN, CLOSING, ABORTING };

typedef struct association {
	struct association *next; /* big */
	struct association *next_accepted; /* the listener's lock */
	struct socket *so;        /* big; NULL once it is over */
	udp_endpoint *endpoint;   /* big */
	uint64_t peer;            /* big */
	message_queue sending;    /* pump: taken from `queued`, from message `sent` on not yet with the stack */
	size_t sent;
	message_queue staged;     /* pump: read from the stack, not yet shown */
	int readable;             /* pump: the stack has called up */
	int shutdown;             /* pump: SHUTDOWN asked for */
	int bundling;             /* pump: the stack may hold small packets back */
	char encap[64];           /* name of the UDP side, for reasons */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	int state;
	int ending;               /* OPEN, CLOSING, ABORTING: what Python wants */
	int orphan;               /* Python has let go */
	int streams;
	char reason[REASON];
	message_queue queued;     /* to send */
	size_t waiting;           /* octets to send, those in `sending` counted */
	message_queue received;
	int stalled;              /* `received` is over its bound */
	uint64_t flush_asked, flush_done;
	int efd;
} association;

typedef struct listener {
	struct listener *next; /* big */
	struct socket *so;     /* big */
	udp_endpoint *endpoint;
	int streams;
	int port;
	pthread_mutex_t lock;
	association *accepted, **accepted_end;
	int efd;               /* a semaphore: one for each accepted */
} listener;

static struct {
	pthread_mutex_t big;
	pthread_t thread;
	int running;           /* 1 runs, -1 lost by fork or ended for good */
	int wake, epoll;
	atomic_int woken, stop;
	association *associations;
	listener *listeners;
	udp_endpoint *endpoints;
	uint64_t started_ns, timers_ms;
} pump = {.big = PTHREAD_MUTEX_INITIALIZER};

static uint64_t pump_now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void deadline_in(struct timespec *deadline, double seconds)
{
	clock_gettime(CLOCK_MONOTONIC, deadline);
	deadline->tv_sec += (time_t)seconds;
	deadline->tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
	if (deadline->tv_nsec >= 1000000000) {
		deadline->tv_nsec -= 1000000000;
		deadline->tv_sec++;
	}
}

static void pump_wake(void)
{
	uint64_t one = 1;
	if (!atomic_exchange(&pump.woken, 1) && write(pump.wake, &one, sizeof one) < 0)
		atomic_store(&pump.woken, 0);
}

static void signal_fd(int fd)
{
	uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof one);
	(void)n; /* EAGAIN: it is readable already */
}

/* --- association: made, ended, freed */

static void association_wake(struct socket *so, void *arg, int flags)
{
	(void)so;
	(void)flags;
	((association *)arg)->readable = 1;
}

static association *association_make(int state)
{
	association *a = (association *)calloc(1, sizeof *a);
	pthread_condattr_t attributes;
	if (!a)
		return NULL;
	a->efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (a->efd < 0) {
		free(a);
		return NULL;
	}
	pthread_mutex_init(&a->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&a->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	a->state = state;
	return a;
}

static void association_free(association *a)
{
	mq_free(&a->sending);
	mq_free(&a->staged);
	mq_free(&a->queued);
	mq_free(&a->received);
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	close(a->efd);
	free(a);
}

static void endpoint_release(udp_endpoint *endpoint)
{
	if (--endpoint->refs > 0)
		return;
	packets_flush();
	peers_sweep(endpoint, 0);
	udp_endpoint **at = &pump.endpoints;
	while (*at != endpoint)
		at = &(*at)->next;
	*at = endpoint->next;
	epoll_ctl(pump.epoll, EPOLL_CTL_DEL, endpoint->fd, NULL);
	close(endpoint->fd);
	free(endpoint);
}

/* The end, whatever the way: tell who waits, close the socket; `abort` tells the peer. */
static void association_end(association *a, int state, const char *reason, int abort)
{
	if (!a->so)
		return;
	struct linger linger = {1, 0};
	usrsctp_set_upcall(a->so, NULL, NULL);
	if (abort)
		usrsctp_setsockopt(a->so, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	usrsctp_close(a->so);
	a->so = NULL;
	packets_flush();
	udp_peer *peer = peer_by_id(a->peer);
	if (peer)
		peer->users--;
	endpoint_release(a->endpoint);
	a->endpoint = NULL;
	mq_clear(&a->sending);
	pthread_mutex_lock(&a->lock);
	a->state = state;
	snprintf(a->reason, sizeof a->reason, "%s", reason);
	mq_clear(&a->queued);
	a->waiting = 0;
	pthread_cond_broadcast(&a->changed);
	signal_fd(a->efd);
	pthread_mutex_unlock(&a->lock);
}

/* --- from the stack */

static void show_staged(association *a)
{
	if (!a->staged.n)
		return;
	pthread_mutex_lock(&a->lock);
	int was_empty = !a->received.n;
	if (a->ending != OPEN) {
		/* Nobody reads any more: whole messages are dropped. */
		size_t whole = mq_end(&a->staged);
		memmove(a->staged.data, a->staged.data + whole, a->staged.used - whole);
		a->staged.used -= whole;
		a->staged.n = 0;
	} else if (mq_move(&a->received, &a->staged) == 0 && was_empty) {
		signal_fd(a->efd);
	}
	pthread_mutex_unlock(&a->lock);
}

static void lost_reason(association *a, const struct sctp_assoc_change *change, char *reason)
{
	int error = 0;
	socklen_t length = sizeof error;
	usrsctp_getsockopt(a->so, SOL_SOCKET, SO_ERROR, &error, &length);
	if (change->sac_state == SCTP_CANT_STR_ASSOC && error != ECONNREFUSED)
		snprintf(reason, REASON, "no answer from %s", a->encap);
	else if (error == ECONNREFUSED)
		snprintf(reason, REASON, "%s refuses the association (nobody listens on that SCTP port)", a->encap);
	else if (error == ECONNRESET || change->sac_length > sizeof *change)
		snprintf(reason, REASON, "the peer aborted the association");
	else
		snprintf(reason, REASON, "%s does not acknowledge: %d retransmissions without answer", a->encap,
		         RETRANSMISSIONS);
}

static int stream_count(struct socket *so)
{
	struct sctp_status status;
	socklen_t length = sizeof status;
	memset(&status, 0, sizeof status);
	if (usrsctp_getsockopt(so, IPPROTO_SCTP, SCTP_STATUS, &status, &length))
		return 0;
	return status.sstat_outstrms;
}

/* 1 when this notification was the end. */
static int notified(association *a, const uint8_t *octets, size_t n)
{
	union sctp_notification notification;
	struct sctp_assoc_change *change = &notification.sn_assoc_change;
	char reason[REASON];
	memset(&notification, 0, sizeof notification);
	memcpy(&notification, octets, n < sizeof notification ? n : sizeof notification);
	if (notification.sn_header.sn_type != SCTP_ASSOC_CHANGE)
		return 0;
	switch (change->sac_state) {
	case SCTP_COMM_UP:
		pthread_mutex_lock(&a->lock);
		if (a->state == CONNECTING) {
			a->state = UP;
			a->streams = change->sac_outbound_streams;
			pthread_cond_broadcast(&a->changed);
		}
		pthread_mutex_unlock(&a->lock);
		return 0;
	case SCTP_RESTART:
		/* The peer has lost its memory of this association: what was sent may be lost too. */
		show_staged(a);
		association_end(a, LOST, "the peer restarted the association", 1);
		return 1;
	case SCTP_SHUTDOWN_COMP:
		show_staged(a);
		association_end(a, CLOSED, a->shutdown ? "closed here" : "the peer closed the association", 0);
		return 1;
	case SCTP_COMM_LOST:
	case SCTP_CANT_STR_ASSOC:
		show_staged(a);
		lost_reason(a, change, reason);
		association_end(a, LOST, reason, 0);
		return 1;
	}
	return 0;
}

/* Read what the stack has; 1 when there is more to read at once. `all`: without regard to the bound. */
static int from_stack(association *a, int all)
{
	if (!a->so || !a->readable)
		return 0;
	size_t bound = RECEIVE_BOUND;
	if (!all) {
		pthread_mutex_lock(&a->lock);
		size_t waiting = a->ending == OPEN ? a->received.used : 0;
		int stalled = waiting >= RECEIVE_BOUND;
		a->stalled = stalled;
		pthread_mutex_unlock(&a->lock);
		if (stalled)
			return 0;
		bound -= waiting;
	}
	for (int i = 0; all || i < TURN_MESSAGES; i++) {
		struct sctp_rcvinfo info;
		struct sockaddr_storage from;
		socklen_t from_length = sizeof from, info_length = sizeof info;
		unsigned type = 0;
		int flags = 0;
		if (!all && mq_end(&a->staged) >= bound)
			break;
		if (mq_reserve(&a->staged, 65536, 1)) {
			association_end(a, LOST, "out of memory", 1);
			return 0;
		}
		memset(&info, 0, sizeof info);
		ssize_t n = usrsctp_recvv(a->so, a->staged.data + a->staged.used, 65536, (struct sockaddr *)&from,
		                          &from_length, &info, &info_length, &type, &flags);
		if (n < 0) {
			int failure = errno;
			if (failure == EINTR)
				continue;
			a->readable = 0;
			show_staged(a);
			if (failure != EAGAIN && failure != EWOULDBLOCK && a->state != CONNECTING)
				association_end(a, LOST, "the peer aborted the association", 0);
			return 0;
		}
		if (n == 0) {
			show_staged(a);
			association_end(a, CLOSED, a->shutdown ? "closed here" : "the peer closed the association", 0);
			return 0;
		}
		if (flags & MSG_NOTIFICATION) {
			if (notified(a, a->staged.data + a->staged.used, (size_t)n))
				return 0;
			continue;
		}
		a->staged.used += (size_t)n;
		if (a->staged.used - mq_end(&a->staged) > MESSAGE_MAX) {
			a->staged.used = mq_end(&a->staged);
			show_staged(a);
			association_end(a, LOST, "a message longer than any of M3UA: aborted", 1);
			return 0;
		}
		if (flags & MSG_EOR) {
			a->staged.streams[a->staged.n] = info.rcv_sid;
			a->staged.ends[a->staged.n++] = (int64_t)a->staged.used;
		}
	}
	show_staged(a);
	return 1;
}

/* --- into the stack */

/* While more follows, the stack may fill its packets (Nagle on); the last message sends all (Nagle off). */
static void set_bundling(association *a, int bundling)
{
	int nodelay = !bundling;
	if (a->bundling == bundling)
		return;
	usrsctp_setsockopt(a->so, IPPROTO_SCTP, SCTP_NODELAY, &nodelay, sizeof nodelay);
	a->bundling = bundling;
}

static void into_stack(association *a)
{
	while (a->so) {
		if (a->sent == a->sending.n) {
			pthread_mutex_lock(&a->lock);
			mq_clear(&a->sending);
			a->sent = 0;
			if (a->state != CONNECTING) {
				message_queue swap = a->sending;
				a->sending = a->queued;
				a->queued = swap;
			}
			pthread_mutex_unlock(&a->lock);
			if (!a->sending.n)
				return;
		}
		size_t gone = 0;
		int blocked = 0;
		while (a->sent < a->sending.n) {
			size_t start = a->sent ? (size_t)a->sending.ends[a->sent - 1] : 0;
			size_t length = (size_t)a->sending.ends[a->sent] - start;
			struct sctp_sndinfo info;
			memset(&info, 0, sizeof info);
			info.snd_sid = a->sending.streams[a->sent];
			info.snd_ppid = htonl(3);
			set_bundling(a, a->sent + 1 < a->sending.n);
			if (usrsctp_sendv(a->so, a->sending.data + start, length, NULL, 0, &info, sizeof info,
			                  SCTP_SENDV_SNDINFO, 0) < 0) {
				/* Over the stack's buffer: again when something has been acknowledged. Anything else
				 * is the end, of which a notification tells. */
				blocked = 1;
				break;
			}
			gone += length;
			a->sent++;
		}
		pthread_mutex_lock(&a->lock);
		int was_full = a->waiting >= SEND_BOUND;
		a->waiting -= gone;
		if (was_full && a->waiting < SEND_BOUND)
			pthread_cond_broadcast(&a->changed);
		pthread_mutex_unlock(&a->lock);
		if (blocked)
			return;
	}
}

static void check_flush(association *a)
{
	pthread_mutex_lock(&a->lock);
	uint64_t asked = a->flush_asked;
	int wanted = a->so && asked != a->flush_done && !a->waiting;
	pthread_mutex_unlock(&a->lock);
	if (!wanted)
		return;
	struct sctp_status status;
	socklen_t length = sizeof status;
	memset(&status, 0, sizeof status);
	if (usrsctp_getsockopt(a->so, IPPROTO_SCTP, SCTP_STATUS, &status, &length) || status.sstat_unackdata ||
	    status.sstat_penddata)
		return;
	pthread_mutex_lock(&a->lock);
	a->flush_done = asked;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

/* One turn of one association; 1 when it wants another at once. */
static int serve(association *a)
{
	char reason[REASON];
	int more = from_stack(a, 0);
	into_stack(a);
	check_flush(a);
	if (!a->so)
		return 0;
	udp_peer *peer = peer_by_id(a->peer);
	if (peer && peer->refused_ms && (peer->gone || a->state == CONNECTING)) {
		from_stack(a, 1);
		snprintf(reason, sizeof reason, "nobody listens on %s any more: the program at the other end has gone",
		         a->encap);
		if (a->state == CONNECTING)
			snprintf(reason, sizeof reason, "nobody listens on %s", a->encap);
		association_end(a, LOST, reason, 1);
		return 0;
	}
	pthread_mutex_lock(&a->lock);
	int ending = a->ending, empty = !a->waiting;
	pthread_mutex_unlock(&a->lock);
	if (ending == ABORTING) {
		association_end(a, CLOSED, "aborted here", 1);
	} else if (ending == CLOSING && a->state == CONNECTING) {
		association_end(a, CLOSED, "closed here", 1);
	} else if (ending == CLOSING && empty && !a->shutdown) {
		a->shutdown = 1;
		usrsctp_shutdown(a->so, SHUT_WR);
	}
	return more;
}

/* --- the options of every socket */

static int set_options(struct socket *so, udp_endpoint *endpoint, int streams, int packet)
{
	struct sctp_rtoinfo rto = {0};
	struct sctp_assocparams params = {0};
	struct sctp_paddrparams path = {0};
	struct sctp_initmsg init = {0};
	struct sctp_sack_info sack = {0};
	struct sctp_event event = {0};
	const uint16_t events[] = {SCTP_ASSOC_CHANGE, SCTP_SHUTDOWN_EVENT};
	int on = 1, buffer = STACK_BUFFER;
	/* The window must fit into the UDP socket, whose kernel counts about double. */
	int window = endpoint->buffer / 2 < STACK_BUFFER ? endpoint->buffer / 2 : STACK_BUFFER;
	rto.srto_initial = RTO_INITIAL_MS;
	rto.srto_min = RTO_MIN_MS;
	rto.srto_max = RTO_MAX_MS;
	params.sasoc_asocmaxrxt = RETRANSMISSIONS;
	path.spp_hbinterval = HEARTBEAT_MS;
	path.spp_pathmaxrxt = RETRANSMISSIONS;
	path.spp_pathmtu = (uint32_t)packet;
	path.spp_flags = SPP_HB_ENABLE | SPP_PMTUD_DISABLE;
	init.sinit_num_ostreams = init.sinit_max_instreams = (uint16_t)streams;
	init.sinit_max_attempts = 16;
	init.sinit_max_init_timeo = RTO_MAX_MS;
	sack.sack_delay = SACK_DELAY_MS;
	sack.sack_freq = 2;
	if (usrsctp_setsockopt(so, SOL_SOCKET, SO_RCVBUF, &window, sizeof window) ||
	    usrsctp_setsockopt(so, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer) ||
	    usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_RTOINFO, &rto, sizeof rto) ||
	    usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_ASSOCINFO, &params, sizeof params) ||
	    usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &path, sizeof path) ||
	    usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_INITMSG, &init, sizeof init) ||
	    usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_DELAYED_SACK, &sack, sizeof sack) ||
	    usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_NODELAY, &on, sizeof on) ||
	    usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_RECVRCVINFO, &on, sizeof on))
		return -1;
	event.se_assoc_id = SCTP_FUTURE_ASSOC;
	event.se_on = 1;
	for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
		event.se_type = events[i];
		if (usrsctp_setsockopt(so, IPPROTO_SCTP, SCTP_EVENT, &event, sizeof event))
			return -1;
	}
	return usrsctp_set_non_blocking(so, 1);
}

static void name_peer(association *a, const struct sockaddr_storage *address)
{
	char text[INET6_ADDRSTRLEN] = "?";
	if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
		inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
		snprintf(a->encap, sizeof a->encap, "UDP [%s]:%d", text, ntohs(in6->sin6_port));
	} else {
		const struct sockaddr_in *in = (const struct sockaddr_in *)address;
		inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
		snprintf(a->encap, sizeof a->encap, "UDP %s:%d", text, ntohs(in->sin_port));
	}
}

static void accept_all(listener *l)
{
	for (;;) {
		struct sockaddr_conn from;
		socklen_t length = sizeof from;
		memset(&from, 0, sizeof from);
		struct socket *so = usrsctp_accept(l->so, (struct sockaddr *)&from, &length);
		if (!so)
			return;
		udp_peer *peer = peer_by_id((uint64_t)(uintptr_t)from.sconn_addr);
		association *a = peer && peer->endpoint == l->endpoint ? association_make(UP) : NULL;
		if (!a) {
			struct linger linger = {1, 0};
			usrsctp_setsockopt(so, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
			usrsctp_close(so);
			continue;
		}
		a->so = so;
		a->peer = peer->id;
		peer->users++;
		a->endpoint = l->endpoint;
		a->endpoint->refs++;
		name_peer(a, &peer->address);
		usrsctp_set_non_blocking(so, 1);
		a->bundling = 1;
		set_bundling(a, 0);
		a->streams = stream_count(so);
		a->readable = 1;
		usrsctp_set_upcall(so, association_wake, a);
		a->next = pump.associations;
		pump.associations = a;
		pthread_mutex_lock(&l->lock);
		*l->accepted_end = a;
		l->accepted_end = &a->next_accepted;
		pthread_mutex_unlock(&l->lock);
		signal_fd(l->efd);
	}
}

#endif
