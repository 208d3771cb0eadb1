// SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only
/* Numbers to names, from the tables of the two headers. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "names.h"
#include "opts.h"

#define NAME_STATE(sym, n, name)	[n] = NAME(name),
const struct name names_state[16] = { TCPFSM_STATES(NAME_STATE) };

#define NAME_CAUSE(sym, name)		[TCPFSM_CAUSE_##sym] = NAME(name),
const struct name names_cause[32] = { TCPFSM_CAUSES(NAME_CAUSE) };

#define NAME_SORT(sym, name)		[TCPFSM_TIMEWAIT_BY_##sym] = NAME(name),
#define NAME_PLAIN(sym, name)		NAME(name),
static const struct name names_timewait_sort[] = { TCPFSM_TIMEWAIT_SORTS(NAME_SORT) };
static const struct name names_connect_by[] = { TCPFSM_CONNECT_BYS(NAME_PLAIN) };
static const struct name names_connect_sort[] = { TCPFSM_CONNECT_SORTS(NAME_PLAIN) };

#define NAME_ENTRY(sym, n, name, text)	[n] = NAME(name),
const struct name names_verdict[8] = { TCPFSM_VERDICTS(NAME_ENTRY) };
const struct name names_reason[16] = { TCPFSM_REASONS(NAME_ENTRY) };
const struct name names_tw_action[16] = { TCPFSM_TW_ACTIONS(NAME_ENTRY) };
const struct name names_segment[8] = { TCPFSM_SEGMENTS(NAME_ENTRY) };
const struct name names_rst_reason[16] = { TCPFSM_RST_REASONS(NAME_ENTRY) };
const struct name names_direction[4] = { TCPFSM_DIRECTIONS(NAME_ENTRY) };

/* Our own: strerrorname_np() needs glibc 2.32. */
#define ERRNOS(X) \
	X(EPERM) X(ENOENT) X(ESRCH) X(EINTR) X(EIO) X(ENXIO) X(E2BIG) X(ENOEXEC) \
	X(EBADF) X(ECHILD) X(EAGAIN) X(ENOMEM) X(EACCES) X(EFAULT) X(ENOTBLK) \
	X(EBUSY) X(EEXIST) X(EXDEV) X(ENODEV) X(ENOTDIR) X(EISDIR) X(EINVAL) \
	X(ENFILE) X(EMFILE) X(ENOTTY) X(ETXTBSY) X(EFBIG) X(ENOSPC) X(ESPIPE) \
	X(EROFS) X(EMLINK) X(EPIPE) X(EDOM) X(ERANGE) X(EDEADLK) X(ENAMETOOLONG) \
	X(ENOLCK) X(ENOSYS) X(ENOTEMPTY) X(ELOOP) X(ENOMSG) X(EIDRM) X(ECHRNG) \
	X(EL2NSYNC) X(EL3HLT) X(EL3RST) X(ELNRNG) X(EUNATCH) X(ENOCSI) X(EL2HLT) \
	X(EBADE) X(EBADR) X(EXFULL) X(ENOANO) X(EBADRQC) X(EBADSLT) X(EBFONT) \
	X(ENOSTR) X(ENODATA) X(ETIME) X(ENOSR) X(ENONET) X(ENOPKG) X(EREMOTE) \
	X(ENOLINK) X(EADV) X(ESRMNT) X(ECOMM) X(EPROTO) X(EMULTIHOP) X(EDOTDOT) \
	X(EBADMSG) X(EOVERFLOW) X(ENOTUNIQ) X(EBADFD) X(EREMCHG) X(ELIBACC) \
	X(ELIBBAD) X(ELIBSCN) X(ELIBMAX) X(ELIBEXEC) X(EILSEQ) X(ERESTART) \
	X(ESTRPIPE) X(EUSERS) X(ENOTSOCK) X(EDESTADDRREQ) X(EMSGSIZE) X(EPROTOTYPE) \
	X(ENOPROTOOPT) X(EPROTONOSUPPORT) X(ESOCKTNOSUPPORT) X(EOPNOTSUPP) \
	X(EPFNOSUPPORT) X(EAFNOSUPPORT) X(EADDRINUSE) X(EADDRNOTAVAIL) X(ENETDOWN) \
	X(ENETUNREACH) X(ENETRESET) X(ECONNABORTED) X(ECONNRESET) X(ENOBUFS) \
	X(EISCONN) X(ENOTCONN) X(ESHUTDOWN) X(ETOOMANYREFS) X(ETIMEDOUT) \
	X(ECONNREFUSED) X(EHOSTDOWN) X(EHOSTUNREACH) X(EALREADY) X(EINPROGRESS) \
	X(ESTALE) X(EUCLEAN) X(ENOTNAM) X(ENAVAIL) X(EISNAM) X(EREMOTEIO) X(EDQUOT) \
	X(ENOMEDIUM) X(EMEDIUMTYPE) X(ECANCELED) X(ENOKEY) X(EKEYEXPIRED) \
	X(EKEYREVOKED) X(EKEYREJECTED) X(EOWNERDEAD) X(ENOTRECOVERABLE) X(ERFKILL) \
	X(EHWPOISON)

