import type { Backup } from '../../../types/index.ts'
import type { Api, ListQuery } from './api.ts'

/** No page needs more, and a tab should not keep more. */
const maxBackups = 10_000

/** The backups that match, newest first, page by page; the newest 10,000 if there are more. */
export async function loadAll (
  api: Api, query: ListQuery, signal: AbortSignal
): Promise<{ backups: Backup[], isComplete: boolean }> {
  const backups: Backup[] = []
  let before: string | null = ''
  while (before !== null && backups.length < maxBackups) {
    const page = await api.list({ ...query, limit: 1000, before }, signal)
    backups.push(...page.backups)
    before = page.next
  }
  return { backups, isComplete: before === null }
}
