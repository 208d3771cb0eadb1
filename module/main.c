// SPDX-License-Identifier: GPL-2.0
/* Load, unload, parameters. */
#include <linux/log2.h>
#include <linux/module.h>

#include "cdev.h"
#include "hooks.h"
#include "listeners/listener.h"
#include "record.h"
#include "ring.h"
#include "wake.h"

#define SLOTS_MIN	64
#define SLOTS_MAX	(1 << 20)
#define SLOTS_FEW	8192
#define SLOTS_MANY	32768
#define RINGS_BYTES	(64UL << 20)
#define WATERMARK	1024

static unsigned int slots;
module_param(slots, uint, 0444);
MODULE_PARM_DESC(slots, "records per CPU, a power of two from 64 to 1048576; 128 bytes each (default 32768, with more than 16 possible CPUs so many that all have 64 MiB, but no less than 8192)");

static unsigned int watermark;
module_param(watermark, uint, 0444);
MODULE_PARM_DESC(watermark, "records in one ring that wake a sleeping reader, 1 to slots (default slots/8, 1024 at most)");

static bool flight_recorder = true;
module_param(flight_recorder, bool, 0444);
MODULE_PARM_DESC(flight_recorder, "record while no reader is attached (default Y)");

static unsigned int listeners = 256;
module_param(listeners, uint, 0444);
MODULE_PARM_DESC(listeners, "listeners with totals of their own to begin with, a power of two from 16 to 4096; 2 KiB each per online CPU; doubled when three quarters are taken, up to 4096 and to 1/128 of the memory, as any user can make more of them (default 256)");

module_param_named(syn_limit, tcpfsm_syn_limit, uint, 0644);
MODULE_PARM_DESC(syn_limit, "records of refused SYNs and ACKs per second, listener and CPU, and of RSTs without a connection, listen(), shutdown() and restarted TIME_WAITs each per network namespace; 0: no limit (default 1000)");

static bool seq = true;
module_param(seq, bool, 0444);
MODULE_PARM_DESC(seq, "records have sequence numbers, by which who reads them can forge segments (default Y)");

/* All that one CPU made in 2 s leaves TIME_WAIT at once: 60 s fall in that level of the timer wheel. */
static unsigned int __init default_slots(void)
{
	unsigned long n = RINGS_BYTES / sizeof(struct tcpfsm_record) / num_possible_cpus();

	return clamp_t(unsigned long, rounddown_pow_of_two(n), SLOTS_FEW, SLOTS_MANY);
}

static int __init tcpfsm_init(void)
{
	struct tcpfsm_info info = {};
	int err;

	if (!slots)
		slots = default_slots();
	if (!is_power_of_2(slots) || slots < SLOTS_MIN || slots > SLOTS_MAX) {
		pr_err("tcpfsm: slots=%u: must be a power of two from %u to %u\n",
		       slots, SLOTS_MIN, SLOTS_MAX);
		return -EINVAL;
	}
	if (!watermark)
		watermark = min_t(unsigned int, slots / 8, WATERMARK);
	if (watermark > slots) {
		pr_err("tcpfsm: watermark=%u: must be from 1 to slots (%u)\n",
		       watermark, slots);
		return -EINVAL;
	}
	if (!is_power_of_2(listeners) || listeners < TCPFSM_LISTENERS_MIN ||
	    listeners > TCPFSM_LISTENERS_MAX) {
		pr_err("tcpfsm: listeners=%u: must be a power of two from %u to %u\n",
		       listeners, TCPFSM_LISTENERS_MIN, TCPFSM_LISTENERS_MAX);
		return -EINVAL;
	}

	err = tcpfsm_ring_alloc(slots);
	if (err) {
		pr_err("tcpfsm: no memory for %u rings of %u records; load with a smaller slots=\n",
		       num_possible_cpus(), slots);
		return err;
	}
	tcpfsm_wake_init(watermark);
	err = tcpfsm_listener_init(listeners);
	if (err) {
		pr_err("tcpfsm: no memory for %u listeners; load with a smaller listeners=\n",
		       listeners);
		goto free_rings;
	}

	if (!seq)
		static_branch_enable(&tcpfsm_seq_hidden);
	if (flight_recorder) {
		err = tcpfsm_hooks_attach();
		if (err) {
			pr_err("tcpfsm: cannot attach to sock:inet_sock_set_state: error %d\n",
			       err);
			goto free_listeners;
		}
	}
	err = tcpfsm_cdev_register(slots, flight_recorder);
	if (err) {
		pr_err("tcpfsm: cannot make /dev/tcpfsm: error %d\n", err);
		goto detach_hooks;
	}

	tcpfsm_hooks_info(&info);
	pr_info("tcpfsm: %s loaded: %u rings of %u records, flight recorder %s, %lu features%s\n",
		TCPFSM_VERSION, num_possible_cpus(), slots,
		flight_recorder ? "on" : "off", hweight_long(info.features),
		flight_recorder ? " on" : "");
	return 0;

detach_hooks:
	if (flight_recorder)
		tcpfsm_hooks_detach();
free_listeners:
	tcpfsm_listener_exit();
free_rings:
	tcpfsm_wake_exit();
	tcpfsm_ring_free();
	return err;
}

static void __exit tcpfsm_exit(void)
{
	tcpfsm_cdev_unregister();
	if (flight_recorder)
		tcpfsm_hooks_detach();
	tcpfsm_listener_exit();
	tcpfsm_wake_exit();
	tcpfsm_ring_free();
}

module_init(tcpfsm_init);
module_exit(tcpfsm_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("The TCP state machine as it moves: transitions, listen queues and TIME_WAIT in a ring buffer");
MODULE_AUTHOR("tcpfsm");
MODULE_VERSION(TCPFSM_VERSION);
