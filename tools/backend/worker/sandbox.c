/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/parse.h"

#define DEFAULT_USER "xenpv-worker"

static int find_user(const char *name, uid_t *ret_uid, gid_t *ret_gid)
{
	const struct passwd *pw;
	uint32_t uid;

	if (name && parse_u32(name, 0, INT32_MAX, &uid) == 0) {
		*ret_uid = uid;
		*ret_gid = uid;
		return 0;
	}
	errno = 0;
	pw = getpwnam(name ? name : DEFAULT_USER);
	if (!pw)
		return errno ? -errno : -ESRCH;
	*ret_uid = pw->pw_uid;
	*ret_gid = pw->pw_gid;
	return 0;
}

static void set_limits(void)
{
	struct rlimit lim;

	/* per ring or queue: event channel, two eventfds and an io_uring; and a tap */
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
		lim.rlim_cur = lim.rlim_max < 65536 ? lim.rlim_max : 65536;
		setrlimit(RLIMIT_NOFILE, &lim);
	}
	/* kernels before 5.12 and since 6.14 charge an io_uring to it */
	lim = (struct rlimit){ RLIM_INFINITY, RLIM_INFINITY };
	setrlimit(RLIMIT_MEMLOCK, &lim);
	lim = (struct rlimit){ 0, 0 };
	setrlimit(RLIMIT_CORE, &lim);
	setrlimit(RLIMIT_MSGQUEUE, &lim);
}

/*
 * A change of user drops them too, but there may be no user to change to. Then, where the
 * limit of locked memory cannot be lifted (a container), the right to lock memory is kept:
 * without it the rings of all workers together would have to fit into that limit.
 */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct have[_LINUX_CAPABILITY_U32S_3] = { 0 };
	struct __user_cap_data_struct keep[_LINUX_CAPABILITY_U32S_3] = { 0 };
	struct rlimit lim;

	if (syscall(SYS_capget, &header, have) < 0)
		return -errno;
	if (getrlimit(RLIMIT_MEMLOCK, &lim) < 0 || lim.rlim_cur != RLIM_INFINITY) {
		uint32_t bit =
			CAP_TO_MASK(CAP_IPC_LOCK) & have[CAP_TO_INDEX(CAP_IPC_LOCK)].permitted;

		keep[CAP_TO_INDEX(CAP_IPC_LOCK)].permitted = bit;
		keep[CAP_TO_INDEX(CAP_IPC_LOCK)].effective = bit;
	}
	return syscall(SYS_capset, &header, keep) < 0 ? -errno : 0;
}

/* A directory that is removed holds nothing, and nothing can be made in it. */
static int leave_by_chroot(void)
{
	char dir[] = "/tmp/xenpv-worker-XXXXXX";
	int r;

	if (!mkdtemp(dir))
		return -errno;
	r = chdir(dir) < 0 ? -errno : 0;
	if (rmdir(dir) < 0 && r == 0)
		r = -errno;
	if (r == 0 && (chroot(".") < 0 || chdir("/") < 0))
		r = -errno;
	return r;
}

/* An empty, read-only root and no network. */
static int leave_by_namespace(void)
{
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
		return -errno;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,mode=0555") <
		    0)
		return -errno;
	if (chdir("/tmp") < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -errno;
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  NULL) < 0)
		return -errno;
	return 0;
}

/* Under the systemd unit namespaces are refused, and the network is gone already. */
static int leave_file_system(void)
{
	int r;

	r = leave_by_namespace();
	return r == -EPERM ? leave_by_chroot() : r;
}

/* Whatever the mount namespace, nothing can be opened. Kernels without Landlock: nothing happens.
 */
