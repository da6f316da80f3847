import Fastify, { type FastifyRequest } from 'fastify'
import t from 'tap'
import { resolveActor } from '../../lib/options/actor.ts'

/** What `actor` says of a request with this user on it. */
async function actorOf (user: unknown, actor?: (request: FastifyRequest) => unknown): Promise<string | null> {
  const app = Fastify()
  app.get('/', async (request) => ({ actor: resolveActor(actor)(Object.assign(request, { user })) }))
  const response = await app.inject('/')
  if (response.statusCode !== 200) throw Object.assign(new Error(), response.json())
  return response.json().actor
}

t.test('id, sub or email of the user, whichever comes first', async (t) => {
  t.equal(await actorOf({ email: 'ada@example.org', sub: 'auth0|7', id: 'ada' }), 'ada')
  t.equal(await actorOf({ email: 'ada@example.org', sub: 'auth0|7' }), 'auth0|7')
  t.equal(await actorOf({ email: 'ada@example.org', id: '', sub: null }), 'ada@example.org')
  t.equal(await actorOf({ id: 7 }), '7')
  t.equal(await actorOf({ id: 9007199254740993n }), '9007199254740993')
})

t.test('nobody of a name is null', async (t) => {
  t.equal(await actorOf(undefined), null)
  t.equal(await actorOf('ada'), null)
  t.equal(await actorOf(null), null)
  t.equal(await actorOf({ id: { nested: true } }), null)
})

t.test('a function of the caller says who calls', async (t) => {
  t.equal(await actorOf({ name: 'Ada' }, (request) => `${request.method} by Ada`), 'GET by Ada')
})

t.test('a name is bounded to 200 characters, none of them cut in two', async (t) => {
  t.equal(await actorOf({ id: 'x'.repeat(300) }), 'x'.repeat(200))
  t.equal(await actorOf(undefined, () => '😀'.repeat(300)), '😀'.repeat(200))
})

t.test('control characters become spaces: the log takes no NUL, and nobody writes a second line into it', async (t) => {
  t.equal(await actorOf({ sub: 'ada\0\nroot' }), 'ada  root')
})

t.test('a function that throws fails the request, rather than let it pass as nobody', async (t) => {
  await t.rejects(actorOf({ id: 'ada' }, () => { throw new Error('no session') }), { statusCode: 500, code: 'FST_BACKUP_OPTION_INVALID', message: /threw/ })
})

t.test('a function that gives no name fails the request', async (t) => {
  for (const nothing of [undefined, null, '', 7, Promise.resolve('ada')]) {
    await t.rejects(actorOf({ id: 'ada' }, () => nothing), { statusCode: 500, code: 'FST_BACKUP_OPTION_INVALID', message: /must return a non-empty string/ })
  }
})
