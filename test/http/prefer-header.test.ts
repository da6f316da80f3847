import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { Busy } from '../../lib/errors.ts'
import { prefersAsync } from '../../lib/http/prefer-header.ts'
import { buildApp } from './build-app.ts'

const base = '/admin/backup'
const restorable = { restoreAuth: [async () => {}], allowRestore: true }

for (const prefer of ['respond-async', 'Respond-Async', 'respond-async, wait=10', 'wait=10,respond-async', 'handling=lenient , respond-async ; foo="bar"', 'foo="a, b", respond-async', 'respond-async=""', 'foo="\\"", respond-async']) {
  t.test(`Prefer: ${prefer} is answered at once`, async (t) => {
    const { app, engine } = await buildApp(t)
    const release = engine.hold()
    const response = await app.inject({ method: 'POST', url: base, headers: { prefer } })
    release()
    t.equal(response.statusCode, 202)
    t.match(response.json(), { status: 'running' })
    t.equal(response.headers['preference-applied'], 'respond-async')
    t.equal(response.headers.location, `${base}/${response.json().id}`)
  })
}

for (const prefer of ['', 'wait=10', 'respond-asynchronously', 'x-respond-async', 'foo="respond-async"', 'foo="a, respond-async, b"', 'foo; respond-async', 'respond-async=never', 'respond-async="x"']) {
  t.test(`Prefer: ${prefer} is answered when it is done`, async (t) => {
    const { app } = await buildApp(t)
    const response = await app.inject({ method: 'POST', url: base, headers: { prefer } })
    t.equal(response.statusCode, 201)
    t.notHas(response.headers, { 'preference-applied': 'respond-async' })
  })
}

t.test('a header of any length takes no longer than reading it', async (t) => {
  // In quadratic time each takes minutes
  for (const piece of ['"', '\\"', '"\\"', ' ', ',', '=', '"a', 'respond-async = ', '; ', '\\']) {
    for (const start of ['', '"', 'respond-async', 'foo="']) {
      const prefer = start + piece.repeat(400_000 / piece.length)
      const begun = performance.now()
      prefersAsync({ headers: { prefer } } as unknown as FastifyRequest)
      t.ok(performance.now() - begun < 20_000, JSON.stringify([start, piece]))
    }
  }
})

t.test('the header may come in several lines', async (t) => {
  const { app } = await buildApp(t)
  const response = await app.inject({ method: 'POST', url: base, headers: { prefer: ['wait=10', 'respond-async'] } })
  t.equal(response.statusCode, 202)
})

t.test('a restore is answered at once as well, with the backup where its outcome will be', async (t) => {
  const { app, engine } = await buildApp(t, { options: restorable })
  const { id } = engine.put()
  const release = engine.hold()
  const response = await app.inject({ method: 'POST', url: `${base}/${id}/restore`, headers: { prefer: 'respond-async' } })
  release()
  t.equal(response.statusCode, 202)
  t.equal(response.json().id, id)
  t.match(response.headers, { location: `${base}/${id}`, 'preference-applied': 'respond-async' })
})

t.test('what can not begin is refused at once', async (t) => {
  const { app, engine } = await buildApp(t, { options: restorable })
  engine.fail('beginCreate', new Busy('a backup of public runs'))
  engine.fail('beginRestore', new Busy('a backup of public runs'))
  const headers = { prefer: 'respond-async' }
  const created = await app.inject({ method: 'POST', url: base, headers })
  t.equal(created.statusCode, 409)
  t.notHas(created.headers, { location: base })
  const restored = await app.inject({ method: 'POST', url: `${base}/${engine.put().id}/restore`, headers })
  t.equal(restored.statusCode, 409)
})

t.test('what fails afterwards is no unhandled rejection', async (t) => {
  const { app, engine } = await buildApp(t)
  const release = engine.hold()
  engine.fail('create', new Error('the disk is full'))
  const response = await app.inject({ method: 'POST', url: base, headers: { prefer: 'respond-async' } })
  release()
  await new Promise(setImmediate)
  t.equal(response.statusCode, 202)
})
