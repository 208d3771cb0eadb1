/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * libtcpfsm - read the records of the tcpfsm module, live or from a recording,
 * merged by time, and make of them the story RFC 9293 tells.
 *
 *   source  ->  model  ->  filter  ->  whatever the program does with an event
 *
 * struct tcpfsm_follow runs the first two, and what has to be done by the clock meanwhile.
 *
 * Functions return 0 or a positive count on success and a negative errno on
 * failure.  No function prints.  Objects are not thread safe; different
 * objects may be used in different threads.
 *
 * What stays as it is for as long as the library is libtcpfsm.so.1:
 *
 * - Structs that begin with their size may grow at their end: struct tcpfsm_filter, struct tcpfsm_consumers, those
 *   named ..._options, and struct tcpfsm_info of the UAPI header.  Set it to sizeof, and all
 *   members that you do not use to 0.  The library takes from a shorter struct what is there.
 *   It takes a longer one, of a program newer than itself, if what it does not know is 0; else
 *   the function fails with -E2BIG.  No size is -EINVAL.  Options may be NULL: all defaults.
 *   Of struct tcpfsm_info it fills in no more than the caller's size, and sets size to that.
 * - Structs that only the library makes, and that a program reads where they are, may grow at
 *   their end, too: do not copy or array them, do not count on their sizeof.  They are
 *   struct tcpfsm_ladder, tcpfsm_listener, tcpfsm_check, tcpfsm_timewait, tcpfsm_notice,
 *   tcpfsm_what_if and tcpfsm_move.
 * - All other structs are frozen, and so are the lengths of all arrays (TCPFSM_TOTAL_NUM...).
 * - Enums and the lists behind them may get more values: expect some that you do not know.
 */
#ifndef TCPFSM_H
#define TCPFSM_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "uapi/tcpfsm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- source: a device or a recording, one stream of raw records --------- */

/* An item of the merged stream: a record, or a gap in one CPU's stream. */
struct tcpfsm_item {
	struct tcpfsm_record rec;	/* rec.ts: CLOCK_MONOTONIC; unset in a gap */
	uint32_t cpu;
	uint64_t lost;			/* > 0: a gap of so many records on this cpu, */
	uint64_t from_ts;		/* after this time (0: not known) */
	uint64_t to_ts;			/* and before this one */
};

struct tcpfsm_source_options {
	size_t size;			/* sizeof(struct tcpfsm_source_options) */
	bool follow_new;		/* device: skip what the flight recorder holds */
	/*
	 * Device: first of all come the sockets that are there, of whatever
	 * network namespace is found, as records of type SOCKET and cpu 0.  They
	 * do not count as delivered.  The stream has no hole after them: what
	 * happened before a SOCKET record's ts may follow it all the same.
	 */
	bool snapshot;
	uint32_t netns;			/* snapshot: only of this one (inode); 0: all */
};

struct tcpfsm_source;

/**
 * tcpfsm_source_open_device() - attach to the module
 * @path: device node, NULL for TCPFSM_DEVICE
 * @info: filled in when not NULL, also on -EPROTO (ABI mismatch); its size is the caller's
 *
 * Return: 0; -ENOENT, -ENXIO or -ENODEV: module not loaded; -EACCES or -EPERM;
 * -EPROTO: ABI mismatch; another negative errno.
 */
int tcpfsm_source_open_device(struct tcpfsm_source **src, const char *path,
			      const struct tcpfsm_source_options *opts,
			      struct tcpfsm_info *info);

/**
 * tcpfsm_source_open_recording() - open what "tcpfsm record" wrote
 * @why: set to a static sentence on failure
 *
 * Return: 0, also if it is of an older ABI, see tcpfsm_source_abi(); -ENOENT; -EBADMSG: not
 * ours, damaged or truncated; -EPROTO: of a younger ABI version; another negative errno.
 */
int tcpfsm_source_open_recording(struct tcpfsm_source **src, const char *dir,
				 const char **why);

/*
 * Recordings of two hosts as one (struct tcpfsm_follow_options): time is that of the first, and which host it is
 * stands in the high bits of cookies and CPUs, 1 or 2 (0: there is only one). Inodes of the second one's
 * network namespaces lack a bit that all of them have.
 */
#define TCPFSM_HOST_CONN_SHIFT	62
#define TCPFSM_HOST_CPU_SHIFT	16
#define TCPFSM_HOST_NETNS_BIT	(1U << 31)

#define TCPFSM_HOST_OF_CONN(conn)	((unsigned int)((conn) >> TCPFSM_HOST_CONN_SHIFT))
#define TCPFSM_HOST_OF_CPU(cpu)		((unsigned int)((cpu) >> TCPFSM_HOST_CPU_SHIFT))
/* As they are on their host. */
#define TCPFSM_BARE_CONN(conn)		((conn) & ~((uint64_t)3 << TCPFSM_HOST_CONN_SHIFT))
#define TCPFSM_BARE_NETNS(host, netns) \
	((host) == 2 && (netns) ? (netns) | TCPFSM_HOST_NETNS_BIT : (netns))

/* How two recordings fit together. */
struct tcpfsm_join {
	size_t size;			/* sizeof(struct tcpfsm_join); then what the library knows of it */
	uint64_t joined;		/* connections of which both ends are there */
	uint64_t by_seq;		/* of these, by sequence numbers alone: there is NAT between them */
	uint64_t ambiguous;		/* that fit several of the other host's */
	uint64_t unseen[2];		/* opened by the first and by the second host, to a port that the other one serves, and of */
					/* which that has no SYN */
	uint64_t untold;		/* SYNs beyond those that can be kept */
	uint64_t samples;		/* handshakes that tell of the clocks; 0: they are taken to be the same */
	int64_t clock_ns;		/* the second host's clock minus the first one's, at the beginning */
	uint64_t spread_ns;		/* and how far that may be off */
	bool drifts;			/* their clocks ran apart meanwhile: spread_ns has that */
	uint64_t refused[2];		/* opened by the first and by the second host, and each SYN that came was refused */
	uint64_t hidden[2];		/* SYNs that may have come to each: records lost, and refused SYNs left out */
};

/**
 * tcpfsm_source_next() - the next item of the merged stream
 *
 * A live source gives an item only when no earlier one of another CPU can
 * still come.  The SOCKET records of a snapshot come before all others, those of a
 * resync when it is asked for.
 *
 * Return: 1 and *item (valid until the next call); 0: nothing now (live) or
 * the end (recording); -EBADMSG: a file of the recording is damaged, and what
 * can be read of it and of the others has been delivered; see
 * tcpfsm_source_error().
 */
int tcpfsm_source_next(struct tcpfsm_source *src, const struct tcpfsm_item **item);
/* The same for as many as lie one after the other in memory: *n of them, at least 1. */
int tcpfsm_source_batch(struct tcpfsm_source *src, const struct tcpfsm_item **items, size_t *n);

/**
 * tcpfsm_source_wait() - sleep until there may be items
 * @timeout_ms: -1: for ever
 *
 * Return: 1: try tcpfsm_source_next(); 0: time is up; -EINTR; another negative
 * errno. A recording returns 1 at once.
 */
int tcpfsm_source_wait(struct tcpfsm_source *src, int timeout_ms);

/* tcpfsm_source_wait() also ends, as if there were items, when this can be read; -1: none. */
void tcpfsm_source_watch(struct tcpfsm_source *src, int fd);

/**
 * tcpfsm_source_totals() - read the totals of all listeners and network namespaces
 *
 * They come as the next items of the stream: records of type TOTAL and cpu 0,
 * all with one ts.  They do not count as delivered.  A recording has its own, at
 * their time in the stream: then nothing happens.
 *
 * Return: 0; -ENOMEM; -EOVERFLOW: more listeners than the module tells of at a
 * time; another negative errno.
 */
int tcpfsm_source_totals(struct tcpfsm_source *src);

/*
 * In the stream, a SOCKET record without conn is a mark: of these, by its member snd.  Its
 * netns is the only one that was looked at (0: all); arg of END is why sockets are missing,
 * an errno as tcpfsm_source_snapshot() has it, or 0.
 */
enum tcpfsm_resync { TCPFSM_RESYNC_BEGIN = 1, TCPFSM_RESYNC_END = 2 };

/**
 * tcpfsm_source_resync() - read the sockets that are there again, as after a loss
 *
 * They come as the next items of the stream, as in a snapshot (see
 * struct tcpfsm_source_options), between the marks BEGIN and END and without
 * others among them.  All of them were there at some time after BEGIN's ts; what
 * happened before a SOCKET record's ts may still follow it, but nothing that was
 * lost according to gaps told so far.  So what is not among them and was known at
 * BEGIN is gone (unless END has an error), and records that follow about what has
 * come or gone already say nothing new.
 *
 * A recording has what its recorder read, at its time in the stream: then nothing
 * happens.
 *
 * Return: 0; -EBUSY: a snapshot is still under way; -ENOMEM.
 */
int tcpfsm_source_resync(struct tcpfsm_source *src);

/*
 * A MARK record tells, by its member snd,
 * CLOCK: conn is what tcpfsm_source_epoch_offset() is from now on: somebody set the clock, or the machine slept;
 * STREAM: in a recording, one stream's size: conn bytes, listener records, of CPU tw (rcv 0), of
 *	   the sockets (1) or of the totals (2);
 * LEFT_OUT: in a recording, conn: how many records did not pass its filter;
 * END: in a recording, how it ended: rcv is an enum tcpfsm_end, arg its errno or signal, conn the
 *	records that were not written, listener those that were lost;
 * NAME: in a recording, a name, or a part of it: of network namespace conn, as "ip netns" has it (rcv 1) or the
 *	container or unit in it (2), or the cgroup of process conn (3).  Of its tw_max bytes those from tw on, at
 *	most 48, are in comm, laddr and raddr, in that order.
 * Only CLOCK is given away as an item.
 */
enum tcpfsm_mark {
	TCPFSM_MARK_CLOCK = 1, TCPFSM_MARK_STREAM = 2, TCPFSM_MARK_END = 3, TCPFSM_MARK_LEFT_OUT = 4,
	TCPFSM_MARK_NAME = 5,
};

enum tcpfsm_end {
	TCPFSM_END_UNKNOWN,		/* live, or its recorder was of a version that did not tell */
	TCPFSM_END_NONE,		/* not ended: killed, the machine went down, or still written */
	TCPFSM_END_STOPPED,		/* as it was asked to */
	TCPFSM_END_SIGNAL,		/* by a signal, Ctrl-C too */
	TCPFSM_END_ERROR,		/* disk full, device gone, ... */
	TCPFSM_END_CHUNK,		/* another chunk follows */
};

