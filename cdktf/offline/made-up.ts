/**
 * Makes up what a cloud would answer: values of the right shape, and of the form that later parts of the stack and
 * the programs
 * rely on.
 */
import type { Type } from './binding-schema.ts'
import type { Value } from './values.ts'

type Resource = { readonly [name: string]: Value }
type Answer = (resource: Resource) => Value

/** The form of these matters: programs are started with them, or other resources check it. */
const answers: { readonly [place: string]: Answer } = {
  'google_cloudfunctions2_function.service': ({ name, project, location }) =>
    `projects/${project}/locations/${location}/services/${String(name).toLowerCase()}`,
  'google_cloudfunctions2_function.uri': ({ name }) =>
    `https://${String(name).toLowerCase()}-a1b2c3-ew.a.run.app`,
  'google_compute_address.address': ({ name }) => `34.140.0.${(sum(String(name)) % 250) + 1}`,
  'google_compute_instance_template.name': ({ name_prefix }) => `${name_prefix}20261129`,
  'google_kms_key_ring.id': ({ name, project, location }) =>
    `projects/${project}/locations/${location}/keyRings/${name}`,
  'google_pubsub_topic.id': ({ name, project }) => `projects/${project}/topics/${name}`,
  'google_service_account.email': ({ account_id, project }) =>
    `${account_id}@${project}.iam.gserviceaccount.com`,
}

export function madeUp(type: string, name: string, shape: Type, resource: Resource): Value {
  const answer = answers[`${type}.${name}`]
  if (answer) return answer(resource)
  // A value without a type in the schema travels with its type.
  if (shape === 'dynamic') return [Buffer.from('"string"'), 'made up']
  const label = [resource.name, resource.name_prefix, resource.account_id].find(
    (text) => typeof text === 'string',
  )
  if (shape === 'string') return `${type}/${label ?? ''}/${name}`
  if (shape === 'number') return 1
  if (shape === 'bool') return false
  return shape[0] === 'map' || shape[0] === 'object' ? {} : []
}

function sum(text: string): number {
  return [...text].reduce((total, character) => total + (character.codePointAt(0) ?? 0), 0)
}
