#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""conn.py SCENARIO [-6] PORT: sockets for tests/guest/run.

Each step is done when the one before it has been, at both ends: what the kernel does in
an interrupt is waited for, not slept for.
"""
import ctypes
import errno
import os
import select
import socket
import sys
import threading
import time

# As /proc/net/tcp has them; mini-sockets, too.
ESTABLISHED, FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSED, CLOSE_WAIT, LAST_ACK, LISTEN = (
    1, 4, 5, 6, None, 8, 9, 10)


def table(family):
    """The sockets of this network namespace: state and accept queue of (local, remote) ports."""
    with open('/proc/net/tcp6' if family == socket.AF_INET6 else '/proc/net/tcp') as lines:
        next(lines)
        rows = [line.split() for line in lines]
    return {tuple(int(end.rsplit(':', 1)[1], 16) for end in row[1:3]):
            (int(row[3], 16), int(row[4].split(':')[1], 16)) for row in rows}


def wait_for(condition):
    while not condition():
        time.sleep(0.01)


def wait_state(sock_ports, family, *states):
    wait_for(lambda: table(family).get(sock_ports, (CLOSED, 0))[0] in states)


def ports(sock):
    return sock.getsockname()[1], sock.getpeername()[1]


def listener(port, family, backlog=16):
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(('::1' if family == socket.AF_INET6 else '127.0.0.1', port))
    sock.listen(backlog)
    return sock


def pair(port, family):
    server = listener(port, family)
    client = socket.create_connection(server.getsockname()[:2])
    accepted, _ = server.accept()
    server.close()
    return client, accepted


def close_one_by_one(first, second):
    """The second once the first one's FIN has been acknowledged."""
    family, one, other = first.family, ports(first), ports(second)
    first.close()
    # There may be no mini-socket (tcp_max_tw_buckets).
    wait_state(one, family, FIN_WAIT2, CLOSED)
    second.close()
    wait_state(one, family, TIME_WAIT, CLOSED)
    wait_state(other, family, CLOSED)


def client_first(port, family):
    client, server = pair(port, family)
    close_one_by_one(client, server)


def server_first(port, family):
    client, server = pair(port, family)
    close_one_by_one(server, client)


def orphan(port, family):
    """The peer does not close for longer than FIN_WAIT2 is kept."""
    client, server = pair(port, family)
    end = ports(server)
    client.close()
    time.sleep(10)
    server.close()
    wait_state(end, family, CLOSED)


def refused(port, family):
    try:
        socket.create_connection(('::1' if family == socket.AF_INET6 else '127.0.0.1', port))
    except ConnectionRefusedError:
        return
    raise SystemExit('not refused')


def linger_reset(port, family):
    client, server = pair(port, family)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
    end = ports(server)
    client.close()
    wait_state(end, family, CLOSED)
    server.close()


def unread(port, family):
    """The client closes and has not read what came."""
    client, server = pair(port, family)
    server.send(b'x')
    select.select([client], [], [])
    end = ports(server)
    client.close()
    wait_state(end, family, CLOSED)
    server.close()


def accept_queue(port, family):
    """listen(1), nobody accepts: two fit, the rest is told to wait."""
    server = listener(port, family, backlog=1)
    clients = []
    for _ in range(4):
        client = socket.socket(family)
        client.settimeout(0.3)
        clients.append(client)
        try:
            client.connect(server.getsockname()[:2])
        except OSError:
            pass
    for client in clients:
        client.close()


def overflowing(port, family):
    """listen(1), nobody accepts, and one client more each half second."""
    server = listener(port, family, backlog=1)
    print('ready', os.getpid(), flush=True)
    clients = []
    while not select.select([sys.stdin], [], [], 0.5)[0]:
        client = socket.socket(family)
        client.setblocking(False)
        client.connect_ex(server.getsockname()[:2])
        clients.append(client)


def no_port(port, family):
    """More connections to one destination than there are local ports."""
    server = listener(port, family, backlog=64)
    clients = []
    while True:
        client = socket.socket(family)
        try:
            client.connect(server.getsockname()[:2])
        except OSError as error:
            assert error.errno == errno.EADDRNOTAVAIL, error
            break
        clients.append(client)
    print(len(clients))


