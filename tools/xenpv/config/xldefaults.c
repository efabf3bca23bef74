// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/config/xldefaults.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/files.h"
#include "xenpv/config/xlconf.h"

void xl_defaults_clear(struct xl_defaults *d)
{
	free(d->bridge);
	free(d->script);
	*d = (struct xl_defaults){ 0 };
}

/* By its name of today, or by the old one, which xl still reads. */
static int take(const struct xlconf *conf, const char *name, const char *old, char **ret)
{
	const struct xlconf_value *v = xlconf_get(conf, name) ?: xlconf_get(conf, old);

	if (!v || v->type != XLCONF_STRING || !*v->text)
		return 0;
	*ret = strdup(v->text);
	return *ret ? 0 : -ENOMEM;
}

int xl_defaults_load(const char *path, struct xl_defaults *ret)
{
	_cleanup_free_ char *text = NULL;
	struct xlconf conf = { 0 };
	unsigned int line;
	char why[256];
	int r;

	*ret = (struct xl_defaults){ 0 };
	r = file_read(path, XLCONF_SIZE_MAX, &text);
	if (r >= 0)
		r = xlconf_parse(text, &conf, &line, why, sizeof(why));
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = take(&conf, "vif.default.bridge", "defaultbridge", &ret->bridge);
	if (r >= 0)
		r = take(&conf, "vif.default.script", "vifscript", &ret->script);
	xlconf_clear(&conf);
	if (r < 0)
		xl_defaults_clear(ret);
	return r;
}
