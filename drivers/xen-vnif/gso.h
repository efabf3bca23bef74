/* SPDX-License-Identifier: GPL-2.0-only */
/* Checksum and segmentation of received packets, checked and put into words. Pure. */
#ifndef XVIF_GSO_H
#define XVIF_GSO_H

#include "extra.h"

/** enum xvif_csum - what is known about a received packet's checksum */
enum xvif_csum {
	XVIF_CSUM_NONE,		/* to be checked */
	XVIF_CSUM_VALID,	/* checked by the backend */
	XVIF_CSUM_BLANK,	/* not there, and need not be: it came from this host */
};

enum xvif_csum xvif_csum(u16 flags, bool offload);
const char *xvif_gso_check(const struct xvif_extras *extras, const u8 *head, u32 head_len, u32 len);

#endif /* XVIF_GSO_H */
