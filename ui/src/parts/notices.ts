import { html, type TemplateResult } from 'lit-html'
import { repeat } from 'lit-html/directives/repeat.js'
import { store } from '../elements/view.ts'

/** Short messages. The region exists from the beginning, so that screen readers announce what is added to it. */
export const notices = (): TemplateResult => html`<div class="notices" role="status" aria-live="polite">
  ${repeat(store.notices, ({ id }) => id, ({ id, tone, text }) => html`<div class="notice ${tone}">
    <p>${text}</p>
    <button type="button" class="icon" aria-label="Dismiss" @click=${() => { store.dismiss(id) }}>✕</button>
  </div>`)}
</div>`
