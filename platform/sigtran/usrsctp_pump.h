/* The pump thread, and what Python calls. None of it needs the GIL. */
#ifndef SIGTRAN_USRSCTP_PUMP_H
#define SIGTRAN_USRSCTP_PUMP_H

#include <signal.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "usrsctp_association.h"

/* --- the thread */

static void run_timers(void)
{
	uint64_t now = pump_now_ms();
	if (now > pump.timers_ms) {
		usrsctp_handle_timers((uint32_t)(now - pump.timers_ms));
		pump.timers_ms = now;
	}
}

static int pump_turn(const struct epoll_event *events, int n)
{
	int more = 0;
	uint64_t now;
	run_timers();
	now = pump_now_ms();
	for (int i = 0; i < n; i++) {
		udp_endpoint *endpoint = pump.endpoints; /* it may have gone since epoll saw it */
		while (endpoint && endpoint != events[i].data.ptr)
			endpoint = endpoint->next;
		if (!endpoint)
			continue;
		if (events[i].events & EPOLLERR)
			errors_in(endpoint, now);
		more |= packets_in(endpoint, 4, now);
	}
	for (listener *l = pump.listeners; l; l = l->next)
		accept_all(l);
	for (association **at = &pump.associations; *at;) {
		association *a = *at;
		more |= serve(a);
		pthread_mutex_lock(&a->lock);
		int over = !a->so && a->orphan;
		pthread_mutex_unlock(&a->lock);
		if (over) {
			*at = a->next;
			association_free(a);
		} else {
			at = &a->next;
		}
	}
	packets_flush();
	return more;
}

static void *pump_main(void *unused)
{
	struct epoll_event events[64];
	uint64_t swept = pump_now_ms(), count;
	int more = 0;
	(void)unused;
#ifdef __linux__
	prctl(PR_SET_NAME, "sctp-pump", 0, 0, 0); /* so that its processor time can be told apart */
#endif
	while (!atomic_load(&pump.stop)) {
		int n = epoll_wait(pump.epoll, events, 64, more ? 0 : TICK_MS);
		if (n < 0)
			n = 0;
		for (int i = 0; i < n; i++) {
			if (!events[i].data.ptr && read(pump.wake, &count, sizeof count) > 0)
				atomic_store(&pump.woken, 0);
		}
		pthread_mutex_lock(&pump.big);
		more = pump_turn(events, n);
		if (pump_now_ms() - swept > PEER_IDLE_MS / 4) {
			swept = pump_now_ms();
			peers_sweep(NULL, swept);
		}
		pthread_mutex_unlock(&pump.big);
	}
	return NULL;
}

/* A fork waits until the pump is between two turns. In the child there is no pump thread, and the sockets belong
 * to the parent: nothing works there any more, and everything says so instead of waiting for ever. */
static void fork_begins(void) { pthread_mutex_lock(&pump.big); }

static void fork_in_parent(void) { pthread_mutex_unlock(&pump.big); }

static void fork_in_child(void)
{
	pthread_mutex_init(&pump.big, NULL);
	pump.running = -1;
	for (association *a = pump.associations; a; a = a->next) {
		pthread_mutex_init(&a->lock, NULL);
		a->state = LOST;
		snprintf(a->reason, sizeof a->reason, "the association belongs to the process that this one was forked from");
	}
}

/* With `big` held: start the stack and the thread, once in a process. 0, or errno. */
static int pump_start(void)
{
	sigset_t all, before;
	struct epoll_event event = {0};
	if (pump.running)
		return pump.running > 0 ? 0 : ECHILD;
	out.arena = (uint8_t *)malloc(OUT_ARENA);
	in_arena = (uint8_t *)malloc((size_t)IN_PACKETS * (PACKET_MAX + 1));
	pump.wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	pump.epoll = epoll_create1(EPOLL_CLOEXEC);
	event.events = EPOLLIN;
	event.data.ptr = NULL;
	if (!out.arena || !in_arena || pump.wake < 0 || pump.epoll < 0 ||
	    epoll_ctl(pump.epoll, EPOLL_CTL_ADD, pump.wake, &event))
		return errno ? errno : ENOMEM;
	/* Signals are for Python's threads: ours, and those that libusrsctp starts, leave them alone. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	usrsctp_init_nothreads(0, packet_out, NULL);
	/* An INIT as small as that of Linux, and nothing that M3UA has no use for. */
	usrsctp_sysctl_set_sctp_asconf_enable(0);
	usrsctp_sysctl_set_sctp_auto_asconf(0);
	usrsctp_sysctl_set_sctp_auth_enable(0);
	usrsctp_sysctl_set_sctp_pr_enable(0);
	usrsctp_sysctl_set_sctp_reconfig_enable(0);
	usrsctp_sysctl_set_sctp_nrsack_enable(0);
	usrsctp_sysctl_set_sctp_pktdrop_enable(0);
	usrsctp_sysctl_set_sctp_ecn_enable(0);
	/* Small messages: many chunks may lie on a queue before the window is full. */
	usrsctp_sysctl_set_sctp_max_chunks_on_queue(STACK_BUFFER / 16);
	pump.timers_ms = pump_now_ms();
	int failure = pthread_create(&pump.thread, NULL, pump_main, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failure)
		return failure;
	pthread_atfork(fork_begins, fork_in_parent, fork_in_child);
	pump.running = 1;
	return 0;
}

