/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds devices: watches backend/vbd, backend/vbd3 and backend/vif of the own domain. */
#pragma once

#include "control/broker.h"

/*
 * registry_start - set the watches and take up what is there
 *
 * One watch for each kind, whatever the number of guests. Devices that others
 * left connected are served again.
 */
int registry_start(struct broker *b);

/* Free all devices and guests, without a word to xenstore: guests wait for our return. */
void registry_stop(struct broker *b);
