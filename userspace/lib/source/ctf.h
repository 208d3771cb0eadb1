/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * A recording: a directory with a CTF 1.8 trace, "metadata", one file "cpu_N"
 * for each CPU that had something to tell, "sockets", a stream of SOCKET records
 * and nothing else, if a snapshot was taken, "totals", of TOTAL records, and
 * "marks", of MARK records: clocks, names (named.h), and the last ones tell how much there is
 * of each other stream, and how the recording ended.  Without these it was not ended.
 *
 * A stream file is made of units of 128 bytes: each packet is one unit of
 * header and context, then one for each record.  An event is the record with
 * its seq moved from the front to the end: what comes first in an event has to
 * be its CTF header, and that is only allowed to hold the time and the id.
 *
 * Inside a packet seq runs without a gap; a gap always begins a new packet,
 * whose events_discarded has grown by as much.
 */
#ifndef TCPFSM_LIB_CTF_H
#define TCPFSM_LIB_CTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uapi/tcpfsm.h"

#pragma GCC visibility push(hidden)

#define CTF_MAGIC		0xc1fc1fc1U
#define CTF_UNIT		128U
/* Packets are padded to this: what O_DIRECT asks for. */
#define CTF_ALIGN		4096U
#define CTF_PACKET_BYTES_MAX	(256U << 10)
#define CTF_PACKET_RECORDS_MAX	(CTF_PACKET_BYTES_MAX / CTF_UNIT - 1)
#define CTF_CPUS_MAX		65536U
#define CTF_SOCKETS		"sockets"
#define CTF_TOTALS		"totals"
#define CTF_MARKS		"marks"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define CTF_BYTE_ORDER		"le"
#else
#define CTF_BYTE_ORDER		"be"
#endif

/* The context is aligned to 64 bytes, the first event to 128. */
struct ctf_packet {
	uint32_t magic;
	uint8_t uuid[16];
	uint32_t stream_id;
	uint8_t pad[40];
	uint64_t cpu_id;
	uint64_t timestamp_begin;
	uint64_t timestamp_end;
	uint64_t content_size;		/* bits, as CTF counts */
	uint64_t packet_size;
	uint64_t packet_seq_num;
	uint64_t events_discarded;	/* so far, in this stream */
	uint8_t content[8];		/* an empty packet's content ends before this */
};

struct ctf_event {
	uint64_t ts;
	uint8_t type;
	uint8_t rest[sizeof(struct tcpfsm_record) - 17];
	uint64_t seq;
};

_Static_assert(sizeof(struct ctf_packet) == CTF_UNIT, "a packet header is one unit");
_Static_assert(sizeof(struct ctf_event) == CTF_UNIT, "an event is one unit");
_Static_assert(sizeof(struct tcpfsm_record) == CTF_UNIT, "an event is a record");
_Static_assert(offsetof(struct tcpfsm_record, ts) == 8 &&
	       offsetof(struct tcpfsm_record, type) == 16, "and begins like one");

/* The size of the content of a packet of n events of so many bytes, in bits. */
static inline uint64_t ctf_content_bits(size_t n, size_t unit)
{
	return 8 * (n ? CTF_UNIT + n * unit : offsetof(struct ctf_packet, content));
}

/* The same packet in the file, in bytes. */
static inline size_t ctf_packet_bytes(size_t n, size_t unit)
{
	return (CTF_UNIT + n * unit + CTF_ALIGN - 1) & ~(size_t)(CTF_ALIGN - 1);
}

/* What the metadata tells about the recording beyond the format. */
struct ctf_env {
	uint8_t uuid[16];
	int64_t epoch_offset;
	const char *module_version;	/* or NULL */
	int32_t error[TCPFSM_FEATURE_SLOTS];	/* of features that were off; 0: on, or not known */
	char filter[1024];		/* what does not pass it was left out; "": nothing was */
	/* Of a recording that is read: */
	bool marks;			/* its recorder wrote marks */
	unsigned int abi;
	struct ctf_layout *layout;	/* of an older ABI; to be freed.  NULL: that of above */
};

