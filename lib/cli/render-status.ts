import type { Manifest, Status, Verification } from '../../types/index.ts'
import { formatBytes, formatCount, formatTime } from './format-values.ts'
import { printable } from './printable.ts'
import { renderBackups } from './render-backups.ts'
import { renderRecord, renderTable } from './table.ts'
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

export function renderVerification ({ ok, problems }: Verification, style: Style): string {
  if (ok) return style('green', 'The snapshot is complete and undamaged.')
  return [style('red', 'The snapshot is damaged:'), ...problems.map((text) => `  - ${printable(text)}`)].join('\n')
}

export function renderManifest (
  { sizeBytes, manifest }: { sizeBytes: number, manifest: Manifest }, width: number, style: Style
): string {
  const rows = manifest.tables.map(({ name, rows, columns }) => [name, formatCount(rows), formatCount(columns.length)])
  return [
    renderRecord([
      ['id', manifest.id],
      ['schema', manifest.schema],
      ['created', `${formatTime(manifest.createdAt)} UTC`],
      ['trigger', manifest.trigger],
      ['note', manifest.note],
      ['partial', manifest.partial === true ? 'yes' : null],
      ['database', manifest.database],
      ['PostgreSQL', manifest.postgres],
      ['tables', formatCount(manifest.totalTables)],
      ['rows', formatCount(manifest.totalRows)],
      ['sequences', formatCount(manifest.sequences.length)],
      ['size', `${formatBytes(sizeBytes)} (${formatCount(sizeBytes)} bytes)`],
      ['checksum', manifest.checksum]
    ], style),
    '',
    renderTable([
      { title: 'TABLE', shrinkTo: 12 },
      { title: 'ROWS', align: 'right' },
      { title: 'COLUMNS', align: 'right', drop: 1 }
    ], rows, width, style)
  ].join('\n')
}
