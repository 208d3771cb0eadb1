# SPDX-License-Identifier: GPL-2.0-only
"""hosts.py PAGE N: N hosts that tell what PAGE, of a real one, does, at /I/metrics; what has counted goes on counting.
Prints its port; /told has the pages given, their bytes, and those bytes as they were sent."""
import gzip, http.server, re, socketserver, sys, threading, time

COUNTS = re.compile(r'^([a-z_]+(?:_total|_bucket|_count|_sum)(?:{.*})?) ([1-9][0-9.]*)$')
lines = [COUNTS.fullmatch(line) or line for line in open(sys.argv[1]).read().splitlines()]
told, lock, begin = [0, 0, 0], threading.Lock(), time.monotonic()

def page(host):
    # Each at a pace of its own.
    more = int((time.monotonic() - begin) * (1 + host % 10))
    return '\n'.join(line if isinstance(line, str) else f'{line[1]} {float(line[2]) + more:.17g}' for line in lines).encode() + b'\n'

class Hosts(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        host = re.fullmatch('/([0-9]+)/metrics', self.path)
        if host and int(host[1]) < int(sys.argv[2]):
            text = page(int(host[1]))
            body = gzip.compress(text, 6)
            with lock:
                told[:] = [told[0] + 1, told[1] + len(text), told[2] + len(body)]
            self.send_response(200)
            self.send_header('Content-Encoding', 'gzip')
        elif self.path == '/told':
            body = ' '.join(map(str, told)).encode()
            self.send_response(200)
        else:
            body = b''
            self.send_response(404)
        self.send_header('Content-Type', 'text/plain; version=0.0.4')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 1024

server = Server(('127.0.0.1', 0), Hosts)
print(server.server_port, flush=True)
server.serve_forever()