/* The text of the metadata; to be freed.  NULL: no memory. */
char *ctf_metadata_text(const struct ctf_env *env);
/* One more event class, for a record type younger than this library. */
char *ctf_metadata_unknown_type(unsigned int type);
/* Reads a metadata text back.  0; -EBADMSG, -EPROTO or -ENOMEM and *why. */
int ctf_metadata_parse(const char *text, struct ctf_env *env, const char **why);

/* ---- older ABIs -------------------------------------------------------------- */

/*
 * Where an older ABI had what: its events may be of 64 bytes, with fewer fields or in another
 * order.  The time and the type are the first, as above; packets are the same, with the first
 * event after CTF_UNIT bytes.
 */
struct ctf_layout;

/* 0; -EBADMSG or -ENOMEM and *why. */
int ctf_layout_parse(const char *text, struct ctf_layout **layout, const char **why);
/* Bytes from one event to the next: 64 or 128. */
size_t ctf_layout_unit(const struct ctf_layout *l);
/* The same event today; what it does not tell is 0, or what says that it is not known. */
void ctf_layout_event(const struct ctf_layout *l, const void *old, struct ctf_event *ev);

/* ---- writer ---------------------------------------------------------------- */

struct ctf_writer;

/*
 * For one recording or for its chunks.  Return: it, open, and whether it was made; -EEXIST: it is
 * there and not empty; another negative errno.
 */
int ctf_make_dir(const char *dir, bool *made);

int ctf_writer_open(struct ctf_writer **w, const char *dir, unsigned int cpus,
		    const struct ctf_env *env);

/* The streams of the snapshot, of the totals and of marks: in the place of a CPU below. */
unsigned int ctf_writer_sockets(const struct ctf_writer *w);
unsigned int ctf_writer_totals(const struct ctf_writer *w);
unsigned int ctf_writer_marks(const struct ctf_writer *w);

/*
 * Where the next events of a CPU go and how many there is room for, at least
 * one; NULL: no memory.
 */
struct ctf_event *ctf_writer_room(struct ctf_writer *w, unsigned int cpu, size_t *room);

/*
 * n records are there now, and lost ones are missing before the first.  now:
 * any clock, for ctf_writer_flush().  0 or a negative errno, which stays.
 */
int ctf_writer_commit(struct ctf_writer *w, unsigned int cpu, size_t n, uint64_t lost,
		      uint64_t now);

/* A mark; its seq is filled in.  now: as above; 0: ctf_writer_flush() writes it at once. */
int ctf_writer_mark(struct ctf_writer *w, const struct tcpfsm_record *mark, uint64_t now);

/* Records were lost at the end of a CPU's stream, at time ts. */
int ctf_writer_lost(struct ctf_writer *w, unsigned int cpu, uint64_t lost, uint64_t ts);

/* When was the oldest record committed that is not on the disk yet?  UINT64_MAX: none. */
uint64_t ctf_writer_oldest(const struct ctf_writer *w);
/*
 * Writes the packets that hold a record committed at or before that time, and waits until
 * they are on the disk.
 */
int ctf_writer_flush(struct ctf_writer *w, uint64_t until);
/* Writes what one stream has, and does not wait. */
int ctf_writer_put(struct ctf_writer *w, unsigned int stream);
/* The time of the oldest record that no file has yet; UINT64_MAX: none. */
uint64_t ctf_writer_waiting(const struct ctf_writer *w);
uint64_t ctf_writer_bytes(const struct ctf_writer *w);

struct ctf_end {
	uint32_t how;			/* enum tcpfsm_end */
	uint8_t code;			/* errno or signal */
	uint64_t lost;			/* records, by the recorder's count */
	uint64_t left_out;		/* likewise, by its filter */
};

/*
 * Writes what is left, and how it ended; @end->code of the errors that closing shows is set.
 * Return: 0 or the first error there was; *unwritten: records that were committed in vain.
 */
int ctf_writer_close(struct ctf_writer *w, struct ctf_end *end, uint64_t *unwritten);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_CTF_H */
