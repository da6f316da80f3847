import { html, type TemplateResult } from 'lit-html'
import type { Backup } from '../../../types/index.ts'
import { DialogView } from '../elements/dialog-view.ts'
import { store } from '../elements/view.ts'
import { button, errorText } from '../parts/templates.ts'

export class NoteDialog extends DialogView {
  readonly #backup: Backup

  constructor (backup: Backup) {
    super()
    this.#backup = backup
  }

  heading (): string { return 'Note' }

  body (): TemplateResult {
    return html`<form id="note-form" @submit=${(event: SubmitEvent) => { void this.#save(event) }}>
      <label>Note
        <textarea name="note" rows="4" maxlength="1000" autofocus .value=${this.#backup.note ?? ''}></textarea></label>
    </form>`
  }

  footer (): TemplateResult {
    return html`${button('Cancel', { onClick: () => { this.close() } })}
      ${button('Save', { form: 'note-form', tone: 'primary' })}`
  }

  async #save (event: SubmitEvent): Promise<void> {
    event.preventDefault()
    if (!(event.target instanceof HTMLFormElement)) return
    const note = String(new FormData(event.target).get('note') ?? '').trim()
    try {
      await store.api.update(this.#backup.id, { note: note === '' ? null : note })
      store.touch()
      this.close()
    } catch (error) {
      this.error = errorText(error)
      this.update()
    }
  }
}

customElements.define('note-dialog', NoteDialog)
