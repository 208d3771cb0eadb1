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

/* The command that the options are for; NULL: not known. */
static const struct entry *command;

static const struct option_text *option_text(int val)
{
	size_t i;

	for (i = 0; i < NOPTIONS; i++)
		if (option_table[i].val == val && in_force(&option_table[i], command))
			return &option_table[i];
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
		const struct option_text *o = &option_table[i];

		if (!in_force(o, command))
			continue;
		*l++ = (struct option) {
			.name = o->name,
			.has_arg = !o->arg ? no_argument : *o->arg == '[' ? optional_argument : required_argument,
			.val = o->val,
		};
		if (o->val < 256)
			s += sprintf(s, "%c%s", o->val, o->arg ? ":" : "");
	}
	*s = '\0';
	*l = (struct option) { .name = NULL };
}

/* The first argument that is a command: what the options are depends on it. */
static const struct entry *look_for_command(int argc, char **argv)
{
	const struct entry *found = NULL;
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
	complain("%s: %s; see tcpfsm help%s%s", what, why, command ? " " : "",
		 command ? command->name : "");
	return EXIT_USAGE;
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

/* Bytes, with a letter of 1024s. */
static bool parse_size(const char *s, uint64_t *bytes)
{
	static const char letters[] = "KMGT";
	const char *end, *letter;

	if (!parse_u64(s, &end, 1, 1ULL << 52, bytes) || !*end || end[1])
		return false;
	letter = strchr(letters, *end);
	if (!letter || *bytes > 1ULL << 52 >> 10 * (letter - letters + 1))
		return false;
	*bytes <<= 10 * (letter - letters + 1);
	return true;
}

static bool parse_time(const char *s, uint64_t *ns)
{
	static const struct {
		char letter;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	const char *end;
	uint64_t n;
	size_t i;

	if (!parse_u64(s, &end, 1, 1000000000, &n) || !*end || end[1])
		return false;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (units[i].letter != *end || n > 1000000000 / units[i].seconds)
			continue;
		*ns = n * units[i].seconds * NSEC_PER_SEC;
		return true;
	}
	return false;
}

/* Chunks of less would be mostly what each begins with. */
#define KEEP_BYTES_MIN	(8ULL << 20)
#define KEEP_NS_MIN	(60 * NSEC_PER_SEC)

static const char *parse_keep(struct options *o, const char *s)
{
	if (parse_size(s, &o->keep_bytes))
		return o->keep_bytes < KEEP_BYTES_MIN ? "less than 8M" : NULL;
	if (parse_time(s, &o->keep_ns))
		return o->keep_ns < KEEP_NS_MIN ? "less than 60s" : NULL;
	return "neither a size (500M, 20G) nor a time (30m, 12h, 7d)";
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

/* What places are called, before a filter asks.  What is wrong with a recording is told when it is read. */
static void take_names(const struct options *o)
{
	if (!o->replay) {
		out_is_here();
		return;
	}
	(void)!tcpfsm_names_recorded(o->second ? NULL : o->replay);
	out_is_recorded();
}

/* What a command can ask of what it shows. */
static uint32_t answers(const struct entry *cmd)
{
	return (cmd->options & OPT_NETNS ? TCPFSM_ASKS_NETNS : 0U) |
	       (cmd->options & OPT_SOCKET ? TCPFSM_ASKS_FAMILY | TCPFSM_ASKS_LOCAL : 0U) |
	       (cmd->options & OPT_OWNER ? TCPFSM_ASKS_OWNER | TCPFSM_ASKS_CGROUP : 0U) |
	       (cmd->options & OPT_PEER ? (uint32_t)TCPFSM_ASKS_PEER : 0U) |
	       (cmd->options & OPT_EVENT ? TCPFSM_ASKS_STATE | TCPFSM_ASKS_CAUSE : 0U);
}

/* The words after the options.  0 or the exit status. */
static int take_filter(struct options *o, const struct entry *cmd, char **words)
{
	char text[TCPFSM_FILTER_TEXT] = "", why[512];
	uint32_t asks;
	size_t len = 0;

	for (; *words; words++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? " " : "", *words);
		if (len >= sizeof(text))
			return usage("filter", "too long");
	}
	if (tcpfsm_filter_and(&o->filter, text, why, sizeof(why)))
		return usage("filter", why);
	asks = tcpfsm_filter_asks(&o->filter);
	o->given |= asks ? OPT_FILTER : 0;
	if (asks & ~answers(cmd))
		complain("%s: what the filter says of %s has no effect here", cmd->name,
			 cmd->options & OPT_PEER ? "processes, states and causes" :
			 cmd->options & OPT_SOCKET ? "peers, states and causes" : "anything but netns");
	return 0;
}

/* One option.  0 or the exit status after an error was told. */
static int take_option(struct options *o, int val, const char *arg)
{
	const char *why = NULL;
	char name[32], wrong[512];

	switch (val) {
	case '4':
	case '6':
	case 'L':
	case 'D':
	case 'p':
	case 's':
	case 'C':
		if (tcpfsm_filter_set(&o->filter, option_text(val)->name, arg, wrong,
				      sizeof(wrong)))
			why = wrong;
		break;
	case 'N':
		o->netns = arg;
		break;
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
		if (o->second)
			why = "two recordings at most";
		else if (o->replay)
			o->second = arg;
		else
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
		bool order = option_text(val)->flag == OPT_ORDER;
		int by = order ? tcpfsm_connect_sort_by_name(arg, strlen(arg)) :
				 tcpfsm_timewait_sort_by_name(arg, strlen(arg));

		if (by < 0)
			why = order ? "not one of attempts, failed, progress, slow, resent, resets, live, ports" : "not one of " SORTS;
		else
			o->sort = (unsigned int)by;
		break;
	}
	case LONG_BY: {
		int by = tcpfsm_connect_by_by_name(arg, strlen(arg));

		if (by < 0)
			why = "not one of destination, host, net, port, process, container";
		else
			o->by = (enum tcpfsm_connect_by)by;
		break;
	}
	case 'v':
		o->verbose = true;
		break;
	case LONG_EXIT_CODE:
		o->exit_code = true;
		break;
	case LONG_KEEP:
		why = parse_keep(o, arg);
		break;
	case LONG_MAX_SIZE:
		why = parse_size(arg, &o->max_bytes) ? NULL : "not a size (500M, 20G)";
		break;
	case LONG_ON_FINDING:
		o->on_finding = true;
		o->severity = arg && !strcmp(arg, "warning") ? TCPFSM_SEVERITY_WARNING : TCPFSM_SEVERITY_CRITICAL;
		if (arg && o->severity == TCPFSM_SEVERITY_CRITICAL && strcmp(arg, "critical"))
			why = "neither critical nor warning";
		break;
	case LONG_AFTER:
		why = parse_duration(arg, &o->after);
		break;
	case LONG_DUMP:
		o->duration = 0;
		break;
	case LONG_COMPRESS:
		o->compress = true;
		break;
	case LONG_UNPACK:
		o->unpack = true;
		break;
	case LONG_STRICT:
		o->strict = true;
		break;
	case LONG_FOLLOW:
		o->follow = true;
		break;
	case LONG_WHAT_IF:
		if (o->nwhat_if == WHAT_IF_MAX)
			why = "more of these than can be replayed at a time";
		else
			why = tcpfsm_setting_parse(&o->what_if[o->nwhat_if++], arg);
		break;
	case LONG_BUSY:
		o->busy = true;
		break;
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
	case LONG_LISTEN:
		o->listen = arg;
		break;
	case LONG_LEDGER:
		o->ledger = true;
		break;
	case LONG_STDOUT:
		o->to_stdout = true;
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
	const char *word = argv[optind - 1];
	char name[32];

	if (opt == ':')
		return usage(option_name(optopt, name), "needs an argument");
	if (optopt > 0 && optopt < 256 && !option_text(optopt)) {
		snprintf(name, sizeof(name), "-%c", optopt);
		return unknown_option(name, command);
	}
	return optopt ? usage(word, "takes no argument") : unknown_option(word, command);
}

/* An option that means nothing here is no error in a habit; it is told. */
static void tell_useless(const struct options *o, const struct entry *cmd)
{
	size_t i;
	char name[32];
	unsigned int useless = o->given & ~cmd->options;

	if (o->replay)
		useless |= o->given & (OPT_FOLLOW_NEW | (o->follow ? 0U : (unsigned int)OPT_INTERVAL));
	for (i = 0; i < NOPTIONS; i++) {
		const char *others = "";

		if (!(option_table[i].flag & useless))
			continue;
		if (option_table[i].flag & OPT_FILTER)
			others = cmd->options & OPT_SOCKET ? " (or -s, -C)" :
				 cmd->options & OPT_NETNS ? " (as every filter but -N)" :
							    " (as every filter)";
		complain("%s: %s%s has no effect here", cmd->name, option_name(option_table[i].val, name),
			 others);
		if (option_table[i].flag & OPT_FILTER)
			useless &= ~(unsigned int)OPT_FILTER;
		useless &= ~option_table[i].flag;
	}
}

int main(int argc, char **argv)
{
	struct options o = {
		.filter = { .size = sizeof(o.filter) }, .duration = UINT64_MAX, .out = &out,
		.after = 60 * NSEC_PER_SEC,
	};
	const struct entry *cmd = NULL;
	struct option_tables tables;
	bool want_help = false;
	int opt, status, rest;

	catch_signals();
	out_to_file(&out, STDOUT_FILENO);
	if (argc == 1)
		return help_first(&out);
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

	/* "help COMMAND" is "COMMAND --help". */
	if (optind < argc && !strcmp(argv[optind], "help")) {
		want_help = true;
		if (++optind + 1 < argc)
			return usage(argv[optind + 1], "one argument too many");
	}
	if (optind < argc)
		cmd = command_by_name(argv[optind]);
	if (!cmd && (optind < argc || !want_help))
		return unknown_command(argv[optind]);
	if (want_help)
		return help(&out, cmd);
	rest = optind + 1;
	if (*cmd->args) {
		if (rest == argc || !*argv[rest])
			return usage(cmd->name, !strcmp(cmd->args, "DIR") ? "needs a directory to write to" :
									    "needs a file to write to");
		o.file = argv[rest++];
	}
	if (rest < argc && !(cmd->options & OPT_NETNS))
		return usage(argv[rest], "one argument too many");
	if (o.replay && !(cmd->options & OPT_READ))
		return usage(cmd->name, "reads the device, not a recording: no -r");
	if (o.second && !(cmd->options & OPT_TWO))
		return usage(cmd->name, "reads one recording at a time");
	if (o.follow && (!o.replay || o.second))
		return usage("--follow", o.replay ? "of one recording at a time" : "of a recording: give it with -r");
	tell_useless(&o, cmd);
	take_names(&o);
	status = o.netns ? parse_netns(o.netns, &o.filter) : 0;
	if (!status && rest < argc)
		status = take_filter(&o, cmd, &argv[rest]);
	if (status)
		return status;
	return cmd->command->run(&o);
}
