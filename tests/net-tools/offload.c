/* SPDX-License-Identifier: GPL-2.0-or-later */
/* offload: what ethtool shows and sets, over the same ioctls, where there is no ethtool. */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool.h"

#define MAX_STRINGS 1024u
#define BLOCKS      4u /* of 32 features */

static const char usage[] =
	"Usage: offload INTERFACE show\n"
	"       offload INTERFACE FEATURE on|off\n"
	"       offload INTERFACE channels [N]\n"
	"       offload INTERFACE stats|info|rings|coalesce|indir\n"
	"       offload INTERFACE indir equal N|default\n"
	"       offload INTERFACE coalesce rx_usecs|tx_frames N\n"
	"       offload INTERFACE key [HEX]\n"
	"\n"
	"FEATURE is a kernel feature name (see show), or rx, tx, sg, tso, gso, gro, lro, rxhash.\n"
	"All output is one line of JSON. Exit status: 0, 1 the feature cannot be changed, 2 "
	"usage,\n"
	"4 a system call failed.\n";

/* Names that stand for several features. */
static const struct alias {
	const char *name;
	const char *features[4];
} aliases[] = {
	{ "rx", { "rx-checksum" } },
	{ "tx", { "tx-checksum-ipv4", "tx-checksum-ipv6", "tx-checksum-ip-generic" } },
	{ "sg", { "tx-scatter-gather" } },
	{ "tso", { "tx-tcp-segmentation", "tx-tcp6-segmentation" } },
	{ "gso", { "tx-generic-segmentation" } },
	{ "gro", { "rx-gro" } },
	{ "lro", { "rx-lro" } },
	{ "rxhash", { "rx-hashing" } },
};

static int control;
static const char *interface;

static int ethtool(void *data)
{
	struct ifreq ifr = { .ifr_data = data };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", interface);
	return ioctl(control, SIOCETHTOOL, &ifr);
}

static void need(void *data, const char *what)
{
	if (ethtool(data) < 0)
		die_errno("%s: %s", interface, what);
}

/* Zeroed memory, to be freed. */
static void *zalloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		die(EXIT_SYSTEM, "no memory");
	return p;
}

/* The names of a string set, MAX_STRINGS at most; to be freed. */
static struct ethtool_gstrings *strings(uint32_t set)
{
	struct ethtool_sset_info *info = zalloc(sizeof(*info) + sizeof(uint32_t));
	struct ethtool_gstrings *s;
	uint32_t size;

	info->cmd = ETHTOOL_GSSET_INFO;
	info->sset_mask = 1ull << set;
	size = ethtool(info) < 0 || !info->sset_mask ? 0 : info->data[0];
	free(info);
	if (size > MAX_STRINGS)
		die(EXIT_SYSTEM, "%s has %u names", interface, size);
	s = zalloc(sizeof(*s) + (size_t)size * ETH_GSTRING_LEN);
	s->cmd = ETHTOOL_GSTRINGS;
	s->string_set = set;
	s->len = size;
	if (s->len)
		need(s, "names");
	return s;
}

static const char *name_of(const struct ethtool_gstrings *s, unsigned int i)
{
	static char name[ETH_GSTRING_LEN + 1];

	memcpy(name, s->data + (size_t)i * ETH_GSTRING_LEN, ETH_GSTRING_LEN);
	return name;
}

struct features {
	struct ethtool_gstrings *names;
	struct ethtool_gfeatures *get;
};

static void read_features(struct features *f)
{
	f->names = strings(ETH_SS_FEATURES);
	if (f->names->len > BLOCKS * 32)
		die(EXIT_SYSTEM, "%s has %u features", interface, f->names->len);
	f->get = zalloc(sizeof(*f->get) + BLOCKS * sizeof(f->get->features[0]));
	f->get->cmd = ETHTOOL_GFEATURES;
	f->get->size = BLOCKS;
	need(f->get, "features");
}

static void forget_features(struct features *f)
{
	free(f->names);
	free(f->get);
}

static bool has(const struct features *f, const char *word)
{
	for (unsigned int i = 0; i < f->names->len; i++) {
		if (strcmp(name_of(f->names, i), word) == 0)
			return true;
	}
	return false;
}

static bool feature_on(const struct features *f, unsigned int i)
{
	return f->get->features[i / 32].active >> i % 32 & 1;
}

static bool feature_fixed(const struct features *f, unsigned int i)
{
	const struct ethtool_get_features_block *b = &f->get->features[i / 32];

	return b->never_changed >> i % 32 & 1 || !(b->available >> i % 32 & 1);
}

static int show(void)
{
	const char *comma = "";
	struct features f;

	read_features(&f);
	printf("{");
	for (unsigned int i = 0; i < f.names->len; i++) {
		if (!*name_of(f.names, i))
			continue;
		printf("%s\"%s\": {\"on\": %s, \"fixed\": %s}", comma, name_of(f.names, i),
		       feature_on(&f, i) ? "true" : "false",
		       feature_fixed(&f, i) ? "true" : "false");
		comma = ", ";
	}
	printf("}\n");
	forget_features(&f);
	return EXIT_OK;
}

