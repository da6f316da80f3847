import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import type { Progress } from '../../types/index.ts'
import { useEngine, usePlace } from '../support/engine.ts'
import { createGate, storageWith } from '../support/storage-double.ts'

t.test('a sound snapshot has no problems, and every bit that flips is one', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id, filename } = await engine.create()
  const path = join(place.directory, filename)
  const bytes = await readFile(path)
  t.strictSame(await engine.verify(id), { ok: true, problems: [] })

  for (let place = 0; place < bytes.length; place++) {
    const flipped = Buffer.from(bytes)
    flipped[place] = (flipped[place] as number) ^ (1 << (place % 8))
    await writeFile(path, flipped)
    const { ok, problems } = await engine.verify(id)
    if (ok || problems.length === 0) t.fail(`the bit in byte ${place} was not noticed`)
  }
  await writeFile(path, bytes)
  t.strictSame(await engine.verify(id), { ok: true, problems: [] })
})

t.test('a restore notices a flipped bit as well, and touches nothing', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { worker: false })
  const { id, filename } = await engine.create()
  const path = join(place.directory, filename)
  const bytes = await readFile(path)
  await place.sql`DELETE FROM orders`
  for (let position = 0; position < bytes.length; position += 31) {
    const flipped = Buffer.from(bytes)
    flipped[position] = (flipped[position] as number) ^ (1 << (position % 8))
    await writeFile(path, flipped)
    await t.rejects(engine.restore(id), { code: 'FST_BACKUP_SNAPSHOT_INVALID' }, `byte ${position}`)
  }
  t.strictSame([...await place.sql`SELECT FROM orders`], [])
  t.strictSame((await engine.list()).backups.length, 1, 'there was nothing to save')
})

t.test('all that is wrong is named, without a value', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id, filename } = await engine.create()
  const path = join(place.directory, filename)
  const text = await readFile(path, 'utf8')
  const verify = async (changed: string): Promise<string[]> => {
    await writeFile(path, changed)
    const { ok, problems } = await engine.verify(id)
    t.equal(ok, false)
    t.notMatch(problems.join(), /Ada|Bob/)
    return problems
  }
  t.match(await verify(text.replace(/^\{"id":"1","name":"Ada"\},\n/m, '')), [
    /table "users" has 1 rows, and the manifest says 2/, /do not match the checksum in the manifest/, /not match the checksum in the log/
  ])
  t.match(await verify(text.replace('"totalRows":5', '"totalRows":4').replace('"totalTables":2', '"totalTables":3')), [/4 rows in all, and 5/, /3 tables, and names 2/, /in the log/])
  t.match(await verify(text.replaceAll(id, '11111111-1111-4111-8111-111111111111')), [/holds the snapshot 11111111-.* in place of/, /in the log/])
  t.match(await verify(text.replaceAll('Ada', 'Eve')), [/checksum in the manifest/, /checksum in the log/])
  t.match(await verify(text.slice(0, -10)), [/truncated/])
  t.match(await verify(text.replace('"Ada"', '"Ada" "Bob"')), [/table "users", row 1/])
  t.match(await verify(text + 'Ada'), [/follows its end/])
  t.match(await verify('Ada'), [/is damaged/])
})

t.test('who asks follows it, and what he throws is his own affair', async (t) => {
  const engine = useEngine(t, await usePlace(t))
  const { id } = await engine.create()
  const reports: Progress[] = []
  t.match(await engine.verify(id, {
    onProgress (progress) {
      reports.push(progress)
      throw new Error('mine')
    }
  }), { ok: true })
  t.match(reports.at(-1), { phase: 'verify', table: null, rows: 5, tables: 2, tablesDone: 2 })
  t.ok(engine.lines.some(({ msg }) => msg.includes('onProgress')))
})

t.test('nothing to verify', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id, filename } = await engine.create()
  await rm(join(place.directory, filename))
  await t.rejects(engine.verify(id), { code: 'FST_BACKUP_FILE_GONE', statusCode: 410 })
  await t.rejects(engine.verify('11111111-1111-4111-8111-111111111111'), { code: 'FST_BACKUP_NOT_FOUND' })
  await t.rejects(engine.verify('x'), { code: 'FST_BACKUP_ARGUMENT_INVALID' })
  await t.rejects(engine.verify(id, { onProgres () {} } as object), { code: 'FST_BACKUP_ARGUMENT_INVALID' })
})

t.test('a storage that fails is no problem of the snapshot', async (t) => {
  const place = await usePlace(t)
  const storage = storageWith(place.directory, {
    open: async () => new Readable({ read () { this.destroy(Object.assign(new Error('secret'), { code: 'EIO' })) } })
  })
  const engine = useEngine(t, place, { storage })
  const { id } = await engine.create()
  await t.rejects(engine.verify(id), { code: 'FST_BACKUP_STORAGE_FAILED', message: /EIO/ })
})

t.test('meanwhile nobody takes it away, the caller may stop it, and so may the end of the service', async (t) => {
  const place = await usePlace(t)
  const opened = createGate()
  const storage = storageWith(place.directory, {
    async open () {
      opened.pass().catch(() => {})
      return new Readable({ read () {} })
    }
  })
  const engine = useEngine(t, place, { storage })
  const { id } = await engine.create()
  const caller = new AbortController()
  const stopped = t.rejects(engine.verify(id, { signal: caller.signal }), { code: 'FST_BACKUP_ABORTED' })
  await opened.reached
  await t.rejects(engine.remove(id), { code: 'FST_BACKUP_BUSY' })
  caller.abort()
  await stopped
  const ended = t.rejects(engine.verify(id), { code: 'FST_BACKUP_SHUTTING_DOWN' })
  const other = t.rejects(engine.verify(id), { code: 'FST_BACKUP_SHUTTING_DOWN' })
  const waiting = t.rejects(engine.verify(id), { code: 'FST_BACKUP_SHUTTING_DOWN' })
  await engine.stop()
  await Promise.all([ended, other, waiting])
})

t.test('a storage that does not answer holds nobody, and a stream that comes late is closed', async (t) => {
  const place = await usePlace(t)
  const opening = createGate()
  const late = new Readable({ read () {} })
  const storage = storageWith(place.directory, {
    async open () {
      await opening.pass()
      return late
    }
  })
  const engine = useEngine(t, place, { storage })
  const { id } = await engine.create()
  const caller = new AbortController()
  const stopped = t.rejects(engine.verify(id, { signal: caller.signal }), { code: 'FST_BACKUP_ABORTED' })
  await opening.reached
  caller.abort()
  await stopped
  const closed = once(late, 'close')
  opening.open()
  await closed
})
