/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where words go: a file, mostly standard output, or memory.  They are written when
 * there are many, and when there is nothing more to say for now.
 *
 * How they look is said beside them: a terminal gets escape sequences, a file nothing,
 * and memory keeps where each look begins.
 */
#ifndef TCPFSM_SHOW_OUT_H
#define TCPFSM_SHOW_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "grid.h"
#include "json_writer.h"
#include "tcpfsm.h"

#define OUT_SIZE	(64 << 10)

/* From here on it looks so, until the next one. */
struct out_run {
	size_t at;
	enum attr attr;
};

/* From here on it is about the connections that pass this filter; "": about none. */
#define OUT_MARK_MAX	192
struct out_mark {
	size_t at;
	char filter[OUT_MARK_MAX];
};

/* What was said, kept.  All zero: nothing as yet. */
struct out_text {
	char *s;			/* malloc(); with a NUL */
	size_t len, room;
	struct out_run *run;
	size_t nruns, runs_room;
	struct out_mark *mark;
	size_t nmarks, marks_room;
};

struct out {
	size_t used;			/* of buf */
	int fd;
	int error;			/* negative errno of the first failure */
	bool colour;			/* fd is a terminal that shows them */
	bool drawn;			/* see screen_begin() */
	int pipe;			/* is fd one?  -1: not known yet */
	struct out_text *text;		/* NULL: to fd */
	char buf[OUT_SIZE];
};

void out_to_file(struct out *o, int fd);
/* In place of what @text held. */
void out_to_text(struct out *o, struct out_text *text);
void out_text_free(struct out_text *text);

void out_printf(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What follows is about those connections; of use to memory only. */
void out_mark(struct out *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* What follows looks so. */
void out_ink(struct out *o, enum attr attr);
/* The same for these words only; of ATTR_PLAIN nothing is said. */
void out_inked(struct out *o, enum attr attr, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The sequence that makes a terminal look so. */
const char *out_escape(enum attr attr);

/* JSON goes there, too. */
struct json out_json(struct out *o);
/* The keys that every object has, of what is of no CPU; with the network namespace's name. */
void out_json_begin(struct json *j, const struct json_head *h);

/*
 * A line of JSON that the library made, of len bytes, with the name of its network namespace as well, for which there
 * is room behind it.  A name is asked for again when ts, the line's own time, is a second later; 0: now.
 * Return: its length.
 */
#define OUT_NETNS_JSON_MAX	(6 * TCPFSM_CONTAINER_NAME_MAX + 32)
size_t out_json_named(char *line, size_t len, uint32_t netns, uint64_t ts);

/* "histogram_le": what each number of a histogram counts is at most so much; null: the last has no end. */
void out_json_bounds(struct json *j);
/* Who closed first, by enum tcpfsm_closer. */
void out_json_closers(struct json *j, const uint64_t n[4]);

/* What is told is of this machine: places have the names that it has for them now. */
void out_is_here(void);
/* Or of recordings: places have the names that tcpfsm_names_recorded() says. */
void out_is_recorded(void);
/* Name of a network namespace, "": none. */
const char *out_netns(uint32_t netns, char name[TCPFSM_CONTAINER_NAME_MAX]);
/* "web1 (4026532213)", or the inode alone. */
#define OUT_NETNS_MAX	(TCPFSM_CONTAINER_NAME_MAX + 16)
const char *out_netns_text(uint32_t netns, char text[OUT_NETNS_MAX]);
/* Name of a device, or its index; "": 0, none. */
const char *out_dev(uint32_t netns, uint32_t dev, char name[TCPFSM_DEV_NAME_MAX]);

/* Return: 0 or the negative errno of any write so far. */
int out_flush(struct out *o);
/* Has the reader of our pipe gone? */
bool out_closed(struct out *o);
/* The end.  Return: 0 or the negative errno of what could not be written. */
int out_close(struct out *o);
bool out_is_terminal(const struct out *o);

/* Room for n bytes (OUT_SIZE at most), to be counted with out_add(). */
static inline char *out_room(struct out *o, size_t n)
{
	if (o->used + n > OUT_SIZE)
		out_flush(o);
	return o->buf + o->used;
}

static inline void out_add(struct out *o, size_t n)
{
	o->used += n;
}

/* As many bytes as it may be. */
static inline void out_write(struct out *o, const char *s, size_t n)
{
	while (n) {
		size_t part = n < OUT_SIZE ? n : OUT_SIZE;

		memcpy(out_room(o, part), s, part);
		out_add(o, part);
		s += part;
		n -= part;
	}
}

/* Words as they are, without the cost of a format. */
static inline void out_put(struct out *o, const char *s)
{
	out_write(o, s, strlen(s));
}

static inline void out_blanks(struct out *o, unsigned int n)
{
	static const char blanks[] = "                                ";

	for (; n > sizeof(blanks) - 1; n -= (unsigned int)sizeof(blanks) - 1)
		out_write(o, blanks, sizeof(blanks) - 1);
	out_write(o, blanks, n);
}

#endif /* TCPFSM_SHOW_OUT_H */
