import t from 'tap'
import fc from '../../support/fast-check.ts'
import { accentShades, contrast } from '../../../lib/http/page/accent-shades.ts'

t.test('contrast is that of WCAG 2.2', async (t) => {
  t.equal(contrast('#000000', '#ffffff'), 21)
  t.equal(contrast('#777777', '#777777'), 1)
  t.equal(contrast('#777777', '#ffffff').toFixed(2), '4.48')
  t.equal(contrast('#ff0000', '#ffffff').toFixed(2), '4.00')
})

t.test('a color that can be read stays as it is', async (t) => {
  t.equal(accentShades('#2f6f4f').light, '#2f6f4f')
  t.equal(accentShades('#7fd0a5').dark, '#7fd0a5')
})

t.test('every color becomes one that can be read on its surface', async () => {
  const color = fc.integer({ min: 0, max: 0xffffff }).map((value) => `#${value.toString(16).padStart(6, '0')}`)
  fc.assert(fc.property(color, (accent) => {
    const { light, dark } = accentShades(accent)
    return contrast(light, '#ffffff') >= 4.5 && contrast(dark, '#161a1d') >= 4.5
  }))
})
