// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/config/guests.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "xenpv/config/xlconf.h"

/* Keys of a VNIF, xl-network-configuration(5). */
static const char *const keys[] = {
	"mac",    "bridge",  "gatewaydev", "type",        "model",  "vifname",
	"script", "ip",      "backend",    "backendtype", "rate",   "devid",
	"mtu",    "trusted", "netdev",     "accel",       "hidden", "forwarding",
};

static void guest_clear(struct guest *guest)
{
	for (size_t i = 0; i < guest->n; i++)
		free(guest->vnif[i].bridge);
	free(guest->vnif);
	free(guest->file);
	free(guest->name);
}

void guests_clear(struct guests *guests)
{
	for (size_t i = 0; i < guests->n; i++)
		guest_clear(&guests->item[i]);
	free(guests->item);
	*guests = (struct guests){ 0 };
}

struct place {
	const char *file;
	unsigned int line;
	size_t number; /* of the VNIF in its guest */
	struct findings *findings;
};

#define REPORT(place, severity, fmt, ...)                                                          \
	findings_add((place)->findings, severity, (place)->file, (place)->line, "vif[%zu]: " fmt,  \
		     (place)->number, ##__VA_ARGS__)

static void take_mac(const struct place *at, const char *value, struct vnif *vnif)
{
	if (mac_parse(value, &vnif->mac) < 0) {
		REPORT(at, SEVERITY_ERROR,
		       "mac=%s is no address; write six pairs of hexadecimal digits with colons",
		       value);
		return;
	}
	vnif->has_mac = true;
	for (const char *c = value; *c; c++) {
		if (*c >= 'a' && *c <= 'f') {
			REPORT(at, SEVERITY_WARNING,
			       "mac=%s is in lower case; write A to F in upper case", value);
			return;
		}
	}
}

static char *strip(char *s)
{
	size_t n;

	while (isspace((unsigned char)*s))
		s++;
	n = strlen(s);
	while (n > 0 && isspace((unsigned char)s[n - 1]))
		s[--n] = '\0';
	return s;
}

enum vif_script vif_script(const char *script)
{
	const char *name = strrchr(script, '/') ? strrchr(script, '/') + 1 : script;

	if (!strcmp(name, "vif-route") || !strcmp(name, "vif-nat"))
		return VIF_SCRIPT_ROUTED;
	/* vif-bridge, ours and unknown ones plug into a bridge of the kernel */
	return !strcmp(name, "vif-openvswitch") ? VIF_SCRIPT_SWITCHED : VIF_SCRIPT_BRIDGE;
}

static int take_key(const struct place *at, const char *key, char *value, struct vnif *vnif)
{
	bool known = false;

	for (size_t i = 0; i < ELEMENTSOF(keys); i++)
		known = known || !strcmp(key, keys[i]);
	if (!known) {
		REPORT(at, SEVERITY_WARNING, "the key %s is unknown; correct or remove it", key);
	} else if (!strcmp(key, "mac")) {
		take_mac(at, value, vnif);
	} else if (!strcmp(key, "bridge")) {
		char *copy = strdup(value);

		if (!copy)
			return -ENOMEM;
		free(vnif->bridge);
		vnif->bridge = copy;
	} else if (!strcmp(key, "backend")) {
		vnif->elsewhere = strcmp(value, "0") != 0 && strcmp(value, "Domain-0") != 0;
	} else if (!strcmp(key, "script")) {
		vnif->script = vif_script(value);
	}
	return 0;
}

static int take_spec(const struct place *at, const char *spec, struct vnif *vnif)
{
	_cleanup_free_ char *copy = strdup(spec);
	char *save = NULL;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	vnif->line = at->line;
	for (char *word = strtok_r(copy, ",", &save); word && r >= 0;
	     word = strtok_r(NULL, ",", &save)) {
		char *eq = strchr(word, '=');

		if (!*strip(word))
			continue;
		if (!eq) {
			REPORT(at, SEVERITY_ERROR, "\"%s\" is not key=value; correct it",
			       strip(word));
			continue;
		}
		*eq = '\0';
		r = take_key(at, strip(word), strip(eq + 1), vnif);
	}
	return r;
}

int guests_add(struct guests *guests, const char *file, const struct xlconf *conf,
	       struct findings *findings)
{
	const struct xlconf_value *name = xlconf_get(conf, "name"), *vif = xlconf_get(conf, "vif");
	struct guest *guest = reallocarray(guests->item, guests->n + 1, sizeof(*guest));

	if (!guest)
		return -ENOMEM;
	guests->item = guest;
	guest += guests->n++;
	*guest = (struct guest){ .file = strdup(file), .line = name ? name->line : 0 };
	if (!guest->file)
		return -ENOMEM;
	if (name && name->type == XLCONF_STRING && *name->text) {
		guest->name = strdup(name->text);
	} else {
		findings_add(findings, SEVERITY_ERROR, file, 0,
			     "the guest has no name; add name = \"...\"");
		guest->name = strdup("?");
	}
	if (!guest->name)
		return -ENOMEM;
	if (!vif)
		return 0;
	if (vif->type != XLCONF_LIST) {
		findings_add(findings, SEVERITY_ERROR, file, vif->line,
			     "vif is no list; write vif = [ \"mac=...,bridge=...\" ]");
		return 0;
	}
	guest->vnif = calloc(vif->n + 1, sizeof(*guest->vnif));
	if (!guest->vnif)
		return -ENOMEM;
	for (size_t i = 0; i < vif->n; i++) {
		const struct xlconf_value *item = vif->item[i];
		struct place at = { file, item->line, i, findings };
		int r;

		if (item->type != XLCONF_STRING) {
			REPORT(&at, SEVERITY_ERROR,
			       "is no string; write \"mac=...,bridge=...\" in quotes");
			continue;
		}
		r = take_spec(&at, item->text, &guest->vnif[guest->n++]);
		if (r < 0)
			return r;
	}
	return 0;
}
