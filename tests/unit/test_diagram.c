// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state diagram: each transition has one place, what is drawn does not
 * overlap at any size, rates, and who is in which state.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "../../userspace/show/diagram.h"
#include "../../userspace/show/figure.h"
#include "../../userspace/show/grid.h"

#define S(s)		TCPFSM_STATE_##s
#define C(c)		TCPFSM_CAUSE_##c
#define SECOND		1000000000ULL
#define START		(1700000000 * SECOND)

static struct diagram d;

static struct tcpfsm_event transition(uint8_t old, uint8_t new, uint8_t cause, uint64_t ts)
{
	return (struct tcpfsm_event) {
		.type = TCPFSM_EVENT_TRANSITION, .old_state = old, .new_state = new, .cause = cause, .ts = ts,
		.rec = { .type = TCPFSM_TYPE_STATE },
	};
}

/* ---- counting ------------------------------------------------------------------- */

static void check_sums(void)
{
	uint64_t shown = d.odd.n, odd = 0, all = 0;
	int i, j, k;

	for (i = 0; i < NARROWS; i++)
		shown += d.arrow[i].n;
	for (i = 0; i < DIAGRAM_STATES; i++) {
		uint64_t exit = 0;

		shown += d.exit[i].n;
		for (k = 0; k < DIAGRAM_CAUSES; k++)
			exit += d.exit_cause[i][k];
		CHECK_EQ(exit, d.exit[i].n);
		for (j = 0; j < DIAGRAM_STATES; j++) {
			odd += d.odd_pair[i][j];
			for (k = 0; k < DIAGRAM_CAUSES; k++)
				all += d.count[i][j][k];
		}
	}
	CHECK_EQ(odd, d.odd.n);
	CHECK_EQ(shown, d.all.n);
	CHECK_EQ(all, d.all.n);
}

/* Also those of a damaged recording. */
static void test_every_transition_once(void)
{
	uint64_t n = 0;
	int old, new, cause, gone;

	memset(&d, 0, sizeof(d));
	for (old = 0; old < 20; old++) {
		for (new = 0; new < 20; new++) {
			for (cause = 0; cause < DIAGRAM_CAUSES + 2; cause++) {
				struct tcpfsm_event ev = transition((uint8_t)old, (uint8_t)new,
								    (uint8_t)cause, START + n);

				for (gone = 0; gone < 2; gone++) {
					if (gone)
						ev.rec.type = TCPFSM_TYPE_REQUEST_GONE;
					diagram_count(&d, &ev);
					CHECK_EQ(d.all.n, ++n);
				}
			}
		}
		check_sums();
	}
}

/* Where one transition counts: an arrow, or 100 + the state left, or -1. */
static int place_of(uint8_t old, uint8_t new, uint8_t cause, uint8_t type)
{
	struct tcpfsm_event ev = transition(old, new, cause, START);
	int i;

	ev.rec.type = type;
	memset(&d, 0, sizeof(d));
	diagram_count(&d, &ev);
	for (i = 0; i < NARROWS; i++)
		if (d.arrow[i].n)
			return i;
	for (i = 0; i < DIAGRAM_STATES; i++)
		if (d.exit[i].n)
			return 100 + i;
	return -1;
}

#define PLACE(old, new, cause) \
	place_of(S(old), S(new), C(cause), TCPFSM_TYPE_STATE)

