import { createHash } from 'node:crypto'
import t from 'tap'
import { sumUpGenerated } from '../../lib/restore/generated-values.ts'

const sumsOf = (generated: boolean[], text: string): string[] => {
  const values = sumUpGenerated(generated)
  values.add(Buffer.from(text))
  return values.sums()
}

t.test('the loaded columns and the sums are the same whatever the pieces of the text', async (t) => {
  const text = 'a\tG\t\\N\tH\n\t\\tg\tc\t\n'
  for (const [generated, loaded] of [
    [[false, true, false, true], 'a\t\\N\n\tc\n'],
    [[true, true, false, false], '\\N\tH\nc\t\n'],
    [[false, true, true, true], 'a\n\n'],
    [[true, true, true, true], '\n\n'],
    [[false, false, false, true], 'a\tG\t\\N\n\t\\tg\tc\n']
  ] as const) {
    const whole = sumsOf([...generated], text)
    t.equal(whole.length, generated.filter(Boolean).length)
    for (let size = 1; size <= text.length; size++) {
      const values = sumUpGenerated([...generated])
      let returned = ''
      for (let start = 0; start < text.length; start += size) {
        returned += values.add(Buffer.from(text.slice(start, start + size))).toString()
      }
      t.equal(returned, loaded)
      t.strictSame(values.sums(), whole)
    }
  }
})

t.test('the sums do not depend on the order of rows, and each generated column has one', async (t) => {
  const generated = [false, true, true]
  t.strictSame(sumsOf(generated, '1\ta\tx\n2\tb\ty\n'), sumsOf(generated, '2\tb\ty\n1\ta\tx\n'))
  const [one, two] = sumsOf(generated, '1\ta\tx\n2\tb\ty\n')
  const [swapped, same] = sumsOf(generated, '1\tb\tx\n2\ta\ty\n')
  t.not(swapped, one, 'the rows exchanged their values')
  t.equal(same, two)
  const [twice] = sumsOf(generated, '1\ta\tx\n1\ta\tx\n')
  t.not(twice, sumsOf(generated, '')[0], 'two equal rows do not cancel each other out')
  t.equal(sumsOf([false, true], '1\ta\n')[0], createHash('sha256').update('1\ta\n').digest('hex'))
})
