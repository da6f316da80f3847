/** The directory of package.json: seen from test/support, and from its compiled copy in dist/test/support. */
export const projectRoot = new URL('.', import.meta.resolve('fastify-backup/package.json'))
