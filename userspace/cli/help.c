// SPDX-License-Identifier: GPL-2.0-only
/* The commands and their options, in words; and what was meant by a word that is none of them. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define OPTION_ROW(val, name, arg, flag, text)	{ val, name, arg, flag, text },
const struct option_text option_table[] = { OPTIONS(OPTION_ROW) };

#define COMMAND_ROW(name, args, text, options)	{ #name, args, text, options, &cmd_##name },
static const struct entry commands[] = { COMMANDS(COMMAND_ROW) };

#define NCOMMANDS	(sizeof(commands) / sizeof(commands[0]))

bool in_force(const struct option_text *o, const struct entry *of)
{
	bool own = of && o->flag & of->options;
	size_t i;

	for (i = 0; i < NOPTIONS; i++) {
		const struct option_text *other = &option_table[i];

		if (other == o || other->val != o->val)
			continue;
		if (other < o ? !own : of && other->flag & of->options)
			return false;
	}
	return true;
}

static bool takes(const struct entry *of, const struct option_text *o)
{
	return !o->flag || !of || o->flag & of->options;
}

const struct entry *command_by_name(const char *name)
{
	size_t i;

	for (i = 0; i < NCOMMANDS; i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	return NULL;
}

/* ---- help -------------------------------------------------------------------------- */

static void list_commands(struct out *o)
{
	size_t i;

	out_printf(o, "commands\n");
	for (i = 0; i < NCOMMANDS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%s %s", commands[i].name, commands[i].args);
		out_printf(o, "  %-12s %s\n", name, commands[i].text);
	}
	out_printf(o, "\ntcpfsm help COMMAND: its options, two examples, and what its columns mean.\n");
}

static void list_options(struct out *o, const struct entry *of)
{
	size_t i;

	out_printf(o, "options\n");
	for (i = 0; i < NOPTIONS; i++) {
		const struct option_text *t = &option_table[i];
		bool letter = t->val < 256;
		char name[40];

		if (!takes(of, t))
			continue;
		snprintf(name, sizeof(name), "%c%c%s --%s%s%s", letter ? '-' : ' ',
			 letter ? t->val : ' ', letter ? "," : " ", t->name, t->arg && *t->arg != '[' ? " " : "",
			 t->arg ? t->arg : "");
		out_printf(o, "  %-25s %s\n", name, t->text);
	}
}

int help(struct out *o, const struct entry *of)
{
	if (of) {
		out_printf(o, "usage: tcpfsm %s%s%s [OPTION...]%s\n\n  %s\n\n", of->name,
			   *of->args ? " " : "", of->args, of->options & OPT_NETNS ? " [FILTER]" : "", of->text);
		out_printf(o, "examples\n");
		out_write(o, of->command->examples, strlen(of->command->examples));
		out_printf(o, "\nwhat is shown\n");
		out_write(o, of->command->columns, strlen(of->command->columns));
		out_printf(o, "\n");
	} else {
		out_printf(o, "usage: tcpfsm COMMAND [OPTION...] [FILTER]\n\n"
			   "The TCP state machine of this machine, as it moves.\n\n");
		list_commands(o);
		out_printf(o, "\n");
	}
	list_options(o, of);
	if (!of || of->options & OPT_NETNS)
		out_printf(o, "\nfilter, as in ss: dst 10.0.0.0/8 and ( dport = :443 or not comm nginx )\n"
			   "  src dst host  ADDRESS[/BITS][:PORT]     sport dport port  PORT, LOW-HIGH,\n"
			   "  comm pid netns cgroup container           a service; also != < > <= >=\n"
			   "  state cause ipv4 ipv6                   and or not ( ); tcpfsm(8) has more\n");
	out_printf(o, "\nexit status: 0 done, 1 error, 2 usage, 3 module not loaded, "
		   "4 ABI mismatch,\n5 no permission, 6 recording not complete.  See tcpfsm%s%s(8).\n", of ? "-" : "",
		   of ? of->name : "");
	return close_stdout(o);
}

