/* A libFuzzer target for the reader of capture files: any octets, fed in pieces, each in a buffer of its size. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture_blocks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static dissector d;
	static capture_stream s;
	size_t piece, have = 0, at = 1;
	uint8_t *rest = NULL;
	if (size < 1)
		return 0;
	memset(&d, 0, sizeof d);
	memset(&s, 0, sizeof s);
	d.udp_port = UDP_ENCAPSULATION;
	piece = data[0] ? 16 * (size_t)data[0] : size;
	/* As CaptureReader does: what was not used comes again with more behind it. */
	while (at < size && !s.error) {
		size_t more = size - at < piece ? size - at : piece;
		uint8_t *buffer = malloc(have + more);
		if (have)
			memcpy(buffer, rest, have);
		memcpy(buffer + have, data + at, more);
		free(rest);
		rest = NULL;
		at += more;
		have += more;
		int64_t used = capture_feed(&s, &d, buffer, have);
		if (used < 0 || (size_t)used > have) {
			fprintf(stderr, "%lld octets used of %zu\n", (long long)used, have);
			abort();
		}
		have -= (size_t)used;
		if (have) {
			rest = malloc(have);
			memcpy(rest, buffer + used, have);
		}
		free(buffer);
		for (size_t i = 0; i < d.messages.n; i++) {
			int64_t from = i ? d.messages.ends[i - 1] : 0;
			if (d.messages.ends[i] <= from || (size_t)d.messages.ends[i] > d.messages.used)
				abort();
		}
		mq_clear(&d.messages);
	}
	free(rest);
	dissector_free(&d);
	return 0;
}
