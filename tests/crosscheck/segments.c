// SPDX-License-Identifier: GPL-2.0-only
/*
 * segments RECORDING: does every SYN, SYN-ACK, FIN and RST of a capture have its place in the
 * trace?  Lines on stdin: NAME NETNS_C NETNS_S CAPTURE_C CAPTURE_S (inodes of the network
 * namespaces of both ends; what tcpdump -i any -y LINUX_SLL2 wrote there, or -).
 *
 * Each segment is looked at where it left, and asks for a record of that end that tells it, with
 * the same addresses, ports and, where the record has it, sequence number.  A record tells one
 * segment sent and one received only.  Where no socket of that end has sent it (a raw socket
 * did), the other end has to have told what it received.  What parameter syn_limit left out is
 * told as a number.  A source address that no unicast segment can have is dropped by IP
 * (IpExtInNoRoutes, martian sources): TCP gets to see none of them, and so do we.
 *
 * Prints a line "ok - " or "not ok - " for each, with the number of segments, and below it each
 * that has no place.  An end without a capture is seen by what the other one received of it.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tcpfsm.h"

#define DLT_LINUX_SLL2	276
#define SLL2_LEN	20
#define ARPHRD_LOOPBACK	772
#define PACKET_OUTGOING	4
#define LIST_MAX	10
#define NSEC_PER_SEC	INT64_C(1000000000)
/* Some records are written after their segment, and the clocks are read apart. */
#define SLACK		(NSEC_PER_SEC / 2)

enum kind { SYN, SYNACK, FIN, RST, KINDS };

struct segment {
	int64_t ts;
	enum kind kind;
	uint8_t src[16], dst[16], family;
	uint16_t sport, dport;
	uint32_t seq;
};

struct told {
	struct tcpfsm_record r;
	bool used[2];			/* as received, as sent */
};

static struct {
	struct told *told;
	size_t n;
	int64_t epoch_offset;
	uint64_t left_out[KINDS];	/* of the scenario; a SYN that is may have had a SYN-ACK */
	uint64_t count[KINDS], at_sender, at_receiver, counted, martian, lost;
	char *list;
	size_t list_len;
	FILE *out;
} s;

static void read_recording(const char *dir)
{
	const struct tcpfsm_item *item;
	struct tcpfsm_source *src;
	const char *why = "";
	size_t room = 0;
	int rc;

	if (tcpfsm_source_open_recording(&src, dir, &why))
		errx(1, "%s: no recording there: %s", dir, why);
	s.epoch_offset = tcpfsm_source_epoch_offset(src);
	while ((rc = tcpfsm_source_next(src, &item)) > 0) {
		if (item->lost)
			errx(1, "%s: %" PRIu64 " records are lost", dir, item->lost);
		if (item->rec.type == TCPFSM_TYPE_SOCKET || item->rec.type == TCPFSM_TYPE_TOTAL)
			continue;
		if (s.n == room) {
			room = room ? room * 2 : 65536;
			s.told = realloc(s.told, room * sizeof(*s.told));
			if (!s.told)
				err(1, NULL);
		}
		s.told[s.n++] = (struct told){ .r = item->rec };
	}
	if (rc < 0 && rc != -ENODATA)
		errx(1, "%s: %s", dir, tcpfsm_source_error(src));
	tcpfsm_source_close(src);
}

static bool same(const struct tcpfsm_record *r, const struct segment *g, bool sent)
{
	const uint8_t *laddr = sent ? g->src : g->dst, *raddr = sent ? g->dst : g->src;

	return r->family == g->family && r->lport == (sent ? g->sport : g->dport) &&
	       r->rport == (sent ? g->dport : g->sport) && !memcmp(r->laddr, laddr, 16) &&
	       !memcmp(r->raddr, raddr, 16);
}

/* Does it tell that this end sent the segment? */
static bool tells_sent(const struct tcpfsm_record *r, const struct segment *g)
{
	unsigned int again[] = { TCPFSM_SEGMENT_SYN, TCPFSM_SEGMENT_SYNACK, TCPFSM_SEGMENT_FIN };

	if (r->type == TCPFSM_TYPE_RETRANSMIT)
		return g->kind != RST && r->verdict == again[g->kind] && r->snd == g->seq;
	switch (g->kind) {
	case SYN:
		return r->type == TCPFSM_TYPE_STATE && r->new_state == TCP_SYN_SENT && r->snd == g->seq;
	case SYNACK:
		return (r->type == TCPFSM_TYPE_SYN && r->snd == g->seq &&
			(r->verdict == TCPFSM_VERDICT_QUEUED ||
			 r->verdict == TCPFSM_VERDICT_COOKIE)) ||
		       (r->type == TCPFSM_TYPE_STATE && r->old_state == TCP_SYN_SENT &&
			r->new_state == TCP_SYN_RECV && r->snd == g->seq + 1);
	case FIN:
		return r->type == TCPFSM_TYPE_STATE &&
		       (r->new_state == TCP_FIN_WAIT1 || r->new_state == TCP_LAST_ACK);
	default:
		return r->type == TCPFSM_TYPE_RESET && r->verdict == TCPFSM_DIRECTION_SENT;
	}
}

