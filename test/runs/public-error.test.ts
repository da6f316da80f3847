import t from 'tap'
import { Aborted, Busy } from '../../lib/errors.ts'
import { isOwnError, kindOf } from '../../lib/own-error.ts'
import { errorText, outcomeOf, publicError } from '../../lib/runs/public-error.ts'

t.test('own errors are passed on unchanged', async (t) => {
  const busy = new Busy('Another')
  t.equal(publicError(busy), busy)
  t.ok(isOwnError(busy))
  t.ok(isOwnError(busy, 'BUSY'))
  t.notOk(isOwnError(busy, 'ABORTED'))
  t.notOk(isOwnError(Object.assign(new Error('x'), { code: 'BUSY' }), 'BUSY'))
  t.equal(errorText(busy), busy.message)
})

t.test('a database error is reported with its SQLSTATE and constraint, without row data', async (t) => {
  const error = Object.assign(new Error('Key (email)=(hunter2) already exists'), {
    severity: 'ERROR', code: '23505', constraint_name: 'users_email_key', detail: 'hunter2', file: 'nbtinsert.c'
  })
  const reported = publicError(error)
  t.match(reported, { code: 'FST_BACKUP_DATABASE_FAILED', statusCode: 500, message: /23505.*users_email_key/ })
  t.notMatch(JSON.stringify([reported, reported.message, reported.stack, reported.cause]), /hunter2/)
})

t.test('any other error is reported with its kind and stack only', async (t) => {
  const reported = publicError(new TypeError('hunter2\n    at hunter2 (file.js:1:1)\nhunter2'))
  t.match(reported, { code: 'FST_BACKUP_UNEXPECTED', statusCode: 500, message: /\(TypeError\)/ })
  t.match(reported.stack, /^FastifyError: An unexpected error.*\n {4}at .*public-error\.test\.ts/)
  t.notMatch(`${reported.message} ${reported.stack} ${String(reported.cause)}`, /hunter2/)
  for (const thrown of ['hunter2', 7, null, undefined, { message: 'hunter2' }]) {
    t.match(publicError(thrown), { code: 'FST_BACKUP_UNEXPECTED' })
    t.notMatch(`${errorText(thrown)} ${publicError(thrown).stack}`, /hunter2/)
  }
  t.equal(kindOf(Object.assign(new RangeError('hunter2'), { code: 'ERR_OUT_OF_RANGE' })), 'RangeError ERR_OUT_OF_RANGE')
  t.equal(kindOf('hunter2'), 'string')
})

t.test('an aborted run fails with the reason of the abort, unless it failed with an own error', async (t) => {
  const aborting = new AbortController()
  const busy = new Busy('Another')
  t.match(outcomeOf(new Error('no'), aborting.signal), { code: 'FST_BACKUP_UNEXPECTED' })
  const reason = new Aborted('by the caller')
  aborting.abort(reason)
  t.equal(outcomeOf(Object.assign(new Error('aborted'), { name: 'AbortError' }), aborting.signal), reason)
  t.equal(outcomeOf(busy, aborting.signal), busy)
})