/* How a recording ended; *code: the signal or the errno, when not NULL. */
enum tcpfsm_end tcpfsm_source_end(const struct tcpfsm_source *src, unsigned int *code);
/**
 * tcpfsm_source_missing() - what is known not to be in a recording
 *
 * Best asked when the last item has been read: then it also tells what the end lacks, and from when on.
 * Records that were lost when it was made are counted by tcpfsm_source_counts().
 *
 * Return: part of a sentence, without the name of the recording; "": nothing (or live).
 */
const char *tcpfsm_source_missing(struct tcpfsm_source *src);

/*
 * The filter that a recording was made with: what does not pass it was left out; "": nothing was.
 * *left_out, when not NULL: so many records, if the recording was ended.
 */
const char *tcpfsm_source_filter(const struct tcpfsm_source *src, uint64_t *left_out);

/*
 * The ABI of its records: TCPFSM_ABI_VERSION, or that of an older recording.  What did not exist
 * then is 0 in its records, as if it were not known.
 */
unsigned int tcpfsm_source_abi(const struct tcpfsm_source *src);

/* Epoch minus CLOCK_MONOTONIC of the machine recorded, in nanoseconds. */
int64_t tcpfsm_source_epoch_offset(const struct tcpfsm_source *src);
/* What a CPU's ring holds now. */
struct tcpfsm_reach {
	uint64_t held;			/* records; 0: it is empty */
	uint64_t age_ns;		/* of the oldest of them */
	uint64_t overwritten;		/* older ones that are gone */
};

/**
 * tcpfsm_source_reach() - how far back a ring reaches
 *
 * Return: 0; -ENXIO: this CPU has no ring, since it has not been online yet;
 * -ENODEV: a recording has none.
 */
int tcpfsm_source_reach(const struct tcpfsm_source *src, uint32_t cpu,
			struct tcpfsm_reach *reach);
/**
 * tcpfsm_source_complete_since() - from when on a live source has all records
 *
 * Return: CLOCK_MONOTONIC; 1: since the module counts, as none was overwritten; 0: not known, as the
 * module keeps none without a reader, or it is a recording.
 */
uint64_t tcpfsm_source_complete_since(const struct tcpfsm_source *src);
/* Records delivered and lost so far by this source. */
void tcpfsm_source_counts(const struct tcpfsm_source *src, uint64_t *delivered,
			  uint64_t *lost);
/**
 * tcpfsm_source_snapshot() - of the snapshot, once other items or nothing come
 * @sockets: set to the number of SOCKET records delivered, when not NULL
 *
 * Return: 0; or why sockets are missing: -ENOENT or -EPROTONOSUPPORT: the kernel has no
 * tcp_diag; -EPERM or -EACCES: there are other network namespaces, closed to
 * this process; another negative errno.
 */
int tcpfsm_source_snapshot(const struct tcpfsm_source *src, uint64_t *sockets);
/* After -EBADMSG: what is wrong and where, "cpu_0: truncated packet at byte 4096"; else "". */
const char *tcpfsm_source_error(const struct tcpfsm_source *src);
void tcpfsm_source_close(struct tcpfsm_source *src);

/* ---- recording ----------------------------------------------------------- */

struct tcpfsm_recorder;

/*
 * With a limit of what is kept the recording is in chunks, a directory for each below that of the
 * recording: "000001", "000002", ...  Each is a recording by itself and begins with the sockets and the totals
 * that there are; tcpfsm_source_open_recording() reads all of them as one.  When there are more than
 * the limit allows, the oldest is removed.  Where both limits are set, each is kept to.
 */
struct tcpfsm_recorder_options {
	size_t size;			/* sizeof(struct tcpfsm_recorder_options) */
	bool follow_new, snapshot;	/* as in struct tcpfsm_source_options */
	uint32_t netns;
	uint64_t keep_bytes;		/* of all chunks; 0: no limit */
	uint64_t keep_ns;		/* so far back at least; 0: no limit */
	/*
	 * Only records that it returns true for; what is lost counts, whatever it was.  NULL: all.
	 * Such as tcpfsm_filter_record().
	 */
	bool (*keeps)(const struct tcpfsm_record *r, void *arg);
	void *keeps_arg;
	const char *filter;		/* the same in words, for who reads the recording; NULL: none */
	bool held;			/* nothing is written until tcpfsm_recorder_resume() */
	bool compress;			/* chunks that are closed, by a thread that runs when nothing else does */
	bool compress_end;		/* all that is not yet, when it is closed: that may take long */
};

/**
 * tcpfsm_recorder_open() - record a device into a new directory, as CTF 1.8
 *
 * A snapshot of the sockets (see opts) and the totals are taken and written at
 * once, and the totals again when it is closed.  After a loss it has the sockets
 * again (see tcpfsm_source_resync()), where opts ask for them.  Totals that cannot be
 * read are left out, and read again when they are due.
 *
 * Return: 0; -EEXIST: the directory exists and is not empty; errors of
 * tcpfsm_source_open_device(); another negative errno.
 */
int tcpfsm_recorder_open(struct tcpfsm_recorder **rec, const char *path,
			 const char *dir, const struct tcpfsm_recorder_options *opts,
			 struct tcpfsm_info *info);
/* Closes this chunk and begins another one.  Return: 0; -EINVAL: there are no chunks; another negative errno. */
int tcpfsm_recorder_next_chunk(struct tcpfsm_recorder *rec);
/**
 * tcpfsm_recorder_resume() - write again, from what the rings hold of the past on
 *
 * In a chunk of its own, with sockets and totals, and with totals that tcpfsm_recorder_drain() read
 * before.  What was overwritten meanwhile is not counted as lost, but who reads all chunks as one is told.
 *
 * Return: 0, also when it is not held; a negative errno.
 */
int tcpfsm_recorder_resume(struct tcpfsm_recorder *rec);
/* Closes the chunk and writes nothing more for now.  Return: 0; -EINVAL: there are no chunks; another negative errno. */
int tcpfsm_recorder_hold(struct tcpfsm_recorder *rec);
/* Write what the rings hold now.  Return: records written, or a negative errno (-ENOSPC...). */
int tcpfsm_recorder_drain(struct tcpfsm_recorder *rec);
int tcpfsm_recorder_wait(struct tcpfsm_recorder *rec, int timeout_ms);
void tcpfsm_recorder_counts(const struct tcpfsm_recorder *rec, uint64_t *written,
			    uint64_t *lost, uint64_t *bytes);
/* Records that did not pass the filter. */
uint64_t tcpfsm_recorder_left_out(const struct tcpfsm_recorder *rec);
/* As tcpfsm_source_snapshot(). */
int tcpfsm_recorder_snapshot(const struct tcpfsm_recorder *rec, uint64_t *sockets);
/* A signal ends it: the recording will tell which. */
void tcpfsm_recorder_signal(struct tcpfsm_recorder *rec, int sig);
/*
 * Completes the files, with how it ended: after an error of the above, with that.  *unwritten, when
 * not NULL: records counted as written that are in no file.
 * Return: 0 or a negative errno of the last writes or of the last totals.
 */
int tcpfsm_recorder_close(struct tcpfsm_recorder *rec, uint64_t *unwritten);
/**
 * tcpfsm_recording_unpack() - make a recording that is compressed plain again, all its chunks
 * @why: what to say of -EBADMSG (damaged) and -EBUSY (it is being written), else empty
 * @size: of it, at least 1
 *
 * Return: 0 or a negative errno; what is not damaged is plain all the same.
 */
int tcpfsm_recording_unpack(const char *dir, char *why, size_t size);

/* ---- model: raw records to events ---------------------------------------- */

#define TCPFSM_EVENTS(X) \
	X(TRANSITION, "transition")	X(SYN, "syn") \
	X(HANDSHAKE_ACK, "handshake_ack") X(RETRANSMIT, "retransmit") \
	X(RESET, "reset")		X(ACCEPT, "accept") \
	X(LISTEN, "listen")		X(TIMEWAIT, "timewait") \
	X(CONNECT_FAILED, "connect_failed") X(LOST, "lost") \
	X(NETNS, "netns")

/* States, numbered as in the kernel; NEW_SYN_RECV is seen in raw mode only. */
#define TCPFSM_STATES(X) \
	X(ESTABLISHED, 1, "ESTABLISHED") X(SYN_SENT, 2, "SYN_SENT") \
	X(SYN_RECV, 3, "SYN_RECV")	X(FIN_WAIT1, 4, "FIN_WAIT1") \
	X(FIN_WAIT2, 5, "FIN_WAIT2")	X(TIME_WAIT, 6, "TIME_WAIT") \
	X(CLOSE, 7, "CLOSE")		X(CLOSE_WAIT, 8, "CLOSE_WAIT") \
	X(LAST_ACK, 9, "LAST_ACK")	X(LISTEN, 10, "LISTEN") \
	X(CLOSING, 11, "CLOSING")	X(NEW_SYN_RECV, 12, "NEW_SYN_RECV") \
	X(BOUND_INACTIVE, 13, "BOUND_INACTIVE")

/* The labels of the RFC 9293 diagram, and what Linux adds. */
#define TCPFSM_CAUSES(X) \
	X(NONE, "") X(ACTIVE_OPEN, "active_open") X(PASSIVE_OPEN, "passive_open") \
	X(RCV_SYN, "rcv_syn") X(RCV_SYNACK, "rcv_synack") \
	X(RCV_ACK_OF_SYN, "rcv_ack_of_syn") X(CLOSE, "close") \
	X(SHUTDOWN, "shutdown") X(RCV_FIN, "rcv_fin") \
	X(RCV_ACK_OF_FIN, "rcv_ack_of_fin") X(RCV_FIN_ACK, "rcv_fin_ack") \
	X(2MSL, "2msl") X(RCV_RST, "rcv_rst") X(SND_RST, "snd_rst") \
	X(TIMEOUT, "timeout") X(ICMP, "icmp") X(ABORT, "abort") \
	X(REUSE, "reuse") X(NETNS_EXIT, "netns_exit") X(NO_ROUTE, "no_route")

#define TCPFSM_ENUM_EVENT(s, name) TCPFSM_EVENT_##s,
enum tcpfsm_event_type { TCPFSM_EVENTS(TCPFSM_ENUM_EVENT) };
#define TCPFSM_ENUM_CAUSE(s, name) TCPFSM_CAUSE_##s,
enum tcpfsm_cause { TCPFSM_CAUSES(TCPFSM_ENUM_CAUSE) };
#define TCPFSM_ENUM_STATE(s, n, name) TCPFSM_STATE_##s = n,
enum tcpfsm_state { TCPFSM_STATES(TCPFSM_ENUM_STATE) };

