// SPDX-License-Identifier: GPL-2.0
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

/* Records that one TCPFSM_IOC_TOTALS may ask for: 64 MiB. */
#define RECORDS_MAX	(1 << 19)

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

	for (i = 0; i < TCPFSM_TOTAL_COUNTED; i++) {
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
 *
 * Context: any.
 */
void tcpfsm_merge_counts(u64 *to, const struct tcpfsm_counts *from)
{
	unsigned long last = READ_ONCE(from->refused_last);
	u64 ts;

	merge_totals(to, from->v);
	if (!last)
		return;
	ts = ktime_get_mono_fast_ns() - (u64)(jiffies - last) * TICK_NSEC;
	to[TCPFSM_TOTAL_REFUSED_LAST_TS] =
		max3(to[TCPFSM_TOTAL_REFUSED_LAST_TS], to[TCPFSM_TOTAL_REFUSED_FIRST_TS], ts);
}

/**
 * tcpfsm_sum_cpus() - add what all CPUs have counted for a place
 * @to: by enum tcpfsm_total
 * @at: index of the place
 *
 * Context: any.
 */
void tcpfsm_sum_cpus(u64 *to, unsigned int at)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		tcpfsm_merge_counts(to, &per_cpu(tcpfsm_listener_cpu, cpu).counts[at]);
}
/* A listener that is there, with its queues as they are now. */
struct live {
	u64 cookie;
	struct tcpfsm_listener id;
	u32 synq, young, acceptq, backlog, places;
	u32 reuseport, defer_accept;
};

struct sink {
	struct tcpfsm_record *records;
	u64 room, n;
	u64 ts;
};

static void put(struct sink *s, const struct tcpfsm_listener *id, u64 conn,
		unsigned int index, u64 value)
{
	struct tcpfsm_record *rec;

	if (!value && index != TCPFSM_TOTAL_NOW_SINCE_TS)
		return;
	if (s->n++ >= s->room)
		return;
	rec = &s->records[s->n - 1];
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

	l->cookie = tcpfsm_cookie(&sk->__sk_common);
	l->id.net = sock_net(sk);
	l->id.netns = sock_net(sk)->ns.inum;
	tcpfsm_listener_identity(&l->id, sk);
	l->synq = inet_csk_reqsk_queue_len(sk);
	l->young = reqsk_queue_len_young(queue);
	l->acceptq = READ_ONCE(sk->sk_ack_backlog);
	l->backlog = READ_ONCE(sk->sk_max_ack_backlog);
	l->places = l->backlog + tcpfsm_synq_spare;
	l->reuseport = group_size(sk);
	l->defer_accept = READ_ONCE(queue->rskq_defer_accept);
}

/* All listeners, as inet_diag finds them.  Return: how many; some may be beyond room. */
static unsigned int find_live(struct live *to, unsigned int room)
{
	const struct inet_hashinfo *hash = init_net.ipv4.tcp_death_row.hashinfo;
	unsigned int i, n = 0;
	struct sock *sk;

	for (i = 0; i <= hash->lhash2_mask; i++) {
		struct inet_listen_hashbucket *bucket = &hash->lhash2[i];

		if (!tcpfsm_listener_first(bucket))
			continue;
		/* Listeners are few and long-lived: a walk without the lock could meet one twice. */
		spin_lock_bh(&bucket->lock);
		rcu_read_lock();
		for (sk = tcpfsm_listener_first(bucket); sk; sk = tcpfsm_listener_next(sk)) {
			if (sk->sk_protocol != IPPROTO_TCP)
				continue;
			if (n < room)
				fill_live(&to[n], sk);
			n++;
		}
		rcu_read_unlock();
		spin_unlock_bh(&bucket->lock);
		cond_resched();
	}
	return n;
}

static void put_live(struct sink *s, const struct live *l, u64 *totals)
{
	int at = tcpfsm_listener_look_up(l->cookie);
	struct tcpfsm_listener id = l->id;
	u64 since = tcpfsm_armed_since;

	memset(totals, 0, TCPFSM_TOTAL_COUNTED * sizeof(*totals));
	if (at >= 0) {
		struct tcpfsm_listener *entry = &tcpfsm_listeners[at];
		u64 synq_full = READ_ONCE(entry->synq_full_since);
		u64 acceptq_full = READ_ONCE(entry->acceptq_full_since);

		tcpfsm_sum_cpus(totals, at);
		if (synq_full && s->ts > synq_full)
			totals[TCPFSM_TOTAL_SYNQ_FULL_NS] += s->ts - synq_full;
		if (acceptq_full && s->ts > acceptq_full)
			totals[TCPFSM_TOTAL_ACCEPTQ_FULL_NS] += s->ts - acceptq_full;
		/* It was between listen() and the table of listeners. */
		WRITE_ONCE(entry->gone, 0);
		entry->alive = s->ts;
		since = entry->since;
		/* Of a listen() just now, the owner may be half told. */
		id.pid = READ_ONCE(entry->pid);
		data_race(memcpy(id.comm, entry->comm, sizeof(id.comm)));
		put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_ASKED, READ_ONCE(entry->asked));
	}
	put_all(s, &id, l->cookie, totals);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_SYNQ, l->synq);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_SYNQ_YOUNG, l->young);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_ACCEPTQ, l->acceptq);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_BACKLOG, l->backlog);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_SYNQ_PLACES, l->places);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_SINCE_TS, since);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_REUSEPORT, l->reuseport);
	put(s, &id, l->cookie, TCPFSM_TOTAL_NOW_DEFER_ACCEPT, l->defer_accept);
}

