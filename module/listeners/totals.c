// SPDX-License-Identifier: GPL-2.0-only
/* TCPFSM_IOC_TOTALS: all counters, and the queues as they are now. */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/rculist_nulls.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>
#include <net/ip.h>
#include <net/sock_reuseport.h>
#include <net/tcp.h>

#include "internal.h"

/* Records that are copied at once. */
#define PIECE	64
/* So often the memory of the reader is asked for. */
#define TRIES	8

/* How each total is put together, see TCPFSM_TOTALS. */
enum merge { MERGE_SUM, MERGE_MAX, MERGE_MIN, MERGE_AT, MERGE_NOW };

static const u8 merges[TCPFSM_TOTAL_NUM] = {
#define MERGE(s, n, name, how, text)	[n] = MERGE_##how,
	TCPFSM_TOTALS(MERGE)
#undef MERGE
};

static void merge_totals(u64 *to, const u64 *from)
{
	unsigned int i;

	for (i = 0; i < TCPFSM_TOTAL_SCALARS; i++) {
		u64 v = READ_ONCE(from[i]);

		switch (merges[i]) {
		case MERGE_SUM:
			to[i] += v;
			break;
		case MERGE_MAX:
			if (v <= to[i])
				break;
			to[i] = v;
			if (merges[i + 1] == MERGE_AT)
				to[i + 1] = READ_ONCE(from[i + 1]);
			break;
		case MERGE_MIN:
			if (v && (!to[i] || v < to[i]))
				to[i] = v;
			break;
		}
	}
}

/**
 * tcpfsm_merge_counts() - add one CPU's counters to others
 * @to: by enum tcpfsm_total
 * @from: of the CPU
 * @histograms: of the CPU, or NULL
 *
 * Context: any.
 */
void tcpfsm_merge_counts(u64 *to, const struct tcpfsm_counts *from, const u64 *histograms)
{
	unsigned long last = READ_ONCE(from->refused_last);
	unsigned int i;
	u64 ts;

	merge_totals(to, from->v);
	for (i = 0; histograms && i < TCPFSM_TOTAL_HISTOGRAMS; i++)
		to[TCPFSM_TOTAL_SCALARS + i] += READ_ONCE(histograms[i]);
	if (!last)
		return;
	ts = ktime_get_mono_fast_ns() - (u64)(jiffies - last) * TICK_NSEC;
	to[TCPFSM_TOTAL_REFUSED_LAST_TS] =
		max3(to[TCPFSM_TOTAL_REFUSED_LAST_TS], to[TCPFSM_TOTAL_REFUSED_FIRST_TS], ts);
}

/**
 * tcpfsm_sum_cpus() - add what all CPUs have counted for a place
 * @to: by enum tcpfsm_total
 * @at: number of the place
 *
 * Context: any.
 */
void tcpfsm_sum_cpus(u64 *to, unsigned int at)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		const struct tcpfsm_listener_cpu *c = per_cpu_ptr(&tcpfsm_listener_cpu, cpu);
		const struct tcpfsm_counts *counts;

		if (!c->counts)
			continue;
		counts = tcpfsm_listener_counts(c, at);
		tcpfsm_merge_counts(to, counts, counts->histograms);
	}
}

/* A listener that is there, with its queues as they are now. */
struct live {
	u64 cookie;
	const struct net *net;
	u32 netns;
	u16 lport;
	u8 family;
	u8 laddr[16];
	u32 synq, young, acceptq, backlog, places;
	u32 reuseport, defer_accept, dev;
};

/* Of one bucket of the kernel's table; there is room for so many. */
struct bucket {
	struct live *live;
	unsigned int room;
};

/**
 * struct sink - where the records go: in small pieces to the reader
 * @to: its memory
 * @room: records that it takes
 * @n: records there are
 * @copied: records that it has
 * @piece: to be copied next
 * @filled: records in @piece
 * @faulted: some of its memory was not there
 * @ts: of all records
 * @totals: by enum tcpfsm_total, to put one together
 *
 * Under tcpfsm_table_lock nobody waits for a page of the reader's: it might never come.
 */
struct sink {
	struct tcpfsm_record __user *to;
	u64 room, n, copied;
	struct tcpfsm_record *piece;
	unsigned int filled;
	bool faulted;
	u64 ts;
	u64 *totals;
};

static void flush(struct sink *s)
{
	if (!s->filled)
		return;
	pagefault_disable();
	if (copy_to_user(s->to + s->copied, s->piece, s->filled * sizeof(*s->piece)))
		s->faulted = true;
	pagefault_enable();
	s->copied += s->filled;
	s->filled = 0;
}

