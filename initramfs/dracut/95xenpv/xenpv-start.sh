#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Before udev, so that the balloon engine precedes all that takes memory.
/usr/lib/xenpv/xenpv-boot start
