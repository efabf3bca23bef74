// SPDX-License-Identifier: GPL-2.0-or-later
#include "settings.h"

#include "lib/conf.h"

#define BOOL(section, name, member)                                                                \
	{                                                                                          \
		section, name, CONF_BOOL, offsetof(struct settings, member), 0, 0                  \
	}
#define NUMBER(section, name, member, min, max)                                                    \
	{                                                                                          \
		section, name, CONF_U32, offsetof(struct settings, member), min, max               \
	}

static const struct conf_key keys[] = {
	BOOL("report", "network", network),
	BOOL("report", "memory", memory),
	BOOL("report", "time", time),
	BOOL("report", "disks", disks),
	BOOL("report", "load", load),
	NUMBER("report", "interval", interval, 0, 86400),
	BOOL("time", "correct-after-resume", correct),
	NUMBER("hooks", "shutdown-timeout", shutdown_timeout, 1, 3600),
	NUMBER("hooks", "freeze-timeout", freeze_timeout, 1, 300),
	BOOL("freeze", "enabled", freeze),
	NUMBER("freeze", "limit", freeze_limit, 1, FREEZE_SECONDS_MAX),
	{ 0 },
};

void settings_default(struct settings *settings)
{
	*settings = (struct settings){
		.network = true,
		.memory = true,
		.time = true,
		.disks = true,
		.load = true,
		.interval = 60,
		.correct = true,
		.shutdown_timeout = 30,
		.freeze_timeout = 20,
		.freeze = true,
		.freeze_limit = 120,
	};
}

int settings_load(const char *path, struct settings *settings, char *error, size_t error_size)
{
	settings_default(settings);
	return conf_load(path, keys, settings, error, error_size);
}
