import { spawnSync } from 'node:child_process';
import { packageDir } from '../../src/util/package-files.ts';

/** Why tests can't use Docker here; undefined where they can. */
function whyNoDocker(): string | undefined {
  const program =
    'new (require("dockerode"))().version().then(() => {}, (error) => { console.error(error.message); process.exit(1); })';
  const { status, stderr } = spawnSync(process.execPath, ['-e', program], { cwd: packageDir, encoding: 'utf8', timeout: 10_000 });
  return status === 0 ? undefined : `no Docker engine answers: ${stderr.trim()}`;
}

/** Tests that need a Docker engine. Without one they are skipped and say why, or fail where CLIPPER_TEST_DOCKER says so. */
export function describeWithDocker(name: string, tests: () => void): void {
  const why = whyNoDocker();
  if (why === undefined || process.env.CLIPPER_TEST_DOCKER === 'required') describe(name, tests);
  else describe.skip(`${name} (skipped: ${why})`, tests);
}
