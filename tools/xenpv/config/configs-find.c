// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/files.h"
#include "xenpv/config/configs.h"
#include "xenpv/config/xlconf.h"

struct file {
	char *path;
	dev_t dev;
	ino_t ino;
};

struct finder {
	struct file *file;
	size_t n;
};

/* In the order of precedence. */
enum kind {
	KIND_SUFFIX, /* *.cfg */
	KIND_PLAIN,  /* the guest's name alone, as Red Hat's manual has it */
	KIND_AUTO,   /* anything: xendomains starts it */
};

/* Also for files that xl would not take: they are to be told what is wrong with them. */
static bool sets_name(const char *path)
{
	_cleanup_free_ char *text = NULL;

	if (file_read(path, XLCONF_SIZE_MAX, &text) < 0)
		return false;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, "name", 4) != 0)
			continue;
		line += 4;
		line += strspn(line, " \t");
		if (*line == '=')
			return true;
	}
	return false;
}

static bool is_wanted(enum kind kind, const char *name)
{
	size_t n = strlen(name);

	if (*name == '.')
		return false;
	if (kind == KIND_SUFFIX)
		return n > 4 && !strcmp(name + n - 4, ".cfg");
	/* not what an editor leaves behind, which is somebody's old configuration */
	return kind == KIND_AUTO || (!strchr(name, '.') && name[n - 1] != '~');
}

static int add(struct finder *in, const char *path, const struct stat *st)
{
	struct file *file;

	for (size_t i = 0; i < in->n; i++)
		if (st->st_ino && in->file[i].dev == st->st_dev && in->file[i].ino == st->st_ino)
			return 0;
	file = reallocarray(in->file, in->n + 1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	in->file = file;
	file[in->n] = (struct file){ strdup(path), st->st_dev, st->st_ino };
	return file[in->n].path ? (int)++in->n : -ENOMEM;
}

static int by_path(const void *pa, const void *pb)
{
	const struct file *a = pa, *b = pb;

	return strcmp(a->path, b->path);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int take(struct finder *in, enum kind kind, const char *path)
{
	struct stat st = { 0 };

	if (stat(path, &st) < 0) /* a link to nowhere: who reads it says so */
		return kind == KIND_PLAIN ? 0 : add(in, path, &st);
	if (!S_ISREG(st.st_mode) || (kind == KIND_PLAIN && !sets_name(path)))
		return 0;
	return add(in, path, &st);
}

static int find(struct finder *in, const char *dir, enum kind kind)
{
	struct dirent **entry = NULL;
	char path[PATH_MAX];
	int n = scandir(dir, &entry, NULL, by_name), r = n < 0 && errno == ENOMEM ? -ENOMEM : 0;

	for (int i = 0; i < n; i++) {
		const char *name = entry[i]->d_name;

		if (r >= 0 && is_wanted(kind, name) &&
		    snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path))
			r = take(in, kind, path);
		free(entry[i]);
	}
	free(entry);
	return r;
}

void configs_clear(struct configs *configs)
{
	for (size_t i = 0; i < configs->n; i++)
		free(configs->path[i]);
	free(configs->path);
	*configs = (struct configs){ 0 };
}

int configs_find(const char *dir, struct configs *ret)
{
	struct finder in = { 0 };
	char autostart[PATH_MAX];
	int r;

	*ret = (struct configs){ 0 };
	snprintf(autostart, sizeof(autostart), "%s/auto", dir);
	r = find(&in, dir, KIND_SUFFIX);
	if (r >= 0)
		r = find(&in, dir, KIND_PLAIN);
	if (r >= 0)
		r = find(&in, autostart, KIND_AUTO);
	if (in.n > 0)
		qsort(in.file, in.n, sizeof(*in.file), by_path);
	ret->path = calloc(in.n + 1, sizeof(*ret->path));
	if (!ret->path)
		r = -ENOMEM;
	for (size_t i = 0; i < in.n; i++) {
		if (r < 0)
			free(in.file[i].path);
		else
			ret->path[ret->n++] = in.file[i].path;
	}
	free(in.file);
	if (r < 0)
		configs_clear(ret);
	return r < 0 ? r : 0;
}
