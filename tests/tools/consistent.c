// SPDX-License-Identifier: GPL-2.0-only
/*
 * consistent FILE...: does what tcpfsm explain --json said contradict itself?  Each file is what was
 * said at a time, a line for each finding.
 */
#define _GNU_SOURCE
#include "../unit/consistent.h"

#define MAX	64

/* What stands behind "key":, as it is written; "" if it is not there. */
static void value(const char *line, const char *key, char *to, size_t size)
{
	char name[32];
	const char *p;
	size_t n = 0;

	snprintf(name, sizeof(name), "\"%s\":", key);
	p = strstr(line, name);
	if (p) {
		p += strlen(name);
		n = *p == '"' ? 1 + strcspn(p + 1, "\"") : strcspn(p, ",}");
		p += *p == '"' ? 1 : 0;
		n -= p[-1] == '"' ? 1 : 0;
	}
	snprintf(to, size, "%.*s", (int)n, p ? p : "");
}

static unsigned int severity(const char *name)
{
	static const char *const names[] = { "critical", "warning", "ok" };
	unsigned int i = 0;

	while (i < 3 && strcmp(name, names[i]))
		i++;
	return i;
}

static void read_line(struct said *s, char *line)
{
	char netns[32], conn[32], laddr[64], lport[32], raddr[64], rport[32], word[32];

	value(line, "severity", word, sizeof(word));
	s->severity = severity(word);
	value(line, "netns", netns, sizeof(netns));
	value(line, "conn", conn, sizeof(conn));
	value(line, "laddr", laddr, sizeof(laddr));
	value(line, "lport", lport, sizeof(lport));
	value(line, "raddr", raddr, sizeof(raddr));
	value(line, "rport", rport, sizeof(rport));
	snprintf(s->listener, sizeof(s->listener), "%.31s %.31s", netns, conn);
	snprintf(s->subject, sizeof(s->subject), "%.24s %.24s %.48s:%.8s %.48s:%.8s", netns, conn, laddr, lport,
		 raddr, rport);
	value(line, "verdict", word, sizeof(word));
	s->verdict = strdup(word);
	s->all = line;
}

int main(int argc, char **argv)
{
	int i, status = 0;

	for (i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "re");
		struct said said[MAX];
		char why[512];
		size_t n = 0, size;

		memset(said, 0, sizeof(said));
		for (char *line = NULL; file && n < MAX && getline(&line, &size, file) > 0; line = NULL)
			read_line(&said[n++], line);
		if (!file || !n || contradiction(said, n, true, why, sizeof(why))) {
			printf("%s: %s\n", argv[i], file && n ? why : "nothing was said");
			status = 1;
		}
		if (file)
			fclose(file);
	}
	return status;
}
