#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""segment.py COUNT SPORT DPORT [KEY=VALUE...]: TCP segments over loopback, made by hand.

COUNT of them from 127.0.0.1:SPORT to 127.0.0.1:DPORT. flags=SA (of FSRPAU), seq=N, ack=N, ts=VALUE,ECHO
(a timestamp option), data=BYTES; each=1 counts SPORT up. Needs to be root."""
import socket
import struct
import sys

count, sport, dport = map(int, sys.argv[1:4])
how = dict(word.split("=") for word in sys.argv[4:])
flags = sum(1 << "FSRPAU".index(f) for f in how.get("flags", "A"))
option = b""
if "ts" in how:
    option = struct.pack("!BBBBII", 1, 1, 8, 10, *(int(n) & 0xFFFFFFFF for n in how["ts"].split(",")))
payload = b"x" * int(how.get("data", 0))
here = socket.inet_aton("127.0.0.1")


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def segment(sport):
    seq, ack = (int(how.get(k, 1)) & 0xFFFFFFFF for k in ("seq", "ack"))
    tcp = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, (20 + len(option)) // 4 << 4, flags, 4096, 0, 0)
    tcp += option + payload
    pseudo = here + here + struct.pack("!BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, here, here) + tcp


s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
same = segment(sport)
for i in range(count):
    s.sendto(segment(sport + i) if "each" in how else same, ("127.0.0.1", 0))
