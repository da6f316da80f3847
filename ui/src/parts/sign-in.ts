import { html, nothing, type TemplateResult } from 'lit-html'
import { store } from '../elements/view.ts'

/** @param asksForToken whether the page is public, so that the reader has to say who they are here */
export function signIn (asksForToken: boolean): TemplateResult {
  if (!asksForToken) {
    return html`<div class="message" role="alert">
      <h1>You are not signed in</h1>
      <p>Sign in to the service, then load this page again.</p>
      <button type="button" @click=${() => { location.reload() }}>Load again</button>
    </div>`
  }
  return html`<form class="card sign-in" @submit=${submit}>
    <h1>Sign in</h1>
    <label>Bearer token
      <input type="password" name="token" required autocomplete="off" spellcheck="false" autofocus
        aria-describedby="token-hint"></label>
    <p id="token-hint" class="hint">The token of an administrator. It stays in the memory of this tab until you close or
      reload it.</p>
    ${store.accessError === null ? nothing : html`<p class="message bad" role="alert">${store.accessError}</p>`}
    <button type="submit" class="primary">Sign in</button>
  </form>`
}

function submit (event: SubmitEvent): void {
  event.preventDefault()
  if (!(event.target instanceof HTMLFormElement)) return
  const token = String(new FormData(event.target).get('token') ?? '').trim()
  event.target.reset()
  // A header cannot contain other characters
  if (/^[\x21-\x7e]+$/.test(token)) void store.signIn(token)
  else store.signOut('A token consists of letters, digits and punctuation.')
}
