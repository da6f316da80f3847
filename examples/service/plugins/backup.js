// @ts-check
import backup from 'fastify-backup'
import fp from 'fastify-plugin'
import { settings } from '../settings.js'

// Hooks run in the order of registration: those of its dependencies before the routes of the backups
export default fp(async (app) => {
  await app.register(backup, {
    enabled: true,
    sql: app.sql,
    auth: [[app.verifyToken, app.verifySession], app.verifyAdmin], // a token or a session, of an admin
    allowRestore: true,
    allowedOrigins: [settings.pageOrigin],
    openapi: { security: [{ token: [] }, { session: [] }] }
  })
}, { name: 'backup', dependencies: ['browsers', 'database', 'documents', 'limits', 'users'] })
