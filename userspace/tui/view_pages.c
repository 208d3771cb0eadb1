// SPDX-License-Identifier: GPL-2.0-only
/* Views of tcpfsm top that are the texts of other commands, made anew again and again. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../show/connect.h"
#include "../show/explain.h"
#include "../show/ladder.h"
#include "../show/out.h"
#include "../show/put.h"
#include "../show/screen.h"
#include "../show/timewait.h"
#include "ui.h"

#define RATE_MIN_NS	(NSEC_PER_SEC / 2)
/* From so many on those that nobody calls are left out, unless asked for. */
#define LISTENERS_MANY	50

/* ---- headlines: titles that one can sort by ---------------------------------------- */

struct title {
	const char *word;
	unsigned int sort;
};

/* A line that has one of these words is a headline. */
struct headlines {
	const char *sign[2];
	const struct title *titles;
	size_t n;
};

/* Of several words each counts. */
static const struct title listen_titles[] = {
	{ "LISTENER", LISTEN_BY_ADDRESS }, { "SYNQ", LISTEN_BY_SYNQ }, { "ACCQ", LISTEN_BY_ACCEPTQ },
	{ "now/peak/max", LISTEN_BY_ACCEPTQ }, { "LIMITS", LISTEN_BY_WORST }, { "THAT", LISTEN_BY_WORST },
	{ "BITE", LISTEN_BY_WORST }, { "SYN", LISTEN_BY_SYN }, { "SYN/s", LISTEN_BY_SYN },
	{ "REFUSED", LISTEN_BY_REFUSED }, { "REF/s", LISTEN_BY_REFUSED },
}, timewait_titles[] = {
	{ "TW", TCPFSM_TIMEWAIT_BY_POPULATION }, { "IN/s", TCPFSM_TIMEWAIT_BY_IN },
	{ "OUT/s", TCPFSM_TIMEWAIT_BY_OUT }, { "PORTS", TCPFSM_TIMEWAIT_BY_PORTS },
	{ "FAILED", TCPFSM_TIMEWAIT_BY_FAILED },
}, connect_titles[] = {
	{ "TRIES", TCPFSM_CONNECT_SORT_ATTEMPTS }, { "FAIL", TCPFSM_CONNECT_SORT_FAILED },
	{ "NOW", TCPFSM_CONNECT_SORT_PROGRESS }, { "P99", TCPFSM_CONNECT_SORT_SLOW },
	{ "RTX", TCPFSM_CONNECT_SORT_RESENT }, { "RST", TCPFSM_CONNECT_SORT_RESETS },
	{ "LIVE", TCPFSM_CONNECT_SORT_LIVE }, { "PORTS", TCPFSM_CONNECT_SORT_PORTS },
};

#define HEADLINES(titles, ...)	{ { __VA_ARGS__ }, titles, sizeof(titles) / sizeof(*(titles)) }
static const struct headlines headlines[VIEWS_ALL] = {
	[VIEW_LISTENERS] = HEADLINES(listen_titles, "LISTENER", "LIMITS"),
	[VIEW_TIMEWAIT] = HEADLINES(timewait_titles, "DESTINATION", "OWNER"),
	[VIEW_CONNECT] = HEADLINES(connect_titles, "TRIES", "LIVE"),
};

static unsigned int *sort_of(struct ui *u)
{
	enum view_id id = ui_current(u);

	return id == VIEW_LISTENERS ? &u->listen_sort : id == VIEW_TIMEWAIT ? &u->tw_sort : &u->connect_sort;
}

/* The word that is drawn there, between blanks; NULL: none.  *x and *end are moved to where it is. */
static const char *word_at(const struct grid *g, int *x, int *end, int y, char word[64])
{
	int n = 0;

	if (*x < 0 || y < 0 || *x >= g->cols || y >= g->rows || grid_cell(g, *x, y)->ch == ' ')
		return NULL;
	while (*x && grid_cell(g, *x - 1, y)->ch != ' ')
		--*x;
	for (*end = *x; *end < g->cols && grid_cell(g, *end, y)->ch != ' '; ++*end)
		if (n < 63)
			word[n++] = (char)grid_cell(g, *end, y)->ch;
	word[n] = '\0';
	return word;
}

