// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/tcpfsm: open, ask for the geometry, map the rings, poll.  An open file
 * holds a reference to the module, so it cannot be unloaded under a reader.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "cdev.h"
#include "hooks.h"
#include "listeners/listener.h"
#include "ring.h"
#include "wake.h"

static unsigned int ring_slots;
static bool always_armed;
static DEFINE_MUTEX(readers_lock);
static unsigned int readers;

/**
 * struct reader - one open file
 * @sleeper: for poll()
 * @agreed: TCPFSM_IOC_INFO found the same ABI version on both sides
 */
struct reader {
	struct tcpfsm_sleeper sleeper;
	bool agreed;
};

static int tcpfsm_open(struct inode *inode, struct file *file)
{
	struct reader *reader;
	int err = 0;

	if (file->f_mode & FMODE_WRITE)
		return -EPERM;
	reader = kzalloc(sizeof(*reader), GFP_KERNEL);
	if (!reader)
		return -ENOMEM;
	reader->sleeper.ready = jiffies;

	mutex_lock(&readers_lock);
	if (!readers && !always_armed)
		err = tcpfsm_hooks_attach();
	if (!err)
		readers++;
	mutex_unlock(&readers_lock);
	if (err) {
		kfree(reader);
		return err;
	}
	file->private_data = reader;
	return stream_open(inode, file);
}

static int tcpfsm_release(struct inode *inode, struct file *file)
{
	mutex_lock(&readers_lock);
	if (!--readers && !always_armed)
		tcpfsm_hooks_detach();
	mutex_unlock(&readers_lock);
	kfree(file->private_data);
	return 0;
}

/* Who does not know of rings that are not there yet takes one for an error. */
static unsigned int rings_without_gap(void)
{
	unsigned int n = 0;

	while (tcpfsm_ring_area(n))
		n++;
	return n;
}

static long ioctl_info(struct reader *reader, struct tcpfsm_info __user *to)
{
	unsigned int made = tcpfsm_ring_made();
	struct tcpfsm_info info = {
		.abi = TCPFSM_ABI_VERSION,
		.record_size = sizeof(struct tcpfsm_record),
		.slots = ring_slots,
		.rings = nr_cpu_ids,
		.watermark = tcpfsm_wake_watermark(),
		.latency_ms = TCPFSM_LATENCY_MS,
		.flight_recorder = always_armed,
		.ring_bytes = tcpfsm_ring_bytes(),
		.ring_stride = tcpfsm_ring_bytes(),
		.epoch_offset = ktime_to_ns(ktime_mono_to_real(0)),
		.version = TCPFSM_VERSION,
		.made = made,
		.ring_memory = made * tcpfsm_ring_bytes(),
		.listener_memory = tcpfsm_listener_bytes(),
		.unkept = tcpfsm_ring_unkept(),
	};
	u32 size, abi;

	if (get_user(size, &to->size) || get_user(abi, &to->abi))
		return -EFAULT;
	if (size < offsetofend(struct tcpfsm_info, abi))
		return -EINVAL;
	/* A caller of another version still learns which one this is. */
	info.size = min_t(u32, size, sizeof(info));
	if (abi != TCPFSM_ABI_VERSION) {
		if (put_user(info.size, &to->size) || put_user(info.abi, &to->abi))
			return -EFAULT;
		return -EPROTO;
	}
	if (size < offsetofend(struct tcpfsm_info, version))
		return -EINVAL;
	if (size < offsetofend(struct tcpfsm_info, made))
		info.rings = rings_without_gap();
	tcpfsm_hooks_info(&info);
	if (copy_to_user(to, &info, info.size))
		return -EFAULT;
	/* Threads and children may use the same file. */
	WRITE_ONCE(reader->sleeper.rings, info.rings);
	WRITE_ONCE(reader->agreed, true);
	return 0;
}

static long tcpfsm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct reader *reader = file->private_data;
	u64 consumed;

	/* The size in the number is the caller's: info may grow. */
	if (_IOC_TYPE(cmd) == _IOC_TYPE(TCPFSM_IOC_INFO) &&
	    _IOC_NR(cmd) == _IOC_NR(TCPFSM_IOC_INFO))
		return ioctl_info(reader, (void __user *)arg);
	if (!READ_ONCE(reader->agreed))
		return -EPROTO;
	switch (cmd) {
	case TCPFSM_IOC_CONSUMED:
		if (get_user(consumed, (u64 __user *)arg))
			return -EFAULT;
		WRITE_ONCE(reader->sleeper.consumed, consumed);
		return 0;
	case TCPFSM_IOC_TOTALS:
		return tcpfsm_listener_totals((void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static __poll_t tcpfsm_poll(struct file *file, poll_table *wait)
{
	struct reader *reader = file->private_data;

	if (!READ_ONCE(reader->agreed))
		return EPOLLERR;
	return tcpfsm_wake_poll(&reader->sleeper, file, wait);
}

/* Exactly one ring, shared, never writable or executable, whatever comes later. */
static int tcpfsm_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct reader *reader = file->private_data;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 bytes = tcpfsm_ring_bytes();
	u64 cpu = div64_u64(offset, bytes);
	struct tcpfsm_ring *area;

	if (!READ_ONCE(reader->agreed))
		return -EPROTO;
	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EPERM;
	/* VM_SHARED is gone from a file that was opened for reading. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_pgoff > U64_MAX >> PAGE_SHIFT || cpu >= nr_cpu_ids ||
	    cpu * bytes != offset || vma->vm_end - vma->vm_start != bytes)
		return -EINVAL;
	area = tcpfsm_ring_area(cpu);
	if (!area)
		return -ENXIO;
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP, VM_MAYWRITE | VM_MAYEXEC);
	return remap_vmalloc_range(vma, area, 0);
}

static const struct file_operations tcpfsm_fops = {
	.owner = THIS_MODULE,
	.open = tcpfsm_open,
	.release = tcpfsm_release,
	.unlocked_ioctl = tcpfsm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = tcpfsm_poll,
	.mmap = tcpfsm_mmap,
};

static struct miscdevice tcpfsm_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "tcpfsm",
	.fops = &tcpfsm_fops,
	.mode = 0600,
};

/**
 * tcpfsm_cdev_register() - make /dev/tcpfsm; readers may come from now on
 * @slots: records per ring
 * @flight_recorder: hooks are attached already and stay; otherwise they follow
 *		     the first open and the last close
 *
 * Context: process.  Return: 0 or a negative errno.
 */
int tcpfsm_cdev_register(unsigned int slots, bool flight_recorder)
{
	ring_slots = slots;
	always_armed = flight_recorder;
	return misc_register(&tcpfsm_device);
}

/**
 * tcpfsm_cdev_unregister() - remove /dev/tcpfsm; no file is open
 */
void tcpfsm_cdev_unregister(void)
{
	misc_deregister(&tcpfsm_device);
}