static void put(struct sink *s, const struct tcpfsm_listener *id, u64 conn,
		unsigned int index, u64 value)
{
	struct tcpfsm_record *rec;

	if (!value && index != TCPFSM_TOTAL_NOW_SINCE_TS && index != TCPFSM_TOTAL_NOW_PLACE)
		return;
	if (s->n++ >= s->room || s->faulted)
		return;
	rec = &s->piece[s->filled++];
	memset(rec, 0, sizeof(*rec));
	rec->seq = s->n;
	rec->ts = s->ts;
	rec->type = TCPFSM_TYPE_TOTAL;
	rec->family = id->family;
	rec->conn = conn;
	rec->listener = value;
	rec->netns = id->netns;
	rec->lport = id->lport;
	memcpy(rec->laddr, id->laddr, sizeof(rec->laddr));
	rec->rcv = index;
	if (id->pid) {
		rec->flags = TCPFSM_F_OWNER;
		rec->pid = id->pid;
		memcpy(rec->comm, id->comm, sizeof(rec->comm));
	}
	if (s->filled == PIECE)
		flush(s);
}

/* Whoever accepted from it last, on all CPUs. */
static void put_acceptor(struct sink *s, const struct tcpfsm_listener *id, u64 conn,
			 unsigned int at)
{
	struct tcpfsm_listener acceptor = *id;
	u64 last = 0;
	unsigned int cpu;

	acceptor.pid = 0;
	for_each_possible_cpu(cpu) {
		const struct tcpfsm_listener_cpu *c = per_cpu_ptr(&tcpfsm_listener_cpu, cpu);
		const struct tcpfsm_acceptor *a;

		if (!c->counts)
			continue;
		a = &tcpfsm_listener_counts(c, at)->acceptor;
		if (READ_ONCE(a->at) <= last)
			continue;
		last = READ_ONCE(a->at);
		acceptor.pid = READ_ONCE(a->pid);
		data_race(memcpy(acceptor.comm, a->comm, sizeof(acceptor.comm)));
	}
	put(s, &acceptor, conn, TCPFSM_TOTAL_NOW_ACCEPTED_TS, last);
}

static void put_all(struct sink *s, const struct tcpfsm_listener *id, u64 conn,
		    const u64 *totals)
{
	unsigned int i;

	for (i = 0; i < TCPFSM_TOTAL_COUNTED; i++)
		put(s, id, conn, i, totals[i]);
}

static u32 group_size(const struct sock *sk)
{
	const struct sock_reuseport *reuse;

	if (!sk->sk_reuseport)
		return 0;
	reuse = rcu_dereference(sk->sk_reuseport_cb);
	return reuse ? READ_ONCE(reuse->num_socks) : 0;
}

static void fill_live(struct live *l, const struct sock *sk)
{
	const struct request_sock_queue *queue = &inet_csk(sk)->icsk_accept_queue;
	struct tcpfsm_listener id;

	tcpfsm_listener_identity(&id, sk);
	l->cookie = tcpfsm_cookie(&sk->__sk_common);
	l->net = sock_net(sk);
	l->netns = sock_net(sk)->ns.inum;
	l->lport = id.lport;
	l->family = id.family;
	memcpy(l->laddr, id.laddr, sizeof(l->laddr));
	l->synq = inet_csk_reqsk_queue_len(sk);
	l->young = reqsk_queue_len_young(queue);
	l->acceptq = READ_ONCE(sk->sk_ack_backlog);
	l->backlog = READ_ONCE(sk->sk_max_ack_backlog);
	l->places = l->backlog + tcpfsm_synq_spare;
	l->reuseport = group_size(sk);
	l->dev = id.dev;
	l->defer_accept = READ_ONCE(queue->rskq_defer_accept);
}

/* The listeners of a bucket, as inet_diag finds them.  Return: how many; some may be beyond room. */
static unsigned int find_live(struct inet_listen_hashbucket *bucket, const struct bucket *b)
{
	unsigned int n = 0;
	struct sock *sk;

	if (!tcpfsm_listener_first(bucket))
		return 0;
	/* Listeners are few and long-lived: a walk without the lock could meet one twice. */
	spin_lock_bh(&bucket->lock);
	rcu_read_lock();
	for (sk = tcpfsm_listener_first(bucket); sk; sk = tcpfsm_listener_next(sk)) {
		/* The kernel's own outlive their network namespace. */
		if (sk->sk_protocol != IPPROTO_TCP || !check_net(sock_net(sk)))
			continue;
		if (n < b->room)
			fill_live(&b->live[n], sk);
		n++;
	}
	rcu_read_unlock();
	spin_unlock_bh(&bucket->lock);
	return n;
}

