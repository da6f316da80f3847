import type { Backup, RestoreRecord } from '../../types/index.ts'
import { formatBytes, formatCount, formatDuration, formatTime } from './format-values.ts'
import { type Column, renderRecord, renderTable } from './table.ts'
import type { Style } from './style.ts'

type Color = Parameters<Style>[0]

const statusColors: Record<string, Color> = {
  completed: 'green', restored: 'green', failed: 'red', running: 'cyan'
}

const backupColumns: Column[] = [
  { title: 'ID' },
  { title: 'SCHEMA', shrinkTo: 8 },
  { title: 'STATUS', color: (cell) => statusColors[cell] },
  { title: 'TRIGGER', drop: 3 },
  { title: 'STARTED (UTC)' },
  { title: 'ROWS', align: 'right', drop: 2 },
  { title: 'SIZE', align: 'right', drop: 1 },
  { title: 'REMARKS', drop: 0, shrinkTo: 10, color: () => 'yellow' },
  { title: 'NOTE', drop: 4, shrinkTo: 10 }
]

/** The first characters of an id, which commands accept in its place. */
export const shortId = (id: string): string => id.slice(0, 8)

function remarksOf ({ suspect, accepted, partial, pinned, held, available, status, verification }: Backup): string {
  const hasFile = status === 'completed' || status === 'restored'
  return [
    hasFile && !available && 'file missing',
    verification?.ok === false && 'damaged',
    suspect !== null && !accepted && 'suspect',
    partial && 'partial',
    held && 'held',
    pinned && 'pinned'
  ].filter(Boolean).join(', ')
}

const rowOf = (backup: Backup): string[] => [
  shortId(backup.id),
  backup.schema,
  backup.status,
  backup.trigger,
  formatTime(backup.startedAt),
  formatCount(backup.rowCount),
  formatBytes(backup.storedBytes),
  remarksOf(backup),
  backup.note ?? ''
]

export const renderBackups = (backups: Backup[], width: number, style: Style): string => backups.length === 0
  ? 'There are no backups.'
  : renderTable(backupColumns, backups.map(rowOf), width, style)

const list = (items: string[]): string | null => items.length === 0 ? null : items.join('; ')
const time = (instant: string | null): string | null => instant === null ? null : `${formatTime(instant)} UTC`

function originOf ({ origin }: Backup): string | null {
  if (origin === null) return null
  const { createdAt, database, postgres } = origin
  return `database ${database}, PostgreSQL ${postgres}, ${formatTime(createdAt)} UTC`
}

function describeRestore ({ status, schema, startedAt, finishedAt, by, preRestoreId, error }: RestoreRecord): string {
  const when = finishedAt === null ? `since ${formatTime(startedAt)}` : `at ${formatTime(finishedAt)}`
  const details = [
    by !== null && `by ${by}`,
    preRestoreId !== null && `the rows before are in ${preRestoreId}`,
    error
  ].filter(Boolean).join(', ')
  return `into ${schema}: ${status} ${when} UTC${details === '' ? '' : ` (${details})`}`
}

function verificationOf ({ verification }: Backup): string | null {
  if (verification === null) return null
  const { ok, at, problems } = verification
  return `${ok ? 'intact' : 'damaged'} at ${formatTime(at)} UTC${ok ? '' : `: ${problems.join('; ')}`}`
}

/** Everything about one backup. */
export function renderBackup (backup: Backup, style: Style): string {
  const { suspect } = backup
  const isCompressed = backup.compression !== 'none'
  return renderRecord([
    ['id', backup.id],
    ['schema', backup.schema],
    ['status', backup.status],
    ['error', backup.error],
    ['trigger', backup.trigger],
    ['file', backup.filename],
    ['tables', formatCount(backup.tableCount)],
    ['rows', formatCount(backup.rowCount)],
    ['size', formatBytes(backup.storedBytes)],
    ['compression', isCompressed ? backup.compression : null],
    ['JSON size', isCompressed ? formatBytes(backup.sizeBytes) : null],
    ['checksum', backup.checksum],
    ['started', time(backup.startedAt)],
    ['duration', formatDuration(backup.durationMs)],
    ['created by', backup.createdBy],
    ['origin', originOf(backup)],
    ['schedule', backup.cron],
    ['remarks', remarksOf(backup)],
    ['note', backup.note],
    ['suspect', suspect && list(suspect.map(({ table, rowsBefore, rows }) =>
      `${table ?? 'all tables'}: ${formatCount(rowsBefore)} rows before, ${formatCount(rows)} now`))],
    ['left out', list(backup.excludedTables)],
    ['warnings', list(backup.warnings)],
    ['verified', verificationOf(backup)],
    ['restored', time(backup.restoredAt)],
    ['restored by', backup.restoredBy],
    ['restores', list(backup.restores.map(describeRestore))]
  ], style)
}
