// SPDX-License-Identifier: GPL-2.0-or-later
#include "os.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/cleanup.h"

/* An os-release file is well under a page; this only bounds what is read of a wrong one. */
#define FILE_MAX 65536

/*
 * Undo the shell quoting of @value, which ends at the end of its line: parts in single,
 * double or no quotes may follow each other. Returns 1, 0 if a quote does not close, or
 * -ENOMEM.
 */
static int unquote(const char *value, char **ret)
{
	_cleanup_free_ char *out = malloc(strcspn(value, "\n") + 1);
	char quote = '\0';
	size_t n = 0;

	if (!out)
		return -ENOMEM;
	for (const char *c = value; *c && *c != '\n'; c++) {
		if (quote && *c == quote) {
			quote = '\0';
		} else if (!quote && (*c == '"' || *c == '\'')) {
			quote = *c;
		} else if (!quote && isspace((unsigned char)*c)) {
			break;
		} else if (*c == '\\' && quote != '\'' && c[1] && c[1] != '\n' &&
			   (!quote || strchr("$\"\\`", c[1]))) {
			out[n++] = *++c;
		} else {
			out[n++] = *c;
		}
	}
	if (quote)
		return 0;
	out[n] = '\0';
	*ret = TAKE_PTR(out);
	return 1;
}

int os_release_get(const char *text, const char *key, char **ret)
{
	_cleanup_free_ char *found = NULL;
	size_t key_length = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		char *value;
		int r;

		line += *line == '\n';
		line += strspn(line, " \t");
		if (strncmp(line, key, key_length) != 0 || line[key_length] != '=')
			continue;
		r = unquote(line + key_length + 1, &value);
		if (r < 0)
			return r;
		if (r > 0) {
			free(found);
			found = value;
		}
	}
	if (!found)
		return -ENOENT;
	*ret = TAKE_PTR(found);
	return 0;
}

int os_version_split(const char *version, char **ret_major, char **ret_minor)
{
	_cleanup_free_ char *major = NULL, *minor = NULL;
	size_t n = strspn(version, "0123456789");

	if (n > 0) {
		major = strndup(version, n);
		if (!major)
			return -ENOMEM;
		if (version[n] == '.') {
			version += n + 1;
			n = strspn(version, "0123456789");
			if (n > 0) {
				minor = strndup(version, n);
				if (!minor)
					return -ENOMEM;
			}
		}
	}
	*ret_major = TAKE_PTR(major);
	*ret_minor = TAKE_PTR(minor);
	return 0;
}

/* The text of @root/@path, cut at FILE_MAX. Returns 0 or a negative errno. */
static int read_text(const char *root, const char *path, char **ret)
{
	_cleanup_free_ char *full = NULL, *text = NULL;
	_cleanup_close_ int fd = -1;
	size_t used = 0;

	if (asprintf(&full, "%s%s", root, path) < 0) {
		full = NULL;
		return -ENOMEM;
	}
	/* O_NONBLOCK: nobody makes us wait by putting a FIFO there. */
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	text = malloc(FILE_MAX + 1);
	if (!text)
		return -ENOMEM;
	while (used < FILE_MAX) {
		ssize_t n = read(fd, text + used, FILE_MAX - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	text[used] = '\0';
	*ret = TAKE_PTR(text);
	return 0;
}

/* As os_release_get(), but a missing key gives @fallback (which may be NULL). */
static int get_or(const char *text, const char *key, const char *fallback, char **ret)
{
	int r = text ? os_release_get(text, key, ret) : -ENOENT;

	if (r != -ENOENT)
		return r;
	if (!fallback) {
		*ret = NULL;
		return 0;
	}
	*ret = strdup(fallback);
	return *ret ? 0 : -ENOMEM;
}

/*
 * Debian's os-release tells no point release, its debian_version does: "12.5". Testing
 * and unstable have a code name there instead.
 */
static int debian_minor(const char *root, struct os_info *os)
{
	_cleanup_free_ char *text = NULL, *major = NULL, *minor = NULL;
	int r;

	if (strcmp(os->distro, "debian") != 0 || !os->major || os->minor)
		return 0;
	r = read_text(root, "/etc/debian_version", &text);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = os_version_split(text, &major, &minor);
	if (r < 0)
		return r;
	if (major && strcmp(major, os->major) == 0)
		os->minor = TAKE_PTR(minor);
	return 0;
}

static int read_release(const char *root, struct os_info *os)
{
	_cleanup_free_ char *text = NULL, *version = NULL;
	int r;

	r = read_text(root, "/etc/os-release", &text);
	if (r < 0 && r != -ENOMEM)
		r = read_text(root, "/usr/lib/os-release", &text);
	if (r == -ENOMEM)
		return r;

	/* The fallbacks are those of os-release(5). */
	r = get_or(text, "ID", "linux", &os->distro);
	if (r < 0)
		return r;
	r = get_or(text, "PRETTY_NAME", NULL, &os->name);
	if (r < 0)
		return r;
	if (!os->name) {
		r = get_or(text, "NAME", "Linux", &os->name);
		if (r < 0)
			return r;
	}
	r = get_or(text, "VERSION_ID", "", &version);
	if (r < 0)
		return r;
	r = os_version_split(version, &os->major, &os->minor);
	if (r < 0)
		return r;
	return debian_minor(root, os);
}

int os_read(const char *root, struct os_info *ret)
{
	_cleanup_(os_info_clear) struct os_info os = { 0 };
	struct utsname uts;
	int r;

	r = read_release(root, &os);
	if (r < 0)
		return r;
	if (uname(&uts) == 0) {
		os.uname = strdup(uts.release);
		if (!os.uname)
			return -ENOMEM;
		if (uts.nodename[0] && strcmp(uts.nodename, "(none)") != 0) {
			os.host = strdup(uts.nodename);
			if (!os.host)
				return -ENOMEM;
		}
	}
	*ret = os;
	os = (struct os_info){ 0 };
	return 0;
}

void os_info_clear(struct os_info *os)
{
	free(os->name);
	free(os->distro);
	free(os->major);
	free(os->minor);
	free(os->uname);
	free(os->host);
	*os = (struct os_info){ 0 };
}

int os_report(const struct os_info *os, struct report *report)
{
	const struct {
		const char *path;
		const char *value;
	} nodes[] = {
		{ "data/os_name", os->name },      { "data/os_distro", os->distro },
		{ "data/os_majorver", os->major }, { "data/os_minorver", os->minor },
		{ "data/os_uname", os->uname },    { "data/host_name_dns", os->host },
	};

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		int r = report_add(report, nodes[i].path, nodes[i].value);

		if (r < 0)
			return r;
	}
	return 0;
}
