// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A worker that moves no data: it answers the broker and writes down what it was
 * told, for the tests of the broker. Its directory is $TEST_WORKER_DIR:
 *
 *	log		one line for each message, in order
 *	fail-<type>	makes requests of that type fail with the errno written there
 *	mute-<type>	requests of that type are not answered
 *	break-<type>	a ring of the device breaks before they are answered
 *	hold-<type>	nor is anything as long as this is there, once one has come
 *	cut-counters	leave counters files too short
 *
 * SIGUSR1 makes it report a broken ring of the last device that was connected.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/counters.h"
#include "lib/fdpass.h"
#include "worker/proto.h"

static const char *const names[_WORKER_MSG_MAX] = {
	[WORKER_HELLO] = "hello",
	[WORKER_ATTACH] = "attach",
	[WORKER_CONNECT] = "connect",
	[WORKER_DISCONNECT] = "disconnect",
	[WORKER_DETACH] = "detach",
	[WORKER_RESIZE] = "resize",
	[WORKER_STATS] = "stats",
	[WORKER_ATTACH_VIF] = "attach-vif",
	[WORKER_CONNECT_VIF] = "connect-vif",
	[WORKER_HEADROOM] = "headroom",
};

static const char *dir;
static uint32_t domid, connected, connected_class;

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

static void log_vif(FILE *f, const struct worker_msg *m, const int *fds, size_t n)
{
	const struct worker_attach_vif *a = &m->attach_vif;
	const struct worker_connect_vif *c = &m->connect_vif;
	struct ifreq ifr;
	struct stat st;

	if (m->type == WORKER_ATTACH_VIF && n > 1 && fstat(fds[0], &st) == 0)
		fprintf(f,
			" mac=%02x:%02x:%02x:%02x:%02x:%02x multicast=%d static=%d queues=%u "
			"poll=%u rate=%" PRIu64 " us=%u kept=%" PRIu64,
			a->mac[0], a->mac[1], a->mac[2], a->mac[3], a->mac[4], a->mac[5],
			a->multicast, a->static_grants, a->queues, a->poll_us, a->rate_bytes,
			a->rate_us, (uint64_t)st.st_size);
	/* The kernel's word for what these descriptors are. */
	for (size_t i = 1; m->type == WORKER_ATTACH_VIF && i + 1 < n; i++)
		if (ioctl(fds[i], TUNGETIFF, &ifr) == 0)
			fprintf(f, " tap%zu=%s,%#x", i - 1, ifr.ifr_name,
				(unsigned int)(unsigned short)ifr.ifr_flags);
	if (m->type == WORKER_CONNECT_VIF)
		fprintf(f,
			" queues=%u features=%#x reattach=%d control=%d control_ref=%u "
			"control_port=%u headroom=%u",
			c->queues, c->features, c->reattach, c->has_control, c->control_ref,
			c->control_evtchn, c->xdp_headroom);
	for (uint32_t i = 0; m->type == WORKER_CONNECT_VIF && i < c->queues; i++)
		fprintf(f, " queue%u=%u,%u,%u,%u", i, c->queue[i].tx_ref, c->queue[i].rx_ref,
			c->queue[i].tx_evtchn, c->queue[i].rx_evtchn);
	if (m->type == WORKER_HEADROOM)
		fprintf(f, " headroom=%u multicast=%d", m->headroom.bytes, m->headroom.multicast);
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
	fprintf(f, "%d %u %s class=%u devid=%u fds=%zu", getpid(), domid, names[m->type], m->class,
		m->devid, n);
	if (m->type == WORKER_ATTACH && n == 3 && fstat(fds[1], &st) == 0)
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
	if (m->class == WORKER_VIF)
		log_vif(f, m, fds, n);
	fputc('\n', f);
}

/* Images, taps and journals stay open, and locked, as in a real worker. */
static struct {
	uint32_t class, devid;
	int fds[2 + WORKER_MAX_VIF_QUEUES];
	size_t n;
} devices[64];
static size_t n_devices;

