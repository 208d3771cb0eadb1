// SPDX-License-Identifier: GPL-2.0-only
/* What is known, as JSON, and the file that shows it. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "page.h"
#include "source/clock.h"
#include "../show/connect.h"
#include "../show/figure.h"
#include "../show/listen.h"
#include "../show/svg.h"
#include "../show/timewait.h"

/* Rows of each kind, so that a page can be opened whatever happened. */
#define ROWS		200
#define FINDINGS	60

/* The files that make is told of, as they are.  Plots may be missing: then they are empty. */
#define EMBED(name, file) \
	__asm__(".pushsection .rodata\n.global " #name "\n.hidden " #name "\n" #name ":\n" \
		".incbin \"" file "\"\n.byte 0\n.popsection\n"); \
	extern const char name[]

EMBED(page_template, PAGE_HTML);
EMBED(page_plots, PAGE_PLOTS);
EMBED(page_licence, PAGE_LICENCE);

/* ---- data ------------------------------------------------------------------------------ */

/* Lines of JSON as the elements of an array, so many of each event; the others are counted. */
static void put_lines(struct json *j, const char *key, const struct out_text *lines, uint64_t *left_out)
{
	struct { const char *name; size_t len, n; } kind[8] = { { NULL, 0, 0 } };
	const char *p = lines->s, *end, *name;
	size_t i, len;

	json_open(j, key, '[');
	for (; p && *p; p = end + 1) {
		end = strchr(p, '\n');
		name = strstr(p, "\"event\":\"");
		if (!end || !name)
			break;
		name += strlen("\"event\":\"");
		len = strcspn(name, "\"");
		for (i = 0; i < 7 && kind[i].name && (kind[i].len != len || memcmp(kind[i].name, name, len)); i++)
			;
		kind[i].name = name;
		kind[i].len = len;
		if (++kind[i].n > ROWS) {
			++*left_out;
			continue;
		}
		json_key(j, NULL);
		while (p < end) {
			len = (size_t)(end - p) < OUT_SIZE / 2 ? (size_t)(end - p) : OUT_SIZE / 2;
			j->write(j->to, p, len);
			p += len;
		}
	}
	json_close(j, ']');
}

struct lines {
	struct out o;
	struct out_text text;
};

static int put_listeners(struct json *j, const struct page_known *k, struct lines *l, uint64_t *left_out)
{
	struct listen_reader reader = { .filter = k->filter };
	int err;

	if (!k->ls)
		return 0;
	out_to_text(&l->o, &l->text);
	err = listen_reading_make(&reader, k->ls, tcpfsm_source_epoch_offset(k->src));
	if (!err) {
		/* Of thousands most would be thrown away again. */
		if (reader.r.nrows > ROWS) {
			*left_out += reader.r.nrows - ROWS;
			reader.r.nrows = ROWS;
		}
		listen_json(&l->o, &reader.r);
		err = out_flush(&l->o);
	}
	if (!err)
		put_lines(j, "listeners", &l->text, left_out);
	listen_reading_free(&reader);
	free(reader.sorted);
	return err;
}

static int put_timewaits(struct json *j, const struct page_known *k, struct lines *l, uint64_t *left_out)
{
	struct timewait_reading r = { .top = ROWS, .ledger = k->ledger, .ts = k->now };
	int err;

	if (!k->ledger)
		return 0;
	out_to_text(&l->o, &l->text);
	err = timewait_json(&l->o, &r);
	if (!err)
		err = out_flush(&l->o);
	if (!err)
		put_lines(j, "timewait", &l->text, left_out);
	return err;
}

static int put_connects(struct json *j, const struct page_known *k, struct lines *l, uint64_t *left_out)
{
	struct connect_reading r = { .top = ROWS, .connects = k->connects, .ts = k->now };
	int err;

	if (!k->connects)
		return 0;
	out_to_text(&l->o, &l->text);
	err = connect_json(&l->o, &r);
	if (!err)
		err = out_flush(&l->o);
	if (!err)
		put_lines(j, "connects", &l->text, left_out);
	return err;
}

