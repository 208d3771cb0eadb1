# SPDX-License-Identifier: GPL-2.0-only
"""page.py METRICS.md: an exporter of all that the table in docs/metrics.md has, with counters that move. Prints its port."""
import http.server, itertools, re, sys, time

VALUES = {'queue': ['syn', 'accept'], 'severity': ['critical'], 'verdict': ['syn_flood'], 'result': ['established', 'ECONNREFUSED'],
          'reason': ['acceptq_full'], 'port': ['80'], 'name': ['syn'], 'by': ['request', 'cookie']}
rows = [[c.strip(' `') for c in line.split('|')[1:4]] for line in open(sys.argv[1]) if line.startswith('| `tcpfsm_')]

def page():
    t = time.monotonic()
    for name, kind, labels in rows:
        yield f'# TYPE {name} {kind}'
        names = [l for l in labels.split(',') if l]
        for values in itertools.product(*(VALUES.get(n, ['1']) for n in names)):
            pairs = [f'{n}="{v}"' for n, v in zip(names, values)]
            # A feature that is off is shown, too.
            value = 0 if name == 'tcpfsm_feature' else t if kind != 'gauge' else 1
            if kind != 'histogram':
                yield f'{name}{{{",".join(pairs)}}} {value}'
                continue
            for i, le in enumerate(['0.001', '0.1', '+Inf']):
                yield f'{name}_bucket{{{",".join(pairs + [f"""le="{le}" """.strip()])}}} {value * (i + 1)}'
            yield f'{name}_count{{{",".join(pairs)}}} {value * 3}'

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Type', 'text/plain; version=0.0.4')
        self.end_headers()
        self.wfile.write('\n'.join(page()).encode() + b'\n')

    def log_message(self, *_):
        pass

server = http.server.HTTPServer(('127.0.0.1', 0), Page)
print(server.server_port, flush=True)
server.serve_forever()
