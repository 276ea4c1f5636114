/** PT-24nn, continued: what a host name may not be (host-names.ts and labels.ts read them all). */
import type { ErrorEntry } from '../errors.ts'

const slip = { http: 400, exit: 2, retry: 'never', owner: 'user' } as const

export const nameCodes = {
  'name.characters': {
    code: 'PT-2405',
    ...slip,
    title: 'Character that no name may have',
    cause:
      'A name has letters, digits and hyphens. This one has something else, or letters in capitals or full width.',
    cure: 'Write the name again with the letters that the detail names, without scheme, port, path, space or underscore.',
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
      'A part of a name neither begins nor ends with a hyphen, and has none as its third and fourth character, where they announce other alphabets.',
    cure: 'Leave that hyphen out.',
  },
  'name.address': {
    code: 'PT-2408',
    ...slip,
    title: 'Address instead of a name',
    cause:
      'This is an IP address, or is read as one: programs take a name that ends in a number for an address.',
    cure: 'Use a host name, such as shop.example.com.',
  },
  'name.look_alike': {
    code: 'PT-2409',
    ...slip,
    title: 'Name that could be taken for another',
    cause:
      'The name mixes alphabets, or its letters look like those of another name, or it is no valid spelling (xn--) of any.',
    cure: 'Write the name in one alphabet, and in the one that its readers expect. Names under our own domains have a to z only.',
  },
  'name.wildcard': {
    code: 'PT-2410',
    ...slip,
    title: 'Asterisk in the wrong place',
    cause:
      'An asterisk stands for the whole first part of a host name, as in *.example.com, and only where several names may be meant.',
    cure: 'Write the names out, or put the asterisk first and a dot behind it.',
  },
  'name.suffix': {
    code: 'PT-2411',
    ...slip,
    title: 'No domain that anybody can own',
    cause:
      'Under this name others register their domains (a public suffix such as co.uk or github.io), or it belongs to no registry.',
    cure: 'Use a name under a domain that you have registered.',
  },
} as const satisfies Record<string, ErrorEntry>
