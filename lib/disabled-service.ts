import type { BackupService } from '../types/index.ts'
import { Disabled } from './errors.ts'

/**
 * What `fastify.backup` is while the plugin is switched off, so that callers need not ask first: every call rejects with
 * FST_BACKUP_DISABLED. Listeners may be added; there is nothing to hear.
 */
export function createDisabledService (): BackupService {
  const refuse = async (): Promise<never> => { throw new Disabled() }
  const service: BackupService = {
    create: refuse,
    list: refuse,
    get: refuse,
    download: refuse,
    plan: refuse,
    restore: refuse,
    verify: refuse,
    import: refuse,
    remove: refuse,
    update: refuse,
    prune: refuse,
    rescan: refuse,
    status: refuse,
    on: () => service,
    once: () => service,
    off: () => service
  }
  return service
}
