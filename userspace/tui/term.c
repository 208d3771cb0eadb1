// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define NCURSES_NOMACROS
#include <curses.h>
#include <term.h>

#include "term.h"

static SCREEN *screen;
static FILE *in;			/* keys; NULL: nobody types */
static bool opened;
static bool eof;
static int mouse_x, mouse_y;
static struct grid shown;		/* what was painted last */
static bool again;			/* and it still counts */
static attr_t looks[NATTRS];

/* ---- whatever ends the program -------------------------------------------------- */

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV, SIGBUS };

#define NSIGNALS	(sizeof(signals) / sizeof(signals[0]))

static struct sigaction before[NSIGNALS];
static struct termios tty_before;
static bool have_tty_before;
static char goodbye[128];		/* sequences that leave the full screen */
static size_t goodbye_len;

/* The first of those that ask to end is the program's; else there is no more time. */
static void on_signal(int sig)
{
	static volatile sig_atomic_t asked;
	ssize_t rc = 0;
	size_t i;

	for (i = 0; i < NSIGNALS && signals[i] != sig; i++)
		;
	if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP) {
		if (!asked && before[i].sa_handler != SIG_DFL && before[i].sa_handler != SIG_IGN) {
			asked = 1;
			before[i].sa_handler(sig);
			return;
		}
	}
	rc = write(STDOUT_FILENO, goodbye, goodbye_len);
	if (have_tty_before && rc >= 0)
		tcsetattr(STDOUT_FILENO, TCSANOW, &tty_before);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void add_goodbye(const char *capability)
{
	const char *s = tigetstr(capability);
	size_t len = s && s != (char *)-1 ? strlen(s) : 0;

	if (len && goodbye_len + len <= sizeof(goodbye)) {
		memcpy(goodbye + goodbye_len, s, len);
		goodbye_len += len;
	}
}

static void guard(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	size_t i;

	goodbye_len = 0;
	add_goodbye("sgr0");
	add_goodbye("cnorm");
	add_goodbye("rmcup");
	for (i = 0; i < NSIGNALS; i++) {
		sigaction(signals[i], NULL, &before[i]);
		/* nohup */
		if (before[i].sa_handler != SIG_IGN)
			sigaction(signals[i], &sa, NULL);
	}
}

static void unguard(void)
{
	size_t i;

	for (i = 0; i < NSIGNALS; i++)
		sigaction(signals[i], &before[i], NULL);
}

/* ---- looks ------------------------------------------------------------------------- */

static void make_looks(void)
{
	static const struct {
		short colour;		/* -1: the terminal's own */
		attr_t with, without;	/* colours */
	} table[NATTRS] = {
		[ATTR_PLAIN]	  = { -1, A_NORMAL, A_NORMAL },
		[ATTR_DIM]	  = { -1, A_DIM, A_NORMAL },
		[ATTR_BOLD]	  = { -1, A_BOLD, A_BOLD },
		[ATTR_TITLE]	  = { -1, A_REVERSE, A_REVERSE },
		[ATTR_BOX]	  = { COLOR_CYAN, A_BOLD, A_BOLD },
		[ATTR_BOX_HOT]	  = { COLOR_CYAN, A_REVERSE | A_BOLD, A_REVERSE },
		[ATTR_OPEN]	  = { COLOR_GREEN, A_NORMAL, A_NORMAL },
		[ATTR_OPEN_HOT]	  = { COLOR_GREEN, A_BOLD, A_BOLD },
		[ATTR_CLOSE]	  = { COLOR_YELLOW, A_NORMAL, A_NORMAL },
		[ATTR_CLOSE_HOT]  = { COLOR_YELLOW, A_BOLD, A_BOLD },
		[ATTR_BAD]	  = { COLOR_RED, A_NORMAL, A_NORMAL },
		[ATTR_BAD_HOT]	  = { COLOR_RED, A_BOLD, A_BOLD },
	};
	const char *no_color = getenv("NO_COLOR");
	bool colours = !(no_color && *no_color) && has_colors() && start_color() == OK;
	short i;

	if (colours)
		use_default_colors();
	for (i = 0; i < NATTRS; i++) {
		looks[i] = colours ? table[i].with : table[i].without;
		if (colours && table[i].colour >= 0 &&
		    init_pair((short)(i + 1), table[i].colour, -1) == OK)
			looks[i] |= (attr_t)COLOR_PAIR(i + 1);
	}
}

/* ---- open and close -------------------------------------------------------------- */

bool term_utf8(void)
{
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

int term_open(void)
{
	const char *term = getenv("TERM");

	if (!isatty(STDOUT_FILENO))
		return -ENOTTY;
	if (!term || !*term || !strcmp(term, "dumb"))
		return -ENODEV;
	/* Something may be piped into us; the keyboard is elsewhere then. */
	in = isatty(STDIN_FILENO) ? stdin : fopen("/dev/tty", "re");
	eof = !in;
	have_tty_before = !tcgetattr(STDOUT_FILENO, &tty_before);
	screen = newterm(NULL, stdout, in ? in : stdin);
	if (!screen) {
		if (in && in != stdin)
			fclose(in);
		in = NULL;
		return -ENODEV;
	}
	opened = true;
	if (!tigetstr("cup") || tigetstr("cup") == (char *)-1) {
		term_close();
		return -ENODEV;
	}
	guard();
	if (in) {
		cbreak();
		noecho();
		nodelay(stdscr, TRUE);
		keypad(stdscr, TRUE);
		set_escdelay(25);
	}
	curs_set(0);
	make_looks();
	return 0;
}

void term_close(void)
{
	if (!opened)
		return;
	opened = false;
	endwin();
	unguard();
	delscreen(screen);
	if (in && in != stdin)
		fclose(in);
	in = NULL;
	grid_free(&shown);
	again = false;
}

/* ---- use ------------------------------------------------------------------------------ */

void term_size(int *cols, int *rows)
{
	struct winsize ws;

	/* A serial line has no size but that of its terminfo. */
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) && ws.ws_col && ws.ws_row &&
	    is_term_resized(ws.ws_row, ws.ws_col))
		resizeterm(ws.ws_row, ws.ws_col);
	*cols = COLS;
	*rows = LINES;
}

