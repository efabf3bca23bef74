// SPDX-License-Identifier: GPL-2.0-or-later
/* xenpv bridge check: read domain configurations before they do harm. */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/bridge.h"
#include "xenpv/bridge/facts.h"
#include "xenpv/bridge/files.h"
#include "xenpv/config/findings.h"
#include "xenpv/config/guests.h"
#include "xenpv/bridge/rules.h"
#include "xenpv/bridge/site.h"
#include "xenpv/config/xlconf.h"

#define CONFIGURATIONS "/etc/xen/*.cfg"

struct file_id {
	dev_t dev;
	ino_t ino;
};

struct check {
	struct site site;
	struct guests guests;
	struct findings findings;
	struct file_id *seen;
	size_t n_files;
};

/* The same file by another name, as from /etc/xen/auto, is not a second guest. */
static int is_new(struct check *c, const char *path, struct problem *p)
{
	struct file_id *seen;
	struct stat st;

	if (stat(path, &st) < 0)
		return problem_set(p, errno == ENOENT ? EXIT_ABSENT : EXIT_FAILED, -errno,
				   "%s: cannot be read: %m", path);
	for (size_t i = 0; i < c->n_files; i++)
		if (c->seen[i].dev == st.st_dev && c->seen[i].ino == st.st_ino)
			return 0;
	seen = reallocarray(c->seen, c->n_files + 1, sizeof(*seen));
	if (!seen)
		return problem_set(p, EXIT_FAILED, -ENOMEM, "%s: %m", path);
	c->seen = seen;
	seen[c->n_files++] = (struct file_id){ st.st_dev, st.st_ino };
	return 1;
}

static int read_file(struct check *c, const char *path, struct problem *p)
{
	_cleanup_free_ char *text = NULL;
	struct xlconf conf = { 0 };
	unsigned int line = 0;
	char why[256];
	int r = is_new(c, path, p);

	if (r <= 0)
		return r;
	r = file_read(path, XLCONF_SIZE_MAX, &text);
	if (r == -EFBIG || r == -EINVAL) {
		findings_add(&c->findings, SEVERITY_ERROR, path, 0,
			     r == -EFBIG ? "is larger than 1 MiB; it is no domain configuration"
					 : "has a NUL byte; it is no domain configuration");
		return 0;
	}
	if (r < 0)
		return problem_set(p, r == -ENOENT ? EXIT_ABSENT : EXIT_FAILED, r,
				   "%s: cannot be read: %m", path);
	r = xlconf_parse(text, &conf, &line, why, sizeof(why));
	if (r == -EINVAL || r == -E2BIG) {
		findings_add(&c->findings, SEVERITY_ERROR, path, line,
			     "is no domain configuration: %s; correct it", why);
		return 0;
	}
	if (r >= 0)
		r = guests_add(&c->guests, path, &conf, &c->findings);
	xlconf_clear(&conf);
	return r < 0 ? problem_set(p, EXIT_FAILED, r, "%s: %m", path) : 0;
}

static int read_files(struct check *c, char **names, int n, struct problem *p)
{
	glob_t found = { 0 };
	int r = 0;

	if (n > 0) {
		for (int i = 0; i < n && r >= 0; i++)
			r = read_file(c, names[i], p);
		return r;
	}
	if (glob(CONFIGURATIONS, 0, NULL, &found) == GLOB_NOSPACE)
		r = problem_set(p, EXIT_FAILED, -ENOMEM, CONFIGURATIONS ": %m");
	for (size_t i = 0; i < found.gl_pathc && r >= 0; i++)
		r = read_file(c, found.gl_pathv[i], p);
	globfree(&found);
	return r;
}

static int apply_rules(struct check *c, struct problem *p)
{
	struct facts facts;
	int r = facts_gather(&c->site, &facts);

	if (r >= 0)
		r = rules_check(&c->guests, &facts.host, &c->findings);
	facts_clear(&facts);
	return r < 0 ? problem_set(p, EXIT_FAILED, r, "%m") : 0;
}

int cmd_bridge_check(int argc, char **argv, bool json)
{
	struct call call = {
		.path = "xenpv bridge check",
		.words = "[FILE...]",
		.summary = "Check the network part of domain configurations, all together.",
		.more = "Without FILE, " CONFIGURATIONS " is read.",
		.json = json,
	};
	struct check c = { .site = SITE_INIT };
	const struct opt opts[] = { SITE_OPTIONS(&c.site), { 0 } };
	struct problem p = { 0 };
	int status, r;

	if (!parse_options(&call, opts, 0, -1, &argc, &argv, &status))
		return status;
	r = site_open(&c.site, false, &p);
	if (r >= 0)
		r = read_files(&c, argv, argc, &p);
	if (r >= 0)
		r = apply_rules(&c, &p);
	if (r < 0)
		problem_print(&p);
	status = r < 0 ? p.status : findings_print(&c.findings, c.n_files, call.json, EXIT_REFUSED);
	free(c.seen);
	guests_clear(&c.guests);
	findings_clear(&c.findings);
	site_close(&c.site);
	return status;
}
