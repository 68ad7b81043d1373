/** A package, or another piece of software, in a bundle or an image. */
export interface SoftwarePart {
  readonly name: string;
  readonly version?: string | undefined;
  /** As in package.json: an SPDX ID, an SPDX expression, or free text. */
  readonly license?: string | undefined;
  /** Default: `library`. */
  readonly type?: 'library' | 'platform' | 'operating-system' | 'application';
  /** Default: the URL of the npm package. */
  readonly purl?: string;
}

type License = { readonly license: { readonly id: string } | { readonly name: string } } | { readonly expression: string };

interface Component {
  readonly type: string;
  readonly 'bom-ref': string;
  readonly group?: string;
  readonly name: string;
  readonly version?: string;
  readonly licenses?: readonly License[];
  readonly purl?: string;
}

/** A bill of materials in CycloneDX 1.6, without anything that would differ between builds. */
export interface Sbom {
  readonly $schema: string;
  readonly bomFormat: 'CycloneDX';
  readonly specVersion: '1.6';
  readonly version: 1;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
}

/** The same parts give the same bill of materials, in any order. */
export const sbomOf = (parts: Iterable<SoftwarePart>, name = 'bundle'): Sbom => ({
  $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  version: 1,
  metadata: { component: { type: 'application', 'bom-ref': name, name } },
  components: unique([...parts].map(componentOf)),
});

/** Adds the further parts of something that contains the bundle, such as an image. */
export const mergeSbom = (sbom: Sbom, parts: Iterable<SoftwarePart>, name: string): Sbom => {
  const whole = sbomOf(parts, name);
  return { ...whole, components: unique([...sbom.components, ...whole.components]) };
};

export const printSbom = (sbom: Sbom): string => `${JSON.stringify(sbom, undefined, 2)}\n`;

function unique(components: readonly Component[]): readonly Component[] {
  const byRef = new Map(components.map((each) => [each['bom-ref'], each]));
  return [...byRef.values()].sort((a, b) => (a['bom-ref'] < b['bom-ref'] ? -1 : 1));
}

function componentOf({ name, version, license, type = 'library', purl = npmPurl(name, version) }: SoftwarePart): Component {
  const [, group, bare = name] = /^(@[^/]+)\/(.+)$/.exec(name) ?? [];
  return {
    type,
    'bom-ref': purl,
    ...(group === undefined ? {} : { group }),
    name: bare,
    ...(version === undefined ? {} : { version }),
    ...(license === undefined ? {} : { licenses: [licenseOf(license)] }),
    purl,
  };
}

const npmPurl = (name: string, version: string | undefined): string => {
  const path = name.split('/').map(encodeURIComponent).join('/');
  return `pkg:npm/${path}${version === undefined ? '' : `@${encodeURIComponent(version)}`}`;
};

/** The IDs that most packages use. The schema enumerates all valid `id` values; an `expression` may hold any ID. */
const commonIds = new Set(
  '0BSD AFL-2.1 Apache-2.0 Artistic-2.0 BlueOak-1.0.0 BSD-2-Clause BSD-3-Clause CC-BY-3.0 CC-BY-4.0 CC0-1.0 ISC MIT MIT-0 MPL-2.0 Python-2.0 Unlicense WTFPL Zlib'.split(
    ' ',
  ),
);
const spdxTerm = String.raw`\(*[A-Za-z0-9][\w.:+-]*\)*`;
const spdxExpression = new RegExp(`^${spdxTerm}(?: (?:AND|OR|WITH) ${spdxTerm})*$`);

function licenseOf(text: string): License {
  if (commonIds.has(text)) return { license: { id: text } };
  return spdxExpression.test(text) && text !== 'UNLICENSED' ? { expression: text } : { license: { name: text } };
}
