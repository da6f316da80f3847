import fastifyAuth, { type FastifyAuthFunction } from '@fastify/auth'
import t, { type Test } from 'tap'
import { buildApp, type BuildOptions } from './build-app.ts'

const base = '/admin/backup'
const unknownId = '00000000-0000-4000-8000-000000000000'

const pass: FastifyAuthFunction = async () => {}
const refuse: FastifyAuthFunction = async () => { throw new Error('You are not Ada') }

type Functions = Array<FastifyAuthFunction | FastifyAuthFunction[]>

/** Calls a route that requires these functions. Returns the response and whether the call reached the engine. */
async function callBehind (
  t: Test, auth: Functions, build: BuildOptions = {}
): Promise<{ statusCode: number, reached: boolean, body: string }> {
  const { app, engine } = await buildApp(t, { ...build, options: { auth } })
  const { statusCode, body } = await app.inject({ method: 'POST', url: base })
  return { statusCode, reached: engine.calls.length > 0, body }
}

const passing: Record<string, FastifyAuthFunction> = {
  'an async function': async () => {},
  'a function that returns a promise': () => Promise.resolve(true),
  'a function that calls done': (request, reply, done) => done(),
  'a function that calls done later': (request, reply, done) => { setImmediate(done) },
  'a wrapper without parameters of its own': (...values) => pass.apply(...thisAnd(values)),
  'such a wrapper of a function that calls done at once': (...values) => values[2]()
}

function thisAnd (
  values: Parameters<FastifyAuthFunction>
): [ThisParameterType<FastifyAuthFunction>, Parameters<FastifyAuthFunction>] {
  return [values[0].server, values]
}

for (const [what, authenticate] of Object.entries(passing)) {
  t.test(`${what} lets a caller pass`, async (t) => {
    t.match(await callBehind(t, [authenticate]), { statusCode: 201, reached: true })
  })
}

const refusing: Record<string, FastifyAuthFunction> = {
  'an async function that throws': refuse,
  'a function that throws': (request) => { throw new Error(`${request.method} is nothing for you`) },
  'a function that calls done with an error': (request, reply, done) => done(new Error('no')),
  'a function that calls done with an error later': (request, reply, done) => {
    setImmediate(() => done(new Error('no')))
  },
  // eslint-disable-next-line prefer-promise-reject-errors
  'a promise that rejects with nothing': () => Promise.reject(),
  // eslint-disable-next-line prefer-promise-reject-errors
  'a promise that rejects with a string': () => Promise.reject('no'),
  'a promise of false': async () => false,
  'a function that returns false': (request) => request.method === 'GET',
  // See fastify/fastify-auth#255: there, the later promise counts
  'an error for done, and then a promise that resolves': (request, reply, done) => {
    done(new Error('no'))
    return Promise.resolve()
  },
  'a promise that resolves after done had an error': (request, reply, done) => new Promise((resolve) => {
    setImmediate(() => {
      done(new Error('no'))
      resolve(undefined)
    })
  })
}

for (const [what, authenticate] of Object.entries(refusing)) {
  t.test(`${what} refuses a caller, alone, and before or after a function that passes`, async (t) => {
    t.match(await callBehind(t, [authenticate]), { statusCode: 401, reached: false })
    t.match(await callBehind(t, [pass, authenticate]), { statusCode: 401, reached: false })
    t.match(await callBehind(t, [authenticate, pass]), { statusCode: 401, reached: false })
  })
}

t.test('a function that passes twice does not pass in place of the next function', async (t) => {
  const twice: FastifyAuthFunction = (request, reply, done) => {
    done()
    return Promise.resolve()
  }
  const slow: FastifyAuthFunction = (request, reply, done) => { setTimeout(() => done(new Error('no')), 50) }
  t.match(await callBehind(t, [twice, slow]), { statusCode: 401, reached: false })
})

const undecided: Record<string, FastifyAuthFunction> = {
  'just returns': (request) => { if (request.method !== 'POST') throw new Error('POST only') },
  'calls done later, behind a rest parameter': (request, ...rest) => {
    setImmediate(() => rest[1](request.method === 'GET' ? undefined : new Error('no')))
  },
  'calls done later, behind a default': (request, reply, done = () => {}) => {
    setImmediate(() => done(new Error('no')))
  },
  'is a wrapper without parameters, and calls done later': (...values) => { setImmediate(values[2]) }
}

for (const [what, authenticate] of Object.entries(undecided)) {
  t.test(`a function that ${what} is an error, because it may never call done`, async (t) => {
    const { statusCode, reached, body } = await callBehind(t, [authenticate])
    t.match({ statusCode, reached }, { statusCode: 500, reached: false })
    t.match(body, /write it as \(request, reply, done\)/)
  })
}

