import { once } from 'node:events'
import { readFile, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { useEngine, usePlace } from '../support/engine.ts'
import { createGate, storageWith } from '../support/storage-double.ts'

t.test('a download is the file or a range of it', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const backup = await engine.create()
  const bytes = await readFile(join(place.directory, backup.filename))

  const { stream, ...facts } = await engine.download(backup.id)
  t.strictSame(facts, { filename: backup.filename, sizeBytes: backup.sizeBytes, checksum: backup.checksum })
  t.ok((await buffer(stream)).equals(bytes))

  const last = bytes.length - 1
  for (const [start, end] of [[0, 0], [1, 10], [last, last], [0, last]] as const) {
    const part = await engine.download(backup.id, { start, end })
    t.ok((await buffer(part.stream)).equals(bytes.subarray(start, end + 1)), `${start} to ${end}`)
    t.equal(part.sizeBytes, bytes.length, 'the size of the complete file')
  }
  for (const [start, end] of [[0, last + 1], [5, 4], [-1, 4], [0.5, 4], [0, Number.NaN]] as const) {
    const invalid = { code: 'FST_BACKUP_RANGE_INVALID', statusCode: 416 }
    await t.rejects(engine.download(backup.id, { start, end }), invalid, `${start} to ${end}`)
  }
})

t.test('the size is the present size of the file', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  const { id, filename } = await engine.create()
  await truncate(join(place.directory, filename), 10)
  const { stream, sizeBytes } = await engine.download(id)
  t.equal(sizeBytes, 10)
  t.equal((await buffer(stream)).length, 10)
})

t.test('a failed run or a missing file cannot be downloaded', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, {
    storage: storageWith(place.directory, {
      async stat (storage, name) { return isSeen ? { name, sizeBytes: 100 } : await storage.stat(name) }
    })
  })
  let isSeen = false
  const { id, filename } = await engine.create()
  await rm(join(place.directory, filename))
  const gone = { code: 'FST_BACKUP_FILE_GONE', statusCode: 410 }
  await t.rejects(engine.download(id), gone)
  isSeen = true
  await t.rejects(engine.download(id), gone, 'removed after it was found')
  await place.sql`UPDATE backup_logs SET status = 'failed'`
  await t.rejects(engine.download(id), { code: 'FST_BACKUP_NOT_COMPLETED', statusCode: 409 })
})

t.test('a backup is neither removed nor pruned during a download', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, { maxBackups: 1 })
  const { id } = await engine.create()
  const first = await engine.download(id)
  const second = await engine.download(id)
  await t.rejects(engine.remove(id), { code: 'FST_BACKUP_BUSY', statusCode: 409 })
  await engine.create()
  t.equal((await engine.list()).backups.length, 2)
  first.stream.destroy()
  await once(first.stream, 'close')
  await t.rejects(engine.remove(id), { code: 'FST_BACKUP_BUSY' }, 'another download still reads it')
  await buffer(second.stream)
  await engine.remove(id)
  await t.rejects(engine.get(id), { code: 'FST_BACKUP_NOT_FOUND' })
})

t.test('stop() ends downloads, even one that is just being opened', async (t) => {
  const place = await usePlace(t)
  const gate = createGate()
  let isHeld = false
  const engine = useEngine(t, place, {
    storage: storageWith(place.directory, {
      async open (storage, name, range) {
        if (isHeld) await gate.pass()
        return await storage.open(name, range)
      }
    })
  })
  const { id } = await engine.create()
  const { stream } = await engine.download(id)
  const closed = once(stream, 'close')
  isHeld = true
  const late = engine.download(id)
  await gate.reached
  await engine.stop()
  await closed
  gate.open()
  await t.rejects(late, { code: 'FST_BACKUP_SHUTTING_DOWN', statusCode: 503 })
})