static void keep(const struct worker_msg *m, const int *fds, size_t n)
{
	if (n_devices == ELEMENTSOF(devices) || n > ELEMENTSOF(devices[0].fds))
		_exit(1);
	devices[n_devices].class = m->class;
	devices[n_devices].devid = m->devid;
	memcpy(devices[n_devices].fds, fds, n * sizeof(*fds));
	devices[n_devices++].n = n;
}

static void drop(uint32_t class, uint32_t devid)
{
	for (size_t i = 0; i < n_devices; i++)
		if (devices[i].class == class && devices[i].devid == devid) {
			for (size_t j = 0; j < devices[i].n; j++)
				close(devices[i].fds[j]);
			devices[i--] = devices[--n_devices];
		}
}

/* What outlives the connection, and goes to the next worker. */
static int kept_of(const struct worker_msg *m, const int *fds, size_t n)
{
	if (m->type == WORKER_ATTACH && n == 3)
		return fds[1];
	if (m->type == WORKER_ATTACH_VIF && n == 2 + m->attach_vif.queues)
		return fds[0];
	return -1;
}

/* As if much had been done since: the same each time that the device is attached. */
static void count(const struct worker_msg *m, int fd)
{
	struct log_about about = { .domid = domid, .devid = m->devid, .name = "counters" };
	struct counters c = { 0 };
	int err;

	if (counters_open(&c, fd, m->class == WORKER_VIF ? COUNTERS_VIF : COUNTERS_DISK, 2,
			  &about) < 0)
		exit(1);
	if (m->class == WORKER_VIF) {
		c.file->block[0].vif.tx_packets += 7;
		c.file->block[1].vif.rx_bytes += 1500;
		c.file->block[1].vif.rx_stalled = 1;
	} else {
		c.file->block[0].disk.reads += 3;
		c.file->block[1].disk.reads += 2;
		c.file->block[1].disk.sectors_read += 80;
		c.file->block[1].disk.busy_ns += 5000;
		c.file->block[1].disk.in_flight = 4;
	}
	counters_close(&c);
	if (read_switch("cut", "counters", &err) && ftruncate(fd, 100) < 0)
		exit(1);
}

static void report_broken(uint32_t class, uint32_t devid)
{
	struct worker_msg m = {
		.type = WORKER_RING_ERROR,
		.class = class,
		.devid = devid,
		.ring_error = { .ring = 0,
				.error = -EPROTO,
				.text = "req_prod 4711 is beyond the ring" },
	};

	fdpass_send(WORKER_CONTROL_FD, &m, sizeof(m), NULL, 0);
}

static void on_message(void)
{
	struct worker_msg m, reply = { .type = WORKER_REPLY };
	int fds[WORKER_MAX_RINGS], err = 0, unused, kept;
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
	while (read_switch("hold", names[m.type], &unused))
		usleep(10000);
	if (read_switch("fail", names[m.type], &err))
		snprintf(reply.reply.text, sizeof(reply.reply.text), "told to fail");
	reply.seq = m.seq;
	reply.class = m.class;
	reply.devid = m.devid;
	reply.reply.error = -err;

	kept = kept_of(&m, fds, n);
	if (kept >= 0 && !err) {
		/* What a journal of the connection would be. */
		if (ftruncate(kept, 4096) < 0)
			exit(1);
		count(&m, fds[n - 1]);
		keep(&m, fds, n);
	} else {
		for (size_t i = 0; i < n; i++)
			close(fds[i]);
	}
	if ((m.type == WORKER_CONNECT || m.type == WORKER_CONNECT_VIF) && !err) {
		connected = m.devid;
		connected_class = m.class;
	}
	if (m.type == WORKER_DETACH)
		drop(m.class, m.devid);
	if (read_switch("break", names[m.type], &unused))
		report_broken(m.class, m.devid);
	fdpass_send(WORKER_CONTROL_FD, &reply, sizeof(reply), NULL, 0);
}

static void on_signal(int fd)
{
	struct signalfd_siginfo si;

	if (read(fd, &si, sizeof(si)) == sizeof(si))
		report_broken(connected_class, connected);
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
