// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"

#define NOTE		'\001'		/* begins one; cells are printable */
#define MARK		'\002'
#define INDENT		4

void columns_begin(struct columns *t, const struct column_head *head, unsigned int n, unsigned int lead)
{
	*t = (struct columns) { .head = head, .n = n, .lead = lead };
}

static void add(struct columns *t, const char *s)
{
	size_t len = strlen(s) + 1;

	if (t->used + len > t->room) {
		size_t room = 2 * t->room > t->used + len ? 2 * t->room : t->used + len + 4096;
		char *text = realloc(t->text, room);

		if (!text) {
			t->err = -ENOMEM;
			return;
		}
		t->text = text;
		t->room = room;
	}
	memcpy(t->text + t->used, s, len);
	t->used += len;
}

void columns_cell(struct columns *t, const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	add(t, buf);
	t->at = (t->at + 1) % t->n;
}

void columns_note(struct columns *t, const char *fmt, ...)
{
	char buf[512] = { NOTE };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf + 1, sizeof(buf) - 1, fmt, ap);
	va_end(ap);
	add(t, buf);
}

void columns_mark(struct columns *t, const char *fmt, ...)
{
	char buf[OUT_MARK_MAX] = { MARK };
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(buf + 1, sizeof(buf) - 1, fmt, ap) >= (int)sizeof(buf) - 1)
		buf[1] = '\0';
	va_end(ap);
	add(t, buf);
}

struct widths {
	unsigned int of[COLUMNS_MAX];
	unsigned int lead, all;		/* with the blanks between them */
	bool side_by_side;		/* the first ones have no columns */
};

static void widen(unsigned int *width, const char *s)
{
	unsigned int len = (unsigned int)strlen(s);

	if (*width < len)
		*width = len;
}

static const char *behind(const char *s)
{
	return s + strlen(s) + 1;
}

static struct widths measure(const struct columns *t)
{
	struct widths w = { .lead = 0 };
	const char *s = t->text, *end = t->text + t->used;
	unsigned int i;

	for (i = 0; i < t->n; i++)
		if (t->head[i].title)
			widen(&w.of[i], t->head[i].title);
	for (i = 0; s < end; s = behind(s)) {
		if (*s == NOTE || *s == MARK)
			continue;
		if (t->head[i].title)
			widen(&w.of[i], s);
		i = (i + 1) % t->n;
	}
	for (i = 0; i < t->n; i++) {
		w.all += t->head[i].title ? w.of[i] + 1 : 0;
		if (i < t->lead)
			w.lead = w.all;
	}
	return w;
}

/* How long the first cells are, side by side. */
static unsigned int lead_length(const struct columns *t, const char *const *s)
{
	unsigned int i, len = 0;

	for (i = 0; i < t->lead; i++)
		len += t->head[i].title && *s[i] ? (unsigned int)strlen(s[i]) + 1 : 0;
	return len;
}

/* Columns for the first cells of those rows that fit; a longer row has a line of its own for them. */
static void fit_lead(const struct columns *t, struct widths *w)
{
	const char *s = t->text, *end = t->text + t->used, *row[COLUMNS_MAX];
	unsigned int of[COLUMNS_MAX] = { 0 }, wide = 0, i;

	for (i = 0; i < t->lead; i++)
		if (t->head[i].title)
			widen(&of[i], t->head[i].title);
	while (s < end) {
		for (i = 0; i < t->n && s < end; s = behind(s))
			if (*s != NOTE && *s != MARK)
				row[i++] = s;
		if (i < t->n || lead_length(t, row) > w->lead)
			continue;
		for (i = 0; i < t->lead; i++)
			if (t->head[i].title)
				widen(&of[i], row[i]);
	}
	for (i = 0; i < t->lead; i++)
		wide += t->head[i].title ? of[i] + 1 : 0;
	w->side_by_side = wide > w->lead;
	if (!w->side_by_side)
		memcpy(w->of, of, t->lead * sizeof(*of));
}

