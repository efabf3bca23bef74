// SPDX-License-Identifier: GPL-2.0-or-later
#include "ownsource.h"

#include <stdbool.h>
#include <stdlib.h>

#include "lib/cleanup.h"

int ownsource_add(sd_event *event, int fd, uint32_t events, sd_event_io_handler_t handler,
		  void *userdata, sd_event_source **ret)
{
	_cleanup_free_ void *owned = userdata;
	_cleanup_close_ int held = fd;
	sd_event_source *source;
	int r;

	r = sd_event_add_io(event, &source, fd, events, handler, userdata);
	if (r < 0)
		return r;
	r = sd_event_source_set_destroy_callback(source, free);
	if (r >= 0) {
		(void)TAKE_PTR(owned);
		r = sd_event_source_set_io_fd_own(source, true);
	}
	if (r < 0) {
		sd_event_source_disable_unref(source);
		return r;
	}
	(void)TAKE_FD(held);
	*ret = source;
	return 0;
}
