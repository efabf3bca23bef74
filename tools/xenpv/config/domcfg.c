// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/config/domcfg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/parse.h"
#include "xenpv/config/keys.h"

#define VNC_DISPLAY_MAX 59635 /* port 65535 */

static void domcfg_clear(struct domcfg *d)
{
	for (size_t i = 0; i < d->n_disks; i++)
		diskspec_clear(&d->disk[i]);
	free(d->disk);
	free(d->console);
	free(d->file);
	free(d->name);
	free(d->uuid);
}

void domcfgs_clear(struct domcfgs *all)
{
	for (size_t i = 0; i < all->n; i++)
		domcfg_clear(&all->item[i]);
	free(all->item);
	*all = (struct domcfgs){ 0 };
}

static const char *const types[] = {
	[KEY_NUMBER] = "a number",           [KEY_SIGNED] = "a number", [KEY_BOOL] = "0 or 1",
	[KEY_STRING] = "a string in quotes", [KEY_LIST] = "a list",     [KEY_ANY] = "a value",
};

static bool fits(const struct xlconf_value *v, enum key_type type)
{
	uint64_t n;

	switch (type) {
	case KEY_NUMBER:
		return v->type != XLCONF_LIST && parse_u64(v->text, 0, UINT64_MAX, &n) == 0;
	case KEY_SIGNED:
		return v->type != XLCONF_LIST &&
		       parse_u64(v->text + (v->text[0] == '-'), 0, INT64_MAX, &n) == 0;
	case KEY_BOOL:
		return v->type != XLCONF_LIST && parse_u64(v->text, 0, 1, &n) == 0;
	case KEY_STRING:
		return v->type != XLCONF_LIST;
	case KEY_LIST:
		return v->type == XLCONF_LIST;
	case KEY_ANY:
		return true;
	}
	return false;
}

/* For messages: what a setting was given. */
static const char *value_text(const struct xlconf_value *v)
{
	return v->type == XLCONF_LIST ? "[...]" : v->text;
}

static void check_key(const struct domcfg *d, const struct xlconf_setting *s,
		      struct findings *findings)
{
	const struct key *key = key_find(s->name);
	const struct xlconf_value *v = s->value;

	if (s->before)
		DOMCFG_REPORT(d, SEVERITY_WARNING, s->line,
			      "%.40s is set in line %u, too, to no effect; remove one of them",
			      s->name, s->before);
	if (!key) {
		DOMCFG_REPORT(d, SEVERITY_WARNING, s->line,
			      "the setting %.40s is unknown; correct or remove it", s->name);
		return;
	}
	if (!fits(v, key->type)) {
		DOMCFG_REPORT(d, SEVERITY_ERROR, s->line, "%s=%.60s is not %s; correct it", s->name,
			      value_text(v), types[key->type]);
		return;
	}
	if (key->note == KEY_GONE && key->word)
		DOMCFG_REPORT(d, SEVERITY_WARNING, s->line,
			      "xl does nothing with %s; write %s instead", s->name, key->word);
	else if (key->note == KEY_GONE)
		DOMCFG_REPORT(d, SEVERITY_WARNING, s->line, "xl does nothing with %s; remove it",
			      s->name);
	else if (key->note == KEY_FIXED && (v->type == XLCONF_LIST || strcmp(v->text, key->word)))
		DOMCFG_REPORT(d, SEVERITY_WARNING, s->line,
			      "%s=%.60s: it should stay as the installer set it, %s", s->name,
			      value_text(v), key->word);
}

static struct number take_number(const struct xlconf *conf, const char *name)
{
	const struct xlconf_value *v = xlconf_get(conf, name);
	struct number n = { 0 };

	if (v && v->type != XLCONF_LIST && parse_u64(v->text, 0, UINT64_MAX, &n.value) == 0)
		n.line = v->line;
	return n;
}

static const char *text_of(const struct xlconf *conf, const char *name)
{
	const struct xlconf_value *v = xlconf_get(conf, name);

	return v && v->type != XLCONF_LIST ? v->text : NULL;
}

