// SPDX-License-Identifier: GPL-2.0-or-later
/* Steps that change what is on an interface or belongs to it: addresses, filters, rules, files. */
#include <errno.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/barrier.h"
#include "xenpv/bridge/files.h"
#include "xenpv/bridge/plan.h"

/* sysctl */

static void describe_sysctl(const struct step *step, char *ret, size_t size)
{
	snprintf(ret, size, "set net.%s.conf.%s.%s to %s", step->family, step->dev, step->text,
		 step->content);
}

static int apply_sysctl(struct step *step, struct rtnl *rt)
{
	(void)rt;
	return sysctl_write(step->family, step->dev, step->text, step->content);
}

static int undo_sysctl(struct step *step, struct rtnl *rt)
{
	(void)rt;
	return sysctl_write(step->family, step->dev, step->text, step->old_content);
}

static const struct step_ops sysctl_ops = { describe_sysctl, apply_sysctl, undo_sysctl };

void plan_sysctl(struct plan *plan, const char *family, const char *dev, const char *key,
		 const char *value, const char *old)
{
	struct step *step;

	if (!strcmp(value, old))
		return;
	step = plan_append(plan, &sysctl_ops, dev);
	step->family = family;
	step->text = plan_copy(plan, key);
	step->content = plan_copy(plan, value);
	step->old_content = plan_copy(plan, old);
}

/* addresses, routes and neighbours of the host */

static void describe_give(const struct step *step, char *ret, size_t size)
{
	snprintf(ret, size, "give %s dom0's addresses and routes (%zu)", step->dev,
		 step->addressing->n);
}

static int give(struct step *step, struct rtnl *rt)
{
	int index = step_index(step->dev);

	return index < 0 ? index : addressing_give(rt, step->addressing, index);
}

static int take_away(struct step *step, struct rtnl *rt)
{
	int index = step_index(step->dev);

	return index < 0 ? index : addressing_take_away(rt, step->addressing, index);
}

static const struct step_ops give_ops = { describe_give, give, take_away, true };

void plan_give(struct plan *plan, const char *dev, const struct addressing *a)
{
	if (a->n > 0)
		plan_append(plan, &give_ops, dev)->addressing = a;
}

static void describe_take_away(const struct step *step, char *ret, size_t size)
{
	snprintf(ret, size, "remove the addresses of %s", step->dev);
}

/* Those that were not taken away yet are, so that all are there in their order again. */
static int undo_take_away(struct step *step, struct rtnl *rt)
{
	int r = step->value ? take_away(step, rt) : 0;

	return r < 0 || !step->value ? r : give(step, rt);
}

static const struct step_ops take_away_ops = { describe_take_away, take_away, undo_take_away,
					       true };

void plan_take_away(struct plan *plan, const char *dev, const struct addressing *a, bool restore)
{
	struct step *step;

	if (a->n == 0)
		return;
	step = plan_append(plan, &take_away_ops, dev);
	step->addressing = a;
	step->value = restore;
}

static void describe_address(const struct step *step, char *ret, size_t size)
{
	snprintf(ret, size, "give %s the address %s", step->dev, step->text);
}

static int apply_address(struct step *step, struct rtnl *rt)
{
	int index = step_index(step->dev), r;
	struct ifaddrmsg *ifa;
	struct rtnl_msg msg;
	struct ip ip;

	if (index < 0)
		return index;
	r = ip_parse(step->text, &ip);
	if (r < 0)
		return r;
	ifa = rtnl_msg_init(&msg, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*ifa));
	ifa->ifa_family = ip.family;
	ifa->ifa_prefixlen = ip.prefix;
	ifa->ifa_index = (uint32_t)index;
	mnl_attr_put(&msg.header, IFA_LOCAL, ip_size(&ip), ip.byte);
	mnl_attr_put(&msg.header, IFA_ADDRESS, ip_size(&ip), ip.byte);
	if (ip.family == AF_INET && ip.prefix < 31) {
		struct ip broadcast = ip_broadcast(&ip);

		mnl_attr_put(&msg.header, IFA_BROADCAST, ip_size(&ip), broadcast.byte);
	}
	return rtnl_change(rt, &msg);
}

/* The interface is new and goes away as a whole. */
static const struct step_ops address_ops = { describe_address, apply_address, NULL };

void plan_address(struct plan *plan, const char *dev, const char *text)
{
	plan_append(plan, &address_ops, dev)->text = plan_copy(plan, text);
}

/* filters */

