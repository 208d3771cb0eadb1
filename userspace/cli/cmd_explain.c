// SPDX-License-Identifier: GPL-2.0-only
/* tcpfsm explain: what is wrong with the listeners, in words, with proof and remedy. */
#include "../show/explain.h"
#include "cli.h"

/* How long to observe, unless -d says otherwise. */
#define OBSERVE_S	3

struct explain {
	const struct options *opts;
	struct tcpfsm_explain *x;
	struct tcpfsm_listeners *ls;
	struct explain_text text;
	bool totals;			/* there were some */
};

static int on_finding(const struct tcpfsm_finding *f, void *arg)
{
	struct explain *e = arg;
	struct out *o = e->opts->out;

	if (e->opts->json)
		out_add(o, tcpfsm_finding_json(f, out_room(o, TCPFSM_FINDING_JSON_MAX)));
	else
		explain_text_finding(&e->text, f);
	return o->error ? 1 : 0;
}

static int on_item(const struct tcpfsm_item *item, void *arg)
{
	struct explain *e = arg;

	e->totals |= item->rec.type == TCPFSM_TYPE_TOTAL;
	return 0;
}

static int begin(void *arg, struct tcpfsm_follow *f, const struct tcpfsm_info *info)
{
	struct explain *e = arg;
	struct tcpfsm_explain_options o = {
		.size = sizeof(o), .filter = &e->opts->filter,
		.epoch_offset = tcpfsm_source_epoch_offset(tcpfsm_follow_source(f)),
	};
	int err;

	if (!e->opts->replay) {
		explain_look_around(&o);
		o.since = realtime_ns();
		o.info = info;
	}
	err = tcpfsm_explain_new(&e->x, &o);
	if (err)
		return fail(err, "explain");
	tcpfsm_follow_consumers(f, &(struct tcpfsm_consumers) {
		.size = sizeof(struct tcpfsm_consumers), .explain = e->x, .listeners = e->ls });
	return 0;
}

static int end(void *arg, int rc)
{
	struct explain *e = arg;
	int err;

	(void)rc;
	/* Live, the reason is told after this. */
	if (!e->totals && !e->opts->replay)
		return 0;
	if (!e->totals) {
		complain("%s: this recording has no listener totals; record again with this version",
			 e->opts->replay);
		return EXIT_ERROR;
	}
	err = tcpfsm_explain_findings(e->x, e->ls, on_finding, e);
	return err < 0 ? fail(err, "explain") : 0;
}

static int run(const struct options *given)
{
	static const struct tcpfsm_model_options mo = { .size = sizeof(mo) };
	static const struct view view = {
		.follow = { .snapshot = true, .totals = true, .model = &mo, .item = on_item },
		.begin = begin, .end = end,
	};
	struct options opts = *given;
	struct explain e = { .opts = &opts };
	int status, err;

	if (!(opts.given & OPT_DURATION) && !opts.replay)
		opts.duration = OBSERVE_S * NSEC_PER_SEC;
	e.text.out = opts.out;
	err = tcpfsm_listeners_new(&e.ls);
	if (err)
		return fail(err, "listeners");
	status = stream(&opts, &view, &e);
	tcpfsm_explain_free(e.x);
	tcpfsm_listeners_free(e.ls);
	explain_text_end(&e.text);
	return status;
}

const struct command cmd_explain = {
	.name = "explain",
	.args = "",
	.text = "why clients are refused, with proof, and what helps against it",
	.options = OPT_FILTER | OPT_DURATION | OPT_READ | OPT_JSON | OPT_FOLLOW_NEW,
	.run = run,
};
