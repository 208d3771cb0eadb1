#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""sleeper.py idle|wake COUNT: a reader of /dev/tcpfsm that sleeps in poll() without a limit of its own.

idle: has read all; prints "ready", sleeps until something happens and ends.
wake: COUNT times: has read all, sleeps, and one connection is refused at a random moment after that.  Each time
it must be woken; who is not within 30 s never will be (poll() looks once more then, and finds the records)."""
import fcntl, mmap, os, random, select, socket, struct, sys, threading, time

SIZE, ABI, WAIT = 1024, 1, 30

def ioc(direction, number, size):
    return direction << 30 | size << 16 | 0xF5 << 8 | number

fd = os.open("/dev/tcpfsm", os.O_RDONLY)
info = bytearray(SIZE)
struct.pack_into("=II", info, 0, SIZE, ABI)
fcntl.ioctl(fd, ioc(3, 1, SIZE), info)
rings, length, stride = struct.unpack_from("=I", info, 16)[0], *struct.unpack_from("=QQ", info, 32)
maps = []
for cpu in range(rings):
    try:
        maps.append(mmap.mmap(fd, length, mmap.MAP_SHARED, mmap.PROT_READ, offset=cpu * stride))
    except OSError:  # not online yet
        pass

def written():
    return sum(struct.unpack_from("=Q", m, 0)[0] for m in maps)

def sleep_until_woken(seen, limit=None):
    """Has read so many records, and sleeps until there are more."""
    fcntl.ioctl(fd, ioc(1, 2, 8), struct.pack("=Q", seen))
    return poll.poll(limit)

def refused():
    with socket.socket() as s:
        s.connect_ex(("127.0.0.1", 9))

poll = select.poll()
poll.register(fd, select.POLLIN)
if sys.argv[1] == "idle":
    print("ready", flush=True)
    sleep_until_woken(written())
    sys.exit(0)
for n in range(int(sys.argv[2])):
    # Between the marks that the timer sets, or long after it has stopped.
    delay = random.uniform(0, 0.2)
    seen = written()
    threading.Timer(delay, refused).start()
    begin = time.monotonic()
    sleep_until_woken(seen, WAIT * 1000)
    if time.monotonic() - begin >= WAIT:
        sys.exit(f"not woken: {n + 1} of {sys.argv[2]}, {delay * 1000:.1f} ms before {written() - seen} records")
    # The other one may still write: quiet before the next.
    while threading.active_count() > 1:
        select.select([], [], [], 0.001)
