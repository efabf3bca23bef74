// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"
#include "xenpv/check/rules.h"
#include "xenpv/config/sizing.h"

/* What dom0's own system takes when nobody says: a host without a desktop. */
#define DOM0_NATIVE_MB 512

static void check_uuids(const struct domcfgs *all, struct findings *findings)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct domcfg *d = &all->item[i];

		for (size_t k = 0; d->uuid && k < i; k++) {
			const struct domcfg *other = &all->item[k];

			if (!other->uuid || strcasecmp(other->uuid, d->uuid) != 0)
				continue;
			DOMCFG_REPORT(d, SEVERITY_ERROR, d->uuid_line,
				      "uuid=%.60s is that of %s (%s:%u), too; take another from "
				      "uuidgen",
				      d->uuid, other->name, other->file, other->uuid_line);
			break;
		}
	}
}

static const struct console *find_console(const struct domcfg *d, uint32_t display, size_t n)
{
	for (size_t i = 0; i < n && i < d->n_consoles; i++)
		if (d->console[i].fixed && d->console[i].display == display)
			return &d->console[i];
	return NULL;
}

static void check_console(const struct domcfgs *all, size_t i, size_t n, struct findings *findings)
{
	const struct domcfg *d = &all->item[i];
	const struct console *c = &d->console[n], *other;

	for (size_t k = 0; c->fixed && k <= i; k++) {
		other = find_console(&all->item[k], c->display, k < i ? SIZE_MAX : n);
		if (!other)
			continue;
		DOMCFG_REPORT(d, SEVERITY_ERROR, c->line,
			      "vncdisplay=%u (port %u) is that of %s (%s:%u), too; take another",
			      c->display, 5900 + c->display, all->item[k].name, all->item[k].file,
			      other->line);
		break;
	}
}

static void check_limits(const struct domcfgs *all, const struct check_host *host,
			 struct findings *findings)
{
	uint64_t vcpus = host->dom0_vcpus;

	for (size_t i = 0; i < all->n; i++) {
		const struct domcfg *d = &all->item[i];
		uint64_t before = vcpus;

		/* one that is beyond has been said already */
		if (d->vcpus.line && d->vcpus.value <= SIZING_GUEST_VCPUS_MAX)
			vcpus += d->vcpus.value;
		else
			vcpus++;
		if (before <= SIZING_VCPUS_MAX && vcpus > SIZING_VCPUS_MAX)
			DOMCFG_REPORT(d, SEVERITY_WARNING, d->vcpus.line,
				      "with this guest all have %llu vCPUs together, dom0's %u "
				      "included, and at most %d may run at a time",
				      (unsigned long long)vcpus, host->dom0_vcpus,
				      SIZING_VCPUS_MAX);
		if (i == SIZING_GUESTS_MAX)
			DOMCFG_REPORT(d, SEVERITY_WARNING, 0,
				      "it is guest number %zu, and at most %d may run at a time",
				      i + 1, SIZING_GUESTS_MAX);
	}
}

static int check_memory(const struct domcfgs *all, const struct check_host *host,
			struct findings *findings)
{
	_cleanup_free_ struct sizing_guest *guests = calloc(all->n + 1, sizeof(*guests));
	const struct domcfg *last = all->n ? &all->item[all->n - 1] : NULL;
	struct sizing s, need;

	if (!guests)
		return -ENOMEM;
	for (size_t i = 0; i < all->n; i++) {
		const struct domcfg *d = &all->item[i];

		if (!d->memory.line || d->memory.value > SIZING_GUEST_MAX_MB)
			return 0; /* a sum without it would be no sum */
		guests[i] = (struct sizing_guest){
			.memory_mb = d->memory.value,
			.vcpus = d->vcpus.line && d->vcpus.value <= SIZING_GUEST_VCPUS_MAX
					 ? (uint32_t)d->vcpus.value
					 : 1,
			.vbds = (uint32_t)d->n_disks,
			.vnifs = (uint32_t)d->n_vnifs,
			.count = 1,
		};
	}
	if (!last)
		return 0;
	sizing_host(guests, (uint32_t)all->n, host->memory_mb, host->dom0_mb, DOM0_NATIVE_MB, &s);
	sizing_host(guests, (uint32_t)all->n, host->memory_mb, 0, DOM0_NATIVE_MB, &need);
	if (host->dom0_mb && host->dom0_mb < SIZING_DOM0_MIN_MB)
		DOMCFG_REPORT(last, SEVERITY_ERROR, 0,
			      "dom0 has %llu MB; below %d it may panic; raise dom0_mem",
			      (unsigned long long)host->dom0_mb, SIZING_DOM0_MIN_MB);
	else if (host->dom0_mb && s.dom0 < need.dom0)
		DOMCFG_REPORT(last, SEVERITY_WARNING, 0,
			      "dom0 has %llu MB and needs %llu MB with these guests (%d MB of its "
			      "own, 16 MB for each, their devices); raise dom0_mem",
			      (unsigned long long)host->dom0_mb,
			      (unsigned long long)((need.dom0 + SIZING_MB - 1) / SIZING_MB),
			      DOM0_NATIVE_MB);
	if (host->memory_mb && s.left < 0)
		DOMCFG_REPORT(
			last, SEVERITY_WARNING, last->memory.line,
			"all guests together take %llu MB (8 MB for each, 1 MB for a vCPU and "
			"8 MB for a GB included), and %llu MB of the host's %llu MB are for "
			"guests; not all can run at a time",
			(unsigned long long)((s.guests + SIZING_MB - 1) / SIZING_MB),
			(unsigned long long)(s.assignable / SIZING_MB),
			(unsigned long long)host->memory_mb);
	return 0;
}

int check_together(const struct domcfgs *all, const struct check_host *host,
		   struct findings *findings)
{
	check_uuids(all, findings);
	for (size_t i = 0; i < all->n; i++)
		for (size_t k = 0; k < all->item[i].n_consoles; k++)
			check_console(all, i, k, findings);
	check_limits(all, host, findings);
	return check_memory(all, host, findings);
}

/* The whole. */

int check_text(struct check *c, const struct check_host *host, const char *file, const char *text)
{
	struct xlconf conf = { 0 };
	const struct domcfg *d;
	unsigned int line = 0;
	char why[256];
	int r = xlconf_parse(text, &conf, &line, why, sizeof(why));

	c->n_files++;
	if (r == -EINVAL || r == -E2BIG) {
		findings_add(&c->findings, SEVERITY_ERROR, file, line,
			     "is no domain configuration: %s; correct it", why);
		return 0;
	}
	if (r >= 0)
		r = guests_add(&c->guests, file, &conf, &c->findings);
	if (r >= 0)
		r = domcfgs_add(&c->domains, file, strlen(text), &conf, &c->findings);
	if (r >= 0) {
		d = &c->domains.item[c->domains.n - 1];
		check_settings(d, &conf, host, &c->findings);
		check_disks(d, host, &c->findings);
	}
	xlconf_clear(&conf);
	return r;
}

int check_finish(struct check *c, const struct check_host *host)
{
	int r = rules_check(&c->guests, &host->network, &c->findings);

	if (r >= 0)
		r = check_sharing(&c->domains, host, &c->findings);
	if (r >= 0)
		r = check_together(&c->domains, host, &c->findings);
	findings_sort(&c->findings);
	return r < 0 ? r : c->findings.error;
}

void check_clear(struct check *c)
{
	domcfgs_clear(&c->domains);
	guests_clear(&c->guests);
	findings_clear(&c->findings);
	*c = (struct check){ 0 };
}
