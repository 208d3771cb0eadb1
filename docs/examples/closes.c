// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* closes [RECORDING]: how many connections each process closed; without it live, until Ctrl-C */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <tcpfsm.h>

#define MAX	1024

static struct process {
	uint32_t pid;
	char comm[17];
	unsigned long closes;
} processes[MAX];			/* all that have no place share the last one */

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	stop = sig;
}

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	struct process *p = processes;

	(void)arg;
	if (ev->type == TCPFSM_EVENT_LOST)
		fprintf(stderr, "%llu records lost\n", (unsigned long long)ev->lost);
	if (ev->type != TCPFSM_EVENT_TRANSITION || ev->cause != TCPFSM_CAUSE_CLOSE || !ev->has_owner)
		return 0;
	while (p < processes + MAX - 1 && p->closes && p->pid != ev->pid)
		p++;
	p->pid = ev->pid;
	memcpy(p->comm, ev->comm, sizeof(p->comm));
	p->closes++;
	return 0;			/* or else tcpfsm_model_item() returns it */
}

/* Half a second, as a signal may come just before it. */
static int sleep_until_more(struct tcpfsm_source *source, struct tcpfsm_model *model)
{
	int rc = tcpfsm_source_wait(source, tcpfsm_model_pending(model) ? 10 : 500);

	/* What waited for its successor for 10 ms waits in vain. */
	return rc ? (rc < 0 ? rc : 0) : tcpfsm_model_flush(model, on_event, NULL);
}

int main(int argc, char **argv)
{
	struct tcpfsm_source_options so = { .size = sizeof(so), .snapshot = true };
	struct tcpfsm_model_options mo = { .size = sizeof(mo) };
	struct tcpfsm_source *source = NULL;
	struct tcpfsm_model *model = NULL;
	const struct tcpfsm_item *item;
	const char *recording = argc > 1 ? argv[1] : NULL, *why = "";
	struct process *p;
	int rc;

	signal(SIGINT, on_signal);
	rc = recording ? tcpfsm_source_open_recording(&source, recording, &why) :
			 tcpfsm_source_open_device(&source, NULL, &so, NULL);
	if (!rc) {
		mo.epoch_offset = tcpfsm_source_epoch_offset(source);
		rc = tcpfsm_model_new(&model, &mo);
	}
	while (!rc && !stop) {
		rc = tcpfsm_source_next(source, &item);
		if (rc > 0)
			rc = tcpfsm_model_item(model, item, on_event, NULL);
		else if (!rc && recording)
			break;
		else if (!rc)
			rc = sleep_until_more(source, model);
	}
	if (!rc)
		rc = tcpfsm_model_flush(model, on_event, NULL);
	for (p = processes; p < processes + MAX && p->closes; p++)
		printf("%8lu  %s/%u\n", p->closes, p->comm, p->pid);
	if (rc < 0 && !stop)
		fprintf(stderr, "closes: %s: %s %s\n", recording ? recording : TCPFSM_DEVICE,
			strerror(-rc), recording ? why : "");
	tcpfsm_model_free(model);
	tcpfsm_source_close(source);
	return rc < 0 && !stop;
}
