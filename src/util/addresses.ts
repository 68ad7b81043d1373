/** Whether an address can be reached only from this machine. */
export const isLoopback = (host: string): boolean => /^(?:localhost|(?:::ffff:)?127\.\d+\.\d+\.\d+|::1)$/i.test(host);

function urlOf(host: string, port: number, scheme: string): string {
  const reached = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;
  return `${scheme}://${reached.includes(':') ? `[${reached}]` : reached}:${port}`;
}

/** The URLs of a server's two REST ports, as seen from this machine. */
export function urlsOf(
  { host, managementHost, tls }: { readonly host: string; readonly managementHost: string; readonly tls?: object | undefined },
  { queryPort, managementPort }: { readonly queryPort: number; readonly managementPort: number },
): { readonly queryUrl: string; readonly managementUrl: string } {
  const scheme = tls === undefined ? 'http' : 'https';
  return { queryUrl: urlOf(host, queryPort, scheme), managementUrl: urlOf(managementHost, managementPort, scheme) };
}
