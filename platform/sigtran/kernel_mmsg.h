/* SCTP of the Linux kernel: many messages a system call, each with its stream and payload protocol id. */
#ifndef SIGTRAN_KERNEL_MMSG_H
#define SIGTRAN_KERNEL_MMSG_H

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/sctp.h> /* needs sys/socket.h before it */

#include "message_queue.h"

enum {
	KERNEL_BATCH = 64,
	KERNEL_MESSAGE = 65536,
	KERNEL_NOTIFICATION = 0x8000, /* MSG_NOTIFICATION of the kernel */
};

typedef struct {
	message_queue messages;
	int ended;   /* nothing more comes */
	int failure; /* errno of the end, 0 for an orderly one */
	int aborted; /* the peer sent ABORT */
} arrival;

static inline void mq_drop_whole(message_queue *q)
{
	size_t whole = mq_end(q);
	memmove(q->data, q->data + whole, q->used - whole);
	q->used -= whole;
	q->n = 0;
}

static void kernel_notified(arrival *into, const uint8_t *octets, size_t n)
{
	struct sctp_assoc_change change;
	memset(&change, 0, sizeof change);
	memcpy(&change, octets, n < sizeof change ? n : sizeof change);
	if (change.sac_type != SCTP_ASSOC_CHANGE)
		return;
	/* sac_info holds the ABORT chunk that was received. */
	into->aborted = change.sac_state == SCTP_COMM_LOST && change.sac_length > sizeof change;
	/* These are the last thing in the queue, SCTP_RESTART excepted, after which nothing can be trusted. */
	if (change.sac_state != SCTP_COMM_UP) {
		into->ended = 1;
		if (change.sac_state == SCTP_RESTART || into->aborted)
			into->failure = ECONNRESET;
		else if (change.sac_state != SCTP_SHUTDOWN_COMP)
			into->failure = ETIMEDOUT;
	}
}

/* Read until `bound` octets are there, nothing is left, or the end. 0, or -1 when memory is out. */
static int kernel_receive(int fd, arrival *into, size_t bound)
{
	struct mmsghdr headers[KERNEL_BATCH];
	struct iovec parts[KERNEL_BATCH];
	char controls[KERNEL_BATCH][CMSG_SPACE(sizeof(struct sctp_sndrcvinfo)) + CMSG_SPACE(sizeof(struct sctp_rcvinfo))];
	message_queue *q = &into->messages;
	/* Start small: on a quiet association one message comes at a time. */
	size_t batch = 4;
	while (!into->ended && q->used < bound) {
		if (mq_reserve(q, batch * KERNEL_MESSAGE, batch))
			return -1;
		size_t at = q->used;
		memset(headers, 0, batch * sizeof *headers);
		for (size_t i = 0; i < batch; i++) {
			parts[i].iov_base = q->data + at + i * KERNEL_MESSAGE;
			parts[i].iov_len = KERNEL_MESSAGE;
			headers[i].msg_hdr.msg_iov = &parts[i];
			headers[i].msg_hdr.msg_iovlen = 1;
			headers[i].msg_hdr.msg_control = controls[i];
			headers[i].msg_hdr.msg_controllen = sizeof controls[i];
		}
		int n = recvmmsg(fd, headers, (unsigned)batch, MSG_DONTWAIT, NULL);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			if (errno != EAGAIN && errno != EWOULDBLOCK) {
				into->ended = 1;
				into->failure = errno;
			}
			return 0;
		}
		for (int i = 0; i < n; i++) {
			struct msghdr *header = &headers[i].msg_hdr;
			const uint8_t *octets = (const uint8_t *)parts[i].iov_base;
			size_t length = headers[i].msg_len;
			if (header->msg_flags & KERNEL_NOTIFICATION) {
				kernel_notified(into, octets, length);
				continue;
			}
			if (length == 0) {
				into->ended = 1;
				break;
			}
			memmove(q->data + q->used, octets, length);
			q->used += length;
			if (!(header->msg_flags & MSG_EOR))
				continue; /* the rest of this message follows */
			uint16_t stream = 0;
			for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
				/* Both structures begin with the stream. */
				if (c->cmsg_level == IPPROTO_SCTP && (c->cmsg_type == SCTP_SNDRCV || c->cmsg_type == SCTP_RCVINFO))
					memcpy(&stream, CMSG_DATA(c), sizeof stream);
			}
			q->ends[q->n] = (int64_t)q->used;
			q->streams[q->n++] = stream;
		}
		if ((size_t)n < batch)
			return 0;
		batch = KERNEL_BATCH;
	}
	return 0;
}

static int64_t kernel_now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Send messages `first`..n-1; how many went before the time was over or *failure happened. */
static int kernel_send(int fd, const uint8_t *data, const int64_t *offsets, const uint16_t *streams, size_t first,
                       size_t n, int timeout_ms, int *failure)
{
	struct mmsghdr headers[KERNEL_BATCH];
	struct iovec parts[KERNEL_BATCH];
	union {
		struct cmsghdr align;
		char octets[CMSG_SPACE(sizeof(struct sctp_sndinfo))];
	} controls[KERNEL_BATCH];
	int64_t deadline = kernel_now_ms() + timeout_ms;
	size_t sent = first;
	*failure = 0;
	while (sent < n) {
		size_t batch = n - sent < KERNEL_BATCH ? n - sent : KERNEL_BATCH;
		memset(headers, 0, batch * sizeof *headers);
		for (size_t i = 0; i < batch; i++) {
			struct msghdr *header = &headers[i].msg_hdr;
			struct sctp_sndinfo info;
			memset(&info, 0, sizeof info);
			info.snd_sid = streams[sent + i];
			info.snd_ppid = htonl(3);
			memset(&controls[i], 0, sizeof controls[i]);
			parts[i].iov_base = (void *)(uintptr_t)(data + offsets[sent + i]);
			parts[i].iov_len = (size_t)(offsets[sent + i + 1] - offsets[sent + i]);
			header->msg_iov = &parts[i];
			header->msg_iovlen = 1;
			header->msg_control = &controls[i];
			header->msg_controllen = sizeof controls[i].octets;
			struct cmsghdr *c = CMSG_FIRSTHDR(header);
			c->cmsg_level = IPPROTO_SCTP;
			c->cmsg_type = SCTP_SNDINFO;
			c->cmsg_len = CMSG_LEN(sizeof info);
			memcpy(CMSG_DATA(c), &info, sizeof info);
		}
		int done = sendmmsg(fd, headers, (unsigned)batch, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (done > 0) {
			sent += (size_t)done;
			continue;
		}
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
			*failure = errno;
			break;
		}
		int64_t left = deadline - kernel_now_ms();
		if (left <= 0)
			break;
		struct pollfd ready = {fd, POLLOUT, 0};
		int64_t before = kernel_now_ms();
		poll(&ready, 1, (int)left);
		if (kernel_now_ms() == before)
			usleep(500); /* writable, but not for a whole message */
	}
	return (int)(sent - first);
}

static int kernel_status(int fd, struct sctp_status *status)
{
	socklen_t length = sizeof *status;
	memset(status, 0, sizeof *status);
	return getsockopt(fd, IPPROTO_SCTP, SCTP_STATUS, status, &length);
}

static int kernel_unacknowledged(int fd)
{
	struct sctp_status status;
	return kernel_status(fd, &status) ? -1 : status.sstat_unackdata + status.sstat_penddata;
}

static int kernel_streams(int fd)
{
	struct sctp_status status;
	return kernel_status(fd, &status) ? 0 : status.sstat_outstrms;
}

#endif
