"""hyper-h2 over a plain socket, by prior knowledge: reads what to ask as JSON, prints what it was answered."""
import json
import socket
import sys
import urllib.parse

import h2.config
import h2.connection
import h2.events

from transcript import answer, filled, tell_body


class Connection:
    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=30)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="latin1"))
        self.h2.initiate_connection()
        self.flush()
        self.events = []

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def read(self):
        """The events of what comes next."""
        data = self.socket.recv(65536)
        if not data:
            raise OSError("the connection ended")
        events = self.h2.receive_data(data)
        for event in events:
            if isinstance(event, h2.events.DataReceived):
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.flush()
        return events

    def send(self, stream, body, take):
        """Sends a body as far as its reader lets it; what comes meanwhile is given to `take`."""
        while body:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(body))
            if room == 0:
                take(self.read())
                continue
            self.h2.send_data(stream, body[:room])
            body = body[room:]
            self.flush()


def ask(connection, host, order):
    told, body, over = answer(), bytearray(), []
    stream = connection.h2.get_next_available_stream_id()
    told["fresh"] = stream == 1

    def take(events):
        for event in events:
            if isinstance(event, h2.events.ConnectionTerminated):
                told["error"] = "GOAWAY %s" % event.error_code
                over.append(event)
            if getattr(event, "stream_id", stream) != stream:
                continue
            if isinstance(event, h2.events.InformationalResponseReceived):
                told["interim"].append({"status": int(event.headers[0][1]), "headers": event.headers[1:]})
            if isinstance(event, h2.events.ResponseReceived):
                told["status"], told["headers"] = int(event.headers[0][1]), event.headers[1:]
            if isinstance(event, h2.events.DataReceived):
                body.extend(event.data)
            if isinstance(event, h2.events.TrailersReceived):
                told["trailers"] = event.headers
            if isinstance(event, h2.events.StreamReset):
                told["error"] = "RST_STREAM %s" % event.error_code
            if isinstance(event, (h2.events.StreamReset, h2.events.StreamEnded)):
                over.append(event)

    sent = filled(order["size"]) if order["body"] else b""
    head = [(":method", order["method"]), (":scheme", "http"), (":authority", host), (":path", order["path"])]
    head += [("user-agent", "python")] + [(name.lower(), value.encode("latin1")) for name, value in order["headers"]]
    if order["body"] == "fixed":
        head.append(("content-length", str(len(sent))))
    bodyless, trailers = not order["body"], order.get("trailers", [])
    connection.h2.send_headers(stream, head, end_stream=bodyless)
    connection.flush()
    if not bodyless:
        connection.send(stream, sent, take)
        if trailers:
            connection.h2.send_headers(stream, [(name.lower(), value) for name, value in trailers], end_stream=True)
        else:
            connection.h2.end_stream(stream)
        connection.flush()
    while not over:
        take(connection.read())
    tell_body(told, bytes(body))
    return told


orders = json.load(sys.stdin)
there = urllib.parse.urlsplit(orders["base"])
connection = Connection((there.hostname, there.port))
json.dump([ask(connection, orders["host"], order) for order in orders["asks"]], sys.stdout)
