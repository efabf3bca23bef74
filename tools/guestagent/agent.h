/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent: what it reports, when, and its event loop. */
#pragma once

#include "report.h"
#include "settings.h"
#include "sources.h"

/* Add all sections of @sources to @report. Errors: -ENOMEM, -EINVAL (the own version). */
int agent_report(struct sources *sources, struct report *report);

/* Add data/updated, the mark that a report is complete; always the last entry. */
int agent_mark_updated(struct report *report);

/*
 * agent_run - report, then follow shutdowns and resumes until SIGTERM or SIGINT
 * @settings: have to stay as they are
 * @manager_address: of systemd, MANAGER_ADDRESS
 * @bus_address: of the message bus, LOGIND_BUS_ADDRESS
 *
 * SIGHUP reports anew. Returns 0, or a negative errno after logging it: the connection
 * to xenstore could not be made or was lost, or memory ran out.
 */
int agent_run(const struct settings *settings, const char *manager_address,
	      const char *bus_address);
