import { html, type TemplateResult } from 'lit-html'
import { DialogView } from '../elements/dialog-view.ts'
import { store } from '../elements/view.ts'
import { button } from '../parts/templates.ts'

export class CreateDialog extends DialogView {
  heading (): string { return 'Create a snapshot' }

  body (): TemplateResult {
    const schemas = store.status?.newest.map(({ schema }) => schema) ?? []
    return html`<form id="create-form" @submit=${(event: SubmitEvent) => { void this.#create(event) }}>
      <label>Schema <input name="schema" list="create-schemas" maxlength="63" placeholder="the configured one" autofocus
        autocomplete="off" spellcheck="false"></label>
      <datalist id="create-schemas">${schemas.map((name) => html`<option value=${name}></option>`)}</datalist>
      <label>Tables to leave out, one a line
        <textarea name="excluded" rows="3" spellcheck="false" aria-describedby="excluded-hint"></textarea></label>
      <p class="hint" id="excluded-hint">In addition to the tables that the configuration leaves out.</p>
      <label>Note <input name="note" maxlength="1000"></label>
    </form>`
  }

  footer (): TemplateResult {
    return html`${button('Cancel', { onClick: () => { this.close() } })}
      ${button('Create', { form: 'create-form', tone: 'primary', disabled: this.isBusy })}`
  }

  async #create (event: SubmitEvent): Promise<void> {
    event.preventDefault()
    if (!(event.target instanceof HTMLFormElement) || this.isBusy) return
    const form = new FormData(event.target)
    const text = (name: string): string => String(form.get(name) ?? '').trim()
    const excludeTables = text('excluded').split('\n').map((line) => line.trim()).filter((line) => line !== '')
    await this.perform(async () => {
      const backup = await store.api.create({
        ...text('schema') !== '' && { schema: text('schema') },
        ...text('note') !== '' && { note: text('note') },
        ...excludeTables.length > 0 && { excludeTables }
      })
      store.begin(backup, 'backup')
    }, 'The snapshot may have begun. Look at the list of snapshots before you create another one.')
  }
}

customElements.define('create-dialog', CreateDialog)
