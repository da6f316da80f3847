import { render, type TemplateResult } from 'lit-html'
import { Store } from '../client/store.ts'

/** The state of the page. */
export const store = new Store()

/** An element that renders a template into itself, again after each change of the store and each call of update(). */
export abstract class View extends HTMLElement {
  #isScheduled = false
  #shown = new AbortController()
  readonly #onChange = (): void => { this.update() }

  /** Aborts when the reader leaves the view, with the requests that are made for it. */
  get left (): AbortSignal {
    return this.#shown.signal
  }

  abstract template (): TemplateResult

  connectedCallback (): void {
    if (this.left.aborted) this.#shown = new AbortController()
    store.addEventListener('change', this.#onChange)
    this.update()
  }

  disconnectedCallback (): void {
    this.#shown.abort()
    store.removeEventListener('change', this.#onChange)
  }

  /** Renders once after all changes of the current task. */
  update (): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      if (this.isConnected) this.renderNow()
    })
  }

  renderNow (): void {
    render(this.template(), this, { host: this })
  }
}
