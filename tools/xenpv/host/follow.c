// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/host/follow.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/parse.h"
#include "lib/xs.h"
#include "xenpv/command.h"
#include "xenpv/host/view-guest.h"

#define BACKEND "/local/domain/0/backend"

/* What is known of a guest besides its view. */
struct followed {
	struct xs_watch *home; /* NULL: it has fired, or is not set yet */
	bool told;             /* the watch has fired for being set */
	bool changed;          /* to be read at the next look */
};

struct follow {
	const struct sources *s;
	unsigned int parts;
	struct xs_watch *backend;
	bool backend_told;
	struct view view;
	struct followed **guest; /* of view.guest[i] */
};

static void on_home(void *userdata, const char *path)
{
	struct followed *g = userdata;

	(void)path;
	if (!g->told) {
		g->told = true;
		return;
	}
	g->changed = true;
	xsc_unwatch(g->home);
	g->home = NULL;
}

/* Of "<BACKEND>/vbd/5/51712/state" that is 5. */
static bool domid_of(const char *path, uint32_t *ret)
{
	const char *kind = path + strlen(BACKEND "/"), *id;
	char text[12];
	size_t n;

	if (strncmp(path, BACKEND "/", strlen(BACKEND "/")) != 0 || !(id = strchr(kind, '/')))
		return false;
	n = strcspn(++id, "/");
	if (n >= sizeof(text))
		return false;
	memcpy(text, id, n);
	text[n] = '\0';
	return parse_u32(text, 0, UINT32_MAX, ret) == 0;
}

static void on_backend(void *userdata, const char *path)
{
	struct follow *f = userdata;
	uint32_t domid = 0;
	bool one = domid_of(path, &domid);

	if (!f->backend_told) {
		f->backend_told = true;
		return;
	}
	for (size_t i = 0; i < f->view.n; i++)
		if (!one || f->view.guest[i].hv.domid == domid)
			f->guest[i]->changed = true;
}

static void followed_free(struct followed *g)
{
	if (!g)
		return;
	xsc_unwatch(g->home);
	free(g);
}

/* dom0's home has everybody's devices in it, and no agent. */
static int watch_home(const struct follow *f, struct followed *g, uint32_t domid)
{
	char path[64];

	snprintf(path, sizeof(path), "/local/domain/%u%s", domid,
		 domid && f->parts & VIEW_AGENT ? "" : "/name");
	g->told = false;
	return xsc_watch(f->s->xs, path, on_home, g, &g->home);
}

/* Watched before it is read, so that nothing happens in between. */
static int read_guest(struct follow *f, struct json_object *status, size_t i)
{
	struct guest_view fresh = { .hv = f->view.guest[i].hv };
	struct followed *g = f->guest[i];
	int r = g->home ? 0 : watch_home(f, g, fresh.hv.domid);

	if (r >= 0)
		r = view_gather_guest(f->s, f->parts, status, &fresh);
	if (r < 0) {
		view_clear_guest(&fresh);
		return r;
	}
	g->changed = false;
	view_clear_guest(&f->view.guest[i]);
	f->view.guest[i] = fresh;
	return 0;
}

static int refresh_guest(struct follow *f, struct json_object *status, size_t i)
{
	struct guest_view *g = &f->view.guest[i];
	int r;

	if (f->guest[i]->changed)
		return read_guest(f, status, i);
	if (!(f->parts & VIEW_DEVICES))
		return 0;
	r = view_status_guest(status, g);
	if (r >= 0)
		view_count_guest(status, g);
	return r;
}

/* What was seen of the domain that @d is moves to @i. */
static bool take_over(struct follow *f, const struct hv_domain *d, struct view *view,
		      struct followed **guest, size_t i)
{
	for (size_t k = 0; k < f->view.n; k++) {
		struct guest_view *old = &f->view.guest[k];

		if (!f->guest[k] || old->hv.domid != d->domid || strcmp(old->hv.uuid, d->uuid) != 0)
			continue;
		view->guest[i] = *old;
		view->guest[i].hv = *d;
		/* to Xen a PVH guest is an HVM guest */
		view->guest[i].hv.type = old->hv.type;
		guest[i] = f->guest[k];
		*old = (struct guest_view){ 0 };
		f->guest[k] = NULL;
		return true;
	}
	return false;
}

static void forget(struct follow *f)
{
	for (size_t i = 0; i < f->view.n; i++)
		followed_free(f->guest[i]);
	free(f->guest);
	f->guest = NULL;
	view_clear(&f->view);
}

/* Those domains that there are now; new ones are still to be read. */
static int take_domains(struct follow *f, const struct hv_domain *domains, size_t n)
{
	struct view view = { .host = f->view.host };
	struct followed **guest = calloc(n + 1, sizeof(struct followed *));
	int r = 0;

	view.guest = calloc(n + 1, sizeof(*view.guest));
	if (!view.guest || !guest) {
		free(view.guest);
		free(guest);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n && r >= 0; i++) {
		if (!take_over(f, &domains[i], &view, guest, i)) {
			guest[i] = calloc(1, sizeof(struct followed));
			if (!guest[i]) {
				r = -ENOMEM;
				break;
			}
			guest[i]->changed = true;
			view.guest[i].hv = domains[i];
		}
		view.n++;
	}
	forget(f);
	f->view = view;
	f->guest = guest;
	return r;
}

int follow_look(struct follow *f, struct problem *p)
{
	_cleanup_free_ struct hv_domain *domains = NULL;
	const struct sources *s = f->s;
	struct json_object *status = NULL;
	struct hv_host host;
	size_t n = 0;
	int r = s->hv.ops->host(s->hv.data, &host);

	if (r < 0)
		return view_no_hypervisor(p, r);
	r = view_domains(s, &domains, &n, p);
	if (r < 0)
		return r;
	r = take_domains(f, domains, n);
	if (r < 0)
		return problem_set(p, EXIT_FAILED, r, "%m");
	f->view.host = host;
	if (f->parts & VIEW_DEVICES)
		status = status_read(s->status_path ?: STATUS_PATH);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = refresh_guest(f, status, i);
	json_object_put(status);
	return r < 0 ? view_no_xenstore(p, r) : 0;
}

const struct view *follow_view(const struct follow *f)
{
	return &f->view;
}

int follow_open(const struct sources *s, unsigned int parts, struct follow **ret, struct problem *p)
{
	struct follow *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return problem_set(p, EXIT_FAILED, -ENOMEM, "%m");
	f->s = s;
	f->parts = parts;
	r = parts & VIEW_DEVICES ? xsc_watch(s->xs, BACKEND, on_backend, f, &f->backend) : 0;
	if (r < 0) {
		free(f);
		return problem_set(p, EXIT_FAILED, r, "cannot watch " BACKEND ": %m");
	}
	*ret = f;
	return 0;
}

void follow_close(struct follow *f)
{
	if (!f)
		return;
	forget(f);
	xsc_unwatch(f->backend);
	free(f);
}
