/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The terminal, and all that touches it: full screen from term_open() to
 * term_close(), whatever ends the program in between.
 */
#ifndef TCPFSM_TUI_TERM_H
#define TCPFSM_TUI_TERM_H

#include "../show/grid.h"

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
/*
 * Shows it; only what has changed since is sent.  A terminal that takes nothing just
 * now (Ctrl-S, a slow line) is not waited for: false, and nothing was shown.
 */
bool term_paint(const struct grid *g);
/* The next time, all is sent: something else wrote to the terminal. */
void term_redraw(void);

#define TERM_NO_KEY	0
#define TERM_GONE	(-1)

/* Keys that are no characters. */
enum term_key {
	TERM_UP = 0x1000, TERM_DOWN, TERM_LEFT, TERM_RIGHT, TERM_PAGE_UP, TERM_PAGE_DOWN,
	TERM_HOME, TERM_END, TERM_BACKSPACE, TERM_BACK_TAB,
	TERM_CLICK, TERM_WHEEL_UP, TERM_WHEEL_DOWN,	/* see term_mouse() */
	TERM_OTHER,			/* another one */
	TERM_F = 0x1100,		/* TERM_F + 1: F1 */
};

#define TERM_ESC	27
#define TERM_ENTER	'\n'
#define TERM_TAB	'\t'

/* The next key that was typed; TERM_GONE: none will come any more. */
int term_key(void);
/* From now on the mouse is reported, where there is one. */
void term_use_mouse(void);
/* Where the last click or wheel was. */
void term_mouse(int *x, int *y);
/* Can be read when there is a key; -1: there will be none. */
int term_fd(void);
/* Until a key, a signal (a change of size is one), or the time is up. */
void term_wait(int ms);

/* Does the locale say UTF-8?  Of use for text as well. */
bool term_utf8(void);

#endif /* TCPFSM_TUI_TERM_H */
