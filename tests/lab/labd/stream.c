// SPDX-License-Identifier: GPL-2.0-or-later
#include "stream.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A node that a guest owns may hold 2048 bytes, name and permissions included. */
#define CHUNK  1900
#define WINDOW 4

struct chunk {
	uint32_t len; /* 0: slot is free */
	char value[sizeof(uint32_t) + CHUNK];
};

struct stream {
	struct xs *xs;
	char home[48];    /* of the guest: its directory and a slash, or empty in the guest */
	char watched[72]; /* the peer's directory */
	bool gone;        /* the domain's directory vanished: write nothing there */
	char token[16];
	char own, peer; /* 'h' or 'g' */
	uint32_t sent;  /* chunks written to slots; the last one has this number */
	uint32_t acked; /* chunks that the peer has taken */
	uint32_t taken; /* chunks of the peer that we have taken */
	struct chunk slots[WINDOW];
	struct buf out;
	struct buf in;
};

static void node_path(const struct stream *s, char side, char what, char path[96])
{
	snprintf(path, 96, "%sdata/lab/%c/%c", s->home, side, what);
}

/* A failed write is made good by the next watch event, at the latest after a restore. */
static void write_node(struct stream *s, char what, const void *value, size_t len)
{
	char path[96];
	int r;

	if (s->gone)
		return;
	node_path(s, s->own, what, path);
	r = xs_write(s->xs, path, value, len);
	if (r < 0)
		fprintf(stderr, "labd: cannot write %s: %s\n", path, strerror(-r));
}

static void write_ack(struct stream *s)
{
	write_node(s, 'a', &s->taken, sizeof(s->taken));
}

static void write_slot(struct stream *s, uint32_t seq)
{
	const struct chunk *c = &s->slots[seq % WINDOW];

	write_node(s, (char)('0' + seq % WINDOW), c->value, sizeof(seq) + c->len);
}

static void send_more(struct stream *s)
{
	while (s->out.len > 0 && s->sent - s->acked < WINDOW) {
		uint32_t seq = ++s->sent;
		struct chunk *c = &s->slots[seq % WINDOW];

		c->len = s->out.len < CHUNK ? (uint32_t)s->out.len : CHUNK;
		memcpy(c->value, &seq, sizeof(seq));
		memcpy(c->value + sizeof(seq), buf_head(&s->out), c->len);
		buf_take(&s->out, c->len);
		write_slot(s, seq);
	}
}

static void read_ack(struct stream *s)
{
	char path[96];
	uint32_t acked;
	char *value;
	size_t len;

	node_path(s, s->peer, 'a', path);
	if (xs_read(s->xs, path, &value, &len) < 0)
		return;
	if (len == sizeof(acked)) {
		memcpy(&acked, value, sizeof(acked));
		if (acked - s->acked <= s->sent - s->acked)
			s->acked = acked;
	}
	free(value);
}

/* Take the chunks that follow the last one taken; true when there were any. */
static bool read_slots(struct stream *s)
{
	bool any = false;

	for (;;) {
		uint32_t want = s->taken + 1, seq = 0;
		char path[96];
		char *value;
		size_t len;

		node_path(s, s->peer, (char)('0' + want % WINDOW), path);
		if (xs_read(s->xs, path, &value, &len) < 0)
			break;
		if (len > sizeof(seq))
			memcpy(&seq, value, sizeof(seq));
		if (seq == want) {
			buf_add(&s->in, value + sizeof(seq), len - sizeof(seq));
			s->taken = want;
			any = true;
		}
		free(value);
		if (seq != want)
			break;
	}
	return any;
}

static void write_all(struct stream *s)
{
	for (uint32_t seq = s->acked + 1; seq != s->sent + 1; seq++)
		write_slot(s, seq);
	if (s->taken > 0)
		write_ack(s);
}

/* A write would make the directory of a dead domain anew. */
static bool is_gone(const struct stream *s)
{
	char path[96];
	char *domid;
	size_t len;

	snprintf(path, sizeof(path), "%sdomid", s->home);
	if (xs_read(s->xs, path, &domid, &len) < 0)
		return true;
	free(domid);
	return false;
}

static int set_home(struct stream *s, const char *home, const char *token)
{
	if (strlen(home) >= sizeof(s->home) || strlen(token) >= sizeof(s->token))
		return -ENAMETOOLONG;
	strcpy(s->home, home);
	strcpy(s->token, token);
	snprintf(s->watched, sizeof(s->watched), "%sdata/lab/%c", s->home, s->peer);
	s->gone = is_gone(s);
	return xs_watch(s->xs, s->watched, s->token);
}

int stream_open(struct xs *xs, const char *home, bool host, const char *token, struct stream **ret)
{
	struct stream *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->xs = xs;
	s->own = host ? 'h' : 'g';
	s->peer = host ? 'g' : 'h';
	r = set_home(s, home, token);
	if (r < 0) {
		free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void stream_close(struct stream *s)
{
	if (!s)
		return;
	(void)xs_unwatch(s->xs, s->watched, s->token);
	buf_free(&s->in);
	buf_free(&s->out);
	free(s);
}

int stream_move(struct stream *s, const char *home, const char *token)
{
	/* The old directory may be gone, and its watch with it. */
	(void)xs_unwatch(s->xs, s->watched, s->token);
	return set_home(s, home, token);
}

void stream_event(struct stream *s, const char *path)
{
	size_t len = strlen(s->watched);
	const char *node = path + len;

	/* The first event of a watch names its directory: start, or a new domain id. */
	if (strncmp(path, s->watched, len) != 0 || node[0] == '\0') {
		s->gone = is_gone(s);
		write_all(s);
		read_ack(s);
		if (read_slots(s))
			write_ack(s);
	} else if (node[1] == 'a') {
		read_ack(s);
	} else if (read_slots(s)) {
		write_ack(s);
	}
	send_more(s);
}

void stream_send(struct stream *s, const void *data, size_t len)
{
	buf_add(&s->out, data, len);
	send_more(s);
}

struct buf *stream_input(struct stream *s)
{
	return &s->in;
}

size_t stream_pending(const struct stream *s)
{
	return s->out.len + (s->sent - s->acked) * (size_t)CHUNK;
}
