// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * The sockets that are there, by inet_diag, and their owners, from /proc.
 *
 * inet_diag tells of the network namespace that its netlink socket was made in.
 * A thread of our own goes there to make it: the caller's never leaves its own.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include "clock.h"
#include "grow.h"
#include "process.h"
#include "snapshot.h"
#include "table.h"

/* The kernel fills no more at a time. */
#define BUFFER_BYTES	32768U
#define TIMEWAIT_MS	60000U		/* TCP_TIMEWAIT_LEN */
#define TIMER_TIMEWAIT	3		/* idiag_timer of a mini-socket */
#define NEW_SYN_RECV	TCPFSM_STATE_NEW_SYN_RECV
/* ESTABLISHED to NEW_SYN_RECV; younger kernels have states beyond, of sockets merely bound. */
#define STATES		((2U << NEW_SYN_RECV) - 2)
#define LISTENERS	(1U << TCPFSM_STATE_LISTEN)
#define OTHERS		(STATES & ~LISTENERS)
#define SYNQ_UNKNOWN	(~0U)
/* A dump that a change of the tables has spoilt is made again, but not for ever. */
#define TRIES		3
#define OWNERS_FIRST	512U		/* there is room for at once */

struct process {
	uint32_t pid;
	char comm[16];
};

/* Which process has the socket with this inode? */
struct owner {
	uint32_t inode;
	uint32_t process;		/* index */
	uint32_t link;			/* the table's */
};

struct owners {
	struct table table;
	struct process *processes;
	size_t nprocesses, room;
};

/* Told after the requests that it made have been counted. */
struct listener {
	struct inet_diag_msg msg;
	uint32_t synq;
};

struct snapshot {
	struct owners owners;
	enum { OWN, NAMED, PROCESSES, END } where;
	DIR *dir;			/* of NAMED and PROCESSES */
	dev_t nsfs;
	uint32_t only;			/* netns, 0: all */
	uint32_t *done;			/* those that were read, the last one being read */
	size_t ndone, room;

	struct mnl_socket *nl;		/* NULL: no more of this network namespace */
	uint8_t family;
	uint32_t states;		/* being read: LISTENERS, OTHERS; 0: no more of this family */
	struct listener *listeners;	/* of this namespace and family */
	size_t nlisteners, listener_room, told;
	unsigned int tries;
	bool spoilt;
	uint32_t seq;			/* of the request */
	const struct nlmsghdr *msg;
	int left;			/* bytes from msg on */
	uint64_t ts, sockets;
	int64_t timens;
	int err;
	int closed;			/* of what may be a network namespace more */
	char buf[BUFFER_BYTES] __attribute__((aligned(8)));
};

static void note(struct snapshot *s, int err)
{
	if (!s->err)
		s->err = err;
}

/* ---- owners ------------------------------------------------------------------- */

static uint64_t hash(const struct table *t, const void *entry)
{
	(void)t;
	return ((const struct owner *)entry)->inode;
}

static const struct table_type type = {
	.size = sizeof(struct owner), .link = offsetof(struct owner, link), .reserved = 1,
	.hash = hash,
};

static struct owner *find_owner(const struct owners *o, uint32_t inode)
{
	struct owner *owner = inode && o->table.slab ? table_first(&o->table, &type, inode) : NULL;

	while (owner && owner->inode != inode)
		owner = table_next(&o->table, &type, owner);
	return owner;
}

static int add_process(struct owners *o, uint32_t pid)
{
	struct process *p = grown(o->processes, &o->room, o->nprocesses, sizeof(*p));

	if (!p)
		return -ENOMEM;
	o->processes = p;
	o->processes[o->nprocesses].pid = pid;
	process_read_name(pid, o->processes[o->nprocesses].comm);
	o->nprocesses++;
	return 0;
}

