import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { Busy } from '../../lib/errors.ts'
import { prefersAsync } from '../../lib/http/prefer-header.ts'
import { buildApp } from './build-app.ts'

const base = '/admin/backup'
const restorable = { restoreAuth: [async () => {}], allowRestore: true }

for (const prefer of [
  'respond-async', 'Respond-Async', 'respond-async, wait=10', 'wait=10,respond-async',
  'handling=lenient , respond-async ; foo="bar"', 'foo="a, b", respond-async', 'respond-async=""',
  'foo="\\"", respond-async'
]) {
  t.test(`the response to Prefer: ${prefer} is immediate`, async (t) => {
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

for (const prefer of [
  '', 'wait=10', 'respond-asynchronously', 'x-respond-async', 'foo="respond-async"', 'foo="a, respond-async, b"',
  'foo; respond-async', 'respond-async=never', 'respond-async="x"'
]) {
  t.test(`the response to Prefer: ${prefer} is sent when the run is finished`, async (t) => {
    const { app } = await buildApp(t)
    const response = await app.inject({ method: 'POST', url: base, headers: { prefer } })
    t.equal(response.statusCode, 201)
    t.notHas(response.headers, { 'preference-applied': 'respond-async' })
  })
}

t.test('the time to parse the header is linear in its length', async (t) => {
  // In quadratic time each would take minutes, more than the timeout of this file
  for (const piece of ['"', '\\"', '"\\"', ' ', ',', '=', '"a', 'respond-async = ', '; ', '\\']) {
    for (const start of ['', '"', 'respond-async', 'foo="']) {
      const parse = (times: number): boolean =>
        prefersAsync({ headers: { prefer: start + piece.repeat(times) } } as unknown as FastifyRequest)
      t.equal(parse(4 * Math.floor(100_000 / piece.length)), parse(4), JSON.stringify([start, piece]))
    }
  }
})

t.test('the header may occur several times', async (t) => {
  const { app } = await buildApp(t)
  const response = await app.inject({ method: 'POST', url: base, headers: { prefer: ['wait=10', 'respond-async'] } })
  t.equal(response.statusCode, 202)
})

t.test('the immediate response to a restore is the backup that will contain the outcome', async (t) => {
  const { app, engine } = await buildApp(t, { options: restorable })
  const { id } = engine.put()
  const release = engine.hold()
  const response = await app.inject({
    method: 'POST', url: `${base}/${id}/restore`, headers: { prefer: 'respond-async' }
  })
  release()
  t.equal(response.statusCode, 202)
  t.equal(response.json().id, id)
  t.match(response.headers, { location: `${base}/${id}`, 'preference-applied': 'respond-async' })
})

t.test('an error before the run starts is sent immediately', async (t) => {
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

t.test('a later failure of the run is not an unhandled rejection', async (t) => {
  const { app, engine } = await buildApp(t)
  const release = engine.hold()
  engine.fail('create', new Error('the disk is full'))
  const response = await app.inject({ method: 'POST', url: base, headers: { prefer: 'respond-async' } })
  release()
  await new Promise(setImmediate)
  t.equal(response.statusCode, 202)
})
