// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/config/configs.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/files.h"
#include "xenpv/command.h"
#include "xenpv/config/xlconf.h"

struct file_id {
	dev_t dev;
	ino_t ino;
};

struct reader {
	struct findings *findings;
	config_fn fn;
	void *userdata;
	struct file_id *seen;
	size_t n_seen;
	struct problem *p;
};

/* Returns 1, 0 if it was read by another name, or a negative errno. */
static int is_new(struct reader *in, const char *path)
{
	struct file_id *seen;
	struct stat st;

	if (stat(path, &st) < 0)
		return problem_set(in->p, errno == ENOENT ? EXIT_ABSENT : EXIT_FAILED, -errno,
				   "%s: cannot be read: %m", path);
	for (size_t i = 0; i < in->n_seen; i++)
		if (in->seen[i].dev == st.st_dev && in->seen[i].ino == st.st_ino)
			return 0;
	seen = reallocarray(in->seen, in->n_seen + 1, sizeof(*seen));
	if (!seen)
		return problem_set(in->p, EXIT_FAILED, -ENOMEM, "%s: %m", path);
	in->seen = seen;
	seen[in->n_seen++] = (struct file_id){ st.st_dev, st.st_ino };
	return 1;
}

static int read_one(struct reader *in, const char *path)
{
	_cleanup_free_ char *text = NULL;
	int r = is_new(in, path);

	if (r <= 0)
		return r;
	r = file_read(path, XLCONF_SIZE_MAX, &text);
	if (r == -EFBIG || r == -EINVAL) {
		findings_add(in->findings, SEVERITY_ERROR, path, 0,
			     r == -EFBIG ? "is larger than 1 MiB; it is no domain configuration"
					 : "has a NUL byte; it is no domain configuration");
		return 0;
	}
	if (r < 0)
		return problem_set(in->p, r == -ENOENT ? EXIT_ABSENT : EXIT_FAILED, r,
				   "%s: cannot be read: %m", path);
	r = in->fn(in->userdata, path, text);
	return r < 0 ? problem_set(in->p, EXIT_FAILED, r, "%s: %m", path) : 0;
}

static int read_all(struct reader *in, char **names, int n)
{
	struct configs found = { 0 };
	int r = 0;

	if (n > 0) {
		for (int i = 0; i < n && r >= 0; i++)
			r = read_one(in, names[i]);
		return r;
	}
	r = configs_find(CONFIGURATIONS, &found);
	if (r < 0)
		return problem_set(in->p, EXIT_FAILED, r, CONFIGURATIONS ": %m");
	for (size_t i = 0; i < found.n && r >= 0; i++)
		r = read_one(in, found.path[i]);
	configs_clear(&found);
	return r;
}

int configs_read(char **names, int n, struct findings *findings, config_fn fn, void *userdata,
		 size_t *ret_n, struct problem *p)
{
	struct reader in = { .findings = findings, .fn = fn, .userdata = userdata, .p = p };
	int r = read_all(&in, names, n);

	*ret_n = in.n_seen;
	free(in.seen);
	return r;
}
