/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of a guest in the words of virsh, xm and xentop, and in ours. No side effects. */
#pragma once

#include "xenpv/host/hypervisor.h"

enum guest_state {
	GUEST_READY,      /* wants a CPU, has none */
	GUEST_RUNNING,    /* on a CPU */
	GUEST_IDLE,       /* all vCPUs wait */
	GUEST_TRANSITION, /* on a CPU, about to wait */
	GUEST_PAUSED,
	GUEST_HALTED, /* shut down; its memory and devices are still held */
	GUEST_SUSPENDED,
	GUEST_CRASHED,
	GUEST_DYING, /* its memory and devices are being released */
	GUEST_STOPPED,
	_GUEST_STATE_MAX,
};

#define XM_STATE 7 /* "rbpscd" and NUL */

enum guest_state guest_state(const struct hv_domain *d);
const char *guest_state_name(enum guest_state state);
const char *guest_state_virsh(enum guest_state state);

/* "r-----"; letters r b p s c d */
void guest_state_xm(const struct hv_domain *d, char ret[XM_STATE]);
/* "-----r"; letters d s b c p r */
void guest_state_xentop(const struct hv_domain *d, char ret[XM_STATE]);

const char *hv_type_name(enum hv_type type);