static void test_places(void)
{
	static const uint8_t left[] = {
		S(SYN_SENT), S(SYN_RECV), S(ESTABLISHED), S(FIN_WAIT1), S(FIN_WAIT2), S(CLOSE_WAIT),
		S(CLOSING), S(LAST_ACK), S(TIME_WAIT),
	};
	static const uint8_t beyond[] = { C(RCV_RST), C(SND_RST), C(TIMEOUT), C(ICMP), C(ABORT),
					  C(NETNS_EXIT) };
	size_t i, j;

	/* What the model emits on the way that the figure shows... */
	CHECK_EQ(PLACE(CLOSE, LISTEN, PASSIVE_OPEN), ARROW_PASSIVE_OPEN);
	CHECK_EQ(PLACE(LISTEN, CLOSE, CLOSE), ARROW_LISTEN_CLOSE);
	CHECK_EQ(PLACE(LISTEN, CLOSE, ABORT), ARROW_LISTEN_CLOSE);
	CHECK_EQ(PLACE(CLOSE, SYN_SENT, ACTIVE_OPEN), ARROW_ACTIVE_OPEN);
	CHECK_EQ(PLACE(SYN_SENT, CLOSE, CLOSE), ARROW_SYN_SENT_CLOSE);
	CHECK_EQ(PLACE(LISTEN, SYN_RECV, RCV_SYN), ARROW_RCV_SYN);
	CHECK_EQ(PLACE(SYN_SENT, SYN_RECV, RCV_SYN), ARROW_CROSSED_SYN);
	CHECK_EQ(PLACE(SYN_RECV, ESTABLISHED, RCV_ACK_OF_SYN), ARROW_PASSIVE_DONE);
	CHECK_EQ(PLACE(SYN_SENT, ESTABLISHED, RCV_SYNACK), ARROW_ACTIVE_DONE);
	CHECK_EQ(PLACE(SYN_RECV, FIN_WAIT1, CLOSE), ARROW_SYN_RECV_CLOSE);
	CHECK_EQ(PLACE(SYN_RECV, FIN_WAIT1, SHUTDOWN), ARROW_SYN_RECV_CLOSE);
	CHECK_EQ(PLACE(ESTABLISHED, FIN_WAIT1, CLOSE), ARROW_CLOSE);
	CHECK_EQ(PLACE(ESTABLISHED, FIN_WAIT1, SHUTDOWN), ARROW_CLOSE);
	CHECK_EQ(PLACE(ESTABLISHED, CLOSE_WAIT, RCV_FIN), ARROW_RCV_FIN);
	CHECK_EQ(PLACE(FIN_WAIT1, FIN_WAIT2, RCV_ACK_OF_FIN), ARROW_FIN_ACKED);
	CHECK_EQ(PLACE(FIN_WAIT1, CLOSING, RCV_FIN), ARROW_CROSSED_FIN);
	CHECK_EQ(PLACE(FIN_WAIT1, TIME_WAIT, RCV_FIN_ACK), ARROW_FIN_AND_ACK);
	CHECK_EQ(PLACE(CLOSE_WAIT, LAST_ACK, CLOSE), ARROW_LAST_CLOSE);
	CHECK_EQ(PLACE(CLOSE_WAIT, LAST_ACK, SHUTDOWN), ARROW_LAST_CLOSE);
	CHECK_EQ(PLACE(FIN_WAIT2, TIME_WAIT, RCV_FIN), ARROW_LAST_FIN);
	CHECK_EQ(PLACE(CLOSING, TIME_WAIT, RCV_ACK_OF_FIN), ARROW_CLOSING_DONE);
	CHECK_EQ(PLACE(LAST_ACK, CLOSE, RCV_ACK_OF_FIN), ARROW_LAST_ACKED);
	CHECK_EQ(PLACE(TIME_WAIT, CLOSE, 2MSL), ARROW_TIMEOUT_2MSL);
	/* ...and out of it. */
	for (i = 0; i < sizeof(left); i++)
		for (j = 0; j < sizeof(beyond); j++)
			CHECK_EQ(place_of(left[i], S(CLOSE), beyond[j], TCPFSM_TYPE_STATE),
				 100 + left[i]);
	CHECK_EQ(PLACE(SYN_RECV, CLOSE, CLOSE), 100 + S(SYN_RECV));
	CHECK_EQ(PLACE(TIME_WAIT, CLOSE, REUSE), 100 + S(TIME_WAIT));
	CHECK_EQ(PLACE(TIME_WAIT, CLOSE, RCV_SYN), 100 + S(TIME_WAIT));
	CHECK_EQ(PLACE(FIN_WAIT2, CLOSE, RCV_FIN), 100 + S(FIN_WAIT2));
	CHECK_EQ(PLACE(CLOSING, CLOSE, RCV_ACK_OF_FIN), 100 + S(CLOSING));
	/* The request dies and the listener is left, as the RFC has it. */
	CHECK_EQ(place_of(S(SYN_RECV), S(CLOSE), C(RCV_RST), TCPFSM_TYPE_REQUEST_GONE),
		 ARROW_RCV_RST);
	CHECK_EQ(place_of(S(SYN_RECV), S(CLOSE), C(TIMEOUT), TCPFSM_TYPE_REQUEST_GONE),
		 100 + S(SYN_RECV));
	/* A socket under repair, and Fast Open with SYN and FIN. */
	CHECK_EQ(PLACE(CLOSE, ESTABLISHED, NONE), -1);
	CHECK_EQ(PLACE(SYN_RECV, CLOSE_WAIT, RCV_FIN), -1);
}

