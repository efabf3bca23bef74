/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reliable byte stream between dom0 and a guest over xenstore nodes, for a
 * guest that may have neither disk nor network.
 *
 * Each side owns a directory under data/lab of the guest, "h" of the host and
 * "g" of the guest, with WINDOW slots "0".. and an acknowledgement "a", and
 * watches the other's. Slot seq % WINDOW holds the u32 sequence number and up to
 * CHUNK bytes; "h/a" holds the u32 count of chunks that the host has taken. Both ends keep
 * what is not acknowledged and can write it again, so that the stream goes on
 * after the guest was restored into a new, empty directory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "xs.h"

struct stream;

/*
 * stream_open - one end of the stream of a guest
 * @home: "/local/domain/N/" in dom0, "" in the guest
 * @host: true in dom0, false in the guest
 * @token: names the stream in watch events
 *
 * Sets a watch; hand its events to stream_event(). Returns 0 or a
 * negative errno.
 */
int stream_open(struct xs *xs, const char *home, bool host, const char *token, struct stream **ret);
void stream_close(struct stream *s);

/* Go on under another @home and @token: the guest was restored under a new domain id. */
int stream_move(struct stream *s, const char *home, const char *token);

/*
 * stream_event - look at the nodes after a watch event
 * @path: of the event
 *
 * Appends what arrived to stream_input() and sends what waits.
 */
void stream_event(struct stream *s, const char *path);

/* Queue bytes; they are sent as the window allows. */
void stream_send(struct stream *s, const void *data, size_t len);

/* Bytes that arrived; the caller takes them out. */
struct buf *stream_input(struct stream *s);

/* Bytes queued and not yet acknowledged. */
size_t stream_pending(const struct stream *s);
