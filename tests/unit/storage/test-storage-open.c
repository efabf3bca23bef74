/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may open an image beside whom: ourselves, QEMU's own programs, a dead worker's I/O. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "storage/storage.h"

static char dir[64];
static char path[128];
static char error[256];

static int setup(void **state)
{
	_cleanup_close_ int fd = -1;

	(void)state;
	/* not on tmpfs, which knows no O_DIRECT before 6.x */
	snprintf(dir, sizeof(dir), "/var/tmp/test-storage-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/image", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? -1 : ftruncate(fd, 4 << 20);
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static struct storage_params params(uint32_t devid)
{
	return (struct storage_params){ .path = path, .direct = true, .domid = 5, .devid = devid };
}

static int try(const struct storage_params *p, struct storage_image *image)
{
	*error = '\0';
	return storage_open(p, image, error, sizeof(error));
}

static void must_open(const struct storage_params *p, struct storage_image *image)
{
	if (try(p, image) < 0)
		fail_msg("%s", error);
}

static int run(const char *fmt, const char *arg)
{
	char command[512];

	snprintf(command, sizeof(command), fmt, arg);
	return system(command);
}

static bool have(const char *program)
{
	return run("command -v %s >/dev/null", program) == 0;
}

static void test_geometry(void **state)
{
	struct storage_params p = params(1);
	struct storage_image image;

	(void)state;
	p.discard = true;
	must_open(&p, &image);
	assert_int_equal(image.kind, STORAGE_FILE);
	assert_int_equal(image.size, 4 << 20);
	assert_int_equal(image.logical_block, 512);
	assert_int_equal(image.physical_block % 512, 0);
	assert_false(image.is_block);
	assert_true(image.can_discard);
	assert_false(image.can_secure_discard);
	if (image.direct)
		assert_int_equal(image.dio_align, 512);
	assert_int_equal(!!(fcntl(image.fd, F_GETFL) & O_DIRECT), image.direct);
	assert_false(fcntl(image.fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(truncate(path, 8 << 20), 0);
	assert_int_equal(storage_refresh(&image), 0);
	assert_int_equal(image.size, 8 << 20);
	assert_int_equal(truncate(path, 100), 0);
	assert_int_equal(storage_refresh(&image), -EINVAL);
	close(image.fd);
	assert_int_equal(truncate(path, 4 << 20), 0);
}

static void test_exclusive(void **state)
{
	struct storage_params a = params(1), b = params(2);
	struct storage_image first, second;

	(void)state;
	must_open(&a, &first);
	assert_int_equal(try(&b, &second), -EBUSY);
	/* names the path, who has it, and what to do */
	assert_non_null(strstr(error, path));
	assert_non_null(strstr(error, "domain 5, vbd 1"));
	assert_non_null(strstr(error, "w!"));
	b.readonly = true;
	assert_int_equal(try(&b, &second), -EBUSY);
	close(first.fd);
	must_open(&b, &second);
	assert_true(second.readonly);
	close(second.fd);

	/* readers are many, and keep writers away */
	a.readonly = true;
	must_open(&a, &first);
	must_open(&b, &second);
	b.readonly = false;
	b.devid = 3;
	{
		struct storage_image third;

		assert_int_equal(try(&b, &third), -EBUSY);
	}
	close(first.fd);
	close(second.fd);
}

static void test_shared(void **state)
{
	struct storage_params a = params(1), b = params(2), c = params(3);
	struct storage_image first, second, third;

	(void)state;
	a.shared = b.shared = true;
	must_open(&a, &first);
	must_open(&b, &second);
	/* who did not ask for sharing does not get it */
	assert_int_equal(try(&c, &third), -EBUSY);
	close(first.fd);
	close(second.fd);
	/* who did, gets it also beside one that did not know */
	must_open(&c, &third);
	must_open(&a, &first);
	close(first.fd);
	close(third.fd);
}

/* The same disk again, as after a crash: not refused for good, but told to wait. */
static void fence(bool readonly)
{
	struct storage_params p = params(1);
	struct storage_image first, second;
	int copy;

	p.readonly = readonly;
	must_open(&p, &first);
	assert_int_equal(try(&p, &second), -EAGAIN);
	/* as an I/O in flight does, a copy keeps the open file description alive */
	copy = dup(first.fd);
	close(first.fd);
	assert_int_equal(try(&p, &second), -EAGAIN);
	close(copy);
	must_open(&p, &second);
	close(second.fd);

	p.shared = true;
	must_open(&p, &first);
	assert_int_equal(try(&p, &second), -EAGAIN);
	close(first.fd);
}

static void test_fence(void **state)
{
	(void)state;
	fence(false);
	fence(true);
}

/* QEMU's programs and we see each other's locks. */
static void test_qemu(void **state)
{
	struct storage_params p = params(1);
	struct storage_image image;
	char ready;
	FILE *f;

	(void)state;
	if (!have("qemu-io") || !have("qemu-img"))
		skip();
	must_open(&p, &image);
	assert_int_not_equal(run("qemu-img resize -f raw %s +1M >/dev/null 2>&1", path), 0);
	assert_int_not_equal(run("qemu-io -f raw -c 'write 0 4k' %s >/dev/null 2>&1", path), 0);
	close(image.fd);
	assert_int_equal(run("qemu-io -f raw -c 'write 0 4k' %s >/dev/null 2>&1", path), 0);

	/* readers beside readers */
	p.readonly = true;
	must_open(&p, &image);
	assert_int_equal(run("qemu-io -r -f raw -c 'read 0 4k' %s >/dev/null 2>&1", path), 0);
	assert_int_not_equal(run("qemu-io -f raw -c 'write 0 4k' %s >/dev/null 2>&1", path), 0);
	close(image.fd);

	/* the other way round; cat keeps qemu-io waiting for its next command */
	{
		char command[512];

		snprintf(command, sizeof(command),
			 "exec 3>&1; { echo 'read 0 512'; sleep 30 & echo $! >%s.pid; wait; } | "
			 "qemu-io -f raw %s",
			 path, path);
		f = popen(command, "r");
		assert_non_null(f);
		assert_int_equal(fread(&ready, 1, 1, f), 1);
	}
	p.readonly = false;
	{
		struct timespec pause = { .tv_nsec = 10000000 };
		int r = 0;

		/* it prints its prompt before it holds its locks */
		for (int i = 0; i < 500; i++) {
			r = try(&p, &image);
			if (r < 0)
				break;
			close(image.fd);
			nanosleep(&pause, NULL);
		}
		assert_int_equal(r, -EBUSY);
	}
	assert_non_null(strstr(error, "(qemu-io)"));
	run("kill $(cat %s.pid)", path);
	pclose(f);
	run("rm -f %s.pid", path);
	must_open(&p, &image);
	close(image.fd);
}

/* The device model of an HVM guest may have the image until the guest has unplugged it. */
static void test_device_model(void **state)
{
	struct flock used = { .l_type = F_RDLCK, .l_start = 101, .l_len = 1 };
	struct storage_params p = params(1), other = params(2);
	struct storage_image image, second;
	_cleanup_close_ int model = -1;

	(void)state;
	p.exclusion = STORAGE_EXCLUDE_LATER;
	must_open(&p, &image);
	model = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fcntl(model, F_OFD_SETLK, &used) >= 0);
	/* other guests are kept away meanwhile, whatever they are */
	assert_int_equal(try(&other, &second), -EBUSY);
	assert_non_null(strstr(error, "domain 5, vbd 1"));
	other.exclusion = STORAGE_EXCLUDE_BESIDE;
	assert_int_equal(try(&other, &second), -EBUSY);
	other.exclusion = STORAGE_EXCLUDE_LATER;
	assert_int_equal(try(&other, &second), -EBUSY);

	assert_int_equal(storage_exclude(&p, &image), -EBUSY);
	/* the failure left no lock that the model could stumble over */
	used.l_type = F_WRLCK;
	used.l_start = 200;
	used.l_len = 10;
	assert_true(fcntl(model, F_OFD_GETLK, &used) >= 0);
	assert_int_equal(used.l_type, F_UNLCK);
	close_fd(&model);
	assert_int_equal(storage_exclude(&p, &image), 0);
	used = (struct flock){ .l_type = F_WRLCK, .l_start = 200, .l_len = 10 };
	model = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fcntl(model, F_OFD_GETLK, &used) >= 0);
	assert_int_equal(used.l_type, F_RDLCK);
	close(image.fd);

	/* somebody else is refused at once, unless it may be the model */
	used = (struct flock){ .l_type = F_RDLCK, .l_start = 101, .l_len = 1 };
	assert_true(fcntl(model, F_OFD_SETLK, &used) >= 0);
	assert_int_equal(try(&p, &image), -EBUSY);
	p.exclusion = STORAGE_EXCLUDE_BESIDE;
	must_open(&p, &image);
	close(image.fd);
}

static void test_refusals(void **state)
{
	struct storage_params p = params(1);
	struct storage_image image;
	char longer[5000];

	(void)state;
	p.path = "/var/tmp/there-is-no-such-image";
	assert_int_equal(try(&p, &image), -ENOENT);
	assert_non_null(strstr(error, p.path));
	p.path = "relative/image";
	assert_int_equal(try(&p, &image), -EINVAL);
	p.path = "/dev/null";
	assert_int_equal(try(&p, &image), -EINVAL);
	p.path = "/";
	assert_int_equal(try(&p, &image), -EINVAL);
	memset(longer, 'x', sizeof(longer));
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	p.path = longer;
	assert_int_equal(try(&p, &image), -ENAMETOOLONG);
	assert_true(strlen(error) < sizeof(error));
	assert_non_null(strstr(error, "4095"));

	p.path = path;
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(try(&p, &image), -EINVAL);
	assert_non_null(strstr(error, "empty"));
	assert_int_equal(truncate(path, 4 << 20), 0);
}

/* An unreadable path: only for who is not root. */
static void test_permission(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	pid = fork();
	if (!pid) {
		struct storage_params p = params(1);
		struct storage_image image;

		if (chmod(dir, 0755) < 0 || setuid(65534) < 0)
			_exit(2);
		_exit(try(&p, &image) == -EACCES && strstr(error, path) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* A loop device stands for every block device. */
static void test_block_device(void **state)
{
	_cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	struct loop_config config = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	_cleanup_close_ int backing = -1, loop = -1;
	struct storage_params p = params(1), other = params(2);
	struct storage_image image, second;
	char device[32];
	int number, fd;

	(void)state;
	if (control < 0)
		skip();
	number = ioctl(control, LOOP_CTL_GET_FREE);
	snprintf(device, sizeof(device), "/dev/loop%d", number);
	loop = open(device, O_RDWR | O_CLOEXEC);
	backing = open(path, O_RDWR | O_CLOEXEC);
	config.fd = (uint32_t)backing;
	if (number < 0 || loop < 0 || ioctl(loop, LOOP_CONFIGURE, &config) < 0)
		skip();

	p.path = other.path = device;
	p.discard = true;
	must_open(&p, &image);
	assert_true(image.is_block);
	assert_int_equal(image.size, 4 << 20);
	assert_int_equal(try(&other, &second), -EBUSY);
	assert_non_null(strstr(error, "domain 5, vbd 1"));
	/* the kernel's own claim: mount, mkfs and device mapper are kept away */
	fd = open(device, O_RDWR | O_EXCL | O_CLOEXEC);
	assert_true(fd < 0 && errno == EBUSY);
	assert_int_equal(try(&p, &second), -EAGAIN);
	close(image.fd);

	fd = open(device, O_RDWR | O_EXCL | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(try(&p, &second), -EBUSY);
	p.shared = true;
	must_open(&p, &image);
	close(image.fd);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_geometry),     cmocka_unit_test(test_exclusive),
		cmocka_unit_test(test_shared),       cmocka_unit_test(test_fence),
		cmocka_unit_test(test_qemu),         cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_permission),   cmocka_unit_test(test_block_device),
		cmocka_unit_test(test_device_model),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
