// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * The segments of a connection, from changes of state and a few other events.
 *
 * Each fact becomes one or two halves of segments at its end: "sent" or
 * "received".  Then the halves of both ends are paired.  What was sent and has
 * no pair was lost, provided that its arrival would have been told; what was
 * received was sent, whether we know when or not.
 *
 * What a record says of sequence numbers, see module/hook_*.c: its snd and rcv
 * are the next ones to send and expected when it was made.  A FIN counts as
 * one, and in rcv it is counted when the state changes because of it; in snd
 * it is not yet when the closing call changes the state.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "closer.h"
#include "ladder.h"

#define STATE(s)	TCPFSM_STATE_##s
#define EVENT(t)	TCPFSM_EVENT_##t
#define CAUSE(c)	TCPFSM_CAUSE_##c
#define SEG(f)		TCPFSM_SEG_##f

/* An arrival may be recorded on another CPU before the sender's record is. */
#define SLACK_NS	(1 * NSEC_PER_MSEC)
/* An RST and the change of state that goes with it. */
#define TOGETHER_NS	(1 * NSEC_PER_MSEC)
/* The same, with what MPTCP does in between; as the model has it. */
#define RST_NS		(100 * NSEC_PER_MSEC)
/* No ACK is delayed for longer (TCP_DELACK_MAX is 200 ms), timers included. */
#define DELACK_NS	(250 * NSEC_PER_MSEC)

/* A bare ACK on its way for that much longer than others may be another copy. */
#define DELAYED_NS	(50 * NSEC_PER_MSEC)

/* On its way for that much longer than others: worth a row of its own. */
#define LONG_NS		(20 * NSEC_PER_MSEC)

/* What a half is about; only the same kinds make a pair. */
enum kind {
	K_NONE,				/* something at one end */
	K_SYN,
	K_SYNACK,
	K_ACK,				/* the third of the handshake */
	K_FIN,
	K_ACKFIN,			/* the ACK of a FIN */
	K_RST,
	K_AGAIN,			/* data, sent again */
	K_ANY,				/* received: told by the RST that answers it */
	K_DATA,				/* bytes since the last of these */
	K_GAP,
	K_MORE,
};

enum { NOWHERE, SENT, RECEIVED };

/* A received FIN that may as well have been another segment, and the like. */
#define H_DOUBTFUL	0x01
/* Sent only if the one before it was what we think. */
#define H_ANSWER	0x02
#define H_DROPPED	0x04		/* not to be shown */

struct ladder_half {
	uint64_t at;			/* when it happened */
	uint64_t ts;			/* what it is sorted by; then: */
	uint32_t order;
	int32_t pair;			/* index; -1: none */
	int32_t next;			/* that this end sent; -1: none */
	uint8_t side, kind, way, fate;
	uint8_t flags, retransmit, doubt;
	bool has_seq, has_ack, shown;
	uint32_t seq, ack;
	uint32_t row;			/* a DEPARTS row, when shown */
	uint64_t bytes[2];		/* DATA by side; GAP, MORE: count in [0] */
	struct tcpfsm_ladder_cell cell;
};

struct numbers {
	bool known;
	uint32_t seq;
};

struct build {
	const struct ladder_story *story;
	struct ladder_half *half;
	size_t n;
	uint32_t order;
	struct numbers isn[2], fin[2];
	struct numbers closing[2];	/* when the end closed; the FIN may come later */
	struct numbers told[2];		/* data counted so far */
	int32_t sent[2];		/* the first half that the end sent; -1: none */
	bool choice;			/* there are pairs that hang on the delay */
	bool active[2], passive[2];
	bool cookie[2];			/* answered a SYN with a cookie */
	bool fastopen[2];		/* has a child in SYN_RECV, a full socket */
	bool seen[2];
	bool begun[2];
	int32_t last[2];		/* index of the end's last half; -1 */
	uint64_t delay;			/* the shortest way between both; 0: not known */
	uint8_t first[2], state[2], cause[2];
	uint64_t syn_ts[2];
	int64_t handshake_ns[2];
};

static void know(struct numbers *n, uint32_t seq)
{
	n->known = true;
	n->seq = seq;
}

static void learn(struct numbers *n, uint32_t seq)
{
	if (!n->known)
		know(n, seq);
}

/* TCP_REPAIR: a state that no segment brought about. */
static bool is_restored(const struct ladder_fact *f)
{
	return f->flags & TCPFSM_F_REPAIR &&
	       (f->new_state == STATE(SYN_SENT) || f->old_state == STATE(SYN_SENT));
}

/* The FIN waits until the peer's window opens: not sent when the state changes. */
static bool is_unsent(const struct ladder_fact *f)
{
	return f->flags & TCPFSM_F_UNSENT &&
	       (f->new_state == STATE(FIN_WAIT1) || f->new_state == STATE(LAST_ACK));
}

/* ---- sequence numbers --------------------------------------------------------- */

static void learn_from_transition(struct build *b, const struct ladder_fact *f)
{
	struct numbers *isn = b->isn, *fin = b->fin;
	unsigned int s = f->side, p = !s;

	switch (f->new_state) {
	case STATE(SYN_SENT):
		if (is_restored(f))
			return;
		know(&isn[s], f->snd);
		b->active[s] = true;
		return;
	case STATE(ESTABLISHED):
		/* Fast Open: both may count data already. */
		learn(&isn[s], f->snd - 1);
		learn(&isn[p], f->rcv - 1);
		if (is_restored(f))
			return;
		if (f->old_state == STATE(SYN_SENT))
			b->active[s] = true;
		else if (!b->active[s])
			b->passive[s] = true;
		return;
	case STATE(CLOSE_WAIT):
	case STATE(CLOSING):
		know(&fin[p], f->rcv - 1);
		return;
	case STATE(FIN_WAIT1):
	case STATE(LAST_ACK):
		know(&b->closing[s], f->snd);
		return;
	case STATE(FIN_WAIT2):
		know(&fin[s], f->snd - 1);
		return;
	case STATE(TIME_WAIT):
		know(&fin[s], f->snd - 1);
		know(&fin[p], f->rcv - 1);
		return;
	case STATE(CLOSE):
		if (f->cause == CAUSE(RCV_ACK_OF_FIN))
			know(&fin[s], f->snd - 1);
		if (f->verdict == TCPFSM_TW_DENIED && f->cause == CAUSE(RCV_FIN))
			know(&fin[p], f->rcv - 1);
		return;
	}
}

