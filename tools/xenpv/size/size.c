// SPDX-License-Identifier: GPL-2.0-or-later
/* xenpv size: how much memory guests, their drivers, dom0 and the hypervisor take together. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/parse.h"
#include "xenpv/bridge/files.h"
#include "xenpv/command.h"
#include "xenpv/config/domcfg.h"
#include "xenpv/config/sizing.h"

#define GUESTS_MAX  256
#define DOM0_NATIVE 512 /* a host without a desktop */

struct named_guest {
	char name[64];
	struct sizing_guest g;
};

struct request {
	struct named_guest guest[GUESTS_MAX];
	struct sizing_guest plain[GUESTS_MAX]; /* the same, as sizing_host() wants them */
	uint32_t n;
	uint64_t installed, dom0, native;
};

static int add(struct request *rq, const char *name, const struct sizing_guest *g,
	       struct problem *p)
{
	struct named_guest *n = &rq->guest[rq->n];

	if (rq->n == GUESTS_MAX)
		return problem_set(p, EXIT_USAGE, -E2BIG, "%s: more than %d kinds of guests", name,
				   GUESTS_MAX);
	if (g->memory_mb > SIZING_GUEST_MAX_MB || g->vcpus > SIZING_GUEST_VCPUS_MAX)
		return problem_set(p, EXIT_REFUSED, -ERANGE,
				   "%s: %llu MB and %u vCPUs are more than a guest may have (%llu "
				   "MB, %d)",
				   name, (unsigned long long)g->memory_mb, g->vcpus,
				   (unsigned long long)SIZING_GUEST_MAX_MB, SIZING_GUEST_VCPUS_MAX);
	snprintf(n->name, sizeof(n->name), "%s", name);
	n->g = *g;
	rq->plain[rq->n++] = *g;
	return 0;
}

/* "MB[,VCPUS[,VBDS[,VNIFS[,COUNT]]]]" */
static int add_words(struct request *rq, const char *text, struct problem *p)
{
	uint64_t value[5] = { 0, 1, 1, 1, 1 };
	static const uint64_t min[5] = { 1, 1, 0, 0, 1 };
	static const uint64_t max[5] = { SIZING_GUEST_MAX_MB, SIZING_GUEST_VCPUS_MAX,
					 SIZING_GUEST_VBDS_MAX, SIZING_GUEST_VNIFS_MAX, 1000 };
	_cleanup_free_ char *copy = strdup(text);
	char *save = NULL;
	size_t n = 0;
	struct sizing_guest g;

	if (!copy)
		return problem_set(p, EXIT_FAILED, -ENOMEM, "%m");
	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save), n++)
		if (n == ELEMENTSOF(value) || parse_u64(w, min[n], max[n], &value[n]) < 0)
			return problem_set(
				p, EXIT_USAGE, -EINVAL,
				"xenpv size: --guest=%s: write MB,VCPUS,VBDS,VNIFS,COUNT "
				"with at most %llu MB, %d vCPUs, %d VBDs, %d VNIFs",
				text, (unsigned long long)SIZING_GUEST_MAX_MB,
				SIZING_GUEST_VCPUS_MAX, SIZING_GUEST_VBDS_MAX,
				SIZING_GUEST_VNIFS_MAX);
	if (n == 0)
		return problem_set(p, EXIT_USAGE, -EINVAL, "xenpv size: --guest is empty");
	g = (struct sizing_guest){ .memory_mb = value[0],
				   .vcpus = (uint32_t)value[1],
				   .vbds = (uint32_t)value[2],
				   .vnifs = (uint32_t)value[3],
				   .count = (uint32_t)value[4] };
	return add(rq, text, &g, p);
}

static int add_domain(struct request *rq, const struct domcfg *d, struct problem *p)
{
	struct sizing_guest g = { .memory_mb = d->memory.value,
				  .vcpus = 1,
				  .vbds = (uint32_t)d->n_disks,
				  .vnifs = (uint32_t)d->n_vnifs,
				  .count = 1 };

	if (!d->memory.line || !g.memory_mb)
		return problem_set(p, EXIT_REFUSED, -EINVAL,
				   "%s: memory is not set, or no number; see \"xenpv check\"",
				   d->file);
	if (d->vcpus.line)
		g.vcpus = d->vcpus.value > UINT32_MAX ? UINT32_MAX : (uint32_t)d->vcpus.value;
	return add(rq, d->name, &g, p);
}

