#!/usr/bin/env python3
"""What clients notice of SPLIT, MERGE and ENGINE: latencies of single SETs and GETs during changes and between them.

    bench/split_under_load.py PORT SECONDS [split|engine]

Eight connections write and read random keys of a million, or of $KEYS, (300-byte values) on a server that has been filled, one
command at a time; meanwhile shard 0 is split and merged again, or moved to the other engine and back, once a second.
Prints every change with how long it took and for how long it held the shard's lock, and then the percentiles.
"""
import os
import random
import re
import socket
import sys
import threading
import time

CONNECTIONS = 8
KEYS = int(os.environ.get("KEYS", 1_000_000))
VALUE = b"x" * 300


def encode(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Load:
    def __init__(self, port):
        self.port, self.stop, self.latencies, self.lock = port, False, [], threading.Lock()
        self.threads = [threading.Thread(target=self.work, args=(n,)) for n in range(CONNECTIONS)]
        for thread in self.threads:
            thread.start()

    def work(self, seed):
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        choose, mine = random.Random(seed), []
        while not self.stop:
            key = b"key:%012d" % choose.randrange(KEYS)
            begin = time.perf_counter()
            connection.sendall(encode(b"SET", key, VALUE) if choose.random() < 0.5 else encode(b"GET", key))
            reply = connection.recv(4096)
            while reply.startswith(b"$") and not reply.startswith(b"$-1") and len(reply) < len(VALUE):
                reply += connection.recv(4096)
            mine.append((begin, time.perf_counter() - begin))
        with self.lock:
            self.latencies.extend(mine)

    def finish(self):
        self.stop = True
        for thread in self.threads:
            thread.join()
        return self.latencies


class Control:
    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=300)

    def run(self, *words):
        self.connection.sendall(encode(*words))
        time.sleep(0.001)
        return self.connection.recv(1 << 20)

    def number(self, reply, name):
        found = re.search(name + rb"\r\n:(\d+)", reply)
        return int(found.group(1)) if found else None


def change_layout(control, turn, state):
    """One split or merge; returns its reply."""
    if turn % 2 == 0:
        reply = control.run(b"SPLIT", b"0")
        state["other"] = control.number(reply, rb"other_shard")
        return reply
    return control.run(b"MERGE", b"0", b"%d" % state["other"])


def change_engine(control, turn, _state):
    wanted = b"btree" if turn % 2 == 0 else b"lsm"
    control.run(b"ENGINE", b"0", wanted)
    while b'"now":"nothing"' not in control.run(b"STATS", b"JSON", b"HISTORY"):
        time.sleep(0.01)
    return b""


def report(name, latencies):
    latencies = sorted(latencies)
    if not latencies:
        return
    at = lambda part: 1000 * latencies[min(int(len(latencies) * part), len(latencies) - 1)]
    print(f"{name}: {len(latencies)} requests, p50 {at(0.5):.2f} p99 {at(0.99):.2f} p99.9 {at(0.999):.2f} max {at(1):.2f} ms")


def main():
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    change = change_engine if sys.argv[3:] == ["engine"] else change_layout
    load, control, state, changes = Load(port), Control(port), {}, []
    time.sleep(2)
    end = time.perf_counter() + seconds
    for turn in range(1 << 30):
        if time.perf_counter() > end:
            break
        begin = time.perf_counter()
        reply = change(control, turn, state)
        changes.append((begin, time.perf_counter()))
        took = 1000 * (changes[-1][1] - begin)
        print(f"change {turn}: {took:.1f} ms, locked {control.number(reply, rb'pause_us')} us")
        time.sleep(1)
    latencies = load.finish()
    is_during = lambda begin: any(first - 0.001 <= begin <= last for first, last in changes)
    report("during changes", [took for begin, took in latencies if is_during(begin)])
    report("between them", [took for begin, took in latencies if not is_during(begin)])


main()
