// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/addressing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

/*
 * Of one address, neighbour or route, so that the request that makes it again fits into
 * struct rtnl_msg. Only a route with a hundred gateways is larger.
 */
#define MESSAGE_MAX 2048

/* A gateway is reached over a route that has to be there first; that route may have one, too. */
#define ROUTE_PASSES 4

/* What may be asked for of the flags that an address shows. */
#define KEPT_ADDRESS_FLAGS                                                                         \
	(IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE |            \
	 IFA_F_MCAUTOJOIN)

void addressing_clear(struct addressing *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->item[i]);
	free(a->item);
	*a = (struct addressing){ 0 };
}

static int keep(struct addressing *a, const struct nlmsghdr *nlh)
{
	struct nlmsghdr **item, *copy;

	if (nlh->nlmsg_len > MESSAGE_MAX)
		return -EMSGSIZE;
	item = reallocarray(a->item, a->n + 1, sizeof(struct nlmsghdr *));
	if (!item)
		return -ENOMEM;
	a->item = item;
	copy = malloc(nlh->nlmsg_len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, nlh, nlh->nlmsg_len);
	item[a->n++] = copy;
	return 0;
}

struct load {
	struct addressing *into;
	int index;
	const char *name;
	struct problem *problem;
};

static const struct nlattr *find(const struct nlmsghdr *nlh, size_t header, uint16_t type)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, header)
	{
		if (mnl_attr_get_type(attr) == type)
			return attr;
	}
	return NULL;
}

static uint32_t find_u32(const struct nlmsghdr *nlh, size_t header, uint16_t type, uint32_t absent)
{
	const struct nlattr *attr = find(nlh, header, type);

	return attr && mnl_attr_get_payload_len(attr) == sizeof(uint32_t) ? mnl_attr_get_u32(attr)
									  : absent;
}

static uint32_t address_flags(const struct nlmsghdr *nlh)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);

	return find_u32(nlh, sizeof(*ifa), IFA_FLAGS, ifa->ifa_flags);
}

static int load_address(const struct nlmsghdr *nlh, void *userdata)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	const struct load *load = userdata;

	if (nlh->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifa) ||
	    (int)ifa->ifa_index != load->index)
		return 0;
	/* IFA_F_TEMPORARY is IFA_F_SECONDARY of IPv4 */
	if (ifa->ifa_family == AF_INET6 && (address_flags(nlh) & IFA_F_TEMPORARY))
		return 0;
	return keep(load->into, nlh);
}

static int load_neighbour(const struct nlmsghdr *nlh, void *userdata)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	const struct load *load = userdata;

	if (nlh->nlmsg_type != RTM_NEWNEIGH || mnl_nlmsg_get_payload_len(nlh) < sizeof(*ndm) ||
	    ndm->ndm_ifindex != load->index || !(ndm->ndm_state & NUD_PERMANENT) ||
	    (ndm->ndm_family != AF_INET && ndm->ndm_family != AF_INET6))
		return 0;
	return keep(load->into, nlh);
}

static void format_destination(const struct nlmsghdr *nlh, char *ret, size_t size)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *dst = find(nlh, sizeof(*rtm), RTA_DST);
	char text[INET6_ADDRSTRLEN];
	size_t need = rtm->rtm_family == AF_INET ? 4 : 16;

	if (!dst || mnl_attr_get_payload_len(dst) < need ||
	    !inet_ntop(rtm->rtm_family, mnl_attr_get_payload(dst), text, sizeof(text)))
		snprintf(ret, size, "default");
	else
		snprintf(ret, size, "%s/%u", text, rtm->rtm_dst_len);
}

/* How many nexthops a multipath route has, and how many of them go through @index. */
static void count_nexthops(const struct nlattr *multipath, int index, int *ret_all, int *ret_ours)
{
	const struct rtnexthop *nh = mnl_attr_get_payload(multipath);
	int left = mnl_attr_get_payload_len(multipath);

	*ret_all = *ret_ours = 0;
	while (RTNH_OK(nh, left)) {
		*ret_all += 1;
		*ret_ours += nh->rtnh_ifindex == index;
		left -= RTNH_ALIGN(nh->rtnh_len);
		nh = RTNH_NEXT(nh);
	}
}

