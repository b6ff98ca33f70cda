/* The capture reader under the sanitizers: seed captures, mutated, in pieces of any size.
 *
 *   gcc -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -Iplatform/sigtran \
 *       tests/sigtran/fuzz_capture.c -o /tmp/fuzz_capture
 *   /tmp/fuzz_capture SECONDS SEED FILE...
 *
 * With clang the same file is a libFuzzer target: -fsanitize=fuzzer,address,undefined -DLIBFUZZER. */
#include <stdio.h>
#include <time.h>

#include "capture_blocks.h"

/* As `CaptureReader` does it: what was not used comes again with more behind it. */
int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	static const size_t sizes[] = {1 << 20, 4096, 997, 61};
	dissector d;
	capture_stream s;
	memset(&d, 0, sizeof d);
	memset(&s, 0, sizeof s);
	d.udp_port = 9899;
	size_t piece = sizes[n % 4], start = 0, end = 0;
	while (end < n && !s.error) {
		end = end + piece < n ? end + piece : n;
		/* A block of its own, so that a read behind its end is found. */
		uint8_t *copy = (uint8_t *)malloc(end - start ? end - start : 1);
		memcpy(copy, octets + start, end - start);
		int64_t used = capture_feed(&s, &d, copy, end - start);
		free(copy);
		if (used < 0 || (size_t)used > end - start)
			abort();
		start += (size_t)used;
		for (size_t i = 0, last = 0; i < d.messages.n; last = (size_t)d.messages.ends[i++])
			if ((size_t)d.messages.ends[i] <= last || (size_t)d.messages.ends[i] > d.messages.used)
				abort();
		mq_clear(&d.messages);
	}
	dissector_finish(&d);
	if (d.fragment_octets)
		abort();
	dissector_free(&d);
	return 0;
}

#ifndef LIBFUZZER
static uint64_t state;

static uint32_t draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 16) % below);
}

static size_t mutate(uint8_t *p, size_t n, size_t room)
{
	static const uint32_t words[] = {0, 1, 4, 16, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff};
	for (uint32_t times = 1 + draw(8); times-- && n > 8;) {
		size_t at = draw((uint32_t)n - 4), length = 1 + draw(64);
		switch (draw(6)) {
		case 0:
			p[at] = (uint8_t)draw(256);
			break;
		case 1:
			p[at] ^= (uint8_t)(1u << draw(8));
			break;
		case 2:
			memcpy(p + at, &words[draw(9)], 4);
			break;
		case 3: /* a big-endian half word: lengths inside the packets */
			put16(p + at, words[draw(9)] & 0xffff);
			break;
		case 4:
			if (at + length < n) {
				memmove(p + at, p + at + length, n - at - length);
				n -= length;
			}
			break;
		default:
			if (n + length <= room && at + length <= n) {
				memmove(p + at + length, p + at, n - at);
				n += length;
			}
		}
	}
	return n;
}

int main(int argc, char **argv)
{
	uint8_t *seeds[64], *octets = (uint8_t *)malloc(1 << 20);
	size_t lengths[64], count = 0;
	long runs = 0;
	if (argc < 4)
		return 2;
	for (int i = 3; i < argc && count < 64; i++) {
		FILE *file = fopen(argv[i], "rb");
		if (!file)
			return 2;
		seeds[count] = (uint8_t *)malloc(1 << 19);
		lengths[count] = fread(seeds[count], 1, 1 << 19, file);
		count++;
		fclose(file);
	}
	state = 88172645463325252ull + (uint64_t)atoll(argv[2]) * 2654435761u;
	time_t end = time(NULL) + atoi(argv[1]);
	while (time(NULL) < end) {
		for (int i = 0; i < 100; i++, runs++) {
			size_t which = draw((uint32_t)count), n = lengths[which];
			memcpy(octets, seeds[which], n);
			LLVMFuzzerTestOneInput(octets, mutate(octets, n, 1 << 20));
		}
	}
	printf("%ld captures\n", runs);
	for (size_t i = 0; i < count; i++)
		free(seeds[i]);
	free(octets);
	return 0;
}
#endif
