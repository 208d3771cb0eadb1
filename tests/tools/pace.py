#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""pace.py burst BACKLOG CLIENTS PORT: so many connect at once; one is accepted, 5 ms later the next.
pace.py opens N PORT: opens a connection a second, N times, and closes it first.

Prints "ready PID" when it is over, and how many failed; ends with its standard input.
"""
import errno
import os
import socket
import sys
import threading
import time


def listen(backlog, port):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(('127.0.0.1', port))
    server.listen(backlog)
    return server


def burst(backlog, n, port):
    server = listen(backlog, port)
    kept = []

    def serve():
        while True:
            kept.append(server.accept())
            time.sleep(0.005)

    clients = [socket.socket() for i in range(n)]
    for c in clients:
        c.setblocking(False)
    threading.Thread(target=serve, daemon=True).start()
    time.sleep(0.1)
    for c in clients:
        c.connect_ex(('127.0.0.1', port))
    # Those that were refused come a second time, and a third.
    time.sleep(5)
    kept += clients, [server]
    return 0, kept


def opens(n, port):
    server = listen(8, port)
    failed = 0

    def serve():
        while True:
            s, _ = server.accept()
            while s.recv(100):
                pass
            s.close()

    threading.Thread(target=serve, daemon=True).start()
    time.sleep(0.1)
    for _ in range(n):
        c = socket.socket()
        try:
            c.connect(('127.0.0.1', port))
        except OSError as e:
            if e.errno != errno.EADDRNOTAVAIL:
                raise
            failed += 1
        c.close()
        time.sleep(1)
    return failed, [server]


def main():
    what, *numbers = sys.argv[1:]
    failed, kept = {'burst': burst, 'opens': opens}[what](*map(int, numbers))
    print('ready', os.getpid(), failed, flush=True)
    sys.stdin.read()
    sys.stdout.flush()
    os._exit(0 if kept else 1)


main()
