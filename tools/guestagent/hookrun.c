// SPDX-License-Identifier: GPL-2.0-or-later
#include "hookrun.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/log.h"

extern char **environ;

#define SELF "/proc/self/exe"
/* The runner needs this longer to end a hook that does not stop, in seconds. */
#define SLACK 5

struct hookrun {
	struct manager *manager;
	enum hooks hooks;
	hookrun_done_fn done;
	void *userdata;
	sd_event_source *child, *limit, *nothing;
	bool unit; /* systemd runs it */
};

static void finish(struct hookrun *run, int result)
{
	sd_event_source_set_enabled(run->limit, SD_EVENT_OFF);
	run->done(run->userdata, result);
}

static void on_unit(void *userdata, const char *result)
{
	struct hookrun *run = userdata;

	run->unit = false;
	if (strcmp(result, "done") == 0) {
		finish(run, 0);
		return;
	}
	log_warning(0,
		    "hooks for %s: systemd says \"%s\"; see the journal of "
		    "xenpv-agent-hooks@%s.service",
		    hooks_name(run->hooks), result, hooks_name(run->hooks));
	finish(run, -EIO);
}

static int on_child(sd_event_source *source, const siginfo_t *info, void *userdata)
{
	(void)source;
	finish(userdata, info->si_code == CLD_EXITED && info->si_status == 0 ? 0 : -EIO);
	return 0;
}

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	finish(userdata, -ETIMEDOUT);
	return 0;
}

static int on_nothing(sd_event_source *source, void *userdata)
{
	(void)source;
	finish(userdata, 0);
	return 0;
}

static int spawn(struct hookrun *run, sd_event *event)
{
	char argument[32], *argv[] = { (char *)"xenpv-agent", argument, NULL };
	posix_spawnattr_t attributes;
	sigset_t set;
	pid_t pid;
	int r;

	snprintf(argument, sizeof(argument), "--hooks=%s", hooks_name(run->hooks));
	r = posix_spawnattr_init(&attributes);
	if (r != 0)
		return -r;
	sigemptyset(&set);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	(void)posix_spawnattr_setsigmask(&attributes, &set);
	r = posix_spawn(&pid, SELF, NULL, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	if (r != 0)
		return -r;
	r = sd_event_add_child(event, &run->child, pid, WEXITED, on_child, run);
	if (r < 0) {
		(void)kill(pid, SIGTERM);
		(void)waitpid(pid, NULL, 0);
		return r;
	}
	/* One that outlives its limit is ended with the run, and leaves no zombie. */
	return sd_event_source_set_child_process_own(run->child, true);
}

int hookrun_start(sd_event *event, struct manager *manager, enum hooks hooks, uint32_t limit,
		  hookrun_done_fn done, void *userdata, struct hookrun **ret)
{
	struct hookrun *run = malloc(sizeof(*run));
	char unit[64];
	int r;

	if (!run)
		return -ENOMEM;
	*run = (struct hookrun){
		.manager = manager,
		.hooks = hooks,
		.done = done,
		.userdata = userdata,
	};
	r = sd_event_add_time_relative(event, &run->limit, CLOCK_MONOTONIC,
				       (limit + SLACK) * (uint64_t)1000000, 0, on_limit, run);
	if (r < 0)
		goto fail;
	if (!hooks_exist(hooks)) {
		r = sd_event_add_defer(event, &run->nothing, on_nothing, run);
		if (r < 0)
			goto fail;
		*ret = run;
		return 0;
	}
	snprintf(unit, sizeof(unit), "xenpv-agent-hooks@%s.service", hooks_name(hooks));
	r = manager ? manager_start_unit(manager, unit, on_unit, run) : -ENOTCONN;
	run->unit = r >= 0;
	if (r == -ENOTCONN)
		r = spawn(run, event);
	if (r < 0)
		goto fail;
	*ret = run;
	return 0;
fail:
	hookrun_free(run);
	return r;
}

void hookrun_free(struct hookrun *run)
{
	if (!run)
		return;
	if (run->unit)
		manager_forget_unit(run->manager);
	sd_event_source_disable_unref(run->child);
	sd_event_source_disable_unref(run->limit);
	sd_event_source_disable_unref(run->nothing);
	free(run);
}
