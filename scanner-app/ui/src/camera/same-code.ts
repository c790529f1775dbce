// A ticket that is held before the camera is in some hundred pictures, and is one scan.

/** Out of the picture for so long, the same code is another scan. */
export const SAME_CODE_MS = 2_000;

export class SameCode {
  #text: string | null = null;
  #seenAt = -Infinity;

  /** Whether the code, seen now, is a new scan. */
  isNew(text: string, nowMs: number): boolean {
    const same = text === this.#text && nowMs - this.#seenAt < SAME_CODE_MS;
    this.#text = text;
    this.#seenAt = nowMs;
    return !same;
  }
}
