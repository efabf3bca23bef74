/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the files of persist.h are called, for those who write and those who remove them. */
#pragma once

#define PREFIX "05-xenpv-"
/* Of what has VLANs on it and is nothing else of ours: after the files of ports. */
#define PARENT_PREFIX "06-xenpv-"
