// node-redis's scenarios (scenarios.md). Arguments: the folder of the package, the port.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { eventually, everyByte, restartServer, runAll } from './scenario.mjs'

const [entry, port] = process.argv.slice(2)
const redis = createRequire(import.meta.url)(entry)

async function client(options = {}) {
  const made = redis.createClient({ socket: { host: '127.0.0.1', port: Number(port) }, RESP: 3, ...options })
  made.on('error', () => {}) // a lost connection: it tries again by itself
  await made.connect()
  return made
}

const one = await client()

async function count(times) {
  const mine = await client()
  for (let done = 0; done < times;) {
    await mine.watch('counter')
    const value = Number(await mine.get('counter'))
    try {
      await mine.multi().set('counter', String(value + 1)).exec()
      ++done
    } catch (error) {
      if (!(error instanceof redis.WatchError)) throw error
    }
  }
  mine.destroy()
}

await runAll({
  async connect() {
    const other = await client({ name: 'shale-scenarios', database: 3 })
    assert.equal(await other.ping(), 'PONG')
    assert.equal(await other.clientGetName(), 'shale-scenarios')
    const version = /redis_version:(\d+)/.exec(await other.info('server'))
    assert.ok(Number(version[1]) >= 7)
    await other.set('only-in-3', 'here')
    assert.equal(await one.exists('only-in-3'), 0)
    assert.equal(await other.dbSize(), 1)
    other.destroy()
  },
  async binary() {
    const value = Buffer.concat(Array(4096).fill(everyByte))
    await one.set(everyByte, value)
    const buffers = one.withTypeMapping({ [redis.RESP_TYPES.BLOB_STRING]: Buffer })
    assert.ok(value.equals(await buffers.get(everyByte)))
    await one.del(everyByte)
  },
  async pipeline() {
    const replies = await Promise.all(Array.from({ length: 500 }, (_, number) =>
      [one.set(`pipeline:${number}`, String(number)), one.get(`pipeline:${number}`)]).flat())
    assert.deepEqual(replies, Array.from({ length: 500 }, (_, number) => ['OK', String(number)]).flat())
  },
  async transaction() {
    const replies = await one.multi().set('t:a', '1').set('t:b', '2').incr('t:a').mGet(['t:a', 't:b', 't:c']).exec()
    assert.deepEqual(replies, ['OK', 'OK', 2, ['2', '2', null]])
    await assert.rejects(one.multi().set('t:a', 'changed').addCommand(['NO-SUCH-COMMAND']).exec(),
      /EXECABORT|unknown command/)
    assert.equal(await one.get('t:a'), '2')
  },
  async watch() {
    await one.set('counter', '0')
    await Promise.all(Array.from({ length: 8 }, () => count(25)))
    assert.equal(await one.get('counter'), '200')
  },
  async pubsub() {
    const listener = await client()
    const texts = { message: [], pmessage: [] }
    await listener.subscribe('news', (text) => texts.message.push(text))
    await listener.pSubscribe('new?', (text) => texts.pmessage.push(text))
    for (let number = 0; number < 100; ++number) assert.equal(await one.publish('news', String(number)), 2)
    await eventually(() => texts.message.length + texts.pmessage.length === 200, 'messages are missing')
    const wanted = Array.from({ length: 100 }, (_, number) => String(number))
    assert.deepEqual(texts, { message: wanted, pmessage: wanted })
    await listener.unsubscribe('news')
    await listener.pUnsubscribe('new?')
    assert.equal(await one.publish('news', 'nobody'), 0)
    listener.destroy()
  },
  async scan() {
    const other = await client({ database: 1 })
    for (let begin = 0; begin < 100_000; begin += 5000) {
      await other.mSet(Array.from({ length: 5000 }, (_, number) => [`scan:${begin + number}`, 'x']))
    }
    const found = new Set()
    for await (const keys of other.scanIterator({ MATCH: 'scan:*', COUNT: 1000 })) keys.forEach((key) => found.add(key))
    assert.equal(found.size, 100_000)
    assert.equal(await other.dbSize(), 100_000)
    await other.flushDb()
    assert.equal(await other.dbSize(), 0)
    other.destroy()
  },
  async expiry() {
    await one.set('short', 'life', { PX: 50 })
    await eventually(async () => (await one.exists('short')) === 0, 'it does not expire')
    assert.equal(await one.ttl('short'), -2)
  },
  async errors() {
    await one.set('text', 'abc')
    await assert.rejects(one.incr('text'), /ERR value is not an integer or out of range/)
    assert.equal(await one.get('text'), 'abc')
  },
  async types() {
    assert.equal(await one.get('not there'), null)
    assert.equal(await one.incrByFloat('float', 1.5), '1.5')
    assert.deepEqual(await one.mGet(['not there', 'float']), [null, '1.5'])
    assert.deepEqual(Object.keys(await one.configGet('maxclients')), ['maxclients'])
    assert.equal(await one.type('float'), 'string')
  },
  async reconnect() {
    await one.set('kept', 'over a kill')
    await restartServer()
    await eventually(() => one.isReady, 'it does not connect again')
    assert.equal(await one.get('kept'), 'over a kill')
    assert.equal(await one.set('kept', 'and on'), 'OK')
  },
})
