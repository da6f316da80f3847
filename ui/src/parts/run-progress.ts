import { html, nothing, type TemplateResult } from 'lit-html'
import type { Progress } from '../../../types/index.ts'
import type { Run } from '../client/store.ts'
import * as format from '../format.ts'
import { phaseNames } from '../words.ts'
import { type Transfer, transferText } from './transfer.ts'

/** The bar of a run, with phase, table, percent, rate and time left. */
export function runProgress ({ progress, rate, kind }: Run): TemplateResult {
  if (progress === null) {
    return html`<progress aria-label="Progress"></progress><p class="hint">Starting…</p>`
  }
  const { phase, table, tables, tablesDone, percent, etaMs, bytes } = progress
  const parts = [
    percent === null ? null : format.percent(percent / 100),
    rate === null ? format.bytes(bytes) : `${format.bytes(rate)}/s`,
    etaMs === null ? null : `${format.duration(etaMs)} left`
  ].filter((part) => part !== null)
  return html`
    <progress aria-label="Progress" max="100" value=${percent ?? nothing}></progress>
    <p class="hint">
      ${kind === 'restore' ? html`<b>${phaseNames[phase]}</b> · ` : nothing}${table === null
        ? nothing
        : html`<span class="name">${table}</span>, `}table ${format.count(Math.min(tablesDone + 1, tables))} of
      ${format.count(tables)} · ${parts.join(' · ')}
    </p>`
}

/** The bar of the counting of a plan; null until the service has told how far it is. */
export function countingProgress (progress: Progress | null): TemplateResult {
  if (progress === null) return html`<progress aria-label="Counting rows"></progress>`
  const { percent, table, tables, tablesDone, rows } = progress
  return html`<progress aria-label="Counting rows" max="100" value=${percent ?? nothing}></progress>
    <p class="hint"><span class="name">${table}</span>, table ${format.count(Math.min(tablesDone + 1, tables))} of
      ${format.count(tables)} · ${percent === null ? nothing : html`${format.percent(percent / 100)} · `}
      ${format.plural(rows, 'row')}</p>`
}

/** The bar of a transfer, and its text. */
export const transferProgress = (label: string, transfer: Transfer): TemplateResult => html`
  <progress aria-label=${label} max=${transfer.total ?? nothing} value=${transfer.done}></progress>
  <p class="hint">${transferText(transfer)}</p>`