enum tcpfsm_closer {
	TCPFSM_CLOSER_NONE, TCPFSM_CLOSER_LOCAL, TCPFSM_CLOSER_REMOTE, TCPFSM_CLOSER_BOTH,
};

#define TCPFSM_LIFE_TIMES	9
/* Where struct tcpfsm_life keeps the time of a state; CLOSE and LISTEN have none. */
/* ESTABLISHED to TIME_WAIT first, then CLOSE_WAIT, LAST_ACK and CLOSING. */
#define TCPFSM_LIFE_SLOT(state) \
	((unsigned int)((state) < 7 ? (state) - 1 : (state) == 11 ? 8 : (state) - 2))

/* A connection from its first transition on, as one end saw it.  Times in nanoseconds. */
struct tcpfsm_life {
	uint64_t begin;			/* epoch; when it was first heard of */
	uint64_t setup;			/* SYN to ESTABLISHED; 0: not seen */
	uint64_t waited;		/* in the accept queue; 0: not seen */
	uint64_t time[TCPFSM_LIFE_TIMES]; /* by TCPFSM_LIFE_SLOT(): in each state left */
	uint8_t laddr[16], raddr[16];	/* as in struct tcpfsm_record */
	uint32_t netns;
	uint16_t lport, rport;
	uint16_t states;		/* 1 << enum tcpfsm_state: seen in */
	uint16_t retransmits[4];	/* by enum tcpfsm_segment - 1, UINT16_MAX: or more */
	uint8_t family;
	uint8_t closer;			/* enum tcpfsm_closer: who closed first */
	uint8_t whole;			/* 1: seen from its first SYN on */
	uint8_t passive;		/* 1: made by a listener */
	uint32_t causes;		/* 1 << enum tcpfsm_cause: of its transitions */
};

/*
 * One event, as the JSON contract describes it.  NETNS: rec.netns is another network namespace
 * from now on, with the cookie that rec.listener has.
 */
struct tcpfsm_event {
	uint8_t type;			/* enum tcpfsm_event_type */
	uint8_t old_state, new_state;	/* TRANSITION: states; else the state it happened in in old_state; */
					/* RESET: new_state CLOSE: answers a segment for a socket just closed */
	uint8_t cause;			/* TRANSITION: enum tcpfsm_cause; RESET: SND_RST: it ends the */
					/* connection, as the transition after it tells */
	bool has_queues;		/* listener, synq, acceptq, backlog of rec count */
	bool has_owner;			/* pid and comm count */
	uint8_t closer;			/* TIMEWAIT, enter and denied: enum tcpfsm_closer: who closed first */
	uint32_t cpu;
	uint64_t ts;			/* nanoseconds since the Unix epoch */
	int64_t dur_ns;			/* TRANSITION: time in old_state; ACCEPT: wait in the accept queue; -1: not known */
	uint32_t pid;
	char comm[17];
	uint64_t lost, from_ts, to_ts;	/* LOST; epoch */
	bool suppressed;		/* LOST: records left out by the module's syn_limit: */
					/* rec.verdict: of which type; SYN: rec tells the listener */
	bool netns_gone;		/* not LOST: the inode is that of a later network namespace now */
	uint32_t asked;			/* SYN, HANDSHAKE_ACK refused: backlog that listen(2) asked */
					/* for plus 1; 0: not known */
	uint64_t predecessor;		/* SYN, TRANSITION to SYN_SENT: cookie of the connection whose */
					/* TIME_WAIT made way for it; 0: none */
	const struct tcpfsm_life *life;	/* with lives: the connection's, this event included; else NULL */
	struct tcpfsm_record rec;	/* addresses, cookies, counts, sequence numbers */
};

/* Of two recordings read as one: 1 or 2; else 0. */
#define TCPFSM_EVENT_HOST(ev) \
	((ev)->rec.conn ? TCPFSM_HOST_OF_CONN((ev)->rec.conn) : TCPFSM_HOST_OF_CPU((ev)->cpu))

struct tcpfsm_model;
typedef int (*tcpfsm_event_fn)(const struct tcpfsm_event *ev, void *arg);

struct tcpfsm_model_options {
	size_t size;
	bool raw;			/* one event per record, artefacts included */
	size_t max_conns;		/* connections remembered; 0: default (1 << 20) */
	int64_t epoch_offset;		/* tcpfsm_source_epoch_offset() */
	bool lives;			/* keep lives; only their ends and LOST (not suppressed) are told */
	/*
	 * With lives, for a program that watches all there is: told, too, is what is
	 * notable: of transitions only those to SYN_SENT, LISTEN and CLOSE, and from CLOSING;
	 * SYNs and ACKs that went well, where they led, and accept(), within a minute after a SYN
	 * or an ACK that did not, or was sent again, and after a request that expired or whose
	 * SYN-ACK was sent a third time.  tcpfsm_model_moves() has all transitions as
	 * numbers.
	 * Sockets of a snapshot have a life from then on.  Lives have their beginning, ends,
	 * causes and retransmits; transitions no dur_ns, but from SYN_SENT.
	 */
	bool watch;
	bool clients;			/* with watch: all SYNs and ACKs, where they led, and accept() are told */
	uint64_t opens;			/* not 0, with watch: all that come from SYN_SENT to ESTABLISHED are */
					/* told, too, and lives have their closer */
};

/* As of all that take options.  Return: 0; -ENOMEM; -EINVAL or -E2BIG: see above, at sizes. */
int tcpfsm_model_new(struct tcpfsm_model **m, const struct tcpfsm_model_options *opts);
/**
 * tcpfsm_model_item() - one item in, zero or more events out
 * @fn: called for each event; a non-zero return stops and is returned
 */
int tcpfsm_model_item(struct tcpfsm_model *m, const struct tcpfsm_item *item,
		      tcpfsm_event_fn fn, void *arg);
/* The same for n items; those after a stop are not taken. */
int tcpfsm_model_items(struct tcpfsm_model *m, const struct tcpfsm_item *items, size_t n,
		       tcpfsm_event_fn fn, void *arg);
/* End of stream or of a batch that is older than the source's horizon: lets go what waits for a successor. */
int tcpfsm_model_flush(struct tcpfsm_model *m, tcpfsm_event_fn fn, void *arg);
/*
 * Records that wait for a successor.  A live reader that flushes at once may
 * part two records microseconds apart; better wait some milliseconds for more.
 */
size_t tcpfsm_model_pending(const struct tcpfsm_model *m);
/**
 * tcpfsm_model_unfinished() - connections that are in TIME_WAIT now
 * @fn: called for each, with a TRANSITION event that has not happened: from
 *	TIME_WAIT to CLOSE, without cause, at time @now (epoch)
 *
 * Needs lives.  Return: what @fn returned if not 0.
 */
int tcpfsm_model_unfinished(struct tcpfsm_model *m, uint64_t now, tcpfsm_event_fn fn, void *arg);
/* Connections remembered now, and those forgotten because of max_conns. */
void tcpfsm_model_counts(const struct tcpfsm_model *m, uint64_t *conns, uint64_t *forgotten);
/*
 * The connections and listeners in each state now, by enum tcpfsm_state: those
 * whose state was seen or is told by a snapshot.  CLOSE is always 0.
 */
void tcpfsm_model_population(const struct tcpfsm_model *m, uint64_t count[16]);

/* So many transitions of a kind. */
struct tcpfsm_move {
	uint8_t old_state, new_state, cause;
	bool request;			/* of a request socket that died */
	uint32_t n;
};

typedef void (*tcpfsm_move_fn)(const struct tcpfsm_move *m, void *arg);
/* Those since the last call, by kind.  Needs watch. */
void tcpfsm_model_moves(struct tcpfsm_model *m, tcpfsm_move_fn fn, void *arg);

/* A connection (or listener) that is remembered, as it is now. */
struct tcpfsm_conn {
	uint64_t conn;			/* socket cookie */
	uint64_t since;			/* epoch: when it came into its state; 0: not known */
	const struct tcpfsm_life *life;	/* NULL without lives; begin 0: nothing else in it counts */
	const char *comm;		/* 16 bytes, NUL padded */
	uint32_t pid;			/* 0: owner not known */
	uint8_t state;			/* enum tcpfsm_state; 0: not known */
};

typedef int (*tcpfsm_conn_fn)(const struct tcpfsm_conn *c, void *arg);

/**
 * tcpfsm_model_scan() - all connections that are open or in TIME_WAIT, some at a time
 * @at: where to go on, 0 at first; 0 again when all have been told
 * @n: places of the table to look at, connections or not
 *
 * In no order.  One that is there from the first call to the last is told once, whatever
 * is fed between; others may be told or not.  Return: what @fn returned if not 0.
 */
int tcpfsm_model_scan(struct tcpfsm_model *m, size_t *at, size_t n, tcpfsm_conn_fn fn, void *arg);
/* The one with this cookie; closed a moment ago, it may still be there.  False: it is not. */
bool tcpfsm_model_find(struct tcpfsm_model *m, uint64_t conn, struct tcpfsm_conn *c);
void tcpfsm_model_free(struct tcpfsm_model *m);

/* ---- filter --------------------------------------------------------------- */

#define TCPFSM_FILTER_OPS	128
#define TCPFSM_FILTER_TEXT	1024

/* A step of an expression, of tcpfsm_filter_parse() and for it. */
struct tcpfsm_filter_op {
	uint8_t what, family, bits, where;
	uint16_t low, high;
	uint32_t value;
	uint8_t addr[16];
};

/* What is in these members and what is in expr must both be so. */
struct tcpfsm_filter {
	size_t size;
	uint16_t lport[16], rport[16];	/* any of; n.. says how many */
	uint8_t nlport, nrport;
	uint8_t family;			/* 0, 4, 6 or TCPFSM_FAMILY_BOTH */
	uint32_t pid;			/* 0: any */
	uint32_t netns;			/* inode, 0: any */
	uint32_t states;		/* 1 << enum tcpfsm_state, any of; 0: any */
	uint32_t causes;		/* 1 << enum tcpfsm_cause, any of; 0: any */
	size_t nops;			/* 0: no expression */
	struct tcpfsm_filter_op op[TCPFSM_FILTER_OPS];
	char expr[TCPFSM_FILTER_TEXT];	/* the expression, as words */
	char names[256];		/* that are in it */
};

/* Both were asked for: no restriction, whatever is asked for besides. */
#define TCPFSM_FAMILY_BOTH	10

