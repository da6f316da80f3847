import { html, nothing, type TemplateResult } from 'lit-html'
import { failureText } from '../parts/failures.ts'
import { notices } from '../parts/notices.ts'
import { failure, live } from '../parts/templates.ts'
import { store, View } from './view.ts'

/** A modal dialog that removes itself when it is closed, and then returns the focus to where it was. */
export abstract class DialogView extends View {
  abstract heading (): string
  abstract body (): TemplateResult
  /** The buttons. */
  abstract footer (): TemplateResult
  isWide = false
  /** Whether a call of perform() is under way. */
  isBusy = false
  /** What went wrong; shown above the buttons. */
  error: string | null = null
  #opener: Element | null = null
  #page: ParentNode | null = null
  #shownStep: string | null = null

  /** Changes when the dialog shows something else. The focus then moves to its heading, or to the one in the body. */
  get step (): string {
    return ''
  }

  get dialog (): HTMLDialogElement | null {
    return this.querySelector('dialog')
  }

  override connectedCallback (): void {
    this.#opener = document.activeElement
    super.connectedCallback()
    this.renderNow()
    this.dialog?.showModal()
    this.#page = this.parentNode
    updatePage(this.#page)
  }

  override renderNow (): void {
    super.renderNow()
    const isAnother = this.#shownStep !== null && this.#shownStep !== this.step
    this.#shownStep = this.step
    if (isAnother) focusHeading(this.querySelector<HTMLElement>('.step-heading') ?? this.querySelector('h2'))
  }

  override disconnectedCallback (): void {
    super.disconnectedCallback()
    updatePage(this.#page)
    if (this.#opener instanceof HTMLElement && this.#opener.isConnected) this.#opener.focus()
    else document.querySelector<HTMLElement>('main')?.focus()
  }

  /** Nothing is asked, and no data is shown, after the reader was signed out. */
  override update (): void {
    if (store.access === 'granted') super.update()
    else this.close()
  }

  close (): void {
    this.dialog?.close()
  }

  /**
   * Calls the service, and then closes the dialog, or shows why the call failed.
   * @param unanswered see fail()
   */
  async perform (call: () => Promise<unknown>, unanswered: string): Promise<void> {
    this.isBusy = true
    this.error = null
    this.update()
    try {
      await call()
      this.close()
    } catch (error) {
      this.fail(error, unanswered)
    }
  }

  /**
   * Shows why a call failed. What the reader has entered stays.
   * @param unanswered without an answer: what is not known, and what to do
   */
  fail (error: unknown, unanswered: string): void {
    this.isBusy = false
    this.error = failureText(error, unanswered)
    this.update()
  }

  template (): TemplateResult {
    return html`<dialog class=${this.isWide ? 'wide' : ''} aria-labelledby="dialog-heading"
        @close=${() => { this.remove() }}>
      <header>
        <h2 id="dialog-heading">${this.heading()}</h2>
        <button type="button" class="icon" aria-label="Close" @click=${() => { this.close() }}>✕</button>
      </header>
      <div class="dialog-body">${this.body()}</div>
      ${live('alert', this.error === null ? nothing : failure(this.error))}
      ${notices(true)}
      <footer>${this.footer()}</footer>
    </dialog>`
  }
}

/** Not focusable before, so that a dialog opens with the focus on a control. */
function focusHeading (heading: HTMLElement | null): void {
  if (heading === null) return
  heading.tabIndex = -1
  heading.focus()
}

/** It shows the notices only while no dialog is in front of it. */
function updatePage (page: ParentNode | null): void {
  if (page instanceof View) page.update()
}

export function openDialog (dialog: DialogView): void {
  document.querySelector('backup-app')?.append(dialog)
}
