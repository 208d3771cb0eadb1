// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
#include "spaces.h"

/* More than any machine has; a recording can claim anything. */
#define SPACES_MAX	65536U
#define FIRST		64U		/* there is room for at once */

static uint64_t hash(const struct table *t, const void *entry)
{
	(void)t;
	return ((const struct space *)entry)->netns;
}

static const struct table_type type = {
	.size = sizeof(struct space), .link = offsetof(struct space, link), .reserved = 1, .hash = hash,
};

static struct space *find(const struct spaces *t, uint32_t netns)
{
	struct space *s = netns && t->table.slab ? table_first(&t->table, &type, netns) : NULL;

	while (s && s->netns != netns)
		s = table_next(&t->table, &type, s);
	return s;
}

/* NULL: there is no room for it. */
static struct space *get(struct spaces *t, uint32_t netns)
{
	struct space *s = find(t, netns);

	if (s || !netns || (!t->table.slab && table_init(&t->table, &type, FIRST, SPACES_MAX)))
		return s;
	s = table_add(&t->table, &type, netns);
	if (s)
		s->netns = netns;
	return s;
}

enum spaces_news spaces_cookie(struct spaces *t, uint32_t netns, uint64_t cookie)
{
	struct space *s = get(t, netns);
	enum spaces_news news = s && !s->cookie ? SPACES_FIRST : SPACES_ANOTHER;

	if (!s || s->cookie == cookie)
		return SPACES_KNOWN;
	s->cookie = cookie;
	s->made = 0;
	return news;
}

void spaces_made(struct spaces *t, uint32_t netns, uint64_t ts)
{
	struct space *s = get(t, netns);

	if (s)
		s->made = ts;
}

const struct space *spaces_seek(struct spaces *t, uint32_t netns)
{
	const struct space *s = find(t, netns);

	if (s)
		t->last = table_number(&t->table, &type, s);
	return s;
}

void spaces_free(struct spaces *t)
{
	table_exit(&t->table);
}