/* Whether @name is meant by @word. */
static bool meant(const char *word, const char *name)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		if (strcmp(aliases[i].name, word) != 0)
			continue;
		for (int j = 0; j < 4 && aliases[i].features[j]; j++) {
			if (strcmp(aliases[i].features[j], name) == 0)
				return true;
		}
	}
	return strcmp(word, name) == 0;
}

static int set_feature(const char *word, bool on)
{
	struct ethtool_sfeatures *set = zalloc(sizeof(*set) + BLOCKS * sizeof(set->features[0]));
	struct ethtool_set_features_block *blocks = set->features;
	unsigned int found = 0, wrong = 0;
	struct features f;

	read_features(&f);
	set->cmd = ETHTOOL_SFEATURES;
	set->size = (f.names->len + 31) / 32;
	for (unsigned int i = 0; i < f.names->len; i++) {
		if (!meant(word, name_of(f.names, i)) || feature_fixed(&f, i))
			continue;
		found++;
		blocks[i / 32].valid |= 1u << i % 32;
		if (on)
			blocks[i / 32].requested |= 1u << i % 32;
	}
	if (!found) {
		bool known = has(&f, word);

		for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
			known |= strcmp(aliases[i].name, word) == 0;
		die(known ? EXIT_WRONG : EXIT_USAGE, "%s: %s %s", interface, word,
		    known ? "is fixed" : "is no feature; see offload --help");
	}
	need(set, word);
	forget_features(&f);
	read_features(&f);
	for (unsigned int i = 0; i < f.names->len; i++)
		wrong += blocks[i / 32].valid >> i % 32 & 1 && feature_on(&f, i) != on;
	forget_features(&f);
	free(set);
	if (wrong)
		die(EXIT_WRONG, "%s: %s did not become %s", interface, word, on ? "on" : "off");
	printf("{\"%s\": %s}\n", word, on ? "true" : "false");
	return EXIT_OK;
}

static int channels(const char *text)
{
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };

	need(&c, "channels");
	if (text) {
		c.cmd = ETHTOOL_SCHANNELS;
		if (c.max_combined)
			c.combined_count = (uint32_t)number(text, "channels", 1, 65536);
		else
			c.rx_count = c.tx_count = (uint32_t)number(text, "channels", 1, 65536);
		need(&c, "change of channels");
		c.cmd = ETHTOOL_GCHANNELS;
		need(&c, "channels");
	}
	printf("{\"rx\": %u, \"tx\": %u, \"combined\": %u, \"max\": {\"rx\": %u, \"tx\": %u, "
	       "\"combined\": %u}}\n",
	       c.rx_count, c.tx_count, c.combined_count, c.max_rx, c.max_tx, c.max_combined);
	return EXIT_OK;
}

static int stats(void)
{
	struct ethtool_gstrings *names = strings(ETH_SS_STATS);
	struct ethtool_stats *s = calloc(1, sizeof(*s) + names->len * sizeof(uint64_t));

	if (!s)
		die(EXIT_SYSTEM, "no memory");
	s->cmd = ETHTOOL_GSTATS;
	s->n_stats = names->len;
	if (names->len)
		need(s, "statistics");
	printf("{");
	for (unsigned int i = 0; i < names->len; i++)
		printf("%s\"%s\": %llu", i ? ", " : "", name_of(names, i),
		       (unsigned long long)s->data[i]);
	printf("}\n");
	free(s);
	free(names);
	return EXIT_OK;
}

static int info(void)
{
	struct ethtool_drvinfo d = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_value link = { .cmd = ETHTOOL_GLINK };

	need(&d, "driver");
	need(&link, "link");
	printf("{\"driver\": \"%.31s\", \"version\": \"%.31s\", \"bus\": \"%.31s\", \"link\": "
	       "%s}\n",
	       d.driver, d.version, d.bus_info, link.data ? "true" : "false");
	return EXIT_OK;
}

static int rings(void)
{
	struct ethtool_ringparam r = { .cmd = ETHTOOL_GRINGPARAM };

	need(&r, "rings");
	printf("{\"rx\": %u, \"tx\": %u, \"max\": {\"rx\": %u, \"tx\": %u}}\n", r.rx_pending,
	       r.tx_pending, r.rx_max_pending, r.tx_max_pending);
	return EXIT_OK;
}

/* Coalescing; with @what one value is changed to @text first. */
static int coalesce(const char *what, const char *text)
{
	struct ethtool_coalesce c = { .cmd = ETHTOOL_GCOALESCE };

	need(&c, "coalescing");
	if (what) {
		uint32_t value = (uint32_t)number(text, what, 0, UINT32_MAX);

		if (strcmp(what, "rx_usecs") == 0)
			c.rx_coalesce_usecs = value;
		else if (strcmp(what, "tx_frames") == 0)
			c.tx_max_coalesced_frames = value;
		else
			die(EXIT_USAGE, "%s is not rx_usecs or tx_frames", what);
		c.cmd = ETHTOOL_SCOALESCE;
		need(&c, "change of coalescing");
		c.cmd = ETHTOOL_GCOALESCE;
		need(&c, "coalescing");
	}
	printf("{\"rx_usecs\": %u, \"rx_frames\": %u, \"tx_usecs\": %u, \"tx_frames\": %u, "
	       "\"adaptive_rx\": %s, \"adaptive_tx\": %s}\n",
	       c.rx_coalesce_usecs, c.rx_max_coalesced_frames, c.tx_coalesce_usecs,
	       c.tx_max_coalesced_frames, c.use_adaptive_rx_coalesce ? "true" : "false",
	       c.use_adaptive_tx_coalesce ? "true" : "false");
	return EXIT_OK;
}

