/** PT-24nn, continued: what a host name may not be. host-names.ts and labels.ts check all of it. */
import type { ErrorEntry } from '../errors.ts'

const slip = { http: 400, exit: 2, retry: 'never', owner: 'user' } as const

export const nameCodes = {
  'name.characters': {
    code: 'PT-2405',
    ...slip,
    title: 'Character not allowed in a name',
    cause:
      'A name has letters, digits and hyphens. This one has something else, or capital or full-width letters.',
    cure: 'Write the name as the detail shows it, without scheme, port, path, space or underscore.',
  },
  'name.length': {
    code: 'PT-2406',
    ...slip,
    title: 'Name too long, or a part of it empty',
    cause: 'A part of a host name, between two dots, has 1 to 63 characters, and the whole name at most 128.',
    cure: 'Use a shorter name, and one dot between its parts.',
  },
  'name.hyphen': {
    code: 'PT-2407',
    ...slip,
    title: 'Hyphen where none may be',
    cause:
      'A part of a name neither begins nor ends with a hyphen, and does not have two as its third and fourth characters: there they announce other alphabets.',
    cure: 'Leave that hyphen out.',
  },
  'name.address': {
    code: 'PT-2408',
    ...slip,
    title: 'Address instead of a name',
    cause:
      'This is an IP address, or looks like one: programs take a name that ends in a number for an address.',
    cure: 'Use a host name, such as shop.example.com.',
  },
  'name.look_alike': {
    code: 'PT-2409',
    ...slip,
    title: 'Name that could be taken for another',
    cause: 'The name mixes alphabets, looks like another name, or is not a valid ASCII spelling (xn--).',
    cure: 'Write the name in the one alphabet that its readers expect. Names under our own domains use only the letters a to z.',
  },
  'name.wildcard': {
    code: 'PT-2410',
    ...slip,
    title: 'Asterisk in a host name',
    cause:
      'An asterisk stands for all names one level below an own domain, as in *.example.com. It may stand only there: alone, as the first part of an own domain.',
    cure: 'Write *.example.com for the names below your own domain. Write any other name out.',
  },
  'name.suffix': {
    code: 'PT-2411',
    ...slip,
    title: 'Not a domain that anybody can own',
    cause:
      'Others register their domains under this name (a public suffix such as co.uk or github.io), or no registry has it.',
    cure: 'Use a name under a domain that you have registered.',
  },
} as const satisfies Record<string, ErrorEntry>
