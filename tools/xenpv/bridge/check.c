// SPDX-License-Identifier: GPL-2.0-or-later
/* xenpv bridge check: read domain configurations before they do harm. */
#include <errno.h>

#include "xenpv/bridge/bridge.h"
#include "xenpv/bridge/facts.h"
#include "xenpv/config/configs.h"
#include "xenpv/config/findings.h"
#include "xenpv/config/guests.h"
#include "xenpv/bridge/rules.h"
#include "xenpv/bridge/site.h"
#include "xenpv/config/xlconf.h"

struct check {
	struct site site;
	struct guests guests;
	struct findings findings;
	size_t n_files;
};

static int take_text(void *userdata, const char *path, const char *text)
{
	struct check *c = userdata;
	struct xlconf conf = { 0 };
	unsigned int line = 0;
	char why[256];
	int r = xlconf_parse(text, &conf, &line, why, sizeof(why));

	if (r == -EINVAL || r == -E2BIG) {
		findings_add(&c->findings, SEVERITY_ERROR, path, line,
			     "is no domain configuration: %s; correct it", why);
		return 0;
	}
	if (r >= 0)
		r = guests_add(&c->guests, path, &conf, &c->findings);
	xlconf_clear(&conf);
	return r;
}

static int apply_rules(struct check *c, struct problem *p)
{
	struct facts facts;
	int r = facts_gather(&c->site, &facts);

	if (r >= 0)
		r = rules_check(&c->guests, &facts.host, &c->findings);
	facts_clear(&facts);
	return r < 0 ? problem_set(p, EXIT_FAILED, r, "%m") : 0;
}

int cmd_bridge_check(int argc, char **argv, bool json)
{
	struct call call = {
		.path = "xenpv bridge check",
		.words = "[FILE...]",
		.summary = "Check the network part of domain configurations, all together.",
		.more = "Without FILE, the guests' files in " CONFIGURATIONS " and " CONFIGURATIONS
			"/auto are read.",
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
		r = configs_read(argv, argc, &c.findings, take_text, &c, &c.n_files, &p);
	if (r >= 0)
		r = apply_rules(&c, &p);
	if (r < 0)
		problem_print(&p);
	status = r < 0 ? p.status : findings_print(&c.findings, c.n_files, call.json, EXIT_REFUSED);
	guests_clear(&c.guests);
	findings_clear(&c.findings);
	site_close(&c.site);
	return status;
}
