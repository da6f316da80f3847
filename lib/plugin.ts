import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import type { BackupOptions, BackupService } from '../types/index.ts'
import { createDisabledService } from './disabled-service.ts'
import { AlreadyRegistered } from './errors.ts'
import { mountBackup } from './mount-backup.ts'
import { resolveOptions } from './options/resolve-options.ts'
import { createEngine } from './create-engine.ts'

// Here and nowhere else: of what this file imports, only types are in the package's declarations
declare module 'fastify' {
  interface FastifyInstance {
    /** Snapshots of the service's PostgreSQL data, by fastify-backup. */
    backup: BackupService
  }
}

const plugin: FastifyPluginAsync<BackupOptions> = async (fastify, given) => {
  const options = resolveOptions(given)
  // An own property: a child scope may have a backup of its own beside the one that it inherits
  if (Object.hasOwn(fastify, 'backup')) throw new AlreadyRegistered()

  if (!options.enabled) {
    fastify.decorate('backup', createDisabledService())
    fastify.log.info('backups are disabled; register fastify-backup with enabled: true to have them')
    return
  }
  await mountBackup(fastify, options, createEngine(options, fastify.log))
}

/**
 * Snapshots of a service's PostgreSQL tables: `fastify.backup` to take and restore them by code, the same over HTTP below `basePath`,
 * and on a schedule.
 * @throws FST_BACKUP_OPTION_INVALID, FST_BACKUP_AUTH_REQUIRED, FST_BACKUP_ALREADY_REGISTERED
 */
export const backupPlugin = fp(plugin, { name: 'fastify-backup', fastify: '5.x' })
