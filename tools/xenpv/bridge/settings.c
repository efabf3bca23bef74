// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/settings.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/conf.h"

static const struct conf_key keys[] = {
	{ "bridge", "never", CONF_STRING, offsetof(struct settings, never), 0, 0 },
	{ "bridge", "mac-prefix", CONF_STRING, offsetof(struct settings, mac_prefix), 0, 0 },
	{ 0 },
};

void settings_clear(struct settings *s)
{
	free(s->never);
	free(s->mac_prefix);
	*s = (struct settings){ 0 };
}

int settings_load(const char *path, struct settings *ret, struct problem *p)
{
	struct settings s = { .never = strdup(""), .mac_prefix = strdup("02:17:42:2F") };
	char error[768];
	int r;

	path = path ?: SETTINGS_PATH;
	if (!s.never || !s.mac_prefix) {
		r = problem_set(p, EXIT_FAILED, -ENOMEM, "%s: %m", path);
		goto fail;
	}
	r = conf_load(path, keys, &s, error, sizeof(error));
	if (r < 0) {
		problem_set(p, EXIT_REFUSED, r, "%s", error);
		goto fail;
	}
	if (strcmp(s.mac_prefix, "any") != 0) {
		r = mac_parse_prefix(s.mac_prefix, &s.prefix, &s.prefix_len);
		if (r < 0 || mac_is_multicast(&s.prefix)) {
			r = problem_set(p, EXIT_REFUSED, -EINVAL,
					"%s: mac-prefix = %s is not the beginning of an address "
					"of one station; write for example 02:17:42:2F, or any",
					path, s.mac_prefix);
			goto fail;
		}
	}
	*ret = s;
	return 0;
fail:
	settings_clear(&s);
	return r;
}

static bool listed(const struct settings *s, const struct link *link)
{
	_cleanup_free_ char *copy = strdup(s->never);
	char *save = NULL;

	if (!copy)
		return true; /* rather one too many */
	for (char *word = strtok_r(copy, " \t,", &save); word;
	     word = strtok_r(NULL, " \t,", &save)) {
		struct mac mac;

		if (mac_parse(word, &mac) == 0 &&
		    (mac_equal(&mac, &link->mac) ||
		     (link->has_perm_mac && mac_equal(&mac, &link->perm_mac))))
			return true;
		if (fnmatch(word, link->name, 0) == 0)
			return true;
		/* the name that it has without a bridge */
		if (link->name[0] == 'p' && fnmatch(word, link->name + 1, 0) == 0)
			return true;
	}
	return false;
}

static const char *forbid(const struct settings *s, const struct links *links,
			  const struct link *link, int depth)
{
	const char *found = NULL;

	if (listed(s, link))
		return link->name;
	if (depth == LINK_DEPTH_MAX)
		return NULL;
	if (link->lower && link->lower_is_local && !strcmp(link->kind, "vlan")) {
		const struct link *lower = link_by_index(links, link->lower);

		found = lower ? forbid(s, links, lower, depth + 1) : NULL;
	}
	for (size_t i = 0; i < links->n && !found; i++)
		if (!strcmp(link->kind, "bond") && links->item[i].master == link->index)
			found = forbid(s, links, &links->item[i], depth + 1);
	return found;
}

const char *settings_forbid(const struct settings *s, const struct links *links,
			    const struct link *link)
{
	return forbid(s, links, link, 0);
}
