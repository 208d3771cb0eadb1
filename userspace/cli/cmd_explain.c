// SPDX-License-Identifier: GPL-2.0
/* tcpfsm explain: what is wrong with the listeners, in words, with proof and remedy. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

/* How long to observe, unless -d says otherwise. */
#define OBSERVE_S	3
#define WIDTH		80

struct explain {
	const struct options *opts;
	const struct tcpfsm_model_options *mopts;	/* with the clock of the source */
	struct tcpfsm_explain *x;
	struct tcpfsm_listeners *ls;
	struct tcpfsm_info info;
	bool colour;
	bool totals;			/* there were some */
	unsigned int n;			/* findings shown */
	uint64_t conn;			/* whose the last one was, and what was said of it */
	uint32_t netns;
	uint16_t rport;
	uint8_t raddr[16];
	size_t nsaid, room;
	char **said;
	int err;
};

/* ---- what the advice needs to know ------------------------------------------------ */

static uint32_t read_number(const char *path)
{
	char buf[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (fd >= 0)
		close(fd);
	return n > 0 ? (uint32_t)strtoul(buf, NULL, 10) : 0;
}

/* Bytes of an object of the kernel's, with what its allocator adds; 0: it does not tell. */
static uint32_t slab_bytes(const char *cache)
{
	char path[128], line[256], name[64];
	uint32_t bytes;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/slab_size", cache);
	bytes = read_number(path);
	if (bytes)
		return bytes;
	file = fopen("/proc/slabinfo", "re");
	while (file && fgets(line, sizeof(line), file)) {
		unsigned int size;

		if (sscanf(line, "%63s %*u %*u %u", name, &size) == 2 && !strcmp(name, cache))
			bytes = size;
	}
	if (file)
		fclose(file);
	return bytes;
}

void explain_look_around(struct tcpfsm_explain_options *o)
{
	struct stat st;

	if (!stat("/proc/self/ns/net", &st))
		o->own_netns = (uint32_t)st.st_ino;
	o->request_bytes = slab_bytes("request_sock_TCP");
	o->socket_bytes = slab_bytes("TCP");
	o->timewait_bytes = slab_bytes("tw_sock_TCP");
}

/* ---- text ------------------------------------------------------------------------ */

/* Words of text between the margins; the first line begins with lead. */
static void wrap(const char *lead, size_t margin, const char *text)
{
	size_t column = strlen(lead);
	bool begun = true;
	const char *p = text;

	out_printf("%s", lead);
	while (*p) {
		size_t len = strcspn(p, " ");

		/* One of several remedies, or its cost. */
		bool numbered = len == 3 && p[0] == '(' && p[2] == ')';

		if (!begun && (numbered || column + 1 + len > WIDTH)) {
			out_printf("\n%*s", (int)margin, "");
			column = margin;
		} else if (!begun) {
			out_printf(" ");
			column++;
		}
		begun = false;
		out_printf("%.*s", (int)len, p);
		column += len;
		p += len;
		p += strspn(p, " ");
	}
	out_printf("\n");
}

static const char *colour_of(unsigned int severity)
{
	static const char * const colours[] = {
		[TCPFSM_SEVERITY_CRITICAL] = "\033[31m", [TCPFSM_SEVERITY_WARNING] = "\033[33m",
		[TCPFSM_SEVERITY_OK] = "\033[32m", [TCPFSM_SEVERITY_INFO] = "",
	};

	return colours[severity];
}

static void forget_said(struct explain *e)
{
	while (e->nsaid)
		free(e->said[--e->nsaid]);
}

/* Of the same listener, destination or network namespace as the last one? */
static bool is_same(struct explain *e, const struct tcpfsm_finding *f)
{
	bool same = f->conn == e->conn && f->netns == e->netns && f->rport == e->rport &&
		    !memcmp(f->raddr, e->raddr, sizeof(e->raddr));

	e->conn = f->conn;
	e->netns = f->netns;
	e->rport = f->rport;
	memcpy(e->raddr, f->raddr, sizeof(e->raddr));
	return same;
}

/* What one finding has said of it, the next need not say again. */
static bool is_new(struct explain *e, const char *text)
{
	char **said;
	size_t i;

	for (i = 0; i < e->nsaid; i++)
		if (!strcmp(e->said[i], text))
			return false;
	if (e->nsaid == e->room) {
		said = realloc(e->said, (e->room + 64) * sizeof(*said));
		if (!said)		/* said twice, then */
			return true;
		e->said = said;
		e->room += 64;
	}
	e->said[e->nsaid] = strdup(text);
	e->nsaid += !!e->said[e->nsaid];
	return true;
}

static void show_text(struct explain *e, const struct tcpfsm_finding *f)
{
	const char *colour = e->colour ? colour_of(f->severity) : "";
	bool repeats = false;
	size_t i;

	if (e->n)
		out_printf("\n");
	if (!is_same(e, f))
		forget_said(e);
	out_printf("%s%s%s %s\n", colour, tcpfsm_severity_name(f->severity),
		   *colour ? "\033[0m" : "", f->verdict);
	wrap("  ", 2, f->text);
	for (i = 0; i < f->nevidence; i++) {
		if (is_new(e, f->evidence[i]))
			wrap("    - ", 6, f->evidence[i]);
		else
			repeats = true;
	}
	if (repeats)
		wrap("    - ", 6, "and as told above");
	if (*f->remedy)
		wrap("  What to do: ", 4, f->remedy);
	if (*f->cost)
		wrap("  What it costs: ", 4, is_new(e, f->cost) ? f->cost : "as told above.");
}

static int on_finding(const struct tcpfsm_finding *f, void *arg)
{
	struct explain *e = arg;

	if (e->opts->json)
		out_add(tcpfsm_finding_json(f, out_room(TCPFSM_FINDING_JSON_MAX)));
	else
		show_text(e, f);
	e->n++;
	return out_error() ? 1 : 0;
}

int explain_text(struct tcpfsm_explain *x, struct tcpfsm_listeners *ls, bool colour)
{
	static const struct options none;
	struct explain e = { .opts = &none, .colour = colour };
	int err = tcpfsm_explain_findings(x, ls, on_finding, &e);

	forget_said(&e);
	free(e.said);
	return err < 0 ? err : 0;
}

/* ---- view ------------------------------------------------------------------------ */

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	struct explain *e = arg;

	e->err = tcpfsm_explain_event(e->x, ev);
	return e->err;
}

