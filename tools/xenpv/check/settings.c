// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/parse.h"
#include "xenpv/check/rules.h"
#include "xenpv/config/sizing.h"

#define NAME_MAX_LENGTH 50
#define WEIGHT_MAX      65535

static const struct {
	const char *key;
	const char *wanted[3];  /* words that are good */
	const char *allowed[8]; /* further ones that xl knows */
} words[] = {
	{ "on_crash",
	  { "destroy", "restart" },
	  { "preserve", "rename-restart", "coredump-destroy", "coredump-restart", "soft-reset" } },
	{ "on_poweroff",
	  { "destroy", "restart", "preserve" },
	  { "rename-restart", "coredump-destroy", "coredump-restart", "soft-reset" } },
	{ "on_reboot",
	  { "destroy", "restart", "preserve" },
	  { "rename-restart", "coredump-destroy", "coredump-restart", "soft-reset" } },
};

static const struct xlconf_value *get_text(const struct xlconf *conf, const char *key)
{
	const struct xlconf_value *v = xlconf_get(conf, key);

	return v && v->type != XLCONF_LIST ? v : NULL;
}

static void check_name(const struct domcfg *d, struct findings *findings)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_";
	size_t n = strlen(d->name), good = strspn(d->name, letters), fair = good;

	if (!d->name_line)
		return; /* that there is none has been said */
	/* these work with xl */
	while (d->name[fair] && strchr("-.+", d->name[fair]))
		fair += 1 + strspn(d->name + fair + 1, letters);
	if (n > NAME_MAX_LENGTH)
		DOMCFG_REPORT(d, SEVERITY_ERROR, d->name_line,
			      "the name has %zu characters, more than %d; shorten it", n,
			      NAME_MAX_LENGTH);
	if (d->name[strspn(d->name, "0123456789")] == '\0')
		DOMCFG_REPORT(d, SEVERITY_ERROR, d->name_line,
			      "the name is a number and would be taken for a domain id; add a "
			      "letter");
	else if (!strcmp(d->name, "auto") || !strcmp(d->name, "scripts"))
		DOMCFG_REPORT(d, SEVERITY_ERROR, d->name_line,
			      "the name is that of a directory in /etc/xen; take another");
	else if (d->name[fair])
		DOMCFG_REPORT(d, SEVERITY_ERROR, d->name_line,
			      "the name has a character other than letters, digits and _; take "
			      "another");
	else if (!strncmp(d->name, "xmexample", 9))
		DOMCFG_REPORT(
			d, SEVERITY_WARNING, d->name_line,
			"names that begin with xmexample are those of examples; take another");
	else if (d->name[good])
		DOMCFG_REPORT(d, SEVERITY_WARNING, d->name_line,
			      "the name has a \"%c\"; only letters, digits and _ work everywhere",
			      d->name[good]);
}