static void test_rates(void)
{
	struct moves *m = &d.arrow[ARROW_RCV_SYN];
	struct tcpfsm_event ev;
	uint64_t i, per = SECOND / 100;

	memset(&d, 0, sizeof(d));
	CHECK_EQ(diagram_rate(&d, m, START), 0);
	for (i = 0; i < 300; i++) {
		ev = transition(S(LISTEN), S(SYN_RECV), C(RCV_SYN), START + i * per);
		diagram_count(&d, &ev);
		/* A second of them has passed: always the same. */
		if (i >= 110)
			CHECK_EQ(diagram_rate(&d, m, ev.ts), 100);
	}
	CHECK_EQ(m->n, 300);
	CHECK_EQ(m->last, START + 299 * per);
	CHECK_EQ(diagram_rate(&d, &d.all, START + 3 * SECOND), 100);
	CHECK_EQ(diagram_rate(&d, m, START + 3 * SECOND + SECOND / 2), 50);
	CHECK_EQ(diagram_rate(&d, m, START + 4 * SECOND), 0);
	CHECK_EQ(diagram_rate(&d, &d.arrow[ARROW_CLOSE], START + 3 * SECOND), 0);
	/* Half an hour later; one that comes late; and one that comes much too late. */
	ev.ts = START + 1800 * SECOND;
	diagram_count(&d, &ev);
	ev.ts -= SECOND / 2;
	diagram_count(&d, &ev);
	ev.ts -= 1700 * SECOND;
	diagram_count(&d, &ev);
	CHECK_EQ(diagram_rate(&d, m, START + 1800 * SECOND + DIAGRAM_SLOT_NS), 2);
	CHECK_EQ(d.last, START + 1800 * SECOND);
	CHECK_EQ(m->n, 303);

	d.population[S(LISTEN)] = 7;
	d.lost = 3;
	diagram_reset(&d);
	CHECK_EQ(d.all.n, 0);
	CHECK_EQ(diagram_rate(&d, m, START + 1800 * SECOND + DIAGRAM_SLOT_NS), 0);
	CHECK_EQ(d.population[S(LISTEN)], 7);
	CHECK_EQ(d.lost, 3);
}

/* ---- places ----------------------------------------------------------------------- */

static char map[80][256];		/* what is where; 0: nothing */

enum { NOTHING, BOX, SLOT, ROUTE };	/* and above: of which arrow */

/* FIN_WAIT1 is left, and TIME_WAIT reached, by two on one line. */
static char route_of(int a)
{
	if (a == ARROW_CROSSED_FIN || a == ARROW_LAST_FIN)
		a = ARROW_FIN_AND_ACK;
	return (char)(ROUTE + a);
}

static void claim(const struct figure *f, int x, int y, char what)
{
	/* f is drawn at 0, 0 here. */
	CHECK(x >= 0 && x < f->x0 + f->cols && y >= 0 && y < f->y0 + f->rows);
	if (x < 0 || x >= 256 || y < 0 || y >= 80)
		return;
	CHECK(map[y][x] == NOTHING || (what == route_of(ARROW_FIN_AND_ACK) && map[y][x] == what));
	map[y][x] = what;
}

/* Words stand on the line of their own arrow only. */
static void claim_slot(const struct figure *f, const struct figure_slot *s, int arrow)
{
	int x, y;

	CHECK(s->end - s->x >= 6);
	for (y = 0; y < s->rows; y++) {
		for (x = s->x; x < s->end; x++) {
			if (x >= 0 && x < 256 && s->on_line && arrow >= 0 &&
			    map[s->y + y][x] == route_of(arrow))
				map[s->y + y][x] = NOTHING;
			claim(f, x, s->y + y, SLOT);
		}
	}
}

