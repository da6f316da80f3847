import { Readable } from 'node:stream'
import Fastify from 'fastify'
import postgres from 'postgres'
import { describe, expect, test } from 'tstyche'
import backup, {
  backupPlugin,
  type Backup,
  type BackupOptions,
  type BackupService,
  type Manifest,
  type RestorePlan,
  type RestoreResult,
  type SnapshotStorage,
  type Verification
} from 'fastify-backup'

const app = Fastify()
const verify = async (): Promise<void> => {}

describe('registering', () => {
  test('takes options, or a function of the parent scope that returns them', () => {
    expect(app.register).type.toBeCallableWith(backup, { enabled: true, auth: [verify] })
    expect(app.register).type.toBeCallableWith(
      backupPlugin, () => ({ enabled: true, auth: [verify, [verify, verify]] })
    )
    expect(app.register).type.toBeCallableWith(backup, {
      enabled: true, auth: false as const, sql: postgres({ types: { bigint: postgres.BigInt } })
    })
    expect(app.register).type.not.toBeCallableWith(backup, { enabled: 'yes' })
    expect(app.register).type.not.toBeCallableWith(backup, { enabled: true, auth: ['verify'] })
  })

  test('rejects unknown options', () => {
    expect<BackupOptions>().type.not.toBeAssignableFrom({ enabled: true, alowRestore: true })
    expect<BackupOptions>().type.not.toBeAssignableFrom({ schedule: { mode: 'weekly' as const } })
  })
})

describe('fastify.backup', () => {
  test('is the service', () => {
    expect(app.backup).type.toBe<BackupService>()
  })

  test('returns plain values', () => {
    expect(app.backup.create()).type.toBe<Promise<Backup>>()
    expect(app.backup.verify('id')).type.toBe<Promise<Verification>>()
    expect(app.backup.import(Readable.from([]), { note: 'from production' })).type.toBe<Promise<Backup>>()
    expect(app.backup.plan('id')).type.toBe<Promise<RestorePlan>>()
    expect(app.backup.restore('id', { tables: ['users'] })).type.toBe<Promise<RestoreResult>>()
    expect<Backup['rowCount']>().type.toBe<number | null>()
    expect<Backup['status']>().type.toBe<'running' | 'completed' | 'failed' | 'restored'>()
    expect<Manifest['version']>().type.toBe<1>()
  })

  test('has typed events', () => {
    app.backup.on('backup:completed', (event) => { expect(event).type.toBe<Backup>() })
    expect(app.backup.on).type.not.toBeCallableWith('backup:unknown', () => {})
  })
})

test('a custom storage', () => {
  expect<SnapshotStorage>().type.toHaveProperty('publish')
  expect<SnapshotStorage['stat']>().type.toBeCallableWith('name')
})