static void check_memory(const struct domcfg *d, const struct xlconf *conf,
			 const struct check_host *host, struct findings *findings)
{
	const struct sizing_guest g = { .memory_mb = d->memory.value,
					.vbds = (uint32_t)d->n_disks,
					.vnifs = (uint32_t)d->n_vnifs };
	uint64_t drivers = (sizing_drivers(&g) + SIZING_MB - 1) / SIZING_MB;
	const struct number *largest = d->maxmem.line ? &d->maxmem : &d->memory;

	if (!xlconf_get(conf, "memory"))
		DOMCFG_REPORT(d, SEVERITY_ERROR, 0, "memory is not set; add memory = <MB>");
	if (d->memory.line && d->memory.value <= drivers)
		DOMCFG_REPORT(d, SEVERITY_ERROR, d->memory.line,
			      "memory=%llu MB is less than the drivers of its %zu VBDs and %zu "
			      "VNIFs alone take (%llu MB); give it more",
			      (unsigned long long)d->memory.value, d->n_disks, d->n_vnifs,
			      (unsigned long long)drivers);
	if (d->memory.line && d->maxmem.line && d->memory.value > d->maxmem.value)
		DOMCFG_REPORT(d, SEVERITY_ERROR, d->memory.line,
			      "memory=%llu is more than maxmem=%llu; raise maxmem",
			      (unsigned long long)d->memory.value,
			      (unsigned long long)d->maxmem.value);
	if (!largest->line)
		return;
	if (largest->value > SIZING_GUEST_MAX_MB)
		DOMCFG_REPORT(
			d, SEVERITY_ERROR, largest->line,
			"%llu MB are more than a guest may have (%llu MB, 256 GB); the unit is "
			"MB",
			(unsigned long long)largest->value,
			(unsigned long long)SIZING_GUEST_MAX_MB);
	else if (host->memory_mb && largest->value > host->memory_mb)
		DOMCFG_REPORT(d, SEVERITY_ERROR, largest->line,
			      "%llu MB are more than the host has (%llu MB)",
			      (unsigned long long)largest->value,
			      (unsigned long long)host->memory_mb);
}

static unsigned int count_bits(const uint64_t *mask, size_t n)
{
	unsigned int bits = 0;

	for (size_t i = 0; i < n; i++)
		bits += (unsigned int)__builtin_popcountll(mask[i]);
	return bits;
}

/* One list for all vCPUs, as a string, or one for each, in a list. */
static void check_cpulist(const struct domcfg *d, const struct xlconf_value *v, uint64_t vcpus,
			  const struct check_host *host, struct findings *findings)
{
	uint64_t mask[CPULIST_MAX / 64];
	uint32_t all = host->cpus && host->cpus < CPULIST_MAX ? host->cpus : CPULIST_MAX;
	int r = cpulist_parse(v->text, all, mask);

	if (r == -ENOTSUP || r == -ENOMEM)
		return;
	if (r < 0) {
		DOMCFG_REPORT(d, SEVERITY_ERROR, v->line,
			      "cpus=%.60s is no list of CPUs; write \"1,3\", \"1-3\" or \"0-2,5\"",
			      v->text);
		return;
	}
	if (!strcmp(v->text, "all"))
		return; /* all: nothing is pinned */
	if (mask[0] & 1)
		DOMCFG_REPORT(d, SEVERITY_WARNING, v->line,
			      "cpus=%.60s has CPU 0, which dom0 should have for itself", v->text);
	if (count_bits(mask, ELEMENTSOF(mask)) < vcpus)
		DOMCFG_REPORT(d, SEVERITY_WARNING, v->line,
			      "cpus=%.60s are fewer CPUs than the guest has vCPUs (%llu)", v->text,
			      (unsigned long long)vcpus);
	for (uint32_t cpu = host->cpus; host->cpus && cpu < CPULIST_MAX; cpu++) {
		if (mask[cpu / 64] & UINT64_C(1) << cpu % 64) {
			DOMCFG_REPORT(d, SEVERITY_ERROR, v->line,
				      "cpus=%.60s has CPU %u; the host has 0 to %u", v->text, cpu,
				      host->cpus - 1);
			break;
		}
	}
}

