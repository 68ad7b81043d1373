import { X509Certificate } from 'node:crypto';
import { checkServerIdentity, createSecureContext, type PeerCertificate, rootCertificates, type SecureContext } from 'node:tls';
import { ClipperError, messageOf } from '../errors.ts';
import { readCertificate, readPem, type TlsOptions } from '../util/pem.ts';

/** How a client tells that a server is the one it means, as Node's TLS takes it. */
export interface Trust {
  readonly secureContext: SecureContext;
  readonly checkServerIdentity?: (host: string, certificate: PeerCertificate) => Error | undefined;
}

/** Trusts what an authority has signed; where there is none, what this system does. Throws E_INVALID_OPTION. */
export async function trustAuthority(ca: string | undefined): Promise<Trust | undefined> {
  return ca === undefined ? undefined : { secureContext: contextOf([await readPem('ca', ca)]) };
}

/** Trusts a server that this process starts: by its own certificate, or what has its name and the same authority. Throws E_INVALID_OPTION. */
export async function trustOwn(tls: TlsOptions): Promise<Trust> {
  const { cert } = await readCertificate(tls);
  const known = tls.ca === undefined ? rootCertificates : [await readPem('tls.ca', tls.ca)];
  const name = nameIn(new X509Certificate(cert));
  return {
    secureContext: contextOf([cert, ...known]),
    // It is reached at an address of this machine, which the certificate need not name.
    checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
  };
}

function contextOf(ca: readonly string[]): SecureContext {
  try {
    // Trust in a certificate itself is enough; nothing need be known of its authority.
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
