import { html, type TemplateResult } from 'lit-html'
import * as format from '../format.ts'

/** A relative time, with the exact one as a tooltip. */
export const relative = (iso: string): TemplateResult =>
  html`<time datetime=${iso} title=${format.exactTime(iso)}>${format.relativeTime(iso)}</time>`
