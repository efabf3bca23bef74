// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/host-labels.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

/* Devices that the host uses itself; far more than a dom0 has. */
#define DEVICES_MAX 256

struct devices {
	char *paths[DEVICES_MAX]; /* canonical */
	size_t n;
};

struct words {
	char *text; /* of HOST_LABELS_BYTES */
	size_t used, n;
	bool cut; /* there were more */
};

static void devices_release(struct devices *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->paths[i]);
}

static bool devices_has(const struct devices *d, const char *path)
{
	for (size_t i = 0; i < d->n; i++)
		if (!strcmp(d->paths[i], path))
			return true;
	return false;
}

static int digit(char c, int base)
{
	int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : base;

	return value < base ? value : -1;
}

/* "\040" of /proc, "\x20" of udev: in place, for the text gets shorter */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		int base = s[1] == 'x' ? 16 : 8, value = 0;
		size_t n = base == 16 ? 2 : 3, i = 0;
		const char *digits = s + (base == 16 ? 2 : 1);

		for (; *s == '\\' && i < n && digit(digits[i], base) >= 0; i++)
			value = value * base + digit(digits[i], base);
		if (i == n && value > 0 && value <= 255) {
			*to++ = (char)value;
			s += (size_t)(digits - s) + n;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* A device named in /proc; what is none, such as "tmpfs", is passed over. */
static void add_device(struct devices *d, const char *root, char *name)
{
	char path[PATH_MAX];
	char *real;

	unescape(name);
	if (strncmp(name, "/dev/", 5) || d->n == DEVICES_MAX ||
	    (size_t)snprintf(path, sizeof(path), "%s%s", root, name) >= sizeof(path))
		return;
	real = realpath(path, NULL);
	if (real && !devices_has(d, real))
		d->paths[d->n++] = real;
	else
		free(real);
}

/* @field: the device's, counted from behind the separator, or from the start without one */
static int read_devices(struct devices *d, const char *root, const char *file,
			const char *separator, unsigned int field)
{
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *line = NULL;
	char path[PATH_MAX];
	size_t size = 0;

	if ((size_t)snprintf(path, sizeof(path), "%s%s", root, file) >= sizeof(path))
		return -ENAMETOOLONG;
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (getline(&line, &size, f) > 0) {
		char *at = separator ? strstr(line, separator) : line;
		char *rest = NULL, *word;

		if (!at)
			continue;
		word = strtok_r(separator ? at + strlen(separator) : at, " \t\n", &rest);
		for (unsigned int i = 0; word && i < field; i++)
			word = strtok_r(NULL, " \t\n", &rest);
		if (word)
			add_device(d, root, word);
	}
	return ferror(f) ? -EIO : 0;
}

static bool has_control_character(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return true;
	return false;
}

static void add_word(struct words *w, const char *kind, const char *name)
{
	size_t left = HOST_LABELS_BYTES - w->used;
	int n;

	if (w->n == HOST_LABELS_MAX) {
		w->cut = true;
		return;
	}
	n = snprintf(w->text + w->used, left, "%s=%s\n", kind, name);
	if (n < 0 || (size_t)n >= left) {
		w->text[w->used] = '\0';
		w->cut = true;
		return;
	}
	w->used += (size_t)n;
	w->n++;
}

/* One directory of links, such as by-label. Without it there is none of the kind. */
static void read_links(struct words *w, const struct devices *d, const char *root,
		       const char *directory, const char *kind)
{
	struct dirent **entries = NULL;
	char path[PATH_MAX];
	int n, length;

	length = snprintf(path, sizeof(path), "%s/dev/disk/%s/", root, directory);
	if (length < 0 || (size_t)length >= sizeof(path))
		return;
	n = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		_cleanup_free_ struct dirent *entry = entries[i];
		_cleanup_free_ char *real = NULL;

		if ((size_t)snprintf(path + length, sizeof(path) - (size_t)length, "%s",
				     entry->d_name) >= sizeof(path) - (size_t)length)
			continue;
		real = realpath(path, NULL);
		if (!real || !devices_has(d, real))
			continue;
		unescape(entry->d_name);
		if (!has_control_character(entry->d_name))
			add_word(w, kind, entry->d_name);
	}
	free(entries);
}

int host_labels_read(const char *root, char ret[static HOST_LABELS_BYTES])
{
	struct devices devices = { .n = 0 };
	struct words words = { .text = ret };
	int r;

	ret[0] = '\0';
	r = read_devices(&devices, root, "/proc/self/mountinfo", " - ", 1);
	if (r >= 0) {
		r = read_devices(&devices, root, "/proc/swaps", NULL, 0);
		if (r == -ENOENT) /* a kernel without swap */
			r = 0;
	}
	if (r >= 0) {
		read_links(&words, &devices, root, "by-label", "LABEL");
		read_links(&words, &devices, root, "by-uuid", "UUID");
		read_links(&words, &devices, root, "by-partuuid", "PARTUUID");
		r = words.cut;
	}
	devices_release(&devices);
	return r;
}
