import { CatalogUnstable } from '../../errors.ts'
import { isVanished } from '../database-error.ts'

/** The catalog changed between planning and locking: what was planned no longer holds. */
export class CatalogChanged extends Error {}

/** Runs what locks the planned tables by name: a table that is gone by now means that the catalog changed. */
export async function lockPlanned (lock: () => Promise<void>): Promise<void> {
  try {
    await lock()
  } catch (error) {
    throw isVanished(error) ? new CatalogChanged() : error
  }
}

/**
 * Runs `attempt` again, from the plan on, when it throws CatalogChanged.
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
