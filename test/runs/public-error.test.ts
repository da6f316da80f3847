import t from 'tap'
import { Aborted, Busy } from '../../lib/errors.ts'
import { isOwnError, kindOf } from '../../lib/own-error.ts'
import { errorText, outcomeOf, publicError } from '../../lib/runs/public-error.ts'

t.test('our own errors are told as they are', async (t) => {
  const busy = new Busy('Another')
  t.equal(publicError(busy), busy)
  t.ok(isOwnError(busy))
  t.ok(isOwnError(busy, 'BUSY'))
  t.notOk(isOwnError(busy, 'ABORTED'))
  t.notOk(isOwnError(Object.assign(new Error('x'), { code: 'BUSY' }), 'BUSY'))
  t.equal(errorText(busy), busy.message)
})

t.test('of a database error the SQLSTATE and the place are told', async (t) => {
  const error = Object.assign(new Error('Key (email)=(hunter2) already exists'), { severity: 'ERROR', code: '23505', constraint_name: 'users_email_key', detail: 'hunter2', file: 'nbtinsert.c' })
  const told = publicError(error)
  t.match(told, { code: 'FST_BACKUP_DATABASE_FAILED', statusCode: 500, message: /23505.*users_email_key/ })
  t.notMatch(JSON.stringify([told, told.message, told.stack, told.cause]), /hunter2/)
})

t.test('of any other error only its kind is told, and where it came from', async (t) => {
  const told = publicError(new TypeError('hunter2\n    at hunter2 (file.js:1:1)\nhunter2'))
  t.match(told, { code: 'FST_BACKUP_UNEXPECTED', statusCode: 500, message: /\(TypeError\)/ })
  t.match(told.stack, /^FastifyError: An unexpected error.*\n {4}at .*public-error\.test\.ts/)
  t.notMatch(`${told.message} ${told.stack} ${String(told.cause)}`, /hunter2/)
  for (const thrown of ['hunter2', 7, null, undefined, { message: 'hunter2' }]) {
    t.match(publicError(thrown), { code: 'FST_BACKUP_UNEXPECTED' })
    t.notMatch(`${errorText(thrown)} ${publicError(thrown).stack}`, /hunter2/)
  }
  t.equal(kindOf(Object.assign(new RangeError('hunter2'), { code: 'ERR_OUT_OF_RANGE' })), 'RangeError ERR_OUT_OF_RANGE')
  t.equal(kindOf('hunter2'), 'string')
})

t.test('an aborted run fails because it was aborted, unless it failed for a reason of its own', async (t) => {
  const aborting = new AbortController()
  const busy = new Busy('Another')
  t.match(outcomeOf(new Error('no'), aborting.signal), { code: 'FST_BACKUP_UNEXPECTED' })
  const reason = new Aborted('by the caller')
  aborting.abort(reason)
  t.equal(outcomeOf(Object.assign(new Error('aborted'), { name: 'AbortError' }), aborting.signal), reason)
  t.equal(outcomeOf(busy, aborting.signal), busy)
})
