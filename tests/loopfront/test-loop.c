/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loop implementation of host.h, tried with a frontend in the same process. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host.h"
#include "loopfront.h"

struct fixture {
	struct loopfront_hub *hub;
	struct loopfront *lf;
	struct host_gnt *gnt;
	struct host_evtchn *ev;
};

static int setup(void **state)
{
	static struct fixture f;
	int fd;

	assert_int_equal(loopfront_hub_start(&f.hub), 0);
	assert_int_equal(loopfront_open(NULL, 256, &f.lf), 0);
	assert_int_equal(host_gnt_open(loopfront_domid(f.lf), &f.gnt), 0);
	fd = host_evtchn_open();
	assert_true(fd >= 0);
	assert_int_equal(host_evtchn_fdopen(fd, &f.ev), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	host_evtchn_close(f->ev);
	host_gnt_close(f->gnt);
	loopfront_close(f->lf);
	loopfront_hub_stop(f->hub);
	return 0;
}

static uint32_t grant(struct fixture *f, uint64_t *ret_frame, bool readonly)
{
	int64_t frame = loopfront_alloc(f->lf, 1), ref;

	assert_true(frame > 0);
	ref = loopfront_grant(f->lf, (uint64_t)frame, readonly);
	assert_true(ref > 0);
	*ret_frame = (uint64_t)frame;
	return (uint32_t)ref;
}

static void map_shows_the_page(void **state)
{
	struct fixture *f = *state;
	uint64_t frame[3];
	uint32_t ref[3];
	char *p;

	for (int i = 2; i >= 0; i--) {
		ref[i] = grant(f, &frame[i], false);
		memset(loopfront_page(f->lf, frame[i]), 'a' + i, 4096);
	}
	assert_int_equal(host_gnt_map(f->gnt, ref, 3, PROT_READ | PROT_WRITE, (void **)&p), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(p[i * 4096 + 4095], 'a' + i);
	p[4096] = 'x';
	assert_int_equal(((char *)loopfront_page(f->lf, frame[1]))[0], 'x');
	assert_int_equal(loopfront_revoke(f->lf, ref[1]), -EBUSY);
	assert_int_equal(host_gnt_unmap(f->gnt, p, 2), -EINVAL);
	assert_int_equal(host_gnt_unmap(f->gnt, p, 3), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(loopfront_revoke(f->lf, ref[i]), 0);
}

static void bad_grants_are_refused(void **state)
{
	struct fixture *f = *state;
	uint64_t frame;
	uint32_t good = grant(f, &frame, false), readonly = grant(f, &frame, true), ref;
	void *p = NULL;

	ref = 1u << 30;
	assert_int_equal(host_gnt_map(f->gnt, &ref, 1, PROT_READ, &p), -EINVAL);
	ref = 2000; /* never granted */
	assert_int_equal(host_gnt_map(f->gnt, &ref, 1, PROT_READ, &p), -EINVAL);
	assert_int_equal(host_gnt_map(f->gnt, &readonly, 1, PROT_READ | PROT_WRITE, &p), -EACCES);
	ref = (uint32_t)loopfront_grant(f->lf, 1u << 20, false); /* no such frame */
	assert_int_equal(host_gnt_map(f->gnt, &ref, 1, PROT_READ, &p), -EINVAL);
	assert_int_equal(loopfront_grant_use(f->lf, ref), 0);
	loopfront_grant_raw(f->lf, ref, 1, 7, (uint32_t)frame); /* for another domain */
	assert_int_equal(host_gnt_map(f->gnt, &ref, 1, PROT_READ, &p), -EINVAL);
	/* All or nothing: the good one must not stay pinned. */
	assert_int_equal(host_gnt_map(f->gnt, (uint32_t[]){ good, 2000 }, 2, PROT_READ, &p),
			 -EINVAL);
	assert_int_equal(loopfront_revoke(f->lf, good), 0);
	assert_null(p);
}

static void readonly_maps_read(void **state)
{
	struct fixture *f = *state;
	uint64_t frame;
	uint32_t ref = grant(f, &frame, true);
	char *p;

	strcpy(loopfront_page(f->lf, frame), "text");
	assert_int_equal(host_gnt_map(f->gnt, &ref, 1, PROT_READ, (void **)&p), 0);
	assert_string_equal(p, "text");
	assert_int_equal(loopfront_grant_use(f->lf, ref), 1 << 3); /* GTF_reading */
	assert_int_equal(host_gnt_unmap(f->gnt, p, 1), 0);
	assert_int_equal(loopfront_grant_use(f->lf, ref), 0);
}

static void copy_checks_each_piece(void **state)
{
	struct fixture *f = *state;
	uint64_t frame;
	uint32_t ref = grant(f, &frame, true);
	char local[512] = "";
	struct host_gnt_copy pieces[] = {
		{ .ref = ref, .offset = 3584, .len = 512, .local = local },
		{ .ref = ref, .offset = 3585, .len = 512, .local = local },
		{ .ref = ref, .offset = 0, .len = 16, .local = local, .to_guest = 1 },
		{ .ref = 1999, .offset = 0, .len = 16, .local = local },
		{ .ref = ref, .offset = 0, .len = 0, .local = local },
	};

	strcpy((char *)loopfront_page(f->lf, frame) + 3584, "end");
	assert_int_equal(host_gnt_copy(f->gnt, pieces, 5), 0);
	assert_int_equal(pieces[0].status, 0);
	assert_string_equal(local, "end");
	assert_int_equal(pieces[1].status, -EINVAL);
	assert_int_equal(pieces[2].status, -EACCES);
	assert_int_equal(pieces[3].status, -EINVAL);
	assert_int_equal(pieces[4].status, -EINVAL);
	assert_int_equal(loopfront_revoke(f->lf, ref), 0);
}

static void wait_readable(struct host_evtchn *ev)
{
	struct pollfd pfd = { .fd = host_evtchn_fd(ev), .events = POLLIN };

	assert_int_equal(poll(&pfd, 1, 2000), 1);
}

static void events_coalesce_and_mask(void **state)
{
	struct fixture *f = *state;
	int port = loopfront_evtchn_alloc(f->lf), local;

	assert_true(port > 0);
	local = host_evtchn_bind(f->ev, loopfront_domid(f->lf), (uint32_t)port);
	assert_true(local > 0);
	assert_int_equal(host_evtchn_bind(f->ev, loopfront_domid(f->lf), (uint32_t)port), -EINVAL);
	/* Binding raises the port once, in case something was sent before. */
	wait_readable(f->ev);
	assert_int_equal(host_evtchn_pending(f->ev), local);
	assert_int_equal(host_evtchn_pending(f->ev), -EAGAIN);
	/* Masked: what comes now is seen after the unmask, once. */
	loopfront_notify(f->lf, (uint32_t)port);
	loopfront_notify(f->lf, (uint32_t)port);
	assert_int_equal(host_evtchn_pending(f->ev), -EAGAIN);
	assert_int_equal(host_evtchn_unmask(f->ev, (uint32_t)local), 0);
	assert_int_equal(host_evtchn_pending(f->ev), local);
	assert_int_equal(host_evtchn_unmask(f->ev, (uint32_t)local), 0);
	assert_int_equal(host_evtchn_pending(f->ev), -EAGAIN);

	assert_int_equal(host_evtchn_notify(f->ev, (uint32_t)local), 0);
	assert_int_equal(host_evtchn_notify(f->ev, (uint32_t)local), 0);
	assert_int_equal(loopfront_wait(f->lf, (uint32_t)port, 2000), 0);
	assert_int_equal(loopfront_wait(f->lf, (uint32_t)port, 20), -ETIMEDOUT);

	assert_int_equal(host_evtchn_unbind(f->ev, (uint32_t)local), 0);
	assert_int_equal(host_evtchn_notify(f->ev, (uint32_t)local), -EINVAL);
	local = host_evtchn_bind(f->ev, loopfront_domid(f->lf), (uint32_t)port);
	assert_true(local > 0);
	assert_int_equal(loopfront_evtchn_close(f->lf, (uint32_t)port), 0);
	assert_int_equal(host_evtchn_notify(f->ev, (uint32_t)local), 0);
	assert_int_equal(host_evtchn_bind(f->ev, loopfront_domid(f->lf), (uint32_t)port), -EINVAL);
}

/* What a process held that was killed is free again, and its port can be bound anew. */
static void a_killed_backend_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	uint32_t domid = loopfront_domid(f->lf);
	uint64_t frame;
	uint32_t ref = grant(f, &frame, false);
	int port = loopfront_evtchn_alloc(f->lf), go[2], tries = 0, status, local;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(go), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct host_gnt *gnt;
		struct host_evtchn *ev;
		void *p;

		if (host_gnt_open(domid, &gnt) || host_evtchn_fdopen(host_evtchn_open(), &ev) ||
		    host_gnt_map(gnt, &ref, 1, PROT_READ | PROT_WRITE, &p) ||
		    host_evtchn_bind(ev, domid, (uint32_t)port) < 0)
			_exit(1);
		if (write(go[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(go[1]);
	assert_int_equal(read(go[0], &byte, 1), 1);
	assert_int_equal(loopfront_revoke(f->lf, ref), -EBUSY);
	assert_true(loopfront_evtchn_bound(f->lf, (uint32_t)port));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	while (loopfront_revoke(f->lf, ref) == -EBUSY && tries++ < 2000)
		usleep(1000);
	assert_int_equal(loopfront_grant_use(f->lf, ref), 0);
	do
		local = host_evtchn_bind(f->ev, domid, (uint32_t)port);
	while (local < 0 && tries++ < 2000 && usleep(1000) == 0);
	assert_true(local > 0);
	close(go[0]);
}

static void a_dead_domain_maps_nothing(void **state)
{
	struct fixture *f = *state;
	struct loopfront *other;
	struct host_gnt *gnt;
	int64_t frame;
	uint32_t ref;
	char *p;
	void *q;
	int r;

	assert_int_equal(loopfront_open(NULL, 256, &other), 0);
	frame = loopfront_alloc(other, 1);
	ref = (uint32_t)loopfront_grant(other, (uint64_t)frame, false);
	assert_int_equal(host_gnt_open(loopfront_domid(other), &gnt), 0);
	assert_int_equal(host_gnt_map(gnt, &ref, 1, PROT_READ | PROT_WRITE, (void **)&p), 0);
	loopfront_close(other);
	p[0] = 1; /* still there */
	for (int i = 0; i < 2000; i++) {
		r = host_gnt_map(gnt, &ref, 1, PROT_READ, &q);
		if (r < 0)
			break;
		host_gnt_unmap(gnt, q, 1);
		usleep(1000);
	}
	assert_int_equal(r, -EIO);
	assert_int_equal(host_gnt_unmap(gnt, p, 1), 0);
	host_gnt_close(gnt);
	(void)f;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map_shows_the_page),
		cmocka_unit_test(bad_grants_are_refused),
		cmocka_unit_test(readonly_maps_read),
		cmocka_unit_test(copy_checks_each_piece),
		cmocka_unit_test(events_coalesce_and_mask),
		cmocka_unit_test(a_killed_backend_leaves_nothing),
		cmocka_unit_test(a_dead_domain_maps_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