/*
 * Does the event pass?  LOST always does; a suppressed one as the SYNs would that
 * it stands for, of whatever peer.  A transition has two states, any other event
 * the one it happened in; only transitions have a cause.  NULL passes all; a filter by
 * what this library does not know yet, nothing but LOST.
 */
bool tcpfsm_filter_match(const struct tcpfsm_filter *f, const struct tcpfsm_event *ev);
/* Could the record be of a connection, a listener or a network namespace that passes?  Owners are not known. */
bool tcpfsm_filter_record(const struct tcpfsm_filter *f, const struct tcpfsm_record *r);

/* What can be asked of something: bits. */
enum tcpfsm_filter_asks {
	TCPFSM_ASKS_NETNS = 1, TCPFSM_ASKS_FAMILY = 2, TCPFSM_ASKS_LOCAL = 4, TCPFSM_ASKS_PEER = 8,
	TCPFSM_ASKS_OWNER = 16, TCPFSM_ASKS_STATE = 32, TCPFSM_ASKS_CAUSE = 64,
	TCPFSM_ASKS_CGROUP = 128,	/* of the owner, with OWNER */
};

/* What a filter may be asked about besides events: a listener, a destination, a life. */
struct tcpfsm_filter_subject {
	size_t size;
	uint32_t known;			/* enum tcpfsm_filter_asks */
	uint32_t netns;			/* 0: one that is gone */
	uint32_t pid;			/* 0: no owner */
	uint32_t states, causes;	/* bits, any of */
	uint16_t lport, rport;
	uint8_t family;
	uint8_t laddr[16], raddr[16];	/* as in struct tcpfsm_record */
	char comm[17];
	uint64_t ts;			/* CLOCK_MONOTONIC: when the owner was seen; 0: not known */
};

/* As tcpfsm_filter_match() sees an event. */
void tcpfsm_filter_event(struct tcpfsm_filter_subject *s, const struct tcpfsm_event *ev);
/* A life in a state (0: in all that it was in), of a process (0: not known). */
void tcpfsm_filter_life(struct tcpfsm_filter_subject *s, const struct tcpfsm_life *life, unsigned int state,
			uint32_t pid, const char *comm);
struct tcpfsm_listener;
struct tcpfsm_timewait;
/* It has no peer; of a network namespace nothing else is known. */
void tcpfsm_filter_listener(struct tcpfsm_filter_subject *s, const struct tcpfsm_listener *l);
/* Its owner, or the process that made most of them. */
void tcpfsm_filter_timewait(struct tcpfsm_filter_subject *s, const struct tcpfsm_timewait *tw);
/* Could it pass, whatever that is which is not known of it? */
bool tcpfsm_filter_subject(const struct tcpfsm_filter *f, const struct tcpfsm_filter_subject *s);
/* What it asks about: enum tcpfsm_filter_asks.  NULL: 0. */
uint32_t tcpfsm_filter_asks(const struct tcpfsm_filter *f);

/**
 * tcpfsm_filter_set() - restrict a filter, by a word
 * @word: "lport" or "rport": ports; "ipv4", "ipv6": both together are no restriction; "pid";
 *	  "netns": inode, name of "ip netns" or path; "state", "cause": their names
 * @value: several ports or names have commas between them; NULL: a word that has none
 * @why: if @size is not 0: set to a few words on failure
 *
 * Ports, states and causes of several calls come together.  Return: 0; -EINVAL: no such word
 * or value; -E2BIG.  After a failure the filter is as it was.
 */
int tcpfsm_filter_set(struct tcpfsm_filter *f, const char *word, const char *value, char *why,
		      size_t size);
/**
 * tcpfsm_filter_and() - restrict a filter by an expression, in the grammar of ss(8)
 * @text: such as "dst 10.0.0.0/8 and ( dport = :443 or comm nginx )"; tcpfsm(8) has all of it.
 *	  The words of tcpfsm_filter_set() that stand side by side ("lport 80,443 state TIME_WAIT",
 *	  "lport=80", "-L 80") do what it does.  "" filters nothing.
 * @why: if @size is not 0: set to the word that is wrong, and a few words, on failure
 *
 * cgroup and container are looked up in /proc of this machine, or as tcpfsm_names_recorded() says.  Return: as tcpfsm_filter_set().
 */
int tcpfsm_filter_and(struct tcpfsm_filter *f, const char *text, char *why, size_t size);
/* The same; it takes the place of what was in the filter but its size. */
int tcpfsm_filter_parse(struct tcpfsm_filter *f, const char *text, char *why, size_t size);
/* The other way round; what does not fit is left out.  Return: 0; -EINVAL or -E2BIG. */
int tcpfsm_filter_text(const struct tcpfsm_filter *f, char *buf, size_t size);

/* ---- ladders: both ends of a connection and the segments between them -------- */

/* struct tcpfsm_ladder_row.flags */
#define TCPFSM_SEG_SYN	0x01
#define TCPFSM_SEG_ACK	0x02
#define TCPFSM_SEG_FIN	0x04
#define TCPFSM_SEG_RST	0x08
#define TCPFSM_SEG_DATA	0x10		/* sent again; data is not recorded otherwise */

/* What became of a segment.  LOST only when the other end would have told of it. */
enum tcpfsm_fate { TCPFSM_FATE_NOT_SEEN, TCPFSM_FATE_ARRIVED, TCPFSM_FATE_LOST };

enum tcpfsm_ladder_kind {
	TCPFSM_LADDER_SEGMENT,		/* from one end to the other */
	TCPFSM_LADDER_DEPARTS,		/* as SEGMENT; it arrives in a later row, as */
	TCPFSM_LADDER_ARRIVES,		/* the other end did something in between */
	TCPFSM_LADDER_EVENT,		/* something at one end, no segment */
	TCPFSM_LADDER_DATA,		/* bytes that went to and fro until now */
	TCPFSM_LADDER_GAP,		/* records lost: count */
	TCPFSM_LADDER_MORE,		/* events left out: count */
};

/* What happened at one end in a row. */
struct tcpfsm_ladder_cell {
	uint8_t event;			/* 1 + enum tcpfsm_event_type; 0: nothing */
	uint8_t old_state, state;		/* when it changed; else 0 */
	uint8_t cause;			/* enum tcpfsm_cause */
	uint8_t verdict, reason;	/* as in struct tcpfsm_record */
	uint8_t err;			/* errno or 0 */
	bool has_queues;		/* synq, acceptq and backlog count */
	bool fastopen;			/* SYN: accepted with its data (TCP Fast Open) */
	uint32_t synq, acceptq, backlog;
	uint32_t asked;			/* as in struct tcpfsm_event */
	uint32_t max_syn_backlog;	/* SYN dropped: net.ipv4.tcp_max_syn_backlog; else 0 */
	uint32_t tw, tw_max;
	int64_t dur_ns;			/* as in struct tcpfsm_event */
};

struct tcpfsm_ladder_row {
	uint8_t kind;			/* enum tcpfsm_ladder_kind */
	uint8_t from;			/* segments: index of the end that sent it */
	uint8_t flags;			/* TCPFSM_SEG_*; 0: not known */
	uint8_t fate;			/* enum tcpfsm_fate */
	uint8_t retransmit;		/* how many times it had been sent before */
	bool has_seq, has_ack;
	uint32_t seq, ack;		/* absolute */
	uint32_t pair;			/* DEPARTS, ARRIVES: index of the other row */
	uint64_t ts;			/* nanoseconds since the Unix epoch; not less than the row's before */
	uint64_t sent_ts, arrived_ts;	/* segments; 0: not seen */
	uint64_t bytes[2];		/* DATA: by the end that sent them, modulo 2^32 */
	uint64_t count;			/* GAP: records, MORE: events */
	struct tcpfsm_ladder_cell cell[2];	/* by end */
};

struct tcpfsm_ladder_end {
	bool seen;			/* on this machine */
	bool has_owner, has_isn;
	uint8_t first, last;		/* states before the first and after the last row; 0: not known */
	uint8_t cause;			/* of its last step to CLOSE */
	uint16_t port;
	uint32_t netns;
	uint32_t isn;			/* initial sequence number */
	uint32_t pid;
	uint64_t conn;			/* socket cookie, 0: none */
	uint8_t addr[16];
	char comm[17];
};

#define TCPFSM_LADDER_BOTH	2

struct tcpfsm_ladder {
	uint8_t family;			/* 4 or 6 */
	bool finished;			/* the ends seen are closed */
	bool begun;			/* its beginning was seen */
	bool client;			/* end 0 opened it; else not known who did */
	bool self;			/* a socket connected to itself: end 0 is both */
	bool exact;			/* nothing of it is missing: what was lost can be told */
	int8_t closed_first;		/* end that closed, refused or gave up first, or TCPFSM_LADDER_BOTH; -1: none */
	int64_t handshake_ns;		/* from end 0's SYN to its ESTABLISHED; -1: not known */
	uint64_t begin_ts, end_ts;	/* of the first and the last event */
	struct tcpfsm_ladder_end end[2];
	size_t nrows;
	const struct tcpfsm_ladder_row *rows;
};

struct tcpfsm_ladders;
/* The ladder is valid during the call.  A non-zero return stops. */
typedef int (*tcpfsm_ladder_fn)(const struct tcpfsm_ladder *l, void *arg);

struct tcpfsm_ladders_options {
	size_t size;
	const struct tcpfsm_filter *filter;	/* connections of which an event passes; NULL: all */
	uint64_t conn;			/* only that of the socket with this cookie; 0: any */
	size_t max_conns;		/* connections under way; 0: default (65536) */
	size_t max_events;		/* of one connection; 0: default (256) */
};

int tcpfsm_ladders_new(struct tcpfsm_ladders **l, const struct tcpfsm_ladders_options *opts);
/**
 * tcpfsm_ladders_event() - an event of the model (not raw)
 * @fn: called for each connection that has ended a while before
 *
 * Return: what @fn returned, or -ENOMEM.
 */
int tcpfsm_ladders_event(struct tcpfsm_ladders *l, const struct tcpfsm_event *ev,
			 tcpfsm_ladder_fn fn, void *arg);
/* Nothing came for a tenth of a second or more: what has ended, has. */
int tcpfsm_ladders_settle(struct tcpfsm_ladders *l, tcpfsm_ladder_fn fn, void *arg);
/* The end of the stream: all that is left, finished or not. */
int tcpfsm_ladders_flush(struct tcpfsm_ladders *l, tcpfsm_ladder_fn fn, void *arg);
/* Connections that have ended and wait to be settled, and those forgotten. */
void tcpfsm_ladders_counts(const struct tcpfsm_ladders *l, size_t *ended, uint64_t *forgotten);
void tcpfsm_ladders_free(struct tcpfsm_ladders *l);

