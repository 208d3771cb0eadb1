// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * A recording as a source: the same merge over the files of the CPUs and of the
 * totals, after the sockets of the snapshot, if there is one, and with those that
 * were read again.
 *
 * The files may have been cut off, damaged, or made to do harm.  Everything
 * but the payload of a record is checked; memory depends on the number of
 * files alone.  When one file is damaged, all that is good before the damage
 * and in the other files is delivered first, and then the error.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctf.h"
#include "merge.h"
#include "source.h"

#define METADATA_MAX	(1U << 20)
#define BATCH		64

/* The buffers of all files together, and of one. */
#define BUFFERS_BYTES	(16U << 20)
#define BUFFER_MAX	(256U << 10)
#define BUFFER_MIN	(16U << 10)

union unit {
	struct ctf_packet packet;
	struct ctf_event event;
};

enum kind { OF_CPU, OF_SOCKETS, OF_TOTALS };

/* Streams that are not a CPU's: of one type of records, none of which is lost. */
static const struct {
	const char *file;
	uint8_t type;
	const char *other, *no_file, *no_open;
} kinds[] = {
	[OF_SOCKETS] = { CTF_SOCKETS, TCPFSM_TYPE_SOCKET, "record that is no socket",
			 "the file of the sockets is not a regular file",
			 "cannot open the file of the sockets" },
	[OF_TOTALS] = { CTF_TOTALS, TCPFSM_TYPE_TOTAL, "record that is no total",
			"the file of the totals is not a regular file",
			"cannot open the file of the totals" },
	[OF_CPU] = { NULL, 0, NULL, "the file of a CPU is not a regular file",
		     "cannot open the file of a CPU" },
};

struct stream {
	union unit *buf;
	size_t rd, n;			/* units in buf */
	size_t left;			/* records left in this packet */
	size_t padding;			/* units behind them, before the next packet */
	uint64_t off;			/* of buf[n] in the file */
	uint64_t size;			/* of the file when it was opened */
	uint64_t packet_off;
	uint64_t seq;			/* of the last record, or 0 before the first */
	uint64_t last_ts;
	uint64_t packets, discarded;
	uint64_t gap;			/* lost before the next record */
	uint64_t gap_to;		/* when there is no next record: at this time */
	bool gap_alone;
	uint64_t at;			/* sockets: in time, those of a resync; 0: first of all */
	enum kind kind;
	uint32_t cpu;
	int fd;
};

struct recording {
	struct tcpfsm_source src;
	struct tcpfsm_item items[BATCH], gap;	/* what the caller holds */
	struct merge merge;
	struct stream *streams, *out;
	size_t nstreams;
	size_t units;			/* in each buffer */
	uint8_t uuid[16];
	int err;			/* of the first stream that had one */
};

static int stream_error(struct recording *r, struct stream *s, int err, uint64_t at,
			const char *what)
{
	if (!r->err) {
		r->err = err;
		if (s->kind != OF_CPU)
			snprintf(r->src.error, sizeof(r->src.error), "%s: %s at byte %" PRIu64,
				 kinds[s->kind].file, what, at);
		else
			snprintf(r->src.error, sizeof(r->src.error), "cpu_%u: %s at byte %" PRIu64,
				 s->cpu, what, at);
	}
	/* That was the end of this one. */
	s->rd = s->n = s->left = 0;
	s->off = s->size = 0;
	return -1;
}

/* The next unit of the file; NULL: there is none, and *err tells whether there should be. */
static const union unit *stream_unit(struct recording *r, struct stream *s, int *err)
{
	size_t want, have = 0;

	*err = 0;
	if (s->rd < s->n)
		return &s->buf[s->rd++];
	if (s->off >= s->size)
		return NULL;

	want = r->units * CTF_UNIT;
	if (s->size - s->off < want)
		want = (size_t)(s->size - s->off);
	while (have < want) {
		ssize_t n = pread(s->fd, (char *)s->buf + have, want - have,
				  (off_t)(s->off + have));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			*err = -errno;
			return NULL;
		}
		if (!n)
			break;
		have += (size_t)n;
	}
	s->n = have / CTF_UNIT;
	s->rd = 0;
	s->off += s->n * CTF_UNIT;
	if (!s->n) {
		*err = -EBADMSG;
		return NULL;
	}
	return &s->buf[s->rd++];
}

/* Where in the file is the unit that stream_unit() gives next? */
static uint64_t stream_pos(const struct stream *s)
{
	return s->off - (s->n - s->rd) * CTF_UNIT;
}

