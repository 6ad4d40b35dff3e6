"""What the Python strangers tell of an exchange."""
import hashlib


def sum_of(body):
    return {"length": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def filled(size):
    """A body of that size: bytes that would look like the end of one, if any did."""
    piece = b"Signet\r\n0\r\n\r\n"
    return (piece * (size // len(piece) + 1))[:size]


def answer():
    return {"interim": [], "status": 0, "headers": [], "body": None, "text": "", "trailers": [], "fresh": False, "error": ""}


def tell_body(told, body):
    told["body"] = sum_of(body)
    if len(body) <= 4096:
        told["text"] = body.decode("latin1")