static void claim_route(const struct figure *f, enum diagram_arrow a)
{
	struct figure_route r = figure_route(f, a);
	int i;

	CHECK(r.n >= 2 && r.n <= FIGURE_CORNERS);
	for (i = 0; i + 1 < r.n; i++) {
		int x = r.at[i].x, y = r.at[i].y, to_x = r.at[i + 1].x, to_y = r.at[i + 1].y;
		int dx = (to_x > x) - (to_x < x), dy = (to_y > y) - (to_y < y);

		CHECK((dx == 0) != (dy == 0));
		if (!i)
			claim(f, x, y, route_of(a));
		while (x != to_x || y != to_y) {
			x += dx;
			y += dy;
			claim(f, x, y, route_of(a));
		}
	}
}

static bool is_box(const struct figure *f, int x, int y, uint8_t state)
{
	int i;

	for (i = 0; i < FIGURE_BOXES; i++) {
		struct figure_box b = figure_box(f, i);

		if (b.state == state && x >= b.x && x < b.x + f->box_cols && y >= b.y &&
		    y < b.y + f->box_rows)
			return true;
	}
	return false;
}

/* It begins beside the box of the state it leaves, and points at the other. */
static void check_ends(const struct figure *f, enum diagram_arrow a)
{
	struct figure_route r = figure_route(f, a);
	int x = r.at[0].x, y = r.at[0].y, last = r.n - 1;

	x += r.source == G_EAST ? 1 : r.source == G_WEST ? -1 : 0;
	y += r.source == G_SOUTH ? 1 : r.source == G_NORTH ? -1 : 0;
	CHECK(is_box(f, x, y, diagram_arrow[a].old_state));
	x = r.at[last].x + (r.at[last].x > r.at[last - 1].x) - (r.at[last].x < r.at[last - 1].x);
	y = r.at[last].y + (r.at[last].y > r.at[last - 1].y) - (r.at[last].y < r.at[last - 1].y);
	CHECK(is_box(f, x, y, diagram_arrow[a].new_state));
}

static void check_places(int cols, int rows)
{
	struct figure_slot slot, number;
	struct figure f;
	int i, x, y;

	CHECK(figure_fit(&f, cols, rows));
	CHECK(f.x0 >= 0 && f.y0 >= 0 && f.x0 + f.cols <= cols && f.y0 + f.rows <= rows);
	memset(map, 0, sizeof(map));
	for (i = 0; i < FIGURE_BOXES; i++) {
		struct figure_box b = figure_box(&f, i);

		for (y = 0; y < f.box_rows; y++)
			for (x = 0; x < f.box_cols; x++)
				claim(&f, b.x + x, b.y + y, BOX);
	}
	for (i = 0; i < NARROWS; i++) {
		claim_route(&f, i);
		check_ends(&f, i);
	}
	for (i = 0; i < NARROWS; i++) {
		figure_arrow_slots(&f, i, &slot, &number);
		claim_slot(&f, &slot, i);
		if (number.rows)
			claim_slot(&f, &number, i);
	}
	for (i = 0; i < DIAGRAM_STATES; i++)
		if (figure_exit_slot(&f, (uint8_t)i, &slot))
			claim_slot(&f, &slot, -1);
}

static void test_nothing_overlaps(void)
{
	struct figure f;
	int cols, rows;

	for (rows = FIGURE_ROWS; rows < 70; rows++)
		for (cols = FIGURE_COLS; cols <= 220; cols++)
			check_places(cols, rows);
	CHECK(!figure_fit(&f, FIGURE_COLS - 1, FIGURE_ROWS));
	CHECK(!figure_fit(&f, FIGURE_COLS, FIGURE_ROWS - 1));
	CHECK(!figure_fit(&f, 0, 0));
}

/* ---- drawing ---------------------------------------------------------------------- */

static void count_times(uint8_t old, uint8_t new, uint8_t cause, uint64_t n, uint64_t ts)
{
	struct tcpfsm_event ev = transition(old, new, cause, ts);

	while (n--)
		diagram_count(&d, &ev);
}

