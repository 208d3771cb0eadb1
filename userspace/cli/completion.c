// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints the words of the command line as variables of a shell, for completion.sh: a line a word.
 * It runs where tcpfsm is built, which need not be where tcpfsm will run.
 */
#include <stdio.h>
#include <string.h>

#include "filter.h"
#include "words.h"

static const struct {
	const char *name, *args, *text;
	unsigned int options;
} commands[] = {
#define COMMAND_ROW(name, args, text, options)	{ #name, args, text, options },
	COMMANDS(COMMAND_ROW)
};

static const struct {
	int val;
	const char *name, *arg;
	unsigned int flag;
	const char *text;
} options[] = {
#define OPTION_ROW(val, name, arg, flag, text)	{ val, name, arg, flag, text },
	OPTIONS(OPTION_ROW)
};

#define COUNT(table)	(sizeof(table) / sizeof((table)[0]))

/* Within ''. */
static void put(const char *s)
{
	for (; *s; s++)
		if (*s == '\'')
			printf("'\\''");
		else
			putchar(*s);
}

static void put_option(size_t n)
{
	const char *comma = "";
	size_t i;

	if (options[n].val < 256)
		printf("-%c", options[n].val);
	else
		printf("-");
	printf(" --%s %s ", options[n].name, options[n].arg ? options[n].arg : "-");
	for (i = 0; i < COUNT(commands); i++)
		if (!options[n].flag || options[n].flag & commands[i].options) {
			printf("%s%s", comma, commands[i].name);
			comma = ",";
		}
	putchar(' ');
	put(options[n].text);
	putchar('\n');
}

int main(void)
{
	size_t i;

	printf("_tcpfsm_commands='\n");
	for (i = 0; i < COUNT(commands); i++) {
		printf("%s %s ", commands[i].name, *commands[i].args ? commands[i].args : "-");
		put(commands[i].text);
		putchar('\n');
	}
	printf("help - options of a command, examples, what its columns mean\n'\n");

	printf("# letter, name, argument, commands, text\n_tcpfsm_options='\n");
	for (i = 0; i < COUNT(options); i++)
		put_option(i);
	printf("'\n");

#define WORD_OF_TWO(sym, name)		"\n" name
#define WORD_OF_THREE(sym, n, name)	"\n" name
#define WORD_OF_FILTER(name, kind, arg, text)	"\n" #name "\t" text
#define WORD_SETTING(sym, name, value)	"\n" name "="
	printf("_tcpfsm_states='%s\n'\n", TCPFSM_STATES(WORD_OF_THREE));
	printf("_tcpfsm_causes='%s\n'\n", TCPFSM_CAUSES(WORD_OF_TWO));
	printf("_tcpfsm_sorts='%s\n'\n", TCPFSM_TIMEWAIT_SORTS(WORD_OF_TWO));
	printf("_tcpfsm_orders='%s\n'\n", TCPFSM_CONNECT_SORTS(WORD_OF_TWO));
	printf("_tcpfsm_bys='%s\n'\n", TCPFSM_CONNECT_BYS(WORD_OF_TWO));
	printf("_tcpfsm_filter='%s\nand\tboth\nor\tone or both\nnot\tthe opposite\n'\n", FILTER_WORDS(WORD_OF_FILTER));
	printf("_tcpfsm_settings='%s\n'\n", TCPFSM_SETTINGS(WORD_SETTING));
	return 0;
}
