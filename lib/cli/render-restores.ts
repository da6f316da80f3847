import type { RestorePlan, RestoreResult } from '../../types/index.ts'
import { formatCount, formatDuration } from './format-values.ts'
import { printable } from './printable.ts'
import type { Style } from './style.ts'
import { renderTable } from './table.ts'

const bullets = (title: string, items: string[]): string[] =>
  items.length === 0 ? [] : ['', title, ...items.map((item) => `  - ${printable(item)}`)]

type Difference = RestorePlan['drift'][number]

/** One difference between snapshot and schema. */
export const describeDifference = ({ table, column, problem }: Difference): string =>
  `${table}${column === undefined ? '' : `.${column}`}: ${problem}`

const driftOf = ({ drift }: Pick<RestorePlan, 'drift'>): string[] => drift.map(describeDifference)

function changeOf (now: number, after: number): string {
  const difference = after - now
  return difference === 0 ? '' : `${difference > 0 ? '+' : '-'}${formatCount(Math.abs(difference))}`
}

export function renderPlan (plan: RestorePlan, width: number, style: Style): string {
  const rows = plan.tables.map(({ name, rowsNow, rowsAfter }) =>
    [name, formatCount(rowsNow), formatCount(rowsAfter), changeOf(rowsNow, rowsAfter)])
  return [
    `Restore of ${style('bold', plan.id)} into schema ${style('bold', printable(plan.schema))}:`,
    '',
    renderTable([
      { title: 'TABLE', shrinkTo: 12 },
      { title: 'ROWS NOW', align: 'right' },
      { title: 'ROWS AFTER', align: 'right' },
      { title: 'CHANGE', align: 'right', color: (cell) => cell.startsWith('-') ? 'red' : undefined }
    ], rows, width, style),
    ...bullets('Tables that keep their rows:', plan.untouched),
    ...bullets('Sequences:', plan.sequences.map(({ name, now, after }) =>
      `${name}: ${now === after ? `${now}, unchanged` : `from ${now} to ${after}`}`)),
    ...bullets(style('yellow', 'Warnings:'), plan.warnings),
    ...bullets(style('red', 'The schema differs from the snapshot:'), driftOf(plan)),
    '',
    plan.ok
      ? style('green', 'The snapshot can be restored.')
      : style('red', 'A restore is refused, unless --allow-schema-drift is given.')
  ].join('\n')
}

export function renderRestore (result: RestoreResult, style: Style): string {
  const { rowCount, tables, schema, durationMs, preRestoreId } = result
  return [
    style('green', `Restored ${formatCount(rowCount)} rows of ${formatCount(tables.length)} tables into schema ` +
      `${printable(schema)} in ${formatDuration(durationMs)}.`),
    ...bullets('Differences that were accepted:', driftOf(result)),
    'To undo it, restore the rows that were replaced, from the same storage:',
    `  fastify-backup restore ${preRestoreId} --allow-restore`
  ].join('\n')
}
