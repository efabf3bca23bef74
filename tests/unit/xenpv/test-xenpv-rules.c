// SPDX-License-Identifier: GPL-2.0-or-later
/* What "xenpv bridge check" says of configurations: each of the manual's warnings, one by one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "xenpv/config/guests.h"
#include "xenpv/bridge/rules.h"
#include "xenpv/config/xlconf.h"

#define FILES_MAX 80

static const char *const bridges[] = { "xenbr0", "gextbr1", "intbr2", "gintbr3", "virbr0" };

static struct host_facts host(void)
{
	static __typeof__(*((struct host_facts *)0)->interfaces) interfaces[] = {
		{ "eth2", { { 0x02, 0x17, 0x42, 0x2f, 0x00, 0x01 } } },
	};
	struct host_facts facts = {
		.bridges = bridges,
		.n_bridges = ELEMENTSOF(bridges),
		.interfaces = interfaces,
		.n_interfaces = 1,
		.prefix_text = "02:17:42:2F",
	};

	assert_int_equal(mac_parse_prefix(facts.prefix_text, &facts.prefix, &facts.prefix_len), 0);
	return facts;
}

static void check_with(const struct host_facts *facts, const char *const *texts, size_t n,
		       struct findings *findings)
{
	struct guests guests = { 0 };

	for (size_t i = 0; i < n; i++) {
		struct xlconf conf;
		unsigned int line;
		char why[256], file[16];

		snprintf(file, sizeof(file), "%zu.cfg", i + 1);
		assert_int_equal(xlconf_parse(texts[i], &conf, &line, why, sizeof(why)), 0);
		assert_int_equal(guests_add(&guests, file, &conf, findings), 0);
		xlconf_clear(&conf);
	}
	assert_int_equal(rules_check(&guests, facts, findings), 0);
	guests_clear(&guests);
}

#define GUEST(name, vif)  "name = '" name "'\nvif = [\n" vif "]\n"
#define VNIF(mac, bridge) "'mac=" mac ",bridge=" bridge "',\n"

struct rule_case {
	const char *texts[3];
	size_t errors;
	const char *finding; /* part of one; NULL for none at all */
};

