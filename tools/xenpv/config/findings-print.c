// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/config/findings.h"

#include <json-c/json.h>
#include <stdio.h>

#include "xenpv/command.h"

static const char *const severities[] = {
	[SEVERITY_ERROR] = "error",
	[SEVERITY_WARNING] = "warning",
};

static void print_text(const struct findings *f, size_t n_files)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct finding *x = &f->item[i];
		char line[16] = "";

		if (x->line)
			snprintf(line, sizeof(line), ":%u", x->line);
		printf("%s%s: %s: %s\n", x->file, line, severities[x->severity], x->text);
	}
	printf("%zu configurations, %zu errors, %zu warnings\n", n_files, f->errors,
	       f->n - f->errors);
}

int findings_print(const struct findings *f, size_t n_files, bool json, int status)
{
	struct json_object *o, *list;

	if (!f->errors)
		status = EXIT_DONE;
	if (!json) {
		print_text(f, n_files);
		return status;
	}
	list = json_object_new_array();
	for (size_t i = 0; i < f->n; i++) {
		const struct finding *x = &f->item[i];
		struct json_object *item = json_object_new_object();

		json_object_object_add(item, "severity",
				       json_object_new_string(severities[x->severity]));
		json_object_object_add(item, "file", json_object_new_string(x->file));
		json_object_object_add(item, "line",
				       x->line ? json_object_new_int64(x->line) : NULL);
		json_object_object_add(item, "text", json_object_new_string(x->text));
		json_object_array_add(list, item);
	}
	o = json_object_new_object();
	json_object_object_add(o, "configurations", json_object_new_int64((int64_t)n_files));
	json_object_object_add(o, "errors", json_object_new_int64((int64_t)f->errors));
	json_object_object_add(o, "findings", list);
	return print_json(o, status);
}
