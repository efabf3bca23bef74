/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain configuration of any content is refused with a reason and a line, or makes sense: all
 * values are of their type, and the VNIFs in it can be judged, and so can the whole. Findings can
 * be printed.
 *
 * Input: the text, up to its first NUL byte; after it a second one.
 */
#include "fuzz.h"
#include "xenpv/bridge/rules.h"
#include "xenpv/check/rules.h"
#include "xenpv/config/guests.h"
#include "xenpv/config/xlconf.h"

static size_t check_value(const struct xlconf_value *v, unsigned int depth)
{
	size_t n = 1;

	MUST_HOLD(v->line >= 1);
	if (v->type != XLCONF_LIST) {
		MUST_HOLD(v->text && !v->item && v->n == 0);
		return n;
	}
	MUST_HOLD(!v->text && depth < XLCONF_DEPTH_MAX);
	for (size_t i = 0; i < v->n; i++)
		n += check_value(v->item[i], depth + 1);
	return n;
}

static void add(struct guests *guests, const char *file, const char *text,
		struct findings *findings)
{
	struct xlconf conf = { 0 };
	unsigned int line = 0, lines = 1;
	char why[256] = "";
	size_t n = 0;
	int r = xlconf_parse(text, &conf, &line, why, sizeof(why));

	if (r < 0) {
		for (const char *p = text; *p; p++)
			lines += *p == '\n';
		MUST_HOLD(why[0] && line >= 1 && line <= lines && conf.n == 0);
	} else {
		for (size_t i = 0; i < conf.n; i++) {
			MUST_HOLD(xlconf_get(&conf, conf.setting[i].name) == conf.setting[i].value);
			n += check_value(conf.setting[i].value, 0);
		}
		MUST_HOLD(n <= XLCONF_VALUES_MAX);
		MUST_HOLD(guests_add(guests, file, &conf, findings) == 0);
	}
	xlconf_clear(&conf);
}

static void check_printable(const struct findings *findings)
{
	for (size_t i = 0; i < findings->n; i++)
		for (const char *c = findings->item[i].text; *c; c++)
			MUST_HOLD((unsigned char)*c >= ' ' && *c != 0x7f);
}

static void check_whole(const char *first, const char *second, const struct host_facts *network)
{
	struct check_host host = {
		.memory_mb = 4096, .dom0_mb = 1024, .cpus = 8, .dom0_vcpus = 1, .network = *network
	};
	struct check check = { 0 };

	MUST_HOLD(check_text(&check, &host, "1", first) == 0);
	if (second)
		MUST_HOLD(check_text(&check, &host, "2", second) == 0);
	MUST_HOLD(check_finish(&check, &host) == 0);
	check_printable(&check.findings);
	check_clear(&check);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const bridges[] = { "xenbr0", "gintbr3" };
	struct host_facts host = { .bridges = bridges,
				   .n_bridges = 2,
				   .prefix_len = 4,
				   .prefix = { { 0x02, 0x17, 0x42, 0x2f } },
				   .prefix_text = "02:17:42:2F" };
	struct guests guests = { 0 };
	struct findings findings = { 0 };
	char *text = malloc(size + 2);

	memcpy(text, data, size);
	text[size] = text[size + 1] = '\0';
	add(&guests, "1", text, &findings);
	if (strlen(text) < size)
		add(&guests, "2", text + strlen(text) + 1, &findings);
	MUST_HOLD(rules_check(&guests, &host, &findings) == 0);
	check_printable(&findings);
	check_whole(text, strlen(text) < size ? text + strlen(text) + 1 : NULL, &host);
	findings_clear(&findings);
	guests_clear(&guests);
	free(text);
	return 0;
}
