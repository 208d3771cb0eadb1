// SPDX-License-Identifier: GPL-2.0-only
/*
 * The places of listeners: who gets one, who keeps it, who leaves.
 *
 * Four rare paths of hooks take a lock, all of them raw and never held while
 * another is taken: a listener's first event (claim_lock), listen() (that of
 * asks.c), a listener's end (the workqueue's) and, once a second under a flood,
 * the timer's that tells of records left out (limit.c).
 */
#include <linux/cpu.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "internal.h"

/* How long a closed listener keeps its place, unless others need it. */
#define KEEP_NS		(60ULL * NSEC_PER_SEC)
/* Keys that are neither free nor anybody's: to leave, and waiting for the hooks to be done. */
#define KEY_LEAVING	(~0ULL)
#define KEY_LEFT	(~1ULL)
/* Of the memory, all counters together may take 1/128: any user can make listeners. */
#define MEMORY_SHIFT	7
/* The OOM killer shall not make room for counters. */
#define GFP_COUNTS	(GFP_KERNEL | __GFP_ZERO | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)
/* Listeners that have been without a place, by a hash of the cookie. */
#define LOST_BITS	15

DEFINE_PER_CPU(struct tcpfsm_listener_cpu, tcpfsm_listener_cpu);
struct tcpfsm_part tcpfsm_parts[TCPFSM_LISTENER_PARTS] __read_mostly;
/* Requests that fit in the SYN queue beyond the backlog: 0 or 1. */
unsigned int tcpfsm_synq_spare;

DEFINE_MUTEX(tcpfsm_table_lock);
/* Parts there are; changes under tcpfsm_table_lock. */
static unsigned int nparts;
static u64 bytes;
/* As many as the first part has, all free: whoever looks there finds nobody. */
static u64 *no_keys;
/* Of CPUs without memory. */
static struct tcpfsm_place_counts vain;

static DEFINE_RAW_SPINLOCK(claim_lock);
/* Places that are not free; changes under claim_lock. */
static unsigned int used;
/* All was done to make room. */
static bool no_room;
static DECLARE_BITMAP(lost, 1 << LOST_BITS);

static void tidy(struct work_struct *unused);
static DECLARE_DELAYED_WORK(tidy_later, tidy);
static DECLARE_WORK(tidy_now, tidy);
/* One at a time: it waits for a grace period. */
static DEFINE_MUTEX(tidy_lock);

/**
 * tcpfsm_listener_places() - how many places there are now
 *
 * Context: any.
 */
unsigned int tcpfsm_listener_places(void)
{
	/* Pairs with the release in grow(). */
	unsigned int n = smp_load_acquire(&nparts);

	return n ? tcpfsm_parts[0].places << (n - 1) : 0;
}

/* The part that place @at is in; @at becomes its index there. */
static unsigned int part_of(unsigned int *at)
{
	unsigned int n = 0;

	while (*at >= tcpfsm_parts[n].places)
		*at -= tcpfsm_parts[n++].places;
	return n;
}

/**
 * tcpfsm_listener_key() - the cookie of a place
 * @at: its number, less than tcpfsm_listener_places()
 */
u64 *tcpfsm_listener_key(unsigned int at)
{
	unsigned int n = part_of(&at);

	return &tcpfsm_parts[n].keys[at];
}

/**
 * tcpfsm_listener_entry() - the listener of a place
 * @at: its number
 */
struct tcpfsm_listener *tcpfsm_listener_entry(unsigned int at)
{
	unsigned int n = part_of(&at);

	return &tcpfsm_parts[n].listeners[at];
}

static struct tcpfsm_place_counts *place_counts(const struct tcpfsm_listener_cpu *cpu,
						unsigned int at)
{
	unsigned int n = part_of(&at);

	return &cpu->more[n][at];
}

/**
 * tcpfsm_listener_counts() - what a CPU has counted for a place
 * @cpu: that has counters
 * @at: number of the place
 */
struct tcpfsm_counts *tcpfsm_listener_counts(const struct tcpfsm_listener_cpu *cpu,
					     unsigned int at)
{
	return &place_counts(cpu, at)->c;
}

/**
 * tcpfsm_in_vain() - where a CPU counts what is not to be counted
 * @cpu: the CPU
 */
struct tcpfsm_place_counts *tcpfsm_in_vain(const struct tcpfsm_listener_cpu *cpu)
{
	return cpu->counts ? &cpu->counts[tcpfsm_parts[0].places] : &vain;
}

