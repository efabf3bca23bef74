// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What "xenpv check" prints of the configurations in a directory, against what it should: see
 * check/README.md. The hosts are made up, so that every machine gives the same answers.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/files.h"
#include "xenpv/check/rules.h"
#include "xenpv/command.h"

#define DEV(a, b) ((dev_t)(a) << 8 | (b)) /* makedev(3), which is no constant */
#define CASES_MAX 200
#define FILES_MAX 80
#define LINE_MAX_ 160

/* The disks of the made-up host. */
static const struct {
	const char *path;
	struct path_facts facts;
} paths[] = {
	{ "/dev/sda", { PATH_BLOCK, DEV(8, 0), 0, DEV(8, 0), "", "/dev/disk/by-id/A" } },
	{ "/dev/sda1", { PATH_BLOCK, DEV(8, 1), 0, DEV(8, 0), "", "/dev/disk/by-id/A-part1" } },
	{ "/dev/sda2", { PATH_BLOCK, DEV(8, 2), 0, DEV(8, 0), "", "/dev/disk/by-id/A-part2" } },
	{ "/dev/disk/by-id/A", { PATH_BLOCK, DEV(8, 0), 0, DEV(8, 0), "", "" } },
	{ "/dev/disk/by-id/A-part1", { PATH_BLOCK, DEV(8, 1), 0, DEV(8, 0), "", "" } },
	{ "/dev/disk/by-id/B", { PATH_BLOCK, DEV(8, 16), 0, DEV(8, 16), "mounted on /srv", "" } },
	{ "/dev/vg/a", { PATH_BLOCK, DEV(253, 0), 0, DEV(253, 0), "", "" } },
	{ "/dev/vg/pv", { PATH_BLOCK, DEV(253, 1), 0, DEV(253, 1), "part of dm-3", "" } },
	{ "/xen/a.img", { PATH_FILE, DEV(8, 33), 11, DEV(8, 33), "", "" } },
	{ "/xen/hardlink.img", { PATH_FILE, DEV(8, 33), 11, DEV(8, 33), "", "" } },
	{ "/xen/b.img", { PATH_FILE, DEV(8, 33), 12, DEV(8, 33), "", "" } },
	{ "/xen", { PATH_OTHER, 0, 0, 0, "", "" } },
	{ "/dev/null", { PATH_NULL, 0, 0, 0, "", "" } },
};

static int identify(void *userdata, const char *path, struct path_facts *ret)
{
	(void)userdata;
	*ret = (struct path_facts){ .kind = PATH_MISSING };
	for (size_t i = 0; i < ELEMENTSOF(paths); i++)
		if (!strcmp(paths[i].path, path))
			*ret = paths[i].facts;
	return 0;
}

static const char *const bridges[] = { "xenbr0", "xenbr1", "xenbr2", "gextbr3", "intbr4" };

static const char *directory;
static char names[CASES_MAX][LINE_MAX_];
static size_t n_names;

/* "# host: memory=8192 dom0=1024 cpus=8 disks bridges" in the first line of a case. */
static void set_host(struct check_host *host, const char *text)
{
	char line[256], *save = NULL;

	*host = (struct check_host){ .network = { .any_bridge = true,
						  .prefix_text = "02:17:42:2F" } };
	assert_int_equal(
		mac_parse_prefix("02:17:42:2F", &host->network.prefix, &host->network.prefix_len),
		0);
	if (strncmp(text, "# host:", 7) != 0)
		return;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(text + 7, "\n"), text + 7);
	for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *value = strchr(w, '=');
		unsigned long n = value ? strtoul(value + 1, NULL, 10) : 0;

		if (!strncmp(w, "memory=", 7))
			host->memory_mb = n;
		else if (!strncmp(w, "dom0=", 5))
			host->dom0_mb = n;
		else if (!strncmp(w, "cpus=", 5))
			host->cpus = (uint32_t)n;
		else if (!strncmp(w, "dom0_vcpus=", 11))
			host->dom0_vcpus = (uint32_t)n;
		else if (!strcmp(w, "disks"))
			host->identify = identify;
		else if (!strcmp(w, "bridges"))
			host->network.any_bridge = false;
		else
			fail_msg("%s: no such word", w);
	}
	host->network.bridges = bridges;
	host->network.n_bridges = ELEMENTSOF(bridges);
}

