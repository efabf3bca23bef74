// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/guests/top-screen.h"

#include <curses.h>
#include <errno.h>
#include <locale.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define STEP 16 /* columns, to the side */

int screen_open(struct screen *screen)
{
	SCREEN *term;

	(void)screen;
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return -ENOTTY;
	setlocale(LC_CTYPE, "");
	term = newterm(NULL, stdout, stdin);
	if (!term)
		return -ENOTTY;
	set_term(term);
	cbreak();
	noecho();
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	curs_set(0);
	return 0;
}

void screen_close(void)
{
	endwin();
}

void screen_resized(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
	clear();
}

/* Names may have characters wider than a byte, so positions are not bytes; text is cut on the left
 * by bytes only where it is ASCII, which the columns right of the name are. */
static void put(int y, const char *text, size_t left, attr_t attributes)
{
	size_t n = strlen(text);

	if (y >= LINES)
		return;
	attrset(attributes);
	mvaddnstr(y, 0, left < n ? text + left : "", COLS > 0 ? -1 : 0);
	clrtoeol();
	attrset(A_NORMAL);
}

static void put_row(const struct screen *screen, const struct top_table *t,
		    const struct top_row *row, int *y)
{
	char line[TOP_LINE];

	top_line(t, row, line);
	put((*y)++, line, screen->left, A_NORMAL);
	for (size_t i = 0; screen->devices && top_device(row, i, line); i++)
		put((*y)++, line, screen->left, A_DIM);
}

void screen_draw(struct screen *screen, const struct top_table *t, const char *clock)
{
	char head[TOP_HEAD][TOP_LINE], line[TOP_LINE];
	int y = 0;

	if (screen->first >= t->n)
		screen->first = t->n ? t->n - 1 : 0;
	erase();
	top_head(t->view, clock, head);
	for (int i = 0; i < TOP_HEAD; i++)
		put(y++, head[i], 0, A_NORMAL);
	top_columns(line);
	put(y++, line, screen->left, A_REVERSE);
	for (size_t i = screen->first; i < t->n && y < LINES - 1; i++)
		put_row(screen, t, &t->row[i], &y);
	snprintf(line, sizeof(line), "q quit  s sort (%s)  d devices  arrows move",
		 top_sort_name(screen->sort));
	put(LINES - 1, line, 0, A_REVERSE);
	refresh();
}

enum screen_key screen_key(struct screen *screen)
{
	switch (getch()) {
	case ERR:
		return SCREEN_NONE;
	case 'q':
	case 'Q':
		return SCREEN_QUIT;
	case 's':
	case 'S':
		screen->sort = (enum top_sort)((screen->sort + 1) % _TOP_SORT_MAX);
		return SCREEN_RESORT;
	case 'd':
	case 'D':
		screen->devices = !screen->devices;
		break;
	case KEY_DOWN:
		screen->first++;
		break;
	case KEY_UP:
		screen->first -= screen->first > 0;
		break;
	case KEY_RIGHT:
		screen->left += screen->left + STEP < TOP_LINE ? STEP : 0;
		break;
	case KEY_LEFT:
		screen->left -= screen->left >= STEP ? STEP : screen->left;
		break;
	default:
		break;
	}
	return SCREEN_REDRAW;
}