/* A clock that runs on though the queue was seen not to be full after it began. */
static void full_is_over(u64 *since, unsigned int at, unsigned int index, u64 ts)
{
	struct tcpfsm_listener_cpu *cpu;

	if (!READ_ONCE(*since) || READ_ONCE(*since) >= ts)
		return;
	local_bh_disable();
	cpu = this_cpu_ptr(&tcpfsm_listener_cpu);
	if (cpu->counts)
		tcpfsm_full_ends(since, &tcpfsm_listener_counts(cpu, at)->v[index], ts);
	local_bh_enable();
}

static void put_live(struct sink *s, const struct live *l)
{
	struct tcpfsm_queues q = {
		.synq = l->synq, .acceptq = l->acceptq, .backlog = l->backlog,
	};
	struct tcpfsm_listener id = {
		.netns = l->netns, .lport = l->lport, .family = l->family,
	};
	int at = tcpfsm_listener_look_up(l->cookie);
	u64 *totals = s->totals, since = tcpfsm_armed_since;
	struct tcpfsm_ask ask = {};

	memcpy(id.laddr, l->laddr, sizeof(id.laddr));
	memset(totals, 0, TCPFSM_TOTAL_COUNTED * sizeof(*totals));
	if (at >= 0) {
		struct tcpfsm_listener *entry = tcpfsm_listener_entry(at);
		u64 synq_full, acceptq_full;

		if (!tcpfsm_synq_full(&q))
			full_is_over(&entry->synq_full_since, at, TCPFSM_TOTAL_SYNQ_FULL_NS,
				     s->ts);
		if (q.acceptq <= q.backlog)
			full_is_over(&entry->acceptq_full_since, at,
				     TCPFSM_TOTAL_ACCEPTQ_FULL_NS, s->ts);
		tcpfsm_sum_cpus(totals, at);
		synq_full = READ_ONCE(entry->synq_full_since);
		acceptq_full = READ_ONCE(entry->acceptq_full_since);
		if (synq_full && s->ts > synq_full)
			totals[TCPFSM_TOTAL_SYNQ_FULL_NS] += s->ts - synq_full;
		if (acceptq_full && s->ts > acceptq_full)
			totals[TCPFSM_TOTAL_ACCEPTQ_FULL_NS] += s->ts - acceptq_full;
		/* It was between listen() and the kernel's table; since then it may have closed. */
		if (entry->presumed)
			cmpxchg(&entry->gone, entry->presumed, 0);
		entry->presumed = 0;
		entry->alive = s->ts;
		since = entry->since;
		/* Of a listen() just now, the owner may be half told. */
		ask.pid = READ_ONCE(entry->pid);
		data_race(memcpy(ask.comm, entry->comm, sizeof(ask.comm)));
		ask.asked = READ_ONCE(entry->asked);
	} else if (tcpfsm_ask_look(l->cookie, s->ts, &ask)) {
		since = max(since, ask.since);
	}
	id.pid = ask.pid;
	memcpy(id.comm, ask.comm, sizeof(id.comm));
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_ASKED, ask.asked);
	if (at >= 0)
		put_acceptor(s, &id, l->cookie, at);
	put_all(s, &id, l->cookie, totals);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_SYNQ, l->synq);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_SYNQ_YOUNG, l->young);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_ACCEPTQ, l->acceptq);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_BACKLOG, l->backlog);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_SYNQ_PLACES, l->places);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_SINCE_TS, since);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_REUSEPORT, l->reuseport);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_DEV, l->dev);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_DEFER_ACCEPT, l->defer_accept);
	/* Nothing has happened yet to one that needs no place yet. */
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_PLACE,
	    at >= 0 || !tcpfsm_listener_lost(l->cookie));
}

/* Return: 0 or -ENOMEM. */
static int put_bucket(struct sink *s, struct inet_listen_hashbucket *bucket, struct bucket *b)
{
	unsigned int i, n;

	/* Some may come while memory is asked for. */
	while ((n = find_live(bucket, b)) > b->room) {
		kvfree(b->live);
		b->room = n + 16;
		b->live = kvcalloc(b->room, sizeof(*b->live), GFP_KERNEL_ACCOUNT);
		if (!b->live) {
			b->room = 0;
			return -ENOMEM;
		}
	}
	for (i = 0; i < n; i++) {
		put_live(s, &b->live[i]);
		cond_resched();
	}
	return 0;
}

