import { describeBackup, getLogged } from '../callers/visible-backups.ts'
import type { Context } from '../runs/context.ts'
import type { Backup } from '../../types/index.ts'

export async function getBackup (context: Context, id: string): Promise<Backup> {
  return await describeBackup(context, await getLogged(context, id))
}
