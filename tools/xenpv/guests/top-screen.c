// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/guests/top-screen.h"

#include <curses.h>
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

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

/*
 * A line from its @left-th character on, as far as the screen is wide: a line that is longer would
 * go on in the next. Characters may be wider than one column.
 */
static void put(int y, const char *text, size_t left, attr_t attributes)
{
	wchar_t wide[TOP_LINE];
	size_t n = mbstowcs(wide, text, TOP_LINE), end;
	int columns = 0;

	if (y >= LINES)
		return;
	if (n == (size_t)-1 || n >= TOP_LINE) /* the locale has no such character */
		n = 0;
	left = left < n ? left : n;
	for (end = left; end < n; end++) {
		int width = wcwidth(wide[end]);

		if (width < 0) {
			wide[end] = L'?';
			width = 1;
		}
		if (columns + width > COLS)
			break;
		columns += width;
	}
	attrset(attributes);
	mvaddnwstr(y, 0, wide + left, (int)(end - left));
	if (columns < COLS)
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
