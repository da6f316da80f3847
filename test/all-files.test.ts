import { readdirSync } from 'node:fs'
import t from 'tap'

// The coverage report contains only loaded files. Loading all of them here includes those that no test imports.
for (const directory of ['lib', 'types']) {
  const root = new URL(`../${directory}/`, import.meta.url)
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.js'))
    .map((file) => file.replaceAll('\\', '/'))

  for (const file of files) {
    t.test(`${directory}/${file} can be imported by itself`, async (t) => {
      await t.resolves(import(new URL(file, root).href))
    })
  }
}
