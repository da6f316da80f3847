import { Readable } from 'node:stream'
import Fastify from 'fastify'
import postgres from 'postgres'
import { describe, expect, test } from 'tstyche'
import backup, {
  backupPlugin,
  createBackupService,
  errors,
  isBackupError,
  type Backup,
  type BackupErrorCode,
  type BackupOptions,
  type BackupService,
  type CompletedBackup,
  type BackupChanges,
  type CreateOptions,
  type GuardOptions,
  type ImportOptions,
  type KeepRules,
  type LimitOptions,
  type ListQuery,
  type LongCall,
  type Manifest,
  type PlanOptions,
  type RestoreOptions,
  type ScheduleOptions,
  type StatusQuery,
  type RestorePlan,
  type RestoreResult,
  type SnapshotStorage,
  type StandaloneBackupService,
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

/** As the value of an environment variable, or of a setting that may be missing. */
type Settings<T> = { [Name in keyof T]?: T[Name] | undefined }

describe('an undefined value', () => {
  test('is accepted for every option, since it means the default', () => {
    // Fastify itself does not accept the others
    expect<BackupOptions>().type.toBeAssignableFrom<Settings<Omit<BackupOptions, 'logLevel' | 'logSerializers'>>>()
    expect<ScheduleOptions>().type.toBeAssignableFrom<Settings<ScheduleOptions>>()
    expect<GuardOptions>().type.toBeAssignableFrom<Settings<GuardOptions>>()
    expect<KeepRules>().type.toBeAssignableFrom<Settings<KeepRules>>()
    expect<LimitOptions>().type.toBeAssignableFrom<Settings<LimitOptions>>()
    expect(app.register).type.toBeCallableWith(backup, { enabled: true, connection: process.env.DATABASE_URL })
  })

  test('is accepted for every argument', () => {
    expect<CreateOptions>().type.toBeAssignableFrom<Settings<CreateOptions>>()
    expect<RestoreOptions>().type.toBeAssignableFrom<Settings<RestoreOptions>>()
    expect<PlanOptions>().type.toBeAssignableFrom<Settings<PlanOptions>>()
    expect<ImportOptions>().type.toBeAssignableFrom<Settings<ImportOptions>>()
    expect<ListQuery>().type.toBeAssignableFrom<Settings<ListQuery>>()
    expect<StatusQuery>().type.toBeAssignableFrom<Settings<StatusQuery>>()
    expect<LongCall>().type.toBeAssignableFrom<Settings<LongCall>>()
    expect<BackupChanges>().type.toBeAssignableFrom<Settings<BackupChanges>>()
    expect(app.backup.download).type.toBeCallableWith('id', undefined)
  })
})

describe('errors', () => {
  const error: unknown = undefined

  test('are recognized by their code, which narrows them', () => {
    if (isBackupError(error)) expect(error.code).type.toBe<BackupErrorCode>()
    if (isBackupError(error, 'FST_BACKUP_SCHEMA_DRIFT')) {
      expect(error.code).type.toBe<'FST_BACKUP_SCHEMA_DRIFT'>()
      expect(error.statusCode).type.toBe<number>()
    }
    expect(isBackupError).type.not.toBeCallableWith(error, 'FST_BACKUP_BUSSY')
    expect<BackupErrorCode>().type.toBeAssignableFrom<'FST_BACKUP_BUSY'>()
    expect<BackupErrorCode>().type.not.toBeAssignableFrom<string>()
  })

  test('are recognized by their class', () => {
    if (error instanceof errors.Busy) expect(error.code).type.toBe<'FST_BACKUP_BUSY'>()
  })
})

describe('fastify.backup', () => {
  test('is the service', () => {
    expect(app.backup).type.toBe<BackupService>()
  })

  test('returns plain values', () => {
    expect(app.backup.create()).type.toBe<Promise<CompletedBackup>>()
    expect(app.backup.verify('id')).type.toBe<Promise<Verification>>()
    expect(app.backup.import(Readable.from([]), { note: 'from production' })).type.toBe<Promise<CompletedBackup>>()
    expect(app.backup.plan('id')).type.toBe<Promise<RestorePlan>>()
    expect(app.backup.restore('id', { tables: ['users'] })).type.toBe<Promise<RestoreResult>>()
    expect<Backup['rowCount']>().type.toBe<number | null>()
    expect<CompletedBackup['sizeBytes' | 'rowCount' | 'tableCount' | 'durationMs']>().type.toBe<number>()
    expect<CompletedBackup['checksum' | 'finishedAt']>().type.toBe<string>()
    expect<CompletedBackup['status']>().type.toBe<'completed'>()
    expect<Backup>().type.toBeAssignableFrom<CompletedBackup>()
    expect<Backup['status']>().type.toBe<'running' | 'completed' | 'failed' | 'restored'>()
    expect<Manifest['version']>().type.toBe<1>()
  })

  test('has typed events', () => {
    app.backup.on('backup:started', (event) => { expect(event).type.toBe<Backup>() })
    app.backup.on('backup:completed', (event) => { expect(event).type.toBe<CompletedBackup>() })
    app.backup.on('restore:failed', ({ error }) => { expect(error.code).type.toBe<string>() })
    expect(app.backup.on).type.not.toBeCallableWith('backup:unknown', () => {})
  })
})

test('a custom storage', () => {
  expect<SnapshotStorage>().type.toHaveProperty('publish')
  expect<SnapshotStorage['stat']>().type.toBeCallableWith('name')
})

describe('createBackupService()', () => {
  test('takes the options that do not concern HTTP, and a logger', () => {
    expect(createBackupService()).type.toBe<StandaloneBackupService>()
    expect(createBackupService).type.toBeCallableWith({ allowRestore: true, schema: 'shop' }, { logger: app.log })
    expect(createBackupService).type.toBeCallableWith({}, { logger: console })
    expect(createBackupService).type.not.toBeCallableWith({ auth: [verify] })
    expect(createBackupService).type.not.toBeCallableWith({ basePath: '/backups' })
    expect(createBackupService).type.not.toBeCallableWith({}, { logger: {} })
  })

  test('returns the service, which a script closes', () => {
    expect<BackupService>().type.toBeAssignableFrom<StandaloneBackupService>()
    expect(createBackupService().close()).type.toBe<Promise<void>>()
    expect<AsyncDisposable>().type.toBeAssignableFrom<StandaloneBackupService>()
  })
})
