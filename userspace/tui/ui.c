// SPDX-License-Identifier: GPL-2.0-only
/* Menu, status, keys, and moving about: what all views of tcpfsm top have around them. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "term.h"
#include "ui.h"

#define COLS_MIN	60
#define ROWS_MIN	12

/* The menu above; status and keys below. */
#define LINES_ABOVE	1
#define LINES_BELOW	2

#define PLAY_KEYS	"+- speed|. step|" S_HEAD_WEST S_HEAD_EAST " 10 s"
#define PLAY_KEYS_COLS	28

#define SEEK_NS		(10 * NSEC_PER_SEC)
#define MESSAGE_NS	(4 * NSEC_PER_SEC)

static const struct view_ops * const views[VIEWS_ALL] = {
	[VIEW_OVERVIEW] = &view_overview, [VIEW_LISTENERS] = &view_listeners,
	[VIEW_TIMEWAIT] = &view_timewait, [VIEW_CONNS] = &view_conns,
	[VIEW_DIAGRAM] = &view_diagram, [VIEW_LOG] = &view_log, [VIEW_CONNECT] = &view_connect,
	[VIEW_LADDER] = &view_ladder, [VIEW_EXPLAIN] = &view_explain, [VIEW_HELP] = &view_help,
};

const double play_speed[] = { 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1000, 0 };
const unsigned int play_speeds = sizeof(play_speed) / sizeof(play_speed[0]), play_normal = 3;

enum view_id ui_current(const struct ui *u)
{
	return u->over < VIEWS_ALL && u->over >= NVIEWS ? u->over : u->view;
}

static bool is_over(const struct ui *u)
{
	return ui_current(u) >= NVIEWS;
}

void ui_say(struct ui *u, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(u->message, sizeof(u->message), fmt, ap);
	va_end(ap);
	u->message_until = monotonic_ns() + MESSAGE_NS;
	u->dirty = true;
}

/* ---- moving in lists ------------------------------------------------------------- */

struct area ui_body(const struct ui *u)
{
	return (struct area) {
		.y = LINES_ABOVE, .rows = u->grid.rows - LINES_ABOVE - LINES_BELOW,
	};
}

static int list_rows(struct ui *u)
{
	const struct view_ops *v = views[ui_current(u)];
	int rows = ui_body(u).rows - (v->fixed ? v->fixed(u) : 0);

	return rows > 1 ? rows : 1;
}

static uint64_t clamp(uint64_t n, uint64_t low, uint64_t high)
{
	return n < low ? low : n > high ? high : n;
}

/* The rows may have changed since. */
static void settle(struct ui *u, uint64_t *first, uint64_t *end)
{
	const struct view_ops *v = views[ui_current(u)];
	struct place *p = &u->place[ui_current(u)];
	uint64_t rows = (uint64_t)list_rows(u), last_top;

	*end = v->rows(u, first);
	if (*end < *first)
		*end = *first;
	last_top = *end - *first > rows ? *end - rows : *first;
	if (p->follow) {
		p->top = last_top;
		p->cursor = *end > *first ? *end - 1 : *first;
		return;
	}
	p->cursor = clamp(p->cursor, *first, *end > *first ? *end - 1 : *first);
	p->top = clamp(p->top, *first, last_top);
	if (!v->cursor)
		return;
	if (p->cursor < p->top)
		p->top = p->cursor;
	else if (p->cursor >= p->top + rows)
		p->top = p->cursor - rows + 1;
}

uint64_t ui_list_top(struct ui *u, int rows)
{
	uint64_t first, end;

	(void)rows;
	settle(u, &first, &end);
	return u->place[ui_current(u)].top;
}

static void move_by(struct ui *u, int64_t by)
{
	const struct view_ops *v = views[ui_current(u)];
	struct place *p = &u->place[ui_current(u)];
	uint64_t first, end, *at = v->cursor ? &p->cursor : &p->top;

	settle(u, &first, &end);
	p->follow = false;
	if (by < 0 && *at - first < (uint64_t)-by)
		*at = first;
	else
		*at += (uint64_t)by;
	/* Who moves to the end wants to see what comes. */
	if (v->newest_last && by > 0 && *at + 1 >= end)
		p->follow = true;
	settle(u, &first, &end);
}

