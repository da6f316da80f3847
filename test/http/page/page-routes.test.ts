import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import swagger from '@fastify/swagger'
import t from 'tap'
import { useDirectory } from '../../support/directory.ts'
import { buildApp } from '../build-app.ts'

const base = '/admin/backup'
const refuse = async (): Promise<void> => { throw Object.assign(new Error('no'), { statusCode: 401 }) }

t.test('there is no page unless it is asked for', async (t) => {
  const { app } = await buildApp(t)
  for (const url of ['/ui/', '/ui/accent.css']) t.equal((await app.inject(base + url)).statusCode, 404)
})

t.test('the page allows scripts and styles of this service only, and no frames', async (t) => {
  const { app } = await buildApp(t, { options: { ui: true } })
  const { statusCode, headers, body } = await app.inject(`${base}/ui/`)
  t.equal(statusCode, 200)
  t.equal(headers['content-type'], 'text/html; charset=utf-8')
  t.equal(headers['content-security-policy'], "default-src 'none'; script-src 'self'; style-src 'self'; " +
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
    "require-trusted-types-for 'script'; trusted-types lit-html")
  t.equal(headers['x-content-type-options'], 'nosniff')
  t.equal(headers['referrer-policy'], 'no-referrer')
  t.notMatch(body, /<script>|<style|style=|\bon\w+=/, 'nothing is inline')
})

t.test('every address in the page is relative, and is served', async (t) => {
  const { app } = await buildApp(t, { options: { ui: true, basePath: '/deep/in/backups' } })
  const { body } = await app.inject('/deep/in/backups/ui/')
  const addresses = [...body.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, address = '']) => address)
  t.equal(addresses.length, 4)
  for (const address of addresses) {
    t.match(address, /^[\w-]+\.\w+$/)
    t.equal((await app.inject(`/deep/in/backups/ui/${address}`)).statusCode, 200, address)
  }
})

t.test('an address without a slash redirects relatively, so that a proxy may change the prefix', async (t) => {
  for (const routerOptions of [{}, { ignoreTrailingSlash: true }]) {
    const { app } = await buildApp(t, { options: { ui: true }, server: { routerOptions } })
    const { statusCode, headers } = await app.inject(`${base}/ui?x=/`)
    t.strictSame([statusCode, headers.location], [308, 'ui/'])
    t.equal((await app.inject(`${base}/ui/?x=1`)).statusCode, 200)
  }
})

t.test('files are compressed as the client accepts, and kept', async (t) => {
  const { app } = await buildApp(t, { options: { ui: true } })
  const { body: shell } = await app.inject(`${base}/ui/`)
  const script = `${base}/ui/${/src="([^"]+)"/.exec(shell)?.[1]}`
  const get = (encoding?: string) =>
    app.inject({ url: script, headers: encoding === undefined ? {} : { 'accept-encoding': encoding } })
  const plain = await get()
  t.equal(plain.headers['content-encoding'], undefined)
  t.equal(plain.headers['cache-control'], 'private, max-age=31536000, immutable')
  t.equal(plain.headers.vary, 'Accept-Encoding')
  const brotli = await get('gzip, deflate, br')
  t.equal(brotli.headers['content-encoding'], 'br')
  t.equal(brotliDecompressSync(brotli.rawPayload).toString(), plain.body)
  const gzip = await get('gzip, br;q=0')
  t.equal(gzip.headers['content-encoding'], 'gzip')
  t.equal(gunzipSync(gzip.rawPayload).toString(), plain.body)
  t.equal((await get('identity')).headers['content-encoding'], undefined)
})

t.test('a Vary header of the app is kept', async (t) => {
  const { app } = await buildApp(t, {
    options: { ui: true },
    before: (app) => app.addHook('onRequest', async (request, reply) => { reply.header('vary', 'Origin') })
  })
  t.equal((await app.inject(`${base}/ui/`)).headers.vary, 'Origin, Accept-Encoding')
})

t.test('the page and its files together are smaller than 60 kB', async (t) => {
  const { app } = await buildApp(t, { options: { ui: true } })
  const get = (url: string) => app.inject({ url: `${base}/ui/${url}`, headers: { 'accept-encoding': 'gzip' } })
  const shell = await get('')
  const addresses = [...gunzipSync(shell.rawPayload).toString().matchAll(/(?:href|src)="([^"]*)"/g)]
  const files = await Promise.all(addresses.map(([, address = '']) => get(address)))
  const sizes = [shell, ...files].map(({ rawPayload }) => rawPayload.length)
  t.ok(sizes.reduce((sum, size) => sum + size, 0) < 60_000, String(sizes))
})

