import { html, nothing, type TemplateResult } from 'lit-html'
import type { Backup, RestorePlan, RestoreResult } from '../../../types/index.ts'
import { ApiError, isAbort } from '../client/api.ts'
import type { Outcome } from '../client/store.ts'
import { DialogView, openDialog } from '../elements/dialog-view.ts'
import { store } from '../elements/view.ts'
import * as format from '../format.ts'
import { planDetails, planTables } from '../parts/plan.ts'
import { runProgress } from '../parts/run-progress.ts'
import { button, drifts, errorText, list, live, name, placeOf } from '../parts/templates.ts'
import { remedies } from '../words.ts'

/** From the plan to the result of a restore. May be closed at any time: the service continues. */
export class RestoreDialog extends DialogView {
  override isWide = true
  readonly #backup: Backup
  #schema: string
  #plan: RestorePlan | null = null
  /** Every table of the snapshot; the plan has only the chosen ones. */
  #allTables: string[] = []
  #inSnapshot = new Set<string>()
  #chosen = new Set<string>()
  #planning = new AbortController()
  #isPlanning = false
  #skipsDrift = false
  #typed = ''
  #step: 'plan' | 'running' = 'plan'

  constructor (backup: Backup) {
    super()
    this.#backup = backup
    this.#schema = backup.schema
  }

