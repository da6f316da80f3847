// @ts-check
import { createHash, timingSafeEqual } from 'node:crypto'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import Fastify from 'fastify'
import backup from 'fastify-backup'
/** @import { FastifyReply, FastifyRequest } from 'fastify' */
/** @import { Sql } from 'postgres' */

/**
 * The service of the shop: a public route, the admin routes of the backups behind a bearer token, the admin page, and a
 * page at /docs that describes all routes and can call them.
 * @param {{ url: string, sql: Sql, token: string, storagePath: string }} options
 */
export async function createShopService ({ url, sql, token, storagePath }) {
  // Restores and suspect snapshots are logged as warnings, and the demo reports them itself
  const app = Fastify({ logger: { level: 'error' } })

  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Shop', version: '1.0.0' },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } }
    }
  })
  await app.register(swaggerUi, { routePrefix: '/docs' })

  await app.register(backup, {
    enabled: true,
    connection: url,
    storagePath,
    auth: [requireToken(token)],
    actor: () => 'demo',
    allowRestore: true,
    schedule: { enabled: true, mode: 'calendar', cron: '0 2 * * *', retentionDays: 60 },
    ui: { public: true, title: 'Shop backups' },
    openapi: { security: [{ bearer: [] }] }
  })

  app.get('/', async () => {
    const [figures] = await sql`
      SELECT
        (SELECT count(*) FROM customers)::integer AS customers,
        (SELECT count(*) FROM orders)::integer AS orders,
        (SELECT count(*) FROM reviews)::integer AS reviews,
        (SELECT coalesce(sum(amount), 0) FROM payments) AS revenue`
    return figures
  })
  return app
}

/** @param {string} token */
function requireToken (token) {
  const expected = digest(`Bearer ${token}`)

  return async (/** @type {FastifyRequest} */ request, /** @type {FastifyReply} */ reply) => {
    if (timingSafeEqual(digest(request.headers.authorization ?? ''), expected)) return
    reply.header('www-authenticate', 'Bearer')
    throw Object.assign(new Error('This needs the bearer token'), { statusCode: 401 })
  }
}

/** @param {string} text */
const digest = (text) => createHash('sha256').update(text).digest()
