import { html, nothing, type TemplateResult } from 'lit-html'
import type { Backup, RestorePlan } from '../../../types/index.ts'
import { ApiError, isAbort } from '../client/api.ts'
import { DialogView, openDialog } from '../elements/dialog-view.ts'
import { store } from '../elements/view.ts'
import * as format from '../format.ts'
import { planDetails, planTables } from '../parts/plan.ts'
import { restoreOutcome, restoreSteps } from '../parts/restore-outcome.ts'
import { countingProgress, runProgress } from '../parts/run-progress.ts'
import { button, list, live, restoresAreOff } from '../parts/templates.ts'
import { PlanChoice } from './plan-choice.ts'

/** From the plan to the result of a restore. May be closed at any time: the service continues. */
export class RestoreDialog extends DialogView {
  override isWide = true
  readonly #backup: Backup
  readonly #choice: PlanChoice
  #skipsDrift = false
  #typed = ''
  #hasChanged = false
  #step: 'plan' | 'running' = 'plan'

  constructor (backup: Backup) {
    super()
    this.#backup = backup
    this.#choice = new PlanChoice(backup)
  }

  override connectedCallback (): void {
    super.connectedCallback()
    if (store.runOf('restore', this.#backup.id, this.#choice.schema) !== undefined) this.#step = 'running'
    else void this.#count()
  }

  override disconnectedCallback (): void {
    super.disconnectedCallback()
    this.#choice.cancel()
  }

  override get step (): string {
    if (this.#step === 'plan') return 'plan'
    return store.outcomeOf('restore', this.#backup.id, this.#choice.schema)?.kind ?? 'running'
  }

  heading (): string {
    return `Restore ${this.#backup.schema}, ${format.exactTime(this.#backup.startedAt)}`
  }

  body (): TemplateResult {
    if (this.#step === 'plan') return this.#planBody()
    const outcome = store.outcomeOf('restore', this.#backup.id, this.#choice.schema)
    if (outcome !== undefined) return restoreOutcome(outcome)
    const run = store.runOf('restore', this.#backup.id, this.#choice.schema)
    return html`<p class="step-heading"><b>The restore is running.</b>
        You may close this page: the service continues.</p>
      ${run === undefined ? html`<progress aria-label="Progress"></progress>` : runProgress(run)}
      ${restoreSteps(run?.progress?.phase)}`
  }

  footer (): TemplateResult {
    if (this.#step === 'plan') return this.#planFooter()
    const outcome = store.outcomeOf('restore', this.#backup.id, this.#choice.schema)
    return html`
      ${outcome?.kind === 'completed' && outcome.preRestoreId !== null
        ? button(`Undo the restore of ${format.timeOfDay(Date.parse(outcome.at))}…`, {
          onClick: () => { void this.#undo(outcome.preRestoreId) }
        })
        : nothing}
      ${outcome?.kind === 'failed'
        ? button('Back to the plan', { onClick: () => { this.#back() } })
        : nothing}
      ${button('Close', { tone: 'primary', onClick: () => { this.close() } })}`
  }

  /** Counts the rows and shows them. Resolves with whether the plan has changed; null if it is not known. */
  async #count (): Promise<boolean | null> {
    this.#hasChanged = false
    try {
      const counting = this.#choice.count(() => { this.update() })
      this.update()
      return await counting
    } catch (error) {
      if (!isAbort(error)) this.fail(error, 'Nothing has changed: a plan only reads. Try again.')
      return null
    } finally {
      this.update()
    }
  }

  #countAgain (): void {
    this.error = null
    void this.#count()
  }

  #planBody (): TemplateResult {
    const { schema, plan, isCounting } = this.#choice
    return html`
      ${cautions(this.#backup, this.#choice.isPartial)}
      <p>The rows of each table below are replaced by those of the snapshot, in one transaction: all of them, or none.
        Before that, the service takes a snapshot of the present rows, so that you can undo it. Meanwhile the tables are
        locked for readers and writers.</p>
      <form class="filters" @submit=${(event: SubmitEvent) => { this.#changeSchema(event) }}>
        <label>Into schema <input name="schema" .value=${schema} maxlength="63" required autocomplete="off"
          spellcheck="false" @change=${(event: Event) => { this.#changeSchema(event) }}></label>
        ${isCounting ? nothing : this.#counted()}
      </form>
      ${live('status', isCounting ? html`<p>Counting the present rows…</p>` : nothing)}
      ${isCounting ? countingProgress(this.#choice.progress) : nothing}
      ${live('alert', this.#hasChanged
        ? html`<p class="message warn">The rows were counted again, and the plan has changed. Look at it, and then
            confirm it again.</p>`
        : nothing)}
      ${live('status', plan !== null && this.#choice.chosen.size === 0
        ? html`<p class="message">Select a table.</p>`
        : nothing)}
      ${plan === null ? nothing : this.#details(plan)}`
  }

  #counted (): TemplateResult | typeof nothing {
    const { plan, countedAt } = this.#choice
    if (plan === null) return nothing
    return html`${button('Count again', {
        disabled: this.#choice.chosen.size === 0, reason: 'Select a table', onClick: () => { this.#countAgain() }
      })}
      <span class="hint">Counted at ${format.timeOfDay(countedAt)}</span>`
  }

  #details (plan: RestorePlan): TemplateResult {
    return html`
      ${planTables(plan, this.#choice.allTables, this.#choice.chosen, (table) => { this.#toggle(table) })}
      ${planDetails(plan, this.#choice.isOfTable)}
      ${plan.drift.length === 0 || !this.#choice.isSkippable
        ? nothing
        : html`<label class="check-line"><input type="checkbox" .checked=${this.#skipsDrift}
            @change=${() => { this.#toggleDrift() }}> Skip what no longer exists, and restore the rest</label>`}`
  }

  #planFooter (): TemplateResult {
    const { status } = store
    if (this.#choice.plan === null && !this.#choice.isCounting) {
      return html`${button('Cancel', { onClick: () => { this.close() } })}
        ${button('Try again', { tone: 'primary', onClick: () => { this.#countAgain() } })}`
    }
    if (status?.can.restore !== true) {
      return html`<p class="hint">${status?.allowRestore === true
        ? 'You may see this plan, but you may not restore.'
        : restoresAreOff()}</p>
        ${button('Close', { onClick: () => { this.close() } })}`
    }
    const { plan, schema, chosen, isCounting } = this.#choice
    const isConfirmed = this.#typed === schema
    const reason = chosen.size === 0
      ? 'Select a table'
      : plan?.ok === false && !this.#skipsDrift
        ? 'The plan shows what prevents the restore'
        : 'Type the name of the schema first'
    const isPossible = plan !== null && chosen.size > 0 &&
      (plan.ok || (this.#skipsDrift && this.#choice.isSkippable))
    return html`
      <label class="confirm"><span>Type <b class="name">${schema}</b> to confirm</span>
        <input autocomplete="off" spellcheck="false" .value=${this.#typed} @input=${({ target }: Event) => {
          if (target instanceof HTMLInputElement) this.#typed = target.value
          this.update()
        }}></label>
      ${button('Cancel', { onClick: () => { this.close() } })}
      ${button(`Replace the rows of ${format.plural(chosen.size === 0 ? 0 : plan?.tables.length ?? 0, 'table')}`, {
        tone: 'danger',
        disabled: !isConfirmed || !isPossible || isCounting,
        reason: (chosen.size === 0 || !isConfirmed || !isPossible) && reason,
        onClick: () => { void this.#confirm() }
      })}`
  }

  #changeSchema (event: Event): void {
    event.preventDefault()
    const form = event.target instanceof HTMLInputElement ? event.target.form : event.target
    if (!(form instanceof HTMLFormElement)) return
    const schema = String(new FormData(form).get('schema') ?? '').trim()
    if (schema === '' || schema === this.#choice.schema) return
    this.#choice.schema = schema
    this.#typed = ''
    this.#skipsDrift = false
    this.#countAgain()
  }

  #toggle (table: string | null): void {
    this.#skipsDrift = false
    this.#choice.toggle(table)
    if (this.#choice.chosen.size > 0) this.#countAgain()
    else this.update()
  }

  #toggleDrift (): void {
    this.#skipsDrift = !this.#skipsDrift
    this.update()
  }

  /** What the reader has confirmed must be what the restore does, so an old plan is made again before it begins. */
  async #confirm (): Promise<void> {
    this.error = null
    if (this.#choice.isOld) {
      const hasChanged = await this.#countConfirmed()
      if (hasChanged !== false || this.#choice.chosen.size === 0) return
    }
    await this.#restore()
  }

  /** Counts again what was confirmed. When the plan has changed, the reader has to confirm it again. */
  async #countConfirmed (): Promise<boolean | null> {
    const hasChanged = await this.#count()
    if (hasChanged === true) {
      this.#hasChanged = true
      this.#typed = ''
      this.update()
    }
    return hasChanged
  }

  async #restore (): Promise<void> {
    const { schema, body } = this.#choice
    this.#step = 'running'
    store.forgetOutcome('restore', this.#backup.id, schema)
    this.update()
    try {
      const answer = await store.api.restore(this.#backup.id, {
        ...body, ...this.#skipsDrift && { allowSchemaDrift: true }
      })
      // A proxy may remove the header that asks for the early answer
      if ('status' in answer) store.begin(answer, 'restore', schema)
      else store.finishRestore(answer)
    } catch (error) {
      this.#step = 'plan'
      this.fail(error, 'The restore may have begun. Look at the restores of this snapshot before you try again.')
      store.touch()
      // What it was refused for may be in the plan now
      if (error instanceof ApiError && error.code !== '') void this.#countConfirmed()
    }
  }

  #back (): void {
    this.#step = 'plan'
    this.#typed = ''
    this.#countAgain()
  }

  async #undo (id: string | null): Promise<void> {
    if (id === null) return
    try {
      const backup = await store.api.get(id)
      this.close()
      openDialog(new RestoreDialog(backup))
    } catch (error) {
      this.fail(error, 'Nothing has changed. Try again.')
    }
  }
}

/** What the rows of this snapshot may lack. */
function cautions ({ trigger, suspect, accepted }: Backup, isPartial: boolean): TemplateResult | typeof nothing {
  const texts = [
    ...suspect !== null && !accepted
      ? ['This snapshot is suspect: it has much fewer rows than the ones before. An older one may have the lost rows.']
      : [],
    ...trigger === 'pre_restore'
      ? ['This snapshot was taken before a restore. It has only the tables that this restore has replaced, with the ' +
        'rows from before it.']
      : [],
    ...isPartial
      ? ['This snapshot is partial: tables were left out when it was taken, and the restore does not change them.']
      : []
  ]
  return texts.length === 0 ? nothing : html`<div class="message warn">${list(texts)}</div>`
}

customElements.define('restore-dialog', RestoreDialog)