static bool is_headline(const struct grid *g, int y, const struct headlines *h)
{
	char word[64];
	int x, end;

	for (x = 0; h->n && x < g->cols; x++) {
		if (!word_at(g, &x, &end, y, word))
			continue;
		if (!strcmp(word, h->sign[0]) || !strcmp(word, h->sign[1]))
			return true;
		x = end;
	}
	return false;
}

static const struct title *title_of(const struct headlines *h, const char *word)
{
	size_t i;

	for (i = 0; i < h->n; i++)
		if (!strcmp(word, h->titles[i].word))
			return &h->titles[i];
	return NULL;
}

/* What the rows are sorted by stands out. */
static void mark_titles(struct ui *u, struct grid *g, int y)
{
	const struct headlines *h = &headlines[ui_current(u)];
	const struct title *t;
	char word[64];
	int x, end;

	if (!is_headline(g, y, h))
		return;
	for (x = 0; x < g->cols; x++) {
		if (!word_at(g, &x, &end, y, word))
			continue;
		t = title_of(h, word);
		for (; x < end; x++)
			if (t && t->sort == *sort_of(u))
				grid_cell(g, x, y)->attr = ATTR_TITLE;
	}
}

static bool click(struct ui *u, int x, int y)
{
	const struct headlines *h = &headlines[ui_current(u)];
	const struct title *t;
	char word[64];
	int end;

	if (!is_headline(&u->grid, y, h))
		return false;
	t = word_at(&u->grid, &x, &end, y, word) ? title_of(h, word) : NULL;
	if (!t)
		return false;
	*sort_of(u) = t->sort;
	u->refreshed[ui_current(u)] = 0;
	return true;
}

/* ---- what they have in common ---------------------------------------------------- */

static uint64_t rows(struct ui *u, uint64_t *first)
{
	const struct page *p = &u->page[ui_current(u)];

	*first = p->fixed < p->nlines ? p->fixed : p->nlines;
	return p->nlines;
}

static int fixed(struct ui *u)
{
	return (int)u->page[ui_current(u)].fixed;
}

static size_t text(struct ui *u, uint64_t row, char *buf, size_t size)
{
	return page_text(&u->page[ui_current(u)], row, buf, size);
}

static void draw(struct ui *u, struct grid *g, struct area a)
{
	enum view_id id = ui_current(u);
	const struct page *p = &u->page[id];
	uint64_t row = ui_list_top(u, a.rows - (int)p->fixed);
	int y, x;

	for (y = 0; y < a.rows && (size_t)y < p->fixed; y++) {
		page_draw(p, g, a.y + y, u->place[id].left, (size_t)y);
		for (x = 0; x < g->cols; x++)
			grid_cell(g, x, a.y + y)->attr = ATTR_BOLD;
		mark_titles(u, g, a.y + y);
	}
	for (; y < a.rows; y++, row++) {
		page_draw(p, g, a.y + y, u->place[id].left, row);
		mark_titles(u, g, a.y + y);
		for (x = 0; row == u->place[id].cursor && row < p->nlines && x < g->cols; x++)
			grid_cell(g, x, a.y + y)->attr = ATTR_TITLE;
	}
	if (row < p->nlines)
		grid_text(g, g->cols - 6, a.y + a.rows - 1, ATTR_TITLE, " more ");
}

/* The connections of what the line is about. */
static void enter(struct ui *u, uint64_t line)
{
	const char *filter = page_mark(&u->page[ui_current(u)], line);

	if (*filter)
		ui_show_some(u, VIEW_CONNS, filter);
	else
		ui_say(u, "nothing to ask for in this line");
}

static struct out *begin_page(struct ui *u, enum view_id id)
{
	page_begin(&u->page[id], &u->out);
	return &u->out;
}

static void end_page(struct ui *u, enum view_id id, int err)
{
	int rc = page_end(&u->page[id], &u->out);

	if (err || rc)
		ui_say(u, "%s", strerror(err ? -err : -rc));
}

/* ---- listeners ------------------------------------------------------------------- */

