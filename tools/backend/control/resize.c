// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/resize.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/disk.h"
#include "control/guest.h"
#include "lib/cleanup.h"
#include "lib/log.h"

#define CHILD_FD 3

/* What the child tells for each image whose size differs. */
struct finding {
	uint32_t kind, domid, devid;
};

static int block_size(dev_t rdev, uint64_t *ret)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64];
	uint64_t sectors;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/size", major(rdev), minor(rdev));
	f = fopen(path, "re");
	if (!f || fscanf(f, "%" SCNu64, &sectors) != 1)
		return -ENOENT;
	*ret = sectors * 512;
	return 0;
}

static bool differs(const struct device *dev)
{
	const struct disk *disk = to_const_disk(dev);
	struct stat st;
	uint64_t size;

	if (stat(disk->path, &st) < 0)
		return false;
	size = (uint64_t)st.st_size;
	if (S_ISBLK(st.st_mode) && block_size(st.st_rdev, &size) < 0)
		return false;
	return size != disk->image.size;
}

__attribute__((noreturn)) static void run_child(struct broker *b, int fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(fd, CHILD_FD) < 0)
		_exit(1);
	close_range(CHILD_FD + 1, ~0U, 0);
	for (unsigned int i = 0; i < BROKER_GUEST_BUCKETS; i++) {
		struct guest *g;

		LIST_FOREACH (g, &b->guests[i], link) {
			struct device *dev;

			LIST_FOREACH (dev, &g->devices, in_guest) {
				struct finding f = { dev->kind, dev->domid, dev->devid };

				if (dev->class == &disk_class && dev->hs.image == HS_IMAGE_READY &&
				    differs(dev) && write(CHILD_FD, &f, sizeof(f)) != sizeof(f))
					_exit(1);
			}
		}
	}
	_exit(0);
}

static int on_finding(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct broker *b = userdata;
	struct finding f;
	struct device *dev;
	struct guest *g;

	(void)revents;
	/* Shorter than PIPE_BUF: whole or not at all. */
	if (read(fd, &f, sizeof(f)) != sizeof(f)) {
		sd_event_source_set_enabled(s, SD_EVENT_OFF);
		return 0;
	}
	g = guest_find(b, f.domid);
	dev = g ? guest_find_device(g, f.kind, f.devid) : NULL;
	if (dev)
		disk_look_at_size(dev);
	return 0;
}

static int on_child(sd_event_source *s, const siginfo_t *si, void *userdata)
{
	struct broker *b = userdata;

	(void)s;
	(void)si;
	/* on_finding() has the rest of the pipe, and stops at its end. */
	b->resize_child = sd_event_source_disable_unref(b->resize_child);
	return 0;
}

void resize_look(struct broker *b)
{
	int fds[2], r;
	pid_t pid;

	/* The last child is at it still: its storage does not answer. */
	if (b->resize_child || b->n_devices == 0)
		return;
	b->resize_io = sd_event_source_disable_unref(b->resize_io);
	if (pipe2(fds, O_CLOEXEC) < 0) {
		log_warning(-errno, "cannot look at the sizes of images: %m");
		return;
	}
	pid = fork();
	if (pid == 0)
		run_child(b, fds[1]);
	close(fds[1]);
	if (pid < 0) {
		log_warning(-errno, "cannot look at the sizes of images: %m");
		close(fds[0]);
		return;
	}
	r = sd_event_add_child(b->event, &b->resize_child, pid, WEXITED, on_child, b);
	if (r >= 0)
		r = sd_event_add_io(b->event, &b->resize_io, fds[0], EPOLLIN, on_finding, b);
	if (r < 0) {
		log_warning(r, "cannot look at the sizes of images: %m");
		close(fds[0]);
		return;
	}
	sd_event_source_set_io_fd_own(b->resize_io, true);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct broker *b = userdata;

	(void)usec;
	resize_look(b);
	sd_event_source_set_time_relative(s, b->options.resize_interval * UINT64_C(1000000));
	sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
	return 0;
}

int resize_start(struct broker *b)
{
	if (b->options.resize_interval == 0)
		return 0;
	/* Accuracy of a second: the loop may wake for it together with something else. */
	return sd_event_add_time_relative(b->event, &b->resize, CLOCK_MONOTONIC,
					  b->options.resize_interval * UINT64_C(1000000), 1000000,
					  on_timer, b);
}

void resize_stop(struct broker *b)
{
	b->resize = sd_event_source_disable_unref(b->resize);
	b->resize_io = sd_event_source_disable_unref(b->resize_io);
	b->resize_child = sd_event_source_disable_unref(b->resize_child);
}