static const struct rule_case cases[] = {
	/* the manual's own example */
	{ { GUEST("a", VNIF("02:17:42:2F:01:01", "xenbr0") VNIF("02:17:42:2F:01:02", "gextbr1")) },
	  0,
	  NULL },
	{ { GUEST("a", VNIF("02:17:42:2F:FF:FF", "virbr0")) }, 0, NULL },
	{ { "name = 'a'" }, 0, NULL },
	{ { GUEST("a", "") }, 0, NULL },
	/* addresses */
	{ { GUEST("a", VNIF("02:17:42:2F:01:01", "xenbr0")),
	    GUEST("b", VNIF("02:17:42:2f:01:01", "xenbr0")) },
	  1,
	  "2.cfg:3: b: vif[0]: mac=02:17:42:2F:01:01 is that of a vif[0] (1.cfg:3), too" },
	{ { GUEST("a", VNIF("02:17:42:2F:01:01", "xenbr0") VNIF("02:17:42:2F:01:01", "gextbr1")) },
	  1,
	  "is that of a vif[0]" },
	{ { GUEST("a", VNIF("02:17:42:2F:01:01", "xenbr0")),
	    GUEST("b", VNIF("02:17:42:2F:01:01", "gintbr3")),
	    GUEST("c", VNIF("02:17:42:2F:01:01", "gextbr1")) },
	  2,
	  "3.cfg:3: c: vif[0]: mac=02:17:42:2F:01:01 is that of a" },
	{ { GUEST("a", VNIF("03:17:42:2F:01:01", "xenbr0")) }, 1, "the address of a group" },
	{ { GUEST("a", VNIF("FF:FF:FF:FF:FF:FF", "xenbr0")) }, 1, "the address of a group" },
	{ { GUEST("a", VNIF("01:00:5E:00:00:01", "xenbr0")) }, 1, "the address of a group" },
	{ { GUEST("a", VNIF("00:00:00:00:00:00", "xenbr0")) }, 1, "no station's address" },
	{ { GUEST("a", VNIF("02:17:42:2E:01:01", "xenbr0")) },
	  1,
	  "does not begin with 02:17:42:2F" },
	{ { GUEST("a", VNIF("00:16:3E:00:01:01", "xenbr0")) },
	  1,
	  "does not begin with 02:17:42:2F" },
	{ { GUEST("a", VNIF("02:17:42:2F:100:00", "xenbr0")) }, 2, "is no address; write six" },
	{ { GUEST("a", VNIF("02:17:42:2F:01", "xenbr0")) }, 2, "is no address; write six" },
	{ { GUEST("a", VNIF("02:17:42:2F:00:01", "xenbr0")) }, 1, "is the address of dom0's eth2" },
	{ { GUEST("a", VNIF("02:17:42:2f:01:01", "xenbr0")) }, 0, "is in lower case" },
	{ { GUEST("a", "'bridge=xenbr0'") }, 1, "it has no mac=" },
	/* bridges */
	{ { GUEST("a", "'mac=02:17:42:2F:01:01'") },
	  0,
	  "it names no bridge, and xl takes xenbr0 by default" },
	{ { GUEST("a", "'mac=02:17:42:2F:01:01'," VNIF("02:17:42:2F:01:02", "xenbr0")) },
	  1,
	  "vif[1]: bridge=xenbr0 is that of vif[0], too" },
	{ { GUEST("a", "'mac=02:17:42:2F:01:01,backend=netdom'") }, 0, NULL },
	{ { GUEST("a", VNIF("02:17:42:2F:01:01", "")) }, 1, "it names no bridge" },
	{ { GUEST("a", VNIF("02:17:42:2F:01:01", "xenbr9")) }, 1, "bridge=xenbr9 does not exist" },
	{ { GUEST("a", VNIF("02:17:42:2F:01:01", "xenbr1")) },
	  2,
	  "xenbr1 has the number of gextbr1" },
	{ { GUEST("a", VNIF("02:17:42:2F:01:01", "xenbr128")) },
	  2,
	  "a number that no bridge can have" },
	{ { GUEST("a", VNIF("02:17:42:2F:01:01", "xenbr0") VNIF("02:17:42:2F:01:02", "xenbr0")) },
	  1,
	  "1.cfg:4: a: vif[1]: bridge=xenbr0 is that of vif[0], too" },
	{ { GUEST("a", "'mac=02:17:42:2F:01:01,bridge=x,backend=netdom'") }, 0, NULL },
	{ { GUEST("a", "'mac=02:17:42:2F:01:01,script=vif-route,ip=10.0.0.1'") },
	  0,
	  "routed, not" },
	{ { GUEST("a", "'mac=02:17:42:2F:01:01,script=/etc/xen/scripts/vif-nat'") }, 0, "routed" },
	{ { GUEST("a", "'mac=02:17:42:2F:01:01,bridge=xenbr0,script=vif-bridge'") }, 0, NULL },
	/* bridges of Open vSwitch are not the kernel's: neither that they are there, nor how many
	 */
	{ { GUEST("a", "'mac=02:17:42:2F:01:01,bridge=ovsbr0,script=vif-openvswitch'") }, 0, NULL },
	{ { GUEST("a", "'mac=02:17:42:2F:01:01,script=/etc/xen/scripts/vif-openvswitch,"
		       "bridge=ovsbr0.10:20:30'") },
	  0,
	  NULL },
	{ { GUEST("a", "'mac=02:17:42:2F:01:01,bridge=xenbr1,script=vif-openvswitch',"
		       "'mac=02:17:42:2F:01:02,bridge=xenbr1,script=vif-openvswitch'") },
	  0,
	  NULL },
	{ { GUEST("a", "'mac=00:16:3E:00:01:01,bridge=ovsbr0,script=vif-openvswitch'") },
	  1,
	  "does not begin with 02:17:42:2F" },
	{ { GUEST("a", "'bridge=ovsbr0,script=vif-openvswitch'") }, 1, "it has no mac=" },
	{ { GUEST("a", "'mac=02:17:42:2F:01:01,bridge=ovsbr0,script=vif-openvswitch'"),
	    GUEST("b", "'mac=02:17:42:2F:01:01,bridge=ovsbr1,script=vif-openvswitch'") },
	  1,
	  "is that of a vif[0] (1.cfg:3), too" },
	{ { GUEST("a", "'mac=02:17:42:2F:01:01,bridge=ovsbr0'") }, 1, "ovsbr0 does not exist" },
	/* form */
	{ { GUEST("a", "' mac = 02:17:42:2F:01:01 , bridge = xenbr0 '") }, 0, NULL },
	{ { GUEST("a", "'mac=02:17:42:2F:01:01,bridge=xenbr0,,'") }, 0, NULL },
	{ { GUEST("a", "'mac=02:17:42:2F:01:01,bridge=xenbr0,brige=x'") }, 0, "brige is unknown" },
	{ { GUEST("a", "'mac=02:17:42:2F:01:01,bridge=xenbr0,ip'") },
	  1,
	  "\"ip\" is not key=value" },
	{ { GUEST("a", "5") }, 1, "is no string" },
	{ { GUEST("a", "['mac=02:17:42:2F:01:01']") }, 1, "is no string" },
	{ { "name = 'a'\nvif = 'mac=02:17:42:2F:01:01,bridge=xenbr0'" }, 1, "vif is no list" },
	{ { "vif = [" VNIF("02:17:42:2F:01:01", "xenbr0") "]" }, 1, "the guest has no name" },
	{ { GUEST("a", ""), GUEST("a", "") }, 1, "1.cfg has this name, too" },
};

