// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
#include "opts.h"
#include "tcpfsm.h"

static bool port_in(const uint16_t *ports, unsigned int n, uint16_t port)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (ports[i] == port)
			return true;
	return !n;
}

static bool state_in(uint32_t states, const struct tcpfsm_event *ev)
{
	uint32_t bits = 1U << (ev->old_state & 31);

	if (ev->type == TCPFSM_EVENT_TRANSITION)
		bits |= 1U << (ev->new_state & 31);
	return states & bits;
}

static bool match(const struct tcpfsm_filter *f, const struct tcpfsm_event *ev)
{
	const struct tcpfsm_record *rec = &ev->rec;

	if (f->family && f->family != rec->family)
		return false;
	if (f->netns && f->netns != rec->netns)
		return false;
	if (f->pid && (!ev->has_owner || f->pid != ev->pid))
		return false;
	if (f->states && !state_in(f->states, ev))
		return false;
	if (f->causes && (ev->type != TCPFSM_EVENT_TRANSITION || !(f->causes & 1U << ev->cause)))
		return false;
	return port_in(f->lport, f->nlport, rec->lport) &&
	       (ev->suppressed || port_in(f->rport, f->nrport, rec->rport));
}

bool tcpfsm_filter_match(const struct tcpfsm_filter *f, const struct tcpfsm_event *ev)
{
	struct tcpfsm_filter known;

	if (!f || (ev->type == TCPFSM_EVENT_LOST && !ev->suppressed))
		return true;
	if (__builtin_expect(f->size == sizeof(*f), 1))
		return match(f, ev);
	return !copy_opts(&known, sizeof(known), f) && match(&known, ev);
}
