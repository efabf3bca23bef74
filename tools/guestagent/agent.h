/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent: what it reports, when, and its event loop. */
#pragma once

#include "report.h"
#include "shutdown.h"

/*
 * agent_facts - add everything but the state of a shutdown to @report
 *
 * attr/PVAddons and data/os_*. Errors: -ENOMEM, -EINVAL (the program's own version).
 */
int agent_facts(struct report *report);

/* Add data/updated, the mark that a report is complete; always the last entry. */
int agent_mark_updated(struct report *report);

/*
 * agent_run - report, then follow shutdowns and resumes until SIGTERM or SIGINT
 * @manager_address: of systemd, MANAGER_ADDRESS
 * @bus_address: of the message bus, LOGIND_BUS_ADDRESS
 *
 * SIGHUP reports anew. Returns 0, or a negative errno after logging it: the connection
 * to xenstore could not be made or was lost, or memory ran out.
 */
int agent_run(const char *manager_address, const char *bus_address);
