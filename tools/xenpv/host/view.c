// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/host/view.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"
#include "lib/parse.h"
#include "lib/xs.h"
#include "lib/text.h"
#include "xenpv/command.h"
#include "xenpv/host/view-guest.h"
#include "xenpv/host/words.h"

#define NAME_LENGTH 256

int view_no_hypervisor(struct problem *p, int err)
{
	return problem_set(p, EXIT_FAILED, err, "cannot ask Xen for its domains: %m");
}

int view_no_xenstore(struct problem *p, int err)
{
	return problem_set(p, EXIT_FAILED, err, "cannot ask xenstore: %m; is xenstored running?");
}

int sources_open(struct sources *s, sd_event *event, struct problem *p)
{
	int r = hypervisor_open(&s->hv, p);

	if (r < 0)
		return r;
	r = xsc_open(event, &s->xs);
	if (r < 0) {
		hypervisor_close(&s->hv);
		return view_no_xenstore(p, r);
	}
	return 0;
}

void sources_close(struct sources *s)
{
	if (s->xs)
		xsc_close(s->xs);
	s->xs = NULL;
	hypervisor_close(&s->hv);
}

char *view_read(const struct sources *s, uint32_t domid, const char *key)
{
	char home[32], *text;

	snprintf(home, sizeof(home), "/local/domain/%u", domid);
	if (xsc_read(s->xs, XBT_NULL, home, key, &text) < 0)
		return NULL;
	text_fit(text, NAME_LENGTH);
	return text;
}

static int take_name(const struct sources *s, uint32_t domid, char **ret)
{
	*ret = view_read(s, domid, "name");
	if (!*ret || !**ret) {
		free(*ret);
		*ret = strdup(domid == 0 ? "Domain-0" : "?");
	}
	return *ret ? 0 : -ENOMEM;
}

/* To Xen a PVH guest is an HVM guest; the toolstack knows better. */
static void refine_type(const struct sources *s, struct hv_domain *d)
{
	_cleanup_free_ char *type = NULL;
	char dir[32];

	snprintf(dir, sizeof(dir), "/libxl/%u", d->domid);
	if (d->type == HV_HVM && xsc_read(s->xs, XBT_NULL, dir, "type", &type) >= 0 &&
	    !strcmp(type, "pvh"))
		d->type = HV_PVH;
}

int view_gather_guest(const struct sources *s, unsigned int parts, struct json_object *status,
		      struct guest_view *g)
{
	int r = take_name(s, g->hv.domid, &g->name);

	refine_type(s, &g->hv);
	if (r >= 0 && parts & VIEW_AGENT && g->hv.domid != 0)
		r = view_agent(s->xs, g->hv.domid, &g->agent);
	if (r >= 0 && parts & VIEW_DEVICES && g->hv.domid != 0)
		r = view_devices(s->xs, status, g);
	if (r >= 0 && parts & VIEW_DEVICES)
		view_count_guest(status, g);
	return r;
}

int view_domains(const struct sources *s, struct hv_domain **ret, size_t *ret_n, struct problem *p)
{
	int r = s->hv.ops->domains(s->hv.data, ret, ret_n);

	return r < 0 ? view_no_hypervisor(p, r) : 0;
}

static int gather_domains(const struct sources *s, const uint32_t *only, struct hv_domain **ret,
			  size_t *ret_n, struct problem *p)
{
	struct hv_domain *one;
	int r;

	if (!only)
		return view_domains(s, ret, ret_n, p);
	one = calloc(1, sizeof(*one));
	if (!one)
		return view_no_hypervisor(p, -ENOMEM);
	r = s->hv.ops->domain(s->hv.data, *only, one);
	if (r < 0) {
		free(one);
		return r == -ENOENT ? problem_set(p, EXIT_ABSENT, r, "there is no domain %u", *only)
				    : view_no_hypervisor(p, r);
	}
	*ret = one;
	*ret_n = 1;
	return 0;
}

