import type { FastifyInstance } from 'fastify'
import { backupRoutes } from './http/backup-routes.ts'
import type { ResolvedPluginOptions } from './options/resolve-options.ts'
import type { BackupEngine } from './service/backup-engine.ts'

/** Puts an engine on an instance: the decorator, its life with the app's, and the routes. */
export async function mountBackup (fastify: FastifyInstance, options: ResolvedPluginOptions, engine: BackupEngine): Promise<void> {
  fastify.decorate('backup', engine)
  fastify.addHook('onReady', async () => engine.start())
  // onClose would come too late: it waits for the requests in flight, and those may wait for a run
  fastify.addHook('preClose', () => engine.stop())
  fastify.addHook('onClose', () => engine.close())
  await fastify.register(backupRoutes, { prefix: options.basePath, engine, options })
}
