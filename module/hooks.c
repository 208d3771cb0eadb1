// SPDX-License-Identifier: GPL-2.0
/* The table of hooks: attach all, or know why not; detach in reverse. */
#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <trace/events/skb.h>
#include <trace/events/sock.h>
#include <trace/events/tcp.h>

#include "hooks.h"

DEFINE_PER_CPU_ALIGNED(struct tcpfsm_ctx, tcpfsm_ctx);

enum hook_kind {
	HOOK_TRACEPOINT,
	HOOK_ENTRY,	/* ftrace, at the function's first instruction */
};

/**
 * struct hook - one row of the table
 * @name: tracepoint or function; of two, the newer kernel's name first
 * @older: what older kernels call it, or NULL
 * @kind: how to attach
 * @features: bits of enum tcpfsm_feature that need it
 * @probe: called at the hook
 * @tp: the tracepoint, when found
 * @kp: HOOK_ENTRY: to find the function, never armed
 * @attached: now, or with the next register_ftrace_function()
 * @error: of the last attempt
 */
struct hook {
	const char *name;
	const char *older;
	enum hook_kind kind;
	u32 features;
	void *probe;
	struct tracepoint *tp;
	struct kprobe kp;
	bool attached;
	int error;
};

#define F(feature)	BIT(TCPFSM_FEATURE_##feature)
#define TRACEPOINT(event, feat, fn) \
	{ .name = event, .kind = HOOK_TRACEPOINT, .features = feat, .probe = fn }
#define ENTRY(newer, old, feat, fn) \
	{ .name = newer, .older = old, .kind = HOOK_ENTRY, .features = feat, .probe = fn }

static struct hook hooks[] = {
	TRACEPOINT("inet_sock_set_state", F(STATE), tcpfsm_on_state),
	TRACEPOINT("consume_skb", F(SYN), tcpfsm_on_consume_skb),
	TRACEPOINT("kfree_skb", F(ACK) | F(COOKIE), tcpfsm_on_kfree_skb),
	TRACEPOINT("tcp_retransmit_synack", F(SYNACK), tcpfsm_on_retransmit_synack),
	TRACEPOINT("tcp_retransmit_skb", F(RETRANSMIT), tcpfsm_on_retransmit),
	TRACEPOINT("tcp_receive_reset", F(RST_RECEIVED), tcpfsm_on_receive_reset),

	ENTRY("tcp_conn_request", NULL, F(SYN), tcpfsm_on_conn_request),
	ENTRY("tcp_make_synack", NULL, F(SYN), tcpfsm_on_make_synack),
	ENTRY("tcp_check_req", NULL, F(ACK), tcpfsm_on_check_req),
	ENTRY("inet_csk_complete_hashdance", NULL, F(ACK), tcpfsm_on_hashdance),
	ENTRY("cookie_v4_check", NULL, F(COOKIE), tcpfsm_on_cookie_check),
	ENTRY("cookie_v6_check", NULL, F(COOKIE), tcpfsm_on_cookie_check),
	/* The static one was split off in 6.12 and in 6.1.y; it serves the timer too. */
	ENTRY("__inet_csk_reqsk_queue_drop", "inet_csk_reqsk_queue_drop",
	      F(REQUEST), tcpfsm_on_queue_drop),

	ENTRY("tcp_req_err", NULL, F(REQUEST_ICMP), tcpfsm_on_req_err),
	ENTRY("tcp_syn_ack_timeout", NULL, F(SYNACK_TIMER), tcpfsm_on_synack_timeout),

	ENTRY("tcp_time_wait", NULL, F(TW_ENTER), tcpfsm_on_time_wait),
	/* 6.12 */
	ENTRY("inet_twsk_hashdance_schedule", "inet_twsk_hashdance",
	      F(TW_ENTER), tcpfsm_on_twsk_hashdance),
	ENTRY("tcp_timewait_state_process", NULL, F(TW_SEGMENT) | F(TW_LEAVE),
	      tcpfsm_on_twsk_segment),
	ENTRY("__inet_twsk_schedule", NULL, F(TW_SEGMENT), tcpfsm_on_twsk_schedule),
	ENTRY("tcp_twsk_unique", NULL, F(TW_LEAVE), tcpfsm_on_twsk_unique),
	ENTRY("inet_twsk_deschedule_put", NULL, F(TW_LEAVE), tcpfsm_on_twsk_deschedule),
	ENTRY("inet_twsk_kill", NULL, F(TW_LEAVE), tcpfsm_on_twsk_kill),

	ENTRY("tcp_v4_send_reset", NULL, F(RST_SENT), tcpfsm_on_send_reset),
	ENTRY("tcp_v6_send_reset", NULL, F(RST_SENT), tcpfsm_on_send_reset),
	ENTRY("tcp_send_active_reset", NULL, F(RST_SENT), tcpfsm_on_active_reset),

