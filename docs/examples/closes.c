// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* closes [RECORDING]: how many connections each process closed; without it live, until Ctrl-C */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <tcpfsm.h>

static volatile sig_atomic_t stop;
static struct tcpfsm_event closes[1024];	/* by process, the last one; all that have no place share one */
static unsigned long n[1024];

static void on_signal(int sig) { stop = sig; }

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	size_t i = 0;

	(void)arg;
	if (ev->type != TCPFSM_EVENT_TRANSITION || ev->cause != TCPFSM_CAUSE_CLOSE || !ev->has_owner)
		return 0;
	while (i < 1023 && n[i] && closes[i].pid != ev->pid)
		i++;
	closes[i] = *ev;
	n[i]++;
	return 0;			/* or else it ends here */
}

int main(int argc, char **argv)
{
	struct tcpfsm_model_options mo = { .size = sizeof(mo) };
	struct tcpfsm_follow_options fo = { .size = sizeof(fo), .recording = argc > 1 ? argv[1] : NULL,
		.snapshot = true, .model = &mo, .event = on_event, .interrupted = &stop };
	struct tcpfsm_follow *f = NULL;
	const char *why = "";
	int rc = tcpfsm_follow_open(&f, &fo, NULL, &why);

	signal(SIGINT, on_signal);
	while (rc >= 0 && rc != TCPFSM_FOLLOW_END)
		rc = tcpfsm_follow_step(f, 0, -1);
	for (size_t i = 0; i < 1024 && n[i]; i++)
		printf("%8lu  %s/%u\n", n[i], closes[i].comm, closes[i].pid);
	if (rc < 0)
		fprintf(stderr, "closes: %s: %s %s\n", argc > 1 ? argv[1] : TCPFSM_DEVICE, strerror(-rc), why);
	tcpfsm_follow_close(f);
	return rc < 0;
}