/* ---- listeners: the fate of every SYN ------------------------------------------ */

/*
 * A listener, or what a network namespace has beyond its listeners (conn 0), as
 * the last TOTAL records told.
 */
struct tcpfsm_listener {
	uint64_t conn;			/* socket cookie; 0: the network namespace */
	uint32_t netns;
	uint8_t family;			/* 4 or 6; of a network namespace 0 */
	uint16_t lport;
	uint8_t laddr[16];		/* as in struct tcpfsm_record */
	bool has_owner;
	uint32_t pid;			/* who called accept() last; else has it open; else called listen() */
	char comm[17];
	uint64_t ts, first_ts, before_ts; /* CLOCK_MONOTONIC of the readings; 0: none */
	const uint64_t *total;		/* [TCPFSM_TOTAL_NUM], at ts */
	const uint64_t *first;		/* at first_ts: the first reading */
	const uint64_t *before;		/* at before_ts: the reading before this one; NULL: none */
	bool owner_gone;		/* live: the owner, and whoever else it could be */
	bool has_caller;
	uint32_t caller_pid;		/* who called listen() */
	char caller_comm[17];
};

struct tcpfsm_listeners;
typedef int (*tcpfsm_listener_fn)(const struct tcpfsm_listener *l, void *arg);

int tcpfsm_listeners_new(struct tcpfsm_listeners **ls);
/*
 * From now on processes are taken for those of this machine: one that has gone is not the owner
 * if another one is known, and they have the names that they have now.
 */
void tcpfsm_listeners_live(struct tcpfsm_listeners *ls, bool live);
/**
 * tcpfsm_listeners_item() - a raw item: TOTAL, or SOCKET for the owner; others do nothing
 *
 * A TOTAL with a new ts begins a new reading: what it does not mention is 0, and
 * listeners that it does not mention are forgotten.
 *
 * Return: 0 or -ENOMEM.
 */
int tcpfsm_listeners_item(struct tcpfsm_listeners *ls, const struct tcpfsm_item *item);
/*
 * Each of the last reading, by network namespace, port and address, the network
 * namespace itself after its listeners.  They are valid until the next item.
 * Return: what fn returned if not 0, or -ENOMEM.
 */
int tcpfsm_listeners_each(struct tcpfsm_listeners *ls, tcpfsm_listener_fn fn, void *arg);
/* NULL: no such listener in the last reading. */
const struct tcpfsm_listener *tcpfsm_listeners_find(const struct tcpfsm_listeners *ls,
						    uint64_t conn);
/* From here on the last reading is the first one: what was seen before is "before". */
void tcpfsm_listeners_rebase(struct tcpfsm_listeners *ls);
void tcpfsm_listeners_free(struct tcpfsm_listeners *ls);

/*
 * Puts b's totals together with a's as the table of totals says; of those that are as
 * they are now, the lengths and places of queues add up, and a's others stay.
 */
void tcpfsm_totals_merge(uint64_t a[TCPFSM_TOTAL_NUM], const uint64_t b[TCPFSM_TOTAL_NUM]);
/* Sum of n totals from index on: tcpfsm_totals_sum(t, TCPFSM_TOTAL_SYN_DROPPED, TCPFSM_TOTAL_REASONS). */
uint64_t tcpfsm_totals_sum(const uint64_t *total, unsigned int index, unsigned int n);
/* The value below which the share q (0 to 1) of a histogram's samples lies; 0: no sample. */
uint64_t tcpfsm_histogram_quantile(const uint64_t bucket[TCPFSM_TOTAL_BUCKETS], double q);
/* "syn_queued", "syn_dropped.acceptq_full", "handshake_us.12", "kernel.TcpExtListenDrops"; "?". */
const char *tcpfsm_total_name(unsigned int index, char buf[64]);

/* ---- check: the totals against the kernel's own counters -------------------------- */

enum tcpfsm_check_status {
	TCPFSM_CHECK_EQUAL,
	TCPFSM_CHECK_EXPLAINED,		/* they differ, and why is known */
	TCPFSM_CHECK_UNEXPLAINED,
};

#define TCPFSM_CHECK_WHY	96
#define TCPFSM_CHECK_PARTS	32

/* A counter of a network namespace, since counting began there. */
struct tcpfsm_check {
	const char *name;		/* as nstat prints it; "syn": SYNs that met a listener; */
					/* "sockstat tw": mini-sockets that are there */
	uint32_t netns;
	uint64_t ts, since;		/* CLOCK_MONOTONIC: when it was read; when counting began */
	bool of_kernel;			/* else both numbers are ours: each SYN has one fate */
	uint64_t counter;		/* as nstat or sockstat shows it */
	uint64_t kernel, ours;		/* how far it has moved; what the totals say */
	int64_t difference;		/* kernel - ours */
	uint8_t status;			/* enum tcpfsm_check_status */
	char why[TCPFSM_CHECK_WHY];	/* they differ; "" when equal */
	unsigned int nparts;		/* the totals that make up ours, but zeros */
	struct {
		uint16_t index;		/* tcpfsm_total_name() */
		bool minus;		/* it is taken off */
		uint64_t value;
	} part[TCPFSM_CHECK_PARTS];
};

struct tcpfsm_checks;
typedef int (*tcpfsm_check_fn)(const struct tcpfsm_check *check, void *arg);

/* @info: of the device, for what is switched off and was missed; NULL: not known.  0 or -ENOMEM. */
int tcpfsm_checks_new(struct tcpfsm_checks **c, const struct tcpfsm_info *info);
/**
 * tcpfsm_checks_item() - a raw item: TOTAL; others do nothing
 *
 * A new ts begins a new reading.  The last one counts, and with it those that
 * are less than a second apart: of them the one in which a counter agreed best.
 *
 * Return: 0 or -ENOMEM.
 */
int tcpfsm_checks_item(struct tcpfsm_checks *c, const struct tcpfsm_item *item);
/*
 * The reading is complete.  False: counters that differ moved while they were read,
 * or may have; another reading may find them equal.
 */
bool tcpfsm_checks_settled(struct tcpfsm_checks *c);
/*
 * Each counter of each network namespace of the last reading.  Return: what fn
 * returned if not 0.
 */
int tcpfsm_checks_each(struct tcpfsm_checks *c, tcpfsm_check_fn fn, void *arg);
void tcpfsm_checks_free(struct tcpfsm_checks *c);
/* ---- explain: what is wrong, in words ------------------------------------------- */

/*
 * The worst first.  critical: clients are refused now, or connect() fails; warning: they were,
 * or will be, or it takes long; ok: nothing of these; info: good to know.
 */
#define TCPFSM_SEVERITIES(X) \
	X(CRITICAL, 0, "critical") X(WARNING, 1, "warning") X(OK, 2, "ok") X(INFO, 3, "info")
#define TCPFSM_ENUM_SEVERITY(s, n, name) TCPFSM_SEVERITY_##s = n,
enum tcpfsm_severity { TCPFSM_SEVERITIES(TCPFSM_ENUM_SEVERITY) };

/* A thing to do about a finding. */
struct tcpfsm_action {
	const char *text;		/* what, in a few words, without a full stop */
	const char *command;		/* for a shell, complete; "": none */
	const char *more;		/* sentences: what it does, what to mind; "": none */
	const char *cost;		/* sentences; "": none */
};

/* All text is printable ASCII, and without line ends. */
struct tcpfsm_finding {
	const char *verdict;		/* stable name, as the manual page lists them */
	uint8_t severity;		/* enum tcpfsm_severity */
	uint64_t ts;			/* of the totals; nanoseconds since the Unix epoch */
	uint64_t conn;			/* the listener's cookie; 0: of a destination (rport), of a */
					/* network namespace, or of all */
	uint32_t netns;			/* 0: of all */
	uint8_t family;			/* 4 or 6; 0: no listener or destination */
	uint16_t lport, rport;		/* only destinations have an rport */
	uint8_t laddr[16], raddr[16];
	bool has_owner;
	uint32_t pid;
	char comm[17];
	const char *summary;		/* what is the matter, one sentence */
	const char *text;		/* the same, and what more there is to say of it */
	const char *const *evidence;	/* the numbers that prove it */
	size_t nevidence;
	const struct tcpfsm_action *actions;	/* what to do, what helps most first */
	size_t nactions;
	const char *remedy;		/* all actions in one text; "": none is needed; several begin */
					/* "(1) ", "(2) " and so on */
	const char *cost;		/* of the remedy, with the same numbers; "": none */
	const char *const *not_judged;	/* what was not seen, so that nothing is concluded from it */
	size_t nnot_judged;
};

struct tcpfsm_explain_options {
	size_t size;
	const struct tcpfsm_filter *filter;	/* listeners: lport, family, pid and netns; NULL: all */
	int64_t epoch_offset;		/* tcpfsm_source_epoch_offset() */
	uint32_t own_netns;		/* inode of ours, for commands to give; 0: not known */
	uint32_t request_bytes;		/* memory of a request socket; 0: not known */
	uint32_t socket_bytes;		/* and of a connection */
	uint32_t timewait_bytes;	/* and of a mini-socket */
	uint64_t since;			/* epoch: from when on flows of mini-sockets count; 0: with the */
					/* snapshot, or the first event */
	struct tcpfsm_timewaits *ledger; /* of the caller, who feeds, marks and frees it, and has no */
					/* filter but netns; NULL: one of its own */
	const struct tcpfsm_info *info;	/* features that are off are told as not judged; read by */
					/* tcpfsm_explain_new() only; NULL: not known */
	struct tcpfsm_model *model;	/* of the caller, who feeds it and frees it after this: connections */
					/* that stay half closed are judged; NULL: they are not */
	const char *proc;		/* "/proc", where processes live that have listeners; stays the */
					/* caller's; NULL: a recording, or they are not to be looked at */
	bool live;			/* processes are of this machine: look up their names in /proc */
	uint64_t complete_since;	/* tcpfsm_source_complete_since(): what a socket of the snapshot has not */
					/* done since then it did before; 0: not known */
	bool ended;			/* a recording, of which findings are asked when all of it was read: what */
					/* its totals do not reach is told as not judged */
};

struct tcpfsm_explain;
/* The finding is valid during the call.  A non-zero return stops. */
typedef int (*tcpfsm_finding_fn)(const struct tcpfsm_finding *f, void *arg);

/**
 * tcpfsm_explain_machine() - fill in what advice says of this machine, as it is now
 *
 * own_netns and the bytes; those that this kernel does not tell are 0.  Not for a recording: it may be
 * of another machine.
 */
