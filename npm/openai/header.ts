/** A header of a response. A host whose headers cannot be asked has none: the answer counts all the same. */
export function headerOf({ headers }: Pick<Response, "headers">, name: string): string | null {
  try {
    return headers.get(name);
  } catch {
    return null;
  }
}
