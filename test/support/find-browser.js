import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const { env } = process

/** Where installers put it on macOS and Windows, which do not add it to PATH. */
const usualPlaces = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  ...[env.PROGRAMFILES, env['PROGRAMFILES(X86)'], env.LOCALAPPDATA].flatMap((folder) => folder === undefined
    ? []
    : ['Google/Chrome', 'Chromium', 'Microsoft/Edge'].map((product) =>
        join(folder, product, 'Application', product.startsWith('Microsoft') ? 'msedge.exe' : 'chrome.exe')))
]

/**
 * The Chromium or Chrome to test the admin page in: CHROME_PATH, the first one on PATH, or one in a usual place.
 * @returns {string}
 * @throws when there is none: no test is skipped because there is no browser
 */
export function findBrowser () {
  const given = env.CHROME_PATH
  if (given) {
    if (existsSync(given)) return given
    throw new Error(`CHROME_PATH is ${given}, where there is no file`)
  }
  const onPath = (env.PATH ?? '').split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)))
  const found = [...onPath, ...usualPlaces].find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new Error('The tests of the admin page need Chromium: install it (apt-get install chromium), or set ' +
    'CHROME_PATH to the program of Chromium, Chrome or Edge')
}
