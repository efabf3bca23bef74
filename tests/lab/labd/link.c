// SPDX-License-Identifier: GPL-2.0-or-later
#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"

void link_send(struct link *link, const struct frame_header *header, const void *payload)
{
	if (link->stream) {
		/* One send, so that a small frame is one chunk. */
		struct buf frame = {};

		buf_add(&frame, header, sizeof(*header));
		buf_add(&frame, payload, header->len);
		stream_send(link->stream, buf_head(&frame), frame.len);
		buf_free(&frame);
	} else {
		buf_add(link->out, header, sizeof(*header));
		buf_add(link->out, payload, header->len);
	}
}

size_t link_pending(const struct link *link)
{
	return link->stream ? stream_pending(link->stream) : link->out->len;
}

int link_receive(struct buf *in, frame_handler handler, void *userdata)
{
	while (in->len >= sizeof(struct frame_header)) {
		struct frame_header header;
		char *payload;

		memcpy(&header, buf_head(in), sizeof(header));
		if (header.len > FRAME_MAX)
			return -EPROTO;
		if (in->len < sizeof(header) + header.len)
			return 0;
		payload = malloc(header.len + 1);
		if (!payload)
			return -ENOMEM;
		memcpy(payload, buf_head(in) + sizeof(header), header.len);
		payload[header.len] = '\0';
		buf_take(in, sizeof(header) + header.len);
		handler(userdata, &header, payload);
		free(payload);
	}
	return 0;
}
