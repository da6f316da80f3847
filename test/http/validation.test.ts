import t from 'tap'
import { Type } from 'typebox'
import { compileValidator, describeInvalid } from '../../lib/http/validation.ts'
import { buildApp } from './build-app.ts'

const base = '/admin/backup'
const json = { 'content-type': 'application/json' }

t.test('an unknown key in the body is an error and is not removed', async (t) => {
  const { app, engine } = await buildApp(t, {
    options: { auth: false, restoreAuth: [async () => {}], allowRestore: true }
  })
  const { id } = engine.put()
  for (const [method, url, payload] of [
    ['POST', base, { exclude_tables: ['sessions'] }],
    ['POST', base, { allowModified: true }],
    ['PATCH', `${base}/${id}`, { pin: true }],
    ['POST', `${base}/${id}/plan`, { tabels: ['users'] }],
    ['POST', `${base}/${id}/restore`, { allowSchemadrift: false }],
    ['POST', `${base}/${id}/restore`, { allowModified: true }],
    ['POST', `${base}/${id}/restore`, { constructor: 1 }]
  ] as const) {
    const response = await app.inject({ method, url, payload })
    t.equal(response.statusCode, 400, url)
    t.match(response.json(), {
      code: 'FST_ERR_VALIDATION',
      error: 'Bad Request',
      message: `body must not have additional properties: ${Object.keys(payload).join()}`
    })
  }
  t.strictSame(engine.calls, [])
})

t.test('an unknown key in the query is an error, also on routes without a query', async (t) => {
  const { app, engine } = await buildApp(t, { options: { restoreAuth: [async () => {}], allowRestore: true } })
  const { id } = engine.put()
  for (const [method, path] of [
    ['GET', '?limt=5'], ['GET', '?__proto__=5'], ['POST', '?schema=public'], ['GET', '/status?verbose=1'],
    ['GET', `/${id}?x=1`], ['PATCH', `/${id}?pinned=true`], ['GET', `/${id}/download?x=1`],
    ['HEAD', `/${id}/download?x=1`], ['POST', `/${id}/plan?tables=users`], ['POST', `/${id}/restore?dryRun=true`],
    ['DELETE', `/${id}?force=true`]
  ] as const) {
    const response = await app.inject({ method, url: base + path })
    t.equal(response.statusCode, 400, `${method} ${path}`)
  }
  t.strictSame(engine.calls, [])
})

t.test('a body with __proto__ is an error', async (t) => {
  const { app } = await buildApp(t)
  const response = await app.inject({
    method: 'POST', url: base, payload: '{"__proto__":{"pinned":true}}', headers: json
  })
  t.equal(response.statusCode, 400)
})

t.test('values of the wrong type are an error and are not converted', async (t) => {
  const { app, engine } = await buildApp(t)
  const { id } = engine.put()
  for (const [method, url, payload] of [
    ['POST', base, { schema: 5 }], ['POST', base, { schema: null }], ['POST', base, { schema: '' }], [
      'POST', base, { schema: 'x'.repeat(64) }
    ], ['POST', base, { schema: 'a\0' }],
    ['POST', base, { note: null }], ['POST', base, { note: 'x'.repeat(1001) }], ['POST', base, { note: 'a\0' }],
    ['POST', base, { excludeTables: 'sessions' }], ['POST', base, { excludeTables: [''] }], [
      'POST', base, { excludeTables: ['x'.repeat(128)] }
    ], ['POST', base, { excludeTables: Array(1001).fill('x') }],
    ['POST', base, []], ['POST', `${base}/${id}/plan`, { tables: [] }], [
      'POST', `${base}/${id}/plan`, { tables: 'users' }
    ],
    [
      'PATCH', `${base}/${id}`, { pinned: 'false' }
    ], ['PATCH', `${base}/${id}`, { pinned: null }], ['PATCH', `${base}/${id}`, { note: 5 }]
  ] as const) {
    const response = await app.inject({ method, url, payload })
    t.equal(response.statusCode, 400, JSON.stringify(payload).slice(0, 80))
  }
  t.strictSame(engine.calls, [])
})

t.test('values of the maximum length are valid', async (t) => {
  const { app, engine } = await buildApp(t)
  const payload = { schema: '😀'.repeat(63), note: '😀'.repeat(1000), excludeTables: ['x'.repeat(127)] }
  const response = await app.inject({ method: 'POST', url: base, payload })
  t.equal(response.statusCode, 201)
  t.strictSame(engine.calls[0], ['beginCreate', payload])
})

t.test('names with special characters are not changed', async (t) => {
  const { app, engine } = await buildApp(t)
  for (const schema of ['a"b', '../x', '__proto__', 'select', 'ü'.repeat(31)]) {
    await app.inject({ method: 'POST', url: base, payload: { schema } })
    t.strictSame(engine.calls[0], ['beginCreate', { schema }])
    engine.calls.length = 0
  }
})

t.test('a missing body, an empty one, and an empty one of type JSON count as {}', async (t) => {
  const { app, engine } = await buildApp(t, { options: { restoreAuth: [async () => {}], allowRestore: true } })
  const { id } = engine.put()
  for (const [method, url, status] of [
    ['POST', base, 201], ['POST', `${base}/${id}/plan`, 200], ['POST', `${base}/${id}/restore`, 200],
    ['PATCH', `${base}/${id}`, 200], ['DELETE', `${base}/${id}`, 204]
  ] as const) {
    if (method !== 'DELETE') {
      t.equal((await app.inject({ method, url })).statusCode, status, `${method} ${url}`)
      t.equal((await app.inject({ method, url, payload: {} })).statusCode, status, `${method} ${url} with {}`)
    }
    t.equal((await app.inject({ method, url, headers: json })).statusCode, status, `${method} ${url} as JSON`)
  }
})

