import type { BackupService } from '../../types/index.ts'
import { NotFound } from '../errors.ts'
import { UsageError } from './host.ts'

const completeId = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const startOfId = /^[0-9a-f][0-9a-f-]{3,35}$/

/** The id that begins with `text`, of at least four characters. A complete id is not looked up. */
export async function findId (service: BackupService, text: string): Promise<string> {
  const start = text.toLowerCase()
  if (completeId.test(start)) return start
  if (!startOfId.test(start)) {
    throw new UsageError(`'${text}' is not the id of a backup: pass the id, or its first four characters or more`)
  }
  const found: string[] = []
  let before: string | null = null
  do {
    const page: { backups: Array<{ id: string }>, next: string | null } =
      await service.list({ limit: 1000, ...before !== null && { before } })
    found.push(...page.backups.map(({ id }) => id).filter((id) => id.startsWith(start)))
    before = page.next
  } while (before !== null)
  const [id] = found
  if (id === undefined) throw new NotFound(`whose id begins with '${text}'`)
  if (found.length > 1) throw new UsageError(`'${text}' is the beginning of several ids: ${found.join(', ')}`)
  return id
}
