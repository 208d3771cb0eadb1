// SPDX-License-Identifier: GPL-2.0-only
/*
 * Recordings: written as the recorder does, of any records, then damaged; and
 * read by each command, to its last byte of output.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "../../userspace/cli/cli.h"
#include "../../userspace/lib/source/ctf.h"
#include "../../userspace/lib/source/packed.h"

#define CPUS	2
#define STREAMS	(CPUS + 2)

static char base[64], dir[80], svg[80];

static void wipe(void)
{
	char path[PATH_MAX];
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.' && unlink(path))
			rmdir(path);
	}
	if (d)
		closedir(d);
	rmdir(dir);
}

static void leave(void)
{
	wipe();
	unlink(svg);
	rmdir(base);
}

static void prepare(void)
{
	const char *in = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";

	snprintf(base, sizeof(base), "%s/tcpfsm-fuzz-XXXXXX", in);
	REQUIRE(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/rec", base);
	snprintf(svg, sizeof(svg), "%s/svg", base);
	atexit(leave);
}

static void write_recording(const struct input *in)
{
	struct ctf_env env = { .epoch_offset = (int64_t)in->h.epoch_offset, .module_version = "1" };
	uint64_t seq[STREAMS] = { 0 };
	struct ctf_writer *w;
	size_t i, room;

	REQUIRE(!ctf_writer_open(&w, dir, CPUS, &env));
	for (i = 0; i < in->n; i++) {
		const struct tcpfsm_record *rec = &in->rec[i];
		struct unit_tag tag = tag_of(rec);
		unsigned int s = tag.stream % CPUS;
		struct ctf_event *ev;

		if (rec->type == TCPFSM_TYPE_SOCKET)
			s = ctf_writer_sockets(w);
		else if (rec->type == TCPFSM_TYPE_TOTAL)
			s = ctf_writer_totals(w);
		if (s >= CPUS)
			tag.lost = 0;
		ev = ctf_writer_room(w, s, &room);
		REQUIRE(ev);
		memcpy(&ev->ts, &rec->ts, UNIT - sizeof(rec->seq));
		seq[s] += tag.lost + 1;
		ev->seq = seq[s];
		REQUIRE(!ctf_writer_commit(w, s, 1, tag.lost, i));
		if (tag.op & 1)
			ctf_writer_flush(w, i);
	}
	if (in->h.seed & 1)
		ctf_writer_lost(w, 0, in->h.max, in->h.epoch_offset);
	ctf_writer_close(w, NULL, NULL);
}

/* As the recorder does with what is closed. */
static void pack(void)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	REQUIRE(fd >= 0 && !pack_streams(fd, NULL, NULL));
	close(fd);
}

static void damage(const struct patch *p)
{
	static const char *const names[] = { "metadata", "cpu_0", "cpu_1", "sockets", "totals" };
	static const char *const others[] = {
		"cpu_1", "cpu_65535", "sockets", "totals", "metadata",
	};
	char path[PATH_MAX], other[PATH_MAX], buf[4096];
	struct stat st;
	ssize_t n;
	off_t at;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, names[p->file % 5]);
	snprintf(other, sizeof(other), "%s/%s", dir, others[p->n % 5]);
	fd = open(path, O_RDWR | O_NONBLOCK);
	if (fd < 0)
		fd = open(strcat(path, PACKED_SUFFIX), O_RDWR | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		if (fd >= 0)
			close(fd);
		return;
	}
	at = (off_t)(p->offset % ((uint64_t)st.st_size + 1));
	n = 0;
	switch (p->op % 12) {
	case 1:
	case 2:		/* somewhere in the first units, where the headers are */
		at = p->offset % 256;
		/* fall through */
	case 3:
	case 4:
		n = pwrite(fd, &p->value, 1 << p->n % 4, at);
		break;
	case 5:
		n = ftruncate(fd, at);
		break;
	case 6:		/* a packet again, or the rest of one */
		n = pread(fd, buf, sizeof(buf), at & ~4095);
		if (n > 0)
			n = pwrite(fd, buf, (size_t)n, st.st_size);
		break;
	case 7:		/* something left out */
		n = pread(fd, buf, sizeof(buf), at + p->n);
		if (n > 0)
			n = pwrite(fd, buf, (size_t)n, at);
		break;
	case 8:
		n = rename(path, other);
		break;
	case 9:
		unlink(path);
		n = p->n & 1 ? mkdir(path, 0700) : mkfifo(path, 0600);
		break;
	case 10:
		unlink(path);
		n = symlink(p->n & 1 ? path : other, path);
		break;
	case 11:
		n = ftruncate(fd, st.st_size + at);
		break;
	}
	(void)n;
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char * const commands[] = {
		"trace", "conns", "ladder", "diagram", "listen", "explain", "check", "timewait", "info",
		"connect",
	};
	static struct input in;
	static struct out out;
	struct options o = { .duration = UINT64_MAX, .replay = dir, .out = &out };
	const struct entry *cmd;
	char why[256];
	size_t i;

	if (!*base)
		prepare();
	if (!input_parse(&in, data, size))
		return 0;
	write_recording(&in);
	if (in.h.seed & 2)
		pack();
	for (i = 0; i < in.h.npatches % 8 && i < 7; i++)
		damage(&in.h.patch[i]);

	cmd = command_by_name(commands[in.h.what % (sizeof(commands) / sizeof(commands[0]))]);
	o.json = in.h.flags & FLAG_JSON;
	o.raw = in.h.flags & FLAG_RAW;
	o.wide = in.h.flags & FLAG_WIDE;
	o.strict = in.h.flags & FLAG_WIDE;
	o.time_of_day = in.h.flags & FLAG_LIVES;
	o.count = in.h.flags & FLAG_SMALL ? 1 + in.h.max % 4 : 0;
	o.top = in.h.flags & FLAG_SMALL ? 1 + in.h.max % 3 : 0;
	if (in.h.flags & FLAG_WATCH)
		o.duration = in.h.max * (NSEC_PER_SEC / 64);
	o.sort = in.h.sort % 6;
	input_filter(&in, &o.filter);
	if (in.h.flags & FLAG_FILTER)
		o.given |= OPT_FILTER;
	if (in.h.flags & FLAG_EXTRA) {
		o.histogram = cmd->options & OPT_HISTOGRAM;
		if (cmd->options & OPT_SVG)
			o.svg = svg;
	}
	/* Commands close what they write to. */
	out_to_file(&out, open("/dev/null", O_WRONLY | O_CLOEXEC));
	REQUIRE(out.fd >= 0);
	cmd->command->run(&o);
	close(out.fd);
	if (in.h.seed & 2)
		tcpfsm_recording_unpack(dir, why, sizeof(why));
	wipe();
	return 0;
}