static void read_text(const char *name, char **ret)
{
	char path[512];
	int r;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	r = file_read(path, 1 << 20, ret);
	if (r < 0)
		fail_msg("%s: %s", path, strerror(-r));
}

/* As cmd_check() does it, into a string. */
static char *run(const char *stem)
{
	int saved = dup(STDOUT_FILENO), status;
	struct check_host host;
	struct check check = { 0 };
	size_t k = strlen(stem), n;
	FILE *f = tmpfile();
	char *out = calloc(1, 1 << 16);

	assert_non_null(f);
	assert_non_null(out);
	for (size_t i = 0, files = 0; i < n_names; i++) {
		_cleanup_free_ char *text = NULL;

		if (strncmp(names[i], stem, k) != 0 || names[i][k] != '.' ||
		    !strstr(names[i], ".cfg"))
			continue;
		read_text(names[i], &text);
		if (files++ == 0)
			set_host(&host, text);
		assert_int_equal(check_text(&check, &host, names[i], text), 0);
	}
	assert_int_equal(check_finish(&check, &host), 0);
	fflush(stdout);
	dup2(fileno(f), STDOUT_FILENO);
	status = findings_print(&check.findings, check.n_files, false, EXIT_FAILED);
	printf("exit %d\n", status);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(f);
	n = fread(out, 1, (1 << 16) - 1, f);
	out[n] = '\0';
	fclose(f);
	check_clear(&check);
	return out;
}

static void test_case(void **state)
{
	const char *stem = *state;
	char name[LINE_MAX_ + 8], path[512];
	_cleanup_free_ char *wanted = NULL, *got = run(stem);

	snprintf(name, sizeof(name), "%s.out", stem);
	if (getenv("UPDATE")) { /* for who adds a case: look at what it wrote */
		snprintf(path, sizeof(path), "%s/%s", directory, name);
		assert_int_equal(file_replace(path, got), 0);
		return;
	}
	read_text(name, &wanted);
	assert_string_equal(got, wanted);
}

/* By case; of one case, the file without a number first. */
static int by_name(const void *pa, const void *pb)
{
	const char *a = pa, *b = pb;
	size_t n = strcspn(a, "."), k = strcspn(b, ".");
	int d = memcmp(a, b, n < k ? n : k);

	if (d || n != k)
		return d ? d : (n < k ? -1 : 1);
	return atoi(a + n + 1) - atoi(b + n + 1);
}

int main(int argc, char **argv)
{
	static char stems[CASES_MAX][LINE_MAX_];
	static struct CMUnitTest tests[CASES_MAX];
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	directory = argc > 1 ? argv[1] : ".";
	dir = opendir(directory);
	while (dir && (entry = readdir(dir)) && n_names < CASES_MAX)
		if (strstr(entry->d_name, ".cfg"))
			snprintf(names[n_names++], LINE_MAX_, "%.150s", entry->d_name);
	if (dir)
		closedir(dir);
	qsort(names, n_names, sizeof(names[0]), by_name);
	for (size_t i = 0; i < n_names; i++) {
		size_t k = strcspn(names[i], ".");

		if (n > 0 && !strncmp(stems[n - 1], names[i], k) && !stems[n - 1][k])
			continue;
		snprintf(stems[n], LINE_MAX_, "%.*s", (int)k, names[i]);
		tests[n] = (struct CMUnitTest){ .name = stems[n],
						.test_func = test_case,
						.initial_state = stems[n] };
		n++;
	}
	if (n < 40) {
		fprintf(stderr, "%s: %zu cases; there should be at least 40\n", directory, n);
		return 1;
	}
	return _cmocka_run_group_tests("check", tests, n, NULL, NULL);
}
