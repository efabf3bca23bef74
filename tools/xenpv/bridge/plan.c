// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/bridge/plan.h"

#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

#define DESCRIPTION 512

static void step_clear(struct step *step)
{
	free(step->text);
	free(step->content);
	free(step->old_content);
	for (size_t i = 0; i < step->n; i++)
		free(step->names[i]);
	free(step->names);
}

void plan_clear(struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		step_clear(&plan->step[i]);
	free(plan->step);
	*plan = (struct plan){ 0 };
}

struct step *plan_append(struct plan *plan, const struct step_ops *ops, const char *dev)
{
	static struct step nowhere;
	struct step *step;

	step = reallocarray(plan->step, plan->n + 1, sizeof(*step));
	if (!step) {
		plan->error = -ENOMEM;
		return &nowhere;
	}
	plan->step = step;
	step += plan->n++;
	*step = (struct step){ .ops = ops };
	snprintf(step->dev, sizeof(step->dev), "%s", dev);
	return step;
}

char *plan_copy(struct plan *plan, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		plan->error = -ENOMEM;
	return copy;
}

int step_index(const char *name)
{
	unsigned int index = if_nametoindex(name);

	return index ? (int)index : -ENODEV;
}

struct json_object *plan_to_json(const struct plan *plan)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < plan->n; i++) {
		char text[DESCRIPTION];

		plan->step[i].ops->describe(&plan->step[i], text, sizeof(text));
		json_object_array_add(list, json_object_new_string(text));
	}
	return list;
}

void plan_print(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		char text[DESCRIPTION];

		plan->step[i].ops->describe(&plan->step[i], text, sizeof(text));
		printf("%3zu  %s\n", i + 1, text);
	}
}

/* Undo steps @n-1 to 0; appends to the problem what cannot be undone. */
static void undo(struct plan *plan, struct rtnl *rt, size_t n, struct problem *p)
{
	while (n-- > 0) {
		struct step *step = &plan->step[n];
		size_t len = strlen(p->text);
		char text[DESCRIPTION];
		int r;

		if (!step->ops->undo)
			continue;
		r = step->ops->undo(step, rt);
		if (r >= 0)
			continue;
		step->ops->describe(step, text, sizeof(text));
		errno = -r;
		snprintf(p->text + len, sizeof(p->text) - len, "%s \"%s\": %m",
			 p->status == EXIT_BROKEN ? "," : ". These steps could not be undone:",
			 text);
		p->status = EXIT_BROKEN;
	}
}

int plan_run(struct plan *plan, struct rtnl *rt, const char *about, struct problem *p)
{
	static const int deadly[] = { SIGHUP, SIGINT, SIGTERM, SIGPIPE, SIGQUIT };
	sigset_t block, before;
	int r = plan->error;

	if (r < 0)
		return problem_set(p, EXIT_FAILED, r, "%s: %m", about);
	sigemptyset(&block);
	for (size_t i = 0; i < ELEMENTSOF(deadly); i++)
		sigaddset(&block, deadly[i]);
	sigprocmask(SIG_BLOCK, &block, &before);
	for (size_t i = 0; i < plan->n && r >= 0; i++) {
		struct step *step = &plan->step[i];
		char text[DESCRIPTION];

		r = step->ops->apply(step, rt);
		if (r >= 0)
			continue;
		step->ops->describe(step, text, sizeof(text));
		problem_set(p, EXIT_FAILED, r, "%s: step %zu of %zu failed: %s: %m%s%s%s", about,
			    i + 1, plan->n, text, *rtnl_explanation(rt) ? " (" : "",
			    rtnl_explanation(rt), *rtnl_explanation(rt) ? ")" : "");
		undo(plan, rt, step->ops->partial || r == -ETIMEDOUT ? i + 1 : i, p);
		if (p->status == EXIT_FAILED) {
			size_t len = strlen(p->text);

			snprintf(p->text + len, sizeof(p->text) - len, "; everything is as before");
		}
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}
