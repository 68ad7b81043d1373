import { type RegistryTrouble, registryError, troubleOf } from '../../src/docker/registry-errors.ts';
import { ClipperError } from '../../src/errors.ts';

const failed = (reason: string): ClipperError =>
  new ClipperError('E_REGISTRY_FAILED', `It failed: ${reason}`, { cause: new Error(reason) });

test.each<[RegistryTrouble, string]>([
  ['transient', 'Get "http://127.0.0.1:5999/v2/": dial tcp 127.0.0.1:5999: connect: connection refused'],
  ['transient', 'Get "http://127.0.0.1:5986/v2/": EOF'],
  ['transient', 'read tcp 127.0.0.1:41132->127.0.0.1:5986: read: connection reset by peer'],
  ['transient', 'net/http: TLS handshake timeout'],
  ['transient', 'net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)'],
  ['transient', 'received unexpected HTTP status: 503 Service Unavailable'],
  ['transient', 'error parsing HTTP 429 response body: unexpected end of JSON input: ""'],
  ['transient', 'toomanyrequests: You have reached your pull rate limit.'],
  ['refused', 'no basic auth credentials'],
  ['refused', 'unauthorized: authentication required'],
  ['refused', 'denied: requested access to the resource is denied'],
  ['refused', 'error parsing HTTP 403 response body: unexpected end of JSON input: ""'],
  ['refused', 'unexpected status from HEAD request to https://r/v2/m/blobs/x: 401 Unauthorized'],
  ['missing', 'name unknown: The repository with name "m" does not exist in the registry'],
  ['missing', 'error parsing HTTP 404 response body: invalid character'],
  ['plain-http', 'Get "https://172.17.0.1:5990/v2/": http: server gave HTTP response to HTTPS client'],
  ['untrusted', 'Get "https://r:5000/v2/": x509: certificate signed by unknown authority'],
  ['unknown-host', 'Get "https://r503/v2/": dial tcp: lookup r503 on 10.0.0.1:53: no such host'],
  ['refused', 'Head "https://r:5000/v2/team/timeout/manifests/1": unauthorized: authentication required'],
  ['transient', 'Head "https://r:5000/v2/denied/manifests/1": EOF'],
  ['other', 'open /var/lib/docker/tmp: input/output error'],
])('%s: %s', (trouble, reason) => {
  expect(troubleOf(failed(reason))).toBe(trouble);
});

test('an error that is not of a registry is left as it is', () => {
  const error = new ClipperError('E_DOCKER_UNAVAILABLE', 'connection refused');
  expect(troubleOf(error)).toBe('other');
  expect(registryError(error, { reference: 'r:5000/m', verb: 'pushed to', auth: undefined }, 1)).toBe(error);
});

test.each([
  ['team/m:1', '`docker login`, or give', "address: 'team'"],
  ['r:5000/ns/m:1', '`docker login r:5000`, or give', "address: 'r:5000/ns'"],
])('a refusal of %s says how to log in', (reference, login, address) => {
  const error = registryError(failed('denied'), { reference, verb: 'pushed to', auth: { username: 'bob' } }, 1);
  const { message } = error as Error;
  for (const part of [reference, 'as "bob"', 'denied', login, address]) expect(message).toContain(part);
});
