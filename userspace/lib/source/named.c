// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cgroup.h"
#include "clock.h"
#include "named.h"
#include "place.h"
#include "source.h"

/* What was asked for is asked for again after so long, if it is met: names change. */
#define AGAIN_NS	(10 * NSEC_PER_SEC)
#define ASKED_MAX	65536U
/* That a recording may tell. */
#define NAMES_MAX	(1U << 18)

_Static_assert(NAMED_MAX >= PROCESS_CGROUP_MAX && NAMED_MAX >= TCPFSM_NETNS_NAME_MAX, "");

/* ---- recorder -------------------------------------------------------------------- */

struct asked {
	uint32_t link, id;
	uint64_t at;
	uint64_t told;			/* hash of what was told; 0: nothing */
	bool pid;
};

static uint64_t hash_id(const struct table *t, uint32_t id, bool kind)
{
	uint64_t key = (uint64_t)kind << 32 | id;

	return hash_words(&key, sizeof(key), t->seed);
}

static uint64_t hash_asked(const struct table *t, const void *entry)
{
	const struct asked *a = entry;

	return hash_id(t, a->id, a->pid);
}

static const struct table_type askeds = {
	.size = sizeof(struct asked), .link = offsetof(struct asked, link), .reserved = 1, .hash = hash_asked,
};

static int begin_asked(struct naming *n)
{
	return table_init(&n->asked, &askeds, 256, ASKED_MAX);
}

int naming_init(struct naming *n)
{
	*n = (struct naming) { .pace = { .share = 10 } };
	return begin_asked(n);
}

void naming_exit(struct naming *n)
{
	table_exit(&n->asked);
}

static void forget(struct naming *n, uint64_t now)
{
	memset(n->netns, 0, sizeof(n->netns));
	memset(n->pid, 0, sizeof(n->pid));
	n->forget = now + AGAIN_NS;
}

void naming_again(struct naming *n)
{
	table_exit(&n->asked);
	/* Without memory for it there are no names. */
	(void)!begin_asked(n);
	forget(n, monotonic_ns());
}

void naming_met(struct naming *n, uint32_t id, bool pid, uint64_t ts)
{
	if (!id || n->ndue == NAMING_DUE)
		return;
	if (pid)
		n->pid[id % NAMING_PIDS] = id;
	else
		n->netns[id % NAMING_NETNS] = id;
	n->due[n->ndue++] = (struct naming_due) { ts, id, pid };
}

static struct asked *find_asked(struct naming *n, const struct naming_due *d)
{
	uint64_t hash = hash_id(&n->asked, d->id, d->pid);
	struct asked *a;

	if (!n->asked.slab)
		return NULL;
	for (a = table_first(&n->asked, &askeds, hash); a; a = table_next(&n->asked, &askeds, a))
		if (a->id == d->id && a->pid == d->pid)
			return a;
	if (n->asked.n == n->asked.max)
		naming_again(n);
	a = n->asked.slab ? table_add(&n->asked, &askeds, hash) : NULL;
	if (a) {
		a->id = d->id;
		a->pid = d->pid;
	}
	return a;
}

/* Return: what it is; 0: it has no name. */
static unsigned int look_up(const struct naming_due *d, char text[NAMED_MAX])
{
	if (d->pid)
		return cgroup_of(d->id, d->ts, text) ? NAMED_CGROUP : 0;
	if (*tcpfsm_netns_name(d->id, text))
		return NAMED_NETNS;
	return *tcpfsm_netns_label(d->id, text) ? NAMED_INHABITED : 0;
}

static uint64_t hash_text(unsigned int what, const char *text)
{
	uint64_t h = what;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3ULL;
	return h | 1;
}

void naming_tell(struct naming *n, enum named what, uint32_t id)
{
	n->what = what;
	n->id = id;
	n->len = (uint32_t)strlen(n->text);
	n->off = 0;
}

static void ask(struct naming *n, const struct naming_due *d)
{
	struct asked *a = find_asked(n, d);
	uint64_t now = monotonic_ns(), hash;
	unsigned int what;

	/* Two numbers may have one place among those that were seen lately. */
	if (!a || (a->at && now - a->at < AGAIN_NS))
		return;
	a->at = now;
	what = look_up(d, n->text);
	hash = hash_text(what, n->text);
	if (!what || hash == a->told)
		return;
	a->told = hash;
	naming_tell(n, what, d->id);
}

/* The text's place in a mark. */
static void put_part(struct tcpfsm_record *mark, const char part[NAMED_PART])
{
	memcpy(mark->comm, part, 16);
	memcpy(mark->laddr, part + 16, 16);
	memcpy(mark->raddr, part + 32, 16);
}

static void get_part(const struct tcpfsm_record *mark, char part[NAMED_PART])
{
	memcpy(part, mark->comm, 16);
	memcpy(part + 16, mark->laddr, 16);
	memcpy(part + 32, mark->raddr, 16);
}

bool naming_waits(struct naming *n, uint64_t now)
{
	if (now >= n->forget)
		forget(n, now);
	return n->ndue && now >= n->pace.next;
}

