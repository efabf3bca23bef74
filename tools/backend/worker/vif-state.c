/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/vif-state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/crashpoint.h"

#define MAGIC   UINT64_C(0x6574617473666976) /* "vifstate" */
#define VERSION 1u

struct file {
	uint64_t magic;
	uint32_t version;
	uint32_t size; /* of this structure */
	struct vif_state_identity identity;
	_Atomic uint32_t valid;   /* 0: nothing to go on with */
	_Atomic uint32_t current; /* the copy that counts */
	uint32_t list_lost;       /* of the multicast list */
	struct vif_state_data copy[2];
	struct vif_state_rings rings[WORKER_MAX_VIF_QUEUES];
};

int vif_state_init(struct vif_state *s)
{
	s->map = NULL;
	s->fd = -1;
	s->room = 0;
	s->data = calloc(1, sizeof(*s->data));
	if (!s->data)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	return 0;
}

static void unmap(struct vif_state *s)
{
	if (s->map)
		munmap(s->map, sizeof(struct file));
	s->map = NULL;
	s->fd = -1;
	s->room = 0;
}

void vif_state_free(struct vif_state *s)
{
	unmap(s);
	free(s->data);
	s->data = NULL;
	pthread_mutex_destroy(&s->lock);
}

static int map_file(int fd, struct file **ret)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	struct file *f = NULL;

	f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE, flags, fd, 0);
	if (f == MAP_FAILED)
		return -errno;
	*ret = f;
	return 0;
}

/* The part of the structure that is in use. */
static size_t used(const struct vif_state_data *d)
{
	return offsetof(struct vif_state_data, grant) + d->nr_grants * sizeof(d->grant[0]);
}

/*
 * A full file system has to be an error here, and not a SIGBUS at the first touch of a page
 * that is not there. What is there stays.
 */
static int allocate(int fd, size_t from, size_t to)
{
	return -posix_fallocate(fd, (off_t)from, (off_t)(to - from));
}

static int allocate_grants(int fd, uint32_t grants)
{
	int r = 0;

	for (unsigned int i = 0; i < 2 && r == 0; i++)
		r = allocate(fd, offsetof(struct file, copy[i]),
			     offsetof(struct file, copy[i].grant) +
				     grants * sizeof(struct vif_state_grant));
	return r;
}

/* All but static grants, of which most frontends have none. */
static int allocate_rest(int fd, uint32_t queues)
{
	int r = allocate(fd, 0, offsetof(struct file, copy));

	if (r == 0)
		r = allocate_grants(fd, 0);
	if (r == 0)
		r = allocate(fd, offsetof(struct file, rings),
			     offsetof(struct file, rings) +
				     queues * sizeof(struct vif_state_rings));
	return r;
}

/* Emptied first, so that what is read as zeroes takes no memory. */
static int start_file(int fd, uint32_t queues)
{
	int r;

	if (ftruncate(fd, 0) < 0 || ftruncate(fd, sizeof(struct file)) < 0)
		return -errno;
	r = allocate_rest(fd, queues);
	if (r < 0)
		(void)!ftruncate(fd, 0);
	return r;
}

int vif_state_create(struct vif_state *s, int fd, const struct vif_state_identity *id)
{
	struct file *f = NULL;
	int r = 0;

	unmap(s);
	memset(s->data, 0, used(s->data));
	if (fd >= 0)
		r = start_file(fd, id->queues);
	if (r < 0)
		return r;
	r = map_file(fd, &f);
	if (r < 0)
		return r;
	f->magic = MAGIC;
	f->version = VERSION;
	f->size = sizeof(*f);
	f->identity = *id;
	f->list_lost = true;
	s->map = f;
	s->fd = fd;
	vif_state_commit(s);
	return 0;
}

static const char *check_data(const struct vif_state_data *d, uint32_t queues)
{
	if (!vif_hash_valid(&d->hash, queues))
		return "has a hash that cannot be";
	for (uint32_t i = 0; i < VIF_MCAST_MAX; i++) {
		if (d->mcast[i] && d->mcast[i] >> 48 != 1)
			return "has a multicast address that cannot be";
	}
	for (uint32_t i = 0; i < d->nr_grants; i++) {
		if (d->grant[i].queue >= queues || d->grant[i].readonly > 1)
			return "has a static grant that cannot be";
	}
	return NULL;
}