void tcpfsm_explain_machine(struct tcpfsm_explain_options *opts);
int tcpfsm_explain_new(struct tcpfsm_explain **x, const struct tcpfsm_explain_options *opts);
/* From now on findings are of what passes this one.  Return: 0, -EINVAL or -E2BIG. */
int tcpfsm_explain_filter(struct tcpfsm_explain *x, const struct tcpfsm_filter *f);
/* A raw item: SOCKET and TOTAL; others do nothing.  Return: 0 or -ENOMEM. */
int tcpfsm_explain_item(struct tcpfsm_explain *x, const struct tcpfsm_item *item);
/**
 * tcpfsm_explain_event() - an event of the model (not raw), after the SOCKET items
 *
 * For the sample of clients and for the ledger of mini-sockets; of listeners the findings
 * rest on the totals.  Return: 0 or -ENOMEM.
 */
int tcpfsm_explain_event(struct tcpfsm_explain *x, const struct tcpfsm_event *ev);
/**
 * tcpfsm_explain_findings() - judge the listeners as their last two readings tell, and the
 *			       ports and mini-sockets of what was fed
 * @fn: called for each finding, the worst and true cause first; at least once
 *
 * What listeners saw since their first reading is "now"; the totals tell of before.
 *
 * Return: what @fn returned if not 0, or -ENOMEM.
 */
int tcpfsm_explain_findings(struct tcpfsm_explain *x, struct tcpfsm_listeners *ls,
			    tcpfsm_finding_fn fn, void *arg);
void tcpfsm_explain_free(struct tcpfsm_explain *x);

/**
 * tcpfsm_names_recorded() - names and cgroups below are those that a recording tells
 * @dir: what it has already is known then, what comes is learned while it is read; NULL: of none, as where two
 *	 recordings are read, whose numbers may be the same
 *
 * Without it they are this machine's, which mean nothing for a recording.  It is for the whole process, filters that are
 * parsed afterwards included.  Return: 0 or as tcpfsm_source_open_recording().
 */
int tcpfsm_names_recorded(const char *dir);

/*
 * Where records are from, by the names that this machine has for it now.
 * Of a network namespace, as "ip netns" has it; "": none that a shell takes as it is.
 */
#define TCPFSM_NETNS_NAME_MAX	64
const char *tcpfsm_netns_name(uint32_t netns, char name[TCPFSM_NETNS_NAME_MAX]);
/* Of a device: its name, if it is in our own network namespace, or else its index. */
#define TCPFSM_DEV_NAME_MAX	16
const char *tcpfsm_dev_name(uint32_t netns, uint32_t dev, char name[TCPFSM_DEV_NAME_MAX]);
/*
 * What loads the module that this program came with, as root; the module's parameters may follow:
 * "make -C TREE load" for a program in its build tree, else "modprobe tcpfsm".
 */
#define TCPFSM_LOAD_COMMAND_MAX	384
const char *tcpfsm_load_command(char command[TCPFSM_LOAD_COMMAND_MAX]);

/* Of a process: the container that it is in (its name, or twelve digits), or else the unit; "": not known. */
#define TCPFSM_CONTAINER_NAME_MAX	256
const char *tcpfsm_container_name(uint32_t pid, char name[TCPFSM_CONTAINER_NAME_MAX]);
/*
 * Of a network namespace, for people: as "ip netns" has it, or else the container or unit of a process in
 * it, as /proc showed at most five seconds ago; "": neither.  Any thread.
 */
const char *tcpfsm_netns_label(uint32_t netns, char label[TCPFSM_CONTAINER_NAME_MAX]);

const char *tcpfsm_severity_name(unsigned int severity);
/* Longest JSON line of a finding, newline included. */
#define TCPFSM_FINDING_JSON_MAX	131072
/* Formats f as one JSON object and a newline; returns the length (no NUL). */
size_t tcpfsm_finding_json(const struct tcpfsm_finding *f, char buf[TCPFSM_FINDING_JSON_MAX]);

/* ---- what if: what was observed, under another setting ----------------------------- */

/* X(symbol, name, value) */
#define TCPFSM_SETTINGS(X) \
	X(BACKLOG, "backlog", "N")	/* of listeners: min(listen(N), net.core.somaxconn) */ \
	X(PORTS, "ports", "LOW-HIGH")	/* of destinations: net.ipv4.ip_local_port_range */ \
	X(TW_REUSE, "tw_reuse", "0|1|2") /* of destinations: net.ipv4.tcp_tw_reuse */
#define TCPFSM_ENUM_SETTING(s, name, value) TCPFSM_SETTING_##s,
enum tcpfsm_setting_type { TCPFSM_SETTINGS(TCPFSM_ENUM_SETTING) };

struct tcpfsm_setting {
	uint8_t setting;		/* enum tcpfsm_setting_type */
	uint64_t value, high;		/* PORTS: the first one and the last one */
};

/* What would have come of the connections to a listener, or to a destination. */
struct tcpfsm_what_if {
	struct tcpfsm_setting setting;
	uint64_t now;			/* its value; PORTS: how many connect() can choose */
	uint64_t ts;			/* epoch: of what was observed last */
	uint64_t conn;			/* the listener's; 0: a destination */
	uint32_t netns;
	uint8_t family;
	uint16_t lport, rport;
	uint8_t laddr[16], raddr[16];	/* as in struct tcpfsm_record */
	bool has_owner;
	uint32_t pid;
	char comm[17];
	bool part;			/* some records are missing, or were too many to keep */
	uint64_t attempts;		/* connections that were wanted */
	/* Of a listener: connections of which a SYN or third ACK was refused, */
	uint64_t refused_before;	/* as observed, */
	uint64_t refused_replayed;	/* as the replay has it with the present backlog: to be compared */
	uint64_t refused;		/* with that backlog, */
	uint64_t cookies;		/* and those that get a SYN cookie; */
	uint64_t wait_ns_max, wait_ns_p99; /* in the accept queue, */
	uint64_t queue_peak, waiting;	/* its length: the longest, and at the end */
	uint64_t observed_ns;
	/* Of a destination: connect() that fails with EADDRNOTAVAIL, and ports taken at a time. */
	uint64_t failed_before, failed, ports_peak;
};

/* "backlog" */
const char *tcpfsm_setting_name(unsigned int setting);
/**
 * tcpfsm_setting_parse() - a setting as people type it: "backlog=1024", "ports=1024-65535"
 *
 * Return: NULL, and *s; or what is wrong, a static text.
 */
const char *tcpfsm_setting_parse(struct tcpfsm_setting *s, const char *words);

/* What it is given is valid during the call.  A non-zero return stops. */
typedef int (*tcpfsm_what_if_fn)(const struct tcpfsm_what_if *w, void *arg);

/**
 * tcpfsm_explain_what_if() - replay what was fed under another setting
 * @ls: as tcpfsm_explain_findings() has it
 * @fn: called for each listener, or for each destination with most connections first, of
 *	which connections were seen and which the filter lets through
 *
 * The application accepts at the pace that was seen, and clients that are refused come again
 * after 1, 3, 7... s.  Of a listener the last 32768 events count, of all destinations together the last
 * 131072.
 *
 * Return: what @fn returned if not 0, or -ENOMEM.
 */
int tcpfsm_explain_what_if(struct tcpfsm_explain *x, struct tcpfsm_listeners *ls,
			   const struct tcpfsm_setting *setting, tcpfsm_what_if_fn fn, void *arg);

#define TCPFSM_WHAT_IF_JSON_MAX	1024
/* Formats w as one JSON object and a newline; returns the length (no NUL). */
size_t tcpfsm_what_if_json(const struct tcpfsm_what_if *w, char buf[TCPFSM_WHAT_IF_JSON_MAX]);

/* ---- timewaits: the ledger of mini-sockets ----------------------------------------- */

/*
 * What happened to mini-sockets: by enum tcpfsm_tw_action; and of FIN_WAIT2 that became
 * TIME_WAIT (a refresh, too), and of enter those that began as FIN_WAIT2.
 */
#define TCPFSM_TW_FLOW_FIN	0
#define TCPFSM_TW_FLOW_FIN_WAIT2 9
#define TCPFSM_TW_FLOWS		10
/* How long TIME_WAIT lasts, in seconds: a constant in Linux. */
#define TCPFSM_TW_SECONDS	60
/* TIME_WAIT by age: tens of seconds, then all older ones, then those of unknown age. */
#define TCPFSM_TW_AGES		8

enum tcpfsm_timewait_kind {
	TCPFSM_TIMEWAIT_NETNS, TCPFSM_TIMEWAIT_DESTINATION, TCPFSM_TIMEWAIT_OWNER,
	TCPFSM_TIMEWAIT_KINDS,
};

/* What tcpfsm_timewaits_each() goes by, the most first. */
#define TCPFSM_TIMEWAIT_SORTS(X) \
	X(POPULATION, "population")	/* here now */ \
	X(IN, "in") X(OUT, "out")	/* recent: made, ended */ \
	X(GROWTH, "growth")		/* the one less the other */ \
	X(PORTS, "ports")		/* share of the usable ports; not of destinations: population */ \
	X(FAILED, "failed")		/* connect() without a port, since attach */
#define TCPFSM_ENUM_TIMEWAIT_SORT(s, name) TCPFSM_TIMEWAIT_BY_##s,
enum tcpfsm_timewait_sort { TCPFSM_TIMEWAIT_SORTS(TCPFSM_ENUM_TIMEWAIT_SORT) };

/*
 * Mini-sockets that belong together: of a network namespace; from a local address to a
 * destination, or inbound: of all peers at a local address and port that is listened on; or of
 * the process that opened or accepted them.
 */