struct findings {
	struct json *j;
	const struct page_known *k;
	size_t n;
};

static int on_finding(const struct tcpfsm_finding *f, void *arg)
{
	static char line[TCPFSM_FINDING_JSON_MAX + OUT_NETNS_JSON_MAX];
	struct findings *to = arg;
	size_t len, part, at;

	if (to->n++ >= FINDINGS)
		return 0;
	if (to->k->finding)
		to->k->finding(f, to->n - 1, to->k->arg);
	json_key(to->j, NULL);
	len = out_json_named(line, tcpfsm_finding_json(f, line), f->netns, 0) - 1;
	for (at = 0; at < len; at += part) {
		part = len - at < OUT_SIZE / 2 ? len - at : OUT_SIZE / 2;
		to->j->write(to->j->to, line + at, part);
	}
	return 0;
}

static int put_findings(struct json *j, const struct page_known *k, uint64_t *left_out)
{
	struct findings to = { j, k, 0 };
	int err;

	if (!k->explain || !k->judged)
		return 0;
	json_open(j, "findings", '[');
	err = tcpfsm_explain_findings(k->explain, k->judged, on_finding, &to);
	json_close(j, ']');
	if (to.n > FINDINGS)
		*left_out += to.n - FINDINGS;
	return err;
}

static int put_diagram(struct json *j, const struct page_known *k, struct out *o)
{
	struct diagram *d = &k->watch->d;
	char title[FIGURE_TEXT_MAX], *text = NULL;
	struct svg *svg;
	size_t len;
	int err;

	/* Of what is watched now; else the filter's members. */
	if (k->model && !k->filter)
		tcpfsm_model_population(k->model, d->population);
	json_key(j, "diagram");
	diagram_json(o, d, k->recording ? d->last : k->now);
	svg = svg_open_text(&text, &len, FIGURE_SVG_WIDTH, FIGURE_SVG_HEIGHT);
	if (!svg)
		return -ENOMEM;
	snprintf(title, sizeof(title), "%" PRIu64 " transitions%s, %" PRIu64 " sockets", d->all.n,
		 k->filter ? " (filtered)" : "", diagram_sockets(d));
	figure_svg(svg, d, title);
	err = svg_close(svg);
	if (!err)
		json_string(j, "diagram_svg", text);
	free(text);
	return err;
}

static void say(struct json *j, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct json *j, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_string(j, NULL, text);
}

static void put_missing(struct json *j, const struct page_known *k, uint64_t left_out)
{
	uint64_t off = k->info ? tcpfsm_features_off(k->info) : 0, lost, forgotten = 0;
	const char *missing = k->missing ? k->missing : "";
	unsigned int i;

	json_open(j, "missing", '[');
	if (k->error && *k->error)
		say(j, "The recording is damaged: %s. What follows is what could be read.", k->error);
	if (*missing)
		say(j, "The recording: %s.", missing);
	tcpfsm_source_counts(k->src, NULL, &lost);
	if (lost)
		say(j, "%" PRIu64 " records were lost: overwritten before they were read.", lost);
	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++)
		if (off >> i & 1)
			say(j, "Not seen: %s (feature %s is off: %s).", tcpfsm_feature_text(i), tcpfsm_feature_name(i),
			    tcpfsm_feature_reason(k->info->error[i]));
	if (k->model)
		tcpfsm_model_counts(k->model, NULL, &forgotten);
	if (forgotten)
		say(j, "%" PRIu64 " connections were forgotten: more at a time than can be remembered.", forgotten);
	if (left_out)
		say(j, "%" PRIu64 " rows are left out here, those with least; the commands have all of them.", left_out);
	if (k->watch && k->watch->tracks_missed)
		say(j, "Some listeners and destinations have no lines in the plots: there were more than %d.",
		    WATCH_TRACKS);
	json_close(j, ']');
}

