// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm: options, and which command they are for. */
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "number.h"

static const struct command * const commands[] = {
	&cmd_trace, &cmd_conns, &cmd_ladder, &cmd_diagram, &cmd_listen, &cmd_timewait,
	&cmd_explain, &cmd_top, &cmd_check, &cmd_record, &cmd_info,
};

#define NCOMMANDS	(sizeof(commands) / sizeof(commands[0]))

volatile sig_atomic_t interrupted;

static struct out out;

static void on_signal(int sig)
{
	interrupted = sig;
}

void catch_signals(void)
{
	/* The second one kills, should the end take too long. */
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	/* A closed pipe is told by write(). */
	signal(SIGPIPE, SIG_IGN);
}

/* ---- options ---------------------------------------------------------------------- */

enum {
	LONG_JSON = 256,
	LONG_RAW,
	LONG_DEVICE,
	LONG_SVG,
	LONG_CONN,
	LONG_HISTOGRAM,
	LONG_SORT,
};

#define SORTS "population, in, out, growth, ports, failed"

/* X(short or LONG_*, long, argument, OPT_*, text); of two that share a letter, see in_force() */
#define OPTIONS(X) \
	X('L', "lport",	    "PORTS",  OPT_SOCKET,     "only these local ports (comma-separated)") \
	X('D', "rport",	    "PORTS",  OPT_EVENT,      "only these remote ports") \
	X('4', "ipv4",	    NULL,     OPT_SOCKET,     "only IPv4 (mapped addresses included)") \
	X('6', "ipv6",	    NULL,     OPT_SOCKET,     "only IPv6") \
	X('p', "pid",	    "PID",    OPT_SOCKET,     "only connections of this process") \
	X('N', "netns",	    "NETNS",  OPT_NETNS,      "only this network namespace: inode, name or path") \
	X('s', "state",	    "STATES", OPT_EVENT,      "only events in, into or out of these states") \
	X('C', "cause",	    "CAUSES", OPT_EVENT,      "only transitions with these causes") \
	X('T', "time",	    NULL,     OPT_TIME,	      "time of day instead of seconds since the start") \
	X('c', "count",	    "N",      OPT_COUNT,      "stop after N events, ladders, readings, records") \
	X('d', "duration",  "SECONDS", OPT_DURATION,  "stop after so many seconds") \
	X('r', "read",	    "DIR",    OPT_READ,	      "work from a recording instead of the device") \
	X('W', "follow-new", NULL,    OPT_FOLLOW_NEW, "leave out what the flight recorder holds") \
	X('w', "wide",	    NULL,     OPT_WIDE,	      "owner and local address too, however wide") \
	X('w', "interval",  "SECONDS", OPT_INTERVAL,  "show it again every so many seconds") \
	X('n', "top",	    "N",      OPT_TOP,	      "so many rows of each table") \
	X(LONG_SORT, "sort", "KEY",   OPT_SORT,	      "rows by " SORTS) \
	X(LONG_HISTOGRAM, "histogram", NULL, OPT_HISTOGRAM, "queue lengths and times as histograms") \
	X(LONG_CONN, "conn", "COOKIE", OPT_CONN,      "only this socket's: decimal, or sk:HEX as ss -e") \
	X(LONG_SVG, "svg",  "FILE",   OPT_SVG,	      "write a picture, too") \
	X(LONG_JSON, "json", NULL,    OPT_JSON,	      "one JSON object per line") \
	X(LONG_RAW, "raw",  NULL,     OPT_RAW,	      "the kernel's own view, artefacts included") \
	X(LONG_DEVICE, "device", "PATH", 0,	      "instead of " TCPFSM_DEVICE) \
	X('h', "help",	    NULL,     0,	      "this text") \
	X('V', "version",   NULL,     0,	      "version")

struct option_text {
	int val;
	const char *name, *arg;
	unsigned int flag;
	const char *text;
};

#define OPTION_TEXT(val, name, arg, flag, text)	{ val, name, arg, flag, text },
static const struct option_text texts[] = { OPTIONS(OPTION_TEXT) };

#define NOPTIONS	(sizeof(texts) / sizeof(texts[0]))