	ENTRY("inet_listen", NULL, F(LISTEN), tcpfsm_on_listen),
	ENTRY("tcp_connect", NULL, F(ACTIVE_OPEN) | F(CONNECT_FAILED), tcpfsm_on_tcp_connect),
	ENTRY("security_sock_graft", NULL, F(ACCEPT), tcpfsm_on_accept),
	ENTRY("tcp_shutdown", NULL, F(SHUTDOWN), tcpfsm_on_shutdown),
};

/* What is told from the notes that hooks leave for each other in struct tcpfsm_ctx. */
#define NOTES	(F(SYN) | F(ACK) | F(COOKIE) | F(REQUEST) | F(REQUEST_ICMP) | F(TW_ENTER) | \
		 F(TW_SEGMENT) | F(TW_LEAVE))

/* The tracepoints are found by name: let the compiler check the probes' types. */
static void __maybe_unused check_probe_types(void)
{
	check_trace_callback_type_inet_sock_set_state(tcpfsm_on_state);
	check_trace_callback_type_consume_skb(tcpfsm_on_consume_skb);
	check_trace_callback_type_kfree_skb(tcpfsm_on_kfree_skb);
	check_trace_callback_type_tcp_retransmit_synack(tcpfsm_on_retransmit_synack);
	check_trace_callback_type_tcp_retransmit_skb(tcpfsm_on_retransmit);
	check_trace_callback_type_tcp_receive_reset(tcpfsm_on_receive_reset);
}

/* Is tcp_connect() hooked?  Then CLOSE -> SYN_SENT is logged there. */
bool tcpfsm_opens_wait;

static void find_tracepoint(struct tracepoint *tp, void *priv)
{
	struct hook *hook = priv;

	if (!strcmp(tp->name, hook->name))
		hook->tp = tp;
}

static int attach_tracepoint(struct hook *hook)
{
	if (!hook->tp)
		for_each_kernel_tracepoint(find_tracepoint, hook);
	if (!hook->tp)
		return -ENOENT;
	return tracepoint_probe_register(hook->tp, hook->probe, NULL);
}

static int locate_as(struct hook *hook, const char *name)
{
	hook->kp = (struct kprobe){ .symbol_name = name, .flags = KPROBE_FLAG_DISABLED };
	return register_kprobe(&hook->kp);
}

/*
 * Finds the functions.  ftrace_set_filter() would, too, by comparing the name of each
 * function in the kernel: for all hooks that is 2 * 10^9 instructions on 6.1.
 */
static void locate_entries(void)
{
	struct kprobe *found[ARRAY_SIZE(hooks)];
	int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		struct hook *hook = &hooks[i];

		if (hook->kind != HOOK_ENTRY)
			continue;
		hook->error = locate_as(hook, hook->name);
		if (hook->error == -ENOENT && hook->older)
			hook->error = locate_as(hook, hook->older);
		if (hook->error)
			hook->kp.addr = NULL;
		else
			found[n++] = &hook->kp;
	}
	unregister_kprobes(found, n);
}

/*
 * Who is called for an entry.  The call that the compiler put there comes after none, one
 * or two instructions, for branch tracking and the return address: each may be its place.
 * Hashed by @ip, else the next one that is free: there is always one after the last.
 */
#define ENTRY_CALLS	3
#define ENTRY_STEP	4
#define CALLEE_BITS	8
static struct callee {
	unsigned long ip;
	void (*probe)(TCPFSM_FUNCTION_ARGS);
} callees[(1 << CALLEE_BITS) + ENTRY_CALLS * ARRAY_SIZE(hooks) + 1] ____cacheline_aligned;

static void on_entry(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
		     struct ftrace_regs *fregs)
{
	const struct callee *c = &callees[hash_long(ip, CALLEE_BITS)];

	for (; c->ip != ip; c++)
		if (!c->ip)
			return;
	c->probe(fregs);
}

/*
 * One for all: to unregister waits for tasks that may be preempted inside, for a
 * tenth of a second at least, and each would wait by itself.
 */
static struct ftrace_ops entries;
static bool entries_attached;

static void add_callee(unsigned long ip, void *probe)
{
	struct callee *c = &callees[hash_long(ip, CALLEE_BITS)];

	while (c->ip)
		c++;
	*c = (struct callee){ .ip = ip, .probe = probe };
}

/* Of a hook whose function was found. */
static int filter_entry(struct hook *hook)
{
	int err = hook->error;

	if (!err)
		err = ftrace_set_filter_ip(&entries, (unsigned long)hook->kp.addr, 0, 0);
	/* A function that is not traced, or there was no memory. */
	return err == -EINVAL ? -ENOENT : err;
}

static void attach_entries(void)
{
	int i, k, err;

	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		const struct hook *hook = &hooks[i];

		if (hook->kind != HOOK_ENTRY || !hook->attached)
			continue;
		entries_attached = true;
		for (k = 0; k < ENTRY_CALLS; k++)
			add_callee((unsigned long)hook->kp.addr + k * ENTRY_STEP, hook->probe);
	}
	/* Without a filter it would be every function. */
	if (!entries_attached)
		return;
	err = register_ftrace_function(&entries);
	if (!err)
		return;
	entries_attached = false;
	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		if (hooks[i].kind != HOOK_ENTRY || !hooks[i].attached)
			continue;
		hooks[i].attached = false;
		hooks[i].error = err;
	}
}

