/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages of proto.h that are about interfaces. */
#pragma once

#include <stddef.h>

#include "worker/control.h"

/* Carry out @msg and answer it. @fds: those that are taken over are set to -1. As control_reply().
 */
int control_vif(struct control *c, const struct worker_msg *msg, int *fds, size_t n);