/**
 * tcpfsm_listener_keys_set() - let the hooks of a CPU find listeners, or nobody
 * @cpu: the CPU
 *
 * Context: on that CPU with softirqs off, or it is offline.
 */
void tcpfsm_listener_keys_set(struct tcpfsm_listener_cpu *cpu)
{
	cpu->keys = cpu->armed && cpu->counts ? tcpfsm_parts[0].keys : no_keys;
}

/**
 * tcpfsm_listener_identity() - fill in where a listener listens
 * @entry: family, lport and laddr
 * @sk: listener
 */
void tcpfsm_listener_identity(struct tcpfsm_listener *entry, const struct sock *sk)
{
	const struct inet_sock *inet = inet_sk(sk);

	entry->lport = inet->inet_num;
	entry->dev = READ_ONCE(sk->sk_bound_dev_if);
#if IS_ENABLED(CONFIG_IPV6)
	if (sk->sk_family == AF_INET6) {
		entry->family = 6;
		memcpy(entry->laddr, &sk->sk_v6_rcv_saddr, sizeof(entry->laddr));
		return;
	}
#endif
	entry->family = 4;
	tcpfsm_fill_addr(entry->laddr, inet->inet_rcv_saddr);
}

/* In a part: a listener may be in its bucket and in the next, which are one run of ways. */
static int find_in(const struct tcpfsm_part *part, u64 cookie, u64 key)
{
	unsigned int bucket = tcpfsm_listener_bucket(part, cookie), i;

	for (i = 0; i < 2 * TCPFSM_LISTENER_WAYS; i++) {
		unsigned int at = (bucket + i) & (part->places - 1);

		/* Pairs with the release in claim() and with the one in finish(). */
		if (smp_load_acquire(&part->keys[at]) == key)
			return at;
	}
	return -1;
}

/* Number of the first place with this key that the listener may have, or -1. */
static int find(u64 cookie, u64 key)
{
	/* Pairs with the release in grow(). */
	unsigned int parts = smp_load_acquire(&nparts), first = 0, n;

	for (n = 0; n < parts; n++) {
		int at = find_in(&tcpfsm_parts[n], cookie, key);

		if (at >= 0)
			return first + at;
		first += tcpfsm_parts[n].places;
	}
	return -1;
}

/**
 * tcpfsm_listener_look_up() - the place of a listener
 * @cookie: of the listener
 *
 * Context: RCU read side, or under tcpfsm_table_lock.  Return: its number, or -1.
 */
int tcpfsm_listener_look_up(u64 cookie)
{
	return find(cookie, cookie);
}

static void make_room(void)
{
	if (!READ_ONCE(no_room))
		queue_work(system_power_efficient_wq, &tidy_now);
}

/**
 * tcpfsm_listener_lost() - has a listener been without a place when something happened?
 * @cookie: of the listener
 *
 * Rarely true of one that has not.  Context: any.
 */
bool tcpfsm_listener_lost(u64 cookie)
{
	return test_bit(hash_64(cookie, LOST_BITS), lost);
}

/**
 * tcpfsm_listeners_found() - counting begins: nobody has been without a place yet
 */
void tcpfsm_listeners_found(void)
{
	bitmap_zero(lost, 1 << LOST_BITS);
}

/*
 * A place for a listener that has none.  Nobody would take it away again in a
 * network namespace that is going: the kernel's own listeners there outlive us.
 */
static int claim(const struct sock *sk, u64 cookie)
{
	const struct tcpfsm_net_counts *nc = tcpfsm_net_counts(sock_net(sk));
	struct tcpfsm_ask ask = {};
	struct tcpfsm_listener *entry;
	bool crowded = true, known;
	unsigned long flags;
	int at = -1;

	if (!nc || !READ_ONCE(nc->cpu))
		return -1;
	/* A full table costs no lock. */
	if (find(cookie, 0) < 0)
		goto none;
	known = tcpfsm_ask_look(cookie, 0, &ask) && !tcpfsm_listener_lost(cookie);

	raw_spin_lock_irqsave(&claim_lock, flags);
	at = find(cookie, cookie);
	if (at < 0) {
		at = find(cookie, 0);
		if (at >= 0) {
			entry = tcpfsm_listener_entry(at);
			memset(entry, 0, sizeof(*entry));
			entry->cookie = cookie;
			entry->net = sock_net(sk);
			entry->netns = sock_net(sk)->ns.inum;
			entry->since = known ? ask.since : ktime_get_mono_fast_ns();
			entry->asked = ask.asked;
			entry->pid = ask.pid;
			memcpy(entry->comm, ask.comm, sizeof(entry->comm));
			tcpfsm_listener_identity(entry, sk);
			used++;
			smp_store_release(tcpfsm_listener_key(at), cookie);
		}
	}
	crowded = used * 4 >= tcpfsm_listener_places() * 3;
	raw_spin_unlock_irqrestore(&claim_lock, flags);
	if (at >= 0)
		tcpfsm_ask_drop(cookie);
none:
	if (crowded)
		make_room();
	return at;
}

