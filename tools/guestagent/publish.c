// SPDX-License-Identifier: GPL-2.0-or-later
#include "publish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/log.h"

struct published_node {
	char *path;
	char *value; /* NULL: known to be absent */
	unsigned int section;
	bool reported; /* by the report that is being published */
};

static enum refusal refusal_of(int err)
{
	switch (-err) {
	case EACCES:
	case EPERM:
	case EROFS:
		return REFUSAL_ACCESS;
	case ENOSPC:
	case E2BIG:
	case EDQUOT:
		return REFUSAL_QUOTA;
	default:
		return REFUSAL_OTHER;
	}
}

static void log_refusal(struct publisher *publisher, enum refusal refusal, const char *path,
			int err)
{
	static const char *const remedies[REFUSAL_MAX] = {
		[REFUSAL_ACCESS] = "the toolstack has to make it writable for the guest",
		[REFUSAL_QUOTA] = "the guest has too many nodes, or xenstored too low a limit",
		[REFUSAL_OTHER] = "see the log of xenstored on the host",
	};

	if (publisher->refused[refusal])
		return;
	publisher->refused[refusal] = true;
	if (refusal == REFUSAL_OWN)
		log_warning(0,
			    "%s is not reported: %d nodes are in use already. Further ones that "
			    "do not fit are not logged; a [report] setting can make room",
			    path, PUBLISH_NODES_SECTIONS);
	else
		log_warning(err,
			    "xenstore refused to change %s: %m; %s. Further refusals are not "
			    "logged",
			    path, remedies[refusal]);
}