static void learn_numbers(struct build *b)
{
	bool fin_again[2] = { false, false };
	size_t i;

	for (i = 0; i < b->story->nfacts; i++) {
		const struct ladder_fact *f = &b->story->facts[i];
		unsigned int s = f->side, p = !s;

		switch (f->type) {
		case EVENT(TRANSITION):
			learn_from_transition(b, f);
			/* Sent at least twice, so it counts; or it is all that was sent. */
			if (f->snd && (fin_again[s] || (b->closing[s].known &&
							f->snd - 1 == b->closing[s].seq)))
				learn(&b->fin[s], f->snd - 1);
			break;
		case EVENT(SYN):
			know(&b->isn[p], f->rcv);
			b->passive[s] = true;
			if (f->verdict == TCPFSM_VERDICT_DROPPED)
				break;
			know(&b->isn[s], f->snd);
			if (f->flags & TCPFSM_F_CLONE)
				b->fastopen[s] = true;
			break;
		case EVENT(RETRANSMIT):
			if (f->verdict == TCPFSM_SEGMENT_SYN) {
				learn(&b->isn[s], f->snd);
				b->active[s] = true;
			} else if (f->verdict == TCPFSM_SEGMENT_SYNACK) {
				learn(&b->isn[s], f->snd);
				if (f->flags & TCPFSM_F_PASSIVE) {
					learn(&b->isn[p], f->rcv);
					b->passive[s] = true;
				}
			} else if (f->verdict == TCPFSM_SEGMENT_FIN) {
				fin_again[s] = true;
			}
			break;
		}
	}
}

/* Are snd and rcv of this fact those of a connection that can carry data? */
static bool has_position(const struct ladder_fact *f)
{
	switch (f->type) {
	case EVENT(TRANSITION):
		return f->old_state != STATE(LISTEN) && f->new_state != STATE(SYN_SENT) &&
		       f->new_state != STATE(SYN_RECV) && (f->snd || f->rcv);
	case EVENT(TIMEWAIT):
		return f->snd || f->rcv;
	case EVENT(RESET):		/* those that are sent may be answers */
		return f->verdict == TCPFSM_DIRECTION_RECEIVED && f->snd;
	}
	return false;
}

/*
 * Bytes that side had sent when its number, or the other end's of it, was
 * seq.  Its own never goes back; the other's lags behind.
 */
static uint64_t take_data(struct build *b, unsigned int side, uint32_t seq, bool own)
{
	struct numbers *told = &b->told[side];
	const struct numbers *fin = &b->fin[side];
	uint32_t more;

	learn(told, b->isn[side].known ? b->isn[side].seq + 1 : seq);
	if (fin->known && seq == fin->seq + 1)
		seq = fin->seq;
	more = seq - told->seq;
	if (!own && (int32_t)more <= 0)
		return 0;
	if (more == UINT32_MAX)		/* not even the SYN was acknowledged */
		return 0;
	told->seq = seq;
	return more;
}

/* ---- facts to halves ------------------------------------------------------------ */

static struct ladder_half *add(struct build *b, uint64_t at, unsigned int side, uint8_t kind,
			       uint8_t way)
{
	struct ladder_half *h = &b->half[b->n];

	memset(h, 0, sizeof(*h));
	h->at = h->ts = at;
	h->order = b->order;
	h->pair = -1;
	h->side = (uint8_t)side;
	h->kind = kind;
	h->way = way;
	if (kind < K_DATA)
		b->last[side] = (int32_t)b->n;
	b->n++;
	return h;
}

static void set_cell(struct tcpfsm_ladder_cell *c, const struct ladder_fact *f)
{
	bool transition = f->type == EVENT(TRANSITION);

	c->event = (uint8_t)(f->type + 1);
	c->old_state = transition ? f->old_state : 0;
	c->state = transition ? f->new_state : 0;
	c->cause = f->cause;
	c->verdict = f->verdict;
	c->reason = f->reason;
	c->has_queues = f->has_queues;
	c->synq = f->synq;
	c->acceptq = f->acceptq;
	c->backlog = f->backlog;
	c->asked = f->asked;
	c->max_syn_backlog = f->type == EVENT(SYN) && f->verdict == TCPFSM_VERDICT_DROPPED ?
			     f->snd : 0;
	c->tw = f->tw;
	c->tw_max = f->tw_max;
	c->dur_ns = f->dur_ns;
	c->err = f->type == EVENT(CONNECT_FAILED) || (transition && f->new_state == STATE(CLOSE)) ?
		 f->arg : 0;
}

static struct ladder_half *half(struct build *b, const struct ladder_fact *f, uint8_t kind,
				uint8_t way, uint8_t flags)
{
	struct ladder_half *h = add(b, f->ts, f->side, kind, way);

	h->flags = flags;
	return h;
}

/* The half that changes the state, or shows what else the event is. */
static struct ladder_half *main_half(struct build *b, const struct ladder_fact *f, uint8_t kind,
				     uint8_t way, uint8_t flags)
{
	struct ladder_half *h = half(b, f, kind, way, flags);

	set_cell(&h->cell, f);
	return h;
}

static void seq(struct ladder_half *h, uint32_t value)
{
	h->has_seq = true;
	h->seq = value;
}

static void ack(struct ladder_half *h, uint32_t value)
{
	h->has_ack = true;
	h->ack = value;
}

static void seq_known(struct ladder_half *h, const struct numbers *n)
{
	if (n->known)
		seq(h, n->seq);
}

/* The ACK that leaves at once when a FIN comes. */
static struct ladder_half *ack_of_fin(struct build *b, const struct ladder_fact *f)
{
	struct ladder_half *h = half(b, f, K_ACKFIN, SENT, SEG(ACK));

	seq(h, f->snd);
	ack(h, f->rcv);
	return h;
}

static void received_fin(struct build *b, const struct ladder_fact *f)
{
	struct ladder_half *h = main_half(b, f, K_FIN, RECEIVED, SEG(FIN) | SEG(ACK));

	seq(h, f->rcv - 1);
	if (f->old_state == STATE(FIN_WAIT1) && f->new_state == STATE(TIME_WAIT))
		ack(h, f->snd);
}

static void received_ack_of_fin(struct build *b, const struct ladder_fact *f)
{
	struct ladder_half *h = main_half(b, f, K_ACKFIN, RECEIVED, SEG(ACK));

	ack(h, f->snd);
}

static void sent_fin(struct build *b, const struct ladder_fact *f)
{
	struct ladder_half *h = main_half(b, f, K_FIN, SENT, SEG(FIN) | SEG(ACK));

	seq_known(h, &b->fin[f->side]);
	ack(h, f->rcv);
}

/*
 * The ACK of a FIN waits for data or a FIN to go with.  With one end alone it
 * is certain only when that has taken too long; the other end tells otherwise.
 */