static int load_route(const struct nlmsghdr *nlh, void *userdata)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct load *load = userdata;
	const struct nlattr *multipath;
	int all = 1, ours = 0;
	char destination[64];
	int r;

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm) ||
	    (rtm->rtm_flags & RTM_F_CLONED) ||
	    find_u32(nlh, sizeof(*rtm), RTA_TABLE, rtm->rtm_table) == RT_TABLE_LOCAL)
		return 0;
	multipath = find(nlh, sizeof(*rtm), RTA_MULTIPATH);
	if (multipath)
		count_nexthops(multipath, load->index, &all, &ours);
	else
		ours = find_u32(nlh, sizeof(*rtm), RTA_OIF, 0) == (uint32_t)load->index;
	if (ours == 0)
		return 0;
	format_destination(nlh, destination, sizeof(destination));
	if (all != ours)
		return problem_set(load->problem, EXIT_REFUSED, -EOPNOTSUPP,
				   "%s: the route to %s goes through other interfaces, too, and "
				   "cannot be moved; remove it first",
				   load->name, destination);
	if (find_u32(nlh, sizeof(*rtm), RTA_NH_ID, 0))
		return problem_set(load->problem, EXIT_REFUSED, -EOPNOTSUPP,
				   "%s: the route to %s uses a nexthop object, which would go with "
				   "the interface; replace it by a plain route first",
				   load->name, destination);
	r = keep(load->into, nlh);
	if (r == -EMSGSIZE)
		return problem_set(load->problem, EXIT_REFUSED, r,
				   "%s: the route to %s has too many gateways to be moved; "
				   "replace it by one with fewer first",
				   load->name, destination);
	return r;
}

int addressing_load(struct rtnl *rt, int index, const char *name, struct addressing *ret,
		    struct problem *p)
{
	static const struct {
		uint16_t type;
		uint8_t family;
		rtnl_fn fn;
	} kinds[] = {
		{ RTM_GETADDR, AF_INET, load_address },
		{ RTM_GETADDR, AF_INET6, load_address },
		{ RTM_GETNEIGH, AF_UNSPEC, load_neighbour },
		{ RTM_GETROUTE, AF_INET, load_route },
		{ RTM_GETROUTE, AF_INET6, load_route },
	};
	struct load load = { .into = ret, .index = index, .name = name, .problem = p };
	int r = -EINTR;

	p->text[0] = '\0';
	for (int try = 0; try < RTNL_DUMP_TRIES && r == -EINTR; try++) {
		addressing_clear(ret);
		r = 0;
		for (size_t i = 0; i < ELEMENTSOF(kinds) && r >= 0; i++) {
			struct rtnl_msg msg;
			uint8_t *family;

			/* struct ndmsg is the largest of the headers; all begin with the family */
			family = rtnl_msg_init(&msg, kinds[i].type, 0, sizeof(struct ndmsg));
			*family = kinds[i].family;
			r = rtnl_dump(rt, &msg, kinds[i].fn, &load);
			/* a kernel without IPv6 */
			if (r == -EOPNOTSUPP && !p->text[0] && kinds[i].family == AF_INET6)
				r = 0;
		}
	}
	if (r < 0 && !p->text[0])
		problem_set(p, EXIT_FAILED, r, "%s: cannot list its addresses and routes: %m",
			    name);
	return r;
}

static void copy_attr(struct rtnl_msg *msg, const struct nlattr *attr)
{
	mnl_attr_put(&msg->header, mnl_attr_get_type(attr), mnl_attr_get_payload_len(attr),
		     mnl_attr_get_payload(attr));
}

static void address_message(const struct nlmsghdr *nlh, int index, uint16_t type, uint16_t how,
			    uint32_t flags, struct rtnl_msg *msg)
{
	const struct ifaddrmsg *old = mnl_nlmsg_get_payload(nlh);
	struct ifaddrmsg *ifa = rtnl_msg_init(msg, type, how, sizeof(*ifa));
	const struct nlattr *attr;

	*ifa = *old;
	ifa->ifa_index = (uint32_t)index;
	ifa->ifa_flags = (uint8_t)flags;
	mnl_attr_for_each(attr, nlh, sizeof(*ifa))
	{
		uint16_t kind = mnl_attr_get_type(attr);

		/* a label belongs to the name that the interface had */
		if (kind != IFA_FLAGS && !(type == RTM_DELADDR && kind == IFA_LABEL))
			copy_attr(msg, attr);
	}
	if (type == RTM_NEWADDR)
		mnl_attr_put_u32(&msg->header, IFA_FLAGS, flags);
}