/* The command that the options are for; NULL: not known. */
static const struct command *command;

/* Of two options that share a letter: the command's own, else the first. */
static bool in_force(const struct option_text *o)
{
	bool own = command && o->flag & command->options;
	size_t i;

	for (i = 0; i < NOPTIONS; i++) {
		const struct option_text *other = &texts[i];

		if (other == o || other->val != o->val)
			continue;
		if (other < o ? !own : command && other->flag & command->options)
			return false;
	}
	return true;
}

static const struct option_text *option_text(int val)
{
	size_t i;

	for (i = 0; i < NOPTIONS; i++)
		if (texts[i].val == val && in_force(&texts[i]))
			return &texts[i];
	return NULL;
}

/* For getopt_long(); @order: '-': do not sort the arguments. */
struct option_tables {
	char shorts[2 * NOPTIONS + 3];
	struct option longs[NOPTIONS + 1];
};

static void make_tables(struct option_tables *t, const char *order)
{
	struct option *l = t->longs;
	char *s = t->shorts;
	size_t i;

	s += sprintf(s, "%s:", order);
	for (i = 0; i < NOPTIONS; i++) {
		const struct option_text *o = &texts[i];

		if (!in_force(o))
			continue;
		*l++ = (struct option) {
			.name = o->name,
			.has_arg = o->arg ? required_argument : no_argument,
			.val = o->val,
		};
		if (o->val < 256)
			s += sprintf(s, "%c%s", o->val, o->arg ? ":" : "");
	}
	*s = '\0';
	*l = (struct option) { .name = NULL };
}

static const struct command *command_by_name(const char *name)
{
	size_t i;

	for (i = 0; i < NCOMMANDS; i++)
		if (!strcmp(name, commands[i]->name))
			return commands[i];
	return NULL;
}

