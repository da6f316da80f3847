import { once } from 'node:events'
import type { BackupEvents, StandaloneBackupService } from '../../../types/index.ts'
import type { Command } from '../command.ts'
import { formatBytes, formatCount, formatDuration, formatTime } from '../format-values.ts'
import { exitCodes, Interrupted } from '../host.ts'
import { printable } from '../printable.ts'
import type { Ui } from '../ui.ts'

type Payload<E extends keyof BackupEvents> = Parameters<BackupEvents[E]>[0]

function report (service: StandaloneBackupService, ui: Ui): void {
  function show<E extends keyof BackupEvents> (
    event: E, value: (payload: Payload<E>) => object, text: (payload: Payload<E>) => string
  ): void {
    const listener = (payload: Payload<E>): void => {
      const at = new Date().toISOString()
      ui.line({ at, event, ...value(payload) }, () => `${formatTime(at)}  ${printable(text(payload))}`)
    }
    service.on(event, listener as BackupEvents[E])
  }

  show('backup:started', (backup) => ({ backup }), ({ schema }) => `backup of ${schema} started`)
  show('backup:completed', (backup) => ({ backup }), ({ schema, filename, rowCount, storedBytes, durationMs }) =>
    `backup of ${schema} completed: ${filename}, ${formatCount(rowCount)} rows, ` +
    `${formatBytes(storedBytes)} in ${formatDuration(durationMs)}`)
  show('backup:suspect', (backup) => ({ backup }), ({ schema }) => `the backup of ${schema} lost many rows`)
  show('backup:failed', ({ id, schema, error }) => ({ id, schema, error: error.message }), ({ schema, error }) =>
    `backup of ${schema} failed: ${error.message}`)
  show('backup:pruned', (pruned) => pruned, ({ backup: { filename }, reason }) => `deleted ${filename}: ${reason}`)
}

const schedule: Command = {
  name: 'schedule',
  summary: 'run the schedule until SIGTERM or Ctrl-C',
  details: 'A process of its own for the schedule, with the options schedule.*. Any number of processes and services ' +
    'with one database make one backup for each slot.',
  args: [],
  options: [],
  example: 'fastify-backup schedule --schedule-cron "0 */6 * * *"',
  usesService: true,
  printsRuns: true,
  shows: ['schedule.'],
  implies: { 'schedule.enabled': true },
  async run ({ ui, host, withService }) {
    await withService(async (service) => {
      report(service, ui)
      service.start()
      const { nextRunAt } = await service.status()
      ui.note(`The next backup: ${formatTime(String(nextRunAt))} UTC`)
      if (!host.interrupted.aborted) await once(host.interrupted, 'abort')
    }).catch((error: unknown) => { if (!(error instanceof Interrupted)) throw error })
    return exitCodes.done
  }
}

export const scheduleCommands: Command[] = [schedule]