static void maybe_ack_of_fin(struct build *b, const struct ladder_fact *f)
{
	const struct ladder_fact *next = f + 1, *end = b->story->facts + b->story->nfacts;

	if (b->seen[!f->side])
		return;
	while (next < end && !(next->side == f->side && next->type == EVENT(TRANSITION)))
		next++;
	if (next < end && next->ts - f->ts > DELACK_NS)
		ack_of_fin(b, f);
}

static struct ladder_half *last_half(struct build *b, const struct ladder_fact *f)
{
	struct ladder_half *h = b->last[f->side] < 0 ? NULL : &b->half[b->last[f->side]];

	return h && f->ts - h->at <= TOGETHER_NS ? h : NULL;
}

/* The RST that goes with the change of state, if it was told before that. */
static struct ladder_half *told_rst(struct build *b, const struct ladder_fact *f, uint8_t way)
{
	struct ladder_half *h = b->half + b->n;

	while (h-- > b->half && h->at + RST_NS >= f->ts)
		if (h->side == f->side && h->kind == K_RST && h->way == way)
			return h->cell.state ? NULL : h;
	return NULL;
}

static void closed_by_rst(struct build *b, const struct ladder_fact *f)
{
	bool received = f->cause == CAUSE(RCV_RST);
	struct ladder_half *h = told_rst(b, f, received ? RECEIVED : SENT);

	if (h) {
		set_cell(&h->cell, f);
		return;
	}
	if (!received) {
		main_half(b, f, K_NONE, NOWHERE, 0);
		return;
	}
	h = main_half(b, f, K_RST, RECEIVED, SEG(RST));
	/* A mini-socket is killed by other things too. */
	if (f->old_state == STATE(TIME_WAIT) || f->old_state == STATE(FIN_WAIT2))
		h->doubt = H_DOUBTFUL;
}

static void closed(struct build *b, const struct ladder_fact *f)
{
	b->cause[f->side] = f->cause;
	switch (f->cause) {
	case CAUSE(RCV_RST):
	case CAUSE(SND_RST):
		closed_by_rst(b, f);
		return;
	case CAUSE(RCV_ACK_OF_FIN):
		received_ack_of_fin(b, f);
		return;
	case CAUSE(RCV_FIN):
	case CAUSE(RCV_FIN_ACK):
		received_fin(b, f);
		ack_of_fin(b, f);
		return;
	}
	main_half(b, f, K_NONE, NOWHERE, 0);
}

static void established(struct build *b, const struct ladder_fact *f)
{
	unsigned int s = f->side, p = !s;
	struct ladder_half *h;

	if (b->syn_ts[s])
		b->handshake_ns[s] = (int64_t)(f->ts - b->syn_ts[s]);
	if (f->old_state == STATE(SYN_SENT)) {
		h = main_half(b, f, K_SYNACK, RECEIVED, SEG(SYN) | SEG(ACK));
		seq(h, f->rcv - 1);
		if (b->isn[s].known && f->snd == b->isn[s].seq + 1)
			ack(h, f->snd);
		h = half(b, f, K_ACK, SENT, SEG(ACK));
		seq(h, f->snd);
		ack(h, f->rcv);
	} else if (b->active[s]) {
		/* Simultaneous open: whatever acknowledged our SYN. */
		h = main_half(b, f, K_SYNACK, RECEIVED, SEG(ACK));
		if (b->isn[s].known)
			ack(h, b->isn[s].seq + 1);
	} else {
		h = main_half(b, f, K_ACK, RECEIVED, SEG(ACK));
		if (b->isn[p].known && f->rcv == b->isn[p].seq + 1)
			seq(h, f->rcv);
		if (b->isn[s].known)
			ack(h, b->isn[s].seq + 1);
		if (b->cookie[s])
			h->cell.verdict = TCPFSM_VERDICT_COOKIE;
	}
}

static void transition(struct build *b, const struct ladder_fact *f)
{
	unsigned int s = f->side, p = !s;
	struct ladder_half *h;

	if (is_restored(f) || is_unsent(f)) {
		main_half(b, f, K_NONE, NOWHERE, 0);
		return;
	}
	switch (f->new_state) {
	case STATE(SYN_SENT):
		h = main_half(b, f, K_SYN, SENT, SEG(SYN));
		seq(h, f->snd);
		b->syn_ts[s] = f->ts;
		return;
	case STATE(SYN_RECV):
		if (f->old_state != STATE(SYN_SENT)) {
			/* Nothing was kept of a SYN answered with a cookie. */
			b->cookie[s] = true;
			return;
		}
		h = main_half(b, f, K_SYN, RECEIVED, SEG(SYN));
		seq_known(h, &b->isn[p]);
		h = half(b, f, K_SYNACK, SENT, SEG(SYN) | SEG(ACK));
		seq_known(h, &b->isn[s]);
		if (b->isn[p].known)
			ack(h, b->isn[p].seq + 1);
		return;
	case STATE(ESTABLISHED):
		established(b, f);
		return;
	case STATE(FIN_WAIT1):
	case STATE(LAST_ACK):
		sent_fin(b, f);
		return;
	case STATE(CLOSE_WAIT):
		received_fin(b, f);
		maybe_ack_of_fin(b, f);
		return;
	case STATE(CLOSING):
		received_fin(b, f);
		ack_of_fin(b, f);
		return;
	case STATE(FIN_WAIT2):
		received_ack_of_fin(b, f);
		return;
	case STATE(TIME_WAIT):
		if (f->old_state == STATE(CLOSING)) {
			received_ack_of_fin(b, f);
			return;
		}
		received_fin(b, f);
		ack_of_fin(b, f);
		return;
	case STATE(CLOSE):
		closed(b, f);
		return;
	}
	main_half(b, f, K_NONE, NOWHERE, 0);
}

static void on_syn(struct build *b, const struct ladder_fact *f)
{
	struct ladder_half *h = main_half(b, f, K_SYN, RECEIVED, SEG(SYN));

	seq(h, f->rcv);
	h->cell.fastopen = f->flags & TCPFSM_F_CLONE;
	if (f->verdict == TCPFSM_VERDICT_QUEUED) {
		h->cell.old_state = STATE(LISTEN);
		h->cell.state = STATE(SYN_RECV);
	} else if (f->verdict != TCPFSM_VERDICT_COOKIE) {
		return;
	}
	h = half(b, f, K_SYNACK, SENT, SEG(SYN) | SEG(ACK));
	seq(h, f->snd);
	/* Fast Open: it may acknowledge data as well. */
	if (!(f->flags & TCPFSM_F_CLONE))
		ack(h, f->rcv + 1);
}