t.test('null, a string and malformed JSON are errors', async (t) => {
  const { app } = await buildApp(t)
  for (const payload of ['null', '{', '"{}"', ' ']) {
    const response = await app.inject({ method: 'POST', url: base, payload, headers: json })
    t.equal(response.statusCode, 400, payload)
  }
})

t.test('content types of HTML forms are errors', async (t) => {
  const { app } = await buildApp(t)
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
    const response = await app.inject({ method: 'POST', url: base, payload: '{}', headers: { 'content-type': type } })
    t.match(response.json(), {
      statusCode: 415,
      code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE',
      message: /send JSON, with content-type: application\/json$/
    }, type)
  }
})

t.test('the limit is an integer from 1 to 1000 in decimal digits', async (t) => {
  const { app, engine } = await buildApp(t)
  for (const limit of ['1', '1000', '007']) {
    engine.calls.length = 0
    t.equal((await app.inject(`${base}?limit=${limit}`)).statusCode, 200)
    t.strictSame(engine.calls, [['list', { limit: Number(limit) }]])
  }
  engine.calls.length = 0
  for (const limit of [
    '0', '1001', '-1', '1.5', '1e2', '0x10', 'true', '', '%201', 'ten', '99999999999999999999', '1&limit=2'
  ]) {
    const response = await app.inject(`${base}?limit=${limit}`)
    t.equal(response.statusCode, 400, limit)
  }
  t.strictSame(engine.calls, [])
})

t.test('other values of the query stay strings', async (t) => {
  const { app, engine } = await buildApp(t)
  const response = await app.inject(`${base}?schema=5&status=completed&trigger=scheduled&before=12&limit=3`)
  t.equal(response.statusCode, 200)
  t.strictSame(engine.calls, [
    ['list', { schema: '5', status: 'completed', trigger: 'scheduled', before: '12', limit: 3 }]
  ])
})

t.test('an unknown status or trigger is an error', async (t) => {
  const { app } = await buildApp(t)
  t.equal((await app.inject(`${base}?status=done`)).statusCode, 400)
  t.equal((await app.inject(`${base}?trigger=cron`)).statusCode, 400)
})

t.test('a malformed id is 400, an unknown one 404', async (t) => {
  const { app } = await buildApp(t, { options: { restoreAuth: [async () => {}], allowRestore: true } })
  const requests = [
    ['GET', ''], ['PATCH', ''], ['DELETE', ''], ['GET', '/download'], ['HEAD', '/download'], ['POST', '/plan'],
    ['POST', '/restore']
  ] as const
  for (const [method, path] of requests) {
    for (const id of [
      '1', 'x'.repeat(90), '00000000-0000-4000-8000-00000000000G', '00000000-0000-4000-8000-00000000000A', '..%2Fx',
      '%00'
    ]) {
      const response = await app.inject({ method, url: `${base}/${id}${path}` })
      t.equal(response.statusCode, 400, `${method} ${id}${path}`)
    }
    const response = await app.inject({ method, url: `${base}/00000000-0000-4000-8000-000000000000${path}` })
    t.equal(response.statusCode, 404, `${method} unknown${path}`)
  }
})

t.test('the message of an error says plainly what is wrong', async (t) => {
  const { app, engine } = await buildApp(t, { options: { restoreAuth: [async () => {}], allowRestore: true } })
  const { id } = engine.put()
  const anInstant = 'an instant in ISO 8601 with a time zone, such as 2026-11-22T17:45:00Z'
  const anId = 'params/id must be the id of a backup: a UUID in lower case'
  for (const [method, path, payload, message] of [
    ['GET', '/x', undefined, anId],
    ['GET', `/${id.replace(/^./, 'A')}`, undefined, anId],
    ['POST', '/X/restore', {}, anId],
    ['GET', '?status=done', undefined, 'querystring/status must be one of running, completed, failed, restored'],
    ...['', '2026-11-22', '2026-11-22T17:45:00', '2026-11-22T17:45:60Z'].map((time) =>
      ['GET', `?since=${time}`, undefined, `querystring/since must be ${anInstant}`] as const),
    ['GET', '?until=x', undefined, `querystring/until must be ${anInstant}`],
    ['POST', '', { note: 'a\0' }, 'body/note must not contain the character NUL'],
    ['POST', '', { note: 5, schema: null }, 'body/schema must be string; body/note must be string'],
    ['PATCH', `/${id}`, { note: 5 }, 'body/note must be string'],
    ['PATCH', `/${id}`, { note: 'a\0' }, 'body/note must not contain the character NUL']
  ] as const) {
    const response = await app.inject({ method, url: base + path, ...payload !== undefined && { payload } })
    t.match(response.json(), { statusCode: 400, code: 'FST_ERR_VALIDATION', error: 'Bad Request' })
    t.equal(response.json().message, message)
  }
})

t.test('the message for another pattern contains the pattern', async (t) => {
  const schema = Type.Object({ day: Type.String({ pattern: '^\\d+$' }) })
  const result: unknown = compileValidator({ schema, method: 'GET', url: '/', httpPart: 'querystring' })({ day: 'x' })
  const { error } = result as { error: Parameters<typeof describeInvalid>[0] }
  t.equal(describeInvalid(error, 'querystring').message, 'querystring/day must match pattern "^\\d+$"')
})