struct tcpfsm_timewait {
	uint8_t kind;			/* enum tcpfsm_timewait_kind */
	bool rest;			/* sum of those that found no place, or gave theirs up */
	bool inbound;			/* DESTINATION: lport counts, raddr and rport do not */
	uint8_t family;			/* DESTINATION: 4 or 6 */
	uint16_t lport, rport;
	uint32_t netns;			/* NETNS, DESTINATION */
	uint8_t laddr[16], raddr[16];	/* as in struct tcpfsm_record */
	bool has_owner;			/* OWNER; DESTINATION: whose connect() failed last */
	uint32_t pid;
	char comm[17];
	uint64_t time_wait, fin_wait2;	/* here now */
	uint64_t before;		/* of these: made before anything was heard of them */
	uint64_t closer[4];		/* of these, by enum tcpfsm_closer; NONE: not known */
	uint64_t open;			/* DESTINATION: connections to it that are no mini-sockets */
	uint64_t flow[TCPFSM_TW_FLOWS];	/* since attach */
	uint64_t recent[TCPFSM_TW_FLOWS]; /* since tcpfsm_timewaits_mark() */
	uint64_t failed, recent_failed;	/* connect() without a port (EADDRNOTAVAIL), likewise */
	uint64_t failed_ts;		/* the last one; epoch, 0: none */
	double seconds;			/* how long recent is; 0: below 0.1, too short for rates */
	/*
	 * At the pace of the last ten seconds, or up to 32 if few came; not of the rest, and
	 * below 0.1 s not known:
	 */
	double settles;			/* mini-sockets it will come to; -1: not known */
	uint64_t limit;			/* DESTINATION: ports that connect() can choose; NETNS: tw_max; */
					/* 0: not known */
	uint64_t used;			/* of limit, now */
	double full_in;			/* seconds until used is limit; -1: it will not, or not known */
	bool overflows;			/* DESTINATION: it will not, as the network namespace's tw_max is */
					/* reached first, and then ports are free at once */
	bool reuse;			/* DESTINATION: net.ipv4.tcp_tw_reuse lets connect() take those */
					/* with timestamps, which full_in does not count, then */
	uint32_t tw;			/* NETNS: mini-sockets as the kernel last told; with limit 0 it is deleted, */
					/* or nothing was told */
	bool has_maker;			/* DESTINATION: who made most of them since attach, if one */
	uint32_t maker_pid;		/* process made more than half, else one that made many */
	char maker_comm[17];
	const char *cgroup;		/* OWNER: its path in cgroup v2; NULL: not known; valid as long as */
					/* the call; printable ASCII, at most 255 */
	uint32_t dev;			/* DESTINATION: index of the device that its sockets are bound to; */
					/* 0: none */
};

/*
 * TIME_WAIT sockets of a destination by whether connect() could take their port now with
 * net.ipv4.tcp_tw_reuse: tcp_twsk_unique().
 */
struct tcpfsm_timewait_reuse {
	uint64_t ready;			/* yes: with timestamps, and old enough */
	uint64_t young;			/* with timestamps, but not yet */
	uint64_t without;		/* never: the peer sent no timestamps */
	uint64_t unknown;		/* here before anything was heard of them */
	uint32_t delay_ms;		/* how old that is: net.ipv4.tcp_tw_reuse_delay; 0: there is none */
					/* before Linux 6.14, and it began in a second before this one */
};

struct tcpfsm_timewaits_options {
	size_t size;
	const struct tcpfsm_filter *filter;	/* but states and causes; NULL: all */
	int64_t epoch_offset;		/* tcpfsm_source_epoch_offset() */
	uint64_t since;			/* epoch: attach; 0: with the snapshot, or the first event */
	size_t max_sockets;		/* 0: default (1 << 21) */
	size_t max_destinations;	/* 0: default (32768) */
	size_t max_owners;		/* 0: default (8192) */
	bool cgroups;			/* look up owners' names and cgroups in /proc of this machine */
};

struct tcpfsm_timewaits;
typedef int (*tcpfsm_timewait_fn)(const struct tcpfsm_timewait *tw, void *arg);

int tcpfsm_timewaits_new(struct tcpfsm_timewaits **t, const struct tcpfsm_timewaits_options *opts);
/* A raw item: SOCKET and TOTAL; others do nothing.  Return: 0 or -ENOMEM. */
int tcpfsm_timewaits_item(struct tcpfsm_timewaits *t, const struct tcpfsm_item *item);
/*
 * An event of the model (not raw), after the SOCKET items; those of a resync may come at any
 * time.  They are given to this first, to the model then.  Return: 0 or -ENOMEM.
 */
int tcpfsm_timewaits_event(struct tcpfsm_timewaits *t, const struct tcpfsm_event *ev);
/**
 * tcpfsm_timewaits_each() - the groups of a kind, those with most mini-sockets first, or as
 * tcpfsm_timewaits_sort() has it
 * @now: epoch
 * @max: so many; the others are one more, the last, with rest set
 *
 * Groups without sockets and without anything recent are left out, but not network
 * namespaces.  Return: what @fn returned if not 0, or -ENOMEM.
 */
int tcpfsm_timewaits_each(struct tcpfsm_timewaits *t, enum tcpfsm_timewait_kind kind,
			  uint64_t now, size_t max, tcpfsm_timewait_fn fn, void *arg);
/* TIME_WAIT sockets of a network namespace (0: all) by age at @now (epoch), to half a second. */
void tcpfsm_timewaits_ages(struct tcpfsm_timewaits *t, uint32_t netns, uint64_t now,
			   uint64_t ages[TCPFSM_TW_AGES]);
/*
 * Of the destination that tcpfsm_timewaits_each() told, at @now (epoch); of the rest only
 * those without a place.  Of other kinds all is 0.
 */
void tcpfsm_timewaits_reuse(struct tcpfsm_timewaits *t, const struct tcpfsm_timewait *dest,
			    uint64_t now, struct tcpfsm_timewait_reuse *out);
void tcpfsm_timewaits_sort(struct tcpfsm_timewaits *t, enum tcpfsm_timewait_sort by);
/* What is recent begins here: at @now (epoch). */
void tcpfsm_timewaits_mark(struct tcpfsm_timewaits *t, uint64_t now);
/*
 * Why the numbers are not certain, both 0 when they are: records lost since attach, and
 * sockets that found no place.
 */
void tcpfsm_timewaits_uncertain(const struct tcpfsm_timewaits *t, uint64_t *lost,
				uint64_t *untold);
/*
 * When sockets were last read again, after all that was lost (epoch): they are certain since
 * then, and flows have a hole before.  0: they were not, or records were lost since.
 */
uint64_t tcpfsm_timewaits_resynced(const struct tcpfsm_timewaits *t);
void tcpfsm_timewaits_free(struct tcpfsm_timewaits *t);

/* ---- connects: who connects where, and how it goes ---------------------------------- */

/* What connects are summed by. */
#define TCPFSM_CONNECT_BYS(X) \
	X(DESTINATION, "destination")	/* network namespace, process, remote address and port */ \
	X(HOST, "host")			/* network namespace, remote address */ \
	X(NET, "net")			/* the same, /24 or /64 of it */ \
	X(PORT, "port")			/* network namespace, remote port */ \
	X(PROCESS, "process") \
	X(CONTAINER, "container")	/* or unit, or else cgroup, of the process */
#define TCPFSM_ENUM_CONNECT_BY(s, name) TCPFSM_CONNECT_BY_##s,
enum tcpfsm_connect_by { TCPFSM_CONNECT_BYS(TCPFSM_ENUM_CONNECT_BY) };

/* What tcpfsm_connects_each() goes by, the most first. */
#define TCPFSM_CONNECT_SORTS(X) \
	X(ATTEMPTS, "attempts") X(FAILED, "failed") X(PROGRESS, "progress") X(SLOW, "slow") \
	X(RESENT, "resent") X(RESETS, "resets") X(LIVE, "live") X(PORTS, "ports")
#define TCPFSM_ENUM_CONNECT_SORT(s, name) TCPFSM_CONNECT_SORT_##s,
enum tcpfsm_connect_sort { TCPFSM_CONNECT_SORTS(TCPFSM_ENUM_CONNECT_SORT) };

#define TCPFSM_CONNECT_ERRORS	8

/* Counts of connections that were opened from here, since attach or tcpfsm_connects_mark(). */
struct tcpfsm_connect_counts {
	uint64_t attempts;		/* connect() that got as far as a SYN, or failed before it */
	uint64_t established;
	uint64_t failed;		/* of these by errno: */
	uint64_t by_errno[TCPFSM_CONNECT_ERRORS]; /* as tcpfsm_connect_errno() has it */
	uint64_t given_up;		/* closed by the process itself before an answer came */
	uint64_t resent;		/* SYNs sent again */
	uint64_t resets;		/* connections ended by an RST, of either side, once established */
	uint64_t closed[4];		/* ended, by enum tcpfsm_closer: who closed first */
	uint64_t handshake_us[TCPFSM_TOTAL_BUCKETS]; /* SYN to ESTABLISHED; as all histograms */
};

struct tcpfsm_connect {
	uint8_t by;			/* enum tcpfsm_connect_by */
	bool rest;			/* sum of those that found no place, or are beyond the max of a reading */
	uint8_t family;			/* 0: of several destinations' ends nothing is the same */
	uint8_t bits;			/* of raddr, that count; 0: none */
	uint16_t rport;			/* 0: several */
	uint32_t netns;			/* 0: several */
	uint8_t raddr[16];		/* as in struct tcpfsm_record */
	bool has_owner;
	uint32_t pid;
	char comm[17];
	const char *container;		/* NULL: not known; valid as long as the call */
	uint64_t rows;			/* destinations in it */
	struct tcpfsm_connect_counts total, recent;
	uint64_t progress;		/* now: in SYN_SENT */
	uint64_t live;			/* now: established and not in TIME_WAIT or closed */
	uint64_t ports_used, ports;	/* of the destination that has taken most of its ports; ports 0: not known */
	double seconds;			/* how long recent is; 0: below 0.1 */
};

struct tcpfsm_connects_options {
	size_t size;
	const struct tcpfsm_filter *filter;	/* but states and causes; NULL: all */
	int64_t epoch_offset;		/* tcpfsm_source_epoch_offset() */
	size_t max_sockets;		/* 0: default (1 << 21) */
	size_t max_rows;		/* 0: default (32768) */
	struct tcpfsm_timewaits *ledger; /* of the caller, who feeds it before this: ports, and what was */
					/* opened by peers; NULL: neither is known */
	bool cgroups;			/* look up containers: in /proc of this machine, or see tcpfsm_names_recorded() */
};

struct tcpfsm_connects;
typedef int (*tcpfsm_connect_fn)(const struct tcpfsm_connect *c, void *arg);

int tcpfsm_connects_new(struct tcpfsm_connects **c, const struct tcpfsm_connects_options *opts);
/* A raw item: SOCKET; others do nothing.  Return: 0 or -ENOMEM. */
int tcpfsm_connects_item(struct tcpfsm_connects *c, const struct tcpfsm_item *item);
/* An event of the model (not raw), with all transitions.  Return: 0 or -ENOMEM. */
int tcpfsm_connects_event(struct tcpfsm_connects *c, const struct tcpfsm_event *ev);
/**
 * tcpfsm_connects_each() - the rows by some key, those with most first
 * @now: epoch
 * @max: so many; the others, and what found no place, are one more, the last, with rest set
 * @filter: of rows, as tcpfsm_filter_subject() has it; NULL: all
 *
 * Return: what @fn returned if not 0, or -ENOMEM.
 */
