// @ts-check
/** @import { FastifyInstance } from 'fastify' */

/** The service's own routes. @param {FastifyInstance} app */
export default async function orders (app) {
  const properties = { id: { type: 'integer' }, total: { type: 'string' } }
  const order = { type: 'object', required: ['id', 'total'], properties }
  const response = { 200: { type: 'array', items: order }, default: { type: 'object', additionalProperties: true } }
  app.get('/orders', { schema: { response }, onRequest: app.verifySession }, async () =>
    await app.sql`SELECT id, total FROM orders ORDER BY id`)
}
