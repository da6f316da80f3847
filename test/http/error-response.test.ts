import { Writable } from 'node:stream'
import t from 'tap'
import { Aborted, Busy, CannotRestore, DatabaseUnavailable, SchemaDrift } from '../../lib/errors.ts'
import { setLogged } from '../../lib/own-error.ts'
import { buildApp } from './build-app.ts'

const base = '/admin/backup'

/** Makes list() fail with this error. Returns the response and the log output. */
async function listFailing (
  t: Parameters<typeof buildApp>[0], error: unknown
): Promise<{ statusCode: number, body: unknown, log: string }> {
  let log = ''
  const stream = new Writable({
    write (chunk, encoding, done) {
      log += String(chunk)
      done()
    }
  })
  const { app, engine } = await buildApp(t, { server: { logger: { level: 'info', stream } } })
  engine.fail('list', error)
  log = ''
  const response = await app.inject(base)
  return { statusCode: response.statusCode, body: response.json(), log }
}

t.test("an error of this library has Fastify's error body", async (t) => {
  const { statusCode, body } = await listFailing(t, new Busy('a restore of public runs'))
  t.equal(statusCode, 409)
  t.strictSame(body, {
    statusCode: 409,
    code: 'FST_BACKUP_BUSY',
    error: 'Conflict',
    message: 'a restore of public runs; try again when it has ended'
  })
})

t.test('the body includes the lists drift and problems', async (t) => {
  const drift = [{ table: 'users', column: 'age', problem: 'is missing' }, { table: 'orders', problem: 'is missing' }]
  t.match(
    await listFailing(t, Object.assign(new SchemaDrift('users.age is missing'), { drift })),
    { statusCode: 422, body: { drift } }
  )
  const problems = ['the role does not own users']
  t.match(
    await listFailing(t, Object.assign(new CannotRestore('see problems'), { problems })),
    { statusCode: 422, body: { problems } }
  )
})

t.test('the error of a status without a name is Error', async (t) => {
  t.match(await listFailing(t, new Aborted('by the caller')), {
    statusCode: 499, body: { statusCode: 499, error: 'Error' }
  })
})

t.test('an error that the run has logged is not logged again', async (t) => {
  const error = new DatabaseUnavailable('ECONNREFUSED')
  setLogged(error)
  const { statusCode, log } = await listFailing(t, error)
  t.equal(statusCode, 503)
  t.notMatch(log, /FST_BACKUP_DATABASE_UNAVAILABLE/)
})

t.test('a server error is logged at level error', async (t) => {
  const { statusCode, log } = await listFailing(t, new DatabaseUnavailable('ECONNREFUSED'))
  t.equal(statusCode, 503)
  t.match(log, /"level":50.*FST_BACKUP_DATABASE_UNAVAILABLE/)
})

t.test('of an unexpected error, only code and name are reported, and only to the log', async (t) => {
  const error = Object.assign(new Error(
    'duplicate key value: (email)=(ada@example.org)', { cause: new Error('ada@example.org') }
  ), {
    name: 'PostgresError', code: '23505', detail: 'Key (email)=(ada@example.org) already exists.'
  })
  const { statusCode, body, log } = await listFailing(t, error)
  t.equal(statusCode, 500)
  t.strictSame(body, {
    statusCode: 500,
    error: 'Internal Server Error',
    message: 'An unexpected error occurred; the log of the service contains its code'
  })
  t.match(log, /"code":"23505","name":"PostgresError"/)
  t.notMatch(log, /ada@example/)
})

t.test('server errors of other libraries, and values that are not errors, are unexpected', async (t) => {
  t.match(await listFailing(t, Object.assign(new Error('secret'), { statusCode: 502 })), {
    statusCode: 502, body: { statusCode: 502, error: 'Bad Gateway', message: /^An unexpected error occurred/ }
  }, 'the status is kept')
  t.match(await listFailing(t, 'secret'), { statusCode: 500, body: { statusCode: 500 } })
  t.match(await listFailing(t, Object.assign(new Error('secret'), { statusCode: 200 })), {
    statusCode: 500, body: { statusCode: 500 }
  })
})

t.test('a hook of the app that fails in every response gives an error body without its message', async (t) => {
  const { app, engine } = await buildApp(t, {
    before: (app) => { app.addHook('onSend', async () => { throw new Error('secret') }) }
  })
  const message = 'An unexpected error occurred; the log of the service contains its code'
  const { id } = engine.put()
  t.strictSame((await app.inject(`${base}/${id}`)).json(), { statusCode: 500, error: 'Internal Server Error', message })
  engine.fail('list', new Aborted('by the caller'))
  t.strictSame((await app.inject(base)).json(), { statusCode: 499, error: 'Error', message })
})

t.test('an unknown path is 404 with the same error body', async (t) => {
  const { app } = await buildApp(t)
  const response = await app.inject(`${base}/no/such/path`)
  t.equal(response.statusCode, 404)
  t.match(response.json(), { statusCode: 404, code: 'FST_BACKUP_ROUTE_NOT_FOUND', error: 'Not Found' })
})

t.test('no response may be cached', async (t) => {
  const open = await buildApp(t)
  const shut = await buildApp(t, { options: { auth: [async () => { throw new Error('no') }] } })
  for (const { app } of [open, shut]) {
    for (const url of [base, `${base}/no-id`, `${base}/no/such/path`]) {
      const response = await app.inject(url)
      t.equal(response.headers['cache-control'], 'no-store', `${response.statusCode} ${url}`)
    }
  }
})
