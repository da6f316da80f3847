import type { Manifest, Verification } from '../../types/index.ts'
import { formatBytes, formatCount, formatTime } from './format-values.ts'
import { printable } from './printable.ts'
import type { Style } from './style.ts'
import { renderRecord, renderTable } from './table.ts'

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
