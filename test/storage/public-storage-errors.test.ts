import { Readable } from 'node:stream'
import t from 'tap'
import { withPublicStorageErrors } from '../../lib/storage/public-storage-errors.ts'
import { useDirectory } from '../support/directory.ts'
import { storageWith } from '../support/storage-double.ts'

t.test('the error of an application\'s storage is reported without its message', async (t) => {
  const failure = Object.assign(new Error('hunter2'), { name: 'AccessDenied', detail: 'hunter2' })
  const fail = async (): Promise<never> => { throw failure }
  const storage = withPublicStorageErrors({ publish: fail, open: fail, stat: fail, remove: fail, list: fail })
  const calls = {
    publish: storage.publish('a', 'b'),
    open: storage.open('a'),
    check: storage.stat('a'),
    remove: storage.remove('a'),
    list: storage.list()
  }
  for (const [operation, call] of Object.entries(calls)) {
    const error = await call.catch((error: unknown) => error) as Error
    t.match(error, {
      code: 'FST_BACKUP_STORAGE_FAILED',
      statusCode: 500,
      message: new RegExp(`failed to ${operation} the snapshots? \\(AccessDenied\\)`)
    })
    t.notMatch(JSON.stringify([error, error.stack, error.cause]), /hunter2/)
  }
})

t.test('results are passed through, and so is ENOENT of open()', async (t) => {
  const storage = withPublicStorageErrors({
    publish: async () => {},
    open: async (name, range) => {
      if (name === 'gone') throw Object.assign(new Error('gone'), { code: 'ENOENT' })
      return Readable.from([JSON.stringify({ name, range })])
    },
    stat: async (name) => ({ name, sizeBytes: 1 }),
    remove: async () => {},
    list: async () => []
  })
  await storage.publish('a', 'b')
  t.strictSame(await (await storage.open('a', { start: 1, end: 2 })).toArray(), [
    '{"name":"a","range":{"start":1,"end":2}}'
  ])
  await t.rejects(storage.open('gone'), { code: 'ENOENT' })
  t.strictSame(await storage.stat('a'), { name: 'a', sizeBytes: 1 })
  await storage.remove('a')
  t.strictSame(await storage.list(), [])
})

t.test('a full disk is reported as such', async (t) => {
  const full = async (): Promise<never> => {
    throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' })
  }
  const storage = withPublicStorageErrors(storageWith(await useDirectory(t), { publish: full }))
  await t.rejects(storage.publish('a', 'b.json'), { code: 'FST_BACKUP_STORAGE_FULL', statusCode: 507 })
})
