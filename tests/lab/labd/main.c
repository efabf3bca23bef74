// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * labd - the lab's hand in dom0 and in guests
 *
 * Runs commands, returns their output and exit status and stores files, as the
 * test machine asks. In dom0 it also relays for the guests.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "job.h"
#include "link.h"
#include "stream.h"
#include "xs.h"

#define POLL_MAX 256

/* A guest that dom0 relays for. */
struct guest {
	struct guest *next;
	uint16_t domid;
	struct stream *stream;
};

struct labd {
	struct xs *xs;
	struct link link; /* towards the test machine */
	struct jobs *jobs;
	struct guest *guests;
	int port; /* dom0: the virtio-serial port; guest: -1 */
	struct buf port_in, port_out;
};

static struct guest *find_guest(struct labd *labd, uint16_t domid)
{
	for (struct guest *guest = labd->guests; guest; guest = guest->next) {
		if (guest->domid == domid)
			return guest;
	}
	return NULL;
}

static void guest_names(uint16_t domid, char home[48], char token[16])
{
	snprintf(home, 48, "/local/domain/%u/", domid);
	snprintf(token, 16, "%u", domid);
}

static int guest_open(struct labd *labd, uint16_t domid)
{
	struct guest *guest;
	char home[48], token[16];
	int r;

	if (find_guest(labd, domid))
		return -EEXIST;
	guest = calloc(1, sizeof(*guest));
	if (!guest)
		return -ENOMEM;
	guest->domid = domid;
	guest_names(domid, home, token);
	r = stream_open(labd->xs, home, true, token, &guest->stream);
	if (r < 0) {
		free(guest);
		return r;
	}
	guest->next = labd->guests;
	labd->guests = guest;
	return 0;
}

static int guest_move(struct labd *labd, uint16_t from, uint16_t to)
{
	struct guest *guest = find_guest(labd, from);
	char home[48], token[16];

	if (!guest)
		return -ENOENT;
	guest->domid = to;
	guest_names(to, home, token);
	return stream_move(guest->stream, home, token);
}

static int guest_close(struct labd *labd, uint16_t domid)
{
	for (struct guest **at = &labd->guests; *at; at = &(*at)->next) {
		struct guest *guest = *at;

		if (guest->domid != domid)
			continue;
		*at = guest->next;
		stream_close(guest->stream);
		free(guest);
		return 0;
	}
	return -ENOENT;
}

/* A frame from a guest, on its way to the test machine. */
static void from_guest(void *userdata, const struct frame_header *header, const char *payload)
{
	struct frame_header stamped = *header;
	struct guest *guest = ((void **)userdata)[1];
	struct labd *labd = ((void **)userdata)[0];

	stamped.domid = guest->domid;
	link_send(&labd->link, &stamped, payload);
}

/* A frame from the test machine (in a guest: through dom0). */
static void from_test_machine(void *userdata, const struct frame_header *header,
			      const char *payload)
{
	struct labd *labd = userdata;
	struct frame_header reply = { .id = header->id, .type = FRAME_EXIT };
	uint16_t domids[2] = {};
	int32_t r;

	if (header->domid != 0) {
		struct guest *guest = find_guest(labd, header->domid);
		struct frame_header inner = *header;

		if (guest) {
			struct link link = { .stream = guest->stream };

			inner.domid = 0;
			link_send(&link, &inner, payload);
			return;
		}
		r = -ENOENT;
		reply.domid = header->domid;
	} else {
		memcpy(domids, payload,
		       header->len < sizeof(domids) ? header->len : sizeof(domids));
		switch (header->type) {
		case FRAME_GUEST_OPEN:
			r = guest_open(labd, domids[0]);
			break;
		case FRAME_GUEST_MOVE:
			r = guest_move(labd, domids[0], domids[1]);
			break;
		case FRAME_GUEST_CLOSE:
			r = guest_close(labd, domids[0]);
			break;
		default:
			jobs_request(labd->jobs, header, payload);
			return;
		}
	}
	reply.len = sizeof(r);
	link_send(&labd->link, &reply, &r);
}

