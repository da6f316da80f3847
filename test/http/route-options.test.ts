import fastifyRateLimit from '@fastify/rate-limit'
import fastifyResponseValidation from '@fastify/response-validation'
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import t from 'tap'
import { buildApp } from './build-app.ts'

declare module 'fastify' {
  interface FastifyContextConfig { otel?: boolean }
}

const base = '/admin/backup'
const allow = { allowRestore: true, restoreAuth: [async () => {}] }

/** Collects the routes below the base path. */
const collect = (routes: RouteOptions[]) => (app: FastifyInstance): void => {
  app.addHook('onRoute', (route) => { if (route.url.startsWith(base)) routes.push(route) })
}

t.test('every route has the config and the hooks', async (t) => {
  const routes: RouteOptions[] = []
  const seen: string[] = []
  const note = (hook: string) => async ({ method, url }: FastifyRequest) => { seen.push(`${hook} ${method} ${url}`) }
  const { app, engine } = await buildApp(t, {
    before: collect(routes),
    options: {
      ...allow,
      routeOptions: { config: { otel: false }, onRequest: note('onRequest'), preHandler: [note('preHandler')] }
    }
  })
  t.ok(routes.length >= 16)
  t.strictSame(routes.filter(({ config }) => config?.otel !== false).map(({ url }) => url), [])
  const defined = routes.filter(({ method }) => method !== 'HEAD') // Fastify derives most HEAD routes from these
  t.equal(new Set(defined.map(({ config }) => config)).size, defined.length, 'no two of them share an object')

  const { id } = engine.put('0123456789')
  const calls = [
    ['POST', base], ['POST', `${base}/`], ['GET', base], ['GET', `${base}/status`], ['GET', `${base}/${id}`],
    ['PATCH', `${base}/${id}`], ['GET', `${base}/${id}/download`], ['HEAD', `${base}/${id}/download`],
    ['POST', `${base}/${id}/verify`], ['POST', `${base}/${id}/plan`], ['POST', `${base}/${id}/restore`],
    ['POST', `${base}/import`], ['DELETE', `${base}/${id}`]
  ] as const
  for (const [method, url] of calls) {
    const response = await app.inject({ method, url })
    t.ok(response.statusCode < 300, `${method} ${url}`)
  }
  t.strictSame(seen, calls.flatMap(([method, url]) => [`onRequest ${method} ${url}`, `preHandler ${method} ${url}`]))
})

t.test('hooks run only after every authentication, and when restores are on', async (t) => {
  let runs = 0
  const onRequest = async (): Promise<void> => { runs++ }
  const routeOptions = { onRequest, preHandler: onRequest }
  const refuse = async (): Promise<void> => { throw new Error('no') }

  const outside = await buildApp(t, { options: { auth: [refuse], routeOptions } })
  for (const url of [base, `${base}/status`, `${base}/no/such`]) {
    t.equal((await outside.app.inject(url)).statusCode, 401)
  }
  const inside = await buildApp(t, { options: { restoreAuth: [refuse], allowRestore: true, routeOptions } })
  const { id } = inside.engine.put()
  for (const [method, url] of [
    ['POST', `${base}/${id}/restore`], ['POST', `${base}/import`], ['DELETE', `${base}/${id}`]
  ] as const) t.equal((await inside.app.inject({ method, url })).statusCode, 401)
  const off = await buildApp(t, { options: { routeOptions } })
  t.equal((await off.app.inject({ method: 'POST', url: `${base}/${off.engine.put().id}/restore` })).statusCode, 403)
  t.equal((await off.app.inject({ method: 'POST', url: base, headers: { origin: 'https://evil.example' } })).statusCode,
    403)
  t.equal(runs, 0)
  await off.app.inject(base)
  t.equal(runs, 2)
})

t.test('the own hook of PATCH runs before those of the app', async (t) => {
  let runs = 0
  const { app, engine } = await buildApp(t, {
    options: {
      restoreAuth: [async () => { throw new Error('no') }], routeOptions: { preHandler: async () => { runs++ } }
    }
  })
  const patch = async (payload: object): Promise<number> =>
    (await app.inject({ method: 'PATCH', url: `${base}/${engine.put().id}`, payload })).statusCode
  t.equal(await patch({ pinned: false }), 401)
  t.equal(runs, 0)
  t.equal(await patch({ pinned: true }), 200)
  t.equal(runs, 1)
})

t.test('@fastify/rate-limit reads its limit from the config', async (t) => {
  const { app } = await buildApp(t, {
    before: async (app) => { await app.register(fastifyRateLimit, { global: false }) },
    options: { routeOptions: { config: { rateLimit: { max: 2, timeWindow: 60_000 } } } }
  })
  const statuses: number[] = []
  for (let count = 0; count < 3; count++) statuses.push((await app.inject(base)).statusCode)
  t.strictSame(statuses, [200, 200, 429])
  const refused = await app.inject(base)
  t.match(refused.json(), { statusCode: 429, error: 'Too Many Requests', message: /Rate limit exceeded/ })
  t.match(refused.headers, { 'x-ratelimit-limit': '2', 'retry-after': /^\d+$/ })
  t.equal((await app.inject(`${base}/status`)).statusCode, 200, 'each route has a limit of its own')
})

t.test('what @fastify/rate-limit refuses keeps its status with @fastify/response-validation', async (t) => {
  const { app } = await buildApp(t, {
    before: async (app) => {
      await app.register(fastifyResponseValidation, { responseStatusCodeValidation: true })
      await app.register(fastifyRateLimit, { max: 1 })
    }
  })
  t.equal((await app.inject(base)).statusCode, 200)
  const refused = await app.inject(base)
  t.equal(refused.statusCode, 429)
  t.match(refused.json(), { statusCode: 429, error: 'Too Many Requests', message: /Rate limit exceeded/ })
})

t.test('the option errorResponseBuilder of @fastify/rate-limit may return an object that is no Error', async (t) => {
  const { app } = await buildApp(t, {
    before: async (app) => {
      await app.register(fastifyRateLimit, {
        max: 0,
        errorResponseBuilder: ({ ip }, { statusCode, max }) =>
          ({ statusCode, error: 'Slow down', message: `${ip} may send ${max} requests`, expiresIn: 1000 })
      })
    }
  })
  const refused = await app.inject(base)
  t.equal(refused.statusCode, 429)
  t.strictSame(refused.json(), {
    statusCode: 429, error: 'Too Many Requests', message: '127.0.0.1 may send 0 requests'
  })
})
