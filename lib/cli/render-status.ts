import type { Status } from '../../types/index.ts'
import { formatBytes, formatTime } from './format-values.ts'
import { printable } from './printable.ts'
import { renderBackups } from './render-backups.ts'
import { renderRecord } from './table.ts'
import type { Style } from './style.ts'

export function renderStatus (status: Status, width: number, style: Style): string {
  const { healthy, problems, running, newest, bytesHeld, nextRunAt, allowRestore, newestNext } = status
  return [
    healthy ? style('green', 'healthy') : style('red', 'not healthy'),
    ...problems.map(({ code, message, since }) => {
      const start = since === null ? '' : ` (since ${formatTime(since)} UTC)`
      return `  ${style('red', code)}: ${printable(message)}${start}`
    }),
    '',
    renderRecord([
      ['snapshots', bytesHeld === null ? 'not known' : formatBytes(bytesHeld)],
      ['next backup', nextRunAt === null ? null : `${formatTime(nextRunAt)} UTC`],
      ['restores', allowRestore ? 'allowed' : 'not allowed']
    ], style),
    ...running.length === 0 ? [] : ['', 'Running:', renderBackups(running, width, style)],
    ...newest.length === 0 ? [] : ['', 'The newest snapshot of each schema:', renderBackups(newest, width, style)],
    ...newestNext === null ? [] : [`There are more schemas: --after ${printable(newestNext)}`]
  ].join('\n')
}