/* The key of the receive hash, changed to @text first if that is given. */
static int hash_key(const char *text)
{
	struct ethtool_rxfh size = { .cmd = ETHTOOL_GRSSH }, *r;
	uint8_t *key;

	need(&size, "size of the hash key");
	if (size.indir_size > MAX_STRINGS || size.key_size > MAX_STRINGS)
		die(EXIT_SYSTEM, "%s: a hash key of %u bytes, %u entries", interface, size.key_size,
		    size.indir_size);
	r = zalloc(sizeof(*r) + size.indir_size * sizeof(uint32_t) + size.key_size);
	/* The key's place is behind a table, whether that is there or not. */
	key = (uint8_t *)&r->rss_config[size.indir_size];
	if (text) {
		*r = (struct ethtool_rxfh){ .cmd = ETHTOOL_SRSSH,
					    .indir_size = ETH_RXFH_INDIR_NO_CHANGE,
					    .key_size = size.key_size };
		if (strlen(text) != 2 * (size_t)size.key_size)
			die(EXIT_USAGE, "%s: the key has %u bytes", interface, size.key_size);
		for (uint32_t i = 0; i < size.key_size; i++) {
			if (sscanf(text + (size_t)2 * i, "%2hhx", &key[i]) != 1)
				die(EXIT_USAGE, "%s is no key", text);
		}
		need(r, "change of the hash key");
	}
	*r = size;
	r->cmd = ETHTOOL_GRSSH;
	need(r, "hash key");
	printf("{\"key\": \"");
	for (uint32_t i = 0; i < size.key_size; i++)
		printf("%02x", key[i]);
	printf("\"}\n");
	free(r);
	return EXIT_OK;
}

/* The indirection table, spread over the first @text queues, or as the kernel does, if given. */
static int indirection(const char *text)
{
	struct ethtool_rxfh_indir *t = calloc(1, sizeof(*t) + MAX_STRINGS * sizeof(uint32_t));

	if (!t)
		die(EXIT_SYSTEM, "no memory");
	t->cmd = ETHTOOL_GRXFHINDIR;
	need(t, "size of the indirection table");
	if (t->size > MAX_STRINGS)
		die(EXIT_SYSTEM, "%s: an indirection table of %u entries", interface, t->size);
	if (text) {
		bool reset = strcmp(text, "default") == 0;
		uint32_t queues = reset ? 1 : (uint32_t)number(text, "queues", 1, 65536);
		uint32_t size = t->size;

		t->cmd = ETHTOOL_SRXFHINDIR;
		for (uint32_t i = 0; i < size; i++)
			t->ring_index[i] = i % queues;
		/* A table of no entry takes the user's back. */
		t->size = reset ? 0 : size;
		need(t, "change of the indirection table");
		t->size = size;
	}
	t->cmd = ETHTOOL_GRXFHINDIR;
	need(t, "indirection table");
	printf("{\"indir\": [");
	for (uint32_t i = 0; i < t->size; i++)
		printf("%s%u", i ? ", " : "", t->ring_index[i]);
	printf("]}\n");
	free(t);
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";

	tool_name = "offload";
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage, stdout);
		return EXIT_OK;
	}
	if (argc < 3) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	interface = argv[1];
	if (!if_nametoindex(interface))
		die_errno("%s", interface);
	control = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (control < 0)
		die_errno("socket");
	if (strcmp(what, "channels") == 0 && argc <= 4)
		return channels(argv[3]);
	if (strcmp(what, "indir") == 0 && (argc == 3 || (argc == 5 && !strcmp(argv[3], "equal"))))
		return indirection(argc == 5 ? argv[4] : NULL);
	if (strcmp(what, "coalesce") == 0 && (argc == 3 || argc == 5))
		return coalesce(argc == 5 ? argv[3] : NULL, argc == 5 ? argv[4] : NULL);
	if (strcmp(what, "key") == 0 && argc <= 4)
		return hash_key(argv[3]);
	if (argc == 3) {
		static const struct {
			const char *name;
			int (*run)(void);
		} plain[] = {
			{ "show", show }, { "stats", stats }, { "info", info }, { "rings", rings }
		};

		for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
			if (strcmp(plain[i].name, what) == 0)
				return plain[i].run();
		}
	}
	if (argc == 4 && (strcmp(argv[3], "on") == 0 || strcmp(argv[3], "off") == 0))
		return set_feature(what, strcmp(argv[3], "on") == 0);
	fputs(usage, stderr);
	return EXIT_USAGE;
}
