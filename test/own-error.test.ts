import t from 'tap'
import { errors, isBackupError, type BackupErrorCode } from '../lib/index.ts'
import { Busy, NotFound, StorageFailed, StorageFull, StorageMissing, StorageTaken } from '../lib/errors.ts'
import { isOwnError, isStorageError, kindOf } from '../lib/own-error.ts'

const foreign = [
  Object.assign(new Error('no such file'), { code: 'ENOENT' }), new Error('FST_BACKUP_BUSY'), { code: 'BUSY' },
  'FST_BACKUP_BUSY', null, undefined
]

t.test('isOwnError() recognizes the errors of this library, and one of them by its code', async (t) => {
  const error = new Busy('another run uses the schema')
  t.strictSame([isOwnError(error), isOwnError(error, 'BUSY'), isOwnError(error, 'ABORTED')], [true, true, false])
  for (const value of foreign) t.strictSame([isOwnError(value), isOwnError(value, 'BUSY')], [false, false])
})

t.test('isStorageError() recognizes the errors of the storage', async (t) => {
  const errors = [
    new StorageFull('write'), new StorageFailed('write', 'EIO'), new StorageMissing(), new StorageTaken('marker', 'now')
  ]
  t.strictSame(errors.map(isStorageError), [true, true, true, true])
  t.strictSame([new NotFound('7'), ...foreign].map(isStorageError), Array(foreign.length + 1).fill(false))
})

t.test('kindOf() returns the name and the code of an error, and not its message', async (t) => {
  const error = Object.assign(new TypeError('row data'), { code: 'ERR_INVALID_ARG_TYPE' })
  t.equal(kindOf(error), 'TypeError ERR_INVALID_ARG_TYPE')
  t.equal(kindOf(new Error('row data')), 'Error')
  t.equal(kindOf('row data'), 'string')
  t.equal(kindOf(null), 'object')
})

t.test('isBackupError() and the exported classes recognize the errors of the library', async (t) => {
  const error: unknown = new errors.Busy('another run uses the schema')
  const code: BackupErrorCode = 'FST_BACKUP_BUSY'
  t.strictSame([isBackupError(error), isBackupError(error, code), isBackupError(error, 'FST_BACKUP_ABORTED')],
    [true, true, false])
  t.strictSame([error instanceof errors.Busy, error instanceof errors.NotFound], [true, false])
  for (const value of foreign) t.strictSame([isBackupError(value), isBackupError(value, code)], [false, false])
  t.equal(isBackupError({ code }), false, 'it is no Error, but the body of a response, for example')
})