static void handle_watch(struct labd *labd, const char *path, const char *token)
{
	if (labd->link.stream) {
		stream_event(labd->link.stream, path);
		if (link_receive(stream_input(labd->link.stream), from_test_machine, labd) < 0)
			errx(1, "lost the frames in xenstore");
		return;
	}
	for (struct guest *guest = labd->guests; guest; guest = guest->next) {
		char home[48], name[16];
		void *both[] = { labd, guest };

		guest_names(guest->domid, home, name);
		if (strcmp(name, token) != 0)
			continue;
		stream_event(guest->stream, path);
		if (link_receive(stream_input(guest->stream), from_guest, both) < 0)
			warnx("domain %u: lost the frames in xenstore", guest->domid);
		return;
	}
}

static void handle_watches(struct labd *labd)
{
	char *path, *token;
	int r;

	while ((r = xs_event(labd->xs, &path, &token)) > 0) {
		handle_watch(labd, path, token);
		free(path);
		free(token);
	}
	if (r < 0)
		errx(1, "xenstore: %s", strerror(-r));
}

static void handle_port(struct labd *labd, short revents)
{
	char data[16384];
	ssize_t n;

	if (revents & POLLIN) {
		n = read(labd->port, data, sizeof(data));
		if (n < 0 && errno != EAGAIN)
			err(1, "read from the test machine");
		if (n > 0)
			buf_add(&labd->port_in, data, (size_t)n);
		if (link_receive(&labd->port_in, from_test_machine, labd) < 0)
			errx(1, "lost the frames on the port");
	}
	if (labd->port_out.len > 0) {
		n = write(labd->port, buf_head(&labd->port_out), labd->port_out.len);
		if (n < 0 && errno != EAGAIN)
			err(1, "write to the test machine");
		if (n > 0)
			buf_take(&labd->port_out, (size_t)n);
	}
}

static void loop(struct labd *labd, int signals)
{
	for (;;) {
		struct pollfd fds[POLL_MAX];
		struct signalfd_siginfo info;
		size_t n = 0, port = 0;
		int timeout;

		handle_watches(labd);
		jobs_work(labd->jobs);
		fds[n++] = (struct pollfd){ signals, POLLIN, 0 };
		fds[n++] = (struct pollfd){ xs_fd(labd->xs), POLLIN, 0 };
		if (labd->port >= 0) {
			short out = labd->port_out.len > 0 ? POLLOUT : 0;

			port = n;
			fds[n++] = (struct pollfd){ labd->port, (short)(POLLIN | out), 0 };
		}
		n += jobs_poll_fds(labd->jobs, fds + n, POLL_MAX - n);
		timeout = xs_pending(labd->xs) ? 0 : jobs_timeout(labd->jobs);
		if (poll(fds, n, timeout) < 0 && errno != EINTR)
			err(1, "poll");
		if (fds[0].revents && read(signals, &info, sizeof(info)) < 0)
			err(1, "signalfd");
		if (labd->port >= 0)
			handle_port(labd, fds[port].revents);
	}
}

int main(int argc, char **argv)
{
	struct labd labd = { .port = -1 };
	sigset_t set;
	int signals, r;

	if (argc > 2 || (argc == 2 && strncmp(argv[1], "--", 2) == 0)) {
		fprintf(stderr, "usage: labd [PORT]\n"
				"With PORT serve it in dom0, without serve data/lab in a guest.\n");
		return 2;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0)
		err(1, "signalfd");
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);

	r = xs_open(&labd.xs);
	if (r < 0)
		errx(1, "/dev/xen/xenbus: %s", strerror(-r));
	if (argc == 2) {
		labd.port = open(argv[1], O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (labd.port < 0)
			err(1, "%s", argv[1]);
		labd.link.out = &labd.port_out;
	} else {
		r = stream_open(labd.xs, "", false, "host", &labd.link.stream);
		if (r < 0)
			errx(1, "watch data/lab: %s", strerror(-r));
	}
	labd.jobs = jobs_new(&labd.link);
	loop(&labd, signals);
}
