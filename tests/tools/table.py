#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""table.py COMMAND ARG...: many listeners on loopback, from port PORT on, for tests/guest/table."""
import os
import resource
import socket
import sys


def listener(port, backlog=16):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(('127.0.0.1', port))
    sock.listen(backlog)
    return sock


def served(port, count):
    """Connections that are made, accepted, and reset: no TIME_WAIT."""
    sock = listener(port)
    for _ in range(count):
        client = socket.create_connection(('127.0.0.1', port))
        server, _ = sock.accept()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
        server.close()
        client.close()
    return sock


def ready():
    print('ready', os.getpid(), flush=True)
    sys.stdin.read()


def busy(port, count, each):
    """COUNT listeners with EACH connections; told to, it closes all and serves one more."""
    socks = [served(port + i, each) for i in range(count)]
    print('ready', os.getpid(), flush=True)
    sys.stdin.readline()
    for sock in socks[1:]:
        sock.close()
    last = served(port + count, 1)
    print('closed', flush=True)
    # Until there is room for it.
    while sys.stdin.readline():
        last.close()
        last = served(port + count, 1)
        print('again', flush=True)


def idle(port, count):
    """COUNT listeners that nobody connects to."""
    socks = [listener(port + i) for i in range(count)]
    ready()
    del socks


def failing(port, count):
    """COUNT times listen() that fails."""
    first = []
    for _ in range(count + 1):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(('127.0.0.1', port))
        first.append(sock)
    first[0].listen(1)
    failed = 0
    for sock in first[1:]:
        try:
            sock.listen(1)
        except OSError:
            failed += 1
    print(failed, flush=True)


def full(port, backlog):
    """An accept queue that is full, and more came; then the limit is raised and nobody accepts."""
    sock = listener(port, backlog)
    clients = [socket.create_connection(('127.0.0.1', port)) for _ in range(backlog + 1)]
    print('ready', os.getpid(), flush=True)
    sys.stdin.readline()
    sock.listen(10 * backlog)
    print('raised', flush=True)
    sys.stdin.readline()
    clients.append(socket.create_connection(('127.0.0.1', port)))
    print('joined', flush=True)
    sys.stdin.read()


def main():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 20000), most))
    globals()[sys.argv[1]](*(int(arg) for arg in sys.argv[2:]))


main()
