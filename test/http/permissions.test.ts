import type { FastifyAuthFunction } from '@fastify/auth'
import Fastify, { type FastifyReply } from 'fastify'
import t, { type Test } from 'tap'
import { wouldPass } from '../../lib/http/authentication.ts'
import type { Permissions } from '../../types/index.ts'
import { buildApp } from './build-app.ts'

const all: Permissions = { create: true, restore: true, import: true, remove: true }
const onlyCreate: Permissions = { create: true, restore: false, import: false, remove: false }

/** What GET /status says that the caller may do, behind these functions of `restoreAuth`. */
async function permissions (t: Test, restoreAuth: FastifyAuthFunction[]): Promise<Permissions> {
  const { app, engine } = await buildApp(t, {
    options: { allowRestore: true, restoreAuth },
    // As of @fastify/sensible
    before: (app) => app.decorateReply('forbidden', function (this: FastifyReply) {
      return this.code(403).send(new Error('no'))
    })
  })
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
  'a function that returns false': async () => false,
  'a function that replies below Fastify': async (request, reply) => {
    reply.hijack()
    reply.raw.writeHead(403).end('no')
  },
  'a function that replies by a decorator of the app': async (request, reply) => {
    if (!reply.hasHeader('x-unknown')) Reflect.get(reply, 'forbidden').call(reply)
  },
  'a function that sets a status and throws': async (request, reply) => {
    reply.code(403)
    throw new Error(`not with ${reply.statusCode}`)
  }
}

for (const [what, refuse] of Object.entries(refusing)) {
  t.test(`the status answers, and says what a caller may not do, behind ${what}`, async (t) => {
    t.strictSame(await permissions(t, [async () => {}, refuse]), onlyCreate)
  })
}

t.test('a function that neither passes nor refuses counts as a refusal', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  app.get('/', (request, reply) => wouldPass(app, () => {}, request, reply, 1))
  t.equal((await app.inject('/')).body, 'false')
})

t.test('the reply that a function gets can be awaited, and keeps what the function sets', async (t) => {
  const app = Fastify()
  t.after(() => app.close())
  const seen: unknown[] = []
  app.get('/', (request, reply) => wouldPass(app, async (request, given) => {
    const { send } = given
    given.send = send
    seen.push(given.send === send, await given.code(404) === given, reply.statusCode)
    Reflect.apply(given.send, given, ['x'])
  }, request, reply))
  t.equal((await app.inject('/')).statusCode, 200)
  t.strictSame(seen, [true, true, 200])
})