static bool unit_is_zero(const union unit *u)
{
	static const union unit zero;

	return !memcmp(u, &zero, sizeof(zero));
}

/* 1: s->left records follow; 0: end of file; -1: damaged. */
static int stream_packet(struct recording *r, struct stream *s)
{
	const struct ctf_packet *p;
	const union unit *u;
	uint64_t lost, bytes;
	size_t n;
	int err;

	for (;;) {
		s->packet_off = stream_pos(s) + s->padding * CTF_UNIT;
		while ((u = stream_unit(r, s, &err)) && s->padding && unit_is_zero(u))
			s->padding--;
		if (u && s->padding)
			return stream_error(r, s, -EBADMSG, stream_pos(s) - CTF_UNIT,
					    "record beyond the end of its packet");
		if (!u) {
			if (err == -EBADMSG)
				return stream_error(r, s, err, s->packet_off,
						    "truncated packet");
			if (err)
				return stream_error(r, s, err, s->packet_off, "cannot read");
			return 0;
		}
		p = &u->packet;
		bytes = p->packet_size / 8;
		if (p->magic != CTF_MAGIC || p->stream_id)
			return stream_error(r, s, -EBADMSG, s->packet_off, "no packet");
		if (memcmp(p->uuid, r->uuid, sizeof(p->uuid)))
			return stream_error(r, s, -EBADMSG, s->packet_off,
					    "packet of another recording");
		if (p->cpu_id != s->cpu)
			return stream_error(r, s, -EBADMSG, s->packet_off,
					    "packet of another CPU");
		n = p->content_size / 8 < CTF_UNIT ? 0 : p->content_size / 8 / CTF_UNIT - 1;
		if (p->packet_size % 8 || bytes > CTF_PACKET_BYTES_MAX ||
		    n > CTF_PACKET_RECORDS_MAX || bytes != ctf_packet_bytes(n) ||
		    p->content_size != ctf_content_bits(n))
			return stream_error(r, s, -EBADMSG, s->packet_off,
					    "packet of impossible size");
		if (p->packet_seq_num != s->packets)
			return stream_error(r, s, -EBADMSG, s->packet_off,
					    "missing or repeated packet");
		if (p->events_discarded < s->discarded || (s->kind != OF_CPU && p->events_discarded))
			return stream_error(r, s, -EBADMSG, s->packet_off,
					    "packet with a wrong count of lost records");
		if (bytes > s->size - s->packet_off)
			return stream_error(r, s, -EBADMSG, s->packet_off,
					    "truncated packet");

		lost = p->events_discarded - s->discarded;
		s->discarded = p->events_discarded;
		s->packets++;
		s->gap += lost;
		if (s->seq)
			s->seq += lost;
		s->left = n;
		s->padding = bytes / CTF_UNIT - 1 - n;
		if (s->left)
			return 1;
		/* The recorder ends so when records were lost at the end. */
		s->gap_to = p->timestamp_end;
	}
}

static void event_record(const struct ctf_event *ev, struct tcpfsm_record *rec)
{
	memcpy(&rec->ts, &ev->ts, sizeof(*rec) - offsetof(struct tcpfsm_record, ts));
	rec->seq = ev->seq;
}

/* Those of the snapshot first of all, those of a resync when it began. */
static uint64_t time_of_socket(struct stream *s, const struct ctf_event *ev)
{
	struct tcpfsm_record rec;

	event_record(ev, &rec);
	if (!rec.conn && rec.snd == TCPFSM_RESYNC_BEGIN && rec.ts > s->at)
		s->at = rec.ts;
	return s->at;
}

/*
 * Finds the next record (s->buf[s->rd - 1]) and its place in time.
 * False: the stream is at its end.
 */
static bool stream_advance(struct recording *r, struct stream *s, uint64_t *key)
{
	const union unit *u;
	int err;

	if (!s->left) {
		if (stream_packet(r, s) <= 0) {
			s->gap_alone = s->gap > 0;
			*key = s->gap_to;
			return s->gap_alone;
		}
	}
	u = stream_unit(r, s, &err);
	if (!u) {
		stream_error(r, s, err ? err : -EBADMSG, s->packet_off, "truncated packet");
		return false;
	}
	if ((s->seq && u->event.seq != s->seq + 1) || !u->event.seq ||
	    u->event.seq == TCPFSM_SEQ_BUSY) {
		stream_error(r, s, -EBADMSG, stream_pos(s) - CTF_UNIT, "record out of sequence");
		return false;
	}
	if (s->kind != OF_CPU && u->event.type != kinds[s->kind].type) {
		stream_error(r, s, -EBADMSG, stream_pos(s) - CTF_UNIT, kinds[s->kind].other);
		return false;
	}
	s->seq = u->event.seq;
	s->left--;
	*key = s->kind == OF_SOCKETS ? time_of_socket(s, &u->event) : u->event.ts;
	return true;
}

