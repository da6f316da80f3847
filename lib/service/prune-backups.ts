import { pruneSchema } from '../consistency/prune-schema.ts'
import { requireOwnStorage } from '../consistency/storage-ownership.ts'
import type { Context } from '../runs/context.ts'
import type { PrunedBackup } from '../../types/index.ts'

/** Applies the retention policy to every schema that has backups. */
export async function pruneBackups (context: Context): Promise<PrunedBackup[]> {
  await context.presence.require()
  const pruned: PrunedBackup[] = []
  const { enabled, retentionDays } = context.options.schedule
  const names = (await context.storage.list()).map(({ name }) => name)
  await requireOwnStorage(context, names)
  const stored = new Set(names)
  // A service without a schedule does not know how long scheduled snapshots have to be kept
  for (const schema of await context.log.schemas()) {
    const age = enabled ? retentionDays : null
    pruned.push(...await pruneSchema(context, { schema, stored, retentionDays: age, trigger: 'manual' }))
  }
  return pruned
}