t.test('a client that has the page gets 304', async (t) => {
  const { app } = await buildApp(t, { options: { ui: true } })
  const { headers: { etag, 'cache-control': cache } } = await app.inject(`${base}/ui/`)
  t.equal(cache, 'private, no-cache')
  const again = await app.inject({ url: `${base}/ui/`, headers: { 'if-none-match': String(etag) } })
  t.strictSame([again.statusCode, again.body, again.headers.etag], [304, '', etag])
  const other = await app.inject({ url: `${base}/ui/`, headers: { 'if-none-match': 'W/"other"' } })
  t.equal(other.statusCode, 200)
})

t.test('HEAD has the headers of GET', async (t) => {
  const { app } = await buildApp(t, { options: { ui: true } })
  const get = await app.inject(`${base}/ui/`)
  const head = await app.inject({ method: 'HEAD', url: `${base}/ui/` })
  t.strictSame([head.statusCode, head.headers.etag, head.headers['content-length'], head.body],
    [200, get.headers.etag, get.headers['content-length'], ''])
})

t.test('auth protects the page', async (t) => {
  const { app } = await buildApp(t, { options: { ui: true, auth: [refuse] } })
  for (const url of ['/ui', '/ui/', '/ui/accent.css', '/ui/unknown']) {
    t.equal((await app.inject(base + url)).statusCode, 401, url)
  }
})

t.test('a public page is served without authentication, and nothing else is', async (t) => {
  const { app, engine } = await buildApp(t, { options: { ui: { public: true }, auth: [refuse] } })
  const { statusCode, body, headers } = await app.inject(`${base}/ui/`)
  t.equal(statusCode, 200)
  t.equal(headers['cache-control'], 'public, no-cache')
  t.match(body, 'asks-for-token')
  t.equal((await app.inject(`${base}/ui`)).statusCode, 308)
  for (const url of ['', '/', '/status', '/events', '/ui/unknown', '/ui/..', '/ui/../status', '/ui/%2e%2e/status']) {
    t.equal((await app.inject(base + url)).statusCode, 401, url)
  }
  t.equal((await app.inject({ method: 'POST', url: `${base}/ui/` })).statusCode, 401)
  t.strictSame(engine.calls, [])
})

t.test('title, accent and logo are those of the service', async (t) => {
  const logo = join(await useDirectory(t), 'logo.svg')
  await writeFile(logo, '<svg xmlns="http://www.w3.org/2000/svg"/>')
  const title = '<script>alert("x")</script> & \'y\''
  const { app } = await buildApp(t, { options: { ui: { title, accent: '#C06', logo } } })
  const { body } = await app.inject(`${base}/ui/`)
  const escaped = '&#60;script&#62;alert(&#34;x&#34;)&#60;/script&#62; &#38; &#39;y&#39;'
  t.match(body, `<title>${escaped}</title>`)
  t.match(body, `<backup-app page-title="${escaped}" has-logo></backup-app>`)
  const picture = await app.inject(`${base}/ui/logo`)
  t.strictSame([picture.headers['content-type'], picture.body],
    ['image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg"/>'])
  t.match(picture.headers['content-security-policy'], "default-src 'none'")
  t.equal((await app.inject(`${base}/ui/accent.css`)).body,
    ':root { --accent-light: #cc0066; --accent-dark: #df61a0; }\n')
})

t.test('a picture is not compressed again', async (t) => {
  const logo = join(await useDirectory(t), 'logo.png')
  await writeFile(logo, 'not really')
  const { app } = await buildApp(t, { options: { ui: { logo } } })
  const { headers } = await app.inject({ url: `${base}/ui/logo`, headers: { 'accept-encoding': 'br' } })
  t.strictSame([headers['content-type'], headers['content-encoding']], ['image/png', undefined])
})

t.test('the routes of the page are not in the OpenAPI document', async (t) => {
  const { app } = await buildApp(t, {
    options: { ui: true },
    before: (app) => app.register(swagger, { openapi: { info: { title: 'x', version: '1' } } })
  })
  t.strictSame(Object.keys(app.swagger().paths ?? {}).filter((path) => path.includes('/ui')), [])
})

t.test('hooks of routeOptions run for the page, too', async (t) => {
  const urls: string[] = []
  const { app } = await buildApp(t, {
    options: { ui: true, routeOptions: { preHandler: async ({ url }) => { urls.push(url) } } }
  })
  await app.inject(`${base}/ui/`)
  t.strictSame(urls, [`${base}/ui/`])
})
