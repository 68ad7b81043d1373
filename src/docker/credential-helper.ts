import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ClipperError, messageOf } from '../errors.ts';
import type { RegistryAuth } from './images.ts';

/** Generous, because a helper may have to ask the user. */
const timeoutMs = 60_000;

/** The user name by which a helper marks the secret as an identity token. */
const tokenUser = '<token>';

interface Failure {
  readonly code?: string | number;
  readonly killed?: boolean;
  readonly stdout?: string;
  readonly stderr?: string;
}

/** Asks one of Docker's credential helpers. Undefined if it has no credentials. Throws E_REGISTRY_FAILED. */
export async function askCredentialHelper(helper: string, server: string): Promise<RegistryAuth | undefined> {
  const program = `docker-credential-${helper}`;
  try {
    return credentialsIn(await answerOf(program, server));
  } catch (error) {
    const failure = error as Failure;
    if (/credentials not found/i.test(`${failure.stdout} ${failure.stderr}`)) return undefined;
    const message = `The credentials for the registry ${server} can't be read from ${program}, the credential helper in Docker's configuration`;
    const fix = failure.code === 'ENOENT' ? 'install it, or remove it from the configuration' : undefined;
    throw new ClipperError('E_REGISTRY_FAILED', `${message}: ${reasonOf(failure)}`, { fix, cause: error });
  }
}

async function answerOf(program: string, server: string): Promise<string> {
  // Explicit, because a test runner may replace `process.env`, and `execFile` would use the real one.
  const running = promisify(execFile)(program, ['get'], { timeout: timeoutMs, env: process.env });
  // A helper that ends before it has read its input has reported why.
  running.child.stdin?.on('error', () => {});
  running.child.stdin?.end(server);
  return (await running).stdout;
}

function credentialsIn(answer: string): RegistryAuth {
  const { Username: username, Secret: secret } = parsed(answer);
  if (typeof username !== 'string' || typeof secret !== 'string') throw new Error('its answer has no Username and Secret');
  return username === tokenUser ? { identitytoken: secret } : { username, password: secret };
}

function parsed(answer: string): { readonly Username?: unknown; readonly Secret?: unknown } {
  try {
    return Object(JSON.parse(answer));
  } catch {
    // The parser's own error quotes the text, including the secret.
    throw new Error('its answer is not JSON');
  }
}

function reasonOf(failure: Failure): string {
  if (failure.code === 'ENOENT') return 'it is not in PATH';
  if (failure.killed === true) return `it gave no answer in ${timeoutMs / 1_000} s`;
  if (typeof failure.code !== 'number') return messageOf(failure);
  return (failure.stderr || failure.stdout || `it ended with code ${failure.code}`).trim();
}
