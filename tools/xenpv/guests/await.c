// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/guests/await.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/parse.h"
#include "lib/xs.h"
#include "xenpv/host/words.h"

int await_open(struct await *a, const char *guest)
{
	static const int signals[] = { SIGINT, SIGTERM };
	sigset_t set;
	int r;

	/* before the first thread; they arrive through the loop */
	sigemptyset(&set);
	for (size_t i = 0; i < ELEMENTSOF(signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	r = sd_event_new(&a->event);
	if (r < 0)
		return problem_set(&a->problem, EXIT_FAILED, r, "%m");
	r = sources_open(&a->s, a->event, &a->problem);
	if (r < 0)
		return r;
	r = view_find(&a->s, guest, &a->domain, &a->name, &a->problem);
	if (r < 0)
		return r;
	snprintf(a->home, sizeof(a->home), "/local/domain/%u", a->domain.domid);
	sd_event_now(a->event, CLOCK_MONOTONIC, &a->begin);
	return 0;
}

void await_close(struct await *a)
{
	free(a->name);
	a->name = NULL;
	sources_close(&a->s);
	a->event = sd_event_unref(a->event);
}

double await_seconds(const struct await *a)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3 - (double)a->begin) / 1e6;
}

char *await_read(const struct await *a, const char *key)
{
	return view_read(&a->s, a->domain.domid, key);
}

static void look(struct await *a)
{
	int r = a->look(a);

	if (r != 0 || a->late || a->interrupted)
		sd_event_exit(a->event, r < 0 ? -r : 0);
}

static void on_change(void *userdata, const char *path)
{
	(void)path;
	look(userdata);
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct await *a = userdata;

	(void)source;
	(void)usec;
	a->late = true;
	look(a);
	return 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
	struct await *a = userdata;

	(void)source;
	(void)si;
	a->interrupted = true;
	look(a);
	return 0;
}

int await_watch(struct await *a, const char *path)
{
	char full[128];
	struct xs_watch *watch;
	int r;

	if (path[0] == '@' || path[0] == '/')
		snprintf(full, sizeof(full), "%s", path);
	else
		snprintf(full, sizeof(full), "%s/%s", a->home, path);
	r = xsc_watch(a->s.xs, full, on_change, a, &watch);
	if (r < 0)
		return problem_set(&a->problem, EXIT_FAILED, r, "cannot watch %s: %m", full);
	return 0;
}

int await_run(struct await *a, uint32_t limit_s)
{
	int r = sd_event_add_signal(a->event, NULL, SIGINT, on_signal, a);

	if (r >= 0)
		r = sd_event_add_signal(a->event, NULL, SIGTERM, on_signal, a);
	if (r >= 0)
		r = sd_event_add_time_relative(a->event, NULL, CLOCK_MONOTONIC,
					       UINT64_C(1000000) * limit_s, 1000, on_late, a);
	if (r >= 0)
		r = sd_event_loop(a->event);
	if (r < 0)
		return problem_set(&a->problem, EXIT_FAILED, r,
				   "cannot ask xenstore: %m; is xenstored running?");
	return r ? -r : 0;
}

int await_able(struct await *a, const char *to_do_what)
{
	enum guest_state state = guest_state(&a->domain);

	if (a->domain.domid == 0)
		return problem_set(&a->problem, EXIT_REFUSED, -EPERM,
				   "%s is dom0, not a guest; use its own commands to %s it",
				   a->name, to_do_what);
	if (state <= GUEST_TRANSITION)
		return 0;
	if (state == GUEST_PAUSED)
		return problem_set(
			&a->problem, EXIT_REFUSED, -EAGAIN,
			"%s is paused and would not hear it; run \"xl unpause %s\" first", a->name,
			a->name);
	return problem_set(&a->problem, EXIT_REFUSED, -EAGAIN,
			   "%s is %s; there is nothing to %s, see \"xl destroy\"", a->name,
			   guest_state_name(state), to_do_what);
}

bool await_limit(const char *path, const char *text, uint32_t otherwise, uint32_t *ret)
{
	*ret = otherwise;
	if (!text || parse_u32(text, 1, AWAIT_LIMIT_MAX, ret) == 0)
		return true;
	complain("%s: --timeout=%s is not a number of seconds from 1 to %d", path, text,
		 AWAIT_LIMIT_MAX);
	return false;
}
