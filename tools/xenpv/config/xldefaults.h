/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What xl.conf(5) has for all VNIFs that do not say it themselves. */
#pragma once

#define XL_DEFAULTS_PATH "/etc/xen/xl.conf"

/* NULL: not set */
struct xl_defaults {
	char *bridge, *script;
};

/* A file that is not there, or that xl does not understand either, sets nothing. -ENOMEM */
int xl_defaults_load(const char *path, struct xl_defaults *ret);
void xl_defaults_clear(struct xl_defaults *d);
