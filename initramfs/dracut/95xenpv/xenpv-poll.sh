#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Called again and again until the root file system is there: it never waits itself.
/usr/lib/xenpv/xenpv-boot poll || :