static int take_disks(struct domcfg *d, const struct xlconf_value *list, struct findings *findings)
{
	char why[160];

	if (!list || list->type != XLCONF_LIST || list->n == 0)
		return 0;
	d->disk = calloc(list->n, sizeof(*d->disk));
	if (!d->disk)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		const struct xlconf_value *v = list->item[i];
		int r = -EINVAL;

		snprintf(why, sizeof(why), "is no string; write \"...\" in quotes");
		if (v->type == XLCONF_STRING)
			r = diskspec_parse(v->text, &d->disk[d->n_disks], why, sizeof(why));
		if (r == -EINVAL) {
			DOMCFG_REPORT(d, SEVERITY_ERROR, v->line, "disk[%zu]: \"%.125s\" %s", i,
				      value_text(v), why);
			continue;
		}
		if (r < 0)
			return r;
		d->disk[d->n_disks++].line = v->line;
	}
	return 0;
}

/* Letters that a password of VNC may have; xm's own settings allow ^ and -, too. */
static void check_password(const struct domcfg *d, const char *password, unsigned int line,
			   struct findings *findings)
{
	if (strlen(password) > 8)
		DOMCFG_REPORT(d, SEVERITY_ERROR, line,
			      "vncpasswd has %zu characters; VNC looks at the first 8 only",
			      strlen(password));
	if (password[strspn(password, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.\\$%=&~|!?_@:/^-")])
		DOMCFG_REPORT(d, SEVERITY_ERROR, line,
			      "vncpasswd has a character other than letters, digits and "
			      ".\\$%%=&~|!?_@:/^-");
}

static int add_console(struct domcfg *d, const char *display, bool unused, unsigned int line,
		       struct findings *findings)
{
	struct console *c = reallocarray(d->console, d->n_consoles + 1, sizeof(*c));
	uint32_t n = 0;

	if (!c)
		return -ENOMEM;
	d->console = c;
	c += d->n_consoles++;
	*c = (struct console){ .line = line };
	if (!display)
		return 0;
	if (parse_u32(display, 1, VNC_DISPLAY_MAX, &n) < 0)
		DOMCFG_REPORT(d, SEVERITY_ERROR, line,
			      "vncdisplay=%.20s is not within 1 to %d (ports 5901 to 65535)",
			      display, VNC_DISPLAY_MAX);
	else if (!unused)
		*c = (struct console){ true, n, line };
	return 0;
}

static void check_listen(const struct domcfg *d, const char *listen, unsigned int line,
			 struct findings *findings)
{
	if (listen && strncmp(listen, "127.", 4) != 0 && strcmp(listen, "::1") != 0 &&
	    strcmp(listen, "localhost") != 0)
		DOMCFG_REPORT(
			d, SEVERITY_WARNING, line,
			"vnclisten=%.40s shows the console to the network; 127.0.0.1 does not",
			listen);
}

/* "type=vnc,vncdisplay=10,..." */
static int take_vfb(struct domcfg *d, const struct xlconf_value *v, struct findings *findings)
{
	_cleanup_free_ char *copy = NULL;
	const char *display = NULL, *listen = NULL;
	bool unused = true, vnc = true;
	char *save = NULL;

	if (v->type != XLCONF_STRING) {
		DOMCFG_REPORT(d, SEVERITY_ERROR, v->line, "vfb: is no string; write it in quotes");
		return 0;
	}
	copy = strdup(v->text);
	if (!copy)
		return -ENOMEM;
	for (char *word = strtok_r(copy, ", ", &save); word; word = strtok_r(NULL, ", ", &save)) {
		char *value = strchr(word, '=');

		if (!value) {
			DOMCFG_REPORT(d, SEVERITY_ERROR, v->line,
				      "vfb: \"%.40s\" is not key=value; correct it", word);
			continue;
		}
		*value++ = '\0';
		if (!strcmp(word, "vncdisplay"))
			display = value;
		else if (!strcmp(word, "vnclisten"))
			listen = value;
		else if (!strcmp(word, "vncunused"))
			unused = strcmp(value, "0") != 0;
		else if (!strcmp(word, "vncpasswd"))
			check_password(d, value, v->line, findings);
		else if (!strcmp(word, "type") || !strcmp(word, "vnc"))
			vnc = !strcmp(value, "vnc") || !strcmp(value, "1");
	}
	check_listen(d, listen, v->line, findings);
	return vnc ? add_console(d, display, unused, v->line, findings) : 0;
}

static bool is_one(const struct xlconf *conf, const char *name, bool otherwise)
{
	const char *text = text_of(conf, name);

	return text ? !strcmp(text, "1") : otherwise;
}

static int take_consoles(struct domcfg *d, const struct xlconf *conf, struct findings *findings)
{
	const struct xlconf_value *vfb = xlconf_get(conf, "vfb"), *vnc = xlconf_get(conf, "vnc");
	const struct xlconf_value *display = xlconf_get(conf, "vncdisplay");
	const struct xlconf_value *listen = xlconf_get(conf, "vnclisten");
	const struct xlconf_value *password = xlconf_get(conf, "vncpasswd");
	int r = 0;

	for (size_t i = 0; vfb && vfb->type == XLCONF_LIST && i < vfb->n && r >= 0; i++)
		r = take_vfb(d, vfb->item[i], findings);
	if (r < 0)
		return r;
	if (listen)
		check_listen(d, text_of(conf, "vnclisten"), listen->line, findings);
	if (password && password->type != XLCONF_LIST)
		check_password(d, password->text, password->line, findings);
	if (is_one(conf, "vnc", false) && is_one(conf, "nographic", false))
		DOMCFG_REPORT(d, SEVERITY_WARNING, vnc->line,
			      "vnc=1 and nographic=1 contradict each other; set one to 0");
	if (!is_one(conf, "vnc", false) && !display)
		return 0;
	return add_console(d, text_of(conf, "vncdisplay"), is_one(conf, "vncunused", true),
			   display ? display->line : vnc->line, findings);
}

static int take(struct domcfg *d, const struct xlconf *conf, struct findings *findings)
{
	const struct xlconf_value *uuid = xlconf_get(conf, "uuid"), *vif = xlconf_get(conf, "vif");
	const char *key = xlconf_get(conf, "type") ? "type" : "builder";
	const char *type = text_of(conf, key);
	int r;

	d->hvm = type && !strcmp(type, "hvm");
	if (type && strcmp(type, "hvm") && strcmp(type, "pv") && strcmp(type, "pvh") &&
	    strcmp(type, "generic") && strcmp(type, "linux"))
		DOMCFG_REPORT(d, SEVERITY_ERROR, xlconf_get(conf, key)->line,
			      "%s=%.20s is not \"hvm\", \"pvh\" or \"pv\"; correct it", key, type);
	for (size_t i = 0; i < conf->n; i++)
		check_key(d, &conf->setting[i], findings);
	d->memory = take_number(conf, "memory");
	d->maxmem = take_number(conf, "maxmem");
	d->vcpus = take_number(conf, "vcpus");
	d->maxvcpus = take_number(conf, "maxvcpus");
	if (vif && vif->type == XLCONF_LIST)
		d->n_vnifs = vif->n;
	if (uuid && uuid->type != XLCONF_LIST) {
		d->uuid = strdup(uuid->text);
		d->uuid_line = uuid->line;
		if (!d->uuid)
			return -ENOMEM;
	}
	r = take_disks(d, xlconf_get(conf, "disk"), findings);
	return r < 0 ? r : take_consoles(d, conf, findings);
}

int domcfgs_add(struct domcfgs *all, const char *file, size_t bytes, const struct xlconf *conf,
		struct findings *findings)
{
	struct domcfg *d = reallocarray(all->item, all->n + 1, sizeof(*d));
	const struct xlconf_value *name = xlconf_get(conf, "name");

	if (!d)
		return -ENOMEM;
	all->item = d;
	d += all->n++;
	*d = (struct domcfg){ .file = strdup(file), .name_line = name ? name->line : 0 };
	d->name = strdup(name && name->type != XLCONF_LIST && *name->text ? name->text : "?");
	if (!d->file || !d->name)
		return -ENOMEM;
	if (bytes >= 4096)
		DOMCFG_REPORT(d, SEVERITY_WARNING, 0,
			      "the file has %zu bytes; from 4096 on xend may fail to start the "
			      "guest; remove comments and blank lines",
			      bytes);
	return take(d, conf, findings);
}
