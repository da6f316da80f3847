import { html, nothing, type TemplateResult } from 'lit-html'
import { openDialog } from './dialog-view.ts'
import { store, View } from './view.ts'
import { parseRoute, type Route } from '../routes.ts'
import { CreateDialog } from '../dialogs/create-dialog.ts'
import { ImportDialog } from '../dialogs/import-dialog.ts'
import { runsPanel } from '../parts/runs-panel.ts'
import { notices } from '../parts/notices.ts'
import { notSignedIn, signInForm } from '../parts/sign-in.ts'
import { button, failure, live, loading, notShown } from '../parts/templates.ts'
import '../pages/overview-page.ts'
import '../pages/snapshots-page.ts'
import '../pages/snapshot-page.ts'

/** The frame of the page, with the view that the address selects. */
export class BackupApp extends View {
  #route: Route = parseRoute(location.hash)

  get pageTitle (): string {
    return this.getAttribute('page-title') ?? 'Backups'
  }

  override connectedCallback (): void {
    super.connectedCallback()
    addEventListener('hashchange', () => { this.#navigate() })
    if (this.hasAttribute('asks-for-token')) store.signOut(null)
    else void store.refresh()
  }

  #navigate (): void {
    this.#route = parseRoute(location.hash)
    this.renderNow()
    // As after loading a document: the reader begins at the top of the new view
    scrollTo(0, 0)
    this.querySelector<HTMLElement>('main')?.focus({ preventScroll: true })
  }

  template (): TemplateResult {
    const { access } = store
    document.title = `${titleOf(this.#route)} · ${this.pageTitle}`
    return html`
      <a class="skip" href="#main" @click=${(event: Event) => {
        event.preventDefault()
        this.querySelector<HTMLElement>('main')?.focus()
      }}>Skip to the content</a>
      <header class="top">
        <a class="brand" href="#/">
          ${this.hasAttribute('has-logo') ? html`<img src="logo" alt="" height="28">` : nothing}
          <span>${this.pageTitle}</span>
        </a>
        ${access === 'granted' ? this.#navigation() : nothing}
      </header>
      <main id="main" tabindex="-1">${this.#content()}</main>
      ${notices(document.querySelector('dialog[open]') === null)}`
  }

  #navigation (): TemplateResult {
    const link = (page: Route['page'], href: string, text: string): TemplateResult => html`
      <a href=${href} aria-current=${this.#route.page === page ? 'page' : nothing}>${text}</a>`
    const can = store.status?.can
    return html`
      <nav aria-label="Pages">
        ${link('overview', '#/', 'Overview')}${link('snapshots', '#/snapshots', 'Snapshots')}
      </nav>
      <div class="actions">
        ${button('Import…', {
          disabled: can?.import !== true,
          reason: can?.import === false && 'You may not import snapshots',
          onClick: () => { openDialog(new ImportDialog()) }
        })}
        ${button('Create snapshot…', {
          tone: 'primary',
          disabled: can?.create !== true,
          reason: can?.create === false && 'You may not create snapshots',
          onClick: () => { openDialog(new CreateDialog()) }
        })}
      </div>
      ${store.api.token === null
        ? nothing
        : html`<div class="sign-out">${button('Sign out', { onClick: () => { store.signOut(null) } })}</div>`}`
  }

  #content (): TemplateResult {
    if (store.access === 'granted') return html`${runsPanel()}${live('alert', this.#oldness())}${this.#page()}`
    const isLoading = store.access === 'unknown' && store.statusError === null
    return html`
      ${isLoading ? loading() : nothing}
      ${store.access === 'needed' && this.hasAttribute('asks-for-token') ? signInForm() : nothing}
      ${live('alert', this.#problem(store.access))}`
  }

  #oldness (): TemplateResult | typeof nothing {
    if (store.statusError === null) return nothing
    return notShown(`${store.statusError.message}. What you see may be old.`, () => { store.touch() })
  }

  /** Why there is no content. */
  #problem (access: Exclude<typeof store.access, 'granted'>): TemplateResult | typeof nothing {
    switch (access) {
      case 'unknown': return store.statusError === null
        ? nothing
        : html`<div class="message bad">
            <h1>The status cannot be read</h1><p>${store.statusError.message}</p>
            <button type="button" @click=${() => { void store.refresh() }}>Try again</button>
          </div>`
      case 'needed': return this.hasAttribute('asks-for-token') ? this.#refusal() : notSignedIn()
      case 'refused': return html`<div class="message bad">
          <h1>You may not see the backups</h1><p>${store.statusError?.message ?? ''}</p>
          ${this.hasAttribute('asks-for-token')
            ? button('Use another token', { onClick: () => { store.signOut(null) } })
            : nothing}</div>`
    }
  }

  /** Outside of the form, which is not in the page while a token is tried. */
  #refusal (): TemplateResult | typeof nothing {
    return store.accessError === null ? nothing : failure(store.accessError)
  }

  #page (): TemplateResult {
    switch (this.#route.page) {
      case 'overview': return html`<overview-page .schema=${this.#route.schema}></overview-page>`
      case 'snapshots': return html`<snapshots-page .filter=${this.#route.filter}></snapshots-page>`
      case 'snapshot': return html`<snapshot-page .backupId=${this.#route.id}></snapshot-page>`
      case 'unknown': return html`<h1>There is no such page</h1><p><a href="#/">Go to the overview</a></p>`
    }
  }
}

function titleOf (route: Route): string {
  return { overview: 'Overview', snapshots: 'Snapshots', snapshot: 'Snapshot', unknown: 'No such page' }[route.page]
}

customElements.define('backup-app', BackupApp)
