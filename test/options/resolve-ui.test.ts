import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { resolveUi } from '../../lib/options/resolve-ui.ts'
import { useDirectory } from '../support/directory.ts'
import { resolved } from '../support/engine.ts'

t.test('there is no page by default, and true stands for the defaults', async (t) => {
  t.equal(resolveUi(undefined), null)
  t.equal(resolveUi(false), null)
  const defaults = { isPublic: false, title: 'Backups', accent: '#2f6f4f', logo: null }
  t.strictSame(resolveUi(true), defaults)
  t.strictSame(resolveUi({}), defaults)
})

t.test('a short color is written in full', async (t) => {
  t.equal(resolveUi({ accent: '#aBc' })?.accent, '#aabbcc')
  t.equal(resolveUi({ accent: '#A1B2C3' })?.accent, '#a1b2c3')
})

t.test('the logo is read, with its type', async (t) => {
  const directory = await useDirectory(t)
  const types = [['svg', 'image/svg+xml'], ['png', 'image/png'], ['jpg', 'image/jpeg'], ['webp', 'image/webp']] as const
  for (const [ending, contentType] of types) {
    const logo = join(directory, `logo.${ending}`)
    await writeFile(logo, ending)
    t.strictSame(resolveUi({ logo })?.logo, { bytes: Buffer.from(ending), contentType })
  }
})

t.test('a logo that cannot be read, or is too large, fails the registration', async (t) => {
  const directory = await useDirectory(t)
  t.throws(() => resolved({ ui: { logo: join(directory, 'none.svg') } }), { code: 'FST_BACKUP_OPTION_INVALID' })
  const large = join(directory, 'large.svg')
  await writeFile(large, Buffer.alloc(262_145))
  t.throws(() => resolved({ ui: { logo: large } }), {
    code: 'FST_BACKUP_OPTION_INVALID', message: "option 'ui.logo' is a file of more than 256 KiB"
  })
})

t.test('other values are refused', async (t) => {
  const wrong: Array<[unknown, string]> = [
    ['yes', "option 'ui' must be true, false or an object"],
    [{ title: '' }, "option 'ui.title' must be a text of 1 to 60 characters"],
    [{ accent: 'red' }, "option 'ui.accent' must be a color, '#rgb' or '#rrggbb'"],
    [{ accent: '#fff;}' }, "option 'ui.accent' must be a color, '#rgb' or '#rrggbb'"],
    [{ logo: 'logo.gif' }, "option 'ui.logo' must be the path of an SVG, PNG, JPEG or WebP file"],
    [{ public: 1 }, "option 'ui.public' must be true or false"],
    [{ theme: 'dark' }, "there is no option 'ui.theme'; there are public, title, accent, logo"]
  ]
  for (const [ui, message] of wrong) {
    const options = { ui } as object
    t.throws(() => resolved(options), { code: 'FST_BACKUP_OPTION_INVALID', message })
  }
})
