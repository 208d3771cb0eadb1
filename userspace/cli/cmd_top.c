// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm top: all of it on one screen; tui/loop.c runs it. */
#include <errno.h>
#include <locale.h>
#include <stdlib.h>

#include "../tui/loop.h"
#include "cli.h"

static int open_terminal(void)
{
	const char *term = getenv("TERM");

	if (!term_open())
		return 0;
	complain("top: this terminal cannot show it (TERM is %s); set TERM to what it is, or use "
		 "tcpfsm trace, conns, listen -w 1", term && *term ? term : "not set");
	return EXIT_ERROR;
}

/* What ended it, once the terminal is as it was. */
static int tell_end(const struct loop *l, const struct options *opts, int rc)
{
	const char *device = opts->device ? opts->device : TCPFSM_DEVICE;
	char load[TCPFSM_LOAD_COMMAND_MAX];

	if (rc > 0) {
		complain("top: the terminal has gone");
		return EXIT_ERROR;
	}
	if (opts->replay && (rc < 0 || l->damaged))
		return fail_replay(rc < 0 ? rc : -EBADMSG, opts,
				   l->follow ? tcpfsm_source_error(l->src) :
					       "cannot be read again");
	if (rc == -ENODEV) {
		complain("%s: the module has gone; load it again: %s", device, tcpfsm_load_command(load));
		return EXIT_NOT_LOADED;
	}
	return rc ? fail(rc, device) : EXIT_DONE;
}

static int run(const struct options *opts)
{
	static struct loop loop;
	struct loop *l = &loop;
	int status, rc;

	if (!out_is_terminal(opts->out)) {
		complain("top: needs a terminal; tcpfsm trace, conns, listen and timewait write "
			 "to files and pipes");
		return EXIT_ERROR;
	}
	setlocale(LC_CTYPE, "");
	/* What is followed is as good as live: it is this machine's, and a second old. */
	l->replay = opts->follow ? NULL : opts->replay;
	loop_wants(l);
	status = open_follow(&l->follow, opts, &l->wants, &l->u.info);
	if (status)
		return status;
	l->filter = opts->filter;
	l->filtered = opts->given & OPT_FILTER;
	l->end_at = opts->duration == UINT64_MAX ? UINT64_MAX : monotonic_ns() + opts->duration;
	l->interrupted = &interrupted;
	rc = loop_begin(l);
	status = rc ? fail(rc, "top") : open_terminal();
	if (!status) {
		rc = loop_run(l);
		term_close();
		status = tell_end(l, opts, rc);
		if (l->follow)
			tell_losses(l->src, l->u.model);
		if (l->follow && !status)
			status = tell_missing(l->src, opts, status);
	}
	loop_end(l);
	tcpfsm_follow_close(l->follow);
	return status;
}

const struct command cmd_top = {
	.columns =
		"  1 to 7, Tab the views: Overview, Listeners, TIME_WAIT, Connections, Diagram,\n"
		"              Log, Out; columns as in help of listen, timewait, conns, trace\n"
		"              and connect\n"
		"  Enter       more of the row: a finding with its proof, a connection's ladder,\n"
		"              connections to a destination; Backspace leads back\n"
		"  / n N       search, next, the one before\n"
		"  f           filter, as in: dst 10.0.0.0/8 and not comm nginx\n"
		"  s < > S     sort by another column; S turns the order round\n"
		"  space ? q   pause, help, leave\n",
	.examples =
		"  All of it, live:\n"
		"    tcpfsm top\n"
		"  A recording, played:\n"
		"    tcpfsm top -r /var/tmp/lunch\n",
	.run = run,
};
