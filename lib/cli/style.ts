import { styleText } from 'node:util'
import type { Output } from './host.ts'

type Color = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

/** Adds a color to text that contains no escape sequence, or returns it as it is. */
export type Style = (color: Color, text: string) => string

/** Whether to color the output: FORCE_COLOR, then NO_COLOR (no-color.org), then whether it is a terminal. */
export function hasColors ({ isTTY }: Output, { FORCE_COLOR, NO_COLOR, TERM }: NodeJS.ProcessEnv): boolean {
  if (FORCE_COLOR !== undefined) return !['0', 'false'].includes(FORCE_COLOR)
  return isTTY === true && !NO_COLOR && TERM !== 'dumb'
}

export function createStyle (output: Output, env: NodeJS.ProcessEnv): Style {
  if (!hasColors(output, env)) return (_, text) => text
  // By default, Node.js 22 and later check whether the standard output of the process has colors
  return (color, text) => styleText(color, text, { validateStream: false })
}
