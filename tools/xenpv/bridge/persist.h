/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that make systemd-networkd and udev build the same bridge at boot.
 *
 * They are named 05-xenpv-<bridge>-*, so that they come before the administrator's. Of an
 * interface with VLANs whose file is nobody's, 06-xenpv-<interface>.network is made, for all
 * of the VLANs.
 * What networkd cannot set, the filters on bridge and ports, is done by
 * xenpv-bridge-watch.service when the interfaces appear.
 */
#pragma once

#include "xenpv/bridge/build.h"
#include "xenpv/bridge/plan.h"

/*
 * persist_plan - append the steps that write the files
 *
 * After build_plan(), which fills in the record. Refuses what networkd cannot do.
 */
int persist_plan(const struct site *site, const struct blueprint *b, struct plan *plan,
		 struct problem *p);

/*
 * persist_remove_plan - append the steps that remove whatever there is of a bridge's files
 *
 * Unless forced, this is refused while another bridge's VLAN is made at boot by the file of this
 * bridge's port.
 */
int persist_remove_plan(const struct site *site, const char *bridge, bool force, struct plan *plan,
			struct problem *p);

/* Has the bridge any of these files? */
bool persist_exists(const struct site *site, const char *bridge);
