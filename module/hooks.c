// SPDX-License-Identifier: GPL-2.0-only
/* The table of hooks: attach all, or know why not; detach in reverse. */
#include <linux/build_bug.h>
#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/stringify.h>
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
 * @name: tracepoint or function
 * @kind: how to attach
 * @optional: where it may be missing, enum tcpfsm_optional
 * @features: bits of enum tcpfsm_feature that need it
 * @probe: called at the hook
 * @tp: the tracepoint, when found
 * @kp: HOOK_ENTRY: to find the function, never armed
 * @attached: now, or with the next register_ftrace_function()
 * @error: of the last attempt; 0: attached, or missing where it may be
 */
struct hook {
	const char *name;
	enum hook_kind kind;
	enum tcpfsm_optional optional;
	u32 features;
	void *probe;
	struct tracepoint *tp;
	struct kprobe kp;
	bool attached;
	int error;
};

#define ROW_TRACEPOINT(event, feat, fn, args) \
	{ .name = #event, .kind = HOOK_TRACEPOINT, .features = feat, .probe = fn },
#define ROW_ENTRY(function, opt, feat, fn) \
	{ .name = __stringify(function), .kind = HOOK_ENTRY, .optional = opt, \
	  .features = feat, .probe = fn },

static struct hook hooks[] = {
	TCPFSM_HOOKS(ROW_TRACEPOINT, ROW_ENTRY)
};

/* What is told from the notes that hooks leave for each other in struct tcpfsm_ctx. */
#define NOTES	(FEATURE(SYN) | FEATURE(ACK) | FEATURE(COOKIE) | FEATURE(REQUEST) | \
		 FEATURE(REQUEST_ICMP) | FEATURE(TW_ENTER) | FEATURE(TW_SEGMENT) | \
		 FEATURE(TW_LEAVE))

/* The tracepoints are found by name: let the compiler check the probes' types. */
#define CHECK_TRACEPOINT(event, feat, fn, args) \
	static_assert(__builtin_types_compatible_p(typeof(check_trace_callback_type_##event), \
						   void (void (*)args)), \
		      "tcpfsm: the tracepoint " #event " of this kernel has a form that compat/probes.c does not know");
#define CHECK_ENTRY(function, opt, feat, fn)
TCPFSM_HOOKS(CHECK_TRACEPOINT, CHECK_ENTRY)

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

/* IPv6 is part of the kernel, though it may be off: then its functions are there and not called. */
static bool may_be_missing(const struct hook *hook)
{
	return hook->optional == TCPFSM_NOT_ALL ||
	       (hook->optional == TCPFSM_ONLY_IPV6 && !IS_BUILTIN(CONFIG_IPV6));
}

/* Return: 0, also when it is missing where it may be: then without kp.addr. */
static int locate(struct hook *hook)
{
	int err;

	hook->kp = (struct kprobe){ .symbol_name = hook->name, .flags = KPROBE_FLAG_DISABLED };
	err = register_kprobe(&hook->kp);
	if (!err)
		return 0;
	hook->kp.addr = NULL;
	return err == -ENOENT && may_be_missing(hook) ? 0 : err;
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
		hook->error = locate(hook);
		if (hook->kp.addr)
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
#define CALLEE_BITS	10
static struct callee {
	unsigned long ip;
	void (*probe)(TCPFSM_FUNCTION_ARGS);
} callees[(1 << CALLEE_BITS) + ENTRY_CALLS * ARRAY_SIZE(hooks) + 1] ____cacheline_aligned;

/* As hash_32(), but to a number of bytes at once: every entry of every function comes by. */
static __always_inline struct callee *callee_first(unsigned long ip)
{
	const unsigned int shift = ilog2(sizeof(struct callee));
	u32 hash = (u32)ip * GOLDEN_RATIO_32 >> (32 - CALLEE_BITS - shift);

	BUILD_BUG_ON_NOT_POWER_OF_2(sizeof(struct callee));
	return (void *)callees + (hash & -(u32)sizeof(struct callee));
}

static void on_entry(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
		     struct ftrace_regs *fregs)
{
	const struct callee *c = callee_first(ip);

	while (unlikely(c->ip != ip)) {
		if (!c->ip)
			return;
		c++;
	}
	c->probe(fregs);
}

/*
 * One for all: to unregister waits for tasks that may be preempted inside, for a
 * tenth of a second at least, and each would wait by itself.
 */
static struct ftrace_ops entries;
static bool entries_attached;
static bool entries_stuck;
static DEFINE_MUTEX(attach_lock);

static void add_callee(unsigned long ip, void *probe)
{
	struct callee *c = callee_first(ip);

	while (c->ip)
		c++;
	c->probe = probe;
	/* Others are called meanwhile; this one is not before its filter is set. */
	smp_store_release(&c->ip, ip);
}

static void add_callees(const struct hook *hook)
{
	unsigned int k;

	for (k = 0; k < ENTRY_CALLS; k++)
		add_callee((unsigned long)hook->kp.addr + k * ENTRY_STEP, hook->probe);
}

/* Of a hook whose function was found. */
static int filter_entry(struct hook *hook)
{
	int err = hook->error;

	if (!err && hook->kp.addr)
		err = ftrace_set_filter_ip(&entries, (unsigned long)hook->kp.addr, 0, 0);
	/* A function that is not traced, or there was no memory. */
	return err == -EINVAL ? -ENOENT : err;
}

static void attach_entries(void)
{
	int i, err;

	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		if (hooks[i].kind != HOOK_ENTRY || !hooks[i].attached)
			continue;
		entries_attached = true;
		add_callees(&hooks[i]);
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

/*
 * ipv6.ko comes after us: its functions are hooked as soon as it is there.  Before that
 * nothing of IPv6 has happened.
 */
static int module_comes(struct notifier_block *nb, unsigned long state, void *unused)
{
	int i;

	if (state != MODULE_STATE_LIVE)
		return NOTIFY_DONE;
	mutex_lock(&attach_lock);
	for (i = 0; entries_attached && i < ARRAY_SIZE(hooks); i++) {
		struct hook *hook = &hooks[i];
		struct kprobe *kp = &hook->kp;

		if (!hook->optional || hook->attached || hook->error ||
		    !(hook->features & ~features_off()) || locate(hook) || !kp->addr)
			continue;
		unregister_kprobes(&kp, 1);
		add_callees(hook);
		hook->error = filter_entry(hook);
		hook->attached = !hook->error;
	}
	mutex_unlock(&attach_lock);
	return NOTIFY_DONE;
}

static struct notifier_block module_notifier = { .notifier_call = module_comes };

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

/* What is off, and why; one line where the cause is one. */
static void tell_errors(u32 off)
{
	static const char * const names[] = {
#define NAME(s, n, name, text)	[n] = name,
		TCPFSM_FEATURES(NAME)
#undef NAME
	};
	bool sysctl = false;
	char list[320];
	int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		/* FTRACE_OPS_FL_PERMANENT is refused by nothing else. */
		if (hooks[i].kind == HOOK_ENTRY && hooks[i].error == -EBUSY)
			sysctl = true;
		else if (hooks[i].error)
			pr_warn("tcpfsm: cannot hook %s: error %d\n", hooks[i].name, hooks[i].error);
	}
	if (!sysctl)
		return;
	list[0] = 0;
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i] && (off & BIT(i)))
			n += scnprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", names[i]);
	pr_warn("tcpfsm: kernel.ftrace_enabled is 0, so these features are off: %s; sysctl -w kernel.ftrace_enabled=1, then load the module again\n",
		list);
}

static u32 attach_all(void)
{
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
		hook->attached = !hook->error && (hook->kind == HOOK_TRACEPOINT || hook->kp.addr);
	}
	detach_useless();
	attach_entries();
	return detach_useless();
}