/* What comes first is no longer than what the rest leaves. */
static void narrow(const struct columns *t, struct widths *w, unsigned int width)
{
	unsigned int rest = w->all - w->lead, i;
	unsigned int least = 0;

	for (i = 0; i < t->lead; i++)
		least += t->head[i].title ? (unsigned int)strlen(t->head[i].title) + 1 : 0;
	if (!width || w->all <= width + 1)
		return;
	w->lead = rest + least < width + 1 ? width + 1 - rest : least;
	w->all = w->lead + rest;
	fit_lead(t, w);
}

static void cell(struct out *o, const struct columns *t, const struct widths *w, unsigned int i, const char *s,
		 bool last)
{
	if (t->head[i].left)
		out_printf(o, "%-*s%s", last ? 0 : (int)w->of[i], s, last ? "" : " ");
	else
		out_printf(o, "%*s%s", (int)w->of[i], s, last ? "" : " ");
}

/* Do they fit into what they have? */
static bool fits(const struct columns *t, const struct widths *w, const char *const *s)
{
	unsigned int i;

	if (w->side_by_side)
		return lead_length(t, s) <= w->lead;
	for (i = 0; i < t->lead; i++)
		if (t->head[i].title && strlen(s[i]) > w->of[i])
			return false;
	return true;
}

/* The first ones, in columns if those fit, or else side by side.  Return: how wide. */
static unsigned int put_lead(struct out *o, const struct columns *t, const struct widths *w, const char *const *s)
{
	bool in_columns = !w->side_by_side && fits(t, w, s);
	unsigned int i, len = 0;
	char line[1024] = "";

	for (i = 0; i < t->lead; i++) {
		if (!t->head[i].title)
			continue;
		if (in_columns)
			len += (unsigned int)snprintf(line + len, sizeof(line) - len, "%-*s ", (int)w->of[i], s[i]);
		else if (*s[i])
			len += (unsigned int)snprintf(line + len, sizeof(line) - len, "%s ", s[i]);
		if (len >= sizeof(line))
			len = sizeof(line) - 1;
	}
	out_printf(o, "%s", line);
	return len;
}

static unsigned int last_column(const struct columns *t)
{
	unsigned int i, last = 0;

	for (i = 0; i < t->n; i++)
		if (t->head[i].title)
			last = i;
	return last;
}

/* Return: lines. */
static size_t put_row(struct out *o, const struct columns *t, const struct widths *w, const char *const *s,
		      const char *eol, bool dry)
{
	bool own = !fits(t, w, s);
	unsigned int i, len;

	if (dry)
		return 1U + own;
	len = put_lead(o, t, w, s);
	if (own) {
		out_printf(o, "%s", eol);
		len = 0;
	}
	if (t->lead)
		out_printf(o, "%*s", (int)(w->lead - len), "");
	for (i = t->lead; i < t->n; i++)
		if (t->head[i].title)
			cell(o, t, w, i, s[i], i == last_column(t));
	out_printf(o, "%s", eol);
	return 1U + own;
}

int columns_end(struct columns *t, struct out *o, const char *eol, unsigned int width, size_t *lines, size_t *hidden)
{
	const char *s, *end, *row[COLUMNS_MAX];
	struct widths w;
	unsigned int i;

	*hidden = 0;
	if (t->err || !t->used) {
		free(t->text);
		return t->err;
	}
	s = t->text;
	end = s + t->used;
	w = measure(t);
	narrow(t, &w, width);
	for (i = 0; i < t->n; i++)
		row[i] = t->head[i].title ? t->head[i].title : "";
	if (*lines) {
		*lines -= *lines != SIZE_MAX;
		put_row(o, t, &w, row, eol, false);
	}
	while (s < end) {
		const char *note = s, *mark = NULL;
		size_t need;

		if (*note == MARK) {
			mark = note + 1;
			note = behind(note);
		}
		for (i = 0; i < t->n && note < end; i++, note = behind(note))
			row[i] = note;
		need = put_row(o, t, &w, row, eol, true);
		for (s = note; s < end && *s == NOTE; s = behind(s))
			need++;
		if (*hidden || *lines < need) {
			++*hidden;
			continue;
		}
		*lines -= *lines == SIZE_MAX ? 0 : need;
		out_mark(o, "%s", mark ? mark : "");
		put_row(o, t, &w, row, eol, false);
		for (; note < s; note = behind(note))
			out_printf(o, "%*s%s%s", INDENT, "", note + 1, eol);
	}
	free(t->text);
	return 0;
}