int tcpfsm_connects_each(struct tcpfsm_connects *c, enum tcpfsm_connect_by by, enum tcpfsm_connect_sort sort,
			 uint64_t now, size_t max, const struct tcpfsm_filter *filter, tcpfsm_connect_fn fn,
			 void *arg);
/* What is recent begins here: at @now (epoch). */
void tcpfsm_connects_mark(struct tcpfsm_connects *c, uint64_t now);
/* The errno of by_errno[i]; 0: any other. */
int tcpfsm_connect_errno(unsigned int i);
/* Records lost, and sockets and rows that found no place: why numbers are not certain. */
void tcpfsm_connects_uncertain(const struct tcpfsm_connects *c, uint64_t *lost, uint64_t *untold);
void tcpfsm_connects_free(struct tcpfsm_connects *c);

/* ---- follow: all of that, to the end ------------------------------------------------ */

/* What is no record. */
enum tcpfsm_notice_type {
	TCPFSM_NOTICE_SNAPSHOT,		/* the snapshot is over */
	TCPFSM_NOTICE_RESYNC,		/* after a loss the sockets have been read again */
	TCPFSM_NOTICE_TOTALS,		/* a reading of totals has come, or failed */
};

struct tcpfsm_notice {
	uint8_t type;			/* enum tcpfsm_notice_type */
	bool again;			/* RESYNC: less than 10 s ago there was one, too */
	int error;			/* 0, or why something is missing, a negative errno: as */
					/* tcpfsm_source_snapshot() (RESYNC, too) or */
					/* tcpfsm_source_totals() has it */
	uint64_t took_ns;		/* RESYNC, TOTALS: nanoseconds */
};

/*
 * Callbacks return 0, 1: enough seen, or a negative errno, which ends it likewise.  What they
 * are given is valid during the call.  NULL: of no interest.
 */
struct tcpfsm_follow_options {
	size_t size;			/* sizeof(struct tcpfsm_follow_options) */
	const char *device;		/* node; NULL: TCPFSM_DEVICE */
	const char *recording;		/* a directory, and no device; NULL: live */
	/* Live; as in struct tcpfsm_source_options: */
	bool follow_new, snapshot;
	uint32_t netns;
	/*
	 * Live: totals are read before the first record, every totals_ns nanoseconds (0: not),
	 * but so that it takes a quarter of all time at most, and, if anybody takes items, after
	 * the last record.  A reading that fails ends nothing by itself: a notice tells, what
	 * was read before stands, and the next one comes at its time.
	 */
	bool totals;
	uint64_t totals_ns;
	bool state_only;		/* live: sockets and totals, and no record: then floods */
					/* cost nothing.  It ends with the last reading */
	bool resync;			/* live: sockets are read again after losses, each second */
					/* and a tenth of all time at most */
	uint64_t duration;		/* nanoseconds from now, or from the first record of a */
					/* recording; 0: no end */
	const volatile sig_atomic_t *interrupted; /* not 0, by a signal handler: the end is now; */
					/* NULL: none */
	const struct tcpfsm_model_options *model; /* its epoch_offset is the source's; NULL: no */
					/* model and no events; for tcpfsm_follow_open() only */
	tcpfsm_event_fn event;		/* an event of the model; needed with model */
	/* SOCKET and TOTAL, before the model has them. */
	int (*item)(const struct tcpfsm_item *item, void *arg);
	int (*notice)(const struct tcpfsm_notice *notice, void *arg);
	tcpfsm_ladder_fn ladder;	/* of the consumer ladders */
	/*
	 * In place of item, model and consumers: what was read, as it lies in memory; n 0:
	 * nothing comes, so what waits in the model is to be flushed.
	 */
	int (*batch)(const struct tcpfsm_item *items, size_t n, void *arg);
	void *arg;			/* of all callbacks */
	const char *second;		/* with recording: that of another host, to be read as one with it; NULL: none */
	struct tcpfsm_join *join;	/* with second: set to how they fit */
	bool growing;			/* with recording: while it is being written on this machine it is */
					/* read on, as if it were live: a step ends with IDLE, duration */
					/* is from now on, and a reading of totals is told by a notice */
};

/* Of the caller, who frees them once it is closed; NULL: none. */
struct tcpfsm_consumers {
	size_t size;			/* sizeof(struct tcpfsm_consumers) */
	struct tcpfsm_timewaits *timewaits;
	struct tcpfsm_explain *explain;
	struct tcpfsm_listeners *listeners;
	struct tcpfsm_checks *checks;
	struct tcpfsm_ladders *ladders;	/* settled when nothing comes, flushed at the end */
	struct tcpfsm_connects *connects; /* after the ledger */
};

struct tcpfsm_follow;

/**
 * tcpfsm_follow_open() - a source, and the model of what it tells
 * @info: as tcpfsm_source_open_device() has it; of a recording, features and their errors; may be NULL
 * @why: as tcpfsm_source_open_recording() has it; may be NULL
 *
 * Return: 0; errors of these two and of tcpfsm_model_new(); -ENOMEM.
 */
int tcpfsm_follow_open(struct tcpfsm_follow **f, const struct tcpfsm_follow_options *opts,
		       struct tcpfsm_info *info, const char **why);
/*
 * Before the first step: items and events go to the callback first, then to these, in the order
 * that they ask for.  Return: 0, or -EINVAL or -E2BIG for its size.
 */
int tcpfsm_follow_consumers(struct tcpfsm_follow *f, const struct tcpfsm_consumers *to);

enum { TCPFSM_FOLLOW_IDLE, TCPFSM_FOLLOW_MORE, TCPFSM_FOLLOW_END };

/**
 * tcpfsm_follow_step() - sleep if the last step ended with IDLE, and read what there is
 * @budget_ns: about so long, in nanoseconds; 0: until there is no more, which may be never
 * @timeout_ms: longest sleep; -1: half a second, as with all that is longer.  It is shorter
 *		when records come, something is due, a signal comes, or what
 *		tcpfsm_source_watch() watches
 *
 * At the end what waits is let go, and state that is wanted is read once more, but not after
 * a callback has ended it.
 *
 * Return: TCPFSM_FOLLOW_IDLE (0): nothing more for now; _MORE: the budget is used up; _END:
 * the recording, the duration or the caller's interest is over; errors of the source or of a
 * callback, and then, too, there is no next step.
 */
int tcpfsm_follow_step(struct tcpfsm_follow *f, uint64_t budget_ns, int timeout_ms);
/**
 * tcpfsm_follow_totals() - between two steps, with state_only: read totals now
 *
 * Return: 0; -EINVAL: a recording, or not state_only; errors of the source or of a callback.
 */
int tcpfsm_follow_totals(struct tcpfsm_follow *f);
/* Between two steps: totals have come, but not yet all of this reading; who shows them waits for the rest. */
bool tcpfsm_follow_reading(const struct tcpfsm_follow *f);
/* Its own, for counts, clock and state; NULL: there is no model.  They are not to be fed. */
struct tcpfsm_source *tcpfsm_follow_source(struct tcpfsm_follow *f);
struct tcpfsm_model *tcpfsm_follow_model(struct tcpfsm_follow *f);
void tcpfsm_follow_close(struct tcpfsm_follow *f);

/* ---- names and text -------------------------------------------------------- */

const char *tcpfsm_state_name(unsigned int state);	/* "ESTABLISHED"; "?" when out of range */
const char *tcpfsm_event_name(unsigned int type);
const char *tcpfsm_cause_name(unsigned int cause);
/* The number behind a name, in any case and with '-' for '_'; -1: there is none. */
int tcpfsm_state_by_name(const char *name, size_t len);
int tcpfsm_cause_by_name(const char *name, size_t len);
int tcpfsm_timewait_sort_by_name(const char *name, size_t len);
int tcpfsm_connect_by_by_name(const char *name, size_t len);
int tcpfsm_connect_sort_by_name(const char *name, size_t len);
const char *tcpfsm_verdict_name(unsigned int verdict);
const char *tcpfsm_reason_name(unsigned int reason);
const char *tcpfsm_tw_action_name(unsigned int action);
const char *tcpfsm_segment_name(unsigned int segment);
const char *tcpfsm_direction_name(unsigned int direction);
const char *tcpfsm_rst_reason_name(unsigned int reason);
const char *tcpfsm_feature_name(unsigned int feature);
const char *tcpfsm_feature_text(unsigned int feature);
/* Why it is off, and what to do where something can be done: of struct tcpfsm_info's error. */
const char *tcpfsm_feature_reason(int error);
/* Bits of the features that could not be switched on.  NULL: 0. */
uint64_t tcpfsm_features_off(const struct tcpfsm_info *info);
const char *tcpfsm_errno_name(unsigned int err);	/* "ECONNREFUSED" */

/* Longest JSON line, newline included. */
#define TCPFSM_JSON_MAX 1024
/* Formats ev as one JSON object and a newline; returns the length (no NUL). */
size_t tcpfsm_event_json(const struct tcpfsm_event *ev, char buf[TCPFSM_JSON_MAX]);
/* The same for the life of ev, which tells its end (or tcpfsm_model_unfinished()). */
size_t tcpfsm_life_json(const struct tcpfsm_event *ev, char buf[TCPFSM_JSON_MAX]);
/*
 * How a life ended, by the event that ends it: TCPFSM_CAUSE_NONE after FINs of
 * both sides and their ACKs, or the cause that cut it short.
 */
unsigned int tcpfsm_life_end(const struct tcpfsm_event *ev);

/*
 * tcpfsm_event_json() for who writes many lines, the same bytes for less: it keeps the text of the
 * connections that came last.  Not for several threads at a time.
 */
struct tcpfsm_json_writer;
/* Return: NULL: no memory. */
struct tcpfsm_json_writer *tcpfsm_json_writer_new(void);
/* NULL does nothing. */
void tcpfsm_json_writer_free(struct tcpfsm_json_writer *w);
/* w: NULL: nothing is kept. */
size_t tcpfsm_json_writer_event(struct tcpfsm_json_writer *w, const struct tcpfsm_event *ev,
				char buf[TCPFSM_JSON_MAX]);

#define TCPFSM_COMM_JSON_MAX 128
/* The name of a process as it stands between quotes; returns the length (no NUL). */
size_t tcpfsm_comm_json(const char comm[17], char buf[TCPFSM_COMM_JSON_MAX]);

#ifdef __cplusplus
}
#endif
#endif /* TCPFSM_H */
