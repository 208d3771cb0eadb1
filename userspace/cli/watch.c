// SPDX-License-Identifier: GPL-2.0-only
/*
 * A reading of the totals each second; a finding is new if the last minute had none of that verdict for
 * that listener, destination or network namespace.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../show/recent.h"
#include "watch.h"

#define EVERY_NS	NSEC_PER_SEC
/* "Now" is so long, to twice that. */
#define OBSERVE_NS	(3 * NSEC_PER_SEC)
/* Others than these are told as new again. */
#define KNOWN		256U

/* What the same finding has in common with itself. */
struct key {
	char verdict[32];
	uint64_t conn;
	uint32_t netns;
	uint16_t lport, rport;
	uint8_t raddr[16];
};

struct watch {
	enum tcpfsm_severity severity;
	struct tcpfsm_follow *f;
	struct tcpfsm_explain *x;
	struct recent listeners;
	struct {
		struct key key;
		uint64_t seen;
	} known[KNOWN];
	uint64_t now;
	struct watch_alarm alarm;
	bool alarmed;
};

/* Was it there a while ago?  From now on it is. */
static bool is_known(struct watch *w, const struct key *key)
{
	unsigned int i, oldest = 0;
	bool known;

	for (i = 0; i < KNOWN; i++) {
		if (w->known[i].seen < w->known[oldest].seen)
			oldest = i;
		if (!w->known[i].seen || memcmp(&w->known[i].key, key, sizeof(*key)))
			continue;
		known = w->now - w->known[i].seen <= WATCH_AWAY_S * NSEC_PER_SEC;
		w->known[i].seen = w->now;
		return known;
	}
	w->known[oldest].key = *key;
	w->known[oldest].seen = w->now;
	return false;
}

static int on_finding(const struct tcpfsm_finding *f, void *arg)
{
	struct watch *w = arg;
	struct key key;

	/* Not even what was not seen is an incident. */
	if (f->severity > w->severity || !strcmp(f->verdict, "not_judged"))
		return 0;
	memset(&key, 0, sizeof(key));
	snprintf(key.verdict, sizeof(key.verdict), "%s", f->verdict);
	key.conn = f->conn;
	key.netns = f->netns;
	key.lport = f->lport;
	key.rport = f->rport;
	memcpy(key.raddr, f->raddr, sizeof(key.raddr));
	if (is_known(w, &key) || w->alarmed)
		return 0;
	w->alarmed = true;
	w->alarm.severity = f->severity;
	memcpy(w->alarm.verdict, key.verdict, sizeof(w->alarm.verdict));
	snprintf(w->alarm.summary, sizeof(w->alarm.summary), "%s", f->summary);
	return 0;
}

static int on_item(const struct tcpfsm_item *item, void *arg)
{
	struct watch *w = arg;

	return recent_item(&w->listeners, item);
}

static int on_event(const struct tcpfsm_event *ev, void *arg)
{
	(void)ev;
	(void)arg;
	return 0;
}

static int on_notice(const struct tcpfsm_notice *n, void *arg)
{
	struct watch *w = arg;
	int err;

	if (n->type != TCPFSM_NOTICE_TOTALS || n->error)
		return 0;
	/* One reading is none to compare with. */
	if (w->listeners.first_ts[0] == w->listeners.last_ts)
		return 0;
	w->now = monotonic_ns();
	err = tcpfsm_explain_findings(w->x, w->listeners.ls[0], on_finding, w);
	recent_move_on(&w->listeners, OBSERVE_NS);
	return err < 0 ? err : 0;
}

static int make_consumers(struct watch *w, const struct options *opts, const struct tcpfsm_info *info)
{
	struct tcpfsm_source *src = tcpfsm_follow_source(w->f);
	struct tcpfsm_explain_options o = {
		.size = sizeof(o), .filter = &opts->filter, .info = info,
		.epoch_offset = tcpfsm_source_epoch_offset(src), .since = realtime_ns(),
		.model = tcpfsm_follow_model(w->f), .complete_since = tcpfsm_source_complete_since(src),
	};
	struct tcpfsm_consumers to = { .size = sizeof(to) };
	int err = recent_new(&w->listeners, true, true);

	tcpfsm_explain_machine(&o);
	if (!err)
		err = tcpfsm_explain_new(&w->x, &o);
	to.explain = w->x;
	return err ? err : tcpfsm_follow_consumers(w->f, &to);
}

int watch_open(struct watch **out, const struct options *opts, enum tcpfsm_severity severity)
{
	static const struct tcpfsm_model_options mo = { .size = sizeof(mo) };
	struct watch *w = calloc(1, sizeof(*w));
	struct tcpfsm_follow_options fo = {
		.snapshot = true, .totals = true, .totals_ns = EVERY_NS, .resync = true,
		.interrupted = &interrupted, .model = &mo, .event = on_event, .item = on_item,
		.notice = on_notice, .arg = w,
		.duration = opts->duration == UINT64_MAX ? 0 : opts->duration ? opts->duration : 1,
	};
	struct tcpfsm_info info;
	int status, err;

	*out = NULL;
	if (!w)
		return fail(-ENOMEM, "record");
	w->severity = severity;
	status = open_follow(&w->f, opts, &fo, &info);
	if (!status) {
		err = make_consumers(w, opts, &info);
		status = err ? fail(err, "explain") : 0;
	}
	if (status)
		watch_close(w);
	else
		*out = w;
	return status;
}

int watch_step(struct watch *w, struct watch_alarm *alarm)
{
	/* The recorder's rings fill meanwhile. */
	int rc = tcpfsm_follow_step(w->f, NSEC_PER_SEC / 20, -1);

	if (rc < 0 || rc == TCPFSM_FOLLOW_END)
		return rc;
	if (!w->alarmed)
		return 0;
	w->alarmed = false;
	*alarm = w->alarm;
	return 1;
}

void watch_close(struct watch *w)
{
	if (!w)
		return;
	tcpfsm_explain_free(w->x);
	tcpfsm_follow_close(w->f);
	recent_free(&w->listeners);
	free(w);
}
