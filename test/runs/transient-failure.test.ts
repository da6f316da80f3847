import t from 'tap'
import {
  Aborted, Busy, CannotSnapshot, CatalogUnstable, DatabaseFailed, DatabaseInsecure, DatabaseUnavailable, LockTimeout,
  SchemaNotFound, ShuttingDown, SnapshotInvalid, StorageFailed, StorageFull, StorageTaken, WorkerFailed
} from '../../lib/errors.ts'
import { isTransient } from '../../lib/runs/transient-failure.ts'
import { publicDatabaseError } from '../../lib/postgres/database-error.ts'
import { fromPortable, toPortable } from '../../lib/worker/portable-error.ts'

const databaseError = (code: string): unknown =>
  publicDatabaseError(Object.assign(new Error('no'), { severity: 'ERROR', code }))

t.test('failures of locks, migrations, the storage, the memory and the database may pass', async (t) => {
  for (const failure of [
    new LockTimeout('x'), new CatalogUnstable(), new StorageFailed('x', 'y'), new StorageFull('x'),
    new StorageTaken('x', 'y'), new WorkerFailed('x'), new DatabaseUnavailable('x'), new ShuttingDown(),
    new DatabaseInsecure('x', 'y'), new Aborted('x')
  ]) t.ok(isTransient(failure), failure.message)
})

t.test('of database errors, lack of resources and cancellation may pass, even through a worker', async (t) => {
  for (const code of ['53100', '53200', '57014', '58030', '40001', '40P01']) {
    t.ok(isTransient(databaseError(code)), code)
    t.ok(isTransient(fromPortable(toPortable(databaseError(code)))), code)
  }
  for (const code of ['42501', '22P05', 'XX001', '42P01']) t.notOk(isTransient(databaseError(code)), code)
  t.notOk(isTransient(new DatabaseFailed('x')))
  t.notOk(isTransient({ code: 'FST_BACKUP_DATABASE_FAILED', cause: { code: '53100' } }), 'not an Error')
})

t.test('failures that require a change do not pass', async (t) => {
  for (const failure of [
    new CannotSnapshot('x'), new SchemaNotFound('x'), new SnapshotInvalid('x'), new Busy('x'), new Error('x'), undefined
  ]) t.notOk(isTransient(failure))
})
