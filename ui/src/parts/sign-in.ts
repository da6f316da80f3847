import { html, type TemplateResult } from 'lit-html'
import { store } from '../elements/view.ts'

/** For a page that is not public: the service signs in. */
export const notSignedIn = (): TemplateResult => html`<div class="message">
  <h1>You are not signed in</h1>
  <p>Sign in to the service, then load this page again.</p>
  <button type="button" @click=${() => { location.reload() }}>Load again</button>
</div>`

/** For a public page, where the reader has to say who they are. */
export function signInForm (): TemplateResult {
  return html`<form class="card sign-in" @submit=${submit}>
    <h1>Sign in</h1>
    <label>Bearer token
      <input type="password" name="token" required autocomplete="off" spellcheck="false" autofocus
        aria-describedby="token-hint"></label>
    <p id="token-hint" class="hint">The token of an administrator. It stays in the memory of this tab until you close or
      reload it.</p>
    <button type="submit" class="primary">Sign in</button>
  </form>`
}

function submit (event: SubmitEvent): void {
  event.preventDefault()
  if (!(event.target instanceof HTMLFormElement)) return
  const token = String(new FormData(event.target).get('token') ?? '').trim().replace(/^Bearer\s+/i, '')
  event.target.reset()
  // A header cannot contain other characters
  if (/^[\x21-\x7e]+$/.test(token)) void store.signIn(token)
  else store.signOut('A token consists of letters, digits and punctuation.')
}