def run_out(port, family):
    """Five connections a second, each closed by the client at once, until no port is left."""
    server = listener(port, family)
    print('ready', os.getpid(), flush=True)
    due = time.monotonic()
    while True:
        client = socket.socket(family)
        try:
            client.connect(server.getsockname()[:2])
        except OSError as error:
            assert error.errno == errno.EADDRNOTAVAIL, error
            break
        client.close()
        accepted, _ = server.accept()
        accepted.recv(1)
        accepted.close()
        due += 0.2
        time.sleep(max(due - time.monotonic(), 0))


def slow_accept(port, family):
    server = listener(port, family)
    client = socket.create_connection(server.getsockname()[:2])
    # The third ACK has come: from now on it waits.
    select.select([server], [], [])
    time.sleep(0.3)
    accepted, _ = server.accept()
    close_one_by_one(client, accepted)


def relisten(port, family):
    server = listener(port, family, backlog=4096)
    server.listen(5)


def hold(port, family):
    """A connection that stays until standard input ends."""
    client, server = pair(port, family)
    print('ready', os.getpid(), flush=True)
    sys.stdin.read()
    close_one_by_one(client, server)


def shut_first(port, family):
    """
    The same, and the client has nothing but FIN_WAIT2 to close: that makes a mini-socket. If the
    ACK of the FIN comes before close() has returned, FIN_WAIT2 may stay a socket.
    """
    client, server = pair(port, family)
    end = ports(client)
    print('ready', os.getpid(), flush=True)
    sys.stdin.read()
    client.shutdown(socket.SHUT_WR)
    wait_state(end, family, FIN_WAIT2)
    close_one_by_one(client, server)


def serve_one(port, family):
    """A listener that serves, once standard input says so, one connection of its own."""
    server = listener(port, family)
    print('ready', os.getpid(), flush=True)
    sys.stdin.readline()
    client = socket.create_connection(server.getsockname()[:2])
    accepted, _ = server.accept()
    close_one_by_one(client, accepted)
    sys.stdin.read()


def deferring(family, address):
    """A listener for one who connects and says nothing: that stays a request."""
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 600)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(address)
    sock.listen(16)
    return sock


def half_open(port, _):
    """
    Requests until standard input says something: 3 on IPv4, 2 and 1 by IPv4 and IPv6 to one on
    both, 8 to a pair with SO_REUSEPORT, and a listener that has none.
    """
    listeners = [deferring(socket.AF_INET, ('127.0.0.1', port)),
                 deferring(socket.AF_INET6, ('::', port + 1)),
                 deferring(socket.AF_INET, ('127.0.0.1', port + 2)),
                 deferring(socket.AF_INET, ('127.0.0.1', port + 2)),
                 deferring(socket.AF_INET, ('0.0.0.0', port + 3))]
    where = 3 * [('127.0.0.1', port)] + 2 * [('127.0.0.1', port + 1)] + [('::1', port + 1)]
    where += 8 * [('127.0.0.1', port + 2)]
    clients = [socket.create_connection(to) for to in where]
    print('ready', os.getpid(), flush=True)
    sys.stdin.readline()
    for client in clients:
        client.send(b'x')
    served = []
    while len(served) < len(clients):
        served += [sock.accept() for sock in select.select(listeners, [], [])[0]]
    print('served', flush=True)
    sys.stdin.read()


def listen_only(port, family):
    server = listener(port, family, backlog=8)
    print('ready', os.getpid(), flush=True)
    sys.stdin.read()
    server.close()


def many(port, family):
    """Forty listeners, three connections to each; they stay until standard input ends."""
    listeners = [listener(port + i, family) for i in range(40)]
    kept = []
    for server in listeners * 3:
        kept.append(socket.create_connection(server.getsockname()[:2]))
        kept.append(server.accept())
    print('ready', os.getpid(), flush=True)
    sys.stdin.read()


def backlog(port, family):
    """listen(4096) and four connections, two of which are accepted when told to."""
    server = listener(port, family, backlog=4096)
    clients = [socket.create_connection(server.getsockname()[:2]) for _ in range(4)]
    wait_for(lambda: table(family)[port, 0] == (LISTEN, 4))
    print('ready', os.getpid(), flush=True)
    sys.stdin.readline()
    clients += [server.accept(), server.accept()]
    sys.stdin.read()


