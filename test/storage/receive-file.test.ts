import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { type Pace, receiveFile } from '../../lib/storage/receive-file.ts'
import { useDirectory } from '../support/directory.ts'

/** Yields `count` pieces of `bytes` bytes, each after a pause of `ms` milliseconds. */
async function * pieces (count: number, bytes: number, ms: number): AsyncGenerator<Buffer> {
  for (let i = 0; i < count; i++) {
    await delay(ms)
    yield Buffer.alloc(bytes)
  }
}

async function receive (
  t: Parameters<typeof useDirectory>[0],
  source: AsyncIterable<Buffer>,
  pace?: Pace
): Promise<number> {
  const file = await receiveFile(source, join(await useDirectory(t), 'spool'), new AbortController().signal, pace)
  try {
    return (await buffer(file.stream)).length
  } finally {
    await file.discard()
  }
}

const interrupted = { code: 'FST_BACKUP_IMPORT_INTERRUPTED', message: /fewer than 1000 bytes a second for 0.1 s/ }
const pace = { bytesPerSecond: 1000, windowMs: 100 }

t.test('a source that is too slow is interrupted', async (t) => {
  await t.rejects(receive(t, pieces(Infinity, 1, 5), pace), interrupted)
})

t.test('a source that becomes too slow or silent after many bytes is interrupted', async (t) => {
  await t.rejects(receive(t, (async function * () {
    yield Buffer.alloc(10_000)
    yield * pieces(Infinity, 1, 5)
  })(), pace), interrupted)
  const over = new AbortController()
  const silence = delay(100_000, undefined, { signal: over.signal })
  await t.rejects(receive(t, (async function * () {
    yield Buffer.alloc(10_000)
    await silence.catch(() => {})
  })(), pace), interrupted)
  over.abort()
})

t.test('a source that is fast enough is not limited in time', async (t) => {
  t.equal(await receive(t, pieces(60, 2000, 5), pace), 120_000)
  t.equal(await receive(t, pieces(3, 1000, 5)), 3000, 'within the default window of a minute')
})

t.test('a file that cannot be synced is not finished, and can be discarded', async (t) => {
  const directory = await useDirectory(t)
  const file = await receiveFile(pieces(1, 10, 0), join(directory, 'spool'), new AbortController().signal)
  t.equal((await buffer(file.stream)).length, 10)
  const any = await open(join(directory, 'spool'))
  const prototype = Object.getPrototypeOf(any)
  const { sync } = prototype
  await any.close()
  t.after(async () => { prototype.sync = sync })
  prototype.sync = async () => { throw Object.assign(new Error('i/o'), { code: 'EIO', syscall: 'fsync' }) }
  await t.rejects(file.finish(), { code: 'FST_BACKUP_STORAGE_FAILED', message: /finish the snapshot.*EIO/ })
  await file.discard()
  t.strictSame(await readdir(directory), [])
})
