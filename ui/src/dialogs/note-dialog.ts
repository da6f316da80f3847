import { html, type TemplateResult } from 'lit-html'
import type { Backup } from '../../../types/index.ts'
import { DialogView } from '../elements/dialog-view.ts'
import { store } from '../elements/view.ts'
import { button } from '../parts/templates.ts'

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
        <textarea name="note" rows="4" maxlength="1000" autofocus aria-keyshortcuts="Control+Enter"
          .value=${this.#backup.note ?? ''} @keydown=${submitByKey}></textarea></label>
    </form>`
  }

  footer (): TemplateResult {
    return html`${button('Cancel', { onClick: () => { this.close() } })}
      ${button('Save', { form: 'note-form', tone: 'primary', disabled: this.isBusy })}`
  }

  async #save (event: SubmitEvent): Promise<void> {
    event.preventDefault()
    if (!(event.target instanceof HTMLFormElement) || this.isBusy) return
    const note = String(new FormData(event.target).get('note') ?? '').trim()
    await this.perform(async () => {
      await store.api.update(this.#backup.id, { note: note === '' ? null : note })
      store.touch()
    }, 'The note may be saved. Save it again: that does no harm.')
  }
}

/** In a text of several lines, Enter begins a line. */
function submitByKey (event: KeyboardEvent): void {
  const isSubmit = event.key === 'Enter' && (event.ctrlKey || event.metaKey)
  if (isSubmit && event.target instanceof HTMLTextAreaElement) event.target.form?.requestSubmit()
}

customElements.define('note-dialog', NoteDialog)