static void on_handshake_ack(struct build *b, const struct ladder_fact *f)
{
	struct ladder_half *h = last_half(b, f), *answered = h && h->way == SENT ? h - 1 : NULL;

	/* The RST that answered it came first. */
	if (f->verdict == TCPFSM_VERDICT_RESET && answered && answered >= b->half &&
	    answered->kind == K_ANY && answered->seq == f->rcv) {
		answered->kind = K_ACK;
		answered->flags = SEG(ACK);
		ack(answered, f->snd);
		set_cell(&answered->cell, f);
		return;
	}
	h = main_half(b, f, K_ACK, RECEIVED, SEG(ACK));
	seq(h, f->rcv);
	ack(h, f->snd);
}

/* How many times this has been sent again, by what was recorded of it. */
static uint8_t count_again(const struct build *b, const struct ladder_fact *f, uint8_t kind)
{
	size_t i = b->n;
	unsigned int n;

	while (i--) {
		const struct ladder_half *h = &b->half[i];

		if (h->side != f->side || h->way != SENT || h->kind != kind ||
		    (kind == K_AGAIN && h->seq != f->snd))
			continue;
		n = h->retransmit + 1U;
		return (uint8_t)(n < f->arg ? f->arg : n < UINT8_MAX ? n : UINT8_MAX);
	}
	return f->arg ? f->arg : 1;
}

static void on_retransmit(struct build *b, const struct ladder_fact *f)
{
	static const struct { uint8_t kind, flags; } segments[] = {
		[TCPFSM_SEGMENT_SYN]	= { K_SYN, SEG(SYN) },
		[TCPFSM_SEGMENT_SYNACK]	= { K_SYNACK, SEG(SYN) | SEG(ACK) },
		[TCPFSM_SEGMENT_FIN]	= { K_FIN, SEG(FIN) | SEG(ACK) },
		[TCPFSM_SEGMENT_DATA]	= { K_AGAIN, SEG(DATA) | SEG(ACK) },
	};
	uint8_t what = f->verdict < sizeof(segments) / sizeof(segments[0]) ? f->verdict : 0;
	uint8_t again = count_again(b, f, segments[what].kind);
	struct ladder_half *h;

	if (!what)
		return;
	h = main_half(b, f, segments[what].kind, SENT, segments[what].flags);
	h->retransmit = again;
	/* The segment with the FIN may begin with data. */
	seq(h, what == TCPFSM_SEGMENT_FIN && b->fin[f->side].known ? b->fin[f->side].seq : f->snd);
	if (what == TCPFSM_SEGMENT_SYNACK) {
		if (!b->fastopen[f->side])
			ack(h, f->rcv + (f->flags & TCPFSM_F_PASSIVE ? 1 : 0));
	} else if (what != TCPFSM_SEGMENT_SYN) {
		ack(h, f->rcv);
	}
}

/* Was this RST sent for a segment that met no full socket any more, or none yet? */
static bool answers_segment(const struct build *b, const struct ladder_fact *f)
{
	if (!f->socket)
		return true;
	return f->old_state == STATE(SYN_RECV) && !b->active[f->side] && !b->fastopen[f->side];
}

/*
 * An ACK that does not acknowledge the SYN: another socket of the same addresses, which is older,
 * has answered (RFC 9293, 3.10.7.3; a challenge ACK of RFC 5961).  The RST is to end that one.
 */
static void answer_to_syn(struct build *b, const struct ladder_fact *f)
{
	struct ladder_half *h = b->half + b->n;

	/* So the SYN had arrived. */
	while (h-- > b->half) {
		if (h->side != f->side || h->kind != K_SYN || h->way != SENT)
			continue;
		h->fate = TCPFSM_FATE_ARRIVED;
		break;
	}
	half(b, f, K_ANY, RECEIVED, SEG(ACK));
	h = main_half(b, f, K_RST, SENT, SEG(RST));
	if (f->arrived)
		h->fate = TCPFSM_FATE_ARRIVED;
}

static void on_reset(struct build *b, const struct ladder_fact *f)
{
	struct tcpfsm_ladder_cell why = { .event = 0 };
	struct ladder_half *h = last_half(b, f);

	if (f->verdict == TCPFSM_DIRECTION_RECEIVED) {
		main_half(b, f, K_RST, RECEIVED, SEG(RST));
		return;
	}
	if (f->old_state == STATE(SYN_SENT)) {
		answer_to_syn(b, f);
		return;
	}
	/* It gave up just before. */
	if (h && h->kind == K_NONE && h->cell.state == STATE(CLOSE))
		why = h->cell;
	else
		h = NULL;
	if (answers_segment(b, f)) {
		if (h)
			memset(&h->cell, 0, sizeof(h->cell));
		else
			h = half(b, f, K_ANY, RECEIVED, 0);
		h->kind = K_ANY;
		h->way = RECEIVED;
		seq(h, f->rcv);
		if (f->snd)
			ack(h, f->snd);
		h = main_half(b, f, K_RST, SENT, SEG(RST));
		if (f->snd)
			seq(h, f->snd);
	} else {
		if (!h)
			h = main_half(b, f, K_RST, SENT, SEG(RST));
		h->kind = K_RST;
		h->way = SENT;
		h->flags = SEG(RST);
		/* Its own doing, not an answer. */
		if (f->cause == CAUSE(SND_RST)) {
			h->flags |= SEG(ACK);
			seq(h, f->snd);
			ack(h, f->rcv);
		}
	}
	if (why.event)
		h->cell = why;
}

static void on_timewait(struct build *b, const struct ladder_fact *f)
{
	struct ladder_half *h;

	if (f->verdict != TCPFSM_TW_REFRESH) {
		main_half(b, f, K_NONE, NOWHERE, 0);
		return;
	}
	/* The FIN again, most likely, which is then acknowledged again. */
	h = main_half(b, f, K_FIN, RECEIVED, SEG(FIN) | SEG(ACK));
	h->doubt = H_DOUBTFUL;
	seq(h, f->rcv - 1);
	ack_of_fin(b, f)->doubt = H_ANSWER;
}

static void on_connect_failed(struct build *b, const struct ladder_fact *f)
{
	struct ladder_half *h = last_half(b, f);
	size_t i;

	if (h && h->cell.state == STATE(CLOSE)) {
		h->cell.err = f->arg;
	} else {
		main_half(b, f, K_NONE, NOWHERE, 0);
	}
	if (f->arg != EADDRNOTAVAIL)
		return;
	/* There was no port to send the SYN from. */
	for (i = 0; i < b->n; i++) {
		h = &b->half[i];
		if (h->side == f->side && h->kind == K_SYN && h->way == SENT) {
			h->kind = K_NONE;
			h->way = NOWHERE;
		}
	}
}