/**
 * tcpfsm_listener_seek() - the slow half of tcpfsm_listener_find()
 * @sk: listener that is not in its bucket of the first part
 * @cookie: of @sk
 *
 * Context: preemption off, RCU read side.  Return: never NULL.
 */
struct tcpfsm_counts *tcpfsm_listener_seek(const struct sock *sk, u64 cookie)
{
	struct tcpfsm_listener_cpu *cpu = this_cpu_ptr(&tcpfsm_listener_cpu);
	bool listens = inet_sk_state_load(sk) == TCP_LISTEN;
	int at = -1;

	if (!cpu->armed)
		return &tcpfsm_in_vain(cpu)->c;
	if (cpu->counts) {
		at = tcpfsm_listener_look_up(cookie);
		/* Requests outlive their listener: nobody would take its place away again. */
		if (at < 0 && listens)
			at = claim(sk, cookie);
	}
	if (at >= 0)
		return tcpfsm_listener_counts(cpu, at);
	if (listens) {
		if (!tcpfsm_listener_lost(cookie))
			set_bit(hash_64(cookie, LOST_BITS), lost);
		tcpfsm_listener_net_inc(sock_net(sk), TCPFSM_TOTAL_LISTENERS_LOST);
	}
	return tcpfsm_listener_rest(sock_net(sk));
}

/**
 * tcpfsm_listener_asked() - listen() was called
 * @sk: socket that listens, or is about to
 * @asked: backlog before somaxconn; ~0: not known
 *
 * It gets no place for that: it may fail, and nobody may ever connect.
 * Context: process.
 */
void tcpfsm_listener_asked(const struct sock *sk, u32 asked)
{
	struct tcpfsm_ask ask = {
		.cookie = tcpfsm_cookie(&sk->__sk_common),
		.since = ktime_get_mono_fast_ns(),
		.asked = asked == ~0U ? 0 : (u64)asked + 1,
	};
	struct tcpfsm_listener *entry;
	int at;

	if (!(current->flags & PF_KTHREAD)) {
		ask.pid = task_tgid_nr(current);
		tcpfsm_copy_comm(ask.comm);
	}
	rcu_read_lock();
	at = tcpfsm_listener_look_up(ask.cookie);
	if (at >= 0) {
		entry = tcpfsm_listener_entry(at);
		WRITE_ONCE(entry->gone, 0);
		WRITE_ONCE(entry->asked, ask.asked);
		if (ask.pid) {
			WRITE_ONCE(entry->pid, ask.pid);
			/* Who reads totals meanwhile may see half of the new name, once. */
			data_race(memcpy(entry->comm, ask.comm, sizeof(entry->comm)));
		}
	}
	rcu_read_unlock();
	if (at < 0 && this_cpu_read(tcpfsm_listener_cpu.armed))
		tcpfsm_ask_put(&ask);
}

static void tidy_soon(void)
{
	queue_delayed_work(system_power_efficient_wq, &tidy_later,
			   nsecs_to_jiffies(KEEP_NS) + HZ);
}

/* It keeps its place for a minute. */
static void has_gone(struct tcpfsm_listener *entry, u64 now)
{
	WRITE_ONCE(entry->gone, now);
	/* Its place can be had. */
	WRITE_ONCE(no_room, false);
	tidy_soon();
}

/**
 * tcpfsm_listener_not_found() - a listener is not there: nobody saw it close
 * @entry: its place
 * @now: when it was not found
 *
 * Context: process, under tcpfsm_table_lock.
 */
void tcpfsm_listener_not_found(struct tcpfsm_listener *entry, u64 now)
{
	if (cmpxchg(&entry->gone, 0, now))
		return;
	entry->presumed = now;
	tidy_soon();
}

/**
 * tcpfsm_listener_closes() - a listener leaves LISTEN
 * @sk: listener, its accept queue not yet emptied
 *
 * One that leaves connections behind gets a place, if it has none as they came before we did.
 *
 * Context: any but NMI.
 */
