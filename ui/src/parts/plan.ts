import { html, nothing, svg, type TemplateResult } from 'lit-html'
import { repeat } from 'lit-html/directives/repeat.js'
import type { Drift, RestorePlan } from '../../../types/index.ts'
import * as format from '../format.ts'
import { drifts, list, name } from './templates.ts'

/**
 * The tables of a restore with their rows before and after.
 * @param onToggle called with the table, or null for all of them
 */
export function planTables (
  { tables }: RestorePlan, all: string[], chosen: Set<string>, onToggle: (name: string | null) => void
): TemplateResult {
  const known = new Map(tables.map((table) => [table.name, table]))
  const most = Math.max(1, ...tables.flatMap(({ rowsNow, rowsAfter }) => [rowsNow, rowsAfter]))
  const areAll = chosen.size === all.length
  return html`<div class="scroll plan"><table role="table">
    <thead role="rowgroup"><tr role="row">
      <th class="check" role="columnheader"><label class="check-line"><input type="checkbox"
        .checked=${areAll} .indeterminate=${chosen.size > 0 && !areAll}
        @change=${() => { onToggle(null) }}><span>All tables</span></label></th>
      <th scope="col" role="columnheader">Table</th>
      <th scope="col" role="columnheader" class="number key now">Rows now</th>
      <th scope="col" role="columnheader" class="number key after">Afterwards</th>
      <th scope="col" role="columnheader" class="number">Change in row count</th>
      <th scope="col" role="columnheader" class="bar"><span class="hidden">Bars</span></th>
    </tr></thead>
    <tbody role="rowgroup">${repeat(all, (table) => table, (tableName) => {
      const table = known.get(tableName)
      const isChosen = chosen.has(tableName)
      return html`<tr role="row" class=${isChosen ? '' : 'off'}>
        <td class="check" role="cell"><input type="checkbox" aria-label=${`Restore ${tableName}`} .checked=${isChosen}
          @change=${() => { onToggle(tableName) }}></td>
        <th scope="row" role="rowheader" class="name">${tableName}</th>
        ${counts(isChosen ? table : undefined)}
        <td class="bar" role="cell">${table === undefined || !isChosen ? nothing : bars(table, most)}</td>
      </tr>`
    })}</tbody>
    ${chosen.size < 2 ? nothing : total(all.flatMap((table) => chosen.has(table) ? known.get(table) ?? [] : []))}
  </table></div>
  <p class="hint">The rows are counted, not compared: where the counts are equal, values may still change.</p>`
}

interface RowCounts { rowsNow: number, rowsAfter: number }

const counts = (rows: RowCounts | undefined): TemplateResult => html`
  <td class="number now" role="cell">${format.count(rows?.rowsNow ?? null)}</td>
  <td class="number after" role="cell">${format.count(rows?.rowsAfter ?? null)}</td>
  <td class="number change" role="cell">${rows === undefined ? '–' : format.change(rows.rowsAfter - rows.rowsNow)}</td>`

const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0)

const total = (tables: RowCounts[]): TemplateResult => html`<tfoot role="rowgroup"><tr role="row">
  <td class="check" role="cell"></td>
  <th scope="row" role="rowheader">${format.plural(tables.length, 'table')}</th>
  ${counts({
    rowsNow: sum(tables.map(({ rowsNow }) => rowsNow)), rowsAfter: sum(tables.map(({ rowsAfter }) => rowsAfter))
  })}
  <td class="bar" role="cell"></td>
</tr></tfoot>`

const barWidth = 140

const bars = ({ rowsNow, rowsAfter }: RowCounts, most: number): TemplateResult => {
  const width = (rows: number): number => rows === 0 ? 0 : Math.max(1, Math.round(rows / most * barWidth))
  return html`<svg class="bars" width=${barWidth} height="18" aria-hidden="true">
    ${svg`<rect class="now" width=${width(rowsNow)} height="7" y="1" rx="1" />
    <rect class="after" width=${width(rowsAfter)} height="7" y="10" rx="1" />`}</svg>`
}

/**
 * What else a restore changes, may change, or does not.
 * @param isOfTable whether a difference is about a table of the snapshot; others are about the schema or the role
 */
export function planDetails (
  { untouched, drift, sequences, warnings }: RestorePlan, isOfTable: (difference: Drift) => boolean
): TemplateResult {
  const problems = drift.filter((difference) => !isOfTable(difference))
  const some = (items: unknown[], content: () => TemplateResult): TemplateResult | typeof nothing =>
    items.length === 0 ? nothing : content()
  return html`
    ${some(problems, () => html`<section class="message bad"><h3>The snapshot cannot be restored now</h3>
      ${list(problems.map(({ problem }) => problem))}<p>Correct this, then count again.</p></section>`)}
    ${some(drift.filter(isOfTable), () => html`<section class="message bad">
      <h3>The schema has changed since the snapshot</h3>${drifts(drift.filter(isOfTable))}</section>`)}
    ${some(warnings, () => html`<section class="message warn"><h3>Warnings</h3>${list(warnings)}</section>`)}
    ${some(untouched, () => html`<details>
      <summary>${format.plural(untouched.length, 'table stays', 'tables stay')} untouched</summary>
      ${list(untouched.map(name), 'columns')}</details>`)}
    ${some(sequences, () => html`<details><summary>${format.plural(sequences.length, 'sequence')}</summary>
      ${list(sequences.map((sequence) => html`${name(sequence.name)} ${sequence.now} → ${sequence.after}`), 'columns')}
    </details>`)}`
}