#define NAME_ERRNO(e)			[e] = NAME(#e),
const struct name names_errno[256] = { ERRNOS(NAME_ERRNO) };

static const char *name_or_unknown(const struct name *table, size_t size, unsigned int n)
{
	return n < size && table[n].len ? table[n].s : "?";
}

#define LOOKUP(table, n)	name_or_unknown(table, sizeof(table) / sizeof((table)[0]), n)

const char *tcpfsm_state_name(unsigned int state)
{
	return LOOKUP(names_state, state);
}

const char *tcpfsm_cause_name(unsigned int cause)
{
	/* TCPFSM_CAUSE_NONE is "". */
	return cause ? LOOKUP(names_cause, cause) : "";
}

/* A name as people type it: any case, '-' for '_'. */
static int by_name(const struct name *table, size_t size, const char *name, size_t len)
{
	size_t i, j;

	for (i = 0; i < size; i++) {
		if (!len || table[i].len != len)
			continue;
		for (j = 0; j < len; j++)
			if (tolower((unsigned char)table[i].s[j]) !=
			    (name[j] == '-' ? '_' : tolower((unsigned char)name[j])))
				break;
		if (j == len)
			return (int)i;
	}
	return -1;
}

int tcpfsm_state_by_name(const char *name, size_t len)
{
	return by_name(names_state, sizeof(names_state) / sizeof(names_state[0]), name, len);
}

int tcpfsm_cause_by_name(const char *name, size_t len)
{
	return by_name(names_cause, sizeof(names_cause) / sizeof(names_cause[0]), name, len);
}

int tcpfsm_timewait_sort_by_name(const char *name, size_t len)
{
	return by_name(names_timewait_sort, sizeof(names_timewait_sort) / sizeof(names_timewait_sort[0]),
		       name, len);
}

int tcpfsm_connect_by_by_name(const char *name, size_t len)
{
	return by_name(names_connect_by, sizeof(names_connect_by) / sizeof(names_connect_by[0]), name, len);
}

int tcpfsm_connect_sort_by_name(const char *name, size_t len)
{
	return by_name(names_connect_sort, sizeof(names_connect_sort) / sizeof(names_connect_sort[0]), name, len);
}

const char *tcpfsm_verdict_name(unsigned int verdict)
{
	return LOOKUP(names_verdict, verdict);
}

const char *tcpfsm_reason_name(unsigned int reason)
{
	return LOOKUP(names_reason, reason);
}

const char *tcpfsm_tw_action_name(unsigned int action)
{
	return LOOKUP(names_tw_action, action);
}

const char *tcpfsm_segment_name(unsigned int segment)
{
	return LOOKUP(names_segment, segment);
}

const char *tcpfsm_rst_reason_name(unsigned int reason)
{
	return LOOKUP(names_rst_reason, reason);
}

const char *tcpfsm_direction_name(unsigned int direction)
{
	return LOOKUP(names_direction, direction);
}

const char *tcpfsm_errno_name(unsigned int err)
{
	return LOOKUP(names_errno, err);
}

const char *tcpfsm_event_name(unsigned int type)
{
#define EVENT_NAME(sym, name)		[TCPFSM_EVENT_##sym] = name,
	static const char * const names[] = { TCPFSM_EVENTS(EVENT_NAME) };

	return type < sizeof(names) / sizeof(names[0]) ? names[type] : "?";
}

#define FEATURE_NAME(sym, n, name, text) [n] = { name, text },
static const struct {
	const char *name, *text;
} features[TCPFSM_FEATURE_SLOTS] = { TCPFSM_FEATURES(FEATURE_NAME) };

