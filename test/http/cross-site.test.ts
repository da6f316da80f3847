import fastifyCors from '@fastify/cors'
import t from 'tap'
import { buildApp } from './build-app.ts'

const base = '/admin/backup'

/** The response to a POST with these headers. */
async function post (
  t: Parameters<typeof buildApp>[0], headers: Record<string, string>, allowedOrigins: string[] = []
): Promise<{ statusCode: number, code: unknown, reached: boolean }> {
  const { app, engine } = await buildApp(t, { options: { allowedOrigins } })
  const response = await app.inject({ method: 'POST', url: base, headers: { host: 'shop.example', ...headers } })
  return { statusCode: response.statusCode, code: response.json().code, reached: engine.calls.length > 0 }
}

const refused = { statusCode: 403, code: 'FST_BACKUP_CROSS_SITE', reached: false }

for (const site of ['cross-site', 'same-site', 'anything', '']) {
  t.test(`Sec-Fetch-Site: ${site} is refused`, async (t) => {
    t.match(await post(t, { 'sec-fetch-site': site }), refused)
    t.match(await post(t, { 'sec-fetch-site': site, origin: 'https://shop.example' }), refused)
  })
}

for (const site of ['same-origin', 'none']) {
  t.test(`Sec-Fetch-Site: ${site} is accepted`, async (t) => {
    t.match(await post(t, { 'sec-fetch-site': site }), { statusCode: 201 })
  })
}

for (const origin of [
  'https://evil.example', 'https://evil.shop.example', 'https://shop.example.evil.example', 'https://shop.example:8443',
  'null', 'shop.example', 'file://', 'chrome-extension://shop'
]) {
  t.test(`without Sec-Fetch-Site, Origin: ${origin} is refused`, async (t) => {
    t.match(await post(t, { origin }), refused)
  })
}

t.test('an origin of the same host is accepted', async (t) => {
  t.match(await post(t, { origin: 'https://shop.example' }), { statusCode: 201 })
  t.match(await post(t, { origin: 'http://shop.example' }), { statusCode: 201 })
  t.match(await post(t, { origin: 'https://SHOP.example', host: 'shop.EXAMPLE:443' }), { statusCode: 201 })
  t.match(await post(t, { origin: 'http://localhost:3000', host: 'localhost:3000' }), { statusCode: 201 })
  t.match(await post(t, { origin: 'http://[::1]:3000', host: '[::1]:3000' }), { statusCode: 201 })
})

t.test('an origin is refused if the Host header is malformed', async (t) => {
  t.match(await post(t, { origin: 'https://shop.example', host: 'a b' }), refused)
})

t.test('a request with neither header is accepted', async (t) => {
  t.match(await post(t, {}), { statusCode: 201 })
})

t.test('unsafe methods are checked, also on unknown paths, and safe methods are not', async (t) => {
  const { app, engine } = await buildApp(t)
  const { id } = engine.put()
  const headers = { 'sec-fetch-site': 'cross-site' }
  for (const [method, url] of [
    ['POST', `${base}/${id}/plan`], ['PATCH', `${base}/${id}`], ['DELETE', `${base}/${id}`], ['PUT', `${base}/${id}`],
    ['POST', `${base}/no/such`]
  ] as const) {
    const response = await app.inject({ method, url, headers })
    t.equal(response.statusCode, 403, `${method} ${url}`)
  }
  for (const method of ['GET', 'HEAD'] as const) {
    const response = await app.inject({ method, url: `${base}/${id}`, headers })
    t.equal(response.statusCode, 200, method)
  }
})

t.test('authentication comes before this check', async (t) => {
  const { app } = await buildApp(t, { options: { auth: [async () => { throw new Error('no') }] } })
  const response = await app.inject({ method: 'POST', url: base, headers: { 'sec-fetch-site': 'cross-site' } })
  t.equal(response.statusCode, 401)
})

const bearer = { authorization: 'Bearer token' }
const fromElsewhere = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }

t.test('a request with a bearer token is accepted from any origin, since no page can send it unasked', async (t) => {
  t.match(await post(t, { ...fromElsewhere, ...bearer }), { statusCode: 201 })
  t.match(await post(t, { ...fromElsewhere, authorization: 'bearer token' }), { statusCode: 201 })
  t.match(await post(t, { origin: 'null', ...bearer }), { statusCode: 201 })
})

t.test('a request with credentials that a browser adds by itself is refused', async (t) => {
  for (const headers of [
    { cookie: 'session=1' }, { authorization: 'Basic YTpi' }, { ...bearer, cookie: 'session=1' },
    { ...bearer, cookie: '' }, { authorization: 'Bearer' }, { authorization: 'Bearer ' }, { authorization: '' },
    { authorization: 'Basic Bearer x' }, { authorization: 'Negotiate x' }
  ]) t.match(await post(t, { ...fromElsewhere, ...headers }), refused, JSON.stringify(headers))
})

t.test('a page of an allowed origin may write, also with a cookie', async (t) => {
  const allowed = ['https://admin.example', 'http://localhost:5173']
  const cookie = 'session=1'
  for (const origin of allowed) {
    for (const site of [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, {}]) {
      t.match(await post(t, { ...site, origin, cookie }, allowed), { statusCode: 201 })
    }
  }
  for (const origin of [
    'http://admin.example', 'https://admin.example:8443', 'https://evil.admin.example', 'http://localhost', 'null'
  ]) t.match(await post(t, { 'sec-fetch-site': 'cross-site', origin, cookie }, allowed), refused, origin)
  t.match(await post(t, { 'sec-fetch-site': 'cross-site', cookie }, allowed), refused, 'without Origin')
})

t.test('with @fastify/cors, a page of another origin sends a preflight and then writes', async (t) => {
  const origin = 'https://admin.example'
  const { app, engine } = await buildApp(t, {
    options: { auth: [async ({ headers }) => { if (!headers.authorization) throw new Error('Log in first') }] },
    before: async (app) => {
      await app.register(fastifyCors, {
        origin: [origin], methods: ['GET', 'POST', 'PATCH', 'DELETE'], exposedHeaders: ['location']
      })
    }
  })
  const { id } = engine.put()
  for (const [method, url] of [['POST', base], ['PATCH', `${base}/${id}`], ['DELETE', `${base}/${id}`]] as const) {
    const asked = { 'access-control-request-method': method, 'access-control-request-headers': 'authorization' }
    const preflight = await app.inject({ method: 'OPTIONS', url, headers: { origin, ...asked } })
    t.equal(preflight.statusCode, 204)
    t.match(preflight.headers, {
      'access-control-allow-origin': origin,
      'access-control-allow-headers': 'authorization',
      'access-control-allow-methods': 'GET, POST, PATCH, DELETE'
    })
    const headers = { origin, 'sec-fetch-site': 'cross-site', ...bearer }
    const response = await app.inject({ method, url, headers })
    t.equal(response.statusCode < 300, true, method)
    t.match(response.headers, { 'access-control-allow-origin': origin, 'access-control-expose-headers': 'location' })
    const anonymous = await app.inject({ method, url, headers: { origin } })
    t.equal(anonymous.statusCode, 401)
    t.equal(anonymous.headers['access-control-allow-origin'], origin, 'the page can read the error')
  }
  const asked = { origin: 'https://evil.example', 'access-control-request-method': 'POST' }
  const preflight = await app.inject({ method: 'OPTIONS', url: base, headers: asked })
  t.not(preflight.headers['access-control-allow-origin'], 'https://evil.example')
})
