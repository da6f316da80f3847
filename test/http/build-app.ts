import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { StreamLimits } from '../../lib/http/event-stream.ts'
import { backupRoutes, publicPageRoutes } from '../../lib/http/backup-routes.ts'
import type { BackupOptions } from '../../types/index.ts'
import type { TestScope } from '../support/database.ts'
import { resolved } from '../support/engine.ts'
import { createEngineDouble, type EngineDouble } from './engine-double.ts'

export interface BuildOptions {
  /** The options of the plugin. */
  options?: BackupOptions
  server?: FastifyServerOptions
  /** What the app does before the routes are added. */
  before?: (app: FastifyInstance) => unknown
  after?: (app: FastifyInstance) => unknown
  stallTimeoutMs?: number
  streams?: StreamLimits
}

/** An app with the routes on an engine double, below /admin/backup. */
export async function buildApp (
  t: TestScope, { options, server = {}, before, after, ...limits }: BuildOptions = {}
): Promise<{ app: FastifyInstance, engine: EngineDouble }> {
  const app = Fastify(server)
  t.after(async () => { await app.close() })
  const engine = createEngineDouble()
  const settings = resolved(options)
  await before?.(app)
  await app.register(backupRoutes, {
    prefix: settings.basePath, engine, options: settings, ...limits
  })
  await app.register(publicPageRoutes, { prefix: settings.basePath, options: settings })
  await after?.(app)
  await app.ready()
  return { app, engine }
}
