// @ts-check
import { styleText } from 'node:util'

/** @typedef {(line: string) => void} Say wraps what is longer than the terminal is wide */
/** @typedef {(line: string) => void} Quote cuts it */
/** @typedef {<T>(title: string, work: (say: Say, quote: Quote) => Promise<T>) => Promise<T>} Step */

const numbers = new Intl.NumberFormat('en')

/** @param {number} count */
export const formatCount = (count) => numbers.format(count)

/** @param {number} bytes */
export const formatBytes = (bytes) => bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`

/** @param {number} ms */
export const formatDuration = (ms) => ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`

/**
 * Coloured where a terminal shows it.
 * @param {NodeJS.WriteStream} stream
 * @param {AbortSignal} signal of an interruption: no further step begins
 */
export function createOutput (stream, signal) {
  const isColoured = stream.isTTY && stream.hasColors()
  /** For the text of a detail, behind its indentation. */
  const width = (stream.columns ?? 100) - 4

  /**
   * @param {Parameters<typeof styleText>[0]} style
   * @param {string} text
   */
  const paint = (style, text) => isColoured ? styleText(style, text) : text

  const print = (/** @type {string} */ line) => { stream.write(`${line}\n`) }

  return {
    print,

    title: (/** @type {string} */ text) => print(`\n${paint('bold', text)}\n`),

    /**
     * Does a step and tells of it: its title, how long it took, and what it has to say.
     * @type {Step}
     */
    async step (title, work) {
      signal.throwIfAborted()
      /** @type {string[]} */
      const said = []
      const startedAt = performance.now()
      /** @param {string} mark */
      const report = (mark) => {
        print(`${mark} ${paint('bold', title)} ${paint('dim', formatDuration(performance.now() - startedAt))}`)
        for (const line of said) print(`    ${paint('dim', line)}`)
      }
      try {
        const result = await work((line) => { said.push(...wrap(line, width)) }, (line) => { said.push(cut(`| ${line}`, width)) })
        report(paint('green', '✓'))
        return result
      } catch (err) {
        report(paint('red', '✗'))
        throw err
      }
    }
  }
}

/**
 * Between words, where there are any.
 * @param {string} text
 * @param {number} width
 */
function wrap (text, width) {
  const lines = []
  let line = ''
  for (const word of text.split(/(?<=\S )(?=\S)/)) {
    if (line !== '' && (line + word).trimEnd().length > width) {
      lines.push(line.trimEnd())
      line = ''
    }
    line += word
  }
  return [...lines, line.trimEnd()]
}

/**
 * @param {string} line
 * @param {number} width
 */
function cut (line, width) {
  const characters = [...line]
  return characters.length <= width ? line : `${characters.slice(0, width - 1).join('')}…`
}
