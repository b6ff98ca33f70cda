/* A growing buffer of messages with their ends and streams. One owner at a time; no locks in here. */
#ifndef SIGTRAN_MESSAGE_QUEUE_H
#define SIGTRAN_MESSAGE_QUEUE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
	uint8_t *data;     /* messages without gaps, behind the last end perhaps the start of one more */
	size_t used, room; /* octets */
	int64_t *ends;     /* end of each message */
	uint16_t *streams; /* stream of each message */
	size_t n, n_room;  /* messages */
} message_queue;

static inline size_t mq_end(const message_queue *q) { return q->n ? (size_t)q->ends[q->n - 1] : 0; }

static inline void mq_clear(message_queue *q)
{
	q->used = 0;
	q->n = 0;
}

static inline void mq_free(message_queue *q)
{
	free(q->data);
	free(q->ends);
	free(q->streams);
	memset(q, 0, sizeof *q);
}

/* Room for so many more octets and messages; -1 when memory is out. */
static inline int mq_reserve(message_queue *q, size_t octets, size_t messages)
{
	if (q->used + octets > q->room) {
		size_t room = q->room ? q->room : 65536;
		while (room < q->used + octets)
			room *= 2;
		uint8_t *data = (uint8_t *)realloc(q->data, room);
		if (!data)
			return -1;
		q->data = data;
		q->room = room;
	}
	if (q->n + messages > q->n_room) {
		size_t room = q->n_room ? q->n_room : 1024;
		while (room < q->n + messages)
			room *= 2;
		int64_t *ends = (int64_t *)realloc(q->ends, room * sizeof *ends);
		if (!ends)
			return -1;
		q->ends = ends;
		uint16_t *streams = (uint16_t *)realloc(q->streams, room * sizeof *streams);
		if (!streams)
			return -1;
		q->streams = streams;
		q->n_room = room;
	}
	return 0;
}

/* Whole messages behind those that are there: data[offsets[0] .. offsets[n]]. */
static inline int mq_append(message_queue *q, const uint8_t *data, const int64_t *offsets,
                            const uint16_t *streams, size_t n)
{
	size_t octets = (size_t)(offsets[n] - offsets[0]);
	if (mq_reserve(q, octets, n))
		return -1;
	int64_t shift = (int64_t)q->used - offsets[0];
	memcpy(q->data + q->used, data + offsets[0], octets);
	for (size_t i = 0; i < n; i++)
		q->ends[q->n + i] = offsets[i + 1] + shift;
	memcpy(q->streams + q->n, streams, n * sizeof *streams);
	q->used += octets;
	q->n += n;
	return 0;
}

/* Move all whole messages of `from` to the end of `to`; the start of an unfinished one stays in `from`. */
static inline int mq_move(message_queue *to, message_queue *from)
{
	size_t whole = mq_end(from), rest = from->used - whole;
	if (!from->n)
		return 0;
	if (!to->n && !rest) {
		message_queue swap = *to;
		*to = *from;
		*from = swap;
		mq_clear(from);
		return 0;
	}
	if (mq_reserve(to, whole, from->n))
		return -1;
	memcpy(to->data + to->used, from->data, whole);
	for (size_t i = 0; i < from->n; i++)
		to->ends[to->n + i] = from->ends[i] + (int64_t)to->used;
	memcpy(to->streams + to->n, from->streams, from->n * sizeof *from->streams);
	to->used += whole;
	to->n += from->n;
	memmove(from->data, from->data + whole, rest);
	from->used = rest;
	from->n = 0;
	return 0;
}

#endif
