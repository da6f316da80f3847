import { html, nothing, type TemplateResult } from 'lit-html'
import type { RestoreResult } from '../../../types/index.ts'
import type { Outcome } from '../client/store.ts'
import * as format from '../format.ts'
import { remedyOf } from './failures.ts'
import { drifts, list, name } from './templates.ts'

/** How a restore has ended. */
export const restoreOutcome = (outcome: Outcome): TemplateResult =>
  outcome.kind === 'failed' ? failure(outcome) : success(outcome)

function success ({ result }: Extract<Outcome, { kind: 'completed' }>): TemplateResult {
  return html`<div class="message good"><h3 class="step-heading">The rows are restored</h3>
    <p>${result === null
      ? 'The restore is complete.'
      : html`${format.plural(result.rowCount, 'row')} in ${format.plural(result.tables.length, 'table')}, in
          ${format.duration(result.durationMs)}.`}</p></div>
    ${result === null ? nothing : resultDetails(result)}`
}

/**
 * After a connection that was lost during COMMIT the rows may be those of the snapshot. Without the code of the error,
 * the message alone says what happened.
 */
function failure ({ message, code }: Extract<Outcome, { kind: 'failed' }>): TemplateResult {
  const isUnchanged = code !== '' && code !== 'FST_BACKUP_RESTORE_UNCERTAIN'
  return html`<div class="message bad">
    <h3 class="step-heading">The restore failed${isUnchanged ? ', and nothing has changed' : ''}</h3>
    <p>${message}</p>
    <p>${remedyOf(code)}</p></div>`
}

const steps = [
  ['verify', 'Check the file'], ['snapshot', 'Save the present rows'], ['load', 'Replace the rows']
] as const

/** The steps of a restore, with the finished ones and the present one marked. */
export function restoreSteps (current: string | undefined): TemplateResult {
  const index = steps.findIndex(([phase]) => phase === current)
  return html`<ol class="phases">${steps.map(([, text], step) => step === index
    ? html`<li class="current" aria-current="step">${text}</li>`
    : html`<li class=${step < index ? 'done' : ''}>${text}${step < index
      ? html`<span class="hidden">: done</span>`
      : nothing}</li>`)}</ol>`
}

const phaseLabels: Array<[keyof RestoreResult['phases'], string]> = [
  ['startMs', 'start'], ['verifyMs', 'check the file'], ['planMs', 'plan'], ['lockMs', 'lock'],
  ['snapshotMs', 'save the rows before'], ['loadMs', 'load'], ['finishMs', 'analyze']
]

const resultDetails = ({ phases: spent, tables, drift }: RestoreResult): TemplateResult => html`
  <p class="hint">${phaseLabels.map(([phase, label]) => `${label} ${format.duration(spent[phase])}`).join(' · ')}</p>
  ${drift.length === 0 ? nothing : html`<p>Skipped:</p>${drifts(drift)}`}
  <details><summary>${format.plural(tables.length, 'table')}</summary>
    ${list(tables.map((table) => html`${name(table.name)} ${format.plural(table.rows, 'row')}`), 'columns')}
  </details>`
