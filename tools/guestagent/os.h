/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest runs: the operating system's name and version, kernel, host name. */
#pragma once

#include "report.h"

struct os_info {
	char *name;   /* "Debian GNU/Linux 12 (bookworm)" */
	char *distro; /* "debian" */
	char *major;  /* "12"; NULL if the distribution has no version, as rolling ones */
	char *minor;  /* "5"; NULL if unknown */
	char *uname;  /* kernel release, "6.1.0-18-amd64" */
	char *host;   /* host name as the kernel has it; NULL if there is none */
};

/*
 * os_release_get - the value of @key in the text of an os-release(5) file
 * @text: the file, NUL-terminated
 * @ret: the value with shell quoting undone, to be freed by the caller
 *
 * As in a shell the last assignment counts. Lines that are not assignments are
 * skipped. Errors: -ENOENT (no such key, or a value whose quotes do not close),
 * -ENOMEM.
 */
int os_release_get(const char *text, const char *key, char **ret);

/*
 * os_version_split - take "24.04.1" apart into "24" and "04"
 *
 * @ret_major and @ret_minor are set to new strings or, where the version has no such
 * number, to NULL. Errors: -ENOMEM (nothing is set).
 */
int os_version_split(const char *version, char **ret_major, char **ret_minor);

/*
 * os_read - gather what is known of the system below @root
 * @root: "" for the running system; tests give a directory
 * @ret: filled on success; os_info_clear() frees it
 *
 * A file that is missing or unreadable costs only what it would have told. Kernel and
 * host name always come from the running kernel. Errors: -ENOMEM.
 */
int os_read(const char *root, struct os_info *ret);
void os_info_clear(struct os_info *os);

/*
 * os_report - add data/os_* and data/host_name_dns to @report
 *
 * The names that xapi and Xen Orchestra read (xapi_guest_agent.ml). Errors: -ENOMEM.
 */
int os_report(const struct os_info *os, struct report *report);
