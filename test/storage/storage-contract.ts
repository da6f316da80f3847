import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type { Test } from 'tap'
import { useDirectory } from '../support/directory.ts'
import type { SnapshotStorage } from '../../types/index.ts'

/** The contract of every SnapshotStorage. `make` returns an empty one for each test. */
export async function testStorage (t: Test, make: (t: Test) => Promise<SnapshotStorage>): Promise<void> {
  const first = 'public_2026-11-22T17-45-00-123Z.json'
  const second = 'tenant%20a_2026-11-22T17-45-00-123Z.json'

  const spool = async (t: Test, content: string | Uint8Array): Promise<string> => {
    const path = join(await useDirectory(t), '.spool.partial')
    await writeFile(path, content, { mode: 0o600 })
    return path
  }
  const text = async (
    storage: SnapshotStorage,
    name: string,
    range?: { start: number; end: number }
  ): Promise<string> => String(await buffer(await storage.open(name, range)))

  t.test('a published snapshot can be opened and listed, has a size, and its spool file is removed', async (t) => {
    const storage = await make(t)
    const path = await spool(t, 'first')
    t.equal(await storage.publish(path, first), undefined)
    await storage.publish(await spool(t, 'the second'), second)

    t.equal(existsSync(path), false)
    t.equal(await text(storage, first), 'first')
    t.strictSame(await storage.stat(second), { name: second, sizeBytes: 10 })
    t.strictSame((await storage.list()).map(({ name }) => name).sort(), [first, second])
    t.ok(
      (await storage.list('public_')).some(({ name }) => name === first),
      'with a prefix, at least the names that begin with it'
    )
  })

  t.test('an existing name is refused: the snapshot is not changed, and the spool file stays', async (t) => {
    const storage = await make(t)
    await storage.publish(await spool(t, 'first'), first)
    const path = await spool(t, 'another')

    await t.rejects(storage.publish(path, first))
    t.equal(await text(storage, first), 'first')
    t.equal(existsSync(path), true)
  })

  t.test('without a spool file nothing is published', async (t) => {
    const storage = await make(t)
    await t.rejects(storage.publish(join(await useDirectory(t), 'missing'), first))
    t.strictSame(await storage.list(), [])
  })

  t.test('a range is inclusive at both ends', async (t) => {
    const storage = await make(t)
    await storage.publish(await spool(t, '0123456789'), first)
    t.equal(await text(storage, first, { start: 0, end: 0 }), '0')
    t.equal(await text(storage, first, { start: 3, end: 5 }), '345')
    t.equal(await text(storage, first, { start: 9, end: 9 }), '9')
    t.equal(await text(storage, first, { start: 0, end: 9 }), '0123456789')
    t.equal(await text(storage, first, { start: 8, end: 99 }), '89', 'a range ends with the file')
  })

  t.test('a snapshot that needs several reads is complete', async (t) => {
    const storage = await make(t)
    const content = Buffer.alloc(3_500_000, 'snapshot')
    await storage.publish(await spool(t, content), first)
    t.ok((await buffer(await storage.open(first))).equals(content))
    t.ok(
      (await buffer(await storage.open(first, { start: 1_000_001, end: 3_000_000 }))).equals(
        content.subarray(1_000_001, 3_000_001)
      )
    )
  })

  t.test('a stream may be destroyed before, during and after reading; the snapshot can then be removed', async (t) => {
    const storage = await make(t)
    await storage.publish(await spool(t, Buffer.alloc(3_000_000)), first)
    for (const chunks of [0, 1, 100]) {
      const stream = await storage.open(first)
      const closed = new Promise((resolve) => { stream.on('close', resolve) })
      const iterator: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]()
      for (let read = 0; read < chunks && (await iterator.next()).done !== true; read++);
      stream.destroy()
      await closed
    }
    await storage.remove(first)
    t.equal(await storage.stat(first), null)
  })

  t.test('for a missing snapshot open() rejects with ENOENT, and stat() returns null', async (t) => {
    const storage = await make(t)
    await t.rejects(storage.open(first), { code: 'ENOENT' })
    await t.rejects(storage.open(first, { start: 0, end: 1 }), { code: 'ENOENT' })
    t.equal(await storage.stat(first), null)
    t.strictSame(await storage.list(), [])
  })

  t.test('remove() is idempotent, and the name can be used again', async (t) => {
    const storage = await make(t)
    t.equal(await storage.remove(first), undefined)
    await storage.publish(await spool(t, 'one'), first)
    await storage.remove(first)
    await storage.remove(first)
    t.equal(await storage.stat(first), null)
    t.strictSame(await storage.list(), [])
    await t.rejects(storage.open(first), { code: 'ENOENT' })

    await storage.publish(await spool(t, 'other'), first)
    t.equal(await text(storage, first), 'other')
  })

  t.test('names that no snapshot has are refused, and no file is changed', async (t) => {
    const storage = await make(t)
    const path = await spool(t, 'spool')
    for (const name of [
      '',
      '.',
      '..',
      '../a.json',
      'a/b.json',
      '/etc/a.json',
      'a\\b.json',
      '.hidden.json',
      'a.txt',
      'a.json\0',
      'a b.json',
      'a:b.json'
    ]) {
      await t.rejects(
        storage.publish(path, name),
        { code: 'FST_BACKUP_ARGUMENT_INVALID' },
        `publish ${JSON.stringify(name)}`
      )
      await t.rejects(storage.open(name), { code: 'FST_BACKUP_ARGUMENT_INVALID' }, `open ${JSON.stringify(name)}`)
      await t.rejects(storage.stat(name), { code: 'FST_BACKUP_ARGUMENT_INVALID' }, `stat ${JSON.stringify(name)}`)
      await t.rejects(storage.remove(name), { code: 'FST_BACKUP_ARGUMENT_INVALID' }, `remove ${JSON.stringify(name)}`)
    }
    t.equal(existsSync(path), true)
    t.strictSame(await storage.list(), [])
  })
}
