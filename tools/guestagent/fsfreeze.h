/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system calls of a freeze, apart so that tests can stand in for a kernel. */
#pragma once

/* Freeze the file system of the directory @fd. Negative errno; needs CAP_SYS_ADMIN. */
int fsfreeze_freeze(int fd);

/* Thaw it. -EINVAL: it is not frozen. */
int fsfreeze_thaw(int fd);
