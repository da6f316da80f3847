import type { BackupService } from '../types/index.ts'
import { Disabled } from './errors.ts'

/**
 * The service that `fastify.backup` is while the plugin is disabled, so that the application need not check for it:
 * every call rejects with FST_BACKUP_DISABLED. Listeners are accepted and never called.
 */
export function createDisabledService (): BackupService {
  const refuse = async (): Promise<never> => { throw new Disabled() }
  const service: BackupService = {
    create: refuse,
    list: refuse,
    get: refuse,
    download: refuse,
    manifest: refuse,
    plan: refuse,
    restore: refuse,
    verify: refuse,
    import: refuse,
    remove: refuse,
    update: refuse,
    prune: refuse,
    rescan: refuse,
    status: refuse,
    metrics: refuse,
    on: () => service,
    once: () => service,
    off: () => service
  }
  return service
}