static bool has(const struct findings *findings, const char *part)
{
	for (size_t i = 0; i < findings->n; i++) {
		const struct finding *f = &findings->item[i];
		char text[1024];

		snprintf(text, sizeof(text), "%s:%u: %s", f->file, f->line, f->text);
		if (strstr(text, part))
			return true;
	}
	return false;
}

static void test_cases(void **state)
{
	const struct host_facts facts = host();

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct findings findings = { 0 };
		size_t n = 0;

		while (n < 3 && cases[i].texts[n])
			n++;
		check_with(&facts, cases[i].texts, n, &findings);
		if (findings.errors != cases[i].errors ||
		    (cases[i].finding ? !has(&findings, cases[i].finding) : findings.n > 0))
			fail_msg("case %zu: %zu findings, %zu errors: %s", i, findings.n,
				 findings.errors, findings.n ? findings.item[0].text : "");
		findings_clear(&findings);
	}
}

static void test_any_prefix(void **state)
{
	static const char *const text[] = { GUEST("a", VNIF("00:16:3E:00:01:01", "xenbr0")) };
	struct host_facts facts = host();
	struct findings findings = { 0 };

	(void)state;
	facts.prefix_len = 0;
	check_with(&facts, text, 1, &findings);
	assert_int_equal(findings.n, 0);
	findings_clear(&findings);
}

static void test_defaults(void **state)
{
	static const char *const none[] = { GUEST("a", "'mac=02:17:42:2F:01:01'") };
	static const char *const own[] = { GUEST("a", VNIF("02:17:42:2F:01:01", "ovsbr0")) };
	static const char *const bridged[] = { GUEST(
		"a", "'mac=02:17:42:2F:01:01,bridge=ovsbr0,script=vif-bridge'") };
	struct host_facts facts = host();
	struct findings findings = { 0 };

	(void)state;
	facts.default_bridge = "virbr0";
	check_with(&facts, none, 1, &findings);
	assert_int_equal(findings.errors, 0);
	assert_true(has(&findings, "xl takes virbr0 by default"));
	findings_clear(&findings);
	facts.default_bridge = "xenbr9";
	check_with(&facts, none, 1, &findings);
	assert_true(has(&findings, "bridge=xenbr9 does not exist"));
	findings_clear(&findings);
	facts.default_script = "/etc/xen/scripts/vif-openvswitch";
	check_with(&facts, none, 1, &findings);
	assert_int_equal(findings.errors, 0);
	findings_clear(&findings);
	check_with(&facts, own, 1, &findings);
	assert_int_equal(findings.n, 0);
	check_with(&facts, bridged, 1, &findings);
	assert_true(has(&findings, "bridge=ovsbr0 does not exist"));
	findings_clear(&findings);
	facts.default_script = "vif-route";
	check_with(&facts, none, 1, &findings);
	assert_int_equal(findings.errors, 0);
	assert_true(has(&findings, "it is routed"));
	findings_clear(&findings);
}

