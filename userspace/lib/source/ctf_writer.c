// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/*
 * Writes a recording.  Records are copied once, from the ring into the packet
 * that write(2) gets; a packet is one system call.  Where the file system can,
 * packets go to the disk past the page cache (O_DIRECT): a recording of hours
 * shall not push out what the recorded machine works with, and that copy would
 * cost more than all else.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctf.h"
#include "tcpfsm.h"

/* With more CPUs than this, packets get smaller: the buffers add up. */
#define CPUS_WITH_BIG_PACKETS	64

struct ctf_stream {
	struct ctf_packet *buf;		/* NULL until there is a record */
	size_t n;			/* records in buf */
	uint64_t since;			/* when the first of them was committed */
	uint64_t off;			/* end of the last whole packet in the file */
	uint64_t packets;
	uint64_t discarded;
	uint64_t last_ts;
	uint64_t committed, written;	/* records */
	uint64_t unsynced;		/* since of the oldest record written that a crash would take */
	int fd;
};

struct ctf_writer {
	int dirfd;
	int err;			/* the first error; nothing is written after it */
	bool made_dir;
	bool new_files;			/* their names are not on the disk yet */
	uint8_t uuid[16];
	uint8_t known[256];		/* types that the metadata describes */
	uint64_t bytes;
	size_t packet_bytes;
	size_t room;			/* records in a packet */
	unsigned int cpus;
	unsigned int nstreams;		/* the last: of the snapshot, the totals, the marks */
	struct ctf_stream streams[];
};

static struct ctf_event *stream_events(const struct ctf_stream *s)
{
	return (struct ctf_event *)(s->buf + 1);
}

static void direct_on(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0)
		(void)!fcntl(fd, F_SETFL, flags | O_DIRECT);
}

/* Was it on?  Then what it refused may go the other way. */
static bool direct_off(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && flags & O_DIRECT && !fcntl(fd, F_SETFL, flags & ~O_DIRECT);
}

/* All of it or an error; *done tells how much in either case. */
static int write_all(int fd, const void *buf, size_t len, uint64_t off, size_t *done)
{
	ssize_t n;

	for (*done = 0; *done < len; *done += (size_t)n) {
		n = pwrite(fd, (const char *)buf + *done, len - *done, (off_t)(off + *done));
		if (n < 0 && (errno == EINTR || (errno == EINVAL && direct_off(fd))))
			n = 0;
		else if (n < 0)
			return -errno;
		else if (!n)
			return -EIO;
	}
	return 0;
}

/* how: fsync() or fdatasync(). */
static int sync_fd(int fd, int (*how)(int))
{
	/* EINVAL: there is nothing behind this file system that could be waited for. */
	while (how(fd))
		if (errno != EINTR)
			return errno == EINVAL ? 0 : -errno;
	return 0;
}

static int append_metadata(struct ctf_writer *w, const char *text, int flags)
{
	size_t len = strlen(text), done = 0;
	ssize_t n;
	int fd, err = 0;

	fd = openat(w->dirfd, "metadata", O_WRONLY | O_APPEND | O_CLOEXEC | flags, 0600);
	if (fd < 0)
		return -errno;
	while (!err && done < len) {
		n = write(fd, text + done, len - done);
		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			err = -errno;
	}
	/* Nothing else can be read without it. */
	if (!err)
		err = sync_fd(fd, fdatasync);
	if (close(fd) && !err)
		err = -errno;
	return err;
}

static int dir_is_empty(int dirfd)
{
	int fd = dup(dirfd), n = 0;
	struct dirent *e;
	DIR *d;

	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		n = -errno;
		if (fd >= 0)
			close(fd);
		return n;
	}
	while (!n && (e = readdir(d)))
		n = strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	closedir(d);
	return !n;
}

