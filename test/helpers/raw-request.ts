import { connect } from 'node:net';

export interface RawRequest {
  readonly method?: string;
  /** As it is sent: nothing is taken out or escaped. */
  readonly path: string;
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
}

/** Sends a request as a browser or an attacker may, but fetch does not. */
export async function rawRequest(
  port: number,
  { method = 'POST', path, host = `127.0.0.1:${port}`, headers = {}, body = {} }: RawRequest,
): Promise<{ readonly status: number; readonly answer: string }> {
  const text = JSON.stringify(body);
  const length = `Content-Length: ${Buffer.byteLength(text)}`;
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, 'Connection: close', length];
  const all = [...lines, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
  const socket = connect(port, '127.0.0.1');
  socket.write(`${all.join('\r\n')}\r\n\r\n${text}`);
  let answer = '';
  for await (const chunk of socket.setEncoding('utf8')) answer += chunk as string;
  return { status: Number(answer.slice(9, 12)), answer };
}