/* All texts as long as they get, or at their shortest. */
static void fill(bool much)
{
	uint64_t ts = START;
	int i, j;

	memset(&d, 0, sizeof(d));
	for (i = 0; i < NARROWS; i++)
		count_times(diagram_arrow[i].old_state, diagram_arrow[i].new_state,
			    i == ARROW_TIMEOUT_2MSL ? C(2MSL) : i == ARROW_LAST_ACKED ?
			    C(RCV_ACK_OF_FIN) : C(CLOSE), much ? 3000 : 1, ts);
	for (i = 0; i < DIAGRAM_STATES; i++)
		for (j = 0; j < DIAGRAM_CAUSES; j++)
			if (i != S(LISTEN) && i != S(CLOSE) && much)
				count_times((uint8_t)i, S(CLOSE), (uint8_t)j, 20, ts);
	for (i = 0; i < DIAGRAM_STATES; i++)
		d.population[i] = much ? 1234567 : 1;
	if (!much)
		return;
	for (i = 0; i < NARROWS; i++)
		d.arrow[i].n += 1234567890123456789ULL;
	for (i = 0; i < DIAGRAM_STATES; i++)
		for (j = 0; j < DIAGRAM_CAUSES; j++)
			if (d.exit_cause[i][j]) {
				d.exit_cause[i][j] += 98765432109876ULL;
				d.exit[i].n += 98765432109876ULL;
			}
}

static const char *row_text(const struct grid *g, int y, bool utf8)
{
	static char text[4096];
	size_t len = 0, n;
	int x = 0;

	while (x < g->cols) {
		x += grid_run(g, x, y, utf8, text + len, sizeof(text) - len - 1, &n);
		len += n;
	}
	text[len] = '\0';
	return text;
}

static bool grid_has(const struct grid *g, const char *what)
{
	int y;

	for (y = 0; y < g->rows; y++)
		if (strstr(row_text(g, y, true), what))
			return true;
	return false;
}

static bool is_part(uint8_t ch)
{
	return ch & G_LINE || (ch >= G_HEAD_NORTH && ch <= G_HEAD_WEST);
}

static void check_drawing(int cols, int rows, bool much)
{
	struct grid g = { .cols = 0 };
	struct figure f;
	int x, y, i;

	fill(much);
	check_places(cols, rows);
	figure_fit(&f, cols, rows);
	CHECK_EQ(grid_init(&g, cols, rows), 0);
	figure_draw(&f, &g, &d, START + DIAGRAM_SLOT_NS);
	for (y = 0; y < rows; y++) {
		for (x = 0; x < cols; x++) {
			uint8_t ch = grid_cell(&g, x, y)->ch;

			if (map[y][x] == NOTHING)
				CHECK_EQ(ch, ' ');
			else if (map[y][x] >= ROUTE)
				CHECK(is_part(ch));
		}
	}
	for (i = 0; i < FIGURE_BOXES; i++) {
		struct figure_box b = figure_box(&f, i);
		const char *name = tcpfsm_state_name(b.state);
		char text[64];

		memcpy(text, row_text(&g, b.y + f.box_rows / 2, false) + b.x, (size_t)f.box_cols);
		text[f.box_cols] = '\0';
		CHECK(strstr(text, b.state == S(CLOSE) ? " CLOSED " : name));
		if (b.state != S(CLOSE))
			CHECK(strchr(text, '1'));
	}
	/* The words of the RFC, at least the events. */
	CHECK(grid_has(&g, "passive OPEN"));
	CHECK(grid_has(&g, "active OPEN"));
	CHECK(grid_has(&g, "rcv SYN,ACK"));
	CHECK(grid_has(&g, "rcv ACK of SYN"));
	CHECK(grid_has(&g, "rcv ACK of FIN"));
	CHECK(grid_has(&g, "2MSL"));
	if (much) {
		CHECK(grid_has(&g, cols < 90 ? "1.2E" : "1234567890123459789 +3000/s"));
	} else {
		CHECK(grid_has(&g, "1 +1/s"));
		if (cols >= 100) {
			CHECK(grid_has(&g, "rcv SYN / snd SYN,ACK"));
			CHECK(grid_has(&g, "rcv FIN / snd ACK"));
		}
	}
	grid_free(&g);
}

static void test_drawing(void)
{
	static const int sizes[][2] = {
		{ 80, 20 }, { 80, 60 }, { 100, 26 }, { 120, 36 }, { 200, 56 },
	};
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		check_drawing(sizes[i][0], sizes[i][1], false);
		check_drawing(sizes[i][0], sizes[i][1], true);
	}
}

