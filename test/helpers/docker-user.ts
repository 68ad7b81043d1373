import { chmod, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { temporaryDir } from './temporary-dir.ts';

/** Makes a folder the user's configuration of Docker until it is disposed of; programs in it are found in PATH. */
export async function dockerUser(config: object, programs: Readonly<Record<string, string>> = {}): Promise<AsyncDisposable> {
  const dir = await temporaryDir();
  await writeFile(join(dir.path, 'config.json'), JSON.stringify(config));
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(dir.path, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(dir.path, name), 0o755);
  }
  const { DOCKER_CONFIG, PATH } = process.env;
  process.env.DOCKER_CONFIG = dir.path;
  process.env.PATH = `${dir.path}${delimiter}${PATH}`;
  return {
    [Symbol.asyncDispose]: async () => {
      if (DOCKER_CONFIG === undefined) delete process.env.DOCKER_CONFIG;
      else process.env.DOCKER_CONFIG = DOCKER_CONFIG;
      process.env.PATH = PATH;
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** Credentials as `docker login` stores them. */
export const storedAuth = (username: string, password: string): string =>
  Buffer.from(`${username}:${password}`).toString('base64');
