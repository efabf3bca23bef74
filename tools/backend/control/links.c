// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/links.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/guest.h"
#include "control/tap.h"
#include "control/vif.h"
#include "lib/cleanup.h"
#include "lib/log.h"

struct found {
	uint32_t domid, devid;
	int index;
};

struct links {
	struct rtnl *rt, *events;
	sd_event_source *io;
	struct found *found; /* taps at the start that no device has taken yet */
	size_t n_found;
};

struct rtnl *links_rtnl(struct broker *b)
{
	return b->links->rt;
}

typedef void (*vif_fn)(struct vif *vif, const void *arg);

static void for_each_vif(struct broker *b, vif_fn fn, const void *arg)
{
	for (unsigned int i = 0; i < BROKER_GUEST_BUCKETS; i++) {
		struct guest *g;

		LIST_FOREACH (g, &b->guests[i], link) {
			struct device *dev;

			LIST_FOREACH (dev, &g->devices, in_guest)
				if (dev->class == &vif_class)
					fn(to_vif(dev), arg);
		}
	}
}

static void on_new_link(struct vif *vif, const void *arg)
{
	const struct tap_link *link = arg;

	if (vif->tap.index == link->index)
		vif_link_changed(vif, link);
}

static void on_lost_link(struct vif *vif, const void *arg)
{
	const struct tap_link *link = arg;

	if (vif->tap.index == link->index)
		vif_link_gone(vif);
}

static int on_message(const struct nlmsghdr *nlh, void *userdata)
{
	struct broker *b = userdata;
	struct tap_link link;

	if (tap_link_parse(nlh, &link) < 0)
		return 0;
	/* Bridges tell of their ports' ends in the same words, of a family of their own. */
	if (((const struct ifinfomsg *)mnl_nlmsg_get_payload(nlh))->ifi_family != AF_UNSPEC)
		return 0;
	for_each_vif(b, nlh->nlmsg_type == RTM_NEWLINK ? on_new_link : on_lost_link, &link);
	return 0;
}

/* Some events are lost: ask. */
static void look_again(struct vif *vif, const void *arg)
{
	struct tap_link link;
	int r;

	(void)arg;
	if (vif->tap.index == 0)
		return;
	r = tap_get(links_rtnl(vif->dev.broker), vif->tap.index, NULL, &link);
	if (r == -ENODEV)
		vif_link_gone(vif);
	else if (r >= 0)
		vif_link_changed(vif, &link);
}

/* Messages taken per turn of the loop, so that a storm of them starves nobody. */
#define RECEIVE_BURST 64

static int on_events(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct broker *b = userdata;

	(void)s;
	(void)fd;
	(void)revents;
	for (unsigned int i = 0; i < RECEIVE_BURST; i++) {
		int r = rtnl_receive(b->links->events, on_message, b);

		if (r == -EAGAIN)
			return 0;
		if (r == -ENOBUFS) {
			for_each_vif(b, look_again, NULL);
		} else if (r < 0 && r != -EINTR) {
			log_warning(r, "cannot read events of network interfaces: %m");
			return 0;
		}
	}
	return 0;
}

static int on_found(const struct nlmsghdr *nlh, void *userdata)
{
	struct links *links = userdata;
	struct tap_link link;
	struct found *more, f;

	if (tap_link_parse(nlh, &link) < 0 || !tap_alias_parse(link.alias, &f.domid, &f.devid))
		return 0;
	f.index = link.index;
	more = reallocarray(links->found, links->n_found + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	links->found = more;
	links->found[links->n_found++] = f;
	return 0;
}

static int find_taps(struct links *links)
{
	struct ifinfomsg *ifi;
	struct rtnl_msg msg;
	int r = -EINTR;

	for (unsigned int i = 0; i < RTNL_DUMP_TRIES && r == -EINTR; i++) {
		links->n_found = 0;
		ifi = rtnl_msg_init(&msg, RTM_GETLINK, 0, sizeof(*ifi));
		ifi->ifi_family = AF_UNSPEC;
		r = rtnl_dump(links->rt, &msg, on_found, links);
	}
	return r;
}

int links_start(struct broker *b)
{
	static const unsigned int groups[] = { RTNLGRP_LINK };
	struct links *links;
	int r;

	if (!b->options.vif)
		return 0;
	links = calloc(1, sizeof(*links));
	if (!links) {
		log_error(-ENOMEM, "cannot look at network interfaces: %m");
		return -ENOMEM;
	}
	b->links = links;
	/* Events first: what changes during the dump is told twice rather than never. */
	if ((r = rtnl_open_events(groups, ELEMENTSOF(groups), &links->events)) < 0 ||
	    (r = rtnl_open(&links->rt)) < 0 || (r = find_taps(links)) < 0 ||
	    (r = sd_event_add_io(b->event, &links->io, rtnl_fd(links->events), EPOLLIN, on_events,
				 b)) < 0)
		log_error(r, "cannot look at network interfaces over rtnetlink: %m");
	return r < 0 ? r : 0;
}

void links_stop(struct broker *b)
{
	struct links *links = b->links;

	if (!links)
		return;
	sd_event_source_disable_unref(links->io);
	rtnl_close(links->events);
	rtnl_close(links->rt);
	free(links->found);
	free(links);
	b->links = NULL;
}

int links_take(struct broker *b, uint32_t domid, uint32_t devid)
{
	struct links *links = b->links;

	for (size_t i = 0; i < links->n_found; i++) {
		struct found *f = &links->found[i];
		int index = f->index;

		if (f->domid != domid || f->devid != devid)
			continue;
		*f = links->found[--links->n_found];
		return index;
	}
	return 0;
}

void links_scan_over(struct broker *b)
{
	struct links *links = b->links;

	if (!links)
		return;
	for (size_t i = 0; i < links->n_found; i++) {
		const struct found *f = &links->found[i];
		uint32_t domid, devid;
		struct tap_link link;

		/* The index may have gone to another since the start. */
		if (tap_get(links->rt, f->index, NULL, &link) < 0 ||
		    !tap_alias_parse(link.alias, &domid, &devid) || domid != f->domid ||
		    devid != f->devid)
			continue;
		log_notice("removing %s, which was the tap of interface %u of domain %u", link.name,
			   devid, domid);
		tap_remove(links->rt, f->index);
	}
	links->n_found = 0;
}
