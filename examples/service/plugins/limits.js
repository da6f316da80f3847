// @ts-check
import rateLimit from '@fastify/rate-limit'
import underPressure from '@fastify/under-pressure'
import fp from 'fastify-plugin'

export default fp(async (app) => {
  await app.register(rateLimit, { global: false })
  // A hook, so that it counts requests that no route accepts, and those that are not authenticated
  app.addHook('onRequest', app.rateLimit({ max: 200, timeWindow: '5 minutes' }))

  await app.register(underPressure, {
    maxEventLoopDelay: 5000,
    healthCheckInterval: 1000,
    async healthCheck () {
      await app.sql`SELECT FROM orders LIMIT 1`
      return true
    }
  })
}, { name: 'limits', dependencies: ['database'] })