/* The files of one process.  It may end meanwhile: then there is no more to see. */
static int scan_process(struct owners *o, int proc, uint32_t pid)
{
	bool known = false;
	struct dirent *e;
	int err = 0, fd;
	char buf[64];
	DIR *d;

	snprintf(buf, sizeof(buf), "%u/fd", pid);
	fd = openat(proc, buf, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	while (!err && (e = readdir(d))) {
		struct owner *owner;
		uint32_t inode;
		ssize_t n;

		n = readlinkat(fd, e->d_name, buf, sizeof(buf) - 1);
		if (n <= 0)
			continue;
		buf[n] = '\0';
		if (strncmp(buf, "socket:[", 8))
			continue;
		inode = (uint32_t)strtoul(buf + 8, NULL, 10);
		if (!inode)
			continue;
		if (!known)
			err = add_process(o, pid);
		if (err)
			break;
		known = true;
		owner = find_owner(o, inode);
		if (owner && o->processes[owner->process].pid < pid)
			continue;
		if (!owner)
			owner = table_add(&o->table, &type, inode);
		if (!owner) {
			err = -ENOMEM;
			break;
		}
		owner->inode = inode;
		owner->process = (uint32_t)o->nprocesses - 1;
	}
	closedir(d);
	return err;
}

/* 0: not a process. */
static uint32_t pid_of(const struct dirent *e)
{
	return e->d_name[0] >= '1' && e->d_name[0] <= '9' ?
	       (uint32_t)strtoul(e->d_name, NULL, 10) : 0;
}

static int find_owners(struct owners *o)
{
	struct dirent *e;
	int err = 0;
	DIR *d;

	if (!process_numbers_are_ours())
		return 0;
	d = opendir("/proc");
	if (!d)
		return 0;
	err = table_init(&o->table, &type, OWNERS_FIRST, UINT32_MAX);
	while (!err && (e = readdir(d)))
		if (pid_of(e))
			err = scan_process(o, dirfd(d), pid_of(e));
	closedir(d);
	return err;
}

static const struct process *owner_of(const struct owners *o, uint32_t inode)
{
	const struct owner *owner = find_owner(o, inode);

	return owner ? &o->processes[owner->process] : NULL;
}

/* ---- network namespaces --------------------------------------------------------- */

struct there {
	int ns;				/* -1: here */
	struct mnl_socket *nl;
	int err;
};

static void *open_there(void *arg)
{
	struct there *t = arg;

	if (t->ns < 0 || !setns(t->ns, CLONE_NEWNET)) {
		t->nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
		if (t->nl && mnl_socket_bind(t->nl, 0, MNL_SOCKET_AUTOPID)) {
			t->err = -errno;
			mnl_socket_close(t->nl);
			t->nl = NULL;
			return NULL;
		}
	}
	if (!t->nl)
		t->err = -errno;
	return NULL;
}

static int open_in_thread(struct there *t)
{
	sigset_t all, old;
	pthread_t thread;
	int err;

	/* Signals are for the caller's threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&thread, NULL, open_there, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return -err;
	pthread_join(thread, NULL);
	return t->err;
}

static bool is_done(const struct snapshot *s, uint32_t netns)
{
	size_t i;

	for (i = s->ndone; i; i--)
		if (s->done[i - 1] == netns)
			return true;
	return false;
}

static int add_done(struct snapshot *s, uint32_t netns)
{
	uint32_t *done = grown(s->done, &s->room, s->ndone, sizeof(*done));

	if (!done)
		return -ENOMEM;
	s->done = done;
	s->done[s->ndone++] = netns;
	return 0;
}

/* Makes s->nl for that network namespace, if it is a new one and wanted. */
static bool enter_netns(struct snapshot *s, int dir, const char *path)
{
	struct there t = { .ns = -1 };
	struct stat st;
	int err;

	err = fstatat(dir, path, &st, 0);
	/* Linux 5.10 answers with the folder where it refuses to follow the link. */
	if (!err && S_ISDIR(st.st_mode)) {
		errno = EACCES;
		err = -1;
	}
	if (err) {
		if (s->where == OWN)
			note(s, -errno);
		else if (errno == EACCES || errno == EPERM)
			s->closed = -errno;
		return false;
	}
	if (s->where == OWN)
		s->nsfs = st.st_dev;
	/* What "ip netns" left behind may be no mount any more. */
	if (st.st_dev != s->nsfs || (s->only && s->only != st.st_ino) ||
	    is_done(s, (uint32_t)st.st_ino))
		return false;
	if (s->where != OWN) {
		ino_t wanted = st.st_ino;

		/* The process may be gone just now, its number another's. */
		t.ns = openat(dir, path, O_RDONLY | O_CLOEXEC);
		if (t.ns < 0)
			return false;
		if (fstat(t.ns, &st) || st.st_ino != wanted) {
			close(t.ns);
			return false;
		}
	}
	/* Done also if it fails: it would for its other processes. */
	err = add_done(s, (uint32_t)st.st_ino);
	if (!err && t.ns < 0) {
		open_there(&t);
		err = t.err;
	} else if (!err) {
		err = open_in_thread(&t);
	}
	if (t.ns >= 0)
		close(t.ns);
	if (err)
		note(s, err);
	s->nl = t.nl;
	return s->nl;
}

static void next_place(struct snapshot *s)
{
	if (s->dir)
		closedir(s->dir);
	s->dir = NULL;
	if (s->where != END)
		s->where++;
	if (s->where == NAMED)
		s->dir = opendir("/run/netns");
	else if (s->where == PROCESSES)
		s->dir = opendir("/proc");
}

/* The namespaces are not listed anywhere: look where they show. */
static bool next_netns(struct snapshot *s)
{
	char path[64];
	struct dirent *e;

	while (s->where != END) {
		if (s->only && s->ndone)
			break;
		if (s->where == OWN) {
			bool found = enter_netns(s, AT_FDCWD, "/proc/thread-self/ns/net");

			next_place(s);
			if (found)
				return true;
			continue;
		}
		e = s->dir ? readdir(s->dir) : NULL;
		if (!e) {
			next_place(s);
		} else if (s->where == NAMED) {
			if (e->d_name[0] != '.' && enter_netns(s, dirfd(s->dir), e->d_name))
				return true;
		} else if (pid_of(e)) {
			snprintf(path, sizeof(path), "%u/ns/net", pid_of(e));
			if (enter_netns(s, dirfd(s->dir), path))
				return true;
		}
	}
	return false;
}

/* ---- inet_diag -------------------------------------------------------------------- */

static int request(struct snapshot *s)
{
	struct inet_diag_req_v2 *req;
	struct nlmsghdr *h;
	size_t i;

	s->left = 0;
	s->spoilt = false;
	/* A dump that is made again counts anew. */
	if (s->states == LISTENERS)
		s->nlisteners = 0;
	for (i = 0; i < s->nlisteners; i++)
		s->listeners[i].synq = 0;
	memset(s->buf, 0, MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(*req)));
	h = mnl_nlmsg_put_header(s->buf);
	h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = ++s->seq;
	req = mnl_nlmsg_put_extra_header(h, sizeof(*req));
	req->sdiag_family = s->family;
	req->sdiag_protocol = IPPROTO_TCP;
	req->idiag_states = s->states;
	return mnl_socket_sendto(s->nl, h, h->nlmsg_len) < 0 ? -errno : 0;
}

static int receive(struct snapshot *s)
{
	ssize_t n;

	do
		n = mnl_socket_recvfrom(s->nl, s->buf, sizeof(s->buf));
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -EIO;
	/* What is in the buffer has happened. */
	s->ts = clock_ns(CLOCK_MONOTONIC) - (uint64_t)s->timens;
	s->msg = (const struct nlmsghdr *)s->buf;
	s->left = (int)n;
	return 0;
}

/* The next socket of this dump; NULL: none, and *err is 0 when that was all. */
static const struct nlmsghdr *next_answer(struct snapshot *s, int *err)
{
	for (;;) {
		const struct nlmsghdr *h = s->msg;

		if (!mnl_nlmsg_ok(h, s->left)) {
			*err = receive(s);
			if (*err)
				return NULL;
			continue;
		}
		s->msg = mnl_nlmsg_next(h, &s->left);
		if (h->nlmsg_seq != s->seq)
			continue;
		if (h->nlmsg_flags & NLM_F_DUMP_INTR)
			s->spoilt = true;
		switch (h->nlmsg_type) {
		case NLMSG_DONE:	/* the dump's result */
		case NLMSG_ERROR:
			*err = mnl_nlmsg_get_payload_len(h) >= sizeof(int) ?
			       *(const int *)mnl_nlmsg_get_payload(h) : 0;
			if (*err > 0)
				*err = 0;
			return NULL;
		case SOCK_DIAG_BY_FAMILY:
			if (mnl_nlmsg_get_payload_len(h) >= sizeof(struct inet_diag_msg))
				return h;
		}
	}
}

static uint64_t cookie_of(const struct inet_diag_msg *d)
{
	return d->id.idiag_cookie[0] | (uint64_t)d->id.idiag_cookie[1] << 32;
}

void snapshot_record(const struct inet_diag_msg *d, struct tcpfsm_record *r)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const uint8_t *laddr = (const uint8_t *)d->id.idiag_src;
	const uint8_t *raddr = (const uint8_t *)d->id.idiag_dst;

	memset(r, 0, sizeof(*r));
	r->type = TCPFSM_TYPE_SOCKET;
	r->old_state = d->idiag_state == NEW_SYN_RECV ? TCPFSM_STATE_SYN_RECV : d->idiag_state;
	r->new_state = r->old_state;
	r->conn = cookie_of(d);
	r->lport = ntohs(d->id.idiag_sport);
	r->rport = ntohs(d->id.idiag_dport);
	/* As the module does. */
	if (d->idiag_family == AF_INET6 && memcmp(raddr, mapped, sizeof(mapped))) {
		r->family = 6;
		memcpy(r->laddr, laddr, sizeof(r->laddr));
		memcpy(r->raddr, raddr, sizeof(r->raddr));
	} else {
		size_t skip = d->idiag_family == AF_INET6 ? sizeof(mapped) : 0;

		r->family = 4;
		memcpy(r->laddr, laddr + skip, 4);
		memcpy(r->raddr, raddr + skip, 4);
	}

	r->rcv = ~0U;
	r->dev = d->id.idiag_if;
	if (d->idiag_timer == TIMER_TIMEWAIT) {
		r->verdict = TCPFSM_TW_ENTER;
		/* How long FIN_WAIT2 was meant to last, each socket may choose. */
		if (r->new_state == TCPFSM_STATE_TIME_WAIT)
			r->rcv = d->idiag_expires < TIMEWAIT_MS ?
				 TIMEWAIT_MS - d->idiag_expires : 0;
	} else if (r->new_state == TCPFSM_STATE_LISTEN) {
		r->flags |= TCPFSM_F_PASSIVE;
		r->listener = r->conn;
		r->synq = SYNQ_UNKNOWN;
		r->acceptq = d->idiag_rqueue;
		r->backlog = d->idiag_wqueue;
	} else if (r->new_state == TCPFSM_STATE_SYN_RECV && !d->idiag_inode) {
		/* Who opens simultaneously has a file. */
		r->flags |= TCPFSM_F_PASSIVE;
		r->backlog = 0;
	}
}

