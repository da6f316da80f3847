// @ts-check
import fp from 'fastify-plugin'
import postgres from 'postgres'
import { settings } from '../settings.js'

export default fp(async (app) => {
  const sql = postgres(settings.databaseUrl, { max: 5, onnotice () {} })
  app.decorate('sql', sql)
  app.addHook('onClose', async () => { await sql.end({ timeout: 1 }) })
}, { name: 'database' })
