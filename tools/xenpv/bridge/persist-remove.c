// SPDX-License-Identifier: GPL-2.0-or-later
/* The way back of persist.c: which files a bridge has, and what else needs them. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/persist-names.h"
#include "xenpv/bridge/persist.h"

DEFINE_CLEANUP(DIR *, closedir);

/* 05-xenpv-<bridge>.<any> and 05-xenpv-<bridge>-<any> */
static bool is_file_of(const char *name, const char *bridge)
{
	size_t n = strlen(PREFIX), m = strlen(bridge);

	return !strncmp(name, PREFIX, n) && !strncmp(name + n, bridge, m) &&
	       (name[n + m] == '.' || name[n + m] == '-') && !strchr(name + n + m, '/');
}

/* Calls fn for every file of the bridge; stops when it returns non-zero, and returns that. */
static int each_file(const struct site *site, const char *bridge,
		     int (*fn)(const char *path, void *userdata), void *userdata)
{
	_cleanup_(closedirp) DIR *dir = opendir(site->network);
	const struct dirent *e;
	char path[PATH_MAX];
	int r;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(dir))) {
		size_t n = strlen(e->d_name);

		if (n > 2 && !strcmp(e->d_name + n - 2, ".d")) {
			if (snprintf(path, sizeof(path), "%s/%s/xenpv-%s.conf", site->network,
				     e->d_name, bridge) >= (int)sizeof(path) ||
			    access(path, F_OK) < 0)
				continue;
		} else if (is_file_of(e->d_name, bridge)) {
			if (snprintf(path, sizeof(path), "%s/%s", site->network, e->d_name) >=
			    (int)sizeof(path))
				continue;
		} else {
			continue;
		}
		r = fn(path, userdata);
		if (r)
			return r;
	}
	return 0;
}

static int plan_removal(const char *path, void *userdata)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	char folder[PATH_MAX], *slash;
	const struct dirent *e;
	size_t n = 0;

	plan_file(userdata, path, NULL);
	/* <network>/06-xenpv-<parent>.network.d/xenpv-<bridge>.conf: the last takes the file along
	 */
	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash)
		return 0;
	*slash = '\0';
	slash = strrchr(folder, '/');
	if (!slash || strncmp(slash + 1, PARENT_PREFIX, strlen(PARENT_PREFIX)) != 0)
		return 0;
	dir = opendir(folder);
	if (!dir)
		return -errno;
	while ((e = readdir(dir)))
		n += e->d_name[0] != '.';
	if (n > 1)
		return 0;
	folder[strlen(folder) - strlen(".d")] = '\0';
	plan_file(userdata, folder, NULL);
	return 0;
}

/* Is the VLAN of this drop-in, xenpv-<bridge>.conf, asked for by an interface's own file, too? */
static bool parent_asks(const struct site *site, const char *dropin)
{
	_cleanup_(closedirp) DIR *dir = opendir(site->network);
	const struct dirent *e;
	char path[PATH_MAX];

	while (dir && (e = readdir(dir))) {
		if (strncmp(e->d_name, PARENT_PREFIX, strlen(PARENT_PREFIX)) != 0)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s/%s", site->network, e->d_name, dropin) <
			    (int)sizeof(path) &&
		    access(path, F_OK) == 0)
			return true;
	}
	return false;
}

/* Whose VLAN would not be made at boot any more, without the file of the bridge's port? */
static int refuse_vlans(const struct site *site, const char *bridge, struct problem *p)
{
	char folder[PATH_MAX], name[IFNAMSIZ];
	_cleanup_(closedirp) DIR *dir = NULL;
	const struct dirent *e;

	if (snprintf(folder, sizeof(folder), "%s/" PREFIX "%s-port.network.d", site->network,
		     bridge) >= (int)sizeof(folder))
		return -ENAMETOOLONG;
	dir = opendir(folder);
	if (!dir)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	while ((e = readdir(dir))) {
		int n = -1;

		/* Not the bridge's own: nothing of it is left. */
		if (sscanf(e->d_name, "xenpv-%15[^./].conf%n", name, &n) != 1 || n < 0 ||
		    e->d_name[n] || !strcmp(name, bridge) || parent_asks(site, e->d_name))
			continue;
		return problem_set(p, EXIT_REFUSED, -EBUSY,
				   "%s: its file for networkd has the VLAN of %s made at boot, see "
				   "%s/%s; delete %s first, or have its VLAN left out at the next "
				   "boot with --force",
				   bridge, name, folder, e->d_name, name);
	}
	return 0;
}

int persist_remove_plan(const struct site *site, const char *bridge, bool force, struct plan *plan,
			struct problem *p)
{
	int r = force ? 0 : refuse_vlans(site, bridge, p);

	if (r == -EBUSY)
		return r;
	if (r >= 0)
		r = each_file(site, bridge, plan_removal, plan);
	if (r < 0)
		return problem_set(p, EXIT_FAILED, r, "%s: cannot list %s: %m", bridge,
				   site->network);
	return 0;
}

static int found(const char *path, void *userdata)
{
	(void)path;
	(void)userdata;
	return 1;
}

bool persist_exists(const struct site *site, const char *bridge)
{
	return each_file(site, bridge, found, NULL) > 0;
}
