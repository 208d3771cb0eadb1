/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ring protocol once more, for spin: written by hand, as module/ring.h numbers its steps
 * (W1 tcpfsm_ring_begin() to W5 tcpfsm_ring_end(), R1 ring_batch() to R5 ring_run()), and the
 * machine of proof.c, but with writer and reader interleaved in every way. proof.c has the code
 * itself; this is to find what the two might have wrong in common: its machine that lets the
 * writer run first, and its choice of words.
 *
 * Smaller than the real thing: 2 slots, 2 words of payload, RECORDS records.
 */
#ifndef RECORDS
#define RECORDS	4
#endif
#define SLOTS	2
#define WORDS	3			/* seq and payload */
#define WHERE	(1 + SLOTS * WORDS)	/* head first */
#define STORES	(RECORDS + 3)
#define BUSY	255

#define SEQ(n)	(1 + ((n) % SLOTS) * WORDS)
/* Which of the values at SEQ(n) is its record's: BUSY goes before each. */
#ifdef NO_BUSY
#define PUBLISHED(n)	((n) / SLOTS + 1)
#else
#define PUBLISHED(n)	(2 * ((n) / SLOTS) + 2)
#endif

byte value[WHERE * STORES];
byte passed[WHERE * STORES * WHERE];	/* the view that goes with a value */
byte stores[WHERE] = 1;		/* the 0 that was there */
byte w_view[WHERE], w_fence[WHERE], r_view[WHERE], r_pending[WHERE];

inline store(where, what, release)
{
	d_step {
		w_view[where] = stores[where];
		value[(where) * STORES + stores[where]] = what;
		i = 0;
		do
		:: i < WHERE ->
			passed[((where) * STORES + stores[where]) * WHERE + i] =
				(release -> w_view[i] : w_fence[i]);
			i++
		:: else -> break
		od;
		passed[((where) * STORES + stores[where]) * WHERE + (where)] = stores[where];
		stores[where]++;
		i = 0
	}
}

/* Any value that is not older than what was seen. */
inline load(where, what, acquire)
{
	atomic {
		age = r_view[where];
		do
		:: age + 1 < stores[where] -> age++
		:: break
		od;
		r_view[where] = age;
		what = value[(where) * STORES + age];
		k = 0;
		do
		:: k < WHERE ->
			t = passed[((where) * STORES + age) * WHERE + k];
			if
			:: t > r_pending[k] -> r_pending[k] = t
			:: else
			fi;
			if
			:: acquire && t > r_view[k] -> r_view[k] = t
			:: else
			fi;
			k++
		:: else -> break
		od;
		k = 0; t = 0; age = 0
	}
}

active proctype writer()
{
	byte pos = 0, i;

	do
	:: pos < RECORDS ->
#ifndef NO_BUSY
		store(SEQ(pos), BUSY, false);			/* W1 */
#endif
#ifndef NO_WMB
		d_step {					/* W2 */
			i = 0;
			do
			:: i < WHERE -> w_fence[i] = w_view[i]; i++
			:: else -> break
			od;
			i = 0
		}
#endif
		if	/* W3: in any order */
		:: store(SEQ(pos) + 1, pos + 1, false); store(SEQ(pos) + 2, pos + 1, false)
		:: store(SEQ(pos) + 2, pos + 1, false); store(SEQ(pos) + 1, pos + 1, false)
		fi;
#ifdef SEQ_NOT_RELEASED
		store(SEQ(pos), pos + 1, false);		/* W4 */
#else
		store(SEQ(pos), pos + 1, true);
#endif
#ifdef HEAD_NOT_RELEASED
		store(0, pos + 1, false);			/* W5 */
#else
		store(0, pos + 1, true);
#endif
		pos++
	:: else -> break
	od
}

#ifdef HEAD_NOT_ACQUIRED
#define HEAD_ACQUIRE	false
#else
#define HEAD_ACQUIRE	true
#endif
#ifdef SEQ_NOT_ACQUIRED
#define SEQ_ACQUIRE	false
#else
#define SEQ_ACQUIRE	true
#endif

active proctype reader()
{
	byte cursor = 0, head, seq, again, a, b, age, k, t;

	do
	:: cursor < RECORDS ->
		load(0, head, HEAD_ACQUIRE);			/* R1 */
		if
		:: head <= cursor -> skip			/* nothing there yet */
		:: head > cursor && head - cursor > SLOTS -> cursor = head - SLOTS + 1
		:: else ->
			load(SEQ(cursor), seq, SEQ_ACQUIRE);	/* R2 */
			if
			:: seq != cursor + 1 ->
				/* It must have been there, and be gone: head promised it. */
				assert(r_view[SEQ(cursor)] >= PUBLISHED(cursor));
				cursor++
			:: else ->
				load(SEQ(cursor) + 1, a, false);	/* R3 */
				load(SEQ(cursor) + 2, b, false);
#ifndef NO_FENCE
				d_step {			/* R4 */
					k = 0;
					do
					:: k < WHERE ->
						if
						:: r_pending[k] > r_view[k] -> r_view[k] = r_pending[k]
						:: else
						fi;
						k++
					:: else -> break
					od;
					k = 0
				}
#endif
#ifdef NO_CHECK
				again = seq;
#else
				load(SEQ(cursor), again, false);	/* R5 */
#endif
				if
				:: again == cursor + 1 ->
					assert(a == cursor + 1 && b == cursor + 1)
				:: else
				fi;
				cursor++
			fi
		fi;
		seq = 0; again = 0; a = 0; b = 0
	:: else -> break
	od
}