/* Does it tell that this end received the segment, and what became of that? */
static bool tells_received(const struct tcpfsm_record *r, const struct segment *g)
{
	switch (r->type) {
	case TCPFSM_TYPE_SYN:
		return g->kind == SYN && r->rcv == g->seq;
	case TCPFSM_TYPE_RETRANSMIT:
		return g->kind == SYN && r->verdict == TCPFSM_SEGMENT_SYNACK && r->rcv == g->seq;
	case TCPFSM_TYPE_TIMEWAIT:
		return r->verdict == TCPFSM_TW_REFRESH || r->verdict == TCPFSM_TW_REOPEN ||
		       r->verdict == TCPFSM_TW_KILL;
	case TCPFSM_TYPE_RESET:
		return r->verdict == TCPFSM_DIRECTION_SENT ? g->kind != RST : g->kind == RST;
	case TCPFSM_TYPE_REQUEST_GONE:
		return g->kind == RST && r->verdict == TCPFSM_GONE_RCV_RST;
	case TCPFSM_TYPE_STATE:
		return g->kind == FIN && (r->flags & TCPFSM_F_SHUT_RCV);
	}
	return false;
}

/* The nearest in time that tells it and has told no other. */
static bool find(uint32_t netns, const struct segment *g, bool sent)
{
	struct told *t, *best = NULL;
	int64_t ts, best_away = INT64_MAX;

	for (t = s.told; t < s.told + s.n; t++) {
		if (t->used[sent] || t->r.netns != netns || !same(&t->r, g, sent) ||
		    !(sent ? tells_sent(&t->r, g) : tells_received(&t->r, g)))
			continue;
		ts = (int64_t)t->r.ts + s.epoch_offset;
		if (sent ? ts > g->ts + SLACK : ts < g->ts - SLACK)
			continue;
		if (llabs(ts - g->ts) < best_away) {
			best_away = llabs(ts - g->ts);
			best = t;
		}
	}
	if (best)
		best->used[sent] = true;
	return best;
}

/* As ip_route_input_slow() has it. */
static bool is_martian(const struct segment *g)
{
	return g->family == 4 ? !g->src[0] || g->src[0] >= 224 ||
				(g->src[0] == 127 && g->dst[0] != 127) :
				g->src[0] == 0xff;
}

static void place(const struct segment *g, uint32_t from, uint32_t to)
{
	static const char *const names[] = { "SYN", "SYN-ACK", "FIN", "RST" };
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];
	int af = g->family == 4 ? AF_INET : AF_INET6;

	s.count[g->kind]++;
	if (find(from, g, true)) {
		s.at_sender++;
	} else if (find(to, g, false)) {
		s.at_receiver++;
	} else if (s.left_out[g->kind]) {
		s.left_out[g->kind]--;
		s.counted++;
	} else if (is_martian(g)) {
		s.martian++;
	} else if (++s.lost <= LIST_MAX) {
		fprintf(s.out, "  %s %s:%u > %s:%u seq %u at %" PRId64 ".%09" PRId64 "\n",
			names[g->kind], inet_ntop(af, g->src, a, sizeof(a)), g->sport,
			inet_ntop(af, g->dst, b, sizeof(b)), g->dport, g->seq,
			g->ts / NSEC_PER_SEC, g->ts % NSEC_PER_SEC);
	}
}

static uint32_t get(const uint8_t *p, int bytes)
{
	uint32_t v = 0;

	while (bytes--)
		v = v << 8 | *p++;
	return v;
}

