// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench_top [CONNECTIONS]: how long tcpfsm top takes for a picture while so many
 * connections are tracked (1000000), on this machine: every view drawn by its own code
 * onto a terminal of 200x50 that nobody reads slowly.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "../../userspace/show/text.h"
#include "../../userspace/tui/term.h"
#include "../../userspace/tui/ui.h"

#define ROUNDS		20
#define SLOTS		16384
#define TARGET_MS	50.0
#define START		(1700000000 * NSEC_PER_SEC)

static struct ui u;

static double ms_since(uint64_t begin)
{
	return (double)(monotonic_ns() - begin) / 1e6;
}

static bool tells(const struct tcpfsm_event *ev)
{
	static const struct text plain;

	return text_tells(&plain, ev);
}

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	(void)arg;
	top_event(&u.top, ev);
	return tcpfsm_timewaits_event(u.ledger, ev);
}

static void feed(uint64_t conn, uint8_t old, uint8_t new, uint8_t verdict, uint64_t ts)
{
	struct tcpfsm_item it = { .rec = {
		.ts = ts, .type = TCPFSM_TYPE_STATE, .family = 4, .old_state = old, .new_state = new,
		.conn = conn,
		.netns = 7, .lport = (uint16_t)(1024 + conn * 7919 % 60000), .rport = 80,
		.flags = TCPFSM_F_OWNER | TCPFSM_F_TASK | (verdict ? TCPFSM_F_SAME_SEGMENT : 0),
		.verdict = verdict, .reason = verdict ? TCPFSM_STATE_TIME_WAIT : 0,
		.pid = (uint32_t)(1 + conn * 31 % 977), .laddr = { 10, 0, 0, 1 },
		.raddr = { 10, 1, (uint8_t)(conn >> 8), (uint8_t)conn },
	} };

	snprintf((char *)it.rec.comm, sizeof(it.rec.comm), "p%u", it.rec.pid);
	top_portion(&u.top, u.model, &it, 1);
	if (tcpfsm_model_item(u.model, &it, on_event, NULL) ||
	    top_feed(&u.top, &it, 1))
		exit(1);
}

/* Every other one is established, the rest is in TIME_WAIT. */
static void make(unsigned long n)
{
	unsigned long i;

	for (i = 1; i <= n; i++) {
		uint64_t ts = i * 20000;

		feed(i, TCPFSM_STATE_CLOSE, TCPFSM_STATE_SYN_SENT, 0, ts);
		feed(i, TCPFSM_STATE_SYN_SENT, TCPFSM_STATE_ESTABLISHED, 0, ts + 1000);
		if (i % 2)
			continue;
		feed(i, TCPFSM_STATE_ESTABLISHED, TCPFSM_STATE_FIN_WAIT1, 0, ts + 2000);
		feed(i, TCPFSM_STATE_FIN_WAIT1, TCPFSM_STATE_CLOSE, TCPFSM_TW_ENTER, ts + 3000);
	}
	u.now = START + n * 20000 + NSEC_PER_SEC;
}

static void *drain(void *arg)
{
	char buf[65536];

	while (read(*(int *)arg, buf, sizeof(buf)) > 0)
		;
	return NULL;
}

/* Our terminal from now on; results go to what stdout was. */
static FILE *take_terminal(void)
{
	struct winsize w = { .ws_row = 50, .ws_col = 200 };
	static int master;
	int slave, old = dup(STDOUT_FILENO);
	pthread_t thread;

	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0 || grantpt(master) || unlockpt(master))
		return NULL;
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	if (slave < 0 || ioctl(slave, TIOCSWINSZ, &w))
		return NULL;
	dup2(slave, STDOUT_FILENO);
	dup2(slave, STDIN_FILENO);
	if (pthread_create(&thread, NULL, drain, &master))
		return NULL;
	setenv("TERM", "xterm-256color", 1);
	return fdopen(old, "w");
}

/* The longest slice; *pass: all of a pass. */
static double list_pass(double *pass)
{
	uint64_t begin = monotonic_ns();
	double longest = 0;
	bool done;

	do {
		uint64_t slice = monotonic_ns();

		done = top_list_step(&u.top, u.model, SLOTS);
		if (ms_since(slice) > longest)
			longest = ms_since(slice);
	} while (!done);
	*pass = ms_since(begin);
	return longest;
}

static double draw_view(enum view_id id)
{
	double worst = 0;
	int i;

	u.view = id;
	ui_keep_log(&u);
	for (i = 0; i < ROUNDS; i++) {
		uint64_t begin;

		u.refreshed[id] = 0;
		u.took[id] = 0;
		u.now += NSEC_PER_SEC;
		/* Another picture than the last one. */
		term_redraw();
		begin = monotonic_ns();
		ui_refresh(&u);
		ui_draw(&u);
		if (ms_since(begin) > worst)
			worst = ms_since(begin);
	}
	return worst;
}

int main(int argc, char **argv)
{
	static const char * const names[NVIEWS] = {
		"Overview", "Listeners", "TIME_WAIT", "Connections", "Diagram", "Log",
	};
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
	struct tcpfsm_model_options mo = { .size = sizeof(mo), .lives = true, .watch = true,
					   .epoch_offset = (int64_t)START };
	struct tcpfsm_timewaits_options to = { .size = sizeof(to), .epoch_offset = (int64_t)START,
					       .since = START };
	FILE *results = take_terminal();
	double slice, pass, worst;
	int i, status = 0;

	setlocale(LC_CTYPE, "C.UTF-8");
	u.over = VIEWS_ALL;
	u.epoch_offset = (int64_t)START;
	u.place[VIEW_LOG].follow = true;
	if (!results || tcpfsm_model_new(&u.model, &mo) || tcpfsm_timewaits_new(&u.ledger, &to) ||
	    top_init(&u.top, NULL, tells, (int64_t)START) || term_open()) {
		fprintf(stderr, "bench_top: %s\n", strerror(errno));
		return 1;
	}
	make(n);
	for (i = 0; i < TOP_NCOLUMNS; i++) {
		u.top.list.column = (enum top_column)i;
		slice = list_pass(&pass);
		if (i && i != TOP_BY_FOR && i != TOP_BY_REMOTE)
			continue;
		fprintf(results, "%-40s %8.1f ms, its longest slice %.1f ms\n",
			i == TOP_BY_FOR ? "connections sorted by time" :
			i ? "connections sorted by address" : "connections sorted by state", pass,
			slice);
		status |= slice > TARGET_MS;
	}
	for (i = 0; i < NVIEWS; i++) {
		worst = draw_view((enum view_id)i);
		fprintf(results, "picture of %-29s %8.1f ms at most%s\n", names[i], worst,
			worst > TARGET_MS ? ": MISSED (50 ms)" : "");
		status |= worst > TARGET_MS;
	}
	term_close();
	return status;
}
