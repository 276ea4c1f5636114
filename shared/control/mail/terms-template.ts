/** The mail about a new version of the operator's documents. Part of the table in templates.ts. */
import { z } from 'zod'
import { declare } from './declaring.ts'
import type { Content } from './layout.ts'

const documentSchema = z.object({ name: z.string(), version: z.string(), url: z.string() })

export const termsTemplates = {
  'terms-new': declare(
    'essential',
    z.object({ documents: z.array(documentSchema), day: z.string(), link: z.string() }),
    ({ documents, day, link }): Content => ({
      subject: `New for you to accept: ${documents.map(({ name }) => name).join(', ')}`,
      because: 'you use this service, and whoever runs it asks you to accept these documents',
      parts: [
        'Whoever runs this PortTunneler service has published what you have not accepted yet:',
        ...documents.map(({ name, version, url }) => ({ says: `${name}, version ${version}`, link: url })),
        day === ''
          ? 'Until you have accepted, tunnels that are online stay online, and nothing else can be changed or started, ' +
            'by you or by your API keys.'
          : `Until the end of ${day} (UTC) everything goes on as before. After that, tunnels that are online stay online, ` +
            'and nothing else can be changed or started, by you or by your API keys, until you have accepted.',
        { says: 'Accept them here', link },
        'If you do not want to, you can export your data there and delete your sign-in.',
      ],
    }),
  ),
} as const
