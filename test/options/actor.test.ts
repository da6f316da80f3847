import Fastify, { type FastifyRequest } from 'fastify'
import t from 'tap'
import { resolveActor } from '../../lib/options/actor.ts'

/** The name that `actor` returns for a request with this user. */
async function actorOf (user: unknown, actor?: (request: FastifyRequest) => unknown): Promise<string | null> {
  const app = Fastify()
  app.get('/', async (request) => ({ actor: resolveActor(actor)(Object.assign(request, { user })) }))
  const response = await app.inject('/')
  if (response.statusCode !== 200) throw Object.assign(new Error(), response.json())
  return response.json().actor
}

t.test('the actor is the first of id, sub and email of the user', async (t) => {
  t.equal(await actorOf({ email: 'ada@example.org', sub: 'auth0|7', id: 'ada' }), 'ada')
  t.equal(await actorOf({ email: 'ada@example.org', sub: 'auth0|7' }), 'auth0|7')
  t.equal(await actorOf({ email: 'ada@example.org', id: '', sub: null }), 'ada@example.org')
  t.equal(await actorOf({ id: 7 }), '7')
  t.equal(await actorOf({ id: 9007199254740993n }), '9007199254740993')
})

t.test('the actor is null for a user without a name', async (t) => {
  t.equal(await actorOf(undefined), null)
  t.equal(await actorOf('ada'), null)
  t.equal(await actorOf(null), null)
  t.equal(await actorOf({ id: { nested: true } }), null)
})

t.test('a function of the application may return the actor', async (t) => {
  t.equal(await actorOf({ name: 'Ada' }, (request) => `${request.method} by Ada`), 'GET by Ada')
})

t.test('a name is truncated to 200 characters, and surrogate pairs are not split', async (t) => {
  t.equal(await actorOf({ id: 'x'.repeat(300) }), 'x'.repeat(200))
  t.equal(await actorOf(undefined, () => '😀'.repeat(300)), '😀'.repeat(200))
})

t.test('control characters become spaces, because the log cannot contain NUL, and lines could be forged', async (t) => {
  t.equal(await actorOf({ sub: 'ada\0\nroot' }), 'ada  root')
})

t.test('the request fails if the function throws', async (t) => {
  await t.rejects(actorOf({ id: 'ada' }, () => { throw new Error('no session') }), {
    statusCode: 500, code: 'FST_BACKUP_OPTION_INVALID', message: /threw/
  })
})

t.test('the request fails if the function returns no name', async (t) => {
  for (const nothing of [undefined, null, '', 7, Promise.resolve('ada')]) {
    await t.rejects(actorOf({ id: 'ada' }, () => nothing), {
      statusCode: 500, code: 'FST_BACKUP_OPTION_INVALID', message: /must return a non-empty string/
    })
  }
})
