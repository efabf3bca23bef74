/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first process of a fast bench guest. It mounts what a Linux system has, with the
 * host's file system as a read-only root, and then serves the bench over a console:
 * frames of three little-endian 32-bit words (type, id, length) and a payload.
 *
 * Called as poweroff or reboot (by the kernel, on the toolstack's request) it does that.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define MAX_COMMANDS 64
#define MAX_PAYLOAD  65536
#define ROOT         "/root" /* of commands: the host's, with our own /dev, /tmp and so on */
#define HOST         "/host" /* the host's as it is */

enum frame_type {
	/* from the bench */
	RUN = 1,    /* a shell command, run in the host's root; answered by OUT, ERR, EXIT */
	READ = 2,   /* a path (in that root), of a directory for its names; OUT and EXIT */
	INSMOD = 3, /* a path of the host, a NUL, parameters; answered by EXIT */
	KILL = 4,   /* SIGKILL to command id and its children */
	CRASH = 5,  /* the first process ends, so the kernel panics */
	WRITE = 6,  /* a path (in that root), a NUL, what to write there; answered by EXIT */
	/* from the guest */
	READY = 16,
	OUT = 17,
	ERR = 18,
	EXIT = 19, /* 32-bit exit status, or 128 + signal, or a negative errno */
};

struct frame {
	uint32_t type, id, len;
};

struct command {
	uint32_t id;
	pid_t pid;    /* 0: slot is free */
	int out, err; /* -1 once closed */
	bool exited;
	int32_t status;
};

static struct command commands[MAX_COMMANDS];
static int console;
static int child_pipe[2];

static void die(const char *what)
{
	fprintf(stderr, "init: %s: %s\n", what, strerror(errno));
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void write_all(const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(console, p, len);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			die("write to the console");
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
}

static void send_frame(enum frame_type type, uint32_t id, const void *data, size_t len)
{
	struct frame f = { type, id, (uint32_t)len };

	write_all(&f, sizeof(f));
	write_all(data, len);
}

static void send_exit(uint32_t id, int32_t status)
{
	send_frame(EXIT, id, &status, sizeof(status));
}

static void on_child(int sig)
{
	int saved = errno;

	(void)sig;
	if (write(child_pipe[1], "", 1) < 0)
		errno = saved; /* full: it will be read anyway */
	errno = saved;
}

static void exec_command(char *text)
{
	const char *bin = getenv("bench_bin");
	char path[4096];
	char *const env[] = { path, "HOME=/tmp", "LC_ALL=C", NULL };
	int null = open(ROOT "/dev/null", O_RDONLY);

	snprintf(path, sizeof(path),
		 "PATH=%s:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		 bin ? bin : "/usr/bin");
	setsid();
	signal(SIGCHLD, SIG_DFL);
	if (chroot(ROOT) < 0 || chdir("/tmp") < 0)
		_exit(126);
	dup2(null, STDIN_FILENO);
	execve("/bin/busybox", (char *[]){ "sh", "-c", text, NULL }, env);
	dprintf(STDERR_FILENO, "init: /bin/busybox: %s\n", strerror(errno));
	_exit(127);
}

static void run(uint32_t id, char *text)
{
	struct command *c = commands;
	int out[2] = { -1, -1 }, err[2] = { -1, -1 };

	while (c < commands + MAX_COMMANDS && c->pid)
		c++;
	if (c == commands + MAX_COMMANDS || pipe2(out, O_CLOEXEC) < 0 ||
	    pipe2(err, O_CLOEXEC) < 0) {
		send_exit(id, -EMFILE);
		return;
	}
	*c = (struct command){ .id = id, .out = out[0], .err = err[0], .pid = fork() };
	if (c->pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		exec_command(text);
	}
	close(out[1]);
	close(err[1]);
	if (c->pid < 0) {
		close(out[0]);
		close(err[0]);
		c->pid = 0;
		send_exit(id, -errno);
	}
}

static int open_below(const char *root, const char *path, int mode)
{
	char full[4096];

	if (snprintf(full, sizeof(full), "%s%s", root, path) >= (int)sizeof(full)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(full, mode | O_CLOEXEC | O_NONBLOCK);
}

/* The names in a directory, one a line. */
static int32_t list_directory(uint32_t id, int fd)
{
	DIR *dir = fdopendir(dup(fd));
	struct dirent *entry;
	char line[sizeof(entry->d_name) + 1];

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		int n = snprintf(line, sizeof(line), "%s\n", entry->d_name);

		send_frame(OUT, id, line, (size_t)n);
	}
	closedir(dir);
	return 0;
}

static void read_file(uint32_t id, const char *path)
{
	char buf[4096];
	int32_t status = 0;
	ssize_t n;
	int fd;

	fd = open_below(ROOT, path, O_RDONLY);
	if (fd < 0) {
		send_exit(id, -errno);
		return;
	}
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		send_frame(OUT, id, buf, (size_t)n);
	if (n < 0)
		status = errno == EISDIR ? list_directory(id, fd) : -errno;
	close(fd);
	send_exit(id, status);
}

static void write_file(uint32_t id, const char *path)
{
	const char *text = path + strlen(path) + 1;
	int fd = open_below(ROOT, path, O_WRONLY);
	int32_t status = 0;

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		status = -errno;
	if (fd >= 0)
		close(fd);
	send_exit(id, status);
}

static void insmod(uint32_t id, const char *path)
{
	const char *parameters = path + strlen(path) + 1;
	int32_t status;
	int fd = open_below(HOST, path, O_RDONLY);

	status = fd < 0 ? -errno : 0;
	if (fd >= 0 && syscall(SYS_finit_module, fd, parameters, 0) < 0)
		status = -errno;
	if (fd >= 0)
		close(fd);
	send_exit(id, status);
}

static void kill_command(uint32_t id)
{
	for (struct command *c = commands; c < commands + MAX_COMMANDS; c++) {
		if (c->pid && c->id == id) {
			/* It has a session and so a process group of its own. */
			kill(-c->pid, SIGKILL);
			kill(c->pid, SIGKILL);
		}
	}
}

static bool read_exactly(void *data, size_t len)
{
	char *p = data;

	while (len > 0) {
		ssize_t n = read(console, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static void serve_frame(void)
{
	static char payload[MAX_PAYLOAD + 2];
	struct frame f;

	if (!read_exactly(&f, sizeof(f)) || f.len > MAX_PAYLOAD || !read_exactly(payload, f.len))
		die("read from the console");
	payload[f.len] = payload[f.len + 1] = '\0';
	switch (f.type) {
	case RUN:
		run(f.id, payload);
		break;
	case READ:
		read_file(f.id, payload);
		break;
	case INSMOD:
		insmod(f.id, payload);
		break;
	case KILL:
		kill_command(f.id);
		break;
	case CRASH:
		_exit(1);
	case WRITE:
		write_file(f.id, payload);
		break;
	default:
		errno = EPROTO;
		die("frame");
	}
}

static void finish(struct command *c)
{
	if (c->out >= 0 || c->err >= 0 || !c->exited)
		return;
	send_exit(c->id, c->status);
	c->pid = 0;
}

static void forward(struct command *c, int *fd, enum frame_type type)
{
	char buf[4096];
	ssize_t n = read(*fd, buf, sizeof(buf));

	if (n > 0) {
		send_frame(type, c->id, buf, (size_t)n);
		return;
	}
	if (n < 0 && errno == EINTR)
		return;
	close(*fd);
	*fd = -1;
	finish(c);
}

static void reap(void)
{
	char buf[64];
	int status;
	pid_t pid;

	while (read(child_pipe[0], buf, sizeof(buf)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (struct command *c = commands; c < commands + MAX_COMMANDS; c++) {
			if (c->pid != pid || c->exited)
				continue;
			c->exited = true;
			c->status =
				WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
			finish(c);
		}
	}
}

static void serve(void)
{
	for (;;) {
		struct pollfd pfd[2 + 2 * MAX_COMMANDS] = { { .fd = console, .events = POLLIN },
							    { .fd = child_pipe[0],
							      .events = POLLIN } };

		for (int i = 0; i < MAX_COMMANDS; i++) {
			struct command *c = &commands[i];

			pfd[2 + 2 * i].fd = c->pid ? c->out : -1;
			pfd[3 + 2 * i].fd = c->pid ? c->err : -1;
			pfd[2 + 2 * i].events = pfd[3 + 2 * i].events = POLLIN;
		}
		if (poll(pfd, 2 + 2 * MAX_COMMANDS, -1) < 0) {
			if (errno == EINTR)
				continue;
			die("poll");
		}
		for (int i = 0; i < MAX_COMMANDS; i++) {
			struct command *c = &commands[i];

			if (c->pid && c->out >= 0 && pfd[2 + 2 * i].revents)
				forward(c, &c->out, OUT);
			if (c->pid && c->err >= 0 && pfd[3 + 2 * i].revents)
				forward(c, &c->err, ERR);
		}
		if (pfd[1].revents)
			reap();
		if (pfd[0].revents)
			serve_frame();
	}
}

static void mount_or_die(const char *source, const char *target, const char *type,
			 unsigned long flags, const char *data)
{
	if (mount(source, target, type, flags, data) < 0)
		die(target);
}

static void mount_all(void)
{
	const char *out = getenv("bench_out");

	mkdir(ROOT, 0755);
	mkdir(HOST, 0755);
	mount_or_die("none", HOST, "hostfs", MS_RDONLY, "/");
	mount_or_die("none", ROOT, "hostfs", MS_RDONLY, "/");
	mount_or_die("dev", ROOT "/dev", "devtmpfs", 0, NULL);
	mount_or_die("proc", ROOT "/proc", "proc", 0, NULL);
	mount_or_die("sys", ROOT "/sys", "sysfs", 0, NULL);
	mount_or_die("debug", ROOT "/sys/kernel/debug", "debugfs", 0, NULL);
	mount_or_die("tmp", ROOT "/tmp", "tmpfs", 0, NULL);
	mount_or_die("run", ROOT "/run", "tmpfs", 0, NULL);
	mkdir(ROOT "/run/mnt", 0755);
	mkdir(ROOT "/dev/shm", 01777);
	if (out) {
		mkdir(ROOT "/run/out", 0755);
		mount_or_die("none", ROOT "/run/out", "hostfs", 0, out);
	}
}

/* Guests are small; programs like fio reserve far more than they use. */
static void allow_overcommit(void)
{
	int fd = open(ROOT "/proc/sys/vm/overcommit_memory", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "1", 1) != 1)
		die("overcommit_memory");
	close(fd);
}

static void open_console(void)
{
	struct termios tio;

	console = open(ROOT "/dev/tty1", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (console < 0 || tcgetattr(console, &tio) < 0)
		die("/dev/tty1");
	cfmakeraw(&tio);
	tio.c_cc[VMIN] = 1;
	tio.c_cc[VTIME] = 0;
	if (tcsetattr(console, TCSANOW, &tio) < 0)
		die("/dev/tty1");
}

int main(int argc, char **argv)
{
	(void)argc;
	if (strstr(argv[0], "poweroff") || strstr(argv[0], "reboot")) {
		sync();
		reboot(strstr(argv[0], "poweroff") ? RB_POWER_OFF : RB_AUTOBOOT);
		return 1;
	}
	mount_all();
	allow_overcommit();
	open_console();
	if (pipe2(child_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		die("pipe");
	signal(SIGCHLD, on_child);
	signal(SIGPIPE, SIG_IGN);
	send_frame(READY, 0, NULL, 0);
	serve();
}