bool naming_next(struct naming *n, struct tcpfsm_record *mark)
{
	char part[NAMED_PART] = "";
	uint32_t len;

	while (n->off == n->len) {
		if (!n->ndue)
			return false;
		ask(n, &n->due[--n->ndue]);
	}
	len = n->len - n->off < NAMED_PART ? n->len - n->off : NAMED_PART;
	memcpy(part, n->text + n->off, len);
	*mark = (struct tcpfsm_record) {
		.type = TCPFSM_TYPE_MARK, .snd = TCPFSM_MARK_NAME, .rcv = n->what, .conn = n->id,
		.tw = n->off, .tw_max = n->len,
	};
	put_part(mark, part);
	n->off += len;
	return true;
}

/* ---- reader ---------------------------------------------------------------------- */

struct name {
	uint32_t link, id;
	uint32_t what;
	char *text;
};

/* Of a namespace there is one name, whatever gave it. */
static uint64_t hash_name(const struct table *t, const void *entry)
{
	const struct name *n = entry;

	return hash_id(t, n->id, n->what == NAMED_CGROUP);
}

static const struct table_type names_type = {
	.size = sizeof(struct name), .link = offsetof(struct name, link), .reserved = 1, .hash = hash_name,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool recorded;
static struct table names;
static size_t ncgroups;

static struct name *find(uint32_t id, bool cgroup)
{
	uint64_t hash = hash_id(&names, id, cgroup);
	struct name *n;

	if (!names.slab)
		return NULL;
	for (n = table_first(&names, &names_type, hash); n; n = table_next(&names, &names_type, n))
		if (n->id == id && (n->what == NAMED_CGROUP) == cgroup)
			return n;
	return NULL;
}

static void set(uint32_t what, uint32_t id, const char *text, bool first)
{
	bool cgroup = what == NAMED_CGROUP;
	struct name *n = find(id, cgroup);
	char *copy = n && first ? NULL : strdup(text);

	if (!copy)
		return;
	if (!n && names.slab) {
		n = table_add(&names, &names_type, hash_id(&names, id, cgroup));
		ncgroups += n && cgroup;
	}
	if (!n) {
		free(copy);
		return;
	}
	n->what = what;
	n->id = id;
	free(n->text);
	n->text = copy;
}

/* It may have been made to do harm: to a terminal, or in a command that somebody pastes. */
static bool is_good(uint32_t what, char *text)
{
	if (what == NAMED_NETNS)
		return place_name_is_plain(text);
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
	return true;
}

void named_mark(struct named_parts *p, const struct tcpfsm_record *mark, bool first)
{
	char part[NAMED_PART];
	uint32_t n;

	if (mark->snd != TCPFSM_MARK_NAME || !named_is())
		return;
	if (!mark->tw)
		*p = (struct named_parts) { .what = mark->rcv, .id = (uint32_t)mark->conn, .len = mark->tw_max };
	/* Of what was cut there is nothing. */
	if (p->what < NAMED_NETNS || p->what > NAMED_CGROUP || p->what != mark->rcv || p->id != mark->conn ||
	    p->len != mark->tw_max || p->have != mark->tw || !p->len || p->len >= NAMED_MAX || p->have == p->len) {
		p->what = 0;
		return;
	}
	n = p->len - p->have < NAMED_PART ? p->len - p->have : NAMED_PART;
	get_part(mark, part);
	memcpy(p->text + p->have, part, n);
	p->have += n;
	if (p->have < p->len)
		return;
	p->text[p->len] = '\0';
	if (strlen(p->text) != p->len || !is_good(p->what, p->text))
		return;
	pthread_mutex_lock(&lock);
	set(p->what, p->id, p->text, first);
	pthread_mutex_unlock(&lock);
}

bool named_is(void)
{
	return __atomic_load_n(&recorded, __ATOMIC_ACQUIRE);
}

bool named_text(enum named what, uint32_t id, char *text, size_t size)
{
	const struct name *n;
	bool is;

	pthread_mutex_lock(&lock);
	n = find(id, what == NAMED_CGROUP);
	is = n && n->what == what && strlen(n->text) < size;
	if (is)
		strcpy(text, n->text);
	pthread_mutex_unlock(&lock);
	return is;
}

uint32_t named_netns(const char *name)
{
	uint32_t i, id = 0;

	pthread_mutex_lock(&lock);
	for (i = 1; names.slab && i < names.end && !id; i++) {
		const struct name *n = table_at(&names, &names_type, i);

		if (n->what != NAMED_CGROUP && !strcmp(n->text, name))
			id = n->id;
	}
	pthread_mutex_unlock(&lock);
	return id;
}

bool named_cgroups(void)
{
	bool any;

	pthread_mutex_lock(&lock);
	any = ncgroups;
	pthread_mutex_unlock(&lock);
	return any;
}

static int begin(bool learns)
{
	uint32_t i;
	int err;

	for (i = 1; names.slab && i < names.end; i++)
		free(((struct name *)table_at(&names, &names_type, i))->text);
	table_exit(&names);
	ncgroups = 0;
	/* Without a table nothing is learned. */
	if (!learns)
		return 0;
	err = table_init(&names, &names_type, 64, NAMES_MAX);
	table_seed(&names);
	return err;
}

int named_begin(bool learns)
{
	int err;

	pthread_mutex_lock(&lock);
	err = begin(learns);
	__atomic_store_n(&recorded, true, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&lock);
	return err;
}

int tcpfsm_names_recorded(const char *dir)
{
	struct tcpfsm_source *src;
	const char *why;
	int err = named_begin(dir);

	if (err || !dir)
		return err;
	/* To open it is to read its marks. */
	err = source_open_recording(&src, dir, false, &why);
	if (!err)
		tcpfsm_source_close(src);
	return err;
}