def heir(port, family):
    """Who called listen() has gone; its heir accepts one of two connections when told to."""
    rename('old')
    server = listener(port, family)
    reader, writer = os.pipe()
    if os.fork():
        os.read(reader, 1)
        os._exit(0)
    rename('heir')
    clients = [socket.create_connection(server.getsockname()[:2]) for _ in range(2)]
    parent = os.getppid()
    os.write(writer, b'x')
    wait_for(lambda: os.getppid() != parent)
    print('ready', os.getpid(), parent, flush=True)
    sys.stdin.readline()
    clients += server.accept()
    print('done', flush=True)
    sys.stdin.read()


def links(port, _):
    """Listeners at fe80::1 of b0 and of b1, three connections to each from the same ports of a0 and of a1."""
    def bound(device, address, number):
        sock = socket.socket(socket.AF_INET6)
        sock.bind((address, number, 0, socket.if_nametoindex(device)))
        return sock

    listeners = [bound('b0', 'fe80::1', port), bound('b1', 'fe80::1', port)]
    for server in listeners:
        server.listen(5)
    for number in range(6):
        client = bound(f'a{number % 2}', 'fe80::2', 40000 + number // 2)
        client.connect(('fe80::1', port, 0, socket.if_nametoindex(f'a{number % 2}')))
        close_one_by_one_at(client, listeners[number % 2].accept()[0], number)
    print('ready', os.getpid(), flush=True)
    sys.stdin.read()


def close_one_by_one_at(client, server, number):
    """Both links have the same ports: there is a TIME_WAIT more each time."""
    client.close()
    server.recv(1)
    server.close()

    def waiting():
        with open('/proc/net/tcp6') as lines:
            return sum(int(line.split()[3], 16) == TIME_WAIT for line in list(lines)[1:])
    wait_for(lambda: waiting() == number + 1)


def rename(name):
    """PR_SET_NAME: of the thread, and if it is the first one, of the process."""
    ctypes.CDLL(None).prctl(15, name.encode() + b'\0', 0, 0, 0)


def pool(port, family):
    """Four threads with names of their own make a connection each; then the process is another one."""
    def work(number):
        rename(f'worker-{number}')
        client_first(port + number, family)

    rename('first')
    for number in range(4):
        thread = threading.Thread(target=work, args=(number,))
        thread.start()
        thread.join()
    rename('second')
    print('ready', os.getpid(), flush=True)
    sys.stdin.read()


def outbound(port, family):
    """Connections of all fates: three refused, five established, of which one closes first, one is closed by
    the peer and three stay; one that gets through at its second SYN; one that times out."""
    server = listener(port, family)
    clients, accepted = [], []
    for _ in range(5):
        clients.append(socket.create_connection(server.getsockname()[:2]))
        accepted.append(server.accept()[0])
    close_one_by_one(clients.pop(), accepted.pop())
    close_one_by_one(accepted.pop(), clients.pop())
    for _ in range(3):
        sock = socket.socket(family)
        assert sock.connect_ex((server.getsockname()[0], port + 1)) == errno.ECONNREFUSED
    # Its queue holds one; while it is full, SYNs are dropped.
    full = listener(port + 2, family, 0)
    first = socket.create_connection(full.getsockname()[:2])
    wait_for(lambda: table(family)[(port + 2, 0)][1] == 1)
    slow = socket.socket(family)
    slow.setblocking(False)
    slow.connect_ex(full.getsockname()[:2])
    wait_for(lambda: (slow.getsockname()[1], port + 2) in table(family))
    accepted.append(full.accept()[0])
    select.select([], [slow], [])
    assert not slow.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    wait_for(lambda: table(family)[(port + 2, 0)][1] == 1)
    late = socket.socket(family)
    late.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
    assert late.connect_ex(full.getsockname()[:2]) == errno.ETIMEDOUT
    print('ready', os.getpid(), flush=True)
    sys.stdin.read()
    del first


def main():
    args = [arg for arg in sys.argv[1:] if arg != '-6']
    family = socket.AF_INET6 if '-6' in sys.argv else socket.AF_INET
    globals()[args[0].replace('-', '_')](int(args[1]), family)


main()
