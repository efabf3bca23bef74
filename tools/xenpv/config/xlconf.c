// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/config/xlconf.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

struct reader {
	const char *p;
	unsigned int line;
	size_t values;
	char *why;
	size_t why_size;
};

static void value_free(struct xlconf_value *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->n; i++)
		value_free(v->item[i]);
	free(v->item);
	free(v->text);
	free(v);
}

DEFINE_CLEANUP(struct xlconf_value *, value_free);

void xlconf_clear(struct xlconf *conf)
{
	for (size_t i = 0; i < conf->n; i++) {
		free(conf->setting[i].name);
		value_free(conf->setting[i].value);
	}
	free(conf->setting);
	*conf = (struct xlconf){ 0 };
}

__attribute__((format(printf, 2, 3))) static int bad(struct reader *in, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(in->why, in->why_size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* Blanks and comments, and with @lines also line ends. */
static void skip(struct reader *in, bool lines)
{
	for (;; in->p++) {
		if (*in->p == '#')
			while (in->p[1] && in->p[1] != '\n')
				in->p++;
		else if (*in->p == '\n' && lines)
			in->line++;
		else if (*in->p != ' ' && *in->p != '\t' && *in->p != '\r')
			return;
	}
}

static struct xlconf_value *new_value(struct reader *in, enum xlconf_type type)
{
	struct xlconf_value *v;

	if (++in->values > XLCONF_VALUES_MAX) {
		errno = E2BIG;
		return NULL;
	}
	v = calloc(1, sizeof(*v));
	if (v) {
		v->type = type;
		v->line = in->line;
	}
	return v;
}

static void append(char *text, size_t *n, char c)
{
	text[(*n)++] = c;
}

static int escape(struct reader *in, char *text, size_t *n)
{
	char c = *in->p++;

	switch (c) {
	case 'a':
		append(text, n, '\a');
		break;
	case 'b':
		append(text, n, '\b');
		break;
	case 'f':
		append(text, n, '\f');
		break;
	case 'n':
		append(text, n, '\n');
		break;
	case 'r':
		append(text, n, '\r');
		break;
	case 't':
		append(text, n, '\t');
		break;
	case 'v':
		append(text, n, '\v');
		break;
	case '\'':
	case '"':
	case '\\':
		append(text, n, c);
		break;
	case 'x':
		if (!isxdigit((unsigned char)in->p[0]) || !isxdigit((unsigned char)in->p[1]))
			return bad(in, "\\x is not followed by two hexadecimal digits");
		{
			char digits[3] = { in->p[0], in->p[1], '\0' };
			unsigned long byte = strtoul(digits, NULL, 16);

			if (!byte)
				return bad(in, "a string has a NUL byte");
			append(text, n, (char)byte);
			in->p += 2;
		}
		break;
	default:
		return bad(in, "there is no escape \\%c", isprint((unsigned char)c) ? c : '?');
	}
	return 0;
}

/* At least as long as the string that begins here, and not much longer. */
static size_t length_of(const char *p, char quote)
{
	size_t n = 0;

	while (p[n] && p[n] != '\n' && p[n] != quote)
		n += p[n] == '\\' && p[n + 1] ? 2 : 1;
	return n;
}

static int read_string(struct reader *in, struct xlconf_value **ret)
{
	_cleanup_(value_freep) struct xlconf_value *v = new_value(in, XLCONF_STRING);
	char quote = *in->p++;
	size_t n = 0;
	int r;

	if (!v)
		return -errno;
	v->text = malloc(length_of(in->p, quote) + 1);
	if (!v->text)
		return -ENOMEM;
	while (*in->p != quote) {
		if (!*in->p || *in->p == '\n')
			return bad(in, "a string has no closing %c", quote);
		if (*in->p != '\\') {
			append(v->text, &n, *in->p++);
			continue;
		}
		in->p++;
		if (!*in->p || *in->p == '\n')
			return bad(in, "a string has no closing %c", quote);
		r = escape(in, v->text, &n);
		if (r < 0)
			return r;
	}
	in->p++;
	v->text[n] = '\0';
	*ret = TAKE_PTR(v);
	return 0;
}

static int read_number(struct reader *in, struct xlconf_value **ret)
{
	_cleanup_(value_freep) struct xlconf_value *v = new_value(in, XLCONF_NUMBER);
	const char *begin = in->p;

	if (!v)
		return -errno;
	if (*in->p == '-')
		in->p++;
	if (!isdigit((unsigned char)*in->p))
		return bad(in, "a - stands alone");
	while (isalnum((unsigned char)*in->p))
		in->p++;
	v->text = strndup(begin, (size_t)(in->p - begin));
	if (!v->text)
		return -ENOMEM;
	*ret = TAKE_PTR(v);
	return 0;
}

static int add_item(struct xlconf_value *list, struct xlconf_value *v)
{
	struct xlconf_value **item = list->item;

	/* full at 0, 1, 2, 4, 8... */
	if ((list->n & (list->n - 1)) == 0) {
		item = reallocarray(item, list->n ? 2 * list->n : 1, sizeof(*item));
		if (!item)
			return -ENOMEM;
		list->item = item;
	}
	item[list->n++] = v;
	return 0;
}

static int read_value(struct reader *in, unsigned int depth, struct xlconf_value **ret);

static int read_list(struct reader *in, unsigned int depth, struct xlconf_value **ret)
{
	_cleanup_(value_freep) struct xlconf_value *list = new_value(in, XLCONF_LIST);
	int r;

	if (!list)
		return -errno;
	if (depth == XLCONF_DEPTH_MAX)
		return bad(in, "lists are more than %d deep", XLCONF_DEPTH_MAX);
	in->p++;
	for (;;) {
		_cleanup_(value_freep) struct xlconf_value *v = NULL;

		skip(in, true);
		if (*in->p == ']')
			break;
		r = read_value(in, depth + 1, &v);
		if (r < 0)
			return r;
		r = add_item(list, v);
		if (r < 0)
			return r;
		TAKE_PTR(v);
		skip(in, true);
		if (*in->p == ',')
			in->p++;
		else if (*in->p != ']')
			return bad(in, "a list has neither , nor ] after a value");
	}
	in->p++;
	*ret = TAKE_PTR(list);
	return 0;
}

static int read_value(struct reader *in, unsigned int depth, struct xlconf_value **ret)
{
	if (*in->p == '"' || *in->p == '\'')
		return read_string(in, ret);
	if (*in->p == '[')
		return read_list(in, depth, ret);
	if (isdigit((unsigned char)*in->p) || *in->p == '-')
		return read_number(in, ret);
	return bad(in, "a value is a \"string\", a number or a [list]");
}

static struct xlconf_setting *find(const struct xlconf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n; i++)
		if (!strcmp(conf->setting[i].name, name))
			return &conf->setting[i];
	return NULL;
}

/* "+=": a list grows, a string gets longer. */
static int extend(struct reader *in, struct xlconf_value *old, struct xlconf_value *v)
{
	char *text;
	int r;

	if (old->type != v->type || old->type == XLCONF_NUMBER)
		return bad(in, "+= of another type");
	if (old->type == XLCONF_STRING) {
		if (asprintf(&text, "%s%s", old->text, v->text) < 0)
			return -ENOMEM;
		free(old->text);
		old->text = text;
		return 0;
	}
	for (size_t i = 0; i < v->n; i++) {
		r = add_item(old, v->item[i]);
		if (r < 0)
			return r;
		v->item[i] = NULL; /* it is the other's now */
	}
	return 0;
}

static int set(struct xlconf *conf, const char *name, unsigned int line, struct xlconf_value *v)
{
	struct xlconf_setting *s = find(conf, name);

	if (!s) {
		s = reallocarray(conf->setting, conf->n + 1, sizeof(*s));
		if (!s)
			return -ENOMEM;
		conf->setting = s;
		s += conf->n;
		*s = (struct xlconf_setting){ .name = strdup(name) };
		if (!s->name)
			return -ENOMEM;
		conf->n++;
	}
	value_free(s->value);
	s->value = v;
	s->before = s->line;
	s->line = line;
	return 0;
}

static int read_setting(struct reader *in, struct xlconf *conf)
{
	_cleanup_(value_freep) struct xlconf_value *v = NULL;
	_cleanup_free_ char *name = NULL;
	const char *begin = in->p;
	unsigned int line = in->line;
	struct xlconf_setting *old;
	bool extends = false;
	int r;

	if (!isalpha((unsigned char)*in->p) && *in->p != '_')
		return bad(in, "expected name = value");
	while (isalnum((unsigned char)*in->p) || *in->p == '_' || *in->p == '-' || *in->p == '.')
		in->p++;
	name = strndup(begin, (size_t)(in->p - begin));
	if (!name)
		return -ENOMEM;
	skip(in, false);
	if (in->p[0] == '+' && in->p[1] == '=') {
		extends = true;
		in->p++;
	}
	if (*in->p != '=')
		return bad(in, "%.40s is not followed by =", name);
	in->p++;
	skip(in, false);
	r = read_value(in, 0, &v);
	if (r < 0)
		return r;
	skip(in, false);
	if (*in->p && *in->p != '\n' && *in->p != ';')
		return bad(in, "the value of %.40s is followed by something else", name);
	old = find(conf, name);
	if (extends && old)
		return extend(in, old->value, v);
	r = set(conf, name, line, v);
	if (r >= 0)
		TAKE_PTR(v);
	return r;
}

int xlconf_parse(const char *text, struct xlconf *ret, unsigned int *ret_line, char *why,
		 size_t why_size)
{
	struct reader in = { .p = text, .line = 1, .why = why, .why_size = why_size };
	struct xlconf conf = { 0 };
	int r = 0;

	for (;;) {
		skip(&in, true);
		if (*in.p == ';') {
			in.p++;
			continue;
		}
		if (!*in.p)
			break;
		r = read_setting(&in, &conf);
		if (r < 0)
			break;
	}
	if (r == -E2BIG)
		snprintf(why, why_size, "it has more than %d values", XLCONF_VALUES_MAX);
	if (r < 0) {
		xlconf_clear(&conf);
		*ret_line = in.line;
		*ret = (struct xlconf){ 0 };
		return r;
	}
	*ret = conf;
	return 0;
}

const struct xlconf_value *xlconf_get(const struct xlconf *conf, const char *name)
{
	struct xlconf_setting *s = find(conf, name);

	return s ? s->value : NULL;
}
