// SPDX-License-Identifier: GPL-2.0-only
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "vdev.h"

#define VDEV_EXTENDED_BIT	28
#define MINOR_BITS		20

/*
 * Encodings below 1 << 28: which major number it is, the disk that its minor
 * 0 is, and how many bits of the minor number the partition takes. Majors
 * after the first SCSI one are no longer to be used by toolstacks, but old
 * configurations still carry them.
 */
static const struct {
	u8 major;
	u8 part_bits;
	u16 first_disk;
} legacy[] = {
	{ 202, 4, 0 },			/* xvda to xvdp */
	{ 3, 6, 0 },			/* hda, hdb */
	{ 22, 6, 2 },			/* hdc, hdd */
	{ 8, 4, 0 },			/* sda to sdp */
	{ 65, 4, 16 }, { 66, 4, 32 }, { 67, 4, 48 }, { 68, 4, 64 },
	{ 69, 4, 80 }, { 70, 4, 96 }, { 71, 4, 112 },
	{ 128, 4, 128 }, { 129, 4, 144 }, { 130, 4, 160 }, { 131, 4, 176 },
	{ 132, 4, 192 }, { 133, 4, 208 }, { 134, 4, 224 }, { 135, 4, 240 },
};

/* Places a disk in major 202 the way its xvd number would. */
static void place(struct xvbd_vdev *out, u32 part_bits)
{
	u64 minor = ((u64)out->disk << part_bits) | out->partition;

	out->minors = out->partition ? 1 : 1u << part_bits;
	out->minor = -1;
	if (out->partition >> part_bits)
		return;
	if (minor + out->minors <= 1u << MINOR_BITS)
		out->minor = minor;
}

/**
 * xvbd_vdev_decode - tell which disk or partition a number means
 * @vdev: "virtual-device" of the frontend
 * @out: filled in on success
 *
 * hda and sda are both xvda: a guest is given one of them.
 *
 * Return: 0, or -EINVAL for a number no toolstack may use.
 */
int xvbd_vdev_decode(u32 vdev, struct xvbd_vdev *out)
{
	u32 major = vdev >> 8, minor = vdev & 0xff;
	size_t i;

	memset(out, 0, sizeof(*out));
	if (vdev >> VDEV_EXTENDED_BIT == 1) {
		out->disk = (vdev >> 8) & 0xfffff;
		out->partition = minor;
		place(out, 8);
		return 0;
	}
	if (vdev >> VDEV_EXTENDED_BIT)
		return -EINVAL;

	for (i = 0; i < ARRAY_SIZE(legacy); i++) {
		if (legacy[i].major != major)
			continue;
		/* An IDE channel has two disks. */
		if (legacy[i].part_bits == 6 && minor >= 128)
			return -EINVAL;
		out->disk = legacy[i].first_disk + (minor >> legacy[i].part_bits);
		out->partition = minor & ((1u << legacy[i].part_bits) - 1);
		place(out, 4);
		return 0;
	}
	return -EINVAL;
}

/**
 * xvbd_vdev_name - the disk's name: xvda, xvdz, xvdaa, xvda1
 * @vdev: decoded number
 * @name: receives the name
 * @size: bytes of @name
 *
 * Return: 0 or -ENAMETOOLONG.
 */
int xvbd_vdev_name(const struct xvbd_vdev *vdev, char *name, size_t size)
{
	char letters[8];
	size_t pos = sizeof(letters);
	u64 n = (u64)vdev->disk + 1;
	int len;

	letters[--pos] = '\0';
	do {
		n--;
		letters[--pos] = 'a' + do_div(n, 26);
	} while (n);

	if (vdev->partition)
		len = snprintf(name, size, "xvd%s%u", letters + pos, vdev->partition);
	else
		len = snprintf(name, size, "xvd%s", letters + pos);
	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}
