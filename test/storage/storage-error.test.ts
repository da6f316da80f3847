import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import t from 'tap'
import { storageError, systemCode } from '../../lib/storage/storage-error.ts'
import { systemError } from './file-system-double.ts'

t.test('a full disk and an exhausted quota are FST_BACKUP_STORAGE_FULL, with the cause', async (t) => {
  for (const code of ['ENOSPC', 'EDQUOT']) {
    const cause = systemError(code)
    t.match(storageError(cause, 'write the snapshot'), {
      code: 'FST_BACKUP_STORAGE_FULL', statusCode: 507, message: /could not write the snapshot;/, cause
    })
  }
})

t.test('the error of /dev/full is FST_BACKUP_STORAGE_FULL', { skip: !existsSync('/dev/full') }, async (t) => {
  const error: unknown = await writeFile('/dev/full', 'x').catch((error: unknown) => error)
  t.match(storageError(error, 'write the snapshot'), { code: 'FST_BACKUP_STORAGE_FULL', cause: { code: 'ENOSPC' } })
})

t.test('any other system error is FST_BACKUP_STORAGE_FAILED, with its code and without the path', async (t) => {
  const cause: unknown = await readFile('/nowhere/at/all').catch((error: unknown) => error)
  const error = storageError(cause, 'read the snapshot')
  t.match(error, {
    code: 'FST_BACKUP_STORAGE_FAILED',
    statusCode: 500,
    message: /failed to read the snapshot \(ENOENT\)/,
    cause
  })
  t.notMatch((error as Error).message, 'nowhere')
})

t.test('any other error is returned unchanged', async (t) => {
  for (const error of [
    new Error('other'),
    Object.assign(new Error('coded'), { code: 'ABC' }),
    Object.assign(new Error('called'), { syscall: 'read' }),
    'text',
    null
  ]) {
    t.equal(storageError(error, 'read'), error)
  }
})

t.test('systemCode() returns the code of any error, and an empty text without one', async (t) => {
  t.equal(systemCode(systemError('ENOENT')), 'ENOENT')
  t.equal(systemCode(Object.assign(new Error('no such snapshot'), { code: 'ENOENT' })), 'ENOENT')
  for (const error of [new Error('other'), 'text', { code: 'ENOENT' }, null]) t.equal(systemCode(error), '')
})