static int on_item(void *arg, const struct tcpfsm_item *item)
{
	struct explain *e = arg;

	e->totals |= item->rec.type == TCPFSM_TYPE_TOTAL;
	e->err = tcpfsm_explain_item(e->x, item);
	return e->err ? e->err : tcpfsm_listeners_feed(e->ls, item);
}

static int begin(void *arg, struct tcpfsm_model *m)
{
	struct explain *e = arg;
	struct tcpfsm_explain_options o = {
		.size = sizeof(o), .filter = &e->opts->filter,
		.epoch_offset = e->mopts->epoch_offset,
	};
	int err;

	(void)m;
	if (!e->opts->replay) {
		explain_look_around(&o);
		o.since = realtime_ns();
		o.info = &e->info;
	}
	err = tcpfsm_explain_new(&e->x, &o);
	return err ? fail(err, "explain") : 0;
}

static int end(void *arg)
{
	struct explain *e = arg;
	int err;

	if (e->err)
		return fail(e->err, "explain");
	/* Live, the reason is told after this. */
	if (!e->totals && !e->opts->replay)
		return 0;
	if (!e->totals) {
		complain("%s: no totals of listeners in it; record it again, with a module and a "
			 "tcpfsm that have them", e->opts->replay);
		return EXIT_ERROR;
	}
	err = tcpfsm_explain_findings(e->x, e->ls, on_finding, e);
	return err < 0 ? fail(err, "explain") : 0;
}

static int run(const struct options *given)
{
	struct tcpfsm_model_options mopts = { .size = sizeof(mopts) };
	struct options opts = *given;
	struct explain e = { .opts = &opts };
	struct view view = {
		.begin = begin, .event = on_event, .item = on_item, .end = end, .info = &e.info,
	};
	struct text text;
	int status, err;

	if (!(opts.given & OPT_DURATION) && !opts.replay)
		opts.duration = OBSERVE_S * NSEC_PER_SEC;
	text_init(&text, &opts);
	e.colour = text.colour;
	err = tcpfsm_listeners_new(&e.ls);
	if (err)
		return fail(err, "listeners");
	e.mopts = &mopts;
	status = stream(&opts, &mopts, &view, &e);
	tcpfsm_explain_free(e.x);
	tcpfsm_listeners_free(e.ls);
	forget_said(&e);
	free(e.said);
	return status;
}

const struct command cmd_explain = {
	.name = "explain",
	.args = "",
	.text = "why clients are refused, with proof, and what helps against it",
	.options = OPT_FILTER | OPT_DURATION | OPT_READ | OPT_JSON | OPT_FOLLOW_NEW,
	.run = run,
};
