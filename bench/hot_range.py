#!/usr/bin/env python3
"""How soon a range that becomes hot is split, and what its clients get before and after.

    bench/hot_range.py PORT [READS_PER_SECOND]

On a running server that may be filled with anything: writes a million keys of 100 bytes, reads them evenly for fifteen
seconds, then only one per cent of them, which share a hash tag and so are neighbours on the ring as in key ranges, until a
shard has been split by itself and for fifteen seconds more, at most two minutes. Reads come from two connections, pipelined
by 20, at READS_PER_SECOND in all (default 20000); the limit of a shard is set to half of that with CONFIG SET.
"""
import random
import re
import socket
import sys
import threading
import time

KEYS = 1_000_000
HOT = (500_000, 510_000)
PIPELINE = 20


def key(number):
    return b"{%03d}:%07d" % (number // 10_000, number)


def encode(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.replies = self.socket.makefile("rb")

    def reply(self):
        line = self.replies.readline()
        if line.startswith(b"$") and line != b"$-1\r\n":
            return self.replies.read(int(line[1:]) + 2)
        return line

    def ask(self, *words):
        self.socket.sendall(encode(*words))
        return self.reply()

    def batch(self, requests):
        self.socket.sendall(b"".join(requests))
        for _ in requests:
            self.reply()


class Reader(threading.Thread):
    def __init__(self, port, rate):
        super().__init__(daemon=True)
        self.connection, self.rate = Connection(port), rate
        self.range, self.latencies, self.running = (0, KEYS), [], True

    def run(self):
        next_batch = time.perf_counter()
        while self.running:
            low, high = self.range
            begin = time.perf_counter()
            self.connection.batch([encode(b"GET", key(random.randrange(low, high))) for _ in range(PIPELINE)])
            now = time.perf_counter()
            self.latencies.append((begin, now - begin))
            next_batch = max(next_batch + PIPELINE / self.rate, now - 1)
            time.sleep(max(0, next_batch - now))


def automatic_splits(control):
    return len(re.findall(rb'"by":"itself"', control.ask(b"STATS", b"JSON", b"HISTORY")))


def report(name, readers, begin, end):
    took = sorted(l for reader in readers for at, l in reader.latencies if begin <= at < end)
    at = lambda part: 1000 * took[min(int(len(took) * part), len(took) - 1)]
    print(f"{name}: {PIPELINE * len(took) / (end - begin):.0f} reads/s, batches p50 {at(0.5):.2f} "
          f"p99 {at(0.99):.2f} p99.9 {at(0.999):.2f} max {at(1):.2f} ms")


def main():
    port = int(sys.argv[1])
    rate = int(sys.argv[2]) if len(sys.argv) > 2 else 20000
    control = Connection(port)
    for first in range(0, KEYS, 1000):
        control.batch([encode(b"SET", key(i), b"x" * 100) for i in range(first, first + 1000)])
    control.ask(b"CONFIG", b"SET", b"shard-max-read-rate", b"%d" % (rate // 2))
    readers = [Reader(port, rate / 2) for _ in range(2)]
    for reader in readers:
        reader.start()
    even = time.perf_counter()
    time.sleep(15)
    before = automatic_splits(control)
    onset = time.perf_counter()
    for reader in readers:
        reader.range = HOT
    report(f"all keys ({before} splits)", readers, even, onset)
    while automatic_splits(control) == before and time.perf_counter() < onset + 120:
        time.sleep(0.02)
    split = time.perf_counter()
    report("hot range", readers, onset, split)
    if automatic_splits(control) == before:
        sys.exit("not split within two minutes")
    print(f"split {split - onset:.1f} s after the onset")
    time.sleep(15)
    report("after the split", readers, split, time.perf_counter())


main()
