/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page of tcpfsm report, and of tcpfsm serve: page.html with what is known as one object of JSON.  The
 * parts of it that commands have, too, are what those write with --json.
 */
#ifndef TCPFSM_SERVE_PAGE_H
#define TCPFSM_SERVE_PAGE_H

#include "conns.h"
#include "tcpfsm.h"
#include "watch.h"
#include "../show/out.h"

/* What the page tells of; members may be NULL: not known. */
struct page_known {
	const char *recording;		/* as the user named it; NULL: live */
	const char *error;		/* why it was not read to its end */
	const char *missing;		/* what it lacks, in words */
	const struct tcpfsm_info *info;
	struct tcpfsm_source *src;
	struct tcpfsm_model *model;
	const struct tcpfsm_filter *filter;
	struct tcpfsm_listeners *ls;
	struct tcpfsm_timewaits *ledger;
	struct tcpfsm_connects *connects;
	struct tcpfsm_explain *explain;
	struct tcpfsm_listeners *judged; /* for explain */
	struct watch *watch;
	struct conns *conns;
	uint64_t now;			/* epoch */
	uint64_t untold;		/* records that src has delivered, but nobody was told of */
	/* A recording that is played: microseconds since its beginning; span 0: it is not. */
	struct {
		uint64_t span, at;
		uint64_t previous, next; /* something else happens */
	} play;
	/* Each finding, too; its place in the page's list. */
	void (*finding)(const struct tcpfsm_finding *f, size_t i, void *arg);
	void *arg;
};

/* In place of what text held.  Return: 0 or a negative errno. */
int page_data(struct out_text *text, const struct page_known *k);
/**
 * page_html() - the page
 * @data: of page_data(); NULL: it will ask for it
 * @ladders: array of objects with "findings" (their places), "title" and "svg"; NULL: none
 *
 * Return: 0 or a negative errno.
 */
int page_html(struct out *o, const char *data, const char *ladders);

#endif /* TCPFSM_SERVE_PAGE_H */
