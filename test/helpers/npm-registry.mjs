// A registry of npm packages on loopback: `node npm-registry.mjs <packages.json> <requests.log>`.
import { createHash } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';

const [packagesFile, log] = process.argv.slice(2);
const packages = JSON.parse(readFileSync(packagesFile, 'utf8'));

/** One file of a tar archive. */
function tarEntry(path, text) {
  const data = Buffer.from(text);
  const header = Buffer.alloc(512);
  const put = (value, offset) => header.write(value, offset);
  put(`package/${path}`, 0);
  put('0000644\0', 100);
  put('0000000\0', 108);
  put('0000000\0', 116);
  put(`${data.length.toString(8).padStart(11, '0')}\0`, 124);
  put('00000000000\0', 136);
  put('        ', 148);
  put('0', 156);
  put('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, data, Buffer.alloc((512 - (data.length % 512)) % 512)]);
}

function tarballOf({ files = {}, ...json }) {
  const all = { 'package.json': JSON.stringify(json), ...files };
  return gzipSync(Buffer.concat([...Object.entries(all).map(([path, text]) => tarEntry(path, text)), Buffer.alloc(1024)]));
}

const server = createServer(({ url = '/' }, response) => {
  const path = decodeURIComponent(url);
  appendFileSync(log, `${path}\n`);
  if (path.startsWith('/hang')) return;
  const tarball = packages.find(({ name, version }) => path === `/${name}/-/${version}.tgz`);
  if (tarball !== undefined) return void response.end(tarballOf(tarball));
  const versions = packages.filter(({ name }) => path === `/${name}`);
  if (versions.length === 0) return void response.writeHead(404).end('{}');
  const origin = `http://127.0.0.1:${server.address().port}`;
  const described = versions.map(({ files, ...json }) => {
    const integrity = `sha512-${createHash('sha512')
      .update(tarballOf({ files, ...json }))
      .digest('base64')}`;
    return [json.version, { ...json, dist: { tarball: `${origin}/${json.name}/-/${json.version}.tgz`, integrity } }];
  });
  const latest = versions[versions.length - 1].version;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ name: versions[0].name, 'dist-tags': { latest }, versions: Object.fromEntries(described) }));
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