static int add_file(struct request *rq, const char *path, struct problem *p)
{
	_cleanup_free_ char *text = NULL;
	struct findings findings = { 0 };
	struct domcfgs all = { 0 };
	struct xlconf conf = { 0 };
	unsigned int line = 0;
	char why[256];
	int r = file_read(path, XLCONF_SIZE_MAX, &text);

	if (r < 0)
		return problem_set(p, r == -ENOENT ? EXIT_ABSENT : EXIT_FAILED, r,
				   "%s: cannot be read: %m", path);
	r = xlconf_parse(text, &conf, &line, why, sizeof(why));
	if (r == -EINVAL || r == -E2BIG)
		return problem_set(p, EXIT_REFUSED, r,
				   "%s:%u: is no domain configuration: %s; correct it", path, line,
				   why);
	if (r >= 0)
		r = domcfgs_add(&all, path, strlen(text), &conf, &findings);
	r = r < 0 ? problem_set(p, EXIT_FAILED, r, "%s: %m", path) : add_domain(rq, all.item, p);
	domcfgs_clear(&all);
	findings_clear(&findings);
	xlconf_clear(&conf);
	return r;
}

static void print_mb(const char *what, uint64_t tenths, const char *how)
{
	printf("%-28s %10llu.%llu MB  %s\n", what, (unsigned long long)(tenths / SIZING_MB),
	       (unsigned long long)(tenths % SIZING_MB), how);
}

static uint64_t round_up(uint64_t tenths)
{
	return (tenths + SIZING_MB - 1) / SIZING_MB;
}

/* The part of dom0's memory that is for guests: by the formula, and what is really taken. */
static void print_backend(const struct request *rq, const struct sizing *s)
{
	char how[128];

	snprintf(how, sizeof(how),
		 "%d KiB + %d KiB a guest, %d KiB a ring of a VBD, %d KiB a queue of a VNIF",
		 SIZING_BROKER_KIB, SIZING_WORKER_KIB, SIZING_RING_KIB, SIZING_QUEUE_KIB);
	printf("\nof dom0 for guests, by the formulas and as measured:\n");
	print_mb("  formula", 16 * s->n_guests * SIZING_MB + s->dom0_devices,
		 "16 MB a guest + devices");
	print_mb("  xenpv-backendd", sizing_backend(rq->plain, rq->n), how);
	print_mb("  xenpv-backendd, at most", sizing_backend_max(rq->plain, rq->n),
		 "and 8 MB of buffers a ring");
}

static void print_text(const struct request *rq, const struct sizing *s)
{
	printf("%-24s %5s %9s %9s %9s %9s %5s %5s %5s\n", "guest", "count", "memory", "overhead",
	       "needs", "drivers", "vcpus", "vbds", "vnifs");
	for (uint32_t i = 0; i < rq->n; i++) {
		const struct sizing_guest *g = &rq->guest[i].g;

		printf("%-24s %5u %9llu %9.1f %9.1f %9.1f %5u %5u %5u\n", rq->guest[i].name,
		       g->count, (unsigned long long)g->memory_mb,
		       (double)sizing_overhead(g) / SIZING_MB,
		       (double)(g->memory_mb * SIZING_MB + sizing_overhead(g)) / SIZING_MB,
		       (double)sizing_drivers(g) / SIZING_MB, g->vcpus, g->vbds, g->vnifs);
	}
	putchar('\n');
	if (rq->installed) {
		print_mb("installed", rq->installed * SIZING_MB, "");
		print_mb("hypervisor", s->hypervisor, "32 MB + installed / 64");
	}
	print_mb("firmware", s->firmware, "");
	print_mb("dom0", s->dom0,
		 rq->dom0 ? "as set" : "its own + 16 MB a guest + devices; at least 1024 MB");
	print_mb("  of it for devices", s->dom0_devices, "2.7 MB + 0.6 MB a VBD, 1.2 MB a VNIF");
	print_mb("guests", s->guests, "memory + 8 MB + 1 MB a vCPU + 8 MB a GB");
	if (rq->installed)
		print_mb(s->left < 0 ? "missing" : "left",
			 (uint64_t)(s->left < 0 ? -s->left : s->left), "");
	print_mb("installed, at least", sizing_installed_min(s) * SIZING_MB, "");
	print_backend(rq, s);
	if (!rq->dom0)
		printf("\nhypervisor's command line: dom0_mem=%lluM,max:%lluM\n",
		       (unsigned long long)round_up(s->dom0),
		       (unsigned long long)round_up(s->dom0));
}

static void add_mb(struct json_object *o, const char *key, double tenths)
{
	json_object_object_add(o, key, json_object_new_double(tenths / SIZING_MB));
}

static void add_count(struct json_object *o, const char *key, uint64_t n)
{
	json_object_object_add(o, key, json_object_new_uint64(n));
}

