"""Python's http.client: reads what to ask as JSON, prints what it was answered."""
import http.client
import json
import sys
import urllib.parse

from transcript import answer, filled, tell_body


def pieces(body):
    for at in range(0, len(body), 8192):
        yield body[at : at + 8192]


def ask(connection, host, order):
    told = answer()
    told["fresh"] = connection.sock is None
    body = filled(order["size"]) if order["body"] else None
    try:
        connection.putrequest(order["method"], order["path"], skip_host=True, skip_accept_encoding=True)
        for name, value in [["Host", host], ["User-Agent", "python"]] + order["headers"]:
            connection.putheader(name, value)
        if order["body"] == "fixed":
            connection.putheader("Content-Length", str(len(body)))
        if order["body"] == "chunked":
            connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders(pieces(body), encode_chunked=True)
        else:
            connection.endheaders(body)
        response = connection.getresponse()
        told["status"] = response.status
        told["headers"] = response.getheaders()
        tell_body(told, response.read())
    except (OSError, http.client.HTTPException) as error:
        told["error"] = repr(error)
        connection.close()
    return told


orders = json.load(sys.stdin)
there = urllib.parse.urlsplit(orders["base"])
connection = http.client.HTTPConnection(there.hostname, there.port, timeout=30)
json.dump([ask(connection, orders["host"], order) for order in orders["asks"]], sys.stdout)
