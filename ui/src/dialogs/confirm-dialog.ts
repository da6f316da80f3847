import { html, nothing, type TemplateResult } from 'lit-html'
import { DialogView } from '../elements/dialog-view.ts'
import { button } from '../parts/templates.ts'

interface Question {
  heading: string
  text: string
  /** Shown below the text. */
  details?: TemplateResult
  action: string
  run: () => Promise<void>
}

const unanswered = 'It may be done. Look at the list of snapshots before you try again.'

/** Asks before something that cannot be undone, or that has consequences. */
export class ConfirmDialog extends DialogView {
  readonly #question: Question

  constructor (question: Question) {
    super()
    this.#question = question
  }

  heading (): string { return this.#question.heading }

  body (): TemplateResult { return html`<p>${this.#question.text}</p>${this.#question.details ?? nothing}` }

  footer (): TemplateResult {
    const { action, run } = this.#question
    return html`<button type="button" autofocus @click=${() => { this.close() }}>Cancel</button>
      ${button(action, {
        tone: 'danger', disabled: this.isBusy, onClick: () => { void this.perform(run, unanswered) }
      })}`
  }
}

customElements.define('confirm-dialog', ConfirmDialog)