/* @n VNIFs of guest number @guest: on bridge 0, or each on one of its own. */
static char *many(unsigned int guest, unsigned int n, const char *bridge)
{
	char *text = malloc(64 + n * 80), *p = text;

	assert_non_null(text);
	p += sprintf(p, "name = 'g%u'\nvif = [\n", guest);
	for (unsigned int i = 0; i < n; i++)
		p += sprintf(p,
			     bridge ? "'mac=02:17:42:2F:%02X:%02X,bridge=%s',"
				    : "'mac=02:17:42:2F:%02X:%02X,bridge=%sgintbr%u',",
			     guest + 1, i, bridge ?: "", i + 10);
	sprintf(p, "]\n");
	return text;
}

static void test_guest_limit(void **state)
{
	const char *names[130];
	char buf[130][16];
	struct host_facts facts = host();

	(void)state;
	for (unsigned int i = 0; i < 20; i++) {
		snprintf(buf[i], sizeof(buf[i]), "gintbr%u", i + 10);
		names[i] = buf[i];
	}
	facts.bridges = names;
	facts.n_bridges = 20;
	for (unsigned int n = 10; n <= 11; n++) {
		struct findings findings = { 0 };
		char *text = many(0, n, NULL);

		check_with(&facts, (const char *const[]){ text }, 1, &findings);
		assert_int_equal(findings.errors, n > 10);
		if (n > 10)
			assert_true(has(&findings, "it has 11 VNIFs, more than 10"));
		findings_clear(&findings);
		free(text);
	}
}

static void test_bridge_limits(void **state)
{
	const struct host_facts facts = host();
	const char *texts[FILES_MAX];

	(void)state;
	for (unsigned int n = 64; n <= 66; n++) {
		struct findings findings = { 0 };

		for (unsigned int i = 0; i < n; i++)
			texts[i] = many(i, 1, "gintbr3");
		check_with(&facts, texts, n, &findings);
		assert_int_equal(findings.errors, n > 64);
		if (n > 64)
			assert_true(has(&findings, "gintbr3 has more than 64 VNIFs with this one"));
		findings_clear(&findings);
		for (unsigned int i = 0; i < n; i++)
			free((char *)texts[i]);
	}
}

static void test_bridge_count(void **state)
{
	static const char *const text[] = { GUEST("a", VNIF("02:17:42:2F:01:01", "one-more")) };
	static char buf[128][16];
	const char *names[128];
	struct host_facts facts = host();
	struct findings findings = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 128; i++) {
		snprintf(buf[i], sizeof(buf[i]), "gintbr%u", i);
		names[i] = buf[i];
	}
	facts.bridges = names;
	facts.n_bridges = 127;
	check_with(&facts, text, 1, &findings);
	assert_int_equal(findings.errors, 1); /* it does not exist */
	findings_clear(&findings);
	facts.n_bridges = 128;
	check_with(&facts, text, 1, &findings);
	assert_int_equal(findings.errors, 2);
	assert_true(has(&findings, "bridge number 129"));
	findings_clear(&findings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),        cmocka_unit_test(test_any_prefix),
		cmocka_unit_test(test_guest_limit),  cmocka_unit_test(test_bridge_limits),
		cmocka_unit_test(test_bridge_count), cmocka_unit_test(test_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
