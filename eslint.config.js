import neostandard, { resolveIgnoresFromGitignore } from 'neostandard'

const inMatch = 'CallExpression[callee.property.name=/^(match|notMatch|rejects|throws|has|hasProps)$/]'
const noArrayPattern = ['> ArrayExpression:nth-child(2)', '> :nth-child(2) ArrayExpression'].map((place) => ({
  selector: `${inMatch} ${place}`,
  message: 'An array in a pattern accepts further elements, and an empty one accepts anything; compare with strictSame.'
}))

export default [
  ...neostandard({ ts: true, ignores: resolveIgnoresFromGitignore() }),
  {
    rules: {
      '@stylistic/max-len': ['error', { code: 120 }],
      'max-lines-per-function': ['error', { max: 40, skipComments: true, skipBlankLines: true }]
    }
  },
  {
    // A test's function holds the whole test
    files: ['test/**', 'examples/**', 'bench/**'],
    rules: { 'max-lines-per-function': 'off' }
  },
  {
    // Event handlers start asynchronous work whose errors are handled there. Templates set properties, and read none
    files: ['ui/src/**'],
    rules: { 'accessor-pairs': 'off', 'no-void': ['error', { allowAsStatement: true }] }
  },
  {
    files: ['test/**'],
    rules: { 'no-restricted-syntax': ['error', ...noArrayPattern] }
  }
]
