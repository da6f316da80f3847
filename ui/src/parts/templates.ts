import { html, nothing, type TemplateResult } from 'lit-html'
import { ifDefined } from 'lit-html/directives/if-defined.js'
import type { Drift } from '../../../types/index.ts'

/** Names of the database are shown in a fixed-width font, and whatever they contain stays within them. */
export const name = (text: string): TemplateResult => html`<span class="name">${text}</span>`

export const list = (items: unknown[], className: 'columns' | '' = ''): TemplateResult =>
  html`<ul class=${className}>${items.map((item) => html`<li>${item}</li>`)}</ul>`

interface ButtonOptions {
  onClick?: () => void
  /** The id of the form that it submits, whose listener has to see to `disabled`, too. */
  form?: string
  tone?: 'primary' | 'danger' | undefined
  disabled?: boolean
  /** Why it is disabled, shown while it has the focus or the pointer. */
  reason?: string | false | undefined
}

/** One that is disabled keeps the focus and can be reached, so that everybody learns the reason. */
export function button (
  label: unknown, { onClick, form, tone, disabled = false, reason = false }: ButtonOptions
): TemplateResult {
  const id = disabled && reason !== false ? `why-${String(label).replace(/\W/g, '')}` : undefined
  const element = html`<button type=${form === undefined ? 'button' : 'submit'} form=${ifDefined(form)}
    class=${tone ?? nothing} aria-disabled=${disabled ? 'true' : nothing} aria-describedby=${ifDefined(id)}
    @click=${(event: Event) => {
      if (disabled) event.preventDefault()
      else onClick?.()
    }}>${label}</button>`
  return html`<span class="with-reason">${element}${id === undefined
    ? nothing
    : html`<span class="reason" id=${id} role="tooltip">${reason}</span>`}</span>`
}

export const drifts = (drift: Drift[]): TemplateResult =>
  list(drift.map((entry) => html`${name(placeOf(entry))}: ${entry.problem}`))

export const placeOf = ({ table, column }: Drift): string => column === undefined ? table : `${table}.${column}`

export const restoresAreOff = (): TemplateResult =>
  html`Restores are off. The option <code>allowRestore: true</code> of the plugin switches them on.`

/**
 * A region whose content screen readers announce: at once as an alert, otherwise when they pause. It has to be in the
 * page before its content: what is inserted together with its region is not announced.
 */
export const live = (role: 'alert' | 'status', content: unknown): TemplateResult =>
  html`<div class="live" role=${role}>${content}</div>`

/** Something that failed. */
export const failure = (text: unknown): TemplateResult => html`<p class="message bad">${text}</p>`

/** Something that could not be loaded, with a button for another attempt. */
export const notShown = (text: unknown, onRetry: () => void): TemplateResult =>
  html`<div class="message bad"><p>${text}</p>${button('Try again', { onClick: onRetry })}</div>`

export const loading = (text = 'Loading…'): TemplateResult => html`<p class="loading">${text}</p>`

export const errorText = (error: unknown): string => error instanceof Error ? error.message : String(error)