int help_first(struct out *o)
{
	char load[TCPFSM_LOAD_COMMAND_MAX];

	out_printf(o, "The TCP state machine of this machine, as it moves.  ");
	if (access(TCPFSM_DEVICE, F_OK))
		out_printf(o, "The module is not loaded; first:\n  %s\nThen, in an incident:\n",
			   tcpfsm_load_command(load));
	else
		out_printf(o, "In an incident:\n");
	out_printf(o,
		   "  tcpfsm explain         what is wrong, and what to do now\n"
		   "  tcpfsm top             everything on one live screen\n"
		   "  tcpfsm listen -w 1     who refuses clients, and which limit bites\n"
		   "  tcpfsm timewait -w 1   who fills TIME_WAIT, and when ports run out\n"
		   "  tcpfsm trace -L 443    what happens to the clients of port 443, line by line\n\n");
	list_commands(o);
	return close_stdout(o);
}

/* ---- words that are none ------------------------------------------------------------ */

#define WORD_MAX	32

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Letters that are wrong, missing, too many, or swapped with the next one. */
static unsigned int mistakes(const char *a, const char *b)
{
	unsigned int d[WORD_MAX + 1][WORD_MAX + 1];
	size_t na = strlen(a), nb = strlen(b), i, j;

	if (na > WORD_MAX || nb > WORD_MAX)
		return WORD_MAX;
	for (i = 0; i <= na; i++) {
		for (j = 0; j <= nb; j++) {
			if (!i || !j) {
				d[i][j] = (unsigned int)(i + j);
				continue;
			}
			d[i][j] = least(d[i - 1][j - 1] + (a[i - 1] != b[j - 1]),
					least(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[na][nb];
}

/* Its beginning, or nearly it. */
static bool meant(const char *word, const char *name)
{
	size_t len = strlen(word);

	return len && (!strncmp(word, name, len) || mistakes(word, name) <= (len < 5 ? 1 : 2));
}

struct list {
	char s[512];
};

static void add(struct list *l, const char *separator, const char *before, const char *word)
{
	size_t len = strlen(l->s);

	snprintf(l->s + len, sizeof(l->s) - len, "%s%s%s", len ? separator : "", before, word);
}

int unknown_command(const char *word)
{
	struct list all = { "" }, near = { "" };
	size_t i;

	for (i = 0; i < NCOMMANDS; i++) {
		add(&all, ", ", "", commands[i].name);
		if (word && meant(word, commands[i].name))
			add(&near, " or ", "", commands[i].name);
	}
	if (!word)
		complain("no command; use one of: %s", all.s);
	else if (*near.s)
		complain("%s: unknown command; did you mean %s? See tcpfsm help", word, near.s);
	else
		complain("%s: unknown command; use one of: %s", word, all.s);
	return EXIT_USAGE;
}

int unknown_option(const char *word, const struct entry *of)
{
	struct list all = { "" }, near = { "" };
	bool is_long = !strncmp(word, "--", 2);
	char name[WORD_MAX + 2] = "";
	size_t i;

	if (is_long)
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
	for (i = 0; i < NOPTIONS; i++) {
		const struct option_text *t = &option_table[i];
		char letter[2] = { t->val < 256 ? (char)t->val : '\0' };

		if (!takes(of, t) || !in_force(t, of))
			continue;
		if (is_long || *letter)
			add(&all, " ", is_long ? "--" : "-", is_long ? t->name : letter);
		if (meant(name, t->name))
			add(&near, " or ", "--", t->name);
	}
	if (*near.s)
		complain("%s: unknown option; did you mean %s? See tcpfsm help%s%s", word, near.s,
			 of ? " " : "", of ? of->name : "");
	else
		complain("%s: unknown option; use one of: %s", word, all.s);
	return EXIT_USAGE;
}
