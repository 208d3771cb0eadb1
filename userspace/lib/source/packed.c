// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <zstd.h>

#include "ctf.h"
#include "grow.h"
#include "packed.h"
#include "progress.h"
#include "tcpfsm.h"

/* Of RFC 8878: a frame that readers skip, and the size of what is in it. */
#define SKIPPABLE	0x184d2a50U
/* Level 3 saves 1 % more. */
#define LEVEL		1
/* Most frames are smaller than this; one that is not is read again. */
#define GUESS		(12U << 10)
#define FRAME_ROOM	ZSTD_COMPRESSBOUND(PACKED_FRAME)
/* The page cache is for what the recorded machine works with: what was done is dropped from it. */
#define DROP_BYTES	(4U << 20)
/* ".cpu_65535.zst" and more. */
#define NAME_ROOM	24

struct head {
	uint32_t magic, size;
	uint64_t plain, packed;
};

_Static_assert(sizeof(struct head) == PACKED_BEGIN, "a frame by itself");

struct unpacker {
	ZSTD_DCtx *zstd;
	char in[FRAME_ROOM];
};

ssize_t read_at(int fd, void *buf, size_t len, uint64_t off)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = pread(fd, (char *)buf + have, len - have, (off_t)(off + have));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

static int write_all(int fd, const void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, (const char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

/* ---- reading --------------------------------------------------------------------- */

int packed_sizes(int fd, struct packed_sizes *sizes)
{
	struct head h;
	ssize_t n = read_at(fd, &h, sizeof(h), 0);

	*sizes = (struct packed_sizes) { .plain = 0 };
	if (n < 0)
		return (int)n;
	if (n < (ssize_t)sizeof(h) || le32toh(h.magic) != SKIPPABLE || le32toh(h.size) != sizeof(h) - 8)
		return -EBADMSG;
	sizes->plain = le64toh(h.plain);
	sizes->packed = le64toh(h.packed);
	return sizes->plain > INT64_MAX || sizes->packed > INT64_MAX ? -EBADMSG : 0;
}

struct unpacker *unpacker_new(void)
{
	struct unpacker *u = malloc(sizeof(*u));

	if (u)
		u->zstd = ZSTD_createDCtx();
	if (u && !u->zstd) {
		free(u);
		u = NULL;
	}
	return u;
}

void unpacker_free(struct unpacker *u)
{
	if (u)
		ZSTD_freeDCtx(u->zstd);
	free(u);
}

ssize_t unpack_frame(struct unpacker *u, int fd, uint64_t *at, void *buf)
{
	size_t want = GUESS, len, out;
	ssize_t n;

	for (;; want = sizeof(u->in)) {
		n = read_at(fd, u->in, want, *at);
		if (n <= 0)
			return n;
		len = ZSTD_findFrameCompressedSize(u->in, (size_t)n);
		if (!ZSTD_isError(len))
			break;
		if (want == sizeof(u->in) || (size_t)n < want)
			return -EBADMSG;
	}
	/* In one piece: it needs no memory but this, whatever the frame asks for. */
	out = ZSTD_decompressDCtx(u->zstd, buf, PACKED_FRAME, u->in, len);
	/* Pieces of packets, which are as long as that. */
	if (ZSTD_isError(out) || !out || out % CTF_ALIGN)
		return -EBADMSG;
	*at += len;
	return (ssize_t)out;
}

/* ---- files --------------------------------------------------------------------------- */

/* A new one that nobody takes for a stream, in the place of one that a crash left. */
static int open_hidden(int dirfd, const char *hidden)
{
	int fd;

	unlinkat(dirfd, hidden, 0);
	fd = openat(dirfd, hidden, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static int open_stream(int dirfd, const char *name, uint64_t *size)
{
	int fd = openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EBADMSG;
	}
	*size = (uint64_t)st.st_size;
	return fd;
}

/* What err says of a file that was written becomes one that is there, or none. */
static int keep_hidden(int dirfd, int fd, const char *hidden, const char *name, int err)
{
	if (!err && fdatasync(fd) && errno != EINVAL)
		err = -errno;
	if (!err)
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (close(fd) && !err)
		err = -errno;
	if (!err && renameat(dirfd, hidden, dirfd, name))
		err = -errno;
	if (err)
		unlinkat(dirfd, hidden, 0);
	return err;
}

static int sync_dir(int dirfd)
{
	return fsync(dirfd) && errno != EINVAL ? -errno : 0;
}

struct until {
	bool (*stop)(void *arg);
	void *arg;
};

/* All of in, behind a head without sizes.  Return: 0 or a negative errno. */
static int pack_to(ZSTD_CCtx *zstd, int in, int out, struct packed_sizes *sizes, const struct until *until)
{
	char *plain = malloc(PACKED_FRAME), *packed = malloc(FRAME_ROOM);
	struct head none = { .magic = 0 };
	uint64_t dropped = 0;
	ssize_t n = 0;
	int err = plain && packed ? write_all(out, &none, sizeof(none)) : -ENOMEM;

	*sizes = (struct packed_sizes) { .packed = sizeof(none) };
	while (!err) {
		size_t len;

		n = read_at(in, plain, PACKED_FRAME, sizes->plain);
		if (n <= 0)
			break;
		if (until->stop && until->stop(until->arg)) {
			err = -ECANCELED;
			break;
		}
		len = ZSTD_compress2(zstd, packed, FRAME_ROOM, plain, (size_t)n);
		err = ZSTD_isError(len) ? -ENOMEM : write_all(out, packed, len);
		sizes->plain += (size_t)n;
		sizes->packed += len;
		if (sizes->plain - dropped >= DROP_BYTES) {
			(void)posix_fadvise(in, (off_t)dropped, (off_t)(sizes->plain - dropped), POSIX_FADV_DONTNEED);
			dropped = sizes->plain;
		}
	}
	free(plain);
	free(packed);
	return err ? err : n < 0 ? (int)n : 0;
}

/* FILE.zst beside FILE, if that is smaller. */
static int pack_stream(ZSTD_CCtx *zstd, int dirfd, const char *name, const struct until *until)
{
	char hidden[NAME_ROOM], packed[NAME_ROOM];
	struct packed_sizes sizes;
	uint64_t size;
	struct head h;
	int in, out, err;

	snprintf(hidden, sizeof(hidden), ".%s" PACKED_SUFFIX, name);
	snprintf(packed, sizeof(packed), "%s" PACKED_SUFFIX, name);
	in = open_stream(dirfd, name, &size);
	if (in < 0)
		return in;
	out = open_hidden(dirfd, hidden);
	if (out < 0) {
		close(in);
		return out;
	}
	err = pack_to(zstd, in, out, &sizes, until);
	close(in);
	if (!err && sizes.packed >= sizes.plain)
		err = -EFBIG;
	h = (struct head) {
		.magic = htole32(SKIPPABLE), .size = htole32(sizeof(h) - 8),
		.plain = htole64(sizes.plain), .packed = htole64(sizes.packed),
	};
	if (!err && pwrite(out, &h, sizeof(h), 0) != (ssize_t)sizeof(h))
		err = -EIO;
	err = keep_hidden(dirfd, out, hidden, packed, err);
	return err == -EFBIG ? 0 : err;
}

/* "cpu_0", "sockets", "totals"; the marks tell who reads that it has ended, and are short. */
static bool is_stream(const char *name)
{
	size_t len = strlen(name);

	return !strcmp(name, CTF_SOCKETS) || !strcmp(name, CTF_TOTALS) ||
	       (!strncmp(name, "cpu_", 4) && len > 4 && len <= 9 && strspn(name + 4, "0123456789") == len - 4);
}

/* The streams of a directory. */
struct names {
	char (*name)[NAME_ROOM];
	size_t n;
};

static int add_name(struct names *l, size_t *room, const char *name)
{
	void *names = grown(l->name, room, l->n, sizeof(*l->name));

	if (!names)
		return -ENOMEM;
	l->name = names;
	strcpy(l->name[l->n++], name);
	return 0;
}

/* Those whose files have this behind their name. */
static int list_streams(int dirfd, const char *suffix, struct names *l)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	size_t room = 0, end = strlen(suffix);
	struct dirent *e;

	*l = (struct names) { .n = 0 };
	if (!d) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		return err;
	}
	while (!err && (e = readdir(d))) {
		size_t len = strlen(e->d_name);

		if (len < end || strcmp(e->d_name + len - end, suffix))
			continue;
		e->d_name[len - end] = '\0';
		if (is_stream(e->d_name))
			err = add_name(l, &room, e->d_name);
	}
	closedir(d);
	return err;
}

static void unlink_packed(int dirfd, const char *name)
{
	char packed[NAME_ROOM];

	snprintf(packed, sizeof(packed), "%s" PACKED_SUFFIX, name);
	unlinkat(dirfd, packed, 0);
}

static bool has_packed(int dirfd, const char *name)
{
	char packed[NAME_ROOM];

	snprintf(packed, sizeof(packed), "%s" PACKED_SUFFIX, name);
	return !faccessat(dirfd, packed, F_OK, 0);
}

int pack_streams(int dirfd, bool (*stop)(void *arg), void *arg)
{
	const struct until until = { stop, arg };
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	struct names l;
	size_t i;
	int err;

	if (!zstd)
		return -ENOMEM;
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
	err = list_streams(dirfd, "", &l);
	for (i = 0; !err && i < l.n; i++)
		err = pack_stream(zstd, dirfd, l.name[i], &until);
	ZSTD_freeCCtx(zstd);
	/* Those that have come are there after a crash before the others go. */
	if (!err)
		err = sync_dir(dirfd);
	for (i = 0; i < l.n; i++) {
		if (err)
			unlink_packed(dirfd, l.name[i]);
		else if (has_packed(dirfd, l.name[i]))
			unlinkat(dirfd, l.name[i], 0);
	}
	free(l.name);
	return err;
}

/* ---- plain again ------------------------------------------------------------------------ */

/* What is said of a file or of all of it. */
struct unpacking {
	struct unpacker *u;
	char *why;
	size_t size;
	const char *chunk;
};

static int complain_of(const struct unpacking *p, const char *name, const char *what)
{
	if (!*p->why)
		snprintf(p->why, p->size, "%s%s%s%s: %s", p->chunk, *p->chunk ? "/" : "", name, PACKED_SUFFIX, what);
	return -EBADMSG;
}

/* Only packets, one behind the other, can be in a stream: whoever made it, no disk is filled with zeros. */
static bool has_packets(const char *buf, size_t n, uint64_t off, uint64_t *next)
{
	struct ctf_packet p;

	while (*next < off + n) {
		memcpy(&p, buf + (*next - off), sizeof(p));
		if (p.magic != CTF_MAGIC || p.packet_size / 8 > CTF_PACKET_BYTES_MAX || p.packet_size / 8 % CTF_ALIGN ||
		    !p.packet_size)
			return false;
		*next += p.packet_size / 8;
	}
	return true;
}

static int unpack_to(const struct unpacking *p, const char *name, int in, int out, const struct packed_sizes *sizes)
{
	uint64_t at = PACKED_BEGIN, off = 0, next = 0, size = sizes->plain;
	char *buf = malloc(PACKED_FRAME);
	int err = buf ? 0 : -ENOMEM;

	while (!err && off < size) {
		ssize_t n = unpack_frame(p->u, in, &at, buf);

		if (!n || n == -EBADMSG || (n > 0 && (uint64_t)n > size - off))
			err = complain_of(p, name, PACKED_DAMAGED);
		else if (n < 0)
			err = (int)n;
		else if (!has_packets(buf, (size_t)n, off, &next))
			err = complain_of(p, name, "what is compressed is no stream of a recording");
		else
			err = write_all(out, buf, (size_t)n);
		off += n > 0 ? (size_t)n : 0;
	}
	free(buf);
	if (!err && (at != sizes->packed || next != size))
		err = complain_of(p, name, PACKED_DAMAGED);
	return err;
}

/* FILE beside FILE.zst, if it is not there yet. */
static int unpack_stream(const struct unpacking *p, int dirfd, const char *name)
{
	char hidden[NAME_ROOM], packed[NAME_ROOM];
	struct packed_sizes sizes;
	struct statvfs fs;
	uint64_t size;
	int in, out, err;

	if (!faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW))
		return 0;
	snprintf(hidden, sizeof(hidden), ".%s", name);
	snprintf(packed, sizeof(packed), "%s" PACKED_SUFFIX, name);
	in = open_stream(dirfd, packed, &size);
	if (in < 0)
		return in == -EBADMSG || in == -ELOOP ? complain_of(p, name, "not a regular file") : in;
	err = packed_sizes(in, &sizes);
	if (err == -EBADMSG)
		complain_of(p, name, PACKED_FOREIGN);
	if (!err && !fstatvfs(dirfd, &fs) && sizes.plain / fs.f_frsize >= fs.f_bavail)
		err = -ENOSPC;
	out = err ? err : open_hidden(dirfd, hidden);
	if (out < 0) {
		close(in);
		return out;
	}
	err = unpack_to(p, name, in, out, &sizes);
	close(in);
	return keep_hidden(dirfd, out, hidden, name, err);
}