/* ---- listeners and their requests ------------------------------------------------------ */

static int by_place(const void *a, const void *b)
{
	const struct inet_diag_sockid *x = &((const struct listener *)a)->msg.id;
	const struct inet_diag_sockid *y = &((const struct listener *)b)->msg.id;
	int diff = (int)x->idiag_sport - (int)y->idiag_sport;

	if (!diff)
		diff = memcmp(x->idiag_src, y->idiag_src, sizeof(x->idiag_src));
	return diff ? diff : (x->idiag_if > y->idiag_if) - (x->idiag_if < y->idiag_if);
}

static int keep_listener(struct snapshot *s, const struct inet_diag_msg *d)
{
	struct listener *l;

	if (d->idiag_state != TCPFSM_STATE_LISTEN)	/* closed just now */
		return 0;
	l = grown(s->listeners, &s->listener_room, s->nlisteners, sizeof(*l));
	if (!l)
		return -ENOMEM;
	s->listeners = l;
	s->listeners[s->nlisteners++] = (struct listener) { .msg = *d };
	return 0;
}

/* The first one at that place, or NULL. */
static struct listener *listener_at(const struct snapshot *s, const struct listener *place)
{
	size_t low = 0, high = s->nlisteners;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (by_place(&s->listeners[mid], place) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < s->nlisteners && !by_place(&s->listeners[low], place) ?
	       &s->listeners[low] : NULL;
}

/* A full socket in SYN_RECV is in no SYN queue (TCP Fast Open): its shutdown is told, too. */
static bool is_request(const struct nlmsghdr *h)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, h, sizeof(struct inet_diag_msg))
		if (mnl_attr_get_type(attr) == INET_DIAG_SHUTDOWN)
			return false;
	return true;
}