static void move_to_end(struct ui *u)
{
	const struct view_ops *v = views[ui_current(u)];
	uint64_t first, end = v->rows(u, &first);
	struct place *p = &u->place[ui_current(u)];

	p->cursor = p->top = end;
	p->follow = v->newest_last;
	settle(u, &first, &end);
}

static bool move_key(struct ui *u, int key)
{
	const struct view_ops *v = views[ui_current(u)];
	struct place *p = &u->place[ui_current(u)];
	int page = list_rows(u) - 1;

	if (!v->rows)
		return false;
	switch (key) {
	case TERM_UP:
	case 'k':
		move_by(u, -1);
		return true;
	case TERM_DOWN:
	case 'j':
		move_by(u, 1);
		return true;
	case TERM_WHEEL_UP:
		move_by(u, -3);
		return true;
	case TERM_WHEEL_DOWN:
		move_by(u, 3);
		return true;
	case TERM_PAGE_UP:
	case 'B' - '@':
		move_by(u, -page);
		return true;
	case TERM_PAGE_DOWN:
	case 'F' - '@':
		move_by(u, page);
		return true;
	case TERM_HOME:
	case 'g':
		move_by(u, INT64_MIN + 1);
		return true;
	case TERM_END:
	case 'G':
		move_to_end(u);
		return true;
	case TERM_LEFT:
	case 'h':
		p->left = p->left > 8 ? p->left - 8 : 0;
		return true;
	case TERM_RIGHT:
	case 'l':
		p->left += p->left < 400 ? 8 : 0;
		return true;
	}
	return false;
}

/* ---- search ---------------------------------------------------------------------- */

static bool row_matches(struct ui *u, uint64_t row)
{
	char buf[TEXT_MAX];

	views[ui_current(u)]->text(u, row, buf, sizeof(buf));
	return strcasestr(buf, u->search);
}

static void search(struct ui *u, bool back)
{
	const struct view_ops *v = views[ui_current(u)];
	struct place *p = &u->place[ui_current(u)];
	uint64_t first, end, row, n;

	if (!*u->search) {
		ui_say(u, "nothing to search for: / asks for it");
		return;
	}
	if (!v->text) {
		ui_say(u, "there is nothing to search in here");
		return;
	}
	settle(u, &first, &end);
	row = v->cursor ? p->cursor : p->top;
	for (n = end - first; n; n--) {
		row = back ? row > first ? row - 1 : end - 1 : row + 1 < end ? row + 1 : first;
		if (!row_matches(u, row))
			continue;
		p->follow = false;
		p->cursor = row;
		if (!v->cursor)
			p->top = row;
		return;
	}
	ui_say(u, "not found: %s", u->search);
}

/* What is searched for stands out in what is shown. */
static void highlight(struct ui *u, struct grid *g, struct area a)
{
	int x, y, i, len = (int)strlen(u->search);

	if (!len || !views[ui_current(u)]->text)
		return;
	for (y = a.y; y < a.y + a.rows; y++) {
		for (x = 0; x + len <= g->cols; x++) {
			for (i = 0; i < len && tolower(grid_cell(g, x + i, y)->ch) ==
			     tolower((unsigned char)u->search[i]); i++)
				;
			for (; i == len && i--; )
				grid_cell(g, x + i, y)->attr = ATTR_BOX_HOT;
		}
	}
}

/* ---- filter ---------------------------------------------------------------------- */

/* Rows and lines are others from now on. */
static void list_anew(struct ui *u)
{
	u->list_now = true;
	memset(u->refreshed, 0, sizeof(u->refreshed));
	u->log_end = u->top.nindex;
	u->place[VIEW_LOG] = (struct place) { .follow = true };
	u->place[VIEW_CONNS] = (struct place) { .top = 0 };
}

static bool parse_filter(struct ui *u, struct tcpfsm_filter *f, const char *text)
{
	char why[256];

	*f = (struct tcpfsm_filter) { .size = sizeof(*f) };
	if (!tcpfsm_filter_parse(f, text, why, sizeof(why)))
		return true;
	ui_say(u, "filter: %s", why);
	return false;
}

