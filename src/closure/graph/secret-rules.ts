/** Credentials that are recognizable by a prefix. */
const shapes: ReadonlyArray<readonly [what: string, starts: readonly string[], body: string]> = [
  ['an AWS access key id', ['AKIA', 'ASIA'], '[0-9A-Z]{16}'],
  ['a GitHub token', ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'], '[A-Za-z0-9]{30,255}'],
  ['a GitHub token', ['github_pat_'], '\\w{22,255}'],
  ['a GitLab token', ['glpat-', 'gldt-', 'glrt-', 'glptt-'], '[\\w.-]{20,255}'],
  ['a Slack token', ['xoxa-', 'xoxb-', 'xoxe-', 'xoxp-', 'xoxr-', 'xoxs-', 'xapp-'], '[\\w-]{10,255}'],
  ['a Slack webhook', ['https://hooks.slack.com/services/'], '[\\w/]{20,255}'],
  ['a Stripe key', ['sk_live_', 'sk_test_', 'rk_live_', 'rk_test_', 'whsec_'], '\\w{16,255}'],
  ['an API key (sk-…)', ['sk-'], '(?=[\\w-]*\\d)[\\w-]{20,255}'],
  ['a Google API key', ['AIza'], '[\\w-]{35}'],
  ['a Google OAuth token', ['ya29.', 'GOCSPX-'], '[\\w.-]{20,2000}'],
  ['an npm token', ['npm_'], '[A-Za-z0-9]{36}'],
  ['a Hugging Face token', ['hf_'], '[A-Za-z0-9]{30,255}'],
  ['a SendGrid key', ['SG.'], '[\\w-]{16,}\\.[\\w-]{16,}'],
  ['a JSON web token', ['eyJ'], '[\\w-]{8,}\\.eyJ[\\w-]{8,}\\.[\\w-]{8,}'],
  ['a private key', ['-----BEGIN '], '(?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----[\\s\\S]*'],
  ['credentials of an HTTP request', ['Bearer ', 'Basic ', 'bearer ', 'basic '], '(?=\\S*\\d)[\\w.~+/=-]{16,}'],
  ['an Azure connection string', ['DefaultEndpointsProtocol='], '.*AccountKey=[\\w+/=]{20,}.*'],
];

const escaped = (text: string): string => text.replace(/[.$/]/g, '\\$&');
const patterns = shapes.map(([what, starts, body]) => {
  const source = `(?:${starts.map(escaped).join('|')})${body}`;
  return {
    what,
    pairs: starts.map(pairAt),
    whole: new RegExp(`^${source}\\s*$`),
    inText: new RegExp(`(?<![\\w-])${source.replace('[\\s\\S]*', '')}`, 'g'),
  };
});

/** Patterns by their first two characters, which rule out nearly every string. */
const byPair: (readonly (typeof patterns)[number][] | undefined)[] = new Array<undefined>(0x4000).fill(undefined);
for (const pattern of patterns) {
  for (const pair of pattern.pairs) byPair[pair] = [...(byPair[pair] ?? []), pattern];
}
const urlWithPassword = /^[a-z][a-z\d+.-]{1,30}:\/\/[^\s/:@]*:([^\s/@]+)@[^\s/]/i;
const shortest = 12;
const colon = 58;

/** Encodes the first two characters as an index of `byPair`. Non-ASCII characters give an index past its end. */
function pairAt(text: string): number {
  return text.charCodeAt(0) * 0x80 + text.charCodeAt(1);
}

/** Returns the kind of credential that a text's shape suggests, or undefined. */
export function shapeOf(text: string): string | undefined {
  if (text.length < shortest) return undefined;
  const pair = pairAt(text);
  const found = pair < 0x4000 ? byPair[pair]?.find(({ whole }) => whole.test(text)) : undefined;
  if (found !== undefined) return isVaried(text) ? found.what : undefined;
  if (!mayBeUrl(text)) return undefined;
  const password = urlWithPassword.exec(text)?.[1];
  return password === undefined || isPlaceholder(password) ? undefined : 'a URL with a password';
}

/** Whether the text starts with a URL scheme. */
function mayBeUrl(text: string): boolean {
  for (let index = 0; index < 32; index++) {
    const code = text.charCodeAt(index);
    if (code === colon) return text.startsWith('://', index);
    // Only letters, digits, `+`, `-` and `.` are allowed (the range also lets `,` and `/` through).
    if (!((code | 32) >= 97 && (code | 32) <= 122) && !(code >= 43 && code <= 57)) return false;
  }
  return false;
}

const anyStart = new RegExp(shapes.flatMap(([, starts]) => starts.map(escaped)).join('|'));

/** Finds credentials of a known shape in a program's text. */
export function shapesIn(text: string): { readonly what: string; readonly start: number; readonly value: string }[] {
  if (!anyStart.test(text)) return [];
  return patterns.flatMap(({ what, inText }) =>
    [...text.matchAll(inText)].flatMap(({ 0: value, index }) => (isVaried(value) ? [{ what, start: index, value }] : [])),
  );
}

/** Makes a text safe to show: of each credential in it, such as a Map's key, only the first characters remain. */
export function withoutSecrets(text: string): string {
  const entry = /^(?:Map entry )?/.exec(text)?.[0] ?? '';
  const rest = text.slice(entry.length);
  if (shapeOf(rest) !== undefined) return `${entry}${rest.slice(0, 4)}…`;
  return shapesIn(text).reduce((shown, { value }) => shown.replaceAll(value, `${value.slice(0, 4)}…`), text);
}

/** Whether a name says that it holds a credential. `maybe`: the word also names ordinary data, such as the tokens of a text. */
type Claim = 'secret' | 'maybe' | 'none';

const secretNames =
  /^(?:.* )?(?:passwords?|passwd|passphrase|pwd|secrets?|(?:api|access|secret|private|signing|encryption|master) ?keys?|apikeys?|credentials?)$/;
const maybeNames = /^(?:.* )?(?:tokens?|auth|authorization|bearer|pass|jwt)$/;
const endings = /(?: (?:prod|production|dev|staging|live|value|string|text|plain|base64|hex|default|current|old|new))+$/;
const claims = new Map<string, Claim>();
const maxClaims = 10_000;

/**
 * Returns whether the name of a variable or key suggests a credential. Accepts any spelling: `apiKey`, `API_KEY`,
 * `db-password`.
 */
export function claimOf(name: string): Claim {
  const known = claims.get(name);
  return known === undefined ? learnClaim(name) : known;
}

function learnClaim(name: string): Claim {
  if (name.length < 3 || name.length > 60) return 'none';
  const words = name
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .replace(/[^a-z]+/g, ' ')
    .trim()
    .replace(endings, '');
  const claim = secretNames.test(words) ? 'secret' : maybeNames.test(words) ? 'maybe' : 'none';
  if (claims.size < maxClaims) claims.set(name, claim);
  return claim;
}

/** Whether a text under a credential's name looks like a real credential and not a placeholder. */
export function isCredible(text: string, claim: Claim): boolean {
  if (claim === 'none' || text.length < 8 || text.length > 8_192 || /\s/.test(text.trim())) return false;
  const hasDigit = /\d/.test(text);
  const isLikely = claim === 'secret' || (hasDigit && /[a-z]/i.test(text)) || (text.length >= 24 && entropy(text) >= 3.5);
  if (!isLikely || isPlaceholder(text) || isNameOrPlace(text) || entropy(text) < 2) return false;
  if (claim === 'maybe') return true;
  const isMixed = hasDigit || /[a-z].*[A-Z]/.test(text) || /[^A-Za-z\d._-]/.test(text);
  return isMixed || text.length >= 12;
}

const placeholders =
  /^(?:<.*>|\{.*\}|\[.*\]|%.*%|\$.*|(?:test|foo|bar|abc|demo|dummy|sample|default|fake)[\d_.-]*|.*(?:change.?me|placeholder|redacted|example|dummy|your[-_.]|replace[-_.]|insert[-_.]|xxxx|\*\*\*|\.\.\.|todo).*|none|null|undefined|string|(?:password|passwd|secret|token|test)+)$/i;

const isPlaceholder = (text: string): boolean => placeholders.test(text) || new Set(text).size <= 2;

/** The name of a credential, header or environment variable, or the file or URL where a credential is stored. */
const isNameOrPlace = (text: string): boolean =>
  /^[A-Z][A-Z\d]*(?:_[A-Z\d]+)+$/.test(text) ||
  (/^[A-Za-z._:-]+$/.test(text) && /key|token|secret|passw|auth|credential/i.test(text)) ||
  /^(?:[a-z][a-z\d+.-]*:\/\/|\.{0,2}\/(?!.*[+=])|~\/|[A-Z]:\\)/i.test(text) ||
  /\.(?:pem|key|crt|json|ya?ml|txt|env|pub|ts|js)$/i.test(text);

/** Excludes texts with few distinct characters, such as a placeholder token in a manual. */
const isVaried = (text: string): boolean => new Set(text.slice(-16)).size >= 6;

/** In bits per character. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const each of text) counts.set(each, (counts.get(each) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
