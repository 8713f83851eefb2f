"""A block producer in Python, over HTTP: standard library only.

    python3 http_producer.py URL TOKEN_FILE [BLOCKS]

Starts where the scheduler stands, credits a user, and makes a few blocks: in the first the user asks a model something.
docs/HTTP.md explains the API; the signature's encoding is at its end.
"""

import base64
import hashlib
import http.client
import json
import os
import struct
import sys
import threading
import time
import urllib.parse

BLOCK_MS = 500


class Refused(Exception):
    """A problem that does not pass by itself; RFC 9457."""

    def __init__(self, problem):
        super().__init__(f"{problem['title']}: {problem['detail']} {problem['advice']}")
        self.kind = problem["type"].removeprefix("urn:pipe:problem:")
        self.problem = problem


class Scheduler:
    """Asks again what may be asked again: everything here may, since each message names what it is about."""

    def __init__(self, url, token):
        self.url = urllib.parse.urlsplit(url)
        self.token = token
        self.connection = None

    def ask(self, method, path, body=None, headers=None, tries=8):
        headers = {"authorization": f"Bearer {self.token}", **(headers or {})}
        content = None
        if body is not None:
            content = json.dumps(body)
            headers["content-type"] = "application/json"
        for attempt in range(tries):
            try:
                self.connection = self.connection or connect(self.url)
                self.connection.request(method, path, content, headers)
                answer = self.connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException):
                # Whether it arrived is not known. The same message again does no harm.
                self.connection = None
                if attempt + 1 == tries:
                    raise
                time.sleep(0.2 * 2**attempt)
                continue
            if answer.status < 300:
                return json.loads(text) if text else None
            if answer.status not in (429, 503) or attempt + 1 == tries:
                raise Refused(json.loads(text))
            time.sleep(float(answer.headers.get("retry-after", 1)))

    def follow(self, on_event):
        """Calls for each event, and goes on where it stopped when the connection is lost."""
        last_id = None
        while True:
            try:
                connection = connect(self.url)
                headers = {"authorization": f"Bearer {self.token}"}
                if last_id is not None:
                    headers["last-event-id"] = last_id
                connection.request("GET", "/v1/events", headers=headers)
                answer = connection.getresponse()
                fields = {}
                while answer.status == 200 and (line := answer.readline()):
                    name, _, value = line.decode().rstrip("\n").partition(":")
                    if line == b"\n":
                        last_id = fields.get("id", last_id)
                        if "data" in fields:
                            on_event(json.loads(fields["data"]))
                        fields = {}
                    elif name:  # Lines without a name are comments: the scheduler is there.
                        fields[name] = value.removeprefix(" ")
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(2)


def connect(url):
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    return kind(url.hostname, url.port, timeout=60)


# -- Ed25519 (RFC 8032), for lack of one in the standard library: slow, and not constant in time. Use a library for real keys.

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    product = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, P)
    return x % P, y % P


def times(scalar, point):
    result = (0, 1)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def base_point():
    y = 4 * pow(5, -1, P) % P
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    return (P - x if x & 1 else x), y


BASE = base_point()