static bool is_of_some(const struct ui *u)
{
	return u->drilled && (u->view == VIEW_CONNS || u->view == VIEW_LOG);
}

/* What the view in sight shows. */
static void filter_here(const struct ui *u, char *buf, size_t size)
{
	bool some = is_of_some(u), both = some && *u->filter_text;
	int n = snprintf(buf, size, "%s%s%s%s", both ? "( " : "", both || !some ? u->filter_text : "",
			 both ? " ) and " : "", some ? u->some_text : "");

	/* Half of it would be another one. */
	if ((size_t)n >= size)
		snprintf(buf, size, "%s", u->filter_text);
}

/* Return: false: it is none. */
static bool set_filter(struct ui *u, const char *text)
{
	struct tcpfsm_filter f;
	size_t end;

	if (!parse_filter(u, &f, text))
		return false;
	u->filter = f;
	u->drilled = false;
	u->top.only_some = false;
	tcpfsm_explain_filter(u->explain, &f);
	u->judged_at = 0;
	u->has_finding = false;
	snprintf(u->filter_text, sizeof(u->filter_text), "%s", text + strspn(text, " "));
	for (end = strlen(u->filter_text); end && u->filter_text[end - 1] == ' '; )
		u->filter_text[--end] = '\0';
	top_settle(&u->top, u->model);
	if (top_set_filter(&u->top, *u->filter_text ? &u->filter : NULL))
		ui_say(u, "filter: %s", strerror(ENOMEM));
	list_anew(u);
	return true;
}

/* ---- a view as a file ------------------------------------------------------------ */

static void put_cells(struct out *o, const struct grid *g, int y)
{
	int used = grid_used(g, y), x = 0, n;
	char buf[1024];
	size_t len;

	while (x < used) {
		n = grid_run(g, x, y, term_utf8(), buf, sizeof(buf), &len);
		/* Cells that look the same may go on beyond what is used. */
		out_write(o, buf, len);
		x += n;
	}
	out_write(o, "\n", 1);
}

/* Its rows, all of them, below what stands above them; or what is on the screen. */
static size_t put_view(struct ui *u, struct out *o)
{
	const struct view_ops *v = views[ui_current(u)];
	struct place *p = &u->place[ui_current(u)], before = *p;
	struct grid g = { .rows = 0 };
	struct area a = ui_body(u);
	uint64_t first, end, row;
	int y, above = a.rows;
	char buf[TEXT_MAX];
	size_t n = 0;

	if (grid_init(&g, u->grid.cols, u->grid.rows))
		return 0;
	p->left = 0;
	v->draw(u, &g, a);
	if (v->text)
		above = v->fixed ? v->fixed(u) : 0;
	for (y = a.y; y < a.y + above; y++, n++)
		put_cells(o, &g, y);
	grid_free(&g);
	*p = before;
	if (!v->text)
		return n;
	settle(u, &first, &end);
	for (row = first; row < end; row++, n++) {
		size_t len = v->text(u, row, buf, sizeof(buf));

		if (grid_init(&g, (int)len + 1, 1))
			break;
		page_draw_line(&g, 0, 0, buf, len, NULL, 0);
		put_cells(o, &g, 0);
		grid_free(&g);
	}
	return n;
}

static void write_view(struct ui *u, const char *name)
{
	static struct out o;
	size_t n = 0;
	int fd, err;

	if (!*name)
		return;
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	err = fd < 0 ? -errno : 0;
	if (!err) {
		out_to_file(&o, fd);
		n = put_view(u, &o);
		err = out_close(&o);
	}
	if (err)
		ui_say(u, "%s: %s", name, strerror(-err));
	else
		ui_say(u, "written: %s, %zu lines", name, n);
}

