// SPDX-License-Identifier: GPL-2.0-or-later
#include "publish.h"

#include <errno.h>

#include "lib/log.h"

static enum refusal refusal_of(int err)
{
	switch (-err) {
	case EACCES:
	case EPERM:
	case EROFS:
		return REFUSAL_ACCESS;
	case ENOSPC:
	case E2BIG:
	case EDQUOT:
		return REFUSAL_QUOTA;
	default:
		return REFUSAL_OTHER;
	}
}

static void log_refusal(struct publisher *publisher, const char *path, int err)
{
	static const char *const remedies[REFUSAL_MAX] = {
		[REFUSAL_ACCESS] = "the toolstack has to make it writable for the guest",
		[REFUSAL_QUOTA] = "the guest has too many nodes, or xenstored too low a limit",
		[REFUSAL_OTHER] = "see the log of xenstored on the host",
	};
	enum refusal refusal = refusal_of(err);

	if (publisher->refused[refusal])
		return;
	publisher->refused[refusal] = true;
	log_warning(err, "xenstore refused to change %s: %m; %s. Further refusals are not logged",
		    path, remedies[refusal]);
}

int publish(struct publisher *publisher, const struct report *report)
{
	for (size_t i = 0; i < report->n; i++) {
		const struct report_entry *entry = &report->entries[i];
		int r;

		if (entry->value)
			r = xsc_write(publisher->xs, XBT_NULL, entry->path, "", entry->value);
		else
			r = xsc_remove(publisher->xs, XBT_NULL, entry->path, "");
		if (xsc_is_fatal(r))
			return r;
		if (r < 0)
			log_refusal(publisher, entry->path, r);
	}
	return 0;
}
