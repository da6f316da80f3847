import type { Backup, BackupStatus, BackupTrigger } from '../../../types/index.ts'
import { actorOf, actorOption, type Call, type Command, given, givenList, longCallOf } from '../command.ts'
import { findId } from '../find-id.ts'
import { exitCodes } from '../host.ts'
import { printable } from '../printable.ts'
import { renderBackup, renderBackups } from '../render-backups.ts'
import { parseValue } from '../plugin-options.ts'

const numberOf = (text: string | undefined): { limit?: number } =>
  text === undefined ? {} : { limit: parseValue({ kind: 'number' }, text) as number }

function showBackup ({ ui }: Call, backup: Backup): number {
  ui.result(backup, () => renderBackup(backup, ui.style))
  return exitCodes.done
}

const create: Command = {
  name: 'create',
  summary: 'take a snapshot of a schema',
  args: [['[schema]', 'schema to back up (default: the option schema)']],
  options: [
    ['--exclude <tables>', 'tables to leave out, separated by commas, beside those of the option'],
    ['--note <text>', 'a note for the log'],
    actorOption
  ],
  example: 'fastify-backup create --note "before the migration"',
  usesService: true,
  run: async (call) => await call.withService(async (service) => {
    const [schema] = call.args
    const { exclude: excludeTables } = givenList(call, 'exclude')
    return showBackup(call, await service.create({
      ...schema !== undefined && { schema },
      ...excludeTables !== undefined && { excludeTables },
      ...given(call, 'note'),
      ...actorOf(call),
      ...longCallOf(call)
    }))
  })
}

const list: Command = {
  name: 'list',
  summary: 'list the backups, newest first',
  args: [['[schema]', 'only those of this schema']],
  options: [
    ['--status <status>', 'running, completed, failed or restored'],
    ['--trigger <trigger>', 'manual, scheduled, pre_restore or import'],
    ['--since <time>', 'started at this time or later, such as 2026-11-22T17:45:00Z'],
    ['--until <time>', 'started before this time'],
    ['--limit <number>', 'how many, 1 to 1000 (default: 100)'],
    ['--before <cursor>', 'the next page']
  ],
  example: 'fastify-backup list --status completed --limit 10',
  usesService: true,
  run: async (call) => await call.withService(async (service) => {
    const { ui, args: [schema] } = call
    const page = await service.list({
      ...schema !== undefined && { schema },
      // The service checks them
      ...given(call, 'status') as { status?: BackupStatus },
      ...given(call, 'trigger') as { trigger?: BackupTrigger },
      ...given(call, 'since'),
      ...given(call, 'until'),
      ...numberOf(given(call, 'limit').limit),
      ...given(call, 'before')
    })
    ui.result(page, () => renderBackups(page.backups, ui.width, ui.style))
    if (page.next !== null) ui.note(`There are more: --before ${printable(page.next)}`)
    return exitCodes.done
  })
}

const show: Command = {
  name: 'show',
  summary: 'show everything about a backup',
  args: [['<id>', 'the id, or its first characters']],
  options: [],
  example: 'fastify-backup show 3f2a9c11',
  usesService: true,
  run: async (call) => await call.withService(async (service) =>
    showBackup(call, await service.get(await findId(service, String(call.args[0])))))
}

function updating (
  name: string, summary: string, changes: { pinned: boolean } | { accepted: boolean }
): Command {
  return {
    name,
    summary,
    args: [['<id>', 'the id, or its first characters']],
    options: [],
    example: `fastify-backup ${name} 3f2a9c11`,
    usesService: true,
    run: async (call) => await call.withService(async (service) =>
      showBackup(call, await service.update(await findId(service, String(call.args[0])), changes)))
  }
}

const remove: Command = {
  name: 'rm',
  summary: 'delete snapshots and their rows in the log',
  args: [['<ids...>', 'the ids, or their first characters']],
  options: [],
  example: 'fastify-backup rm 3f2a9c11',
  usesService: true,
  run: async (call) => await call.withService(async (service) => {
    const ids = new Set<string>()
    for (const text of call.args) ids.add(await findId(service, text))
    const removed: string[] = []
    try {
      for (const id of ids) {
        await service.remove(id)
        removed.push(id)
      }
    } finally {
      // Also if a later one cannot be deleted
      if (removed.length > 0) {
        call.ui.result({ removed }, () => removed.map((id) => `Deleted ${id}.`).join('\n'))
      }
    }
    return exitCodes.done
  })
}

export const backupCommands: Command[] = [
  create,
  list,
  show,
  updating('pin', 'keep a snapshot, whatever the retention says', { pinned: true }),
  updating('unpin', 'let retention delete a snapshot again', { pinned: false }),
  updating('accept', 'accept a suspect snapshot as the new baseline', { accepted: true }),
  remove
]
