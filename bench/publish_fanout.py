#!/usr/bin/env python3
"""How much does a message to many subscribers cost, beside redis-server?

One publisher sends messages of 64 bytes to one channel, pipelined; its subscribers read whatever comes. Both servers run
at once and are loaded in turn, round by round. Counts messages delivered per second, and the server's CPU time for each.
A run fails unless every subscriber gets every byte. See bench/README.md.
"""

import argparse
import pathlib
import selectors
import statistics
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402

PAYLOAD = b"x" * 64
CHANNEL = b"news"
MESSAGE = harness.encode(b"message", CHANNEL, PAYLOAD)
PIPELINE = 16


class Subscribers(threading.Thread):
    """Many connections that have subscribed to the channel, read by one thread until each has had its bytes."""

    def __init__(self, server, count, bytes_each):
        super().__init__(daemon=True)
        self._selector = selectors.DefaultSelector()
        self._left = {}
        self._clients = []
        self.is_complete = False
        for _ in range(count):
            client = server.connect()
            client.call("SUBSCRIBE", CHANNEL)
            socket = client._socket
            socket.setblocking(False)
            self._left[socket] = bytes_each
            self._selector.register(socket, selectors.EVENT_READ)
            self._clients.append(client)

    def run(self):
        buffer = bytearray(1 << 20)
        waiting = len(self._left)
        while waiting > 0:
            for key, _ in self._selector.select():
                count = key.fileobj.recv_into(buffer)
                if count == 0:
                    return
                self._left[key.fileobj] -= count
                if self._left[key.fileobj] <= 0:
                    self._selector.unregister(key.fileobj)
                    waiting -= 1
        self.is_complete = all(left == 0 for left in self._left.values())

    def close(self):
        for client in self._clients:
            client._socket.close()


def measure(server, subscriber_count, messages):
    """(messages delivered per second, CPU microseconds of the server per message delivered)"""
    subscribers = Subscribers(server, subscriber_count, messages * len(MESSAGE))
    request = harness.encode("PUBLISH", CHANNEL, PAYLOAD) * PIPELINE
    with server.connect() as publisher:
        ticks = server.cpu_ticks()
        started = time.monotonic()
        subscribers.start()
        for _ in range(messages // PIPELINE):
            publisher.send(request)
            for _ in range(PIPELINE):
                if publisher.read() != subscriber_count:
                    raise harness.BenchError(f"{server.name}: a subscriber is gone")
        subscribers.join()
        seconds = time.monotonic() - started
        ticks = server.cpu_ticks() - ticks
    subscribers.close()
    if not subscribers.is_complete:
        raise harness.BenchError(f"{server.name}: a subscriber did not get every message")
    delivered = messages * subscriber_count
    return delivered / seconds, ticks / harness.TICKS_PER_SECOND / delivered * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--subscribers", default="1,10,100,1000")
    parser.add_argument("--deliveries", type=int, default=1_000_000, help="per run, about")
    parser.add_argument("--server-args", default="", help="for shale-server")
    options = parser.parse_args()
    with harness.scratch_folder(keep=False) as folder:
        servers = [
            harness.Server("shale", harness.SHALE, folder / "shale",
                           ["--client-output-buffer-limit", "pubsub 0 0 0", *options.server_args.split()]),
            harness.Server("redis", "redis-server", folder / "redis",
                           ["--save", "", "--client-output-buffer-limit", "pubsub", "0", "0", "0"]),
        ]
        try:
            for server in servers:
                server.start()
            print(f"commit={harness.commit()} rounds={options.rounds} payload_bytes={len(PAYLOAD)} pipeline={PIPELINE}")
            print("| Subscribers | Shale, messages/s | Redis, messages/s | Ratio | Shale, CPU us | Redis, CPU us | Ratio |")
            print("|---|---|---|---|---|---|---|")
            for count in map(int, options.subscribers.split(",")):
                report(servers, count, options)
        finally:
            for server in servers:
                server.stop()


def report(servers, count, options):
    messages = max(options.deliveries // count // PIPELINE, 1) * PIPELINE
    rounds = [[measure(server, count, messages) for server in servers] for _ in range(options.rounds)]

    def median(pick):
        return statistics.median(pick(shale, redis) for shale, redis in rounds)

    print(f"| {count} | {median(lambda s, r: s[0]):,.0f} | {median(lambda s, r: r[0]):,.0f} "
          f"| {median(lambda s, r: s[0] / r[0]):.2f} | {median(lambda s, r: s[1]):.2f} "
          f"| {median(lambda s, r: r[1]):.2f} | {median(lambda s, r: s[1] / r[1]):.2f} |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except harness.BenchError as error:
        sys.exit(f"publish_fanout: {error}")
