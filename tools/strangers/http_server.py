"""Python's http.server, which speaks HTTP/1.0: prints its port, and ends when its standard input does."""
import http.server
import json
import os
import sys
import threading

from transcript import filled, sum_of

LARGE = 10 << 20


class Shapes(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        whole = b""
        while size := int(self.rfile.readline(), 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline() not in (b"\r\n", b""):
            pass
        return whole

    def serve(self):
        body = self.body()
        if self.path == "/seen":
            told = {
                "method": self.command,
                "target": self.path,
                "headers": self.headers.items(),
                "body": sum_of(body),
            }
            return self.reply(200, json.dumps(told).encode(), [("Content-Type", "application/json")])
        if self.path == "/echo":
            return self.reply(200, body)
        if self.path == "/large":
            return self.reply(200, filled(LARGE))
        if self.path == "/pieces":
            self.send_response(200)
            self.end_headers()
            if self.command != "HEAD":
                for _ in range(20):
                    self.wfile.write(filled(LARGE // 20))
            return None
        if self.path == "/redirect":
            return self.reply(302, b"", [("Location", "/status/404")])
        if self.path == "/cookies":
            return self.reply(200, b"", [("Set-Cookie", "a=1"), ("X-Between", "x"), ("Set-Cookie", "b=2")])
        if self.path.startswith("/status/"):
            code = int(self.path[8:])
            return self.reply(code, b"" if code in (204, 304) else b"status %d" % code)
        return self.send_error(404)

    def reply(self, code, body, headers=()):
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        if code not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = serve


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shapes)
print(server.server_port, flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
server.serve_forever()