int view_gather(const struct sources *s, unsigned int parts, const uint32_t *only, struct view *ret,
		struct problem *p)
{
	_cleanup_free_ struct hv_domain *domains = NULL;
	struct json_object *status = NULL;
	struct view view = { 0 };
	size_t n = 0;
	int r = s->hv.ops->host(s->hv.data, &view.host);

	if (r < 0)
		return view_no_hypervisor(p, r);
	r = gather_domains(s, only, &domains, &n, p);
	if (r < 0)
		return r;
	view.guest = calloc(n + 1, sizeof(*view.guest));
	if (!view.guest)
		return view_no_hypervisor(p, -ENOMEM);
	if (parts & VIEW_DEVICES)
		status = status_read(s->status_path ?: STATUS_PATH);
	for (size_t i = 0; i < n && r >= 0; i++) {
		view.guest[i].hv = domains[i];
		view.n++;
		r = view_gather_guest(s, parts, status, &view.guest[i]);
	}
	json_object_put(status);
	if (r < 0) {
		view_clear(&view);
		return view_no_xenstore(p, r);
	}
	*ret = view;
	return 0;
}

static int snapshot_guest(const struct guest_view *from, struct guest_view *to)
{
	to->hv = from->hv;
	to->vbd = calloc(from->n_vbds + 1, sizeof(*to->vbd));
	if (!to->vbd)
		return -ENOMEM;
	for (to->n_vbds = 0; to->n_vbds < from->n_vbds; to->n_vbds++) {
		const struct vbd_view *v = &from->vbd[to->n_vbds];

		to->vbd[to->n_vbds] = (struct vbd_view){ .devid = v->devid,
							 .counted = v->counted,
							 .counters = v->counters };
	}
	to->vif = calloc(from->n_vifs + 1, sizeof(*to->vif));
	if (!to->vif)
		return -ENOMEM;
	for (to->n_vifs = 0; to->n_vifs < from->n_vifs; to->n_vifs++) {
		const struct vif_view *v = &from->vif[to->n_vifs];

		to->vif[to->n_vifs] = (struct vif_view){ .handle = v->handle,
							 .counted = v->counted,
							 .counters = v->counters };
	}
	return 0;
}

int view_snapshot(const struct view *view, struct view *ret)
{
	struct view copy = { .host = view->host };
	int r = 0;

	copy.guest = calloc(view->n + 1, sizeof(*copy.guest));
	if (!copy.guest)
		return -ENOMEM;
	while (copy.n < view->n && r >= 0) {
		r = snapshot_guest(&view->guest[copy.n], &copy.guest[copy.n]);
		copy.n++;
	}
	if (r < 0) {
		view_clear(&copy);
		return r;
	}
	*ret = copy;
	return 0;
}

void view_clear(struct view *view)
{
	for (size_t i = 0; i < view->n; i++)
		view_clear_guest(&view->guest[i]);
	free(view->guest);
	*view = (struct view){ 0 };
}

/* A name that is all digits is taken for a number, as xl does. */
static bool is_guest(const struct hv_domain *d, const char *name, const char *wanted)
{
	uint32_t domid;

	if (parse_u32(wanted, 0, UINT32_MAX, &domid) == 0)
		return d->domid == domid;
	return !strcmp(name, wanted) || !strcasecmp(d->uuid, wanted);
}

int view_find(const struct sources *s, const char *guest, struct hv_domain *ret, char **ret_name,
	      struct problem *p)
{
	_cleanup_free_ struct hv_domain *domains = NULL;
	size_t n = 0;
	int r = view_domains(s, &domains, &n, p);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *name = NULL;

		if (take_name(s, domains[i].domid, &name) < 0)
			return view_no_xenstore(p, -ENOMEM);
		if (!is_guest(&domains[i], name, guest))
			continue;
		refine_type(s, &domains[i]);
		*ret = domains[i];
		if (ret_name)
			*ret_name = TAKE_PTR(name);
		return 0;
	}
	return problem_set(p, EXIT_ABSENT, -ENOENT,
			   "%s: there is no such guest; \"xenpv list\" shows those that there are",
			   guest);
}
