/* SPDX-License-Identifier: GPL-2.0 */
/* Where the words go: whole lines, written when there are many, and when it is quiet. */
#ifndef TCPFSM_SHOW_OUT_H
#define TCPFSM_SHOW_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUT_SIZE	(64 << 10)

extern struct out {
	size_t used;
	char buf[OUT_SIZE];
} out;

void out_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/*
 * "{" and the keys that every JSON object has, of what has no peer and is of no
 * CPU.  family: 4, 6 or, without an address, 0.
 */
void out_json_head(uint64_t ts, const char *event, uint64_t conn, uint32_t netns,
		   unsigned int family, const uint8_t *laddr, uint16_t lport);
/* The same of what has a peer. */
void out_json_ends(uint64_t ts, const char *event, uint64_t conn, uint32_t netns,
		   unsigned int family, const uint8_t *laddr, uint16_t lport,
		   const uint8_t *raddr, uint16_t rport);
/* Text that would have gone to stdout. */
struct out_text {
	char *s;			/* malloc(); with a NUL */
	size_t len, room;
};

/* From now on it goes to @to, in place of what that held; NULL: to stdout again. */
void out_capture(struct out_text *to);
/* Return: 0 or the negative errno of any write so far. */
int out_flush(void);
int out_error(void);
/* Has the reader of our pipe gone? */
bool out_closed(void);
/* The end.  Return: 0 or the negative errno of what could not be written. */
int out_close(void);
bool out_is_terminal(void);
/* And one that shows them? */
bool out_has_colours(void);

/* Room for n bytes (OUT_SIZE at most), to be counted with out_add(). */
static inline char *out_room(size_t n)
{
	if (out.used + n > OUT_SIZE)
		out_flush();
	return out.buf + out.used;
}

static inline void out_add(size_t n)
{
	out.used += n;
}

#endif /* TCPFSM_SHOW_OUT_H */