/* Index of @path in the sorted nodes, or of the place where it belongs. */
static size_t position(const struct publisher *publisher, const char *path, bool *ret_found)
{
	size_t low = 0, high = publisher->n;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(publisher->nodes[middle].path, path);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const char *publisher_value(const struct publisher *publisher, const char *path)
{
	bool found;
	size_t i = position(publisher, path, &found);

	return found ? publisher->nodes[i].value : NULL;
}

static void drop_node(struct publisher *publisher, size_t i)
{
	free(publisher->nodes[i].path);
	free(publisher->nodes[i].value);
	memmove(&publisher->nodes[i], &publisher->nodes[i + 1],
		(--publisher->n - i) * sizeof(publisher->nodes[0]));
}

static bool is_below(const char *path, const char *directory, size_t length)
{
	return strncmp(path, directory, length) == 0 && path[length] == '/';
}

/* Directories of @path longer than @shared, without the topmost, which is the toolstack's. */
static size_t directories(const char *path, size_t shared)
{
	const char *slash = strchr(path, '/');
	size_t n = 0;

	while (slash && (slash = strchr(slash + 1, '/')))
		n += (size_t)(slash - path) > shared;
	return n;
}

/* Length of the directory that @a and @b have in common, 0 if none. */
static size_t common(const char *a, const char *b)
{
	size_t length = 0;

	for (size_t i = 0; a[i] == b[i] || (!a[i] && b[i] == '/'); i++) {
		if (b[i] == '/')
			length = i; /* also if @a is a node that has others below it */
		if (!a[i])
			break;
	}
	return length;
}

static bool is_counted(const struct published_node *node, bool sections)
{
	return node->value && (node->section || !sections);
}

/*
 * Nodes there would be with @more; of sections only, if @sections. In sorted order, what a
 * path shares with any before it, it shares with the last of them.
 */
static size_t count_with(const struct publisher *publisher, const char *more, bool sections)
{
	const char *previous = "";
	size_t n = 0;

	for (size_t i = 0; i < publisher->n || more; i++) {
		const char *path;

		while (i < publisher->n && !is_counted(&publisher->nodes[i], sections))
			i++;
		if (i < publisher->n && (!more || strcmp(publisher->nodes[i].path, more) < 0)) {
			path = publisher->nodes[i].path;
		} else if (more) {
			path = more;
			more = NULL;
			i--;
		} else {
			break;
		}
		n += 1 + directories(path, common(previous, path));
		previous = path;
	}
	return n;
}

size_t publisher_count(const struct publisher *publisher)
{
	return count_with(publisher, NULL, false);
}

/* Is there room for a new node at @path? */
static bool has_room(const struct publisher *publisher, unsigned int section, const char *path)
{
	if (section && count_with(publisher, path, true) > PUBLISH_NODES_SECTIONS)
		return false;
	return count_with(publisher, path, false) <= PUBLISH_NODES_MAX;
}

/* Note that @path holds @value now, NULL for absent. */
static int note(struct publisher *publisher, unsigned int section, const char *path,
		const char *value)
{
	_cleanup_free_ char *value_copy = NULL, *path_copy = NULL;
	bool found;
	size_t i = position(publisher, path, &found);

	if (value && !(value_copy = strdup(value)))
		return -ENOMEM;
	if (!found) {
		if (publisher->n == publisher->allocated) {
			size_t allocated = publisher->allocated ? 2 * publisher->allocated : 64;
			struct published_node *nodes =
				reallocarray(publisher->nodes, allocated, sizeof(*nodes));

			if (!nodes)
				return -ENOMEM;
			publisher->nodes = nodes;
			publisher->allocated = allocated;
		}
		path_copy = strdup(path);
		if (!path_copy)
			return -ENOMEM;
		memmove(&publisher->nodes[i + 1], &publisher->nodes[i],
			(publisher->n++ - i) * sizeof(publisher->nodes[0]));
		publisher->nodes[i] = (struct published_node){ .path = TAKE_PTR(path_copy) };
	}
	free(publisher->nodes[i].value);
	publisher->nodes[i].value = TAKE_PTR(value_copy);
	publisher->nodes[i].section = section;
	publisher->nodes[i].reported = true;
	return 0;
}

/* After a successful removal, which took all below @path with it. */
static int note_removed(struct publisher *publisher, unsigned int section, const char *path)
{
	size_t length = strlen(path);

	for (size_t i = publisher->n; i-- > 0;)
		if (is_below(publisher->nodes[i].path, path, length))
			drop_node(publisher, i);
	return note(publisher, section, path, NULL);
}

/* Is @node known to hold @value, or to be absent with all below it? */
static bool is_known(const struct publisher *publisher, const struct published_node *node,
		     const char *value)
{
	size_t length = strlen(node->path);

	if (node->value || value)
		return node->value && value && strcmp(node->value, value) == 0;
	for (size_t i = 0; i < publisher->n; i++)
		if (publisher->nodes[i].value &&
		    is_below(publisher->nodes[i].path, node->path, length))
			return false;
	return true;
}

/* Returns 1 if the node changed, 0 if it holds @value already or was refused. */
static int put(struct publisher *publisher, unsigned int section, const char *path,
	       const char *value)
{
	bool found;
	size_t i = position(publisher, path, &found);
	struct published_node *node = found ? &publisher->nodes[i] : NULL;
	int r;

	if (node && is_known(publisher, node, value)) {
		node->reported = true;
		node->section = section;
		return 0;
	}
	if (value && !(node && node->value) && !has_room(publisher, section, path)) {
		log_refusal(publisher, REFUSAL_OWN, path, 0);
		return 0;
	}
	r = value ? xsc_write(publisher->xs, XBT_NULL, path, "", value)
		  : xsc_remove(publisher->xs, XBT_NULL, path, "");
	if (xsc_is_fatal(r))
		return r;
	if (r < 0) {
		log_refusal(publisher, refusal_of(r), path, r);
		if (node)
			node->reported = true; /* its old value stays */
		return 0;
	}
	r = value ? note(publisher, section, path, value) : note_removed(publisher, section, path);
	return r < 0 ? r : 1;
}

/* Remove a node that no report has any more, with the directories that it leaves empty. */
static int retire(struct publisher *publisher, size_t i)
{
	_cleanup_free_ char *path = strdup(publisher->nodes[i].path);
	char *slash;
	int r;

	if (!path)
		return -ENOMEM;
	drop_node(publisher, i);
	for (;;) {
		size_t length;
		bool used = false;

		slash = strrchr(path, '/');
		/* The topmost directory is the toolstack's. */
		if (!slash || slash == strchr(path, '/'))
			break;
		length = (size_t)(slash - path);
		for (size_t j = 0; j < publisher->n && !used; j++)
			used = publisher->nodes[j].value &&
			       strncmp(publisher->nodes[j].path, path, length) == 0 &&
			       (!publisher->nodes[j].path[length] ||
				publisher->nodes[j].path[length] == '/');
		if (used)
			break;
		*slash = '\0';
	}
	r = xsc_remove(publisher->xs, XBT_NULL, path, "");
	if (xsc_is_fatal(r))
		return r;
	if (r < 0)
		log_refusal(publisher, refusal_of(r), path, r);
	return 1;
}

int publish_section(struct publisher *publisher, unsigned int section, const struct report *report)
{
	int changed = 0, r;

	for (size_t i = 0; i < publisher->n; i++)
		publisher->nodes[i].reported = false;
	/* What is gone first: it may make room for what is new. */
	for (size_t i = 0; section && i < report->n; i++) {
		bool found;
		size_t at = position(publisher, report->entries[i].path, &found);

		if (found)
			publisher->nodes[at].reported = true;
	}
	for (size_t i = publisher->n; section && i-- > 0;) {
		if (i >= publisher->n || publisher->nodes[i].section != section ||
		    publisher->nodes[i].reported)
			continue;
		if (!publisher->nodes[i].value) {
			drop_node(publisher, i);
			continue;
		}
		r = retire(publisher, i);
		if (r < 0)
			return r;
		changed += r;
	}
	for (size_t i = 0; i < report->n; i++) {
		const struct report_entry *entry = &report->entries[i];

		r = put(publisher, section, entry->path, entry->value);
		if (r < 0)
			return r;
		changed += r;
	}
	return changed;
}

int publish(struct publisher *publisher, const struct report *report)
{
	return publish_section(publisher, 0, report);
}

void publisher_forget(struct publisher *publisher)
{
	while (publisher->n > 0)
		drop_node(publisher, publisher->n - 1);
	free(publisher->nodes);
	publisher->nodes = NULL;
	publisher->allocated = 0;
}
