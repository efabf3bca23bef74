/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notices that images grow or shrink.
 *
 * inotify is of no use here: a watched file costs an event for each write of
 * its guest. So sizes are compared every now and then, by a child process, since
 * stat(2) on a dead NFS server sleeps for as long as it likes. Whoever cannot
 * wait sends SIGHUP, or writes the node `resize` below the device's directory.
 */
#pragma once

#include "control/broker.h"

int resize_start(struct broker *b);
void resize_stop(struct broker *b);
/* Look at all images now. */
void resize_look(struct broker *b);
