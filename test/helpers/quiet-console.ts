/** Keeps what replicas print out of the report; returns what was printed since. */
export function quietConsole(): string[] {
  const printed: string[] = [];
  const keep = (...parts: unknown[]): void => {
    printed.push(parts.join(' '));
  };
  beforeAll(() => {
    jest.spyOn(console, 'log').mockImplementation(keep);
    jest.spyOn(console, 'error').mockImplementation(keep);
  });
  afterAll(() => {
    jest.restoreAllMocks();
  });
  return printed;
}
