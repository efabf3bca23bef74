/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/vif-stage.h"

#include <errno.h>
#include <stdlib.h>

#include "worker/vif-io.h"

#define STAGE_SIZE ((size_t)VIF_STAGE_PACKETS * VIF_BUFFER_SIZE)

_Static_assert(VIF_STAGE_PACKETS <= TAP_BATCH_MAX, "packets in one call");

void vif_stage_free(struct vif_stage *s)
{
	free(s->buf);
	*s = (struct vif_stage){ 0 };
}

static int make(struct vif_stage *s)
{
	/* memory is taken up only where packets have been */
	s->buf = malloc(STAGE_SIZE);
	if (!s->buf)
		return -ENOMEM;
	for (uint32_t i = 0; i < VIF_STAGE_PACKETS; i++)
		s->packet[i] = (struct tap_packet){
			.buf = s->buf + (size_t)i * VIF_BUFFER_SIZE,
			.size = VIF_BUFFER_SIZE,
		};
	return 0;
}

int vif_stage_fill(struct vif_stage *s, struct tap_batch *batch, int tap, uint32_t n)
{
	int r = s->buf ? 0 : make(s);

	if (r < 0)
		return r;
	if (n > VIF_STAGE_PACKETS)
		n = VIF_STAGE_PACKETS;
	s->next = 0;
	s->nr = tap_batch_read(batch, tap, s->packet, n, &s->end);
	return (int)s->nr;
}

ssize_t vif_stage_take(struct vif_stage *s, uint8_t **ret)
{
	const struct tap_packet *p = &s->packet[s->next++];

	*ret = p->buf;
	return p->result;
}

bool vif_stage_has(const struct vif_stage *s, const uint8_t *frame)
{
	return s->buf && frame >= s->buf && frame < s->buf + STAGE_SIZE;
}