static void refresh_listeners(struct ui *u)
{
	const struct recent *r = &u->recent;
	struct listen_reader reader = {
		.filter = &u->filter, .since_first = true, .sort = u->listen_sort, .zeroed = u->zeroed,
		.busy = u->idle == IDLE_HIDDEN, .enough = u->idle == IDLE_IF_FEW ? LISTENERS_MANY : 0,
	};
	struct out *o;
	int err = 0;

	o = begin_page(u, VIEW_LISTENERS);
	if (u->zeroed)
		r = &u->zero;
	if (!r->last_ts && u->zeroed) {
		out_printf(o, "counts begin with the next reading of the totals\n");
	} else if (!r->last_ts) {
		out_printf(o, "no totals of listeners %s\n", u->replay ?
			   "in the recording, up to now" : "yet");
	} else {
		/* Readings that lie closer together tell of no rates. */
		if (u->zeroed || (!u->since_load && r->last_ts >= r->first_ts[0] + RATE_MIN_NS))
			reader.last_ts = r->first_ts[0];
		err = listen_reading_make(&reader, r->ls[0], u->epoch_offset);
		reader.r.width = (unsigned int)u->grid.cols;
		reader.r.folds = &u->folds;
		u->hides_idle = reader.r.idle;
		if (!err)
			listen_text(o, &reader.r, false);
		listen_reading_free(&reader);
		free(reader.sorted);
	}
	end_page(u, VIEW_LISTENERS, err);
	u->page[VIEW_LISTENERS].fixed = u->page[VIEW_LISTENERS].nlines > 3 ? 3 : 0;
}

/* Is it a key that goes to another order, of so many? */
static bool sort_key(unsigned int *sort, int key, unsigned int n)
{
	switch (key) {
	case 's':
	case '>':
	case TERM_F + 6:
		*sort = (*sort + 1) % n;
		return true;
	case '<':
		*sort = (*sort + n - 1) % n;
		return true;
	}
	return false;
}

/* Counts from the next whole reading on. */
static void zero_listeners(struct ui *u)
{
	recent_free(&u->zero);
	u->zeroed = !recent_new(&u->zero, !u->replay, false);
	u->zero_after = u->recent.last_ts;
	if (!u->zeroed)
		ui_say(u, "%s", strerror(ENOMEM));
}

/* The network namespace of this line, or all of them: a line each, or all there is. */
static bool fold_key(struct ui *u, int key)
{
	enum view_id id = ui_current(u);
	unsigned int netns;

	if (key == 'C') {
		u->folds = (struct folds) { .all = !u->folds.all };
	} else if (key != 'c') {
		return false;
	} else if (sscanf(page_mark(&u->page[id], u->place[id].cursor), "netns %u", &netns) != 1) {
		ui_say(u, "this line is of no network namespace");
	} else if (!folds_toggle(&u->folds, netns)) {
		ui_say(u, "no more can be folded one by one: C folds all");
	}
	u->refreshed[VIEW_LISTENERS] = u->refreshed[VIEW_TIMEWAIT] = 0;
	return true;
}

static bool key_listeners(struct ui *u, int key)
{
	static const char *const names[] = {
#define NAME(s, name)	name,
		LISTEN_SORTS(NAME)
#undef NAME
	};

	if (fold_key(u, key))
		return true;
	if (key == 't' && u->zeroed)
		u->zeroed = false;
	else if (key == 't')
		u->since_load = !u->since_load;
	else if (key == 'z')
		zero_listeners(u);
	else if (key == 'i')
		u->idle = u->hides_idle ? IDLE_SHOWN : IDLE_HIDDEN;
	else if (sort_key(&u->listen_sort, key, LISTEN_NSORTS))
		ui_say(u, "sorted by %s", names[u->listen_sort]);
	else
		return false;
	u->refreshed[VIEW_LISTENERS] = 0;
	return true;
}

void listener_name(struct ui *u, const struct top_listener *l, char *buf, size_t size)
{
	struct tcpfsm_record r = { .family = l->family };
	const struct tcpfsm_listener *told = tcpfsm_listeners_find(u->recent.ls[0], l->conn);
	const uint8_t *laddr = l->laddr;
	uint16_t lport = l->lport;
	char address[80], comm[20] = "", name[17] = "";
	struct tcpfsm_conn c = { .pid = 0 };

	/* Of a SYN it is what was called, which TPROXY may lead elsewhere; where it listens, the model knows. */
	if (tcpfsm_model_find(u->model, l->conn, &c)) {
		if (c.life->begin) {
			r.family = c.life->family;
			laddr = c.life->laddr;
			lport = c.life->lport;
		}
		memcpy(name, c.comm, 16);
		*put_comm(comm, name) = '\0';
	}
	/* Whose it is now, the totals. */
	if (told && told->has_owner) {
		c.pid = told->pid;
		*put_comm(comm, told->comm) = '\0';
	}
	*put_address(address, &r, laddr, lport) = '\0';
	if (*comm)
		snprintf(buf, size, "%s %s/%u", address, comm, c.pid);
	else
		snprintf(buf, size, "%s", address);
}

