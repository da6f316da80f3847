import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t from 'tap'
import type { Progress } from '../../types/index.ts'
import { useEngine, usePlace } from '../support/engine.ts'
import { matchEach } from '../support/match-each.ts'
import { createGate, storageWith } from '../support/storage-double.ts'
import { editManifest } from '../snapshot/edit-manifest.ts'

t.test('all problems are listed, without values', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id, filename } = await engine.create()
  const path = join(place.directory, filename)
  const text = await readFile(path, 'utf8')
  const verify = async (changed: string, patterns: RegExp[]): Promise<void> => {
    await writeFile(path, changed)
    const { ok, problems } = await engine.verify(id)
    t.equal(ok, false)
    t.notMatch(problems.join(), /Ada|Bob/)
    matchEach(t, problems, patterns, String(patterns[0]))
  }
  await verify(text.replace(/^\{"id":"1","name":"Ada"\},\n/m, ''), [
    /table "users" has 1 rows/, /the rows of table "users" do not match their checksum/, /position/
  ])
  const totals = text.replace('"totalRows":5', '"totalRows":4').replace('"totalTables":2', '"totalTables":3')
  await verify(totals, [/\b4 rows\b.*\b5\b/, /\b3 tables\b.*\b2\b/, /its manifest does not match/])
  await verify(text.replaceAll(id, '11111111-1111-4111-8111-111111111111'), [/11111111-/, /its manifest does not/])
  await verify(text.replaceAll('Ada', 'Eve'), [/the rows of table "users" do not match their checksum/])
  await verify(String(editManifest(text, (json) => json)), [/checksum in the log/])
  await verify(text.slice(0, -10), [/truncated/])
  await verify(text.replace('"Ada"', '"Ada" "Bob"'), [/table "users", row 1/])
  await verify(text + 'Ada', [/follows its end/])
  await verify('Ada', [/is damaged/])
})

t.test('onProgress receives the progress, and its errors are only logged', async (t) => {
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
  t.match(engine.lines.find(({ msg }) => msg.includes('onProgress')), { level: 50, id })
})

t.test('a missing file, an unknown id and invalid arguments are refused', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id, filename } = await engine.create()
  await rm(join(place.directory, filename))
  await t.rejects(engine.verify(id), { code: 'FST_BACKUP_FILE_GONE', statusCode: 410 })
  await t.rejects(engine.verify('11111111-1111-4111-8111-111111111111'), { code: 'FST_BACKUP_NOT_FOUND' })
  await t.rejects(engine.verify('x'), { code: 'FST_BACKUP_ARGUMENT_INVALID' })
  await t.rejects(engine.verify(id, { onProgres () {} } as object), { code: 'FST_BACKUP_ARGUMENT_INVALID' })
})

t.test('an error of the storage is not a problem of the snapshot', async (t) => {
  const place = await usePlace(t)
  const storage = storageWith(place.directory, {
    open: async () => new Readable({ read () { this.destroy(Object.assign(new Error('secret'), { code: 'EIO' })) } })
  })
  const engine = useEngine(t, place, { storage })
  const { id } = await engine.create()
  await t.rejects(engine.verify(id), { code: 'FST_BACKUP_STORAGE_FAILED', message: /EIO/ })
})

t.test('a backup cannot be removed while it is verified; the caller and stop() abort the verification', async (t) => {
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

t.test('a call can be aborted while the storage does not answer; a stream that arrives later is closed', async (t) => {
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