const replying: Record<string, FastifyAuthFunction> = {
  'as READMEs show it': async (request, reply) => {
    try {
      throw new Error('no token')
    } catch (error) {
      reply.code(401).send(error)
    }
  },
  'and calls done': (request, reply, done) => {
    reply.code(401).send({ no: 'token' })
    done()
  },
  'and throws': async (request, reply) => {
    reply.code(401).send({ no: 'token' })
    throw new Error('no token')
  },
  'by a hijacked reply': async (request, reply) => {
    reply.hijack()
    setTimeout(() => reply.raw.writeHead(401).end(), 20)
  },
  'by the raw response': async (request, reply) => { reply.raw.writeHead(401).end() },
  'by the raw response, not yet to its end': async (request, reply) => {
    reply.raw.writeHead(401)
    setTimeout(() => reply.raw.end(), 20)
  }
}

for (const [how, authenticate] of Object.entries(replying)) {
  t.test(`a function that replies, ${how}, does not pass`, async (t) => {
    t.match(await callBehind(t, [authenticate]), { statusCode: 401, reached: false })
    t.match(await callBehind(t, [authenticate, pass]), { statusCode: 401, reached: false })
    t.match(await callBehind(t, [[authenticate, pass]]), { statusCode: 401, reached: false })
  })
}

t.test('a function that replies does not pass while an onSend hook is still running', async (t) => {
  const before: BuildOptions['before'] = (app) => {
    app.addHook('onSend', async () => await new Promise((resolve) => setTimeout(resolve, 20)))
  }
  for (const authenticate of [replying['as READMEs show it'] ?? pass, replying['and calls done'] ?? pass]) {
    t.match(await callBehind(t, [authenticate, pass], { before }), { statusCode: 401, reached: false })
  }
})

t.test('all functions must pass, so that a longer list never widens access', async (t) => {
  t.match(await callBehind(t, [pass, refuse]), { statusCode: 401, reached: false })
  t.match(await callBehind(t, [refuse, pass]), { statusCode: 401, reached: false })
  t.match(await callBehind(t, [pass, pass]), { statusCode: 201, reached: true })
})

t.test('of an inner list, one function must pass', async (t) => {
  t.match(await callBehind(t, [[refuse, pass], pass]), { statusCode: 201, reached: true })
  t.match(await callBehind(t, [[refuse, refuse], pass]), { statusCode: 401, reached: false })
  t.match(await callBehind(t, [[refuse, pass], refuse]), { statusCode: 401, reached: false })
})

t.test('`this` of a function is the Fastify instance, with its decorators', async (t) => {
  const realms: unknown[] = []
  const { statusCode } = await callBehind(t, [function (request, reply, done) {
    realms.push(Reflect.get(this, 'realm'))
    done()
  }], { before: (app) => app.decorate('realm', 'shop') })
  t.equal(statusCode, 201)
  t.strictSame(realms, ['shop'])
})

t.test('the caller receives the message of the exception', async (t) => {
  const { statusCode, body } = await callBehind(t, [refuse])
  t.equal(statusCode, 401)
  t.strictSame(JSON.parse(body), {
    statusCode: 401, code: 'FST_BACKUP_NOT_AUTHORIZED', error: 'Unauthorized', message: 'You are not Ada'
  })
})

t.test('an error with a status keeps its status, code and message', async (t) => {
  const forbidden = Object.assign(new Error('Admins only'), { statusCode: 403, code: 'SHOP_ADMINS_ONLY' })
  const { statusCode, body } = await callBehind(t, [async () => { throw forbidden }])
  t.equal(statusCode, 403)
  t.strictSame(JSON.parse(body), {
    statusCode: 403, code: 'SHOP_ADMINS_ONLY', error: 'Forbidden', message: 'Admins only'
  })
})

t.test('a function may set the status with reply.code(), as with @fastify/auth', async (t) => {
  const { statusCode, body } = await callBehind(t, [async (request, reply) => {
    reply.code(403)
    throw new Error('Admins only')
  }])
  t.equal(statusCode, 403)
  t.match(JSON.parse(body), { statusCode: 403, error: 'Forbidden', message: 'Admins only' })
})

t.test('the message of an error with a code and without a status is hidden: it may come from a database', async (t) => {
  const { statusCode, body } = await callBehind(t, [async () => {
    throw Object.assign(new Error('duplicate key: (email)=(ada@example.org)'), { code: '23505' })
  }])
  t.equal(statusCode, 401)
  t.notMatch(body, /ada@example/)
})

t.test('without authentication, all methods and paths respond with 401', async (t) => {
  const { app, engine } = await buildApp(t, { options: { auth: [refuse] } })
  const { id } = engine.put()
  for (const [method, url] of [
    ['GET', base], ['HEAD', base], ['GET', `${base}/`], ['OPTIONS', base], ['PUT', base], ['GET', `${base}/status`],
    ['GET', `${base}/not-an-id`], ['GET', `${base}/${id}`],
    ['GET', `${base}/${unknownId}`], ['HEAD', `${base}/${id}/download`], ['GET', `${base}/${id}/download`],
    ['GET', `${base}/no/such/path`], ['OPTIONS', `${base}/no/such/path`],
    ['POST', `${base}/${unknownId}/restore`], ['DELETE', `${base}/${id}`], ['PATCH', `${base}/${id}`],
    ['GET', `${base}?limt=1`]
  ] as const) {
    const response = await app.inject({ method, url })
    t.equal(response.statusCode, 401, `${method} ${url}`)
  }
  const malformed = await app.inject({
    method: 'POST', url: base, payload: '{', headers: { 'content-type': 'application/json' }
  })
  t.equal(malformed.statusCode, 401)
  t.strictSame(engine.calls, [])
})

