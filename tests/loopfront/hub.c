/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop-proto.h"
#include "loopfront.h"

extern char **environ;

struct loopfront_hub {
	pid_t pid;
	int stdin_fd; /* the hub ends when this is closed */
	char dir[64];
};

static int spawn_hub(struct loopfront_hub *hub, const char *socket, int *ret_out)
{
	const char *program = getenv("XENPV_HUB");
	posix_spawn_file_actions_t actions;
	int in[2], out[2], r;

	if (!program)
		program = LOOPFRONT_HUB;
	if (pipe2(in, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(out, O_CLOEXEC) < 0) {
		r = -errno;
		close(in[0]);
		close(in[1]);
		return r;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	r = -posix_spawn(&hub->pid, program, &actions, NULL,
			 (char *[]){ (char *)"xenpv-hub", (char *)"--remove-directory",
				     (char *)socket, NULL },
			 environ);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	if (r < 0) {
		close(in[1]);
		close(out[0]);
		return r;
	}
	hub->stdin_fd = in[1];
	*ret_out = out[0];
	return 0;
}

int loopfront_hub_start(struct loopfront_hub **ret)
{
	struct loopfront_hub *hub = calloc(1, sizeof(*hub));
	char socket[sizeof(hub->dir) + 8], ready[8] = "";
	int out = -1, r;

	if (!hub)
		return -ENOMEM;
	strcpy(hub->dir, "/tmp/xenpv-hub.XXXXXX");
	if (!mkdtemp(hub->dir)) {
		r = -errno;
		free(hub);
		return r;
	}
	snprintf(socket, sizeof(socket), "%s/hub", hub->dir);
	r = spawn_hub(hub, socket, &out);
	if (r < 0) {
		rmdir(hub->dir);
		free(hub);
		return r;
	}
	if (read(out, ready, sizeof(ready) - 1) <= 0)
		r = -ECONNREFUSED;
	close(out);
	if (r < 0) {
		loopfront_hub_stop(hub);
		return r;
	}
	setenv(LOOP_SOCKET_ENV, socket, 1);
	*ret = hub;
	return 0;
}

void loopfront_hub_stop(struct loopfront_hub *hub)
{
	if (!hub)
		return;
	close(hub->stdin_fd);
	while (waitpid(hub->pid, NULL, 0) < 0 && errno == EINTR)
		;
	rmdir(hub->dir);
	free(hub);
}
