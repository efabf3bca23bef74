/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The settings of an interface that rtnetlink does not have: the files of
 * /proc/sys/net/{ipv4,ipv6}/conf/<interface>, of the caller's network namespace.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define SYSCTL_VALUE 32

/* Errors: -ENOENT (no such interface, key, or no IPv6 at all), others of read(2). */
int sysctl_read(const char *family, const char *dev, const char *key, char ret[SYSCTL_VALUE]);

/* The seam of sysctl changes, as rtnl_change() is of the others. */
int sysctl_write(const char *family, const char *dev, const char *key, const char *value);

/*
 * sysctl_each_difference - where an interface is set otherwise than a new one will be
 * @fn: called for each key of which @dev's value is not the value of "default"
 *
 * Leaves out what is not a setting: mtu, addr_gen_mode, stable_secret.
 */
typedef int (*sysctl_fn)(const char *family, const char *key, const char *value, void *userdata);
int sysctl_each_difference(const char *dev, sysctl_fn fn, void *userdata);