/* The first argument that is a command: what the options are depends on it. */
static const struct command *look_for_command(int argc, char **argv)
{
	const struct command *found = NULL;
	struct option_tables t;
	int opt;

	make_tables(&t, "-");
	while (!found && (opt = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1)
		if (opt == 1)
			found = command_by_name(optarg);
	while (!found && optind < argc)
		found = command_by_name(argv[optind++]);
	optind = 0;
	return found;
}

/* "-L" or "--json", as it is written in messages. */
static const char *option_name(int val, char buf[32])
{
	const struct option_text *o = option_text(val);

	if (val < 256)
		snprintf(buf, 32, "-%c", val);
	else
		snprintf(buf, 32, "--%s", o ? o->name : "");
	return buf;
}

static int usage(const char *what, const char *why)
{
	complain("%s: %s; see tcpfsm -h", what, why);
	return EXIT_USAGE;
}

static const char *command_names(void)
{
	static char names[128];
	size_t i;

	names[0] = '\0';
	for (i = 0; i < NCOMMANDS; i++) {
		strcat(names, i ? ", " : "");
		strcat(names, commands[i]->name);
	}
	return names;
}

static int help(const struct command *cmd)
{
	unsigned int all = ~0U;
	size_t i;

	if (cmd) {
		out_printf(&out, "usage: tcpfsm %s%s%s [OPTION...]\n\n  %s\n\n", cmd->name,
			   *cmd->args ? " " : "", cmd->args, cmd->text);
		all = cmd->options;
	} else {
		out_printf(&out, "usage: tcpfsm COMMAND [OPTION...]\n\n"
			   "The TCP state machine of this machine, as it moves.\n\ncommands\n");
		for (i = 0; i < NCOMMANDS; i++) {
			char name[32];

			snprintf(name, sizeof(name), "%s %s", commands[i]->name, commands[i]->args);
			out_printf(&out, "  %-12s %s\n", name, commands[i]->text);
		}
		out_printf(&out, "\n");
	}
	out_printf(&out, "options\n");
	for (i = 0; i < NOPTIONS; i++) {
		const struct option_text *o = &texts[i];
		char name[40];

		if (o->flag && !(o->flag & all))
			continue;
		snprintf(name, sizeof(name), "%c%c%s --%s%s%s", o->val < 256 ? '-' : ' ',
			 o->val < 256 ? o->val : ' ', o->val < 256 ? "," : " ", o->name,
			 o->arg ? " " : "", o->arg ? o->arg : "");
		out_printf(&out, "  %-25s %s\n", name, o->text);
	}
	out_printf(&out, "\nexit status: 0 done, 1 error, 2 usage, 3 module not loaded, "
		   "4 ABI mismatch,\n5 no permission.  See tcpfsm(8).\n");
	return close_stdout(&out);
}

static int version(void)
{
	out_printf(&out, "tcpfsm %s (ABI %u)\n", TCPFSM_VERSION, TCPFSM_ABI_VERSION);
	return close_stdout(&out);
}

/* ---- arguments ---------------------------------------------------------------------- */

/* As JSON has it, or in hex as "ss -e" does; there, too, digits alone are decimal. */
static const char *parse_cookie(const char *s, uint64_t *cookie)
{
	const char *hex = !strncmp(s, "sk:", 3) ? s + 3 : !strncmp(s, "0x", 2) ? s + 2 : NULL;

	if (!hex && s[strspn(s, "0123456789")])
		hex = s;
	if (!hex)
		return parse_number(s, 1, UINT64_MAX, cookie) ? NULL : "not a socket cookie";
	if (!*hex || strlen(hex) > 16 || strspn(hex, "0123456789abcdefABCDEF") != strlen(hex))
		return "not a socket cookie";
	*cookie = strtoull(hex, NULL, 16);
	return *cookie ? NULL : "not a socket cookie";
}

static const char *parse_duration(const char *s, uint64_t *ns)
{
	char *end;
	double v;

	/* Not what strtod() would take besides: hex, "inf", blanks. */
	if (!*s || strspn(s, "0123456789.") != strlen(s))
		return "not a number of seconds";
	v = strtod(s, &end);
	if (*end || end == s || !isfinite(v))
		return "not a number of seconds";
	if (v > 1e9)
		return "more than 1000000000 seconds";
	*ns = (uint64_t)(v * (double)NSEC_PER_SEC);
	return NULL;
}

static const char *parse_interval(const char *s, uint64_t *ns)
{
	const char *why = parse_duration(s, ns);

	return why ? why : *ns < NSEC_PER_SEC / 10 ? "less than 0.1 seconds" : NULL;
}

/* Beyond it there is no path of one. */
#define NETNS_NAME_MAX	(PATH_MAX - sizeof("/run/netns/"))

/* 0 or the exit status. */
static int parse_netns(const char *s, struct tcpfsm_filter *f)
{
	char why[128];

	if (!tcpfsm_filter_set(f, "netns", s, why, sizeof(why)))
		return 0;
	if (strlen(s) >= NETNS_NAME_MAX)
		return usage("-N", why);
	complain("-N %s: %s; give an inode, a name of ip netns or a path like /proc/PID/ns/net",
		 s, why);
	return EXIT_ERROR;
}

/* One option.  0 or the exit status after an error was told. */
static int take_option(struct options *o, int val, const char *arg)
{
	static unsigned int families;
	const char *why = NULL;
	char name[32], wrong[128];

	switch (val) {
	case '4':
	case '6':
		/* Both together are no restriction, however often. */
		families |= val == '4' ? 1 : 2;
		o->filter.family = families == 3 ? 0 : (uint8_t)(val - '0');
		break;
	case 'L':
	case 'D':
	case 'p':
	case 's':
	case 'C':
		if (tcpfsm_filter_set(&o->filter, option_text(val)->name, arg, wrong,
				      sizeof(wrong)))
			why = wrong;
		break;
	case 'N': {
		int status = parse_netns(arg, &o->filter);

		if (status)
			return status;
		break;
	}
	case 'T':
		o->time_of_day = true;
		break;
	case 'c':
		if (!parse_number(arg, 1, UINT64_MAX, &o->count))
			why = "not a number of at least 1";
		break;
	case 'n':
		if (!parse_number(arg, 1, 1000000, &o->top))
			why = "not a number from 1 to 1000000";
		break;
	case 'd':
		why = parse_duration(arg, &o->duration);
		break;
	case 'r':
		o->replay = arg;
		if (!*arg)
			why = "no directory";
		break;
	case 'W':
		o->follow_new = true;
		break;
	case 'w':
		if (!arg)
			o->wide = true;
		else
			why = parse_interval(arg, &o->interval);
		break;
	case LONG_SORT: {
		int by = tcpfsm_timewait_sort_by_name(arg, strlen(arg));

		if (by < 0)
			why = "not one of " SORTS;
		else
			o->sort = (enum tcpfsm_timewait_sort)by;
		break;
	}
	case LONG_HISTOGRAM:
		o->histogram = true;
		break;
	case LONG_CONN:
		why = parse_cookie(arg, &o->conn);
		break;
	case LONG_SVG:
		o->svg = arg;
		if (!*arg)
			why = "no file name";
		break;
	case LONG_JSON:
		o->json = true;
		break;
	case LONG_RAW:
		o->raw = true;
		break;
	case LONG_DEVICE:
		o->device = arg;
		break;
	}
	if (why) {
		char what[128];

		snprintf(what, sizeof(what), "%s %s", option_name(val, name), arg);
		return usage(what, why);
	}
	o->given |= option_text(val)->flag;
	return 0;
}

/* What the getopt family says with '?' and ':'. */
static int bad_option(int opt, char **argv)
{
	char name[32];

	if (opt == ':')
		return usage(option_name(optopt, name), "needs an argument");
	if (optopt > 0 && optopt < 256 && !option_text(optopt)) {
		snprintf(name, sizeof(name), "-%c", optopt);
		return usage(name, "unknown option");
	}
	return usage(argv[optind - 1], optopt ? "takes no argument" : "unknown option");
}

/* An option that means nothing here is no error in a habit; it is told. */
static void tell_useless(const struct options *o, const struct command *cmd)
{
	size_t i;
	char name[32];
	unsigned int useless = o->given & ~cmd->options;

	if (o->replay)
		useless |= o->given & (OPT_FOLLOW_NEW | OPT_INTERVAL);
	for (i = 0; i < NOPTIONS; i++) {
		const char *others = "";

		if (!(texts[i].flag & useless))
			continue;
		if (texts[i].flag & OPT_FILTER)
			others = cmd->options & OPT_SOCKET ? " (or -s, -C)" :
				 cmd->options & OPT_NETNS ? " (as every filter but -N)" :
							    " (as every filter)";
		complain("%s: %s%s has no effect here", cmd->name, option_name(texts[i].val, name),
			 others);
		if (texts[i].flag & OPT_FILTER)
			useless &= ~(unsigned int)OPT_FILTER;
		useless &= ~texts[i].flag;
	}
}

int main(int argc, char **argv)
{
	struct options o = {
		.filter = { .size = sizeof(o.filter) }, .duration = UINT64_MAX, .out = &out,
	};
	const struct command *cmd = NULL;
	struct option_tables tables;
	bool want_help = false;
	int opt, status, rest;

	catch_signals();
	out_to_file(&out, STDOUT_FILENO);
	opterr = 0;
	command = look_for_command(argc, argv);
	make_tables(&tables, "");
	while ((opt = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
		if (opt == '?' || opt == ':')
			return bad_option(opt, argv);
		if (opt == 'V')
			return version();
		want_help |= opt == 'h';
		status = take_option(&o, opt, optarg);
		if (status)
			return status;
	}

	if (optind < argc)
		cmd = command_by_name(argv[optind]);
	if (want_help && (cmd || optind == argc))
		return help(cmd);
	if (!cmd) {
		if (optind < argc)
			complain("%s: unknown command; use one of: %s", argv[optind], command_names());
		else
			complain("no command; use one of: %s", command_names());
		return EXIT_USAGE;
	}

	rest = optind + 1;
	if (*cmd->args) {
		if (rest == argc || !*argv[rest])
			return usage(cmd->name, "needs a directory to write to");
		o.dir = argv[rest++];
	}
	if (rest < argc)
		return usage(argv[rest], "one argument too many");
	if (o.replay && !(cmd->options & OPT_READ))
		return usage(cmd->name, "reads the device, not a recording: no -r");
	tell_useless(&o, cmd);
	return cmd->run(&o);
}
