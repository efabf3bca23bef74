/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All guests as view.h has them, for a program that looks at them again and again: a look asks
 * the hypervisor and reads counters, and reads of xenstore what has changed there, no more.
 *
 * A guest whose home has changed is marked once and then not watched until the next look. So
 * one that writes all the time, or does so on purpose, costs an event a look.
 */
#pragma once

#include "xenpv/host/view.h"

struct follow;

/*
 * follow_open - begin
 * @s: opened with an event loop; has to stay valid
 * @parts: of the view. Without VIEW_AGENT a guest's name is watched, and not its home.
 *
 * Errors: as view_gather().
 */
int follow_open(const struct sources *s, unsigned int parts, struct follow **ret,
		struct problem *p);
void follow_close(struct follow *f);

/* Look; errors as view_gather(). After one, what was seen before may be incomplete. */
int follow_look(struct follow *f, struct problem *p);

/* As of the last look that was no error. */
const struct view *follow_view(const struct follow *f);