int page_data(struct out_text *text, const struct page_known *k)
{
	struct out *o = malloc(sizeof(*o));
	struct lines *l = calloc(1, sizeof(*l));
	char filter[TCPFSM_FILTER_TEXT + 512] = "";
	uint64_t left_out = 0, records;
	struct json j;
	int err = 0;

	if (!o || !l) {
		free(o);
		free(l);
		return -ENOMEM;
	}
	out_to_text(o, text);
	j = out_json(o);
	json_open(&j, NULL, '{');
	json_string(&j, "version", TCPFSM_VERSION);
	if (k->recording)
		json_string(&j, "recording", k->recording);
	else
		json_null(&j, "recording");
	if (k->filter)
		tcpfsm_filter_text(k->filter, filter, sizeof(filter));
	json_string(&j, "filter", filter);
	json_time(&j, "ts", k->now);
	tcpfsm_source_counts(k->src, &records, NULL);
	json_number(&j, "records", records - k->untold);
	if (k->watch) {
		json_time(&j, "first_ts", k->watch->first_ts);
		json_time(&j, "last_ts", k->watch->last_ts);
	}
	if (k->play.span) {
		json_open(&j, "play", '{');
		json_number(&j, "span_us", k->play.span);
		json_number(&j, "at_us", k->play.at);
		json_number(&j, "previous_us", k->play.previous);
		json_number(&j, "next_us", k->play.next);
		json_close(&j, '}');
	}
	err = put_findings(&j, k, &left_out);
	if (!err)
		err = put_listeners(&j, k, l, &left_out);
	if (!err)
		err = put_timewaits(&j, k, l, &left_out);
	if (!err)
		err = put_connects(&j, k, l, &left_out);
	if (!err && k->conns)
		conns_json(k->conns, &j);
	if (!err && k->watch) {
		watch_series_json(k->watch, &j, "series");
		err = watch_resets_json(k->watch, &j, "resets", ROWS);
	}
	if (!err && k->watch && k->model)
		err = put_diagram(&j, k, o);
	put_missing(&j, k, left_out);
	json_close(&j, '}');
	if (!err)
		err = out_flush(o);
	out_text_free(&l->text);
	free(l);
	free(o);
	return err;
}

/* ---- page ------------------------------------------------------------------------------- */

/* In a script element nothing may look like its end. */
static void put_quiet(struct out *o, const char *s)
{
	size_t n;

	for (; *s; s += n) {
		n = strcspn(s, "<");
		out_write(o, s, n);
		if (s[n]) {
			out_printf(o, "\\u003c");
			n++;
		}
	}
}

int page_html(struct out *o, const char *data, const char *ladders)
{
	char nonce[33] = "";
	uint8_t random[16];
	const char *p = page_template, *at;
	size_t i;

	/* Known to nobody when the names in the data were given. */
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -errno;
	for (i = 0; i < sizeof(random); i++)
		snprintf(nonce + 2 * i, 3, "%02x", random[i]);
	for (; (at = strstr(p, "@@")); p = at) {
		out_write(o, p, (size_t)(at - p));
		at += 2;
		if (!strncmp(at, "NONCE", 5))
			out_write(o, nonce, strlen(nonce));
		else if (!strncmp(at, "PLOTS", 5))
			out_write(o, page_plots, strlen(page_plots));
		else if (!strncmp(at, "LICENCE", 7))
			put_quiet(o, page_licence);
		else if (!strncmp(at, "DATA", 4))
			put_quiet(o, data ? data : "null");
		else if (!strncmp(at, "LADDERS", 7))
			put_quiet(o, ladders ? ladders : "[]");
		else if (!strncmp(at, "CONNECT", 7))
			out_printf(o, "%s", data ? "'none'" : "'self'");
		at = strstr(at, "@@") + 2;
	}
	out_write(o, p, strlen(p));
	return o->error;
}
