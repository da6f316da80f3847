import { checkArguments } from '../arguments/check-arguments.ts'
import { describeBackups, visibleSchemas } from '../callers/visible-backups.ts'
import type { Context } from '../runs/context.ts'
import type { BackupList, ListQuery } from '../../types/index.ts'

export async function listBackups (context: Context, query: ListQuery = {}): Promise<BackupList> {
  checkArguments('list', query)
  const { backups, next } = await context.log.list(query, await visibleSchemas(context))
  return { backups: await describeBackups(context, backups), next }
}
