// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * Records of an older ABI, as the metadata beside them describes them.  It reads as much of
 * TSDL as ctf_metadata.c writes, from a text that anybody may have made.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ctf.h"
#include "ctf_token.h"

#define UNIT_MIN	64U
#define NAMES_MAX	64U
#define MOVES_MAX	32U
#define HEADER		9U		/* time and type */

/* From an event to struct ctf_event; size of an integer, or of an array of bytes. */
struct move {
	uint8_t from, to, size, room;
};

struct class {
	bool known, has_rcv, has_seq;
	uint8_t end, nmoves;
	struct move move[MOVES_MAX];
};

struct ctf_layout {
	uint32_t unit;
	struct class class[256];	/* by type */
};

struct name {
	struct token name;
	uint8_t bytes;
};

struct parser {
	const char *at;
	struct name name[NAMES_MAX];
	unsigned int nnames;
	uint64_t align;			/* of events, in bits; 0: not told */
	struct ctf_layout *l;
	const char *why;		/* NULL: nothing is wrong so far */
};

/* Where an event has it now. */
#define NOW(member) \
	(offsetof(struct ctf_event, type) + \
	 offsetof(struct tcpfsm_record, member) - offsetof(struct tcpfsm_record, type))
#define FIELD(name, member) \
	{ name, (uint8_t)NOW(member), sizeof(((struct tcpfsm_record *)0)->member) }

static const struct field {
	const char *name;
	uint8_t to, room;
} fields[] = {
	FIELD("family", family), FIELD("old", old_state), FIELD("new", new_state),
	FIELD("flags", flags), FIELD("verdict", verdict), FIELD("reason", reason),
	FIELD("arg", arg), FIELD("conn", conn), FIELD("listener", listener),
	FIELD("netns", netns), FIELD("lport", lport), FIELD("rport", rport),
	FIELD("laddr", laddr), FIELD("raddr", raddr), FIELD("snd", snd), FIELD("rcv", rcv),
	FIELD("tw", tw), FIELD("tw_max", tw_max), FIELD("synq", synq),
	FIELD("acceptq", acceptq), FIELD("backlog", backlog), FIELD("pid", pid),
	FIELD("comm", comm),
	{ "seq", offsetof(struct ctf_event, seq), sizeof(uint64_t) },
};

/* ---- words ----------------------------------------------------------------------- */

static void damaged(struct parser *p, const char *why)
{
	if (!p->why)
		p->why = why;
}

/* len 0: the end, or something is wrong. */
static struct token next(struct parser *p)
{
	return p->why ? (struct token) { p->at, 0 } : next_token(&p->at);
}

static bool expect(struct parser *p, const char *words)
{
	const char *word = words, *end;

	for (; *word; word = *end ? end + 1 : end) {
		struct token t = next(p);

		end = strchrnul(word, ' ');
		if (t.len != (size_t)(end - word) || memcmp(t.at, word, t.len)) {
			damaged(p, "metadata is damaged: not as tcpfsm writes it");
			return false;
		}
	}
	return true;
}

static uint64_t number(struct parser *p)
{
	struct token t = next(p);
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < t.len && t.at[i] >= '0' && t.at[i] <= '9'; i++)
		n = 10 * n + (uint64_t)(t.at[i] - '0');
	if (!t.len || i < t.len || i > 9)
		damaged(p, "metadata is damaged: no number");
	return n;
}

/* To behind the bracket that closes one that was read. */
static void skip_block(struct parser *p)
{
	unsigned int depth = 1;
	struct token t;

	while (depth && (t = next(p)).len)
		depth += token_is(t, "{") ? 1U : token_is(t, "}") ? -1U : 0;
	if (depth)
		damaged(p, "metadata is damaged: a block without an end");
}

/* ---- types ----------------------------------------------------------------------- */

/* Bytes of an integer; 0: there is no such type. */
static uint8_t bytes_of(const struct parser *p, struct token name)
{
	unsigned int i;

	for (i = 0; i < p->nnames; i++)
		if (p->name[i].name.len == name.len && !memcmp(p->name[i].name.at, name.at, name.len))
			return p->name[i].bytes;
	return 0;
}

/* "integer { size = 8; align = 8; ... }" */
static uint8_t integer(struct parser *p)
{
	uint64_t size = 0, align = 0;
	struct token t;

	expect(p, "{");
	while ((t = next(p)).len && !token_is(t, "}")) {
		if (token_is(t, "size")) {
			expect(p, "=");
			size = number(p);
		} else if (token_is(t, "align")) {
			expect(p, "=");
			align = number(p);
		}
	}
	if (align != 8 || (size != 8 && size != 16 && size != 32 && size != 64))
		damaged(p, "metadata is damaged: an integer of impossible size");
	return (uint8_t)(size / 8);
}

static void typealias(struct parser *p)
{
	struct token t = next(p);
	struct name *n = &p->name[p->nnames];
	uint8_t bytes = 0;

	if (token_is(t, "integer")) {
		bytes = integer(p);
	} else if (token_is(t, "enum") && expect(p, ":")) {
		bytes = bytes_of(p, next(p));
		if (expect(p, "{"))
			skip_block(p);
	}
	expect(p, ": =");
	t = next(p);
	if (!bytes || !t.len || p->nnames == NAMES_MAX) {
		damaged(p, "metadata is damaged: a type that cannot be");
		return;
	}
	*n = (struct name) { t, bytes };
	p->nnames++;
}

/* ---- records --------------------------------------------------------------------- */

