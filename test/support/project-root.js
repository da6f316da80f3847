/** The directory of package.json. Tests run compiled, in dist/test, and the tools that start them run as they are, in test. */
export const projectRoot = new URL('.', import.meta.resolve('fastify-backup/package.json'))
