// @ts-check
import responseValidation from '@fastify/response-validation'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import fp from 'fastify-plugin'

/** Both see only routes that are added after them. */
export default fp(async (app) => {
  await app.register(responseValidation, { responseStatusCodeValidation: true })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Shop', version: '1.0.0' },
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer' },
          session: { type: 'apiKey', in: 'cookie', name: 'sessionId' }
        }
      }
    }
  })
  await app.register(swaggerUi, { routePrefix: '/docs' })
}, { name: 'documents', dependencies: ['browsers', 'limits'] })
