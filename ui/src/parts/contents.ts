import { html, nothing, type TemplateResult } from 'lit-html'
import type { Manifest, ManifestTable } from '../../../types/index.ts'
import * as format from '../format.ts'
import { list, name } from './templates.ts'

/** The tables and sequences of a snapshot. @param previous the snapshot before, whose rows are compared */
export function contents (manifest: Manifest, previous: Manifest | null): TemplateResult {
  const before = new Map(previous?.tables.map((table) => [table.name, table.rows]))
  const present = new Set(manifest.tables.map((table) => table.name))
  const gone = previous?.tables.filter((table) => !present.has(table.name)) ?? []
  return html`<section class="card">
    <h2>${format.plural(manifest.tables.length, 'table')}</h2>
    ${manifest.partial === true ? html`<p class="hint">The caller left tables out.</p>` : nothing}
    <div class="scroll"><table>
      <thead><tr><th scope="col">Table</th><th scope="col" class="number">Rows</th>
        <th scope="col" class="number">${previous === null
          ? nothing
          : html`Change since ${format.shortTime(previous.createdAt)}`}</th>
        <th scope="col">Columns</th></tr></thead>
      <tbody>
        ${manifest.tables.map((table) => tableRow(table, previous === null ? null : before.get(table.name)))}
        ${gone.map(({ name: table, rows }) => html`<tr><th scope="row" class="name">${table}</th>
          <td class="number">–</td><td class="number">${format.change(-rows)}</td><td>not in this snapshot</td></tr>`)}
      </tbody>
    </table></div>
    ${sequences(manifest)}
    <p class="hint">Taken by PostgreSQL ${manifest.postgres} from the database ${name(manifest.database)}.</p>
  </section>`
}

/** @param before null without an earlier snapshot, undefined when that one does not have the table */
function tableRow ({ name: table, rows, columns }: ManifestTable, before: number | null | undefined): TemplateResult {
  return html`<tr>
    <th scope="row" class="name">${table}</th>
    <td class="number">${format.count(rows)}</td>
    <td class="number">${changeOf(rows, before)}</td>
    <td><details><summary>${format.plural(columns.length, 'column')}</summary>
      ${list(columns.map((column) => html`${name(column.name)} <code>${column.type}</code>`), 'columns')}</details></td>
  </tr>`
}

function changeOf (rows: number, before: number | null | undefined): string {
  if (before === null) return ''
  if (before === undefined) return 'new'
  return rows === before ? '–' : format.change(rows - before)
}

function sequences ({ sequences }: Manifest): TemplateResult | typeof nothing {
  if (sequences.length === 0) return nothing
  return html`<details><summary>${format.plural(sequences.length, 'sequence')}</summary>
    ${list(sequences.map((sequence) => html`${name(sequence.name)} <code>${sequence.lastValue}</code>`), 'columns')}
  </details>`
}
