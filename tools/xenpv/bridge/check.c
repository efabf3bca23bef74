// SPDX-License-Identifier: GPL-2.0-or-later
/* xenpv bridge check: read domain configurations before they do harm. */
#include <errno.h>
#include <glob.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/bridge.h"
#include "xenpv/bridge/files.h"
#include "xenpv/bridge/guests.h"
#include "xenpv/bridge/persist.h"
#include "xenpv/bridge/record.h"
#include "xenpv/bridge/rules.h"
#include "xenpv/bridge/shape.h"
#include "xenpv/bridge/site.h"
#include "xenpv/bridge/xlconf.h"

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

/* Bridges of the four shapes that networkd will make are as good as those that are there. */
static size_t list_bridges(const struct site *site, char (*names)[IFNAMSIZ], size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < site->links.n && n < max; i++)
		if (link_is_bridge(&site->links.item[i]))
			strcpy(names[n++], site->links.item[i].name);
	for (int s = SHAPE_XENBR; s < _SHAPE_MAX; s++)
		for (unsigned int k = 0; k < BRIDGES_MAX && n < max; k++) {
			snprintf(names[n], IFNAMSIZ, "%s%u", shape_prefix((enum shape)s), k);
			if (!link_by_name(&site->links, names[n]) && persist_exists(site, names[n]))
				n++;
		}
	return n;
}

static int apply_rules(struct check *c, struct problem *p)
{
	size_t max = c->site.links.n + (_SHAPE_MAX - 1) * BRIDGES_MAX, n = 0, k = 0;
	_cleanup_free_ char(*names)[IFNAMSIZ] = calloc(max, IFNAMSIZ);
	_cleanup_free_ const char **list = calloc(max, sizeof(*list));
	struct host_facts host = {
		.prefix = c->site.settings.prefix,
		.prefix_len = c->site.settings.prefix_len,
		.prefix_text = c->site.settings.mac_prefix,
	};
	uint32_t domid, handle;
	int r = -ENOMEM;

	host.interfaces = calloc(c->site.links.n + 1, sizeof(*host.interfaces));
	if (names && list && host.interfaces) {
		n = list_bridges(&c->site, names, max);
		for (size_t i = 0; i < n; i++)
			list[i] = names[i];
		host.bridges = list;
		host.n_bridges = n;
		for (size_t i = 0; i < c->site.links.n; i++) {
			const struct link *link = &c->site.links.item[i];

			if (mac_is_zero(&link->mac) || mac_equal(&link->mac, &mac_of_ports) ||
			    port_parse(link->name, &domid, &handle))
				continue;
			host.interfaces[k].name = link->name;
			host.interfaces[k++].mac = link->mac;
		}
		host.n_interfaces = k;
		r = rules_check(&c->guests, &host, &c->findings);
	}
	free(host.interfaces);
	return r < 0 ? problem_set(p, EXIT_FAILED, r, "%m") : 0;
}

static const char *const severities[] = {
	[SEVERITY_ERROR] = "error",
	[SEVERITY_WARNING] = "warning",
};

static int report(const struct check *c, bool json)
{
	const struct findings *f = &c->findings;
	int status = f->errors ? EXIT_REFUSED : EXIT_DONE;
	struct json_object *o, *list;

	if (!json) {
		for (size_t i = 0; i < f->n; i++) {
			const struct finding *x = &f->item[i];
			char line[16] = "";

			if (x->line)
				snprintf(line, sizeof(line), ":%u", x->line);
			printf("%s%s: %s: %s\n", x->file, line, severities[x->severity], x->text);
		}
		printf("%zu configurations, %zu errors, %zu warnings\n", c->n_files, f->errors,
		       f->n - f->errors);
		return status;
	}
	list = json_object_new_array();
	for (size_t i = 0; i < f->n; i++) {
		const struct finding *x = &f->item[i];
		struct json_object *item = json_object_new_object();

		json_object_object_add(item, "severity",
				       json_object_new_string(severities[x->severity]));
		json_object_object_add(item, "file", json_object_new_string(x->file));
		json_object_object_add(item, "line",
				       x->line ? json_object_new_int64(x->line) : NULL);
		json_object_object_add(item, "text", json_object_new_string(x->text));
		json_object_array_add(list, item);
	}
	o = json_object_new_object();
	json_object_object_add(o, "configurations", json_object_new_int64((int64_t)c->n_files));
	json_object_object_add(o, "errors", json_object_new_int64((int64_t)f->errors));
	json_object_object_add(o, "findings", list);
	return print_json(o, status);
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
	status = r < 0 ? p.status : report(&c, call.json);
	free(c.seen);
	guests_clear(&c.guests);
	findings_clear(&c.findings);
	site_close(&c.site);
	return status;
}