/*
 * What follows in this packet, and before any other stream, goes along.  What
 * is wrong with it stays for stream_advance() to tell.
 */
static void run_ahead(struct recording *r, struct stream *s)
{
	uint64_t limit = merge_limit(&r->merge, UINT64_MAX);
	struct tcpfsm_item *it = r->items + 1;

	while (it < r->items + BATCH && s->left && s->rd < s->n) {
		const struct ctf_event *ev = &s->buf[s->rd].event;

		if (ev->ts >= limit || ev->seq != s->seq + 1)
			break;
		it->cpu = s->cpu;
		event_record(ev, &it->rec);
		s->seq++;
		s->left--;
		s->rd++;
		it++;
	}
	s->last_ts = it[-1].rec.ts;
	r->src.ahead = r->items + 1;
	r->src.end = it;
	r->src.below = limit;
}

static int recording_next(struct tcpfsm_source *src, const struct tcpfsm_item **item)
{
	struct recording *r = (struct recording *)src;
	struct tcpfsm_item *it = r->items;
	struct stream *s = r->out;
	uint64_t key;

	if (s) {
		if (stream_advance(r, s, &key))
			merge_replace(&r->merge, key);
		else
			merge_pop(&r->merge);
		r->out = NULL;
	}
	if (!r->merge.n)
		return r->err;

	s = &r->streams[r->merge.e[0].stream];
	if (__builtin_expect(s->gap > 0, 0)) {
		r->gap.cpu = s->cpu;
		r->gap.lost = s->gap;
		r->gap.from_ts = s->last_ts;
		r->gap.to_ts = r->merge.e[0].key;
		*item = &r->gap;
		src->lost += s->gap;
		s->gap = 0;
		/* Come back for the record, if there is one. */
		r->out = s->gap_alone ? s : NULL;
		return 1;
	}
	it->cpu = s->cpu;
	event_record(&s->buf[s->rd - 1].event, &it->rec);
	s->last_ts = it->rec.ts;
	r->out = s;
	switch (s->kind) {
	case OF_CPU:
		run_ahead(r, s);
		src->delivered++;
		break;
	case OF_SOCKETS:
		src->sockets += !s->at;
		break;
	case OF_TOTALS:
		break;
	}
	*item = it;
	return 1;
}

static int recording_wait(struct tcpfsm_source *src, int timeout_ms)
{
	(void)src;
	(void)timeout_ms;
	return 1;
}

static void recording_close(struct tcpfsm_source *src)
{
	struct recording *r = (struct recording *)src;
	size_t i;

	for (i = 0; i < r->nstreams; i++) {
		close(r->streams[i].fd);
		free(r->streams[i].buf);
	}
	free(r->streams);
	free(r->merge.e);
	free(r);
}

