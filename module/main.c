// SPDX-License-Identifier: GPL-2.0-only
/* Load, unload, parameters. */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/oom.h>

#include "cdev.h"
#include "hooks.h"
#include "listeners/listener.h"
#include "memory.h"
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
MODULE_PARM_DESC(slots, "records per CPU, a power of two from 64 to 1048576; 128 bytes each (default 32768, with more than 16 CPUs online so many that all have 64 MiB, but no less than 8192)");

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
MODULE_PARM_DESC(syn_limit, "records of refused SYNs and ACKs per second, listener and CPU, and of RSTs that end no connection, listen(), shutdown(), restarted TIME_WAITs and connect() without a port each per network namespace; 0: no limit (default 1000)");

static bool connect_errors;
module_param(connect_errors, bool, 0444);
MODULE_PARM_DESC(connect_errors, "record connect() that fails before a SYN could leave (no route, ...), at the price of two return probes for each connect() (default N)");

static bool seq = true;
module_param(seq, bool, 0444);
MODULE_PARM_DESC(seq, "records have sequence numbers, with which a reader can forge segments (default Y)");

/* All that one CPU made in 2 s leaves TIME_WAIT at once: 60 s fall in that level of the timer wheel. */
static unsigned int __init default_slots(void)
{
	unsigned long n = RINGS_BYTES / sizeof(struct tcpfsm_record) / num_online_cpus();

	return clamp_t(unsigned long, rounddown_pow_of_two(n), SLOTS_FEW, SLOTS_MANY);
}

/*
 * A CPU comes online; it does not run yet.  Its ring is no reason to refuse it:
 * without one, what it writes is lost and counted.
 */
static int cpu_comes(unsigned int cpu)
{
	if (tcpfsm_ring_cpu_up(cpu))
		pr_warn("tcpfsm: no memory for the ring of CPU %u: its records are lost\n", cpu);
	if (tcpfsm_listener_cpu_up(cpu))
		pr_warn("tcpfsm: no memory for the counters of CPU %u: it counts by network namespace only\n",
			cpu);
	return 0;
}

static int cpus_state;

/* The room is an estimate; what is advised takes three quarters of it. */
static void __init tell_memory(unsigned int rings, u64 need, u64 room)
{
	u64 fit = div_u64(room - room / 4, rings);
	char would[32] = "no slots=";

	fit = fit > PAGE_SIZE ? (fit - PAGE_SIZE) / sizeof(struct tcpfsm_record) : 0;
	if (fit >= SLOTS_MIN)
		snprintf(would, sizeof(would), "slots=%lu",
			 rounddown_pow_of_two(min_t(unsigned long, fit, SLOTS_MAX)));
	pr_err("tcpfsm: slots=%u: no memory: %u rings need %llu KiB, %llu KiB can be spared; %s would fit\n",
	       slots, rings, need >> 10, room >> 10, would);
}

/* Asks first; if that was wrong, the OOM killer takes insmod and nobody else. */
static int __init cpus_init(void)
{
	u64 room = tcpfsm_memory_room(), need;
	unsigned int cpu, rings;
	int err = 0;

	cpus_read_lock();
	rings = num_online_cpus();
	need = rings * tcpfsm_ring_bytes();
	if (need > room)
		err = -ENOMEM;
	set_current_oom_origin();
	for_each_online_cpu(cpu) {
		if (err)
			break;
		err = tcpfsm_ring_cpu_up(cpu);
	}
	clear_current_oom_origin();
	if (err) {
		tell_memory(rings, need, room);
	} else {
		err = cpuhp_setup_state_nocalls_cpuslocked(CPUHP_BP_PREPARE_DYN, "tcpfsm:prepare",
							   cpu_comes, NULL);
		if (err < 0)
			pr_err("tcpfsm: cannot watch for CPUs that come online: error %d\n", err);
		else
			cpus_state = err;
	}
	cpus_read_unlock();
	return min(err, 0);
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

	tcpfsm_ring_init(slots);
	tcpfsm_wake_init(watermark);
	err = cpus_init();
	if (err)
		goto free_rings;
	err = tcpfsm_listener_init(listeners);
	if (err) {
		pr_err("tcpfsm: no memory for %u listeners; load with a smaller listeners=\n",
		       listeners);
		goto remove_cpus;
	}

	if (!seq)
		static_branch_enable(&tcpfsm_seq_hidden);
	if (connect_errors)
		static_branch_enable(&tcpfsm_connect_errors);
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
	pr_info("tcpfsm: %s loaded: %u rings of %u records, %llu KiB, totals of listeners %llu KiB, flight recorder %s, %lu features%s\n",
		TCPFSM_VERSION, tcpfsm_ring_made(), slots,
		tcpfsm_ring_made() * tcpfsm_ring_bytes() >> 10, tcpfsm_listener_bytes() >> 10,
		flight_recorder ? "on" : "off", hweight_long(info.features),
		flight_recorder ? " on" : "");
	return 0;

detach_hooks:
	if (flight_recorder)
		tcpfsm_hooks_detach();
free_listeners:
	tcpfsm_listener_exit();
remove_cpus:
	cpuhp_remove_state_nocalls(cpus_state);
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
	cpuhp_remove_state_nocalls(cpus_state);
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
MODULE_INFO(compat, TCPFSM_COMPAT);
