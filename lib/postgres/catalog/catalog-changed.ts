import { CatalogUnstable } from '../../errors.ts'
import { isVanished } from '../database-error.ts'

/** The catalog changed between planning and locking, so the plan is no longer valid. */
export class CatalogChanged extends Error {}

/** Runs `lock`, which locks the planned tables by name. Throws CatalogChanged when one no longer exists. */
export async function lockPlanned (lock: () => Promise<void>): Promise<void> {
  try {
    await lock()
  } catch (error) {
    throw isVanished(error) ? new CatalogChanged() : error
  }
}

/**
 * Runs `attempt`, which plans and locks, and retries when it throws CatalogChanged.
 * @throws FST_BACKUP_CATALOG_UNSTABLE after `attempts` attempts
 */
export async function retryWhenCatalogChanged<T> (attempts: number, attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; tries <= attempts; tries++) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof CatalogChanged)) throw error
    }
  }
  throw new CatalogUnstable()
}