/* End everything: ABORT to every peer, and no thread or socket is left. Nothing works afterwards. */
static void sigtran_stop(void)
{
	pthread_mutex_lock(&pump.big);
	if (pump.running != 1) {
		pthread_mutex_unlock(&pump.big);
		return;
	}
	pump.running = -1;
	for (association *a = pump.associations; a; a = a->next)
		association_end(a, CLOSED, "the program ends", 1);
	for (listener *l = pump.listeners; l; l = l->next) {
		if (l->so) {
			usrsctp_close(l->so);
			l->so = NULL;
			endpoint_release(l->endpoint);
		}
	}
	pump.listeners = NULL;
	pthread_mutex_unlock(&pump.big);
	atomic_store(&pump.stop, 1);
	pump_wake();
	pthread_join(pump.thread, NULL);
	for (int i = 0; i < 100 && usrsctp_finish(); i++) {
		usrsctp_handle_timers(TICK_MS);
		usleep(1000);
	}
	packets_flush();
}

/* --- what Python calls; `why` gets words for errno 0 */

static udp_endpoint *endpoint_get(const struct sockaddr *address, socklen_t length)
{
	struct epoll_event event = {0};
	udp_endpoint *endpoint = endpoint_open(address, length);
	if (!endpoint)
		return NULL;
	event.events = EPOLLIN;
	event.data.ptr = endpoint;
	endpoint->refs = 1;
	endpoint->next = pump.endpoints;
	pump.endpoints = endpoint;
	epoll_ctl(pump.epoll, EPOLL_CTL_ADD, endpoint->fd, &event);
	return endpoint;
}

/* Bind to an SCTP port, 0: a free one. The port, or 0 and errno. */
static int bind_port(struct socket *so, int port)
{
	struct sockaddr_conn local;
	memset(&local, 0, sizeof local);
	local.sconn_family = AF_CONN;
	unsigned seed = (unsigned)(getpid() * 7919) ^ (unsigned)pump_now_ms();
	for (int tries = 0; tries < (port ? 1 : 64); tries++) {
		int candidate = port ? port : 49152 + (int)((seed + (unsigned)tries * 257u) % 16384u);
		local.sconn_port = htons((uint16_t)candidate);
		if (!usrsctp_bind(so, (struct sockaddr *)&local, sizeof local))
			return candidate;
	}
	return 0;
}

/* A listener, or NULL with errno in *failure; *where says which step: 1 UDP port, 2 SCTP port, 0 other. */
static listener *sigtran_listen(const struct sockaddr *address, int length, int port, int streams, int *failure,
                                int *where)
{
	listener *l = (listener *)calloc(1, sizeof *l);
	struct socket *so = NULL;
	udp_endpoint *endpoint = NULL;
	*where = 0;
	if (!l) {
		*failure = ENOMEM;
		return NULL;
	}
	l->efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC | EFD_SEMAPHORE);
	l->accepted_end = &l->accepted;
	l->streams = streams;
	pthread_mutex_init(&l->lock, NULL);
	pthread_mutex_lock(&pump.big);
	if (l->efd < 0) {
		*failure = errno;
		goto failed;
	}
	if ((*failure = pump_start()))
		goto failed;
	*where = 1;
	if (!(endpoint = endpoint_get(address, (socklen_t)length))) {
		*failure = errno;
		goto failed;
	}
	*where = 0;
	so = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
	if (!so || set_options(so, endpoint, streams, path_packet(address, (socklen_t)length, LOCAL_PACKET))) {
		*failure = errno;
		goto failed;
	}
	*where = 2;
	if (!(l->port = bind_port(so, port)) || usrsctp_listen(so, 64)) {
		*failure = errno;
		goto failed;
	}
	l->so = so;
	l->endpoint = endpoint;
	l->next = pump.listeners;
	pump.listeners = l;
	pthread_mutex_unlock(&pump.big);
	return l;
