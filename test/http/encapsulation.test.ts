import { gzipSync } from 'node:zlib'
import fastifyCompress from '@fastify/compress'
import fastifyResponseValidation from '@fastify/response-validation'
import type { FastifyInstance } from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import t, { type Test } from 'tap'
import { z } from 'zod'
import { buildApp, type BuildOptions } from './build-app.ts'

const base = '/admin/backup'

/** Checks the responses of all routes to valid and invalid requests, in an app with other settings. */
async function worksAsEver (t: Test, build: BuildOptions): Promise<FastifyInstance> {
  const { app, engine } = await buildApp(t, {
    ...build, options: { restoreAuth: [async () => {}], allowRestore: true }
  })
  const { id } = engine.put('0123456789')
  const json = { 'content-type': 'application/json' }
  for (const [method, path, status, payload] of [
    ['POST', '', 201], ['POST', '', 400, { schma: 'x' }], ['GET', '?limit=3', 200], ['GET', '?limit=x', 400],
    ['GET', '/status', 200], ['GET', `/${id}`, 200], ['GET', '/x', 400],
    ['PATCH', `/${id}`, 200, { note: null }], ['GET', `/${id}/download`, 200], ['HEAD', `/${id}/download`, 200],
    ['POST', `/${id}/plan`, 200], ['POST', `/${id}/restore`, 200, {}],
    ['DELETE', `/${id}`, 204], ['GET', `/${id}`, 404], ['GET', '/no/such', 404]
  ] as const) {
    const response = await app.inject({
      method, url: base + path, ...(payload === undefined ? method === 'POST' && { headers: json } : { payload })
    })
    t.equal(response.statusCode, status, `${method} ${path}`)
  }
  return app
}

t.test('the routes work in an app with a zod validator, which does not change', async (t) => {
  const app = await worksAsEver(t, {
    before (app) {
      app.setValidatorCompiler(validatorCompiler)
      app.setSerializerCompiler(serializerCompiler)
    },
    after: (app) => app.post('/zod', { schema: { body: z.object({ age: z.number() }) } }, async () => 'ok')
  })
  t.equal((await app.inject({ method: 'POST', url: '/zod', payload: { age: 7 } })).statusCode, 200)
  t.equal((await app.inject({ method: 'POST', url: '/zod', payload: { age: 'x' } })).statusCode, 400)
})

t.test('the error formatter, error handler and 404 handler of the app are not called', async (t) => {
  const seen: string[] = []
  await worksAsEver(t, {
    before (app) {
      app.setSchemaErrorFormatter(() => {
        seen.push('formatter')
        return new Error()
      })
      app.setErrorHandler((error, request, reply) => {
        seen.push('error handler')
        return reply.code(418).send(error)
      })
      app.setNotFoundHandler((request, reply) => {
        seen.push('404 handler')
        return reply.code(418).send()
      })
    }
  })
  t.strictSame(seen, [])
})

t.test('the routes work in an app with its own JSON parser', async (t) => {
  await worksAsEver(t, {
    before: (app) => app.addContentTypeParser(
      'application/json', { parseAs: 'string' }, (request, body, done) => done(null, { parsed: body })
    )
  })
})

t.test('validation, body parsing and decorators of the app do not change', async (t) => {
  const { app } = await buildApp(t, {
    before: (app) => app.post(
      '/before',
      { schema: { body: { type: 'object', properties: {}, additionalProperties: false } } },
      async (request) => request.body
    ),
    after: (app) => app.post(
      '/after',
      { schema: { body: { type: 'object', properties: {}, additionalProperties: false } } },
      async (request) => request.body
    )
  })
  for (const url of ['/before', '/after']) {
    const stripped = await app.inject({ method: 'POST', url, payload: { x: 1 } })
    t.strictSame([stripped.statusCode, stripped.body], [200, '{}'])
    t.equal(
      (await app.inject({ method: 'POST', url, headers: { 'content-type': 'application/json' } })).json().code,
      'FST_ERR_CTP_EMPTY_JSON_BODY'
    )
    t.equal(
      (await app.inject({ method: 'POST', url, payload: {}, headers: { 'sec-fetch-site': 'cross-site' } })).statusCode,
      200
    )
  }
  t.equal((await app.inject('/no/such')).json().code, undefined)
  t.equal(app.hasDecorator('auth'), false)
})

t.test('the routes work with @fastify/compress, and a download keeps its Content-Length', async (t) => {
  await worksAsEver(t, {
    before: async (app) => { await app.register(fastifyCompress, { global: true, threshold: 0 }) }
  })

  const { app, engine } = await buildApp(t, {
    before: async (app) => { await app.register(fastifyCompress, { global: true, threshold: 0 }) }
  })
  const { id } = engine.put('0123456789')
  const headers = { 'accept-encoding': 'gzip' }
  const response = await app.inject({ url: `${base}/${id}/download`, headers })
  t.equal(response.headers['content-encoding'], undefined)
  t.equal(response.headers['content-length'], '10')
  t.equal(response.body, '0123456789')
  t.equal(
    (await app.inject({ url: base, headers })).headers['content-encoding'], 'gzip', 'other responses are compressed'
  )
  // The app decodes other requests
  const payload = gzipSync('{}')
  const encoded = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
  t.equal((await app.inject({ method: 'POST', url: base, payload, headers: encoded })).statusCode, 201)
  const imported = await app.inject({ method: 'POST', url: `${base}/import`, payload, headers: encoded })
  t.equal(imported.json().sizeBytes, payload.length, 'an import is kept as it arrived')
})

t.test('the routes work with @fastify/response-validation', async (t) => {
  await worksAsEver(t, {
    before: async (app) => { await app.register(fastifyResponseValidation, { responseStatusCodeValidation: true }) }
  })
})

t.test('the handlerTimeout of the app does not apply to long routes', async (t) => {
  const { app, engine } = await buildApp(t, {
    server: { handlerTimeout: 50 }, options: { restoreAuth: [async () => {}], allowRestore: true }
  })
  const { id } = engine.put('0123456789')
  const { plan, download, list } = engine
  const wait = async (): Promise<void> => { await new Promise((resolve) => setTimeout(resolve, 150)) }
  engine.plan = async (...values) => { await wait(); return await plan(...values) }
  engine.download = async (...values) => { await wait(); return await download(...values) }
  engine.list = async (...values) => { await wait(); return await list(...values) }

  for (const [method, path, status] of [
    ['POST', '', 201], ['POST', `/${id}/restore`, 200], ['POST', `/${id}/plan`, 200], ['GET', `/${id}/download`, 200],
    ['GET', '', 503]
  ] as const) {
    const release = engine.hold()
    const timer = setTimeout(release, 150)
    const response = await app.inject({ method, url: base + path })
    t.equal(response.statusCode, status, `${method} ${path}`)
    clearTimeout(timer)
  }
})

t.test('two scopes may each have the routes', async (t) => {
  const one = await buildApp(t)
  const { app, engine } = await buildApp(t, {
    after: async (app) => { await app.register(async (child) => { child.get('/child', async () => 'ok') }) }
  })
  engine.put()
  t.equal((await one.app.inject(base)).json().backups.length, 0)
  t.equal((await app.inject(base)).json().backups.length, 1)
  t.equal((await app.inject('/child')).statusCode, 200)
})
