import t from 'tap'
import { buildApp } from './build-app.ts'

const base = '/admin/backup'

/** The response to a POST with these headers. */
async function post (
  t: Parameters<typeof buildApp>[0], headers: Record<string, string>
): Promise<{ statusCode: number, code: unknown, reached: boolean }> {
  const { app, engine } = await buildApp(t)
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