const char *tcpfsm_feature_name(unsigned int feature)
{
	return feature < TCPFSM_FEATURE_SLOTS && features[feature].name ?
	       features[feature].name : "?";
}

const char *tcpfsm_feature_text(unsigned int feature)
{
	return feature < TCPFSM_FEATURE_SLOTS && features[feature].text ?
	       features[feature].text : "";
}

const char *tcpfsm_feature_reason(int error)
{
	switch (error) {
	case 0:
		return "not attached";
	case -ENOENT:
		return "the kernel has no such function or tracepoint";
	case -EOPNOTSUPP:
	case -ENOSYS:
		return "the kernel is configured without what the hook needs";
	case -EINVAL:
		return "the kernel does not let the function be traced";
	case -ENOMEM:
		return "no memory when the module was loaded";
	case -EBUSY:
		return "kernel.ftrace_enabled was 0 when the module was loaded: run sysctl -w "
		       "kernel.ftrace_enabled=1, then load the module again";
	}
	return "the hook could not be attached, see dmesg";
}

uint64_t tcpfsm_features_off(const struct tcpfsm_info *info)
{
	struct tcpfsm_info known;
	uint64_t off = 0;
	unsigned int i;

	if (!info)
		return 0;
	copy_info(&known, info);
	for (i = 0; i < TCPFSM_FEATURE_SLOTS; i++)
		if (known.error[i])
			off |= 1ULL << i;
	return off & ~known.features;
}

#define NAME_TOTAL(sym, n, name, merge, text)	[n] = name,
static const char * const totals[TCPFSM_TOTAL_NUM] = { TCPFSM_TOTALS(NAME_TOTAL) };
#define NAME_GONE(sym, n, name, text)		[n] = name,
static const char * const gone[8] = { TCPFSM_GONE(NAME_GONE) };
#define NAME_KERNEL(sym, n, name)		[n] = name,
static const char * const kernel[32] = { TCPFSM_KERNEL(NAME_KERNEL) };

/* Totals that belong together: "prefix.NAME", or "prefix.NUMBER" without names. */
static const struct {
	uint16_t first, n;
	const char *prefix;
	const struct name *names;
	const char * const *strings;
} groups[] = {
	{ TCPFSM_TOTAL_SYN_DROPPED, TCPFSM_TOTAL_REASONS, "syn_dropped", names_reason, NULL },
	{ TCPFSM_TOTAL_ACK_DROPPED, TCPFSM_TOTAL_REASONS, "ack_dropped", names_reason, NULL },
	{ TCPFSM_TOTAL_ACK_RESET, TCPFSM_TOTAL_REASONS, "ack_reset", names_reason, NULL },
	{ TCPFSM_TOTAL_GONE, 8, "gone", NULL, gone },
	{ TCPFSM_TOTAL_TW, 9, "timewait", names_tw_action, NULL },
	{ TCPFSM_TOTAL_SYNQ_LENGTH, 32, "synq_length", NULL, NULL },
	{ TCPFSM_TOTAL_ACCEPTQ_LENGTH, 32, "acceptq_length", NULL, NULL },
	{ TCPFSM_TOTAL_HANDSHAKE_US, 32, "handshake_us", NULL, NULL },
	{ TCPFSM_TOTAL_ACCEPT_US, 32, "accept_us", NULL, NULL },
	{ TCPFSM_TOTAL_KERNEL_BASE, 32, "kernel_base", NULL, kernel },
	{ TCPFSM_TOTAL_KERNEL, 32, "kernel", NULL, kernel },
};

const char *tcpfsm_total_name(unsigned int index, char buf[64])
{
	unsigned int i;

	if (index < TCPFSM_TOTAL_NUM && totals[index])
		return totals[index];
	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		unsigned int n = index - groups[i].first;
		const char *name = NULL;

		if (index < groups[i].first || n >= groups[i].n)
			continue;
		if (groups[i].names)
			name = groups[i].names[n].len ? groups[i].names[n].s : NULL;
		else if (groups[i].strings)
			name = groups[i].strings[n];
		if (!name && groups[i].n <= 16)	/* no histogram */
			continue;
		if (name)
			snprintf(buf, 64, "%s.%s", groups[i].prefix, name);
		else
			snprintf(buf, 64, "%s.%u", groups[i].prefix, n);
		return buf;
	}
	return "?";
}
