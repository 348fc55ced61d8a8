"""The modes of redis-cli that send more than what one types (scenarios.md)."""

import re
import subprocess
import sys

from scenario import expect, run_all

PORT = sys.argv[1]
KEYS = 10_000
SECONDS_MAX = 60


def cli(*arguments, **given):
    done = subprocess.run(["redis-cli", "-p", PORT, *arguments], capture_output=True, timeout=SECONDS_MAX, check=True, **given)
    return done.stdout.decode()


def encode(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def find(pattern, text):
    found = re.search(pattern, text)
    assert found, f"no {pattern!r} in {text[-1000:]!r}"
    return found.group(1)


def pipe():
    requests = b"".join(encode(b"SET", b"key:%d" % number, b"x" * 10) for number in range(KEYS))
    told = cli("--pipe", input=requests)
    expect(find(r"errors: (\d+), replies: \d+", told), "0")
    expect(find(r"errors: \d+, replies: (\d+)", told), str(KEYS))
    expect(cli("DBSIZE"), f"{KEYS}\n")


def scan():
    found = cli("--scan").split()
    expect(len(found), KEYS)
    expect(set(found), {f"key:{number}" for number in range(KEYS)})
    expect(sorted(cli("--scan", "--pattern", "key:77?").split()), [f"key:{number}" for number in range(770, 780)])


def bigkeys():
    cli("SETRANGE", "big", "4999", "x")
    told = cli("--bigkeys")
    expect(find(r"Sampled (\d+) keys", told), str(KEYS + 1))
    expect(find(r"Biggest string found '\"(\S+)\"' has 5000 bytes", told), "big")


def memkeys():
    told = cli("--memkeys")
    expect(find(r"Sampled (\d+) keys", told), str(KEYS + 1))
    expect(find(r"Biggest string found '\"(\S+)\"' has \d+ bytes", told), "big")


def hotkeys():
    for _ in range(20):
        cli("-r", "50", "GET", "key:42")
    told = cli("--hotkeys")
    expect(find(r"Sampled (\d+) keys", told), str(KEYS + 1))
    expect(find(r"hot key found with counter: \d+\s+keyname: (\S+)", told), '"key:42"')


def latency():
    smallest, largest, average, samples = cli("--latency", "-i", "1").split()
    assert 0 <= int(smallest) <= float(average) <= int(largest) and int(samples) > 1, (smallest, largest, average, samples)


def stat():
    with subprocess.Popen(["redis-cli", "-p", PORT, "--stat", "-i", "0.05"], stdout=subprocess.PIPE, text=True) as client:
        lines = [client.stdout.readline() for _ in range(5)]
        client.terminate()
    expect(lines[1].split()[0], "keys")
    for line in lines[2:]:
        expect(line.split()[0], str(KEYS + 1))


run_all(pipe, scan, bigkeys, memkeys, hotkeys, latency, stat)
