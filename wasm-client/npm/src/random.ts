/** So many letters and digits, five bits each, that nobody guesses. `randomUUID` is missing on plain http. */
export const randomName = (length: number): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => (byte & 31).toString(32)).join('');
