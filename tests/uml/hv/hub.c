/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenpv-hub [--remove-directory] SOCKET: the hypervisor of a test bench. It writes "ready" to
 * standard output, and ends when standard input does; whatever was connected is killed then, so
 * that an interrupted test leaves no process behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "hub.h"

int64_t hub_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct hub_pipe *hub_pipe_new(void)
{
	struct hub_pipe *pipe = calloc(1, sizeof(*pipe));
	int fds[2];

	if (!pipe || pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		free(pipe);
		return NULL;
	}
	pipe->refs = 1;
	pipe->rfd = fds[0];
	pipe->wfd = fds[1];
	return pipe;
}

struct hub_pipe *hub_pipe_get(struct hub_pipe *pipe)
{
	pipe->refs++;
	return pipe;
}

void hub_pipe_put(struct hub_pipe *pipe)
{
	if (!pipe || --pipe->refs > 0)
		return;
	close(pipe->rfd);
	close(pipe->wfd);
	free(pipe);
}

struct hub_conn *hub_add_conn(struct hub *hub, int sock, enum hub_conn_kind kind)
{
	struct hub_conn *conn = calloc(1, sizeof(*conn));
	struct epoll_event ev = { .events = EPOLLIN };
	int one = 1;

	if (!conn)
		goto fail;
	ev.data.ptr = conn;
	if (setsockopt(sock, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0 ||
	    fcntl(sock, F_SETFL, O_NONBLOCK) < 0 ||
	    epoll_ctl(hub->epoll_fd, EPOLL_CTL_ADD, sock, &ev) < 0)
		goto fail;
	conn->kind = kind;
	conn->sock = sock;
	conn->next_local = 1;
	TAILQ_INIT(&conn->stale);
	TAILQ_INSERT_TAIL(&hub->conns, conn, link);
	return conn;
fail:
	close(sock);
	free(conn);
	return NULL;
}

/* A party that does not read what it is sent is cut off, so that the hub never waits. */
void hub_send(struct hub_conn *conn, const struct loop_msg *msg, const int *fds, int nfds)
{
	int r = loop_send(conn->sock, msg, fds, nfds);

	if (r == -EAGAIN) {
		fprintf(stderr, "hub: pid %d does not read its messages\n", (int)conn->pid);
		shutdown(conn->sock, SHUT_RDWR);
	}
}

void hub_answer(struct hub_conn *conn, const struct loop_msg *request, int result)
{
	struct loop_msg answer = *request;

	answer.result = result;
	hub_send(conn, &answer, NULL, 0);
}

static void close_conn(struct hub *hub, struct hub_conn *conn)
{
	struct hub_stale_pipe *stale;

	conn->gone = true;
	if (conn->kind == HUB_DOMAIN) {
		struct hub_domain *dom = conn->dom;

		dom->conn = NULL;
		domain_die(hub, dom);
		domain_put(hub, dom);
	}
	gnttab_close_conn(hub, conn);
	evtchn_close_conn(hub, conn);
	while ((stale = TAILQ_FIRST(&conn->stale))) {
		TAILQ_REMOVE(&conn->stale, stale, link);
		hub_pipe_put(stale->pipe);
		free(stale);
	}
	TAILQ_REMOVE(&hub->conns, conn, link);
	close(conn->sock);
	free(conn);
}

static void client_message(struct hub *hub, struct hub_conn *conn, struct loop_msg *msg)
{
	struct hub_domain *dom;

	switch (msg->op) {
	case LOOP_EVTCHN_ATTACH:
		evtchn_attach(hub, conn, msg);
		break;
	case LOOP_BIND:
		evtchn_bind(hub, conn, msg);
		break;
	case LOOP_BIND_VIRQ:
		evtchn_bind_virq(hub, conn, msg);
		break;
	case LOOP_UNBIND:
		evtchn_unbind(hub, conn, msg);
		break;
	case LOOP_GNT_ATTACH:
		gnttab_attach(hub, conn, msg);
		break;
	case LOOP_INFO:
		dom = domain_find(hub, msg->domid);
		if (dom)
			domain_info(dom, msg);
		hub_answer(conn, msg, dom ? 0 : -ESRCH);
		break;
	case LOOP_STATS:
		domain_stats(hub, conn, msg);
		break;
	case LOOP_CREATE:
		domain_create(hub, conn, msg);
		break;
	case LOOP_UNPAUSE:
		domain_unpause(hub, conn, msg);
		break;
	case LOOP_DESTROY:
		dom = domain_find(hub, msg->domid);
		if (dom)
			domain_die(hub, dom);
		hub_answer(conn, msg, dom ? 0 : -ESRCH);
		break;
	case LOOP_RESUME:
		domain_resume(hub, conn, msg);
		break;
	case LOOP_SUBSCRIBE:
		conn->subscribed = true;
		hub_answer(conn, msg, 0);
		break;
	case LOOP_NEXT:
		domain_next(hub, conn, msg);
		break;
	default:
		hub_answer(conn, msg, -ENOSYS);
	}
}

static void readable(struct hub *hub, struct hub_conn *conn)
{
	struct loop_msg msg;
	int fds[LOOP_MAX_FDS], r;

	for (;;) {
		r = loop_recv(conn->sock, &msg, fds, &conn->pid, MSG_DONTWAIT);
		if (r == -EAGAIN)
			return;
		if (r < 0) {
			close_conn(hub, conn);
			return;
		}
		if (conn->kind == HUB_DOMAIN)
			domain_message(hub, conn, &msg, fds);
		else
			client_message(hub, conn, &msg);
		loop_close_fds(fds);
	}
}

static void accept_clients(struct hub *hub)
{
	int sock;

	while ((sock = accept4(hub->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct hub_conn *conn = hub_add_conn(hub, sock, HUB_CLIENT);
		struct ucred cred;
		socklen_t len = sizeof(cred);

		if (conn && getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0)
			conn->pid = cred.pid;
	}
}

static int listen_at(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 128) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

static void kill_everybody(struct hub *hub)
{
	struct hub_conn *conn;

	/* Whoever started us sees to itself. */
	TAILQ_FOREACH (conn, &hub->conns, link) {
		if (conn->pid > 1 && conn->pid != getppid() && conn->pid != getpid())
			kill(conn->pid, SIGKILL);
	}
}

static int run(struct hub *hub)
{
	struct epoll_event events[64];
	char buf[64];

	for (;;) {
		int timeout = evtchn_expire(hub);
		int n = epoll_wait(hub->epoll_fd, events, 64, timeout);

		if (n < 0 && errno != EINTR)
			return -errno;
		/* One connection a turn may free itself, but never another one. */
		for (int i = 0; i < n; i++) {
			void *who = events[i].data.ptr;

			if (who == hub) {
				accept_clients(hub);
			} else if (who) {
				readable(hub, who);
			} else {
				ssize_t got = read(STDIN_FILENO, buf, sizeof(buf));

				if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
					return 0;
			}
		}
	}
}

static void raise_file_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
}

int main(int argc, char **argv)
{
	struct hub hub = { .next_domid = 1 };
	struct epoll_event ev = { .events = EPOLLIN };
	int r;

	bool remove_directory = argc == 3 && strcmp(argv[1], "--remove-directory") == 0;
	char *path = argv[argc - 1];

	if (argc < 2 || path[0] == '-' || (argc == 3) != remove_directory) {
		fprintf(stderr, "Usage: xenpv-hub [--remove-directory] SOCKET\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	raise_file_limit();
	TAILQ_INIT(&hub.conns);
	TAILQ_INIT(&hub.domains);
	TAILQ_INIT(&hub.waiting);

	hub.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	hub.listen_fd = listen_at(path);
	if (hub.epoll_fd < 0 || hub.listen_fd < 0) {
		fprintf(stderr, "hub: cannot listen at %s: %s\n", path,
			strerror(hub.listen_fd < 0 ? -hub.listen_fd : errno));
		return 1;
	}
	ev.data.ptr = &hub;
	epoll_ctl(hub.epoll_fd, EPOLL_CTL_ADD, hub.listen_fd, &ev);
	ev.data.ptr = NULL;
	if (epoll_ctl(hub.epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &ev) < 0) {
		fprintf(stderr, "hub: standard input must be a pipe: %s\n", strerror(errno));
		return 1;
	}
	puts("ready");
	fflush(stdout);

	r = run(&hub);
	kill_everybody(&hub);
	unlink(path);
	/* Also when whoever started us was killed. */
	if (remove_directory)
		rmdir(dirname(path));
	return r < 0;
}