bool term_paint(const struct grid *g)
{
	struct pollfd pfd = { .fd = STDOUT_FILENO, .events = POLLOUT };
	bool utf8 = term_utf8(), all;
	char buf[1024];
	int x, y;

	if (poll(&pfd, 1, 0) > 0 && pfd.revents & (POLLERR | POLLHUP))
		eof = true;
	if (!(pfd.revents & POLLOUT))
		return false;
	all = shown.cols != g->cols || shown.rows != g->rows || !again;
	if (all && grid_init(&shown, g->cols, g->rows))
		grid_free(&shown);
	if (all)
		erase();
	for (y = 0; y < g->rows && y < LINES; y++) {
		size_t bytes = (size_t)g->cols * sizeof(struct cell);

		/* Most lines are as they were, and curses would find that out at length. */
		if (!all && !memcmp(grid_cell(g, 0, y), grid_cell(&shown, 0, y), bytes))
			continue;
		for (x = 0; x < g->cols && x < COLS; ) {
			size_t len;
			int n = grid_run(g, x, y, utf8, buf, sizeof(buf), &len);

			attrset(looks[grid_cell(g, x, y)->attr]);
			mvaddnstr(y, x, buf, (int)len);
			x += n;
		}
		if (shown.cells)
			memcpy(grid_cell(&shown, 0, y), grid_cell(g, 0, y), bytes);
	}
	again = shown.cells;
	attrset(A_NORMAL);
	refresh();
	return true;
}

void term_redraw(void)
{
	again = false;
	clearok(curscr, TRUE);
}

void term_use_mouse(void)
{
	/* A press is a click: nobody shall wait whether it becomes a double one. */
	mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
	mouseinterval(0);
}

void term_mouse(int *x, int *y)
{
	*x = mouse_x;
	*y = mouse_y;
}

int term_fd(void)
{
	return in && !eof ? fileno(in) : -1;
}

static int mouse_key(void)
{
	MEVENT ev;

	if (getmouse(&ev) != OK)
		return TERM_OTHER;
	mouse_x = ev.x;
	mouse_y = ev.y;
	return ev.bstate & BUTTON4_PRESSED ? TERM_WHEEL_UP :
	       ev.bstate & BUTTON5_PRESSED ? TERM_WHEEL_DOWN :
	       ev.bstate & BUTTON1_PRESSED ? TERM_CLICK : TERM_OTHER;
}

static int key_of(int key)
{
	static const struct { int curses, ours; } keys[] = {
		{ KEY_UP, TERM_UP }, { KEY_DOWN, TERM_DOWN }, { KEY_LEFT, TERM_LEFT },
		{ KEY_RIGHT, TERM_RIGHT }, { KEY_PPAGE, TERM_PAGE_UP },
		{ KEY_NPAGE, TERM_PAGE_DOWN }, { KEY_HOME, TERM_HOME }, { KEY_END, TERM_END },
		{ KEY_FIND, TERM_HOME }, { KEY_SELECT, TERM_END },
		{ KEY_BACKSPACE, TERM_BACKSPACE }, { 0x7f, TERM_BACKSPACE },
		{ '\b', TERM_BACKSPACE }, { KEY_BTAB, TERM_BACK_TAB },
		{ KEY_ENTER, TERM_ENTER }, { '\r', TERM_ENTER },
	};
	size_t i;

	if (key == KEY_MOUSE)
		return mouse_key();
	if (key >= KEY_F(1) && key <= KEY_F(12))
		return TERM_F + (key - KEY_F(0));
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].curses == key)
			return keys[i].ours;
	return key < KEY_MIN ? key : TERM_OTHER;
}

/* What curses has; ERR: nothing.  A change of size is no key. */
static int read_key(void)
{
	int key;

	do
		key = getch();
	while (key == KEY_RESIZE);
	return key;
}

int term_key(void)
{
	struct pollfd pfd = { .fd = in ? fileno(in) : -1, .events = POLLIN };
	static bool more;
	int key;

	if (eof)
		return TERM_GONE;
	if (!more && poll(&pfd, 1, 0) <= 0)
		return TERM_NO_KEY;
	key = read_key();
	/* Curses may have read more than one. */
	more = key != ERR;
	/* There is something to read, and then there is not: the end. */
	if (key == ERR && poll(&pfd, 1, 0) > 0) {
		key = read_key();
		eof = key == ERR;
	}
	return eof ? TERM_GONE : key == ERR ? TERM_NO_KEY : key_of(key);
}

void term_wait(int ms)
{
	struct pollfd pfd = { .fd = in && !eof ? fileno(in) : -1, .events = POLLIN };

	poll(&pfd, 1, ms);
}