const struct view_ops view_listeners = {
	.name = "Listeners",
	.keys = "s sort|t all|z zero|i idle|Enter open",
	.refresh_ms = 1000,
	.refresh = refresh_listeners,
	.totals = true,
	.cursor = true,
	.enter = enter,
	.draw = draw,
	.rows = rows,
	.fixed = fixed,
	.text = text,
	.key = key_listeners,
	.click = click,
};

/* ---- TIME_WAIT ------------------------------------------------------------------- */

void mark_ledger(struct ui *u, uint64_t every)
{
	if (u->now < u->tw_marked + every)
		return;
	tcpfsm_timewaits_mark(u->ledger, u->now);
	if (u->all != u->ledger)
		tcpfsm_timewaits_mark(u->all, u->now);
	u->tw_marked = u->now;
}

static void refresh_timewait(struct ui *u)
{
	struct timewait_reading r = {
		.ledger = u->ledger, .ts = u->now, .filter = *u->filter_text ? &u->filter : NULL,
		.width = (unsigned int)u->grid.cols, .folds = &u->folds, .zero = &u->tw_zero,
	};
	struct out *o;
	int err;

	o = begin_page(u, VIEW_TIMEWAIT);
	tcpfsm_timewaits_sort(u->ledger, u->tw_sort);
	err = timewait_text(o, &r);
	end_page(u, VIEW_TIMEWAIT, err);
	mark_ledger(u, NSEC_PER_SEC);
}

static bool key_timewait(struct ui *u, int key)
{
	static const char *const names[] = {
#define NAME(s, name)	name,
		TCPFSM_TIMEWAIT_SORTS(NAME)
#undef NAME
	};
	const unsigned int n = sizeof(names) / sizeof(names[0]);

	if (fold_key(u, key))
		return true;
	if (key == 't')
		timewait_zero_free(&u->tw_zero);
	else if (key == 'z' && timewait_zero(&u->tw_zero, u->ledger, u->now))
		ui_say(u, "%s", strerror(ENOMEM));
	else if (sort_key(&u->tw_sort, key, n))
		ui_say(u, "sorted by %s", names[u->tw_sort]);
	else if (key != 'z')
		return false;
	u->refreshed[VIEW_TIMEWAIT] = 0;
	return true;
}

const struct view_ops view_timewait = {
	.name = "TIME_WAIT",
	.keys = "s sort|z zero|c fold|Enter open",
	.key = key_timewait,
	.click = click,
	.cursor = true,
	.enter = enter,
	.refresh_ms = 2000,
	.refresh = refresh_timewait,
	.draw = draw,
	.rows = rows,
	.fixed = fixed,
	.text = text,
};

/* ---- connects -------------------------------------------------------------------- */

#define CONNECT_ROWS	1000

static void refresh_connect(struct ui *u)
{
	struct connect_reading r = {
		.connects = u->connects, .filter = *u->filter_text ? &u->filter : NULL,
		.by = (enum tcpfsm_connect_by)u->connect_by, .sort = (enum tcpfsm_connect_sort)u->connect_sort,
		.ts = u->now, .top = CONNECT_ROWS, .width = (unsigned int)u->grid.cols,
		.since = u->connect_since,
	};
	uint64_t lost, untold;
	struct out *o = begin_page(u, VIEW_CONNECT);
	int err = connect_text(o, &r);

	end_page(u, VIEW_CONNECT, err);
	tcpfsm_connects_uncertain(u->connects, &lost, &untold);
	u->page[VIEW_CONNECT].fixed = lost || untold ? 3 : 2;
}