static int stream_open(struct ctf_writer *w, unsigned int cpu)
{
	static const char * const others[] = { CTF_SOCKETS, CTF_TOTALS, CTF_MARKS };
	struct ctf_stream *s = &w->streams[cpu];
	char name[32];

	if (s->fd >= 0)
		return 0;
	if (cpu >= w->cpus)
		strcpy(name, others[cpu - w->cpus]);
	else
		snprintf(name, sizeof(name), "cpu_%u", cpu);
	s->fd = openat(w->dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (s->fd < 0)
		return -errno;
	w->new_files = true;
	direct_on(s->fd);
	return 0;
}

static int stream_buffer(struct ctf_writer *w, unsigned int cpu)
{
	struct ctf_stream *s = &w->streams[cpu];
	void *buf;

	if (s->buf)
		return 0;
	buf = mmap(NULL, w->packet_bytes, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buf == MAP_FAILED)
		return -ENOMEM;
	s->buf = buf;
	s->buf->magic = CTF_MAGIC;
	memcpy(s->buf->uuid, w->uuid, sizeof(s->buf->uuid));
	s->buf->cpu_id = cpu >= w->cpus ? 0 : cpu;
	return 0;
}

/* Room on the disk for how it ended: it may be gone by then.  Return: 0 or -ENOSPC. */
static int reserve_end(struct ctf_writer *w)
{
	const struct ctf_stream *s = &w->streams[ctf_writer_marks(w)];
	size_t packets = w->nstreams / w->room + 2;

	if (fallocate(s->fd, FALLOC_FL_KEEP_SIZE, (off_t)s->off,
		      (off_t)(packets * ctf_packet_bytes(w->room, CTF_UNIT))) && errno == ENOSPC)
		return -ENOSPC;
	return 0;
}

/* And memory.  While it is locked, the recording is being written. */
static int reserve_marks(struct ctf_writer *w)
{
	unsigned int marks = ctf_writer_marks(w);
	struct ctf_stream *s = &w->streams[marks];
	int err;

	err = stream_buffer(w, marks);
	if (!err)
		err = stream_open(w, marks);
	if (err)
		return err;
	(void)flock(s->fd, LOCK_EX | LOCK_NB);
	return reserve_end(w);
}

static int sync_parent(int dirfd)
{
	int fd = openat(dirfd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	/* Who may not read it may have made a directory in it all the same. */
	if (fd < 0)
		return 0;
	err = sync_fd(fd, fsync);
	close(fd);
	return err;
}

/* A directory for us alone: a new one, or an empty one.  Return: it, open, or a negative errno. */
static int open_new_dir(const char *dir, bool *made)
{
	int fd, err;

	*made = !mkdir(dir, 0700);
	if (!*made && errno != EEXIST)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = fd < 0 ? -errno : dir_is_empty(fd);
	if (err > 0)
		return fd;
	if (fd >= 0)
		close(fd);
	if (*made)
		rmdir(dir);
	return err ? err : -EEXIST;
}

int ctf_make_dir(const char *dir, bool *made)
{
	int fd = open_new_dir(dir, made), err;

	if (fd < 0)
		return fd;
	err = *made ? sync_parent(fd) : 0;
	if (!err)
		return fd;
	close(fd);
	rmdir(dir);
	return err;
}

int ctf_writer_open(struct ctf_writer **out, const char *dir, unsigned int cpus,
		    const struct ctf_env *env)
{
	struct ctf_writer *w;
	char *text = NULL;
	unsigned int i;
	int err;

	*out = NULL;
	w = calloc(1, sizeof(*w) + (cpus + 3) * sizeof(w->streams[0]));
	if (!w)
		return -ENOMEM;
	w->cpus = cpus;
	w->nstreams = cpus + 3;
	w->packet_bytes = cpus > CPUS_WITH_BIG_PACKETS ? CTF_PACKET_BYTES_MAX / 4 :
							 CTF_PACKET_BYTES_MAX;
	w->room = w->packet_bytes / CTF_UNIT - 1;
	memcpy(w->uuid, env->uuid, sizeof(w->uuid));
	for (i = 0; i < w->nstreams; i++) {
		w->streams[i].fd = -1;
		w->streams[i].unsynced = UINT64_MAX;
	}
#define KNOWN(s, n, name, text)	w->known[n] = 1;
	TCPFSM_TYPES(KNOWN)
#undef KNOWN

	w->dirfd = open_new_dir(dir, &w->made_dir);
	if (w->dirfd < 0) {
		err = w->dirfd;
		free(w);
		return err;
	}

	text = ctf_metadata_text(env);
	err = text ? append_metadata(w, text, O_CREAT | O_EXCL) : -ENOMEM;
	free(text);
	if (!err)
		err = reserve_marks(w);
	if (!err)
		err = sync_fd(w->dirfd, fsync);
	if (!err && w->made_dir)
		err = sync_parent(w->dirfd);
	if (err) {
		unlinkat(w->dirfd, CTF_MARKS, 0);
		unlinkat(w->dirfd, "metadata", 0);
		goto fail;
	}
	w->new_files = false;
	*out = w;
	return 0;

fail:
	for (i = 0; i < w->nstreams; i++) {
		if (w->streams[i].fd >= 0)
			close(w->streams[i].fd);
		if (w->streams[i].buf)
			munmap(w->streams[i].buf, w->packet_bytes);
	}
	close(w->dirfd);
	if (w->made_dir)
		rmdir(dir);
	free(w);
	return err;
}

/* Writes the first n records as one packet. */
static int stream_write(struct ctf_writer *w, unsigned int cpu, size_t n)
{
	struct ctf_stream *s = &w->streams[cpu];
	const struct ctf_event *ev = stream_events(s);
	struct ctf_packet *p = s->buf;
	size_t len = ctf_packet_bytes(n, CTF_UNIT), pad, done;
	char behind[CTF_ALIGN];
	int err;

	if (w->err)
		return w->err;
	err = stream_open(w, cpu);
	if (err)
		goto out;

	if (n) {
		p->timestamp_begin = ev[0].ts;
		s->last_ts = ev[n - 1].ts;
	} else {
		p->timestamp_begin = s->last_ts;
	}
	p->timestamp_end = s->last_ts < p->timestamp_begin ? p->timestamp_begin : s->last_ts;
	p->content_size = ctf_content_bits(n, CTF_UNIT);
	p->packet_size = len * 8;
	p->packet_seq_num = s->packets;
	p->events_discarded = s->discarded;

	/* Zeros behind the records; the next ones may wait there already. */
	pad = len - (n + 1) * CTF_UNIT;
	memcpy(behind, ev + n, pad);
	memset((char *)p + len - pad, 0, pad);
	err = write_all(s->fd, p, len, s->off, &done);
	memcpy((char *)p + len - pad, behind, pad);
	if (err) {
		/*
		 * Disk full: what is whole stays readable.  Where even this
		 * fails, the reader will find half a packet and say so.
		 */
		if (done)
			(void)!ftruncate(s->fd, (off_t)s->off);
		goto out;
	}
	s->packets++;
	s->off += len;
	/* Names took some of that room; without more of it the recording goes on. */
	if (cpu == ctf_writer_marks(w))
		(void)!reserve_end(w);
	s->written += n;
	w->bytes += len;
	if (n && s->since < s->unsynced)
		s->unsynced = s->since;
out:
	w->err = err;
	return err;
}

static int stream_flush(struct ctf_writer *w, unsigned int cpu)
{
	struct ctf_stream *s = &w->streams[cpu];
	size_t n = s->n;

	s->n = 0;
	return n ? stream_write(w, cpu, n) : 0;
}

unsigned int ctf_writer_sockets(const struct ctf_writer *w)
{
	return w->cpus;
}

unsigned int ctf_writer_totals(const struct ctf_writer *w)
{
	return w->cpus + 1;
}

unsigned int ctf_writer_marks(const struct ctf_writer *w)
{
	return w->cpus + 2;
}

struct ctf_event *ctf_writer_room(struct ctf_writer *w, unsigned int cpu, size_t *room)
{
	struct ctf_stream *s = &w->streams[cpu];

	if (stream_buffer(w, cpu))
		return NULL;
	*room = w->room - s->n;
	return stream_events(s) + s->n;
}

/*
 * Readers count discarded events from one packet to the next, so losses before
 * the first record need a packet to count from.
 */
static int stream_begin(struct ctf_writer *w, unsigned int cpu, uint64_t ts)
{
	struct ctf_stream *s = &w->streams[cpu];

	if (s->packets)
		return 0;
	s->last_ts = ts;
	return stream_write(w, cpu, 0);
}

/* The module may be younger than we are and know more types. */
static int learn_type(struct ctf_writer *w, unsigned int type)
{
	char *text = ctf_metadata_unknown_type(type);
	int err;

	err = text ? append_metadata(w, text, 0) : -ENOMEM;
	free(text);
	if (!err)
		w->known[type] = 1;
	else if (!w->err)
		w->err = err;
	return err;
}

int ctf_writer_commit(struct ctf_writer *w, unsigned int cpu, size_t n, uint64_t lost,
		      uint64_t now)
{
	struct ctf_stream *s = &w->streams[cpu];
	struct ctf_event *ev = stream_events(s) + s->n;
	size_t i;
	int err;

	if (w->err)
		return w->err;
	if (lost) {
		/* A gap begins a packet. */
		if (s->n) {
			err = stream_flush(w, cpu);
			if (err)
				return err;
			memmove(stream_events(s), ev, n * sizeof(*ev));
			ev = stream_events(s);
		}
		err = stream_begin(w, cpu, ev[0].ts);
		if (err)
			return err;
		s->discarded += lost;
	}

	for (i = 0; i < n; i++) {
		unsigned int type = ev[i].type;

		if (__builtin_expect(!w->known[type], 0)) {
			err = learn_type(w, type);
			if (err)
				return err;
		}
	}

	if (!s->n)
		s->since = now;
	s->n += n;
	s->committed += n;
	return s->n == w->room ? stream_flush(w, cpu) : 0;
}

int ctf_writer_lost(struct ctf_writer *w, unsigned int cpu, uint64_t lost, uint64_t ts)
{
	struct ctf_stream *s = &w->streams[cpu];
	int err;

	err = stream_buffer(w, cpu);
	if (!err)
		err = stream_flush(w, cpu);
	if (!err)
		err = stream_begin(w, cpu, ts);
	if (err)
		return err;
	s->discarded += lost;
	if (ts > s->last_ts)
		s->last_ts = ts;
	return stream_write(w, cpu, 0);
}

uint64_t ctf_writer_oldest(const struct ctf_writer *w)
{
	uint64_t oldest = UINT64_MAX;
	unsigned int i;

	for (i = 0; i < w->nstreams; i++) {
		const struct ctf_stream *s = &w->streams[i];

		if (s->n && s->since < oldest)
			oldest = s->since;
		if (s->unsynced < oldest)
			oldest = s->unsynced;
	}
	return oldest;
}

static int sync_streams(struct ctf_writer *w)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < w->nstreams; i++) {
		struct ctf_stream *s = &w->streams[i];

		if (s->unsynced == UINT64_MAX)
			continue;
		s->unsynced = UINT64_MAX;
		err = sync_fd(s->fd, fdatasync);
	}
	if (!err && w->new_files) {
		w->new_files = false;
		err = sync_fd(w->dirfd, fsync);
	}
	return err;
}