/*
 * Whose is it?  As the kernel looks it up: the address before any, a device before none.  Its
 * family is its listener's, also if it came by IPv4 to one on both.  0: not known.
 */
static uint64_t count_request(struct snapshot *s, const struct nlmsghdr *h)
{
	struct listener place = { .msg = *(struct inet_diag_msg *)mnl_nlmsg_get_payload(h) }, *l;
	uint32_t *src = place.msg.id.idiag_src, dev = place.msg.id.idiag_if;

	while (!(l = listener_at(s, &place))) {
		if (place.msg.id.idiag_if) {
			place.msg.id.idiag_if = 0;
			continue;
		}
		if (!(src[0] | src[1] | src[2] | src[3]))
			return 0;
		/* Any IPv4 address of a socket on IPv6, then any. */
		if (!(src[0] | src[1]) && src[2] == htonl(0xffff) && src[3])
			src[3] = 0;
		else
			memset(src, 0, sizeof(place.msg.id.idiag_src));
		place.msg.id.idiag_if = dev;
	}
	/* SO_REUSEPORT: nothing tells which one. */
	if (l + 1 < s->listeners + s->nlisteners && !by_place(l + 1, l)) {
		if (is_request(h))
			l->synq = SYNQ_UNKNOWN;
		return 0;
	}
	if (is_request(h))
		l->synq++;
	return cookie_of(&l->msg);
}

