import { html, nothing, type TemplateResult } from 'lit-html'
import type { Drift } from '../../../types/index.ts'

/** Names of the database are shown in a fixed-width font, and whatever they contain stays within them. */
export const name = (text: string): TemplateResult => html`<span class="name">${text}</span>`

export const list = (items: unknown[], className: 'columns' | '' = ''): TemplateResult =>
  html`<ul class=${className}>${items.map((item) => html`<li>${item}</li>`)}</ul>`

interface ButtonOptions {
  onClick: () => void
  tone?: 'primary' | 'danger' | undefined
  disabled?: boolean
  /** Why it is disabled. */
  title?: string | undefined
}

export const button = (
  label: unknown, { onClick, tone, disabled = false, title }: ButtonOptions
): TemplateResult => html`<button type="button" class=${tone ?? nothing} title=${title ?? nothing} ?disabled=${disabled}
  @click=${onClick}>${label}</button>`

export const drifts = (drift: Drift[]): TemplateResult =>
  list(drift.map((entry) => html`${name(placeOf(entry))}: ${entry.problem}`))

export const placeOf = ({ table, column }: Drift): string => column === undefined ? table : `${table}.${column}`

export const restoresAreOff = (): TemplateResult =>
  html`Restores are off. The option <code>allowRestore: true</code> of the plugin switches them on.`

/** Something that failed, announced to screen readers. */
export const alert = (text: unknown): TemplateResult => html`<p class="message bad" role="alert">${text}</p>`

/** Something that could not be loaded, with a button for another attempt. */
export const notShown = (text: unknown, onRetry: () => void): TemplateResult =>
  html`<div class="message bad" role="alert"><p>${text}</p>${button('Try again', { onClick: onRetry })}</div>`

export const loading = (text = 'Loading…'): TemplateResult => html`<p class="loading" role="status">${text}</p>`

export const errorText = (error: unknown): string => error instanceof Error ? error.message : String(error)