static void data_before(struct build *b, const struct ladder_fact *f)
{
	unsigned int s = f->side, p = !s;
	struct ladder_half *h;
	uint64_t sent, received;
	bool closes = f->type == EVENT(TRANSITION) && !is_unsent(f) &&
		      (f->new_state == STATE(FIN_WAIT1) || f->new_state == STATE(LAST_ACK));

	if (!has_position(f))
		return;
	/* What still waits to be sent leaves before the FIN. */
	sent = take_data(b, s, closes && b->fin[s].known ? b->fin[s].seq : f->snd, true);
	received = f->rcv ? take_data(b, p, f->rcv, !b->seen[p]) : 0;
	if (!sent && !received)
		return;
	h = add(b, f->ts, 0, K_DATA, NOWHERE);
	h->bytes[s] = sent;
	h->bytes[p] = received;
}

static void note_state(struct build *b, const struct ladder_fact *f)
{
	unsigned int s = f->side;
	bool syn = f->type == EVENT(SYN);

	if (!b->first[s]) {
		b->first[s] = f->old_state;
		b->begun[s] = syn || !f->socket ||
			      (f->type == EVENT(TRANSITION) && f->new_state == STATE(SYN_SENT));
	}
	if (f->type == EVENT(TRANSITION))
		b->state[s] = f->new_state;
	else if (syn && f->verdict == TCPFSM_VERDICT_QUEUED)
		b->state[s] = STATE(SYN_RECV);
	else if (!b->state[s])
		b->state[s] = f->old_state;
}

static void walk(struct build *b)
{
	const struct ladder_story *st = b->story;
	struct ladder_half *h;
	size_t i;

	for (i = 0; i < st->nfacts; i++) {
		const struct ladder_fact *f = &st->facts[i];

		if (st->more && i == st->cut) {
			h = add(b, f->ts, 0, K_MORE, NOWHERE);
			h->bytes[0] = st->more;
		}
		note_state(b, f);
		data_before(b, f);
		b->order += 2;
		switch (f->type) {
		case EVENT(TRANSITION):
			transition(b, f);
			break;
		case EVENT(SYN):
			on_syn(b, f);
			break;
		case EVENT(HANDSHAKE_ACK):
			on_handshake_ack(b, f);
			break;
		case EVENT(RETRANSMIT):
			on_retransmit(b, f);
			break;
		case EVENT(RESET):
			on_reset(b, f);
			break;
		case EVENT(TIMEWAIT):
			on_timewait(b, f);
			break;
		case EVENT(CONNECT_FAILED):
			on_connect_failed(b, f);
			break;
		default:
			main_half(b, f, K_NONE, NOWHERE, 0);
		}
		b->order += 2;
	}
	for (i = 0; i < st->ngaps; i++) {
		uint64_t from = st->gaps[i].from;

		h = add(b, st->nfacts && from < st->facts[0].ts ? st->facts[0].ts : from, 0, K_GAP,
			NOWHERE);
		h->bytes[0] = st->gaps[i].lost;
		h->order = 0;
	}
}

/* ---- pairs ------------------------------------------------------------------------- */

static bool fits(const struct ladder_half *sent, const struct ladder_half *got)
{
	if (sent->pair >= 0 || sent->doubt & H_DROPPED || sent->at > got->at + SLACK_NS)
		return false;
	/* A bare ACK has the number of the data that comes next. */
	if (got->kind == K_ANY)
		return sent->kind != K_RST && sent->kind != K_ACK && sent->kind != K_ACKFIN &&
		       got->has_seq && sent->has_seq && sent->seq == got->seq;
	return sent->kind == got->kind;
}

/* Not each time one of these is sent is recorded. */
static bool is_bare_ack(const struct ladder_half *h)
{
	return h->kind == K_ACK || h->kind == K_ACKFIN;
}

/* Could it have been on its way for so long, or was it another copy? */
static bool too_late(const struct build *b, const struct ladder_half *sent,
		     const struct ladder_half *got)
{
	uint64_t took = got->at > sent->at ? got->at - sent->at : 0;
	size_t i;

	/* Only these are sent again without a record, and only when asked to. */
	if (!is_bare_ack(got) || !b->delay || took <= 2 * b->delay + DELAYED_NS)
		return false;
	for (i = 0; i < b->n; i++) {
		const struct ladder_half *h = &b->half[i];

		if (h->side == got->side && h->way == SENT && h->retransmit &&
		    h->kind == (got->kind == K_ACK ? K_SYNACK : K_FIN) &&
		    h->at > sent->at && h->at < got->at)
			return true;
	}
	return false;
}

/* Few of all halves are looked at for a pair. */
static void chain_sent(struct build *b)
{
	size_t i = b->n;

	b->sent[0] = b->sent[1] = -1;
	while (i--) {
		struct ladder_half *h = &b->half[i];

		if (h->way != SENT)
			continue;
		h->next = b->sent[h->side];
		b->sent[h->side] = (int32_t)i;
	}
}

static void unpair(struct build *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		b->half[i].pair = -1;
}

static void pair_half(struct build *b, struct ladder_half *got)
{
	struct ladder_half *best = NULL, *sent;
	int32_t i;

	for (i = b->sent[!got->side]; i >= 0; i = sent->next) {
		sent = &b->half[i];
		if (!fits(sent, got))
			continue;
		b->choice |= best || got->at > sent->at + DELAYED_NS;
		if (best && got->at + SLACK_NS < sent->at + b->delay / 2)
			continue;
		if (!best || sent->at >= best->at)
			best = sent;
	}
	if (!best || too_late(b, best, got))
		return;
	/* It restarts TIME_WAIT only when it is the FIN again. */
	if (got->kind == K_FIN && got->doubt & H_DOUBTFUL && !best->retransmit)
		return;
	got->pair = (int32_t)(best - b->half);
	best->pair = (int32_t)(got - b->half);
}

/*
 * Each arrival is that of the last copy sent before, unless that would have
 * been faster than anything else on this way.  Backwards, so that several on
 * their way at once do not overtake each other; but of bare ACKs it is the
 * first arrival that goes with the one copy we know of.
 */
static void pair_halves(struct build *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (b->half[i].way == RECEIVED && is_bare_ack(&b->half[i]))
			pair_half(b, &b->half[i]);
	for (i = b->n; i--; )
		if (b->half[i].way == RECEIVED && !is_bare_ack(&b->half[i]))
			pair_half(b, &b->half[i]);
}

