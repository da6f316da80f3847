import { html, nothing, type TemplateResult } from 'lit-html'
import { repeat } from 'lit-html/directives/repeat.js'
import { store } from '../elements/view.ts'
import { snapshotHref } from '../routes.ts'

/**
 * Short messages. The region exists from the beginning, so that screen readers announce what is added to it.
 * @param isShown false where a dialog is in front, which shows them instead
 */
export const notices = (isShown: boolean): TemplateResult => html`<div class="notices" role="status">
  ${repeat(isShown ? store.notices : [], ({ id }) => id, ({ id, tone, text, backupId }) => html`
    <div class="notice ${tone}">
    <p>${text} ${backupId === null ? nothing : link(backupId)}</p>
    <button type="button" class="icon" aria-label="Dismiss" @click=${() => { store.dismiss(id) }}>✕</button>
  </div>`)}
</div>`

/** The page is behind the dialog, if there is one. */
const link = (id: string): TemplateResult => html`<a href=${snapshotHref(id)} @click=${({ target }: Event) => {
  if (target instanceof HTMLElement) target.closest('dialog')?.close()
}}>Details</a>`