/* All that can be chosen is reached by keys, from where one begins, and back. */
static void check_ways(int cols, int rows)
{
	static const int ways[4][2] = { { 0, -1 }, { 0, 1 }, { -1, 0 }, { 1, 0 } };
	bool there[FIGURE_SPOTS][FIGURE_SPOTS] = { { false } };
	struct figure_slot slot;
	unsigned int i, j, k, n = 0;
	struct figure f;

	CHECK(figure_fit(&f, cols, rows));
	for (i = 0; i < FIGURE_SPOTS; i++) {
		if (!figure_spot(&f, &d, i, &slot))
			continue;
		n++;
		for (j = 0; j < 4; j++)
			there[i][figure_spot_next(&f, &d, i, ways[j][0], ways[j][1])] = true;
	}
	for (k = 0; k < FIGURE_SPOTS; k++)
		for (i = 0; i < FIGURE_SPOTS; i++)
			for (j = 0; there[i][k] && j < FIGURE_SPOTS; j++)
				there[i][j] |= there[k][j];
	for (i = 0; i < FIGURE_SPOTS; i++) {
		if (!figure_spot(&f, &d, i, &slot))
			continue;
		n--;
		CHECK(there[0][i] && there[i][0]);
	}
	CHECK_EQ(n, 0);
}

static void test_choosing(void)
{
	static const int sizes[][2] = { { 80, 20 }, { 80, 60 }, { 100, 26 }, { 120, 36 }, { 200, 56 } };
	char text[FIGURE_FILTER_MAX];
	size_t i;

	memset(&d, 0, sizeof(d));
	CHECK(!figure_spot_filter(&d, FIGURE_ARROWS + ARROW_RCV_FIN, text));
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		check_ways(sizes[i][0], sizes[i][1]);
	/* With exits, too. */
	fill(false);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		check_ways(sizes[i][0], sizes[i][1]);
	memset(&d, 0, sizeof(d));
	diagram_add(&d, &(struct tcpfsm_move) { S(ESTABLISHED), S(CLOSE_WAIT), TCPFSM_CAUSE_RCV_FIN, false, 1 }, START);
	diagram_add(&d, &(struct tcpfsm_move) { S(SYN_RECV), S(CLOSE), TCPFSM_CAUSE_RCV_RST, true, 1 }, START);
	diagram_add(&d, &(struct tcpfsm_move) { S(SYN_SENT), S(CLOSE), TCPFSM_CAUSE_TIMEOUT, false, 1 }, START);
	diagram_add(&d, &(struct tcpfsm_move) { S(SYN_SENT), S(CLOSE), TCPFSM_CAUSE_RCV_RST, false, 1 }, START);
	diagram_add(&d, &(struct tcpfsm_move) { S(SYN_SENT), S(CLOSE), TCPFSM_CAUSE_RCV_RST, false, 1 }, START + 5);
	CHECK_EQ(d.first, START);
	CHECK(figure_spot_filter(&d, FIGURE_ARROWS + ARROW_RCV_FIN, text));
	CHECK(!strcmp(text, "state ESTABLISHED and state CLOSE_WAIT and cause rcv_fin"));
	CHECK(figure_spot_filter(&d, FIGURE_ARROWS + ARROW_RCV_RST, text));
	CHECK(!strcmp(text, "state SYN_RECV and state CLOSE and cause rcv_rst"));
	CHECK(figure_spot_filter(&d, FIGURE_EXITS + S(SYN_SENT), text));
	CHECK(!strcmp(text, "state SYN_SENT and state CLOSE and cause rcv_rst,timeout"));
	CHECK(figure_spot_filter(&d, 4, text));
	CHECK(!strcmp(text, "state ESTABLISHED"));
}

static void check_number(uint64_t n, uint64_t rate, int room, const char *expected)
{
	char text[FIGURE_TEXT_MAX];

	figure_number(text, n, rate, room);
	if (strcmp(text, expected) && !check_failed++)
		printf("# %s, not %s\n", text, expected);
}