static bool key_connect(struct ui *u, int key)
{
	static const char *const orders[] = {
#define NAME(s, name)	name,
		TCPFSM_CONNECT_SORTS(NAME)
	}, *const bys[] = {
		TCPFSM_CONNECT_BYS(NAME)
#undef NAME
	};

	if (key == 'b') {
		u->connect_by = (u->connect_by + 1) % (sizeof(bys) / sizeof(*bys));
		ui_say(u, "by %s", bys[u->connect_by]);
	} else if (key == 'z') {
		tcpfsm_connects_mark(u->connects, u->now);
		u->connect_since = u->now;
	} else if (key == 't') {
		u->connect_since = 0;
	} else if (sort_key(&u->connect_sort, key, sizeof(orders) / sizeof(*orders))) {
		ui_say(u, "sorted by %s", orders[u->connect_sort]);
	} else {
		return false;
	}
	u->refreshed[VIEW_CONNECT] = 0;
	return true;
}

const struct view_ops view_connect = {
	.name = "Out",
	.keys = "s sort|b by|z zero|t all|Enter open",
	.click = click,
	.refresh_ms = 1000,
	.refresh = refresh_connect,
	.cursor = true,
	.draw = draw,
	.rows = rows,
	.fixed = fixed,
	.text = text,
	.key = key_connect,
	.enter = enter,
};

/* ---- what is wrong --------------------------------------------------------------- */

static int on_finding(const struct tcpfsm_finding *f, void *arg)
{
	const struct tcpfsm_action *a = f->nactions ? f->actions : NULL;
	struct ui *u = arg;

	u->severity = f->severity;
	u->has_finding = true;
	snprintf(u->finding, sizeof(u->finding), "%s %s: %s", tcpfsm_severity_name(f->severity),
		 f->verdict, f->summary);
	*u->action = '\0';
	if (a)
		explain_text_action(a, stpcpy(u->action, "Do: "), sizeof(u->action) - 4);
	/* The worst comes first. */
	return 1;
}

static int on_owner(const struct tcpfsm_timewait *g, void *arg)
{
	struct ui *u = arg;
	uint64_t all = u->top.in_time_wait;
	char *p;

	if (g->rest || !g->time_wait || !all)
		return 1;
	if (g->has_owner) {
		p = put_comm(u->tw_owner, g->comm);
		*p++ = '/';
		*put_u64(p, g->pid) = '\0';
	} else {
		strcpy(u->tw_owner, "no known process");
	}
	all = g->time_wait > all ? g->time_wait : all;
	u->tw_share = (unsigned int)(100 * g->time_wait / all);
	return 1;
}

static int on_reading(const struct tcpfsm_listener *l, void *arg)
{
	struct ui *u = arg;

	top_reading(&u->top, l);
	return 0;
}

void judge(struct ui *u)
{
	struct recent *r = &u->recent;
	uint64_t now = monotonic_ns();

	/* It looks back half a minute and more: a second changes little. */
	if (u->has_finding && now - u->judged_at < 2 * NSEC_PER_SEC && !u->replay)
		return;
	u->judged_at = now;
	u->has_finding = false;
	if (r->last_ts) {
		tcpfsm_explain_findings(u->explain, r->ls[0], on_finding, u);
		tcpfsm_listeners_each(r->ls[0], on_reading, u);
	}
	*u->tw_owner = '\0';
	tcpfsm_timewaits_sort(u->ledger, TCPFSM_TIMEWAIT_BY_POPULATION);
	tcpfsm_timewaits_each(u->ledger, TCPFSM_TIMEWAIT_OWNER, u->now, 1, on_owner, u);
	mark_ledger(u, 10 * NSEC_PER_SEC);
}

static void refresh_explain(struct ui *u)
{
	struct out *o;
	int err = 0;

	o = begin_page(u, VIEW_EXPLAIN);
	if (u->recent.last_ts)
		err = explain_text(u->explain, u->recent.ls[0], o);
	else
		out_printf(o, "no totals of listeners yet\n");
	end_page(u, VIEW_EXPLAIN, err);
}

const struct view_ops view_explain = {
	.name = "What is wrong",
	.keys = "/ search",
	.refresh_ms = 1000,
	.refresh = refresh_explain,
	.totals = true,
	.draw = draw,
	.rows = rows,
	.fixed = fixed,
	.text = text,
};

/* ---- the ladder of one ----------------------------------------------------------- */

struct ladder_page {
	struct out *o;
	struct ladder_view view;
};

static int on_ladder(const struct tcpfsm_ladder *l, void *arg)
{
	struct ladder_page *p = arg;

	ladder_text(p->o, &p->view, l);
	return 0;
}

