import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { eventNames, useEngine, usePlace, linesBesidesRuns } from '../support/engine.ts'
import { createGate, storageFollowedBy, storageWith } from '../support/storage-double.ts'
import { type Link, useTcpProxy } from '../support/tcp-proxy.ts'

/** Calls `act` with the connection that sends the first COMMIT after a statement that contains `words`. */
function onCommitAfter (words: string, act: (link: Link) => void): (text: string, link: Link) => void {
  let committing: Link | undefined
  let done = false
  return (text, link) => {
    if (done) return
    if (committing === link && /commit/i.test(text)) {
      done = true
      act(link)
    } else if (text.includes(words)) {
      committing = link
    }
  }
}

t.test('a backup is completed when only the answer to its COMMIT is lost', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  const engine = useEngine(t, { ...place, url: proxy.url })
  proxy.onSent = onCommitAfter("status = 'completed'", (link) => { link.loseAnswer() })
  const backup = await engine.create()
  t.match(backup, { status: 'completed', available: true, error: null })
  t.strictSame(await engine.get(backup.id), backup)
  t.strictSame(await readdir(place.directory), [backup.filename])
  t.strictSame(eventNames(engine), ['backup:started', 'backup:completed'])
})

t.test('a published file is removed when the log cannot be updated', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  const engine = useEngine(t, { ...place, url: proxy.url })
  proxy.onSent = onCommitAfter("status = 'completed'", (link) => { link.cut() })
  await t.rejects(engine.create(), { code: 'FST_BACKUP_DATABASE_UNAVAILABLE', statusCode: 503 })
  t.strictSame(await readdir(place.directory), [])
  const { backups } = await engine.list()
  t.equal(backups.length, 1)
  t.match(backups[0], { status: 'failed', available: false, error: /not available/ })
})

t.test('a run whose row was inserted, but whose answer was lost, does not stay running', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  const engine = useEngine(t, { ...place, url: proxy.url })
  proxy.onSent = onCommitAfter('INSERT INTO', (link) => { link.loseAnswer() })
  await t.rejects(engine.create(), { code: 'FST_BACKUP_DATABASE_UNAVAILABLE' })
  t.strictSame((await engine.list()).backups.map(({ status }) => status), ['failed'])
})

t.test('a run that fails before it begins rejects with its own error, even if the log cannot record it', async (t) => {
  const place = await usePlace(t)
  await place.sql`CREATE FOREIGN DATA WRAPPER nothing`
  await place.sql`CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing`
  await place.sql`CREATE TABLE parted (id int) PARTITION BY LIST (id)`
  await place.sql`CREATE FOREIGN TABLE part PARTITION OF parted DEFAULT SERVER nowhere`
  const proxy = await useTcpProxy(t, place.url)
  const engine = useEngine(t, { ...place, url: proxy.url })
  proxy.onSent = (text, link) => { if (text.includes('INSERT INTO')) link.cut() }
  const error = await engine.create().catch((error) => error)
  t.equal(error.code, 'FST_BACKUP_CANNOT_SNAPSHOT')
  t.equal(error.problems.length, 1)
  t.match(error.problems[0], /foreign table/)
  t.strictSame((await engine.list()).backups, [])
  t.equal(linesBesidesRuns(engine).length, 1)
  t.match(linesBesidesRuns(engine)[0], { msg: /could not be recorded/ })
  t.strictSame(eventNames(engine), [])
})

t.test('a storage that stores the file and then reports a failure', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, {
    storage: storageFollowedBy(place.directory, async () => {
      throw Object.assign(new Error('the answer was lost'), { name: 'TimeoutError' })
    })
  })
  await t.rejects(engine.create(), { code: 'FST_BACKUP_STORAGE_FAILED' })
  t.strictSame(await readdir(place.directory), [])
  t.strictSame((await engine.list()).backups.map(({ status }) => status), ['failed'])
})

t.test('a run whose row was marked as failed publishes nothing', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place)
  await engine.list()
  await place.sql`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`
  await place.sql`CREATE TRIGGER refuse BEFORE UPDATE OF has_file ON backup_logs
    FOR EACH ROW WHEN (NEW.status = 'running') EXECUTE FUNCTION refuse()`
  await t.rejects(engine.create(), { code: 'FST_BACKUP_ABORTED', message: /was marked as failed, or removed/ })
  t.strictSame(await readdir(place.directory), [])
  const { backups } = await engine.list()
  t.equal(backups.length, 1)
  t.match(backups[0], { status: 'failed', error: /was marked as failed, or removed/ })
})

t.test('a run whose row is marked as failed while it publishes removes its file', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, {
    storage: storageFollowedBy(place.directory, async () => {
      await place.sql`UPDATE backup_logs SET status = 'failed', error = 'interrupted'`
    })
  })
  await t.rejects(engine.create(), { code: 'FST_BACKUP_ABORTED' })
  t.strictSame(await readdir(place.directory), [])
  const { backups } = await engine.list()
  t.equal(backups.length, 1)
  t.match(backups[0], { status: 'failed', error: /was marked as failed, or removed/ },
    'the log has the reason of the run itself')
})

t.test('the log is dropped during a run', async (t) => {
  const place = await usePlace(t)
  const engine = useEngine(t, place, {
    storage: storageFollowedBy(place.directory, async () => {
      await place.sql`DROP TABLE backup_logs`
    })
  })
  await t.rejects(engine.create(), { code: 'FST_BACKUP_LOG_UNUSABLE', statusCode: 500 })
  t.strictSame(await readdir(place.directory), [], 'no file without a row')
  const other = useEngine(t, place)
  t.match(await other.create(), { status: 'completed' })
})

t.test('a file that cannot be removed at once is removed later', async (t) => {
  const place = await usePlace(t)
  const proxy = await useTcpProxy(t, place.url)
  const gate = createGate()
  let removals = 0
  const engine = useEngine(t, { ...place, url: proxy.url }, {
    storage: storageWith(place.directory, {
      async remove (storage, name) {
        if (removals++ === 0) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO', syscall: 'unlink' })
        await storage.remove(name)
        gate.open()
      }
    })
  })
  proxy.onSent = onCommitAfter("status = 'completed'", (link) => { link.cut() })
  await t.rejects(engine.create(), { code: 'FST_BACKUP_DATABASE_UNAVAILABLE' })
  await gate.pass()
  t.strictSame(await readdir(place.directory), [])
  t.strictSame((await engine.list()).backups.map(({ status }) => status), ['failed'])
  t.equal(linesBesidesRuns(engine).length, 1)
  t.match(linesBesidesRuns(engine)[0], { msg: /cleaned up/, reason: /EIO/ })
})

t.test('a partial file that cannot be removed does no harm', async (t) => {
  const place = await usePlace(t)
  const directory = join(place.directory, 'backups')
  const engine = useEngine(t, { ...place, directory }, {
    storage: storageWith(directory, {
      async publish () {
        await rm(directory, { recursive: true })
        await writeFile(directory, 'no directory any more')
        throw new Error('no')
      }
    })
  })
  await mkdir(directory)
  await t.rejects(engine.create(), { code: 'FST_BACKUP_STORAGE_FAILED' })
  t.strictSame((await engine.list()).backups.map(({ status }) => status), ['failed'])
})
