/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TCPFSM_CDEV_H
#define TCPFSM_CDEV_H

#include <linux/types.h>

int tcpfsm_cdev_register(unsigned int slots, bool flight_recorder);
void tcpfsm_cdev_unregister(void);

#endif /* TCPFSM_CDEV_H */