void tcpfsm_listener_closes(const struct sock *sk)
{
	u64 cookie = tcpfsm_cookie(&sk->__sk_common);
	u64 now = ktime_get_mono_fast_ns();
	struct tcpfsm_listener_cpu *cpu;
	struct tcpfsm_listener *entry;
	unsigned long flags;
	int at;
	u64 *v;

	/* Softirqs count in the same block. */
	local_irq_save(flags);
	cpu = this_cpu_ptr(&tcpfsm_listener_cpu);
	at = tcpfsm_listener_look_up(cookie);
	if (at < 0 && READ_ONCE(sk->sk_ack_backlog) && cpu->armed && cpu->counts)
		at = claim(sk, cookie);
	if (at >= 0) {
		entry = tcpfsm_listener_entry(at);
		v = cpu->counts ? tcpfsm_listener_counts(cpu, at)->v :
				  tcpfsm_listener_rest(sock_net(sk))->v;
		v[TCPFSM_TOTAL_ABANDONED] += READ_ONCE(sk->sk_ack_backlog);
		tcpfsm_full_ends(&entry->synq_full_since, &v[TCPFSM_TOTAL_SYNQ_FULL_NS], now);
		tcpfsm_full_ends(&entry->acceptq_full_since, &v[TCPFSM_TOTAL_ACCEPTQ_FULL_NS],
				 now);
		/* listen() without bind() chose the port after the place was taken. */
		tcpfsm_listener_identity(entry, sk);
		has_gone(entry, now);
	}
	local_irq_restore(flags);
	if (at < 0)
		tcpfsm_ask_drop(cookie);
}

/* Keeps what was counted for a place, for its network namespace.  Return: is there room? */
static bool fold(const struct tcpfsm_listener *entry, unsigned int at)
{
	struct tcpfsm_net_counts *nc = tcpfsm_net_counts(entry->net);

	if (!nc->folded)
		nc->folded = kcalloc(TCPFSM_TOTAL_COUNTED, sizeof(*nc->folded), GFP_KERNEL);
	if (nc->folded)
		tcpfsm_sum_cpus(nc->folded, at);
	return nc->folded;
}

static void belongs(struct tcpfsm_place_counts *counts, struct tcpfsm_listener *entry)
{
	counts->c.histograms = counts->histograms;
	counts->c.entry = entry;
}

/* Frees the places that no hook has any more. */
static void finish(void)
{
	unsigned int at, cpu, n = tcpfsm_listener_places(), freed = 0;
	unsigned long flags;

	for (at = 0; at < n; at++) {
		struct tcpfsm_listener *entry = tcpfsm_listener_entry(at);
		u64 *key = tcpfsm_listener_key(at);

		if (READ_ONCE(*key) != KEY_LEFT)
			continue;
		/* Without memory it stays, and is tried again. */
		if (entry->net && !fold(entry, at)) {
			WRITE_ONCE(*key, KEY_LEAVING);
			continue;
		}
		for_each_possible_cpu(cpu) {
			struct tcpfsm_listener_cpu *c = per_cpu_ptr(&tcpfsm_listener_cpu, cpu);
			struct tcpfsm_place_counts *counts;

			if (!c->counts)
				continue;
			counts = place_counts(c, at);
			memset(counts, 0, sizeof(*counts));
			belongs(counts, entry);
		}
		smp_store_release(key, 0);
		freed++;
		cond_resched();
	}
	raw_spin_lock_irqsave(&claim_lock, flags);
	used -= freed;
	if (freed)
		no_room = false;
	raw_spin_unlock_irqrestore(&claim_lock, flags);
}

static void free_part(unsigned int n)
{
	struct tcpfsm_part *part = &tcpfsm_parts[n];
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct tcpfsm_listener_cpu *c = per_cpu_ptr(&tcpfsm_listener_cpu, cpu);

		kvfree(c->more[n]);
		c->more[n] = NULL;
	}
	kvfree(part->listeners);
	kvfree(part->keys);
	*part = (struct tcpfsm_part){};
}

/* The first part has one more, to count in vain. */
static u64 counts_bytes(unsigned int n)
{
	return (u64)(tcpfsm_parts[n].places + !n) * sizeof(struct tcpfsm_place_counts);
}

