// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/conf.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/parse.h"

#define CONF_LINE_MAX (PATH_MAX + 256)
#define CONF_FILE_MAX (1u << 20)

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

static int set_value(const struct conf_key *k, const char *value, void *config)
{
	void *member = (char *)config + k->offset;

	switch (k->type) {
	case CONF_BOOL:
		return parse_bool(value, member);
	case CONF_U32:
		return parse_u32(value, k->min, k->max, member);
	case CONF_STRING: {
		char *copy = strdup(value);

		if (!copy)
			return -ENOMEM;
		free(*(char **)member);
		*(char **)member = copy;
		return 0;
	}
	}
	return -EINVAL;
}

static int parse_line(char *line, char *section, size_t section_size, const struct conf_key *keys,
		      void *config, char *why, size_t why_size)
{
	char *s = strip(line), *eq, *name, *value;
	int r;

	if (!*s || *s == '#' || *s == ';')
		return 0;

	if (*s == '[') {
		size_t n = strlen(s);

		if (n < 3 || s[n - 1] != ']' || n - 2 >= section_size) {
			snprintf(why, why_size, "bad section header \"%s\"", s);
			return -EINVAL;
		}
		memcpy(section, s + 1, n - 2);
		section[n - 2] = '\0';
		return 0;
	}

	eq = strchr(s, '=');
	if (!eq) {
		snprintf(why, why_size, "expected \"key = value\", found \"%s\"", s);
		return -EINVAL;
	}
	*eq = '\0';
	name = strip(s);
	value = strip(eq + 1);

	for (const struct conf_key *k = keys; k->section; k++) {
		if (strcmp(k->section, section) || strcmp(k->name, name))
			continue;
		r = set_value(k, value, config);
		if (r == -ERANGE)
			snprintf(why, why_size, "%s = %s is out of range, allowed are %u to %u",
				 name, value, k->min, k->max);
		else if (r < 0)
			snprintf(why, why_size, "%s = %s is not a %s", name, value,
				 k->type == CONF_BOOL  ? "boolean (yes or no)"
				 : k->type == CONF_U32 ? "number"
						       : "string");
		return r;
	}
	snprintf(why, why_size, "unknown key \"%s\" in section [%s]", name, section);
	return -EINVAL;
}

int conf_parse(const char *name, const char *text, const struct conf_key *keys, void *config,
	       char *error, size_t error_size)
{
	char section[64] = "", why[512];
	unsigned int number = 0;

	while (*text) {
		size_t n = strcspn(text, "\n");
		char line[CONF_LINE_MAX];
		int r;

		number++;
		if (n >= sizeof(line)) {
			snprintf(error, error_size, "%s:%u: line is longer than %zu bytes", name,
				 number, sizeof(line) - 1);
			return -EINVAL;
		}
		memcpy(line, text, n);
		line[n] = '\0';
		r = parse_line(line, section, sizeof(section), keys, config, why, sizeof(why));
		if (r < 0) {
			snprintf(error, error_size, "%s:%u: %s", name, number, why);
			return r == -ERANGE ? -EINVAL : r;
		}
		text += n;
		if (*text == '\n')
			text++;
	}
	return 0;
}

static int read_text(const char *path, char **ret)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *buf = NULL;
	size_t n;

	if (!f)
		return -errno;
	buf = malloc(CONF_FILE_MAX + 1);
	if (!buf)
		return -ENOMEM;
	n = fread(buf, 1, CONF_FILE_MAX + 1, f);
	if (ferror(f))
		return -EIO;
	if (n > CONF_FILE_MAX)
		return -EFBIG;
	/* A NUL byte would hide what follows it. */
	if (memchr(buf, '\0', n))
		return -EINVAL;
	buf[n] = '\0';
	*ret = TAKE_PTR(buf);
	return 0;
}

static int load_file(const char *path, const struct conf_key *keys, void *config, char *error,
		     size_t error_size)
{
	_cleanup_free_ char *text = NULL;
	int r;

	r = read_text(path, &text);
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		errno = -r;
		snprintf(error, error_size, "cannot read %s: %m", path);
		return r;
	}
	return conf_parse(path, text, keys, config, error, error_size);
}

static int is_conf(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 && !strcmp(d->d_name + n - 5, ".conf");
}

int conf_load(const char *path, const struct conf_key *keys, void *config, char *error,
	      size_t error_size)
{
	struct dirent **list = NULL;
	char dir[PATH_MAX], file[PATH_MAX + NAME_MAX + 2];
	int r, n;

	r = load_file(path, keys, config, error, error_size);
	if (r < 0)
		return r;

	if ((size_t)snprintf(dir, sizeof(dir), "%s.d", path) >= sizeof(dir)) {
		snprintf(error, error_size, "%s: path is too long", path);
		return -ENAMETOOLONG;
	}
	n = scandir(dir, &list, is_conf, alphasort);
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", dir, list[i]->d_name);
		if (r >= 0)
			r = load_file(file, keys, config, error, error_size);
		free(list[i]);
	}
	free(list);
	return r;
}
