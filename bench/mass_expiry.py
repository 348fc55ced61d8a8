#!/usr/bin/env python3
"""A million keys that expire in the same second: how soon they are gone, and what clients notice meanwhile.

    bench/mass_expiry.py [--keys N] [--redis] [-- server arguments]

Loads N keys (100-byte values) that all expire at one moment, then measures single GETs and SETs of other keys on one connection
for some seconds before and after it. Prints when DBSIZE had come down to the other keys, and the latencies of the second before
the moment and of the time until all were gone. --redis: the same of redis-server, if it is installed.
"""
import argparse
import multiprocessing
import random
import time

from harness import SHALE, Server, encode, load, scratch_folder

OTHERS = 10_000
VALUE = b"x" * 100
CHUNK = 1000


class Foreground:
    """Single requests, one after the other, with when each began and how long it took: a process of its own, which waits for
    no other thread of this program."""

    def __init__(self, server):
        self.samples = []
        self.ours, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=self.work, args=(server, theirs))
        self.process.start()

    @staticmethod
    def work(server, parent):
        choose = random.Random(1)
        samples = []
        with server.connect() as client:
            while not parent.poll():
                key = b"other:%d" % choose.randrange(OTHERS)
                begin = time.time()
                client.call("SET", key, VALUE) if choose.random() < 0.5 else client.call("GET", key)
                samples.append((begin, time.time() - begin))
        parent.send(samples)

    def finish(self):
        self.ours.send("stop")
        self.samples = self.ours.recv()
        self.process.join()


def percentiles(samples):
    ordered = sorted(took for _, took in samples)
    if not ordered:
        return "nothing"
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1e6 for part in (0.5, 0.99, 0.999)]
    return "requests=%d p50_us=%.0f p99_us=%.0f p999_us=%.0f max_us=%.0f" % (
        len(ordered), *at, ordered[-1] * 1e6)


def fill(client, keys, due_ms):
    def chunks():
        for first in range(0, keys, CHUNK):
            count = min(CHUNK, keys - first)
            yield b"".join(encode("SET", b"key:%012d" % n, VALUE, "PXAT", due_ms)
                           for n in range(first, first + count)), count
    load(client, chunks())


def measure(server, keys):
    with server.connect() as client:
        for n in range(OTHERS):
            client.send(encode("SET", b"other:%d" % n, VALUE))
        client.expect_ok(OTHERS)
        seconds_to_load = 8 + keys / 50_000
        due = time.time() + seconds_to_load
        begin = time.time()
        fill(client, keys, int(due * 1000))
        loaded = time.time() - begin
        if loaded > seconds_to_load - 3:
            print("loading took too long: %.1f s" % loaded)
            return
        foreground = Foreground(server)
        time.sleep(max(due - time.time(), 0))
        cpu = server.cpu_ticks()
        gone = None
        while gone is None and time.time() < due + 60:
            if client.call("DBSIZE") <= OTHERS:
                gone = time.time()
            time.sleep(0.02)
        cpu = server.cpu_ticks() - cpu
        time.sleep(1)
        foreground.finish()
        before = [sample for sample in foreground.samples if due - 2 <= sample[0] < due]
        during = [sample for sample in foreground.samples if due <= sample[0] < (gone or due + 60)]
        print("server=%s keys=%d gone_after_s=%s server_cpu_s=%.2f" % (
            server.name, keys, "%.2f" % (gone - due) if gone else "never", cpu / 100))
        print("  before: " + percentiles(before))
        print("  during: " + percentiles(during))
        info = server.info()
        print("  expired_keys=%s db0=%s" % (info.get("expired_keys"), info.get("db0")))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--redis", action="store_true")
    parser.add_argument("arguments", nargs="*", help="of the server")
    options = parser.parse_args()
    with scratch_folder(False) as folder:
        program = "redis-server" if options.redis else SHALE
        arguments = ["--save", ""] if options.redis else options.arguments
        server = Server("redis" if options.redis else "shale", program, folder / "data", arguments)
        server.start()
        try:
            measure(server, options.keys)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