static int check_head(const struct file *f, const struct vif_state_identity *id,
		      const char **ret_why)
{
	*ret_why = "is of another version";
	if (f->magic != MAGIC || f->version != VERSION || f->size != sizeof(*f))
		return -EBADMSG;
	*ret_why = "is of another connection";
	if (memcmp(&f->identity, id, sizeof(*id)) != 0)
		return -EBADMSG;
	*ret_why = "is of a connection that has ended";
	return f->valid == 1 && f->current < 2 ? 0 : -EBADMSG;
}

int vif_state_open(struct vif_state *s, int fd, const struct vif_state_identity *id,
		   const char **ret_why)
{
	const struct vif_state_data *from;
	const char *wrong;
	struct stat st;
	struct file *f = NULL;
	uint32_t n;
	int r;

	*ret_why = "cannot be mapped";
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size != sizeof(*f)) {
		*ret_why = st.st_size ? "has another size" : "is empty";
		return st.st_size ? -EBADMSG : -ENODATA;
	}
	/* it may be of an older version, which left holes */
	*ret_why = "has no room in its file";
	r = allocate_rest(fd, id->queues);
	if (r < 0)
		return r;
	*ret_why = "cannot be mapped";
	r = map_file(fd, &f);
	if (r < 0)
		return r;
	r = check_head(f, id, ret_why);
	if (r < 0)
		goto fail;
	from = &f->copy[f->current];
	r = -EBADMSG;
	*ret_why = "has more static grants than can be";
	n = from->nr_grants;
	if (n > VIF_STATE_MAX_GRANTS)
		goto fail;
	*ret_why = "has no room in its file";
	r = allocate_grants(fd, n);
	if (r < 0)
		goto fail;
	r = -EBADMSG;
	memcpy(s->data, from, offsetof(struct vif_state_data, grant) + n * sizeof(from->grant[0]));
	s->data->nr_grants = n;
	wrong = check_data(s->data, id->queues);
	if (wrong) {
		*ret_why = wrong;
		memset(s->data, 0, sizeof(*s->data));
		goto fail;
	}
	unmap(s);
	s->map = f;
	s->fd = fd;
	s->room = n;
	return 0;

fail:
	munmap(f, sizeof(*f));
	return r;
}

void vif_state_wipe(struct vif_state *s)
{
	struct file *f = s->map;

	if (f)
		atomic_store_explicit(&f->valid, 0, memory_order_release);
	unmap(s);
}

void vif_state_set_list_lost(struct vif_state *s, bool lost)
{
	struct file *f = s->map;

	f->list_lost = lost;
}

bool vif_state_list_lost(const struct vif_state *s)
{
	const struct file *f = s->map;

	return f->list_lost != 0;
}

struct vif_state_rings *vif_state_rings(struct vif_state *s, uint32_t queue)
{
	struct file *f = s->map;

	return &f->rings[queue];
}

int vif_state_reserve(struct vif_state *s, uint32_t grants)
{
	int r;

	if (s->fd < 0 || grants <= s->room)
		return 0;
	r = allocate_grants(s->fd, grants);
	if (r == 0)
		s->room = grants;
	return r;
}

/* Where the next commit goes, and what counts until then. */
static struct vif_state_data *other_copy(struct file *f, const struct vif_state_data **ret_current)
{
	uint32_t current = f->current & 1;

	*ret_current = &f->copy[current];
	return &f->copy[1 - current];
}

static void make_current(struct file *f, const struct vif_state_data *copy)
{
	crash_point();
	atomic_store_explicit(&f->current, copy == &f->copy[1], memory_order_release);
	atomic_store_explicit(&f->valid, 1, memory_order_release);
	crash_point();
}

void vif_state_commit(struct vif_state *s)
{
	const struct vif_state_data *current;
	struct vif_state_data *to;
	struct file *f = s->map;

	pthread_mutex_lock(&s->lock);
	to = other_copy(f, &current);
	memcpy(to, s->data, used(s->data));
	memcpy(to->mcast, current->mcast, sizeof(to->mcast));
	make_current(f, to);
	pthread_mutex_unlock(&s->lock);
}

void vif_state_begin_mcast(struct vif_state *s)
{
	pthread_mutex_lock(&s->lock);
}

void vif_state_commit_mcast(struct vif_state *s, const struct vif_mcast *m)
{
	const struct vif_state_data *current;
	struct vif_state_data *to;
	struct file *f = s->map;

	to = other_copy(f, &current);
	if (current->nr_grants <= VIF_STATE_MAX_GRANTS)
		memcpy(to, current, used(current));
	for (unsigned int i = 0; i < VIF_MCAST_MAX; i++)
		to->mcast[i] = m->entry[i];
	make_current(f, to);
	pthread_mutex_unlock(&s->lock);
}
