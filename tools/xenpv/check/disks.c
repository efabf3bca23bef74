// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "xenpv/check/rules.h"
#include "xenpv/config/sizing.h"

/* xend's limit; xenpv-backendd's is PATH_MAX. */
#define PATH_LENGTH_MAX 125

#define REPORT(severity, fmt, ...)                                                                 \
	DOMCFG_REPORT(d, severity, s->line, "disk[%zu]: " fmt, i, ##__VA_ARGS__)

static bool starts(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static bool ends(const char *text, const char *with)
{
	size_t n = strlen(text), k = strlen(with);

	return n >= k && !strcmp(text + n - k, with);
}

/* hda system, hdb kick-start file, hdc CD, xvdb to xvdp data. */
static void check_name(const struct domcfg *d, size_t i, struct findings *findings)
{
	const struct diskspec *s = &d->disk[i];

	if (!s->has_name) {
		REPORT(SEVERITY_ERROR,
		       "%.40s is no name of a virtual disk; take hda, hdc (CD) or xvdb to xvdp",
		       s->vdev);
		return;
	}
	/* xl makes a CD read-only by itself; what xm's form lacks is said elsewhere */
	if (s->cdrom && s->access != DISK_READONLY && s->access != DISK_ACCESS_NONE)
		REPORT(SEVERITY_ERROR, "the CD %s has to be read-only; write r", s->vdev);
	if (s->name.partition)
		REPORT(SEVERITY_WARNING, "%s is a partition; give the guest a whole disk", s->vdev);
	if (!d->hvm) {
		if (s->name.kind != VDEV_XVD)
			REPORT(SEVERITY_WARNING,
			       "%s: without an emulated one, a disk is called xvda to xvdp",
			       s->vdev);
		return;
	}
	if (s->name.kind == VDEV_HD && s->name.disk <= 2) {
		if (s->name.disk == 2 && !s->cdrom)
			REPORT(SEVERITY_WARNING, "hdc is for a CD; write hdc:cdrom, or take xvdb "
						 "to xvdp");
		else if (s->name.disk != 2 && s->cdrom)
			REPORT(SEVERITY_WARNING, "%s is not for a CD; take hdc", s->vdev);
		return;
	}
	if (s->name.kind != VDEV_XVD || s->name.disk < 1 || s->name.disk > 15)
		REPORT(SEVERITY_WARNING, "%s: names to use are hda, hdb, hdc and xvdb to xvdp",
		       s->vdev);
}

/* What kind of thing the words say it is, against what it looks like or is. */
static void check_kind(const struct domcfg *d, size_t i, const struct path_facts *facts,
		       struct findings *findings)
{
	const struct diskspec *s = &d->disk[i];
	bool device = starts(s->target, "/dev/"), image = !device;

	if (facts) {
		device = facts->kind == PATH_BLOCK;
		image = facts->kind == PATH_FILE;
	}
	switch (s->prefix) {
	case DISK_PHY:
		if (image)
			REPORT(SEVERITY_WARNING,
			       "phy: is for devices; %.125s is an image file, write tap:aio:",
			       s->target);
		break;
	case DISK_TAP:
		if (device)
			REPORT(SEVERITY_WARNING,
			       "%s is for image files; %.125s is a device, write phy:",
			       s->prefix_text, s->target);
		break;
	case DISK_FILE:
		if (!s->cdrom)
			REPORT(SEVERITY_WARNING, "file: is for CD images; write tap:aio:");
		break;
	case DISK_OTHER:
		REPORT(SEVERITY_ERROR,
		       "%s is no kind of disk; write phy: or tap:aio:", s->prefix_text);
		break;
	case DISK_BARE:
		break;
	}
}

static void check_path(const struct domcfg *d, size_t i, const struct path_facts *facts,
		       struct findings *findings)
{
	const struct diskspec *s = &d->disk[i];
	size_t n = strlen(s->target);

	if (n > PATH_LENGTH_MAX)
		REPORT(SEVERITY_WARNING,
		       "the path has %zu characters, more than %d, which xm and virsh do not take",
		       n, PATH_LENGTH_MAX);
	if (s->target[0] != '/') {
		REPORT(SEVERITY_ERROR, "%.125s is no absolute path; begin it with /", s->target);
		return;
	}
	if (starts(s->target, "/dev/sd") || starts(s->target, "/dev/hd")) {
		if (facts && facts->lasting[0])
			REPORT(SEVERITY_WARNING,
			       "%s may be another disk after a fault or a boot; write %s",
			       s->target, facts->lasting);
		else
			REPORT(SEVERITY_WARNING,
			       "%s may be another disk after a fault or a boot; write its name in "
			       "/dev/disk/by-id (disk arrays) or /dev/disk/by-path",
			       s->target);
	}
	if (facts && facts->kind == PATH_MISSING) {
		REPORT(SEVERITY_ERROR, "%.125s does not exist; create it before the guest starts",
		       s->target);
		return;
	}
	if ((facts && facts->kind == PATH_NULL) || !strcmp(s->target, "/dev/null")) {
		REPORT(SEVERITY_ERROR, "%.125s holds nothing; name a device or a file", s->target);
		return;
	}
	if (facts && facts->kind == PATH_OTHER) {
		REPORT(SEVERITY_ERROR, "%.125s is neither a block device nor a file", s->target);
		return;
	}
	if (facts && facts->used[0])
		REPORT(SEVERITY_ERROR, "%.125s is in use in dom0: %s; free it first", s->target,
		       facts->used);
	check_kind(d, i, facts, findings);
}

static void check_one(const struct domcfg *d, size_t i, const struct check_host *host,
		      struct findings *findings)
{
	const struct diskspec *s = &d->disk[i];
	struct path_facts facts;
	bool known = false;

	check_name(d, i, findings);
	if (s->access == DISK_ACCESS_WRONG)
		REPORT(SEVERITY_ERROR, "\"%.20s\" is no access; write r or w", s->access_text);
	else if (s->access == DISK_ACCESS_NONE && s->xm_form)
		REPORT(SEVERITY_ERROR, "it has no access; add r or w");
	if (s->shared)
		REPORT(SEVERITY_WARNING,
		       "%s lets others write to it at the same time; only a cluster file system "
		       "survives that",
		       s->access_text);
	if (s->no_target)
		REPORT(SEVERITY_ERROR,
		       "xl does not take it without a comma before it; write \",%s:cdrom,r\"",
		       s->vdev);
	if (s->scripted || s->elsewhere)
		return; /* not a path of this host */
	if (!*s->target) {
		if (!s->cdrom)
			REPORT(SEVERITY_ERROR, "%s has no device and no file; name one", s->vdev);
		return;
	}
	if (!strcmp(s->target, "/dev/null") && s->cdrom)
		return; /* an empty drive */
	if (host->identify)
		known = host->identify(host->userdata, s->target, &facts) >= 0;
	check_path(d, i, known ? &facts : NULL, findings);
}

/* IDE and Xen names of the same letter are one name in a guest. */
static bool same_name(const struct vdev *a, const struct vdev *b)
{
	return a->disk == b->disk && a->kind != b->kind && a->kind != VDEV_SD &&
	       b->kind != VDEV_SD && a->kind != VDEV_NUMBERED && b->kind != VDEV_NUMBERED &&
	       a->partition == b->partition;
}

static void check_names(const struct domcfg *d, struct findings *findings)
{
	bool system = false;
	size_t n = 0;

	for (size_t i = 0; i < d->n_disks; i++) {
		const struct diskspec *s = &d->disk[i];

		n += !s->cdrom;
		system = system || (!s->cdrom && s->has_name && s->name.disk == 0);
		if (n == SIZING_GUEST_VBDS_MAX + 1 && !s->cdrom)
			REPORT(SEVERITY_ERROR, "it is VBD number %zu, and a guest may have %d", n,
			       SIZING_GUEST_VBDS_MAX);
		for (size_t k = 0; k < i; k++) {
			const struct diskspec *other = &d->disk[k];

			if (!strcmp(other->vdev, s->vdev)) {
				REPORT(SEVERITY_ERROR,
				       "%s is the name of disk[%zu] (line %u), too; take another",
				       s->vdev, k, other->line);
				break;
			}
			if (s->has_name && other->has_name && !s->cdrom && !other->cdrom &&
			    same_name(&s->name, &other->name)) {
				REPORT(SEVERITY_WARNING,
				       "a Linux guest gives %s and %s (line %u) the same name; "
				       "take another letter",
				       s->vdev, other->vdev, other->line);
				break;
			}
		}
	}
	if (d->hvm && d->n_disks > 0 && !system)
		DOMCFG_REPORT(d, SEVERITY_WARNING, d->disk[0].line,
			      "no disk is hda, the system volume of an HVM guest");
}

void check_disks(const struct domcfg *d, const struct check_host *host, struct findings *findings)
{
	for (size_t i = 0; i < d->n_disks; i++)
		check_one(d, i, host, findings);
	check_names(d, findings);
}

/* Sharing, over all guests. */

struct use {
	const struct domcfg *domain;
	const struct diskspec *disk;
	size_t number;
	bool known;
	struct path_facts facts;
};

static bool in_dev(const char *path)
{
	return starts(path, "/dev/");
}

/* Is @part a partition of @disk, by their names alone? */
static bool part_of(const char *part, const char *disk)
{
	size_t n = strlen(disk);
	const char *rest = part + n;

	if (!in_dev(part) || strncmp(part, disk, n) != 0 || !*rest)
		return false;
	if (starts(rest, "-part"))
		return rest[5] && !rest[5 + strspn(rest + 5, "0123456789")];
	if (ends(disk, "/") || strstr(disk, "/mapper/") || strstr(disk, "/disk/"))
		return false;
	if (strspn(disk + n - 1, "0123456789") && *rest++ != 'p') /* nvme0n1p2 */
		return false;
	return *rest && !rest[strspn(rest, "0123456789")] &&
	       (starts(disk, "/dev/sd") || starts(disk, "/dev/hd") || starts(disk, "/dev/xvd") ||
		starts(disk, "/dev/vd") || starts(disk, "/dev/nvme"));
}

enum overlap {
	APART,
	SAME,
	PARTITION, /* one is a part of the other */
};

static enum overlap overlap(const struct use *a, const struct use *b)
{
	const char *x = a->disk->target, *y = b->disk->target;

	if (a->known && b->known && a->facts.kind == b->facts.kind) {
		const struct path_facts *f = &a->facts, *g = &b->facts;

		if (f->kind == PATH_FILE)
			return f->dev == g->dev && f->ino == g->ino ? SAME : APART;
		if (f->kind == PATH_BLOCK && f->dev == g->dev)
			return SAME;
		if (f->kind == PATH_BLOCK)
			return f->whole == g->dev || g->whole == f->dev ? PARTITION : APART;
	}
	if (!strcmp(x, y))
		return SAME;
	return part_of(x, y) || part_of(y, x) ? PARTITION : APART;
}

/* xl makes a CD read-only by itself. */
static bool writes_to(const struct diskspec *s)
{
	return s->access != DISK_READONLY && !(s->cdrom && s->access == DISK_ACCESS_NONE);
}

static void report_overlap(const struct use *a, const struct use *b, enum overlap how,
			   struct findings *findings)
{
	bool writes = writes_to(a->disk) || writes_to(b->disk);
	bool vouched = a->disk->shared && b->disk->shared;
	char what[200] = "is also";

	if (a->disk->cdrom && b->disk->cdrom && !in_dev(b->disk->target))
		return; /* an image that nobody writes to */
	if (!writes && !(a->disk->cdrom && b->disk->cdrom && a->domain != b->domain))
		return;
	if (!writes) {
		DOMCFG_REPORT(b->domain, SEVERITY_WARNING, b->disk->line,
			      "disk[%zu]: the drive %.125s is that of %s (%s:%u), too; one guest "
			      "at a time may use it",
			      b->number, b->disk->target, a->domain->name, a->domain->file,
			      a->disk->line);
		return;
	}
	if (vouched)
		return; /* each has got a warning */
	if (how == PARTITION)
		snprintf(what, sizeof(what), "overlaps %.125s, which is", a->disk->target);
	DOMCFG_REPORT(b->domain, SEVERITY_ERROR, b->disk->line,
		      "disk[%zu]: %.125s %s disk[%zu] of %s (%s:%u): writing to one may destroy "
		      "the data of the other; take another",
		      b->number, b->disk->target, what, a->number, a->domain->name, a->domain->file,
		      a->disk->line);
}

int check_sharing(const struct domcfgs *all, const struct check_host *host,
		  struct findings *findings)
{
	_cleanup_free_ struct use *uses = NULL;
	size_t n = 0, max = 0;

	for (size_t i = 0; i < all->n; i++)
		max += all->item[i].n_disks;
	uses = calloc(max + 1, sizeof(*uses));
	if (!uses)
		return -ENOMEM;
	for (size_t i = 0; i < all->n; i++) {
		for (size_t k = 0; k < all->item[i].n_disks; k++) {
			const struct diskspec *s = &all->item[i].disk[k];
			struct use *u = &uses[n];

			if (!*s->target || s->scripted || s->elsewhere ||
			    !strcmp(s->target, "/dev/null"))
				continue;
			*u = (struct use){ .domain = &all->item[i], .disk = s, .number = k };
			if (host->identify)
				u->known =
					host->identify(host->userdata, s->target, &u->facts) >= 0 &&
					u->facts.kind != PATH_MISSING;
			n++;
		}
	}
	for (size_t i = 1; i < n; i++) {
		for (size_t k = 0; k < i; k++) {
			enum overlap how = overlap(&uses[k], &uses[i]);

			if (how == APART)
				continue;
			report_overlap(&uses[k], &uses[i], how, findings);
			break;
		}
	}
	return findings->error;
}
