import type { PrunedBackup, Rescan } from '../../../types/index.ts'
import { type Command, given, longCallOf } from '../command.ts'
import { formatBytes, formatTime } from '../format-values.ts'
import { exitCodes } from '../host.ts'
import { renderBackups, shortId } from '../render-backups.ts'
import { renderStatus } from '../render-status.ts'
import { renderTable } from '../table.ts'
import type { Style } from '../style.ts'

function renderPruned (pruned: PrunedBackup[], width: number, style: Style): string {
  if (pruned.length === 0) return 'There was nothing to delete.'
  return renderTable([
    { title: 'DELETED' },
    { title: 'SCHEMA', shrinkTo: 8 },
    { title: 'STARTED (UTC)', drop: 2 },
    { title: 'SIZE', align: 'right', drop: 1 },
    { title: 'REASON', shrinkTo: 16 }
  ], pruned.map(({ backup: { id, schema, startedAt, storedBytes }, reason }) => [
    shortId(id), schema, formatTime(startedAt), formatBytes(storedBytes), reason
  ]), width, style)
}

const prune: Command = {
  name: 'prune',
  summary: 'delete the snapshots that the retention does not keep',
  args: [],
  options: [],
  example: 'fastify-backup prune --max-backups 20',
  usesService: true,
  shows: ['maxBackups', 'retention.'],
  run: async ({ ui, withService }) => await withService(async (service) => {
    const pruned = await service.prune()
    ui.result({ pruned }, () => renderPruned(pruned, ui.width, ui.style))
    return exitCodes.done
  })
}

function renderRescan ({ adopted, missing }: Rescan, width: number, style: Style): string {
  const part = (title: string, backups: Rescan['adopted']): string[] =>
    backups.length === 0 ? [] : [title, renderBackups(backups, width, style)]
  const parts = [
    ...part('Adopted, since they had no row in the log:', adopted),
    ...part('Missing, since their file is not in the storage:', missing)
  ]
  return parts.length === 0 ? 'The log and the storage agree.' : parts.join('\n')
}

const rescan: Command = {
  name: 'rescan',
  summary: 'adopt snapshot files that the log does not know',
  args: [],
  options: [],
  example: 'fastify-backup rescan',
  usesService: true,
  run: async (call) => await call.withService(async (service) => {
    const { ui } = call
    const found = await service.rescan(longCallOf(call))
    ui.result(found, () => renderRescan(found, ui.width, ui.style))
    return exitCodes.done
  })
}

const status: Command = {
  name: 'status',
  summary: 'show problems, what runs now, and the newest snapshots',
  details: 'Ends with exit code 3 if there are problems.',
  args: [['[schema]', 'only the newest snapshot of this schema']],
  options: [['--after <schema>', 'the next page of schemas']],
  example: 'fastify-backup status --json | jq .problems',
  usesService: true,
  run: async (call) => await call.withService(async (service) => {
    const { ui, args: [schema] } = call
    const found = await service.status({ ...schema !== undefined && { schema }, ...given(call, 'after') })
    ui.result(found, () => renderStatus(found, ui.width, ui.style))
    return found.healthy ? exitCodes.done : exitCodes.unhealthy
  })
}

export const upkeepCommands: Command[] = [prune, rescan, status]
