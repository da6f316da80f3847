import { html, type TemplateResult } from 'lit-html'
import { DialogView } from '../elements/dialog-view.ts'
import { button, errorText } from '../parts/templates.ts'

interface Question { heading: string, text: string, action: string, run: () => Promise<void> }

/** Asks before something that cannot be undone. */
export class ConfirmDialog extends DialogView {
  readonly #question: Question
  #isBusy = false

  constructor (question: Question) {
    super()
    this.#question = question
  }

  heading (): string { return this.#question.heading }

  body (): TemplateResult { return html`<p>${this.#question.text}</p>` }

  footer (): TemplateResult {
    return html`<button type="button" autofocus @click=${() => { this.close() }}>Cancel</button>
      ${button(this.#question.action, {
        tone: 'danger', disabled: this.#isBusy, onClick: () => { void this.#run() }
      })}`
  }

  async #run (): Promise<void> {
    this.#isBusy = true
    this.update()
    try {
      await this.#question.run()
      this.close()
    } catch (error) {
      this.error = errorText(error)
      this.#isBusy = false
      this.update()
    }
  }
}

customElements.define('confirm-dialog', ConfirmDialog)