static void test_texts(void)
{
	char text[2][FIGURE_TEXT_MAX];
	bool full;

	check_number(0, 0, 4, "0");
	check_number(12345, 678, 20, "12345 +678/s");
	check_number(12345678, 67890, 20, "12345678 +67890/s");
	check_number(12345678, 67890, 16, "12M +67k/s");
	check_number(12345, 67890, 9, "12k");
	check_number(9999, 0, 4, "9999");
	check_number(10000, 0, 4, "10k");
	check_number(1234567, 0, 4, "1.2M");
	check_number(999999999, 0, 4, "999M");
	check_number(UINT64_MAX, UINT64_MAX, 9, "18E");
	check_number(UINT64_MAX, UINT64_MAX, 10, "18E +18E/s");

	memset(&d, 0, sizeof(d));
	CHECK_EQ(figure_exits(&d, S(SYN_SENT), START, 40, 2, text, &full), 0);
	count_times(S(SYN_SENT), S(CLOSE), C(RCV_RST), 12, START);
	count_times(S(SYN_SENT), S(CLOSE), C(SND_RST), 2, START);
	count_times(S(SYN_SENT), S(CLOSE), C(TIMEOUT), 3, START);
	count_times(S(SYN_SENT), S(CLOSE), C(NONE), 1, START);
	CHECK_EQ(figure_exits(&d, S(SYN_SENT), START, 60, 1, text, &full), 1);
	CHECK(!strcmp(text[0], S_CROSS " unknown 1 rcv RST 12 snd RST 2 timeout 3") && full);
	CHECK_EQ(figure_exits(&d, S(SYN_SENT), START, 25, 2, text, &full), 2);
	CHECK(!strcmp(text[0], S_CROSS " unknown 1 rcv RST 12") && full);
	CHECK(!strcmp(text[1], "  snd RST 2 timeout 3"));
	CHECK_EQ(figure_exits(&d, S(SYN_SENT), START, 26, 1, text, &full), 1);
	CHECK(!strcmp(text[0], S_CROSS " rst 14 timeout 3 other 1") && !full);
	CHECK_EQ(figure_exits(&d, S(SYN_SENT), START, 20, 1, text, &full), 1);
	CHECK(!strcmp(text[0], S_CROSS " rst 14 tmo 3 oth 1") && !full);
	CHECK_EQ(figure_exits(&d, S(SYN_SENT), START, 10, 1, text, &full), 1);
	CHECK(!strcmp(text[0], S_CROSS " 18") && !full);
	CHECK_EQ(figure_exits(&d, S(SYN_SENT), START + DIAGRAM_SLOT_NS, 10, 1, text, &full), 1);
	CHECK(!strcmp(text[0], S_CROSS " 18 +18/s"));

	CHECK(!figure_odd(&d, 80, text[0]));
	count_times(S(CLOSE), S(ESTABLISHED), C(NONE), 3, START);
	CHECK(figure_odd(&d, 80, text[0]));
	CHECK(!strcmp(text[0], "other 3: CLOSE" S_ARROW "ESTABLISHED 3"));
	count_times(S(SYN_RECV), S(CLOSE_WAIT), C(RCV_FIN), 2, START);
	count_times(S(TIME_WAIT), S(CLOSE_WAIT), C(RCV_FIN), 2, START);
	CHECK(figure_odd(&d, 38, text[0]));
	CHECK(!strcmp(text[0], "other 7: SYN_RECV" S_ARROW "CLOSE_WAIT 2 ..."));
}

static void test_grid(void)
{
	struct grid g = { .cols = 0 };

	CHECK_EQ(grid_init(&g, 10, 3), 0);
	grid_line(&g, 1, 0, 5, 0, ATTR_PLAIN, false);
	grid_line(&g, 5, 0, 5, 2, ATTR_PLAIN, false);
	grid_line(&g, 3, 0, 3, 2, ATTR_PLAIN, false);
	grid_line(&g, 0, 1, 8, 1, ATTR_PLAIN, true);
	grid_put(&g, 3, 2, ATTR_PLAIN, G_HEAD_SOUTH);
	grid_put(&g, 10, 0, ATTR_PLAIN, 'x');
	grid_put(&g, 0, -1, ATTR_PLAIN, 'x');
	grid_text(&g, 8, 2, ATTR_PLAIN, "xyz");
	CHECK(!strcmp(row_text(&g, 0, true), " ╶─┬─┐    "));
	CHECK(!strcmp(row_text(&g, 1, true), "╌╌╌┼╌┼╌╌╌ ") ||
	      !strcmp(row_text(&g, 1, true), "╶╌╌┼╌┼╌╌╴ "));
	CHECK(!strcmp(row_text(&g, 2, true), "   ▼ ╵  xy"));
	CHECK(!strcmp(row_text(&g, 0, false), " --+-+    "));
	CHECK(!strcmp(row_text(&g, 2, false), "   v |  xy"));
	CHECK_EQ(grid_used(&g, 0), 6);
	CHECK_EQ(grid_used(&g, 2), 10);
	grid_free(&g);
}

