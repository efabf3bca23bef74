// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/config/diskspec.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#define POSITIONS_MAX 4

struct positions {
	const char *word[POSITIONS_MAX];
	size_t n;
};

static const char *const formats[] = { "", "raw", "qcow", "qcow2", "vhd", "qed", "empty" };

/* Words of xl that take no value, and keys that say nothing here. */
static const char *const flags[] = {
	"discard",   "no-discard", "direct-io-safe", "trusted",
	"untrusted", "colo",       "no-colo",        "removable",
};
static const char *const silent_keys[] = {
	"format",    "backendtype", "discard",     "removable",   "specification", "trusted",
	"colo-host", "colo-port",   "colo-export", "active-disk", "hidden-disk",   "backend-type",
};

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(word, list[i]))
			return true;
	return false;
}

void diskspec_clear(struct diskspec *spec)
{
	free(spec->target);
	free(spec->prefix_text);
	free(spec->vdev);
	free(spec->access_text);
	*spec = (struct diskspec){ 0 };
}

static int replace(char **text, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

static char *strip(char *s)
{
	size_t n;

	while (isspace((unsigned char)*s))
		s++;
	n = strlen(s);
	while (n > 0 && isspace((unsigned char)s[n - 1]))
		s[--n] = '\0';
	return s;
}

/* "tap:aio:/path": the words before the path that end with a colon and have no slash. */
static int take_target(struct diskspec *spec, const char *text)
{
	const char *path = text;
	char prefix[32];
	size_t n;
	int r;

	if (spec->scripted)
		return replace(&spec->target, text);
	for (;;) {
		n = strspn(path, "abcdefghijklmnopqrstuvwxyz0123456789-");
		if (n == 0 || path[n] != ':')
			break;
		path += n + 1;
	}
	n = (size_t)(path - text);
	if (n >= sizeof(prefix))
		n = sizeof(prefix) - 1;
	memcpy(prefix, text, n);
	prefix[n] = '\0';
	if (!*prefix)
		spec->prefix = DISK_BARE;
	else if (!strcmp(prefix, "phy:"))
		spec->prefix = DISK_PHY;
	else if (!strcmp(prefix, "file:"))
		spec->prefix = DISK_FILE;
	else if (!strcmp(prefix, "tap:aio:") || !strcmp(prefix, "tap:raw:") ||
		 !strcmp(prefix, "tap2:aio:"))
		spec->prefix = DISK_TAP;
	else
		spec->prefix = DISK_OTHER;
	r = replace(&spec->prefix_text, prefix);
	return r < 0 ? r : replace(&spec->target, path);
}

static int take_vdev(struct diskspec *spec, const char *text)
{
	char name[64];
	const char *colon = strchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : strlen(text);

	if (n >= sizeof(name))
		n = sizeof(name) - 1;
	memcpy(name, text, n);
	name[n] = '\0';
	if (colon && !strcmp(colon, ":cdrom"))
		spec->cdrom = true;
	else if (colon && strcmp(colon, ":disk") != 0)
		return replace(&spec->vdev, text); /* whole, so that it is found to be wrong */
	spec->has_name = vdev_parse(name, &spec->name) == 0;
	return replace(&spec->vdev, name);
}

static int take_access(struct diskspec *spec, const char *text)
{
	static const char *const readonly[] = { "r", "ro" };
	static const char *const writable[] = { "w", "rw" };
	static const char *const shared[] = { "!", "w!", "rw!", "r!", "ro!" };

	spec->access = DISK_ACCESS_WRONG;
	spec->shared = is_one_of(text, shared, ELEMENTSOF(shared));
	if (is_one_of(text, readonly, ELEMENTSOF(readonly)) ||
	    (spec->shared && text[0] == 'r' && text[1] != 'w'))
		spec->access = DISK_READONLY;
	else if (is_one_of(text, writable, ELEMENTSOF(writable)) || spec->shared)
		spec->access = DISK_WRITABLE;
	return replace(&spec->access_text, text);
}

static int take_key(struct diskspec *spec, const char *key, const char *value, char *why,
		    size_t why_size)
{
	if (!strcmp(key, "vdev"))
		return take_vdev(spec, value);
	if (!strcmp(key, "access"))
		return take_access(spec, value);
	if (!strcmp(key, "devtype")) {
		spec->cdrom = !strcmp(value, "cdrom");
		return 0;
	}
	if (!strcmp(key, "backend")) {
		spec->elsewhere = strcmp(value, "0") != 0 && strcmp(value, "Domain-0") != 0;
		return 0;
	}
	if (!strcmp(key, "script")) {
		spec->scripted = true;
		return 0;
	}
	if (is_one_of(key, silent_keys, ELEMENTSOF(silent_keys)))
		return 0;
	snprintf(why, why_size, "the key %.40s is unknown; correct or remove it", key);
	return -EINVAL;
}

static int take_word(struct diskspec *spec, char *word, struct positions *at, char *why,
		     size_t why_size)
{
	char *eq = strchr(word, '=');

	/* a path may have a = in it */
	if (eq && !memchr(word, '/', (size_t)(eq - word))) {
		*eq = '\0';
		return take_key(spec, strip(word), strip(eq + 1), why, why_size);
	}
	word = strip(word);
	if (!strcmp(word, "cdrom")) {
		spec->cdrom = true;
		return 0;
	}
	if (is_one_of(word, flags, ELEMENTSOF(flags)))
		return 0;
	if (at->n == POSITIONS_MAX) {
		snprintf(why, why_size, "\"%.60s\" is one word too many; remove it", word);
		return -EINVAL;
	}
	at->word[at->n++] = word;
	return 0;
}

static bool looks_like_vdev(const char *word)
{
	const char *colon = strchr(word, ':');

	return colon && (!strcmp(colon, ":cdrom") || !strcmp(colon, ":disk"));
}

/* Sort out what stands where: target,format,vdev,access or target,vdev,access. */
static int take_positions(struct diskspec *spec, const struct positions *at, const char *target,
			  char *why, size_t why_size)
{
	size_t vdev = 2;
	int r = 0;

	if (at->n > 0 && looks_like_vdev(at->word[0])) {
		spec->no_target = spec->xm_form = true;
		vdev = 0;
	} else if (at->n > 1 && !is_one_of(at->word[1], formats, ELEMENTSOF(formats))) {
		spec->xm_form = true;
		vdev = 1;
	}
	if (at->n > vdev + 2) {
		snprintf(why, why_size, "\"%.60s\" is one word too many; remove it",
			 at->word[vdev + 2]);
		return -EINVAL;
	}
	if (!target && vdev > 0 && at->n > 0)
		target = at->word[0];
	r = take_target(spec, target ? target : "");
	if (r >= 0 && at->n > vdev && !spec->vdev)
		r = take_vdev(spec, at->word[vdev]);
	if (r >= 0 && at->n > vdev + 1 && !spec->access_text)
		r = take_access(spec, at->word[vdev + 1]);
	if (r >= 0 && (!spec->vdev || !*spec->vdev)) {
		snprintf(why, why_size,
			 "names no virtual disk; write \"phy:<device>,<virtual disk>,w\"");
		r = -EINVAL;
	}
	return r;
}

int diskspec_parse(const char *text, struct diskspec *ret, char *why, size_t why_size)
{
	_cleanup_free_ char *copy = strdup(text);
	struct diskspec spec = { 0 };
	struct positions at = { .n = 0 };
	char *p = copy, *target = NULL;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	while (p && r >= 0) {
		char *word = p, *comma;

		while (isspace((unsigned char)*word))
			word++;
		if (!strncmp(word, "target=", 7)) {
			target = strip(word + 7); /* all that is left */
			break;
		}
		comma = strchr(word, ',');
		p = comma ? comma + 1 : NULL;
		if (comma)
			*comma = '\0';
		r = take_word(&spec, word, &at, why, why_size);
	}
	if (r >= 0)
		r = take_positions(&spec, &at, target, why, why_size);
	if (r < 0) {
		diskspec_clear(&spec);
		return r;
	}
	*ret = spec;
	return 0;
}
