/** Whether only this machine reaches what listens at an address. */
export const isLoopback = (host: string): boolean => /^(?:localhost|(?:::ffff:)?127\.\d+\.\d+\.\d+|::1)$/i.test(host);

/** The URL of what listens on a port, as this machine reaches it. */
export function urlOf(host: string, port: number, scheme: 'http' | 'https' = 'http'): string {
  const reached = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;
  return `${scheme}://${reached.includes(':') ? `[${reached}]` : reached}:${port}`;
}