def compressed(point):
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def number(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


class Key:
    def __init__(self, seed):
        digest = hashlib.sha512(seed).digest()
        self.scalar = int.from_bytes(digest[:32], "little") & ~7 & (1 << 255) - 1 | 1 << 254
        self.prefix = digest[32:]
        self.public = compressed(times(self.scalar, BASE))

    def sign(self, message):
        nonce = number(self.prefix, message) % ORDER
        point = compressed(times(nonce, BASE))
        challenge = number(point, self.public, message)
        return point + ((nonce + challenge * self.scalar) % ORDER).to_bytes(32, "little")


# -- Transactions: each field is its length (32 bits, big endian) and its content.


def field(content):
    if isinstance(content, str):
        content = content.encode()
    elif isinstance(content, int):
        content = struct.pack(">Q", content)
    elif isinstance(content, float):
        content = struct.pack(">d", content)
    elif isinstance(content, list):
        content = field(len(content)) + b"".join(map(field, content))
    return struct.pack(">I", len(content)) + content


def conflict_field(rule):
    tolerance = [float(rule["tolerance"])] if "tolerance" in rule else []
    return [rule["kind"], *([rule["k"]] if "k" in rule else []), *tolerance]


def call_field(call):
    return [
        call["model"],
        call["mode"],
        hashlib.sha256(base64.b64decode(call["input"])).digest(),
        call["tokensIn"],
        call["tokensOut"],
        call["maxFeeGwei"],
        conflict_field(call["conflict"]),
        call["validityBlocks"],
    ]


def signed(transaction, key):
    message = b"".join(
        map(
            field,
            [
                "pipe/transaction/v2",
                transaction["chainId"],
                bytes.fromhex(transaction["sender"]),
                transaction["nonce"],
                transaction["gasPriceGwei"],
                transaction["ttlBlocks"],
                [call_field(call) for call in transaction["calls"]],
            ],
        )
    )
    return {**transaction, "signature": key.sign(message).hex()}, hashlib.sha256(message).hexdigest()


# -- The producer.


def main(url, token_file, blocks=4):
    with open(token_file, encoding="ascii") as file:
        scheduler = Scheduler(url, file.read().strip())
    chain = scheduler.ask("GET", "/v1/registry")["chainId"]
    height = max(1, scheduler.ask("GET", "/v1/statistics")["sizes"]["height"])
    user = Key(os.urandom(32))
    sender = user.public.hex()

    # The place of the deposit on the chain names it, so that it is credited once however often we ask.
    key = {"idempotency-key": f"{chain}/{sender}/1"}
    scheduler.ask("POST", f"/v1/accounts/{sender}/deposits", {"amountGwei": 1_000_000}, key)
    print(f"deposited, next block {height}")

    decided = threading.Event()

    def on_event(event):
        if event["kind"] == "decided":
            decided.set()
        elif event["kind"] == "lagged":
            # We missed something: ask for the status of what we wait for.
            decided.set()

    threading.Thread(target=scheduler.follow, args=(on_event,), daemon=True).start()

    question = {"model": "risk-small", "tokensIn": 16, "tokensOut": 1, "ttlBlocks": blocks}
    [quote] = [mode for mode in scheduler.ask("POST", "/v1/quotes", question)["modes"] if mode["mode"] == "vanilla"]
    call = {
        "model": "risk-small",
        "mode": "vanilla",
        "input": base64.b64encode(struct.pack("<16f", *[0.5] * 16)).decode(),
        "tokensIn": 16,
        "tokensOut": 1,
        "maxFeeGwei": quote["maxFeeGwei"]["most"],
        "conflict": {"kind": "first-valid"},
        "validityBlocks": 16,
    }
    unsigned = {"chainId": chain, "sender": sender, "nonce": 0, "gasPriceGwei": 1, "ttlBlocks": 64, "calls": [call]}
    transaction, transaction_hash = signed(unsigned, user)

    results = 0
    for index in range(blocks):
        seal_at_ms = int(time.time() * 1000) + BLOCK_MS
        scheduler.ask("POST", "/v1/blocks", {"height": height, "sealAtMs": seal_at_ms})
        if index == 0:
            taken = scheduler.ask("POST", "/v1/transactions", transaction)
            again = scheduler.ask("POST", "/v1/transactions", transaction)
            assert taken["hash"] == again["hash"] == transaction_hash, "both sides hash alike"
            print(f"submitted, known when sent again: {again['known']}")
            decided.wait(timeout=20)
        time.sleep(max(0, seal_at_ms / 1000 - time.time()))
        block = scheduler.ask("POST", f"/v1/blocks/{height}/seal", {"maxTransactions": 1000, "order": "gas"})
        for record in block["receipts"]:
            receipt = record["receipt"]
            [risk] = struct.unpack("<f", base64.b64decode(receipt["output"])[:4])
            print(f"block {index + 1}: risk {risk:.3f} from {receipt['node']}, {receipt['feeGwei']} gwei")
            results += receipt["txHash"] == transaction_hash
        scheduler.ask("POST", f"/v1/blocks/{height}/committed")
        height += 1
    account = scheduler.ask("GET", f"/v1/accounts/{sender}")
    print(f"next nonce {account['nextNonce']}, {results} result on the chain")
    try:
        scheduler.ask("GET", "/v1/transactions/" + "00" * 32)
    except Refused as refused:
        print(f"refused as it should be: {refused.kind}")
    return 0 if results == 1 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:4])))
