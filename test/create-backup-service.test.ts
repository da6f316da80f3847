import t from 'tap'
import { createBackupService } from '../lib/create-backup-service.ts'
import type { BackupLogger } from '../types/index.ts'
import { testSchema } from './support/database.ts'
import { usePlace } from './support/engine.ts'
import { until } from './support/until.ts'

interface Given { connection: string, storagePath: string, schema: string }

const place = async (t: Parameters<typeof usePlace>[0]): Promise<Given> => {
  const { url, directory } = await usePlace(t)
  return { connection: url, storagePath: directory, schema: testSchema }
}

t.test('a script creates, lists and restores backups without Fastify', async (t) => {
  const service = createBackupService({ ...await place(t), allowRestore: true })
  t.teardown(service.close)
  const completed: string[] = []
  const listener = ({ id }: { id: string }): void => { completed.push(id) }
  t.equal(service.on('backup:completed', listener), service)
  const backup = await service.create({ note: 'by a script' })
  t.equal(service.off('backup:completed', listener), service)
  t.match(await service.restore(backup.id), { id: backup.id, rowCount: 5 })
  t.strictSame(completed, [backup.id])
  t.equal((await service.list()).backups.length, 2)
})

t.test('it does not connect before the first call, and closes as often as asked', async (t) => {
  const service = createBackupService({ connection: 'postgres://127.0.0.1:1/none' })
  await service.close()
  await service[Symbol.asyncDispose]()
  await t.rejects(service.create(), { code: 'FST_BACKUP_SHUTTING_DOWN' })
  service.start()
})

t.test('start() does what a running service does, until close()', async (t) => {
  const service = createBackupService({ ...await place(t), worker: false, schedule: { enabled: true } })
  t.equal((await service.status()).nextRunAt, null)
  service.start()
  service.start()
  t.not((await service.status()).nextRunAt, null)
  let closed = 0
  t.equal(service.once('backup:completed', () => { closed++ }), service)
  await service.create()
  await service.create()
  t.equal(closed, 1)
  await service.close()
})

t.test('options are checked, and those of the routes have no effect', async (t) => {
  const wrong = { code: 'FST_BACKUP_OPTION_INVALID' }
  t.throws(() => createBackupService({ maxBackups: 0 }), wrong)
  t.throws(() => createBackupService(Object('text')), wrong)
  t.throws(() => createBackupService(JSON.parse('null')), wrong)
  t.throws(() => createBackupService(JSON.parse('{ "maxBackup": 1 }')), wrong)
  const connection = 'postgres://127.0.0.1:1/none'
  const options = { connection, enabled: false, basePath: '/x', auth: [undefined], actor: 1 }
  const service = createBackupService(options)
  await t.rejects(service.list(), { code: 'FST_BACKUP_DATABASE_UNAVAILABLE' })
  await service.close()
})

t.test('warnings go to stderr, or to the logger', async (t) => {
  const lines: string[] = []
  const original = { warn: console.warn, error: console.error }
  t.teardown(() => { Object.assign(console, original) })
  for (const name of ['warn', 'error'] as const) console[name] = (text: string) => { lines.push(`${name} ${text}`) }
  const given = await place(t)
  const schedule = { enabled: true, cron: '7 3 * * *' }
  const first = createBackupService({ ...given, schedule, worker: false })
  t.match(lines.join(), /^warn fastify-backup warning: [^,]*cron/)
  await t.resolves(first.create({ onProgress () { throw new Error('of the caller') } }))
  t.ok(lines.some((line) => /^error fastify-backup error: the onProgress callback threw an error \{"id":"/.test(line)))
  first.start()
  await until(async () => (await first.status()).nextRunAt !== null)
  await first.close()

  const { length } = lines
  const logged: unknown[] = []
  const log = (...entry: unknown[]): void => { logged.push(entry) }
  const logger: BackupLogger = { debug: log, info: log, warn: log, error: log }
  const second = createBackupService({ ...given, schedule }, { logger })
  t.match(JSON.stringify(logged), /^\[\["[^"]*cron[^"]*"\]\]$/)
  t.equal(lines.length, length)
  await second.close()
})