int ctf_writer_flush(struct ctf_writer *w, uint64_t until)
{
	bool due = false;
	unsigned int i;
	int err = w->err;

	for (i = 0; !err && i < w->nstreams; i++) {
		struct ctf_stream *s = &w->streams[i];

		if (s->n && s->since <= until)
			err = stream_flush(w, i);
		due |= s->unsynced <= until && s->unsynced != UINT64_MAX;
	}
	if (!err && due)
		w->err = err = sync_streams(w);
	return err;
}

int ctf_writer_put(struct ctf_writer *w, unsigned int stream)
{
	return stream_flush(w, stream);
}

uint64_t ctf_writer_waiting(const struct ctf_writer *w)
{
	uint64_t ts = UINT64_MAX;
	unsigned int i;

	for (i = 0; i < w->nstreams; i++) {
		const struct ctf_stream *s = &w->streams[i];

		if (s->n && stream_events(s)->ts < ts)
			ts = stream_events(s)->ts;
	}
	return ts;
}

uint64_t ctf_writer_bytes(const struct ctf_writer *w)
{
	return w->bytes;
}

int ctf_writer_mark(struct ctf_writer *w, const struct tcpfsm_record *mark, uint64_t now)
{
	unsigned int marks = ctf_writer_marks(w);
	struct ctf_stream *s = &w->streams[marks];
	struct ctf_event *ev = stream_events(s) + s->n;

	memcpy(&ev->ts, &mark->ts, sizeof(*mark) - offsetof(struct tcpfsm_record, ts));
	ev->seq = s->committed + 1;
	return ctf_writer_commit(w, marks, 1, 0, now);
}