static void find_delay(struct build *b)
{
	size_t i;

	for (i = 0; i < b->n; i++) {
		const struct ladder_half *got = &b->half[i];
		uint64_t took;

		/* Later kinds may be paired wrongly as long as it is not known. */
		if (got->way != RECEIVED || got->pair < 0 || got->at <= b->half[got->pair].at ||
		    got->kind > K_ACK)
			continue;
		took = got->at - b->half[got->pair].at;
		if (!b->delay || took < b->delay)
			b->delay = took;
	}
}

/* What is not what it may have been. */
static void settle_doubts(struct build *b)
{
	size_t i;

	for (i = 0; i < b->n; i++) {
		struct ladder_half *h = &b->half[i];

		if (h->kind == K_ANY && h->pair >= 0) {
			const struct ladder_half *sent = &b->half[h->pair];

			/* The RST for a segment without ACK acknowledges that. */
			if (sent->kind == K_SYN && i + 1 < b->n && !h->has_ack) {
				h[1].flags |= SEG(ACK);
				seq(&h[1], 0);
				ack(&h[1], h->seq + 1);
			}
			continue;
		}
		if (!(h->doubt & H_DOUBTFUL) || h->pair >= 0)
			continue;
		if (h->kind == K_RST) {
			h->kind = K_NONE;
			h->way = NOWHERE;
			continue;
		}
		/* What answered it has arrived: it was the FIN. */
		if (i + 1 < b->n && h[1].doubt & H_ANSWER) {
			if (h[1].pair >= 0)
				continue;
			h[1].doubt |= H_DROPPED;
		}
		h->kind = K_ANY;
		h->flags = 0;
		h->has_seq = false;
	}
}

/* ---- what was lost ------------------------------------------------------------------ */

/* Has the end a half of this kind after ts? */
static bool later(const struct build *b, unsigned int side, uint8_t kind, uint8_t way,
		  uint64_t ts)
{
	size_t i;

	for (i = 0; i < b->n; i++) {
		const struct ladder_half *h = &b->half[i];

		if (h->side == side && h->kind == kind && h->way == way && h->at > ts &&
		    !(h->doubt & H_DROPPED))
			return true;
	}
	return false;
}

/* Did the end get what makes it deaf for more of this kind, before ts? */
static bool had(const struct build *b, unsigned int side, uint8_t kind, uint64_t ts)
{
	size_t i;

	for (i = 0; i < b->n; i++) {
		const struct ladder_half *h = &b->half[i];

		if (h->side != side || h->way != RECEIVED || h->kind != kind || h->at >= ts)
			continue;
		/* A SYN that was refused, or left no trace, changes nothing. */
		if (kind == K_SYN && !h->cell.state)
			continue;
		return true;
	}
	return false;
}

static bool sent_again(const struct build *b, unsigned int side, uint8_t kind, uint64_t ts)
{
	size_t i;

	for (i = 0; i < b->n; i++) {
		const struct ladder_half *h = &b->half[i];

		if (h->side == side && h->kind == kind && h->way == SENT && h->retransmit &&
		    h->at > ts)
			return true;
	}
	return false;
}

/* When the end left SYN_SENT; UINT64_MAX: it did not. */
static uint64_t left_syn_sent(const struct build *b, unsigned int side)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (b->half[i].side == side && b->half[i].cell.old_state == STATE(SYN_SENT))
			return b->half[i].at;
	return UINT64_MAX;
}

/* Was the end in a state that a FIN changes (or begins anew), from ts on until after due? */
static bool would_tell_fin(const struct build *b, unsigned int side, uint64_t ts, uint64_t due)
{
	uint64_t next = 0;
	uint8_t state = 0;
	size_t i;

	for (i = 0; i < b->n; i++) {
		const struct ladder_half *h = &b->half[i];

		if (h->side != side || !h->cell.state || h->kind >= K_DATA)
			continue;
		if (h->at > ts) {
			next = h->at;
			break;
		}
		state = h->cell.state;
	}
	if (next <= due)
		return false;
	switch (state) {
	case STATE(SYN_RECV):
	case STATE(ESTABLISHED):
	case STATE(FIN_WAIT1):
		return true;
	case STATE(FIN_WAIT2):
	case STATE(TIME_WAIT):
		return b->story->refreshes;
	}
	return false;
}

/* The RST with which the end answered what its SYN had brought about, from ts on. */
static bool was_answered(const struct build *b, unsigned int side, uint64_t ts)
{
	size_t i;

	for (i = 0; i < b->n; i++) {
		const struct ladder_half *h = &b->half[i];

		if (h->side == side && h->kind == K_ANY && h->way == RECEIVED && h->at >= ts &&
		    h->flags == SEG(ACK))
			return true;
	}
	return false;
}

static bool is_lost(const struct build *b, const struct ladder_half *h)
{
	unsigned int p = !h->side;
	uint64_t due = h->at + 2 * b->delay + SLACK_NS, left;

	switch (h->kind) {
	case K_SYN:
		return !had(b, p, K_SYN, h->at) && later(b, p, K_SYN, RECEIVED, due) &&
		       !was_answered(b, h->side, h->at);
	case K_SYNACK:
		left = left_syn_sent(b, p);
		return b->active[p] && left > due &&
		       (left < UINT64_MAX || sent_again(b, p, K_SYN, due));
	case K_ACK:
		return sent_again(b, p, K_SYNACK, due);
	case K_FIN:
		/* Data lost before a FIN keeps that from being noticed. */
		return (h->retransmit || sent_again(b, h->side, K_FIN, h->at)) &&
		       !sent_again(b, h->side, K_AGAIN, h->at) && would_tell_fin(b, p, h->at, due);
	case K_ACKFIN:
		return sent_again(b, p, K_FIN, due) && !had(b, p, K_ACKFIN, h->at);
	}
	return false;
}

/*
 * How long CLOSE_WAIT may keep its ACK back: tcp_send_delayed_ack() allows for
 * a round trip if that has been measured, 40 ms at least.
 */
static uint64_t ack_delay(const struct build *b, unsigned int side)
{
	uint64_t sent = 0, took;
	size_t i;

	for (i = 0; i < b->n; i++) {
		const struct ladder_half *h = &b->half[i];

		if (h->side != side || h->kind < K_SYN || h->kind > K_ACK)
			continue;
		if (h->way == SENT && h->retransmit)
			break;
		if (h->way == SENT && h->kind != K_ACK) {
			sent = h->at;
		} else if (sent && h->cell.state == STATE(ESTABLISHED)) {
			took = 2 * (h->at - sent) + 60 * NSEC_PER_MSEC;
			return took < DELACK_NS ? took : DELACK_NS;
		}
	}
	return DELACK_NS;
}

