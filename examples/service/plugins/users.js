// @ts-check
import { createHash, timingSafeEqual } from 'node:crypto'
import cookie from '@fastify/cookie'
import jwt from '@fastify/jwt'
import session from '@fastify/session'
import fp from 'fastify-plugin'
import { settings } from '../settings.js'
/** @import { User } from '../types.d.ts' */

/** In place of your table of users. @type {Array<User & { password: string }>} */
const users = [
  { id: 'ada', role: 'admin', password: settings.adminPassword },
  { id: 'carl', role: 'clerk', password: settings.clerkPassword }
]

// Digests have the same length, so that a comparison in constant time is possible
const digest = (/** @type {string} */ text) => createHash('sha256').update(text).digest()

const refusal = (/** @type {number} */ statusCode, /** @type {string} */ message) =>
  Object.assign(new Error(message), { statusCode })

export default fp(async (app) => {
  await app.register(jwt, { secret: settings.jwtSecret, sign: { expiresIn: '1h' } })
  await app.register(cookie)
  await app.register(session, {
    secret: settings.sessionSecret,
    saveUninitialized: false,
    cookie: { secure: 'auto', sameSite: 'strict' }
  })

  app.decorate('verifyToken', async (request) => { await request.jwtVerify() })

  app.decorate('verifySession', async (request) => {
    const { user } = request.session
    if (user === undefined) throw refusal(401, 'Log in first')
    request.user = user // as jwtVerify() does
  })

  app.decorate('verifyAdmin', async ({ user }) => {
    if (user.role !== 'admin') throw refusal(403, 'Admins only')
  })

  const text = { type: 'string', maxLength: 200 }
  const body = { type: 'object', required: ['name', 'password'], properties: { name: text, password: text } }
  app.post('/login', { schema: { body } }, async (request) => {
    const { name, password } = /** @type {{ name: string, password: string }} */ (request.body)
    const user = users.find(({ id }) => id === name)
    if (user === undefined || !timingSafeEqual(digest(password), digest(user.password))) {
      throw refusal(401, 'The name or the password is wrong')
    }
    const { id, role } = user
    request.session.user = { id, role }
    return { token: app.jwt.sign({ id, role }) }
  })
}, { name: 'users', dependencies: ['browsers', 'limits'] })
