// @ts-check
// A service with the plugins that many services have: tokens, sessions, CORS, helmet, compression, rate limits, health
// checks, tracing, an OpenAPI document and a check of every response. fastify-backup is one of them, in
// plugins/backup.js. Ctrl-C ends it.
//
//   export DATABASE_URL=postgres://user:password@host/database
//   export ADMIN_PASSWORD=… CLERK_PASSWORD=… JWT_SECRET=… SESSION_SECRET=… # the last with at least 32 characters
//   node examples/service/server.js
//
// Runs from a clone of the repository, since the package does not depend on all of these plugins.

import { join } from 'node:path'
import autoload from '@fastify/autoload'
import Fastify from 'fastify'
import telemetry from './telemetry.js'

const app = Fastify({
  logger: true,
  trustProxy: 'loopback',
  // The health check of a plugin waits for the database
  pluginTimeout: 60_000,
  // For the service's own routes: imports of snapshots may be larger, and backups and streams of events may last longer
  bodyLimit: 65_536,
  connectionTimeout: 10_000
})

// First, since it sees only what is registered after it
await app.register(telemetry)
// The order is that of their dependencies, not of their names
await app.register(autoload, { dir: join(import.meta.dirname, 'plugins') })
await app.register(autoload, { dir: join(import.meta.dirname, 'routes') })

await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 3000) })
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => app.close())
