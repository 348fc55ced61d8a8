"""redis-py's RedisCluster's scenarios (scenarios.md)."""

import sys
import time

import redis
from redis.cluster import RedisCluster

from scenario import expect, restart_server, run_all

PORT = int(sys.argv[1])


def cluster(**options):
    return RedisCluster(host="127.0.0.1", port=PORT, socket_timeout=60, **options)


one = cluster()


def discovery():
    nodes = one.get_nodes()
    expect([(node.port, node.server_type) for node in nodes], [(PORT, "primary")])
    slots = one.cluster_slots()
    expect(list(slots), [(0, 16383)])
    expect(one.keyslot("{user:42}:a"), one.cluster_keyslot("{user:42}:b"))
    expect(one.cluster_info()["cluster_state"], "ok")
    expect(one.ping(target_nodes=RedisCluster.ALL_NODES), True)


def keys():
    for number in range(500):
        one.set(f"key:{number}", number)
    expect([one.get(f"key:{number}") for number in range(500)], [str(number).encode() for number in range(500)])
    expect(one.mset_nonatomic({f"key:{number}": "x" for number in range(100)}), [True] * 100)
    expect(one.mget_nonatomic([f"key:{number}" for number in range(100)]), [b"x"] * 100)
    expect(one.mget("{a}1", "{a}2"), [None, None])


def pipeline():
    with one.pipeline() as pipe:
        for number in range(500):
            pipe.set(f"pipeline:{number}", number)
            pipe.get(f"pipeline:{number}")
        replies = pipe.execute()
    expect(replies, [reply for number in range(500) for reply in (True, str(number).encode())])


def transaction():
    node = one.get_redis_connection(one.get_node_from_key("{t}a"))
    with node.pipeline(transaction=True) as pipe:
        pipe.set("{t}a", 1).set("{t}b", 2).incr("{t}a").mget("{t}a", "{t}b", "{t}c")
        expect(pipe.execute(), [True, True, 2, [b"2", b"2", None]])


def pubsub():
    # This version of the library has no sharded channels of its own: their commands are sent as they are.
    node = one.get_redis_connection(one.get_node_from_key("news"))
    listener = one.pubsub()
    listener.subscribe("news")
    assert listener.get_message(timeout=60)["type"] == "subscribe"
    connection = node.connection_pool.get_connection("SSUBSCRIBE")
    connection.send_command("SSUBSCRIBE", "orders")
    expect(connection.read_response(), [b"ssubscribe", b"orders", 1])
    for number in range(100):
        expect(node.publish("news", number), 1)
        expect(node.execute_command("SPUBLISH", "orders", number), 1)
    wanted = [str(number).encode() for number in range(100)]
    expect([listener.get_message(timeout=60)["data"] for _ in wanted], wanted)
    expect([connection.read_response() for _ in wanted], [[b"smessage", b"orders", text] for text in wanted])
    connection.disconnect()
    node.connection_pool.release(connection)
    listener.close()


def scan():
    one.flushdb()
    for begin in range(0, 10_000, 1000):
        one.mset_nonatomic({f"scan:{number}": "x" for number in range(begin, begin + 1000)})
    expect(len(set(one.scan_iter(match="scan:*", count=1000))), 10_000)
    expect(one.dbsize(), 10_000)


def reconnect():
    one.set("kept", "over a kill")
    restart_server()
    deadline = time.monotonic() + 60
    while True:
        try:
            expect(one.get("kept"), b"over a kill")
            break
        except (redis.exceptions.ConnectionError, redis.exceptions.ClusterDownError):
            assert time.monotonic() < deadline, "it does not connect again"
            time.sleep(0.05)
    expect(one.set("kept", "and on"), True)


run_all(discovery, keys, pipeline, transaction, pubsub, scan, reconnect)
