import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { AuthRequired } from '../../lib/errors.ts'
import { backupRoutes } from '../../lib/http/backup-routes.ts'
import { type ResolvedPluginOptions, resolveOptions } from '../../lib/options/resolve-options.ts'
import type { BackupOptions } from '../../types/index.ts'
import { createEngineDouble, type EngineDouble } from './engine-double.ts'

interface Scope { after: (clean: () => Promise<unknown>) => void }

/** Validated options; `auth` defaults to false. */
export function resolved (options: BackupOptions = {}): ResolvedPluginOptions {
  const resolution = resolveOptions({ enabled: true, auth: false, ...options })
  if (!resolution.enabled) throw new AuthRequired('the test switched the plugin off')
  return resolution
}

export interface BuildOptions {
  /** The options of the plugin. */
  options?: BackupOptions
  server?: FastifyServerOptions
  /** What the app does before the routes are added. */
  before?: (app: FastifyInstance) => unknown
  after?: (app: FastifyInstance) => unknown
  stallTimeoutMs?: number
}

/** An app with the routes on an engine double, below /admin/backup. */
export async function buildApp (
  t: Scope, { options, server = {}, before, after, stallTimeoutMs }: BuildOptions = {}
): Promise<{ app: FastifyInstance, engine: EngineDouble }> {
  const app = Fastify(server)
  t.after(() => app.close())
  const engine = createEngineDouble()
  const settings = resolved(options)
  await before?.(app)
  await app.register(backupRoutes, {
    prefix: settings.basePath, engine, options: settings, ...(stallTimeoutMs !== undefined && { stallTimeoutMs })
  })
  await after?.(app)
  await app.ready()
  return { app, engine }
}
