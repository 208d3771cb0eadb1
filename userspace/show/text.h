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
	unsigned int width;		/* of the terminal; 0: 80 */
	bool one_line;			/* what has no room in it is left out */
	uint64_t carried, carried_ts;	/* what had lines of its own last, and when */
	/* How the last line looks between these two; ATTR_PLAIN: there is no such place. */
	enum attr ink;
	uint16_t ink_from, ink_to;
	int64_t second;			/* whose hms is kept */
	char hms[9];
};

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
