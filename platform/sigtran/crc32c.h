/* CRC32c (RFC 9260 appendix A): the instruction of the processor where there is one, else eight tables. */
#ifndef SIGTRAN_CRC32C_H
#define SIGTRAN_CRC32C_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static uint32_t crc32c_tables[8][256];
static int crc32c_ready;

static void crc32c_prepare(void)
{
	for (unsigned i = 0; i < 256; i++) {
		uint32_t c = i;
		for (int k = 0; k < 8; k++)
			c = c & 1 ? 0x82F63B78u ^ (c >> 1) : c >> 1;
		crc32c_tables[0][i] = c;
	}
	for (unsigned i = 0; i < 256; i++)
		for (int t = 1; t < 8; t++)
			crc32c_tables[t][i] = crc32c_tables[0][crc32c_tables[t - 1][i] & 255] ^ (crc32c_tables[t - 1][i] >> 8);
	crc32c_ready = 1;
}

static uint32_t crc32c_by_tables(uint32_t c, const uint8_t *p, size_t n)
{
	for (; n >= 8; p += 8, n -= 8) {
		uint32_t low = c ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
		c = crc32c_tables[7][low & 255] ^ crc32c_tables[6][(low >> 8) & 255] ^
		    crc32c_tables[5][(low >> 16) & 255] ^ crc32c_tables[4][low >> 24] ^ crc32c_tables[3][p[4]] ^
		    crc32c_tables[2][p[5]] ^ crc32c_tables[1][p[6]] ^ crc32c_tables[0][p[7]];
	}
	while (n--)
		c = crc32c_tables[0][(c ^ *p++) & 255] ^ (c >> 8);
	return c;
}

#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_by_instruction(uint32_t c, const uint8_t *p, size_t n)
{
	uint64_t wide = c;
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t word;
		memcpy(&word, p, 8);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	c = (uint32_t)wide;
	while (n--)
		c = __builtin_ia32_crc32qi(c, *p++);
	return c;
}
#endif

/* The checksum as a number; on the wire its octets lie in little-endian order. `tables` forces the slow way. */
static uint32_t crc32c(const uint8_t *p, size_t n, int tables)
{
	if (!crc32c_ready)
		crc32c_prepare();
#if defined(__x86_64__) && defined(__GNUC__)
	if (!tables && __builtin_cpu_supports("sse4.2"))
		return ~crc32c_by_instruction(~0u, p, n);
#endif
	(void)tables;
	return ~crc32c_by_tables(~0u, p, n);
}

#endif