static u32 features_off(void)
{
	u32 off = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(hooks); i++)
		if (hooks[i].error)
			off |= hooks[i].features;
	return off;
}

/* Before the entries are attached, and when that failed. */
static u32 detach_useless(void)
{
	u32 off = features_off();
	int i;

	for (i = ARRAY_SIZE(hooks) - 1; i >= 0; i--) {
		struct hook *hook = &hooks[i];

		if (!hook->attached || (hook->features & ~off))
			continue;
		hook->attached = false;
		if (hook->kind == HOOK_TRACEPOINT)
			tracepoint_probe_unregister(hook->tp, hook->probe, NULL);
		else	/* if this fails, there is no callee */
			ftrace_set_filter_ip(&entries, (unsigned long)hook->kp.addr, 1, 0);
	}
	return off;
}

/**
 * tcpfsm_hooks_attach() - attach every hook that this kernel has
 *
 * A feature that lacks one of its hooks is off, and hooks that serve no other
 * feature are detached again.  Context: process, may sleep.
 *
 * Return: 0, or the error of the state tracepoint, without which the module
 * has no purpose; then nothing is attached.
 */
int tcpfsm_hooks_attach(void)
{
	u32 off;
	int i;

	locate_entries();
	entries = (struct ftrace_ops){
		.func = on_entry,
		/* While loaded, ftrace_enabled=0 is refused rather than blinding us. */
		.flags = FTRACE_OPS_FL_PERMANENT | TCPFSM_FTRACE_FLAGS,
	};
	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		struct hook *hook = &hooks[i];

		if (TCPFSM_SOFTIRQS_MIX && (hook->features & NOTES))
			hook->error = -EOPNOTSUPP;
		else if (hook->kind == HOOK_TRACEPOINT)
			hook->error = attach_tracepoint(hook);
		else
			hook->error = filter_entry(hook);
		hook->attached = !hook->error;
	}
	detach_useless();
	attach_entries();
	off = detach_useless();
	for (i = 0; i < ARRAY_SIZE(hooks); i++)
		if (hooks[i].error)
			pr_warn("tcpfsm: cannot hook %s: error %d\n", hooks[i].name, hooks[i].error);
	if (off & F(STATE)) {
		tcpfsm_hooks_detach();
		return hooks[0].error;
	}
	WRITE_ONCE(tcpfsm_opens_wait, !(off & F(ACTIVE_OPEN)));
	tcpfsm_listener_arm();
	return 0;
}

/**
 * tcpfsm_hooks_detach() - detach all hooks and wait for running probes
 *
 * Context: process, may sleep.
 */
void tcpfsm_hooks_detach(void)
{
	unsigned int cpu;
	int i;

	tcpfsm_listener_disarm();
	WRITE_ONCE(tcpfsm_opens_wait, false);
	if (entries_attached)
		unregister_ftrace_function(&entries);
	entries_attached = false;
	ftrace_free_filter(&entries);
	memset(callees, 0, sizeof(callees));
	for (i = ARRAY_SIZE(hooks) - 1; i >= 0; i--) {
		if (hooks[i].attached && hooks[i].kind == HOOK_TRACEPOINT)
			tracepoint_probe_unregister(hooks[i].tp, hooks[i].probe, NULL);
		hooks[i].attached = false;
	}
	tracepoint_synchronize_unregister();
	tcpfsm_listener_stop();

	/* No pointer of this time may be taken for one of the next. */
	for_each_possible_cpu(cpu) {
		struct tcpfsm_ctx *ctx = per_cpu_ptr(&tcpfsm_ctx, cpu);
		u64 unjudged = ctx->unjudged;

		memset(ctx, 0, sizeof(*ctx));
		ctx->unjudged = unjudged;
	}
}

/**
 * tcpfsm_hooks_info() - fill in features, their errors and missed calls
 * @info: zeroed in these fields
 *
 * Context: process.
 */
void tcpfsm_hooks_info(struct tcpfsm_info *info)
{
	unsigned int cpu;
	int i, f;

	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		struct hook *hook = &hooks[i];
		for (f = 0; f < TCPFSM_FEATURE_SLOTS; f++) {
			if (!(hook->features & BIT(f)))
				continue;
			info->features |= BIT_ULL(f);
			if (hook->error && !info->error[f])
				info->error[f] = hook->error;
		}
	}
	for (f = 0; f < TCPFSM_FEATURE_SLOTS; f++)
		if (info->error[f])
			info->features &= ~BIT_ULL(f);
	for_each_possible_cpu(cpu)
		info->missed += READ_ONCE(per_cpu_ptr(&tcpfsm_ctx, cpu)->unjudged);
}
