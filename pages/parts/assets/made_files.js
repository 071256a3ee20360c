// Files that the page names by the hash of their content: the last few are kept, so that going back costs nothing.

const KEPT = 6;
const LOST = "A part of this map is no longer held by the server; reload the page";

export class MadeFiles {
  constructor() {
    this.files = new Map();
    this.open = 0;
  }

  // No file is on its way.
  get idle() {
    return this.open === 0;
  }

  // What `read` makes of the answer; asked for once, whoever asks.
  get(url, read) {
    const known = this.files.get(url);
    this.files.delete(url);
    const file = known ?? this.#fetch(url, read);
    this.files.set(url, file);
    if (this.files.size > KEPT) this.files.delete(this.files.keys().next().value);
    return file;
  }

  async #fetch(url, read) {
    this.open += 1;
    try {
      const answer = await fetch(new URL(url, document.baseURI));
      if (!answer.ok) throw new Error(LOST);
      return await read(answer);
    } catch (fault) {
      this.files.delete(url);
      throw fault;
    } finally {
      this.open -= 1;
    }
  }
}

export const asBytes = async (answer) => new Uint8Array(await answer.arrayBuffer());
export const asPicture = async (answer) => createImageBitmap(await answer.blob());