static void add_field(struct parser *p, struct class *c, struct token name, unsigned int from,
		      unsigned int bytes, unsigned int size)
{
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const struct field *f = &fields[i];
		/* Arrays of bytes are as they were; integers may have grown. */
		bool array = !strcmp(f->name, "laddr") || !strcmp(f->name, "raddr") ||
			     !strcmp(f->name, "comm");

		if (!token_is(name, f->name))
			continue;
		if (array ? bytes != 1 || size != f->room : bytes != size || size > f->room) {
			damaged(p, "metadata is damaged: a field of another type");
			return;
		}
		if (c->nmoves == MOVES_MAX) {
			damaged(p, "metadata is damaged: too many fields");
			return;
		}
		c->move[c->nmoves++] = (struct move) {
			(uint8_t)from, f->to, (uint8_t)size, array ? 0 : f->room,
		};
		c->has_rcv |= !strcmp(f->name, "rcv");
		c->has_seq |= !strcmp(f->name, "seq");
	}
}

/* "uint8_t laddr[16];" and so on, to the closing bracket. */
static void fields_of(struct parser *p, struct class *c)
{
	unsigned int at = HEADER;
	struct token t;

	while ((t = next(p)).len && !token_is(t, "}")) {
		unsigned int bytes = bytes_of(p, t), size = bytes;
		struct token name = next(p);

		t = next(p);
		if (token_is(t, "[")) {
			uint64_t n = number(p);

			size = n <= CTF_UNIT ? (unsigned int)n * bytes : CTF_UNIT + 1;
			expect(p, "] ;");
		} else if (!token_is(t, ";")) {
			damaged(p, "metadata is damaged: a field without an end");
		}
		if (!bytes || size > CTF_UNIT - at || !(isalpha((unsigned char)*name.at) || *name.at == '_'))
			damaged(p, "metadata is damaged: a field that cannot be");
		if (p->why)
			return;
		add_field(p, c, name, at, bytes, size);
		at += size;
	}
	c->end = (uint8_t)at;
}

static void event(struct parser *p)
{
	struct class c = { .known = true };
	uint64_t id = UINT64_MAX;
	struct token t;

	expect(p, "{");
	while ((t = next(p)).len && !token_is(t, "}")) {
		if (token_is(t, "id")) {
			expect(p, "=");
			id = number(p);
		} else if (token_is(t, "fields")) {
			if (expect(p, ": = struct {"))
				fields_of(p, &c);
		} else if (token_is(t, "{")) {
			skip_block(p);
		}
	}
	if (id > UINT8_MAX || !c.has_seq || p->l->class[id].known)
		damaged(p, "metadata is damaged: a type of records that cannot be");
	else if (!p->why)
		p->l->class[id] = c;
}

/* Of it only the header of an event is of interest, "time_t timestamp; uint8_t id;". */
static void stream(struct parser *p)
{
	struct token t;

	expect(p, "{");
	while ((t = next(p)).len && !token_is(t, "}")) {
		if (token_is(t, "{")) {
			skip_block(p);
			continue;
		}
		if (!token_is(t, "event.header"))
			continue;
		if (expect(p, ": = struct {") && bytes_of(p, next(p)) != 8)
			damaged(p, "metadata is damaged: the time of a record");
		if (expect(p, "timestamp ;") && bytes_of(p, next(p)) != 1)
			damaged(p, "metadata is damaged: the type of a record");
		if (expect(p, "id ; } align ("))
			p->align = number(p);
	}
}

int ctf_layout_parse(const char *text, struct ctf_layout **layout, const char **why)
{
	struct parser p = { .at = text };
	struct token t;
	size_t i;

	*layout = p.l = calloc(1, sizeof(*p.l));
	if (!p.l) {
		*why = "out of memory";
		return -ENOMEM;
	}
	while ((t = next(&p)).len) {
		if (token_is(t, "typealias"))
			typealias(&p);
		else if (token_is(t, "stream"))
			stream(&p);
		else if (token_is(t, "event"))
			event(&p);
		else if (token_is(t, "{"))
			skip_block(&p);
	}
	if (p.align != 8 * UNIT_MIN && p.align != 8 * CTF_UNIT)
		damaged(&p, "metadata is damaged: records of impossible size");
	p.l->unit = (uint32_t)p.align / 8;
	for (i = 0; i <= UINT8_MAX; i++)
		if (p.l->class[i].end > p.l->unit)
			damaged(&p, "metadata is damaged: more fields than a record has room for");
	if (!p.why)
		return 0;
	*why = p.why;
	free(p.l);
	*layout = NULL;
	return -EBADMSG;
}

size_t ctf_layout_unit(const struct ctf_layout *l)
{
	return l->unit;
}

/* ---- reading --------------------------------------------------------------------- */

/* An integer that may have had less room. */
static void widen(uint8_t *to, size_t room, const uint8_t *from, size_t size)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	(void)room;
	memcpy(to, from, size);
#else
	memcpy(to + room - size, from, size);
#endif
}

void ctf_layout_event(const struct ctf_layout *l, const void *old, struct ctf_event *ev)
{
	const uint8_t *from = old;
	const struct class *c;
	const uint32_t unknown = UINT32_MAX;
	unsigned int i;

	memset(ev, 0, sizeof(*ev));
	memcpy(&ev->ts, from, HEADER);
	c = &l->class[ev->type];
	for (i = 0; i < c->nmoves; i++) {
		const struct move *m = &c->move[i];
		uint8_t *to = (uint8_t *)ev + m->to;

		if (m->room)
			widen(to, m->room, from + m->from, m->size);
		else
			memcpy(to, from + m->from, m->size);
	}
	/* The age of a mini-socket. */
	if (ev->type == TCPFSM_TYPE_SOCKET && !c->has_rcv)
		memcpy((uint8_t *)ev + NOW(rcv), &unknown, sizeof(unknown));
}