static int enter_landlock(void)
{
	struct landlock_ruleset_attr attr = {
		/* all rights of the first version, 1 << 0 .. 1 << 12 */
		.handled_access_fs = (1 << 13) - 1,
	};
	_cleanup_close_ int fd = -1;

	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
	if (fd < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
	return syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 0;
}

static int enter_seccomp(void)
{
	/*
	 * What rings, storage, taps and the C library need. An io_uring is not bound by
	 * this filter, but can reach no more than the empty root and the
	 * descriptors that we hold anyway.
	 */
	static const int allowed[] = {
		SCMP_SYS(brk),
		SCMP_SYS(mmap),
		SCMP_SYS(munmap),
		SCMP_SYS(mremap),
		SCMP_SYS(mprotect),
		SCMP_SYS(madvise),
		SCMP_SYS(read),
		SCMP_SYS(write),
		SCMP_SYS(writev),
		SCMP_SYS(pread64),
		SCMP_SYS(pwrite64),
		SCMP_SYS(close),
		SCMP_SYS(fstat),
		SCMP_SYS(newfstatat),
		SCMP_SYS(fstatfs),
		SCMP_SYS(ftruncate),
		SCMP_SYS(fallocate),
		SCMP_SYS(lseek),
		SCMP_SYS(poll),
		SCMP_SYS(ppoll),
		SCMP_SYS(eventfd2),
		SCMP_SYS(fcntl),
		SCMP_SYS(sendmsg),
		SCMP_SYS(recvmsg),
		SCMP_SYS(sendto),
		SCMP_SYS(recvfrom),
		SCMP_SYS(io_uring_setup),
		SCMP_SYS(io_uring_enter),
		SCMP_SYS(io_uring_register),
		SCMP_SYS(futex),
		SCMP_SYS(set_robust_list),
		SCMP_SYS(rseq),
		SCMP_SYS(gettid),
		SCMP_SYS(getpid),
		SCMP_SYS(sched_yield),
		SCMP_SYS(sched_getaffinity),
		SCMP_SYS(rt_sigaction),
		SCMP_SYS(rt_sigprocmask),
		SCMP_SYS(rt_sigreturn),
		SCMP_SYS(sigaltstack),
		SCMP_SYS(restart_syscall),
		SCMP_SYS(tgkill),
		SCMP_SYS(clock_gettime),
		SCMP_SYS(clock_nanosleep),
		SCMP_SYS(nanosleep),
		SCMP_SYS(getrandom),
		SCMP_SYS(exit),
		SCMP_SYS(exit_group),
	};
	static const unsigned long ioctls[] = {
		BLKDISCARD,
		BLKSECDISCARD,
		TUNSETOFFLOAD,
		TUNSETVNETHDRSZ,
	};
	scmp_filter_ctx ctx;
	int r;

	/* refused, not killed: a call that is missing above must not cost the guest its disk or
	 * link */
	ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!ctx)
		return -ENOMEM;
	for (size_t i = 0; i < ELEMENTSOF(allowed); i++) {
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
		if (r < 0)
			goto out;
	}
	/* threads, not processes; clone3 passes its flags where no filter can look */
	r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
			     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	if (r < 0)
		goto out;
	r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (r < 0)
		goto out;
	/* ioctls by type: gntdev 'G', evtchn 'E'; and the few of block devices and taps */
	r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			     SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, 'G' << 8));
	if (r < 0)
		goto out;
	r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			     SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, 'E' << 8));
	if (r < 0)
		goto out;
	for (size_t i = 0; i < ELEMENTSOF(ioctls); i++) {
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				     SCMP_A1(SCMP_CMP_EQ, ioctls[i]));
		if (r < 0)
			goto out;
	}
	/* the names of threads */
	r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
			     SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	if (r < 0)
		goto out;
	r = seccomp_load(ctx);
out:
	seccomp_release(ctx);
	return r;
}

int sandbox_enter(const struct sandbox *s, const char **ret_why)
{
	bool root = geteuid() == 0;
	bool change_user = false;
	pid_t parent = getppid();
	uid_t uid = 0;
	gid_t gid = 0;
	int r;

	*ret_why = "cannot find the user to run as";
	if (root) {
		r = find_user(s->user, &uid, &gid);
		if (r < 0 && s->user)
			return r;
		change_user = r == 0;
		if (!change_user)
			log_warning(0, "there is no user " DEFAULT_USER "; staying root");
	}
	set_limits();

	if (root) {
		r = leave_file_system();
		/* the unit or the container we run in may forbid it; Landlock is left */
		if (r < 0)
			log_warning(r, "cannot leave the file system behind: %m");
	}
	if (change_user) {
		*ret_why = "cannot change to the worker's user";
		if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
		    setresuid(uid, uid, uid) < 0)
			return -errno;
	}

	*ret_why = "cannot drop capabilities";
	r = drop_capabilities();
	if (r < 0)
		return r;

	*ret_why = "cannot set process attributes";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	if (getppid() != parent)
		return -ECANCELED; /* the broker died before it could take us along */

	*ret_why = "cannot enter Landlock";
	r = enter_landlock();
	if (r < 0)
		return r;
	if (s->seccomp) {
		*ret_why = "cannot enter seccomp";
		r = enter_seccomp();
		if (r < 0)
			return r;
	}
	return 0;
}