/* If the other end still repeats its FIN then, an ACK was lost. */
static void lost_delayed_ack(struct build *b)
{
	size_t i, n = b->n;

	for (i = 0; i < n; i++) {
		const struct ladder_half got = b->half[i];
		unsigned int s = got.side, p = !s;
		struct ladder_half *h;

		if (got.kind != K_FIN || got.way != RECEIVED || got.cell.state != STATE(CLOSE_WAIT))
			continue;
		if (!sent_again(b, p, K_FIN, got.at + ack_delay(b, s)))
			continue;
		h = add(b, got.at, s, K_ACKFIN, SENT);
		h->order = got.order + 1;
		h->flags = SEG(ACK);
		ack(h, got.seq + 1);
		h->fate = TCPFSM_FATE_LOST;
	}
}

static void find_fates(struct build *b, bool exact)
{
	size_t i;

	for (i = 0; i < b->n; i++) {
		struct ladder_half *h = &b->half[i];

		if (h->pair >= 0 || h->way == RECEIVED)
			h->fate = TCPFSM_FATE_ARRIVED;
		else if (exact && h->way == SENT && h->fate != TCPFSM_FATE_ARRIVED && is_lost(b, h))
			h->fate = TCPFSM_FATE_LOST;
	}
	if (exact)
		lost_delayed_ack(b);
}

/* ---- rows --------------------------------------------------------------------------- */

static bool before(const struct ladder_half *a, const struct ladder_half *b)
{
	return a->ts < b->ts || (a->ts == b->ts && a->order < b->order);
}

/* Nearly sorted already; equal ones stay in order. */
static void sort(struct build *b)
{
	size_t i, j, k;

	for (i = 1; i < b->n; i++) {
		struct ladder_half h;

		if (!before(&b->half[i], &b->half[i - 1]))
			continue;
		h = b->half[i];
		for (j = i; j && before(&h, &b->half[j - 1]); j--)
			b->half[j] = b->half[j - 1];
		b->half[j] = h;
		/* Pairs are indices. */
		for (k = 0; k < b->n; k++) {
			int32_t *pair = &b->half[k].pair;

			if (*pair == (int32_t)i)
				*pair = (int32_t)j;
			else if (*pair >= (int32_t)j && *pair < (int32_t)i)
				(*pair)++;
		}
	}
}

/* Nothing arrives before it was sent: what the receiver did meanwhile waits. */
static bool mend_once(struct build *b)
{
	bool mended = false;
	size_t i, j;

	for (i = 0; i < b->n; i++) {
		const struct ladder_half *got = &b->half[i], *sent;

		if (got->way != RECEIVED || got->pair < (int32_t)i)
			continue;
		sent = &b->half[got->pair];
		for (j = i; j < (size_t)got->pair; j++) {
			struct ladder_half *h = &b->half[j];

			if (h->side != got->side || h->kind >= K_DATA)
				continue;
			h->ts = sent->ts;
			h->order = sent->order + 1;
		}
		mended = true;
	}
	if (mended)
		sort(b);
	return mended;
}

static void mend_order(struct build *b)
{
	unsigned int tries = 8;
	size_t i;

	while (tries-- && mend_once(b))
		;
	/* Each was sent before the other arrived?  Then they are no pairs. */
	for (i = 0; i < b->n; i++) {
		struct ladder_half *got = &b->half[i];

		if (got->way != RECEIVED || got->pair < (int32_t)i)
			continue;
		b->half[got->pair].fate = TCPFSM_FATE_NOT_SEEN;
		b->half[got->pair].pair = -1;
		got->pair = -1;
	}
}

/*
 * Would one row for both ends of a segment hide something?  What the receiver
 * did meanwhile, that another one crossed it, or that it took unusually long.
 */
static bool is_long(const struct build *b, size_t from, size_t to)
{
	size_t i;

	if (b->delay && b->half[to].at > b->half[from].at + 4 * b->delay + LONG_NS)
		return true;
	for (i = from + 1; i < to; i++) {
		const struct ladder_half *h = &b->half[i];

		if (h->kind >= K_DATA || h->doubt & H_DROPPED || h->shown)
			continue;
		if (h->side == b->half[to].side || (h->way == RECEIVED && h->pair >= 0))
			return true;
	}
	return false;
}

/* sent or got may be NULL. */
static void segment_row(struct tcpfsm_ladder_row *r, const struct ladder_half *sent,
			const struct ladder_half *got, unsigned int flip)
{
	const struct ladder_half *h = sent ? sent : got;
	unsigned int from = sent ? sent->side : !got->side;

	r->from = (uint8_t)(from ^ flip);
	r->flags = h->flags;
	r->fate = h->fate;
	r->retransmit = h->retransmit;
	r->has_seq = h->has_seq;
	r->seq = h->seq;
	r->has_ack = h->has_ack;
	r->ack = h->ack;
	if (sent && got) {
		if (!r->has_seq && got->has_seq) {
			r->has_seq = true;
			r->seq = got->seq;
		}
		if (!r->has_ack && got->has_ack && r->flags & SEG(ACK)) {
			r->has_ack = true;
			r->ack = got->ack;
		}
	}
	if (sent)
		r->sent_ts = sent->at;
	if (got)
		r->arrived_ts = got->at;
}

static size_t data_row(struct tcpfsm_ladder_row *rows, size_t n, const struct ladder_half *h,
		       uint64_t ts, unsigned int flip)
{
	struct tcpfsm_ladder_row *r = &rows[n];

	/* One line will do, if nothing else came between. */
	if (n && rows[n - 1].kind == TCPFSM_LADDER_DATA)
		r = &rows[--n];
	else
		memset(r, 0, sizeof(*r));
	r->ts = ts;
	r->kind = TCPFSM_LADDER_DATA;
	r->bytes[flip] += h->bytes[0];
	r->bytes[!flip] += h->bytes[1];
	return n + 1;
}

