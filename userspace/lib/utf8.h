/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
#ifndef TCPFSM_LIB_UTF8_H
#define TCPFSM_LIB_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* How long is the UTF-8 character at s, of n bytes at most, and which is it?  0: there is none. */
static inline unsigned int utf8(const uint8_t *s, size_t n, uint32_t *ch)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned int len = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 :
			   s[0] < 0xf8 ? 4 : 0;
	unsigned int i;

	if (!len || len > n)
		return 0;
	*ch = len == 1 ? s[0] : s[0] & (0x7fU >> len);
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*ch = *ch << 6 | (s[i] & 0x3f);
	}
	/* Too long for what it says; surrogates. */
	if ((len > 1 && *ch < least[len]) || *ch > 0x10ffff || (*ch >= 0xd800 && *ch < 0xe000))
		return 0;
	return len;
}

#endif /* TCPFSM_LIB_UTF8_H */
