import t from 'tap'
import * as errors from '../../lib/errors.ts'
import { CannotRestore, CannotSnapshot, SchemaDrift, StorageFailed } from '../../lib/errors.ts'
import { fromPortable, toPortable } from '../../lib/worker/portable-error.ts'

/** Carries an error as between two threads. */
const carry = (error: unknown): Error & Record<string, unknown> =>
  Object.assign(fromPortable(structuredClone(toPortable(error))))

t.test('every error of this library has the same class and properties afterwards', async (t) => {
  for (const [name, OwnError] of Object.entries(errors)) {
    const error: Error & { code: string, statusCode?: number } = Reflect.construct(OwnError, ['one', 'two'])
    const carried = carry(error)
    t.ok(carried instanceof OwnError, name)
    t.match(carried, {
      name: error.name,
      message: error.message,
      stack: error.stack,
      code: error.code,
      statusCode: error.statusCode
    })
    t.equal(String(carried), String(error))
  }
})

t.test('the properties that callers use are kept', async (t) => {
  const problems = ['the role does not own users']
  t.strictSame(carry(Object.assign(new CannotRestore('users'), { problems })).problems, problems)
  t.strictSame(carry(Object.assign(new CannotSnapshot('users'), { problems })).problems, problems)
  const drift = [{ table: 'users', column: null, problem: 'is not there' }]
  t.strictSame(carry(Object.assign(new SchemaDrift('users'), { drift })).drift, drift)
  t.strictSame(carry(Object.assign(new SchemaDrift('users'), { cause: { code: '23505' } })).cause, { code: '23505' })
})

t.test('a cause that is an error is kept with its code', async (t) => {
  const cause = Object.assign(new Error('ENOTDIR: not a directory'), {
    code: 'ENOTDIR',
    syscall: 'open',
    path: '/backups'
  })
  const carried = carry(Object.assign(new StorageFailed('write the snapshot', 'ENOTDIR'), { cause }))
  t.ok(carried.cause instanceof Error)
  t.match(carried.cause, { message: cause.message, stack: cause.stack, code: 'ENOTDIR' })
  t.notOk('path' in (carried.cause as Error))
})

t.test('another error keeps its name and its code, and no other property', async (t) => {
  const carried = carry(
    Object.assign(new TypeError('not a number', { cause: new Error('a row') }), {
      code: 'ERR_INVALID',
      problems: ['hunter2'],
      handle () {}
    })
  )
  t.match(carried, { name: 'TypeError', message: 'not a number', code: 'ERR_INVALID' })
  t.strictSame([carried.problems, carried.handle, carried.cause], [undefined, undefined, undefined])
  const plain = carry(new RangeError('too long'))
  t.equal(plain.name, 'RangeError')
  t.notOk('code' in plain, 'an error without code gets none')
  t.notOk('code' in carry(Object.assign(new Error('of a system'), { code: 5 })))
})

t.test('a thrown value that is not an error becomes one', async (t) => {
  t.match(carry('nothing but words'), { name: 'Error', message: 'nothing but words' })
  t.match(carry(undefined), { name: 'Error', message: 'undefined' })
})

t.test('of a database error only the public part is kept', async (t) => {
  const refused = carry(
    Object.assign(new Error('Key (name)=(hunter2) already exists'), {
      severity: 'ERROR',
      code: '23505',
      detail: 'hunter2',
      table_name: 'users',
      constraint_name: 'users_name_key',
      file: 'nbtinsert.c'
    })
  )
  t.ok(refused instanceof errors.DatabaseFailed)
  t.match(refused, {
    message: /23505, table users, constraint users_name_key/,
    cause: { code: '23505', constraint: 'users_name_key' }
  })
  t.notMatch(JSON.stringify([refused, refused.message, refused.stack, refused.cause]), /hunter2/)
  t.ok(
    carry(Object.assign(new Error('write CONNECTION_CLOSED'), { code: 'CONNECTION_CLOSED' })) instanceof
      errors.DatabaseUnavailable
  )
})
