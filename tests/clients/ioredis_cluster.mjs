// ioredis's Cluster's scenarios (scenarios.md). Arguments: the folder of the package, the port.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { eventually, restartServer, runAll } from './scenario.mjs'

const [entry, port] = process.argv.slice(2)
const loaded = createRequire(import.meta.url)(entry)
const Cluster = loaded.Cluster ?? loaded.default.Cluster

const cluster = (options = {}) =>
  new Cluster([{ host: '127.0.0.1', port: Number(port) }], { clusterRetryStrategy: () => 50, ...options })
    .on('error', () => {}) // a lost connection: it tries again by itself
const one = cluster()

await runAll({
  async discovery() {
    await eventually(() => one.status === 'ready', 'it does not become ready')
    assert.deepEqual(one.nodes('master').map((node) => node.options.port), [Number(port)])
    const slots = await one.cluster('SLOTS')
    assert.deepEqual(slots.map(([first, last]) => [first, last]), [[0, 16383]])
    assert.match(await one.cluster('INFO'), /cluster_state:ok/)
  },
  async keys() {
    const numbers = Array.from({ length: 500 }, (_, number) => number)
    await Promise.all(numbers.map((number) => one.set(`key:${number}`, number)))
    assert.deepEqual(await Promise.all(numbers.map((number) => one.get(`key:${number}`))), numbers.map(String))
    assert.deepEqual(await one.mget('{a}1', '{a}2'), [null, null])
  },
  async pipeline() {
    const pipe = one.pipeline()
    for (let number = 0; number < 500; ++number) pipe.set(`{p}:${number}`, number).get(`{p}:${number}`)
    const replies = await pipe.exec()
    assert.equal(replies.length, 1000)
    replies.forEach(([error, reply], index) => {
      assert.equal(error, null)
      assert.equal(reply, index % 2 === 0 ? 'OK' : String((index - 1) / 2))
    })
  },
  async transaction() {
    const replies = await one.multi().set('{t}a', 1).set('{t}b', 2).incr('{t}a').mget('{t}a', '{t}b', '{t}c').exec()
    assert.deepEqual(replies.map(([, reply]) => reply), ['OK', 'OK', 2, ['2', '2', null]])
  },
  async pubsub() {
    const listener = cluster({ shardedSubscribers: true })
    const texts = { message: [], smessage: [] }
    listener.on('message', (channel, text) => texts.message.push(text))
    listener.on('smessage', (channel, text) => texts.smessage.push(text))
    await listener.subscribe('news')
    await listener.ssubscribe('orders')
    for (let number = 0; number < 100; ++number) {
      assert.equal(await one.publish('news', number), 1)
      assert.equal(await one.spublish('orders', number), 1)
    }
    await eventually(() => texts.message.length + texts.smessage.length === 200, 'messages are missing')
    const wanted = Array.from({ length: 100 }, (_, number) => String(number))
    assert.deepEqual(texts, { message: wanted, smessage: wanted })
    await listener.sunsubscribe('orders')
    assert.equal(await one.spublish('orders', 'nobody'), 0)
    listener.disconnect()
  },
  async scan() {
    await one.flushdb()
    await Promise.all(Array.from({ length: 10_000 }, (_, number) => one.set(`scan:${number}`, 'x')))
    const found = new Set()
    for (const node of one.nodes('master')) {
      for await (const keys of node.scanStream({ match: 'scan:*', count: 1000 })) keys.forEach((key) => found.add(key))
    }
    assert.equal(found.size, 10_000)
  },
  async reconnect() {
    await one.set('kept', 'over a kill')
    await restartServer()
    assert.equal(await one.get('kept'), 'over a kill')
    assert.equal(await one.set('kept', 'and on'), 'OK')
  },
})