/* All that can be; what is wrong with the first that cannot is told. */
static int unpack_streams(const struct unpacking *p, int dirfd)
{
	struct names l;
	int first = list_streams(dirfd, PACKED_SUFFIX, &l), err;
	size_t i;

	for (i = 0; i < l.n; i++) {
		err = unpack_stream(p, dirfd, l.name[i]);
		if (!err)
			err = sync_dir(dirfd);
		if (!err)
			unlink_packed(dirfd, l.name[i]);
		first = first ? first : err;
	}
	free(l.name);
	return first;
}

static int unpack_chunk(struct unpacking *p, int dirfd, const char *chunk)
{
	int fd = openat(dirfd, *chunk ? chunk : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	p->chunk = chunk;
	err = unpack_streams(p, fd);
	close(fd);
	return err;
}

static int unpack_all(struct unpacking *p, int dirfd)
{
	int err = unpack_chunk(p, dirfd, ""), fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return err ? err : -ENOMEM;
	}
	while ((e = readdir(d))) {
		int rc = 0;

		if (strspn(e->d_name, "0123456789") == strlen(e->d_name))
			rc = unpack_chunk(p, dirfd, e->d_name);
		err = err ? err : rc;
	}
	closedir(d);
	return err;
}

int tcpfsm_recording_unpack(const char *dir, char *why, size_t size)
{
	struct unpacking p = { .why = why, .size = size, .chunk = "" };
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;
	struct progress progress;

	*why = '\0';
	if (dirfd < 0)
		return -errno;
	p.u = unpacker_new();
	err = p.u ? 0 : -ENOMEM;
	/* It would not know how large its chunks are. */
	if (!err && progress_read(dirfd, &progress)) {
		snprintf(why, size, "it is still being written");
		err = -EBUSY;
	}
	if (!err)
		err = unpack_all(&p, dirfd);
	unpacker_free(p.u);
	close(dirfd);
	return err;
}
