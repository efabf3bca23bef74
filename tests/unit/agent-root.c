// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent-root.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

int root_set_up(void **state)
{
	struct root *root = calloc(1, sizeof(*root));

	if (!root)
		return -1;
	strcpy(root->path, "/tmp/xenpv-test-root-XXXXXX");
	*state = root;
	return mkdtemp(root->path) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int root_tear_down(void **state)
{
	struct root *root = *state;
	int r = nftw(root->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);

	free(root);
	return r;
}

static void make_path(const struct root *root, const char *path, char full[static PATH_MAX])
{
	int n = snprintf(full, PATH_MAX, "%s/%s", root->path, path);

	assert_in_range(n, 1, PATH_MAX - 1);
	for (char *slash = full + strlen(root->path); (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		assert_true(mkdir(full, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
}

void root_file(const struct root *root, const char *path, const char *text)
{
	char full[PATH_MAX];
	FILE *file;

	make_path(root, path, full);
	file = fopen(full, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

void root_link(const struct root *root, const char *path, const char *target)
{
	char full[PATH_MAX];

	make_path(root, path, full);
	assert_int_equal(symlink(target, full), 0);
}

void root_remove(const struct root *root, const char *path)
{
	char full[PATH_MAX];

	make_path(root, path, full);
	assert_int_equal(unlink(full), 0);
}