/* Of several at the same place, the first one has what is known. */
static const struct inet_diag_msg *tell_listener(struct snapshot *s, struct tcpfsm_record *rec)
{
	struct listener *l = &s->listeners[s->told++];

	if (l > s->listeners && !by_place(l - 1, l))
		l->synq = l[-1].synq;
	snapshot_record(&l->msg, rec);
	/* After a failure not all requests were seen. */
	if (s->nl)
		rec->synq = l->synq;
	return &l->msg;
}

/* ---- all of it ---------------------------------------------------------------------- */

static void close_netns(struct snapshot *s)
{
	if (s->nl)
		mnl_socket_close(s->nl);
	s->nl = NULL;
}

/* The dump that s->nl, family and states stand for; first of listeners, then of all others. */
static void dump_begin(struct snapshot *s, uint8_t family, uint32_t states)
{
	int err;

	s->family = family;
	s->states = states;
	s->tries = TRIES;
	err = request(s);
	if (err) {
		note(s, err);
		close_netns(s);
	}
}

static void dump_end(struct snapshot *s, int err)
{
	if (!err && s->spoilt && --s->tries) {
		err = request(s);
		if (!err)
			return;
	}
	if (err) {
		note(s, err);
		close_netns(s);
	} else if (s->states == LISTENERS) {
		if (s->nlisteners)
			qsort(s->listeners, s->nlisteners, sizeof(*s->listeners), by_place);
		dump_begin(s, s->family, OTHERS);
	} else {
		s->states = 0;
	}
}

/* Where there is nothing left to be read.  Return: false: nowhere. */
static bool dump_next(struct snapshot *s)
{
	bool again = s->nl && s->family == AF_INET;

	s->told = s->nlisteners = 0;
	if (!again) {
		close_netns(s);
		if (!next_netns(s))
			return false;
	}
	dump_begin(s, again ? AF_INET6 : AF_INET, LISTENERS);
	return true;
}

int snapshot_next(struct snapshot *s, struct tcpfsm_record *rec)
{
	const struct inet_diag_msg *d;
	const struct process *owner;
	const struct nlmsghdr *h;
	int err = 0;

	for (;;) {
		if (!s->nl || !s->states) {
			if (s->told < s->nlisteners) {
				d = tell_listener(s, rec);
				break;
			}
			if (!dump_next(s))
				return 0;
			continue;
		}
		h = next_answer(s, &err);
		if (!h) {
			dump_end(s, err);
			continue;
		}
		d = mnl_nlmsg_get_payload(h);
		if (!cookie_of(d))
			continue;
		if (s->states == LISTENERS) {
			err = keep_listener(s, d);
			if (err)
				dump_end(s, err);
			continue;
		}
		snapshot_record(d, rec);
		if (rec->new_state == TCPFSM_STATE_SYN_RECV && rec->flags & TCPFSM_F_PASSIVE)
			rec->listener = count_request(s, h);
		break;
	}
	rec->seq = ++s->sockets;
	rec->ts = s->ts;
	rec->netns = s->done[s->ndone - 1];
	owner = owner_of(&s->owners, d->idiag_inode);
	if (owner) {
		rec->flags |= TCPFSM_F_OWNER;
		rec->pid = owner->pid;
		memcpy(rec->comm, owner->comm, sizeof(rec->comm));
	}
	return 1;
}

void snapshot_mark(const struct snapshot *s, enum tcpfsm_resync mark,
		   struct tcpfsm_record *rec)
{
	*rec = (struct tcpfsm_record) {
		.type = TCPFSM_TYPE_SOCKET, .snd = mark, .netns = s->only,
		.ts = clock_ns(CLOCK_MONOTONIC) - (uint64_t)s->timens,
		.arg = mark == TCPFSM_RESYNC_END ? (uint8_t)-snapshot_error(s) : 0,
	};
}

int snapshot_error(const struct snapshot *s)
{
	if (s->err || (s->only && s->ndone))
		return s->err;
	return s->closed;
}

int snapshot_open(struct snapshot **out, uint32_t netns)
{
	struct snapshot *s;
	int err;

	*out = NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->only = netns;
	s->timens = clock_timens_offset();
	err = find_owners(&s->owners);
	if (err) {
		snapshot_close(s);
		return err;
	}
	*out = s;
	return 0;
}

void snapshot_close(struct snapshot *s)
{
	if (!s)
		return;
	close_netns(s);
	if (s->dir)
		closedir(s->dir);
	table_exit(&s->owners.table);
	free(s->owners.processes);
	free(s->listeners);
	free(s->done);
	free(s);
}
