/* SPDX-License-Identifier: GPL-2.0-only */
/* An event as a line of text for people. */
#ifndef TCPFSM_SHOW_TEXT_H
#define TCPFSM_SHOW_TEXT_H

#include <stdbool.h>

#include "out.h"
#include "tcpfsm.h"

#define TEXT_MAX	1024		/* longest line */

struct text {
	bool wide, raw, time_of_day;
	bool colour;			/* escape sequences in the line */
	uint64_t start;			/* of the column TIME(s); 0: not yet */
	unsigned int width;		/* of the terminal; 0: it is none */
	unsigned int address;		/* columns of an address: TEXT_ADDRESS at first */
	unsigned int longest;		/* address of a line: so many it would take */
	bool one_line;			/* what has no room in it is left out */
	uint64_t carried, carried_ts;	/* what had lines of its own last, and when */
	/* How the last line looks between these two; ATTR_PLAIN: there is no such place. */
	enum attr ink;
	uint16_t ink_from, ink_to;
	int64_t second;			/* whose hms is kept */
	char hms[9];
};

#define TEXT_ADDRESS	21U		/* "255.255.255.255:65535" */

/*
 * An address of so many columns is about to be shown, behind others and before what needs so many at least.
 * GROW: all from here on are as wide, and the header comes again; FOLD: what follows goes on a line of its
 * own, in its columns; CUT: there is one line only, and it lacks its beginning.
 */
enum text_fit { TEXT_FITS, TEXT_GROWS, TEXT_FOLDS, TEXT_CUTS };
enum text_fit text_fit(struct text *t, size_t len, size_t before, size_t behind);
/* The end of the address between the two, so that it takes no more than its column. */
char *text_cut(const struct text *t, char *column, char *end);

size_t text_header(const struct text *t, char buf[TEXT_MAX]);
/* The column of time: p holds blanks. */
char *text_time(struct text *t, char *p, uint64_t ts);
/* False: text_event() has no line for it, as another one tells it. */
bool text_tells(const struct text *t, const struct tcpfsm_event *ev);
/* Return: the length with newline; 0: another line tells it. */
size_t text_event(struct text *t, const struct tcpfsm_event *ev, char buf[TEXT_MAX]);

/* Sockets have been read again: TCPFSM_NOTICE_RESYNC. */
#define TEXT_RESYNC	160
void text_resync(const struct tcpfsm_notice *n, char buf[TEXT_RESYNC]);

/* Why a SYN or a third ACK was refused, or answered with a cookie. */
struct refusal {
	uint8_t verdict, reason;	/* as in struct tcpfsm_record */
	bool has_queues;		/* synq, acceptq and backlog count */
	uint32_t synq, acceptq, backlog;
	uint32_t max_syn_backlog;	/* of a SYN dropped; 0: not known */
	uint32_t asked;			/* backlog that listen(2) asked for plus 1; 0: not known */
};

#define REFUSAL_MAX	128
/*
 * "accept queue 129 > 128": the kernel's comparison, as it came out.  Brief: short
 * enough for a column, where there is a choice.  Return: the end, without a NUL.
 */
char *put_refusal(char *p, const struct refusal *f, bool brief);

#endif /* TCPFSM_SHOW_TEXT_H */