static void prompt_key(struct ui *u, int key)
{
	size_t len = strlen(u->typed);
	char what = u->prompt;

	if (key == TERM_ESC) {
		u->prompt = 0;
	} else if (key == TERM_ENTER) {
		u->prompt = 0;
		if (what == 'f') {
			/* What is wrong with it can be mended. */
			if (!set_filter(u, u->typed))
				u->prompt = what;
		} else if (what == 'w') {
			write_view(u, u->typed);
		} else {
			/* Nothing typed: the same again. */
			if (*u->typed)
				strcpy(u->search, u->typed);
			search(u, false);
		}
	} else if (key == TERM_BACKSPACE) {
		if (len)
			u->typed[len - 1] = '\0';
		else
			u->prompt = 0;
	} else if (key == 'U' - '@') {
		*u->typed = '\0';
	} else if (key >= ' ' && key < 0x7f && len + 1 < sizeof(u->typed)) {
		u->typed[len] = (char)key;
		u->typed[len + 1] = '\0';
	}
}

/* "tcpfsm-listeners-123456.txt" */
static void propose_name(struct ui *u)
{
	time_t second = (time_t)(u->now / NSEC_PER_SEC);
	char at[16] = "", *p;
	struct tm tm;

	if (localtime_r(&second, &tm))
		strftime(at, sizeof(at), "%H%M%S", &tm);
	snprintf(u->typed, sizeof(u->typed), "tcpfsm-%s-%s.txt", views[ui_current(u)]->name, at);
	for (p = u->typed; *p; p++)
		*p = *p == ' ' ? '-' : (char)tolower((unsigned char)*p);
}

static void ask(struct ui *u, char what)
{
	u->prompt = what;
	u->message_until = 0;
	*u->typed = '\0';
	if (what == 'f')
		filter_here(u, u->typed, sizeof(u->typed));
	if (what == 'w') {
		propose_name(u);
		return;
	}
	/* More words may follow. */
	if (*u->typed && strlen(u->typed) + 1 < sizeof(u->typed))
		strcat(u->typed, " ");
}

/* ---- keys ------------------------------------------------------------------------ */

static void go_to(struct ui *u, enum view_id id)
{
	u->view = id;
	u->over = VIEWS_ALL;
	/* Its rows are made for who looks at them. */
	/* It may be wanted already. */
	if (id == VIEW_CONNS)
		u->list_now = true;
}

void ui_open(struct ui *u, enum view_id over)
{
	u->over = over;
	u->place[over] = (struct place) { .top = 0 };
	u->refreshed[over] = 0;
}

void ui_show_some(struct ui *u, enum view_id where, const char *filter)
{
	struct tcpfsm_filter f;

	if (!parse_filter(u, &f, filter))
		return;
	u->some = f;
	snprintf(u->some_text, sizeof(u->some_text), "%s", filter);
	u->drilled = true;
	u->drilled_from = u->view;
	top_list_some(&u->top, &u->some);
	list_anew(u);
	go_to(u, where);
}

static void go_back(struct ui *u)
{
	u->drilled = false;
	top_list_some(&u->top, NULL);
	list_anew(u);
	go_to(u, u->drilled_from);
}

void ui_show_ladder(struct ui *u, uint64_t conn, const char *name)
{
	u->ladder_conn = conn;
	snprintf(u->ladder_name, sizeof(u->ladder_name), "%s", name);
	ui_open(u, VIEW_LADDER);
}

/* Where the menu has a view: columns x to end - 1. */
static void menu_place(int id, int *x, int *end)
{
	int i;

	for (i = 0, *end = 0; i <= id; i++) {
		*x = *end;
		*end += (int)strlen(views[i]->name) + 3;
	}
}

static void click(struct ui *u)
{
	const struct view_ops *v = views[ui_current(u)];
	struct place *p = &u->place[ui_current(u)];
	struct area a = ui_body(u);
	int x, y, i, from, end, fixed = v->fixed ? v->fixed(u) : 0;
	uint64_t first, last, row;

	term_mouse(&x, &y);
	if (!y) {
		for (i = 0; i < NVIEWS; i++) {
			menu_place(i, &from, &end);
			if (x >= from && x < end)
				go_to(u, (enum view_id)i);
		}
		return;
	}
	if (y >= a.y && y < a.y + a.rows && v->click && v->click(u, x, y))
		return;
	if (!v->cursor || y < a.y + fixed || y >= a.y + a.rows)
		return;
	settle(u, &first, &last);
	row = p->top + (uint64_t)(y - a.y - fixed);
	if (row >= last)
		return;
	p->follow = false;
	/* A click on what is chosen opens it. */
	if (row == p->cursor && v->enter)
		v->enter(u, row);
	p->cursor = row;
}