static int give_address(struct rtnl *rt, const struct nlmsghdr *nlh, int index)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	uint32_t shown = address_flags(nlh), flags = shown & KEPT_ADDRESS_FLAGS;
	struct rtnl_msg msg;
	bool known;
	int r;

	known = ifa->ifa_family == AF_INET6 && !(shown & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) &&
		!(flags & IFA_F_NODAD);
	address_message(nlh, index, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
			flags | (known ? IFA_F_NODAD : 0), &msg);
	r = rtnl_change(rt, &msg);
	if (r == -EEXIST)
		return 0;
	if (r < 0 || !known)
		return r;
	/* It is in use; now it only has to look as it did. */
	address_message(nlh, index, RTM_NEWADDR, NLM_F_REPLACE, flags, &msg);
	return rtnl_change(rt, &msg);
}

static int give_neighbour(struct rtnl *rt, const struct nlmsghdr *nlh, int index)
{
	const struct ndmsg *old = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	struct rtnl_msg msg;
	struct ndmsg *ndm;

	ndm = rtnl_msg_init(&msg, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*ndm));
	*ndm = *old;
	ndm->ndm_ifindex = index;
	mnl_attr_for_each(attr, nlh, sizeof(*ndm))
	{
		uint16_t kind = mnl_attr_get_type(attr);

		if (kind == NDA_DST || kind == NDA_LLADDR || kind == NDA_PROTOCOL)
			copy_attr(&msg, attr);
	}
	return rtnl_change(rt, &msg);
}

/* The nexthops of a multipath route, all of them through @index now. */
static void put_nexthops(struct rtnl_msg *msg, const struct nlattr *multipath, int index)
{
	char copy[MESSAGE_MAX];
	struct rtnexthop *nh = (struct rtnexthop *)copy;
	size_t size = mnl_attr_get_payload_len(multipath);
	int left = (int)size;

	memcpy(copy, mnl_attr_get_payload(multipath), size);
	while (RTNH_OK(nh, left)) {
		nh->rtnh_ifindex = index;
		nh->rtnh_flags &= RTNH_F_ONLINK;
		left -= RTNH_ALIGN(nh->rtnh_len);
		nh = RTNH_NEXT(nh);
	}
	mnl_attr_put(&msg->header, RTA_MULTIPATH, size, copy);
}

static int give_route(struct rtnl *rt, const struct nlmsghdr *nlh, int index)
{
	const struct rtmsg *old = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	struct rtnl_msg msg;
	struct rtmsg *rtm;
	int r;

	/* Appended: others to the same place may stand before it. */
	rtm = rtnl_msg_init(&msg, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, sizeof(*rtm));
	*rtm = *old;
	rtm->rtm_flags &= RTNH_F_ONLINK;
	mnl_attr_for_each(attr, nlh, sizeof(*rtm))
	{
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
			mnl_attr_put_u32(&msg.header, RTA_OIF, (uint32_t)index);
			break;
		case RTA_MULTIPATH:
			put_nexthops(&msg, attr, index);
			break;
		case RTA_CACHEINFO: {
			const struct rta_cacheinfo *ci = mnl_attr_get_payload(attr);

			/* in ticks of USER_HZ; RTA_EXPIRES is in seconds */
			if (mnl_attr_get_payload_len(attr) >= sizeof(*ci) && ci->rta_expires > 0)
				mnl_attr_put_u32(&msg.header, RTA_EXPIRES,
						 (uint32_t)(ci->rta_expires / 100 + 1));
			break;
		}
		default:
			copy_attr(&msg, attr);
		}
	}
	r = rtnl_change(rt, &msg);
	return r == -EEXIST ? 0 : r;
}

