// ioredis's scenarios (scenarios.md). Arguments: the folder of the package, the port.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { eventually, everyByte, restartServer, runAll } from './scenario.mjs'

const [entry, port] = process.argv.slice(2)
const loaded = createRequire(import.meta.url)(entry)
const Redis = loaded.Redis ?? loaded.default ?? loaded

const client = (options = {}) =>
  new Redis({ host: '127.0.0.1', port: Number(port), ...options })
    .on('error', () => {}) // a lost connection: it tries again by itself
const one = client()

async function count(times) {
  const mine = client()
  for (let done = 0; done < times;) {
    await mine.watch('counter')
    const value = Number(await mine.get('counter'))
    if (await mine.multi().set('counter', value + 1).exec()) ++done
  }
  mine.disconnect()
}

await runAll({
  async connect() {
    const other = client({ connectionName: 'shale-scenarios', db: 3 })
    assert.equal(await other.ping(), 'PONG')
    assert.equal(await other.client('GETNAME'), 'shale-scenarios')
    const version = /redis_version:(\d+)/.exec(await other.info('server'))
    assert.ok(Number(version[1]) >= 7)
    await other.set('only-in-3', 'here')
    assert.equal(await one.exists('only-in-3'), 0)
    assert.equal(await other.dbsize(), 1)
    other.disconnect()
  },
  async binary() {
    const value = Buffer.concat(Array(4096).fill(everyByte))
    await one.set(everyByte, value)
    assert.ok(value.equals(await one.getBuffer(everyByte)))
    await one.del(everyByte)
  },
  async pipeline() {
    const pipe = one.pipeline()
    for (let number = 0; number < 500; ++number) pipe.set(`pipeline:${number}`, number).get(`pipeline:${number}`)
    const replies = await pipe.exec()
    assert.equal(replies.length, 1000)
    replies.forEach(([error, reply], index) => {
      assert.equal(error, null)
      assert.equal(reply, index % 2 === 0 ? 'OK' : String((index - 1) / 2))
    })
  },
  async transaction() {
    const replies = await one.multi().set('t:a', 1).set('t:b', 2).incr('t:a').mget('t:a', 't:b', 't:c').exec()
    assert.deepEqual(replies.map(([, reply]) => reply), ['OK', 'OK', 2, ['2', '2', null]])
    await assert.rejects(one.multi().set('t:a', 'changed').call('NO-SUCH-COMMAND').exec(), /EXECABORT/)
    assert.equal(await one.get('t:a'), '2')
  },
  async watch() {
    await one.set('counter', 0)
    await Promise.all(Array.from({ length: 8 }, () => count(25)))
    assert.equal(await one.get('counter'), '200')
  },
  async pubsub() {
    const listener = client()
    const texts = { message: [], pmessage: [] }
    listener.on('message', (channel, text) => texts.message.push(text))
    listener.on('pmessage', (pattern, channel, text) => texts.pmessage.push(text))
    await listener.subscribe('news')
    await listener.psubscribe('new?')
    for (let number = 0; number < 100; ++number) assert.equal(await one.publish('news', number), 2)
    await eventually(() => texts.message.length + texts.pmessage.length === 200, 'messages are missing')
    const wanted = Array.from({ length: 100 }, (_, number) => String(number))
    assert.deepEqual(texts, { message: wanted, pmessage: wanted })
    await listener.unsubscribe('news')
    await listener.punsubscribe('new?')
    assert.equal(await one.publish('news', 'nobody'), 0)
    listener.disconnect()
  },
  async scan() {
    const other = client({ db: 1 })
    for (let begin = 0; begin < 100_000; begin += 5000) {
      await other.mset(Array.from({ length: 5000 }, (_, number) => [`scan:${begin + number}`, 'x']).flat())
    }
    const found = new Set()
    for await (const keys of other.scanStream({ match: 'scan:*', count: 1000 })) keys.forEach((key) => found.add(key))
    assert.equal(found.size, 100_000)
    assert.equal(await other.dbsize(), 100_000)
    await other.flushdb()
    assert.equal(await other.dbsize(), 0)
    other.disconnect()
  },
  async expiry() {
    await one.set('short', 'life', 'PX', 50)
    await eventually(async () => (await one.exists('short')) === 0, 'it does not expire')
    assert.equal(await one.ttl('short'), -2)
  },
  async errors() {
    await one.set('text', 'abc')
    await assert.rejects(one.incr('text'), /^ReplyError: ERR value is not an integer or out of range/)
    assert.equal(await one.get('text'), 'abc')
  },
  async types() {
    assert.equal(await one.get('not there'), null)
    assert.equal(await one.incrbyfloat('float', 1.5), '1.5')
    assert.deepEqual(await one.mget('not there', 'float'), [null, '1.5'])
    assert.match(JSON.stringify(await one.config('GET', 'maxclients')), /"maxclients"/)
    assert.equal(await one.type('float'), 'string')
  },
  async reconnect() {
    await one.set('kept', 'over a kill')
    await restartServer()
    assert.equal(await one.get('kept'), 'over a kill')
    assert.equal(await one.set('kept', 'and on'), 'OK')
  },
})
