/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The terminal, and all that touches it: full screen from term_open() to
 * term_close(), whatever ends the program in between.
 */
#ifndef TCPFSM_TUI_TERM_H
#define TCPFSM_TUI_TERM_H

#include "grid.h"

/*
 * Takes the terminal on stdout.  Call setlocale(LC_CTYPE, "") before.
 * Return: 0; -ENOTTY: stdout is none; -ENODEV: TERM is not set, unknown, or of
 * a terminal that cannot do it.
 */
int term_open(void);
/* Back to how it was; twice does no harm. */
void term_close(void);

/* As it is now. */
void term_size(int *cols, int *rows);
/* Shows it; only what has changed since is sent. */
void term_paint(const struct grid *g);
/* The next time, all is sent: something else wrote to the terminal. */
void term_redraw(void);

#define TERM_NO_KEY	0
#define TERM_GONE	(-1)

/* The next key that was typed; TERM_GONE: none will come any more. */
int term_key(void);
/* Until a key, a signal (a change of size is one), or the time is up. */
void term_wait(int ms);

/* Does the locale say UTF-8?  Of use for text as well. */
bool term_utf8(void);

#endif /* TCPFSM_TUI_TERM_H */
