/* SPDX-License-Identifier: GPL-2.0-only */
/* Empty: User Mode Linux has no DMA. */
