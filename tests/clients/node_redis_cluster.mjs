// node-redis's createCluster's scenarios (scenarios.md). Arguments: the folder of the package, the port.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { eventually, restartServer, runAll } from './scenario.mjs'

const [entry, port] = process.argv.slice(2)
const redis = createRequire(import.meta.url)(entry)

const one = redis.createCluster({
  rootNodes: [{ socket: { host: '127.0.0.1', port: Number(port) } }],
  defaults: { RESP: 3, socket: { reconnectStrategy: 50 } },
})
one.on('error', () => {}) // a lost connection: it tries again by itself
one.on('node-error', () => {})

await runAll({
  async discovery() {
    await one.connect()
    assert.deepEqual(one.masters.map((node) => node.port), [Number(port)])
    assert.ok(one.slots.every((slot) => slot.master === one.masters[0]))
    assert.equal(one.slots.length, 16384)
  },
  async keys() {
    const numbers = Array.from({ length: 500 }, (_, number) => number)
    await Promise.all(numbers.map((number) => one.set(`key:${number}`, String(number))))
    assert.deepEqual(await Promise.all(numbers.map((number) => one.get(`key:${number}`))), numbers.map(String))
    assert.deepEqual(await one.mGet(['{a}1', '{a}2']), [null, null])
  },
  async pipeline() {
    const replies = await Promise.all(Array.from({ length: 500 }, (_, number) =>
      [one.set(`{p}:${number}`, String(number)), one.get(`{p}:${number}`)]).flat())
    assert.deepEqual(replies, Array.from({ length: 500 }, (_, number) => ['OK', String(number)]).flat())
  },
  async transaction() {
    const replies = await one.multi().set('{t}a', '1').set('{t}b', '2').incr('{t}a').mGet(['{t}a', '{t}b', '{t}c']).exec()
    assert.deepEqual(replies, ['OK', 'OK', 2, ['2', '2', null]])
  },
  async pubsub() {
    const texts = { message: [], smessage: [] }
    await one.subscribe('news', (text) => texts.message.push(text))
    await one.sSubscribe('orders', (text) => texts.smessage.push(text))
    for (let number = 0; number < 100; ++number) {
      assert.equal(await one.publish('news', String(number)), 1)
      assert.equal(await one.sPublish('orders', String(number)), 1)
    }
    await eventually(() => texts.message.length + texts.smessage.length === 200, 'messages are missing')
    const wanted = Array.from({ length: 100 }, (_, number) => String(number))
    assert.deepEqual(texts, { message: wanted, smessage: wanted })
    await one.unsubscribe('news')
    await one.sUnsubscribe('orders')
    assert.equal(await one.sPublish('orders', 'nobody'), 0)
  },
  async scan() {
    const node = await one.nodeClient(one.masters[0])
    await node.flushDb()
    await Promise.all(Array.from({ length: 10_000 }, (_, number) => one.set(`scan:${number}`, 'x')))
    const found = new Set()
    for await (const keys of node.scanIterator({ MATCH: 'scan:*', COUNT: 1000 })) keys.forEach((key) => found.add(key))
    assert.equal(found.size, 10_000)
  },
  async reconnect() {
    await one.set('kept', 'over a kill')
    await restartServer()
    const read = async () => (await one.get('kept').catch(() => null)) === 'over a kill'
    await eventually(read, 'it does not connect again')
    assert.equal(await one.set('kept', 'and on'), 'OK')
  },
})
