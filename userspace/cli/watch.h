/* SPDX-License-Identifier: GPL-2.0-only */
/* Judges the machine as explain does, again and again, and tells when a verdict becomes severe. */
#ifndef TCPFSM_CLI_WATCH_H
#define TCPFSM_CLI_WATCH_H

#include "cli.h"

struct watch;

/* What became so severe that it counts. */
struct watch_alarm {
	char verdict[32];
	uint8_t severity;
	char summary[512];
};

/* Return: 0, or the exit status after an error was told. */
int watch_open(struct watch **w, const struct options *opts, enum tcpfsm_severity severity);
/* How many seconds a finding must have been away to be a new one. */
#define WATCH_AWAY_S	60
/**
 * watch_step() - read what there is, or sleep until there is something
 *
 * Return: 1 and *alarm: a finding that was not there in the last minute; 0: none; TCPFSM_FOLLOW_END: the time
 * is over, or a signal came; a negative errno.
 */
int watch_step(struct watch *w, struct watch_alarm *alarm);
void watch_close(struct watch *w);

#endif /* TCPFSM_CLI_WATCH_H */
