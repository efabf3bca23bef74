// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A worker that moves no data: it answers the broker and writes down what it was
 * told, for the tests of the broker. Its directory is $TEST_WORKER_DIR:
 *
 *	log		one line for each message, in order
 *	fail-<type>	makes requests of that type fail with the errno written there
 *	mute-<type>	requests of that type are not answered
 *
 * SIGUSR1 makes it report a broken ring of the last disk that was connected.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fdpass.h"
#include "worker/proto.h"

static const char *const names[_WORKER_MSG_MAX] = {
	[WORKER_HELLO] = "hello",     [WORKER_ATTACH] = "attach",
	[WORKER_CONNECT] = "connect", [WORKER_DISCONNECT] = "disconnect",
	[WORKER_DETACH] = "detach",   [WORKER_RESIZE] = "resize",
	[WORKER_STATS] = "stats",
};

static const char *dir;
static uint32_t domid, connected;

static bool read_switch(const char *kind, const char *type, int *ret)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s-%s", dir, kind, type);
	f = fopen(path, "re");
	if (!f)
		return false;
	*ret = 0;
	if (fscanf(f, "%d", ret) != 1)
		*ret = EIO;
	return true;
}

static void write_log(const struct worker_msg *m, const int *fds, size_t n)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/log", dir);
	f = fopen(path, "ae");
	if (!f)
		_exit(1);
	fprintf(f, "%d %u %s devid=%u fds=%zu", getpid(), domid, names[m->type], m->devid, n);
	if (m->type == WORKER_ATTACH && n == 2 && fstat(fds[1], &st) == 0)
		fprintf(f, " size=%" PRIu64 " readonly=%d journal=%" PRIu64, m->attach.image.size,
			m->attach.image.readonly, (uint64_t)st.st_size);
	if (m->type == WORKER_CONNECT)
		fprintf(f,
			" rings=%u pages=%u abi=%u indirect=%u persistent=%d reattach=%d ref=%u "
			"port=%u",
			m->connect.rings, m->connect.ring_pages, m->connect.abi,
			m->connect.max_indirect, m->connect.persistent, m->connect.reattach,
			m->connect.ring_ref[0][0], m->connect.evtchn[0]);
	if (m->type == WORKER_RESIZE)
		fprintf(f, " size=%" PRIu64, m->resize.size);
	fputc('\n', f);
}

/* Images and journals stay open, and locked, as in a real worker. */
static struct {
	uint32_t devid;
	int image, journal;
} disks[64];
static size_t n_disks;

static void keep(const struct worker_msg *m, const int *fds)
{
	if (n_disks == ELEMENTSOF(disks))
		_exit(1);
	disks[n_disks].devid = m->devid;
	disks[n_disks].image = fds[0];
	disks[n_disks++].journal = fds[1];
}

static void drop(uint32_t devid)
{
	for (size_t i = 0; i < n_disks; i++)
		if (disks[i].devid == devid) {
			close(disks[i].image);
			close(disks[i].journal);
			disks[i--] = disks[--n_disks];
		}
}

static void on_message(void)
{
	struct worker_msg m, reply = { .type = WORKER_REPLY };
	int fds[WORKER_MAX_RINGS], err = 0, unused;
	size_t n = 0;

	if (fdpass_recv(WORKER_CONTROL_FD, &m, sizeof(m), fds, WORKER_MAX_RINGS, &n) < 0)
		exit(0);
	if (m.type >= WORKER_REPLY)
		exit(3);
	if (m.type == WORKER_HELLO)
		domid = m.hello.domid;
	write_log(&m, fds, n);
	if (read_switch("mute", names[m.type], &unused))
		return;
	if (read_switch("fail", names[m.type], &err))
		snprintf(reply.reply.text, sizeof(reply.reply.text), "told to fail");
	reply.seq = m.seq;
	reply.devid = m.devid;
	reply.reply.error = -err;

	if (m.type == WORKER_ATTACH && n == 2 && !err) {
		/* What a journal of the connection would be. */
		if (ftruncate(fds[1], 4096) < 0)
			exit(1);
		keep(&m, fds);
	} else {
		for (size_t i = 0; i < n; i++)
			close(fds[i]);
	}
	if (m.type == WORKER_CONNECT && !err)
		connected = m.devid;
	if (m.type == WORKER_DETACH)
		drop(m.devid);
	fdpass_send(WORKER_CONTROL_FD, &reply, sizeof(reply), NULL, 0);
}

static void on_signal(int fd)
{
	struct worker_msg m = {
		.type = WORKER_RING_ERROR,
		.devid = connected,
		.ring_error = { .ring = 0,
				.error = -EPROTO,
				.text = "req_prod 4711 is beyond the ring" },
	};
	struct signalfd_siginfo si;

	if (read(fd, &si, sizeof(si)) == sizeof(si))
		fdpass_send(WORKER_CONTROL_FD, &m, sizeof(m), NULL, 0);
}

int main(void)
{
	struct pollfd p[2] = { { .fd = WORKER_CONTROL_FD, .events = POLLIN } };
	sigset_t set;

	dir = getenv("TEST_WORKER_DIR");
	if (!dir)
		return 2;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	p[1] = (struct pollfd){ .fd = signalfd(-1, &set, SFD_CLOEXEC), .events = POLLIN };
	while (poll(p, 2, -1) > 0) {
		if (p[0].revents)
			on_message();
		if (p[1].revents)
			on_signal(p[1].fd);
	}
	return 1;
}