static void refresh_ladder(struct ui *u)
{
	struct ladder_page p = {
		.o = begin_page(u, VIEW_LADDER),
		.view = { .wide = u->grid.cols >= 130, .glyphs = LADDER_CELLS },
	};
	int err;

	err = top_ladder(&u->top, u->ladder_conn, on_ladder, &p);
	if (!p.view.printed)
		out_printf(p.o, "%s\n\nNothing has happened to it within the last %u records, "
			   "which are what is kept.\n", u->ladder_name, TOP_LOG);
	end_page(u, VIEW_LADDER, err);
}

const struct view_ops view_ladder = {
	.name = "Ladder",
	.keys = "/ search",
	.refresh_ms = 1000,
	.refresh = refresh_ladder,
	.draw = draw,
	.rows = rows,
	.fixed = fixed,
	.text = text,
};

/* ---- help ------------------------------------------------------------------------ */

/* Lines that do not begin with a blank are headings. */
static const char help[] =
	"Views\n"
	"  1 .. 7       Overview, Listeners, TIME_WAIT, Connections, Diagram, Log, Out\n"
	"  Tab          the next one; Shift-Tab the one before; or click on its name\n"
	"Moving\n"
	"  arrows hjkl  up, down, sideways (a line that goes on ends with an arrow); the\n"
	"               wheel of the mouse\n"
	"  PgUp PgDn    a screen; g or Home, G or End: the first and the last row\n"
	"  Enter        Overview: what is wrong, and what helps against it\n"
	"               Connections, Log: the connection as a ladder; Out: those of the\n"
	"               row, and Backspace leads back; Diagram: of a box who is in that\n"
	"               state, of an arrow who went that way (arrow keys choose)\n"
	"  q Esc        back, from a page like this\n"
	"Finding\n"
	"  / F3         search; n the next, N the one before\n"
	"  f F4         filter, as in ss: dst 10.0.0.0/8 and (dport = :443 or not comm x)\n"
	"               src dst host sport dport port comm pid netns cgroup container\n"
	"               state cause ipv4 ipv6; nothing: all again; tcpfsm(8) has more\n"
	"  s F6 < >     sort by the next column, or click on its title; Connections:\n"
	"               S the other way round.  Listeners: the worst, by address, SYNs,\n"
	"               refused, queues.  TIME_WAIT, Out: as --sort of timewait, connect\n"
	"  b            Out: sums by host, network, port, process, container\n"
	"Time\n"
	"  space        pause: the screen stands still, nothing is lost meanwhile\n"
	"  + -          recording: faster, slower; the fastest is as fast as can be\n"
	"  .            recording: the next event, then pause\n"
	"  left right   recording: ten seconds back, on (sideways is then h and l)\n"
	"Also\n"
	"  t            Listeners: counts since the module was loaded, or rates of late\n"
	"  z            count from now on, but for Connections and Log; t: as before\n"
	"  i            Listeners: hide those that nobody calls, or show them\n"
	"  c C          Listeners, TIME_WAIT: fold a network namespace, all of them\n"
	"  w            write the view to a file\n"
	"  ? F1         this page;  Ctrl-L  draw again;  q F10 Ctrl-C  quit\n"
	"\n"
	"What the numbers are\n"
	"  Each end of a connection that is on this machine counts. opens: came to\n"
	"  ESTABLISHED; closes: left it; resets: RSTs sent and received; refused: SYNs\n"
	"  and third ACKs that a listener dropped or reset; connect fails: no free port,\n"
	"  no route and the like. 'Lately' is half a minute to a minute.\n"
	"  A red word at the bottom says what is missing: records lost, features off.\n";

static void refresh_help(struct ui *u)
{
	struct out *o = begin_page(u, VIEW_HELP);
	const char *s = help;

	while (*s) {
		size_t len = strcspn(s, "\n");

		out_inked(o, *s == ' ' ? ATTR_PLAIN : ATTR_BOLD, "%.*s", (int)len, s);
		out_printf(o, "\n");
		s += len + 1;
	}
	end_page(u, VIEW_HELP, 0);
}

const struct view_ops view_help = {
	.name = "Help",
	.keys = "/ search",
	.refresh_ms = 3600000,
	.refresh = refresh_help,
	.draw = draw,
	.rows = rows,
	.fixed = fixed,
	.text = text,
};