/* Nothing can be done where a mark of the end fails: it will not be there. */
static void write_end(struct ctf_writer *w, const struct ctf_end *end, uint64_t unwritten)
{
	unsigned int marks = ctf_writer_marks(w), i;
	struct tcpfsm_record mark = { .type = TCPFSM_TYPE_MARK };

	for (i = 0; i < w->nstreams; i++)
		if (w->streams[i].last_ts > mark.ts)
			mark.ts = w->streams[i].last_ts;
	for (i = 0; i < marks; i++) {
		const struct ctf_stream *s = &w->streams[i];

		if (s->fd < 0)
			continue;
		mark.snd = TCPFSM_MARK_STREAM;
		mark.rcv = i < w->cpus ? 0 : i - w->cpus + 1;
		mark.tw = i < w->cpus ? i : 0;
		mark.conn = s->off;
		mark.listener = s->written;
		(void)ctf_writer_mark(w, &mark, 0);
	}
	mark = (struct tcpfsm_record) {
		.type = TCPFSM_TYPE_MARK, .ts = mark.ts, .snd = TCPFSM_MARK_LEFT_OUT, .conn = end->left_out,
	};
	if (end->left_out)
		(void)ctf_writer_mark(w, &mark, 0);
	mark = (struct tcpfsm_record) {
		.type = TCPFSM_TYPE_MARK, .ts = mark.ts, .snd = TCPFSM_MARK_END, .rcv = end->how,
		.arg = end->code, .conn = unwritten, .listener = end->lost,
	};
	(void)ctf_writer_mark(w, &mark, 0);
	if (!stream_flush(w, marks))
		(void)sync_streams(w);
}

int ctf_writer_close(struct ctf_writer *w, struct ctf_end *end, uint64_t *unwritten)
{
	struct ctf_end stopped = { .how = TCPFSM_END_STOPPED };
	struct ctf_stream *marks = &w->streams[ctf_writer_marks(w)];
	unsigned int i;
	uint64_t n = 0;
	int err;

	if (!end)
		end = &stopped;
	err = ctf_writer_flush(w, UINT64_MAX);
	if (!err)
		err = sync_streams(w);
	if (err) {
		end->how = TCPFSM_END_ERROR;
		end->code = (uint8_t)-err;
	}
	for (i = 0; i < w->cpus; i++)
		n += w->streams[i].committed - w->streams[i].written;
	marks->n = 0;
	marks->committed = marks->written;
	w->err = 0;
	write_end(w, end, n);
	(void)!ftruncate(marks->fd, (off_t)marks->off);
	for (i = 0; i < w->nstreams; i++) {
		struct ctf_stream *s = &w->streams[i];

		if (s->fd >= 0 && close(s->fd) && !err)
			err = -errno;
		if (s->buf)
			munmap(s->buf, w->packet_bytes);
	}
	close(w->dirfd);
	free(w);
	if (unwritten)
		*unwritten = n;
	return err;
}
