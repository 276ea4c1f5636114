/** A copy of a database of the emulator, which has no point-in-time recovery: what is read once is the moment. */
import { Firestore } from '@google-cloud/firestore'

type Place = { readonly project: string; readonly emulatorHost: string }
export type DatabaseCopy = ReadonlyMap<string, FirebaseFirestore.DocumentData>

const atOnce = 200

function open({ project, emulatorHost }: Place, databaseId: string): Firestore {
  return new Firestore({ projectId: project, databaseId, host: emulatorHost, ssl: false })
}

/** Every document, by its path. */
export async function readDatabase(place: Place, database: string): Promise<DatabaseCopy> {
  const db = open(place, database)
  try {
    const found = await Promise.all((await db.listCollections()).map((each) => each.get()))
    return new Map(found.flatMap(({ docs }) => docs.map((doc) => [doc.ref.path, doc.data()] as const)))
  } finally {
    await db.terminate()
  }
}

export async function writeDatabase(place: Place, database: string, copy: DatabaseCopy): Promise<void> {
  const db = open(place, database)
  const all = [...copy]
  try {
    for (let start = 0; start < all.length; start += atOnce) {
      const batch = db.batch()
      for (const [path, data] of all.slice(start, start + atOnce)) batch.set(db.doc(path), data)
      await batch.commit()
    }
  } finally {
    await db.terminate()
  }
}
