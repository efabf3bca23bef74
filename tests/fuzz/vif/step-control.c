/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The thread of the control ring, see step.h. There is one at most. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "fuzz.h"
#include "step.h"
#include "worker/vif-control.h"

#define MAX_NAPS 2000

static struct vif_control *control; /* whose thread there is */
static bool ended, paused, asleep;
static struct pollfd slept_on[2];
static unsigned int naps;

static void pause_serving(void);

static int step_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	int r = poll(fds, n, 0);

	MUST_HOLD(n == 2 && timeout < 0);
	MUST_HOLD(naps++ < MAX_NAPS);
	if (r)
		return r;
	memcpy(slept_on, fds, sizeof(slept_on));
	pause_serving();
	return 0;
}

static int step_create(pthread_t *ret, const pthread_attr_t *attr, void *(*f)(void *), void *arg)
{
	(void)attr, (void)f;
	if (!step_may_create())
		return EAGAIN;
	MUST_HOLD(!control);
	control = arg;
	ended = asleep = false;
	*ret = 0;
	return 0;
}

static int step_join(void);

#define poll                      step_poll
#define prctl(...)                ((void)0)
#define pthread_create            step_create
#define pthread_join(thread, ret) step_join()
#include "worker/vif-control.c"
#undef poll

static void pause_serving(void)
{
	MUST_HOLD(!paused);
	paused = true;
	/* makes serve() return; taken back below */
	atomic_store(&control->stopping, true);
}

static int step_join(void)
{
	MUST_HOLD(control && atomic_load(&control->stopping));
	if (!ended)
		thread_main(control);
	control = NULL;
	return 0;
}

bool step_control(void)
{
	if (!control || ended || (asleep && poll(slept_on, 2, 0) == 0))
		return false;
	asleep = false;
	naps = 0;
	serve(control);
	asleep = paused;
	ended = !paused;
	if (paused)
		atomic_store(&control->stopping, false);
	paused = false;
	return true;
}
