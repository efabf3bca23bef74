/* SPDX-License-Identifier: GPL-2.0-only */
/* Include first: what is tested is part of this module and exports nothing. */
#ifndef XENPV_UNDER_TEST_H
#define XENPV_UNDER_TEST_H

#include <linux/export.h>
#include <kunit/test.h>

#undef EXPORT_SYMBOL_GPL
#define EXPORT_SYMBOL_GPL(sym)

#endif /* XENPV_UNDER_TEST_H */
