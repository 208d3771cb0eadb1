/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/* What a process that lives tells of itself in /proc. */
#ifndef TCPFSM_LIB_PROC_H
#define TCPFSM_LIB_PROC_H

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/*
 * Descriptors that it has open, and may have (RLIMIT_NOFILE); proc: the folder, "/proc".  False: it is gone,
 * or nobody else may look.
 */
bool proc_descriptors(const char *proc, uint32_t pid, uint64_t *used, uint64_t *limit);

/* X(name in /proc/PID/net/netstat, what it counts): dropped before a listener or a connection has it. */
#define PROC_DROPS(X) \
	X("TCPMD5NotFound", "segments without the TCP-MD5 signature that the socket demands") \
	X("TCPMD5Unexpected", "segments with a TCP-MD5 signature that the socket has no key for") \
	X("TCPMD5Failure", "segments with a wrong TCP-MD5 signature") \
	X("TCPAORequired", "segments without the TCP-AO signature that the socket demands") \
	X("TCPAOBad", "segments with a wrong TCP-AO signature") \
	X("TCPAOKeyNotFound", "segments with a TCP-AO key that the socket does not have") \
	X("TCPMinTTLDrop", "segments that came over more hops than IP_MINTTL allows") \
	X("IPReversePathFilter", "packets that rp_filter takes for forged, as the way back is another one")
#define PROC_NDROPS	8

/*
 * Those counters of a process's network namespace; pid 0: of ours; one that the kernel has not is 0.  False: they
 * cannot be read.
 */
bool proc_drops(const char *proc, uint32_t pid, uint64_t drops[PROC_NDROPS]);

#pragma GCC visibility pop
#endif /* TCPFSM_LIB_PROC_H */