/* ---- who is where ----------------------------------------------------------------- */

static void test_members(void)
{
	enum { CONNS = 5000 };
	static uint8_t truth[CONNS];
	uint64_t population[DIAGRAM_STATES] = { 0 }, expected[DIAGRAM_STATES] = { 0 };
	struct members s = { .missed = 0 };
	size_t alive = 0;
	int i;

	srandom(1);
	for (i = 0; i < 300000; i++) {
		size_t conn = (size_t)random() % CONNS;
		uint8_t new = (uint8_t)(1 + random() % S(CLOSING));
		struct tcpfsm_event ev = transition(0, new, 0, START);

		/* In runs, and some that collide. */
		ev.rec.conn = conn % 2 ? conn + 1 : (conn + 1) << 33;
		members_see(&s, &ev, population);
		if (truth[conn]) {
			expected[truth[conn]]--;
			alive--;
		}
		truth[conn] = new == S(CLOSE) ? 0 : new;
		if (truth[conn]) {
			expected[new]++;
			alive++;
		}
	}
	CHECK(!memcmp(population, expected, sizeof(population)));
	CHECK_EQ(s.table.n, alive);
	CHECK_EQ(s.missed, 0);
	members_free(&s);
}

static int ignore(const struct tcpfsm_event *ev, void *arg)
{
	(void)ev;
	(void)arg;
	return 0;
}

static void feed(struct tcpfsm_model *m, uint64_t conn, uint8_t old, uint8_t new)
{
	static uint64_t now = SECOND;
	struct tcpfsm_item item = {
		.rec = { .ts = now += 1000, .type = TCPFSM_TYPE_STATE, .conn = conn, .family = 4,
			 .old_state = old, .new_state = new },
	};

	CHECK_EQ(tcpfsm_model_item(m, &item, ignore, NULL), 0);
}

/* The model's own count, also when it must forget. */
static void test_population(void)
{
	struct tcpfsm_model_options opts = { .size = sizeof(opts), .max_conns = 100 };
	uint64_t count[DIAGRAM_STATES], conns, sum = 0, i;
	struct tcpfsm_model *m;

	CHECK_EQ(tcpfsm_model_new(&m, &opts), 0);
	feed(m, 1, S(CLOSE), S(LISTEN));
	for (i = 2; i < 12; i++)
		feed(m, i, S(CLOSE), S(SYN_SENT));
	for (i = 2; i < 7; i++)
		feed(m, i, S(SYN_SENT), S(ESTABLISHED));
	feed(m, 2, S(ESTABLISHED), S(CLOSE));
	/* It connects again. */
	feed(m, 2, S(CLOSE), S(SYN_SENT));
	feed(m, 3, S(ESTABLISHED), S(CLOSE));
	CHECK_EQ(tcpfsm_model_flush(m, ignore, NULL), 0);
	tcpfsm_model_population(m, count);
	CHECK_EQ(count[S(LISTEN)], 1);
	CHECK_EQ(count[S(SYN_SENT)], 6);
	CHECK_EQ(count[S(ESTABLISHED)], 3);
	CHECK_EQ(count[S(CLOSE)], 0);
	for (i = 1000; i < 2000; i++)
		feed(m, i, S(CLOSE), i % 2 ? S(LISTEN) : S(SYN_SENT));
	tcpfsm_model_population(m, count);
	tcpfsm_model_counts(m, &conns, NULL);
	for (i = 0; i < DIAGRAM_STATES; i++)
		sum += count[i];
	CHECK_EQ(sum, conns);
	CHECK_EQ(count[S(LISTEN)], 50);
	CHECK_EQ(count[S(SYN_SENT)], 50);
	tcpfsm_model_free(m);
}

int main(void)
{
	TEST("diagram: every transition counts once", test_every_transition_once());
	TEST("diagram: each transition has its place", test_places());
	TEST("diagram: rates", test_rates());
	TEST("diagram: texts for little room", test_texts());
	TEST("diagram: grid", test_grid());
	TEST("diagram: nothing overlaps at any size", test_nothing_overlaps());
	TEST("diagram: drawn at all sizes, full of large numbers", test_drawing());
	TEST("diagram: what can be chosen in it", test_choosing());
	TEST("diagram: who is in which state, of those that pass the filter", test_members());
	TEST("diagram: who is in which state, by the model", test_population());
	return check_done();
}