static int alloc_counts(unsigned int n, struct tcpfsm_listener_cpu *c)
{
	struct tcpfsm_place_counts *counts;
	unsigned int i;

	counts = kvmalloc_node(counts_bytes(n), GFP_COUNTS, cpu_to_node(c->cpu));
	if (!counts)
		return -ENOMEM;
	for (i = 0; i < tcpfsm_parts[n].places + !n; i++)
		belongs(&counts[i],
			i < tcpfsm_parts[n].places ? &tcpfsm_parts[n].listeners[i] : NULL);
	c->more[n] = counts;
	bytes += counts_bytes(n);
	return 0;
}

static int alloc_part(unsigned int n, unsigned int places)
{
	struct tcpfsm_part *part = &tcpfsm_parts[n];

	part->places = places;
	part->shift = 64 - ilog2(places / TCPFSM_LISTENER_WAYS);
	part->keys = kvmalloc(places * sizeof(*part->keys), GFP_COUNTS);
	part->listeners = kvmalloc(places * sizeof(*part->listeners), GFP_COUNTS);
	if (!part->keys || !part->listeners)
		return -ENOMEM;
	bytes += places * (sizeof(*part->keys) + sizeof(*part->listeners));
	return 0;
}

/* Twice as many places.  Return: are there? */
static bool grow(void)
{
	unsigned int n = nparts, cpu, places = tcpfsm_listener_places();
	u64 before = bytes;

	if (places >= TCPFSM_LISTENERS_MAX || bytes * 2 > (u64)totalram_pages() <<
							   (PAGE_SHIFT - MEMORY_SHIFT))
		return false;
	if (alloc_part(n, places))
		goto fail;
	for_each_possible_cpu(cpu) {
		struct tcpfsm_listener_cpu *c = per_cpu_ptr(&tcpfsm_listener_cpu, cpu);

		if (c->counts && alloc_counts(n, c))
			goto fail;
	}
	/* Pairs with the acquires of those that look for places. */
	smp_store_release(&nparts, n + 1);
	return true;
fail:
	free_part(n);
	bytes = before;
	return false;
}

/* Who closed long ago leaves, or just now when others wait; if that is not enough, grow. */
static void tidy(struct work_struct *unused)
{
	bool crowded, left = false, closed = false;
	u64 now = ktime_get_mono_fast_ns();
	unsigned int at, n;

	mutex_lock(&tidy_lock);
	mutex_lock(&tcpfsm_table_lock);
	n = tcpfsm_listener_places();
	crowded = READ_ONCE(used) * 4 >= n * 3;
	for (at = 0; at < n; at++) {
		u64 *key = tcpfsm_listener_key(at), k = smp_load_acquire(key);
		u64 gone = k ? READ_ONCE(tcpfsm_listener_entry(at)->gone) : 0;

		if (k == KEY_LEAVING || (gone && (crowded || now - gone >= KEEP_NS))) {
			WRITE_ONCE(*key, KEY_LEFT);
			left = true;
		} else if (gone) {
			closed = true;
		}
		cond_resched();
	}
	mutex_unlock(&tcpfsm_table_lock);
	if (left) {
		/* A verdict does not outlive its softirq. */
		synchronize_rcu();
		mutex_lock(&tcpfsm_table_lock);
		finish();
		mutex_unlock(&tcpfsm_table_lock);
	}
	if (crowded) {
		cpus_read_lock();
		mutex_lock(&tcpfsm_table_lock);
		/* Else it would be here again at once. */
		if (READ_ONCE(used) * 2 >= n)
			WRITE_ONCE(no_room, !grow());
		mutex_unlock(&tcpfsm_table_lock);
		cpus_read_unlock();
	}
	if (closed)
		queue_delayed_work(system_power_efficient_wq, &tidy_later, 10 * HZ);
	mutex_unlock(&tidy_lock);
}

/**
 * tcpfsm_listeners_forsake() - take away the places of network namespaces that are going
 *
 * What was counted goes with them.  No hook claims a place for them any more.
 * Context: process, may sleep.
 */
void tcpfsm_listeners_forsake(void)
{
	bool some = false;
	unsigned int at, n;

	mutex_lock(&tcpfsm_table_lock);
	n = tcpfsm_listener_places();
	for (at = 0; at < n; at++) {
		struct tcpfsm_listener *entry = tcpfsm_listener_entry(at);
		u64 *key = tcpfsm_listener_key(at), k = smp_load_acquire(key);

		if (!k || !entry->net || tcpfsm_net_counts(entry->net)->cpu)
			continue;
		/* That somebody waits for already is not folded. */
		entry->net = NULL;
		if (k != KEY_LEFT)
			WRITE_ONCE(*key, KEY_LEAVING);
		some = true;
	}
	mutex_unlock(&tcpfsm_table_lock);
	if (some)
		queue_work(system_power_efficient_wq, &tidy_now);
}