/* A place whose listener is not there any more. */
static void put_gone(struct sink *s, unsigned int at)
{
	struct tcpfsm_listener *entry = tcpfsm_listener_entry(at);

	/* It went while no hook was attached. */
	if (!READ_ONCE(entry->gone))
		tcpfsm_listener_not_found(entry, s->ts);
	memset(s->totals, 0, TCPFSM_TOTAL_COUNTED * sizeof(*s->totals));
	tcpfsm_sum_cpus(s->totals, at);
	put_all(s, entry, entry->cookie, s->totals);
	put(s, entry, entry->cookie, TCPFSM_TOTAL_NOW_ASKED, READ_ONCE(entry->asked));
	put(s, entry, entry->cookie, TCPFSM_TOTAL_NOW_SINCE_TS, entry->since);
	put(s, entry, entry->cookie, TCPFSM_TOTAL_NOW_DEV, entry->dev);
	put_acceptor(s, entry, entry->cookie, at);
	put(s, entry, entry->cookie, TCPFSM_TOTAL_NOW_GONE_TS, READ_ONCE(entry->gone));
	put(s, entry, entry->cookie, TCPFSM_TOTAL_NOW_PLACE, 1);
}

/* Whose ports connect() chooses: as __inet_hash_connect() goes through them. */
static void put_ports(struct sink *s, const struct tcpfsm_listener *id, const struct net *net)
{
	const unsigned long *reserved = net->ipv4.sysctl_local_reserved_ports;
	int low, high, last;
	u64 ports;

	inet_get_local_port_range(net, &low, &high);
	/* By pairs: the odd one is left out. */
	last = high - low > 1 && (high - low) % 2 == 0 ? high - 1 : high;
	ports = last - low + 1;
	if (reserved)
		ports -= bitmap_weight(reserved, last + 1) - bitmap_weight(reserved, low);
	put(s, id, 0, TCPFSM_TOTAL_NOW_PORT_LOW, low);
	put(s, id, 0, TCPFSM_TOTAL_NOW_PORT_HIGH, high);
	put(s, id, 0, TCPFSM_TOTAL_NOW_PORTS, ports);
}

static void put_netns(struct net *net, void *arg)
{
	struct tcpfsm_net_counts *nc = tcpfsm_net_counts(net);
	struct tcpfsm_listener id = { .netns = net->ns.inum };
	struct sink *s = arg;
	u64 *totals = s->totals;
	unsigned int cpu, i;

	if (!nc || !nc->cpu)
		return;
	memset(totals, 0, TCPFSM_TOTAL_COUNTED * sizeof(*totals));
	if (nc->folded)
		memcpy(totals, nc->folded, TCPFSM_TOTAL_COUNTED * sizeof(*totals));
	totals[TCPFSM_TOTAL_TW_CAME] = nc->tw_came;
	totals[TCPFSM_TOTAL_TW_WENT] = nc->tw_went;
	for_each_possible_cpu(cpu)
		tcpfsm_merge_counts(totals, &per_cpu_ptr(nc->cpu, cpu)->rest,
				    nc->histograms ? per_cpu_ptr(nc->histograms, cpu) : NULL);
	/* First of all: whose the others are. */
	put(s, &id, 0, TCPFSM_TOTAL_NOW_NETNS_COOKIE, nc->cookie);
	put(s, &id, 0, TCPFSM_TOTAL_NOW_MADE_TS, nc->made);
	put_all(s, &id, 0, totals);
	put(s, &id, 0, TCPFSM_TOTAL_NOW_SINCE_TS, max(nc->since, tcpfsm_armed_since));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_SOMAXCONN, READ_ONCE(net->core.sysctl_somaxconn));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_MAX_SYN_BACKLOG,
	    READ_ONCE(net->ipv4.sysctl_max_syn_backlog));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_SYNCOOKIES, READ_ONCE(net->ipv4.sysctl_tcp_syncookies));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_ABORT_ON_OVERFLOW,
	    READ_ONCE(net->ipv4.sysctl_tcp_abort_on_overflow));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_SYNACK_RETRIES,
	    READ_ONCE(net->ipv4.sysctl_tcp_synack_retries));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_TW, tcpfsm_tw_population(net));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_TW_MAX,
	    READ_ONCE(tcpfsm_death_row(net)->sysctl_max_tw_buckets));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_TW_UNSETTLED, !nc->tw_settled);
	put_ports(s, &id, net);
	put(s, &id, 0, TCPFSM_TOTAL_NOW_TW_REUSE, READ_ONCE(net->ipv4.sysctl_tcp_tw_reuse));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_TW_REUSE_DELAY, tcpfsm_tw_reuse_delay(net));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_TIMESTAMPS, READ_ONCE(net->ipv4.sysctl_tcp_timestamps));
	put(s, &id, 0, TCPFSM_TOTAL_NOW_FIN_TIMEOUT,
	    READ_ONCE(net->ipv4.sysctl_tcp_fin_timeout) / HZ);
	put(s, &id, 0, TCPFSM_TOTAL_NOW_RFC1337, READ_ONCE(net->ipv4.sysctl_tcp_rfc1337));
	for (i = 0; i < ARRAY_SIZE(tcpfsm_counters); i++) {
		u64 base = 0, now = 0;

		for_each_possible_cpu(cpu) {
			base += per_cpu_ptr(nc->cpu, cpu)->base[i];
			now += tcpfsm_read_mib(net, cpu, i);
		}
		put(s, &id, 0, TCPFSM_TOTAL_KERNEL_BASE + tcpfsm_counters[i].kernel, base);
		put(s, &id, 0, TCPFSM_TOTAL_KERNEL + tcpfsm_counters[i].kernel, now);
	}
}