static void pause_or_go_on(struct ui *u)
{
	u->paused = !u->paused;
	u->list_now = u->replay;
	u->log_end = u->top.nindex;
	memset(u->refreshed, 0, sizeof(u->refreshed));
	if (u->play.end)
		ui_say(u, "this is the end of the recording: left arrow goes back");
}

static bool play_key(struct ui *u, int key)
{
	struct play *p = &u->play;
	uint64_t at = p->seek ? p->seek : p->now;

	if (!u->replay)
		return false;
	switch (key) {
	case '+':
	case '=':
		p->speed += p->speed + 1 < play_speeds;
		return true;
	case '-':
		p->speed -= p->speed > 0;
		return true;
	case '.':
		u->paused = true;
		p->step = true;
		return true;
	case TERM_LEFT:
		p->seek = at > p->first + SEEK_NS ? at - SEEK_NS : p->first;
		return true;
	case TERM_RIGHT:
		p->seek = at + SEEK_NS;
		return true;
	}
	return false;
}

void ui_key(struct ui *u, int key)
{
	const struct view_ops *v = views[ui_current(u)];
	uint64_t first, end;

	u->dirty = true;
	u->message_until = 0;
	if (u->prompt) {
		prompt_key(u, key);
		return;
	}
	if (play_key(u, key) || (v->key && v->key(u, key)) || move_key(u, key))
		return;
	switch (key) {
	case '1' ... '0' + NVIEWS:
		go_to(u, (enum view_id)(key - '1'));
		break;
	case TERM_TAB:
		go_to(u, (u->view + 1) % NVIEWS);
		break;
	case TERM_BACK_TAB:
		go_to(u, (u->view + NVIEWS - 1) % NVIEWS);
		break;
	case 'q':
	case TERM_F + 10:
		if (is_over(u))
			u->over = VIEWS_ALL;
		else
			u->quit = true;
		break;
	case 'Q':
		u->quit = true;
		break;
	case TERM_BACKSPACE:
		if (!is_over(u) && u->drilled) {
			go_back(u);
			break;
		}
		/* fallthrough */
	case TERM_ESC:
		u->over = VIEWS_ALL;
		*u->search = '\0';
		break;
	case '?':
	case TERM_F + 1:
		ui_open(u, VIEW_HELP);
		break;
	case '/':
	case TERM_F + 3:
		ask(u, '/');
		break;
	case 'n':
		search(u, false);
		break;
	case 'N':
		search(u, true);
		break;
	case 'f':
	case TERM_F + 4:
		ask(u, 'f');
		break;
	case 'w':
		ask(u, 'w');
		break;
	case ' ':
		pause_or_go_on(u);
		break;
	case TERM_ENTER:
		if (!v->enter)
			break;
		if (v->rows)
			settle(u, &first, &end);
		if (!v->rows || end > first)
			v->enter(u, u->place[ui_current(u)].cursor);
		break;
	case TERM_CLICK:
		click(u);
		break;
	case 'L' - '@':
		term_redraw();
		break;
	}
}

/* ---- frame ----------------------------------------------------------------------- */

static void draw_menu(const struct ui *u, struct grid *g)
{
	char buf[64];
	int i, x, end;

	for (i = 0; i < NVIEWS; i++) {
		menu_place(i, &x, &end);
		snprintf(buf, sizeof(buf), " %d %s ", i + 1, views[i]->name);
		grid_text(g, x, 0, (int)u->view == i ? ATTR_TITLE : ATTR_PLAIN, buf);
	}
	if (u->now) {
		time_t second = (time_t)(u->now / NSEC_PER_SEC);
		struct tm tm;

		localtime_r(&second, &tm);
		strftime(buf, sizeof(buf), "%H:%M:%S", &tm);
		menu_place(NVIEWS - 1, &x, &end);
		if (g->cols - 8 > end)
			grid_text(g, g->cols - 8, 0, ATTR_DIM, buf);
	}
}

