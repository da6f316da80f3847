import { html, type TemplateResult } from 'lit-html'
import { repeat } from 'lit-html/directives/repeat.js'
import { store } from '../elements/view.ts'

/**
 * Short messages. The region exists from the beginning, so that screen readers announce what is added to it.
 * @param isShown false where a dialog is in front, which shows them instead
 */
export const notices = (isShown: boolean): TemplateResult => html`<div class="notices" role="status">
  ${repeat(isShown ? store.notices : [], ({ id }) => id, ({ id, tone, text }) => html`<div class="notice ${tone}">
    <p>${text}</p>
    <button type="button" class="icon" aria-label="Dismiss" @click=${() => { store.dismiss(id) }}>✕</button>
  </div>`)}
</div>`
