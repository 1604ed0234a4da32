/** The directory's shared memory: how much there is of it, and how much there may be. */

/** There is no more memory for the directory. What is in it stays, and can be removed. */
export class DirectoryFull extends Error {}

export class Memory {
  readonly limit: number;
  used = 0;

  /** @param limit octets */
  constructor(limit: number) {
    this.limit = limit;
  }

  /** @throws DirectoryFull */
  take(bytes: number): SharedArrayBuffer {
    if (this.used + bytes > this.limit) {
      throw new DirectoryFull(
        `consumers and credentials need more than the ${Math.floor(this.limit / 2 ** 20)} MiB that they may have`,
      );
    }
    let buffer: SharedArrayBuffer;
    try {
      buffer = new SharedArrayBuffer(bytes);
    } catch (error) {
      throw new DirectoryFull('the system has no more memory for consumers and credentials', {
        cause: error,
      });
    }
    this.used += bytes;
    return buffer;
  }

  /** The buffer is freed when the last reader has let go of it. */
  release(buffer: SharedArrayBuffer): void {
    this.used -= buffer.byteLength;
  }
}