t.test('with auth: false, the routes require no authentication', async (t) => {
  const { app } = await buildApp(t)
  const { statusCode } = await app.inject(base)
  t.equal(statusCode, 200)
})

t.test('only restore, import, delete, unpin and accept require restoreAuth in addition', async (t) => {
  const { app, engine } = await buildApp(t, { options: { auth: [pass], restoreAuth: [refuse], allowRestore: true } })
  const { id } = engine.put()
  const url = `${base}/${id}`

  for (const request of [
    { method: 'POST', url: `${url}/restore` }, { method: 'POST', url: `${base}/import`, payload: {} },
    { method: 'DELETE', url }, { method: 'PATCH', url, payload: { pinned: false } },
    { method: 'PATCH', url, payload: { pinned: false, note: 'x' } },
    { method: 'PATCH', url, payload: { accepted: true } },
    { method: 'PATCH', url, payload: { accepted: false, pinned: true } }
  ] as const) {
    const response = await app.inject(request)
    t.equal(response.statusCode, 401, `${request.method} ${request.url}`)
  }
  t.strictSame(engine.calls, [])

  for (const request of [
    { method: 'POST', url: base }, { method: 'GET', url: base }, { method: 'GET', url },
    { method: 'GET', url: `${url}/download` }, { method: 'POST', url: `${url}/plan` },
    { method: 'POST', url: `${url}/verify` }, { method: 'PATCH', url, payload: { pinned: true } },
    { method: 'PATCH', url, payload: { note: 'x' } }, { method: 'PATCH', url }
  ] as const) {
    const response = await app.inject(request)
    t.ok(response.statusCode < 300, `${request.method} ${request.url}`)
  }
})

t.test('all functions of restoreAuth must pass', async (t) => {
  const { app, engine } = await buildApp(t, { options: { restoreAuth: [pass, refuse], allowRestore: true } })
  const { id } = engine.put()
  const response = await app.inject({ method: 'POST', url: `${base}/${id}/restore` })
  t.equal(response.statusCode, 401)
})

t.test('a caller who passes restoreAuth may restore, import, delete and unpin', async (t) => {
  const { app, engine } = await buildApp(t, {
    options: { auth: [refuse, pass].slice(1), restoreAuth: [pass], allowRestore: true }
  })
  const { id } = engine.put()
  const url = `${base}/${id}`
  t.equal((await app.inject({ method: 'PATCH', url, payload: { pinned: false } })).statusCode, 200)
  t.equal((await app.inject({ method: 'POST', url: `${url}/restore` })).statusCode, 200)
  t.equal((await app.inject({ method: 'POST', url: `${base}/import`, payload: {} })).statusCode, 201)
  t.equal((await app.inject({ method: 'DELETE', url })).statusCode, 204)
})

t.test('the order of checks is auth, restoreAuth, allowRestore, validation, existence', async (t) => {
  const forbid: FastifyAuthFunction = async () => {
    throw Object.assign(new Error('Restorers only'), { statusCode: 402 })
  }
  const url = `${base}/${unknownId}/restore`
  const misspelt = { allowSchemaDrifts: true }
  const statusOf = async (options: NonNullable<BuildOptions['options']>, payload: object): Promise<number> => {
    const { app } = await buildApp(t, { options })
    return (await app.inject({ method: 'POST', url, payload })).statusCode
  }
  t.equal(await statusOf({ auth: [refuse], restoreAuth: [forbid] }, misspelt), 401)
  t.equal(await statusOf({ auth: [pass], restoreAuth: [forbid] }, misspelt), 402)
  t.equal(await statusOf({ auth: [pass], restoreAuth: [pass] }, misspelt), 403)
  t.equal(await statusOf({ auth: [pass], restoreAuth: [pass], allowRestore: true }, misspelt), 400)
  t.equal(await statusOf({ auth: [pass], restoreAuth: [pass], allowRestore: true }, {}), 404)
})

t.test('it does not matter whether the app registers @fastify/auth before, after or never', async (t) => {
  const register: BuildOptions['before'] = async (app) => { await app.register(fastifyAuth) }
  for (const build of [{ before: register }, { after: register }, {}]) {
    t.match(await callBehind(t, [pass, refuse], build), { statusCode: 401, reached: false })
    t.match(await callBehind(t, [pass, pass], build), { statusCode: 201, reached: true })
  }
})

t.test('the list of functions is not modified', async (t) => {
  const auth: Functions = [pass, [refuse, pass]]
  await callBehind(t, auth)
  t.strictSame(auth, [pass, [refuse, pass]])
  t.equal(auth[0], pass)
})
