import { X509Certificate } from 'node:crypto';
import { checkServerIdentity, createSecureContext, type PeerCertificate, rootCertificates, type SecureContext } from 'node:tls';
import { ClipperError, messageOf } from '../errors.ts';
import { readCertificate, readPem, type TlsOptions } from '../util/pem.ts';

/** How a client verifies a server, as options of Node's TLS. */
export interface Trust {
  readonly secureContext: SecureContext;
  readonly checkServerIdentity?: (host: string, certificate: PeerCertificate) => Error | undefined;
}

/** Trusts what an authority has signed. Default: what this system trusts. Throws E_INVALID_OPTION. */
export async function trustAuthority(ca: string | undefined): Promise<Trust | undefined> {
  return ca === undefined ? undefined : { secureContext: contextOf([await readPem('ca', ca)]) };
}

/**
 * Trusts a server that this process starts: its certificate itself, or one of the same name and authority. Throws
 * E_INVALID_OPTION.
 */
export async function trustOwn(tls: TlsOptions): Promise<Trust> {
  const { cert } = await readCertificate(tls);
  const known = tls.ca === undefined ? rootCertificates : [await readPem('tls.ca', tls.ca)];
  const name = nameIn(new X509Certificate(cert));
  return {
    secureContext: contextOf([cert, ...known]),
    // The client connects to an address of this machine, which the certificate need not name.
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
  };
}

function contextOf(ca: readonly string[]): SecureContext {
  try {
    // Trusting the certificate itself is enough; its authority may be unknown.
    const options = { ca: [...ca], allowPartialTrustChain: true };
    return createSecureContext(options);
  } catch (error) {
    throw new ClipperError('E_INVALID_OPTION', `ca holds no certificates: ${messageOf(error)}`, { cause: error });
  }
}

/** One of the names that a certificate is for. */
function nameIn({ subjectAltName = '', subject }: X509Certificate): string {
  const [, alternative] = /(?:DNS|IP Address):([^,]+)/.exec(subjectAltName) ?? [];
  const [, common = ''] = /^CN=(.*)$/m.exec(subject) ?? [];
  return (alternative ?? common).replace(/^\*\./, 'any.');
}