static void check_cpus(const struct domcfg *d, const struct xlconf *conf,
		       const struct check_host *host, struct findings *findings)
{
	const struct xlconf_value *vcpus = get_text(conf, "vcpus");
	const struct xlconf_value *cpus = xlconf_get(conf, "cpus");
	const struct xlconf_value *weight = get_text(conf, "cpu_weight");
	const struct xlconf_value *cap = get_text(conf, "cap");
	uint64_t n = d->vcpus.line ? d->vcpus.value : 1, value;

	if (!cap)
		cap = get_text(conf, "cpu_cap");
	if (d->vcpus.line && (n < 1 || n > SIZING_GUEST_VCPUS_MAX))
		DOMCFG_REPORT(d, SEVERITY_ERROR, vcpus->line, "vcpus=%s is not within 1 to %d",
			      vcpus->text, SIZING_GUEST_VCPUS_MAX);
	else if (host->cpus && n > host->cpus)
		DOMCFG_REPORT(d, SEVERITY_ERROR, vcpus ? vcpus->line : 0,
			      "vcpus=%llu is more than the host has CPUs (%u)",
			      (unsigned long long)n, host->cpus);
	if (d->maxvcpus.line && d->vcpus.line && d->maxvcpus.value < n)
		DOMCFG_REPORT(d, SEVERITY_ERROR, d->maxvcpus.line,
			      "maxvcpus=%llu is less than vcpus=%llu",
			      (unsigned long long)d->maxvcpus.value, (unsigned long long)n);
	if (cpus && cpus->type != XLCONF_LIST)
		check_cpulist(d, cpus, n, host, findings);
	for (size_t i = 0; cpus && cpus->type == XLCONF_LIST && i < cpus->n; i++)
		if (cpus->item[i]->type != XLCONF_LIST)
			check_cpulist(d, cpus->item[i], 1, host, findings);
	if (weight && parse_u64(weight->text, 0, UINT64_MAX, &value) == 0 &&
	    (value < 1 || value > WEIGHT_MAX))
		DOMCFG_REPORT(d, SEVERITY_ERROR, weight->line,
			      "cpu_weight=%s is not within 1 to %d", weight->text, WEIGHT_MAX);
	if (cap && parse_u64(cap->text, 0, UINT64_MAX, &value) == 0 && value > 100 * n)
		DOMCFG_REPORT(d, SEVERITY_WARNING, cap->line,
			      "a cap of %s %% is more than its %llu vCPUs can use (%llu %%)",
			      cap->text, (unsigned long long)n, (unsigned long long)(100 * n));
}

static bool is_in(const char *text, const char *const *list, size_t max)
{
	for (size_t i = 0; i < max && list[i]; i++)
		if (!strcmp(text, list[i]))
			return true;
	return false;
}

static void check_words(const struct domcfg *d, const struct xlconf *conf,
			struct findings *findings)
{
	for (size_t i = 0; i < ELEMENTSOF(words); i++) {
		const struct xlconf_value *v = get_text(conf, words[i].key);

		if (!v || is_in(v->text, words[i].wanted, ELEMENTSOF(words[i].wanted)))
			continue;
		if (is_in(v->text, words[i].allowed, ELEMENTSOF(words[i].allowed)))
			DOMCFG_REPORT(d, SEVERITY_WARNING, v->line,
				      "%s=%.40s is unusual; %s and %s are tried ways", words[i].key,
				      v->text, words[i].wanted[0], words[i].wanted[1]);
		else
			DOMCFG_REPORT(d, SEVERITY_ERROR, v->line,
				      "%s=%.40s is no action; write %s or %s", words[i].key,
				      v->text, words[i].wanted[0], words[i].wanted[1]);
	}
}

static void check_uuid(const struct domcfg *d, struct findings *findings)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	bool good;

	if (!d->uuid)
		return;
	good = strlen(d->uuid) == sizeof(form) - 1;
	for (size_t i = 0; good && form[i]; i++)
		good = form[i] == '-' ? d->uuid[i] == '-' : isxdigit((unsigned char)d->uuid[i]);
	if (!good)
		DOMCFG_REPORT(d, SEVERITY_ERROR, d->uuid_line,
			      "uuid=%.60s is no UUID; take one from uuidgen, or remove it",
			      d->uuid);
}

void check_settings(const struct domcfg *d, const struct xlconf *conf,
		    const struct check_host *host, struct findings *findings)
{
	check_name(d, findings);
	check_memory(d, conf, host, findings);
	check_cpus(d, conf, host, findings);
	check_words(d, conf, findings);
	check_uuid(d, findings);
}