/* A place whose listener is not there any more. */
static void put_gone(struct sink *s, unsigned int at, u64 *totals)
{
	struct tcpfsm_listener *entry = &tcpfsm_listeners[at];

	/* It went while no hook was attached. */
	if (!READ_ONCE(entry->gone))
		tcpfsm_listener_has_gone(entry, s->ts);
	memset(totals, 0, TCPFSM_TOTAL_COUNTED * sizeof(*totals));
	tcpfsm_sum_cpus(totals, at);
	put_all(s, entry, entry->cookie, totals);
	put(s, entry, entry->cookie, TCPFSM_TOTAL_NOW_ASKED, READ_ONCE(entry->asked));
	put(s, entry, entry->cookie, TCPFSM_TOTAL_NOW_SINCE_TS, entry->since);
	put(s, entry, entry->cookie, TCPFSM_TOTAL_NOW_GONE_TS, READ_ONCE(entry->gone));
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

static void put_netns(struct sink *s, const struct net *net, u64 *totals)
{
	struct tcpfsm_net_counts *nc = tcpfsm_net_counts(net);
	struct tcpfsm_listener id = { .netns = net->ns.inum };
	unsigned int cpu, i;

	if (!nc || !nc->cpu)
		return;
	memcpy(totals, nc->folded, sizeof(nc->folded));
	for_each_possible_cpu(cpu)
		tcpfsm_merge_counts(totals, &per_cpu_ptr(nc->cpu, cpu)->rest);
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
	    READ_ONCE(net->ipv4.tcp_death_row.sysctl_max_tw_buckets));
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
			base += per_cpu_ptr(nc->cpu, cpu)->base[tcpfsm_counters[i].kernel];
			now += tcpfsm_read_mib(net, cpu, i);
		}
		put(s, &id, 0, TCPFSM_TOTAL_KERNEL_BASE + tcpfsm_counters[i].kernel, base);
		put(s, &id, 0, TCPFSM_TOTAL_KERNEL + tcpfsm_counters[i].kernel, now);
	}
}

static int collect(struct sink *s)
{
	unsigned int i, n, room = 0;
	struct live *live = NULL;
	struct net *net;
	u64 *totals;

	totals = kmalloc_array(TCPFSM_TOTAL_COUNTED, sizeof(*totals), GFP_KERNEL);
	if (!totals)
		return -ENOMEM;
	/* Some may come while memory is asked for. */
	while ((n = find_live(live, room)) > room) {
		kvfree(live);
		room = n + 16;
		live = kvcalloc(room, sizeof(*live), GFP_KERNEL);
		if (!live) {
			kfree(totals);
			return -ENOMEM;
		}
	}

	s->ts = ktime_get_mono_fast_ns();
	for (i = 0; i < n; i++)
		put_live(s, &live[i], totals);
	for (i = 0; i < tcpfsm_listener_places(); i++) {
		if (smp_load_acquire(&tcpfsm_listener_keys[i]) && tcpfsm_listeners[i].alive != s->ts)
			put_gone(s, i, totals);
		cond_resched();
	}
	tcpfsm_settle_tw();
	down_read(&net_rwsem);
	for_each_net(net)
		put_netns(s, net, totals);
	up_read(&net_rwsem);
	kvfree(live);
	kfree(totals);
	return 0;
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
	long err;

	if (copy_from_user(&totals, arg, sizeof(totals)))
		return -EFAULT;
	sink.room = min_t(u64, totals.count, RECORDS_MAX);
	if (sink.room) {
		sink.records = kvmalloc_array(sink.room, sizeof(*sink.records), GFP_KERNEL);
		if (!sink.records)
			return -ENOMEM;
	}
	mutex_lock(&tcpfsm_table_lock);
	err = collect(&sink);
	mutex_unlock(&tcpfsm_table_lock);
	if (!err && sink.n && sink.room &&
	    copy_to_user(u64_to_user_ptr(totals.records), sink.records,
			 min(sink.n, sink.room) * sizeof(*sink.records)))
		err = -EFAULT;
	kvfree(sink.records);
	if (err)
		return err;
	if (put_user(sink.n, &arg->count))
		return -EFAULT;
	return sink.n > sink.room ? -ENOSPC : 0;
}