static int collect(struct sink *s)
{
	const struct inet_hashinfo *hash = tcpfsm_death_row(&init_net)->hashinfo;
	struct bucket b = {};
	unsigned int i;
	int err = 0;

	s->n = s->copied = s->filled = 0;
	s->faulted = false;
	s->ts = ktime_get_mono_fast_ns();
	for (i = 0; !err && i <= hash->lhash2_mask; i++) {
		err = put_bucket(s, &hash->lhash2[i], &b);
		cond_resched();
	}
	kvfree(b.live);
	if (err)
		return err;
	for (i = 0; i < tcpfsm_listener_places(); i++) {
		const struct tcpfsm_listener *entry = tcpfsm_listener_entry(i);

		/* Not one that came to be only now. */
		if (smp_load_acquire(tcpfsm_listener_key(i)) && entry->alive != s->ts &&
		    entry->since < s->ts)
			put_gone(s, i);
		cond_resched();
	}
	tcpfsm_asks_forget(s->ts);
	tcpfsm_settle_tw();
	tcpfsm_each_net(put_netns, s);
	flush(s);
	return 0;
}

/* Return: 0, or an error; faulted: to be tried again. */
static long read_totals(struct sink *s)
{
	long err = mutex_lock_killable(&tcpfsm_table_lock);

	if (err)
		return err;
	/* Only who reads has memory: others wait with none. */
	s->totals = kmalloc_array(TCPFSM_TOTAL_COUNTED, sizeof(*s->totals), GFP_KERNEL_ACCOUNT);
	s->piece = kmalloc_array(PIECE, sizeof(*s->piece), GFP_KERNEL_ACCOUNT);
	err = s->totals && s->piece ? collect(s) : -ENOMEM;
	kfree(s->piece);
	kfree(s->totals);
	mutex_unlock(&tcpfsm_table_lock);
	return err;
}

/**
 * tcpfsm_listener_totals() - TCPFSM_IOC_TOTALS
 * @arg: see the UAPI header
 *
 * Context: process, may sleep.  Return: 0 or a negative errno.
 */
long tcpfsm_listener_totals(struct tcpfsm_totals __user *arg)
{
	struct tcpfsm_totals totals;
	struct sink sink = {};
	size_t need, more;
	unsigned int i;
	long err;

	if (copy_from_user(&totals, arg, sizeof(totals)))
		return -EFAULT;
	sink.to = u64_to_user_ptr(totals.records);
	sink.room = totals.count;
	for (i = 0; i < TRIES; i++) {
		err = read_totals(&sink);
		if (err)
			return err;
		if (!sink.faulted)
			break;
		need = min(sink.n, sink.room) * sizeof(*sink.to);
		if (fault_in_writeable((char __user *)sink.to, need))
			return -EFAULT;
		/* There may be more of them the next time. */
		more = min(2 * sink.n, sink.room) * sizeof(*sink.to) - need;
		/* It is no error if that is not there: it may not be needed. */
		(void)fault_in_writeable((char __user *)sink.to + need, more);
	}
	if (sink.faulted)
		return -EAGAIN;
	if (put_user(sink.n, &arg->count))
		return -EFAULT;
	return sink.n > sink.room ? -ENOSPC : 0;
}
