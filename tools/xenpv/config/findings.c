// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/config/findings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text.h"

void findings_clear(struct findings *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->item[i].file);
		free(f->item[i].text);
	}
	free(f->item);
	*f = (struct findings){ 0 };
}

void findings_add(struct findings *f, enum severity severity, const char *file, unsigned int line,
		  const char *fmt, ...)
{
	struct finding *item = reallocarray(f->item, f->n + 1, sizeof(*item));
	char *text = NULL, *copy = strdup(file);
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (item)
		f->item = item;
	if (!item || !text || !copy) {
		f->error = -ENOMEM;
		free(text);
		free(copy);
		return;
	}
	/* values come from files that anybody may have written */
	text_fit(text, SIZE_MAX);
	f->errors += severity == SEVERITY_ERROR;
	item[f->n++] = (struct finding){ severity, copy, line, text };
}

struct place {
	struct finding finding;
	size_t file; /* number of its file, in the order of their first finding */
	size_t n;
};

static int by_place(const void *pa, const void *pb)
{
	const struct place *a = pa, *b = pb;

	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->finding.line != b->finding.line)
		return a->finding.line < b->finding.line ? -1 : 1;
	return a->n < b->n ? -1 : 1;
}

void findings_sort(struct findings *f)
{
	struct place *places = calloc(f->n + 1, sizeof(*places));

	if (!places)
		return; /* as they were found is good enough */
	for (size_t i = 0; i < f->n; i++) {
		places[i] = (struct place){ f->item[i], i, i };
		for (size_t k = 0; k < i; k++) {
			if (!strcmp(f->item[k].file, f->item[i].file)) {
				places[i].file = places[k].file;
				break;
			}
		}
	}
	qsort(places, f->n, sizeof(*places), by_place);
	for (size_t i = 0; i < f->n; i++)
		f->item[i] = places[i].finding;
	free(places);
}
