/* SPDX-License-Identifier: GPL-2.0-only */
/* Filters, as options have them and as they are typed in tcpfsm top. */
#ifndef TCPFSM_SHOW_FILTER_WORDS_H
#define TCPFSM_SHOW_FILTER_WORDS_H

#include <stdbool.h>

#include "tcpfsm.h"

/* A decimal number and nothing else. */
bool parse_number(const char *s, uint64_t min, uint64_t max, uint64_t *value);
/*
 * An option of filters but -N, by its letter; families: of -4 and -6 so far, 0 at first.
 * Return: NULL, or what is wrong with it.
 */
const char *filter_option(struct tcpfsm_filter *f, unsigned int *families, int val,
			  const char *arg);
/* Inode, path of a namespace file, or name of "ip netns".  Return: likewise. */
const char *find_netns(const char *s, uint32_t *netns);
/*
 * "lport 80 state TIME_WAIT": the same as words, all of them; "" filters nothing.
 * Return: likewise; wrong is the word that is.
 */
const char *filter_words(struct tcpfsm_filter *f, const char *text, char wrong[64]);
/* The other way round; what does not fit is left out. */
void filter_to_words(const struct tcpfsm_filter *f, char *buf, size_t size);

#endif /* TCPFSM_SHOW_FILTER_WORDS_H */
