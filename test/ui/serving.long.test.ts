import { writeFile } from 'node:fs/promises'
import { createServer, request as forward, type RequestListener } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import cookie from '@fastify/cookie'
import session from '@fastify/session'
import t from 'tap'
import type { Test } from 'tap'
import { useDirectory } from '../support/directory.ts'
import { testSchema } from '../support/database.ts'
import { adminToken, openPage, openSnapshot, testPage, useService } from './admin-page.ts'

/** A proxy that serves the service below /x. @returns its address */
async function useProxy (t: Test, target: string): Promise<string> {
  const listener: RequestListener = (request, response) => {
    const path = request.url?.startsWith('/x/') === true ? request.url.slice(2) : undefined
    if (path === undefined) {
      response.writeHead(404).end('not below /x')
      return
    }
    const { method, headers } = request
    const onward = forward(new URL(path, target), { ...method !== undefined && { method }, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    response.once('close', () => { onward.destroy() })
    onward.once('error', () => { response.destroy() })
    request.pipe(onward)
  }
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => { server.close(resolve) })
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`
}

testPage('the page works behind a proxy that changes its prefix', async (t) => {
  const { app, base } = await useService(t)
  const proxy = await useProxy(t, new URL(base).origin)
  await app.backup.create()
  // Without the slash, which a redirect adds
  const page = await openPage(t, `${proxy}/admin/backup/ui`)
  t.equal(page.url().replace(/#.*/, ''), `${proxy}/admin/backup/ui/`)
  await openSnapshot(page)
  await page.getByRole('button', { name: 'Verify' }).click()
  await page.getByText('The file is complete and intact.').waitFor()
  await page.getByRole('button', { name: 'Create snapshot…' }).click()
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await page.getByText(`Snapshot of “${testSchema}” completed.`).waitFor()
})

testPage('the token is in memory only', async (t) => {
  const { app, address } = await useService(t)
  await app.backup.create()
  const page = await openPage(t, address, { token: null })
  const urls: string[] = []
  page.on('request', (request) => { urls.push(request.url()) })
  await page.getByLabel('Bearer token').fill(adminToken)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await openSnapshot(page)
  t.ok(urls.length > 3)
  t.strictSame(urls.filter((url) => url.includes(adminToken)), [])
  t.notMatch(page.url(), adminToken)
  const kept = await page.evaluate(`(async () => JSON.stringify([
    { ...localStorage }, { ...sessionStorage }, document.cookie, history.state, document.documentElement.outerHTML,
    await indexedDB.databases()
  ]))()`)
  t.notMatch(String(kept), adminToken)
  await page.reload()
  await page.getByLabel('Bearer token').waitFor()
  t.equal(await page.getByLabel('Bearer token').inputValue(), '')
})

testPage('a page behind a session of cookies needs no token', async (t) => {
  const { app, address } = await useService(t, {
    async before (app) {
      await app.register(cookie)
      await app.register(session, { secret: 'a secret of at least 32 characters', cookie: { secure: false } })
      app.get('/sign-in', async (request) => {
        Object.assign(request.session, { isAdmin: true })
        return 'signed in'
      })
      app.get('/sign-out', async (request) => {
        await request.session.destroy()
        return 'signed out'
      })
    },
    options: {
      ui: true,
      auth: [async (request) => {
        if (Reflect.get(request.session, 'isAdmin') === true) return
        throw Object.assign(new Error('Sign in first'), { statusCode: 401 })
      }],
      restoreAuth: [async () => {}],
      actor: () => 'grace@example.com'
    }
  })
  const page = await openPage(t, address, {
    token: null,
    expected: /status of 401/,
    prepare: (page) => page.request.get(new URL('/sign-in', address).href)
  })
  await page.getByText('There is no snapshot yet').waitFor()
  t.equal(await page.getByRole('button', { name: 'Sign out' }).count(), 0, 'the session is not of this page')
  await page.getByRole('button', { name: 'Create snapshot…' }).click()
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await page.getByText(`Snapshot of “${testSchema}” completed.`).waitFor()
  t.match((await app.backup.list()).backups[0], { createdBy: 'grace@example.com' })

  await page.request.get(new URL('/sign-out', address).href)
  // A poll of the status may notice it first and remove the links, so no link is clicked.
  await page.evaluate("location.hash = '#/snapshots'")
  await page.getByRole('heading', { name: 'You are not signed in' }).waitFor()
  await page.request.get(new URL('/sign-in', address).href)
  await page.getByRole('button', { name: 'Load again' }).click()
  await page.locator('table.snapshots').waitFor()
})

testPage('a sign-in page in place of an answer is recognized', async (t) => {
  let answer: 'the service' | 'a redirect' | 'a page' = 'the service'
  const { app, address } = await useService(t, {
    before: (app) => app.get('/login', async (_request, reply) => reply.type('text/html').send('<h1>Log in</h1>')),
    options: {
      ui: true,
      auth: [async (_request, reply) => {
        if (answer === 'a redirect') return await reply.redirect('/login')
        if (answer === 'a page') return await reply.type('text/html').send('<h1>Log in</h1>')
      }],
      restoreAuth: [async () => {}]
    }
  })
  await app.backup.create()
  const page = await openPage(t, address, { token: null })
  await page.locator('history-chart svg').waitFor()
  answer = 'a page'
  await page.getByRole('link', { name: 'Snapshots', exact: true }).click()
  await page.getByRole('alert').getByText('The answer is not from the service.').first().waitFor()
  answer = 'the service'
  await page.getByRole('button', { name: 'Try again' }).last().click()
  await page.locator('table.snapshots').waitFor()
  answer = 'a redirect'
  await page.getByRole('link', { name: 'Overview' }).click()
  await page.getByRole('heading', { name: 'You are not signed in' }).waitFor()
})

testPage('a page behind Basic authentication works with the credentials of the browser', async (t) => {
  const basic = `Basic ${Buffer.from('ada:secret').toString('base64')}`
  const { address } = await useService(t, {
    options: {
      ui: true,
      auth: [async (request, reply) => {
        if (request.headers.authorization === basic) return
        reply.header('www-authenticate', 'Basic realm="backups"')
        throw Object.assign(new Error('Who are you?'), { statusCode: 401 })
      }],
      restoreAuth: [async () => {}]
    }
  })
  const page = await openPage(t, address, { token: null, httpCredentials: { username: 'ada', password: 'secret' } })
  await page.getByRole('button', { name: 'Create snapshot…' }).click()
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await page.getByText(`Snapshot of “${testSchema}” completed.`).waitFor()
})

testPage('title, accent and logo are those of the service', async (t) => {
  const logo = join(await useDirectory(t), 'logo.svg')
  await writeFile(logo, '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="30" viewBox="0 0 60 30">' +
    '<script>document.title = "stolen"</script><rect width="60" height="30" fill="#cc0066"/></svg>')
  const { address } = await useService(t, {
    options: { ui: { public: true, title: 'Backups of the <shop>', accent: '#cc0066', logo } }
  })
  const page = await openPage(t, address, { reducedMotion: 'reduce' })
  t.equal(await page.title(), 'Overview · Backups of the <shop>')
  await page.getByRole('link', { name: 'Backups of the <shop>' }).waitFor()
  const picture = page.locator('.brand img')
  await picture.waitFor()
  t.equal(await picture.evaluate('document.querySelector(".brand img").naturalWidth'), 60)
  const color = (scheme: 'light' | 'dark') => page.emulateMedia({ colorScheme: scheme }).then(() => page.evaluate(
    'getComputedStyle(document.querySelector("button.primary")).backgroundColor'))
  t.equal(await color('light'), 'rgb(204, 0, 102)')
  t.equal(await color('dark'), 'rgb(223, 97, 160)')
})

t.end()
