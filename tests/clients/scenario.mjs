// What the scenario programs for Node.js share (scenarios.md).
import assert from 'node:assert/strict'
import readline from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]()

// Has the server killed and started again.
export async function restartServer() {
  process.stdout.write('restart\n')
  assert.equal((await lines.next()).value, 'restarted')
}

// Calls condition() until it is true.
export async function eventually(condition, what) {
  const deadline = Date.now() + 60_000
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, what)
    await sleep(10)
  }
}

export const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

// Runs the scenarios in order, and ends the process.
export async function runAll(scenarios) {
  let failures = 0
  for (const [name, work] of Object.entries(scenarios)) {
    try {
      await work()
      process.stdout.write(`ok ${name}\n`)
    } catch (reason) {
      ++failures
      process.stdout.write(`failed ${name}: ${String(reason?.stack ?? reason).replaceAll('\n', ' | ')}\n`)
    }
  }
  process.exit(failures === 0 ? 0 : 1)
}