failed:
	if (so)
		usrsctp_close(so);
	if (endpoint)
		endpoint_release(endpoint);
	pthread_mutex_unlock(&pump.big);
	if (l->efd >= 0)
		close(l->efd);
	pthread_mutex_destroy(&l->lock);
	free(l);
	return NULL;
}

static int listener_udp_port(const listener *l) { return l->endpoint->port; }

/* An accepted association, or NULL. */
static association *listener_accept(listener *l)
{
	uint64_t one;
	ssize_t got = read(l->efd, &one, sizeof one);
	(void)got; /* EAGAIN: none is there */
	pthread_mutex_lock(&l->lock);
	association *a = l->accepted;
	if (a) {
		l->accepted = a->next_accepted;
		a->next_accepted = NULL;
		if (!l->accepted)
			l->accepted_end = &l->accepted;
	}
	pthread_mutex_unlock(&l->lock);
	return a;
}

static void association_release(association *a);

static void listener_close(listener *l)
{
	pthread_mutex_lock(&pump.big);
	for (listener **at = &pump.listeners; *at; at = &(*at)->next) {
		if (*at == l) {
			*at = l->next;
			break;
		}
	}
	if (l->so) {
		usrsctp_close(l->so);
		l->so = NULL;
		endpoint_release(l->endpoint);
	}
	pthread_mutex_unlock(&pump.big);
	for (association *a = listener_accept(l); a; a = listener_accept(l))
		association_release(a);
	close(l->efd);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* Begin to connect; NULL with errno in *failure and *where as for sigtran_listen. */
static association *sigtran_connect(const struct sockaddr *local, const struct sockaddr *remote, int length,
                                    int port, int streams, int *failure, int *where)
{
	association *a = association_make(CONNECTING);
	struct sockaddr_storage address;
	struct sockaddr_conn to;
	udp_peer *peer;
	*where = 0;
	if (!a) {
		*failure = ENOMEM;
		return NULL;
	}
	memset(&address, 0, sizeof address);
	memcpy(&address, remote, (size_t)length);
	name_peer(a, &address);
	pthread_mutex_lock(&pump.big);
	if ((*failure = pump_start()))
		goto failed;
	*where = 1;
	if (!(a->endpoint = endpoint_get(local, (socklen_t)length))) {
		*failure = errno;
		goto failed;
	}
	*where = 0;
	a->so = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, NULL, NULL, 0, NULL);
	if (!a->so ||
	    set_options(a->so, a->endpoint, streams, path_packet(remote, (socklen_t)length, LOCAL_PACKET)) ||
	    !bind_port(a->so, 0) || !(peer = peer_make(a->endpoint, &address, (socklen_t)length))) {
		*failure = errno ? errno : ENOMEM;
		goto failed;
	}
	peer->heard_ms = pump_now_ms();
	peer->users = 1;
	a->peer = peer->id;
	memset(&to, 0, sizeof to);
	to.sconn_family = AF_CONN;
	to.sconn_port = htons((uint16_t)port);
	to.sconn_addr = (void *)(uintptr_t)peer->id;
	usrsctp_set_upcall(a->so, association_wake, a);
	run_timers();
	if (usrsctp_connect(a->so, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) {
		*failure = errno;
		goto failed;
	}
	packets_flush();
	a->next = pump.associations;
	pump.associations = a;
	pthread_mutex_unlock(&pump.big);
	return a;
failed:
	if (a->so) {
		usrsctp_set_upcall(a->so, NULL, NULL);
		usrsctp_close(a->so);
	}
	if (a->endpoint)
		endpoint_release(a->endpoint);
	pthread_mutex_unlock(&pump.big);
	association_free(a);
	return NULL;
}

/* Wait while the association is CONNECTING; the state then. */
static int association_wait_up(association *a, double timeout_s)
{
	struct timespec deadline;
	deadline_in(&deadline, timeout_s);
	pthread_mutex_lock(&a->lock);
	while (a->state == CONNECTING && !pthread_cond_timedwait(&a->changed, &a->lock, &deadline))
		;
	int state = a->state;
	pthread_mutex_unlock(&a->lock);
	return state;
}

/* Queue messages. 0 done; 1 over the bound, and not within the time; 2 it is over; 3 out of memory. */
static int association_send(association *a, const uint8_t *data, const int64_t *offsets, const uint16_t *streams,
                            size_t n, double timeout_s)
{
	struct timespec deadline;
	int result = 0;
	deadline_in(&deadline, timeout_s);
	pthread_mutex_lock(&a->lock);
	while (a->state <= UP && a->ending == OPEN && a->waiting >= SEND_BOUND && !result)
		result = pthread_cond_timedwait(&a->changed, &a->lock, &deadline) ? 1 : 0;
	if (a->state > UP || a->ending != OPEN)
		result = 2;
	if (!result) {
		result = mq_append(&a->queued, data, offsets, streams, n) ? 3 : 0;
		if (!result)
			a->waiting += (size_t)(offsets[n] - offsets[0]);
	}
	pthread_mutex_unlock(&a->lock);
	if (result)
		return result;
	/* A few messages go at once, without waking the pump first: that hop costs more than they do. */
	if (n <= DIRECT_MESSAGES && !pthread_mutex_trylock(&pump.big)) {
		if (pump.running == 1) {
			into_stack(a);
			packets_flush();
		}
		pthread_mutex_unlock(&pump.big);
		return 0;
	}
	pump_wake();
	return 0;
}

/* Take all that has come into *taken, which must be empty. */
static void association_take(association *a, message_queue *taken)
{
	uint64_t count;
	pthread_mutex_lock(&a->lock);
	ssize_t got = read(a->efd, &count, sizeof count);
	(void)got; /* EAGAIN: it was not readable */
	message_queue swap = *taken;
	*taken = a->received;
	a->received = swap;
	int stalled = a->stalled;
	a->stalled = 0;
	pthread_mutex_unlock(&a->lock);
	if (stalled)
		pump_wake();
}

static int association_flush(association *a, double timeout_s)
{
	struct timespec deadline;
	deadline_in(&deadline, timeout_s);
	pthread_mutex_lock(&a->lock);
	uint64_t mine = ++a->flush_asked;
	pthread_mutex_unlock(&a->lock);
	pump_wake();
	pthread_mutex_lock(&a->lock);
	while (a->state <= UP && a->flush_done < mine &&
	       !pthread_cond_timedwait(&a->changed, &a->lock, &deadline))
		;
	int done = a->flush_done >= mine;
	pthread_mutex_unlock(&a->lock);
	return done;
}

/* Ask for the end (CLOSING or ABORTING) and wait for it; 0 when it has come. */
static int association_finish(association *a, int how, double timeout_s)
{
	struct timespec deadline;
	deadline_in(&deadline, timeout_s);
	pthread_mutex_lock(&a->lock);
	if (a->ending < how)
		a->ending = how;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
	pump_wake();
	pthread_mutex_lock(&a->lock);
	while (a->state <= UP && !pthread_cond_timedwait(&a->changed, &a->lock, &deadline))
		;
	int open = a->state <= UP;
	pthread_mutex_unlock(&a->lock);
	return open;
}

/* Python lets go: abort what is open; the pump frees it. */
static void association_release(association *a)
{
	pthread_mutex_lock(&a->lock);
	if (a->ending < ABORTING)
		a->ending = ABORTING;
	a->orphan = 1;
	pthread_mutex_unlock(&a->lock);
	pthread_mutex_lock(&pump.big);
	int alone = pump.running != 1;
	pthread_mutex_unlock(&pump.big);
	if (alone)
		association_free(a);
	else
		pump_wake();
}

static int association_state(association *a, char *reason)
{
	pthread_mutex_lock(&a->lock);
	int state = a->state;
	memcpy(reason, a->reason, REASON);
	pthread_mutex_unlock(&a->lock);
	return state;
}

static int association_streams(association *a)
{
	pthread_mutex_lock(&a->lock);
	int streams = a->streams;
	pthread_mutex_unlock(&a->lock);
	return streams;
}

#endif