static struct json_object *make_json(const struct request *rq, const struct sizing *s)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();

	for (uint32_t i = 0; i < rq->n; i++) {
		const struct sizing_guest *g = &rq->guest[i].g;
		struct json_object *item = json_object_new_object();

		json_object_object_add(item, "guest", json_object_new_string(rq->guest[i].name));
		add_count(item, "count", g->count);
		add_count(item, "vcpus", g->vcpus);
		add_count(item, "vbds", g->vbds);
		add_count(item, "vnifs", g->vnifs);
		add_count(item, "memory_mb", g->memory_mb);
		add_mb(item, "overhead_mb", (double)sizing_overhead(g));
		add_mb(item, "drivers_mb", (double)sizing_drivers(g));
		json_object_array_add(list, item);
	}
	json_object_object_add(o, "guests", list);
	json_object_object_add(o, "installed_mb",
			       rq->installed ? json_object_new_uint64(rq->installed) : NULL);
	if (rq->installed) {
		add_mb(o, "hypervisor_mb", (double)s->hypervisor);
		add_mb(o, "assignable_mb", (double)s->assignable);
		add_mb(o, "left_mb", (double)s->left);
	}
	add_mb(o, "firmware_mb", (double)s->firmware);
	add_mb(o, "dom0_mb", (double)s->dom0);
	add_mb(o, "dom0_devices_mb", (double)s->dom0_devices);
	add_mb(o, "guests_mb", (double)s->guests);
	add_mb(o, "dom0_formula_mb", (double)(16 * s->n_guests * SIZING_MB + s->dom0_devices));
	add_mb(o, "backend_mb", (double)sizing_backend(rq->plain, rq->n));
	add_mb(o, "backend_max_mb", (double)sizing_backend_max(rq->plain, rq->n));
	add_count(o, "installed_min_mb", sizing_installed_min(s));
	json_object_object_add(o, "fits",
			       rq->installed ? json_object_new_boolean(s->left >= 0) : NULL);
	return o;
}

static int report(const struct request *rq, bool json)
{
	struct sizing s;
	int status;

	sizing_host(rq->plain, rq->n, rq->installed, rq->dom0, rq->native, &s);
	status = rq->installed && s.left < 0 ? EXIT_REFUSED : EXIT_DONE;
	if (json)
		return print_json(make_json(rq, &s), status);
	print_text(rq, &s);
	if (s.n_guests > SIZING_GUESTS_MAX)
		complain("%llu guests are more than the %d that may run at a time",
			 (unsigned long long)s.n_guests, SIZING_GUESTS_MAX);
	if (s.vcpus > SIZING_VCPUS_MAX)
		complain("%llu vCPUs are more than the %d that may be, dom0's included",
			 (unsigned long long)s.vcpus, SIZING_VCPUS_MAX);
	return status;
}

static bool take_number(const char *option, const char *text, uint64_t *ret)
{
	if (!text || parse_u64(text, 1, SIZING_MAX_MB, ret) == 0)
		return true;
	complain("xenpv size: --%s=%s is not a number of MB from 1 to %llu", option, text,
		 (unsigned long long)SIZING_MAX_MB);
	return false;
}

int cmd_size(int argc, char **argv, bool json)
{
	struct call call = {
		.path = "xenpv size",
		.words = "[FILE...]",
		.summary = "How much memory guests, dom0 and the hypervisor take together.",
		.more = "Guests are those of the domain configurations FILE... and of --guest.\n"
			"The exit status is 3 if --installed is too little.",
		.json = json,
	};
	_cleanup_free_ struct request *rq = calloc(1, sizeof(*rq));
	const char *installed = NULL, *dom0 = NULL, *native = NULL;
	struct opt_list guests = { 0 };
	const struct opt opts[] = {
		{ "guest", 'g', OPT_LIST, &guests, "SPEC",
		  "MB,VCPUS,VBDS,VNIFS,COUNT; each but the first may be left out (1)" },
		{ "installed", 0, OPT_TEXT, &installed, "MB", "what the host has" },
		{ "dom0-memory", 0, OPT_TEXT, &dom0, "MB",
		  "what dom0 has; without, what it needs" },
		{ "dom0-native", 0, OPT_TEXT, &native, "MB",
		  "what dom0's own system takes without guests (512)" },
		{ 0 },
	};
	struct problem p = { 0 };
	int status, r = 0;

	if (!parse_options(&call, opts, 0, -1, &argc, &argv, &status))
		return status;
	if (!rq) {
		complain("%m");
		return EXIT_FAILED;
	}
	rq->native = DOM0_NATIVE;
	if (!take_number("installed", installed, &rq->installed) ||
	    !take_number("dom0-memory", dom0, &rq->dom0) ||
	    !take_number("dom0-native", native, &rq->native))
		return EXIT_USAGE;
	if (argc == 0 && guests.n == 0) {
		complain("xenpv size: name configurations, or guests with --guest");
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < guests.n && r >= 0; i++)
		r = add_words(rq, guests.item[i], &p);
	for (int i = 0; i < argc && r >= 0; i++)
		r = add_file(rq, argv[i], &p);
	if (r < 0) {
		problem_print(&p);
		return p.status;
	}
	return report(rq, call.json);
}