  override connectedCallback (): void {
    super.connectedCallback()
    if (store.runOf('restore', this.#backup.id) !== undefined) this.#step = 'running'
    else void this.#makePlan()
  }

  override disconnectedCallback (): void {
    super.disconnectedCallback()
    this.#planning.abort()
  }

  override get step (): string {
    if (this.#step === 'plan') return 'plan'
    return store.outcomeOf('restore', this.#backup.id)?.kind ?? 'running'
  }

  heading (): string {
    return `Restore ${this.#backup.schema}, ${format.exactTime(this.#backup.startedAt)}`
  }

  body (): TemplateResult {
    if (this.#step === 'plan') return this.#planBody()
    const outcome = store.outcomeOf('restore', this.#backup.id)
    if (outcome !== undefined) return outcome.kind === 'failed' ? failure(outcome) : this.#success(outcome)
    const run = store.runOf('restore', this.#backup.id)
    return html`<p class="step-heading"><b>The restore is running.</b>
        You may close this page: the service continues.</p>
      ${run === undefined ? html`<progress aria-label="Progress"></progress>` : runProgress(run)}
      ${phases(run?.progress?.phase)}`
  }

  footer (): TemplateResult {
    if (this.#step === 'plan') return this.#planFooter()
    const outcome = store.outcomeOf('restore', this.#backup.id)
    return html`
      ${outcome?.kind === 'completed' && outcome.preRestoreId !== null
        ? button('Undo: restore the snapshot from before…', {
          onClick: () => { void this.#undo(outcome.preRestoreId) }
        })
        : nothing}
      ${outcome?.kind === 'failed'
        ? button('Back to the plan', { onClick: () => { this.#back() } })
        : nothing}
      ${button('Close', { tone: 'primary', onClick: () => { this.close() } })}`
  }

  async #makePlan (): Promise<void> {
    this.#planning.abort()
    this.#planning = new AbortController()
    const { signal } = this.#planning
    this.#isPlanning = true
    this.error = null
    this.update()
    const isAll = this.#chosen.size === this.#allTables.length
    try {
      const plan = await store.api.plan(this.#backup.id, {
        schema: this.#schema, ...!isAll && { tables: [...this.#chosen] }
      }, signal)
      if (this.#allTables.length === 0) {
        this.#inSnapshot = new Set((await store.api.manifest(this.#backup.id)).tables.map((table) => table.name))
        const drifted = plan.drift.map(({ table }) => table).filter((table) => this.#inSnapshot.has(table))
        this.#allTables = [...new Set([...plan.tables.map((table) => table.name), ...drifted])]
        this.#chosen = new Set(this.#allTables)
      }
      this.#plan = plan
    } catch (error) {
      if (isAbort(error)) return
      this.#plan = null
      this.error = errorText(error)
    }
    this.#isPlanning = false
    this.update()
  }

  #planBody (): TemplateResult {
    const plan = this.#plan
    return html`
      <p>The rows of each table below are replaced by those of the snapshot, in one transaction: all of them, or none.
        Before that, the service takes a snapshot of the present rows, so that you can undo it. Meanwhile the tables are
        locked for readers and writers.</p>
      <form class="filters" @submit=${(event: SubmitEvent) => { this.#changeSchema(event) }}>
        <label>Into schema <input name="schema" .value=${this.#schema} maxlength="63" required autocomplete="off"
          spellcheck="false" @change=${(event: Event) => { this.#changeSchema(event) }}></label>
        ${live('status', this.#isPlanning ? 'Counting rows…' : '')}
      </form>
      ${plan === null ? this.#retry() : this.#details(plan)}`
  }

  #retry (): TemplateResult | typeof nothing {
    return this.#isPlanning ? nothing : button('Try again', { onClick: () => { void this.#makePlan() } })
  }

  #details (plan: RestorePlan): TemplateResult {
    return html`
      ${planTables(plan, this.#allTables, this.#chosen, (table) => { this.#toggle(table) })}
      ${planDetails(plan)}
      ${plan.drift.length === 0 || !this.#isSkippable(plan)
        ? nothing
        : html`<label class="check-line"><input type="checkbox" .checked=${this.#skipsDrift}
            @change=${() => { this.#toggleDrift() }}> Skip what no longer exists, and restore the rest</label>`}`
  }

  #planFooter (): TemplateResult {
    const { status } = store
    if (status?.can.restore !== true) {
      return html`<p class="hint">${status?.allowRestore === true
        ? 'You may see this plan, but you may not restore.'
        : html`Restores are off. The option <code>allowRestore: true</code> of the plugin switches them on.`}</p>
        ${button('Close', { onClick: () => { this.close() } })}`
    }
    const isConfirmed = this.#typed === this.#schema
    const reason = this.#chosen.size === 0 ? 'Choose a table first' : 'Type the name of the schema first'
    const isPossible = this.#plan !== null && this.#chosen.size > 0 &&
      (this.#plan.ok || (this.#skipsDrift && this.#isSkippable(this.#plan)))
    return html`
      <label class="confirm"><span>Type <b class="name">${this.#schema}</b> to confirm</span>
        <input autocomplete="off" spellcheck="false" .value=${this.#typed} @input=${({ target }: Event) => {
          if (target instanceof HTMLInputElement) this.#typed = target.value
          this.update()
        }}></label>
      ${button('Cancel', { onClick: () => { this.close() } })}
      ${button(`Replace the rows of ${format.plural(this.#plan?.tables.length ?? 0, 'table')}`, {
        tone: 'danger',
        disabled: !isConfirmed || !isPossible || this.#isPlanning,
        reason: (this.#chosen.size === 0 || !isConfirmed) && reason,
        onClick: () => { void this.#restore() }
      })}`
  }

  #changeSchema (event: Event): void {
    event.preventDefault()
    const form = event.target instanceof HTMLInputElement ? event.target.form : event.target
    if (!(form instanceof HTMLFormElement)) return
    const schema = String(new FormData(form).get('schema') ?? '').trim()
    if (schema === '' || schema === this.#schema) return
    this.#schema = schema
    this.#typed = ''
    this.#skipsDrift = false
    void this.#makePlan()
  }

  /** Not what is about the schema itself, such as a missing privilege. */
  #isSkippable ({ drift }: RestorePlan): boolean {
    return drift.every(({ table }) => this.#inSnapshot.has(table))
  }

  #toggle (name: string | null): void {
    this.#skipsDrift = false
    if (name === null) this.#chosen = new Set(this.#chosen.size === this.#allTables.length ? [] : this.#allTables)
    else if (!this.#chosen.delete(name)) this.#chosen.add(name)
    if (this.#chosen.size > 0) void this.#makePlan()
    else this.update()
  }

  #toggleDrift (): void {
    this.#skipsDrift = !this.#skipsDrift
    this.update()
  }

  async #restore (): Promise<void> {
    const isAll = this.#chosen.size === this.#allTables.length
    this.error = null
    this.#step = 'running'
    store.forgetOutcome('restore', this.#backup.id)
    this.update()
    try {
      const answer = await store.api.restore(this.#backup.id, {
        schema: this.#schema,
        ...!isAll && { tables: [...this.#chosen] },
        ...this.#skipsDrift && { allowSchemaDrift: true }
      })
      // A proxy may remove the header that asks for the early answer
      if ('status' in answer) store.begin(answer, 'restore')
      else store.finishRestore(answer)
    } catch (error) {
      this.#step = 'plan'
      this.error = describeFailure(error)
      this.update()
    }
  }

  #success ({ result }: Extract<Outcome, { kind: 'completed' }>): TemplateResult {
    return html`<div class="message good"><h3 class="step-heading">The rows are restored</h3>
      <p>${result === null
        ? 'The restore is complete.'
        : html`${format.plural(result.rowCount, 'row')} in ${format.plural(result.tables.length, 'table')}, in
            ${format.duration(result.durationMs)}.`}</p></div>
      ${result === null ? nothing : resultDetails(result)}`
  }

  #back (): void {
    this.#step = 'plan'
    this.#typed = ''
    void this.#makePlan()
  }

  async #undo (id: string | null): Promise<void> {
    if (id === null) return
    try {
      const backup = await store.api.get(id)
      this.close()
      openDialog(new RestoreDialog(backup))
    } catch (error) {
      this.error = errorText(error)
      this.update()
    }
  }
}

/** Of a restore that did not begin. */
function describeFailure (error: unknown): string {
  if (!(error instanceof ApiError)) return errorText(error)
  const { message, code, drift, problems } = error
  // Without a code, it is not the service that answered
  if (code === '' || code === 'FST_BACKUP_RESTORE_UNCERTAIN') {
    return `${message}. The restore may have begun: load this page again to see it.`
  }
  const details = [...drift.map((entry) => `${placeOf(entry)}: ${entry.problem}.`), ...problems].slice(0, 5)
  return [message, ...details, 'Nothing has changed.', remedies[code] ?? ''].join(' ').trim()
}

/**
 * After a connection that was lost during COMMIT the rows may be those of the snapshot. Without the event of the
 * failure its code is not known, and the message alone says what happened.
 */
function failure ({ message, code }: Extract<Outcome, { kind: 'failed' }>): TemplateResult {
  const isUnchanged = code !== '' && code !== 'FST_BACKUP_RESTORE_UNCERTAIN'
  return html`<div class="message bad">
    <h3 class="step-heading">The restore failed${isUnchanged ? ', and nothing has changed' : ''}</h3>
    <p>${message}</p>
    <p>${remedies[code] ?? 'Correct the cause, then try again.'}</p></div>`
}

const steps = [
  ['verify', 'The file is checked'], ['snapshot', 'The present rows are saved'], ['load', 'The rows are replaced']
] as const

/** The steps, with the present one marked. */
function phases (current: string | undefined): TemplateResult {
  const index = steps.findIndex(([phase]) => phase === current)
  return html`<ol class="phases">${steps.map(([, text], step) => step === index
    ? html`<li class="current" aria-current="step">${text}</li>`
    : html`<li class=${step < index ? 'done' : ''}>${text}</li>`)}</ol>`
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

customElements.define('restore-dialog', RestoreDialog)