int addressing_give(struct rtnl *rt, const struct addressing *a, int index)
{
	_cleanup_free_ bool *given = calloc(a->n + 1, sizeof(*given));
	int r = 0;

	if (!given)
		return -ENOMEM;
	for (int pass = 0; pass < ROUTE_PASSES; pass++) {
		bool again = false;

		for (size_t i = 0; i < a->n; i++) {
			const struct nlmsghdr *nlh = a->item[i];

			if (given[i])
				continue;
			if (nlh->nlmsg_type == RTM_NEWADDR)
				r = give_address(rt, nlh, index);
			else if (nlh->nlmsg_type == RTM_NEWNEIGH)
				r = give_neighbour(rt, nlh, index);
			else
				r = give_route(rt, nlh, index);
			if (nlh->nlmsg_type == RTM_NEWROUTE &&
			    (r == -ENETUNREACH || r == -EHOSTUNREACH || r == -EINVAL) &&
			    pass + 1 < ROUTE_PASSES) {
				again = true;
				continue;
			}
			if (r < 0)
				return r;
			given[i] = true;
		}
		if (!again)
			break;
	}
	return r;
}

int addressing_take_away(struct rtnl *rt, const struct addressing *a, int index)
{
	for (size_t i = 0; i < a->n; i++) {
		struct rtnl_msg msg;
		int r;

		if (a->item[i]->nlmsg_type != RTM_NEWADDR)
			continue;
		address_message(a->item[i], index, RTM_DELADDR, 0, 0, &msg);
		r = rtnl_change(rt, &msg);
		/* secondary ones go with their primary, all of IPv6 with the link */
		if (r < 0 && r != -EADDRNOTAVAIL && r != -ENODEV && r != -ENXIO && r != -ENOENT)
			return r;
	}
	return 0;
}

bool addressing_is_used(const struct addressing *a)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(a->item[i]);

		if (a->item[i]->nlmsg_type == RTM_NEWADDR &&
		    (ifa->ifa_family == AF_INET || ifa->ifa_scope != RT_SCOPE_LINK))
			return true;
	}
	return false;
}

bool addressing_has_default_route(const struct addressing *a)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct rtmsg *rtm = mnl_nlmsg_get_payload(a->item[i]);

		if (a->item[i]->nlmsg_type == RTM_NEWROUTE && rtm->rtm_dst_len == 0 &&
		    rtm->rtm_type == RTN_UNICAST)
			return true;
	}
	return false;
}

int addressing_to_text(const struct addressing *a, char **ret)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return -ENOMEM;
	for (size_t i = 0; i < a->n; i++) {
		const uint8_t *byte = (const uint8_t *)a->item[i];

		for (uint32_t k = 0; k < a->item[i]->nlmsg_len; k++)
			fprintf(f, "%02x", byte[k]);
		fputc('\n', f);
	}
	if (fclose(f)) {
		free(text);
		return -ENOMEM;
	}
	*ret = text;
	return 0;
}

/* A message that came from a file: whole, of a kind of ours, its attributes in bounds. */
static bool message_ok(const struct nlmsghdr *nlh, size_t size)
{
	size_t header;

	if (size < sizeof(*nlh) || nlh->nlmsg_len != size)
		return false;
	switch (nlh->nlmsg_type) {
	case RTM_NEWADDR:
		header = sizeof(struct ifaddrmsg);
		break;
	case RTM_NEWNEIGH:
		header = sizeof(struct ndmsg);
		break;
	case RTM_NEWROUTE:
		header = sizeof(struct rtmsg);
		break;
	default:
		return false;
	}
	return mnl_nlmsg_get_payload_len(nlh) >= header;
}

int addressing_from_text(const char *text, struct addressing *ret)
{
	struct addressing a = { 0 };
	int r = 0;

	while (*text && r >= 0) {
		union {
			uint8_t byte[MESSAGE_MAX];
			struct nlmsghdr header;
		} msg;
		size_t n = strcspn(text, "\n"), size = n / 2;

		if (n % 2 || size > sizeof(msg)) {
			r = -EBADMSG;
			break;
		}
		for (size_t i = 0; i < size && r >= 0; i++) {
			unsigned int byte;

			if (sscanf(text + 2 * i, "%2x", &byte) != 1)
				r = -EBADMSG;
			else
				msg.byte[i] = (uint8_t)byte;
		}
		if (r >= 0)
			r = message_ok(&msg.header, size) ? keep(&a, &msg.header) : -EBADMSG;
		text += n;
		text += *text == '\n';
	}
	if (r < 0)
		addressing_clear(&a);
	else
		*ret = a;
	return r;
}