static size_t make_rows(struct build *b, struct tcpfsm_ladder_row *rows, unsigned int flip)
{
	size_t i, n = 0;

	for (i = 0; i < b->n; i++) {
		struct ladder_half *h = &b->half[i], *pair = NULL, *d;
		struct tcpfsm_ladder_row *r;
		bool two_rows = false;

		if (h->shown || h->doubt & H_DROPPED)
			continue;
		if (h->pair >= 0)
			pair = &b->half[h->pair];
		if (pair && h->way == SENT) {
			two_rows = is_long(b, i, (size_t)h->pair);
			/* In one row: what was counted at its arrival came before it. */
			for (d = h + 1; !two_rows && d < pair; d++) {
				if (d->kind != K_DATA || d->shown)
					continue;
				n = data_row(rows, n, d, h->ts, flip);
				d->shown = true;
			}
		}
		r = &rows[n];
		memset(r, 0, sizeof(*r));
		r->ts = h->ts;

		switch (h->kind) {
		case K_DATA:
			n = data_row(rows, n, h, h->ts, flip);
			continue;
		case K_GAP:
		case K_MORE:
			r->kind = h->kind == K_GAP ? TCPFSM_LADDER_GAP : TCPFSM_LADDER_MORE;
			r->count = h->bytes[0];
			n++;
			continue;
		}
		r->cell[h->side ^ flip] = h->cell;
		switch (h->way) {
		case NOWHERE:
			r->kind = TCPFSM_LADDER_EVENT;
			break;
		case SENT:
			segment_row(r, h, pair, flip);
			r->kind = TCPFSM_LADDER_SEGMENT;
			if (!pair)
				break;
			if (two_rows) {
				r->kind = TCPFSM_LADDER_DEPARTS;
				h->row = (uint32_t)n;
			} else {
				r->cell[pair->side ^ flip] = pair->cell;
				pair->shown = true;
			}
			break;
		case RECEIVED:
			segment_row(r, pair, h, flip);
			r->kind = TCPFSM_LADDER_SEGMENT;
			if (pair) {
				r->kind = TCPFSM_LADDER_ARRIVES;
				r->pair = pair->row;
				rows[pair->row].pair = (uint32_t)n;
			}
			break;
		}
		n++;
	}
	return n;
}

/* ---- all of it ------------------------------------------------------------------------- */

/* The end that began to close. */
static int8_t closed_first(const struct build *b, unsigned int flip)
{
	const struct ladder_fact *f = b->story->facts, *end = f + b->story->nfacts;
	int8_t first = -1;
	uint8_t closer;
	unsigned int s;

	/* It closes already when it is seen for the first time. */
	for (s = 0; s < 2; s++) {
		closer = closer_in(b->first[s]);
		if (closer == TCPFSM_CLOSER_BOTH)
			return TCPFSM_LADDER_BOTH;
		if (closer)
			return (int8_t)(s ^ (closer == TCPFSM_CLOSER_REMOTE) ^ flip);
	}
	for (; f < end; f++) {
		if (f->type != EVENT(TRANSITION))
			continue;
		closer = closer_by(f->old_state, f->new_state, f->cause);
		if (closer == TCPFSM_CLOSER_BOTH)
			return TCPFSM_LADDER_BOTH;
		if (closer && first < 0)
			first = (int8_t)(f->side ^ (closer == TCPFSM_CLOSER_REMOTE) ^ flip);
	}
	return first;
}

static int reserve(struct ladder_scratch *s, size_t n)
{
	struct ladder_half *halves;
	struct tcpfsm_ladder_row *rows;

	if (n <= s->size)
		return 0;
	halves = realloc(s->halves, n * sizeof(*halves));
	if (halves)
		s->halves = halves;
	rows = realloc(s->rows, n * sizeof(*rows));
	if (rows)
		s->rows = rows;
	if (!halves || !rows)
		return -ENOMEM;
	s->size = n;
	return 0;
}

void ladder_scratch_free(struct ladder_scratch *s)
{
	free(s->halves);
	free(s->rows);
	memset(s, 0, sizeof(*s));
}

/* The one who opened it is on the left, or else the first that was seen. */
static unsigned int left_end(const struct build *b)
{
	if (b->active[0] != b->active[1])
		return b->active[1];
	if (!b->active[0] && b->passive[0] != b->passive[1])
		return b->passive[0];
	return b->story->nfacts ? b->story->facts[0].side : 0;
}

/* None at all: the module was loaded with seq=0. */
static bool has_numbers(const struct ladder_story *st)
{
	size_t i;

	for (i = 0; i < st->nfacts; i++) {
		const struct ladder_fact *f = &st->facts[i];
		bool limit = f->type == EVENT(SYN) && f->verdict == TCPFSM_VERDICT_DROPPED;

		if (f->rcv || (f->snd && !limit))
			return true;
	}
	return false;
}

/* What was made of zeros is no number. */
static void forget_numbers(struct build *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		b->half[i].has_seq = b->half[i].has_ack = false;
	b->isn[0].known = b->isn[1].known = false;
}

int ladder_build(struct ladder_scratch *s, const struct ladder_story *st,
		 struct tcpfsm_ladder *l)
{
	struct build b = { .story = st, .last = { -1, -1 }, .handshake_ns = { -1, -1 } };
	unsigned int flip, i;
	bool both;
	size_t n;

	/* Data, two halves, and what lost_delayed_ack() adds; gaps; more. */
	if (reserve(s, 4 * st->nfacts + st->ngaps + 1))
		return -ENOMEM;
	b.half = s->halves;
	for (n = 0; n < st->nfacts; n++)
		b.seen[st->facts[n].side] = true;
	both = b.seen[0] && b.seen[1];

	learn_numbers(&b);
	walk(&b);
	if (!has_numbers(st))
		forget_numbers(&b);
	chain_sent(&b);
	pair_halves(&b);
	find_delay(&b);
	if (b.delay && b.choice) {
		unpair(&b);
		pair_halves(&b);
	}
	settle_doubts(&b);

	memset(l, 0, sizeof(*l));
	l->exact = both && st->exact && !st->more && !st->ngaps && b.begun[0] && b.begun[1];
	find_fates(&b, l->exact);
	sort(&b);
	mend_order(&b);

	flip = left_end(&b);
	l->family = st->family;
	l->begun = (!b.seen[0] || b.begun[0]) && (!b.seen[1] || b.begun[1]);
	l->client = b.active[flip] != b.active[!flip] || b.passive[!flip];
	l->self = st->end[0].port == st->end[1].port &&
		  !memcmp(st->end[0].addr, st->end[1].addr, sizeof(st->end[0].addr));
	l->client &= !l->self;
	l->closed_first = closed_first(&b, flip);
	l->handshake_ns = b.handshake_ns[flip];
	l->finished = true;
	for (i = 0; i < 2; i++) {
		struct tcpfsm_ladder_end *end = &l->end[i ^ flip];

		*end = st->end[i];
		end->seen = b.seen[i];
		end->has_isn = b.isn[i].known;
		end->isn = b.isn[i].seq;
		end->first = b.first[i];
		end->last = b.state[i];
		end->cause = b.cause[i];
		if (end->conn && end->last != STATE(CLOSE))
			l->finished = false;
	}
	if (st->nfacts) {
		l->begin_ts = st->facts[0].ts;
		l->end_ts = st->facts[st->nfacts - 1].ts;
	}
	l->rows = s->rows;
	l->nrows = make_rows(&b, s->rows, flip);
	return 0;
}