static int read_metadata(int dirfd, struct ctf_env *env, const char **why)
{
	struct stat st;
	size_t len = 0;
	char *text;
	ssize_t n;
	int fd, err;

	fd = openat(dirfd, "metadata", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		*why = errno == ENOENT ? "not a recording: no metadata in this directory" :
					 "cannot read the metadata";
		return errno == ENOENT ? -EBADMSG : -errno;
	}
	err = -EBADMSG;
	*why = "metadata is not that of a CTF 1.8 trace in plain text";
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > METADATA_MAX) {
		close(fd);
		return err;
	}
	text = malloc((size_t)st.st_size + 1);
	if (!text) {
		close(fd);
		*why = "out of memory";
		return -ENOMEM;
	}
	while (len < (size_t)st.st_size) {
		n = read(fd, text + len, (size_t)st.st_size - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	close(fd);
	if (strlen(text) == len)
		err = ctf_metadata_parse(text, env, why);
	free(text);
	return err;
}

static bool stream_name(const char *name, uint32_t *cpu)
{
	unsigned long n;
	char *end;

	if (strncmp(name, "cpu_", 4) || name[4] < '0' || name[4] > '9' ||
	    (name[4] == '0' && name[5]))
		return false;
	errno = 0;
	n = strtoul(name + 4, &end, 10);
	if (errno || *end || n >= CTF_CPUS_MAX)
		return false;
	*cpu = (uint32_t)n;
	return true;
}

/* Of equal times the first one's comes first: the sockets, and the totals last. */
static int by_cpu(const void *a, const void *b)
{
	static const int rank[] = { [OF_SOCKETS] = 0, [OF_CPU] = 1, [OF_TOTALS] = 2 };
	const struct stream *x = a, *y = b;

	if (x->kind != y->kind)
		return rank[x->kind] - rank[y->kind];
	return x->cpu < y->cpu ? -1 : x->cpu > y->cpu;
}

/* What is not of another kind may be a CPU's. */
static enum kind stream_kind(const char *name)
{
	if (!strcmp(name, CTF_SOCKETS))
		return OF_SOCKETS;
	return strcmp(name, CTF_TOTALS) ? OF_CPU : OF_TOTALS;
}

static int open_streams(struct recording *r, int dirfd, const char **why)
{
	struct dirent *e;
	size_t room = 0;
	uint32_t cpu;
	int err = 0;
	DIR *d;

	d = fdopendir(dirfd);
	if (!d) {
		err = -errno;
		close(dirfd);
		*why = "cannot read the directory";
		return err;
	}
	while (!err && (e = readdir(d))) {
		enum kind kind = stream_kind(e->d_name);
		struct stream *s;
		struct stat st;

		cpu = 0;
		if (kind == OF_CPU && !stream_name(e->d_name, &cpu))
			continue;
		if (r->nstreams == room) {
			room = room ? 2 * room : 16;
			s = realloc(r->streams, room * sizeof(*s));
			if (!s) {
				err = -ENOMEM;
				*why = "out of memory";
				break;
			}
			r->streams = s;
		}
		s = &r->streams[r->nstreams];
		*s = (struct stream) { .cpu = cpu, .kind = kind };
		s->fd = openat(dirfd, e->d_name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (s->fd < 0) {
			err = -errno;
			*why = kinds[kind].no_open;
			break;
		}
		r->nstreams++;
		if (fstat(s->fd, &st) || !S_ISREG(st.st_mode)) {
			err = -EBADMSG;
			*why = kinds[kind].no_file;
		}
		s->size = (uint64_t)st.st_size;
	}
	closedir(d);
	return err;
}

static int start_streams(struct recording *r, const char **why)
{
	size_t i, bytes = BUFFERS_BYTES;
	uint64_t key;

	if (!r->nstreams)
		return 0;
	qsort(r->streams, r->nstreams, sizeof(r->streams[0]), by_cpu);

	bytes /= r->nstreams;
	if (bytes > BUFFER_MAX)
		bytes = BUFFER_MAX;
	if (bytes < BUFFER_MIN)
		bytes = BUFFER_MIN;
	r->units = bytes / CTF_UNIT;

	*why = "out of memory";
	r->merge.e = calloc(r->nstreams, sizeof(r->merge.e[0]));
	if (!r->merge.e)
		return -ENOMEM;
	for (i = 0; i < r->nstreams; i++) {
		struct stream *s = &r->streams[i];

		/* Whole pages, aligned: read(2) is faster for it. */
		s->buf = aligned_alloc(4096, r->units * CTF_UNIT / 4096 * 4096);
		if (!s->buf)
			return -ENOMEM;
	}
	r->units = r->units * CTF_UNIT / 4096 * 4096 / CTF_UNIT;
	for (i = 0; i < r->nstreams; i++)
		if (stream_advance(r, &r->streams[i], &key))
			merge_push(&r->merge, key, i);
	return 0;
}

int tcpfsm_source_open_recording(struct tcpfsm_source **src, const char *dir,
				 const char **why)
{
	const char *unused;
	struct recording *r;
	struct ctf_env env;
	int dirfd, err;

	if (!why)
		why = &unused;
	*src = NULL;
	*why = NULL;
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0) {
		err = -errno;
		*why = err == -ENOENT ? "no such directory" :
		       err == -ENOTDIR ? "a recording is a directory" :
					 "cannot open the directory";
		return err;
	}
	err = read_metadata(dirfd, &env, why);
	if (err) {
		close(dirfd);
		return err;
	}

	r = calloc(1, sizeof(*r));
	if (!r) {
		close(dirfd);
		*why = "out of memory";
		return -ENOMEM;
	}
	r->src.next = recording_next;
	r->src.wait = recording_wait;
	r->src.close = recording_close;
	r->src.epoch_offset = env.epoch_offset;
	memcpy(r->uuid, env.uuid, sizeof(r->uuid));

	err = open_streams(r, dirfd, why);
	if (!err)
		err = start_streams(r, why);
	if (err) {
		recording_close(&r->src);
		return err;
	}
	*why = NULL;
	*src = &r->src;
	return 0;
}
