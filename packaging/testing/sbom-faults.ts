/** What CycloneDX's own schema has against a bill of materials; null when it is right. */
import { Spec, Validation } from '@cyclonedx/cyclonedx-library'

const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6)

export async function faultsOf(sbom: string): Promise<unknown> {
  return await validator.validate(sbom)
}