static void describe_qdisc(const struct step *step, char *ret, size_t size)
{
	snprintf(ret, size, "%s %s for filters", step->value ? "prepare" : "no longer prepare",
		 step->dev);
}

static int set_qdisc(struct step *step, struct rtnl *rt, bool add)
{
	int index = step_index(step->dev);

	if (index < 0)
		return add ? index : 0;
	return add ? guard_qdisc(rt, index) : guard_qdisc_remove(rt, index);
}

static int apply_qdisc(struct step *step, struct rtnl *rt)
{
	return set_qdisc(step, rt, step->value);
}

static int undo_qdisc(struct step *step, struct rtnl *rt)
{
	int r = set_qdisc(step, rt, !step->value);

	return r == -EEXIST ? 0 : r;
}

static const struct step_ops qdisc_ops = { describe_qdisc, apply_qdisc, undo_qdisc };

void plan_qdisc(struct plan *plan, const char *dev, bool add)
{
	plan_append(plan, &qdisc_ops, dev)->value = add;
}

static void describe_guard(const struct step *step, char *ret, size_t size)
{
	if (step->mask == GUARD_BRIDGE)
		snprintf(ret, size, "%s dom0's side of %s", step->value ? "close" : "open",
			 step->dev);
	else
		snprintf(ret, size, "%s on %s what is for the bridge itself",
			 step->value ? "drop" : "no longer drop", step->dev);
}

static int set_guard(struct step *step, struct rtnl *rt, bool add)
{
	int index = step_index(step->dev), r;

	if (index < 0)
		return add ? index : 0;
	r = add ? guard_filter(rt, index, (enum guard)step->mask)
		: guard_filter_remove(rt, index, (enum guard)step->mask);
	return r == -EEXIST ? 0 : r;
}

static int apply_guard(struct step *step, struct rtnl *rt)
{
	return set_guard(step, rt, step->value);
}

static int undo_guard(struct step *step, struct rtnl *rt)
{
	return set_guard(step, rt, !step->value);
}

static const struct step_ops guard_ops = { describe_guard, apply_guard, undo_guard, true };

void plan_guard(struct plan *plan, const char *dev, enum guard guard, bool add)
{
	struct step *step = plan_append(plan, &guard_ops, dev);

	step->mask = guard;
	step->value = add;
}

/* routing rules */

static void describe_barrier(const struct step *step, char *ret, size_t size)
{
	snprintf(ret, size, "%s forwarding to and from %s", step->value ? "forbid" : "allow",
		 step->dev);
}

static int set_barrier(struct step *step, struct rtnl *rt, bool add)
{
	_cleanup_free_ struct ip *ips = calloc(step->n + 1, sizeof(*ips));

	if (!ips)
		return -ENOMEM;
	for (size_t i = 0; i < step->n; i++) {
		int r = ip_parse(step->names[i], &ips[i]);

		if (r < 0)
			return r;
	}
	return barrier_set(rt, step->dev, ips, step->n, add);
}

static int apply_barrier(struct step *step, struct rtnl *rt)
{
	return set_barrier(step, rt, step->value);
}

static int undo_barrier(struct step *step, struct rtnl *rt)
{
	return set_barrier(step, rt, !step->value);
}

static const struct step_ops barrier_ops = { describe_barrier, apply_barrier, undo_barrier, true };

void plan_barrier(struct plan *plan, const char *dev, const char *const *addresses, size_t n,
		  bool add)
{
	struct step *step = plan_append(plan, &barrier_ops, dev);

	step->value = add;
	step->names = calloc(n + 1, sizeof(char *));
	if (!step->names) {
		plan->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < n; i++)
		step->names[i] = plan_copy(plan, addresses[i]);
	step->n = n;
}

/* files */

static void describe_file(const struct step *step, char *ret, size_t size)
{
	snprintf(ret, size, "%s %s", step->content ? "write" : "remove", step->text);
}

static int apply_file(struct step *step, struct rtnl *rt)
{
	int r;

	(void)rt;
	r = file_read(step->text, FILE_TEXT_MAX, &step->old_content);
	if (r < 0 && r != -ENOENT && r != -ENOTDIR)
		return r;
	return file_replace(step->text, step->content);
}

static int undo_file(struct step *step, struct rtnl *rt)
{
	(void)rt;
	return file_replace(step->text, step->old_content);
}

static const struct step_ops file_ops = { describe_file, apply_file, undo_file };

void plan_file(struct plan *plan, const char *path, const char *content)
{
	struct step *step = plan_append(plan, &file_ops, "");

	step->text = plan_copy(plan, path);
	if (content)
		step->content = plan_copy(plan, content);
}
