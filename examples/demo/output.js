// @ts-check
import { styleText } from 'node:util'

/** @typedef {(line: string) => void} Say wraps a line that is wider than the terminal */
/** @typedef {(line: string) => void} Quote cuts such a line */
/** @typedef {<T>(title: string, work: (say: Say, quote: Quote) => Promise<T>) => Promise<T>} Step */

const numbers = new Intl.NumberFormat('en')

/** @param {number} count */
export const formatCount = (count) => numbers.format(count)

/** @param {number} bytes */
export const formatBytes = (bytes) => bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`

/** @param {number} ms */
export const formatDuration = (ms) => ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`

/**
 * In color if the stream is a terminal with colors.
 * @param {NodeJS.WriteStream} stream
 * @param {AbortSignal} signal if it is aborted, no further step begins
 */
export function createOutput (stream, signal) {
  const isColoured = stream.isTTY && stream.hasColors()
  /** Columns for the text of a detail, after its indentation. */
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
     * Runs a step, and prints its title, its duration and its details.
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
        const say = (/** @type {string} */ line) => { said.push(...wrap(line, width)) }
        const quote = (/** @type {string} */ line) => { said.push(cut(`| ${line}`, width)) }
        const result = await work(say, quote)
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
 * Breaks a text between words.
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
