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
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctf.h"

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
	int fd;
};

struct ctf_writer {
	int dirfd;
	int err;			/* the first error; nothing is written after it */
	bool made_dir;
	uint8_t uuid[16];
	uint8_t known[256];		/* types that the metadata describes */
	uint64_t bytes;
	size_t packet_bytes;
	size_t room;			/* records in a packet */
	unsigned int cpus;
	unsigned int nstreams;		/* the last two are the snapshot's and the totals' */
	struct ctf_stream streams[];
};

static struct ctf_event *stream_events(struct ctf_stream *s)
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

static int append_metadata(struct ctf_writer *w, const char *text, int flags)
{
	size_t len = strlen(text), done = 0;
	ssize_t n;
	int fd, err = 0;

	fd = openat(w->dirfd, "metadata", O_WRONLY | O_APPEND | O_CLOEXEC | flags, 0644);
	if (fd < 0)
		return -errno;
	while (!err && done < len) {
		n = write(fd, text + done, len - done);
		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			err = -errno;
	}
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

int ctf_writer_open(struct ctf_writer **out, const char *dir, unsigned int cpus,
		    const struct ctf_env *env)
{
	struct ctf_writer *w;
	char *text = NULL;
	unsigned int i;
	int err;

	*out = NULL;
	w = calloc(1, sizeof(*w) + (cpus + 2) * sizeof(w->streams[0]));
	if (!w)
		return -ENOMEM;
	w->cpus = cpus;
	w->nstreams = cpus + 2;
	w->packet_bytes = cpus > CPUS_WITH_BIG_PACKETS ? CTF_PACKET_BYTES_MAX / 4 :
							 CTF_PACKET_BYTES_MAX;
	w->room = w->packet_bytes / CTF_UNIT - 1;
	memcpy(w->uuid, env->uuid, sizeof(w->uuid));
	for (i = 0; i < w->nstreams; i++)
		w->streams[i].fd = -1;
#define KNOWN(s, n, name, text)	w->known[n] = 1;
	TCPFSM_TYPES(KNOWN)
#undef KNOWN

	w->made_dir = !mkdir(dir, 0755);
	err = w->made_dir || errno == EEXIST ? 0 : -errno;
	if (err)
		goto free;
	w->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->dirfd < 0) {
		err = -errno;
		goto rmdir;
	}
	err = dir_is_empty(w->dirfd);
	if (err <= 0) {
		err = err ? err : -EEXIST;
		goto close;
	}

	text = ctf_metadata_text(env);
	err = text ? append_metadata(w, text, O_CREAT | O_EXCL) : -ENOMEM;
	free(text);
	if (err) {
		unlinkat(w->dirfd, "metadata", 0);
		goto close;
	}
	*out = w;
	return 0;

close:
	close(w->dirfd);
rmdir:
	if (w->made_dir)
		rmdir(dir);
free:
	free(w);
	return err;
}

static int stream_open(struct ctf_writer *w, unsigned int cpu)
{
	struct ctf_stream *s = &w->streams[cpu];
	char name[32];

	if (s->fd >= 0)
		return 0;
	if (cpu >= w->cpus)
		strcpy(name, cpu == ctf_writer_totals(w) ? CTF_TOTALS : CTF_SOCKETS);
	else
		snprintf(name, sizeof(name), "cpu_%u", cpu);
	s->fd = openat(w->dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (s->fd < 0)
		return -errno;
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

/* Writes the first n records as one packet. */
static int stream_write(struct ctf_writer *w, unsigned int cpu, size_t n)
{
	struct ctf_stream *s = &w->streams[cpu];
	const struct ctf_event *ev = stream_events(s);
	struct ctf_packet *p = s->buf;
	size_t len = ctf_packet_bytes(n), pad, done;
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
	p->content_size = ctf_content_bits(n);
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
	w->bytes += len;
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

	for (i = 0; i < w->nstreams; i++)
		if (w->streams[i].n && w->streams[i].since < oldest)
			oldest = w->streams[i].since;
	return oldest;
}

int ctf_writer_flush(struct ctf_writer *w, uint64_t until)
{
	unsigned int i;
	int err = w->err;

	for (i = 0; !err && i < w->nstreams; i++)
		if (w->streams[i].n && w->streams[i].since <= until)
			err = stream_flush(w, i);
	return err;
}

uint64_t ctf_writer_bytes(const struct ctf_writer *w)
{
	return w->bytes;
}

int ctf_writer_close(struct ctf_writer *w)
{
	unsigned int i;
	int err;

	err = ctf_writer_flush(w, UINT64_MAX);
	for (i = 0; i < w->nstreams; i++) {
		struct ctf_stream *s = &w->streams[i];

		if (s->fd >= 0 && close(s->fd) && !err)
			err = -errno;
		if (s->buf)
			munmap(s->buf, w->packet_bytes);
	}
	close(w->dirfd);
	free(w);
	return err;
}
