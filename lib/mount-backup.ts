import type { FastifyInstance } from 'fastify'
import { backupRoutes, publicPageRoutes } from './http/backup-routes.ts'
import type { ResolvedPluginOptions, ResolvedWithoutRoutes } from './options/resolve-options.ts'
import type { BackupEngine } from './service/backup-engine.ts'

/** Adds an engine to a Fastify instance: the decorator, the lifecycle hooks and, unless disabled, the routes. */
export async function mountBackup (
  fastify: FastifyInstance, options: ResolvedPluginOptions | ResolvedWithoutRoutes, engine: BackupEngine
): Promise<void> {
  fastify.decorate('backup', engine)
  fastify.addHook('onReady', async () => engine.start())
  // onClose would be too late: it runs after the pending requests have ended, and those may wait for a run
  fastify.addHook('preClose', () => engine.stop())
  fastify.addHook('onClose', () => engine.close())
  if (options.routes) {
    await fastify.register(backupRoutes, { ...options.scopeOptions, engine, options })
    await fastify.register(publicPageRoutes, { ...options.scopeOptions, options })
  }
}
