"""redis-py's scenarios (scenarios.md)."""

import sys
import threading
import time

import redis

from scenario import expect, restart_server, run_all

PORT = int(sys.argv[1])


def client(**options):
    return redis.Redis(host="127.0.0.1", port=PORT, socket_timeout=60, **options)


def connect():
    one = client(client_name="shale-scenarios", db=3)
    expect(one.ping(), True)
    expect(one.client_getname(), "shale-scenarios")
    assert int(one.info("server")["redis_version"].split(".")[0]) >= 7
    one.set("only-in-3", "here")
    expect(client().exists("only-in-3"), 0)
    expect(one.dbsize(), 1)


def binary():
    one = client()
    every_byte = bytes(range(256))
    one.set(every_byte, every_byte * 4096)
    expect(one.get(every_byte), every_byte * 4096)
    one.delete(every_byte)


def pipeline():
    with client().pipeline(transaction=False) as pipe:
        for number in range(500):
            pipe.set(f"pipeline:{number}", number)
            pipe.get(f"pipeline:{number}")
        replies = pipe.execute()
    expect(replies, [reply for number in range(500) for reply in (True, str(number).encode())])


def transaction():
    one = client()
    with one.pipeline(transaction=True) as pipe:
        pipe.set("t:a", 1).set("t:b", 2).incr("t:a").mget("t:a", "t:b", "t:c")
        expect(pipe.execute(), [True, True, 2, [b"2", b"2", None]])
    with one.pipeline(transaction=True) as pipe:
        pipe.set("t:a", "changed").execute_command("NO-SUCH-COMMAND")
        try:
            pipe.execute()
            raise AssertionError("not aborted")
        except redis.exceptions.ResponseError as error:
            assert "unknown command" in str(error), error
    expect(one.get("t:a"), b"2")


def watch():
    one = client()
    one.set("counter", 0)

    def count(times):
        mine = client()
        for _ in range(times):
            with mine.pipeline() as pipe:
                while True:
                    try:
                        pipe.watch("counter")
                        value = int(pipe.get("counter"))
                        pipe.multi()
                        pipe.set("counter", value + 1)
                        pipe.execute()
                        break
                    except redis.WatchError:
                        continue

    threads = [threading.Thread(target=count, args=(25,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(one.get("counter"), b"200")


def pubsub():
    sender = client()
    listener = client().pubsub()
    listener.subscribe("news")
    listener.psubscribe("new?")
    for _ in range(2):
        assert listener.get_message(timeout=60)["type"] in ("subscribe", "psubscribe")
    for number in range(100):
        expect(sender.publish("news", number), 2)
    texts = {"message": [], "pmessage": []}
    for _ in range(200):
        message = listener.get_message(timeout=60)
        texts[message["type"]].append(message["data"])
    wanted = [str(number).encode() for number in range(100)]
    expect(texts, {"message": wanted, "pmessage": wanted})
    listener.unsubscribe()
    listener.punsubscribe()
    for _ in range(2):
        assert listener.get_message(timeout=60)["type"] in ("unsubscribe", "punsubscribe")
    expect(sender.publish("news", "nobody"), 0)
    listener.close()


def scan():
    one = client(db=1)
    for begin in range(0, 100_000, 5000):
        one.mset({f"scan:{number}": "x" for number in range(begin, begin + 5000)})
    found = set(one.scan_iter(match="scan:*", count=1000))
    expect(len(found), 100_000)
    expect(one.dbsize(), 100_000)
    one.flushdb()
    expect(one.dbsize(), 0)


def expiry():
    one = client()
    one.set("short", "life", px=50)
    deadline = time.monotonic() + 30
    while one.exists("short"):
        assert time.monotonic() < deadline, "it does not expire"
        time.sleep(0.01)
    expect(one.ttl("short"), -2)


def errors():
    one = client()
    one.set("text", "abc")
    try:
        one.incr("text")
        raise AssertionError("no error")
    except redis.exceptions.ResponseError as error:
        expect(str(error), "value is not an integer or out of range")
    expect(one.get("text"), b"abc")


def types():
    one = client(decode_responses=True)
    expect(one.get("not there"), None)
    expect(one.incrbyfloat("float", 1.5), 1.5)
    expect(one.mget("not there", "float"), [None, "1.5"])
    expect(one.config_get("maxclients").keys(), {"maxclients"})
    expect(one.type("float"), "string")
    assert "get" in one.command()


def reconnect():
    one = client(retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.05), 100),
                 retry_on_error=[redis.exceptions.ConnectionError])
    one.set("kept", "over a kill")
    restart_server()
    expect(one.get("kept"), b"over a kill")
    expect(one.set("kept", "and on"), True)


run_all(connect, binary, pipeline, transaction, watch, pubsub, scan, expiry, errors, types, reconnect)
