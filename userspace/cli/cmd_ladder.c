// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm ladder: a connection as a sequence diagram, once it has ended. */
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <string.h>

#include "../tui/term.h"
#include "../show/ladder.h"
#include "../show/svg.h"
#include "cli.h"

#define STOP		1

/* Browsers do not draw much more than that. */
#define SVG_HEIGHT_MAX	200000

struct ladder_command {
	const struct options *opts;
	struct ladder_view view;
	struct tcpfsm_ladders *ladders;
	struct svg *svg;
	int svg_y;
	uint64_t svg_left_out;
	uint64_t connections;
};

static void picture(struct ladder_command *c, const struct tcpfsm_ladder *l)
{
	if (c->svg_y > SVG_HEIGHT_MAX)
		c->svg_left_out++;
	else
		c->svg_y += ladder_svg(c->svg, c->svg_y, l, &c->view);
}

static int on_ladder(const struct tcpfsm_ladder *l, void *arg)
{
	struct ladder_command *c = arg;

	if (c->opts->json)
		ladder_json(c->opts->out, l);
	else
		ladder_text(c->opts->out, &c->view, l);
	if (c->svg)
		picture(c, l);
	return ++c->connections == c->opts->count || c->opts->out->error ? STOP : 0;
}

static int begin(void *arg, struct tcpfsm_follow *f, const struct tcpfsm_info *info,
		 struct tcpfsm_consumers *to)
{
	struct ladder_command *c = arg;
	const struct options *o = c->opts;
	struct tcpfsm_ladders_options lo = {
		.size = sizeof(lo), .conn = o->conn,
		.filter = o->given & OPT_FILTER ? &o->filter : NULL,
	};
	int rc;

	(void)f;
	(void)info;
	if (o->svg) {
		c->svg = svg_open(o->svg, LADDER_SVG_WIDTH, 0);
		if (!c->svg)
			return fail(-errno, o->svg);
		svg_style(c->svg, ladder_svg_css);
		svg_title(c->svg, "tcpfsm ladder");
	}
	rc = tcpfsm_ladders_new(&c->ladders, &lo);
	if (rc)
		return fail(rc, "ladders");
	to->ladders = c->ladders;
	if ((!o->replay || o->follow) && !o->json && out_is_terminal(c->opts->out))
		complain("a connection is shown when it has ended, TIME_WAIT included; "
			 "Ctrl-C shows the rest");
	return 0;
}

static int close_picture(struct ladder_command *c)
{
	int rc;

	if (c->svg_left_out)
		complain("%s: %" PRIu64 " connection%s left out, the picture is long enough; "
			 "choose some with -L, -D or --conn", c->opts->svg, c->svg_left_out,
			 c->svg_left_out == 1 ? "" : "s");
	svg_size(c->svg, LADDER_SVG_WIDTH, c->svg_y ? c->svg_y : 40);
	if (!c->svg_y)
		svg_text(c->svg, 16, 24, "start", "summary", "no connection");
	rc = svg_close(c->svg);
	return rc ? fail(rc, c->opts->svg) : 0;
}

static int end(void *arg, int rc)
{
	struct ladder_command *c = arg;
	uint64_t forgotten;

	(void)rc;
	tcpfsm_ladders_counts(c->ladders, NULL, &forgotten);
	if (forgotten && c->opts->out->error != -EPIPE)
		complain("%" PRIu64 " connection%s without a ladder: more at a time than can be "
			 "kept", forgotten, forgotten == 1 ? "" : "s");
	return c->svg ? close_picture(c) : 0;
}

static int run(const struct options *opts)
{
	static const struct tcpfsm_model_options mo = { .size = sizeof(mo) };
	static const struct view view = {
		.follow = { .snapshot = true, .model = &mo, .ladder = on_ladder },
		.shows = FEATURES_ALL, .begin = begin, .end = end,
	};
	struct ladder_command c = { .opts = opts };
	int status;

	/* Of the locale it is only the characters that matter: "." stays. */
	setlocale(LC_CTYPE, "");
	c.view = (struct ladder_view) {
		.wide = opts->wide, .time_of_day = opts->time_of_day,
		.glyphs = term_utf8() ? LADDER_UTF8 : LADDER_ASCII,
	};
	status = stream(opts, &view, &c);
	if (!status)
		tell_none(opts, "ladder", c.connections);
	tcpfsm_ladders_free(c.ladders);
	return status;
}

const struct command cmd_ladder = {
	.columns =
		"  left side   seconds since the connection began, and the state of the end that\n"
		"              is named first\n"
		"  middle      the segment, its sequence numbers counted from the initial ones; ?\n"
		"              at its head: not known whether it arrived; or what happened at one\n"
		"              end\n"
		"  right side  the state of the other end, if it is on this machine; synq and\n"
		"              acceptq: length/limit of the listener's queues\n",
	.examples =
		"  The next connection of a web server:\n"
		"    tcpfsm ladder -W -L 80 -c 1\n"
		"  Connections of a recording that an RST ended, as a picture, too:\n"
		"    tcpfsm ladder -r /var/tmp/lunch -C rcv_rst,snd_rst --svg resets.svg\n",
	.run = run,
};
