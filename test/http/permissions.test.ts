import type { FastifyAuthFunction } from '@fastify/auth'
import t, { type Test } from 'tap'
import type { Permissions } from '../../types/index.ts'
import { buildApp } from './build-app.ts'

const all: Permissions = { create: true, restore: true, import: true, remove: true }
const onlyCreate: Permissions = { create: true, restore: false, import: false, remove: false }

/** What GET /status says that the caller may do, behind these functions of `restoreAuth`. */
async function permissions (t: Test, restoreAuth: FastifyAuthFunction[]): Promise<Permissions> {
  const { app, engine } = await buildApp(t, { options: { allowRestore: true, restoreAuth } })
  const { status } = engine
  engine.status = async (query) => ({ ...await status(query), allowRestore: true, can: all })
  const response = await app.inject('/admin/backup/status')
  t.equal(response.statusCode, 200)
  t.equal(response.headers['set-cookie'], undefined)
  return response.json().can
}

t.test('the status says that a caller whom restoreAuth accepts may do everything', async (t) => {
  t.strictSame(await permissions(t, [async () => {}, (request, reply, done) => done()]), all)
})

const refusing: Record<string, FastifyAuthFunction> = {
  'a function that throws': async () => { throw new Error('no') },
  'a function that calls done with an error': (request, reply, done) => done(new Error('no')),
  'a function that replies': async (request, reply) => {
    await reply.header('set-cookie', 'a=b').code(403).send({ error: 'no' })
  },
  'a function that redirects to a login': async (request, reply) => { await reply.redirect('/login') },
  'a function that returns false': async () => false
}

for (const [what, refuse] of Object.entries(refusing)) {
  t.test(`the status answers, and says what a caller may not do, behind ${what}`, async (t) => {
    t.strictSame(await permissions(t, [async () => {}, refuse]), onlyCreate)
  })
}