/*
 * The comparison of inet_csk_reqsk_queue_is_full() has changed in stable
 * releases: ask it.  Return: 0 or 1, or -ENOMEM.
 */
static int find_synq_spare(void)
{
	struct inet_connection_sock *icsk = kzalloc(sizeof(*icsk), GFP_KERNEL);
	struct sock *sk = (struct sock *)icsk;
	int spare;

	if (!icsk)
		return -ENOMEM;
	atomic_set(&icsk->icsk_accept_queue.qlen, 1);
	sk->sk_max_ack_backlog = 1;
	spare = !inet_csk_reqsk_queue_is_full(sk);
	kfree(icsk);
	return spare;
}

/**
 * tcpfsm_listener_cpu_up() - a CPU is about to come online: let it count
 * @cpu: CPU
 *
 * Its counters stay until unload.  Without memory it counts for network
 * namespaces only, and LISTENERS_LOST tells.  Context: process, may sleep; the
 * CPU is offline, or nothing counts yet; under the lock of CPU hotplug.
 *
 * Return: 0 or -ENOMEM.
 */
int tcpfsm_listener_cpu_up(unsigned int cpu)
{
	struct tcpfsm_listener_cpu *c = per_cpu_ptr(&tcpfsm_listener_cpu, cpu);
	u64 before;
	int err = 0;
	unsigned int n;

	mutex_lock(&tcpfsm_table_lock);
	/* It has them already, or there is no table yet: that one begins with all CPUs online. */
	if (c->counts || !nparts)
		goto out;
	before = bytes;
	for (n = 0; !err && n < nparts; n++)
		err = alloc_counts(n, c);
	if (err) {
		while (n--) {
			kvfree(c->more[n]);
			c->more[n] = NULL;
		}
		bytes = before;
		goto out;
	}
	c->counts = c->more[0];
	tcpfsm_listener_keys_set(c);
out:
	mutex_unlock(&tcpfsm_table_lock);
	return err;
}

/**
 * tcpfsm_listener_bytes() - memory for listeners: the table and its counters on all CPUs
 *
 * Context: any.
 */
u64 tcpfsm_listener_bytes(void)
{
	return READ_ONCE(bytes);
}

static void free_table(void)
{
	unsigned int cpu, n;

	for_each_possible_cpu(cpu) {
		per_cpu(tcpfsm_listener_cpu, cpu).counts = NULL;
		per_cpu(tcpfsm_listener_cpu, cpu).keys = NULL;
	}
	for (n = 0; n < TCPFSM_LISTENER_PARTS; n++)
		free_part(n);
	tcpfsm_asks_exit();
	kvfree(no_keys);
}

/**
 * tcpfsm_listener_init() - make the table
 * @listeners: places to begin with, a power of two from TCPFSM_LISTENERS_MIN to _MAX
 *
 * Context: process, may sleep.  Return: 0 or -ENOMEM.
 */
int tcpfsm_listener_init(unsigned int listeners)
{
	unsigned int cpu;
	int err;

	err = find_synq_spare();
	if (err < 0)
		return err;
	tcpfsm_synq_spare = err;
	vain.c.histograms = vain.histograms;
	err = -ENOMEM;
	no_keys = kvmalloc(listeners * sizeof(*no_keys), GFP_COUNTS);
	if (!no_keys || alloc_part(0, listeners) || tcpfsm_asks_init())
		goto fail;
	nparts = 1;
	for_each_possible_cpu(cpu) {
		struct tcpfsm_listener_cpu *c = per_cpu_ptr(&tcpfsm_listener_cpu, cpu);

		c->cpu = cpu;
		c->keys = no_keys;
		tcpfsm_limit_init(c);
	}
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		err = tcpfsm_listener_cpu_up(cpu);
		if (err)
			break;
	}
	cpus_read_unlock();
	if (!err)
		err = tcpfsm_netns_init();
	if (!err)
		return 0;
fail:
	free_table();
	return err;
}

/**
 * tcpfsm_listener_exit() - free it; no hook is attached and no file open
 *
 * Context: process, may sleep.
 */
void tcpfsm_listener_exit(void)
{
	tcpfsm_netns_exit();
	/* It may queue the other. */
	cancel_work_sync(&tidy_now);
	cancel_delayed_work_sync(&tidy_later);
	free_table();
}
