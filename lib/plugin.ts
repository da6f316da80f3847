import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import type { BackupOptions, BackupService } from '../types/index.ts'
import { createDisabledService } from './disabled-service.ts'
import { AlreadyRegistered } from './errors.ts'
import { mountBackup } from './mount-backup.ts'
import { resolveOptions } from './options/resolve-options.ts'
import { createEngine } from './create-engine.ts'

// In this file, because the declarations of the package include nothing else that this file imports, except types
declare module 'fastify' {
  interface FastifyInstance {
    /** Snapshots of the service's PostgreSQL data, by fastify-backup. */
    backup: BackupService
  }
}

const plugin: FastifyPluginAsync<BackupOptions> = async (fastify, given) => {
  const options = resolveOptions(given)
  // Only an own property counts: a child scope may register the plugin although it inherits `backup`
  if (Object.hasOwn(fastify, 'backup')) throw new AlreadyRegistered()

  if (!options.enabled) {
    fastify.decorate('backup', createDisabledService())
    fastify.log.info('backups are disabled; register fastify-backup with enabled: true to enable them')
    return
  }
  await mountBackup(fastify, options, createEngine(options, fastify.log))
}

/**
 * Takes and restores snapshots of a service's PostgreSQL tables: by code through `fastify.backup`, over HTTP below
 * `basePath`, and on a schedule.
 * @throws FST_BACKUP_OPTION_INVALID, FST_BACKUP_AUTH_REQUIRED, FST_BACKUP_ALREADY_REGISTERED
 */
export const backupPlugin = fp(plugin, { name: 'fastify-backup', fastify: '5.x' })
