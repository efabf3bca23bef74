// SPDX-License-Identifier: GPL-2.0-or-later
/* xenpv check: read domain configurations as a whole before they do harm. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/parse.h"
#include "xenpv/bridge/facts.h"
#include "xenpv/bridge/site.h"
#include "xenpv/check/rules.h"
#include "xenpv/command.h"
#include "xenpv/config/configs.h"
#include "xenpv/config/sizing.h"
#include "xenpv/host/hypervisor.h"

struct reader {
	struct check check;
	struct check_host host;
	size_t n_files;
};

/* In /etc/xen/auto there are links to configurations, never these themselves. */
static int check_auto(struct reader *in, const char *path)
{
	_cleanup_free_ char *copy = strdup(path);
	struct stat st;

	if (!copy)
		return -ENOMEM;
	if (!strcmp(basename(dirname(copy)), "auto") && lstat(path, &st) == 0 &&
	    S_ISREG(st.st_mode))
		findings_add(&in->check.findings, SEVERITY_WARNING, path, 0,
			     "it is the configuration itself; keep that one directory up, and make "
			     "a symbolic link here");
	return 0;
}

static int take_text(void *userdata, const char *path, const char *text)
{
	struct reader *in = userdata;
	int r = check_auto(in, path);

	return r < 0 ? r : check_text(&in->check, &in->host, path, text);
}

static bool take_number(const char *option, const char *text, uint64_t max, uint64_t *ret)
{
	if (!text || parse_u64(text, 1, max, ret) == 0)
		return true;
	complain("xenpv check: --%s=%s is not a number from 1 to %llu", option, text,
		 (unsigned long long)max);
	return false;
}

static int run(struct reader *in, char **names, int n, struct problem *p)
{
	int r = configs_read(names, n, &in->check.findings, take_text, in, &in->n_files, p);

	if (r < 0)
		return r;
	r = check_finish(&in->check, &in->host);
	return r < 0 ? problem_set(p, EXIT_FAILED, r, "%m") : 0;
}

/* Against the rules alone, also those that the administrator has made. */
static int run_offline(struct reader *in, struct site *site, char **names, int n, struct problem *p)
{
	struct host_facts *net = &in->host.network;
	int r = settings_load(site->config, &site->settings, p);

	if (r < 0)
		return r;
	net->any_bridge = true;
	net->prefix = site->settings.prefix;
	net->prefix_len = site->settings.prefix_len;
	net->prefix_text = site->settings.mac_prefix;
	return run(in, names, n, p);
}

/* What Xen says of the host, where there is one, and the command line did not say otherwise. */
static void ask_xen(struct check_host *host)
{
	struct hypervisor hv = { 0 };
	struct problem ignored;
	struct hv_domain dom0;
	struct hv_host h;

	if (hypervisor_open(&hv, &ignored) < 0)
		return; /* configurations may be checked anywhere */
	if (hv.ops->host(hv.data, &h) == 0 && hv.ops->domain(hv.data, 0, &dom0) == 0) {
		host->memory_mb = host->memory_mb ?: h.memory_kib / 1024;
		host->cpus = host->cpus ?: h.cpus;
		host->dom0_mb = host->dom0_mb ?: dom0.memory_kib / 1024;
		host->dom0_vcpus = dom0.vcpus;
	}
	hypervisor_close(&hv);
}

static int run_here(struct reader *in, struct site *site, char **names, int n, struct problem *p)
{
	struct facts facts = { 0 };
	int r = site_open(site, false, p);

	if (r < 0)
		return r;
	ask_xen(&in->host);
	r = facts_gather(site, &facts);
	if (r < 0) {
		problem_set(p, EXIT_FAILED, r, "%m");
	} else {
		in->host.network = facts.host;
		in->host.identify = path_identify;
		r = run(in, names, n, p);
	}
	facts_clear(&facts);
	return r;
}

int cmd_check(int argc, char **argv, bool json)
{
	struct call call = {
		.path = "xenpv check",
		.words = "[FILE...]",
		.summary = "Check domain configurations, each and all together.",
		.more = "Without FILE, the guests' files in " CONFIGURATIONS " and " CONFIGURATIONS
			"/auto are read.\n"
			"The exit status is 1 if one of them has an error.",
		.json = json,
	};
	struct reader in = { 0 };
	struct site site = SITE_INIT;
	const char *memory = NULL, *dom0_memory = NULL, *cpus = NULL;
	uint64_t n_cpus = 0;
	bool offline = false;
	const struct opt opts[] = {
		{ "offline", 0, OPT_FLAG, &offline, NULL,
		  "do not look at this host: its disks, bridges, memory" },
		{ "memory", 0, OPT_TEXT, &memory, "MB", "what the host has installed" },
		{ "dom0-memory", 0, OPT_TEXT, &dom0_memory, "MB", "what dom0 has of it" },
		{ "cpus", 0, OPT_TEXT, &cpus, "N", "how many CPUs the host has" },
		SITE_OPTIONS(&site),
		{ 0 },
	};
	struct problem p = { 0 };
	int status, r;

	if (!parse_options(&call, opts, 0, -1, &argc, &argv, &status))
		return status;
	if (!take_number("memory", memory, SIZING_MAX_MB, &in.host.memory_mb) ||
	    !take_number("dom0-memory", dom0_memory, SIZING_MAX_MB, &in.host.dom0_mb) ||
	    !take_number("cpus", cpus, CPULIST_MAX, &n_cpus))
		return EXIT_USAGE;
	in.host.cpus = (uint32_t)n_cpus;
	r = offline ? run_offline(&in, &site, argv, argc, &p)
		    : run_here(&in, &site, argv, argc, &p);
	if (r < 0)
		problem_print(&p);
	status = r < 0 ? p.status
		       : findings_print(&in.check.findings, in.n_files, call.json, EXIT_FAILED);
	check_clear(&in.check);
	site_close(&site);
	return status;
}