/* Return: is it one of those we look for? */
static bool parse(const uint8_t *p, size_t len, struct segment *g)
{
	size_t header;
	uint8_t flags;

	if (len < 20)
		return false;
	g->family = p[0] >> 4;
	header = g->family == 4 ? (p[0] & 15) * 4 : 40;
	if (len < header + 20 || p[g->family == 4 ? 9 : 6] != IPPROTO_TCP)
		return false;
	memset(g->src, 0, sizeof(g->src));
	memset(g->dst, 0, sizeof(g->dst));
	memcpy(g->src, p + (g->family == 4 ? 12 : 8), g->family == 4 ? 4 : 16);
	memcpy(g->dst, p + (g->family == 4 ? 16 : 24), g->family == 4 ? 4 : 16);
	p += header;
	g->sport = (uint16_t)get(p, 2);
	g->dport = (uint16_t)get(p + 2, 2);
	g->seq = get(p + 4, 4);
	flags = p[13];
	if (flags & TH_RST)
		g->kind = RST;
	else if (flags & TH_SYN)
		g->kind = flags & TH_ACK ? SYNACK : SYN;
	else if (flags & TH_FIN)
		g->kind = FIN;
	else
		return false;
	return true;
}

/* What left here; with received, what came in instead. */
static void read_capture(const char *path, uint32_t from, uint32_t to, bool received)
{
	struct { uint32_t magic, version, zone, sigfigs, snaplen, linktype; } head;
	struct { uint32_t sec, frac, len, wire; } packet;
	uint8_t buf[65536];
	struct segment g;
	bool out;
	FILE *f = fopen(path, "r");

	if (!f || fread(&head, sizeof(head), 1, f) != 1)
		err(1, "%s", path);
	if (head.magic != 0xa1b23c4d || head.linktype != DLT_LINUX_SLL2)
		errx(1, "%s: not made by tcpdump --nano -y LINUX_SLL2", path);
	while (fread(&packet, sizeof(packet), 1, f) == 1) {
		if (packet.len > sizeof(buf) || fread(buf, packet.len, 1, f) != 1)
			errx(1, "%s: cut off", path);
		if (packet.len < SLL2_LEN)
			continue;
		/* Of the loopback device libpcap hands out what came in only. */
		out = buf[10] == PACKET_OUTGOING || get(buf + 8, 2) == ARPHRD_LOOPBACK;
		if (out == received || !parse(buf + SLL2_LEN, packet.len - SLL2_LEN, &g))
			continue;
		g.ts = packet.sec * NSEC_PER_SEC + packet.frac;
		place(&g, from, to);
	}
	fclose(f);
}

int main(int argc, char **argv)
{
	char name[128], c_file[512], s_file[512];
	uint32_t c, srv;
	bool have_c, have_s, bad = false;
	size_t i;

	if (argc != 2)
		errx(2, "usage: segments RECORDING");
	read_recording(argv[1]);
	while (scanf("%127s %u %u %511s %511s", name, &c, &srv, c_file, s_file) == 5) {
		memset(s.left_out, 0, sizeof(s.left_out));
		memset(s.count, 0, sizeof(s.count));
		s.at_sender = s.at_receiver = s.counted = s.martian = s.lost = 0;
		for (i = 0; i < s.n; i++) {
			const struct tcpfsm_record *r = &s.told[i].r;

			if (r->type != TCPFSM_TYPE_SUPPRESSED || (r->netns != c && r->netns != srv))
				continue;
			if (r->verdict == TCPFSM_TYPE_RESET) {
				s.left_out[RST] += r->snd;
			} else {
				s.left_out[SYN] += r->snd;
				s.left_out[SYNACK] += r->snd;
			}
		}
		s.out = open_memstream(&s.list, &s.list_len);
		if (!s.out)
			err(1, NULL);
		have_c = strcmp(c_file, "-");
		have_s = strcmp(s_file, "-");
		read_capture(have_c ? c_file : s_file, c, srv, !have_c);
		read_capture(have_s ? s_file : c_file, srv, c, !have_s);
		fclose(s.out);
		printf("%s - segments of %s: %" PRIu64 " SYN, %" PRIu64 " SYN-ACK, %" PRIu64 " FIN, %" PRIu64
		       " RST; %" PRIu64 " told by the sender",
		       s.lost ? "not ok" : "ok", name, s.count[SYN], s.count[SYNACK], s.count[FIN],
		       s.count[RST], s.at_sender);
		if (s.at_receiver)
			printf(", %" PRIu64 " from a raw socket told by the receiver", s.at_receiver);
		if (s.counted)
			printf(", %" PRIu64 " counted only (syn_limit)", s.counted);
		if (s.martian)
			printf(", %" PRIu64 " dropped by IP (martian source)", s.martian);
		printf(", %" PRIu64 " without a place\n%s", s.lost, s.list);
		bad |= s.lost;
		free(s.list);
	}
	return bad;
}