/**
 * tcpfsm_hooks_attach() - attach every hook that this kernel has
 *
 * A feature that lacks one of its hooks is off, and hooks that serve no other
 * feature are detached again.  Context: process, may sleep.
 *
 * Return: 0, or the error of the state tracepoint, without which the module
 * has no purpose; then nothing is attached.  -ENODEV: see tcpfsm_hooks_detach().
 */
int tcpfsm_hooks_attach(void)
{
	u32 off;
	int err;

	if (entries_stuck)
		return -ENODEV;
	mutex_lock(&attach_lock);
	off = attach_all();
	mutex_unlock(&attach_lock);
	tell_errors(off);
	if (off & FEATURE(STATE)) {
		err = hooks[0].error;
		tcpfsm_hooks_detach();
		return err;
	}
	if (!IS_BUILTIN(CONFIG_IPV6))
		register_module_notifier(&module_notifier);
	WRITE_ONCE(tcpfsm_opens_wait, !(off & FEATURE(ACTIVE_OPEN)));
	tcpfsm_connect_attach();
	tcpfsm_listener_arm();
	return 0;
}

/*
 * After a bug of its own, ftrace changes no call any more: ours would go on after our text is
 * gone.  So the module stays: unload is refused, or where it is under way, does not end.
 */
static void stay(int err)
{
	entries_stuck = true;
	pr_crit("tcpfsm: the kernel cannot detach its hooks (error %d): the module stays until the next boot\n",
		err);
	if (THIS_MODULE->state == MODULE_STATE_LIVE && try_module_get(THIS_MODULE))
		return;
	for (;;)
		schedule_timeout_idle(MAX_SCHEDULE_TIMEOUT);
}

/**
 * tcpfsm_hooks_detach() - detach all hooks and wait for running probes
 *
 * Where the kernel refuses that, the module stays for good: they go on, and
 * write to rings that nobody frees.  Context: process, may sleep.
 */
void tcpfsm_hooks_detach(void)
{
	unsigned int cpu;
	int i, err = 0;

	if (!IS_BUILTIN(CONFIG_IPV6))
		unregister_module_notifier(&module_notifier);
	tcpfsm_listener_disarm();
	tcpfsm_connect_detach();
	WRITE_ONCE(tcpfsm_opens_wait, false);
	if (entries_attached)
		err = unregister_ftrace_function(&entries);
	if (err) {
		stay(err);
		return;
	}
	entries_attached = false;
	ftrace_set_filter(&entries, NULL, 0, 1);
	memset(callees, 0, sizeof(callees));
	for (i = ARRAY_SIZE(hooks) - 1; i >= 0; i--) {
		if (hooks[i].attached && hooks[i].kind == HOOK_TRACEPOINT)
			tracepoint_probe_unregister(hooks[i].tp, hooks[i].probe, NULL);
		hooks[i].attached = false;
	}
	tracepoint_synchronize_unregister();
	tcpfsm_listener_stop();

	/* No pointer of this time may be taken for one of the next. */
	tcpfsm_calls_forget();
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