/* "s sort": the key stands out. */
static int draw_keys(struct grid *g, int x, int y, const char *keys)
{
	while (*keys) {
		size_t word = strcspn(keys, " "), all = strcspn(keys, "|");
		char buf[64];

		snprintf(buf, sizeof(buf), "%.*s", (int)word, keys);
		grid_text(g, x, y, ATTR_BOLD, buf);
		snprintf(buf, sizeof(buf), "%.*s", (int)(all - word), keys + word);
		grid_text(g, x + (int)word, y, ATTR_PLAIN, buf);
		x += (int)all + 2;
		keys += all + (keys[all] == '|');
	}
	return x;
}

/* Words of the status line, one after the other. */
struct status {
	struct grid *g;
	int x, y;
};

static void __attribute__((format(printf, 3, 4)))
add(struct status *s, enum attr attr, const char *fmt, ...)
{
	char buf[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	grid_text(s->g, s->x, s->y, attr, buf);
	s->x += (int)strlen(buf) + 2;
}

static void add_features(struct status *s, const struct tcpfsm_info *info)
{
	char names[128] = "";
	unsigned int i, off = 0;

	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++) {
		const char *name = tcpfsm_feature_name(i);

		if (!info->error[i] || info->features >> i & 1)
			continue;
		off++;
		if (strlen(names) + strlen(name) + 3 < sizeof(names)) {
			strcat(names, off > 1 ? "," : "");
			strcat(names, name);
		}
	}
	if (off)
		add(s, ATTR_BAD_HOT, "OFF: %s (tcpfsm info)", names);
}

static void add_playback(const struct ui *u, struct status *s)
{
	const struct play *p = &u->play;
	uint64_t seconds = p->now > p->first ? (p->now - p->first) / NSEC_PER_SEC : 0;

	add(s, ATTR_BOLD, "recording %" PRIu64 ":%02" PRIu64, seconds / 60, seconds % 60);
	if (p->end)
		add(s, ATTR_TITLE, " end ");
	else if (p->seek)
		add(s, ATTR_TITLE, " seeking ");
	else if (!u->paused && play_speed[p->speed] > 0)
		add(s, ATTR_PLAIN, "x%g", play_speed[p->speed]);
	else if (!u->paused)
		add(s, ATTR_PLAIN, "at full speed");
}

/* What one must know before one believes the rest comes first. */
static void draw_status(const struct ui *u, struct grid *g)
{
	struct status s = { .g = g, .x = 0, .y = g->rows - 2 };
	char filter[sizeof(u->filter_text) + sizeof(u->some_text) + 16];
	uint64_t forgotten;

	if (u->replay)
		add_playback(u, &s);
	else
		add(&s, ATTR_BOLD, "live");
	if (u->paused && !u->play.end)
		add(&s, ATTR_TITLE, " PAUSED ");
	if (u->stalled)
		add(&s, ATTR_BAD_HOT, "STALLED: connections open and the module tells of none");
	if (u->behind_ns > NSEC_PER_SEC)
		add(&s, ATTR_BAD_HOT, "BEHIND by %.1f s", (double)u->behind_ns / 1e9);
	if (u->lost)
		add(&s, ATTR_BAD_HOT, "LOST %" PRIu64 " records", u->lost);
	if (!u->replay)
		add_features(&s, &u->info);
	if (u->totals_error)
		add(&s, ATTR_BAD_HOT, "no totals: %s", strerror(-u->totals_error));
	if (u->snapshot_error)
		add(&s, ATTR_CLOSE_HOT, "older sockets not known");
	tcpfsm_model_counts(u->model, NULL, &forgotten);
	if (forgotten)
		add(&s, ATTR_CLOSE_HOT, "%" PRIu64 " connections forgotten", forgotten);
	filter_here(u, filter, sizeof(filter));
	if (*filter)
		add(&s, ATTR_BOX, "filter: %s", filter);
	if (*u->search)
		add(&s, ATTR_DIM, "search: %s", u->search);
	if (u->replay && g->cols - s.x >= PLAY_KEYS_COLS)
		draw_keys(g, g->cols - PLAY_KEYS_COLS, s.y, PLAY_KEYS);
}

