// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/host/words.h"

#include <string.h>

static const struct {
	const char *ours, *virsh;
} names[_GUEST_STATE_MAX] = {
	[GUEST_READY] = { "ready", "no state" },
	[GUEST_RUNNING] = { "running", "running" },
	[GUEST_IDLE] = { "idle", "idle" },
	[GUEST_TRANSITION] = { "running", "idle" },
	[GUEST_PAUSED] = { "paused", "paused" },
	[GUEST_HALTED] = { "halted", "shut off" },
	[GUEST_SUSPENDED] = { "suspended", "shut off" },
	[GUEST_CRASHED] = { "crashed", "crashed" },
	[GUEST_DYING] = { "dying", "in shutdown" },
	[GUEST_STOPPED] = { "stopped", "shut off" },
};

enum guest_state guest_state(const struct hv_domain *d)
{
	if (d->dying)
		return GUEST_DYING;
	if (d->shutdown && d->reason == HV_REASON_CRASH)
		return GUEST_CRASHED;
	if (d->shutdown && d->reason == HV_REASON_SUSPEND)
		return GUEST_SUSPENDED;
	if (d->shutdown)
		return GUEST_HALTED;
	if (d->paused)
		return GUEST_PAUSED;
	if (d->running)
		return d->blocked ? GUEST_TRANSITION : GUEST_RUNNING;
	return d->blocked ? GUEST_IDLE : GUEST_READY;
}

const char *guest_state_name(enum guest_state state)
{
	return names[state].ours;
}

const char *guest_state_virsh(enum guest_state state)
{
	return names[state].virsh;
}

void guest_state_xm(const struct hv_domain *d, char ret[XM_STATE])
{
	strcpy(ret, "------");
	if (d->running)
		ret[0] = 'r';
	if (d->blocked)
		ret[1] = 'b';
	if (d->paused)
		ret[2] = 'p';
	if (d->shutdown)
		ret[d->reason == HV_REASON_CRASH ? 4 : 3] =
			d->reason == HV_REASON_CRASH ? 'c' : 's';
	if (d->dying)
		ret[5] = 'd';
}

void guest_state_xentop(const struct hv_domain *d, char ret[XM_STATE])
{
	char xm[XM_STATE];

	guest_state_xm(d, xm);
	ret[0] = xm[5];
	ret[1] = xm[3];
	ret[2] = xm[1];
	ret[3] = xm[4];
	ret[4] = xm[2];
	ret[5] = xm[0];
	ret[6] = '\0';
}

const char *hv_type_name(enum hv_type type)
{
	switch (type) {
	case HV_PV:
		return "pv";
	case HV_HVM:
		return "hvm";
	case HV_PVH:
		return "pvh";
	case HV_UNKNOWN:
		break;
	}
	return "unknown";
}
