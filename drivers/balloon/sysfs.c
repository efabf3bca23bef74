// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/devices/system/xen_memory/xen_memory0, as the kernel's own balloon has it
 * (Documentation/ABI/stable/sysfs-devices-system-xen_memory), in engine mode.
 */
#include <linux/capability.h>
#include <linux/device.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "balloon.h"

static ssize_t kb_line(char *buf, u64 kb)
{
	return sysfs_emit(buf, "%llu\n", kb);
}

static ssize_t target_kb_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct xbal_backoff backoff;
	struct xbal_report report;

	xbal_snapshot(&report, &backoff);
	return kb_line(buf, report.goal);
}

static ssize_t set_bytes(u64 bytes, size_t count)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (bytes < PAGE_SIZE || bytes > 1ull << 60)
		return -EINVAL;
	xbal_set_target(bytes >> PAGE_SHIFT);
	return count;
}

static ssize_t target_kb_store(struct device *dev, struct device_attribute *attr,
			       const char *buf, size_t count)
{
	u64 kb;
	int err = kstrtou64(buf, 0, &kb);

	if (err)
		return err;
	return kb > 1ull << 50 ? -EINVAL : set_bytes(kb << 10, count);
}
static DEVICE_ATTR_RW(target_kb);

static ssize_t target_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct xbal_backoff backoff;
	struct xbal_report report;

	xbal_snapshot(&report, &backoff);
	return kb_line(buf, report.goal << 10);
}

static ssize_t target_store(struct device *dev, struct device_attribute *attr, const char *buf,
			    size_t count)
{
	char *end;
	u64 bytes = memparse(buf, &end);

	if (end == buf || (*end && *end != '\n'))
		return -EINVAL;
	return set_bytes(bytes, count);
}
static DEVICE_ATTR_RW(target);

#define BACKOFF_SHOW(name, field)							\
	static ssize_t name##_show(struct device *dev, struct device_attribute *attr,	\
				   char *buf)						\
	{										\
		struct xbal_backoff backoff;						\
		struct xbal_report report;						\
											\
		xbal_snapshot(&report, &backoff);					\
		return sysfs_emit(buf, "%u\n", backoff.field);				\
	}

BACKOFF_SHOW(schedule_delay, delay)
static DEVICE_ATTR_RO(schedule_delay);

BACKOFF_SHOW(retry_count, tries)
static DEVICE_ATTR_RO(retry_count);

BACKOFF_SHOW(max_schedule_delay, max)

static ssize_t max_schedule_delay_store(struct device *dev, struct device_attribute *attr,
					const char *buf, size_t count)
{
	u32 seconds;
	int err = kstrtou32(buf, 0, &seconds);

	if (err)
		return err;
	if (!seconds || seconds > 3600)
		return -ERANGE;
	xbal_set_max_delay(seconds);
	return count;
}
static DEVICE_ATTR_RW(max_schedule_delay);

/* There is no last attempt: 0, as the ABI has it. */
static ssize_t max_retry_count_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "0\n");
}

static ssize_t max_retry_count_store(struct device *dev, struct device_attribute *attr,
				     const char *buf, size_t count)
{
	u32 limit;
	int err = kstrtou32(buf, 0, &limit);

	if (err)
		return err;
	return limit ? -EOPNOTSUPP : count;
}
static DEVICE_ATTR_RW(max_retry_count);

static ssize_t scrub_pages_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", xbal_scrub());
}

static ssize_t scrub_pages_store(struct device *dev, struct device_attribute *attr,
				 const char *buf, size_t count)
{
	bool on;
	int err = kstrtobool(buf, &on);

	if (err)
		return err;
	xbal_set_scrub(on);
	return count;
}
static DEVICE_ATTR_RW(scrub_pages);

static struct attribute *balloon_attrs[] = {
	&dev_attr_target_kb.attr,
	&dev_attr_target.attr,
	&dev_attr_schedule_delay.attr,
	&dev_attr_max_schedule_delay.attr,
	&dev_attr_retry_count.attr,
	&dev_attr_max_retry_count.attr,
	&dev_attr_scrub_pages.attr,
	NULL
};

static const struct attribute_group balloon_group = {
	.attrs = balloon_attrs,
};

#define INFO_SHOW(name, value)								\
	static ssize_t name##_show(struct device *dev, struct device_attribute *attr,	\
				   char *buf)						\
	{										\
		struct xbal_backoff backoff;						\
		struct xbal_report report;						\
											\
		xbal_snapshot(&report, &backoff);					\
		return kb_line(buf, value);						\
	}										\
	static DEVICE_ATTR_RO(name)

INFO_SHOW(current_kb, report.current_kb);
INFO_SHOW(low_kb, report.parked);
/* There is no high memory on a 64-bit kernel. */
INFO_SHOW(high_kb, 0);
INFO_SHOW(floor_kb, report.floor);
INFO_SHOW(max_kb, report.max);
INFO_SHOW(superpages, report.blocks);

static struct attribute *info_attrs[] = {
	&dev_attr_current_kb.attr,
	&dev_attr_low_kb.attr,
	&dev_attr_high_kb.attr,
	&dev_attr_floor_kb.attr,
	&dev_attr_max_kb.attr,
	&dev_attr_superpages.attr,
	NULL
};

static const struct attribute_group info_group = {
	.name = "info",
	.attrs = info_attrs,
};

static const struct attribute_group *groups[] = {
	&balloon_group,
	&info_group,
	NULL
};

static struct bus_type subsystem = {
	.name = "xen_memory",
	.dev_name = "xen_memory",
};

static void release(struct device *dev)
{
}

static struct device device = {
	.bus = &subsystem,
	.groups = groups,
	.release = release,
};

/**
 * xbal_sysfs_init - make the files; they stay until the machine stops
 *
 * Return: 0 or a negative errno; -EEXIST when the kernel's own balloon has them.
 */
int xbal_sysfs_init(void)
{
	int err = subsys_system_register(&subsystem, NULL);

	if (err)
		return err;
	err = device_register(&device);
	if (err) {
		put_device(&device);
		bus_unregister(&subsystem);
	}
	return err;
}