static void draw_bottom(const struct ui *u, struct grid *g)
{
	char buf[256];
	int x;

	if (u->prompt) {
		if (monotonic_ns() < u->message_until) {
			grid_fill(g, 0, g->rows - 2, g->cols, ATTR_PLAIN, ' ');
			grid_text(g, 0, g->rows - 2, ATTR_CLOSE_HOT, u->message);
		}
		x = snprintf(buf, sizeof(buf), "%s: %s", u->prompt == 'f' ? "filter" :
			     u->prompt == 'w' ? "write to" : "search", u->typed);
		grid_text(g, 0, g->rows - 1, ATTR_BOLD, buf);
		grid_put(g, x, g->rows - 1, ATTR_TITLE, ' ');
		if (u->prompt == 'f' && !*u->typed)
			grid_text(g, x + 2, g->rows - 1, ATTR_DIM,
				  "as in ss: dst 10.0.0.0/8 and not dport = :443 and comm nginx");
		return;
	}
	if (monotonic_ns() < u->message_until) {
		grid_text(g, 0, g->rows - 1, ATTR_CLOSE_HOT, u->message);
		return;
	}
	x = draw_keys(g, 0, g->rows - 1, is_over(u) ? "q back|? help" :
					 "? help|q quit|space pause|f filter");
	if (views[ui_current(u)]->keys)
		draw_keys(g, x, g->rows - 1, views[ui_current(u)]->keys);
}

void ui_keep_log(struct ui *u)
{
	bool wanted = u->replay || u->view == VIEW_LOG || u->over == VIEW_LADDER;
	bool had = u->top.log_model;

	if (top_keep_log(&u->top, u->model, wanted))
		ui_say(u, "log: %s", strerror(ENOMEM));
	if (had || !u->top.log_model)
		return;
	/* Its lines have new numbers. */
	u->log_end = u->top.nindex;
	u->place[VIEW_LOG] = (struct place) { .follow = true };
}

unsigned int ui_next(const struct ui *u)
{
	unsigned int ms = views[ui_current(u)]->refresh_ms;

	/* The time of day, at least. */
	return ms < 1000 ? ms : 1000;
}

bool ui_refresh(struct ui *u)
{
	enum view_id id = ui_current(u);
	const struct view_ops *v = views[id];
	uint64_t now = monotonic_ns(), wait = v->refresh_ms * (NSEC_PER_SEC / 1000);

	/* What takes long is done less often: reading comes first. */
	if (10 * u->took[id] > wait)
		wait = 10 * u->took[id];
	if (v->totals && u->reading && !u->replay)
		return false;
	if (u->refreshed[id] && (u->paused || now - u->refreshed[id] < wait))
		return false;
	if (v->refresh)
		v->refresh(u);
	u->refreshed[id] = now;
	u->took[id] = monotonic_ns() - now;
	return true;
}

void ui_draw(struct ui *u)
{
	struct grid *g = &u->grid;
	int cols, rows;
	struct area a;
	char buf[128];

	top_settle(&u->top, u->model);
	term_size(&cols, &rows);
	if (grid_init(g, cols, rows))
		return;
	if (cols < COLS_MIN || rows < ROWS_MIN) {
		snprintf(buf, sizeof(buf), "terminal too small");
		grid_text(g, 0, 0, ATTR_BOLD, buf);
		snprintf(buf, sizeof(buf), "%dx%d needed,", COLS_MIN, ROWS_MIN);
		grid_text(g, 0, 1, ATTR_PLAIN, buf);
		snprintf(buf, sizeof(buf), "it has %dx%d", cols, rows);
		grid_text(g, 0, 2, ATTR_PLAIN, buf);
	} else {
		a = ui_body(u);
		views[ui_current(u)]->draw(u, g, a);
		highlight(u, g, a);
		draw_menu(u, g);
		draw_status(u, g);
		draw_bottom(u, g);
	}
	if (term_paint(g))
		u->dirty = false;
}
